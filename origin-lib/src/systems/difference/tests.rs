use railbird_core::score::{Discipline, Player, Start};

use super::*;

fn mapping(discipline: Discipline) -> Mapping {
    let pointer = |text: &str| text.parse().unwrap();
    Mapping {
        discipline,
        r#match: pointer("/id"),
        names: ["/a", "/b"].map(pointer),
        points: ["/pa", "/pb"].map(pointer),
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
        names: ["A", "B"].map(String::from),
        points,
        inning: turn.map(|(inning, _)| inning),
        at_table: turn.map(|(_, side)| side),
        target: None,
        finished: false,
    }
}

/// The log after these states, each told twice.
fn follow(discipline: Discipline, states: &[Seen]) -> Log {
    let mapping = mapping(discipline);
    let mut log = Log::new();
    for seen in states {
        log = log.clone().with(events(&mapping, &log, seen, UtcMs(1)).unwrap()).unwrap();
        assert_eq!(
            events(&mapping, &log, seen, UtcMs(2)),
            Ok(Vec::new()),
            "the same again is nothing: {seen:?}"
        );
        assert_eq!(log.state().unwrap().sides.map(|side| side.points), seen.points);
    }
    log
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

/// A seeded source of plays.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn whatever_is_played_or_undone_between_two_looks_the_score_is_theirs() {
    let mapping = mapping(Discipline::ThreeCushion);
    let (mut told, mut taken) = (0, 0);
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let sides = ["A", "B"].map(|name| Player { name: name.into(), country: None });
        let start = Start::new("F".into(), Discipline::ThreeCushion, sides, Side::First);
        let event = |action| Event { occurred: UtcMs(1), entered: None, scorer: None, action, state: None };
        let (mut theirs, _) = Log::new().entered(1, event(Action::Start(start))).unwrap();
        let mut ours = Log::new();
        for _ in 0..40 {
            for _ in 0..dice.below(4) {
                let state = theirs.state().unwrap();
                let Some(side) = state.at_table else { break };
                let action = match (dice.below(6), theirs.undoable()) {
                    (0, Some((at, _))) if at.seq > 1 => undo(at),
                    (1..=2, _) => Action::EndInning { side },
                    _ => {
                        Action::Points { side, points: i32::try_from(1 + dice.below(3)).unwrap(), code: None }
                    }
                };
                // What the rules refuse is not played.
                if let Ok((next, _)) = theirs.entered(1, event(action)) {
                    theirs = next;
                }
            }
            let state = theirs.state().unwrap();
            let (Some(side), Phase::Playing) = (state.at_table, state.phase) else { break };
            let seen = seen(state.sides.map(|side| side.points), Some((state.inning, side)));
            // Points that moved to another inning can't always be told from two totals: then it is refused, never wrong.
            told += 1;
            let Ok(found) = events(&mapping, &ours, &seen, UtcMs(1)) else { continue };
            taken += 1;
            ours = ours.with(found).unwrap();
            let own = ours.state().unwrap();
            assert_eq!(own.sides.map(|side| side.points), seen.points, "seed {seed}");
            assert_eq!((own.inning, own.at_table), (state.inning, Some(side)), "seed {seed}");
            assert_eq!(events(&mapping, &ours, &seen, UtcMs(1)), Ok(Vec::new()), "seed {seed}");
        }
    }
    assert!(taken * 10 > told * 9, "{taken} of {told} states were taken");
}
