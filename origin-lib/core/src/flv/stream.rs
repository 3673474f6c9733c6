//! An FLV file that is still being written: to a program, or by one.

use alloc::vec::Vec;

use bytes::{Buf, Bytes, BytesMut};

use super::file::{FileError, HEADER_LEN, TAG_HEADER_LEN, Tag, start};
use super::{File, TagKind};

/// The file's header (E.2) and the length of the tag before the first one.
pub fn file_header(video: bool, audio: bool) -> [u8; 13] {
    let has = u8::from(video) | u8::from(audio) << 2;
    [b'F', b'L', b'V', 1, has, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag as a file has it (E.4.1), its own length behind it. `None` where the body is longer than
/// [`TAG_LEN_MAX`](super::TAG_LEN_MAX).
pub fn tag(kind: TagKind, timestamp_ms: u32, body: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(body.len()).ok().filter(|len| *len <= super::TAG_LEN_MAX as u32)?;
    let ([_, l2, l1, l0], [t3, t2, t1, t0]) = (len.to_be_bytes(), timestamp_ms.to_be_bytes());
    let mut tag = Vec::with_capacity(body.len() + TAG_HEADER_LEN + 4);
    tag.extend_from_slice(&[kind as u8, l2, l1, l0, t2, t1, t0, t3, 0, 0, 0]);
    tag.extend_from_slice(body);
    tag.extend_from_slice(&(len + TAG_HEADER_LEN as u32).to_be_bytes());
    Some(tag)
}

/// Reads a file's tags as its bytes come in. `handle` what has come, then `poll` until `None`.
///
/// What waits is at most one tag, and whatever is handed in at once.
#[derive(Debug, Default)]
pub struct Stream {
    waiting: BytesMut,
    begun: bool,
}

impl Stream {
    /// Takes the next bytes.
    pub fn handle(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next tag that is whole. After an error there are no more.
    pub fn poll(&mut self) -> Result<Option<Tag>, FileError> {
        if !self.begun {
            if self.waiting.len() < HEADER_LEN {
                return Ok(None);
            }
            let start = start(&self.waiting)?;
            if self.waiting.len() < start {
                return Ok(None);
            }
            self.waiting.advance(start);
            self.begun = true;
        }
        let Some((&[_, l2, l1, l0], _)) = self.waiting.split_first_chunk::<4>() else { return Ok(None) };
        let len = TAG_HEADER_LEN + u32::from_be_bytes([0, l2, l1, l0]) as usize + 4;
        if self.waiting.len() < len {
            return Ok(None);
        }
        let tag: Bytes = self.waiting.split_to(len).freeze();
        File::of_tags(tag).next().transpose()
    }
}
