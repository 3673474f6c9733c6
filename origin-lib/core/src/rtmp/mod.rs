//! RTMP 1.0 (Adobe, 2012) with what Enhanced RTMP v2 (Veovera) adds to connections, sans-IO: handshake, chunk streams, AMF0, and
//! the publish sequence of both sides.
//!
//! [`Server`] takes one publisher's connection, [`Client`] is one. Both are driven in one shape: bytes and the time go
//! into `handle`, then `poll` until it returns `None`. `deadline` says when to call `handle(&[], now)` even if nothing
//! arrives.
//!
//! ```
//! use railbird_core::rtmp::{Output, Server};
//! use railbird_core::time::UtcMs;
//!
//! # fn read_from_socket() -> Vec<u8> { b"GET / HTTP/1.1\r\n".to_vec() }
//! # fn write_to_socket(_: &[u8]) {}
//! let mut server = Server::new([7; 32]); // random bytes
//! server.handle(&[], UtcMs(1000)); // connected: the handshake's time begins
//! let mut open = true;
//! while open {
//!     // Waits for bytes at most until `server.deadline()`.
//!     let bytes = read_from_socket();
//!     server.handle(&bytes, UtcMs(1010));
//!     while let Some(output) = server.poll() {
//!         match output {
//!             Output::Send(bytes) => write_to_socket(&bytes),
//!             Output::Publish { app, key } if app == "live" && key.is("secret") => server.accept(),
//!             Output::Publish { .. } => server.refuse("wrong stream key: ask the operator for the right one"),
//!             Output::Media { kind, timestamp_ms, payload } => drop((kind, timestamp_ms, payload)),
//!             Output::Unpublish => {}
//!             Output::Close { reason } => {
//!                 assert!(reason.to_string().contains("HTTP"));
//!                 open = false;
//!             }
//!         }
//!     }
//! }
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;

pub mod amf0;
mod amf3;
mod chunk;
mod client;
mod command;
mod enhanced;
mod handshake;
mod server;
#[cfg(test)]
mod tests;
mod url;

pub use client::{Client, ClientOutput, SendError};
pub use server::{Output, Server};
pub use url::{URL_LEN_MAX, Url, UrlError};

/// The longest message, in bytes: an access unit and its tag header.
pub const MESSAGE_LEN_MAX: usize = 8 * 1024 * 1024;

/// The longest message before a feed is published, in bytes.
pub const COMMAND_LEN_MAX: usize = 64 * 1024;

/// What the unfinished messages of a connection may need together, in bytes.
pub const OPEN_LEN_MAX: usize = 16 * 1024 * 1024;

/// How much media may arrive before the driver answered a [`Output::Publish`], in bytes.
pub const HELD_LEN_MAX: usize = 1024 * 1024;

/// How many chunk streams a connection may use. Encoders use about five.
pub const CHUNK_STREAMS_MAX: usize = 64;

/// The longest app name or stream key, in bytes.
pub const NAME_LEN_MAX: usize = 512;

/// How long a handshake may take, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;

/// How long a publisher may take from handshake to publish, in milliseconds. A client waits as long for each answer.
pub const SETUP_MS_MAX: u64 = 15_000;

/// How long a feed may send nothing, in milliseconds.
pub const IDLE_MS_MAX: u64 = 30_000;

/// How much of a text from the peer is passed on, in characters.
const TEXT_LEN_MAX: usize = 400;

/// Why a connection ends. The texts go into logs and to the operator; they hold no stream key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer speaks another protocol.
    #[error("the peer speaks {0}, not RTMP: a feed goes to rtmp://HOST:PORT/APP/KEY")]
    NotRtmp(&'static str),
    /// The peer breaks the protocol.
    #[error("the peer's RTMP is broken ({0}): check the encoder and what lies between")]
    Broken(&'static str),
    /// The peer goes beyond a bound.
    #[error("the peer sent too much: {0}")]
    TooMuch(&'static str),
    /// The peer took too long.
    #[error("the peer took too long: {0}")]
    Late(&'static str),
    /// A side said no, with this reason.
    #[error("refused: {0}")]
    Refused(String),
    /// A side ended the feed in order.
    #[error("the feed ended")]
    Ended,
}

/// A stream key: a secret. It can be compared and sent, but `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct StreamKey(String);

impl StreamKey {
    /// The key in clear: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is the expected key, in a time that does not depend on where they differ.
    pub fn is(&self, expected: &str) -> bool {
        self.0.as_bytes().ct_eq(expected.as_bytes()).into()
    }
}

/// The shortest key, or part of one, that is looked for in texts: a shorter one would take ordinary words out.
const KEY_LEN_MIN: usize = 4;

impl StreamKey {
    /// A text from outside without the key: neither the whole of it, nor what stands before or in its query.
    fn taken_out_of(&self, text: &str) -> String {
        let (name, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let parts = [self.0.as_str(), name, query].into_iter().chain(values);
        // The longest first: each is a part of one before it.
        let mut parts: Vec<&str> = parts.filter(|part| part.len() >= KEY_LEN_MIN).collect();
        parts.sort_by_key(|part| core::cmp::Reverse(part.len()));
        parts.iter().fold(String::from(text), |text, part| text.replace(part, "[removed]"))
    }
}

impl From<&str> for StreamKey {
    fn from(key: &str) -> StreamKey {
        StreamKey(key.into())
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// A text from the peer, short and on one line, for logs and errors.
fn shown(text: &str) -> String {
    text.chars().take(TEXT_LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
