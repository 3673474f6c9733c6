use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server::{Credentials, NodeServer};
use super::*;
use crate::config::{Bucket, Connection, Deadlines, EntryPoint, Login, Secret};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn credentials() -> Credentials {
    Credentials { access_key: Secret::new("AKRAILBIRD"), secret_key: Secret::new("a secret key") }
}

async fn server(dir: &std::path::Path) -> NodeServer {
    NodeServer::start(LOOPBACK, dir, &["live"], &credentials()).await.unwrap()
}

fn bucket(address: SocketAddr) -> Bucket {
    let Credentials { access_key, secret_key } = credentials();
    Bucket {
        endpoint: Some(format!("http://{address}")),
        region: "us-east-1".into(),
        bucket: "live".into(),
        prefix: String::new(),
        path_style: true,
        access_key,
        secret_key,
    }
}

fn entry(address: SocketAddr) -> EntryPoint {
    let login = Login::Basic { user: "railbird".into(), password: Secret::new("a pass word") };
    EntryPoint { url: format!("http://{address}/live"), login, headers: Vec::new() }
}

/// Deadlines that no test reaches.
fn patient() -> Connection {
    let long = Duration::from_secs(20);
    let deadlines = Deadlines { dns: long, connect: long, tls: long, first_byte: long, total: long };
    Connection { deadlines, authority: None }
}

fn s3(bucket: &Bucket) -> S3 {
    S3::new(bucket, &patient()).unwrap()
}

fn http(entry: &EntryPoint) -> Http {
    Http::new(entry, &patient()).unwrap()
}

fn object(name: &str, body: &[u8]) -> Object {
    Object::media(name.into(), Bytes::copy_from_slice(body))
}

/// What every store must do. `read` gets an object's bytes in another way than through the store.
async fn conformance(store: &dyn Store, lists: bool, read: impl AsyncFn(&str) -> Option<Bytes>) {
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

    for (name, body) in [("table-1/source/1-0.m4s", Some(&b"again"[..])), ("table-1/nothing", None)] {
        assert_eq!(store.get(name, 5).await.result, Ok(body.map(Bytes::from_static)), "{name}");
    }
    assert_eq!(store.get("table-1/source/2-0.m4s", large.len()).await.result.unwrap().unwrap(), large);
    for len_max in [4, 0] {
        let longer = store.get("table-1/source/1-0.m4s", len_max).await.result;
        assert!(matches!(&longer, Err(PutError::TooLong(text)) if text.contains("more than")), "{longer:?}");
    }

    assert_eq!(store.delete("anchor").await.result, Ok(()));
    assert_eq!(store.get("anchor", 9).await.result, Ok(None));
    assert_eq!(store.delete("anchor").await.result, Ok(()));
    assert_eq!(store.create(object("anchor", b"new")).await.result, Ok(Created::Written));

    if lists {
        let all = ["table-1/source/1-0.m4s", "table-1/source/2-0.m4s", "table-1/source/init-00.mp4"];
        for (prefix, max, names) in [
            ("table-1/", 10, &all[..]),
            ("table-1/", 2, &all[..2]),
            ("table-1/source/1", 10, &all[..1]),
            ("", 1, &["anchor"]),
            ("", 0, &[]),
            ("table-2/", 10, &[]),
        ] {
            let found = store.list(prefix, max).await.result.unwrap();
            assert_eq!(found, names, "{prefix:?} {max}");
        }
    } else {
        assert!(matches!(store.list("", 1).await.result, Err(PutError::GiveUp(_))));
    }

    let list = if lists { Tried::Works } else { Tried::Refused };
    let (read_back, delete) = (Tried::Works, Tried::Works);
    for _ in 0..2 {
        let findings = Findings { conditional_create: true, read_back, list, delete };
        assert_eq!(probe(store).await.result, Ok(findings));
    }
}

