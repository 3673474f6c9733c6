//! What a listener remembers of those who called: how many tries there were in this second, and which keys were let in.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::IpAddr;

use bytes::Bytes;

use super::{Call, Micros, Refusal, Unlocked};

/// Handshakes that are looked at in a second, of one address. Whoever is passed over repeats its own.
pub(super) const TRIES_OF_ONE: u32 = 8;

/// The same, of all addresses. So many addresses are counted at most.
pub(super) const TRIES: u32 = 64;

/// So many keys that were let in are not let in again.
pub(super) const USED_MAX: usize = 4096;

const SECOND_US: u64 = 1_000_000;

/// Holds back those who try too often, and those who play a recorded handshake again.
#[derive(Debug)]
pub struct Guard {
    since: Micros,
    all: u32,
    of: BTreeMap<IpAddr, u32>,
    /// Wrapped keys that opened a call, the newest first.
    used: VecDeque<Bytes>,
}

impl Guard {
    /// One that has seen nobody; it is `now`.
    pub fn new(now: Micros) -> Guard {
        Guard { since: now, all: 0, of: BTreeMap::new(), used: VecDeque::new() }
    }

    /// Whether another handshake of this address is looked at. A cookie has shown that it is no claim.
    pub fn takes(&mut self, from: IpAddr, now: Micros) -> bool {
        if now.since(self.since) >= SECOND_US {
            (self.since, self.all) = (now, 0);
            self.of.clear();
        }
        if self.all >= TRIES {
            return false;
        }
        let of_one = self.of.entry(from).or_default();
        *of_one += 1;
        let is_taken = *of_one <= TRIES_OF_ONE;
        self.all += u32::from(is_taken);
        is_taken
    }

    /// Opens a call's keys, as [`Call::unlock`] does, unless they opened a call before: every caller makes up new ones, and only
    /// who recorded a handshake has old ones.
    pub fn unlock(&self, call: &Call) -> Result<Unlocked, Refusal> {
        match call.key() {
            Some(key) if self.used.iter().any(|used| used == key) => Err(Refusal::Again),
            _ => call.unlock(),
        }
    }

    /// This call was let in.
    pub fn note(&mut self, call: &Call) {
        if let Some(key) = call.key() {
            self.used.truncate(USED_MAX - 1);
            self.used.push_front(Bytes::copy_from_slice(key));
        }
    }
}
