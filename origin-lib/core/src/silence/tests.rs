use std::vec;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::codec::opus;
use crate::media::{Frame, VideoCoding, VideoConfig};
use crate::segment::{Event, Segmenter};
use crate::timeline::{self, Anchor, Timeline};

const START: u64 = 1_795_171_920_000 * 90;
const PICTURE: u64 = 3_600;
const FRAME: u64 = 1_920;

fn video() -> VideoConfig {
    VideoConfig {
        coding: VideoCoding::Avc,
        record: Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]),
        codec: "avc1.64001f".into(),
        width: 1280,
        height: 720,
        frame_rate_milli: None,
        colour: None,
    }
}

fn mono() -> AudioConfig {
    AudioConfig { record: Bytes::from_static(b"\x11\x88"), channels: 1, ..silence::usual() }
}

fn sample(kind: Kind, dts: u64, key: bool) -> Sample {
    let data = Bytes::from_static(b"heard");
    Sample { kind, dts: MediaTime(START + dts), cts: 0, key, leading: false, data }
}

/// Pictures, a key frame a second, and sound wherever `heard` says so, muxed so much later than they are decoded; by the ticks
/// after [`START`].
fn feed(from: u64, to: u64, late: u64, heard: impl Fn(u64) -> bool) -> Vec<Input> {
    let pictures = (0..).map(|n| n * PICTURE).map(|at| (at, sample(Kind::Video, at, at % 90_000 == 0)));
    let sounds = (0..).map(|n| n * FRAME).take_while(|at| *at < to).filter(|at| heard(*at));
    let sounds = sounds.map(|at| (at + late, sample(Kind::Audio, at, true)));
    let pictures = pictures.take_while(|(at, _)| *at < to);
    let is_in = |(at, sample): &(u64, Sample)| *at < to && sample.dts.0 >= START + from;
    let mut all: Vec<_> = pictures.chain(sounds).filter(is_in).collect();
    all.sort_by_key(|(at, sample)| (*at, sample.kind));
    all.into_iter().map(|(_, sample)| Input::Sample(sample)).collect()
}

fn told(audio: Option<AudioConfig>) -> Input {
    Input::Tracks(Tracks { video: Some(video()), audio })
}

/// Frames of sound as they come out: where, and whether they are of the feed.
type Sounds = Vec<(u64, bool)>;

fn run(silence: &mut Silence, inputs: impl IntoIterator<Item = Input>) -> (Sounds, Vec<Input>) {
    let (mut sounds, mut others) = (Vec::new(), Vec::new());
    for input in inputs {
        silence.handle(input);
        while let Some(input) = silence.poll() {
            match input {
                Input::Sample(Sample { kind: Kind::Audio, dts, data, .. }) => {
                    sounds.push((dts.0 - START, &data[..] == b"heard"));
                }
                Input::Sample(_) => {}
                other => others.push(other),
            }
        }
    }
    silence.finish();
    while let Some(Input::Sample(sample)) = silence.poll() {
        sounds.push((sample.dts.0 - START, false));
    }
    (sounds, others)
}

/// Of so many ticks, whatever lies between is as long as a frame, or nearly.
fn is_whole(sounds: &[(u64, bool)], from: u64, to: u64) {
    assert!(sounds.first().is_some_and(|(at, _)| *at < from + FRAME), "{:?}", sounds.first());
    assert!(sounds.last().is_some_and(|(at, _)| *at + 2 * FRAME > to && *at < to), "{:?}", sounds.last());
    let steps = sounds.windows(2).map(|pair| (pair[0].0, pair[1].0));
    for (at, next) in steps {
        assert!((FRAME - JITTER..2 * FRAME).contains(&next.saturating_sub(at)), "{at} to {next}");
    }
}

const S: u64 = 90_000;

#[test]
fn sound_that_is_whole_is_passed_on_as_it_is() {
    let inputs = [told(Some(mono()))].into_iter().chain(feed(0, 5 * S, 0, |_| true));
    let inputs: Vec<Input> = inputs.collect();
    let mut silence = Silence::default();
    silence.from_the_start();
    let mut out = Vec::new();
    for input in inputs.clone() {
        silence.handle(input);
        out.extend(std::iter::from_fn(|| silence.poll()));
    }
    silence.finish();
    assert_eq!((out, silence.poll(), silence.is_silent()), (inputs, None, false));
}

