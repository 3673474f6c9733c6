use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn frame(kind: Kind, dts_ms: i64, cts_ms: i32) -> Frame {
    Frame {
        kind,
        dts_ms,
        cts: cts_ms.saturating_mul(90),
        key: true,
        leading: false,
        data: Default::default(),
    }
}

fn video(dts_ms: i64) -> Frame {
    frame(Kind::Video, dts_ms, 0)
}

fn audio(dts_ms: i64) -> Frame {
    frame(Kind::Audio, dts_ms, 0)
}

/// Runs frames that arrive a millisecond apart; gives decoding times in milliseconds after `NOW`, and jumps as `None`.
fn run(timeline: &mut Timeline, frames: Vec<Frame>) -> Vec<Option<i64>> {
    let mut out = Vec::new();
    for (i, frame) in frames.into_iter().enumerate() {
        timeline.handle(frame, NOW.plus_ms(i as u64));
        while let Some(event) = timeline.poll() {
            out.push(match event {
                Event::Sample(sample) => Some((sample.dts - NOW.media()).ms()),
                Event::Jumped(_) => None,
            });
        }
    }
    out
}

fn from_first(first: &Frame) -> Timeline {
    Timeline::new(Anchor::from_arrival(first, NOW), MediaTime::default())
}

#[test]
fn feeds_good_and_bad() {
    for (name, frames, expected) in [
        (
            "two tracks share the anchor",
            vec![video(500), audio(510), video(540), audio(531)],
            vec![Some(0), Some(10), Some(40), Some(31)],
        ),
        (
            "the second track may begin earlier",
            vec![video(5000), audio(4900), audio(4921)],
            vec![Some(0), Some(-100), Some(-79)],
        ),
        (
            "a gap of ten seconds keeps the anchor",
            vec![video(0), video(10_000), video(10_040)],
            vec![Some(0), Some(10_000), Some(10_040)],
        ),
        (
            "a picture every two seconds",
            vec![video(0), video(2_000), video(4_000), video(6_000), video(8_000)],
            vec![Some(0), Some(2_000), Some(4_000), Some(6_000), Some(8_000)],
        ),
        (
            "one timestamp that is wrong by seconds",
            vec![video(0), video(40), video(5_000), video(120), video(160)],
            vec![Some(0), Some(40), Some(80), Some(120), Some(160)],
        ),
        (
            "a track that stood still comes back to the clock of the other",
            vec![video(0), audio(0), audio(8_000), audio(16_000), video(16_040), audio(16_021)],
            vec![Some(0), Some(0), Some(8_000), Some(16_000), Some(16_040), Some(16_021)],
        ),
        // Frames arrive a millisecond apart here, so a new anchor lies one frame after the last sample.
        (
            "a jump forward",
            vec![video(0), video(40), video(90_000), video(90_040)],
            vec![Some(0), Some(40), None, Some(74), Some(114)],
        ),
        (
            "a jump back",
            vec![video(90_000), video(90_040), video(0), video(40)],
            vec![Some(0), Some(40), None, Some(74), Some(114)],
        ),
        (
            "a jump of both tracks",
            vec![video(90_000), audio(90_000), video(0), audio(3), video(40), audio(24)],
            vec![Some(0), Some(0), None, Some(34), Some(37), Some(74), Some(58)],
        ),
        (
            "the other track's last frames from before a jump are on the old clock, and left out once it is given up",
            vec![
                video(90_000),
                audio(90_000),
                video(0),
                audio(90_021),
                video(40),
                audio(90_042),
                audio(45),
                video(80),
            ],
            vec![Some(0), Some(0), Some(21), None, Some(55), Some(95), Some(100), Some(135)],
        ),
        (
            "one timestamp that is wrong is put right",
            vec![
                video(5_000),
                video(5_040),
                video(0),
                audio(5_085),
                video(5_120),
                video(9_999_999),
                video(5_200),
            ],
            vec![Some(0), Some(40), Some(85), Some(80), Some(120), Some(160), Some(200)],
        ),
        (
            "wrong timestamps in a row are left out but for the last one",
            vec![video(5_000), video(0), video(-90_000), video(90_000), video(5_080)],
            vec![Some(0), Some(40), Some(80)],
        ),
        (
            "a track that begins with a wrong timestamp",
            vec![video(5_000), audio(90_000), video(5_040), audio(5_021)],
            vec![Some(0), Some(40), Some(21)],
        ),
        (
            "the ends of the integers",
            vec![video(i64::MIN), video(i64::MAX), video(i64::MAX), video(i64::MIN), video(i64::MIN)],
            vec![Some(0), None, Some(34), Some(34), None, Some(68), Some(68)],
        ),
    ] {
        let mut timeline = from_first(&frames[0]);
        assert_eq!(run(&mut timeline, frames), expected, "{name}");
    }
}

