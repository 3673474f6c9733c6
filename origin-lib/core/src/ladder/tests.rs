use std::vec;

use bytes::Bytes;
use pictures::{BEGIN, FRAMES, Pictures, settings, video};

use super::*;
use crate::media::{AudioCoding, AudioConfig, Kind};
use crate::package::{self, Rung};

pub(crate) mod pictures;

/// 29.97 pictures a second: no whole milliseconds.
const FRAME: u64 = 3_003;
const SOURCE: Pictures = Pictures(FRAME);

fn assembler() -> Assembler {
    Assembler::new(settings())
}

fn at(n: u64) -> MediaTime {
    SOURCE.at(n)
}

/// What the source cut as the `of`th segment, with a sound at its beginning.
fn cut(of: u64) -> Cut {
    let config = AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::from_static(b"\x11\x90"),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 1024,
    };
    let mut cut = SOURCE.cut(of);
    let sound = Bytes::from_static(b"sound");
    cut.audio = vec![Sample { kind: Kind::Audio, data: sound, ..cut.video[0].clone() }];
    cut.tracks.audio = Some(config);
    Cut { audio_end: cut.video_end, ..cut }
}

/// The picture of the encoder that is shown `n`th, on its own milliseconds.
fn picture(n: u64) -> Sample {
    let ms = (at(n).0 + 45) / 90;
    let data = Bytes::from_static(b"low");
    Sample {
        kind: Kind::Video,
        dts: MediaTime(ms * 90),
        cts: 0,
        key: n.is_multiple_of(FRAMES),
        leading: false,
        data,
    }
}

/// Which segments come, by their places, and which are lost.
fn told(assembler: &mut Assembler) -> Vec<(u64, bool)> {
    let outputs = core::iter::from_fn(|| assembler.poll()).filter_map(|output| match output {
        Output::Lost(start) => Some((SOURCE.place(start), false)),
        Output::Object(Object {
            kind: package::Kind::Rung(_, Rung::Segment { start, duration, .. }),
            ..
        }) => {
            assert_eq!(duration, SOURCE.duration());
            Some((SOURCE.place(start), true))
        }
        Output::Object(object) => {
            assert!(matches!(object.kind, package::Kind::Rung(_, Rung::Init(_))));
            None
        }
    });
    outputs.collect()
}

#[test]
fn each_of_the_sources_segments_comes_with_the_encoders_pictures_once_they_are_whole() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    for n in 0..90 {
        low.picture(picture(n));
    }
    assert_eq!(told(&mut low), [], "the source has not cut yet");
    low.cut(&cut(0));
    low.cut(&cut(1));
    assert_eq!(told(&mut low), [(0, true)]);
    (90..120).for_each(|n| low.picture(picture(n)));
    assert_eq!((told(&mut low), low.waiting()), (vec![], 1), "one more may belong to it");
    low.picture(picture(120));
    assert_eq!((told(&mut low), low.waiting()), (vec![(1, true)], 0));
    // Its end shows as much.
    low.cut(&cut(2));
    (121..180).for_each(|n| low.picture(picture(n)));
    assert_eq!(told(&mut low), []);
    low.end();
    assert_eq!(told(&mut low), [(2, true)]);
}

#[test]
fn pictures_lie_on_the_sources_times_and_its_sound_goes_with_them() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    let order = [0, 3, 1, 2];
    let reordered = (0..FRAMES + 1).map(|n| {
        let shown = if n < FRAMES { n / 4 * 4 + order[(n % 4) as usize] } else { n };
        let (of, dts) = (picture(shown), MediaTime(picture(n).dts.0 - 2 * FRAME / 90 * 90));
        Sample { cts: i32::try_from(of.dts.0 as i64 - dts.0 as i64).unwrap(), dts, ..of }
    });
    reordered.for_each(|sample| low.picture(sample));
    let wanted = cut(0);
    let mut video: Vec<Sample> = low.lanes[0].samples.iter().take(FRAMES as usize).cloned().collect();
    assert!(
        video.iter().any(|sample| sample.pts().0 != at((sample.pts().0 - BEGIN.media().0 + 45) / FRAME).0)
    );
    low.cut(&wanted);
    assert_eq!(told(&mut low), [(0, true)]);
    let shown: Vec<MediaTime> = wanted.video.iter().map(Sample::pts).collect();
    video.iter_mut().for_each(|sample| sample.dts = nearest(&shown, sample.dts));
    assert_eq!(nearest(&shown, MediaTime(at(7).0 + 40)), at(7));
    assert_eq!(nearest(&shown, MediaTime(at(7).0 + 1_000)), MediaTime(at(7).0 + 1_000));
}

#[test]
fn an_encoder_that_ends_loses_what_it_had_not_finished_and_goes_on_with_a_key_frame() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..90).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(0));
    low.end();
    low.cut(&cut(1));
    low.cut(&cut(2));
    assert_eq!(told(&mut low), [(0, true), (1, false), (2, false)], "at once: nothing comes of it");
    // It begins in the middle of the fourth.
    low.begin();
    low.video(video(640));
    (200..241).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(3));
    assert_eq!(told(&mut low), [(3, false)]);
    (241..301).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(4));
    assert_eq!(told(&mut low), [(4, true)]);
}