#[test]
fn sound_that_stops_and_comes_back_is_silence_meanwhile() {
    // Also where it is muxed late, or ahead of the picture by nothing at all.
    for late in [0, 20_000, 70_000] {
        let mut silence = Silence::default();
        let heard = |at| !(3 * S..8 * S).contains(&at);
        let inputs = [told(Some(mono()))].into_iter().chain(feed(0, 12 * S, late, heard));
        let (sounds, _) = run(&mut silence, inputs);
        is_whole(&sounds, 0, 12 * S);
        assert!(sounds.iter().all(|(at, real)| !real || heard(*at)));
        // Of what came back, no more is lost than it was late.
        let back = sounds.iter().find(|(at, real)| *real && *at >= 8 * S).unwrap().0;
        assert!(back <= 8 * S + late + 2 * PICTURE, "{back}");
        assert_eq!(silence.late() > 0, late > 0);
    }
}

/// Runs it all; how often it was said that there is silence, or that there is none any more.
fn told_silent(silence: &mut Silence, inputs: impl IntoIterator<Item = Input>) -> usize {
    let (mut told, mut silent) = (0, silence.is_silent());
    for input in inputs {
        silence.handle(input);
        while silence.poll().is_some() {}
        told += usize::from(core::mem::replace(&mut silent, silence.is_silent()) != silent);
    }
    told
}

#[test]
fn sound_goes_on_where_pictures_do_not() {
    let is = |input: &Input, lost: &dyn Fn(u64) -> bool| match input {
        Input::Sample(sample) => sample.kind == Kind::Audio || !lost(sample.dts.0 - START),
        _ => true,
    };
    let dropped = |at: u64| (2 * S + 1..2 * S + 7 * S / 2).contains(&at);
    // A picture every three seconds.
    let rare = |at: u64| !at.is_multiple_of(3 * S);
    for (what, lost) in [("dropped", &dropped as &dyn Fn(u64) -> bool), ("rare", &rare)] {
        for late in [0, 20_000, 70_000] {
            let mut silence = Silence::default();
            let sent = feed(0, 12 * S, late, |_| true).into_iter().filter(|input| is(input, lost));
            let inputs = [told(Some(mono()))].into_iter().chain(sent);
            assert_eq!((told_silent(&mut silence, inputs), silence.late()), (0, 0), "{what}, {late}");
        }
    }
}

#[test]
fn sound_is_not_said_to_be_gone_that_reaches_further_than_pictures() {
    // It comes two seconds before its pictures, and then no more: up to there, nothing is missing.
    let ahead = |to: u64| {
        let of = feed(0, 12 * S, 0, |at| at < 6 * S).into_iter();
        let (sounds, pictures): (Vec<Input>, Vec<Input>) =
            of.partition(|input| matches!(input, Input::Sample(sample) if sample.kind == Kind::Audio));
        let at = |input: &Input, by: u64| match input {
            Input::Sample(sample) => sample.dts.0 - START + by,
            _ => 0,
        };
        let mut all: Vec<(u64, Input)> = sounds.into_iter().map(|input| (at(&input, 0), input)).collect();
        all.extend(pictures.into_iter().map(|input| (at(&input, 2 * S), input)));
        all.sort_by_key(|(at, _)| *at);
        [told(Some(mono()))].into_iter().chain(all.into_iter().map(|(_, input)| input)).take_while(
            move |input| !matches!(input, Input::Sample(s) if s.kind == Kind::Video && s.dts.0 - START >= to),
        )
    };
    let mut silence = Silence::default();
    assert_eq!(told_silent(&mut silence, ahead(6 * S)), 0);
    let mut silence = Silence::default();
    assert_eq!(told_silent(&mut silence, ahead(12 * S)), 1);
    assert!(silence.is_silent());
}

