use super::*;
use crate::fmp4::read;

/// Half a second of one AAC stream, as ffmpeg muxes it in ADTS frames and in LATM elements.
const ADTS: &[u8] = include_bytes!("../../../tests/golden/adts.ts");
const LATM: &[u8] = include_bytes!("../../../tests/golden/latm.ts");
/// Half a second of one Opus stream, as ffmpeg muxes it.
const OPUS: &[u8] = include_bytes!("../../../tests/golden/opus.ts");
const OPUS_MP4: &[u8] = include_bytes!("../../../tests/golden/opus.mp4");

/// What a stream gives as a whole, which it also gives one byte at a time.
fn whole(stream: &[u8]) -> Vec<FeedEvent> {
    let (at_once, counts) = told(stream, stream.len());
    assert_eq!(at_once, told(stream, 1).0);
    assert_eq!(counts, Counts { ignored: counts.ignored, ..Counts::default() });
    at_once.into_iter().map(Result::unwrap).collect()
}

#[test]
fn sound_in_latm_elements_is_the_sound_in_adts_frames() {
    let (adts, latm) = (whole(ADTS), whole(LATM));
    assert!(adts.len() > 20, "{}", adts.len());
    let config = |events: &[FeedEvent]| {
        let [FeedEvent::Audio(config), ..] = events else { panic!("no parameters") };
        (config.codec.clone(), config.sample_rate, config.channels, config.frame_len)
    };
    assert_eq!(config(&adts), config(&latm));
    assert_eq!(adts[1..], latm[1..]);
}

#[test]
fn opus_is_what_ffmpeg_has_of_it_in_mp4() {
    let events = whole(OPUS);
    let [FeedEvent::Audio(config), frames @ ..] = &events[..] else { panic!("no parameters") };
    assert_eq!((&*config.codec, config.sample_rate, config.channels), ("Opus", 48_000, 2));
    let moof = OPUS_MP4.windows(4).position(|at| at == b"moof").unwrap() - 4;
    let mfra = OPUS_MP4.windows(4).position(|at| at == b"mfra").unwrap() - 4;
    let tracks = read::init(&OPUS_MP4[..moof]).unwrap();
    let fragments = read::segment(&OPUS_MP4[moof..mfra], &tracks).unwrap();
    let mut expected =
        crate::fmp4::movie::media(&OPUS_MP4[moof..mfra], &fragments).collect::<Vec<_>>().concat();
    let times: Vec<i64> = frames
        .iter()
        .map(|event| {
            let FeedEvent::Frame(frame) = event else { panic!("{event:?}") };
            assert!(expected.starts_with(&frame.data));
            expected.drain(..frame.data.len());
            frame.dts_ms
        })
        .collect();
    assert!(expected.is_empty(), "{} bytes are missing", expected.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20), "{times:?}");
}

/// `StreamMuxConfig` and payload in bits, as text of noughts and ones.
fn loas(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits.bytes().filter(|bit| b"01".contains(bit)).map(|bit| bit - b'0').collect();
    let element: Vec<u8> = bits
        .chunks(8)
        .map(|chunk| (0..8).fold(0, |byte, n| byte << 1 | chunk.get(n).unwrap_or(&0)))
        .collect();
    [&[0x56, 0xe0 | (element.len() >> 8) as u8, element.len() as u8], &element[..]].concat()
}

/// A stream of sound of this type.
fn stream(kind: u8, about: &str, packets: &[&[u8]]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(kind, AUDIO_PID, about)]);
    for (n, data) in packets.iter().enumerate() {
        writer.pes(AUDIO_PID, &[n as u64 * 90_000], true, data);
    }
    writer.bytes
}

/// AAC-LC, 48 kHz, stereo.
const ASC: &str = "00010 0011 0010 0 0 0";

