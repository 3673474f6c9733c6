//! A scorer with a tablet: headless Chromium, and the pad that the origin serves.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::demo::{outcome, workspace};
use crate::origin::{Origin, Plan, Store, target};
use crate::wall_clock::WallClock;

const KEY: &str = "the-score-key-of-t";

/// The directory that `cargo xtask build-pad` makes.
fn pad() -> anyhow::Result<PathBuf> {
    let path =
        std::env::var_os("RAILBIRD_PAD").context("RAILBIRD_PAD is not set: `cargo xtask test` sets it")?;
    let path = PathBuf::from(path);
    ensure!(path.join("pad.wasm").exists(), "{}: no pad; `cargo xtask build-pad` makes it", path.display());
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pad_without_network_for_minutes_loses_nothing_and_another_one_takes_over() -> anyhow::Result<()> {
    let (dir, store) = (tempfile::tempdir()?, Store::start().await?);
    let clock = WallClock::at(dir.path())?;
    let targets = [target("a", &store.url(), &store.url(), "")];
    let edges = ["http://127.0.0.1:9".to_string()];
    let more = format!("[score]\npad = {:?}\n", pad()?);
    let files = [("score-key", KEY)];
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: &more, files: &files };
    let channel = "score_key = { file = \"score-key\" }\n";
    let origin = Origin::start_at(&plan, channel, Some(&clock)).await?;

    let scripts = workspace().join("tests/browser");
    ensure!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
    let shots = std::env::var_os("RAILBIRD_SHOTS").map_or_else(|| dir.path().to_path_buf(), PathBuf::from);
    let mut scorer = Command::new("node");
    scorer.arg(scripts.join("pad.mjs")).args([&origin.api, "t", KEY]).arg(clock.file()).arg(shots);
    let (ok, text) = outcome(scorer).await.context("tests/browser/pad.mjs")?;
    ensure!(ok, "{text}\n--- the origin's log ---\n{}", origin.log());
    ensure!(!origin.log().contains(KEY), "the key is in the log:\n{}", origin.log());
    Ok(())
}
