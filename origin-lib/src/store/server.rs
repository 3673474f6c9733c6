//! An S3 server on a directory: the demo's stand-in for a CDN, as a target and as a node in one, and the server of tests.
//!
//! Writing needs signed S3 requests. Reading is public: `GET`, `HEAD` and `OPTIONS` of `/{bucket}/{name}`, with CORS, as
//! a CDN in front of a bucket would answer. A switch takes it down as an outage would.

use std::convert::Infallible;
use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, RANGE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use s3s::access::S3Access;
use s3s::auth::SimpleAuth;
use s3s::dto::PutObjectInput;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Result};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tracing::debug;

use super::IMMUTABLE;
use crate::config::Secret;
use crate::http_server;

/// The largest object that is served, in bytes.
const OBJECT_LEN_MAX: u64 = 256 << 20;

/// The server can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The directory can't be used.
    #[error("can't use the directory {}: {text}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        text: String,
    },
}

/// Who may write.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
}

/// A running server. Dropping it stops it.
pub struct NodeServer {
    address: SocketAddr,
    service: Service,
    task: Mutex<Option<Running>>,
}

/// The accept loop; dropped, it is gone with every connection.
struct Running {
    task: JoinHandle<()>,
    // The loop drains and ends when the sender is gone; it is never told to.
    _stop: watch::Sender<bool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Lets everybody do what the signature allows, and every write through.
struct Unconditional;

impl S3Access for Unconditional {
    fn put_object<'a, 'b, 'c>(
        &'a self,
        request: &'b mut S3Request<PutObjectInput>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        // Behind the check of the signature, which covers this header.
        request.input.if_none_match = None;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Clone)]
struct Service {
    s3: S3Service,
    /// Held while a conditional write is answered: s3s-fs looks and then writes, so that two at a time could both win.
    conditional: Arc<Mutex<()>>,
    dir: Arc<Path>,
}

impl NodeServer {
    /// Serves `dir`, whose sub-directories are the buckets; each of `buckets` is made where it is missing. Port 0 lets the
    /// system choose.
    pub async fn start(
        listen: SocketAddr,
        dir: &Path,
        buckets: &[&str],
        credentials: &Credentials,
    ) -> Result<NodeServer, ServerError> {
        NodeServer::serve(listen, dir, buckets, credentials, false).await
    }

    /// The same, but `If-None-Match` of a write is ignored, as some stores do.
    pub async fn start_without_conditions(
        listen: SocketAddr,
        dir: &Path,
        buckets: &[&str],
        credentials: &Credentials,
    ) -> Result<NodeServer, ServerError> {
        NodeServer::serve(listen, dir, buckets, credentials, true).await
    }

    async fn serve(
        listen: SocketAddr,
        dir: &Path,
        buckets: &[&str],
        credentials: &Credentials,
        unconditional: bool,
    ) -> Result<NodeServer, ServerError> {
        let unusable = |text: String| ServerError::Directory { dir: dir.into(), text };
        std::fs::create_dir_all(dir).map_err(|error| unusable(error.to_string()))?;
        for bucket in buckets {
            std::fs::create_dir_all(dir.join(bucket)).map_err(|error| unusable(error.to_string()))?;
        }
        let files = s3s_fs::FileSystem::new(dir).map_err(|error| unusable(format!("{error:?}")))?;
        let mut s3 = S3ServiceBuilder::new(files);
        s3.set_auth(SimpleAuth::from_single(
            credentials.access_key.expose(),
            credentials.secret_key.expose(),
        ));
        if unconditional {
            s3.set_access(Unconditional);
        }
        let service = Service { s3: s3.build(), conditional: Arc::default(), dir: dir.into() };
        let (address, running) = run(listen, service.clone()).await?;
        Ok(NodeServer { address, service, task: Mutex::new(Some(running)) })
    }

    /// Where it listens (or listened, while it is down).
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Down: the socket is closed and every connection dropped, so that connections are refused. Up: it listens again on
    /// the same port. Returns when it is so.
    pub async fn set_up(&self, up: bool) -> Result<(), ServerError> {
        let mut running = self.task.lock().await;
        if up && running.is_none() {
            *running = Some(run(self.address, self.service.clone()).await?.1);
        } else if !up && let Some(mut stopping) = running.take() {
            stopping.task.abort();
            // The socket is closed once the task is gone.
            let _ = (&mut stopping.task).await;
        }
        Ok(())
    }

