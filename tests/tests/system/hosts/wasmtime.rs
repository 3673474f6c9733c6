//! The Spin component in the origin's embedded wasmtime.

use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig, Running};

use super::door::Http;
use super::printed::{self, Printed};
use super::{artefact, own_pages_may_act, raw, static_files, static_files_are_served};
use crate::contract::ask::Edge;
use crate::contract::{self, VARIABLES, low_latency};

/// The component as it is deployed, with its store in memory unless that is changed.
async fn start(change: impl FnOnce(&mut EdgeHostConfig)) -> (Running, Http) {
    let component = artefact(
        "RAILBIRD_EDGE_COMPONENT",
        "wasm32-wasip2/wasm/railbird_edge_spin.wasm",
        "cargo xtask build-edge spin",
    );
    let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component);
    config.variables = VARIABLES.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    change(&mut config);
    let edge = EdgeHost::start(config).await.unwrap();
    let door = Http(edge.addr());
    (edge, door)
}

/// The contract on a store that is on disk, which includes the one in memory.
#[tokio::test(flavor = "multi_thread")]
async fn the_component_keeps_the_contract() {
    let printed = Printed::log();
    let (assets, store) = (static_files(), tempfile::tempdir().unwrap());
    let (edge, door) = start(|config| {
        config.assets = Some(assets.path().to_path_buf());
        config.store_dir = Some(store.path().to_path_buf());
    })
    .await;

    contract::run(&door).await;
    static_files_are_served(&door).await;
    own_pages_may_act(&door).await;
    raw::nothing_is_smuggled(door.0).await;
    assert_eq!(edge.metrics().answered(5), 0, "no answer may be a failure of the host");
    edge.shutdown().await;
    assert!(tokio::net::TcpStream::connect(door.0).await.is_err(), "it no longer listens");
    printed::tells_no_secret(&printed.text());
}

/// Far more waits in one hand than there are instances: nobody else notices.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_everything_at_once_holds_up_nobody() {
    let (host, door) = start(|_| ()).await;
    low_latency::waits_are_bounded(&Edge::new(&door), 100).await;
    assert_eq!(host.metrics().answered(5), 0, "no answer may be a failure of the host");
    host.shutdown().await;
}

/// Strangers who promise bodies and send none hold no place of those who wait for a playlist.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_holds_no_place() {
    const STRANGERS: usize = 100;
    let (host, door) = start(|_| ()).await;
    let strangers = raw::withheld_bodies(door.0, STRANGERS).await;
    let all_asked = async {
        while usize::try_from(host.metrics().in_flight()).unwrap() < STRANGERS {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(raw::END_TIME_MAX, all_asked).await.expect("all are waited for at the same time");
    low_latency::many_wait(&Edge::new(&door), 1, 1).await;
    drop(strangers);
    host.shutdown().await;
}

/// Whoever sends slowly is told so or let go, and nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_are_let_go() {
    let (edge, door) = start(|_| ()).await;
    raw::slow_senders_are_let_go(door.0).await;
    edge.shutdown().await;
}
