//! Publishers that send an MPEG transport stream as the body of a PUT or POST, which may last as long as the event.

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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Slot};
use super::{Refusal, feed::Feed};
use crate::http_server;

/// How long an encoder may send nothing.
const IDLE_DEADLINE: Duration = Duration::from_secs(10);

/// How long a publisher that is refused may go on sending while it reads why: an earlier reset could lose the reason.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What a transport stream may be called; nothing at all is fine, too.
const CONTENT_TYPES: [&str; 4] = ["video/mp2t", "video/mpeg", "video/mpegts", "application/octet-stream"];

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
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            // A task of its own, so that a feed is ended whatever becomes of its connection.
            let answered = tracked.spawn(answer(request, door.clone(), stopped.clone()));
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

async fn answer(request: Request<Incoming>, door: Door, stop: CancellationToken) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let peer = head.extensions.get::<SocketAddr>().map_or_else(|| "http".to_string(), SocketAddr::to_string);
    let mut slot = Slot::default();
    let feed = stream_key(&head).and_then(|key| door.let_in(&mut slot, key, &peer).map_err(refused));
    let (status, text) = match feed {
        Ok(feed) => publish(feed, &mut body, &stop).await,
        Err((status, text)) => {
            tracing::warn!(peer, reason = text, "feed refused");
            (status, text)
        }
    };
    said(status, &text, (status != StatusCode::OK).then_some(body))
}

fn refused(refusal: Refusal) -> Said {
    let status = match &refusal {
        Refusal::UnknownKey => StatusCode::UNAUTHORIZED,
        Refusal::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, refusal.to_string())
}

/// The stream key of a request that may be a feed: a bearer token, or the last segment of the path.
fn stream_key(head: &http::request::Parts) -> Result<&str, Said> {
    let path = head.uri.path();
    let Some(rest) = path.strip_prefix(PATH).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Err((StatusCode::NOT_FOUND, "feeds are published at /ingest/STREAM_KEY".to_string()));
    };
    if head.method != Method::PUT && head.method != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a feed is sent with PUT or POST".to_string()));
    }
    if let Some(sent) = head.headers.get(CONTENT_TYPE) {
        let sent = sent.to_str().unwrap_or("something unreadable");
        let essence = sent.split(';').next().unwrap_or_default().trim();
        if !CONTENT_TYPES.iter().any(|one| one.eq_ignore_ascii_case(essence)) {
            let sent: String = essence.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            let text = format!("the encoder sends {sent}: set an MPEG transport stream (video/mp2t)");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    }
    let bearer = head.headers.get(AUTHORIZATION).map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let key = match bearer {
        Some(bearer) => bearer,
        None => rest.rsplit('/').next(),
    };
    key.filter(|key| !key.is_empty()).ok_or_else(|| {
        let text = "the stream key is missing: send Authorization: Bearer KEY, or PUT /ingest/KEY";
        (StatusCode::UNAUTHORIZED, text.to_string())
    })
}

/// Takes a feed to its end.
async fn publish(mut feed: Feed, body: &mut Incoming, stop: &CancellationToken) -> Said {
    let ended = feed.ended();
    let (end, status, text) = loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => {
                break (End::Lost, StatusCode::SERVICE_UNAVAILABLE, "the origin is stopping: come back".to_string());
            }
            () = ended.cancelled() => {
                let text = "the feed was taken over by a newer connection with the same stream key";
                break (End::Lost, StatusCode::CONFLICT, text.to_string());
            }
            next = tokio::time::timeout(IDLE_DEADLINE, body.frame()) => next,
        };
        match next {
            Ok(Some(Ok(frame))) => {
                let Ok(bytes) = frame.into_data() else { continue };
                if let Err(error) = feed.bytes(&bytes) {
                    break (End::Lost, unusable(&feed), error.to_string());
                }
            }
            Ok(None) => match feed.whole() {
                Ok(()) => break (End::InOrder, StatusCode::OK, "the encoder ended the feed".to_string()),
                Err(error) => break (End::Lost, unusable(&feed), error.to_string()),
            },
            Ok(Some(Err(error))) => {
                let text = format!("the connection broke off: {error}");
                break (End::Lost, StatusCode::BAD_REQUEST, text);
            }
            Err(_) => {
                let text = format!("the encoder sent nothing for {} s", IDLE_DEADLINE.as_secs());
                break (End::Lost, StatusCode::REQUEST_TIMEOUT, text);
            }
        }
    };
    feed.end(end, &text);
    (status, text)
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

    fn key(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<String, u16> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        stream_key(&head).map(str::to_string).map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn the_stream_key_is_a_bearer_token_or_the_end_of_the_path() {
        let bearer = ("authorization", "Bearer abc");
        for (method, path, headers, expected) in [
            ("PUT", "/ingest/abc", &[][..], Ok("abc")),
            ("POST", "/ingest/table-1/abc", &[], Ok("abc")),
            ("PUT", "/ingest", &[bearer], Ok("abc")),
            ("PUT", "/ingest/table-1", &[bearer, ("content-type", "video/MP2T; x=1")], Ok("abc")),
            ("PUT", "/ingest/abc", &[("authorization", "Basic abc")], Err(401)),
            ("PUT", "/ingest/", &[], Err(401)),
            ("PUT", "/ingestion/abc", &[], Err(404)),
            ("PUT", "/", &[bearer], Err(404)),
            ("GET", "/ingest/abc", &[], Err(405)),
            ("PUT", "/ingest/abc", &[("content-type", "video/x-flv")], Err(415)),
        ] {
            let expected = expected.map(str::to_string);
            assert_eq!(key(method, path, headers), expected, "{method} {path} {headers:?}");
        }
    }
}
