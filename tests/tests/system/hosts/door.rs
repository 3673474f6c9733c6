//! A door over HTTP/1.1. It sends what it is given: no redirects, no cookies, no cleaning of paths.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use railbird_edge::{Request, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::contract::Door;

/// How long an answer may take: well above what any host's own bounds are.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// An edge at an address. Each call opens a connection of its own.
pub(crate) struct Http(pub(crate) SocketAddr);

impl Door for Http {
    async fn call(&self, request: Request) -> anyhow::Result<Response> {
        let asked = format!("{} {}", request.method, request.path);
        timeout(ANSWER_TIME_MAX, exchange(self.0, request))
            .await
            .with_context(|| format!("{asked}: no answer in {ANSWER_TIME_MAX:?}"))?
            .with_context(|| asked)
    }
}

async fn exchange(addr: SocketAddr, from: Request) -> anyhow::Result<Response> {
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let target = if from.query.is_empty() { from.path } else { format!("{}?{}", from.path, from.query) };
    let mut request =
        http::Request::builder().method(from.method.as_str()).uri(target).header("host", addr.to_string());
    for (name, value) in &from.headers {
        request = request.header(name, value);
    }
    let response = sender.send_request(request.body(Full::new(Bytes::from(from.body)))?).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    drop(sender);
    connection.abort();
    let mut headers = Vec::new();
    for (name, value) in &head.headers {
        headers.push((name.as_str().to_owned(), value.to_str()?.to_owned()));
    }
    Ok(Response { status: head.status.as_u16(), headers, body })
}
