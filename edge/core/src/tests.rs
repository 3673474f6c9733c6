//! What the contract suite can't show over HTTP: a store that fails, settings that are wrong, and the clock's edges.

mod hints;
mod low_latency;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell as Flag, RefCell};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::format;
use std::vec;

use railbird_core::keys;
use railbird_core::lint::{self, ours};
use railbird_core::sign;
use railbird_core::state::merge::REVISION_AHEAD_MS_MAX;
use railbird_core::time::UtcMs;
use serde_json::{Value, json};

use crate::change::Change;
use crate::memory::MemoryStore;
use crate::passes::{Coverage, PassId};
use crate::token::{self, Claims};
use crate::{
    Cell, Courier, Edge, Errand, FetchBounds, FetchError, Fetched, Instance, Moment, Request, Response,
    Settings, Store, StoreError, Table, Watch,
};

mod channels;
mod choice;
mod courier;
mod frames;
mod limits;
mod line;
mod origins;
mod passes;
mod probe;
mod reset;
mod scores;
mod screens;

const NOW: UtcMs = UtcMs(1_795_171_920_040);
const PERIOD_S: u64 = 60;

fn settings() -> Settings {
    Settings::read(|name| name.ends_with("_secret").then(|| format!("{name} of the test"))).unwrap()
}

/// Nothing here ever waits.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory does not wait"),
    }
}

/// An answer, which is as RFC 8216bis wants it where it is a playlist.
fn linted(response: Response) -> Response {
    if response.status == 200 && response.body.starts_with(b"#EXTM3U") {
        let left = ours::unexpected(lint::read(&response.body, &lint::Place::default()).findings);
        assert!(left.is_empty(), "{left:#?}\n{}", String::from_utf8_lossy(&response.body));
    }
    response
}

/// A store that can be told to fail, and that notes the cells it was asked for.
#[derive(Default)]
struct Probe {
    inner: MemoryStore,
    failing: Flag<bool>,
    /// A table that fails alone.
    failing_table: Flag<Option<Table>>,
    cells: RefCell<Vec<Cell>>,
    /// The pauses that were made, in milliseconds, and what happens in the next ones, the last first.
    paused: RefCell<Vec<u64>>,
    meanwhile: RefCell<Vec<(Cell, Change)>>,
    fails_after_pause: Flag<bool>,
    /// What the operator was told.
    logged: RefCell<Vec<String>>,
}

impl Probe {
    fn note(&self, cell: &Cell) -> Result<(), StoreError> {
        self.cells.borrow_mut().push(cell.clone());
        let fails = self.failing.get() || self.failing_table.get() == Some(cell.table);
        if fails { Err(StoreError("secret address of the store".to_string())) } else { Ok(()) }
    }
}

impl Store for &Probe {
    async fn get(&self, cell: &Cell) -> Result<Option<Vec<u8>>, StoreError> {
        self.note(cell)?;
        self.inner.get(cell).await
    }

    async fn put(&self, cell: &Cell, value: Vec<u8>, expires: Option<UtcMs>) -> Result<(), StoreError> {
        self.note(cell)?;
        self.inner.put(cell, value, expires).await
    }

    async fn change(&self, cell: &Cell, change: &Change, now: UtcMs) -> Result<Vec<u8>, StoreError> {
        self.note(cell)?;
        self.inner.change(cell, change, now).await
    }

    async fn list(&self, table: Table, after: &str, max: usize) -> Result<Vec<String>, StoreError> {
        self.note(&Cell { table, key: String::new() })?;
        self.inner.list(table, after, max).await
    }
}

impl Watch for &Probe {}

/// What is sent is kept by the store inside; nothing waits.
impl Courier for &Probe {
    async fn send(&self, errand: Errand<'_>) -> Result<Fetched, FetchError> {
        if self.failing.get() && errand.body.is_some() {
            return Err(FetchError::NoAnswer("no way".to_string()));
        }
        self.inner.send(errand).await
    }

