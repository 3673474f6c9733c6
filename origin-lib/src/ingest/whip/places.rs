//! From where a session is looked for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// From so many addresses a session may be looked for within [`SPAN`]: each is one more candidate to ICE, which forgets none before
/// it is restarted.
pub(super) const PLACES_MAX: usize = 64;

/// An address from which nobody looked for the session for so long counts no more.
const SPAN: Duration = Duration::from_secs(3600);

/// The addresses from which a session was looked for lately, each with when it was last.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<SocketAddr, Instant>);

impl Places {
    /// The session is looked for from there. Whether ICE may hear of it.
    pub(super) fn takes(&mut self, from: SocketAddr, now: Instant) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(&from) {
            self.0.retain(|_, last| now.saturating_duration_since(*last) < SPAN);
        }
        let takes = self.0.len() < PLACES_MAX || self.0.contains_key(&from);
        if takes {
            self.0.insert(from, now);
        }
        takes
    }

    /// ICE begins anew.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_lasts_may_move_for_ever_if_not_too_often() {
        let (mut places, begun) = (Places::default(), Instant::now());
        let from = |port: usize| SocketAddr::from(([192, 0, 2, 1], port as u16));
        let mut now = begun;
        for port in 0..5 * PLACES_MAX {
            now += SPAN / PLACES_MAX as u32;
            assert!(places.takes(from(port), now), "{port}");
            assert!(places.0.len() <= PLACES_MAX);
        }
        assert!(!(0..PLACES_MAX).all(|port| places.takes(from(1_000 + port), now)), "too often");
        assert!(places.takes(from(5 * PLACES_MAX - 1), now), "where it is, it stays");
        assert!(!places.takes(from(2_000), now));
        places.clear();
        assert!(places.takes(from(2_000), now));
    }
}
