//! The CMAF header: which tracks there are, and how they are coded (ISO/IEC 14496-12, 8.2 to 8.8; 23000-19, 7.3.1).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Refusal;
use crate::codec::{self, aac, opus};
use crate::flv::Error;
use crate::fmp4::read::{self, Defaults, ReadError, TRACKS_MAX, boxes, child, skip, u32, u64, version};
use crate::media::{AudioConfig, Colour, Kind, VideoCoding, VideoConfig};
use crate::sound::Language;

const SET_VIDEO: &str = "H.264, HEVC or AV1";
const SET_AUDIO: &str = "AAC-LC or Opus";

/// How many entries of an edit list are read.
const EDITS_MAX: usize = 16;

/// The tracks of video and sound in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tracks: Vec<Track>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    /// `track_ID`.
    pub(super) id: u32,
    /// Ticks a second; not 0.
    pub(super) timescale: u32,
    /// What its edit list adds to every time, in ticks.
    pub(super) shift: i64,
    pub(super) defaults: Defaults,
    /// The language that it is in, where its header says so.
    pub(super) language: Option<Language>,
    pub(super) coding: Coding,
}

/// How a track is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Video {
        config: VideoConfig,
        /// How many bytes the length before a NAL unit has.
        length_size: usize,
    },
    Audio(AudioConfig),
    /// In a way that can't be used.
    Unusable(Kind, Error),
}

impl Track {
    pub(super) fn kind(&self) -> Kind {
        match &self.coding {
            Coding::Video { .. } => Kind::Video,
            Coding::Audio(_) => Kind::Audio,
            Coding::Unusable(kind, _) => *kind,
        }
    }
}

