//! The score log: what is taken, and what undos and corrections make of it.
//!
//! A plain event costs one step of the reducer, however long the log is. An undo or a correction may reach anywhere: it
//! plays the log again, O(n log n) for n events, of which there are at most [`EVENTS_MAX`]. So does the document, and so
//! does a log that is read from where it was kept, whatever was undone in it.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::model::{Action, Event, OCCURRED_AHEAD_MS_MAX, Side, Start, State};
use super::reducer::{self, Invalid, Match};
use super::rules::Rules;
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

impl Position {
    fn check(self) -> Result<(), Invalid> {
        let bounds = 1..=POSITION_MAX;
        if bounds.contains(&self.epoch) && bounds.contains(&self.seq) {
            Ok(())
        } else {
            Err(Invalid::Position)
        }
    }
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

/// A kept event does not fit behind those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which one, counted from 0.
    pub index: usize,
    /// What the log says to it.
    pub offer: Offer,
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

    /// The log of events that were all taken once, and are kept in this order. It is played once, at the end.
    pub fn restore(events: impl IntoIterator<Item = (Position, Event)>) -> Result<Log, Misfit> {
        let mut log = Log::new();
        for (index, (position, event)) in events.into_iter().enumerate() {
            log.append(position, event).map_err(|offer| Misfit { index, offer })?;
        }
        match log.replay(None, |_, _, _, _| {}) {
            Ok(present) => Ok(Log { present, ..log }),
            Err(invalid) => {
                let at = if let Invalid::Breaks { epoch, seq } = invalid {
                    Some(Position { epoch, seq })
                } else {
                    None
                };
                let index = at.and_then(|at| log.index(at)).unwrap_or(0);
                Err(Misfit { index, offer: Offer::Invalid(invalid) })
            }
        }
    }

    /// Takes a kept event without playing it.
    fn append(&mut self, position: Position, event: Event) -> Result<(), Offer> {
        position.check().map_err(Offer::Invalid)?;
        let expected = self.expected(position.epoch);
        if position != expected {
            return Err(Offer::Gap { expected });
        }
        self.check(&event, None).map_err(Offer::Invalid)?;
        let named = Change::of(position, &event.action).map(|change| change.named);
        if named.is_some_and(|named| self.index(named).is_none()) {
            return Err(Offer::Invalid(Invalid::NoSuchEvent));
        }
        self.events.push((position, event));
        Ok(())
    }

