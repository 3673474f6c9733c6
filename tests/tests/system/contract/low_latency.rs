//! Blocking playlist reload and delta updates of a low-latency channel. Other channels are as they were: every other case
//! is about one.

use futures::future;
use railbird_core::time::MediaSpan;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, Session, now};
use super::fixture;
use super::live::playlist;

const STATE: &str = "/origin/v1/channels/table-6/state";
const MEDIA: &str = "/live/table-6/a/source.m3u8";

/// Twenty segments up to the one of number `base`, and so many parts of the next one, the last of them at node b only.
pub(super) fn state(base: u64, revision: u64, parts: u64) -> Value {
    let mut state = fixture::chapter("table-6", "north-1", revision, base - 19..base + 1);
    let of = fixture::start(base + 1);
    let part = |n: u64| {
        let start = of + MediaSpan::from_ms(500 * n as i64);
        let on = if n + 1 == parts { 2 } else { 3 };
        json!({"of": of, "start": start, "duration": 45_000, "independent": n == 0, "on": on})
    };
    state["part_ms"] = json!(500);
    state["updated"] = json!(now());
    let rendition = &mut state["renditions"][0];
    // A wait for nothing then takes two seconds.
    rendition["target_duration_s"] = json!(1);
    rendition["parts"] = (0..parts).map(part).collect();
    state
}

fn parts(text: &str) -> usize {
    text.matches("#EXT-X-PART:").count()
}

/// What is asked for ahead of time is answered when the origin has pushed it.
pub(crate) async fn blocking_reload<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let (revision, next) = (now().0, base + 1);
    edge.push(STATE, &state(base, revision, 1)).await.status(204);
    let text = playlist(&edge.get(MEDIA, session).await);
    assert!(
        text.contains("CAN-BLOCK-RELOAD=YES") && text.contains("#EXT-X-PART-INF:PART-TARGET=0.500\n"),
        "{text}"
    );
    let name = format!("_parts/table-6/source/{next}-0-0.m4s\",INDEPENDENT=YES\n");
    assert!(
        text.ends_with(&format!("#EXT-X-PART:DURATION=0.50000,URI=\"{}/{name}", fixture::NODE_B)),
        "{text}"
    );

    let first = number_of_first(&text);
    let asked = format!("{MEDIA}?_HLS_msn={}&_HLS_part=1", first + 20);
    let second = state(base, revision + 1, 2);
    let (answer, pushed) = tokio::join!(edge.get(&asked, session), edge.push(STATE, &second));
    pushed.status(204);
    assert_eq!(parts(&playlist(&answer)), 2);

    // What is there is answered at once; what never comes, with the newest there is.
    let there = format!("{MEDIA}?_HLS_msn={}", first + 19);
    assert_eq!(parts(&playlist(&edge.get(&there, session).await)), 2);
    let never = format!("{MEDIA}?_HLS_msn={}&_HLS_part=3", first + 20);
    assert_eq!(parts(&playlist(&edge.get(&never, session).await)), 2);
    for query in [format!("_HLS_msn={}", first + 22), "_HLS_part=1".into(), "_HLS_msn=x".into()] {
        edge.get(&format!("{MEDIA}?{query}"), session).await.error(400, "bad-request");
    }
    // Nobody gets to wait without a session.
    edge.get_plain(&asked).await.error(401, "no-session");
}

/// Who has seen a playlist need not read it again, whatever kind of channel it is of.
pub(crate) async fn delta_updates<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let whole = playlist(&edge.get(MEDIA, session).await);
    let delta = playlist(&edge.get(&format!("{MEDIA}?_HLS_skip=YES"), session).await);
    // Twenty segments of 2 s and two parts of 0.5 s; the boundary is 6 s from the end.
    let (head, rest) =
        delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=17\n").unwrap_or_else(|| panic!("{delta}"));
    assert!(whole.starts_with(head), "{delta}");
    let last = |text: &str| text.rsplit_once("#EXTINF:").map(|(_, rest)| rest.to_string());
    assert_eq!(last(rest), last(&whole));
    assert_eq!(rest.matches("#EXTINF:").count(), 3);

    // Without parts, and with targets of 2 s: six segments are nearer to the end than 12 s.
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let mut ordinary = fixture::chapter("table-7", "north-1", now().0, base - 29..base + 1);
    ordinary["updated"] = json!(now());
    edge.push("/origin/v1/channels/table-7/state", &ordinary).await.status(204);
    let ordinary = "/live/table-7/a/source.m3u8";
    let whole = playlist(&edge.get(ordinary, session).await);
    let delta = playlist(&edge.get(&format!("{ordinary}?_HLS_skip=YES"), session).await);
    assert!(whole.contains("#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n"), "{whole}");
    let (_, rest) =
        delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=24\n").unwrap_or_else(|| panic!("{delta}"));
    assert_eq!(rest.matches("#EXTINF:").count(), 6);
    assert!(whole.ends_with(rest.split_once("#EXTINF:").unwrap().1));
}

/// So many viewers wait for one part after the other; what the origin pushes next is what each of them gets.
pub(crate) async fn many_wait<D: Door>(
    edge: &Edge<'_, D>,
    session: &Session,
    viewers: usize,
    parts_each: u64,
) {
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let revision = now().0;
    edge.push(STATE, &state(base, revision, 1)).await.status(204);
    let next = number_of_first(&playlist(&edge.get(MEDIA, session).await)) + 20;
    for part in 1..=parts_each {
        let asked = format!("{MEDIA}?_HLS_msn={next}&_HLS_part={part}");
        let pushed = state(base, revision + part, part + 1);
        let waiting = future::join_all((0..viewers).map(|_| edge.get(&asked, session)));
        let push = async {
            // Sent behind theirs: an answer says that those have come in.
            crate::contract::pages::health(edge).await;
            edge.push(STATE, &pushed).await
        };
        let (answers, pushed) = future::join(waiting, push).await;
        pushed.status(204);
        for answer in answers {
            assert_eq!(parts(&playlist(&answer)) as u64, part + 1, "{}", answer.asked());
        }
    }
}

fn number_of_first(text: &str) -> u64 {
    let (_, rest) = text.split_once("#EXT-X-MEDIA-SEQUENCE:").unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}