impl Header {
    /// Reads the content of a `moov`.
    pub(super) fn read(moov: &[u8]) -> Result<Header, ReadError> {
        let mut mvhd = child(moov, b"mvhd")?.unwrap_or_default();
        let movie_hz = match version(&mut mvhd) {
            Ok((wide, _)) => skip(&mut mvhd, if wide == 1 { 16 } else { 8 }).and_then(|()| u32(&mut mvhd)),
            Err(error) => Err(error),
        };
        let (mut found, mut about, mut damaged) = (Vec::new(), Vec::new(), None);
        for one in boxes(moov) {
            let (name, trak, _) = one?;
            if name != b"trak" {
                continue;
            }
            // Subtitles and metadata are left out.
            let read = read::track(trak).and_then(|track| {
                let Some(track) = track else { return Ok(None) };
                Ok(Some((shift(trak, movie_hz.unwrap_or_default(), track.timescale)?, track)))
            });
            match read {
                Ok(Some(_)) if found.len() >= TRACKS_MAX => {
                    return Err(ReadError("it has more than eight tracks"));
                }
                Ok(Some((shift, track))) => {
                    about.push((shift, language(trak)));
                    found.push(track);
                }
                Ok(None) => {}
                // The others may be fine.
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        if let Some(error) = damaged.take_if(|_| found.is_empty()) {
            return Err(error);
        }
        if child(moov, b"mvex")?.is_none() {
            const SET: &str =
                "it is not fragmented (ffmpeg: -movflags empty_moov+frag_keyframe+default_base_moof)";
            return Err(ReadError(SET));
        }
        read::defaults(moov, &mut found)?;
        let tracks = found.into_iter().zip(about).map(|(track, (shift, language))| {
            let coding = coding(track.kind, &track.entry);
            let coding = coding.unwrap_or_else(|error| Coding::Unusable(track.kind, error));
            let (id, timescale, defaults) = (track.id, track.timescale, track.defaults);
            Track { id, timescale, shift, defaults, language, coding }
        });
        Ok(Header { tracks: tracks.collect() })
    }

    /// Says which tracks can't be used, and why: the others are. A header without any other is refused, and one of which that is
    /// the only picture, without which nobody wants the sound.
    pub(super) fn usable(&self) -> Result<Vec<(String, String)>, Refusal> {
        let (mut bad, mut first) = (Vec::new(), None);
        for track in &self.tracks {
            let Coding::Unusable(kind, error) = &track.coding else { continue };
            // Without its sound, or its picture, a feed is not what its encoder means: as by RTMP, it is refused.
            let is_only = self
                .tracks
                .iter()
                .all(|other| other.kind() != *kind || matches!(other.coding, Coding::Unusable(..)));
            if is_only && first.is_none() {
                first = Some(error);
            }
            bad.push((title(*kind, track.id), format!("{error}")));
        }
        match first {
            Some(Error::Refuse { sent, set }) => Err(Refusal::Codec { sent: sent.clone(), set }),
            Some(Error::Skip(what)) => Err(Refusal::Malformed(what)),
            None => Ok(bad),
        }
    }

    pub(super) fn track(&self, id: u32) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }
}

/// What a track is called where it is told of.
pub(super) fn title(kind: Kind, id: u32) -> String {
    let kind = if kind == Kind::Video { "video" } else { "audio" };
    format!("{kind} track {id}")
}

/// What an edit list (8.6.6) adds to every time: what comes before the track is waiting, and its begin may be cut off.
fn shift(trak: &[u8], movie_hz: u32, timescale: u32) -> Result<i64, ReadError> {
    let Some(edts) = child(trak, b"edts")? else { return Ok(0) };
    let Some(mut elst) = child(edts, b"elst")? else { return Ok(0) };
    let wide = version(&mut elst)?.0 == 1;
    let (count, mut empty) = (u32(&mut elst)? as usize, 0_i128);
    for _ in 0..count.min(EDITS_MAX) {
        let (duration, from) = if wide {
            (u64(&mut elst)?, u64(&mut elst)?.cast_signed())
        } else {
            (u64::from(u32(&mut elst)?), i64::from(u32(&mut elst)?.cast_signed()))
        };
        skip(&mut elst, 4)?;
        if from >= 0 {
            let empty = empty * i128::from(timescale) / i128::from(movie_hz.max(1));
            return Ok(i64::try_from(empty - i128::from(from)).unwrap_or_default());
        }
        empty += i128::from(duration);
    }
    Ok(0)
}

/// The language of a track: what the extended language box says (8.4.6), which is BCP 47, else the media header (8.4.2.3).
fn language(trak: &[u8]) -> Option<Language> {
    let mdia = child(trak, b"mdia").ok()??;
    if let Ok(Some(elng)) = child(mdia, b"elng") {
        let text = elng.get(4..)?.split(|byte| *byte == 0).next()?;
        let text = core::str::from_utf8(text).ok()?;
        return Language::of_iso639(text).or_else(|| text.parse().ok().filter(|_| text.len() != 3));
    }
    let mut mdhd = child(mdia, b"mdhd").ok()??;
    let wide = version(&mut mdhd).ok()?.0 == 1;
    let (&[high, low], _) = mdhd.get(if wide { 28 } else { 16 }..)?.split_first_chunk::<2>()?;
    let packed = u16::from_be_bytes([high, low]);
    // Three letters of five bits each.
    let letter = |shift: u16| char::from((packed >> shift & 0x1f) as u8 + 0x60);
    Language::of_iso639(&String::from_iter([letter(10), letter(5), letter(0)]))
}

/// What a sample entry says. It is whole, with its head.
pub(super) fn coding(kind: Kind, entry: &[u8]) -> Result<Coding, Error> {
    const CUT_OFF: Error = Error::Skip("a sample entry that is cut off");
    let (_, rest) = entry.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    let (name, rest) = rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    let fields = match kind {
        Kind::Video => 78,
        // Version 1 of QuickTime has four fields more.
        Kind::Audio if rest.get(8..10) == Some(&[0, 1]) => 44,
        Kind::Audio => 28,
    };
    let inner = rest.get(fields..).ok_or(CUT_OFF)?;
    let record = |name| match child(inner, name) {
        Ok(Some(record)) => Ok(Bytes::copy_from_slice(record)),
        _ => Err(Error::Skip("a sample entry without its configuration")),
    };
    match (kind, name) {
        (Kind::Video, b"avc1" | b"avc3") => video(VideoCoding::Avc, &record(b"avcC")?, inner),
        (Kind::Video, b"hvc1" | b"hev1") => video(VideoCoding::Hevc, &record(b"hvcC")?, inner),
        (Kind::Video, b"av01") => video(VideoCoding::Av1, &record(b"av1C")?, inner),
        (Kind::Audio, b"mp4a") => Ok(Coding::Audio(aac::config(&specific(&record(b"esds")?)?)?)),
        (Kind::Audio, b"Opus") => Ok(Coding::Audio(opus::config(&opus::head(&record(b"dOps")?))?)),
        (_, b"encv" | b"enca") => {
            Err(Error::Refuse { sent: "encrypted media".into(), set: "no encryption: the origin encrypts" })
        }
        (kind, name) => {
            let set = if kind == Kind::Video { SET_VIDEO } else { SET_AUDIO };
            Err(Error::Refuse { sent: self::name(name), set })
        }
    }
}

fn video(coding: VideoCoding, record: &Bytes, inner: &[u8]) -> Result<Coding, Error> {
    let (mut config, length_size) = codec::video(coding, record)?;
    config.colour = config.colour.or_else(|| colour(inner));
    Ok(Coding::Video { config, length_size })
}

/// `colr` (12.1.5), where the stream itself says nothing.
fn colour(inner: &[u8]) -> Option<Colour> {
    const UNSPECIFIED: u16 = 2;
    let colr = child(inner, b"colr").ok()??.strip_prefix(b"nclx")?;
    let (&[p1, p0, t1, t0, m1, m0, range], _) = colr.split_first_chunk::<7>()?;
    let code = |high, low| u8::try_from(u16::from_be_bytes([high, low])).unwrap_or(UNSPECIFIED as u8);
    let colour = Colour {
        primaries: code(p1, p0),
        transfer: code(t1, t0),
        matrix: code(m1, m0),
        full_range: range & 0x80 != 0,
    };
    let codes = [colour.primaries, colour.transfer, colour.matrix];
    (colour.full_range || codes.iter().any(|code| u16::from(*code) != UNSPECIFIED)).then_some(colour)
}

/// The `AudioSpecificConfig` in the descriptors of an `esds` (ISO/IEC 14496-1, 7.2.6).
fn specific(esds: &[u8]) -> Result<Bytes, Error> {
    const CUT_OFF: Error = Error::Skip("a sample entry whose descriptors are cut off");
    const ES: u8 = 3;
    const DECODER: u8 = 4;
    const SPECIFIC: u8 = 5;
    let outer = esds.get(4..).and_then(|rest| descriptor(rest, ES)).ok_or(CUT_OFF)?;
    let (&[_, _, flags], mut rest) = outer.split_first_chunk::<3>().ok_or(CUT_OFF)?;
    // Depends on another stream; has a URL; has a clock of its own.
    let url = rest.get(if flags & 0x80 != 0 { 2 } else { 0 }).copied().unwrap_or_default();
    let url = if flags & 0x40 != 0 { 1 + usize::from(url) } else { 0 };
    let optional = |flag: u8| if flags & flag != 0 { 2 } else { 0 };
    rest = rest.get(optional(0x80) + url + optional(0x20)..).ok_or(CUT_OFF)?;
    let decoder = descriptor(rest, DECODER).ok_or(CUT_OFF)?;
    let object = *decoder.first().ok_or(CUT_OFF)?;
    if !matches!(object, 0x40 | 0x66..=0x68) {
        let sent = match object {
            0x69 | 0x6b => "MP3".into(),
            0xa5 => "AC-3".into(),
            0xa6 => "E-AC-3".into(),
            other => format!("sound of MPEG-4 object type {other:#x}"),
        };
        return Err(Error::Refuse { sent, set: SET_AUDIO });
    }
    let specific = decoder.get(13..).and_then(|rest| descriptor(rest, SPECIFIC)).ok_or(CUT_OFF)?;
    Ok(Bytes::copy_from_slice(specific))
}

/// The content of the first descriptor of this tag.
fn descriptor(mut bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&tag, mut rest) = bytes.split_first()?;
        let mut len = 0_usize;
        for n in 0.. {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            len = len << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
            if n == 3 {
                return None;
            }
        }
        let content = rest.get(..len)?;
        if tag == wanted {
            return Some(content);
        }
        bytes = rest.get(len..)?;
    }
}

/// What a sample entry of this name holds.
fn name(four_cc: &[u8; 4]) -> String {
    let known = match four_cc {
        b"mp4v" => "MPEG-4 part 2 or MPEG-2 video",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"vvc1" | b"vvi1" => "VVC",
        b"dvh1" | b"dvhe" => "Dolby Vision without a base layer",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"fLaC" => "FLAC",
        b".mp3" => "MP3",
        b"mha1" | b"mhm1" => "MPEG-H audio",
        other => {
            let name: String = other
                .iter()
                .filter(|c| c.is_ascii_graphic() && **c != b'"')
                .map(|c| char::from(*c))
                .collect();
            return format!("media with the sample entry {name}");
        }
    };
    known.into()
}
