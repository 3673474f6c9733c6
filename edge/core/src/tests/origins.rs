//! Origins whose pushes are lost: when they are asked, what is taken of them, and what a reader waits for.

use super::*;
use crate::turn::SPREAD_MS;

const NORTH: &str = "https://north.test";
const SOUTH: &str = "https://south.test:8443";
const EVENT: &str = "/origin/v1/event";
const STATE: &str = "/origin/v1/channels/table-1/state";
const SCORE: &str = "/origin/v1/channels/table-1/score";
const MAIN: &str = "/live/table-1/main.m3u8";
const MEDIA: &str = "/live/table-1/a/source.m3u8";

/// What an origin answers: what it would have pushed to this path, signed at this moment.
fn document(path: &str, body: &Value, at: UtcMs, secret: &str) -> Fetched {
    let body = body.to_string().into_bytes();
    let signature = sign::sign(secret.as_bytes(), "PUT", path, &body, at, [3; 16]);
    Fetched { status: 200, headers: vec![(sign::HEADER.into(), signature)], body, is_cut: false }
}

const SECRET: &str = "origin_secret of the test";

fn event() -> Value {
    json!({"event": "open", "title": "Open", "revision": 1, "channels": [{"id": "table-1", "title": "Table 1"}]})
}

/// The state at a moment, whose newest segment is that moment's.
fn state_at(now: UtcMs) -> Value {
    let mut state = state("live", &[]);
    let newest = now.0 / 2000;
    let segment = |n: u64| json!({"start": UtcMs(n * 2000).media(), "duration": 180_000, "on": 1});
    (state["revision"], state["updated"]) = (json!(now), json!(now));
    state["renditions"][0]["segments"] = (newest - 5..=newest).map(segment).collect();
    state
}

fn followed(probe: &Probe) -> Fixture<'_> {
    Fixture::with(probe, &[("origin_urls", "https://north.test https://south.test:8443")])
}

impl Fixture<'_> {
    fn watch(&self, path: &str) -> Response {
        let cookie = format!("__Host-railbird={}", session(u64::MAX));
        self.ask("GET", path, &[("cookie", &cookie)], b"")
    }

    /// The segments of a playlist: where each starts.
    fn listed(&self) -> String {
        let text = String::from_utf8(self.watch(MEDIA).body).unwrap();
        text.lines().filter(|line| line.starts_with("https://")).collect::<Vec<_>>().join("\n")
    }
}

fn urls(probe: &Probe) -> Vec<String> {
    let mut urls: Vec<String> = probe.inner.asked().into_iter().map(|(url, _)| url).collect();
    urls.sort_unstable();
    urls
}

#[test]
fn an_origin_that_is_heard_is_not_asked() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    for _ in 0..50 {
        assert_eq!(edge.push(STATE, &state_at(edge.now)).status, 204);
        assert_eq!((edge.watch(MAIN).status, edge.watch(MEDIA).status), (200, 200));
        edge.now = edge.now.plus_ms(2_000);
    }
    assert_eq!(probe.inner.asked(), []);
}

#[test]
fn where_pushes_are_lost_a_playlist_follows_the_origin_all_the_same() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    let mut texts = Vec::new();
    for n in 0..60 {
        let said = state_at(edge.now);
        probe.inner.answer(&format!("{NORTH}{EVENT}"), Ok(document(EVENT, &event(), edge.now, SECRET)));
        probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(document(STATE, &said, edge.now, SECRET)));
        let listed = edge.listed();
        let newest = format!("/{}-0.m4s", edge.now.0 / 2000);
        // At first nothing is known; then it is asked for as soon as three segments did not come.
        assert!(n % 4 != 0 || listed.contains(&newest), "{n}: {newest}\n{listed}");
        texts.push(listed);
        edge.now = edge.now.plus_ms(2_000);
    }
    texts.dedup();
    assert!(texts.len() >= 15, "{}", texts.len());
}

