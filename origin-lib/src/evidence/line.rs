//! The compact form of a request's trace in a line of evidence: microseconds, and only what is known.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::Trace;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Compact {
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn serialize<S: Serializer>(trace: &Option<Trace>, serializer: S) -> Result<S::Ok, S::Error> {
    let compact = trace.as_ref().map(|trace| Compact {
        peer: trace.peer,
        dns: trace.dns.map(us),
        connect: trace.connect.map(us),
        tls: trace.tls.map(us),
        first: trace.first_byte.map(us),
        total: us(trace.total),
        status: trace.status,
        id: trace.request_id.clone(),
    });
    compact.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Trace>, D::Error> {
    let compact = Option::<Compact>::deserialize(deserializer)?;
    Ok(compact.map(|compact| Trace {
        peer: compact.peer,
        dns: compact.dns.map(Duration::from_micros),
        connect: compact.connect.map(Duration::from_micros),
        tls: compact.tls.map(Duration::from_micros),
        first_byte: compact.first.map(Duration::from_micros),
        total: Duration::from_micros(compact.total),
        status: compact.status,
        request_id: compact.id,
    }))
}
