//! `railbird demo`: everything on one machine, with nothing to configure.
//!
//! Two S3 servers in this process stand for two CDNs, the bundled clip comes in by real RTMP, a real match is scored
//! through the real feed, and the edge is the component that is deployed. Only the servers' switch is the demo's own.

pub mod control;
pub mod score;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use railbird_core::state::WEIGHT_DEFAULT;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::config::{
    self, Bucket, Channel, Config, Connection, Deadlines, EmbeddedEdge, Event, Feed, Node, Place, Recording,
    Role, Secret, Secrets, Spool, Target,
};
use crate::store::server::{Credentials, NodeServer};
use crate::{clock, evidence, pass, publisher, serve};
use control::{Ready, ReadyChannel};

const EMAIL: &str = "demo@railbird.test";
const PASSWORD: &str = "railbird";
const BUCKET: &str = "railbird";
const CHANNELS: [(&str, &str); 2] = [("table-1", "Table 1"), ("table-2", "Table 2")];

/// Time between two score events: faster than life.
const SCORE_STEP: Duration = Duration::from_secs(3);

/// How long the first playlist may take.
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// How often a viewer's first playlist is asked for until it is there.
const READY_EVERY: Duration = Duration::from_millis(250);

/// `railbird demo`.
#[derive(Debug, Args)]
pub struct Options {
    /// The edge component; `cargo xtask demo` builds it and gives it.
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// The player's files; `cargo xtask demo` builds them and gives them.
    #[arg(long, value_name = "DIR")]
    assets: PathBuf,
    /// The scorer's pad; `cargo xtask demo` builds it and gives it. Without it, there is none.
    #[arg(long, value_name = "DIR")]
    pad: Option<PathBuf>,
    /// Written once the first playlist is playable: addresses, channels and the demo pass as JSON.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Where to keep data; without it, a directory that goes when the demo ends.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Use this port and the four after it (edge, origin, RTMP, nodes); 0: the system chooses each.
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Address of the edge, where viewers go [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    edge: Option<SocketAddr>,
    /// Address of the origin's API and metrics [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Address of RTMP [default: 127.0.0.1:1935]
    #[arg(long, value_name = "ADDR")]
    rtmp: Option<SocketAddr>,
    /// Address of node a [default: 127.0.0.1:9001]
    #[arg(long, value_name = "ADDR")]
    node_a: Option<SocketAddr>,
    /// Address of node b [default: 127.0.0.1:9002]
    #[arg(long, value_name = "ADDR")]
    node_b: Option<SocketAddr>,
    /// Do not publish the bundled clip: you will publish yourself.
    #[arg(long)]
    no_clip: bool,
    /// The channels are ones of low latency.
    #[arg(long)]
    low_latency: bool,
    /// How long segments are, in milliseconds; the bundled clip has a key frame every 2,000.
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = value_parser!(u32).range(500..=20_000))]
    segment_ms: u32,
    /// Do not score a match.
    #[arg(long)]
    no_score: bool,
}

impl Options {
    fn address(&self, own: Option<SocketAddr>, nth: u16, default: u16) -> anyhow::Result<SocketAddr> {
        let port = match self.port_base {
            Some(0) => 0,
            Some(base) => base.checked_add(nth).context("--port-base leaves no room for five ports")?,
            None => default,
        };
        Ok(own.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
    }
}

/// Runs the demo until Ctrl-C or SIGTERM.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let temporary;
    let data_dir = match &options.data_dir {
        Some(dir) => dir.clone(),
        None => {
            temporary = tempfile::Builder::new().prefix("railbird-demo-").tempdir()?;
            temporary.path().to_path_buf()
        }
    };

    if let Some(file) = &options.ready_file {
        // Whoever waits for it must not see an earlier demo's.
        let _ = std::fs::remove_file(file);
    }
    let kept = Kept::load(&data_dir)?;
    let keys = Credentials { access_key: random_secret()?, secret_key: random_secret()? };
    let start = async |name: &str, own, nth, default| {
        let (listen, dir) = (options.address(own, nth, default)?, data_dir.join(format!("node-{name}")));
        let node = NodeServer::start(listen, &dir, &[BUCKET], &keys).await;
        node.with_context(|| format!("node {name} (move it with --node-{name})"))
    };
    let a = start("a", options.node_a, 3, 9001).await?;
    let b = start("b", options.node_b, 4, 9002).await?;
    let targets = vec![target("a", &a, &keys)?, target("b", &b, &keys)?];
    let node_urls: BTreeMap<_, _> = targets.iter().map(|t| (t.node.id.clone(), t.node.url.clone())).collect();
    let config = configuration(&options, data_dir, targets, &kept)?;
    let servers = BTreeMap::from([("a".parse()?, a), ("b".parse()?, b)]);

