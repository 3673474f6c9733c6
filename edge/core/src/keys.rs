//! Content keys, for those periods that a viewer can need now: of what is live, and of recordings.

use core::ops::RangeInclusive;

use railbird_core::id::{ChannelId, OriginId};
use railbird_core::keys;
use railbird_core::state::{ChannelState, Phase, Replay};
use railbird_core::time::UtcMs;

use crate::channels::NOT_STARTED;
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::Store;
use crate::session::Session;
use crate::{cells, screens};

const NO_SUCH_PERIOD: Problem = Problem::new(
    403,
    "no-such-period",
    "only keys of what the channel's playlists and recordings list now are given out",
);

/// `GET /key/{channel}/{period}`. Whoever calls has checked that the session covers the channel.
pub(crate) async fn key<S: Store>(
    call: &Call<'_, S>,
    session: &Session,
    channel: &ChannelId,
    period: u64,
) -> Result<Response, Problem> {
    let state = cells::channel(call.store, channel).await?;
    let given = |periods: Option<RangeInclusive<u64>>| periods.is_some_and(|range| range.contains(&period));
    let live = |state: &ChannelState| given(present(state, call.moment.now)) || given(listed(state));
    let (period_s, recorded) = match &state {
        Some(state) if live(state) => (state.key_period_s, false),
        state => match recorded(call, channel, state.as_ref(), period).await? {
            Some(period_s) => (period_s, true),
            None if state.is_some() => return Err(NO_SUCH_PERIOD),
            None => return Err(NOT_STARTED),
        },
    };
    screens::admit(call, session, period_s, recorded).await?;
    let key = call.settings.master.content_key(channel, period);
    Ok(Response::new(200).body("application/octet-stream", key).with("cache-control", "no-store"))
}

/// How long periods are, in seconds, where a recording of the channel has this one: the channel's state says it, or where an
/// edge has none, a chapter.
async fn recorded<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    state: Option<&ChannelState>,
    period: u64,
) -> Result<Option<u32>, Problem> {
    let Some(replays) = cells::replays(call.store, channel).await? else { return Ok(None) };
    let period_s = match (state, replays.all().last()) {
        (Some(state), _) => state.key_period_s,
        (None, Some((origin, replay))) => {
            let cell = cells::chapter_cell(channel, origin, &replay.recording, 0);
            match cells::chapter(call.store, &cell).await? {
                Some(chapter) => chapter.key_period_s,
                None => return Ok(None),
            }
        }
        (None, None) => return Ok(None),
    };
    let has = |(_, replay): (&OriginId, &Replay)| {
        let (first, last) = (replay.start, replay.start + replay.duration);
        around(keys::period(first, period_s), keys::period(last, period_s)).contains(&period)
    };
    Ok(replays.all().any(has).then_some(period_s))
}

/// The present period and its neighbours, unless the channel has ended.
fn present(state: &ChannelState, now: UtcMs) -> Option<RangeInclusive<u64>> {
    let period = keys::period(now.media(), state.key_period_s);
    (state.phase != Phase::Ended).then(|| around(period, period))
}

/// The periods of the listed segments and their neighbours: a player may hold a playlist that is a little older, and
/// may ask a little ahead.
fn listed(state: &ChannelState) -> Option<RangeInclusive<u64>> {
    let starts =
        || state.renditions.iter().flat_map(|rendition| &rendition.segments).map(|segment| segment.start);
    let period = |start| keys::period(start, state.key_period_s);
    Some(around(period(starts().min()?), period(starts().max()?)))
}

fn around(first: u64, last: u64) -> RangeInclusive<u64> {
    first.saturating_sub(1)..=last.saturating_add(1)
}
