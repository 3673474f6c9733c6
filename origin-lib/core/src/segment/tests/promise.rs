//! No segment is longer than playlists promise, however far apart key frames are.

use super::*;
use crate::recording::rounded_s;
use crate::time::MediaSpan;

/// A picture that is shown `cts_ms` after it is decoded.
fn reordered(ms: i64, cts_ms: i64, key: bool) -> Input {
    match sample(Kind::Video, ms, key) {
        Input::Sample(sample) => Input::Sample(Sample { cts: (cts_ms * 90) as i32, ..sample }),
        other => other,
    }
}

/// Pictures every 40 ms, with key frames at these, up to `end`; where they are reordered, in fours, as with two B-frames and one
/// that they refer to.
fn pictures(keys: &[i64], end: i64, reorders: bool) -> Vec<Input> {
    let of = |n: i64| {
        let (ms, since) = (n * 40, keys.iter().rfind(|at| **at <= n * 40).map_or(n, |at| n - at / 40));
        let cts = match (reorders, since % 4) {
            (false, _) => 0,
            (true, 0) => 80,
            (true, 1) => 200,
            (true, 2) => 80,
            (true, _) => 0,
        };
        reordered(ms, cts, keys.contains(&ms))
    };
    (0..end / 40).map(of).collect()
}

fn cut(mut segmenter: Segmenter, inputs: Vec<Input>) -> Vec<Cut> {
    let mut cuts = run(&mut segmenter, [Input::Video(avc(0))].into_iter().chain(inputs));
    segmenter.finish();
    cuts.extend(drain(&mut segmenter));
    cuts
}

fn promised(target_s: u32) -> Segmenter {
    let mut segmenter = Segmenter::new(2000);
    segmenter.set_target(Some(target_s));
    segmenter
}

/// Where they start, how long they are, and whether one can begin with them.
fn spans(cuts: &[Cut]) -> Vec<(i64, u32, bool)> {
    cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90, !cut.is_dependent())).collect()
}

#[test]
fn a_promise_is_kept_by_cuts_between_key_frames() {
    let cuts = cut(promised(2), pictures(&[0, 2000, 9000], 10_000, false));
    assert_eq!(
        spans(&cuts),
        [
            (0, 2000, true),
            (2000, 2000, true),
            (4000, 2000, false),
            (6000, 2000, false),
            (8000, 1000, false),
            (9000, 1000, true),
        ]
    );
    assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity), "nothing is missing");
}

#[test]
fn invariant_3_origins_that_are_told_the_same_promise_cut_alike_whenever_they_join() {
    for reorders in [false, true] {
        let sent = || pictures(&[0, 2000, 9000, 15_000, 17_000, 29_000], 40_000, reorders);
        let first = cut(promised(4), sent());
        assert!(first.iter().all(|cut| rounded_s(MediaSpan(i64::from(cut.duration))) <= 4));
        for joins in (20..700).step_by(35) {
            let later = cut(promised(4), sent().split_off(joins));
            let from = first.iter().position(|cut| cut.start == later[0].start);
            let same = from.map(|from| spans(&first[from..]));
            assert_eq!(same, Some(spans(&later)), "{joins}");
        }
    }
    // Key frames that come a moment later than their promise has it; in parts as well.
    let film = || (0..600).map(|n| reordered(n * 1000 / 24, 0, n % 60 == 0)).collect::<Vec<_>>();
    let late = || {
        let ms = |n: i64| n * 40 + if n > 61 { 20 } else { 0 };
        (0..400).map(|n| reordered(ms(n), 0, n == 0 || n == 62)).collect::<Vec<_>>()
    };
    for (sent, keys) in [(film(), &[60, 120, 300][..]), (late(), &[62])] {
        for part_ms in [None, Some(334)] {
            let of = |sent: &[Input]| {
                let segmenter = promised(2);
                cut(part_ms.map_or(promised(2), |ms| segmenter.with_parts(ms)), sent.to_vec())
            };
            let first = of(&sent);
            assert!(first.iter().all(|cut| rounded_s(MediaSpan(i64::from(cut.duration))) <= 2));
            for joins in keys {
                let later = of(&sent[*joins..]);
                let from = first.iter().position(|cut| cut.start == later[0].start);
                assert_eq!(
                    from.map(|from| spans(&first[from..])),
                    Some(spans(&later)),
                    "{joins} {part_ms:?}"
                );
            }
        }
    }
}

