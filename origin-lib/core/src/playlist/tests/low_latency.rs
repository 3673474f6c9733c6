use std::format;

use super::*;
use crate::state::Part;

/// The state of the other tests, with parts of 1 s: both of the last segment, and one of the next that only `b` has.
fn low_latency() -> ChannelState {
    let mut state = state();
    state.part_ms = Some(1000);
    let part = |segment: u64, part: u64, on| Part {
        of: START.plus_ms(2000 * segment).media(),
        start: START.plus_ms(2000 * segment + 1000 * part).media(),
        duration: MediaSpan::from_ms(1000),
        init: 0,
        discontinuity: false,
        independent: part == 0,
        on,
    };
    state.renditions[0].parts = vec![part(3, 0, 3), part(3, 1, 0), part(4, 0, 2)];
    state
}

#[test]
fn media_golden() {
    assert_eq!(
        media_text(&low_latency(), &["a", "b"]),
        "#EXTM3U\n\
         #EXT-X-VERSION:9\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-MEDIA-SEQUENCE:897585960\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=3.000\n\
         #EXT-X-PART-INF:PART-TARGET=1.000\n\
         #EXT-X-MAP:URI=\"https://b.example/media/table-1/source/init-00.mp4\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"../../../key/table-1/498658\",IV=0x7462B46359038C455C5E2BFB4540BA2A\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.040Z\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585960-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585961-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585962-40.m4s\n\
         #EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/media/_parts/table-1/source/897585963-40-0.m4s\",INDEPENDENT=YES\n\
         #EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/media/_parts/table-1/source/897585963-40-1000.m4s\",GAP=YES\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585963-40.m4s\n\
         #EXT-X-PART:DURATION=1.00000,URI=\"https://b.example/media/_parts/table-1/source/897585964-40-0.m4s\",INDEPENDENT=YES\n"
    );
}

#[test]
fn parts_more_than_three_target_durations_before_the_end_are_listed_no_more() {
    let of = |segment: u64, part: u64, ms: i64| Part {
        of: START.plus_ms(2000 * segment).media(),
        start: START.plus_ms(2000 * segment + 1000 * part).media(),
        duration: MediaSpan::from_ms(ms),
        ..low_latency().renditions[0].parts[0]
    };
    // Behind its segment are two others, and what is there of the next one.
    for (last_ms, listed) in [(1000, 3), (1001, 2)] {
        let mut state = low_latency();
        state.renditions[0].parts = vec![of(1, 0, 1000), of(4, 0, 1000), of(4, 1, last_ms)];
        assert_eq!(media_text(&state, &["a", "b"]).matches("#EXT-X-PART:").count(), listed);
    }
}

#[test]
fn a_channel_without_low_latency_has_no_line_of_it() {
    let mut state = low_latency();
    state.part_ms = None;
    assert_eq!(media_text(&state, &["a", "b"]), media_text(&super::state(), &["a", "b"]));
    let skipped = media(&state, &"source".parse().unwrap(), &ids(&["a", "b"]), DELTA).unwrap();
    assert_eq!(skipped, media_text(&super::state(), &["a", "b"]));
    assert_eq!(reach(&state, &"source".parse().unwrap(), 0, None), None);
}

#[test]
fn the_parts_of_a_segment_that_is_discontinuous_stand_behind_its_tags() {
    let mut state = low_latency();
    let rendition = &mut state.renditions[0];
    rendition.inits.push("table-1/source/init-01.mp4".to_string());
    (rendition.parts[2].init, rendition.parts[2].discontinuity) = (1, true);
    let text = media_text(&state, &["b"]);
    let tail = text.split_once("897585963-40.m4s\n").unwrap().1;
    let tags: Vec<&str> =
        tail.lines().map(|line| line.split_once(':').map_or(line, |(tag, _)| tag)).collect();
    let expected = [
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-KEY",
        "#EXT-X-PROGRAM-DATE-TIME",
        "#EXT-X-PART",
    ];
    assert_eq!(tags, expected);
    // A channel that has ended has segments only.
    state.phase = Phase::Ended;
    let text = media_text(&state, &["b"]);
    assert!(!text.contains("#EXT-X-PART:") && text.ends_with("897585963-40.m4s\n#EXT-X-ENDLIST\n"), "{text}");
}

#[test]
fn parts_of_a_segment_that_must_wait_for_another_one_are_not_listed() {
    let mut state = low_latency();
    let rendition = &mut state.renditions[0];
    let next = Part {
        of: START.plus_ms(10_000).media(),
        start: START.plus_ms(10_000).media(),
        ..rendition.parts[2]
    };
    rendition.parts.push(next);
    assert!(!media_text(&state, &["b"]).contains("897585965"));
}

