//! How a channel's events lie on its media time, and how that changes at run time: what a calibration measured is kept in
//! `score/{channel}.delay.json`, and counts from then on in place of the configured delay.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use railbird_core::calibration::DELAY_MS_MAX;
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{DELAYS_MAX, Document, ENTRIES_MAX, Log, OCCURRED_AHEAD_MS_MAX, Offsets};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use super::{Channel, ReadError, Scores, Slot};
use crate::journal::sync_dir;

/// The longest file that is read, in bytes.
const LEN_MAX: u64 = 64 << 10;

/// What a calibration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// By how much the picture was later than what it showed, in milliseconds.
    pub delay_ms: i64,
    /// How far apart single pictures were in that, in milliseconds.
    pub spread_ms: u64,
    /// How many pictures said so.
    pub pictures: usize,
    /// What the last of them showed.
    pub at: UtcMs,
}

/// A delay that is used for whatever happened from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// From when on.
    pub from: UtcMs,
    /// The delay, in milliseconds.
    pub delay_ms: i64,
}

/// What somebody tells of a table's delay. `PUT /v1/channels/{channel}/delay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What is to be used from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Setting>,
}

/// A table's delay. `GET /v1/channels/{channel}/delay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableDelay {
    /// What is used of what happens now, in milliseconds.
    pub delay_ms: i64,
    /// What the configuration says, for what happened before the first of `delays`.
    pub configured_ms: i64,
    /// What was set since, in order.
    pub delays: Vec<Setting>,
    /// What was measured last.
    pub measured: Option<Measured>,
    /// How much later the picture was then than its score, with what is used: what a calibration leaves.
    pub skew_ms: Option<i64>,
}

/// What was told is not used.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// There is no such channel.
    #[error("no such channel: check the channel id against the origin's configuration")]
    NoChannel,
    /// Out of bounds.
    #[error("a delay is at most {DELAY_MS_MAX} ms either way, from an instant on that is not ahead")]
    Bounds,
    /// The disk did not take it.
    #[error("the delay could not be stored ({0}): mend that and send it again")]
    NotStored(String),
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// When it was changed last, by the origin's clock: no document from before is newer.
    changed: UtcMs,
    delays: Vec<Setting>,
    measured: Option<Measured>,
}

/// How a channel's events lie on its media time.
pub(super) struct Timing {
    configured: Offsets,
    kept: Kept,
    offsets: Offsets,
    /// Whoever has so many entries of this match has them with other times than now: with the next one it gets all of them.
    outdated: Option<(MatchId, u64)>,
    /// The newest revision of a document that was made.
    revision: u64,
}

impl Timing {
    /// As configured, and as it was set at run time.
    pub(super) fn read(dir: &Path, channel: &ChannelId, configured: Offsets) -> Result<Timing, ReadError> {
        let path = path(dir, channel);
        let kept = read(&path).map_err(|source| ReadError::Io { path, source })?;
        let mut timing =
            Timing { offsets: configured.clone(), configured, kept, outdated: None, revision: 0 };
        timing.apply();
        Ok(timing)
    }

    /// The times of documents.
    pub(super) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    fn apply(&mut self) {
        self.offsets = self.configured.clone();
        for Setting { from, delay_ms } in &self.kept.delays {
            self.offsets.delay_from(*from, *delay_ms);
        }
    }

    /// What later documents are newer than.
    pub(super) fn changed(&self) -> u64 {
        self.kept.changed.0
    }

    /// Later documents are not older than `revision`.
    pub(super) fn go_on_from(&mut self, revision: u64) {
        self.revision = self.revision.max(revision.saturating_sub(1));
    }

    /// What viewers get of a match.
    pub(super) fn document(
        &mut self,
        channel: &ChannelId,
        match_id: &MatchId,
        slot: &Slot,
    ) -> Option<Arc<Document>> {
        let log = slot.log.as_ref()?;
        let revision = slot.accepted.max(self.changed()).max(self.revision.saturating_add(1));
        let (of, accepted) = (channel.clone(), UtcMs(slot.accepted));
        let offsets = &self.offsets;
        let played = log.document(of.clone(), match_id.clone(), revision, accepted, ENTRIES_MAX, offsets);
        let mut document =
            played.or_else(|| log.withdrawn(of, match_id.clone(), revision, accepted, offsets))?;
        let outdated =
            self.outdated.as_ref().filter(|(outdated, had)| outdated == match_id && *had < entries(log));
        if let Some((_, had)) = outdated {
            document.rewritten = document.rewritten.max(had + 1);
        }
        self.revision = revision;
        Some(Arc::new(document))
    }

    /// By how much a picture that shows `at` is later, in milliseconds.
    fn delay_ms(&self, at: UtcMs) -> i64 {
        self.offsets.delay_ms(at)
    }

    fn skew_ms(&self) -> Option<i64> {
        self.kept.measured.map(|measured| measured.delay_ms - self.delay_ms(measured.at))
    }

    fn standing(&self, now: UtcMs) -> TableDelay {
        TableDelay {
            delay_ms: self.delay_ms(now),
            configured_ms: self.configured.delay_ms(now),
            delays: self.kept.delays.clone(),
            measured: self.kept.measured,
            skew_ms: self.skew_ms(),
        }
    }
}

