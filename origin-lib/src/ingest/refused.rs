//! Why what encoders sent lately is no use.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use railbird_core::media::Role;

use crate::clock;

/// How long it is said of an encoder that does not come back, in milliseconds: a minute. Encoders try again sooner.
const REFUSED_MS: u64 = 60_000;

/// For each role, what is said of its feed, as "is refused: ..." and when that was.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<Role, (String, u64)>>);

impl Refused {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Role, (String, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A feed's encoder sends what can't be used: the feed "is refused: ...".
    pub(super) fn note(&self, role: Role, reason: String) {
        self.lock().insert(role, (reason, clock::moment().up_ms));
    }

    /// A feed's encoder sends what can be used.
    pub(super) fn forget(&self, role: Role) {
        self.lock().remove(&role);
    }

    /// What is said of which feeds lately.
    pub(super) fn lately(&self) -> Vec<(Role, String)> {
        let (refused, now) = (self.lock(), clock::moment());
        let lately = refused.iter().filter(|(_, (_, at))| now.ms_since(*at) < REFUSED_MS);
        lately.map(|(role, (reason, _))| (*role, reason.clone())).collect()
    }
}
