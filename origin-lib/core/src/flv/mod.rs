//! FLV tags (Adobe FLV 10.1, annex E; Veovera, Enhanced RTMP v2): what RTMP's audio, video and data messages carry, and files of
//! them.
//!
//! [`Demux`] turns message bodies into [`FeedEvent`](crate::media::FeedEvent)s; [`File`] reads a file's tags, and
//! [`Stream`] those of one that is still written; [`body`] goes the other way.

use alloc::string::String;

use bytes::Bytes;

use crate::codec::ConfigError;

mod capture;
mod demux;
mod enhanced;
mod file;
mod mux;
mod names;
mod stream;
#[cfg(test)]
mod tests;

pub use capture::TimeOfDay;
pub use demux::Demux;
pub use file::{File, FileError, TAG_LEN_MAX, Tag};
pub use mux::{audio_header, body, video_header};
pub use stream::Stream;

/// What a tag, or an RTMP message, carries. The numbers are FLV's tag types, which are RTMP's message types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagKind {
    /// An `AudioTagHeader` and its data.
    Audio = 8,
    /// A `VideoTagHeader` and its data.
    Video = 9,
    /// AMF0 values, most often `onMetaData`.
    Data = 18,
}

impl TagKind {
    /// The kind with this FLV tag type.
    pub fn from_type(number: u8) -> Option<TagKind> {
        match number {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            18 => Some(TagKind::Data),
            _ => None,
        }
    }
}

/// What a message brings, as far as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Access units.
    Frames,
    /// The end of its track.
    End,
    /// Parameters, metadata, commands; or nothing that is known.
    Other,
}

/// What an audio or video message brings; of several tracks, each the same.
pub fn part(kind: TagKind, payload: &Bytes) -> Part {
    const FRAMES: u8 = 1;
    const END: u8 = 2;
    let packet = match (kind, payload.first()) {
        (TagKind::Data, _) | (_, None) => return Part::Other,
        (TagKind::Video, Some(first)) if first & 0x80 == 0 => payload.get(1).copied(),
        (TagKind::Audio, Some(first)) if first >> 4 != 9 => payload.get(1).copied(),
        _ => match enhanced::packets(kind, payload) {
            Ok(packets) => packets.first().map(|packet| packet.kind),
            Err(_) => None,
        },
    };
    let enhanced_video = kind == TagKind::Video && payload.first().is_some_and(|first| first & 0x80 != 0);
    match packet {
        Some(FRAMES) => Part::Frames,
        Some(enhanced::CODED_FRAMES_X) if enhanced_video => Part::Frames,
        Some(END) => Part::End,
        _ => Part::Other,
    }
}

/// Why a message gave no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This one message is no use: count it, go on with the next.
    #[error("skipped: {0}")]
    Skip(&'static str),
    /// Nothing of this track can be used: refuse the feed, with this text.
    #[error("the encoder sends {sent}: set {set}")]
    Refuse {
        /// What the encoder sends.
        sent: String,
        /// What to set instead.
        set: &'static str,
    },
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        match error {
            ConfigError::Malformed(what) => Error::Skip(what),
            ConfigError::Unsupported { sent, set } => Error::Refuse { sent, set },
        }
    }
}
