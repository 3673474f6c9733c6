//! The origin's own HTTP: `/healthz`, `/metrics`, `GET /v1/channels`, and whatever routers are merged into it.

pub mod calibrate;
pub mod crew;
pub mod edges;
mod error;
mod nonces;
pub mod pad;
pub mod score;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use hyper_util::service::TowerToHyperService;
use railbird_core::id::ChannelId;
use railbird_core::state::{ChannelState, EventState, Phase};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use error::ApiError;

use crate::http_server;
use crate::telemetry::Metrics;

/// The largest request body, in bytes, unless a merged router sets its own bound.
pub const BODY_LEN_MAX: usize = 64 << 10;

/// How long a request may take.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Says what is unwell: the kind of part (`target`, `edge`, `disk`, …), its name, and a sentence.
type Look = Box<dyn Fn() -> Vec<(&'static str, String, String)> + Send + Sync>;

/// What `/healthz` looks at. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<Vec<Look>>>);

impl Health {
    /// Looks there as well from now on. `look` answers at once, without waiting.
    pub fn watch(&self, look: impl Fn() -> Vec<(&'static str, String, String)> + Send + Sync + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    /// What is unwell: `{"part","id","reason"}` each.
    fn reasons(&self) -> Vec<Value> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unwell = looks.iter().flat_map(|look| look());
        unwell.map(|(part, id, reason)| json!({ "part": part, "id": id, "reason": reason })).collect()
    }
}

/// What `GET /v1/channels` tells: the event, and of each channel the last state. Cheap to clone.
#[derive(Clone)]
pub struct Channels {
    event: Arc<EventState>,
    states: Arc<Mutex<BTreeMap<ChannelId, Value>>>,
}

impl Channels {
    /// The event's channels, none with a state yet.
    pub fn new(event: EventState) -> Channels {
        Channels { event: Arc::new(event), states: Arc::default() }
    }

    /// Takes a channel's new state.
    pub fn set(&self, state: &ChannelState) {
        let renditions: Vec<Value> = state
            .renditions
            .iter()
            .map(|rendition| {
                json!({
                    "id": rendition.id,
                    "codecs": rendition.codecs,
                    "width": rendition.width,
                    "height": rendition.height,
                    "bandwidth": rendition.bandwidth,
                    "segments": rendition.segments.len(),
                    "newest": rendition.segments.last().map(|segment| segment.start.iso8601()),
                })
            })
            .collect();
        let brief = json!({
            "id": state.channel,
            "title": state.title,
            "phase": state.phase,
            "updated": state.updated.iso8601(),
            "nodes": state.nodes,
            "renditions": renditions,
        });
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(state.channel.clone(), brief);
    }

    fn json(&self) -> Value {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = |brief: &railbird_core::state::ChannelBrief| {
            states.get(&brief.id).cloned().unwrap_or_else(|| {
                json!({ "id": brief.id, "title": brief.title, "phase": Phase::Waiting, "nodes": [], "renditions": [] })
            })
        };
        let channels: Vec<Value> = self.event.channels.iter().map(channel).collect();
        json!({ "event": { "id": self.event.event, "title": self.event.title }, "channels": channels })
    }
}

#[derive(Clone)]
struct Parts {
    health: Health,
    channels: Channels,
    metrics: Metrics,
}

/// The router of the origin's own routes. Merge others into it, then [`Api::start`] it.
pub fn router(health: Health, channels: Channels, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_text))
        .route("/v1/channels", get(async |State(parts): State<Parts>| Json(parts.channels.json())))
        .with_state(Parts { health, channels, metrics })
}

async fn healthz(State(parts): State<Parts>) -> Response {
    let reasons = parts.health.reasons();
    if reasons.is_empty() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        let body = json!({ "status": "unwell", "reasons": reasons });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
    }
}

async fn metrics_text(State(parts): State<Parts>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], parts.metrics.text())
}

async fn within_deadline(request: Request, next: Next) -> Response {
    match timeout(REQUEST_DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the request took more than 10 s: try again";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", message).into_response()
        }
    }
}

/// Whether the API is being stopped, for answers that would not end by themselves: an extractor that always succeeds.
#[derive(Clone)]
struct Closing(watch::Receiver<bool>);

impl Closing {
    #[cfg(test)]
    fn new(stop: watch::Receiver<bool>) -> Closing {
        Closing(stop)
    }

    /// Returns when the API stops, and never where it can't be.
    async fn wait(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Closing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Closing, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Closing(watch::channel(false).1)))
    }
}

/// The running API. Dropping it stops it at once; [`Api::stop`] lets requests in flight end.
pub struct Api {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Api {
    /// Serves `router` with the bounds of this module, on a port of the system's choice where `listen` has port 0.
    pub async fn start(listen: SocketAddr, router: Router) -> io::Result<Api> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let unknown =
            async || ApiError::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path");
        let wrong = async || {
            let message = "this path takes other methods: see the allow header";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", message)
        };
        let router = router
            .fallback(unknown)
            .method_not_allowed_fallback(wrong)
            .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
            .layer(middleware::from_fn(within_deadline))
            .layer(Extension(Closing(stopped.clone())));
        let task = tokio::spawn(http_server::serve(listener, TowerToHyperService::new(router), stopped));
        Ok(Api { address, stop, task })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests and lets those in flight end, for a few seconds at most.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // The task can only end well or be aborted, and only we abort it.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}
