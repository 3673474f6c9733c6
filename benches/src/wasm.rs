//! How large the edge's Wasm is, as platforms count it: gzipped.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{Place, figure};

pub(crate) fn run(place: &Place) -> Result<()> {
    println!("wasm");
    show("Spin component", &[&place.component])?;
    let (wasm, script) = (place.worker.join("index_bg.wasm"), place.worker.join("index.js"));
    if wasm.exists() {
        show("Worker with its script", &[&wasm, &script])
    } else {
        figure("Worker", "not built", "`cargo xtask build-edge worker` makes it");
        Ok(())
    }
}

fn show(what: &str, files: &[&Path]) -> Result<()> {
    let (mut plain, mut gzipped) = (0, 0);
    for file in files {
        plain += std::fs::metadata(file).with_context(|| format!("{}", file.display()))?.len();
        let output = Command::new("gzip").args(["-9", "-c"]).arg(file).output().context("gzip")?;
        ensure!(output.status.success(), "gzip failed");
        gzipped += output.stdout.len();
    }
    let aim = format!("{} kB plain; aim: under 1,000 kB", plain / 1000);
    figure(&format!("{what}, gzipped"), &format!("{} kB", gzipped / 1000), &aim);
    Ok(())
}
