use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::time::{MediaTime, UtcMs};

const T0: u64 = 1_795_171_920_000;

fn start_of(target: u32, equalising_inning: bool, breaks: Side) -> Action {
    let player = |name: &str, country: &str| Player { name: name.into(), country: Some(country.into()) };
    Action::Start(Start {
        title: "World Cup final".into(),
        discipline: Discipline::ThreeCushion,
        target,
        equalising_inning,
        sides: [player("Torbjörn Blomdahl", "SE"), player("Dick Jaspers", "NL")],
        breaks,
    })
}

fn points(side: Side, points: i32) -> Action {
    Action::Points { side, points, code: None }
}

fn end_inning(side: Side) -> Action {
    Action::EndInning { side }
}

fn shootout(side: Side, points: u32) -> Action {
    Action::Shootout { side, points }
}

fn undo(seq: u64) -> Action {
    Action::Undo { epoch: None, seq }
}

fn event(seq: u64, action: Action) -> Event {
    Event { occurred: UtcMs(T0 + seq * 1000), entered: None, action, state: None }
}

/// A log under test, which numbers what it is given.
#[derive(Clone, Default)]
struct Scorer(Log);

impl Scorer {
    fn new(target: u32, equalising_inning: bool) -> Scorer {
        let mut scorer = Scorer::default();
        scorer.take(start_of(target, equalising_inning, Side::First));
        scorer
    }

    fn next(&self) -> Position {
        self.0.last().map_or(Position { epoch: 1, seq: 1 }, |p| Position { epoch: p.epoch, seq: p.seq + 1 })
    }

    fn offer(&mut self, action: Action) -> Offer {
        let position = self.next();
        self.0.offer(position, event(position.seq, action), None)
    }

    #[track_caller]
    fn take(&mut self, action: Action) -> State {
        let text = format!("{action:?}");
        assert_eq!(self.offer(action), Offer::Accept, "{text}");
        self.0.state().unwrap()
    }

    #[track_caller]
    fn refuse(&mut self, action: Action, why: Invalid) {
        let (last, state) = (self.0.last(), self.0.state());
        let text = format!("{action:?}");
        assert_eq!(self.offer(action), Offer::Invalid(why), "{text}");
        assert_eq!((self.0.last(), self.0.state()), (last, state));
    }

    /// A whole inning, point by point; at the target the inning ends by itself.
    #[track_caller]
    fn inning(&mut self, side: Side, run: u32) {
        for _ in 0..run {
            self.take(points(side, 1));
        }
        if self.0.state().unwrap().at_table == Some(side) {
            self.take(end_inning(side));
        }
    }

    /// Alternating innings; the first side breaks.
    #[track_caller]
    fn innings(&mut self, runs: &[(u32, Option<u32>)]) {
        for (first, second) in runs {
            self.inning(Side::First, *first);
            if let Some(second) = second {
                self.inning(Side::Second, *second);
            }
        }
    }
}

fn both(runs: &[(u32, u32)]) -> Vec<(u32, Option<u32>)> {
    runs.iter().map(|(a, b)| (*a, Some(*b))).collect()
}

fn figures(state: &State) -> [(u32, u32, u32, u32); 2] {
    state.sides.map(|s| (s.points, s.innings, s.high_run, s.average_milli))
}

/// The published total is split: 6 and 9 after five innings, then inning by inning.
const NELIN_CHO: [(u32, u32); 11] =
    [(1, 2), (0, 3), (2, 0), (3, 1), (0, 3), (16, 2), (3, 14), (3, 3), (7, 1), (0, 6), (5, 5)];

