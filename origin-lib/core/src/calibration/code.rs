//! The code: what is shown for which time.
//!
//! A black frame, one cell thick, around eight columns and seven rows of cells, on white. The first row is always the same
//! and tells which side is up. Each further row has four bits, each as two cells side by side: dark and light is 1, light
//! and dark is 0, and two alike are neither, so that nothing is read out of noise. The bits, the highest first, are the
//! time in ticks as a Gray code: one bit changes from tick to tick. A camera whose picture is exposed while the code
//! changes sees one bit as grey, and both readings of it are right.

use crate::time::{MediaTime, UtcMs};

/// How long a code is shown, in milliseconds: longer than a screen's picture, so that ticks are not left out.
pub const TICK_MS: u64 = 20;

/// The bits of a code, after which ticks begin anew: 93 hours.
pub const BITS: u32 = 24;

/// Columns of cells, the frame's included.
pub const COLUMNS: usize = 10;

/// Rows of cells, the frame's included.
pub const ROWS: usize = 9;

/// White cells that are needed around the frame.
pub const QUIET: usize = 1;

/// The first row within the frame: dark is `true`. Two alike stand where the other rows have a bit.
pub(super) const HEAD: [bool; COLUMNS - 2] = [false, false, true, false, true, true, false, true];

/// Bits in a row.
const ROW_BITS: usize = (COLUMNS - 2) / 2;

const TICKS: u64 = 1 << BITS;

/// The tick of this instant.
pub fn tick(now: UtcMs) -> u32 {
    // Less than 2^24.
    (now.0 / TICK_MS % TICKS) as u32
}

/// The middle of the time in which this tick was shown, as near as possible to `near`.
pub fn shown(tick: u32, near: MediaTime) -> UtcMs {
    let near = near.utc().0 / TICK_MS;
    let ahead = u64::from(tick).wrapping_sub(near) & (TICKS - 1);
    let ticks =
        if ahead < TICKS / 2 { near.saturating_add(ahead) } else { (near + ahead).saturating_sub(TICKS) };
    UtcMs(ticks.saturating_mul(TICK_MS).saturating_add(TICK_MS / 2))
}

/// The cells of this tick, the frame's included: dark is `true`.
pub fn cells(tick: u32) -> [[bool; COLUMNS]; ROWS] {
    let mut cells = [[true; COLUMNS]; ROWS];
    let gray = tick ^ (tick >> 1);
    for (row, line) in cells.iter_mut().enumerate().take(ROWS - 1).skip(1) {
        for (column, cell) in line.iter_mut().enumerate().take(COLUMNS - 1).skip(1) {
            *cell = match place(row, column) {
                Place::Head(dark) => dark,
                Place::Bit { shift, first } => ((gray >> shift) & 1 == 1) == first,
            };
        }
    }
    cells
}

/// What stands in a cell within the frame.
enum Place {
    Head(bool),
    Bit { shift: u32, first: bool },
}

fn place(row: usize, column: usize) -> Place {
    match row {
        1 => Place::Head(HEAD.get(column - 1).copied().unwrap_or_default()),
        _ => {
            let bit = (row - 2) * ROW_BITS + (column - 1) / 2;
            // At most 23 of 24 bits.
            Place::Bit { shift: BITS - 1 - bit as u32, first: (column - 1).is_multiple_of(2) }
        }
    }
}

/// What a row's cells say of its bits: how much darker the first cell of each pair is than the second one.
pub(super) fn pairs(levels: &[[f32; COLUMNS]; ROWS]) -> impl Iterator<Item = f32> {
    let rows = levels.iter().take(ROWS - 1).skip(2);
    rows.flat_map(|row| {
        let inner = row.get(1..COLUMNS - 1).unwrap_or_default();
        inner.as_chunks::<2>().0.iter().map(|[first, second]| second - first)
    })
}

/// The tick of these bits, the highest first. `None` stands for one that is neither: at most two may be, where ticks that
/// follow each other differ in them.
pub(super) fn read(bits: impl Iterator<Item = Option<bool>>) -> Option<u32> {
    let (mut gray, mut unknown, mut count) = (0_u32, [0_u32; 2], 0_usize);
    for (n, bit) in bits.enumerate() {
        let mask = 1 << (BITS - 1).checked_sub(u32::try_from(n).ok()?)?;
        match bit {
            Some(true) => gray |= mask,
            Some(false) => {}
            None => {
                *unknown.get_mut(count)? = mask;
                count += 1;
            }
        }
    }
    let [a, b] = unknown;
    match count {
        0 => Some(binary(gray)),
        1 => follow([binary(gray), binary(gray | a)]).map(|[first, _]| first),
        _ => {
            let all = [gray, gray | a, gray | b, gray | a | b].map(binary);
            // The fourth is what would be so if the changes had come the other way round.
            let three = |without: usize| {
                let mut kept = all.iter().enumerate().filter(|(n, _)| *n != without).map(|(_, tick)| *tick);
                follow([kept.next()?, kept.next()?, kept.next()?])
            };
            (0..all.len()).find_map(three).map(|[_, middle, _]| middle)
        }
    }
}

/// Ticks in order, where each follows the one before.
fn follow<const N: usize>(mut ticks: [u32; N]) -> Option<[u32; N]> {
    ticks.sort_unstable();
    let steps = ticks.iter().zip(ticks.get(1..)?);
    let follow = steps.into_iter().all(|(a, b)| b - a == 1);
    follow.then_some(ticks)
}

fn binary(gray: u32) -> u32 {
    let mut binary = gray;
    for shift in [1, 2, 4, 8, 16] {
        binary ^= binary >> shift;
    }
    binary
}
