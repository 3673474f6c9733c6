//! What an edge asks this origin for, since its pushes do not arrive: the event, a channel's state, a channel's score.
//!
//! | request | answers |
//! | --- | --- |
//! | `GET /origin/v1/event` | what is pushed to `PUT /origin/v1/event` of an edge |
//! | `GET /origin/v1/channels/{channel}/state`, `…/score` | the same of a channel |
//!
//! A request is signed ([`railbird_core::sign`]) with `secrets.origin`, and so is the answer, as the push that it stands for. What
//! is asked for changes nothing, so that a request may come again. One that is refused for its time is told what this clock
//! reads, so that the edge can ask by that.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use railbird_core::sign::{self, SignatureError};
use tracing::warn;

use super::ApiError;
use crate::clock;
use crate::config::Secret;
use crate::edge_push::EdgePush;

/// What is pushed, and the secret that the edges share with this origin.
struct Pushed {
    push: Arc<EdgePush>,
    secret: Secret,
}

/// The router of these requests.
pub fn router(push: Arc<EdgePush>, secret: Secret) -> Router {
    Router::new()
        .route("/origin/v1/event", get(document))
        .route("/origin/v1/channels/{channel}/state", get(document))
        .route("/origin/v1/channels/{channel}/score", get(document))
        .with_state(Arc::new(Pushed { push, secret }))
}

async fn document(State(pushed): State<Arc<Pushed>>, request: Request) -> Result<Response, ApiError> {
    let header =
        request.headers().get(sign::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (secret, path) = (pushed.secret.expose().as_bytes(), request.uri().path());
    let now = clock::now();
    if let Err(wrong) = sign::verify(secret, "GET", path, b"", now, header) {
        let refused = ApiError::new(StatusCode::UNAUTHORIZED, "not-signed", wrong.to_string());
        if wrong != SignatureError::Stale {
            return Err(refused);
        }
        warn!(
            "an edge that asks has a clock that is more than a minute off this one: set the one that is wrong"
        );
        let told = sign::tell_clock(secret, header, now);
        return Ok(([(sign::CLOCK_HEADER, told)], refused).into_response());
    }
    let nothing = || ApiError::new(StatusCode::NOT_FOUND, "nothing-yet", "nothing of this was pushed yet");
    let body = pushed.push.latest(path).ok_or_else(nothing)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| {
        let message = "this machine gives no randomness: ask again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no-entropy", message)
    })?;
    let signature = sign::sign(secret, "PUT", path, &body, clock::now(), nonce);
    let headers = [
        (CONTENT_TYPE.as_str(), "application/json"),
        (CACHE_CONTROL.as_str(), "no-store"),
        (sign::HEADER, &signature),
    ];
    Ok((headers, body).into_response())
}
