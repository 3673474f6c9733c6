//! Pushes what the edges need to know: the event, each channel's state, each channel's score. The latest wins.
//!
//! Each edge gets each document by its own task, so that neither a slow edge nor a large document delays another. A
//! document is pushed when it changes, again every ten seconds (an edge may have lost it), and again after a failure.

mod edge;
mod said;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::score;
use railbird_core::state::{ChannelState, EventState, ReplayList, STATE_LEN_MAX};
use reqwest::Url;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use self::edge::Edge;
use crate::clock::Theirs;
use crate::config::Secret;
use crate::delivery::Backoff;
use crate::telemetry::{Metrics, PushResult};

/// The most chapters and matches that wait for one edge.
const LANE_LEN_MAX: usize = 64;

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
    /// One lane an edge: a chapter or a match is pushed until it is taken, then the next.
    lanes: Vec<mpsc::Sender<Page>>,
    documents: Mutex<Documents>,
    forgot: Arc<watch::Sender<u64>>,
}

/// A chapter or a match on its way.
#[derive(Clone)]
struct Page {
    document: Document,
    body: Bytes,
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
    Replays(ChannelId),
    Chapter(ChannelId, RecordingId, usize),
    Match(ChannelId, MatchId),
}

impl Document {
    fn path(&self) -> String {
        match self {
            Document::Event => "/origin/v1/event".into(),
            Document::State(channel) => format!("/origin/v1/channels/{channel}/state"),
            Document::Score(channel) => format!("/origin/v1/channels/{channel}/score"),
            Document::Replays(channel) => format!("/origin/v1/channels/{channel}/replays"),
            Document::Chapter(channel, recording, number) => {
                format!("/origin/v1/channels/{channel}/replays/{recording}/{number}")
            }
            Document::Match(channel, match_id) => {
                format!("/origin/v1/channels/{channel}/matches/{match_id}")
            }
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Document::Event => f.write_str("the event"),
            Document::State(channel) => write!(f, "the state of {channel}"),
            Document::Score(channel) => write!(f, "the score of {channel}"),
            Document::Replays(channel) => write!(f, "the recordings of {channel}"),
            Document::Chapter(channel, recording, number) => {
                write!(f, "chapter {number} of recording {recording} of {channel}")
            }
            Document::Match(channel, match_id) => write!(f, "match {match_id} of {channel}"),
        }
    }
}

