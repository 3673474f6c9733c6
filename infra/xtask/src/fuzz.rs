//! Fuzzing with libFuzzer on the stable compiler.
//!
//! The flags below make rustc instrument everything but build scripts and macros (which an explicit `--target` keeps
//! apart); libFuzzer itself comes from `libfuzzer-sys`. The targets are a table in `tests/src/fuzz.rs`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::place::Place;
use crate::run::Run;
use crate::setup::{self, Need};

/// What building the fuzz binary needs.
pub(crate) const NEEDS: &[Need] = &[Need::Cxx];

/// Edge coverage with counters, the table that names them, and comparisons, which let libFuzzer guess magic values.
const INSTRUMENTATION: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

const TARGET_VAR: &str = "RAILBIRD_FUZZ_TARGET";

/// How long to fuzz one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Inputs, or no bound.
    runs: Option<u64>,
    /// Seconds, or no bound.
    seconds: Option<u64>,
}

impl Bounds {
    /// The test command's: a fixed number of inputs, and a time that only a slow machine reaches.
    pub(crate) const TEST: Bounds = Bounds { runs: Some(20_000), seconds: Some(60) };
    const DEFAULT: Bounds = Bounds { runs: None, seconds: Some(60) };
}

/// What `cargo xtask fuzz` was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    target: Option<&'a str>,
    bounds: Bounds,
    input: Option<&'a str>,
}

fn parse<'a>(args: &[&'a str]) -> Result<Asked<'a>> {
    let mut asked = Asked { target: None, bounds: Bounds::DEFAULT, input: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().with_context(|| format!("{arg} needs a number"))?;
            value.parse::<u64>().with_context(|| format!("{arg} {value}"))
        };
        match *arg {
            "--runs" => asked.bounds = Bounds { runs: Some(number()?), seconds: None },
            "--seconds" => asked.bounds = Bounds { runs: None, seconds: Some(number()?) },
            "--input" => asked.input = Some(args.next().context("--input needs a file")?),
            flag if flag.starts_with('-') => bail!("fuzz has no flag {flag}"),
            name if asked.target.is_none() => asked.target = Some(name),
            other => bail!("one target at a time, not {other} as well"),
        }
    }
    Ok(asked)
}

/// `cargo xtask fuzz [target] [--runs N | --seconds N] [--input FILE]`.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    let asked = parse(args)?;
    setup::needs(place, NEEDS)?;
    let binary = build(place)?;
    let mut targets = list(&binary)?;
    if let Some(name) = asked.target {
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        targets.retain(|target| target.name == name);
        ensure!(!targets.is_empty(), "there is no fuzz target {name}; there are: {}", names.join(", "));
    }
    match asked.input {
        Some(input) if asked.target.is_some() => {
            Run::new(&binary).env(TARGET_VAR, &targets[0].name).arg(input).go()
        }
        Some(_) => bail!("--input needs a target"),
        // What earlier runs found goes on to be used.
        None => fuzz(place, &binary, &targets, asked.bounds, Corpus::Kept),
    }
}

/// The test command's stage: every target, from its seeds alone and with a fixed random seed, so that a run can be repeated.
pub(crate) fn test(place: &Place) -> Result<()> {
    let binary = build(place)?;
    let targets = list(&binary)?;
    fuzz(place, &binary, &targets, Bounds::TEST, Corpus::Fresh)
}

fn build(place: &Place) -> Result<PathBuf> {
    let host = host(place)?;
    Run::cargo(place)
        // Cargo prefers the encoded form, where that is set.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", INSTRUMENTATION.join(" "))
        .args(["build", "--profile", "fuzz", "--target", &host])
        .args(["--package", "railbird-tests", "--features", "fuzz", "--bin", "fuzz"])
        .go()?;
    Ok(place.target.join(host).join("fuzz").join("fuzz"))
}

/// The target that rustc builds for when none is named.
fn host(place: &Place) -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Run::new(rustc).dir(&place.root).arg("-vV").output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

/// A target as the binary lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    name: String,
    len_max: u64,
}

fn list(binary: &Path) -> Result<Vec<Target>> {
    let text = Run::new(binary).env(TARGET_VAR, "list").output()?;
    let targets: Option<Vec<Target>> = text.lines().map(target).collect();
    let targets = targets.with_context(|| format!("not a list of fuzz targets:\n{text}"))?;
    ensure!(!targets.is_empty(), "the fuzz binary has no targets");
    Ok(targets)
}

/// `name len_max`.
fn target(line: &str) -> Option<Target> {
    let (name, len_max) = line.split_once(' ')?;
    Some(Target { name: name.to_owned(), len_max: len_max.parse().ok()? })
}

/// Whether what libFuzzer found before is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Corpus {
    Kept,
    Fresh,
}

