//! The edge's store over `spin:key-value`.
//!
//! A cell is the pair `{table}/{key}` of the store `default`. The key-value interface knows no expiry, so that every
//! value begins with its own: 8 bytes, big-endian, Unix milliseconds, 0 for never. An expired value is as good as
//! absent; a write now and then deletes some of them.
//!
//! Key-value has no compare-and-set: a change reads, applies and writes, and of two at the same moment one may be lost.

use railbird_core::time::UtcMs;
use railbird_edge::change::{self, Change, Keep};
use railbird_edge::{Cell, Moment, Store, StoreError, Table};
use spin_sdk::key_value;

/// Bytes of the expiry before a value.
const EXPIRY_LEN: usize = 8;

/// One in so many writes of an expiring value looks for expired ones: it lists all keys, of which there may be many.
const SWEEP_EVERY: u16 = 1024;

/// How many values such a write looks at, at most: well above [`SWEEP_EVERY`], so that expired values can't pile up.
const SWEEP_MAX: usize = 4096;

/// The store as one request sees it.
pub(crate) struct KeyValue {
    now: UtcMs,
    chance: u16,
}

impl KeyValue {
    /// For a request that comes at this moment.
    pub(crate) fn new(moment: &Moment) -> KeyValue {
        KeyValue { now: moment.now, chance: u16::from_be_bytes([moment.entropy[0], moment.entropy[1]]) }
    }

    async fn read(&self, store: &key_value::Store, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut stored) = store.get(name).await.map_err(failed)? else { return Ok(None) };
        let Some(expiry) = stored.first_chunk::<EXPIRY_LEN>().copied().map(u64::from_be_bytes) else {
            return Err(StoreError(format!("the value of {name} is not one that the edge wrote: delete it")));
        };
        if expiry != 0 && expiry <= self.now.0 {
            store.delete(name).await.map_err(failed)?;
            return Ok(None);
        }
        stored.drain(..EXPIRY_LEN);
        Ok(Some(stored))
    }

    async fn write(
        &self,
        store: &key_value::Store,
        name: &str,
        value: &[u8],
        expires: Option<UtcMs>,
    ) -> Result<(), StoreError> {
        let mut stored = Vec::with_capacity(EXPIRY_LEN + value.len());
        stored.extend_from_slice(&expires.map_or(0, |at| at.0.max(1)).to_be_bytes());
        stored.extend_from_slice(value);
        store.set(name, stored).await.map_err(failed)?;
        if expires.is_some()
            && self.chance.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = self.sweep(store, name).await
        {
            // The value is written: what is left undone is done by a later write.
            eprintln!("expired values stay for now: {error}");
        }
        Ok(())
    }

    /// The keys of a table, in the order in which the store lists them.
    async fn keys(&self, store: &key_value::Store, table: &str) -> Result<Vec<String>, StoreError> {
        let mut names = store.get_keys().await;
        let mut keys = Vec::new();
        while let Some(name) = names.next().await {
            keys.extend(name.split_once('/').filter(|(of, _)| *of == table).map(|(_, key)| key.to_owned()));
        }
        names.result().await.map_err(failed)?;
        Ok(keys)
    }

    /// Deletes what has expired among [`SWEEP_MAX`] neighbours of `name`, in the order in which the store lists its keys.
    async fn sweep(&self, store: &key_value::Store, name: &str) -> Result<(), StoreError> {
        let Some((table, own)) = name.split_once('/') else { return Ok(()) };
        let keys = self.keys(store, table).await?;
        let pivot = keys.iter().position(|key| key == own).unwrap_or_default();
        for key in keys.iter().cycle().skip(pivot).take(keys.len().min(SWEEP_MAX)) {
            self.read(store, &format!("{table}/{key}")).await?;
        }
        Ok(())
    }
}

impl Store for KeyValue {
    async fn get(&self, cell: &Cell) -> Result<Option<Vec<u8>>, StoreError> {
        let store = key_value::Store::open_default().await.map_err(failed)?;
        self.read(&store, &name(cell)).await
    }

    async fn put(&self, cell: &Cell, value: Vec<u8>, expires: Option<UtcMs>) -> Result<(), StoreError> {
        let store = key_value::Store::open_default().await.map_err(failed)?;
        self.write(&store, &name(cell), &value, expires).await
    }

    async fn change(&self, cell: &Cell, change: &Change, now: UtcMs) -> Result<Vec<u8>, StoreError> {
        let store = key_value::Store::open_default().await.map_err(failed)?;
        let name = name(cell);
        let kept = self.read(&store, &name).await?;
        let applied = change::apply(change, kept.as_deref(), now);
        if let Keep::Value(value, expires) = applied.keep {
            self.write(&store, &name, &value, expires).await?;
        }
        Ok(applied.answer)
    }

    async fn list(&self, table: Table, after: &str, max: usize) -> Result<Vec<String>, StoreError> {
        let store = key_value::Store::open_default().await.map_err(failed)?;
        let mut keys = self.keys(&store, table.name()).await?;
        keys.retain(|key| key.as_str() > after);
        keys.sort_unstable();
        keys.truncate(max);
        Ok(keys)
    }
}

fn name(cell: &Cell) -> String {
    format!("{}/{}", cell.table.name(), cell.key)
}

fn failed(error: key_value::Error) -> StoreError {
    StoreError(match error {
        key_value::Error::NoSuchStore | key_value::Error::AccessDenied => {
            "the component may not use the key-value store \"default\": list it under key_value_stores"
                .to_owned()
        }
        key_value::Error::StoreTableFull => "too many key-value stores are open".to_owned(),
        key_value::Error::Other(text) => text,
    })
}
