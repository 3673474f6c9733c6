//! The origin as a whole: which part is started with what, and how it all stops.

mod edges;
mod library;
mod past;
mod scoring;
mod stop;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use prometheus_client::metrics::gauge::Gauge;
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::keys::MasterSecret;
use railbird_core::state::{ChannelBrief, EventState};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::crew::Crew;
use crate::api::{self, Api, Channels, Health};
use crate::config::Config;
use crate::driver::{self, Desk, Message, Sender};
use crate::edge_host::{self, EdgeHost, EdgeHostConfig};
use crate::edge_push::{self, EdgePush};
use crate::evidence::Evidence;
use crate::ingest::anchor::Pair;
use crate::ingest::{self, Calls, Door, HttpListener, Listener, Registry, SrtListener, WhipListener};
use crate::journal;
use crate::ladder::{self, Ladders};
use crate::other::Other;
use crate::push::{self as pushed, Pushes};
use crate::spool::keeper::{AtTargets, Bounds, Gone, Keeper};
use crate::spool::{self, Disk, Spool};
use crate::store;
use crate::targets::passing::Passing;
use crate::targets::sweep::Sweep;
use crate::targets::{self, Targets, Tools};
use crate::telemetry::Metrics;
use crate::{clock, web};
use library::Library;
use past::Past;
use scoring::Scoring;
pub use stop::stop_signal;
use world::Edges;

/// How many requests the embedded edge answers at a time where a channel is one of low latency: each of its viewers has one
/// that waits, nearly always, and half of these may.
const INSTANCES_LOW_LATENCY: usize = 512;

/// A running origin.
pub struct Running {
    /// Where the embedded edge listens, if there is one.
    pub edge: Option<SocketAddr>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where RTMP listens.
    pub rtmp: SocketAddr,
    /// Where RTMP over TLS listens, if it does.
    pub rtmps: Option<SocketAddr>,
    /// Where feeds over HTTP are listened for, if they are.
    pub http_ingest: Option<SocketAddr>,
    /// Where SRT is listened for, if it is.
    pub srt: Option<SocketAddr>,
    /// Where WHIP is listened for, if it is.
    pub whip: Option<SocketAddr>,
    /// Where the media of WHIP sessions comes, if it does.
    pub whip_udp: Option<SocketAddr>,
    /// What the crew may change.
    pub crew: Crew,
    feeds: ingest::Channels,
    ladders: Ladders,
    listener: Listener,
    http_listener: Option<HttpListener>,
    srt_listener: Option<SrtListener>,
    whip_listener: Option<WhipListener>,
    calls: Calls,
    spool: Spool,
    desk: Sender,
    targets: Targets,
    http: Api,
    embedded: Option<edge_host::Running>,
    push: Arc<EdgePush>,
    pushes: Pushes,
    tasks: JoinSet<()>,
    keeper: Keeper,
    _clock: clock::Kept,
}

/// `railbird serve`: until SIGTERM or Ctrl-C.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let stopped = stop_signal();
    let edge = config.embedded_edge.as_ref().map_or("none here".to_string(), |edge| edge.public_url.clone());
    raise_open_files();
    let running = start(config, |_| Router::new()).await?;
    let none_or = |addr: Option<SocketAddr>| addr.map_or("none".to_string(), |addr| addr.to_string());
    let [rtmps, http_ingest, srt, whip, whip_udp] =
        [running.rtmps, running.http_ingest, running.srt, running.whip, running.whip_udp].map(none_or);
    tracing::info!(rtmp = %running.rtmp, rtmps, http_ingest, srt, whip, whip_udp, api = %running.api, edge, "the origin runs");
    tokio::pin!(stopped);
    let mut reloads = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    loop {
        tokio::select! {
            () = &mut stopped => return running.stop().await,
            _ = reloads.recv() => {
                if let Err(error) = running.crew.reload().await {
                    tracing::error!("the configuration is not taken over: {}", error.message);
                }
            }
        }
    }
}

