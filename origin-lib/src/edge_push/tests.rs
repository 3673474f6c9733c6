use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use railbird_core::publish::OUTBID_MS_MAX;
use railbird_core::sign;
use railbird_core::time::UtcMs;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::{clock, web};

const SECRET: &str = "origin-secret-0123456789";

fn fast() -> Limits {
    Limits {
        deadline: Duration::from_secs(20),
        repeat: Duration::from_millis(5),
        backoff: Backoff { first: Duration::from_millis(1), cap: Duration::from_millis(5) },
    }
}

/// An edge that checks signatures, answers as told (0: never), and says what it got.
#[derive(Clone)]
struct Fake {
    status: Arc<AtomicU16>,
    /// The revision that it claims to keep.
    kept: Arc<AtomicU64>,
    /// How far its clock is ahead, in milliseconds.
    ahead_ms: Arc<AtomicU64>,
    got: mpsc::UnboundedSender<(String, String)>,
}

async fn answer(State(fake): State<Fake>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, STATE_LEN_MAX).await.unwrap();
    let (path, header) = (parts.uri.path(), parts.headers[sign::HEADER].to_str().unwrap());
    let now = clock::now().plus_ms(fake.ahead_ms.load(Ordering::SeqCst));
    let checked = sign::verify(SECRET.as_bytes(), parts.method.as_str(), path, &body, now, header);
    if checked == Err(sign::SignatureError::Stale) {
        let told = sign::tell_clock(SECRET.as_bytes(), header, now);
        return (http::StatusCode::UNAUTHORIZED, [(sign::CLOCK_HEADER, told)]).into_response();
    }
    let status = match (checked, fake.status.load(Ordering::SeqCst)) {
        (Err(_), _) => 401,
        (Ok(_), 0) => std::future::pending().await,
        (Ok(_), status) => status,
    };
    let _ = fake.got.send((path.into(), String::from_utf8(body.into()).unwrap()));
    let status = http::StatusCode::from_u16(status).unwrap();
    if status.is_success() {
        let kept = fake.kept.load(Ordering::SeqCst);
        return (status, format!("{{\"kept\":{kept}}}")).into_response();
    }
    (status, r#"{"error":{"code":"x","message":"do this"}}"#).into_response()
}

async fn fake(base: &str) -> (String, Fake, mpsc::UnboundedReceiver<(String, String)>) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let url = format!("http://{}{base}", listener.local_addr().unwrap());
    let (got, received) = mpsc::unbounded_channel();
    let fake =
        Fake { status: Arc::new(AtomicU16::new(204)), kept: Arc::default(), ahead_ms: Arc::default(), got };
    let router = Router::new().fallback(answer).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, fake, received)
}

fn pusher(edges: &[String], secret: &str, limits: &Limits) -> (EdgePush, Metrics) {
    let metrics = Metrics::new();
    let client = web::client().unwrap();
    (EdgePush::start(edges, &Secret::new(secret), &client, &metrics, limits).unwrap(), metrics)
}

fn event(revision: u64) -> EventState {
    EventState {
        event: "cup".parse().unwrap(),
        origin: None,
        title: "Cup".into(),
        revision,
        channels: Vec::new(),
    }
}

fn state(channel: &str, revision: u64) -> ChannelState {
    ChannelState {
        channel: channel.parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: channel.into(),
        revision,
        updated: UtcMs(revision),
        phase: railbird_core::state::Phase::Live,
        segment_ms: 2000,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        score: None,
        splices: Vec::new(),
        nodes: Vec::new(),
        renditions: Vec::new(),
    }
}

async fn until(statuses: &mut watch::Receiver<Status>, ready: impl Fn(&Status) -> bool) -> Status {
    statuses.wait_for(ready).await.unwrap().clone()
}

#[tokio::test]
async fn every_document_reaches_every_edge_signed_at_its_own_path() {
    let (a, _a, mut a_got) = fake("").await;
    let (b, _b, mut b_got) = fake("/base").await;
    let limits = Limits { repeat: Duration::from_secs(3600), ..fast() };
    let (push, metrics) = pusher(&[a, b], SECRET, &limits);
    push.publish_event(&event(1));
    push.publish_state(&state("table-1", 1));
    push.publish_state(&state("table-2", 1));
    push.publish_score(&"table-1".parse().unwrap(), Bytes::from_static(b"{\"seq\":1}"));
    for (got, base) in [(&mut a_got, ""), (&mut b_got, "/base")] {
        let mut paths = BTreeMap::new();
        for _ in 0..4 {
            let (path, body) = got.recv().await.unwrap();
            paths.insert(path, body);
        }
        let path = |rest: &str| format!("{base}/origin/v1/{rest}");
        assert_eq!(paths[&path("channels/table-1/score")], "{\"seq\":1}");
        let sent: ChannelState = serde_json::from_str(&paths[&path("channels/table-2/state")]).unwrap();
        assert_eq!(sent, state("table-2", 1));
        assert_eq!(serde_json::from_str::<EventState>(&paths[&path("event")]).unwrap(), event(1));
    }
    for (host, mut status) in push.statuses() {
        until(&mut status, |status| status.up).await;
        assert!(metrics.text().contains(&format!("railbird_edge_up{{edge=\"{host}\"}} 1")));
    }
}

