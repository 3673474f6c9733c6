//! Sections, and what the two tables say that lead to the streams: PAT and PMT (ISO/IEC 13818-1, 2.4.4).

use alloc::vec::Vec;

use bytes::{Buf, BytesMut};

use super::streams::{self, Carried};
use crate::sound::Language;

/// The longest section of these tables, header included (2.4.4.4 and 2.4.4.9).
pub const SECTION_LEN_MAX: usize = 1024;

/// So many programmes of a stream are looked at.
pub const PROGRAMMES_MAX: usize = 64;

/// So many streams of a programme are looked at.
pub const STREAMS_MAX: usize = 64;

/// What a section begins with, up to its length.
const HEAD_LEN: usize = 3;

/// What lies before a table's own content: number, version, and which section it is of how many.
const TABLE_HEAD_LEN: usize = 8;

const CRC_LEN: usize = 4;

/// Puts the sections of one PID together.
#[derive(Debug, Default)]
pub(super) struct Sections {
    waiting: BytesMut,
    /// A section has begun whose beginning is there.
    open: bool,
}

impl Sections {
    /// What comes does not go on with what is there.
    pub(super) fn drop_open(&mut self) {
        self.open = false;
        self.waiting.clear();
    }

    /// Takes what a packet carries; `starts` says that a section begins in it. Gives each section that is whole. `false` where one
    /// was damaged.
    pub(super) fn handle(&mut self, payload: &[u8], starts: bool, mut each: impl FnMut(&[u8])) -> bool {
        let mut rest = payload;
        let mut whole = true;
        if starts {
            let Some((tail, after)) =
                rest.split_first().and_then(|(pointer, after)| after.split_at_checked(usize::from(*pointer)))
            else {
                self.drop_open();
                return false;
            };
            if self.open {
                self.waiting.extend_from_slice(tail);
                whole &= self.sections(&mut each) && self.waiting.is_empty();
            }
            self.drop_open();
            (self.open, rest) = (true, after);
        }
        if self.open {
            self.waiting.extend_from_slice(rest);
            whole &= self.sections(&mut each);
        }
        whole
    }

    fn sections(&mut self, each: &mut impl FnMut(&[u8])) -> bool {
        const STUFFING: u8 = 0xff;
        while let Some(&[first, high, low]) = self.waiting.first_chunk::<HEAD_LEN>() {
            if first == STUFFING {
                break;
            }
            let len = HEAD_LEN + usize::from(u16::from_be_bytes([high & 0x0f, low]));
            if len > SECTION_LEN_MAX {
                self.drop_open();
                return false;
            }
            let Some(section) = self.waiting.get(..len) else { return true };
            let good = crc(section) == 0;
            if good {
                each(section);
            }
            self.waiting.advance(len);
            if !good {
                self.drop_open();
                return false;
            }
        }
        // What follows is stuffing up to the next beginning.
        if self.waiting.first() == Some(&STUFFING) {
            self.drop_open();
        }
        true
    }
}

/// The CRC of annex A: zero over a section that ends with its own.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc & 0x8000_0000 != 0 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

/// What tells whether a table has changed: its version should, and one that is made anew begins with the same, as behind a relay whose source
/// is another one now; its CRC then differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    number: u8,
    crc: [u8; CRC_LEN],
}

impl Version {
    /// Whether both are of one table in several sections, each of which has a CRC of its own.
    pub(super) fn is_of(self, other: Version) -> bool {
        self.number == other.number
    }
}

/// A table that is in force: its number, its version, and its own content.
#[derive(Debug)]
pub(super) struct Table<'a> {
    /// `transport_stream_id` or `program_number`.
    pub(super) number: u16,
    pub(super) version: Version,
    pub(super) section: u8,
    content: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table of this `table_id` in a section; `None` where it is another one, or not in force yet.
    pub(super) fn read(section: &'a [u8], table_id: u8) -> Option<Table<'a>> {
        let (&[id, syntax, _, number_high, number_low, version, this, _], rest) =
            section.split_first_chunk::<TABLE_HEAD_LEN>()?;
        let in_force = version & 1 != 0;
        if id != table_id || syntax & 0x80 == 0 || !in_force {
            return None;
        }
        let (content, crc) = rest.split_last_chunk::<CRC_LEN>()?;
        Some(Table {
            number: u16::from_be_bytes([number_high, number_low]),
            version: Version { number: version >> 1 & 0x1f, crc: *crc },
            section: this,
            content,
        })
    }

    /// The programmes of a PAT: their numbers, and the PIDs of their PMTs.
    pub(super) fn programmes(&self) -> impl Iterator<Item = (u16, u16)> {
        const NETWORK: u16 = 0;
        self.content
            .chunks_exact(4)
            .filter_map(|entry| entry.first_chunk::<4>())
            .map(|&[n1, n0, p1, p0]| (u16::from_be_bytes([n1, n0]), u16::from_be_bytes([p1 & 0x1f, p0])))
            .filter(|(number, _)| *number != NETWORK)
    }

    /// The streams of a PMT, in its order; `None` where its lengths do not add up.
    pub(super) fn streams(&self) -> Option<Vec<Stream>> {
        let (&[_, _, high, low], rest) = self.content.split_first_chunk::<4>()?;
        let (programme, mut rest) = rest.split_at_checked(length([high, low]))?;
        let mut streams = Vec::new();
        while streams.len() < STREAMS_MAX
            && let Some((&[kind, p1, p0, high, low], after)) = rest.split_first_chunk::<5>()
        {
            let (about, after) = after.split_at_checked(length([high, low]))?;
            let pid = u16::from_be_bytes([p1 & 0x1f, p0]);
            let (carried, language) = (streams::carried(kind, about, programme), streams::language(about));
            streams.push(Stream { pid, carried, language });
            rest = after;
        }
        Some(streams)
    }
}

/// A stream that a PMT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) pid: u16,
    pub(super) carried: Carried,
    /// What its descriptor says.
    pub(super) language: Option<Language>,
}

fn length(bytes: [u8; 2]) -> usize {
    usize::from(u16::from_be_bytes(bytes) & 0x0fff)
}
