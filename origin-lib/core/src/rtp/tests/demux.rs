use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use crate::media::{FeedEvent, Kind};
use crate::rtp::{Codec, Demux, Error, Report, Unit};
use crate::time::UtcMs;

const NOW: u64 = 1_795_171_920_000;

const SPS: &str = "6764000cacd941419f9f011000000300100000030320f1429960";
const PPS: &str = "68ebe3cb22c0";
const SPS_SMALL: &str = "6742c00bd902c4ec0440000003004000000c83c50a92";
const PPS_SMALL: &str = "68cb83cb20";
const IDR: &str = "65888040";
const SLICE: &str = "41 9a01";

/// A sequence header that libaom wrote, and the beginnings of frames: a key frame that is shown, and another one.
const HEADER: &str = "0a0b000000043cfeccdaf90040";
const KEY: &str = "32021000";
const INTER: &str = "32023000";

fn bytes(text: &str) -> Vec<u8> {
    crate::hex::decode(&text.replace(' ', "")).unwrap()
}

fn annex_b(nals: &[&str]) -> Bytes {
    nals.iter().flat_map(|nal| [bytes("00000001"), bytes(nal)].concat()).collect::<Vec<_>>().into()
}

fn obus(units: &[&str]) -> Bytes {
    units.iter().flat_map(|unit| bytes(unit)).collect::<Vec<_>>().into()
}

/// A feed whose units are captured and arrive at the same time.
#[derive(Default)]
struct Sender {
    demux: Demux,
}

impl Sender {
    fn unit(&mut self, codec: Codec, ms: u64, follows: bool, data: Bytes) -> Vec<Result<FeedEvent, Error>> {
        let time = 1_000_000 + ms * u64::from(codec.clock_hz() / 1000);
        self.demux.handle(Unit { codec, time, follows, report: None, data }, UtcMs(NOW + ms));
        core::iter::from_fn(|| self.demux.poll()).collect()
    }

    fn avc(&mut self, ms: u64, follows: bool, nals: &[&str]) -> Vec<Result<FeedEvent, Error>> {
        self.unit(Codec::H264, ms, follows, annex_b(nals))
    }

    fn opus(&mut self, ms: u64) -> Vec<Result<FeedEvent, Error>> {
        self.unit(Codec::Opus, ms, true, bytes("fc0102").into())
    }
}