#[test]
fn what_an_encoder_gave_before_it_ended_is_of_use_where_the_source_is_cut_later() {
    // As where a feed was lost: what is open waits for it, and an encoder without pictures does not.
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..120).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(0));
    low.end();
    assert_eq!(told(&mut low), [(0, true)]);
    low.cut(&cut(1));
    assert_eq!((told(&mut low), low.waiting()), (vec![(1, true)], 0));

    // Also where there is another encoder by then, which begins within one of them: no two of them make one segment.
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..89).for_each(|n| low.picture(picture(n)));
    low.end();
    low.begin();
    low.video(video(640));
    (90..181).for_each(|n| low.picture(Sample { key: n % 30 == 0, ..picture(n) }));
    (0..3).for_each(|of| low.cut(&cut(of)));
    assert_eq!(told(&mut low), [(0, true), (1, false), (2, true)]);
}

#[test]
fn what_is_missing_within_a_segment_is_seen() {
    for missing in [0..1, 20..40, 45..60] {
        let mut low = assembler();
        low.begin();
        low.video(video(640));
        (0..FRAMES + 1).filter(|n| !missing.contains(n)).for_each(|n| low.picture(picture(n)));
        low.cut(&cut(0));
        assert_eq!(told(&mut low), [(0, false)], "{missing:?}");
    }
    // One picture is no hole.
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..FRAMES + 1).filter(|n| *n != 30).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(0));
    assert_eq!(told(&mut low), [(0, true)]);
}

/// The same cut, which the source made between key frames.
fn dependent(of: u64) -> Cut {
    let mut cut = cut(of);
    cut.video.iter_mut().for_each(|sample| sample.key = false);
    cut
}

/// As [`picture`], with key frames at these, of fours that are sent with the last one first.
fn within(keys: &'static [u64]) -> impl Fn(u64) -> Sample {
    move |n| {
        let since = n - keys.iter().rev().find(|at| **at <= n).unwrap();
        let place = since.saturating_sub(1) % 4;
        let whole = since > 0 && !keys.iter().any(|at| (n..n - place + 4).contains(at));
        let shown = if whole { n - place + [3, 0, 1, 2][place as usize] } else { n };
        let (of, dts) = (picture(shown), picture(n).dts);
        let cts = i32::try_from(of.dts.0 as i64 - dts.0 as i64).unwrap();
        Sample { cts, dts, key: keys.contains(&n), ..of }
    }
}

#[test]
fn where_the_source_is_cut_between_key_frames_so_is_the_rung_and_no_picture_is_lost() {
    let (mut low, picture) = (assembler(), within(&[0, 180]));
    low.begin();
    low.video(video(640));
    low.cut(&cut(0));
    low.cut(&dependent(1));
    low.cut(&dependent(2));
    low.cut(&cut(3));
    (0..241).for_each(|n| low.picture(picture(n)));
    low.end();
    assert_eq!(told(&mut low), [(0, true), (1, true), (2, true), (3, true)]);
}

#[test]
fn what_depends_on_a_segment_that_was_lost_is_lost_with_it() {
    let (mut low, picture) = (assembler(), within(&[0, 180]));
    low.begin();
    low.video(video(640));
    low.cut(&cut(0));
    low.cut(&dependent(1));
    low.cut(&dependent(2));
    low.cut(&cut(3));
    (0..241).filter(|n| !(70..90).contains(n)).for_each(|n| low.picture(picture(n)));
    low.end();
    assert_eq!(told(&mut low), [(0, true), (1, false), (2, false), (3, true)]);
}

#[test]
fn an_encoder_that_is_too_slow_loses_the_oldest() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..20).for_each(|n| low.picture(picture(n)));
    for of in 0..BEHIND_MAX as u64 {
        low.cut(&cut(of));
    }
    assert_eq!(told(&mut low), []);
    low.cut(&cut(BEHIND_MAX as u64));
    assert_eq!(told(&mut low), [(0, false)]);
    (20..121).for_each(|n| low.picture(picture(n)));
    assert_eq!((told(&mut low), low.waiting()), (vec![(1, true)], BEHIND_MAX - 1));
}

#[test]
fn what_waits_for_an_encoder_that_hangs_is_lost_once_it_is_given_up_and_what_follows_is_not() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..FRAMES + 10).for_each(|n| low.picture(picture(n)));
    let late = LATE_MAX as u64;
    (0..=late).for_each(|of| low.cut(&cut(of)));
    assert_eq!(told(&mut low), [(0, true)]);
    low.give_up();
    let lost: Vec<_> = (1..=late).map(|of| (of, false)).collect();
    assert_eq!((told(&mut low), low.waiting()), (lost, 0));
    assert!(!low.is_left_behind(), "it was not too slow");
    (FRAMES + 10..(late + 2) * FRAMES + 1).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(late + 1));
    assert_eq!(told(&mut low), [(late + 1, true)]);
}

