//! The one place where the figures read the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use railbird_core::time::UtcMs;

/// The wall clock, as the origin reads it.
pub(crate) fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
