//! The edge's own look at nodes: now and then it asks each for a piece of the newest object that it is said to have.
//!
//! What is found counts less than what viewers find. It makes one failing pass of a region enough, as the origins' doubt does; it
//! decides alone only where no viewer was served of late, and so spares those that would be the first to try a node that
//! comes back; and it needs two failures in a row ([`FAILURES_MIN`]). Whoever found no node that serves has a bad line of its
//! own, and says nothing. See [`super::region`].
//!
//! On a host with alarms the edge looks in each region by itself ([`Edge::probe`]). On others a request does it that nobody
//! waits for, a player's report or its question for the order of nodes, and one of them in a while
//! (`Turn`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::ChannelId;
use railbird_core::object;
use railbird_core::state::{ChannelState, Phase};
use railbird_core::time::{MediaTime, UtcMs};
use serde::{Deserialize, Serialize};

use super::breaker;
use super::region::{self, Place, Region};
use crate::cells;
use crate::change::{self, Applied, Change, Keep, Kind};
use crate::edge::{Call, Edge};
use crate::http::Request;
use crate::port::{Courier, FetchBounds, FetchError, Moment, Store};
use crate::turn::Turn;

/// So many failures, one after another, are a finding…
pub const FAILURES_MIN: u8 = 2;
/// …and it is one for so many windows, if nothing new is found: half a minute.
pub const KEPT_WINDOWS: u64 = 15;

/// After a failure that is no finding yet, nodes are looked at again so soon, in milliseconds.
pub const AGAIN_MS: u64 = breaker::WINDOW_MS;

/// The most nodes that are asked at a time, which some hosts bound; others have their turn the next time.
pub const TOGETHER_MAX: usize = 6;

/// The most channels whose states are read for it.
const CHANNELS_MAX: usize = 8;

/// How long a node may take for the first piece of an object, in milliseconds: our player gives up about then.
const WITHIN_MS: u64 = 2_500;

/// How much of an object is asked for.
const PIECE_LEN: usize = 1024;

/// A node, and what to ask it for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    place: Place,
    url: String,
}

/// What was found of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which node.
    pub place: Place,
    /// Whether it served.
    pub served: bool,
}

impl<S: Store + Courier> Edge<S> {
    /// Looks at the nodes of channels that are live, for a region out of [`region::NAMES`]. Says how long to wait before the next
    /// time, in milliseconds; `None` where there is nothing to look at, or nobody wants it.
    pub async fn probe(&self, region: &str, moment: &Moment) -> Option<u64> {
        let request = Request { region: Some(region.into()), ..Request::default() };
        let call = self.call(&request, moment).ok()?;
        let every_ms = call.settings.probe_every_ms?;
        let event = cells::event(call.store).await.ok().flatten()?;
        let turn = breaker::window(moment.now);
        let channels = around(&event.channels, turn).take(CHANNELS_MAX);
        let states = channels.map(|brief| cells::channel(call.store, &brief.id));
        let states: Vec<ChannelState> =
            future::join_all(states).await.into_iter().filter_map(|state| state.ok().flatten()).collect();
        let questions = questions(&states, turn);
        if questions.is_empty() {
            // Others may be live: their turn comes.
            return (event.channels.len() > CHANNELS_MAX).then_some(every_ms);
        }
        let wonders = look(&call, questions).await;
        Some(if wonders { AGAIN_MS.min(every_ms) } else { every_ms })
    }
}

/// Looks at a channel's nodes, if the edge shall, the host has no alarms, and it is this request's turn. Whatever becomes of it,
/// the request is answered as without it.
pub(crate) async fn by_the_way<S: Store + Courier>(call: &Call<'_, S>, channel: &ChannelId) {
    let Some(every_ms) = call.settings.probe_every_ms.filter(|_| !call.alarms) else { return };
    let turn = Turn::new("probe", region::name(call.request.region.as_deref()));
    let Ok(Some(_)) = turn.take(call, UtcMs(0), every_ms).await else { return };
    let Ok(Some(state)) = cells::channel(call.store, channel).await else { return };
    let wonders = look(call, questions(&[state], breaker::window(call.moment.now))).await;
    if wonders && AGAIN_MS < every_ms {
        // Not kept, it is looked at again later.
        let _ = turn.set(call, 0, AGAIN_MS).await;
    }
}

