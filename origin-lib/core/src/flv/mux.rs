//! From samples back to message bodies: H.264 and AAC in the old form, which every server knows, other codecs in that of Enhanced
//! RTMP.

use alloc::vec::Vec;

use super::{TagKind, enhanced};
use crate::codec::opus;
use crate::media::{AudioCoding, AudioConfig, Kind, Sample, Tracks, VideoCoding, VideoConfig};

/// `FrameType` (E.4.3.1): a key frame, and any other.
const KEY: u8 = 1 << 4;
const INTER: u8 = 2 << 4;

/// `CodecID` of H.264 (E.4.3.1), and what says in its place that a FourCC follows.
const H264: u8 = 7;
const ENHANCED_VIDEO: u8 = 0x80;

/// `SoundFormat` AAC with the constant values that go with it (E.4.2.1), and what says that a FourCC follows.
const AAC: u8 = 0xaf;
const ENHANCED_AUDIO: u8 = 0x90;

/// Presentation minus decoding time in the 24 bits that FLV has for it.
const CTS_MAX: i32 = 0x7f_ffff;

/// The body of the message that tells video parameters.
pub fn video_header(config: &VideoConfig) -> Vec<u8> {
    let mut body = match four_cc(config.coding) {
        None => Vec::from([KEY | H264, 0, 0, 0, 0]),
        Some(four_cc) => enhanced(ENHANCED_VIDEO | KEY | enhanced::SEQUENCE_START, four_cc),
    };
    body.extend_from_slice(&config.record);
    body
}

/// The body of the message that tells audio parameters.
pub fn audio_header(config: &AudioConfig) -> Vec<u8> {
    match config.coding {
        AudioCoding::Aac => [&[AAC, 0][..], &config.record].concat(),
        AudioCoding::Opus => {
            let mut body = enhanced(ENHANCED_AUDIO | enhanced::SEQUENCE_START, b"Opus");
            body.extend_from_slice(&opus::head(&config.record));
            body
        }
    }
}

/// The kind and body of a sample's message; `tracks` are the sample's.
pub fn body(sample: &Sample, tracks: &Tracks) -> (TagKind, Vec<u8>) {
    let (kind, mut body) = match sample.kind {
        Kind::Video => {
            let coding = tracks.video.as_ref().map_or(VideoCoding::Avc, |video| video.coding);
            let frame = if sample.key { KEY } else { INTER };
            let [_, high, middle, low] = (sample.cts / 90).clamp(-CTS_MAX, CTS_MAX).to_be_bytes();
            let head = match four_cc(coding) {
                None => Vec::from([frame | H264, 1, high, middle, low]),
                Some(four_cc) => {
                    let mut head = enhanced(ENHANCED_VIDEO | frame | enhanced::CODED_FRAMES, four_cc);
                    if coding == VideoCoding::Hevc {
                        head.extend_from_slice(&[high, middle, low]);
                    }
                    head
                }
            };
            (TagKind::Video, head)
        }
        Kind::Audio => match tracks.audio.as_ref().map(|audio| audio.coding) {
            Some(AudioCoding::Opus) => {
                (TagKind::Audio, enhanced(ENHANCED_AUDIO | enhanced::CODED_FRAMES, b"Opus"))
            }
            Some(AudioCoding::Aac) | None => (TagKind::Audio, Vec::from([AAC, 1])),
        },
    };
    body.reserve_exact(sample.data.len());
    body.extend_from_slice(&sample.data);
    (kind, body)
}

/// The FourCC of a codec that has none of FLV's numbers.
fn four_cc(coding: VideoCoding) -> Option<&'static [u8; 4]> {
    match coding {
        VideoCoding::Avc => None,
        VideoCoding::Hevc => Some(b"hvc1"),
        VideoCoding::Av1 => Some(b"av01"),
    }
}

fn enhanced(first: u8, four_cc: &[u8; 4]) -> Vec<u8> {
    [&[first][..], four_cc].concat()
}
