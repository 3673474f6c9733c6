//! HTTP/1.1 before the component: bounds on connections, headers, bodies and time; static files.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::metrics::EdgeMetrics;
use super::pool::{Failure, SharedPool};
use super::waits::Waits;
use crate::assets::Assets;
use crate::http_server::{HEAD_LEN_MAX, STALL_MAX, Unstalled, bounded};

/// The most connections at a time; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;

/// The longest life of a connection. It bounds readers that never read, too.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(600);

/// How long the answer under way may still take when its connection must end.
const LAST_ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a request's body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The largest body of a request, in bytes: what the edge takes.
const BODY_LEN_MAX: usize = railbird_core::state::STATE_LEN_MAX;

/// The largest body of a request from a stranger, in bytes: only origin and operator send more, signed.
const STRANGER_LEN_MAX: usize = 64 << 10;

/// All bodies that are being received, in bytes.
const BODIES_LEN_MAX: usize = 64 << 20;

/// How many logins may be checked at a time: each is heavy on purpose (argon2id), and viewers' playlists go first.
const LOGINS_MAX: usize = 2;

/// How many of those who have forgotten their password are answered at a time: each takes two seconds of an instance.
const FORGOTTEN_MAX: usize = 4;

/// How long a login may wait for its turn.
const LOGIN_TURN_TIME_MAX: Duration = Duration::from_secs(3);

/// How long a body may wait for others to make room.
const BODY_TURN_TIME_MAX: Duration = Duration::from_secs(5);

/// Pause after a failed accept: there are no more file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The header by which the component learns who the client is, as Spin calls it.
const CLIENT: HeaderName = HeaderName::from_static("spin-client-addr");

/// What answers requests.
pub(super) struct Site {
    pub(super) pool: SharedPool,
    pub(super) assets: Assets,
    pub(super) metrics: EdgeMetrics,
    bodies: Semaphore,
    logins: Semaphore,
    waits: Waits,
    follows: Waits,
    forgotten: Semaphore,
    /// The host refuses for want of room: said once, until it answers again.
    busy: AtomicBool,
}

