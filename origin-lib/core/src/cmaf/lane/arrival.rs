//! From a track's fragments, as requests bring them, to its samples in their order.

use alloc::vec::Vec;

use super::{Lane, Standing, WAIT_LATE_MS_MAX};
use crate::cmaf;
use crate::cmaf::came::{Came, Place, What};
use crate::cmaf::fragment::{self, Run};
use crate::cmaf::gather::Request;
use crate::cmaf::header::Track;
use crate::cmaf::order::{Begun, HOLE_MS_MAX};
use crate::flv::Error;
use crate::time::Moment;

/// A fragment that comes a second time within so many milliseconds is the same one again.
const AGAIN_MS_MAX: u64 = 15_000;

/// A fragment that begins no further back than this, in milliseconds of its own time, comes late; further back, a clock began
/// anew.
const BACK_MS_MAX: i64 = HOLE_MS_MAX;

/// After so many fragments, one after another, that come late, a clock began anew, too.
const LATE_MAX: u8 = 3;

/// So many of the newest fragments are known again.
const KNOWN_MAX: usize = 16;

impl Lane {
    /// A fragment comes in this request, under this number, which no other one of the feed has, and lasts `span`. It may be one that
    /// broke off and is sent again, or that comes late. What is late is a gap already.
    pub(in crate::cmaf) fn begin(
        &mut self,
        id: u64,
        run: &Run,
        span: u64,
        track: &Track,
        request: Request,
        now: Moment,
    ) -> Place {
        let start = run.start.unwrap_or(self.next);
        let quiet = now.ms_since(self.heard);
        let end = start.saturating_add(span);
        // One that was overtaken is not what comes after the last.
        self.ended &= end < self.furthest;
        self.furthest = self.furthest.max(end);
        (self.next, self.heard) = (end, now.up_ms);
        let mark = (start, run.samples.len(), run.len());
        let at = |time: u64| cmaf::ticks(i128::from(time) + i128::from(track.shift), track.timescale);
        let begins = at(start);
        self.known.retain(|(_, at)| now.ms_since(*at) < AGAIN_MS_MAX);
        let from = if self.known.iter().any(|(known, _)| *known == mark) {
            if let Some(id) = self.order.again(mark, request) {
                return Place { id: Some(id), start, from: None };
            }
            self.order.newest()
        } else {
            if self.known.len() >= KNOWN_MAX {
                self.known.pop_front();
            }
            self.known.push_back((mark, now.up_ms));
            // A segment in several fragments is late as a whole.
            let is_another = self.brings(request, at(end).saturating_sub(begins));
            let newest = self.order.newest_for(request).filter(|newest| begins <= *newest);
            let is_late = newest.is_some_and(|newest| {
                quiet < AGAIN_MS_MAX
                    && (!is_another || self.back < LATE_MAX)
                    && newest.saturating_sub(begins) / 90 < BACK_MS_MAX
            });
            match newest {
                None => self.back = 0,
                Some(_) if is_late => {
                    self.back += u8::from(is_another);
                    self.order.missed();
                }
                Some(_) => {
                    self.release(false, true, Standing::default(), now);
                    self.order.restart();
                    (self.back, self.furthest) = (0, end);
                }
            }
            newest.filter(|_| is_late)
        };
        let since = |sample: &fragment::Place| at(start.saturating_add(sample.since));
        let is_wanted = |sample: &fragment::Place| {
            !sample.data.is_empty() && from.is_none_or(|from| since(sample) > from)
        };
        let has: Vec<bool> = run.samples.iter().map(|sample| !is_wanted(sample)).collect();
        let begun = Begun {
            mark,
            start: begins,
            last: run.samples.iter().map(since).max().unwrap_or(begins),
            end: at(end),
            has,
        };
        let is_awaited = begun.has.contains(&false);
        if is_awaited {
            self.order.begin(id, begun, request, now);
        }
        Place { id: Some(id).filter(|_| is_awaited), start, from }
    }

    /// A request brings so much more. Whether it is another one than the last, or brings more than a segment.
    fn brings(&mut self, request: Request, span: i64) -> bool {
        const SEGMENT_MAX: i64 = 90 * WAIT_LATE_MS_MAX.cast_signed();
        if self.by != Some(request) {
            (self.brought_before, self.brought) = (self.brought, 0);
        }
        self.brought = self.brought.saturating_add(span);
        self.by.replace(request) != Some(request) || self.brought > self.brought_before.min(SEGMENT_MAX)
    }

    /// A sample of a fragment has come, or what stands before them.
    pub(in crate::cmaf) fn put(&mut self, id: Option<u64>, sample: Option<usize>, what: What, now: Moment) {
        let came = Came { since: now.up_ms, what };
        let left = match id {
            Some(id) => self.order.put(id, sample, came),
            None => Err(came),
        };
        if let Err(came @ Came { what: What::Event(..), .. }) = left {
            self.place(came);
        }
    }

    /// A request brings nothing more of what it has begun.
    pub(in crate::cmaf) fn over(&mut self, request: Request) {
        self.order.over(request);
    }

    /// Whether a fragment from `start` to `end`, in its track's timescale, is one that is missing.
    pub(in crate::cmaf) fn misses(&self, (start, end): (u64, u64), track: &Track) -> bool {
        let at = |time: u64| cmaf::ticks(i128::from(time) + i128::from(track.shift), track.timescale);
        self.order.misses((at(start), at(end)))
    }

    /// Whether something waits for what may be missing before it.
    pub(in crate::cmaf) fn waits(&self) -> bool {
        self.order.waits()
    }

    /// Whether something waits for what may come in another request than those that bring it.
    pub(in crate::cmaf) fn waits_for(&self, request: Request) -> bool {
        self.order.waits() && !self.order.is_brought_by(request)
    }

    /// Whether something that has come is not in its place yet.
    pub(in crate::cmaf) fn is_waiting(&self) -> bool {
        !self.order.is_empty()
    }

    /// Until when what is not in its place yet waits. `may_come`: there is a request that may bring what is missing.
    pub(in crate::cmaf) fn placed_by(&self, may_come: bool) -> Option<u64> {
        self.order.due(may_come)
    }

    /// Puts what has come in its place, `all` of it or what need not wait.
    pub(in crate::cmaf) fn release(&mut self, may_come: bool, all: bool, other: Standing, now: Moment) {
        let all = all || self.is_full();
        while let Some(came) = self.order.next(may_come, all, now) {
            self.pass(came, other, now);
        }
        if self.order.take_given_up() {
            self.errors.push(Error::Skip(
                "a fragment whose media came too slowly: later ones of its track were there",
            ));
        }
    }

    /// What was no use, since this was asked last.
    pub(in crate::cmaf) fn take_errors(&mut self) -> Vec<Error> {
        core::mem::take(&mut self.errors)
    }

    pub(super) fn pass(&mut self, came: Came, other: Standing, now: Moment) {
        let Came { since, what: What::Sample { sample, .. } } = came else { return self.place(came) };
        if let Err(error) = self.sample(sample, since, other, now) {
            self.errors.push(error);
        }
    }

    pub(super) fn place(&mut self, came: Came) {
        if let What::Event(dts_ms, event) = came.what {
            self.push(dts_ms, event, came.since);
        }
    }
}
