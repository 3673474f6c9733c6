//! Many viewers at one edge, on loopback, from this process: for a minute, 2,000 of them on wasmtime and 200 on workerd. There
//! one thread stands for all data centres and all objects, and is worth about 1,000 playlists a second where nothing else runs: each
//! is three requests, to what comes before the Worker, the Worker, and the object of the viewer's pass. See `benches/README.md`.
//!
//! Each has a pass, a session and a connection of its own, reads its playlist once in a segment's length and a key once in
//! a key period, as players do, while the origin pushes each segment. Nothing may fail and no playlist may be older than what
//! the origin had pushed before it was asked for, or on Cloudflare a second before; how long answers took is printed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use railbird_edge::Table;
use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant as Tick, MissedTickBehavior, interval_at, timeout};

use crate::contract::ask::{Edge, Session, now, session_of};
use crate::contract::{VARIABLES, fixture};
use crate::hosts::{Http, PLACE, PLACES, World, artefact};

/// How many viewers there are, and how many times each reads its playlist.
#[derive(Clone, Copy)]
struct Crowd {
    viewers: u64,
    polls: u32,
    /// How old a playlist may be that the host gives.
    age_max: Duration,
}

/// Which playlists began where, and when they had been pushed.
#[derive(Default)]
struct Pushed(Mutex<Vec<(Instant, u64)>>);

impl Pushed {
    fn add(&self, first: u64) {
        self.0.lock().unwrap().push((Instant::now(), first));
    }

    /// Where a playlist begins at least that is as old as this.
    fn least(&self, age_max: Duration) -> u64 {
        let pushed = self.0.lock().unwrap();
        pushed.iter().rev().find(|(at, _)| at.elapsed() >= age_max).map_or(0, |(_, first)| *first)
    }
}

const POLL: Duration = Duration::from_millis(fixture::SEGMENT_MS as u64);
/// After so many playlists a viewer asks for a key.
const POLLS_A_KEY: u32 = 15;
/// A failure of the test, not a figure: no answer at all.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

const CHANNEL: &str = "table-1";
const MEDIA: &str = "/live/table-1/a/source.m3u8";

/// A viewer's connection.
struct Viewer {
    sender: SendRequest<Empty<Bytes>>,
    addr: SocketAddr,
    session: Session,
    /// Where it is, for a host that has places.
    place: u64,
}

impl Viewer {
    async fn enter(addr: SocketAddr, n: u64) -> Result<Viewer> {
        let (sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(addr).await?)).await?;
        tokio::spawn(connection);
        let session = session_of(&format!("viewer-{n}@railbird.test"), &["*"]);
        Ok(Viewer { sender, addr, session, place: n % PLACES })
    }

    /// The body of a good answer, and how long it took.
    async fn get(&mut self, path: &str) -> Result<(Bytes, Duration)> {
        let (name, value) = self.session.cookie();
        let request = http::Request::builder().uri(path).header("host", self.addr.to_string());
        let request = request.header(PLACE, self.place).header(name, value).body(Empty::new())?;
        let asked = Instant::now();
        let response = timeout(ANSWER_TIME_MAX, self.sender.send_request(request)).await;
        let response = response.with_context(|| format!("{path}: no answer"))??;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok((body, asked.elapsed()))
    }

    /// Watches to the end; returns how long the answers took: playlists, keys.
    async fn watch(mut self, crowd: Crowd, began: Tick, pushed: Arc<Pushed>) -> Result<[Vec<Duration>; 2]> {
        let mut took = [Vec::new(), Vec::new()];
        let mut ticks = interval_at(began, POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for poll in 0..crowd.polls {
            ticks.tick().await;
            let least = pushed.least(crowd.age_max);
            let (text, playlist_took) = self.get(MEDIA).await?;
            let first = media_sequence(&text).context("a playlist has a media sequence number")?;
            ensure!(
                first >= least,
                "the playlist begins at {first}, and {least} had been pushed long before"
            );
            took[0].push(playlist_took);
            if poll % POLLS_A_KEY == 0 {
                let period = now().seconds() / u64::from(fixture::KEY_PERIOD_S);
                let (key, key_took) = self.get(&format!("/key/{CHANNEL}/{period}")).await?;
                ensure!(key.len() == 16, "a key of {} bytes", key.len());
                took[1].push(key_took);
            }
        }
        Ok(took)
    }
}

fn media_sequence(playlist: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(playlist).ok()?;
    text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok())
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what}: {} answers, p50 {:?}, p99 {:?}, at most {:?}", took.len(), at(0.5), at(0.99), at(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_viewers_for_a_minute() {
    let component = artefact(
        "RAILBIRD_EDGE_COMPONENT",
        "wasm32-wasip2/wasm/railbird_edge_spin.wasm",
        "cargo xtask build-edge spin",
    );
    let store = tempfile::tempdir().unwrap();
    let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component);
    config.store_dir = Some(store.path().to_path_buf());
    config.variables = VARIABLES.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let host = EdgeHost::start(config).await.unwrap();
    watch(host.addr(), Crowd { viewers: 2_000, polls: 30, age_max: Duration::ZERO }).await;
    assert_eq!(host.metrics().answered(5), 0, "no answer may be a failure of the host");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_viewers_for_a_minute_on_workerd() {
    let world = World::start().await;
    let age_max = Duration::from_millis(Table::Channel.age_ms_max().into());
    let crowd = Crowd { viewers: 200, polls: 30, age_max };
    watch(world.addr, crowd).await;
    let playlists = crowd.viewers * u64::from(crowd.polls);
    for objects in ["cell holder/", "cell ", "relay "] {
        let asked = world.counted(objects).await;
        println!("{objects}: {asked} requests, {:.2} a playlist", asked as f64 / playlists as f64);
    }
    world.stop().await;
}

/// A crowd watches to the end.
async fn watch(addr: SocketAddr, crowd: Crowd) {
    let many = crowd.viewers;
    let door = Http(addr);
    let edge = Edge::new(&door);
    edge.push("/origin/v1/event", &fixture::event(now().0)).await.status(204);

    let pushed = Arc::new(Pushed::default());
    let push = async || {
        let now = now();
        let state = fixture::state(CHANNEL, now.0, now, [true, true]);
        edge.push(&format!("/origin/v1/channels/{CHANNEL}/state"), &state).await.status(204);
        pushed.add(state["renditions"][0]["first_msn"].as_u64().unwrap());
    };
    push().await;

    let mut viewers = JoinSet::new();
    let began = Tick::now() + Duration::from_secs(1);
    for n in 0..many {
        let viewer = Viewer::enter(addr, n).await.unwrap();
        // Spread over the time between two polls.
        let at = began + POLL * u32::try_from(n).unwrap() / u32::try_from(many).unwrap();
        viewers.spawn(viewer.watch(crowd, at, Arc::clone(&pushed)));
    }
    let mut ticks = interval_at(began, POLL);
    let (mut playlists, mut keys, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    while !viewers.is_empty() {
        tokio::select! {
            _ = ticks.tick() => push().await,
            Some(watched) = viewers.join_next() => match watched.unwrap() {
                Ok([some_playlists, some_keys]) => {
                    playlists.extend(some_playlists);
                    keys.extend(some_keys);
                }
                Err(failure) => failures.push(format!("{failure:#}")),
            },
        }
    }
    assert!(failures.is_empty(), "{} viewers failed, the first of them: {}", failures.len(), failures[0]);
    assert_eq!(playlists.len() as u64, many * u64::from(crowd.polls));
    print("playlists", playlists);
    print("keys", keys);
}
