//! What is missing, and how it is got.
//!
//! Each command states its needs. What can be installed without a question is: Wasm targets and components by rustup,
//! npm packages and cargo tools from lock files, system packages by apt where that needs no password. What is still
//! missing after that is one error that names every tool and the ways to get it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::lock;
use crate::place::Place;
use crate::run::{Run, which};

/// The oldest major version of Node.js that the player's build and the browser tests run on.
const NODE_MAJOR_MIN: u32 = 20;

/// The version of Garage that the tests run against.
const GARAGE_VERSION: &str = "2.5.0";

/// Names under which distributions install Chromium, in order of preference.
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Where Debian puts nginx's RTMP module.
const NGINX_RTMP: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// One thing that a command can't do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A component of the Rust toolchain: what rustup calls it, and the cargo command it brings.
    Component(&'static str, &'static str),
    /// A Rust target's standard library.
    Target(&'static str),
    /// cargo-nextest, the test runner.
    Nextest,
    /// worker-build and wasm-bindgen, which make the Worker's bundle.
    WorkerTools,
    /// Node.js and npm.
    Node,
    /// The npm packages of a folder of the clone.
    Npm(&'static str),
    /// A C++ compiler: libFuzzer is built from source.
    Cxx,
    /// ffmpeg and ffprobe.
    Ffmpeg,
    /// Chromium.
    Chromium,
    /// Garage, an S3 server that is not ours.
    Garage,
    /// srt-live-transmit, which sends and takes SRT.
    SrtTools,
    /// nginx and its RTMP module, a relay that is not ours. Debian starts nginx where it installs it.
    NginxRtmp,
    /// libfaketime, which sets a process's clock.
    FakeTime,
}

/// `cargo xtask setup`: all that the test command needs.
pub(crate) fn all(place: &Place) -> Result<()> {
    needs(place, &crate::test::all_needs())?;
    eprintln!("everything is there");
    Ok(())
}

/// Gets what is missing of `needs`, in their order.
pub(crate) fn needs(place: &Place, needs: &[Need]) -> Result<()> {
    let mut apt = Apt::default();
    let mut done: Vec<Need> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for need in needs {
        if done.contains(need) {
            continue;
        }
        done.push(*need);
        if let Err(error) = get(place, *need, &mut apt) {
            missing.push(format!("- {error:#}"));
        }
    }
    ensure!(missing.is_empty(), "not everything that is needed is there:\n{}", missing.join("\n"));
    Ok(())
}

fn get(place: &Place, need: Need, apt: &mut Apt) -> Result<()> {
    match need {
        Need::Component(component, command) => {
            if Run::cargo(place).args([command, "--version"]).output().is_ok() {
                return Ok(());
            }
            rustup(&["component", "add", component])
        }
        Need::Target(target) => {
            // Where rustc looks for the target's std is the truth, whoever installed it.
            let rustc = Run::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
            let lib =
                rustc.dir(&place.root).args(["--print", "target-libdir", "--target", target]).output()?;
            if Path::new(&lib).is_dir() { Ok(()) } else { rustup(&["target", "add", target]) }
        }
        Need::Nextest => {
            if Run::cargo(place).args(["nextest", "--version"]).output().is_ok() {
                return Ok(());
            }
            cargo_install(place).args(["install", "--locked", "cargo-nextest"]).go()
        }
        Need::WorkerTools => worker_tools(place).map(drop),
        Need::Node => node(),
        Need::Npm(dir) => npm(place, dir),
        Need::Cxx => apt.tool(&["c++", "g++", "clang++"], "g++"),
        Need::Ffmpeg => apt.tool(&["ffmpeg"], "ffmpeg").and_then(|()| apt.tool(&["ffprobe"], "ffmpeg")),
        Need::Chromium => apt.tool(&CHROMIUM, "chromium"),
        Need::Garage => garage(place).map(drop),
        Need::SrtTools => apt.tool(&["srt-live-transmit"], "srt-tools"),
        Need::NginxRtmp => {
            let there = || which("nginx").is_some() && Path::new(NGINX_RTMP).exists();
            apt.package(there, "nginx in PATH, with its RTMP module,", "libnginx-mod-rtmp")
        }
        Need::FakeTime => apt.package(|| fake_time().is_ok(), "libfaketime.so.1", "libfaketime"),
    }
}

/// The Chromium that the browser tests start.
pub(crate) fn chromium() -> Option<PathBuf> {
    CHROMIUM.iter().find_map(|name| which(name))
}

fn rustup(args: &[&str]) -> Result<()> {
    if which("rustup").is_none() {
        bail!("`rustup {}` is needed, and rustup is not there: see https://rustup.rs", args.join(" "));
    }
    Run::new("rustup").args(args).go()
}

/// A cargo that installs tools: as if typed outside the clone, without what the environment says about our own builds.
fn cargo_install(place: &Place) -> Run {
    const BUILD: [&str; 10] = [
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "LD_LIBRARY_PATH",
    ];
    let run = Run::cargo(place).dir(std::env::temp_dir());
    BUILD.into_iter().fold(run, |run, name| run.env_remove(name))
}

/// The programs that make the Worker's bundle.
#[derive(Clone, Debug)]
pub(crate) struct WorkerTools {
    pub(crate) worker_build: PathBuf,
    pub(crate) wasm_bindgen: PathBuf,
}

/// Both tools in the versions that `Cargo.lock` asks for, built where they are missing: some minutes, once a machine.
pub(crate) fn worker_tools(place: &Place) -> Result<WorkerTools> {
    let lock = place.lock()?;
    Ok(WorkerTools {
        worker_build: cargo_tool(place, "worker-build", lock::version(&lock, "worker")?, "worker-build")?,
        wasm_bindgen: cargo_tool(
            place,
            "wasm-bindgen-cli",
            lock::version(&lock, "wasm-bindgen")?,
            "wasm-bindgen",
        )?,
    })
}

/// Garage, built where it is missing: some minutes, once a machine. Nobody measures it, so without optimisation.
pub(crate) fn garage(place: &Place) -> Result<PathBuf> {
    cargo_tool_with(place, "garage", GARAGE_VERSION, "garage", &["--debug"])
}

/// The library that sets the clock of a process that is started with it.
pub(crate) fn fake_time() -> Result<PathBuf> {
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].into_iter().map(PathBuf::from);
    let multi = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found =
        roots.chain(multi).map(|dir| dir.join("faketime/libfaketime.so.1")).find(|path| path.is_file());
    found.context("libfaketime is missing")
}

