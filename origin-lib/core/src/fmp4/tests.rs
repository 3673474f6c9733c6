//! Golden bytes lie in `tests/golden`, each with a dump that a person can read. After a wanted change, write them anew
//! with `UPDATE_GOLDEN=1 cargo test -p railbird-core fmp4`, and read the difference.

mod entries;
mod movie;
mod outline;

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::PathBuf;
use std::string::String;
use std::vec;
use std::vec::Vec;
use std::{env, fs};

use bytes::Bytes;
use mp4_atom::{Any, Codec, Decode, Moof, Moov, TrunSamples};
use proptest::prelude::*;

use super::*;
use crate::media::{AudioCoding, Kind, Sample, VideoCoding};
use crate::time::{MediaSpan, UtcMs};

const START: UtcMs = UtcMs(1_795_171_920_040);

fn tracks() -> Tracks {
    Tracks {
        video: Some(VideoConfig {
            coding: VideoCoding::Avc,
            record: Bytes::from_static(&[
                1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 4, 0x68, 0xee, 0x3c, 0xb0,
                0xfd, 0xf8, 0xf8, 0,
            ]),
            codec: "avc1.64001f".into(),
            width: 1280,
            height: 720,
            frame_rate_milli: Some(25_000),
            colour: None,
        }),
        audio: Some(AudioConfig {
            coding: AudioCoding::Aac,
            record: Bytes::from_static(&[0x11, 0x90]),
            codec: "mp4a.40.2".into(),
            sample_rate: 48_000,
            channels: 2,
            frame_len: 1024,
        }),
    }
}

fn sample(kind: Kind, ms: u64, cts_ms: i32, key: bool, data: &[u8]) -> Sample {
    Sample {
        kind,
        dts: START.plus_ms(ms).media(),
        cts: cts_ms * 90,
        key,
        leading: false,
        data: Bytes::copy_from_slice(data),
    }
}

/// Four video frames with a reordered one, and audio on RTMP's grid of milliseconds.
fn cut() -> Cut {
    Cut {
        start: START.plus_ms(80).media(),
        duration: 14_400,
        discontinuity: false,
        tracks: tracks(),
        video: vec![
            sample(Kind::Video, 0, 80, true, b"\0\0\0\x04IIII"),
            sample(Kind::Video, 40, 120, false, b"\0\0\0\x02PP"),
            sample(Kind::Video, 80, 40, false, b"\0\0\0\x01b"),
            sample(Kind::Video, 121, -1, false, b"\0\0\0\x01b"),
        ],
        audio: [75, 96, 118, 139, 160, 182, 203, 224]
            .iter()
            .enumerate()
            .map(|(i, ms)| sample(Kind::Audio, *ms, 0, true, &[0x21, i as u8, 0x1c][..2 + i % 2]))
            .collect(),
        video_end: START.plus_ms(160).media(),
        audio_end: START.plus_ms(246).media(),
    }
}

fn golden(name: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (file, text) = (folder.join(name), folder.join(std::format!("{name}.txt")));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, bytes).unwrap();
        fs::write(&text, dump(bytes)).unwrap();
    }
    assert_eq!(dump(bytes), fs::read_to_string(&text).unwrap(), "{name}: see this file's head");
    assert_eq!(bytes, fs::read(&file).unwrap(), "{name}: see this file's head");
}

