//! The store's cells as the types they hold.
//!
//! A value that can't be read was written by another version: it counts as absent, and the next push replaces it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use railbird_core::hex;
use railbird_core::id::{ChannelId, MatchId, OriginId, RecordingId};
use railbird_core::state::merge::Merged;
use railbird_core::state::union::{Events, Replays};
use railbird_core::state::{ChannelState, EventState, Node, Phase};
use railbird_core::time::UtcMs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::holder::Holder;
use crate::passes::{Pass, PassId};
use crate::port::{Cell, Store, StoreError, Table};

/// What a list shows of a channel: the part of its state that is not media.
#[derive(Deserialize)]
pub(crate) struct Summary {
    pub(crate) phase: Phase,
    pub(crate) nodes: Vec<Node>,
    pub(crate) segment_ms: u32,
}

/// The most cells that are asked for at the same time.
pub(crate) const TOGETHER_MAX: usize = 16;

pub(crate) fn event_cell() -> Cell {
    Cell { table: Table::Event, key: "event".to_string() }
}

/// Channels that are known without being one of the event, as [`Events`] of no origin.
pub(crate) fn told_cell() -> Cell {
    Cell { table: Table::Event, key: "told".to_string() }
}

pub(crate) fn channel_cell(channel: &ChannelId) -> Cell {
    Cell { table: Table::Channel, key: channel.to_string() }
}

pub(crate) fn replays_cell(channel: &ChannelId) -> Cell {
    Cell { table: Table::Replays, key: channel.to_string() }
}

/// Identifiers have no `/`, so that no two chapters have one text; together they are too long for a key.
pub(crate) fn chapter_cell(
    channel: &ChannelId,
    origin: &OriginId,
    recording: &RecordingId,
    chapter: u32,
) -> Cell {
    let text = format!("{channel}/{origin}/{recording}/{chapter}");
    Cell { table: Table::Chapter, key: hex::encode(&Sha256::digest(text.as_bytes())) }
}

pub(crate) fn score_cell(channel: &ChannelId) -> Cell {
    Cell { table: Table::Score, key: channel.to_string() }
}

/// Together, channel and match are too long for a key.
pub(crate) fn match_cell(channel: &ChannelId, match_id: &MatchId) -> Cell {
    let text = format!("{channel}/{match_id}");
    Cell { table: Table::Match, key: hex::encode(&Sha256::digest(text.as_bytes())) }
}

/// What playlists say of a match.
pub(crate) fn outline_cell(channel: &ChannelId, match_id: &MatchId) -> Cell {
    let text = format!("{channel}/{match_id}/outline");
    Cell { table: Table::Match, key: hex::encode(&Sha256::digest(text.as_bytes())) }
}

/// All that is kept of a match.
pub(crate) fn of_match(channel: &ChannelId, match_id: &MatchId) -> [Cell; 2] {
    [match_cell(channel, match_id), outline_cell(channel, match_id)]
}

pub(crate) fn pass_cell(id: &PassId) -> Cell {
    Cell { table: Table::Pass, key: String::from(id.as_str()) }
}

pub(crate) fn holder_cell(pass: &PassId) -> Cell {
    Cell { table: Table::Holder, key: String::from(pass.as_str()) }
}

pub(crate) async fn event<S: Store>(store: &S) -> Result<Option<EventState>, StoreError> {
    Ok(events(store, &event_cell()).await?.and_then(|events| events.event()))
}

pub(crate) async fn events<S: Store>(store: &S, cell: &Cell) -> Result<Option<Events>, StoreError> {
    read(store, cell).await
}

pub(crate) async fn channel<S: Store>(
    store: &S,
    channel: &ChannelId,
) -> Result<Option<ChannelState>, StoreError> {
    Ok(merged(store, channel).await?.map(|merged| merged.state))
}

pub(crate) async fn merged<S: Store>(store: &S, channel: &ChannelId) -> Result<Option<Merged>, StoreError> {
    read(store, &channel_cell(channel)).await
}

pub(crate) async fn summary<S: Store>(store: &S, channel: &ChannelId) -> Result<Option<Summary>, StoreError> {
    Ok(brief(store, channel).await?.map(|(summary, _)| summary))
}

/// The same, and when an origin was heard last.
pub(crate) async fn brief<S: Store>(
    store: &S,
    channel: &ChannelId,
) -> Result<Option<(Summary, UtcMs)>, StoreError> {
    #[derive(Deserialize)]
    struct Kept {
        state: Summary,
        voices: Vec<Heard>,
    }
    #[derive(Deserialize)]
    struct Heard {
        heard: UtcMs,
    }
    let kept: Option<Kept> = read(store, &channel_cell(channel)).await?;
    Ok(kept.map(|Kept { state, voices }| {
        let heard = voices.iter().map(|voice| voice.heard).max();
        (state, heard.unwrap_or(UtcMs(0)))
    }))
}

pub(crate) async fn replays<S: Store>(store: &S, channel: &ChannelId) -> Result<Option<Replays>, StoreError> {
    read(store, &replays_cell(channel)).await
}

pub(crate) async fn chapter<S: Store>(store: &S, cell: &Cell) -> Result<Option<ChannelState>, StoreError> {
    read(store, cell).await
}

/// Whatever is counted: its kind, and who it is.
pub(crate) fn limit_cell(kind: &str, whose: &str) -> Cell {
    let text = format!("railbird limit v1\n{kind}\n{whose}");
    Cell { table: Table::Limit, key: hex::encode(&Sha256::digest(text.as_bytes())) }
}

/// Whatever is done now and then: its kind, and what it is done for.
pub(crate) fn turn_cell(kind: &str, whose: &str) -> Cell {
    let text = format!("railbird turn v1\n{kind}\n{whose}");
    Cell { table: Table::Turn, key: hex::encode(&Sha256::digest(text.as_bytes())) }
}

pub(crate) async fn pass<S: Store>(store: &S, id: &PassId) -> Result<Option<Pass>, StoreError> {
    read(store, &pass_cell(id)).await
}

pub(crate) async fn holder<S: Store>(store: &S, pass: &PassId) -> Result<Option<Holder>, StoreError> {
    read(store, &holder_cell(pass)).await
}

async fn read<S: Store, T: DeserializeOwned>(store: &S, cell: &Cell) -> Result<Option<T>, StoreError> {
    Ok(store.get(cell).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