impl Site {
    pub(super) fn new(pool: SharedPool, assets: Assets, metrics: EdgeMetrics, instances_max: usize) -> Site {
        let (bodies, logins) = (Semaphore::new(BODIES_LEN_MAX), Semaphore::new(LOGINS_MAX));
        let waits = Waits::new(instances_max, metrics.clone());
        let follows = Waits::follows(instances_max, metrics.clone());
        let forgotten = Semaphore::new(FORGOTTEN_MAX);
        let busy = AtomicBool::new(false);
        Site { pool, assets, metrics, bodies, logins, forgotten, waits, follows, busy }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (began, in_flight) = (Instant::now(), self.metrics.begin());
        let (head, body) = request.into_parts();
        let ends_unsure = head.headers.contains_key(header::TRANSFER_ENCODING);
        let mut response = if head.uri.path().starts_with(super::ASSETS) {
            let found = self.assets.answer(&head.method, head.uri.path(), &head.headers);
            found.unwrap_or_else(|| Refusal(404, "not-found", "there is nothing at this address").into())
        } else {
            let (method, path) = (head.method.clone(), head.uri.path().to_owned());
            let answer = self.ask(head, body, peer).await;
            let busy = answer.as_ref().is_err_and(|refusal| refusal.0 == 503);
            let was_busy = self.busy.swap(busy, Ordering::Relaxed);
            answer.unwrap_or_else(|refusal| {
                if refusal.0 >= 500 && !(busy && was_busy) {
                    // A token may be part of a path: the log gets the rest.
                    tracing::warn!(%method, path = without_token(&path), status = refusal.0, "refused");
                }
                refusal.into()
            })
        };
        // hyper goes by the chunks and drops a content-length. Whoever is between may have gone by the length, and taken what
        // follows for a part of this request (RFC 9112, 6.3): nothing follows.
        if ends_unsure {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        drop(in_flight);
        self.metrics.answer(response.status().as_u16(), began.elapsed());
        response.map(Full::new)
    }

    async fn ask(
        &self,
        head: http::request::Parts,
        body: Incoming,
        peer: SocketAddr,
    ) -> Result<Response<Bytes>, Refusal> {
        // hyper's own bound is only looked at between two reads of the socket.
        if head_len(&head) > HEAD_LEN_MAX {
            return Err(Refusal(431, "too-large", "send headers of at most 32 KiB"));
        }
        let mut uri = absolute(&head.uri, &head.headers)?;
        let body = self.receive(body_len_max(uri.path()), &head.headers, body).await?;
        let turns = match uri.path() {
            _ if head.method != http::Method::POST => None,
            "/api/login" | "/api/password/reset" | "/api/password/change" => Some(&self.logins),
            "/api/password/forgot" => Some(&self.forgotten),
            _ => None,
        };
        let _turn = match turns {
            Some(turns) => match timeout(LOGIN_TURN_TIME_MAX, turns.acquire()).await {
                Ok(Ok(turn)) => Some(turn),
                _ => return Err(LOGINS_BUSY),
            },
            None => None,
        };
        // As late as that, so that nobody holds a place with a body that does not come.
        let waits = matches!(head.method, http::Method::GET | http::Method::HEAD) && may_wait(&uri);
        let places = if uri.path().ends_with(FOLLOWED) { &self.follows } else { &self.waits };
        let place = if waits { places.take(uri.path(), &head.headers, Instant::now()) } else { None };
        if waits && place.is_none() {
            uri = at_once(uri);
        }
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = head.headers;
        // In place of whatever a client sent by this name: limits of logins count by it.
        let peer = HeaderValue::from_str(&peer.to_string());
        request.headers_mut().remove(CLIENT);
        request.headers_mut().extend(peer.map(|peer| (CLIENT, peer)));
        Ok(self.pool.answer(request).await?)
    }

    /// The whole body, of at most `len_max` bytes. Room is taken as bytes arrive, not as they are promised, so that nobody
    /// can hold room with a promise.
    async fn receive(&self, len_max: usize, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refusal> {
        use hyper::body::Body;
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if told.is_some_and(|length: usize| length > len_max) {
            return Err(too_large(len_max));
        }
        match timeout(BODY_TIME_MAX, self.collect(len_max, body)).await {
            Err(_) => Err(Refusal(408, "slow-body", "send the request's body within 10 s")),
            Ok(received) => received,
        }
    }

    async fn collect(&self, len_max: usize, body: Incoming) -> Result<Bytes, Refusal> {
        let mut body = Limited::new(body, len_max);
        let (mut received, mut held) = (BytesMut::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
                true => too_large(len_max),
                false => Refusal(400, "bad-body", "the request's body broke off: send it again"),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let room = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let Ok(Ok(permit)) = timeout(BODY_TURN_TIME_MAX, self.bodies.acquire_many(room)).await else {
                return Err(BUSY);
            };
            held.push(permit);
            received.extend_from_slice(&data);
        }
        Ok(received.freeze())
    }
}

/// How large a body may be at this address.
fn body_len_max(path: &str) -> usize {
    let signed = path.starts_with("/origin/") || path.starts_with("/admin/");
    if signed { BODY_LEN_MAX } else { STRANGER_LEN_MAX }
}

fn too_large(len_max: usize) -> Refusal {
    let text = if len_max == STRANGER_LEN_MAX {
        "send a body of at most 64 KiB"
    } else {
        "send a body of at most 4 MiB"
    };
    Refusal(413, "too-large", text)
}

fn head_len(head: &http::request::Parts) -> usize {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    head.headers.iter().fold(target, |sum, (name, value)| sum + name.as_str().len() + value.len())
}

/// The request's address with scheme and authority, which the component needs.
fn absolute(uri: &Uri, headers: &HeaderMap) -> Result<Uri, Refusal> {
    // RFC 9112, 3.2.
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(Refusal(400, "bad-address", "send one host header"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let authority = host.or_else(|| uri.authority().cloned());
    let authority = authority.unwrap_or_else(|| Authority::from_static("localhost"));
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    Uri::from_parts(parts).map_err(|_| Refusal(400, "bad-address", "the request's address is malformed"))
}

/// What the query of a request says that may be answered later (RFC 8216bis, 6.2.5.2); the second goes with the first.
const WAITS: [&str; 2] = ["_HLS_msn=", "_HLS_part="];

/// How the address of a part ends, which may be waited for, too (6.2.6).
const PART: &str = ".m4s";

/// How the address ends where news of the score is waited for.
const FOLLOWED: &str = "/score.events";

/// Whether a request may be answered later.
fn may_wait(uri: &Uri) -> bool {
    let path = uri.path();
    path.ends_with(PART)
        || path.ends_with(FOLLOWED)
        || uri.query().is_some_and(|query| query.contains(WAITS[0]))
}

/// The address of the same that is answered at once, with what there is.
fn at_once(uri: Uri) -> Uri {
    let path = match uri.path() {
        part if part.ends_with(PART) => format!("{part}?wait=no"),
        path if path.ends_with(FOLLOWED) => format!("{path}?wait=no&{}", uri.query().unwrap_or_default()),
        path => {
            let asks = |pair: &&str| !WAITS.iter().any(|directive| pair.starts_with(directive));
            let rest: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(asks).collect();
            if rest.is_empty() { path.to_string() } else { format!("{path}?{}", rest.join("&")) }
        }
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or(uri)
}

/// `/t/{token}/live/…` as `/t/…/live/…`.
fn without_token(path: &str) -> String {
    match path.strip_prefix("/t/") {
        Some(rest) => format!("/t/…/{}", rest.split_once('/').map_or("", |(_, rest)| rest)),
        None => path.to_owned(),
    }
}

/// Why the host itself refuses a request: a status, a code that programs read, a text that says what to do.
struct Refusal(u16, &'static str, &'static str);

const BUSY: Refusal = Refusal(503, "busy", "the edge is busy: try again in a moment");
const LOGINS_BUSY: Refusal = Refusal(503, "busy", "many people are logging in: try again in a moment");

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        match failure {
            Failure::Busy => BUSY,
            Failure::Late => Refusal(504, "late", "the edge did not answer in time: try again"),
            Failure::Broken(error) => {
                tracing::error!(error = %error.root_cause(), "the edge component failed");
                tracing::debug!(error = format!("{error:#}"), "where it failed");
                Refusal(500, "failed", "the edge failed to answer: try again")
            }
        }
    }
}

impl From<Refusal> for Response<Bytes> {
    /// Of the form that the edge gives.
    fn from(Refusal(status, code, message): Refusal) -> Response<Bytes> {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == 503 {
            head.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Accepts until `stop` says true or its sender is gone, then ends the connections; returns when all have ended.
pub(super) async fn serve(listener: TcpListener, site: Arc<Site>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            _ = stop.wait_for(|&stop| stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let (site, stop) = (Arc::clone(&site), stop.clone());
                connections.spawn(async move {
                    connection(stream, peer, site, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the edge can't accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, peer: SocketAddr, site: Arc<Site>, mut stop: watch::Receiver<bool>) {
    let _connected = site.metrics.connected();
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request, peer).await) }
    });
    let stream = TokioIo::new(Unstalled::new(stream, STALL_MAX));
    let mut connection = std::pin::pin!(bounded(HEAD_TIME_MAX).serve_connection(stream, service));
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        _ = stop.wait_for(|&stop| stop) => None,
        () = sleep(CONNECTION_TIME_MAX) => None,
    };
    let result = match result {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER_TIME_MAX, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_answered_later_can_be_answered_at_once() {
        for (asked, at_once_at) in [
            ("/live/t/a/source.m3u8?_HLS_msn=7&_HLS_part=2", "/live/t/a/source.m3u8"),
            ("/t/x/live/t/a/source.m3u8?parts=nodes&_HLS_msn=7", "/t/x/live/t/a/source.m3u8?parts=nodes"),
            (
                "/live/t/a/source.m3u8?_HLS_msn=7&_HLS_skip=YES&_HLS_part=2",
                "/live/t/a/source.m3u8?_HLS_skip=YES",
            ),
            ("/live/t/a/source/1795171921040.m4s", "/live/t/a/source/1795171921040.m4s?wait=no"),
            ("/t/x/live/t/a/source/1.m4s?_HLS_msn=7", "/t/x/live/t/a/source/1.m4s?wait=no"),
            ("/live/t/score.events?after=7", "/live/t/score.events?wait=no&after=7"),
            ("/t/x/live/t/score.events", "/t/x/live/t/score.events?wait=no&"),
        ] {
            let uri: Uri = format!("http://edge.test{asked}").parse().unwrap();
            assert!(may_wait(&uri), "{asked}");
            assert_eq!(at_once(uri).to_string(), format!("http://edge.test{at_once_at}"));
        }
        for asked in
            ["/live/t/main.m3u8", "/live/t/a/source.m3u8?_HLS_skip=YES", "/live/t/score.json?after=1"]
        {
            assert!(!may_wait(&asked.parse().unwrap()), "{asked}");
        }
    }
}
