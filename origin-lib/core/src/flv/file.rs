//! Reads the tags of an FLV file (E.2 to E.4.1).

use bytes::{Buf, Bytes};

use super::TagKind;

/// The longest tag body, in bytes: its length has 24 bits.
pub const TAG_LEN_MAX: usize = 0xff_ffff;

/// How long the file's header is, at the least.
pub(super) const HEADER_LEN: usize = 9;

/// How far into the file the first tag may begin.
const HEADER_LEN_MAX: usize = 1024;

/// How long a tag's header is.
pub(super) const TAG_HEADER_LEN: usize = 11;

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

/// Where the first tag begins, by the file's header.
pub(super) fn start(bytes: &[u8]) -> Result<usize, FileError> {
    let Some((&[b'F', b'L', b'V', 1, _, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(FileError::NotFlv);
    };
    // After the header lies the length of the tag before, which for the first tag is none.
    match u32::from_be_bytes([a, b, c, d]) as usize {
        len @ HEADER_LEN..=HEADER_LEN_MAX => Ok(len + 4),
        _ => Err(FileError::NotFlv),
    }
}

impl File {
    /// Checks the file's header.
    pub fn new(bytes: Bytes) -> Result<File, FileError> {
        let (start, len) = (start(&bytes)?, bytes.len());
        let mut rest = bytes;
        rest.advance(len.min(start));
        Ok(File { rest, len })
    }

    /// Tags alone, with no header before them: those of a stream, or of an RTMP aggregate message.
    pub(crate) fn of_tags(rest: Bytes) -> File {
        File { len: rest.len(), rest }
    }

    fn tag(&mut self) -> Result<Tag, FileError> {
        let at = self.len - self.rest.len();
        let Some((&[kind, l2, l1, l0, t2, t1, t0, t3, ..], _)) =
            self.rest.split_first_chunk::<TAG_HEADER_LEN>()
        else {
            return Err(FileError::CutOff);
        };
        // An encrypted tag has a bit more in its type, and is refused by that.
        let kind = TagKind::from_type(kind).ok_or(FileError::Damaged(at))?;
        let len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if self.rest.len() < TAG_HEADER_LEN + len {
            return Err(FileError::CutOff);
        }
        self.rest.advance(TAG_HEADER_LEN);
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
