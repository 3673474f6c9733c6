//! What origins say of parts.

use super::*;
use crate::state::{PARTS_SPAN_MS_MAX, Part};

/// What `origin` says, with so many parts of 500 ms of the segment behind its last.
fn with_parts(said: ChannelState, parts: u64) -> ChannelState {
    let of = said.renditions[0].segments.last().unwrap().end();
    let on = said.renditions[0].segments[0].on;
    let part = |n: u64| Part {
        of,
        start: of + MediaSpan::from_ms(500 * n as i64),
        duration: MediaSpan::from_ms(500),
        init: 0,
        discontinuity: false,
        independent: n == 0,
        on,
    };
    let mut said = said;
    said.part_ms = Some(500);
    said.renditions[0].parts = (0..parts).map(part).collect();
    said
}

/// Each part that is listed: its segment's number, its own, and where it is.
fn parts(merged: &Merged) -> Vec<(u64, u64, u32)> {
    let short = |part: &Part| {
        let of = part.of.utc().ms_since(NOW) / 2000;
        (of, part.start.utc().ms_since(part.of.utc()) / 500, part.on)
    };
    merged.state.renditions[0].parts.iter().map(short).collect()
}

#[test]
fn parts_of_two_origins_are_one_list() {
    let north = with_parts(said("north", 1, &["a"], 0..4), 2);
    let south = with_parts(said("south", 1, &["b"], 0..4), 3);
    let merged = pushed([north.clone(), south.clone()]);
    assert_eq!(parts(&merged), [(4, 0, 3), (4, 1, 3), (4, 2, 2)]);
    assert_eq!(parts(&pushed([south, north])), parts(&merged), "whoever speaks first");
}

#[test]
fn one_origin_goes_on_where_the_other_one_died() {
    let north = with_parts(said("north", 1, &["a"], 0..4), 2);
    let mut south = with_parts(said("south", 1, &["b"], 0..5), 1);
    // It had them all, and its segment.
    let earlier = with_parts(said("south", 1, &["b"], 0..4), 4).renditions[0].parts.clone();
    south.renditions[0].parts.splice(0..0, earlier);
    let merged = pushed([north, south]);
    assert_eq!(parts(&merged), [(4, 0, 3), (4, 1, 3), (4, 2, 2), (4, 3, 2), (5, 0, 2)]);
}

/// As it will be said of their segment.
#[test]
fn parts_of_another_init_segment_begin_with_a_discontinuity_also_where_the_origins_differ_in_the_segment_before_them()
 {
    let north = ChannelState { part_ms: Some(500), ..said("north", 1, &["a"], 0..4) };
    let mut south = with_parts(said("south", 1, &["b"], 0..4), 2);
    let rendition = &mut south.renditions[0];
    rendition.inits.push("t/source/init-2.mp4".to_string());
    (rendition.segments[3].init, rendition.segments[3].discontinuity) = (1, true);
    rendition.parts.iter_mut().for_each(|part| part.init = 1);
    let merged = pushed([north, south]);
    let told: Vec<_> = merged.state.renditions[0].parts.iter().map(|part| part.discontinuity).collect();
    assert_eq!(told, [true, true]);
}

#[test]
fn parts_leave_with_their_segments() {
    let merged = pushed((4..10).map(|n| with_parts(said("north", n, &["a"], 0..n), 4)));
    let segments: Vec<u64> = parts(&merged).iter().map(|(segment, ..)| *segment).collect();
    assert_eq!(segments, [[6; 4], [7; 4], [8; 4], [9; 4]].concat());
}

#[test]
fn a_listed_segment_has_all_of_its_parts_or_none() {
    let begun = with_parts(said("north", 1, &["a"], 0..4), 3);
    let alone = said("north", 2, &["a"], 0..5);
    assert_eq!(parts(&pushed([begun.clone(), ChannelState { part_ms: Some(500), ..alone }])), []);
    // Another origin, which is behind, brings none of them back.
    let next = with_parts(said("north", 2, &["a"], 0..5), 1);
    let behind = with_parts(said("south", 1, &["b"], 0..4), 2);
    assert_eq!(parts(&pushed([begun, next, behind])), [(5, 0, 1)]);
    // Nor has one that the other origin cut short the parts of the whole.
    let mut short = said("south", 1, &["b"], 0..5);
    short.part_ms = Some(500);
    short.renditions[0].segments[4].duration = MediaSpan::from_ms(1_000);
    assert_eq!(parts(&pushed([with_parts(said("north", 1, &["a"], 0..4), 4), short])), []);
}

/// The part of an origin that was cut off within it has the name of the other one's, and is shorter.
#[test]
fn what_was_listed_without_parts_gets_none() {
    let whole = with_parts(said("north", 1, &["a"], 0..4), 2);
    let short = |revision| {
        let mut short = with_parts(said("south", revision, &["b"], 0..4), 1);
        let cut = MediaSpan::from_ms(300);
        let mut segment = segment(4, 1);
        (segment.duration, short.renditions[0].parts[0].duration) = (cut, cut);
        short.renditions[0].segments.push(segment);
        short
    };
    let merged = pushed([whole, short(1), short(2)]);
    assert_eq!((numbers(&merged), parts(&merged)), (vec![0, 1, 2, 3, 4], vec![]));
    // Where nobody has seen anything of them, they come with their segment.
    assert_eq!(parts(&pushed([said("south", 1, &["b"], 0..4), short(2)])), []);
    let begun = ChannelState { part_ms: Some(500), ..said("south", 1, &["b"], 0..4) };
    assert_eq!(parts(&pushed([begun, short(2), short(3)])), [(4, 0, 1)]);
}

