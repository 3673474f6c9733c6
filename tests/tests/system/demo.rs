//! A demo that runs beside a test: the real binary, on ports that the system chooses.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use railbird_origin::demo::control::Ready;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long anything may take here before the test fails: far above what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running demo. It ends when dropped.
pub(crate) struct Demo {
    pub(crate) ready: Ready,
    pub(crate) ready_file: PathBuf,
    pub(crate) dir: TempDir,
    log: watch::Receiver<String>,
    child: Child,
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The directory of this build's binaries: two above a test binary.
fn binaries() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    Ok(test
        .parent()
        .and_then(Path::parent)
        .context("a test binary lies in target/<profile>/deps")?
        .to_path_buf())
}

pub(crate) fn railbird() -> anyhow::Result<Command> {
    let binary = binaries()?.join("railbird");
    ensure!(
        binary.exists(),
        "{}: missing; `cargo build` makes it, `cargo xtask test` does all",
        binary.display()
    );
    let mut command = Command::new(binary);
    command.kill_on_drop(true).stdin(Stdio::null());
    Ok(command)
}

/// The edge component that `cargo xtask build-edge spin` makes.
pub(crate) fn component() -> anyhow::Result<PathBuf> {
    let default =
        || Ok::<_, anyhow::Error>(binaries()?.join("../wasm32-wasip2/wasm/railbird_edge_spin.wasm"));
    let path = std::env::var_os("RAILBIRD_EDGE_COMPONENT").map_or_else(default, |path| Ok(path.into()))?;
    ensure!(path.exists(), "{}: missing; `cargo xtask build-edge spin` makes it", path.display());
    Ok(path)
}

/// The player's files that `npm run build` makes.
pub(crate) fn assets() -> anyhow::Result<PathBuf> {
    let path = workspace().join("edge/player/dist");
    ensure!(path.exists(), "{}: missing; `npm run build` in edge/player makes it", path.display());
    Ok(path)
}

impl Demo {
    /// Starts `railbird demo` with these further arguments and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> anyhow::Result<Demo> {
        Demo::start_in(tempfile::tempdir()?, arguments).await
    }

    /// Stops it in order and starts it again over the same data.
    pub(crate) async fn restart(mut self, arguments: &[&str]) -> anyhow::Result<Demo> {
        let id = self.child.id().context("the demo has ended by itself")?;
        finish({
            let mut kill = Command::new("kill");
            kill.args(["-TERM", &id.to_string()]);
            kill
        })
        .await?;
        let ended =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.context("SIGTERM does not end it")??;
        ensure!(ended.success(), "the demo ended with {ended}:\n{}", self.log());
        Demo::start_in(self.dir, arguments).await
    }

    async fn start_in(dir: TempDir, arguments: &[&str]) -> anyhow::Result<Demo> {
        let ready_file = dir.path().join("ready.json");
        let mut child = railbird()?
            .args(["demo", "--port-base", "0", "--ready-file"])
            .arg(&ready_file)
            .arg("--component")
            .arg(component()?)
            .arg("--assets")
            .arg(assets()?)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, log) = watch::channel(String::new());
        let (stdout, stderr) =
            (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
        for mut lines in [
            BufReader::new(Box::new(stdout) as Box<dyn tokio::io::AsyncRead + Send + Unpin>).lines(),
            BufReader::new(Box::new(stderr) as Box<dyn tokio::io::AsyncRead + Send + Unpin>).lines(),
        ] {
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    sender.send_modify(|log| {
                        log.push_str(&line);
                        log.push('\n');
                    });
                }
            });
        }
        drop(sender);
        // The banner is printed after the ready file was written.
        let mut log_seen = log.clone();
        let ready = log_seen.wait_for(|log| log.contains("Ctrl-C ends it."));
        let outcome = tokio::time::timeout(PATIENCE, ready).await.map(|seen| seen.is_ok());
        if !matches!(outcome, Ok(true)) {
            let _ = child.start_kill();
            bail!("the demo did not get ready:\n{}", log.borrow().as_str());
        }
        let ready = serde_json::from_str(&std::fs::read_to_string(&ready_file)?)?;
        Ok(Demo { ready, ready_file, dir, log, child })
    }

    /// What the demo has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until the log holds this text.
    pub(crate) async fn logged(&self, text: &str) -> anyhow::Result<()> {
        let mut log = self.log.clone();
        match tokio::time::timeout(PATIENCE, log.wait_for(|log| log.contains(text))).await {
            Ok(Ok(_)) => Ok(()),
            _ => bail!("the demo never logged {text:?}:\n{}", self.log()),
        }
    }

    /// Logs in by the API and gives the token.
    pub(crate) async fn token(&self) -> anyhow::Result<String> {
        let login = serde_json::json!({"email": self.ready.email, "password": self.ready.password});
        let answer = client()?.post(format!("{}/api/login", self.ready.edge)).json(&login).send().await?;
        let body: serde_json::Value = answer.error_for_status()?.json().await?;
        Ok(body["token"].as_str().context("no token")?.to_string())
    }

    /// Where an encoder publishes the channel at this position.
    pub(crate) fn publish_url(&self, channel: usize) -> String {
        format!("{}/{}", self.ready.rtmp, self.ready.channels[channel].stream_key)
    }
}

/// Whoever gets no answer in this time fails: a bound, never a measure.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?)
}

/// Runs a program to its end and gives what it printed on both outputs; an exit code other than 0 is an error.
pub(crate) async fn finish(command: Command) -> anyhow::Result<String> {
    let name = format!("{:?}", command.as_std());
    let (ok, text) = outcome(command).await?;
    ensure!(ok, "{name} failed:\n{text}");
    Ok(text)
}

/// Runs a program to its end and gives whether it succeeded and what it printed.
pub(crate) async fn outcome(mut command: Command) -> anyhow::Result<(bool, String)> {
    let name = format!("{:?}", command.as_std());
    let run = command.kill_on_drop(true).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, run).await.with_context(|| format!("{name} does not end"))?;
    let output = output.with_context(|| format!("{name} does not start"))?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}
