use super::*;
use crate::codec::{Picture, av1};

/// Configuration records that ffmpeg 5.1 wrote with libaom, rav1e and SVT-AV1 for test pictures.
const RECORDS: [(&str, &str, u16, u16); 4] = [
    ("81000c000a0b000000043cfeccdaf90040", "av01.0.00M.08", 320, 180),
    // monochrome, full range
    ("81011c000a0b0000000cc4ff6736be4a80", "av01.0.01M.08.1.110.02.02.02.1", 640, 360),
    ("811f0c000a0e000000fa627fb38842a204040528", "av01.0.31M.08.0.110.02.02.02.1", 640, 360),
    // 10 bits, perceptual quantiser
    ("81084c000a0e00000042a67fd9e017c284880482", "av01.0.08M.10.0.110.09.16.09.0", 1280, 720),
];

#[test]
fn parameters_of_real_encoders() {
    for (record, codec, width, height) in RECORDS {
        let config = av1::config(&bytes(record)).unwrap();
        assert_eq!(config.record, bytes(record));
        assert_eq!((config.codec.as_str(), config.width, config.height), (codec, width, height), "{record}");
    }
    let hdr = av1::config(&bytes(RECORDS[3].0)).unwrap();
    assert_eq!(hdr.colour, Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }));
}

#[test]
fn a_cut_off_record_is_refused() {
    for (record, ..) in RECORDS {
        let record = bytes(record);
        for length in 0..record.len() {
            assert!(av1::config(&record.slice(..length)).is_err(), "{length}");
        }
    }
}

/// A record around a sequence header of these fields.
fn record(sequence: BitWriter) -> Bytes {
    let sequence = sequence.bytes();
    [&[0x81, 0, 0x0c, 0, 0x0a, sequence.len() as u8][..], &sequence].concat().into()
}

/// From the picture's size on: 64 × 36, and tools that each have fields of their own.
fn sized(sequence: BitWriter) -> BitWriter {
    let sequence = sequence.put(4, 5).put(4, 5).put(6, 63).put(6, 35);
    let sequence = sequence.put(1, 1).put(7, 0x55).put(3, 0b101).put(4, 0b1010).put(1, 1).put(2, 0b11);
    // Screen content tools are forced, and so are whole motion vectors.
    sequence.put(2, 0b01).put(2, 0b01).put(3, 6).put(3, 0b111)
}

#[test]
fn rarer_fields_are_passed_over() {
    // Timing of equal pictures of two ticks, a decoder model, two operating points of which the first one is of the high tier.
    let sequence = BitWriter::default().put(3, 0).put(2, 0).put(1, 1).put(32, 1001).put(32, 120_000);
    let sequence = sequence.put(1, 1).ue(1).put(1, 1).put(5, 9).put(32, 1).put(5, 3).put(5, 4);
    let sequence = sequence.put(1, 1).put(5, 1);
    let sequence = sequence.put(12, 0x101).put(5, 13).put(1, 1).put(1, 1).put(10, 1).put(10, 2).put(1, 0);
    let sequence = sequence.put(1, 1).put(4, 9);
    let sequence = sequence.put(12, 0x103).put(5, 2).put(1, 0).put(1, 0);
    // 10 bits, hybrid log-gamma, chroma at the top left.
    let sequence = sized(sequence).put(2, 0b10).put(1, 1).put(24, 0x09_12_09).put(1, 0).put(2, 2).put(1, 0);
    let config = av1::config(&record(sequence)).unwrap();
    assert_eq!((config.width, config.height, config.frame_rate_milli), (64, 36, Some(59_940)));
    assert_eq!(config.codec, "av01.0.13H.10.0.112.09.18.09.0");

    // What goes without saying is left out.
    let usual = BitWriter::default().put(3, 0).put(2, 0).put(2, 0).put(5, 0).put(12, 0).put(5, 4);
    let usual = sized(usual).put(2, 0).put(1, 1).put(24, 0x01_01_01).put(1, 0).put(2, 0).put(1, 0);
    let config = av1::config(&record(usual)).unwrap();
    assert_eq!((config.codec.as_str(), config.frame_rate_milli), ("av01.0.04M.08", None));
    assert!(config.colour.is_some());

    // A still picture has a header of its own.
    let still = BitWriter::default().put(3, 0).put(2, 0b11).put(5, 1);
    let still = still.put(4, 5).put(4, 5).put(6, 63).put(6, 35).put(3, 0).put(3, 0);
    let config = av1::config(&record(still.put(2, 0).put(1, 0).put(1, 0).put(2, 0).put(1, 0))).unwrap();
    assert_eq!((config.width, config.codec.as_str()), (64, "av01.0.01M.08"));
}

