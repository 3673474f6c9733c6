//! PES packets and the times in them (ISO/IEC 13818-1, 2.4.3.6 and 2.4.3.7).

use bytes::{Buf, Bytes, BytesMut};

use crate::time::wrap::{self, Unwrap};

/// The longest PES packet, and the longest access unit, that is put together.
pub const PES_LEN_MAX: usize = 8 << 20;

/// The longest one of sound, whose length is always said (2.4.3.7), with the rest of its last packet.
pub(super) const SOUND_LEN_MAX: usize = HEAD_LEN + 0xffff + 184;

/// What a PES packet begins with, up to its length.
const HEAD_LEN: usize = 6;

/// What a PES packet carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pes {
    /// When what begins in it is shown and decoded, in 1/90000 s modulo 2^33, where it says so.
    pub(super) times: Option<Times>,
    pub(super) data: Bytes,
}

/// In 1/90000 s modulo 2^33.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) pts: u64,
    /// The same where only the first is said.
    pub(super) dts: u64,
}

/// Puts the PES packets of one PID together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    waiting: BytesMut,
    open: bool,
}

impl Assembly {
    /// What comes does not go on with what is there. Whether something was.
    pub(super) fn drop_open(&mut self) -> bool {
        self.waiting.clear();
        core::mem::take(&mut self.open)
    }

    /// Nothing more belongs to what is there: a PES packet that does not say how long it is, is whole.
    pub(super) fn end(&mut self) -> Result<Option<Pes>, &'static str> {
        let whole = if self.open { self.take_unbounded() } else { Ok(None) };
        self.drop_open();
        whole
    }

    /// A PES packet begins. What there is of the one before.
    pub(super) fn start(&mut self) -> Result<Option<Pes>, &'static str> {
        let before = self.end();
        self.open = true;
        before
    }

    /// Takes what a packet carries. Gives the PES packet that is whole by that, which has at most so many bytes.
    pub(super) fn handle(&mut self, payload: &[u8], len_max: usize) -> Result<Option<Pes>, &'static str> {
        if !self.open {
            return Ok(None);
        }
        if self.waiting.len() + payload.len() > len_max {
            self.drop_open();
            return Err("a PES packet of more than 8 MiB, or of sound of more than 64 KiB");
        }
        self.waiting.extend_from_slice(payload);
        match self.len() {
            Some(len) if len > HEAD_LEN && self.waiting.len() >= len => {
                self.waiting.truncate(len);
                self.open = false;
                read(self.waiting.split().freeze()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Its length, [`HEAD_LEN`] where it does not say.
    fn len(&self) -> Option<usize> {
        let &[_, _, _, _, high, low] = self.waiting.first_chunk::<HEAD_LEN>()?;
        Some(HEAD_LEN + usize::from(u16::from_be_bytes([high, low])))
    }

    fn take_unbounded(&mut self) -> Result<Option<Pes>, &'static str> {
        match self.len() {
            Some(HEAD_LEN) => read(self.waiting.split().freeze()).map(Some),
            _ => Err("a PES packet that is shorter than it says"),
        }
    }
}

/// Whether an access unit begins in a PES packet of video, by its first bytes: it says when.
pub(super) fn begins_something(head: &[u8]) -> bool {
    const HAS_TIMES: u8 = 0x80;
    head.get(7).is_some_and(|what| what & HAS_TIMES != 0)
}

fn read(mut bytes: Bytes) -> Result<Pes, &'static str> {
    const SHORT: &str = "a PES packet that is cut off";
    let (&[0, 0, 1, _, _, _, flags, what, len], _) = bytes.split_first_chunk::<9>().ok_or(SHORT)? else {
        return Err("a PES packet without its start code");
    };
    if flags & 0xc0 != 0x80 {
        return Err("a PES packet of a kind that carries neither video nor audio");
    }
    if flags & 0x30 != 0 {
        return Err("a PES packet that is scrambled");
    }
    let stamps = bytes.get(9..9 + usize::from(len)).ok_or(SHORT)?;
    let time =
        |at: usize| stamps.get(at..at + 5).and_then(stamp).ok_or("a PES packet whose times make no sense");
    let times = match what >> 6 {
        2 => Some(time(0)?).map(|pts| Times { pts, dts: pts }),
        3 => Some(Times { pts: time(0)?, dts: time(5)? }),
        _ => None,
    };
    bytes.advance(9 + usize::from(len));
    Ok(Pes { times, data: bytes })
}

/// 33 bits, with a marker after each piece.
fn stamp(bytes: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e] = bytes.first_chunk::<5>()?;
    let markers = a & c & e & 1 != 0;
    let [a, b, c, d, e] = [a, b, c, d, e].map(u64::from);
    markers.then_some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// Of times of 33 bits, which wrap after 26.5 hours.
pub(super) type Clock = Unwrap<33>;

/// Distance of two times modulo 2^33: the shorter way.
pub(super) fn distance(from: u64, to: u64) -> i64 {
    wrap::distance::<33>(from, to)
}
