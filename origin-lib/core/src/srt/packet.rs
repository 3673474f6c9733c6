//! What a datagram holds (draft-sharabayko-srt-01, 3).

use alloc::vec::Vec;

use bytes::Bytes;

use super::seq::Seq;

/// What every packet begins with.
pub(super) const HEADER_LEN: usize = 16;

/// The longest datagram that is read: what Ethernet carries. Encoders send 1,344 bytes.
pub const DATAGRAM_LEN_MAX: usize = 1500;

/// So many runs of lost packets are named in one report at most.
pub(super) const RUNS_MAX: usize = 128;

const CONTROL: u32 = 1 << 31;

const HANDSHAKE: u16 = 0;
const KEEP_ALIVE: u16 = 1;
const ACK: u16 = 2;
const NAK: u16 = 3;
const SHUTDOWN: u16 = 5;
const ACK_ACK: u16 = 6;
const DROP_REQUEST: u16 = 7;
const USER_DEFINED: u16 = 0x7fff;

/// Subtypes of what is user-defined: those of the handshake's extensions.
const KEY_REQUEST: u16 = 3;
const KEY_RESPONSE: u16 = 4;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Data(Data<'a>),
    Control(Control<'a>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Data<'a> {
    pub(super) seq: Seq,
    /// Which key it is encrypted with.
    pub(super) key: Option<Which>,
    pub(super) again: bool,
    /// The sender's clock, in microseconds.
    pub(super) timestamp: u32,
    /// The socket that it is for.
    pub(super) to: u32,
    pub(super) payload: &'a [u8],
}

/// One of a connection's two keys: one is in use while the next one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Even,
    Odd,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Control<'a> {
    pub(super) timestamp: u32,
    pub(super) to: u32,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Handshake(&'a [u8]),
    /// Our acknowledgement of this number came.
    AckAck(u32),
    Shutdown,
    /// These packets will not come any more.
    DropRequest {
        first: Seq,
        last: Seq,
    },
    /// Another key.
    Key(&'a [u8]),
    /// It only shows that the peer is there.
    Other,
}

impl<'a> Packet<'a> {
    /// `None` for what is no packet.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Packet<'a>> {
        if datagram.len() > DATAGRAM_LEN_MAX {
            return None;
        }
        let (header, content) = datagram.split_first_chunk::<HEADER_LEN>()?;
        let [first, second, timestamp, to] = words(header);
        if first & CONTROL == 0 {
            let key = match second >> 27 & 3 {
                0 => None,
                1 => Some(Which::Even),
                2 => Some(Which::Odd),
                _ => return None,
            };
            let again = second & 1 << 26 != 0;
            return Some(Packet::Data(Data {
                seq: Seq::new(first),
                key,
                again,
                timestamp,
                to,
                payload: content,
            }));
        }
        let (kind, subtype) = ((first >> 16) as u16 & 0x7fff, first as u16);
        let kind = match (kind, subtype) {
            (HANDSHAKE, _) => Kind::Handshake(content),
            (SHUTDOWN, _) => Kind::Shutdown,
            (ACK_ACK, _) => Kind::AckAck(second),
            (DROP_REQUEST, _) => {
                let (&[a, b, c, d, e, f, g, h], _) = content.split_first_chunk::<8>()?;
                let [first, last] = [[a, b, c, d], [e, f, g, h]].map(|seq| Seq::new(u32::from_be_bytes(seq)));
                Kind::DropRequest { first, last }
            }
            (USER_DEFINED, KEY_REQUEST) => Kind::Key(content),
            _ => Kind::Other,
        };
        Some(Packet::Control(Control { timestamp, to, kind }))
    }
}

fn words(header: &[u8; HEADER_LEN]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(header.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

/// The socket that a datagram is for, 0 for none yet. `None` where it is no packet.
pub fn addressee(datagram: &[u8]) -> Option<u32> {
    let (header, _) = datagram.split_first_chunk::<HEADER_LEN>()?;
    let [_, _, _, to] = words(header);
    Some(to)
}

/// What is written into each packet's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Our clock, in microseconds.
    pub(super) timestamp: u32,
    pub(super) to: u32,
}

/// What a full acknowledgement tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    pub(super) rtt_us: u32,
    pub(super) rtt_variance_us: u32,
    pub(super) free_packets: u32,
    pub(super) packets_per_s: u32,
    pub(super) capacity_packets_per_s: u32,
    pub(super) bytes_per_s: u32,
}

impl Header {
    fn control(self, kind: u16, subtype: u16, info: u32, content: &[u8]) -> Bytes {
        let mut bytes = Vec::with_capacity(HEADER_LEN + content.len());
        let first = CONTROL | u32::from(kind) << 16 | u32::from(subtype);
        for word in [first, info, self.timestamp, self.to] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(content);
        bytes.into()
    }

    pub(super) fn handshake(self, content: &[u8]) -> Bytes {
        self.control(HANDSHAKE, 0, 0, content)
    }

    pub(super) fn keep_alive(self) -> Bytes {
        self.control(KEEP_ALIVE, 0, 0, &[])
    }

    pub(super) fn shutdown(self) -> Bytes {
        self.control(SHUTDOWN, 0, 0, &[])
    }

    pub(super) fn key_response(self, content: &[u8]) -> Bytes {
        self.control(USER_DEFINED, KEY_RESPONSE, 0, content)
    }

    /// All before `next` came, and nothing else is told.
    pub(super) fn light_ack(self, next: Seq) -> Bytes {
        self.control(ACK, 0, 0, &next.get().to_be_bytes())
    }

    pub(super) fn ack(self, number: u32, next: Seq, report: &Report) -> Bytes {
        let words = [
            next.get(),
            report.rtt_us,
            report.rtt_variance_us,
            report.free_packets,
            report.packets_per_s,
            report.capacity_packets_per_s,
            report.bytes_per_s,
        ];
        self.control(ACK, 0, number, words.map(u32::to_be_bytes).as_flattened())
    }

    /// These packets are missing, by first and last ones. Those above [`RUNS_MAX`] are for a later report.
    pub(super) fn nak(self, runs: &[(Seq, Seq)]) -> Bytes {
        let mut words = Vec::with_capacity(runs.len() * 2);
        for (first, last) in runs.iter().take(RUNS_MAX) {
            if first == last {
                words.push(first.get().to_be_bytes());
            } else {
                words.push((first.get() | CONTROL).to_be_bytes());
                words.push(last.get().to_be_bytes());
            }
        }
        self.control(NAK, 0, 0, words.as_flattened())
    }
}
