//! What a target gets next: pure bookkeeping, with the time as an argument.
//!
//! Init segments go first, since segments need them; then parts, in order, as long as they are of use. Then the live edge,
//! newest first; then the backlog, oldest first, within its [`Share`]. A target that fails gets one request at a time, at growing intervals, until one succeeds.
//!
//! Public so that a simulation can drive it in virtual time.

mod budget;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use budget::Budget;
pub use budget::Share;
use bytes::Bytes;
use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::time::{MediaSpan, MediaTime};

use super::{Kind, ObjectRef};
use crate::store::PutError;

/// The most objects that wait for one target; above it, the oldest segment leaves the queue. It is still on the disk, and
/// comes again when there is room ([`ROOM`]).
pub const WAITING_MAX: usize = 4_096;

/// As long as fewer objects wait, a target's queue takes more of its backlog.
pub const ROOM: usize = 1_024;

/// The most bytes of waiting objects that stay in memory for one target; the rest are read from the spool.
pub const BODIES_LEN_MAX: usize = 16 << 20;

/// The most parts that wait for one target; the oldest leave.
pub const PARTS_MAX: usize = 64;

/// And the most bytes of them.
pub const PARTS_LEN_MAX: usize = 8 << 20;

/// A part that starts longer than this before the newest object of its queue is of no use any more: its segment is there.
const PART_LIFE: MediaSpan = MediaSpan::from_ms(6_000);

/// What counts as the live edge: starts at most this long before the newest.
const LIVE: MediaSpan = MediaSpan::from_ms(10_000);

/// After so many failures in a row, the target counts as failing, whichever objects they were.
const FAILURES_TO_FAIL: u32 = 2;

/// How long an object waits that the target refused: what it holds against it may be mended, and nobody need say so.
pub const REFUSED: Backoff = Backoff { first: Duration::from_secs(30), cap: Duration::from_secs(600) };

/// The longest pause that a store can ask for.
const SLOW_DOWN_MAX: Duration = Duration::from_secs(30);

/// How long to wait after a failure.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most. It doubles up to here.
    pub cap: Duration,
}

impl Backoff {
    /// The pause after the `failures`-th failure in a row (from 1), between half and all of it as `jitter` says.
    pub fn pause(self, failures: u32, jitter: u16) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let full = doubled.min(self.cap);
        full / 2 + (full / 2) * u32::from(jitter) / u32::from(u16::MAX)
    }
}

/// An object that waits, or is on its way.
#[derive(Debug)]
pub struct Entry {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// Its bytes, where they are still in memory.
    pub body: Option<Bytes>,
    pub(super) failures: u32,
    /// How often somebody else wrote it at the same moment ([`Outcome::Raced`]).
    pub(super) races: u32,
    /// How often what stands under its name could not be read.
    pub(super) unread: u32,
    /// The target refused it.
    refused: bool,
    not_before: Option<Instant>,
    /// It goes on the backlog's share.
    backlog: bool,
}

