//! A CDN's entry point: it takes objects by PUT and DELETE from whoever has its login, and gives them to everybody.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::origin::SECRET;

/// Where its objects are, at it and below its directory.
const PLACE: &str = "live";

/// A token that it knows: no other request may change anything.
fn is_let_in(login: Option<&HeaderValue>) -> bool {
    login.is_some_and(|login| login.as_bytes().strip_prefix(b"Bearer ") == Some(SECRET.as_bytes()))
}

pub(crate) struct Entry {
    address: SocketAddr,
    dir: TempDir,
    _tasks: JoinSet<()>,
}

impl Entry {
    pub(crate) async fn start() -> anyhow::Result<Entry> {
        let dir = tempfile::tempdir()?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let (address, root) = (listener.local_addr()?, Arc::<Path>::from(dir.path()));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let root = root.clone();
                let service = service_fn(move |request| answer(request, root.clone()));
                connections.spawn(async move {
                    // What goes wrong on one connection is that connection's.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Entry { address, dir, _tasks: tasks })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().join(PLACE)
    }
}

/// The inside of a `[[target]]`: an entry point at `url` that viewers read at `node`.
pub(crate) fn target(id: &str, url: &str, node: &str, more: &str) -> String {
    format!(
        "id = \"{id}\"\nkind = \"http\"\nurl = \"{url}/{PLACE}\"\nbearer = {{ file = \"secret\" }}\n\
         backfill_mbps = 0\n{more}\nnode = {{ id = \"{id}\", url = \"{node}/{PLACE}\" }}\n"
    )
}

async fn answer(request: Request<Incoming>, root: Arc<Path>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().trim_start_matches('/');
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    let known = is_let_in(parts.headers.get(AUTHORIZATION));
    let path = root.join(name);
    let done = match parts.method {
        _ if !plain => Err(StatusCode::NOT_FOUND),
        Method::GET => tokio::fs::read(&path).await.map(Bytes::from).map_err(status),
        _ if !known => Err(StatusCode::UNAUTHORIZED),
        Method::PUT => match body.collect().await {
            Ok(body) => put(&path, &body.to_bytes()).await.map(|()| Bytes::new()).map_err(status),
            // What is not whole is not kept.
            Err(_) => Err(StatusCode::BAD_REQUEST),
        },
        Method::DELETE => tokio::fs::remove_file(&path).await.map(|()| Bytes::new()).map_err(status),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    let (status, body) = done.map_or_else(|status| (status, Bytes::new()), |body| (StatusCode::OK, body));
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

/// An object is there whole, or not at all.
async fn put(path: &Path, body: &[u8]) -> io::Result<()> {
    let parent = path.parent().ok_or(io::ErrorKind::NotFound)?;
    tokio::fs::create_dir_all(parent).await?;
    let part = path.with_extension("part");
    tokio::fs::write(&part, body).await?;
    tokio::fs::rename(&part, path).await
}

fn status(error: io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
