//! The soak that `cargo xtask soak` runs: channels under load, faults between origin and stores, kills and restarts, for as
//! long as asked. Prints what was lost, by `railbird verify`, and the origin's memory over time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;
use railbird_core::timeline::LATE_MS_MAX;
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use railbird_tests::rig::{Clip, Encoder, Gap, Garage, KEY_INTERVAL_MS, Origin, Plan, Random, Sink, until};
use tokio::sync::watch;
use tokio::time::Instant;

const CHANNELS: usize = 4;

/// What the encoders send again after an interruption, in milliseconds; see [`Encoder::start`]. What comes later than
/// [`LATE_MS_MAX`] is not taken for what it is, and an orderly stop may take ten seconds of that.
const KEPT_MS: u64 = 3_000;

/// How long each fault lasts, in milliseconds.
const FAULT_MS: (u64, u64) = (1_000, 8_000);

/// How long the origin lives until it is killed or restarted, in milliseconds: longer than what the encoders keep, so that
/// they begin with something from the middle of their run. In a long soak, one life may be as long as a part of it.
const LIFE_MS: (u64, u64) = (10_000, 60_000);

/// The longest life is this part of the whole, if that is longer.
const LONGEST_LIFE: u64 = 4;

/// A life's memory at its end is at most so many times what it was at [`MEASURED_AT`].
const GROWTH_MAX: u64 = 2;

/// So many segments of each channel must be listed by the last life.
const LAST_SEGMENTS: usize = 8;

/// The longest gap that an orderly stop leaves, in milliseconds: the stop publishes what is open, which ends within a group
/// of pictures; what the encoder sends again can be used from its next key frame on. Names and journals tell milliseconds.
const STOP_GAP_MS: u64 = KEY_INTERVAL_MS + 2;

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
    let longest = LIFE_MS.1.max(minutes * 60_000 / LONGEST_LIFE);
    let mut ends = Vec::new();
    let lives = async {
        while Instant::now() < end {
            let origin = plan.start()?;
            origin.announce(&address);
            origin.ready().await?;
            back(&mut ends)?;
            let last = Instant::now() + Duration::from_millis(random.within(LIFE_MS.0, longest));
            let (early, late) = live(&origin, last.min(end)).await.with_context(|| origin.log())?;
            address.send_replace(None);
            let kill = random.within(0, 3) > 0;
            ends.push(End { at: now()?, back: None, kill });
            if kill {
                origin.kill().await?;
            } else {
                let (ended, log) = origin.terminate().await?;
                ensure!(ended.success(), "{ended}:\n{log}");
            }
            ensure!(
                early.is_none_or(|early| late <= early * GROWTH_MAX),
                "the memory of a life grew from {early:?} to {late} KiB"
            );
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
    let before = (0..CHANNELS).map(|n| listed(&sink, n)).collect::<Result<Vec<_>, _>>()?;
    origin.announce(&address);
    origin.ready().await?;
    back(&mut ends)?;
    for (n, before) in before.iter().enumerate() {
        let further = async || Ok((listed(&sink, n)? >= before + LAST_SEGMENTS).then_some(()));
        until("the last life lists further segments", further).await.with_context(|| origin.log())?;
    }
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
    for recording in &recordings {
        explained(&recording.gaps, &ends).with_context(|| recording.channel.clone())?;
    }
    let complaints = sink.look(|ledger| ledger.complaints().to_vec());
    ensure!(complaints.is_empty(), "{complaints:#?}");
    let stops = ends.iter().filter(|end| !end.kill).count();
    let longest = recordings.iter().flat_map(|one| &one.gaps).map(|gap| gap.to.ms_since(gap.from)).max();
    println!(
        "{} ends by SIGKILL and {stops} by SIGTERM left {gaps} gaps in {CHANNELS} channels, the longest of {} ms",
        ends.len() - stops,
        longest.unwrap_or_default()
    );
    Ok(())
}

/// The wall clock, by which media is anchored.
fn now() -> anyhow::Result<UtcMs> {
    Ok(UtcMs(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?))
}

/// How many segments of a channel were listed so far.
fn listed(sink: &Sink, channel: usize) -> anyhow::Result<usize> {
    let id: ChannelId = format!("t{channel}").parse()?;
    Ok(sink.look(|ledger| ledger.listed(&id).len()))
}

/// The end of a life.
struct End {
    at: UtcMs,
    /// When the next one takes feeds.
    back: Option<UtcMs>,
    kill: bool,
}

impl End {
    /// For how long no feed was taken.
    fn away_ms(&self) -> u64 {
        self.back.map_or(0, |back| back.ms_since(self.at))
    }

    /// The longest gap that it may leave. Encoders that send again what they kept lose nothing to a SIGKILL, and to a SIGTERM
    /// less than a group of pictures. Where they come back too late to be known again, it may be all that time.
    fn gap_ms_max(&self) -> u64 {
        let late = self.away_ms() + KEPT_MS + KEY_INTERVAL_MS >= LATE_MS_MAX;
        match (late, self.kill) {
            (true, _) => self.away_ms() + KEPT_MS + STOP_GAP_MS,
            (false, true) => 0,
            (false, false) => STOP_GAP_MS,
        }
    }
}

/// The last of these ends is over.
fn back(ends: &mut [End]) -> anyhow::Result<()> {
    if let Some(end) = ends.last_mut() {
        end.back = Some(now()?);
    }
    Ok(())
}

/// Each gap belongs to an end of its own, and is no longer than that may leave.
fn explained(gaps: &[Gap], ends: &[End]) -> anyhow::Result<()> {
    let mut known = BTreeSet::new();
    for gap in gaps {
        let nearest = ends.iter().min_by_key(|end| end.at.0.abs_diff(gap.from.0)).context("no life ended")?;
        let (ms, most) = (gap.to.ms_since(gap.from), nearest.gap_ms_max());
        let signal = if nearest.kill { "SIGKILL" } else { "SIGTERM" };
        let away = nearest.away_ms();
        ensure!(ms <= most, "{signal} left {ms} ms of {most}, {away} ms without an origin: {gap:?}");
        ensure!(known.insert(nearest.at), "{signal} left several gaps, such as {gap:?}");
    }
    Ok(())
}
