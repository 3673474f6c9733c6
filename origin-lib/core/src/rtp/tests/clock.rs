use alloc::vec::Vec;

use crate::media::Kind;
use crate::rtp::Report;
use crate::rtp::clock::{Clock, Place};
use crate::time::UtcMs;

const NOW: u64 = 1_795_171_920_000;

/// Places units that come as they should: pictures 25 a second and sound every 20 ms, from so many milliseconds before.
struct Feed {
    clock: Clock,
    video: u64,
    audio: u64,
}

impl Feed {
    fn new() -> Feed {
        Feed { clock: Clock::default(), video: 4_000_000_000, audio: 77 }
    }

    /// Where units land that are captured and arrive at this time.
    fn video(&mut self, ms: u64, report: Option<u64>) -> Place {
        let time = self.video + ms * 90;
        let report = report.map(|wall_us| Report { wall_us, time });
        self.clock.place(Kind::Video, (time, 90_000), report, UtcMs(NOW + ms))
    }

    fn audio(&mut self, ms: u64, report: Option<u64>) -> Place {
        let time = self.audio + ms * 48;
        let report = report.map(|wall_us| Report { wall_us, time });
        self.clock.place(Kind::Audio, (time, 48_000), report, UtcMs(NOW + ms))
    }
}

fn at(ms: u64) -> i64 {
    ((NOW + ms) * 90) as i64
}

#[test]
fn a_track_begins_when_it_arrives_and_goes_on_by_its_timestamps() {
    let mut feed = Feed::new();
    assert_eq!(feed.video(0, None), Place { at: at(0), anew: true, moved: false });
    assert_eq!(feed.audio(5, None), Place { at: at(5), anew: true, moved: false });
    assert_eq!(feed.video(40, None), Place { at: at(40), anew: false, moved: false });
    // What comes late lies where it was captured.
    let late = feed.clock.place(Kind::Audio, (feed.audio + 25 * 48, 48_000), None, UtcMs(NOW + 900));
    assert_eq!(late.at, at(25));
}

#[test]
fn reports_move_sound_to_its_picture_once_and_the_picture_never() {
    let mut feed = Feed::new();
    feed.video(0, None);
    feed.audio(0, None);
    assert_eq!(feed.video(1000, Some(1_000_000)).at, at(1000));
    // By the sender's clock, this sound belongs 60.4 ms after the picture that arrived with it.
    let place = feed.audio(1000, Some(1_060_400));
    assert_eq!(place, Place { at: at(1060), anew: false, moved: true });
    assert_eq!(feed.audio(1020, Some(1_080_400)), Place { at: at(1080), anew: false, moved: false });
    // From then on only what is heard: 21 ms, not 19.
    assert!(!feed.audio(2000, Some(2_041_000)).moved);
    assert!(feed.audio(3000, Some(3_038_900)).moved);
    assert_eq!(feed.video(3000, Some(3_000_000)).at, at(3000));
}

/// How late an encoder on a busy machine sends pictures and sound, and its reports with them, as OBS does: in milliseconds.
const LATE_MS: [(u64, u64); 12] = [
    (61, 48),
    (40, 77),
    (152, 41),
    (47, 66),
    (93, 190),
    (44, 52),
    (70, 45),
    (41, 127),
    (55, 84),
    (201, 43),
    (48, 69),
    (42, 95),
];

#[test]
fn reports_that_say_when_they_were_sent_do_not_move_sound_again_and_again() {
    let mut feed = Feed::new();
    feed.video(0, None);
    feed.audio(0, None);
    let mut moved = Vec::new();
    // What both are late by is another pair each second.
    for second in 1..180 {
        let (picture, sound) = LATE_MS[second as usize % 12];
        let wall_us = |late_ms: u64| (second * 1000 + late_ms) * 1000;
        feed.video(second * 1000, Some(wall_us(picture)));
        // Packets say the last report until there is another.
        for ms in [0, 20] {
            let place = feed.audio(second * 1000 + ms, (ms == 0).then(|| wall_us(sound)));
            moved.extend(place.moved.then_some(second));
        }
    }
    assert!(moved.iter().all(|second| *second < 4), "it moved at {moved:?} s");
    let beside = feed.video(180_000, None).at - feed.audio(180_000, None).at;
    assert!(beside.abs() <= 20 * 90, "sound is {} ms from its picture", beside / 90);
}

