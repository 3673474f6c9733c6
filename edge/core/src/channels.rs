//! Which channels there are, and where each stands.

use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, EventId, NodeId, RecordingId};
use railbird_core::state::merge::Merged;
use railbird_core::state::union::{Events, Found, Replays};
use railbird_core::state::{ChannelState, EventState, Node, Phase};
use railbird_core::time::UtcMs;
use serde::Serialize;

use crate::change::{Applied, Change, Keep, Kind};
use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::health::{self, Region};
use crate::http::Response;
use crate::origins::{self, Pulse};
use crate::port::{Courier, Store, StoreError};
use crate::routing::{Choice, Viewer};
use crate::token::Claims;
use crate::{cells, change, router, session};

const NO_EVENT: Problem =
    Problem::new(404, "no-event", "the origin has not announced an event yet: ask again")
        .with("retry-after", "2");
pub(crate) const NO_SUCH_CHANNEL: Problem =
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
    /// In the order in which this viewer's player shall try them.
    nodes: Vec<Place>,
    /// Newest first.
    replays: Vec<Recording>,
}

/// What a player needs of a node.
#[derive(Serialize)]
struct Place {
    id: NodeId,
    url: String,
    /// Whether the edge believes in it.
    up: bool,
}

/// What a player asks for again and again while it plays.
#[derive(Serialize)]
struct Nodes {
    nodes: Vec<Place>,
    /// When to ask again, in milliseconds.
    ttl_ms: u32,
    /// It can be held open here: see [`crate::line`].
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    line: bool,
}

/// As long as steering gives to players of others.
const NODES_TTL_MS: u32 = 10_000;

#[derive(Serialize)]
struct Recording {
    id: RecordingId,
    title: String,
    /// ISO 8601.
    start: String,
    /// In whole seconds; not for who does not want to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i64>,
    /// It is being made.
    live: bool,
}

/// `GET /api/channels[?spoilers=no]`: without spoilers, nothing says how long a recording is.
pub(crate) async fn list<S: Store + Courier>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let session = session::of(call, None).await?.claims;
    let (event, region) = future::join(cells::event(call.store), health::of(call)).await;
    let event = match event? {
        None if origins::event(call).await? => cells::event(call.store).await?,
        event => event,
    };
    let mut event = event.ok_or(NO_EVENT)?;
    let (mut channels, heard) = channels(call, &event, &session, &region).await?;
    if origins::more(call, heard).await {
        event = cells::event(call.store).await?.unwrap_or(event);
        (channels, _) = self::channels(call, &event, &session, &region).await?;
    }
    let event = Event { id: event.event, title: event.title };
    Ok(errors::json(200, &List { event, channels }).with("cache-control", "no-store"))
}

/// Those channels of an event that a session covers, and when one of their origins was heard last.
async fn channels<S: Store + Courier>(
    call: &Call<'_, S>,
    event: &EventState,
    session: &Claims,
    region: &Region,
) -> Result<(Vec<Channel>, Option<UtcMs>), Problem> {
    let (mut channels, mut last) = (Vec::new(), None);
    // One of them, so that a reader waits no longer than for a playlist.
    let mut asked = false;
    for brief in event.channels.iter().filter(|brief| session.channels.covers(&brief.id)) {
        let (mut kept, replays) =
            future::try_join(cells::brief(call.store, &brief.id), cells::replays(call.store, &brief.id))
                .await?;
        if !asked {
            let pulse = kept.as_ref().map(|(summary, heard)| Pulse {
                phase: summary.phase,
                segment_ms: summary.segment_ms,
                heard: *heard,
            });
            asked = origins::follow(call, &brief.id, pulse).await?;
            if asked {
                kept = cells::brief(call.store, &brief.id).await?;
            }
        }
        last = last.max(kept.as_ref().map(|(_, heard)| *heard));
        let (phase, nodes) = match kept {
            Some((summary, _)) => {
                let choice = Choice::new(&summary.nodes, region, call.moment.now);
                (summary.phase, places(&choice, &summary.nodes, &session.id))
            }
            None => (Phase::Waiting, Vec::new()),
        };
        let spoilers = router::query(&call.request.query, "spoilers") != Some("no");
        let replays = recordings(&replays.unwrap_or_default(), call.moment.now, spoilers);
        channels.push(Channel { id: brief.id.clone(), title: brief.title.clone(), phase, nodes, replays });
    }
    Ok((channels, last))
}

/// `GET /live/{channel}/nodes.json`.
pub(crate) async fn nodes<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let nodes = nodes_of(call, channel, &[*viewer]).await?.pop().unwrap_or_default();
    Ok(Response::new(200).body("application/json", nodes).with("cache-control", "private, no-cache"))
}