/// As many open files as the system lets us have without asking: encoders, viewers of the embedded edge, and journals.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
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
    let kept_clock =
        clock::keep(&config.data_dir.join("clock")).with_context(|| describe(&config.data_dir))?;
    let metrics = Metrics::new();
    let client = web::client()?;
    let mut tasks = JoinSet::new();

    let embedded = start_edge(&config, &metrics).await?;
    let edge = embedded.as_ref().map(edge_host::Running::addr);
    let edges = config.edges.iter().cloned().chain(edge.map(|addr| format!("http://{addr}")));
    let edges: Vec<String> = edges.collect();
    let limits = edge_push::Limits::default();
    let push = Arc::new(EdgePush::start(&edges, &config.secrets.origin, &client, &metrics, &limits)?);
    let statuses = push.statuses();
    let (event, health) = (event_state(&config), Health::default());
    push.publish_event(&event);
    let channels = Channels::new(event);

    let (desk, messages) = driver::channel();
    let begin = targets::Begin::of(&config).context("targets.json")?;
    for target in begin.moved() {
        tracing::warn!(%target, "it is another place than before: it gets everything that is on the disk");
        for channel in &config.channels {
            journal::forget_target(&config.data_dir, &channel.id, &target)?;
        }
    }
    let mut past = Past::read(&config);
    let spool = start_spool(&config, past.lines, desk.clone())?;
    let evidence = Evidence::keeping(&config.data_dir.join("evidence"), config.evidence.keep_days);
    let evidence = evidence.with_context(|| describe(&config.data_dir))?.without(&config.known_secrets);
    metrics.register(|registry| evidence.register(registry));
    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let (nodes, takers) = (begin.nodes(), begin.takers());
    for (host, status) in statuses {
        tasks.spawn(edges::watch(host, status, evidence.clone()));
    }
    let evidence_of_pushes = evidence.clone();
    let tools = Tools {
        client: client.clone(),
        metrics: metrics.clone(),
        evidence,
        desk: desk.clone(),
        other: config.anchors_at.as_ref().map(|_| Other { secret: secret.clone() }),
    };
    let targets = Targets::start(&config.data_dir, begin, tools)?;
    let library = Library::start(&config, past.ended, targets.clone(), push.clone(), &mut tasks);
    let passing = Passing::default();
    let (passed, low_latency) =
        (targets.clone(), config.channels.iter().any(|channel| channel.part_ms.is_some()));
    if low_latency {
        let passing = passing.clone();
        tasks.spawn(async move { passing.run(move || passed.stores()).await });
    }
    let scores = scoring::open(&config, &push, &mut tasks)?;
    let scoring = Scoring::start(&config, &scores, &push, &mut tasks);
    let world = Edges {
        targets: targets.clone(),
        push: push.clone(),
        channels: channels.clone(),
        library,
        spool: spool.clone(),
        desk: desk.clone(),
        passing: passing.clone(),
        scoring,
    };
    tasks.spawn(Desk::new(past.begins, nodes, takers, messages, spool.clone(), world).run());
    let keeper = start_keeper(&config, &spool, &targets, desk.clone());
    let swept = targets.clone();
    tasks.spawn(Sweep::new(&config.data_dir).run(move || swept.stores()));

    let (keep_anchor, figures) = (desk.clone(), metrics.clone());
    let way = ladder::Way { spool: spool.clone(), desk: desk.clone() };
    let ladders = Ladders::start(&config, &secret, &way, &metrics, &mut tasks);
    let unwell = ladders.clone();
    health.watch(move || unwell.unwell());
    let objects = ingest::Output {
        ladders: ladders.clone(),
        spool: spool.clone(),
        desk: desk.clone(),
        secret,
        metrics: figures,
        pair: start_pair(&config, &mut tasks)?,
        promises: std::mem::take(&mut past.promises),
        sounds: std::mem::take(&mut past.sounds),
        anchored: Arc::new(move |channel, role, anchor| {
            let (channel, feed) = (channel.clone(), role.as_str().to_string());
            if keep_anchor.try_send(Message::Anchored { channel, feed, anchor }).is_err() {
                tracing::warn!("an anchor is not kept: after a restart, the feed's clock is tied anew");
            }
        }),
    };
    let pushes = Pushes::start(
        &config.pushes,
        &pushed::roots()?,
        |channel| scores.subscribe(channel),
        &evidence_of_pushes,
        &objects.metrics,
    );
    pushes.watch(&health);
    let taps = |channel: &ChannelId| pushes.taps(channel);
    let resume = |channel: &ChannelId| past.resumes.get(channel).cloned().unwrap_or_default();
    let feeds = ingest::Channels::new(&config.channels, &objects, resume, taps, |channel| {
        channel.score_emsg.then(|| scores.subscribe(&channel.id))?
    });
    let of_feeds = feeds.clone();
    health.watch(move || of_feeds.unwell());
    let door = Door::new(Registry::new(&config.channels), feeds.clone());
    let listener = Listener::start(config.rtmp, config.rtmps.as_ref(), door.clone()).await?;
    let http_listener = match config.http_ingest {
        Some(addr) => Some(HttpListener::start(addr, door.clone()).await?),
        None => None,
    };
    let srt_listener = match &config.srt {
        Some(settings) => Some(SrtListener::start(settings, door.clone()).await?),
        None => None,
    };
    let whip_listener = match &config.whip {
        Some(settings) => Some(WhipListener::start(settings, &config.channels, door.clone()).await?),
        None => None,
    };
    let calls = Calls::default();
    for (_, feed) in config.channels.iter().flat_map(|channel| channel.all_feeds()) {
        if let Some(call) = feed.call.clone() {
            calls.start(call, feed.stream_key.clone(), door.clone());
        }
    }

    metrics.register(|registry| scores.metrics().register(registry));
    let scorers = scores.clone();
    health.watch(move || scorers.unwell(clock::now()));
    let pad = match &config.pad {
        Some(dir) => {
            api::pad::router(dir, scores.clone()).with_context(|| format!("score.pad: {}", dir.display()))?
        }
        None => Router::new(),
    };
    let keys = config.channels.iter().filter_map(|channel| {
        Some((channel.id.clone(), channel.score_key.as_ref()?.expose().as_bytes().to_vec()))
    });
    let keys = api::score::Keys::new(keys);
    let systems = scoring::systems(&config, &scores, &mut tasks)?;
    watch_health(&health, &targets, &push, &spool);
    tasks.spawn(show_alarm(&metrics, spool.disk()));
    let crew = Crew::new(&config, targets.clone(), feeds.clone(), desk.clone());
    let router = api::router(health, channels, metrics)
        .merge(api::crew::router(crew.clone()))
        .merge(api::edges::router(push.clone(), config.secrets.origin.clone()))
        .merge(api::calibrate::router(crew.clone(), scores.clone()))
        .merge(api::score::system::router(systems, scores.clone(), keys.clone()))
        .merge(api::score::router(scores, keys))
        .merge(pad)
        .merge(pushes.router())
        .merge(extra(edge));
    let http = Api::start(config.api, router).await;
    let http = http.with_context(|| format!("api.listen: can't listen at {}", config.api))?;

    let (rtmp, rtmps, api) = (listener.addr, listener.tls_addr, http.addr());
    Ok(Running {
        edge,
        api,
        rtmp,
        rtmps,
        http_ingest: http_listener.as_ref().map(|listener| listener.addr),
        srt: srt_listener.as_ref().map(|listener| listener.addr),
        whip: whip_listener.as_ref().map(|listener| listener.addr),
        whip_udp: whip_listener.as_ref().map(|listener| listener.udp),
        crew,
        feeds,
        ladders,
        listener,
        http_listener,
        srt_listener,
        whip_listener,
        calls,
        spool,
        desk,
        targets,
        http,
        embedded,
        push,
        pushes,
        tasks,
        keeper,
        _clock: kept_clock,
    })
}

