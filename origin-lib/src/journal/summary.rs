//! What lists need to know of a recording that has ended, without its journal.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::Reel;
use railbird_core::time::{MediaTime, UtcMs};
use serde::{Deserialize, Serialize};

/// The longest summary that is read, in bytes.
const LEN_MAX: u64 = 64 << 10;

/// The targets that get what is made, each with the media time before which it gets nothing.
pub type Takers = BTreeMap<TargetId, MediaTime>;

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
    /// Which targets have everything that was recorded and that they shall have.
    pub complete_at: Vec<TargetId>,
    /// Which of them lack frames of ours all the same: of some segment they have what the other origin of the pair wrote.
    #[serde(default)]
    pub less_at: Vec<TargetId>,
    /// Its objects' files were deleted from the local disk.
    pub evicted: bool,
    /// The number of its first segment.
    pub first_msn: u64,
    /// Where the next recording begins to count.
    pub next_msn: u64,
}

impl Summary {
    /// Of a recording that has ended and has a segment. `takers` are the targets that get what is made.
    pub fn of(reel: &Reel, first_msn: u64, takers: &Takers) -> Option<Summary> {
        let complete = takers.iter().filter(|(target, since)| reel.complete_at(target, **since));
        let complete_at: Vec<TargetId> = complete.map(|(target, _)| target.clone()).collect();
        Some(Summary {
            recording: reel.head().recording.clone(),
            start: reel.start()?,
            end: reel.end()?,
            ended: reel.ended()?,
            segments: u32::try_from(reel.order().len()).unwrap_or(u32::MAX),
            bytes: reel.objects().iter().map(|object| object.len).sum(),
            less_at: complete_at.iter().filter(|target| reel.lacks_frames(target)).cloned().collect(),
            complete_at,
            evicted: reel.evicted(),
            first_msn,
            next_msn: reel.next_msn(),
        })
    }

    /// What a target had is of no use any more. Whether it had anything whole.
    pub fn forget_target(&mut self, target: &TargetId) -> bool {
        let before = self.complete_at.len();
        self.complete_at.retain(|one| one != target);
        self.less_at.retain(|one| one != target);
        self.complete_at.len() != before
    }

    /// Whether a target still lacks something of it that it shall have.
    pub fn lacks(&self, target: &TargetId, since: MediaTime) -> bool {
        since < self.end && !self.complete_at.contains(target)
    }

    /// Whether nobody lacks anything of it, and at least one target has all of it, as it was made here or with more frames
    /// than that: the disk is not needed.
    pub fn is_safe(&self, takers: &Takers) -> bool {
        let whole = |(target, since): (&TargetId, &MediaTime)| {
            *since <= self.start && self.complete_at.contains(target) && !self.less_at.contains(target)
        };
        takers.iter().all(|(target, since)| !self.lacks(target, *since)) && takers.iter().any(whole)
    }

    /// Whether nobody lacks anything of it, though every target that has all of it has the other origin's in place of some, with
    /// fewer frames: those are nowhere but on this disk.
    pub fn is_safe_but_for_frames(&self, takers: &Takers) -> bool {
        let bare = Summary { less_at: Vec::new(), ..self.clone() };
        !self.is_safe(takers) && bare.is_safe(takers)
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
        // More than one may write at a time.
        static PART: AtomicU64 = AtomicU64::new(0);
        let part = path.with_extension(format!("part-{}", PART.fetch_add(1, Ordering::Relaxed)));
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
        fs::rename(part, path)
    }
}
