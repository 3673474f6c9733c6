//! What a process used, as the system counts it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What a process that has ended used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) wall: Duration,
}

impl Used {
    pub(crate) fn cpu_s(used: &Used) -> f64 {
        (used.user + used.system).as_secs_f64()
    }
}

/// Runs a program to its end. No other child may end meanwhile: the system counts them together.
pub(crate) fn run(command: &mut Command) -> Result<Used> {
    let (user, system) = of_children()?;
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let wall = began.elapsed();
    ensure!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    let (user_after, system_after) = of_children()?;
    Ok(Used { user: user_after.saturating_sub(user), system: system_after.saturating_sub(system), wall })
}

fn of_children() -> Result<(Duration, Duration)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let duration = |time: TimeVal| {
        let us = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(us).unwrap_or(0))
    };
    Ok((duration(usage.user_time()), duration(usage.system_time())))
}

/// What the threads of a process that runs have used so far. Threads that have ended are not in it.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let mut ns = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        ns += text.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(ns))
}

/// What a process that runs has used so far, with threads that have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

pub(crate) fn times(pid: u32) -> Result<Times> {
    // Linux counts in hundredths of a second here, whatever its own clock's rate is.
    const TICK: Duration = Duration::from_millis(10);
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the program's name, may hold anything.
    let (_, rest) = text.rsplit_once(')').context("stat")?;
    let field = |n: usize| -> Result<Duration> {
        Ok(TICK * rest.split_whitespace().nth(n).context("stat")?.parse::<u32>()?)
    };
    Ok(Times { user: field(11)?, system: field(12)? })
}

/// What a process that runs has written so far, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// To the disk: pages of files that it made dirty. What the file system writes for itself is not in it.
    pub(crate) disk: u64,
    /// To whatever it called `write` for: files, and sockets where they are written to so.
    pub(crate) calls: u64,
}

pub(crate) fn written(pid: u32) -> Result<Written> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
        Ok(line.trim_start_matches(':').trim().parse()?)
    };
    Ok(Written { disk: field("write_bytes")?, calls: field("wchar")? })
}

/// Resident memory of a process that runs, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    /// All of it.
    pub(crate) all: u64,
    /// Without the pages of files, such as the program's own code.
    pub(crate) own: u64,
}

pub(crate) fn resident(pid: u32) -> Result<Resident> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        Ok(kib.parse::<u64>()? * 1024)
    };
    Ok(Resident { all: field("VmRSS")?, own: field("RssAnon")? })
}

/// The value below which this part of the values lies: 0.5 for the median.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}
