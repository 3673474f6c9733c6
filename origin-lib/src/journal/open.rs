//! A journal that is being written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use railbird_core::id::RecordingId;
use railbird_core::recording::{Head, Record};
use railbird_core::time::UtcMs;

use crate::lines;

/// How many names are tried for a new recording: one a second.
const NAMES_MAX: u64 = 120;

/// A journal that is being written. What [`Open::append`] was given is in the file; after [`Open::sync`], on the disk.
#[derive(Debug)]
pub(crate) struct Open {
    path: PathBuf,
    file: File,
    len: u64,
    synced: bool,
}

impl Open {
    /// Begins a journal for a recording that begins at `now`; its name is the first free one from there on.
    pub(crate) fn create(data_dir: &Path, mut head: Head, now: UtcMs) -> io::Result<(Open, Head)> {
        let dir = super::dir(data_dir).join(head.channel.as_str());
        fs::create_dir_all(&dir)?;
        let mut found = None;
        for second in 0..NAMES_MAX {
            head.recording = RecordingId::beginning(now.plus_ms(second * 1000));
            let path = super::path(data_dir, &head.channel, &head.recording);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    found = Some((path, file));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let (path, file) = found.ok_or(io::ErrorKind::AlreadyExists)?;
        let mut open = Open { path, file, len: 0, synced: false };
        let begun = open.append(&[Record::Begin(head.clone())]).and_then(|()| open.sync());
        let begun = begun.and_then(|()| sync_dir(&dir)).and_then(|()| sync_dir(&super::dir(data_dir)));
        if let Err(error) = begun {
            // An empty journal would be taken for a damaged one.
            let _ = fs::remove_file(&open.path);
            return Err(error);
        }
        Ok((open, head))
    }

    /// Goes on with a journal whose whole lines have this length; what follows is cut off.
    pub(crate) fn resume(path: PathBuf, len: u64) -> io::Result<Open> {
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok(Open { path, file, len, synced: false })
    }

    /// Goes on with a journal that nobody else writes, whatever its length; the torn end of a line is cut off. A journal is
    /// not read for it, long as it may be.
    pub(crate) fn reopen(path: PathBuf) -> io::Result<Open> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut len = file.metadata()?.len();
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(len.saturating_sub(super::LINE_LEN_MAX)))?;
        file.read_to_end(&mut end)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        len = len.saturating_sub((end.len() - whole) as u64);
        drop(file);
        Open::resume(path, len)
    }

    /// Appends these records, all or none.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            lines::write(record, &mut bytes)?;
        }
        if let Err(error) = self.file.write_all(&bytes) {
            // Half a line would be taken for damage once a whole one follows.
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err(error);
        }
        self.len += bytes.len() as u64;
        self.synced = false;
        Ok(())
    }

    /// Returns once everything that was appended is on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            self.file.sync_data()?;
            self.synced = true;
        }
        Ok(())
    }
}

/// Makes names in a directory survive a crash.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
