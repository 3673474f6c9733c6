//! By how much what arrives is later than what it says of itself.

/// So long a least lag counts, twice at the most, in milliseconds.
const SPAN_MS: u64 = 4_000;

/// It is known once pictures have come for so long, in milliseconds: the first ones may be what waited for the connection.
const SEEN_MS: u64 = 1_000;

/// The least time that lately passed between when pictures are shown, on some clock, and when they arrived: networks and encoders
/// are late by different amounts, and never early.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// When the first one came.
    since: Option<u64>,
    /// When the present span began, its least, and that of the span before.
    begun: u64,
    least: Option<i64>,
    before: Option<i64>,
}

impl Lag {
    /// A picture that is shown at `at` came, in 1/90000 s of its clock.
    pub(super) fn note(&mut self, at: u64, up_ms: u64) {
        let arrived = i64::try_from(up_ms.saturating_mul(90)).unwrap_or(i64::MAX);
        let lag = arrived.saturating_sub(i64::try_from(at).unwrap_or(i64::MAX));
        self.since.get_or_insert(up_ms);
        let passed = up_ms.saturating_sub(self.begun);
        if self.least.is_none() || passed >= 2 * SPAN_MS {
            (self.begun, self.least, self.before) = (up_ms, Some(lag), None);
        } else if passed >= SPAN_MS {
            (self.begun, self.before, self.least) = (up_ms, self.least, Some(lag));
        } else {
            self.least = self.least.map(|least| least.min(lag));
        }
    }

    /// What is known of it now, in 1/90000 s; `None` where too little came, or nothing for long.
    pub(super) fn known(&self, up_ms: u64) -> Option<i64> {
        let seen = self.since.is_some_and(|since| up_ms.saturating_sub(since) >= SEEN_MS);
        let fresh = up_ms.saturating_sub(self.begun) < 2 * SPAN_MS;
        let least = self.least.filter(|_| seen && fresh)?;
        Some(self.before.map_or(least, |before| before.min(least)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lag_of_the_last_seconds_counts() {
        let mut lag = Lag::default();
        let mut note = |up_ms: u64, late_ms: u64| {
            lag.note((up_ms - late_ms) * 90, up_ms);
            lag.known(up_ms).map(|ticks| ticks / 90)
        };
        assert_eq!(note(10_000, 900), None, "what comes first may have waited");
        assert_eq!(note(10_500, 300), None);
        assert_eq!(note(11_000, 400), Some(300));
        assert_eq!(note(13_000, 250), Some(250));
        assert_eq!(note(14_500, 600), Some(250), "a burst is no news");
        assert_eq!(note(18_600, 700), Some(600), "one that lasts is");
        assert_eq!(note(18_700, 500), Some(500));
        assert_eq!(lag.known(30_000), None, "nothing came for long");
    }
}