    /// Takes the event, or says why not. With `now` the event's clock is checked against it.
    pub fn offer(&mut self, position: Position, event: Event, now: Option<UtcMs>) -> Offer {
        if let Err(invalid) = position.check() {
            return Offer::Invalid(invalid);
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

    /// The points that end the set, frame or match for `side`, which a deciding set may have of its own; `None` where there
    /// are none.
    pub(super) fn target(&self, side: Side) -> Option<u32> {
        self.present.as_ref()?.target(side)
    }

    /// The rules that the match is played by.
    pub fn rules(&self) -> Option<&Rules> {
        self.present.as_ref().map(Match::rules)
    }

    /// The position of the last event.
    pub fn last(&self) -> Option<Position> {
        self.events.last().map(|(position, _)| *position)
    }

    /// Every event, in order, undone ones, undos and corrections included.
    pub fn events(&self) -> &[(Position, Event)] {
        &self.events
    }

    /// Who entered the event with this index, as far as it says.
    pub(super) fn scorer(&self, index: usize) -> Option<&str> {
        self.events.get(index)?.1.scorer.as_deref()
    }

    /// The events that follow `position`, which need not be in the log.
    pub fn after(&self, position: Position) -> &[(Position, Event)] {
        let from = self.events.partition_point(|(at, _)| *at <= position);
        self.events.get(from..).unwrap_or_default()
    }

    /// From when to when it was played so far, by the scorer's clock. `None` before its start.
    pub fn played(&self) -> Option<(UtcMs, UtcMs)> {
        self.present.as_ref()?;
        let times = || self.events.iter().map(|(_, event)| event.occurred);
        times().min().zip(times().max())
    }

    /// When the newest event that stands occurred, of those that are played: neither what mends others nor the end. `None` without a
    /// start.
    pub fn last_played(&self) -> Option<UtcMs> {
        self.present.as_ref()?;
        let is_played = |action: &Action| {
            !matches!(action, Action::Undo { .. } | Action::Correct { .. } | Action::End { .. })
        };
        let events = self.events.iter().zip(self.standing());
        let played = events.filter(|((_, event), stands)| stands.is_some() && is_played(&event.action));
        played.map(|((_, event), _)| event.occurred).max()
    }

    /// What each event comes to, in the log's order: its own action or what corrects it, `None` where it is undone.
    pub fn standing(&self) -> Vec<Option<&Action>> {
        self.standing_after(None)
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
        self.check(event, now)?;
        let Some(change) = Change::of(position, &event.action) else {
            let mut present = self.present.clone();
            reducer::apply(&mut present, &event.action, event.occurred)?;
            return Ok(present);
        };
        let index = self.index(change.named).ok_or(Invalid::NoSuchEvent)?;
        let named = self.standing().get(index).copied().flatten().ok_or(Invalid::NoSuchEvent)?;
        if change.becomes.is_some() && Change::of(position, named).is_some() {
            return Err(Invalid::CorrectionOfChange);
        }
        self.replay(Some(change), |_, _, _, _| {})
    }

    /// What can be said of an event without the match.
    fn check(&self, event: &Event, now: Option<UtcMs>) -> Result<(), Invalid> {
        event.check()?;
        if now.is_some_and(|now| event.occurred.ms_since(now) > OCCURRED_AHEAD_MS_MAX) {
            return Err(Invalid::Clock);
        }
        if self.events.len() >= EVENTS_MAX { Err(Invalid::Full) } else { Ok(()) }
    }

    /// What each event comes to, in the log's order, after a change that is the newest of all: its own action or what
    /// corrects it, `None` where it is undone. Changes name earlier events only, so that from the newest on, each is
    /// decided when it is reached.
    fn standing_after<'a>(&'a self, newest: Option<Change<'a>>) -> Vec<Option<&'a Action>> {
        let mut actions: Vec<_> = self.events.iter().map(|(_, event)| Some(&event.action)).collect();
        let mut is_corrected = vec![false; actions.len()];
        let mut make = |actions: &mut Vec<Option<&'a Action>>, change: Change<'a>| {
            let Some(named) = self.index(change.named) else { return };
            match (actions.get_mut(named), is_corrected.get_mut(named)) {
                (Some(action), Some(is_corrected)) if change.becomes.is_none() || !*is_corrected => {
                    (*action, *is_corrected) = (change.becomes, true);
                }
                _ => {}
            }
        };
        if let Some(change) = newest {
            make(&mut actions, change);
        }
        for (index, (position, _)) in self.events.iter().enumerate().rev() {
            let action = actions.get(index).copied().flatten();
            if let Some(change) = action.and_then(|action| Change::of(*position, action)) {
                make(&mut actions, change);
            }
        }
        actions
    }

    /// Plays the events that stand, after a change that is the newest of all, and gives the match after them; `each` sees
    /// the index of each, when it occurred, what it comes to, and the match after it.
    pub(super) fn replay(
        &self,
        newest: Option<Change<'_>>,
        mut each: impl FnMut(usize, UtcMs, &Action, Option<&Match>),
    ) -> Result<Option<Match>, Invalid> {
        let corrected = newest.filter(|change| change.becomes.is_some()).map(|change| change.named);
        let mut game = None;
        for (index, ((position, event), action)) in
            self.events.iter().zip(self.standing_after(newest)).enumerate()
        {
            let Some(action) = action else { continue };
            reducer::apply(&mut game, action, event.occurred).map_err(|invalid| {
                // What is wrong with the correction itself is the scorer's to know.
                let Position { epoch, seq } = *position;
                if corrected == Some(*position) { invalid } else { Invalid::Breaks { epoch, seq } }
            })?;
            each(index, event.occurred, action, game.as_ref());
        }
        Ok(game)
    }
}

/// What an undo or a correction does.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    /// To which event.
    named: Position,
    /// What it comes to; `None` where it is taken back.
    becomes: Option<&'a Action>,
}

impl<'a> Change<'a> {
    /// What `action` does as the event at `position`.
    fn of(position: Position, action: &'a Action) -> Option<Change<'a>> {
        let becomes = if let Action::Correct { action, .. } = action { Some(&**action) } else { None };
        action.named(position).map(|named| Change { named, becomes })
    }
}