#[tokio::test]
async fn memory_conforms() {
    let store = Memory::default();
    conformance(&store, true, async |name: &str| store.object(name).map(|object| object.body)).await;
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
        let store = s3(&Bucket { prefix: prefix.into(), ..bucket(server.addr()) });
        let base = format!("http://{}/live/{prefix}", server.addr());
        let base = base.trim_end_matches('/');
        conformance(&store, true, async |name: &str| read_public(&client, base, name).await).await;
    }
}

#[tokio::test]
async fn a_node_answers_viewers_as_a_cdn_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let store = s3(&bucket(server.addr()));
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
    let options = client.request(::http::Method::OPTIONS, url("/live/t/s/1-0.m4s")).send().await.unwrap();
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
    let store = s3(&bucket(server.addr()));
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
    let good = bucket(server.addr());
    for (place, said) in [
        (Bucket { access_key: Secret::new("AKOTHER"), ..good.clone() }, "access_key"),
        (Bucket { secret_key: Secret::new("another secret"), ..good.clone() }, "secret_key"),
    ] {
        let error = probe(&s3(&place)).await.result.unwrap_err();
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

/// A bucket at a machine whose clock is ahead by this much, in milliseconds, and that checks when a request was signed.
async fn ahead(ms: u64) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let now = std::time::SystemTime::now() + Duration::from_millis(ms);
            let date = httpdate::fmt_http_date(now);
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read_buf(&mut head).await;
                assert!(read.is_ok_and(|len| len > 0), "no head");
            }
            let text = String::from_utf8_lossy(&head).to_lowercase();
            let signed = text.lines().find_map(|line| line.strip_prefix("x-amz-date: ")).unwrap();
            // `20261126t162043z`, to the hour.
            let hour = |date: &str| date.replace(['-', ':'], "").get(..11).map(str::to_lowercase);
            let seconds = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let reads = railbird_core::time::UtcMs(seconds * 1000).iso8601();
            let answer = if hour(signed) == hour(&reads) {
                format!(
                    "HTTP/1.1 200 OK\r\netag: \"x\"\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
            } else {
                let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>late</Message></Error>";
                format!(
                    "HTTP/1.1 403 No\r\ndate: {date}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn a_store_whose_clock_is_another_one_is_signed_for_by_its_own() {
    // Two days, so that neither hour nor date are the same.
    let store = s3(&bucket(ahead(2 * 86_400_000).await));
    let error = store.put(object("t/s/1-0.m4s", b"x")).await.result.unwrap_err();
    let PutError::Retry(words) = &error else { panic!("{error:?}") };
    assert!(words.contains("RequestTimeTooSkewed") && words.contains("clock is wrong: set it"), "{words}");
    assert_eq!(store.put(object("t/s/1-0.m4s", b"x")).await.result, Ok(()));
}

/// What a provider quotes of a request is in the log, `/healthz` and the list of targets as well.
#[tokio::test]
async fn invariant_8_no_error_of_a_store_repeats_what_lets_us_in_however_it_is_cut() {
    const ANSWER: &str = "HTTP/1.1 400 Odd\r\nx-amz-request-id: 1 hunter2-hunter2\r\nconnection: close\r\n\r\n\
        <?xml version=\"1.0\"?><Error><Code>Odd</Code><Message>\
        0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
        012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345 \
        hunter2-hunter2</Message></Error>\r\n";
    let address = canned(Some(ANSWER)).await;
    let answer = s3(&Bucket { secret_key: Secret::new("hunter2-hunter2"), ..bucket(address) })
        .put(object("t/s/1-0.m4s", b"x"))
        .await;
    let error = answer.result.unwrap_err().to_string();
    assert!(error.contains("answered 400 Odd (0123") && !error.contains("hun"), "{error}");
    assert_eq!(answer.trace.request_id.as_deref(), Some("x-amz-request-id: 1 [removed]"));
}

/// The class of an error, in a word.
fn class(error: &PutError) -> String {
    match error {
        PutError::SlowDown { after: Some(after), .. } => format!("slow {}", after.as_secs()),
        PutError::SlowDown { after: None, .. } => "slow".into(),
        PutError::Retry(_) => "retry".into(),
        PutError::Misconfigured(_) => "config".into(),
        PutError::GiveUp(_) => "give up".into(),
        PutError::TooLong(_) => "too long".into(),
        PutError::Unreachable(_) => "unreachable".into(),
    }
}

#[tokio::test]
async fn answers_are_classed_by_what_the_caller_can_do() {
    for (response, over_s3, over_http) in [
        (
            "HTTP/1.1 503 Slow Down\r\nretry-after: 7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "slow 7",
            "slow 7",
        ),
        (
            // The other form, here of a time that has passed.
            "HTTP/1.1 503 No\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "slow 0",
            "slow 0",
        ),
        ("HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "slow", "slow"),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "retry", "retry"),
        ("HTTP/1.1 502 Oops\r\ncontent-length: 9\r\nconnection: close\r\n\r\nshort", "retry", "retry"),
        ("HTTP/1.1 200 OK\r\ncontent-len", "retry", "retry"),
        // A good status that breaks off, says nothing of the object, or promises only.
        ("HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 10\r\n\r\n<a>", "retry", "retry"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlogin", "retry", "ok"),
        ("HTTP/1.1 202 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "retry", "retry"),
        ("garbage\r\n\r\n", "retry", "retry"),
        ("", "retry", "retry"),
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "config", "config"),
        ("HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "config", "config"),
        (
            "HTTP/1.1 404 No\r\ncontent-length: 107\r\nconnection: close\r\n\r\n<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>The bucket does not exist.</Message></Error>\r\n",
            "config",
            "config",
        ),
        ("HTTP/1.1 405 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "give up", "config"),
        ("HTTP/1.1 301 Moved\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "config", "config"),
        ("HTTP/1.1 413 Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "give up", "give up"),
    ] {
        for kind in ["s3", "http"] {
            let (address, connections) = counted(Some(response)).await;
            let store: Box<dyn Store> =
                if kind == "s3" { Box::new(s3(&bucket(address))) } else { Box::new(http(&entry(address))) };
            let result = store.put(object("t/s/1-0.m4s", b"x")).await.result;
            let found = result.as_ref().map_or_else(class, |()| "ok".into());
            assert_eq!(
                found,
                if kind == "s3" { over_s3 } else { over_http },
                "{kind} {response:?} {result:?}"
            );
            if let Err(error) = result {
                assert!(error.to_string().contains(&store.place()), "{error}");
            }
            // The caller owns retry: there was one try.
            assert_eq!(connections.load(Ordering::SeqCst), 1, "{response:?}");
        }
    }
}

#[tokio::test]
async fn what_a_store_does_not_honour_is_found_out() {
    let answered = async |response| s3(&bucket(canned(Some(response)).await));
    // It takes everything and does nothing with it.
    let blind =
        answered("HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let found = probe(&blind).await.result.unwrap();
    assert_eq!((found.conditional_create, found.read_back), (false, Tried::Wrong));
    let said = found.to_string();
    assert!(said.starts_with("takes objects, ignores conditional create, does NOT give back"), "{said}");

    let refuses = answered("HTTP/1.1 501 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    assert_eq!(refuses.create(object("x", b"")).await.result, Ok(Created::NotOffered));

    // AWS says so where another origin writes the same object at this moment.
    let meets = answered(
        "HTTP/1.1 409 Conflict\r\ncontent-type: application/xml\r\ncontent-length: 54\r\nconnection: close\r\n\r\n\
         <Error><Code>ConditionalRequestConflict</Code></Error>",
    );
    assert_eq!(meets.await.create(object("x", b"")).await.result, Ok(Created::Exists));

    // It takes objects, and nothing else.
    let server = PutServer::start(|method| (*method != ::http::Method::PUT).then_some(403)).await;
    let found = probe(&http(&entry(server.address))).await.result.unwrap();
    let (list, delete) = (Tried::Refused, Tried::Refused);
    assert_eq!(
        found,
        Findings { conditional_create: true, read_back: Tried::Refused, list, delete },
        "{found}"
    );
    // What fails for a moment is no finding, and nothing is tried after it.
    let server = PutServer::start(|method| (*method == ::http::Method::GET).then_some(500)).await;
    let found = probe(&http(&entry(server.address))).await.result.unwrap();
    assert_eq!((found.read_back, found.list, found.delete), (Tried::Unknown, Tried::Unknown, Tried::Unknown));
}

type Kept = Arc<std::sync::Mutex<std::collections::BTreeMap<String, Bytes>>>;

/// An HTTP server that keeps what is put. `refuses` gives a status for a method that is not to work.
struct PutServer {
    address: SocketAddr,
    kept: Kept,
    /// The credentials of every request, in order.
    logins: Arc<std::sync::Mutex<Vec<String>>>,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl PutServer {
    async fn start(refuses: fn(&::http::Method) -> Option<u16>) -> PutServer {
        use ::http::{Method, Request, Response};
        use http_body_util::{BodyExt, Full};
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (kept, logins) = (Kept::default(), Arc::<std::sync::Mutex<Vec<String>>>::default());
        let (map, log) = (kept.clone(), logins.clone());
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let (kept, logins) = (map.clone(), log.clone());
            async move {
                let (head, body) = request.into_parts();
                let header =
                    |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_string());
                let login = header("authorization").or_else(|| header("x-key")).unwrap_or_default();
                logins.lock().unwrap().push(login);
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let name = head.uri.path().to_string();
                let mut kept = kept.lock().unwrap();
                let only_new = header("if-none-match").as_deref() == Some("*");
                let (status, body) = match (refuses(&head.method), &head.method) {
                    (Some(status), _) => (status, Bytes::new()),
                    (None, &Method::PUT) if only_new && kept.contains_key(&name) => (412, Bytes::new()),
                    (None, &Method::PUT) => {
                        kept.insert(name, body);
                        (201, Bytes::new())
                    }
                    (None, &Method::GET) => {
                        kept.get(&name).map_or((404, Bytes::new()), |body| (200, body.clone()))
                    }
                    (None, &Method::DELETE) => (kept.remove(&name).map_or(404, |_| 204), Bytes::new()),
                    (None, _) => (405, Bytes::new()),
                };
                let response = Response::builder().status(status).header("cf-ray", "ray-1");
                Ok::<_, std::convert::Infallible>(response.body(Full::new(body)).unwrap())
            }
        });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        tokio::spawn(crate::http_server::serve(listener, service, stopped));
        PutServer { address, kept, logins, _stop: stop }
    }
}

#[tokio::test]
async fn http_conforms() {
    let server = PutServer::start(|_| None).await;
    let kept = server.kept.clone();
    let read = async |name: &str| kept.lock().unwrap().get(&format!("/live/{name}")).cloned();
    conformance(&http(&entry(server.address)), false, read).await;
}

#[tokio::test]
async fn an_entry_point_gets_its_login_and_shows_it_to_nobody() {
    let server = PutServer::start(|_| None).await;
    let key = vec![("x-key".to_string(), Secret::new("the key"))];
    for (login, headers, sent) in [
        (Login::None, Vec::new(), ""),
        (entry(server.address).login, Vec::new(), "Basic cmFpbGJpcmQ6YSBwYXNzIHdvcmQ="),
        (Login::Bearer(Secret::new("a-token")), Vec::new(), "Bearer a-token"),
        (Login::None, key, "the key"),
    ] {
        let store = http(&EntryPoint { login, headers, ..entry(server.address) });
        let answer = store.put(object("t/s/1-0.m4s", b"x")).await;
        assert_eq!(answer.result, Ok(()));
        assert_eq!(server.logins.lock().unwrap().pop().as_deref(), Some(sent));
        let shown = format!("{store:?}");
        assert!(sent.is_empty() || !shown.contains(sent), "{shown}");
    }
    let broken = EntryPoint { login: Login::Bearer(Secret::new("two\nlines")), ..entry(server.address) };
    let error = Http::new(&broken, &patient()).unwrap_err().to_string();
    assert!(error.contains("bearer") && !error.contains("lines"), "{error}");
}