#[test]
fn nelin_cho_2019_point_by_point() {
    let mut scorer = Scorer::new(40, true);
    let mut totals = [0, 0];
    for (inning, (nelin, cho)) in (1..).zip(NELIN_CHO) {
        for (side, run) in [(Side::First, nelin), (Side::Second, cho)] {
            for done in 1..=run {
                let state = scorer.take(points(side, 1));
                *side.of_mut(&mut totals) += 1;
                let shown = side.of(&state.sides);
                assert_eq!((shown.points, shown.run), (*side.of(&totals), done));
                assert_eq!((state.inning, shown.innings), (inning, inning));
                assert_eq!(shown.average_milli, shown.points * 1000 / inning);
            }
            let state = scorer.0.state().unwrap();
            if *side.of(&totals) < 40 {
                assert_eq!(state.at_table, Some(side));
                let state = scorer.take(end_inning(side));
                assert_eq!(side.of(&state.sides).run, run, "the last run stays in sight");
                assert_eq!(state.at_table, Some(side.other()));
            }
        }
        let state = scorer.0.state().unwrap();
        match inning {
            5 => assert_eq!(totals, [6, 9]),
            11 => {}
            // Both sides have played as many innings until the next one begins.
            _ => assert_eq!((state.inning, state.sides[1].innings), (inning + 1, inning)),
        }
    }
    let state = scorer.0.state().unwrap();
    assert_eq!((state.phase, state.at_table, state.winner), (Phase::Shootout, None, None));
    assert_eq!(figures(&state), [(40, 11, 16, 3636), (40, 11, 14, 3636)]);
    assert_eq!(state.sides.map(|s| s.shootout), [None, None]);

    let state = scorer.take(shootout(Side::First, 5));
    assert_eq!((state.phase, state.at_table), (Phase::Shootout, Some(Side::Second)));
    assert_eq!(state.sides.map(|s| s.shootout), [Some(5), None]);
    let state = scorer.take(shootout(Side::Second, 2));
    assert_eq!((state.phase, state.at_table, state.winner), (Phase::Finished, None, Some(Side::First)));
    assert_eq!(state.sides.map(|s| s.shootout), [Some(5), Some(2)]);
    assert_eq!(figures(&state), [(40, 11, 16, 3636), (40, 11, 14, 3636)]);
}

#[test]
fn jaspers_efler_40_0_in_4() {
    let mut scorer = Scorer::new(40, true);
    scorer.innings(&both(&[(5, 0), (11, 0), (2, 0)]));
    let state = scorer.take(points(Side::First, 22));
    assert_eq!(
        (state.phase, state.at_table),
        (Phase::Playing, Some(Side::Second)),
        "the equalising inning is due"
    );
    let state = scorer.take(end_inning(Side::Second));
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)));
    assert_eq!(figures(&state), [(40, 4, 22, 10_000), (0, 4, 0, 0)]);
}

/// `points` in `innings`, the last inning not empty; the published results state no more.
fn spread(points: u32, innings: u32) -> Vec<u32> {
    (0..innings).map(|n| (n + 1) * points / innings - n * points / innings).collect()
}

#[test]
fn published_results_with_made_up_innings() {
    // Points and innings of both sides, whether there is an equalising inning, averages in thousandths, winner.
    for (name, [a, b], equalising, averages) in [
        ("Blomdahl–Nguyen 2019", [(40, 22), (37, 22)], true, [1818, 1681]),
        ("Caudron–Jaspers 2017", [(40, 7), (14, 7)], true, [5714, 2000]),
        ("Caudron–Çoklu", [(50, 15), (47, 15)], true, [3333, 3133]),
        ("Merckx–Zanetti", [(50, 23), (42, 22)], false, [2173, 1909]),
    ] {
        let mut scorer = Scorer::new(a.0, equalising);
        let second = spread(b.0, b.1);
        let runs: Vec<_> =
            spread(a.0, a.1).into_iter().enumerate().map(|(n, run)| (run, second.get(n).copied())).collect();
        scorer.innings(&runs);
        let state = scorer.0.state().unwrap();
        assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)), "{name}");
        assert_eq!(state.sides.map(|s| (s.points, s.innings)), [a, b], "{name}");
        assert_eq!(state.sides.map(|s| s.average_milli), averages, "{name}");
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
    scorer.refuse(undo(1), Invalid::UndoOfNothing);
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