fn cargo_tool(place: &Place, package: &str, version: &str, program: &str) -> Result<PathBuf> {
    cargo_tool_with(place, package, version, program, &[])
}

fn cargo_tool_with(
    place: &Place,
    package: &str,
    version: &str,
    program: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let root = place.cache.join("tools").join(format!("{package}-{version}"));
    let path = root.join("bin").join(program);
    if !path.is_file() {
        let package = format!("{package}@{version}");
        let install = cargo_install(place).args(["install", "--locked"]).args(options);
        install.arg("--root").arg(&root).arg(package).go()?;
        ensure!(path.is_file(), "cargo install left no {}", path.display());
    }
    Ok(path)
}

fn node() -> Result<()> {
    let ways = format!(
        "Node.js {NODE_MAJOR_MIN} or newer with npm is needed: get it from https://nodejs.org or your \
         distribution, and put `node` and `npm` in PATH"
    );
    let version = Run::new("node").arg("--version").output().map_err(|_| anyhow!("no Node.js: {ways}"))?;
    ensure!(
        node_major(&version).is_some_and(|major| major >= NODE_MAJOR_MIN),
        "Node.js {version} is too old: {ways}"
    );
    Run::new("npm").arg("--version").output().map_err(|_| anyhow!("no npm: {ways}"))?;
    Ok(())
}

