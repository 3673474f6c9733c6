//! Whether scorers are there: what their programs say of themselves between events.
//!
//! A tablet that has lost its network keeps events and shows them; nobody else sees that the score stands still. So each
//! says now and then that it is there and how many events wait in it, and the crew is told when it says nothing more.
//! Heartbeats are not kept: after a restart the next one comes within seconds.

use std::sync::{Arc, MutexGuard, PoisonError};

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Log, Phase};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use super::{Channel, Scores};

/// After so much silence of a match that is being played, the crew is told, in milliseconds.
pub const SILENT_MS_MAX: u64 = 60_000;

/// The most matches of a channel whose scorers are remembered.
pub(super) const HEARD_MAX: usize = 8;

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

/// The scorer of a match who was heard last.
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
    fn scorers(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.scorers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The match's log, if it is held in memory: one that is being played is.
    fn loaded(&self, match_id: &MatchId) -> Option<Arc<Log>> {
        self.slots().get(match_id)?.log.clone()
    }

    /// Whether the match is under way as far as the disk has it.
    fn plays(&self, match_id: &MatchId) -> bool {
        let state = self.loaded(match_id).and_then(|log| log.state());
        state.is_some_and(|state| state.phase != Phase::Finished)
    }

    /// The epoch of whoever scores: of the last event, or of a scorer who took over and was heard of late.
    fn epoch(&self, match_id: &MatchId, now: UtcMs) -> u64 {
        let last = self.loaded(match_id).and_then(|log| log.last()).map_or(0, |last| last.epoch);
        let scorers = self.scorers();
        let heard = scorers.iter().find(|heard| heard.match_id == *match_id);
        let claimed = heard.filter(|heard| now.ms_since(heard.at) < SILENT_MS_MAX);
        last.max(claimed.map_or(0, |heard| heard.said.epoch))
    }

    /// Keeps the last word of a match's scorer, in place of the one that was silent for longest.
    fn keep(&self, heard: Heard) {
        let mut scorers = self.scorers();
        scorers.retain(|known| known.match_id != heard.match_id);
        if scorers.len() >= HEARD_MAX {
            scorers.remove(0);
        }
        scorers.push(heard);
    }
}

impl Scores {
    /// A match's scorer is there. Gives the epoch of whoever scores the match: a higher one than said is somebody's who has
    /// taken over, be it without an event yet. What one of an earlier epoch says of itself changes nothing.
    pub fn hear(&self, channel: &ChannelId, match_id: &MatchId, said: Heartbeat, now: UtcMs) -> u64 {
        let Some(served) = self.0.shared.channels.get(channel) else { return said.epoch };
        let before = served.epoch(match_id, now);
        if before > said.epoch {
            return before;
        }
        served.keep(Heard { match_id: match_id.clone(), said, at: now });
        self.0.shared.metrics.heard(channel, said.pending, now);
        if before != 0 && said.epoch > before {
            served.changed.send_replace(());
        }
        said.epoch
    }

    /// The epoch of whoever scores a match, as the last event or a heartbeat said it; 0 where nobody has.
    pub fn epoch(&self, channel: &ChannelId, match_id: &MatchId, now: UtcMs) -> u64 {
        self.0.shared.channels.get(channel).map_or(0, |served| served.epoch(match_id, now))
    }

    /// An event of a match came from this epoch's scorer: it is there, whatever else it says.
    pub fn hear_event(&self, channel: &ChannelId, match_id: &MatchId, epoch: u64, now: UtcMs) {
        let Some(served) = self.0.shared.channels.get(channel) else { return };
        // Only a scorer who says that he is there can fall silent.
        let known = served.scorers().iter().find(|heard| heard.match_id == *match_id).cloned();
        let Some(Heard { match_id, said, .. }) = known.filter(|heard| heard.said.epoch <= epoch) else {
            return;
        };
        served.keep(Heard { match_id, said: Heartbeat { epoch, ..said }, at: now });
    }

    /// The scorer of a match who was heard last.
    pub fn heard(&self, channel: &ChannelId, match_id: &MatchId) -> Option<Heard> {
        let served = self.0.shared.channels.get(channel)?;
        served.scorers().iter().find(|heard| heard.match_id == *match_id).cloned()
    }

    /// What `/healthz` says of scorers: those who fell silent in the middle of a match.
    pub fn unwell(&self, now: UtcMs) -> Vec<(&'static str, String, String)> {
        let mut unwell = Vec::new();
        for (id, channel) in &self.0.shared.channels {
            let scorers = channel.scorers().clone();
            for Heard { match_id, said, at } in scorers {
                let silent_ms = now.ms_since(at);
                if !(SILENT_MS_MAX..GONE_MS).contains(&silent_ms) || !channel.plays(&match_id) {
                    continue;
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
                unwell.push(("score", id.to_string(), text));
            }
        }
        unwell
    }
}