/// Fuzzes targets, one on each core at a time, all of them even when one fails.
fn fuzz(place: &Place, binary: &Path, targets: &[Target], bounds: Bounds, corpus: Corpus) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut findings = Vec::new();
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = one(place, binary, target, bounds, corpus) {
                eprintln!("  {}: FAILED", target.name);
                findings.push(format!("{}: {error:#}", target.name));
            }
        }
        findings
    };
    let findings: Vec<String> = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|_| vec!["a panic of xtask".into()]))
            .collect()
    });
    ensure!(
        findings.is_empty(),
        "{} of {} fuzz targets failed\n{}",
        findings.len(),
        targets.len(),
        findings.join("\n")
    );
    Ok(())
}

fn one(place: &Place, binary: &Path, target: &Target, bounds: Bounds, corpus: Corpus) -> Result<()> {
    let name = &target.name;
    let work = place.target.join("fuzz-work").join(name);
    let (kept, fresh, found, log) =
        (work.join("corpus"), work.join("test"), work.join("found"), work.join("log"));
    let corpus = match corpus {
        Corpus::Kept => kept,
        Corpus::Fresh => {
            let _ = fs::remove_dir_all(&fresh);
            fresh
        }
    };
    for dir in [&corpus, &found] {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    let start = Instant::now();
    let mut run = Run::new(binary)
        .env(TARGET_VAR, name)
        // The place of a panic is enough; `--input` repeats it with a backtrace.
        .env("RUST_BACKTRACE", "0")
        .args(["-seed=1", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
        .arg(format!("-max_len={}", target.len_max))
        .arg(format!("-artifact_prefix={}/", found.display()));
    if let Some(runs) = bounds.runs {
        run = run.arg(format!("-runs={runs}"));
    }
    if let Some(seconds) = bounds.seconds {
        run = run.arg(format!("-max_total_time={seconds}"));
    }
    // libFuzzer adds to the first folder and reads the others.
    let run = run.arg(&corpus).arg(place.join("tests/fuzz-seeds").join(name));
    let result = run.logged(File::create(&log)?);
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if let Err(error) = result {
        return Err(finding(name, &text, &error));
    }
    let done = stat(&text, "number_of_executed_units").context("libFuzzer reported no number of runs")?;
    let covered = text.rsplit(" cov: ").next().and_then(|rest| rest.split(' ').next()).unwrap_or("?");
    eprintln!("  {name}: {done} runs, {covered} edges, {:.1} s", start.elapsed().as_secs_f64());
    ensure!(done > 0, "no run at all");
    Ok(())
}

/// The value of one of libFuzzer's final figures: `stat::name: value`.
fn stat(log: &str, name: &str) -> Option<u64> {
    let line =
        log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().parse().ok()
}

/// What to tell of a failure: the end of the log, and how to repeat it.
fn finding(name: &str, log: &str, error: &anyhow::Error) -> anyhow::Error {
    // Neither progress, nor the input as numbers: the file has it.
    let noise = ["WARNING: ", "INFO: ", "NOTE: ", "NEW_FUNC", "stat::", "0x", "Base64: ", "###### "];
    let progress = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let noisy = |line: &str| progress(line) || noise.iter().any(|start| line.trim_start().starts_with(start));
    let lines: Vec<&str> = log.lines().filter(|line| !noisy(line)).collect();
    let end: Vec<String> =
        lines[lines.len().saturating_sub(30)..].iter().map(|line| line.chars().take(200).collect()).collect();
    let end = end.join("\n");
    let artifact =
        log.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    match artifact {
        Some(path) => anyhow!(
            "{error}\n{end}\n\nTo repeat it: cargo xtask fuzz {name} --input {path}\nTo keep it as a test: copy that file to tests/fuzz-seeds/{name}/"
        ),
        None => anyhow!("{error}\n{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let asked = parse(&["rtmp", "--runs", "5"]).unwrap();
        assert_eq!((asked.target, asked.bounds), (Some("rtmp"), Bounds { runs: Some(5), seconds: None }));
        assert_eq!(parse(&[]).unwrap().bounds, Bounds::DEFAULT);
        assert_eq!(parse(&["--seconds", "7"]).unwrap().bounds, Bounds { runs: None, seconds: Some(7) });
        for bad in [&["a", "b"][..], &["--runs"], &["--runs", "x"], &["--fast"], &["--input"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_binary_s_list_and_libfuzzer_s_figures_are_read() {
        assert_eq!(target("core-id 128"), Some(Target { name: "core-id".into(), len_max: 128 }));
        assert_eq!(target("core-id"), None);
        let log = "#1 INITED\nstat::number_of_executed_units: 20000\nstat::peak_rss_mb:  29\n";
        assert_eq!(stat(log, "number_of_executed_units"), Some(20_000));
        assert_eq!(stat(log, "peak_rss"), None);
    }

    #[test]
    fn a_finding_says_how_to_repeat_it() {
        let log = "panicked at x\nartifact_prefix='/t/'; Test unit written to /t/crash-1\n";
        let text = finding("rtmp", log, &anyhow!("exit")).to_string();
        assert!(text.contains("cargo xtask fuzz rtmp --input /t/crash-1"), "{text}");
    }
}
