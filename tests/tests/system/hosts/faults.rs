//! The embedded wasmtime against a component that misbehaves, and clients that do.

use std::time::Duration;

use railbird_edge::Request;
use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig, Running};

use super::door::Http;
use super::{artefact, get};
use crate::contract::Door;

async fn start(change: impl FnOnce(&mut EdgeHostConfig)) -> (Running, Http) {
    let component = artefact(
        "RAILBIRD_FAULTS_COMPONENT",
        "wasm32-wasip2/wasm/examples/faults.wasm",
        "cargo xtask build-edge spin",
    );
    let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component);
    config.answer_time_max = Duration::from_secs(60);
    change(&mut config);
    let edge = EdgeHost::start(config).await.unwrap();
    let door = Http(edge.addr());
    (edge, door)
}

async fn asked(door: &Http, path: &str) -> (u16, String) {
    let response = door.call(get(path)).await.unwrap();
    (response.status, String::from_utf8(response.body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_costs_its_own_request_only() {
    let (edge, door) = start(|_| ()).await;
    assert_eq!(asked(&door, "/kept").await, (200, "0".to_owned()));
    assert_eq!(
        asked(&door, "/kept").await,
        (200, "1".to_owned()),
        "an instance is kept after a clean answer"
    );
    let fails = async |door: &Http, path: &str, status: u16| {
        let (failed, other) = tokio::join!(asked(door, path), asked(door, "/"));
        assert_eq!(failed.0, status, "{path}");
        assert!(!failed.1.contains("wasm"), "{path} must not show its inside: {}", failed.1);
        assert_eq!(other, (200, "ok".to_owned()), "beside {path}");
        assert_eq!(asked(door, "/").await, (200, "ok".to_owned()), "after {path}");
    };
    for path in ["/panic", "/memory", "/large"] {
        fails(&door, path, 500).await;
    }
    let (status, refused) = asked(&door, "/outbound").await;
    assert_eq!(status, 200);
    assert!(refused.contains("HttpRequestDenied"), "the component reaches nothing outside: {refused}");
    assert_eq!(edge.metrics().answered(5), 3);
    assert_eq!(asked(&door, "/print").await.1, "printed");
    edge.shutdown().await;
    let (edge, door) = start(|config| config.answer_time_max = Duration::from_secs(10)).await;
    for path in ["/loop", "/hang"] {
        fails(&door, path, 504).await;
    }
    assert_eq!(edge.metrics().answered(5), 2);
    edge.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_failed_is_not_kept_and_a_turn_comes() {
    let change = |config: &mut EdgeHostConfig| {
        // Less than a request waits for its turn.
        (config.instances_max, config.answer_time_max) = (1, Duration::from_secs(4));
    };
    let (edge, door) = start(change).await;
    assert_eq!(asked(&door, "/kept").await.1, "0");
    assert_eq!(asked(&door, "/panic").await.0, 500);
    assert_eq!(asked(&door, "/kept").await.1, "0");
    // The only instance is busy until its deadline: the other request waits for it.
    let (busy, waited) = tokio::join!(asked(&door, "/loop"), asked(&door, "/"));
    assert_eq!((busy.0, waited.0), (504, 200));
    edge.shutdown().await;
}

/// Making an instance takes long enough for a tick of the host's clock now and then, which must not end it.
#[tokio::test(flavor = "multi_thread")]
async fn every_fresh_instance_starts() {
    let (edge, door) = start(|_| ()).await;
    for round in 0..400 {
        assert_eq!(asked(&door, "/panic").await.0, 500);
        assert_eq!(asked(&door, "/kept").await, (200, "0".to_owned()), "round {round}");
    }
    edge.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_a_bound_are_refused_before_the_component() {
    let (edge, door) = start(|_| ()).await;
    // An origin's state may be large, whoever else asks is brief. The path alone does not get past the component.
    let put = |path, len| Request { method: "PUT".into(), body: vec![0; len], ..get(path) };
    assert_ne!(door.call(put("/origin/v1/event", 4 << 20)).await.unwrap().status, 413);
    assert_eq!(door.call(put("/", 64 << 10)).await.unwrap().status, 200);
    assert_eq!(door.call(put("/", (64 << 10) + 1)).await.unwrap().status, 413);
    let told = Request { headers: vec![("content-length".into(), "999999999".into())], ..get("/") };
    assert_eq!(door.call(told).await.unwrap().status, 413);
    let long = vec![("x-long".into(), "x".repeat(40 << 10))];
    assert_eq!(door.call(Request { headers: long, ..get("/") }).await.unwrap().status, 431);
    let many = (0..200).map(|n| (format!("x-{n}"), "x".to_owned())).collect();
    assert_eq!(door.call(Request { headers: many, ..get("/") }).await.unwrap().status, 431);
    edge.shutdown().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let nothing = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), "/nowhere/edge.wasm");
    let error = EdgeHost::start(nothing).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/edge.wasm") && error.contains("build-edge spin"), "{error}");
}
