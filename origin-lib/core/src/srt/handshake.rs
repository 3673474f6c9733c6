//! What a handshake says (draft-sharabayko-srt-01, 3.2.1).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::seq::Seq;

/// The longest stream id that the protocol allows.
pub const STREAM_ID_LEN_MAX: usize = 512;

/// What a listener answers first shows that it speaks version 5.
pub(super) const MAGIC: u16 = 0x4a17;

pub(super) const INDUCTION: u32 = 1;
pub(super) const CONCLUSION: u32 = u32::MAX;
/// A type from this on is a refusal.
pub(super) const REFUSALS: u32 = 1000;
pub(super) const REFUSALS_END: u32 = 4000;

/// Which extensions follow.
const WITH_HELLO: u16 = 1;
const WITH_KEY: u16 = 2;
const WITH_CONFIG: u16 = 4;

const HELLO_REQUEST: u16 = 1;
const HELLO_RESPONSE: u16 = 2;
const KEY_REQUEST: u16 = 3;
const KEY_RESPONSE: u16 = 4;
const STREAM_ID: u16 = 5;
const CONGESTION: u16 = 6;
const FILTER: u16 = 7;
const GROUP: u16 = 8;

/// The protocol's version as libsrt counts it: 1.5.0.
const VERSION: u32 = 0x01_05_00;

/// Delivery at a time of both directions, knows what a key is, too late is dropped, losses are reported again and again, a packet
/// says whether it comes again.
const FLAGS: u32 = 0x3f;
/// Bytes without bounds, as files are sent.
const STREAM: u32 = 0x40;
/// The sender says when its packets were sent.
const TIMED: u32 = 0x01;

/// What the length of a packet, and how many of them are under way, are at most.
const MTU: u32 = 1500;

/// One side's handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Handshake {
    pub(super) version: u32,
    /// An eighth of a key's length in bytes, or nothing.
    pub(super) encryption: u16,
    /// [`MAGIC`] in a listener's first answer; which extensions there are, later.
    pub(super) field: u16,
    pub(super) first: u32,
    pub(super) mtu: u32,
    pub(super) window: u32,
    pub(super) kind: u32,
    pub(super) socket: u32,
    pub(super) cookie: u32,
    pub(super) peer: [u8; 16],
    pub(super) extensions: Extensions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) hello: Option<Hello>,
    /// A message of keys, or why there is none.
    pub(super) key: Option<Vec<u8>>,
    pub(super) stream_id: Option<Vec<u8>>,
    /// What is named is not there: `live` or nothing is.
    pub(super) not_live: bool,
    pub(super) filter: bool,
    pub(super) group: bool,
}

/// What a side is able to, and wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) response: bool,
    version: u32,
    flags: u32,
    /// How long its receiver holds packets.
    pub(super) receiver_ms: u16,
    /// How long it wants the other one to.
    pub(super) sender_ms: u16,
}

impl Hello {
    pub(super) fn new(response: bool, receiver_ms: u16, sender_ms: u16) -> Hello {
        Hello { response, version: VERSION, flags: FLAGS, receiver_ms, sender_ms }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.flags & STREAM != 0
    }

    pub(super) fn is_timed(&self) -> bool {
        self.flags & TIMED != 0
    }

    fn read(content: &[u8], response: bool) -> Option<Hello> {
        let &[v0, v1, v2, v3, f0, f1, f2, f3, r0, r1, s0, s1] = content.first_chunk::<12>()?;
        Some(Hello {
            response,
            version: u32::from_be_bytes([v0, v1, v2, v3]),
            flags: u32::from_be_bytes([f0, f1, f2, f3]),
            receiver_ms: u16::from_be_bytes([r0, r1]),
            sender_ms: u16::from_be_bytes([s0, s1]),
        })
    }

    fn write(&self) -> Vec<u8> {
        let delays = u32::from(self.receiver_ms) << 16 | u32::from(self.sender_ms);
        [self.version, self.flags, delays].map(u32::to_be_bytes).as_flattened().to_vec()
    }
}

