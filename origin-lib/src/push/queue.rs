//! The samples that wait for one destination.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use railbird_core::media::Kind;
use railbird_core::programme::Passed;
use tokio::sync::Notify;

use super::Dropped;

/// The most bytes of media that wait.
pub(super) const WAITING_LEN_MAX: usize = 16 << 20;

/// The most samples that wait.
pub(super) const WAITING_MAX: usize = 4096;

/// Between a channel's programme, which never waits, and a push, which does.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
    dropped: Dropped,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Passed>,
    len: usize,
    /// Somebody takes samples out.
    open: bool,
    /// What comes is dropped up to a key frame.
    until_key: bool,
    /// Samples came since somebody looked.
    flows: bool,
    closed: bool,
}

fn begins(passed: &Passed) -> bool {
    passed.sample.key && (passed.sample.kind == Kind::Video || passed.tracks.video.is_none())
}

impl Queue {
    pub(crate) fn new(figure: Counter) -> Queue {
        let dropped = Dropped { figure, count: AtomicU64::new(0) };
        Queue { inner: Mutex::default(), changed: Notify::new(), dropped }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample; never waits.
    pub(crate) fn push(&self, passed: &Passed) {
        let mut inner = self.inner();
        let first = !std::mem::replace(&mut inner.flows, true);
        if inner.open {
            self.put(&mut inner, passed);
        }
        if inner.open || first {
            drop(inner);
            self.changed.notify_one();
        }
    }

    fn put(&self, inner: &mut Inner, passed: &Passed) {
        let len = passed.sample.data.len();
        if inner.waiting.len() >= WAITING_MAX || inner.len + len > WAITING_LEN_MAX {
            self.count(inner.waiting.len() as u64);
            inner.waiting.clear();
            (inner.len, inner.until_key) = (0, true);
        }
        if inner.until_key {
            if !begins(passed) {
                // Before the first key frame of a session nothing is missed.
                return;
            }
            inner.until_key = false;
        }
        inner.len += len;
        inner.waiting.push_back(passed.clone());
    }

    fn count(&self, samples: u64) {
        self.dropped.figure.inc_by(samples);
        self.dropped.count.fetch_add(samples, Ordering::Relaxed);
    }

    /// How many samples were dropped because they did not fit.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.count.load(Ordering::Relaxed)
    }

    /// Samples wait from the next key frame on.
    pub(crate) fn open(&self) {
        let mut inner = self.inner();
        (inner.open, inner.until_key) = (true, true);
    }

    /// Nobody takes samples out for now: none wait.
    pub(crate) fn rest(&self) {
        let closed = self.inner().closed;
        *self.inner() = Inner { closed, ..Inner::default() };
    }

    /// No more samples will be taken: whoever waits for one gets `None`.
    pub(crate) fn close(&self) {
        self.inner().closed = true;
        self.changed.notify_one();
    }

    /// The next sample; `None` once the queue is closed.
    pub(crate) async fn next(&self) -> Option<Passed> {
        loop {
            {
                let mut inner = self.inner();
                if let Some(passed) = inner.waiting.pop_front() {
                    inner.len -= passed.sample.data.len();
                    return Some(passed);
                }
                if inner.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until samples come; false once the queue is closed.
    pub(super) async fn flows(&self) -> bool {
        loop {
            {
                let inner = self.inner();
                if inner.closed {
                    return false;
                }
                if inner.flows {
                    return true;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Whether the queue is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner().closed
    }

    /// Waits until the queue is closed.
    pub(crate) async fn closed(&self) {
        while !self.inner().closed {
            self.changed.notified().await;
        }
    }
}