impl Entry {
    fn new(object: Arc<ObjectRef>, body: Option<Bytes>) -> Entry {
        Entry {
            object,
            body,
            failures: 0,
            races: 0,
            unread: 0,
            refused: false,
            not_before: None,
            backlog: false,
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Put this object, then say how it went ([`Queue::done`]).
    Put(Entry),
    /// See whether the target is back, then say how it went ([`Queue::probed`]).
    Probe,
    /// Nothing before this instant, if any, or before something changes.
    Wait(Option<Instant>),
}

/// How a put went.
#[derive(Debug)]
pub enum Outcome {
    /// The target has it.
    Acknowledged,
    /// The target has another whole segment of this name, which the other origin of the pair wrote.
    Others {
        /// It lacks frames of ours.
        less: bool,
    },
    /// The target has what the other origin's encoder made in a rung's place, and it does not play as ours would: it stays, and
    /// ours is nowhere. It is done with all the same.
    Unplayable,
    /// The target does not, or did not say so.
    Failed(PutError),
    /// Somebody else writes or deletes it at this moment: nobody's fault, and tried again.
    Raced,
    /// The spool could not be read just now: not the target's fault, and tried again.
    Unread,
    /// The spool no longer has the object, or not as it was made: not the target's fault.
    Gone,
}

/// A target that fails.
#[derive(Debug)]
struct Failing {
    until: Instant,
    tries: u32,
    text: String,
    /// An object would be a waste: nobody answers, or the bucket refuses all.
    probe_only: bool,
    /// One request to slow down is no outage.
    counts_as_down: bool,
}

/// Which object of which recording: two recordings may have an init segment of the same name.
type Key = (ChannelId, RecordingId, u32);

fn key(object: &ObjectRef) -> Key {
    (object.channel.clone(), object.recording.clone(), object.n)
}

/// The objects that wait for one target.
#[derive(Debug)]
pub struct Queue {
    workers: usize,
    backoff: Backoff,
    inits: VecDeque<Entry>,
    parts: VecDeque<Entry>,
    segments: BTreeMap<(MediaTime, u64), Entry>,
    /// Objects that wait or are on their way.
    open: BTreeSet<Key>,
    /// How many of them are init segments of a name.
    inits_open: BTreeMap<String, usize>,
    budget: Budget,
    newest: MediaTime,
    next_number: u64,
    bodies_len: usize,
    in_flight: usize,
    failures_in_row: u32,
    failing: Option<Failing>,
    refused: usize,
    /// When a target that is well is probed again.
    probe_at: Option<Instant>,
}

impl Queue {
    /// A target that was not tried yet: the first thing to do is a probe.
    pub fn new(workers: usize, share: Share, backoff: Backoff, now: Instant) -> Queue {
        let failing = Failing {
            until: now,
            tries: 0,
            text: "it was not tried yet".into(),
            probe_only: true,
            counts_as_down: true,
        };
        Queue {
            workers: workers.max(1),
            backoff,
            inits: VecDeque::new(),
            parts: VecDeque::new(),
            segments: BTreeMap::new(),
            open: BTreeSet::new(),
            inits_open: BTreeMap::new(),
            budget: Budget::new(share, now),
            newest: MediaTime(0),
            next_number: 0,
            bodies_len: 0,
            in_flight: 0,
            failures_in_row: 0,
            failing: Some(failing),
            refused: 0,
            probe_at: None,
        }
    }

    /// Has a target that is well probed again at this instant: the last probe left something open.
    pub fn probe_again(&mut self, at: Instant) {
        self.probe_at = Some(at);
    }

    /// Objects that wait or are on their way.
    pub fn pending(&self) -> usize {
        self.inits.len() + self.parts.len() + self.segments.len() + self.in_flight
    }

    /// How many of those that wait the target has refused.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Why the target counts as down, if it does.
    pub fn down(&self) -> Option<&str> {
        self.failing.as_ref().filter(|failing| failing.counts_as_down).map(|failing| failing.text.as_str())
    }

    /// Adds an object, unless it is there already. Returns the one that had to go, where the queue was full.
    pub fn push(&mut self, object: Arc<ObjectRef>, body: Option<Bytes>) -> Option<Arc<ObjectRef>> {
        if object.is_part() {
            self.push_part(object, body);
            return None;
        }
        let fits = |body: &Bytes| self.failing.is_none() && self.bodies_len + body.len() <= BODIES_LEN_MAX;
        let body = body.filter(fits);
        if !self.open.insert(key(&object)) {
            return None;
        }
        if let Kind::Init = object.kind {
            *self.inits_open.entry(object.name.clone()).or_default() += 1;
        }
        self.insert(Entry::new(object, body));
        if self.inits.len() + self.segments.len() <= WAITING_MAX {
            return None;
        }
        let oldest = match self.segments.pop_first() {
            Some((_, oldest)) => Some(oldest),
            None => self.inits.pop_front(),
        }?;
        self.forget(&oldest);
        Some(oldest.object)
    }

    /// A part waits only for a target that takes objects, and as long as it is of use.
    fn push_part(&mut self, object: Arc<ObjectRef>, body: Option<Bytes>) {
        if self.failing.is_some() || body.is_none() {
            return;
        }
        self.insert(Entry::new(object, body));
        let mut len: usize = self.parts.iter().filter_map(|part| part.body.as_ref()).map(Bytes::len).sum();
        let oldest = self.newest + MediaSpan(-PART_LIFE.0);
        while let Some(first) = self.parts.front()
            && (first.object.start < oldest || self.parts.len() > PARTS_MAX || len > PARTS_LEN_MAX)
        {
            len -= first.body.as_ref().map_or(0, Bytes::len);
            let first = self.parts.pop_front();
            first.iter().for_each(|first| self.forget(first));
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.bodies_len += entry.body.as_ref().map_or(0, Bytes::len);
        self.refused += usize::from(entry.refused);
        self.newest = self.newest.max(entry.object.start);
        match entry.object.kind {
            Kind::Init => self.inits.push_back(entry),
            Kind::Part { .. } => {
                let at = self.parts.partition_point(|part| part.object.start <= entry.object.start);
                self.parts.insert(at, entry);
            }
            Kind::Segment { .. } | Kind::Frame { .. } | Kind::Rung { .. } => {
                // One that comes back keeps no place of its own: its start is its place.
                // Its key frame goes behind it, and so do its rungs.
                let rank = u64::from(matches!(entry.object.kind, Kind::Segment { .. })) << 63;
                self.segments.insert((entry.object.start, rank | self.next_number), entry);
                self.next_number += 1;
            }
        }
    }

    /// An entry leaves for good.
    fn forget(&mut self, entry: &Entry) {
        self.bodies_len -= entry.body.as_ref().map_or(0, Bytes::len);
        self.refused -= usize::from(entry.refused);
        if entry.object.is_part() {
            return;
        }
        self.open.remove(&key(&entry.object));
        if let Some(count) = self.inits_open.get_mut(&entry.object.name) {
            *count -= 1;
            if *count == 0 {
                self.inits_open.remove(&entry.object.name);
            }
        }
    }

    /// What to do next. Each [`Next::Put`] and [`Next::Probe`] must be followed by [`Queue::done`] or [`Queue::probed`].
    pub fn next(&mut self, now: Instant) -> Next {
        if self.in_flight >= self.workers {
            return Next::Wait(None);
        }
        let Some(failing) = &self.failing else {
            if self.probe_at.take_if(|at| *at <= now).is_some() {
                self.in_flight += 1;
                return Next::Probe;
            }
            return match self.take(now, true) {
                Ok(entry) => self.start(entry),
                Err(until) => Next::Wait([until, self.probe_at].into_iter().flatten().min()),
            };
        };
        if self.in_flight > 0 {
            return Next::Wait(None);
        }
        if now < failing.until {
            return Next::Wait(Some(failing.until));
        }
        if failing.probe_only {
            self.in_flight = 1;
            return Next::Probe;
        }
        match self.take(now, false) {
            Ok(entry) => self.start(entry),
            Err(_) => {
                self.in_flight = 1;
                Next::Probe
            }
        }
    }

    fn start(&mut self, mut entry: Entry) -> Next {
        self.in_flight += 1;
        self.bodies_len -= entry.body.as_ref().map_or(0, Bytes::len);
        self.refused -= usize::from(std::mem::take(&mut entry.refused));
        Next::Put(entry)
    }

    /// The best entry that may go at `now`; else when there is one. Without `patient`, pauses and shares don't count; but what
    /// was refused would say nothing of a target that fails.
    fn take(&mut self, now: Instant, patient: bool) -> Result<Entry, Option<Instant>> {
        let mut soonest: Option<Instant> = None;
        let mut ready = |entry: &Entry| match entry.not_before {
            Some(not_before) if patient && now < not_before => {
                soonest = Some(soonest.map_or(not_before, |soonest| soonest.min(not_before)));
                false
            }
            _ => patient || !entry.refused || matches!(entry.object.kind, Kind::Init),
        };
        if let Some(place) = self.inits.iter().position(&mut ready)
            && let Some(entry) = self.inits.remove(place)
        {
            return Ok(entry);
        }
        let inits_open = &self.inits_open;
        let mut ready = |entry: &Entry| match &entry.object.kind {
            Kind::Segment { init } | Kind::Frame { init } | Kind::Rung { init } | Kind::Part { init }
                if inits_open.contains_key(init) =>
            {
                false
            }
            _ => ready(entry),
        };
        if let Some(place) = self.parts.iter().position(&mut ready)
            && let Some(entry) = self.parts.remove(place)
        {
            return Ok(entry);
        }
        let live = self.newest + MediaSpan(-LIVE.0);
        let key = self.segments.range((live, 0)..).rev().find(|(_, entry)| ready(entry)).map(|(key, _)| *key);
        if let Some(entry) = key.and_then(|key| self.segments.remove(&key)) {
            return Ok(entry);
        }
        let key = self.segments.range(..(live, 0)).find(|(_, entry)| ready(entry)).map(|(key, _)| *key);
        let Some(key) = key else { return Err(soonest) };
        if let Err(until) = self.budget.allows(now)
            && patient
        {
            return Err([soonest, until].into_iter().flatten().min());
        }
        let Some(mut entry) = self.segments.remove(&key) else { return Err(soonest) };
        entry.backlog = true;
        self.budget.took(entry.object.len);
        Ok(entry)
    }

    /// A put ended. Returns whether the object is done with, one way or the other.
    pub fn done(&mut self, mut entry: Entry, outcome: &Outcome, now: Instant, jitter: u16) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        if std::mem::take(&mut entry.backlog) {
            self.budget.came_back();
        }
        let mut backoff = self.backoff;
        let again = match outcome {
            Outcome::Acknowledged | Outcome::Others { .. } | Outcome::Unplayable => {
                self.succeeded();
                false
            }
            Outcome::Unread | Outcome::Raced => {
                entry.races = entry.races.saturating_add(u32::from(matches!(outcome, Outcome::Raced)));
                // It says nothing of the target. Where that is failing, this was its one try: the next is no sooner.
                if let Some(failing) = &mut self.failing {
                    failing.until =
                        failing.until.max(now + self.backoff.pause(entry.failures.saturating_add(1), jitter));
                }
                true
            }
            Outcome::Gone => false,
            Outcome::Failed(error) => {
                self.failed(error, now, jitter);
                entry.refused = matches!(error, PutError::GiveUp(_) | PutError::TooLong(_));
                // Everything else of a channel hangs on its init segment: it is tried as often as if it were not refused.
                if entry.refused && !matches!(entry.object.kind, Kind::Init) {
                    backoff = REFUSED;
                }
                true
            }
        };
        let part = entry.object.is_part();
        // A part is of use for a moment only: where it is refused, or the target fails, it is not tried again.
        let again = again && !(part && (entry.refused || self.failing.is_some()));
        if again {
            entry.failures = entry.failures.saturating_add(1);
            entry.not_before = Some(now + backoff.pause(entry.failures, jitter));
            // It waits for who knows how long, and the spool has it.
            if !part {
                entry.body = None;
            }
            self.insert(entry);
        } else {
            (entry.body, entry.refused) = (None, false);
            self.forget(&entry);
        }
        !again
    }

    /// A probe ended.
    pub fn probed(&mut self, result: &Result<(), PutError>, now: Instant, jitter: u16) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match result {
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(error, now, jitter),
        }
    }

    fn succeeded(&mut self) {
        self.failures_in_row = 0;
        self.failing = None;
    }

    fn failed(&mut self, error: &PutError, now: Instant, jitter: u16) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let enough = self.failures_in_row >= FAILURES_TO_FAIL;
        let (fails, probe_only, counts_as_down, asked) = match error {
            PutError::Unreachable(_) | PutError::Misconfigured(_) => (true, true, true, Duration::ZERO),
            PutError::Retry(_) | PutError::GiveUp(_) | PutError::TooLong(_) => {
                (enough, false, true, Duration::ZERO)
            }
            PutError::SlowDown { after, .. } => (true, false, enough, after.unwrap_or_default()),
        };
        if !fails && self.failing.is_none() {
            return;
        }
        let tries = self.failing.as_ref().map_or(0, |failing| failing.tries) + 1;
        let down_before = self.down().is_some();
        let pause = self.backoff.pause(tries, jitter).max(asked.min(SLOW_DOWN_MAX));
        self.failing = Some(Failing {
            until: now + pause,
            tries,
            text: error.to_string(),
            probe_only,
            counts_as_down: counts_as_down || down_before,
        });
        self.parts.clear();
        for entry in self.inits.iter_mut().chain(self.segments.values_mut()) {
            entry.body = None;
        }
        self.bodies_len = 0;
    }
}
