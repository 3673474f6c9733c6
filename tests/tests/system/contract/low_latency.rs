//! Blocking playlist reload and delta updates of a low-latency channel. Other channels are as they were: every other case
//! is about one.

use futures::StreamExt;
use futures::future;
use futures::stream::FuturesUnordered;
use railbird_core::session::WAITS_MAX;
use railbird_core::time::MediaSpan;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, Session, now, session, session_of};
use super::fixture;
use super::live::playlist;

const STATE: &str = "/origin/v1/channels/table-6/state";
const MEDIA: &str = "/live/table-6/a/source.m3u8";

/// Of [`STATE`]: a wait for nothing takes two seconds.
pub(super) fn state(base: u64, revision: u64, parts: u64) -> Value {
    state_of("table-6", 1, base, revision, parts)
}

/// Twenty segments up to the one of number `base`, and so many parts of the next one, the last of them at node b only. A wait
/// for nothing takes twice the target.
fn state_of(channel: &str, target_s: u32, base: u64, revision: u64, parts: u64) -> Value {
    let mut state = fixture::chapter(channel, "north-1", revision, base - 19..base + 1);
    let of = fixture::start(base + 1);
    let part = |n: u64| {
        let start = of + MediaSpan::from_ms(500 * n as i64);
        let on = if n + 1 == parts { 2 } else { 3 };
        json!({"of": of, "start": start, "duration": 45_000, "independent": n == 0, "on": on})
    };
    state["part_ms"] = json!(500);
    state["updated"] = json!(now());
    let rendition = &mut state["renditions"][0];
    rendition["target_duration_s"] = json!(target_s);
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

/// Of so many waits of one session a few are waits. The others are answered at once with what there is, and another session
/// waits as if there were none.
pub(crate) async fn waits_are_bounded<D: Door>(edge: &Edge<'_, D>, waits: usize) {
    const MEDIA: &str = "/live/table-10/a/source.m3u8";
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let revision = now().0;
    let push = async |parts| {
        let state = state_of("table-10", 5, base, revision + parts, parts);
        edge.push("/origin/v1/channels/table-10/state", &state).await.status(204);
    };
    push(1).await;
    let [one, other] = [session(&["*"]), session(&["table-10"])];
    let next = number_of_first(&playlist(&edge.get(MEDIA, &one).await)) + 20;
    let asked = format!("{MEDIA}?_HLS_msn={next}&_HLS_part=1");
    let mut own: FuturesUnordered<_> = (0..waits).map(|_| edge.get(&asked, &one)).collect();
    for _ in WAITS_MAX..waits {
        assert_eq!(parts(&playlist(&own.next().await.unwrap())), 1, "it is not waited for");
    }
    let then_push = async {
        // Sent behind the other's: an answer says that it has come in.
        crate::contract::pages::health(edge).await;
        push(2).await;
    };
    let (others, ()) = future::join(edge.get(&asked, &other), then_push).await;
    assert_eq!(parts(&playlist(&others)), 2);
    let waited: Vec<usize> = own.map(|answer| parts(&playlist(&answer))).collect().await;
    assert_eq!(waited, [2; WAITS_MAX]);
}

/// So many viewers wait for one part after the other; what the origin pushes next is what each of them gets.
pub(crate) async fn many_wait<D: Door>(edge: &Edge<'_, D>, viewers: usize, parts_each: u64) {
    // A session each, of one pass: their host has no more to begin than for one of them.
    let viewers: Vec<Session> = (0..viewers).map(|_| session_of("many@railbird.test", &["*"])).collect();
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let revision = now().0;
    let state = |revision, parts| state_of("table-6", 5, base, revision, parts);
    edge.push(STATE, &state(revision, 1)).await.status(204);
    let next = number_of_first(&playlist(&edge.get(MEDIA, &viewers[0]).await)) + 20;
    for part in 1..=parts_each {
        let asked = format!("{MEDIA}?_HLS_msn={next}&_HLS_part={part}");
        let pushed = state(revision + part, part + 1);
        let waiting = future::join_all(viewers.iter().map(|viewer| edge.get(&asked, viewer)));
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
