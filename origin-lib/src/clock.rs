//! The one place where the origin reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use railbird_core::time::UtcMs;

/// The wall clock. A clock before 1970 reads as 1970.
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
