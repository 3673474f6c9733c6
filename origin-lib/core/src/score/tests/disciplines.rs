//! A worked match of each discipline.

use super::*;

const A: Side = Side::First;
const B: Side = Side::Second;

fn of_figure(side: Side, points: i32, code: &str) -> Action {
    Action::Points { side, points, code: Some(code.into()) }
}

/// What is won: sets, racks or frames of both.
fn won(state: &State) -> [u32; 2] {
    state.sides.map(|side| side.won.unwrap())
}

/// A set in which `winner` makes a run to `target` in its first inning; `begins` is at the table.
#[track_caller]
fn set(scorer: &mut Scorer, begins: Side, winner: Side, target: i32) -> State {
    if begins != winner {
        scorer.take(points(begins, 2));
        scorer.take(end_inning(begins));
    }
    scorer.take(points(winner, target))
}

#[test]
fn three_cushion_in_sets() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets"}));
    let state = scorer.state();
    assert_eq!((state.unit, state.breaks, state.at_table), (Some(1), Some(A), Some(A)));
    let state = set(&mut scorer, A, B, 15);
    assert_eq!((state.phase, won(&state)), (Phase::Between, [0, 1]));
    // The set's score stays in sight, and the one who did not begin it is next.
    assert_eq!((state.sides.map(|side| side.points), state.at_table), ([2, 15], Some(B)));
    scorer.refuse(points(A, 1), Invalid::NotAtTable(A));
    let state = scorer.take(points(B, 3));
    assert_eq!((state.phase, state.unit, state.breaks), (Phase::Playing, Some(2), Some(B)));
    assert_eq!(state.sides.map(|side| (side.points, side.run, side.innings)), [(0, 0, 0), (3, 3, 1)]);
    // High run and average are the match's.
    assert_eq!(state.sides.map(|side| side.total_points), [Some(2), Some(18)]);
    assert_eq!(figures(&state).map(|(_, _, high_run, average)| (high_run, average)), [(2, 2000), (15, 9000)]);
    scorer.take(end_inning(B));
    assert_eq!(won(&scorer.take(points(A, 15))), [1, 1]);
    for (begins, winner, after) in [(A, A, [2, 1]), (B, A, [3, 1]), (A, B, [3, 2]), (B, B, [3, 3])] {
        assert_eq!(won(&set(&mut scorer, begins, winner, 15)), after);
    }
    // Whoever wins the seventh has won: it is to 11.
    scorer.take(points(A, 10));
    scorer.refuse(points(A, 2), Invalid::BeyondTarget { left: 1 });
    let state = scorer.take(points(A, 1));
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(A), [4, 3]));
    assert_eq!((state.unit, state.sides[0].points), (Some(7), 11));
    // 2, 15, 15, 15, 2, 11; and 15, 3, 2, 15, 15.
    assert_eq!(
        state.sides.map(|side| side.total_points.zip(side.total_innings)),
        [Some((60, 6)), Some((50, 5))]
    );
    assert_eq!(state.sides.map(|side| side.average_milli), [10_000, 10_000]);
    scorer.refuse(points(B, 1), Invalid::Finished);
}

#[test]
fn three_cushion_with_an_extension() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion","target":2,
        "rules":{"tie":{"extension":{"innings":2}}}}));
    scorer.innings(&both(&[(2, 2)]));
    let state = scorer.state();
    assert_eq!((state.phase, state.at_table), (Phase::Extension, Some(A)));
    assert_eq!(state.sides.map(|side| side.extension), [Some(0), Some(0)]);
    scorer.refuse(shootout(A, 1), Invalid::NoShootout);
    scorer.refuse(points(B, 1), Invalid::NotAtTable(B));
    scorer.take(points(A, 3));
    scorer.refuse(points(A, -4), Invalid::BelowZero { run: 3 });
    scorer.take_all([end_inning(A), points(B, 1), end_inning(B), end_inning(A), points(B, 2)]);
    // Two innings of both: level, so two more.
    assert_eq!(scorer.take(end_inning(B)).phase, Phase::Extension);
    scorer.take_all([end_inning(A), points(B, 1), end_inning(B), end_inning(A)]);
    let state = scorer.take(end_inning(B));
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(B)));
    assert_eq!(state.sides.map(|side| side.extension), [Some(3), Some(4)]);
    assert_eq!(figures(&state), [(2, 1, 2, 2000), (2, 1, 2, 2000)], "an extension counts for no average");
}