#[test]
fn an_encoder_that_stays_behind_is_told_from_one_that_catches_up_and_begins_anew_at_what_is_newest() {
    // As fast as the source, and ever so far behind it: each segment is complete when it is of no use any more.
    let behind = BEHIND_MAX as u64 + 1;
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    let mut left_at = None;
    for of in 0..20 {
        low.cut(&cut(of));
        if let Some(made) = u64::checked_sub(of, behind) {
            (made * FRAMES..(made + 1) * FRAMES).for_each(|n| low.picture(picture(n)));
        }
        if low.is_left_behind() {
            left_at.get_or_insert(of);
        }
    }
    let lost = told(&mut low);
    assert!(lost.iter().all(|(_, made)| !made), "{lost:?}");
    assert_eq!(left_at, Some((BEHIND_MAX + LATE_MAX - 1) as u64));
    low.end();
    assert!(!low.is_left_behind(), "there is none");
    low.begin();
    low.video(video(640));
    (20 * FRAMES..21 * FRAMES + 1).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(20));
    assert!(told(&mut low).contains(&(20, true)));

    // A while behind, and then quicker.
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..=behind).for_each(|of| low.cut(&cut(of)));
    (0..behind * FRAMES + 1).for_each(|n| low.picture(picture(n)));
    assert!(told(&mut low).contains(&(behind - 1, true)));
    (behind + 1..behind + 1 + BEHIND_MAX as u64).for_each(|of| low.cut(&cut(of)));
    assert!(!low.is_left_behind(), "what it lost before it had caught up does not count");
}

#[test]
fn pictures_without_end_are_not_held() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    let data = Bytes::from(vec![0; 1 << 20]);
    (0..40).for_each(|n| low.picture(Sample { data: data.clone(), ..picture(n) }));
    assert!(low.lanes[0].len <= HELD_LEN_MAX);
}

#[test]
fn an_encoder_of_more_pictures_than_may_wait_loses_what_is_wanted_and_goes_on() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    low.picture(picture(0));
    low.cut(&cut(0));
    // All of them are shown before the segment ends.
    for n in 1..=HELD_SAMPLES_MAX as u64 {
        assert_eq!(told(&mut low), [], "{n}");
        low.picture(Sample { dts: MediaTime(BEGIN.media().0 + n), key: false, ..picture(0) });
    }
    assert_eq!(told(&mut low), [(0, false)]);
    for n in FRAMES..=2 * FRAMES {
        low.picture(picture(n));
    }
    low.cut(&cut(1));
    assert_eq!(told(&mut low), [(1, true)]);
}

#[test]
fn each_picture_is_looked_at_once_for_the_end_of_a_segment() {
    let mut lane = Lane::new();
    lane.over = false;
    let end = at(FRAMES).0;
    for n in 0..FRAMES {
        assert!(lane.picture(picture(n)));
        assert_eq!((lane.standing(end, &[], false), lane.before), (Standing::Comes, n as usize + 1));
    }
    lane.let_go(at(2).0);
    assert_eq!(lane.before, FRAMES as usize - 2);
    // An encoder that began anew there.
    lane.picture(Sample { key: true, ..picture(30) });
    assert_eq!(lane.before, 28);
    let shown: Vec<MediaTime> = (2..FRAMES).map(at).collect();
    lane.picture(picture(FRAMES));
    assert_eq!(lane.standing(end, &shown, false), Standing::Never, "it does not begin with a key frame");
}

#[test]
fn parameters_that_change_count_from_their_first_picture_on() {
    let mut low = assembler();
    low.begin();
    low.video(video(640));
    (0..FRAMES).for_each(|n| low.picture(picture(n)));
    // Before the source was cut, and what came waits for that.
    low.video(video(320));
    (FRAMES..2 * FRAMES).for_each(|n| low.picture(picture(n)));
    low.video(video(640));
    low.picture(picture(2 * FRAMES));
    let mut inits = Vec::new();
    for of in 0..2 {
        low.cut(&cut(of));
        while let Some(output) = low.poll() {
            match output {
                Output::Object(object) if matches!(object.kind, package::Kind::Rung(_, Rung::Init(_))) => {
                    inits.push(object.name);
                }
                Output::Object(_) => {}
                Output::Lost(start) => panic!("{start:?}"),
            }
        }
    }
    assert_eq!(inits.len(), 2, "{inits:?}");
    // In the middle of a segment they leave a hole.
    (2 * FRAMES + 1..2 * FRAMES + 10).for_each(|n| low.picture(picture(n)));
    low.video(video(320));
    (2 * FRAMES + 10..=3 * FRAMES).for_each(|n| low.picture(picture(n)));
    low.cut(&cut(2));
    assert_eq!(told(&mut low), [(2, false)]);
}
