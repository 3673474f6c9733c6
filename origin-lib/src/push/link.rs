//! A connection to a destination, over TLS where its URL says so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use railbird_core::rtmp::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::session::Failure;

const DNS_DEADLINE: Duration = Duration::from_secs(3);
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
const TLS_DEADLINE: Duration = Duration::from_secs(5);

/// How many of a name's addresses are tried.
const ADDRESSES_MAX: usize = 4;

/// How much the system may take from us that the destination has not: the less, the sooner a dead one is seen. At 200 ms there
/// and back it carries 20 Mb/s.
const SEND_BUFFER: u32 = 512 << 10;

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// TLS can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the system's root certificates can't be used: {0}")]
pub struct RootsError(String);

/// What `rtmps://` is checked against: the system's root certificates.
pub fn roots() -> Result<Arc<rustls::ClientConfig>, RootsError> {
    let mut roots = rustls::RootCertStore::empty();
    // Where there are none, or some are broken, only rtmps:// fails, and says why.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    client(roots)
}

/// A client that trusts these roots.
pub(super) fn client(roots: rustls::RootCertStore) -> Result<Arc<rustls::ClientConfig>, RootsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| RootsError(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Connects, each step within its deadline.
pub(super) async fn open(url: &Url, tls: &Arc<rustls::ClientConfig>) -> Result<Box<dyn Stream>, Failure> {
    let host = (url.host.as_str(), url.port);
    let found = timeout(DNS_DEADLINE, lookup_host(host)).await;
    let found = found.map_err(|_| Failure::Late("its name did not resolve within 3 s"))?;
    let addresses: Vec<SocketAddr> = found.map_err(Failure::Name)?.take(ADDRESSES_MAX).collect();
    let stream = connect(&addresses).await?;
    // Media is written in whole messages: waiting for more only adds delay.
    let _ = stream.set_nodelay(true);
    if !url.tls {
        return Ok(Box::new(stream));
    }
    let name =
        ServerName::try_from(url.host.clone()).map_err(|error| Failure::Tls(io::Error::other(error)))?;
    let shaken = timeout(TLS_DEADLINE, TlsConnector::from(tls.clone()).connect(name, stream)).await;
    let shaken = shaken.map_err(|_| Failure::Late("TLS was not established within 5 s"))?;
    Ok(Box::new(shaken.map_err(Failure::Tls)?))
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut last = Failure::Late("its name has no address");
    for address in addresses {
        match timeout(CONNECT_DEADLINE, dial(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Failure::Connect(error),
            Err(_) => last = Failure::Late("no connection within 3 s"),
        }
    }
    Err(last)
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.connect(address).await
}
