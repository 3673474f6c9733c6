use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::score::foreign::Pointer;
use crate::score::model::{PerSide, Player, Start};
use crate::score::rules::{Discipline, Length, Unit};

fn mapping(discipline: Discipline) -> Mapping {
    let pointer = |text: &str| text.parse::<Pointer>().unwrap();
    Mapping {
        discipline,
        r#match: pointer("/id"),
        names: ["/a", "/b"].map(pointer),
        countries: None,
        points: Some(["/pa", "/pb"].map(pointer)),
        units: None,
        best_of: None,
        race_to: None,
        shootout: None,
        inning: None,
        at_table: None,
        at_table_is: ["0", "1"].map(String::from),
        target: None,
        finished: None,
    }
}

fn seen(points: [i32; 2], turn: Option<(u32, Side)>) -> Seen {
    Seen {
        r#match: "m".parse().unwrap(),
        players: ["A", "B"].map(|name| Player { name: name.into(), country: None }),
        points,
        units: None,
        length: None,
        shootout: [None, None],
        inning: turn.map(|(inning, _)| inning),
        at_table: turn.map(|(_, side)| side),
        target: None,
        finished: false,
    }
}

/// A state of a match in sets, racks or frames.
fn in_units(points: [i32; 2], units: [u32; 2]) -> Seen {
    Seen { units: Some(units), length: Some(Length::BestOf(3)), ..seen(points, None) }
}

/// The log after one more state, told twice.
fn after(mapping: &Mapping, log: &Log, seen: &Seen) -> Log {
    let found = events(mapping, log, seen, UtcMs(1)).unwrap_or_else(|error| panic!("{seen:?}: {error}"));
    let log = log.clone().with(found).unwrap();
    assert_eq!(events(mapping, &log, seen, UtcMs(2)), Ok(Vec::new()), "the same again is nothing: {seen:?}");
    log
}

/// The log after these states, each told twice.
fn follow(discipline: Discipline, states: &[Seen]) -> Log {
    let mapping = mapping(discipline);
    let mut log = Log::new();
    for seen in states {
        log = after(&mapping, &log, seen);
        assert_eq!(log.state().unwrap().sides.map(|side| side.points), seen.points);
    }
    log
}

/// What a match has come to: phase, number of the unit, units won and points.
fn standing(log: &Log) -> (Phase, Option<u32>, [u32; 2], [i32; 2]) {
    let state = log.state().unwrap();
    (state.phase, state.unit, Side::BOTH.map(|side| won(&state, side)), points(&state))
}

#[test]
fn points_alone_are_enough() {
    let log = follow(
        Discipline::Points,
        &[seen([0, 0], None), seen([4, 1], None), seen([2, 1], None), seen([2, 7], None)],
    );
    assert_eq!(log.last().unwrap().seq, 5);
    let log = follow(Discipline::ThreeCushion, &[seen([3, 0], None), seen([3, 2], None), seen([4, 2], None)]);
    assert_eq!(log.state().unwrap().inning, 2);
}

#[test]
fn a_turn_that_was_ended_wrongly_is_undone() {
    use Side::{First, Second};
    let log = follow(
        Discipline::ThreeCushion,
        &[
            seen([3, 0], Some((1, First))),
            seen([3, 1], Some((1, Second))),
            seen([3, 0], Some((1, First))),
            seen([4, 0], Some((1, First))),
        ],
    );
    assert_eq!(log.state().unwrap().sides[0].run, 4, "it is one run");
}

#[test]
fn an_end_that_was_none_is_taken_back() {
    let over = Seen { finished: true, ..seen([3, 1], None) };
    let log = follow(Discipline::ThreeCushion, &[over, seen([3, 2], None)]);
    assert_eq!(log.state().unwrap().phase, Phase::Playing);
}

