//! What happened between two states: the one that our log leads to, and the one that the other system shows.

use railbird_core::score::{Action, Event, Item, Log, Phase, Position, Side, State, Turns};
use railbird_core::time::UtcMs;

use super::mapping::{Mapping, Seen};

/// The most events of one difference: more than that did not happen between two looks.
const EVENTS_MAX: usize = 200;

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
pub(super) fn events(mapping: &Mapping, log: &Log, seen: &Seen, now: UtcMs) -> Result<Vec<Item>, Unreached> {
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
        self.take_back(seen)?;
        self.go_on(seen)?;
        let state = self.state()?;
        if seen.finished && state.phase != Phase::Finished {
            let [first, second] = seen.points;
            let winner = match first.cmp(&second) {
                std::cmp::Ordering::Greater => Some(Side::First),
                std::cmp::Ordering::Less => Some(Side::Second),
                std::cmp::Ordering::Equal => None,
            };
            self.take(Action::End { winner, code: None })?;
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

    /// Takes back what they do not have: from the newest event on as long as it is one of those, then the points before it.
    fn take_back(&mut self, seen: &Seen) -> Result<(), String> {
        while let Some((at, action)) = self.newest(|_| true) {
            let state = self.state()?;
            let is_more = match action {
                Action::EndInning { .. } => self.is_ahead(&state, seen),
                Action::End { .. } => !seen.finished || state.sides.map(|side| side.points) != seen.points,
                Action::Points { side, points, .. } => {
                    points > 0 && side.of(&state.sides).points - side.of(&seen.points) >= points
                }
                _ => false,
            };
            if !is_more {
                break;
            }
            self.take(undo(at))?;
        }
        for side in Side::BOTH {
            loop {
                let surplus = side.of(&self.state()?.sides).points - side.of(&seen.points);
                if surplus <= 0 {
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

    /// Plays on until everything is as they have it.
    fn go_on(&mut self, seen: &Seen) -> Result<(), String> {
        if self.log.rules().is_some_and(|rules| rules.turns == Turns::Free) {
            for side in Side::BOTH {
                self.score(side, side.of(&seen.points) - side.of(&self.state()?.sides).points)?;
            }
            return Ok(());
        }
        loop {
            let state = self.state()?;
            let Some(side) = state.at_table.filter(|_| state.phase == Phase::Playing) else { break };
            self.score(side, side.of(&seen.points) - side.of(&state.sides).points)?;
            let state = self.state()?;
            if state.at_table != Some(side) {
                continue;
            }
            if is_there(&state, seen) {
                break;
            }
            if self.is_ahead(&state, seen) {
                break;
            }
            self.take(Action::EndInning { side })?;
        }
        let state = self.state()?;
        let points = state.sides.map(|side| side.points);
        if points != seen.points {
            return Err(format!("by the rules nothing more is played at {} to {}", points[0], points[1]));
        }
        if state.phase == Phase::Playing && !is_there(&state, seen) {
            return Err(format!("we are in inning {} already", state.inning));
        }
        Ok(())
    }

    /// Whether our turn is a later one than theirs.
    fn is_ahead(&self, state: &State, seen: &Seen) -> bool {
        let Some(inning) = seen.inning else { return false };
        let breaks = self.log.start().map(|start| start.breaks);
        let is_second = |side: Option<Side>| side.is_some() && side != breaks;
        let theirs = (inning, seen.at_table.is_none_or(|side| is_second(Some(side))));
        (state.inning, is_second(state.at_table)) > theirs
    }

    fn score(&mut self, side: Side, points: i32) -> Result<(), String> {
        if points == 0 { Ok(()) } else { self.take(Action::Points { side, points, code: None }) }
    }
}

fn undo(at: Position) -> Action {
    Action::Undo { epoch: Some(at.epoch), seq: at.seq }
}

fn is_there(state: &State, seen: &Seen) -> bool {
    state.sides.each_ref().map(|side| side.points) == seen.points
        && seen.inning.is_none_or(|inning| state.inning == inning)
        && seen.at_table.is_none_or(|side| state.at_table == Some(side))
}

#[cfg(test)]
mod tests;
