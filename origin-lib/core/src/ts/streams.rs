//! What an elementary stream carries, by its type and its descriptors (ISO/IEC 13818-1, tables 2-34 and 2-45; ETSI EN 300 468;
//! ATSC A/52).
//!
//! A codec that becomes known plugs in here, and in the track that reads it: [`super::video`] or [`super::audio`].

use alloc::string::{String, ToString};

use super::video::Coding;
use crate::media::Kind;
use crate::sound::Language;

/// The descriptor that says by four letters whose private data it is.
const REGISTRATION: u8 = 0x05;

/// What an elementary stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// Video in the byte stream format.
    Video(Coding),
    /// Sound in one of these forms.
    Audio(Sound),
    /// Video or audio that can't be used, and what it is.
    Unsupported(Kind, String),
    /// Splice information (SCTE 35).
    Splices,
    /// None of these: teletext, subtitles, metadata.
    Other,
}

/// How sound is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// AAC in ADTS frames.
    Adts,
    /// AAC in LATM elements.
    Loas,
    /// Opus in access units, and what its extension descriptor says of channels: 1 to 8.
    Opus { channel_config_code: u8 },
}

impl Carried {
    /// Which track it may be.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Carried::Video(_) => Some(Kind::Video),
            Carried::Audio(_) => Some(Kind::Audio),
            Carried::Unsupported(kind, _) => Some(*kind),
            Carried::Splices | Carried::Other => None,
        }
    }

    /// Whether it can be used.
    pub(super) fn is_supported(&self) -> bool {
        matches!(self, Carried::Video(_) | Carried::Audio(_))
    }
}

/// What a stream of this type carries, by the descriptors about it and about its programme.
pub(super) fn carried(stream_type: u8, about: &[u8], programme: &[u8]) -> Carried {
    const PRIVATE: u8 = 0x06;
    let video = |name: &str| Carried::Unsupported(Kind::Video, name.to_string());
    let audio = |name: &str| Carried::Unsupported(Kind::Audio, name.to_string());
    match stream_type {
        0x1b => Carried::Video(Coding::Avc),
        0x0f => Carried::Audio(Sound::Adts),
        0x11 => Carried::Audio(Sound::Loas),
        0x24 => Carried::Video(Coding::Hevc),
        0x25 => video("HEVC whose temporal layers are streams of their own"),
        0x01 => video("MPEG-1 video"),
        0x02 => video("MPEG-2 video"),
        0x10 => video("MPEG-4 Part 2"),
        0x21 => video("JPEG 2000"),
        0x32 => video("JPEG XS"),
        0x33 | 0x34 => video("VVC"),
        0x42 | 0xd2 | 0xd4 => video("AVS"),
        0xd1 => video("Dirac"),
        0xea => video("VC-1"),
        0x03 | 0x04 => audio("MPEG audio (MP2 or MP3)"),
        0x1c => audio("AAC without ADTS or LATM"),
        0x2d | 0x2e => audio("MPEG-H audio"),
        // Elsewhere these numbers are private to whoever uses them: ATSC's and Blu-ray's are what encoders send.
        0x80 if registered(programme, b"HDMV") => audio("PCM"),
        0x81 => audio("AC-3"),
        0x87 => audio("E-AC-3"),
        0x86 if !registered(programme, b"HDMV") => Carried::Splices,
        0x82 | 0x85 | 0x86 | 0x8a if registered(programme, b"HDMV") => audio("DTS"),
        PRIVATE => private(about),
        _ => Carried::Other,
    }
}

/// PES packets of private data, of which descriptors tell.
fn private(about: &[u8]) -> Carried {
    let found = descriptors(about).find_map(|(tag, content)| {
        let content = if tag == REGISTRATION { content.get(..4)? } else { content };
        if (tag, content) == (REGISTRATION, b"HEVC") {
            return Some(Carried::Video(Coding::Hevc));
        }
        let (kind, name) = match (tag, content) {
            (REGISTRATION, b"AV01") => (Kind::Video, "AV1"),
            (REGISTRATION, b"VVC ") => (Kind::Video, "VVC"),
            (REGISTRATION, b"VC-1") => (Kind::Video, "VC-1"),
            (REGISTRATION, b"drac") => (Kind::Video, "Dirac"),
            (REGISTRATION, b"Opus") => return Some(opus(about)),
            (REGISTRATION, b"AC-3") | (0x6a, _) => (Kind::Audio, "AC-3"),
            (REGISTRATION, b"EAC3") | (0x7a, _) => (Kind::Audio, "E-AC-3"),
            (REGISTRATION, b"AC-4") => (Kind::Audio, "AC-4"),
            (REGISTRATION, b"BSSD") => (Kind::Audio, "SMPTE 302M (PCM)"),
            (REGISTRATION, b"DTS1" | b"DTS2" | b"DTS3") | (0x7b, _) => (Kind::Audio, "DTS"),
            (0x7c, _) => (Kind::Audio, "AAC in private data"),
            _ => return None,
        };
        Some(Carried::Unsupported(kind, name.to_string()))
    });
    found.unwrap_or(Carried::Other)
}

/// Opus, of whose channels the extension descriptor tells (the draft's Opus_audio_descriptor).
fn opus(about: &[u8]) -> Carried {
    const EXTENSION: u8 = 0x7f;
    const OPUS: u8 = 0x80;
    let code = descriptors(about).find_map(|(tag, content)| match (tag, content) {
        (EXTENSION, &[OPUS, code, ..]) => Some(code),
        _ => None,
    });
    match code {
        Some(channel_config_code @ 1..=8) => Carried::Audio(Sound::Opus { channel_config_code }),
        _ => Carried::Unsupported(Kind::Audio, "Opus that is not mono, stereo or surround sound".to_string()),
    }
}

/// The language that a stream's descriptor tells (ISO_639_language_descriptor, 2.6.18), where it tells one.
pub(super) fn language(about: &[u8]) -> Option<Language> {
    const ISO_639_LANGUAGE: u8 = 0x0a;
    let told = descriptors(about).find(|(tag, _)| *tag == ISO_639_LANGUAGE)?.1;
    Language::of_iso639(core::str::from_utf8(told.get(..3)?).ok()?)
}

fn registered(about: &[u8], format: &[u8; 4]) -> bool {
    descriptors(about).any(|(tag, content)| tag == REGISTRATION && content.starts_with(format))
}

/// Tags and contents (2.6.1), up to one that is cut off.
fn descriptors(mut about: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let (&[tag, len], rest) = about.split_first_chunk::<2>()?;
        let (content, rest) = rest.split_at_checked(usize::from(len))?;
        about = rest;
        Some((tag, content))
    })
}
