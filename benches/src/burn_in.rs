//! What the score costs that is burnt into a push: the real origin with its ffmpeg, beside an ffmpeg that only encodes the same
//! pictures anew with the same settings. In turns, in real time; a point is made every second, so that boards are drawn.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::origin::{self, Origin, Plan, Running, free_port};
use crate::process::{Times, median, times};
use crate::scorers::Scorer;
use crate::store::Store;
use crate::{Place, figure, input};

const ROUNDS: usize = 3;

/// How long each round is measured, after it has begun.
const BEGIN: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(20);

const KBPS: u32 = 6_000;

/// CPU for a second of media, in milliseconds: of the origin, and of its ffmpeg.
struct Burnt {
    origin: f64,
    ffmpeg: f64,
}

pub(crate) fn run(place: &Place) -> Result<()> {
    let clip = input::short(&place.work)?;
    let (mut plain, mut without, mut with) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        plain.push(transcoded(&clip)?);
        without.push(pushed(place, &clip, "", round)?.origin);
        let burn_in =
            format!("burn_in = {{ theme = \"light\", bitrate_kbps = {KBPS}, preset = \"veryfast\" }}\n");
        with.push(pushed(place, &clip, &burn_in, round)?);
    }
    println!(
        "burn-in: 1080p30 at 8 Mb/s to {KBPS} kb/s by x264 veryfast, a point every second, medians of {ROUNDS} rounds in turns"
    );
    let (plain, without) = (median(plain), median(without));
    let ffmpeg = median(with.iter().map(|burnt| burnt.ffmpeg).collect());
    let origin = median(with.iter().map(|burnt| burnt.origin).collect());
    let ms = |value: f64| format!("{value:.0} ms");
    figure("ffmpeg that only encodes anew, CPU a second", &ms(plain), "");
    figure(
        "ffmpeg that lays the board over it as well",
        &ms(ffmpeg),
        &format!("ratio {:.2}", ffmpeg / plain),
    );
    figure("the origin, with a push and no burn-in", &ms(without), "");
    figure("the origin, with a push and the burn-in", &ms(origin), &format!("{:+.0} ms", origin - without));
    let all = (ffmpeg + origin - without) / plain;
    figure("the burn-in as a whole, beside plain transcoding", &format!("{all:.2}"), "");
    Ok(())
}

fn cpu_ms(times: Times) -> f64 {
    (times.user + times.system).as_secs_f64() * 1000.0
}

/// What it uses in the time that is measured, for a second.
fn measured(pid: u32, mut meanwhile: impl FnMut() -> Result<()>) -> Result<f64> {
    let (before, began) = (cpu_ms(times(pid)?), Instant::now());
    while began.elapsed() < MEASURED {
        meanwhile()?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok((cpu_ms(times(pid)?) - before) / began.elapsed().as_secs_f64())
}

fn transcoded(clip: &std::path::Path) -> Result<f64> {
    let rate = format!("{KBPS}k");
    let mut command = input::ffmpeg();
    command.args(["-re", "-stream_loop", "-1", "-i"]).arg(clip);
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-b:v", &rate, "-maxrate", &rate]);
    command.args(["-bufsize", &format!("{}k", KBPS * 2), "-force_key_frames", "expr:gte(t,n_forced*2)"]);
    command.args(["-c:a", "copy", "-f", "flv", "/dev/null"]);
    let running = Running::start(&mut command)?;
    thread::sleep(BEGIN);
    measured(running.pid(), || Ok(()))
}

fn pushed(place: &Place, clip: &std::path::Path, burn_in: &str, round: usize) -> Result<Burnt> {
    let (dir, stores) = (place.work.join("burn-in"), [Store::start()?]);
    let sink = free_port()?;
    let channel = origin::channel(0);
    let tables = format!(
        "[[push]]\nid = \"sink\"\nchannel = \"{channel}\"\nurl = \"rtmp://{sink}/live\"\n\
         stream_key = {{ env = \"BENCH_SECRET\" }}\n{burn_in}"
    );
    let channel_lines = "score_key = { env = \"BENCH_SECRET\" }";
    let plan = Plan { channel_lines, tables: &tables, ..Plan::new(1, &stores) };
    let mut listen = input::ffmpeg();
    listen.args(["-listen", "1", "-i", &format!("rtmp://{sink}/live/{}", origin::SECRET), "-c", "copy"]);
    listen.args(["-f", "null", "-"]);
    let _sink = Running::start(&mut listen)?;
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    let _encoder = origin.publish(&place.railbird, clip, 0)?;
    let mut scorer = Scorer::new(&origin.api.to_string(), &channel, &format!("round-{round}"))?;
    thread::sleep(BEGIN);
    let ffmpeg = if burn_in.is_empty() { None } else { Some(child_of(origin.process.pid())?) };
    let before = ffmpeg.map(times).transpose()?;
    let began = Instant::now();
    let own = measured(origin.process.pid(), || scorer.put())?;
    let used = match ffmpeg.zip(before) {
        Some((pid, before)) => (cpu_ms(times(pid)?) - cpu_ms(before)) / began.elapsed().as_secs_f64(),
        None => 0.0,
    };
    drop(origin);
    let _ = fs::remove_dir_all(&dir);
    Ok(Burnt { origin: own, ffmpeg: used })
}

/// The one process that this process has started.
fn child_of(pid: u32) -> Result<u32> {
    let found = Command::new("pgrep").args(["-P", &pid.to_string()]).output().context("pgrep")?;
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    ensure!(text.lines().count() == 1, "the origin has these children: {text:?}");
    Ok(text.trim().parse()?)
}
