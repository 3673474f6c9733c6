//! Between the Workers runtime and the edge's own request and response.

use futures::StreamExt;
use railbird_edge::http::BODY_LEN_MAX;
use railbird_edge::{Request, Response};
use worker::{Headers, ResponseBuilder};

use crate::region;

/// Statuses that can't have a body: the runtime refuses one, even an empty one.
const WITHOUT_BODY: [u16; 3] = [204, 205, 304];

/// Reads a request whole. `Err` is the answer to one that can't be read.
pub(crate) async fn request(mut from: worker::Request) -> Result<Request, Response> {
    let url = from.inner().url();
    let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let (path, query) = (from.path(), query.to_owned());
    // Workers join a repeated header with ", ": what is doubled is no longer equal to either.
    let headers = from.headers().entries().collect();
    let region = region::continent(&from);
    // Cloudflare writes this header itself, whatever the client sent.
    let client = from.headers().get("cf-connecting-ip").ok().flatten();
    let body = body(&mut from).await?;
    Ok(Request { method: from.inner().method(), path, query, headers, region, client, body })
}

/// The whole body, at most [`BODY_LEN_MAX`] bytes.
async fn body(from: &mut worker::Request) -> Result<Vec<u8>, Response> {
    let too_large = || refusal(413, "too-large", "send a body of at most 4 MiB");
    let broken = || refusal(400, "bad-body", "the request's body broke off: send it again");
    if from.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let told = from.headers().get("content-length").ok().flatten();
    if told.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > BODY_LEN_MAX) {
        return Err(too_large());
    }
    let mut stream = from.stream().map_err(|_| broken())?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| broken())?;
        if body.len() + chunk.len() > BODY_LEN_MAX {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The response as the runtime takes it; to a `HEAD` request without its body.
pub(crate) fn response(from: Response, head: bool) -> worker::Result<worker::Response> {
    let headers = Headers::new();
    for (name, value) in &from.headers {
        headers.append(name, value)?;
    }
    let builder = ResponseBuilder::new().with_status(from.status).with_headers(headers);
    let empty = head || WITHOUT_BODY.contains(&from.status);
    Ok(if empty { builder.empty() } else { builder.fixed(from.body) })
}

/// An error answer of the form that the edge gives.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
    Response::new(status).with("cache-control", "no-store").body("application/json", body)
}
