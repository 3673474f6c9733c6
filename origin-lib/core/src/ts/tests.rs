use alloc::vec::Vec;
use std::vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::flv::{self, File};
use crate::media::{FeedEvent, Frame, Kind};

mod damage;
mod hevc;
mod oracle;
mod pictures;
mod sound;
mod splices;
mod write;

use write::{AUDIO_PID, PMT_PID, VIDEO_PID, Writer, adts, annex_b, bytes};

/// Two seconds of x264 and AAC in ffmpeg's hands: 128x72, 25 frames a second, a key frame a second, two B-frames.
const SMALL: &[u8] = include_bytes!("../../tests/golden/small.ts");
/// The same as FLV.
const SMALL_FLV: &[u8] = include_bytes!("../../tests/golden/small.flv");

/// What a stream gives whose bytes come in pieces of this length.
fn told(stream: &[u8], piece: usize) -> (Vec<Result<FeedEvent, Error>>, Counts) {
    let mut demux = Demux::new();
    let mut told = Vec::new();
    for piece in stream.chunks(piece) {
        demux.handle(piece);
        told.extend(core::iter::from_fn(|| demux.poll()));
    }
    demux.end();
    told.extend(core::iter::from_fn(|| demux.poll()));
    (told, demux.counts())
}

fn frames(told: &[Result<FeedEvent, Error>], kind: Kind) -> Vec<Frame> {
    let frames = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Frame(frame)) if frame.kind == kind => Some(frame.clone()),
        _ => None,
    });
    frames.collect()
}

/// Decoding time, composition and key of each frame of video, data of each.
fn video(writer: &Writer) -> Vec<(i64, i32, bool, Bytes)> {
    let (told, _) = told(&writer.bytes, 188);
    frames(&told, Kind::Video).into_iter().map(|f| (f.dts_ms, f.cts, f.key, f.data)).collect()
}

fn errors(told: &[Result<FeedEvent, Error>]) -> Vec<std::string::String> {
    told.iter().filter_map(|one| one.as_ref().err()).map(|error| std::format!("{error}")).collect()
}

#[test]
fn what_ffmpeg_muxes_is_what_it_muxes_into_flv() {
    let mut demux = flv::Demux::new();
    let mut expected = Vec::new();
    for tag in File::new(Bytes::from_static(SMALL_FLV)).unwrap() {
        let tag = tag.unwrap();
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
        expected.extend(core::iter::from_fn(|| demux.poll()).map(Ok));
    }
    let (told, counts) = told(SMALL, SMALL.len());
    // ffmpeg's tables of services (SDT) are ignored.
    assert_eq!(counts, Counts { ignored: counts.ignored, ..Counts::default() });
    let parameters = |told: &[Result<FeedEvent, Error>]| -> Vec<FeedEvent> {
        let told = told.iter().filter_map(|one| one.clone().ok());
        told.filter(|event| !matches!(event, FeedEvent::Frame(_))).collect()
    };
    let ours = parameters(&told);
    let theirs = parameters(&expected);
    assert_eq!(ours.len(), 2);
    assert_eq!(ours[0], theirs[0], "the parameter sets make the same record");
    let (FeedEvent::Audio(ours), FeedEvent::Audio(theirs)) = (&ours[1], &theirs[1]) else {
        panic!("no sound")
    };
    assert_eq!(
        (ours.sample_rate, ours.channels, &ours.codec),
        (theirs.sample_rate, theirs.channels, &theirs.codec)
    );
    for kind in [Kind::Video, Kind::Audio] {
        let (ours, theirs) = (frames(&told, kind), frames(&expected, kind));
        assert!(ours.len() >= 49, "{}", ours.len());
        assert_eq!(ours.len(), theirs.len());
        let first = ours[0].dts_ms - theirs[0].dts_ms;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            // ffmpeg rounds to milliseconds where this does not round up.
            assert!((ours.dts_ms - theirs.dts_ms - first).abs() <= 1);
            assert!((ours.cts - theirs.cts).abs() <= 90);
            assert_eq!((ours.key, picture(&ours.data)), (theirs.key, picture(&theirs.data)));
        }
    }
}

