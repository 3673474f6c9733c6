//! The Worker in several data centres of several regions, under workerd, with objects that count what reaches them
//! (`world.mjs`). Which viewer is where, a header says: [`PLACE`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use railbird_edge::Request;
use railbird_edge::copies::ask_age_ms;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::door::Http;
use super::{end_group, get, root};
use crate::contract::ask::{Edge, now, session_of};
use crate::contract::sessions::guarded;
use crate::contract::{Door, VARIABLES, fixture};

/// Says where a viewer is: a number below [`PLACES`].
pub(crate) const PLACE: &str = "test-place";
/// Continents, each with a relay of its own for each value.
pub(crate) const PLACES: u64 = 6;

const START_TIME_MAX: Duration = Duration::from_secs(120);
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// A running Worker.
pub(crate) struct World {
    node: Child,
    pub(crate) addr: SocketAddr,
    _state: TempDir,
}

impl World {
    pub(crate) async fn start() -> World {
        World::start_with(VARIABLES).await
    }

    /// The same with these variables.
    pub(super) async fn start_with(variables: &[(&str, &str)]) -> World {
        let infra = root().join("infra/cloudflare");
        let bundle = root().join("edge/cloudflare/build");
        for (path, command) in [
            (infra.join("node_modules/.bin/node"), "npm ci --ignore-scripts` in `infra/cloudflare"),
            (bundle.join("index.js"), "cargo xtask build-edge worker"),
        ] {
            assert!(path.exists(), "{} is missing: run `{command}`", path.display());
        }
        let mut command = Command::new(infra.join("node_modules/.bin/node"));
        command.arg(root().join("tests/tests/system/hosts/world.mjs")).arg(bundle);
        command.arg(infra.join("node_modules")).arg(infra.join("wrangler.jsonc"));
        command.args(variables.iter().map(|(name, value)| format!("{}={value}", name.to_ascii_uppercase())));
        // In memory where that is to be had: each new object has a database, whose first writes are synced to the disk one by one.
        let state = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        command.env("TMPDIR", state.path());
        // A group of its own, so that nothing of it outlives a failed test.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut node = command.spawn().unwrap();
        let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(addr) = line.strip_prefix("ready ") {
                    return addr.parse().unwrap();
                }
            }
            panic!("miniflare ended before it was ready");
        };
        let addr = timeout(START_TIME_MAX, ready).await.expect("miniflare is ready in time");
        World { node, addr, _state: state }
    }

    /// What was counted of each object, by its kind and name and the method.
    async fn objects(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let answer = Http(self.addr).call(get("/counted")).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// How many requests the objects had whose kind and name begin so, of all methods.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let counts = self.objects().await;
        let of = counts.iter().filter(|(object, _)| object.starts_with(name));
        of.flat_map(|(_, methods)| methods.values()).sum()
    }

    /// Has the objects whose kind and name begin so fail, be silent, know of no value, or do as they should.
    pub(super) async fn spoil(&self, name: &str, how: &str) {
        let query = format!("name={}&how={how}", name.replace(' ', "+"));
        let answer = Http(self.addr).call(Request { query, ..get("/spoil") }).await.unwrap();
        assert_eq!(answer.status, 200);
    }

    /// Ends it and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.node.stdin.take());
        timeout(STOP_TIME_MAX, self.node.wait()).await.expect("miniflare stops in time").unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end_group(&self.node);
    }
}

/// Viewers, and how often each reads its playlist, as fast as it can.
const VIEWERS: u64 = 60;
const POLLS: u64 = 40;
/// How many passes they have: an object each.
const PASSES: u64 = 12;

