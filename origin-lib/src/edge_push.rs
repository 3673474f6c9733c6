//! Pushes what the edges need to know: the event, each channel's state, each channel's score. The latest wins.
//!
//! Each edge gets each document by its own task, so that neither a slow edge nor a large document delays another. A
//! document is pushed when it changes, again every ten seconds (an edge may have lost it), and again after a failure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::ChannelId;
use railbird_core::sign;
use railbird_core::state::{ChannelState, EventState, STATE_LEN_MAX};
use reqwest::Url;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::clock;
use crate::config::Secret;
use crate::delivery::Backoff;
use crate::telemetry::{EdgeMetrics, Metrics, PushResult};
use crate::web;

/// The most bytes of an edge's answer that are read.
const ANSWER_LEN_MAX: usize = 1024;

/// The most characters of an edge's own words that are repeated in an error.
const WORDS_LEN_MAX: usize = 200;

/// The bounds of pushing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long one push may take.
    pub deadline: Duration,
    /// How often an unchanged document is pushed again.
    pub repeat: Duration,
    /// How long to wait after failures.
    pub backoff: Backoff,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            deadline: Duration::from_secs(2),
            repeat: Duration::from_secs(10),
            backoff: Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(2) },
        }
    }
}

/// How an edge is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// It has taken a push, and every document's last one.
    pub up: bool,
    /// Why not: a sentence for a person.
    pub error: Option<String>,
}

/// The edges can't be pushed to.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An edge's URL is not one.
    #[error("the edge URL {0:?} can't be used: {1}")]
    Url(String, String),
}

/// Pushes documents to every edge. Dropping it stops it.
pub struct EdgePush {
    edges: Vec<Arc<Edge>>,
    documents: Mutex<Documents>,
}

#[derive(Default)]
struct Documents {
    latest: BTreeMap<Document, watch::Sender<Published>>,
    // Dropped, they abort their tasks.
    tasks: JoinSet<()>,
}

/// What is pushed, and where to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Document {
    Event,
    State(ChannelId),
    Score(ChannelId),
}

impl Document {
    fn path(&self) -> String {
        match self {
            Document::Event => "/origin/v1/event".into(),
            Document::State(channel) => format!("/origin/v1/channels/{channel}/state"),
            Document::Score(channel) => format!("/origin/v1/channels/{channel}/score"),
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Document::Event => f.write_str("the event"),
            Document::State(channel) => write!(f, "the state of {channel}"),
            Document::Score(channel) => write!(f, "the score of {channel}"),
        }
    }
}

#[derive(Clone)]
struct Published {
    body: Bytes,
    at: Instant,
}

struct Edge {
    base: String,
    host: String,
    secret: Secret,
    client: reqwest::Client,
    limits: Limits,
    metrics: EdgeMetrics,
    /// What the last push of each document came to; `None` for well.
    results: Mutex<BTreeMap<Document, Option<String>>>,
    status: watch::Sender<Status>,
    /// When what the edge has of each document was published.
    taken: watch::Sender<BTreeMap<Document, Instant>>,
}

impl EdgePush {
    /// Prepares to push to these base URLs with the secret that they share with this origin. Tasks run on the runtime on
    /// which documents are published.
    pub fn start(
        edges: &[String],
        secret: &Secret,
        client: &reqwest::Client,
        metrics: &Metrics,
        limits: &Limits,
    ) -> Result<EdgePush, StartError> {
        let edge = |base: &String| {
            let url = Url::parse(base).map_err(|error| StartError::Url(base.clone(), error.to_string()))?;
            let host =
                url.host_str().ok_or_else(|| StartError::Url(base.clone(), "it has no host".into()))?;
            let host = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
            Ok(Arc::new(Edge {
                base: base.trim_end_matches('/').into(),
                metrics: metrics.edge(&host),
                host,
                secret: secret.clone(),
                client: client.clone(),
                limits: limits.clone(),
                results: Mutex::default(),
                status: watch::Sender::new(Status {
                    up: false,
                    error: Some("nothing was pushed yet".into()),
                }),
                taken: watch::Sender::default(),
            }))
        };
        let edges = edges.iter().map(edge).collect::<Result<_, _>>()?;
        Ok(EdgePush { edges, documents: Mutex::default() })
    }

    /// Takes the event. Returns at once.
    pub fn publish_event(&self, event: &EventState) {
        self.publish_json(Document::Event, event);
    }

    /// Takes a channel's state. Returns at once.
    pub fn publish_state(&self, state: &ChannelState) {
        self.publish_json(Document::State(state.channel.clone()), state);
    }

    /// Takes a channel's score document as JSON. Returns at once.
    pub fn publish_score(&self, channel: &ChannelId, score: Bytes) {
        self.publish(Document::Score(channel.clone()), score);
    }

    /// How each edge is doing, by its host.
    pub fn statuses(&self) -> Vec<(String, watch::Receiver<Status>)> {
        self.edges.iter().map(|edge| (edge.host.clone(), edge.status.subscribe())).collect()
    }

    /// Resolves once every edge has taken what is published now. It may never: bound it.
    pub async fn settled(&self) {
        let wanted: Vec<(Document, Instant)> = {
            let documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
            documents.latest.iter().map(|(document, latest)| (document.clone(), latest.borrow().at)).collect()
        };
        for edge in &self.edges {
            let has = |taken: &BTreeMap<Document, Instant>| {
                wanted.iter().all(|(document, at)| taken.get(document).is_some_and(|taken| taken >= at))
            };
            // We hold the sender, so that this ends with the wish fulfilled.
            let _ = edge.taken.subscribe().wait_for(has).await;
        }
    }

