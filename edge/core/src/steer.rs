//! Content steering (RFC 8216bis, 7): the order of pathways for players that have already started.

use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, NodeId};
use serde::Serialize;

use crate::channels::{self, NOT_STARTED};
use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::health;
use crate::http::Response;
use crate::port::{Courier, Store};
use crate::routing::{Choice, Viewer};

/// When a player asks again, in seconds.
const TTL_S: u32 = 10;

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct Manifest {
    version: u32,
    ttl: u32,
    pathway_priority: Vec<NodeId>,
}

/// `GET /steer/{channel}`. Never 429: one such answer ends a player's steering for good.
pub(crate) async fn manifest<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let (state, region) = future::join(channels::state(call, channel), health::of(call)).await;
    let state = state?;
    // The list must not be empty.
    if state.nodes.is_empty() {
        return Err(NOT_STARTED);
    }
    let pathway_priority = Choice::new(&state.nodes, &region, call.moment.now).order(viewer);
    health::probe::by_the_way(call, channel).await;
    let manifest = Manifest { version: 1, ttl: TTL_S, pathway_priority };
    Ok(errors::json(200, &manifest).with("cache-control", "private, no-cache"))
}
