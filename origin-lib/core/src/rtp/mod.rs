//! What comes by WebRTC, once its packets are decrypted, in order and put together: access units of RTP (RFC 3550) become frames.
//!
//! [`Demux`] turns them into [`FeedEvent`](crate::media::FeedEvent)s on one clock for both tracks; [`Keys`] says when
//! to ask for a key frame, and [`Sources`] whose packets a track's are. [`sdp`] reads what WHIP (RFC 9725) exchanges, and [`stun`] says whom a datagram is for.
//!
//! A picture is handed on only where nothing is missing between it and the key frame before it.

mod clock;
mod demux;
mod held;
mod keys;
mod reports;
pub mod sdp;
mod sources;
pub mod stun;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::media::Kind;

pub use clock::{BACK_MS_MAX, JUMP_MS_MAX, SYNC_MS_MAX};
pub use demux::{Counts, Demux, UNIT_LEN_MAX};
pub use held::{HELD_LEN_MAX, Held};
pub use keys::Keys;
pub use sources::{CHANGE_MS_MIN, GONE_MS_MIN, Head, STRAY_MS_MAX, Sources, Way, head};

/// Why something gave no event: as with FLV.
pub use crate::flv::Error;

/// How a unit is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 (RFC 6184), as a byte stream.
    H264,
    /// AV1 (RTP payload format for AV1), as OBUs that say how long they are.
    Av1,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// Which track it is.
    pub fn kind(self) -> Kind {
        match self {
            Codec::H264 | Codec::Av1 => Kind::Video,
            Codec::Opus => Kind::Audio,
        }
    }

    /// Ticks of its timestamps a second.
    pub fn clock_hz(self) -> u32 {
        match self {
            Codec::H264 | Codec::Av1 => 90_000,
            Codec::Opus => 48_000,
        }
    }
}

/// An access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// How it is coded.
    pub codec: Codec,
    /// Its timestamp in ticks of [`Codec::clock_hz`], wraps undone.
    pub time: u64,
    /// No packet is missing between the unit before it, of the same track, and its own end.
    pub follows: bool,
    /// The last report of its sender, where one has come.
    pub report: Option<Report>,
    /// What was sent.
    pub data: Bytes,
}

/// What a sender report says (RFC 3550, 6.4.1): when, by the sender's clock, a timestamp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sender's wall clock, in microseconds since any moment that both tracks share.
    pub wall_us: u64,
    /// The timestamp of that moment, as in [`Unit::time`].
    pub time: u64,
}