    fn publish_json(&self, document: Document, value: &impl Serialize) {
        match serde_json::to_vec(value) {
            Ok(body) => self.publish(document, body.into()),
            Err(error) => error!("{document} can't be written as JSON: {error}"),
        }
    }

    fn publish(&self, document: Document, body: Bytes) {
        if body.len() > STATE_LEN_MAX {
            let len = body.len();
            error!("{document} has {len} bytes, more than the {STATE_LEN_MAX} that an edge takes: list less");
            return;
        }
        let published = Published { body, at: Instant::now() };
        // Both maps are whole after each of their methods.
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        match documents.latest.get(&document) {
            Some(latest) => drop(latest.send_replace(published)),
            None => {
                let latest = watch::Sender::new(published);
                for edge in &self.edges {
                    documents.tasks.spawn(push(edge.clone(), document.clone(), latest.subscribe()));
                }
                documents.latest.insert(document, latest);
            }
        }
    }
}

/// Pushes one document to one edge until it is no longer published.
async fn push(edge: Arc<Edge>, document: Document, mut latest: watch::Receiver<Published>) {
    let mut failures = 0_u32;
    loop {
        let published = latest.borrow_and_update().clone();
        let result = timeout(edge.limits.deadline, edge.put(&document, published.body)).await;
        let (result, error) = match result {
            Ok(Ok(result)) => (result, None),
            Ok(Err((result, text))) => (result, Some(text)),
            Err(_) => {
                let ms = edge.limits.deadline.as_millis();
                (PushResult::Failed, Some(format!("no answer within {ms} ms")))
            }
        };
        edge.metrics.push(result);
        if error.is_none() && failures == 0 && !latest.has_changed().unwrap_or(true) {
            edge.metrics.lag(published.at.elapsed());
        }
        failures = if error.is_some() { failures.saturating_add(1) } else { 0 };
        if error.is_none() {
            edge.taken.send_modify(|taken| {
                taken.insert(document.clone(), published.at);
            });
        }
        edge.tell(&document, error);
        if failures > 0 {
            // However often it changes meanwhile: an edge that fails is not asked more often.
            sleep(edge.limits.backoff.pause(failures, random::<2>().map_or(0, u16::from_le_bytes))).await;
            continue;
        }
        tokio::select! {
            changed = latest.changed() => if changed.is_err() { return },
            () = sleep(edge.limits.repeat) => {}
        }
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

impl Edge {
    /// One signed push. The error says how it counts, and why in a sentence.
    async fn put(&self, document: &Document, body: Bytes) -> Result<PushResult, (PushResult, String)> {
        let failed = |text: String| (PushResult::Failed, text);
        let url = format!("{}{}", self.base, document.path());
        let url = Url::parse(&url).map_err(|error| failed(error.to_string()))?;
        let nonce = random().ok_or_else(|| failed("this machine gives no randomness".into()))?;
        let secret = self.secret.expose().as_bytes();
        let signature = sign::sign(secret, "PUT", url.path(), &body, clock::now(), nonce);
        let request = self
            .client
            .put(url)
            .header(sign::HEADER, signature)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body);
        let mut response = request.send().await.map_err(|error| failed(web::words(&error)))?;
        let status = response.status().as_u16();
        let said = answer(&mut response).await;
        match status {
            204 => Ok(PushResult::Taken),
            200 => Ok(PushResult::Kept),
            401 | 403 => Err((
                PushResult::Refused,
                format!("it refuses our signature ({status}{said}): check that secrets.origin is the edge's"),
            )),
            404 | 405 => Err((
                PushResult::Refused,
                format!("it answers {status}{said}: is this the URL of a Railbird edge of our version?"),
            )),
            400..=499 => Err((PushResult::Refused, format!("it refuses {document} ({status}{said})"))),
            _ => Err(failed(format!("it answers {status}{said}"))),
        }
    }

    /// Takes over what a push came to; logs each change once.
    fn tell(&self, document: &Document, error: Option<String>) {
        let host = &self.host;
        let mut results = self.results();
        let before = results.insert(document.clone(), error.clone());
        match (&before, &error) {
            (None | Some(None), Some(error)) => warn!("edge {host} does not take {document}: {error}"),
            (Some(Some(old)), Some(new)) if old != new => {
                warn!("edge {host} does not take {document}: {new}");
            }
            (Some(Some(_)), None) => info!("edge {host} takes {document} again"),
            _ => {}
        }
        let error = results.values().flatten().next().cloned();
        self.metrics.up(error.is_none());
        let status = Status { up: error.is_none(), error };
        self.status.send_if_modified(|value| {
            let changed = *value != status;
            *value = status;
            changed
        });
    }

    fn results(&self) -> MutexGuard<'_, BTreeMap<Document, Option<String>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the edge says of an error, cut: `: message`, or nothing.
async fn answer(response: &mut reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LEN_MAX {
            return String::new();
        }
    }
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = json.pointer("/error/message").and_then(serde_json::Value::as_str).unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect();
    if message.is_empty() { message } else { format!(": {message}") }
}
