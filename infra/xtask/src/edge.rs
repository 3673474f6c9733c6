//! The edge's Wasm, one build each for the two platforms, and the player whose files they serve.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::place::Place;
use crate::run::Run;
use crate::setup::{self, Need};

/// What the Spin component's build needs.
pub(crate) const SPIN_NEEDS: &[Need] = &[Need::Target("wasm32-wasip2")];

/// What the Worker's build needs.
pub(crate) const WORKER_NEEDS: &[Need] =
    &[Need::Target("wasm32-unknown-unknown"), Need::Node, Need::Npm("infra/cloudflare"), Need::WorkerTools];

/// What the player's build needs.
pub(crate) const PLAYER_NEEDS: &[Need] = &[Need::Node, Need::Npm("edge/player")];

/// `cargo xtask build-edge [spin|worker|all]`.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    let (spin, worker) = match args {
        [] | ["all"] => (true, true),
        ["spin"] => (true, false),
        ["worker"] => (false, true),
        _ => bail!("build-edge takes spin, worker, or nothing for both"),
    };
    if spin {
        setup::needs(place, SPIN_NEEDS)?;
        build_spin_and_faults(place)?;
        println!("{}", component(place).display());
    }
    if worker {
        setup::needs(place, WORKER_NEEDS)?;
        build_worker(place)?;
        println!("{}", worker_dir(place).display());
    }
    Ok(())
}

/// The Spin component.
pub(crate) fn component(place: &Place) -> PathBuf {
    place.target.join("wasm32-wasip2").join("wasm").join("railbird_edge_spin.wasm")
}

/// The folder of the Worker's bundle.
pub(crate) fn worker_dir(place: &Place) -> PathBuf {
    place.join("edge/cloudflare/build")
}

/// The player's static files.
pub(crate) fn player_dir(place: &Place) -> PathBuf {
    place.join("edge/player/dist")
}

/// A component that misbehaves on request, for the tests of the embedded host.
pub(crate) fn faults_component(place: &Place) -> PathBuf {
    place.target.join("wasm32-wasip2").join("wasm").join("examples").join("faults.wasm")
}

/// The Spin component alone.
pub(crate) fn build_spin(place: &Place) -> Result<()> {
    build_component(place, &["--lib"])
}

/// The Spin component, and the one that misbehaves.
pub(crate) fn build_spin_and_faults(place: &Place) -> Result<()> {
    build_component(place, &["--lib", "--examples"])
}

fn build_component(place: &Place, what: &[&str]) -> Result<()> {
    Run::cargo(place)
        .args(["build", "--profile", "wasm", "--target", "wasm32-wasip2", "--package", "railbird-edge-spin"])
        .args(what)
        .go()
}

/// worker-build, with the tools that it would otherwise download.
pub(crate) fn build_worker(place: &Place) -> Result<()> {
    let tools = setup::worker_tools(place)?;
    let modules = place.join("infra/cloudflare/node_modules");
    let esbuild = format!("@esbuild/{}-{}/bin/esbuild", node_os(), node_cpu());
    Run::new(tools.worker_build)
        .dir(place.join("edge/cloudflare"))
        .env("PATH", path_with(&modules.join(".bin"))?)
        .env("ESBUILD_BIN", modules.join(esbuild))
        .env("WASM_BINDGEN_BIN", tools.wasm_bindgen)
        .env("WASM_OPT_BIN", modules.join(".bin/wasm-opt"))
        .args(["--profile", "wasm"])
        .go()
}

pub(crate) fn build_player(place: &Place) -> Result<()> {
    Run::npm(place, "edge/player").args(["run", "--silent", "build"]).go()
}

/// `PATH` with `dir` in front.
pub(crate) fn path_with(dir: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([dir.to_owned()].into_iter().chain(env::split_paths(&path)))?)
}

/// Node.js's name of this operating system.
fn node_os() -> &'static str {
    if env::consts::OS == "macos" { "darwin" } else { env::consts::OS }
}

/// Node.js's name of this processor.
fn node_cpu() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}
