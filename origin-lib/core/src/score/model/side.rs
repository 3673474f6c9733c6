//! The two sides of a match.

use serde::{Deserialize, Serialize};

/// One of the two sides of a match: `0` or `1` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Side {
    /// Side 0.
    First,
    /// Side 1.
    Second,
}

impl Side {
    /// Both, in the order of a pair.
    pub const BOTH: [Side; 2] = [Side::First, Side::Second];

    /// The opponent.
    pub fn other(self) -> Side {
        match self {
            Side::First => Side::Second,
            Side::Second => Side::First,
        }
    }

    /// This side's item of a pair.
    pub fn of<T>(self, pair: &[T; 2]) -> &T {
        let [first, second] = pair;
        if self == Side::First { first } else { second }
    }

    /// This side's item of a pair, to change it.
    pub fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [first, second] = pair;
        if self == Side::First { first } else { second }
    }
}

impl TryFrom<u8> for Side {
    type Error = &'static str;
    fn try_from(number: u8) -> Result<Side, &'static str> {
        match number {
            0 => Ok(Side::First),
            1 => Ok(Side::Second),
            _ => Err("a side is 0 or 1"),
        }
    }
}

impl From<Side> for u8 {
    fn from(side: Side) -> u8 {
        match side {
            Side::First => 0,
            Side::Second => 1,
        }
    }
}

impl core::fmt::Display for Side {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        u8::from(*self).fmt(f)
    }
}

/// A number for both sides alike, or one for each where one of them has a handicap: `40` or `[40, 30]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, or one for each side: [40, 30]")]
pub enum PerSide {
    /// The same for both.
    Both(u32),
    /// Side 0's and side 1's.
    Each([u32; 2]),
}

impl PerSide {
    /// The number of `side`.
    pub const fn of(self, side: Side) -> u32 {
        match (self, side) {
            (PerSide::Both(number), _)
            | (PerSide::Each([number, _]), Side::First)
            | (PerSide::Each([_, number]), Side::Second) => number,
        }
    }

    /// The number, where it is the same for both sides.
    pub fn common(self) -> Option<u32> {
        let [first, second] = Side::BOTH.map(|side| self.of(side));
        (first == second).then_some(first)
    }

    /// Whether both numbers lie between these two, the bounds included.
    pub(crate) fn is_within(self, least: u32, most: u32) -> bool {
        Side::BOTH.into_iter().all(|side| (least..=most).contains(&self.of(side)))
    }
}
