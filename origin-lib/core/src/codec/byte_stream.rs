//! H.264 and HEVC in the byte stream format (ITU-T H.264 and H.265, annex B): access units and parameter sets, as MPEG transport
//! streams and RTP bring them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::nal::{Role, Set};
use super::{ConfigError, Picture, avc, hevc};
use crate::media::VideoConfig;

/// So many picture parameter sets are kept.
const PPS_MAX: usize = 64;

/// How long the length before a NAL unit is.
const LENGTH_LEN: usize = 4;

/// How a stream of video is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// H.264.
    #[default]
    Avc,
    /// H.265.
    Hevc,
}

/// Reads access units, and keeps the parameter sets that they bring.
#[derive(Debug, Default)]
pub struct Reader {
    coding: Coding,
    config: Option<VideoConfig>,
    video_sets: BTreeMap<u8, Bytes>,
    sequence: BTreeMap<u8, Bytes>,
    pictures: BTreeMap<u8, Bytes>,
}

/// What an access unit is.
#[derive(Debug, Default)]
pub struct Read {
    /// The parameters, where they changed.
    pub config: Option<VideoConfig>,
    /// It brings a set of parameters of a sequence.
    pub has_sequence: bool,
    /// So many pictures begin in it.
    pub pictures: usize,
    /// What it is to whoever wants to begin with it.
    pub picture: Picture,
    /// Its NAL units, each behind its length in four bytes, without parameter sets and what only fills.
    pub data: Bytes,
}

impl Reader {
    /// For a stream that is coded like that.
    pub fn new(coding: Coding) -> Reader {
        Reader { coding, ..Reader::default() }
    }

    /// How the stream is coded.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// Whether parameters are known: before, no picture can be used.
    pub fn is_configured(&self) -> bool {
        self.config.is_some()
    }

    /// Reads an access unit.
    ///
    /// Unsupported is what viewers can't play; after malformed parameter sets, those before stay in force.
    pub fn read(&mut self, unit: &[u8]) -> Result<Read, ConfigError> {
        let (mut out, mut pictures, mut sets) = (BytesMut::with_capacity(unit.len() + 64), 0, Vec::new());
        for nal in nal_units(unit) {
            let role = match self.coding {
                Coding::Avc => avc::role(nal),
                Coding::Hevc => hevc::role(nal),
            };
            match role {
                Role::Set(kind) => {
                    sets.push((kind, nal));
                    continue;
                }
                Role::Empty => continue,
                Role::Slice { begins: true } => pictures += 1,
                Role::Slice { begins: false } | Role::Other => {}
            }
            // No unit has 4 GiB.
            out.put_u32(u32::try_from(nal.len()).unwrap_or(u32::MAX));
            out.put_slice(nal);
        }
        let config = self.parameters(&sets)?;
        let has_sequence = sets.iter().any(|(kind, _)| *kind == Set::Sequence);
        let mut data = out.freeze();
        let picture = match self.coding {
            Coding::Avc => avc::picture(data.clone(), LENGTH_LEN).map(|(kept, key)| {
                data = kept;
                Picture { key, leading: false }
            }),
            Coding::Hevc => hevc::picture(&data, LENGTH_LEN),
        };
        Ok(Read { config, has_sequence, pictures, picture: picture.unwrap_or_default(), data })
    }

    /// Takes parameter sets. Those that come with a sequence parameter set replace all that there were.
    fn parameters(&mut self, sets: &[(Set, &[u8])]) -> Result<Option<VideoConfig>, ConfigError> {
        if sets.is_empty() {
            return Ok(None);
        }
        let number = match self.coding {
            Coding::Avc => avc::set_number,
            Coding::Hevc => hevc::set_number,
        };
        let all = |wanted| -> BTreeMap<u8, Bytes> {
            let wanted = sets.iter().filter(|(kind, _)| *kind == wanted);
            wanted.filter_map(|(_, nal)| Some((number(nal)?, Bytes::copy_from_slice(nal)))).collect()
        };
        let (video, sequence, pictures) = (all(Set::Video), all(Set::Sequence), all(Set::Picture));
        if !video.is_empty() {
            self.video_sets = video;
        }
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
        let no_video_sets = self.coding == Coding::Hevc && self.video_sets.is_empty();
        if no_video_sets || self.sequence.is_empty() || self.pictures.is_empty() {
            return Ok(None);
        }
        let sets = [&self.video_sets, &self.sequence, &self.pictures];
        let [video, sequence, pictures] =
            sets.map(|sets| sets.values().map(|set| &set[..]).collect::<Vec<_>>());
        let record = match self.coding {
            Coding::Avc => avc::record(sequence.iter().copied(), pictures.iter().copied()),
            Coding::Hevc => hevc::record([&video, &sequence, &pictures]),
        };
        let record = record.ok_or(ConfigError::Malformed("parameter sets of video that make no sense"))?;
        let config = match self.coding {
            Coding::Avc => avc::config(&record)?,
            Coding::Hevc => hevc::config(&record)?,
        };
        if self.config.as_ref() == Some(&config) {
            return Ok(None);
        }
        if let Some(error) = avc::unplayable(&record).filter(|_| self.coding == Coding::Avc) {
            return Err(error);
        }
        self.config = Some(config.clone());
        Ok(Some(config))
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
