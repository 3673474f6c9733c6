//! Numbers from a seed.

/// SplitMix64: small, and the same on every machine.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `from` up to and without `to`.
    pub(super) fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from).max(1)
    }

    /// `true` once in `n` times.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub(super) fn pick(&mut self, of: usize) -> usize {
        self.range(0, of as u64) as usize
    }

    /// How long a fault lasts: mostly short, now and then minutes.
    pub(super) fn fault_ms(&mut self) -> u64 {
        match self.range(0, 10) {
            0 => self.range(60_000, 300_000),
            1..=3 => self.range(10_000, 60_000),
            _ => self.range(100, 10_000),
        }
    }
}
