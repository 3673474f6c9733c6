//! What holds for every match, whatever is played and whatever is sent.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What a case is drawn from: which kind of thing, how much of it, and a choice.
type Dice = (u8, u32, bool);

/// The start of any match that can be played: a discipline, with rules of its own where they fit. Targets are small, so
/// that matches get to their ends.
fn any_start((kind, amount, flag): Dice, own: &[Dice]) -> Start {
    let discipline = Discipline::ALL[usize::from(kind) % Discipline::ALL.len()];
    let sides = ["A", "B"].map(|name| Player { name: name.into(), country: None });
    let breaks = if flag { Side::First } else { Side::Second };
    let mut start = Start::new("Final".into(), discipline, sides, breaks);
    start.white = flag.then_some(breaks);
    if discipline.rules().target.is_some() {
        start.target =
            Some(if flag { PerSide::Both(1 + amount % 9) } else { PerSide::Each([5, 1 + amount % 9]) });
    }
    if discipline.rules().equalising_inning {
        // Where there can be a tie by itself, every way out of it.
        let tie = Some(ties(1 + amount % 3)[amount as usize % 4]);
        start.rules = Some(Overrides { tie, ..Overrides::default() }.into());
    }
    for dice in own {
        let mut other = start.clone();
        change_rules(&mut other, *dice);
        if event(1, Action::Start(other.clone())).check().is_ok() {
            start = other;
        }
    }
    start
}

fn ties(innings: u32) -> [Tie; 4] {
    [Tie::Shootout, Tie::Extension { innings }, Tie::Draw, Tie::PlayOn]
}

/// Draws one rule anew.
fn change_rules(start: &mut Start, (kind, amount, flag): Dice) {
    let rules = start.rules.get_or_insert_default();
    let few = 1 + amount % 3;
    let per = if flag { Per::Unit } else { Per::Match };
    let begins = [Begins::Alternate, Begins::Winner, Begins::Loser, Begins::Called];
    let any = |len: usize| amount as usize % len;
    match kind % 17 {
        0 => rules.unit = Some([Unit::Match, Unit::Set, Unit::Rack, Unit::Frame][any(4)]),
        1 => {
            rules.length =
                Some(if flag { Length::BestOf(few + 1) } else { Length::RaceTo(PerSide::Each([few, 2])) })
        }
        2 => rules.begins = Some(begins[any(4)]),
        3 => rules.level = Some(if flag { Level::Draw } else { Level::ExtraUnit }),
        4 => rules.last_target = Some(few),
        5 => rules.overshoot = Some(flag),
        6 => rules.innings_max = Some(few),
        7 => rules.turns = Some([Turns::Miss, Turns::Shot, Turns::Open, Turns::Free][any(4)]),
        8 => rules.tie = Some(ties(few)[any(4)]),
        9 => rules.head_start = Some([few.cast_signed() - 2, 1]),
        10 => rules.below_zero = Some(flag),
        11 => rules.foul = Some([FoulPoints::None, FoulPoints::Opponent, FoulPoints::Deduct][any(3)]),
        12 => rules.foul_ends_turn = Some(flag),
        13 => (rules.rack_balls, rules.break_at_half) = (Some(few), Some(flag)),
        14 => rules.swap_balls = Some([SwapBalls::Never, SwapBalls::Half, SwapBalls::Unit][any(3)]),
        15 => {
            let clock = ShotClockRules { seconds: 40, extensions: few, extension_seconds: 30, per };
            (rules.shot_clock, rules.time_outs) =
                (Some(clock), Some(TimeOutRules { count: few, seconds: 60, per }));
        }
        _ => start.equalising_inning = Some(flag),
    }
}