#[test]
fn part_target_stays_what_it_was_for_a_recording() {
    let plain = said("north", 1, &["a"], 0..4);
    let merged = pushed([plain.clone(), with_parts(said("north", 2, &["a"], 0..4), 2)]);
    assert_eq!((merged.state.part_ms, parts(&merged)), (None, vec![]));
    let mut longer = with_parts(said("north", 2, &["a"], 0..4), 2);
    longer.part_ms = Some(1000);
    let merged = pushed([with_parts(plain, 1), longer]);
    assert_eq!((merged.state.part_ms, parts(&merged)), (Some(500), vec![(4, 0, 1)]));
    // Another recording has its own.
    let mut ended = with_parts(said("north", 1, &["a"], 0..4), 1);
    ended.phase = Phase::Ended;
    let mut next = with_parts(said("north", 2, &["a"], 10..14), 1);
    next.part_ms = Some(1000);
    next.recording = "north-2".parse().unwrap();
    let merged = pushed([ended, next]);
    assert_eq!((merged.state.part_ms, parts(&merged)), (Some(1000), vec![(14, 0, 1)]));
}

#[test]
fn what_parts_are_called_stays_the_same_for_a_recording() {
    let plain = with_parts(said("north", 1, &["a"], 0..4), 1);
    let hinting = ChannelState { preload_hints: true, ..with_parts(said("north", 2, &["a"], 0..4), 2) };
    let changed = pushed([plain.clone(), hinting.clone()]);
    assert_eq!((changed.state.preload_hints, parts(&changed).len()), (false, 2));
    assert!(pushed([hinting.clone(), with_parts(said("south", 1, &["b"], 0..4), 2)]).state.preload_hints);
    let ended = ChannelState { phase: Phase::Ended, ..plain };
    let next = ChannelState {
        recording: "north-2".parse().unwrap(),
        preload_hints: true,
        ..with_parts(said("north", 2, &["a"], 10..14), 1)
    };
    assert!(pushed([ended, next]).state.preload_hints);
}

#[test]
fn an_older_edges_document_is_read() {
    let merged = pushed([said("north", 1, &["a"], 0..4)]);
    let json = serde_json::to_string(&merged).unwrap();
    assert!(!json.contains("part") && !json.contains("hint"), "{json}");
    assert_eq!(serde_json::from_str::<Merged>(&json).unwrap(), merged);
}

#[test]
fn invariant_2_no_part_is_shown_that_nobody_followed_for_long() {
    let merged = |kept: Option<Merged>, said: ChannelState, now: UtcMs| match merge(kept, said, now).unwrap()
    {
        Outcome::New(merged) | Outcome::Again(merged, _) => merged,
        Outcome::Old(revision) => panic!("{revision} is kept"),
    };
    let shown = |merged: &Merged, now: UtcMs| merged.clone().shown(now).renditions[0].parts.len();
    let first = with_parts(said("north", 1, &["a"], 0..4), 2);
    let kept = merged(None, first.clone(), NOW);
    // It goes on telling the same: that it lives says nothing of the parts.
    let later = NOW.plus_ms(PARTS_HEARD_MS);
    let kept = merged(Some(kept), first, UtcMs(later.0 - 1));
    assert_eq!((shown(&kept, UtcMs(later.0 - 1)), shown(&kept, later)), (2, 0));
    // A further one brings none back that was left out.
    let kept = merged(Some(kept), with_parts(said("north", 2, &["a"], 0..5), 1), later);
    assert_eq!((parts(&kept), shown(&kept, later)), (vec![(5, 0, 1)], 1));
}

#[test]
fn invariant_2_parts_leave_though_their_segments_never_come() {
    let mut kept = pushed([with_parts(said("north", 1, &["a"], 0..4), 1)]);
    // An origin that is started again and again tells of what it made since, and of no segment.
    for n in 4..200 {
        let mut push = with_parts(said("north", n, &["a"], 0..n), 4);
        push.renditions[0].segments.truncate(4);
        kept = match merge(Some(kept), push, at(n)).unwrap() {
            Outcome::New(merged) => merged,
            other => panic!("{other:?}"),
        };
        let parts = kept.clone().shown(at(n)).renditions[0].parts.clone();
        let (first, last) = (parts.first().unwrap(), parts.last().unwrap());
        assert_eq!((first.start, last.of), (first.of, at(n).media()), "as a whole");
        let span_ms = (last.start - first.start).ms();
        assert!(span_ms <= PARTS_SPAN_MS_MAX as i64, "{span_ms} ms");
        assert!(n < 50 || span_ms > PARTS_SPAN_MS_MAX as i64 - 2_000, "{span_ms} ms");
    }
}
