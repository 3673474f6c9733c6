//! `[srt]`, and `[channel.feed.call]` for encoders that are called.

use std::net::SocketAddr;

use railbird_core::srt::{KeyBits, LATENCY_MS_MAX, PASSPHRASE_LEN, STREAM_ID_LEN_MAX};

use super::Secret;
use super::read::{Reader, Table};
use super::tables::{Unique, listen};

/// How long packets are held, where nobody says: what encoders have, too.
const LATENCY_MS: i64 = 120;

const ADDRESS_LEN_MAX: usize = 256;

/// `[srt]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srt {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How long packets are held for those that are missing, or longer where an encoder wants it, in milliseconds.
    pub latency_ms: u16,
    /// What encoders must have, if anything.
    pub passphrase: Option<Secret>,
}

/// `[channel.feed.call]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtCall {
    /// The encoder's host and port.
    pub address: String,
    /// What it is told of us; it may be empty.
    pub stream_id: String,
    /// What it encrypts with, if it does.
    pub passphrase: Option<Secret>,
    /// How long the keys are.
    pub key_bits: KeyBits,
    /// As in [`Srt`].
    pub latency_ms: u16,
}

pub(super) fn listener(reader: &Reader<'_>, table: Table<'_, '_>, listeners: &mut Unique) -> Option<Srt> {
    if !table.is_there() {
        table.end();
        return None;
    }
    let listen = listen(reader, &table, "127.0.0.1:8890", listeners);
    let (latency_ms, passphrase) = (latency_ms(&table), passphrase(reader, &table));
    table.end();
    Some(Srt { listen: listen?, latency_ms, passphrase })
}

pub(super) fn call(reader: &Reader<'_>, table: Table<'_, '_>) -> Option<SrtCall> {
    if !table.is_there() {
        table.end();
        return None;
    }
    let address = table
        .text_needed("address", "the encoder's host and port, such as \"encoder.venue.example:9000\"")
        .and_then(|text| table.parsed(text, address));
    let stream_id = match table.text("stream_id") {
        Some(text) => table.parsed(text, stream_id)?.value,
        None => String::new(),
    };
    let passphrase = passphrase(reader, &table);
    let key_bits = match table.number("key_bits", 128, 128..=256, "bits") {
        at if at.value == 128 => KeyBits::B128,
        at if at.value == 192 => KeyBits::B192,
        at if at.value == 256 => KeyBits::B256,
        at => {
            reader.problem(&at.key, at.span, "must be 128, 192 or 256");
            return None;
        }
    };
    let latency_ms = latency_ms(&table);
    table.end();
    Some(SrtCall { address: address?.value, stream_id, passphrase, key_bits, latency_ms })
}

fn latency_ms(table: &Table<'_, '_>) -> u16 {
    let latency = table.number("latency_ms", LATENCY_MS, 20..=i64::from(LATENCY_MS_MAX), "milliseconds");
    u16::try_from(latency.value).unwrap_or(LATENCY_MS_MAX)
}

fn passphrase(reader: &Reader<'_>, table: &Table<'_, '_>) -> Option<Secret> {
    let at = table.secret("passphrase", *PASSPHRASE_LEN.start())?;
    let (len, most) = (at.value.expose().len(), *PASSPHRASE_LEN.end());
    if len > most {
        reader.problem(&at.key, at.span, format!("its secret has {len} bytes, and SRT takes at most {most}"));
        return None;
    }
    Some(at.value)
}

fn address(text: &str) -> Result<String, &'static str> {
    const WANTED: &str =
        "must be a host and a port, such as \"encoder.venue.example:9000\" or \"[2001:db8::1]:9000\"";
    let (host, port) = text.rsplit_once(':').ok_or(WANTED)?;
    let port: u16 = port.parse().map_err(|_| WANTED)?;
    let fits =
        !host.is_empty() && text.len() <= ADDRESS_LEN_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    let bare = !text.contains('/') && (host.starts_with('[') || !host.contains(':'));
    if fits && bare && port > 0 { Ok(text.into()) } else { Err(WANTED) }
}

fn stream_id(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= STREAM_ID_LEN_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.into()) } else { Err("must be one line of at most 512 bytes") }
}
