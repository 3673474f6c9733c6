//! The one place where the origin reads the wall clock.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use railbird_core::time::UtcMs;

/// The wall clock. A clock before 1970 reads as 1970.
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A clock that is never set: the wall clock when it was first read, and how long ago that is. For everything that asks
/// how long something has lasted.
pub fn steady() -> UtcMs {
    static BEGIN: LazyLock<(UtcMs, Instant)> = LazyLock::new(|| (now(), Instant::now()));
    let (wall, begin) = *BEGIN;
    wall.plus_ms(u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX))
}
