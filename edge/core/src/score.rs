//! The score document: kept as the origin sends it, served whole or from a sequence number on, and as subtitles.

use alloc::string::String;

use railbird_core::id::ChannelId;
use railbird_core::score::{self, Document};
use railbird_core::time::{MediaSpan, MediaTime};

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::port::Store;
use crate::{cells, change, router};

const NO_SCORE: Problem =
    Problem::new(404, "no-score", "there is no score on this channel yet: ask again when a match is on")
        .with("retry-after", "2");

/// Reads a document that was pushed.
pub(crate) fn read(bytes: &[u8]) -> Result<Document, Problem> {
    let document: Document = serde_json::from_slice(bytes).map_err(errors::bad_json)?;
    document.check().map_err(Problem::bad_request)?;
    Ok(document)
}

/// The number up to which somebody has heard everything.
pub(crate) fn after(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let wrong = || Problem::bad_request("after must be a sequence number");
    text.map(|text| router::number(text).ok_or_else(wrong)).transpose()
}

/// The number of the last event of a document.
pub(crate) fn last(document: &Document) -> u64 {
    document.entries.last().map_or(0, |entry| entry.seq)
}

/// `GET /live/{channel}/score.json[?after=SEQ]`: with `after`, only what happened after that event, unless earlier ones
/// have changed since.
pub(crate) async fn document<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    let after = after(router::query(&call.request.query, "after"))?;
    let bytes = call.store.get(&cells::score_cell(channel)).await?.ok_or(NO_SCORE)?;
    let response = match after {
        None => Response::new(200).body("application/json", bytes),
        Some(after) => {
            let mut document: Document = serde_json::from_slice(&bytes).map_err(|_| NO_SCORE)?;
            document.keep_after(after);
            errors::json(200, &document)
        }
    };
    Ok(response.with("cache-control", "private, no-cache"))
}

/// The document of what is, or was last, played on a channel.
pub(crate) async fn live<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
) -> Result<Option<Document>, Problem> {
    Ok(change::read(call.store.get(&cells::score_cell(channel)).await?.as_deref()))
}

/// `GET /live/{channel}/score/{start}-{duration}.vtt`: a segment of the score's subtitles, without cues where nothing is
/// played.
pub(crate) async fn cues<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    start: MediaTime,
    span: MediaSpan,
) -> Result<Response, Problem> {
    Ok(vtt(score::cues(&live(call, channel).await?, start, span)))
}

/// Subtitles as a response. A correction changes what was shown, so that no copy is kept.
pub(crate) fn vtt(text: String) -> Response {
    Response::new(200).body("text/vtt", text).with("cache-control", "private, no-cache")
}
