//! How late a table's picture is: a code of the time that a camera films, and what is read from its pictures.
//!
//! A screen at the table shows the origin's time as a [`code`], which changes every [`code::TICK_MS`]. Each picture of the
//! recording in which [`find`] sees one says two times: what the code showed, and where the picture lies on media time.
//! Their difference is what camera, encoder and network take, as far as the timeline's anchor does not know of it
//! ([`crate::timeline`]): the table's [`Delay`], by which a score event is later on media time than it occurred.
//!
//! ```
//! use railbird_core::calibration::{Delay, code, delay};
//! use railbird_core::time::{MediaSpan, UtcMs};
//!
//! let began = UtcMs(1_795_171_920_000);
//! let filmed = (0..50).map(|n| {
//!     let shown = began.plus_ms(n * 40);
//!     (shown.media() + MediaSpan::from_ms(800), code::tick(shown))
//! });
//! let Delay { ms, .. } = delay(filmed, 50).unwrap();
//! assert!((ms - 800).abs() <= 10);
//! ```

pub mod code;
mod find;
mod shapes;
mod square;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use find::{Picture, SIDE_MAX, find};

use crate::time::MediaTime;

/// The fewest pictures with a code that say how late a table is.
pub const READ_MIN: usize = 25;

/// The widest spread of what single pictures say, in milliseconds: about two pictures, and a change of the code.
pub const SPREAD_MS_MAX: u64 = 100;

/// The largest delay either way, in milliseconds. What is measured beyond comes from a clock that is wrong.
pub const DELAY_MS_MAX: i64 = 60_000;

/// By how much media time is later than what its pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The median, in milliseconds; negative where the timeline's anchor puts pictures too early.
    pub ms: i64,
    /// From the tenth to the ninetieth percentile, in milliseconds.
    pub spread_ms: u64,
    /// In how many pictures the code was read.
    pub read: usize,
}

/// The delay can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    /// Too few pictures show the code.
    #[error(
        "the code was read in {read} of {pictures} pictures, and {READ_MIN} are needed: show it larger and \
         brighter, in focus, flat to the camera, with nothing over it"
    )]
    Few {
        /// In how many it was read.
        read: usize,
        /// How many were looked at.
        pictures: usize,
    },
    /// Single pictures say too different things.
    #[error(
        "the pictures differ by {spread_ms} ms in what they say, and {SPREAD_MS_MAX} ms are allowed: let the screen \
         show the code smoothly, and measure while the encoder's connection is steady"
    )]
    Spread {
        /// By how much, in milliseconds.
        spread_ms: u64,
    },
    /// A clock is wrong.
    #[error(
        "the picture seems to be {ms} ms late, and {DELAY_MS_MAX} ms are the most that can be: does the code come from \
         this origin's page, and is this the channel that films it?"
    )]
    Far {
        /// How late, in milliseconds.
        ms: i64,
    },
}

/// The delay of a table whose pictures lie on media time and show ticks as these; `pictures` is how many were looked at.
pub fn delay(
    filmed: impl IntoIterator<Item = (MediaTime, u32)>,
    pictures: usize,
) -> Result<Delay, Unmeasured> {
    let ms = |(at, tick): (MediaTime, u32)| (at - code::shown(tick, at).media()).ms();
    let mut delays: Vec<i64> = filmed.into_iter().map(ms).collect();
    delays.sort_unstable();
    let read = delays.len();
    let part =
        |tenths: usize| delays.get((read.saturating_sub(1)) * tenths / 10).copied().unwrap_or_default();
    if read < READ_MIN {
        return Err(Unmeasured::Few { read, pictures });
    }
    let (ms, spread_ms) = (part(5), part(9).abs_diff(part(1)));
    if spread_ms > SPREAD_MS_MAX {
        return Err(Unmeasured::Spread { spread_ms });
    }
    if ms.abs() > DELAY_MS_MAX { Err(Unmeasured::Far { ms }) } else { Ok(Delay { ms, spread_ms, read }) }
}
