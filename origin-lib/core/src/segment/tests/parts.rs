//! Parts: where they are cut, and that they are their segment.

use super::*;
use crate::fmp4;

const PART_MS: u32 = 334;

/// A part, or the segment that it belongs to.
type Given = Result<Part, Cut>;

fn given(part_ms: u32, inputs: impl IntoIterator<Item = Input>) -> Vec<Given> {
    given_by(Segmenter::new(2000).with_parts(part_ms), inputs)
}

fn given_by(mut segmenter: Segmenter, inputs: impl IntoIterator<Item = Input>) -> Vec<Given> {
    let mut all = Vec::new();
    let mut drain = |segmenter: &mut Segmenter| {
        while let Some(event) = segmenter.poll() {
            match event {
                Event::Part(part) => all.push(Ok(*part)),
                Event::Cut(cut) => all.push(Err(*cut)),
                Event::Forced(_) => {}
            }
        }
    };
    for input in inputs {
        segmenter.handle(input);
        drain(&mut segmenter);
    }
    segmenter.finish();
    drain(&mut segmenter);
    all
}

fn with_tracks(inputs: &[Input]) -> impl Iterator<Item = Input> {
    both().into_iter().chain(inputs.iter().cloned())
}

/// Each segment with its parts.
fn segments(given: Vec<Given>) -> Vec<(Vec<Part>, Cut)> {
    let (mut parts, mut segments) = (Vec::new(), Vec::new());
    for one in given {
        match one {
            Ok(part) => parts.push(part),
            Err(cut) => segments.push((core::mem::take(&mut parts), cut)),
        }
    }
    assert_eq!(parts, [], "parts without their segment");
    segments
}

fn picture(ms: i64) -> Input {
    if ms == 0 { key(ms) } else { video(ms) }
}

/// Two segments of frames at these milliseconds; how long the parts of the first one are.
fn durations(part_ms: u32, frames: impl Iterator<Item = i64>) -> Vec<u32> {
    let all = [Input::Video(avc(0))].into_iter().chain(frames.map(picture)).chain([key(2000)]);
    let segments = segments(given(part_ms, all));
    segments[0].0.iter().map(|part| part.duration / 90).collect()
}

/// The parts of the first of two segments of such frames with sound beside them.
fn beside_sound(part_ms: u32, frames: impl Iterator<Item = i64>) -> Vec<Part> {
    let mut all: Vec<(i64, Input)> = frames.map(|ms| (ms, picture(ms))).collect();
    all.extend((0..2000).step_by(20).map(|ms| (ms, audio(ms))));
    all.sort_by_key(|(ms, _)| *ms);
    let all = both().into_iter().chain(all.into_iter().map(|(_, input)| input));
    segments(given(part_ms, all.chain([key(2000), audio(2000)]))).remove(0).0
}

#[test]
fn parts_are_as_long_as_whole_frames_allow() {
    let every = |step: usize| (0..2000).step_by(step);
    // Thirty frames a second, as RTMP rounds them.
    let thirty = || (0..60).map(|n| n * 1000 / 30);
    assert_eq!(durations(334, every(40)), [320, 320, 320, 320, 320, 320, 80]);
    assert_eq!(durations(334, thirty()), [333, 333, 334, 333, 333, 334]);
    assert_eq!(durations(500, every(20)), [500; 4]);
    assert_eq!(durations(1000, every(40)), [1000; 2]);
    assert_eq!(durations(250, every(100)), [250; 8], "two frames are too few, three do not fit");
    assert_eq!(durations(100, every(500)), [500; 4], "a frame is not cut where nothing is beside it");
}

#[test]
fn a_picture_that_stands_makes_no_part_too_long_or_too_short() {
    let frames = || [0, 40, 80, 120, 160, 200, 500, 540, 580, 620, 1900].into_iter();
    // The one at 200 is shown up to 500, where no part may end that begins at 0; nor may one end at 200, which is too early.
    let parts = beside_sound(334, frames());
    let seen: Vec<_> = parts.iter().map(|part| (part.duration / 90, part.cut.video.len())).collect();
    assert_eq!(seen, [(334, 6), (286, 3), (334, 1), (334, 0), (334, 0), (334, 1), (44, 0)]);
    // Each has the sound that belongs there, and says whether one can begin with its pictures.
    let mut at = parts[0].of;
    for (n, part) in parts.iter().enumerate() {
        let end = MediaTime(at.0 + u64::from(part.duration));
        assert_eq!(part.start, at);
        assert!(part.cut.audio.iter().all(|frame| (at..end).contains(&frame.dts)));
        assert_eq!(part.independent, n == 0);
        at = end;
    }
    assert_eq!(parts.iter().map(|part| part.cut.audio.len()).sum::<usize>(), 100);
    // The boxes of a part begin where its own first picture does.
    let begin = |n: usize| (ms(parts[n].start), ms(parts[n].cut.start), ms(parts[n].cut.video[0].dts));
    assert_eq!((begin(1), begin(2)), ((334, 500, 500), (620, 620, 620)));
    // Without sound there is nothing to give out while a picture stands.
    assert_eq!(durations(334, frames()), [334, 286, 1002, 334]);
}

