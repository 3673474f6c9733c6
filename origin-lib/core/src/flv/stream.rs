//! An FLV file that is still being written.

use bytes::{Buf, Bytes, BytesMut};

use super::File;
use super::file::{FileError, HEADER_LEN, TAG_HEADER_LEN, Tag, start};

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
