//! The caller's side of a handshake (draft-sharabayko-srt-01, 4.3.1), for an encoder that listens.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::net::SocketAddr;

use bytes::Bytes;

use super::connection::{Agreed, Connection};
use super::handshake::{CONCLUSION, Handshake, Hello, INDUCTION, MAGIC, REFUSALS, REFUSALS_END};
use super::key::{KeyBits, Keys, Passphrase, Seed};
use super::packet::{Control, Header, Kind, Packet};
use super::seq::Seq;
use super::{End, LATENCY_MS_MAX, Micros, Output, Statistics};

/// How often a handshake is repeated, in milliseconds.
const REPEAT_MS: u64 = 250;

/// How long it may take altogether, in milliseconds.
const HANDSHAKE_MS_MAX: u64 = 3_000;

/// So many random bytes a caller needs.
pub const ENTROPY_LEN: usize = 8 + mem::size_of::<Seed>();

/// Who is called, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The encoder.
    pub to: SocketAddr,
    /// What it is told of us; nothing where it is empty.
    pub stream_id: String,
    /// With which its packets are encrypted, where they are.
    pub passphrase: Option<Passphrase>,
    /// How long the keys are that we make up.
    pub key_bits: KeyBits,
    /// How long packets are held, or longer where the encoder wants it, in milliseconds.
    pub latency_ms: u16,
}

/// Calls an encoder that listens, and takes what it sends.
#[derive(Debug)]
pub struct Caller {
    plan: Plan,
    id: u32,
    first: Seq,
    /// What we made up, and the message that tells the encoder.
    keys: Option<(Keys, Vec<u8>)>,
    begun: Micros,
    stage: Stage,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Stage {
    /// This is sent until it is answered.
    Asking {
        what: Bytes,
        at: Micros,
        concluding: bool,
    },
    Open(Box<Connection>),
    Ended,
}

impl Caller {
    /// Calls now. The entropy is used once.
    pub fn new(plan: Plan, entropy: &[u8; ENTROPY_LEN], now: Micros) -> Caller {
        let (&[a, b, c, d, e, f, g, h], seed) = split(entropy);
        let id = u32::from_be_bytes([a, b, c, d]) >> 2 | 1;
        let first = Seq::new(u32::from_be_bytes([e, f, g, h]));
        let made_up = |passphrase| Keys::made_up(passphrase, plan.key_bits, seed);
        let keys = plan.passphrase.clone().and_then(made_up);
        let mut asks = Handshake::new(INDUCTION, id, first, plan.to);
        // As a first packet has them, so that a listener of any version understands it.
        (asks.version, asks.field) = (4, 2);
        let what = Header { timestamp: 0, to: 0 }.handshake(&asks.write());
        let stage = Stage::Asking { what, at: now, concluding: false };
        let mut caller = Caller { plan, id, first, keys, begun: now, stage, outputs: VecDeque::new() };
        caller.time(now);
        caller
    }

    /// Takes a datagram of the encoder; an empty one only says what time it is.
    pub fn handle(&mut self, datagram: &[u8], now: Micros) {
        match &mut self.stage {
            Stage::Open(connection) => {
                // What is for another socket was for an earlier call.
                let ours = datagram.is_empty() || super::addressee(datagram) == Some(self.id);
                connection.handle(if ours { datagram } else { &[] }, now);
            }
            Stage::Asking { concluding, .. } => {
                let concluding = *concluding;
                if let Some(Packet::Control(Control { timestamp, to, kind: Kind::Handshake(content) })) =
                    Packet::read(datagram)
                    && to == self.id
                    && let Some(answer) = Handshake::read(content)
                {
                    self.answer(answer, timestamp, concluding, now);
                }
                self.time(now);
            }
            Stage::Ended => {}
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| match &mut self.stage {
            Stage::Open(connection) => connection.poll(),
            Stage::Asking { .. } | Stage::Ended => None,
        })
    }

    /// When to `handle(&[], now)` at the latest.
    pub fn deadline(&self) -> Micros {
        match &self.stage {
            Stage::Asking { at, .. } => (*at).min(self.begun.plus_ms(HANDSHAKE_MS_MAX)),
            Stage::Open(connection) => connection.deadline(),
            Stage::Ended => Micros(u64::MAX),
        }
    }

