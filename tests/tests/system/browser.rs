//! A person with a browser: headless Chromium, driven by the scripts of `tests/browser`.

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::demo::{Demo, outcome, workspace};

/// Logs in, plays, sees a score change; then the node in use is unplugged and nothing stalls for 20 s of media.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_does_not_notice_that_a_node_died() -> anyhow::Result<()> {
    let demo = Demo::start(&[]).await?;
    let scripts = workspace().join("tests/browser");
    ensure!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
    let mut watch = Command::new("node");
    watch.arg(scripts.join("watch.mjs")).arg(&demo.ready_file);
    let (ok, text) = outcome(watch).await.context("tests/browser/watch.mjs")?;
    ensure!(ok, "{text}\n--- the demo's log ---\n{}", demo.log());
    Ok(())
}
