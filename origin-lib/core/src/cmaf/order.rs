//! The fragments of a track in the order of their decoding times, whichever request is read first.
//!
//! A packager puts each segment in a request of its own and need not wait for the answer: two of a track are on their way at once,
//! and nothing says that the earlier one is read first. So what begins behind a hole waits for what may fill it, and what begins
//! behind a fragment that is still coming waits for the rest of that: each no longer than a bound. Within a request the order is
//! the encoder's own, and a hole there is one.
//!
//! Times are in 1/90000 s.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::gather::{ORDER_MS, Request};
use super::lane::{Mark, ROUNDED_MS, WAIT_LATE_MS_MAX, WAIT_MS_MAX};
use crate::time::Moment;

/// A hole that is longer than this, in milliseconds, is no fragment that is missing: a clock began anew.
pub(super) const HOLE_MS_MAX: i64 = 60_000;

/// Times that mean the same differ by so much at the most.
const ROUNDED: i64 = ticks(ROUNDED_MS);

/// After so many holes that nothing filled, the track has holes, and nothing is waited for there.
const VAIN_MAX: u8 = 3;

/// After so many fragments without a hole, one after another, it has none.
const UNBROKEN_MIN: u8 = 30;

/// The most fragments that wait at a time.
const FRAGMENTS_MAX: usize = 1024;

/// What puts something in its order.
pub(super) trait Ordered {
    /// Its decoding time and where it ends, if it is a sample.
    fn span(&self) -> Option<(i64, i64)>;
    /// How much room it takes, in bytes.
    fn len(&self) -> usize;
}

/// A fragment that begins.
pub(super) struct Begun {
    pub(super) mark: Mark,
    pub(super) start: i64,
    /// When its last sample is decoded, and where that ends.
    pub(super) last: i64,
    pub(super) end: i64,
    /// Of each of its samples, whether nothing of it is awaited.
    pub(super) has: Vec<bool>,
}

#[derive(Debug)]
struct Fragment<T> {
    id: u64,
    mark: Mark,
    start: i64,
    last: i64,
    end: i64,
    since: u64,
    /// Those that still bring it.
    requests: Vec<Request>,
    /// The one that brought it first.
    by: Request,
    has: Vec<bool>,
    came: VecDeque<T>,
    /// Since when it is let through as it comes.
    opened: Option<u64>,
    /// Nothing of it up to this time is let through: that was already.
    from: Option<i64>,
}

impl<T> Fragment<T> {
    fn is_whole(&self) -> bool {
        self.has.iter().all(|has| *has)
    }

    /// Whether something of it may still come.
    fn comes(&self) -> bool {
        !self.is_whole() && !self.requests.is_empty()
    }
}

/// How a fragment stands to what was let through before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// It goes on there, or begins before.
    On,
    /// There may be something missing.
    Hole,
    /// Nothing is: there was nothing, or what is missing does not come.
    Anew,
}

/// The fragments of a track that have not been let through.
#[derive(Debug)]
pub(super) struct Order<T> {
    /// In the order of their times.
    fragments: VecDeque<Fragment<T>>,
    /// The newest decoding time that was let through, and where that sample ends.
    newest: Option<i64>,
    reached: Option<i64>,
    /// How long the last fragment was that was let through, and what brought it.
    span: i64,
    by: Option<Request>,
    /// When something was let through last.
    passed: u64,
    /// How many holes nothing filled, and how many fragments came without one since the last.
    vain: u8,
    unbroken: u8,
    len: usize,
    given_up: bool,
}

impl<T> Default for Order<T> {
    fn default() -> Order<T> {
        Order {
            fragments: VecDeque::new(),
            newest: None,
            reached: None,
            span: 0,
            by: None,
            passed: 0,
            vain: 0,
            unbroken: 0,
            len: 0,
            given_up: false,
        }
    }
}

impl<T: Ordered> Order<T> {
    /// Whether any fragment has come.
    pub(super) fn has_begun(&self) -> bool {
        self.newest.is_some() || !self.fragments.is_empty()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.fragments.is_empty()
    }

