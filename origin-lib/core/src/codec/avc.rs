//! H.264: `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1) and the sequence parameter set
//! (ITU-T H.264, 7.3.2.1 and annex E).

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::bits::Bits;
use super::{CONFIG_LEN_MAX, ConfigError, nal};
use crate::media::{Colour, VideoCoding, VideoConfig};

mod record;

pub use record::{record, role, set_number};

/// Profiles that no browser decodes (ISO/IEC 14496-10, annex A, `profile_idc`).
const UNPLAYABLE: [(u8, &str); 4] =
    [(44, "H.264 CAVLC 4:4:4"), (110, "H.264 High 10"), (122, "H.264 High 4:2:2"), (244, "H.264 High 4:4:4")];

const NAL_SPS: u8 = 7;
/// A slice of a picture that is none of IDR. Up to [`NAL_IDR`], all are pieces of pictures.
const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SEI: u8 = 6;

/// The parameters in an `AVCDecoderConfigurationRecord`. Where it has several parameter sets, the first one decides. What stands
/// behind them and does not add up is left out of the record: players would take it for damaged as a whole.
pub fn config(avcc: &Bytes) -> Result<VideoConfig, ConfigError> {
    if avcc.len() > CONFIG_LEN_MAX {
        return Err(ConfigError::Malformed("the H.264 sequence header is longer than 16 KiB"));
    }
    let (sps, behind) = first_sps(avcc)?;
    let damaged = if is_extension(behind) { 0 } else { behind.len() };
    let parsed =
        sps_of(sps).ok_or(ConfigError::Malformed("the H.264 sequence parameter set makes no sense"))?;
    let Some((width, height)) = super::size(parsed.width, parsed.height) else {
        return Err(ConfigError::Malformed("the H.264 picture is not 1 to 16384 pixels wide and high"));
    };
    let [profile, constraints, level] = parsed.profile;
    Ok(VideoConfig {
        coding: VideoCoding::Avc,
        record: avcc.slice(..avcc.len() - damaged),
        codec: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
        width,
        height,
        frame_rate_milli: parsed.frame_rate_milli,
        colour: parsed.colour,
    })
}

/// Why a feed with this configuration record can't be used, where no browser decodes its profile.
pub fn unplayable(avcc: &[u8]) -> Option<ConfigError> {
    let (_, sent) = UNPLAYABLE.iter().find(|(profile, _)| avcc.get(1) == Some(profile))?;
    let sent = format!("{sent}, which browsers do not play");
    Some(ConfigError::Unsupported { sent, set: "H.264 High, Main or Baseline (8-bit 4:2:0: yuv420p)" })
}

/// How many bytes the length before each NAL unit has: 1, 2 or 4. `None` where `avcc` is no configuration record.
pub fn length_size(avcc: &[u8]) -> Option<usize> {
    let size = usize::from(avcc.get(4)? & 3) + 1;
    (size != 3).then_some(size)
}

/// An access unit of length-prefixed NAL units as it is kept, and whether it contains a slice of an IDR picture.
///
/// Enhancement information behind all slices is put before them (7.4.1.2.3): it would begin another access unit, and decoders
/// complain. OBS' multitrack video has its statistics there, with each key frame.
///
/// `None` where the lengths do not add up to the unit's own.
pub fn picture(unit: Bytes, length_size: usize) -> Option<(Bytes, bool)> {
    let (mut idr, mut at) = (false, 0);
    // Where the slices begin, and what stands behind the last of them that belongs before them.
    let mut slices = None;
    let mut late = Vec::new();
    for nal in nal::units(&unit, length_size) {
        let nal = nal?;
        let end = at + length_size + nal.len();
        match nal.first().map_or(0, |header| header & 0x1f) {
            kind @ NAL_SLICE..=NAL_IDR => {
                idr |= kind == NAL_IDR;
                slices = slices.or(Some(at));
                // Between the fields of a frame it has its place.
                late.clear();
            }
            NAL_SEI if slices.is_some() => late.push(at..end),
            _ => {}
        }
        at = end;
    }
    let Some(slices) = slices.filter(|_| !late.is_empty()) else { return Some((unit, idr)) };
    let mut ordered = Vec::with_capacity(unit.len());
    ordered.extend_from_slice(&unit[..slices]);
    late.iter().for_each(|range| ordered.extend_from_slice(&unit[range.clone()]));
    let mut from = slices;
    for range in late {
        ordered.extend_from_slice(&unit[from..range.start]);
        from = range.end;
    }
    ordered.extend_from_slice(&unit[from..]);
    Some((ordered.into(), idr))
}

