//! Deletes at the targets what retention has deleted here.
//!
//! The journal of such a recording moves to `leaving/`, and says what each target has. Once viewers can't be watching it any
//! more, its segments are deleted at each target that there is, a few at a time; then the journal goes, too. Init segments
//! stay: other recordings need the same ones, and they are small.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::Reel;
use railbird_core::time::UtcMs;
use tokio::task::{JoinSet, spawn_blocking};

use crate::clock;
use crate::journal;
use crate::store::{PutError, Store};

/// How long what was deleted here stays at the targets, in milliseconds: a day. Whoever began to watch it may end, and an edge
/// that was away may learn of it.
pub const GRACE_MS: u64 = 86_400_000;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How many objects are deleted at a time at one target: what is live has precedence.
const AT_A_TIME: usize = 4;

/// A target's store, as the sweep reaches it.
pub type Stores = Vec<(TargetId, Arc<dyn Store>)>;

fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("leaving")
}

/// Moves a recording's journal to where the sweep finds it.
pub fn leave(data_dir: &Path, channel: &ChannelId, recording: &RecordingId, now: UtcMs) -> io::Result<()> {
    let dir = dir(data_dir);
    fs::create_dir_all(&dir)?;
    let name = format!("{:013}.{channel}.{recording}.jsonl", now.0);
    fs::rename(journal::path(data_dir, channel, recording), dir.join(name))
}

/// What is to be deleted at targets, and how far each is.
#[derive(Debug)]
pub struct Sweep {
    data_dir: PathBuf,
    /// How many objects of a journal were seen to at a target.
    progress: BTreeMap<(PathBuf, TargetId), usize>,
}

impl Sweep {
    /// Of the journals below `data_dir`.
    pub fn new(data_dir: &Path) -> Sweep {
        Sweep { data_dir: data_dir.into(), progress: BTreeMap::new() }
    }

    /// Sweeps until it is dropped.
    pub async fn run(mut self, stores: impl Fn() -> Stores) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(clock::now(), &stores()).await;
        }
    }

    /// Deletes what has left long enough ago. What a target does not delete at the moment is tried again at the next look.
    pub async fn look(&mut self, now: UtcMs, stores: &Stores) {
        for path in due(&dir(&self.data_dir), now) {
            let of = path.clone();
            let reel = match spawn_blocking(move || journal::read(&of)).await {
                Ok(Ok(journal)) => journal.reel,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "what this journal names stays at the targets");
                    delete(&path);
                    continue;
                }
                // The origin is stopping.
                Err(_) => return,
            };
            let mut left = false;
            for (target, store) in stores {
                left |= self.at(&path, &reel, target, store).await.is_err();
            }
            if !left {
                delete(&path);
                self.progress.retain(|(of, _), _| *of != path);
            }
        }
    }

    /// Deletes a recording at a target. An error: not all of it, at the moment.
    async fn at(
        &mut self,
        path: &Path,
        reel: &Reel,
        target: &TargetId,
        store: &Arc<dyn Store>,
    ) -> Result<(), ()> {
        let Some(bit) = reel.known_bit(target) else { return Ok(()) };
        let (channel, recording) = (&reel.head().channel, &reel.head().recording);
        let done = self.progress.entry((path.into(), target.clone())).or_default();
        while *done < reel.objects().len() {
            let some = reel.objects().iter().skip(*done).take(AT_A_TIME);
            let mut deletes = JoinSet::new();
            for object in some {
                if object.start().is_some() && object.is_settled_at(bit) {
                    let (store, name) = (store.clone(), reel.name(object));
                    deletes.spawn(async move { store.delete(&name).await.result });
                }
            }
            // Nothing in them panics, and nobody aborts one.
            let failed = deletes.join_all().await.into_iter().find_map(Result::err);
            match failed {
                None => *done += AT_A_TIME,
                Some(error @ (PutError::Misconfigured(_) | PutError::GiveUp(_) | PutError::TooLong(_))) => {
                    tracing::warn!(
                        %target, %channel, %recording, %error,
                        "a recording that is too old stays at this target: it lets us delete nothing. Give us the right to, or set recording.delete_at_targets = false and have the store delete what is old"
                    );
                    *done = reel.objects().len();
                }
                Some(error) => {
                    tracing::debug!(%target, %channel, %recording, %error, "it is deleted later");
                    return Err(());
                }
            }
        }
        tracing::info!(%target, %channel, %recording, "a recording that is too old is deleted at this target");
        Ok(())
    }
}

/// The journals that left long enough ago, oldest first.
fn due(dir: &Path, now: UtcMs) -> Vec<PathBuf> {
    // A directory that does not exist has none.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_due = |path: &PathBuf| {
        let left = path.file_name().and_then(|name| name.to_str()?.split('.').next()?.parse().ok());
        left.is_some_and(|left: u64| now.0 >= left.saturating_add(GRACE_MS))
    };
    let mut due: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_due).collect();
    due.sort();
    due
}

fn delete(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "a file can't be deleted");
    }
}
