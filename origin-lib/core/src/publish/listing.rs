//! When a segment is listed, and when it leaves the list.

use super::rungs::Rung;
use super::{Book, INITS_KEPT};
use crate::object;
use crate::recording::rounded_s;
use crate::state::{self, PARTS_IDLE_MS, SEGMENTS_MAX, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// How many segment durations a segment may be overtaken by later ones before it becomes a gap.
pub const GAP_WAIT_SEGMENTS: u64 = 3;

/// A segment was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it starts.
    pub start: MediaTime,
    /// It was listed as a gap.
    pub gap: bool,
}

/// A segment that was made and is not listed yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) segment: Segment,
    /// When a later segment was first acknowledged.
    pub(super) overtaken: Option<UtcMs>,
    /// When it was first acknowledged itself.
    pub(super) acked: Option<UtcMs>,
}

impl Book {
    /// The number of a segment that starts here, where it is the first one that is listed.
    pub(super) fn number_of_first(&self, start: MediaTime) -> u64 {
        // Numbers rise by one a segment, and so hardly faster than the epoch index: not even an origin that comes back without
        // its disk goes back, but by the segments that uneven key frames made more. Those the edge's merged state keeps.
        self.first_msn.max(object::index(start, self.channel.segment_ms).0)
    }

    /// Lists what may be listed at `now`.
    pub fn advance(&mut self, now: UtcMs) {
        // Where the clock was set back, silence counts from now on.
        self.part_listed = self.part_listed.map(|at| at.min(now));
        if self.part_listed.take_if(|at| now.ms_since(*at) >= PARTS_IDLE_MS).is_some() {
            self.changed |= self.parts.listed().next().is_some();
            self.parts.give_up();
        }
        self.advance_parts(now);
        while let Some(gap) = self.waiting.front().and_then(|first| self.may_list(first, now)) {
            self.list_first(gap);
            self.advance_parts(now);
        }
        self.advance_frames(now);
        self.waits.advance(!self.listed.is_empty(), now);
        self.advance_rungs(now);
        self.advance_end(now);
    }

    /// Whether the first one that waits may be listed, and if so, whether as a gap.
    fn may_list(&self, first: &Waiting, now: UtcMs) -> Option<bool> {
        let segment_ms = u64::from(self.channel.segment_ms);
        let init_on = self.inits.get(usize::from(first.segment.init)).map_or(0, |(_, on, _)| *on);
        if first.segment.gap {
            Some(true)
        } else if first.segment.on & init_on != 0 {
            // Who plays its parts would lose all of them with the one that it has overtaken.
            let fresh = first.acked.is_some_and(|since| now.ms_since(since) < segment_ms);
            (!fresh || !self.parts.is_half_listed(first.segment.start)).then_some(false)
        } else {
            let since = first.overtaken?;
            (now.ms_since(since) >= GAP_WAIT_SEGMENTS * segment_ms).then_some(true)
        }
    }

    fn advance_parts(&mut self, now: UtcMs) {
        if self.channel.part_ms.is_none() {
            return;
        }
        let newest = self.listed.back().map(|segment| segment.start);
        if self.parts.bound(newest) {
            self.changed = true;
            self.part_listed = self.part_listed.filter(|_| self.parts.listed().next().is_some());
        }
        let init_on = |name: &str| {
            let known = self.inits.iter().rev().find(|(init, ..)| init.name == name);
            known.map_or(0, |(_, on, _)| *on)
        };
        if self.parts.advance(newest, init_on) {
            (self.changed, self.part_listed) = (true, Some(now));
        }
        let kept = state::part_segments(self.listed.iter(), self.target_duration_s.unwrap_or(1));
        let kept = self.listed.len().saturating_sub(kept);
        let of_listed = |of| self.listed.range(kept..).any(|segment| segment.start == of);
        self.parts.keep(|of| newest.is_none_or(|newest| of > newest) || of_listed(of));
    }

    pub(super) fn list_first(&mut self, gap: bool) {
        let Some(Waiting { mut segment, .. }) = self.waiting.pop_front() else { return };
        segment.gap = gap;
        match self.listed.back() {
            // A segment that was lost may have been the first of what follows it: then nobody is told that it begins.
            Some(last) => segment.discontinuity |= self.init_name(last.init) != self.init_name(segment.init),
            None => self.first_msn = self.number_of_first(segment.start),
        }
        let waiting = self.waiting.iter().map(|waiting| waiting.segment.duration);
        let longest = waiting.chain([segment.duration]).max().unwrap_or_default();
        if self.listed_count == 0 && !self.promised {
            self.target_duration_s = self.target_duration_s.max(Some(rounded_s(longest)));
        }
        self.listed.push_back(segment);
        self.newly.push(Listed { start: segment.start, gap });
        self.listed_count += 1;
        self.changed = true;
        let window = MediaSpan::from_ms(i64::from(self.channel.window_s) * 1000);
        // RFC 8216bis 6.2.2: never less than three target durations, however long ago that was.
        let least = MediaSpan::from_ms(i64::from(self.target_duration_s.unwrap_or(1)) * 3000);
        let end = segment.start + segment.duration;
        let mut popped = false;
        let mut held: i64 = self.listed.iter().map(|segment| segment.duration.0).sum();
        while let [Some(first), Some(second)] = [self.listed.front(), self.listed.get(1)] {
            held -= first.duration.0;
            let is_wanted = end - second.start < window || held < least.0 || self.rung_needs_first(least.0);
            if is_wanted && self.listed.len() <= SEGMENTS_MAX {
                break;
            }
            self.listed.pop_front();
            self.rungs.iter_mut().for_each(Rung::leave_first);
            popped = true;
            self.first_msn += 1;
            if self.listed.front().is_some_and(|first| first.discontinuity) {
                self.discontinuity_sequence += 1;
            }
        }
        if popped && self.frames.bandwidth_max > 0 {
            state::frames::give_up_front(self.listed.iter_mut(), self.target_duration_s.unwrap_or(1));
        }
        self.forget_inits();
    }

    pub(super) fn init_name(&self, init: u16) -> Option<&str> {
        self.inits.get(usize::from(init)).map(|(init, ..)| init.name.as_str())
    }

    /// Drops init segments that nothing in the window needs, so that an encoder may change its parameters for ever.
    fn forget_inits(&mut self) {
        let first = self.listed.front().map_or(0, |segment| segment.init);
        if usize::from(first) < INITS_KEPT {
            return;
        }
        self.inits.drain(..usize::from(first));
        let waiting = self.waiting.iter_mut().map(|waiting| &mut waiting.segment);
        self.listed.iter_mut().chain(waiting).for_each(|segment| segment.init -= first);
    }
}
