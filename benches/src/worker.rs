//! The Worker on workerd, by miniflare and without the proxy of `wrangler dev`; its store is miniflare's own, on disk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::Place;
use crate::edge;
use crate::origin::SECRET;

/// miniflare, and below it workerd: both end when this value goes.
struct Workerd {
    node: Child,
    addr: String,
    /// workerd's own process.
    pid: u32,
}

impl Workerd {
    fn start(place: &Place) -> Result<Workerd> {
        let infra = place.root.join("infra/cloudflare");
        let bundle = place.root.join("edge/cloudflare/build");
        ensure!(bundle.join("index.js").exists(), "there is no bundle: run `cargo xtask build-edge worker`");
        let mut command = Command::new(infra.join("node_modules/.bin/node"));
        command.arg(place.root.join("benches/workerd.mjs")).arg(bundle);
        command.arg(infra.join("node_modules")).arg(infra.join("wrangler.jsonc"));
        for name in ["MASTER_SECRET", "SESSION_SECRET", "ORIGIN_SECRET", "ADMIN_SECRET"] {
            command.arg(format!("{name}={SECRET}"));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = command.spawn().with_context(|| format!("{command:?}"))?;
        let mut lines = BufReader::new(node.stdout.take().context("no output")?).lines();
        let ready = lines.find_map(|line| line.ok()?.strip_prefix("ready ").map(str::to_owned));
        let Some(addr) = ready else {
            node.kill()?;
            return Err(anyhow::anyhow!("workerd did not start"));
        };
        let pid = child_named(node.id(), "workerd")?.context("there is no process workerd")?;
        Ok(Workerd { node, addr, pid })
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // Its input's end tells it to go, and workerd with it.
        drop(self.node.stdin.take());
        let _ = self.node.wait();
    }
}

/// A child of this process that runs this program.
fn child_named(parent: u32, name: &str) -> Result<Option<u32>> {
    for entry in fs::read_dir("/proc")? {
        let Ok(text) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        // `pid (program) state parent …`
        let Some((head, rest)) = text.split_once(" (") else { continue };
        let Some((program, rest)) = rest.rsplit_once(") ") else { continue };
        if program == name && rest.split(' ').nth(1) == Some(&parent.to_string()) {
            return Ok(Some(head.parse()?));
        }
    }
    Ok(None)
}

pub(crate) fn run(place: &Place) -> Result<()> {
    let workerd = Workerd::start(place)?;
    println!("the Worker on workerd: one client, one connection");
    edge::routes(workerd.pid, &workerd.addr)
}
