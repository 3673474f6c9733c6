//! Recordings: playlists made of their chapters, and of what is live behind the last one.

use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, NodeId, OriginId, RecordingId, RenditionId};
use railbird_core::playlist::{Recorded, Stretch};
use railbird_core::score::Range;
use railbird_core::state::merge::Merged;
use railbird_core::state::union::{Found, Replays};
use railbird_core::state::{ChannelState, MATCHES_MAX, Match, Node, Replay, Segment};
use railbird_core::time::MediaTime;

use crate::channels::NOT_STARTED;
use crate::edge::Call;
use crate::errors::Problem;
use crate::health;
use crate::http::Response;
use crate::live::{self, NO_SUCH_PLAYLIST};
use crate::port::Store;
use crate::router::Lists;
use crate::routing::{Choice, Viewer};
use crate::{cells, ranges, stretch, wait};

const NO_SUCH_REPLAY: Problem = Problem::new(
    404,
    "no-such-replay",
    "there is no such recording, or it is no longer kept: GET /api/channels lists them",
);

const NO_SUCH_STRETCH: Problem = Problem::new(
    404,
    "no-such-stretch",
    "nothing of the recording lies there: until, from and to are times of the day on which it was made, in UTC milliseconds",
);

const NOT_RECORDED: Problem = Problem::new(
    404,
    "not-recorded",
    "the recording has not come to that yet: ask again when it has, or for a stretch that begins earlier",
)
.with("retry-after", "2");

/// A recording as its list has it, and what is live of it.
pub(crate) struct Recording {
    origin: OriginId,
    pub(crate) replay: Replay,
    /// The matches that were played meanwhile, oldest first, by what any origin knows: a scorer may have reached another one
    /// only.
    pub(crate) matches: Vec<Match>,
    /// The channel's state, for its nodes.
    channel: Option<ChannelState>,
    /// Whether that is of this recording, and shows what follows the last chapter.
    pub(crate) goes_on: bool,
}

impl Recording {
    pub(crate) async fn find<S: Store>(
        call: &Call<'_, S>,
        channel: &ChannelId,
        recording: &RecordingId,
    ) -> Result<Recording, Problem> {
        let (replays, merged) =
            future::try_join(cells::replays(call.store, channel), cells::merged(call.store, channel)).await?;
        let replays: Replays = replays.unwrap_or_default();
        let Some(Found { origin, replay, .. }) = replays.find(recording, call.moment.now) else {
            return Err(NO_SUCH_REPLAY);
        };
        let of = |merged: &Merged| {
            let mut voices = merged.voices.iter();
            voices.any(|voice| voice.origin == *origin && voice.recording == *recording)
        };
        let goes_on = !replay.ended && merged.as_ref().is_some_and(of);
        let ends = |replay: &Replay| match replay.ended {
            true => replay.start + replay.duration,
            false => MediaTime(u64::MAX),
        };
        let meanwhile = |other: &&Replay| other.start < ends(replay) && ends(other) > replay.start;
        let mut matches = replay.matches.clone();
        for found in replays.all().map(|(_, other)| other).filter(meanwhile).flat_map(|other| &other.matches)
        {
            if matches.iter().all(|known| known.id != found.id) {
                matches.push(found.clone());
            }
        }
        matches.sort_by_key(|found| found.from);
        matches.truncate(MATCHES_MAX);
        let (origin, replay) = (origin.clone(), replay.clone());
        Ok(Recording { origin, replay, matches, channel: merged.map(|merged| merged.state), goes_on })
    }

    /// A chapter, its nodes as the channel knows them now; `None` where the store does not have it (yet).
    async fn chapter<S: Store>(
        &self,
        call: &Call<'_, S>,
        channel: &ChannelId,
        number: u32,
    ) -> Result<Option<ChannelState>, Problem> {
        let cell = cells::chapter_cell(channel, &self.origin, &self.replay.recording, number);
        let chapter = cells::chapter(call.store, &cell).await?;
        Ok(chapter.map(|mut chapter| {
            chapter.nodes.iter_mut().for_each(|node| self.renew(node));
            chapter
        }))
    }

