//! The snapshots that the origin gives the edge. They travel as JSON, signed (see [`crate::sign`]).
//!
//! Every playlist is made from a [`ChannelState`] alone. Of one origin a receiver takes the one with the highest `revision`
//! and ignores any older one, so that pushes may be lost, doubled or out of order. What several origins say of one
//! channel is put together by [`merge`], and of the event and of recordings by [`union`].

use alloc::string::String;
use alloc::vec::Vec;

pub use replays::{
    CHAPTER_SEGMENTS_MAX, CHAPTERS_MAX, MATCH_FROM_MS_MAX, MATCHES_MAX, Match, REPLAYS_MAX, Replay,
    ReplayList,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::captions::Captions;
use crate::id::{ChannelId, EventId, NodeId, OriginId, RecordingId, RenditionId};
use crate::media::VideoRange;
use crate::score::{NAME_CHARS_MAX, Range};
use crate::scte35::{SPLICES_MAX, Splice};
use crate::sound::Sound;
use crate::time::{MediaSpan, MediaTime, UtcMs};
use crate::web;

pub(crate) mod frames;
pub mod merge;
mod replays;
pub mod union;

/// The most nodes a channel can have: one bit each in [`Segment::on`].
pub const NODES_MAX: usize = 32;

/// The most segments a rendition's window can list.
pub const SEGMENTS_MAX: usize = 20_000;

/// The most parts that a rendition can list.
pub const PARTS_MAX: usize = 512;

/// How many of the newest segments have their parts kept, beside those of what follows them, at least.
pub const PART_SEGMENTS: usize = 3;

/// How many of the newest of these segments have their parts kept: RFC 8216bis, 6.2.2 wants parts that are less than three
/// target durations from the end.
pub(crate) fn part_segments<'a>(
    segments: impl DoubleEndedIterator<Item = &'a Segment>,
    target_duration_s: u32,
) -> usize {
    let least = MediaSpan::from_ms(i64::from(target_duration_s) * 3000);
    let mut newest_first = segments.rev().peekable();
    let Some(end) = newest_first.peek().map(|newest| newest.end()) else { return PART_SEGMENTS };
    newest_first.take_while(|segment| end - segment.end() < least).count().max(PART_SEGMENTS)
}

/// After so long without a further part that a target has, an origin tells of none any more, in milliseconds: nobody waits for
/// the next one, and targets keep none for ever.
pub const PARTS_IDLE_MS: u64 = 30_000;

/// After so long in which it heard of no further part, a receiver lists none any more, in milliseconds: its origins may have
/// dropped theirs, and can't say so.
pub const PARTS_HEARD_MS: u64 = 60_000;

/// From the first part that is listed to the last one, at most, in milliseconds: targets keep none for ever. It is more than three
/// segments of the longest kind and the one that follows them. Where parts come and their segments do not, as from an origin
/// whose disk takes nothing, they would else be listed as long as there is room ([`PARTS_MAX`]).
pub const PARTS_SPAN_MS_MAX: u64 = 85_000;

/// The shortest and the longest parts that a channel may have, in milliseconds.
pub const PART_MS: core::ops::RangeInclusive<u32> = 100..=5_000;

/// The most renditions of a channel.
pub const RENDITIONS_MAX: usize = 16;

/// The largest snapshot that a receiver takes, in bytes of JSON.
pub const STATE_LEN_MAX: usize = 4 << 20;

/// An event and its channels. `PUT /origin/v1/event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventState {
    /// The event.
    pub event: EventId,
    /// Which origin says so, where several may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginId>,
    /// What people call it.
    pub title: String,
    /// Goes up with every change; [`UtcMs`] of the change in practice.
    pub revision: u64,
    /// Its channels, in the order to show them.
    pub channels: Vec<ChannelBrief>,
}

/// What a list of channels shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBrief {
    /// The channel.
    pub id: ChannelId,
    /// What people call it.
    pub title: String,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// No feed yet, or none at the moment.
    Waiting,
    /// A feed is coming in.
    Live,
    /// The channel has ended: its playlists get `EXT-X-ENDLIST`.
    Ended,
}