#[test]
fn what_browsers_do_not_play_is_named() {
    let of_profile = |profile| {
        let sequence =
            BitWriter::default().put(3, profile).put(2, 0).put(2, 0).put(5, 0).put(12, 0).put(5, 4);
        // 12 bits of 4:2:0 in the professional profile; RGB in the high one.
        let sequence = sized(sequence);
        match profile {
            1 => sequence.put(1, 0).put(1, 1).put(24, 0x01_0d_00).put(1, 0),
            _ => sequence.put(2, 0b11).put(1, 0).put(1, 0).put(1, 0).put(2, 0b11).put(2, 0).put(1, 0),
        }
    };
    let ffmpeg = bytes("812100000a0b2000000cc4ff6736be4080");
    for (record, sent) in [
        (ffmpeg, "AV1 High"),
        (record(of_profile(1)), "AV1 High"),
        (record(of_profile(2)), "AV1 Professional"),
    ] {
        let sent = std::format!("{sent}, which browsers do not play");
        let set = "AV1 Main (8 or 10 bits, 4:2:0)";
        assert_eq!(av1::config(&record), Err(ConfigError::Unsupported { sent, set }));
    }
}

#[test]
fn records_that_make_no_sense_are_refused() {
    for (record, reason) in [
        ("80000c00 0a0b000000043cfeccdaf90040", "version 1"),
        ("81000c00", "has no sequence header"),
        ("81000c00 120b000000043cfeccdaf90040", "has no sequence header"), // a delimiter in its place
        ("81000c00 0a0bff0000043cfeccdaf90040", "makes no sense"),         // a reserved profile
        ("81000c00 8a0b000000043cfeccdaf90040", "cut off"),
        ("81000c00 0a80808080808080808000", "cut off"), // a length without end
    ] {
        let error = av1::config(&bytes(&record.replace(' ', ""))).unwrap_err();
        assert!(std::format!("{error}").contains(reason), "{record}: {error}");
    }
    assert!(av1::config(&Bytes::from(std::vec![0x81; crate::codec::CONFIG_LEN_MAX + 1])).is_err());
}

#[test]
fn key_frames_begin_a_temporal_unit() {
    for (unit, key, data) in [
        ("", false, ""),
        ("1200 0a0100 320210aa", true, "0a0100 320210aa"), // a delimiter, which is left out
        ("1200 1200 320110", true, "320110"),
        ("320110 320130", true, "320110 320130"),
        ("1e01 01 10", true, "1e01 01 10"), // a frame header with an extension
        ("30 10aa", true, "30 10aa"),       // the last one without a length
        ("320100", false, "320100"),        // a key frame that is not shown
        ("320190", false, "320190"),        // one that is shown again
        ("320130 320110", false, "320130 320110"), // another frame is first
        ("0a0100", false, "0a0100"),
    ] {
        let unit = bytes(&unit.replace(' ', ""));
        let picture = Picture { key, leading: false };
        assert_eq!(av1::picture(&unit), Some((bytes(&data.replace(' ', "")), picture)), "{data}");
    }
    for unit in ["80", "3202 10", "32", "3200"] {
        assert_eq!(av1::picture(&bytes(&unit.replace(' ', ""))), None, "{unit}");
    }
}

proptest! {
    #[test]
    fn no_parameters_can_trip_the_parser(
        which in 0..RECORDS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut changed = bytes(RECORDS[which].0).to_vec();
        for (at, value) in changes {
            let at = at.index(changed.len());
            changed[at] = value;
        }
        let _ = av1::config(&changed.into());
        let bits = noise.iter().fold(BitWriter::default(), |bits, byte| bits.put(8, u32::from(*byte)));
        if let Ok(config) = av1::config(&record(bits)) {
            prop_assert!(config.width > 0 && config.height > 0);
        }
        if let Some((data, _)) = av1::picture(&noise.clone().into()) {
            prop_assert!(noise.ends_with(&data));
        }
    }
}

#[test]
fn the_record_of_a_sequence_header_is_what_others_write() {
    for (expected, ..) in RECORDS {
        let unit = bytes(expected).slice(4..);
        assert_eq!(av1::record(&unit), Some(bytes(expected)), "{expected}");
        for len in 0..unit.len() {
            assert_eq!(av1::record(&unit[..len]), None, "{len}");
        }
    }
    assert_eq!(av1::record(&bytes("3200")), None, "a frame alone");
}
