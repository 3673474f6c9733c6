//! The edge's own look at nodes, on both hosts: one is dead for the edge while the origin says that it is well. On workerd the
//! cron trigger wakes what looks, which goes on by its alarm; in wasmtime players' reports do it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::door::Http;
use super::{Wrangler, artefact, get, static_files};
use crate::contract::ask::{Edge, now, session};
use crate::contract::{Door, VARIABLES, fixture};

const CHANNEL: &str = "table-1";

/// A failure of the test, not a figure: two looks and two windows are some eight seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node that serves a piece of whatever is asked for, and one whose port nobody listens on.
struct Nodes {
    well: String,
    dead: String,
    served: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl Nodes {
    async fn start() -> Nodes {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let well = format!("http://{}", listener.local_addr().unwrap());
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        let served: Arc<AtomicU64> = Arc::default();
        let (count, mut serving) = (served.clone(), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = count.clone();
                let serve = service_fn(move |request: http::Request<Incoming>| {
                    let piece = request.headers().get("range").is_some_and(|range| range == "bytes=0-1023");
                    count.fetch_add(u64::from(piece), Ordering::SeqCst);
                    let answer = http::Response::builder().status(if piece { 206 } else { 400 });
                    async move { answer.body(Full::new(Bytes::from_static(&[7; 1024]))) }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
            }
        });
        Nodes { well, dead, served, _serving: serving }
    }

    /// A state that lists both, all well for the origin.
    async fn push(&self, edge: &Edge<'_, Http>) {
        let now = now();
        let mut state = fixture::state(CHANNEL, now.0, now, [true, true]);
        (state["nodes"][0]["url"], state["nodes"][1]["url"]) = (json!(self.dead), json!(self.well));
        edge.push("/origin/v1/channels/table-1/state", &state).await.status(204);
    }
}

/// Has the edge look by `look` until it is found that node `a` is dead.
async fn the_edge_leaves_a_node_that_is_dead_for_it(door: &Http, nodes: &Nodes, look: impl AsyncFn()) {
    let edge = Edge::new(door);
    edge.push("/origin/v1/event", &fixture::event(now().0)).await.status(204);
    nodes.push(&edge).await;
    let viewer = session(&["*"]);
    let begun = Instant::now();
    let mut ticks = interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        nodes.push(&edge).await;
        look().await;
        let listed = edge.get("/live/table-1/nodes.json", &viewer).await.status(200).json();
        let up = |id: &str| {
            let listed = listed["nodes"].as_array().unwrap();
            listed.iter().find(|node| node["id"] == id).unwrap()["up"].as_bool().unwrap()
        };
        assert!(up("b"), "the one that serves is believed in");
        if !up("a") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the edge believes in a node that is dead for {PATIENCE:?}");
    }
    assert!(nodes.served.load(Ordering::SeqCst) > 0, "it asked the other one for a piece");
    // Whoever is on the dead one's pathway is led to the other.
    let playlist = edge.get("/live/table-1/a/source.m3u8", &viewer).await.status(200).text();
    assert!(playlist.contains(&format!("\n{}/", nodes.well)), "{playlist}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_leaves_a_node_that_is_dead_for_it() {
    let nodes = Nodes::start().await;
    let component = artefact(
        "RAILBIRD_EDGE_COMPONENT",
        "wasm32-wasip2/wasm/railbird_edge_spin.wasm",
        "cargo xtask build-edge spin",
    );
    let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component);
    let variables = VARIABLES.iter().copied().chain([("probe_every_s", "2")]);
    config.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    config.readable = vec![nodes.well.clone(), nodes.dead.clone()];
    let host = EdgeHost::start(config).await.unwrap();
    let door = Http(host.addr());
    let beacons = session(&["*"]).path("/live/table-1/beacons");
    the_edge_leaves_a_node_that_is_dead_for_it(&door, &nodes, async || {
        let headers = vec![("content-type".to_string(), "application/cmcd".to_string())];
        Edge::new(&door).ask("POST", &beacons, headers, "").await.status(204);
    })
    .await;
    assert_eq!(host.metrics().answered(5), 0, "no answer may be a failure of the host");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_leaves_a_node_that_is_dead_for_it() {
    let nodes = Nodes::start().await;
    let assets = static_files();
    let variables: Vec<_> = VARIABLES.iter().copied().chain([("probe_every_s", "2")]).collect();
    let worker = Wrangler::start(&variables, assets.path()).await;
    let addr: SocketAddr = worker.addr;
    let woken = AtomicU64::new(0);
    the_edge_leaves_a_node_that_is_dead_for_it(&Http(addr), &nodes, async || {
        // Once: what follows is the alarm's.
        if woken.fetch_add(1, Ordering::SeqCst) == 0 {
            let cron = get("/cdn-cgi/handler/scheduled");
            assert_eq!(Http(addr).call(cron).await.unwrap().status, 200);
        }
    })
    .await;
    worker.stop().await;
}
