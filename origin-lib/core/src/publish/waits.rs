//! What is not told yet, because more of it may come: the first snapshot, and the end.
//!
//! A multivariant playlist is loaded once, so a player that begins without a rendition stays without it: the first snapshot
//! waits for those that may soon have something to see. Behind an end nothing is added (RFC 8216bis, 4.4.3.4), so that waits
//! for the last segments, which are on their way, and for rungs that are behind the source.

use super::rungs::Rung;
use super::{Book, GAP_WAIT_SEGMENTS, RUNG_BEHIND_MAX};
use crate::state::Phase;
use crate::time::UtcMs;

/// By how many segment durations the first snapshot waits for rungs to have something to see: who waits for the start of a
/// channel would never hear of what is not in it. The sound that is played by default is waited for longer, as long as the
/// source is no more than [`RUNG_BEHIND_MAX`] segments ahead of it.
pub const START_WAIT_SEGMENTS: u64 = 2;

/// Where the channel stands, and how much of that was told.
#[derive(Debug)]
pub(super) struct Waits {
    phase: Phase,
    /// The phase before the end, which is told as long as the end is not.
    before_end: Phase,
    /// When the end was seen.
    ended: Option<UtcMs>,
    /// That was so long ago that nothing more is waited for.
    over: bool,
    /// When the first segment was listed.
    begun: Option<UtcMs>,
    /// A snapshot was given out, by this run or by the one before.
    pub(super) told: bool,
    /// The origin is about to stop.
    stopping: bool,
}

impl Waits {
    pub(super) fn new() -> Waits {
        Waits {
            phase: Phase::Waiting,
            before_end: Phase::Waiting,
            ended: None,
            over: false,
            begun: None,
            told: false,
            stopping: false,
        }
    }

    /// Notes when what is waited from was first seen: at `now`, where that is before, since then the clock was set back.
    pub(super) fn advance(&mut self, has_begun: bool, now: UtcMs) {
        if has_begun {
            self.begun = Some(self.begun.map_or(now, |at| at.min(now)));
        }
        if self.phase == Phase::Ended {
            self.ended = Some(self.ended.map_or(now, |at| at.min(now)));
        }
    }

    /// Whether the channel has ended, and nothing more is waited for.
    pub(super) fn is_over(&self, segment_ms: u64, now: UtcMs) -> bool {
        let wait_ms = GAP_WAIT_SEGMENTS * segment_ms;
        self.ended.is_some_and(|ended| self.stopping || now.ms_since(ended) >= wait_ms)
    }
}

impl Book {
    /// Where the channel stands.
    pub fn set_phase(&mut self, phase: Phase) {
        let waits = &mut self.waits;
        if waits.phase == phase {
            return;
        }
        if phase == Phase::Ended {
            waits.before_end = waits.phase;
        }
        (waits.phase, waits.ended, waits.over, self.changed) = (phase, None, false, true);
    }

    /// The origin is about to stop, or was started after the end: where the channel has ended, or does, what is missing is waited for no
    /// longer. Nobody would be left to tell the end, or it was told already.
    pub fn stop(&mut self, now: UtcMs) {
        self.waits.stopping = true;
        self.advance(now);
    }

    /// Notes whether the end still waits for segments that no target has.
    pub(super) fn advance_end(&mut self, now: UtcMs) {
        let over = self.waits.is_over(u64::from(self.channel.segment_ms), now);
        let before = core::mem::replace(&mut self.waits.over, over);
        self.changed |= over != before && !self.waiting.is_empty();
    }

    /// The phase as it is told: the end waits for the last segments, and for the last of the rungs of which there is something to see.
    pub(super) fn phase_told(&self) -> Phase {
        let lags = |rung: &Rung| rung.is_shown() && rung.listed_len() < self.listed.len();
        let lacks = !self.waits.over && !self.waiting.is_empty();
        match self.waits.phase {
            Phase::Ended if lacks || self.rungs.iter().any(lags) => self.waits.before_end,
            phase => phase,
        }
    }

    /// Whether the first snapshot waits for a rung of which there is nothing to see yet.
    pub(super) fn waits_to_begin(&self, now: UtcMs) -> bool {
        let Waits { told, begun, phase, .. } = self.waits;
        let wait_ms = START_WAIT_SEGMENTS * u64::from(self.channel.segment_ms);
        let soon = begun.is_none_or(|begun| now.ms_since(begun) < wait_ms);
        let early = self.listed.len() <= RUNG_BEHIND_MAX;
        let ended = phase == Phase::Ended;
        // Also for one whose first segments are lost, unless nothing more comes.
        let is_awaited = |rung: &Rung| {
            (soon && (!ended || rung.listed_len() < self.listed.len()))
                || (early && !ended && rung.is_default_sound())
        };
        !told && self.rungs.iter().any(|rung| !rung.is_shown() && is_awaited(rung))
    }
}
