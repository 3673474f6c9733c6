//! Enhanced RTMP's forms of messages.

use std::format;
use std::string::ToString;

use super::*;
use crate::flv::{Part, part as part_of};
use crate::media::{AudioCoding, AudioConfig, Colour, VideoCoding, VideoConfig};

/// Sequence headers that ffmpeg 5.1 wrote: x265 for 320x180, libaom for 320x180, stereo of libopus.
const HVCC: &str = "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002b42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840a2000100074401c172b46240";
const AV1C: &str = "81000c000a0b000000043cfeccdaf90040";
const OPUS: &str = "4f70757348656164 01 02 3801 80bb0000 0000 00";

/// FourCCs in hexadecimal.
const HVC1: &str = "68766331";
const AV01: &str = "61763031";
const AVC1: &str = "61766331";
const OPUS_CC: &str = "4f707573";
const MP4A: &str = "6d703461";

fn handle(demux: &mut Demux, kind: TagKind, message: &str) -> Result<Vec<FeedEvent>, Error> {
    demux.handle(kind, 1234, bytes(message))?;
    Ok(std::iter::from_fn(|| demux.poll()).collect())
}

fn video_of(events: &[FeedEvent]) -> &VideoConfig {
    let [FeedEvent::Video(config)] = events else { panic!("{events:?}") };
    config
}

fn audio_of(events: &[FeedEvent]) -> &AudioConfig {
    let [FeedEvent::Audio(config), FeedEvent::Frame(_)] = events else { panic!("{events:?}") };
    config
}

fn frame_of(events: &[FeedEvent]) -> &Frame {
    let [FeedEvent::Frame(frame)] = events else { panic!("{events:?}") };
    frame
}

/// A demultiplexer that has seen the header of a codec of video.
fn begun_with(four_cc: &str, record: &str) -> Demux {
    let mut demux = Demux::new();
    video_of(&handle(&mut demux, TagKind::Video, &format!("90{four_cc}{record}")).unwrap());
    demux
}

#[test]
fn pictures_of_every_codec() {
    for (four_cc, record, coding, codec) in [
        (AVC1, AVCC, VideoCoding::Avc, "avc1.64000c"),
        (HVC1, HVCC, VideoCoding::Hevc, "hvc1.1.6.L60.90"),
        (AV01, AV1C, VideoCoding::Av1, "av01.0.00M.08"),
    ] {
        let mut demux = Demux::new();
        let header = format!("90{four_cc}{record}");
        let events = handle(&mut demux, TagKind::Video, &header).unwrap();
        let config = video_of(&events);
        assert_eq!((config.coding, config.codec.as_str(), config.width), (coding, codec, 320));
        // Said again, it is no news.
        assert_eq!(handle(&mut demux, TagKind::Video, &header), Ok(Vec::new()));
    }
    for (four_cc, record, message, cts_ms, key, leading, data) in [
        (AVC1, AVCC, format!("91{AVC1} 000050 00000002 6588"), 80, true, false, "00000002 6588"),
        (AVC1, AVCC, format!("a3{AVC1} 00000002 4188"), 0, false, false, "00000002 4188"),
        (HVC1, HVCC, format!("91{HVC1} fffff0 00000003 2601af"), -16, true, false, "00000003 2601af"),
        (HVC1, HVCC, format!("93{HVC1} 00000003 2a01af"), 0, true, false, "00000003 2a01af"),
        (HVC1, HVCC, format!("a3{HVC1} 00000003 1001af"), 0, false, true, "00000003 1001af"),
        (AV01, AV1C, format!("91{AV01} 1200 320110"), 0, true, false, "320110"),
        (AV01, AV1C, format!("a1{AV01} 320130"), 0, false, false, "320130"),
    ] {
        let mut demux = begun_with(four_cc, record);
        let events = handle(&mut demux, TagKind::Video, &message).unwrap();
        let (dts_ms, data) = (1234, bytes(data));
        let frame = Frame { kind: Kind::Video, dts_ms, cts: cts_ms * 90, key, leading, data };
        assert_eq!(frame_of(&events), &frame, "{message}");
    }
}

