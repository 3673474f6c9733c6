//! The score document: kept as the origin sends it, served whole or from a sequence number on, and as subtitles.

use alloc::vec::Vec;

use railbird_core::id::ChannelId;
use railbird_core::object::{Form, Window};
use railbird_core::score::{self, Document};

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

/// `GET /live/{channel}/score/{start}-{duration}.vtt` or `.json`: the score of a segment as subtitles, without cues where
/// nothing is played, or as `{"matches":[…]}`, the documents of what is shown in it.
pub(crate) async fn window<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    window: Window,
) -> Result<Response, Problem> {
    let live = live(call, channel).await?;
    Ok(told(live.iter(), window))
}

/// The score of a window as a response. A correction changes what was shown, so that no copy is kept.
pub(crate) fn told<'a>(matches: impl Iterator<Item = &'a Document>, window: Window) -> Response {
    let Window { start, span, form } = window;
    let response = match form {
        Form::Cues => Response::new(200).body("text/vtt", score::cues(matches, start, span)),
        Form::Sidecar => {
            let shown: Vec<Document> =
                matches.filter_map(|document| document.within(start, window.end())).collect();
            Response::new(200).body("application/json", matches_json(&shown))
        }
    };
    response.with("cache-control", "private, no-cache")
}

/// Documents as `{"matches":[…]}`.
pub(crate) fn matches_json(documents: &[Document]) -> Vec<u8> {
    let mut body = Vec::from(br#"{"matches":["#);
    for (n, document) in documents.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend(change::json(document));
    }
    body.extend(b"]}");
    body
}
