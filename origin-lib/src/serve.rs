//! The origin as a whole: which part is started with what, and how it all stops.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use railbird_core::id::{ChannelId, RecordingId, RenditionId, TargetId};
use railbird_core::keys::MasterSecret;
use railbird_core::package;
use railbird_core::programme::Resume;
use railbird_core::publish::{Book, Channel as BookChannel};
use railbird_core::state::{ChannelBrief, EventState, Node as NodeState};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::api::{self, Api, Channels, Health};
use crate::config::{Config, Target};
use crate::delivery::{self, Ack, Delivery, ObjectRef};
use crate::driver::{Desk, Message, Sender};
use crate::edge_host::{self, EdgeHost, EdgeHostConfig};
use crate::edge_push::{self, EdgePush};
use crate::evidence::Evidence;
use crate::ingest::anchor::Pair;
use crate::ingest::{self, Listener, Registry};
use crate::push::{self as pushed, Pushes};
use crate::score::Scores;
use crate::spool::{Spool, Stored};
use crate::store;
use crate::telemetry::Metrics;
use crate::{clock, web};

/// What a feed becomes: the encoder's own stream, unchanged.
const RENDITION: &str = "source";

/// How long objects may still go out after a stop was asked for.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// How long pushes may take to say good-bye.
const PUSHES_DEADLINE: Duration = Duration::from_secs(2);

/// A running origin.
pub struct Running {
    /// Where the embedded edge listens, if there is one.
    pub edge: Option<SocketAddr>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where RTMP listens.
    pub rtmp: SocketAddr,
    listener: Listener,
    spool: Spool,
    desk: Sender,
    deliveries: Arc<[Delivery]>,
    http: Api,
    embedded: Option<edge_host::Running>,
    push: Arc<EdgePush>,
    pushes: Pushes,
    tasks: JoinSet<()>,
}

/// `railbird serve`: until SIGTERM or Ctrl-C.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let stopped = stop_signal();
    let edge = config.embedded_edge.as_ref().map_or("none here".to_string(), |edge| edge.public_url.clone());
    let running = start(config, |_| Router::new()).await?;
    tracing::info!(rtmp = %running.rtmp, api = %running.api, edge, "the origin runs");
    stopped.await;
    running.stop().await
}

