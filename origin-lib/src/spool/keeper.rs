//! What leaves the disk: recordings that are old, and when the disk runs short, what every target has.
//!
//! A recording that has not ended is never touched, nor is anything that a target still lacks: where nothing else is
//! left, there is an alarm, and a person decides. Before that, what every target has goes also where some of it is the other
//! origin's of a pair, with fewer frames: without room, the next event would be lost.

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::recording::Record;
use railbird_core::time::UtcMs;
use tokio::sync::watch;

use super::{Disk, Spool};
use crate::clock;
use crate::journal::{self, Summary, Takers};
use crate::targets::sweep;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long a recording is kept after its end; `None`: for ever.
    pub keep: Option<Duration>,
    /// How many bytes all recordings that have ended may have; `None`: no limit.
    pub keep_bytes: Option<u64>,
    /// How many bytes shall stay free on the disk.
    pub reserve_bytes: u64,
    /// What becomes of a recording at the targets once it is deleted here.
    pub at_targets: AtTargets,
}

/// What becomes of a recording at the targets once it is deleted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtTargets {
    /// It stays.
    Stays,
    /// It is deleted where it was too old; where there was too much, it stays: another origin may count otherwise.
    GoesWhenOld,
    /// It is deleted.
    Goes,
}

/// In what way a recording is not on the disk any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted: nobody knows it any more.
    Forgotten,
    /// Its objects' files were deleted; targets have them.
    Evicted,
}

/// Looks after the disk until it is dropped.
pub struct Keeper {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Room<F, G, B> {
    data_dir: Arc<Path>,
    channels: Vec<ChannelId>,
    bounds: Bounds,
    spool: Spool,
    takers: F,
    gone: G,
    /// How many bytes may still be written on the disk of a path.
    free: B,
}

impl Keeper {
    /// `takers` names the targets that get what is made; `gone` is told of every recording that is not on the disk any more.
    pub fn start(
        channels: Vec<ChannelId>,
        bounds: Bounds,
        spool: Spool,
        takers: impl Fn() -> Takers + Send + Sync + 'static,
        gone: impl Fn(&ChannelId, &RecordingId, Gone) + Send + Sync + 'static,
    ) -> Keeper {
        let data_dir = spool.data_dir.clone();
        let room = Arc::new(Room { data_dir, channels, bounds, spool, takers, gone, free: free_bytes });
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let room = room.clone();
                // Nothing in it panics; deleting many files may take a while.
                let _ = tokio::task::spawn_blocking(move || room.look(clock::now())).await;
            }
        });
        Keeper { task }
    }
}

