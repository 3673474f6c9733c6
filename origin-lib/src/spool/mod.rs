//! The local disk: every object is written here, and entered into its recording's journal, before any target gets it.
//!
//! One thread writes, so that objects stay in order and a slow disk never holds up an ingest: what is handed over waits
//! in a queue of at most [`OBJECTS_MAX`] objects and [`BYTES_MAX`] bytes. What has come together is made durable
//! together: the files, their directories, then one wait for each journal. An object that the disk does not take, or
//! not soon enough, is entered as lost: viewers get a gap, and what follows goes on.
//!
//! The same files are the recording. The [`keeper`] deletes them when they are old, or when the disk runs short.

pub mod keeper;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use railbird_core::hash::Hash;
use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::package::{Kind, Rung};
use railbird_core::recording::{Head, Record};
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};
use tokio::sync::{oneshot, watch};

use crate::driver::Made;
use crate::journal;
use writer::Writer;

/// How many objects may wait for the disk.
pub const OBJECTS_MAX: usize = 256;

/// How many bytes may wait for the disk.
pub const BYTES_MAX: usize = 256 << 20;

/// How many jobs of all kinds may wait for the disk. All but objects are small.
const JOBS_MAX: usize = 16_384;

/// Hands objects and records to the disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool {
    sender: SyncSender<Job>,
    waiting: Arc<Waiting>,
    disk: Arc<watch::Sender<Disk>>,
    data_dir: Arc<Path>,
}

#[derive(Debug, Default)]
struct Waiting {
    objects: AtomicUsize,
    bytes: AtomicUsize,
}

/// What is wrong with the disk; each a sentence for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// It refuses what is written.
    pub failing: Option<String>,
    /// It has less room than it should.
    pub short: Option<String>,
}

impl Disk {
    /// The worse of the two.
    pub fn alarm(&self) -> Option<String> {
        self.failing.clone().or_else(|| self.short.clone())
    }
}

#[derive(Debug)]
enum Job {
    Write(Made),
    /// A segment that can't wait for the disk.
    Lost(ChannelId, Cut),
    /// A further line of a recording's journal.
    Note(ChannelId, RecordingId, Record),
    /// The last line of a channel's open journal.
    End {
        channel: ChannelId,
        at: UtcMs,
        next_msn: u64,
    },
    /// Answers once everything before it was written.
    Settled(oneshot::Sender<()>),
}

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it starts.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// It does not continue the one before.
    pub discontinuity: bool,
}

impl Cut {
    fn of(kind: &Kind) -> Option<Cut> {
        match *kind {
            Kind::Segment { start, duration, discontinuity, .. } => {
                Some(Cut { start, duration, discontinuity })
            }
            Kind::Init(_) | Kind::FramesInit(_) | Kind::Frame(_) | Kind::Part(_) | Kind::Rung(..) => None,
        }
    }
}

/// An object that is on the disk and in its recording's journal. Its bytes are left out where it had to wait for that.
#[derive(Debug)]
pub struct Stored {
    /// The object.
    pub made: Made,
    /// Its file.
    pub path: PathBuf,
    /// Its recording.
    pub head: Arc<Head>,
    /// Its number there.
    pub n: u32,
    /// Its size in bytes.
    pub len: u64,
    /// Its hash.
    pub sha256: Hash,
}

/// What the writer tells.
#[derive(Debug)]
pub enum Told {
    /// An object is on the disk.
    Stored(Box<Stored>),
    /// A segment is not, and won't be.
    Lost {
        /// Its recording.
        head: Arc<Head>,
        /// Its number there.
        n: u32,
        /// Where it would lie.
        cut: Cut,
    },
}

impl Told {
    fn channel(&self) -> &ChannelId {
        match self {
            Told::Stored(stored) => &stored.made.channel,
            Told::Lost { head, .. } => &head.channel,
        }
    }

    /// The same with its bytes on the disk only.
    fn without_bytes(mut self) -> Told {
        if let Told::Stored(stored) = &mut self {
            stored.made.object.bytes = Bytes::new();
        }
        self
    }
}

/// The object was not taken. The channel gets a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The disk is slower than the feeds.
    #[error("the disk under data_dir is slower than the feeds: {OBJECTS_MAX} objects or 256 MiB wait for it")]
    Behind,
    /// The writer has stopped.
    #[error("the spool has stopped")]
    Stopped,
}

