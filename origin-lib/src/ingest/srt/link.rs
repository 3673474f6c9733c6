//! One SRT connection and the feed that comes by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use railbird_core::programme;
use railbird_core::srt::{Caller, Connection, DATAGRAM_LEN_MAX, End, Micros, Output, Statistics};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ingest::feed::Feed;

/// Who called whom.
pub(super) enum Side {
    Called(Box<Connection>),
    Calls(Box<Caller>),
}

impl Side {
    fn handle(&mut self, datagram: &[u8]) {
        match self {
            Side::Called(connection) => connection.handle(datagram, clock::micros()),
            Side::Calls(caller) => caller.handle(datagram, clock::micros()),
        }
    }

    fn poll(&mut self) -> Option<Output> {
        match self {
            Side::Called(connection) => connection.poll(),
            Side::Calls(caller) => caller.poll(),
        }
    }

    fn deadline(&self) -> Micros {
        match self {
            Side::Called(connection) => connection.deadline(),
            Side::Calls(caller) => caller.deadline(),
        }
    }

    fn close(&mut self) {
        match self {
            Side::Called(connection) => connection.close(clock::micros()),
            Side::Calls(caller) => caller.close(clock::micros()),
        }
    }

    fn statistics(&self) -> Statistics {
        match self {
            Side::Called(connection) => connection.statistics(),
            Side::Calls(caller) => caller.statistics(),
        }
    }
}

/// Where a connection's datagrams come from.
pub(super) enum Inbox {
    /// The socket of all that call.
    Routed(mpsc::Receiver<Bytes>),
    /// Its own socket, into this buffer.
    Own(Box<[u8; DATAGRAM_LEN_MAX + 1]>),
}

impl Inbox {
    pub(super) fn own() -> Inbox {
        Inbox::Own(Box::new([0; DATAGRAM_LEN_MAX + 1]))
    }
}

/// A connection, and the socket it sends through.
pub(super) struct Link {
    side: Side,
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    inbox: Inbox,
    /// What was looked at already, and comes next all the same.
    held: Option<Bytes>,
}

/// What comes of a connection.
pub(super) enum Next {
    Media(Bytes),
    Ended(End),
}

impl Link {
    pub(super) fn new(side: Side, socket: Arc<UdpSocket>, peer: SocketAddr, inbox: Inbox) -> Link {
        Link { side, socket, peer, inbox, held: None }
    }

    /// This comes next.
    pub(super) fn put_back(&mut self, media: Bytes) {
        self.held = Some(media);
    }

    /// The encoder's next bytes, or the end. It may be dropped while it waits.
    pub(super) async fn next(&mut self) -> Next {
        if let Some(media) = self.held.take() {
            return Next::Media(media);
        }
        loop {
            while let Some(output) = self.side.poll() {
                match output {
                    // What the socket does not take is lost, as on the way.
                    Output::Send(bytes) => drop(self.socket.try_send_to(&bytes, self.peer)),
                    Output::Media(media) => return Next::Media(media),
                    Output::Ended(end) => return Next::Ended(end),
                }
            }
            let wait = Duration::from_micros(self.side.deadline().since(clock::micros()));
            tokio::select! {
                biased;
                () = datagram(&mut self.inbox, &self.socket, self.peer, &mut self.side) => {}
                () = tokio::time::sleep(wait) => self.side.handle(&[]),
            }
        }
    }

    /// Takes a feed to its end, and says how it ended.
    pub(super) async fn publish(mut self, mut feed: Feed, stop: &CancellationToken) -> String {
        let (ended, metrics) = (feed.ended(), feed.link_metrics());
        let mut told = Statistics::default();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let (end, reason) = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.side.close();
                    break (programme::End::Lost, "the origin is stopping".to_string());
                }
                () = ended.cancelled() => {
                    self.side.close();
                    let text = "the feed was taken over by a newer connection with the same stream key";
                    break (programme::End::Lost, text.to_string());
                }
                _ = tick.tick() => {
                    metrics.link(&self.side.statistics(), &mut told);
                    continue;
                }
                next = self.next() => next,
            };
            match next {
                Next::Media(media) => {
                    if let Err(error) = feed.bytes(&media) {
                        self.side.close();
                        break (programme::End::Lost, error.to_string());
                    }
                }
                Next::Ended(End::Peer) => match feed.whole() {
                    Ok(()) => break (programme::End::InOrder, End::Peer.to_string()),
                    Err(error) => break (programme::End::Lost, error.to_string()),
                },
                Next::Ended(end) => break (programme::End::Lost, end.to_string()),
            }
        };
        while let Some(output) = self.side.poll() {
            match output {
                Output::Send(bytes) => drop(self.socket.try_send_to(&bytes, self.peer)),
                // What was acknowledged is not lost by an end from this side.
                Output::Media(media) => drop(feed.bytes(&media)),
                Output::Ended(_) => {}
            }
        }
        metrics.link(&self.side.statistics(), &mut told);
        feed.end(end, &reason);
        reason
    }

    /// Gives up whatever this is.
    pub(super) fn close(mut self) {
        self.side.close();
        while let Some(output) = self.side.poll() {
            if let Output::Send(bytes) = output {
                let _ = self.socket.try_send_to(&bytes, self.peer);
            }
        }
    }
}

/// Waits for a datagram, and hands it over.
async fn datagram(inbox: &mut Inbox, socket: &UdpSocket, peer: SocketAddr, side: &mut Side) {
    match inbox {
        Inbox::Routed(datagrams) => match datagrams.recv().await {
            Some(datagram) => side.handle(&datagram),
            // The socket's task is gone: the origin stops.
            None => std::future::pending().await,
        },
        Inbox::Own(buffer) => match socket.recv_from(&mut buffer[..]).await {
            Ok((len, from)) if from == peer => side.handle(buffer.get(..len).unwrap_or_default()),
            // Others' datagrams, and the system's word that nobody is there: the connection's own time tells that.
            Ok(_) | Err(_) => {
                side.handle(&[]);
                tokio::task::yield_now().await;
            }
        },
    }
}