/// All that playlists of a channel are made from. `PUT /origin/v1/channels/{channel}/state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: ChannelId,
    /// Which origin says so. Several origins of one channel number it differently; a receiver merges what they say.
    pub origin: OriginId,
    /// The recording that is being made. Another one begins after the channel has ended.
    pub recording: RecordingId,
    /// What people call it.
    pub title: String,
    /// Goes up with every snapshot, restarts of the origin included.
    pub revision: u64,
    /// The origin's wall clock when it made the snapshot.
    pub updated: UtcMs,
    /// Where the channel stands.
    pub phase: Phase,
    /// Segment duration by which names are numbered, in milliseconds: fixed for a channel's life.
    pub segment_ms: u32,
    /// Length of a key period, in seconds: fixed for a channel's life.
    pub key_period_s: u32,
    /// The longest part, in milliseconds, where the channel is one of low latency: fixed for a recording's life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_ms: Option<u32>,
    /// Playlists name parts by where the edge leads to them, and hint at the next one: for a channel of low latency, and fixed
    /// for a recording's life as its parts are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preload_hints: bool,
    /// What playlists say of the score, where the channel has a scorer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Shown>,
    /// What its feed says of splices, in the order of what it is about; at most [`SPLICES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splices: Vec<Splice>,
    /// Where viewers read; at most [`NODES_MAX`]. The position is the bit in [`Segment::on`].
    pub nodes: Vec<Node>,
    /// The renditions, best first.
    pub renditions: Vec<Rendition>,
}

/// What playlists say of a channel's score.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The revision of the score document that it was made of; 0 before the first match.
    pub revision: u64,
    /// What of it lies in the window, by where it begins; at most [`RANGES_MAX`].
    pub ranges: Vec<Range>,
}

/// The most ranges of a snapshot, the newest ones.
pub const RANGES_MAX: usize = 500;

/// A public base URL over a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, which is also its `PATHWAY-ID`.
    pub id: NodeId,
    /// Base URL without a trailing slash: an object's URL is `{url}/{name}`. However an origin writes it, it is read in the
    /// form in which viewers' browsers name it.
    #[serde(deserialize_with = "normal_url")]
    pub url: String,
    /// Whether the origin can, at the moment, write to its target and read from it.
    pub up: bool,
    /// How many viewers it shall get, in proportion to the other nodes' weights; 0: it is being drained.
    #[serde(default = "weight_default")]
    pub weight: u16,
    /// What the origin's read-backs through the node found, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<NodeProbe>,
    /// What a gigabyte from it costs, in millionths of the operator's currency. Of nodes that are as good, the cheapest serve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub price_micros_per_gb: u32,
    /// The last time that its origins thought it unwell. [`merge`] keeps it, by the receiver's clock; what an origin says
    /// here does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
}

/// When a node was last unwell, as its origins see it ([`Node::is_well`]), after it had been well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it was well again; `None` as long as it isn't.
    pub ended: Option<UtcMs>,
    /// Which one it is of those that followed one another within [`OUTAGE_FORGIVEN_MS`]; from 1.
    pub times: u8,
}

/// An outage that began so long after the last one had ended is a first one, in milliseconds.
pub const OUTAGE_FORGIVEN_MS: u64 = 600_000;

/// A node behind by more than this, as the origin reads it back, is not well, in milliseconds: players keep about three
/// segments in hand.
pub const STALENESS_MS_MAX: u32 = 6_000;

/// And neither is one whose first byte takes longer than this, in milliseconds: our player gives up a little later.
pub const TTFB_MS_MAX: u32 = 2_000;

/// The weight of a node of which nothing is said.
pub const WEIGHT_DEFAULT: u16 = 100;

fn normal_url<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    String::deserialize(text).map(web::normal)
}

fn weight_default() -> u16 {
    WEIGHT_DEFAULT
}

impl Node {
    /// A node of the usual weight, with nothing read back yet.
    pub fn new(id: NodeId, url: String, up: bool) -> Node {
        Node { id, url, up, weight: WEIGHT_DEFAULT, probe: None, price_micros_per_gb: 0, outage: None }
    }

    /// Whether it is up and neither slow nor behind, as far as its origins know.
    pub fn is_well(&self) -> bool {
        self.up && !self.probe.is_some_and(NodeProbe::is_late)
    }
}