#[test]
fn a_feed_whose_last_timestamp_is_wrong_loses_no_frame() {
    let mut timeline = from_first(&video(0));
    let frames = vec![video(0), audio(0), video(40), audio(90_000)];
    assert_eq!(run(&mut timeline, frames), [Some(0), Some(0), Some(40)]);
    timeline.finish();
    let Some(Event::Sample(last)) = timeline.poll() else { panic!("the last frame is there") };
    assert_eq!((last.kind, last.dts - NOW.media()), (Kind::Audio, crate::time::MediaSpan(2_970)));
    assert_eq!((timeline.poll(), timeline.counts().nudged), (None, 1));
    timeline.finish();
    assert_eq!(timeline.poll(), None);
    // Of a track that has no other frame, nobody knows where it belongs.
    run(&mut timeline, vec![video(80)]);
    let mut alone = from_first(&video(0));
    run(&mut alone, vec![video(0), audio(90_000)]);
    alone.finish();
    assert_eq!((alone.poll(), alone.counts().stragglers), (None, 1));
}

#[test]
fn a_jump_takes_its_anchor_from_arrival() {
    let mut timeline = from_first(&video(0));
    timeline.handle(video(0), NOW);
    timeline.handle(video(3_600_000), NOW.plus_ms(60_000));
    assert_eq!(timeline.counts().jumps, 0, "one timestamp may be wrong");
    timeline.handle(video(3_600_040), NOW.plus_ms(60_040));
    let anchor = Anchor { feed_ms: 3_600_000, utc: NOW.plus_ms(60_000) };
    assert_eq!(timeline.anchor(), anchor);
    let events: Vec<_> = std::iter::from_fn(|| timeline.poll()).collect();
    assert_eq!(events[1], Event::Jumped(anchor));
}

#[test]
fn invariant_3_a_feed_that_stood_still_goes_on_alike_wherever_and_whenever_it_is_heard() {
    let anchor = Anchor { feed_ms: 0, utc: NOW };
    for pause_ms in [10_100, 20_000, 3_600_000] {
        for late_ms in [-2_000, 0, 700, 9_000] {
            let mut timeline = Timeline::on(anchor, MediaTime::default());
            for at in [0, 40, pause_ms, pause_ms + 40, pause_ms + 80] {
                for frame in [video(at), audio(at)] {
                    timeline.handle(frame, UtcMs(NOW.0.saturating_add_signed(at + late_ms)));
                }
            }
            let out: Vec<_> = std::iter::from_fn(|| timeline.poll())
                .map(|event| match event {
                    Event::Sample(sample) => Ok((sample.dts - NOW.media()).ms()),
                    Event::Jumped(anchor) => Err(anchor),
                })
                .collect();
            let at = |ms: i64| [Ok(ms), Ok(ms)];
            let behind = [0, 40, 80].map(|ms| at(pause_ms + ms));
            let expected = [&[at(0), at(40)].concat()[..], &[Err(anchor)], &behind.concat()].concat();
            assert_eq!(out, expected, "a pause of {pause_ms} ms, heard {late_ms} ms late");
        }
    }
}

