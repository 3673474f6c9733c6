//! What the desk is told, what it does to the world, and what it begins with.

use std::sync::Arc;

use bytes::Bytes;
use railbird_core::id::{ChannelId, RecordingId, RenditionId, TargetId};
use railbird_core::recording::Reel;
use railbird_core::state::{ChannelState, Node, NodeProbe, Phase, ReplayList};
use railbird_core::time::MediaTime;
use railbird_core::timeline::Anchor;
use tokio::sync::{mpsc, oneshot};

use super::made::Made;
use super::shelf::Plan;
use crate::delivery::{Ack, ObjectRef};
use crate::journal::Summary;
use crate::spool::Told;

/// Something that the desk must know.
#[derive(Debug)]
pub enum Message {
    /// What became of an object that was handed to the disk.
    Spool(Told),
    /// A rung will have nothing in the place of the segment that starts here.
    RungLost {
        /// The channel.
        channel: ChannelId,
        /// The rung.
        rung: RenditionId,
        /// Where the segment starts.
        start: MediaTime,
    },
    /// A part was made. It is of no recording, and not on the disk: its segment will be.
    Part(Box<Made>),
    /// A target has acknowledged an object.
    Acked(Ack),
    /// A target is there from now on, or its node is another one or has another weight.
    Target {
        /// The target.
        target: TargetId,
        /// The node over it. Whether it is up is told by [`Message::NodeUp`].
        node: Node,
        /// It gets no segment that starts before; zero for everything that is still on the disk.
        since: MediaTime,
    },
    /// A target begins anew where it is; what waited for it must be offered again.
    Again {
        /// The target.
        target: TargetId,
        /// The node over it.
        node: Node,
        /// As with [`Message::Target`]; `None` where it gets nothing new.
        since: Option<MediaTime>,
    },
    /// A target gets no new objects any more; viewers are led away from its node.
    Drain(TargetId),
    /// A target is gone.
    Removed(TargetId),
    /// Whether the origin can write to, and read from, a target's node.
    NodeUp(TargetId, bool),
    /// What read-backs through a target's node found.
    NodeProbe(TargetId, NodeProbe),
    /// A channel's feed began or ended.
    Phase {
        /// The channel.
        channel: ChannelId,
        /// Where it stands now.
        phase: Phase,
    },
    /// A feed's clock was tied to the world's.
    Anchored {
        /// The channel.
        channel: ChannelId,
        /// Which feed: `primary` or `backup`.
        feed: String,
        /// The tie.
        anchor: Anchor,
    },
    /// The channel ends; answers with its recording.
    End(ChannelId, oneshot::Sender<Result<RecordingId, NoEnd>>),
    /// The origin is about to stop: the end of a channel that has ended is told now.
    Stopping,
    /// A recording was deleted.
    Forgotten(ChannelId, RecordingId),
    /// The files of a recording that has ended were deleted from the disk; targets have them.
    Evicted(ChannelId, RecordingId),
    /// The journal of a recording that has ended, as the world was asked for it.
    Reopened(Box<Reel>),
    /// Answers once everything before it has been handled and published.
    Settled(oneshot::Sender<()>),
}

/// Why a channel can't be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEnd {
    /// There is nothing to end.
    #[error("the channel is unknown, or records nothing at the moment: GET /v1/channels lists the channels")]
    Nothing,
    /// What follows would begin another recording at once.
    #[error("an encoder still sends: stop it first, then end the channel")]
    Live,
}

/// Where messages for the desk go.
pub type Sender = mpsc::Sender<Message>;

/// What the desk does to the world. Nothing here may wait.
pub trait World: Send + 'static {
    /// Queues an object for a target; gives one that had to leave the queue for it.
    fn enqueue(
        &self,
        target: &TargetId,
        object: Arc<ObjectRef>,
        body: Option<Bytes>,
    ) -> Option<Arc<ObjectRef>>;
    /// A target has a part that is to be deleted there once nobody plays it any more.
    fn passing(&self, target: &TargetId, part: &ObjectRef);
    /// How many more objects of its backlog a target's queue takes.
    fn room(&self, target: &TargetId) -> usize;
    /// Tells the edges a channel's new state.
    fn state(&self, state: ChannelState);
    /// Tells the edges which recordings there are.
    fn replays(&self, list: ReplayList);
    /// Hands a chapter to the edges; false where it must be offered again later.
    fn chapter(&self, number: usize, chapter: ChannelState) -> bool;
    /// How often an edge was found to have lost what it was told.
    fn forgot(&self) -> u64;
    /// The highest revision of a channel's state that an edge kept instead of what it was told; 0 where it never did.
    fn state_kept(&self, channel: &ChannelId) -> u64;
    /// The same for the list of its recordings.
    fn replays_kept(&self, channel: &ChannelId) -> u64;
    /// Keeps the summary of a recording that has ended.
    fn keep(&self, channel: &ChannelId, summary: Summary);
    /// Reads the journal of a recording that has ended, and what was noted of it before: it comes as [`Message::Reopened`].
    fn reopen(&self, channel: &ChannelId, recording: RecordingId);
}

/// A channel as the desk begins with it.
#[derive(Debug)]
pub struct Begin {
    /// What stays the same.
    pub plan: Plan,
    /// The recording that an earlier run left open.
    pub open: Option<Reel>,
    /// Those that have ended.
    pub ended: Vec<Summary>,
}
