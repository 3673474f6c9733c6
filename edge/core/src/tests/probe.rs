//! The edge's own look at nodes: what is asked, by whom, and what it comes to.

use super::*;
use crate::health::probe::AGAIN_MS;
use crate::turn::SPREAD_MS;

const STATE: &str = "/origin/v1/channels/table-1/state";
const EVENT: &str = "/origin/v1/event";

/// A state with nodes of these names, all well for the origin; the last two segments are at the first one only.
fn state_on(nodes: &[&str], now: UtcMs) -> Value {
    let all = (1_u32 << nodes.len()) - 1;
    let mut state = state("live", &[]);
    (state["revision"], state["updated"]) = (json!(now), json!(now));
    let node = |id: &&str| json!({"id": id, "url": format!("https://{id}.test"), "up": true});
    state["nodes"] = nodes.iter().map(node).collect();
    let newest = NOW.0 / 2000;
    let on = |n| if n + 2 > newest { 1 } else { all };
    let segment = |n: u64| json!({"start": UtcMs(n * 2000).media(), "duration": 180_000, "on": on(n)});
    state["renditions"][0]["segments"] = (newest - 5..=newest).map(segment).collect();
    state
}

/// The newest object that a node has of these.
fn object(id: &str, back: u64) -> String {
    format!("https://{id}.test/table-1/source/{}-0.m4s", NOW.0 / 2000 - back)
}

fn served(status: u16) -> Result<Fetched, FetchError> {
    Ok(Fetched { status, body: vec![0; 1024], ..Fetched::default() })
}

fn event() -> Value {
    json!({"event": "open", "title": "Open", "revision": 1, "channels": [{"id": "table-1", "title": "Table 1"}]})
}

fn begun<'a>(probe: &'a Probe, every_s: &str) -> Fixture<'a> {
    let edge = Fixture::with(probe, &[("probe_every_s", every_s)]);
    edge.push(EVENT, &event());
    assert_eq!(edge.push(STATE, &state_on(&["a", "b"], NOW)).status, 204);
    edge
}

impl Fixture<'_> {
    fn probe(&self, region: &str) -> Option<u64> {
        ready(self.edge.probe(region, &Moment { now: self.now, entropy: [7; 32] }))
    }

    /// Which nodes are believed in, by id.
    fn up(&self, region: &str) -> Vec<(String, bool)> {
        let nodes = body(&self.ask_from(1, region, "GET", "/live/table-1/nodes.json", ""));
        let nodes = nodes["nodes"].as_array().unwrap().iter();
        let mut nodes: Vec<_> =
            nodes.map(|n| (n["id"].as_str().unwrap().into(), n["up"].as_bool().unwrap())).collect();
        nodes.sort();
        nodes
    }
}

#[test]
fn it_asks_each_node_for_a_piece_of_the_newest_object_that_it_has() {
    let probe = Probe::default();
    let edge = begun(&probe, "10");
    probe.inner.answer(&object("a", 0), served(206));
    probe.inner.answer(&object("b", 2), served(200));
    assert_eq!(edge.probe("eu"), Some(10_000));
    let mut asked = probe.inner.asked();
    asked.sort();
    let range = vec![("range", "bytes=0-1023".to_string())];
    assert_eq!(asked, [(object("a", 0), range.clone()), (object("b", 2), range)]);
    assert!(probe.cells.borrow().iter().all(|cell| cell.table != Table::Turn), "alarms need no turns");
}

#[test]
fn a_node_that_the_edge_finds_dead_is_left_in_that_region_whatever_the_origin_says() {
    for dead in [
        Err(FetchError::NoAnswer("refused".into())),
        served(503),
        served(404),
        Ok(Fetched { status: 200, ..Fetched::default() }),
    ] {
        let probe = Probe::default();
        let mut edge = begun(&probe, "10");
        probe.inner.answer(&object("a", 0), served(206));
        probe.inner.answer(&object("b", 2), dead);
        assert_eq!(edge.probe("eu"), Some(AGAIN_MS), "a failure is looked at again soon");
        for _ in 0..4 {
            edge.now = edge.now.plus_ms(AGAIN_MS);
            edge.push(STATE, &state_on(&["a", "b"], edge.now));
            assert_eq!(edge.probe("eu"), Some(10_000), "what is found need not be found again at once");
        }
        assert_eq!(edge.up("eu"), [("a".into(), true), ("b".into(), false)]);
        assert_eq!(edge.up("as"), [("a".into(), true), ("b".into(), true)]);
        let playlist = edge.ask_from(1, "eu", "GET", "/live/table-1/b/source.m3u8", "");
        assert!(String::from_utf8(playlist.body).unwrap().contains("https://a.test/"));
    }
}