/// Starts everything. `extra` makes further routes of the API, given the embedded edge's address.
pub async fn start(
    config: Config,
    extra: impl FnOnce(Option<SocketAddr>) -> Router,
) -> anyhow::Result<Running> {
    use std::os::unix::fs::DirBuilderExt;
    // Passes, scores and media: nobody else's business.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir);
    made.with_context(|| describe(&config.data_dir))?;
    let metrics = Metrics::new();
    let client = web::client()?;
    let rendition: RenditionId = RENDITION.parse()?;
    let mut tasks = JoinSet::new();

    let embedded = start_edge(&config, &metrics).await?;
    let edge = embedded.as_ref().map(edge_host::Running::addr);
    let edges = config.edges.iter().cloned().chain(edge.map(|addr| format!("http://{addr}")));
    let edges: Vec<String> = edges.collect();
    let limits = edge_push::Limits::default();
    let push = Arc::new(EdgePush::start(&edges, &config.secrets.origin, &client, &metrics, &limits)?);
    let (event, health) = (event_state(&config), Health::default());
    push.publish_event(&event);
    let channels = Channels::new(event);

    let (acks, acked) = mpsc::channel(delivery::ACKS_MAX);
    let deliveries: Arc<[Delivery]> = config
        .targets
        .iter()
        .map(|target| start_target(target, acks.clone(), &client, &metrics))
        .collect::<anyhow::Result<_>>()?;
    drop(acks);

    let books = config.channels.iter().map(|channel| {
        let book = Book::new(book_channel(&config, channel), rendition.clone());
        (channel.id.clone(), book)
    });
    let enqueue = enqueue(deliveries.clone(), rendition.clone());
    let (states, listed) = (push.clone(), channels.clone());
    let publish = move |state| {
        listed.set(&state);
        states.publish_state(&state);
    };
    let (desk, sender) = Desk::new(books.collect(), enqueue, publish);
    tasks.spawn(desk.run());
    tasks.spawn(forward_acks(acked, &config.targets, sender.clone()));
    for (node, delivery) in deliveries.iter().enumerate() {
        tasks.spawn(forward_up(node, delivery, sender.clone()));
    }

    let spool = start_spool(&config, sender.clone())?;
    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let (desk, metrics_of_feeds) = (sender.clone(), metrics.clone());
    let objects = ingest::Output {
        spool: spool.clone(),
        desk: sender,
        rendition,
        secret,
        metrics: metrics_of_feeds,
        pair: start_pair(&config, &mut tasks)?,
        anchored: Arc::new(|_, _, _| {}),
    };
    let evidence =
        Evidence::start(&config.data_dir.join("evidence")).with_context(|| describe(&config.data_dir))?;
    let pushes = Pushes::start(&config.pushes, &pushed::roots()?, &evidence, &objects.metrics);
    pushes.watch(&health);
    let taps = |channel: &ChannelId| pushes.taps(channel);
    let feeds = ingest::Channels::new(&config.channels, &objects, |_| Resume::default(), taps);
    let listener = Listener::start(config.rtmp, Registry::new(&config.channels), feeds).await?;

    let scores = start_scores(&config, &push, &mut tasks)?;
    metrics.register(|registry| scores.metrics().register(registry));
    let keys = config.channels.iter().filter_map(|channel| {
        Some((channel.id.clone(), channel.score_key.as_ref()?.expose().as_bytes().to_vec()))
    });
    watch_health(&health, &config, &deliveries, &push);
    let router = api::router(health, channels, metrics)
        .merge(api::score::router(scores, api::score::Keys::new(keys)))
        .merge(pushes.router())
        .merge(extra(edge));
    let http = Api::start(config.api, router).await;
    let http = http.with_context(|| format!("api.listen: can't listen at {}", config.api))?;

    let (rtmp, api) = (listener.addr, http.addr());
    Ok(Running { edge, api, rtmp, listener, spool, desk, deliveries, http, embedded, push, pushes, tasks })
}

impl Running {
    /// Ends the feeds in order, lets what they made go out, all within ten seconds, and stops.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        tracing::info!(
            "stopping: no new feeds, and up to {} s for what is on its way",
            DRAIN_DEADLINE.as_secs()
        );
        self.listener.stop().await;
        if tokio::time::timeout(PUSHES_DEADLINE, self.pushes.stop()).await.is_err() {
            tracing::warn!("not every push could be ended in order");
        }
        if tokio::time::timeout(DRAIN_DEADLINE, self.drained()).await.is_err() {
            let left: usize = self.deliveries.iter().map(Delivery::pending).sum();
            tracing::warn!(
                left,
                "stopped before every target and edge had the last objects: they will not get them"
            );
        }
        self.http.stop().await;
        if let Some(embedded) = self.embedded {
            embedded.shutdown().await;
        }
        self.tasks.shutdown().await;
        Ok(())
    }
}

impl Running {
    /// Disk, desk, targets, their acknowledgements, and the edges, in the order in which the last segment passes them.
    async fn drained(&self) {
        self.spool.settled().await;
        self.settled().await;
        for delivery in self.deliveries.iter() {
            delivery.drain(DRAIN_DEADLINE).await;
        }
        self.settled().await;
        self.push.settled().await;
    }

    async fn settled(&self) {
        let (answer, settled) = oneshot::channel();
        if self.desk.send(Message::Settled(answer)).await.is_ok() {
            // The desk's end answers as well.
            let _ = settled.await;
        }
    }
}

