//! Railbird's figures: whole processes, measured from outside. `cargo xtask bench` builds what is needed and runs this.
//!
//! Nothing here is a test, and nothing gates: a figure is printed beside its aim, for a person to read.

mod burn_in;
mod client;
mod clock;
mod delivery;
mod edge;
mod input;
mod memory;
mod origin;
mod packaging;
mod process;
mod score;
mod scorers;
mod session;
mod store;
mod stream;
mod wasm;
mod worker;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
figures <name> --root DIR --work DIR --railbird FILE --component FILE --worker DIR

  packaging   CPU per gigabyte, from RTMP bytes to encrypted objects, beside ffmpeg
  memory      resident memory per live channel
  edge        the edge in wasmtime: CPU and time of a request, and of an instance
  worker      the same of the Worker on workerd
  delivery    latency beside a black hole, an outage caught up, a node's death, what targets cost, and what feeds
              cost beside ffmpeg and nginx-rtmp (--part NAME: one of black-hole, outage, death, costs, peers, alone)
  burn-in     CPU of the score burnt into a push, beside plain transcoding
  scorers     score events a second, on the disk before each answer
  wasm        how large the edge's Wasm is
  score       what the score costs a viewer, by what carries it

`cargo xtask bench [name]` gives the paths.";

/// Where things are.
struct Place {
    /// The clone.
    root: PathBuf,
    /// Inputs are kept here, and what a run writes.
    work: PathBuf,
    /// The origin's binary.
    railbird: PathBuf,
    /// The edge component.
    component: PathBuf,
    /// The folder of the Worker's bundle, which may be missing.
    worker: PathBuf,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        // What the parent measures.
        ["package", kind, stream, dir] => packaging::package(kind, Path::new(stream), Path::new(dir)),
        [name, ref options @ ..] => {
            let place = place(options)?;
            std::fs::create_dir_all(&place.work)?;
            match name {
                "packaging" => packaging::run(&place),
                "memory" => memory::run(&place),
                "edge" => edge::run(&place),
                "worker" => worker::run(&place),
                "delivery" => delivery::run(&place, option(options, "--part")),
                "burn-in" => burn_in::run(&place),
                "scorers" => scorers::run(&place),
                "wasm" => wasm::run(&place),
                "score" => score::run(),
                other => bail!("there is no figure {other:?}\n\n{USAGE}"),
            }
        }
        [] => bail!("which figure?\n\n{USAGE}"),
    }
}

fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    options.iter().position(|option| *option == name).and_then(|at| options.get(at + 1)).copied()
}

fn place(options: &[&str]) -> Result<Place> {
    let path = |name: &str| {
        option(options, name).map(PathBuf::from).with_context(|| format!("{name} is missing\n\n{USAGE}"))
    };
    Ok(Place {
        root: path("--root")?,
        work: path("--work")?,
        railbird: path("--railbird")?,
        component: path("--component")?,
        worker: path("--worker")?,
    })
}

/// A figure, on a line of its own.
fn figure(what: &str, value: &str, aim: &str) {
    println!("{what:<58} {value:>14}   {aim}");
}
