//! SRT publishers: one socket for all that call, a task for each connection, around the sans-IO [`railbird_core::srt`].
//! Encoders that listen themselves are called ([`call`]).

pub(super) mod call;
mod link;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use railbird_core::srt::{self, Answer, Call, DATAGRAM_LEN_MAX, Passphrase, stream_key};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Slot};
use super::{FEEDS_MAX, Refusal};
use crate::clock;
use crate::config::Srt;
use link::{Inbox, Link, Side};

/// So many datagrams wait for a connection's task; what comes beyond is asked for again.
const INBOX_LEN: usize = 1024;

/// What the system is asked to hold for us, in bytes; it may give less.
const SOCKET_LEN: usize = 4 << 20;

/// How long to wait where the socket can't be read.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// Takes SRT publishers until told to stop.
#[derive(Debug)]
pub struct SrtListener {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl SrtListener {
    /// Listens for those whom `door` lets in.
    pub async fn start(settings: &Srt, door: Door) -> anyhow::Result<SrtListener> {
        let addr = settings.listen;
        let socket = bind(addr).await.with_context(|| format!("srt.listen: can't listen at {addr}"))?;
        let addr = socket.local_addr()?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).context("srt: the system has no randomness for cookies")?;
        let passphrase = settings.passphrase.as_ref().and_then(|secret| Passphrase::new(secret.expose()));
        let listener = srt::Listener::new(settings.latency_ms, passphrase, secret);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (ended, ends) = mpsc::channel(FEEDS_MAX);
        let around =
            Around { socket: Arc::new(socket), door, stop: stop.clone(), tasks: tasks.clone(), ended };
        let (links, callers) = (HashMap::new(), HashMap::new());
        let guard = srt::Guard::new(clock::micros());
        let desk = Desk { listener, around, links, callers, guard };
        tasks.spawn(desk.run(ends));
        Ok(SrtListener { addr, stop, tasks })
    }

    /// Ends every feed, and stops listening.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn bind(addr: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(addr).await?;
    // Where the system gives less, a burst is lost, and asked for again.
    let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_LEN);
    Ok(socket)
}

/// What all connections share.
#[derive(Clone)]
struct Around {
    socket: Arc<UdpSocket>,
    door: Door,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Where a connection tells that it is over, by its id.
    ended: mpsc::Sender<u32>,
}

/// The socket's datagrams, by whom they are for.
struct Desk {
    listener: srt::Listener,
    around: Around,
    links: HashMap<u32, Known>,
    /// The connections' ids by their callers: a caller that did not get our answer repeats its handshake.
    callers: HashMap<(SocketAddr, u32), u32>,
    guard: srt::Guard,
}

struct Known {
    caller: (SocketAddr, u32),
    inbox: mpsc::Sender<Bytes>,
}

impl Desk {
    async fn run(mut self, mut ends: mpsc::Receiver<u32>) {
        let mut buffer = [0; DATAGRAM_LEN_MAX + 1];
        let (socket, stop) = (self.around.socket.clone(), self.around.stop.clone());
        let mut broken = false;
        loop {
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(id) = ends.recv() => {
                    if let Some(known) = self.links.remove(&id) {
                        self.callers.remove(&known.caller);
                    }
                    continue;
                }
                read = socket.recv_from(&mut buffer) => read,
            };
            match read {
                Ok((len, from)) => {
                    broken = false;
                    self.datagram(buffer.get(..len).unwrap_or_default(), from);
                }
                Err(error) => {
                    // Said once, not ten times a second.
                    if !std::mem::replace(&mut broken, true) {
                        tracing::error!(%error, "the socket for SRT can't be read");
                    }
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
        }
    }

    fn datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        match srt::addressee(datagram) {
            Some(0) => self.stranger(datagram, from),
            Some(id) => {
                if let Some(known) = self.links.get(&id).filter(|known| known.caller.0 == from) {
                    let _ = known.inbox.try_send(Bytes::copy_from_slice(datagram));
                }
            }
            None => {}
        }
    }

    fn stranger(&mut self, datagram: &[u8], from: SocketAddr) {
        match self.listener.answer(datagram, from, clock::micros()) {
            Answer::Nothing => {}
            Answer::Send(bytes) => self.send(&bytes, from),
            Answer::Refused(..) if !self.guard.takes(from.ip(), clock::micros()) => {}
            Answer::Refused(bytes, refusal) => {
                tracing::warn!(peer = %from, reason = %refusal, "feed refused");
                self.send(&bytes, from);
            }
            Answer::Call(call) => {
                let again = self.callers.get(&(from, call.socket())).and_then(|id| self.links.get(id));
                if let Some(known) = again {
                    let _ = known.inbox.try_send(Bytes::copy_from_slice(datagram));
                } else if self.guard.takes(from.ip(), clock::micros()) {
                    self.called(*call, from);
                }
            }
        }
    }

    fn called(&mut self, call: Call, from: SocketAddr) {
        let Some(id) = self.free_id() else { return };
        match self.let_in(&call, from) {
            Ok((unlocked, feed, slot)) => {
                self.guard.note(&call);
                let (inbox, datagrams) = mpsc::channel(INBOX_LEN);
                let caller = (from, call.socket());
                self.links.insert(id, Known { caller, inbox });
                self.callers.insert(caller, id);
                let connection = call.accept(unlocked, id, clock::micros());
                let side = Side::Called(Box::new(connection));
                let around = &self.around;
                let link = Link::new(side, around.socket.clone(), from, Inbox::Routed(datagrams));
                let (stop, ended) = (around.stop.clone(), around.ended.clone());
                around.tasks.spawn(async move {
                    let _slot = slot;
                    link.publish(feed, &stop).await;
                    // Nobody hears it where the origin stops.
                    let _ = ended.send(id).await;
                });
            }
            Err((refusal, reason)) => {
                tracing::warn!(peer = %from, reason, "feed refused");
                self.send(&call.refuse(&refusal), from);
            }
        }
    }

    /// What is cheap is asked first, and a feed that is published goes on until all is known to be right.
    fn let_in(
        &self,
        call: &Call,
        from: SocketAddr,
    ) -> Result<(srt::Unlocked, super::Feed, Slot), (srt::Refusal, String)> {
        let said = |refusal: srt::Refusal| {
            let text = refusal.to_string();
            (refusal, text)
        };
        let by_door = |refusal: Refusal| {
            let code = match &refusal {
                Refusal::UnknownKey => srt::Refusal::UnknownKey,
                Refusal::Full => srt::Refusal::Full,
            };
            (code, refusal.to_string())
        };
        let key = stream_key(call.stream_id()).map_err(|unfit| said(unfit.into()))?;
        let door = &self.around.door;
        door.knows(key).map_err(by_door)?;
        let unlocked = self.guard.unlock(call).map_err(said)?;
        let mut slot = Slot::default();
        let feed = door.let_in(&mut slot, key, &from.to_string()).map_err(by_door)?;
        Ok((unlocked, feed, slot))
    }

    /// An id that nobody can guess and nobody has.
    fn free_id(&self) -> Option<u32> {
        loop {
            let id = getrandom::u32().ok()? >> 2 | 1;
            if !self.links.contains_key(&id) {
                return Some(id);
            }
        }
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) {
        // What is not sent is asked for again.
        let _ = self.around.socket.try_send_to(bytes, to);
    }
}