async fn start_edge(config: &Config, metrics: &Metrics) -> anyhow::Result<Option<edge_host::Running>> {
    let Some(edge) = &config.embedded_edge else { return Ok(None) };
    let mut host = EdgeHostConfig::new(edge.listen, &edge.component);
    host.assets = Some(edge.assets.clone());
    host.store_dir = Some(config.data_dir.join("edge"));
    host.metrics = metrics.embedded_edge();
    if config.channels.iter().any(|channel| channel.part_ms.is_some()) {
        host.instances_max = INSTANCES_LOW_LATENCY;
    }
    let secrets = &config.secrets;
    let named = [
        ("master_secret", Some(&secrets.master)),
        ("origin_secret", Some(&secrets.origin)),
        ("session_secret", secrets.session.as_ref()),
        ("session_secret_previous", secrets.session_previous.as_ref()),
        ("webhook_secret", secrets.webhook.as_ref()),
        ("admin_secret", secrets.admin.as_ref()),
    ];
    let variables =
        named.into_iter().filter_map(|(name, secret)| Some((name.to_string(), secret?.expose().to_string())));
    host.variables = variables.collect();
    host.variables.insert("cors_origins".to_string(), edge.cors_origins.join(" "));
    host.variables.insert("origin_urls".to_string(), edge.origin_urls.join(" "));
    host.readable.clone_from(&edge.origin_urls);
    if let Some(url) = &edge.webhook_url {
        host.outbound = vec![url.parse().context("embedded_edge.webhook_url")?];
        host.variables.insert("webhook_url".to_string(), url.clone());
        host.variables.insert("public_url".to_string(), edge.public_url.clone());
    }
    Ok(Some(EdgeHost::start(host).await?))
}

