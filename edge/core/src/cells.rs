//! The store's cells as the types they hold.
//!
//! A value that can't be read was written by another version: it counts as absent, and the next push replaces it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use railbird_core::id::ChannelId;
use railbird_core::state::{ChannelState, EventState, Node, Phase};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::passes::{Pass, PassId};
use crate::port::{Cell, Store, StoreError, Table};

/// What a list shows of a channel: the part of its state that is not media.
#[derive(Deserialize)]
pub(crate) struct Summary {
    pub(crate) phase: Phase,
    pub(crate) nodes: Vec<Node>,
}

pub(crate) fn event_cell() -> Cell {
    Cell { table: Table::Event, key: "event".to_string() }
}

pub(crate) fn channel_cell(channel: &ChannelId) -> Cell {
    Cell { table: Table::Channel, key: channel.to_string() }
}

pub(crate) fn score_cell(channel: &ChannelId) -> Cell {
    Cell { table: Table::Score, key: channel.to_string() }
}

pub(crate) fn pass_cell(id: &PassId) -> Cell {
    Cell { table: Table::Pass, key: String::from(id.as_str()) }
}

pub(crate) async fn event<S: Store>(store: &S) -> Result<Option<EventState>, StoreError> {
    read(store, &event_cell()).await
}

pub(crate) async fn channel<S: Store>(
    store: &S,
    channel: &ChannelId,
) -> Result<Option<ChannelState>, StoreError> {
    read(store, &channel_cell(channel)).await
}

pub(crate) async fn summary<S: Store>(store: &S, channel: &ChannelId) -> Result<Option<Summary>, StoreError> {
    read(store, &channel_cell(channel)).await
}

pub(crate) async fn pass<S: Store>(store: &S, id: &PassId) -> Result<Option<Pass>, StoreError> {
    read(store, &pass_cell(id)).await
}

/// The revision of the snapshot that is kept.
pub(crate) async fn revision<S: Store>(store: &S, cell: &Cell) -> Result<Option<u64>, StoreError> {
    #[derive(Deserialize)]
    struct Revision {
        revision: u64,
    }
    Ok(read(store, cell).await?.map(|Revision { revision }| revision))
}

async fn read<S: Store, T: DeserializeOwned>(store: &S, cell: &Cell) -> Result<Option<T>, StoreError> {
    Ok(store.get(cell).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
