//! Where packets begin, and what their headers say (ISO/IEC 13818-1, 2.4.3.2 to 2.4.3.5).

use bytes::{Buf, BytesMut};

/// Length of a packet.
pub const PACKET_LEN: usize = 188;

/// What every packet begins with.
const SYNC_BYTE: u8 = 0x47;

/// So many bytes at a packet's distance from each other must be sync bytes before packets are taken there.
const SYNCS: usize = 4;

/// Packets that have something added to them, by length and name.
const ADDED_TO: [(usize, &str); 2] = [
    (192, "an MPEG transport stream in packets of 192 bytes (M2TS, with time codes)"),
    (204, "an MPEG transport stream in packets of 204 bytes (with Reed-Solomon codes)"),
];

/// Where a packet may be looked for must not be further from its bytes than this: the sync bytes of the longest packets.
const SEARCH_LEN: usize = 204 * (SYNCS - 1) + 1;

/// So many bytes without a packet in them, at the start, are no transport stream.
pub const NOISE_LEN_MAX: usize = 64 << 10;

/// What comes out of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A packet, sync byte included.
    Packet([u8; PACKET_LEN]),
    /// So many bytes were in no packet: what comes next may not go on with what came before.
    Lost(usize),
    /// The stream can't be read: it is this.
    Foreign(&'static str),
}

/// Cuts bytes into packets. A packet is given once what follows it shows that it is whole: another sync byte, or the end.
///
/// What waits is less than [`SEARCH_LEN`] bytes, and whatever is handed in at once.
#[derive(Debug, Default)]
pub(super) struct Packets {
    waiting: BytesMut,
    /// A packet begins where the bytes that wait begin.
    in_sync: bool,
    /// Packets were found at least once.
    begun: bool,
    /// Bytes in no packet, not told yet.
    lost: usize,
    /// Bytes in no packet from the start.
    noise: usize,
    ended: bool,
}

impl Packets {
    pub(super) fn handle(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Whether there was any.
    pub(super) fn have_begun(&self) -> bool {
        self.begun
    }

    /// No more bytes come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn poll(&mut self) -> Option<Piece> {
        loop {
            if !self.in_sync && !self.search() {
                let told =
                    (self.ended && self.lost > 0).then(|| Piece::Lost(core::mem::take(&mut self.lost)));
                return self.foreign().or(told);
            }
            if self.lost > 0 {
                return Some(Piece::Lost(core::mem::take(&mut self.lost)));
            }
            let packet = *self.waiting.first_chunk::<PACKET_LEN>()?;
            match self.waiting.get(PACKET_LEN) {
                Some(&SYNC_BYTE) => {}
                None if self.ended => {}
                None => return None,
                Some(_) => {
                    // Bytes are missing in this packet, or too many, or the next one's sync byte is damaged.
                    self.in_sync = false;
                    self.skip(1);
                    continue;
                }
            }
            self.waiting.advance(PACKET_LEN);
            return Some(Piece::Packet(packet));
        }
    }

    /// Looks for where packets begin. `false` where more bytes are needed to tell.
    fn search(&mut self) -> bool {
        loop {
            let Some(at) = self.waiting.iter().position(|byte| *byte == SYNC_BYTE) else {
                self.skip(self.waiting.len());
                return false;
            };
            self.skip(at);
            if self.waiting.len() < SEARCH_LEN && !self.ended {
                return false;
            }
            if self.syncs_every(PACKET_LEN) {
                (self.in_sync, self.begun) = (true, true);
                return true;
            }
            if !self.begun
                && ADDED_TO.iter().any(|(len, _)| self.waiting.len() > *len && self.syncs_every(*len))
            {
                return false;
            }
            self.skip(1);
        }
    }

    /// At the end of the bytes, as many sync bytes as there is room for.
    fn syncs_every(&self, len: usize) -> bool {
        self.waiting.len() >= PACKET_LEN
            && (0..SYNCS).filter_map(|n| self.waiting.get(n * len)).all(|byte| *byte == SYNC_BYTE)
    }

    fn skip(&mut self, len: usize) {
        self.waiting.advance(len);
        self.lost += len;
        if !self.begun {
            self.noise += len;
        }
    }

    /// What the bytes are, where they are no stream of packets without anything added.
    fn foreign(&self) -> Option<Piece> {
        if self.begun {
            return None;
        }
        let whole = self.waiting.len() >= SEARCH_LEN && self.waiting.first() == Some(&SYNC_BYTE);
        let added_to = ADDED_TO.iter().find(|(len, _)| whole && self.syncs_every(*len));
        let noise = self.noise > NOISE_LEN_MAX || self.ended;
        added_to.map(|(_, name)| *name).or(noise.then_some("no MPEG transport stream")).map(Piece::Foreign)
    }
}

/// A packet's header, and what it carries.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// Whose it is.
    pub(super) pid: u16,
    /// A section or a PES packet begins in it.
    pub(super) starts: bool,
    /// Counts the packets of a PID that carry something, modulo 16.
    pub(super) counter: u8,
    /// The counter, and the clock, do not go on from the packet before (2.4.3.5).
    pub(super) discontinuity: bool,
    pub(super) scrambled: bool,
    /// `None` where it carries an adaptation field only.
    pub(super) payload: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// `None` where it says of itself that it is damaged, or makes no sense.
    pub(super) fn read(bytes: &'a [u8; PACKET_LEN]) -> Option<Packet<'a>> {
        const DAMAGED: u8 = 0x80;
        const DISCONTINUITY: u8 = 0x80;
        let (&[_, high, low, control], mut rest) = bytes.split_first_chunk::<4>()?;
        if high & DAMAGED != 0 {
            return None;
        }
        let mut discontinuity = false;
        if control & 0x20 != 0 {
            let (&len, field) = rest.split_first()?;
            let (field, after) = field.split_at_checked(usize::from(len))?;
            discontinuity = field.first().is_some_and(|flags| flags & DISCONTINUITY != 0);
            rest = after;
        }
        Some(Packet {
            pid: u16::from_be_bytes([high & 0x1f, low]),
            starts: high & 0x40 != 0,
            counter: control & 0x0f,
            discontinuity,
            scrambled: control & 0xc0 != 0,
            payload: (control & 0x10 != 0).then_some(rest),
        })
    }
}

/// What a packet is to the packets of its PID before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// It goes on.
    On,
    /// Packets are missing before it.
    Gap,
    /// It was sent already.
    Twice,
}

/// Follows the continuity counter of one PID (2.4.3.3).
#[derive(Debug, Default)]
pub(super) struct Continuity {
    last: Option<u8>,
    /// What the last packet carried: a second one with its number is the same again, or another one.
    carried: BytesMut,
    twice: bool,
}

impl Continuity {
    pub(super) fn next(&mut self, packet: &Packet<'_>) -> Follows {
        let Some(payload) = packet.payload else {
            if packet.discontinuity {
                self.last = None;
            }
            return Follows::On;
        };
        let follows = match self.last {
            None => Follows::On,
            Some(last) if packet.counter == last && !self.twice && self.carried == payload => Follows::Twice,
            Some(_) if packet.discontinuity => Follows::On,
            Some(last) if packet.counter == (last + 1) & 0x0f => Follows::On,
            Some(_) => Follows::Gap,
        };
        self.twice = follows == Follows::Twice;
        self.last = Some(packet.counter);
        self.carried.clear();
        self.carried.extend_from_slice(payload);
        follows
    }
}