/// What an origin's read-backs through a node found of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeProbe {
    /// Median time to the first byte, in milliseconds.
    pub ttfb_ms: u32,
    /// How long after its acknowledgement the newest object could be read, in milliseconds; as long as it can't, how long
    /// that has been.
    pub staleness_ms: u32,
}

impl NodeProbe {
    /// Whether a viewer had better read elsewhere.
    pub fn is_late(self) -> bool {
        self.staleness_ms > STALENESS_MS_MAX || self.ttfb_ms > TTFB_MS_MAX
    }
}

/// One rendition and its window of segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// Its name.
    pub id: RenditionId,
    /// RFC 6381 codec strings, comma-separated: the `CODECS` attribute.
    pub codecs: String,
    /// Peak bits a second of any segment.
    pub bandwidth: u32,
    /// Average bits a second.
    pub average_bandwidth: u32,
    /// Width in pixels; 0 for audio only.
    pub width: u16,
    /// Height in pixels; 0 for audio only.
    pub height: u16,
    /// Frames a second × 1000; 0 where unknown.
    pub frame_rate_milli: u32,
    /// The range of light of its pictures: `VIDEO-RANGE`.
    #[serde(default, skip_serializing_if = "VideoRange::is_sdr")]
    pub range: VideoRange,
    /// What is to be said of it where it is the sound that goes with other renditions' pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
    /// The closed captions that were seen in its pictures so far.
    #[serde(default, skip_serializing_if = "Captions::is_none")]
    pub captions: Captions,
    /// A segment so far begins with a picture that refers to some before it: the encoder's key frames came too late.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dependent: bool,
    /// Peak bits a second of the key frames of its segments, where these are objects; 0 where they are none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frames_bandwidth: u32,
    /// `EXT-X-TARGETDURATION`, in seconds.
    pub target_duration_s: u32,
    /// `EXT-X-MEDIA-SEQUENCE` of the first segment.
    pub first_msn: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE` of the first segment.
    pub discontinuity_sequence: u64,
    /// Object names of the init segments that [`Segment::init`] points into.
    pub inits: Vec<String>,
    /// The segments that may be listed, oldest first, each acknowledged by at least one target, or a gap.
    pub segments: Vec<Segment>,
    /// The parts that may be listed, in order, each acknowledged by at least one target: those of the newest segments
    /// ([`PART_SEGMENTS`]), of each all or none, and the first ones of what follows them. At most [`PARTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A part of a segment. Its object name follows from its start and its segment's ([`crate::object::part_name`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where its segment starts.
    pub of: MediaTime,
    /// Where it starts itself.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// Index into [`Rendition::inits`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: u16,
    /// `EXT-X-DISCONTINUITY` stands before its segment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub discontinuity: bool,
    /// It begins with a key frame.
    #[serde(default, skip_serializing_if = "is_default")]
    pub independent: bool,
    /// Which nodes have it, and its init segment: bit n for `nodes[n]`. None, where those that had it have gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: u32,
}

/// One segment. Its object name follows from its start ([`crate::object::segment_name`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it starts.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// Index into [`Rendition::inits`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: u16,
    /// `EXT-X-DISCONTINUITY` stands before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub discontinuity: bool,
    /// It begins with a picture that refers to some before it: nobody can begin with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dependent: bool,
    /// No node will have it: `EXT-X-GAP`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gap: bool,
    /// Which nodes have it, and its init segment: bit n for `nodes[n]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: u32,
    /// Which nodes have its key frame, and that one's init segment. None as long as that may still come; 0: a gap for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
}