#[test]
fn a_hole_in_sound_is_filled_where_players_would_stand_still() {
    for (hole, filled) in [(9, true), (3, false)] {
        let mut silence = Silence::default();
        let heard = |at| !(100..100 + hole).contains(&(at / FRAME));
        let inputs = [told(Some(mono()))].into_iter().chain(feed(0, 5 * S, 0, heard));
        let (sounds, _) = run(&mut silence, inputs);
        assert_eq!(sounds.iter().filter(|(_, real)| !real).count() as u64, if filled { hole } else { 0 });
        if filled {
            is_whole(&sounds, 0, 5 * S);
        }
    }
}

/// Of Opus, as a transport stream and WHIP tell it: a packet may be as long as it pleases.
fn opus_config() -> AudioConfig {
    opus::config(&[1, 2, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0]).unwrap()
}

/// One frame of 20 ms.
const OPUS: u64 = 1_800;

/// Pictures, and Opus in packets of so many frames, of which those are lost that begin within `lost`.
fn packets(frames: u8, (from, to): (u64, u64), lost: core::ops::Range<u64>) -> Vec<Input> {
    let len = u64::from(frames) * OPUS;
    let data = Bytes::copy_from_slice(&[31 << 3 | 3, frames, b'x']);
    assert_eq!(opus::packet_len(&data), Some(u32::from(frames) * 960));
    let pictures = (0..).map(|n| n * PICTURE).take_while(|at| *at < to);
    let pictures = pictures.map(|at| (at, sample(Kind::Video, at, at % 90_000 == 0)));
    let sounds = (0..).map(|n| n * len).take_while(|at| *at < to).filter(|at| !lost.contains(at));
    let sounds = sounds.map(|at| (at, Sample { data: data.clone(), ..sample(Kind::Audio, at, true) }));
    let mut all: Vec<_> = pictures.chain(sounds).filter(|(at, _)| *at >= from).collect();
    all.sort_by_key(|(at, sample)| (*at, sample.kind));
    [told(Some(opus_config()))]
        .into_iter()
        .chain(all.into_iter().map(|(_, sample)| Input::Sample(sample)))
        .collect()
}

/// All that comes out.
fn given(inputs: &[Input]) -> Vec<Input> {
    let mut silence = Silence::default();
    let mut out = Vec::new();
    for input in inputs {
        silence.handle(input.clone());
        out.extend(core::iter::from_fn(|| silence.poll()));
    }
    silence.finish();
    out.extend(core::iter::from_fn(|| silence.poll()));
    out
}

/// What came out that did not go in, by the ticks after [`START`].
fn added(inputs: &[Input]) -> Vec<u64> {
    let added = given(inputs).into_iter().filter(|input| !inputs.contains(input));
    let times = added.map(|input| match input {
        Input::Sample(Sample { kind: Kind::Audio, dts, .. }) => dts.0 - START,
        other => panic!("{other:?}"),
    });
    times.collect()
}

#[test]
fn packets_of_opus_are_as_long_as_they_say_and_no_silence_goes_into_their_time() {
    // All lengths up to 120 ms end where the pictures do.
    let to = 48 * S / 10;
    for frames in 1..=6 {
        let inputs = packets(frames, (0, to), 0..0);
        assert_eq!(given(&inputs), inputs, "{frames}");
    }
}

#[test]
fn of_a_lost_packet_of_opus_exactly_its_time_is_silent_where_players_would_stand_still() {
    let to = 48 * S / 10;
    for (frames, lost, silent) in [(6, 1, true), (5, 1, true), (3, 1, false), (3, 2, true), (1, 6, true)] {
        let at = 10 * u64::from(frames) * OPUS;
        let end = at + lost * u64::from(frames) * OPUS;
        let expected: Vec<u64> = if silent { (at..end).step_by(OPUS as usize).collect() } else { vec![] };
        assert_eq!(added(&packets(frames, (0, to), at..end)), expected, "{lost} of {frames}");
    }
}

