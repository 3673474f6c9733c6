//! RTMP publishers: one task a connection, around the sans-IO [`railbird_core::rtmp::Server`].

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use railbird_core::programme::End;
use railbird_core::rtmp::{Error, Output, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Refusal;
use super::door::{Door, Slot};
use super::feed::Feed;
use crate::clock;

/// How many feeds may be published at once.
pub const FEEDS_MAX: usize = 256;

/// How many connections may be open that publish nothing yet. Above it the oldest of them is closed, so that whoever only
/// holds connections open keeps no encoder out.
const STRANGERS_MAX: usize = 128;

/// How much is read at once.
const READ_LEN: usize = 64 << 10;

/// How long a publisher may take to read what we answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// How long a publisher may take to close after we did: an earlier reset could lose the reason of a refusal.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What the log says of a feed's end whose refusal has its own line.
const REFUSED: &str = "it was refused";

/// How long to wait where the system has no file descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Takes RTMP publishers until told to stop.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Listener {
    /// Listens at `addr` for those whom `door` lets in.
    pub async fn start(addr: SocketAddr, door: Door) -> anyhow::Result<Listener> {
        let socket =
            TcpListener::bind(addr).await.with_context(|| format!("rtmp.listen: can't listen at {addr}"))?;
        let addr = socket.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(socket, door, stop.clone(), tasks.clone()));
        Ok(Listener { addr, stop, tasks })
    }

    /// Ends every feed in order, its last segment included, and stops listening.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(socket: TcpListener, door: Door, stop: CancellationToken, tasks: TaskTracker) {
    let strangers = Strangers::default();
    let mut starved = false;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once, not five times a second.
                if !std::mem::replace(&mut starved, true) {
                    tracing::error!(%error, "no RTMP connection can be taken: raise the limit of open files");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut starved) {
            tracing::info!("RTMP connections can be taken again");
        }
        let leave = strangers.enter();
        let connection = Connection {
            server: Server::new(entropy()),
            door: door.clone(),
            peer: peer.to_string(),
            feed: None,
            refused: false,
            stop: stop.clone(),
            stranger: Some(leave),
            slot: Slot::default(),
        };
        tasks.spawn(connection.run(stream));
    }
}

fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    // The handshake's random bytes are only echoed: without randomness they are zero, which the protocol allows.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

struct Connection {
    server: Server,
    door: Door,
    peer: String,
    feed: Option<Feed>,
    refused: bool,
    stop: CancellationToken,
    /// Set as long as it publishes nothing.
    stranger: Option<Stranger>,
    slot: Slot,
}

/// The connections that publish nothing yet, by age.
#[derive(Clone, Debug, Default)]
struct Strangers(Arc<Mutex<(u64, BTreeMap<u64, CancellationToken>)>>);

/// One of them; it leaves when dropped.
struct Stranger {
    all: Strangers,
    number: u64,
    /// Set when it must make room.
    leave: CancellationToken,
}

impl Strangers {
    fn enter(&self) -> Stranger {
        let leave = CancellationToken::new();
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, leave.clone());
        if all.1.len() > STRANGERS_MAX
            && let Some((_, oldest)) = all.1.pop_first()
        {
            oldest.cancel();
        }
        Stranger { all: self.clone(), number, leave }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

/// What the loop does next.
enum Next {
    Go,
    End(String),
}

impl Connection {
    async fn run(mut self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let reason = self.serve(&mut stream).await.unwrap_or_else(|error| error.to_string());
        match self.feed.take() {
            // Whatever broke it off, its encoder did not end it.
            Some(feed) => feed.end(End::Lost, if self.refused { REFUSED } else { &reason }),
            // A refusal has its own line.
            None if self.refused => {}
            None => tracing::info!(peer = self.peer, reason, "RTMP connection ended without a feed"),
        }
    }

