//! Counters that begin anew at a power of two.

/// A time that is further from the last one than this part of a turn may be a wrong one.
const FAR_SHIFT: u32 = 6;

/// After so many in a row it is not.
const FAR_MAX: u8 = 8;

/// Undoes the wrap of a counter of `BITS` bits: each time is the one nearest to the time before.
///
/// A few wrong times turn nothing round: what is far from all others is the nearest only once there were several of it.
#[derive(Debug, Default)]
pub(crate) struct Unwrap<const BITS: u32> {
    last: Option<i64>,
    far: u8,
}

/// Distance of two times modulo 2^`BITS`: the shorter way.
pub(crate) fn distance<const BITS: u32>(from: u64, to: u64) -> i64 {
    let unused = u64::BITS - BITS;
    (to.wrapping_sub(from) << unused).cast_signed() >> unused
}

impl<const BITS: u32> Unwrap<BITS> {
    /// The last time that was not far from others.
    pub(crate) fn last(&self) -> Option<i64> {
        self.last
    }

    /// The time nearest to the last one; `None` before there was one.
    pub(crate) fn near(&self, ticks: u64) -> Option<i64> {
        self.last.map(|last| last.saturating_add(distance::<BITS>(last.cast_unsigned(), ticks)))
    }

    /// The same, before there was one the time as it is said.
    pub(crate) fn read(&self, ticks: u64) -> i64 {
        self.near(ticks).unwrap_or(ticks.cast_signed())
    }

    /// The same, which is the last one from now on.
    pub(crate) fn unwrap(&mut self, ticks: u64) -> i64 {
        let time = self.read(ticks);
        let is_far = self.last.is_some_and(|last| last.abs_diff(time) >> (BITS - FAR_SHIFT) > 0);
        self.far = if is_far { self.far + 1 } else { 0 };
        if !is_far || self.far >= FAR_MAX {
            (self.last, self.far) = (Some(time), 0);
        }
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut clock = Unwrap::<33>::default();
        let from = (1_u64 << 33) - 9_000;
        for step in 0..10 {
            let time = (from + step * 3_000) % (1 << 33);
            assert_eq!(clock.unwrap(time), (from + step * 3_000).cast_signed());
        }
    }

    #[test]
    fn wrong_times_turn_nothing_round() {
        const TURN: u64 = 1 << 32;
        // Each less than half a turn ahead of the one before it.
        for wrong in
            [&[TURN / 3, 2 * TURN / 3][..], &[TURN / 2 - 1, TURN - 10], &[2 * TURN / 3, TURN / 3, TURN - 1]]
        {
            let mut clock = Unwrap::<32>::default();
            assert_eq!(clock.unwrap(1_000), 1_000);
            for wrong in wrong {
                let _ = clock.unwrap(*wrong);
            }
            assert_eq!(clock.unwrap(1_040), 1_040, "{wrong:?}");
        }
    }

    #[test]
    fn a_counter_that_goes_elsewhere_is_followed_there_and_wraps_there() {
        const TURN: u64 = 1 << 32;
        let mut clock = Unwrap::<32>::default();
        clock.unwrap(1_000);
        let from = TURN / 2 - 200;
        for step in 0..100 {
            assert_eq!(clock.unwrap((from + step * 40) % TURN), (from + step * 40).cast_signed());
        }
    }
}
