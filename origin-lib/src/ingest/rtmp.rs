//! RTMP publishers, over TLS or not: one task a connection, around the sans-IO [`railbird_core::rtmp::Server`].

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use railbird_core::programme::End;
use railbird_core::rtmp::{Error, Output, Server};
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Refusal;
use super::certificate::Certificate;
use super::door::{Door, Slot};
use super::feed::Feed;
use super::gather::{Consent, Gather};
use crate::clock;
use crate::config::Rtmps;

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

/// How long TLS may take to be there.
const TLS_DEADLINE: Duration = Duration::from_secs(10);

/// How long a publisher that was asked to reconnect may go on before its connection is closed.
const RECONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// What the log says of a feed's end whose refusal has its own line.
const REFUSED: &str = "it was refused";

/// How long to wait where the system has no file descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Takes RTMP publishers until told to stop.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where it listens for TLS, if it does.
    pub tls_addr: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What the connections of all sockets share.
#[derive(Clone)]
struct Around {
    door: Door,
    strangers: Strangers,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Listener {
    /// Listens at `addr`, and over TLS where `rtmps` says, for those whom `door` lets in.
    pub async fn start(addr: SocketAddr, rtmps: Option<&Rtmps>, door: Door) -> anyhow::Result<Listener> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let strangers = Strangers::default();
        let around = Around { door, strangers, stop: stop.clone(), tasks: tasks.clone() };
        let socket = bind(addr, "rtmp").await?;
        let addr = socket.local_addr()?;
        let mut tls_addr = None;
        if let Some(rtmps) = rtmps {
            let certificate = Certificate::read("rtmps", &rtmps.certificate, &rtmps.key)?;
            let socket = bind(rtmps.listen, "rtmps").await?;
            tls_addr = Some(socket.local_addr()?);
            tasks.spawn(accept(socket, Some(certificate), around.clone()));
        }
        tasks.spawn(accept(socket, None, around));
        Ok(Listener { addr, tls_addr, stop, tasks })
    }

    /// Ends every feed in order, its last segment included, and stops listening. Publishers that know what that is are asked to
    /// reconnect.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn bind(addr: SocketAddr, table: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{table}.listen: can't listen at {addr}"))
}

