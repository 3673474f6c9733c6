//! Blocking playlist reload (RFC 8216bis, 6.2.5.2): an answer that comes when the playlist has what is asked for.
//!
//! The channel's cell is read again and again meanwhile: [`POLLS_A_PART`] times in a part's duration for each viewer who
//! waits, a bounded number of times ([`polls_max`]), and only what has changed is parsed. Where many viewers wait for one
//! channel, that is for one place to do for all of them: it belongs into the store of such a host, as another way to wait
//! for a cell than [`Courier::pause`].

use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::playlist::{self, Reach};
use railbird_core::state::ChannelState;
use railbird_core::state::merge::Merged;

use crate::edge::Call;
use crate::errors::Problem;
use crate::port::{Courier, Store};
use crate::{cells, change, channels, router};

/// How often the cell is read in the duration of a part.
const POLLS_A_PART: u32 = 3;

/// The shortest and the longest pause between two reads, in milliseconds.
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
    /// A delta update will do.
    pub(crate) skip: bool,
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
        let skip = matches!(router::query(query, "_HLS_skip"), Some("YES" | "v2"));
        Ok(Directives { msn, part, skip })
    }
}

/// The state of a channel: at once, or where the channel is one of low latency, once the rendition's playlist has what the
/// request asks for. A wait for what does not come ends with the newest state there is.
pub(crate) async fn state<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    rendition: &RenditionId,
) -> Result<(ChannelState, Directives), Problem> {
    let state = channels::state(call, channel).await?;
    let Some(part_ms) = state.part_ms else { return Ok((state, Directives::default())) };
    let directives = Directives::read(&call.request.query)?;
    let Some(msn) = directives.msn else { return Ok((state, directives)) };
    let pause_ms = (part_ms / POLLS_A_PART).clamp(*PAUSE_MS.start(), *PAUSE_MS.end());
    let target_s = state.renditions.iter().find(|known| known.id == *rendition).map(|r| r.target_duration_s);
    let mut polls = polls_max(target_s.unwrap_or_default(), pause_ms);
    let (mut state, mut seen) = (state, None);
    loop {
        match playlist::reach(&state, rendition, msn, directives.part) {
            Some(Reach::TooFar) => return Err(TOO_FAR),
            Some(Reach::Soon) if polls > 0 => {}
            _ => return Ok((state, directives)),
        }
        while polls > 0 {
            polls -= 1;
            call.store.pause(pause_ms.into()).await;
            let bytes = call.store.get(&cells::channel_cell(channel)).await?;
            if bytes != seen {
                let merged: Option<Merged> = change::read(bytes.as_deref());
                seen = bytes;
                if let Some(merged) = merged {
                    state = merged.state;
                    break;
                }
            }
        }
    }
}

/// How often the cell is read at most while an answer waits, for this target duration and pause.
fn polls_max(target_s: u32, pause_ms: u32) -> u32 {
    let wait_ms = target_s.saturating_mul(1000 * WAIT_TARGETS).min(WAIT_MS_MAX);
    wait_ms / pause_ms.max(1)
}
