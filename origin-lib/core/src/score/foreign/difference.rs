//! What happened between two states: the one that our log leads to, and the one that the other system shows.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::mapping::{Mapping, Seen};
use crate::score::log::{Log, Position};
use crate::score::model::{Action, Event, Phase, Side, State};
use crate::score::next::Item;
use crate::score::rules::{Rules, Turns};
use crate::time::UtcMs;

/// The most events of one difference: more than that did not happen between two looks.
pub const EVENTS_MAX: usize = 200;

/// The epoch in which a system scores. A higher one is a person's who has taken over.
pub const EPOCH: u64 = 1;

/// The name under which a system scores: its offset (`[score] offsets_ms`) may be another one than a person's.
const SCORER: &str = "system";

/// Why no events lead to their state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// A person scores.
    #[error("a scorer has taken this match over with epoch {0}: the system's states are not taken any more")]
    TakenOver(u64),
    /// The rules of the match do not allow it.
    #[error("no event leads from the score that we have to this one ({points:?} points): {why}")]
    Rules {
        /// What is wrong.
        why: String,
        /// Their points.
        points: [i32; 2],
    },
}

/// The events that lead from the log to what is seen: none where it is there. They are numbered, and claim their score.
pub fn events(mapping: &Mapping, log: &Log, seen: &Seen, now: UtcMs) -> Result<Vec<Item>, Unreached> {
    if let Some(last) = log.last().filter(|last| last.epoch > EPOCH) {
        return Err(Unreached::TakenOver(last.epoch));
    }
    let mut path = Path { log: log.clone(), events: Vec::new(), now };
    path.reach(mapping, seen).map_err(|why| Unreached::Rules { why, points: seen.points })?;
    Ok(path.events)
}

struct Path {
    log: Log,
    events: Vec<Item>,
    now: UtcMs,
}

impl Path {
    fn reach(&mut self, mapping: &Mapping, seen: &Seen) -> Result<(), String> {
        if self.log.start().is_none() {
            self.take(Action::Start(mapping.start(seen)))?;
        }
        self.is_this_match(seen)?;
        self.take_back(seen)?;
        self.end_units(seen)?;
        self.go_on(seen)?;
        self.shoot_out(seen)?;
        if seen.finished && self.state()?.phase != Phase::Finished {
            self.take(Action::End { winner: leader(seen), code: None })?;
        }
        Ok(())
    }

    fn take(&mut self, action: Action) -> Result<(), String> {
        if self.events.len() == EVENTS_MAX {
            return Err(format!("it would take more than {EVENTS_MAX} events"));
        }
        let event =
            Event { occurred: self.now, entered: None, scorer: Some(SCORER.into()), action, state: None };
        let (log, item) = self.log.entered(EPOCH, event)?;
        self.log = log;
        self.events.push(item);
        Ok(())
    }

    fn state(&self) -> Result<State, String> {
        self.log.state().ok_or_else(|| "the match has not begun".into())
    }

    fn has(&self, is: impl Fn(&Rules) -> bool) -> bool {
        self.log.rules().is_some_and(is)
    }

    /// Whether it is the same match: a system may begin the next one before it says so, and that takes nothing from this one.
    fn is_this_match(&self, seen: &Seen) -> Result<(), String> {
        let state = self.state()?;
        let has_score = points(&state) != [0, 0] || Side::BOTH.into_iter().any(|side| won(&state, side) > 0);
        let is_nothing = seen.points == [0, 0] && seen.units.is_none_or(|units| units == [0, 0]);
        let is_over = state.phase == Phase::Finished;
        if !has_score {
            return Ok(());
        }
        // A name that is put right is no other match.
        let sides = self.log.start().map(|start| &start.sides);
        let others = sides.map_or(0, |sides| {
            Side::BOTH.iter().filter(|side| side.of(sides).name != side.of(&seen.players).name).count()
        });
        if let Some([a, b]) = sides.filter(|_| others == 2 || others == 1 && (is_over || is_nothing)) {
            let (a, b) = (&a.name, &b.name);
            return Err(format!("this is the match of {a} and {b}: another match needs another id"));
        }
        if is_over && is_nothing {
            return Err("the match is over, and keeps its score: another match needs another id".into());
        }
        Ok(())
    }

