//! What each target costs: CPU of the origin's process, and what it writes to the disk, for what it ingests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::encoder::{Clip, Encoder};
use super::{encoders, pass};
use crate::origin::{Origin, Plan};
use crate::process::{Times, Written, median, quantile, times, written};
use crate::store::Store;
use crate::{Place, figure, input};

const CHANNELS: usize = 10;

const SEGMENT: Duration = Duration::from_secs(2);

/// The clip's length, in milliseconds.
const ROUND_MS: u64 = 20_000;

/// As many as are compared.
const TARGETS_MAX: usize = 3;

/// How often each number of targets is measured, in turns.
const TURNS: usize = 3;

/// How long the feeds run before a measurement, and in it: a whole number of segments.
const BEFORE: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(40);

/// What one run came to, for each byte ingested.
struct Cost {
    user_s: f64,
    system_s: f64,
    /// What the system counts as written to the disk.
    written: f64,
    /// What was given to `write` and its like, sockets included.
    passed: f64,
    ingested: f64,
}

pub(super) fn run(place: &Place) -> Result<()> {
    let clip = Arc::new(Clip::read(&input::short(&place.work)?, ROUND_MS)?);
    let mut costs: [Vec<Cost>; TARGETS_MAX] = Default::default();
    for turn in 0..TURNS {
        for n in 0..TARGETS_MAX {
            // Each turn begins with another one.
            let targets = (turn + n) % TARGETS_MAX;
            if let Some(costs) = costs.get_mut(targets) {
                costs.push(one(place, &clip, targets + 1)?);
            }
        }
    }
    println!(
        "costs: {CHANNELS} channels at 8 Mb/s in real time, segments of {} s, AES-128; medians of {TURNS} runs of {} s in turns, \
         {:.2} GB ingested in each",
        SEGMENT.as_secs(),
        MEASURED.as_secs(),
        median(costs.iter().flatten().map(|cost| cost.ingested / 1e9).collect())
    );
    let all = |n: usize, part: fn(&Cost) -> f64| -> Vec<f64> {
        costs.get(n).into_iter().flatten().map(part).collect()
    };
    let of = |n: usize, part: fn(&Cost) -> f64| median(all(n, part));
    // For a gigabyte.
    let cpu = |cost: &Cost| (cost.user_s + cost.system_s) * 1e9;
    for n in 0..TARGETS_MAX {
        let (user, system) = (of(n, |cost| cost.user_s * 1e9), of(n, |cost| cost.system_s * 1e9));
        let ratio = of(n, cpu) / of(0, cpu);
        let least = quantile(&mut all(n, cpu), 0.0);
        figure(
            &format!("{} target(s): CPU a gigabyte", n + 1),
            &format!("{:.2} s", of(n, cpu)),
            &format!(
                "user {user:.2}, system {system:.2}; {ratio:.2} of one target's; least {least:.2}; no aim"
            ),
        );
    }
    for n in 0..TARGETS_MAX {
        let (written, passed) = (of(n, |cost| cost.written), of(n, |cost| cost.passed));
        figure(
            &format!("{} target(s): written to the disk a byte", n + 1),
            &format!("{written:.3}"),
            &format!("{passed:.2} through write(), the sockets' part included; no aim"),
        );
    }
    Ok(())
}

fn one(place: &Place, clip: &Arc<Clip>, targets: usize) -> Result<Cost> {
    let dir = place.work.join("costs");
    let stores = (0..targets).map(|_| Store::start()).collect::<Result<Vec<Store>>>()?;
    let origin = Origin::start(&place.railbird, &dir, &Plan::new(CHANNELS, &stores))?;
    let pid = origin.process.pid();
    let mut encoders = encoders(&origin, clip, CHANNELS, SEGMENT);
    pass(&mut encoders, BEFORE)?;
    let sent = |encoders: &[Encoder]| encoders.iter().map(Encoder::sent_bytes).sum::<u64>();
    let before = (times(pid)?, written(pid)?, sent(&encoders));
    pass(&mut encoders, MEASURED)?;
    let after = (times(pid)?, written(pid)?, sent(&encoders));
    drop((encoders, origin));
    let _ = std::fs::remove_dir_all(&dir);
    let ingested = (after.2 - before.2) as f64;
    let (Times { user, system }, Written { disk, calls }) = (after.0, after.1);
    Ok(Cost {
        user_s: user.saturating_sub(before.0.user).as_secs_f64() / ingested,
        system_s: system.saturating_sub(before.0.system).as_secs_f64() / ingested,
        written: (disk - before.1.disk) as f64 / ingested,
        passed: (calls - before.1.calls) as f64 / ingested,
        ingested,
    })
}