    /// Whether it is up.
    pub async fn is_up(&self) -> bool {
        self.task.lock().await.is_some()
    }
}

async fn run(listen: SocketAddr, service: Service) -> Result<(SocketAddr, Running), ServerError> {
    let failed = |error| ServerError::Listen(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (stop_sender, stop) = watch::channel(false);
    let service = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let task = tokio::spawn(http_server::serve(listener, service, stop));
    Ok((address, Running { task, _stop: stop_sender }))
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let signed = request.headers().contains_key(AUTHORIZATION);
        let conditional = request.headers().contains_key(IF_NONE_MATCH);
        let (request, _alone) = if conditional {
            // Whoever is told that the object exists is to hear it: an answer before the body was read ends the connection while
            // more is being sent, and may be lost with it.
            let Ok(request) = whole(request).await else { return with_cors(empty(StatusCode::BAD_REQUEST)) };
            (request, Some(self.conditional.lock().await))
        } else {
            (request.map(Body::from), None)
        };
        let response = match *request.method() {
            Method::OPTIONS => empty(StatusCode::NO_CONTENT),
            Method::GET | Method::HEAD if !signed => self.read(&request).await,
            _ => match self.s3.call(request).await {
                Ok(response) => response,
                Err(error) => {
                    debug!("the S3 server failed: {error:?}");
                    empty(StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        };
        with_cors(response)
    }

    async fn read<B>(&self, request: &Request<B>) -> Response<Body> {
        let Some(path) = object_path(&self.dir, request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let head = request.method() == Method::HEAD;
        match read_file(&path, range, head).await {
            Ok(response) => response,
            Err(error) if error.kind() == io::ErrorKind::NotFound => empty(StatusCode::NOT_FOUND),
            Err(error) => {
                debug!("can't read {}: {error}", path.display());
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// The request with its whole body, which is no longer than an object.
async fn whole(
    request: Request<Incoming>,
) -> Result<Request<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, usize::try_from(OBJECT_LEN_MAX)?).collect().await?;
    Ok(Request::from_parts(head, Body::from(body.to_bytes())))
}

/// The file of `/{bucket}/{name}`. Only what object names are made of: no file that begins with a dot, nothing above `dir`.
fn object_path(dir: &Path, path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let plain = |part: &str| {
        let first = part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        first && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    (path.contains('/') && path.split('/').all(plain)).then(|| dir.join(path))
}

/// First and last byte of a `Range` of one range, within `len`; `None` where it can't be served.
fn range_within(range: &str, len: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = len.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", suffix) => (len.saturating_sub(suffix.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

async fn read_file(path: &Path, range: Option<&str>, head: bool) -> io::Result<Response<Body>> {
    let mut file = tokio::fs::File::open(path).await?;
    let meta = file.metadata().await?;
    let len = meta.len();
    if !meta.is_file() || len > OBJECT_LEN_MAX {
        return Err(io::ErrorKind::NotFound.into());
    }
    let range = range.map(|range| range_within(range, len));
    let (first, count) = match range {
        None => (0, len),
        Some(Some((first, last))) => (first, last - first + 1),
        Some(None) => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{len}"));
            return Ok(response);
        }
    };
    let mut body = Vec::new();
    if !head {
        file.seek(SeekFrom::Start(first)).await?;
        body.reserve_exact(usize::try_from(count).unwrap_or(0));
        file.take(count).read_to_end(&mut body).await?;
    }
    let mut response = Response::new(Body::from(Bytes::from(body)));
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = first + count - 1;
        set(&mut response, CONTENT_RANGE, &format!("bytes {first}-{last}/{len}"));
    }
    let media = matches!(path.extension().and_then(|name| name.to_str()), Some("m4s" | "mp4"));
    set(&mut response, CONTENT_TYPE, if media { "video/mp4" } else { "application/octet-stream" });
    set(&mut response, CONTENT_LENGTH, &count.to_string());
    set(&mut response, CACHE_CONTROL, if media { IMMUTABLE } else { "no-store" });
    set(&mut response, ACCEPT_RANGES, "bytes");
    Ok(response)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Body>, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn with_cors(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
