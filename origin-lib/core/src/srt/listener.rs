//! The listener's side of a handshake (draft-sharabayko-srt-01, 4.3.1).

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::connection::{Agreed, Connection};
use super::handshake::{CONCLUSION, Handshake, Hello, INDUCTION, MAGIC};
use super::key::{Keys, Passphrase, Wrong};
use super::packet::{Control, Header, Kind, Packet};
use super::seq::Seq;
use super::stream_id::Unfit;
use super::{LATENCY_MS_MAX, Micros};

/// A cookie is good in the minute in which it was made, and in the next one.
const COOKIE_US: u64 = 60_000_000;

/// Answers callers, and remembers none: a caller that was answered sends back what only it can know.
#[derive(Debug)]
pub struct Listener {
    latency_ms: u16,
    passphrase: Option<Passphrase>,
    secret: [u8; 32],
}

/// What a datagram for no socket is answered with.
#[derive(Debug)]
pub enum Answer {
    /// Nothing: it is no handshake, or that of a stranger who claims another address.
    Nothing,
    /// This datagram.
    Send(Bytes),
    /// This datagram, which refuses the caller.
    Refused(Bytes, Refusal),
    /// Whoever knows the caller's stream id says.
    Call(Box<Call>),
}

/// Why a caller is refused. Callers see its code only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A handshake of an older version.
    #[error("the encoder speaks SRT before 1.3: update it")]
    Version,
    /// A handshake that makes no sense.
    #[error("the encoder's handshake makes no sense")]
    Malformed,
    /// It sends bytes, not packets with times.
    #[error("the encoder sends in file mode: set live mode (transtype=live, no message API turned off)")]
    FileMode,
    /// It adds forward error correction or the like.
    #[error("the encoder uses a packet filter, which is not taken: leave packetfilter empty")]
    Filter,
    /// It is one link of several.
    #[error(
        "the encoder bonds several links, which is not taken: set a single one, and the backup feed for another"
    )]
    Group,
    /// It has no passphrase, and we have.
    #[error("the encoder sends without a passphrase: set the one of [srt]")]
    Unencrypted,
    /// It has a passphrase, and we have none.
    #[error("the encoder has a passphrase, and [srt] has none: set the same on both sides")]
    Encrypted,
    /// It has another passphrase.
    #[error("the encoder's passphrase is not the one of [srt]: set the same on both sides")]
    Passphrase,
    /// A handshake that was let in before.
    #[error("this handshake was let in before: another connection has another key")]
    Again,
    /// Its keys are of a kind that is not spoken here.
    #[error(
        "the encoder's encryption is not AES in counter mode: set AES-128, AES-192 or AES-256 (cryptomode=1)"
    )]
    Cipher,
    /// Its stream id opens nothing.
    #[error(transparent)]
    StreamId(#[from] Unfit),
    /// No feed has its stream key.
    #[error("unknown stream key")]
    UnknownKey,
    /// There is no room for another feed.
    #[error("no more feeds are taken")]
    Full,
}

/// Codes from here on are an application's own; those of HTTP are added to it.
const APPLICATION: u32 = 2000;

impl Refusal {
    fn code(&self) -> u32 {
        match self {
            Refusal::Malformed => 1004,
            Refusal::Version => 1008,
            Refusal::Passphrase | Refusal::Again => 1010,
            Refusal::Unencrypted | Refusal::Encrypted => 1011,
            Refusal::FileMode => 1012,
            Refusal::Filter => 1014,
            Refusal::Group => 1015,
            Refusal::Cipher => 1017,
            Refusal::StreamId(Unfit::NoKey | Unfit::Form) => APPLICATION + 400,
            Refusal::StreamId(Unfit::Receives) => APPLICATION + 405,
            Refusal::StreamId(Unfit::NoStream) => APPLICATION + 415,
            Refusal::UnknownKey => APPLICATION + 401,
            Refusal::Full => APPLICATION + 402,
        }
    }
}

/// What a code that refuses us says.
pub(super) fn meaning(code: u32) -> &'static str {
    match code {
        1002 | 2401 | 2403 => "it does not let us in: compare stream_id with what it expects",
        1010 => "the passphrase is another one: set the same on both sides",
        1011 => "one side has a passphrase and the other one none: set the same on both sides",
        1005 | 2402 => "it has as many receivers as it takes",
        1012 | 1013 => "it is not in live mode",
        2400 | 2404 => "it does not know this stream_id",
        2405 => "it does not send: it wants to be sent to",
        _ => "look into its log",
    }
}

impl Listener {
    /// One that holds packets for `latency_ms` or as long as a sender wants, up to [`LATENCY_MS_MAX`]. With a passphrase, callers
    /// need it. `secret` is random.
    pub fn new(latency_ms: u16, passphrase: Option<Passphrase>, secret: [u8; 32]) -> Listener {
        Listener { latency_ms, passphrase, secret }
    }

    /// What a datagram for no socket gets.
    pub fn answer(&self, datagram: &[u8], from: SocketAddr, now: Micros) -> Answer {
        let Some(Packet::Control(Control { timestamp, to: 0, kind: Kind::Handshake(content) })) =
            Packet::read(datagram)
        else {
            return Answer::Nothing;
        };
        let Some(handshake) = Handshake::read(content) else { return Answer::Nothing };
        match handshake.kind {
            INDUCTION => Answer::Send(self.induction(&handshake, from, now)),
            CONCLUSION => self.conclusion(handshake, timestamp, from, now),
            _ => Answer::Nothing,
        }
    }

