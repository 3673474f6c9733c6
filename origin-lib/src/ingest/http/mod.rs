//! Publishers that send by PUT or POST: an MPEG transport stream as one body, which may last as long as the event, or
//! fragmented MP4 in one or many requests ([`cmaf`]). What it is, its first bytes tell.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use railbird_core::programme::End;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Slot};
use super::{Refusal, feed::Feed};
use crate::http_server;

mod cmaf;
mod first;
mod pieces;

use cmaf::Pushes;
use first::{Content, First};
use pieces::Pieces;

/// How long an encoder may send nothing.
const IDLE_DEADLINE: Duration = Duration::from_secs(10);

/// A request that goes on for so long is no piece, whatever is in it.
const PIECE_MAX: Duration = Duration::from_secs(2);

/// How long a publisher that is refused may go on sending while it reads why: an earlier reset could lose the reason.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What a transport stream, fragmented MP4 or a playlist may be called; nothing at all is fine, too.
const CONTENT_TYPES: [&str; 14] = [
    "video/mp2t",
    "video/mpeg",
    "video/mpegts",
    "application/octet-stream",
    "video/mp4",
    "video/quicktime",
    "audio/mp4",
    "application/mp4",
    "video/iso.segment",
    "audio/iso.segment",
    "application/dash+xml",
    "application/vnd.apple.mpegurl",
    "application/x-mpegurl",
    "audio/mpegurl",
];

/// Where feeds are published, whatever stands behind it.
const PATH: &str = "/ingest";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Takes publishers over HTTP until told to stop.
#[derive(Debug)]
pub struct HttpListener {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: CancellationToken,
    close: watch::Sender<bool>,
    feeds: TaskTracker,
    task: JoinHandle<()>,
}

impl HttpListener {
    /// Listens at `addr` for those whom `door` lets in.
    pub async fn start(addr: SocketAddr, door: Door) -> anyhow::Result<HttpListener> {
        let socket = TcpListener::bind(addr)
            .await
            .with_context(|| format!("http_ingest.listen: can't listen at {addr}"))?;
        let addr = socket.local_addr()?;
        let (stop, feeds) = (CancellationToken::new(), TaskTracker::new());
        let (close, closed) = watch::channel(false);
        let (stopped, tracked) = (stop.clone(), feeds.clone());
        let pushes = Pushes::new(door.clone(), stop.clone(), feeds.clone());
        let pieces = Pieces::default();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            // A task of its own, so that a feed is ended whatever becomes of its connection.
            let around = Around {
                door: door.clone(),
                pushes: pushes.clone(),
                pieces: pieces.clone(),
                stop: stopped.clone(),
            };
            let answered = tracked.spawn(answer(request, around));
            async move {
                let failed = || said(StatusCode::INTERNAL_SERVER_ERROR, "the feed could not be taken", None);
                Ok::<_, Infallible>(answered.await.unwrap_or_else(|_| failed()))
            }
        });
        let task = tokio::spawn(http_server::serve(socket, service, closed));
        Ok(HttpListener { addr, stop, close, feeds, task })
    }

    /// Ends every feed, and stops listening.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        self.close.send_replace(true);
        self.feeds.close();
        self.feeds.wait().await;
        // It can only end well.
        let _ = (&mut self.task).await;
    }
}

/// Why a publisher is turned away, or how its feed ended.
type Said = (StatusCode, String);

/// What all requests have in common.
#[derive(Clone)]
struct Around {
    door: Door,
    pushes: Pushes,
    pieces: Pieces,
    stop: CancellationToken,
}

async fn answer(request: Request<Incoming>, around: Around) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let peer = head.extensions.get::<SocketAddr>().map_or_else(|| "http".to_string(), SocketAddr::to_string);
    let (status, text) = match take(&head, &mut body, &around, &peer).await {
        Ok(said) => said,
        Err((status, text)) => {
            tracing::warn!(peer, reason = text, "feed refused");
            (status, text)
        }
    };
    said(status, &text, (status != StatusCode::OK).then_some(body))
}

