//! The only place that reads the clock and the random generator.

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

/// Wall clock. On Cloudflare it stands still while a request computes.
pub(crate) fn now() -> UtcMs {
    UtcMs(worker::Date::now().as_millis())
}
