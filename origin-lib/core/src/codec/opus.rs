//! Opus: the identification header (RFC 7845, 5.1), what MP4 makes of it, and how long a packet is (RFC 6716, 3.1).

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{CONFIG_LEN_MAX, ConfigError};
use crate::media::{AudioCoding, AudioConfig};

/// What all Opus is decoded at, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// What most encoders put in a packet, in samples: 20 ms.
pub const FRAME_LEN: u32 = 960;

/// The longest packet, in samples: 120 ms.
pub const FRAME_LEN_MAX: u32 = 5760;

/// How an identification header begins.
pub(super) const MAGIC: &[u8] = b"OpusHead";

/// The parameters in an identification header, with its magic word or without.
///
/// Taken are mono and stereo (mapping family 0) and surround sound of up to eight channels (family 1).
pub fn config(head: &[u8]) -> Result<AudioConfig, ConfigError> {
    const SHORT: ConfigError = ConfigError::Malformed("the Opus header is cut off");
    if head.len() > CONFIG_LEN_MAX {
        return Err(ConfigError::Malformed("the Opus header is longer than 16 KiB"));
    }
    let head = head.strip_prefix(MAGIC).unwrap_or(head);
    let (&[version, channels, s0, s1, r0, r1, r2, r3, g0, g1, family], mapping) =
        head.split_first_chunk::<11>().ok_or(SHORT)?;
    if version & 0xf0 != 0 {
        return Err(ConfigError::Malformed("the Opus header has an unknown version"));
    }
    let mapping = match (family, channels) {
        (0, 1..=2) => &[],
        (1, 1..=8) => mapping.get(..2 + usize::from(channels)).ok_or(SHORT)?,
        (0 | 1, _) => {
            return Err(ConfigError::Malformed("the Opus header has a number of channels that is none"));
        }
        _ => {
            let sent = format!("Opus of channel mapping family {family}");
            return Err(ConfigError::Unsupported { sent, set: "Opus in stereo, or AAC-LC" });
        }
    };
    // dOps (Opus in ISOBMFF, 4.3.2) has the same fields the other way round, and a version of its own.
    let mut record = Vec::from([0, channels, s1, s0, r3, r2, r1, r0, g1, g0, family]);
    record.extend_from_slice(mapping);
    Ok(AudioConfig {
        coding: AudioCoding::Opus,
        record: record.into(),
        codec: "Opus".to_string(),
        sample_rate: SAMPLE_RATE,
        channels,
        frame_len: FRAME_LEN,
    })
}

/// The identification header of these parameters, with its magic word. `record` is the content of a `dOps`.
pub fn head(record: &Bytes) -> Vec<u8> {
    let mut head = Vec::from(MAGIC);
    if let Some((&[_, channels, s1, s0, r3, r2, r1, r0, g1, g0, family], mapping)) =
        record.split_first_chunk()
    {
        head.extend_from_slice(&[1, channels, s0, s1, r0, r1, r2, r3, g0, g1, family]);
        head.extend_from_slice(mapping);
    }
    head
}

/// How many samples at [`SAMPLE_RATE`] a packet has; `None` where it is none.
pub fn packet_len(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        // SILK: 10, 20, 40, 60 ms.
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        // Hybrid: 10, 20 ms.
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        // CELT: 2.5, 5, 10, 20 ms.
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * count).filter(|len| (1..=FRAME_LEN_MAX).contains(len))
}
