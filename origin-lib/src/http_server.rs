//! Accepts HTTP/1.1 connections and hands them to a service, within named bounds. What the API and the demo's nodes share.

mod shares;
mod unstalled;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use shares::Shares;
pub(crate) use unstalled::Unstalled;

use crate::ingest::certificate::Certificate;

/// The most connections at a time; one more waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;

/// The most connections of one address at a time; one more is closed.
const SHARE_MAX: usize = CONNECTIONS_MAX / 4;

/// The largest head of a request, in bytes.
pub(crate) const HEAD_LEN_MAX: usize = 32 << 10;

/// The most headers of a request.
const HEADERS_MAX: usize = 100;

/// How long a client may read nothing of what is sent to it.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(30);

/// How long a client may take to send a request's head, and how long a connection may idle.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);

/// How long requests in flight may take to end once shutdown began.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// How long TLS may take to be there.
const TLS_DEADLINE: Duration = Duration::from_secs(10);

/// After a failed accept (too many open files), how long to let others close theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` becomes true, each request with its peer's [`SocketAddr`] as an extension, then lets requests in flight
/// end. Dropping the future closes the socket and every connection at once.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, stop: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    serve_over(listener, None, service, stop).await;
}

/// The same, over TLS where there is a certificate.
pub(crate) async fn serve_over<S, B>(
    listener: TcpListener,
    certificate: Option<Certificate>,
    service: S,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let shares = Shares::new(SHARE_MAX);
    let mut starved = false;
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = stopped(&mut stop) => break,
            _ = connections.join_next(), if connections.len() >= CONNECTIONS_MAX => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, peer)) => {
                    starved = false;
                    let Some(share) = shares.take(peer.ip()) else {
                        debug!(%peer, "closing a connection: its address has as many as it may");
                        continue;
                    };
                    let _ = stream.set_nodelay(true);
                    let (certificate, service, stop) = (certificate.clone(), service.clone(), stop.clone());
                    connections.spawn(async move {
                        let _share = share;
                        match certificate {
                            None => connection(stream, peer, service, stop).await,
                            Some(certificate) => secured(stream, &certificate, peer, service, stop).await,
                        }
                    });
                }
                Err(error) => {
                    // Said once, not ten times a second.
                    if !std::mem::replace(&mut starved, true) {
                        warn!("can't accept a connection: {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_DEADLINE, drained).await.is_err() {
        debug!("closing connections that were still busy at shutdown");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever drops the sender without a word wants no more than who says stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn secured<S, B>(
    stream: TcpStream,
    certificate: &Certificate,
    peer: SocketAddr,
    service: S,
    stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(certificate.current().await);
    match timeout(TLS_DEADLINE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, service, stop).await,
        Ok(Err(error)) => debug!("a connection without TLS, or with one that is not ours: {error}"),
        Err(_) => debug!("a connection's TLS did not come about in time"),
    }
}

async fn connection<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    service: S,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let with_peer = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.call(request)
    };
    let stream = TokioIo::new(Unstalled::new(stream, STALL_MAX));
    let connection = bounded(HEAD_DEADLINE).serve_connection(stream, service_fn(with_peer));
    let mut connection = pin!(connection);
    let ended: Option<Result<(), hyper::Error>> = {
        let stop = pin!(stopped(&mut stop));
        select_first(connection.as_mut(), stop).await
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("a connection ended early: {error}");
    }
}

/// What serves a connection whose heads are bounded in length and number; each has so long, and so has the pause before it.
pub(crate) fn bounded(head_deadline: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_deadline);
    builder.max_buf_size(HEAD_LEN_MAX).max_headers(HEADERS_MAX);
    builder
}

/// The output of `first`, or `None` where `second` was ready before.
async fn select_first<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        output = first => Some(output),
        () = second => None,
    }
}
