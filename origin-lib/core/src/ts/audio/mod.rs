//! Sound: AAC in ADTS frames, AAC in LATM elements, Opus.

mod adts;
mod loas;
mod opus;

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};

use super::pes::{Pes, Times};
use super::streams::Sound;
use super::{Error, Unit};
use crate::codec::latm::Latm;
use crate::codec::{self, Picture, aac};
use crate::media::{AudioCoding, AudioConfig};

/// Each frame of sound can be begun with.
const SOUND: Picture = Picture { key: true, leading: false };

/// How frames follow one another in the bytes.
#[derive(Debug)]
enum Framing {
    Adts,
    Loas(Latm),
    Opus(AudioConfig),
}

/// What stands at a place.
enum Here {
    /// A frame of this length, as far as its header says.
    Frame(usize),
    /// Perhaps one: more must come.
    Perhaps,
    None,
}

/// Reads the PES packets of a stream of sound. Frames may begin in one and end in the next.
#[derive(Debug)]
pub(super) struct Audio {
    framing: Framing,
    config: Option<AudioConfig>,
    waiting: BytesMut,
    /// The last time that was said, and how many samples of its frames came since.
    since: Option<(u64, u64)>,
}

impl Default for Audio {
    fn default() -> Audio {
        Audio { framing: Framing::Adts, config: None, waiting: BytesMut::new(), since: None }
    }
}

/// What a PES packet brought to its end.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Frames, with the parameters where they changed from there on.
    pub(super) units: Vec<(Option<AudioConfig>, Unit)>,
    /// What was no use.
    pub(super) error: Option<Error>,
}

impl Framing {
    fn of(sound: Sound) -> Option<Framing> {
        Some(match sound {
            Sound::Adts => Framing::Adts,
            Sound::Loas => Framing::Loas(Latm::default()),
            Sound::Opus { channel_config_code } => {
                let head = opus::identification(channel_config_code)?;
                Framing::Opus(codec::opus::config(&head).ok()?)
            }
        })
    }

    fn here(&self, bytes: &[u8]) -> Here {
        let (frame, head_len_max, begins) = match self {
            Framing::Adts => {
                let head = adts::Head::read(bytes);
                (head.map(|head| head.frame_len), adts::HEAD_LEN, adts::Head::may_begin(bytes))
            }
            Framing::Loas(_) => (loas::len(bytes), loas::HEAD_LEN, loas::may_begin(bytes)),
            Framing::Opus(_) => match opus::head(bytes) {
                Ok(Some(head)) => (Some(head.unit_len), 0, true),
                Ok(None) => return Here::Perhaps,
                Err(()) => return Here::None,
            },
        };
        match frame {
            Some(len) => Here::Frame(len),
            None if bytes.len() < head_len_max && begins => Here::Perhaps,
            None => Here::None,
        }
    }

    /// Whether these bytes can be a frame's first, as far as they go.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        match self {
            Framing::Adts => adts::Head::may_begin(bytes),
            Framing::Loas(_) => loas::may_begin(bytes),
            Framing::Opus(_) => opus::may_begin(bytes),
        }
    }
}

impl Audio {
    /// Whether parameters have come.
    pub(super) fn has_begun(&self) -> bool {
        self.config.is_some()
    }

    /// What comes is framed so. What is open is lost.
    pub(super) fn turn_to(&mut self, sound: Sound) {
        self.drop_open();
        if let Some(framing) = Framing::of(sound) {
            self.framing = framing;
        }
    }

    /// What comes does not go on with what is there. Whether something was.
    pub(super) fn drop_open(&mut self) -> bool {
        self.since = None;
        let some = !self.waiting.is_empty();
        self.waiting.clear();
        some
    }

