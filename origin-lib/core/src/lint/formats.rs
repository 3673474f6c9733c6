//! Formats as CODECS names them (RFC 6381), and as sample entries have them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::fmp4::read::{self, Track};
use crate::hex;
use crate::media::Kind;

/// Where the boxes begin in a sample entry, its own header included (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
const IN_VIDEO: usize = 8 + 78;
const IN_AUDIO: usize = 8 + 28;

/// AAC of low complexity is what a sample entry may say where SBR (5) or PS (29) is within its frames (ISO/IEC 14496-3, 1.6.5).
const AAC_LC: u32 = 2;
const WITH_SBR: [u32; 2] = [5, 29];

/// What a decoder has to be told to know whether it can play something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// The name of the sample entry.
    name: String,
    /// `None` where it is not told, or nothing is known of how this format tells it.
    profile: Option<Profile>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Profile {
    /// Which tools a decoder has to have.
    tools: u32,
    /// How much it has to do: tier and level.
    tier: u32,
    level: u32,
}

impl Format {
    /// An element of CODECS.
    pub(super) fn read(text: &str) -> Format {
        let elements: Vec<&str> = text.trim().split('.').collect();
        let name = elements.first().copied().unwrap_or_default();
        let profile = match name {
            "avc1" | "avc3" => avc(&elements),
            "hvc1" | "hev1" => hevc(&elements),
            "av01" => av1(&elements),
            "mp4a" => mpeg4(&elements),
            _ => None,
        };
        Format { name: name.to_string(), profile }
    }

    /// That of a track; `None` where it is encrypted.
    pub(super) fn of(track: &Track) -> Option<Format> {
        let name = core::str::from_utf8(track.entry.get(4..8)?).ok()?.trim();
        if matches!(name, "encv" | "enca") {
            return None;
        }
        let begin = if track.kind == Kind::Video { IN_VIDEO } else { IN_AUDIO };
        let boxes = track.entry.get(begin..).unwrap_or_default();
        let child = |wanted| read::child(boxes, wanted).ok().flatten();
        let profile = match name {
            "avc1" | "avc3" => child(b"avcC").and_then(avc_record),
            "hvc1" | "hev1" => child(b"hvcC").and_then(hevc_record),
            "av01" => child(b"av1C").and_then(av1_record),
            "mp4a" => child(b"esds").and_then(mpeg4_record),
            _ => None,
        };
        Some(Format { name: name.to_string(), profile })
    }

    /// Whether it is a format of pictures or sound, and not of text.
    pub(super) fn is_media(&self) -> bool {
        !matches!(&*self.name, "stpp" | "wvtt" | "tx3g")
    }

    /// Whether it has the name of the other one.
    pub(super) fn is_of(&self, other: &Format) -> bool {
        // Opus and FLAC are written in either way.
        self.name.eq_ignore_ascii_case(&other.name)
    }

    /// Whether who can decode this can decode the other one.
    pub(super) fn covers(&self, other: &Format) -> bool {
        if !self.is_of(other) {
            return false;
        }
        let Some((own, other)) = self.profile.zip(other.profile) else { return true };
        let same_tools = own.tools == other.tools
            || (self.name == "mp4a" && other.tools == AAC_LC && WITH_SBR.contains(&own.tools));
        same_tools && own.tier >= other.tier && own.level >= other.level
    }
}

impl core::fmt::Display for Format {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)?;
        match self.profile {
            Some(Profile { tools, .. }) if self.name == "mp4a" => write!(f, " of type {tools}"),
            Some(Profile { tools, tier: 0, level }) => write!(f, " of profile {tools}, level {level}"),
            Some(Profile { tools, level, .. }) => write!(f, " of profile {tools}, high tier, level {level}"),
            None => Ok(()),
        }
    }
}

/// `avc1.PPCCLL` (RFC 6381, 3.3).
fn avc(elements: &[&str]) -> Option<Profile> {
    let [_, digits] = elements else { return None };
    let [tools, _, level]: [u8; 3] = hex::decode(digits)?.try_into().ok()?;
    Some(Profile { tools: u32::from(tools), tier: 0, level: u32::from(level) })
}

