//! The fault matrix: whatever one target does, the venue, the recording and the other target do not notice, and the
//! target has everything once it works again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::time::MediaSpan;
use railbird_tests::fault::{Fault, Plan, Proxy};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::entry::{self, Entry};
use crate::origin::{self, Encoder, Origin, Source, Store, objects, target, until};
use crate::sink::{Sink, all_on, listed};

/// Seeds the proxies. Change it here to see other requests hit.
const SEED: u64 = 0x5eed_0003;

/// How long the source is, in seconds.
const SECONDS: u32 = 16;

/// Origins at a time.
const AT_A_TIME: usize = 3;

/// Deadlines that a fault runs into soon.
const HASTY: &str = "dns_ms = 500\nconnect_ms = 500\ntls_ms = 1000\nfirst_byte_ms = 500\nput_ms = 1500";

/// Deadlines that no latency here runs into.
const PATIENT: &str = "first_byte_ms = 20000\nput_ms = 60000";

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    plan: Plan,
    /// Target A is spoken to by TLS.
    tls: bool,
    /// Target A is a CDN's entry point, and no bucket.
    entry: bool,
    deadlines: &'static str,
    /// What `/healthz` says of A, at least; `None` where the fault is none that must be said.
    said: Option<&'static str>,
    /// From before the feed on: of what is read back, only a sample is read whole, beginning with the first object.
    early: bool,
    /// Whom the evidence is about, and the error's class (or `slow`).
    evidence: (&'static str, &'static str),
}

