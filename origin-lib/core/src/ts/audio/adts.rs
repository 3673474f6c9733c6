//! AAC in ADTS frames (ISO/IEC 14496-3, 1.A.3.2).

use bytes::Bytes;

use super::super::{Error, refuse};

/// The length of a header without its checksum.
pub(super) const HEAD_LEN: usize = 7;

/// The longest frame: its length has 13 bits. What waits between two PES packets is less.
const FRAME_LEN_MAX: usize = (1 << 13) - 1;

/// A frame's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// With its checksum.
    len: usize,
    pub(super) frame_len: usize,
    object_type: u8,
    rate: u8,
    layout: u8,
    blocks: u8,
}

impl Head {
    /// Whether these bytes can be a header's first, as far as they go.
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        let sync = bytes.first().is_none_or(|byte| *byte == 0xff);
        let layer = bytes.get(1).is_none_or(|byte| byte & 0xf6 == 0xf0);
        sync && layer && bytes.get(2).is_none_or(|byte| byte >> 2 & 0x0f < 13)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
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

    /// The parameters of this whole frame, as an `AudioSpecificConfig`, and its one raw data block.
    pub(super) fn frame(&self, frame: &Bytes, begun: bool) -> Result<(Bytes, Bytes), Error> {
        if self.blocks > 1 {
            return Err(refuse(begun, "several AAC blocks an ADTS frame", "one a frame"));
        }
        if self.layout == 0 {
            return Err(refuse(
                begun,
                "AAC whose channels only the sound itself names",
                "mono, stereo or 5.1",
            ));
        }
        Ok((Bytes::copy_from_slice(&self.asc()), frame.slice(self.len..)))
    }

    /// The `AudioSpecificConfig` that says the same.
    fn asc(&self) -> [u8; 2] {
        (u16::from(self.object_type) << 11 | u16::from(self.rate) << 7 | u16::from(self.layout) << 3)
            .to_be_bytes()
    }
}
