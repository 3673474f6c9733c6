//! The score of a recording: the documents of the matches that were played meanwhile.
//!
//! An origin pushes a match's document now and then, and that of what is being played with every event; so for a recording
//! that goes on, the latter stands in where it is newer.

use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::object::Window;
use railbird_core::score::{Document, Range};
use railbird_core::time::{MediaTime, UtcMs};
use serde::Deserialize;

use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::Store;
use crate::replay::Recording;
use crate::{cells, change, stretch};

/// The most entries and turns of an answer: some hosts give 10 MiB, and none of them is a kilobyte. Of more, the newest matches
/// are told.
const LINES_MAX: usize = 10_000;

/// The most ranges of a playlist: the first ones, since what was listed stays.
const RANGES_MAX: usize = 2_000;

/// The matches of a recording, oldest first.
struct Matches<'a> {
    channel: &'a ChannelId,
    ids: Vec<MatchId>,
    /// What is played, where that is on the recording.
    live: Option<Document>,
    /// Where the recording begins.
    start: MediaTime,
}

impl<'a> Matches<'a> {
    async fn of<S: Store>(
        call: &Call<'_, S>,
        channel: &'a ChannelId,
        found: &Recording,
    ) -> Result<Matches<'a>, Problem> {
        let mut ids = found.matches.clone();
        let is_later =
            |document: &Document| document.entries.last().is_some_and(|last| last.at >= found.replay.start);
        let live = match found.goes_on {
            true => crate::score::live(call, channel).await?.filter(is_later),
            false => None,
        };
        if let Some(live) = live.as_ref().filter(|live| !ids.contains(&live.match_id)) {
            ids.push(live.match_id.clone());
        }
        Ok(Matches { channel, ids, live, start: found.replay.start })
    }

    /// A match's document as it is kept.
    async fn bytes<S: Store>(&self, call: &Call<'_, S>, id: &MatchId) -> Result<Option<Vec<u8>>, Problem> {
        Ok(call.store.get(&cells::match_cell(self.channel, id)).await?)
    }

    /// A match's document, made of what is kept and what is live.
    fn read(&self, id: &MatchId, bytes: Option<&[u8]>) -> Option<Document> {
        let kept: Option<Document> = change::read(bytes);
        let live = self.live.as_ref().filter(|live| live.match_id == *id);
        match (kept, live) {
            (Some(kept), Some(live)) if live.revision > kept.revision => Some(joined(kept, live)),
            (None, live) => live.cloned(),
            (kept, _) => kept,
        }
    }

    /// The documents that the store has, oldest first, as they were known at `until`.
    async fn documents<S: Store>(
        &self,
        call: &Call<'_, S>,
        until: Option<UtcMs>,
    ) -> Result<Vec<Document>, Problem> {
        let (mut documents, mut lines) = (Vec::new(), 0);
        for some in self.ids.rchunks(cells::TOGETHER_MAX) {
            let read = future::try_join_all(some.iter().map(|id| self.bytes(call, id))).await?;
            for (id, bytes) in some.iter().zip(read).rev() {
                let document = self.read(id, bytes.as_deref());
                let is_on =
                    |document: &Document| document.entries.last().is_some_and(|last| last.at >= self.start);
                let document = document.filter(is_on).and_then(|document| known(document, until));
                // Counted by what is told, so that nobody learns by it what is not.
                lines += document.as_ref().map_or(0, |known| known.entries.len() + known.turns.len());
                documents.extend(document.filter(|_| lines <= LINES_MAX));
            }
        }
        documents.reverse();
        documents.sort_by_key(|document: &Document| document.entries.first().map(|entry| entry.at));
        Ok(documents)
    }
}

/// What was known of a match at some moment.
fn known(document: Document, until: Option<UtcMs>) -> Option<Document> {
    match until {
        Some(until) => document.before(until.media()),
        None => Some(document),
    }
}

/// A live document is cut in front; what is kept of the match may have that, unless it has changed since.
fn joined(kept: Document, live: &Document) -> Document {
    let mut joined = live.clone();
    let known = kept.entries.last().map_or(0, |entry| entry.seq);
    let next = live.entries.get(1).map_or(u64::MAX, |entry| entry.seq);
    if live.rewritten <= known {
        let first = live.entries.first().map_or(0, |entry| entry.seq);
        let between = kept.entries.into_iter().filter(|entry| entry.seq > first && entry.seq < next);
        joined.entries.splice(1..1, between);
    }
    joined
}

/// `GET /replay/{channel}/{recording}/score.json[?until=UTC_MS]`: the documents of its matches, oldest first; with `until`,
/// as they were known then.
pub(crate) async fn score<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
) -> Result<Response, Problem> {
    let until = stretch::read(&call.request.query)?.until;
    let found = Recording::find(call, channel, recording).await?;
    let documents = Matches::of(call, channel, &found).await?.documents(call, until).await?;
    let body = crate::score::matches_json(&documents);
    Ok(Response::new(200).body("application/json", body).with("cache-control", "private, no-cache"))
}

/// What the score says of stretches of a recording, as it was known at `until`.
pub(crate) async fn ranges<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    found: &Recording,
    until: Option<UtcMs>,
) -> Result<Vec<Range>, Problem> {
    let matches = Matches::of(call, channel, found).await?;
    let documents = matches.documents(call, until).await?;
    // Whoever begins the next match has left the one before, finished or not.
    let begins = |document: &Document| document.entries.first().map(|entry| entry.at);
    let next = documents.iter().skip(1).map(begins).chain([None]);
    let ranges = documents.iter().zip(next).flat_map(|(document, next)| {
        let left =
            move |range: Range| Range { end: range.end.or(next.max(next.map(|_| range.start))), ..range };
        document.ranges().into_iter().map(left)
    });
    Ok(ranges.take(RANGES_MAX).collect())
}

/// Where a match begins: all that is read of one that is not shown.
#[derive(Deserialize)]
struct Begin {
    entries: Vec<At>,
}

#[derive(Deserialize)]
struct At {
    at: MediaTime,
}

/// `GET /replay/{channel}/{recording}/score/{start}-{duration}.vtt[?until=UTC_MS]` or `.json`: the score of a segment.
pub(crate) async fn window<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
    window: Window,
) -> Result<Response, Problem> {
    let start = window.start;
    let until = stretch::read(&call.request.query)?.until;
    let found = Recording::find(call, channel, recording).await?;
    let matches = Matches::of(call, channel, &found).await?;
    let mut shown: Vec<Document> = Vec::new();
    // Back to the one that is on when the segment begins.
    for id in matches.ids.iter().rev() {
        let bytes = matches.bytes(call, id).await?;
        let begin: Option<Begin> = change::read(bytes.as_deref());
        let begins = begin.and_then(|begin| begin.entries.first().map(|entry| entry.at));
        let is_later = |at| at >= window.end() || until.is_some_and(|until| at > until.media());
        if begins.is_some_and(is_later) {
            continue;
        }
        shown.extend(matches.read(id, bytes.as_deref()).and_then(|document| known(document, until)));
        if begins.is_some_and(|at| at <= start) {
            break;
        }
    }
    Ok(crate::score::told(shown.iter().rev(), window))
}
