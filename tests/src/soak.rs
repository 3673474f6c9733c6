//! The soak that `cargo xtask soak` runs: channels under load, faults between origin and stores, kills and restarts, for as
//! long as asked. Prints what was lost, by `railbird verify`, and the origin's memory over time.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use railbird_core::id::ChannelId;
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use railbird_tests::rig::{Clip, Encoder, Garage, Origin, Plan, Random, Sink};
use tokio::sync::watch;
use tokio::time::Instant;

const CHANNELS: usize = 4;

/// What the encoders send again after an interruption, in milliseconds; see [`Encoder::start`].
const KEPT_MS: u64 = 10_000;

/// How long each fault lasts, in milliseconds.
const FAULT_MS: (u64, u64) = (1_000, 8_000);

/// How long the origin lives until it is killed or restarted, in milliseconds.
const LIFE_MS: (u64, u64) = (10_000, 60_000);

/// At this age, a life's memory is a measure for later lives of the same age.
const MEASURED_AT: Duration = Duration::from_secs(8);

struct Options {
    railbird: PathBuf,
    minutes: u64,
    seed: u64,
}

fn options() -> anyhow::Result<Options> {
    let (mut railbird, mut minutes, mut seed) = (None, 10, 1);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--railbird" => railbird = Some(PathBuf::from(value)),
            "--minutes" => minutes = value.parse().context("--minutes")?,
            "--seed" => seed = value.parse().context("--seed")?,
            _ => bail!("soak takes --minutes N and --seed S, not {name}"),
        }
    }
    Ok(Options {
        railbird: railbird.context("--railbird is missing: use `cargo xtask soak`")?,
        minutes,
        seed,
    })
}

fn fault(random: &mut Random) -> Option<Failing> {
    let fault = match random.within(0, 9) {
        0 => return None,
        1 => Fault::Refuse,
        2 => Fault::BlackHole,
        3 => Fault::Drip(20_000),
        4 => Fault::Reset,
        5 => Fault::Truncate,
        6 => Fault::Busy { status: 503, retry_after: None },
        7 => Fault::Busy { status: 429, retry_after: Some(1) },
        _ => Fault::Latency(Duration::from_millis(random.within(50, 1_500))),
    };
    Some(Failing { fault, per_mille: u16::try_from(random.within(200, 1001)).unwrap_or(1000) })
}

/// One target's weather: a fault after another, clear sky in between.
async fn weather(proxy: &Proxy, mut random: Random) -> anyhow::Result<()> {
    loop {
        let plan = fault(&mut random);
        proxy.set(plan).await?;
        tokio::time::sleep(Duration::from_millis(random.within(FAULT_MS.0, FAULT_MS.1))).await;
        proxy.set(None).await?;
        tokio::time::sleep(Duration::from_millis(random.within(FAULT_MS.0, FAULT_MS.1))).await;
    }
}

/// Lets a life go on; gives its memory at [`MEASURED_AT`] and at its end, in KiB.
async fn live(origin: &Origin, until: Instant) -> anyhow::Result<(Option<u64>, u64)> {
    let measure = Instant::now() + MEASURED_AT;
    let mut early = None;
    if measure < until {
        tokio::time::sleep_until(measure).await;
        early = Some(origin.resident_kib()?);
    }
    tokio::time::sleep_until(until).await;
    Ok((early, origin.resident_kib()?))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let Options { railbird, minutes, seed } = options()?;
    println!("seed {seed}, {minutes} min, {CHANNELS} channels, 2 targets");
    soak(railbird, minutes, seed).await.with_context(|| format!("--seed {seed}"))
}

