//! Playlists: pure functions from a channel state to text (RFC 8216bis).
//!
//! The text depends on the snapshot and on an order of nodes, never on the viewer, so that caches can hold it and it
//! carries no secret. URIs of the edge are relative, so that the same text serves a viewer with a cookie and a player
//! with its token in the path. Segment URIs are absolute: they lead to nodes.
//!
//! The init segment is not encrypted (it holds codec parameters, no media), so `EXT-X-MAP` always stands where no key
//! is in force.

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::id::{NodeId, RenditionId};
use crate::state::{ChannelState, Phase, Rendition, Segment};
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
    let _ = write_multivariant(&mut text, state, order);
    text
}

fn write_multivariant(text: &mut String, state: &ChannelState, order: &[NodeId]) -> fmt::Result {
    writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS")?;
    if let Some(first) = order.first() {
        let channel = &state.channel;
        writeln!(
            text,
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"../../steer/{channel}\",PATHWAY-ID=\"{first}\""
        )?;
    }
    for node in order {
        for rendition in &state.renditions {
            write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={}", rendition.bandwidth)?;
            write!(text, ",AVERAGE-BANDWIDTH={}", rendition.average_bandwidth)?;
            write!(text, ",CODECS=\"{}\"", rendition.codecs)?;
            if rendition.width > 0 && rendition.height > 0 {
                write!(text, ",RESOLUTION={}x{}", rendition.width, rendition.height)?;
            }
            if rendition.frame_rate_milli > 0 {
                let rate = rendition.frame_rate_milli;
                write!(text, ",FRAME-RATE={}.{:03}", rate / 1000, rate % 1000)?;
            }
            writeln!(text, ",PATHWAY-ID=\"{node}\"\n{node}/{}.m3u8", rendition.id)?;
        }
    }
    Ok(())
}

/// The media playlist of a rendition, each segment at the first node of `order` that has it; a segment that only
/// other nodes have is listed at one of those, and one that no node has is a gap.
///
/// For a request to `/live/{channel}/{node}/{rendition}.m3u8`. `None` where the state has no such rendition, or the
/// rendition no segment.
pub fn media(state: &ChannelState, rendition: &RenditionId, order: &[NodeId]) -> Option<String> {
    let rendition = state.renditions.iter().find(|r| r.id == *rendition)?;
    let first = rendition.segments.first()?;
    let mut text = String::with_capacity(HEAD_LEN + rendition.segments.len() * SEGMENT_LEN);
    let _ = Media { state, rendition, order }.write(&mut text, first);
    Some(text)
}

struct Media<'a> {
    state: &'a ChannelState,
    rendition: &'a Rendition,
    order: &'a [NodeId],
}

impl Media<'_> {
    fn write(&self, text: &mut String, first: &Segment) -> fmt::Result {
        let rendition = self.rendition;
        writeln!(text, "#EXTM3U\n#EXT-X-VERSION:{VERSION}")?;
        writeln!(text, "#EXT-X-TARGETDURATION:{}", rendition.target_duration_s)?;
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", rendition.first_msn)?;
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", rendition.discontinuity_sequence)?;
        writeln!(text, "#EXT-X-INDEPENDENT-SEGMENTS")?;

        let (mut init, mut period) = (None, None);
        for (at, segment) in rendition.segments.iter().enumerate() {
            let begins = core::ptr::eq(segment, first);
            if segment.discontinuity && !begins {
                writeln!(text, "#EXT-X-DISCONTINUITY")?;
            }
            if init != Some(segment.init) {
                if period.take().is_some() {
                    writeln!(text, "#EXT-X-KEY:METHOD=NONE")?;
                }
                self.write_map(text, at, segment)?;
                init = Some(segment.init);
            }
            let key_period = keys::period(segment.start, self.state.key_period_s);
            if period != Some(key_period) {
                self.write_key(text, key_period)?;
                period = Some(key_period);
            }
            if begins || segment.discontinuity {
                writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", segment.start)?;
            }
            let node = self.node_of(segment.on).filter(|_| !segment.gap);
            if node.is_none() {
                writeln!(text, "#EXT-X-GAP")?;
            }
            let url = node.and_then(|node| self.state.nodes.get(node)).map_or("", |node| &node.url);
            write!(text, "#EXTINF:{},\n{url}/", segment.duration.decimal_seconds(5))?;
            let (channel, segment_ms) = (&self.state.channel, self.state.segment_ms);
            object::write_segment_name(text, channel, &rendition.id, segment.start, segment_ms)?;
            text.push('\n');
        }
        if self.state.phase == Phase::Ended {
            writeln!(text, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }

    /// `EXT-X-MAP` for the run of segments that begins at `at`: at the node of the run's newest segment, since that is
    /// where the viewer reads on.
    fn write_map(&self, text: &mut String, at: usize, segment: &Segment) -> fmt::Result {
        let run = self.rendition.segments.iter().skip(at).take_while(|s| s.init == segment.init);
        let node = run.filter_map(|s| self.node_of(s.on)).last().and_then(|node| self.state.nodes.get(node));
        let url = node.or(self.state.nodes.first()).map_or("", |node| &node.url);
        let name = self.rendition.inits.get(usize::from(segment.init)).map_or("", String::as_str);
        writeln!(text, "#EXT-X-MAP:URI=\"{url}/{name}\"")
    }

    fn write_key(&self, text: &mut String, period: u64) -> fmt::Result {
        let channel = &self.state.channel;
        let iv = hex::encode(&keys::iv(channel, period));
        writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"../../../key/{channel}/{period}\",IV=0x{iv}")
    }

    /// The node from which to read an object that the nodes of the mask `on` have.
    fn node_of(&self, on: u32) -> Option<usize> {
        let has = |node: &usize| on.checked_shr(*node as u32).is_some_and(|bits| bits & 1 == 1);
        let position = |id: &NodeId| self.state.nodes.iter().position(|node| node.id == *id);
        self.order.iter().filter_map(position).find(has).or_else(|| (0..self.state.nodes.len()).find(has))
    }
}

#[cfg(test)]
mod tests;
