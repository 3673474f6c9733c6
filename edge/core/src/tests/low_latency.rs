//! Blocking playlist reload, in virtual time.

use alloc::rc::Rc;

use railbird_core::session::WAITS_MAX;

use super::*;
use crate::change::Kind;
use crate::instance;

/// Where the playlist of these tests lies.
pub(super) const PLAYLIST: &str = "/live/table-1/a/source.m3u8";

/// Two segments, numbers 0 and 1, and so many parts of 500 ms of the next.
pub(super) fn state_with(parts: u64, revision: u64) -> Value {
    let start = |segment: u64| NOW.plus_ms(2000 * segment).media();
    let segment = |n| json!({"start": start(n), "duration": 180_000, "on": 1});
    let part = |n: u64| {
        let at = NOW.plus_ms(4000 + 500 * n).media();
        json!({"of": start(2), "start": at, "duration": 45_000, "independent": n == 0, "on": 1})
    };
    let mut state = state("live", &[]);
    state["part_ms"] = json!(500);
    state["revision"] = json!(NOW.0 + revision);
    state["renditions"][0]["segments"] = (0..2).map(segment).collect();
    state["renditions"][0]["parts"] = (0..parts).map(part).collect();
    state
}

pub(super) fn later(state: &Value) -> (Cell, Change) {
    let cell = Cell { table: Table::Channel, key: "table-1".into() };
    (cell, Change { kind: Kind::State, said: state.to_string().into_bytes() })
}

fn with_state(probe: &Probe, parts: u64) -> Fixture<'_> {
    let edge = Fixture::new(probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state_with(parts, 0)).status, 204);
    probe.cells.borrow_mut().clear();
    edge
}

fn parts_in(response: &Response) -> usize {
    assert_eq!(response.status, 200);
    String::from_utf8_lossy(&response.body).matches("#EXT-X-PART:").count()
}

pub(super) fn reads(probe: &Probe) -> usize {
    probe.cells.borrow().iter().filter(|cell| cell.table == Table::Channel).count()
}

#[test]
fn what_is_there_is_answered_at_once() {
    let probe = Probe::default();
    let edge = with_state(&probe, 2);
    for query in [
        "",
        "?_HLS_msn=0",
        "?_HLS_msn=1",
        "?_HLS_msn=1&_HLS_part=3",
        "?_HLS_msn=2&_HLS_part=1",
        "?_HLS_skip=YES",
    ] {
        assert_eq!(parts_in(&edge.get(&format!("{PLAYLIST}{query}"))), 2, "{query}");
    }
    assert!(probe.paused.borrow().is_empty());
}

#[test]
fn what_comes_is_waited_for_and_answered_when_it_is_there() {
    let probe = Probe::default();
    let edge = with_state(&probe, 0);
    // The same again in between tells nothing.
    *probe.meanwhile.borrow_mut() = vec![
        later(&state_with(3, 4)),
        later(&state_with(2, 3)),
        later(&state_with(1, 2)),
        later(&state_with(1, 1)),
    ];
    assert_eq!(parts_in(&edge.get(&format!("{PLAYLIST}?_HLS_msn=2&_HLS_part=1"))), 2);
    assert_eq!(probe.paused.borrow().as_slice(), [166; 3]);
    assert_eq!(probe.meanwhile.borrow().len(), 1, "it is not kept waiting any longer");
}

#[test]
fn a_wait_for_what_never_comes_ends_with_the_newest_there_is() {
    let probe = Probe::default();
    let edge = with_state(&probe, 0);
    *probe.meanwhile.borrow_mut() = vec![later(&state_with(1, 1))];
    assert_eq!(parts_in(&edge.get(&format!("{PLAYLIST}?_HLS_msn=3"))), 1);
    // Two target durations of 2 s, a third of a part each: no viewer costs more reads.
    assert_eq!(probe.paused.borrow().len(), 24);
    assert_eq!(probe.paused.borrow().iter().sum::<u64>(), 3984);
    assert_eq!(reads(&probe), 25);
}

#[test]
fn a_channel_that_has_ended_is_not_waited_for() {
    let probe = Probe::default();
    let edge = with_state(&probe, 1);
    let mut ended = state_with(1, 1);
    ended["phase"] = json!("ended");
    *probe.meanwhile.borrow_mut() = vec![later(&ended)];
    assert_eq!(parts_in(&edge.get(&format!("{PLAYLIST}?_HLS_msn=2"))), 0);
    assert_eq!(probe.paused.borrow().len(), 1);
}

