use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::media::{AudioCoding, VideoCoding};

mod parts;
mod promise;

/// An instant at which segments of 2 s begin, in milliseconds.
const BASE: u64 = 1_795_171_920_000;

fn avc(n: u8) -> VideoConfig {
    VideoConfig {
        coding: VideoCoding::Avc,
        record: vec![1, n].into(),
        codec: "avc1.64001f".into(),
        width: 1280,
        height: 720,
        frame_rate_milli: Some(25_000),
        colour: None,
    }
}

fn aac(n: u8) -> AudioConfig {
    AudioConfig {
        coding: AudioCoding::Aac,
        record: vec![0x11, n].into(),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 1024,
    }
}

/// A sample at milliseconds after `BASE`, with its time as its data.
fn sample(kind: Kind, ms: i64, key: bool) -> Input {
    let dts = MediaTime(((BASE as i64 + ms) * 90) as u64);
    let data = Bytes::copy_from_slice(&ms.to_be_bytes());
    Input::Sample(Sample { kind, dts, cts: 0, key, leading: false, data })
}

fn key(ms: i64) -> Input {
    sample(Kind::Video, ms, true)
}

fn video(ms: i64) -> Input {
    sample(Kind::Video, ms, false)
}

fn audio(ms: i64) -> Input {
    sample(Kind::Audio, ms, true)
}

fn both() -> Vec<Input> {
    vec![Input::Video(avc(0)), Input::Audio(aac(0))]
}

fn drain(segmenter: &mut Segmenter) -> Vec<Cut> {
    std::iter::from_fn(|| segmenter.poll())
        .filter_map(|event| match event {
            Event::Cut(cut) => Some(*cut),
            Event::Forced(_) | Event::Part(_) => None,
        })
        .collect()
}

fn run(segmenter: &mut Segmenter, inputs: impl IntoIterator<Item = Input>) -> Vec<Cut> {
    inputs
        .into_iter()
        .flat_map(|input| {
            segmenter.handle(input);
            drain(segmenter)
        })
        .collect()
}

fn ms(time: MediaTime) -> i64 {
    (time.0 / 90) as i64 - BASE as i64
}

/// A cut in short: start, duration, times of its video and of its audio, discontinuity.
type Short = (i64, u32, Vec<i64>, Vec<i64>, bool);

fn short(cut: &Cut) -> Short {
    let times = |samples: &[Sample]| samples.iter().map(|sample| ms(sample.dts)).collect();
    (ms(cut.start), cut.duration / 90, times(&cut.video), times(&cut.audio), cut.discontinuity)
}

fn shorts(cuts: &[Cut]) -> Vec<Short> {
    cuts.iter().map(short).collect()
}

#[test]
fn cuts_at_the_first_key_frame_of_each_interval() {
    let mut segmenter = Segmenter::new(2000);
    let keys = [100, 1100, 2100, 3100, 4500, 6000, 6040, 7999, 8000].map(key);
    let cuts = run(&mut segmenter, [Input::Video(avc(0))].into_iter().chain(keys));
    let starts: Vec<_> = cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90)).collect();
    assert_eq!(starts, [(100, 2000), (2100, 2400), (4500, 1500), (6000, 2000)]);
    segmenter.finish();
    assert_eq!(shorts(&drain(&mut segmenter)), [(8000, 1, vec![8000], vec![], false)]);
}

#[test]
fn sound_never_goes_back_behind_what_was_cut_with_the_pictures_before() {
    let mut segmenter = Segmenter::new(2000);
    let ahead = [key(0), audio(0), audio(20), audio(40), audio(60), Input::Video(avc(1)), key(40)];
    let again = [audio(45), audio(60), audio(80), video(80)];
    let mut cuts = run(&mut segmenter, both().into_iter().chain(ahead).chain(again));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    let sounds: Vec<_> = shorts(&cuts).into_iter().map(|(start, _, _, sound, _)| (start, sound)).collect();
    assert_eq!(sounds, [(0, vec![0, 20, 40, 60]), (40, vec![80])]);
    assert_eq!(segmenter.counts().unusable, 2);
}

