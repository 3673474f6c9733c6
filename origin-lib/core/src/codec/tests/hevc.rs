use super::*;
use crate::codec::{Picture, hevc};

/// Sequence headers that ffmpeg 5.1 with x265 wrote for test pictures, without the SEI in which it names itself.
struct Sent {
    record: &'static str,
    codec: &'static str,
    size: (u16, u16),
    frame_rate_milli: u32,
    colour: Option<Colour>,
}

const X265: [Sent; 4] = [
    Sent {
        record: "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002b42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840a2000100074401c172b46240",
        codec: "hvc1.1.6.L60.90",
        size: (320, 180),
        frame_rate_milli: 25_000,
        colour: None,
    },
    // HDR10, with its mastering display and its light levels in SEI
    Sent {
        record: "0102200000009000000000007bf000fcfdfafa00000f04a00001001840010c01ffff02200000030090000003000003007b959409a10001003042010102200000030090000003000003007ba003c0801107cad965654a4c2f016a122012080000030008000003019040a2000100064401c073c18927000200094e01900403e8019080001e4e01891833c286c41d4c0bb884d03e803d13404200989680000003000180",
        codec: "hvc1.2.4.L123.90",
        size: (1920, 1080),
        frame_rate_milli: 50_000,
        colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
    },
    // hybrid log-gamma, high tier, an odd size
    Sent {
        record: "01222000000090000000000099f000fcfdfafa00000f03a00001001840010c01ffff222000000300900000030000030099959409a10001002e420101222000000300900000030000030099a005220171c448d965654a4c2f016e1224120800001f480003a98040a2000100064401c073c189",
        codec: "hvc1.2.4.H153.90",
        size: (642, 362),
        frame_rate_milli: 29_970,
        colour: Some(Colour { primaries: 9, transfer: 18, matrix: 9, full_range: true }),
    },
    // fields, temporal layers
    Sent {
        record: "0101600000004000000000003cf000fcfdf8f800000f04a00001001840010c01ffff01600000030040000003000003003c959409a10001002b42010101600000030040000003000003003ca00a080c1f3e5959529385e02d0d0000030001000003001908a2000100064401c073c18927000100064e0181010f80",
        codec: "hvc1.1.6.L60.40",
        size: (320, 180),
        frame_rate_milli: 12_500,
        colour: None,
    },
];

#[test]
fn parameters_of_real_encoders() {
    for Sent { record, codec, size, frame_rate_milli, colour } in X265 {
        let config = hevc::config(&bytes(record)).unwrap();
        assert_eq!(config.record, bytes(record));
        assert_eq!((config.codec.as_str(), (config.width, config.height)), (codec, size));
        assert_eq!((config.frame_rate_milli, config.colour), (Some(frame_rate_milli), colour), "{codec}");
        assert_eq!(hevc::length_size(&config.record), Some(4));
    }
}

#[test]
fn parameter_sets_on_their_own_make_the_record_that_ffmpeg_makes_of_them() {
    const ARRAYS_AT: usize = 22;
    for Sent { record, .. } in X265 {
        let record = bytes(record);
        let mut rest = record.slice(ARRAYS_AT + 1..);
        let sets = [0xa0, 0xa1, 0xa2].map(|kind| {
            assert_eq!(rest[..3], [kind, 0, 1]);
            let len = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            let set = rest.slice(5..5 + len);
            rest = rest.slice(5 + len..);
            set
        });
        assert_eq!(sets.each_ref().map(|set| hevc::set_number(set)), [Some(0); 3]);
        let [video, sequence, pictures] = sets.each_ref().map(|set| [&set[..]]);
        let ours = hevc::record([&video, &sequence, &pictures]).unwrap();
        // Without the supplemental information that follows the sets.
        let len = record.len() - rest.len();
        assert_eq!(ours[..], [&record[..ARRAYS_AT], &[3], &record[ARRAYS_AT + 1..len]].concat());
        assert_eq!(hevc::config(&ours).unwrap().codec, hevc::config(&record).unwrap().codec);
        assert_eq!(hevc::record([&[], &sequence, &pictures]), None);
        assert_eq!(hevc::record([&video, &pictures, &sequence]), None);
    }
}

