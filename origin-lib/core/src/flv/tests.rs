use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::hex;
use crate::media::{Captured, FeedEvent, Frame, Kind, Sample, Tracks};
use crate::time::UtcMs;

mod enhanced;
mod oracle;

/// x264's sequence header for 320x180, and a smaller one for 176x144.
const AVCC: &str =
    "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800";
const AVCC_SMALL: &str = "0142c00bffe100166742c00bd902c4ec0440000003004000000c83c50a9201000568cb83cb20";

fn bytes(text: &str) -> Bytes {
    hex::decode(&text.replace(' ', "")).unwrap().into()
}

fn video_header(avcc: &str) -> Bytes {
    bytes(&std::format!("1700000000{avcc}"))
}

/// A demultiplexer that has seen both sequence headers.
fn begun() -> Demux {
    let mut demux = Demux::new();
    demux.handle(TagKind::Video, 0, video_header(AVCC)).unwrap();
    demux.handle(TagKind::Audio, 0, bytes("af001190")).unwrap();
    let Some(FeedEvent::Video(video)) = demux.poll() else { panic!("no video parameters") };
    assert_eq!((video.codec.as_str(), video.width, video.height), ("avc1.64000c", 320, 180));
    let Some(FeedEvent::Audio(audio)) = demux.poll() else { panic!("no audio parameters") };
    assert_eq!((audio.codec.as_str(), audio.sample_rate), ("mp4a.40.2", 48_000));
    assert_eq!(demux.poll(), None);
    demux
}

#[test]
fn frames_keep_time_and_data() {
    for (kind, message, cts_ms, key, data) in [
        (TagKind::Video, "1701000050 00000002 6588", 80, true, "00000002 6588"),
        (TagKind::Video, "2701fffff0 00000002 4188", -16, false, "00000002 4188"),
        (TagKind::Video, "2701800000 00000001 41", -0x80_0000, false, "00000001 41"),
        (TagKind::Video, "27017fffff 00000001 41", 0x7f_ffff, false, "00000001 41"),
        // What counts is the picture, not the tag's word for it.
        (TagKind::Video, "2701000000 00000001 65", 0, true, "00000001 65"),
        (TagKind::Video, "1701000000 00000001 41", 0, false, "00000001 41"),
        (TagKind::Audio, "af01 211b", 0, true, "211b"),
    ] {
        let mut demux = begun();
        demux.handle(kind, 1234, bytes(message)).unwrap();
        let kind = if kind == TagKind::Video { Kind::Video } else { Kind::Audio };
        let frame = Frame { kind, dts_ms: 1234, cts: cts_ms * 90, key, leading: false, data: bytes(data) };
        assert_eq!(demux.poll(), Some(FeedEvent::Frame(frame)), "{message}");
        assert_eq!(demux.poll(), None);
    }
}

#[test]
fn what_is_muxed_is_what_was_demuxed() {
    let (mut demux, mut again, mut tracks) = (Demux::new(), Demux::new(), Tracks::default());
    let messages = [
        (TagKind::Video, video_header(AVCC)),
        (TagKind::Audio, bytes("af001190")),
        (TagKind::Video, bytes("1701000050 00000002 6588")),
        (TagKind::Video, bytes("2701fffff0 00000002 4188")),
        (TagKind::Audio, bytes("af01 211b")),
    ];
    for (kind, message) in messages {
        demux.handle(kind, 1234, message.clone()).unwrap();
        let event = demux.poll().unwrap();
        let (muxed_kind, muxed) = match &event {
            FeedEvent::Video(video) => {
                tracks.video = Some(video.clone());
                (TagKind::Video, super::video_header(video))
            }
            FeedEvent::Audio(audio) => {
                tracks.audio = Some(audio.clone());
                (TagKind::Audio, super::audio_header(audio))
            }
            FeedEvent::Frame(Frame { kind, cts, key, data, .. }) => {
                let (dts, data) = (Default::default(), data.clone());
                {
                    let sample = Sample { kind: *kind, dts, cts: *cts, key: *key, leading: false, data };
                    super::body(&sample, &tracks)
                }
            }
            other => panic!("{other:?}"),
        };
        assert_eq!((muxed_kind, &muxed[..]), (kind, &message[..]));
        again.handle(muxed_kind, 1234, muxed.into()).unwrap();
        assert_eq!(again.poll(), Some(event));
    }
}