    /// How much room what waits takes, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether as many fragments wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.fragments.len() >= FRAGMENTS_MAX
    }

    /// The newest decoding time that was let through.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The newest time that a fragment of this request may not begin before: what was let through, and what it brought itself.
    pub(super) fn newest_for(&self, request: Request) -> Option<i64> {
        let own = self.fragments.iter().filter(|fragment| fragment.by == request);
        own.map(|fragment| fragment.last).max().max(self.newest)
    }

    /// Whether a fragment is one that is missing: it ends where one begins that waits, or begins where one ends that others are
    /// behind, and nothing of it is there.
    pub(super) fn misses(&self, (start, end): (i64, i64)) -> bool {
        let is_by = |a: i64, b: i64| a.abs_diff(b) <= ROUNDED.unsigned_abs();
        let ends = self.fragments.iter().map(|fragment| fragment.end).chain(self.reached);
        let is_there =
            |other: &Fragment<T>| start.max(other.start).saturating_add(ROUNDED) < end.min(other.end);
        let is_before = self.fragments.iter().any(|fragment| fragment.start > start);
        let is_beside = self.fragments.iter().any(|fragment| is_by(fragment.start, end))
            || ends.into_iter().any(|end| is_by(end, start));
        let is_after = self.reached.is_none_or(|reached| start.saturating_add(ROUNDED) >= reached);
        is_before && is_beside && is_after && !self.fragments.iter().any(is_there)
    }

    /// Whether this request brings something of what waits.
    pub(super) fn is_brought_by(&self, request: Request) -> bool {
        self.fragments.iter().any(|fragment| fragment.requests.contains(&request))
    }

    /// A fragment that is still awaited comes in another request, too.
    pub(super) fn again(&mut self, mark: Mark, request: Request) -> Option<u64> {
        let fragment = self.fragments.iter_mut().find(|fragment| fragment.mark == mark)?;
        if !fragment.requests.contains(&request) {
            fragment.requests.push(request);
        }
        Some(fragment.id)
    }

    /// A fragment begins, under this number, which no other one has.
    pub(super) fn begin(&mut self, id: u64, begun: Begun, request: Request, now: Moment) {
        let Begun { mark, start, last, end, has } = begun;
        self.len += has.len();
        // Behind what the same request brought before it, whichever times they say.
        let own = self.fragments.iter().rposition(|fragment| fragment.by == request).map_or(0, |at| at + 1);
        let place =
            self.fragments.iter().rposition(|fragment| fragment.start <= start).map_or(0, |at| at + 1);
        let fragment = Fragment {
            id,
            mark,
            start,
            last,
            end,
            since: now.up_ms,
            requests: Vec::from([request]),
            by: request,
            has,
            came: VecDeque::new(),
            opened: None,
            from: None,
        };
        self.fragments.insert(place.max(own), fragment);
    }

    /// Something of a fragment comes, a sample of this number or what stands before them. What has come already is left out; what
    /// is of a fragment that is awaited no more comes back.
    pub(super) fn put(&mut self, id: u64, sample: Option<usize>, what: T) -> Result<(), T> {
        let Some(fragment) = self.fragments.iter_mut().find(|fragment| fragment.id == id) else {
            return Err(what);
        };
        if let Some(has) = sample.and_then(|sample| fragment.has.get_mut(sample))
            && core::mem::replace(has, true)
        {
            return Ok(());
        }
        self.len += what.len();
        fragment.came.push_back(what);
        Ok(())
    }

    /// A request brings nothing more of the fragments that it has begun.
    pub(super) fn over(&mut self, request: Request) {
        for fragment in &mut self.fragments {
            fragment.requests.retain(|of| *of != request);
        }
    }

    /// The next that is let through. `may_come`: there is a request that may bring what is missing. `all`: nothing is waited for.
    pub(super) fn next(&mut self, may_come: bool, all: bool, now: Moment) -> Option<T> {
        loop {
            if !self.open(all || self.is_due(may_come, now), now) {
                return None;
            }
            if let Some(what) = self.take_first(now) {
                return Some(what);
            }
            let first = self.fragments.front()?;
            if first.comes() {
                // What it waits for is another matter than what it may have waited for itself.
                let is_given_up = all || (self.fragments.len() > 1 && self.is_due(may_come, now));
                if !is_given_up {
                    return None;
                }
                self.given_up = true;
            }
            self.pop();
        }
    }

    /// Whatever is there, in its order, as if nothing else came; what still does, comes then.
    pub(super) fn take_all(&mut self, now: Moment) -> Vec<T> {
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        while self.open(true, now) {
            taken.extend(core::iter::from_fn(|| self.take_first(now)));
            match self.fragments.front() {
                Some(first) if first.comes() => left.extend(self.fragments.pop_front()),
                _ => self.pop(),
            }
        }
        self.fragments = left;
        taken
    }

    fn is_due(&self, may_come: bool, now: Moment) -> bool {
        self.due(may_come).is_some_and(|due| due <= now.up_ms)
    }

    /// Has the first one let through, if it need not wait. Whether it is.
    fn open(&mut self, is_due: bool, now: Moment) -> bool {
        let (follows, newest) = (self.follows(), self.newest);
        let Some(first) = self.fragments.front() else { return false };
        if first.opened.is_some() {
            return true;
        }
        let was_overtaken = || self.fragments.iter().any(|other| other.id < first.id);
        match follows {
            Follows::Hole if !is_due => return false,
            Follows::Hole => (self.vain, self.unbroken) = (self.vain.saturating_add(1), 0),
            Follows::On if self.unbroken >= UNBROKEN_MIN || was_overtaken() => self.vain = 0,
            Follows::On => self.unbroken += 1,
            Follows::Anew => {}
        }
        if let Some(first) = self.fragments.front_mut() {
            (first.opened, first.from) = (Some(now.up_ms), newest.filter(|newest| first.start <= *newest));
        }
        true
    }

    /// What is there of the first one, which is let through.
    fn take_first(&mut self, now: Moment) -> Option<T> {
        let first = self.fragments.front_mut()?;
        while let Some(what) = first.came.pop_front() {
            self.len -= what.len();
            if let Some((at, end)) = what.span() {
                if first.from.is_some_and(|from| at <= from) {
                    continue;
                }
                (self.newest, self.reached) = (self.newest.max(Some(at)), self.reached.max(Some(end)));
            }
            self.passed = now.up_ms;
            return Some(what);
        }
        None
    }

    /// Nothing more of the first one is let through.
    fn pop(&mut self) {
        let Some(first) = self.fragments.pop_front() else { return };
        self.len -= first.has.len() + first.came.iter().map(T::len).sum::<usize>();
        self.by = Some(first.by);
        // Behind one that broke off, the least that is missing is waited for.
        self.span = 0;
        if first.is_whole() {
            self.reached = self.reached.max(Some(first.end));
            self.span = first.end.saturating_sub(first.start);
        }
    }

    /// How the first one stands to what was let through.
    fn follows(&self) -> Follows {
        let Some((first, reached)) = self.fragments.front().zip(self.reached) else { return Follows::Anew };
        let hole = first.start.saturating_sub(reached);
        // A fragment that is missing is about as long as others.
        let least = first.end.saturating_sub(first.start).min(self.span) / 2;
        if hole <= ROUNDED.max(least) {
            Follows::On
        } else if hole > ticks(HOLE_MS_MAX) || self.by == Some(first.by) || self.vain >= VAIN_MAX {
            Follows::Anew
        } else {
            Follows::Hole
        }
    }

    /// Whether the first one waits for what may be missing before it.
    pub(super) fn waits(&self) -> bool {
        self.fragments.front().is_some_and(|first| first.opened.is_none()) && self.follows() == Follows::Hole
    }

    /// When the first one, or what is behind it, waits no longer.
    pub(super) fn due(&self, may_come: bool) -> Option<u64> {
        let first = self.fragments.front()?;
        let (since, wait_ms) = match first.opened {
            None if may_come => (first.since, WAIT_MS_MAX),
            None => (first.since, ORDER_MS),
            Some(opened) => (self.fragments.get(1)?.since.max(opened), WAIT_MS_MAX),
        };
        let goes_on = since.max(self.passed).saturating_add(wait_ms);
        let longest = since.saturating_add(WAIT_LATE_MS_MAX);
        // Several that came at once and stall do so at once.
        Some(goes_on.min(longest).min(first.since.saturating_add(WAIT_LATE_MS_MAX + WAIT_MS_MAX)))
    }

    /// Whether what was missing of a fragment was given up since it was asked last.
    pub(super) fn take_given_up(&mut self) -> bool {
        core::mem::take(&mut self.given_up)
    }

    /// A clock begins anew: what was let through says nothing of what comes.
    pub(super) fn restart(&mut self) {
        (self.newest, self.reached, self.by) = (None, None, None);
    }

    /// A fragment came too late: it is not true that nothing fills the holes.
    pub(super) fn missed(&mut self) {
        self.vain = 0;
    }

    /// Takes out what is meant of all that waits.
    pub(super) fn take(&mut self, is_meant: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for fragment in &mut self.fragments {
            let (meant, rest): (VecDeque<T>, VecDeque<T>) =
                core::mem::take(&mut fragment.came).into_iter().partition(&is_meant);
            fragment.came = rest;
            taken.extend(meant);
        }
        self.len -= taken.iter().map(T::len).sum::<usize>();
        taken
    }
}

const fn ticks(ms: i64) -> i64 {
    ms * 90
}
