//! What no client library sends: requests whose parts contradict each other, and requests that never end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the host may take to answer or to close: above all of its own bounds.
pub(crate) const END_TIME_MAX: Duration = Duration::from_secs(120);

/// What would be answered with a page, if it were taken for a request.
const SMUGGLED: &str = "GET /login HTTP/1.1\r\nhost: smuggled\r\nconnection: close\r\n\r\n";

/// Sends this on one connection; returns all that comes back until the host closes it.
async fn exchange(addr: SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The host may refuse, and close, before it has read everything.
    _ = stream.write_all(sent.as_bytes()).await;
    let mut answer = Vec::new();
    let read = timeout(END_TIME_MAX, stream.read_to_end(&mut answer)).await;
    _ = read.unwrap_or_else(|_| panic!("neither answered nor closed:\n{sent}"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Of a request that can be read in two ways, nothing is taken for a second request; most are refused whole.
pub(crate) async fn nothing_is_smuggled(addr: SocketAddr) {
    let head = format!("POST /api/logout HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n");
    let whole = SMUGGLED.len() + 5;
    for (framing, body, status) in [
        (format!("content-length: 2\r\ncontent-length: {whole}"), "{}", Some(400)),
        (format!("content-length: {whole}\r\ntransfer-encoding: chunked"), "0\r\n\r\n", None),
        (format!("transfer-encoding: chunked\r\ncontent-length: {whole}"), "0\r\n\r\n", None),
        ("transfer-encoding: chunked".to_owned(), "0\r\n\r\n", None),
        ("transfer-encoding: chunked, identity".to_owned(), "0\r\n\r\n", Some(400)),
        ("transfer-encoding: xchunked".to_owned(), "0\r\n\r\n", Some(400)),
        ("transfer-encoding : chunked".to_owned(), "0\r\n\r\n", Some(400)),
        ("content-length : 2".to_owned(), "{}", Some(400)),
        ("content-length: +2".to_owned(), "{}", Some(400)),
        ("content-length: 0x2".to_owned(), "{}", Some(400)),
        ("content-length: 2\r\nx: y\r\n z".to_owned(), "{}", Some(400)),
        ("content-length: 2\r\nx: y\rz: y".to_owned(), "{}", Some(400)),
        ("host: elsewhere.test\r\nconnection: close\r\ncontent-length: 2".to_owned(), "{}", Some(400)),
    ] {
        let answer = exchange(addr, &format!("{head}{framing}\r\n\r\n{body}{SMUGGLED}")).await;
        assert!(!answer.contains("<!doctype html>"), "smuggled by {framing:?}:\n{answer}");
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{framing:?}:\n{answer}");
        let expected = status.unwrap_or(204);
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{framing:?}:\n{answer}");
    }
    // A cookie that comes twice is one that the first of them says.
    let twice = exchange(
        addr,
        &format!(
            "GET /api/channels HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\
             cookie: __Host-railbird=x\r\ncookie: __Host-railbird=y\r\n\r\n"
        ),
    )
    .await;
    assert!(twice.starts_with("HTTP/1.1 401 "), "{twice}");
}

/// Requests of so many made-up sessions that ask to wait for a playlist, and whose bodies do not come.
pub(crate) async fn withheld_bodies(addr: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for n in 0..count {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let head = format!(
            "GET /live/table-6/a/source.m3u8?_HLS_msn=1 HTTP/1.1\r\nhost: {addr}\r\ncookie: __Host-railbird=made-up-{n}\r\n\
             content-length: 1\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams
}

/// A body that stops is answered, a head that stops is not waited for, and others are answered meanwhile.
pub(crate) async fn slow_senders_are_let_go(addr: SocketAddr) {
    let body = format!(
        "POST /api/login HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
         content-length: 4000\r\n\r\n{{"
    );
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {addr}\r\nx-slow: ");
    let other = format!("GET /healthz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    let (body, head, other) =
        tokio::join!(exchange(addr, &body), exchange(addr, &head), exchange(addr, &other));
    assert!(body.starts_with("HTTP/1.1 408 ") && body.contains("slow-body"), "{body}");
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 4"), "{head}");
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
}