/// Takes what a request brings. The error is a refusal that nothing else has noted.
async fn take(
    head: &http::request::Parts,
    body: &mut Incoming,
    around: &Around,
    peer: &str,
) -> Result<Said, Said> {
    let Around { door, pushes, pieces, stop } = around;
    let Target { key, name } = target(head, |key| door.knows(key).is_ok())?;
    let First { content, bytes } = tokio::select! {
        first = first::read(head, body) => first?,
        () = stop.cancelled() => return Err(stopping()),
    };
    match content {
        Content::Nothing => {
            Ok((StatusCode::OK, "nothing was sent, and nothing is wrong with that".to_string()))
        }
        Content::Playlist => {
            let over = first::is_over(bytes, body).await?;
            pushes.listed(key, over);
            Ok((StatusCode::OK, "the origin makes playlists of its own".to_string()))
        }
        Content::Boxes => pushes.take(key, &name, peer, bytes, body).await,
        // Nothing of a feed that runs is touched.
        Content::Other => {
            let text = "the encoder sends no MPEG transport stream and no fragmented MP4: set one of them, and a body that \
                        begins with a packet or a box of it";
            Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text.to_string()))
        }
        Content::Stream => {
            let begun = Instant::now();
            if !pieces.may_begin(key, begun) {
                return Err((StatusCode::TOO_MANY_REQUESTS, pieces::TOLD.to_string()));
            }
            let mut slot = Slot::default();
            let feed = door.let_in(&mut slot, key, peer).map_err(refused)?;
            let (said, pictured) = publish(feed, bytes, body, stop).await;
            // What was refused, or broke off, was told what is wrong.
            if said.0 == StatusCode::OK || pictured {
                pieces.ended(key, pictured || begun.elapsed() >= PIECE_MAX, Instant::now());
            }
            Ok(said)
        }
    }
}

fn stopping() -> Said {
    (StatusCode::SERVICE_UNAVAILABLE, "the origin is stopping: come back".to_string())
}

fn taken_over() -> Said {
    let text = "the feed was taken over by a newer connection with the same stream key";
    (StatusCode::CONFLICT, text.to_string())
}

fn broken_off(error: &hyper::Error) -> Said {
    (StatusCode::BAD_REQUEST, format!("the connection broke off: {error}"))
}

fn silent(deadline: Duration) -> Said {
    (StatusCode::REQUEST_TIMEOUT, format!("the encoder sent nothing for {} s", deadline.as_secs()))
}

fn refused(refusal: Refusal) -> Said {
    let status = match &refusal {
        Refusal::UnknownKey => StatusCode::UNAUTHORIZED,
        Refusal::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, refusal.to_string())
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    key: &'a str,
    /// The rest of its path.
    name: String,
}

/// Which feed a request is of that may be of one. The stream key is a bearer token, or the last or the first segment of the
/// path, whichever is `known`.
fn target(head: &http::request::Parts, known: impl Fn(&str) -> bool) -> Result<Target<'_>, Said> {
    let path = head.uri.path();
    let Some(rest) = path.strip_prefix(PATH).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Err((StatusCode::NOT_FOUND, "feeds are published at /ingest/STREAM_KEY".to_string()));
    };
    if head.method != Method::PUT && head.method != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a feed is sent with PUT or POST".to_string()));
    }
    if let Some(sent) = content_type(head)
        && !CONTENT_TYPES.iter().any(|one| one.eq_ignore_ascii_case(sent))
    {
        let sent: String = sent.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
        let text = format!(
            "the encoder sends {sent}: set an MPEG transport stream (video/mp2t) or fragmented MP4 (video/mp4)"
        );
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let rest = rest.trim_start_matches('/');
    let bearer = head.headers.get(AUTHORIZATION).map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let candidates = match bearer {
        Some(bearer) => [bearer.map(|key| (key, rest)), None],
        None => {
            let last = rest.rsplit_once('/').map_or((rest, ""), |(name, key)| (key, name));
            [Some(last), rest.split_once('/')]
        }
    };
    let mut candidates = candidates.into_iter().flatten().filter(|(key, _)| !key.is_empty()).peekable();
    if candidates.peek().is_none() {
        let text = "the stream key is missing: send Authorization: Bearer KEY, or PUT /ingest/KEY";
        return Err((StatusCode::UNAUTHORIZED, text.to_string()));
    }
    let found = candidates.find(|(key, _)| known(key));
    let (key, name) = found.ok_or_else(|| refused(Refusal::UnknownKey))?;
    Ok(Target { key, name: name.to_string() })
}

/// What a request says that its body is, without parameters.
fn content_type(head: &http::request::Parts) -> Option<&str> {
    let sent = head.headers.get(CONTENT_TYPE)?.to_str().unwrap_or("something unreadable");
    Some(sent.split(';').next().unwrap_or_default().trim())
}

