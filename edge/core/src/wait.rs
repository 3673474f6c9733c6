//! Blocking playlist reload (RFC 8216bis, 6.2.5.2): an answer that comes when the playlist has what is asked for. And of hints
//! (6.2.6): one that comes when the part is there.
//!
//! Meanwhile the host waits for another value of the channel's cell ([`Watch::changed`]), for a bounded time, and only what
//! has changed is parsed. Who waits too often at a time ([`Instance`](crate::Instance)) is answered at once, as if the time were
//! over.

use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::playlist::{self, Reach};
use railbird_core::state::ChannelState;
use railbird_core::state::merge::Merged;
use railbird_core::time::UtcMs;

use crate::channels::NOT_STARTED;
use crate::edge::Call;
use crate::errors::Problem;
use crate::port::{Wait, Watch};
use crate::routing::Viewer;
use crate::{cells, change, channels, router};

/// How often the cell is read in the duration of a part, where the host is not told by itself.
const POLLS_A_PART: u32 = 3;

/// The shortest and the longest time between two reads, in milliseconds.
const PAUSE_MS: core::ops::RangeInclusive<u32> = 50..=500;

/// How long an answer waits, in target durations (RFC 8216bis allows three), and at most in milliseconds.
const WAIT_TARGETS: u32 = 2;
const WAIT_MS_MAX: u32 = 10_000;

const TOO_FAR: Problem = Problem::new(
    400,
    "bad-request",
    "_HLS_msn or _HLS_part is too far ahead of the playlist: ask for at most two segments behind the last one",
);
const PART_ALONE: Problem = Problem::new(400, "bad-request", "_HLS_part needs _HLS_msn");
const NO_NUMBER: Problem = Problem::new(400, "bad-request", "_HLS_msn and _HLS_part are decimal numbers");

/// The delivery directives of a request (RFC 8216bis, 6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    msn: Option<u64>,
    part: Option<u64>,
}

impl Directives {
    /// Reads them from a query. What is not one of them is for others.
    pub(crate) fn read(query: &str) -> Result<Directives, Problem> {
        let number = |name| match router::query(query, name) {
            None => Ok(None),
            Some(text) => router::number(text).map(Some).ok_or(NO_NUMBER),
        };
        let (msn, part) = (number("_HLS_msn")?, number("_HLS_part")?);
        if part.is_some() && msn.is_none() {
            return Err(PART_ALONE);
        }
        Ok(Directives { msn, part })
    }
}

/// Whether a request takes a delta update (RFC 8216bis, 6.2.5.1).
pub(crate) fn skips(query: &str) -> bool {
    matches!(router::query(query, "_HLS_skip"), Some("YES" | "v2"))
}

/// The state of a channel: at once, or where the channel is one of low latency, once the rendition's playlist has what the
/// request asks for.
pub(crate) async fn state<S: Watch>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    rendition: &RenditionId,
    viewer: &Viewer,
) -> Result<ChannelState, Problem> {
    until(call, channel, rendition, viewer, |state| {
        let Directives { msn: Some(msn), part } = Directives::read(&call.request.query)? else {
            return Ok(Reach::Has);
        };
        match playlist::reach(state, rendition, msn, part) {
            Some(Reach::TooFar) => Err(TOO_FAR),
            reach => Ok(reach.unwrap_or(Reach::Has)),
        }
    })
    .await
}

/// The state of a channel: at once, or where the channel is one of low latency, once it reaches what is waited for, or never
/// will. A wait for what does not come, that the store breaks off, or for which there is no room, ends with the newest state there
/// is.
pub(crate) async fn until<S: Watch>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    rendition: &RenditionId,
    viewer: &Viewer,
    reach: impl Fn(&ChannelState) -> Result<Reach, Problem>,
) -> Result<ChannelState, Problem> {
    let cell = cells::channel_cell(channel);
    let (mut seen, kept) = channels::kept(call, channel).await?;
    let now = call.moment.now;
    let mut state = kept.ok_or(NOT_STARTED)?.shown(now);
    let Some(part_ms) = state.part_ms else { return Ok(state) };
    let every_ms = u64::from((part_ms / POLLS_A_PART).clamp(*PAUSE_MS.start(), *PAUSE_MS.end()));
    let target_s = state.renditions.iter().find(|known| known.id == *rendition).map(|r| r.target_duration_s);
    let mut within_ms = wait_ms(target_s.unwrap_or_default());
    let mut place = None;
    loop {
        match reach(&state)? {
            Reach::Soon if within_ms >= every_ms => {}
            _ => return Ok(state),
        }
        place = place.or_else(|| call.instance.wait(viewer, call.moment.now, within_ms));
        if place.is_none() {
            return Ok(state);
        }
        let Ok(waited) = call.store.changed(&cell, seen.as_deref(), Wait { within_ms, every_ms }).await
        else {
            return Ok(state);
        };
        // Each of a host's answers counts as one look at least, so that there is an end to them.
        within_ms = within_ms.saturating_sub(waited.ms.max(every_ms));
        if let Some(newer) = read(waited.value.as_deref(), now) {
            state = newer;
        }
        seen = waited.value;
    }
}

fn read(cell: Option<&[u8]>, now: UtcMs) -> Option<ChannelState> {
    change::read(cell).map(|merged: Merged| merged.shown(now))
}

/// How long an answer waits at most, in milliseconds, for this target duration.
fn wait_ms(target_s: u32) -> u64 {
    u64::from(target_s.saturating_mul(1000 * WAIT_TARGETS).min(WAIT_MS_MAX))
}