fn cases() -> Vec<Case> {
    let case = |name, fault, said, class| Case {
        name,
        plan: Plan::always(fault),
        tls: false,
        entry: false,
        deadlines: HASTY,
        said: Some(said),
        early: false,
        evidence: ("target", class),
    };
    let busy = |status, retry_after| Fault::Busy { status, retry_after };
    let tls = |case: Case| Case { tls: true, deadlines: PATIENT, ..case };
    let entry = |name, case: Case| Case { entry: true, name, ..case };
    let slow = Fault::Latency(Duration::from_millis(1_500));
    let burst = Plan { fault: busy(503, None), per_mille: 500 };
    let corrupt = Case {
        early: true,
        evidence: ("node", "wrong-bytes"),
        ..case("corrupt", Fault::Corrupt, "nothing can be read", "wrong-bytes")
    };
    vec![
        case("refuse", Fault::Refuse, "connect", "unreachable"),
        case("black-hole", Fault::BlackHole, "first byte", "retry"),
        case("drip", Fault::Drip(10_000), "", "retry"),
        case("reset", Fault::Reset, "the connection", "retry"),
        case("truncate", Fault::Truncate, "the answer", "retry"),
        case("429", busy(429, Some(1)), "answered 429", "slow-down"),
        Case { plan: burst, said: None, ..case("503-burst", busy(503, None), "", "slow-down") },
        corrupt,
        entry("http-black-hole", case("", Fault::BlackHole, "first byte", "retry")),
        entry("http-429", case("", busy(429, Some(1)), "answered 429", "slow-down")),
        entry("http-corrupt", corrupt),
        tls(case("tls-garbage", Fault::Garbage, "tls", "unreachable")),
        tls(case("tls-unknown", Fault::UnknownAuthority, "ca_file", "misconfigured")),
        Case { deadlines: PATIENT, ..case("latency", slow, "nothing can be read", "slow") },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_one_target_reaches_the_feed_the_recording_or_the_other_target() -> anyhow::Result<()> {
    let results = LocalSet::new().run_until(matrix(Source::new(SECONDS).await?)).await;
    let failed: Vec<String> =
        results.into_iter().filter_map(|result| result.err().map(|error| format!("{error:#}"))).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

/// All of them, a few at a time, each with an origin of its own.
async fn matrix(source: Source) -> Vec<anyhow::Result<()>> {
    let source = Arc::new(source);
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for case in cases() {
        let (source, places) = (source.clone(), places.clone());
        running.spawn_local(async move {
            let _place = places.acquire().await?;
            let name = case.name;
            survives(case, &source).await.with_context(|| format!("{name}, seed {SEED:#x}"))
        });
    }
    running.join_all().await
}

/// Target A, behind the proxy.
enum Place {
    Bucket(Store),
    Entry(Entry),
}

impl Place {
    fn addr(&self) -> SocketAddr {
        match self {
            Place::Bucket(store) => store.server.addr(),
            Place::Entry(entry) => entry.addr(),
        }
    }

    fn dir(&self) -> PathBuf {
        match self {
            Place::Bucket(store) => store.dir(),
            Place::Entry(entry) => entry.dir(),
        }
    }

    fn target(&self, url: &str, node: &str, more: &str) -> String {
        match self {
            Place::Bucket(_) => target("a", url, node, more),
            Place::Entry(_) => entry::target("a", url, node, more),
        }
    }
}

async fn survives(case: Case, source: &Source) -> anyhow::Result<()> {
    let a = match case.entry {
        true => Place::Entry(Entry::start().await?),
        false => Place::Bucket(Store::start().await?),
    };
    let b = Store::start().await?;
    let proxy = match case.tls {
        true => Proxy::start_tls(a.addr(), SEED).await?,
        false => Proxy::start(a.addr(), SEED).await?,
    };
    let sink = Sink::start(vec![("a", a.dir()), ("b", b.dir())]).await?;
    // Viewers have no authority of ours: with TLS, the fault is on the way in only.
    let node = if case.tls { format!("http://{}", a.addr()) } else { proxy.url() };
    let authority = proxy.authority().map_or("", |_| "\nca_file = \"ca.pem\"");
    let more = format!("{}{authority}", case.deadlines);
    let targets = [a.target(&proxy.url(), &node, &more), b.target("b")];
    let plan = origin::Plan {
        title: "T",
        id: "north",
        targets: &targets,
        edges: std::slice::from_ref(&sink.url),
        more: "",
        files: &[("ca.pem", proxy.authority().unwrap_or_default())],
    };
    let origin = Origin::start(&plan).await?;
    let dirs = [a.dir(), b.dir()];
    let run = faulty(case, source, &proxy, dirs.each_ref().map(PathBuf::as_path), &sink, &origin);
    run.await.with_context(|| format!("--- its log ---\n{}", origin.log()))
}

async fn faulty(
    case: Case,
    source: &Source,
    proxy: &Proxy,
    [a, b]: [&Path; 2],
    sink: &Sink,
    origin: &Origin,
) -> anyhow::Result<()> {
    // The first half while all is well, then the fault, then the second half.
    let bytes = std::fs::read(&source.file)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    until("A is up", async || Ok((origin.target("a").await?["up"] == true).then_some(()))).await?;
    if case.early {
        proxy.set(Some(case.plan)).await?;
    }
    let mut encoder = Encoder::start(&[&origin.primary()])?;
    encoder.send(first).await?;
    until("A has two segments", async || Ok((objects(a)?.len() >= 3).then_some(()))).await?;
    proxy.set(Some(case.plan)).await?;
    encoder.send(second).await?;
    encoder.finish().await?;

    // With the fault still there: everything is listed and at B.
    let whole = MediaSpan::from_ms(i64::from(SECONDS) * 1000 - 50);
    sink.state("everything is listed", |state| listed(state) >= whole && all_on(state, "b")).await?;
    if let Some(said) = case.said {
        until("/healthz names A and its error", async || {
            Ok(origin.unwell("a").await?.filter(|text| text.contains(said) && text.contains(' ')))
        })
        .await
        .with_context(|| format!("expected {said:?}"))?;
        let listed = origin.target("a").await?;
        let told =
            listed["error"].as_str().is_some_and(|text| text.contains(' ')) || listed["node_up"] == false;
        ensure!(told, "/v1/targets says {listed}");
    }
    ensure!(origin.unwell("b").await?.is_none(), "B is unwell as well");
    ensure!(origin.target("b").await?["up"] == true, "B is not up");
    until("the evidence has the fault", async || {
        let is = |entry: &Value| {
            let (subject, class) = case.evidence;
            let of = entry["subject"][subject] == "a";
            of && (entry["class"] == class || entry["what"] == class)
        };
        Ok(origin.evidence()?.iter().any(is).then_some(()))
    })
    .await?;
    origin.crew(&["channel", "end", "t"]).await?;
    let recorded = origin.objects()?;
    ensure!(objects(b)? == recorded, "B does not have what is recorded");
    source.equals(&origin.export().await?).await?;
    // Every fault but these two keeps objects away from A.
    let passes = matches!(case.plan.fault, Fault::Corrupt | Fault::Latency(_)) || case.plan.per_mille < 1000;
    ensure!(passes || objects(a)?.len() < recorded.len(), "the fault was none");

    proxy.set(None).await?;
    origin.verified("a").await?;
    origin.verified("b").await?;
    ensure!(objects(a)? == recorded, "A does not have what is recorded");
    until("/healthz is well again", async || Ok(origin.unwell("a").await?.is_none().then_some(()))).await?;
    let kept = sink.kept();
    ensure!(kept.lies.is_empty(), "listed, and not there: {:#?}", kept.lies);
    ensure!(kept.named > 0, "nothing was listed");
    Ok(())
}
