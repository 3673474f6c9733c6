//! News of the score, as server-sent events: an answer that comes when there is something to tell.
//!
//! It ends then, and browsers ask again by themselves, with the number of what they heard last. So no host need keep an answer
//! open that grows, and one that is lost on the way costs a moment.

use alloc::format;
use alloc::string::String;

use railbird_core::id::ChannelId;
use railbird_core::score::Document;

use crate::cells;
use crate::change::{self, json};
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::{Wait, Watch};
use crate::routing::Viewer;
use crate::{router, score};

/// How long an answer waits for news, in milliseconds: some hosts give it 30 s.
const WITHIN_MS: u64 = 25_000;

/// How often a host looks for news that is not told of it, in milliseconds.
const EVERY_MS: u64 = 500;

/// After so many milliseconds a browser asks again…
const RETRY_MS: u64 = 250;
/// …and after so many where there was no place for it to wait: as often as the score was asked for without news.
const RETRY_LATER_MS: u64 = 2_000;

/// `GET /live/{channel}/score.events[?after=SEQ]`: what `score.json` answers with this number, as an event whose ID is the
/// number to ask with next, and of which match it is. A `last-event-id` counts before `after`: browsers repeat the query that
/// they began with.
pub(crate) async fn follow<S: Watch>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let said = call.request.header("last-event-id").filter(|id| !id.is_empty());
    let (after, of) = match said {
        Some(id) => id.split_once('-').map_or((Some(id), None), |(seq, of)| (Some(seq), Some(of))),
        None => (router::query(&call.request.query, "after"), None),
    };
    let after = score::after(after)?;
    let cell = cells::score_cell(channel);
    let mut seen = call.store.get(&cell).await?;
    let mut within_ms = WITHIN_MS;
    let mut place = None;
    loop {
        if let Some(event) = news(seen.as_deref(), after, of) {
            return Ok(response(RETRY_MS, &event));
        }
        if within_ms < EVERY_MS {
            return Ok(response(RETRY_MS, ": nothing new\n"));
        }
        // A host that has no room for one more who waits says so.
        let may_wait = router::query(&call.request.query, "wait") != Some("no");
        place =
            place.or_else(|| call.instance.follow(viewer, call.moment.now, within_ms).filter(|_| may_wait));
        if place.is_none() {
            return Ok(response(RETRY_LATER_MS, ": too many wait\n"));
        }
        let wait = Wait { within_ms, every_ms: EVERY_MS };
        let Ok(waited) = call.store.changed(&cell, seen.as_deref(), wait).await else {
            return Ok(response(RETRY_LATER_MS, ": the score can't be read\n"));
        };
        within_ms = within_ms.saturating_sub(waited.ms.max(EVERY_MS));
        seen = waited.value;
    }
}

/// The event for whoever has heard everything up to `after` of this match, or of whichever; `None` where there is nothing more.
fn news(kept: Option<&[u8]>, after: Option<u64>, of: Option<&str>) -> Option<String> {
    let mut document: Document = change::read(kept)?;
    let last = document.last();
    let is_this = of.map(|of| of == document.match_id.as_str());
    // What was read may be a copy that is older than what the viewer has heard.
    if is_this == Some(true) && after.is_some_and(|after| after >= last) {
        return None;
    }
    let after = after.filter(|_| is_this != Some(false));
    if after == Some(last) {
        return None;
    }
    // Who is further than this one heard of another match, and knows nothing of it.
    if let Some(after) = after.filter(|after| *after < last) {
        document.keep_after(after);
    }
    // JSON has no line ends of its own.
    let data = String::from_utf8(json(&document)).ok()?;
    Some(format!("id: {last}-{}\ndata: {data}\n", document.match_id))
}

fn response(retry_ms: u64, event: &str) -> Response {
    let text = format!("retry: {retry_ms}\n{event}\n");
    Response::new(200).body("text/event-stream", text).with("cache-control", "no-store")
}
