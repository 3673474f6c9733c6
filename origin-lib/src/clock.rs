//! The one place where the origin reads the wall clock.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use railbird_core::time::{Moment, UtcMs};

/// The wall clock. A clock before 1970 reads as 1970.
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The wall clock, and the one that only goes forward.
pub fn moment() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    let up = START.get_or_init(Instant::now).elapsed();
    Moment { utc: now(), up_ms: u64::try_from(up.as_millis()).unwrap_or(u64::MAX) }
}