#[test]
fn undo_takes_back_and_an_undo_can_be_undone() {
    let mut scorer = Scorer::new(40, true);
    let before = scorer.take(points(Side::First, 2)); // 2
    let wrong = scorer.take(points(Side::First, 5)); // 3
    assert_eq!(scorer.take(undo(3)), before); // 4
    scorer.refuse(undo(3), Invalid::UndoOfNothing);
    scorer.refuse(undo(5), Invalid::UndoOfNothing);
    scorer.refuse(undo(6), Invalid::UndoOfNothing);
    assert_eq!(scorer.take(undo(4)), wrong); // 5
    assert_eq!(scorer.take(undo(3)), before); // 6: the undo is gone, so its event can be undone again
    // An event in the middle, on which nothing rests.
    scorer.take(points(Side::First, 1)); // 7
    let state = scorer.take(undo(2)); // 8
    assert_eq!((state.sides[0].points, state.sides[0].high_run), (1, 1));
    // And one on which something rests.
    scorer.take(end_inning(Side::First)); // 9
    scorer.take(points(Side::Second, 1)); // 10
    scorer.refuse(undo(9), Invalid::UndoBreaks { epoch: 1, seq: 10 });
    scorer.refuse(undo(1), Invalid::UndoBreaks { epoch: 1, seq: 7 });
}

#[test]
fn an_undone_finish_and_an_undone_start_go_on() {
    let mut scorer = Scorer::new(1, false);
    let before = scorer.0.state().unwrap();
    assert_eq!(scorer.take(points(Side::First, 1)).phase, Phase::Finished);
    assert_eq!(scorer.take(undo(2)), before);
    assert_eq!(scorer.offer(undo(1)), Offer::Accept);
    assert_eq!((scorer.0.state(), scorer.0.start().cloned()), (None, None));
    assert_eq!(scorer.take(start_of(30, true, Side::Second)).at_table, Some(Side::Second));
    assert_eq!(scorer.0.start().map(|start| start.target), Some(30));
}

#[test]
fn positions_are_strict_and_repeats_are_recognised() {
    let at = |epoch, seq| Position { epoch, seq };
    let mut log = Log::new();
    let gap = |epoch, seq| Offer::Gap { expected: at(epoch, seq) };
    let start = || event(1, start_of(40, true, Side::First));
    assert_eq!(log.offer(at(3, 2), start(), None), gap(3, 1));
    assert_eq!(log.offer(at(3, 1), start(), None), Offer::Accept);
    assert_eq!(log.offer(at(3, 1), start(), None), Offer::Same);
    assert_eq!(log.offer(at(3, 1), event(2, start_of(40, true, Side::First)), None), Offer::Conflict);
    assert_eq!(log.offer(at(3, 3), event(3, points(Side::First, 1)), None), gap(3, 2));
    assert_eq!(log.offer(at(3, 2), event(2, points(Side::First, 1)), None), Offer::Accept);
    // Another scorer takes over, and goes on with the same match.
    assert_eq!(log.offer(at(5, 2), event(2, points(Side::First, 1)), None), gap(5, 1));
    assert_eq!(log.offer(at(5, 1), event(1, points(Side::First, 2)), None), Offer::Accept);
    assert_eq!(log.state().unwrap().sides[0].points, 3);
    // The one before may repeat what it said, and is told who goes on.
    assert_eq!(log.offer(at(3, 2), event(2, points(Side::First, 1)), None), Offer::Same);
    assert_eq!(log.offer(at(3, 2), event(2, points(Side::First, 3)), None), Offer::Conflict);
    assert_eq!(log.offer(at(3, 3), event(3, points(Side::First, 1)), None), gap(5, 2));
    assert_eq!(log.offer(at(4, 1), event(3, points(Side::First, 1)), None), gap(5, 2));
    // An undo reaches into an earlier epoch where it says so; its own is meant otherwise.
    let back = |epoch| Action::Undo { epoch, seq: 2 };
    assert_eq!(log.offer(at(5, 2), event(4, back(None)), None), Offer::Invalid(Invalid::UndoOfNothing));
    assert_eq!(log.offer(at(5, 2), event(4, back(Some(3))), None), Offer::Accept);
    assert_eq!(log.state().unwrap().sides[0].points, 2);

    for (epoch, seq) in [(0, 1), (6, 0), (POSITION_MAX + 1, 1), (6, u64::MAX), (u64::MAX, u64::MAX)] {
        let offer = log.offer(at(epoch, seq), event(5, points(Side::First, 1)), None);
        assert_eq!(offer, Offer::Invalid(Invalid::Position), "{epoch}/{seq}");
    }
    assert_eq!(log.last(), Some(at(5, 2)));
    let after = |epoch, seq| log.after(at(epoch, seq)).iter().map(|(p, _)| p.to_string()).collect::<Vec<_>>();
    assert_eq!(after(0, 0), ["3/1", "3/2", "5/1", "5/2"]);
    assert_eq!(after(3, 2), ["5/1", "5/2"]);
    assert_eq!(after(4, 9), ["5/1", "5/2"]);
    assert_eq!(after(5, 2), Vec::<String>::new());
}