    let admin = config.secrets.admin.clone().context("the demo has an admin secret")?;
    let channels = config.channels.clone();
    let routes = |edge: Option<SocketAddr>| {
        control::router(servers, &edge.map_or_else(String::new, |edge| format!("http://{edge}")))
    };
    let running = serve::start(config, routes).await?;
    let edge = format!("http://{}", running.edge.context("the demo has an embedded edge")?);
    let origin = format!("http://{}", running.api);
    let rtmp = format!("rtmp://{}/live", running.rtmp);
    let key = pass::order::Key::Password(EMAIL.to_string(), Secret::new(PASSWORD));
    let (_, demo_pass) = pass::Order::new(key, clock::now(), 365).make()?;
    pass::Door::new(&edge, &admin)?.put(&demo_pass).await?;

    let mut players = JoinSet::new();
    for channel in &channels {
        if !options.no_clip {
            for feed in &channel.feeds {
                let url = format!("{rtmp}/{}", feed.stream_key.expose());
                players.spawn(async move {
                    if let Err(error) = publisher::run(Path::new(publisher::CLIP), &url).await {
                        tracing::error!(%error, "the clip's publisher ended");
                    }
                });
            }
        }
        if let Some(key) = channel.score_key.clone().filter(|_| !options.no_score) {
            let replay = score::Replay {
                base_url: origin.clone(),
                channel: channel.id.clone(),
                key: key.expose().to_string(),
                step: SCORE_STEP,
            };
            players.spawn(async move {
                if let Err(error) = score::replay(replay, std::future::pending()).await {
                    tracing::error!(%error, "the demo's match ended");
                }
            });
        }
    }

    let ready = Ready {
        edge,
        origin,
        rtmp,
        nodes: node_urls,
        channels: channels.iter().map(ready_channel).collect(),
        email: EMAIL.to_string(),
        password: PASSWORD.to_string(),
    };
    let stopped = serve::stop_signal();
    tokio::pin!(stopped);
    if !options.no_clip {
        tokio::select! {
            playable = playable(&ready) => playable?,
            () = &mut stopped => return running.stop().await,
        }
    }
    if let Some(file) = &options.ready_file {
        write_ready(file, &ready)?;
    }
    println!("{}", banner(&ready, options.pad.is_some()));
    stopped.await;
    players.shutdown().await;
    running.stop().await
}

/// What a demo with `--data-dir` needs again: without the same master secret, kept media can't be decrypted.
#[derive(Serialize, Deserialize)]
struct Kept {
    master: String,
    session: String,
}

impl Kept {
    fn load(data_dir: &Path) -> anyhow::Result<Kept> {
        let file = data_dir.join("demo-secrets.json");
        if let Ok(text) = std::fs::read_to_string(&file) {
            return serde_json::from_str(&text).with_context(|| format!("{}", file.display()));
        }
        let text = || random_secret().map(|secret| secret.expose().to_string());
        let kept = Kept { master: text()?, session: text()? };
        std::fs::create_dir_all(data_dir)?;
        write_private(&file, &serde_json::to_vec(&kept)?).with_context(|| format!("{}", file.display()))?;
        Ok(kept)
    }
}

/// Writes a file that only its owner may read.
fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(bytes)
}

fn random_secret() -> anyhow::Result<Secret> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(Secret::new(&railbird_core::hex::encode(&bytes)))
}

fn target(id: &str, node: &NodeServer, keys: &Credentials) -> anyhow::Result<Target> {
    let endpoint = format!("http://{}", node.addr());
    Ok(Target {
        id: id.parse()?,
        place: Place::S3(Bucket {
            endpoint: Some(endpoint.clone()),
            region: "us-east-1".to_string(),
            bucket: BUCKET.to_string(),
            prefix: String::new(),
            path_style: true,
            access_key: keys.access_key.clone(),
            secret_key: keys.secret_key.clone(),
        }),
        connection: Connection {
            deadlines: Deadlines {
                connect: Duration::from_secs(1),
                total: Duration::from_secs(5),
                ..Deadlines::default()
            },
            authority: None,
        },
        weight: WEIGHT_DEFAULT,
        price_micros_per_gb: 0,
        backfill_mbps: 0,
        node: Node { id: id.parse()?, url: format!("{endpoint}/{BUCKET}") },
    })
}