#[test]
fn latm_elements_of_every_form_give_their_frames() {
    let payload = "00000010 11110000 00001111";
    let (ff, length) = ("11111111".repeat(255), "11111111 00000000");
    for (what, bits, frames) in [
        ("version 0", std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 0 {payload}"), 1),
        (
            "with a checksum",
            std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 1 10101010 {payload}"),
            1,
        ),
        (
            "with other data",
            std::format!(
                "0 0 1 000000 0000 000 {ASC} 000 11111111 1 1 00000000 0 00001000 0 {payload} 11111111"
            ),
            1,
        ),
        ("two frames", std::format!("0 0 1 000001 0000 000 {ASC} 000 11111111 0 0 {payload} {payload}"), 2),
        (
            "version 1",
            std::format!(
                "0 1 0 00 11111111 1 000000 0000 000 00 00010010 {ASC} 00 000 11111111 0 0 {payload}"
            ),
            1,
        ),
        ("long", std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 0 {length} {ff}"), 1),
    ] {
        let (told, _) = told(&stream(0x11, "", &[&loas(&bits)]), 188);
        assert_eq!(errors(&told), [""; 0], "{what}");
        let found = super::frames(&told, Kind::Audio);
        assert_eq!(found.len(), frames, "{what}");
        let long = std::vec![0xff; 255];
        let expected: &[u8] = if what == "long" { &long } else { &[0xf0, 0x0f] };
        assert!(found.iter().all(|frame| frame.data == expected), "{what}: {found:?}");
    }
    // The configuration of one element holds for the next.
    let first = loas(&std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 0 {payload}"));
    let same = loas(&std::format!("1 {payload}"));
    let (told, _) = told(&stream(0x11, "", &[&first, &[&same[..], &same].concat()]), 188);
    let times: Vec<i64> = super::frames(&told, Kind::Audio).iter().map(|frame| frame.dts_ms).collect();
    assert_eq!((errors(&told), times), (Vec::new(), std::vec![0, 1000, 1021]));
}

#[test]
fn latm_that_is_no_single_track_is_named_and_damage_costs_an_element() {
    let payload = "00000010 11110000 00001111";
    for (bits, text) in [
        ("0 1 1 0000", "LATM of a version that is reserved"),
        ("0 0 0 000000 0000 000", "LATM whose frames belong to several times"),
        ("0 0 1 000000 0001 000", "LATM of several programmes or layers"),
        (&std::format!("0 0 1 000000 0000 000 {ASC} 011 000000 0 0"), "LATM of CELP or HVXC"),
        ("0 0 1 000000 0000 000 00001 0011 0010 000 000 11111111 0 0", "AAC Main"),
    ] {
        let (told, _) = told(&stream(0x11, "", &[&loas(bits)]), 188);
        let Some(Err(Error::Refuse { sent, .. })) = told.last() else { panic!("{text}: {told:?}") };
        assert!(sent.contains(text), "{sent}");
    }
    let good = loas(&std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 0 {payload}"));
    for damaged in [
        "1 00000010 11110000 00001111",
        "0 0 1 0",
        "0 0 1 000000 0000 000 00010 0011 0010 0 0 0 000 11111111 0 0 00001000 1",
    ] {
        let (told, _) = told(&stream(0x11, "", &[&loas(damaged), &good, &loas(damaged), &good]), 188);
        assert_eq!(
            super::frames(&told, Kind::Audio).len(),
            if damaged.starts_with('1') { 3 } else { 2 },
            "{told:?}"
        );
        assert!(!errors(&told).is_empty());
    }
}

#[test]
fn opus_access_units_of_every_form_give_their_packets() {
    const ABOUT: &str = "0504 4f707573 7f0280";
    let packet = std::vec![0xfc; 300];
    let mut long = bytes("7fe0 ff2d");
    long.extend_from_slice(&packet);
    for (unit, data) in [
        (bytes("7fe0 02 fc01"), bytes("fc01")),
        (bytes("7ff8 02 0138 0010 fc01"), bytes("fc01")),
        (bytes("7fe4 02 03 aabbcc fc01"), bytes("fc01")),
        (long, packet),
    ] {
        let (told, _) =
            told(&stream(0x06, &std::format!("{ABOUT} 02"), &[&[&unit[..], &unit].concat()]), 188);
        assert_eq!(errors(&told), [""; 0]);
        let found = super::frames(&told, Kind::Audio);
        assert_eq!(
            found.iter().map(|frame| (frame.dts_ms, &frame.data[..])).collect::<Vec<_>>(),
            [(0, &data[..]), (20, &data)]
        );
    }
    for (channels, mapping) in [(1, 0), (2, 0), (3, 1), (6, 1), (8, 1)] {
        let unit = bytes("7fe0 02 fc01");
        let (told, _) = told(&stream(0x06, &std::format!("{ABOUT} 0{channels}"), &[&unit]), 188);
        let Some(Ok(FeedEvent::Audio(config))) = told.first() else { panic!("{told:?}") };
        assert_eq!((config.channels, config.record[10]), (channels, mapping));
    }
    let damaged = [&bytes("0000 7fe0 02 fc01 7fe0")[..], &[0xff; 600]].concat();
    let (told, _) =
        told(&stream(0x06, &std::format!("{ABOUT} 02"), &[&damaged, &bytes("7fe0 02 fc01")]), 188);
    assert!(!errors(&told).is_empty() && !super::frames(&told, Kind::Audio).is_empty(), "{told:?}");
}

#[test]
fn sound_that_changes_its_framing_is_read_on() {
    let good = loas(&std::format!("0 0 1 000000 0000 000 {ASC} 000 11111111 0 0 00000010 11110000 00001111"));
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x0f, AUDIO_PID, "")]);
    writer.pes(AUDIO_PID, &[0], true, &adts(b"12"));
    writer.pmt(PMT_PID, 1, 1, &[(0x11, AUDIO_PID, "")]);
    writer.pes(AUDIO_PID, &[90_000], true, &good);
    writer.pmt(PMT_PID, 1, 2, &[(0x06, AUDIO_PID, "0504 4f707573 7f028002")]);
    writer.pes(AUDIO_PID, &[180_000], true, &bytes("7fe0 02 fc01"));
    let (told, _) = told(&writer.bytes, 188);
    assert_eq!(errors(&told), [""; 0]);
    let found: Vec<(i64, usize)> =
        super::frames(&told, Kind::Audio).iter().map(|frame| (frame.dts_ms, frame.data.len())).collect();
    assert_eq!(found, [(0, 2), (1000, 2), (2000, 2)]);
    // ADTS and LATM say the same of it here, Opus does not.
    let configs = told.iter().filter(|one| matches!(one, Ok(FeedEvent::Audio(_)))).count();
    assert_eq!(configs, 2);
}

#[test]
fn further_streams_of_sound_are_tracks_with_the_languages_that_descriptors_tell() {
    let mut writer = write::Writer::default();
    writer.pat(0, &[(1, write::PMT_PID)]);
    let (english, korean) = ("0a04 656e6700", "0a04 6b6f7200");
    let streams = [
        (0x1b, write::VIDEO_PID, ""),
        (0x0f, write::AUDIO_PID, english),
        // One that can't be used counts for nothing.
        (0x81, 0x110, ""),
        (0x0f, 0x111, korean),
        (0x0f, 0x112, ""),
    ];
    writer.pmt(write::PMT_PID, 1, 0, &streams);
    writer.key(90_000, 90_000);
    for (pid, sound) in [(write::AUDIO_PID, 1), (0x111, 2), (0x112, 3), (write::AUDIO_PID, 1), (0x111, 2)] {
        writer.pes(pid, &[90_000], true, &write::adts(&[sound; 4]));
    }
    let mut demux = Demux::new().with_sounds(&[1, 5]);
    demux.handle(&writer.bytes);
    demux.end();
    let (mut languages, mut sounds) = (Vec::new(), Vec::new());
    while let Some(event) = demux.poll() {
        match event.unwrap() {
            FeedEvent::Language { track, language } => languages.push((track, language.to_string())),
            FeedEvent::Frame(frame) if frame.kind == Kind::Audio => sounds.push((0, frame.data[0])),
            FeedEvent::Further { track, event } => {
                if let FeedEvent::Frame(frame) = *event {
                    sounds.push((track, frame.data[0]));
                }
            }
            _ => {}
        }
    }
    assert_eq!(languages, [(0, "en".to_string()), (1, "ko".to_string())]);
    sounds.sort_unstable();
    assert_eq!(sounds, [(0, 1), (0, 1), (1, 2), (1, 2)]);
}

#[test]
fn a_further_stream_that_is_scrambled_is_left_out_and_the_feed_goes_on() {
    let mut writer = write::Writer::default();
    writer.pat(0, &[(1, write::PMT_PID)]);
    let streams = [(0x1b, write::VIDEO_PID, ""), (0x0f, write::AUDIO_PID, ""), (0x0f, 0x111, "")];
    writer.pmt(write::PMT_PID, 1, 0, &streams);
    writer.key(90_000, 90_000);
    let from = writer.bytes.len();
    writer.pes(0x111, &[90_000], true, &write::adts(&[2; 4]));
    writer.bytes[from + 3] |= 0x80;
    writer.pes(write::AUDIO_PID, &[90_000], true, &write::adts(&[1; 4]));
    let mut demux = Demux::new().with_sounds(&[1]);
    demux.handle(&writer.bytes);
    demux.end();
    let (mut sounds, mut errors) = (0, Vec::new());
    while let Some(event) = demux.poll() {
        match event {
            Ok(FeedEvent::Frame(frame)) if frame.kind == Kind::Audio => sounds += 1,
            Ok(FeedEvent::Further { .. }) => panic!("scrambled sound is used"),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    assert_eq!((sounds, errors), (1, vec![Error::Skip("a further track of sound that is scrambled")]));
}

/// A feed whose beginning nobody heard: sound, and pictures that refer to what was before.
fn from_the_middle(frames: u64) -> Writer {
    let mut writer = Writer::begun();
    for n in 0..frames {
        writer.pes(AUDIO_PID, &[n * 1_920], true, &adts(b"sound"));
        if n % 2 == 0 {
            writer.picture(n * 1_920, n * 1_920);
        }
    }
    writer
}

/// The first events, errors aside, by kind and time.
fn events(writer: &Writer) -> Vec<std::string::String> {
    let (told, _) = told(&writer.bytes, 188);
    kinds(&told)
}

fn kinds(told: &[Result<FeedEvent, Error>]) -> Vec<std::string::String> {
    let events = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Video(_)) => Some("video".into()),
        Ok(FeedEvent::Audio(_)) => Some("audio".into()),
        Ok(FeedEvent::Frame(frame)) => Some(std::format!("{:?} {}", frame.kind, frame.dts_ms)),
        _ => None,
    });
    events.collect()
}

