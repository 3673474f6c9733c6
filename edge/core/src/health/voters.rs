//! Who voted in a window: distinct voters, counted within a fixed room however many they are.
//!
//! Each voter has a number in each window. Those whose number begins with enough zeros are kept; when the room is full,
//! one more zero is asked for. So the sample is the same whoever votes first and however often, a voter can't vote its way
//! into it, and the count is the sample's size times two for each zero.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A sample of the voters of one window who said one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voters {
    zeros: u8,
    kept: Vec<u32>,
}

impl Voters {
    /// Whether [`Voters::add`] would change anything.
    pub fn takes(&self, voter: u32) -> bool {
        voter.leading_zeros() >= u32::from(self.zeros) && !self.kept.contains(&voter)
    }

    /// Counts a voter, keeping at most `room`.
    pub fn add(&mut self, voter: u32, room: usize) {
        if !self.takes(voter) {
            return;
        }
        self.kept.push(voter);
        while self.kept.len() > room && self.zeros < 32 {
            self.zeros += 1;
            let zeros = u32::from(self.zeros);
            self.kept.retain(|voter| voter.leading_zeros() >= zeros);
        }
    }

    /// Takes back what a voter said.
    pub fn remove(&mut self, voter: u32) {
        self.kept.retain(|kept| *kept != voter);
    }

    /// Whether this voter is in the sample.
    pub fn has(&self, voter: u32) -> bool {
        self.kept.contains(&voter)
    }

    /// About how many there are; exact as long as all are kept.
    pub fn count(&self) -> u64 {
        (self.kept.len() as u64) << self.zeros
    }

    /// An empty sample for the next window, which begins about where this one ended.
    #[must_use]
    pub fn next(&self) -> Voters {
        Voters {
            zeros: if self.kept.is_empty() { 0 } else { self.zeros.saturating_sub(1) },
            kept: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spread(n: u32) -> u32 {
        n.wrapping_add(1).wrapping_mul(0x9e37_79b1) ^ (n.wrapping_mul(0x85eb_ca6b) >> 13)
    }

    #[test]
    fn few_are_counted_exactly_and_many_about_right() {
        let mut voters = Voters::default();
        for n in 0..20_000 {
            voters.add(spread(n), 32);
            voters.add(spread(n), 32);
            let seen = u64::from(n) + 1;
            if seen <= 32 {
                assert_eq!(voters.count(), seen);
            } else {
                assert!((seen / 2..=seen * 2).contains(&voters.count()), "{seen}: {}", voters.count());
            }
        }
        assert!(voters.kept.len() <= 32);
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_counts(
            voters in proptest::collection::vec(any::<u32>(), 0..200),
            again in proptest::collection::vec(any::<prop::sample::Index>(), 0..50),
        ) {
            let count = |of: &[u32]| {
                let mut sample = Voters::default();
                of.iter().for_each(|voter| sample.add(*voter, 8));
                sample.kept.sort_unstable();
                sample
            };
            let mut other: Vec<u32> = voters.iter().rev().copied().collect();
            if !voters.is_empty() {
                other.extend(again.iter().map(|index| *index.get(&voters)));
            }
            prop_assert_eq!(count(&voters), count(&other));
        }
    }
}
