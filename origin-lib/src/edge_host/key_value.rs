//! The key-value store behind the component: in memory, and on disk where a folder is given.
//!
//! Reads never touch the disk. A write is acknowledged when it is on disk; writes that wait together share one commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::thread;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::{mpsc, oneshot};

/// The longest key, in bytes: as on the platforms where the component is deployed.
const KEY_LEN_MAX: usize = 255;

/// The largest value, in bytes: the largest channel state, and what the adapter puts before it.
const VALUE_LEN_MAX: usize = railbird_core::state::STATE_LEN_MAX + 64;

/// The most keys.
const KEYS_MAX: usize = 500_000;

/// All keys and values together, in bytes.
const TOTAL_LEN_MAX: usize = 512 << 20;

/// Writes that may wait for the disk.
const WAITING_MAX: usize = 256;

const FILE: &str = "edge.redb";
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");

/// Why a write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The key or the value is too large, or the store is full.
    #[error("{0}")]
    Full(&'static str),
    /// The disk did not take it.
    #[error("the edge's store on disk: {0}")]
    Disk(String),
}

/// The store.
pub(super) struct KeyValues {
    values: RwLock<Values>,
    disk: Option<Disk>,
}

/// The thread that owns the file.
struct Disk {
    /// `None` only while the store is dropped.
    writes: Option<mpsc::Sender<Write>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Disk {
    /// Waits for the last commit, so that the file is free for whoever opens it next.
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Values {
    by_key: BTreeMap<String, Bytes>,
    total_len: usize,
}

struct Write {
    key: String,
    value: Option<Bytes>,
    done: oneshot::Sender<Result<(), WriteError>>,
}

impl Values {
    /// Sets or removes a value; nothing changes where the bounds don't allow it.
    fn change(&mut self, key: &str, value: Option<&Bytes>) -> Result<(), WriteError> {
        let old_len = self.by_key.get(key).map(|old| key.len() + old.len());
        let kept_len = self.total_len.saturating_sub(old_len.unwrap_or(0));
        let Some(value) = value else {
            self.by_key.remove(key);
            self.total_len = kept_len;
            return Ok(());
        };
        if key.len() > KEY_LEN_MAX {
            return Err(WriteError::Full("a key has at most 255 bytes"));
        }
        if value.len() > VALUE_LEN_MAX {
            return Err(WriteError::Full("a value has at most 4 MiB"));
        }
        let total_len = kept_len + key.len() + value.len();
        if total_len > TOTAL_LEN_MAX || (old_len.is_none() && self.by_key.len() >= KEYS_MAX) {
            return Err(WriteError::Full("the edge's store is full (512 MiB or 500,000 keys)"));
        }
        self.by_key.insert(key.to_owned(), value.clone());
        self.total_len = total_len;
        Ok(())
    }
}

impl KeyValues {
    /// A store that is gone with the process.
    pub(super) fn in_memory() -> KeyValues {
        KeyValues { values: RwLock::default(), disk: None }
    }

    /// A store in `folder`, which is created where it is missing; one process at a time.
    ///
    /// # Errors
    /// The folder can't be written, another process has the store open, or the file is damaged.
    pub(super) fn on_disk(folder: &Path) -> Result<KeyValues, redb::Error> {
        std::fs::create_dir_all(folder)?;
        let database = Database::create(folder.join(FILE))?;
        let mut values = Values::default();
        let begin = database.begin_write()?;
        begin.open_table(TABLE)?;
        begin.commit()?;
        for entry in database.begin_read()?.open_table(TABLE)?.iter()? {
            let (key, value) = entry?;
            if values.change(key.value(), Some(&Bytes::copy_from_slice(value.value()))).is_err() {
                tracing::warn!(key = key.value(), "a value of the edge's store is over its bounds: left out");
            }
        }
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let thread = thread::Builder::new().name("edge-store".to_owned());
        let thread = thread.spawn(move || write_all(&database, receiver))?;
        let disk = Disk { writes: Some(sender), thread: Some(thread) };
        Ok(KeyValues { values: RwLock::new(values), disk: Some(disk) })
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).by_key.get(key).cloned()
    }

    /// All keys, in order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).by_key.keys().cloned().collect()
    }