impl<F, G, B> Room<F, G, B>
where
    F: Fn() -> Takers,
    G: Fn(&ChannelId, &RecordingId, Gone),
    B: Fn(&Path) -> io::Result<u64>,
{
    fn look(&self, now: UtcMs) {
        let mut ended = self.ended();
        ended.sort_by_key(|(_, summary)| summary.ended);
        let mut bytes: u64 = ended.iter().filter(|(_, one)| !one.evicted).map(|(_, one)| one.bytes).sum();
        let mut kept = Vec::new();
        for (channel, summary) in ended {
            let keep_ms = self.bounds.keep.map(|keep| u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
            let old = keep_ms.is_some_and(|keep_ms| now.ms_since(summary.ended) > keep_ms);
            let much = self.bounds.keep_bytes.is_some_and(|most| bytes > most);
            if !old && !much {
                kept.push((channel, summary));
                continue;
            }
            bytes -= if summary.evicted { 0 } else { summary.bytes };
            let why =
                if old { "it is older than recording.keep_days" } else { "recording.keep_gb is reached" };
            tracing::info!(%channel, recording = %summary.recording, "a recording is deleted: {why}");
            self.forget(&channel, &summary.recording, old, now);
        }
        let short = self.make_room(kept);
        let dir = self.data_dir.display();
        self.spool.disk.send_if_modified(|Disk { short: was, .. }| {
            match (&was, &short) {
                (None, Some(text)) => tracing::error!(%dir, "{text}"),
                (Some(_), None) => tracing::info!(%dir, "data_dir has room again"),
                _ => {}
            }
            let changed = was.is_some() != short.is_some();
            *was = short;
            changed
        });
    }

    /// Deletes the files of what every target has, oldest first, until the reserve is free; last, of what has fewer frames
    /// there than here. Says so where that is not enough.
    fn make_room(&self, mut ended: Vec<(ChannelId, Summary)>) -> Option<String> {
        let reserve = self.bounds.reserve_bytes;
        let takers = (self.takers)();
        let bare =
            |(_, summary): &&(ChannelId, Summary)| summary.evicted && summary.is_safe_but_for_frames(&takers);
        let mut given_up = ended.iter().filter(bare).count();
        ended.retain(|(_, summary)| !summary.evicted);
        let but = ended.extract_if(.., |(_, summary)| !summary.is_safe(&takers));
        let but: Vec<_> = but.filter(|(_, summary)| summary.is_safe_but_for_frames(&takers)).collect();
        let mut ended =
            ended.into_iter().map(|one| (one, true)).chain(but.into_iter().map(|one| (one, false)));
        loop {
            let free = match (self.free)(&self.data_dir) {
                Ok(free) => free,
                Err(error) => return Some(format!("the room on data_dir's disk can't be read: {error}")),
            };
            if free >= reserve {
                return None;
            }
            let Some(((channel, mut summary), safe)) = ended.next() else {
                let (free, reserve) = (free >> 20, reserve >> 20);
                let lost = match given_up {
                    0 => String::new(),
                    count => format!(
                        ". Recordings that were deleted here though targets have them only as the other origin of the pair wrote them, with fewer frames: {count}. The other frames are lost"
                    ),
                };
                return Some(format!(
                    "data_dir has {free} MiB left, less than the {reserve} MiB of spool.reserve_mb, and nothing that every target has already: free space, or mend the target that lacks the most{lost}"
                ));
            };
            given_up += usize::from(!safe);
            let lost = if safe { "" } else { ", and the frames of it that only this disk had are lost" };
            tracing::warn!(
                %channel,
                recording = %summary.recording,
                "the disk runs short: a recording that every target has is deleted here{lost}"
            );
            self.delete_objects(&channel, &summary.recording);
            let _ = self.spool.note(&channel, &summary.recording, Record::Evicted);
            summary.evicted = true;
            if let Err(error) = summary.write(&self.data_dir, &channel) {
                tracing::error!(%channel, %error, "a recording's summary can't be written");
            }
            (self.gone)(&channel, &summary.recording, Gone::Evicted);
        }
    }

    fn ended(&self) -> Vec<(ChannelId, Summary)> {
        let mut ended = Vec::new();
        for channel in &self.channels {
            for recording in journal::recordings(&self.data_dir, channel).unwrap_or_default() {
                let summary = Summary::read(&self.data_dir, channel, &recording);
                ended.extend(summary.map(|summary| (channel.clone(), summary)));
            }
        }
        ended
    }

    fn forget(&self, channel: &ChannelId, recording: &RecordingId, old: bool, now: UtcMs) {
        self.delete_objects(channel, recording);
        let goes = match self.bounds.at_targets {
            AtTargets::Stays => false,
            AtTargets::GoesWhenOld => old,
            AtTargets::Goes => true,
        };
        if goes && let Err(error) = sweep::leave(&self.data_dir, channel, recording, now) {
            tracing::warn!(%channel, %recording, %error, "what the targets have of this recording stays there");
        }
        // The journal last: as long as it is there, a crash in between is mended the next time.
        for path in [
            Summary::path(&self.data_dir, channel, recording),
            journal::path(&self.data_dir, channel, recording),
        ] {
            delete(&path);
        }
        (self.gone)(channel, recording, Gone::Forgotten);
    }

    /// Deletes a recording's segments and key frames. Init segments stay: other recordings need the same ones, and they are small.
    fn delete_objects(&self, channel: &ChannelId, recording: &RecordingId) {
        let Ok(journal) = journal::read(&journal::path(&self.data_dir, channel, recording)) else { return };
        for object in journal.reel.objects() {
            if object.start().is_some() {
                delete(&self.spool.path(&journal.reel.name(object)));
            }
        }
    }
}

fn delete(path: &PathBuf) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file can't be deleted");
    }
}

/// How many bytes an origin may still write on the disk of a path.
fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    #[expect(clippy::useless_conversion, reason = "the type differs between systems")]
    Ok(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
}

/// What is wrong with the disk, for whoever watches.
pub fn alarm(disk: &watch::Receiver<Disk>) -> Option<String> {
    disk.borrow().alarm()
}
