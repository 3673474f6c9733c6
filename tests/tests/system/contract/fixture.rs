//! The event of the contract: two tables that play, one that has not begun, two nodes.

use railbird_core::time::{MediaTime, UtcMs};
use serde_json::{Value, json};

/// Seconds of a key period.
pub(crate) const KEY_PERIOD_S: u32 = 60;

/// Milliseconds of a segment.
pub(crate) const SEGMENT_MS: u32 = 2000;

/// Base URLs of the nodes.
pub(crate) const NODE_A: &str = "https://a.railbird.test/bucket";
pub(crate) const NODE_B: &str = "https://b.railbird.test";

pub(crate) const EMAIL: &str = "viewer@railbird.test";
pub(crate) const PASSWORD: &str = "hang on a ball";
/// argon2id of [`PASSWORD`].
pub(crate) const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y29udHJhY3Qgc3VpdGUgc2FsdA\
    $igq3VUgxKHh8M5Qt7+9ngjxqYnmj+2u7DGqTF+wc09w";

pub(crate) fn event(revision: u64) -> Value {
    json!({
        "event": "open-2026",
        "title": "Railbird Open <2026>",
        "revision": revision,
        "channels": [
            {"id": "table-1", "title": "Table 1"},
            {"id": "table-2", "title": "Table \"2\" & <more>"},
            {"id": "table-3", "title": "Table 3"},
        ],
    })
}

/// Where the segment of this number starts.
pub(crate) fn start(number: u64) -> MediaTime {
    UtcMs(number * u64::from(SEGMENT_MS)).media()
}

/// The number of the segment that starts here.
pub(crate) fn number(start: MediaTime) -> u64 {
    start.utc().0 / u64::from(SEGMENT_MS)
}

/// Of twenty segments in a row one is at node b only, and the next nowhere.
pub(crate) fn only_b(number: u64) -> bool {
    number % 20 == 4
}

/// See [`only_b`].
pub(crate) fn nowhere(number: u64) -> bool {
    number % 20 == 5
}

/// Segments of the minute before `now`, oldest first, on the timeline's grid.
pub(crate) fn starts(now: UtcMs) -> Vec<MediaTime> {
    let first = (now.0 - 60_000) / u64::from(SEGMENT_MS);
    (first..first + 20).map(start).collect()
}

fn segment(start: MediaTime) -> Value {
    let n = number(start);
    let on = match n {
        n if only_b(n) => 2,
        n if nowhere(n) => 0,
        _ => 3,
    };
    json!({"start": start, "duration": u64::from(SEGMENT_MS) * 90, "on": on, "gap": nowhere(n)})
}

/// A recording in a list of replays, of chapters of ten segments; `first` is the number of its first segment.
pub(crate) fn replay(recording: &str, first: u64, chapters: u64, ended: bool) -> Value {
    json!({
        "recording": recording, "title": format!("Final <{recording}>"), "start": start(first),
        "duration": chapters * 10 * u64::from(SEGMENT_MS) * 90, "chapters": chapters, "ended": ended,
    })
}

/// What an origin lists of a channel's recordings.
pub(crate) fn replays(channel: &str, origin: &str, revision: u64, replays: &[Value]) -> Value {
    json!({"channel": channel, "origin": origin, "revision": revision, "replays": replays})
}

/// A chapter of these segments.
pub(crate) fn chapter(
    channel: &str,
    recording: &str,
    revision: u64,
    numbers: core::ops::Range<u64>,
) -> Value {
    let mut state = state(channel, revision, UtcMs(60_000), [true, true]);
    state["recording"] = json!(recording);
    state["renditions"][0]["segments"] = numbers.map(|n| segment(start(n))).collect();
    state
}

/// A channel's state; `up` says of each node whether it is.
pub(crate) fn state(channel: &str, revision: u64, now: UtcMs, up: [bool; 2]) -> Value {
    let starts = starts(now);
    json!({
        "channel": channel, "origin": "north", "recording": "20261120t105200z",
        "title": format!("Channel {channel}"),
        "revision": revision,
        "updated": now,
        "phase": "live",
        "segment_ms": SEGMENT_MS,
        "key_period_s": KEY_PERIOD_S,
        "nodes": [
            {"id": "a", "url": NODE_A, "up": up[0]},
            {"id": "b", "url": NODE_B, "up": up[1]},
        ],
        "renditions": [{
            "id": "source",
            "codecs": "avc1.64001f,mp4a.40.2",
            "bandwidth": 5_000_000,
            "average_bandwidth": 4_000_000,
            "width": 1280,
            "height": 720,
            "frame_rate_milli": 25_000,
            "target_duration_s": 2,
            "first_msn": number(starts[0]),
            "discontinuity_sequence": 0,
            "inits": [format!("{channel}/source/init-0011223344556677.mp4")],
            "segments": starts.into_iter().map(segment).collect::<Vec<_>>(),
        }],
    })
}

/// A score document with entries of these numbers.
pub(crate) fn score(channel: &str, revision: u64, now: UtcMs, seqs: &[u64]) -> Value {
    let side = |points: u64| json!({"points": points, "run": 0, "high_run": points, "innings": 1, "average_milli": points * 1000, "shootout": null});
    let entry = |seq: &u64| {
        let at = UtcMs(now.0 + seq * 1000).media();
        json!({"seq": seq, "at": at, "pdt": at.iso8601(), "state": {
            "phase": "playing", "inning": seq + 1, "at_table": seq % 2, "winner": null, "sides": [side(*seq), side(0)],
        }})
    };
    json!({
        "channel": channel,
        "match": "final",
        "revision": revision,
        "updated": now,
        "title": "World Cup final",
        "discipline": "three-cushion",
        "target": 40,
        "sides": [{"name": "Torbjörn Blomdahl", "country": "SE"}, {"name": "Dick Jaspers", "country": "NL"}],
        "entries": seqs.iter().map(entry).collect::<Vec<_>>(),
    })
}

/// A pass that is valid for a day around `now`.
pub(crate) fn pass(email: &str, channels: &[&str], now: UtcMs) -> Value {
    json!({
        "email": email,
        "password_hash": PASSWORD_HASH,
        "channels": channels,
        "valid_from": now.0 - 43_200_000,
        "valid_until": now.0 + 43_200_000,
    })
}
