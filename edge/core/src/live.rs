//! Live playlists: which text, in which order of nodes.

use alloc::string::String;

use futures::future;
use railbird_core::id::{ChannelId, NodeId, RenditionId};
use railbird_core::playlist::{self, Wanted};
use railbird_core::state::{ChannelState, Node};

use crate::channels::{self, NOT_STARTED};
use crate::edge::Call;
use crate::errors::Problem;
use crate::health;
use crate::http::Response;
use crate::port::{Courier, Store, Watch};
use crate::router::Lists;
use crate::routing::{Choice, Viewer};
use crate::{router, wait};

/// RFC 8216bis, 10.
const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

/// A header of playlists, so that players hear without a question of their own that the multivariant playlist is another one: what
/// it gives to choose from ([`playlist::choice`]).
pub(crate) const CHOICE: &str = "railbird-choice";

pub(crate) const NO_SUCH_PLAYLIST: Problem = Problem::new(
    404,
    "no-such-playlist",
    "the channel has no such node or rendition: its main.m3u8 lists what it has",
);

/// `GET /live/{channel}/main.m3u8`.
pub(crate) async fn multivariant<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let (state, region) = future::join(channels::state(call, channel), health::of(call)).await;
    let state = state?;
    let order = Choice::new(&state.nodes, &region, call.moment.now).order(viewer);
    if order.is_empty() || state.renditions.iter().all(|rendition| rendition.segments.is_empty()) {
        return Err(NOT_STARTED);
    }
    Ok(of_choice(playlist::multivariant(&state, &order), &state))
}

/// `GET /live/{channel}/{node}/{rendition}.m3u8`, or `{rendition}.frames.m3u8` for its key frames, with the delivery directives of RFC 8216bis: delta updates of every
/// channel, blocking reload of one of low latency. `parts=nodes` asks for parts by their places at nodes, and for no hints.
pub(crate) async fn media<S: Watch>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    node: &NodeId,
    rendition: &RenditionId,
    lists: Lists,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let waited = wait::state(call, channel, rendition, viewer);
    let (waited, region) = future::join(waited, health::of(call)).await;
    let state = waited?;
    // Before the feed's first segment nobody knows which renditions there will be.
    if state.nodes.is_empty() || state.renditions.is_empty() {
        return Err(NOT_STARTED);
    }
    let choice = Choice::new(&state.nodes, &region, call.moment.now);
    let order = choice.pathway(node, viewer).ok_or(NO_SUCH_PLAYLIST)?;
    if !state.renditions.iter().any(|known| known.id == *rendition && lists.has(known)) {
        return Err(NO_SUCH_PLAYLIST);
    }
    let delta = takes_delta(call, &choice, &state.nodes);
    if lists == Lists::Frames {
        return playlist::frames(&state, rendition, &order, delta).map(response).ok_or(NOT_STARTED);
    }
    let wanted =
        Wanted { delta, parts_at_nodes: router::query(&call.request.query, "parts") == Some("nodes") };
    let text = playlist::media(&state, rendition, &order, wanted).ok_or(NOT_STARTED)?;
    Ok(of_choice(text, &state))
}

/// `GET /live/{channel}/score.m3u8`: the score as subtitles, for players that show none by themselves.
pub(crate) async fn subtitles<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
) -> Result<Response, Problem> {
    let state = channels::state(call, channel).await?;
    if state.score.is_none() {
        return Err(NO_SUCH_PLAYLIST);
    }
    playlist::subtitles(&state, wait::skips(&call.request.query)).map(response).ok_or(NOT_STARTED)
}

/// Whether a delta update will do. While a node is down, everybody gets whole playlists: what a player has seen already may
/// lead to that node, and no longer does.
pub(crate) fn takes_delta<S>(call: &Call<'_, S>, choice: &Choice<'_>, nodes: &[Node]) -> bool {
    wait::skips(&call.request.query) && nodes.iter().all(|node| choice.is_up(&node.id))
}

/// A playlist as a response, which says what there is to choose from by this state.
pub(crate) fn of_choice(text: String, state: &ChannelState) -> Response {
    response(text).with(CHOICE, &playlist::choice(state))
}

/// A playlist as a response.
pub(crate) fn response(text: String) -> Response {
    Response::new(200).body(CONTENT_TYPE, text).with("cache-control", "private, no-cache")
}