    /// Where a node is and how it does may have changed since. One that the channel no longer has comes last.
    fn renew(&self, node: &mut Node) {
        let Some(channel) = &self.channel else { return };
        match channel.nodes.iter().find(|now| now.id == node.id) {
            Some(now) => node.clone_from(now),
            None => node.up = false,
        }
    }

    /// Why nothing of a clip can be listed, where that is so.
    fn lacks(&self, stretch: &Stretch) -> Option<Problem> {
        let (from, to) = stretch.clip?;
        let live = self.channel.iter().filter(|_| self.goes_on).flat_map(|state| &state.renditions);
        let last = live.filter_map(|rendition| rendition.segments.last()).map(Segment::end).max();
        let end = last.unwrap_or_default().max(self.replay.start + self.replay.duration);
        let is_behind = from.media() >= end;
        if is_behind && !self.replay.ended {
            return Some(NOT_RECORDED);
        }
        (is_behind || to.media() <= self.replay.start).then_some(NO_SUCH_STRETCH)
    }

    /// The state that says what follows the last chapter. Without a chapter, only as long as its window still begins
    /// where the recording does: an EVENT playlist never loses its front.
    fn tail(&self, chapters: usize) -> Option<&ChannelState> {
        let from_start = |state: &ChannelState| {
            let first = state.renditions.iter().filter_map(|rendition| rendition.segments.first());
            first.map(|segment| segment.start).min().is_some_and(|start| start <= self.replay.start)
        };
        self.channel.as_ref().filter(|state| self.goes_on && (chapters > 0 || from_start(state)))
    }
}

/// `GET /replay/{channel}/{recording}/main.m3u8`, which hands its [`stretch`] on.
pub(crate) async fn multivariant<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let stretch = stretch::read(&call.request.query)?;
    let (found, region) = future::join(Recording::find(call, channel, recording), health::of(call)).await;
    let found = found?;
    if let Some(problem) = found.lacks(&stretch) {
        return Err(problem);
    }
    let chapter = found.chapter(call, channel, 0).await?;
    // What is live knows best which renditions and nodes there are, a chapter of a recording that is over which there
    // were.
    let state = match (found.tail(usize::from(chapter.is_some())), &chapter) {
        (Some(live), _) => live,
        (None, Some(chapter)) => chapter,
        (None, None) => return Err(NOT_STARTED),
    };
    let order = Choice::new(&state.nodes, &region, call.moment.now).order(viewer);
    if order.is_empty() || state.renditions.iter().all(|rendition| rendition.segments.is_empty()) {
        return Err(NOT_STARTED);
    }
    let score = state.score.is_some() || !found.matches.is_empty();
    Ok(live::of_choice(Recorded::multivariant(state, &order, score, &stretch), state))
}

/// What is there of a recording.
struct Reel<'a> {
    found: &'a Recording,
    chapters: Vec<ChannelState>,
    /// Every chapter of the list is there.
    whole: bool,
}

impl<'a> Reel<'a> {
    /// Reads it up to the first chapter that has not arrived: what is behind that must not be listed before it.
    async fn read<S: Store>(
        call: &Call<'_, S>,
        channel: &ChannelId,
        found: &'a Recording,
    ) -> Result<Reel<'a>, Problem> {
        let mut chapters: Vec<ChannelState> = Vec::new();
        let numbers: Vec<u32> = (0..found.replay.chapters).collect();
        let mut whole = true;
        for some in numbers.chunks(cells::TOGETHER_MAX) {
            let read = future::try_join_all(some.iter().map(|number| found.chapter(call, channel, *number)));
            let mut read = read.await?.into_iter();
            chapters.extend(read.by_ref().map_while(|chapter| chapter));
            whole = chapters.len() > some.last().copied().unwrap_or_default() as usize;
            if !whole {
                break;
            }
        }
        Ok(Reel { found, chapters, whole })
    }

    /// The channel's state, where it shows what follows.
    fn tail(&self) -> Option<&ChannelState> {
        self.found.tail(self.chapters.len()).filter(|_| self.whole)
    }

    fn states(&self) -> impl Iterator<Item = &ChannelState> {
        self.tail().into_iter().chain(self.chapters.iter().rev())
    }

    fn recorded<'b>(&'b self, ranges: &'b [Range], stretch: Stretch) -> Recorded<'b> {
        let ended = self.found.replay.ended && self.whole;
        Recorded { chapters: &self.chapters, live: self.tail(), ended, ranges, stretch }
    }
}

