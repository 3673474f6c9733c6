//! The score feed over HTTP.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/channels/{channel}/matches/{match}/events/{epoch}/{seq}` | 200 `{"last":{"epoch","seq"},"same":false,"diverged":false,"state":{…}}` once the event is on the disk |
//! | `GET /v1/channels/{channel}/matches` | `{"matches":[{"match","accepted"},…],"more":false,"now"}`: the one that viewers are shown first, then the newest, by the origin's clock at its last event; `now` is that clock |
//! | `GET /v1/channels/{channel}/matches/{match}` | `{"channel","match","last","start":{…},"state":{…},"scorer":{"match","epoch","pending","at"}}`; `scorer` is who was heard last, or null |
//! | `GET …/events?after_epoch=1&after_seq=7` | `{"last","events":[{"epoch","seq","event":{…}},…],"more":false}` |
//! | `GET …/stream?after_epoch=1&after_seq=7` | server-sent events from there on: `event` as above, with `id: 1/8`; `state` `{"last","state"}` behind them; `scorer` `{"epoch"}` where somebody takes over, before the first event; `heartbeat` `{"now","last"}` every five seconds. `Last-Event-ID` counts before the query |
//! | `PUT …/scorer` | the scorer is there: `{"epoch":1,"pending":0}`, how many events it holds. 200 `{"now","epoch","last"}`: the origin's clock, the epoch of whoever scores (a higher one than one's own has taken over), and what the log ends with |
//! | `POST /v1/channels/{channel}/system` | another scoring system's whole state ([`crate::systems`]). 200 `{"match","events":2,"last","state"}`: how many events it was |
//! | `GET /v1/score/openapi.json` | all of this as OpenAPI 3.1, for anybody |
//!
//! All others need `Authorization: Bearer <the channel's score key>`. An error is `{"error":{"code","message"}}`; `gap` has
//! `"expected":{"epoch","seq"}` beside them. Every PUT may be repeated as it is.

mod follow;
pub mod system;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, put};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{BODY_LEN_MAX, Event, Invalid, Log, POSITION_MAX, Position};
use railbird_core::time::UtcMs;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::api::Closing;
use crate::clock;
use crate::score::{Heartbeat, Put, PutError, ReadError, Scores, Standing};

use self::follow::Followers;

/// How long a body may take to come in.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a scorer waits for the disk before being told to ask again.
const DISK_WAIT_MAX: Duration = Duration::from_secs(10);

/// The most events of one answer.
const EVENTS_PAGE_MAX: usize = 500;

/// The most matches of one answer.
const MATCHES_PAGE_MAX: usize = 50;

/// The score keys by channel. Shows none of them.
#[derive(Clone)]
pub struct Keys(Arc<HashMap<ChannelId, Vec<u8>>>);

impl Keys {
    /// Takes each channel's key. A channel without one takes no score.
    pub fn new(keys: impl IntoIterator<Item = (ChannelId, Vec<u8>)>) -> Keys {
        Keys(Arc::new(keys.into_iter().collect()))
    }

    fn admits(&self, channel: &ChannelId, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, given) = given.split_at_checked(BEARER.len()).unwrap_or_default();
        let key = self.0.get(channel).filter(|key| !key.is_empty());
        scheme.eq_ignore_ascii_case(BEARER) && key.is_some_and(|key| bool::from(key.ct_eq(given)))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

const BEARER: &[u8] = b"Bearer ";

#[derive(Clone)]
struct Api {
    scores: Scores,
    keys: Keys,
    followers: Followers,
}

const MATCHES: &str = "/v1/channels/{channel}/matches";
const MATCH: &str = "/v1/channels/{channel}/matches/{match}";
const EVENTS: &str = "/v1/channels/{channel}/matches/{match}/events";
const EVENT: &str = "/v1/channels/{channel}/matches/{match}/events/{epoch}/{seq}";
const STREAM: &str = "/v1/channels/{channel}/matches/{match}/stream";
const SCORER: &str = "/v1/channels/{channel}/matches/{match}/scorer";
const SYSTEM: &str = "/v1/channels/{channel}/system";
const DESCRIPTION: &str = "/v1/score/openapi.json";

/// The feed as OpenAPI 3.1 describes it: for those who connect a scoring system of their own.
const OPENAPI: &str = include_str!("score/openapi.json");

/// The routes of the score feed.
pub fn router(scores: Scores, keys: Keys) -> Router {
    Router::new()
        .route(MATCHES, get(list))
        .route(MATCH, get(show))
        .route(EVENTS, get(catch_up))
        .route(EVENT, put(take))
        .route(STREAM, get(stream))
        .route(SCORER, put(hear))
        .route(DESCRIPTION, get(describe))
        .with_state(Api { followers: Followers::new(scores.channels()), scores, keys })
}

/// What went wrong, and what to do.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    expected: Option<Position>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl fmt::Display) -> Refusal {
        Refusal { status, code, message: message.to_string(), expected: None }
    }

    fn invalid(message: impl fmt::Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    fn no_channel() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "no-such-channel", PutError::NoChannel)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(expected), Value::Object(error)) = (self.expected, &mut error) {
            error.insert("expected".into(), json!(expected));
        }
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<PutError> for Refusal {
    fn from(error: PutError) -> Refusal {
        let unavailable = |code| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, &error);
        match &error {
            PutError::NoChannel => Refusal::no_channel(),
            PutError::Matches => Refusal::invalid(&error),
            PutError::Busy => unavailable("busy"),
            PutError::NotStored(_) => unavailable("not-stored"),
        }
    }
}

