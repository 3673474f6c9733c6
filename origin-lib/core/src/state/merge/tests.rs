use super::*;
use alloc::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};

mod parts;
mod rungs;

use crate::playlist;
use crate::publish::{Book, Channel, Init};
use crate::state::{Node, NodeProbe, OUTAGE_FORGIVEN_MS, Outage, Segment};
use crate::time::MediaTime;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn at(n: u64) -> UtcMs {
    NOW.plus_ms(2000 * n)
}

fn node(id: &str) -> Node {
    Node::new(id.parse().unwrap(), format!("https://{id}.test"), true)
}

fn segment(n: u64, on: u32) -> Segment {
    Segment { on, ..Segment::new(at(n).media(), MediaSpan::from_ms(2000), 0, false) }
}

/// What `origin` says of the segments `numbers`, all of them on all its nodes.
fn said(origin: &str, revision: u64, nodes: &[&str], numbers: core::ops::Range<u64>) -> ChannelState {
    let on = (1 << nodes.len()) - 1;
    ChannelState {
        channel: "t".parse().unwrap(),
        origin: origin.parse().unwrap(),
        recording: format!("{origin}-1").parse().unwrap(),
        title: "T".to_string(),
        revision,
        updated: at(numbers.end),
        phase: Phase::Live,
        segment_ms: 2000,
        key_period_s: 60,
        part_ms: None,
        preload_hints: false,
        score: None,
        splices: Vec::new(),
        nodes: nodes.iter().map(|id| node(id)).collect(),
        renditions: vec![Rendition {
            id: "source".parse().unwrap(),
            codecs: "avc1.64001f".to_string(),
            bandwidth: 100,
            average_bandwidth: 100,
            width: 16,
            height: 16,
            frame_rate_milli: 0,
            range: Default::default(),
            sound: None,
            captions: Default::default(),
            dependent: false,
            frames_bandwidth: 0,
            target_duration_s: 2,
            first_msn: 1000 + numbers.start,
            discontinuity_sequence: 0,
            inits: vec!["t/source/init-1.mp4".to_string()],
            segments: numbers.map(|n| segment(n, on)).collect(),
            parts: Vec::new(),
        }],
    }
}

/// Pushes in turn, two seconds apart; the merged document at the end.
fn pushed(pushes: impl IntoIterator<Item = ChannelState>) -> Merged {
    let mut kept = None;
    for (n, push) in pushes.into_iter().enumerate() {
        kept = match merge(kept.clone(), push, at(n as u64)).unwrap() {
            Outcome::New(merged) | Outcome::Again(merged, _) => Some(merged),
            Outcome::Old(_) => kept,
        };
        kept.as_ref().unwrap().state.check().unwrap();
    }
    kept.unwrap()
}

fn numbers(merged: &Merged) -> Vec<u64> {
    let number = |segment: &Segment| segment.start.utc().ms_since(NOW) / 2000;
    merged.state.renditions[0].segments.iter().map(number).collect()
}

#[test]
fn one_origin_alone_is_taken_as_it_is() {
    let one = said("north", 1, &["a", "b"], 0..10);
    let two = said("north", 2, &["a", "b"], 3..13);
    let merged = pushed([one, two.clone()]);
    assert_eq!(merged.state, two);
}

#[test]
fn two_origins_add_what_each_has_and_list_nodes_in_their_own_order() {
    let mut north = said("north", 5, &["a", "b"], 0..10);
    north.renditions[0].segments[2].on = 0b01;
    let mut south = said("south", 900, &["b", "c"], 2..12);
    south.renditions[0].first_msn = 77;
    south.renditions[0].segments[0].on = 0b01;
    let merged = pushed([north, south]);
    let rendition = &merged.state.renditions[0];
    let ids: Vec<_> = merged.state.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let on: Vec<u32> = rendition.segments.iter().map(|segment| segment.on).collect();
    assert_eq!(on, [3, 7, 7, 7, 7, 7, 7, 7, 6, 6]);
    assert_eq!(rendition.first_msn, 1002, "the kept numbers count");
    assert!(rendition.segments.iter().all(|segment| !segment.discontinuity));
    assert_eq!(merged.state.recording.as_str(), "north-1");
}

