//! Resident memory per live channel: the real origin, with encoders at 8 Mb/s and two targets that take all at once.
//! Encoders, targets and the edge are in other processes.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::origin::{Origin, Plan};
use crate::process::{Resident, median, resident};
use crate::store::Store;
use crate::{Place, figure, input};

/// How many channels there are in the end.
const CHANNELS: usize = 5;

/// How long the origin runs without a feed, with one, and with all.
const IDLE: Duration = Duration::from_secs(10);
const ONE: Duration = Duration::from_secs(60);
const ALL: Duration = Duration::from_secs(150);

const EVERY: Duration = Duration::from_millis(500);

/// In how many parts the last stage is shown.
const PARTS: usize = 5;

pub(crate) fn run(place: &Place) -> Result<()> {
    let clip = input::short(&place.work)?;
    let dir = place.work.join("memory");
    let stores = [Store::start()?, Store::start()?];
    let origin = Origin::start(&place.railbird, &dir, &Plan::new(CHANNELS, &stores))?;
    let idle = watch(&origin, IDLE)?;
    let mut encoders = vec![origin.publish(&place.railbird, &clip, 0)?];
    let one = watch(&origin, ONE)?;
    for channel in 1..CHANNELS {
        encoders.push(origin.publish(&place.railbird, &clip, channel)?);
    }
    let all = watch(&origin, ALL)?;
    let stored = fs::read_dir(dir.join("data/objects")).map_or(0, Iterator::count);
    anyhow::ensure!(stored == CHANNELS, "only {stored} of {CHANNELS} channels were live");
    drop(encoders);
    drop(origin);
    let _ = fs::remove_dir_all(&dir);

    println!("memory: encoders at 8 Mb/s, segments of 2 s, two targets; medians of each stage's second half");
    let all_of = |sample: &Resident| sample.all;
    let own_of = |sample: &Resident| sample.own;
    for (what, samples) in [("no channel", &idle), ("1 channel", &one), ("5 channels", &all)] {
        let peak = samples.iter().map(own_of).max().unwrap_or(0);
        let text =
            format!("without files' pages {}, at most {}", mb(settled(samples, own_of)), mb(peak as f64));
        figure(&format!("{what}: resident"), &mb(settled(samples, all_of)), &text);
    }
    let [idle_own, one_own, all_own] = [&idle, &one, &all].map(|samples| settled(samples, own_of));
    figure("the first channel", &mb(one_own - idle_own), "aim: under 24 MB");
    figure("each of 5 channels", &mb((all_own - idle_own) / CHANNELS as f64), "aim: under 24 MB");
    let parts = all.chunks(all.len().div_ceil(PARTS));
    let parts: Vec<String> = parts.map(|part| mb(settled(part, own_of))).collect();
    println!(
        "5 channels over time, without files' pages, every {} s: {}",
        ALL.as_secs() / PARTS as u64,
        parts.join(", ")
    );
    Ok(())
}

fn mb(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// The median of the later half.
fn settled(samples: &[Resident], part: impl Fn(&Resident) -> u64) -> f64 {
    median(samples.iter().skip(samples.len() / 2).map(|sample| part(sample) as f64).collect())
}

fn watch(origin: &Origin, time: Duration) -> Result<Vec<Resident>> {
    let began = Instant::now();
    let mut samples = Vec::new();
    while began.elapsed() < time {
        samples.push(resident(origin.process.pid()).context("the origin has ended")?);
        thread::sleep(EVERY);
    }
    Ok(samples)
}
