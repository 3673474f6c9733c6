//! Signed pushes: snapshots from the origin. How they are checked holds for what the operator signs, too.
//!
//! What several origins say is merged in `railbird-core`; here it is checked, and the merge is a [`crate::change`] of what
//! is kept. Where a host can't make changes one by one, of two pushes at the same moment one may be lost with what it
//! said: origins repeat themselves every ten seconds, and the next push of the one that was lost mends that.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::score::ENTRIES_MAX;
use railbird_core::sign::{self, SignatureError};
use railbird_core::state::merge::{self, Merged, Outcome, REVISION_AHEAD_MS_MAX};
use railbird_core::state::union::{Events, Replays, Taken};
use railbird_core::state::{
    CHAPTER_SEGMENTS_MAX, CHAPTERS_MAX, ChannelState, EventState, MATCHES_MAX, REPLAYS_MAX, Replay,
    ReplayList, STATE_LEN_MAX,
};
use railbird_core::time::UtcMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::change::{Applied, Change, Keep, Kind, json};
use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::port::{Cell, Store, StoreError};
use crate::ranges::Outline;
use crate::settings::Secret;
use crate::{cells, channels, score};

/// The most channels of an event: `GET /api/channels` reads the state of each.
pub const CHANNELS_MAX: usize = 64;

/// The longest title, in bytes.
pub const TITLE_LEN_MAX: usize = 400;

const TOO_LARGE: Problem = Problem::new(413, "too-large", "send at most 4 MiB");
const UNREADABLE: Problem =
    Problem::new(503, "store", "two versions of the edge are at work: send it again in a moment")
        .with("retry-after", "1");

/// What became of a push.
#[derive(Serialize, Deserialize)]
pub(crate) enum Verdict {
    New,
    /// What is kept is as new: its revision.
    Kept(u64),
    TooLarge,
    TooManyChannels,
    OriginsDiffer(String),
    /// Only another version of the edge says something that this one can't read.
    Unreadable,
}

impl Verdict {
    pub(crate) fn response(self) -> Result<Response, Problem> {
        #[derive(Serialize)]
        struct Body {
            kept: u64,
        }
        match self {
            Verdict::New => Ok(Response::new(204)),
            Verdict::Kept(kept) => Ok(errors::json(200, &Body { kept })),
            Verdict::TooLarge => Err(TOO_LARGE),
            Verdict::TooManyChannels => {
                Err(Problem::bad_request("all origins of an event together have at most 64 channels"))
            }
            Verdict::OriginsDiffer(conflict) => Err(Problem::saying(409, "origins-differ", conflict)),
            Verdict::Unreadable => Err(UNREADABLE),
        }
    }
}

/// `PUT /origin/v1/event`.
pub(crate) async fn event<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let event: EventState = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    if event.channels.len() > CHANNELS_MAX {
        return Err(Problem::bad_request("an event has at most 64 channels"));
    }
    check_revision(call, event.revision)?;
    check_titles(event.channels.iter().map(|brief| &*brief.title).chain([&*event.title]))?;
    settle(call, &cells::event_cell(), Kind::Event).await
}

/// `PUT /origin/v1/channels/{channel}/state`.
pub(crate) async fn state<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let state: ChannelState = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    state.check().map_err(Problem::bad_request)?;
    check_titles([&*state.title])?;
    check_channel(&state.channel, channel)?;
    check_revision(call, state.revision)?;
    settle_of(call, channel, &cells::channel_cell(channel), Kind::State).await
}

/// `PUT /origin/v1/channels/{channel}/replays`.
pub(crate) async fn replays<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let list: ReplayList = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    check_channel(&list.channel, channel)?;
    check_revision(call, list.revision)?;
    check_titles(list.replays.iter().map(|replay| &*replay.title))?;
    let fits = list.replays.iter().all(|replay| {
        replay.chapters <= CHAPTERS_MAX && replay.duration.0 >= 0 && replay.matches.len() <= MATCHES_MAX
    });
    if list.replays.len() > REPLAYS_MAX || !fits {
        return Err(Problem::bad_request(
            "a list has at most 64 recordings, each with at most 2000 chapters and 256 matches",
        ));
    }
    let origin = list.origin.clone();
    let cell = cells::replays_cell(channel);
    let (verdict, gone): (Verdict, Gone) =
        changed(call, &cell, Kind::Replays, &call.request.body).await?.ok_or(UNREADABLE)?;
    for replay in gone.replays {
        let cells = (0..replay.chapters)
            .map(|chapter| cells::chapter_cell(channel, &origin, &replay.recording, chapter));
        forget(call, cells.collect()).await;
    }
    let cells = gone.matches.iter().flat_map(|id| cells::of_match(channel, id));
    forget(call, cells.collect()).await;
    let response = verdict.response()?;
    channels::tell(call, channel).await;
    Ok(response)
}