#[test]
fn what_hardware_encoders_sent_before_there_was_a_standard() {
    let mut demux = Demux::new();
    let events = handle(&mut demux, TagKind::Video, &format!("1c00000000{HVCC}")).unwrap();
    assert_eq!(video_of(&events).coding, VideoCoding::Hevc);
    let events = handle(&mut demux, TagKind::Video, "1c01000028 00000003 2601af").unwrap();
    assert_eq!((frame_of(&events).cts, frame_of(&events).key), (3600, true));
}

#[test]
fn sound_of_every_codec() {
    let mut demux = Demux::new();
    assert_eq!(handle(&mut demux, TagKind::Audio, &format!("90{OPUS_CC}{OPUS}")), Ok(Vec::new()));
    // How long its frames are, the first one says.
    let packet = format!("91{OPUS_CC} 80aabb");
    let events = handle(&mut demux, TagKind::Audio, &packet).unwrap();
    let config = audio_of(&events);
    assert_eq!((config.coding, config.sample_rate, config.frame_len), (AudioCoding::Opus, 48_000, 120));
    let events = handle(&mut demux, TagKind::Audio, &packet).unwrap();
    assert_eq!((&frame_of(&events).data, frame_of(&events).key), (&bytes("80aabb"), true));
    assert_eq!(handle(&mut demux, TagKind::Audio, &format!("90{OPUS_CC}{OPUS}")), Ok(Vec::new()));

    let mut demux = Demux::new();
    let events = handle(&mut demux, TagKind::Audio, &format!("90{MP4A}1190")).unwrap();
    assert!(matches!(&events[..], [FeedEvent::Audio(config)] if config.coding == AudioCoding::Aac));
    let events = handle(&mut demux, TagKind::Audio, &format!("91{MP4A}211b")).unwrap();
    assert_eq!(frame_of(&events).data, bytes("211b"));
}

#[test]
fn nanoseconds_move_a_picture_within_its_millisecond() {
    let mut demux = begun_with(AV01, AV1C);
    for (modifier, cts) in [
        ("02 07a120 01", 45),          // 500,000 ns
        ("02 0f423f 01", 89),          // 999,999 ns
        ("02 ffffff 01", 89),          // more than there may be
        ("03 07a120ff 01", 45),        // longer than it needs to be
        ("00 ff 01", 0),               // too short
        ("02 07a120 11", 0),           // a modifier of another type
        ("00 ff 17 02 07a120 01", 45), // two of them
        ("ff 0002 07a120 01", 45),     // a length of 16 bits
    ] {
        let message = format!("97 {modifier} {AV01} 320110");
        let events = handle(&mut demux, TagKind::Video, &message).unwrap();
        assert_eq!(frame_of(&events).cts, cts, "{modifier}");
    }
}

#[test]
fn of_many_tracks_the_first_one_is_taken_and_the_others_are_named() {
    let mut demux = Demux::new();
    let len = |text: &str| format!("{:06x}", bytes(text).len());
    // One track, many tracks of one codec, many tracks of many codecs.
    let start = format!("96 00 {AV01} 00 {AV1C}");
    video_of(&handle(&mut demux, TagKind::Video, &start).unwrap());
    let frames = format!("96 11 {AV01} 01 000001 aa 00 000003 320110 02 000000");
    let events = handle(&mut demux, TagKind::Video, &frames).unwrap();
    assert_eq!(frame_of(&events).data, bytes("320110"));
    let start = format!("95 20 {OPUS_CC} 00 {}{OPUS} {MP4A} 01 000002 1190", len(OPUS));
    assert_eq!(handle(&mut demux, TagKind::Audio, &start), Ok(Vec::new()));
    let frames = format!("95 21 {MP4A} 01 000002 211b {OPUS_CC} 00 000002 fcaa");
    let events = handle(&mut demux, TagKind::Audio, &frames).unwrap();
    assert_eq!(audio_of(&events).frame_len, 960);
    let others: Vec<_> = std::iter::from_fn(|| demux.poll_other()).collect();
    assert_eq!(others, ["video track 1 (AV1)", "video track 2 (AV1)", "audio track 1 (AAC)"]);
    // Each is named once, and there is a bound.
    for track in 0..=255_u8 {
        handle(&mut demux, TagKind::Audio, &format!("95 01 {MP4A} {track:02x} 211b")).unwrap_or_default();
    }
    assert_eq!(std::iter::from_fn(|| demux.poll_other()).count(), 13);
}

