//! What the crew changes while an event runs: targets, and the end of a channel. Every change is signed
//! ([`railbird_core::sign`]) with `secrets.admin`, or `secrets.origin` where there is none, and good once.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /v1/targets` | lists the targets |
//! | `POST /v1/targets` | adds one: `{"target": "the inside of a [[target]] as TOML", "backfill": true}` |
//! | `POST /v1/targets/{id}/drain` | gives it nothing new, and leads viewers away |
//! | `DELETE /v1/targets/{id}` | removes it |
//! | `POST /v1/channels/{channel}/end` | ends the channel: its recording is a replay |
//! | `POST /v1/reload` | reads the configuration again: targets |

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::sign;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use super::ApiError;
use super::nonces::{Nonces, Refused};
use crate::clock;
use crate::config::{Config, Secret};
use crate::driver::{Message, NoEnd, Sender};
use crate::ingest::Channels;
use crate::targets::{Refusal, Targets};

/// What the crew may change. Cheap to clone.
#[derive(Clone)]
pub struct Crew(Arc<Inner>);

struct Inner {
    secret: Secret,
    nonces: Nonces,
    path: PathBuf,
    fixed: Fixed,
    targets: Targets,
    feeds: Channels,
    desk: Sender,
}

/// What only a restart changes.
#[derive(PartialEq)]
struct Fixed(
    Vec<crate::config::Channel>,
    crate::config::Event,
    Vec<String>,
    [std::net::SocketAddr; 2],
    Option<crate::config::Rtmps>,
);

impl Fixed {
    fn of(config: &Config) -> Fixed {
        let listeners = [config.rtmp, config.api];
        let Config { channels, event, edges, rtmps, .. } = config.clone();
        Fixed(channels, event, edges, listeners, rtmps)
    }
}

/// `POST /v1/targets`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// The inside of a `[[target]]`, as TOML.
    pub target: String,
    /// With everything that is still on the disk, not only what is made from now on.
    pub backfill: bool,
}

/// The secret by which the crew's requests are signed.
pub fn secret(config: &Config) -> &Secret {
    config.secrets.admin.as_ref().unwrap_or(&config.secrets.origin)
}

impl Crew {
    /// Over these targets and channels.
    pub fn new(config: &Config, targets: Targets, feeds: Channels, desk: Sender) -> Crew {
        let (secret, path) = (secret(config).clone(), config.path.clone());
        let (nonces, fixed) = (Nonces::default(), Fixed::of(config));
        Crew(Arc::new(Inner { secret, nonces, path, fixed, targets, feeds, desk }))
    }

    /// Reads the configuration again and takes over its targets. Gives what was done.
    pub async fn reload(&self) -> Result<Vec<String>, ApiError> {
        let wrong = |text: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", text);
        if self.0.path.as_os_str().is_empty() {
            return Err(wrong("this origin has no configuration file".into()));
        }
        let path = self.0.path.clone();
        let read = tokio::task::spawn_blocking(move || Config::load(&path)).await;
        let config =
            read.map_err(|error| wrong(error.to_string()))?.map_err(|error| wrong(error.to_string()))?;
        let mut done = self.0.targets.reload(&config.targets).await?;
        if Fixed::of(&config) != self.0.fixed {
            done.push(
                "channels, the event, edges or listeners differ: only a restart takes these over".into(),
            );
        }
        Ok(done)
    }

    async fn end(&self, channel: ChannelId) -> Result<RecordingId, ApiError> {
        let (answer, ended) = oneshot::channel();
        let stopping =
            || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the origin is stopping");
        self.0.feeds.settle(&channel).await;
        self.0.desk.send(Message::End(channel, answer)).await.map_err(|_| stopping())?;
        ended.await.map_err(|_| stopping())?.map_err(|no_end| match no_end {
            NoEnd::Nothing => ApiError::new(StatusCode::NOT_FOUND, "nothing-to-end", no_end.to_string()),
            NoEnd::Live => ApiError::new(StatusCode::CONFLICT, "still-live", no_end.to_string()),
        })
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
        let header = headers.get(sign::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let secret = self.0.secret.expose().as_bytes();
        let checked = sign::verify(secret, method.as_str(), uri.path(), body, clock::now(), header);
        let refused = |error: sign::SignatureError| {
            ApiError::new(StatusCode::UNAUTHORIZED, "not-signed", error.to_string())
        };
        let (_, nonce) = checked.map_err(refused)?;
        self.0.nonces.take(nonce, clock::moment().up_ms).map_err(|refused| match refused {
            Refused::Again => {
                let message = "this very request was taken already: sign each one anew";
                ApiError::new(StatusCode::UNAUTHORIZED, "sent-again", message)
            }
            Refused::Full => {
                let message = "too many signed requests within two minutes: wait, then try again";
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too-many", message)
            }
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let (status, code) = match &refusal {
            Refusal::Unknown(_) => (StatusCode::NOT_FOUND, "no-such-target"),
            Refusal::Taken(_) => (StatusCode::CONFLICT, "taken"),
            Refusal::Full | Refusal::Last(_) => (StatusCode::CONFLICT, "refused"),
            Refusal::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad-target"),
            Refusal::NotKept { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "not-kept"),
            Refusal::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        ApiError::new(status, code, refusal.to_string())
    }
}

/// The router of these requests.
pub fn router(crew: Crew) -> Router {
    Router::new()
        .route("/v1/targets", get(list).post(add))
        .route("/v1/targets/{id}/drain", post(drain))
        .route("/v1/targets/{id}", delete(remove))
        .route("/v1/channels/{channel}/end", post(end))
        .route("/v1/reload", post(reload))
        .with_state(crew)
}

/// The body of a request that is signed as it must be.
pub(super) struct Signed(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Signed
where
    Crew: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Signed, ApiError> {
        let crew = Crew::from_ref(state);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| ApiError::new(error.status(), "bad-body", error.body_text()))?;
        crew.check(&method, &uri, &headers, &body)?;
        Ok(Signed(body))
    }
}

async fn list(State(crew): State<Crew>) -> Response {
    Json(json!({ "targets": crew.0.targets.list() })).into_response()
}

async fn add(State(crew): State<Crew>, Signed(body): Signed) -> Result<Response, ApiError> {
    let add: Add = serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "bad-json", error.to_string()))?;
    let id = crew.0.targets.add(&add.target, add.backfill).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn drain(
    State(crew): State<Crew>,
    Path(id): Path<String>,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    crew.0.targets.drain(&target(&id)?).await?;
    Ok(Json(json!({ "id": id, "standing": "draining" })).into_response())
}

async fn remove(
    State(crew): State<Crew>,
    Path(id): Path<String>,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    crew.0.targets.remove(&target(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(
    State(crew): State<Crew>,
    Path(channel): Path<String>,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    let channel = channel.parse::<ChannelId>();
    let channel = channel
        .map_err(|error| ApiError::new(StatusCode::NOT_FOUND, "no-such-channel", error.to_string()))?;
    let recording = crew.end(channel).await?;
    Ok(Json(json!({ "recording": recording })).into_response())
}

async fn reload(State(crew): State<Crew>, Signed(_): Signed) -> Result<Response, ApiError> {
    Ok(Json(json!({ "done": crew.reload().await? })).into_response())
}

fn target(id: &str) -> Result<TargetId, ApiError> {
    id.parse().map_err(|error: railbird_core::id::IdError| {
        ApiError::new(StatusCode::NOT_FOUND, "no-such-target", error.to_string())
    })
}
