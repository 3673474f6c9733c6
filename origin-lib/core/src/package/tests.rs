//! Sound tracks beside the pictures.

use core::ops::Range;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::fmp4::read;
use crate::keys::MasterSecret;
use crate::media::{AudioCoding, Kind as Of, Sample, VideoCoding, VideoConfig};

/// Where segment 0 starts: on the grid of two seconds.
const START: u64 = 1_795_171_920_000 * 90;
/// Pictures of 40 ms and sound of 20 ms.
const PICTURE: u64 = 3_600;
const FRAME: u64 = 1_800;
const SEGMENT: u64 = 180_000;

fn voice(track: u8) -> Voice {
    let rendition = if track == 0 { "audio".to_string() } else { format!("audio-{track}") };
    Voice { track, rendition: rendition.parse().unwrap(), name: None, language: None, alone: false }
}

fn config(channels: u8) -> AudioConfig {
    AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::copy_from_slice(&[0x11, 0x80 | channels << 3]),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels,
        frame_len: 960,
    }
}

fn video(width: u16) -> VideoConfig {
    VideoConfig {
        coding: VideoCoding::Avc,
        record: Bytes::copy_from_slice(&[1, 0x64, 0, 0x1f, 0xff, width as u8]),
        codec: "avc1.64001f".into(),
        width,
        height: 720,
        frame_rate_milli: None,
        colour: None,
    }
}

fn sample(kind: Of, at: u64, key: bool) -> Sample {
    let data = format!("{kind:?} {at}").into_bytes().into();
    Sample { kind, dts: MediaTime(START + at), cts: 0, key, leading: false, data }
}

/// What comes out, told shortly: rendition, which segment, what its init segment says of sound; or that it is lost.
struct Bench {
    packager: Packager,
    told: Vec<String>,
    objects: Vec<Object>,
}

impl Bench {
    fn new(voices: Vec<Voice>) -> Bench {
        let settings = Settings {
            channel: "t".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms: 2000,
            part_ms: None,
            frames: false,
            key_period_s: 3600,
            secret: MasterSecret::new(b"a secret of some length").unwrap(),
        };
        let mut packager = Packager::new(settings, MediaTime(0)).with_voices(voices);
        packager.handle(Input::Tracks(Tracks { video: Some(video(1280)), audio: Some(config(2)) }));
        packager.further_audio(1, config(1));
        Bench { packager, told: Vec::new(), objects: Vec::new() }
    }

    /// Media of this stretch, in which the further track brings what `has` lets through.
    fn play(&mut self, from: u64, to: u64, has: impl Fn(u64) -> bool) {
        for at in (from..to).step_by(FRAME as usize) {
            if at.is_multiple_of(PICTURE) {
                let picture = sample(Of::Video, at, at.is_multiple_of(SEGMENT));
                self.packager.handle(Input::Sample(picture));
            }
            self.packager.handle(Input::Sample(sample(Of::Audio, at, true)));
            if has(at) {
                self.packager.further_sample(1, sample(Of::Audio, at + 90, true));
            }
            self.collect();
        }
    }

    fn finish(&mut self) {
        self.packager.finish();
        self.collect();
    }

    fn collect(&mut self) {
        let nth = |start: MediaTime| (start.0 - START) / SEGMENT;
        while let Some(output) = self.packager.poll() {
            match output {
                Output::Object(object) => {
                    match &object.kind {
                        Kind::Segment { start, .. } => self.told.push(format!("source {}", nth(*start))),
                        Kind::Rung(rung, Rung::Segment { start, .. }) => {
                            self.told.push(format!("{rung} {}", nth(*start)));
                        }
                        _ => {}
                    }
                    self.objects.push(object);
                }
                Output::Lost(rung, start) => self.told.push(format!("{rung} {} lost", nth(start))),
                Output::Forced(_) | Output::Cut(_) => panic!("{output:?}"),
            }
        }
    }

    fn of(&self, rendition: &str) -> Vec<&str> {
        let of = |told: &&String| told.split(' ').next() == Some(rendition);
        self.told.iter().filter(of).map(String::as_str).collect()
    }