/// Pictures, and sound of which the encoder gives so many frames one time, as they come behind a timeline.
fn together(frames: u64, (from, to): (u64, u64), lost: core::ops::Range<u64>) -> Vec<Input> {
    let anchor = Anchor { feed_ms: 0, utc: MediaTime(START).utc() };
    let mut timeline = Timeline::new(anchor, MediaTime::default());
    let data = Bytes::from_static(b"heard");
    let frame = |kind, at: u64, key| Frame {
        kind,
        dts_ms: (at / 90) as i64,
        cts: 0,
        key,
        leading: false,
        data: data.clone(),
    };
    let pictures = (0..).map(|n| n * PICTURE).take_while(|at| *at < to);
    let pictures = pictures.map(|at| frame(Kind::Video, at, at % 90_000 == 0));
    let sounds = (0..).map(|n| n / frames * frames * FRAME).take_while(|at| *at < to);
    let sounds = sounds.filter(|at| !lost.contains(at)).map(|at| frame(Kind::Audio, at, true));
    let mut all: Vec<_> = pictures.chain(sounds).filter(|frame| frame.dts_ms >= (from / 90) as i64).collect();
    all.sort_by_key(|frame| (frame.dts_ms, frame.kind));
    let mut inputs = vec![told(Some(mono()))];
    for frame in all {
        timeline.handle(frame, MediaTime(START).utc());
        inputs.extend(core::iter::from_fn(|| timeline.poll()).filter_map(|event| match event {
            timeline::Event::Sample(sample) => Some(Input::Sample(sample)),
            timeline::Event::Jumped(_) => None,
        }));
    }
    inputs
}

#[test]
fn frames_that_have_one_time_last_as_long_as_others_and_get_no_silence_between_them() {
    // 32 of them are nearly what a PES packet may hold.
    for frames in [1, 2, 6, 10, 32] {
        // Pictures and sound end together.
        let to = 30 * frames * FRAME;
        let inputs = together(frames, (0, to), 0..0);
        assert_eq!(added(&inputs), Vec::<u64>::new(), "{frames}");
        // Of what is lost, it is known where it would have been.
        let at = 10 * frames * FRAME;
        let added = added(&together(frames, (0, to), at..at + 1));
        let expected =
            if frames < 6 { vec![] } else { (at..at + frames * FRAME).step_by(FRAME as usize).collect() };
        assert_eq!(added, expected, "{frames}");
    }
}

#[test]
fn invariant_3_an_origin_that_joins_between_frames_of_one_time_makes_the_same() {
    // Every 16 seconds a key frame has the time of six frames of sound; those of a later time are lost.
    let (from, to, at) = (16 * S, 18 * S, 16 * S + 60 * FRAME);
    let of = |from| given(&together(6, (from, to), at..at + 1));
    let (whole, joined) = (of(0), of(from));
    assert!(joined.len() > 100);
    assert_eq!(joined[1..], whole[whole.len() + 1 - joined.len()..]);
}

#[test]
fn more_frames_of_one_time_than_make_sense_do_not_hide_that_sound_has_gone() {
    // Three seconds of them, and then none.
    let added = added(&together(140, (0, 5 * S), 1..5 * S));
    assert!(added.first().is_some_and(|first| *first < S), "{:?}", added.first());
}

#[test]
fn invariant_3_an_origin_that_joins_amid_a_packet_makes_the_same() {
    // Of packets of 120 ms, the first one begins 80 ms behind the first picture.
    let (from, to) = (S, 48 * S / 10);
    let (whole, joined) = (given(&packets(6, (0, to), 0..0)), given(&packets(6, (from, to), 0..0)));
    assert!(joined.len() > 100);
    assert_eq!(joined[1..], whole[whole.len() + 1 - joined.len()..]);
}

#[test]
fn invariant_3_an_origin_that_joins_amid_silence_makes_the_same() {
    // Frames of no grid of ours: the feed's begin wherever they do.
    let shifted = |inputs: Vec<Input>| {
        inputs.into_iter().map(|input| match input {
            Input::Sample(sample) if sample.kind == Kind::Audio => {
                Input::Sample(Sample { dts: MediaTime(sample.dts.0 + 700), ..sample })
            }
            other => other,
        })
    };
    let heard = |at| !(3 * S..=9 * S).contains(&at);
    let of = |from| {
        let mut silence = Silence::default();
        let inputs = [told(Some(mono()))].into_iter().chain(shifted(feed(from, 12 * S, 0, heard)));
        run(&mut silence, inputs).0
    };
    let (whole, joined) = (of(0), of(5 * S));
    is_whole(&joined, 5 * S, 12 * S);
    let rest: Sounds = whole.into_iter().filter(|(at, _)| *at >= joined[0].0).collect();
    assert_eq!(joined, rest);
}

