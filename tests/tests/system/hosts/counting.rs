//! What reaches a relay of the Worker's, counted under workerd: many viewers who wait for a part cost it as few requests as one.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::wrangler::Wrangler;
use super::{Http, get, root, static_files};
use crate::contract::ask::Edge;
use crate::contract::{Door, VARIABLES, low_latency};

const VIEWERS: usize = 40;
const PARTS: u64 = 6;

/// What a part, and a second that has begun, may cost relays: several values are read for a playlist, each has a copy that
/// grows old, and parts come faster than that here.
const A_PART: u64 = 8;
const A_SECOND: u64 = 12;

/// The Worker as it is built, behind `counting.mjs`; gives its configuration.
fn configure(folder: &Path) -> std::path::PathBuf {
    let built = root().join("edge/cloudflare/build");
    for (from, to) in [
        (built.join("index.js"), "worker.mjs"),
        (built.join("index_bg.wasm"), "index_bg.wasm"),
        (root().join("tests/tests/system/hosts/counting.mjs"), "counting.mjs"),
    ] {
        fs::copy(&from, folder.join(to))
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask build-edge worker`", from.display()));
    }
    let config = fs::read_to_string(root().join("infra/cloudflare/wrangler.jsonc")).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let config = config
        .replace("../../edge/cloudflare/build/index.js", &at("counting.mjs"))
        .replace("../../edge/cloudflare/build", &at(""))
        .replace("\"rules\": [", "\"rules\": [{ \"type\": \"ESModule\", \"globs\": [\"**/*.mjs\"] },");
    let path = folder.join("wrangler.jsonc");
    fs::write(&path, config).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_for_a_part_ask_a_relay_as_one() {
    let (assets, folder) = (static_files(), tempfile::tempdir().unwrap());
    let worker = Wrangler::start_as(&configure(folder.path()), VARIABLES, assets.path()).await;
    let door = Http(worker.addr);
    let counted = async || -> u64 {
        let answer = door.call(get("/counted")).await.unwrap();
        String::from_utf8(answer.body).unwrap().parse().unwrap()
    };
    let edge = Edge::new(&door);
    let (before, began) = (counted().await, Instant::now());
    low_latency::many_wait(&edge, VIEWERS, PARTS).await;
    let (asked, took) = (counted().await - before, began.elapsed());
    let waited = VIEWERS as u64 * PARTS;
    println!("{waited} playlists were waited for in {took:?}: {asked} requests at relays");
    // However many wait: what is asked for goes by parts and by time.
    let most = PARTS * A_PART + (took.as_secs() + 1) * A_SECOND;
    assert!(
        asked > 0 && asked <= most,
        "{asked} requests at relays for {waited} playlists in {took:?}: at most {most}"
    );
    worker.stop().await;
}