/// The same for several viewers of the request's region, as JSON.
pub(crate) async fn nodes_of<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    viewers: &[Viewer],
) -> Result<Vec<Vec<u8>>, Problem> {
    let (summary, region) = future::join(cells::summary(call.store, channel), health::of(call)).await;
    let summary = summary?.ok_or(NOT_STARTED)?;
    let choice = Choice::new(&summary.nodes, &region, call.moment.now);
    let nodes = |viewer: &Viewer| {
        let nodes = places(&choice, &summary.nodes, viewer);
        change::json(&Nodes { nodes, ttl_ms: NODES_TTL_MS, line: call.lines })
    };
    Ok(viewers.iter().map(nodes).collect())
}

fn places(choice: &Choice<'_>, nodes: &[Node], viewer: &Viewer) -> Vec<Place> {
    let place = |id: NodeId| {
        let node = nodes.iter().find(|node| node.id == id)?;
        Some(Place { up: choice.is_up(&id), id, url: node.url.clone() })
    };
    choice.order(viewer).into_iter().filter_map(place).collect()
}

fn recordings(replays: &Replays, now: UtcMs, spoilers: bool) -> Vec<Recording> {
    let recording = |Found { replay, live, .. }: Found<'_>| Recording {
        id: replay.recording.clone(),
        title: replay.title.clone(),
        start: replay.start.iso8601(),
        duration: spoilers.then(|| replay.duration.ms() / 1000),
        live,
    };
    replays.shown(now).into_iter().rev().map(recording).collect()
}

/// A channel's state, asked for where its origins are not heard; or why there is none.
pub(crate) async fn state<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
) -> Result<ChannelState, Problem> {
    Ok(kept(call, channel).await?.1.ok_or(NOT_STARTED)?.state)
}

/// What is kept of a channel, as it is stored and as it is read, asked for where its origins are not heard.
pub(crate) async fn kept<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
) -> Result<(Option<Vec<u8>>, Option<Merged>), Problem> {
    let cell = cells::channel_cell(channel);
    let look = async || {
        let value = call.store.get(&cell).await?;
        let merged: Option<Merged> = change::read(value.as_deref());
        Ok::<_, Problem>((value, merged))
    };
    let (value, merged) = look().await?;
    let pulse = merged.as_ref().map(|merged| Pulse {
        phase: merged.state.phase,
        segment_ms: merged.state.segment_ms,
        heard: merged.voices.iter().map(|voice| voice.heard).max().unwrap_or(UtcMs(0)),
    });
    match origins::follow(call, channel, pulse).await? {
        true => look().await,
        false => Ok((value, merged)),
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

/// Whether an origin ever spoke of a channel: nothing is looked for by another name. Where no event is known, origins are asked
/// for one. An instance that knows a channel reads nothing for it; where the store fails, what is asked for may be there.
pub(crate) async fn is_known<S: Store + Courier>(call: &Call<'_, S>, channel: &ChannelId) -> bool {
    if call.instance.knows(channel) {
        return true;
    }
    let known = is_kept(call, channel).await.unwrap_or(true);
    if !known && origins::event(call).await.unwrap_or(false) {
        return is_kept(call, channel).await.unwrap_or(true);
    }
    known
}

/// Remembers that an origin spoke of a channel, which need not be one of the event. Of two at the same moment one may be lost
/// where the host can't make changes one by one, or the store may fail: the next word about it is soon.
pub(crate) async fn tell<S: Store>(call: &Call<'_, S>, channel: &ChannelId) {
    if call.instance.knows(channel) || is_kept(call, channel).await.unwrap_or(true) {
        return;
    }
    let change = Change { kind: Kind::Told, said: change::json(channel) };
    let _ = call.store.change(&cells::told_cell(), &change, call.moment.now).await;
}

/// Whether the store has it that an origin spoke of a channel.
async fn is_kept<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<bool, StoreError> {
    for cell in [cells::event_cell(), cells::told_cell()] {
        let events = cells::events(call.store, &cell).await?.unwrap_or_default();
        call.instance.learn(&events);
        if events.knows(channel) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The change that [`tell`] asks for.
pub(crate) fn change_told(kept: Option<Events>, said: &[u8]) -> Applied {
    let mut told = kept.unwrap_or_default();
    let news = change::read(Some(said)).is_some_and(|channel| told.tell(channel));
    let keep = if news { Keep::Value(change::json(&told), None) } else { Keep::AsIs };
    Applied::new(keep, &news)
}