impl Segment {
    /// One that was made and that no node has yet. It begins with a key frame, which may still come as an object.
    pub fn new(start: MediaTime, duration: MediaSpan, init: u16, discontinuity: bool) -> Segment {
        Segment { start, duration, init, discontinuity, dependent: false, gap: false, on: 0, frame: None }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ChannelState {
    /// Checks the bounds that the types can't express, so that everything made from a snapshot may rely on them.
    pub fn check(&self) -> Result<(), StateError> {
        if self.nodes.len() > NODES_MAX {
            return Err(StateError::Nodes);
        }
        if self.segment_ms == 0 || self.key_period_s == 0 {
            return Err(StateError::Durations);
        }
        if self.part_ms.is_some_and(|part_ms| !PART_MS.contains(&part_ms)) {
            return Err(StateError::PartDuration);
        }
        for node in &self.nodes {
            let web = node.url.starts_with("https://") || node.url.starts_with("http://");
            if !web
                || !is_plain(&node.url)
                || node.url.contains(['#', '?'])
                || node.url.ends_with('/')
                || node.url.len() > 512
            {
                return Err(StateError::NodeUrl);
            }
        }
        if self.score.as_ref().is_some_and(|score| !score.is_within_bounds()) {
            return Err(StateError::Ranges);
        }
        if self.splices.len() > SPLICES_MAX || !self.splices.is_sorted_by_key(|splice| splice.at) {
            return Err(StateError::Splices);
        }
        if self.renditions.len() > RENDITIONS_MAX {
            return Err(StateError::Renditions);
        }
        for rendition in &self.renditions {
            let names = rendition.inits.iter().all(|name| is_plain(name) && name.len() <= 512);
            if !names || !is_plain(&rendition.codecs) || rendition.codecs.len() > 256 {
                return Err(StateError::Text);
            }
            if rendition.sound.as_ref().is_some_and(|sound| !sound.is_within_bounds()) {
                return Err(StateError::Sound);
            }
            let inits = |segment: &Segment| usize::from(segment.init) < rendition.inits.len();
            let spans = |segment: &Segment| segment.duration.0 > 0;
            let bounded = rendition.segments.len() <= SEGMENTS_MAX;
            if !bounded || !rendition.segments.iter().all(|segment| inits(segment) && spans(segment)) {
                return Err(StateError::Segments);
            }
            let fits = |part: &Part| {
                usize::from(part.init) < rendition.inits.len() && part.duration.0 > 0 && part.start >= part.of
            };
            if rendition.parts.len() > PARTS_MAX || !rendition.parts.iter().all(fits) {
                return Err(StateError::Parts);
            }
        }
        Ok(())
    }
}

impl Shown {
    fn is_within_bounds(&self) -> bool {
        let is_name = |id: &str| (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        let fits = |range: &Range| {
            let forward = range.end.is_none_or(|end| range.start <= end);
            forward && is_name(&range.id) && range.title.chars().count() <= NAME_CHARS_MAX
        };
        let sorted = self.ranges.is_sorted_by_key(|range| range.start);
        sorted && self.ranges.len() <= RANGES_MAX && self.ranges.iter().all(fits)
    }
}

/// Printable ASCII without space and quote: safe in a playlist line and in a quoted attribute.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
}

/// What is wrong with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Too many nodes.
    #[error("a channel can have at most 32 nodes")]
    Nodes,
    /// A duration of zero.
    #[error("segment_ms and key_period_s must be above 0")]
    Durations,
    /// Parts that are too short or too long.
    #[error("part_ms must be between 100 and 5,000")]
    PartDuration,
    /// A node URL that can't stand in a playlist.
    #[error(
        "a node's url must begin with http:// or https://, not end with '/', have no query or fragment, and need no escaping"
    )]
    NodeUrl,
    /// A text that can't stand in a playlist.
    #[error("codecs and init names must be printable ASCII without space and quote")]
    Text,
    /// A sound track's name that can't stand in a playlist.
    #[error("a sound track's name has 1 to 64 characters, without quotes and control characters")]
    Sound,
    /// Too many ranges, one that ends before it begins, or one without a proper name.
    #[error(
        "a channel's score has at most {RANGES_MAX} ranges, by where they begin, each with an id of 1 to 40 hexadecimal digits and a title of at most 100 characters"
    )]
    Ranges,
    /// Too many splices, or out of order.
    #[error("a channel has at most {SPLICES_MAX} splices, by what they are about")]
    Splices,
    /// Too many renditions.
    #[error("a channel can have at most 16 renditions")]
    Renditions,
    /// Too many segments, one without duration, or one without its init segment.
    #[error("a rendition has at most 20,000 segments, each with a duration and an init segment")]
    Segments,
    /// Too many parts, one without duration or init segment, or one that starts before its segment.
    #[error(
        "a rendition has at most 512 parts, each with a duration and an init segment, and none before its segment"
    )]
    Parts,
}
