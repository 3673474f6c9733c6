//! What the log takes, and what undos and corrections make of it.

use super::*;

#[test]
fn undo_takes_back_and_an_undo_can_be_undone() {
    let mut scorer = Scorer::new(40, true);
    let before = scorer.take(points(Side::First, 2)); // 2
    let wrong = scorer.take(points(Side::First, 5)); // 3
    assert_eq!(scorer.take(undo(3)), before); // 4
    scorer.refuse(undo(3), Invalid::NoSuchEvent);
    scorer.refuse(undo(5), Invalid::NoSuchEvent);
    scorer.refuse(undo(6), Invalid::NoSuchEvent);
    assert_eq!(scorer.take(undo(4)), wrong); // 5
    assert_eq!(scorer.take(undo(3)), before); // 6: the undo is gone, so its event can be undone again
    // An event in the middle, on which nothing rests.
    scorer.take(points(Side::First, 1)); // 7
    let state = scorer.take(undo(2)); // 8
    assert_eq!((state.sides[0].points, state.sides[0].high_run), (1, 1));
    // And one on which something rests.
    scorer.take(end_inning(Side::First)); // 9
    scorer.take(points(Side::Second, 1)); // 10
    scorer.refuse(undo(9), Invalid::Breaks { epoch: 1, seq: 10 });
    scorer.refuse(undo(1), Invalid::Breaks { epoch: 1, seq: 7 });
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
    assert_eq!(scorer.0.start().map(|start| start.target), Some(Some(PerSide::Both(30))));
}

#[test]
fn a_correction_is_as_if_it_had_been_sent_at_first() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 2)); // 2
    scorer.take(end_inning(Side::First)); // 3
    scorer.take(points(Side::Second, 4)); // 4
    let state = scorer.take(correct(2, points(Side::First, 7))); // 5
    assert_eq!((state.sides[0].points, state.sides[0].high_run, state.sides[0].average_milli), (7, 7, 7000));
    assert_eq!(state.sides[1].points, 4);
    // The later of two counts; taken back, the one before it does, and then the event itself.
    assert_eq!(scorer.take(correct(2, points(Side::First, 9))).sides[0].points, 9); // 6
    assert_eq!(scorer.take(undo(6)).sides[0].points, 7); // 7
    assert_eq!(scorer.take(undo(5)).sides[0].points, 2); // 8
    assert_eq!(scorer.take(undo(7)).sides[0].points, 9); // 9: the second correction stands again
    // An event that is undone has no correction either, and has it again with itself.
    assert_eq!(scorer.take(undo(2)).sides[0].points, 0); // 10
    scorer.refuse(correct(2, points(Side::First, 1)), Invalid::NoSuchEvent);
    assert_eq!(scorer.take(undo(10)).sides[0].points, 9); // 11
    // A start can be corrected like anything else: a name, a target.
    scorer.take(correct(1, start_of(30, false, Side::First))); // 12
    assert_eq!(scorer.0.start().unwrap().target, Some(PerSide::Both(30)));
}

#[test]
fn a_correction_that_does_not_fit_says_which_event_is_in_its_way() {
    let mut scorer = Scorer::new(10, true);
    scorer.take(points(Side::First, 2)); // 2
    scorer.take(end_inning(Side::First)); // 3
    scorer.take(points(Side::Second, 4)); // 4
    // What is wrong with the correction itself.
    scorer.refuse(correct(2, points(Side::First, 11)), Invalid::BeyondTarget { left: 10 });
    scorer.refuse(correct(2, points(Side::Second, 1)), Invalid::NotAtTable(Side::Second));
    // What comes later, and rests on what was.
    scorer.refuse(correct(3, points(Side::First, 1)), Invalid::Breaks { epoch: 1, seq: 4 });
    scorer.refuse(correct(2, points(Side::First, 10)), Invalid::Breaks { epoch: 1, seq: 3 });
    scorer.refuse(correct(1, start_of(10, true, Side::Second)), Invalid::Breaks { epoch: 1, seq: 2 });
    scorer.refuse(correct(1, points(Side::First, 1)), Invalid::NotStarted);
    scorer.refuse(correct(2, start_of(10, true, Side::Second)), Invalid::Started);
    // What can't be corrected, and what no correction may be.
    for nothing in [0, 5, 6] {
        scorer.refuse(correct(nothing, points(Side::Second, 1)), Invalid::NoSuchEvent);
    }
    scorer.take(correct(4, points(Side::Second, 3))); // 5
    scorer.refuse(correct(5, points(Side::Second, 1)), Invalid::CorrectionOfChange);
    scorer.take(undo(4)); // 6
    scorer.refuse(correct(6, points(Side::Second, 1)), Invalid::CorrectionOfChange);
    for change in [undo(2), correct(2, points(Side::First, 1))] {
        scorer.refuse(correct(2, change), EventError::Correction);
    }
    scorer.refuse(correct(2, points(Side::First, 1001)), EventError::Points);
}