#[test]
fn a_key_frame_behind_such_a_cut_begins_a_segment_within_the_same_interval() {
    // 4000 and 5000 lie in one interval of two seconds.
    let cuts = cut(promised(2), pictures(&[0, 2000, 5000, 6000], 8_000, false));
    let expected =
        [(0, 2000, true), (2000, 2000, true), (4000, 1000, false), (5000, 1000, true), (6000, 2000, true)];
    assert_eq!(spans(&cuts), expected);
}

#[test]
fn where_a_key_frame_lies_within_it_is_where_it_is_cut() {
    let cuts = cut(promised(2), pictures(&[0, 1600], 5_000, false));
    assert_eq!(spans(&cuts), [(0, 1600, true), (1600, 2000, true), (3600, 1400, false)]);
    // What was given out as a part of a segment stays there.
    let parts = cut(promised(2).with_parts(200), pictures(&[0, 400], 5_000, false));
    assert_eq!(spans(&parts), [(0, 2480, true), (2480, 2480, false), (4960, 40, false)]);
}

#[test]
fn as_long_as_nothing_is_promised_segments_are_as_long_as_key_frames_are_apart_up_to_ten_seconds() {
    let cuts = cut(Segmenter::new(2000), pictures(&[0, 8000, 30_000], 31_000, false));
    assert_eq!(spans(&cuts)[..3], [(0, 8000, true), (8000, 10_000, true), (18_000, 10_000, false)]);
    // And by what was promised then.
    let cuts = cut(promised(8), pictures(&[0, 8000, 30_000], 31_000, false));
    assert_eq!(spans(&cuts)[..3], [(0, 8000, true), (8000, 8000, true), (16_000, 8000, false)]);
}

#[test]
fn a_hole_in_the_pictures_is_no_reason_to_cut_before_a_key_frame_that_comes_in_time() {
    let lost = 600..1560;
    let sent = pictures(&[0, 2000, 4000], 6_000, false).into_iter().filter(|input| match input {
        Input::Sample(sample) => !lost.contains(&ms(sample.dts)),
        _ => true,
    });
    let cuts = cut(promised(2), sent.collect());
    assert_eq!(spans(&cuts), [(0, 2000, true), (2000, 2000, true), (4000, 2000, true)]);
}

/// Pictures, of which those from here to there are lost, with a key frame behind them.
fn with_hole(lost: core::ops::Range<i64>, keys: &[i64], end: i64, reorders: bool) -> Vec<Input> {
    let sent = pictures(keys, end, reorders).into_iter();
    let is_there = |input: &Input| !matches!(input, Input::Sample(s) if lost.contains(&ms(s.dts)));
    sent.filter(is_there).collect()
}

#[test]
fn a_segment_ends_where_its_pictures_do_before_a_hole_that_would_make_it_too_long() {
    for segmenter in [promised(2), promised(2).with_parts(200)] {
        let cuts = cut(segmenter, with_hole(1000..6000, &[0, 6000], 8_000, false));
        assert_eq!(spans(&cuts), [(0, 1000, true), (6000, 2000, true)]);
        assert!(cuts[1].discontinuity);
    }
    // Nothing was promised: ten seconds are not too long.
    let cuts = cut(Segmenter::new(2000), with_hole(1000..6000, &[0, 6000], 8_000, false));
    assert_eq!(spans(&cuts), [(0, 6000, true), (6000, 2000, true)]);
}