    /// Takes a PES packet. Its time is that of the first frame that begins in it.
    pub(super) fn handle(&mut self, pes: Pes) -> Read {
        let mut read = Read::default();
        // Where what was there before ends.
        let mut before = self.waiting.len();
        let mut times = pes.times;
        self.waiting.extend_from_slice(&pes.data);
        loop {
            if before == 0
                && let Some(Times { pts, .. }) = times.take()
            {
                self.since = Some((pts, 0));
            }
            let skipped = self.find();
            if skipped > 0 {
                read.error = Some(Error::Skip("sound that is no frame of its kind"));
                before = before.saturating_sub(skipped);
                if before == 0 && times.is_some() {
                    continue;
                }
            }
            let Here::Frame(len) = self.framing.here(&self.waiting) else { break };
            if self.waiting.len() < len {
                break;
            }
            let frame = self.waiting.split_to(len).freeze();
            before = before.saturating_sub(len);
            let done = self.parts(&frame).and_then(|(config, parts)| self.units(config, parts, &mut read));
            read.error = done.err().or(read.error);
        }
        read
    }

    /// Moves to where a frame begins, or may begin with what comes next. How many bytes were none.
    fn find(&mut self) -> usize {
        let begins = |at: usize| {
            let rest = self.waiting.get(at..).unwrap_or_default();
            match self.framing.here(rest) {
                // The next one proves it, where it is there.
                Here::Frame(len) => rest.get(len..).is_none_or(|next| self.framing.may_begin(next)),
                Here::Perhaps => true,
                Here::None => false,
            }
        };
        let at = (0..self.waiting.len()).find(|at| begins(*at)).unwrap_or(self.waiting.len());
        self.waiting.advance(at);
        at
    }

    /// What a whole frame brings: its parameters where they are others than before, and what players get of it.
    fn parts(&mut self, frame: &Bytes) -> Result<(Option<AudioConfig>, Vec<Bytes>), Error> {
        let begun = self.has_begun();
        let (asc, parts) = match &mut self.framing {
            Framing::Adts => {
                let head =
                    adts::Head::read(frame).ok_or(Error::Skip("sound that is no frame of its kind"))?;
                let (asc, part) = head.frame(frame, begun)?;
                (asc, Vec::from([part]))
            }
            Framing::Loas(latm) => loas::frames(latm, frame, begun)?,
            Framing::Opus(config) => {
                let head = opus::head(frame).ok().flatten();
                let part = head.and_then(|head| frame.get(head.len..)).map(|part| frame.slice_ref(part));
                let part = part.filter(|part| codec::opus::packet_len(part).is_some());
                let part = part.ok_or(Error::Skip("an Opus packet that is none"))?;
                let changed = self.config.as_ref() != Some(config);
                return Ok((changed.then(|| config.clone()), Vec::from([part])));
            }
        };
        let is_same = |config: &AudioConfig| config.coding == AudioCoding::Aac && config.record == asc;
        if self.config.as_ref().is_some_and(is_same) {
            return Ok((None, parts));
        }
        let config = aac::config(&asc).map_err(|error| super::only_at_first(error.into(), begun))?;
        Ok((Some(config), parts))
    }

    fn units(
        &mut self,
        mut config: Option<AudioConfig>,
        parts: Vec<Bytes>,
        read: &mut Read,
    ) -> Result<(), Error> {
        self.config = config.clone().or(self.config.take());
        let Some(((since, samples), known)) =
            self.since.as_mut().map(|(at, n)| (*at, n)).zip(self.config.as_ref())
        else {
            return Err(Error::Skip("sound before the first time"));
        };
        for data in parts {
            let pts = since.wrapping_add(*samples * 90_000 / u64::from(known.sample_rate.max(1)));
            let of_itself =
                (known.coding == AudioCoding::Opus).then(|| codec::opus::packet_len(&data)).flatten();
            *samples += u64::from(of_itself.unwrap_or(known.frame_len));
            let times = Times { pts, dts: pts };
            read.units.push((config.take(), Unit { times, picture: SOUND, data }));
        }
        Ok(())
    }
}