#[test]
fn a_feed_that_comes_back_without_sound_keeps_the_track() {
    let mut silence = Silence::default();
    let first = [told(Some(mono()))].into_iter().chain(feed(0, 3 * S, 0, |_| true));
    let again = [Input::Discontinuity, told(None)].into_iter().chain(feed(5 * S, 8 * S, 0, |_| false));
    let (sounds, others) = run(&mut silence, first.chain(again));
    let (before, after): (Sounds, Sounds) = sounds.into_iter().partition(|(at, _)| *at < 4 * S);
    is_whole(&before, 0, 3 * S);
    is_whole(&after, 5 * S, 8 * S);
    assert!(silence.is_silent() && after.iter().all(|(_, real)| !real));
    let kept = told(Some(mono()));
    assert_eq!(others, [kept.clone(), Input::Discontinuity, kept, Input::Guessed(mono())]);
}

#[test]
fn where_a_run_begins_or_ends_with_a_picture_alone_it_has_silence() {
    let mut silence = Silence::default();
    let heard = |at| (S / 3..2 * S).contains(&at);
    let inputs = [told(Some(mono()))].into_iter().chain(feed(0, 2 * S + S / 4, 0, heard));
    let (sounds, _) = run(&mut silence, inputs);
    is_whole(&sounds, 0, 2 * S + S / 4);
}

#[test]
fn where_sound_is_ahead_of_a_picture_that_changes_none_is_given_twice() {
    // The picture is encoded so much later: its sound, and some of what follows, is there when it changes.
    for ahead in [FRAME / 2, 4 * FRAME, 30_000] {
        let at = |input: &Input| match input {
            Input::Sample(sample) if sample.kind == Kind::Video => sample.dts.0 + ahead,
            Input::Sample(sample) => sample.dts.0,
            _ => 0,
        };
        let mut inputs = feed(0, 6 * S, 0, |_| true);
        inputs.sort_by_key(at);
        let smaller = VideoConfig { width: 320, height: 180, ..video() };
        let is_next = |input: &Input| at(input) == START + 3 * S + ahead;
        let next = inputs.iter().position(is_next).unwrap();
        inputs.insert(next, Input::Video(smaller));
        inputs.insert(0, told(Some(mono())));
        let (mut silence, mut segmenter) = (Silence::default(), Segmenter::new(2_000));
        let mut sounds = Vec::new();
        let mut take = |segmenter: &mut Segmenter| {
            while let Some(event) = segmenter.poll() {
                let Event::Cut(cut) = event else { continue };
                sounds.extend(
                    cut.audio.iter().map(|sample| (sample.dts.0 - START, &sample.data[..] == b"heard")),
                );
            }
        };
        for input in inputs {
            silence.handle(input);
            while let Some(input) = silence.poll() {
                segmenter.handle(input);
            }
            take(&mut segmenter);
        }
        segmenter.finish();
        take(&mut segmenter);
        // Of the sound before the first picture, no segment has any.
        is_whole(&sounds, FRAME, 6 * S);
        assert!(sounds.iter().all(|(at, real)| *real || *at < ahead), "{ahead}");
    }
}

#[test]
fn what_is_taken_back_of_a_run_that_sound_reached_into_is_not_given_again() {
    let mut silence = Silence::default();
    let take = |silence: &mut Silence, input: Input| {
        silence.handle(input);
        std::iter::from_fn(|| silence.poll()).collect::<Vec<_>>()
    };
    take(&mut silence, told(Some(mono())));
    take(&mut silence, Input::Sample(sample(Kind::Video, 0, true)));
    for n in 0..20 {
        take(&mut silence, Input::Sample(sample(Kind::Audio, n * FRAME, true)));
    }
    // The picture changes, no sound comes beside it for a while, and then another one.
    take(&mut silence, Input::Video(VideoConfig { width: 320, height: 180, ..video() }));
    let given: usize = (1..50)
        .flat_map(|n| take(&mut silence, Input::Sample(sample(Kind::Video, n * PICTURE, n == 1))))
        .filter(|input| matches!(input, Input::Sample(sample) if sample.kind == Kind::Audio))
        .count();
    assert!(given > 0, "it is silent");
    let other = Input::Audio(silence::usual());
    assert!(silence.was_premature(&other));
    silence.take_back();
    assert_eq!(take(&mut silence, other.clone()), [other]);
    // As behind other sound, what is no longer than a frame or two is no hole.
    let next = Input::Sample(sample(Kind::Audio, 21 * FRAME + FRAME / 2, true));
    assert_eq!(take(&mut silence, next.clone()), [next]);
}