#[test]
fn sound_that_comes_ahead_of_its_picture_behind_a_hole_is_in_the_segment_of_that_picture() {
    for ahead_ms in [100, 1000, 2000] {
        for mut segmenter in [promised(2), promised(2).with_parts(200)] {
            // Both tracks have the hole, and each moment of sound comes before the pictures that it belongs to.
            let there = |at: &i64| !(1000..6000).contains(at);
            let times = || (0..10_000).step_by(20).filter(there);
            let pictures = with_hole(1000..6000, &[0, 6000, 8000], 10_000, false).into_iter();
            let of = |input: Input| match input {
                Input::Sample(sample) => (ms(sample.dts), Input::Sample(sample)),
                other => (0, other),
            };
            let sounds = times().map(|at| (at - ahead_ms, audio(at)));
            let mut sent: Vec<_> = pictures.map(of).chain(sounds).collect();
            sent.sort_by_key(|(at, _)| *at);
            let inputs = both().into_iter().chain(sent.into_iter().map(|(_, input)| input));
            let mut cuts = run(&mut segmenter, inputs);
            segmenter.finish();
            cuts.extend(drain(&mut segmenter));
            assert_eq!(spans(&cuts), [(0, 1000, true), (6000, 2000, true), (8000, 2000, true)]);
            let breaks: Vec<bool> = cuts.iter().map(|cut| cut.discontinuity).collect();
            assert_eq!(breaks, [true, true, false]);
            for (cut, from) in cuts.iter().zip([0..1000, 6000..8000, 8000..10_000]) {
                // What came ahead of the very first picture has none that it belongs to.
                let came = |at: &i64| from.contains(at) && (*at >= ahead_ms || from.start > 0);
                let got: Vec<i64> = cut.audio.iter().map(|sample| ms(sample.dts)).collect();
                assert_eq!(got, times().filter(came).collect::<Vec<_>>(), "{ahead_ms} ms ahead");
            }
            assert_eq!((segmenter.open_len(), segmenter.open_samples), (0, 0));
        }
    }
}

#[test]
fn a_hole_costs_no_discontinuity_where_a_cut_before_it_keeps_the_promise() {
    // At a key frame, or where there is none, between two.
    for (keys, starts) in [
        (&[0, 1000, 3000][..], &[(0, 1000, true), (1000, 2000, true)][..]),
        (&[0, 3000][..], &[(0, 1160, true), (1160, 1840, false)][..]),
    ] {
        let cuts = cut(promised(2), with_hole(1200..3000, keys, 4_000, false));
        assert_eq!(spans(&cuts)[..2], *starts, "{:?}", spans(&cuts));
        assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity));
    }
}

#[test]
fn pictures_behind_a_hole_that_no_key_frame_follows_keep_the_promise_where_that_can_be() {
    let cuts = cut(promised(2), with_hole(1000..3600, &[0, 6000], 8_000, false));
    assert!(cuts.iter().all(|cut| rounded_s(MediaSpan(cut.duration.into())) <= 2), "{:?}", spans(&cuts));
    assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity));
    assert_eq!(cuts.iter().map(|cut| cut.video.len()).sum::<usize>(), 200 - 65);
}

/// No segment is too long, each lies where its first picture is shown, as far as its bytes can tell, and what goes on follows at once.
fn keeps(cuts: &[Cut], target_s: u32) {
    for cut in cuts {
        let first = cut.video.first().map(Sample::pts).unwrap();
        assert!(rounded_s(MediaSpan(cut.duration.into())) <= target_s, "{:?}", spans(cuts));
        assert!(first.0 - cut.start.0 <= 270_000, "{} ms: {:?}", ms(first), spans(cuts));
        assert!(!cut.discontinuity || !cut.is_dependent());
    }
    for pair in cuts.windows(2) {
        let end = pair[0].start.0 + u64::from(pair[0].duration);
        assert_eq!(end == pair[1].start.0, !pair[1].discontinuity, "{:?}", spans(cuts));
        assert!(end <= pair[1].start.0);
    }
}

#[test]
fn a_hole_in_which_a_segment_can_begin_costs_no_picture_whatever_comes_behind_it() {
    for (target_s, lost, keys) in [
        (2, 1000..4520, &[0, 6000][..]),
        (2, 2480..6000, &[0, 8000]),
        (4, 1000..7200, &[0, 10_000]),
        (10, 1000..12_000, &[0, 14_000]),
    ] {
        let len = lost.clone().count() / 40;
        let cuts = cut(promised(target_s), with_hole(lost, keys, 16_000, false));
        keeps(&cuts, target_s);
        assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity), "{:?}", spans(&cuts));
        assert_eq!(cuts.iter().map(|cut| cut.video.len()).sum::<usize>(), 400 - len);
    }
}

