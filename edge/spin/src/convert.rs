//! Between `wasi:http` and the edge's own request and response.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use railbird_edge::http::BODY_LEN_MAX;
use railbird_edge::{Request, Response};

/// What Spin's SDK sends.
pub(crate) type Outgoing = http::Response<Full<Bytes>>;

/// Reads a request whole. `Err` is the answer to one that can't be read.
pub(crate) async fn request(from: spin_sdk::http::Request) -> Result<Request, Response> {
    let (parts, body) = from.into_parts();
    let body = match Limited::new(body, BODY_LEN_MAX).collect().await {
        Ok(body) => body.to_bytes().into(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(refusal(413, "too-large", "send a body of at most 4 MiB"));
        }
        Err(_) => return Err(refusal(400, "bad-body", "the request's body broke off: send it again")),
    };
    Ok(Request {
        method: parts.method.as_str().to_ascii_uppercase(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers(&parts.headers, parts.uri.authority()),
        region: None,
        body,
        client: client(&parts.headers),
    })
}

/// The client's address and port, as the host writes it into a header of its own. Where a client sent that header as well
/// and the host let it pass, both are there: joined they are no address, so that nobody can choose one.
fn client(from: &http::HeaderMap) -> Option<String> {
    let values = from.get_all("spin-client-addr").iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// Headers with lower-case names. Bytes that are no UTF-8 are replaced, not dropped, so that a doubled header stays
/// doubled; the pieces of a cookie header are joined, as RFC 9113, 8.2.3 asks. `wasi:http` has the host in the address.
fn headers(from: &http::HeaderMap, host: Option<&http::uri::Authority>) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(from.len());
    let mut cookie: Option<String> = None;
    for (name, value) in from {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match &mut cookie {
            Some(joined) if name == http::header::COOKIE => {
                joined.push_str("; ");
                joined.push_str(&value);
            }
            None if name == http::header::COOKIE => cookie = Some(value),
            _ => headers.push((name.as_str().to_owned(), value)),
        }
    }
    headers.extend(cookie.map(|value| (http::header::COOKIE.as_str().to_owned(), value)));
    if let Some(host) = host.filter(|_| !from.contains_key(http::header::HOST)) {
        headers.push((http::header::HOST.as_str().to_owned(), host.as_str().to_owned()));
    }
    headers
}

/// The response as the host takes it; to a `HEAD` request without its body.
pub(crate) fn response(from: Response, head: bool) -> Outgoing {
    let mut builder = http::Response::builder().status(from.status);
    for (name, value) in &from.headers {
        builder = builder.header(name, value);
    }
    let body = if head { Bytes::new() } else { from.body.into() };
    builder.body(Full::new(body)).unwrap_or_else(|error| {
        eprintln!("the edge's response can't be sent: {error}");
        let mut response = Outgoing::default();
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// An error answer of the form that the edge gives.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
    Response::new(status).with("cache-control", "no-store").body("application/json", body)
}
