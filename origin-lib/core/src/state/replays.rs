//! Which recordings of a channel can be watched, as an origin tells the edge.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{ChannelId, MatchId, OriginId, RecordingId};
use crate::time::{MediaSpan, MediaTime};

/// The most recordings that a [`ReplayList`] names.
pub const REPLAYS_MAX: usize = 64;

/// The most chapters of a recording.
pub const CHAPTERS_MAX: u32 = 2_000;

/// The most segments of a rendition in a chapter.
pub const CHAPTER_SEGMENTS_MAX: usize = 1_000;

/// The recordings of a channel that can be watched, oldest first. `PUT /origin/v1/channels/{channel}/replays`.
///
/// A recording's segments come in chapters, each a [`ChannelState`](super::ChannelState) of its own, pushed when it is
/// complete and again when what it says has changed:
/// `PUT /origin/v1/channels/{channel}/replays/{recording}/{chapter}`, chapters counted from 0. What follows the last
/// chapter of a recording that is still being made is in the channel's own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayList {
    /// The channel.
    pub channel: ChannelId,
    /// Which origin says so.
    pub origin: OriginId,
    /// Goes up with every change, restarts of the origin included.
    pub revision: u64,
    /// At most [`REPLAYS_MAX`].
    pub replays: Vec<Replay>,
}

/// One recording, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its name.
    pub recording: RecordingId,
    /// What people call it.
    pub title: String,
    /// Where its first segment starts.
    pub start: MediaTime,
    /// From there to the end of its last segment, gaps included.
    pub duration: MediaSpan,
    /// How many chapters it has so far.
    pub chapters: u32,
    /// The channel has ended: nothing will follow the last chapter.
    pub ended: bool,
    /// The matches that were played meanwhile, oldest first; at most [`MATCHES_MAX`], the oldest ones: what was listed stays.
    /// The score of each is a document of its own: `PUT /origin/v1/channels/{channel}/matches/{match}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
}

/// The most matches of a recording: one in 23 minutes of the four days after which the longest recording ends.
pub const MATCHES_MAX: usize = 256;

/// A match of a recording, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Its name.
    pub id: MatchId,
    /// Media time at which it begins, to within [`MATCH_FROM_MS_MAX`], in 1/90000 s: whoever asks for a stretch of the
    /// recording need not read the others.
    pub from: MediaTime,
}

/// By how much a list may be wrong about where a match begins, in milliseconds: a table's delay, a scorer's offset, and as
/// much again while a calibration is on its way.
pub const MATCH_FROM_MS_MAX: u64 = 240_000;