#[test]
fn further_sound_tracks_that_are_wanted_are_taken_and_one_that_is_no_use_refuses_nothing() {
    let mut demux = Demux::new().with_sounds(&[1, 3]);
    let len = |text: &str| format!("{:06x}", bytes(text).len());
    let start = format!("95 20 {OPUS_CC} 00 {}{OPUS} {MP4A} 01 000002 1190 {MP4A} 02 000002 1190", len(OPUS));
    let events = handle(&mut demux, TagKind::Audio, &start).unwrap();
    let [FeedEvent::Further { track: 1, event }] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(&**event, FeedEvent::Audio(config) if config.coding == AudioCoding::Aac));
    let frames = format!("95 21 {MP4A} 01 000002 211b {OPUS_CC} 00 000002 fcaa {MP4A} 02 000001 21");
    let events = handle(&mut demux, TagKind::Audio, &frames).unwrap();
    let [FeedEvent::Further { track: 1, event }, of_first @ ..] = &events[..] else { panic!("{events:?}") };
    assert_eq!(frame_of(std::slice::from_ref(event)).data, bytes("211b"));
    assert_eq!(audio_of(of_first).frame_len, 960);
    let other = "95 00 2e6d7033 03 00";
    assert!(matches!(handle(&mut demux, TagKind::Audio, other), Err(Error::Skip(_))));
    let others: Vec<_> = std::iter::from_fn(|| demux.poll_other()).collect();
    assert_eq!(others, ["audio track 2 (AAC)"]);
}

