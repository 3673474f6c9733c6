//! Parts of low-latency channels by the time at which they start, for players that were hinted at them (RFC 8216bis, 6.2.6).
//!
//! A request for a part that is still being made waits as a blocking reload does, and then leads to the part at a node. Where it
//! leads is made of the channel's state alone, and only of a part that the state lists: nothing that a viewer can write is
//! in it.

use futures::future;
use railbird_core::id::{ChannelId, NodeId, RenditionId};
use railbird_core::playlist::{self, Reach};
use railbird_core::state::ChannelState;
use railbird_core::time::UtcMs;

use crate::edge::Call;
use crate::errors::Problem;
use crate::health;
use crate::http::Response;
use crate::port::Watch;
use crate::routing::{Choice, Viewer};
use crate::{router, wait};

const NO_SUCH_PART: Problem = Problem::new(
    404,
    "no-such-part",
    "the channel has no such part, or it did not come in time: its playlist lists those that there are",
);

/// `GET /live/{channel}/{node}/{rendition}/{start}.m4s`.
pub(crate) async fn part<S: Watch>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    node: &NodeId,
    rendition: &RenditionId,
    start: UtcMs,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let reach = |state: &ChannelState| {
        let is_node = state.nodes.iter().any(|known| known.id == *node);
        match playlist::reach_of_part(state, rendition, start).filter(|_| is_node) {
            None | Some(Reach::TooFar) => Err(NO_SUCH_PART),
            // A host that has no room for one more who waits says so.
            Some(_) if router::query(&call.request.query, "wait") == Some("no") => Ok(Reach::Has),
            Some(reach) => Ok(reach),
        }
    };
    let waited = wait::until(call, channel, rendition, viewer, reach);
    let (waited, region) = future::join(waited, health::of(call)).await;
    let state = waited?;
    let choice = Choice::new(&state.nodes, &region, call.moment.now);
    let order = choice.pathway(node, viewer).ok_or(NO_SUCH_PART)?;
    let url = playlist::part_url(&state, rendition, start, &order).ok_or(NO_SUCH_PART)?;
    Ok(Response::new(307).with("location", &url).with("cache-control", "private, no-cache"))
}
