//! The score logs on disk: an event is durable before it is acknowledged.
//!
//! One thread owns the files. It takes what has come in as one batch, asks each match's [`Log`], writes the accepted
//! lines of a match in one go and waits for the disk once; then all of the batch get their answers. What is in memory
//! never runs ahead of the disk: a batch works on copies, which take the place of the logs when the disk has them.

mod beside;
mod disk;
mod line;
mod metrics;
mod scorer;
mod timing;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{
    Document, Event, Invalid, Log, Misfit, Offsets, Phase, Position, State, WHOLE_ENTRIES_MAX,
};
use railbird_core::time::{MediaTime, UtcMs};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock;

pub use beside::{on_disk, shown_on_disk};
pub use metrics::Metrics;
pub use scorer::{Heard, Heartbeat, SILENT_MS_MAX};
pub use timing::{Measured, Setting, TableDelay, TellError, Told};

/// The most events that wait for the disk. Beyond, a scorer is told to try again.
pub const QUEUE_MAX: usize = 1024;

/// The most matches a channel can have below `score/`.
pub const MATCHES_MAX: usize = 10_000;

/// The most matches of a channel that are held in memory; the others are read from the disk when asked for.
const LOADED_MAX: usize = 16;

/// The score logs of all channels. Cheap to clone. When the last clone is dropped, what was taken is on the disk.
#[derive(Clone)]
pub struct Scores(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    /// Held for as long as the files may be written.
    _lock: File,
}

struct Shared {
    dir: PathBuf,
    channels: BTreeMap<ChannelId, Channel>,
    metrics: Metrics,
}

struct Channel {
    timing: Mutex<timing::Timing>,
    /// Held while what was told of the delay is stored.
    telling: Mutex<()>,
    slots: Mutex<HashMap<MatchId, Slot>>,
    document: watch::Sender<Option<Arc<Document>>>,
    /// Told with every batch that the disk has, whichever match it is of.
    changed: watch::Sender<()>,
    /// Of each match whose scorer was heard of late, the last word; at most [`scorer::HEARD_MAX`].
    scorers: Mutex<Vec<Heard>>,
}

/// A match as far as the disk has it.
#[derive(Clone)]
struct Slot {
    /// `None` where it is not held in memory.
    log: Option<Arc<Log>>,
    /// From when to when it was played, by the scorer's clock; `None` where it was not started.
    played: Option<(UtcMs, UtcMs)>,
    /// When it was played last, by the scorer's clock; `None` where its start was undone.
    last_played: Option<UtcMs>,
    /// It is over.
    finished: bool,
    /// Bytes of its file.
    len: u64,
    /// When its last event was taken; goes up with every event of the channel.
    accepted: u64,
}

impl Slot {
    fn new(log: Arc<Log>, len: u64, accepted: u64) -> Slot {
        let finished = log.state().is_some_and(|state| state.phase == Phase::Finished);
        Slot { played: log.played(), last_played: log.last_played(), finished, log: Some(log), len, accepted }
    }
}

/// A match that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Which one.
    pub match_id: MatchId,
    /// The revision of its document.
    pub revision: u64,
    /// Media time at which its first event is shown.
    pub from: MediaTime,
    /// Media time at which its last event is shown.
    pub to: MediaTime,
    /// It is over.
    pub finished: bool,
}

struct Request {
    channel: ChannelId,
    match_id: MatchId,
    position: Position,
    event: Event,
    now: UtcMs,
    reply: oneshot::Sender<Result<Put, PutError>>,
}

/// The answer to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The event is new, and on the disk.
    Accepted(Standing),
    /// The log has this very event, on the disk.
    Same(Standing),
    /// The log has another event at this position.
    Conflict,
    /// Events are missing before this one, or another scorer has taken over.
    Gap {
        /// What the log would take next.
        expected: Position,
    },
    /// The event breaks a rule.
    Invalid(Invalid),
}

/// Where a match stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The last event of the log.
    pub last: Option<Position>,
    /// The score; none where the start was undone.
    pub state: Option<State>,
    /// The scorer stated another score than ours.
    pub diverged: bool,
}