#[test]
fn what_any_origin_says_of_splices_is_told_as_long_as_its_media_is_listed() {
    use crate::scte35::{self, tests};
    let splice = |n: u64, event| tests::splice(at(n).media().0, tests::OUT, event, Some(90_000));
    let with = |mut state: ChannelState, of: &[scte35::Splice]| {
        of.iter().for_each(|one| _ = scte35::add(&mut state.splices, one.clone()));
        state
    };
    let events = |merged: &Merged| -> Vec<_> {
        let commands = merged.state.splices.iter().filter_map(|splice| splice.section.command());
        commands.filter_map(|command| command.event).collect()
    };
    let north = with(said("north", 5, &["a"], 0..6), &[splice(1, 1), splice(5, 2)]);
    let south = with(said("south", 900, &["a"], 0..6), &[splice(5, 2), splice(4, 3)]);
    let merged = pushed([north.clone(), south]);
    assert_eq!(events(&merged), [1, 3, 2]);
    let grown = with(said("north", 6, &["a"], 3..12), &[splice(5, 2)]);
    assert_eq!(events(&pushed([north, grown])), [2]);
}

#[test]
fn who_has_a_key_frame_is_what_any_origin_says_and_a_gap_stays_one() {
    let with = |mut state: ChannelState, frames: &[Option<u32>]| {
        for (segment, frame) in state.renditions[0].segments.iter_mut().zip(frames) {
            segment.frame = *frame;
        }
        state.renditions[0].frames_bandwidth = 200_000;
        state
    };
    let north = with(said("north", 5, &["a", "b"], 0..4), &[Some(0b01), Some(0), None, None]);
    let south =
        with(said("south", 900, &["b", "c"], 0..5), &[None, Some(0b01), Some(0b10), None, Some(0b11)]);
    let later = with(said("north", 6, &["a", "b"], 0..4), &[Some(0b11), Some(0b11), None, Some(0)]);
    let frames = |merged: &Merged| -> Vec<Option<u32>> {
        merged.state.renditions[0].segments.iter().map(|segment| segment.frame).collect()
    };
    let merged = pushed([north, south, later]);
    assert_eq!(frames(&merged), [Some(0b011), Some(0), Some(0b100), Some(0), Some(0b110)]);
    assert_eq!(merged.state.renditions[0].frames_bandwidth, 200_000);
    // What has left the window leaves three target durations that are known.
    let slow = |revision, numbers| with(said("north", revision, &["a"], numbers), &[]);
    assert_eq!(frames(&pushed([slow(1, 0..6)])), [None; 6]);
    let left = frames(&pushed([slow(1, 0..6), slow(2, 2..8)]));
    assert_eq!(left, [Some(0), Some(0), Some(0), None, None, None]);
}

#[test]
fn captions_that_any_origin_saw_are_announced_until_another_recording_begins() {
    let with = |mut state: ChannelState, lines| {
        state.renditions[0].captions.lines = lines;
        state
    };
    let captions = |merged: &Merged| merged.state.renditions[0].captions.lines;
    let north = with(said("north", 5, &["a"], 0..4), 0b01);
    let south = with(said("south", 900, &["a"], 1..5), 0b10);
    let again = said("north", 6, &["a"], 2..6);
    let merged = pushed([north.clone(), south, again]);
    assert_eq!(captions(&merged), 0b11);
    let ended = ChannelState { phase: Phase::Ended, revision: 7, ..north };
    let mut next = said("north", 8, &["a"], 100..104);
    next.recording = "north-2".parse().unwrap();
    assert_eq!(captions(&pushed([ended, next])), 0);
}

#[test]
fn an_older_snapshot_of_an_origin_is_ignored_and_a_repeated_one_shows_that_it_lives() {
    let north = said("north", 5, &["a"], 0..3);
    let Outcome::New(kept) = merge(None, north.clone(), NOW).unwrap() else { panic!() };
    let older = ChannelState { revision: 4, ..north.clone() };
    assert_eq!(merge(Some(kept.clone()), older, NOW).unwrap(), Outcome::Old(5));
    assert_eq!(merge(Some(kept.clone()), north.clone(), NOW).unwrap(), Outcome::Old(5));
    let later = NOW.plus_ms(10_000);
    let Outcome::Again(again, 5) = merge(Some(kept.clone()), north, later).unwrap() else { panic!() };
    assert_eq!((again.voices[0].heard, &again.state), (later, &kept.state));
}

#[test]
fn the_highest_revision_is_followed_by_no_overflow() {
    let merged = pushed([said("north", u64::MAX, &["a"], 0..3), said("south", 1, &["a"], 0..4)]);
    assert_eq!((merged.state.revision, numbers(&merged).len()), (u64::MAX, 4));
}

