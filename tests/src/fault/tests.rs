use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

type Kept = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A server that keeps what is put.
async fn upstream() -> (SocketAddr, Kept) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let kept = Kept::default();
    let map = kept.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let map = map.clone();
            let service = service_fn(move |request| keep(map.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(
                async move { drop(connection.serve_connection(TokioIo::new(stream), service).await) },
            );
        }
    });
    (address, kept)
}

async fn keep(kept: Kept, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, name) = (request.method().clone(), request.uri().path().to_string());
    let (status, body) = match request.into_body().collect().await {
        Ok(body) if method == Method::PUT => {
            kept.lock().unwrap().insert(name, body.to_bytes());
            (201, Bytes::new())
        }
        Ok(_) => kept.lock().unwrap().get(&name).map_or((404, Bytes::new()), |body| (200, body.clone())),
        Err(_) => (400, Bytes::new()),
    };
    Ok(Response::builder().status(status).body(Full::new(body)).unwrap())
}

fn client(proxy: &Proxy) -> reqwest::Client {
    let mut client = reqwest::Client::builder().no_proxy();
    if let Some(pem) = proxy.authority() {
        client = client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]);
    }
    client.build().unwrap()
}

/// The status of a put, or that it failed; an answer counts when it is read whole.
async fn put(client: &reqwest::Client, url: &str, len: usize) -> Option<u16> {
    let response = client.put(url).body(vec![7; len]).send().await.ok()?;
    let status = response.status().as_u16();
    response.bytes().await.ok().map(|_| status)
}

async fn get(client: &reqwest::Client, url: &str) -> Option<Bytes> {
    client.get(url).send().await.ok()?.bytes().await.ok()
}

