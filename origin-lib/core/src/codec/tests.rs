use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ConfigError, aac, avc};
use crate::hex;
use crate::media::Colour;

mod av1;
mod hevc;
mod opus;

/// Writes the bit fields that the parsers read.
#[derive(Default)]
struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    fn put(mut self, count: u32, value: u32) -> BitWriter {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u32) -> BitWriter {
        let length = (value + 1).ilog2();
        self.put(length, 0).put(length + 1, value + 1)
    }

    fn se(self, value: i32) -> BitWriter {
        self.ue(if value > 0 { value.unsigned_abs() * 2 - 1 } else { value.unsigned_abs() * 2 })
    }

    fn bytes(mut self) -> Vec<u8> {
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        self.bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
    }
}

fn bytes(text: &str) -> Bytes {
    hex::decode(text).unwrap().into()
}

/// An avcC record around one SPS and one PPS.
fn avcc(sps: &[u8]) -> Bytes {
    let mut record = Vec::from([1, sps[1], sps[2], sps[3], 0xff, 0xe1]);
    record.extend_from_slice(&(sps.len() as u16).to_be_bytes());
    record.extend_from_slice(sps);
    record.extend_from_slice(&[1, 0, 2, 0x68, 0xeb]);
    record.into()
}

/// Sequence headers that ffmpeg 5.1 with x264 wrote for test pictures.
const X264: [(&str, &str, u16, u16, u32); 5] = [
    (
        "0142c00bffe100166742c00bd902c4ec0440000003004000000c83c50a9201000568cb83cb20",
        "avc1.42c00b",
        176,
        144,
        25_000,
    ),
    (
        "0164002affe1001b6764002aacd940780227e5c044000003000400000301903c60c65801000668ebe3cb22c0fdf8f800",
        "avc1.64002a",
        1920,
        1080,
        50_000,
    ),
    (
        "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800",
        "avc1.64000c",
        320,
        180,
        25_000,
    ),
    // 4:4:4, with an odd width and height
    (
        "01f4001effe1001a67f4001e919b281485fc2111808800001f480007530078b16cb001000668ebe3c44844fff8f800",
        "avc1.f4001e",
        641,
        361,
        29_970,
    ),
    // interlaced
    (
        "0164001effe100186764001eacd940b424d8088000000300800000190f8a14cb01000668fba3cb22c0fdf8f800",
        "avc1.64001e",
        720,
        576,
        25_000,
    ),
];

#[test]
fn h264_parameters_of_real_encoders() {
    for (record, codec, width, height, frame_rate_milli) in X264 {
        let config = avc::config(&bytes(record)).unwrap();
        assert_eq!(config.record, bytes(record));
        assert_eq!((config.codec.as_str(), config.width, config.height), (codec, width, height));
        assert_eq!(config.frame_rate_milli, Some(frame_rate_milli), "{codec}");
        assert_eq!(avc::length_size(&config.record), Some(4));
    }
}

#[test]
fn a_cut_off_h264_record_is_refused() {
    for (record, ..) in X264 {
        let record = bytes(record);
        // High profiles end with four bytes about chroma, which some encoders leave out.
        let needed = record.len() - if record[1] >= 100 { 4 } else { 0 };
        for length in 0..record.len() {
            assert_eq!(avc::config(&record.slice(..length)).is_ok(), length >= needed, "{length}");
        }
    }
}

#[test]
fn h264_records_that_make_no_sense_are_refused() {
    let good = bytes(X264[0].0);
    for (at, value, reason) in [
        (0, 0, "version 1"),
        (4, 0xfe, "version 1"),                    // lengths of three bytes
        (5, 0xe0, "no sequence parameter set"),    // none
        (8, 0x68, "parameter set makes no sense"), // a PPS in its place
    ] {
        let mut record = good.to_vec();
        record[at] = value;
        let error = avc::config(&record.into()).unwrap_err();
        assert!(std::format!("{error}").contains(reason), "{error}");
    }
    let long = Bytes::from(std::vec![1; super::CONFIG_LEN_MAX + 1]);
    assert!(matches!(avc::config(&long), Err(ConfigError::Malformed(_))));
}

