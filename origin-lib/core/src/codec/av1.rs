//! AV1: `AV1CodecConfigurationRecord` (AV1 in ISOBMFF, 2.3), the sequence header (AV1, 5.5), and which temporal units a decoder
//! can begin with.

use alloc::format;
use alloc::string::String;

use bytes::Bytes;

use super::bits::Bits;
use super::{CONFIG_LEN_MAX, ConfigError, Picture};
use crate::media::{Colour, VideoCoding, VideoConfig};

mod record;

pub use record::record;

/// `obu_type` (AV1, 6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const METADATA: u8 = 5;
const FRAME: u8 = 6;

/// Length of a record before its OBUs.
const RECORD_LEN: usize = 4;

/// The parameters in an `AV1CodecConfigurationRecord`, which must have its sequence header with it.
pub fn config(av1c: &Bytes) -> Result<VideoConfig, ConfigError> {
    if av1c.len() > CONFIG_LEN_MAX {
        return Err(ConfigError::Malformed("the AV1 sequence header is longer than 16 KiB"));
    }
    let (head, units) = av1c
        .split_at_checked(RECORD_LEN)
        .ok_or(ConfigError::Malformed("the AV1 configuration record is cut off"))?;
    if head.first() != Some(&0x81) {
        return Err(ConfigError::Malformed(
            "the AV1 configuration record is not an av1C record of version 1",
        ));
    }
    let mut header = None;
    for unit in obus(units) {
        let (kind, payload) =
            unit.ok_or(ConfigError::Malformed("the AV1 configuration record is cut off"))?;
        if kind == SEQUENCE_HEADER {
            header = header.or(Some(payload));
        }
    }
    let header =
        header.ok_or(ConfigError::Malformed("the AV1 configuration record has no sequence header"))?;
    let sequence = Sequence::read(&mut Bits::new(header))
        .ok_or(ConfigError::Malformed("the AV1 sequence header makes no sense"))?;
    let Some((width, height)) = super::size(sequence.width, sequence.height) else {
        return Err(ConfigError::Malformed("the AV1 picture is not 1 to 16384 pixels wide and high"));
    };
    if sequence.profile > 0 {
        let name = if sequence.profile == 1 { "High" } else { "Professional" };
        let sent = format!("AV1 {name}, which browsers do not play");
        return Err(ConfigError::Unsupported { sent, set: "AV1 Main (8 or 10 bits, 4:2:0)" });
    }
    Ok(VideoConfig {
        coding: VideoCoding::Av1,
        record: av1c.clone(),
        codec: sequence.codec(),
        width,
        height,
        frame_rate_milli: sequence.frame_rate_milli,
        colour: sequence.colour,
    })
}

/// A temporal unit without the delimiter that MP4 does not have, and what it is to whoever wants to begin with it: a unit whose
/// first frame is a key frame that is shown (AV1 in ISOBMFF, 2.4).
///
/// `None` where the lengths do not add up to the unit's own length.
pub fn picture(unit: &Bytes) -> Option<(Bytes, Picture)> {
    let mut picture = None;
    for obu in obus(unit) {
        let (kind, payload) = obu?;
        if picture.is_none() && (kind == FRAME || kind == FRAME_HEADER) {
            // show_existing_frame, frame_type, show_frame
            picture = Some(Picture { key: payload.first()? & 0xf0 == 0x10, leading: false });
        }
    }
    let mut data = unit.clone();
    while let Some((TEMPORAL_DELIMITER, _, rest)) = first(&data) {
        data = data.slice(data.len() - rest.len()..);
    }
    Some((data, picture.unwrap_or_default()))
}

/// The messages of ITU-T T.35 in a unit's metadata, from their country code on (AV1, 5.8.2): zeros and the trailing bits follow them. Up to where
/// lengths do not add up.
pub fn registered(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    /// `metadata_type` (AV1, 6.7.1).
    const ITUT_T35: usize = 4;
    obus(unit).map_while(|obu| obu).filter_map(|(kind, mut payload)| {
        (kind == METADATA && leb128(&mut payload)? == ITUT_T35).then_some(payload)
    })
}

/// The OBUs of a unit: type and payload (AV1, 5.3); `None`, and nothing more, where the lengths do not add up.
fn obus(mut unit: &[u8]) -> impl Iterator<Item = Option<(u8, &[u8])>> {
    core::iter::from_fn(move || {
        if unit.is_empty() {
            return None;
        }
        let next = first(unit);
        unit = next.map_or(&[], |(_, _, rest)| rest);
        Some(next.map(|(kind, payload, _)| (kind, payload)))
    })
}

/// The first OBU, and what follows it.
fn first(unit: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, mut rest) = unit.split_first()?;
    if header & 0x80 != 0 {
        return None;
    }
    if header & 4 != 0 {
        rest = rest.get(1..)?; // obu_extension_header
    }
    let (payload, rest) = match header & 2 {
        0 => (rest, &[][..]), // the last one needs no length
        _ => {
            let len = leb128(&mut rest)?;
            rest.split_at_checked(len)?
        }
    };
    Some((header >> 3 & 0xf, payload, rest))
}

/// AV1, 4.10.5.
fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for n in 0..8 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (n * 7);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok().filter(|_| value <= u64::from(u32::MAX));
        }
    }
    None
}

