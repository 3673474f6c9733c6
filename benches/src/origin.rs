//! The real origin as a process, and the world around it: servers that take whatever it sends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

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

/// `railbird serve`, with two targets and, where there is a component, the edge in the same process.
pub(crate) struct Origin {
    pub(crate) process: Running,
    pub(crate) rtmp: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) edge: SocketAddr,
}

impl Origin {
    /// Starts it in `dir`, which is emptied.
    pub(crate) fn start(
        railbird: &Path,
        dir: &Path,
        channels: usize,
        component: Option<&Path>,
    ) -> Result<Origin> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir)?;
        let sinks = [sink()?, sink()?];
        let [rtmp, api, edge] = [free_port()?, free_port()?, free_port()?];
        let secret = "{ env = \"BENCH_SECRET\" }";
        let mut text = format!(
            "[origin]\ndata_dir = \"data\"\n[rtmp]\nlisten = \"{rtmp}\"\n[api]\nlisten = \"{api}\"\n\
             [event]\nid = \"bench\"\ntitle = \"Bench\"\n[spool]\nkeep_s = 120\n\
             [secrets]\nmaster = {secret}\norigin = {secret}\nsession = {secret}\nadmin = {secret}\n"
        );
        match component {
            None => text += &format!("[[edge]]\nurl = \"http://{}\"\n", sinks[0]),
            Some(component) => {
                fs::create_dir_all(dir.join("player/assets"))?;
                let component = component.display();
                text += &format!("[embedded_edge]\nlisten = \"{edge}\"\ncomponent = \"{component}\"\n");
                text += "assets = \"player\"\n";
            }
        }
        for channel in 0..channels {
            text += &format!("[[channel]]\nid = \"table-{channel}\"\ntitle = \"Table {channel}\"\n");
            text += &format!("[[channel.feed]]\nstream_key = {{ file = \"stream-{channel}\" }}\n");
            fs::write(dir.join(format!("stream-{channel}")), stream_key(channel))?;
        }
        for (name, addr) in ["a", "b"].iter().zip(sinks) {
            text += &format!(
                "[[target]]\nid = \"{name}\"\nkind = \"s3\"\nendpoint = \"http://{addr}\"\nbucket = \"railbird\"\n\
                 access_key = {secret}\nsecret_key = {secret}\n\
                 node = {{ id = \"{name}\", url = \"http://{addr}/railbird\" }}\n"
            );
        }
        let config = dir.join("railbird.toml");
        fs::write(&config, text)?;
        let mut command = Command::new(railbird);
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

fn stream_key(channel: usize) -> String {
    format!("bench-stream-{channel}")
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A server that takes whatever is sent and says that all is well: a store, a node, and an edge that is pushed to.
fn sink() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = swallow(stream);
            });
        }
    });
    Ok(addr)
}

fn swallow(stream: TcpStream) -> Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let (mut length, mut continues, mut pushed) = (0_u64, false, false);
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        pushed |= line.contains("/origin/v1/");
        while !line.trim_end().is_empty() {
            line.clear();
            input.read_line(&mut line)?;
            let lower = line.trim_end().to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            continues |= lower.starts_with("expect:");
        }
        if continues {
            input.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        std::io::copy(&mut (&mut input).take(length), &mut std::io::sink())?;
        let answer: &[u8] = if pushed {
            b"HTTP/1.1 204 No Content\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\netag: \"0\"\r\ncontent-length: 0\r\n\r\n"
        };
        input.get_mut().write_all(answer)?;
    }
}