#[test]
fn messages_without_an_event() {
    for (kind, message) in [
        (TagKind::Video, ""),
        (TagKind::Video, "1702000000"), // end of sequence
        (TagKind::Video, "1701000000"), // no units
        (TagKind::Video, "1700000000"), // an empty sequence header
        (TagKind::Video, "5700"),       // a command to a player
        (TagKind::Video, "5200"),
        (TagKind::Audio, ""),
        (TagKind::Audio, "af00"),
        (TagKind::Audio, "af01"),
        (TagKind::Data, "02000a6f6e4d65746144617461"),
        (TagKind::Data, ""),
    ] {
        let mut demux = begun();
        assert_eq!(demux.handle(kind, 0, bytes(message)), Ok(()), "{message}");
        assert_eq!(demux.poll(), None, "{message}");
    }
}

#[test]
fn an_encoder_may_say_when_it_captured() {
    let message = |name: &str, property: &str, time: &str| {
        use crate::rtmp::amf0::Value;
        let mut body = Vec::new();
        let properties = [("sd", "27-11-2026"), (property, time)];
        let object = properties.map(|(name, text)| (std::string::String::from(name), Value::from(text)));
        [Value::from(name), Value::Object(object.into())].iter().for_each(|value| value.encode(&mut body));
        Bytes::from(body)
    };
    let frame = |demux: &mut Demux, timestamp_ms: u32| {
        demux.handle(TagKind::Video, timestamp_ms, bytes("17 01 000000 00000002 65 88")).unwrap();
        core::iter::from_fn(|| demux.poll()).find_map(|event| match event {
            FeedEvent::Frame(frame) => Some(frame.dts_ms),
            _ => None,
        })
    };
    for (name, property, time, expected) in [
        ("onFI", "st", "21:04:05.678", Some(75_845_678)),
        ("onFI", "st", "00:00:00.5", Some(500)),
        ("onTextData", "st", "23:59:60", Some(86_400_000)),
        ("onFI", "tc", "21:04:05.678", None),
        ("onMetaData", "st", "21:04:05.678", None),
        ("onFI", "st", "24:00:00", None),
        ("onFI", "st", "1:2", None),
        ("onFI", "st", "1:2:3:4", None),
        ("onFI", "st", "+1:00:00", None),
        ("onFI", "st", "01:00:00.1234", None),
        ("onFI", "st", "01:00:00.", None),
        ("onFI", "st", "", None),
    ] {
        let mut demux = begun();
        demux.handle(TagKind::Data, 40, message(name, property, time)).unwrap();
        assert_eq!((demux.take_captured(), demux.poll()), (None, None), "its timestamp may be none");
        frame(&mut demux, 30);
        let expected = expected.map(|of_day_ms| TimeOfDay { feed_ms: 40, of_day_ms });
        assert_eq!(demux.take_captured(), expected, "{name} {property} {time}");
        assert_eq!(demux.take_captured(), None);
    }
    // The timestamp of a message that is not media moves no other, and counts only where it is near those of media.
    for (timestamp_ms, counts) in [(0, false), (0x7fff_fff0, true), (0x8000_03f8, true), (0x8000_0400, false)]
    {
        let mut demux = begun();
        assert_eq!(frame(&mut demux, 0x7fff_fff0), Some(0x7fff_fff0));
        demux.handle(TagKind::Data, timestamp_ms, message("onFI", "st", "00:00:00.0")).unwrap();
        assert_eq!(frame(&mut demux, 0x8000_0010), Some(0x8000_0010));
        assert_eq!(demux.take_captured().is_some(), counts, "{timestamp_ms}");
    }
}