#[test]
fn who_has_reached_the_target_may_be_at_the_table_until_the_opponent_plays() {
    let mapping = Mapping { target: Some("/target".parse().unwrap()), ..mapping(Discipline::ThreeCushion) };
    let to_ten = |points, turn, finished| Seen { target: Some(10), finished, ..seen(points, turn) };
    // The equalising inning is the opponent's.
    for with_innings in [true, false] {
        let mut log = Log::new();
        for (points, turn, finished) in [
            ([7, 4], (2, Side::First), false),
            ([10, 4], (2, Side::First), false),
            ([10, 4], (2, Side::Second), false),
            ([10, 6], (2, Side::Second), false),
            ([10, 6], (2, Side::Second), true),
        ] {
            let mut seen = to_ten(points, Some(turn), finished);
            seen.inning = seen.inning.filter(|_| with_innings);
            log = after(&mapping, &log, &seen);
            let state = log.state().unwrap();
            let is_over = if finished { Phase::Finished } else { Phase::Playing };
            assert_eq!((super::points(&state), state.phase), (points, is_over), "{seen:?}");
        }
    }
    // There is none of it where the one who began second gets there, and the match ends.
    let mut log = after(&mapping, &Log::new(), &to_ten([7, 4], Some((2, Side::Second)), false));
    log = after(&mapping, &log, &to_ten([7, 10], Some((2, Side::Second)), false));
    assert_eq!(log.state().unwrap().winner, Some(Side::Second));
    after(&mapping, &log, &to_ten([7, 10], Some((2, Side::Second)), true));
    // Once the opponent has had his turn, it is not theirs any more.
    let played = after(&mapping, &Log::new(), &to_ten([7, 4], Some((2, Side::First)), false));
    let played = after(&mapping, &played, &to_ten([10, 4], Some((2, Side::Second)), false));
    let played = after(&mapping, &played, &to_ten([10, 6], Some((2, Side::Second)), false));
    assert!(events(&mapping, &played, &to_ten([10, 6], Some((2, Side::First)), false), UtcMs(1)).is_err());
}

#[test]
fn the_next_match_takes_nothing_from_the_one_before_under_its_id() {
    let mapping = mapping(Discipline::Points);
    let over = Seen { finished: true, ..seen([10, 6], None) };
    let log = after(&mapping, &after(&mapping, &Log::new(), &seen([10, 6], None)), &over);
    let refused = |log: &Log, seen: &Seen| {
        let refused = events(&mapping, log, seen, UtcMs(1)).unwrap_err().to_string();
        assert!(refused.contains("another match needs another id"), "{refused}");
    };
    refused(&log, &seen([0, 0], None));
    refused(&log, &Seen { finished: true, ..seen([0, 0], None) });
    let mut others = over.clone();
    others.players[1].name = "C".into();
    refused(&log, &others);
    // An end that was none is still taken back.
    after(&mapping, &log, &seen([9, 6], None));
    // So with sets.
    let sets = Mapping {
        units: Some(["/sa", "/sb"].map(|p| p.parse().unwrap())),
        ..self::mapping(Discipline::ThreeCushionSets)
    };
    let mut log = Log::new();
    for seen in [in_units([15, 3], [1, 0]), Seen { finished: true, ..in_units([15, 9], [2, 0]) }] {
        log = after(&sets, &log, &seen);
    }
    assert_eq!(log.state().unwrap().phase, Phase::Finished);
    assert!(events(&sets, &log, &in_units([0, 0], [0, 0]), UtcMs(1)).is_err());
}