#[test]
fn three_cushion_with_a_limit_of_innings_and_a_handicap() {
    let start = json!({"discipline":"three-cushion","target":[40, 20],"equalising_inning":false,
        "rules":{"innings_max":3,"tie":"draw"}});
    let mut scorer = Scorer::of(start.clone());
    // 11 of 40 is more than 5 of 20.
    scorer.innings(&both(&[(5, 2), (5, 2), (1, 1)]));
    assert_eq!((scorer.state().phase, scorer.state().winner), (Phase::Finished, Some(A)));
    let mut scorer = Scorer::of(start.clone());
    scorer.innings(&both(&[(4, 2), (4, 2), (2, 1)]));
    assert_eq!((scorer.state().phase, scorer.state().winner), (Phase::Finished, None), "10 of 40 is 5 of 20");
    let mut scorer = Scorer::of(start);
    scorer.take(end_inning(A));
    assert_eq!(scorer.take(points(B, 20)).winner, Some(B));
}

#[test]
fn a_break_at_half_and_balls_that_change() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion","target":[41, 30],"white":1,
        "rules":{"break_at_half":true,"swap_balls":"half"}}));
    let balls = |state: &State| state.sides.map(|side| side.ball.unwrap());
    assert_eq!(balls(&scorer.state()), [Ball::Yellow, Ball::White]);
    scorer.innings(&both(&[(20, 14)]));
    assert!(!scorer.state().break_due);
    let state = scorer.take(points(A, 1));
    assert!(!state.break_due, "the inning is not over");
    let state = scorer.take_all([end_inning(A), end_inning(B)]);
    assert_eq!((state.break_due, balls(&state)), (true, [Ball::White, Ball::Yellow]));
    let state = scorer.take(Action::Pause { code: Some("half".into()) });
    assert_eq!((state.break_due, state.paused.unwrap().code.as_deref()), (false, Some("half")));
    let state = scorer.take(points(A, 1));
    assert_eq!((state.paused, state.break_due), (None, false), "whoever plays does not rest");
    // The other's half is no second break.
    let state = scorer.take_all([end_inning(A), points(B, 10), end_inning(B)]);
    assert_eq!((state.break_due, balls(&state)), (false, [Ball::White, Ball::Yellow]));
}

#[test]
fn straight_rail_balkline_and_one_cushion() {
    let mut scorer = Scorer::of(json!({"discipline":"straight-rail"}));
    let state = scorer.take(points(A, 400));
    assert_eq!((state.at_table, state.sides[0].average_milli), (Some(B), 400_000));
    // A run as long as the match, entered as two events.
    scorer.take(points(B, 399));
    let state = scorer.take(points(B, 1));
    assert_eq!((state.phase, state.winner), (Phase::Finished, None), "a drawn match");
    assert_eq!(figures(&state), [(400, 1, 400, 400_000); 2]);

    let mut scorer = Scorer::of(json!({"discipline":"balkline","variant":"47/2","target":[250, 200]}));
    scorer.innings(&both(&[(120, 0), (99, 65)]));
    let state = scorer.take_all([end_inning(A), points(B, 135)]);
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(B)));
    assert_eq!(figures(&state), [(219, 3, 120, 73_000), (200, 3, 135, 66_666)]);
    assert_eq!(document(&scorer.0).variant.as_deref(), Some("47/2"));

    let mut scorer = Scorer::of(json!({"discipline":"one-cushion"}));
    scorer.innings(&[(61, Some(30)), (64, Some(94))]);
    assert_eq!((scorer.state().winner, scorer.state().sides[1].points), (Some(A), 124));
}

