//! The sequence parameter set (ITU-T H.265, 7.3.2.2), read as far as its VUI's timing.

use super::super::bits::Bits;
use super::super::nal;
use super::{Profile, SPS, kind};
use crate::media::Colour;

/// The most short-term and long-term reference picture sets, and pictures of one (7.4.3.2).
const SHORT_TERM_MAX: u32 = 64;
const LONG_TERM_MAX: u32 = 32;
const PICTURES_MAX: u32 = 16;

/// What is read from a sequence parameter set.
pub(super) struct Sps {
    pub(super) profile: Profile,
    /// `chroma_format_idc`.
    pub(super) chroma_format: u32,
    /// By how much the bit depths of luma and chroma are more than eight.
    pub(super) bits_above_8: [u8; 2],
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frame_rate_milli: Option<u32>,
    pub(super) colour: Option<Colour>,
}

pub(super) fn parse(nal: &[u8]) -> Option<Sps> {
    let (header, payload) = nal.split_first_chunk::<2>()?;
    if kind(header[0]) != SPS {
        return None;
    }
    let payload = nal::without_emulation_prevention(payload);
    let mut bits = Bits::new(&payload);
    let (profile, sub_layers, _) = beginning(&mut bits)?;
    let chroma_format = bits.ue().filter(|format| *format <= 3)?;
    if chroma_format == 3 {
        bits.skip(1)?; // separate_colour_plane_flag: each plane is as large as the picture either way
    }
    let (mut width, mut height) = (bits.ue()?, bits.ue()?);
    if bits.flag()? {
        // Table 6-1: how many luma samples a unit of the conformance window stands for.
        let (unit_x, unit_y) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
    }
    let mut above_8 = || bits.ue().filter(|more| *more <= 8).map(|more| more as u8);
    let bits_above_8 = [above_8()?, above_8()?];
    // What is wrong from here on costs only what the VUI says.
    let (colour, frame_rate_milli) = vui(&mut bits, sub_layers).unwrap_or_default();
    Some(Sps { profile, chroma_format, bits_above_8, width, height, frame_rate_milli, colour })
}

/// Reads what lies before the picture's format: its profile, how many sub-layers there are above the first one, and the set's
/// number.
pub(super) fn beginning(bits: &mut Bits<'_>) -> Option<(Profile, u32, u32)> {
    bits.skip(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.read(3)?;
    bits.skip(1)?; // sps_temporal_id_nesting_flag
    let profile = Profile::read(bits)?;
    skip_sub_layers(bits, sub_layers)?;
    Some((profile, sub_layers, bits.ue()?))
}

/// The rest of `profile_tier_level` (7.3.3).
fn skip_sub_layers(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let mut present = [(false, false); 8];
    for (n, present) in present.iter_mut().enumerate() {
        *present = (bits.flag()?, bits.flag()?);
        if n as u32 >= count {
            *present = (false, false);
        }
    }
    for (profile, level) in present {
        if profile {
            bits.skip(32)?;
            bits.skip(32)?;
            bits.skip(24)?;
        }
        if level {
            bits.skip(8)?;
        }
    }
    Some(())
}

/// What the VUI says, and what lies before it.
fn vui(bits: &mut Bits<'_>, sub_layers: u32) -> Option<(Option<Colour>, Option<u32>)> {
    let order_bits = 4 + bits.ue().filter(|more| *more <= 12)?;
    let said = if bits.flag()? { sub_layers + 1 } else { 1 };
    for _ in 0..said * 3 {
        bits.ue()?; // buffering, reordering and latency of each sub-layer
    }
    for _ in 0..6 {
        bits.ue()?; // sizes of blocks, depths of the transform hierarchy
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // pcm_sample_bit_depth_luma_minus1, pcm_sample_bit_depth_chroma_minus1
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?; // pcm_loop_filter_disabled_flag
    }
    let sets = bits.ue().filter(|count| *count <= SHORT_TERM_MAX)?;
    let mut pictures = 0;
    for number in 0..sets {
        pictures = short_term_set(bits, number, pictures)?;
    }
    if bits.flag()? {
        for _ in 0..bits.ue().filter(|count| *count <= LONG_TERM_MAX)? {
            bits.skip(order_bits + 1)?; // lt_ref_pic_poc_lsb_sps, used_by_curr_pic_lt_sps_flag
        }
    }
    bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    if !bits.flag()? {
        return None;
    }
    let colour = nal::colour(bits)?;
    Some((colour, frame_rate(bits)))
}

/// The rest of the VUI up to its timing (E.2.1).
fn frame_rate(bits: &mut Bits<'_>) -> Option<u32> {
    bits.skip(1)?; // neutral_chroma_indication_flag
    let fields = bits.flag()?;
    bits.skip(1)?; // frame_field_info_present_flag
    if bits.flag()? {
        for _ in 0..4 {
            bits.ue()?; // default display window
        }
    }
    // A tick is a picture's time; of fields, two make a frame.
    nal::frame_rate(bits, if fields { 2 } else { 1 })
}

/// `scaling_list_data` (7.3.4).
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4_u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                bits.se()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..(1 << (4 + (size << 1))).min(64) {
                bits.se()?;
            }
        }
    }
    Some(())
}

/// `st_ref_pic_set` (7.3.7). Returns how many pictures it has; `before` is how many the set before it has.
fn short_term_set(bits: &mut Bits<'_>, number: u32, before: u32) -> Option<u32> {
    if number > 0 && bits.flag()? {
        bits.skip(1)?; // delta_rps_sign
        bits.ue()?; // abs_delta_rps_minus1
        let mut pictures = 0;
        for _ in 0..=before {
            let used = bits.flag()?;
            if used || bits.flag()? {
                pictures += 1;
            }
        }
        return Some(pictures).filter(|count| *count <= PICTURES_MAX);
    }
    let (negative, positive) = (bits.ue()?, bits.ue()?);
    let pictures = negative.checked_add(positive).filter(|count| *count <= PICTURES_MAX)?;
    for _ in 0..pictures {
        bits.ue()?; // delta_poc_minus1
        bits.skip(1)?; // used_by_curr_pic_flag
    }
    Some(pictures)
}
