//! CPU a gigabyte and memory a stream for one, ten and a hundred feeds at once: the origin, ffmpeg and nginx-rtmp, each as
//! whole processes that take RTMP from the same encoders at real speed and write HLS to the same disk.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::encoder::{Clip, Encoder};
use super::latency::{Sample, Spread, Unit, ms, samples};
use super::{LOOK_EVERY, after, pass, until};
use crate::origin::{Origin, Plan, Running, free_port, stream_key};
use crate::process::{median, resident};
use crate::store::Store;
use crate::{Place, figure, input};

/// The clips' length, in milliseconds.
const ROUND_MS: u64 = 20_000;

/// So many channels an origin has: for more feeds there are several.
const CHANNELS: usize = 50;

const TURNS: usize = 3;

/// How long the feeds run before a measurement, and in it: a whole number of segments.
const BEFORE: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(16);

/// The module that Debian's libnginx-mod-rtmp brings.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packager {
    /// AES-128 fMP4, journal and all; and every object put to a target.
    Railbird,
    /// MPEG-TS in clear, its default.
    Ffmpeg,
    /// The same with AES-128.
    FfmpegEncrypted,
    Nginx,
    NginxEncrypted,
}

impl Packager {
    const ALL: [Packager; 5] = [
        Packager::Railbird,
        Packager::Ffmpeg,
        Packager::FfmpegEncrypted,
        Packager::Nginx,
        Packager::NginxEncrypted,
    ];

    const fn name(self) -> &'static str {
        match self {
            Packager::Railbird => "railbird: AES-128 fMP4, disk and one S3 target",
            Packager::Ffmpeg => "ffmpeg -c copy -f hls: MPEG-TS in clear, disk",
            Packager::FfmpegEncrypted => "ffmpeg -c copy -f hls: AES-128 MPEG-TS, disk",
            Packager::Nginx => "nginx-rtmp, hls: MPEG-TS in clear, disk",
            Packager::NginxEncrypted => "nginx-rtmp, hls: AES-128 MPEG-TS, disk",
        }
    }

    /// Whether it is there to be measured.
    fn is_there(self) -> bool {
        !matches!(self, Packager::Nginx | Packager::NginxEncrypted) || Path::new(MODULE).exists()
    }
}

/// How many feeds of which kind there are at once; their starts are spread over a segment.
struct Case {
    feeds: usize,
    clip: Arc<Clip>,
    mbps: u32,
    /// As long as a group of pictures of the clip.
    segment: Duration,
}

/// What one run came to.
struct Cost {
    /// CPU, in seconds a byte.
    cpu_s: f64,
    /// Memory without the pages of files, in bytes a feed.
    memory: f64,
    ingested: f64,
    /// When it began to be measured.
    from: Instant,
    /// Segments on their way to the target since then: a recording's first one, with which its journal and its init segment are
    /// written, is longer under way.
    took: Vec<Sample>,
}

pub(super) fn run(place: &Place) -> Result<()> {
    let there: Vec<Packager> = Packager::ALL.into_iter().filter(|one| one.is_there()).collect();
    measure(place, &there)?;
    if there.len() < Packager::ALL.len() {
        println!("nginx-rtmp is left out: apt-get install nginx-light libnginx-mod-rtmp");
    }
    Ok(())
}

/// The origin alone: how long its objects are on their way where nothing else was running a moment before, and its CPU.
pub(super) fn alone(place: &Place) -> Result<()> {
    measure(place, &[Packager::Railbird])
}

fn measure(place: &Place, there: &[Packager]) -> Result<()> {
    let large = Arc::new(Clip::read(&input::short(&place.work)?, ROUND_MS)?);
    let small = Arc::new(Clip::read(&input::small(&place.work)?, ROUND_MS)?);
    let of = |feeds, clip: &Arc<Clip>, mbps, segment_s| {
        let segment = Duration::from_secs(segment_s);
        Case { feeds, clip: clip.clone(), mbps, segment }
    };
    for case in [of(1, &large, 8, 2), of(10, &large, 8, 2), of(100, &small, 2, 1)] {
        let mut costs: BTreeMap<usize, Vec<Cost>> = BTreeMap::new();
        for turn in 0..TURNS {
            for n in 0..there.len() {
                // Each turn begins with another one.
                let n = (turn + n) % there.len();
                let Some(packager) = there.get(n) else { continue };
                let cost = one(place, *packager, &case)
                    .with_context(|| format!("{packager:?} with {} feeds", case.feeds))?;
                costs.entry(n).or_default().push(cost);
            }
        }
        tell(&case, there, &costs);
    }
    Ok(())
}