/// The fields of an SPS up to its picture's size, of `profile`.
fn sps_start(profile: u32) -> BitWriter {
    BitWriter::default().put(8, 0x67).put(8, profile).put(8, 0).put(8, 30).ue(0)
}

#[test]
fn rarer_h264_fields_are_passed_over() {
    // High 4:2:2 with scaling lists, picture order type 1, fields, cropping, a VUI without timing.
    let mut sps = sps_start(122).ue(2).ue(2).ue(2).put(1, 0).put(1, 1);
    sps = sps.put(1, 1).se(-8); // first list: ends at once
    sps = sps.put(1, 1);
    for _ in 0..16 {
        sps = sps.se(1); // second list: all of it
    }
    sps = sps.put(6, 0); // the other lists: none
    sps = sps.ue(0).ue(1).put(1, 0).se(-3).se(4).ue(2).se(1).se(-1);
    sps = sps.ue(4).put(1, 0).ue(44).ue(16).put(1, 0).put(1, 1).put(1, 1);
    sps = sps.put(1, 1).ue(1).ue(2).ue(0).ue(1); // crops 3 × 2 samples of width, 1 × 2 lines of height
    sps = sps.put(1, 1).put(1, 1).put(8, 255).put(32, 0x0040_0021).put(1, 1).put(1, 0);
    sps = sps.put(1, 1).put(3, 5).put(2, 0b11).put(24, 0x01_01_01).put(1, 1).ue(0).ue(1).put(1, 0).put(1, 1);
    let config = avc::config(&avcc(&sps.bytes())).unwrap();
    assert_eq!((config.width, config.height, config.frame_rate_milli), (45 * 16 - 6, 17 * 32 - 2, None));
    assert_eq!(config.codec, "avc1.7a001e");
    assert_eq!(config.colour, Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: true }));
}

#[test]
fn h264_says_what_its_numbers_mean() {
    for (record, colour) in [
        (
            "0164000cffe1001c6764000cacd941419f9f016a020202800000030080000019078a14cb01000668ebe3cb22c0fdf8f800",
            Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false },
        ),
        (
            "0164000cffe1001c6764000cacd941419f9f016e122412800000030080000019078a14cb01000668ebe3cb22c0fdf8f800",
            Colour { primaries: 9, transfer: 18, matrix: 9, full_range: true },
        ),
    ] {
        let config = avc::config(&bytes(record)).unwrap();
        assert_eq!((config.colour, config.frame_rate_milli), (Some(colour), Some(25_000)));
    }
}

#[test]
fn h264_pictures_have_a_size() {
    let sized = |width: u32, height: u32, crop: u32| {
        let sps = sps_start(66).ue(0).ue(2).ue(1).put(1, 0).ue(width).ue(height).put(2, 0b11);
        let sps = if crop > 0 { sps.put(1, 1).ue(crop).ue(0).ue(0).ue(0) } else { sps.put(1, 0) };
        avc::config(&avcc(&sps.put(2, 0b01).bytes()))
    };
    let config = sized(0, 1023, 0).unwrap();
    assert_eq!((config.width, config.height, config.frame_rate_milli), (16, 16_384, None));
    for (width, height, crop) in [(1024, 0, 0), (0, 1024, 0), (u32::MAX - 2, 0, 0), (0, 0, 8), (0, 0, 9)] {
        assert!(sized(width, height, crop).is_err(), "{width} {height} {crop}");
    }
}