#[test]
fn a_clock_that_runs_ahead_is_refused() {
    let mut log = Log::new();
    let at = Position { epoch: 1, seq: 1 };
    let event = event(0, start_of(40, true, Side::First));
    let now = |ms| Some(UtcMs(T0 - ms));
    assert_eq!(log.offer(at, event.clone(), now(60_001)), Offer::Invalid(Invalid::Clock));
    assert_eq!(log.offer(at, event.clone(), now(60_000)), Offer::Accept);
    assert_eq!(log.offer(at, event, now(60_001)), Offer::Same);
}

#[test]
fn the_log_is_bounded() {
    let mut scorer = Scorer::new(40, true);
    for n in 1..EVENTS_MAX {
        scorer.take(points(Side::First, if n % 2 == 1 { 1 } else { -1 }));
    }
    scorer.refuse(points(Side::First, -1), Invalid::Full);
    let document = document(&scorer.0);
    assert_eq!(document.entries.len(), ENTRIES_MAX);
    assert_eq!(document.entries.first().unwrap().seq, 1);
    assert_eq!(document.entries[1].seq, EVENTS_MAX as u64 - 498);
    assert_eq!(document.entries.last().unwrap().seq, EVENTS_MAX as u64);
    assert_eq!(document.check(), Ok(()));
}