fn tell(case: &Case, there: &[Packager], costs: &BTreeMap<usize, Vec<Cost>>) {
    let of =
        |n: usize, part: fn(&Cost) -> f64| median(costs.get(&n).into_iter().flatten().map(part).collect());
    println!(
        "{} feed(s) at {} Mb/s in real time, segments of {} s; medians of {TURNS} runs of {} s in turns, {:.3} GB each",
        case.feeds,
        case.mbps,
        case.segment.as_secs(),
        MEASURED.as_secs(),
        of(0, |cost| cost.ingested / 1e9)
    );
    for (n, packager) in there.iter().enumerate() {
        let cpu = of(n, |cost| cost.cpu_s * 1e9);
        let ratio = of(0, |cost| cost.cpu_s * 1e9) / cpu;
        let memory =
            format!("{:.1} MB a feed; railbird's CPU is {ratio:.2} of it", of(n, |cost| cost.memory / 1e6));
        figure(packager.name(), &format!("{cpu:.2} s/GB"), &memory);
    }
    let took = || costs.values().flatten().flat_map(|cost| &cost.took);
    let Spread { count, p50, p99, max } = Spread::of(took().map(|sample| sample.took));
    let text = format!("p99 {}, at most {}, of {count}; 33 ms of it is the next picture", ms(p99), ms(max));
    figure("from a segment's last picture to its target's answer", &ms(p50), &text);
    let Spread { p50, p99, max, .. } = Spread::of(took().map(|sample| sample.own));
    let text = format!("p99 {}, at most {}", ms(p99), ms(max));
    figure("from the picture and the sound that end it on", &ms(p50), &text);
    println!();
}

fn one(place: &Place, packager: Packager, case: &Case) -> Result<Cost> {
    let dir = place.work.join("peers");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let Case { feeds, clip, segment, .. } = case;
    let encoder = |n: usize, channel, to| Encoder::start(clip, to, channel, after(n, *feeds, *segment));
    let cost = match packager {
        Packager::Railbird => {
            let segment_ms = format!("segment_ms = {}", segment.as_millis());
            let mut origins = Vec::new();
            for first in (0..*feeds).step_by(CHANNELS) {
                let store = [Store::start()?];
                let mut plan = Plan::new(CHANNELS.min(feeds - first), &store);
                plan.channel_lines = &segment_ms;
                let origin = Origin::start(&place.railbird, &dir.join(first.to_string()), &plan)?;
                let [store] = store;
                origins.push((origin, store));
            }
            let of = |n: usize| origins.get(n / CHANNELS).context("no origin");
            let encoders: Vec<Encoder> =
                (0..*feeds).map(|n| Ok(encoder(n, n % CHANNELS, of(n)?.0.rtmp))).collect::<Result<_>>()?;
            let pids: Vec<u32> = origins.iter().map(|(origin, _)| origin.process.pid()).collect();
            let (mut cost, encoders) = measured(&pids, encoders)?;
            for (encoders, (_, store)) in encoders.chunks(CHANNELS).zip(&origins) {
                let samples = samples(encoders, store, Unit::Segment)?.into_iter();
                cost.took.extend(samples.filter(|sample| sample.sent >= cost.from));
            }
            cost
        }
        Packager::Ffmpeg | Packager::FfmpegEncrypted => {
            let encrypted = packager == Packager::FfmpegEncrypted;
            let start = |feed| ffmpeg(&dir, feed, encrypted, *segment);
            let all: Vec<(Running, SocketAddr)> = (0..*feeds).map(start).collect::<Result<_>>()?;
            let encoders = all.iter().enumerate().map(|(n, (_, addr))| encoder(n, n, *addr)).collect();
            let pids: Vec<u32> = all.iter().map(|(running, _)| running.pid()).collect();
            measured(&pids, encoders)?.0
        }
        Packager::Nginx | Packager::NginxEncrypted => {
            let (nginx, addr) = nginx(&dir, packager == Packager::NginxEncrypted, *segment)?;
            let encoders = (0..*feeds).map(|n| encoder(n, n, addr)).collect();
            measured(&[nginx.pid()], encoders)?.0
        }
    };
    let _ = fs::remove_dir_all(&dir);
    Ok(cost)
}