/// Where segments start, and how long they are, in milliseconds, of key frames and a picture behind the last.
fn cut_at(mut segmenter: Segmenter, keys: impl IntoIterator<Item = i64>) -> Vec<(i64, u32)> {
    let mut cuts = run(&mut segmenter, [Input::Video(avc(0))].into_iter().chain(keys.into_iter().map(key)));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90)).collect()
}

#[test]
fn sound_that_a_relay_sends_before_the_first_picture_is_no_segment_of_its_own() {
    let sound = |to: i64| (0..to / 20).map(|n| audio(n * 20));
    for first in [1_000, 3_000, 5_900] {
        let mut segmenter = Segmenter::new(2000);
        let mut cuts = run(&mut segmenter, [Input::Audio(aac(0))].into_iter().chain(sound(first)));
        cuts.extend(run(&mut segmenter, [Input::Video(avc(0)), key(first), audio(first), key(first + 2000)]));
        segmenter.finish();
        cuts.extend(drain(&mut segmenter));
        let starts: Vec<_> = cuts.iter().map(|cut| (ms(cut.start), cut.tracks.video.is_some())).collect();
        assert_eq!(starts, [(first, true), (first + 2000, true)]);
        assert_eq!((segmenter.open_len(), segmenter.open_samples), (0, 0));
    }
    // Where no picture comes, the channel has sound alone, from its beginning.
    let cuts = run(&mut Segmenter::new(2000), [Input::Audio(aac(0))].into_iter().chain(sound(9_000)));
    assert_eq!(cuts.iter().map(|cut| ms(cut.start)).collect::<Vec<_>>(), [0, 2000, 4000, 6000]);
}

#[test]
fn no_segment_is_longer_than_promised_where_key_frames_come_often_enough() {
    // Every 1.92 s, and every 0.96 s: now and then an interval has one key frame more.
    for (apart, longest) in [(1920, 1920), (960, 1920), (600, 2400), (1000, 2000), (400, 2000)] {
        let keys = || (0..200).map(|n| n * apart);
        for segmenter in [Segmenter::new(2000), Segmenter::new(2000).with_parts(200)] {
            let cuts = cut_at(segmenter, keys());
            let (_, whole) = cuts.split_last().unwrap();
            assert_eq!(whole.iter().map(|(_, long)| *long).max(), Some(longest), "{apart}: {cuts:?}");
        }
    }
    // Key frames where the scene changes, and two seconds behind that at the latest, as x264 has them.
    let keys = [0, 500, 2500, 4500, 5800, 7800, 8400, 8900, 10_900, 12_900];
    assert_eq!(
        cut_at(Segmenter::new(2000), keys)[..7],
        [(0, 500), (500, 2000), (2500, 2000), (4500, 1300), (5800, 2000), (7800, 600), (8400, 500)]
    );
    let parts = cut_at(Segmenter::new(2000).with_parts(200), keys);
    assert_eq!(
        parts[..3],
        [(0, 2500), (2500, 2000), (4500, 1300)],
        "what was given out stays in its segment"
    );
    // With none in between there is nothing to cut at, and an end cuts as the next key frame does.
    assert_eq!(cut_at(Segmenter::new(2000), [0, 4000, 5900, 9000])[..2], [(0, 4000), (4000, 1900)]);
    let mut ended = Segmenter::new(2000);
    let feed = [key(0), key(1900), video(2000), video(3900)];
    run(&mut ended, [Input::Video(avc(0))].into_iter().chain(feed));
    ended.finish();
    let cuts = drain(&mut ended);
    assert_eq!(
        cuts.iter().map(|cut| (ms(cut.start), cut.video.len())).collect::<Vec<_>>(),
        [(0, 1), (1900, 3)]
    );
    assert!(!cuts[1].discontinuity);
}

