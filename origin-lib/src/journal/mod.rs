//! The files of recordings: `recordings/{channel}/{recording}.jsonl`, one checked line for each
//! [`Record`] of [`railbird_core::recording`], and beside it, once the recording has ended, its [`Summary`].
//!
//! A journal is appended to by one thread (the spool's) and read by anybody. The summary lets an origin start without
//! reading the journals of everything that it ever recorded; it can always be made again from its journal.

mod history;
mod open;
mod summary;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::{Foreign, Record, Reel};

pub use history::{GoesOn, History};
pub(crate) use open::{Open, sync_dir};
pub use summary::{Summary, Takers};

use crate::lines;

const SUFFIX: &str = ".jsonl";

/// The longest line that is read, in bytes.
const LINE_LEN_MAX: u64 = 4096;

/// The longest journal that is read, in bytes.
const FILE_LEN_MAX: u64 = 512 << 20;

/// What a journal says.
#[derive(Debug)]
pub struct Journal {
    /// The recording.
    pub reel: Reel,
    /// The length of the whole lines, in bytes: what follows is the torn end of a write.
    pub len: u64,
    /// A line in the middle can't be read, or does not follow from those before it. What comes after it is in the reel up to
    /// the first line that does not follow: where an object is missing, all after it.
    pub damaged: bool,
    /// So many lines are another version's, which knows more: they are passed over, and stay.
    pub foreign: usize,
}

/// A journal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file can't be read.
    #[error("{}: can't be read: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file does not begin as a journal does.
    #[error("{}: its first line is not a recording's: if it is damaged, move it out of the way", path.display())]
    Head {
        /// The file.
        path: PathBuf,
    },
}

/// The directory of all journals.
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("recordings")
}

/// The directory of all objects: each lies below it under its name.
pub fn objects_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("objects")
}

/// The journal of a recording.
pub fn path(data_dir: &Path, channel: &ChannelId, recording: &RecordingId) -> PathBuf {
    dir(data_dir).join(channel.as_str()).join(format!("{recording}{SUFFIX}"))
}

/// The recordings of a channel, oldest first.
pub fn recordings(data_dir: &Path, channel: &ChannelId) -> io::Result<Vec<RecordingId>> {
    let entries = match fs::read_dir(dir(data_dir).join(channel.as_str())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut recordings = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        // Other files are somebody else's.
        recordings.extend(name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok()));
    }
    recordings.sort();
    Ok(recordings)
}

/// Reads a journal, up to its torn end if it has one.
pub fn read(path: &Path) -> Result<Journal, ReadError> {
    let failed = |error| ReadError::Io { path: path.into(), error };
    let mut file = BufReader::new(File::open(path).map_err(failed)?.take(FILE_LEN_MAX));
    let mut line = Vec::new();
    let head = match next_line(&mut file, &mut line).map_err(failed)? {
        Some(len) => lines::read::<Record>(&line).map(|record| (record, len)),
        None => None,
    };
    let Some((Record::Begin(head), mut len)) = head else {
        return Err(ReadError::Head { path: path.into() });
    };
    let mut reel = Reel::new(head);
    let (mut torn, mut damaged, mut foreign) = (false, false, 0);
    while let Some(line_len) = next_line(&mut file, &mut line).map_err(failed)? {
        let applied = if let Some(record) = lines::read::<Record>(&line) {
            reel.apply(record)
        } else if let Some(record) = lines::read::<Foreign>(&line) {
            foreign += 1;
            reel.pass_over(&record)
        } else {
            torn = true;
            continue;
        };
        // Behind the torn end of a write there is nothing that is whole.
        damaged |= torn;
        if applied.is_err() {
            damaged = true;
            break;
        }
        if !torn {
            len += line_len;
        }
    }
    Ok(Journal { reel, len, damaged, foreign })
}

/// A target has nothing any more of what it acknowledged: enters it in every recording of a channel. Before anybody else writes.
pub fn forget_target(data_dir: &Path, channel: &ChannelId, target: &TargetId) -> io::Result<()> {
    for recording in recordings(data_dir, channel)? {
        let path = path(data_dir, channel, &recording);
        // One that can't be read is nobody's.
        let Ok(journal) = read(&path) else { continue };
        if journal.reel.known_bit(target).is_some() {
            let mut open = Open::reopen(path)?;
            open.append(&[Record::Removed { target: target.clone() }])?;
            open.sync()?;
        }
        if let Some(mut summary) = Summary::read(data_dir, channel, &recording) {
            summary.forget_target(target);
            summary.write(data_dir, channel)?;
        }
    }
    Ok(())
}

/// The next line without its line feed, and its length with it; `None` at the end, or where no line feed comes.
fn next_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
    line.clear();
    let len = file.take(LINE_LEN_MAX).read_until(b'\n', line)? as u64;
    Ok((line.pop() == Some(b'\n')).then_some(len))
}
