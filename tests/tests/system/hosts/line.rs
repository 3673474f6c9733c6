//! A viewer's line on a host that has such: a WebSocket at the address of `nodes.json`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use railbird_edge::line::{CLOSING_OF_SESSION_MAX, LINES_OF_SESSION_MAX, OUTDONE, OUTDONE_REASON};
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
const PATIENCE: Duration = Duration::from_secs(60);

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

async fn next(line: &mut WebSocketStream<TcpStream>) -> Message {
    timeout(PATIENCE, line.next()).await.expect("the edge tells").unwrap().unwrap()
}

async fn told(line: &mut WebSocketStream<TcpStream>) -> Value {
    let message = next(line).await;
    let Message::Text(text) = message else { panic!("not a text: {message:?}") };
    serde_json::from_str(&text).unwrap()
}

/// A session has a few lines. One more ends its oldest, which is told so; the others go on, and so do other sessions'.
pub(super) async fn lines_of_a_session_are_few(door: &Http) {
    // Of a channel of which nothing has changed for a while.
    const NODES: &str = "/live/table-2/nodes.json";
    let [one, other] = [session(&["*"]), session(&["*"])];
    let opened =
        async |session: &Session| open(door.0, NODES, &[("cookie", session.cookie().1)]).await.unwrap();
    let mut others = opened(&other).await;
    told(&mut others).await;
    let mut lines = VecDeque::new();
    for _ in 0..3 * LINES_OF_SESSION_MAX {
        let mut line = opened(&one).await;
        told(&mut line).await;
        lines.push_back(line);
        if lines.len() > LINES_OF_SESSION_MAX {
            let mut oldest = lines.pop_front().unwrap();
            let Message::Close(Some(frame)) = next(&mut oldest).await else { panic!("it is not closed") };
            assert_eq!((u16::from(frame.code), &*frame.reason), (OUTDONE, OUTDONE_REASON));
        }
    }
    let now = now();
    let state = fixture::state("table-2", now.0, now, [false, true]);
    Edge::new(door).push("/origin/v1/channels/table-2/state", &state).await.status(204);
    for line in lines.iter_mut().chain([&mut others]) {
        assert_eq!(told(line).await["nodes"][0]["id"], "b");
    }
    // Who never reads that a line was closed has no more for it.
    let deaf = session(&["*"]);
    let mut held = Vec::new();
    for _ in 0..8 * LINES_OF_SESSION_MAX {
        held.push(open(door.0, NODES, &[("cookie", deaf.cookie().1)]).await);
    }
    let count = held.iter().flatten().count();
    assert_eq!(count, LINES_OF_SESSION_MAX + CLOSING_OF_SESSION_MAX);
    assert!(held.iter().filter_map(|line| line.as_ref().err()).all(|refused| *refused == 503));
    told(&mut opened(&one).await).await;
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
    // Nor is one made for a channel that somebody made up.
    assert_eq!(open(door.0, "/live/made-up/nodes.json", &cookie(&viewers[0])).await.unwrap_err(), 404);
    assert_eq!(open(door.0, "/live/table-1/main.m3u8", &cookie(&viewers[0])).await.unwrap_err(), 400);
}