#[test]
fn an_origin_that_is_silent_has_no_say() {
    let mut north = said("north", 1, &["a", "b"], 0..3);
    north.phase = Phase::Live;
    north.nodes[0].up = false;
    let mut south = said("south", 1, &["a", "b"], 0..3);
    south.phase = Phase::Waiting;
    south.nodes[1].up = false;
    south.nodes[0].weight = 0;
    let probe = |ttfb_ms, staleness_ms| Some(NodeProbe { ttfb_ms, staleness_ms });
    north.nodes[0].probe = probe(10, 9000);
    south.nodes[0].probe = probe(50, 100);
    let both = pushed([north, south.clone()]);
    assert_eq!(both.state.phase, Phase::Live);
    let seen: Vec<_> = both.state.nodes.iter().map(|node| (node.up, node.weight)).collect();
    assert_eq!(seen, [(true, 0), (true, 100)]);
    assert_eq!(both.state.nodes[0].probe, probe(50, 100));

    let later = at(1).plus_ms(FRESH_MS);
    let again = ChannelState { revision: 2, ..south };
    let Outcome::New(alone) = merge(Some(both), again, later).unwrap() else { panic!() };
    assert_eq!(alone.state.phase, Phase::Waiting);
    let seen: Vec<_> = alone.state.nodes.iter().map(|node| (node.up, node.weight)).collect();
    assert_eq!(seen, [(true, 0), (false, 100)]);
}

/// A reload replaces a target under the same node id: the snapshot before it and the one after it both have the node.
#[test]
fn invariant_2_a_node_that_moved_has_nothing_of_what_it_had_elsewhere() {
    let moved = |mut said: ChannelState| {
        said.nodes[0].url = "https://elsewhere.test".to_string();
        said
    };
    let on = |merged: &Merged| -> Vec<u32> {
        merged.state.renditions[0].segments.iter().map(|segment| segment.on).collect()
    };
    let before = said("north", 1, &["a", "b"], 0..4);
    let mut after = moved(said("north", 2, &["a", "b"], 0..5));
    // The new place has the newest segment only.
    after.renditions[0].segments[..4].iter_mut().for_each(|segment| segment.on = 0b10);
    let merged = pushed([before.clone(), after.clone()]);
    assert_eq!(on(&merged), [2, 2, 2, 2, 3]);
    assert_eq!(merged.state.nodes[0].url, "https://elsewhere.test");

    // The other origin still means the former place: what it says of that is nothing about this one.
    let south = said("south", 1, &["a", "b"], 0..5);
    let merged = pushed([before, after.clone(), south.clone()]);
    assert_eq!(on(&merged), [2, 2, 2, 2, 3]);
    // Once it means the same place, it counts again.
    let merged = pushed([after, south, moved(said("south", 2, &["a", "b"], 0..5))]);
    assert_eq!(on(&merged), [3, 3, 3, 3, 3]);
}

#[test]
fn a_published_gap_stays_one_and_a_later_gap_does_not_make_one() {
    let mut north = said("north", 1, &["a"], 0..3);
    north.renditions[0].segments[1].gap = true;
    let mut south = said("south", 1, &["a"], 0..3);
    south.renditions[0].segments[2].gap = true;
    let gaps: Vec<bool> =
        pushed([north, south]).state.renditions[0].segments.iter().map(|segment| segment.gap).collect();
    assert_eq!(gaps, [false, true, false]);
}

/// One of them used the other feed there, or its disk lost the init segment.
#[test]
fn another_init_segment_begins_with_a_discontinuity_also_where_the_origins_differ_in_the_segment_before_it() {
    let other = "t/source/init-2.mp4".to_string();
    let changed = |mut said: ChannelState, at: usize| {
        said.renditions[0].inits.push(other.clone());
        said.renditions[0].segments[at..].iter_mut().for_each(|segment| segment.init = 1);
        said.renditions[0].segments[at].discontinuity = true;
        said
    };
    let told = |merged: &Merged| -> Vec<(u16, bool)> {
        merged.state.renditions[0].segments.iter().map(|of| (of.init, of.discontinuity)).collect()
    };
    let north = said("north", 1, &["a"], 0..3);
    let south = changed(said("south", 1, &["a"], 0..5), 2);
    assert_eq!(
        told(&pushed([north.clone(), south])),
        [(0, false), (0, false), (0, false), (1, true), (1, false)]
    );
    // Who is told of it one segment late needs no other one.
    let north = changed(said("north", 1, &["a"], 0..3), 2);
    let south = changed(said("south", 1, &["a"], 0..5), 3);
    assert_eq!(told(&pushed([north, south])), [(0, false), (0, false), (1, true), (1, false), (1, false)]);
}