/// `PUT /origin/v1/channels/{channel}/replays/{recording}/{chapter}`.
pub(crate) async fn chapter<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: &RecordingId,
    chapter: u32,
) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let state: ChannelState = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    state.check().map_err(Problem::bad_request)?;
    check_titles([&*state.title])?;
    check_channel(&state.channel, channel)?;
    check_revision(call, state.revision)?;
    if state.recording != *recording {
        return Err(Problem::bad_request("the body is of another recording than the path"));
    }
    if state.renditions.iter().any(|rendition| rendition.segments.len() > CHAPTER_SEGMENTS_MAX) {
        return Err(Problem::bad_request("a chapter has at most 1000 segments of a rendition"));
    }
    let cell = cells::chapter_cell(channel, &state.origin, recording, chapter);
    settle_of(call, channel, &cell, Kind::Snapshot).await
}

/// `PUT /origin/v1/channels/{channel}/score`.
pub(crate) async fn score<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let document = score::read(&call.request.body)?;
    check_channel(&document.channel, channel)?;
    // It is kept and told again with every event.
    if document.entries.len() > ENTRIES_MAX {
        return Err(Problem::bad_request("the score of what is played has at most 500 entries"));
    }
    settle_of(call, channel, &cells::score_cell(channel), Kind::Snapshot).await
}

/// `PUT /origin/v1/channels/{channel}/matches/{match}`.
pub(crate) async fn match_score<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    match_id: &MatchId,
) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let document = score::read(&call.request.body)?;
    check_channel(&document.channel, channel)?;
    if document.match_id != *match_id {
        return Err(Problem::bad_request("the body is of another match than the path"));
    }
    let cell = cells::match_cell(channel, match_id);
    let taken: Verdict =
        changed(call, &cell, Kind::Snapshot, &call.request.body).await?.unwrap_or(Verdict::Unreadable);
    let is_kept = match taken {
        Verdict::New => true,
        Verdict::Kept(kept) => kept == document.revision,
        _ => false,
    };
    if is_kept && let Some(outline) = Outline::of(&document) {
        // What is sent again, because this failed, finds the document as new.
        let cell = cells::outline_cell(channel, match_id);
        let _: Option<Verdict> = changed(call, &cell, Kind::Snapshot, &json(&outline)).await?;
    }
    channels::tell(call, channel).await;
    taken.response()
}

/// Checks the size and the signature of a request, its query included; returns when it was signed.
pub(crate) fn verify<S: Store>(call: &Call<'_, S>, secret: &Secret) -> Result<UtcMs, Problem> {
    let request = call.request;
    if request.body.len() > STATE_LEN_MAX {
        return Err(TOO_LARGE);
    }
    let header = request.header(sign::HEADER).unwrap_or_default();
    let method = &*request.method;
    let target = match &*request.query {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    sign::verify(secret.bytes(), method, &target, &request.body, call.moment.now, header)
        .map(|(signed, _)| signed)
        .map_err(|wrong| {
            let problem = Problem::saying(401, "bad-signature", wrong);
            match wrong {
                SignatureError::Stale => {
                    problem.clock(sign::tell_clock(secret.bytes(), header, call.moment.now))
                }
                _ => problem,
            }
        })
}

/// Has the body of a push change what is kept.
async fn settle<S: Store>(call: &Call<'_, S>, cell: &Cell, kind: Kind) -> Result<Response, Problem> {
    let verdict = changed(call, cell, kind, &call.request.body).await?;
    verdict.unwrap_or(Verdict::Unreadable).response()
}

/// The same of a push about a channel, which is known from then on.
async fn settle_of<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    cell: &Cell,
    kind: Kind,
) -> Result<Response, Problem> {
    let settled = settle(call, cell, kind).await?;
    channels::tell(call, channel).await;
    Ok(settled)
}

/// Changes a value; `None` where the answer is not of the type, which only another version's can be.
pub(crate) async fn changed<S: Store, A: DeserializeOwned>(
    call: &Call<'_, S>,
    cell: &Cell,
    kind: Kind,
    said: &[u8],
) -> Result<Option<A>, StoreError> {
    let change = Change { kind, said: said.to_vec() };
    let answer = call.store.change(cell, &change, call.moment.now).await?;
    Ok(serde_json::from_slice(&answer).ok())
}

pub(crate) fn change_event(kept: Option<Events>, said: &[u8]) -> Applied {
    let Ok(said) = serde_json::from_slice(said) else { return unchanged(Verdict::Unreadable) };
    let mut events = kept.unwrap_or_default();
    let taken = events.take(said);
    if events.event().is_some_and(|event| event.channels.len() > CHANNELS_MAX) {
        return unchanged(Verdict::TooManyChannels);
    }
    let (keep, verdict) = outcome(taken, &events);
    Applied::new(keep, &verdict)
}

