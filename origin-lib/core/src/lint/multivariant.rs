//! A multivariant playlist as it is read (RFC 8216bis, 4.4.6).

mod check;
mod groups;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub(super) use self::check::check;
use super::attributes::{self, List, Nanos};
use super::lines::{Item, Line};
use super::media::{Key, read_key};
use super::rule::{Findings, quoted};
use super::variables::Variables;
use super::{Place, rules};

/// The type of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// AUDIO.
    Audio,
    /// VIDEO.
    Video,
    /// SUBTITLES.
    Subtitles,
    /// CLOSED-CAPTIONS.
    Captions,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Audio => "AUDIO",
            Kind::Video => "VIDEO",
            Kind::Subtitles => "SUBTITLES",
            Kind::Captions => "CLOSED-CAPTIONS",
        }
    }
}

/// EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    pub(super) line: u32,
    /// Where its media playlist is; empty where that is missing.
    pub uri: String,
    /// It is of I-frames.
    pub frames_only: bool,
    /// BANDWIDTH, in bits a second.
    pub bandwidth: Option<u64>,
    /// AVERAGE-BANDWIDTH, in bits a second.
    pub average_bandwidth: Option<u64>,
    /// CODECS.
    pub codecs: Option<String>,
    /// RESOLUTION: width and height.
    pub resolution: Option<(u64, u64)>,
    /// RESOLUTION is there, of whatever form.
    pub(super) has_resolution: bool,
    pub(super) frame_rate: Option<Nanos>,
    pub(super) score: Option<Nanos>,
    /// The groups that it names, by their types.
    pub groups: Vec<(Kind, String)>,
    pub(super) no_captions: bool,
    /// PATHWAY-ID, `.` where it is not given.
    pub pathway: String,
    pub(super) stable_id: Option<String>,
}

/// EXT-X-MEDIA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    pub(super) line: u32,
    /// TYPE.
    pub kind: Kind,
    /// GROUP-ID.
    pub group: String,
    /// NAME.
    pub name: String,
    /// Where its media playlist is, if it has one of its own.
    pub uri: Option<String>,
    /// Every attribute as it stands there, without TYPE and GROUP-ID.
    pub(super) attributes: Vec<(String, String)>,
}

impl Rendition {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionData {
    line: u32,
    id: String,
    language: Option<String>,
    has_value: bool,
    has_uri: bool,
}

/// EXT-X-CONTENT-STEERING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    pub(super) line: u32,
    /// SERVER-URI.
    pub server: String,
    /// PATHWAY-ID.
    pub pathway: Option<String>,
}

/// A multivariant playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multivariant {
    /// EXT-X-VERSION.
    pub version: Option<u64>,
    /// EXT-X-INDEPENDENT-SEGMENTS.
    pub independent: bool,
    /// EXT-X-START is there.
    pub has_start: bool,
    /// Variants, I-frame ones included.
    pub variants: Vec<Variant>,
    /// Renditions.
    pub renditions: Vec<Rendition>,
    /// EXT-X-SESSION-KEY.
    pub keys: Vec<Key>,
    key_lines: Vec<u32>,
    data: Vec<SessionData>,
    /// EXT-X-CONTENT-STEERING.
    pub steering: Option<Steering>,
    /// What media playlists may import.
    pub variables: Variables,
    needs: (u64, &'static str),
}

