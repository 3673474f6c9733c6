//! Matches that were played, and three-cushion as the discipline's rules have it.

use super::*;

/// Plays alternating innings point by point, side 0 first, and looks at every figure after every point.
#[track_caller]
fn play(scorer: &mut Scorer, target: u32, runs: &[(u32, Option<u32>)]) {
    let (mut totals, mut high_runs) = ([0, 0], [0, 0]);
    for (inning, (first, second)) in (1..).zip(runs) {
        for (side, run) in [(Side::First, Some(*first)), (Side::Second, *second)] {
            let Some(run) = run else { continue };
            let high_run = side.of_mut(&mut high_runs);
            for done in 1..=run {
                let state = scorer.take(points(side, 1));
                let total = side.of_mut(&mut totals);
                *total += 1;
                *high_run = done.max(*high_run);
                let shown = side.of(&state.sides);
                assert_eq!((shown.points, shown.run, shown.high_run), (*total, done, *high_run));
                assert_eq!((state.inning, shown.innings), (inning, inning));
                assert_eq!(shown.average_milli, *total * 1000 / i32::try_from(inning).unwrap());
            }
            if i64::from(*side.of(&totals)) < i64::from(target) {
                assert_eq!(scorer.state().at_table, Some(side));
                let state = scorer.take(end_inning(side));
                assert_eq!(side.of(&state.sides).run, run, "the last run stays in sight");
            }
        }
    }
}

/// Published are 6–9 after five innings, then inning by inning; how the first five divide is made up.
const NELIN_CHO: [(u32, u32); 11] =
    [(1, 2), (0, 3), (2, 0), (3, 1), (0, 3), (16, 2), (3, 14), (3, 3), (7, 1), (0, 6), (5, 5)];

#[test]
fn nelin_cho_2019_40_40_in_11_and_5_2_in_the_shootout() {
    let mut scorer = Scorer::new(40, true);
    let innings = both(&NELIN_CHO);
    play(&mut scorer, 40, &innings[..5]);
    assert_eq!(scorer.state().sides.map(|side| side.points), [6, 9]);
    // Both sides have played as many innings until the next one begins.
    assert_eq!((scorer.state().inning, scorer.state().sides.map(|side| side.innings)), (6, [6, 5]));

    let mut scorer = Scorer::new(40, true);
    play(&mut scorer, 40, &innings);
    let state = scorer.state();
    assert_eq!((state.phase, state.at_table, state.winner), (Phase::Shootout, None, None));
    assert_eq!(figures(&state), [(40, 11, 16, 3636), (40, 11, 14, 3636)]);
    assert_eq!(state.sides.map(|s| s.shootout), [None, None]);

    let state = scorer.take(shootout(Side::First, 5));
    assert_eq!((state.phase, state.at_table), (Phase::Shootout, Some(Side::Second)));
    assert_eq!(state.sides.map(|s| s.shootout), [Some(5), None]);
    let state = scorer.take(shootout(Side::Second, 2));
    assert_eq!((state.phase, state.at_table, state.winner), (Phase::Finished, None, Some(Side::First)));
    assert_eq!(state.sides.map(|s| s.shootout), [Some(5), Some(2)]);
    assert_eq!(figures(&state), [(40, 11, 16, 3636), (40, 11, 14, 3636)], "a shootout counts for no average");
}

/// Jaspers' innings are published.
#[test]
fn jaspers_efler_40_0_in_4() {
    let mut scorer = Scorer::new(40, true);
    play(&mut scorer, 40, &[(5, Some(0)), (11, Some(0)), (2, Some(0)), (22, None)]);
    let state = scorer.state();
    assert_eq!((state.phase, state.at_table), (Phase::Playing, Some(Side::Second)), "an inning is owed");
    let state = scorer.take(end_inning(Side::Second));
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)));
    assert_eq!(figures(&state), [(40, 4, 22, 10_000), (0, 4, 0, 0)]);
}

/// `points` in `innings`, as even as can be, the last inning not empty.
fn spread(points: u32, innings: u32) -> Vec<u32> {
    (0..innings).map(|n| (n + 1) * points / innings - n * points / innings).collect()
}

/// Published are points and innings; the runs are made up to add up to them.
#[test]
fn published_results_with_made_up_innings() {
    // Points and innings of both sides, whether there is an equalising inning, averages in thousandths.
    for (name, [a, b], equalising, averages) in [
        ("Blomdahl–Nguyen 2019", [(40, 22), (37, 22)], true, [1818, 1681]),
        ("Caudron–Jaspers 2017", [(40, 7), (14, 7)], true, [5714, 2000]),
        ("Caudron–Çoklu", [(50, 15), (47, 15)], true, [3333, 3133]),
        ("Merckx–Zanetti", [(50, 23), (42, 22)], false, [2173, 1909]),
    ] {
        let mut scorer = Scorer::new(a.0, equalising);
        let (first, second) = (spread(a.0, a.1), spread(b.0, b.1));
        let runs: Vec<_> = first.iter().enumerate().map(|(n, run)| (*run, second.get(n).copied())).collect();
        play(&mut scorer, a.0, &runs);
        let state = scorer.state();
        assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)), "{name}");
        let high_runs = [first, second].map(|runs| runs.into_iter().max().unwrap());
        let expected = [(a, averages[0], high_runs[0]), (b, averages[1], high_runs[1])]
            .map(|((points, innings), average, high_run)| (points.cast_signed(), innings, high_run, average));
        assert_eq!(figures(&state), expected, "{name}");
    }
}

