//! An edge that takes everything it is told, and remembers it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use railbird_core::state::ChannelState;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Ledger;

/// The longest body that is taken.
const BODY_LEN_MAX: usize = 8 << 20;

/// A running edge. Dropping it stops it.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Told {
    latest: BTreeMap<String, Vec<u8>>,
    ledger: Ledger,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    /// Listens on loopback.
    pub async fn start() -> anyhow::Result<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, told) = (listener.local_addr()?, Arc::<Mutex<Told>>::default());
        let taken = told.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(stream, taken.clone()));
            }
        });
        Ok(Sink { address, told, task })
    }

    /// Looks at what it was told so far.
    pub fn look<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut lock(&self.told).ledger)
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, until it ends: an origin that is killed in the middle of a push said nothing.
async fn serve(stream: TcpStream, told: Arc<Mutex<Told>>) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).context("no path")?.to_string();
        let mut len = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                len = value.trim().parse::<usize>()?;
            }
        }
        anyhow::ensure!(len <= BODY_LEN_MAX, "a body of {len} bytes");
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await?;
        let answer = take(&told, path, body);
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

/// As an edge answers: whether it is news.
fn take(told: &Mutex<Told>, path: String, body: Vec<u8>) -> &'static str {
    let mut told = lock(told);
    if told.latest.get(&path) == Some(&body) {
        return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    }
    if path.ends_with("/state") {
        match serde_json::from_slice::<ChannelState>(&body) {
            Ok(state) => told.ledger.take(state),
            Err(error) => told.ledger.complain(format!("{path} is no state: {error}")),
        }
    }
    told.latest.insert(path, body);
    "HTTP/1.1 204 No Content\r\n\r\n"
}