#[test]
fn a_young_origin_does_not_cut_the_window() {
    let merged = pushed([
        said("north", 1, &["a"], 0..60),
        said("south", 1, &["a"], 59..61),
        said("south", 2, &["a"], 59..64),
    ]);
    let listed = numbers(&merged);
    assert_eq!((listed[0], listed.len()), (3, 61), "as long as the longest window, and one more");
    assert_eq!(merged.state.renditions[0].first_msn, 1003);
    // As old as the window, it moves the front again.
    let grown = pushed([said("north", 1, &["a"], 0..60), said("south", 2, &["a"], 10..70)]);
    assert_eq!(numbers(&grown), (10..70).collect::<Vec<_>>());
}

/// RFC 8216bis, 6.2.2.
#[test]
fn origins_that_have_just_begun_leave_three_target_durations() {
    let begun =
        [said("north", 1, &["a"], 0..1), said("south", 1, &["a"], 1..2), said("south", 2, &["a"], 1..3)];
    assert_eq!(numbers(&pushed(begun.clone())), [0, 1, 2]);
    let merged = pushed(begun.into_iter().chain([said("south", 3, &["a"], 1..4)]));
    assert_eq!((numbers(&merged), merged.state.renditions[0].first_msn), (vec![1, 2, 3], 1001));
}

/// RFC 8216bis, 6.2.1.
#[test]
fn another_origins_cut_begins_less_than_a_second_before_the_end_of_what_is_listed() {
    let long = |origin, ms| {
        let mut state = said(origin, 1, &["a"], 0..0);
        let segment = Segment::new(NOW.plus_ms(ms).media(), MediaSpan::from_ms(4000), 0, false);
        state.renditions[0].target_duration_s = 4;
        state.renditions[0].segments = vec![Segment { on: 1, ..segment }];
        state
    };
    for (ms, listed) in [(3000, 1), (3001, 2)] {
        let merged = pushed([long("north", 0), long("south", ms)]);
        assert_eq!(merged.state.renditions[0].segments.len(), listed, "{ms}");
    }
}

#[test]
fn an_edge_that_was_away_goes_on_behind_what_was_published() {
    let merged = pushed([said("north", 1, &["a"], 0..10), said("north", 2, &["a"], 500..510)]);
    let rendition = &merged.state.renditions[0];
    assert_eq!(numbers(&merged), (500..510).collect::<Vec<_>>());
    assert_eq!((rendition.first_msn, rendition.discontinuity_sequence), (1010, 1));
    assert!(rendition.segments[0].discontinuity);
}

#[test]
fn another_recording_begins_after_the_end_and_nothing_is_added_behind_it() {
    let mut ended = said("north", 2, &["a"], 0..10);
    ended.phase = Phase::Ended;
    let late = said("south", 9, &["a"], 5..12);
    let merged = pushed([said("south", 8, &["a"], 5..9), ended.clone(), late]);
    assert_eq!(merged.state.phase, Phase::Ended);
    assert_eq!(numbers(&merged).last(), Some(&9), "nothing behind the end");

    let mut next = said("north", 3, &["a"], 30..31);
    next.recording = "north-2".parse().unwrap();
    next.renditions[0].first_msn = 3;
    next.renditions[0].target_duration_s = 4;
    let begun = pushed([said("south", 8, &["a"], 5..9), ended, next, said("south", 10, &["a"], 5..12)]);
    let rendition = &begun.state.renditions[0];
    assert_eq!(begun.state.recording.as_str(), "north-2");
    assert_eq!((begun.state.phase, numbers(&begun)), (Phase::Live, vec![30]));
    assert_eq!((rendition.first_msn, rendition.discontinuity_sequence), (1010, 1), "never below");
    assert_eq!(rendition.target_duration_s, 4);
}

#[test]
fn an_end_stands_when_its_origin_leaves() {
    let mut ended = said("north", 2, &["a"], 0..10);
    ended.phase = Phase::Ended;
    let Outcome::New(kept) = merge(None, ended, NOW).unwrap() else { panic!() };
    let south = said("south", 1, &["a"], 0..10);
    let Outcome::New(kept) = merge(Some(kept), south, NOW.plus_ms(60_000)).unwrap() else { panic!() };
    assert_eq!(kept.state.phase, Phase::Ended);
    let taken_back = said("north", 3, &["a"], 0..11);
    let Outcome::New(kept) = merge(Some(kept), taken_back, NOW.plus_ms(61_000)).unwrap() else { panic!() };
    assert_eq!((kept.state.phase, kept.state.renditions[0].segments.len()), (Phase::Live, 11));
}