    fn log(&self, text: &str) {
        self.logged.borrow_mut().push(text.to_string());
    }

    async fn pause(&self, ms: u64) {
        self.paused.borrow_mut().push(ms);
        if self.fails_after_pause.get() {
            self.failing.set(true);
        }
        let next = self.meanwhile.borrow_mut().pop();
        if let Some((cell, change)) = next {
            self.inner.change(&cell, &change, NOW).await.unwrap();
        }
    }
}

struct Fixture<'a> {
    edge: Edge<&'a Probe>,
    now: UtcMs,
}

impl<'a> Fixture<'a> {
    fn new(probe: &'a Probe) -> Fixture<'a> {
        Fixture::with(probe, &[])
    }

    /// With more settings.
    fn with(probe: &'a Probe, more: &[(&str, &str)]) -> Fixture<'a> {
        let settings = Settings::read(|name| {
            let more = more.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
            more.or_else(|| name.ends_with("_secret").then(|| format!("{name} of the test")))
        });
        Fixture { edge: Edge::new(settings, probe), now: NOW }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers,
            body: body.into(),
            ..Request::default()
        };
        linted(ready(self.edge.handle(request, &Moment { now: self.now, entropy: [7; 32] })))
    }

    fn get(&self, path: &str) -> Response {
        self.ask(
            "GET",
            path,
            &[("cookie", &format!("__Host-railbird={}", session(NOW.seconds() + 3600)))],
            b"",
        )
    }

    /// A viewer of this number asks, from a region.
    fn ask_from(&self, n: u8, region: &str, method: &str, path: &str, body: &str) -> Response {
        let claims = Claims {
            pass: PassId::of_email(&format!("viewer{n}@railbird.test")).unwrap(),
            channels: Coverage::All,
            issued_s: NOW.seconds(),
            expires_s: u64::MAX,
            id: [n; 16],
        };
        let token = token::mint(&settings().session, &claims);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.into(),
            path: format!("/t/{token}{path}"),
            query: query.into(),
            headers: vec![("content-type".into(), "application/cmcd".into())],
            region: Some(region.into()),
            body: body.into(),
            ..Request::default()
        };
        linted(ready(self.edge.handle(request, &Moment { now: self.now, entropy: [7; 32] })))
    }

    /// A viewer of this number tells what it found of nodes.
    fn tell(&self, n: u8, region: &str, reports: &str) -> Response {
        self.ask_from(n, region, "POST", "/live/table-1/beacons", reports)
    }

    fn push(&self, path: &str, body: &Value) -> Response {
        self.push_bytes(path, body.to_string().as_bytes(), self.now)
    }

    fn push_bytes(&self, path: &str, body: &[u8], signed: UtcMs) -> Response {
        let secret = if path.starts_with("/admin") { "admin_secret" } else { "origin_secret" };
        let secret = format!("{secret} of the test");
        let header = sign::sign(secret.as_bytes(), "PUT", path, body, signed, [1; 16]);
        self.ask("PUT", path, &[(sign::HEADER, &header)], body)
    }

    fn login(&self, password: &str) -> Response {
        let body = json!({"email": "viewer@railbird.test", "password": password}).to_string();
        self.ask("POST", "/api/login", &[("content-type", "application/json")], body.as_bytes())
    }
}

fn session(expires_s: u64) -> String {
    let claims = Claims {
        pass: PassId::of_email("viewer@railbird.test").unwrap(),
        channels: Coverage::All,
        issued_s: NOW.seconds(),
        expires_s,
        id: [9; 16],
    };
    token::mint(&settings().session, &claims)
}

