//! What comes out of a programme.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use super::Publish;
use crate::id::RenditionId;
use crate::media::{Cut, Role, Sample, Tracks};
use crate::package::Object;
use crate::segment::Bound;
use crate::time::{MediaTime, UtcMs};
use crate::timeline::Anchor;

/// Where an anchor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorFrom {
    /// From the arrival of the first frame.
    Arrival,
    /// From the capture time that the encoder tells.
    Captured,
    /// From the arrival of the first frame, because others who might know one did not answer in time.
    ArrivalAlone,
    /// From an earlier publish of the same feed.
    Known,
    /// From others.
    Others,
    /// From arrival, after the feed's clock jumped.
    Jump,
    /// From arrival, because the one before lay far behind the feed in use.
    Behind,
}

/// A sample that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The parameters of its feed.
    pub tracks: Arc<Tracks>,
    /// The sample.
    pub sample: Sample,
}

/// Why the other feed is used from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The one before had no video for this many milliseconds.
    Stalled(u64),
    /// The publish of the one before ended.
    Ended,
    /// The primary has been well for this many milliseconds.
    Steady(u64),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Stalled(ms) => write!(f, "it had no video for {ms} ms"),
            Reason::Ended => f.write_str("its publish ended"),
            Reason::Steady(ms) => write!(f, "the primary has been steady for {ms} ms"),
        }
    }
}

/// Something that the crew should read in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The other feed is used from now on.
    Switched {
        /// The feed that was used.
        from: Role,
        /// The feed that is used.
        to: Role,
        /// Why.
        reason: Reason,
        /// Whether media time and parameters go on.
        seamless: bool,
    },
    /// The feed lay so far behind the one in use that it gets a new anchor.
    Behind {
        /// The feed.
        role: Role,
        /// How far, in milliseconds.
        ms: u64,
    },
    /// The feed brought nothing for longer than [`FORWARD_MS_MAX`](crate::timeline::FORWARD_MS_MAX), and goes on with its clock as
    /// before: a discontinuity, on the same anchor.
    Paused(Role),
    /// The encoder's key frames are too far apart, or its pictures have ended.
    Forced(Bound),
    /// From now on, there is silence in the place of sound that the feed in use does not have; or there is sound again.
    Silent(bool),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object.
    Object(Object),
    /// A note.
    Note(Note),
    /// A feed's clock is tied to the world's: to be kept for [`Resume`](super::Resume).
    Anchored {
        /// The feed.
        role: Role,
        /// The anchor.
        anchor: Anchor,
        /// Where it comes from.
        from: AnchorFrom,
    },
    /// Others may know an anchor: answer with [`Programme::answer`](super::Programme::answer) within [`ANCHOR_MS_MAX`](super::ANCHOR_MS_MAX).
    Ask {
        /// Whose first frame waits.
        publish: Publish,
        /// The feed.
        role: Role,
        /// That frame's timestamp.
        feed_ms: i64,
        /// When it arrived.
        arrived: UtcMs,
    },
    /// A sample is used; only where [`Settings::tap`](super::Settings::tap) asks for it.
    Passed(Passed),
    /// The segment that came before, as it was cut; only where [`Settings::cuts`](super::Settings::cuts) asks for it.
    Cut(Box<Cut>),
    /// This rung will have nothing in the place of the source's segment that starts here.
    Lost(RenditionId, MediaTime),
}