#[test]
fn a_cut_off_record_is_refused() {
    for Sent { record, .. } in X265 {
        let record = bytes(record);
        for length in 0..record.len() {
            assert!(hevc::config(&record.slice(..length)).is_err(), "{length}");
        }
    }
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let good = bytes(X265[0].record);
    let sps = good.len() - 43 - 12;
    for (at, value, reason) in [
        (0, 2, "version 1"),
        (21, 0x0e, "lengths of three bytes"),
        (22, 2, "lacks one of VPS, SPS and PPS"),
        (sps, 0x40, "parameter set makes no sense"), // a VPS in its place
    ] {
        let mut record = good.to_vec();
        record[at] = value;
        let error = hevc::config(&record.into()).unwrap_err();
        assert!(std::format!("{error}").contains(reason), "{at}: {error}");
    }
    let long = Bytes::from(std::vec![1; crate::codec::CONFIG_LEN_MAX + 1]);
    assert!(matches!(hevc::config(&long), Err(ConfigError::Malformed(_))));
}

#[test]
fn what_browsers_do_not_play_is_named() {
    for (record, text) in [
        (
            "0104080000009d08000000003cf000fcfefafa00000f03a00001001740010c01ffff0408000003009d0800000300003c959409a10001002b4201010408000003009d0800000300003cb00a080c1f1ad965654a4c2f016808000003000800000300c840a2000100064401c073c189",
            "the encoder sends HEVC range extensions 4:2:2 of 10 bits, which browsers do not play: \
             set HEVC Main or Main 10 (4:2:0)",
        ),
        (
            "0104080000009e08000000003cf000fcfff8f800000f03a00001001740010c01ffff0408000003009e0800000300003c959409a10001002b4201010408000003009e0800000300003c9001410183e372caca94985e02d0100000030010000003019080a2000100084401c07318301890",
            "the encoder sends HEVC range extensions 4:4:4 of 8 bits, which browsers do not play: \
             set HEVC Main or Main 10 (4:2:0)",
        ),
    ] {
        let error = hevc::config(&bytes(record)).unwrap_err();
        assert!(matches!(error, ConfigError::Unsupported { .. }), "{error:?}");
        assert_eq!(std::format!("{error}"), text);
    }
}

