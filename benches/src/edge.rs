//! The edge on its two runtimes, asked by one client on one connection: the component in the embedded wasmtime, and the
//! Worker on workerd.
//!
//! The server is the real origin with its embedded edge, on a store on disk; or workerd, as [`crate::worker`] starts it. CPU is
//! what that whole process used, sockets, HTTP and its other threads included, divided by the number of requests: in
//! batches, whose median is printed.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use railbird_core::time::UtcMs;
use serde_json::{Value, json};

use crate::client::Client;
use crate::clock;
use crate::origin::{Origin, Plan};
use crate::process::{cpu_of, quantile};
use crate::store::Store;
use crate::{Place, figure, session};

const SEGMENT_MS: u64 = 2000;
const KEY_PERIOD_S: u64 = 3600;
/// How many requests are measured together.
const BATCH: usize = 500;

/// How many logins: each needs so much memory that its instance is not used again, and the next request makes one.
const LOGINS: usize = 200;

pub(crate) fn run(place: &Place) -> Result<()> {
    let dir = place.work.join("edge");
    let stores = [Store::start()?, Store::start()?];
    let component = Some(place.component.as_path());
    let plan = Plan { component, ..Plan::new(2, &stores) };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    println!("edge in wasmtime: one client, one connection");
    routes(origin.process.pid(), &origin.edge.to_string())?;
    instantiation(&origin)?;
    drop(origin);
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

/// Measures every route of a running edge.
pub(crate) fn routes(pid: u32, addr: &str) -> Result<()> {
    let mut viewer = Viewer::enter(addr)?;
    let key = format!("/key/table-0/{}", clock::now().0 / 1000 / KEY_PERIOD_S);
    for (what, path, batches, aim) in [
        ("playlist, 60 segments", "/live/table-0/a/source.m3u8", 40, "aim: p50 under 100 µs"),
        ("playlist, 5400 segments (3 h)", "/live/table-1/a/source.m3u8", 4, "no aim"),
        ("key", &key, 20, "no aim"),
        ("steering", "/steer/table-0", 20, "no aim"),
        ("healthz", "/healthz", 20, "no aim"),
    ] {
        viewer.renew()?;
        measure(pid, &mut viewer, what, path, batches, aim)?;
    }
    logins(pid, &mut viewer)
}

fn measure(pid: u32, viewer: &mut Viewer, what: &str, path: &str, batches: usize, aim: &str) -> Result<()> {
    // Warm: code paths, branch predictors, the connection.
    for _ in 0..BATCH {
        viewer.get(path)?;
    }
    let (mut cpu, mut latency) = (Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..batches {
        let before = cpu_of(pid)?;
        for _ in 0..BATCH {
            let asked = Instant::now();
            viewer.get(path)?;
            latency.push(asked.elapsed().as_secs_f64());
        }
        let used = cpu_of(pid)?.saturating_sub(before);
        cpu.push(used.as_secs_f64() / BATCH as f64);
    }
    let rate = (batches * BATCH) as f64 / began.elapsed().as_secs_f64();
    print_cpu(what, cpu, aim);
    let (p50, p99) = (quantile(&mut latency, 0.5), quantile(&mut latency, 0.99));
    figure(
        &format!("{what}: time"),
        &us(p50),
        &format!("p50; p99 {}; {rate:.0} requests/s from one client", us(p99)),
    );
    Ok(())
}

/// What a request costs, and so how many of them a core can answer in a second.
fn print_cpu(what: &str, mut cpu: Vec<f64>, aim: &str) {
    let (least, middle) = (quantile(&mut cpu, 0.0), quantile(&mut cpu, 0.5));
    figure(
        &format!("{what}: CPU a request"),
        &us(middle),
        &format!("p50; least {}; {:.0} requests/s a core; {aim}", us(least), 1.0 / middle),
    );
}

/// argon2id with 19 MiB and two passes is most of it.
fn logins(pid: u32, viewer: &mut Viewer) -> Result<()> {
    let (mut cpu, mut latency) = (Vec::new(), Vec::new());
    for _ in 0..LOGINS {
        let (before, asked) = (cpu_of(pid)?, Instant::now());
        session::login(&mut viewer.client)?;
        latency.push(asked.elapsed().as_secs_f64());
        cpu.push(cpu_of(pid)?.saturating_sub(before).as_secs_f64());
    }
    print_cpu("login (argon2id)", cpu, "no aim");
    let (p50, p99) = (quantile(&mut latency, 0.5), quantile(&mut latency, 0.99));
    figure("login (argon2id): time", &us(p50), &format!("p50; p99 {}", us(p99)));
    Ok(())
}

fn us(seconds: f64) -> String {
    format!("{:.1} µs", seconds * 1e6)
}

/// Somebody with a pass, on one connection.
struct Viewer {
    client: Client,
    session: String,
    /// The session's cookie, and the screen's.
    cookies: String,
}

impl Viewer {
    /// Brings what the origin and the operator would, and logs in.
    fn enter(addr: &str) -> Result<Viewer> {
        let mut client = Client::connect(addr)?;
        session::issue(&mut client)?;
        for (channel, segments) in [("table-0", 60), ("table-1", 5400)] {
            session::put(
                &mut client,
                &format!("/origin/v1/channels/{channel}/state"),
                &state(channel, segments),
            )?;
        }
        let session = format!("__Host-railbird={}", session::login(&mut client)?);
        Ok(Viewer { client, cookies: session.clone(), session })
    }

    /// Keeps its screen, as players do: keys of what is live then come without an end.
    fn renew(&mut self) -> Result<()> {
        let lease = session::claim(&mut self.client, &self.session)?;
        self.cookies = format!("{}; {lease}", self.session);
        Ok(())
    }

    fn get(&mut self, path: &str) -> Result<()> {
        let answer = self.client.ask("GET", path, &[("cookie", &self.cookies)], b"")?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(())
    }
}

/// A channel that has been live for so many segments, at two nodes.
fn state(channel: &str, segments: u64) -> Value {
    let now = clock::now();
    let first = now.0 / SEGMENT_MS - segments;
    let segment = |n: u64| {
        let start = UtcMs((first + n) * SEGMENT_MS).media();
        json!({"start": start, "duration": SEGMENT_MS * 90, "on": 3})
    };
    json!({
        "channel": channel,
        "origin": "bench",
        "recording": "20261120t105200z",
        "title": channel,
        "revision": now.plus_ms(86_400_000), // newer than what the origin itself tells
        "updated": now,
        "phase": "live",
        "segment_ms": SEGMENT_MS,
        "key_period_s": KEY_PERIOD_S,
        "nodes": [
            {"id": "a", "url": "https://a.cdn.example/railbird", "up": true},
            {"id": "b", "url": "https://b.cdn.example/railbird", "up": true},
        ],
        "renditions": [{
            "id": "source",
            "codecs": "avc1.640028,mp4a.40.2",
            "bandwidth": 8_500_000,
            "average_bandwidth": 8_200_000,
            "width": 1920,
            "height": 1080,
            "frame_rate_milli": 30_000,
            "target_duration_s": 2,
            "first_msn": 1000,
            "discontinuity_sequence": 0,
            "inits": [format!("{channel}/source/init-0011223344556677.mp4")],
            "segments": (0..segments).map(segment).collect::<Vec<_>>(),
        }],
    })
}

/// What the host counted of its instances.
fn instantiation(origin: &Origin) -> Result<()> {
    let answer = Client::connect(&origin.api.to_string())?.ask("GET", "/metrics", &[], b"")?;
    let text = String::from_utf8(answer.body)?;
    let (mut sum, mut count, mut buckets) = (0.0, 0.0, Vec::new());
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("railbird_embedded_edge_instantiation_seconds_") else { continue };
        let value: f64 = rest.rsplit(' ').next().context("no value")?.parse()?;
        if rest.starts_with("sum") {
            sum = value;
        } else if rest.starts_with("count") {
            count = value;
        } else if let Some(bound) = rest.strip_prefix("bucket{le=\"").and_then(|rest| rest.split('"').next())
        {
            buckets.push((bound.parse().unwrap_or(f64::INFINITY), value));
        }
    }
    let p50 = buckets.iter().find(|(_, below)| *below >= count / 2.0).map_or(f64::NAN, |(bound, _)| *bound);
    let spread: Vec<String> = buckets
        .iter()
        .map(|(bound, below)| format!("{:.0} % ≤ {}", below / count * 100.0, us(*bound)))
        .collect();
    figure("making an instance: time, p50", &format!("≤ {}", us(p50)), "aim: under 20 µs");
    figure("making an instance: time, mean", &us(sum / count), &format!("of {count}: {}", spread.join(", ")));
    Ok(())
}
