//! What the desk does to the world: targets' queues, pushes to the edges, the origin's own lists.

use std::sync::Arc;

use bytes::Bytes;
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::state::{ChannelState, ReplayList};

use super::library::Library;
use super::scoring::Scoring;
use crate::api::Channels;
use crate::clock;
use crate::delivery::ObjectRef;
use crate::driver::{Message, Sender, World};
use crate::edge_push::EdgePush;
use crate::journal::{self, Summary};
use crate::spool::Spool;
use crate::targets::Targets;
use crate::targets::passing::Passing;

/// Targets, edges and lists.
pub(super) struct Edges {
    pub(super) targets: Targets,
    pub(super) push: Arc<EdgePush>,
    pub(super) channels: Channels,
    pub(super) library: Library,
    pub(super) spool: Spool,
    pub(super) desk: Sender,
    pub(super) passing: Passing,
    pub(super) scoring: Scoring,
}

impl World for Edges {
    fn enqueue(
        &self,
        target: &TargetId,
        object: Arc<ObjectRef>,
        body: Option<Bytes>,
    ) -> Option<Arc<ObjectRef>> {
        self.targets.enqueue(target, object, body)
    }

    fn passing(&self, target: &TargetId, part: &ObjectRef) {
        self.passing.add(target, &part.name, clock::now());
    }

    fn room(&self, target: &TargetId) -> usize {
        self.targets.room(target)
    }

    fn state(&self, mut state: ChannelState) {
        state.score = self.scoring.shown(&state);
        self.channels.set(&state);
        self.push.publish_state(&state);
    }

    fn replays(&self, mut list: ReplayList) {
        self.scoring.name_matches(&mut list);
        self.push.publish_replays(&list);
    }

    fn chapter(&self, number: usize, chapter: ChannelState) -> bool {
        self.push.publish_chapter(number, &chapter)
    }

    fn forgot(&self) -> u64 {
        *self.push.forgot().borrow()
    }

    fn state_kept(&self, channel: &ChannelId) -> u64 {
        self.push.state_kept(channel)
    }

    fn replays_kept(&self, channel: &ChannelId) -> u64 {
        self.push.replays_kept(channel)
    }

    fn keep(&self, channel: &ChannelId, summary: Summary) {
        self.library.keep(channel, summary);
    }

    fn reopen(&self, channel: &ChannelId, recording: RecordingId) {
        let (spool, desk, channel) = (self.spool.clone(), self.desk.clone(), channel.clone());
        tokio::spawn(async move {
            spool.settled().await;
            let path = journal::path(spool.data_dir(), &channel, &recording);
            match tokio::task::spawn_blocking(move || journal::read(&path)).await {
                Ok(Ok(journal)) => {
                    if journal.damaged {
                        tracing::error!(%channel, recording = %journal.reel.head().recording, "a journal is damaged: `railbird verify` says what is left of the recording");
                    }
                    drop(desk.send(Message::Reopened(Box::new(journal.reel))).await);
                }
                Ok(Err(error)) => {
                    tracing::error!(%channel, %error, "no target gets more of this recording before the next start")
                }
                // The origin is stopping.
                Err(_) => {}
            }
        });
    }
}
