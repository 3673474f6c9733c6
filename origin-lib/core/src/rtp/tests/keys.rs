use alloc::vec::Vec;

use crate::rtp::Keys;
use crate::time::{MEDIA_HZ, MediaTime};

const MS: u64 = MEDIA_HZ as u64 / 1000;

/// An encoder that answers after so many milliseconds, at the next frame of 25 a second; its key frames in milliseconds.
fn encoder(segment_ms: u32, from_ms: u64, until_ms: u64, delay_ms: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
    let mut keys = Keys::new(segment_ms);
    let (mut due, mut out) = (None::<u64>, Vec::new());
    for ms in from_ms..until_ms {
        if ms % 40 == 0 && due.is_some_and(|due| due <= ms) {
            due = None;
            out.push(ms);
            keys.key(MediaTime(ms * MS));
        }
        if keys.ask(MediaTime(ms * MS)) {
            due = due.or(delay_ms(ms).map(|delay| ms + delay));
        }
    }
    out
}

#[test]
fn segments_begin_at_their_time_whatever_an_answer_takes() {
    for delay in [1, 30, 75, 160, 390] {
        let keys = encoder(2000, 1_000_700, 1_060_000, |_| Some(delay));
        let later = keys.iter().filter(|ms| **ms > 1_010_000);
        let begins: Vec<u64> = later.copied().collect();
        // One for each interval, the first frame at or behind its beginning but for what a frame lasts.
        let indices: Vec<u64> = begins.iter().map(|ms| ms / 2000).collect();
        let mut once = indices.clone();
        once.dedup();
        assert_eq!(once.len(), 24, "{delay}: {begins:?}");
        let firsts = once.iter().map(|index| begins.iter().find(|ms| *ms / 2000 == *index).unwrap() % 2000);
        assert!(firsts.max().unwrap() <= 80, "{delay}: {begins:?}");
        // Those that came too early are few.
        assert!(indices.len() <= 26, "{delay}: {begins:?}");
    }
}

#[test]
fn an_encoder_that_is_deaf_is_asked_twice_a_second_and_one_with_its_own_rhythm_is_left_alone() {
    let mut keys = Keys::new(2000);
    let asked = (0..10_000).filter(|ms| keys.ask(MediaTime(ms * MS))).count();
    assert_eq!(asked, 20);
    let mut keys = Keys::new(2000);
    let mut asked = 0;
    for ms in 0..20_000 {
        if ms % 2000 == 0 {
            keys.key(MediaTime(ms * MS));
        }
        asked += usize::from(keys.ask(MediaTime(ms * MS)));
    }
    assert_eq!(asked, 0);
}

#[test]
fn a_picture_that_is_missing_is_asked_for_at_once_and_again_until_a_key_frame_comes() {
    let mut keys = Keys::new(2000);
    let at = |ms: u64| MediaTime(ms * MS);
    keys.key(at(4000));
    assert!(!keys.ask(at(4100)));
    keys.lost();
    assert!(keys.ask(at(4101)));
    assert!(!keys.ask(at(4500)));
    assert!(keys.ask(at(4601)));
    keys.key(at(4700));
    assert!(!keys.ask(at(4701)));
}