#[test]
fn a_channel_that_never_had_sound_is_silent_where_it_is_to_be() {
    let inputs = || [Input::Video(video())].into_iter().chain(feed(0, 3 * S, 0, |_| false));
    let (sounds, others) = run(&mut Silence::default(), inputs());
    assert_eq!((sounds, others), (vec![], vec![Input::Video(video())]));
    let mut silence = Silence::default();
    silence.from_the_start();
    let (sounds, others) = run(&mut silence, inputs());
    is_whole(&sounds, 0, 3 * S);
    assert_eq!(others, [Input::Video(video()), Input::Guessed(silence::usual())]);
    assert!(!silence.is_silent(), "nothing is missing that was there");
}

#[test]
fn sound_that_does_not_come_back_after_a_restart_is_said_to_be_missing() {
    let after = |had: AudioConfig, from_the_start: bool| {
        let mut silence = Silence::default();
        if from_the_start {
            silence.from_the_start();
        }
        silence.had(&had);
        let inputs = [Input::Video(video())].into_iter().chain(feed(0, 3 * S, 0, |_| false));
        let (sounds, others) = run(&mut silence, inputs);
        is_whole(&sounds, 0, 3 * S);
        assert_eq!(others, [Input::Video(video()), Input::Guessed(had)]);
        silence.is_silent()
    };
    assert!(after(mono(), true) && after(mono(), false));
    assert!(after(silence::usual(), false), "nothing but a feed gives this channel sound");
    assert!(!after(silence::usual(), true), "it may be the silent track of a channel that never had any");
}

#[test]
fn a_guess_gives_way_to_what_is_told_a_moment_later() {
    let mut silence = Silence::default();
    silence.from_the_start();
    let mut segmenter = Segmenter::new(2000);
    let mut cuts = Vec::new();
    let inputs = [Input::Video(video())].into_iter().chain(feed(0, S / 5, 0, |_| false));
    let inputs = inputs.chain([Input::Audio(mono())]).chain(feed(S / 5, 9 * S, 0, |_| true));
    for input in inputs {
        silence.handle(input);
        while let Some(input) = silence.poll() {
            segmenter.handle(input);
        }
        cuts.extend(std::iter::from_fn(|| segmenter.poll()).filter_map(|event| match event {
            Event::Cut(cut) => Some(cut),
            _ => None,
        }));
    }
    assert!(cuts.len() >= 3);
    for (n, cut) in cuts.iter().enumerate() {
        assert_eq!((cut.tracks.audio.as_ref(), cut.discontinuity), (Some(&mono()), n == 0));
    }
}

#[test]
fn another_clock_is_no_hole() {
    let mut silence = Silence::default();
    let far = 100 * S;
    let inputs = [told(Some(mono()))].into_iter().chain(feed(0, S, 0, |_| true));
    let inputs = inputs.chain(feed(far, far + 3 * S, 0, |at| at > far + S));
    let (sounds, _) = run(&mut silence, inputs);
    assert!(sounds.len() < 200, "{}", sounds.len());
    assert!(sounds.is_sorted());
}

/// Other sound from so many ticks on, in the order in which it is muxed, with pictures up to 6 s, so many ticks late; no key frame but at 0 and 4 s.
fn changes(at: u64, late: u64) -> Vec<Input> {
    let mut inputs = feed(0, 6 * S, late, |_| true);
    for input in &mut inputs {
        let Input::Sample(sample) = input else { continue };
        if sample.kind == Kind::Video {
            sample.key = (sample.dts.0 - START).is_multiple_of(4 * S);
        } else if sample.dts.0 >= START + at {
            sample.data = Bytes::from_static(b"other");
        }
    }
    let is_other = |input: &Input| matches!(input, Input::Sample(sample) if &sample.data[..] == b"other");
    let first = inputs.iter().position(is_other).unwrap();
    inputs.insert(first, Input::Audio(silence::usual()));
    inputs.insert(0, told(Some(mono())));
    inputs
}

