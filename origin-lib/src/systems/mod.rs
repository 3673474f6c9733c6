//! Other scoring systems: their state comes in, by a webhook or asked for, and what has changed in it goes into the log. What it
//! says and which events lead to it, [`railbird_core::score::foreign`] decides; `pull` does when their address is asked.

pub mod pull;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::foreign::{self, EPOCH, Mapping, Unreached, Unread};
use railbird_core::score::{Event, Item, Log, Position, State};
use railbird_core::time::UtcMs;
use tokio::sync::Mutex;

use crate::score::{Put, PutError, ReadError, Scores};

/// How long the disk may take for one event.
const DISK_WAIT_MAX: Duration = Duration::from_secs(10);

/// The systems that write the score of a channel.
#[derive(Clone)]
pub struct Systems {
    scores: Scores,
    /// A state at a time: two at once would both begin where the log is.
    mappings: Arc<HashMap<ChannelId, Mutex<Mapping>>>,
}

/// What a state came to.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The match.
    pub r#match: MatchId,
    /// How many events it was; none where nothing has changed.
    pub events: usize,
    /// What the log ends with.
    pub last: Option<Position>,
    /// The score.
    pub state: Option<State>,
}

/// Why a state is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The channel has no system.
    #[error("no scoring system is configured for this channel: add [channel.system]")]
    NoSystem,
    /// It can't be read.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// Nothing leads to it.
    #[error(transparent)]
    Unreached(#[from] Unreached),
    /// The log has something else by now.
    #[error("somebody else scores this match at the same moment: send the state again")]
    Raced,
    /// The store does not take it.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The disk is slow.
    #[error("the disk has not confirmed everything in time: send the state again")]
    Late,
    /// The log can't be read.
    #[error("the score log can't be read: see the origin's log")]
    Read(#[from] ReadError),
}

impl Systems {
    /// The systems of these channels, whose events go to `scores`.
    pub fn new(scores: Scores, mappings: impl IntoIterator<Item = (ChannelId, Mapping)>) -> Systems {
        let mappings = mappings.into_iter().map(|(channel, mapping)| (channel, Mutex::new(mapping)));
        Systems { scores, mappings: Arc::new(mappings.collect()) }
    }

    /// Takes a state of the channel's system. Everything that follows from it is on the disk once this returns; where only some
    /// of it is, the same state again does the rest.
    pub async fn take(&self, channel: &ChannelId, body: &[u8], now: UtcMs) -> Result<Taken, TakeError> {
        let mapping = self.mappings.get(channel).ok_or(TakeError::NoSystem)?.lock().await;
        let seen = mapping.read(body)?;
        let log = self.scores.log(channel, &seen.r#match).await?;
        let empty = Log::new();
        let events = foreign::events(&mapping, log.as_deref().unwrap_or(&empty), &seen, now)?;
        let mut taken = Taken {
            r#match: seen.r#match,
            events: events.len(),
            last: log.as_ref().and_then(|log| log.last()),
            state: log.as_ref().and_then(|log| log.state()),
        };
        for Item { epoch, seq, event } in events {
            let standing = self.put(channel, &taken.r#match, Position { epoch, seq }, event, now).await?;
            (taken.last, taken.state) = standing;
        }
        self.scores.hear_event(channel, &taken.r#match, EPOCH, now);
        Ok(taken)
    }

    async fn put(
        &self,
        channel: &ChannelId,
        r#match: &MatchId,
        position: Position,
        event: Event,
        now: UtcMs,
    ) -> Result<(Option<Position>, Option<State>), TakeError> {
        let put = self.scores.put(channel, r#match, position, event, now);
        match tokio::time::timeout(DISK_WAIT_MAX, put).await.map_err(|_| TakeError::Late)?? {
            Put::Accepted(standing) | Put::Same(standing) => Ok((standing.last, standing.state)),
            Put::Conflict | Put::Gap { .. } | Put::Invalid(_) => Err(TakeError::Raced),
        }
    }
}
