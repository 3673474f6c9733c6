//! H.264 and HEVC in the byte stream format (ITU-T H.264 and H.265, annex B): access units and parameter sets.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::pes::{PES_LEN_MAX, Pes, Times};
use super::{Error, Unit};
use crate::codec::nal::{Role, Set};
use crate::codec::{Picture, avc, hevc};
use crate::media::VideoConfig;

/// So many picture parameter sets are kept.
const PPS_MAX: usize = 64;

/// How long the length before a NAL unit is.
const LENGTH_LEN: usize = 4;

/// How a stream of video is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    #[default]
    Avc,
    Hevc,
}

/// Reads the PES packets of a stream of video.
///
/// A PES packet without a time goes on with the access unit before it, so that an access unit is whole when the next
/// one begins.
/// Two pictures of one PES packet are the two fields of a frame of H.264.
#[derive(Debug, Default)]
pub(super) struct Video {
    coding: Coding,
    config: Option<VideoConfig>,
    begun: bool,
    video_sets: BTreeMap<u8, Bytes>,
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

    /// How the stream is coded.
    pub(super) fn coding(&self) -> Coding {
        self.coding
    }

    /// What comes from here on is coded like that.
    pub(super) fn turn_to(&mut self, coding: Coding) {
        if coding != self.coding {
            *self = Video { coding, begun: self.begun, ..Video::default() };
        }
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
        let (mut out, mut pictures, mut sets) = (BytesMut::with_capacity(data.len() + 64), 0, Vec::new());
        for nal in nal_units(&data) {
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
            // Bounded by PES_LEN_MAX.
            out.put_u32(nal.len() as u32);
            out.put_slice(nal);
        }
        let config = self.parameters(&sets)?;
        let pictures_max = match self.coding {
            Coding::Avc => 2,
            Coding::Hevc => 1,
        };
        if pictures > pictures_max {
            return Err(self.refuse("several pictures in one PES packet", "one access unit a PES packet"));
        }
        if pictures == 0 {
            return Ok(Read { config, unit: None });
        }
        if self.config.is_none() {
            return Err(Error::Skip("a picture before the first parameter sets"));
        }
        let data = out.freeze();
        let picture = match self.coding {
            Coding::Avc => avc::is_idr(&data, LENGTH_LEN).map(|key| Picture { key, leading: false }),
            Coding::Hevc => hevc::picture(&data, LENGTH_LEN),
        };
        let picture = picture.unwrap_or_default();
        self.begun = true;
        Ok(Read { config, unit: Some(Unit { times, picture, data }) })
    }

    /// Takes parameter sets. Those that come with a sequence parameter set replace all that there were.
    fn parameters(&mut self, sets: &[(Set, &[u8])]) -> Result<Option<VideoConfig>, Error> {
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
        let record = record.ok_or(Error::Skip("parameter sets of video that make no sense"))?;
        let config = match self.coding {
            Coding::Avc => avc::config(&record)?,
            Coding::Hevc => hevc::config(&record)?,
        };
        if self.config.as_ref() == Some(&config) {
            return Ok(None);
        }
        if let Some(error) = avc::unplayable(&record).filter(|_| self.coding == Coding::Avc) {
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