/// An action that often fits: whoever is at the table decides half of the dice.
fn any_action(log: &Log, (kind, amount, first): Dice) -> Action {
    let (state, events) = (log.state(), log.events().len() as u64);
    let any = if first { Side::First } else { Side::Second };
    let side = state.as_ref().and_then(|s| s.at_table).unwrap_or(any);
    let target = log.rules().and_then(|rules| rules.target).map_or(0, |target| target.of(side).cast_signed());
    let left = target - state.as_ref().map_or(0, |state| side.of(&state.sides).points);
    let seq = 1 + u64::from(amount) % events.max(1);
    match kind {
        0..=6 => points(side, i32::try_from(amount % 6).unwrap() - 1),
        // Both at their targets in one inning is a tie.
        7 | 8 => points(side, left),
        9..=12 => end_inning(side),
        13 => foul(any, amount % 4),
        14 => foul(side, 0),
        15 => shootout(any, amount % 4),
        16 => shootout(any.other(), amount % 3),
        17 => end_unit((!amount.is_multiple_of(3)).then_some(any)),
        18 => Action::BeginUnit { breaks: any },
        19 => turn(any),
        20 => Action::Rerack {},
        21 => Action::Pause { code: None },
        22 => Action::Resume {},
        23 => Action::TimeOut { side: any },
        24 | 25 => {
            let orders = [ClockOrder::Start, ClockOrder::Stop, ClockOrder::Resume, ClockOrder::Extend];
            Action::ShotClock { order: orders[amount as usize % 4], side: (amount % 8 > 5).then_some(any) }
        }
        // Seldom: most of what there is comes before the end.
        26 if amount.is_multiple_of(9) => end(first.then_some(any)),
        26 => points(side, 1),
        27 => correct(seq, points(any, i32::try_from(amount % 5).unwrap())),
        28 => correct(seq, any_action(log, (amount.to_le_bytes()[1] % 27, amount / 7, first))),
        29 => start_of(1 + amount % 12, first, any),
        _ => undo(seq),
    }
}

fn dice(most: u8) -> impl Strategy<Value = Dice> {
    (0..most, 0_u32..100_000, any::<bool>())
}