#[test]
fn the_side_that_did_not_break_wins_at_once() {
    for equalising in [true, false] {
        let mut scorer = Scorer::new(3, equalising);
        scorer.innings(&both(&[(2, 0)]));
        scorer.take(end_inning(Side::First));
        let state = scorer.take(points(Side::Second, 3));
        assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::Second)));
        assert_eq!(state.sides.map(|s| s.innings), [2, 2]);
    }
}

#[test]
fn the_second_side_can_break() {
    let mut scorer = Scorer::default();
    let state = scorer.take(start_of(2, false, Side::Second));
    assert_eq!((state.inning, state.at_table), (1, Some(Side::Second)));
    assert_eq!(state.sides.map(|s| s.innings), [0, 1]);
    let state = scorer.take(points(Side::Second, 2));
    assert_eq!((state.winner, state.inning), (Some(Side::Second), 1));
    assert_eq!(state.sides.map(|s| s.average_milli), [0, 2000]);
}

#[test]
fn a_tied_shootout_goes_on_in_rounds() {
    let mut scorer = Scorer::new(1, true);
    scorer.innings(&both(&[(1, 1)]));
    // Either side may begin a round; nobody has two turns of one.
    scorer.take(shootout(Side::Second, 3));
    scorer.refuse(shootout(Side::Second, 1), Invalid::ShootoutTurn(Side::Second));
    let state = scorer.take(shootout(Side::First, 3));
    assert_eq!((state.phase, state.at_table), (Phase::Shootout, None));
    scorer.take(shootout(Side::First, 0));
    let state = scorer.take(shootout(Side::Second, 1));
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::Second)));
    assert_eq!(state.sides.map(|s| s.shootout), [Some(3), Some(4)]);
}

#[test]
fn points_taken_back_take_the_high_run_with_them() {
    let mut scorer = Scorer::new(40, true);
    scorer.innings(&both(&[(4, 1)]));
    scorer.take(points(Side::First, 6));
    let state = scorer.take(points(Side::First, -3));
    assert_eq!((state.sides[0].points, state.sides[0].run, state.sides[0].high_run), (7, 3, 4));
    scorer.refuse(points(Side::First, -4), Invalid::BelowZero { run: 3 });
    let state = scorer.take(points(Side::First, -3));
    assert_eq!((state.sides[0].points, state.sides[0].run, state.sides[0].high_run), (4, 0, 4));
}

#[test]
fn what_has_no_place_is_refused_and_changes_nothing() {
    let mut scorer = Scorer::default();
    scorer.refuse(points(Side::First, 1), Invalid::NotStarted);
    scorer.refuse(undo(1), Invalid::NoSuchEvent);
    scorer.take(start_of(3, true, Side::First));
    scorer.refuse(start_of(3, true, Side::First), Invalid::Started);
    scorer.refuse(points(Side::Second, 1), Invalid::NotAtTable(Side::Second));
    scorer.refuse(end_inning(Side::Second), Invalid::NotAtTable(Side::Second));
    scorer.refuse(points(Side::First, 4), Invalid::BeyondTarget { left: 3 });
    scorer.refuse(shootout(Side::First, 1), Invalid::NoShootout);
    scorer.take(points(Side::First, 3));
    // The target ended the inning: a scorer who says so again must not end the opponent's.
    scorer.refuse(end_inning(Side::First), Invalid::NotAtTable(Side::First));
    scorer.take(points(Side::Second, 3));
    scorer.refuse(points(Side::First, 1), Invalid::Shootout);
    scorer.take(shootout(Side::First, 1));
    scorer.take(shootout(Side::Second, 0));
    for action in [points(Side::First, 1), end_inning(Side::Second), shootout(Side::First, 1)] {
        scorer.refuse(action, Invalid::Finished);
    }
    scorer.refuse(Action::End { winner: Some(Side::Second), code: None }, Invalid::Winner);
    scorer.refuse(Action::End { winner: None, code: None }, Invalid::Winner);
    scorer.take(Action::End { winner: Some(Side::First), code: None });
    scorer.refuse(Action::End { winner: Some(Side::First), code: None }, Invalid::Finished);
}

#[test]
fn a_match_can_end_before_the_target() {
    for winner in [None, Some(Side::Second)] {
        let mut scorer = Scorer::new(40, true);
        scorer.innings(&both(&[(3, 1)]));
        let state = scorer.take(Action::End { winner, code: Some("forfeit".into()) });
        assert_eq!((state.phase, state.at_table, state.winner), (Phase::Finished, None, winner));
        assert_eq!(state.sides.map(|s| s.points), [3, 1]);
    }
}