#[test]
fn sound_from_before_the_first_picture_is_told_behind_it() {
    let mut writer = from_the_middle(140);
    writer.key(270_000, 270_000);
    writer.picture(273_600, 273_600);
    writer.pes(AUDIO_PID, &[273_600], true, &adts(b"sound"));
    let events = events(&writer);
    // Of what came before, the newest 128 frames: 12 to 139.
    assert_eq!(events[..4], ["video", "Video 3000", "audio", "Audio 256"], "{events:?}");
    assert_eq!(events[130..], ["Audio 2965", "Audio 3040", "Video 3040"], "{events:?}");
}

#[test]
fn sound_waits_ten_seconds_for_a_picture_and_goes_on_alone() {
    let writer = from_the_middle(469);
    let events_of_all = events(&writer);
    assert_eq!(events_of_all.len(), 1 + 128, "told at the stream's end");
    let mut writer = from_the_middle(471);
    writer.key(904_320, 904_320);
    let events = events(&writer);
    // The frame 469 is 10 s behind the first one.
    assert_eq!(events[..2], ["audio", "Audio 7274"], "{events:?}");
    assert_eq!(events[129..], ["Audio 10005", "Audio 10026", "video", "Video 10048"], "{events:?}");
}

/// What a demultiplexer tells of these bytes.
fn told_by(demux: &mut Demux, bytes: &[u8]) -> Vec<std::string::String> {
    demux.handle(bytes);
    let told: Vec<_> = core::iter::from_fn(|| demux.poll()).collect();
    kinds(&told)
}