/// What is read from a sequence header.
struct Sequence {
    profile: u32,
    level: u32,
    high_tier: bool,
    width: u32,
    height: u32,
    frame_rate_milli: Option<u32>,
    bit_depth: u32,
    monochrome: bool,
    /// `subsampling_x`, `subsampling_y`, `chroma_sample_position`.
    chroma: [u32; 3],
    colour: Option<Colour>,
}

impl Sequence {
    fn read(bits: &mut Bits<'_>) -> Option<Sequence> {
        let profile = bits.read(3).filter(|profile| *profile <= 2)?;
        bits.skip(1)?; // still_picture
        let still = bits.flag()?; // reduced_still_picture_header
        let (mut frame_rate_milli, mut level, mut high_tier) = (None, 0, false);
        if still {
            level = bits.read(5)?;
        } else {
            let mut delay_bits = None;
            if bits.flag()? {
                frame_rate_milli = timing(bits)?;
                if bits.flag()? {
                    delay_bits = Some(bits.read(5)? + 1);
                    bits.skip(32)?; // num_units_in_decoding_tick
                    bits.skip(10)?; // buffer_removal_time_length_minus_1, frame_presentation_time_length_minus_1
                }
            }
            let display_delays = bits.flag()?;
            for point in 0..=bits.read(5)? {
                bits.skip(12)?; // operating_point_idc
                let of_point = bits.read(5)?;
                let high = of_point > 7 && bits.flag()?;
                if let Some(delay_bits) = delay_bits
                    && bits.flag()?
                {
                    bits.skip(delay_bits)?; // decoder_buffer_delay
                    bits.skip(delay_bits)?; // encoder_buffer_delay
                    bits.skip(1)?; // low_delay_mode_flag
                }
                if display_delays && bits.flag()? {
                    bits.skip(4)?; // initial_display_delay_minus_1
                }
                if point == 0 {
                    (level, high_tier) = (of_point, high);
                }
            }
        }
        let (width_bits, height_bits) = (bits.read(4)? + 1, bits.read(4)? + 1);
        let (width, height) = (bits.read(width_bits)? + 1, bits.read(height_bits)? + 1);
        skip_tools(bits, still)?;
        let sequence = Sequence {
            profile,
            level,
            high_tier,
            width,
            height,
            frame_rate_milli,
            bit_depth: 8,
            monochrome: false,
            chroma: [1, 1, 0],
            colour: None,
        };
        sequence.with_colour(bits)
    }

    /// `color_config` (5.5.2).
    fn with_colour(mut self, bits: &mut Bits<'_>) -> Option<Sequence> {
        let high = bits.flag()?;
        self.bit_depth = match high {
            true if self.profile == 2 && bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        self.monochrome = self.profile != 1 && bits.flag()?;
        let colour = super::colour(bits, false)?;
        let is_rgb = colour.is_some_and(|c| (c.primaries, c.transfer, c.matrix) == (1, 13, 0));
        let full_range = is_rgb && !self.monochrome || bits.flag()?;
        self.chroma = match self.profile {
            _ if self.monochrome => [1, 1, 0],
            _ if is_rgb => [0, 0, 0],
            0 => [1, 1, 0],
            1 => [0, 0, 0],
            _ if self.bit_depth == 12 => {
                let x = bits.read(1)?;
                [x, if x == 1 { bits.read(1)? } else { 0 }, 0]
            }
            _ => [1, 0, 0],
        };
        if !self.monochrome && self.chroma[..2] == [1, 1] {
            self.chroma[2] = bits.read(2)?;
        }
        self.colour = match colour {
            Some(colour) => Some(Colour { full_range, ..colour }),
            None if full_range => Some(Colour { primaries: 2, transfer: 2, matrix: 2, full_range }),
            None => None,
        };
        Some(self)
    }

    /// AV1 in ISOBMFF, 5: what goes without saying is left out.
    fn codec(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'M' };
        let short = format!("av01.{}.{:02}{tier}.{:02}", self.profile, self.level, self.bit_depth);
        let usual = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };
        match self.colour {
            Some(colour) if colour != usual => {
                let (mono, [x, y, position]) = (u8::from(self.monochrome), self.chroma);
                let Colour { primaries, transfer, matrix, full_range } = colour;
                let full = u8::from(full_range);
                format!("{short}.{mono}.{x}{y}{position}.{primaries:02}.{transfer:02}.{matrix:02}.{full}")
            }
            _ => short,
        }
    }
}

/// `timing_info` (5.5.3): frames a second × 1000, where all frames last the same.
fn timing(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    let (units, scale) = (u64::from(bits.read(32)?), u64::from(bits.read(32)?));
    if !bits.flag()? {
        return Some(None);
    }
    // uvlc is ue but for its longest code, which says nothing here.
    let ticks = u64::from(bits.ue()?) + 1;
    Some(units.checked_mul(ticks).and_then(|ticks| super::frame_rate_milli(scale, ticks)))
}

/// What lies between the picture's size and its colour (5.5.1).
fn skip_tools(bits: &mut Bits<'_>, still: bool) -> Option<()> {
    if !still && bits.flag()? {
        bits.skip(7)?; // delta_frame_id_length_minus_2, additional_frame_id_length_minus_1
    }
    bits.skip(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !still {
        bits.skip(4)?; // enable_interintra_compound to enable_dual_filter
        let order_hints = bits.flag()?;
        if order_hints {
            bits.skip(2)?; // enable_jnt_comp, enable_ref_frame_mvs
        }
        let screen_content = bits.flag()? || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hints {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // enable_superres, enable_cdef, enable_restoration
}
