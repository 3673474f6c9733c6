//! What the rooms of the score have in common in tests.

mod disciplines;
mod documents;
mod log;
mod matches;
mod properties;
mod ranges;
mod rules;
mod sheet;
mod timing;
mod vtt;
mod wire;

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde_json::{Value, json};

use super::*;
use crate::time::{MediaTime, UtcMs};

const T0: u64 = 1_795_171_920_000;

fn start_of(target: u32, equalising_inning: bool, breaks: Side) -> Action {
    let player = |name: &str, country: &str| Player { name: name.into(), country: Some(country.into()) };
    let sides = [player("Torbjörn Blomdahl", "SE"), player("Dick Jaspers", "NL")];
    Action::Start(Start {
        target: Some(PerSide::Both(target)),
        equalising_inning: Some(equalising_inning),
        ..Start::new("World Cup final".into(), Discipline::ThreeCushion, sides, breaks)
    })
}

/// A start as it travels: `json` has what is not the same for all, the discipline at least. Side 0 begins.
fn start_json(json: Value) -> Action {
    let mut start = json!({"type":"start","title":"Final","breaks":0,"sides":[{"name":"A"},{"name":"B"}]});
    start.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
    let body = json!({"occurred":1,"action":start}).to_string();
    Event::from_json(body.as_bytes()).unwrap().action
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

fn correct(seq: u64, action: Action) -> Action {
    Action::Correct { epoch: None, seq, action: action.into() }
}

fn foul(side: Side, points: u32) -> Action {
    Action::Foul { side, points, code: None }
}

fn turn(side: Side) -> Action {
    Action::Turn { side }
}

fn end_unit(winner: Option<Side>) -> Action {
    Action::EndUnit { winner, code: None }
}

fn end(winner: Option<Side>) -> Action {
    Action::End { winner, code: None }
}

fn event(seq: u64, action: Action) -> Event {
    Event { occurred: UtcMs(T0 + seq * 1000), entered: None, scorer: None, action, state: None }
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

    /// A match that starts as [`start_json`] says.
    #[track_caller]
    fn of(json: Value) -> Scorer {
        let mut scorer = Scorer::default();
        scorer.take(start_json(json));
        scorer
    }

    fn next(&self) -> Position {
        self.0.last().map_or(Position { epoch: 1, seq: 1 }, |p| Position { epoch: p.epoch, seq: p.seq + 1 })
    }

    fn offer(&mut self, action: Action) -> Offer {
        let seq = self.next().seq;
        self.offer_event(event(seq, action))
    }

    fn offer_event(&mut self, event: Event) -> Offer {
        self.0.offer(self.next(), event, None)
    }

    fn state(&self) -> State {
        self.0.state().unwrap()
    }

    #[track_caller]
    fn take(&mut self, action: Action) -> State {
        let text = format!("{action:?}");
        assert_eq!(self.offer(action), Offer::Accept, "{text}");
        self.state()
    }

    #[track_caller]
    fn take_all(&mut self, actions: impl IntoIterator<Item = Action>) -> State {
        for action in actions {
            self.take(action);
        }
        self.state()
    }

    /// An action that occurs so many milliseconds after [`T0`].
    #[track_caller]
    fn take_at(&mut self, ms: u64, action: Action) -> State {
        let text = format!("{action:?}");
        let event = Event { occurred: UtcMs(T0 + ms), entered: None, scorer: None, action, state: None };
        assert_eq!(self.offer_event(event), Offer::Accept, "{text}");
        self.state()
    }

    #[track_caller]
    fn refuse(&mut self, action: Action, why: impl Into<Invalid>) {
        let (last, state) = (self.0.last(), self.0.state());
        let text = format!("{action:?}");
        assert_eq!(self.offer(action), Offer::Invalid(why.into()), "{text}");
        assert_eq!((self.0.last(), self.0.state()), (last, state));
    }

    /// A whole inning, point by point; at the target the inning ends by itself.
    #[track_caller]
    fn inning(&mut self, side: Side, run: u32) {
        for _ in 0..run {
            self.take(points(side, 1));
        }
        if self.state().at_table == Some(side) {
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

fn figures(state: &State) -> [(i32, u32, u32, i32); 2] {
    state.sides.map(|s| (s.points, s.innings, s.high_run, s.average_milli))
}

fn document(log: &Log) -> Document {
    let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
    log.document(ids.0, ids.1, 7, UtcMs(T0), ENTRIES_MAX, &Offsets::from(-1000)).unwrap()
}
