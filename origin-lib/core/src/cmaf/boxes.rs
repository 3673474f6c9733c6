//! Where boxes begin and end in bytes that come piece by piece (ISO/IEC 14496-12, 4.2).

use bytes::{Buf, Bytes, BytesMut};

/// The longest `moov` that is read.
pub const MOOV_LEN_MAX: u64 = 256 << 10;

/// The longest `moof` that is read.
pub const MOOF_LEN_MAX: u64 = 2 << 20;

/// The longest of the other boxes that are read: brands, capture times, events.
pub const SMALL_LEN_MAX: u64 = 64 << 10;

/// The longest box without media that is passed over.
const SKIPPED_LEN_MAX: u64 = 16 << 20;

/// What a stream of boxes may begin with.
const FIRST: [&[u8; 4]; 12] = [
    b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"prft", b"emsg", b"mfra", b"free", b"skip",
    b"uuid",
];

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A box that is read whole.
    Whole {
        name: [u8; 4],
        /// Where it begins, counted from the first byte of all.
        at: u64,
        content: Bytes,
    },
    /// The next bytes of a media box.
    Media {
        /// Where they begin.
        at: u64,
        bytes: Bytes,
    },
    /// A media box has ended.
    MediaEnd,
    /// A box was too long to be read, and is passed over.
    TooLong,
    /// These are no boxes. Nothing comes after it.
    Broken,
}

/// Whether bytes may be the begin of fragmented MP4: as far as they go.
pub fn may_begin(first: &[u8]) -> bool {
    let name = first.get(4..).unwrap_or_default();
    FIRST.iter().any(|known| known.iter().zip(name).all(|(a, b)| a == b))
}

/// Takes boxes apart.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    buffer: BytesMut,
    /// Where the buffer begins.
    at: u64,
    inside: Inside,
    begun: bool,
}

/// What the next bytes are of.
#[derive(Debug, Default)]
enum Inside {
    #[default]
    Head,
    /// So many bytes of a box that is read whole.
    Whole {
        name: [u8; 4],
        began: u64,
        left: usize,
    },
    /// A media box; `None`: up to the end of all.
    Media {
        left: Option<u64>,
    },
    Skipped {
        left: u64,
    },
    Broken,
}

impl Boxes {
    /// Takes the next bytes. Not more is kept than a box that is read whole, and these.
    pub(super) fn handle(&mut self, bytes: &[u8]) {
        if !matches!(self.inside, Inside::Broken) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether a first box was seen.
    pub(super) fn have_begun(&self) -> bool {
        self.begun
    }

    /// Whether it is between two boxes.
    pub(super) fn is_whole(&self) -> bool {
        self.buffer.is_empty() && matches!(self.inside, Inside::Head | Inside::Media { left: None })
    }

    /// The next piece of what has come.
    pub(super) fn poll(&mut self) -> Option<Piece> {
        loop {
            match &mut self.inside {
                Inside::Head => {
                    if let Some(piece) = self.head()? {
                        return Some(piece);
                    }
                }
                Inside::Whole { name, began, left } => {
                    let (name, at, left) = (*name, *began, *left);
                    if self.buffer.len() < left {
                        return None;
                    }
                    self.inside = Inside::Head;
                    return Some(Piece::Whole { name, at, content: self.take(left) });
                }
                Inside::Media { left: Some(0) } => {
                    self.inside = Inside::Head;
                    return Some(Piece::MediaEnd);
                }
                Inside::Media { left } => {
                    if self.buffer.is_empty() {
                        return None;
                    }
                    let len = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
                    let len = len.min(self.buffer.len());
                    if let Some(left) = left {
                        *left -= len as u64;
                    }
                    return Some(Piece::Media { at: self.at, bytes: self.take(len) });
                }
                Inside::Skipped { left: 0 } => self.inside = Inside::Head,
                Inside::Skipped { left } => {
                    if self.buffer.is_empty() {
                        return None;
                    }
                    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    *left -= len as u64;
                    self.take(len);
                }
                Inside::Broken => return None,
            }
        }
    }

    fn take(&mut self, len: usize) -> Bytes {
        self.at = self.at.saturating_add(len as u64);
        self.buffer.split_to(len).freeze()
    }

    /// Reads the head of a box; the outer `None` where it has not come yet.
    fn head(&mut self) -> Option<Option<Piece>> {
        let began = self.at;
        let (size, rest) = self.buffer.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_first_chunk::<4>()?;
        let (size, name) = (u32::from_be_bytes(*size), *name);
        let known = FIRST.contains(&&name);
        let is_name = known || (self.begun && name.iter().all(|byte| (0x20..0x7f).contains(byte)));
        let (head, whole) = match size {
            0 => (8, None),
            1 => (16, Some(u64::from_be_bytes(*rest.first_chunk::<8>()?))),
            size => (8, Some(u64::from(size))),
        };
        let content = match whole {
            Some(whole) => whole.checked_sub(head as u64),
            // Up to the end: only media can be.
            None => (&name == b"mdat").then_some(u64::MAX),
        };
        let Some(content) = content.filter(|_| is_name) else { return Some(Some(self.broken())) };
        self.begun = true;
        self.buffer.advance(head);
        self.at = self.at.saturating_add(head as u64);
        let limit = match &name {
            b"mdat" => {
                self.inside = Inside::Media { left: whole.map(|_| content) };
                return Some(None);
            }
            b"moov" => MOOV_LEN_MAX,
            b"moof" => MOOF_LEN_MAX,
            b"ftyp" | b"styp" | b"prft" | b"emsg" => SMALL_LEN_MAX,
            b"mfra" => {
                self.inside = Inside::Skipped { left: content };
                return Some(Some(Piece::Whole { name, at: began, content: Bytes::new() }));
            }
            _ => 0,
        };
        match usize::try_from(content) {
            Ok(left) if content <= limit => self.inside = Inside::Whole { name, began, left },
            _ if content > SKIPPED_LEN_MAX => return Some(Some(self.broken())),
            _ => {
                self.inside = Inside::Skipped { left: content };
                return Some((limit > 0).then_some(Piece::TooLong));
            }
        }
        Some(None)
    }

    fn broken(&mut self) -> Piece {
        self.inside = Inside::Broken;
        self.buffer.clear();
        Piece::Broken
    }
}