async fn soak(railbird: PathBuf, minutes: u64, seed: u64) -> anyhow::Result<()> {
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir()?;
    let mut targets = Vec::new();
    let (mut stores, mut proxies) = (Vec::new(), Vec::new());
    for id in ["a", "b"] {
        let store = Garage::start(&Garage::program()?, &dir.path().join(id)).await?;
        let proxy = Proxy::start(store.address, random.number()).await?;
        targets.push(store.target(id, &proxy.url()));
        stores.push(store);
        proxies.push(proxy);
    }
    let sink = Sink::start().await?;
    let plan = Plan::write(&railbird, dir.path(), CHANNELS, &targets, sink.address)?;
    let clip = Clip::make(dir.path()).await?;
    let (address, origin_at) = watch::channel(None);
    let encoders: Vec<Encoder> =
        (0..CHANNELS).map(|n| Encoder::start(&clip, &Plan::key(n), origin_at.clone(), KEPT_MS)).collect();

    let (end, begin) = (Instant::now() + Duration::from_secs(minutes * 60), Instant::now());
    let [first, second] = [Random::new(random.number()), Random::new(random.number())];
    let [left, right] = proxies.as_slice() else { bail!("two proxies") };
    let mut stops = 0;
    let lives = async {
        while Instant::now() < end {
            let origin = plan.start()?;
            origin.announce(&address);
            let until = Instant::now() + Duration::from_millis(random.within(LIFE_MS.0, LIFE_MS.1));
            let (early, late) = live(&origin, until.min(end)).await.with_context(|| origin.log())?;
            address.send_replace(None);
            let kill = random.within(0, 3) > 0;
            if kill {
                origin.kill().await?;
            } else {
                stops += 1;
                let (ended, log) = origin.terminate().await?;
                ensure!(ended.success(), "{ended}:\n{log}");
            }
            let early = early.map_or_else(|| "-".to_string(), |kib| format!("{:.1}", kib as f64 / 1024.0));
            println!(
                "{:5} s  memory {early} MiB after {} s, {:.1} MiB at the end, then {}",
                begin.elapsed().as_secs(),
                MEASURED_AT.as_secs(),
                late as f64 / 1024.0,
                if kill { "SIGKILL" } else { "SIGTERM" }
            );
            let complaints = sink.look(|ledger| ledger.complaints().to_vec());
            ensure!(complaints.is_empty(), "{complaints:#?}");
        }
        anyhow::Ok(())
    };
    tokio::select! {
        lived = lives => lived?,
        failed = weather(left, first) => failed?,
        failed = weather(right, second) => failed?,
    }
    for proxy in &proxies {
        proxy.set(None).await?;
    }

    let origin = plan.start()?;
    origin.announce(&address);
    origin.ready().await?;
    for encoder in encoders {
        encoder.stop().await?;
    }
    let recordings = plan.verify_complete().await.with_context(|| origin.log())?;
    let late = origin.resident_kib()?;
    let (ended, log) = origin.terminate().await?;
    ensure!(ended.success(), "{ended}:\n{log}");
    println!("memory of the last life {:.1} MiB", late as f64 / 1024.0);
    let hits: u64 = proxies.iter().map(Proxy::hits).sum();
    println!("{hits} requests failed on purpose");
    let mut gaps = 0;
    for recording in &recordings {
        let id: ChannelId = recording.channel.parse()?;
        let listed = sink.look(|ledger| ledger.listed(&id));
        let holes = listed.values().filter(|segment| segment.gap).count();
        gaps += recording.gaps.len();
        println!(
            "{} {}: {} objects, {} listed, {holes} as gaps; missing on the disk, at a, at b: {:?}; gaps {:?}",
            recording.channel,
            recording.recording,
            recording.objects,
            listed.len(),
            recording.places.iter().map(|place| place.bad + place.pending).collect::<Vec<_>>(),
            recording.gaps
        );
    }
    ensure!(recordings.len() == CHANNELS, "{} recordings of {CHANNELS} channels", recordings.len());
    // An orderly stop cuts the open segment where it is: what follows begins with the encoder's next key frame.
    ensure!(gaps <= stops * CHANNELS, "{gaps} gaps in what the encoders sent, after {stops} orderly stops");
    println!(
        "nothing was lost but, at {gaps} of {} ends by an orderly stop, less than a second",
        stops * CHANNELS
    );
    Ok(())
}