#[test]
fn bodies_are_read_strictly() {
    let start = json!({"type":"start","title":"Final","discipline":"three-cushion","target":40,
        "equalising_inning":true,"breaks":1,"sides":[{"name":"A","country":"SE"},{"name":"B"}]});
    let with = |key: &str, value: serde_json::Value| {
        let mut action = start.clone();
        action[key] = value;
        json!({"occurred":1, "action":action})
    };
    let action = |action: serde_json::Value| json!({"occurred":1, "action":action});
    for good in [
        action(start.clone()),
        json!({"occurred":1,"entered":2,"action":{"type":"end_inning","side":0}}),
        action(json!({"type":"points","side":1,"points":-2,"code":"ref"})),
        action(json!({"type":"shootout","side":1,"points":5})),
        action(json!({"type":"end","winner":null,"code":"time"})),
        action(json!({"type":"undo","seq":4})),
        action(json!({"type":"undo","epoch":1,"seq":4})),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},
            "state":{"phase":"playing","inning":5,"at_table":null,"winner":null,"sides":[{"points":9,"run":3,
            "high_run":6,"innings":5,"average_milli":1800,"shootout":null},{"points":1}]}}),
        with("title", json!("é".repeat(100))),
    ] {
        let event = Event::from_json(good.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), good, "what is written is what was read");
    }
    for bad in [
        json!({}),
        json!([]),
        json!({"occurred":1}),
        json!({"occurred":-1,"action":{"type":"end_inning","side":0}}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"more":1}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"state":{"score":1}}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"state":{"sides":[{"pts":1},{}]}}),
        action(json!({"type":"end_inning"})),
        action(json!({"type":"end_inning","side":2})),
        action(json!({"type":"end_inning","side":-1})),
        action(json!({"type":"end_inning","side":0,"more":1})),
        action(json!({"type":"foul","side":0})),
        action(json!({"type":"points","side":0,"points":1001})),
        action(json!({"type":"points","side":0,"points":-2147483648_i64})),
        action(json!({"type":"points","side":0,"points":1.5})),
        action(json!({"type":"points","side":0,"points":1,"code":""})),
        action(json!({"type":"points","side":0,"points":1,"code":"a b"})),
        action(json!({"type":"end","winner":0,"code":"x".repeat(33)})),
        action(json!({"type":"shootout","side":0,"points":-1})),
        action(json!({"type":"shootout","side":0,"points":1001})),
        with("title", json!("é".repeat(101))),
        with("title", json!("")),
        with("title", json!("a\nb")),
        with("title", json!("a\u{202e}b")),
        with("target", json!(0)),
        with("target", json!(1001)),
        with("discipline", json!("snooker")),
        with("referee", json!("x")),
        with("sides", json!([{"name":"A"}])),
        with("sides", json!([{"name":"A"},{"name":"B"},{"name":"C"}])),
        with("sides", json!([{"name":"A","country":"se"},{"name":"B"}])),
        with("sides", json!([{"name":"A","country":"SWE"},{"name":"B"}])),
        with("sides", json!([{"name":"A","club":"x"},{"name":"B"}])),
        with("sides", json!([{"name":"\u{7f}"},{"name":"B"}])),
    ] {
        assert!(Event::from_json(bad.to_string().as_bytes()).is_err(), "{bad}");
    }
    // What the parser repeats of a body is bounded, and so is the body.
    let long = json!({"occurred":1, "x".repeat(7000): 1}).to_string();
    assert!(Event::from_json(long.as_bytes()).unwrap_err().to_string().len() < 300);
    assert_eq!(Event::from_json(&vec![b' '; BODY_LEN_MAX + 1]), Err(EventError::Length));
    // A twice stated field has no meaning.
    assert!(
        Event::from_json(br#"{"occurred":1,"action":{"type":"undo","seq":1,"seq":2}}"#).is_err(),
        "doubled field"
    );
    // Whole and cut at every byte: only the whole is an event.
    let whole = action(start.clone()).to_string();
    for len in 0..whole.len() {
        assert!(Event::from_json(&whole.as_bytes()[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_claim_agrees_with_what_it_states() {
    let mut scorer = Scorer::new(40, true);
    let state = scorer.take(points(Side::First, 3));
    let claim = |json: serde_json::Value| serde_json::from_value::<Claim>(json).unwrap().agrees(&state);
    assert!(claim(serde_json::to_value(&state).unwrap()), "the whole state");
    for (json, agrees) in [
        (json!({}), true),
        (json!({"inning":1,"at_table":0,"winner":null}), true),
        (json!({"sides":[{"points":3,"shootout":null},{}]}), true),
        (json!({"phase":"shootout"}), false),
        (json!({"inning":2}), false),
        (json!({"at_table":null}), false),
        (json!({"winner":0}), false),
        (json!({"sides":[{"points":2},{}]}), false),
        (json!({"sides":[{},{"shootout":0}]}), false),
    ] {
        assert_eq!(claim(json.clone()), agrees, "{json}");
    }
}

fn document(log: &Log) -> Document {
    let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
    log.document(ids.0, ids.1, 7, UtcMs(T0), shifted(-1000)).unwrap()
}

#[test]
fn the_document_has_the_agreed_shape() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 3));
    let document = document(&scorer.0);
    assert_eq!(document.check(), Ok(()));
    let none = json!({"points":0,"run":0,"high_run":0,"innings":0,"average_milli":0,"shootout":null});
    let first = |points: u32| json!({"points":points,"run":points,"high_run":points,"innings":1,"average_milli":points * 1000,"shootout":null});
    let state = |side: serde_json::Value| json!({"phase":"playing","inning":1,"at_table":0,"winner":null,"sides":[side, none]});
    let json = json!({
        "channel":"table-1", "match":"final", "revision":7, "updated":T0, "title":"World Cup final",
        "discipline":"three-cushion", "target":40,
        "sides":[{"name":"Torbjörn Blomdahl","country":"SE"},{"name":"Dick Jaspers","country":"NL"}],
        "entries":[
            {"seq":1, "at":T0 * 90, "pdt":"2026-11-20T10:52:00.000Z", "state":state(first(0))},
            {"seq":2, "at":(T0 + 1000) * 90, "pdt":"2026-11-20T10:52:01.000Z", "state":state(first(3))},
        ],
    });
    assert_eq!(serde_json::to_value(&document).unwrap(), json);
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document);
}

#[test]
fn the_document_forgets_what_was_undone() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 2)); // 2
    scorer.take(points(Side::First, 5)); // 3
    scorer.take(end_inning(Side::First)); // 4
    scorer.take(undo(3)); // 5
    let shown = |log: &Log| {
        document(log).entries.iter().map(|e| (e.seq, e.state.sides[0].points)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&scorer.0), [(1, 0), (2, 2), (4, 2), (5, 2)]);
    assert_eq!(document(&scorer.0).rewritten, 5);
    scorer.take(undo(5)); // 6: an undone undo is forgotten too
    assert_eq!(shown(&scorer.0), [(1, 0), (2, 2), (3, 7), (4, 7), (6, 7)]);
    assert_eq!(document(&scorer.0).rewritten, 6);
    let ids = || ("table-1".parse().unwrap(), "final".parse().unwrap());
    assert_eq!(Log::new().document(ids().0, ids().1, 1, UtcMs(1), shifted(0)), None);
}

