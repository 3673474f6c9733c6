//! `cargo xtask bench`: builds what the figures need, in release, and prints them. Nothing gates.

use anyhow::{Result, bail};

use crate::edge;
use crate::place::Place;
use crate::run::Run;
use crate::setup;

/// Figures of whole processes, in order.
const FIGURES: [&str; 9] =
    ["wasm", "score", "packaging", "edge", WORKER, "memory", "scorers", "burn-in", "delivery"];

/// The figure that needs the Worker's bundle.
const WORKER: &str = "worker";

/// The figure that has parts of its own, one of which may be named.
const DELIVERY: &str = "delivery";

/// criterion's benchmarks of parts.
const MICRO: &str = "micro";

/// `cargo xtask bench [name] [args of criterion…]`, or `cargo xtask bench delivery [part]`; without a name, all.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    match args {
        [] => {
            figures(place, &FIGURES, &[])?;
            micro(place, &[])
        }
        [MICRO, rest @ ..] => micro(place, rest),
        [name] if FIGURES.contains(name) => figures(place, &[name], &[]),
        [DELIVERY, part] => figures(place, &[DELIVERY], &["--part", part]),
        _ => bail!("bench takes one of {}, {MICRO}, or nothing for all", FIGURES.join(", ")),
    }
}

fn figures(place: &Place, names: &[&str], more: &[&str]) -> Result<()> {
    setup::needs(place, edge::SPIN_NEEDS)?;
    edge::build_spin(place)?;
    if names.contains(&WORKER) {
        setup::needs(place, edge::WORKER_NEEDS)?;
        edge::build_worker(place)?;
    }
    let packages = ["--package", "railbird-origin", "--package", "railbird-benches"];
    Run::cargo(place).args(["build", "--release", "--bins"]).args(packages).go()?;
    let release = place.target.join("release");
    for name in names {
        println!();
        Run::new(release.join("figures"))
            .arg(name)
            .arg("--root")
            .arg(&place.root)
            .arg("--work")
            .arg(place.target.join("bench"))
            .arg("--railbird")
            .arg(release.join("railbird"))
            .arg("--component")
            .arg(edge::component(place))
            .arg("--worker")
            .arg(edge::worker_dir(place))
            .args(more.iter().copied())
            .go()?;
    }
    Ok(())
}

fn micro(place: &Place, args: &[&str]) -> Result<()> {
    Run::cargo(place).args(["bench", "--package", "railbird-benches", "--bench", MICRO, "--"]).args(args).go()
}