#[test]
fn a_clock_that_did_not_go_on_as_time_did_gets_a_new_anchor_behind_a_pause() {
    // By how much more time passed here than there.
    for (by_ms, kept) in [(-3_100, false), (-3_000, true), (15_000, true), (15_100, false)] {
        let mut timeline = from_first(&video(0));
        timeline.handle(video(0), NOW);
        for at in [60_000, 60_040] {
            timeline.handle(video(at), UtcMs(NOW.0.saturating_add_signed(at + by_ms)));
        }
        assert_eq!(timeline.anchor() == Anchor { feed_ms: 0, utc: NOW }, kept, "{by_ms}");
        assert_eq!(timeline.counts().jumps, 1);
    }
}

#[test]
fn stragglers_are_bounded() {
    let mut timeline = from_first(&video(90_000));
    run(&mut timeline, vec![video(90_000), video(0), video(40)]);
    run(&mut timeline, vec![audio(90_000); STRAGGLERS_MAX as usize]);
    assert_eq!((timeline.counts().stragglers, timeline.counts().jumps), (u64::from(STRAGGLERS_MAX), 1));
    run(&mut timeline, vec![audio(90_000), audio(90_021)]);
    assert_eq!(timeline.counts().jumps, 1);
}

#[test]
fn where_no_timestamp_goes_with_another_one_in_so_many_is_taken_for_a_jump() {
    let mut timeline = from_first(&video(0));
    let wild = |n: u32| video(i64::from(n) * 100_000);
    run(&mut timeline, (0..STRAYS_MAX).map(wild).collect());
    assert_eq!(timeline.counts().jumps, 0);
    run(&mut timeline, vec![wild(STRAYS_MAX)]);
    assert_eq!((timeline.counts().jumps, timeline.counts().stragglers), (1, u64::from(STRAYS_MAX) - 1));
}

#[test]
fn a_step_back_is_nudged_and_its_picture_stays() {
    let mut timeline = from_first(&video(0));
    for frame in
        [frame(Kind::Video, 0, 40), frame(Kind::Video, 0, 80), frame(Kind::Video, -5, 120), video(40)]
    {
        timeline.handle(frame, NOW);
    }
    let samples: Vec<_> = std::iter::from_fn(|| timeline.poll())
        .map(|event| match event {
            Event::Sample(sample) => (sample.dts.0 - NOW.media().0, sample.pts().0 - NOW.media().0),
            Event::Jumped(_) => panic!("no jump here"),
        })
        .collect();
    assert_eq!(samples, [(0, 3600), (1, 7200), (2, 10_350), (3600, 3600)]);
    assert_eq!(timeline.counts().nudged, 2);
}

#[test]
fn a_new_publish_never_starts_before_the_end_of_the_last() {
    let not_before = MediaTime(NOW.media().0 + 90_001);
    let mut timeline = Timeline::new(Anchor { feed_ms: 100, utc: NOW }, not_before);
    let out = run(&mut timeline, vec![audio(90), video(100), audio(111)]);
    assert_eq!(out, [Some(1001), Some(1012)]);
    assert_eq!(timeline.counts().early, 1);
}

#[test]
fn composition_offsets_are_bounded() {
    let mut timeline = from_first(&video(0));
    for (cts, kept) in [(i32::MIN, 0), (i32::MAX, 0), (CTS_MS_MAX + 1, 0), (-CTS_MS_MAX, -CTS_MS_MAX)] {
        let mut timeline = from_first(&video(0));
        timeline.handle(frame(Kind::Video, 0, cts), NOW);
        let Some(Event::Sample(sample)) = timeline.poll() else { panic!("no sample") };
        assert_eq!(sample.cts, kept * 90);
    }
    timeline.handle(video(0), UtcMs(u64::MAX));
}

/// Where frames of a further track lie, in milliseconds after `NOW`, beside a first one that is ten seconds long. A frame of 20 ms comes
/// when it is due, stamped as `stamp` says of the millisecond.
fn beside(frames: impl IntoIterator<Item = i64>, stamp: impl Fn(i64) -> i64) -> (Vec<i64>, Counts) {
    let mut timeline = from_first(&video(0));
    let mut out = Vec::new();
    let mut due = frames.into_iter().peekable();
    for at in (0..10_000).step_by(40) {
        timeline.handle(video(at), NOW);
        while let Some(at) = due.next_if(|due| *due < at + 40) {
            let samples = timeline.beside(1, audio(stamp(at)));
            out.extend(samples.iter().map(|sample| (sample.dts - NOW.media()).ms()));
        }
    }
    (out, timeline.counts())
}