impl Api {
    /// The channel of a request that its key admits.
    fn admit_to(&self, channel: &str, headers: &HeaderMap) -> Result<ChannelId, Refusal> {
        let channel: ChannelId = channel.parse().map_err(|_| Refusal::no_channel())?;
        if !self.scores.has_channel(&channel) {
            return Err(Refusal::no_channel());
        }
        if !self.keys.admits(&channel, headers) {
            let message = "send the channel's score key: Authorization: Bearer …";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "bad-key", message));
        }
        Ok(channel)
    }

    /// The channel and the match of a request that its key admits.
    fn admit(
        &self,
        channel: &str,
        match_id: &str,
        headers: &HeaderMap,
    ) -> Result<(ChannelId, MatchId), Refusal> {
        let channel = self.admit_to(channel, headers)?;
        let match_id = match_id.parse().map_err(Refusal::invalid)?;
        Ok((channel, match_id))
    }

    async fn log(&self, channel: &ChannelId, match_id: &MatchId) -> Result<Arc<Log>, Refusal> {
        let unreadable = |error: ReadError| {
            tracing::error!(%error, "a score log can't be read");
            let message = "the score log can't be read: see the origin's log";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not-readable", message)
        };
        let log = self.scores.log(channel, match_id).await.map_err(unreadable)?;
        log.ok_or_else(|| {
            let message = "no such match on this channel: a match begins with its first event";
            Refusal::new(StatusCode::NOT_FOUND, "no-such-match", message)
        })
    }
}