#[test]
fn audio_lies_in_the_segment_in_which_it_is_decoded_however_it_is_muxed() {
    let expected = [
        (0, 2000, vec![0, 1000], vec![0, 700, 1990], true),
        (2000, 2000, vec![2000, 3000], vec![2000, 2700, 3990], false),
    ];
    for (name, inputs) in [
        (
            "in order",
            vec![key(0), audio(0), audio(700), video(1000), audio(1990), key(2000), audio(2000), audio(2700)],
        ),
        (
            "audio first",
            vec![key(0), audio(0), audio(700), audio(1990), audio(2000), video(1000), key(2000), audio(2700)],
        ),
        (
            "audio late",
            vec![key(0), video(1000), audio(0), audio(700), key(2000), audio(1990), audio(2000), audio(2700)],
        ),
    ] {
        let mut segmenter = Segmenter::new(2000);
        let rest = [video(3000), audio(3990), key(4000), audio(4000)];
        let cuts = run(&mut segmenter, both().into_iter().chain(inputs).chain(rest));
        assert_eq!(shorts(&cuts), expected, "{name}");
        assert_eq!((ms(cuts[0].video_end), ms(cuts[0].audio_end)), (2000, 2000), "{name}");
    }
}

#[test]
fn a_segment_waits_a_second_and_a_tenth_for_audio_and_loses_none() {
    let mut segmenter = Segmenter::new(2000);
    assert_eq!(run(&mut segmenter, both().into_iter().chain([key(0), audio(0), key(2000), video(3099)])), []);
    let cuts = run(&mut segmenter, [video(3100)]);
    assert_eq!(shorts(&cuts), [(0, 2000, vec![0], vec![0], true)]);
    // No audio tells where audio goes on: one frame after the last.
    assert_eq!(cuts[0].audio_end, MediaTime(BASE * 90 + 1920));
    let cuts = run(&mut segmenter, [audio(1700), audio(2000), key(4000), audio(4000)]);
    assert_eq!(shorts(&cuts), [(2000, 2000, vec![2000, 3099, 3100], vec![1700, 2000], false)]);
    assert_eq!(segmenter.counts().late_audio, 1);
}

#[test]
fn a_segment_in_parts_waits_half_a_second_for_audio() {
    let mut segmenter = Segmenter::new(2000).with_parts(334);
    assert_eq!(run(&mut segmenter, both().into_iter().chain([key(0), audio(0), key(2000), video(2499)])), []);
    let cuts = run(&mut segmenter, [video(2500)]);
    assert_eq!(shorts(&cuts), [(0, 2000, vec![0], vec![0], true)]);
}

#[test]
fn audio_alone_is_cut_by_time() {
    let mut segmenter = Segmenter::new(2000);
    let frames = (0..=290).map(|n| audio(1000 + n * 64 / 3));
    let cuts = run(&mut segmenter, [Input::Audio(aac(0))].into_iter().chain(frames));
    let starts: Vec<_> = cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90)).collect();
    assert_eq!(starts, [(1000, 1002), (2002, 2006), (4008, 2005)]);
    for pair in cuts.windows(2) {
        assert_eq!(pair[0].audio_end, pair[1].start);
    }
}

#[test]
fn what_leads_is_left_out_and_counted() {
    let mut segmenter = Segmenter::new(2000);
    let inputs = [video(0), audio(0), audio(50), key(40), audio(39), audio(60), audio(60)];
    run(&mut segmenter, [audio(0), video(0)].into_iter().chain(both()).chain(inputs));
    segmenter.finish();
    assert_eq!(shorts(&drain(&mut segmenter)), [(40, 33, vec![40], vec![60], true)]);
    let counts = segmenter.counts();
    assert_eq!((counts.leading, counts.unusable), (4, 3));
}

/// A picture that is shown before the key frame behind which it is sent.
fn leading(ms: i64) -> Input {
    match video(ms) {
        Input::Sample(sample) => Input::Sample(Sample { leading: true, cts: -3600, ..sample }),
        other => other,
    }
}

