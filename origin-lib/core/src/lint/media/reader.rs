//! Reads a media playlist's tags into what they say.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::attributes::{self, List, Nanos, Raw};
use super::super::lines::{Item, Line};
use super::super::rule::{Findings, quoted};
use super::super::variables::Variables;
use super::super::{Place, rules};
use super::{Applied, Control, DateRange, Hint, Key, Map, Media, Mutability, Part, Report, Segment, Skip};
use crate::time::UtcMs;

/// The most keys, of different formats, that are in force at a time.
const KEYS_MAX: usize = 16;

/// What was read since the last URI.
#[derive(Default)]
struct Pending {
    applied: Applied,
    duration: Option<Option<Nanos>>,
    line: u32,
    range: Option<(u64, Option<u64>)>,
    gap: bool,
    parts: Vec<Part>,
    late: Option<(u32, &'static str)>,
}

struct Reader<'a, 'f> {
    media: Media,
    pending: Pending,
    bitrate: Option<u64>,
    variables: Variables,
    place: &'a Place<'a>,
    found: &'f mut Findings,
}

/// Reads the lines of a media playlist, and finds what is wrong with each tag by itself.
pub(in crate::lint) fn read(lines: &[Line<'_>], place: &Place<'_>, found: &mut Findings) -> Media {
    let media = Media { needs: (1, ""), ..Media::default() };
    let variables = Variables::default();
    let mut reader = Reader { media, pending: Pending::default(), bitrate: None, variables, place, found };
    for line in lines {
        match &line.item {
            Item::Uri(uri) => reader.uri(uri, line.number),
            Item::Tag { tag, value, list } => reader.tag(tag.name, value, list, line.number),
        }
    }
    reader.end()
}

impl Reader<'_, '_> {
    fn tag(&mut self, name: &'static str, value: &str, list: &List<'_>, line: u32) {
        let number = || attributes::integer(value);
        match name {
            "EXT-X-VERSION" => self.media.version = self.media.version.or(number()),
            "EXT-X-INDEPENDENT-SEGMENTS" => self.media.independent = true,
            "EXT-X-START" => self.media.start = list.bare("TIME-OFFSET").and_then(attributes::signed),
            "EXT-X-DEFINE" => {
                self.needs(if list.has("QUERYPARAM") { 11 } else { 8 }, name);
                self.variables.define(list, self.place, false, line, self.found);
            }
            "EXT-X-TARGETDURATION" => self.media.target_s = self.media.target_s.or(number()),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.media.first_msn = self.media.first_msn.or(number());
                self.early(name, line, self.has_segment());
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.media.first_discontinuity = self.media.first_discontinuity.or(number());
                self.early(name, line, self.has_segment() || self.pending.applied.discontinuity);
            }
            "EXT-X-ENDLIST" => self.media.ended = true,
            "EXT-X-PLAYLIST-TYPE" => {
                self.media.mutability = match value {
                    "VOD" => Some(Mutability::Vod),
                    "EVENT" => Some(Mutability::Event),
                    _ => None,
                };
            }
            "EXT-X-I-FRAMES-ONLY" => {
                self.media.frames_only = true;
                self.needs(4, name);
            }
            "EXT-X-PART-INF" => self.media.part_target = list.decimal("PART-TARGET"),
            "EXT-X-SERVER-CONTROL" => {
                self.media.control = Some(Control {
                    skip_until: list.decimal("CAN-SKIP-UNTIL"),
                    skip_ranges: list.yes("CAN-SKIP-DATERANGES"),
                    hold_back: list.decimal("HOLD-BACK"),
                    part_hold_back: list.decimal("PART-HOLD-BACK"),
                    block_reload: list.yes("CAN-BLOCK-RELOAD"),
                    line,
                });
            }
            "EXTINF" | "EXT-X-BYTERANGE" | "EXT-X-GAP" | "EXT-X-BITRATE" => {
                self.of_segment(name, value, line)
            }
            "EXT-X-DISCONTINUITY" | "EXT-X-KEY" | "EXT-X-MAP" | "EXT-X-PROGRAM-DATE-TIME" => {
                if !self.pending.parts.is_empty() {
                    self.pending.late.get_or_insert((line, name));
                }
                self.applied(name, value, list, line);
            }
            "EXT-X-PART" => {
                let uri = self.uri_of(list, line);
                self.pending.parts.push(Part {
                    line,
                    uri,
                    duration: list.decimal("DURATION"),
                    range: list.quoted("BYTERANGE").and_then(attributes::range),
                    independent: list.yes("INDEPENDENT"),
                    gap: list.yes("GAP"),
                });
            }
            _ => self.metadata(name, list, line),
        }
    }

    fn metadata(&mut self, name: &'static str, list: &List<'_>, line: u32) {
        match name {
            "EXT-X-DATERANGE" => {
                let id = self.expand(list.quoted("ID").unwrap_or_default(), line);
                let attribute = |(name, raw): &(&str, Raw<'_>)| {
                    let value = match raw {
                        Raw::Quoted(text) => format!("\"{text}\""),
                        Raw::Bare(text) => (*text).to_string(),
                    };
                    ((*name).to_string(), value)
                };
                let attributes = list.pairs.iter().map(attribute).collect();
                self.media.ranges.push(DateRange { line, id, attributes });
            }
            "EXT-X-SKIP" => {
                let removed = list.quoted("RECENTLY-REMOVED-DATERANGES");
                self.needs(if removed.is_some() { 10 } else { 9 }, name);
                let ids = |ids: &str| {
                    ids.split('\t').filter(|id| !id.is_empty()).map(ToString::to_string).collect()
                };
                self.media.skip = Some(Skip {
                    line,
                    segments: list.integer("SKIPPED-SEGMENTS").unwrap_or(0),
                    removed: removed.map(ids),
                    late: self.has_segment(),
                });
            }
            "EXT-X-PRELOAD-HINT" => {
                let (is_part, uri) = (list.bare("TYPE") == Some("PART"), self.uri_of(list, line));
                let start = list.integer("BYTERANGE-START").unwrap_or(0);
                self.media.hints.push(Hint { line, is_part, uri, start });
            }
            "EXT-X-RENDITION-REPORT" => {
                let (msn, part) = (list.integer("LAST-MSN"), list.integer("LAST-PART"));
                let uri = self.uri_of(list, line);
                self.media.reports.push(Report { line, uri, msn, part });
            }
            _ => {}
        }
    }

    /// Tags that are of the next segment only.
    fn of_segment(&mut self, name: &'static str, value: &str, line: u32) {
        match name {
            "EXTINF" => {
                let digits = value.split_once(',').map_or(value, |(duration, _)| duration);
                let duration = attributes::decimal(digits);
                if duration.is_none() || !value.contains(',') {
                    let seen =
                        format!("EXTINF has {} where a number and a comma are expected", quoted(value));
                    self.found.add_of(&rules::TAG_VALUE, "4.4.4.1", line, seen);
                }
                if digits.contains('.') {
                    self.needs(3, "a duration that is no integer");
                }
                (self.pending.duration, self.pending.line) = (Some(duration), line);
            }
            "EXT-X-BYTERANGE" => {
                self.needs(4, name);
                self.pending.range = attributes::range(value);
                if self.pending.range.is_none() {
                    let seen = format!("{name} has {} where n[@o] is expected", quoted(value));
                    self.found.add_of(&rules::TAG_VALUE, "4.4.4.2", line, seen);
                }
            }
            "EXT-X-GAP" => self.pending.gap = true,
            _ => self.bitrate = attributes::integer(value),
        }
    }

    /// Tags that are of the next segment and its parts.
    fn applied(&mut self, name: &'static str, value: &str, list: &List<'_>, line: u32) {
        match name {
            "EXT-X-DISCONTINUITY" => self.pending.applied.discontinuity = true,
            "EXT-X-PROGRAM-DATE-TIME" => {
                self.pending.applied.date = UtcMs::from_iso8601(value);
                if !has_zone(value) {
                    self.media.undated_zone.get_or_insert(line);
                }
            }
            "EXT-X-MAP" => self.map(list, line),
            _ => self.key(list, line),
        }
    }

    fn map(&mut self, list: &List<'_>, line: u32) {
        // With I-frames only, 5 is enough: that is seen to at the end.
        self.needs(6, "EXT-X-MAP");
        let uri = self.uri_of(list, line);
        let range = list.quoted("BYTERANGE").and_then(attributes::range);
        if matches!(range, Some((_, None))) {
            self.found.add(&rules::MAP_RANGE, line, "EXT-X-MAP has a byte range without its start");
        }
        let open = |key: &Key| key.method == "AES-128" && key.iv.is_none();
        if self.pending.applied.keys().iter().any(open) {
            self.found.add(&rules::MAP_IV, line, "EXT-X-MAP is encrypted with a key that has no IV");
        }
        self.pending.applied.map = Some(Arc::new(Map { uri, range }));
    }

    fn key(&mut self, list: &List<'_>, line: u32) {
        let Some(key) = read_key(list, line, "EXT-X-KEY", self.found) else {
            self.pending.applied.keys = Some(Arc::default());
            return;
        };
        self.needs(if list.has("KEYFORMAT") || list.has("KEYFORMATVERSIONS") { 5 } else { 1 }, "KEYFORMAT");
        self.needs(if list.has("IV") { 2 } else { 1 }, "IV");
        let uri = self.expand(&key.uri, line);
        let mut keys: Vec<Key> =
            self.pending.applied.keys().iter().filter(|known| known.format != key.format).cloned().collect();
        // More at a time than anybody has are not kept: each segment has them all.
        keys.drain(..keys.len().saturating_sub(KEYS_MAX - 1));
        keys.push(Key { uri, ..key });
        self.pending.applied.keys = Some(Arc::new(keys));
    }

    fn uri(&mut self, uri: &str, line: u32) {
        let uri = self.expand(uri, line);
        let next = Applied { discontinuity: false, date: None, ..self.pending.applied.clone() };
        let pending = core::mem::take(&mut self.pending);
        self.pending.applied = next;
        let duration = pending.duration;
        if duration.is_none() {
            self.found.add(&rules::EXTINF_MISSING, line, format!("{} has no EXTINF", quoted(&uri)));
        }
        self.media.segments.push(Segment {
            line,
            uri,
            duration: duration.flatten(),
            range: pending.range,
            applied: pending.applied,
            gap: pending.gap,
            bitrate: self.bitrate.filter(|_| pending.range.is_none()),
            parts: pending.parts,
            late: pending.late,
        });
    }

    fn end(self) -> Media {
        let (mut media, pending) = (self.media, self.pending);
        media.dangling = pending.duration.is_some().then_some(pending.line);
        (media.tail, media.tail_applied, media.tail_late) = (pending.parts, pending.applied, pending.late);
        media
    }

    fn has_segment(&self) -> bool {
        !self.media.segments.is_empty() || self.pending.duration.is_some() || !self.pending.parts.is_empty()
    }

    fn early(&mut self, name: &'static str, line: u32, is_late: bool) {
        let passed = is_late || self.media.segments.iter().any(|segment| segment.applied.discontinuity);
        if passed {
            self.media.late_sequence.get_or_insert((line, name));
        }
    }

    fn needs(&mut self, version: u64, what: &'static str) {
        if version > self.media.needs.0 {
            self.media.needs = (version, what);
        }
    }

    fn expand(&mut self, text: &str, line: u32) -> String {
        self.variables.expand(text, line, self.found).into_owned()
    }

    fn uri_of(&mut self, list: &List<'_>, line: u32) -> String {
        self.expand(list.quoted("URI").unwrap_or_default(), line)
    }
}

/// Whether a date says its zone and milliseconds.
pub(in crate::lint) fn has_zone(date: &str) -> bool {
    let Some((_, time)) = date.split_once('T') else { return false };
    let clock = time.find(['Z', '+', '-']).map(|at| time.split_at(at).0);
    clock.is_some_and(|clock| clock.split_once('.').is_some_and(|(_, fraction)| fraction.len() >= 3))
}

/// EXT-X-KEY or EXT-X-SESSION-KEY; `None` where the method is NONE.
pub(in crate::lint) fn read_key(list: &List<'_>, line: u32, tag: &str, found: &mut Findings) -> Option<Key> {
    let method = list.bare("METHOD").unwrap_or_default();
    if method == "NONE" {
        if list.pairs.len() > 1 {
            found.add(&rules::KEY_NONE, line, format!("{tag} of METHOD=NONE has other attributes"));
        }
        return None;
    }
    if !list.has("URI") {
        found.add(&rules::KEY_URI, line, format!("{tag} has no URI"));
    }
    let iv = list.bare("IV").and_then(attributes::hex);
    let forbids = matches!(method, "AES-256-GCM" | "SAMPLE-AES-CTR");
    if iv.is_some_and(|iv| iv.len() != 32) {
        found.add(&rules::KEY_IV, line, format!("{tag} has an IV that is not of 128 bits"));
    } else if iv.is_some() && forbids {
        found.add(&rules::KEY_IV, line, format!("{tag} has an IV with {method}"));
    }
    let versions = list.quoted("KEYFORMATVERSIONS");
    let sound = |version: &str| attributes::integer(version).is_some_and(|version| version > 0);
    if versions.is_some_and(|versions| !versions.split('/').all(sound)) {
        found.add(&rules::KEY_VERSIONS, line, format!("{tag} has {}", quoted(versions.unwrap_or_default())));
    }
    Some(Key {
        method: method.to_string(),
        uri: list.quoted("URI").unwrap_or_default().to_string(),
        iv: iv.map(str::to_ascii_uppercase),
        format: list.quoted("KEYFORMAT").unwrap_or("identity").to_string(),
        versions: versions.unwrap_or("1").to_string(),
    })
}