/// A line of a beacon.
fn report(node: &str, status: u16) -> String {
    format!("e=rr,rc={status},ttfb=20,url=\"{node}/table-1/source/1.m4s\",v=2\n")
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn code(response: &Response) -> String {
    body(response)["error"]["code"].as_str().unwrap().to_string()
}

/// A state with one segment at each of these key periods.
fn state(phase: &str, periods: &[u64]) -> Value {
    let segment = |period: &u64| json!({"start": period * PERIOD_S * 90_000, "duration": 180_000, "on": 1});
    json!({
        "channel": "table-1", "origin": "north", "recording": "20261120t105200z", "title": "Table 1", "revision": NOW, "updated": NOW, "phase": phase,
        "segment_ms": 2000, "key_period_s": PERIOD_S,
        "nodes": [{"id": "a", "url": "https://a.test", "up": true}],
        "renditions": [{
            "id": "source", "codecs": "avc1.64001f", "bandwidth": 1, "average_bandwidth": 1, "width": 1, "height": 1,
            "frame_rate_milli": 0, "target_duration_s": 2, "first_msn": 0, "discontinuity_sequence": 0,
            "inits": ["table-1/source/init-0.mp4"], "segments": periods.iter().map(segment).collect::<Vec<_>>(),
        }],
    })
}

/// A list with one recording that is over, of chapters of 30 segments.
fn replays(revision: u64, chapters: u32) -> Value {
    let (start, duration) = (NOW.media(), u64::from(chapters) * 30 * 180_000);
    json!({"channel": "table-1", "origin": "north", "revision": revision, "replays": [{
        "recording": "r-1", "title": "Final", "start": start, "duration": duration, "chapters": chapters, "ended": true,
    }]})
}

/// A chapter of so many segments, counted from the recording's beginning.
fn chapter(first: u64, segments: u64) -> Value {
    let mut state = state("live", &[]);
    state["recording"] = json!("r-1");
    let start = |n: u64| NOW.plus_ms(2000 * n).media();
    let segment = |n| json!({"start": start(n), "duration": 180_000, "on": 1});
    state["renditions"][0]["segments"] = (first..first + segments).map(segment).collect();
    state
}

/// argon2id of `right` with little memory, which is all that a test needs.
fn pass(password: &str, until: UtcMs) -> Value {
    pass_of("viewer@railbird.test", password, until)
}

/// The same of another holder.
fn pass_of(email: &str, password: &str, until: UtcMs) -> Value {
    use argon2::{Argon2, Params, PasswordHasher};
    let argon2 = Argon2::from(Params::new(64, 1, 1, None).unwrap());
    let hash = argon2.hash_password_with_salt(password.as_bytes(), b"salt of the test").unwrap().to_string();
    json!({
        "email": email, "password_hash": hash, "channels": ["*"],
        "valid_from": 0, "valid_until": until,
    })
}

#[test]
fn a_store_that_fails_is_503_and_tells_nobody_where_it_is() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/admin/v1/passes", &pass("right", NOW.plus_ms(1000))).status, 204);
    probe.failing.set(true);
    for response in [
        edge.get("/api/channels"),
        edge.get("/live/table-1/main.m3u8"),
        edge.get("/replay/table-1/r-1/main.m3u8"),
        edge.get("/replay/table-1/r-1/a/source.m3u8"),
        edge.get("/key/table-1/1"),
        edge.get("/live/table-1/score.json"),
        edge.get("/live/table-1/score.events"),
        edge.get("/live/table-1/score.m3u8"),
        edge.get("/live/table-1/score/9-9.vtt"),
        edge.get("/replay/table-1/r-1/score.json"),
        edge.get("/replay/table-1/r-1/score/9-9.vtt"),
        edge.get("/live/table-1/nodes.json"),
        edge.tell(1, "all", &report("https://a.test", 200)),
        edge.login("right"),
        edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])),
        edge.push("/origin/v1/channels/table-1/replays", &replays(1, 1)),
        edge.push("/origin/v1/channels/table-1/replays/r-1/0", &chapter(0, 1)),
        edge.push("/admin/v1/passes", &pass("right", NOW.plus_ms(1000))),
    ] {
        assert_eq!((response.status, &*code(&response)), (503, "store"));
        assert!(response.headers.contains(&("retry-after".into(), "1".into())));
        assert!(!String::from_utf8_lossy(&response.body).contains("address"));
    }
    for path in ["/", "/login", "/watch/table-1"] {
        let page = edge.get(path);
        assert_eq!(page.status, 503);
        let html = String::from_utf8(page.body).unwrap();
        assert!(html.starts_with("<!doctype html>") && !html.contains("address"), "{html}");
    }
    // A logout that was not kept must not look like one.
    let cookie = format!("__Host-railbird={}", session(NOW.seconds() + 60));
    let headers = [("cookie", &*cookie), ("content-type", "application/json")];
    let logout = edge.ask("POST", "/api/logout", &headers, b"{}");
    assert_eq!(logout.status, 503);
    assert!(logout.headers.iter().all(|(name, _)| name != "set-cookie"));
    assert_eq!(edge.ask("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn wrong_settings_are_named_to_every_caller() {
    let edge = Edge::new(Settings::read(|_| None), MemoryStore::default());
    for path in ["/healthz", "/", "/api/login", "/nowhere"] {
        let request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
        let response = ready(edge.handle(request, &Moment { now: NOW, entropy: [0; 32] }));
        assert_eq!((response.status, &*code(&response)), (503, "misconfigured"));
        assert!(String::from_utf8(response.body).unwrap().contains("master_secret"));
    }
}

#[test]
fn head_is_answered_as_get() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])).status, 204);
    for path in ["/healthz", "/login", "/live/table-1/main.m3u8", "/nowhere"] {
        let path = if path.starts_with("/live") {
            format!("/t/{}{path}", session(u64::MAX))
        } else {
            path.to_string()
        };
        assert_eq!(edge.ask("HEAD", &path, &[], b""), edge.ask("GET", &path, &[], b""), "{path}");
    }
}