#[test]
fn artistique_is_played_figure_by_figure() {
    let figures = json!([{"code":"A01","points":4},{"code":"B07","points":8},{"code":"C03","points":11}]);
    let mut scorer = Scorer::of(json!({"discipline":"artistique","figures":figures,
        "rules":{"length":{"best_of":3},"innings_max":3}}));
    let state = scorer.take(of_figure(A, 4, "A01"));
    assert_eq!((state.at_table, state.sides[0].points), (Some(B), 4), "a figure is a turn");
    scorer.refuse(of_figure(B, 3, "A01"), Invalid::FigurePoints { points: 4 });
    scorer.refuse(of_figure(B, 4, "A02"), Invalid::NoFigure);
    scorer.refuse(points(B, 4), Invalid::NoFigure);
    scorer.take(of_figure(B, 0, "A01"));
    scorer.take_all([of_figure(A, 0, "B07"), of_figure(B, 8, "B07"), of_figure(A, 11, "C03")]);
    let state = scorer.take(of_figure(B, 0, "C03"));
    assert_eq!((state.phase, won(&state), state.at_table), (Phase::Between, [1, 0], Some(B)));
    // The second set ends early, and is drawn; the third one decides.
    scorer.take_all([of_figure(B, 8, "B07"), of_figure(A, 8, "B07")]);
    let state = scorer.take(end_unit(None));
    assert_eq!((state.phase, won(&state), state.at_table), (Phase::Between, [1, 0], Some(A)));
    scorer.refuse(end_unit(None), UnitError::Over);
    scorer.take_all([end_inning(A), of_figure(B, 4, "A01")]);
    let state = scorer.take(end_unit(None));
    // One each: another set has to bring the decision.
    assert_eq!((state.phase, won(&state)), (Phase::Between, [1, 1]));
    scorer.take_all([of_figure(B, 0, "A01"), of_figure(A, 4, "A01")]);
    let state = scorer.take(end_unit(None));
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(A), [2, 1]));
}

#[test]
fn five_pins_gives_fouls_to_the_opponent() {
    let mut scorer =
        Scorer::of(json!({"discipline":"five-pins","target":20,"rules":{"length":{"best_of":3}}}));
    scorer.take(points(A, 12));
    let state = scorer.take(foul(B, 2));
    assert_eq!(state.sides.map(|side| (side.points, side.fouls)), [(14, 0), (0, 1)]);
    let first = state.sides[0];
    assert_eq!((state.at_table, first.run, first.high_run), (Some(A), 0, 12), "points of a foul are no run");
    // The last shot of a set may bring more than it needs.
    let state = scorer.take(points(A, 10));
    assert_eq!((state.phase, won(&state), state.sides[0].points), (Phase::Between, [1, 0], 24));
    // Every shot is a turn, also one without a point, however it is entered.
    assert_eq!(scorer.take(points(B, 0)).at_table, Some(A));
    assert_eq!(scorer.take(end_inning(A)).at_table, Some(B));
    scorer.take_all([points(B, 18), points(A, 4)]);
    // Whoever does not play can foul as well.
    let state = scorer.take(foul(A, 2));
    assert_eq!((state.phase, won(&state), state.sides[1].points), (Phase::Between, [1, 1], 20));
}

#[test]
fn a_foul_can_win_the_set_for_the_opponent() {
    let mut scorer =
        Scorer::of(json!({"discipline":"five-pins","target":20,"rules":{"length":{"best_of":3}}}));
    scorer.take_all([points(A, 4), points(B, 18)]);
    let state = scorer.take(foul(A, 2));
    assert_eq!((state.phase, won(&state)), (Phase::Between, [0, 1]));
    assert_eq!(state.sides.map(|side| side.points), [4, 20]);
    let state = scorer.take_all([points(B, 18), foul(A, 6)]);
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(B)));
    assert_eq!(state.sides[1].total_points, Some(44));
}

