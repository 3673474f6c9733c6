//! Every kind of bad input, by name.

use std::collections::BTreeSet;

use bytes::Bytes;
use railbird_core::codec::{aac, opus, silence};
use railbird_core::media::{FeedEvent, Frame, Kind};
use railbird_core::programme::{End, Note};

use super::encoder::{At, Encoder, configs, other};
use super::way::{Segment, Way};

/// A way that took a publish, which began at its beginning and was ended in order.
pub(super) fn way_of(segment_ms: u32, sent: &[At]) -> Way {
    fed(Way::new(segment_ms), sent)
}

/// The same of a way of its own.
fn fed(mut way: Way, sent: &[At]) -> Way {
    publish(&mut way, 0, sent);
    way.finish();
    way
}

/// The longest parts of what is given out in parts, in milliseconds.
const PART_MS: u32 = 334;

/// A publish that begins so many milliseconds after the start.
pub(super) fn publish(way: &mut Way, at_ms: u64, sent: &[At]) {
    way.at(at_ms);
    way.begin();
    for At { ms, event } in sent {
        way.at(at_ms + ms);
        way.take(event.clone());
    }
}

/// Discontinuities, beside the one with which everything begins.
fn breaks(way: &Way) -> usize {
    assert!(way.segments.first().is_none_or(|first| first.discontinuity));
    way.segments.iter().skip(1).filter(|segment| segment.discontinuity).count()
}

/// What was sent of a track and is in no segment, in milliseconds of the encoder's clock.
fn lost(way: &Way, sent: &[At], kind: Kind) -> Vec<i64> {
    let samples = way.segments.iter().flat_map(|segment: &Segment| match kind {
        Kind::Video => &segment.video,
        Kind::Audio => &segment.audio,
    });
    let seen: BTreeSet<&[u8]> = samples.map(|sample| &sample.data[..]).collect();
    let frames = sent.iter().filter_map(At::frame).filter(|frame| frame.kind == kind);
    frames.filter(|frame| !seen.contains(&frame.data[..])).map(|frame| frame.dts_ms).collect()
}

fn spans(way: &Way) -> Vec<(i64, i64)> {
    way.segments.iter().map(|segment| (segment.start_ms, segment.duration_ms)).collect()
}

/// What is done to a good feed of twelve seconds, and what comes of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) harm: fn(&mut Vec<At>),
    breaks: usize,
    /// At most so many pictures are in no segment, and so many frames of sound. Sound from before the first picture is shown,
    /// in a run that begins, is in none by rights.
    lost: (usize, usize),
    /// And so many more frames of sound in low latency, where nothing waits for sound as long.
    late: usize,
    /// In low latency, nothing of any track begins for longer than a part.
    stands: bool,
}

const GOOD: Case = Case { name: "nothing", harm: |_| {}, breaks: 0, lost: (0, 0), late: 0, stands: false };

/// The frame of a track that is sent at this millisecond, or the next one.
fn at(sent: &mut [At], kind: Kind, ms: u64) -> &mut At {
    sent.iter_mut().find(|at| at.is(kind) && at.ms >= ms).unwrap()
}

fn frames_from(sent: &mut [At], ms: u64) -> impl Iterator<Item = &mut railbird_core::media::Frame> {
    sent.iter_mut().filter(move |at| at.ms >= ms).filter_map(At::frame_mut)
}

