//! `railbird serve` as a child process.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

use super::PATIENCE;

/// What the log says once everything listens.
const RUNS: &str = "the origin runs";

/// A bucket to write to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// `http://host:port`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
}

/// An origin that can be started again and again over the same data.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `railbird` binary.
    pub program: PathBuf,
    /// Where the configuration lies.
    pub dir: PathBuf,
    /// The origin's data.
    pub data_dir: PathBuf,
    /// A shell command that runs before it in the same process, such as `ulimit -n 64`.
    pub before: Option<String>,
}

impl Plan {
    /// Writes the configuration of channels `t0`, `t1`, … with segments of half a second.
    pub fn write(
        program: &Path,
        dir: &Path,
        channels: usize,
        targets: &[Target],
        edge: SocketAddr,
    ) -> anyhow::Result<Plan> {
        let data_dir = dir.join("data");
        let mut text = format!(
            "[origin]\nid = \"o\"\ndata_dir = {data_dir:?}\nsegment_ms = 500\ndvr_s = 60\n\
             [rtmp]\nlisten = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n[event]\nid = \"e\"\ntitle = \"E\"\n\
             [spool]\nreserve_mb = 16\n[[edge]]\nurl = \"http://{edge}\"\n"
        );
        let secret = |name: &str, value: &str| -> anyhow::Result<String> {
            std::fs::write(dir.join(name), value)?;
            Ok(format!("{{ file = {name:?} }}"))
        };
        let (master, origin) = (secret("master", "0123456789abcdef")?, secret("origin", "fedcba9876543210")?);
        writeln!(text, "[secrets]\nmaster = {master}\norigin = {origin}")?;
        for n in 0..channels {
            let key = secret(&format!("key-{n}"), &Plan::key(n))?;
            writeln!(
                text,
                "[[channel]]\nid = \"t{n}\"\ntitle = \"T{n}\"\n[[channel.feed]]\nstream_key = {key}"
            )?;
        }
        for Target { id, endpoint, region, bucket, access_key, secret_key } in targets {
            let access_key = secret(&format!("{id}-access"), access_key)?;
            let secret_key = secret(&format!("{id}-secret"), secret_key)?;
            writeln!(
                text,
                "[[target]]\nid = {id:?}\nkind = \"s3\"\nendpoint = {endpoint:?}\nregion = {region:?}\n\
                 bucket = {bucket:?}\naccess_key = {access_key}\nsecret_key = {secret_key}\n\
                 node = {{ id = {id:?}, url = \"{endpoint}/{bucket}\" }}"
            )?;
        }
        std::fs::write(dir.join("railbird.toml"), text)?;
        Ok(Plan { program: program.into(), dir: dir.into(), data_dir, before: None })
    }

    /// The stream key of a channel.
    pub fn key(channel: usize) -> String {
        format!("stream-key-{channel}")
    }

    /// Another tool of the same binary, with this configuration.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).arg("--config").arg(self.config()).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    fn config(&self) -> PathBuf {
        self.dir.join("railbird.toml")
    }

    /// Starts it. It is not ready yet: see [`Origin::ready`].
    pub fn start(&self) -> anyhow::Result<Origin> {
        let mut command = match &self.before {
            None => Command::new(&self.program),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{before} && exec \"$0\" \"$@\"")).arg(&self.program);
                shell
            }
        };
        command.args(["serve", "--config"]).arg(self.config()).env("RUST_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("the origin does not start")?;
        let stderr = child.stderr.take().context("stderr")?;
        let (sender, log) = watch::channel(String::new());
        let left = Arc::new(Notify::new());
        tokio::spawn(keep(stderr, sender, left.clone()));
        Ok(Origin { child, log, left })
    }
}

async fn keep(stderr: impl AsyncRead + Unpin, log: watch::Sender<String>, left: Arc<Notify>) {
    let mut lines = BufReader::new(stderr).lines();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line,
            () = left.notified() => break,
        };
        let Ok(Some(line)) = line else { return };
        log.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
    // The pipe stays open, and full.
    drop(log);
    std::future::pending::<()>().await;
}

/// A running origin. It is killed when dropped.
pub struct Origin {
    child: Child,
    log: watch::Receiver<String>,
    left: Arc<Notify>,
}

impl Origin {
    /// Reads no more of what it logs, from now on: the pipe fills up.
    pub fn leave_log(&self) {
        self.left.notify_one();
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until the log holds this text.
    pub async fn logged(&self, text: &str) -> anyhow::Result<()> {
        let mut log = self.log.clone();
        let seen = tokio::time::timeout(PATIENCE, log.wait_for(|log| log.contains(text))).await;
        ensure!(matches!(seen, Ok(Ok(_))), "the origin never logged {text:?}:\n{}", self.log());
        Ok(())
    }

    /// Waits until it runs; gives the addresses of RTMP and of the API.
    pub async fn ready(&self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        self.logged(RUNS).await?;
        let log = self.log();
        let line = log.lines().find(|line| line.contains(RUNS)).unwrap_or_default();
        let address = |name: &str| -> anyhow::Result<SocketAddr> {
            let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            Ok(value.with_context(|| format!("no {name} in {line}"))?.parse()?)
        };
        Ok((address("rtmp=")?, address("api=")?))
    }

    /// Sends where RTMP is as soon as it is known.
    pub fn announce(&self, to: &watch::Sender<Option<SocketAddr>>) {
        let (log, to) = (self.log.clone(), to.clone());
        let mut seen = log.clone();
        tokio::spawn(async move {
            if seen.wait_for(|log| log.contains(RUNS)).await.is_ok() {
                let text = log.borrow().clone();
                let word = text.split_whitespace().find_map(|word| word.strip_prefix("rtmp="));
                to.send_replace(word.and_then(|word| word.parse().ok()));
            }
        });
    }

    /// SIGKILL. Gives what it had logged.
    pub async fn kill(mut self) -> anyhow::Result<String> {
        if let Some(ended) = self.child.try_wait()? {
            bail!("the origin ended by itself with {ended}:\n{}", self.log());
        }
        self.child.kill().await?;
        Ok(self.log())
    }

    /// SIGTERM, and waits for the end. Gives how it ended and what it had logged.
    pub async fn terminate(mut self) -> anyhow::Result<(ExitStatus, String)> {
        if let Some(id) = self.child.id() {
            let signal = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
            ensure!(signal.success(), "kill: {signal}");
        }
        self.ended().await
    }

    /// Waits until it ends by itself. Gives how it ended and what it had logged.
    pub async fn ended(&mut self) -> anyhow::Result<(ExitStatus, String)> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let ended = ended.with_context(|| format!("the origin does not end:\n{}", self.log()))??;
        // The pipe closes with the process: what was written is read first.
        let mut log = self.log.clone();
        let _ = tokio::time::timeout(PATIENCE, async { while log.changed().await.is_ok() {} }).await;
        Ok((ended, self.log()))
    }

    /// How much memory it holds, in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let id = self.child.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