#[test]
fn wrong_times_in_a_further_track_are_put_right_by_its_neighbours() {
    let good = || (0..500).map(|n| n * 20);
    let all: Vec<i64> = good().collect();
    assert_eq!(beside(good(), |at| at).0, all);
    for by in [9_000, 1_500, -1_500, -9_000, 3_600_000] {
        // One, all of a PES packet, and one after the other.
        for wrong in [5_000..5_020, 5_000..5_300, 9_980..10_000] {
            let (out, _) = beside(good(), |at| at + if wrong.contains(&at) { by } else { 0 });
            let is_lost = by == 3_600_000 || wrong.end == 10_000;
            let expected: Vec<i64> =
                all.iter().copied().filter(|at| !is_lost || !wrong.contains(at)).collect();
            assert_eq!(out, expected, "{wrong:?} by {by}");
        }
    }
    let (out, counts) = beside(good(), |at| if at % 200 == 100 { at + 1_000 + at % 7_000 } else { at });
    assert_eq!((out, counts.nudged), (all, 50));
}

#[test]
fn a_further_track_may_lie_elsewhere_and_comes_back_to_the_first_ones_clock() {
    // Three seconds behind its picture, as where it is muxed late: none of it is lost.
    let (out, counts) = beside((3_000..10_000).step_by(20), |at| at - 3_000);
    let expected: Vec<i64> = (0..7_000).step_by(20).collect();
    assert_eq!((out, counts), (expected, Counts::default()));
    // It stood still for six seconds.
    let still = || (0..10_000).step_by(20).filter(|at| !(2_000..8_000).contains(at));
    assert_eq!(beside(still(), |at| at).0, still().collect::<Vec<_>>());
}

#[test]
fn behind_a_hole_in_all_tracks_each_frame_of_a_further_one_is_where_its_timestamp_says() {
    for hole in [1_200, 5_000, 9_900] {
        for before in [0, 1_000] {
            let mut timeline = from_first(&video(0));
            let times: Vec<i64> =
                (0..before).chain(before + hole..before + hole + 2_000).step_by(40).collect();
            let mut placed = vec![Vec::new(); 4];
            timeline.handle(video(-40), NOW);
            // In the order in which a muxer has them: all pictures of a moment, then all sounds.
            for &at in &times {
                timeline.handle(video(at), NOW);
                placed[0].extend(timeline.beside(1, video(at)));
                placed[1].extend(timeline.beside(2, video(at)));
                timeline.handle(audio(at), NOW);
                for at in [at, at + 20] {
                    placed[2].extend(timeline.beside(1, audio(at)));
                    placed[3].extend(timeline.beside(2, audio(at)));
                }
            }
            let sounds: Vec<i64> = times.iter().flat_map(|at| [*at, at + 20]).collect();
            for (n, placed) in placed.iter().enumerate() {
                let came: Vec<i64> = placed.iter().map(|sample| (sample.dts - NOW.media()).ms()).collect();
                let sent = if n < 2 { &times } else { &sounds };
                assert_eq!(came, *sent, "track {n}, {hole} ms behind {before} ms");
            }
            assert_eq!(timeline.counts(), Counts::default());
        }
    }
}

#[test]
fn a_further_track_that_lies_elsewhere_may_have_less_than_a_frame_a_second() {
    let (out, counts) = beside((3_000..10_000).step_by(1_500), |at| at - 3_000);
    assert_eq!((out, counts), (vec![0, 1_500, 3_000, 4_500, 6_000], Counts::default()));
    // One that begins to costs one frame, and it may come more often again.
    let more_often = || (3_000..5_000).step_by(20);
    let frames = || more_often().chain([6_200, 7_500, 8_800, 9_820, 9_840]);
    let (out, counts) = beside(frames(), |at| at - 3_000);
    assert_eq!(out, frames().filter(|at| *at != 6_200).map(|at| at - 3_000).collect::<Vec<_>>());
    assert_eq!(counts.stragglers, 1);
}

