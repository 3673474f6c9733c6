//! The decoder configuration record of parameter sets that came on their own, as MPEG transport streams and RTP bring them.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::bits::Bits;
use crate::codec::nal::{Role, Set, without_emulation_prevention};

const NAL_PPS: u8 = 8;

/// Profiles whose record says how the picture is sampled (ISO/IEC 14496-15, 5.3.3.1.2).
const SAMPLED: [u8; 4] = [100, 110, 122, 144];

/// So much of a parameter set is read here.
const READ_LEN: usize = 64;

/// The `AVCDecoderConfigurationRecord` of these sequence and picture parameter sets, for NAL units behind lengths of four bytes.
///
/// `None` where they are too many or too long for one, or the first makes no sense.
pub fn record<'a>(
    sequence: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    pictures: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Option<Bytes> {
    let first = sequence.clone().next()?;
    let &[_, profile, constraints, level] = first.first_chunk::<4>()?;
    let count = u8::try_from(sequence.len()).ok().filter(|count| *count < 32)?;
    let mut out = Vec::from([1, profile, constraints, level, 0xff, 0xe0 | count]);
    let put = |out: &mut Vec<u8>, set: &[u8]| {
        out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
        out.extend_from_slice(set);
        Some(())
    };
    for set in sequence {
        put(&mut out, set)?;
    }
    out.push(u8::try_from(pictures.len()).ok()?);
    for set in pictures {
        put(&mut out, set)?;
    }
    if SAMPLED.contains(&profile) {
        let [chroma, luma_depth, chroma_depth] = sampling(first)?;
        out.extend_from_slice(&[0xfc | chroma, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
    }
    Some(out.into())
}

/// `chroma_format_idc`, and by how much both bit depths are more than eight.
fn sampling(sps: &[u8]) -> Option<[u8; 3]> {
    const PROFILE_LEN: usize = 4;
    let payload = without_emulation_prevention(sps.get(..sps.len().min(READ_LEN))?);
    let mut bits = Bits::new(payload.get(PROFILE_LEN..)?);
    bits.ue()?; // seq_parameter_set_id
    let chroma = bits.ue().filter(|chroma| *chroma <= 3)?;
    if chroma == 3 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    let depth = |bits: &mut Bits<'_>| bits.ue().filter(|depth| *depth <= 6);
    Some([chroma as u8, depth(&mut bits)? as u8, depth(&mut bits)? as u8])
}

/// Which one of its kind a parameter set is: `seq_parameter_set_id` or `pic_parameter_set_id`.
pub fn set_number(nal: &[u8]) -> Option<u8> {
    let payload = without_emulation_prevention(nal.get(..nal.len().min(READ_LEN))?);
    let (header, rest) = payload.split_first()?;
    let before = if header & 0x1f == super::NAL_SPS { 3 } else { 0 };
    u8::try_from(Bits::new(rest.get(before..)?).ue()?).ok()
}

/// What a NAL unit is to a byte stream (table 7-1). A slice whose first macroblock is its picture's first begins it.
pub fn role(nal: &[u8]) -> Role {
    match nal.first().map(|header| header & 0x1f) {
        Some(1..=5) => Role::Slice { begins: nal.get(1).is_some_and(|first| first & 0x80 != 0) },
        Some(super::NAL_SPS) => Role::Set(Set::Sequence),
        Some(NAL_PPS) => Role::Set(Set::Picture),
        // Delimiters, ends of sequence and stream, filling.
        None | Some(9..=12) => Role::Empty,
        Some(_) => Role::Other,
    }
}
