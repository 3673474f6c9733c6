//! What the demo offers to whoever wants to see a CDN die: a page with buttons, and `railbird demo-control`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use railbird_core::id::NodeId;
use serde::{Deserialize, Serialize};

use crate::store::server::NodeServer;

/// A browser sends this header to another site only after asking it first, which we never allow: so no page from
/// elsewhere can press our buttons.
const HEADER: &str = "railbird-demo";

/// How long `railbird demo-control` waits for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// What `--ready-file` holds, once the first playlist is playable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Where viewers go.
    pub edge: String,
    /// The origin's API and metrics.
    pub origin: String,
    /// Where encoders publish, without a stream key.
    pub rtmp: String,
    /// The nodes' base URLs.
    pub nodes: BTreeMap<NodeId, String>,
    /// The channels.
    pub channels: Vec<ReadyChannel>,
    /// The demo pass.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// A channel of the demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadyChannel {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The stream key by which an encoder takes it over from the bundled clip's publisher.
    pub stream_key: String,
    /// The bearer key of its score feed.
    pub score_key: String,
}

type Nodes = Arc<BTreeMap<NodeId, NodeServer>>;

/// `GET /demo`: the page; `GET /demo/nodes`; `POST /demo/nodes/{node}/{up|down}` with the header `railbird-demo`.
pub fn router(nodes: BTreeMap<NodeId, NodeServer>, edge: &str) -> Router {
    let page = include_str!("control.html").replace("{edge}", edge);
    Router::new()
        .route("/demo", get(move || async move { (page_headers(), Html(page)) }))
        .route("/demo/control.js", get(|| async { js(include_str!("control.js")) }))
        .route("/demo/nodes", get(list))
        .route("/demo/nodes/{node}/{state}", post(set))
        .with_state(Arc::new(nodes))
}

fn page_headers() -> [(header::HeaderName, &'static str); 2] {
    let policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";
    [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")]
}

fn js(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text)
}

async fn list(State(nodes): State<Nodes>) -> Json<BTreeMap<NodeId, &'static str>> {
    let mut states = BTreeMap::new();
    for (id, node) in nodes.iter() {
        states.insert(id.clone(), if node.is_up().await { "up" } else { "down" });
    }
    Json(states)
}

async fn set(
    State(nodes): State<Nodes>,
    UrlPath((node, state)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !headers.contains_key(HEADER) {
        return (StatusCode::FORBIDDEN, format!("send the header {HEADER}: 1\n")).into_response();
    }
    let up = match state.as_str() {
        "up" => true,
        "down" => false,
        _ => return (StatusCode::NOT_FOUND, "a node can be set up or down\n").into_response(),
    };
    let Some((id, node)) = nodes.iter().find(|(id, _)| id.as_str() == node) else {
        let known: Vec<_> = nodes.keys().map(NodeId::as_str).collect();
        return (StatusCode::NOT_FOUND, format!("no such node; there are {}\n", known.join(", ")))
            .into_response();
    };
    match node.set_up(up).await {
        Ok(()) => {
            tracing::info!(node = %id, "the demo turned the node {state}");
            Json(serde_json::json!({"node": id, "state": state})).into_response()
        }
        Err(error) => {
            let text = format!("node {id} can't be turned {state}: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// `railbird demo-control --ready-file F node a down`.
pub async fn command(ready_file: &Path, node: &str, up: bool) -> anyhow::Result<()> {
    let text = tokio::fs::read_to_string(ready_file)
        .await
        .with_context(|| format!("{}: is the demo running with this --ready-file?", ready_file.display()))?;
    let ready: Ready = serde_json::from_str(&text).with_context(|| format!("{}", ready_file.display()))?;
    let state = if up { "up" } else { "down" };
    let url = format!("{}/demo/nodes/{node}/{state}", ready.origin);
    let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
    let answer = client.post(&url).header(HEADER, "1").send().await.with_context(|| url.clone())?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    anyhow::ensure!(status.is_success(), "{}", text.trim_end());
    println!("node {node} is {state}");
    Ok(())
}