async fn start_edge(config: &Config, metrics: &Metrics) -> anyhow::Result<Option<edge_host::Running>> {
    let Some(edge) = &config.embedded_edge else { return Ok(None) };
    let mut host = EdgeHostConfig::new(edge.listen, &edge.component);
    host.assets = Some(edge.assets.clone());
    host.store_dir = Some(config.data_dir.join("edge"));
    host.metrics = metrics.embedded_edge();
    let secrets = &config.secrets;
    let named = [
        ("master_secret", Some(&secrets.master)),
        ("origin_secret", Some(&secrets.origin)),
        ("session_secret", secrets.session.as_ref()),
        ("admin_secret", secrets.admin.as_ref()),
    ];
    let variables =
        named.into_iter().filter_map(|(name, secret)| Some((name.to_string(), secret?.expose().to_string())));
    host.variables = variables.collect();
    Ok(Some(EdgeHost::start(host).await?))
}

/// What `/healthz` looks at.
fn watch_health(health: &Health, config: &Config, deliveries: &[Delivery], push: &EdgePush) {
    for (target, delivery) in config.targets.iter().zip(deliveries) {
        let (status, node) = (delivery.status(), delivery.node_up());
        health.watch("target", target.id.as_str(), move || status.borrow().error.clone());
        let (status, written, url) = (delivery.status(), delivery.newest(), target.node.url.clone());
        health.watch("node", target.node.id.as_str(), move || {
            let written = status.borrow().up && written.borrow().is_some();
            (written && !*node.borrow()).then(|| format!("nothing can be read at {url}"))
        });
    }
    for (edge, status) in push.statuses() {
        health.watch("edge", edge, move || status.borrow().error.clone());
    }
}

/// What this origin shares with another one, where it is one of two.
fn start_pair(config: &Config, tasks: &mut JoinSet<()>) -> anyhow::Result<Option<Arc<Pair>>> {
    let at = |id: &TargetId| config.targets.iter().find(|target| target.id == *id);
    let Some(target) = config.anchors_at.as_ref().and_then(at) else { return Ok(None) };
    // A connection of its own, so that no queue of the target is in its way.
    let store = store::open(target).with_context(|| format!("target {} can't be opened", target.id))?;
    let pair = Arc::new(Pair::new(store, config.origin.clone()));
    let prepared = pair.clone();
    tasks.spawn(async move { prepared.prepare().await });
    Ok(Some(pair))
}

fn start_target(
    target: &Target,
    acks: mpsc::Sender<Ack>,
    client: &reqwest::Client,
    metrics: &Metrics,
) -> anyhow::Result<Delivery> {
    let store = store::open(target).with_context(|| format!("target {} can't be opened", target.id))?;
    // The store keeps the target's deadlines and says which one was missed; this one is for a store that doesn't.
    let put_deadline = target.connection.deadlines.total + Duration::from_secs(1);
    let limits = delivery::Limits { put_deadline, ..delivery::Limits::default() };
    let (id, node) = (target.id.clone(), target.node.clone());
    let figures = metrics.target(&target.id, &target.node.id);
    Ok(Delivery::start(id, node, store, acks, client.clone(), figures, limits))
}

fn book_channel(config: &Config, channel: &crate::config::Channel) -> BookChannel {
    let node = |target: &Target| NodeState {
        weight: target.weight,
        ..NodeState::new(target.node.id.clone(), target.node.url.clone(), false)
    };
    BookChannel {
        id: channel.id.clone(),
        origin: config.origin.clone(),
        recording: RecordingId::beginning(clock::now()),
        title: channel.title.clone(),
        segment_ms: channel.segment_ms,
        key_period_s: channel.key_period_s,
        window_s: channel.dvr_s,
        nodes: config.targets.iter().map(node).collect(),
    }
}

fn event_state(config: &Config) -> EventState {
    let brief = |channel: &crate::config::Channel| ChannelBrief {
        id: channel.id.clone(),
        title: channel.title.clone(),
    };
    EventState {
        event: config.event.id.clone(),
        title: config.event.title.clone(),
        revision: clock::now().0,
        channels: config.channels.iter().map(brief).collect(),
    }
}

