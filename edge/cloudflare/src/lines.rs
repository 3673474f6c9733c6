//! The Durable Object that holds lines ([`railbird_edge::line`]): hibernating WebSockets of a channel's viewers in a region.
//!
//! What a line needs is in the socket's attachment, so that the object may sleep and begin anew. While it has lines, its alarm
//! looks every [`LOOK_MS`] for what the edge has to tell, reads as any other reader near it, and sends to each what has changed
//! for it. Nothing that a viewer sends is read.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use railbird_core::hex;
use railbird_core::time::UtcMs;
use railbird_edge::line::{self, LOOK_MS, Seat};
use serde::{Deserialize, Serialize};
use worker::{
    DurableObject, Env, Error, Method, Request, Response, State, WebSocket, WebSocketIncomingMessage,
    WebSocketPair, durable_object,
};

use crate::objects::{self, LINE};
use crate::{clock, edge, region};

/// The most lines of one object; above it, players poll.
const LINES_MAX: usize = 5_000;

/// Closed since its time is over (RFC 6455, 7.4.1: the service goes away): the player asks for another one.
const OVER: u16 = 1001;

/// A seat, as it travels to the object and as a socket keeps it. All lines of an object are of one channel, region and hint.
#[derive(Clone, Serialize, Deserialize)]
struct Line {
    channel: String,
    region: String,
    viewer: String,
    /// When it was opened.
    since: UtcMs,
    until_s: u64,
    hint: Option<String>,
    /// Of what was told last: 0 before the first time.
    told: u64,
}

/// Asks the object near a viewer to hold its line; the answer is the viewer's end of it.
pub(crate) async fn open(env: &Env, seat: &Seat, hint: Option<&'static str>) -> worker::Result<Response> {
    let line = Line {
        channel: seat.channel.to_string(),
        region: seat.region.to_owned(),
        viewer: hex::encode(&seat.viewer),
        since: clock::now(),
        until_s: seat.until_s,
        hint: hint.map(str::to_owned),
        told: 0,
    };
    let line = serde_json::to_string(&line).map_err(|error| Error::from(error.to_string()))?;
    let headers = [(LINE, line), ("upgrade", "websocket".to_owned())];
    let request = objects::ask(Method::Get, headers, None)?;
    let name = format!("{}/{}/{}", hint.unwrap_or("any"), seat.region, seat.channel);
    objects::lines(env, &name, hint)?.fetch_with_request(request).await
}

/// The lines of a channel in a region.
#[durable_object]
pub struct Lines {
    state: State,
    env: Env,
}

impl DurableObject for Lines {
    fn new(state: State, env: Env) -> Lines {
        Lines { state, env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let line = request.headers().get(LINE)?.and_then(|text| serde_json::from_str::<Line>(&text).ok());
        let Some(line) = line else { return Response::error("whose line?", 400) };
        let own = self.state.get_websockets_with_tag(&line.viewer);
        let is_deaf = own.len() >= line::LINES_OF_SESSION_MAX + line::CLOSING_OF_SESSION_MAX;
        let freed = end_outdone(own)?;
        if is_deaf || self.state.get_websockets().len() >= LINES_MAX + freed {
            return Response::error("no more lines here", 503);
        }
        let pair = WebSocketPair::new()?;
        self.state.accept_websocket_with_tags(&pair.server, &[&line.viewer]);
        pair.server.serialize_attachment(&line)?;
        self.tell().await?;
        self.look_later().await?;
        Response::from_websocket(pair.client)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.tell().await?;
        self.look_later().await?;
        Response::empty()
    }

    async fn websocket_message(&self, _: WebSocket, _: WebSocketIncomingMessage) -> worker::Result<()> {
        Ok(())
    }

    async fn websocket_close(&self, socket: WebSocket, _: usize, _: String, _: bool) -> worker::Result<()> {
        // The other side may be gone already.
        let _ = socket.close(Some(OVER), None::<&str>);
        Ok(())
    }

    async fn websocket_error(&self, _: WebSocket, _: Error) -> worker::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Sends to each line what has changed for it, and ends those whose time is over.
    async fn tell(&self) -> worker::Result<()> {
        let Ok(moment) = clock::moment() else { return Ok(()) };
        let (mut lines, mut viewers) = (Vec::new(), Vec::new());
        for socket in self.state.get_websockets() {
            let line = line_of(&socket, moment.now.seconds());
            let viewer = |line: &Line| hex::decode(&line.viewer).and_then(|id| id.try_into().ok());
            match line.and_then(|line| Some((viewer(&line)?, line))) {
                Some((viewer, line)) => {
                    lines.push((socket, line));
                    viewers.push(viewer);
                }
                None => drop(socket.close(Some(OVER), Some("ask again"))),
            }
        }
        let Some((_, Line { channel, region, hint, .. })) = lines.first().cloned() else { return Ok(()) };
        let Ok(channel) = channel.parse() else { return Ok(()) };
        let edge = edge(self.env.clone(), moment.now, hint.as_deref().and_then(region::known));
        let told = edge.tell(&channel, &region, &viewers, &moment).await.unwrap_or_default();
        for ((socket, mut line), text) in lines.into_iter().zip(told) {
            let hash = fingerprint(&text);
            if hash != line.told
                && let Ok(text) = String::from_utf8(text)
                && socket.send_with_str(text).is_ok()
            {
                line.told = hash;
                socket.serialize_attachment(&line)?;
            }
        }
        Ok(())
    }

    async fn look_later(&self) -> worker::Result<()> {
        if self.state.get_websockets().is_empty() {
            return Ok(());
        }
        self.state.storage().set_alarm(Duration::from_millis(LOOK_MS)).await
    }
}

/// Ends those of a session's lines that a new one outdoes; says how many.
fn end_outdone(own: Vec<WebSocket>) -> worker::Result<usize> {
    let now_s = clock::now().seconds();
    let lines = own.into_iter().filter_map(|socket| Some((line_of(&socket, now_s)?, socket)));
    let lines: Vec<(Line, WebSocket)> = lines.collect();
    let opened: Vec<UtcMs> = lines.iter().map(|(line, _)| line.since).collect();
    let outdone = line::outdone(&opened);
    for (line, socket) in outdone.iter().filter_map(|at| lines.get(*at)) {
        // Nothing is told on it any more, however long the other side takes to close it.
        socket.serialize_attachment(Line { until_s: 0, ..line.clone() })?;
        let _ = socket.close(Some(line::OUTDONE), Some(line::OUTDONE_REASON));
    }
    Ok(outdone.len())
}

/// What a socket keeps, as long as its time is not over.
fn line_of(socket: &WebSocket, now_s: u64) -> Option<Line> {
    let line: Option<Line> = socket.deserialize_attachment().ok().flatten();
    line.filter(|line| line.until_s > now_s)
}

/// Never 0.
fn fingerprint(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    // A number of JavaScript's has 53 bits.
    hasher.finish() >> 12 | 1
}