#[test]
fn what_no_events_lead_to_and_what_a_person_took_over_is_refused() {
    let mapping = mapping(Discipline::ThreeCushion);
    let log = follow(Discipline::ThreeCushion, &[seen([3, 0], None), seen([3, 2], None)]);
    for (state, said) in [
        (seen([41, 2], None), "points are left"),
        (seen([3, 2], Some((500, Side::First))), "more than 200 events"),
    ] {
        let error = events(&mapping, &log, &state, UtcMs(1)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let event = Event {
        occurred: UtcMs(1),
        entered: None,
        scorer: None,
        action: Action::Pause { code: None },
        state: None,
    };
    let (log, _) = log.entered(2, event).unwrap();
    assert_eq!(events(&mapping, &log, &seen([3, 2], None), UtcMs(1)), Err(Unreached::TakenOver(2)));
}

#[test]
fn sets_end_by_their_points_whatever_is_shown_behind_them() {
    let mapping = mapping(Discipline::ThreeCushionSets);
    let mut log = Log::new();
    for (state, expected) in [
        (in_units([3, 0], [0, 0]), (Phase::Playing, Some(1), [0, 0], [3, 0])),
        // The last points are shown before the set is counted, then with it, then none.
        (in_units([15, 4], [0, 0]), (Phase::Between, Some(1), [1, 0], [15, 4])),
        (in_units([15, 4], [1, 0]), (Phase::Between, Some(1), [1, 0], [15, 4])),
        (in_units([0, 0], [1, 0]), (Phase::Between, Some(1), [1, 0], [15, 4])),
        (in_units([0, 6], [1, 0]), (Phase::Playing, Some(2), [1, 0], [0, 6])),
        // The set is counted, and its last points were never shown.
        (in_units([0, 0], [1, 1]), (Phase::Between, Some(2), [1, 1], [0, 15])),
        (in_units([10, 2], [1, 1]), (Phase::Playing, Some(3), [1, 1], [10, 2])),
        // The one that decides is shorter.
        (in_units([11, 2], [2, 1]), (Phase::Finished, Some(3), [2, 1], [11, 2])),
    ] {
        log = after(&mapping, &log, &state);
        assert_eq!(standing(&log), expected, "{state:?}");
    }
    let over = Seen { finished: true, ..in_units([0, 0], [2, 1]) };
    assert_eq!(events(&mapping, &log, &over, UtcMs(3)), Ok(Vec::new()));
    assert_eq!(log.state().unwrap().winner, Some(Side::First));
    let more = events(&mapping, &log, &in_units([0, 0], [3, 1]), UtcMs(3)).unwrap_err().to_string();
    assert!(more.contains("the match is over"), "{more}");
}

#[test]
fn a_set_that_was_none_is_taken_back() {
    let mapping = mapping(Discipline::ThreeCushionSets);
    let mut log = Log::new();
    for (state, expected) in [
        (in_units([15, 4], [1, 0]), (Phase::Between, Some(1), [1, 0], [15, 4])),
        (in_units([14, 4], [0, 0]), (Phase::Playing, Some(1), [0, 0], [14, 4])),
        (in_units([2, 0], [1, 0]), (Phase::Playing, Some(2), [1, 0], [2, 0])),
        (in_units([1, 0], [1, 0]), (Phase::Playing, Some(2), [1, 0], [1, 0])),
        (in_units([15, 5], [0, 0]), (Phase::Between, Some(1), [1, 0], [15, 5])),
    ] {
        log = after(&mapping, &log, &state);
        assert_eq!(standing(&log), expected, "{state:?}");
    }
}

#[test]
fn racks_have_no_points_and_frames_end_with_those_that_they_have() {
    let pool = mapping(Discipline::NineBall);
    let mut log = Log::new();
    for (units, expected) in [
        ([0, 0], Phase::Playing),
        ([0, 1], Phase::Between),
        ([1, 1], Phase::Between),
        // The first one was another's.
        ([1, 0], Phase::Between),
        ([2, 0], Phase::Finished),
    ] {
        let length = Some(Length::RaceTo(PerSide::Both(2)));
        log = after(&pool, &log, &Seen { length, ..in_units([0, 0], units) });
        let (phase, _, won, _) = standing(&log);
        assert_eq!((phase, won), (expected, units));
    }
    let snooker = mapping(Discipline::Snooker);
    let mut log = Log::new();
    for (state, expected) in [
        (in_units([0, 41], [0, 0]), (Phase::Playing, Some(1), [0, 0], [0, 41])),
        (in_units([8, 66], [0, 1]), (Phase::Between, Some(1), [0, 1], [8, 66])),
        (in_units([0, 0], [0, 1]), (Phase::Between, Some(1), [0, 1], [8, 66])),
        (in_units([7, 0], [0, 1]), (Phase::Playing, Some(2), [0, 1], [7, 0])),
        (in_units([0, 1], [1, 1]), (Phase::Playing, Some(3), [1, 1], [0, 1])),
    ] {
        log = after(&snooker, &log, &state);
        assert_eq!(standing(&log), expected, "{state:?}");
    }
}

#[test]
fn a_shootout_decides_turn_by_turn() {
    let mapping = mapping(Discipline::ThreeCushion);
    let at = |points, shootout| Seen { target: Some(2), shootout, ..seen(points, None) };
    let mut log = Log::new();
    let mut shown = Vec::new();
    for state in [
        at([2, 1], [None, None]),
        at([2, 2], [None, None]),
        at([2, 2], [None, Some(1)]),
        // The first turn had one point more; then the other side's brings none.
        at([2, 2], [None, Some(2)]),
        at([2, 2], [Some(0), Some(2)]),
        // It did, and more than the opponent's.
        at([2, 2], [Some(3), Some(2)]),
    ] {
        log = after(&mapping, &log, &state);
        let state = log.state().unwrap();
        shown.push((state.phase, state.sides.map(|side| side.shootout), state.winner));
    }
    assert_eq!(
        shown,
        [
            (Phase::Playing, [None, None], None),
            (Phase::Shootout, [None, None], None),
            (Phase::Shootout, [None, Some(1)], None),
            (Phase::Shootout, [None, Some(2)], None),
            (Phase::Finished, [Some(0), Some(2)], Some(Side::Second)),
            (Phase::Finished, [Some(3), Some(2)], Some(Side::First)),
        ]
    );
    // They call it finished while ours goes on: by the shootout as they have it.
    let level = at([2, 2], [Some(1), Some(1)]);
    let log = after(&mapping, &log, &level);
    assert_eq!(log.state().unwrap().phase, Phase::Shootout);
    let log = after(&mapping, &log, &Seen { finished: true, ..at([2, 2], [Some(1), Some(2)]) });
    assert_eq!(
        (log.state().unwrap().phase, log.state().unwrap().winner),
        (Phase::Finished, Some(Side::Second))
    );
}

/// A seeded source of plays.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What is played of a match, in looks of a few events each: how many states were told and taken.
fn looks_at(start: &Start, seed: u64) -> (u32, u32) {
    let mapping = mapping(start.discipline);
    let has_units = start.rules().unit != Unit::Match;
    let mut dice = Dice(seed);
    let event = |action| Event { occurred: UtcMs(1), entered: None, scorer: None, action, state: None };
    let (mut theirs, _) = Log::new().entered(1, event(Action::Start(start.clone()))).unwrap();
    let (mut ours, mut told, mut taken) = (Log::new(), 0, 0);
    for _ in 0..40 {
        for _ in 0..dice.below(4) {
            let state = theirs.state().unwrap();
            let Some(side) = state.at_table else { break };
            let action = match (dice.below(6), theirs.undoable()) {
                (0, Some((at, _))) if at.seq > 1 => undo(at),
                (1..=2, _) => Action::EndInning { side },
                _ => Action::Points { side, points: i32::try_from(1 + dice.below(3)).unwrap(), code: None },
            };
            // What the rules refuse is not played.
            if let Ok((next, _)) = theirs.entered(1, event(action)) {
                theirs = next;
            }
        }
        let state = theirs.state().unwrap();
        if state.phase == Phase::Finished {
            break;
        }
        let seen = Seen {
            units: has_units.then(|| Side::BOTH.map(|side| won(&state, side))),
            length: has_units.then_some(start.rules().length),
            target: start.target.and_then(PerSide::common),
            ..seen(points(&state), state.at_table.map(|side| (state.inning, side)))
        };
        // Points that moved to another inning can't always be told from two totals: then it is refused, never wrong.
        told += 1;
        let Ok(found) = events(&mapping, &ours, &seen, UtcMs(1)) else { continue };
        taken += 1;
        ours = ours.with(found).unwrap();
        let own = ours.state().unwrap();
        assert!(has_units_of(&own, &seen), "seed {seed}: {own:?} is not {seen:?}");
        if (own.phase, state.phase) == (Phase::Playing, Phase::Playing) {
            assert_eq!(points(&own), seen.points, "seed {seed}");
            assert_eq!((own.inning, own.at_table), (state.inning, state.at_table), "seed {seed}");
        }
        assert_eq!(events(&mapping, &ours, &seen, UtcMs(1)), Ok(Vec::new()), "seed {seed}");
    }
    (told, taken)
}

#[test]
fn whatever_is_played_or_undone_between_two_looks_the_score_is_theirs() {
    let sides = ["A", "B"].map(|name| Player { name: name.into(), country: None });
    let start = |discipline| Start::new("F".into(), discipline, sides.clone(), Side::First);
    let match_to_points = start(Discipline::ThreeCushion);
    let sets = Start { target: Some(PerSide::Both(6)), ..start(Discipline::ThreeCushionSets) };
    for start in [match_to_points, sets] {
        let looks = (0..60).map(|seed| looks_at(&start, seed));
        let (told, taken) = looks.fold((0, 0), |sum, look| (sum.0 + look.0, sum.1 + look.1));
        assert!(taken * 10 > told * 9, "{taken} of {told} states were taken");
    }
}