#[test]
fn a_segment_is_never_the_last_line() {
    let mut state = low_latency();
    state.renditions[0].parts.pop();
    let text = media_text(&state, &["b"]);
    assert!(text.ends_with("897585963-40.m4s\n# The next segment has no part yet.\n"), "{text}");
    assert_eq!(uris(&text).len(), 4);
}

#[test]
fn other_renditions_are_reported() {
    let mut state = low_latency();
    let mut small = state.renditions[0].clone();
    small.id = "small".parse().unwrap();
    small.first_msn = 7;
    state.renditions.push(small.clone());
    assert!(
        media_text(&state, &["a"])
            .ends_with("#EXT-X-RENDITION-REPORT:URI=\"small.m3u8\",LAST-MSN=11,LAST-PART=0\n")
    );
    state.renditions[1].parts.pop();
    assert!(media_text(&state, &["a"]).ends_with("LAST-MSN=10,LAST-PART=1\n"));
    state.renditions[1].parts.clear();
    assert!(media_text(&state, &["a"]).ends_with("LAST-MSN=10\n"));
}

#[test]
fn how_far_a_playlist_reaches() {
    use Reach::{Has, Soon, TooFar};
    let state = low_latency();
    let id = "source".parse().unwrap();
    // Segments 0 to 3 are listed, with both parts of 3 and one of 4.
    for (msn, part, expected) in [
        (0, None, Has),
        (3, None, Has),
        (4, None, Soon),
        (5, None, Soon),
        (6, None, TooFar),
        (u64::MAX, None, TooFar),
        (0, Some(u64::MAX), Has),
        (3, Some(1), Has),
        (3, Some(2), Has),
        (4, Some(0), Has),
        (4, Some(1), Soon),
        (4, Some(3), Soon),
        (4, Some(4), TooFar),
        (5, Some(0), Soon),
    ] {
        let msn = if msn == u64::MAX { msn } else { 897_585_960 + msn };
        assert_eq!(reach(&state, &id, msn, part), Some(expected), "{msn} {part:?}");
    }
    let mut waiting = state.clone();
    waiting.renditions[0].parts.pop();
    // A part behind the last one of a segment is the first one of the next.
    assert_eq!(reach(&waiting, &id, 897_585_963, Some(2)), Some(Soon));
    assert_eq!(reach(&waiting, &id, 897_585_964, Some(0)), Some(Soon));
    // Its segment came before its parts: there is nothing to wait for.
    waiting.renditions[0].parts.clear();
    assert_eq!(reach(&waiting, &id, 897_585_963, Some(1)), Some(Has));
    let ended = ChannelState { phase: Phase::Ended, ..state.clone() };
    assert_eq!(reach(&ended, &id, 897_585_999, None), Some(Has));
    assert_eq!(reach(&state, &"other".parse().unwrap(), 0, None), None);
}

#[test]
fn independent_readers_agree() {
    let text = media_text(&low_latency(), &["a", "b"]);
    assert_eq!(uris(&text).len(), 4);
}

/// The state of these tests, whose playlists hint at parts.
fn hinting() -> ChannelState {
    ChannelState { preload_hints: true, ..low_latency() }
}

/// What a playlist says behind its last segment but one.
fn end_of(text: &str) -> &str {
    text.split_once("897585962-40.m4s\n").unwrap().1
}

#[test]
fn hint_golden() {
    let text = media_text(&hinting(), &["a", "b"]);
    let (head, end) = text.split_at(text.len() - end_of(&text).len());
    assert_eq!(
        end,
        "#EXT-X-PART:DURATION=1.00000,URI=\"source/1795171926040.m4s\",INDEPENDENT=YES\n\
         #EXT-X-PART:DURATION=1.00000,URI=\"source/1795171927040.m4s\",GAP=YES\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585963-40.m4s\n\
         #EXT-X-PART:DURATION=1.00000,URI=\"source/1795171928040.m4s\",INDEPENDENT=YES\n\
         #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"source/1795171929040.m4s\"\n"
    );
    // All else is as without hints, and so is everything for a player that asks nodes by itself.
    let plain = media_text(&low_latency(), &["a", "b"]);
    assert!(plain.starts_with(head));
    let direct = Wanted { parts_at_nodes: true, ..Wanted::default() };
    let (id, order) = ("source".parse().unwrap(), ids(&["a", "b"]));
    assert_eq!(linted::sound(media(&hinting(), &id, &order, direct).unwrap()), plain);
    assert_eq!(uris(&text), uris(&plain));
    // Hints are of parts.
    let mut ordinary = hinting();
    ordinary.part_ms = None;
    assert_eq!(media_text(&ordinary, &["a", "b"]), media_text(&super::state(), &["a", "b"]));
}