#[test]
fn pictures_that_lead_are_left_out_where_a_run_begins_and_nowhere_else() {
    let mut segmenter = Segmenter::new(2000);
    let run_of = |from: i64| {
        let pictures = (0..100).map(move |n| match from + n * 40 {
            at if n % 50 == 0 => key(at),
            at if n % 50 <= 2 => leading(at),
            at => video(at),
        });
        pictures.chain([Input::Discontinuity])
    };
    let parameters = [Input::Video(avc(1))];
    let cuts = run(&mut segmenter, parameters.into_iter().chain(run_of(0)).chain(run_of(4000)));
    let numbers: Vec<usize> = cuts.iter().map(|cut| cut.video.len()).collect();
    assert_eq!(numbers, [48, 50, 48, 50]);
    assert!(cuts.iter().all(|cut| cut.video[0].key));
    assert_eq!(segmenter.counts().leading, 4);
    // What was left out lies between two samples of which the first one lasts until the second one.
    assert_eq!(cuts[0].video[1].dts.0 - cuts[0].video[0].dts.0, 3 * 3600);
}

#[test]
fn changed_parameters_cut_with_a_discontinuity() {
    let mut segmenter = Segmenter::new(2000);
    let inputs = vec![
        key(0),
        audio(0),
        Input::Video(avc(0)),
        Input::Audio(aac(0)),
        video(40),
        Input::Video(avc(1)),
        video(80),
        key(120),
        audio(121),
        Input::Audio(aac(1)),
        key(160),
        audio(164),
    ];
    let mut cuts = run(&mut segmenter, both().into_iter().chain(inputs));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    let configs: Vec<_> = cuts
        .iter()
        .map(|cut| (ms(cut.start), cut.discontinuity, cut.tracks.video.clone(), cut.tracks.audio.clone()))
        .collect();
    assert_eq!(
        configs,
        [
            (0, true, Some(avc(0)), Some(aac(0))),
            (120, true, Some(avc(1)), Some(aac(0))),
            (160, true, Some(avc(1)), Some(aac(1))),
        ]
    );
    assert_eq!((cuts[0].duration / 90, cuts[1].duration / 90), (80, 40));
}

#[test]
fn parameters_that_come_a_moment_late_are_not_worth_a_cut() {
    for inputs in [
        vec![
            Input::Video(avc(0)),
            key(0),
            video(40),
            Input::Audio(aac(0)),
            audio(43),
            key(2000),
            audio(2000),
        ],
        vec![
            Input::Audio(aac(0)),
            audio(0),
            Input::Video(avc(0)),
            key(0),
            video(40),
            audio(43),
            key(2000),
            audio(2000),
        ],
    ] {
        let cuts = run(&mut Segmenter::new(2000), inputs);
        assert_eq!(shorts(&cuts), [(0, 2000, vec![0, 40], vec![43], true)]);
        assert!(cuts[0].tracks.audio.is_some() && cuts[0].tracks.video.is_some());
    }
}

#[test]
fn a_new_publish_starts_apart_from_what_was_cut() {
    let mut segmenter = Segmenter::new(2000);
    let mut cuts = run(&mut segmenter, both().into_iter().chain([key(0), audio(0), video(40), audio(50)]));
    cuts.extend(run(&mut segmenter, [Input::Discontinuity, key(40), key(80), audio(80)]));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    assert_eq!(shorts(&cuts), [(0, 80, vec![0, 40], vec![0, 50], true), (80, 40, vec![80], vec![80], true)]);
    assert_eq!(ms(cuts[0].end()), 80);
}

