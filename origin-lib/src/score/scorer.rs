//! Whether scorers are there: what their programs say of themselves between events.
//!
//! A tablet that has lost its network keeps events and shows them; nobody else sees that the score stands still. So each
//! says now and then that it is there and how many events wait in it, and the crew is told when it says nothing more.
//! Heartbeats are not kept: after a restart the next one comes within seconds.

use std::sync::{MutexGuard, PoisonError};

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::Phase;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use super::{Channel, Scores};

/// After so much silence of a match that is being played, the crew is told, in milliseconds.
pub const SILENT_MS_MAX: u64 = 60_000;

/// A scorer who has been silent for so long, in milliseconds, has gone home.
const GONE_MS: u64 = 3_600_000;

/// What a scorer's program says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Its epoch.
    pub epoch: u64,
    /// How many events it holds that the origin has not acknowledged.
    #[serde(default)]
    pub pending: u32,
}

/// The scorer of a channel who was heard last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Of which match.
    #[serde(rename = "match")]
    pub match_id: MatchId,
    /// What it said.
    #[serde(flatten)]
    pub said: Heartbeat,
    /// When, by the origin's clock.
    pub at: UtcMs,
}

impl Channel {
    /// Nothing panics while it holds the lock.
    fn scorer(&self) -> MutexGuard<'_, Option<Heard>> {
        self.scorer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the match is under way as far as the disk has it.
    fn plays(&self, match_id: &MatchId) -> bool {
        let state = self.slots().get(match_id).and_then(|slot| slot.log.as_ref()?.state());
        state.is_some_and(|state| state.phase != Phase::Finished)
    }
}

impl Scores {
    /// A channel's scorer is there. One of an earlier epoch than was heard last is not the match's scorer any more: it
    /// changes nothing.
    pub fn hear(&self, channel: &ChannelId, match_id: &MatchId, said: Heartbeat, now: UtcMs) {
        let Some(served) = self.0.shared.channels.get(channel) else { return };
        let mut scorer = served.scorer();
        let later = |heard: &Heard| heard.match_id == *match_id && heard.said.epoch > said.epoch;
        if scorer.as_ref().is_some_and(later) {
            return;
        }
        *scorer = Some(Heard { match_id: match_id.clone(), said, at: now });
        self.0.shared.metrics.heard(channel, said.pending, now);
    }

    /// The scorer of a channel who was heard last, if it is this match's.
    pub fn heard(&self, channel: &ChannelId, match_id: &MatchId) -> Option<Heard> {
        let served = self.0.shared.channels.get(channel)?;
        served.scorer().clone().filter(|heard| heard.match_id == *match_id)
    }

    /// What `/healthz` says of scorers: those who fell silent in the middle of a match.
    pub fn unwell(&self, now: UtcMs) -> Vec<(&'static str, String, String)> {
        let silent = |(id, channel): (&ChannelId, &Channel)| {
            let Heard { match_id, said, at } = channel.scorer().clone()?;
            let silent_ms = now.ms_since(at);
            if !(SILENT_MS_MAX..GONE_MS).contains(&silent_ms) || !channel.plays(&match_id) {
                return None;
            }
            let waiting = match said.pending {
                0 => "nothing waited in it".to_owned(),
                1 => "1 event waited in it".to_owned(),
                n => format!("{n} events waited in it"),
            };
            let text = format!(
                "the scorer of match {match_id} was last heard {} s ago, {waiting}: look at the tablet and its network",
                silent_ms / 1000
            );
            Some(("score", id.to_string(), text))
        };
        self.0.shared.channels.iter().filter_map(silent).collect()
    }
}