    /// How the link was so far; nothing of it before there is one.
    pub fn statistics(&self) -> Statistics {
        match &self.stage {
            Stage::Open(connection) => connection.statistics(),
            Stage::Asking { .. } | Stage::Ended => Statistics::default(),
        }
    }

    /// Ends the connection, or the call.
    pub fn close(&mut self, now: Micros) {
        match &mut self.stage {
            Stage::Open(connection) => connection.close(now),
            Stage::Asking { .. } => self.end(End::Ours),
            Stage::Ended => {}
        }
    }

    fn end(&mut self, end: End) {
        self.stage = Stage::Ended;
        self.outputs.push_back(Output::Ended(end));
    }

    fn time(&mut self, now: Micros) {
        let Stage::Asking { what, at, .. } = &mut self.stage else { return };
        if now >= self.begun.plus_ms(HANDSHAKE_MS_MAX) {
            return self.end(End::NoAnswer);
        }
        if *at <= now {
            self.outputs.push_back(Output::Send(what.clone()));
            *at = now.plus_ms(REPEAT_MS);
        }
    }

    fn answer(&mut self, answer: Handshake, timestamp: u32, concluding: bool, now: Micros) {
        match answer.kind {
            INDUCTION if concluding => {}
            INDUCTION if answer.version == 5 && answer.field == MAGIC => self.conclude(answer.cookie, now),
            CONCLUSION if concluding => match self.agreed(&answer, timestamp) {
                Ok(agreed) => self.stage = Stage::Open(Box::new(Connection::new(agreed, None, now))),
                Err(end) => self.end(end),
            },
            REFUSALS..REFUSALS_END => self.end(End::Refused(answer.kind)),
            _ => self.end(End::Foreign),
        }
    }

    fn conclude(&mut self, cookie: u32, now: Micros) {
        let mut asks = Handshake::new(CONCLUSION, self.id, self.first, self.plan.to);
        asks.cookie = cookie;
        let latency_ms = self.plan.latency_ms.min(LATENCY_MS_MAX);
        asks.extensions.hello = Some(Hello::new(false, latency_ms, 0));
        if let Some((_, message)) = &self.keys {
            asks.encryption = self.plan.key_bits.field();
            asks.extensions.key = Some(message.clone());
        }
        let id = self.plan.stream_id.as_bytes();
        asks.extensions.stream_id = (!id.is_empty()).then(|| id.to_vec());
        let timestamp = now.since(self.begun) as u32;
        let what = Header { timestamp, to: 0 }.handshake(&asks.write());
        self.stage = Stage::Asking { what, at: now, concluding: true };
    }

    /// What the encoder's answer means.
    fn agreed(&self, answer: &Handshake, timestamp: u32) -> Result<Agreed, End> {
        let hello = answer.extensions.hello.filter(|hello| hello.response && answer.version == 5);
        let hello = hello.filter(|hello| !hello.is_stream()).ok_or(End::Foreign)?;
        const NO_SECRET: u8 = 3;
        const WRONG_SECRET: u8 = 4;
        let keys = match (&self.keys, answer.extensions.key.as_deref()) {
            (None, None) => None,
            (Some((keys, sent)), Some(message)) if sent == message => Some(keys.clone()),
            (_, Some([0, 0, 0, WRONG_SECRET])) => return Err(End::Refused(1010)),
            (Some(_), None) | (_, Some([0, 0, 0, NO_SECRET])) => return Err(End::Refused(1011)),
            _ => return Err(End::Foreign),
        };
        let latency_ms = self.plan.latency_ms.max(hello.sender_ms).min(LATENCY_MS_MAX);
        Ok(Agreed { to: answer.socket, first: Seq::new(answer.first), timestamp, latency_ms, keys })
    }
}

fn split(entropy: &[u8; ENTROPY_LEN]) -> (&[u8; 8], &Seed) {
    const NONE: (&[u8; 8], &Seed) = (&[0; 8], &[0; mem::size_of::<Seed>()]);
    let split = entropy.split_first_chunk::<8>();
    split.and_then(|(ids, seed)| Some((ids, seed.first_chunk()?))).unwrap_or(NONE)
}