#[test]
fn a_push_above_the_bound_is_refused() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let mut large = state("live", &[1]).to_string().into_bytes();
    large.resize(crate::http::BODY_LEN_MAX, b' ');
    assert_eq!(edge.push_bytes("/origin/v1/channels/table-1/state", &large, NOW).status, 204);
    large.push(b' ');
    let response = edge.push_bytes("/origin/v1/channels/table-1/state", &large, NOW);
    assert_eq!((response.status, &*code(&response)), (413, "too-large"));
    let many = (0..65).map(|n| json!({"id": format!("table-{n}"), "title": ""})).collect::<Vec<_>>();
    let event = |channels: &[Value]| json!({"event": "e", "title": "", "revision": 1, "channels": channels});
    assert_eq!(edge.push("/origin/v1/event", &event(&many)).status, 400);
    assert_eq!(edge.push("/origin/v1/event", &event(&many[..64])).status, 204);
}

#[test]
fn keys_reach_one_period_beyond_now_and_beyond_the_list() {
    let present = keys::period(NOW.media(), PERIOD_S as u32);
    let old = present - 50;
    for (phase, listed, given) in [
        ("live", vec![], vec![present - 1, present, present + 1]),
        ("waiting", vec![], vec![present - 1, present, present + 1]),
        (
            "live",
            vec![present - 3, present],
            vec![present - 4, present - 3, present - 2, present - 1, present, present + 1],
        ),
        ("live", vec![old], vec![old - 1, old, old + 1, present - 1, present, present + 1]),
        ("ended", vec![old, old + 2], vec![old - 1, old, old + 1, old + 2, old + 3]),
        ("ended", vec![], vec![]),
        ("ended", vec![0], vec![0, 1]),
    ] {
        let probe = Probe::default();
        let edge = Fixture::new(&probe);
        assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state(phase, &listed)).status, 204);
        for period in [0, 1, 2].into_iter().chain(old - 3..=present + 3) {
            let status = edge.get(&format!("/key/table-1/{period}")).status;
            let expected = if given.contains(&period) { 200 } else { 403 };
            assert_eq!(status, expected, "{phase}, {listed:?}: {period}");
        }
    }
}