#[test]
fn of_many_readers_one_asks_and_the_others_get_what_there_is() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    edge.push(STATE, &state_at(edge.now));
    edge.now = edge.now.plus_ms(6_000 + SPREAD_MS);
    let old = edge.now;
    for _ in 0..100 {
        assert_eq!(edge.watch(MEDIA).status, 200);
    }
    let all: Vec<String> = [NORTH, SOUTH]
        .iter()
        .flat_map(|base| [SCORE, STATE, EVENT].map(|path| format!("{base}{path}")))
        .collect();
    assert_eq!(urls(&probe), all);
    // Nobody answered: it takes longer each time until they are asked again.
    let (mut pauses, mut before) = (Vec::new(), old);
    while edge.now < old.plus_ms(200_000) {
        edge.now = edge.now.plus_ms(1_000);
        assert_eq!(edge.watch(MEDIA).status, 200, "a failing origin costs no viewer anything");
        if !urls(&probe).is_empty() {
            pauses.push(edge.now.ms_since(before));
            before = edge.now;
        }
    }
    let least = [4_000, 8_000, 16_000].into_iter().chain(core::iter::repeat(32_000));
    assert!(pauses.len() >= 6);
    assert!(
        pauses.iter().zip(least).all(|(pause, least)| (least..=least + SPREAD_MS).contains(pause)),
        "{pauses:?}"
    );
    // One that answers is asked as often as at first.
    let mut asked = 0;
    for _ in 0..40 {
        probe.inner.answer(&format!("{SOUTH}{STATE}"), Ok(document(STATE, &state_at(old), edge.now, SECRET)));
        edge.now = edge.now.plus_ms(2_000);
        edge.watch(MEDIA);
        asked += usize::from(!urls(&probe).is_empty());
    }
    assert!(asked >= 5, "{asked}");
}

#[test]
fn an_origin_is_asked_by_a_signed_request_and_only_what_it_signed_is_taken() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    edge.push(STATE, &state_at(edge.now));
    let before = edge.listed();
    let later = edge.now.plus_ms(10_000);
    let said = state_at(later);
    let good = document(STATE, &said, later, SECRET);
    let mut changed = good.clone();
    changed.body = state_at(later.plus_ms(2_000)).to_string().into_bytes();
    let bad = [
        Fetched { headers: Vec::new(), ..good.clone() },
        document(STATE, &said, later, "the secret of another one"),
        document(STATE, &said, later.plus_ms(61_000), SECRET),
        document("/origin/v1/channels/table-2/state", &said, later, SECRET),
        Fetched { is_cut: true, ..good.clone() },
        Fetched { status: 500, ..good.clone() },
        Fetched { status: 301, ..good.clone() },
        changed,
    ];
    for wrong in bad {
        let probe = Probe::default();
        let mut edge = followed(&probe);
        edge.push(EVENT, &event());
        edge.push(STATE, &state_at(edge.now));
        probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(wrong.clone()));
        edge.now = later;
        assert_eq!(edge.listed(), before, "{wrong:?}");
    }
    probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(good));
    edge.now = later;
    assert_ne!(edge.listed(), before);
    for (url, headers) in probe.inner.asked() {
        let path = url.strip_prefix(NORTH).or(url.strip_prefix(SOUTH)).unwrap();
        let [(name, signature)] = &headers[..] else { panic!("{headers:?}") };
        assert_eq!(*name, sign::HEADER);
        sign::verify(SECRET.as_bytes(), "GET", path, b"", later, signature).unwrap();
    }
}