async fn describe() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn take(
    State(api): State<Api>,
    Path((channel, match_id, epoch, seq)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let (channel, match_id) = api.admit(&channel, &match_id, &headers)?;
    let number = |text: &str| number(text).ok_or_else(|| Refusal::invalid(Invalid::Position));
    let position = Position { epoch: number(&epoch)?, seq: number(&seq)? };
    let event = Event::from_json(&read(body, BODY_LEN_MAX).await?).map_err(Refusal::invalid)?;
    let now = clock::now();
    let put = api.scores.put(&channel, &match_id, position, event, now);
    let late = |_| {
        let message = "the disk has not confirmed the event in time: send the same event again";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not-confirmed", message)
    };
    let answer = |standing: Standing, same: bool| {
        let Standing { last, state, diverged } = standing;
        Ok(Json(json!({"last": last, "same": same, "diverged": diverged, "state": state})))
    };
    match tokio::time::timeout(DISK_WAIT_MAX, put).await.map_err(late)?? {
        Put::Accepted(standing) => {
            api.scores.hear_event(&channel, &match_id, position.epoch, now);
            answer(standing, false)
        }
        Put::Same(standing) => answer(standing, true),
        Put::Invalid(invalid) => Err(Refusal::invalid(invalid)),
        Put::Conflict => {
            let message =
                format!("event {position} is another one already: undo it and append what is right");
            Err(Refusal::new(StatusCode::CONFLICT, "conflict", message))
        }
        Put::Gap { expected } => {
            let message = match expected.epoch > position.epoch {
                true => format!("another scorer has taken over with epoch {}", expected.epoch),
                false => format!("event {expected} is next: send what is missing first"),
            };
            let expected = Some(expected);
            Err(Refusal { expected, ..Refusal::new(StatusCode::CONFLICT, "gap", message) })
        }
    }
}

async fn list(
    State(api): State<Api>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let channel = api.admit_to(&channel, &headers)?;
    let mut matches = api.scores.matches(&channel, MATCHES_PAGE_MAX + 1);
    let more = matches.len() > MATCHES_PAGE_MAX;
    matches.truncate(MATCHES_PAGE_MAX);
    let item = |(match_id, accepted): &(MatchId, UtcMs)| json!({"match": match_id, "accepted": accepted});
    let matches: Vec<_> = matches.iter().map(item).collect();
    Ok(Json(json!({ "matches": matches, "more": more, "now": clock::now() })))
}

async fn show(
    State(api): State<Api>,
    Path((channel, match_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let (channel, match_id) = api.admit(&channel, &match_id, &headers)?;
    let log = api.log(&channel, &match_id).await?;
    Ok(Json(json!({
        "channel": channel, "match": match_id,
        "last": log.last(), "start": log.start(), "state": log.state(),
        "scorer": api.scores.heard(&channel, &match_id),
    })))
}

async fn catch_up(
    State(api): State<Api>,
    Path((channel, match_id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Result<Json<Value>, Refusal> {
    let (channel, match_id) = api.admit(&channel, &match_id, &headers)?;
    let after = after(&uri)?;
    let log = api.log(&channel, &match_id).await?;
    let events = log.after(after);
    let page = events.get(..EVENTS_PAGE_MAX).unwrap_or(events);
    let item = |(at, event): &(Position, Event)| json!({"epoch": at.epoch, "seq": at.seq, "event": event});
    Ok(Json(json!({
        "last": log.last(),
        "events": page.iter().map(item).collect::<Vec<_>>(),
        "more": page.len() < events.len(),
    })))
}

async fn stream(
    State(api): State<Api>,
    Path((channel, match_id)): Path<(String, String)>,
    closing: Closing,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Result<Response, Refusal> {
    let (channel, match_id) = api.admit(&channel, &match_id, &headers)?;
    let after = match headers.get("last-event-id") {
        None => after(&uri)?,
        Some(id) => {
            let position = id.to_str().ok().and_then(follow::position);
            position
                .ok_or_else(|| Refusal::invalid("last-event-id is <epoch>/<seq>, as an event's id was"))?
        }
    };
    // That there is a match is said now; a stream can only end.
    api.log(&channel, &match_id).await?;
    follow::follow((api.scores, &api.followers), (channel, match_id), after, closing)
}

async fn hear(
    State(api): State<Api>,
    Path((channel, match_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let (channel, match_id) = api.admit(&channel, &match_id, &headers)?;
    let said: Heartbeat = serde_json::from_slice(&read(body, BODY_LEN_MAX).await?)
        .map_err(|error| Refusal::invalid(format!("not a scorer's heartbeat: {error}")))?;
    if !(1..=POSITION_MAX).contains(&said.epoch) {
        return Err(Refusal::invalid(Invalid::Position));
    }
    let now = clock::now();
    let log = match api.log(&channel, &match_id).await {
        Ok(log) => Some(log),
        // A match begins with its first event, and the scorer is there before it.
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => None,
        Err(refusal) => return Err(refusal),
    };
    let epoch = api.scores.hear(&channel, &match_id, said, now);
    Ok(Json(json!({"now": now, "epoch": epoch, "last": log.and_then(|log| log.last())})))
}

/// Digits only: a path has one spelling.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `after_epoch=1&after_seq=7`, each 0 where it is absent.
fn after(uri: &axum::http::Uri) -> Result<Position, Refusal> {
    let bad = || {
        Refusal::invalid(
            "the query is after_epoch=<number>&after_seq=<number>; without it, all events are given",
        )
    };
    let mut after = Position { epoch: 0, seq: 0 };
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').ok_or_else(bad)? {
            ("after_epoch", value) => after.epoch = number(value).ok_or_else(bad)?,
            ("after_seq", value) => after.seq = number(value).ok_or_else(bad)?,
            _ => return Err(bad()),
        }
    }
    Ok(after)
}

async fn read(body: Body, len_max: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = tokio::time::timeout(BODY_WAIT_MAX, Limited::new(body, len_max).collect()).await;
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body took longer than 10 s");
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => {
            let message = format!("the body has at most {len_max} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
        }
        false => Refusal::invalid("the body broke off: send the event again"),
    };
    Ok(bytes.map_err(late)?.map_err(failed)?.to_bytes().into())
}

#[cfg(test)]
mod tests;