/// The SEI unit with x264's name, which ffmpeg keeps in FLV where it is and in both forms alike, is compared too; this only makes
/// a failure short.
fn picture(data: &Bytes) -> (usize, u64) {
    (
        data.len(),
        data.iter().fold(0xcbf2_9ce4_8422_2325, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3)),
    )
}

#[test]
fn a_byte_at_a_time_tells_the_same() {
    let mut written = Writer::begun();
    written.key(7_200, 3_600);
    written.pes(AUDIO_PID, &[3_600], true, &[adts(b"sound"), adts(b"more")].concat());
    written.picture(7_200, 7_200);
    for stream in [SMALL, &written.bytes] {
        let whole = told(stream, stream.len());
        assert!(whole.0.len() >= 6);
        for piece in [1, 187, 189, 1000] {
            assert_eq!(told(stream, piece), whole, "{piece}");
        }
    }
}

#[test]
fn an_access_unit_keeps_its_slices_and_loses_its_wrapping() {
    let mut writer = Writer::begun();
    let slices = annex_b(&["09f0", write::SPS, write::PPS, "0605ff01", "6588aa", "6548bb", "0c ffff", "0b"]);
    writer.pes(VIDEO_PID, &[7_200, 3_600], false, &slices);
    // Three zeros before a start code, and zeros after the last unit, belong to nothing.
    writer.pes(VIDEO_PID, &[7_200], true, &bytes("000001 419a01 000000 000001 414002 0000"));
    assert_eq!(
        video(&writer),
        [
            (40, 3_600, true, bytes("00000004 0605ff01 00000003 6588aa 00000003 6548bb").into()),
            (80, 0, false, bytes("00000003 419a01 00000003 414002").into()),
        ]
    );
}

#[test]
fn an_access_unit_goes_on_in_pes_packets_without_a_time() {
    let mut writer = Writer::begun();
    writer.pes(VIDEO_PID, &[3_600], true, &annex_b(&[write::SPS, write::PPS, "6588aa"]));
    writer.pes(VIDEO_PID, &[], true, &annex_b(&["6548bb"]));
    writer.pes(VIDEO_PID, &[7_200], true, &annex_b(&["419a01"]));
    let frames = video(&writer);
    assert_eq!(frames[0].3, bytes("00000003 6588aa 00000003 6548bb"));
    assert_eq!(frames.len(), 2);
}

#[test]
fn time_goes_on_where_33_bits_wrap_and_none_is_shown_before_it_is_decoded() {
    const WRAP: u64 = 1 << 33;
    let mut writer = Writer::begun();
    writer.key(WRAP - 3_600, WRAP - 7_200);
    writer.picture(WRAP, WRAP - 3_600);
    writer.pes(AUDIO_PID, &[0], true, &adts(b"sound"));
    writer.picture(7_200, WRAP);
    writer.picture(3_600, 7_200);
    let (told, _) = told(&writer.bytes, 188);
    let at = |ticks: u64| (ticks / 90) as i64;
    let times: Vec<_> = frames(&told, Kind::Video).iter().map(|f| (f.dts_ms, f.cts)).collect();
    // Decoded at a whole millisecond, shown when it was said.
    let cts = |dts: u64, pts: u64| (pts - at(dts) as u64 * 90) as i32;
    assert_eq!(
        times,
        [
            (WRAP - 7_200, WRAP - 3_600),
            (WRAP - 3_600, WRAP),
            (WRAP, WRAP + 7_200),
            (WRAP + 7_200, WRAP + 7_200)
        ]
        .map(|(dts, pts)| (at(dts), cts(dts, pts)))
    );
    assert_eq!(frames(&told, Kind::Audio)[0].dts_ms, at(WRAP));
}