#[test]
fn what_waits_of_a_further_track_is_bounded_and_ends_with_the_clock() {
    let mut timeline = from_first(&video(0));
    timeline.handle(video(0), NOW);
    for n in 1..STRAYS_BESIDE_MAX as i64 {
        assert_eq!(timeline.beside(1, audio(5_000 + n)), []);
    }
    assert_eq!(timeline.beside(1, audio(5_500)).len(), STRAYS_BESIDE_MAX);
    assert_eq!(timeline.beside(2, audio(5_000)), []);
    run(&mut timeline, vec![video(90_000), video(90_040)]);
    assert_eq!(timeline.counts().jumps, 1);
    assert_eq!(timeline.beside(2, audio(90_020)).len(), 1);
}

#[test]
fn what_waits_of_all_further_tracks_is_bounded_in_bytes() {
    let mut timeline = from_first(&video(0));
    timeline.handle(video(0), NOW);
    let data: bytes::Bytes = vec![0; 8 << 20].into();
    let held_max = (STRAYS_BESIDE_LEN_MAX / data.len()) as u64;
    let mut most = 0;
    for n in 1..=100_u8 {
        let big = Frame { data: data.clone(), ..audio(5_000 + i64::from(n)) };
        assert_eq!(timeline.beside(n % 10, big), []);
        most = most.max(u64::from(n) - timeline.counts().stragglers);
    }
    assert_eq!(most, held_max);
    // What waits behind that has its place as ever.
    assert_eq!(timeline.beside(11, audio(5_000)), []);
    assert_eq!(timeline.beside(11, audio(5_600)), []);
    assert_eq!(timeline.beside(11, audio(6_200)).len(), 3);
}

/// Two tracks of twenty seconds, interleaved by when they come; `stamp` says what a frame is stamped with that is due at a
/// millisecond. Gives jumps, and how far sound lies from the picture beside it, the most of the last ten seconds, and the frames that came.
fn two_tracks(stamp: impl Fn(Kind, i64) -> i64) -> (u64, i64, [usize; 2]) {
    let due = |kind, step: usize| (0..20_000_i64).step_by(step).map(move |at| (at, kind));
    let mut all: Vec<_> = due(Kind::Video, 40).chain(due(Kind::Audio, 20)).collect();
    all.sort_by_key(|(at, kind)| (*at, *kind == Kind::Audio));
    let start = frame(all[0].1, stamp(all[0].1, 0), 0);
    let mut timeline = from_first(&start);
    let (mut last, mut apart, mut came) = (NOW.media(), 0, [0; 2]);
    for (at, kind) in all {
        timeline.handle(frame(kind, stamp(kind, at), 0), NOW.plus_ms(at as u64));
        while let Some(event) = timeline.poll() {
            let Event::Sample(sample) = event else { continue };
            came[usize::from(sample.kind == Kind::Audio)] += 1;
            match sample.kind {
                Kind::Video => last = sample.dts,
                Kind::Audio if at > 10_000 => apart = apart.max((sample.dts - last).ms().abs()),
                Kind::Audio => {}
            }
        }
    }
    (timeline.counts().jumps, apart, came)
}

#[test]
fn a_track_that_goes_elsewhere_alone_costs_one_jump_at_most_and_both_go_on_side_by_side() {
    for by in [-1_000_000, -90_000, -12_000, -5_000, 12_000, 90_000, i64::MAX / 4] {
        for away in [Kind::Video, Kind::Audio] {
            let (jumps, apart, came) =
                two_tracks(|kind, at| 2_000_000 + at + if kind == away && at >= 5_000 { by } else { 0 });
            // Where the picture leaves, a second of sound is left out.
            let what = format!("{away:?} by {by}: {jumps} jumps, {apart} ms apart, came {came:?}");
            assert!(jumps == u64::from(away == Kind::Video), "{what}");
            assert!(apart <= 80 && came[0] >= 499 && came[1] >= 930, "{what}");
        }
    }
}

