use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::routing::put;
use railbird_core::state::ChannelBrief;
use railbird_core::time::UtcMs;
use tokio::sync::Notify;

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn channels() -> Channels {
    Channels::new(EventState {
        event: "cup".parse().unwrap(),
        origin: None,
        title: "Cup".into(),
        revision: 1,
        channels: vec![ChannelBrief { id: "table-1".parse().unwrap(), title: "Table 1".into() }],
    })
}

async fn start(health: Health, channels: Channels, more: Router) -> Api {
    let router = router(health, channels, Metrics::new()).merge(more);
    Api::start(LOOPBACK, router).await.unwrap()
}

async fn json(api: &Api, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("http://{}{path}", api.addr())).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn health_says_who_is_unwell() {
    let (health, broken) = (Health::default(), Arc::new(AtomicBool::new(false)));
    let seen = broken.clone();
    health.watch(Vec::new);
    health.watch(move || {
        let unwell = ("target", "a".to_string(), "no such bucket".to_string());
        seen.load(Ordering::SeqCst).then_some(unwell).into_iter().collect()
    });
    let api = start(health, channels(), Router::new()).await;
    assert_eq!(json(&api, "/healthz").await, (200, json!({ "status": "ok" })));
    broken.store(true, Ordering::SeqCst);
    let reasons = json!([{ "part": "target", "id": "a", "reason": "no such bucket" }]);
    assert_eq!(json(&api, "/healthz").await, (503, json!({ "status": "unwell", "reasons": reasons })));
}

#[tokio::test]
async fn channels_are_told_with_and_without_a_state() {
    let channels = channels();
    let api = start(Health::default(), channels.clone(), Router::new()).await;
    let (status, body) = json(&api, "/v1/channels").await;
    assert_eq!((status, &body["event"]), (200, &json!({ "id": "cup", "title": "Cup" })));
    assert_eq!(body["channels"][0]["phase"], "waiting");
    channels.set(&ChannelState {
        channel: "table-1".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: "Table 1".into(),
        revision: 1,
        updated: UtcMs(1_795_171_920_040),
        phase: Phase::Live,
        segment_ms: 2000,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        score: None,
        splices: Vec::new(),
        nodes: Vec::new(),
        renditions: Vec::new(),
    });
    let (_, body) = json(&api, "/v1/channels").await;
    assert_eq!(body["channels"][0]["phase"], "live");
    assert_eq!(body["channels"][0]["updated"], "2026-11-20T10:52:00.040Z");
}

#[tokio::test]
async fn metrics_are_text_and_errors_are_json() {
    let take = Router::new().route("/v1/take", put(async |_: Bytes| ()));
    let api = start(Health::default(), channels(), take).await;
    let url = |path: &str| format!("http://{}{path}", api.addr());
    let metrics = reqwest::get(url("/metrics")).await.unwrap();
    assert!(metrics.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(metrics.text().await.unwrap().ends_with("# EOF\n"));

    let (status, body) = json(&api, "/nothing").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not-found")));
    let (status, body) = json(&api, "/v1/take").await;
    assert_eq!((status, &body["error"]["code"]), (405, &json!("wrong-method")));
    let client = reqwest::Client::new();
    for (len, status) in [(BODY_LEN_MAX, 200), (BODY_LEN_MAX + 1, 413)] {
        let answer = client.put(url("/v1/take")).body(vec![0; len]).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_end_and_takes_no_more() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, released) = (entered.clone(), leave.clone());
    let slow = async move || {
        inside.notify_one();
        released.notified().await;
        "done"
    };
    let api = start(Health::default(), channels(), Router::new().route("/slow", get(slow))).await;
    let address = api.addr();
    let request = tokio::spawn(reqwest::get(format!("http://{address}/slow")));
    entered.notified().await;
    let stopping = tokio::spawn(api.stop());
    // The socket is closed as soon as stopping has begun.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    leave.notify_one();
    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "done");
    stopping.await.unwrap();
}

/// Whoever listens on the way can't have done again what the crew did once.
#[tokio::test]
async fn a_signed_request_of_the_crew_is_good_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::config::tests::small(dir.path(), &[]);
    let (desk, _messages) = crate::driver::channel();
    let tools = crate::targets::Tools {
        client: crate::web::client().unwrap(),
        metrics: Metrics::new(),
        evidence: crate::evidence::Evidence::start(&dir.path().join("evidence")).unwrap(),
        desk: desk.clone(),
        other: None,
    };
    let begin = crate::targets::Begin::read(dir.path(), dir.path(), &[]).unwrap();
    let targets = crate::targets::Targets::start(dir.path(), begin, tools).unwrap();
    let crew = crew::Crew::new(&config, targets, crate::ingest::Channels::default(), desk);
    let api = start(Health::default(), channels(), crew::router(crew)).await;
    let client = reqwest::Client::new();
    let ask = async |nonce: u8, body: &'static str| {
        let now = crate::clock::now();
        let path = "/v1/targets/nobody/drain";
        let secret = config.secrets.origin.expose().as_bytes();
        let signature = railbird_core::sign::sign(secret, "POST", path, body.as_bytes(), now, [nonce; 16]);
        let send = async || {
            let request = client.post(format!("http://{}{path}", api.addr())).body(body);
            let answer = request.header(railbird_core::sign::HEADER, &signature).send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.unwrap();
            (status, body["error"]["code"].as_str().unwrap().to_string())
        };
        [send().await, send().await]
    };
    let taken = (404, "no-such-target".to_string());
    let again = (401, "sent-again".to_string());
    assert_eq!(ask(1, "").await, [taken.clone(), again.clone()]);
    assert_eq!(ask(2, "").await, [taken, again]);
}
