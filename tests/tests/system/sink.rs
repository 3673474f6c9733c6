//! An edge that keeps what it is told and checks invariant 2 on the spot: a state that names a node for a segment which
//! that node does not have at this moment is a finding. So is every playlist of a state that is not as RFC 8216bis wants it, and
//! every step from one state to the next.
//!
//! A test in which there was a finding fails when its edge is dropped, whether it looks for findings or not.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use railbird_core::object::segment_name;
use railbird_core::state::ChannelState;
use railbird_core::time::MediaSpan;
use railbird_origin::clock;
use railbird_tests::linter::Linter;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::demo::PATIENCE;

/// What came in.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// The newest state.
    pub(crate) state: Option<ChannelState>,
    /// How many states came.
    pub(crate) states: usize,
    /// How many nodes of how many segments were named, over all states.
    pub(crate) named: usize,
    /// What was named and was not there, and what is wrong with playlists.
    pub(crate) lies: Vec<String>,
}

pub(crate) struct Sink {
    pub(crate) url: String,
    kept: watch::Receiver<Kept>,
    _tasks: JoinSet<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let Kept { lies, .. } = self.kept();
        assert!(lies.is_empty() || std::thread::panicking(), "{}", lies.join("\n"));
    }
}

/// Where the objects of each node lie.
type Nodes = Vec<(&'static str, PathBuf)>;

impl Sink {
    /// `nodes`: where the objects of each node lie.
    pub(crate) async fn start(nodes: Nodes) -> anyhow::Result<Sink> {
        Sink::start_with(nodes, Linter::default()).await
    }

    /// One that looks at playlists only: it does not know where objects lie.
    pub(crate) async fn of_playlists() -> anyhow::Result<Sink> {
        Sink::start(Vec::new()).await
    }

    /// One with this linter.
    pub(crate) async fn start_with(nodes: Nodes, linter: Linter) -> anyhow::Result<Sink> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, kept) = watch::channel(Kept::default());
        let (sender, nodes) = (Arc::new(sender), Arc::new(nodes));
        let linter = Arc::new(Mutex::new(linter));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, nodes, linter) = (sender.clone(), nodes.clone(), linter.clone());
                let service =
                    service_fn(move |request| take(request, sender.clone(), nodes.clone(), linter.clone()));
                connections.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Sink { url, kept, _tasks: tasks })
    }

    pub(crate) fn kept(&self) -> Kept {
        self.kept.borrow().clone()
    }

    /// Waits until the newest state is so.
    pub(crate) async fn state(
        &self,
        what: &str,
        so: impl Fn(&ChannelState) -> bool,
    ) -> anyhow::Result<ChannelState> {
        let mut kept = self.kept.clone();
        let found = kept.wait_for(|kept| kept.state.as_ref().is_some_and(&so));
        let Ok(found) = tokio::time::timeout(PATIENCE, found).await else {
            let last = self.kept().state.context("no state at all")?;
            bail!("it never happened: {what}; the last state lists {} ms: {last:?}", listed(&last).0 / 90);
        };
        found?.state.clone().context("there is a state")
    }
}

/// How much media a state lists.
pub(crate) fn listed(state: &ChannelState) -> MediaSpan {
    let segments = state.renditions.first().map(|rendition| &rendition.segments[..]).unwrap_or_default();
    MediaSpan(segments.iter().filter(|segment| !segment.gap).map(|segment| segment.duration.0).sum())
}

/// Whether every segment is on this node.
pub(crate) fn all_on(state: &ChannelState, node: &str) -> bool {
    let Some(bit) = state.nodes.iter().position(|of| of.id.as_str() == node) else { return false };
    state
        .renditions
        .iter()
        .flat_map(|rendition| &rendition.segments)
        .all(|segment| segment.on >> bit & 1 == 1)
}

async fn take(
    request: Request<Incoming>,
    sender: Arc<watch::Sender<Kept>>,
    nodes: Arc<Nodes>,
    linter: Arc<Mutex<Linter>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (is_state, is_list) =
        (request.uri().path().ends_with("/state"), request.uri().path().ends_with("/replays"));
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if is_state && let Ok(state) = serde_json::from_slice::<ChannelState>(&body) {
        let (named, mut lies) = check(&state, &nodes);
        let read = |object: &str| nodes.iter().find_map(|(_, dir)| std::fs::read(dir.join(object)).ok());
        let mut linter = linter.lock().unwrap_or_else(PoisonError::into_inner);
        lies.extend(linter.take(state.clone(), clock::now(), &read));
        sender.send_modify(|kept| {
            kept.states += 1;
            kept.named += named;
            kept.lies.extend(lies);
            if kept.state.as_ref().is_none_or(|old| old.revision < state.revision) {
                kept.state = Some(state);
            }
        });
    }
    let mut response = Response::new(Empty::new());
    // "Taken", but of the list of recordings "had it already": else it would be told everything again and again.
    *response.status_mut() = if is_list { hyper::StatusCode::OK } else { hyper::StatusCode::NO_CONTENT };
    Ok(response)
}

fn check(state: &ChannelState, nodes: &[(&'static str, PathBuf)]) -> (usize, Vec<String>) {
    let (mut named, mut lies) = (0, Vec::new());
    for rendition in &state.renditions {
        for segment in &rendition.segments {
            let name = segment_name(&state.channel, &rendition.id, segment.start, state.segment_ms);
            for (bit, node) in state.nodes.iter().enumerate() {
                if segment.on >> bit & 1 == 0 {
                    continue;
                }
                named += 1;
                if nodes.is_empty() {
                    continue;
                }
                let dir = nodes.iter().find(|(id, _)| *id == node.id.as_str()).map(|(_, dir)| dir);
                let init = rendition.inits.get(usize::from(segment.init));
                for object in [Some(&name), init] {
                    let there = dir.zip(object).is_some_and(|(dir, object)| dir.join(object).exists());
                    if !there {
                        lies.push(format!("revision {}: {object:?} on {}", state.revision, node.id));
                    }
                }
            }
        }
    }
    (named, lies)
}
