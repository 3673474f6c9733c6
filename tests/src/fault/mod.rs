//! A proxy in front of a store that fails as CDNs do: at the switch of a hand, and the same way for the same seed.
//!
//! [`Proxy`] relays HTTP/1.1 to an upstream, byte for byte. [`Proxy::set`] gives it a [`Fault`], from the next request on.
//! Which requests are hit depends on the seed, the request's method and path, and how often it came, and on nothing else:
//! not on the order in which requests of several connections arrive.

mod relay;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use self::tls::Certificates;

/// The most connections at a time; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 256;

/// The most different requests that are told apart; after them, counting begins anew.
const COUNTED_MAX: usize = 1 << 17;

/// After a failed accept, how long to let others close what they have open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens, and every open connection is cut. It hits all.
    Refuse,
    /// A request is taken and never answered.
    BlackHole,
    /// Bodies pass at this rate, in bytes a second.
    Drip(u32),
    /// The connection is reset in the middle of the request's body, or of the answer's where the request has none.
    Reset,
    /// A write is answered by 200, whose body ends too early, and the upstream never sees it; of a read's answer, the second
    /// half is missing.
    Truncate,
    /// The answer is this status (429, 503), with this `Retry-After` in seconds; the upstream never sees the request.
    Busy {
        /// The status.
        status: u16,
        /// When to come back.
        retry_after: Option<u32>,
    },
    /// One byte of what is read is another one. Writes pass.
    Corrupt,
    /// What comes first on a connection is neither TLS nor HTTP. It hits all.
    Garbage,
    /// A proxy with TLS shows a certificate of an authority that nobody knows. It hits all.
    UnknownAuthority,
    /// Each request waits so long before it is relayed.
    Latency(Duration),
}

impl Fault {
    /// It is a connection's, not a request's: open ones must go for it to be felt.
    fn of_connections(self) -> bool {
        matches!(self, Fault::Refuse | Fault::Garbage | Fault::UnknownAuthority)
    }
}

/// A fault, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What goes wrong.
    pub fault: Fault,
    /// For how many of a thousand requests. A fault that hits all does so whatever stands here.
    pub per_mille: u16,
}

impl Plan {
    /// The fault, for every request.
    pub fn always(fault: Fault) -> Plan {
        Plan { fault, per_mille: 1000 }
    }
}

/// A running proxy, which is its own switch. Dropping it stops it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The accept loop, unless connections are refused. It owns every connection.
    running: AsyncMutex<Option<Running>>,
}

struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What every connection knows.
struct Shared {
    upstream: SocketAddr,
    seed: u64,
    certificates: Option<Certificates>,
    plan: Mutex<Option<Plan>>,
    seen: Mutex<BTreeMap<u64, u64>>,
    requests: AtomicU64,
    hits: AtomicU64,
}

impl Proxy {
    /// Listens on loopback, without TLS. Upstream is spoken to without TLS in any case.
    pub async fn start(upstream: SocketAddr, seed: u64) -> io::Result<Proxy> {
        Proxy::start_at(Ipv4Addr::LOCALHOST, upstream, seed).await
    }

    /// The same at another address of loopback: some players take what is at one address for one host, whatever its port.
    pub async fn start_at(at: Ipv4Addr, upstream: SocketAddr, seed: u64) -> io::Result<Proxy> {
        Proxy::listen(at, upstream, seed, None).await
    }

    /// Listens on loopback, with TLS for `localhost` and `127.0.0.1` by an authority of its own ([`Proxy::authority`]).
    pub async fn start_tls(upstream: SocketAddr, seed: u64) -> io::Result<Proxy> {
        Proxy::listen(Ipv4Addr::LOCALHOST, upstream, seed, Some(Certificates::new()?)).await
    }

    async fn listen(
        at: Ipv4Addr,
        upstream: SocketAddr,
        seed: u64,
        certificates: Option<Certificates>,
    ) -> io::Result<Proxy> {
        let shared = Arc::new(Shared {
            upstream,
            seed,
            certificates,
            plan: Mutex::default(),
            seen: Mutex::default(),
            requests: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        });
        let (address, running) = run((at, 0).into(), shared.clone()).await?;
        Ok(Proxy { address, shared, running: AsyncMutex::new(Some(running)) })
    }

    /// Where it listens (or listened, while it refuses).
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a trailing slash.
    pub fn url(&self) -> String {
        match self.shared.certificates {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// The certificate of its authority, in PEM, where it has TLS.
    pub fn authority(&self) -> Option<&str> {
        self.shared.certificates.as_ref().map(Certificates::authority)
    }

    /// From now on this goes wrong; `None`: nothing does. Returns when it is so. Requests that are already hit stay so.
    pub async fn set(&self, plan: Option<Plan>) -> io::Result<()> {
        let mut running = self.running.lock().await;
        *self.shared.plan() = plan;
        let fault = plan.map(|plan| plan.fault);
        if fault.is_some_and(Fault::of_connections)
            && let Some(mut stopping) = running.take()
        {
            stopping.0.abort();
            // The socket and every connection are closed once the task is gone.
            let _ = (&mut stopping.0).await;
        }
        if fault != Some(Fault::Refuse) && running.is_none() {
            *running = Some(run(self.address, self.shared.clone()).await?.1);
        }
        Ok(())
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many of them were hit by a request's fault.
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault_of_connections(&self) -> Option<Fault> {
        self.plan().map(|plan| plan.fault).filter(|fault| fault.of_connections())
    }

    /// What happens to this request, and a number that is its own.
    fn judge(&self, method: &str, path: &str) -> (Option<Fault>, u64) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let name = hash(hash(self.seed, method.as_bytes()), path.as_bytes());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= COUNTED_MAX {
            seen.clear();
        }
        let time = seen.entry(name).or_default();
        *time += 1;
        let number = mix(name ^ mix(*time));
        drop(seen);
        let hit = |plan: &Plan| number % 1000 < u64::from(plan.per_mille);
        let fault = self.plan().filter(hit).map(|plan| plan.fault);
        if fault.is_some() {
            self.hits.fetch_add(1, Ordering::SeqCst);
        }
        (fault, number)
    }
}

async fn run(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<(SocketAddr, Running)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= CONNECTIONS_MAX {
                connections.join_next().await;
            }
            tokio::select! {
                // What goes wrong on one connection is that connection's: clients hang up as they like.
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, shared.clone()));
                    }
                    // Out of file descriptors, or a client that went before it was accepted.
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    });
    Ok((address, Running(task)))
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match (shared.fault_of_connections(), &shared.certificates) {
        (Some(Fault::Garbage), _) => relay::garbage(stream).await,
        (fault, Some(certificates)) => {
            let acceptor = certificates.acceptor(fault == Some(Fault::UnknownAuthority));
            relay::serve(acceptor.accept(stream).await?, &shared).await
        }
        (_, None) => relay::serve(stream, &shared).await,
    }
}

/// FNV-1a, from a state.
fn hash(state: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(mix(state), step)
}

/// SplitMix64's last steps: every bit of the number depends on every bit of the state.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