/// What came of a unit, in short: sizes and codecs of parameters, times of frames relative to [`NOW`].
fn told(events: &[Result<FeedEvent, Error>]) -> Vec<String> {
    let told = |event: &Result<FeedEvent, Error>| match event {
        Ok(FeedEvent::Video(video)) => format!("{} {}x{}", video.codec, video.width, video.height),
        Ok(FeedEvent::Audio(audio)) => format!("{} {} Hz {}", audio.codec, audio.sample_rate, audio.channels),
        Ok(FeedEvent::Frame(frame)) => {
            let key = if frame.key { " key" } else { "" };
            let (ms, cts) = (frame.dts_ms - NOW as i64, frame.cts);
            format!("{:?} {ms}+{cts} {}{key}", frame.kind, crate::hex::encode(&frame.data))
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    };
    events.iter().map(told).collect()
}

#[test]
fn pictures_begin_with_a_key_frame_and_their_parameters() {
    let mut sender = Sender::default();
    assert!(sender.avc(0, true, &[SLICE]).is_empty());
    assert!(sender.avc(33, true, &[IDR]).is_empty(), "no parameters yet");
    let first = sender.avc(66, true, &["09f0", SPS, PPS, "0605ff01", IDR]);
    assert_eq!(told(&first), ["avc1.64000c 320x180", "Video 66+0 000000040605ff010000000465888040 key"]);
    assert_eq!(told(&sender.avc(99, true, &[SLICE])), ["Video 99+0 00000003419a01"]);
    // The same again is no change.
    assert_eq!(told(&sender.avc(132, true, &[SPS, PPS, IDR])), ["Video 132+0 0000000465888040 key"]);
    assert!(!sender.demux.awaits_key());
}

#[test]
fn an_encoder_that_sends_its_parameters_once_is_used_again_after_a_gap() {
    let mut sender = Sender::default();
    sender.avc(0, true, &[SPS, PPS, IDR]);
    assert!(!sender.avc(40, true, &[IDR]).is_empty());
    assert!(sender.avc(120, false, &[SLICE]).is_empty());
    assert!(sender.avc(160, false, &[IDR]).is_empty(), "it lost something");
    // The second whole one without them shows that nothing was lost of either.
    assert_eq!(told(&sender.avc(200, true, &[IDR])), ["Video 200+0 0000000465888040 key"]);
    assert!(sender.avc(280, false, &[IDR]).is_empty());
    assert!(!sender.avc(320, true, &[IDR]).is_empty());
}

#[test]
fn parameters_may_come_in_a_unit_of_their_own() {
    let mut sender = Sender::default();
    assert!(sender.avc(0, true, &[SPS, PPS]).is_empty());
    let told_first = ["avc1.64000c 320x180", "Video 33+0 0000000465888040 key"];
    assert_eq!(told(&sender.avc(33, true, &[IDR])), told_first);
    assert_eq!(told(&sender.avc(66, true, &[SLICE])), ["Video 66+0 00000003419a01"]);
    // Another size, with something else of its own in between.
    assert!(sender.avc(99, true, &[SPS_SMALL, PPS_SMALL]).is_empty());
    assert!(sender.avc(100, true, &["0605ff01"]).is_empty());
    let other = sender.avc(132, true, &[IDR]);
    assert_eq!(told(&other), ["avc1.42c00b 176x144", "Video 132+0 0000000465888040 key"]);
    // Behind a gap, they may have been another key frame's.
    assert!(sender.avc(165, true, &[SPS, PPS]).is_empty());
    assert!(sender.avc(231, false, &[IDR]).is_empty());
    assert!(sender.avc(264, true, &[SPS, PPS]).is_empty());
    assert_eq!(told(&sender.avc(297, true, &[IDR]))[0], "avc1.64000c 320x180");
}

#[test]
fn parameters_may_be_agreed_on_before() {
    let sets = [SPS, PPS].map(|set| Bytes::from(bytes(set)));
    let mut sender = Sender { demux: Demux::new().with_parameter_sets(&sets) };
    assert!(sender.avc(0, true, &[SLICE]).is_empty());
    assert!(sender.avc(33, false, &[IDR]).is_empty(), "it lost something");
    let first = sender.avc(66, true, &[IDR]);
    assert_eq!(told(&first), ["avc1.64000c 320x180", "Video 66+0 0000000465888040 key"]);
    // The pictures' own count.
    let other = sender.avc(99, true, &[SPS_SMALL, PPS_SMALL, IDR]);
    assert_eq!(told(&other), ["avc1.42c00b 176x144", "Video 99+0 0000000465888040 key"]);

    // What makes no sense is as good as none.
    for sets in [&[][..], &["67"], &["6764000cac", PPS], &[PPS], &["ffff", ""]] {
        let sets: Vec<_> = sets.iter().map(|set| Bytes::from(bytes(set))).collect();
        let mut sender = Sender { demux: Demux::new().with_parameter_sets(&sets) };
        assert!(sender.avc(0, true, &[IDR]).is_empty());
        assert_eq!(told(&sender.avc(33, true, &[SPS, PPS, IDR]))[0], "avc1.64000c 320x180");
    }
}

#[test]
fn another_size_is_told_before_its_picture() {
    let mut sender = Sender::default();
    sender.avc(0, true, &[SPS, PPS, IDR]);
    let other = sender.avc(40, true, &[SPS_SMALL, PPS_SMALL, IDR]);
    assert_eq!(told(&other), ["avc1.42c00b 176x144", "Video 40+0 0000000465888040 key"]);
}

#[test]
fn nothing_behind_a_gap_is_handed_on_before_a_key_frame_that_is_whole() {
    let mut sender = Sender::default();
    sender.avc(0, true, &[SPS, PPS, IDR]);
    sender.avc(40, true, &[SLICE]);
    assert!(sender.avc(120, false, &[SLICE]).is_empty());
    assert!(sender.demux.awaits_key());
    assert!(sender.avc(160, true, &[SLICE]).is_empty());
    // Its parameters, and what else came before its first slice, were lost: it may be one of another size.
    assert!(sender.avc(200, false, &[IDR]).is_empty());
    assert_eq!(told(&sender.avc(240, true, &[SPS, PPS, IDR])), ["Video 240+0 0000000465888040 key"]);
    assert!(!sender.demux.awaits_key());
    let counts = sender.demux.counts();
    assert_eq!((counts.gaps, counts.undecodable, counts.damaged), (1, 3, 0));
}

#[test]
fn a_track_that_is_begun_anew_goes_on_where_it_arrives_with_a_key_frame() {
    let mut sender = Sender::default();
    sender.avc(0, true, &[SPS, PPS, IDR]);
    sender.opus(0);
    sender.demux.begins_anew(Kind::Video);
    assert!(sender.demux.awaits_key());
    // Its timestamps are those of three seconds ago.
    let unit = |nals: &[&str], ms: u64| Unit {
        codec: Codec::H264,
        time: 1_000_000 + ms * 90 - 270_000,
        follows: true,
        report: None,
        data: annex_b(nals),
    };
    for (ms, nals, expected) in [
        (40, &[SLICE][..], &[][..]),
        (80, &[SPS, PPS, IDR], &["Video 80+0 0000000465888040 key"]),
        (120, &[SLICE], &["Video 120+0 00000003419a01"]),
    ] {
        sender.demux.handle(unit(nals, ms), UtcMs(NOW + ms));
        let events: Vec<_> = core::iter::from_fn(|| sender.demux.poll()).collect();
        assert_eq!(told(&events), expected, "{ms}");
    }
    assert_eq!(told(&sender.opus(20)).len(), 1, "the sound goes on");
}

#[test]
fn a_track_that_goes_on_in_another_codec_begins_with_its_key_frame_and_parameters() {
    let mut sender = Sender::default();
    sender.avc(0, true, &[SPS, PPS, IDR]);
    assert!(sender.unit(Codec::Av1, 40, true, obus(&[INTER])).is_empty());
    assert!(sender.demux.awaits_key());
    let begins = told(&sender.unit(Codec::Av1, 80, true, obus(&[HEADER, KEY])));
    assert!(begins.len() == 2 && begins[0].starts_with("av01.") && begins[1].ends_with(" key"), "{begins:?}");
    // And back.
    assert!(sender.avc(120, true, &[SLICE]).is_empty());
    let begins = told(&sender.avc(160, true, &[SPS, PPS, IDR]));
    assert!(begins.len() == 2 && begins[0].starts_with("avc1."), "{begins:?}");
}

#[test]
fn temporal_units_of_av1_bring_their_parameters_and_lose_their_delimiter() {
    let mut sender = Sender::default();
    let mut av1 = |ms, follows, units: &[&str]| told(&sender.unit(Codec::Av1, ms, follows, obus(units)));
    assert!(av1(0, true, &[INTER]).is_empty());
    let key = ["av01.0.00M.08 320x180", "Video 40+0 0a0b000000043cfeccdaf9004032021000 key"];
    assert_eq!(av1(40, true, &["1200", HEADER, KEY]), key);
    assert_eq!(av1(80, true, &["1200", INTER]), ["Video 80+0 32023000"]);
    assert!(av1(160, false, &[INTER]).is_empty());
    assert!(av1(200, true, &[KEY]).is_empty(), "without its sequence header it is not known to be whole");
    assert_eq!(av1(240, true, &[HEADER, KEY]).len(), 1);
    assert_eq!(av1(280, true, &["32"]), ["skipped: OBUs whose lengths do not add up"]);
    assert!(av1(320, true, &[INTER]).is_empty());
}

#[test]
fn sound_is_told_at_its_first_packet() {
    let mut sender = Sender::default();
    assert_eq!(told(&sender.opus(3)), ["Opus 48000 Hz 2", "Audio 3+0 fc0102 key"]);
    assert_eq!(told(&sender.opus(23)), ["Audio 23+0 fc0102 key"]);
    let nothing = sender.unit(Codec::Opus, 43, true, Bytes::new());
    assert_eq!(told(&nothing), ["skipped: sound that is no packet of Opus"]);
}

#[test]
fn sound_that_moves_back_leaves_out_what_is_there_already() {
    let mut demux = Demux::new();
    let mut audio = Vec::new();
    for n in 0..20_u64 {
        let ms = n * 20;
        let mut send = |codec: Codec, wall_us: u64, data: Bytes| {
            let time = ms * u64::from(codec.clock_hz() / 1000);
            let report = (n >= 5).then_some(Report { wall_us, time });
            demux.handle(Unit { codec, time, follows: true, report, data }, UtcMs(NOW + ms));
            while let Some(event) = demux.poll() {
                if let Ok(FeedEvent::Frame(frame)) = event
                    && frame.kind == Kind::Audio
                {
                    audio.push(frame.dts_ms - NOW as i64);
                }
            }
        };
        send(Codec::H264, 1_000_000 + ms * 1000, annex_b(&[SPS, PPS, IDR]));
        send(Codec::Opus, 1_000_000 + ms * 1000 - 50_000, bytes("fc0102").into());
    }
    // 50 ms back: of three packets, the second and the third would lie over what was sent before, and so would the first.
    assert_eq!(audio[..6], [0, 20, 40, 60, 80, 110]);
    assert!(audio[4..].windows(2).all(|pair| pair[1] - pair[0] >= 20));
    assert_eq!(*audio.last().unwrap(), 19 * 20 - 50);
}

#[test]
fn pictures_that_nobody_can_play_are_named() {
    // High 4:4:4.
    let mut sender = Sender::default();
    let sps = "67f4000d919b2828283f6022000003000200000300641e28532c";
    let refused = sender.avc(0, true, &[sps, PPS, IDR]);
    assert!(
        matches!(&refused[..], [Err(Error::Refuse { sent, .. })] if sent.contains("4:4:4")),
        "{refused:?}"
    );
}

proptest! {
    #[test]
    fn whatever_comes_times_increase_and_the_first_picture_behind_a_gap_is_a_key_frame(
        units in prop::collection::vec((0_u8..6, 0_u64..200, any::<bool>(), any::<u64>()), 0..200),
    ) {
        let mut sender = Sender::default();
        let (mut ms, mut last, mut gap) = (0, [i64::MIN; 2], true);
        for (what, step, follows, noise) in units {
            ms += step;
            let events = match what {
                0 => sender.avc(ms, follows, &[SPS, PPS, IDR]),
                1 | 2 => sender.avc(ms, follows, &[SLICE]),
                3 => sender.opus(ms),
                4 => sender.avc(ms, follows, &[&crate::hex::encode(&noise.to_be_bytes())]),
                _ => sender.unit(Codec::Opus, ms + noise % 10_000, follows, bytes("fc01").into()),
            };
            gap |= !follows && matches!(what, 0..=2 | 4);
            for event in events {
                let Ok(FeedEvent::Frame(frame)) = event else { continue };
                let slot = &mut last[usize::from(frame.kind == Kind::Audio)];
                prop_assert!(frame.dts_ms > *slot, "{} after {slot}", frame.dts_ms);
                *slot = frame.dts_ms;
                if frame.kind == Kind::Video {
                    prop_assert!(frame.key || !gap);
                    gap = false;
                }
            }
        }
    }

    #[test]
    fn no_bytes_can_trip_it(
        codec in prop::sample::select(&[Codec::H264, Codec::Av1, Codec::Opus][..]),
        times in any::<(u64, u64)>(),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut demux = Demux::new();
        for time in [times.0, times.1] {
            let report = Some(Report { wall_us: times.1, time: times.0 });
            let unit = Unit { codec, time, follows: true, report, data: data.clone().into() };
            demux.handle(unit, UtcMs(times.0 ^ times.1));
            while demux.poll().is_some() {}
        }
    }
}