impl Handshake {
    /// One of ours: what does not depend on which one.
    pub(super) fn new(kind: u32, socket: u32, first: Seq, peer: SocketAddr) -> Handshake {
        let (mtu, window) = (MTU, super::WINDOW as u32);
        let (version, first, peer) = (5, first.get(), address(peer));
        Handshake { version, first, mtu, window, kind, socket, peer, ..Handshake::default() }
    }

    /// `None` where it is cut off, or its lengths do not add up.
    pub(super) fn read(content: &[u8]) -> Option<Handshake> {
        let (head, mut rest) = content.split_first_chunk::<48>()?;
        let (words, _) = head.as_chunks::<4>();
        let word = |at: usize| words.get(at).map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let mut handshake = Handshake {
            version: word(0),
            encryption: (word(1) >> 16) as u16,
            field: word(1) as u16,
            first: word(2),
            mtu: word(3),
            window: word(4),
            kind: word(5),
            socket: word(6),
            cookie: word(7),
            ..Handshake::default()
        };
        handshake.peer.copy_from_slice(head.get(32..)?);
        if handshake.version != 5 || handshake.kind != CONCLUSION || handshake.field == MAGIC {
            return Some(handshake);
        }
        while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let len = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            let (content, after) = after.split_at_checked(len)?;
            handshake.extensions.read(u16::from_be_bytes([k0, k1]), content)?;
            rest = after;
        }
        Some(handshake)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let extensions = &self.extensions;
        let mut field = self.field;
        if self.kind == CONCLUSION {
            let bit = |there: bool, bit| if there { bit } else { 0 };
            field = bit(extensions.hello.is_some(), WITH_HELLO)
                | bit(extensions.key.is_some(), WITH_KEY)
                | bit(extensions.stream_id.is_some(), WITH_CONFIG);
        }
        let second = u32::from(self.encryption) << 16 | u32::from(field);
        let words =
            [self.version, second, self.first, self.mtu, self.window, self.kind, self.socket, self.cookie];
        let mut bytes = words.map(u32::to_be_bytes).as_flattened().to_vec();
        bytes.extend_from_slice(&self.peer);
        let mut extension = |kind: u16, content: &[u8]| {
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&(content.len().div_ceil(4) as u16).to_be_bytes());
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        };
        let response = extensions.hello.is_some_and(|hello| hello.response);
        if let Some(hello) = &extensions.hello {
            extension(if response { HELLO_RESPONSE } else { HELLO_REQUEST }, &hello.write());
        }
        if let Some(key) = &extensions.key {
            extension(if response { KEY_RESPONSE } else { KEY_REQUEST }, key);
        }
        if let Some(id) = &extensions.stream_id {
            extension(STREAM_ID, &in_words(id));
        }
        bytes
    }
}

impl Extensions {
    /// `None` where it makes no sense. One that is unknown is left out.
    fn read(&mut self, kind: u16, content: &[u8]) -> Option<()> {
        match kind {
            HELLO_REQUEST | HELLO_RESPONSE => {
                self.hello = Some(Hello::read(content, kind == HELLO_RESPONSE)?);
            }
            KEY_REQUEST | KEY_RESPONSE => self.key = Some(content.to_vec()),
            STREAM_ID if content.len() > STREAM_ID_LEN_MAX => return None,
            STREAM_ID => self.stream_id = Some(unpadded(&in_words(content)).to_vec()),
            CONGESTION => self.not_live = unpadded(&in_words(content)) != b"live",
            FILTER => self.filter = true,
            GROUP => self.group = true,
            _ => {}
        }
        Some(())
    }
}

/// Texts are sent in words of four bytes, the last byte of each first, and filled up with zeros.
fn in_words(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    bytes
}

fn unpadded(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    text.get(..len).unwrap_or_default()
}

/// An address as the protocol has it: in words whose last byte comes first.
fn address(peer: SocketAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match peer.ip() {
        IpAddr::V4(ip) => bytes.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    bytes
}
