//! `splice_info_section` (ANSI/SCTE 35, 9.6).

use alloc::vec::Vec;

use super::{PLANNED_MAX, SECTION_LEN_MAX};
use crate::time::MediaSpan;
use crate::ts::crc;

/// What a section says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which way.
    pub what: What,
    /// When, on the 33-bit clock of the programme; `None`: at once.
    pub at: Option<u64>,
    /// `splice_event_id` or `segmentation_event_id`.
    pub event: Option<u32>,
    /// How long what begins is meant to last, in 1/90000 s.
    pub planned: Option<u64>,
}

/// Which way a splice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Out of the programme.
    Out,
    /// Back to it.
    In,
    /// Nothing comes of what was said of an event.
    Cancel,
    /// Neither, or more than one thing at once.
    Other,
}

/// Why a section is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is damaged.
    #[error("splice information that makes no sense")]
    Malformed,
    /// Nobody here can read it.
    #[error("splice information that is encrypted")]
    Encrypted,
    /// It says nothing of the programme: a heartbeat, or something private.
    #[error("splice information that says nothing")]
    Nothing,
}

/// Reads bits and bytes of a part of a section, never beyond it.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unusable> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Unusable::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn cut(&mut self, len: usize) -> Result<Bytes<'a>, Unusable> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Unusable::Malformed)?;
        self.0 = rest;
        Ok(Bytes(taken))
    }

    /// 33 bits, behind seven others.
    fn time(&mut self) -> Result<(u8, u64), Unusable> {
        let [first, a, b, c, d] = self.take()?;
        Ok((first, u64::from(first & 1) << 32 | u64::from(u32::from_be_bytes([a, b, c, d]))))
    }

    /// `splice_time` (9.8.1).
    fn splice_time(&mut self) -> Result<Option<u64>, Unusable> {
        let specified = self.0.first().ok_or(Unusable::Malformed)? & 0x80 != 0;
        if specified { self.time().map(|(_, time)| Some(time)) } else { self.take::<1>().map(|_| None) }
    }
}

impl Command {
    /// [`planned`](Self::planned), where that is a length that anybody means.
    pub(super) fn planned(&self) -> Option<MediaSpan> {
        let planned = self.planned.and_then(|ticks| i64::try_from(ticks).ok()).map(MediaSpan);
        planned.filter(|planned| *planned <= PLANNED_MAX)
    }

    /// Reads a section, whose end is that of its CRC.
    pub fn read(section: &[u8]) -> Result<Command, Unusable> {
        const TABLE: u8 = 0xfc;
        if section.len() > SECTION_LEN_MAX {
            return Err(Unusable::Malformed);
        }
        let mut bytes = Bytes(section);
        let [table, high, low, _version] = bytes.take()?;
        let len = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
        if table != TABLE || len != section.len() || crc(section) != 0 {
            return Err(Unusable::Malformed);
        }
        let (first, adjustment) = bytes.time()?;
        if first & 0x80 != 0 {
            return Err(Unusable::Encrypted);
        }
        let [_index, _tier, middle, low, kind] = bytes.take()?;
        // Older encoders do not know it: then the command is as long as it is.
        const UNKNOWN: usize = 0xfff;
        let len = usize::from(u16::from_be_bytes([middle & 0x0f, low]));
        let mut command = match len {
            UNKNOWN => Bytes(bytes.0),
            len => bytes.cut(len)?,
        };
        const INSERT: u8 = 0x05;
        const TIME_SIGNAL: u8 = 0x06;
        let read = match kind {
            INSERT => insert(&mut command)?,
            TIME_SIGNAL => {
                let at = command.splice_time()?;
                Command { what: What::Other, at, event: None, planned: None }
            }
            _ => return Err(Unusable::Nothing),
        };
        let read = if kind == TIME_SIGNAL {
            let mut rest = if len == UNKNOWN { command } else { bytes };
            let len = u16::from_be_bytes(rest.take()?);
            segmented(read, rest.cut(usize::from(len))?)
        } else {
            read
        };
        let adjusted = |at: u64| at.wrapping_add(adjustment) & 0x1_ffff_ffff;
        Ok(Command { at: read.at.map(adjusted), ..read })
    }
}