    async fn serve(&mut self, stream: &mut TcpStream) -> io::Result<String> {
        let mut buffer = vec![0; READ_LEN];
        self.server.handle(&[], clock::now());
        loop {
            if let Next::End(reason) = self.drain(stream).await? {
                return Ok(reason);
            }
            let ended = self.feed.as_ref().map_or_else(|| self.stop.clone(), Feed::ended);
            let leave = self.stranger.as_ref().map(|stranger| stranger.leave.clone()).unwrap_or_default();
            let read = tokio::select! {
                biased;
                // Not a refusal: an encoder comes back by itself.
                () = self.stop.cancelled() => return Ok("the origin is stopping".to_string()),
                () = ended.cancelled() => {
                    self.server.refuse("the feed was taken over by a newer connection with the same stream key");
                    continue;
                }
                () = leave.cancelled() => return Ok("it made room for newer connections".to_string()),
                read = stream.read(&mut buffer) => read?,
                () = wait_until(self.server.deadline()) => {
                    self.server.handle(&[], clock::now());
                    continue;
                }
            };
            if read == 0 {
                return Ok("the encoder closed the connection".to_string());
            }
            self.server.handle(&buffer[..read], clock::now());
        }
    }

    /// Does all that the server wants.
    async fn drain(&mut self, stream: &mut TcpStream) -> io::Result<Next> {
        while let Some(output) = self.server.poll() {
            match output {
                Output::Send(bytes) => write(stream, &bytes).await?,
                Output::Publish { app: _, key } => match self.let_in(key.reveal()) {
                    Ok(feed) => {
                        if let Some(old) = self.feed.replace(feed) {
                            old.end(End::InOrder, "the encoder began another feed on the same connection");
                        }
                        self.server.accept();
                    }
                    Err(refusal) => {
                        tracing::warn!(peer = self.peer, reason = %refusal, "feed refused");
                        self.refuse(&refusal.to_string());
                    }
                },
                Output::Media { kind, timestamp_ms, payload } => {
                    let Some(feed) = &mut self.feed else { continue };
                    if let Err(refusal) = feed.media(kind, timestamp_ms, payload) {
                        self.refuse(&refusal.to_string());
                    }
                }
                Output::Unpublish => {
                    if let Some(feed) = self.feed.take() {
                        feed.end(End::InOrder, "the encoder ended the feed");
                    }
                }
                Output::Close { reason } => {
                    close(stream).await;
                    return Ok(Next::End(match reason {
                        Error::Ended => "the encoder ended the connection".to_string(),
                        other => other.to_string(),
                    }));
                }
            }
        }
        Ok(Next::Go)
    }

    fn let_in(&mut self, stream_key: &str) -> Result<Feed, Refusal> {
        let feed = self.door.let_in(&mut self.slot, stream_key, &self.peer)?;
        self.stranger = None;
        Ok(feed)
    }

    fn refuse(&mut self, reason: &str) {
        self.refused = true;
        self.server.refuse(reason);
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    match tokio::time::timeout(WRITE_DEADLINE, stream.write_all(bytes)).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the encoder does not read what we answer")),
    }
}

/// Lets the peer read what was written before the connection goes.
async fn close(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let mut rest = [0; 4096];
    let drain = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(CLOSE_DEADLINE, drain).await;
}

async fn wait_until(deadline: Option<railbird_core::time::UtcMs>) {
    match deadline {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.ms_since(clock::now()).max(1))).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_1_whoever_holds_connections_open_keeps_no_encoder_out() {
        let strangers = Strangers::default();
        let mut held: Vec<Stranger> = (0..STRANGERS_MAX).map(|_| strangers.enter()).collect();
        assert!(held.iter().all(|stranger| !stranger.leave.is_cancelled()));
        let encoder = strangers.enter();
        assert!(!encoder.leave.is_cancelled());
        assert!(held[0].leave.is_cancelled() && !held[1].leave.is_cancelled(), "the oldest makes room");
        // One that publishes, or has gone, is none any more.
        held.remove(1);
        let next = strangers.enter();
        assert!(held.iter().skip(1).all(|stranger| !stranger.leave.is_cancelled()));
        drop((encoder, next, held));
        assert!(strangers.0.lock().unwrap().1.is_empty());
    }
}