pub(crate) fn change_state(kept: Option<Merged>, said: &[u8], now: UtcMs) -> Applied {
    let Ok(said) = serde_json::from_slice(said) else { return unchanged(Verdict::Unreadable) };
    let (keep, verdict) = match merge::merge(kept, said, now) {
        Ok(Outcome::New(merged)) => outcome(Taken::New, &merged),
        Ok(Outcome::Again(merged, revision)) => outcome(Taken::Again(revision), &merged),
        Ok(Outcome::Old(kept)) => return unchanged(Verdict::Kept(kept)),
        Err(conflict) => return unchanged(Verdict::OriginsDiffer(conflict.to_string())),
    };
    Applied::new(keep, &verdict)
}

/// What is no longer listed.
#[derive(Default, Serialize, Deserialize)]
struct Gone {
    /// Recordings of the origin that said so.
    replays: Vec<Replay>,
    /// Matches that no recording shows any more, of whichever origin.
    matches: Vec<MatchId>,
}

pub(crate) fn change_replays(kept: Option<Replays>, said: &[u8], now: UtcMs) -> Applied {
    let Ok(said) = serde_json::from_slice(said) else {
        return Applied::new(Keep::AsIs, &(Verdict::Unreadable, Gone::default()));
    };
    let matches = |replays: &Replays| -> BTreeSet<MatchId> {
        replays.all().flat_map(|(_, replay)| &replay.matches).map(|listed| listed.id.clone()).collect()
    };
    let mut replays = kept.unwrap_or_default();
    let before = matches(&replays);
    let (taken, gone) = replays.take(said, now);
    let (keep, verdict) = outcome(taken, &replays);
    // What was not kept is still listed.
    let gone = match keep {
        Keep::AsIs => Gone::default(),
        Keep::Value(..) => {
            Gone { replays: gone, matches: before.difference(&matches(&replays)).cloned().collect() }
        }
    };
    Applied::new(keep, &(verdict, gone))
}

/// The revision of a snapshot.
#[derive(Deserialize)]
pub(crate) struct Revision {
    revision: u64,
}

pub(crate) fn change_snapshot(kept: Option<Revision>, said: &[u8]) -> Applied {
    let Ok(Revision { revision }) = serde_json::from_slice(said) else {
        return unchanged(Verdict::Unreadable);
    };
    match kept {
        Some(kept) if kept.revision >= revision => unchanged(Verdict::Kept(kept.revision)),
        _ => Applied::new(Keep::Value(said.to_vec(), None), &Verdict::New),
    }
}

pub(crate) fn unchanged(verdict: Verdict) -> Applied {
    Applied::new(Keep::AsIs, &verdict)
}

/// What is kept of a push that was merged, and the verdict on it.
fn outcome(taken: Taken, merged: &impl Serialize) -> (Keep, Verdict) {
    let verdict = match taken {
        Taken::New => Verdict::New,
        Taken::Again(kept) => Verdict::Kept(kept),
        Taken::Old(kept) => return (Keep::AsIs, Verdict::Kept(kept)),
    };
    let bytes = json(merged);
    if bytes.len() > STATE_LEN_MAX {
        return (Keep::AsIs, Verdict::TooLarge);
    }
    (Keep::Value(bytes, None), verdict)
}

/// Lets the host drop values. One that stays costs room and nothing else.
async fn forget<S: Store>(call: &Call<'_, S>, cells: Vec<Cell>) {
    for some in cells.chunks(cells::TOGETHER_MAX) {
        let puts = some.iter().map(|cell| call.store.put(cell, Vec::new(), Some(call.moment.now)));
        if future::join_all(puts).await.iter().any(Result::is_err) {
            return;
        }
    }
}

fn check_channel(said: &ChannelId, addressed: &ChannelId) -> Result<(), Problem> {
    if said == addressed {
        Ok(())
    } else {
        Err(Problem::bad_request("the body is of another channel than the path"))
    }
}

/// Revisions are times. One from another age would be kept, and all that follow would look old.
fn check_revision<S: Store>(call: &Call<'_, S>, revision: u64) -> Result<(), Problem> {
    if revision <= call.moment.now.plus_ms(REVISION_AHEAD_MS_MAX).0 {
        Ok(())
    } else {
        Err(Problem::bad_request("the revision is more than four years ahead of the edge's clock"))
    }
}

fn check_titles<'a>(titles: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
    if titles.into_iter().all(|title| title.len() <= TITLE_LEN_MAX) {
        Ok(())
    } else {
        Err(Problem::bad_request("a title has at most 400 bytes"))
    }
}
