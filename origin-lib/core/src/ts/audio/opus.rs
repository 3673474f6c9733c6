//! Opus in access units with a control header, as the Opus in MPEG-TS draft of opus-codec.org has them and ffmpeg writes them.
//!
//! What an access unit says of samples to leave out at its begin or end is not taken over: a live stream has none in its middle.

use alloc::vec::Vec;

use bytes::Bytes;

/// The longest access unit, in bytes: what fits into a PES packet of sound.
const UNIT_LEN_MAX: usize = 64 << 10;

/// An access unit's place in the bytes that begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of the control header.
    pub(super) len: usize,
    /// Of all.
    pub(super) unit_len: usize,
}

/// Whether these bytes can be a control header's first, as far as they go.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|byte| *byte == 0x7f) && bytes.get(1).is_none_or(|byte| byte & 0xe0 == 0xe0)
}

/// Reads a control header. `Ok(None)`: not all of it is there.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, ()> {
    if !may_begin(bytes) {
        return Err(());
    }
    let Some((&[_, flags], mut rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    let mut payload = 0;
    loop {
        let Some((byte, after)) = rest.split_first() else { return Ok(None) };
        (payload, rest) = (payload + usize::from(*byte), after);
        if payload > UNIT_LEN_MAX {
            return Err(());
        }
        if *byte < 255 {
            break;
        }
    }
    let mut len = bytes.len() - rest.len();
    // start_trim and end_trim.
    len += 2 * usize::from(flags >> 4 & 1) + 2 * usize::from(flags >> 3 & 1);
    if flags >> 2 & 1 == 1 {
        let Some(extension) = bytes.get(len) else { return Ok(None) };
        len += 1 + usize::from(*extension);
    }
    Ok(Some(Head { len, unit_len: len + payload }))
}

/// The identification header (RFC 7845, 5.1) of what the extension descriptor calls this, without its magic word; `None` for
/// what is no plain mono, stereo or surround sound.
pub(super) fn identification(channel_config_code: u8) -> Option<Bytes> {
    /// Streams, those of them that are coupled, and where each channel is found (RFC 7845, 5.1.1.2: family 1).
    const SURROUND: [(u8, u8, &[u8]); 6] = [
        (2, 1, &[0, 2, 1]),
        (2, 2, &[0, 1, 2, 3]),
        (3, 2, &[0, 4, 1, 2, 3]),
        (4, 2, &[0, 4, 1, 2, 3, 5]),
        (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
        (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
    ];
    const RATE: [u8; 4] = 48_000_u32.to_le_bytes();
    let [r0, r1, r2, r3] = RATE;
    let mut head = Vec::from([1, channel_config_code, 0, 0, r0, r1, r2, r3, 0, 0]);
    match channel_config_code {
        1 | 2 => head.push(0),
        code => {
            let (streams, coupled, mapping) = SURROUND.get(usize::from(code).checked_sub(3)?)?;
            head.extend([1, *streams, *coupled]);
            head.extend_from_slice(mapping);
        }
    }
    Some(head.into())
}
