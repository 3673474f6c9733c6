//! The scorer's pad: `/score/{channel}` is its page, `/score/{file}` what the page needs.
//!
//! Both are for whoever comes: the score key is in neither, and the page asks for the score with it. A channel's name has no
//! dot and a file's has one. The files are read once at start.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as At, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::ApiError;
use crate::assets::Assets;
use crate::score::Scores;

/// Paths of the pad begin with this.
const PREFIX: &str = "/score/";

/// The page, among the files.
const PAGE: &str = "pad.html";

/// The page runs its own files, the rules as Wasm among them, and talks to this origin: to nobody else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'none'";

const HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

#[derive(Clone)]
struct Pad {
    files: Arc<Assets>,
    scores: Scores,
}

/// The routes of the pad, with the files of this directory.
///
/// # Errors
/// A file can't be read, or there is no page among them.
pub fn router(dir: &Path, scores: Scores) -> io::Result<Router> {
    let files = Assets::read(dir, PREFIX)?;
    if files.answer(&Method::GET, &path(PAGE), &HeaderMap::new()).is_none() {
        let message =
            format!("there is no {PAGE} in it: give the directory that `cargo xtask build-pad` made");
        return Err(io::Error::other(message));
    }
    let pad = Pad { files: Arc::new(files), scores };
    Ok(Router::new().route(&path("{name}"), any(answer)).with_state(pad))
}

fn path(name: &str) -> String {
    [PREFIX, name].concat()
}

async fn answer(
    State(pad): State<Pad>,
    At(name): At<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let is_channel = name.parse().is_ok_and(|channel| pad.scores.has_channel(&channel));
    let name = if is_channel { PAGE } else { &name };
    let mut response = match pad.files.answer(&method, &path(name), &headers) {
        Some(found) => found.map(Body::from),
        None => {
            let message = "no such channel: check its id against the origin's configuration";
            ApiError::new(StatusCode::NOT_FOUND, "no-such-channel", message).into_response()
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CHANNEL: &str = "table-1";

    async fn serve(dir: &Path) -> (String, tempfile::TempDir) {
        let logs = tempfile::tempdir().unwrap();
        let scores = Scores::open(logs.path(), [(CHANNEL.parse().unwrap(), 0)]).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = router(dir, scores).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (base, logs)
    }

    #[tokio::test]
    async fn each_channel_has_its_pad_and_nothing_else_is_served() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("pad");
        fs::create_dir(&dir).unwrap();
        fs::write(root.path().join("secret.txt"), "secret").unwrap();
        fs::write(dir.join(PAGE), "<!doctype html>").unwrap();
        fs::write(dir.join("pad.wasm"), "\0asm").unwrap();
        let (base, _logs) = serve(&dir).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for (name, status, kind) in [
            (CHANNEL, 200, "text/html; charset=utf-8"),
            ("pad.wasm", 200, "application/wasm"),
            ("table-2", 404, "application/json"),
            ("secret.txt", 404, "application/json"),
            ("..%2fsecret.txt", 404, "application/json"),
            ("%2e%2e%2fsecret.txt", 404, "application/json"),
        ] {
            let answer = client.get(format!("{base}/score/{name}")).send().await.unwrap();
            let kind_is = answer.headers()["content-type"].to_str().unwrap();
            assert_eq!((answer.status().as_u16(), kind_is), (status, kind), "{name}");
            let policy = answer.headers()["content-security-policy"].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe-inline"),
                "{policy}"
            );
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        }
        let posted = client.post(format!("{base}/score/{CHANNEL}")).send().await.unwrap();
        assert_eq!(posted.status(), 405);
        let nested = client.get(format!("{base}/score/{CHANNEL}/pad.wasm")).send().await.unwrap();
        assert_eq!(nested.status(), 404);
    }

    #[test]
    fn a_directory_without_the_page_is_refused() {
        let (dir, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let scores = Scores::open(logs.path(), [(CHANNEL.parse().unwrap(), 0)]).unwrap();
        let error = router(dir.path(), scores).unwrap_err().to_string();
        assert!(error.contains("build-pad"), "{error}");
    }
}