/// How many entries viewers may have of a log.
fn entries(log: &Log) -> u64 {
    log.events().len() as u64
}

impl Kept {
    fn take(&mut self, told: &Told, now: UtcMs) {
        self.measured = told.measured.or(self.measured);
        if let Some(set) = told.set {
            self.delays.retain(|known| known.from < set.from);
            self.delays.push(set);
            let over = self.delays.len().saturating_sub(DELAYS_MAX - 1);
            self.delays.drain(..over);
        }
        self.changed = UtcMs(now.0.max(self.changed.0.saturating_add(1)));
    }
}

impl Told {
    fn check(&self, now: UtcMs) -> Result<(), TellError> {
        let is_far = |delay_ms: i64| delay_ms.unsigned_abs() > DELAY_MS_MAX.unsigned_abs();
        let is_ahead = |at: UtcMs| at.ms_since(now) > OCCURRED_AHEAD_MS_MAX;
        let measured = self.measured.is_some_and(|told| is_far(told.delay_ms) || is_ahead(told.at));
        let set = self.set.is_some_and(|told| is_far(told.delay_ms) || is_ahead(told.from));
        if measured || set { Err(TellError::Bounds) } else { Ok(()) }
    }
}

impl Channel {
    /// Held while a document is made and given out, so that none with other times follows it; never while a disk is waited
    /// for.
    pub(super) fn timing(&self) -> MutexGuard<'_, Timing> {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last event of any match was taken.
    fn accepted(&self) -> u64 {
        super::newest(&self.slots())
    }
}

impl Scores {
    /// A channel's delay, as it stands at `now`.
    pub fn delay(&self, channel: &ChannelId, now: UtcMs) -> Option<TableDelay> {
        self.0.shared.channels.get(channel).map(|channel| channel.timing().standing(now))
    }

    /// Takes what was measured or set of a channel's delay. Once it is on the disk, live viewers and replays get the score
    /// with the times that follow from it.
    ///
    /// Whoever has entries of the match already gets them anew with its next event.
    pub async fn tell_delay(
        &self,
        channel: &ChannelId,
        told: Told,
        now: UtcMs,
    ) -> Result<TableDelay, TellError> {
        told.check(now)?;
        let (scores, channel) = (self.clone(), channel.clone());
        let task = tokio::task::spawn_blocking(move || scores.take_delay(&channel, &told, now));
        task.await.map_err(|error| TellError::NotStored(error.to_string()))?
    }

    fn take_delay(&self, id: &ChannelId, told: &Told, now: UtcMs) -> Result<TableDelay, TellError> {
        let shared = &self.0.shared;
        let channel = shared.channels.get(id).ok_or(TellError::NoChannel)?;
        // One word after another. Nobody who scores waits for this disk: documents are made meanwhile with what was told before.
        let _told = channel.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = channel.timing().kept.clone();
        kept.take(told, UtcMs(now.0.max(channel.accepted().saturating_add(1))));
        write(&shared.dir, id, &kept).map_err(|error| TellError::NotStored(error.to_string()))?;
        let mut timing = channel.timing();
        // No document that was made meanwhile is newer.
        kept.changed = kept.changed.max(UtcMs(channel.accepted().saturating_add(1)));
        timing.kept = kept;
        timing.apply();
        let newest = super::shown(&channel.slots()).map(|(match_id, slot)| (match_id.clone(), slot.clone()));
        if let (Some((match_id, slot)), true) = (newest, told.set.is_some()) {
            timing.outdated = slot.log.as_ref().map(|log| (match_id.clone(), entries(log)));
            let document = timing.document(id, &match_id, &slot);
            channel.document.send_replace(document);
            channel.changed.send_replace(());
        }
        shared.metrics.delay(id, timing.delay_ms(now), timing.kept.measured, timing.skew_ms());
        Ok(timing.standing(now))
    }

    /// Shows the delays in the figures, as they stand at `now`.
    pub(super) fn show_delays(&self, now: UtcMs) {
        let shared = &self.0.shared;
        for (id, channel) in &shared.channels {
            let timing = channel.timing();
            shared.metrics.delay(id, timing.delay_ms(now), timing.kept.measured, timing.skew_ms());
        }
    }
}

/// A channel's file. Its name is no channel's: those have no dot.
fn path(dir: &Path, channel: &ChannelId) -> PathBuf {
    dir.join(format!("{channel}.delay.json"))
}

fn read(path: &Path) -> io::Result<Kept> {
    let text = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Ok(meta) if meta.len() > LEN_MAX => {
            return Err(io::Error::other("it has more than 64 KiB: move it away, and calibrate again"));
        }
        _ => fs::read(path)?,
    };
    let wrong = |error| io::Error::other(format!("{error}: mend it, or move it away and calibrate again"));
    serde_json::from_slice(&text).map_err(wrong)
}

fn write(dir: &Path, channel: &ChannelId, kept: &Kept) -> io::Result<()> {
    let path = path(dir, channel);
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&serde_json::to_vec_pretty(kept)?)?;
    file.sync_data()?;
    fs::rename(part, path)?;
    sync_dir(dir)
}

#[cfg(test)]
mod tests;