#[test]
fn nobody_asks_for_what_the_event_does_not_have_or_for_what_is_over() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    for n in 0..20 {
        assert_eq!(edge.watch(&format!("/live/made-up-{n}/main.m3u8")).status, 404);
    }
    assert_eq!(probe.inner.asked(), []);
    let mut over = state_at(edge.now);
    over["phase"] = json!("ended");
    edge.push(STATE, &over);
    edge.now = edge.now.plus_ms(3_600_000);
    assert_eq!(edge.watch(MAIN).status, 200);
    assert_eq!(probe.inner.asked(), []);
    // Nobody listed any.
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    edge.push(STATE, &state_at(edge.now));
    edge.now = edge.now.plus_ms(60_000);
    assert_eq!(edge.watch(MAIN).status, 200);
    assert_eq!(
        (probe.inner.asked(), probe.cells.borrow().iter().any(|c| c.table == Table::Turn)),
        (vec![], false)
    );
}

#[test]
fn a_list_of_channels_asks_for_the_event_and_for_one_channel_at_a_time() {
    let probe = Probe::default();
    let edge = followed(&probe);
    assert_eq!(edge.watch("/api/channels").status, 404);
    assert_eq!(urls(&probe), [format!("{NORTH}{EVENT}"), format!("{SOUTH}{EVENT}")]);
    let probe = Probe::default();
    let edge = followed(&probe);
    let mut two = event();
    two["channels"] = json!([{"id": "table-1", "title": "1"}, {"id": "table-2", "title": "2"}]);
    probe.inner.answer(&format!("{SOUTH}{EVENT}"), Ok(document(EVENT, &two, NOW, SECRET)));
    probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(document(STATE, &state_at(NOW), NOW, SECRET)));
    let list = body(&edge.watch("/api/channels"));
    assert_eq!(
        (&list["channels"][0]["phase"], &list["channels"][1]["phase"]),
        (&json!("live"), &json!("waiting"))
    );
    assert!(urls(&probe).iter().all(|url| !url.contains("table-2")));
    edge.watch("/api/channels");
    assert!(urls(&probe).iter().any(|url| url.contains("table-2")), "its turn comes");
}

#[test]
fn where_nobody_can_say_whose_turn_it_is_readers_get_what_there_is() {
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    edge.push(STATE, &state_at(edge.now));
    let before = edge.listed();
    probe.failing_table.set(Some(Table::Turn));
    edge.now = edge.now.plus_ms(60_000);
    for path in [MAIN, MEDIA, "/api/channels"] {
        assert_eq!(edge.watch(path).status, 200, "{path}");
    }
    assert_eq!((edge.listed(), probe.inner.asked()), (before, vec![]));
    assert!(probe.cells.borrow().iter().any(|cell| cell.table == Table::Turn));
}

#[test]
fn a_channel_that_was_announced_in_a_push_that_was_lost_is_found_all_the_same() {
    let mut two = event();
    (two["revision"], two["channels"]) =
        (json!(2), json!([{"id": "table-1", "title": "1"}, {"id": "table-2", "title": "2"}]));
    let announced =
        |edge: &Fixture<'_>| body(&edge.watch("/api/channels"))["channels"].as_array().unwrap().len();
    // Whoever asks for a channel that is not heard asks for the event, too.
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    edge.push(STATE, &state_at(edge.now));
    edge.now = edge.now.plus_ms(6_000 + SPREAD_MS);
    probe.inner.answer(&format!("{SOUTH}{EVENT}"), Ok(document(EVENT, &two, edge.now, SECRET)));
    edge.watch(MEDIA);
    assert_eq!(announced(&edge), 2);
    // Where all that was known is over, whoever lists channels does, when nothing was heard for half a minute.
    let probe = Probe::default();
    let mut edge = followed(&probe);
    edge.push(EVENT, &event());
    let mut over = state_at(edge.now);
    over["phase"] = json!("ended");
    edge.push(STATE, &over);
    edge.now = edge.now.plus_ms(30_000);
    probe.inner.answer(&format!("{SOUTH}{EVENT}"), Ok(document(EVENT, &two, edge.now, SECRET)));
    assert_eq!((announced(&edge), urls(&probe)), (1, vec![]));
    edge.now = edge.now.plus_ms(SPREAD_MS);
    assert_eq!(announced(&edge), 2);
    let asked = urls(&probe);
    assert!(asked.iter().any(|url| url.contains("table-2")), "the new one is asked for at once: {asked:?}");
    assert!(asked.iter().all(|url| !url.contains("table-1")), "the other one is over: {asked:?}");
    for _ in 0..20 {
        announced(&edge);
    }
    assert_eq!(urls(&probe), Vec::<String>::new(), "nobody asks again so soon");
}

