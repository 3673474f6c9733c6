//! The Worker under workerd, as `wrangler dev` runs it from the real configuration.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::door::Http;
use super::line::{lines_of_a_session_are_few, lines_tell};
use super::printed;
use super::{end_group, own_pages_may_act, root, static_files, static_files_are_served};
use crate::contract::{self, VARIABLES};

/// How long wrangler may take to start, and to stop.
const START_TIME_MAX: Duration = Duration::from_secs(120);
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// A running `wrangler dev`. Its state and secrets are in a folder that goes with it.
pub(crate) struct Wrangler {
    child: Child,
    pub(crate) addr: SocketAddr,
    printing: JoinSet<String>,
    _folder: tempfile::TempDir,
}

impl Wrangler {
    /// Starts the Worker with these variables and static files; returns when it answers.
    pub(crate) async fn start(variables: &[(&str, &str)], assets: &Path) -> Wrangler {
        Wrangler::start_as(&root().join("infra/cloudflare/wrangler.jsonc"), variables, assets).await
    }

    /// The same as another configuration has it.
    pub(super) async fn start_as(config: &Path, variables: &[(&str, &str)], assets: &Path) -> Wrangler {
        let infra = root().join("infra/cloudflare");
        for (path, command) in [
            ("node_modules/.bin/wrangler", "npm ci --ignore-scripts` in `infra/cloudflare"),
            ("../../edge/cloudflare/build/index.js", "cargo xtask build-edge worker"),
        ] {
            let path = infra.join(path);
            assert!(path.exists(), "{} is missing: run `{command}`", path.display());
        }
        let folder = tempfile::tempdir().unwrap();
        let mut secrets = String::new();
        for (name, value) in variables {
            writeln!(secrets, "{}={value:?}", name.to_ascii_uppercase()).unwrap();
        }
        std::fs::write(folder.path().join("vars"), secrets).unwrap();

        // wrangler needs a newer Node.js than many systems have: the package brings one.
        let tools = infra.join("node_modules/.bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(tools.clone()).chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new(tools.join("wrangler"));
        command.args(["dev", "--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0", "--config"]);
        command.arg(config);
        command.arg("--env-file").arg(folder.path().join("vars"));
        command.arg("--persist-to").arg(folder.path().join("state"));
        command.arg("--assets").arg(assets);
        command.current_dir(folder.path()).env("PATH", path).env("HOME", folder.path());
        for (name, value) in [
            ("CI", "1"),
            ("NO_COLOR", "1"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
            ("CLOUDFLARE_TELEMETRY_DISABLED", "1"),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("WRANGLER_SEND_ERROR_REPORTS", "false"),
            ("WRANGLER_SEND_METRICS", "false"),
        ] {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that nothing of it outlives a failed test.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut error_lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut printing = JoinSet::new();
        // The pipes must not fill up.
        printing.spawn(async move {
            let mut seen = String::new();
            while let Ok(Some(line)) = error_lines.next_line().await {
                eprintln!("{line}");
                _ = writeln!(seen, "{line}");
            }
            seen
        });
        let mut seen = String::new();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, addr)) = line.split_once("Ready on http://") {
                    return addr.trim().parse().unwrap();
                }
                writeln!(seen, "{line}").unwrap();
            }
            panic!("wrangler ended before it was ready:\n{seen}");
        };
        let addr = timeout(START_TIME_MAX, ready).await.expect("wrangler is ready in time");
        printing.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("ERROR") || line.contains("Critical") || line.contains("panicked") {
                    eprintln!("{line}");
                }
                _ = writeln!(seen, "{line}");
            }
            seen
        });
        Wrangler { child, addr, printing, _folder: folder }
    }

    /// Ends it as a person would, and waits for its end, so that workerd goes too; gives what it printed.
    pub(crate) async fn stop(mut self) -> String {
        let pid = self.child.id().expect("it still runs").to_string();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await.unwrap();
        assert!(sent.success());
        timeout(STOP_TIME_MAX, self.child.wait()).await.expect("wrangler stops in time").unwrap();
        let mut printed = String::new();
        let all = async {
            while let Some(part) = self.printing.join_next().await {
                printed.push_str(&part.unwrap());
            }
        };
        timeout(STOP_TIME_MAX, all).await.expect("nothing of wrangler prints any more");
        printed
    }
}

impl Drop for Wrangler {
    fn drop(&mut self) {
        end_group(&self.child);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_keeps_the_contract() {
    let assets = static_files();
    let worker = Wrangler::start(VARIABLES, assets.path()).await;
    let door = Http(worker.addr);
    contract::run(&door).await;
    static_files_are_served(&door).await;
    own_pages_may_act(&door).await;
    lines_tell(&door).await;
    lines_of_a_session_are_few(&door).await;
    let printed = worker.stop().await;
    // wrangler itself tells a developer each address that was asked for; workerd and the Worker don't.
    let of_worker: Vec<&str> = printed.lines().filter(|line| !line.starts_with("[wrangler:info] ")).collect();
    printed::tells_no_secret(&of_worker.join("\n"));
}