#[test]
fn a_session_ends_with_its_pass_and_to_the_second() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    let until = NOW.plus_ms(90_000);
    assert_eq!(edge.push("/admin/v1/passes", &pass("right", until)).status, 204);
    let granted = edge.login("right");
    assert_eq!(body(&granted)["expires"], until.seconds());
    let token = body(&granted)["token"].as_str().unwrap().to_string();
    let max_age = granted.headers.iter().find(|(name, _)| name == "set-cookie").unwrap().1.clone();
    assert!(max_age.ends_with("Max-Age=90"), "{max_age}");
    let ask = |edge: &Fixture<'_>| edge.ask("GET", &format!("/t/{token}/steer/table-1"), &[], b"");
    edge.now = UtcMs(until.seconds() * 1000 - 1);
    assert_eq!(code(&ask(&edge)), "no-such-channel");
    edge.now = UtcMs(until.seconds() * 1000);
    assert_eq!(code(&ask(&edge)), "session-expired");
    edge.now = until;
    assert_eq!(code(&edge.login("right")), "pass-not-valid");
    assert_eq!(code(&edge.login("wrong")), "bad-login");
}

#[test]
fn a_token_id_is_not_the_entropy_itself() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/admin/v1/passes", &pass("right", NOW.plus_ms(90_000))).status, 204);
    let token = body(&edge.login("right"))["token"].as_str().unwrap().to_string();
    let id = token::open(&settings().session, &token).unwrap().id;
    assert_ne!(id, [7; 16]);
    assert_ne!(id, [0; 16]);
}

#[test]
fn an_older_pass_sent_again_does_not_come_back() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let path = "/admin/v1/passes";
    let first = pass("right", NOW.plus_ms(90_000)).to_string();
    let second = pass("changed", NOW.plus_ms(90_000)).to_string();
    assert_eq!(edge.push_bytes(path, first.as_bytes(), UtcMs(NOW.0 - 2)).status, 204);
    assert_eq!(edge.push_bytes(path, second.as_bytes(), UtcMs(NOW.0 - 1)).status, 204);
    let replayed = edge.push_bytes(path, first.as_bytes(), UtcMs(NOW.0 - 2));
    assert_eq!((replayed.status, body(&replayed)), (200, json!({"kept": NOW.0 - 1})));
    assert_eq!(edge.login("right").status, 401);
    assert_eq!(edge.login("changed").status, 200);
}

/// Whoever kept such a revision would take nothing that follows, from whoever it came.
#[test]
fn a_revision_from_another_age_is_refused_and_the_next_one_is_taken() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let at = |mut document: Value, revision: u64| {
        document["revision"] = json!(revision);
        document
    };
    let event = json!({"event": "e", "title": "", "revision": 1, "channels": []});
    for (path, document) in [
        ("/origin/v1/event", event),
        ("/origin/v1/channels/table-1/state", state("live", &[1])),
        ("/origin/v1/channels/table-1/replays", replays(1, 2)),
        ("/origin/v1/channels/table-1/replays/r-1/0", chapter(0, 30)),
    ] {
        for revision in [u64::MAX, NOW.plus_ms(REVISION_AHEAD_MS_MAX + 1).0] {
            let refused = edge.push(path, &at(document.clone(), revision));
            assert_eq!((refused.status, &*code(&refused)), (400, "bad-request"), "{path}");
        }
        // One whose clock was once ahead by a year is taken, and so is what follows.
        let ahead = NOW.plus_ms(366 * 86_400_000).0;
        for revision in [ahead, ahead + 1] {
            assert_eq!(edge.push(path, &at(document.clone(), revision)).status, 204, "{path}");
        }
    }
}

