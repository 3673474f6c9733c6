//! Which channels there are, and where each stands.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::id::{ChannelId, EventId};
use railbird_core::state::{ChannelState, Node, Phase};
use serde::Serialize;

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::port::Store;
use crate::{cells, session};

const NO_EVENT: Problem =
    Problem::new(404, "no-event", "the origin has not announced an event yet: ask again")
        .with("retry-after", "2");
const NO_SUCH_CHANNEL: Problem =
    Problem::new(404, "no-such-channel", "there is no such channel: GET /api/channels lists them");
pub(crate) const NOT_STARTED: Problem =
    Problem::new(404, "not-started", "the channel has nothing to play yet: ask again in a moment")
        .with("retry-after", "2");

#[derive(Serialize)]
struct List {
    event: Event,
    channels: Vec<Channel>,
}

#[derive(Serialize)]
struct Event {
    id: EventId,
    title: String,
}

#[derive(Serialize)]
struct Channel {
    id: ChannelId,
    title: String,
    phase: Phase,
    nodes: Vec<Node>,
}

/// `GET /api/channels`.
pub(crate) async fn list<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let session = session::of(call, None).await?;
    let event = cells::event(call.store).await?.ok_or(NO_EVENT)?;
    let mut channels = Vec::new();
    for brief in event.channels.into_iter().filter(|brief| session.channels.covers(&brief.id)) {
        let (phase, nodes) = match cells::summary(call.store, &brief.id).await? {
            Some(summary) => (summary.phase, summary.nodes),
            None => (Phase::Waiting, Vec::new()),
        };
        channels.push(Channel { id: brief.id, title: brief.title, phase, nodes });
    }
    let event = Event { id: event.event, title: event.title };
    Ok(errors::json(200, &List { event, channels }).with("cache-control", "no-store"))
}

/// A channel's state; or why there is none.
pub(crate) async fn state<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
) -> Result<ChannelState, Problem> {
    match cells::channel(call.store, channel).await? {
        Some(state) => Ok(state),
        None => Err(missing(call, channel).await?),
    }
}

/// A channel's title, as the event says it or else its state.
pub(crate) async fn title<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<String, Problem> {
    let event = cells::event(call.store).await?;
    let brief = event.and_then(|event| event.channels.into_iter().find(|brief| brief.id == *channel));
    match brief {
        Some(brief) => Ok(brief.title),
        None => Ok(cells::channel(call.store, channel).await?.ok_or(NO_SUCH_CHANNEL)?.title),
    }
}

/// Why there is nothing of a channel that has no state: it was announced, or it was not.
pub(crate) async fn missing<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Problem, Problem> {
    let event = cells::event(call.store).await?;
    let announced = event.is_some_and(|event| event.channels.iter().any(|brief| brief.id == *channel));
    Ok(if announced { NOT_STARTED } else { NO_SUCH_CHANNEL })
}