#[test]
fn what_says_nothing_of_a_node_changes_nothing() {
    let refused = [401, 403, 407, 429, 302].map(served);
    for nothing in refused.into_iter().chain([Err(FetchError::NotAllowed)]) {
        let probe = Probe::default();
        let mut edge = begun(&probe, "10");
        probe.inner.answer(&object("a", 0), served(206));
        probe.inner.answer(&object("b", 2), nothing);
        for _ in 0..10 {
            assert_eq!(edge.probe("eu"), Some(10_000));
            edge.now = edge.now.plus_ms(10_000);
        }
        assert!(probe.cells.borrow().iter().all(|cell| cell.table != Table::Health) || edge.up("eu")[1].1);
    }
}

#[test]
fn where_nothing_is_live_or_nobody_wants_it_nothing_is_asked() {
    let probe = Probe::default();
    let edge = begun(&probe, "0");
    assert_eq!(edge.probe("eu"), None);
    edge.tell(1, "eu", "");
    let probe_2 = Probe::default();
    let edge = Fixture::with(&probe_2, &[("probe_every_s", "10")]);
    assert_eq!(edge.probe("eu"), None);
    edge.push(EVENT, &event());
    let mut over = state_on(&["a", "b"], NOW);
    over["phase"] = json!("ended");
    edge.push(STATE, &over);
    assert_eq!(edge.probe("eu"), None);
    assert_eq!((probe.inner.asked(), probe_2.inner.asked()), (vec![], vec![]));
}

#[test]
fn on_a_host_without_alarms_one_request_in_a_while_looks_that_nobody_waits_for() {
    let probe = Probe::default();
    let mut edge = begun(&probe, "10");
    probe.inner.answer(&object("a", 0), served(206));
    probe.inner.answer(&object("b", 2), served(206));
    edge.ask_from(1, "eu", "GET", "/live/table-1/a/source.m3u8", "");
    edge.ask_from(1, "eu", "GET", "/live/table-1/nodes.json", "");
    assert_eq!(probe.inner.asked(), [], "a viewer waits for these");
    for n in 0..20 {
        assert_eq!(edge.tell(n, "eu", "").status, 204);
        assert_eq!(edge.ask_from(n, "eu", "GET", "/steer/table-1", "").status, 200);
    }
    assert_eq!(probe.inner.asked().len(), 2);
    edge.now = edge.now.plus_ms(9_999);
    edge.tell(1, "eu", "");
    assert_eq!(probe.inner.asked(), []);
    edge.now = edge.now.plus_ms(1 + SPREAD_MS);
    probe.inner.answer(&object("b", 2), served(500));
    edge.tell(1, "eu", "");
    assert_eq!(probe.inner.asked().len(), 2);
    edge.now = edge.now.plus_ms(AGAIN_MS + SPREAD_MS);
    edge.tell(1, "eu", "");
    assert_eq!(probe.inner.asked().len(), 2, "a failure is looked at again soon");

    let probe = Probe::default();
    let edge = begun(&probe, "10");
    let edge = Fixture { edge: edge.edge.with_alarms(), now: NOW };
    edge.tell(1, "eu", "");
    assert_eq!(probe.inner.asked(), [], "the host's alarm does it");
}

#[test]
fn of_many_nodes_some_are_asked_at_a_time_and_all_have_their_turn() {
    let probe = Probe::default();
    let mut edge = begun(&probe, "10");
    let names: Vec<String> = (0..20).map(|n| format!("node-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    edge.push(STATE, &state_on(&names, NOW.plus_ms(1)));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..30 {
        edge.probe("eu");
        let asked = probe.inner.asked();
        assert!((1..=6).contains(&asked.len()), "{}", asked.len());
        seen.extend(asked.into_iter().map(|(url, _)| url));
        edge.now = edge.now.plus_ms(AGAIN_MS);
    }
    assert!(seen.len() >= 20, "{}", seen.len());
}
