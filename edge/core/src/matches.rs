//! The score of a recording: the documents of the matches that were played meanwhile.
//!
//! An origin pushes a match's document now and then, and that of what is being played with every event; so for a recording
//! that goes on, the latter stands in where it is newer.

use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::object::Window;
use railbird_core::score::Document;
use railbird_core::state::{MATCH_FROM_MS_MAX, Match};
use railbird_core::time::{MediaTime, UtcMs};

use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::Store;
use crate::replay::Recording;
use crate::{cells, change, stretch};

/// The most entries and turns of an answer: some hosts give 10 MiB, and none of them is a kilobyte. Of more, the newest matches
/// are told, and no others are read.
const LINES_MAX: usize = 10_000;

/// The matches of a recording, oldest first.
pub(crate) struct Matches<'a> {
    channel: &'a ChannelId,
    listed: Vec<Match>,
    /// What is played, where that is on the recording.
    pub(crate) live: Option<Document>,
    /// Where the recording begins.
    pub(crate) start: MediaTime,
}

impl<'a> Matches<'a> {
    pub(crate) async fn of<S: Store>(
        call: &Call<'_, S>,
        channel: &'a ChannelId,
        found: &Recording,
    ) -> Result<Matches<'a>, Problem> {
        let mut listed = found.matches.clone();
        let is_later =
            |document: &Document| document.entries.last().is_some_and(|last| last.at >= found.replay.start);
        let live = match found.goes_on {
            true => crate::score::live(call, channel).await?.filter(is_later),
            false => None,
        };
        // The list does not have it yet.
        if let Some(live) = &live
            && listed.iter().all(|known| known.id != live.match_id)
            && let Some(first) = live.entries.first()
        {
            listed.push(Match { id: live.match_id.clone(), from: first.at });
            listed.sort_by_key(|of| of.from);
        }
        Ok(Matches { channel, listed, live, start: found.replay.start })
    }

    /// Those that may be shown between two moments: whoever begins the next match has left the one before.
    pub(crate) fn between(&self, from: MediaTime, to: MediaTime) -> &[Match] {
        let slack = UtcMs(MATCH_FROM_MS_MAX).media().0;
        let (from, to) = (MediaTime(from.0.saturating_sub(slack)), MediaTime(to.0.saturating_add(slack)));
        let first = self.listed.partition_point(|of| of.from <= from).saturating_sub(1);
        let behind = self.listed.partition_point(|of| of.from <= to);
        self.listed.get(first..behind).unwrap_or_default()
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
        let to = until.map_or(MediaTime(u64::MAX), UtcMs::media);
        let (mut documents, mut lines) = (Vec::new(), 0);
        for some in self.between(MediaTime(0), to).rchunks(cells::TOGETHER_MAX) {
            let read = future::try_join_all(some.iter().map(|of| self.bytes(call, &of.id))).await?;
            for (of, bytes) in some.iter().zip(read).rev() {
                let document = self.read(&of.id, bytes.as_deref());
                let is_on =
                    |document: &Document| document.entries.last().is_some_and(|last| last.at >= self.start);
                let document = document.filter(is_on).and_then(|document| known(document, until));
                // Counted by what is told, so that nobody learns by it what is not.
                lines += document.as_ref().map_or(0, |known| known.entries.len() + known.turns.len());
                documents.extend(document.filter(|_| lines <= LINES_MAX));
            }
            if lines > LINES_MAX {
                break;
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

/// A live document is cut in front; what is kept of the match may have that, unless it has changed since, or its times have.
fn joined(kept: Document, live: &Document) -> Document {
    let mut joined = live.clone();
    let known = kept.entries.last().map_or(0, |entry| entry.seq);
    let next = live.entries.get(1).map_or(u64::MAX, |entry| entry.seq);
    if live.rewritten <= known && live.timing == kept.timing {
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
    let horizon = until.map_or(MediaTime(u64::MAX), UtcMs::media);
    let some = matches.between(start.min(horizon), window.end().min(horizon));
    // Of a hundred that begin in ten minutes nobody is shown more than the last ones.
    let some = some.get(some.len().saturating_sub(cells::TOGETHER_MAX)..).unwrap_or_default();
    let read = future::try_join_all(some.iter().map(|of| matches.bytes(call, &of.id))).await?;
    let mut shown: Vec<Document> = Vec::new();
    // Back to the one that is on when the segment begins.
    for (of, bytes) in some.iter().zip(read).rev() {
        let document = matches.read(&of.id, bytes.as_deref()).and_then(|document| known(document, until));
        let begins = document.as_ref().and_then(|document| document.entries.first()).map(|first| first.at);
        shown.extend(document.filter(|_| begins.is_some_and(|at| at < window.end())));
        if begins.is_some_and(|at| at <= start) {
            break;
        }
    }
    Ok(crate::score::told(shown.iter().rev(), window))
}
