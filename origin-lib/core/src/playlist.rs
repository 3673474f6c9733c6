//! Playlists: pure functions from a channel state to text (RFC 8216bis).
//!
//! The text depends on snapshots and on an order of nodes, never on the viewer, so that caches can hold it and it
//! carries no secret. URIs of the edge are relative, so that the same text serves a viewer with a cookie and a player
//! with its token in the path. Segment URIs are absolute: they lead to nodes.
//!
//! The init segment is not encrypted (it holds codec parameters, no media), so `EXT-X-MAP` always stands where no key
//! is in force.

mod captions;
mod choice;
mod delta;
mod frames;
mod low_latency;
mod ranges;
mod recorded;
mod sounds;
mod splices;
mod subtitles;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

pub use choice::choice;
pub use frames::frames;
pub use low_latency::{Reach, part_url, reach, reach_of_part};
pub use recorded::{Recorded, Stretch};
pub use subtitles::subtitles;

use crate::id::{NodeId, RenditionId};
use crate::state::{ChannelState, Phase, Rendition, Segment};
use crate::time::{MediaSpan, MediaTime};
use crate::{hex, keys, object};

/// `EXT-X-VERSION` of everything made here: `EXT-X-MAP` in a playlist of whole segments needs 6, fMP4 players expect 7.
const VERSION: u32 = 7;

/// About how long a playlist's beginning and the lines of one segment are, in bytes: one allocation is enough then.
const HEAD_LEN: usize = 1024;
const SEGMENT_LEN: usize = 128;

/// The multivariant playlist: one variant for each rendition on each pathway of `order`, the first preferred.
///
/// For a request to `/live/{channel}/main.m3u8`; variants lie at `{node}/{rendition}.m3u8` beside it.
pub fn multivariant(state: &ChannelState, order: &[NodeId]) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write_multivariant(&mut text, state, order, LIVE_ROOT, state.score.as_ref().map(|_| ""), "");
    text
}

/// From a live multivariant playlist to where keys and steering lie, and from that of a recording. Media playlists are
/// one folder deeper.
const LIVE_ROOT: &str = "../../";
const REPLAY_ROOT: &str = "../../../";

/// `score` is what the score's subtitles are asked with, and `query` what the media playlists are: empty, or with its question
/// mark.
fn write_multivariant(
    text: &mut String,
    state: &ChannelState,
    order: &[NodeId],
    root: &str,
    score: Option<&str>,
    query: &str,
) -> fmt::Result {
    writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{VERSION}")?;
    if !state.renditions.iter().any(|rendition| rendition.dependent) {
        writeln!(text, "#EXT-X-INDEPENDENT-SEGMENTS")?;
    }
    if let Some(first) = order.first() {
        let channel = &state.channel;
        writeln!(
            text,
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{root}steer/{channel}\",PATHWAY-ID=\"{first}\""
        )?;
    }
    if let Some(query) = score {
        subtitles::write_media(text, query)?;
    }
    let captions = captions::Told::of(state);
    captions.write_media(text)?;
    let sounds = sounds::Told::of(state);
    sounds.write_media(text, order, query)?;
    for node in order {
        for rendition in state.renditions.iter().filter(|rendition| sounds.is_variant(rendition)) {
            let group = sounds.group_of(rendition, node);
            let bandwidth = sounds.bandwidth(rendition, |of| of.bandwidth);
            write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}")?;
            let average = sounds.bandwidth(rendition, |of| of.average_bandwidth);
            write!(text, ",AVERAGE-BANDWIDTH={average}")?;
            match group {
                Some(_) => write!(text, ",CODECS=\"{}\"", sounds.codecs(rendition))?,
                None => write!(text, ",CODECS=\"{}\"", rendition.codecs)?,
            }
            if rendition.width > 0 && rendition.height > 0 {
                write!(text, ",RESOLUTION={}x{}", rendition.width, rendition.height)?;
            }
            if rendition.frame_rate_milli > 0 {
                let rate = rendition.frame_rate_milli;
                write!(text, ",FRAME-RATE={}.{:03}", rate / 1000, rate % 1000)?;
            }
            if !rendition.range.is_sdr() {
                write!(text, ",VIDEO-RANGE={}", rendition.range.as_str())?;
            }
            if let Some(group) = group {
                write!(text, ",AUDIO=\"{group}\"")?;
            }
            if score.is_some() {
                write!(text, ",SUBTITLES=\"{}\"", subtitles::GROUP)?;
            }
            captions.write_of(text, rendition)?;
            writeln!(text, ",PATHWAY-ID=\"{node}\"\n{node}/{}.m3u8{query}", rendition.id)?;
        }
    }
    for node in order {
        for rendition in &state.renditions {
            frames::write_variant(text, rendition, node, query)?;
        }
    }
    Ok(())
}

/// What a player wants of a live media playlist, beside its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A delta update, which leaves out what the player has seen (RFC 8216bis, 6.2.5.1).
    pub delta: bool,
    /// Parts by their places at nodes and no hint, also where the channel has [`ChannelState::preload_hints`]: for a player that
    /// asks nodes by itself, without a request of the edge for each part.
    pub parts_at_nodes: bool,
}