#[test]
fn every_bound_forces_a_cut_and_then_waits_for_a_key_frame() {
    let big = |ms| match video(ms) {
        Input::Sample(sample) => Input::Sample(Sample { data: Bytes::from_static(&[0; 1 << 20]), ..sample }),
        other => other,
    };
    // All shown at once, so that there is nothing to cut between.
    let at_once = |ms| match video(ms) {
        Input::Sample(sample) => Input::Sample(Sample { cts: -(ms as i32) * 90, ..sample }),
        other => other,
    };
    let by_time: Vec<_> = (1..=61).map(|n| at_once(n * 1000)).collect();
    let by_end: Vec<_> = (1..=61).map(|n| audio(n * 1000)).collect();
    let by_len: Vec<_> = (1..=65).map(|n| big(n * 10)).collect();
    let by_count: Vec<_> = (1..=OPEN_SAMPLES_MAX as i64).map(audio).collect();
    let bounds = [
        (Bound::Time, by_time),
        (Bound::Pictures, by_end),
        (Bound::Bytes, by_len),
        (Bound::Samples, by_count),
    ];
    for (bound, inputs) in bounds {
        let mut segmenter = Segmenter::new(2000);
        both().into_iter().for_each(|input| segmenter.handle(input));
        segmenter.handle(key(0));
        let sent = inputs.len();
        for input in inputs {
            segmenter.handle(input);
        }
        let events: Vec<_> = std::iter::from_fn(|| segmenter.poll()).collect();
        assert_eq!(events.len(), 2, "{bound:?}");
        assert_eq!(events[1], Event::Forced(bound));
        let Event::Cut(cut) = &events[0] else { panic!("{bound:?}") };
        assert_eq!(
            (cut.video.len() + cut.audio.len()) as u64 + segmenter.counts().leading,
            sent as u64 + 1,
            "{bound:?}"
        );
        assert_eq!((segmenter.open_len(), segmenter.counts().forced), (0, 1));
        segmenter.handle(key(100_000));
        segmenter.finish();
        assert!(drain(&mut segmenter)[0].discontinuity);
    }
}

#[test]
fn sound_ahead_of_a_key_frame_that_a_bound_cuts_at_is_in_the_segment_of_that_picture() {
    let big = |input| match input {
        Input::Sample(sample) => Input::Sample(Sample { data: Bytes::from_static(&[0; 1 << 20]), ..sample }),
        other => other,
    };
    let sounds = || (0..1200).step_by(20);
    let pictures = [key(0)].into_iter().chain((1..=63).map(|n| big(video(n * 10))));
    let inputs = both().into_iter().chain(pictures).chain(sounds().map(audio)).chain([big(key(1000))]);
    let mut segmenter = Segmenter::new(2000);
    inputs.for_each(|input| segmenter.handle(input));
    segmenter.finish();
    let events: Vec<_> = std::iter::from_fn(|| segmenter.poll()).collect();
    let [Event::Cut(first), Event::Forced(Bound::Bytes), Event::Cut(second)] = &events[..] else {
        panic!("{events:?}")
    };
    for (cut, expected) in [(first, 0..1000), (second, 1000..1200)] {
        let got: Vec<i64> = cut.audio.iter().map(|sample| ms(sample.dts)).collect();
        assert_eq!(got, sounds().filter(|at| expected.contains(at)).collect::<Vec<_>>());
    }
    assert_eq!((first.video.len(), second.video.len()), (64, 1));
    assert_eq!((segmenter.open_len(), segmenter.open_samples, segmenter.counts().leading), (0, 0, 0));
}

/// A feed: video with key frames at irregular distances, and audio that is muxed up to 400 ms too early or too late.
fn feed() -> impl Strategy<Value = Vec<Input>> {
    (
        prop::collection::vec((1..90_u64, 0..40_u64), 3..12),
        prop::collection::vec(-400..400_i64, 1..20),
        0..2000_u64,
    )
        .prop_map(|(groups, skews, begin)| {
            let mut order: BTreeMap<(i64, usize), Input> = BTreeMap::new();
            let mut at = begin as i64;
            for (frames, jitter) in groups {
                for frame in 0..frames {
                    let input = match sample(Kind::Video, at, frame == 0) {
                        Input::Sample(sample) => {
                            Input::Sample(Sample { cts: (frame % 3 + 1) as i32 * 3600, ..sample })
                        }
                        other => other,
                    };
                    order.insert((at, order.len()), input);
                    at += 33 + (jitter * (frame % 3)) as i64 / 10;
                }
            }
            // Within a track the order stays; so the skew changes from second to second only where that allows it.
            let mut sent = i64::MIN;
            let mut time = begin as i64;
            while time < at {
                let skew = skews[((time / 1000) as usize) % skews.len()];
                sent = sent.max(time + skew);
                order.insert((sent, order.len()), audio(time));
                time += 21;
            }
            order.into_values().collect()
        })
}