#[test]
fn new_parameters_are_told_before_their_picture_and_known_ones_not_again() {
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.key(3_600, 3_600);
    writer.pes(VIDEO_PID, &[7_200], false, &annex_b(&[write::SPS_SMALL, write::PPS_SMALL, "65888040"]));
    let (told, _) = told(&writer.bytes, 188);
    let told: Vec<_> = told
        .iter()
        .map(|one| match one {
            Ok(FeedEvent::Video(video)) => std::format!("{}x{}", video.width, video.height),
            Ok(FeedEvent::Frame(frame)) => std::format!("{}", frame.dts_ms),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["320x180", "0", "40", "176x144", "80"]);
}

#[test]
fn frames_of_sound_share_pes_packets_and_lie_across_them() {
    let mut writer = Writer::begun();
    let (one, two, three) = (adts(b"one"), adts(b"two"), adts(b"three"));
    writer.pes(AUDIO_PID, &[90_000], true, &[&one[..], &two[..4]].concat());
    // The time is that of the third frame, which is the first to begin here; it is 5 ms late.
    writer.pes(AUDIO_PID, &[90_000 + 3_840 + 450], true, &[&two[4..], &three[..]].concat());
    let (told, counts) = told(&writer.bytes, 188);
    let sound: Vec<_> = frames(&told, Kind::Audio).into_iter().map(|f| (f.dts_ms, f.key, f.data)).collect();
    let sound: Vec<_> = sound.iter().map(|(ms, key, data)| (*ms, *key, &data[..])).collect();
    assert_eq!(sound, [(1000, true, &b"one"[..]), (1021, true, b"two"), (1047, true, b"three")]);
    assert_eq!(counts, Counts::default());
    let Some(Ok(FeedEvent::Audio(config))) = told.first() else { panic!("{told:?}") };
    assert_eq!((&config.record[..], config.sample_rate, config.channels), (&[0x11, 0x90][..], 48_000, 2));
}

#[test]
fn the_first_programme_with_video_is_taken_whichever_table_comes_first() {
    let (other, empty) = (0x200, 0x210);
    let mut writer = Writer::default();
    writer.pat(0, &[(3, empty), (1, PMT_PID), (2, other)]);
    writer.pmt(other, 2, 0, &[(0x1b, 0x201, "")]);
    writer.pes(0x201, &[0], true, &annex_b(&[write::SPS_SMALL, write::PPS_SMALL, "65888040"]));
    writer.pmt(PMT_PID, 1, 0, &[(0xc0, 0x1f0, ""), (0x1b, VIDEO_PID, "")]);
    writer.pmt(empty, 3, 0, &[(0x0f, 0x211, "")]);
    writer.key(0, 0);
    writer.pes(0x1f0, &[], true, b"private");
    let (told, counts) = told(&writer.bytes, 188);
    assert!(matches!(&told[0], Ok(FeedEvent::Video(video)) if video.width == 320), "{told:?}");
    assert_eq!((frames(&told, Kind::Video).len(), counts.ignored), (1, 2));

    // One whose table never comes holds nobody up.
    let mut writer = Writer::default();
    writer.pat(0, &[(3, empty), (1, PMT_PID)]);
    for _ in 0..3 {
        writer.pmt(PMT_PID, 1, 0, &[(0x1b, VIDEO_PID, "")]);
    }
    writer.key(0, 0);
    assert_eq!(video(&writer).len(), 1);
}

#[test]
fn a_table_of_a_new_version_moves_streams_and_a_stream_without_video_is_sound() {
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.pmt(PMT_PID, 1, 1, &[(0x1b, 0x301, ""), (0x0f, AUDIO_PID, "")]);
    writer.picture(3_600, 3_600);
    writer.pes(0x301, &[7_200], true, &annex_b(&["419a2040"]));
    let times: Vec<i64> = video(&writer).iter().map(|frame| frame.0).collect();
    assert_eq!(times, [0, 80]);

    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x03, 0x1f1, ""), (0x0f, AUDIO_PID, "")]);
    writer.pes(AUDIO_PID, &[0], true, &adts(b"sound"));
    let (told, _) = told(&writer.bytes, 188);
    assert_eq!((frames(&told, Kind::Audio).len(), errors(&told)), (1, vec![]));
}

