//! AAC in ADTS frames (ISO/IEC 14496-3, 1.A.3.2).

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};

use super::pes::Pes;
use super::{Error, Unit};
use crate::codec::{Picture, aac};
use crate::media::AudioConfig;
use crate::ts::pes::Times;

/// The length of a header without its checksum.
const HEAD_LEN: usize = 7;

/// The longest frame: its length has 13 bits. What waits between two PES packets is less.
const FRAME_LEN_MAX: usize = (1 << 13) - 1;

/// Each frame of sound can be begun with.
const SOUND: Picture = Picture { key: true, leading: false };

/// Reads the PES packets of an ADTS stream. Frames may begin in one and end in the next.
#[derive(Debug, Default)]
pub(super) struct Audio {
    config: Option<AudioConfig>,
    waiting: BytesMut,
    /// The last time that was said, and how many samples of its frames came since.
    since: Option<(u64, u64)>,
}

/// What a PES packet brought to its end.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Frames, with the parameters where they changed from there on.
    pub(super) units: Vec<(Option<AudioConfig>, Unit)>,
    /// What was no use.
    pub(super) error: Option<Error>,
}

impl Audio {
    /// Whether parameters have come.
    pub(super) fn has_begun(&self) -> bool {
        self.config.is_some()
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
                read.error = Some(Error::Skip("sound that is no ADTS frame"));
                before = before.saturating_sub(skipped);
                if before == 0 && times.is_some() {
                    continue;
                }
            }
            let Some(head) = Head::read(&self.waiting) else { break };
            if self.waiting.len() < head.frame_len {
                break;
            }
            let frame = self.waiting.split_to(head.frame_len).freeze();
            before = before.saturating_sub(head.frame_len);
            match self.frame(&head, frame) {
                Ok(unit) => read.units.push(unit),
                Err(error) => read.error = Some(error),
            }
        }
        read
    }

    /// Moves to where a frame begins, or may begin with what comes next. How many bytes were none.
    fn find(&mut self) -> usize {
        let begins = |at: usize| {
            let rest = self.waiting.get(at..).unwrap_or_default();
            let Some(head) = Head::read(rest) else { return rest.len() < HEAD_LEN && Head::may_begin(rest) };
            // The next one proves it, where it is there.
            rest.get(head.frame_len..).is_none_or(Head::may_begin)
        };
        let at = (0..self.waiting.len()).find(|at| begins(*at)).unwrap_or(self.waiting.len());
        self.waiting.advance(at);
        at
    }

    fn frame(&mut self, head: &Head, frame: Bytes) -> Result<(Option<AudioConfig>, Unit), Error> {
        let asc = head.asc();
        let changed = self.config.as_ref().filter(|config| config.record[..] == asc[..]).is_none();
        if head.blocks > 1 {
            return Err(super::refuse(self.has_begun(), "several AAC blocks an ADTS frame", "one a frame"));
        }
        if head.layout == 0 {
            return Err(super::refuse(
                self.has_begun(),
                "AAC whose channels only the sound itself names",
                "mono, stereo or 5.1",
            ));
        }
        let config = match changed {
            true => {
                let config = aac::config(&Bytes::copy_from_slice(&asc)).map_err(Error::from);
                Some(config.map_err(|error| super::only_at_first(error, self.has_begun()))?)
            }
            false => None,
        };
        self.config = config.clone().or(self.config.take());
        let Some(((since, samples), known)) =
            self.since.as_mut().map(|(at, n)| (*at, n)).zip(self.config.as_ref())
        else {
            return Err(Error::Skip("sound before the first time"));
        };
        let pts = since.wrapping_add(*samples * 90_000 / u64::from(known.sample_rate.max(1)));
        *samples += u64::from(known.frame_len);
        let times = Times { pts, dts: pts };
        Ok((config, Unit { times, picture: SOUND, data: frame.slice(head.len..) }))
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// With its checksum.
    len: usize,
    frame_len: usize,
    object_type: u8,
    rate: u8,
    layout: u8,
    blocks: u8,
}

impl Head {
    /// Whether these bytes can be a header's first, as far as they go.
    fn may_begin(bytes: &[u8]) -> bool {
        let sync = bytes.first().is_none_or(|byte| *byte == 0xff);
        let layer = bytes.get(1).is_none_or(|byte| byte & 0xf6 == 0xf0);
        sync && layer && bytes.get(2).is_none_or(|byte| byte >> 2 & 0x0f < 13)
    }

    fn read(bytes: &[u8]) -> Option<Head> {
        let &[_, b1, b2, b3, b4, b5, b6] = bytes.first_chunk::<HEAD_LEN>()?;
        let len = if b1 & 1 == 0 { HEAD_LEN + 2 } else { HEAD_LEN };
        let frame_len = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5) >> 5;
        let head = Head {
            len,
            frame_len,
            object_type: (b2 >> 6) + 1,
            rate: b2 >> 2 & 0x0f,
            layout: (b2 & 1) << 2 | b3 >> 6,
            blocks: (b6 & 3) + 1,
        };
        (Head::may_begin(bytes) && (len + 1..=FRAME_LEN_MAX).contains(&frame_len)).then_some(head)
    }

    /// The `AudioSpecificConfig` that says the same.
    fn asc(&self) -> [u8; 2] {
        (u16::from(self.object_type) << 11 | u16::from(self.rate) << 7 | u16::from(self.layout) << 3)
            .to_be_bytes()
    }
}
