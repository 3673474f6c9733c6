//! What lists need to know of a recording that has ended, without its journal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::Reel;
use railbird_core::time::{MediaTime, UtcMs};
use serde::{Deserialize, Serialize};

/// The longest summary that is read, in bytes.
const LEN_MAX: u64 = 64 << 10;

/// A recording that has ended, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The recording.
    pub recording: RecordingId,
    /// Where its first segment starts.
    pub start: MediaTime,
    /// Where its last segment ends.
    pub end: MediaTime,
    /// When the channel ended.
    pub ended: UtcMs,
    /// How many segments it has.
    pub segments: u32,
    /// How many bytes its objects have.
    pub bytes: u64,
    /// Which targets have everything that was recorded.
    pub complete_at: Vec<TargetId>,
    /// Its objects' files were deleted from the local disk.
    pub evicted: bool,
    /// The number of its first segment.
    pub first_msn: u64,
    /// Where the next recording begins to count.
    pub next_msn: u64,
}

impl Summary {
    /// Of a recording that has ended and has a segment. `targets` are those there are.
    pub fn of(reel: &Reel, first_msn: u64, targets: &[TargetId]) -> Option<Summary> {
        let complete = |target: &&TargetId| reel.complete_at(std::slice::from_ref(*target));
        Some(Summary {
            recording: reel.head().recording.clone(),
            start: reel.start()?,
            end: reel.end()?,
            ended: reel.ended()?,
            segments: u32::try_from(reel.order().len()).unwrap_or(u32::MAX),
            bytes: reel.objects().iter().map(|object| object.len).sum(),
            complete_at: targets.iter().filter(complete).cloned().collect(),
            evicted: reel.evicted(),
            first_msn,
            next_msn: reel.next_msn(),
        })
    }

    /// Where it is kept.
    pub fn path(data_dir: &Path, channel: &ChannelId, recording: &RecordingId) -> PathBuf {
        super::path(data_dir, channel, recording).with_extension("json")
    }

    /// Reads it; `None` where it is missing or of no use: it can be made again.
    pub fn read(data_dir: &Path, channel: &ChannelId, recording: &RecordingId) -> Option<Summary> {
        let path = Summary::path(data_dir, channel, recording);
        if fs::metadata(&path).ok()?.len() > LEN_MAX {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Writes it in place of the one before.
    pub fn write(&self, data_dir: &Path, channel: &ChannelId) -> io::Result<()> {
        let path = Summary::path(data_dir, channel, &self.recording);
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
        fs::rename(part, path)
    }
}
