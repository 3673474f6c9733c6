//! FLV tags (Adobe FLV 10.1, annex E; Veovera, Enhanced RTMP v2): what RTMP's audio, video and data messages carry, and files of
//! them.
//!
//! [`Demux`] turns message bodies into [`FeedEvent`](crate::media::FeedEvent)s; [`File`] reads a file's tags; [`body`]
//! goes the other way.

use alloc::string::String;

use crate::codec::ConfigError;

mod demux;
mod enhanced;
mod file;
mod mux;
mod names;
#[cfg(test)]
mod tests;

pub use demux::Demux;
pub use file::{File, FileError, TAG_LEN_MAX, Tag};
pub use mux::{audio_header, body, video_header};

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
