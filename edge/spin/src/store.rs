//! The edge's store over `spin:key-value`.
//!
//! A cell is the pair `{table}/{key}` of the store `default`. The key-value interface knows no expiry, so that every
//! value begins with its own: 8 bytes, big-endian, Unix milliseconds, 0 for never. An expired value is as good as
//! absent. Now and then some of them are deleted, which takes a while: so that no viewer waits for it, that is when an origin
//! announces the event, as each does every few seconds.
//!
//! Key-value has no compare-and-set: a change reads, applies and writes, and of two at the same moment one may be lost.

use railbird_core::time::UtcMs;
use railbird_edge::change::{self, Change, Keep};
use railbird_edge::{Cell, Moment, Store, StoreError, Table};
use spin_sdk::key_value;

/// Bytes of the expiry before a value.
const EXPIRY_LEN: usize = 8;

/// One in so many announcements of the event looks for expired values: it lists all keys.
const SWEEP_EVERY: u16 = 16;

/// How many values it looks at, at most.
const SWEEP_MAX: usize = 1024;

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
        if expires.is_some_and(|at| at <= self.now) {
            return store.delete(name).await.map_err(failed);
        }
        let mut stored = Vec::with_capacity(EXPIRY_LEN + value.len());
        stored.extend_from_slice(&expires.map_or(0, |at| at.0.max(1)).to_be_bytes());
        stored.extend_from_slice(value);
        store.set(name, stored).await.map_err(failed)
    }

    /// The names of the cells of some tables, in the order in which the store lists them.
    async fn names(
        &self,
        store: &key_value::Store,
        of: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let mut listed = store.get_keys().await;
        let mut names = Vec::new();
        while let Some(name) = listed.next().await {
            if name.split_once('/').is_some_and(|(table, _)| of(table)) {
                names.push(name);
            }
        }
        listed.result().await.map_err(failed)?;
        Ok(names)
    }

    /// Deletes what has expired among [`SWEEP_MAX`] values, from a place that is chance on.
    async fn sweep(&self, store: &key_value::Store) -> Result<(), StoreError> {
        let expiring: Vec<&str> = Table::EXPIRING.iter().map(|table| table.name()).collect();
        let names = self.names(store, |table| expiring.contains(&table)).await?;
        let from = names.len() * usize::from(self.chance) / (usize::from(u16::MAX) + 1);
        for name in names.iter().cycle().skip(from).take(names.len().min(SWEEP_MAX)) {
            self.read(store, name).await?;
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
        if cell.table == Table::Event
            && self.chance.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = self.sweep(&store).await
        {
            // What is left undone is done later.
            eprintln!("expired values stay for now: {error}");
        }
        Ok(applied.answer)
    }

    async fn list(&self, table: Table, after: &str, max: usize) -> Result<Vec<String>, StoreError> {
        let store = key_value::Store::open_default().await.map_err(failed)?;
        let names = self.names(&store, |of| of == table.name()).await?;
        let keys = names.iter().filter_map(|name| Some(name.split_once('/')?.1));
        let mut keys: Vec<String> = keys.filter(|key| *key > after).map(str::to_owned).collect();
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
