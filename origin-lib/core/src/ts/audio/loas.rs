//! AAC in LATM elements, each in a frame of its own (ISO/IEC 14496-3, 1.7.2: `AudioSyncStream`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::super::{Error, only_at_first, refuse};
use crate::codec::latm::{Latm, LatmError};

/// The length of a frame's header.
pub(super) const HEAD_LEN: usize = 3;

/// Whether these bytes can be a frame's first, as far as they go.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|byte| *byte == 0x56) && bytes.get(1).is_none_or(|byte| byte & 0xe0 == 0xe0)
}

/// How long the frame is that begins here, with its header.
pub(super) fn len(bytes: &[u8]) -> Option<usize> {
    let &[_, high, low] = bytes.first_chunk::<HEAD_LEN>()?;
    may_begin(bytes).then_some(HEAD_LEN + (usize::from(high & 0x1f) << 8 | usize::from(low)))
}

/// The `AudioSpecificConfig` of a whole frame, and its raw data blocks.
pub(super) fn frames(latm: &mut Latm, frame: &Bytes, begun: bool) -> Result<(Bytes, Vec<Bytes>), Error> {
    match latm.element(frame.get(HEAD_LEN..).unwrap_or_default()) {
        Ok(element) => Ok((element.asc, element.frames)),
        Err(LatmError::Damaged) => Err(Error::Skip("a LATM element that is damaged")),
        Err(LatmError::NoConfig) => Err(Error::Skip("a LATM element before the first configuration")),
        Err(LatmError::Codec(error)) => Err(only_at_first(error.into(), begun)),
        Err(LatmError::Unsupported(sent)) => {
            Err(refuse(begun, sent, "AAC-LC in one layer, or in ADTS frames"))
        }
    }
}
