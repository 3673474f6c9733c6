//! How fast something may happen again and again: at once a few times, then at an even pace.

use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

/// The generic cell rate algorithm (ITU-T I.371): all that is kept is when everything that happened would have been paid
/// off, had it come evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pace {
    paid_at: UtcMs,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// At once.
    pub(crate) burst: u32,
    /// Then one more after so many milliseconds.
    pub(crate) every_ms: u64,
}

impl Pace {
    /// Counts one; or says in how many milliseconds there is room for it, and counts nothing.
    pub(crate) fn take(&mut self, allowance: Allowance, now: UtcMs) -> Result<(), u64> {
        let room_ms = allowance.every_ms.saturating_mul(u64::from(allowance.burst));
        // More to pay off than there can be, clocks of two hosts granted: the clock was set back meanwhile.
        let kept = Some(self.paid_at).filter(|paid_at| *paid_at <= now.plus_ms(room_ms.saturating_mul(2)));
        let paid_at = kept.unwrap_or_default().max(now).plus_ms(allowance.every_ms);
        match paid_at.ms_since(now.plus_ms(room_ms)) {
            0 => {
                self.paid_at = paid_at;
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    /// Takes one back: it does not count.
    pub(crate) fn give_back(&mut self, allowance: Allowance) {
        self.paid_at = UtcMs(self.paid_at.0.saturating_sub(allowance.every_ms));
    }

    /// From when on it is as if nothing had happened.
    pub(crate) fn full_at(self) -> UtcMs {
        self.paid_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Allowance = Allowance { burst: 3, every_ms: 1000 };
    const NOW: UtcMs = UtcMs(1_795_171_920_040);

    #[test]
    fn a_few_at_once_and_then_evenly() {
        let mut pace = Pace::default();
        for _ in 0..3 {
            assert_eq!(pace.take(FEW, NOW), Ok(()));
        }
        assert_eq!(pace.take(FEW, NOW), Err(1000));
        assert_eq!(pace.take(FEW, NOW.plus_ms(400)), Err(600), "what was refused costs nothing");
        assert_eq!(pace.take(FEW, NOW.plus_ms(1000)), Ok(()));
        assert_eq!(pace.take(FEW, NOW.plus_ms(1000)), Err(1000));
        assert_eq!(pace.full_at(), NOW.plus_ms(4000));
        for _ in 0..3 {
            assert_eq!(pace.take(FEW, NOW.plus_ms(4000)), Ok(()));
        }
        assert!(pace.take(FEW, NOW.plus_ms(4000)).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(FEW, NOW.plus_ms(86_400_000)), Ok(()));
        assert_eq!(pace.take(FEW, NOW), Ok(()));
        assert_eq!(pace.full_at(), NOW.plus_ms(1000));
        // Clocks of two hosts differ a little: no reason to forget.
        for _ in 0..2 {
            assert_eq!(pace.take(FEW, NOW), Ok(()));
        }
        assert_eq!(pace.take(FEW, UtcMs(NOW.0 - 500)), Err(1500));
    }

    proptest::proptest! {
        /// In no stretch of time do more get through than the burst and what the stretch pays for.
        #[test]
        fn never_more_than_allowed(gaps in proptest::collection::vec(0_u64..3000, 1..200)) {
            let (mut pace, mut now, mut taken) = (Pace::default(), NOW, std::vec::Vec::new());
            for gap in gaps {
                now = now.plus_ms(gap);
                if pace.take(FEW, now).is_ok() {
                    taken.push(now);
                }
            }
            for (n, first) in taken.iter().enumerate() {
                for (more, last) in taken[n..].iter().enumerate() {
                    let paid = last.ms_since(*first) / FEW.every_ms;
                    proptest::prop_assert!(more as u64 <= u64::from(FEW.burst) + paid);
                }
            }
        }
    }
}
