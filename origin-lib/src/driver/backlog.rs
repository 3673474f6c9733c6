//! What targets still lack: how far each recording has been looked through for each of them.

use std::collections::BTreeMap;

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::Reel;
use railbird_core::time::MediaTime;

use super::World;
use super::shelf;
use crate::delivery::ObjectRef;
use crate::spool::Spool;

/// The most objects that are looked at for a target's backlog in one round.
const LOOKS_MAX: usize = 4096;

/// A cursor for each target and recording.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    cursors: BTreeMap<(TargetId, ChannelId, RecordingId), Cursor>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The number of the next object that is looked at.
    at: u32,
    /// Everything of a recording that has ended was looked at.
    through: bool,
}

impl Backlog {
    /// A new object goes to a target's queue by itself: where nothing before it is missing, nobody need look for it.
    pub(super) fn offered(&mut self, target: &TargetId, object: &ObjectRef) {
        // From the recording's begin on: a target that was just added may lack all that came before this object.
        let cursor = self.cursors.entry(key(target, &object.channel, &object.recording)).or_default();
        if cursor.at == object.n {
            cursor.at += 1;
        }
    }

    /// What left a queue is looked for again from there on.
    pub(super) fn step_back(&mut self, target: &TargetId, object: &ObjectRef) {
        if let Some(cursor) = self.cursors.get_mut(&key(target, &object.channel, &object.recording)) {
            *cursor = Cursor { at: cursor.at.min(object.n), through: false };
        }
    }

    /// Whether a recording that has ended was looked through to its end.
    pub(super) fn is_through(&self, target: &TargetId, channel: &ChannelId, recording: &RecordingId) -> bool {
        self.cursors.get(&key(target, channel, recording)).is_some_and(|cursor| cursor.through)
    }

    /// A target is gone, or begins anew.
    pub(super) fn forget_target(&mut self, target: &TargetId) {
        self.cursors.retain(|(of, _, _), _| of != target);
    }

    /// A recording is gone.
    pub(super) fn forget_recording(&mut self, channel: &ChannelId, recording: &RecordingId) {
        self.cursors.retain(|(_, of, one), _| of != channel || one != recording);
    }

    /// Gives a target's queue more of what the target lacks, oldest first, as long as there is room in it.
    pub(super) fn refill<'a>(
        &mut self,
        target: &TargetId,
        since: MediaTime,
        reels: impl Iterator<Item = &'a Reel>,
        spool: &Spool,
        world: &impl World,
    ) {
        let (mut room, mut looks) = (world.room(target), LOOKS_MAX);
        for reel in reels.filter(|reel| !reel.evicted()) {
            let head = reel.head();
            let cursor = self.cursors.entry(key(target, &head.channel, &head.recording)).or_default();
            let bit = reel.known_bit(target);
            while room > 0 && looks > 0 {
                let Some(object) = reel.objects().get(cursor.at as usize) else {
                    cursor.through = reel.ended().is_some();
                    break;
                };
                let n = cursor.at;
                cursor.at += 1;
                looks -= 1;
                let old = reel.segment(n).is_some_and(|segment| segment.start < since);
                if old || bit.is_some_and(|bit| object.is_settled_at(bit)) {
                    continue;
                }
                let Some(object) = shelf::object(reel, n, spool.path(&reel.name(object))) else { continue };
                room -= 1;
                // A full queue would have had no room.
                world.enqueue(target, object, None);
            }
        }
    }
}

fn key(
    target: &TargetId,
    channel: &ChannelId,
    recording: &RecordingId,
) -> (TargetId, ChannelId, RecordingId) {
    (target.clone(), channel.clone(), recording.clone())
}
