//! What is delivered.

use std::path::PathBuf;

use railbird_core::hash::Hash;
use railbird_core::id::{ChannelId, RecordingId, RenditionId};
use railbird_core::time::MediaTime;

use crate::other::{Made, Slot};

/// A media object on the local disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its channel.
    pub channel: ChannelId,
    /// Its rendition.
    pub rendition: RenditionId,
    /// Its recording.
    pub recording: RecordingId,
    /// Its number in the recording; a part has none, and 0 here.
    pub n: u32,
    /// Its name on every target.
    pub name: String,
    /// Where it lies in the spool; a part does not.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub len: u64,
    /// Its hash.
    pub sha256: Hash,
    /// Where it starts; of an init segment, where the first segment starts that needs it.
    pub start: MediaTime,
    /// What it is.
    pub kind: Kind,
    /// The segment duration of its recording, in milliseconds.
    pub segment_ms: u32,
    /// The length of its recording's key periods, in seconds.
    pub key_period_s: u32,
}

impl ObjectRef {
    /// Whether it is a part: of no recording, on no disk, and of no use to anybody in a few seconds.
    pub fn is_part(&self) -> bool {
        matches!(self.kind, Kind::Part { .. })
    }

    /// Of what a rung has of a segment, the name of the init segment that it needs: no two encoders make the same of a picture, so
    /// that what the other origin made is as good if it plays with that one.
    pub(super) fn rung_init(&self) -> Option<&str> {
        match &self.kind {
            Kind::Rung { init } => Some(init),
            _ => None,
        }
    }

    /// Where it belongs, of what starts somewhere.
    pub(super) fn slot(&self) -> Slot<'_> {
        let ObjectRef { channel, start, segment_ms, key_period_s, .. } = self;
        Slot { channel, start: *start, segment_ms: *segment_ms, key_period_s: *key_period_s }
    }

    /// What was made here, for telling whose it is that stands under its name.
    pub(super) fn made(&self) -> Made<'_> {
        let segment = matches!(self.kind, Kind::Segment { .. });
        Made { sha256: &self.sha256, len: self.len, slot: segment.then(|| self.slot()) }
    }
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An init segment.
    Init,
    /// A segment.
    Segment {
        /// The name of the init segment that it needs.
        init: String,
    },
    /// The key frame of a segment.
    Frame {
        /// The name of the init segment that it needs.
        init: String,
    },
    /// What a rung has in the place of a segment.
    Rung {
        /// The name of the init segment that it needs.
        init: String,
    },
    /// A part of a segment, in memory only.
    Part {
        /// The name of the init segment that it needs.
        init: String,
    },
}