/// Takes a feed to its end, whose first bytes have come. Says how it ended, and whether it had a picture to begin with.
async fn publish(
    mut feed: Feed,
    first: Bytes,
    body: &mut Incoming,
    stop: &CancellationToken,
) -> (Said, bool) {
    let ended = feed.ended();
    let mut next = Some(first);
    let (end, (status, text)) = loop {
        if let Some(bytes) = next.take()
            && let Err(error) = feed.bytes(&bytes)
        {
            break (End::Lost, (unusable(&feed), error.to_string()));
        }
        let frame = tokio::select! {
            biased;
            () = stop.cancelled() => break (End::Lost, stopping()),
            () = ended.cancelled() => break (End::Lost, taken_over()),
            frame = tokio::time::timeout(IDLE_DEADLINE, body.frame()) => frame,
        };
        match frame {
            Ok(Some(Ok(frame))) => next = frame.into_data().ok(),
            Ok(None) => match feed.whole() {
                Ok(()) => break (End::InOrder, (StatusCode::OK, "the encoder ended the feed".to_string())),
                Err(error) => break (End::Lost, (unusable(&feed), error.to_string())),
            },
            Ok(Some(Err(error))) => break (End::Lost, broken_off(&error)),
            Err(_) => break (End::Lost, silent(IDLE_DEADLINE)),
        }
    };
    let pictured = feed.has_key_frame();
    feed.end(end, &text);
    ((status, text), pictured)
}

/// What is wrong with a feed that can't be used: that it is no transport stream, or what is in it.
fn unusable(feed: &Feed) -> StatusCode {
    if feed.is_transport_stream() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    }
}

/// An answer. What an encoder still sends is read for a while, so that it gets to reading this.
fn said(status: StatusCode, text: &str, rest: Option<Incoming>) -> Response<Body> {
    let text = Frame::data(Bytes::from(format!("{text}\n")));
    let drained = async move {
        if let Some(mut rest) = rest {
            let drain = async { while rest.frame().await.is_some_and(|frame| frame.is_ok()) {} };
            let _ = tokio::time::timeout(CLOSE_DEADLINE, drain).await;
        }
        futures::stream::empty()
    };
    let frames = futures::stream::once(async { Ok(text) }).chain(futures::stream::once(drained).flatten());
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, http::HeaderValue::from_static("PUT, POST"));
    }
    if status != StatusCode::OK {
        headers.insert(CONNECTION, http::HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(String, String), u16> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let found = target(&head, |key| key == "abc");
        found.map(|found| (found.key.to_string(), found.name)).map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn the_stream_key_is_a_bearer_token_or_an_end_of_the_path() {
        let bearer = ("authorization", "Bearer abc");
        for (method, path, headers, expected) in [
            ("PUT", "/ingest/abc", &[][..], Ok("")),
            ("POST", "/ingest/table-1/abc", &[], Ok("table-1")),
            ("POST", "/ingest/abc/Streams(video.cmfv)", &[], Ok("Streams(video.cmfv)")),
            ("POST", "/ingest/abc/video/1.m4s?x=y", &[], Ok("video/1.m4s")),
            ("PUT", "/ingest", &[bearer], Ok("")),
            ("PUT", "/ingest/table-1", &[bearer, ("content-type", "video/MP2T; x=1")], Ok("table-1")),
            ("PUT", "/ingest/a/b.mp4", &[bearer, ("content-type", "video/mp4")], Ok("a/b.mp4")),
            ("PUT", "/ingest/abc", &[("authorization", "Basic abc")], Err(401)),
            ("PUT", "/ingest/", &[], Err(401)),
            ("PUT", "/ingest/x/abc/y", &[], Err(401)),
            ("PUT", "/ingest/abd", &[], Err(401)),
            ("PUT", "/ingestion/abc", &[], Err(404)),
            ("PUT", "/", &[bearer], Err(404)),
            ("GET", "/ingest/abc", &[], Err(405)),
            ("PUT", "/ingest/abc", &[("content-type", "video/x-flv")], Err(415)),
        ] {
            let expected = expected.map(|name| ("abc".to_string(), name.to_string()));
            assert_eq!(key(method, path, headers), expected, "{method} {path} {headers:?}");
        }
    }
}