#[test]
fn who_signs_at_another_time_is_told_the_edges_and_nobody_else_is() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let (path, body) = ("/origin/v1/event", b"{}");
    let told = |refused: &Response| {
        let found = refused.headers.iter().find(|(name, _)| name == sign::CLOCK_HEADER);
        found.map(|(_, value)| value.clone())
    };
    let secret = b"origin_secret of the test";
    for signed in [NOW.plus_ms(61_000), UtcMs(NOW.0 - 61_000)] {
        let header = sign::sign(secret, "PUT", path, body, signed, [1; 16]);
        let refused = edge.ask("PUT", path, &[(sign::HEADER, &header)], body);
        assert_eq!((refused.status, &*code(&refused)), (401, "bad-signature"));
        assert_eq!(sign::clock_told(secret, &header, &told(&refused).unwrap()), Some(NOW));
    }
    let stranger = sign::sign(b"another secret", "PUT", path, body, NOW.plus_ms(61_000), [1; 16]);
    let refused = edge.ask("PUT", path, &[(sign::HEADER, &stranger)], body);
    assert_eq!(refused.status, 401);
    assert_eq!(told(&refused), None);
}

#[test]
fn an_ended_session_is_remembered_until_it_would_have_expired() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let expires_s = NOW.seconds() + 3600;
    let cookie = format!("__Host-railbird={}", session(expires_s));
    let headers = [("cookie", &*cookie), ("content-type", "application/json")];
    assert_eq!(edge.ask("POST", "/api/logout", &headers, b"").status, 204);
    probe.inner.expire(UtcMs(expires_s * 1000 - 1));
    assert_eq!(code(&edge.get("/api/channels")), "session-ended");
    probe.inner.expire(UtcMs(expires_s * 1000));
    assert!(probe.inner.is_empty());
    // What has expired already, or is no token, is not worth a cell.
    for gone in [session(NOW.seconds()), "x".to_string()] {
        let cookie = format!("__Host-railbird={gone}");
        let headers = [("cookie", &*cookie), ("content-type", "application/json")];
        assert_eq!(edge.ask("POST", "/api/logout", &headers, b"").status, 204);
        assert!(probe.inner.is_empty());
    }
}

#[test]
fn cookies_may_come_in_several_headers() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let ours = format!("__Host-railbird={}", session(u64::MAX));
    let get = |headers: &[(&str, &str)]| code(&edge.ask("GET", "/api/channels", headers, b""));
    assert_eq!(get(&[("cookie", "a=b"), ("cookie", &ours)]), "no-event");
    assert_eq!(get(&[("cookie", &format!("a=b;{ours};c"))]), "no-event");
    for other in ["__Host-railbirdx", "railbird", "__host-railbird", "x__Host-railbird"] {
        assert_eq!(get(&[("cookie", &ours.replace("__Host-railbird", other))]), "no-session", "{other}");
    }
}

#[test]
fn a_cell_that_cannot_be_read_counts_as_absent() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let put = |table, key: &str| {
        let cell = Cell { table, key: key.to_string() };
        ready(probe.inner.put(&cell, b"{\"of\":\"another version\"}".to_vec(), None)).unwrap();
    };
    put(Table::Event, "event");
    put(Table::Channel, "table-1");
    put(Table::Replays, "table-1");
    put(Table::Score, "table-1");
    put(Table::Pass, PassId::of_email("viewer@railbird.test").unwrap().as_str());
    assert_eq!(code(&edge.get("/api/channels")), "no-event");
    assert_eq!(code(&edge.get("/live/table-1/main.m3u8")), "no-such-channel");
    assert_eq!(code(&edge.login("right")), "bad-login");
    assert_eq!(edge.push("/origin/v1/channels/table-1/replays", &replays(1, 1)).status, 204);
    assert_eq!(code(&edge.get("/live/table-1/score.json?after=1")), "no-score");
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])).status, 204);
    assert_eq!(edge.get("/live/table-1/main.m3u8").status, 200);
}

