//! The decoder configuration record of parameter sets that came on their own, as MPEG transport streams and RTP bring them.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{PPS, SPS, VPS, kind, sps};
use crate::codec::bits::Bits;
use crate::codec::nal::{Role, Set, without_emulation_prevention};

const HEADER_LEN: usize = 2;

/// How long the stream's own part of `profile_tier_level` is (7.3.3).
const PROFILE_LEN: usize = 12;

/// So much of a parameter set is read for its number.
const READ_LEN: usize = 128;

/// The highest number of a parameter set (7.4.3.3).
const NUMBER_MAX: u32 = 63;

/// The `HEVCDecoderConfigurationRecord` of these video, sequence and picture parameter sets, for NAL units behind lengths of four
/// bytes.
///
/// `None` where there are none of a kind, or they are too many or too long for one, or the first sequence parameter set makes no
/// sense.
pub fn record(sets: [&[&[u8]]; 3]) -> Option<Bytes> {
    let [_, sequence, _] = sets;
    let first = sequence.first()?;
    let said = sps::parse(first)?;
    let payload = without_emulation_prevention(first.get(HEADER_LEN..first.len().min(READ_LEN))?);
    let (layers, rest) = payload.split_first()?;
    let (above_first, nested) = (layers >> 1 & 7, layers & 1);
    let count = Some(above_first + 1).filter(|count| *count < 8)?;
    let [luma, chroma] = said.bits_above_8;
    let mut out = Vec::from([1]);
    out.extend_from_slice(rest.get(..PROFILE_LEN)?);
    // Nothing is said of parallel decoding and of the average frame rate.
    out.extend_from_slice(&[0xf0, 0, 0xfc, 0xfc | said.chroma_format as u8, 0xf8 | luma, 0xf8 | chroma]);
    out.extend_from_slice(&[0, 0, count << 3 | nested << 2 | 3, 3]);
    for (kind, sets) in [VPS, SPS, PPS].into_iter().zip(sets) {
        const ALL_ARE_HERE: u8 = 0x80;
        let count = u16::try_from(sets.len()).ok().filter(|count| *count > 0)?;
        out.push(ALL_ARE_HERE | kind);
        out.extend_from_slice(&count.to_be_bytes());
        for set in sets {
            out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            out.extend_from_slice(set);
        }
    }
    Some(out.into())
}

/// Which one of its kind a parameter set is: `vps_video_parameter_set_id` and so on.
pub fn set_number(nal: &[u8]) -> Option<u8> {
    let payload = without_emulation_prevention(nal.get(..nal.len().min(READ_LEN))?);
    let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
    let mut bits = Bits::new(rest);
    let number = match kind(header[0]) {
        VPS => bits.read(4)?,
        SPS => sps::beginning(&mut bits)?.2,
        _ => bits.ue()?,
    };
    Some(number).filter(|number| *number <= NUMBER_MAX).map(|number| number as u8)
}

/// What a NAL unit is to a byte stream (table 7-1). What belongs to another layer than the first one is nothing.
pub fn role(nal: &[u8]) -> Role {
    let Some(&[first, second]) = nal.first_chunk::<HEADER_LEN>() else { return Role::Empty };
    let layer = (first & 1) << 5 | second >> 3;
    match kind(first) {
        _ if layer > 0 => Role::Empty,
        0..=31 => Role::Slice { begins: nal.get(HEADER_LEN).is_some_and(|first| first & 0x80 != 0) },
        VPS => Role::Set(Set::Video),
        SPS => Role::Set(Set::Sequence),
        PPS => Role::Set(Set::Picture),
        // Delimiters and filling. Ends of sequence are kept: decoders leave out leading pictures after them.
        35 | 38 => Role::Empty,
        _ => Role::Other,
    }
}