#[test]
fn what_is_shown_never_goes_back_in_time() {
    let mut log = Log::new();
    for (seq, occurred) in [(1, 5000), (2, 3000), (3, 6000), (4, 5999)] {
        let action = if seq == 1 { start_of(40, true, Side::First) } else { points(Side::First, 1) };
        let event = Event { occurred: UtcMs(occurred), entered: None, action, state: None };
        assert_eq!(log.offer(Position { epoch: 1, seq }, event, None), Offer::Accept);
    }
    let at: Vec<u64> = document(&log).entries.iter().map(|e| e.at.0 / 90).collect();
    assert_eq!(at, [4000, 4000, 5000, 5000]);
    assert_eq!(document(&log).check(), Ok(()));
    // An offset can't lead before the beginning of time, nor past its end.
    assert_eq!(shifted(i64::MIN)(UtcMs(1)), MediaTime(0));
    assert_eq!(shifted(i64::MAX)(UtcMs(u64::MAX)), MediaTime(u64::MAX));
}

#[test]
fn a_receiver_refuses_documents_out_of_bounds() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 3));
    let good = document(&scorer.0);
    type Edit = fn(&mut Document);
    let edits: [(Edit, DocumentError); 11] = [
        (|d| d.title = "a\tb".into(), DocumentError::Text),
        (|d| d.sides[1].name = "x".repeat(101), DocumentError::Text),
        (|d| d.sides[0].country = Some("<b>".into()), DocumentError::Text),
        (|d| d.target = 0, DocumentError::Target),
        (|d| d.entries.clear(), DocumentError::Entries),
        (|d| d.entries = vec![d.entries[0].clone(); 501], DocumentError::Entries),
        (|d| d.entries.reverse(), DocumentError::Order),
        (|d| d.entries[1].seq = 1, DocumentError::Order),
        (|d| d.entries[0].pdt.push(' '), DocumentError::Order),
        (|d| d.entries[1].at.0 += 90, DocumentError::Order),
        (
            |d| {
                d.entries[1].at = MediaTime(1);
                d.entries[1].pdt = d.entries[1].at.iso8601();
            },
            DocumentError::Order,
        ),
    ];
    for (n, (edit, error)) in edits.into_iter().enumerate() {
        let mut document = good.clone();
        edit(&mut document);
        assert_eq!(document.check(), Err(error), "{n}");
    }
}

