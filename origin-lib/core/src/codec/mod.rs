//! What codec parameters say, and which pictures a player can begin with: H.264, H.265, AV1, AAC and Opus.
//!
//! Parameters come from outside, so every read is checked and every text of an error names what to do.

use alloc::string::String;

use bits::Bits;
use bytes::Bytes;

use crate::media::{Colour, VideoCoding, VideoConfig};

pub mod aac;
pub mod av1;
pub mod avc;
mod bits;
pub mod byte_stream;
pub mod hevc;
pub mod latm;
pub mod nal;
pub mod opus;
pub mod silence;

/// The longest codec configuration that is read, in bytes. Real ones have tens of bytes.
pub const CONFIG_LEN_MAX: usize = 16 * 1024;

/// The largest width and height that is taken, in pixels.
pub const SIDE_MAX: u32 = 16_384;

/// The highest frame rate that is believed, in frames a second × 1000.
pub const FRAME_RATE_MILLI_MAX: u64 = 1_000_000;

/// Why a codec configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The bytes make no sense. A later configuration may.
    #[error("{0}")]
    Malformed(&'static str),
    /// The encoder works as set, but viewers can't play it.
    #[error("the encoder sends {sent}: set {set}")]
    Unsupported {
        /// What the encoder sends.
        sent: String,
        /// What to set instead.
        set: &'static str,
    },
}

/// What an access unit of video is to whoever wants to begin with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Decoding may begin here.
    pub key: bool,
    /// As in [`crate::media::Frame::leading`].
    pub leading: bool,
}

/// The parameters in a decoder configuration record ([`VideoConfig::record`]), of a kind that viewers can play, and how many
/// bytes the length before a NAL unit has.
pub fn video(coding: VideoCoding, record: &Bytes) -> Result<(VideoConfig, usize), ConfigError> {
    let (config, length_size) = match coding {
        VideoCoding::Avc => {
            let config = avc::config(record)?;
            // The other codecs' parameters look after that themselves.
            if let Some(error) = avc::unplayable(record) {
                return Err(error);
            }
            (config, avc::length_size(record))
        }
        VideoCoding::Hevc => (hevc::config(record)?, hevc::length_size(record)),
        VideoCoding::Av1 => (av1::config(record)?, Some(0)),
    };
    let cut_off = ConfigError::Malformed("a sequence header that is cut off");
    Ok((config, length_size.ok_or(cut_off)?))
}

/// An access unit as it is kept, with length-prefixed NAL units or as a temporal unit without its delimiter, and what it is;
/// or what is wrong with it.
pub fn picture(
    coding: VideoCoding,
    length_size: usize,
    data: Bytes,
) -> Result<(Bytes, Picture), &'static str> {
    const NAL: &str = "a picture whose NAL unit lengths do not add up: the encoder must send avcC or hvcC format, not Annex B";
    match coding {
        VideoCoding::Avc => {
            let (data, key) = avc::picture(data, length_size).ok_or(NAL)?;
            Ok((data, Picture { key, leading: false }))
        }
        VideoCoding::Hevc => {
            let picture = hevc::picture(&data, length_size).ok_or(NAL)?;
            Ok((data, picture))
        }
        VideoCoding::Av1 => av1::picture(&data).ok_or("a picture whose OBU lengths do not add up"),
    }
}

/// Width and height, where both are 1 to [`SIDE_MAX`].
fn size(width: u32, height: u32) -> Option<(u16, u16)> {
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|_| (1..=SIDE_MAX).contains(&pixels));
    Some((side(width)?, side(height)?))
}

/// Frames a second × 1000 of a clock that ticks `scale` times a second, where a frame lasts `ticks`; none that is beyond belief.
fn frame_rate_milli(scale: u64, ticks: u64) -> Option<u32> {
    let milli = (scale * 1000 + ticks / 2).checked_div(ticks)?;
    u32::try_from(milli).ok().filter(|_| (1..=FRAME_RATE_MILLI_MAX).contains(&milli))
}

/// Reads a colour description, where there is one, as all three video codecs have it. What is all unspecified says nothing.
fn colour(bits: &mut Bits<'_>, full_range: bool) -> Option<Option<Colour>> {
    const UNSPECIFIED: u8 = 2;
    let mut code = [UNSPECIFIED; 3];
    if bits.flag()? {
        for code in &mut code {
            *code = bits.read(8)? as u8;
        }
    }
    let [primaries, transfer, matrix] = code;
    let said = full_range || code != [UNSPECIFIED; 3];
    Some(said.then_some(Colour { primaries, transfer, matrix, full_range }))
}

#[cfg(test)]
mod tests;
