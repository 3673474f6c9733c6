//! The score log: what is taken, and what an undo leaves standing.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::model::{Action, Event, OCCURRED_AHEAD_MS_MAX, Start, State};
use super::reducer::{self, Invalid, Match};
use crate::time::UtcMs;

/// The most events of a match.
pub const EVENTS_MAX: usize = 10_000;

/// The highest epoch and the highest number: the highest integer that every JSON reader keeps exact.
pub const POSITION_MAX: u64 = (1 << 53) - 1;

/// Where an event stands in its match's log. Ordered as the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The scorer's turn at the job; 1 or more, only ever up.
    pub epoch: u64,
    /// The event's number in the epoch; the first is 1, each next one is one more.
    pub seq: u64,
}

impl core::fmt::Display for Position {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.epoch, self.seq)
    }
}

/// The log's answer to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Taken: the event is the log's last one now.
    Accept,
    /// The log has this very event at this position already.
    Same,
    /// The log has another event at this position.
    Conflict,
    /// Events are missing before this one, or another scorer has taken over.
    Gap {
        /// What the log would take next.
        expected: Position,
    },
    /// The event breaks a rule; the log is as it was.
    Invalid(Invalid),
}

/// The events of one match, in order, and the score they lead to.
#[derive(Clone, Debug, Default)]
pub struct Log {
    events: Vec<(Position, Event)>,
    present: Option<Match>,
}

impl Log {
    /// An empty log.
    pub fn new() -> Log {
        Log::default()
    }

    /// Takes the event, or says why not. With `now` the event's clock is checked against it; without (when a kept log
    /// is read again) it is not.
    pub fn offer(&mut self, position: Position, event: Event, now: Option<UtcMs>) -> Offer {
        if !(1..=POSITION_MAX).contains(&position.epoch) || !(1..=POSITION_MAX).contains(&position.seq) {
            return Offer::Invalid(Invalid::Position);
        }
        if let Some(kept) = self.event(position) {
            return if *kept == event { Offer::Same } else { Offer::Conflict };
        }
        let expected = self.expected(position.epoch);
        if position != expected {
            return Offer::Gap { expected };
        }
        match self.result_of(position, &event, now) {
            Err(invalid) => Offer::Invalid(invalid),
            Ok(present) => {
                self.present = present;
                self.events.push((position, event));
                Offer::Accept
            }
        }
    }

    /// The score, once the match has started.
    pub fn state(&self) -> Option<State> {
        self.present.as_ref().map(Match::state)
    }

    /// How the match was started.
    pub fn start(&self) -> Option<&Start> {
        self.present.as_ref().map(|game| &game.start)
    }

    /// The position of the last event.
    pub fn last(&self) -> Option<Position> {
        self.events.last().map(|(position, _)| *position)
    }

    /// Every event, in order, undone ones and undos included.
    pub fn events(&self) -> &[(Position, Event)] {
        &self.events
    }

    /// The events that follow `position`, which need not be in the log.
    pub fn after(&self, position: Position) -> &[(Position, Event)] {
        let from = self.events.partition_point(|(at, _)| *at <= position);
        self.events.get(from..).unwrap_or_default()
    }

    /// What the log would take next from the scorer of `epoch`.
    fn expected(&self, epoch: u64) -> Position {
        match self.last() {
            Some(last) if epoch <= last.epoch => Position { epoch: last.epoch, seq: last.seq + 1 },
            _ => Position { epoch, seq: 1 },
        }
    }

    fn index(&self, position: Position) -> Option<usize> {
        self.events.binary_search_by_key(&position, |(at, _)| *at).ok()
    }

    fn event(&self, position: Position) -> Option<&Event> {
        self.index(position).and_then(|at| self.events.get(at)).map(|(_, event)| event)
    }

    fn result_of(
        &self,
        position: Position,
        event: &Event,
        now: Option<UtcMs>,
    ) -> Result<Option<Match>, Invalid> {
        event.check()?;
        if now.is_some_and(|now| event.occurred.ms_since(now) > OCCURRED_AHEAD_MS_MAX) {
            return Err(Invalid::Clock);
        }
        if self.events.len() >= EVENTS_MAX {
            return Err(Invalid::Full);
        }
        let Action::Undo { epoch, seq } = event.action else {
            return reducer::apply(self.present.clone(), &event.action);
        };
        let undone = Position { epoch: epoch.unwrap_or(position.epoch), seq };
        let undone = self.index(undone).ok_or(Invalid::UndoOfNothing)?;
        if !self.standing(None).get(undone).is_some_and(|stands| *stands) {
            return Err(Invalid::UndoOfNothing);
        }
        let mut present = None;
        self.replay(Some(undone), |_, _, result| present = result.cloned())?;
        Ok(present)
    }

    /// Which events stand, in the log's order: neither undone, nor undone by `undone` as the newest of all. Undos name
    /// earlier events only, so that from the newest on, each is decided when it is reached.
    fn standing(&self, undone: Option<usize>) -> Vec<bool> {
        let mut standing = vec![true; self.events.len()];
        if let Some(stands) = undone.and_then(|undone| standing.get_mut(undone)) {
            *stands = false;
        }
        for (index, (position, event)) in self.events.iter().enumerate().rev() {
            let Action::Undo { epoch, seq } = event.action else { continue };
            if standing.get(index).is_some_and(|stands| *stands) {
                let named = Position { epoch: epoch.unwrap_or(position.epoch), seq };
                if let Some(named) = self.index(named).and_then(|named| standing.get_mut(named)) {
                    *named = false;
                }
            }
        }
        standing
    }

    /// Plays the events that stand; `each` sees the index of each, the event, and the match after it.
    pub(super) fn replay(
        &self,
        undone: Option<usize>,
        mut each: impl FnMut(usize, &Event, Option<&Match>),
    ) -> Result<(), Invalid> {
        let mut game = None;
        let standing = self.standing(undone);
        for (index, ((position, event), stands)) in self.events.iter().zip(standing).enumerate() {
            if stands {
                game = reducer::apply(game, &event.action)
                    .map_err(|_| Invalid::UndoBreaks { epoch: position.epoch, seq: position.seq })?;
                each(index, event, game.as_ref());
            }
        }
        Ok(())
    }
}
