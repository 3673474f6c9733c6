//! A media playlist as it is read (RFC 8216bis, 4.4.3 to 4.4.5).

mod reader;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub(super) use self::reader::{has_zone, read, read_key};
use super::attributes::Nanos;
use crate::time::UtcMs;

/// What EXT-X-PLAYLIST-TYPE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Segments are only added.
    Event,
    /// Nothing changes.
    Vod,
}

/// EXT-X-SERVER-CONTROL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The skip boundary.
    pub skip_until: Option<Nanos>,
    /// Delta updates may skip date ranges.
    pub skip_ranges: bool,
    /// HOLD-BACK.
    pub hold_back: Option<Nanos>,
    /// PART-HOLD-BACK.
    pub part_hold_back: Option<Nanos>,
    /// CAN-BLOCK-RELOAD.
    pub block_reload: bool,
    pub(in crate::lint) line: u32,
}

/// EXT-X-KEY with a method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// METHOD.
    pub method: String,
    /// URI; empty where it is missing.
    pub uri: String,
    /// The digits of IV.
    pub iv: Option<String>,
    /// KEYFORMAT, `identity` where it is not given.
    pub format: String,
    /// KEYFORMATVERSIONS, `1` where it is not given.
    pub versions: String,
}

/// EXT-X-MAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// URI.
    pub uri: String,
    /// Length and start.
    pub range: Option<(u64, Option<u64>)>,
}

/// What holds for a segment and its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// EXT-X-DISCONTINUITY before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME of it.
    pub date: Option<UtcMs>,
    /// The keys in force, one for each format; `None` where no EXT-X-KEY came before.
    pub keys: Option<Arc<Vec<Key>>>,
    /// The media initialization section.
    pub map: Option<Arc<Map>>,
}

impl Applied {
    /// The keys in force.
    pub fn keys(&self) -> &[Key] {
        self.keys.as_ref().map_or(&[], |keys| keys)
    }
}

/// A media segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The line of its URI, or of EXTINF where that is missing.
    pub line: u32,
    /// URI.
    pub uri: String,
    /// EXTINF; `None` where it is missing or none.
    pub duration: Option<Nanos>,
    /// Length and start.
    pub range: Option<(u64, Option<u64>)>,
    /// What holds for it.
    pub applied: Applied,
    /// EXT-X-GAP.
    pub gap: bool,
    /// EXT-X-BITRATE, in kilobits a second, where it applies.
    pub bitrate: Option<u64>,
    /// Its parts that are listed.
    pub parts: Vec<Part>,
    /// Tags of it that stand behind its first part.
    pub(in crate::lint) late: Option<(u32, &'static str)>,
}

/// EXT-X-PART.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its line.
    pub line: u32,
    /// URI.
    pub uri: String,
    /// DURATION.
    pub duration: Option<Nanos>,
    /// Length and start.
    pub range: Option<(u64, Option<u64>)>,
    /// INDEPENDENT.
    pub independent: bool,
    /// GAP.
    pub gap: bool,
}

/// EXT-X-PRELOAD-HINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub(in crate::lint) line: u32,
    /// TYPE is PART, not MAP.
    pub is_part: bool,
    /// URI.
    pub uri: String,
    /// BYTERANGE-START.
    pub start: u64,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub(in crate::lint) line: u32,
    /// URI.
    pub uri: String,
    /// LAST-MSN.
    pub msn: Option<u64>,
    /// LAST-PART.
    pub part: Option<u64>,
}

/// EXT-X-DATERANGE: all of its attributes, as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    pub(in crate::lint) line: u32,
    /// ID.
    pub id: String,
    /// Every attribute by its name, quotes included.
    pub attributes: Vec<(String, String)>,
}

