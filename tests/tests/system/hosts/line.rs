//! A viewer's line on a host that has such: a WebSocket at the address of `nodes.json`.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::door::Http;
use crate::contract::ask::{Edge, Session, now, session};
use crate::contract::fixture;

const NODES: &str = "/live/table-1/nodes.json";
const STATE: &str = "/origin/v1/channels/table-1/state";

/// A failure of the test, not a figure: the edge looks once a second.
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(
    addr: SocketAddr,
    path: &str,
    headers: &[(&'static str, String)],
) -> Result<WebSocketStream<TcpStream>, u16> {
    let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match client_async(request, TcpStream::connect(addr).await.unwrap()).await {
        Ok((line, _)) => Ok(line),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{path}: {error}"),
    }
}

async fn told(line: &mut WebSocketStream<TcpStream>) -> Value {
    let message = timeout(PATIENCE, line.next()).await.expect("the edge tells").unwrap().unwrap();
    let Message::Text(text) = message else { panic!("not a text: {message:?}") };
    serde_json::from_str(&text).unwrap()
}

/// A line tells at once what `nodes.json` answers, and again when a node goes down, and nothing else; strangers get none.
pub(super) async fn lines_tell(door: &Http) {
    let edge = Edge::new(door);
    let viewers = [session(&["*"]), session(&["table-1"])];
    let cookie = |session: &Session| [("cookie", session.cookie().1)];
    let up = async |up: [bool; 2]| {
        let now = now();
        edge.push(STATE, &fixture::state("table-1", now.0, now, up)).await.status(204);
    };
    up([true, true]).await;
    let mut lines = Vec::new();
    for viewer in &viewers {
        let mut line = open(door.0, NODES, &cookie(viewer)).await.unwrap();
        assert_eq!(told(&mut line).await, edge.get(NODES, viewer).await.json());
        lines.push(line);
    }
    let mut by_path = open(door.0, &viewers[0].path(NODES), &[]).await.unwrap();
    assert_eq!(told(&mut by_path).await, edge.get(NODES, &viewers[0]).await.json());
    lines.push(by_path);

    // A new state in which nothing of nodes has changed tells nothing; the next message is of what has.
    up([true, true]).await;
    up([false, true]).await;
    for line in &mut lines {
        let nodes = told(line).await["nodes"].clone();
        let brief: Vec<Value> = nodes.as_array().unwrap().iter().map(|n| json!([n["id"], n["up"]])).collect();
        assert_eq!(brief, [json!(["b", true]), json!(["a", false])]);
    }

    assert_eq!(open(door.0, NODES, &[]).await.unwrap_err(), 401);
    assert_eq!(open(door.0, NODES, &cookie(&session(&["table-2"]))).await.unwrap_err(), 403);
    let foreign = [cookie(&viewers[0]), [("origin", "https://evil.test".to_string())]].concat();
    assert_eq!(open(door.0, NODES, &foreign).await.unwrap_err(), 403);
    assert_eq!(open(door.0, "/live/table-1/main.m3u8", &cookie(&viewers[0])).await.unwrap_err(), 400);
}
