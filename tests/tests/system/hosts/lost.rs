//! An origin whose pushes are lost, on both hosts: the edge asks it. Here it is the origin's own API, over what it would have
//! pushed, at an address that stays when it starts anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use railbird_core::object;
use railbird_core::state::{ChannelState, EventState};
use railbird_origin::api::{Api, edges};
use railbird_origin::config::Secret;
use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig};
use railbird_origin::edge_push::{EdgePush, Limits};
use railbird_origin::telemetry::Metrics;
use railbird_origin::web;
use serde_json::{Value, from_value};
use tokio::time::interval;

use super::door::Http;
use super::{Wrangler, artefact, static_files};
use crate::contract::ask::{self, Edge, Session, now};
use crate::contract::{VARIABLES, fixture};

const CHANNEL: &str = "table-1";
const MEDIA: &str = "/live/table-1/b/source.m3u8";
const STATE: &str = "/origin/v1/channels/table-1/state";

/// A failure of the test, not a figure: an origin that did not answer is asked again after half a minute at the latest.
const PATIENCE: Duration = Duration::from_secs(90);

/// An origin with no edge to push to.
struct Origin {
    push: Arc<EdgePush>,
    api: Api,
}

impl Origin {
    async fn start(listen: SocketAddr) -> Origin {
        let secret = Secret::new(ask::variable("origin_secret"));
        let (client, metrics) = (web::client().unwrap(), Metrics::new());
        let push = EdgePush::start(&[], &secret, &client, &metrics, &Limits::default()).unwrap();
        let push = Arc::new(push);
        let event: EventState = from_value(fixture::event(now().0)).unwrap();
        push.publish_event(&event);
        let api = Api::start(listen, edges::router(push.clone(), secret)).await.unwrap();
        Origin { push, api }
    }

    /// Has what would be pushed: a state, and a score.
    fn publish(&self, state: Value) {
        let now = now();
        let score = fixture::score(CHANNEL, now.0, now, &[1, 2]);
        self.push.publish_score(&CHANNEL.parse().unwrap(), score.to_string().into());
        self.push.publish_state(&from_value(state).unwrap());
    }
}

/// A state of now, whose list goes on by so many segments: the fixture's ends well before now.
fn state(later: u64) -> Value {
    let now = now();
    let at = now.plus_ms(later * u64::from(fixture::SEGMENT_MS));
    fixture::state(CHANNEL, now.0, at, [true, true])
}

/// The name of the newest object that a state lists.
fn newest(state: &Value) -> String {
    let state: ChannelState = from_value(state.clone()).unwrap();
    let rendition = &state.renditions[0];
    let last = rendition.segments.iter().rev().find(|segment| segment.on != 0).unwrap();
    object::segment_name(&state.channel, &rendition.id, last.start, state.segment_ms)
}

/// The playlist does not list an object yet.
async fn lacks(edge: &Edge<'_, Http>, session: &Session, object: &str) {
    let text = edge.get(MEDIA, session).await.status(200).text();
    assert!(!text.contains(object), "{object} is not news:\n{text}");
}

/// Reads the playlist again and again until it lists an object; each answer on the way must be a good one.
async fn follows(edge: &Edge<'_, Http>, session: &Session, object: &str) {
    let begun = Instant::now();
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        let answer = edge.get(MEDIA, session).await;
        if answer.status(200).text().contains(object) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{object} is not listed:\n{}", answer.text());
    }
}

/// The origin has a state with something that the playlist does not list yet, and the playlist follows.
async fn origin_goes_on(edge: &Edge<'_, Http>, session: &Session, origin: &Origin, later: u64) {
    let next = state(later);
    lacks(edge, session, &newest(&next)).await;
    origin.publish(next.clone());
    follows(edge, session, &newest(&next)).await;
}

async fn an_edge_follows_an_origin_whose_pushes_are_lost(door: &Http, listen: SocketAddr, origin: Origin) {
    let edge = Edge::new(door);
    let session = ask::session(&["*"]);
    // Nothing was ever pushed.
    let first = state(0);
    origin.publish(first.clone());
    let programme = edge.get("/api/channels", &session).await.status(200).json();
    assert_eq!(
        (&programme["event"]["id"], &programme["channels"][0]["phase"]),
        (&"open-2026".into(), &"live".into())
    );
    follows(&edge, &session, &newest(&first)).await;
    let score = edge.get("/live/table-1/score.json", &session).await.status(200).json();
    assert_eq!(score["match"], "final");
    // What follows is lost, too.
    origin_goes_on(&edge, &session, &origin, 2).await;
    // The origin goes, and is another one when it comes back: nobody is without a playlist meanwhile.
    origin.api.stop().await;
    edge.get(MEDIA, &session).await.status(200);
    let origin = Origin::start(listen).await;
    origin_goes_on(&edge, &session, &origin, 4).await;
    // A push that comes through is as good as ever, and so is what follows it and is lost.
    let pushed = state(6);
    edge.push(STATE, &pushed).await.status(204);
    follows(&edge, &session, &newest(&pushed)).await;
    origin_goes_on(&edge, &session, &origin, 8).await;
    origin.api.stop().await;
}

/// The origin and its URL for the edge.
async fn origin() -> (Origin, SocketAddr, String) {
    let origin = Origin::start(([127, 0, 0, 1], 0).into()).await;
    let listen = origin.api.addr();
    (origin, listen, format!("http://{listen}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_follows_an_origin_whose_pushes_are_lost() {
    let (origin, listen, url) = origin().await;
    let component = artefact(
        "RAILBIRD_EDGE_COMPONENT",
        "wasm32-wasip2/wasm/railbird_edge_spin.wasm",
        "cargo xtask build-edge spin",
    );
    let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component);
    let variables = VARIABLES.iter().copied().chain([("origin_urls", &*url)]);
    config.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    config.readable = vec![url.clone()];
    let edge = EdgeHost::start(config).await.unwrap();
    an_edge_follows_an_origin_whose_pushes_are_lost(&Http(edge.addr()), listen, origin).await;
    assert_eq!(edge.metrics().answered(5), 0, "no answer may be a failure of the host");
    edge.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_follows_an_origin_whose_pushes_are_lost() {
    let (origin, listen, url) = origin().await;
    let assets = static_files();
    let variables: Vec<_> = VARIABLES.iter().copied().chain([("origin_urls", &*url)]).collect();
    let worker = Wrangler::start(&variables, assets.path()).await;
    an_edge_follows_an_origin_whose_pushes_are_lost(&Http(worker.addr), listen, origin).await;
    worker.stop().await;
}
