//! How much of a target's bandwidth its backlog may take.

use std::time::{Duration, Instant};

/// How much of a target's bandwidth the backlog may take, so that the live edge never waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Puts at a time.
    pub workers: usize,
    /// Bytes a second; `None`: no limit.
    pub bytes_a_second: Option<u64>,
}

/// What of the share is left: a bucket that fills up at the rate, to one second's worth.
#[derive(Debug)]
pub(super) struct Budget {
    share: Share,
    in_flight: usize,
    /// Bytes; below zero after an object that was larger than what was left.
    left: i64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(share: Share, now: Instant) -> Budget {
        let left = share.bytes_a_second.map_or(0, |rate| i64::try_from(rate).unwrap_or(i64::MAX));
        Budget { share, in_flight: 0, left, at: now }
    }

    /// Whether an object of the backlog may go at `now`; else when, or `None` for when another has come back.
    pub(super) fn allows(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        if self.in_flight >= self.share.workers.max(1) {
            return Err(None);
        }
        let Some(rate) = self.share.bytes_a_second else { return Ok(()) };
        let rate = i64::try_from(rate.max(1)).unwrap_or(i64::MAX);
        let passed_us = i64::try_from(now.saturating_duration_since(self.at).as_micros()).unwrap_or(i64::MAX);
        let more = i64::try_from(i128::from(rate) * i128::from(passed_us) / 1_000_000).unwrap_or(i64::MAX);
        if more > 0 {
            (self.left, self.at) = (self.left.saturating_add(more).min(rate), now);
        }
        if self.left > 0 {
            return Ok(());
        }
        // Until one byte is left again, rounded up.
        let wait_us = i128::from(1 - self.left) * 1_000_000 / i128::from(rate) + 1;
        Err(Some(now + Duration::from_micros(u64::try_from(wait_us).unwrap_or(u64::MAX))))
    }

    /// An object of so many bytes goes.
    pub(super) fn took(&mut self, len: u64) {
        self.in_flight += 1;
        self.left = self.left.saturating_sub(i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// One has come back.
    pub(super) fn came_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
