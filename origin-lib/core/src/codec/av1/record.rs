//! The configuration record of a sequence header that came on its own, as RTP brings it.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Bits, SEQUENCE_HEADER, Sequence, obus};

/// The `AV1CodecConfigurationRecord` of the sequence header that a temporal unit brings; `None` where it brings none, or one
/// that makes no sense.
pub fn record(unit: &[u8]) -> Option<Bytes> {
    let header = obus(unit).map_while(|obu| obu).find(|(kind, _)| *kind == SEQUENCE_HEADER);
    let (_, header) = header?;
    let sequence = Sequence::read(&mut Bits::new(header))?;
    let [x, y, position] = sequence.chroma;
    let flags = [
        u32::from(sequence.high_tier),
        u32::from(sequence.bit_depth > 8),
        u32::from(sequence.bit_depth == 12),
        u32::from(sequence.monochrome),
        x,
        y,
        position >> 1 & 1,
        position & 1,
    ];
    let flags = flags.iter().fold(0, |byte, flag| byte << 1 | (flag & 1)) as u8;
    let first = (sequence.profile << 5 | sequence.level & 0x1f) as u8;
    // Marker and version; no presentation delay is told.
    let mut out = Vec::from([0x81, first, flags, 0]);
    // An OBU that says how long it is.
    out.push(SEQUENCE_HEADER << 3 | 2);
    put_leb128(&mut out, header.len());
    out.extend_from_slice(header);
    Some(out.into())
}

/// AV1, 4.10.5.
fn put_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let (low, rest) = ((value & 0x7f) as u8, value >> 7);
        out.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return;
        }
        value = rest;
    }
}