/// Reads the lines of a multivariant playlist, and finds what is wrong with each tag by itself.
pub(super) fn read(lines: &[Line<'_>], place: &Place<'_>, found: &mut Findings) -> Multivariant {
    let mut out = Multivariant { needs: (1, ""), ..Multivariant::default() };
    let mut open: Option<Variant> = None;
    for line in lines {
        match &line.item {
            Item::Uri(uri) => {
                let uri = out.variables.expand(uri, line.number, found).into_owned();
                match open.take() {
                    Some(variant) => out.variants.push(Variant { uri, ..variant }),
                    None => {
                        let seen = format!("{} has no EXT-X-STREAM-INF", quoted(&uri));
                        found.add(&rules::URI_WITHOUT_VARIANT, line.number, seen);
                    }
                }
            }
            Item::Tag { tag, value, list } => {
                if let Some(variant) = open.take_if(|_| tag.name == "EXT-X-STREAM-INF") {
                    out.without_uri(variant, found);
                }
                match tag.name {
                    "EXT-X-STREAM-INF" => open = Some(out.variant(list, line.number, found)),
                    name => out.tag(name, value, list, place, line.number, found),
                }
            }
        }
    }
    if let Some(variant) = open {
        out.without_uri(variant, found);
    }
    out
}

impl Multivariant {
    fn without_uri(&mut self, variant: Variant, found: &mut Findings) {
        found.add(&rules::VARIANT_WITHOUT_URI, variant.line, "EXT-X-STREAM-INF has no URI behind it");
        self.variants.push(variant);
    }

    fn tag(
        &mut self,
        name: &'static str,
        value: &str,
        list: &List<'_>,
        place: &Place<'_>,
        line: u32,
        found: &mut Findings,
    ) {
        match name {
            "EXT-X-VERSION" => self.version = self.version.or(attributes::integer(value)),
            "EXT-X-INDEPENDENT-SEGMENTS" => self.independent = true,
            "EXT-X-START" => self.has_start = true,
            "EXT-X-DEFINE" => {
                self.needs(if list.has("QUERYPARAM") { 11 } else { 8 }, "EXT-X-DEFINE");
                self.variables.define(list, place, true, line, found);
            }
            "EXT-X-MEDIA" => self.rendition(list, line, found),
            "EXT-X-I-FRAME-STREAM-INF" => {
                let uri = list.quoted("URI").unwrap_or_default();
                let uri = self.variables.expand(uri, line, found).into_owned();
                let variant = self.variant(list, line, found);
                self.variants.push(Variant { uri, frames_only: true, ..variant });
            }
            "EXT-X-SESSION-DATA" => self.data.push(SessionData {
                line,
                id: list.quoted("DATA-ID").unwrap_or_default().to_string(),
                language: list.quoted("LANGUAGE").map(ToString::to_string),
                has_value: list.has("VALUE"),
                has_uri: list.has("URI"),
            }),
            "EXT-X-SESSION-KEY" => match read_key(list, line, "EXT-X-SESSION-KEY", found) {
                Some(key) => {
                    self.needs(
                        if list.has("KEYFORMAT") || list.has("KEYFORMATVERSIONS") { 5 } else { 1 },
                        "KEYFORMAT",
                    );
                    self.needs(if list.has("IV") { 2 } else { 1 }, "IV");
                    self.keys.push(key);
                    self.key_lines.push(line);
                }
                None => found.add(&rules::SESSION_KEY_NONE, line, "EXT-X-SESSION-KEY is of METHOD=NONE"),
            },
            "EXT-X-CONTENT-STEERING" => {
                let server = list.quoted("SERVER-URI").unwrap_or_default().to_string();
                let pathway = list.quoted("PATHWAY-ID").map(ToString::to_string);
                self.steering = Some(Steering { line, server, pathway });
            }
            _ => {}
        }
    }

    fn variant(&mut self, list: &List<'_>, line: u32, found: &mut Findings) -> Variant {
        if list.has("REQ-VIDEO-LAYOUT") {
            self.needs(12, "REQ-VIDEO-LAYOUT");
        }
        let mut text = |name| {
            let text = list.quoted(name)?;
            Some(self.variables.expand(text, line, found).into_owned())
        };
        let kinds = [Kind::Audio, Kind::Video, Kind::Subtitles, Kind::Captions];
        let groups = kinds.iter().filter_map(|kind| Some((*kind, text(kind.name())?))).collect();
        Variant {
            line,
            uri: String::new(),
            frames_only: false,
            bandwidth: list.integer("BANDWIDTH"),
            average_bandwidth: list.integer("AVERAGE-BANDWIDTH"),
            codecs: text("CODECS"),
            resolution: list.bare("RESOLUTION").and_then(attributes::resolution),
            has_resolution: list.has("RESOLUTION"),
            frame_rate: list.decimal("FRAME-RATE"),
            score: list.decimal("SCORE"),
            groups,
            no_captions: list.bare("CLOSED-CAPTIONS") == Some("NONE"),
            pathway: text("PATHWAY-ID").unwrap_or_else(|| ".".into()),
            stable_id: text("STABLE-VARIANT-ID"),
        }
    }

    fn rendition(&mut self, list: &List<'_>, line: u32, found: &mut Findings) {
        let kind = match list.bare("TYPE") {
            Some("AUDIO") => Kind::Audio,
            Some("VIDEO") => Kind::Video,
            Some("SUBTITLES") => Kind::Subtitles,
            Some("CLOSED-CAPTIONS") => Kind::Captions,
            // That is found by the grammar.
            _ => return,
        };
        let instream = list.quoted("INSTREAM-ID");
        if instream.is_some_and(|id| id.starts_with("SERVICE")) {
            self.needs(7, "a SERVICE of INSTREAM-ID");
        }
        if instream.is_some() && kind != Kind::Captions {
            self.needs(13, "INSTREAM-ID of other than closed captions");
        }
        let mut expand = |text: &str| self.variables.expand(text, line, found).into_owned();
        let attributes = list.pairs.iter().filter(|(name, _)| !matches!(*name, "TYPE" | "GROUP-ID"));
        let value = |raw: attributes::Raw<'_>| match raw {
            attributes::Raw::Bare(text) | attributes::Raw::Quoted(text) => text.to_string(),
        };
        let rendition = Rendition {
            line,
            kind,
            group: expand(list.quoted("GROUP-ID").unwrap_or_default()),
            name: expand(list.quoted("NAME").unwrap_or_default()),
            uri: list.quoted("URI").map(&mut expand),
            attributes: attributes.map(|(name, raw)| ((*name).to_string(), value(*raw))).collect(),
        };
        self.renditions.push(rendition);
    }

    fn needs(&mut self, version: u64, what: &'static str) {
        if version > self.needs.0 {
            self.needs = (version, what);
        }
    }
}