fn configuration(
    options: &Options,
    data_dir: PathBuf,
    targets: Vec<Target>,
    kept: &Kept,
) -> anyhow::Result<Config> {
    let channels = CHANNELS.map(|(id, title)| -> anyhow::Result<Channel> {
        Ok(Channel {
            id: id.parse()?,
            title: title.to_string(),
            segment_ms: options.segment_ms,
            target_s: None,
            part_ms: options.low_latency.then(|| config::part_ms_default(options.segment_ms)),
            preload_hints: false,
            iframes: false,
            silence: true,
            source: config::SOURCE.parse()?,
            audio_only: false,
            voices: Vec::new(),
            views: Vec::new(),
            companions: Vec::new(),
            ladder: Vec::new(),
            key_period_s: 600,
            dvr_s: 120,
            picture_delay_ms: 0,
            score_offset_ms: 0,
            score_key: Some(random_secret()?),
            score_emsg: false,
            system: None,
            feeds: vec![Feed {
                stream_key: Secret::new(&format!("demo-{id}")),
                role: Role::Primary,
                call: None,
            }],
            stall_ms: 1000,
            steady_ms: 10_000,
        })
    });
    let edge = options.address(options.edge, 0, 8787)?;
    Ok(Config {
        path: PathBuf::new(),
        origin: "demo".parse()?,
        ffmpeg: "ffmpeg".into(),
        data_dir,
        rtmp: options.address(options.rtmp, 2, 1935)?,
        rtmps: None,
        http_ingest: None,
        srt: None,
        whip: None,
        api: options.address(options.api, 1, 8080)?,
        event: Event { id: "demo".parse()?, title: "Railbird Open".to_string() },
        channels: channels.into_iter().collect::<Result<_, _>>()?,
        targets,
        edges: Vec::new(),
        embedded_edge: Some(EmbeddedEdge {
            listen: edge,
            component: options.component.clone(),
            assets: options.assets.clone(),
            public_url: format!("http://{edge}"),
            webhook_url: None,
            cors_origins: Vec::new(),
            origin_urls: Vec::new(),
        }),
        anchors_at: None,
        pushes: Vec::new(),
        pad: options.pad.clone(),
        score_offsets_ms: BTreeMap::new(),
        secrets: Secrets {
            master: Secret::new(&kept.master),
            origin: random_secret()?,
            session_previous: None,
            webhook: None,
            session: Some(Secret::new(&kept.session)),
            admin: Some(random_secret()?),
        },
        spool: Spool { reserve_bytes: 64 << 20 },
        recording: Recording::default(),
        evidence: config::Evidence { keep_days: evidence::KEEP_DAYS },
        known_secrets: Vec::new(),
    })
}

fn ready_channel(channel: &Channel) -> ReadyChannel {
    let text =
        |secret: Option<&Secret>| secret.map_or_else(String::new, |secret| secret.expose().to_string());
    ReadyChannel {
        id: channel.id.to_string(),
        title: channel.title.clone(),
        stream_key: text(channel.feeds.first().map(|feed| &feed.stream_key)),
        score_key: text(channel.score_key.as_ref()),
    }
}

/// Waits, as a viewer would, until every channel's playlists are served.
async fn playable(ready: &Ready) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let login = serde_json::json!({"email": ready.email, "password": ready.password});
    let answer = client.post(format!("{}/api/login", ready.edge)).json(&login).send().await?;
    let session: serde_json::Value =
        answer.error_for_status().context("the demo pass is refused")?.json().await?;
    let token = session["token"].as_str().context("the edge gave no token")?;
    let all = async {
        for channel in &ready.channels {
            let url = format!("{}/t/{token}/live/{}/main.m3u8", ready.edge, channel.id);
            while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(READY_EVERY).await;
            }
        }
    };
    if tokio::time::timeout(READY_DEADLINE, all).await.is_err() {
        bail!("no channel is playable after {READY_DEADLINE:?}: the log above says why");
    }
    Ok(())
}

/// The file appears under its name only when it is whole.
fn write_ready(file: &Path, ready: &Ready) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(ready)?;
    let partial = file.with_extension("part");
    write_private(&partial, text.as_bytes())
        .and_then(|()| std::fs::rename(&partial, file))
        .with_context(|| format!("--ready-file {}", file.display()))
}

fn banner(ready: &Ready, has_pad: bool) -> String {
    let channels: Vec<_> = ready
        .channels
        .iter()
        .map(|channel| format!("      {}/{}\n", ready.rtmp, channel.stream_key))
        .collect();
    let pad = |channel: &ReadyChannel| {
        format!("  Score      {}/score/{}#key={}\n", ready.origin, channel.id, channel.score_key)
    };
    let pads: Vec<_> = ready.channels.iter().filter(|_| has_pad).map(pad).collect();
    format!(
        "\n  Railbird is on air.\n\n  \
         Watch      {}\n             log in with {} / {}\n  \
         Unplug     {}/demo (turns a node off while you watch)\n\
         {}  Metrics    {}/metrics\n  \
         Encoders   (a demo with --no-clip leaves these to you)\n{}\n  \
         Ctrl-C ends it.\n",
        ready.edge,
        ready.email,
        ready.password,
        ready.origin,
        pads.concat(),
        ready.origin,
        channels.concat()
    )
}