/// Why a recording has no segment to list.
fn nothing_listed(found: &Recording, stretch: &Stretch) -> Problem {
    let otherwise = if *stretch == Stretch::default() { NOT_STARTED } else { NO_SUCH_STRETCH };
    found.lacks(stretch).unwrap_or(otherwise)
}

/// Which media playlist is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Media<'a> {
    pub(crate) node: &'a NodeId,
    pub(crate) rendition: &'a RenditionId,
    pub(crate) lists: Lists,
}

/// `GET /replay/{channel}/{recording}/{node}/{rendition}.m3u8`, or `{rendition}.frames.m3u8` for its key frames, of a
/// [`stretch`]; while it is being made, delta updates too.
pub(crate) async fn media<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
    Media { node, rendition, lists }: Media<'_>,
    viewer: &Viewer,
) -> Result<Response, Problem> {
    let stretch = stretch::read(&call.request.query)?;
    let (found, region) = future::join(Recording::find(call, channel, recording), health::of(call)).await;
    let found = found?;
    let reel = Reel::read(call, channel, &found).await?;
    let mut nodes: Vec<Node> = Vec::new();
    for known in reel.states().flat_map(|state| &state.nodes) {
        if nodes.iter().all(|node| node.id != known.id) {
            nodes.push(known.clone());
        }
    }
    if nodes.is_empty() {
        return Err(NOT_STARTED);
    }
    let choice = Choice::new(&nodes, &region, call.moment.now);
    let order = choice.pathway(node, viewer).ok_or(NO_SUCH_PLAYLIST)?;
    let has = |state: &ChannelState| {
        state.renditions.iter().any(|known| known.id == *rendition && lists.has(known))
    };
    if !reel.states().any(has) {
        return Err(NO_SUCH_PLAYLIST);
    }
    let skip = live::takes_delta(call, &choice, &nodes);
    let text = match lists {
        Lists::Segments => {
            let ranges = ranges::of(call, channel, &found, &stretch).await?;
            reel.recorded(&ranges, stretch).media(rendition, &order, skip)
        }
        Lists::Frames => reel.recorded(&[], stretch).frames(rendition, &order, skip),
    };
    let text = text.ok_or_else(|| nothing_listed(&found, &stretch))?;
    // The state that the multivariant playlist is made of.
    Ok(match reel.tail().or(reel.chapters.first()) {
        Some(state) => live::of_choice(text, state),
        None => live::response(text),
    })
}

/// `GET /replay/{channel}/{recording}/score.m3u8`: the score of the same stretch as subtitles.
pub(crate) async fn subtitles<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
) -> Result<Response, Problem> {
    let stretch = stretch::read(&call.request.query)?;
    let found = Recording::find(call, channel, recording).await?;
    let reel = Reel::read(call, channel, &found).await?;
    let text = reel.recorded(&[], stretch).subtitles(wait::skips(&call.request.query));
    text.map(live::response).ok_or_else(|| nothing_listed(&found, &stretch))
}

/// What a page about a recording is called.
pub(crate) async fn title<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
) -> Result<String, Problem> {
    let replays = cells::replays(call.store, channel).await?.unwrap_or_default();
    let found = replays.find(recording, call.moment.now).ok_or(NO_SUCH_REPLAY)?;
    Ok(found.replay.title.clone())
}
