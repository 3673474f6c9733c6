//! Pushes channels on by RTMP: to a social platform, or to the entry point of another CDN.
//!
//! Each destination has one task and one bounded queue of the samples that its channel is made of. A destination that is
//! slow or dead fills its own queue and nothing else: what does not fit is dropped up to the next key frame, and counted.
//! [`State`] is what is so: a push says `pushing` only while the destination has taken the stream and reads what is written.

mod link;
mod queue;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use railbird_core::id::{ChannelId, PushId};
use railbird_core::time::UtcMs;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::Health;
use crate::burn::{self, Burner};
use crate::config;
use crate::evidence::{Entry, Evidence, Subject, What};
use crate::ingest::Tap;
use crate::{clock, telemetry};

pub use link::{RootsError, roots};
pub(crate) use queue::Queue;
use session::{Session, Timestamps};

/// Waits between attempts: doubled each time, from the first to the last, and up to half of it more by chance.
const PAUSE_MS: (u64, u64) = (500, 30_000);

/// A session that went well for this long makes the next pause the first one again.
const GOOD: Duration = Duration::from_secs(30);

/// Where a push stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// The channel has nothing to push.
    Idle,
    /// The first attempt since it was idle.
    Connecting,
    /// The destination has taken the stream and reads it.
    Pushing {
        /// Since when.
        since: UtcMs,
    },
    /// The destination can't be reached or does not take the stream; it is tried again and again.
    Failing {
        /// Since when.
        since: UtcMs,
        /// What the last attempt came to.
        reason: String,
    },
}

/// One destination.
struct Push {
    id: PushId,
    channel: ChannelId,
    /// Without the stream key.
    url: String,
    optional: bool,
    /// What the channel gives: samples for the destination, or, with a burn-in, for that.
    taken: Arc<Queue>,
    queue: Arc<Queue>,
    state: watch::Receiver<State>,
    burn_in: Option<watch::Receiver<burn::State>>,
}

/// All pushes of this origin. Dropping it ends them.
pub struct Pushes {
    all: Arc<[Push]>,
    burners: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// What `GET /v1/pushes` tells of each.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a PushId,
    channel: &'a ChannelId,
    url: &'a str,
    optional: bool,
    #[serde(flatten)]
    state: State,
    /// How the score gets into the picture, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    burn_in: Option<burn::State>,
    /// Samples that did not fit, since the start.
    dropped: u64,
}