#[test]
fn behind_a_longer_hole_pictures_are_left_out_up_to_a_key_frame() {
    for (mut segmenter, lost) in [
        (promised(2), 1000..8000),
        (promised(8), 1000..13_000),
        (promised(2).with_parts(200), 1000..4520),
        (Segmenter::new(2000), 1000..15_000),
    ] {
        let back = lost.end;
        let sounds = (0..20_000).step_by(20).filter(|at| !lost.contains(at));
        // Sound comes half a second ahead of its picture.
        let mut sent: Vec<_> = sounds.map(|at| (at - 500, audio(at))).collect();
        sent.extend(with_hole(lost.clone(), &[0, 16_000, 18_000], 20_000, false).into_iter().map(|input| {
            match input {
                Input::Sample(sample) => (ms(sample.dts), Input::Sample(sample)),
                other => (0, other),
            }
        }));
        sent.sort_by_key(|(at, _)| *at);
        let mut cuts =
            run(&mut segmenter, both().into_iter().chain(sent.into_iter().map(|(_, input)| input)));
        segmenter.finish();
        cuts.extend(drain(&mut segmenter));
        assert_eq!(spans(&cuts), [(0, 1000, true), (16_000, 2000, true), (18_000, 2000, true)], "{back}");
        assert_eq!(cuts.iter().map(|cut| cut.discontinuity).collect::<Vec<_>>(), [true, true, false]);
        let audio: Vec<i64> = cuts[1].audio.iter().map(|sample| ms(sample.dts)).collect();
        assert_eq!(
            audio.first(),
            Some(&16_520),
            "what comes ahead of a picture that has no place has none either"
        );
        assert!(cuts[0].audio.iter().all(|sample| ms(sample.dts) < 1000 || ms(sample.dts) - back < 1000));
        assert_eq!((segmenter.open_len(), segmenter.open_samples), (0, 0));
    }
}

#[test]
fn sound_alone_ends_where_it_does_before_a_hole_that_would_make_its_segment_too_long() {
    let sound = |lost: core::ops::Range<i64>| {
        let times = (0..460).map(|n| n * 64 / 3).filter(move |at| !lost.contains(at));
        [Input::Audio(aac(0))].into_iter().chain(times.map(audio)).collect::<Vec<_>>()
    };
    // Nothing was promised; as much as is configured; more, as where the first segment was longer.
    let segmenters = || [Segmenter::new(2000), promised(2), promised(8), promised(2).with_parts(200)];
    for mut segmenter in segmenters() {
        let mut cuts = run(&mut segmenter, sound(1500..6000));
        segmenter.finish();
        cuts.extend(drain(&mut segmenter));
        let short: Vec<_> =
            cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90, cut.discontinuity)).collect();
        assert_eq!(short, [(0, 1514, true), (6016, 1984, true), (8000, 1813, false)]);
        assert_eq!(cuts.iter().map(|cut| cut.audio.len()).sum::<usize>(), sound(1500..6000).len() - 1);
        // Its last frame lasts no longer than others do.
        assert_eq!(cuts[0].audio_end.0 - cuts[0].audio.last().unwrap().dts.0, 1920);
    }
    // A short one is in a segment.
    for mut segmenter in segmenters() {
        let cuts = run(&mut segmenter, sound(1500..2400));
        let short: Vec<_> =
            cuts.iter().map(|cut| (ms(cut.start), cut.duration / 90, cut.discontinuity)).collect();
        assert_eq!(short[..2], [(0, 2410, true), (2410, 1600, false)]);
    }
}

