//! MPEG transport streams (ISO/IEC 13818-1): what encoders send over SRT, HTTP and UDP.
//!
//! [`Demux`] turns their bytes into [`FeedEvent`](crate::media::FeedEvent)s. Of several programmes, the first one with video is
//! taken; of its streams, the first video and the first audio that can be used. All others are left out, and counted.
//!
//! Clock references are not read: decoding times say when, and the arrival anchors them ([`crate::timeline`]).

mod ahead;
mod audio;
mod demux;
mod packets;
mod pes;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod video;

use alloc::string::ToString;

use bytes::Bytes;

use crate::codec::Picture;

pub use demux::{Counts, Demux, WITHOUT_TABLES_MAX};
pub use packets::{NOISE_LEN_MAX, PACKET_LEN};
pub use pes::PES_LEN_MAX;
pub(crate) use tables::crc;
pub use tables::{PROGRAMMES_MAX, SECTION_LEN_MAX, STREAMS_MAX};

/// Why something gave no event: as with FLV.
pub use crate::flv::Error;

/// An access unit on the stream's own clock.
#[derive(Debug)]
struct Unit {
    times: pes::Times,
    picture: Picture,
    data: Bytes,
}

/// What can't be used is refused until its track has begun, and skipped from then on: an encoder does not change to it without
/// a new connection, and a damaged header may say anything.
fn refuse(begun: bool, sent: &str, set: &'static str) -> Error {
    only_at_first(Error::Refuse { sent: sent.to_string(), set }, begun)
}

fn only_at_first(error: Error, begun: bool) -> Error {
    match error {
        Error::Refuse { .. } if begun => {
            Error::Skip("something that can't be used, in the middle of a track")
        }
        error => error,
    }
}
