//! What one instance of the edge remembers from one request to the next: nothing that would be missed.
//!
//! A host that keeps an instance gives it to each [`Edge`](crate::Edge) that it makes there
//! ([`Edge::of_instance`](crate::Edge::of_instance)): an isolate of Cloudflare's, an instance of the Spin component. What is
//! bounded here is bounded in each instance; a host that begins anew with every request bounds nothing by it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::RefCell;

use railbird_core::id::ChannelId;
use railbird_core::session;
use railbird_core::state::union::{Events, TOLD_MAX};
use railbird_core::time::UtcMs;

/// More channels than this are forgotten. Those of one event, and what was ever told beside them, are fewer.
const CHANNELS_MAX: usize = 4 * TOLD_MAX;

/// How many answers wait at a time, of all sessions: each holds a channel's state meanwhile, twice, and some hosts give an
/// instance 128 MiB for everything.
pub const WAITS_MAX: usize = 256;

/// How many answers wait at a time for news of the score, of all sessions: each holds a score document meanwhile.
pub const FOLLOWS_MAX: usize = 128;

/// A request whose viewer went away may end without a word: after so many milliseconds more its place is another's.
const GRACE_MS: u64 = 1_000;

/// A token's id.
type Session = [u8; 16];

/// See [the module](self).
#[derive(Debug)]
pub struct Instance {
    /// Channels of which an origin spoke: it can't be unsaid.
    channels: RefCell<BTreeSet<ChannelId>>,
    waits: Places,
    follows: Places,
}

impl Default for Instance {
    fn default() -> Instance {
        Instance {
            channels: RefCell::default(),
            waits: Places::new(session::WAITS_MAX, WAITS_MAX),
            follows: Places::new(session::FOLLOWS_MAX, FOLLOWS_MAX),
        }
    }
}

/// Places for those who wait: so many of a session, and of all sessions.
#[derive(Debug)]
struct Places {
    own_max: usize,
    max: usize,
    held: RefCell<Held>,
}

#[derive(Debug, Default)]
struct Held {
    places: Vec<Place>,
    begun: u64,
}

#[derive(Debug)]
struct Place {
    number: u64,
    session: Session,
    until: UtcMs,
}

/// A place among those who wait; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    among: &'a Places,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.among.held.borrow_mut().places.retain(|place| place.number != self.number);
    }
}

impl Places {
    fn new(own_max: usize, max: usize) -> Places {
        Places { own_max, max, held: RefCell::default() }
    }

    fn take(&self, session: &Session, now: UtcMs, within_ms: u64) -> Option<Waiting<'_>> {
        let mut held = self.held.borrow_mut();
        held.places.retain(|place| place.until > now);
        let own = held.places.iter().filter(|place| place.session == *session).count();
        if own >= self.own_max || held.places.len() >= self.max {
            return None;
        }
        let (number, until) = (held.begun, now.plus_ms(within_ms.saturating_add(GRACE_MS)));
        held.begun += 1;
        held.places.push(Place { number, session: *session, until });
        Some(Waiting { among: self, number })
    }
}

impl Instance {
    pub(crate) fn knows(&self, channel: &ChannelId) -> bool {
        self.channels.borrow().contains(channel)
    }

    /// Remembers the channels of which origins spoke.
    pub(crate) fn learn(&self, events: &Events) {
        let mut channels = self.channels.borrow_mut();
        if channels.len() > CHANNELS_MAX {
            // What is asked for is read again.
            channels.clear();
        }
        channels.extend(events.known().cloned());
    }

    /// A place for an answer that waits so many milliseconds at most; `None` where it shall not wait at all.
    pub(crate) fn wait(&self, session: &Session, now: UtcMs, within_ms: u64) -> Option<Waiting<'_>> {
        self.waits.take(session, now, within_ms)
    }

    /// The same for one that waits for news of the score.
    pub(crate) fn follow(&self, session: &Session, now: UtcMs, within_ms: u64) -> Option<Waiting<'_>> {
        self.follows.take(session, now, within_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_795_171_920_040);

    #[test]
    fn a_session_waits_a_few_times_and_another_one_all_the_same() {
        let instance = Instance::default();
        let wait = |session: u8, at: UtcMs| instance.wait(&[session; 16], at, 4_000);
        let mut waiting: Vec<_> = (0..session::WAITS_MAX).map(|_| wait(1, NOW).unwrap()).collect();
        assert!(wait(1, NOW).is_none());
        let other = wait(2, NOW).unwrap();
        waiting.pop();
        waiting.push(wait(1, NOW).expect("what ended makes room"));
        assert!(wait(1, NOW).is_none());
        // Those whose viewers went away without a word.
        waiting.into_iter().chain([other]).for_each(core::mem::forget);
        assert!(wait(1, NOW.plus_ms(4_999)).is_none());
        assert!(wait(1, NOW.plus_ms(5_000)).is_some());
        assert!(instance.waits.held.borrow().places.is_empty());
    }

    #[test]
    fn who_waits_for_the_score_takes_no_place_of_who_waits_for_a_playlist() {
        let instance = Instance::default();
        let follow = || instance.follow(&[1; 16], NOW, 25_000);
        let own: Vec<_> = (0..4).map(|_| follow()).collect();
        assert_eq!(own.iter().flatten().count(), session::FOLLOWS_MAX);
        assert!(instance.wait(&[1; 16], NOW, 4_000).is_some());
        drop(own);
        assert!(follow().is_some());
    }

    #[test]
    fn an_instance_has_so_many_who_wait_whoever_they_are() {
        let instance = Instance::default();
        let session =
            |n: usize| core::array::from_fn(|at| n.to_be_bytes().get(at).copied().unwrap_or_default());
        let waiting: Vec<_> = (0..WAITS_MAX).filter_map(|n| instance.wait(&session(n), NOW, 4_000)).collect();
        assert_eq!(waiting.len(), WAITS_MAX);
        assert!(instance.wait(&session(WAITS_MAX), NOW, 4_000).is_none());
        drop(waiting);
        assert!(instance.wait(&session(WAITS_MAX), NOW, 4_000).is_some());
    }
}