#[test]
fn an_encoders_time_of_day_counts_in_any_time_zone() {
    // 2026-11-20T10:52:00.040Z
    let now = UtcMs(1_795_171_920_040);
    let of_day = |hours: u32, minutes: u32, ms: u32| (hours * 60 + minutes) * 60_000 + ms;
    for (of_day_ms, ms_ago) in [
        (of_day(10, 51, 58_040), 2_000),
        (of_day(16, 36, 58_040), 2_000), // Kathmandu
        (of_day(0, 21, 58_040), 2_000),  // Hawaii, and a half
        (of_day(10, 52, 1_040), -1_000), // it is ahead
    ] {
        let captured = TimeOfDay { feed_ms: 7, of_day_ms }.captured(now);
        let utc = UtcMs(now.0.checked_add_signed(-ms_ago).unwrap());
        assert_eq!(captured, Captured { feed_ms: 7, utc, by_encoder: true }, "{of_day_ms}");
    }
}

#[test]
fn only_a_changed_sequence_header_is_told() {
    let mut demux = begun();
    demux.handle(TagKind::Video, 40, video_header(AVCC)).unwrap();
    demux.handle(TagKind::Audio, 40, bytes("af001190")).unwrap();
    assert_eq!(demux.poll(), None);
    demux.handle(TagKind::Video, 80, video_header(AVCC_SMALL)).unwrap();
    demux.handle(TagKind::Audio, 80, bytes("af001210")).unwrap();
    assert!(matches!(demux.poll(), Some(FeedEvent::Video(video)) if video.width == 176));
    assert!(matches!(demux.poll(), Some(FeedEvent::Audio(audio)) if audio.sample_rate == 44_100));
    assert_eq!(demux.poll(), None);
}

#[test]
fn a_malformed_message_is_skipped_and_nothing_else() {
    for (kind, message) in [
        (TagKind::Video, "17"),
        (TagKind::Video, "17010000"),
        (TagKind::Video, "1709000000 00"),
        (TagKind::Video, "1701000000 0000000265"), // lengths that do not add up
        (TagKind::Video, "1701000000 00000001 65aabb"), // Annex B
        (TagKind::Video, "1700000000 0164"),
        (TagKind::Video, "ffffffffff"),
        (TagKind::Video, "1c01000000 00"), // another codec in the middle
        (TagKind::Audio, "af"),
        (TagKind::Audio, "af02 00"),
        (TagKind::Audio, "af00 11"),
        (TagKind::Audio, "af00 0990"), // AAC Main in the middle
        (TagKind::Audio, "2f00"),
        (TagKind::Audio, "9fffffffff"),
    ] {
        let mut demux = begun();
        let result = demux.handle(kind, 0x8000_0000, bytes(message));
        assert!(matches!(result, Err(Error::Skip(_))), "{message}: {result:?}");
        demux.handle(TagKind::Audio, 40, bytes("af0121")).unwrap();
        assert!(matches!(demux.poll(), Some(FeedEvent::Frame(frame)) if frame.dts_ms == 40), "{message}");
    }
    // Frames before the parameters.
    let mut demux = Demux::new();
    for (kind, message) in [(TagKind::Video, "1701000000 0000000165"), (TagKind::Audio, "af0121")] {
        assert!(matches!(demux.handle(kind, 0, bytes(message)), Err(Error::Skip(_))), "{message}");
    }
}