#[tokio::test]
async fn the_latest_wins_and_unchanged_documents_are_repeated() {
    let (url, _fake, mut got) = fake("").await;
    let (push, _) = pusher(&[url], SECRET, &fast());
    let mut last = 0;
    for revision in 1..=50 {
        push.publish_event(&event(revision));
    }
    while last < 50 {
        let (_, body) = got.recv().await.unwrap();
        let revision = serde_json::from_str::<EventState>(&body).unwrap().revision;
        assert!(revision >= last, "older after newer");
        last = revision;
    }
    for _ in 0..3 {
        let (_, body) = got.recv().await.unwrap();
        assert_eq!(serde_json::from_str::<EventState>(&body).unwrap().revision, 50);
    }
}

#[tokio::test]
async fn an_edge_that_refuses_breaks_or_hangs_delays_no_other_and_recovers() {
    let (good, _good, mut good_got) = fake("").await;
    for (status, words) in [
        (500, "it answers 500: do this"),
        (413, "it refuses the event (413: do this)"),
        (404, "is this the URL of a Railbird edge"),
        (0, "no answer within"),
    ] {
        let (bad, fake, mut got) = fake("").await;
        fake.status.store(status, Ordering::SeqCst);
        let deadline = if status == 0 { Duration::from_millis(20) } else { fast().deadline };
        let (push, _) = pusher(&[bad, good.clone()], SECRET, &Limits { deadline, ..fast() });
        let mut statuses = push.statuses();
        push.publish_event(&event(7));
        until(&mut statuses[1].1, |status| status.up).await;
        good_got.recv().await.unwrap();
        let error = |status: &Status| status.error.as_ref().is_some_and(|error| error.contains(words));
        assert!(!until(&mut statuses[0].1, error).await.up);
        fake.status.store(200, Ordering::SeqCst);
        until(&mut statuses[0].1, |status| status.up).await;
        let body = got.recv().await.unwrap().1;
        assert_eq!(serde_json::from_str::<EventState>(&body).unwrap().revision, 7);
    }
}

#[tokio::test]
async fn another_secret_and_nobody_there_are_told_apart() {
    let (url, _fake, _got) = fake("").await;
    let (push, _) = pusher(&[url, "http://127.0.0.1:1".into()], "another-secret-0123456789", &fast());
    push.publish_event(&event(1));
    let mut statuses = push.statuses();
    let refused =
        until(&mut statuses[0].1, |s| s.error.as_ref().is_some_and(|e| e.contains("signature"))).await;
    let error = refused.error.unwrap();
    assert!(error.contains("secrets.origin") && !error.contains("another-secret"), "{error}");
    let nobody = until(&mut statuses[1].1, |s| s.error.as_ref().is_some_and(|e| e.contains("refused"))).await;
    assert!(!nobody.up);
}

#[tokio::test]
async fn what_no_edge_takes_is_not_sent() {
    let (url, _fake, mut got) = fake("").await;
    let (push, _) = pusher(&[url], SECRET, &fast());
    push.publish_score(&"table-1".parse().unwrap(), vec![b' '; STATE_LEN_MAX + 1].into());
    push.publish_score(&"table-2".parse().unwrap(), Bytes::from_static(b"{}"));
    assert_eq!(got.recv().await.unwrap().0, "/origin/v1/channels/table-2/score");
    let bad = EdgePush::start(
        &["nonsense".into()],
        &Secret::new(SECRET),
        &web::client().unwrap(),
        &Metrics::new(),
        &fast(),
    );
    assert!(bad.is_err());
}