type Labels = Vec<(&'static str, String)>;

/// The figures of one push.
#[derive(Clone, Debug)]
struct Figures {
    up: Gauge,
    bytes: Counter,
    dropped: Counter,
    attempts: Counter,
}

impl Pushes {
    /// Starts a task for each destination. `tls` is what `rtmps://` is checked against; `scores` has the score of the channels
    /// into whose picture it is burnt.
    pub fn start(
        pushes: &[config::Push],
        tls: &Arc<rustls::ClientConfig>,
        scores: impl Fn(&ChannelId) -> Option<burn::Scores>,
        evidence: &Evidence,
        metrics: &telemetry::Metrics,
    ) -> Pushes {
        let (up, bytes) = (Family::<Labels, Gauge>::default(), Family::<Labels, Counter>::default());
        let (dropped, attempts) =
            (Family::<Labels, Counter>::default(), Family::<Labels, Counter>::default());
        metrics.register(|r| {
            r.register("push_up", "1 while the destination takes the stream", up.clone());
            r.register("push_bytes", "Bytes of media written to the destination", bytes.clone());
            r.register("push_dropped", "Samples that the destination was too slow for", dropped.clone());
            r.register("push_attempts", "Attempts to connect to the destination", attempts.clone());
        });
        // The client takes its key out of what a server says; a file that leaves the house is worth a second look.
        let keys: Vec<_> = pushes.iter().map(|push| config::Secret::new(push.url.key.reveal())).collect();
        let evidence = evidence.without(&keys);
        let burn_metrics =
            pushes.iter().any(|push| push.burn_in.is_some()).then(|| burn::Metrics::register(metrics));
        let (mut tasks, mut burners) = (JoinSet::new(), JoinSet::new());
        let all = pushes.iter().map(|push| {
            let labels = vec![("push", push.id.to_string()), ("channel", push.channel.to_string())];
            let figures = Figures {
                up: up.get_or_create_owned(&labels),
                bytes: bytes.get_or_create_owned(&labels),
                dropped: dropped.get_or_create_owned(&labels),
                attempts: attempts.get_or_create_owned(&labels),
            };
            let queue = Arc::new(Queue::new(figures.dropped.clone()));
            let (sender, state) = watch::channel(State::Idle);
            let task = Task {
                push: push.clone(),
                queue: queue.clone(),
                state: sender,
                tls: tls.clone(),
                evidence: evidence.clone(),
                figures,
                timestamps: Timestamps::default(),
            };
            tasks.spawn(task.run());
            let burn_in = push.burn_in.as_ref().zip(scores(&push.channel)).zip(burn_metrics.as_ref());
            let mut taken = Arc::clone(&queue);
            let burn_in = burn_in.map(|((settings, scores), metrics)| {
                // What does not fit is counted with what did not fit before the destination.
                taken = Arc::new(Queue::new(dropped.get_or_create_owned(&labels)));
                let to = Arc::clone(&queue);
                let sink: burn::Sink = Arc::new(move |passed| to.push(passed));
                let (burner, state) =
                    Burner::new(settings, Arc::clone(&taken), scores, metrics, &labels, sink);
                burners.spawn(burner.run());
                state
            });
            let (id, channel, url) = (push.id.clone(), push.channel.clone(), push.url.without_key());
            Push { id, channel, url, optional: push.optional, taken, queue, state, burn_in }
        });
        let all = all.collect();
        Pushes { all, burners, tasks }
    }

    /// Who wants the samples of a channel.
    pub fn taps(&self, channel: &ChannelId) -> Vec<Tap> {
        let tap = |push: &Push| -> Tap {
            let queue = push.taken.clone();
            Arc::new(move |passed| queue.push(passed))
        };
        self.all.iter().filter(|push| push.channel == *channel).map(tap).collect()
    }

    /// Where a push stands, now and from now on.
    pub fn state(&self, id: &PushId) -> Option<watch::Receiver<State>> {
        self.all.iter().find(|push| push.id == *id).map(|push| push.state.clone())
    }

    /// How the score gets into what is pushed, now and from now on; `None` where it does not.
    pub fn burn_in(&self, id: &PushId) -> Option<watch::Receiver<burn::State>> {
        self.all.iter().find(|push| push.id == *id).and_then(|push| push.burn_in.clone())
    }

    /// Lets `/healthz` look at the pushes that are not optional.
    pub fn watch(&self, health: &Health) {
        for push in self.all.iter().filter(|push| !push.optional) {
            let state = push.state.clone();
            let id = push.id.to_string();
            health.watch(move || match &*state.borrow() {
                State::Failing { reason, .. } => vec![("push", id.clone(), reason.clone())],
                _ => Vec::new(),
            });
            let (id, Some(burn_in)) = (push.id.to_string(), push.burn_in.clone()) else { continue };
            health.watch(move || match &*burn_in.borrow() {
                burn::State::Failing { reason, .. } => vec![("burn-in", id.clone(), reason.clone())],
                _ => Vec::new(),
            });
        }
    }

    /// `GET /v1/pushes`.
    pub fn router(&self) -> Router {
        let all = self.all.clone();
        let shown = async move || {
            let shown: Vec<_> = all.iter().map(Push::shown).map(serde_json::to_value).collect();
            Json(shown.into_iter().filter_map(Result::ok).collect::<Vec<_>>())
        };
        Router::new().route("/v1/pushes", get(shown))
    }

    /// Ends every push in order, each within its deadlines.
    pub async fn stop(&mut self) {
        self.all.iter().for_each(|push| push.taken.close());
        while self.burners.join_next().await.is_some() {}
        self.all.iter().for_each(|push| push.queue.close());
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Push {
    fn shown(&self) -> Shown<'_> {
        Shown {
            id: &self.id,
            channel: &self.channel,
            url: &self.url,
            optional: self.optional,
            state: self.state.borrow().clone(),
            burn_in: self.burn_in.as_ref().map(|state| state.borrow().clone()),
            dropped: self.queue.dropped() + if self.burn_in.is_some() { self.taken.dropped() } else { 0 },
        }
    }
}

/// What keeps one push going.
struct Task {
    push: config::Push,
    queue: Arc<Queue>,
    state: watch::Sender<State>,
    tls: Arc<rustls::ClientConfig>,
    evidence: Evidence,
    figures: Figures,
    timestamps: Timestamps,
}

impl Task {
    async fn run(mut self) {
        let mut pause_ms = PAUSE_MS.0;
        // Nothing to push: nothing to connect for.
        while self.queue.flows().await {
            if matches!(*self.state.borrow(), State::Idle) {
                self.state.send_replace(State::Connecting);
            }
            self.figures.attempts.inc();
            let began = clock::moment();
            let ended = self.session().await;
            self.figures.up.set(0);
            self.queue.rest();
            match ended {
                Ok(()) => {
                    self.state.send_replace(State::Idle);
                    pause_ms = PAUSE_MS.0;
                    continue;
                }
                Err(error) => self.failed(error.to_string()),
            }
            if clock::moment().ms_since(began.up_ms) >= GOOD.as_millis() as u64 {
                pause_ms = PAUSE_MS.0;
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause_ms)) => {}
                () = self.queue.closed() => return,
            }
            pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
        }
    }

    /// One connection, until the channel has nothing more to push (`Ok`) or the destination fails.
    async fn session(&mut self) -> Result<(), session::Failure> {
        let mut session = tokio::select! {
            begun = begin(&self.push, &self.tls, &self.figures.bytes) => begun?,
            () = self.queue.closed() => return Ok(()),
        };
        self.went_up();
        session.send_all(&self.queue, &mut self.timestamps).await
    }

    fn went_up(&self) {
        self.figures.up.set(1);
        self.state.send_replace(State::Pushing { since: clock::now() });
        tracing::info!(push = %self.push.id, channel = %self.push.channel, url = self.push.url.without_key(), "pushing");
        self.record(What::Up);
    }

    fn failed(&self, reason: String) {
        let (was, now) = (self.state.borrow().clone(), clock::now());
        let (push, channel) = (&self.push.id, &self.push.channel);
        match was {
            State::Failing { since, reason: last } => {
                if last != reason {
                    tracing::warn!(%push, %channel, reason, "the push still fails");
                }
                self.record(What::Failed { class: "retry".into(), text: reason.clone() });
                self.state.send_replace(State::Failing { since, reason });
            }
            _ => {
                tracing::warn!(%push, %channel, reason, "the push fails; it is tried again by itself");
                self.record(What::Down { reason: reason.clone() });
                self.state.send_replace(State::Failing { since: now, reason });
            }
        }
    }

    fn record(&self, what: What) {
        let subject = Subject::Push(self.push.id.clone());
        self.evidence.record(Entry { at: clock::now(), subject, what, object: None, len: 0, trace: None });
    }
}

/// Connects, up to where the destination has taken the stream.
async fn begin<'a>(
    push: &config::Push,
    tls: &Arc<rustls::ClientConfig>,
    bytes: &'a Counter,
) -> Result<Session<'a>, session::Failure> {
    let mut session = Session::new(link::open(&push.url, tls).await?, &push.url, bytes);
    session.begin().await?;
    Ok(session)
}

/// A pause and up to half of it more.
pub(crate) fn jittered(pause_ms: u64) -> Duration {
    let mut bytes = [0; 8];
    // Without randomness, all pause alike.
    let _ = getrandom::fill(&mut bytes);
    Duration::from_millis(pause_ms + u64::from_le_bytes(bytes) % (pause_ms / 2 + 1))
}

/// Counts samples that were dropped, for the figures and for the API.
#[derive(Debug)]
struct Dropped {
    figure: Counter,
    count: AtomicU64,
}