/// `splice_insert` (9.7.3).
fn insert(bytes: &mut Bytes<'_>) -> Result<Command, Unusable> {
    let event = Some(u32::from_be_bytes(bytes.take()?));
    let [cancelled] = bytes.take()?;
    if cancelled & 0x80 != 0 {
        return Ok(Command { what: What::Cancel, at: None, event, planned: None });
    }
    let [flags] = bytes.take()?;
    let (out, whole, lasts, at_once) =
        (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
    let mut at = None;
    if whole && !at_once {
        at = bytes.splice_time()?;
    } else if !whole {
        // By streams: they are spliced together, or nearly so.
        let [count] = bytes.take()?;
        for _ in 0..count {
            bytes.take::<1>()?;
            if !at_once {
                let of = bytes.splice_time()?;
                at = at.or(of);
            }
        }
    }
    let planned = if lasts { Some(bytes.time()?.1) } else { None };
    Ok(Command { what: if out { What::Out } else { What::In }, at, event, planned })
}

/// What the segmentation descriptors of a time signal make of it (10.3.3). Those that go the same way are one: its event is that of
/// the lowest type, a break's before that of what fills it, in whatever order they come, so that its end names the same. Where
/// they go different ways, or several events are cancelled, it is neither. One that is malformed is left out.
fn segmented(signal: Command, mut loops: Bytes<'_>) -> Command {
    const SEGMENTATION: u8 = 0x02;
    let mut found: Vec<(u8, Command)> = Vec::new();
    while let Ok([tag, len]) = loops.take()
        && let Ok(mut about) = loops.cut(usize::from(len))
    {
        if tag == SEGMENTATION
            && about.take().is_ok_and(|identifier: [u8; 4]| identifier == *b"CUEI")
            && let Ok(segment) = segmentation(&mut about)
        {
            found.push(segment);
        }
    }
    let alone = found.len() == 1;
    if !alone {
        found.retain(|(_, segment)| segment.what != What::Other);
    }
    let Some((_, first)) = found.iter().min_by_key(|(kind, segment)| (*kind, segment.event)) else {
        return signal;
    };
    let agree = found.iter().all(|(_, other)| other.what == first.what);
    match first.what {
        What::Cancel if alone => *first,
        What::Out | What::In | What::Other if agree => {
            let longest = || found.iter().filter_map(|(_, other)| other.planned).max();
            Command { at: signal.at, planned: first.planned.or_else(longest), ..*first }
        }
        _ => signal,
    }
}

/// One of them, and what it begins or ends.
fn segmentation(bytes: &mut Bytes<'_>) -> Result<(u8, Command), Unusable> {
    let event = Some(u32::from_be_bytes(bytes.take()?));
    let none = Command { what: What::Other, at: None, event, planned: None };
    let [cancelled] = bytes.take()?;
    if cancelled & 0x80 != 0 {
        return Ok((0, Command { what: What::Cancel, ..none }));
    }
    let [flags] = bytes.take()?;
    if flags & 0x80 == 0 {
        let [count] = bytes.take()?;
        bytes.cut(usize::from(count) * 6)?;
    }
    let mut planned = None;
    if flags & 0x40 != 0 {
        let [a, b, c, d, e] = bytes.take()?;
        planned = Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
    }
    let [_, len] = bytes.take()?;
    bytes.cut(usize::from(len))?;
    let [kind] = bytes.take()?;
    // Breaks, advertisements, placement opportunities, blocks of advertisements (table 23): even numbers begin one.
    let what = match kind {
        0x22 | 0x30..=0x3f | 0x44..=0x47 if kind % 2 == 0 => What::Out,
        0x23 | 0x30..=0x3f | 0x44..=0x47 => What::In,
        _ => What::Other,
    };
    // A type that begins something and the one that ends it are alike.
    Ok((kind & !1, Command { what, planned: planned.filter(|_| what != What::In), ..none }))
}