#[test]
fn straight_pool_deducts_and_racks_anew() {
    let mut scorer = Scorer::of(json!({"discipline":"straight-pool","target":30}));
    // A foul with the first break, and the opponent makes the breaker break again.
    let state = scorer.take(foul(A, 2));
    assert_eq!((state.sides[0].points, state.at_table, state.sides[0].average_milli), (-2, Some(B), -2000));
    let state = scorer.take(turn(A));
    assert_eq!((state.at_table, state.sides.map(|side| side.innings)), (Some(A), [2, 0]));
    scorer.refuse(turn(A), Invalid::AtTable(A));
    scorer.take(foul(A, 1));
    let state = scorer.take_all([end_inning(B), foul(A, 16)]);
    assert_eq!((state.sides[0].points, state.sides[0].fouls_in_row), (-19, 3));
    let state = scorer.take(Action::Rerack {});
    assert_eq!((state.rack, state.at_table), (Some(2), Some(B)));
    let state = scorer.take(points(B, 13));
    assert_eq!((state.rack, state.sides[1].run), (Some(2), 13));
    assert_eq!(scorer.take(points(B, 1)).rack, Some(3));
    assert_eq!(scorer.take(points(B, -1)).rack, Some(2), "a ball that was none");
    // A safety of a side that had fouled: its row is broken.
    let state = scorer.take_all([end_inning(B), end_inning(A)]);
    assert_eq!((state.sides[0].fouls, state.sides[0].fouls_in_row), (3, 0));
    scorer.refuse(points(B, 18), Invalid::BeyondTarget { left: 17 });
    let state = scorer.take(points(B, 17));
    assert_eq!((state.phase, state.winner, state.rack), (Phase::Finished, Some(B), Some(4)));
    assert_eq!(figures(&state), [(-19, 4, 0, -4750), (30, 3, 17, 10_000)]);
    scorer.refuse(end_unit(Some(B)), UnitError::None);
}

#[test]
fn racks_of_pool_are_raced_for() {
    let mut scorer = Scorer::of(json!({"discipline":"eight-ball","rules":{"length":{"race_to":[3, 2]}}}));
    let state = scorer.state();
    assert_eq!((state.at_table, state.breaks, state.inning), (None, Some(A), 0));
    scorer.refuse(points(A, 1), Invalid::Unpointed);
    scorer.refuse(end_inning(A), Invalid::Uncounted);
    scorer.refuse(end_unit(None), UnitError::NoWinner);
    scorer.refuse(foul(A, 1), Invalid::FoulPoints);
    let state = scorer.take_all([foul(A, 0), turn(B)]);
    assert_eq!((state.at_table, state.sides[0].fouls), (Some(B), 1));
    let state = scorer.take(end_unit(Some(B)));
    assert_eq!(
        (state.phase, state.at_table, won(&state)),
        (Phase::Between, Some(B), [0, 1]),
        "breaks alternate"
    );
    assert_eq!(state.sides[0].total_points, None);
    let state = scorer.take(Action::BeginUnit { breaks: B });
    assert_eq!((state.unit, state.breaks, state.sides[0].fouls), (Some(2), Some(B), 0));
    scorer.refuse(Action::BeginUnit { breaks: B }, UnitError::Playing);
    // Who enters nothing but racks need not say that one begins.
    scorer.take_all([end_unit(Some(A)), end_unit(Some(A))]);
    assert_eq!(scorer.state().phase, Phase::Between);
    let state = scorer.take(end_unit(Some(B)));
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(B), [2, 2]));

    // The winner breaks, the loser breaks, or they lag.
    for (begins, next) in [("winner", Some(A)), ("loser", Some(B)), ("alternate", Some(B)), ("called", None)]
    {
        let mut scorer = Scorer::of(json!({"discipline":"nine-ball","rules":{"begins":begins}}));
        let state = scorer.take(end_unit(Some(A)));
        assert_eq!((state.phase, state.at_table), (Phase::Between, next), "{begins}");
        if next.is_none() {
            scorer.refuse(end_unit(Some(A)), UnitError::WhoBegins);
            scorer.take(Action::BeginUnit { breaks: B });
        }
        let state = scorer.take(end_unit(Some(A)));
        assert_eq!((state.breaks, won(&state)), (Some(next.unwrap_or(B)), [2, 0]), "{begins}");
    }

    let mut scorer = Scorer::of(json!({"discipline":"ten-ball"}));
    let state = scorer.take_all((0..9).map(|_| end_unit(Some(B))));
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(B), [0, 9]));
}