/// A channel's open recording, as its journal was found.
#[derive(Debug)]
pub struct Found {
    /// The recording.
    pub head: Arc<Head>,
    /// The number of the next object.
    pub next_n: u32,
    /// The length of its journal's whole lines, in bytes.
    pub len: u64,
}

/// Where a channel's recordings go on.
#[derive(Debug)]
pub struct Line {
    /// What a new recording begins with; its name and lowest number are made when it does.
    pub head: Head,
    /// The recording that an earlier run left open.
    pub found: Option<Found>,
}

impl Spool {
    /// Starts the writer below `data_dir`. `tell` is called on its thread and may wait only for what waits for nobody.
    pub fn start(
        data_dir: &Path,
        lines: BTreeMap<ChannelId, Line>,
        tell: impl FnMut(Told) + Send + 'static,
    ) -> io::Result<Spool> {
        let (sender, receiver) = sync_channel(JOBS_MAX);
        let (waiting, disk) = (Arc::<Waiting>::default(), Arc::new(watch::Sender::new(Disk::default())));
        let mut writer = Writer::open(data_dir, lines, waiting.clone(), disk.clone(), tell)?;
        std::thread::Builder::new().name("spool".to_string()).spawn(move || writer.run(&receiver))?;
        Ok(Spool { sender, waiting, disk, data_dir: data_dir.into() })
    }

    /// Hands over an object; never waits. A segment or a key frame that is refused becomes a gap.
    pub fn write(&self, made: Made) -> Result<(), SpoolError> {
        let len = made.object.bytes.len();
        let Waiting { objects, bytes } = &*self.waiting;
        let full = objects.fetch_add(1, Ordering::Relaxed) >= OBJECTS_MAX;
        let full = bytes.fetch_add(len, Ordering::Relaxed) + len > BYTES_MAX || full;
        // Init segments are small and rare, and every segment hangs on one.
        let (job, behind) = match Cut::of(&made.object.kind) {
            Some(cut) if full => (Job::Lost(made.channel.clone(), cut), true),
            // Nothing hangs on it.
            None if full
                && matches!(made.object.kind, Kind::Frame(_) | Kind::Rung(_, Rung::Segment { .. })) =>
            {
                self.waiting.done(len);
                return Err(SpoolError::Behind);
            }
            _ => (Job::Write(made), false),
        };
        let sent = self.send(job);
        if behind || sent.is_err() {
            self.waiting.done(len);
        }
        if behind { sent.and(Err(SpoolError::Behind)) } else { sent }
    }

    /// Adds a line to a recording's journal; never waits. It reaches the disk with the next object.
    pub fn note(
        &self,
        channel: &ChannelId,
        recording: &RecordingId,
        record: Record,
    ) -> Result<(), SpoolError> {
        self.send(Job::Note(channel.clone(), recording.clone(), record))
    }

    /// Ends a channel's open recording; never waits. What is handed over later begins another one.
    pub fn end(&self, channel: &ChannelId, at: UtcMs, next_msn: u64) -> Result<(), SpoolError> {
        self.send(Job::End { channel: channel.clone(), at, next_msn })
    }

    fn send(&self, job: Job) -> Result<(), SpoolError> {
        self.sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => SpoolError::Behind,
            TrySendError::Disconnected(_) => SpoolError::Stopped,
        })
    }

    /// Resolves once everything that was handed over before is on the disk, or the disk failed.
    pub async fn settled(&self) {
        let (answer, settled) = oneshot::channel();
        if self.send(Job::Settled(answer)).is_ok() {
            // The writer's end answers as well.
            let _ = settled.await;
        }
    }

    /// What is wrong with the disk, and each change of it.
    pub fn disk(&self) -> watch::Receiver<Disk> {
        self.disk.subscribe()
    }

    /// Where everything lies.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The file of an object.
    pub fn path(&self, name: &str) -> PathBuf {
        journal::objects_dir(&self.data_dir).join(name)
    }
}

impl Waiting {
    fn done(&self, len: usize) {
        self.objects.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(len, Ordering::Relaxed);
    }
}