#[test]
fn a_correction_reaches_into_an_earlier_epoch() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 2));
    let at = Position { epoch: 2, seq: 1 };
    let correct = |epoch| Action::Correct { epoch, seq: 2, action: points(Side::First, 3).into() };
    assert_eq!(scorer.0.offer(at, event(3, correct(None)), None), Offer::Invalid(Invalid::NoSuchEvent));
    assert_eq!(scorer.0.offer(at, event(3, correct(Some(1))), None), Offer::Accept);
    assert_eq!(scorer.state().sides[0].points, 3);
}

#[test]
fn a_corrected_event_keeps_its_time() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion",
        "rules":{"shot_clock":{"seconds":40,"extensions":0,"extension_seconds":0,"per":"match"}}}));
    let clock = |order| Action::ShotClock { order, side: None };
    scorer.take_at(1_000, points(Side::First, 1)); // 2
    scorer.take_at(9_000, end_inning(Side::First)); // 3
    let state = scorer.take_at(20_000, correct(3, clock(ClockOrder::Start)));
    assert_eq!(state.shot_clock.unwrap().deadline, Some(UtcMs(T0 + 49_000)), "40 s after what it corrects");
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
    assert_eq!(log.offer(at(5, 2), event(4, back(None)), None), Offer::Invalid(Invalid::NoSuchEvent));
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
fn a_kept_log_is_restored_or_says_what_does_not_fit() {
    let mut scorer = Scorer::new(10, true);
    scorer.take_all([points(Side::First, 2), end_inning(Side::First), points(Side::Second, 4), undo(4)]);
    scorer.take_all([points(Side::Second, 1), correct(2, points(Side::First, 3))]);
    let kept = scorer.0.events().to_vec();
    let restored = Log::restore(kept.clone()).unwrap();
    assert_eq!((restored.state(), restored.last()), (scorer.0.state(), scorer.0.last()));
    assert_eq!(Log::restore([]).unwrap().state(), None);

    let misfit = |edit: fn(&mut Vec<(Position, Event)>)| {
        let mut kept = kept.clone();
        edit(&mut kept);
        let misfit = Log::restore(kept).unwrap_err();
        (misfit.index, misfit.offer)
    };
    let at = |seq| Position { epoch: 1, seq };
    assert_eq!(misfit(|kept| drop(kept.remove(2))), (2, Offer::Gap { expected: at(3) }));
    assert_eq!(misfit(|kept| kept[3].0.epoch = 0), (3, Offer::Invalid(Invalid::Position)));
    assert_eq!(misfit(|kept| kept[4].1.action = undo(9)), (4, Offer::Invalid(Invalid::NoSuchEvent)));
    assert_eq!(
        misfit(|kept| kept[5].1.action = points(Side::First, 1)),
        (5, Offer::Invalid(Invalid::Breaks { epoch: 1, seq: 6 }))
    );
    let too_many = Offer::Invalid(Invalid::Event(EventError::Points));
    assert_eq!(misfit(|kept| kept[1].1.action = points(Side::First, 1001)), (1, too_many));
}
