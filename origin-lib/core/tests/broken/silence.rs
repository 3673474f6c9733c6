//! Silence that we make, in the hands of ffmpeg: it decodes to nothing but zeros, without a word.

use std::process::Command;

use bytes::Bytes;
use railbird_core::codec::{aac, opus, silence};
use railbird_core::fmp4;
use railbird_core::media::{AudioConfig, Cut, Kind, Sample, Tracks};
use railbird_core::time::MediaTime;

use super::way::START;

const FRAMES: u64 = 50;

/// Fields of so many bits, one behind the other.
fn bits(fields: &[(u32, u32)]) -> Bytes {
    let text: String =
        fields.iter().map(|(value, count)| format!("{value:0width$b}", width = *count as usize)).collect();
    let bytes = text.as_bytes().chunks(8).map(|byte| {
        let byte = std::str::from_utf8(byte).unwrap();
        u8::from_str_radix(&format!("{byte:0<8}"), 2).unwrap()
    });
    bytes.collect()
}

/// AAC-LC, by the index of its rate and by its layout.
fn lc(rate: u32, layout: u32) -> AudioConfig {
    aac::config(&bits(&[(2, 5), (rate, 4), (layout, 4), (0, 3)])).unwrap()
}

/// SBR, or PS, on top of AAC-LC at half the rate.
fn high_efficiency(kind: u32, layout: u32) -> AudioConfig {
    aac::config(&bits(&[(kind, 5), (6, 4), (layout, 4), (3, 4), (2, 5), (0, 3)])).unwrap()
}

/// A pair in front and one behind, with other tags than usual, told by a `program_config_element`.
fn told() -> AudioConfig {
    let element = [(1, 4), (1, 2), (3, 4), (1, 4), (0, 4), (1, 4), (0, 2), (0, 3), (0, 4), (0, 3)];
    let places = [(1, 1), (1, 4), (1, 1), (3, 4)];
    let fields = [&[(2, 5), (3, 4), (0, 4), (0, 3)], &element[..], &places, &[(0, 4), (0, 8)]].concat();
    aac::config(&bits(&fields)).unwrap()
}

fn of_opus(channels: u8) -> AudioConfig {
    let mut head = vec![1, channels, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0];
    match channels {
        1 | 2 => head.push(0),
        // Of the layouts of Vorbis: how many streams, how many of two channels, and which channel is where.
        _ => {
            let (streams, coupled) =
                [(2, 1), (2, 2), (3, 2), (4, 2), (5, 2), (5, 3)][usize::from(channels) - 3];
            head.extend([1, streams, coupled]);
            head.extend(0..channels);
        }
    }
    opus::config(&head).unwrap()
}

/// What ffmpeg says, and what it decodes of so many frames of silence.
fn decoded(config: &AudioConfig) -> (String, Vec<f32>) {
    let data = silence::frame(config).unwrap();
    let at = |n: u64| {
        let ticks =
            START.utc.media().0 + n * u64::from(config.frame_len) * 90_000 / u64::from(config.sample_rate);
        MediaTime(ticks)
    };
    let sample =
        |n| Sample { kind: Kind::Audio, dts: at(n), cts: 0, key: true, leading: false, data: data.clone() };
    let tracks = Tracks { video: None, audio: Some(config.clone()) };
    let cut = Cut {
        start: at(0),
        duration: (at(FRAMES).0 - at(0).0) as u32,
        tracks,
        audio: (0..FRAMES).map(sample).collect(),
        audio_end: at(FRAMES),
        ..Cut::default()
    };
    let mut bytes = fmp4::init(&cut.tracks);
    fmp4::segment(&cut, 1, &mut bytes);
    let file = std::env::temp_dir().join(format!("railbird-silence-{}.mp4", std::process::id()));
    std::fs::write(&file, bytes).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-i"])
        .arg(&file)
        .args(["-f", "f32le", "-"])
        .output()
        .expect("ffmpeg");
    std::fs::remove_file(&file).unwrap();
    let samples = output.stdout.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    (String::from_utf8_lossy(&output.stderr).into_owned(), samples.collect())
}

#[test]
fn silence_of_each_kind_of_sound_decodes_to_zeros() {
    // ffmpeg 5.1 does not know layout 14.
    let layouts = (1..=7).chain([11, 12]).map(|layout| lc(3, layout));
    let rates = (0..=12).map(|rate| lc(rate, 2));
    let further =
        [high_efficiency(5, 1), high_efficiency(5, 2), high_efficiency(5, 6), high_efficiency(29, 1), told()];
    // Packets of 2.5 ms up to 120 ms.
    let lens = [120, 240, 480, 1920, 2880, 5760].into_iter();
    let lens =
        lens.flat_map(|frame_len| [2, 6].map(|channels| AudioConfig { frame_len, ..of_opus(channels) }));
    let all =
        layouts.chain(rates).chain(further).chain((1..=8).map(of_opus)).chain(lens).chain([silence::usual()]);
    for config in all {
        let (said, samples) = decoded(&config);
        assert_eq!(said, "", "{config:?}");
        assert!(samples.iter().all(|sample| *sample == 0.0), "{config:?}");
        // What an Opus decoder skips, and what a decoder of SBR is late by, is less than a few frames.
        // It takes SBR in mono for PS, which may yet come.
        let channels = if config.channels == 1 && config.frame_len == 2048 { 2 } else { config.channels };
        let frames = samples.len() as u64 / u64::from(channels) / u64::from(config.frame_len);
        assert!((FRAMES - 3..=FRAMES + 1).contains(&frames), "{frames} frames of {config:?}");
    }
}
