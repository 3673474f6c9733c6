//! From a host's name to an open stream: look up, connect, shake hands.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http::uri::{Authority, Scheme};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::super::{PutError, Trace};
use super::{Wire, short, tls};

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// What a lookup found; `None`: it is still under way.
pub(super) type Found = Option<Result<Vec<IpAddr>, String>>;

/// Lookups under way. The system's resolver can't be interrupted and holds a thread for as long as it likes: there is one
/// lookup of a name at a time, however many requests wait for it or gave up.
#[derive(Debug, Default)]
pub(super) struct Lookup(pub(super) Arc<Mutex<BTreeMap<String, watch::Receiver<Found>>>>);

impl Lookup {
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let mut found = self.under_way(host);
        let ended = found.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        ended.unwrap_or_else(|| Err("the lookup was given up".into()))
    }

    pub(super) fn under_way(&self, host: &str) -> watch::Receiver<Found> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = flights.get(host) {
            return found.clone();
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(host.into(), receiver.clone());
        let (flights, host) = (self.0.clone(), host.to_string());
        tokio::spawn(async move {
            let found = match lookup_host((host.as_str(), 0)).await {
                Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
                Err(error) => Err(short(&error.to_string())),
            };
            flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
            sender.send_replace(Some(found));
        });
        receiver
    }
}

/// An open stream.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) async fn connect(
        &self,
        (scheme, authority): &(Scheme, Authority),
        trace: &mut Trace,
    ) -> Result<Stream, PutError> {
        let secure = *scheme == Scheme::HTTPS;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = self.look_up(host, trace).await?;
        let stream = self.reach(&addresses, port, trace).await?;
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        if !secure {
            return Ok(Stream::Plain(stream));
        }
        let stream = self.shake_hands(host, stream, trace).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn look_up(&self, host: &str, trace: &mut Trace) -> Result<Vec<IpAddr>, PutError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let (place, key, began) = (&self.whom.place, self.whom.address_key, Instant::now());
        let deadline = self.deadlines.dns;
        let text = match timeout(deadline, self.lookup.addresses(host)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => {
                trace.dns = Some(began.elapsed());
                return Ok(alternate(&addresses));
            }
            Ok(Ok(_)) => format!("dns: the name {host:?} of {place} has no address: check {key}"),
            Ok(Err(words)) => {
                format!("dns: the name {host:?} of {place} can't be resolved ({words}): check {key}")
            }
            Err(_) => format!(
                "dns: the name {host:?} of {place} was not resolved within {} ms (dns_ms)",
                deadline.as_millis()
            ),
        };
        Err(PutError::Unreachable(text))
    }

    /// Tries one address after the other, each with its share of the time that is left.
    async fn reach(&self, addresses: &[IpAddr], port: u16, trace: &mut Trace) -> Result<TcpStream, PutError> {
        let (place, key, began) = (&self.whom.place, self.whom.address_key, Instant::now());
        let deadline = self.deadlines.connect;
        let mut failed: Option<io::Error> = None;
        for (address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
            let address = SocketAddr::new(*address, port);
            trace.peer = Some(address);
            let share = deadline.saturating_sub(began.elapsed()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    trace.connect = Some(began.elapsed());
                    return Ok(stream);
                }
                Ok(Err(error)) => failed = Some(error),
                Err(_) => {}
            }
        }
        Err(PutError::Unreachable(match failed {
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                format!(
                    "connect: {place} refuses connections: is it running, and is the port in {key} right?"
                )
            }
            Some(error) => format!("connect: {place} can't be reached: {}", short(&error.to_string())),
            None => format!(
                "connect: {place} did not accept a connection within {} ms (connect_ms): is {key} right?",
                deadline.as_millis()
            ),
        }))
    }

    async fn shake_hands(
        &self,
        host: &str,
        stream: TcpStream,
        trace: &mut Trace,
    ) -> Result<TlsStream<TcpStream>, PutError> {
        let (place, key, began) = (&self.whom.place, self.whom.address_key, Instant::now());
        let (Some(connector), Ok(name)) = (&self.tls, host.to_string().try_into()) else {
            let text = format!("tls: the host {host:?} of {place} can't be in a certificate: check {key}");
            return Err(PutError::Misconfigured(text));
        };
        let deadline = self.deadlines.tls;
        match timeout(deadline, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => {
                trace.tls = Some(began.elapsed());
                Ok(stream)
            }
            Ok(Err(error)) => Err(tls::refused(&error, &self.whom)),
            Err(_) => Err(PutError::Unreachable(format!(
                "tls: {place} did not finish the handshake within {} ms (tls_ms)",
                deadline.as_millis()
            ))),
        }
    }
}

/// The first few, of either family in turn: where one family is broken, the other gets its share.
fn alternate(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let in_turn = std::iter::from_fn(|| Some([first.next(), second.next()]));
    in_turn.take(addresses.len().min(ADDRESSES_MAX)).flatten().flatten().take(ADDRESSES_MAX).collect()
}
