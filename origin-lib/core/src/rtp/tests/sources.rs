use crate::rtp::{CHANGE_MS_MIN, GONE_MS_MIN, Head, STRAY_MS_MAX, Sources, Way, head};
use crate::time::UtcMs;

const NOW: u64 = 1_795_171_920_000;

fn at(ms: u64) -> UtcMs {
    UtcMs(NOW + ms)
}

#[test]
fn a_packet_of_media_tells_its_source_and_its_type_and_nothing_else_does() {
    let packet = [0x90, 0xe0, 0, 1, 0, 0, 0, 2, 0xde, 0xad, 0xbe, 0xef, 9];
    let told = head(&packet).unwrap();
    assert_eq!((told.source, told.payload_type, told.is_padded), (0xdead_beef, 96, false));
    let padded = head(&[&[0xb0], &packet[1..]].concat()).unwrap();
    assert_eq!(padded, Head { is_padded: true, ..told });
    for len in 0..12 {
        assert_eq!(head(&packet[..len]), None, "{len} bytes");
    }
    for (first, second) in [(0, 1), (22, 254), (0x80, 200), (0x81, 206), (0xff, 96)] {
        let other = [&[first, second], &packet[2..]].concat();
        assert_eq!(head(&other), None, "{first} {second}");
    }
}

#[test]
fn a_track_goes_on_with_a_new_source_and_what_is_left_of_the_old_one_is_left_out() {
    let mut sources = Sources::default();
    assert_eq!(sources.way(1, at(0)), Way::New);
    assert!(!sources.took(1, at(0)), "it begins");
    assert_eq!((sources.way(1, at(10)), sources.current()), (Way::Known, Some(1)));
    // Right after the beginning, too.
    assert_eq!(sources.way(2, at(20)), Way::New);
    assert_eq!(sources.way(2, at(20)), Way::New, "nothing has proved to be the encoder's yet");
    assert_eq!(sources.way(1, at(20)), Way::Known);
    assert!(!sources.is_settling(at(20)));
    assert!(sources.took(2, at(20)));
    assert!(sources.is_settling(at(20)) && !sources.is_settling(at(20 + STRAY_MS_MAX)));
    assert_eq!((sources.way(2, at(21)), sources.way(1, at(21))), (Way::Known, Way::Left));
    assert!(!sources.took(1, at(22)) && sources.current() == Some(2));
    // While the new one is there, the old one stays away, however long it sends.
    for ms in (100..10_000).step_by(100) {
        assert!(!sources.took(2, at(ms)));
        assert_eq!(sources.way(1, at(ms + 50)), Way::Left);
    }
}

#[test]
fn a_track_may_go_back_to_a_source_once_the_other_one_is_silent() {
    let mut sources = Sources::default();
    for (source, ms) in [(1, 0), (2, 2_000), (2, 5_000)] {
        sources.took(source, at(ms));
    }
    assert_eq!(sources.way(1, at(5_000 + STRAY_MS_MAX - 1)), Way::Left);
    assert_eq!(sources.way(1, at(5_000 + STRAY_MS_MAX)), Way::New);
    assert!(sources.took(1, at(5_000 + STRAY_MS_MAX)));
    assert_eq!(sources.way(2, at(5_000 + STRAY_MS_MAX + 1)), Way::Left);
}

#[test]
fn a_source_is_live_as_long_as_something_comes_of_it() {
    let mut sources = Sources::default();
    assert!(!sources.is_live(at(0)));
    sources.took(1, at(0));
    sources.took(1, at(500));
    assert!(sources.is_live(at(500 + GONE_MS_MIN - 1)));
    assert!(!sources.is_live(at(500 + GONE_MS_MIN)));
    sources.took(2, at(500 + GONE_MS_MIN));
    assert!(sources.is_live(at(500 + GONE_MS_MIN)));
}

#[test]
fn sources_change_no_more_often_than_they_may_and_a_clock_that_is_set_stops_nothing() {
    let mut sources = Sources::default();
    sources.took(1, at(0));
    assert!(sources.took(2, at(0)));
    let mut changes = 0;
    for n in 0..1_000 {
        changes += u64::from(sources.took(100 + n, at(u64::from(n) * 10)));
    }
    assert_eq!(changes, 10_000 / CHANGE_MS_MIN - 1);
    let mut sources = Sources::default();
    for source in [1, 2] {
        sources.took(source, at(0));
    }
    let before = UtcMs(NOW - 3_600_000);
    assert_eq!((sources.way(3, before), sources.way(1, before)), (Way::New, Way::New));
}
