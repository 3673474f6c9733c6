//! Which signed requests were taken already: each is good once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use railbird_core::sign::SKEW_MS_MAX;

/// For how long a nonce is remembered, in milliseconds: as long as any clock that is not refused may take its request for a
/// new one.
const KEPT_MS: u64 = 2 * SKEW_MS_MAX;

/// The most nonces that are remembered: far more than a crew asks for in two minutes.
pub(super) const NONCES_MAX: usize = 4_096;

/// Why a request is not taken, although it is signed as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was taken before.
    Again,
    /// Too many were taken of late to remember another one.
    Full,
}

/// The nonces of late.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    nonces: BTreeSet<String>,
    /// In the order in which they came, and when.
    order: VecDeque<(u64, String)>,
}

impl Nonces {
    /// Takes the nonce of a request whose signature holds, `up_ms` on a clock that nobody sets.
    pub(super) fn take(&self, nonce: &str, up_ms: u64) -> Result<(), Refused> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at, _)) = seen.order.front()
            && up_ms.saturating_sub(*at) > KEPT_MS
        {
            if let Some((_, old)) = seen.order.pop_front() {
                seen.nonces.remove(&old);
            }
        }
        if seen.nonces.contains(nonce) {
            return Err(Refused::Again);
        }
        if seen.order.len() >= NONCES_MAX {
            return Err(Refused::Full);
        }
        seen.nonces.insert(nonce.to_string());
        seen.order.push_back((up_ms, nonce.to_string()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_as_long_as_its_request_could_be_and_memory_is_bounded() {
        let nonces = Nonces::default();
        assert_eq!(nonces.take("a", 1000), Ok(()));
        assert_eq!(nonces.take("a", 1000 + KEPT_MS), Err(Refused::Again));
        assert_eq!(nonces.take("a", 1001 + KEPT_MS), Ok(()));
        for n in 1..NONCES_MAX {
            assert_eq!(nonces.take(&n.to_string(), 2000 + KEPT_MS), Ok(()));
        }
        assert_eq!(nonces.take("one more", 2000 + KEPT_MS), Err(Refused::Full));
        assert_eq!(nonces.take("a", 2000 + KEPT_MS), Err(Refused::Again), "none is forgotten for it");
        assert_eq!(nonces.take("one more", 1002 + 2 * KEPT_MS), Ok(()));
    }
}
