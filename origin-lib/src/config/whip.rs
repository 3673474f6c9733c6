//! `[whip]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::read::{Reader, Table};
use super::tables::{Unique, address, listen, listen_as};

/// The most addresses that are announced.
const ADDRESSES_MAX: usize = 8;

/// `[whip]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whip {
    /// Where it listens for HTTP, over TLS where there is a certificate.
    pub listen: SocketAddr,
    /// The files of the certificate chain and of its key, in PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where media comes in, by UDP.
    pub udp: SocketAddr,
    /// Where encoders send it, as they are told; port 0 stands for the one of `udp`.
    pub addresses: Vec<SocketAddr>,
    /// How many sessions there may be at once.
    pub sessions_max: usize,
}

pub(super) fn listener(reader: &Reader<'_>, table: Table<'_, '_>, listeners: &mut Unique) -> Option<Whip> {
    if !table.is_there() {
        table.end();
        return None;
    }
    let http = listen(reader, &table, "127.0.0.1:8083", listeners);
    let udp = listen_as(reader, &table, "udp_listen", "127.0.0.1:8189", listeners);
    let certificate = table.text("certificate");
    let key = table.text("key");
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((reader.path(&certificate.value), reader.path(&key.value))),
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            reader.problem(&one.key, one.span, "certificate and key go together: set both, or neither");
            None
        }
    };
    let told = table.texts("addresses", ADDRESSES_MAX);
    let told: Vec<_> = told.into_iter().filter_map(|text| table.parsed(text, announced)).collect();
    let addresses = match udp {
        Some(udp) if told.is_empty() && udp.ip().is_unspecified() => {
            table.problem("addresses is missing: the addresses at which encoders reach udp_listen, such as [\"203.0.113.7\"]");
            Vec::new()
        }
        Some(udp) if told.is_empty() => vec![udp],
        _ => told.into_iter().map(|at| at.value).collect(),
    };
    let sessions_max = table.number("sessions_max", 64, 1..=1024, "sessions").value;
    table.end();
    Some(Whip {
        listen: http?,
        certificate,
        udp: udp?,
        addresses,
        sessions_max: usize::try_from(sessions_max).unwrap_or(1),
    })
}

/// An address with a port or without.
fn announced(text: &str) -> Result<SocketAddr, &'static str> {
    const WANTED: &str = "must be an IP address that encoders reach, with a port where it is another one than that of udp_listen: \
        \"203.0.113.7\", \"203.0.113.7:8189\" or \"[2001:db8::1]:8189\"";
    let addr = match text.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) => address(text).map_err(|_| WANTED)?,
    };
    if addr.ip().is_unspecified() || addr.ip().is_multicast() { Err(WANTED) } else { Ok(addr) }
}
