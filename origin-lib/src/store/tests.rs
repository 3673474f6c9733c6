use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server::{Credentials, NodeServer};
use super::*;
use crate::config::Secret;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn credentials() -> Credentials {
    Credentials { access_key: Secret::new("AKRAILBIRD"), secret_key: Secret::new("a secret key") }
}

async fn server(dir: &std::path::Path) -> NodeServer {
    NodeServer::start(LOOPBACK, dir, &["live"], &credentials()).await.unwrap()
}

fn place(address: SocketAddr) -> Place {
    let Credentials { access_key, secret_key } = credentials();
    Place {
        endpoint: Some(format!("http://{address}")),
        region: "us-east-1".into(),
        bucket: "live".into(),
        prefix: String::new(),
        path_style: true,
        access_key,
        secret_key,
        connect_deadline: Duration::from_secs(5),
        put_deadline: Duration::from_secs(20),
    }
}

fn object(name: &str, body: &[u8]) -> Object {
    Object::media(name.into(), Bytes::copy_from_slice(body))
}

/// What every store must do. `read` gets an object's bytes in another way than through the store.
async fn conformance(store: &dyn Store, read: impl AsyncFn(&str) -> Option<Bytes>) {
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(|n| [(n >> 3) as u8]).collect();
    for (name, body) in [
        ("table-1/source/1-0.m4s", &b"first"[..]),
        ("table-1/source/init-00.mp4", b""),
        ("table-1/source/2-0.m4s", &large),
        // Written again, as a second origin does.
        ("table-1/source/1-0.m4s", b"again"),
    ] {
        assert_eq!(store.put(object(name, body)).await.result, Ok(()), "{name}");
        assert_eq!(read(name).await.as_deref(), Some(body), "{name}");
    }
    assert_eq!(store.create(object("anchor", b"mine")).await.result, Ok(Created::Written));
    assert_eq!(store.create(object("anchor", b"yours")).await.result, Ok(Created::Exists));
    assert_eq!(read("anchor").await.as_deref(), Some(&b"mine"[..]));
    assert_eq!(read("nothing").await, None);
    for _ in 0..2 {
        assert_eq!(probe(store).await.result, Ok(Findings { conditional_create: true }));
    }
}

#[tokio::test]
async fn memory_conforms() {
    let store = Memory::default();
    conformance(&store, async |name: &str| store.get(name).map(|object| object.body)).await;
    assert_eq!(store.names().len(), 5);
}