#[test]
fn an_unsupported_codec_is_named() {
    for (kind, message, text) in [
        (TagKind::Video, "9076703039", "the encoder sends VP9: set H.264, HEVC or AV1"),
        (TagKind::Video, "9076766331", "the encoder sends VVC: set H.264, HEVC or AV1"),
        (TagKind::Video, "9071776572", "the encoder sends \"qwer\": set H.264, HEVC or AV1"),
        (
            TagKind::Video,
            "1d00000000",
            "the encoder sends AV1 in a form before Enhanced RTMP: set H.264, HEVC or AV1",
        ),
        (
            TagKind::Video,
            "9561763031 800000",
            "the encoder sends AV1 with a header for MPEG-2 TS (MPEG2TSSequenceStart): \
             set an encoder that sends SequenceStart",
        ),
        (
            TagKind::Video,
            "170000000001f4001effe1001a67f4001e919b281485fc2111808800001f480007530078b16cb001000668ebe3c44844fff8f800",
            "the encoder sends H.264 High 4:4:4, which browsers do not play: \
             set H.264 High, Main or Baseline (8-bit 4:2:0: yuv420p)",
        ),
        (TagKind::Video, "1200", "the encoder sends Sorenson H.263: set H.264, HEVC or AV1"),
        (TagKind::Video, "1f00", "the encoder sends video of FLV codec number 15: set H.264, HEVC or AV1"),
        (TagKind::Audio, "2fff", "the encoder sends MP3: set AAC-LC or Opus"),
        (TagKind::Audio, "b2ff", "the encoder sends Speex: set AAC-LC or Opus"),
        (TagKind::Audio, "90664c6143", "the encoder sends FLAC: set AAC-LC or Opus"),
        (TagKind::Audio, "9061632d33", "the encoder sends AC-3: set AAC-LC or Opus"),
        (TagKind::Audio, "cf", "the encoder sends audio of FLV codec number 12: set AAC-LC or Opus"),
        (TagKind::Audio, "af000990", "the encoder sends AAC Main: set AAC-LC"),
        (
            TagKind::Audio,
            "af004f707573486561640102380180bb0000000000",
            "the encoder sends Opus as if it were AAC: set AAC-LC",
        ),
    ] {
        let result = Demux::new().handle(kind, 0, bytes(message));
        let Err(error @ Error::Refuse { .. }) = result else { panic!("{message}: {result:?}") };
        assert_eq!(std::format!("{error}"), text);
    }
}

#[test]
fn time_goes_on_where_32_bits_wrap() {
    let mut demux = begun();
    let mut times = Vec::new();
    for timestamp in [0xffff_ff00, 0xffff_ffff, 0x10, 0xffff_fff0, 0x20, 0x7000_0000, 0xe000_0000, 0x100] {
        demux.handle(TagKind::Audio, timestamp, bytes("af0121")).unwrap();
        let Some(FeedEvent::Frame(frame)) = demux.poll() else { panic!("no frame") };
        times.push(frame.dts_ms);
    }
    let wrap = 1_i64 << 32;
    let expected = [
        0xffff_ff00,
        0xffff_ffff,
        wrap + 0x10,
        0xffff_fff0,
        wrap + 0x20,
        wrap + 0x7000_0000,
        // Two that are wrong turn nothing round.
        0xe000_0000,
        wrap + 0x100,
    ];
    assert_eq!(times, expected);
}

/// A file of these tags.
fn file(tags: &[(u8, u32, &[u8])]) -> Vec<u8> {
    let mut file = hex::decode("464c560105000000090000 0000".replace(' ', "").as_str()).unwrap();
    for (kind, timestamp, body) in tags {
        let [t3, t2, t1, t0] = timestamp.to_be_bytes();
        file.push(*kind);
        file.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
        file.extend_from_slice(&[t2, t1, t0, t3, 0, 0, 0]);
        file.extend_from_slice(body);
        file.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
    }
    file
}

const TAGS: [(u8, u32, &[u8]); 4] =
    [(18, 0, b"meta"), (9, 0xff_ffff, b""), (8, 0x1234_5678, b"sound"), (9, u32::MAX, b"picture")];