/// The tree of boxes, each with the bytes that are its own.
fn dump(bytes: &[u8]) -> String {
    fn walk(out: &mut String, mut bytes: &[u8], depth: usize) {
        while !bytes.is_empty() {
            let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let name = std::str::from_utf8(&bytes[4..8]).unwrap();
            let (body, rest) = (&bytes[8..size], &bytes[size..]);
            writeln!(out, "{:indent$}{name} {size}", "", indent = 2 * depth).unwrap();
            // Containers, and how many bytes of their own come before their children.
            let own = match name {
                "moov" | "trak" | "mdia" | "minf" | "dinf" | "stbl" | "mvex" | "moof" | "traf" | "edts" => 0,
                "stsd" | "dref" => 8,
                "avc1" | "hvc1" | "av01" => 78,
                "mp4a" | "Opus" => 28,
                _ => body.len(),
            };
            for line in body[..own].chunks(24) {
                let hex: Vec<_> = line.chunks(4).map(crate::hex::encode).collect();
                writeln!(out, "{:indent$}{}", "", hex.join(" "), indent = 2 * depth + 2).unwrap();
            }
            walk(out, &body[own..], depth + 1);
            bytes = rest;
        }
    }
    let mut out = String::new();
    walk(&mut out, bytes, 0);
    out
}

fn segment_bytes(cut: &Cut) -> Vec<u8> {
    let mut out = Vec::new();
    segment(cut, sequence(cut.start), &mut out);
    out
}

#[test]
fn golden_init() {
    golden("init.mp4", &init(&tracks()));
}

#[test]
fn golden_segment() {
    golden("segment.m4s", &segment_bytes(&cut()));
}

fn moov(tracks: &Tracks) -> Moov {
    let bytes = init(tracks);
    let mut rest = Cursor::new(&bytes[..]);
    assert!(matches!(Any::decode(&mut rest).unwrap(), Any::Ftyp(_)));
    let Any::Moov(moov) = Any::decode(&mut rest).unwrap() else { panic!("no moov") };
    assert_eq!(rest.position(), bytes.len() as u64);
    moov
}

/// Another program's reading of a segment: its `moof` with where that begins, and the `mdat`'s bytes.
fn read(bytes: &[u8]) -> (usize, Moof) {
    let mut rest = Cursor::new(bytes);
    assert!(matches!(Any::decode(&mut rest).unwrap(), Any::Styp(_)));
    let at = rest.position() as usize;
    let Any::Moof(moof) = Any::decode(&mut rest).unwrap() else { panic!("no moof") };
    assert!(matches!(Any::decode(&mut rest).unwrap(), Any::Mdat(_)));
    assert_eq!(rest.position(), bytes.len() as u64);
    (at, moof)
}

/// One track as a player sees it: first decoding time, then duration, sync, offset and bytes of each sample.
type Seen = (u64, Vec<(u32, bool, i64, Vec<u8>)>);

fn seen(bytes: &[u8], moov: &Moov, track: u32) -> Option<Seen> {
    let (moof_at, moof) = read(bytes);
    let trex = moov.mvex.as_ref().unwrap().trex.iter().find(|trex| trex.track_id == track).unwrap();
    let traf = moof.traf.iter().find(|traf| traf.tfhd.track_id == track)?;
    assert!(traf.tfhd.default_base_is_moof);
    let [trun] = &traf.trun[..] else { panic!("one trun") };
    let mut at = moof_at + trun.data_offset.unwrap() as usize;
    let first_flags = match &trun.samples {
        TrunSamples::Inherited { first_flags, .. } => *first_flags,
        TrunSamples::Explicit(_) => None,
    };
    let samples = trun.samples.iter().enumerate().map(|(i, entry)| {
        let size = entry.size.or(traf.tfhd.default_sample_size).unwrap_or(trex.default_sample_size) as usize;
        let data = bytes[at..at + size].to_vec();
        at += size;
        let first = if i == 0 { first_flags } else { None };
        let flags = entry.flags.or(first).or(traf.tfhd.default_sample_flags);
        (
            entry.duration.or(traf.tfhd.default_sample_duration).unwrap_or(trex.default_sample_duration),
            flags.unwrap_or(trex.default_sample_flags) & 0x1_0000 == 0,
            entry.cts.unwrap_or(0),
            data,
        )
    });
    let samples = samples.collect();
    Some((traf.tfdt.as_ref().unwrap().base_media_decode_time, samples))
}

