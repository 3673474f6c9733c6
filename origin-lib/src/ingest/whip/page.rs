//! The page with which a phone, or any browser, is an encoder.
//!
//! It has no secret: the stream key is in the fragment of its address, which browsers do not send, or is typed in.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};
use railbird_core::id::ChannelId;

use super::routes::Body;

/// The page's files, by their names below `/camera/`, none of which a channel can have.
const FILES: [(&str, &str, &str); 4] = [
    ("page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("main.js", "text/javascript; charset=utf-8", include_str!("page/main.js")),
    ("whip.js", "text/javascript; charset=utf-8", include_str!("page/whip.js")),
    ("camera.js", "text/javascript; charset=utf-8", include_str!("page/camera.js")),
];

const PAGE: &str = include_str!("page/page.html");

/// It runs its own scripts and speaks with this origin: nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Answers a request for the page or one of its files.
pub(super) fn answer(method: &Method, name: &str, channels: &[ChannelId]) -> Response<Body> {
    let page = ("text/html; charset=utf-8", PAGE);
    let file = FILES.iter().find(|(of, ..)| *of == name).map(|(_, kind, content)| (*kind, *content));
    let file = file.or_else(|| channels.iter().any(|id| id.as_str() == name).then_some(page));
    let (status, kind, content) = match file {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "the page is asked for with GET\n")
        }
        Some((kind, content)) => (StatusCode::OK, kind, content),
        None => {
            let text = "there is no such channel: the page is at /camera/CHANNEL\n";
            (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from_static(content.as_bytes())));
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(self), screen-wake-lock=(self)",
        ),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
