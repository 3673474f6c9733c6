use railbird_core::score::{Discipline, Player, Side};

use super::*;

fn id(name: &str) -> MatchId {
    name.parse().unwrap()
}

fn start() -> Start {
    let sides = ["A", "B"].map(|name| Player { name: name.into(), country: None });
    Start::new("Final".into(), Discipline::ThreeCushion, sides, Side::First)
}

fn points(side: Side, points: i32) -> Action {
    Action::Points { side, points, code: None }
}

/// A desk, and what its outbox has.
struct Kept(Desk, Vec<Record>);

impl Kept {
    fn begun() -> Kept {
        let mut kept = Kept(Desk::default(), Vec::new());
        kept.keep(Desk::default().begin(id("final"), start(), UtcMs(1)).unwrap());
        kept
    }

    fn keep(&mut self, (desk, change): Next) {
        match change {
            Change::Append(records) => self.1.extend(records),
            Change::Replace(records) => self.1 = records,
        }
        self.0 = desk;
        let again = Desk::restore(self.1.clone()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", self.0), "a crash loses nothing");
    }

    fn enter(&mut self, action: Action) {
        self.keep(self.0.enter(action, UtcMs(2)).unwrap());
    }

    fn send(&mut self) -> Item {
        let item = self.0.first().unwrap().item.clone();
        self.keep(self.0.accepted().unwrap());
        item
    }

    fn score(&self) -> [i32; 2] {
        self.0.log().state().unwrap().sides.map(|side| side.points)
    }

    fn waiting(&self) -> Vec<(u64, u64)> {
        self.0.waiting.iter().map(|waiting| (waiting.item.epoch, waiting.item.seq)).collect()
    }
}

fn gap(epoch: u64, seq: u64) -> Refusal {
    let expected = Some(Position { epoch, seq });
    Refusal { status: 409, code: "gap".into(), message: "send what is missing".into(), expected }
}

#[test]
fn what_is_entered_waits_in_order_until_the_origin_has_it() {
    let mut kept = Kept::begun();
    kept.enter(points(Side::First, 3));
    kept.enter(Action::EndInning { side: Side::First });
    assert_eq!((kept.waiting(), kept.score()), (vec![(1, 1), (1, 2), (1, 3)], [3, 0]));
    assert!(kept.0.enter(points(Side::First, 1), UtcMs(3)).unwrap_err().contains("not at the table"));
    for _ in 0..3 {
        kept.send();
    }
    assert_eq!((kept.0.pending(), kept.score()), (0, [3, 0]));
    assert!(kept.0.accepted().is_none());
}

#[test]
fn a_scorer_who_lost_the_match_sends_nothing_and_takes_it_back_with_what_waits() {
    let mut kept = Kept::begun();
    let begun = kept.send();
    kept.enter(points(Side::First, 3));
    let Some(Denied::Lost(next)) = kept.0.denied(&gap(2, 1)) else {
        panic!("a higher epoch is another scorer's")
    };
    kept.keep(*next);
    assert_eq!((kept.0.mode(), kept.0.pending()), (Mode::Lost, 1));
    assert!(kept.0.enter(points(Side::First, 1), UtcMs(3)).unwrap_err().contains("`take`"));
    let theirs = Log::new().with([begun.clone()]).unwrap();
    let (_, theirs) = theirs.entered(2, Desk::default().fresh(UtcMs(3), points(Side::First, 1))).unwrap();
    let (desk, change, lost) =
        kept.0.take_over(id("final"), Held { events: vec![begun, theirs], epoch: 2 }).unwrap();
    assert!(lost.is_empty());
    kept.keep((desk, change));
    assert_eq!((kept.0.epoch(), kept.waiting(), kept.score()), (3, vec![(3, 1)], [4, 0]));
    // Somebody else took over since, and has entered nothing yet.
    let held = Held { events: kept.0.acknowledged.clone(), epoch: 4 };
    assert_eq!(kept.0.take_over(id("final"), held).unwrap().0.epoch(), 5);
}

#[test]
fn taking_over_tells_what_has_no_place_any_more() {
    let mut kept = Kept::begun();
    let begun = kept.send();
    kept.enter(points(Side::First, 3));
    let theirs = Log::new().with([begun.clone()]).unwrap();
    let (_, theirs) =
        theirs.entered(2, Desk::default().fresh(UtcMs(3), Action::EndInning { side: Side::First })).unwrap();
    let (_, _, lost) = kept.0.take_over(id("final"), Held { events: vec![begun, theirs], epoch: 2 }).unwrap();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].1.contains("not at the table"), "{lost:?}");
}