#[test]
fn a_part_that_begins_with_a_key_frame_says_so() {
    let frames = (0..50).map(|n| if n % 25 == 0 { key(n * 40) } else { video(n * 40) });
    let all = [Input::Video(avc(0))].into_iter().chain(frames).chain([key(2000)]);
    let segments = segments(given(1000, all));
    let independent: Vec<bool> = segments[0].0.iter().map(|part| part.independent).collect();
    assert_eq!(independent, [true, true]);
    let frames = (0..50).map(|n| if n % 50 == 0 { key(n * 40) } else { video(n * 40) });
    let all = [Input::Video(avc(0))].into_iter().chain(frames).chain([key(2000)]);
    let of_first = |given: Vec<Given>| super::parts::segments(given).remove(0).0;
    let independent: Vec<bool> = of_first(given(1000, all)).iter().map(|part| part.independent).collect();
    assert_eq!(independent, [true, false]);
}

#[test]
fn a_part_comes_as_soon_as_its_video_and_its_audio_are_there() {
    let mut segmenter = Segmenter::new(2000).with_parts(200);
    let mut parts = |inputs: Vec<Input>| -> Vec<(i64, usize, usize)> {
        inputs.into_iter().for_each(|input| segmenter.handle(input));
        let events = std::iter::from_fn(|| segmenter.poll());
        let parts = events.filter_map(|event| match event {
            Event::Part(part) => Some((ms(part.cut.start), part.cut.video.len(), part.cut.audio.len())),
            _ => None,
        });
        parts.collect()
    };
    assert_eq!(parts(both()), []);
    assert_eq!(parts(vec![key(0), audio(0), video(100), audio(150)]), []);
    assert_eq!(parts(vec![video(200)]), [], "its audio may still come");
    assert_eq!(parts(vec![audio(190), audio(210)]), [(0, 2, 3)]);
    // Audio that stays away holds a part for no longer than another part's duration.
    assert_eq!(parts(vec![video(300), video(400), video(500)]), []);
    assert_eq!(parts(vec![video(600)]), [(200, 2, 1)]);
    assert_eq!(parts(vec![audio(390), audio(610)]), [(400, 2, 1)], "what comes late is in a later part");
}

#[test]
fn the_first_parts_wait_while_a_track_may_join() {
    let mut segmenter = Segmenter::new(2000).with_parts(200);
    segmenter.handle(Input::Video(avc(0)));
    (0..10).for_each(|n| segmenter.handle(if n == 0 { key(0) } else { video(n * 100) }));
    assert_eq!(segmenter.poll(), None);
    segmenter.handle(Input::Audio(aac(0)));
    segmenter.handle(audio(900));
    let parts = std::iter::from_fn(|| segmenter.poll());
    let tracks = parts.map(|event| matches!(event, Event::Part(part) if part.cut.tracks.audio.is_some()));
    assert_eq!(tracks.collect::<Vec<_>>(), [true; 4]);
}

#[test]
fn audio_alone_has_parts_too() {
    let feed = (0..200).map(|n| audio(n * 21));
    let all = [Input::Audio(aac(0))].into_iter().chain(feed);
    for (parts, cut) in segments(given(PART_MS, all)) {
        assert!(parts.iter().all(|part| part.independent && part.duration <= 334 * 90));
        let samples: Vec<_> = parts.iter().flat_map(|part| part.cut.audio.clone()).collect();
        assert_eq!(samples, cut.audio);
    }
}

/// A picture that is shown `cts_ms` after it is decoded.
fn shown_after(ms: i64, cts_ms: i64, key: bool) -> Input {
    match sample(Kind::Video, ms, key) {
        Input::Sample(sample) => Input::Sample(Sample { cts: (cts_ms * 90) as i32, ..sample }),
        other => other,
    }
}

/// When the pictures of a cut are decoded, as its bytes say.
fn places(cut: &Cut) -> Vec<u64> {
    let (init, mut bytes) = (fmp4::init(&cut.tracks), Vec::new());
    fmp4::segment(cut, 0, &mut bytes);
    let fragments = fmp4::read::segment(&bytes, &fmp4::read::init(&init).unwrap()).unwrap();
    let pictures = fragments.iter().filter(|fragment| fragment.id == fmp4::VIDEO_TRACK);
    let of = |fragment: &fmp4::read::Fragment| {
        let times = fragment.samples.iter().scan(fragment.start, |at, sample| {
            Some(core::mem::replace(at, *at + u64::from(sample.duration)))
        });
        times.collect::<Vec<_>>()
    };
    pictures.flat_map(of).collect()
}