pub(super) const CASES: &[Case] = &[
    GOOD,
    Case {
        name: "the clock jumps forward by a day within a group of pictures",
        harm: |sent| frames_from(sent, 5_400).for_each(|frame| frame.dts_ms += 86_400_000),
        breaks: 1,
        lost: (15, 28),
        ..GOOD
    },
    Case {
        name: "the clock begins again from zero",
        harm: |sent| frames_from(sent, 5_400).for_each(|frame| frame.dts_ms -= 5_400),
        breaks: 1,
        lost: (15, 28),
        ..GOOD
    },
    Case {
        name: "the picture's clock alone jumps, and stays away",
        harm: |sent| {
            frames_from(sent, 5_400).filter(|f| f.kind == Kind::Video).for_each(|f| f.dts_ms += 90_000)
        },
        breaks: 1,
        lost: (15, 85),
        ..GOOD
    },
    Case {
        name: "the sound's clock alone jumps, and stays away",
        harm: |sent| {
            frames_from(sent, 5_400).filter(|f| f.kind == Kind::Audio).for_each(|f| f.dts_ms += 90_000)
        },
        ..GOOD
    },
    Case {
        name: "picture and sound are on two clocks from the start",
        harm: |sent| {
            frames_from(sent, 0).filter(|f| f.kind == Kind::Video).for_each(|f| f.dts_ms += 3_600_000)
        },
        // It lies a moment before the picture beside which it came.
        lost: (0, 1),
        ..GOOD
    },
    Case {
        name: "one picture's timestamp is far ahead",
        harm: |sent| at(sent, Kind::Video, 5_400).frame_mut().unwrap().dts_ms += 3_600_000,
        ..GOOD
    },
    Case {
        name: "one picture's timestamp is ahead by seconds",
        harm: |sent| at(sent, Kind::Video, 5_400).frame_mut().unwrap().dts_ms += 5_000,
        ..GOOD
    },
    Case {
        name: "one picture's timestamp is zero",
        harm: |sent| at(sent, Kind::Video, 5_400).frame_mut().unwrap().dts_ms = 0,
        ..GOOD
    },
    Case {
        name: "one timestamp of sound is as large as can be",
        harm: |sent| at(sent, Kind::Audio, 5_400).frame_mut().unwrap().dts_ms = i64::MAX,
        ..GOOD
    },
    Case {
        name: "a key frame's timestamp is far ahead",
        harm: |sent| at(sent, Kind::Video, 6_000).frame_mut().unwrap().dts_ms += 60_000,
        ..GOOD
    },
    Case {
        name: "timestamps stand still for half a second",
        harm: |sent| {
            for frame in frames_from(sent, 5_200).take(36) {
                frame.dts_ms = 5_200;
            }
        },
        stands: true,
        ..GOOD
    },
    Case {
        name: "pictures go back by a little, again and again",
        harm: |sent| {
            for (n, frame) in frames_from(sent, 2_000).filter(|frame| frame.kind == Kind::Video).enumerate() {
                frame.dts_ms -= [0, 50, 90][n % 3];
            }
        },
        ..GOOD
    },
    Case {
        name: "composition is negative, as where an encoder counts from presentation",
        harm: |sent| frames_from(sent, 0).filter(|f| f.kind == Kind::Video).for_each(|f| f.cts -= 7_200),
        ..GOOD
    },
    Case {
        name: "composition makes no sense",
        harm: |sent| {
            for (n, frame) in frames_from(sent, 4_000).filter(|f| f.kind == Kind::Video).take(100).enumerate()
            {
                frame.cts = [i32::MAX, 0, i32::MIN, 9_000][n % 4];
            }
        },
        ..GOOD
    },
    Case {
        name: "the sound is missing for five seconds",
        harm: |sent| sent.retain(|at| !at.is(Kind::Audio) || !(3_300..8_300).contains(&at.ms)),
        ..GOOD
    },
    Case {
        name: "the sound is muxed late by a second and a half",
        harm: |sent| {
            sent.iter_mut().filter(|at| at.is(Kind::Audio)).for_each(|at| at.ms += 1_500);
            sent.sort_by_key(|at| at.ms);
        },
        late: 60,
        ..GOOD
    },
    Case {
        name: "the sound begins after three seconds, with its parameters",
        harm: |sent| {
            sent.retain(|at| !at.is(Kind::Audio) || at.ms >= 3_000);
            let from = sent.iter().position(|at| matches!(at.event, FeedEvent::Audio(_))).unwrap();
            let mut parameters = sent.remove(from);
            parameters.ms = 3_000;
            let to = sent.iter().position(|at| at.ms >= 3_000).unwrap();
            sent.insert(to, parameters);
        },
        breaks: 1,
        lost: (25, 47),
        ..GOOD
    },
    Case {
        name: "the sound begins after three seconds, as Opus",
        harm: |sent| {
            sent.retain(|at| !at.is(Kind::Audio) && !matches!(at.event, FeedEvent::Audio(_)));
            let opus = opus::config(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0").unwrap();
            let data = silence::frame(&opus).unwrap();
            let frame = |ms| Frame {
                kind: Kind::Audio,
                dts_ms: ms as i64,
                cts: 0,
                key: true,
                leading: false,
                data: data.clone(),
            };
            let frames = (3_000..12_000).step_by(20).map(|ms| At { ms, event: FeedEvent::Frame(frame(ms)) });
            sent.extend([At { ms: 3_000, event: FeedEvent::Audio(opus) }].into_iter().chain(frames));
            sent.sort_by_key(|at| at.ms);
        },
        breaks: 1,
        lost: (25, 0),
        ..GOOD
    },
    Case {
        name: "the picture is missing for three seconds",
        harm: |sent| sent.retain(|at| !at.is(Kind::Video) || !(5_000..8_000).contains(&at.ms)),
        breaks: 1,
        ..GOOD
    },
    Case {
        name: "other parameters of video at a key frame",
        harm: |sent| change_at(sent, 6_000, FeedEvent::Video(other(&configs().0))),
        breaks: 1,
        lost: (0, 2),
        ..GOOD
    },
    Case {
        name: "other parameters of video within a group of pictures",
        harm: |sent| change_at(sent, 5_400, FeedEvent::Video(other(&configs().0))),
        breaks: 1,
        lost: (15, 29),
        ..GOOD
    },
    Case {
        name: "other parameters of sound",
        harm: |sent| {
            let mut audio = configs().1;
            (audio.record, audio.channels) = (b"\x11\x90"[..].into(), 2);
            change_at(sent, 6_000, FeedEvent::Audio(audio));
        },
        breaks: 1,
        lost: (0, 2),
        ..GOOD
    },
    Case {
        name: "other parameters of sound between two key frames",
        harm: |sent| {
            let mut audio = configs().1;
            (audio.record, audio.channels) = (b"\x11\x90"[..].into(), 2);
            change_at(sent, 6_300, FeedEvent::Audio(audio));
        },
        breaks: 1,
        lost: (0, 35),
        ..GOOD
    },
    Case {
        name: "other parameters of sound for a moment",
        harm: |sent| {
            let mut audio = configs().1;
            (audio.record, audio.channels) = (b"\x11\x90"[..].into(), 2);
            change_at(sent, 6_300, FeedEvent::Audio(audio));
            change_at(sent, 6_320, FeedEvent::Audio(configs().1));
        },
        lost: (0, 1),
        ..GOOD
    },
    Case {
        name: "the same parameters again and again",
        harm: |sent| {
            for n in 1..12 {
                change_at(sent, n * 1_000, FeedEvent::Video(configs().0));
                change_at(sent, n * 1_000 + 300, FeedEvent::Audio(configs().1));
            }
        },
        ..GOOD
    },
    Case {
        name: "empty frames",
        harm: |sent| {
            for frame in frames_from(sent, 3_000).skip(1).step_by(5) {
                frame.data = Default::default();
            }
        },
        lost: (200, 200),
        ..GOOD
    },
    Case {
        name: "a key frame is missing",
        harm: |sent| sent.retain(|at| !at.is(Kind::Video) || at.ms != 6_000),
        ..GOOD
    },
];

fn change_at(sent: &mut Vec<At>, ms: u64, event: FeedEvent) {
    let to = sent.iter().position(|at| at.ms >= ms).unwrap();
    sent.insert(to, At { ms, event });
}

/// What is wrong with what came of a case, in segments, or in low latency.
fn faults(case: &Case, reorders: bool, in_parts: bool) -> Vec<String> {
    let mut sent = Encoder { reorders, ..Encoder::default() }.sends(0, 12_000);
    (case.harm)(&mut sent);
    let way = if in_parts { Way::in_parts(2_000, PART_MS) } else { Way::new(2_000) };
    let way = fed(way, &sent);
    let (video, audio) = (lost(&way, &sent, Kind::Video), lost(&way, &sent, Kind::Audio));
    let mut faults = Vec::new();
    // The first picture of a run is shown 80 ms after it is decoded.
    let leading = if reorders { 4 * (1 + case.breaks) } else { 0 };
    let late = if in_parts { case.late } else { 0 };
    if video.len() > case.lost.0 || audio.len() > case.lost.1 + leading + late {
        faults.push(format!("lost {video:?} and {audio:?}"));
    }
    if way.long_part != (in_parts && case.stands) {
        faults.push(format!("a part is longer than one may be: {}", way.long_part));
    }
    if way.too_long {
        faults.push(format!("too long, of segments {:?}", spans(&way)));
    }
    if breaks(&way) != case.breaks {
        faults.push(format!("{} discontinuities, of segments {:?}", breaks(&way), spans(&way)));
    }
    // Whatever it was, the last seconds are there.
    let end = way.segments.last().map_or(0, |last| last.start_ms + last.duration_ms);
    if end < 11_900 {
        faults.push(format!("it ends at {end}"));
    }
    faults
}

/// What a panic says.
pub(super) fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

#[test]
fn bad_input_is_normal() {
    let ways = [(false, false), (true, false), (false, true), (true, true)];
    let all = ways.into_iter().flat_map(|way| CASES.iter().map(move |case| (case, way)));
    let faults = all.flat_map(|(case, (reorders, in_parts))| {
        let name = case.name;
        let faults = std::panic::catch_unwind(|| faults(case, reorders, in_parts));
        let faults = faults.unwrap_or_else(|panic| vec![format!("it panics: {}", said(&*panic))]);
        faults
            .into_iter()
            .map(move |fault| format!("{name}, reordered {reorders}, in parts {in_parts}: {fault}"))
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// How an encoder comes back that was lost after seven seconds and a half.
pub(super) struct Return {
    pub(super) name: &'static str,
    pub(super) end: Option<End>,
    /// For how long it was away.
    pub(super) away_ms: u64,
    /// What it sends then.
    pub(super) sends: fn() -> Vec<At>,
    breaks: usize,
}

/// It sends what it had kept as fast as it can, and then goes on as time does.
fn kept(from_ms: u64, away_ms: u64) -> Vec<At> {
    let mut sent = Encoder::default().sends(from_ms, 12_000 - from_ms);
    let live_ms = LOST_MS + away_ms - from_ms;
    sent.iter_mut().for_each(|at| at.ms = (at.ms / 20).max(at.ms.saturating_sub(live_ms)));
    sent
}

pub(super) const LOST_MS: u64 = 7_500;

pub(super) const RETURNS: &[Return] = &[
    Return {
        name: "it was started again",
        end: Some(End::Lost),
        away_ms: 3_000,
        sends: || Encoder::default().sends(0, 5_000),
        breaks: 1,
    },
    Return {
        name: "it was ended and started again",
        end: Some(End::InOrder),
        away_ms: 3_000,
        sends: || Encoder::default().sends(0, 5_000),
        breaks: 1,
    },
    Return {
        name: "it was started again before anybody knew that it was gone",
        end: None,
        away_ms: 3_000,
        sends: || Encoder::default().sends(0, 5_000),
        breaks: 1,
    },
    Return {
        name: "its clock went on, and what it made meanwhile is lost",
        end: Some(End::Lost),
        away_ms: 2_500,
        sends: || Encoder::default().sends(10_000, 4_000),
        breaks: 1,
    },
    Return {
        name: "its clock went on, and it sends what it made since the last key frame",
        end: Some(End::Lost),
        away_ms: 2_500,
        sends: || kept(7_000, 2_500),
        breaks: 0,
    },
    Return {
        name: "its clock went on, and it sends what it made since the last segment began",
        end: Some(End::Lost),
        away_ms: 1_000,
        sends: || kept(6_000, 1_000),
        breaks: 0,
    },
    Return {
        name: "it goes on at once with a key frame",
        end: Some(End::Lost),
        away_ms: 0,
        sends: || {
            let mut sent = Encoder::default().sends(7_500, 4_500);
            sent.iter_mut()
                .filter(|at| at.is(Kind::Video))
                .take(1)
                .for_each(|at| at.frame_mut().unwrap().key = true);
            sent
        },
        breaks: 0,
    },
    Return {
        name: "it comes back with another size of picture",
        end: Some(End::Lost),
        away_ms: 2_500,
        sends: || {
            let mut sent = Encoder::default().sends(10_000, 4_000);
            sent[0].event = FeedEvent::Video(other(&configs().0));
            sent
        },
        breaks: 1,
    },
    Return {
        name: "it comes back without sound",
        end: Some(End::Lost),
        away_ms: 2_500,
        sends: || Encoder { sound: false, ..Encoder::default() }.sends(0, 4_000),
        breaks: 1,
    },
];

#[test]
fn an_encoder_that_comes_back_costs_one_discontinuity_at_most_and_none_where_nothing_is_missing() {
    let ways = || [("in segments", Way::new(2_000)), ("in parts", Way::in_parts(2_000, PART_MS))];
    for (Return { name, end, away_ms, sends, breaks: expected }, (what, mut way)) in
        RETURNS.iter().flat_map(|back| ways().map(|way| (back, way)))
    {
        let name = format!("{name}, {what}");
        let first = Encoder::default().sends(0, LOST_MS);
        publish(&mut way, 0, &first);
        way.at(LOST_MS);
        if let Some(end) = end {
            way.end(*end);
        }
        let again = sends();
        publish(&mut way, LOST_MS + away_ms, &again);
        way.finish();
        assert_eq!(breaks(&way), *expected, "{name}: {:?}", spans(&way));
        // The playlist is the same one: the linter followed it all along. Nothing that came is missing.
        for (sent, kind) in [(&first, Kind::Video), (&again, Kind::Video), (&first, Kind::Audio)] {
            let lost = lost(&way, sent, kind);
            assert!(lost.is_empty(), "{name}: lost {lost:?} of {kind:?} in {:?}", spans(&way));
        }
        assert!(!way.too_long && !way.long_part, "{name}: {:?}", spans(&way));
    }
}

#[test]
fn an_encoder_that_comes_and_goes_without_a_picture_changes_nothing() {
    let mut way = Way::new(2_000);
    publish(&mut way, 0, &Encoder::default().sends(0, 7_000));
    way.end(End::Lost);
    for n in 0..5 {
        // Its parameters, and three pictures that nobody can begin with.
        let mut sent = Encoder::default().sends(40, 120);
        sent.retain(|at| !at.is(Kind::Audio));
        publish(&mut way, 7_500 + n * 400, &sent);
        way.end(if n % 2 == 0 { End::Lost } else { End::InOrder });
    }
    publish(&mut way, 10_000, &Encoder::default().sends(0, 4_000));
    way.finish();
    assert_eq!(breaks(&way), 1, "{:?}", spans(&way));
}

#[test]
fn ten_and_a_hundred_and_twenty_frames_a_second_are_whole() {
    for (frames_a_second, of_segment) in [(10, 20), (24, 48), (50, 100), (60, 120), (120, 240)] {
        for reorders in [false, true] {
            let encoder = Encoder { frames_a_second, gop_ms: 2_000, reorders, ..Encoder::default() };
            let sent = encoder.sends(0, 8_000);
            let way = way_of(2_000, &sent);
            assert_eq!(lost(&way, &sent, Kind::Video), [0; 0]);
            assert_eq!((way.segments.len(), breaks(&way), way.too_long), (4, 0, false));
            for segment in &way.segments {
                assert_eq!(segment.video.len(), of_segment);
            }
            // The last one's end is a guess.
            let durations = way.segments[..3].iter().map(|segment| segment.duration_ms);
            assert_eq!(durations.collect::<Vec<_>>(), [2_000; 3]);
        }
    }
}

#[test]
fn key_frames_that_are_further_apart_than_segments_make_longer_ones() {
    let sent = Encoder { gop_ms: 10_000, ..Encoder::default() }.sends(0, 40_000);
    let way = way_of(2_000, &sent);
    assert_eq!(spans(&way), [(0, 10_000), (10_000, 10_000), (20_000, 10_000), (30_000, 10_000)]);
    assert!(way.playlist.contains("#EXT-X-TARGETDURATION:10\n") && !way.too_long);
    assert_eq!((lost(&way, &sent, Kind::Video), lost(&way, &sent, Kind::Audio)), (vec![], vec![]));
}

#[test]
fn no_key_frame_for_more_than_a_minute_loses_nothing_and_breaks_no_promise() {
    let mut sent = Encoder { gop_ms: 2_000, ..Encoder::default() }.sends(0, 100_000);
    for frame in sent.iter_mut().filter_map(At::frame_mut) {
        frame.key &= frame.kind == Kind::Audio || !(10_000..90_000).contains(&frame.dts_ms);
    }
    let way = way_of(2_000, &sent);
    assert!(!way.too_long && breaks(&way) == 0, "{:?}", spans(&way));
    assert_eq!((lost(&way, &sent, Kind::Video), lost(&way, &sent, Kind::Audio)), (vec![], vec![]));
    let dependent = way.segments.iter().filter(|segment| !segment.video[0].key);
    assert!(dependent.count() > 30, "{:?}", spans(&way));
    let end = way.segments.last().map(|last| last.start_ms + last.duration_ms);
    assert_eq!(end, Some(100_000));
}

#[test]
fn a_clock_that_is_too_fast_or_too_slow_is_followed_without_a_seam() {
    // A tenth of a percent, for an hour: three and a half seconds.
    for per_mille in [999, 1001] {
        let encoder = Encoder { frames_a_second: 10, gop_ms: 2_000, sound: false, ..Encoder::default() };
        let mut sent = encoder.sends(0, 3_600_000);
        for at in &mut sent {
            at.ms = at.ms * per_mille / 1000;
        }
        let way = way_of(2_000, &sent);
        assert_eq!((way.segments.len(), breaks(&way), way.too_long), (1800, 0, false));
        assert!(way.segments.iter().all(|segment| segment.duration_ms == 2_000));
    }
}

/// Sound comes in pieces of this length, each when it is whole.
fn in_pieces(sent: &mut [At], piece_ms: u64) {
    for at in sent.iter_mut().filter(|at| at.is(Kind::Audio)) {
        at.ms = (at.ms / piece_ms + 1) * piece_ms;
    }
    sent.sort_by_key(|at| at.ms);
}

/// PES packets of a transport stream may hold as much: 0.7 s (ISO/IEC 13818-1, 2.7.4).
#[test]
fn sound_that_comes_in_long_pieces_is_whole_and_nothing_is_put_in_its_place() {
    for (frames_a_second, piece_ms) in
        [(25, 360), (25, 470), (25, 500), (25, 700), (6, 360), (6, 700), (4, 360), (4, 700)]
    {
        let mut sent = Encoder { frames_a_second, gop_ms: 2_000, ..Encoder::default() }.sends(0, 60_000);
        in_pieces(&mut sent, piece_ms);
        let way = way_of(2_000, &sent);
        let what = format!("{piece_ms} ms beside {frames_a_second} pictures a second");
        let frames = sent.iter().filter(|at| at.is(Kind::Audio)).count();
        let lost = lost(&way, &sent, Kind::Audio);
        assert!(lost.is_empty(), "{what}: {} of {frames} are lost, the first at {} ms", lost.len(), lost[0]);
        assert_eq!(way.segments.iter().map(|segment| segment.audio.len()).sum::<usize>(), frames, "{what}");
        assert!(!way.notes.iter().any(|note| matches!(note, Note::Silent(_))), "{what}: {:?}", way.notes);
        assert_eq!((breaks(&way), way.too_long), (0, false), "{what}: {:?}", spans(&way));
        // Each piece is in the segment during which it is decoded.
        for segment in &way.segments {
            let (from, to) = (segment.start_ms * 90, (segment.start_ms + segment.duration_ms) * 90);
            assert!(segment.audio.iter().all(|frame| (from..to).contains(&frame.dts)), "{what}: from {from}");
        }
    }
}

#[test]
fn sound_that_its_encoder_held_up_takes_the_place_of_silence_of_which_nothing_was_cut() {
    // What was not sent from 6.1 s on comes at 7.8 s, or behind a cut.
    for (from, to, left) in [(6_100, 7_800, 7_800), (5_000, 6_600, 6_000)] {
        let mut sent = Encoder { gop_ms: 2_000, ..Encoder::default() }.sends(0, 20_000);
        sent.iter_mut()
            .filter(|at| at.is(Kind::Audio) && (from..to).contains(&at.ms))
            .for_each(|at| at.ms = to);
        sent.sort_by_key(|at| at.ms);
        let way = way_of(2_000, &sent);
        let lost = lost(&way, &sent, Kind::Audio);
        let expected = sent.iter().filter_map(At::frame).filter(|frame| frame.kind == Kind::Audio);
        let expected = expected.filter(|frame| (from as i64..left).contains(&frame.dts_ms)).count();
        let expected = if left == 6_000 { expected } else { 0 };
        assert!(lost.len().abs_diff(expected) <= 1, "{} are lost: {lost:?}", lost.len());
        // There is silence in the place of what was lost.
        let times: Vec<i64> = way.segments.iter().flat_map(|of| &of.audio).map(|frame| frame.dts).collect();
        assert!(times.windows(2).all(|pair| (1_800..3_900).contains(&(pair[1] - pair[0]))), "{times:?}");
        assert_eq!((breaks(&way), way.inits.len()), (0, 1), "{:?}", spans(&way));
    }
}

#[test]
fn sound_that_comes_a_moment_late_takes_the_place_of_silence_without_a_break_or_a_picture_lost() {
    let mono = aac::config(&Bytes::from_static(&[0x11, 0x88])).unwrap();
    for told in [silence::usual(), mono] {
        let mut sent = Encoder::default().sends(0, 12_000);
        sent.retain(|at| !matches!(at.event, FeedEvent::Audio(_)));
        sent.retain(|at| !at.is(Kind::Audio) || at.ms >= 800);
        // Its first frames belong before what came.
        let late = |at: &At| if at.is(Kind::Audio) { at.ms.max(1_200) } else { at.ms };
        sent.sort_by_key(late);
        let to = sent.iter().position(|at| late(at) >= 1_200).unwrap();
        sent.insert(to, At { ms: 1_200, event: FeedEvent::Audio(told) });
        let way = way_of(2_000, &sent);
        assert_eq!((lost(&way, &sent, Kind::Video), lost(&way, &sent, Kind::Audio)), (vec![], vec![]));
        assert_eq!((breaks(&way), way.inits.len()), (0, 1), "{:?}", spans(&way));
        let first = way.segments[0].audio.first().map(|first| first.dts / 90);
        assert!(first.is_some_and(|ms| (0..25).contains(&ms)), "silence before it: {first:?}");
    }
}
