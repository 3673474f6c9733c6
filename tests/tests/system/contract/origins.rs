//! Two origins of one channel.

use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, Session, now};
use super::fixture;
use super::live::{playlist, uris};

const STATE: &str = "/origin/v1/channels/table-4/state";
const MEDIA: &str = "/live/table-4/a/source.m3u8";

/// What an origin says of these segments.
fn state(origin: &str, revision: u64, numbers: core::ops::Range<u64>) -> Value {
    let mut state = fixture::chapter("table-4", &format!("{origin}-1"), revision, numbers);
    state["origin"] = json!(origin);
    state["updated"] = json!(now());
    state
}

/// The first media sequence number and the names of the segments.
fn listed(text: &str) -> (u64, Vec<String>) {
    let (_, rest) = text.split_once("#EXT-X-MEDIA-SEQUENCE:").unwrap();
    let names = uris(text).into_iter().map(|uri| uri.rsplit_once('/').unwrap().1.to_string());
    (rest.lines().next().unwrap().parse().unwrap(), names.collect())
}

/// Whoever speaks, numbers go on and nothing is discontinuous.
pub(crate) async fn one_takes_over_from_the_other<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let base = now().0 / u64::from(fixture::SEGMENT_MS) - 100;
    let revision = now().0;
    let mut north = state("north", revision, base..base + 10);
    north["renditions"][0]["first_msn"] = json!(500);
    edge.push(STATE, &north).await.status(204);
    let before = listed(&playlist(&edge.get(MEDIA, session).await));
    assert_eq!((before.0, before.1.len()), (500, 10));

    // The other one counts in its own way, lists nodes in its own order, and is two segments ahead.
    let mut south = state("south", 7, base + 2..base + 12);
    south["nodes"].as_array_mut().unwrap().reverse();
    south["renditions"][0]["first_msn"] = json!(9);
    edge.push(STATE, &south).await.status(204);
    let text = playlist(&edge.get(MEDIA, session).await);
    let after = listed(&text);
    assert_eq!((after.0, after.1.len()), (502, 10));
    assert_eq!(before.1[2..], after.1[..8], "what a viewer has stays where it is");
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");

    // Late and doubled pushes change nothing.
    for stale in [&north, &south] {
        edge.push(STATE, stale).await.status(200);
    }
    assert_eq!(playlist(&edge.get(MEDIA, session).await), text);
    // Origins that cut differently can't share a channel.
    let mut other = state("south", 8, base + 2..base + 12);
    other["segment_ms"] = json!(4000);
    edge.push(STATE, &other).await.error(409, "origins-differ");
}

/// A node with a weight of 0 is up, and comes last for everyone.
pub(crate) async fn a_drained_node_comes_last<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let base = now().0 / u64::from(fixture::SEGMENT_MS) - 90;
    let mut drained = state("north", now().0 + 1, base..base + 10);
    drained["nodes"][0]["weight"] = json!(0);
    edge.push(STATE, &drained).await.status(204);
    for viewer in [session, &super::ask::session(&["*"]), &super::ask::session(&["table-4"])] {
        let main = playlist(&edge.get("/live/table-4/main.m3u8", viewer).await);
        assert_eq!(uris(&main), ["b/source.m3u8", "a/source.m3u8"]);
    }
    let text = playlist(&edge.get(MEDIA, session).await);
    // One segment may be nowhere.
    let elsewhere = uris(&text).iter().filter(|uri| uri.starts_with(fixture::NODE_B)).count();
    assert!(elsewhere >= 9, "its own pathway leads elsewhere: {text}");
}