#[test]
fn origins_with_other_names_for_segments_are_refused_while_both_live() {
    let Outcome::New(kept) = merge(None, said("north", 1, &["a"], 0..3), NOW).unwrap() else { panic!() };
    let south = ChannelState { segment_ms: 4000, ..said("south", 1, &["a"], 5..8) };
    assert_eq!(merge(Some(kept.clone()), south.clone(), NOW), Err(Conflict));
    let later = NOW.plus_ms(FRESH_MS + 1);
    let Outcome::New(kept) = merge(Some(kept), south, later).unwrap() else { panic!() };
    assert_eq!((kept.state.segment_ms, numbers(&kept)), (4000, vec![5, 6, 7]));
    assert_eq!(kept.state.renditions[0].discontinuity_sequence, 1);
}

#[test]
fn a_clock_that_was_set_back_is_followed() {
    let mut back = said("north", 2, &["a"], 1000..1010);
    back.renditions[0].segments.extend((0..3).map(|n| segment(n, 1)));
    let merged = pushed([said("north", 1, &["a"], 1000..1010), back]);
    assert_eq!(numbers(&merged), [0, 1, 2]);
    assert_eq!(merged.state.renditions[0].first_msn, 2010);
}

#[test]
fn an_origin_that_lists_less_after_a_restart_has_not_gone_back() {
    // South went on, and its window left behind what north lists again.
    let merged = pushed([
        said("north", 1, &["a"], 0..20),
        said("south", 1, &["b"], 0..20),
        said("south", 2, &["b"], 30..60),
    ]);
    let before = numbers(&merged);
    let later = NOW.plus_ms(10 * FRESH_MS);
    let Outcome::New(merged) = merge(Some(merged), said("north", 2, &["a"], 0..5), later).unwrap() else {
        panic!()
    };
    assert_eq!(numbers(&merged), before);
    let Outcome::New(merged) = merge(Some(merged), said("north", 3, &["a"], 55..65), later).unwrap() else {
        panic!()
    };
    assert_eq!(numbers(&merged).last(), Some(&64));
    // Another recording on a clock that was set back is followed.
    let mut anew = said("north", 4, &["a"], 0..5);
    anew.recording = "north-2".parse().unwrap();
    let Outcome::New(merged) = merge(Some(merged), anew, later.plus_ms(10 * FRESH_MS)).unwrap() else {
        panic!()
    };
    assert_eq!(numbers(&merged), (0..5).collect::<Vec<_>>());
}

/// What a player that reloads one playlist has seen.
#[derive(Default)]
struct Viewer {
    first: u64,
    end: u64,
    discontinuities: u64,
    target: Option<String>,
    /// By media sequence number: name, duration, whether a gap, and its discontinuity sequence.
    seen: BTreeMap<u64, (String, String, bool, u64)>,
    ended: bool,
}

impl Viewer {
    /// Reads a playlist's text and compares it with what it knows (RFC 8216bis, 6.2.1).
    fn reads(&mut self, text: &str) -> Result<(), TestCaseError> {
        let value = |tag: &str| text.lines().find_map(|line| line.strip_prefix(tag)).unwrap().to_string();
        let msn: u64 = value("#EXT-X-MEDIA-SEQUENCE:").parse().unwrap();
        let sequence: u64 = value("#EXT-X-DISCONTINUITY-SEQUENCE:").parse().unwrap();
        let target = value("#EXT-X-TARGETDURATION:");
        prop_assert_eq!(self.target.get_or_insert(target.clone()), &target, "the target duration changed");
        prop_assert!(msn >= self.first, "the media sequence went back");
        prop_assert!(sequence >= self.discontinuities, "the discontinuity sequence went back");
        let (mut number, mut count, mut gap, mut duration) = (msn, sequence, false, String::new());
        let mut listed = BTreeMap::new();
        for line in text.lines() {
            match line {
                "#EXT-X-DISCONTINUITY" => count += 1,
                "#EXT-X-GAP" => gap = true,
                line if line.starts_with("#EXTINF:") => duration = line.to_string(),
                line if !line.starts_with('#') => {
                    let name = line.rsplit('/').next().unwrap().to_string();
                    listed.insert(number, (name, duration.clone(), gap, count));
                    (number, gap) = (number + 1, false);
                }
                _ => {}
            }
        }
        prop_assert!(number >= self.end, "a segment was taken away from the end");
        for (n, segment) in &listed {
            if let Some(before) = self.seen.get(n) {
                prop_assert_eq!(before, segment, "what is at {} changed", n);
            } else {
                let double = self.seen.values().any(|(name, ..)| *name == segment.0);
                prop_assert!(!double, "{} is listed twice", segment.0);
                prop_assert!(!self.ended, "something was added behind the end");
            }
        }
        let newest = self.seen.last_key_value().map(|(n, segment)| (*n, segment.3));
        if let Some((last, before)) = newest
            && let Some((first, segment)) = listed.iter().find(|(n, _)| **n > last)
        {
            prop_assert!(segment.3 >= before, "{first}: discontinuities are counted");
        }
        self.ended |= text.contains("#EXT-X-ENDLIST");
        (self.first, self.end, self.discontinuities) = (msn, number, sequence);
        self.seen.extend(listed);
        Ok(())
    }
}