#[test]
fn a_key_frame_that_is_late_by_less_than_a_hole_makes_no_segment_too_long() {
    // The segment before it would last 2.5 s, which is 3 s in whole seconds.
    let sent = |last: i64| {
        let times = (0..=last).step_by(40).chain((2500..4000).step_by(40));
        times.map(|ms| reordered(ms, 0, ms == 0 || ms == 2500)).collect::<Vec<_>>()
    };
    let cuts = cut(promised(2).with_parts(334), sent(2440));
    assert_eq!(spans(&cuts), [(0, 2440, true), (2440, 60, false), (2500, 1520, true)]);
    assert!(!cuts[2].discontinuity);
    // Where there is one picture behind a hole, it is no place for a cut.
    let alone =
        |ms: &Input| matches!(ms, Input::Sample(sample) if !(200..4212).contains(&self::ms(sample.dts)));
    let far = (0..120).map(|n| reordered(n * 40, 0, n == 0)).filter(alone);
    let far: Vec<Input> = far.take(6).chain([reordered(4500, 0, true), reordered(4540, 0, false)]).collect();
    let cuts = cut(promised(2), far);
    assert_eq!(
        cuts.iter().map(|cut| (ms(cut.start), cut.discontinuity)).collect::<Vec<_>>(),
        [(0, true), (2000, false), (4280, false)]
    );
}

#[test]
fn in_parts_a_key_frame_behind_pictures_that_leave_no_place_for_a_cut_costs_none_of_them() {
    // The last one begins a part; or others are shown before it, as before an open group of pictures.
    let plain: Vec<_> = (0..=2400).step_by(40).map(|ms| reordered(ms, 0, ms == 0)).collect();
    let plain: Vec<_> =
        plain.into_iter().chain((0..10).map(|n| reordered(2500 + n * 40, 0, n == 0))).collect();
    let beside = |input: Input| match &input {
        Input::Sample(sample) => vec![input.clone(), audio(ms(sample.dts)), audio(ms(sample.dts) + 20)],
        _ => vec![input],
    };
    for (part_ms, sent) in [(400, plain), (200, pictures(&[0, 2520], 3000, true))] {
        let all = [Input::Video(avc(0)), Input::Audio(aac(0))].into_iter();
        let sent: Vec<Input> = sent.into_iter().flat_map(beside).collect();
        let count =
            |kind| sent.iter().filter(|input| matches!(input, Input::Sample(s) if s.kind == kind)).count();
        let mut segmenter = promised(2).with_parts(part_ms);
        let mut cuts = run(&mut segmenter, all.chain(sent.iter().cloned()));
        segmenter.finish();
        cuts.extend(drain(&mut segmenter));
        assert!(
            cuts.iter().all(|cut| rounded_s(MediaSpan(i64::from(cut.duration))) <= 2),
            "{:?}",
            spans(&cuts)
        );
        assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity));
        assert_eq!(cuts.iter().map(|cut| cut.video.len()).sum::<usize>(), count(Kind::Video));
        assert!(count(Kind::Audio) - cuts.iter().map(|cut| cut.audio.len()).sum::<usize>() <= 4);
    }
}

#[test]
fn pictures_that_are_sent_behind_another_and_shown_before_it_stay_with_it() {
    for segmenter in [promised(2), promised(2).with_parts(200)] {
        let cuts = cut(segmenter, pictures(&[0], 8_000, true));
        assert!(cuts.len() > 3);
        for pair in cuts.windows(2) {
            let [last, first] = [
                pair[0].video.iter().map(Sample::pts).max().unwrap(),
                pair[1].video.iter().map(Sample::pts).min().unwrap(),
            ];
            assert!(last < first, "shown in order");
            assert_eq!(pair[1].start, first);
            assert!(rounded_s(MediaSpan(pair[0].duration.into())) <= 2);
        }
    }
}

