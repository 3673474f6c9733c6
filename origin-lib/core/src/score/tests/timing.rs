//! Shot clock, pauses and time-outs.

use super::*;

const A: Side = Side::First;
const B: Side = Side::Second;

fn clock(order: ClockOrder) -> Action {
    Action::ShotClock { order, side: None }
}

/// A match with 40 s for a shot, two extensions of 30 s and one time-out of five minutes a side.
fn match_of(discipline: &str, per: &str) -> Scorer {
    Scorer::of(json!({"discipline":discipline,"rules":{
        "shot_clock":{"seconds":40,"extensions":2,"extension_seconds":30,"per":per},
        "time_outs":{"count":1,"seconds":300,"per":per}}}))
}

fn shown(state: &State) -> (bool, Option<u64>, u64) {
    let clock = state.shot_clock.unwrap();
    (clock.running, clock.deadline.map(|deadline| deadline.0 - T0), clock.remaining_ms)
}

#[test]
fn a_shot_clock_has_no_ticks() {
    let mut scorer = match_of("three-cushion", "match");
    assert_eq!(shown(&scorer.state()), (false, None, 40_000));
    let state = scorer.take_at(10_000, clock(ClockOrder::Start));
    assert_eq!(shown(&state), (true, Some(50_000), 40_000));
    // A later event says what was left when it occurred, and the deadline stays.
    scorer.refuse(clock(ClockOrder::Resume), TimingError::Runs);
    let state = scorer.take_at(35_000, clock(ClockOrder::Extend));
    assert_eq!(shown(&state), (true, Some(80_000), 45_000));
    assert_eq!(state.sides.map(|side| side.extensions_left), [Some(1), Some(2)]);
    let state = scorer.take_at(40_500, clock(ClockOrder::Stop));
    assert_eq!(shown(&state), (false, None, 39_500));
    scorer.refuse(clock(ClockOrder::Stop), TimingError::Stands);
    let state = scorer.take_at(60_000, clock(ClockOrder::Extend));
    assert_eq!(shown(&state), (false, None, 69_500));
    scorer.refuse(clock(ClockOrder::Extend), TimingError::NoExtension(A));
    let state = scorer.take_at(61_000, clock(ClockOrder::Resume));
    assert_eq!(shown(&state), (true, Some(130_500), 69_500));
    // After the shot it stands, full, until the balls do.
    let state = scorer.take_at(70_000, points(A, 1));
    assert_eq!(shown(&state), (false, None, 40_000));
    // It runs down, and an extension of the next shot begins from there.
    scorer.take_at(71_000, end_inning(A));
    scorer.take_at(72_000, clock(ClockOrder::Start));
    let extend = |side| Action::ShotClock { order: ClockOrder::Extend, side: Some(side) };
    scorer.refuse(extend(A), Invalid::NotAtTable(A));
    let state = scorer.take_at(120_000, extend(B));
    assert_eq!(shown(&state), (true, Some(150_000), 30_000));
    let state = scorer.take_at(200_000, Action::Pause { code: None });
    assert_eq!(shown(&state), (false, None, 0));
    // A scorer's clock that steps back takes no time with it.
    let state = scorer.take_at(5_000, clock(ClockOrder::Start));
    assert_eq!((shown(&state), state.paused), ((true, Some(240_000), 40_000), None));
}

#[test]
fn viewers_count_down_from_each_entry_s_own_time() {
    let mut scorer = match_of("three-cushion", "match");
    scorer.take_at(1_000, Action::Pause { code: None });
    scorer.take_at(10_000, clock(ClockOrder::Start));
    // An undo of what was before it, while the clock runs: the score is as of then, the entry is not.
    let state = scorer.take_at(25_000, undo(2));
    assert_eq!(shown(&state), (true, Some(50_000), 40_000));
    let entries = document(&scorer.0).entries;
    let shown: Vec<_> = entries.iter().map(|entry| shown(&entry.state)).collect();
    assert_eq!(shown[1..], [(true, Some(50_000), 40_000), (true, Some(50_000), 25_000)]);
}

#[test]
fn a_match_without_a_shot_clock_shows_none() {
    let mut scorer = Scorer::new(40, true);
    assert_eq!(scorer.state().shot_clock, None);
    scorer.refuse(clock(ClockOrder::Start), TimingError::NoShotClock);
    scorer.refuse(Action::TimeOut { side: A }, TimingError::NoTimeOut(A));
    scorer.take(end(None));
    scorer.refuse(Action::Pause { code: None }, Invalid::Finished);
}

#[test]
fn a_time_out_says_when_it_ends() {
    let mut scorer = match_of("three-cushion", "match");
    scorer.take_at(1_000, clock(ClockOrder::Start));
    let state = scorer.take_at(11_000, Action::TimeOut { side: B });
    let pause =
        Pause { since: UtcMs(T0 + 11_000), until: Some(UtcMs(T0 + 311_000)), side: Some(B), code: None };
    assert_eq!((&state.paused, shown(&state)), (&Some(pause), (false, None, 30_000)));
    assert_eq!(state.sides.map(|side| side.time_outs_left), [Some(1), Some(0)]);
    scorer.refuse(Action::TimeOut { side: A }, TimingError::Paused);
    assert_eq!(scorer.take(Action::Resume {}).paused, None);
    scorer.refuse(Action::Resume {}, TimingError::NotPaused);
    scorer.refuse(Action::TimeOut { side: B }, TimingError::NoTimeOut(B));
    // The clock goes on with what it had.
    let state = scorer.take_at(320_000, clock(ClockOrder::Resume));
    assert_eq!(shown(&state), (true, Some(350_000), 30_000));
}

#[test]
fn what_is_for_each_rack_comes_back_with_the_next() {
    for (per, left) in [("unit", 2), ("match", 1)] {
        let mut scorer = match_of("nine-ball", per);
        scorer.refuse(clock(ClockOrder::Extend), TimingError::WhoseExtension);
        let extend = Action::ShotClock { order: ClockOrder::Extend, side: Some(B) };
        scorer.take_all([extend, Action::TimeOut { side: B }, end_unit(Some(A))]);
        // Over, but in sight: nothing is back before the next rack.
        assert_eq!(scorer.state().sides[1].extensions_left, Some(1), "{per}");
        let state = scorer.take_at(100_000, clock(ClockOrder::Start));
        assert_eq!(
            (state.phase, state.unit),
            (Phase::Playing, Some(2)),
            "a clock that starts begins the rack"
        );
        assert_eq!(state.sides[1].extensions_left, Some(left), "{per}");
        assert_eq!(state.sides[1].time_outs_left, Some(left - 1), "{per}");
    }
}

#[test]
fn a_shootout_has_its_clock_too() {
    let mut scorer = match_of("three-cushion", "match");
    scorer.take_all([points(A, 40), points(B, 40)]);
    let state = scorer.take_at(100_000, clock(ClockOrder::Start));
    assert_eq!((state.phase, shown(&state)), (Phase::Shootout, (true, Some(140_000), 40_000)));
    assert_eq!(shown(&scorer.take(shootout(A, 1))), (false, None, 40_000));
    scorer.take(shootout(B, 0));
    scorer.refuse(clock(ClockOrder::Start), Invalid::Finished);
}
