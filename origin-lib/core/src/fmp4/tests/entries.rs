//! Sample entries of codecs other than H.264 and AAC.

use super::*;
use crate::codec::{av1, hevc, opus};
use crate::hex;
use crate::media::Colour;

/// HDR10 of x265, with its SEI; perceptual quantiser of SVT-AV1; stereo of libopus.
const HVCC: &str = "0102200000009000000000007bf000fcfdfafa00000f04a00001001840010c01ffff02200000030090000003000003007b959409a10001003042010102200000030090000003000003007ba003c0801107cad965654a4c2f016a122012080000030008000003019040a2000100064401c073c18927000200094e01900403e8019080001e4e01891833c286c41d4c0bb884d03e803d13404200989680000003000180";
const AV1C: &str = "81084c000a0e00000042a67fd9e017c284880482";
const OPUS: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";

fn decoded(text: &str) -> Bytes {
    hex::decode(text).unwrap().into()
}

fn hevc_and_opus() -> Tracks {
    Tracks { video: Some(hevc::config(&decoded(HVCC)).unwrap()), audio: Some(opus::config(OPUS).unwrap()) }
}

fn av1_and_opus() -> Tracks {
    Tracks { video: Some(av1::config(&decoded(AV1C)).unwrap()), ..hevc_and_opus() }
}

#[test]
fn golden_inits() {
    golden("init-hevc.mp4", &init(&hevc_and_opus()));
    golden("init-av1.mp4", &init(&av1_and_opus()));
}

#[test]
fn golden_segment_of_opus_and_leading_pictures() {
    let mut cut = Cut { tracks: hevc_and_opus(), ..cut() };
    cut.video[2].leading = true;
    golden("segment-hevc.m4s", &segment_bytes(&cut));
}

#[test]
fn another_parser_reads_them() {
    let moov = moov(&hevc_and_opus());
    let [video, audio] = &moov.trak[..] else { panic!("two tracks") };
    let [Codec::Hvc1(hvc1)] = &video.mdia.minf.stbl.stsd.codecs[..] else { panic!("hvc1") };
    assert_eq!((hvc1.visual.width, hvc1.visual.height), (1920, 1080));
    assert_eq!(
        (hvc1.hvcc.general_profile_idc, hvc1.hvcc.general_level_idc, hvc1.hvcc.length_size_minus_one),
        (2, 123, 3)
    );
    let kinds: Vec<u8> = hvc1.hvcc.arrays.iter().map(|array| array.nal_unit_type).collect();
    assert_eq!(kinds, [32, 33, 34, 39]);
    assert_eq!(
        hvc1.colr,
        Some(mp4_atom::Colr::Nclx {
            colour_primaries: 9,
            transfer_characteristics: 16,
            matrix_coefficients: 9,
            full_range_flag: false,
        })
    );
    let [Codec::Opus(entry)] = &audio.mdia.minf.stbl.stsd.codecs[..] else { panic!("Opus") };
    assert_eq!((entry.audio.channel_count, entry.audio.sample_rate.integer()), (2, 48_000));
    assert_eq!(
        (entry.dops.output_channel_count, entry.dops.pre_skip, entry.dops.input_sample_rate),
        (2, 312, 48_000)
    );

    let moov = self::moov(&av1_and_opus());
    let [Codec::Av01(av01)] = &moov.trak[0].mdia.minf.stbl.stsd.codecs[..] else { panic!("av01") };
    assert_eq!((av01.visual.width, av01.visual.height), (1280, 720));
    assert_eq!((av01.av1c.seq_profile, av01.av1c.seq_level_idx_0, av01.av1c.high_bitdepth), (0, 8, true));
    assert_eq!(av01.av1c.config_obus, &hex::decode(AV1C).unwrap()[4..]);
}

#[test]
fn what_the_numbers_mean_is_kept_for_every_codec() {
    let colour = Colour { primaries: 9, transfer: 18, matrix: 9, full_range: true };
    for mut tracks in [tracks(), hevc_and_opus(), av1_and_opus()] {
        tracks.video.as_mut().unwrap().colour = Some(colour);
        let found = match moov(&tracks).trak[0].mdia.minf.stbl.stsd.codecs[0].clone() {
            Codec::Avc1(entry) => entry.colr,
            Codec::Hvc1(entry) => entry.colr,
            Codec::Av01(entry) => entry.colr,
            other => panic!("{other:?}"),
        };
        let colour = mp4_atom::Colr::Nclx {
            colour_primaries: 9,
            transfer_characteristics: 18,
            matrix_coefficients: 9,
            full_range_flag: true,
        };
        assert_eq!(found, Some(colour));
    }
}

#[test]
fn frames_of_opus_last_as_long_as_their_times_say() {
    let config = opus::config(OPUS).unwrap();
    for frame_ms in [10, 20, 40, 60] {
        let samples: Vec<_> = (0..5).map(|n| sample(Kind::Audio, n * frame_ms, 0, true, b"a")).collect();
        let run = Run::audio(&samples, START.plus_ms(5 * frame_ms).media(), &config).unwrap();
        assert!(run.entries.iter().all(|entry| u64::from(entry.duration) == frame_ms * 48), "{frame_ms}");
    }
}

#[test]
fn an_export_keeps_that_frames_of_opus_need_others_before_them() {
    let cut = Cut { tracks: hevc_and_opus(), ..cut() };
    let (init, segment) = (init(&cut.tracks), segment_bytes(&cut));
    let tracks = read::init(&init).unwrap();
    let mut movie = crate::fmp4::movie::Movie::default();
    movie.add(&tracks, &read::segment(&segment, &tracks).unwrap()).unwrap();
    let head = movie.head();
    let has = |name: &[u8]| head.windows(name.len()).filter(|found| *found == name).count();
    assert_eq!((has(b"hvc1"), has(b"dOps"), has(b"sgpd"), has(b"sbgp")), (1, 1, 1, 1));
}