#[tokio::test]
async fn without_a_fault_everything_passes_with_and_without_tls() {
    let (upstream, kept) = upstream().await;
    for proxy in [Proxy::start(upstream, 1).await.unwrap(), Proxy::start_tls(upstream, 1).await.unwrap()] {
        let client = client(&proxy);
        for len in [0, 1, 300_000] {
            let url = format!("{}/{len}", proxy.url());
            assert_eq!(put(&client, &url, len).await, Some(201));
            assert_eq!(get(&client, &url).await.unwrap().len(), len);
        }
        let none = client.head(format!("{}/nothing", proxy.url())).send().await.unwrap();
        assert_eq!(none.status(), 404);
        assert_eq!((proxy.requests(), proxy.hits()), (7, 0));
    }
    assert_eq!(kept.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_request_fails_as_its_fault_says_and_the_next_one_works() {
    let busy = |status, retry_after| Fault::Busy { status, retry_after };
    // What a put and a get come to, and whether the put arrived.
    for (fault, write, read, arrives) in [
        (Fault::Reset, None, None, false),
        (Fault::Truncate, None, None, false),
        (busy(503, Some(7)), Some(503), Some(0), false),
        (busy(429, None), Some(429), Some(0), false),
        (Fault::Corrupt, Some(201), Some(100_000), true),
        (Fault::Drip(4_000_000), Some(201), Some(100_000), true),
        (Fault::Latency(Duration::from_millis(20)), Some(201), Some(100_000), true),
    ] {
        let (upstream, kept) = upstream().await;
        let proxy = Proxy::start(upstream, 2).await.unwrap();
        let client = client(&proxy);
        let url = |name: &str| format!("{}/{name}", proxy.url());
        assert_eq!(put(&client, &url("before"), 100_000).await, Some(201), "{fault:?}");
        proxy.set(Some(Plan::always(fault))).await.unwrap();
        let began = Instant::now();
        assert_eq!(put(&client, &url("during"), 100_000).await, write, "{fault:?}");
        let found = get(&client, &url("before")).await;
        assert_eq!(found.as_ref().map(Bytes::len), read, "{fault:?}");
        if matches!(fault, Fault::Drip(_) | Fault::Latency(_)) {
            assert!(began.elapsed() >= Duration::from_millis(40), "{fault:?}");
        }
        let wrong = found.iter().flatten().filter(|byte| **byte != 7).count();
        assert_eq!(wrong, usize::from(fault == Fault::Corrupt));
        assert_eq!(kept.lock().unwrap().contains_key("/during"), arrives, "{fault:?}");
        assert_eq!(proxy.hits(), 2, "{fault:?}");
        proxy.set(None).await.unwrap();
        assert_eq!(put(&client, &url("after"), 100_000).await, Some(201), "{fault:?}");
        assert_eq!(get(&client, &url("after")).await.unwrap(), vec![7; 100_000]);
    }
    let (upstream, _) = upstream().await;
    let proxy = Proxy::start(upstream, 2).await.unwrap();
    proxy.set(Some(Plan::always(busy(503, Some(7))))).await.unwrap();
    let response = client(&proxy).get(proxy.url()).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_black_hole_takes_everything_and_answers_nothing() {
    let (upstream, kept) = upstream().await;
    let proxy = Proxy::start(upstream, 3).await.unwrap();
    proxy.set(Some(Plan::always(Fault::BlackHole))).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    stream.write_all(b"PUT /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    stream.shutdown().await.unwrap();
    // It ends when we end, without a word.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"");
    assert_eq!((proxy.hits(), kept.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn connections_are_refused_and_taken_again_on_the_same_port() {
    let (upstream, _) = upstream().await;
    let proxy = Proxy::start(upstream, 4).await.unwrap();
    let client = client(&proxy);
    let url = format!("{}/a", proxy.url());
    for _ in 0..3 {
        assert_eq!(put(&client, &url, 3).await, Some(201));
        proxy.set(Some(Plan::always(Fault::Refuse))).await.unwrap();
        let refused = TcpStream::connect(proxy.addr()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(put(&client, &url, 3).await, None);
        proxy.set(None).await.unwrap();
    }
}

#[tokio::test]
async fn tls_fails_in_both_ways_and_works_again() {
    let (upstream, _) = upstream().await;
    let proxy = Proxy::start_tls(upstream, 5).await.unwrap();
    let url = format!("{}/a", proxy.url());
    let known = client(&proxy);
    for fault in [Fault::Garbage, Fault::UnknownAuthority] {
        assert_eq!(put(&known, &url, 3).await, Some(201));
        proxy.set(Some(Plan::always(fault))).await.unwrap();
        assert_eq!(put(&known, &url, 3).await, None, "{fault:?}");
        proxy.set(None).await.unwrap();
    }
    assert_eq!(put(&known, &url, 3).await, Some(201));
}

#[tokio::test]
async fn the_seed_says_which_requests_are_hit() {
    let (upstream, _) = upstream().await;
    let hits = async |seed: u64, backwards: bool| {
        let proxy = Proxy::start(upstream, seed).await.unwrap();
        let client = client(&proxy);
        let plan = Plan { fault: Fault::Busy { status: 503, retry_after: None }, per_mille: 300 };
        proxy.set(Some(plan)).await.unwrap();
        let mut names: Vec<u32> = (0..40).collect();
        if backwards {
            names.reverse();
        }
        let mut hit = Vec::new();
        for name in names {
            // The same request twice: each time it is another one.
            for time in 0..2 {
                if put(&client, &format!("{}/{name}", proxy.url()), 1).await == Some(503) {
                    hit.push((name, time));
                }
            }
        }
        hit.sort_unstable();
        assert_eq!((proxy.requests(), proxy.hits()), (80, hit.len() as u64));
        hit
    };
    let first = hits(6, false).await;
    assert!((10..=40).contains(&first.len()), "{first:?}");
    assert_eq!(first, hits(6, true).await);
    assert_ne!(first, hits(7, false).await);
}

#[tokio::test]
async fn what_is_not_http_is_hung_up_on() {
    let (upstream, _) = upstream().await;
    let proxy = Proxy::start(upstream, 8).await.unwrap();
    for (sent, answered) in [
        (&b"PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"[..], "HTTP/1.1 411 "),
        (b"PUT /a HTTP/1.1\r\ncontent-length: no\r\n\r\n", ""),
        (b"half a line", ""),
    ] {
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with(answered) && answered.is_empty() == answer.is_empty(), "{answer}");
    }
}

/// How a target's store takes each fault: what [`railbird_origin::store`] promises, against the proxy's side of it.
mod store {
    use railbird_origin::config::{
        Authority, Bucket, Connection, Deadlines, EntryPoint, Login, Place, Secret,
    };
    use railbird_origin::config::{Node, Target};
    use railbird_origin::store::server::{Credentials, NodeServer};
    use railbird_origin::store::{self, Object, PutError, Store, Tried};

    use super::*;

    const KEY: &str = "a key of this test";

    async fn node(dir: &std::path::Path) -> NodeServer {
        let credentials = Credentials { access_key: Secret::new(KEY), secret_key: Secret::new(KEY) };
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        NodeServer::start(listen, dir, &["live"], &credentials).await.unwrap()
    }

    fn open(place: Place, proxy: &Proxy, deadlines: Deadlines) -> Arc<dyn Store> {
        let pem = |pem: &str| Authority { path: "ca.pem".into(), pem: pem.into() };
        let target = Target {
            id: "a".parse().unwrap(),
            place,
            connection: Connection { deadlines, authority: proxy.authority().map(pem) },
            weight: 100,
            price_micros_per_gb: 0,
            backfill_mbps: 0,
            node: Node { id: "a".parse().unwrap(), url: proxy.url() },
        };
        store::open(&target).unwrap()
    }

    fn s3(proxy: &Proxy, deadlines: Deadlines) -> Arc<dyn Store> {
        let bucket = Bucket {
            endpoint: Some(proxy.url()),
            region: "us-east-1".into(),
            bucket: "live".into(),
            prefix: String::new(),
            path_style: true,
            access_key: Secret::new(KEY),
            secret_key: Secret::new(KEY),
        };
        open(Place::S3(bucket), proxy, deadlines)
    }

    fn http(proxy: &Proxy, deadlines: Deadlines) -> Arc<dyn Store> {
        let url = format!("{}/live", proxy.url());
        open(Place::Http(EntryPoint { url, login: Login::None, headers: Vec::new() }), proxy, deadlines)
    }

    fn object(name: &str) -> Object {
        Object::media(name.into(), Bytes::from(vec![7; 100_000]))
    }

    fn class(result: &Result<(), PutError>) -> &'static str {
        match result {
            Ok(()) => "taken",
            Err(PutError::Unreachable(_)) => "unreachable",
            Err(PutError::Retry(_)) => "retry",
            Err(PutError::SlowDown { after: Some(after), .. }) if after.as_secs() == 7 => "slow down, 7",
            Err(PutError::SlowDown { .. }) => "slow down",
            Err(PutError::Misconfigured(_)) => "misconfigured",
            Err(PutError::GiveUp(_)) => "give up",
        }
    }

    #[tokio::test]
    async fn each_fault_has_its_class_and_its_sentence_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let node = node(dir.path()).await;
        let (plain, _) = upstream().await;
        let busy = |status, retry_after| Fault::Busy { status, retry_after };
        let long = Duration::from_secs(20);
        let patient = Deadlines { dns: long, connect: long, tls: long, first_byte: long, total: long };
        let hasty = Deadlines { first_byte: Duration::from_millis(60), ..patient };
        for kind in ["s3", "http"] {
            for (fault, found, said, deadlines) in [
                (Fault::Refuse, "unreachable", "connect: ", patient),
                (Fault::BlackHole, "retry", "first byte: ", hasty),
                (Fault::Drip(4_000_000), "taken", "", patient),
                (Fault::Reset, "retry", "the connection to ", patient),
                (Fault::Truncate, "retry", "the answer of ", patient),
                (busy(503, Some(7)), "slow down, 7", "answered 503", patient),
                (busy(429, None), "slow down", "answered 429", patient),
                (Fault::Garbage, "unreachable", "tls: ", patient),
                (Fault::UnknownAuthority, "misconfigured", "set ca_file", patient),
                (Fault::Latency(Duration::from_millis(20)), "taken", "", patient),
            ] {
                let to = if kind == "s3" { node.addr() } else { plain };
                let proxy = Proxy::start_tls(to, 9).await.unwrap();
                let store = if kind == "s3" { s3(&proxy, deadlines) } else { http(&proxy, deadlines) };
                proxy.set(Some(Plan::always(fault))).await.unwrap();
                let answer = store.put(object("t/s/1-0.m4s")).await;
                let text = answer.result.as_ref().err().map(PutError::to_string).unwrap_or_default();
                assert_eq!(class(&answer.result), found, "{kind} {fault:?} {text}");
                assert!(text.contains(said), "{kind} {fault:?} {text}");
                assert_eq!(answer.trace.peer, Some(proxy.addr()), "{kind} {fault:?}");

                proxy.set(None).await.unwrap();
                let patient = if kind == "s3" { s3(&proxy, patient) } else { http(&proxy, patient) };
                let again = patient.put(object("t/s/1-0.m4s")).await;
                assert_eq!(again.result, Ok(()), "{kind} {fault:?}");
                assert!(again.trace.tls.is_some() && again.trace.first_byte.is_some());
            }
        }
    }

    #[tokio::test]
    async fn wrong_bytes_on_read_back_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let node = node(dir.path()).await;
        let proxy = Proxy::start(node.addr(), 10).await.unwrap();
        let store = s3(&proxy, Deadlines::default());
        let found = store::probe(&*store).await.result.unwrap();
        assert_eq!((found.read_back, found.list, found.delete), (Tried::Works, Tried::Works, Tried::Works));
        proxy.set(Some(Plan::always(Fault::Corrupt))).await.unwrap();
        assert_eq!(store::probe(&*store).await.result.unwrap().read_back, Tried::Wrong);
    }
}