/// An origin of the simulation: a book over the segments that the world makes.
struct Origin {
    name: &'static str,
    nodes: &'static [&'static str],
    window_s: u32,
    lives: u32,
    rung: Option<RenditionId>,
    book: Book,
    /// The last snapshots, oldest first: pushes that may still arrive.
    pushes: Vec<ChannelState>,
}

const INITS: [&str; 2] = ["init-1", "init-2"];

impl Origin {
    fn new(name: &'static str, nodes: &'static [&'static str], window_s: u32, lives: u32) -> Origin {
        Origin::with(name, nodes, window_s, lives, None)
    }

    /// One that makes this rung.
    fn with(
        name: &'static str,
        nodes: &'static [&'static str],
        window_s: u32,
        lives: u32,
        rung: Option<RenditionId>,
    ) -> Origin {
        let channel = Channel {
            id: "t".parse().unwrap(),
            origin: name.parse().unwrap(),
            recording: format!("{name}-{lives}").parse().unwrap(),
            title: "T".to_string(),
            segment_ms: 2000,
            key_period_s: 60,
            part_ms: None,
            preload_hints: false,
            window_s,
            msn_min: 0,
            nodes: nodes.iter().map(|id| node(id)).collect(),
            rungs: rung.iter().cloned().collect(),
        };
        let mut book = Book::new(channel, "source".parse().unwrap());
        book.set_phase(Phase::Live);
        Origin { name, nodes, window_s, lives, rung, book, pushes: Vec::new() }
    }

    /// A restart that lost what was on disk: the hardest for whoever merges.
    fn restart(&mut self) {
        let (pushes, rung) = (core::mem::take(&mut self.pushes), self.rung.clone());
        let again = Origin::with(self.name, self.nodes, self.window_s, self.lives + 1, rung);
        *self = Origin { pushes, ..again };
    }

    /// Takes the world's segment `n`. `acked` says which nodes acknowledge it.
    fn make(&mut self, world: &World, n: usize, acked: u32, now: UtcMs) {
        let (start, duration, discontinuity, init) = world.segments[n];
        let init = Init {
            name: INITS[init].to_string(),
            codecs: "avc1.64001f".to_string(),
            width: 16,
            height: 16,
            frame_rate_milli: 0,
            range: Default::default(),
            sound: None,
        };
        self.book.init(init.clone());
        self.book.segment(start, duration, discontinuity, 1000, now);
        for node in (0..self.nodes.len()).filter(|node| acked >> node & 1 == 1) {
            self.book.ack_init(node, &init.name, now);
            self.book.ack(node, start, now);
        }
        self.snapshot(now);
    }

    fn snapshot(&mut self, now: UtcMs) {
        self.pushes.extend(self.book.poll(now));
        self.pushes.drain(..self.pushes.len().saturating_sub(4));
    }
}

/// The programme as any origin cuts it.
struct World {
    segments: Vec<(MediaTime, MediaSpan, bool, usize)>,
}

impl World {
    /// Mostly segments of two seconds; now and then a short one, an encoder that comes back, other parameters.
    fn new(kinds: &[u8]) -> World {
        let (mut at, mut init) = (NOW.media(), 0);
        let segments = kinds.iter().map(|kind| {
            let (duration, discontinuity) = match kind {
                0 => (MediaSpan::from_ms(800), false),
                1 => {
                    at = at + MediaSpan::from_ms(3700);
                    (MediaSpan::from_ms(2000), true)
                }
                2 => {
                    init = 1 - init;
                    (MediaSpan::from_ms(2000), true)
                }
                _ => (MediaSpan::from_ms(2000), false),
            };
            let start = at;
            at = at + duration;
            (start, duration, discontinuity, init)
        });
        World { segments: segments.collect() }
    }
}