/// Where segments of such pictures with sound beside them start, how long they are, and how long their parts are in all, in
/// milliseconds.
fn sums(pictures: impl Iterator<Item = Input>) -> Vec<(i64, u32, u32)> {
    let beside = |(n, picture): (i64, Input)| [picture, audio(n * 40), audio(n * 40 + 20)];
    let given = given(200, both().into_iter().chain((0..).zip(pictures).flat_map(beside)));
    let sum = |parts: &[Part]| parts.iter().map(|part| part.duration).sum::<u32>() / 90;
    segments(given).iter().map(|(parts, cut)| (ms(cut.start), cut.duration / 90, sum(parts))).collect()
}

#[test]
fn a_first_picture_that_is_shown_late_makes_no_parts_that_are_longer_than_their_segment() {
    let frames = (0..75).map(|n| shown_after(n * 40, if n == 0 { 300 } else { 0 }, n % 50 == 0));
    assert_eq!(sums(frames), [(300, 1700, 1700), (2000, 1000, 1000)]);
}

#[test]
fn a_key_frame_that_is_shown_earlier_than_those_before_it_begins_where_the_parts_end_that_were_given_out() {
    let frames = (0..75).map(|n| shown_after(n * 40, if n < 50 { 280 } else { 0 }, n % 50 == 0));
    assert_eq!(sums(frames), [(280, 1800, 1800), (2080, 920, 920)]);
}

#[test]
fn a_segment_of_pictures_before_where_the_parts_end_that_were_given_out_lasts_a_moment() {
    // The key frame is the last that comes.
    let frames = (0..51).map(|n| shown_after(n * 40, if n < 50 { 280 } else { 0 }, n % 50 == 0));
    let beside = |(n, picture): (i64, Input)| [picture, audio(n * 40), audio(n * 40 + 20)];
    let segments = segments(given(200, both().into_iter().chain((0..).zip(frames).flat_map(beside))));
    let last =
        segments.last().map(|(parts, cut)| (ms(cut.start), cut.duration, cut.video.len(), parts.len()));
    assert_eq!(last, Some((2080, 90, 1, 1)));
}

#[test]
fn a_part_behind_a_hole_without_sound_is_as_long_as_its_segment() {
    for last in [2900, 2940, 2980] {
        let mut segmenter = Segmenter::new(2000).with_parts(PART_MS);
        segmenter.set_target(Some(2));
        let times = (0..=960).step_by(40).chain((2900..=last).step_by(40)).map(picture);
        let inputs = [Input::Video(avc(0))].into_iter().chain(times).chain([key(last + 40)]);
        let segments = segments(given_by(segmenter, inputs));
        let (parts, cut) = &segments[1];
        assert_eq!((ms(cut.start), i64::from(cut.duration / 90)), (1000, last + 40 - 1000));
        assert_eq!(parts.iter().map(|part| part.duration).sum::<u32>(), cut.duration);
    }
}

#[test]
fn the_sound_beside_a_hole_before_a_segments_first_picture_is_in_the_parts_of_that_time() {
    let mut segmenter = Segmenter::new(2000).with_parts(PART_MS);
    segmenter.set_target(Some(2));
    let times = || (0..=960).step_by(40).chain((2900..3000).step_by(40));
    let mut all: Vec<(i64, Input)> = times().map(|ms| (ms, picture(ms))).collect();
    all.extend((0..3200).step_by(20).map(|ms| (ms, audio(ms))));
    all.push((3000, key(3000)));
    all.sort_by_key(|(ms, _)| *ms);
    let inputs = both().into_iter().chain(all.into_iter().map(|(_, input)| input));
    let segments = segments(given_by(segmenter, inputs));
    let (parts, cut) = &segments[1];
    assert_eq!((ms(cut.start), cut.duration / 90, cut.is_dependent()), (1000, 2000, true));
    assert_eq!(parts.iter().map(|part| part.duration).sum::<u32>(), cut.duration);
    for part in parts {
        let end = MediaTime(part.start.0 + u64::from(part.duration));
        assert!(part.duration <= PART_MS * 90 && !part.cut.audio.is_empty());
        assert!(
            part.cut.audio.iter().all(|frame| (part.start..end).contains(&frame.dts)),
            "{}",
            ms(part.start)
        );
    }
}