/// What an origin answers whose clock reads this, to the question for the state that it was asked last.
fn told(probe: &Probe, secret: &str, theirs: UtcMs) -> Fetched {
    let asked = probe.inner.asked();
    let (_, headers) = asked.iter().find(|(url, _)| *url == format!("{NORTH}{STATE}")).unwrap();
    let told = sign::tell_clock(secret.as_bytes(), &headers[0].1, theirs);
    Fetched { status: 401, headers: vec![(sign::CLOCK_HEADER.into(), told)], ..Fetched::default() }
}

#[test]
fn an_origin_with_another_clock_is_named_and_asked_by_its_clock() {
    let hour = 3_600_000;
    let probe = Probe::default();
    let mut edge = followed(&probe);
    let healthz = |edge: &Fixture<'_>| body(&edge.ask("GET", "/healthz", &[], b""));
    edge.push(EVENT, &event());
    edge.push(STATE, &state_at(edge.now));
    let later = |edge: &mut Fixture<'_>| {
        edge.now = edge.now.plus_ms(40_000);
        edge.listed()
    };
    let before = later(&mut edge);
    // Whoever has not the secret tells nothing.
    let theirs = edge.now.plus_ms(40_000 + hour);
    probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(told(&probe, "another one", theirs)));
    assert_eq!((later(&mut edge), healthz(&edge)), (before.clone(), json!({"status": "ok"})));
    // The origin is heard, and named.
    let theirs = edge.now.plus_ms(40_000 + hour);
    probe.inner.answer(&format!("{NORTH}{STATE}"), Ok(told(&probe, SECRET, theirs)));
    assert_eq!(later(&mut edge), before);
    let warning =
        "the clock of number 1 in origin_urls is 3600 s ahead of this edge's: set the one that is wrong";
    assert_eq!(healthz(&edge), json!({"status": "ok", "warnings": [warning]}));
    // From then on it is asked by its clock, and what it signs by that is taken; what it signed long ago is not.
    let said = state_at(edge.now);
    probe.inner.asked();
    let theirs = edge.now.plus_ms(40_000 + hour);
    let signed = |at| Ok(document(STATE, &said, at, SECRET));
    probe.inner.answer(&format!("{NORTH}{STATE}"), signed(edge.now.plus_ms(40_000)));
    assert_eq!(later(&mut edge), before);
    let asked = probe.inner.asked();
    let (_, headers) = asked.iter().find(|(url, _)| *url == format!("{NORTH}{STATE}")).unwrap();
    sign::verify(SECRET.as_bytes(), "GET", STATE, b"", theirs, &headers[0].1).unwrap();
    let (_, headers) = asked.iter().find(|(url, _)| *url == format!("{SOUTH}{STATE}")).unwrap();
    sign::verify(SECRET.as_bytes(), "GET", STATE, b"", edge.now, &headers[0].1).unwrap();
    probe.inner.answer(&format!("{NORTH}{STATE}"), signed(edge.now.plus_ms(40_000 + hour)));
    assert_ne!(later(&mut edge), before);
    // It counts as heard now, by the edge's own clock: nobody asks.
    probe.inner.asked();
    edge.listed();
    assert_eq!(probe.inner.asked(), []);
    // A clock that is set right again is told, and named no more.
    edge.now = edge.now.plus_ms(40_000);
    edge.listed();
    let right = Ok(told(&probe, SECRET, edge.now.plus_ms(40_000)));
    probe.inner.answer(&format!("{NORTH}{STATE}"), right);
    later(&mut edge);
    assert_eq!(healthz(&edge), json!({"status": "ok"}));
}