#[test]
fn cells_are_addressed_with_characters_of_identifiers() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push("/admin/v1/passes", &pass("right", NOW.plus_ms(90_000)));
    edge.login("right");
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    edge.push("/origin/v1/event", &json!({"event": "e", "title": "", "revision": 1, "channels": []}));
    edge.get("/live/table-1/score.json");
    edge.tell(1, "all", &report("https://a.test", 200));
    edge.push("/origin/v1/channels/table-1/replays", &replays(1, 2));
    edge.push("/origin/v1/channels/table-1/replays/r-1/0", &chapter(0, 30));
    edge.get("/replay/table-1/r-1/a/source.m3u8");
    edge.push("/origin/v1/channels/table-1/matches/m-1", &scores::some_match("m-1"));
    let cells = probe.cells.borrow();
    let tables = [Table::Event, Table::Channel, Table::Score, Table::Pass, Table::Holder, Table::Health];
    let tables = tables.into_iter().chain([Table::Limit]);
    for table in tables.into_iter().chain([Table::Replays, Table::Chapter, Table::Match]) {
        assert!(cells.iter().any(|cell| cell.table == table), "{table:?} was not asked for");
    }
    for cell in cells.iter() {
        let plain = cell.key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        assert!(plain && (1..=64).contains(&cell.key.len()), "{cell:?}");
    }
}

#[test]
fn a_recording_that_the_origin_drops_leaves_the_store() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let list = "/origin/v1/channels/table-1/replays";
    edge.push(list, &replays(1, 40));
    for n in 0..40_u64 {
        edge.push(&format!("{list}/r-1/{n}"), &chapter(n * 30, 30));
    }
    // The list, forty chapters, and that the channel is known.
    assert_eq!((probe.inner.len(), edge.get("/replay/table-1/r-1/a/source.m3u8").status), (42, 200));
    let mut none = replays(2, 0);
    none["replays"] = json!([]);
    assert_eq!(edge.push(list, &none).status, 204);
    assert_eq!(code(&edge.get("/replay/table-1/r-1/main.m3u8")), "no-such-replay");
    probe.inner.expire(NOW);
    assert_eq!(probe.inner.len(), 2);
}

#[test]
fn a_recording_ends_only_when_its_chapters_are_all_there() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let list = "/origin/v1/channels/table-1/replays";
    let path = "/replay/table-1/r-1/a/source.m3u8";
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    edge.push(list, &replays(1, 20));
    assert_eq!(code(&edge.get(path)), "not-started");
    let text = || String::from_utf8(edge.get(path).body).unwrap();
    for n in (0..20).filter(|n| *n != 17) {
        edge.push(&format!("{list}/r-1/{n}"), &chapter(n * 30, 30));
    }
    assert_eq!(text().matches("#EXTINF").count(), 17 * 30, "nothing before what is in front of it");
    assert!(text().contains("#EXT-X-PLAYLIST-TYPE:EVENT") && !text().contains("ENDLIST"));
    edge.push(&format!("{list}/r-1/17"), &chapter(17 * 30, 30));
    assert_eq!(text().matches("#EXTINF").count(), 600);
    assert!(text().contains("#EXT-X-PLAYLIST-TYPE:VOD") && text().ends_with("#EXT-X-ENDLIST\n"));
    assert!(!text().contains("#EXT-X-DISCONTINUITY\n"), "chapters follow one another");
    assert!(text().contains("URI=\"../../../../key/table-1/"));
}

#[test]
fn keys_of_recordings_are_given_out_and_of_nothing_between() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let key = |period: u64| edge.get(&format!("/key/table-1/{period}")).status;
    let present = keys::period(NOW.media(), PERIOD_S as u32);
    edge.push("/origin/v1/channels/table-1/state", &state("ended", &[present - 50]));
    // Five minutes.
    edge.push("/origin/v1/channels/table-1/replays", &replays(1, 5));
    let given: Vec<bool> = (present - 3..present + 9).map(|period| key(period) == 200).collect();
    let expected: Vec<bool> = (-3..9).map(|n| (-1..=6).contains(&n)).collect();
    assert_eq!(given, expected);
}

