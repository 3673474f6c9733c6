//! The real origin as a process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::store::Store;

/// Every secret of the origin.
pub(crate) const SECRET: &str = "bench-secret-0123456789";

const START: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(100);

/// A process that ends with this value.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Running> {
        command.env("RUST_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Running(command.spawn().with_context(|| format!("{command:?}"))?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What differs between the origins of the figures.
pub(crate) struct Plan<'a> {
    pub(crate) channels: usize,
    /// The edge to run in the same process; else states are pushed to a server that takes them all.
    pub(crate) component: Option<&'a Path>,
    /// The targets, `a`, `b`, …
    pub(crate) stores: &'a [Store],
    /// The node over each; the store itself where there is none of its own.
    pub(crate) nodes: &'a [Store],
    /// Further lines of `[origin]`, of each channel, and of each target.
    pub(crate) origin_lines: &'a str,
    pub(crate) channel_lines: &'a str,
    pub(crate) target_lines: &'a str,
    /// Further tables.
    pub(crate) tables: &'a str,
}

impl<'a> Plan<'a> {
    /// Nothing out of the ordinary.
    pub(crate) fn new(channels: usize, stores: &'a [Store]) -> Plan<'a> {
        Plan {
            channels,
            component: None,
            stores,
            nodes: &[],
            origin_lines: "",
            channel_lines: "",
            target_lines: "",
            tables: "",
        }
    }
}

/// `railbird serve`, and where the component is given, the edge in the same process.
pub(crate) struct Origin {
    pub(crate) process: Running,
    pub(crate) rtmp: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) edge: SocketAddr,
}

impl Origin {
    /// Starts it in `dir`, which is emptied.
    pub(crate) fn start(railbird: &Path, dir: &Path, plan: &Plan<'_>) -> Result<Origin> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir)?;
        let [rtmp, api, edge] = [free_port()?, free_port()?, free_port()?];
        let secret = "{ env = \"BENCH_SECRET\" }";
        let mut text = format!(
            "[origin]\ndata_dir = \"data\"\n{}\n[rtmp]\nlisten = \"{rtmp}\"\n[api]\nlisten = \"{api}\"\n\
             [event]\nid = \"bench\"\ntitle = \"Bench\"\n\
             [secrets]\nmaster = {secret}\norigin = {secret}\nsession = {secret}\nadmin = {secret}\n",
            plan.origin_lines
        );
        match plan.component {
            None => text += &format!("[[edge]]\nurl = \"http://{}\"\n", Store::start()?.addr()),
            Some(component) => {
                fs::create_dir_all(dir.join("player/assets"))?;
                let component = component.display();
                text += &format!("[embedded_edge]\nlisten = \"{edge}\"\ncomponent = \"{component}\"\n");
                text += "assets = \"player\"\n";
            }
        }
        for channel in 0..plan.channels {
            let id = self::channel(channel);
            text +=
                &format!("[[channel]]\nid = \"{id}\"\ntitle = \"Table {channel}\"\n{}\n", plan.channel_lines);
            text += &format!("[[channel.feed]]\nstream_key = {{ file = \"stream-{channel}\" }}\n");
            fs::write(dir.join(format!("stream-{channel}")), stream_key(channel))?;
        }
        for (n, (name, store)) in ('a'..='z').zip(plan.stores).enumerate() {
            let (addr, node) = (store.addr(), plan.nodes.get(n).unwrap_or(store).addr());
            text += &format!(
                "[[target]]\nid = \"{name}\"\nkind = \"s3\"\nendpoint = \"http://{addr}\"\nbucket = \"railbird\"\n\
                 access_key = {secret}\nsecret_key = {secret}\n{}\n\
                 node = {{ id = \"{name}\", url = \"http://{node}/railbird\" }}\n",
                plan.target_lines
            );
        }
        text += plan.tables;
        let config = dir.join("railbird.toml");
        fs::write(&config, text)?;
        let mut command = Command::new(railbird);
        // Targets that die on purpose are no news.
        command.stderr(fs::File::create(dir.join("log"))?);
        command.arg("serve").arg("--config").arg(&config).env("BENCH_SECRET", SECRET);
        let process = Running::start(&mut command)?;
        let began = Instant::now();
        while TcpStream::connect(api).is_err() {
            ensure!(began.elapsed() < START, "the origin did not start");
            thread::sleep(EVERY);
        }
        Ok(Origin { process, rtmp, api, edge })
    }

    /// An encoder that publishes this file on a channel, over and over.
    pub(crate) fn publish(&self, railbird: &Path, file: &Path, channel: usize) -> Result<Running> {
        let mut command = Command::new(railbird);
        command.arg("publish").arg(file).arg(format!("rtmp://{}/live/{}", self.rtmp, stream_key(channel)));
        Running::start(&mut command)
    }
}

/// The id of a channel.
pub(crate) fn channel(n: usize) -> String {
    format!("table-{n}")
}

pub(crate) fn stream_key(channel: usize) -> String {
    format!("bench-stream-{channel}")
}

pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