/// Lets the encoders run, and gives what these processes used meanwhile.
fn measured(pids: &[u32], mut encoders: Vec<Encoder>) -> Result<(Cost, Vec<Encoder>)> {
    pass(&mut encoders, BEFORE)?;
    let sent = |encoders: &[Encoder]| encoders.iter().map(Encoder::sent_bytes).sum::<u64>();
    let mut meter = Meter::default();
    meter.look(pids)?;
    let (before, sent_before, from) = (meter.sum(), sent(&encoders), Instant::now());
    let end = from + MEASURED;
    while Instant::now() < end {
        pass(&mut encoders, LOOK_EVERY * 10)?;
        meter.look(pids)?;
    }
    let ingested = (sent(&encoders) - sent_before) as f64;
    let mut memory = 0;
    for pid in pids {
        memory += resident(*pid)?.own;
    }
    let cpu_s = Duration::from_nanos(meter.sum() - before).as_secs_f64() / ingested;
    let memory = memory as f64 / encoders.len().max(1) as f64;
    Ok((Cost { cpu_s, memory, ingested, from, took: Vec::new() }, encoders))
}

/// What threads used, those that have ended included, as far as it was looked at them.
#[derive(Default)]
struct Meter {
    /// In nanoseconds, by thread.
    used: BTreeMap<u32, u64>,
}

impl Meter {
    fn look(&mut self, pids: &[u32]) -> Result<()> {
        for pid in pids {
            for task in fs::read_dir(format!("/proc/{pid}/task")).context("it has ended")? {
                let task = task?;
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                let ns = text.split_whitespace().next().context("schedstat")?.parse()?;
                let tid = task.file_name().to_string_lossy().parse()?;
                self.used.insert(tid, ns);
            }
        }
        Ok(())
    }

    fn sum(&self) -> u64 {
        self.used.values().sum()
    }
}

/// An ffmpeg that waits for a publisher, and where it does.
fn ffmpeg(dir: &Path, feed: usize, encrypted: bool, segment: Duration) -> Result<(Running, SocketAddr)> {
    let addr = free_port()?;
    let dir = dir.join(feed.to_string());
    fs::create_dir_all(&dir)?;
    let mut command = input::ffmpeg();
    command.args(["-listen", "1", "-f", "flv", "-i"]);
    command.arg(format!("rtmp://{addr}/live/{}", stream_key(feed)));
    command.args(["-c", "copy", "-f", "hls", "-hls_list_size", "10", "-hls_flags", "delete_segments"]);
    command.arg("-hls_time").arg(segment.as_secs().to_string());
    if encrypted {
        command.arg("-hls_key_info_file").arg(input::key_info(&dir)?);
    }
    command.arg(dir.join("media.m3u8"));
    let running = Running::start(&mut command)?;
    listens(addr)?;
    Ok((running, addr))
}

/// An nginx that takes feeds of any name, and where it does.
fn nginx(dir: &Path, encrypted: bool, segment: Duration) -> Result<(Running, SocketAddr)> {
    let addr = free_port()?;
    let keys = if encrypted { "hls_keys on; hls_key_path keys; hls_fragments_per_key 3600;" } else { "" };
    let (s, list_s) = (segment.as_secs(), segment.as_secs() * 10);
    let text = format!(
        "load_module {MODULE};\ndaemon off;\nmaster_process off;\nworker_processes 1;\npid nginx.pid;\n\
         error_log stderr error;\nevents {{ worker_connections 1024; }}\n\
         rtmp {{ access_log off; server {{ listen {addr}; application live {{\n\
         live on; hls on; hls_path hls; hls_fragment {s}s; hls_playlist_length {list_s}s; {keys}\n}} }} }}\n"
    );
    for folder in ["hls", "keys"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("nginx.conf"), text)?;
    let mut command = Command::new("nginx");
    // Where HLS goes is relative to where it runs.
    command
        .current_dir(dir)
        .arg("-p")
        .arg(dir)
        .arg("-c")
        .arg(dir.join("nginx.conf"))
        .arg("-e")
        .arg(dir.join("log"));
    let running = Running::start(&mut command)?;
    listens(addr)?;
    Ok((running, addr))
}

/// Waits until somebody listens there, whom nobody may call before the encoder does.
fn listens(addr: SocketAddr) -> Result<()> {
    const LISTEN: &str = " 0A ";
    let port = format!(":{:04X} ", addr.port());
    until("it listens", || {
        let sockets = fs::read_to_string("/proc/net/tcp")?;
        Ok(sockets.lines().any(|line| line.contains(&port) && line.contains(LISTEN)).then_some(()))
    })?;
    ensure!(addr.ip().is_loopback(), "only on loopback");
    Ok(())
}