#[test]
fn tracks_on_two_clocks_from_the_start_lie_side_by_side_without_a_jump() {
    for by in [-3_600_000, -12_000, 12_000, 3_600_000] {
        let (jumps, apart, came) =
            two_tracks(|kind, at| 4_000_000 + at + if kind == Kind::Audio { by } else { 0 });
        assert!(jumps == 0 && apart <= 80 && came == [500, 1_000], "{by}: {jumps}, {apart} ms, {came:?}");
    }
}

#[test]
fn which_offset_a_track_has_follows_from_its_timestamps_whenever_they_arrive() {
    // Pictures come ahead of the sound, which goes elsewhere when the last of them is about ten seconds old.
    for leaves in [9_000, 9_500, 9_980, 10_040, 10_400] {
        let run = |late: u64| {
            let start = frame(Kind::Video, 2_000_000, 0);
            let mut timeline = from_first(&start);
            let mut told = Vec::new();
            let mut take = |timeline: &mut Timeline, frame: Frame, at: i64| {
                // On time, or in pieces of some seconds.
                timeline.handle(frame, NOW.plus_ms((at as u64).next_multiple_of(late)));
                told.extend(core::iter::from_fn(|| timeline.poll()).map(|event| match event {
                    Event::Sample(sample) => Some((sample.kind, sample.dts)),
                    Event::Jumped(_) => None,
                }));
            };
            for at in (0..9_500).step_by(40) {
                take(&mut timeline, frame(Kind::Video, 2_000_000 + at, 0), 0);
            }
            for at in (0..14_000_i64).step_by(20) {
                let sent = if at < leaves { 2_000_000 + at } else { at };
                take(&mut timeline, frame(Kind::Audio, sent, 0), at);
            }
            (timeline.counts().jumps, told)
        };
        let on_time = run(20);
        assert_eq!(on_time.0, 0, "{leaves}");
        for late in [500, 3_000, 7_000] {
            assert!(run(late) == on_time, "{leaves}, {late}");
        }
    }
}

#[test]
fn sound_that_comes_back_alone_behind_a_pause_of_all_is_on_time() {
    for pause in [9_000, 11_000, 60_000] {
        let start = frame(Kind::Video, 2_000_000, 0);
        let mut timeline = from_first(&start);
        let mut late = 0;
        for at in (0..3_000_i64).chain(3_000 + pause..6_000 + pause).step_by(20) {
            let now = NOW.plus_ms(at as u64);
            if at == 3_000 + pause {
                // It comes with the last of what was before.
                timeline.handle(frame(Kind::Audio, 2_003_000, 0), now);
            }
            if at < 3_000 && at % 40 == 0 {
                timeline.handle(frame(Kind::Video, 2_000_000 + at, 0), now);
            }
            let sent = if at < 3_000 { 2_000_000 + at } else { at };
            timeline.handle(frame(Kind::Audio, sent, 0), now);
            while let Some(event) = timeline.poll() {
                if let Event::Sample(sample) = event {
                    late = (now.media() - sample.dts).ms();
                }
            }
        }
        assert!(late <= 9_100, "{pause}: {late} ms");
    }
}

#[test]
fn an_offset_stays_where_the_other_track_stands_still() {
    // The sound is behind by so much from 3 s on; then there is no picture for a while, up to where the sound's own clock comes by.
    for by in [1_500, 2_000, 5_000, 90_000] {
        for still in [800, 1_200, 2_500, 6_000] {
            let (mut apart, mut jumps, mut pictures) = (0, 0, 0);
            let start = frame(Kind::Video, 2_000_000, 0);
            let mut timeline = from_first(&start);
            let mut last = NOW.media();
            for at in (0..20_000_i64).step_by(20) {
                let mut frames = Vec::new();
                if at % 40 == 0 && !(8_000..8_000 + still).contains(&at) {
                    frames.push(frame(Kind::Video, 2_000_000 + at, 0));
                    pictures += 1;
                }
                frames.push(frame(Kind::Audio, 2_000_000 + at - if at >= 3_000 { by } else { 0 }, 0));
                for frame in frames {
                    timeline.handle(frame, NOW.plus_ms(at as u64));
                    while let Some(event) = timeline.poll() {
                        match event {
                            Event::Sample(sample) if sample.kind == Kind::Video => {
                                (last, pictures) = (sample.dts, pictures - 1);
                            }
                            Event::Sample(sample) if at > 15_000 => {
                                apart = apart.max((sample.dts - last).ms().abs());
                            }
                            Event::Sample(_) => {}
                            Event::Jumped(_) => jumps += 1,
                        }
                    }
                }
            }
            assert!(
                apart <= 80 && jumps == 0 && pictures == 0,
                "{by}, {still}: {apart} ms, {jumps} jumps, {pictures} lost"
            );
        }
    }
}