/// ISO/IEC 14496-15, 5.3.3.1.
fn avc_record(record: &[u8]) -> Option<Profile> {
    let [_, tools, _, level, ..] = record else { return None };
    Some(Profile { tools: u32::from(*tools), tier: 0, level: u32::from(*level) })
}

/// `hvc1.P.C.TLL.…` (ISO/IEC 14496-15, E.3). A profile space other than 0 is a letter before the profile.
fn hevc(elements: &[&str]) -> Option<Profile> {
    let [_, tools, _, level, ..] = elements else { return None };
    let (tier, level) = match level.split_at_checked(1)? {
        ("L", level) => (0, level),
        ("H", level) => (1, level),
        _ => return None,
    };
    Some(Profile { tools: tools.parse().ok()?, tier, level: level.parse().ok()? })
}

/// ISO/IEC 14496-15, 8.3.3.1.
fn hevc_record(record: &[u8]) -> Option<Profile> {
    let (first, level) = (*record.get(1)?, *record.get(12)?);
    let is_plain = first >> 6 == 0;
    let profile =
        Profile { tools: u32::from(first & 0x1f), tier: u32::from(first >> 5 & 1), level: u32::from(level) };
    is_plain.then_some(profile)
}

/// `av01.P.LLT.…` (AV1 in ISOBMFF, 5).
fn av1(elements: &[&str]) -> Option<Profile> {
    let [_, tools, level, ..] = elements else { return None };
    let (level, tier) = match level.split_at_checked(2)? {
        (level, "M") => (level, 0),
        (level, "H") => (level, 1),
        _ => return None,
    };
    Some(Profile { tools: tools.parse().ok()?, tier, level: level.parse().ok()? })
}

/// AV1 in ISOBMFF, 2.3.3.
fn av1_record(record: &[u8]) -> Option<Profile> {
    let [_, first, second, ..] = record else { return None };
    let (tools, level) = (u32::from(first >> 5), u32::from(first & 0x1f));
    Some(Profile { tools, tier: u32::from(second >> 7), level })
}

/// The object type of MPEG-4 audio, in hexadecimal.
const MPEG4_AUDIO: u8 = 0x40;

/// `mp4a.40.N` (RFC 6381, 3.3).
fn mpeg4(elements: &[&str]) -> Option<Profile> {
    let [_, "40", tools] = elements else { return None };
    Some(Profile { tools: tools.parse().ok()?, ..Profile::default() })
}

/// ISO/IEC 14496-14, 5.6; 14496-1, 7.2.6.5 and 7.2.6.6; 14496-3, 1.6.2.1.
fn mpeg4_record(esds: &[u8]) -> Option<Profile> {
    let stream = descriptor(3, esds.get(4..)?)?;
    let flags = *stream.get(2)?;
    let depends = if flags & 0x80 != 0 { 2 } else { 0 };
    let url = if flags & 0x40 != 0 { 1 + usize::from(*stream.get(3 + depends)?) } else { 0 };
    let clock = if flags & 0x20 != 0 { 2 } else { 0 };
    let config = descriptor(4, stream.get(3 + depends + url + clock..)?)?;
    let specific = descriptor(5, config.get(13..).filter(|_| config.first() == Some(&MPEG4_AUDIO))?)?;
    let tools = match specific.first()? >> 3 {
        31 => 32 + u32::from((specific.first()? & 7) << 3 | specific.get(1)? >> 5),
        tools => u32::from(tools),
    };
    Some(Profile { tools, ..Profile::default() })
}

/// The content of the descriptor that begins here, if it has this tag (ISO/IEC 14496-1, 8.3.3).
fn descriptor(wanted: u8, bytes: &[u8]) -> Option<&[u8]> {
    /// The most bytes of a length.
    const LEN_BYTES_MAX: usize = 4;
    let (tag, mut rest) = bytes.split_first()?;
    let mut len = 0;
    for _ in 0..LEN_BYTES_MAX {
        let (byte, behind) = rest.split_first()?;
        (len, rest) = (len << 7 | usize::from(byte & 0x7f), behind);
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..len).filter(|_| *tag == wanted)
}