    /// It is as long as what it answers, so that nobody is hit harder through us.
    fn induction(&self, asked: &Handshake, from: SocketAddr, now: Micros) -> Bytes {
        let mut answer = Handshake::new(INDUCTION, asked.socket, Seq::new(asked.first), from);
        (answer.field, answer.cookie) = (MAGIC, self.cookie(from, now.0 / COOKIE_US));
        Header { timestamp: 0, to: asked.socket }.handshake(&answer.write())
    }

    fn cookie(&self, from: SocketAddr, period: u64) -> u32 {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return 0 };
        match from.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&from.port().to_be_bytes());
        mac.update(&period.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.first_chunk::<4>().map_or(0, |first| u32::from_be_bytes(*first))
    }

    fn conclusion(&self, handshake: Handshake, timestamp: u32, from: SocketAddr, now: Micros) -> Answer {
        let period = now.0 / COOKIE_US;
        let known = [Some(period), period.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|period| self.cookie(from, period) == handshake.cookie);
        if !known {
            return Answer::Nothing;
        }
        let passphrase = self.passphrase.clone();
        let call = Call { handshake, timestamp, from, latency_ms: self.latency_ms, passphrase };
        match call.hello() {
            Ok(_) => Answer::Call(Box::new(call)),
            Err(refusal) => Answer::Refused(call.refuse(&refusal), refusal),
        }
    }
}

/// A caller that is where it says it is.
#[derive(Debug)]
pub struct Call {
    handshake: Handshake,
    timestamp: u32,
    from: SocketAddr,
    latency_ms: u16,
    passphrase: Option<Passphrase>,
}

/// That a caller has our passphrase, where there is one.
#[derive(Debug)]
pub struct Unlocked(pub(super) Option<Keys>);

impl Call {
    /// What it says of itself: [`stream_key`](super::stream_key) reads it.
    pub fn stream_id(&self) -> &[u8] {
        self.handshake.extensions.stream_id.as_deref().unwrap_or_default()
    }

    /// Its key, wrapped: callers make a new one for each connection.
    pub fn key(&self) -> Option<&[u8]> {
        self.handshake.extensions.key.as_deref()
    }

    /// The caller's socket: it says the same whenever it repeats its handshake.
    pub fn socket(&self) -> u32 {
        self.handshake.socket
    }

    fn hello(&self) -> Result<Hello, Refusal> {
        let extensions = &self.handshake.extensions;
        if self.handshake.version != 5 {
            return Err(Refusal::Version);
        }
        let hello = extensions.hello.filter(|hello| !hello.response).ok_or(Refusal::Malformed)?;
        if hello.is_stream() || extensions.not_live || !hello.is_timed() {
            return Err(Refusal::FileMode);
        }
        if extensions.filter {
            return Err(Refusal::Filter);
        }
        if extensions.group {
            return Err(Refusal::Group);
        }
        Ok(hello)
    }

    /// Whether it has our passphrase. It costs a millisecond of CPU: ask after all that is cheap.
    pub fn unlock(&self) -> Result<Unlocked, Refusal> {
        match (&self.passphrase, &self.handshake.extensions.key) {
            (None, None) => Ok(Unlocked(None)),
            (Some(_), None) => Err(Refusal::Unencrypted),
            (None, Some(_)) => Err(Refusal::Encrypted),
            (Some(passphrase), Some(message)) => {
                let keys = Keys::open(passphrase.clone(), message).map_err(|wrong| match wrong {
                    Wrong::Passphrase => Refusal::Passphrase,
                    Wrong::Message => Refusal::Cipher,
                })?;
                Ok(Unlocked(Some(keys)))
            }
        }
    }

    /// Takes it, as the socket `id` of ours, which is not 0 and no other connection's.
    pub fn accept(self, unlocked: Unlocked, id: u32, now: Micros) -> Connection {
        let asked = &self.handshake;
        let (receiver_ms, sender_ms) =
            asked.extensions.hello.map_or((0, 0), |hello| (hello.receiver_ms, hello.sender_ms));
        let latency_ms = self.latency_ms.max(sender_ms).min(LATENCY_MS_MAX);
        let first = Seq::new(asked.first);
        let mut answer = Handshake::new(CONCLUSION, id, first, self.from);
        (answer.cookie, answer.encryption) = (asked.cookie, asked.encryption);
        answer.extensions.hello = Some(Hello::new(true, latency_ms, latency_ms.max(receiver_ms)));
        answer.extensions.key = asked.extensions.key.clone().filter(|_| unlocked.0.is_some());
        let response = Header { timestamp: 0, to: asked.socket }.handshake(&answer.write());
        let Unlocked(keys) = unlocked;
        let agreed = Agreed { to: asked.socket, first, timestamp: self.timestamp, latency_ms, keys };
        Connection::new(agreed, Some(response), now)
    }

    /// What tells the caller that it is refused.
    pub fn refuse(&self, refusal: &Refusal) -> Bytes {
        let mut answer =
            Handshake::new(refusal.code(), self.handshake.socket, Seq::new(self.handshake.first), self.from);
        answer.cookie = self.handshake.cookie;
        Header { timestamp: 0, to: self.handshake.socket }.handshake(&answer.write())
    }
}