#[test]
fn what_viewers_find_of_a_node_counts_in_their_region() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    let mut two = state("live", &[1]);
    two["nodes"] = json!([
        {"id": "a", "url": "https://a.test", "up": true}, {"id": "b", "url": "https://b.test", "up": true},
    ]);
    two["renditions"][0]["segments"][0]["on"] = json!(3);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &two).status, 204);
    // Of each region: the first node for each viewer, whether a is up, and where pathway a leads them.
    let seen = |edge: &Fixture<'_>, region: &str| {
        let viewer = |n: u8| {
            let nodes = body(&edge.ask_from(n, region, "GET", "/live/table-1/nodes.json", ""));
            assert_eq!(nodes["ttl_ms"], 10_000);
            let list = nodes["nodes"].as_array().unwrap();
            let a = list.iter().find(|node| node["id"] == "a").unwrap();
            let text = edge.ask_from(n, region, "GET", "/live/table-1/a/source.m3u8", "").body;
            let at_a = String::from_utf8(text).unwrap().contains("https://a.test/table-1/source/");
            let main = String::from_utf8(edge.ask_from(n, region, "GET", "/live/table-1/main.m3u8", "").body)
                .unwrap();
            let first = list[0]["id"].as_str().unwrap();
            assert!(main.contains(&format!("PATHWAY-ID=\"{first}\"\n#EXT-X-STREAM-INF")), "{main}");
            let steering = body(&edge.ask_from(n, region, "GET", "/steer/table-1", ""));
            assert_eq!(steering["PATHWAY-PRIORITY"][0], first);
            (first == "a", a["up"] == true, at_a)
        };
        let all: Vec<_> = (0..100).map(viewer).collect();
        let count = |is: fn(&(bool, bool, bool)) -> bool| all.iter().filter(|seen| is(seen)).count();
        (count(|seen| seen.0), count(|seen| seen.1), count(|seen| seen.2))
    };
    let (first, 100, 100) = seen(&edge, "EU") else { panic!("all is well") };
    assert!((30..70).contains(&first));
    let failed = report("https://a.test", 0) + &report("https://b.test", 200);
    for later in [0, 2_000] {
        edge.now = NOW.plus_ms(later);
        for n in 0..4 {
            assert_eq!(edge.tell(n, "EU", &failed).status, 204);
        }
    }
    assert_eq!(seen(&edge, "eu"), (0, 0, 0), "nobody in Europe");
    assert_eq!(seen(&edge, "AS"), (first, 100, 100), "everybody in Asia");
    // It comes back by time, where nobody says anything: to few, to more, to all.
    let mut before = 0;
    for (later, most) in [(14_000, 10), (20_000, 20), (26_000, 45), (34_000, 100)] {
        edge.now = NOW.plus_ms(later);
        let (back, up, at_a) = seen(&edge, "EU");
        assert!(
            before <= at_a && at_a <= most && back <= first && up == 100,
            "{later}: {back}, {up}, {at_a}"
        );
        before = at_a;
    }
    assert_eq!(before, 100);
}

#[test]
fn a_beacon_is_answered_204_unless_it_is_none() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(code(&edge.tell(1, "EU", "")), "no-such-channel");
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    let kept = probe.inner.len();
    for nothing in ["", "\n\n", "x", &report("https://a.test.evil", 0), &"\u{1f3b1}".repeat(4096)] {
        assert_eq!(edge.tell(1, "EU", nothing).status, 204, "{nothing}");
    }
    assert_eq!(probe.inner.len(), kept, "what says nothing is not kept");
    assert_eq!(code(&edge.tell(1, "EU", &"x".repeat(16_385))), "too-large");
    assert_eq!(edge.tell(1, "EU", &report("https://a.test", 200)).status, 204);
    assert_eq!(probe.inner.len(), kept + 1);
    // What one has said once is not written again in that window.
    probe.cells.borrow_mut().clear();
    edge.tell(1, "EU", &report("https://a.test", 200));
    let asked = probe.cells.borrow().iter().filter(|cell| cell.table == Table::Health).count();
    assert_eq!(asked, 1, "it is read and not changed");
    probe.inner.expire(NOW.plus_ms(3_600_000));
    assert_eq!(probe.inner.len(), kept, "an hour without a word");
}
