//! What was entered, on the disk: one line a record, each with its checksum.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::desk::{Change, Record};
use crate::lines;

/// The longest outbox that is read, in bytes.
const LEN_MAX: u64 = 128 << 20;

/// What can't be done with the outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The disk.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{}: another terminal scores this channel here: end that one, or give another --outbox", .0.display())]
    InUse(PathBuf),
    /// A line in the middle can't be read.
    #[error("{path}: line {line} is damaged: move the file away, and take the match over from the origin", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// The file. Nobody else has it as long as this is there.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    file: File,
    _lock: File,
}

impl Outbox {
    /// Opens it, and reads what was kept. A torn last line was never shown to anybody.
    pub fn open(dir: &Path, name: &str) -> Result<(Outbox, Vec<Record>), OutboxError> {
        let path = dir.join(format!("{name}.jsonl"));
        let failed = |source| OutboxError::Io { path: path.clone(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = dir.join(format!("{name}.lock"));
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OutboxError::InUse(path)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        (&mut file).take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LEN_MAX {
            return Err(failed(io::Error::other(format!("longer than {LEN_MAX} bytes"))));
        }
        let (mut records, mut len) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n").and_then(lines::read) {
                Some(record) => records.push(record),
                None if len + line.len() == bytes.len() => break,
                None => return Err(OutboxError::Damaged { path, line: records.len() + 1 }),
            }
            len += line.len();
        }
        file.set_len(len as u64).and_then(|()| file.sync_all()).map_err(failed)?;
        sync_dir(dir).map_err(failed)?;
        Ok((Outbox { path, file, _lock: lock }, records))
    }

    /// Returns once it is on the disk.
    pub fn write(&mut self, change: &Change) -> Result<(), OutboxError> {
        let written = match change {
            Change::Append(records) => self.append(records),
            Change::Replace(records) => self.replace(records),
        };
        written.map_err(|source| OutboxError::Io { path: self.path.clone(), source })
    }

    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let written = self.file.write_all(&text(records)?).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Half a line must not stand before the next one.
            let _ = self.file.set_len(len);
        }
        written
    }

    fn replace(&mut self, records: &[Record]) -> io::Result<()> {
        let part = self.path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&text(records)?)?;
        file.sync_all()?;
        fs::rename(&part, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.path.parent().map_or(Ok(()), sync_dir)
    }
}

fn text(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        lines::write(record, &mut text)?;
    }
    Ok(text)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
