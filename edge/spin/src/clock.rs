//! The only place that reads the clock and the random generator.

use std::time::{SystemTime, UNIX_EPOCH};

use railbird_core::time::UtcMs;
use railbird_edge::Moment;

/// The time and the randomness of one request.
///
/// # Errors
/// The host gave no randomness; a request must not be answered without.
pub(crate) fn moment() -> Result<Moment, getrandom::Error> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    Ok(Moment { now: now(), entropy })
}

/// Wall clock; 1970 where it stands before that.
fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
