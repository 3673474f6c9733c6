//! A channel's recordings that have ended: all in short, and the journals of the few that targets are being sent.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::{Misfit, Record, Reel};

use super::backlog::Backlog;
use crate::delivery::Has;
use crate::journal::{Summary, Takers};

/// How many recordings are sent to one target at a time.
const OPEN_PER_TARGET: usize = 2;

/// How many journals are held in memory, beyond those that are being sent: what was sent may still be acknowledged.
const OPEN_MAX: usize = 8;

/// What has ended of a channel.
#[derive(Debug, Default)]
pub(super) struct Ended {
    summaries: BTreeMap<RecordingId, Summary>,
    /// Those that are being sent to some target.
    open: BTreeMap<RecordingId, Reel>,
    /// Journals that are being read, each with the targets that were removed meanwhile. One that can't be read stays here:
    /// the next start tries again.
    awaited: BTreeMap<RecordingId, BTreeSet<TargetId>>,
    /// Something was acknowledged, or there are other targets: some may be complete now.
    due: bool,
}

impl Ended {
    /// As an earlier run left them.
    pub(super) fn new(summaries: Vec<Summary>) -> Ended {
        let summaries = summaries.into_iter().map(|summary| (summary.recording.clone(), summary)).collect();
        Ended { summaries, open: BTreeMap::new(), awaited: BTreeMap::new(), due: true }
    }

    /// All of them, oldest first.
    pub(super) fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.summaries.values()
    }

    /// The journals at hand, oldest first.
    pub(super) fn reels(&self) -> impl Iterator<Item = &Reel> {
        self.open.values()
    }

    /// A recording has ended, or more is known of it.
    pub(super) fn learn(&mut self, summary: Summary) {
        self.due = true;
        self.summaries.insert(summary.recording.clone(), summary);
    }

    /// The journal of one that has ended is at hand.
    pub(super) fn take(&mut self, mut reel: Reel) {
        let recording = reel.head().recording.clone();
        for target in self.awaited.remove(&recording).unwrap_or_default() {
            // Removing always fits.
            let _ = reel.apply(Record::Removed { target });
        }
        if self.summaries.contains_key(&recording) {
            self.open.insert(recording, reel);
            self.due = true;
        }
    }

    /// A target has something under an object's name. Gives the record of it; `None` where the recording is not at hand.
    pub(super) fn acked(
        &mut self,
        recording: &RecordingId,
        n: u32,
        target: &TargetId,
        has: Has,
    ) -> Option<Result<Record, Misfit>> {
        let reel = self.open.get_mut(recording)?;
        self.due = true;
        let record = has.record(n, target.clone());
        Some(reel.apply(record.clone()).map(|()| record))
    }

    /// There are other targets than before, or they shall have something else.
    pub(super) fn targets_changed(&mut self) {
        self.due = true;
    }

    /// What a target had is of no use any more. Gives the recordings of which it had something, each with its summary
    /// where that is another one now.
    pub(super) fn removed(&mut self, target: &TargetId) -> Vec<(RecordingId, Option<Summary>)> {
        self.due = true;
        for reel in self.open.values_mut() {
            // Removing always fits.
            let _ = reel.apply(Record::Removed { target: target.clone() });
        }
        for removed in self.awaited.values_mut() {
            removed.insert(target.clone());
        }
        let forget = |(recording, summary): (&RecordingId, &mut Summary)| {
            let changed = summary.forget_target(target);
            (recording.clone(), changed.then(|| summary.clone()))
        };
        self.summaries.iter_mut().map(forget).collect()
    }

    /// A recording was deleted.
    pub(super) fn forget(&mut self, recording: &RecordingId) {
        self.summaries.remove(recording);
        self.open.remove(recording);
        self.awaited.remove(recording);
    }

    /// A recording's files were deleted from the disk; targets have them.
    pub(super) fn evicted(&mut self, recording: &RecordingId) {
        if let Some(summary) = self.summaries.get_mut(recording) {
            summary.evicted = true;
        }
        self.open.remove(recording);
    }

    /// Looks what targets have by now. Gives the summaries that changed. `current` is the channel's, where it has ended.
    pub(super) fn settle(&mut self, current: Option<&Reel>, takers: &Takers) -> Vec<Summary> {
        if !std::mem::take(&mut self.due) {
            return Vec::new();
        }
        let changed = self.open.values().chain(current).filter_map(|reel| {
            let known = self.summaries.get(&reel.head().recording)?;
            Summary::of(reel, known.first_msn, takers).filter(|summary| summary != known)
        });
        let changed: Vec<Summary> = changed.collect();
        let named = changed.iter().map(|summary| (summary.recording.clone(), summary.clone()));
        self.summaries.extend(named);
        changed
    }

    /// Which journals shall be read, so that targets get what they lack: for each target the oldest ones. Lets go of those
    /// that nobody needs. `current` is at hand anyway.
    pub(super) fn wanted(
        &mut self,
        channel: &ChannelId,
        current: Option<&RecordingId>,
        takers: &Takers,
        backlog: &Backlog,
    ) -> Vec<RecordingId> {
        let mut wanted = BTreeSet::new();
        for (target, since) in takers {
            let lacks = self.summaries.values().filter(|summary| {
                let recording = &summary.recording;
                !summary.evicted
                    && Some(recording) != current
                    && summary.lacks(target, *since)
                    && !backlog.is_through(target, channel, recording)
            });
            wanted.extend(lacks.take(OPEN_PER_TARGET).map(|summary| summary.recording.clone()));
        }
        let summaries = &self.summaries;
        let done = |recording: &RecordingId| {
            summaries
                .get(recording)
                .is_none_or(|summary| takers.iter().all(|(target, since)| !summary.lacks(target, *since)))
        };
        self.open.retain(|recording, _| !done(recording));
        let mut spare = self.open.len().saturating_sub(wanted.len().max(OPEN_MAX));
        self.open.retain(|recording, _| {
            let goes = spare > 0 && !wanted.contains(recording);
            spare -= usize::from(goes);
            !goes
        });
        wanted
            .retain(|recording| !self.open.contains_key(recording) && !self.awaited.contains_key(recording));
        self.awaited.extend(wanted.iter().map(|recording| (recording.clone(), BTreeSet::new())));
        wanted.into_iter().collect()
    }
}