#[test]
fn sound_that_has_flowed_is_not_held_back_for_a_picture_that_the_tables_begin_to_name() {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x0f, AUDIO_PID, "")]);
    writer.pes(AUDIO_PID, &[0], true, &adts(b"sound"));
    writer.pmt(PMT_PID, 1, 1, &[(0x1b, VIDEO_PID, ""), (0x0f, AUDIO_PID, "")]);
    for n in 1..4 {
        writer.pes(AUDIO_PID, &[n * 1_920], true, &adts(b"sound"));
    }
    let mut demux = Demux::new();
    let events = told_by(&mut demux, &writer.bytes);
    // The last one is whole once another begins, or the stream ends.
    assert_eq!(events[..4], ["audio", "Audio 0", "Audio 21", "Audio 42"], "{events:?}");
    assert_eq!(demux.lacked_picture(), None, "nothing was waited for");
}

#[test]
fn a_further_track_that_begins_later_waits_no_longer_than_the_first_one() {
    let mut demux = Demux::new().with_sounds(&[1]);
    let streams = [(0x1b, VIDEO_PID, ""), (0x0f, AUDIO_PID, ""), (0x0f, 0x1f2, "")];
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &streams);
    for n in 0..471 {
        writer.pes(AUDIO_PID, &[n * 1_920], true, &adts(b"sound"));
    }
    demux.handle(&writer.bytes);
    while demux.poll().is_some() {}
    writer.bytes.clear();
    for n in 471..474 {
        writer.pes(0x1f2, &[n * 1_920], false, &adts(b"more"));
    }
    demux.handle(&writer.bytes);
    let further =
        core::iter::from_fn(|| demux.poll()).filter(|told| matches!(told, Ok(FeedEvent::Further { .. })));
    assert_eq!(further.count(), 2, "its parameters, and what is known to be whole");
}

#[test]
fn a_picture_that_never_came_is_known_to_the_next_connection_until_one_comes() {
    let mut writer = from_the_middle(471);
    let mut first = Demux::new();
    assert!(told_by(&mut first, &writer.bytes).len() > 128);
    assert_eq!(first.lacked_picture(), Some(true));

    // Sound is told at once, and nothing more is known of pictures.
    let mut next = Demux::new().without_waiting(true);
    let events = told_by(&mut next, &from_the_middle(3).bytes);
    assert_eq!(events[..2], ["audio", "Audio 0"], "{events:?}");
    assert_eq!(next.lacked_picture(), None);

    writer.bytes.clear();
    writer.key(904_320, 904_320);
    writer.picture(907_920, 907_920);
    writer.picture(911_520, 911_520);
    for demux in [&mut first, &mut next] {
        demux.handle(&writer.bytes);
        while demux.poll().is_some() {}
    }
    assert_eq!([first.lacked_picture(), Demux::new().lacked_picture()], [Some(false), None]);
}
