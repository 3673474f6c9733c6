//! H.264 in the byte stream format (ITU-T H.264, annex B): access units and parameter sets.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::pes::{PES_LEN_MAX, Pes, Times};
use super::{Error, Unit};
use crate::codec::{Picture, avc};
use crate::media::VideoConfig;

/// `nal_unit_type` (table 7-1).
const SLICES: core::ops::RangeInclusive<u8> = 1..=5;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
/// Delimiters, ends of sequence and stream, filling: the boxes of a segment do their work.
const EMPTY: core::ops::RangeInclusive<u8> = 9..=12;

/// So many picture parameter sets are kept.
const PPS_MAX: usize = 64;

/// Reads the PES packets of an H.264 stream.
///
/// A PES packet without a time goes on with the access unit before it, so that an access unit is whole when the next
/// one begins.
/// Two pictures of one PES packet are the two fields of a frame.
#[derive(Debug, Default)]
pub(super) struct Video {
    config: Option<VideoConfig>,
    begun: bool,
    sequence: BTreeMap<u8, Bytes>,
    pictures: BTreeMap<u8, Bytes>,
    open: Option<(Times, BytesMut)>,
}

/// What an access unit is.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The parameters, where they changed.
    pub(super) config: Option<VideoConfig>,
    /// `None` where it has no picture.
    pub(super) unit: Option<Unit>,
}

impl Video {
    /// Whether a picture has come.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// What comes does not go on with what is there. Whether something was.
    pub(super) fn drop_open(&mut self) -> bool {
        self.open.take().is_some()
    }

    /// Takes a PES packet. Gives the access unit before it.
    pub(super) fn handle(&mut self, pes: Pes) -> Result<Read, Error> {
        match (pes.times, &mut self.open) {
            (Some(times), _) => {
                let before = self.end();
                self.open = Some((times, pes.data.into()));
                before
            }
            (None, Some((_, open))) if open.len() + pes.data.len() <= PES_LEN_MAX => {
                open.extend_from_slice(&pes.data);
                Ok(Read::default())
            }
            (None, Some(_)) => {
                self.open = None;
                Err(Error::Skip("an access unit of more than 8 MiB"))
            }
            (None, None) => Err(Error::Skip("a PES packet of video without a time")),
        }
    }

    /// Nothing more belongs to the access unit that is open.
    pub(super) fn end(&mut self) -> Result<Read, Error> {
        let Some((times, data)) = self.open.take() else { return Ok(Read::default()) };
        let (mut out, mut picture, mut pictures) =
            (BytesMut::with_capacity(data.len() + 64), Picture::default(), 0);
        let mut sets = Vec::new();
        for nal in nal_units(&data) {
            let Some(kind) = nal.first().map(|header| header & 0x1f) else { continue };
            if kind == SPS || kind == PPS {
                sets.push((kind, nal));
                continue;
            }
            if EMPTY.contains(&kind) {
                continue;
            }
            picture.key |= kind == IDR;
            if SLICES.contains(&kind) && avc::begins_picture(nal) {
                pictures += 1;
            }
            // Bounded by PES_LEN_MAX.
            out.put_u32(nal.len() as u32);
            out.put_slice(nal);
        }
        let config = self.parameters(&sets)?;
        if pictures > 2 {
            return Err(self.refuse("several pictures in one PES packet", "one access unit a PES packet"));
        }
        if pictures == 0 {
            return Ok(Read { config, unit: None });
        }
        if self.config.is_none() {
            return Err(Error::Skip("a picture before the first parameter sets"));
        }
        self.begun = true;
        Ok(Read { config, unit: Some(Unit { times, picture, data: out.freeze() }) })
    }

    /// Takes parameter sets. Those that come with a sequence parameter set replace all that there were.
    fn parameters(&mut self, sets: &[(u8, &[u8])]) -> Result<Option<VideoConfig>, Error> {
        if sets.is_empty() {
            return Ok(None);
        }
        let all = |wanted: u8| {
            let wanted = sets.iter().filter(move |(kind, _)| *kind == wanted);
            wanted.filter_map(|(_, nal)| Some((avc::set_number(nal)?, Bytes::copy_from_slice(nal))))
        };
        let (sequence, pictures): (BTreeMap<_, _>, BTreeMap<_, _>) = (all(SPS).collect(), all(PPS).collect());
        if !sequence.is_empty() {
            self.sequence = sequence;
            if !pictures.is_empty() {
                self.pictures.clear();
            }
        }
        self.pictures.extend(pictures);
        while self.pictures.len() > PPS_MAX {
            self.pictures.pop_last();
        }
        if self.sequence.is_empty() || self.pictures.is_empty() {
            return Ok(None);
        }
        let sets = (self.sequence.values().map(|set| &set[..]), self.pictures.values().map(|set| &set[..]));
        let record =
            avc::record(sets.0, sets.1).ok_or(Error::Skip("H.264 parameter sets that make no sense"))?;
        let config = avc::config(&record)?;
        if self.config.as_ref() == Some(&config) {
            return Ok(None);
        }
        if let Some(error) = avc::unplayable(&record) {
            return Err(error.into());
        }
        self.config = Some(config.clone());
        Ok(Some(config))
    }

    fn refuse(&self, sent: &str, set: &'static str) -> Error {
        super::refuse(self.has_begun(), sent, set)
    }
}

/// The NAL units of a byte stream, without what fills the space between them (B.1).
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    const START: [u8; 3] = [0, 0, 1];
    let after_start = |bytes: &[u8]| bytes.windows(START.len()).position(|window| window == START);
    let mut rest = after_start(stream).and_then(|at| stream.get(at + START.len()..));
    core::iter::from_fn(move || {
        let bytes = rest?;
        let end = after_start(bytes);
        rest = end.and_then(|at| bytes.get(at + START.len()..));
        let nal = bytes.get(..end.unwrap_or(bytes.len()))?;
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        nal.get(..nal.len() - zeros)
    })
}