#[test]
fn a_report_counts_for_a_minute() {
    let mut feed = Feed::new();
    feed.video(0, None);
    feed.audio(0, None);
    for second in 1..=100 {
        feed.video(second * 1000, Some(second * 1_000_000));
        // From the tenth second on, sound really is later by 300 ms.
        let later = if second < 10 { 0 } else { 300_000 };
        let place = feed.audio(second * 1000, Some(second * 1_000_000 + later));
        assert_eq!(place.moved, second == 69, "{second}");
    }
    // A clock that was set back is believed at once.
    assert!(feed.audio(101_000, Some(100_000_000)).moved);
}

#[test]
fn reports_that_make_no_sense_move_nothing() {
    for wall_us in [0, 4_900_000, 9_100_000, u64::MAX] {
        let mut feed = Feed::new();
        feed.video(0, None);
        feed.audio(0, None);
        feed.video(1000, Some(7_000_000));
        assert_eq!(
            feed.audio(1000, Some(wall_us)),
            Place { at: at(1000), anew: false, moved: false },
            "{wall_us}"
        );
    }
}

#[test]
fn timestamps_that_jump_begin_anew_where_they_arrive_and_never_before_what_was() {
    for jump in [90_u64 * 6_000, 90 * 3_600_000, u64::MAX - 90 * 30_000] {
        let mut feed = Feed::new();
        feed.video(0, None);
        feed.video(40, None);
        feed.video = feed.video.wrapping_add(jump);
        assert_eq!(feed.video(80, None), Place { at: at(80), anew: true, moved: false }, "{jump}");
        assert_eq!(feed.video(120, None), Place { at: at(120), anew: false, moved: false });
    }
    let mut feed = Feed::new();
    feed.video(0, None);
    // A second comes at once, then the timestamps jump.
    let ahead = feed.clock.place(Kind::Video, (feed.video + 90_000, 90_000), None, UtcMs(NOW + 10));
    assert_eq!(ahead.at, at(1000));
    feed.video += 90 * 3_600_000;
    assert_eq!(feed.video(20, None), Place { at: at(1001), anew: true, moved: false });
}

#[test]
fn timestamps_go_back_by_as_much_as_pictures_are_reordered_and_no_more() {
    let mut feed = Feed::new();
    feed.video(0, None);
    feed.video(2_000, None);
    let again = feed.clock.place(Kind::Video, (feed.video + 1_000 * 90, 90_000), None, UtcMs(NOW + 2_040));
    assert_eq!(again, Place { at: at(1_000), anew: false, moved: false });
    feed.video(2_080, None);
    let back = feed.clock.place(Kind::Video, (feed.video + 1_000 * 90, 90_000), None, UtcMs(NOW + 2_120));
    assert_eq!(back, Place { at: at(2_120), anew: true, moved: false });
}

#[test]
fn a_track_that_is_begun_anew_begins_where_it_arrives_however_near_its_timestamps_are() {
    let mut feed = Feed::new();
    feed.video(0, None);
    feed.audio(0, None);
    feed.video(40, Some(1_000_000));
    feed.audio(40, Some(1_030_000));
    feed.clock.break_off(Kind::Video);
    // Two seconds off: too little for a jump to be seen.
    feed.video += 180_000;
    assert_eq!(feed.video(80, None), Place { at: at(80), anew: true, moved: false });
    assert_eq!(feed.video(120, None), Place { at: at(120), anew: false, moved: false });
    assert!(!feed.audio(80, None).anew, "the other track goes on");
}

#[test]
fn a_pause_is_no_jump() {
    let mut feed = Feed::new();
    feed.video(0, None);
    assert_eq!(feed.video(600_000, None), Place { at: at(600_000), anew: false, moved: false });
}
