//! From samples back to message bodies.

use alloc::vec::Vec;

use super::TagKind;
use crate::media::{AudioConfig, Kind, Sample, VideoConfig};

/// `FrameType` and `CodecID` of H.264 (E.4.3.1): a key frame, and any other.
const KEY: u8 = 0x17;
const INTER: u8 = 0x27;

/// `SoundFormat` AAC with the constant values that go with it (E.4.2.1).
const AAC: u8 = 0xaf;

/// Presentation minus decoding time in the 24 bits that FLV has for it.
const CTS_MAX: i32 = 0x7f_ffff;

/// The body of the message that tells video parameters.
pub fn video_header(config: &VideoConfig) -> Vec<u8> {
    let mut body = Vec::from([KEY, 0, 0, 0, 0]);
    body.extend_from_slice(&config.record);
    body
}

/// The body of the message that tells audio parameters.
pub fn audio_header(config: &AudioConfig) -> Vec<u8> {
    let mut body = Vec::from([AAC, 0]);
    body.extend_from_slice(&config.record);
    body
}

/// The kind and body of a sample's message.
pub fn body(sample: &Sample) -> (TagKind, Vec<u8>) {
    let mut body = Vec::with_capacity(sample.data.len() + 5);
    let kind = match sample.kind {
        Kind::Video => {
            let [_, high, middle, low] = (sample.cts / 90).clamp(-CTS_MAX, CTS_MAX).to_be_bytes();
            body.extend_from_slice(&[if sample.key { KEY } else { INTER }, 1, high, middle, low]);
            TagKind::Video
        }
        Kind::Audio => {
            body.extend_from_slice(&[AAC, 1]);
            TagKind::Audio
        }
    };
    body.extend_from_slice(&sample.data);
    (kind, body)
}