#[test]
fn a_further_track_is_on_the_clock_of_the_first_of_its_kind() {
    let start = frame(Kind::Video, 2_000_000, 0);
    let mut timeline = from_first(&start);
    let mut further = Vec::new();
    for at in (0..6_000_i64).step_by(20) {
        if at % 40 == 0 {
            timeline.handle(frame(Kind::Video, 2_000_000 + at, 0), NOW.plus_ms(at as u64));
        }
        let sent = if at >= 3_000 { at } else { 2_000_000 + at };
        timeline.handle(frame(Kind::Audio, sent, 0), NOW.plus_ms(at as u64));
        further.extend(
            timeline.beside(1, frame(Kind::Audio, sent, 0)).into_iter().map(|sample| (at, sample.dts)),
        );
    }
    assert!(further.len() > 290, "{}", further.len());
    assert!(further.iter().all(|(at, dts)| (*dts - NOW.media()).ms().abs_diff(*at) <= 100), "{further:?}");
}

#[test]
fn a_track_comes_back_to_the_common_clock_and_a_jump_of_both_ends_its_offset() {
    for away in [Kind::Video, Kind::Audio] {
        for by in [90_000, 12_000, 8_000, -8_000, -90_000] {
            let (jumps, apart, _) = two_tracks(|kind, at| {
                2_000_000 + at + if kind == away && (3_000..7_000).contains(&at) { by } else { 0 }
            });
            assert!(jumps <= 2 && apart <= 80, "{away:?}, {by}: {jumps}, {apart} ms");
        }
        let (jumps, apart, _) = two_tracks(|kind, at| match at {
            7_000.. => at,
            3_000.. if kind == away => 2_090_000 + at,
            _ => 2_000_000 + at,
        });
        assert!(jumps <= 2 && apart <= 40, "{away:?}, then both: {jumps}, {apart} ms");
    }
}

proptest! {
    #[test]
    fn decoding_times_increase_whatever_comes(
        start in any::<u64>(),
        frames in prop::collection::vec((any::<bool>(), prop_oneof![any::<i64>(), -20_000..20_000_i64], any::<i32>(), 0..5000_u64), 1..100)
    ) {
        let mut now = UtcMs(start);
        let floor = MediaTime(start / 2);
        let kind = |video| if video { Kind::Video } else { Kind::Audio };
        let first = frame(kind(frames[0].0), frames[0].1, frames[0].2);
        let mut timeline = Timeline::new(Anchor::from_arrival(&first, now), floor);
        let mut last = [floor, floor];
        let mut seen = [false, false];
        for (video, dts_ms, cts_ms, later) in frames {
            timeline.handle(frame(kind(video), dts_ms, cts_ms), now);
            now = now.plus_ms(later);
            while let Some(event) = timeline.poll() {
                match event {
                    Event::Sample(sample) => {
                        let track = usize::from(sample.kind == Kind::Audio);
                        prop_assert!(sample.dts > last[track] || (!seen[track] && sample.dts == last[track]));
                        (last[track], seen[track]) = (sample.dts, true);
                    }
                    // Behind a jump nothing lies before what came ahead of it, in either track.
                    Event::Jumped(_) => {
                        let end = last[0].max(last[1]);
                        (last, seen) = ([end, end], [false, false]);
                    }
                }
            }
        }
    }
}