#[test]
fn sound_of_other_parameters_waits_for_a_key_frame_and_no_picture_is_lost() {
    for late in [0, 20_000, 70_000] {
        let (mut silence, mut segmenter) = (Silence::default(), Segmenter::new(2_000));
        let (mut cuts, mut pictures) = (Vec::new(), 0);
        for input in changes(5 * FRAME, late) {
            pictures += usize::from(matches!(&input, Input::Sample(sample) if sample.kind == Kind::Video));
            silence.handle(input);
            while let Some(input) = silence.poll() {
                segmenter.handle(input);
            }
        }
        silence.finish();
        while let Some(input) = silence.poll() {
            segmenter.handle(input);
        }
        segmenter.finish();
        while let Some(event) = segmenter.poll() {
            if let Event::Cut(cut) = event {
                cuts.push(cut);
            }
        }
        assert_eq!(cuts.iter().map(|cut| cut.video.len()).sum::<usize>(), pictures, "{late}");
        let sounds: Vec<(u64, bool)> = (cuts.iter().flat_map(|cut| &cut.audio))
            .map(|sample| (sample.dts.0 - START, &sample.data[..] == b"other"))
            .collect();
        let (before, behind): (Sounds, Sounds) = sounds.into_iter().partition(|(at, _)| *at < 4 * S);
        is_whole(&before, 0, 4 * S);
        is_whole(&behind.iter().map(|(at, other)| (at - 4 * S, *other)).collect::<Sounds>(), 0, 2 * S);
        // What it was before is in its place, and what is other behind the key frame.
        for cut in &cuts {
            let is_other = cut.start.0 >= START + 4 * S;
            assert_eq!(cut.tracks.audio, Some(if is_other { silence::usual() } else { mono() }), "{late}");
            // The last frames have not come.
            let sounds = cut.audio.iter().filter(|sample| sample.dts.0 + late < START + 6 * S);
            assert!(sounds.into_iter().all(|sample| (&sample.data[..] == b"other") == is_other), "{late}");
        }
        assert_eq!(cuts.iter().filter(|cut| cut.discontinuity).count(), 2, "{late}");
    }
}

#[test]
fn parameters_of_sound_that_come_by_mistake_cost_no_more_than_their_frame() {
    let mut inputs = feed(0, 4 * S, 0, |_| true);
    let at = |nth: u64| sample(Kind::Audio, nth * FRAME, true);
    let wrong = inputs.iter().position(|input| *input == Input::Sample(at(50))).unwrap();
    let right = inputs.iter().position(|input| *input == Input::Sample(at(51))).unwrap();
    inputs.insert(right, Input::Audio(mono()));
    inputs.insert(wrong, Input::Audio(silence::usual()));
    let mut silence = Silence::default();
    let inputs = [told(Some(mono()))].into_iter().chain(inputs);
    let (sounds, others) = run(&mut silence, inputs);
    assert_eq!(others, [told(Some(mono())), Input::Audio(mono())]);
    let lost: Vec<u64> = (0..4 * S / FRAME).filter(|n| !sounds.contains(&(n * FRAME, true))).collect();
    assert_eq!(lost, [50]);
}

#[test]
fn sound_of_other_parameters_goes_on_where_pictures_have_ended() {
    let mut silence = Silence::default();
    let mut inputs = changes(3 * S, 0);
    inputs.retain(
        |input| !matches!(input, Input::Sample(s) if s.kind == Kind::Video && s.dts.0 > START + 3 * S),
    );
    let (sounds, others) = run(&mut silence, inputs);
    assert_eq!(others, [told(Some(mono())), Input::Audio(silence::usual())]);
    let end = sounds.last().unwrap().0;
    assert!(end + FRAME >= 6 * S, "{end}");
}
