//! Numbers from a seed.

use std::ops::Range;

/// SplitMix64: the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn within(&mut self, range: Range<usize>) -> usize {
        range.start + (self.next() % range.len().max(1) as u64) as usize
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.within(0..of.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// A range of at most `len_max`, within another one.
    pub(crate) fn piece(&mut self, of: Range<usize>, len_max: usize) -> Range<usize> {
        let from = self.within(of.clone());
        from..(from + self.within(1..len_max + 1)).min(of.end)
    }
}

/// Does one of these things to bytes, somewhere within a range: turns some over, cuts, doubles, exchanges, puts in, clears.
pub(crate) fn harm_bytes(bytes: &mut Vec<u8>, within: Range<usize>, seed: &mut Seed) {
    let within = within.start.min(bytes.len())..within.end.min(bytes.len());
    if within.is_empty() {
        return;
    }
    let piece = seed.piece(within.clone(), 600);
    match seed.within(0..6) {
        0 => {
            (0..seed.within(1..9)).for_each(|_| bytes[seed.within(within.clone())] ^= 1 << seed.within(0..8))
        }
        1 => drop(bytes.drain(piece)),
        2 => {
            let again = bytes[piece.clone()].to_vec();
            bytes.splice(piece.end..piece.end, again);
        }
        3 => {
            let other = seed.within(within);
            piece.for_each(|at| bytes.swap(at, other.min(at)));
        }
        4 => {
            let noise: Vec<u8> = piece.clone().map(|_| seed.byte()).collect();
            bytes.splice(piece.start..piece.start, noise);
        }
        _ => bytes[piece].fill(0),
    }
}