/// `v20.11.1` is 20.
fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs a folder's packages where `node_modules` was not made from this very lock file.
fn npm(place: &Place, dir: &str) -> Result<()> {
    let dir = place.join(dir);
    let path = dir.join("package-lock.json");
    let lock = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    if npm_is_current(&dir, &lock) {
        return Ok(());
    }
    Run::new("npm")
        .dir(&dir)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .go()?;
    fs::write(npm_stamp(&dir), &lock).with_context(|| format!("can't write {}", npm_stamp(&dir).display()))
}

/// Whether a finished `npm ci` of this lock file left its stamp, which is a copy of the lock file. npm empties
/// `node_modules` first, so that an interrupted one leaves none.
fn npm_is_current(dir: &Path, lock: &[u8]) -> bool {
    fs::read(npm_stamp(dir)).is_ok_and(|stamp| stamp == lock)
}

fn npm_stamp(dir: &Path) -> PathBuf {
    dir.join("node_modules").join(".railbird-package-lock.json")
}

/// System packages.
#[derive(Debug, Default)]
struct Apt {
    updated: bool,
}

impl Apt {
    /// One of `programs` in `PATH`; else the Debian package, where apt can install it without a question.
    fn tool(&mut self, programs: &[&str], package: &str) -> Result<()> {
        let there = || programs.iter().any(|program| which(program).is_some());
        self.package(there, &format!("{} in PATH", programs[0]), package)
    }

    /// What is `there`, or else comes with the Debian package, where apt can install it without a question.
    fn package(&mut self, there: impl Fn() -> bool, what: &str, package: &str) -> Result<()> {
        if there() {
            return Ok(());
        }
        let ways =
            format!("{what} is missing: `apt-get install {package}`, or your system's way to get it there");
        let Some(mut apt_get) = apt_get() else {
            bail!("{ways} (apt-get is not there, or needs a password)");
        };
        if !self.updated {
            apt_get(&["update", "--quiet"]).with_context(|| ways.clone())?;
            self.updated = true;
        }
        apt_get(&["install", "--quiet", "--yes", "--no-install-recommends", package])
            .with_context(|| ways.clone())?;
        ensure!(there(), "apt-get installed {package}, and still {ways}");
        Ok(())
    }
}

/// Runs apt-get as root: directly, or by sudo where that asks nothing.
fn apt_get() -> Option<impl FnMut(&[&str]) -> Result<()>> {
    let apt = which("apt-get")?;
    let root = Run::new("id").arg("-u").output().is_ok_and(|id| id == "0");
    if !root && Run::new("sudo").args(["-n", "true"]).output().is_err() {
        return None;
    }
    Some(move |args: &[&str]| {
        let words: Vec<OsString> = vec!["DEBIAN_FRONTEND=noninteractive".into(), apt.clone().into()];
        let run = if root { Run::new("env") } else { Run::new("sudo").args(["-n", "env"]) };
        run.args(words).args(args).go()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        for (text, major) in [("v20.11.1", Some(20)), ("v6.0.0", Some(6)), ("20.1", None), ("v", None)] {
            assert_eq!(node_major(text), major, "{text}");
        }
    }

    #[test]
    fn packages_are_current_only_with_a_stamp_of_this_lock() {
        let dir = std::env::temp_dir().join(format!("xtask-npm-{}", std::process::id()));
        fs::create_dir_all(dir.join("node_modules")).unwrap();
        assert!(!npm_is_current(&dir, b"{1}"));
        fs::write(npm_stamp(&dir), b"{1}").unwrap();
        assert!(npm_is_current(&dir, b"{1}"));
        assert!(!npm_is_current(&dir, b"{2}"));
        fs::remove_dir_all(&dir).unwrap();
        assert!(!npm_is_current(&dir, b"{1}"));
    }
}