/// Behind a relay there may be another source, whose tables begin with the same version.
#[test]
fn a_table_of_the_same_version_and_another_content_is_another_one() {
    let times = |writer: &Writer| video(writer).iter().map(|frame| frame.0).collect::<Vec<i64>>();
    let slice = annex_b(&["419a2040"]);
    // Its pictures are on another PID.
    let mut writer = Writer::begun();
    writer.key(0, 0);
    for at in [7_200, 10_800] {
        writer.pmt(PMT_PID, 1, 0, &[(0x1b, 0x301, ""), (0x0f, AUDIO_PID, "")]);
        writer.pes(0x301, &[at], true, &slice);
    }
    assert_eq!(times(&writer), [0, 80, 120]);
    // Its programme's table is on another PID.
    let mut writer = Writer::begun();
    writer.key(0, 0);
    for at in [7_200, 10_800] {
        writer.pat(0, &[(1, 0x1010)]);
        writer.pmt(0x1010, 1, 0, &[(0x1b, 0x301, ""), (0x0f, AUDIO_PID, "")]);
        writer.pes(0x301, &[at], true, &slice);
    }
    assert_eq!(times(&writer), [0, 80, 120]);
    // The same, in the second section of two.
    let mut writer = Writer::default();
    for (pid, at) in [(PMT_PID, [0]), (0x1010, [7_200]), (0x1010, [10_800])] {
        writer.pat_of_two(0, (2, 0x1020));
        writer.pat_of_two(1, (1, pid));
        writer.pmt(0x1020, 2, 0, &[(0x06, 0x401, "")]);
        writer.pmt(pid, 1, 0, &[(0x1b, if pid == PMT_PID { VIDEO_PID } else { 0x301 }, "")]);
        match at {
            [0] => writer.key(0, 0),
            at => writer.pes(0x301, &at, true, &slice),
        }
    }
    assert_eq!(times(&writer), [0, 80, 120]);
    // A programme more changes nothing of the one that is used.
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.pat(0, &[(1, PMT_PID), (2, 0x1010)]);
    writer.picture(3_600, 3_600);
    assert_eq!(times(&writer), [0, 40]);
    // Its pictures are of another codec on the same PID.
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.pmt(PMT_PID, 1, 0, &[(0x02, VIDEO_PID, ""), (0x0f, AUDIO_PID, "")]);
    writer.pes(VIDEO_PID, &[7_200], true, &slice);
    let (told, _) = told(&writer.bytes, 188);
    assert_eq!(frames(&told, Kind::Video).len(), 1, "{told:?}");
    assert!(matches!(told.last(), Some(Err(Error::Refuse { .. }))), "behind what came before it: {told:?}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let one = |kind: u8, pid: u16, about: &str| {
        let mut writer = Writer::default();
        writer.pat(0, &[(1, PMT_PID)]);
        writer.pmt(PMT_PID, 1, 0, &[(kind, pid, about)]);
        writer.bytes
    };
    let added_to = |len: usize| {
        let packets = SMALL.chunks(188).take(20);
        packets.flat_map(|packet| [packet, &vec![0; len - 188][..]].concat()).collect::<Vec<u8>>()
    };
    let mut high = Writer::begun();
    let sps = "67f4001e919b281485fc2111808800001f480007530078b16cb0";
    high.pes(VIDEO_PID, &[0], true, &annex_b(&[sps, "68ebe3c448", "65888040"]));
    let mut hevc_4_2_2 = Writer::default();
    hevc_4_2_2.pat(0, &[(1, PMT_PID)]);
    hevc_4_2_2.pmt(PMT_PID, 1, 0, &[(0x24, VIDEO_PID, "")]);
    let vps = "40010c01ffff0408000003009d0800000300003c959409";
    let sps = "4201010408000003009d0800000300003cb00a080c1f1ad965654a4c2f016808000003000800000300c840";
    hevc_4_2_2.pes(VIDEO_PID, &[0], true, &annex_b(&[vps, sps, "4401c073c189", "2601af0840"]));
    let mut many = Writer::begun();
    many.pes(VIDEO_PID, &[0], true, &annex_b(&[write::SPS, write::PPS, "6588", "419a", "419a", "419a"]));
    let mut scrambled = Writer::begun();
    let from = scrambled.bytes.len();
    scrambled.key(0, 0);
    scrambled.bytes[from + 3] |= 0x80;
    let main = [&[0xff, 0xf1, 0x0c, 0x80, 0x01, 0x3f, 0xfc][..], b"12"].concat();
    let mut aac_main = Writer::begun();
    aac_main.pes(AUDIO_PID, &[0], true, &main);
    let packets = |len| std::format!("an MPEG transport stream in packets of {len}");
    for (stream, text) in [
        (
            one(0x25, VIDEO_PID, ""),
            "the encoder sends HEVC whose temporal layers are streams of their own: set H.264",
        ),
        (one(0x06, VIDEO_PID, "0504 41563031"), "the encoder sends AV1: set H.264 or HEVC"),
        (
            hevc_4_2_2.bytes,
            "the encoder sends HEVC range extensions 4:2:2 of 10 bits, which browsers do not play: set HEVC Main",
        ),
        (one(0x02, VIDEO_PID, ""), "the encoder sends MPEG-2 video: set H.264"),
        (one(0x03, AUDIO_PID, ""), "the encoder sends MPEG audio (MP2 or MP3): set AAC-LC or Opus"),
        (
            one(0x06, AUDIO_PID, "0504 4f707573 7f0280 ff"),
            "the encoder sends Opus that is not mono, stereo or surround sound: set AAC-LC or Opus",
        ),
        (one(0x06, AUDIO_PID, "6a01 00"), "the encoder sends AC-3: set AAC-LC or Opus"),
        (added_to(192), &packets(192)),
        (added_to(204), &packets(204)),
        (b"RIFF".repeat(40_000), "the encoder sends no MPEG transport stream: set"),
        (b"GET / HTTP".to_vec(), "the encoder sends no MPEG transport stream: set"),
        (high.bytes, "the encoder sends H.264 High 4:4:4, which browsers do not play: set H.264 High"),
        (many.bytes, "the encoder sends several pictures in one PES packet: set one access unit"),
        (scrambled.bytes, "the encoder sends a scrambled transport stream: set no scrambling"),
        (aac_main.bytes, "the encoder sends AAC Main: set AAC-LC"),
    ] {
        for piece in [1, stream.len()] {
            let (told, _) = told(&stream, piece);
            let Some(Err(error @ Error::Refuse { .. })) = told.last() else { panic!("{text}: {told:?}") };
            assert!(
                std::format!("{error}").contains(text.trim_start_matches("the encoder sends ")),
                "{error}"
            );
        }
    }
}

#[test]
fn streams_that_are_neither_seen_nor_heard_are_counted_and_a_stream_of_only_them_is_refused() {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x06, 0x1f0, "5600"), (0x86, 0x1f1, "")]);
    for _ in 0..WITHOUT_TABLES_MAX {
        writer.pes(0x1f0, &[], true, b"teletext");
    }
    let (told, counts) = told(&writer.bytes, 1 << 16);
    let [Err(error @ Error::Refuse { .. })] = &told[..] else { panic!("{told:?}") };
    assert!(std::format!("{error}").contains("name no video and no sound"), "{error}");
    assert_eq!(counts.ignored, WITHOUT_TABLES_MAX - 2);
}