/// The media playlist of a rendition, each segment at the first node of `order` that has it; a segment that only
/// other nodes have is listed at one of those, and one that no node has is a gap.
///
/// That of a low-latency channel has its parts as well.
///
/// For a request to `/live/{channel}/{node}/{rendition}.m3u8`. `None` where the state has no such rendition, or the
/// rendition no segment.
pub fn media(
    state: &ChannelState,
    rendition: &RenditionId,
    order: &[NodeId],
    wanted: Wanted,
) -> Option<String> {
    let mut run = Run::of(state, rendition, order)?;
    let (rendition, ended) = (run.rendition, state.phase == Phase::Ended);
    let target_s = rendition.target_duration_s;
    let all = run.segments;
    let mut left_out = 0;
    if wanted.delta && !ended {
        let parts = state.part_ms.map_or(MediaSpan::default(), |_| low_latency::tail_span(rendition));
        left_out = all.len() - delta::kept(all.iter().rev(), parts, delta::boundary(target_s));
    }
    run.segments = all.get(left_out..).unwrap_or_default();
    let lines = run.segments.len() + rendition.parts.len();
    let head = Head {
        version: if left_out > 0 || state.part_ms.is_some() { delta::VERSION } else { VERSION },
        part_ms: state.part_ms,
        ..Head::live(rendition, ended, left_out)
    };
    let mut writer = head.writer(LIVE_ROOT, lines);
    if let Some(score) = &state.score {
        // Also in a delta update, which leaves out segments only (RFC 8216bis, 6.2.5.1).
        let from = rendition.segments.first().map_or(MediaTime(0), |first| first.start);
        let _ = ranges::write(&mut writer.text, &score.ranges, from, end_of(rendition), None);
    }
    let all = (MediaTime(0), MediaTime(u64::MAX));
    let _ = splices::write(&mut writer.text, &state.splices, all, end_of(rendition));
    writer.hints = state.preload_hints && !wanted.parts_at_nodes;
    let _ = writer.run(&run, false).and_then(|()| writer.tail(&run));
    Some(writer.end(ended))
}

/// Where the media ends that a rendition lists.
fn end_of(rendition: &Rendition) -> MediaTime {
    let segment = rendition.segments.last().map(Segment::end);
    let part = rendition.parts.last().map(|part| part.start + part.duration);
    segment.max(part).unwrap_or_default()
}

/// What a media playlist says before its segments.
struct Head {
    version: u32,
    target_s: u32,
    /// `EXT-X-PLAYLIST-TYPE` as a line, or nothing.
    kind: &'static str,
    /// It lists key frames.
    frames: bool,
    first_msn: u64,
    discontinuity_sequence: u64,
    part_ms: Option<u32>,
    /// More will follow.
    grows: bool,
    /// How many segments from the front are left out.
    left_out: usize,
}

impl Head {
    /// That of a live rendition's segments.
    fn live(rendition: &Rendition, ended: bool, left_out: usize) -> Head {
        Head {
            version: if left_out > 0 { delta::VERSION } else { VERSION },
            target_s: rendition.target_duration_s,
            kind: "",
            frames: false,
            first_msn: rendition.first_msn,
            discontinuity_sequence: rendition.discontinuity_sequence,
            part_ms: None,
            grows: !ended,
            left_out,
        }
    }

    /// What writes so many lines of segments and parts behind it.
    fn writer<'a>(&self, root: &'static str, lines: usize) -> Writer<'a> {
        let mut text = String::with_capacity(HEAD_LEN + lines * SEGMENT_LEN);
        let _ = self.write(&mut text);
        let behind_others = self.left_out > 0;
        Writer { text, root, hints: false, init: None, period: None, begun: false, behind_others }
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{}", self.version)?;
        writeln!(text, "#EXT-X-TARGETDURATION:{}", self.target_s)?;
        text.push_str(self.kind);
        text.push_str(if self.frames { "#EXT-X-I-FRAMES-ONLY\n" } else { "" });
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.first_msn)?;
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        let skip_until = delta::boundary(self.target_s).decimal_seconds(1);
        match self.part_ms {
            Some(part_ms) => low_latency::write_control(text, skip_until, part_ms)?,
            None if self.grows => writeln!(text, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={skip_until}")?,
            None => {}
        }
        delta::write(text, self.left_out)
    }
}

/// Segments of one state in a row.
struct Run<'a> {
    state: &'a ChannelState,
    rendition: &'a Rendition,
    segments: &'a [Segment],
    /// Of each of them the key frame is listed.
    frames: bool,
    /// Positions in the state's nodes, in the order in which to look for an object.
    nodes: Vec<usize>,
}