    /// Takes back what they do not have: from the newest event on as long as it is one of those, then the points before it.
    fn take_back(&mut self, seen: &Seen) -> Result<(), String> {
        while let Some((at, action)) = self.newest(|_| true) {
            let state = self.state()?;
            let is_settled = is_between(&state, seen) && has_units_of(&state, seen);
            let is_more = match action {
                Action::Start(_) => false,
                Action::End { .. } => !seen.finished || !is_settled && points(&state) != seen.points,
                _ if !has_units_of(&state, seen) => has_more_units_than(&state, seen),
                _ if is_settled => false,
                Action::EndInning { .. } => self.is_ahead(&state, seen),
                Action::Points { side, points, .. } => {
                    points > 0 && side.of(&state.sides).points - side.of(&seen.points) >= points
                }
                Action::Shootout { side, .. } => side.of(&state.sides).shootout > *side.of(&seen.shootout),
                _ => false,
            };
            if !is_more {
                break;
            }
            self.take(undo(at))?;
        }
        for side in Side::BOTH {
            loop {
                let state = self.state()?;
                let surplus = side.of(&state.sides).points - side.of(&seen.points);
                if surplus <= 0 || is_between(&state, seen) || !has_units_of(&state, seen) {
                    break;
                }
                let of_side = |action: &Action| matches!(action, Action::Points { side: of, points, .. } if *of == side && *points > 0);
                let (at, action) = self.newest(of_side).ok_or("there are no points to take back")?;
                let Action::Points { points, code, .. } = action else { break };
                self.take(if points > surplus {
                    let action = Box::new(Action::Points { side, points: points - surplus, code });
                    Action::Correct { epoch: Some(at.epoch), seq: at.seq, action }
                } else {
                    undo(at)
                })?;
            }
        }
        Ok(())
    }

    /// The newest event that stands and comes to this; where it was corrected, to what the correction says.
    fn newest(&self, is: impl Fn(&Action) -> bool) -> Option<(Position, Action)> {
        let standing = self.log.standing();
        let mut events = self.log.events().iter().zip(standing).rev();
        events.find_map(|((at, event), stands)| {
            let stands =
                stands.filter(|_| !matches!(event.action, Action::Undo { .. } | Action::Correct { .. }))?;
            is(stands).then(|| (*at, stands.clone()))
        })
    }

    /// Ends the sets, racks or frames that they count and we do not.
    fn end_units(&mut self, seen: &Seen) -> Result<(), String> {
        let Some(theirs) = seen.units else { return Ok(()) };
        loop {
            let state = self.state()?;
            let missing = Side::BOTH.map(|side| side.of(&theirs).saturating_sub(won(&state, side)));
            let Some(winner) = Side::BOTH.into_iter().find(|side| *side.of(&missing) > 0) else { break };
            if state.phase == Phase::Finished {
                return Err(format!(
                    "the match is over with {} to {}",
                    won(&state, Side::First),
                    won(&state, Side::Second)
                ));
            }
            let is_newest = missing == [1, 0] || missing == [0, 1];
            self.end_unit(winner, is_newest.then_some(seen.points), seen)?;
        }
        Ok(())
    }

    /// Ends the one that is played. `shown` are their points, which may be its last ones or the first ones of the next.
    fn end_unit(&mut self, winner: Side, shown: Option<[i32; 2]>, seen: &Seen) -> Result<(), String> {
        let before = won(&self.state()?, winner);
        if self.state()?.phase == Phase::Between && self.has(|rules| rules.points) {
            let breaks = self.state()?.at_table.unwrap_or(Side::First);
            self.take(Action::BeginUnit { breaks })?;
        }
        let target = self.log.target(winner).map(|target| i32::try_from(target).unwrap_or(i32::MAX));
        let ours = points(&self.state()?);
        let Some(target) = target else {
            // Points that are not below ours are still those of the one that ended.
            let last = shown.filter(|shown| shown.iter().zip(ours).all(|(theirs, ours)| *theirs >= ours));
            if let Some(last) = last.filter(|_| self.state().is_ok_and(|state| state.phase == Phase::Playing))
            {
                self.play_to(last)?;
            }
            return self.take(Action::EndUnit { winner: Some(winner), code: None });
        };
        let last = shown.filter(|shown| *winner.of(shown) >= target);
        let last = last.unwrap_or_else(|| {
            let mut last = ours;
            *winner.of_mut(&mut last) = target;
            last
        });
        self.play_to(last)?;
        self.shoot_out(seen)?;
        // An inning that is owed, or one of the rules that they do not share.
        if won(&self.state()?, winner) == before && self.state()?.phase == Phase::Playing {
            if let Some(side) = self.state()?.at_table.filter(|_| self.has(Rules::is_strict)) {
                self.take(Action::EndInning { side })?;
            }
            if won(&self.state()?, winner) == before {
                self.take(Action::EndUnit { winner: Some(winner), code: None })?;
            }
        }
        if won(&self.state()?, winner) == before { Err("nobody has won the last one".into()) } else { Ok(()) }
    }