proptest! {
    /// However key frames come, with pictures that are up to a third of a second apart, and evenly.
    #[test]
    fn no_segment_breaks_the_promise_and_nothing_is_lost(
        groups in prop::collection::vec((0..40_i64, any::<bool>()), 1..8),
        step in 10..330_i64,
        target_s in 2..9_u32,
        part_ms in prop::option::of(100..1000_u32),
    ) {
        let (mut inputs, mut at) = (Vec::new(), 0);
        for (frames, reorders) in groups {
            for n in 0..=frames * 3 {
                // Behind the key frame, threes of which the first is shown last.
                let cts = match (n, reorders) {
                    (0, _) | (_, false) => 1,
                    _ if n % 3 == 1 => 3,
                    _ => 0,
                };
                inputs.push(reordered(at, cts * step, n == 0));
                at += step;
            }
        }
        let mut segmenter = promised(target_s);
        if let Some(part_ms) = part_ms {
            segmenter = segmenter.with_parts(part_ms);
        }
        let sent = inputs.clone();
        let cuts = cut(segmenter, inputs);
        let came = cuts.iter().flat_map(|cut| cut.video.iter().cloned().map(Input::Sample));
        prop_assert_eq!(came.collect::<Vec<_>>(), sent);
        let (_, whole) = cuts.split_last().unwrap();
        for (n, cut) in whole.iter().enumerate() {
            let long = rounded_s(MediaSpan(cut.duration.into()));
            prop_assert!(long <= target_s, "{} s of {target_s}: {:?}", long, spans(&cuts));
            prop_assert!(n == 0 || !cut.discontinuity);
        }
        for pair in cuts.windows(2) {
            prop_assert_eq!(pair[0].start.0 + u64::from(pair[0].duration), pair[1].start.0);
            prop_assert!(pair[0].start.0 / 90 < pair[1].start.0 / 90, "names tell milliseconds apart");
        }
    }

    /// However long pictures are missing, before whichever of them, and however few come between.
    #[test]
    fn holes_before_any_picture_break_no_promise(
        groups in prop::collection::vec((1..80_i64, any::<bool>(), prop_oneof![Just(0), 0..600_i64, 600..12_000_i64]), 1..10),
        step in 10..200_i64,
        target_s in prop::option::of(2..9_u32),
        part_ms in prop::option::of(100..1000_u32),
    ) {
        let (mut inputs, mut at) = (Vec::new(), 0);
        for (group, (frames, is_key, hole)) in groups.into_iter().enumerate() {
            inputs.extend((0..frames).map(|n| reordered(at + n * step, 0, n == 0 && (is_key || group == 0))));
            at += frames * step + hole;
        }
        let mut segmenter = Segmenter::new(2000);
        segmenter.set_target(target_s);
        if let Some(part_ms) = part_ms {
            segmenter = segmenter.with_parts(part_ms);
        }
        let sent = inputs.len() as u64;
        let mut cuts = run(&mut segmenter, [Input::Video(avc(0))].into_iter().chain(inputs));
        segmenter.finish();
        cuts.extend(drain(&mut segmenter));
        keeps(&cuts, target_s.unwrap_or(UNPROMISED_S_MAX));
        let kept = cuts.iter().map(|cut| cut.video.len()).sum::<usize>() as u64;
        prop_assert_eq!(kept + segmenter.counts().leading, sent);
        prop_assert_eq!(segmenter.counts().unusable + segmenter.counts().forced, 0);
    }

    /// However long pictures are missing before a key frame.
    #[test]
    fn holes_before_key_frames_break_no_promise_and_cost_no_picture(
        groups in prop::collection::vec((3..80_i64, prop_oneof![Just(0), 0..600_i64, 600..9_000_i64]), 1..8),
        step in 10..200_i64,
        target_s in 2..9_u32,
        part_ms in prop::option::of(100..1000_u32),
    ) {
        let (mut inputs, mut at) = (Vec::new(), 0);
        for (frames, hole) in groups {
            inputs.extend((0..frames).map(|n| reordered(at + n * step, 0, n == 0)));
            at += frames * step + hole;
        }
        let mut segmenter = promised(target_s);
        if let Some(part_ms) = part_ms {
            segmenter = segmenter.with_parts(part_ms);
        }
        let sent = inputs.clone();
        let cuts = cut(segmenter, inputs);
        let came = cuts.iter().flat_map(|cut| cut.video.iter().cloned().map(Input::Sample));
        prop_assert_eq!(came.collect::<Vec<_>>(), sent);
        for cut in &cuts {
            let long = rounded_s(MediaSpan(cut.duration.into()));
            prop_assert!(long <= target_s, "{} s of {target_s}: {:?}", long, spans(&cuts));
            prop_assert!(!cut.discontinuity || !cut.is_dependent());
        }
        for pair in cuts.windows(2) {
            let end = pair[0].start.0 + u64::from(pair[0].duration);
            let goes_on = end == pair[1].start.0;
            prop_assert!(end <= pair[1].start.0 && goes_on != pair[1].discontinuity);
        }
    }
}
