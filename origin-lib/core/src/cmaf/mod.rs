//! Fragmented MP4 as encoders push it: the DASH-IF live media ingest protocol, interface 1 (CMAF ingest), and what packagers
//! put file by file.
//!
//! A channel's tracks may come in one request or in several beside each other, each of them as one long body or as a request
//! for every segment. [`Gather`] makes one feed of them: of each kind of media the best track that can be used, both in the
//! order of their decoding times. It knows no request but by its name, which is the path below the channel's.
//!
//! The best picture is the largest, the best sound the first by its name and number: a rule of what comes and not of when, so that
//! two origins that take the same requests choose the same. In the first second nothing is given out. A better track that comes
//! later, or comes again, takes over between two of its fragments; one that comes no longer makes room after a while.
//!
//! A header (`ftyp`, `moov`) stays known to later requests of the same name, or of names like it. A header that comes
//! again changes nothing where it says the same, also under the name of each segment; of two that say otherwise under one name the
//! later one counts, and what belongs to the other is left out; a fragment that comes again is known by its time and size, and only what had
//! not come of it is taken. Requests of a track that come beside each other are put in its order, whichever is read first: what begins
//! behind a hole waits up to [`ORDER_MS`] for what is missing, or up to [`WAIT_MS_MAX`] where a request is open that may bring it. What
//! has not come by then is a gap. `styp`, `sidx`, `prft`, `emsg` and what else may stand between fragments is
//! read or passed over; a fragment that makes no sense is left out, and its track goes on.
//!
//! Decoding times are the feed's clock. Where they count from 1970, or a `prft` says which instant one of them is, that is told
//! as the capture time.

mod boxes;
mod came;
mod fragment;
mod gather;
mod header;
mod known;
mod lane;
mod names;
mod order;
#[cfg(test)]
mod tests;

use alloc::string::String;

pub use boxes::{MOOF_LEN_MAX, MOOV_LEN_MAX, SMALL_LEN_MAX, may_begin};
pub use fragment::SAMPLE_LEN_MAX;
pub use gather::{CHOICE_MS, Gather, IDLE_MS_MAX, NAME_LEN_MAX, ORDER_MS, REQUESTS_MAX, Request};
pub use known::{HEADERS_MAX, Headers};
pub use lane::{WAIT_LATE_MS_MAX, WAIT_LEN_MAX, WAIT_MS_MAX, WAIT_SPAN_MS_MAX};

use crate::fmp4::read;
use crate::media::{AudioConfig, Kind};
use crate::time::MEDIA_HZ;

/// Why a request is of no use. The feed, and its other requests, go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no fragmented MP4.
    #[error("the encoder sends no fragmented MP4 that can be read: {0}")]
    Malformed(&'static str),
    /// The header of its track is not known.
    #[error(
        "the init segment is missing: send the track's CMAF header (ftyp, moov) before its fragments, under the same path or \
         one that only this track's have so much in common with"
    )]
    NoHeader,
    /// Its tracks are coded in a way that can't be used.
    #[error("the encoder sends {sent}: set {set}")]
    Codec {
        /// What the encoder sends.
        sent: String,
        /// What to set instead.
        set: &'static str,
    },
    /// There are too many of them.
    #[error("more than {REQUESTS_MAX} requests of one feed at once")]
    TooMany,
}

/// The parameters of the sound in an init segment that was written here; `None` where it has none, or makes no sense.
pub fn sound(init: &[u8]) -> Option<AudioConfig> {
    let tracks = read::init(init).ok()?;
    let sound = tracks.iter().find(|track| track.kind == Kind::Audio)?;
    match header::coding(sound.kind, &sound.entry) {
        Ok(header::Coding::Audio(config)) => Some(config),
        _ => None,
    }
}

/// A track's time in 1/90000 s, rounded down.
fn ticks(time: i128, timescale: u32) -> i64 {
    let ticks = time.saturating_mul(i128::from(MEDIA_HZ)).div_euclid(i128::from(timescale.max(1)));
    i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

/// A track's time in milliseconds, rounded down.
fn ms(time: i128, timescale: u32) -> i64 {
    ticks(time, timescale).div_euclid(90)
}
