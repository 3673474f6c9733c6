//! The origin's score API: one request each, with a bound on its time and size, and what its answer means.

use std::time::Duration;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Item, Position};
use railbird_core::time::UtcMs;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::desk::{Refusal, Waiting};
use crate::web;

/// How long the origin may take for an answer: longer than it waits for its disk.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(12);

/// The longest answer: a page of the largest events.
const ANSWER_LEN_MAX: usize = 8 << 20;

/// The most pages of events of one match.
const PAGES_MAX: usize = 40;

/// Why there is no answer that is good for anything.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OriginError {
    /// The origin does not answer, or not now: the same request may be sent again.
    #[error("the origin does not answer: {0}")]
    Away(String),
    /// It answers, and says no.
    #[error("the origin says: {0}")]
    Denied(#[from] Refusal),
}

/// A channel at an origin.
#[derive(Clone, Debug)]
pub struct Origin {
    client: Client,
    base: String,
    key: Key,
}

/// The channel's score key. Shows nothing of it.
#[derive(Clone)]
pub struct Key(pub String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

#[derive(Deserialize)]
struct Said {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    code: String,
    #[serde(default)]
    message: String,
    expected: Option<Position>,
}

#[derive(Deserialize)]
struct Taken {
    diverged: bool,
}

#[derive(Deserialize)]
struct Matches {
    matches: Vec<Named>,
    /// An origin of before says none.
    now: Option<UtcMs>,
}

#[derive(Deserialize)]
struct Named {
    r#match: MatchId,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Item>,
    more: bool,
}

#[derive(Deserialize)]
struct Shown {
    scorer: Option<Scoring>,
}

#[derive(Deserialize)]
struct Scoring {
    epoch: u64,
}

/// What the origin has of a match.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its events.
    pub events: Vec<Item>,
    /// The epoch of whoever scores it, be it without an event yet.
    pub epoch: u64,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Beat {
    /// The origin's clock.
    pub now: UtcMs,
    /// The epoch of whoever scores the match; an origin of before says none.
    #[serde(default)]
    pub epoch: u64,
    /// What the match's log ends with.
    pub last: Option<Position>,
}

impl Origin {
    /// The API at `url`, `http://127.0.0.1:8080` or `https://…`.
    pub fn new(url: &str, channel: &ChannelId, key: Key) -> Result<Origin, web::ClientError> {
        let base = format!("{}/v1/channels/{channel}/matches", url.trim_end_matches('/'));
        Ok(Origin { client: web::client()?, base, key })
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: Option<&Value>) -> Result<T, OriginError> {
        let method = if body.is_some() { Method::PUT } else { Method::GET };
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key.0);
        let request = if let Some(body) = body { request.json(body) } else { request };
        let away = |error: reqwest::Error| OriginError::Away(web::words(&error));
        let mut answer = request.timeout(ANSWER_WAIT_MAX).send().await.map_err(away)?;
        let status = answer.status();
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            if text.len() + chunk.len() > ANSWER_LEN_MAX {
                return Err(OriginError::Away(format!("its answer has more than {ANSWER_LEN_MAX} bytes")));
            }
            text.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&text).map_err(|error| OriginError::Away(error.to_string()));
        }
        // What a proxy says between the origin and us is no answer of the origin.
        let passing = status.is_server_error() || [408, 429].contains(&status.as_u16());
        match serde_json::from_slice::<Said>(&text) {
            Ok(Said { error: Told { code, message, expected } }) if !passing => {
                Err(Refusal { status: status.as_u16(), code, message, expected }.into())
            }
            _ => Err(OriginError::Away(format!("status {status}"))),
        }
    }

    /// The newest match of the channel, if there is one, and the origin's clock, where it tells that.
    pub async fn newest(&self) -> Result<(Option<MatchId>, Option<UtcMs>), OriginError> {
        let matches: Matches = self.ask("", None).await?;
        Ok((matches.matches.into_iter().next().map(|named| named.r#match), matches.now))
    }

    /// All events of a match; none where there is no such match.
    pub async fn events(&self, r#match: &MatchId) -> Result<Vec<Item>, OriginError> {
        let (mut items, mut last) = (Vec::new(), Position { epoch: 0, seq: 0 });
        for _ in 0..PAGES_MAX {
            let path = format!("/{match}/events?after_epoch={}&after_seq={}", last.epoch, last.seq);
            let page: Page = match self.ask(&path, None).await {
                Err(OriginError::Denied(refusal)) if refusal.code == "no-such-match" => break,
                page => page?,
            };
            items.extend(page.events);
            match items.last() {
                Some(item) if page.more => last = item.position(),
                _ => break,
            }
        }
        Ok(items)
    }

    /// All of a match, and who scores it.
    pub async fn held(&self, r#match: &MatchId) -> Result<Held, OriginError> {
        let events = self.events(r#match).await?;
        let scorer = match self.ask(&format!("/{match}"), None).await {
            Err(OriginError::Denied(refusal)) if refusal.code == "no-such-match" => None,
            shown => shown.map(|Shown { scorer }| scorer)?,
        };
        let last = events.last().map_or(0, |last| last.epoch);
        Ok(Held { epoch: last.max(scorer.map_or(0, |scorer| scorer.epoch)), events })
    }

    /// Sends an event as it is. Says whether the origin's score is the one that it claims.
    pub async fn put(&self, waiting: &Waiting) -> Result<bool, OriginError> {
        let Waiting { r#match, item, .. } = waiting;
        let path = format!("/{match}/events/{}/{}", item.epoch, item.seq);
        let taken: Taken = self.ask(&path, Some(&json!(item.event))).await?;
        Ok(!taken.diverged)
    }

    /// Says that the scorer is there.
    pub async fn beat(&self, r#match: &MatchId, epoch: u64, pending: usize) -> Result<Beat, OriginError> {
        self.ask(&format!("/{match}/scorer"), Some(&json!({"epoch": epoch, "pending": pending}))).await
    }
}
