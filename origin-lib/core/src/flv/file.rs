//! Reads the tags of an FLV file (E.2 to E.4.1).

use bytes::{Buf, Bytes};

use super::TagKind;

/// The longest tag body, in bytes: its length has 24 bits.
pub const TAG_LEN_MAX: usize = 0xff_ffff;

/// How far into the file the first tag may begin.
const HEADER_LEN_MAX: usize = 1024;

/// One tag of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: TagKind,
    /// Its decoding time in milliseconds since the file's start.
    pub timestamp_ms: u32,
    /// Its body, as an RTMP message of the same kind carries it.
    pub payload: Bytes,
}

/// Why a file can't be read, or can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Something else, such as an MP4 file.
    #[error("this is not an FLV file: make one with `ffmpeg -i FILE -c:v libx264 -c:a aac out.flv`")]
    NotFlv,
    /// The file ends within a tag; the tags before it are good.
    #[error("the FLV file ends within a tag: it was not written to its end")]
    CutOff,
    /// A tag is not one; the tags before it are good.
    #[error("the FLV file is damaged at byte {0}")]
    Damaged(usize),
}

/// The tags of an FLV file that lies in memory, in file order; a body is a slice of it, not a copy.
///
/// After an error there are no more tags.
#[derive(Clone, Debug)]
pub struct File {
    rest: Bytes,
    len: usize,
}

impl File {
    /// Checks the file's header.
    pub fn new(bytes: Bytes) -> Result<File, FileError> {
        let len = bytes.len();
        let Some((&[b'F', b'L', b'V', 1, _, a, b, c, d], _)) = bytes.split_first_chunk::<9>() else {
            return Err(FileError::NotFlv);
        };
        // After the header lies the length of the tag before, which for the first tag is none.
        let start = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(9..=HEADER_LEN_MAX).contains(&start) {
            return Err(FileError::NotFlv);
        }
        let mut rest = bytes;
        rest.advance(len.min(start + 4));
        Ok(File { rest, len })
    }

    /// The tags of a body that has nothing but tags: that of an RTMP aggregate message.
    pub(crate) fn of_tags(bytes: Bytes) -> File {
        File { len: bytes.len(), rest: bytes }
    }

    fn tag(&mut self) -> Result<Tag, FileError> {
        let at = self.len - self.rest.len();
        let Some((&[kind, l2, l1, l0, t2, t1, t0, t3, ..], _)) = self.rest.split_first_chunk::<11>() else {
            return Err(FileError::CutOff);
        };
        // An encrypted tag has a bit more in its type, and is refused by that.
        let kind = TagKind::from_type(kind).ok_or(FileError::Damaged(at))?;
        let len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if self.rest.len() < 11 + len {
            return Err(FileError::CutOff);
        }
        self.rest.advance(11);
        let payload = self.rest.split_to(len);
        // After a body lies its tag's length. Writers get it wrong, or leave out the last one, and nobody needs it.
        self.rest.advance(self.rest.len().min(4));
        let timestamp_ms = u32::from_be_bytes([t3, t2, t1, t0]);
        Ok(Tag { kind, timestamp_ms, payload })
    }
}

impl Iterator for File {
    type Item = Result<Tag, FileError>;

    fn next(&mut self) -> Option<Result<Tag, FileError>> {
        if self.rest.is_empty() {
            return None;
        }
        let tag = self.tag();
        if tag.is_err() {
            self.rest.clear();
        }
        Some(tag)
    }
}