#[tokio::test]
async fn a_revision_that_an_edge_keeps_is_followed_unless_it_is_nonsense() {
    let (url, fake, _got) = fake("").await;
    fake.status.store(200, Ordering::SeqCst);
    let (push, _) = pusher(&[url], SECRET, &fast());
    let mut status = push.statuses().remove(0).1;
    let channel = "table-1".parse().unwrap();
    let nonsense = |status: &Status| status.error.as_ref().is_some_and(|error| error.contains("nobody made"));
    // An earlier run's, whose clock was ahead by a year.
    let ahead = clock::steady().plus_ms(366 * 86_400_000).0;
    fake.kept.store(ahead, Ordering::SeqCst);
    push.publish_state(&state("table-1", 1));
    until(&mut status, |status| status.up).await;
    assert_eq!(push.state_kept(&channel), ahead);
    for revision in [clock::steady().plus_ms(OUTBID_MS_MAX + 3_600_000).0, u64::MAX] {
        fake.kept.store(revision, Ordering::SeqCst);
        until(&mut status, nonsense).await;
        assert_eq!(push.state_kept(&channel), ahead, "no other edge hears of it");
        fake.kept.store(ahead, Ordering::SeqCst);
        until(&mut status, |status| status.up).await;
    }
}

#[tokio::test]
async fn an_edge_whose_clock_is_another_one_tells_it_and_takes_what_is_signed_by_it() {
    let (url, fake, mut got) = fake("").await;
    let (push, _) = pusher(&[url], SECRET, &fast());
    let mut status = push.statuses().remove(0).1;
    push.publish_event(&event(1));
    until(&mut status, |status| status.up).await;
    for (ahead_ms, revision) in [(3_600_000, 2), (0, 3)] {
        fake.ahead_ms.store(ahead_ms, Ordering::SeqCst);
        push.publish_event(&event(revision));
        let told =
            |status: &Status| status.error.as_ref().is_some_and(|error| error.contains("set the wrong one"));
        assert!(!until(&mut status, told).await.up);
        until(&mut status, |status| status.up).await;
        let taken = async {
            while serde_json::from_str::<EventState>(&got.recv().await.unwrap().1).unwrap().revision
                < revision
            {}
        };
        taken.await;
    }
}

#[tokio::test]
async fn an_edge_that_asks_gets_what_would_be_pushed_to_it_signed_as_the_push() {
    use crate::api::{Api, edges};
    let (push, _) = pusher(&[], SECRET, &fast());
    push.publish_event(&event(1));
    push.publish_state(&state("table-1", 1));
    push.publish_state(&state("table-1", 2));
    push.publish_score(&"table-1".parse().unwrap(), Bytes::from_static(b"{\"seq\":1}"));
    let router = edges::router(Arc::new(push), Secret::new(SECRET));
    let api = Api::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), router).await.unwrap();
    let ask = async |path: &str, signature: Option<String>| {
        let request = web::client().unwrap().get(format!("http://{}{path}", api.addr()));
        let request = signature.into_iter().fold(request, |r, value| r.header(sign::HEADER, value));
        request.send().await.unwrap()
    };
    let signed = |secret: &str, method: &str, path: &str, at| {
        Some(sign::sign(secret.as_bytes(), method, path, b"", at, [7; 16]))
    };
    let now = clock::now();
    for (path, expected) in [
        ("/origin/v1/event", serde_json::to_string(&event(1)).unwrap()),
        ("/origin/v1/channels/table-1/state", serde_json::to_string(&state("table-1", 2)).unwrap()),
        ("/origin/v1/channels/table-1/score", "{\"seq\":1}".to_string()),
    ] {
        let answer = ask(path, signed(SECRET, "GET", path, now)).await;
        assert_eq!(answer.status(), 200, "{path}");
        let signature = answer.headers()[sign::HEADER].to_str().unwrap().to_string();
        let body = answer.text().await.unwrap();
        assert_eq!(body, expected);
        sign::verify(SECRET.as_bytes(), "PUT", path, body.as_bytes(), clock::now(), &signature).unwrap();
        let late = signed(SECRET, "GET", path, UtcMs(now.0 - 61_000));
        for wrong in [
            None,
            signed("another-secret-0123456789", "GET", path, now),
            signed(SECRET, "PUT", path, now),
            signed(SECRET, "GET", "/origin/v1/channels/table-2/state", now),
            late.clone(),
        ] {
            let refused = ask(path, wrong.clone()).await;
            assert_eq!(refused.status(), 401, "{path}");
            // Who has the secret and another clock is told what this one reads; nobody else is.
            let told = refused.headers().get(sign::CLOCK_HEADER).map(|told| told.to_str().unwrap());
            let told = told.and_then(|told| sign::clock_told(SECRET.as_bytes(), wrong.as_deref()?, told));
            let is_late = wrong == late;
            assert!(
                told.map_or(!is_late, |told| is_late && told.0.abs_diff(clock::now().0) < 60_000),
                "{told:?}"
            );
        }
    }
    for (path, status) in
        [("/origin/v1/channels/table-2/state", 404), ("/origin/v1/channels/table-1/replays", 404)]
    {
        assert_eq!(ask(path, signed(SECRET, "GET", path, now)).await.status(), status, "{path}");
    }
    api.stop().await;
}