proptest! {
    /// Two origins of one programme, begun at different times, with acknowledgements lost, one dying and coming back
    /// without a memory; their pushes late, doubled, lost, in any order. Whatever a viewer reloads follows from what it
    /// had, and every segment that is listed without a gap is where an origin said it is.
    #[test]
    fn invariant_2_what_a_viewer_reloads_follows_whichever_origin_speaks(
        kinds in prop::collection::vec(0_u8..40, 20..90),
        steps in prop::collection::vec((0_u8..12, 0_u32..4, 0_usize..4), 40..300),
        begins in 0_usize..20,
        windows in (1_u32..4, 1_u32..4),
    ) {
        let world = World::new(&kinds);
        let mut origins = [
            Origin::new("north", &["a", "b"], windows.0 * 20, 1),
            Origin::new("south", &["b", "a"], windows.1 * 20, 1),
        ];
        let mut made = [0, begins.min(world.segments.len())];
        let (mut now, mut kept): (UtcMs, Option<Merged>) = (NOW, None);
        let mut viewer = Viewer::default();
        for (what, bits, which) in steps {
            now = now.plus_ms(400);
            let (o, late) = (which & 1, which >> 1);
            match what {
                0..=6 => {
                    if let Some(n) = Some(made[o]).filter(|n| *n < world.segments.len()) {
                        origins[o].make(&world, n, bits, now);
                        made[o] += 1;
                    }
                }
                7 => {
                    // What waits for an acknowledgement is given up.
                    origins[o].book.advance(now.plus_ms(6000));
                    origins[o].snapshot(now);
                }
                8 => {
                    // One that lost everything begins where its sibling is.
                    origins[o].restart();
                    made[o] = made[o].max(made[1 - o].saturating_sub(2));
                }
                _ => {}
            }
            let pushes = &origins[o].pushes;
            // The newest, or one that comes late; every third step it is lost.
            let push = pushes.len().checked_sub(1 + late).and_then(|at| pushes.get(at)).cloned();
            if let Some(push) = push.filter(|_| what % 3 != 2) {
                for _ in 0..1 + what % 2 {
                    kept = match merge(kept.clone(), push.clone(), now).unwrap() {
                        Outcome::New(merged) | Outcome::Again(merged, _) => Some(merged),
                        Outcome::Old(_) => kept,
                    };
                }
            }
            let Some(merged) = &kept else { continue };
            prop_assert!(merged.state.check().is_ok());
            let order: Vec<_> = merged.state.nodes.iter().map(|node| node.id.clone()).collect();
            let (source, wanted) = ("source".parse().unwrap(), playlist::Wanted::default());
            let Some(text) = playlist::media(&merged.state, &source, &order, wanted) else { continue };
            viewer.reads(&text)?;
        }
    }

    /// One origin alone: what viewers see is what it says, whatever of it is lost or doubled.
    #[test]
    fn one_origin_is_shown_as_it_is(
        kinds in prop::collection::vec(3_u8..5, 5..60),
        lost in prop::collection::vec(any::<bool>(), 60),
    ) {
        let world = World::new(&kinds);
        let mut origin = Origin::new("north", &["a"], 20, 1);
        let mut kept = None;
        for (n, lost) in (0..world.segments.len()).zip(lost) {
            let now = NOW.plus_ms(2000 * n as u64);
            origin.make(&world, n, 1, now);
            // Less than a window.
            let Some(push) = origin.pushes.last().filter(|_| !lost || n % 4 == 0) else { continue };
            let Outcome::New(merged) = merge(kept.take(), push.clone(), now).unwrap() else { panic!() };
            let (seen, said) = (&merged.state.renditions[0], &push.renditions[0]);
            prop_assert_eq!(&seen.segments, &said.segments);
            prop_assert_eq!(seen.first_msn, said.first_msn);
            kept = Some(merged);
        }
    }
}

#[test]
fn an_outage_of_a_node_is_kept_with_its_end_and_how_many_there_were() {
    let mut kept = None;
    let mut revision = 0;
    let mut told = |up: bool, probe: Option<NodeProbe>, ms: u64| {
        revision += 1;
        let mut north = said("north", revision, &["a"], 0..3);
        (north.nodes[0].up, north.nodes[0].probe) = (up, probe);
        // Whatever an origin says of it.
        north.nodes[0].outage = Some(Outage { ended: None, times: 99 });
        let Outcome::New(merged) = merge(kept.take(), north, NOW.plus_ms(ms)).unwrap() else { panic!() };
        kept = Some(merged.clone());
        merged.state.nodes[0].outage
    };
    let fine = Some(NodeProbe { ttfb_ms: 20, staleness_ms: 0 });
    let late = Some(NodeProbe { ttfb_ms: 20, staleness_ms: 6_001 });
    let ended = |ms, times| Some(Outage { ended: Some(NOW.plus_ms(ms)), times });
    let lasting = |times| Some(Outage { ended: None, times });
    assert_eq!(told(false, None, 0), None, "it was not up yet");
    assert_eq!(told(true, fine, 1_000), None);
    assert_eq!(told(true, late, 2_000), lasting(1));
    assert_eq!(told(false, late, 3_000), lasting(1));
    assert_eq!(told(true, fine, 4_000), ended(4_000, 1));
    assert_eq!(told(true, fine, 5_000), ended(4_000, 1));
    assert_eq!(
        told(false, None, 6_000),
        ended(4_000, 1),
        "an origin that has just started knows nothing yet"
    );
    assert_eq!(told(true, fine, 7_000), ended(4_000, 1));
    assert_eq!(told(false, fine, 603_999), lasting(2));
    assert_eq!(told(true, fine, 604_000), ended(604_000, 2));
    assert_eq!(told(false, fine, 604_000 + OUTAGE_FORGIVEN_MS), lasting(1), "long ago");
}