#[test]
fn snooker_in_frames() {
    let mut scorer = Scorer::of(json!({"discipline":"snooker","rules":{"length":{"best_of":3}}}));
    // A break of a red and a black, a miss, a foul, and the one who fouled plays again.
    let state = scorer.take_all([points(A, 1), points(A, 7), end_inning(A), foul(B, 4)]);
    assert_eq!(state.sides.map(|side| (side.points, side.run)), [(12, 0), (0, 0)]);
    assert_eq!((state.sides[0].high_run, state.at_table), (8, Some(A)));
    let state = scorer.take(turn(B));
    assert_eq!((state.at_table, state.sides.map(|side| side.innings)), (Some(B), [1, 2]));
    let state = scorer.take_all([points(B, 1), points(B, 4), points(B, 1), points(B, 6)]);
    assert_eq!((state.sides[1].run, state.sides[1].points), (12, 12));
    scorer.refuse(end_unit(None), UnitError::NoWinner);
    // The black is spotted again.
    scorer.take(points(B, 7));
    let state = scorer.take(end_unit(None));
    assert_eq!((state.phase, won(&state), state.at_table), (Phase::Between, [0, 1], Some(B)));
    // A frame that its loser concedes; one that is awarded whatever the points say.
    scorer.take_all([points(B, 1), end_inning(B), points(A, 1)]);
    assert_eq!(won(&scorer.take(end_unit(Some(A)))), [1, 1]);
    let state = scorer.take_all([points(A, 147), end_inning(A), end_unit(Some(B))]);
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(B), [1, 2]));
    assert_eq!((state.sides[0].high_run, state.sides[0].total_points), (147, Some(160)));
    let units = document(&scorer.0).units;
    let results: Vec<_> = units.iter().map(|unit| (unit.result.winner, unit.result.points)).collect();
    assert_eq!(results, [(Some(B), [12, 19]), (Some(A), [1, 1]), (Some(B), [147, 0])]);
}

#[test]
fn an_even_number_of_frames_can_be_level() {
    let play = |level: &str| {
        let rules = json!({"length":{"best_of":2},"level":level});
        let mut scorer = Scorer::of(json!({"discipline":"snooker","rules":rules}));
        scorer.take_all([end_unit(Some(A)), points(B, 1), end_unit(None)]);
        scorer
    };
    let state = play("draw").state();
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, None, [1, 1]));
    let mut scorer = play("extra_unit");
    assert_eq!(scorer.state().phase, Phase::Between);
    let state = scorer.take_all([points(A, 1), end_unit(None)]);
    assert_eq!((state.phase, state.winner, won(&state)), (Phase::Finished, Some(A), [2, 1]));
}

#[test]
fn a_match_that_never_ends_is_bounded() {
    let mut scorer = Scorer::of(json!({"discipline":"artistique","rules":{"length":{"race_to":1}}}));
    let drawn = |side: Side| [points(side, 1), points(side.other(), 1), end_unit(None)];
    for (_, side) in (0..UNITS_MAX).zip([A, B].into_iter().cycle()) {
        scorer.take_all(drawn(side));
    }
    scorer.refuse(points(B, 1), UnitError::Full);
    assert_eq!(scorer.state().unit, Some(UNITS_MAX));
    assert_eq!(document(&scorer.0).check(), Ok(()));
    assert_eq!(scorer.take(end(None)).phase, Phase::Finished);
}

#[test]
fn two_sides_and_points() {
    let mut scorer = Scorer::of(json!({"discipline":"points"}));
    let state = scorer.take_all([points(A, 3), points(B, 2), points(B, 2), foul(B, 1)]);
    assert_eq!(figures(&state), [(4, 0, 0, 0), (4, 0, 0, 0)]);
    assert_eq!((state.inning, state.at_table), (0, None));
    scorer.refuse(points(A, -5), Invalid::BelowNothing(A));
    let state = scorer.take_all([points(A, -4), turn(A)]);
    assert_eq!((state.sides[0].points, state.at_table), (0, Some(A)));
    assert_eq!(document(&scorer.0).target, None);
    let state = scorer.take(end(Some(B)));
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(B)));

    let mut scorer = Scorer::of(json!({"discipline":"points","target":11,"rules":{"head_start":[0, 8]}}));
    scorer.take(points(A, 10));
    let state = scorer.take(points(B, 4));
    assert_eq!((state.phase, state.winner, state.sides[1].points), (Phase::Finished, Some(B), 12));
}