/// The event was not taken. It may be sent again as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// There is no such channel.
    #[error("no such channel: check the channel id against the origin's configuration")]
    NoChannel,
    /// The channel's matches are too many.
    #[error(
        "the channel has {MATCHES_MAX} matches, the most it can have: move old files out of its score directory"
    )]
    Matches,
    /// The queue is full.
    #[error("{QUEUE_MAX} score events wait for the disk: send the same event again in a second")]
    Busy,
    /// The disk did not take it.
    #[error("the event could not be stored ({0}): mend that and send the same event again")]
    NotStored(String),
}

/// A kept log can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such channel.
    #[error("no such channel: check the channel id against the origin's configuration")]
    NoChannel,
    /// The directory or a file can't be read.
    #[error("score log {path}: {source}", path = path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that was acknowledged can't be read.
    #[error(
        "score log {path}, line {line}: {reason}. It was written whole, so the disk or somebody changed it: \
         restore the file from a backup, or move it away to go on without this match",
        path = path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has the directory.
    #[error("{dir} is in use by another railbird process: stop that one, or use another data_dir", dir = .0.display())]
    InUse(PathBuf),
    /// No thread could be started.
    #[error("the score writer's thread could not be started: {0}")]
    Thread(io::Error),
}

impl Scores {
    /// Reads the logs below `dir` (`data_dir/score`), of the channels in `offsets`, and starts the writer. Offsets say at which
    /// media time viewers see an event, until a delay is told ([`Scores::tell_delay`]).
    ///
    /// Blocks until all is read. A torn end, which nobody was told is kept, is cut off with a warning.
    pub fn open(
        dir: &Path,
        offsets: impl IntoIterator<Item = (ChannelId, impl Into<Offsets>)>,
    ) -> Result<Scores, ReadError> {
        Scores::open_on(dir, offsets, disk::Files)
    }

    fn open_on(
        dir: &Path,
        offsets: impl IntoIterator<Item = (ChannelId, impl Into<Offsets>)>,
        disk: impl disk::Disk,
    ) -> Result<Scores, ReadError> {
        let io_error = |source| ReadError::Io { path: dir.into(), source };
        let lock = disk::lock(dir).map_err(io_error)?.ok_or_else(|| ReadError::InUse(dir.into()))?;
        let mut channels = BTreeMap::new();
        for (id, offsets) in offsets {
            let slots = read_channel(dir, &id)?;
            let mut timing = timing::Timing::read(dir, &id, offsets.into())?;
            timing.go_on_from(newest(&slots));
            let document = shown(&slots).and_then(|(match_id, slot)| timing.document(&id, match_id, slot));
            let channel = Channel {
                timing: Mutex::new(timing),
                telling: Mutex::default(),
                slots: Mutex::new(slots),
                document: watch::Sender::new(document),
                changed: watch::Sender::new(()),
                scorers: Mutex::default(),
            };
            channels.insert(id, channel);
        }
        let shared = Arc::new(Shared { dir: dir.into(), channels, metrics: Metrics::new() });
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer = writer::Writer::new(Arc::clone(&shared), disk);
        let writer = std::thread::Builder::new()
            .name("score".into())
            .spawn(move || writer.run(requests))
            .map_err(ReadError::Thread)?;
        let handle = Handle { shared, queue: Some(queue), writer: Some(writer), _lock: lock };
        let scores = Scores(Arc::new(handle));
        scores.show_delays(clock::now());
        Ok(scores)
    }