fn cut_all(inputs: &[Input]) -> Vec<Cut> {
    cut_by(Segmenter::new(2000), inputs)
}

fn cut_by(mut segmenter: Segmenter, inputs: &[Input]) -> Vec<Cut> {
    let mut cuts = run(&mut segmenter, both().into_iter().chain(inputs.iter().cloned()));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    cuts
}

proptest! {
    #[test]
    fn an_origin_that_joins_later_cuts_the_same(inputs in feed(), join in 0.0..1.0_f64, in_parts: bool) {
        let cut = |inputs: &[Input]| match in_parts {
            true => cut_by(Segmenter::new(2000).with_parts(334), inputs),
            false => cut_all(inputs),
        };
        let all = cut(&inputs);
        let join = (inputs.len() as f64 * join) as usize;
        let joined = cut(&inputs[join..]);
        // A segment is whole for the one who joins when nothing of it, its early audio included, came before the first
        // key frame that it saw: what comes before that is left out.
        let is_key = |input: &Input| {
            matches!(input, Input::Sample(sample) if sample.kind == Kind::Video && sample.key)
        };
        let unseen = inputs[join..].iter().position(is_key).map_or(inputs.len(), |key| join + key);
        let latest = inputs[..unseen].iter().filter_map(|input| match input {
            Input::Sample(sample) => Some(sample.dts.max(sample.pts())),
            _ => None,
        });
        let latest = latest.max().unwrap_or_default();
        let whole = |cut: &&Cut| cut.start > latest && !cut.discontinuity;
        // Its first segment may begin at any key frame; from the next interval on there is no difference.
        let index = |cut: &Cut| object::index(cut.start, 2000).0;
        let first = joined.first().map_or(0, index);
        let of = |cuts: &[Cut]| {
            cuts.iter().filter(whole).filter(|cut| index(cut) > first).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(of(&joined), of(&all));
    }

    #[test]
    fn every_sample_of_a_run_is_in_exactly_one_segment(inputs in feed()) {
        let cuts = cut_all(&inputs);
        let start = cuts[0].start;
        let of = |kind| {
            inputs.iter().filter_map(move |input| match input {
                Input::Sample(sample) if sample.kind == kind => Some(sample.clone()),
                _ => None,
            })
        };
        let video: Vec<_> = cuts.iter().flat_map(|cut| cut.video.clone()).collect();
        prop_assert_eq!(video, of(Kind::Video).collect::<Vec<_>>());
        let audio: Vec<_> = cuts.iter().flat_map(|cut| cut.audio.clone()).collect();
        let sent: Vec<_> = of(Kind::Audio).collect();
        prop_assert!(sent.ends_with(&audio));
        prop_assert!(audio.iter().all(|sample| sample.dts >= start));
        for pair in cuts.windows(2) {
            prop_assert_eq!(pair[0].start.0 + u64::from(pair[0].duration), pair[1].start.0);
            prop_assert_eq!(pair[0].video_end, pair[1].video[0].dts);
            prop_assert!(pair[0].start < pair[1].start);
            prop_assert!(pair[1].video[0].key);
            // Two of one interval only where one of both would be too long, and no longer than key frames allow.
            let index = |cut: &Cut| object::index(cut.start, 2000).0;
            let end = pair[1].start.0 + u64::from(pair[1].duration);
            prop_assert!(index(&pair[0]) < index(&pair[1]) || end - pair[0].start.0 >= 225_000);
            let keys = pair[0].video.iter().skip(1).filter(|sample| sample.key).count();
            prop_assert!(keys == 0 || pair[0].duration < 225_000);
            // Muxed at most 400 ms apart, all audio is where it belongs.
            prop_assert!(pair[0].audio.iter().all(|sample| sample.dts < pair[1].start));
            prop_assert!(pair[1].audio.iter().all(|sample| sample.dts >= pair[1].start));
        }
    }
}