impl<'a> Run<'a> {
    /// `None` where there is no such rendition, or nothing in it.
    fn of(state: &'a ChannelState, rendition: &RenditionId, order: &[NodeId]) -> Option<Run<'a>> {
        let rendition = state.renditions.iter().find(|r| r.id == *rendition)?;
        rendition.segments.first()?;
        let position = |id: &NodeId| state.nodes.iter().position(|node| node.id == *id);
        let mut nodes: Vec<usize> = order.iter().filter_map(position).collect();
        nodes.extend((0..state.nodes.len()).filter(|at| !order.contains(&state.nodes[*at].id)));
        Some(Run { state, rendition, segments: &rendition.segments, frames: false, nodes })
    }

    /// The base URL of the node from which to read an object that the nodes of the mask `on` have.
    fn url_of(&self, on: u32) -> Option<&'a str> {
        let has = |node: &&usize| on.checked_shr(**node as u32).is_some_and(|bits| bits & 1 == 1);
        let node = self.nodes.iter().find(has)?;
        self.state.nodes.get(*node).map(|node| &*node.url)
    }

    /// Which nodes have what is listed of a segment.
    fn on(&self, segment: &Segment) -> u32 {
        if self.frames { segment.frame.unwrap_or_default() } else { segment.on }
    }

    /// Where to read the init segment of the segments from `at` on that need it: at the node of the newest of them, since
    /// that is where the viewer reads on.
    fn url_of_init(&self, at: usize, segment: &Segment) -> Option<&'a str> {
        let same = self.segments.iter().skip(at).take_while(|s| s.init == segment.init);
        same.filter_map(|s| self.url_of(self.on(s))).last()
    }

    fn init(&self, segment: &Segment) -> &'a str {
        self.rendition.inits.get(usize::from(segment.init)).map_or("", String::as_str)
    }
}

/// Writes runs behind one another, and a tag only where what it says changes.
struct Writer<'a> {
    text: String,
    root: &'static str,
    /// Parts are named by where the edge leads to them, and the next one is hinted at.
    hints: bool,
    init: Option<&'a str>,
    period: Option<u64>,
    begun: bool,
    /// What is written first follows on something that was left out.
    behind_others: bool,
}

impl<'a> Writer<'a> {
    /// A run; `hole` says that it does not follow from the one before.
    fn run(&mut self, run: &Run<'a>, hole: bool) -> fmt::Result {
        let (state, rendition) = (run.state, run.rendition);
        for (at, segment) in run.segments.iter().enumerate() {
            let discontinuity = segment.discontinuity || (hole && at == 0);
            self.tags(run, segment, discontinuity, || run.url_of_init(at, segment))?;
            if self.root == LIVE_ROOT && !run.frames {
                self.parts(run, segment, run.segments.get(at + 1..).unwrap_or_default())?;
            }
            let url = run.url_of(run.on(segment)).filter(|_| !segment.gap);
            if url.is_none() {
                writeln!(self.text, "#EXT-X-GAP")?;
            }
            let url = url.or(state.nodes.first().map(|node| &*node.url)).unwrap_or_default();
            write!(self.text, "#EXTINF:{},\n{url}/", segment.duration.decimal_seconds(5))?;
            let (channel, segment_ms) = (&state.channel, state.segment_ms);
            let at = self.text.len();
            object::write_segment_name(&mut self.text, channel, &rendition.id, segment.start, segment_ms)?;
            if run.frames {
                let name = self.text.split_off(at);
                self.text.push_str(&object::frame_name(&name));
            }
            self.text.push('\n');
        }
        Ok(())
    }

    /// What stands before a segment or its parts, where it changes. The init segment is read at `init_at`.
    fn tags(
        &mut self,
        run: &Run<'a>,
        segment: &Segment,
        discontinuity: bool,
        init_at: impl FnOnce() -> Option<&'a str>,
    ) -> fmt::Result {
        if discontinuity && (self.begun || self.behind_others) {
            writeln!(self.text, "#EXT-X-DISCONTINUITY")?;
        }
        let init = run.init(segment);
        if self.init != Some(init) {
            if self.period.take().is_some() {
                writeln!(self.text, "#EXT-X-KEY:METHOD=NONE")?;
            }
            let url = init_at().or(run.state.nodes.first().map(|node| &*node.url)).unwrap_or_default();
            let name = if run.frames { object::frames_init_name(init) } else { String::from(init) };
            writeln!(self.text, "#EXT-X-MAP:URI=\"{url}/{name}\"")?;
            self.init = Some(init);
        }
        let period = keys::period(segment.start, run.state.key_period_s);
        if self.period != Some(period) {
            self.key(run.state, period)?;
            self.period = Some(period);
        }
        if discontinuity || !self.begun {
            writeln!(self.text, "#EXT-X-PROGRAM-DATE-TIME:{}", segment.start)?;
        }
        self.begun = true;
        Ok(())
    }

    fn key(&mut self, state: &ChannelState, period: u64) -> fmt::Result {
        let (channel, root) = (&state.channel, self.root);
        // The digits of a hexadecimal-sequence are capitals (RFC 8216bis, 4.2).
        let iv = hex::encode(&keys::iv(channel, period)).to_ascii_uppercase();
        writeln!(self.text, "#EXT-X-KEY:METHOD=AES-128,URI=\"../{root}key/{channel}/{period}\",IV=0x{iv}")
    }

    fn end(mut self, ended: bool) -> String {
        if ended {
            self.text.push_str("#EXT-X-ENDLIST\n");
        }
        self.text
    }
}

#[cfg(test)]
pub(crate) mod tests;