    /// Takes an event into a match's log; answers when it is on the disk. `now` is the origin's clock.
    ///
    /// The wait ends with the disk's: whoever needs a deadline sets one, and may send the same event again.
    pub async fn put(
        &self,
        channel: &ChannelId,
        match_id: &MatchId,
        position: Position,
        event: Event,
        now: UtcMs,
    ) -> Result<Put, PutError> {
        let shared = &self.0.shared;
        if !shared.channels.contains_key(channel) {
            return Err(PutError::NoChannel);
        }
        let (reply, answer) = oneshot::channel();
        let (channel_of, match_id) = (channel.clone(), match_id.clone());
        let request = Request { channel: channel_of, match_id, position, event, now, reply };
        let stopped = || PutError::NotStored("the score writer has stopped: restart the origin".into());
        match self.0.queue.as_ref().ok_or_else(stopped)?.try_send(request) {
            Ok(()) => answer.await.map_err(|_| stopped())?,
            Err(mpsc::error::TrySendError::Full(_)) => {
                shared.metrics.event(channel, "busy");
                Err(PutError::Busy)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(stopped()),
        }
    }

    /// A match's log as far as it is on the disk; `None` where there is no such match.
    pub async fn log(&self, channel: &ChannelId, match_id: &MatchId) -> Result<Option<Arc<Log>>, ReadError> {
        let shared = Arc::clone(&self.0.shared);
        let slot = shared.channel(channel)?.slots().get(match_id).cloned();
        let Some(slot) = slot else { return Ok(None) };
        if let Some(log) = slot.log {
            return Ok(Some(log));
        }
        let path = disk::path(&shared.dir, channel, match_id);
        let failed_path = path.clone();
        let read = tokio::task::spawn_blocking(move || read_log(&path, Some(slot.len)));
        let failed = |error| ReadError::Io { path: failed_path, source: io::Error::other(error) };
        Ok(Some(read.await.map_err(failed)??.log))
    }

    /// The channel's matches, at most so many, each with when the origin took its last event: the one that viewers are
    /// shown, then the newest first.
    pub fn matches(&self, channel: &ChannelId, most: usize) -> Vec<(MatchId, UtcMs)> {
        let Some(channel) = self.0.shared.channels.get(channel) else { return Vec::new() };
        let slots = channel.slots();
        let first = shown(&slots).map(|(id, _)| id);
        let mut matches: Vec<_> = slots.iter().map(|(id, slot)| (id, slot.accepted)).collect();
        matches.sort_unstable_by_key(|(id, accepted)| std::cmp::Reverse((Some(*id) == first, *accepted)));
        matches.into_iter().take(most).map(|(id, accepted)| (id.clone(), UtcMs(accepted))).collect()
    }

    /// The channel's matches, oldest first.
    pub fn played(&self, channel: &ChannelId) -> Vec<Played> {
        let Some(channel) = self.0.shared.channels.get(channel) else { return Vec::new() };
        let (offsets, changed) = {
            let timing = channel.timing();
            (timing.offsets().clone(), timing.changed())
        };
        let media = |at| offsets.media(at, None);
        let of = |(id, slot): (&MatchId, &Slot)| {
            let (from, to) = slot.played?;
            let (match_id, revision, finished) = (id.clone(), slot.accepted.max(changed), slot.finished);
            Some(Played { match_id, revision, from: media(from), to: media(to), finished })
        };
        let mut played: Vec<Played> = channel.slots().iter().filter_map(of).collect();
        played.sort_by(|a, b| a.from.cmp(&b.from).then_with(|| a.match_id.cmp(&b.match_id)));
        played
    }

    /// The document of a whole match, for who looks back; `None` where there is no such match, or it was not started.
    pub async fn whole(
        &self,
        channel: &ChannelId,
        match_id: &MatchId,
    ) -> Result<Option<Document>, ReadError> {
        let served = self.0.shared.channel(channel)?;
        let accepted = served.slots().get(match_id).map(|slot| slot.accepted);
        let Some((log, accepted)) = self.log(channel, match_id).await?.zip(accepted) else { return Ok(None) };
        let (channel, match_id) = (channel.clone(), match_id.clone());
        let (offsets, changed) = {
            let timing = served.timing();
            (timing.offsets().clone(), timing.changed())
        };
        let made = tokio::task::spawn_blocking(move || {
            let revision = accepted.max(changed);
            log.document(channel, match_id, revision, UtcMs(accepted), WHOLE_ENTRIES_MAX, &offsets)
        });
        // What is cut off by the origin's end is nobody's any more.
        Ok(made.await.unwrap_or_default())
    }

    /// How long a match's file is, in bytes: it grows with each event, and says whether a log that was read is the newest.
    pub fn len_of(&self, channel: &ChannelId, match_id: &MatchId) -> Option<u64> {
        let served = self.0.shared.channels.get(channel)?;
        served.slots().get(match_id).map(|slot| slot.len)
    }

    /// The channels that there are.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelId> {
        self.0.shared.channels.keys()
    }

    /// The channel's score document, now and whenever it changes: of the match that was played last;
    /// where its start is undone, of the one before; where there is none, without entries. `None` until a match has started.
    pub fn subscribe(&self, channel: &ChannelId) -> Option<watch::Receiver<Option<Arc<Document>>>> {
        self.0.shared.channels.get(channel).map(|channel| channel.document.subscribe())
    }

    /// Changes whenever events of the channel, of any match, have reached the disk.
    pub fn changes(&self, channel: &ChannelId) -> Option<watch::Receiver<()>> {
        self.0.shared.channels.get(channel).map(|channel| channel.changed.subscribe())
    }