/// The messages of a NAL unit of supplemental enhancement information (7.3.2.3), emulation prevention included; `None` for any
/// other.
pub fn sei(nal: &[u8]) -> Option<&[u8]> {
    let (header, messages) = nal.split_first()?;
    (header & 0x1f == NAL_SEI).then_some(messages)
}

/// Walks the whole record, so that a cut-off one is refused, and returns its first SPS and what stands behind the last set.
fn first_sps(avcc: &[u8]) -> Result<(&[u8], &[u8]), ConfigError> {
    const SHORT: ConfigError = ConfigError::Malformed("the H.264 sequence header is cut off");
    let (head, mut rest) = avcc.split_at_checked(6).ok_or(SHORT)?;
    if head.first() != Some(&1) || length_size(avcc).is_none() {
        return Err(ConfigError::Malformed("the H.264 sequence header is not an avcC record of version 1"));
    }
    let mut first = None;
    for _ in 0..head.last().map_or(0, |count| count & 0x1f) {
        let sps = nal::set(&mut rest).ok_or(SHORT)?;
        first = first.or(Some(sps));
    }
    let Some(first) = first else {
        return Err(ConfigError::Malformed("the H.264 sequence header has no sequence parameter set"));
    };
    let (pictures, after) = rest.split_first().ok_or(SHORT)?;
    rest = after;
    for _ in 0..*pictures {
        nal::set(&mut rest).ok_or(SHORT)?;
    }
    if *pictures == 0 {
        return Err(ConfigError::Malformed("the H.264 sequence header has no picture parameter set"));
    }
    Ok((first, rest))
}

/// Whether this is what may stand behind the sets: nothing, or how the picture is sampled and further sets.
fn is_extension(behind: &[u8]) -> bool {
    let Some((&[.., count], mut sets)) = behind.split_first_chunk::<4>() else { return behind.is_empty() };
    (0..count).all(|_| nal::set(&mut sets).is_some()) && sets.is_empty()
}

/// What is read from a sequence parameter set.
struct Sps {
    /// profile_idc, the constraint flags' byte, level_idc.
    profile: [u8; 3],
    width: u32,
    height: u32,
    frame_rate_milli: Option<u32>,
    colour: Option<Colour>,
}

fn sps_of(nal: &[u8]) -> Option<Sps> {
    let (header, payload) = nal.split_first()?;
    if header & 0x1f != NAL_SPS {
        return None;
    }
    let payload = nal::without_emulation_prevention(payload);
    let (profile, rest) = payload.split_first_chunk::<3>()?;
    let mut bits = Bits::new(rest);
    bits.ue()?; // seq_parameter_set_id
    let mut chroma_format = 1;
    let mut separate_planes = false;
    if matches!(profile[0], 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244) {
        chroma_format = bits.ue()?;
        if chroma_format > 3 {
            return None;
        }
        separate_planes = chroma_format == 3 && bits.flag()?;
        bits.ue()?; // bit_depth_luma_minus8
        bits.ue()?; // bit_depth_chroma_minus8
        bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            for index in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if index < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?; // log2_max_frame_num_minus4
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?;
            for _ in 0..Some(cycle).filter(|count| *count <= 255)? {
                bits.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    bits.ue()?; // max_num_ref_frames
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_height = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let frames_only = bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    if !frames_only {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let (mut width, mut height) = (width, map_height.checked_mul(fields)?);
    if bits.flag()? {
        // Table 6-1: how many luma samples a unit of cropping stands for. Separate planes count as monochrome.
        let (unit_x, unit_y) = match if separate_planes { 0 } else { chroma_format } {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y * fields)?)?;
    }
    // A VUI that is cut off costs only what it says.
    let vui = bits.flag() == Some(true);
    let colour = if vui { nal::colour(&mut bits) } else { None };
    // A tick is a field's time: two make a frame.
    let frame_rate_milli = colour.and_then(|_| nal::frame_rate(&mut bits, 2));
    Some(Sps { profile: *profile, width, height, frame_rate_milli, colour: colour.flatten() })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}
