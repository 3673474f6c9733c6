//! The lines of a recording's journal.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::captions::Captions;
use crate::hash::Hash;
use crate::id::{ChannelId, RecordingId, RenditionId, TargetId};
use crate::publish::Init;
use crate::scte35::Splice;
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// What stays the same for a recording's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The channel.
    pub channel: ChannelId,
    /// The recording.
    pub recording: RecordingId,
    /// The rendition that it records.
    pub rendition: RenditionId,
    /// Segment duration by which names are numbered, in milliseconds.
    pub segment_ms: u32,
    /// Length of a key period, in seconds.
    pub key_period_s: u32,
    /// No media sequence number is below this one: those of the recording before ended there.
    pub msn_min: u64,
}

/// One line of a journal. Objects are numbered in the order in which they were made, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Begin(Head),
    /// An init segment is on the disk; segments from here on need it.
    Init {
        /// The object's number.
        n: u32,
        /// What it begins.
        #[serde(flatten)]
        init: Init,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// A segment is on the disk, encrypted.
    Segment {
        /// The object's number.
        n: u32,
        /// Where it starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// It does not continue the one before.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        discontinuity: bool,
        /// It begins with a picture that refers to some before it.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        dependent: bool,
        /// Which closed captions it has.
        #[serde(default, skip_serializing_if = "Captions::is_none")]
        captions: Captions,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// The init segment of key frames is on the disk, for the segments that need the newest init segment.
    FramesInit {
        /// The object's number.
        n: u32,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// The key frame of a segment is on the disk, encrypted.
    Frame {
        /// The object's number.
        n: u32,
        /// Where the segment starts.
        start: MediaTime,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// What was said of a splice during the segment before, for the first time.
    Splice(Splice),
    /// An init segment of a rung is on the disk; its segments from here on need it.
    RungInit {
        /// The object's number.
        n: u32,
        /// The rung.
        rendition: RenditionId,
        /// What it begins.
        #[serde(flatten)]
        init: Init,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// What a rung has in the place of a segment is on the disk, encrypted.
    RungSegment {
        /// The object's number.
        n: u32,
        /// The rung.
        rendition: RenditionId,
        /// Where the segment starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// Which closed captions it has.
        #[serde(default, skip_serializing_if = "Captions::is_none")]
        captions: Captions,
        /// Its size in bytes.
        len: u64,
        /// Its hash.
        sha256: Hash,
    },
    /// A segment was made, and the disk did not take it: a gap everywhere.
    Lost {
        /// The object's number.
        n: u32,
        /// Where it starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// It does not continue the one before.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        discontinuity: bool,
    },
    /// A target has an object.
    Ack {
        /// The object's number.
        n: u32,
        /// The target.
        target: TargetId,
        /// What it has is the other origin's of a pair, which lacks frames of ours.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        less: bool,
    },
    /// A target has the other origin's object of this name, of a rung, and it does not play as ours would: ours is nowhere
    /// there, and nothing more is done about it.
    Others {
        /// The object's number.
        n: u32,
        /// The target.
        target: TargetId,
    },
    /// A segment was listed as a gap, and stays one in live playlists.
    Gap {
        /// The object's number.
        n: u32,
    },
    /// What a rung has in the place of a segment was listed as a gap, and stays one in live playlists.
    RungGap {
        /// The object's number.
        n: u32,
    },
    /// `EXT-X-TARGETDURATION` of its live playlists is this from now on, for good.
    Promise {
        /// In seconds.
        target_s: u32,
    },
    /// A target was removed: what it has is of no use any more.
    Removed {
        /// The target.
        target: TargetId,
    },
    /// A feed's clock was tied to the world's.
    Anchor {
        /// Which feed: `primary` or `backup`.
        feed: String,
        /// Decoding time on the feed's clock, in milliseconds.
        feed_ms: i64,
        /// The same instant in UTC.
        utc: UtcMs,
    },
    /// The files of all objects were deleted from the local disk, to make room. The targets still have them.
    Evicted,
    /// The channel has ended.
    End {
        /// When.
        at: UtcMs,
        /// The first media sequence number that the recording did not use.
        next_msn: u64,
    },
}

/// A line of a journal that another version wrote: of a kind, or in a form, that is not known here. It is passed over
/// ([`Reel::pass_over`](super::Reel::pass_over)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Foreign {
    /// What it is.
    pub is: String,
    /// The number of the object that it brings or speaks of.
    #[serde(default)]
    pub(super) n: Option<u32>,
}
