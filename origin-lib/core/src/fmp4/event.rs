//! Timed metadata beside the media of a segment (`emsg` of ISO/IEC 23009-1, 5.10.3.3, version 1).

use bytes::Bytes;

use super::boxes::Boxes;
use crate::time::{MEDIA_HZ, MediaTime};

/// The scheme of ID3 tags in `emsg`, as players of CMAF know it (AOM, Carriage of ID3 Timed Metadata in CMAF).
const ID3_SCHEME: &[u8] = b"https://aomedia.org/emsg/ID3\0";

/// The length is not known.
const UNKNOWN_DURATION: u32 = 0xffff_ffff;

/// An ID3 tag, and when it comes into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Presentation time.
    pub at: MediaTime,
    /// The same for the same message.
    pub id: u32,
    /// The tag.
    pub message: Bytes,
}

/// How many bytes [`write`] appends.
pub(super) fn len(event: &Event) -> usize {
    12 + 20 + ID3_SCHEME.len() + 1 + event.message.len()
}

pub(super) fn write(b: &mut Boxes<'_>, event: &Event) {
    b.full(b"emsg", 1, 0, |b| {
        b.u32(MEDIA_HZ);
        b.u64(event.at.0);
        b.u32(UNKNOWN_DURATION);
        b.u32(event.id);
        b.bytes(ID3_SCHEME);
        b.u8(0);
        b.bytes(&event.message);
    });
}
