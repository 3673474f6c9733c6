//! The objects of a recording, and which target has each.

use crate::hash::Hash;
use crate::publish::Init;
use crate::time::{MediaSpan, MediaTime};

/// An object of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes; 0 where the disk did not take it.
    pub len: u64,
    /// Its hash; `None` where the disk did not take it.
    pub sha256: Option<Hash>,
    /// Which targets have it: bit b for [`Reel::target`](super::Reel::target)`(b)`.
    pub on: u32,
    /// Which of them have the other origin's bytes of that name, and these lack frames of ours.
    pub less: u32,
    /// Which targets have the other origin's of that name instead, which does not play as ours would: they get nothing more of it,
    /// and nobody is sent there for it.
    pub others: u32,
}

impl Object {
    pub(super) fn new(kind: Kind, len: u64, sha256: Option<Hash>) -> Object {
        Object { kind, len, sha256, on: 0, less: 0, others: 0 }
    }

    /// Whether the target of this bit has something under its name for good: it is sent nothing.
    pub fn is_settled_at(&self, bit: usize) -> bool {
        u32::try_from(bit)
            .ok()
            .and_then(|bit| (self.on | self.others).checked_shr(bit))
            .is_some_and(|on| on & 1 == 1)
    }

    /// Where the segment starts that it is, or of which it is the key frame; `None` for init segments.
    pub fn start(&self) -> Option<MediaTime> {
        match &self.kind {
            Kind::Segment(segment) => Some(segment.start),
            Kind::Frame(start) | Kind::RungSegment { start, .. } => Some(*start),
            Kind::Init(_) | Kind::FramesInit(_) | Kind::RungInit(..) | Kind::Foreign => None,
        }
    }
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An init segment.
    Init(Init),
    /// A segment.
    Segment(Segment),
    /// The init segment of key frames, for the segments that need the init segment of this number.
    FramesInit(u32),
    /// The key frame of the segment that starts here.
    Frame(MediaTime),
    /// An init segment of the rung at this place of [`Reel::rungs`](super::Reel::rungs).
    RungInit(u8, Init),
    /// What a rung has in the place of a segment.
    RungSegment {
        /// The place of the rung in [`Reel::rungs`](super::Reel::rungs).
        rung: u8,
        /// Where the segment starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// The number of its init segment.
        init: u32,
    },
    /// Something that another version made ([`Foreign`](super::Foreign)): it has a number, and nothing is done with it.
    Foreign,
}

/// A segment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it starts.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// It does not continue the one before.
    pub discontinuity: bool,
    /// The number of its init segment; `None` where the journal has none before it.
    pub init: Option<u32>,
    /// It was listed as a gap.
    pub gap: bool,
    /// It begins with a picture that refers to some before it.
    pub dependent: bool,
}
