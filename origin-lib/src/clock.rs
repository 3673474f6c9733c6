//! The one place where the origin reads the wall clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use railbird_core::time::{Moment, UtcMs};

/// The wall clock. A clock before 1970 reads as 1970.
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How far [`steady`] is ahead of where it began, in milliseconds.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// The steady clock reads no less than this from now on: an earlier run was there already, on a clock that has been set
/// back since.
pub fn not_before(past: UtcMs) {
    let ahead = past.ms_since(steady());
    AHEAD.fetch_add(ahead, Ordering::Relaxed);
}

/// A clock that is never set: the wall clock when it was first read, and how long ago that is. For everything that asks
/// how long something has lasted.
pub fn steady() -> UtcMs {
    static BEGIN: LazyLock<(UtcMs, Instant)> = LazyLock::new(|| (now(), Instant::now()));
    let (wall, begin) = *BEGIN;
    let passed = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    wall.plus_ms(passed).plus_ms(AHEAD.load(Ordering::Relaxed))
}

/// The wall clock, and the one that only goes forward.
pub fn moment() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    let up = START.get_or_init(Instant::now).elapsed();
    Moment { utc: now(), up_ms: u64::try_from(up.as_millis()).unwrap_or(u64::MAX) }
}