#[test]
fn further_tracks_of_pictures_that_are_wanted_are_taken() {
    let mut demux = Demux::new().with_pictures(&[1]);
    let start = format!("96 00 {AV01} 01 {AV1C}");
    let events = handle(&mut demux, TagKind::Video, &start).unwrap();
    let [FeedEvent::Further { track: 1, event }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(video_of(std::slice::from_ref(event)).coding, VideoCoding::Av1);
    // The first track is not begun by it.
    assert!(matches!(handle(&mut demux, TagKind::Video, &format!("91{AV01} 320110")), Err(Error::Skip(_))));
    let events = handle(&mut demux, TagKind::Video, &format!("96 01 {AV01} 01 1200 320110")).unwrap();
    let [FeedEvent::Further { track: 1, event }] = &events[..] else { panic!("{events:?}") };
    let frame = frame_of(std::slice::from_ref(event));
    assert_eq!((&frame.data, frame.key), (&bytes("320110"), true));
    assert_eq!(demux.poll_other(), None);
}

#[test]
fn metadata_says_what_the_numbers_mean_where_the_stream_does_not() {
    use crate::rtmp::amf0::Value;
    let code = |name: &str, code: f64| (name.to_string(), Value::Number(code));
    let message = |codes: &[(&str, f64)]| {
        let codes = codes.iter().map(|(name, number)| code(name, *number)).collect();
        let info = Value::Object([("colorConfig".to_string(), Value::Object(codes))].into());
        let mut body = bytes(&format!("94{HVC1}"));
        for value in [Value::from("colorInfo"), info] {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            body = [&body[..], &bytes].concat().into();
        }
        body
    };
    let pq = message(&[("bitDepth", 10.0), ("colorPrimaries", 9.0), ("transferCharacteristics", 16.0)]);
    let colour = Colour { primaries: 9, transfer: 16, matrix: 2, full_range: false };
    // Before the header and after it.
    let mut demux = Demux::new();
    demux.handle(TagKind::Video, 0, pq.clone()).unwrap();
    let events = handle(&mut demux, TagKind::Video, &format!("90{HVC1}{HVCC}")).unwrap();
    assert_eq!(video_of(&events).colour, Some(colour));
    let mut demux = begun_with(HVC1, HVCC);
    demux.handle(TagKind::Video, 0, pq.clone()).unwrap();
    assert!(matches!(demux.poll(), Some(FeedEvent::Video(config)) if config.colour == Some(colour)));
    demux.handle(TagKind::Video, 0, pq.clone()).unwrap();
    assert_eq!(demux.poll(), None);
    // What is unspecified takes it back.
    demux
        .handle(TagKind::Video, 0, message(&[("colorPrimaries", 2.0), ("matrixCoefficients", 1e9)]))
        .unwrap();
    assert!(matches!(demux.poll(), Some(FeedEvent::Video(config)) if config.colour.is_none()));
    // The stream's own word counts.
    let hdr = "81084c000a0e00000042a67fd9e017c284880482";
    let mut demux = begun_with(AV01, hdr);
    demux.handle(TagKind::Video, 0, message(&[("transferCharacteristics", 18.0)])).unwrap();
    assert_eq!(demux.poll(), None);
    // Metadata of other kinds, and what is none.
    for body in ["02 0003 666f6f 05", "02 0009 636f6c6f72496e666f", ""] {
        assert_eq!(handle(&mut demux, TagKind::Video, &format!("94{AV01}{body}")), Ok(Vec::new()));
    }
    assert!(handle(&mut demux, TagKind::Video, &format!("94{AV01} 42")).is_err());
}

#[test]
fn messages_without_an_event() {
    let mut demux = begun_with(HVC1, HVCC);
    handle(&mut demux, TagKind::Audio, &format!("90{MP4A}1190")).unwrap();
    for (kind, message) in [
        (TagKind::Video, "d1".to_string()),    // a command to a player
        (TagKind::Video, format!("92{HVC1}")), // the end of the sequence
        (TagKind::Video, format!("91{HVC1}")), // no picture
        (TagKind::Video, format!("93{HVC1}")),
        (TagKind::Video, format!("90{HVC1}")),    // no header
        (TagKind::Video, format!("9f{HVC1} 00")), // what a later version may bring
        (TagKind::Video, format!("95{HVC1} 00")), // a header for MPEG-2 TS beside one of ours
        (TagKind::Audio, format!("92{MP4A}")),
        (TagKind::Audio, format!("94{MP4A} 01 02")), // the channels' order
        (TagKind::Audio, format!("91{MP4A}")),
    ] {
        assert_eq!(handle(&mut demux, kind, &message), Ok(Vec::new()), "{message}");
    }
}

#[test]
fn a_malformed_message_is_skipped_and_nothing_else() {
    let mut demux = begun_with(HVC1, HVCC);
    handle(&mut demux, TagKind::Audio, &format!("90{OPUS_CC}{OPUS}")).unwrap();
    handle(&mut demux, TagKind::Audio, &format!("91{OPUS_CC}fcaa")).unwrap();
    for (kind, message) in [
        (TagKind::Video, "91".to_string()),
        (TagKind::Video, "91687663".to_string()),
        (TagKind::Video, format!("91{HVC1} 0000")),
        (TagKind::Video, format!("93{HVC1} 00000003 26")),
        (TagKind::Video, format!("90{HVC1} 0101")),
        (TagKind::Video, format!("91{AV01} 320110")), // another codec without its header
        (TagKind::Video, "91 76703039 aa".to_string()), // VP9 in the middle
        (TagKind::Video, "97".to_string()),
        (TagKind::Video, format!("97 ff 00{HVC1}")),
        (TagKind::Video, format!("97 20 00{HVC1}")),
        (TagKind::Video, "96".to_string()),
        (TagKind::Video, format!("96 31 {HVC1} 00")), // an unknown form
        (TagKind::Video, format!("96 06 {HVC1} 00")), // tracks within tracks
        (TagKind::Video, format!("96 01 {HVC1}")),
        (TagKind::Video, format!("96 11 {HVC1} 00 000009 00")),
        (TagKind::Video, format!("96 21 {HVC1} 00 000000 61")),
        (TagKind::Audio, format!("91{MP4A} 21")),
        (TagKind::Audio, format!("91{OPUS_CC} ff")),
        (TagKind::Audio, format!("90{OPUS_CC} 01")),
        (TagKind::Audio, "91 664c6143 aa".to_string()), // FLAC in the middle
    ] {
        let result = handle(&mut demux, kind, &message);
        assert!(matches!(result, Err(Error::Skip(_))), "{message}: {result:?}");
        let events = handle(&mut demux, TagKind::Audio, &format!("91{OPUS_CC}fcaa")).unwrap();
        assert_eq!(frame_of(&events).data, bytes("fcaa"), "{message}");
    }
    // A message of several tracks whose second one is no use is of use all the same.
    let frames = format!("96 13 {HVC1} 00 000007 00000003 2601af 00 000004 00000009");
    assert!(handle(&mut demux, TagKind::Video, &frames).is_err());
    assert!(matches!(demux.poll(), Some(FeedEvent::Frame(frame)) if frame.key));
}

#[test]
fn what_a_message_brings_is_told_without_its_track() {
    for (kind, message, part) in [
        (TagKind::Video, "1701000050 00000002 6588".to_string(), Part::Frames),
        (TagKind::Video, format!("1700000000{AVCC}"), Part::Other),
        (TagKind::Video, "1702000000".to_string(), Part::End),
        (TagKind::Audio, "af0121".to_string(), Part::Frames),
        (TagKind::Audio, "af001190".to_string(), Part::Other),
        (TagKind::Video, format!("91{AV01} 320110"), Part::Frames),
        (TagKind::Video, format!("93{HVC1} 00000003 2601af"), Part::Frames),
        (TagKind::Video, format!("92{HVC1}"), Part::End),
        (TagKind::Video, format!("90{AV01}{AV1C}"), Part::Other),
        (TagKind::Video, format!("97 02 07a120 01 {AV01} 320110"), Part::Frames),
        (TagKind::Audio, format!("95 21 {MP4A} 01 000002 211b"), Part::Frames),
        (TagKind::Audio, "93".to_string(), Part::Other),
        (TagKind::Data, "01".to_string(), Part::Other),
    ] {
        assert_eq!(part_of(kind, &bytes(&message)), part, "{message}");
    }
}

#[test]
fn an_encoder_may_go_over_to_another_codec() {
    let mut demux = begun_with(AVC1, AVCC);
    let events = handle(&mut demux, TagKind::Video, &format!("90{HVC1}{HVCC}")).unwrap();
    assert_eq!(video_of(&events).coding, VideoCoding::Hevc);
    assert!(handle(&mut demux, TagKind::Video, "1701000000 0000000165").is_err());
    assert!(handle(&mut demux, TagKind::Video, &format!("93{HVC1} 00000003 2601af")).is_ok());
}

#[test]
fn what_is_muxed_is_what_was_demuxed() {
    for (four_cc, record, frame) in [
        (HVC1, HVCC, format!("91{HVC1} fffff0 00000003 2601af")),
        (HVC1, HVCC, format!("a1{HVC1} 000028 00000003 0201af")),
        (AV01, AV1C, format!("91{AV01} 320110")),
        (AV01, AV1C, format!("a1{AV01} 320130")),
    ] {
        let (mut demux, mut tracks) = (begun_with(four_cc, record), Tracks::default());
        handle(&mut demux, TagKind::Audio, &format!("90{OPUS_CC}{OPUS}")).unwrap();
        let sound = format!("91{OPUS_CC} fcaa");
        let events = handle(&mut demux, TagKind::Audio, &sound).unwrap();
        tracks.audio = Some(audio_of(&events).clone());
        let events = handle(&mut Demux::new(), TagKind::Video, &format!("90{four_cc}{record}")).unwrap();
        tracks.video = Some(video_of(&events).clone());
        let video = tracks.video.as_ref().unwrap();
        assert_eq!(crate::flv::video_header(video), bytes(&format!("90{four_cc}{record}")));
        let head = crate::flv::audio_header(tracks.audio.as_ref().unwrap());
        assert_eq!(head, bytes(&format!("90{OPUS_CC}{OPUS}")));
        for (kind, message) in [(TagKind::Video, frame), (TagKind::Audio, sound)] {
            let events = handle(&mut demux, kind, &message).unwrap();
            let Frame { kind, cts, key, leading, data, .. } = frame_of(&events).clone();
            let sample = Sample { kind, dts: Default::default(), cts, key, leading, data };
            assert_eq!(body(&sample, &tracks).1, bytes(&message), "{message}");
        }
    }
}