async fn read_public(client: &reqwest::Client, base: &str, name: &str) -> Option<Bytes> {
    let response = client.get(format!("{base}/{name}")).send().await.unwrap();
    match response.status().as_u16() {
        200 => Some(response.bytes().await.unwrap()),
        404 => None,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn s3_conforms_with_and_without_a_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let client = reqwest::Client::new();
    for prefix in ["", "2026/cup"] {
        let store = S3::new(Place { prefix: prefix.into(), ..place(server.addr()) });
        let base = format!("http://{}/live/{prefix}", server.addr());
        let base = base.trim_end_matches('/');
        conformance(&store, async |name: &str| read_public(&client, base, name).await).await;
    }
}

#[tokio::test]
async fn a_node_answers_viewers_as_a_cdn_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let store = S3::new(place(server.addr()));
    store.put(object("t/s/1-0.m4s", b"0123456789")).await.result.unwrap();
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", server.addr());
    let header = |response: &reqwest::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_string())
    };

    let whole = client.get(url("/live/t/s/1-0.m4s")).send().await.unwrap();
    assert_eq!(header(&whole, "access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(header(&whole, "cache-control").as_deref(), Some(IMMUTABLE));
    assert_eq!(header(&whole, "content-type").as_deref(), Some("video/mp4"));
    let head = client.head(url("/live/t/s/1-0.m4s")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length").as_deref()), (200, Some("10")));
    let options = client.request(http::Method::OPTIONS, url("/live/t/s/1-0.m4s")).send().await.unwrap();
    assert_eq!(options.status(), 204);

    for (range, status, body) in [
        ("bytes=0-0", 206, "0"),
        ("bytes=8-99", 206, "89"),
        ("bytes=3-", 206, "3456789"),
        ("bytes=-2", 206, "89"),
        ("bytes=10-", 416, ""),
        ("bytes=5-4", 416, ""),
        ("lines=1-2", 416, ""),
    ] {
        let part = client.get(url("/live/t/s/1-0.m4s")).header("range", range).send().await.unwrap();
        assert_eq!(part.status(), status, "{range}");
        assert_eq!(part.text().await.unwrap(), body, "{range}");
    }
    // Neither what lies beside the objects nor what lies above them.
    std::fs::write(dir.path().join("live/.hidden"), "x").unwrap();
    for path in ["/live/.hidden", "/live", "/", "/live/t", "/live/../x", "/live//x", "/live/%2e%2e/x"] {
        assert_eq!(client.get(url(path)).send().await.unwrap().status(), 404, "{path}");
    }
    // Writing needs a signature.
    let put = client.put(url("/live/t/s/2-0.m4s")).body("x").send().await.unwrap();
    assert_eq!(put.status(), 403);
}

#[tokio::test]
async fn a_node_goes_down_and_comes_up_on_the_same_port() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let store = S3::new(place(server.addr()));
    store.put(object("t/s/1-0.m4s", b"x")).await.result.unwrap();
    let mut open = TcpStream::connect(server.addr()).await.unwrap();
    open.write_all(b"GET /live/t/s/1-0.m4s HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0];
    open.read_exact(&mut first).await.unwrap();

    for _ in 0..3 {
        server.set_up(false).await.unwrap();
        server.set_up(false).await.unwrap();
        assert!(!server.is_up().await);
        assert!(TcpStream::connect(server.addr()).await.is_err());
        let error = store.put(object("t/s/2-0.m4s", b"x")).await.result.unwrap_err();
        let PutError::Unreachable(text) = error else { panic!("{error:?}") };
        assert!(text.contains("refuses connections"), "{text}");
        server.set_up(true).await.unwrap();
        server.set_up(true).await.unwrap();
        assert_eq!(store.put(object("t/s/2-0.m4s", b"x")).await.result, Ok(()));
    }
    // The open connection was cut, not drained.
    let mut rest = Vec::new();
    let _ = open.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_wrong_configuration_is_told_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let good = place(server.addr());
    for (place, said) in [
        (Place { access_key: Secret::new("AKOTHER"), ..good.clone() }, "access_key"),
        (Place { secret_key: Secret::new("another secret"), ..good.clone() }, "secret_key"),
    ] {
        let error = probe(&S3::new(place)).await.result.unwrap_err();
        let PutError::Misconfigured(text) = error else { panic!("{error:?}") };
        assert!(text.contains(said) && !text.contains("another secret"), "{text}");
    }
}

/// A server that answers every request with `response`, byte for byte; `None`: never.
async fn canned(response: Option<&'static str>) -> SocketAddr {
    counted(response).await.0
}

/// The same, and how many connections there were.
async fn counted(response: Option<&'static str>) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = vec![0; 65_536];
                let _ = stream.read(&mut head).await;
                match response {
                    Some(text) => {
                        let _ = stream.write_all(text.as_bytes()).await;
                    }
                    None => std::future::pending().await,
                }
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn answers_are_classed_by_what_the_caller_can_do() {
    let said = |error: &PutError| error.to_string();
    for (response, class) in [
        (
            "HTTP/1.1 503 Slow Down\r\nretry-after: 7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "slow 7",
        ),
        ("HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "slow"),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "retry"),
        ("HTTP/1.1 200 OK\r\ncontent-len", "retry"),
        ("garbage\r\n\r\n", "retry"),
        ("", "retry"),
        ("HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "config"),
        (
            "HTTP/1.1 404 No\r\ncontent-length: 107\r\nconnection: close\r\n\r\n<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>The bucket does not exist.</Message></Error>\r\n",
            "config",
        ),
        ("HTTP/1.1 301 Moved\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "config"),
        ("HTTP/1.1 413 Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "give up"),
    ] {
        let (address, connections) = counted(Some(response)).await;
        let store = S3::new(place(address));
        let error = store.put(object("t/s/1-0.m4s", b"x")).await.result.unwrap_err();
        let found = match &error {
            PutError::SlowDown { after: Some(after), .. } => format!("slow {}", after.as_secs()),
            PutError::SlowDown { after: None, .. } => "slow".into(),
            PutError::Retry(_) => "retry".into(),
            PutError::Misconfigured(_) => "config".into(),
            PutError::GiveUp(_) => "give up".into(),
            PutError::Unreachable(_) => "unreachable".into(),
        };
        assert_eq!(found, class, "{response:?} {}", said(&error));
        assert!(said(&error).contains("bucket \"live\" at http://127.0.0.1"), "{}", said(&error));
        // The caller owns retry: the SDK has tried once.
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{response:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_deadline_and_no_more() {
    let store = S3::new(Place { put_deadline: Duration::from_millis(50), ..place(canned(None).await) });
    let error = store.put(object("t/s/1-0.m4s", b"x")).await.result.unwrap_err();
    assert!(matches!(&error, PutError::Retry(text) if text.contains("within 50 ms")), "{error:?}");
}

#[tokio::test]
async fn a_store_that_ignores_or_refuses_the_condition_is_found_out() {
    let ignores = canned(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(probe(&S3::new(place(ignores))).await.result, Ok(Findings { conditional_create: false }));
    let refuses = S3::new(place(
        canned(Some("HTTP/1.1 501 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")).await,
    ));
    assert_eq!(refuses.create(object("x", b"")).await.result, Ok(Created::NotOffered));
}
