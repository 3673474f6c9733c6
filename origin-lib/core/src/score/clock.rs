//! The shot clock: a deadline while it runs, what is left while it stands. No ticks.

use super::model::ShotClock;
use crate::time::UtcMs;

/// A shot clock as the reducer keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// So many milliseconds are left.
    Stands(u64),
    /// It is down to zero then.
    Runs(UtcMs),
}

impl Clock {
    pub(super) fn is_running(self) -> bool {
        matches!(self, Clock::Runs(_))
    }

    /// What is left at `now`, in milliseconds.
    pub(super) fn left_ms(self, now: UtcMs) -> u64 {
        match self {
            Clock::Stands(left_ms) => left_ms,
            Clock::Runs(deadline) => deadline.ms_since(now),
        }
    }

    pub(super) fn run(&mut self, now: UtcMs) {
        *self = Clock::Runs(now.plus_ms(self.left_ms(now)));
    }

    pub(super) fn stop(&mut self, now: UtcMs) {
        *self = Clock::Stands(self.left_ms(now));
    }

    /// Adds to what is left: a clock that was down to zero runs on from there.
    pub(super) fn extend(&mut self, ms: u64, now: UtcMs) {
        let left_ms = self.left_ms(now).saturating_add(ms);
        *self = if self.is_running() { Clock::Runs(now.plus_ms(left_ms)) } else { Clock::Stands(left_ms) };
    }

    pub(super) fn at(self, now: UtcMs) -> ShotClock {
        let deadline = if let Clock::Runs(deadline) = self { Some(deadline) } else { None };
        ShotClock { running: deadline.is_some(), deadline, remaining_ms: self.left_ms(now) }
    }
}
