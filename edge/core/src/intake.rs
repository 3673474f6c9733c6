//! Signed pushes: snapshots from the origin, passes from the operator.
//!
//! What several origins say is merged in `railbird-core`; here it is read, merged and written back. A store has no
//! compare-and-set: of two pushes at the same moment, one may be lost with what it said. Origins repeat themselves every
//! ten seconds, and the next push of the one that was lost mends that.

use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::sign;
use railbird_core::state::merge::{self, Outcome, REVISION_AHEAD_MS_MAX};
use railbird_core::state::union::Taken;
use railbird_core::state::{
    CHAPTER_SEGMENTS_MAX, CHAPTERS_MAX, ChannelState, EventState, REPLAYS_MAX, ReplayList, STATE_LEN_MAX,
};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::passes::{Coverage, Pass, PassId};
use crate::port::{Cell, Store};
use crate::settings::Secret;
use crate::{cells, password, score};

/// The most channels of an event: `GET /api/channels` reads the state of each.
pub const CHANNELS_MAX: usize = 64;

/// The longest title, in bytes.
pub const TITLE_LEN_MAX: usize = 400;

const TOO_LARGE: Problem = Problem::new(413, "too-large", "send at most 4 MiB");

#[derive(Serialize)]
struct Kept {
    kept: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PassPush {
    email: String,
    password_hash: String,
    channels: Coverage,
    valid_from: UtcMs,
    valid_until: UtcMs,
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
    let mut events = cells::events(call.store).await?.unwrap_or_default();
    let taken = events.take(event);
    if events.event().is_some_and(|event| event.channels.len() > CHANNELS_MAX) {
        return Err(Problem::bad_request("all origins of an event together have at most 64 channels"));
    }
    settle(call, &cells::event_cell(), taken, &events).await
}

/// `PUT /origin/v1/channels/{channel}/state`.
pub(crate) async fn state<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let state: ChannelState = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    state.check().map_err(Problem::bad_request)?;
    check_titles([&*state.title])?;
    check_channel(&state.channel, channel)?;
    check_revision(call, state.revision)?;
    let kept = cells::merged(call.store, channel).await?;
    let cell = cells::channel_cell(channel);
    match merge::merge(kept, state, call.moment.now) {
        Ok(Outcome::New(merged)) => settle(call, &cell, Taken::New, &merged).await,
        Ok(Outcome::Again(merged, revision)) => settle(call, &cell, Taken::Again(revision), &merged).await,
        Ok(Outcome::Old(kept)) => Ok(errors::json(200, &Kept { kept })),
        Err(conflict) => Err(Problem::saying(409, "origins-differ", conflict)),
    }
}

/// `PUT /origin/v1/channels/{channel}/replays`.
pub(crate) async fn replays<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let list: ReplayList = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    check_channel(&list.channel, channel)?;
    check_revision(call, list.revision)?;
    check_titles(list.replays.iter().map(|replay| &*replay.title))?;
    let fits = list.replays.iter().all(|replay| replay.chapters <= CHAPTERS_MAX && replay.duration.0 >= 0);
    if list.replays.len() > REPLAYS_MAX || !fits {
        return Err(Problem::bad_request(
            "a list has at most 64 recordings, each with at most 2000 chapters",
        ));
    }
    let origin = list.origin.clone();
    let mut replays = cells::replays(call.store, channel).await?.unwrap_or_default();
    let (taken, gone) = replays.take(list, call.moment.now);
    let response = settle(call, &cells::replays_cell(channel), taken, &replays).await?;
    for replay in gone {
        let cells = (0..replay.chapters)
            .map(|chapter| cells::chapter_cell(channel, &origin, &replay.recording, chapter));
        forget(call, cells.collect()).await;
    }
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
    keep(call, &cells::chapter_cell(channel, &state.origin, recording, chapter), state.revision).await
}

/// `PUT /origin/v1/channels/{channel}/score`.
pub(crate) async fn score<S: Store>(call: &Call<'_, S>, channel: &ChannelId) -> Result<Response, Problem> {
    verify(call, &call.settings.origin)?;
    let document = score::read(&call.request.body)?;
    check_channel(&document.channel, channel)?;
    keep(call, &cells::score_cell(channel), document.revision).await
}

/// `PUT /admin/v1/passes`.
pub(crate) async fn pass<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let signed = verify(call, &call.settings.admin)?;
    let push: PassPush = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    let id = PassId::of_email(&push.email)
        .ok_or_else(|| Problem::bad_request("email must be an address of at most 254 bytes"))?;
    password::check(&push.password_hash).map_err(Problem::bad_request)?;
    let PassPush { password_hash, channels, valid_from, valid_until, .. } = push;
    if valid_from >= valid_until {
        return Err(Problem::bad_request("valid_from must be before valid_until"));
    }
    let kept = cells::pass(call.store, &id).await?.filter(|kept| kept.signed > signed);
    if let Some(kept) = kept {
        return Ok(errors::json(200, &Kept { kept: kept.signed.0 }));
    }
    let pass = Pass { password_hash, channels, valid_from, valid_until, signed };
    // Our own type with text keys only: this can't fail.
    let bytes = serde_json::to_vec(&pass).unwrap_or_default();
    call.store.put(&cells::pass_cell(&id), bytes, None).await?;
    Ok(Response::new(204))
}

/// Checks a push's size and signature; returns when it was signed.
fn verify<S: Store>(call: &Call<'_, S>, secret: &Secret) -> Result<UtcMs, Problem> {
    let request = call.request;
    if request.body.len() > STATE_LEN_MAX {
        return Err(TOO_LARGE);
    }
    let header = request.header(sign::HEADER).unwrap_or_default();
    let (method, path) = (&*request.method, &*request.path);
    sign::verify(secret.bytes(), method, path, &request.body, call.moment.now, header)
        .map(|(signed, _)| signed)
        .map_err(|wrong| Problem::saying(401, "bad-signature", wrong))
}

/// Keeps what became of a push, where it became something.
async fn settle<S: Store>(
    call: &Call<'_, S>,
    cell: &Cell,
    taken: Taken,
    merged: &impl Serialize,
) -> Result<Response, Problem> {
    if let Taken::New | Taken::Again(_) = taken {
        // Our own types with text keys only: this can't fail.
        let bytes = serde_json::to_vec(merged).unwrap_or_default();
        if bytes.len() > STATE_LEN_MAX {
            return Err(TOO_LARGE);
        }
        call.store.put(cell, bytes, None).await?;
    }
    match taken {
        Taken::New => Ok(Response::new(204)),
        Taken::Again(kept) | Taken::Old(kept) => Ok(errors::json(200, &Kept { kept })),
    }
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

/// Keeps the body, unless what is kept is as new.
async fn keep<S: Store>(call: &Call<'_, S>, cell: &Cell, revision: u64) -> Result<Response, Problem> {
    match cells::revision(call.store, cell).await? {
        Some(kept) if kept >= revision => Ok(errors::json(200, &Kept { kept })),
        _ => {
            call.store.put(cell, call.request.body.clone(), None).await?;
            Ok(Response::new(204))
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