#[test]
fn an_idr_picture_is_found_among_other_units() {
    for (unit, size, found) in [
        ("", 4, Some(false)),
        ("00000002 0910 00000003 65aabb", 4, Some(true)),
        ("00000002 0910 00000003 41aabb", 4, Some(false)),
        ("0001 65 0000", 2, Some(true)),
        ("01 06 01 45", 1, Some(true)),
        ("00000003 65aa", 4, None),
        ("000000", 4, None),
        ("00000001 65aabb", 4, None), // Annex B
    ] {
        let unit = bytes(&unit.replace(' ', ""));
        let kept = avc::picture(unit.clone(), size);
        assert_eq!(kept, found.map(|found| (unit.clone(), found)), "{unit:?}");
    }
}

/// What OBS 32.2 puts behind the slices of a key frame, as multitrack video.
const OBS_STATISTICS: &str = "06053cf1fbc1d5101e4fb5a61eb8ce3c07b8c0000104323032362d31312d32375431383a34393a30322e3638325a0002010000030000030200000300000303000003000080";

#[test]
fn what_is_said_of_a_picture_stands_before_it() {
    let sei = format!("00000045 {OBS_STATISTICS}");
    let small = "00000003 060180";
    for (unit, kept) in [
        (format!("00000002 0910 00000003 65aabb {sei}"), format!("00000002 0910 {sei} 00000003 65aabb")),
        // In several slices, with several of it and something else among it.
        (
            format!("00000002 65aa 00000002 65bb {sei} 00000002 0cff {small}"),
            format!("{sei} {small} 00000002 65aa 00000002 65bb 00000002 0cff"),
        ),
        // What belongs to the second field stays before it.
        (format!("00000002 65aa {small} 00000002 41bb"), format!("00000002 65aa {small} 00000002 41bb")),
        (format!("{small} 00000002 65aa"), format!("{small} 00000002 65aa")),
    ] {
        let [unit, kept] = [unit, kept].map(|text| bytes(&text.replace(' ', "")));
        assert_eq!(avc::picture(unit, 4), Some((kept, true)));
    }
}

#[test]
fn aac_parameters() {
    let escaped = BitWriter::default().put(5, 2).put(4, 15).put(24, 50_000).put(4, 2).put(3, 0);
    let sbr = BitWriter::default().put(5, 5).put(4, 6).put(4, 2).put(4, 3).put(5, 2).put(3, 0);
    let ps = BitWriter::default().put(5, 29).put(4, 6).put(4, 1).put(4, 3).put(5, 2).put(3, 0);
    let same_rate = BitWriter::default().put(5, 5).put(4, 3).put(4, 2).put(4, 3).put(5, 2).put(3, 0);
    let core_coder =
        BitWriter::default().put(5, 2).put(4, 4).put(4, 1).put(1, 0).put(1, 1).put(14, 9).put(1, 0);
    // Two pairs in front and behind, one element at the side, one LFE, a mixdown and a comment: 6 channels.
    let program = BitWriter::default().put(5, 2).put(4, 3).put(4, 0).put(3, 0);
    let program = program.put(10, 0).put(4, 1).put(4, 1).put(4, 1).put(2, 1).put(3, 1).put(4, 1);
    let program = program.put(1, 0).put(1, 1).put(4, 5).put(1, 1).put(3, 0);
    let program = program.put(5, 16).put(5, 0).put(5, 17).put(4, 0).put(4, 0).put(5, 0);
    let program = program.padded().put(8, 2).put(16, 0xabcd);
    // The same, and SBR behind it: the program's padding counts.
    let program_sbr = BitWriter { bits: program.bits.clone() };
    let program_sbr = program_sbr.put(11, 0x2b7).put(5, 5).put(1, 1).put(4, 0);
    for (asc, codec, sample_rate, channels, frame_len) in [
        (bytes("1190"), "mp4a.40.2", 48_000, 2, 1024),
        (bytes("119056e500"), "mp4a.40.2", 48_000, 2, 1024),
        (bytes("1208"), "mp4a.40.2", 44_100, 1, 1024),
        (bytes("1194"), "mp4a.40.2", 48_000, 2, 960),
        (bytes("11b0"), "mp4a.40.2", 48_000, 6, 1024),
        (bytes("11b8"), "mp4a.40.2", 48_000, 8, 1024),
        (bytes("131056e598"), "mp4a.40.5", 48_000, 2, 2048),
        (bytes("130856e59d4880"), "mp4a.40.29", 48_000, 2, 2048),
        (escaped.bytes().into(), "mp4a.40.2", 50_000, 2, 1024),
        (sbr.bytes().into(), "mp4a.40.5", 48_000, 2, 2048),
        (ps.bytes().into(), "mp4a.40.29", 48_000, 2, 2048),
        (same_rate.bytes().into(), "mp4a.40.5", 48_000, 2, 1024),
        (core_coder.bytes().into(), "mp4a.40.2", 44_100, 1, 1024),
        (program.bytes().into(), "mp4a.40.2", 48_000, 6, 1024),
        (program_sbr.bytes().into(), "mp4a.40.5", 96_000, 6, 2048),
    ] {
        let config = aac::config(&asc).unwrap();
        assert_eq!(config.record, asc);
        assert_eq!(
            (config.codec.as_str(), config.sample_rate, config.channels, config.frame_len),
            (codec, sample_rate, channels, frame_len),
            "{asc:02x?}"
        );
    }
}