/// Hands each object to every target, with the init segment that it needs.
fn enqueue(deliveries: Arc<[Delivery]>, rendition: RenditionId) -> impl FnMut(&Stored) {
    let mut inits: BTreeMap<ChannelId, String> = BTreeMap::new();
    move |stored| {
        let (channel, object) = (&stored.made.channel, &stored.made.object);
        let (start, kind) = match &object.kind {
            package::Kind::Init(init) => {
                inits.insert(channel.clone(), init.name.clone());
                (clock::now().media(), delivery::Kind::Init)
            }
            package::Kind::Segment { start, .. } => {
                let init = inits.get(channel).cloned().unwrap_or_default();
                (*start, delivery::Kind::Segment { init })
            }
        };
        let object_ref = Arc::new(ObjectRef {
            channel: channel.clone(),
            rendition: rendition.clone(),
            name: object.name.clone(),
            path: stored.path.clone(),
            len: object.bytes.len() as u64,
            start,
            kind,
        });
        for delivery in deliveries.iter() {
            delivery.enqueue(object_ref.clone(), Some(object.bytes.clone()));
        }
    }
}

fn forward_acks(
    mut acked: mpsc::Receiver<Ack>,
    targets: &[Target],
    desk: Sender,
) -> impl Future<Output = ()> + use<> {
    let nodes: BTreeMap<_, _> =
        targets.iter().enumerate().map(|(node, target)| (target.id.clone(), node)).collect();
    async move {
        while let Some(ack) = acked.recv().await {
            let Some(&node) = nodes.get(&ack.target) else { continue };
            let (channel, name) = (ack.object.channel.clone(), ack.object.name.clone());
            if desk.send(Message::Acked { channel, node, name }).await.is_err() {
                return;
            }
        }
    }
}

fn forward_up(node: usize, delivery: &Delivery, desk: Sender) -> impl Future<Output = ()> + use<> {
    let mut up = delivery.up();
    async move {
        loop {
            let now = *up.borrow_and_update();
            if desk.send(Message::NodeUp { node, up: now }).await.is_err() || up.changed().await.is_err() {
                return;
            }
        }
    }
}

fn start_spool(config: &Config, desk: Sender) -> anyhow::Result<Spool> {
    let dir = config.data_dir.join("objects");
    let lost = desk.clone();
    // On the spool's own thread: it may wait for the desk, which waits for nobody.
    let stored = move |stored| drop(desk.blocking_send(Message::Stored(stored)));
    let failed = move |made: &crate::driver::Made, error: &std::io::Error| {
        tracing::error!(object = made.object.name, %error, "an object can't be written to data_dir: viewers get a gap");
        drop(lost.blocking_send(Message::Lost(made.clone())));
    };
    Spool::start(&dir, config.spool.keep, stored, failed).with_context(|| describe(&dir))
}

fn describe(dir: &Path) -> String {
    format!("origin.data_dir: {} can't be used", dir.display())
}

fn start_scores(config: &Config, push: &Arc<EdgePush>, tasks: &mut JoinSet<()>) -> anyhow::Result<Scores> {
    let dir = config.data_dir.join("score");
    let offsets =
        config.channels.iter().map(|channel| (channel.id.clone(), i64::from(channel.score_offset_ms)));
    let scores = Scores::open(&dir, offsets)?;
    for channel in &config.channels {
        let Some(mut documents) = scores.subscribe(&channel.id) else { continue };
        let (push, channel) = (push.clone(), channel.id.clone());
        tasks.spawn(async move {
            loop {
                let document = documents.borrow_and_update().clone();
                if let Some(document) = document {
                    match serde_json::to_vec(&*document) {
                        Ok(json) => push.publish_score(&channel, json.into()),
                        Err(error) => tracing::error!(%channel, %error, "the score can't be written as JSON"),
                    }
                }
                if documents.changed().await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(scores)
}

/// Resolves at the first SIGTERM or Ctrl-C. From the call on, neither ends the process by itself.
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without handlers, the signals end the process.
            _ => std::future::pending().await,
        }
    }
}
