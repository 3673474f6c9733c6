//! Garage: an S3 server that is not ours.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::{Target, until};

const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const BUCKET: &str = "railbird";

/// A running Garage with one bucket. It ends when dropped.
pub struct Garage {
    /// Where its S3 API listens.
    pub address: SocketAddr,
    _child: Child,
}

impl Garage {
    /// The program that `cargo xtask` installs and names in `GARAGE`.
    pub fn program() -> anyhow::Result<PathBuf> {
        let path = std::env::var_os("GARAGE");
        path.map(PathBuf::from).context("GARAGE is not set: `cargo xtask` installs Garage and sets it")
    }

    /// Starts it over this directory.
    pub async fn start(program: &Path, dir: &Path) -> anyhow::Result<Garage> {
        tokio::fs::create_dir_all(dir).await?;
        let (address, rpc) = free_ports().await?;
        let config = dir.join("garage.toml");
        let text = format!(
            "metadata_dir = {:?}\ndata_dir = {:?}\nreplication_factor = 1\nrpc_bind_addr = \"{rpc}\"\n\
             rpc_public_addr = \"{rpc}\"\nrpc_secret = \"{SECRET_KEY}\"\n[s3_api]\ns3_region = \"garage\"\n\
             api_bind_addr = \"{address}\"\n",
            dir.join("meta"),
            dir.join("data"),
        );
        tokio::fs::write(&config, text).await?;
        let log = dir.join("garage.log");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&config)
            .args(["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        until("Garage answers", async || {
            if let Some(ended) = child.try_wait()? {
                bail!("Garage ended with {ended}:\n{}", std::fs::read_to_string(&log)?);
            }
            Ok(TcpStream::connect(address).await.ok())
        })
        .await?;
        Ok(Garage { address, _child: child })
    }

    /// Its bucket as a target, behind this endpoint: its own, or a proxy's.
    pub fn target(&self, id: &str, endpoint: &str) -> Target {
        Target {
            id: id.into(),
            endpoint: endpoint.into(),
            region: "garage".into(),
            bucket: BUCKET.into(),
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        }
    }
}

/// Garage can't be told to take any port and to say which: these two were free a moment ago.
async fn free_ports() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok((first.local_addr()?, second.local_addr()?))
}
