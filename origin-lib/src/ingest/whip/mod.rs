//! WHIP publishers (RFC 9725): browsers, phones, OBS. HTTP agrees on a session ([`routes`]); its media comes by one UDP socket for
//! all ([`desk`]); each session has a task ([`session`]) around the sans-IO `str0m` and [`railbird_core::rtp`].
//!
//! ICE is lite (RFC 8445, 2.5): the addresses that are announced must reach us, and whoever publishes finds the way. So nothing is to
//! be known of the candidates of encoders.

mod answer;
mod desk;
mod page;
mod places;
mod routes;
mod session;
mod table;
mod tracks;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use railbird_core::id::ChannelId;
use socket2::SockRef;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Door;
use super::certificate::Certificate;
use crate::config::{Channel, Whip};
use crate::http_server;
use table::Table;

/// What the system is asked to hold for us, in bytes; it may give less.
const SOCKET_LEN: usize = 4 << 20;

/// Takes WHIP publishers until told to stop.
#[derive(Debug)]
pub struct WhipListener {
    /// Where it listens for HTTP.
    pub addr: SocketAddr,
    /// Where media comes.
    pub udp: SocketAddr,
    stop: CancellationToken,
    close: watch::Sender<bool>,
    tasks: TaskTracker,
    http: JoinHandle<()>,
}

/// What all requests and sessions share.
#[derive(Clone)]
struct Around {
    door: Door,
    table: Table,
    socket: Arc<UdpSocket>,
    /// Where encoders send their media.
    addresses: Arc<[SocketAddr]>,
    channels: Arc<[ChannelId]>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Around {
    /// Sends a datagram. What the socket does not take is lost, as on the way.
    fn send(&self, bytes: &[u8], to: SocketAddr) {
        let both = self.socket.local_addr().is_ok_and(|own| own.is_ipv6());
        let to = match to.ip() {
            IpAddr::V4(ip) if both => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        let _ = self.socket.try_send_to(bytes, to);
    }
}

impl WhipListener {
    /// Listens for those whom `door` lets in to one of these channels.
    pub async fn start(settings: &Whip, channels: &[Channel], door: Door) -> anyhow::Result<WhipListener> {
        let (listen, udp) = (settings.listen, settings.udp);
        let certificate = match &settings.certificate {
            Some((certificate, key)) => Some(Certificate::read("whip", certificate, key)?),
            None => None,
        };
        let socket =
            UdpSocket::bind(udp).await.with_context(|| format!("whip.udp_listen: can't listen at {udp}"))?;
        // Where the system gives less, a burst is lost, and asked for again.
        let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_LEN);
        let udp = socket.local_addr()?;
        let port = udp.port();
        let announced = |addr: &SocketAddr| {
            let addr = *addr;
            if addr.port() == 0 { SocketAddr::new(addr.ip(), port) } else { addr }
        };
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("whip.listen: can't listen at {listen}"))?;
        let addr = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let around = Around {
            door,
            table: Table::new(settings.sessions_max),
            socket: Arc::new(socket),
            addresses: settings.addresses.iter().map(announced).collect(),
            channels: channels.iter().map(|channel| channel.id.clone()).collect(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(desk::run(around.clone()));
        let (close, closed) = watch::channel(false);
        let service = routes::service(around);
        let http = tokio::spawn(http_server::serve_over(listener, certificate, service, closed));
        Ok(WhipListener { addr, udp, stop, close, tasks, http })
    }

    /// Ends every feed, and stops listening.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        self.close.send_replace(true);
        self.tasks.close();
        self.tasks.wait().await;
        // It can only end well.
        let _ = (&mut self.http).await;
    }
}