#[test]
fn an_origin_that_has_less_than_it_acknowledged_gets_it_again() {
    let mut kept = Kept::begun();
    let begun = kept.send();
    kept.enter(points(Side::First, 3));
    kept.send();
    kept.enter(Action::EndInning { side: Side::First });
    assert!(matches!(kept.0.denied(&gap(1, 2)), Some(Denied::Resync)));
    kept.keep(kept.0.resync(vec![begun]).unwrap());
    assert_eq!((kept.waiting(), kept.score()), (vec![(1, 2), (1, 3)], [3, 0]));
}

#[test]
fn a_refused_event_stops_everything_until_it_is_given_up() {
    let mut kept = Kept::begun();
    kept.send();
    kept.enter(points(Side::First, 3));
    kept.enter(Action::Undo { epoch: Some(1), seq: 2 });
    kept.enter(points(Side::First, 1));
    let refusal = Refusal { status: 400, code: "invalid".into(), message: "no".into(), expected: None };
    let Some(Denied::Stop(Problem::Invalid(refused, _))) = kept.0.denied(&refusal) else {
        panic!("it stops")
    };
    let (desk, change, lost) = kept.0.without(&refused).unwrap();
    assert!(lost.is_empty(), "the undo of it goes along without a word");
    kept.keep((desk, change));
    assert_eq!((kept.waiting(), kept.score()), (vec![(1, 2)], [1, 0]));
}

#[test]
fn the_next_match_begins_while_the_last_one_still_waits() {
    let mut kept = Kept::begun();
    kept.enter(points(Side::First, 3));
    kept.keep(kept.0.begin(id("next"), start(), UtcMs(9)).unwrap());
    assert_eq!((kept.waiting(), kept.score()), (vec![(1, 1), (1, 2), (1, 1)], [0, 0]));
    for _ in 0..3 {
        kept.send();
    }
    assert_eq!((kept.0.current(), kept.0.log().events().len()), (Some(&id("next")), 1));
}

#[test]
fn what_is_given_up_of_one_match_leaves_the_others() {
    let mut kept = Kept::begun();
    kept.enter(points(Side::First, 3));
    kept.enter(Action::EndInning { side: Side::First });
    kept.keep(kept.0.begin(id("second"), start(), UtcMs(8)).unwrap());
    kept.keep(kept.0.begin(id("third"), start(), UtcMs(9)).unwrap());
    kept.send();
    let Some(Denied::Stop(Problem::Invalid(refused, _))) = kept.0.denied(&gap(2, 1)) else {
        panic!("of an earlier match it is the scorer's to drop")
    };
    let (desk, change, lost) = kept.0.without(&refused).unwrap();
    let lost: Vec<_> = lost.into_iter().map(|(item, why)| (item.seq, why)).collect();
    assert_eq!(lost, [(3, "it follows 1/2 of its match".to_owned())]);
    kept.keep((desk, change));
    let matches = |kept: &Kept| kept.0.waiting.iter().map(|w| w.r#match.to_string()).collect::<Vec<_>>();
    assert_eq!(matches(&kept), ["second", "third"]);
    // Where somebody else scores the third one, the second one goes, and is not given up with it.
    kept.keep(kept.0.lost());
    assert_eq!((kept.0.held(), kept.0.due().map(|due| &due.r#match)), (1, Some(&id("second"))));
    kept.keep(kept.0.begin(id("fourth"), start(), UtcMs(10)).unwrap());
    assert_eq!(matches(&kept), ["second", "fourth"]);
    kept.send();
    kept.keep(kept.0.lost());
    assert_eq!((kept.0.pending(), kept.0.due()), (1, None));
}

#[test]
fn what_was_entered_before_the_origin_s_clock_was_known_is_put_right() {
    let mut kept = Kept::begun();
    kept.enter(points(Side::First, 3));
    kept.keep(kept.0.begin(id("next"), start(), UtcMs(9)).unwrap());
    kept.enter(points(Side::First, 1));
    let (desk, change) = kept.0.timed(1_000).unwrap();
    let occurred = |desk: &Desk| desk.waiting.iter().map(|w| w.item.event.occurred.0).collect::<Vec<_>>();
    assert_eq!(occurred(&desk), [1_001, 1_002, 1_009, 1_002]);
    let claims: Vec<_> = desk.waiting.iter().map(|waiting| waiting.item.event.state.is_some()).collect();
    assert_eq!(claims, [false, false, true, true], "what can be claimed anew is");
    let Change::Replace(records) = change else { panic!("it is kept") };
    assert_eq!(Desk::restore(records).unwrap().waiting, desk.waiting);
    // What comes later is right already, and what is kept of it stays as it is.
    let (desk, _) = desk.enter(points(Side::First, 1), UtcMs(1_010)).unwrap();
    assert_eq!(occurred(&desk.timed(7_000).unwrap().0), [1_001, 1_002, 1_009, 1_002, 1_010]);
}
