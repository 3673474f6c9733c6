use super::*;
use crate::codec::opus;

/// An identification header.
fn head(text: &str) -> Vec<u8> {
    [b"OpusHead", &bytes(&text.replace(' ', ""))[..]].concat()
}

#[test]
fn parameters() {
    for (text, channels, record) in [
        ("01 01 3801 80bb0000 0000 00", 1, "00 01 0138 0000bb80 0000 00"),
        ("01 02 3801 44ac0000 00ff 00", 2, "00 02 0138 0000ac44 ff00 00"),
        ("01 06 3801 80bb0000 0000 01 0402 000401020305", 6, "00 06 0138 0000bb80 0000 01 0402 000401020305"),
        ("0f 02 3801 80bb0000 0000 00 aabb", 2, "00 02 0138 0000bb80 0000 00"),
    ] {
        let head = head(text);
        let config = opus::config(&head).unwrap();
        assert_eq!((config.channels, config.sample_rate, config.codec.as_str()), (channels, 48_000, "Opus"));
        assert_eq!(config.record, bytes(&record.replace(' ', "")));
        // Without the magic word, too.
        assert_eq!(opus::config(&head[8..]).unwrap(), config);
        // And back: the version is the one that is written today, and nothing follows.
        let back = opus::head(&config.record);
        assert_eq!((&back[9..], back[8]), (&head[9..back.len()], 1));
        for length in 0..back.len() {
            assert!(opus::config(&back[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    for (text, reason) in [
        ("10 02 3801 80bb0000 0000 00", "unknown version"),
        ("01 00 3801 80bb0000 0000 00", "number of channels"),
        ("01 03 3801 80bb0000 0000 00", "number of channels"),
        ("01 09 3801 80bb0000 0000 01 000000000000000000000000", "number of channels"),
        ("01 06 3801 80bb0000 0000 01 0402 0004010203", "cut off"),
        ("01 02 3801 80bb0000 0000 ff", "Opus of channel mapping family 255: set Opus in stereo, or AAC-LC"),
    ] {
        let error = opus::config(&head(text)).unwrap_err();
        assert!(std::format!("{error}").contains(reason), "{text}: {error}");
    }
    assert!(opus::config(&[1; crate::codec::CONFIG_LEN_MAX + 1]).is_err());
}

#[test]
fn packets_say_how_long_they_are() {
    for (packet, len) in [
        ("", None),
        ("00", Some(480)),  // SILK, 10 ms
        ("18", Some(2880)), // SILK, 60 ms
        ("60", Some(480)),  // hybrid, 10 ms
        ("78", Some(960)),  // hybrid, 20 ms
        ("80", Some(120)),  // CELT, 2.5 ms
        ("fc", Some(960)),  // CELT, 20 ms
        ("fd", Some(1920)), // two of them
        ("fe", Some(1920)),
        ("ff03", Some(2880)), // as many as the next byte says
        ("ffc6", Some(5760)),
        ("ff07", None), // more than 120 ms
        ("ff00", None),
        ("ff", None),
    ] {
        assert_eq!(opus::packet_len(&bytes(packet)), len, "{packet}");
    }
}

proptest! {
    #[test]
    fn no_header_can_trip_the_parser(noise in prop::collection::vec(any::<u8>(), 0..32)) {
        if let Ok(config) = opus::config(&noise) {
            prop_assert!((1..=8).contains(&config.channels));
            prop_assert_eq!(opus::config(&opus::head(&config.record)).unwrap(), config);
        }
        let _ = opus::packet_len(&noise);
    }
}
