//! SRT (draft-sharabayko-srt-01) for live streams that come in, sans-IO: as a listener that encoders call, and as a caller of
//! encoders that listen.
//!
//! A [`Listener`] answers the datagrams that are for no socket yet; nothing is kept of a caller before it has shown that it gets
//! what is sent to it. Each [`Call`] that is accepted becomes a [`Connection`]; a [`Caller`] becomes one by itself. What is lost
//! is asked for again until its time has come: then it is left out, and the stream goes on without it.
//!
//! Both are driven in one shape: a datagram and the time go into `handle`, then `poll` until it returns `None`. `deadline`
//! says when to call `handle(&[], now)` even if nothing arrives.
//!
//! ```
//! use railbird_core::srt::{Answer, Listener, Micros, Output, addressee, stream_key};
//!
//! # fn read_from_socket() -> (Vec<u8>, std::net::SocketAddr) { (vec![0x80; 64], ([127, 0, 0, 1], 1).into()) }
//! # fn write_to_socket(_: &[u8], _: std::net::SocketAddr) {}
//! let listener = Listener::new(120, None, [7; 32]); // 120 ms, no passphrase, random bytes
//! let (datagram, from) = read_from_socket();
//! let now = Micros(1_000_000);
//! if addressee(&datagram) == Some(0) {
//!     match listener.answer(&datagram, from, now) {
//!         Answer::Nothing => {}
//!         Answer::Send(bytes) | Answer::Refused(bytes, _) => write_to_socket(&bytes, from),
//!         Answer::Call(call) => match call.unlock() {
//!             Err(refusal) => write_to_socket(&call.refuse(&refusal), from),
//!             Ok(unlocked) => {
//!                 assert_eq!(stream_key(call.stream_id()), Ok("secret"));
//!                 let mut connection = call.accept(unlocked, 1, now);
//!                 while let Some(output) = connection.poll() {
//!                     match output {
//!                         Output::Send(bytes) => write_to_socket(&bytes, from),
//!                         Output::Media(transport_stream) => drop(transport_stream),
//!                         Output::Ended(end) => println!("{end}"),
//!                     }
//!                 }
//!             }
//!         },
//!     }
//! }
//! ```

mod buffer;
mod caller;
mod connection;
mod guard;
mod handshake;
mod key;
mod listener;
mod measure;
mod packet;
mod seq;
mod stream_id;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use caller::{Caller, ENTROPY_LEN, Plan};
pub use connection::Connection;
pub use guard::Guard;
pub use handshake::STREAM_ID_LEN_MAX;
pub use key::{KeyBits, PASSPHRASE_LEN, Passphrase};
pub use listener::{Answer, Call, Listener, Refusal, Unlocked};
pub use packet::{DATAGRAM_LEN_MAX, addressee};
pub use stream_id::{Unfit, stream_key};

/// So many packets are held at most, and are under way: 12 MB, or a second of 80 Mb/s.
pub const WINDOW: usize = 8192;

/// A peer of which nothing at all is heard for so long is gone, in milliseconds.
pub const SILENCE_MS_MAX: u64 = 5_000;

/// How long an encoder may send nothing but signs of life, in milliseconds.
pub const WITHOUT_MEDIA_MS_MAX: u64 = 10_000;

/// The longest time that packets are held, in milliseconds, whatever a sender wants.
pub const LATENCY_MS_MAX: u16 = 8_000;

/// A time in microseconds, on any clock that only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

impl Micros {
    /// So many microseconds later.
    pub fn plus(self, us: u64) -> Micros {
        Micros(self.0.saturating_add(us))
    }

    /// So many milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Micros {
        self.plus(ms.saturating_mul(1000))
    }

    /// Microseconds since an earlier time, 0 where it is later.
    pub fn since(self, earlier: Micros) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    fn from_signed(us: i64) -> Micros {
        Micros(us.max(0).unsigned_abs())
    }
}

/// What a connection wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// This datagram goes to the peer.
    Send(Bytes),
    /// The next piece of the encoder's stream.
    Media(Bytes),
    /// It is over; nothing comes after this.
    Ended(End),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The encoder ended it.
    #[error("the encoder ended the feed")]
    Peer,
    /// We did.
    #[error("the origin ended the connection")]
    Ours,
    /// Nothing came any more.
    #[error("nothing came from the encoder for {} s", SILENCE_MS_MAX / 1000)]
    Silent,
    /// Only signs of life came.
    #[error("the encoder sent no media for {} s", WITHOUT_MEDIA_MS_MAX / 1000)]
    WithoutMedia,
    /// Whoever was called did not answer.
    #[error(
        "no answer: does the encoder listen at this address, and does a firewall let UDP through both ways?"
    )]
    NoAnswer,
    /// Whoever was called does not want us, for the reason that this code stands for.
    #[error("the encoder refuses the call: {}", listener::meaning(*.0))]
    Refused(u32),
    /// Whoever was called answered what can't be used.
    #[error("the encoder answers with something else than SRT 1.3 in live mode, or with another encryption")]
    Foreign,
}

/// How a link was so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Data packets that came, those that came again included.
    pub packets: u64,
    /// Bytes in them, without headers.
    pub bytes: u64,
    /// Packets that were missing when one behind them came.
    pub lost: u64,
    /// Packets that were sent again.
    pub again: u64,
    /// Packets that were not there at their time, and left out.
    pub dropped: u64,
    /// Packets that were there already, or came after their time.
    pub useless: u64,
    /// Packets and keys that the connection's key does not open, and packets that are not encrypted where they should be.
    pub unreadable: u64,
    /// How long there and back takes, in microseconds.
    pub rtt_us: u64,
    /// What the link could carry, by pairs of packets sent without a pause; 0 as long as it is not known.
    pub capacity_bits_per_s: u64,
    /// How long packets are held for those that are missing, in milliseconds: the longer one of what both sides want.
    pub latency_ms: u64,
}