impl BitWriter {
    fn padded(mut self) -> BitWriter {
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        self
    }
}

#[test]
fn aac_that_viewers_cant_play_is_named() {
    let of_type = |kind: u32| match kind {
        ..31 => BitWriter::default().put(5, kind).put(4, 3).put(4, 2).put(3, 0).bytes(),
        _ => BitWriter::default().put(5, 31).put(6, kind - 32).put(4, 3).put(4, 2).put(3, 0).bytes(),
    };
    for (kind, sent) in [
        (1, "AAC Main"),
        (23, "AAC-LD"),
        (39, "AAC-ELD"),
        (42, "xHE-AAC"),
        (60, "MPEG-4 audio of object type 60"),
    ] {
        let error = aac::config(&of_type(kind).into()).unwrap_err();
        assert_eq!(error, ConfigError::Unsupported { sent: sent.into(), set: "AAC-LC" });
        assert_eq!(std::format!("{error}"), std::format!("the encoder sends {sent}: set AAC-LC"));
    }
}

#[test]
fn malformed_aac_is_refused() {
    let rate = |rate| BitWriter::default().put(5, 2).put(4, 15).put(24, rate).put(4, 2).put(3, 0).bytes();
    for asc in [
        bytes(""),
        bytes("11"),
        bytes("1690"),   // reserved rate
        bytes("11c0"),   // reserved channels
        bytes("2a9108"), // SBR at a third of the rate
        rate(0).into(),
        rate(3_999).into(),
        rate(192_001).into(),
        std::vec![0x11; super::CONFIG_LEN_MAX + 1].into(),
    ] {
        assert!(matches!(aac::config(&asc), Err(ConfigError::Malformed(_))), "{asc:02x?}");
    }
}

proptest! {
    #[test]
    fn no_parameters_can_trip_the_parsers(
        which in 0..X264.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut record = bytes(X264[which].0).to_vec();
        for (at, value) in changes {
            let at = at.index(record.len());
            record[at] = value;
        }
        let _ = avc::config(&record.into());
        let _ = avc::config(&avcc(&[&[0x67, 100, 0, 30][..], &noise].concat()));
        let _ = avc::picture(Bytes::copy_from_slice(&noise), 4);
        if let Ok(config) = aac::config(&noise.into()) {
            prop_assert!(config.channels > 0 && config.frame_len >= 960);
            prop_assert!((aac::SAMPLE_RATE_MIN..=aac::SAMPLE_RATE_MAX).contains(&config.sample_rate));
        }
    }
}