#[test]
fn another_parser_reads_the_init_segment() {
    let tracks = tracks();
    let moov = moov(&tracks);
    let [video, audio] = &moov.trak[..] else { panic!("two tracks") };
    assert_eq!((video.tkhd.track_id, video.mdia.mdhd.timescale), (VIDEO_TRACK, 90_000));
    assert_eq!((audio.tkhd.track_id, audio.mdia.mdhd.timescale), (AUDIO_TRACK, 48_000));
    assert_eq!((video.tkhd.width.integer(), video.tkhd.height.integer()), (1280, 720));
    assert_eq!((&video.mdia.hdlr.handler, &audio.mdia.hdlr.handler), (&b"vide".into(), &b"soun".into()));
    let [Codec::Avc1(avc1)] = &video.mdia.minf.stbl.stsd.codecs[..] else { panic!("avc1") };
    assert_eq!((avc1.visual.width, avc1.visual.height), (1280, 720));
    assert_eq!(avc1.avcc.sequence_parameter_sets, [[0x67, 0x64, 0, 0x1f]]);
    let [Codec::Mp4a(mp4a)] = &audio.mdia.minf.stbl.stsd.codecs[..] else { panic!("mp4a") };
    assert_eq!((mp4a.audio.channel_count, mp4a.audio.sample_rate.integer()), (2, 48_000));
    let config = &mp4a.esds.es_desc.dec_config;
    assert_eq!((config.object_type_indication, config.stream_type), (0x40, 5));
    assert_eq!(config.dec_specific.as_ref().unwrap().raw, [0x11, 0x90]);
}

#[test]
fn init_segments_of_one_track_and_of_odd_parameters() {
    let Tracks { video, audio } = tracks();
    assert_eq!(moov(&Tracks { video: video.clone(), audio: None }).trak.len(), 1);
    let mut config = audio.clone().unwrap();
    // Descriptor lengths of more than one byte, and a rate that 16.16 can't say.
    config.record = vec![0x11; 300].into();
    config.sample_rate = 96_000;
    let moov = moov(&Tracks { video: None, audio: Some(config) });
    let [Codec::Mp4a(mp4a)] = &moov.trak[0].mdia.minf.stbl.stsd.codecs[..] else { panic!("mp4a") };
    assert_eq!(mp4a.esds.es_desc.dec_config.dec_specific.as_ref().unwrap().raw, [0x11; 300]);
    assert_eq!(moov.trak[0].mdia.mdhd.timescale, 96_000);
}