/// A record around an SPS of these fields after its profile, of Main 10 with `layers` temporal layers more than one.
fn record(layers: u32, sps: BitWriter) -> Bytes {
    let mut nal = BitWriter::default().put(16, 0x4201).put(4, 0).put(3, layers).put(1, 1);
    nal = nal.put(8, 2).put(32, 0x2000_0000).put(24, 0xb0_0000).put(24, 0).put(8, 93);
    for n in 0..if layers > 0 { 8 } else { 0 } {
        nal = nal.put(2, if n < layers { 0b11 } else { 0 });
    }
    for _ in 0..layers {
        nal = nal.put(32, 1).put(32, 2).put(24, 3).put(8, 90);
    }
    nal.bits.extend(&sps.bits);
    let mut escaped = Vec::new();
    let mut zeros = 0;
    for byte in nal.bytes() {
        if zeros == 2 && byte <= 3 {
            escaped.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        escaped.push(byte);
    }
    let mut record = std::vec![0; 23];
    (record[0], record[21], record[22]) = (1, 0x0f, 3);
    for (kind, nal) in [(32, &[0x40, 1][..]), (33, &escaped), (34, &[0x44, 1])] {
        record.extend_from_slice(&[kind, 0, 1]);
        record.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        record.extend_from_slice(nal);
    }
    record.into()
}

#[test]
fn rarer_fields_are_passed_over() {
    // 4:2:0 of 640 × 368, cropped; 10 bits; two layers more, each with its own buffers.
    let mut sps = BitWriter::default().ue(0).ue(1).ue(640).ue(368).put(1, 1).ue(0).ue(1).ue(0).ue(4);
    sps = sps.ue(2).ue(2).ue(4).put(1, 1);
    for _ in 0..9 {
        sps = sps.ue(3);
    }
    for _ in 0..6 {
        sps = sps.ue(1);
    }
    // Scaling lists: all of the first size, the others by reference.
    sps = sps.put(2, 0b11);
    for list in 0..20 {
        if list == 0 || list == 13 {
            sps = sps.put(1, 1);
            sps = if list == 13 { sps.se(-3) } else { sps };
            for n in 0..if list == 13 { 64 } else { 16 } {
                sps = sps.se(n % 5 - 2);
            }
        } else {
            sps = sps.put(1, 0).ue(0);
        }
    }
    sps = sps.put(2, 0b11).put(1, 1).put(8, 0x77).ue(0).ue(1).put(1, 0);
    // Three reference picture sets: four pictures; one predicted from it that keeps three; one predicted from that.
    sps = sps.ue(3).ue(2).ue(2);
    for n in 0..4 {
        sps = sps.ue(n).put(1, 1);
    }
    sps = sps.put(1, 1).put(1, 0).ue(0);
    for used in [1, 0, 1, 0, 1] {
        sps = if used == 1 { sps.put(1, 1) } else { sps.put(2, 0b00) };
    }
    sps = sps.put(1, 1).put(1, 1).ue(1);
    for _ in 0..4 {
        sps = sps.put(2, 0b01);
    }
    // Two long-term pictures, whose order has eight bits.
    sps = sps.put(1, 1).ue(2).put(9, 0x1ff).put(9, 0).put(2, 0b11);
    // The VUI: sample aspect ratio, overscan, colour, chroma location, display window, timing.
    sps = sps.put(1, 1).put(1, 1).put(8, 255).put(32, 0x0040_0021).put(2, 0b11);
    sps = sps.put(1, 1).put(3, 5).put(2, 0b01).put(24, 0x09_12_09).put(1, 1).ue(2).ue(2);
    sps = sps.put(3, 0).put(1, 1).ue(0).ue(0).ue(1).ue(1).put(1, 1).put(32, 1001).put(32, 60_000);
    let config = hevc::config(&record(2, sps)).unwrap();
    assert_eq!((config.width, config.height, config.frame_rate_milli), (638, 360, Some(59_940)));
    assert_eq!(config.codec, "hvc1.2.4.L93.B0");
    assert_eq!(config.colour, Some(Colour { primaries: 9, transfer: 18, matrix: 9, full_range: false }));
}

#[test]
fn pictures_have_a_size() {
    let sized = |width: u32, height: u32, crop: u32| {
        let sps = BitWriter::default().ue(0).ue(1).ue(width).ue(height);
        let sps = if crop > 0 { sps.put(1, 1).ue(crop).ue(0).ue(0).ue(0) } else { sps.put(1, 0) };
        hevc::config(&record(0, sps.ue(0).ue(0)))
    };
    let config = sized(8, 16_384, 0).unwrap();
    assert_eq!((config.width, config.height, config.frame_rate_milli), (8, 16_384, None));
    for (width, height, crop) in [(0, 8, 0), (8, 0, 0), (16_385, 8, 0), (u32::MAX - 2, 8, 0), (8, 8, 4)] {
        assert!(sized(width, height, crop).is_err(), "{width} {height} {crop}");
    }
}

#[test]
fn random_access_points_and_what_leads_them() {
    for (unit, key, leading) in [
        ("", false, false),
        ("00000003 460150 00000003 2601af", true, false), // delimiter, IDR_W_RADL
        ("00000003 2801af", true, false),                 // IDR_N_LP
        ("00000003 2001af", true, false),                 // BLA_W_LP
        ("00000003 2a01af", true, false),                 // CRA
        ("00000003 1001af", false, true),                 // RASL_N
        ("00000003 1201af", false, true),                 // RASL_R
        ("00000003 0c01af", false, false),                // RADL_N
        ("00000003 0201af 00000000", false, false),       // TRAIL_R, and an empty unit
    ] {
        let found = hevc::picture(&bytes(&unit.replace(' ', "")), 4);
        assert_eq!(found, Some(Picture { key, leading }), "{unit}");
    }
    for unit in ["00000003 26", "000000", "00000001 2601af"] {
        assert_eq!(hevc::picture(&bytes(&unit.replace(' ', "")), 4), None, "{unit}");
    }
}

proptest! {
    #[test]
    fn no_parameters_can_trip_the_parser(
        which in 0..X265.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut changed = bytes(X265[which].record).to_vec();
        for (at, value) in changes {
            let at = at.index(changed.len());
            changed[at] = value;
        }
        let _ = hevc::config(&changed.into());
        let bits = noise.iter().fold(BitWriter::default(), |bits, byte| bits.put(8, u32::from(*byte)));
        if let Ok(config) = hevc::config(&record(u32::from(noise.len() as u8) % 8, bits)) {
            prop_assert!(config.width > 0 && config.height > 0);
        }
        let _ = hevc::picture(&noise, 4);
    }
}