#[test]
fn what_is_too_far_ahead_or_no_number_is_refused() {
    let probe = Probe::default();
    let edge = with_state(&probe, 1);
    for query in [
        "_HLS_msn=4",
        "_HLS_msn=18446744073709551615",
        "_HLS_msn=2&_HLS_part=7",
        "_HLS_part=0",
        "_HLS_msn=",
        "_HLS_msn=02",
        "_HLS_msn=-1",
        "_HLS_msn=99999999999999999999",
        "_HLS_msn=2&_HLS_part=x",
    ] {
        let refused = edge.get(&format!("{PLAYLIST}?{query}"));
        assert_eq!((refused.status, &*code(&refused)), (400, "bad-request"), "{query}");
    }
    assert!(probe.paused.borrow().is_empty());
}

#[test]
fn another_channel_waits_for_nothing() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])).status, 204);
    let plain = edge.get(PLAYLIST);
    for query in ["_HLS_msn=99", "_HLS_part=1", "_HLS_skip=YES", "_HLS_msn=x"] {
        assert_eq!(edge.get(&format!("{PLAYLIST}?{query}")), plain, "{query}");
    }
    let text = String::from_utf8(plain.body).unwrap();
    assert!(!text.contains("BLOCK") && !text.contains("PART"), "{text}");
}

#[test]
fn who_has_seen_a_playlist_may_be_told_what_is_new() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let mut long = state("live", &[1]);
    let node = |id: &str, up: bool| json!({"id": id, "url": format!("https://{id}.test"), "up": up});
    long["nodes"] = json!([node("a", true), node("b", true)]);
    let segment = |n: u64| json!({"start": NOW.plus_ms(2000 * n).media(), "duration": 180_000, "on": 3});
    long["renditions"][0]["segments"] = (0..20).map(segment).collect();
    let push = |state: &Value| assert_eq!(edge.push("/origin/v1/channels/table-1/state", state).status, 204);
    push(&long);
    let skipped = |query: &str| {
        let text = String::from_utf8(edge.get(&format!("{PLAYLIST}{query}")).body).unwrap();
        text.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=")
            .map(|(_, rest)| rest.lines().next().unwrap().to_string())
    };
    for query in ["?_HLS_skip=YES", "?_HLS_skip=v2", "?a=b&_HLS_skip=YES"] {
        assert_eq!(skipped(query).as_deref(), Some("14"), "{query}");
    }
    for query in ["", "?_HLS_skip=NO", "?_HLS_skip"] {
        assert_eq!(skipped(query), None, "{query}");
    }
    // What a player has seen may lead to a node that has failed since.
    let mut failed = long.clone();
    failed["revision"] = json!(NOW.0 + 1);
    failed["nodes"][1] = node("b", false);
    push(&failed);
    assert_eq!(skipped("?_HLS_skip=YES"), None);
}

#[test]
fn where_the_store_fails_meanwhile_the_answer_is_the_newest_state_there_is() {
    let probe = Probe::default();
    let edge = with_state(&probe, 1);
    let known = edge.get(PLAYLIST);
    probe.fails_after_pause.set(true);
    let waited = edge.get(&format!("{PLAYLIST}?_HLS_msn=2"));
    assert!(probe.failing.get(), "it waited");
    assert_eq!((waited.status, waited.body), (200, known.body));
}

#[test]
fn who_waits_often_enough_already_gets_the_newest_there_is_at_once() {
    let probe = Probe::default();
    let known = with_state(&probe, 1).get(PLAYLIST);
    let instance: Rc<Instance> = Rc::default();
    let edge = Edge::new(Ok(settings()), &probe).of_instance(instance.clone());
    let edge = Fixture { edge, now: NOW };
    let asked = format!("{PLAYLIST}?_HLS_msn=2");
    let waits = |session: u8| instance.wait(&[session; 16], NOW, 4_000).unwrap();
    // The session of `get`, and another one.
    let own: Vec<_> = (0..WAITS_MAX).map(|_| waits(9)).collect();
    let other = waits(1);
    assert_eq!(edge.get(&asked), known);
    assert!(probe.paused.borrow().is_empty());
    let foreign = edge.ask_from(1, "eu", "GET", "/live/table-1/a/source.m3u8?_HLS_msn=2", "");
    assert_eq!(parts_in(&foreign), 1);
    assert_eq!(probe.paused.borrow_mut().drain(..).count(), 24, "another one waits");
    drop((own, other));
    assert_eq!(edge.get(&asked), known);
    assert_eq!(probe.paused.borrow_mut().drain(..).count(), 24);
    // Whoever they are, they are so many.
    let all: Vec<_> = (0..=u8::MAX).filter_map(|n| instance.wait(&[n; 16], NOW, 4_000)).collect();
    assert_eq!(all.len(), instance::WAITS_MAX);
    assert_eq!(edge.get(&asked), known);
    assert!(probe.paused.borrow().is_empty());
}
