//! Content keys, for those periods that a viewer can need now.

use core::ops::RangeInclusive;

use railbird_core::id::ChannelId;
use railbird_core::keys;
use railbird_core::state::{ChannelState, Phase};
use railbird_core::time::UtcMs;

use crate::channels;
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::Store;

const NO_SUCH_PERIOD: Problem =
    Problem::new(403, "no-such-period", "only keys of what the channel's playlists list now are given out");

/// `GET /key/{channel}/{period}`. Whoever calls has checked the session.
pub(crate) async fn key<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    period: u64,
) -> Result<Response, Problem> {
    let state = channels::state(call, channel).await?;
    let given = |periods: Option<RangeInclusive<u64>>| periods.is_some_and(|range| range.contains(&period));
    if !given(present(&state, call.moment.now)) && !given(listed(&state)) {
        return Err(NO_SUCH_PERIOD);
    }
    let key = call.settings.master.content_key(channel, period);
    Ok(Response::new(200).body("application/octet-stream", key).with("cache-control", "no-store"))
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