    /// Plays the set or frame that is played to these points, whoever's turn it is then.
    fn play_to(&mut self, last: [i32; 2]) -> Result<(), String> {
        let unit = self.state()?.unit;
        loop {
            let state = self.state()?;
            if state.phase != Phase::Playing || state.unit != unit || points(&state) == last {
                return Ok(());
            }
            match state.at_table {
                Some(side) => {
                    self.score(side, self.due(&state, side, last))?;
                    let now = self.state()?;
                    let is_same =
                        now.phase == Phase::Playing && now.unit == unit && now.at_table == Some(side);
                    if is_same && points(&now) != last {
                        self.take(Action::EndInning { side })?;
                    }
                }
                None => {
                    for side in Side::BOTH {
                        self.score(side, side.of(&last) - side.of(&points(&self.state()?)))?;
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Plays on until everything is as they have it.
    fn go_on(&mut self, seen: &Seen) -> Result<(), String> {
        let state = self.state()?;
        if is_between(&state, seen) {
            let is_next =
                state.phase == Phase::Between && points(&state) != seen.points && seen.points != [0, 0];
            if !is_next {
                return Ok(());
            }
            let begins = seen.at_table.filter(|side| {
                seen.inning.is_some_and(|inning| inning <= 1) && *side.other().of(&seen.points) == 0
            });
            let breaks = begins.or(state.at_table).unwrap_or(Side::First);
            self.take(Action::BeginUnit { breaks })?;
        }
        if self.has(|rules| rules.turns == Turns::Free) {
            for side in Side::BOTH {
                self.score(side, side.of(&seen.points) - side.of(&self.state()?.sides).points)?;
            }
            return Ok(());
        }
        loop {
            let state = self.state()?;
            let Some(side) = state.at_table.filter(|_| state.phase == Phase::Playing) else { break };
            self.score(side, self.due(&state, side, seen.points))?;
            let state = self.state()?;
            if state.at_table != Some(side) {
                if is_between(&state, seen) {
                    break;
                }
                continue;
            }
            if self.is_there(&state, seen) {
                break;
            }
            if self.is_ahead(&state, seen) {
                break;
            }
            self.take(Action::EndInning { side })?;
        }
        let state = self.state()?;
        let points = points(&state);
        if points != seen.points {
            return Err(format!("by the rules nothing more is played at {} to {}", points[0], points[1]));
        }
        if state.phase == Phase::Playing && !self.is_there(&state, seen) {
            return Err(format!("we are in inning {} already", state.inning));
        }
        Ok(())
    }

    /// Turns of a shootout that they have and we do not, in the order of the table; of whoever has played already, more points.
    fn shoot_out(&mut self, seen: &Seen) -> Result<(), String> {
        loop {
            let state = self.state()?;
            if !matches!(state.phase, Phase::Shootout | Phase::Finished) {
                return Ok(());
            }
            let is_behind = |side: &Side| side.of(&state.sides).shootout < *side.of(&seen.shootout);
            let first = state.at_table.filter(is_behind);
            let Some(side) = first.or_else(|| Side::BOTH.into_iter().find(is_behind)) else { return Ok(()) };
            let theirs = side.of(&seen.shootout).unwrap_or(0);
            let more = theirs.saturating_sub(side.of(&state.sides).shootout.unwrap_or(0));
            if state.phase == Phase::Shootout && state.at_table != Some(side.other()) {
                self.take(Action::Shootout { side, points: more })?;
                continue;
            }
            let of_side =
                |action: &Action| matches!(action, Action::Shootout { side: of, .. } if *of == side);
            let Some((at, Action::Shootout { points, .. })) = self.newest(of_side) else { return Ok(()) };
            let action = Box::new(Action::Shootout { side, points: points.saturating_add(more) });
            self.take(Action::Correct { epoch: Some(at.epoch), seq: at.seq, action })?;
        }
    }

    /// Whether score and turn are theirs. A side that has reached its target may be at the table as long as nothing else is
    /// played: by the rules its turn is over, and the opponent's begins in the same inning.
    fn is_there(&self, state: &State, seen: &Seen) -> bool {
        points(state) == seen.points
            && seen.inning.is_none_or(|inning| state.inning == inning)
            && seen
                .at_table
                .is_none_or(|side| state.at_table == Some(side) || self.has_just_got_there(state, side))
    }

    fn has_just_got_there(&self, state: &State, side: Side) -> bool {
        let is_at_target = self
            .log
            .target(side)
            .is_some_and(|target| i64::from(side.of(&state.sides).points) >= i64::from(target));
        let last = self.newest(|_| true);
        is_at_target && matches!(last, Some((_, Action::Points { side: of, .. })) if of == side)
    }

    /// Whether our turn is a later one than theirs.
    fn is_ahead(&self, state: &State, seen: &Seen) -> bool {
        let Some(inning) = seen.inning else { return false };
        let breaks = state.breaks.or(self.log.start().map(|start| start.breaks));
        let is_second = |side: Option<Side>| side.is_some() && side != breaks;
        let theirs = (inning, seen.at_table.is_none_or(|side| is_second(Some(side))));
        (state.inning, is_second(state.at_table)) > theirs
    }

    /// The points that `side` makes in this turn, to get to these: none where they would end it before the opponent has his.
    fn due(&self, state: &State, side: Side, last: [i32; 2]) -> i32 {
        let due = Side::BOTH.map(|side| side.of(&last) - side.of(&state.sides).points);
        let target = self.log.target(side).and_then(|target| i32::try_from(target).ok());
        let is_end = target.is_some_and(|target| *side.of(&last) >= target);
        let breaks = state.breaks.or(self.log.start().map(|start| start.breaks));
        let is_owed = self.has(|rules| rules.equalising_inning) && breaks == Some(side);
        if is_end && !is_owed && *side.other().of(&due) > 0 { 0 } else { *side.of(&due) }
    }

    fn score(&mut self, side: Side, points: i32) -> Result<(), String> {
        if points == 0 { Ok(()) } else { self.take(Action::Points { side, points, code: None }) }
    }
}

fn undo(at: Position) -> Action {
    Action::Undo { epoch: Some(at.epoch), seq: at.seq }
}

fn points(state: &State) -> [i32; 2] {
    state.sides.each_ref().map(|side| side.points)
}

fn won(state: &State, side: Side) -> u32 {
    side.of(&state.sides).won.unwrap_or(0)
}

/// Whether nothing is played in a match of sets, racks or frames: the points in sight are those of the last one.
fn is_between(state: &State, seen: &Seen) -> bool {
    seen.units.is_some() && matches!(state.phase, Phase::Between | Phase::Finished)
}

fn has_more_units_than(state: &State, seen: &Seen) -> bool {
    seen.units.is_some_and(|theirs| Side::BOTH.into_iter().any(|side| won(state, side) > *side.of(&theirs)))
}

/// Whether as many are won as they say; also where they show the last points of one that they have not counted yet.
fn has_units_of(state: &State, seen: &Seen) -> bool {
    let Some(theirs) = seen.units else { return true };
    let ours = Side::BOTH.map(|side| won(state, side));
    let is_one_more =
        ours.iter().sum::<u32>() == theirs.iter().sum::<u32>() + 1 && has_more_units_than(state, seen);
    ours == theirs
        || (is_one_more && is_between(state, seen) && points(state) == seen.points && seen.points != [0, 0])
}

/// Who has won a match that they call finished: by sets, else by points, else by the shootout.
fn leader(seen: &Seen) -> Option<Side> {
    let [first, second] = seen.units.unwrap_or_default();
    let by_points = |points: [i32; 2]| points[0].cmp(&points[1]);
    let lead = match seen.units {
        Some(_) => first.cmp(&second),
        None => by_points(seen.points).then_with(|| seen.shootout[0].cmp(&seen.shootout[1])),
    };
    match lead {
        Ordering::Greater => Some(Side::First),
        Ordering::Less => Some(Side::Second),
        Ordering::Equal => None,
    }
}

#[cfg(test)]
mod tests;
