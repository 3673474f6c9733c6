//! The local disk: every object is written here before it is queued for any target.
//!
//! One thread writes, so that objects stay in order and a slow disk never holds up an ingest: what is handed over waits
//! in a queue of at most [`WAITING_MAX`] objects and [`WAITING_BYTES_MAX`] bytes. Objects are immutable; a file appears
//! under its name only when it is whole.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::driver::Made;

/// How many objects may wait for the disk.
pub const WAITING_MAX: usize = 256;

/// How many bytes may wait for the disk.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// How often files that are older than they need be are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Hands objects to the disk.
#[derive(Clone, Debug)]
pub struct Spool {
    sender: SyncSender<Job>,
    waiting_bytes: Arc<AtomicUsize>,
}

enum Job {
    Write(Made),
    /// Answers once everything before it was written.
    Settled(oneshot::Sender<()>),
}

/// An object that is on the disk.
#[derive(Debug)]
pub struct Stored {
    /// The object.
    pub made: Made,
    /// Its file.
    pub path: PathBuf,
}

/// The object was not taken. The channel gets a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The disk is slower than the feeds.
    #[error("the disk under data_dir is slower than the feeds: {WAITING_MAX} objects or 256 MiB wait for it")]
    Behind,
    /// The writer has stopped.
    #[error("the spool has stopped")]
    Stopped,
}

impl Spool {
    /// Starts the writer below `dir`. `stored` is called on the writer's thread for each object that reached the disk;
    /// `failed` for each that did not.
    pub fn start(
        dir: &Path,
        keep: Duration,
        stored: impl Fn(Stored) + Send + 'static,
        failed: impl Fn(&Made, &io::Error) + Send + 'static,
    ) -> io::Result<Spool> {
        fs::create_dir_all(dir)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer { dir: dir.to_path_buf(), keep, waiting_bytes: waiting_bytes.clone() };
        std::thread::Builder::new()
            .name("spool".to_string())
            .spawn(move || writer.run(&receiver, stored, failed))?;
        Ok(Spool { sender, waiting_bytes })
    }

    /// Hands over an object; never waits.
    pub fn write(&self, made: Made) -> Result<(), SpoolError> {
        let len = made.object.bytes.len();
        if self.waiting_bytes.fetch_add(len, Ordering::Relaxed) + len > WAITING_BYTES_MAX {
            self.waiting_bytes.fetch_sub(len, Ordering::Relaxed);
            return Err(SpoolError::Behind);
        }
        self.sender.try_send(Job::Write(made)).map_err(|error| {
            self.waiting_bytes.fetch_sub(len, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => SpoolError::Behind,
                TrySendError::Disconnected(_) => SpoolError::Stopped,
            }
        })
    }
}

impl Spool {
    /// Resolves once everything that was handed over before is on the disk, or the disk failed.
    pub async fn settled(&self) {
        let (answer, settled) = oneshot::channel();
        if self.sender.try_send(Job::Settled(answer)).is_ok() {
            // The writer's end answers as well.
            let _ = settled.await;
        }
    }
}

struct Writer {
    dir: PathBuf,
    keep: Duration,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Writer {
    fn run(&self, receiver: &Receiver<Job>, stored: impl Fn(Stored), failed: impl Fn(&Made, &io::Error)) {
        let mut swept: Option<SystemTime> = None;
        while let Ok(job) = receiver.recv() {
            let made = match job {
                Job::Write(made) => made,
                Job::Settled(answer) => {
                    // Whoever asked may have given up.
                    let _ = answer.send(());
                    continue;
                }
            };
            let path = self.dir.join(&made.object.name);
            let written = write_whole(&path, &made.object.bytes);
            self.waiting_bytes.fetch_sub(made.object.bytes.len(), Ordering::Relaxed);
            match written {
                Ok(()) => stored(Stored { made, path }),
                Err(error) => failed(&made, &error),
            }
            let now = SystemTime::now();
            if swept.is_none_or(|at| now.duration_since(at).is_ok_and(|since| since >= SWEEP_EVERY)) {
                swept = Some(now);
                if let Some(before) = now.checked_sub(self.keep)
                    && let Err(error) = sweep(&self.dir, before)
                {
                    tracing::warn!(dir = %self.dir.display(), %error, "old objects can't be deleted");
                }
            }
        }
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("part");
    let write = || -> io::Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = fs::File::create(&partial)?;
        file.write_all(bytes)?;
        fs::rename(&partial, path)
    };
    write().inspect_err(|_| {
        // What there is of it would only take room.
        let _ = fs::remove_file(&partial);
    })
}

/// Deletes segments last written before `before`. Init segments stay: they are few, and needed as long as any segment is.
fn sweep(dir: &Path, before: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            sweep(&entry.path(), before)?;
        } else if entry.path().extension().is_some_and(|ext| ext == "m4s" || ext == "part")
            && meta.modified()? < before
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn objects_reach_the_disk_in_order_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (tx, rx) = channel();
        let keep = Duration::from_secs(3600);
        let spool =
            Spool::start(dir.path(), keep, move |stored| tx.send(stored).unwrap(), |_, e| panic!("{e}"))
                .unwrap();
        for n in 0..20_u8 {
            spool.write(Made::segment_for_test(&format!("t/source/{n}-0.m4s"), vec![n; 1000])).unwrap();
        }
        for n in 0..20_u8 {
            let stored = rx.recv().unwrap();
            assert_eq!(stored.made.object.name, format!("t/source/{n}-0.m4s"));
            assert_eq!(fs::read(stored.path).unwrap(), vec![n; 1000]);
        }
    }

    #[test]
    fn an_object_that_cannot_be_written_is_reported_and_the_next_is_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("t"), b"a file where a directory is needed").unwrap();
        let (tx, rx) = channel();
        let failed = tx.clone();
        let spool = Spool::start(
            dir.path(),
            Duration::from_secs(3600),
            move |stored| tx.send(stored.made.object.name).unwrap(),
            move |made, _| failed.send(format!("failed {}", made.object.name)).unwrap(),
        )
        .unwrap();
        spool.write(Made::segment_for_test("t/source/1-0.m4s", vec![1])).unwrap();
        spool.write(Made::segment_for_test("u/source/1-0.m4s", vec![1])).unwrap();
        assert_eq!(rx.recv().unwrap(), "failed t/source/1-0.m4s");
        assert_eq!(rx.recv().unwrap(), "u/source/1-0.m4s");
    }

    #[test]
    fn invariant_1_a_disk_that_hangs_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (hang, hold) = channel::<()>();
        let hold = std::sync::Mutex::new(hold);
        let spool = Spool::start(
            dir.path(),
            Duration::from_secs(3600),
            move |_| {
                let _ = hold.lock().unwrap().recv();
            },
            |_, _| {},
        )
        .unwrap();
        let results: Vec<_> = (0..WAITING_MAX + 2)
            .map(|n| spool.write(Made::segment_for_test(&format!("t/source/{n}-0.m4s"), vec![1])))
            .collect();
        assert_eq!(results.last(), Some(&Err(SpoolError::Behind)));
        drop(hang);
    }

    #[test]
    fn old_segments_are_swept_and_init_segments_stay() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1-0.m4s", "init-00.mp4", "2-0.part"] {
            fs::write(dir.path().join(name), b"x").unwrap();
        }
        sweep(dir.path(), SystemTime::now() + Duration::from_secs(1)).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["init-00.mp4"]);
    }
}
