//! Node health: who may be sent to which node, from what origins, viewers and the edge itself find.
//!
//! | room | decides |
//! | --- | --- |
//! | [`beacon`] | what a player's report says of which node |
//! | [`voters`] | how many said so, without believing anybody twice |
//! | [`breaker`] | when a node is left, and how viewers come back to it |
//! | [`probe`] | what the edge asks nodes itself, and when |
//! | [`region`] | what that comes to for the viewers of one region |
//!
//! What an origin finds by writing to a node's target and reading back through the node travels with the channel's state
//! ([`railbird_core::state::Node`]) and holds for all regions. What viewers and the edge itself find is kept for each region in one small cell;
//! none is kept where nothing was heard, and all is well there. Which node comes first, [`crate::routing`] says.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::cells;
use crate::change::{self, Applied, Change, Keep, Kind};
use crate::channels::NOT_STARTED;
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::passes::PassId;
use crate::port::{Cell, Courier, Store, Table};

pub mod beacon;
pub mod breaker;
pub mod probe;
pub mod region;
#[cfg(test)]
mod simulation;
pub mod voters;

pub use region::{Region, Standing, Vote};

/// What is kept of a region is of no use any more after so long without a vote, in milliseconds: an hour.
const KEPT_MS: u64 = 3_600_000;

const WRONG_TYPE: Problem =
    Problem::new(415, "wrong-content-type", "send reports with content-type: application/cmcd");
const TOO_LARGE: Problem = Problem::new(413, "too-large", "send at most 16 KiB of reports at a time");

#[derive(Serialize, Deserialize)]
struct Said {
    /// A [`PassId`].
    voter: String,
    votes: Vec<Vote>,
}

/// `POST /live/{channel}/beacons`. Answered 204 whatever becomes of the votes, as long as the request has the form of
/// one: a player must not wait for it, or send it again.
pub(crate) async fn beacons<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    voter: &PassId,
) -> Result<Response, Problem> {
    let content_type = call.request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    // A browser asks before it sends this type to another site: no page elsewhere can vote with a viewer's cookie.
    if !essence.eq_ignore_ascii_case(beacon::CONTENT_TYPE) {
        return Err(WRONG_TYPE);
    }
    if call.request.body.len() > beacon::BODY_LEN_MAX {
        return Err(TOO_LARGE);
    }
    let (summary, mut region) = future::join(cells::summary(call.store, channel), of(call)).await;
    let summary = summary?.ok_or(NOT_STARTED)?;
    let reports = beacon::read(&call.request.body);
    let votes = beacon::votes(&reports, channel, &summary.nodes, summary.segment_ms);
    // What changes nothing is not carried to where the region is kept: of many voters, that is most.
    if region.handle(voter, &votes, call.moment.now) {
        let said = change::json(&Said { voter: voter.as_str().to_string(), votes });
        let change = Change { kind: Kind::Votes, said };
        // A vote that is lost is one vote less.
        let _ = call.store.change(&cell(call), &change, call.moment.now).await;
    }
    probe::by_the_way(call, channel).await;
    Ok(Response::new(204))
}

/// The change that [`beacons`] asks for. `now` is the host's clock.
pub(crate) fn change_votes(kept: Option<Region>, said: &[u8], now: UtcMs) -> Applied {
    let read = || {
        let Said { voter, votes } = serde_json::from_slice(said).ok()?;
        Some((voter.parse().ok()?, votes))
    };
    let Some((voter, votes)) = read() else { return Applied::new(Keep::AsIs, &false) };
    let mut region = kept.unwrap_or_default();
    let counted = region.handle(&voter, &votes, now);
    kept_if(counted, &region, now)
}

/// A region that is kept where something in it is new; the answer says so.
fn kept_if(news: bool, region: &Region, now: UtcMs) -> Applied {
    let keep = match news {
        true => Keep::Value(change::json(region), Some(now.plus_ms(KEPT_MS))),
        false => Keep::AsIs,
    };
    Applied::new(keep, &news)
}

/// The region that a request comes from. All is well there if its cell can't be had: without it, viewers still have what
/// the origins know.
pub(crate) async fn of<S: Store>(call: &Call<'_, S>) -> Region {
    let kept = call.store.get(&cell(call)).await;
    change::read(kept.ok().flatten().as_deref()).unwrap_or_default()
}

fn cell<S>(call: &Call<'_, S>) -> Cell {
    Cell { table: Table::Health, key: region::name(call.request.region.as_deref()).to_string() }
}