/// EXT-X-SKIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub(in crate::lint) line: u32,
    /// SKIPPED-SEGMENTS.
    pub segments: u64,
    /// RECENTLY-REMOVED-DATERANGES; `None` where date ranges are not skipped.
    pub removed: Option<Vec<String>>,
    /// It stands behind a segment.
    pub(in crate::lint) late: bool,
}

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// EXT-X-VERSION.
    pub version: Option<u64>,
    /// EXT-X-TARGETDURATION, in seconds.
    pub target_s: Option<u64>,
    /// EXT-X-MEDIA-SEQUENCE.
    pub first_msn: Option<u64>,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub first_discontinuity: Option<u64>,
    /// EXT-X-PLAYLIST-TYPE.
    pub mutability: Option<Mutability>,
    /// EXT-X-ENDLIST.
    pub ended: bool,
    /// EXT-X-I-FRAMES-ONLY.
    pub frames_only: bool,
    /// EXT-X-INDEPENDENT-SEGMENTS.
    pub independent: bool,
    /// EXT-X-START: whether it counts from the end, and how far.
    pub start: Option<(bool, Nanos)>,
    /// PART-TARGET.
    pub part_target: Option<Nanos>,
    /// EXT-X-SERVER-CONTROL.
    pub control: Option<Control>,
    /// EXT-X-SKIP.
    pub skip: Option<Skip>,
    /// The segments that are listed.
    pub segments: Vec<Segment>,
    /// The parts of the segment that follows the last listed one.
    pub tail: Vec<Part>,
    /// What holds for those.
    pub tail_applied: Applied,
    pub(in crate::lint) tail_late: Option<(u32, &'static str)>,
    /// Hints.
    pub hints: Vec<Hint>,
    /// Reports of other renditions.
    pub reports: Vec<Report>,
    /// Date ranges, in the order of the playlist.
    pub ranges: Vec<DateRange>,
    pub(in crate::lint) late_sequence: Option<(u32, &'static str)>,
    pub(in crate::lint) dangling: Option<u32>,
    /// The least EXT-X-VERSION that it needs, and what for.
    pub(in crate::lint) needs: (u64, &'static str),
    pub(in crate::lint) undated_zone: Option<u32>,
}

impl Media {
    /// The number of the first segment, skipped ones included.
    pub fn msn(&self) -> u64 {
        self.first_msn.unwrap_or(0)
    }

    /// The number of the first segment that is listed.
    pub fn listed_msn(&self) -> u64 {
        self.msn().saturating_add(self.skip.as_ref().map_or(0, |skip| skip.segments))
    }

    /// The number of the segment behind the last one that is listed.
    pub fn next_msn(&self) -> u64 {
        self.listed_msn().saturating_add(self.segments.len() as u64)
    }

    /// The segment of a number, where it is listed.
    pub fn segment(&self, msn: u64) -> Option<&Segment> {
        self.segments.get(usize::try_from(msn.checked_sub(self.listed_msn())?).ok()?)
    }

    /// Each segment with its media sequence number and its discontinuity sequence number. Of a delta update, the second
    /// counts from where the listed ones begin.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, u64, &Segment)> {
        let mut discontinuity = self.first_discontinuity.unwrap_or(0);
        (self.listed_msn()..).zip(&self.segments).map(move |(msn, segment)| {
            discontinuity += u64::from(segment.applied.discontinuity);
            (msn, discontinuity, segment)
        })
    }

    /// How much media the listed segments have.
    pub fn duration(&self) -> Nanos {
        self.segments.iter().fold(Nanos(0), |sum, segment| sum.plus(segment.duration.unwrap_or_default()))
    }

    /// How much media the parts behind the last segment have.
    pub fn tail_duration(&self) -> Nanos {
        self.tail.iter().fold(Nanos(0), |sum, part| sum.plus(part.duration.unwrap_or_default()))
    }

    /// The target duration; 0 where there is none.
    pub fn target(&self) -> Nanos {
        Nanos::seconds(self.target_s.unwrap_or(0))
    }

    /// Whether it lists parts.
    pub fn has_parts(&self) -> bool {
        !self.tail.is_empty() || self.segments.iter().any(|segment| !segment.parts.is_empty())
    }

    /// Whether a segment of it is dated.
    pub fn is_dated(&self) -> bool {
        self.tail_applied.date.is_some() || self.segments.iter().any(|segment| segment.applied.date.is_some())
    }
}