/// An action that often fits: what is at the table decides half of the dice.
fn action_of(state: Option<&State>, dice: (u8, u32, bool), events: u64) -> Action {
    let (kind, amount, first) = dice;
    let any = if first { Side::First } else { Side::Second };
    let side = state.and_then(|s| s.at_table).unwrap_or(any);
    match kind {
        0..=4 => points(side, i32::try_from(amount % 6).unwrap() - 1),
        5..=7 => end_inning(side),
        8 => shootout(any, amount % 4),
        9 => Action::End { winner: first.then_some(any), code: None },
        10 => start_of(1 + amount % 12, first, any),
        _ => undo(1 + u64::from(amount) % events.max(1)),
    }
}

proptest! {
    #[test]
    fn an_undo_gives_the_state_of_a_log_without_what_it_took_back(
        dice in prop::collection::vec((0_u8..16, 0_u32..1000, any::<bool>()), 1..120),
    ) {
        let mut scorer = Scorer::default();
        prop_assert_eq!(scorer.offer(start_of(12, dice[0].2, Side::First)), Offer::Accept);
        for dice in dice {
            let (before, last) = (scorer.0.state(), scorer.0.last());
            let action = action_of(before.as_ref(), dice, scorer.0.events().len() as u64);
            match scorer.offer(action) {
                Offer::Accept => {}
                Offer::Invalid(_) => prop_assert_eq!((scorer.0.state(), scorer.0.last()), (before, last)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        // By the rules' own words: walk from the newest event back and drop what a standing undo names.
        let events = scorer.0.events();
        let mut gone = vec![false; events.len()];
        for at in (0..events.len()).rev() {
            if let (Action::Undo { seq, .. }, false) = (&events[at].1.action, gone[at]) {
                gone[*seq as usize - 1] = true;
            }
        }
        let mut clean = Scorer::default();
        for ((_, event), gone) in events.iter().zip(gone) {
            if !gone && !matches!(event.action, Action::Undo { .. }) {
                prop_assert_eq!(clean.offer(event.action.clone()), Offer::Accept);
            }
        }
        prop_assert_eq!(scorer.0.state(), clean.0.state());
        prop_assert_eq!(scorer.0.start(), clean.0.start());
        if let Some(state) = scorer.0.state() {
            let target = scorer.0.start().unwrap().target;
            for side in state.sides {
                prop_assert!(side.points <= target && side.run <= side.high_run && side.high_run <= side.points);
                prop_assert!(side.innings.abs_diff(state.inning) <= 1);
            }
            prop_assert_eq!(state.phase == Phase::Playing, state.at_table.is_some() && state.phase != Phase::Shootout);
            prop_assert_eq!(document(&scorer.0).check(), Ok(()));
        }
        // Read again from what was kept, the log is the same.
        let mut again = Log::new();
        for (position, event) in events {
            let event = Event::from_json(&serde_json::to_vec(event).unwrap()).unwrap();
            prop_assert_eq!(again.offer(*position, event, None), Offer::Accept);
        }
        prop_assert_eq!(again.state(), scorer.0.state());
        prop_assert_eq!(again.events(), events);
    }

    #[test]
    fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::from_json(&bytes);
    }
}
