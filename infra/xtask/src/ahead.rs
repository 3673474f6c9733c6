//! A build that goes on beside the stages before the one that needs it. The edge's Wasm is linked by one thread for most of its
//! time, and natively there is always something to do for another.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::place::Place;
use crate::run::Run;

/// A command of our own that runs.
pub(crate) struct Ahead {
    child: Child,
    log: PathBuf,
    began: Instant,
    shown: String,
}

impl Ahead {
    /// Starts `cargo xtask COMMAND`, whose words are kept until it is waited for.
    pub(crate) fn start(place: &Place, command: &str) -> Result<Ahead> {
        fs::create_dir_all(&place.target)?;
        let log = place.target.join(format!("{command}.log"));
        let file = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        let us = std::env::current_exe().context("where is xtask?")?;
        let run = Run::new(us).arg(command).env("CARGO_MANIFEST_DIR", place.join("infra/xtask"));
        let child = run.beside(file)?;
        let shown = format!("cargo xtask {command}");
        eprintln!("$ {shown} &");
        Ok(Ahead { child, log, began: Instant::now(), shown })
    }

    /// Waits for its end, and tells what it said where that was a failure.
    pub(crate) fn join(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            eprintln!("{}: done, {:.1} s after its start", self.shown, self.began.elapsed().as_secs_f64());
            return Ok(());
        }
        eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        bail!("{status} of: {}", self.shown)
    }
}

impl Drop for Ahead {
    /// What nobody waits for any more is ended, with the build that it has started. It is in our process group: Ctrl-C ends both.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let parent = self.child.id().to_string();
            // Its children first: they are nobody's once it is gone.
            let _ = Run::new("pkill").args(["-TERM", "-P", &parent]).output();
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