async fn accept(socket: TcpListener, certificate: Option<Certificate>, around: Around) {
    let mut starved = false;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = around.stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once, not five times a second.
                if !std::mem::replace(&mut starved, true) {
                    tracing::error!(%error, "no RTMP connection can be taken: raise the limit of open files");
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut starved) {
            tracing::info!("RTMP connections can be taken again");
        }
        let connection = Connection {
            server: Server::new(entropy()),
            peer: peer.to_string(),
            feed: None,
            published: false,
            refused: false,
            stranger: Some(around.strangers.enter()),
            slot: Slot::default(),
            asked: None,
            may_gather: Consent::default(),
            around: around.clone(),
        };
        around.tasks.spawn(connection.run(stream, certificate.clone()));
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
    around: Around,
    peer: String,
    feed: Option<Feed>,
    /// It published a feed, which has ended: its end has its own line.
    published: bool,
    refused: bool,
    /// Set as long as it publishes nothing.
    stranger: Option<Stranger>,
    slot: Slot,
    /// It was asked to reconnect, and has this long.
    asked: Option<Instant>,
    /// Whether its socket may be gathered from.
    may_gather: Consent,
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
    async fn run(mut self, stream: TcpStream, certificate: Option<Certificate>) {
        let _ = stream.set_nodelay(true);
        let mut stream = Gather::new(stream, self.may_gather.clone());
        let served = match certificate {
            None => self.serve(&mut stream).await,
            Some(certificate) => match self.secure(stream, &certificate).await {
                Ok(mut stream) => self.serve(&mut stream).await,
                Err(error) => Err(error),
            },
        };
        let reason = served.unwrap_or_else(|error| error.to_string());
        match self.feed.take() {
            // Whatever broke it off, its encoder did not end it.
            Some(feed) => feed.end(End::Lost, if self.refused { REFUSED } else { &reason }),
            // A refusal has its own line, and so has a feed's end.
            None if self.refused || self.published => {}
            None => tracing::info!(peer = self.peer, reason, "RTMP connection ended without a feed"),
        }
    }

    /// The handshake of TLS, as long as there is room for it.
    async fn secure(
        &self,
        stream: Gather,
        certificate: &Certificate,
    ) -> io::Result<tokio_rustls::server::TlsStream<Gather>> {
        let leave = self.stranger.as_ref().map(|stranger| stranger.leave.clone()).unwrap_or_default();
        let acceptor = TlsAcceptor::from(certificate.current().await);
        let shaken = tokio::select! {
            shaken = timeout(TLS_DEADLINE, acceptor.accept(stream)) => shaken,
            () = leave.cancelled() => return Err(io::Error::other("it made room for newer connections")),
            () = self.around.stop.cancelled() => return Err(io::Error::other("the origin is stopping")),
        };
        let shaken = shaken.map_err(|_| io::Error::other("TLS was not there within 10 s"))?;
        shaken.map_err(|error| io::Error::other(format!("no TLS ({error}): {}", what_to_set(&error))))
    }

    async fn serve(&mut self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<String> {
        let mut buffer = vec![0; READ_LEN];
        self.server.handle(&[], clock::now());
        loop {
            if let Next::End(reason) = self.drain(stream).await? {
                return Ok(reason);
            }
            self.may_gather.set(self.feed.as_ref().is_some_and(Feed::may_wait));
            let stop = self.around.stop.clone();
            let ended = self.feed.as_ref().map_or_else(|| stop.clone(), Feed::ended);
            let leave = self.stranger.as_ref().map(|stranger| stranger.leave.clone()).unwrap_or_default();
            let read = tokio::select! {
                biased;
                () = stop.cancelled(), if self.asked.is_none() => {
                    if self.server.ask_to_reconnect("the origin stops, and is back at once: connect again") {
                        self.asked = Some(Instant::now() + RECONNECT_DEADLINE);
                        continue;
                    }
                    // Not a refusal: an encoder comes back by itself.
                    return Ok("the origin is stopping".to_string());
                }
                () = sleep_until(self.asked) => return Ok("the origin is stopping".to_string()),
                () = ended.cancelled(), if self.asked.is_none() => {
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
    async fn drain(&mut self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Next> {
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
        let feed = self.around.door.let_in(&mut self.slot, stream_key, &self.peer)?;
        (self.stranger, self.published) = (None, true);
        Ok(feed)
    }

    fn refuse(&mut self, reason: &str) {
        self.refused = true;
        self.server.refuse(reason);
    }
}

/// What is wrong at an encoder with which TLS did not come about.
fn what_to_set(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        )) => {
            "the encoder does not take the certificate: it must be of an authority that the encoder trusts, in date, and name the host in its URL"
        }
        _ => "the encoder's URL must begin with rtmps://",
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let written = async {
        stream.write_all(bytes).await?;
        // TLS keeps what the socket did not take.
        stream.flush().await
    };
    match timeout(WRITE_DEADLINE, written).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the encoder does not read what we answer")),
    }
}

/// Lets the peer read what was written before the connection goes.
async fn close(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let _ = timeout(CLOSE_DEADLINE, stream.shutdown()).await;
    let mut rest = [0; 4096];
    let drain = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = timeout(CLOSE_DEADLINE, drain).await;
}

async fn wait_until(deadline: Option<railbird_core::time::UtcMs>) {
    match deadline {
        Some(at) => sleep(Duration::from_millis(at.ms_since(clock::now()).max(1))).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_that_trusts_no_certificate_is_told_from_one_without_tls() {
        let told = |error: rustls::Error| what_to_set(&io::Error::new(io::ErrorKind::InvalidData, error));
        let alert = rustls::Error::AlertReceived;
        assert!(told(alert(AlertDescription::UnknownCA)).contains("certificate"));
        assert!(told(alert(AlertDescription::ProtocolVersion)).contains("rtmps://"));
        assert!(what_to_set(&io::ErrorKind::UnexpectedEof.into()).contains("rtmps://"));
    }

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
