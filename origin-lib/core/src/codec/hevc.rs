//! H.265: `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 8.3.3.1), the sequence parameter set (ITU-T H.265, 7.3.2.2 and
//! annex E), and which pictures a decoder can begin with.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use bytes::Bytes;

use super::bits::Bits;
use super::{CONFIG_LEN_MAX, ConfigError, Picture, nal};
use crate::media::{VideoCoding, VideoConfig};

mod record;
mod sps;

pub use record::{record, role, set_number};

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const PREFIX_SEI: u8 = 39;
const SUFFIX_SEI: u8 = 40;

/// Where a record's arrays of parameter sets begin.
const ARRAYS_AT: usize = 22;

/// What an encoder may be set to instead of what viewers can't play.
const SET: &str = "HEVC Main or Main 10 (4:2:0)";

/// The parameters in an `HEVCDecoderConfigurationRecord`. Where it has several sequence parameter sets, the first one decides.
pub fn config(hvcc: &Bytes) -> Result<VideoConfig, ConfigError> {
    if hvcc.len() > CONFIG_LEN_MAX {
        return Err(ConfigError::Malformed("the H.265 sequence header is longer than 16 KiB"));
    }
    let sps = sps::parse(first_sps(hvcc)?)
        .ok_or(ConfigError::Malformed("the H.265 sequence parameter set makes no sense"))?;
    let Some((width, height)) = super::size(sps.width, sps.height) else {
        return Err(ConfigError::Malformed("the H.265 picture is not 1 to 16384 pixels wide and high"));
    };
    if let Some(sent) = sps.unplayable() {
        let sent = format!("{sent}, which browsers do not play");
        return Err(ConfigError::Unsupported { sent, set: SET });
    }
    Ok(VideoConfig {
        coding: VideoCoding::Hevc,
        record: hvcc.clone(),
        codec: sps.profile.codec(),
        width,
        height,
        frame_rate_milli: sps.frame_rate_milli,
        colour: sps.colour,
    })
}

/// How many bytes the length before each NAL unit has: 1, 2 or 4. `None` where `hvcc` is no configuration record.
pub fn length_size(hvcc: &[u8]) -> Option<usize> {
    let size = usize::from(hvcc.get(ARRAYS_AT - 1)? & 3) + 1;
    (size != 3).then_some(size)
}

/// What an access unit of length-prefixed NAL units is to whoever wants to begin with it (7.4.2.2): IDR, BLA and CRA pictures
/// are keys, RASL pictures are leading.
///
/// `None` where the lengths do not add up to the unit's own length.
pub fn picture(unit: &[u8], length_size: usize) -> Option<Picture> {
    const RASL: [u8; 2] = [8, 9];
    const KEYS: core::ops::RangeInclusive<u8> = 16..=21;
    let mut picture = Picture::default();
    for nal in nal::units(unit, length_size) {
        let Some(kind) = nal?.first().map(|header| kind(*header)) else { continue };
        picture.key |= KEYS.contains(&kind);
        picture.leading |= RASL.contains(&kind);
    }
    Some(picture)
}

/// The messages of a NAL unit of supplemental enhancement information (7.3.2.4), emulation prevention included; `None` for any
/// other.
pub fn sei(nal: &[u8]) -> Option<&[u8]> {
    let (&[header, _], messages) = nal.split_first_chunk::<2>()?;
    [PREFIX_SEI, SUFFIX_SEI].contains(&kind(header)).then_some(messages)
}

/// `nal_unit_type`, from the first byte of a NAL unit.
fn kind(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// Walks the whole record, so that a cut-off one is refused, and returns its first SPS.
fn first_sps(hvcc: &[u8]) -> Result<&[u8], ConfigError> {
    const SHORT: ConfigError = ConfigError::Malformed("the H.265 sequence header is cut off");
    // Version 0 was written before the standard was out, in the same form.
    if hvcc.first().is_some_and(|version| *version > 1) {
        return Err(ConfigError::Malformed("the H.265 sequence header is not an hvcC record of version 1"));
    }
    let (&arrays, mut rest) = hvcc.get(ARRAYS_AT..).and_then(<[u8]>::split_first).ok_or(SHORT)?;
    if length_size(hvcc).is_none() {
        return Err(ConfigError::Malformed("the H.265 sequence header has lengths of three bytes"));
    }
    let (mut found, mut first) = ([false; 3], None);
    for _ in 0..arrays {
        let (&[head, high, low], after) = rest.split_first_chunk::<3>().ok_or(SHORT)?;
        rest = after;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let set = nal::set(&mut rest).ok_or(SHORT)?;
            let number = head & 0x3f;
            for (kind, found) in [VPS, SPS, PPS].into_iter().zip(&mut found) {
                *found |= number == kind;
            }
            if number == SPS {
                first = first.or(Some(set));
            }
        }
    }
    match first {
        Some(first) if found == [true; 3] => Ok(first),
        _ => Err(ConfigError::Malformed("the H.265 sequence header lacks one of VPS, SPS and PPS")),
    }
}

/// `profile_tier_level` as far as it is the stream's own (7.3.3).
struct Profile {
    space: u32,
    high_tier: bool,
    number: u32,
    compatibility: u32,
    constraints: [u8; 6],
    level: u32,
}

impl Profile {
    fn read(bits: &mut Bits<'_>) -> Option<Profile> {
        let (space, high_tier, number) = (bits.read(2)?, bits.flag()?, bits.read(5)?);
        let compatibility = bits.read(32)?;
        let mut constraints = [0; 6];
        for byte in &mut constraints {
            *byte = bits.read(8)? as u8;
        }
        Some(Profile { space, high_tier, number, compatibility, constraints, level: bits.read(8)? })
    }

    /// ISO/IEC 14496-15, annex E.3.
    fn codec(&self) -> String {
        let space = ["", "A", "B", "C"][self.space as usize & 3];
        let tier = if self.high_tier { 'H' } else { 'L' };
        let compatibility = self.compatibility.reverse_bits();
        let mut codec = format!("hvc1.{space}{}.{compatibility:X}.{tier}{}", self.number, self.level);
        let last = self.constraints.iter().rposition(|byte| *byte != 0);
        for byte in self.constraints.iter().take(last.map_or(0, |last| last + 1)) {
            // Writing to a text does not fail.
            let _ = write!(codec, ".{byte:X}");
        }
        codec
    }

    /// Whether it is this profile, or decoders of this profile can decode it.
    fn is(&self, number: u32) -> bool {
        self.number == number || self.compatibility >> (31 - number) & 1 == 1
    }
}

impl sps::Sps {
    /// The larger one of luma's and chroma's.
    fn bit_depth(&self) -> u32 {
        let [luma, chroma] = self.bits_above_8;
        8 + u32::from(luma.max(chroma))
    }

    /// What no browser decodes, by name.
    fn unplayable(&self) -> Option<String> {
        const MAIN: u32 = 1;
        const MAIN_10: u32 = 2;
        let chroma = match self.chroma_format {
            0 => "monochrome",
            1 if self.bit_depth() <= 10 && (self.profile.is(MAIN) || self.profile.is(MAIN_10)) => {
                return None;
            }
            1 => "4:2:0",
            2 => "4:2:2",
            _ => "4:4:4",
        };
        let profile = match self.profile.number {
            1..=3 => "HEVC",
            4 => "HEVC range extensions",
            9 | 11 => "HEVC screen content",
            other => return Some(format!("HEVC of profile {other}")),
        };
        Some(format!("{profile} {chroma} of {} bits", self.bit_depth()).to_string())
    }
}