/// What `/healthz` looks at.
fn watch_health(health: &Health, targets: &Targets, push: &EdgePush, spool: &Spool) {
    let targets = targets.clone();
    health.watch(move || targets.unwell());
    for (edge, status) in push.statuses() {
        health.watch(move || {
            let error = status.borrow().error.clone();
            error.map(|error| ("edge", edge.clone(), error)).into_iter().collect()
        });
    }
    let disk = spool.disk();
    health.watch(move || {
        let alarm = disk.borrow().alarm();
        alarm.map(|alarm| ("disk", "data_dir".to_string(), alarm)).into_iter().collect()
    });
}

/// Shows in the metrics whether there is an alarm of the disk: the one that `/healthz` and the log say in words.
fn show_alarm(metrics: &Metrics, mut disk: watch::Receiver<Disk>) -> impl Future<Output = ()> + use<> {
    let gauge = Gauge::<i64>::default();
    let help = "1 while data_dir has too little room, or does not take what is recorded";
    metrics.register(|registry| registry.register("disk_alarm", help, gauge.clone()));
    async move {
        loop {
            gauge.set(i64::from(disk.borrow_and_update().alarm().is_some()));
            if disk.changed().await.is_err() {
                return;
            }
        }
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

fn event_state(config: &Config) -> EventState {
    let brief = |channel: &crate::config::Channel| ChannelBrief {
        id: channel.id.clone(),
        title: channel.title.clone(),
    };
    EventState {
        event: config.event.id.clone(),
        origin: Some(config.origin.clone()),
        title: config.event.title.clone(),
        revision: clock::steady().0,
        channels: config.channels.iter().map(brief).collect(),
    }
}

fn start_spool(
    config: &Config,
    lines: BTreeMap<ChannelId, spool::Line>,
    desk: Sender,
) -> anyhow::Result<Spool> {
    // On the spool's own thread: it may wait for the desk, which waits for nobody.
    let tell = move |told| drop(desk.blocking_send(Message::Spool(told)));
    Spool::start(&config.data_dir, lines, tell).with_context(|| describe(&config.data_dir))
}

fn start_keeper(config: &Config, spool: &Spool, targets: &Targets, desk: Sender) -> Keeper {
    let channels = config.channels.iter().map(|channel| channel.id.clone()).collect();
    let bounds = Bounds {
        keep: config.recording.keep,
        keep_bytes: config.recording.keep_bytes,
        reserve_bytes: config.spool.reserve_bytes,
        at_targets: match (config.recording.delete_at_targets, &config.anchors_at) {
            (false, _) => AtTargets::Stays,
            (true, Some(_)) => AtTargets::GoesWhenOld,
            (true, None) => AtTargets::Goes,
        },
    };
    let targets = targets.clone();
    let gone = move |channel: &ChannelId, recording: &RecordingId, how| {
        let (channel, recording) = (channel.clone(), recording.clone());
        let message = match how {
            Gone::Forgotten => Message::Forgotten(channel, recording),
            Gone::Evicted => Message::Evicted(channel, recording),
        };
        // A desk that is gone needs to know nothing.
        drop(desk.blocking_send(message));
    };
    Keeper::start(channels, bounds, spool.clone(), move || targets.takers(), gone)
}

fn describe(dir: &Path) -> String {
    format!("origin.data_dir: {} can't be used", dir.display())
}
