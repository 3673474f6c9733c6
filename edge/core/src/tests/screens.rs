//! Screens by the clock, and what each request of theirs asks of the store.

use super::*;

const SCREEN: &str = "AAECAwQFBgcICQoLDA0ODw";
const OTHER: &str = "BBECAwQFBgcICQoLDA0ODw";

/// A browser: its session's cookie, and its lease once it has one.
struct Browser {
    cookie: String,
}

impl Browser {
    fn new(id: u8) -> Browser {
        let mut claims = token::open(&settings().session, &session(NOW.seconds() + 3600)).unwrap();
        claims.id = [id; 16];
        let cookie = format!("__Host-railbird={}", token::mint(&settings().session, &claims));
        Browser { cookie }
    }

    fn claim(&mut self, edge: &Fixture<'_>, screen: &str) -> Response {
        let headers = [("cookie", &*self.cookie), ("content-type", "application/json")];
        let body = json!({"screen": screen, "name": "Chrome on Linux"}).to_string();
        let response = edge.ask("POST", "/api/screens", &headers, body.as_bytes());
        if let Some((_, lease)) = response.headers.iter().find(|(name, _)| name == "set-cookie") {
            let (lease, _) = lease.split_once(';').unwrap();
            let session = self.cookie.split(';').next().unwrap();
            self.cookie = format!("{session}; {lease}");
        }
        response
    }

    fn key(&self, edge: &Fixture<'_>) -> Response {
        let period = keys::period(edge.now.media(), PERIOD_S as u32);
        edge.ask("GET", &format!("/key/table-1/{period}"), &[("cookie", &self.cookie)], b"")
    }
}

/// The tables that were asked since the last time.
fn asked(probe: &Probe) -> Vec<Table> {
    probe.cells.borrow_mut().drain(..).map(|cell| cell.table).collect()
}

#[test]
fn a_playlist_reads_one_cell_for_its_session_and_a_key_writes_none() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    let mut browser = Browser::new(1);
    let channels = json!([{"id": "table-1", "title": "Table 1"}]);
    let event = json!({"event": "open", "title": "Open", "revision": 1, "channels": channels});
    edge.push("/origin/v1/event", &event);
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    asked(&probe);
    assert_eq!(edge.get("/live/table-1/main.m3u8").status, 200);
    assert_eq!(asked(&probe), [Table::Holder, Table::Channel, Table::Health]);
    assert_eq!(browser.claim(&edge, SCREEN).status, 200);
    assert_eq!(asked(&probe), [Table::Holder, Table::Pass, Table::Holder]);
    assert_eq!(browser.key(&edge).status, 200);
    assert_eq!(asked(&probe), [Table::Holder, Table::Channel]);
    // Every second renewal is written.
    for (passed_ms, cells) in [(20_000, 1), (40_000, 3), (60_000, 1), (80_000, 3)] {
        edge.now = NOW.plus_ms(passed_ms);
        assert_eq!(browser.claim(&edge, SCREEN).status, 200);
        assert_eq!(asked(&probe).len(), cells, "after {passed_ms} ms");
    }
}

#[test]
fn a_lease_ends_with_its_cookie_and_frees_its_place() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    let [mut one, mut two, mut three] = [1, 2, 3].map(Browser::new);
    assert_eq!((one.claim(&edge, SCREEN).status, two.claim(&edge, OTHER).status), (200, 200));
    let third = "CBECAwQFBgcICQoLDA0ODw";
    let full = three.claim(&edge, third);
    assert_eq!((full.status, &*code(&full)), (409, "too-many-screens"));
    // The second goes on, the first was closed without a word.
    edge.now = NOW.plus_ms(40_000);
    assert_eq!(two.claim(&edge, OTHER).status, 200);
    edge.now = NOW.plus_ms(74_000);
    assert_eq!((one.key(&edge).status, three.claim(&edge, third).status), (200, 409));
    edge.now = NOW.plus_ms(75_000);
    assert_eq!(three.claim(&edge, third).status, 200);
    let refused = one.key(&edge);
    assert_eq!((refused.status, &*code(&refused)), (403, "too-many-screens"));
    assert_eq!((two.key(&edge).status, three.key(&edge).status), (200, 200));
}

/// A browser has one cookie for all its tabs.
#[test]
fn a_tab_that_is_closed_leaves_the_other_one_its_lease() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    edge.get("/live/table-1/main.m3u8");
    let mut browser = Browser::new(1);
    assert_eq!((browser.claim(&edge, SCREEN).status, browser.claim(&edge, OTHER).status), (200, 200));
    for (closed, left) in [(OTHER, true), (SCREEN, false)] {
        let headers = [("cookie", &*browser.cookie), ("content-type", "application/json")];
        let body = json!({"screen": closed}).to_string();
        let response = edge.ask("POST", "/api/screens/release", &headers, body.as_bytes());
        let (_, lease) = response.headers.iter().find(|(name, _)| name == "set-cookie").unwrap();
        assert_eq!(!lease.starts_with("__Host-railbird-screen=;"), left, "{lease}");
        if left {
            browser.cookie = format!(
                "{}; {}",
                browser.cookie.split(';').next().unwrap(),
                lease.split(';').next().unwrap()
            );
            asked(&probe);
            assert_eq!(browser.key(&edge).status, 200);
            assert_eq!(asked(&probe), [Table::Holder, Table::Channel], "it needs no other place");
        }
    }
}

#[test]
fn a_store_that_fails_stops_nobody_for_good() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let mut browser = Browser::new(1);
    probe.failing.set(true);
    let failed = browser.claim(&edge, SCREEN);
    assert_eq!((failed.status, &*code(&failed)), (503, "store"));
    assert!(failed.headers.contains(&("retry-after".into(), "1".into())));
    probe.failing.set(false);
    assert_eq!(browser.claim(&edge, SCREEN).status, 200);
}