#[derive(Clone)]
struct Published {
    body: Bytes,
    at: Instant,
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
                clock: Theirs::default(),
                client: client.clone(),
                limits: limits.clone(),
                results: Mutex::default(),
                kept: Mutex::default(),
                status: watch::Sender::new(Status {
                    up: false,
                    error: Some("nothing was pushed yet".into()),
                }),
                failing: AtomicBool::new(false),
                missed: AtomicBool::new(false),
                taken: watch::Sender::default(),
            }))
        };
        let edges: Vec<Arc<Edge>> = edges.iter().map(edge).collect::<Result<_, _>>()?;
        let (mut lanes, mut documents) = (Vec::new(), Documents::default());
        let forgot: Arc<watch::Sender<u64>> = Arc::default();
        for edge in &edges {
            let (lane, pages) = mpsc::channel(LANE_LEN_MAX);
            documents.tasks.spawn(push_pages(edge.clone(), pages, forgot.clone()));
            lanes.push(lane);
        }
        Ok(EdgePush { edges, lanes, documents: Mutex::new(documents), forgot })
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

    /// Takes a channel's list of recordings. Returns at once.
    pub fn publish_replays(&self, list: &ReplayList) {
        self.publish_json(Document::Replays(list.channel.clone()), list);
    }

    /// Takes a chapter of a recording. Returns at once; false where an edge still has too many to take: offer it again.
    pub fn publish_chapter(&self, number: usize, chapter: &ChannelState) -> bool {
        let document = Document::Chapter(chapter.channel.clone(), chapter.recording.clone(), number);
        self.publish_in_lane(document, chapter)
    }

    /// Takes the score of a match that a recording has. Returns at once; false where an edge still has too much to take: offer
    /// it again.
    pub fn publish_match(&self, score: &score::Document) -> bool {
        self.publish_in_lane(Document::Match(score.channel.clone(), score.match_id.clone()), score)
    }

    fn publish_in_lane(&self, document: Document, value: &impl Serialize) -> bool {
        // An edge that fails keeps no other from what is new; it gets everything once it is back.
        let well =
            || self.edges.iter().zip(&self.lanes).filter(|(edge, _)| !edge.failing.load(Ordering::Relaxed));
        if well().any(|(_, lane)| lane.capacity() == 0) || well().next().is_none() {
            return false;
        }
        match serde_json::to_vec(value) {
            Ok(body) if body.len() > STATE_LEN_MAX => {
                error!(
                    "{document} has {} bytes, more than the {STATE_LEN_MAX} that an edge takes",
                    body.len()
                );
            }
            Ok(body) => {
                let page = Page { document, body: body.into() };
                for (edge, lane) in self.edges.iter().zip(&self.lanes) {
                    if lane.try_send(page.clone()).is_err() {
                        edge.missed.store(true, Ordering::Relaxed);
                    }
                }
            }
            Err(error) => error!("{document} can't be written as JSON: {error}"),
        }
        true
    }

    /// Counts how often an edge was found to have lost what it was told: it needs every chapter and match again.
    pub fn forgot(&self) -> watch::Receiver<u64> {
        self.forgot.subscribe()
    }

    /// The highest revision of a channel's state that an edge kept instead of what it was sent; 0 where it was never so. What
    /// is published must not be below it.
    pub fn state_kept(&self, channel: &ChannelId) -> u64 {
        self.kept(&Document::State(channel.clone()))
    }

    /// The same for the list of a channel's recordings.
    pub fn replays_kept(&self, channel: &ChannelId) -> u64 {
        self.kept(&Document::Replays(channel.clone()))
    }

    fn kept(&self, document: &Document) -> u64 {
        let kept = |edge: &Arc<Edge>| edge.kept().get(document).copied();
        self.edges.iter().filter_map(kept).max().unwrap_or(0)
    }

    /// What is pushed to this path of an edge, as it was published last: the event, a state, or a score.
    pub fn latest(&self, path: &str) -> Option<Bytes> {
        let documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let can_be_asked_for = |document: &Document| {
            matches!(document, Document::Event | Document::State(_) | Document::Score(_))
        };
        let mut published = documents.latest.iter().filter(|(document, _)| can_be_asked_for(document));
        let found = published.find(|(document, _)| document.path() == path);
        found.map(|(_, latest)| latest.borrow().body.clone())
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
                    let (edge, document, forgot) = (edge.clone(), document.clone(), self.forgot.clone());
                    documents.tasks.spawn(push(edge, document, latest.subscribe(), forgot));
                }
                documents.latest.insert(document, latest);
            }
        }
    }
}

/// Pushes one document to one edge until it is no longer published.
async fn push(
    edge: Arc<Edge>,
    document: Document,
    mut latest: watch::Receiver<Published>,
    forgot: Arc<watch::Sender<u64>>,
) {
    let mut failures = 0_u32;
    let mut had: Option<Instant> = None;
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
        // One document for each channel is enough to see that what it had already is news to it.
        let again = had == Some(published.at) && matches!(document, Document::Replays(_));
        if again && result == PushResult::Taken {
            info!("edge {} has lost what it knew: it gets every chapter again", edge.host);
            forgot.send_modify(|count| *count += 1);
        }
        if error.is_none() {
            had = Some(published.at);
        }
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

/// Pushes chapters and matches to one edge, one after another, each until it is taken or refused for good.
async fn push_pages(edge: Arc<Edge>, mut pages: mpsc::Receiver<Page>, forgot: Arc<watch::Sender<u64>>) {
    while let Some(Page { document, body }) = pages.recv().await {
        let mut failures = 0_u32;
        loop {
            let result = timeout(edge.limits.deadline, edge.put(&document, body.clone())).await;
            let (result, error) = match result {
                Ok(Ok(result)) => (result, None),
                Ok(Err((result, text))) => (result, Some(text)),
                Err(_) => (PushResult::Failed, Some("no answer in time".to_string())),
            };
            edge.metrics.push(result);
            if result != PushResult::Failed {
                // A refusal is the same the next time.
                if let Some(error) = error {
                    warn!("edge {} does not take {document}: {error}", edge.host);
                }
                break;
            }
            failures = failures.saturating_add(1);
            edge.failing.store(failures > 1, Ordering::Relaxed);
            sleep(edge.limits.backoff.pause(failures, random::<2>().map_or(0, u16::from_le_bytes))).await;
        }
        edge.failing.store(false, Ordering::Relaxed);
        if pages.is_empty() && edge.missed.swap(false, Ordering::Relaxed) {
            forgot.send_modify(|count| *count += 1);
        }
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