/// A match as it was drawn. What was refused has changed nothing.
fn play(start: Start, dice: &[Dice]) -> Result<Scorer, TestCaseError> {
    let mut scorer = Scorer::default();
    prop_assert_eq!(scorer.offer(Action::Start(start)), Offer::Accept);
    for dice in dice {
        let (before, last) = (scorer.0.state(), scorer.0.last());
        let action = any_action(&scorer.0, *dice);
        match scorer.offer(action) {
            Offer::Accept => {}
            Offer::Invalid(invalid) => {
                prop_assert!(!invalid.to_string().is_empty());
                prop_assert_eq!((scorer.0.state(), scorer.0.last()), (before, last));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
    Ok(scorer)
}

/// What an event comes to, by the rules' own words: nothing where an undo that stands names it; else what the last
/// correction that stands and names it says; else what it said itself.
fn comes_to(events: &[(Position, Event)], at: usize) -> Option<&Action> {
    let named = |epoch: Option<u64>, seq: u64, by: Position| {
        events[at].0 == Position { epoch: epoch.unwrap_or(by.epoch), seq }
    };
    let mut action = &events[at].1.action;
    for (by, (position, event)) in events.iter().enumerate().skip(at + 1) {
        match &event.action {
            Action::Undo { epoch, seq }
                if named(*epoch, *seq, *position) && comes_to(events, by).is_some() =>
            {
                return None;
            }
            Action::Correct { epoch, seq, action: other }
                if named(*epoch, *seq, *position) && comes_to(events, by).is_some() =>
            {
                action = other;
            }
            _ => {}
        }
    }
    Some(action)
}

/// The log that a scorer would have sent who made no mistake.
fn clean(log: &Log) -> Result<Scorer, TestCaseError> {
    let mut clean = Scorer::default();
    for (at, (_, event)) in log.events().iter().enumerate() {
        let Some(action) = comes_to(log.events(), at) else { continue };
        if !matches!(action, Action::Undo { .. } | Action::Correct { .. }) {
            let event = Event { action: action.clone(), ..event.clone() };
            prop_assert_eq!(clean.offer_event(event), Offer::Accept);
        }
    }
    Ok(clean)
}

/// Adds up by itself what a match without changes comes to, and compares after every event.
fn check_figures(log: &Log) -> Result<(), TestCaseError> {
    let mut again = Log::new();
    let mut totals = [0_i32; 2];
    // By side, set and inning.
    let mut runs = BTreeMap::<(Side, Option<u32>, u32), i32>::new();
    let mut before: Option<State> = None;
    for (position, event) in log.events() {
        prop_assert_eq!(again.offer(*position, event.clone(), None), Offer::Accept);
        let (state, rules) = (again.state().unwrap(), *again.rules().unwrap());
        let was_extension = before.as_ref().is_some_and(|state| state.phase == Phase::Extension);
        let begun = before.as_ref().is_none_or(|before| before.unit != state.unit);
        for side in Side::BOTH {
            let total = side.of_mut(&mut totals);
            let shown = side.of(&state.sides);
            if begun {
                *total += side.of(&rules.head_start);
            }
            match event.action {
                Action::Points { side: by, points, .. } if by == side && !was_extension => {
                    *total += points;
                    *runs.entry((side, state.unit, shown.innings)).or_default() += points;
                }
                Action::Foul { side: by, points, .. } if !was_extension => match rules.foul {
                    FoulPoints::Opponent if by != side => *total += points.cast_signed(),
                    FoulPoints::Deduct if by == side => *total -= points.cast_signed(),
                    _ => {}
                },
                _ => {}
            }
            prop_assert!(!rules.points || shown.total_points.unwrap_or(shown.points) == *total);
            let of_side = runs.iter().filter(|((by, ..), _)| *by == side).map(|(_, run)| *run);
            let high_run = of_side.max().unwrap_or(0);
            prop_assert!(rules.turns == Turns::Free || shown.high_run.cast_signed() == high_run);
        }
        check_state(&state, &rules)?;
        before = Some(state);
    }
    Ok(())
}

/// What holds within every state.
fn check_state(state: &State, rules: &Rules) -> Result<(), TestCaseError> {
    let has_turns = rules.turns != Turns::Free;
    let innings = state.sides.map(|side| side.innings);
    if rules.is_strict() {
        prop_assert!(innings[0].abs_diff(innings[1]) <= 1, "{:?}", innings);
    }
    if state.phase == Phase::Playing && has_turns {
        prop_assert!(state.at_table.is_some());
    }
    prop_assert!(state.phase != Phase::Finished || state.at_table.is_none());
    prop_assert!(state.phase == Phase::Finished || state.winner.is_none());
    for side in Side::BOTH {
        let figures = side.of(&state.sides);
        prop_assert!(figures.run <= figures.high_run);
        prop_assert!(rules.below_zero || figures.points >= 0);
        let innings = figures.total_innings.unwrap_or(figures.innings);
        let points = i64::from(figures.total_points.unwrap_or(figures.points));
        let average = if innings == 0 { 0 } else { points * 1000 / i64::from(innings) };
        prop_assert_eq!(i64::from(figures.average_milli), average);
        prop_assert!(figures.fouls_in_row <= figures.fouls);
        if let (Some(target), false, Tie::Shootout | Tie::Draw) = (rules.target, rules.overshoot, rules.tie) {
            let most = target.of(side).max(rules.last_target.unwrap_or(0));
            prop_assert!(i64::from(figures.points) <= i64::from(most));
        }
    }
    if let Some(unit) = state.unit {
        let won = state.sides.map(|side| side.won.unwrap());
        prop_assert!(won[0] + won[1] <= unit && unit <= UNITS_MAX);
    }
    if let Some(clock) = state.shot_clock {
        prop_assert_eq!(clock.running, clock.deadline.is_some());
        prop_assert!(!clock.running || state.paused.is_none());
    }
    prop_assert_eq!(state.shot_clock.is_some(), rules.shot_clock.is_some());
    // The state is its own claim, and what is written is what was read.
    let json = serde_json::to_string(state).unwrap();
    prop_assert_eq!(&serde_json::from_str::<State>(&json).unwrap(), state);
    prop_assert!(serde_json::from_str::<Claim>(&json).unwrap().agrees(state));
    Ok(())
}

/// The sheet adds up to the score, and what was known of it at any event is what there was of it then.
fn check_sheet(log: &Log) -> Result<(), TestCaseError> {
    let whole = document(log);
    let rules = log.rules().unwrap();
    let state = log.state().unwrap();
    if rules.turns != Turns::Free {
        for side in Side::BOTH {
            let here =
                whole.turns.iter().filter(|turn| turn.unit == state.unit && turn.phase != Phase::Shootout);
            let made = here.map(|turn| if turn.side == side { turn.points } else { turn.given });
            let shown = side.of(&state.sides).points + side.of(&state.sides).extension.unwrap_or(0) as i32;
            prop_assert_eq!(side.of(&rules.head_start) + made.sum::<i32>(), shown);
        }
    }
    let mut then = Log::new();
    for (position, event) in log.events() {
        prop_assert_eq!(then.offer(*position, event.clone(), None), Offer::Accept);
        let then = document(&then);
        let at = then.entries.last().unwrap().at;
        let known = whole.before(at).unwrap();
        prop_assert_eq!(known.check(), Ok(()));
        // What playlists say is the same, by name.
        let told = |document: &Document| -> Vec<Range> {
            document.ranges().iter().filter_map(|range| range.before(at)).collect()
        };
        let (said, was_said) = (told(&whole), told(&then));
        if whole.entries.iter().filter(|entry| entry.at == at).count() > 1 {
            continue;
        }
        prop_assert_eq!(said, was_said);
        // A turn is called by the event before it, and begins with the first one of a set: which is not known before.
        let shown =
            |turns: &[Turn]| turns.iter().map(|turn| Turn { given: 0, last: 0, ..*turn }).collect::<Vec<_>>();
        prop_assert_eq!(shown(&known.turns), shown(&then.turns));
        // A shootout grows until it is over.
        let complete = |highlights: Vec<Highlight>| {
            highlights.into_iter().filter(|highlight| highlight.kind != Kind::Shootout).collect::<Vec<_>>()
        };
        prop_assert_eq!(complete(known.highlights), complete(then.highlights));
        prop_assert_eq!((known.entries, known.units), (then.entries, then.units));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_log_with_undos_and_corrections_is_the_log_of_who_made_no_mistake(
        first in dice(13),
        own in prop::collection::vec(dice(17), 0..8),
        dice in prop::collection::vec(dice(34), 1..100),
    ) {
        let scorer = play(any_start(first, &own), &dice)?;
        let clean = clean(&scorer.0)?;
        prop_assert_eq!(scorer.0.state(), clean.0.state());
        prop_assert_eq!(scorer.0.start(), clean.0.start());
        if scorer.0.start().is_some() {
            // And so is what viewers are shown, but for the entries that tell of the changes themselves.
            let (changed, clean) = (document(&scorer.0), document(&clean.0));
            prop_assert_eq!(changed.check(), Ok(()));
            let changes: Vec<u64> = (1..)
                .zip(scorer.0.events())
                .filter(|(_, (_, event))| matches!(event.action, Action::Undo { .. } | Action::Correct { .. }))
                .map(|(seq, _)| seq)
                .collect();
            let shown = |entries: &[Entry]| {
                let kept = entries.iter().filter(|entry| !changes.contains(&entry.seq));
                kept.map(|entry| (entry.pdt.clone(), entry.state.clone())).collect::<Vec<_>>()
            };
            let plain: Vec<_> = clean.entries.iter().map(|e| (e.pdt.clone(), e.state.clone())).collect();
            prop_assert_eq!(shown(&changed.entries), plain);
            prop_assert_eq!(&changed.units, &clean.units);
            let turns = |document: &Document| {
                let turns = document.turns.iter();
                turns.map(|turn| Turn { seq: 0, last: 0, ..*turn }).collect::<Vec<_>>()
            };
            prop_assert_eq!(turns(&changed), turns(&clean));
            let highlights = |document: &Document| {
                let highlights = document.highlights.iter();
                highlights.map(|highlight| Highlight { seq: 0, ..*highlight }).collect::<Vec<_>>()
            };
            prop_assert_eq!(highlights(&changed), highlights(&clean));
        }
        // Read again from what was kept, the log is the same.
        let again = Log::restore(scorer.0.events().iter().map(|(position, event)| {
            (*position, Event::from_json(&serde_json::to_vec(event).unwrap()).unwrap())
        }));
        prop_assert!(again.is_ok(), "{:?}", again);
        let again = again.unwrap();
        prop_assert_eq!(again.state(), scorer.0.state());
        prop_assert_eq!(again.events(), scorer.0.events());
    }

    #[test]
    fn every_figure_follows_from_what_was_played(
        first in dice(13),
        own in prop::collection::vec(dice(17), 0..8),
        dice in prop::collection::vec(dice(27), 1..120),
    ) {
        // No changes among the dice: what they come to is the other property.
        let scorer = play(any_start(first, &own), &dice)?;
        check_figures(&scorer.0)?;
        check_sheet(&scorer.0)?;
    }

    #[test]
    fn no_numbers_are_too_much(
        first in dice(13),
        own in prop::collection::vec(dice(17), 0..8),
        events in prop::collection::vec((any::<u64>(), dice(34), any::<i32>(), any::<u32>()), 1..60),
    ) {
        let mut scorer = Scorer::default();
        prop_assert_eq!(scorer.offer(Action::Start(any_start(first, &own))), Offer::Accept);
        for (occurred, dice, points_of, many) in events {
            let mut action = any_action(&scorer.0, dice);
            match &mut action {
                // Half of them far out of bounds, half as many as one event can have.
                Action::Points { points, .. } => *points = if dice.2 { points_of } else { points_of % 1001 },
                Action::Foul { points, .. } | Action::Shootout { points, .. } => {
                    *points = if dice.2 { many } else { many % 1001 };
                }
                Action::Undo { epoch, seq } | Action::Correct { epoch, seq, .. } if dice.2 => {
                    (*epoch, *seq) = (Some(u64::from(many)), occurred);
                }
                _ => {}
            }
            let event = Event { occurred: UtcMs(occurred), entered: None, scorer: None, action, state: None };
            scorer.offer_event(event);
            if scorer.0.start().is_some() {
                prop_assert_eq!(document(&scorer.0).check(), Ok(()));
            }
        }
    }

    #[test]
    fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::from_json(&bytes);
    }
}
