use railbird_core::lint::rules;
use serde_json::{Value, json};

use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

/// Ten segments of 2 s from this number on, of which the sixth is so many milliseconds longer.
fn state(first: u64, longer_ms: u64) -> Value {
    let segment = |n: u64| {
        let ms = if n == 6 { 2000 + longer_ms } else { 2000 };
        json!({"start": NOW.plus_ms(2000 * n).media(), "duration": ms * 90, "on": 1, "frame": 1})
    };
    json!({
        "channel": "t", "origin": "north", "recording": "20261120t105200z", "title": "T",
        "revision": NOW.0 + first, "updated": NOW, "phase": "live", "segment_ms": 2000, "key_period_s": 60,
        "nodes": [{"id": "a", "url": "https://a.example", "up": true}],
        "renditions": [{
            "id": "source", "codecs": "avc1.64001f,mp4a.40.2", "bandwidth": 900_000,
            "average_bandwidth": 800_000, "frames_bandwidth": 50_000, "width": 1280, "height": 720,
            "frame_rate_milli": 25_000, "target_duration_s": 2, "first_msn": first,
            "discontinuity_sequence": 0, "inits": ["t/source/init.mp4"],
            "segments": (first..first + 10).map(segment).collect::<Vec<_>>(),
        }],
    })
}

fn take(linter: &mut Linter, state: &Value, read: Read<'_>) -> Vec<String> {
    linter.take(serde_json::from_value(state.clone()).unwrap(), NOW, read)
}

#[test]
fn what_goes_on_as_it_should_is_loaded_and_nothing_is_said() {
    let mut linter = Linter::default();
    for first in 0..5 {
        assert_eq!(take(&mut linter, &state(first, 0), &|_| None), Vec::<String>::new());
    }
    assert_eq!(linter.loads(), 15, "the multivariant playlist, the media and its key frames");
    // What is old is not shown to anybody.
    assert_eq!(take(&mut linter, &state(0, 0), &|_| None), Vec::<String>::new());
    assert_eq!(linter.loads(), 15);
}

#[test]
fn what_may_not_change_is_said_once_for_each_playlist_unless_it_is_expected() {
    // No edge would take it: this is what a viewer would get of one that did.
    let said = |expected: &[&'static Rule]| {
        let mut channel = Channel::default();
        [state(0, 0), state(0, 400), state(0, 0)].map(|state| {
            let (_, found) = channel.load(&serde_json::from_value(state).unwrap(), &|_| None);
            channel.complaints("t", found, expected).len()
        })
    };
    let both = [&rules::SEGMENT_DURATION, &rules::SEGMENT_DATE];
    assert_eq!(said(&both[..1]), [0, 2, 0], "of the media and of its key frames");
    assert_eq!(said(&both[1..]), [0, 2, 0]);
    assert_eq!((said(&[]), said(&both)), ([0, 4, 0], [0, 0, 0]));
}

#[test]
fn what_is_said_of_an_init_segment_is_compared_with_it() {
    const INIT: &[u8] = include_bytes!("../../../origin-lib/core/tests/golden/init.mp4");
    let read = |name: &str| (name == "t/source/init.mp4").then(|| INIT.to_vec());
    assert_eq!(take(&mut Linter::default(), &state(0, 0), &read), Vec::<String>::new());
    for (key, other, rule) in [
        ("codecs", json!("avc1.4d001f,mp4a.40.2"), "codecs-differ"),
        ("codecs", json!("avc1.64001f"), "codecs-differ"),
        ("width", json!(640), "resolution-differs"),
    ] {
        let mut state = state(0, 0);
        state["renditions"][0][key] = other;
        let said = take(&mut Linter::default(), &state, &read);
        assert!(said.iter().any(|said| said.contains(rule)), "{rule}: {said:?}");
    }
}
