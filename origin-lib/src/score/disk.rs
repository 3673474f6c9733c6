//! The files below `score/`: `{channel}/{match}.jsonl`, and a lock that keeps a second origin out.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use railbird_core::id::{ChannelId, MatchId};

const SUFFIX: &str = ".jsonl";
const LOCK: &str = "lock";

/// The longest file that is read, in bytes: a full log of the largest events has less.
const FILE_LEN_MAX: u64 = 128 << 20;

/// Writing, apart from the rest so that tests can let it fail.
pub(super) trait Disk: Send + Sync + 'static {
    /// Makes `lines` follow the first `durable` bytes of the file, in place of whatever does, and returns once they
    /// are on the disk. After an error the file holds the durable bytes, and behind them anything.
    fn append(&self, path: &Path, durable: u64, lines: &[u8]) -> io::Result<()>;
}

/// Real files.
pub(super) struct Files;

impl Disk for Files {
    fn append(&self, path: &Path, durable: u64, lines: &[u8]) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        if durable == 0 {
            create_dir(dir)?;
        }
        // A file with acknowledged events that has gone must not come back empty.
        let mut file = OpenOptions::new().write(true).create(durable == 0).truncate(false).open(path)?;
        let written = write_behind(&mut file, durable, lines);
        if written.is_err() {
            // Best effort: the next append does the same before it writes.
            let _ = file.set_len(durable);
        }
        written?;
        if durable == 0 { sync_dir(dir) } else { Ok(()) }
    }
}

fn write_behind(file: &mut File, durable: u64, lines: &[u8]) -> io::Result<()> {
    let len = file.metadata()?.len();
    if len < durable {
        return Err(io::Error::other(format!("the file has {len} bytes, {durable} were written before")));
    }
    if len > durable {
        file.set_len(durable)?;
    }
    file.seek(SeekFrom::Start(durable))?;
    file.write_all(lines)?;
    file.sync_data()
}

/// Creates a directory so that it is still there after a crash.
fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Holds the directory until it is dropped; `None` where another process does.
pub(super) fn lock(dir: &Path) -> io::Result<Option<File>> {
    create_dir(dir)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

pub(super) fn path(dir: &Path, channel: &ChannelId, match_id: &MatchId) -> PathBuf {
    dir.join(channel.as_str()).join(format!("{match_id}{SUFFIX}"))
}

/// The matches that have a file.
pub(super) fn matches(dir: &Path, channel: &ChannelId) -> io::Result<Vec<MatchId>> {
    let entries = match fs::read_dir(dir.join(channel.as_str())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut matches = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        // Other files are somebody else's.
        let id = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|id| id.parse().ok());
        matches.extend(id);
    }
    Ok(matches)
}

/// The first `len_max` bytes of a file.
pub(super) fn read(path: &Path, len_max: Option<u64>) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    if len_max.is_none() && len > FILE_LEN_MAX {
        return Err(io::Error::other(format!(
            "the file has {len} bytes, a score log has at most {FILE_LEN_MAX}"
        )));
    }
    let mut bytes = Vec::new();
    file.take(len_max.unwrap_or(FILE_LEN_MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Cuts a torn end off, for good.
pub(super) fn truncate(path: &Path, len: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_data()
}
