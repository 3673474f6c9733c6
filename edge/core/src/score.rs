//! The score document: kept as the origin sends it, served whole or from a sequence number on.

use railbird_core::id::ChannelId;
use railbird_core::score::Document;

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::port::Store;
use crate::{cells, router};

const NO_SCORE: Problem =
    Problem::new(404, "no-score", "there is no score on this channel yet: ask again when a match is on")
        .with("retry-after", "2");

/// Reads a document that was pushed.
pub(crate) fn read(bytes: &[u8]) -> Result<Document, Problem> {
    let document: Document = serde_json::from_slice(bytes).map_err(errors::bad_json)?;
    document.check().map_err(Problem::bad_request)?;
    Ok(document)
}

/// `GET /live/{channel}/score.json[?after=SEQ]`: with `after`, only entries with a higher number, unless
/// earlier ones have changed since.
pub(crate) async fn document<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    let after = match router::query(&call.request.query, "after") {
        Some(text) => Some(
            router::number(text).ok_or_else(|| Problem::bad_request("after must be a sequence number"))?,
        ),
        None => None,
    };
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