#[test]
fn pictures_and_the_sound_beside_them_have_one_init_segment_as_if_they_were_muxed() {
    let Tracks { video, audio } = tracks();
    let pictures = init(&Tracks { video: video.clone(), audio: None });
    let sound = init(&Tracks { video: None, audio: audio.clone() });
    assert_eq!(join(&pictures, &sound).unwrap(), init(&Tracks { video, audio }));
    assert_eq!(
        join(&sound, &sound),
        Err(read::ReadError("the pictures and the sound have the same track number"))
    );
    for cut in 0..sound.len() {
        assert!(join(&pictures, &sound[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn numbers_increase_also_within_one_interval_and_begin_again_after_49_days() {
    let at = |ms: u64| sequence(UtcMs(ms).media());
    let interval = START.0 / 2000 * 2000;
    // Three segments of one epoch-aligned index, parts of them, and the next index.
    let numbers = [0, 250, 500, 501, 1_200, 1_999, 2_000].map(|ms| at(interval + ms));
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let again = (START.0 >> 32) << 32;
    assert_eq!([again - 1, again, again + 1].map(at), [u32::MAX, 0, 1]);
    // Whatever tick of a millisecond it is: names tell no more.
    assert_eq!(sequence(MediaTime(START.media().0 + 89)), sequence(START.media()));
}

#[test]
fn another_parser_reads_the_segment() {
    let (cut, moov) = (cut(), moov(&tracks()));
    let bytes = segment_bytes(&cut);
    assert_eq!(read(&bytes).1.mfhd.sequence_number, START.plus_ms(80).0 as u32);

    let (start, video) = seen(&bytes, &moov, VIDEO_TRACK).unwrap();
    // As if decoding began when the first picture is shown.
    assert_eq!(start, START.plus_ms(80).media().0);
    let times: Vec<_> = video.iter().map(|(duration, sync, cts, _)| (*duration, *sync, *cts)).collect();
    assert_eq!(times, [(3600, true, 0), (3600, false, 3600), (3690, false, -3600), (3510, false, -7290)]);
    assert!(video.iter().zip(&cut.video).all(|(seen, sample)| seen.3[..] == sample.data[..]));

    let (start, audio) = seen(&bytes, &moov, AUDIO_TRACK).unwrap();
    assert_eq!(start, START.plus_ms(75).media().rescale(48_000));
    assert!(audio.iter().zip(&cut.audio).all(|(seen, sample)| seen.3[..] == sample.data[..]));
    let durations: Vec<_> = audio.iter().map(|(duration, ..)| *duration).collect();
    // On the exact grid; the last one ends where the next segment begins: 171 ms after the first began.
    assert_eq!(durations, [1024, 1024, 1024, 1024, 1024, 1024, 1024, 171 * 48 - 7 * 1024]);
}

#[test]
fn values_that_all_samples_share_are_said_once() {
    let mut cut = cut();
    let full = segment_bytes(&cut).len();
    cut.start = START.media();
    for (i, sample) in cut.video.iter_mut().enumerate() {
        *sample = self::sample(Kind::Video, 40 * i as u64, 0, i == 0, b"\0\0\0\x02PP");
    }
    let bytes = segment_bytes(&cut);
    // Three columns of four rows less, two values in tfhd and one in trun more.
    assert_eq!(
        read(&bytes).1.traf[0].trun[0].samples,
        TrunSamples::Inherited { count: 4, first_flags: Some(KEY) }
    );
    assert!(bytes.len() < full);
    let (_, video) = seen(&bytes, &moov(&tracks()), VIDEO_TRACK).unwrap();
    let row = |sync| (3600, sync, 0, b"\0\0\0\x02PP".to_vec());
    assert_eq!(video, [row(true), row(false), row(false), row(false)]);
}

#[test]
fn key_frames_inside_a_segment_are_marked() {
    let mut cut = cut();
    cut.video[2].key = true;
    let sync = |cut: &Cut| -> Vec<bool> {
        let seen = seen(&segment_bytes(cut), &moov(&tracks()), VIDEO_TRACK).unwrap();
        seen.1.iter().map(|sample| sample.1).collect()
    };
    assert_eq!(sync(&cut), [true, false, true, false]);
    cut.video.iter_mut().for_each(|sample| sample.key = true);
    assert_eq!(sync(&cut), [true; 4]);
    cut.video.iter_mut().for_each(|sample| sample.key = false);
    assert_eq!(sync(&cut), [false; 4]);
}

#[test]
fn a_track_without_samples_has_no_traf() {
    let mut cut = cut();
    cut.audio.clear();
    assert_eq!(read(&segment_bytes(&cut)).1.traf.len(), 1);
    cut.video.clear();
    assert_eq!(read(&segment_bytes(&cut)).1.traf.len(), 0);
}

#[test]
fn audio_leaves_the_grid_where_its_times_do() {
    let config = tracks().audio.unwrap();
    let at =
        |ms: &[u64]| -> Vec<Sample> { ms.iter().map(|ms| sample(Kind::Audio, *ms, 0, true, b"a")).collect() };
    // A frame is missing after the second, then 4 ms too few, then 3 ms too many.
    let samples = at(&[0, 21, 64, 81, 105]);
    let run = Run::audio(&samples, START.plus_ms(126).media(), &config).unwrap();
    let durations: Vec<_> = run.entries.iter().map(|entry| entry.duration).collect();
    assert_eq!(durations, [1024, 64 * 48 - 1024, 17 * 48, 1024, 45 * 48 - 1024]);
    // An end that lies before the last sample can't make it negative.
    let run = Run::audio(&samples, START.media(), &config).unwrap();
    assert_eq!(run.entries[4].duration, 1);
}

proptest! {
    #[test]
    fn neighbours_meet_and_the_length_is_foreseen(
        rate in prop::sample::select(vec![22_050_u32, 32_000, 44_100, 48_000, 96_000]),
        frames in 2..300_usize,
        split in 1..299_usize,
        jitter in prop::collection::vec(0..3_u64, 300),
    ) {
        let split = split.min(frames - 1);
        let mut tracks = tracks();
        tracks.audio.as_mut().unwrap().sample_rate = rate;
        let at = |n: usize| n as u64 * 1024 * 1000 / u64::from(rate) + jitter[n % 300];
        let audio: Vec<_> = (0..frames).map(|n| sample(Kind::Audio, at(n), 0, true, &vec![7; n % 5])).collect();
        let of = |samples: &[Sample], end: u64| Cut {
            start: START.media(),
            tracks: tracks.clone(),
            audio: samples.to_vec(),
            audio_end: START.plus_ms(end).media(),
            ..Cut::default()
        };
        let moov = moov(&tracks);
        let mut out = Vec::new();
        segment(&of(&audio[..split], at(split)), 1, &mut out);
        prop_assert_eq!(out.len(), out.capacity());
        let (start, first) = seen(&out, &moov, AUDIO_TRACK).unwrap();
        let (next, _) = seen(&segment_bytes(&of(&audio[split..], at(frames))), &moov, AUDIO_TRACK).unwrap();
        let mut time = start;
        for (entry, sample) in first.iter().zip(&audio) {
            // Where it lies is never further from its real time than the tolerance.
            let real = sample.dts.rescale(rate);
            prop_assert!(time.abs_diff(real) <= layout::GRID_MS_MAX * u64::from(rate) / 1000);
            time += u64::from(entry.0);
        }
        prop_assert_eq!(time, next);
    }
}

#[test]
fn events_stand_before_the_media_and_are_read_by_others() {
    let cut = cut();
    let events = [(80, 7), (160, 9)].map(|(ms, id)| Event {
        at: START.plus_ms(ms).media(),
        id,
        message: Bytes::from_static(b"ID3 tag"),
    });
    let (mut plain, mut bytes) = (Vec::new(), Vec::new());
    segment(&cut, 1, &mut plain);
    segment_with(&cut, 1, &events, &mut bytes);
    let mut rest = Cursor::new(&bytes);
    let mut read = Vec::new();
    let mut names = Vec::new();
    while (rest.position() as usize) < bytes.len() {
        match Any::decode(&mut rest).unwrap() {
            Any::Emsg(emsg) => {
                names.push("emsg");
                read.push(emsg);
            }
            Any::Styp(_) => names.push("styp"),
            Any::Moof(_) => names.push("moof"),
            Any::Mdat(_) => names.push("mdat"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(names, ["styp", "emsg", "emsg", "moof", "mdat"]);
    for (emsg, event) in read.iter().zip(&events) {
        assert_eq!((emsg.timescale, emsg.event_duration, emsg.id), (90_000, u32::MAX, event.id));
        assert_eq!(emsg.presentation_time, mp4_atom::EmsgTimestamp::Absolute(event.at.0));
        assert_eq!((&*emsg.scheme_id_uri, &*emsg.value), ("https://aomedia.org/emsg/ID3", ""));
        assert_eq!(emsg.message_data, event.message);
    }
    // What reads segments back finds the same samples.
    let samples = |bytes: &[u8]| {
        let tracks = read::init(&init(&cut.tracks)).unwrap();
        let fragments = read::segment(bytes, &tracks).unwrap();
        let data = fragments.iter().flat_map(|fragment| &fragment.samples);
        data.map(|sample| bytes[sample.data.clone()].to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(samples(&bytes), samples(&plain));
}
