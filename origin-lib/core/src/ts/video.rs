//! H.264 and HEVC in PES packets: which of them make an access unit.

use bytes::BytesMut;

use super::pes::{PES_LEN_MAX, Pes, Times};
use super::{Error, Unit};
pub(super) use crate::codec::byte_stream::Coding;
use crate::codec::byte_stream::{self, Reader};
use crate::media::VideoConfig;

/// Reads the PES packets of a stream of video.
///
/// A PES packet without a time goes on with the access unit before it, so that an access unit is whole when the next
/// one begins.
/// Two pictures of one PES packet are the two fields of a frame of H.264.
#[derive(Debug, Default)]
pub(super) struct Video {
    reader: Reader,
    begun: bool,
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
        self.reader.coding()
    }

    /// What comes from here on is coded like that.
    pub(super) fn turn_to(&mut self, coding: Coding) {
        if coding != self.coding() {
            *self = Video { reader: Reader::new(coding), begun: self.begun, open: None };
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
        let byte_stream::Read { config, pictures, picture, data, .. } = self.reader.read(&data)?;
        let pictures_max = match self.coding() {
            Coding::Avc => 2,
            Coding::Hevc => 1,
        };
        if pictures > pictures_max {
            return Err(self.refuse("several pictures in one PES packet", "one access unit a PES packet"));
        }
        if pictures == 0 {
            return Ok(Read { config, unit: None });
        }
        if !self.reader.is_configured() {
            return Err(Error::Skip("a picture before the first parameter sets"));
        }
        self.begun = true;
        Ok(Read { config, unit: Some(Unit { times, picture, data }) })
    }

    fn refuse(&self, sent: &str, set: &'static str) -> Error {
        super::refuse(self.has_begun(), sent, set)
    }
}
