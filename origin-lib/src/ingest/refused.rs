//! Why encoders were refused lately.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use railbird_core::media::Role;

use crate::clock;

/// How long it is said that an encoder was refused which does not come back, in milliseconds: a minute. Encoders try again sooner.
const REFUSED_MS: u64 = 60_000;

/// For each role, why its feed's encoder was refused, and when.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<Role, (String, u64)>>);

impl Refused {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Role, (String, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A feed's encoder sends what can't be used, for this reason.
    pub(super) fn note(&self, role: Role, reason: String) {
        self.lock().insert(role, (reason, clock::moment().up_ms));
    }

    /// A feed's encoder sends what can be used.
    pub(super) fn forget(&self, role: Role) {
        self.lock().remove(&role);
    }

    /// Which feeds were refused lately, and why.
    pub(super) fn lately(&self) -> Vec<(Role, String)> {
        let (refused, now) = (self.lock(), clock::moment());
        let lately = refused.iter().filter(|(_, (_, at))| now.ms_since(*at) < REFUSED_MS);
        lately.map(|(role, (reason, _))| (*role, reason.clone())).collect()
    }
}