#[test]
fn what_is_hinted_at_is_what_is_listed_next_wherever_a_segment_ends() {
    let state = hinting();
    let all = state.renditions[0].parts.clone();
    let hint_of = |text: &str| {
        let (_, hint) = text.split_once("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").unwrap();
        hint.trim_end_matches("\"\n").to_string()
    };
    // The last segment with its parts, and then the first part of the next.
    let mut waiting = state.clone();
    waiting.renditions[0].parts.truncate(2);
    let text = media_text(&waiting, &["b"]);
    let hint = hint_of(&text);
    // A segment is not the last line: hls.js would take it for the one whose parts are to come.
    assert!(
        text.ends_with(&format!("897585963-40.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"\n")),
        "{text}"
    );
    assert!(media_text(&state, &["b"]).contains(&format!("URI=\"{hint}\",INDEPENDENT=YES\n")));
    // All parts of a segment that is not listed yet, and then that segment, and the first part behind it.
    let part = |of: u64, n: u64| Part {
        of: START.plus_ms(2000 * of).media(),
        start: START.plus_ms(2000 * of + 1000 * n).media(),
        ..all[2]
    };
    let mut whole = state.clone();
    whole.renditions[0].parts.push(part(4, 1));
    let hint = hint_of(&media_text(&whole, &["b"]));
    let listed = &mut whole.renditions[0];
    listed.segments.push(Segment { start: START.plus_ms(8000).media(), ..listed.segments[3] });
    listed.parts.push(part(5, 0));
    assert!(media_text(&whole, &["b"]).contains(&format!("URI=\"{hint}\"")));
}

#[test]
fn nothing_is_hinted_at_where_no_feed_comes() {
    for phase in [Phase::Waiting, Phase::Ended] {
        let text = media_text(&ChannelState { phase, ..hinting() }, &["a"]);
        assert!(!text.contains("PRELOAD-HINT"), "{phase:?} {text}");
    }
    let mut waiting = ChannelState { phase: Phase::Waiting, ..hinting() };
    waiting.renditions[0].parts.pop();
    assert!(media_text(&waiting, &["a"]).ends_with("# The next segment has no part yet.\n"));
}

#[test]
fn a_part_is_found_by_when_it_starts() {
    use Reach::{Has, Soon, TooFar};
    let (state, id) = (hinting(), "source".parse().unwrap());
    let order = |order: &[&str]| ids(order);
    let at = |ms| START.plus_ms(ms);
    let url = |ms, nodes: &[&str]| part_url(&state, &id, at(ms), &order(nodes));
    let part = |node: &str, name: &str| {
        Some(format!("https://{node}.example/media/_parts/table-1/source/{name}.m4s"))
    };
    assert_eq!(url(6000, &["b", "a"]), part("b", "897585963-40-0"));
    assert_eq!(url(6000, &[]), part("a", "897585963-40-0"), "all nodes are looked at");
    assert_eq!(url(8000, &["a", "b"]), part("b", "897585964-40-0"), "only this one has it");
    assert_eq!(url(7000, &["a", "b"]), None, "no node has it");
    assert_eq!(url(6001, &["a", "b"]), None);
    for (ms, expected) in [
        (0, Has),
        (6000, Has),
        (8000, Has),
        // Neither there nor to come.
        (8500, Has),
        (9000, Soon),
        (9334, Soon),
        (11_000, Soon),
        (11_001, TooFar),
    ] {
        assert_eq!(reach_of_part(&state, &id, at(ms)), Some(expected), "{ms}");
    }
    assert_eq!(reach_of_part(&state, &id, UtcMs(u64::MAX)), Some(TooFar));
    let ended = ChannelState { phase: Phase::Ended, ..state.clone() };
    assert_eq!(reach_of_part(&ended, &id, at(9000)), Some(Has));
    assert_eq!(part_url(&ended, &id, at(9000), &order(&["a"])), None);
    // Only where playlists name parts like this.
    for other in [low_latency(), ChannelState { part_ms: None, ..state.clone() }] {
        assert_eq!(reach_of_part(&other, &id, at(9000)), None);
        assert_eq!(part_url(&other, &id, at(6000), &order(&["a"])), None);
    }
    assert_eq!(reach_of_part(&state, &"other".parse().unwrap(), at(9000)), None);
}