proptest! {
    #[test]
    fn parts_tile_their_segment_and_are_its_samples(inputs in feed(), part_ms in 100..1000_u32) {
        let segments = segments(given(part_ms, with_tracks(&inputs)));
        // The intervals are the same, with and without parts, and so are the samples.
        let first_of = |cuts: &[Cut]| {
            let mut starts: Vec<_> = cuts.iter().map(|cut| cut.start).collect();
            starts.dedup_by_key(|start| object::index(*start, 2000).0);
            starts
        };
        let (whole, cuts) = (cut_all(&inputs), segments.iter().map(|(_, cut)| cut.clone()).collect::<Vec<_>>());
        prop_assert_eq!(first_of(&cuts), first_of(&whole));
        let samples = |cuts: &[Cut]| {
            let video = cuts.iter().flat_map(|cut| cut.video.clone()).collect::<Vec<_>>();
            (video, cuts.iter().flat_map(|cut| cut.audio.clone()).collect::<Vec<_>>())
        };
        prop_assert_eq!(samples(&cuts), samples(&whole));
        for (parts, cut) in segments {
            prop_assert!(!parts.is_empty());
            let mut at = cut.start;
            for (n, part) in parts.iter().enumerate() {
                prop_assert_eq!((part.of, part.cut.discontinuity), (cut.start, cut.discontinuity));
                prop_assert_eq!(part.start, at);
                let (limit, frames) = (part_ms * 90, &part.cut.video);
                let last = n + 1 == parts.len();
                // Sound may have come too late for it.
                let stands = frames.last().is_some_and(|frame| {
                    let shown = frame.dts.0 - cut.video[0].dts.0 + cut.start.0 + u64::from(limit);
                    shown < at.0 + u64::from(part.duration)
                });
                prop_assert!(part.duration <= limit || stands);
                prop_assert!(last || part.duration * 100 >= limit * 85);
                prop_assert_eq!(part.independent, frames.first().is_some_and(|first| first.key));
                at = MediaTime(at.0 + u64::from(part.duration));
            }
            // How the last frames of segments are shown differs by their offsets, and so do the last parts.
            let end = cut.start.0 + u64::from(cut.duration);
            let as_long_as_can_be = parts.last().is_some_and(|last| last.duration >= part_ms * 90);
            prop_assert!(at.0 == end || (at.0 < end && as_long_as_can_be));
            let video: Vec<_> = parts.iter().flat_map(|part| part.cut.video.clone()).collect();
            let audio: Vec<_> = parts.iter().flat_map(|part| part.cut.audio.clone()).collect();
            prop_assert_eq!((video, audio), (cut.video, cut.audio));
        }
    }

    #[test]
    fn an_origin_that_joins_later_cuts_the_same_parts(inputs in feed(), join in 0.0..1.0_f64) {
        let all = segments(given(PART_MS, with_tracks(&inputs)));
        let join = (inputs.len() as f64 * join) as usize;
        let joined = segments(given(PART_MS, with_tracks(&inputs[join..])));
        for (parts, cut) in joined.iter().skip(1) {
            if let Some((others, _)) = all.iter().skip(1).find(|(_, other)| other == cut) {
                prop_assert_eq!(parts, others);
            }
        }
    }

    /// However late pictures are shown, whichever are missing, and wherever it breaks off.
    #[test]
    fn parts_are_no_longer_than_their_segment_and_decoding_never_goes_back(
        groups in prop::collection::vec((1..40_i64, any::<bool>(), 0..2000_i64, 0..900_i64, 0..20_u8), 1..12),
        step in 10..100_i64,
        sound in any::<bool>(),
        part_ms in 100..1000_u32,
    ) {
        let (mut sent, mut at) = (Vec::new(), 0);
        for (frames, is_key, cts, hole, end) in groups {
            for n in 0..frames {
                // The first one of a group is shown later than the others, or earlier.
                let cts = match n {
                    0 => cts,
                    _ => cts / (1 + n % 3),
                };
                sent.push((at, shown_after(at, cts, n == 0 && is_key)));
                at += step;
            }
            if end == 0 {
                sent.push((at - step, Input::Discontinuity));
            }
            at += if hole < 600 { 0 } else { hole };
        }
        if sound {
            sent.extend((0..at / 20).map(|n| (n * 20, audio(n * 20))));
        }
        sent.sort_by_key(|(at, _)| *at);
        let tracks = if sound { both() } else { vec![Input::Video(avc(0))] };
        let inputs = tracks.into_iter().chain(sent.into_iter().map(|(_, input)| input));
        let (mut end, mut decoded) = (0, 0);
        for (parts, cut) in segments(given(part_ms, inputs)) {
            let long: u64 = parts.iter().map(|part| u64::from(part.duration)).sum();
            prop_assert!(long <= u64::from(cut.duration) + 1, "{long} of {}", cut.duration);
            prop_assert!(cut.start.0 >= end || cut.discontinuity);
            end = cut.start.0 + u64::from(cut.duration);
            for part in parts {
                for at in places(&part.cut) {
                    prop_assert!(at + 90 >= decoded, "from {decoded} to {at}");
                    decoded = at;
                }
            }
        }
    }
}