    /// # Errors
    /// Over a bound, in which case nothing changed, or the disk failed, in which case the value is in memory only.
    pub(super) async fn set(&self, key: String, value: Bytes) -> Result<(), WriteError> {
        self.change(key, Some(value)).await
    }

    /// # Errors
    /// The disk failed.
    pub(super) async fn delete(&self, key: String) -> Result<(), WriteError> {
        self.change(key, None).await
    }

    async fn change(&self, key: String, value: Option<Bytes>) -> Result<(), WriteError> {
        let Some(disk) = self.disk.as_ref().and_then(|disk| disk.writes.as_ref()) else {
            return self.values.write().unwrap_or_else(PoisonError::into_inner).change(&key, value.as_ref());
        };
        let stopped = || WriteError::Disk("it has stopped; see the log above".to_owned());
        let place = disk.reserve().await.map_err(|_| stopped())?;
        let (done, written) = oneshot::channel();
        {
            // Memory and disk see the changes in the same order: both happen under the lock.
            let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
            values.change(&key, value.as_ref())?;
            place.send(Write { key, value, done });
        }
        written.await.map_err(|_| stopped())?
    }
}

/// Writes until the store is dropped; what waits goes into one commit.
fn write_all(database: &Database, mut writes: mpsc::Receiver<Write>) {
    let mut batch = Vec::new();
    while writes.blocking_recv_many(&mut batch, WAITING_MAX) > 0 {
        let result = commit(database, &batch).map_err(|error| WriteError::Disk(error.to_string()));
        if let Err(error) = &result {
            tracing::error!(%error, "a write to the edge's store failed: is the disk full?");
        }
        for write in batch.drain(..) {
            _ = write.done.send(result.clone());
        }
    }
}

fn commit(database: &Database, batch: &[Write]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(TABLE)?;
        for write in batch {
            match &write.value {
                Some(value) => _ = table.insert(write.key.as_str(), value.as_ref())?,
                None => _ = table.remove(write.key.as_str())?,
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyValues::on_disk(folder.path()).unwrap();
        store.set("pass/1".into(), Bytes::from_static(b"old")).await.unwrap();
        let (a, b) = tokio::join!(
            store.set("pass/1".into(), Bytes::from_static(b"new")),
            store.set("pass/2".into(), Bytes::from_static(b"two"))
        );
        a.and(b).unwrap();
        store.delete("pass/2".into()).await.unwrap();
        assert!(KeyValues::on_disk(folder.path()).is_err(), "one process at a time");
        // The copy of a running store is what a crash leaves behind.
        let after_crash = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join(FILE), after_crash.path().join(FILE)).unwrap();
        let again = KeyValues::on_disk(after_crash.path()).unwrap();
        assert_eq!(again.keys(), ["pass/1"]);
        assert_eq!(again.get("pass/1").unwrap(), "new");
        drop(store);
        assert_eq!(KeyValues::on_disk(folder.path()).unwrap().keys(), ["pass/1"]);
    }

    #[tokio::test]
    async fn bounds_hold_and_leave_the_old_value() {
        let store = KeyValues::in_memory();
        store.set("a".into(), Bytes::from_static(b"1")).await.unwrap();
        let large = Bytes::from(vec![0; VALUE_LEN_MAX + 1]);
        assert!(store.set("a".into(), large.clone()).await.is_err());
        assert!(store.set("k".repeat(KEY_LEN_MAX + 1), Bytes::new()).await.is_err());
        assert_eq!(store.get("a").unwrap(), "1");
        // The total counts what is there now, not what has ever been written.
        let value = large.slice(..VALUE_LEN_MAX);
        let fits = TOTAL_LEN_MAX / VALUE_LEN_MAX;
        for n in 0..fits * 2 {
            store.set(format!("v{}", n % (fits - 1)), value.clone()).await.unwrap();
        }
        assert!(store.set("one-more".into(), value.clone()).await.is_ok());
        assert!(store.set("too-much".into(), value.clone()).await.is_err());
        store.delete("v0".into()).await.unwrap();
        assert!(store.set("too-much".into(), value).await.is_ok());
    }
}
