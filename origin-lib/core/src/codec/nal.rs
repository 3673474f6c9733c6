//! NAL units (ITU-T H.264 and H.265, 7.3.1), each behind its length, as FLV and MP4 carry them.

use alloc::vec::Vec;

use super::bits::Bits;
use crate::media::Colour;

/// What a NAL unit is to a byte stream of video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A parameter set.
    Set(Set),
    /// A piece of a picture; whether it is the first one.
    Slice {
        /// The picture begins with it.
        begins: bool,
    },
    /// What only says where something begins or ends, fills, or belongs to another layer: boxes do without it.
    Empty,
    /// Anything else that belongs to an access unit.
    Other,
}

/// Which kind of parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Of the whole stream; H.264 has none.
    Video,
    /// Of a sequence of pictures.
    Sequence,
    /// Of pictures.
    Picture,
}

/// The NAL units of an access unit whose lengths have `length_size` bytes; `None`, and nothing more, where the lengths do not
/// add up to the access unit's own.
pub fn units(mut unit: &[u8], length_size: usize) -> impl Iterator<Item = Option<&[u8]>> {
    core::iter::from_fn(move || {
        if unit.is_empty() {
            return None;
        }
        let next = first(unit, length_size);
        unit = next.map_or(&[], |(_, rest)| rest);
        Some(next.map(|(nal, _)| nal))
    })
}

fn first(unit: &[u8], length_size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = unit.split_at_checked(length_size)?;
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

/// The next of the NAL units that a configuration record has, each behind 16 bits of length.
pub(super) fn set<'a>(record: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (nal, rest) = first(record, 2)?;
    *record = rest;
    Some(nal)
}

/// The NAL unit's payload without the bytes that keep start codes out of it (H.264, 7.4.1.1).
pub(crate) fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Reads the beginning of a VUI, which both standards have in common, up to what the numbers mean (H.264, E.1.1; H.265, E.2.1).
pub(super) fn colour(bits: &mut Bits<'_>) -> Option<Option<Colour>> {
    const EXTENDED_SAR: u32 = 255;
    if bits.flag()? && bits.read(8)? == EXTENDED_SAR {
        bits.skip(32)?; // sar_width, sar_height
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    let mut colour = None;
    if bits.flag()? {
        bits.skip(3)?; // video_format
        let full_range = bits.flag()?;
        colour = super::colour(bits, full_range)?;
    }
    if bits.flag()? {
        bits.ue()?; // chroma_sample_loc_type_top_field
        bits.ue()?; // chroma_sample_loc_type_bottom_field
    }
    Some(colour)
}

/// Reads the timing of a VUI, where it is there: frames a second × 1000. A frame lasts `ticks` of the stream's.
pub(super) fn frame_rate(bits: &mut Bits<'_>, ticks: u64) -> Option<u32> {
    if !bits.flag()? {
        return None;
    }
    let (units, scale) = (u64::from(bits.read(32)?), u64::from(bits.read(32)?));
    super::frame_rate_milli(scale, units * ticks)
}