    /// Whether there is such a channel.
    pub fn has_channel(&self, channel: &ChannelId) -> bool {
        self.0.shared.channels.contains_key(channel)
    }

    /// The figures to register.
    pub fn metrics(&self) -> &Metrics {
        &self.0.shared.metrics
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The writer ends when the queue's only sender has gone and all that waited has been written.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn channel(&self, id: &ChannelId) -> Result<&Channel, ReadError> {
        self.channels.get(id).ok_or(ReadError::NoChannel)
    }
}

impl Channel {
    /// Nobody leaves the map half changed, so a panic elsewhere does not matter to it.
    fn slots(&self) -> MutexGuard<'_, HashMap<MatchId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the newest event of any of these was taken.
fn newest(slots: &HashMap<MatchId, Slot>) -> u64 {
    slots.values().map(|slot| slot.accepted).max().unwrap_or(0)
}

/// The match that viewers of what is live are shown: the one that was played last. What comes late of an earlier one does not bring it
/// back, and neither does what mends it; that it is played on does.
fn shown(slots: &HashMap<MatchId, Slot>) -> Option<(&MatchId, &Slot)> {
    slots.iter().max_by_key(|(_, slot)| (slot.last_played, slot.accepted))
}

/// Keeps [`LOADED_MAX`] matches in memory: the one that is shown, and those that were written last.
fn unload(slots: &mut HashMap<MatchId, Slot>) {
    let first = shown(slots).map(|(match_id, _)| match_id.clone());
    let mut loaded: Vec<_> = slots.iter_mut().filter(|(_, slot)| slot.log.is_some()).collect();
    if loaded.len() > LOADED_MAX {
        let is_first = |match_id: &MatchId| Some(match_id) == first.as_ref();
        loaded
            .sort_unstable_by_key(|(match_id, slot)| std::cmp::Reverse((is_first(match_id), slot.accepted)));
        for (_, slot) in loaded.split_off(LOADED_MAX) {
            slot.log = None;
        }
    }
}

/// A log as read from its file.
struct Kept {
    log: Arc<Log>,
    len: u64,
    accepted: u64,
    /// The file goes on behind `len`.
    torn: bool,
}

/// Reads a file, or its first `len_max` bytes.
fn read_log(path: &Path, len_max: Option<u64>) -> Result<Kept, ReadError> {
    let io_error = |source| ReadError::Io { path: path.into(), source };
    let damaged = |line, reason| ReadError::Damaged { path: path.into(), line, reason };
    let bytes = disk::read(path, len_max).map_err(io_error)?;
    let lines =
        line::read(&bytes).map_err(|damage| damaged(damage.line, "the checksum does not match".into()))?;
    let accepted = lines.records.iter().map(|record| record.accepted).max().unwrap_or(0);
    let events = lines.records.into_iter().map(|record| (record.position(), record.event));
    let log = Log::restore(events).map_err(|Misfit { index, offer }| {
        damaged(index + 1, format!("the event does not fit behind the lines before it ({offer:?})"))
    })?;
    if len_max.is_some_and(|len| lines.len < len) {
        return Err(damaged(log.events().len() + 1, "the file has become shorter".into()));
    }
    Ok(Kept { log: Arc::new(log), len: lines.len, accepted, torn: lines.len < bytes.len() as u64 })
}

fn read_channel(dir: &Path, channel: &ChannelId) -> Result<HashMap<MatchId, Slot>, ReadError> {
    let mut slots = HashMap::new();
    let listed = |source| ReadError::Io { path: dir.join(channel.as_str()), source };
    for match_id in disk::matches(dir, channel).map_err(listed)? {
        let path = disk::path(dir, channel, &match_id);
        let kept = read_log(&path, None)?;
        if kept.torn {
            disk::truncate(&path, kept.len).map_err(|source| ReadError::Io { path: path.clone(), source })?;
            tracing::warn!(
                channel = %channel, "match" = %match_id, events = kept.log.events().len(),
                "the score log ended in a line that was never acknowledged, as after a power cut: cut off"
            );
        }
        // A file without a line is of a match whose first event was never taken.
        if kept.len > 0 {
            slots.insert(match_id, Slot::new(kept.log, kept.len, kept.accepted));
            unload(&mut slots);
        }
    }
    Ok(slots)
}