#[test]
fn a_files_tags_in_order() {
    let tags: Vec<_> = File::new(file(&TAGS).into()).unwrap().map(Result::unwrap).collect();
    let read: Vec<_> = tags.iter().map(|tag| (tag.kind as u8, tag.timestamp_ms, &tag.payload[..])).collect();
    assert_eq!(read, TAGS);
}

#[test]
fn a_file_that_is_cut_off_gives_its_whole_tags() {
    let whole = Bytes::from(file(&TAGS));
    // The number of whole bodies before each end; the last tag's length may be missing.
    let mut ends = Vec::new();
    let mut end = 13;
    for (_, _, body) in TAGS {
        end += 11 + body.len();
        ends.push(end);
        end += 4;
    }
    for length in 0..whole.len() {
        let read = File::new(whole.slice(..length));
        if length < 9 {
            assert_eq!(read.unwrap_err(), FileError::NotFlv);
            continue;
        }
        let tags: Vec<_> = read.unwrap().collect();
        let bodies = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(tags.iter().filter(|tag| tag.is_ok()).count(), bodies, "{length}");
        let clean = length <= 13 || ends.iter().any(|end| (*end..=end + 4).contains(&length));
        assert_eq!(tags.last() == Some(&Err(FileError::CutOff)), !clean, "{length}");
    }
}

#[test]
fn files_that_are_none() {
    for text in ["", "00000018667479706d70343200", "464c560205000000090000", "464c5601050000000800000000"] {
        assert_eq!(File::new(bytes(text)).unwrap_err(), FileError::NotFlv, "{text}");
    }
    let mut damaged = file(&TAGS);
    damaged[13] = 0x32; // an encrypted tag
    let tags: Vec<_> = File::new(damaged.into()).unwrap().collect();
    assert_eq!(tags, [Err(FileError::Damaged(13))]);
}

/// What a stream gives of bytes that come in these pieces, and what stands at its end.
fn streamed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Tag>, Result<(), FileError>) {
    let (mut stream, mut tags) = (Stream::default(), Vec::new());
    for piece in pieces {
        stream.handle(piece);
        loop {
            match stream.poll() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Err(error)),
            }
        }
    }
    (tags, Ok(()))
}

#[test]
fn a_file_that_is_still_written_is_read_whole_and_a_byte_at_a_time() {
    let mut written = file(&TAGS);
    let tags: Vec<_> = File::new(written.clone().into()).unwrap().map(Result::unwrap).collect();
    assert_eq!(streamed([&written[..]].into_iter()), (tags.clone(), Ok(())));
    assert_eq!(streamed(written.chunks(1)), (tags, Ok(())));
    for (bytes, error) in
        [("00000018667479706d", FileError::NotFlv), ("464c560105ffffffff", FileError::NotFlv)]
    {
        assert_eq!(streamed([&hex::decode(bytes).unwrap()[..]].into_iter()), (Vec::new(), Err(error)));
    }
    written[13] = 0x32;
    assert_eq!(streamed(written.chunks(7)), (Vec::new(), Err(FileError::Damaged(0))));
}

proptest! {
    #[test]
    fn no_bytes_can_trip_the_readers(
        messages in prop::collection::vec((0..3, any::<u32>(), prop::collection::vec(any::<u8>(), 0..24)), 0..16),
        begin in any::<bool>(),
    ) {
        let mut demux = if begin { begun() } else { Demux::new() };
        let mut noise = file(&TAGS[..1]);
        for (kind, timestamp, payload) in messages {
            noise.extend_from_slice(&payload);
            let kind = [TagKind::Audio, TagKind::Video, TagKind::Data][kind as usize];
            let _ = demux.handle(kind, timestamp, payload.into());
            while demux.poll().is_some() {}
        }
        let _ = streamed(noise.chunks(3));
        if let Ok(tags) = File::new(noise.clone().into()) {
            prop_assert!(tags.count() <= noise.len());
        }
    }
}
