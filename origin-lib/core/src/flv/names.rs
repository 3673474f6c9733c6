//! What the codecs are called that a message may claim to carry.

use alloc::format;
use alloc::string::{String, ToString};

use super::TagKind;

/// What a message in the old form carries, by its first byte.
pub(super) fn legacy(kind: TagKind, first: u8) -> String {
    let number = if kind == TagKind::Audio { first >> 4 } else { first & 0x0f };
    let name = match (kind, number) {
        (TagKind::Audio, 0 | 3) => "PCM",
        (TagKind::Audio, 1) => "ADPCM",
        (TagKind::Audio, 2 | 14) => "MP3",
        (TagKind::Audio, 4..=6) => "Nellymoser",
        (TagKind::Audio, 7 | 8) => "G.711",
        (TagKind::Audio, 11) => "Speex",
        (TagKind::Audio, _) => return format!("audio of FLV codec number {number}"),
        (_, 1) => "JPEG",
        (_, 2) => "Sorenson H.263",
        (_, 3 | 6) => "Screen Video",
        (_, 4 | 5) => "VP6",
        (_, 8) => "H.263",
        (_, 9) => "MPEG-4 Part 2",
        (_, 13) => "AV1 in a form before Enhanced RTMP",
        _ => return format!("video of FLV codec number {number}"),
    };
    name.to_string()
}

/// What a FourCC of Enhanced RTMP stands for; `None` where it is no text.
pub(super) fn four_cc(four_cc: [u8; 4]) -> Option<String> {
    let name = match &four_cc {
        b"avc1" => "H.264",
        b"hvc1" | b"hev1" => "HEVC",
        b"av01" => "AV1",
        b"vp09" => "VP9",
        b"vp08" => "VP8",
        b"vvc1" => "VVC",
        b"mp4a" => "AAC",
        b"Opus" => "Opus",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b".mp3" => "MP3",
        b"fLaC" => "FLAC",
        other => {
            let text = core::str::from_utf8(other).ok()?;
            let plain = text.chars().all(|c| c.is_ascii_graphic());
            return plain.then(|| format!("\"{text}\""));
        }
    };
    Some(name.to_string())
}