/// What to ask which nodes: of each that its origins can reach, the newest object that it has, of any channel that is live.
/// `turn` chooses where there are too many.
fn questions(states: &[ChannelState], turn: u64) -> Vec<Question> {
    let mut newest: BTreeMap<Place, (MediaTime, String)> = BTreeMap::new();
    for state in states.iter().filter(|state| state.phase == Phase::Live) {
        for (bit, node) in state.nodes.iter().enumerate().filter(|(_, node)| node.up) {
            let has = |on: u32| on.checked_shr(bit as u32).is_some_and(|on| on & 1 == 1);
            let last = state.renditions.iter().filter_map(|rendition| {
                let mut segments = rendition.segments.iter().rev();
                segments.find(|segment| has(segment.on)).map(|segment| (segment.start, &rendition.id))
            });
            let Some((start, rendition)) = last.max_by_key(|(start, _)| *start) else { continue };
            let place = Place::of(node);
            if newest.get(&place).is_none_or(|(known, _)| *known < start) {
                let name = object::segment_name(&state.channel, rendition, start, state.segment_ms);
                newest.insert(place, (start, format!("{}/{name}", node.url)));
            }
        }
    }
    let all: Vec<Question> = newest.into_iter().map(|(place, (_, url))| Question { place, url }).collect();
    around(&all, turn.wrapping_mul(TOGETHER_MAX as u64)).take(TOGETHER_MAX).cloned().collect()
}

/// All of them once, from a place on that goes around.
fn around<T>(all: &[T], from: u64) -> impl Iterator<Item = &T> {
    let from = usize::try_from(from % all.len().max(1) as u64).unwrap_or_default();
    all.iter().cycle().skip(from).take(all.len())
}

/// Asks, and has the region hear of it. Says whether another look soon would tell more.
async fn look<S: Store + Courier>(call: &Call<'_, S>, questions: Vec<Question>) -> bool {
    let found = questions.into_iter().map(|question| async move {
        let served = ask(call.store, &question.url).await?;
        Some(Found { place: question.place, served })
    });
    let found: Vec<Found> = future::join_all(found).await.into_iter().flatten().collect();
    let mut region = super::of(call).await;
    if region.hear(&found, call.moment.now) {
        let change = Change { kind: Kind::Probes, said: change::json(&found) };
        // What is lost is found again.
        let _ = call.store.change(&super::cell(call), &change, call.moment.now).await;
    }
    region.wonders(call.moment.now)
}

/// Whether a node serves the first piece of an object; `None` where that says nothing of it.
async fn ask<C: Courier>(courier: &C, url: &str) -> Option<bool> {
    let range = ("range", format!("bytes=0-{}", PIECE_LEN - 1));
    let bounds = FetchBounds { len_max: PIECE_LEN, within_ms: WITHIN_MS };
    match courier.fetch(url, &[range], bounds).await {
        // It is we who ask too often, or whom a CDN's rules for robots keep out.
        Ok(answer) if matches!(answer.status, 401 | 403 | 407 | 429) => None,
        // Where it leads, nobody asked.
        Ok(answer) if (300..400).contains(&answer.status) => None,
        Ok(answer) => Some((200..300).contains(&answer.status) && !answer.body.is_empty()),
        Err(FetchError::NotAllowed) => None,
        Err(FetchError::NoAnswer(_)) => Some(false),
    }
}

/// The change that [`look`] asks for. `now` is the host's clock.
pub(crate) fn change(kept: Option<Region>, said: &[u8], now: UtcMs) -> Applied {
    let Ok(found) = serde_json::from_slice::<Vec<Found>>(said) else {
        return Applied::new(Keep::AsIs, &false);
    };
    let mut region = kept.unwrap_or_default();
    let heard = region.hear(&found, now);
    super::kept_if(heard, &region, now)
}