    fn init(&self, rendition: &str) -> &Init {
        let init = |object: &'_ Object| match &object.kind {
            Kind::Rung(rung, Rung::Init(_)) => rung.as_str() == rendition,
            Kind::Init(_) => rendition == "source",
            _ => false,
        };
        match &self.objects.iter().rfind(|object| init(object)).unwrap().kind {
            Kind::Rung(_, Rung::Init(init)) | Kind::Init(init) => init,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_sound_track_is_a_rendition_with_the_sources_segments_and_the_source_has_none() {
    let mut bench = Bench::new(vec![voice(0), voice(1)]);
    bench.packager.language(1, "ko".parse().unwrap());
    bench.play(0, 2 * SEGMENT, |_| true);
    bench.finish();
    assert_eq!(bench.of("source"), ["source 0", "source 1"]);
    assert_eq!(bench.of("audio"), ["audio 0", "audio 1"]);
    assert_eq!(bench.of("audio-1"), ["audio-1 0", "audio-1 1"]);
    assert_eq!(bench.init("source").codecs, "avc1.64001f");
    let said = |rendition| {
        let Init { codecs, sound, width, .. } = bench.init(rendition).clone();
        let sound = sound.unwrap();
        (codecs, width, sound.channels, sound.default, sound.language.map(String::from))
    };
    assert_eq!(said("audio"), ("mp4a.40.2".into(), 0, 2, true, None));
    assert_eq!(said("audio-1"), ("mp4a.40.2".into(), 0, 1, false, Some("ko".into())));
    // Each has its own track's samples.
    let secret = MasterSecret::new(b"a secret of some length").unwrap();
    for (rendition, first) in [("audio", "Audio 180000"), ("audio-1", "Audio 180090")] {
        let of = |object: &&Object| object.name.contains(&format!("/{rendition}/"));
        let objects: Vec<&Object> = bench.objects.iter().filter(of).collect();
        let [init, _, second] = &objects[..] else { panic!("{rendition}: {}", objects.len()) };
        let channel = "t".parse().unwrap();
        let period = crate::keys::period(MediaTime(START + SEGMENT), 3600);
        let mut clear = second.bytes.to_vec();
        let (key, iv) = (secret.content_key(&channel, period), crate::keys::iv(&channel, period));
        crate::keys::decrypt(&key, &iv, &mut clear).unwrap();
        let fragments = read::segment(&clear, &read::init(&init.bytes).unwrap()).unwrap();
        assert_eq!(fragments[0].samples.len(), 100);
        let media = crate::fmp4::movie::media(&clear, &fragments).next().unwrap();
        assert!(media.starts_with(first.as_bytes()), "{rendition}");
    }
}

#[test]
fn a_sound_track_that_lacks_something_has_a_gap_and_stops_nothing() {
    for (name, has, told) in [
        ("all of a segment", &(|at| !(SEGMENT..2 * SEGMENT).contains(&at)) as &dyn Fn(u64) -> bool, 1),
        ("its beginning", &|at| !(SEGMENT..SEGMENT + 9 * FRAME).contains(&at), 1),
        ("its end", &|at| !(2 * SEGMENT - 9 * FRAME..2 * SEGMENT).contains(&at), 1),
        ("its middle", &|at| !(SEGMENT + 9_000..SEGMENT + 9_000 + 9 * FRAME).contains(&at), 1),
        ("two frames of it", &|at| !(SEGMENT + 9_000..SEGMENT + 9_000 + 2 * FRAME).contains(&at), 9),
    ] {
        let mut bench = Bench::new(vec![voice(0), voice(1)]);
        bench.play(0, 4 * SEGMENT, has);
        bench.finish();
        assert_eq!(bench.of("source").len(), 4, "{name}");
        assert_eq!(bench.of("audio").len(), 4, "{name}");
        let mut expected: Vec<String> = (0..4).map(|n| format!("audio-1 {n}")).collect();
        if let Some(lost) = expected.get_mut(told) {
            lost.push_str(" lost");
        }
        assert_eq!(bench.of("audio-1"), expected, "{name}");
    }
}

#[test]
fn one_that_brings_nothing_is_waited_for_once_up_to_a_bound_and_goes_on_when_it_brings_something() {
    let mut bench = Bench::new(vec![voice(0), voice(1)]);
    let lost = |all: Range<u64>| all.map(|n| format!("audio-1 {n} lost")).collect::<Vec<_>>();
    // Segment n is cut at the beginning of the one behind it.
    bench.play(0, 4 * SEGMENT + FRAME, |_| false);
    assert_eq!((bench.of("source").len(), bench.of("audio-1")), (4, Vec::new()));
    bench.play(4 * SEGMENT + FRAME, 5 * SEGMENT + FRAME, |_| false);
    assert_eq!(bench.of("audio-1"), lost(0..5));
    bench.play(5 * SEGMENT + FRAME, 7 * SEGMENT + FRAME, |_| false);
    assert_eq!((bench.of("source").len(), bench.of("audio-1").len()), (7, 7), "each at its cut");
    // What lies before that is no sign that it is back.
    for n in 0..3 * SEGMENT / FRAME {
        bench.packager.further_sample(1, sample(Of::Audio, n * FRAME + 90, true));
    }
    bench.play(7 * SEGMENT + FRAME, 8 * SEGMENT + FRAME, |_| false);
    assert_eq!(bench.of("audio-1"), lost(0..8));
    bench.play(8 * SEGMENT + FRAME, 11 * SEGMENT, |_| true);
    assert_eq!(bench.of("audio-1")[8..], ["audio-1 8 lost", "audio-1 9"]);
}

#[test]
fn one_that_the_feed_in_use_does_not_have_is_lost_at_each_cut() {
    let mut bench = Bench::new(vec![voice(0), voice(1)]);
    bench.play(0, 2 * SEGMENT + 5 * FRAME, |_| true);
    bench.packager.further_feed(false, |_| false);
    bench.play(2 * SEGMENT + 5 * FRAME, 4 * SEGMENT + FRAME, |_| false);
    assert_eq!(bench.of("source").len(), 4);
    assert_eq!(bench.of("audio-1"), ["audio-1 0", "audio-1 1", "audio-1 2 lost", "audio-1 3 lost"]);
    // The next feed has it, which is known at once or once it is said.
    for said in [false, true] {
        let mut bench = Bench::new(vec![voice(0), voice(1)]);
        bench.packager.further_feed(false, |_| !said);
        if said {
            bench.packager.further_audio(1, config(1));
        }
        bench.play(0, 2 * SEGMENT + FRAME, |_| true);
        assert_eq!(bench.of("audio-1"), ["audio-1 0", "audio-1 1"]);
    }
}

#[test]
fn invariant_3_who_joins_late_makes_the_same_bytes_or_nothing() {
    let objects = |from: u64| {
        let mut bench = Bench::new(vec![voice(0), voice(1)]);
        bench.play(0, from, |_| false);
        bench.play(from, 6 * SEGMENT, |_| true);
        bench.finish();
        bench.objects.into_iter().map(|object| (object.name, object.bytes)).collect::<Vec<_>>()
    };
    let whole = objects(0);
    for from in [SEGMENT - FRAME, SEGMENT, SEGMENT + FRAME, SEGMENT + 2 * FRAME, 2 * SEGMENT + 45 * FRAME] {
        let late = objects(from);
        assert!(late.len() < whole.len());
        let lacks: Vec<_> = late.iter().filter(|object| !whole.contains(object)).collect();
        assert!(lacks.is_empty(), "{from}: {:?}", lacks.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

#[test]
fn what_waits_is_bounded_and_what_comes_again_is_left_out() {
    let mut bench = Bench::new(vec![voice(0), voice(1)]);
    let big = Bytes::from(vec![0; 1 << 20]);
    for n in 0..16 {
        let data = big.clone();
        bench.packager.further_sample(1, Sample { data, ..sample(Of::Audio, n * FRAME, true) });
    }
    bench.play(0, 2 * SEGMENT, |_| true);
    bench.finish();
    // Of the big ones, those that are left lie within the first segment, whose beginning went.
    assert_eq!(bench.of("audio-1"), ["audio-1 0 lost", "audio-1 1"]);
    let len = bench.objects.iter().map(|object| object.bytes.len()).max().unwrap();
    assert!(len < 1 << 20, "{len}");
}

/// A further track of pictures whose key frames come so much later than the source's; what lacks, by its time.
fn views(later: u64, lacks: impl Fn(u64) -> bool) -> Bench {
    views_of_feeds(later, lacks, &[], &[])
}

/// The same, where the feed changes at these times; whether it is the same one again; and where its pictures become smaller.
fn views_of_feeds(later: u64, lacks: impl Fn(u64) -> bool, feeds: &[(u64, bool)], smaller: &[u64]) -> Bench {
    let mut bench = Bench::new(Vec::new());
    let rendition: RenditionId = "low".parse().unwrap();
    let settings = bench.packager.wrapper.settings.clone();
    bench.packager = Packager::new(settings, MediaTime(0)).with_views(vec![(1, rendition)]);
    let tracks = Tracks { video: Some(video(1280)), audio: Some(config(2)) };
    bench.packager.handle(Input::Tracks(tracks));
    bench.packager.further_video(1, video(640));
    for at in (0..4 * SEGMENT).step_by(FRAME as usize) {
        for (_, again) in feeds.iter().filter(|(changed, _)| *changed == at) {
            bench.packager.further_feed(*again, |_| true);
        }
        if smaller.contains(&at) {
            bench.packager.further_video(1, video(320));
        }
        if at.is_multiple_of(PICTURE) {
            bench.packager.handle(Input::Sample(sample(Of::Video, at, at.is_multiple_of(SEGMENT))));
            if !lacks(at) {
                let key = (at + SEGMENT - later).is_multiple_of(SEGMENT);
                bench.packager.further_sample(1, sample(Of::Video, at, key));
            }
        }
        bench.packager.handle(Input::Sample(sample(Of::Audio, at, true)));
        bench.collect();
    }
    bench.finish();
    bench
}

#[test]
fn a_further_track_of_pictures_is_a_rendition_with_the_sources_sound() {
    let bench = views(0, |_| false);
    assert_eq!(bench.of("source"), ["source 0", "source 1", "source 2", "source 3"]);
    assert_eq!(bench.of("low"), ["low 0", "low 1", "low 2", "low 3"]);
    let Init { codecs, width, sound, .. } = bench.init("low");
    assert_eq!((codecs.as_str(), *width, sound), ("avc1.64001f,mp4a.40.2", 640, &None));
    assert_eq!(bench.init("source").codecs, "avc1.64001f,mp4a.40.2");
}

#[test]
fn one_whose_key_frames_are_elsewhere_or_that_lacks_pictures_has_gaps_and_stops_nothing() {
    let bench = views(5 * PICTURE, |_| false);
    assert_eq!(bench.of("source").len(), 4);
    assert_eq!(bench.of("low"), ["low 0 lost", "low 1 lost", "low 2 lost", "low 3 lost"]);
    let bench = views(0, |at| (SEGMENT + 5 * PICTURE..2 * SEGMENT).contains(&at));
    assert_eq!(bench.of("low"), ["low 0", "low 1 lost", "low 2", "low 3"]);
}

#[test]
fn pictures_of_one_feed_are_not_put_behind_those_of_another_amid_a_group() {
    let amid = SEGMENT + 20 * PICTURE;
    let bench = views_of_feeds(0, |_| false, &[(amid, false)], &[]);
    assert_eq!(bench.of("source").len(), 4);
    assert_eq!(bench.of("low"), ["low 0", "low 1 lost", "low 2", "low 3"]);
    let whole = ["low 0", "low 1", "low 2", "low 3"];
    assert_eq!(views_of_feeds(0, |_| false, &[(2 * SEGMENT, false)], &[]).of("low"), whole, "at a key frame");
    assert_eq!(views_of_feeds(0, |_| false, &[(amid, true)], &[]).of("low"), whole, "it is the same feed");
}

#[test]
fn one_whose_parameters_change_at_a_key_frame_has_no_gap() {
    let bench = views_of_feeds(0, |_| false, &[], &[2 * SEGMENT]);
    assert_eq!(bench.of("low"), ["low 0", "low 1", "low 2", "low 3"]);
    let bench = views_of_feeds(0, |_| false, &[], &[2 * SEGMENT + 5 * PICTURE]);
    assert_eq!(bench.of("low"), ["low 0", "low 1", "low 2 lost", "low 3"], "nor more than where they do");
}

#[test]
fn invariant_3_sound_that_comes_back_is_the_same_at_an_origin_that_joined_amid_silence() {
    let made = |from: u64| {
        let mut bench = Bench::new(Vec::new());
        for at in (from..6 * SEGMENT).step_by(FRAME as usize) {
            if at.is_multiple_of(PICTURE) {
                bench.packager.handle(Input::Sample(sample(Of::Video, at, at.is_multiple_of(SEGMENT))));
            }
            // Sound is muxed a little behind its picture, and missing in between, up to the middle of a segment.
            let of = at.saturating_sub(5 * FRAME);
            if !(SEGMENT..4 * SEGMENT + SEGMENT / 2).contains(&of) {
                bench.packager.handle(Input::Sample(sample(Of::Audio, of, true)));
            }
            bench.collect();
        }
        bench.finish();
        let segments = bench.objects.into_iter().filter_map(|object| match object.kind {
            Kind::Segment { start, .. } => Some(((start.0 - START) / SEGMENT, object.bytes)),
            _ => None,
        });
        segments.collect::<Vec<_>>()
    };
    let (whole, joined) = (made(0), made(2 * SEGMENT));
    assert_eq!(joined.iter().map(|(of, _)| *of).collect::<Vec<_>>(), [2, 3, 4, 5]);
    // The first one of each may begin as it pleases.
    for (of, bytes) in &joined[1..] {
        assert!(whole.contains(&(*of, bytes.clone())), "segment {of} differs");
    }
}

#[test]
fn while_other_sound_waits_for_a_key_frame_no_feed_goes_on_unseen() {
    let tracks = |channels| Tracks { video: Some(video(1280)), audio: Some(config(channels)) };
    let mut bench = Bench::new(Vec::new());
    bench.play(0, SEGMENT / 2, |_| false);
    assert!(bench.packager.is_of(&tracks(2)));
    bench.packager.handle(Input::Audio(config(1)));
    bench.play(SEGMENT / 2, SEGMENT, |_| false);
    // What its segmenter was told is over, and what comes next has not begun.
    assert!(!bench.packager.is_of(&tracks(2)) && !bench.packager.is_of(&tracks(1)));
    bench.play(SEGMENT, SEGMENT + PICTURE, |_| false);
    assert!(bench.packager.is_of(&tracks(1)));
}