#[test]
fn what_is_said_of_the_score_is_that_of_the_newest_document() {
    let with = |origin: &str, revision, score: Option<u64>| ChannelState {
        score: score.map(|revision| Shown { revision, ranges: Vec::new() }),
        ..said(origin, revision, &["a"], 0..4)
    };
    let shown = |merged: &Merged| merged.state.score.as_ref().map(|score| score.revision);
    let merged = pushed([with("north", 1, None), with("south", 1, Some(0)), with("north", 2, Some(7))]);
    assert_eq!(shown(&merged), Some(7));
    // The scorer reaches one origin only.
    let merged = pushed([with("north", 1, Some(7)), with("south", 1, Some(3)), with("south", 2, None)]);
    assert_eq!(shown(&merged), Some(7));
}

#[test]
fn a_rendition_that_comes_later_has_the_numbers_of_the_one_beside_it_and_its_place_is_the_origins() {
    let with = |mut state: ChannelState, rungs: &[(&str, core::ops::Range<usize>)]| {
        for (id, of) in rungs {
            let mut rung = state.renditions[0].clone();
            (rung.id, rung.inits) = (id.parse().unwrap(), vec![format!("t/{id}/init-1.mp4")]);
            rung.segments = rung.segments[of.clone()].to_vec();
            rung.first_msn += of.start as u64;
            state.renditions.push(rung);
        }
        state
    };
    let mut first = said("north", 1, &["a"], 0..10);
    first.renditions[0].segments[1].discontinuity = true;
    // The other origin numbers otherwise, and begins later.
    let mut second = with(said("south", 900, &["b"], 2..12), &[("low", 0..9)]);
    second.renditions.iter_mut().for_each(|rendition| rendition.first_msn = 77);
    let third = with(said("south", 901, &["b"], 2..13), &[("high", 0..10), ("low", 0..10)]);
    let merged = pushed([first, second, third]);
    let ids: Vec<_> = merged.state.renditions.iter().map(|of| of.id.as_str()).collect();
    assert_eq!(ids, ["source", "high", "low"]);
    let numbers = |rendition: &Rendition| -> BTreeMap<MediaTime, (u64, u64)> {
        let mut sequence = rendition.discontinuity_sequence;
        let of = (rendition.first_msn..).zip(&rendition.segments).enumerate();
        let of = of.map(|(at, (msn, segment))| {
            sequence += u64::from(at > 0 && segment.discontinuity);
            (segment.start, (msn, sequence))
        });
        of.collect()
    };
    let source = numbers(&merged.state.renditions[0]);
    for rung in &merged.state.renditions[1..] {
        let of = numbers(rung);
        assert!(of.len() > 8);
        assert!(of.iter().all(|(start, number)| source[start] == *number), "{source:?} {of:?}");
    }
}

#[test]
fn a_pair_whose_origins_are_changed_to_parts_one_after_the_other_is_a_pair_again() {
    let says = |origin: &str, revision, parts: bool| ChannelState {
        part_ms: parts.then_some(334),
        ..said(origin, revision, &["a"], 0..4)
    };
    let later = |ms| NOW.plus_ms(ms);
    let take = |kept, state, now| match merge(Some(kept), state, now) {
        Ok(Outcome::New(kept)) => kept,
        other => panic!("{other:?}"),
    };
    let kept = merge(None, says("north", 1, false), NOW);
    let Ok(Outcome::New(kept)) = kept else { panic!("the first is taken") };
    let kept = take(kept, says("south", 1, false), NOW);
    // What it cuts now may have other lengths under the same names.
    assert_eq!(merge(Some(kept.clone()), says("north", 2, true), later(1_000)), Err(Conflict));
    // North's last word is too old to count.
    let kept = take(kept, says("south", 2, true), later(FRESH_MS + 1_000));
    take(kept, says("north", 3, true), later(FRESH_MS + 2_000));
}