/// The one object of a channel hears of pushes, and of each region once or twice in the time for which a copy is good: however
/// many viewers poll. Of turns, which no viewer here has anything to do with, it is asked nothing.
#[tokio::test(flavor = "multi_thread")]
async fn however_many_poll_the_one_object_hears_of_each_region_once_or_twice_a_second() {
    let world = World::start().await;
    let door = Http(world.addr);
    let edge = Edge::new(&door);
    edge.push("/origin/v1/event", &fixture::event(now().0)).await.status(204);
    let push = async || {
        let now = now();
        let state = fixture::state("table-1", now.0, now, [true, true]);
        edge.push("/origin/v1/channels/table-1/state", &state).await.status(204);
    };
    push().await;
    let (cell, before) = ("cell channel/table-1", world.counted("cell channel/table-1").await);
    assert_eq!(before, 1, "the push, and that pushes are counted");

    let began = Instant::now();
    let addr = world.addr;
    let mut viewers = JoinSet::new();
    for n in 0..VIEWERS {
        viewers.spawn(async move {
            let session = session_of(&format!("viewer-{}@railbird.test", n % PASSES), &["*"]);
            let place = (PLACE.to_string(), (n % PLACES).to_string());
            for _ in 0..POLLS {
                let mut request = get("/live/table-1/a/source.m3u8");
                request.headers = vec![session.cookie(), place.clone()];
                assert_eq!(Http(addr).call(request).await.unwrap().status, 200);
            }
        });
    }
    let mut pushes = 0;
    while let Some(viewer) = viewers.join_next().await {
        viewer.unwrap();
        if viewers.len().is_multiple_of(20) {
            push().await;
            pushes += 1;
        }
    }
    let took = began.elapsed();

    let counted = world.counted(cell).await - before;
    let age_ms = ask_age_ms(railbird_edge::Table::Channel.age_ms_max().into());
    // A relay asks once in that time, and once more in the one that has begun.
    let a_relay = u64::try_from(took.as_millis()).unwrap() / age_ms + 2;
    println!(
        "{} polls in {took:?}: the one object heard {counted} requests, {pushes} of them pushes",
        VIEWERS * POLLS
    );
    assert!(
        (PLACES + pushes..=PLACES * a_relay + pushes).contains(&counted),
        "{counted} requests reached the one object in {took:?}: {PLACES} regions, {pushes} pushes"
    );
    let relay = world.counted("relay weur/channel/table-1").await;
    assert!(
        relay > 0 && relay < VIEWERS * POLLS / PLACES,
        "{relay} requests reached the relay of one region"
    );
    assert_eq!(world.counted("cell turn/").await, 0, "no origin is listed that could be asked");
    world.stop().await;
}

/// No object is asked that has a name that somebody made up. What there is to know of channels costs each region as much as
/// before, whoever asks for what.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_names_make_no_objects() {
    const NAMES: u64 = 20;
    let world = World::start().await;
    let door = Http(world.addr);
    let edge = Edge::new(&door);
    edge.push("/origin/v1/event", &fixture::event(now().0)).await.status(204);
    let session = session_of("viewer@railbird.test", &["*"]);
    let began = Instant::now();
    let asked = async |method: &str, path: &str, place: u64| {
        let mut headers = vec![session.cookie(), (PLACE.to_string(), place.to_string())];
        headers.push(("content-type".to_string(), "application/cmcd".to_string()));
        edge.ask(method, path, headers, "").await.status(404);
    };
    for n in 0..NAMES {
        let name = format!("made-up-{n}");
        for path in guarded(&name) {
            asked("GET", &path, n % PLACES).await;
        }
        asked("GET", &format!("/watch/{name}"), n % PLACES).await;
        asked("POST", &format!("/live/{name}/beacons"), n % PLACES).await;
        let upgrade = ("upgrade".to_string(), "websocket".to_string());
        let headers = vec![session.cookie(), (PLACE.to_string(), (n % PLACES).to_string()), upgrade];
        let line = edge.ask("GET", &format!("/live/{name}/nodes.json"), headers, "").await;
        line.error(404, "no-such-channel");
    }
    let objects = world.objects().await;
    let objects: Vec<&String> = objects.keys().collect();
    let made_up = objects.iter().filter(|name| name.contains("made-up")).collect::<Vec<_>>();
    assert!(made_up.is_empty(), "{made_up:?}");
    assert!(objects.iter().any(|name| name.starts_with("cell holder/")), "objects are counted: {objects:?}");
    let age_ms = u64::from(railbird_edge::Table::Event.age_ms_max());
    let most = PLACES * (u64::try_from(began.elapsed().as_millis()).unwrap() / age_ms + 2);
    let events = world.counted("cell event/event").await;
    assert!(events <= most, "{events} requests reached the event for {NAMES} names");
    world.stop().await;
}
