//! What only a low-latency playlist has (RFC 8216bis, 4.4.3.7 to 4.4.5.4), and how far a playlist reaches.
//!
//! Whoever is hinted at must hold the request until the part is there (RFC 8216bis, 6.2.6), and an object store answers 404
//! at once. So where a channel has [`ChannelState::preload_hints`], `EXT-X-PRELOAD-HINT` names an address at the edge, which
//! waits and then leads to a node; and `EXT-X-PART` names the same one, since a player throws away what it got under another
//! name. Without them, players learn of a part from the blocking reload that lists it, at a node.
//!
//! hls.js 1.7 takes the last segment of a playlist with parts for the one whose parts are still to come, unless there is a
//! further line: then nothing that it loads is where it looks for it, and the picture stands. So there is one always.

use alloc::string::String;
use core::fmt::{self, Write as _};

use super::{Run, Writer};
use crate::id::{NodeId, RenditionId};
use crate::object;
use crate::state::{ChannelState, Part, Phase, Rendition, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// `PART-HOLD-BACK` in parts: what RFC 8216bis, 4.4.3.8 recommends.
const HOLD_BACK_PARTS: i64 = 3;

/// The last line where there is no part behind the last segment: a comment.
const NO_PART_YET: &str = "# The next segment has no part yet.";

/// How many segments beyond the next one may be asked for (RFC 8216bis, 6.2.5.2).
const AHEAD_MAX: u64 = 2;

/// Whether a playlist has what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It has, or nothing more will come.
    Has,
    /// It will have.
    Soon,
    /// What is asked for is further ahead than a player may ask.
    TooFar,
}

/// Whether the playlist of a rendition of a low-latency channel has the segment of this number, or the part of it
/// (RFC 8216bis, 6.2.5.2). Parts that a segment does not have are the first ones of the next.
///
/// `None` where the channel has no parts, or the state no such rendition: then there is nothing to wait for.
pub fn reach(state: &ChannelState, rendition: &RenditionId, msn: u64, part: Option<u64>) -> Option<Reach> {
    let part_ms = state.part_ms?;
    let rendition = state.renditions.iter().find(|known| known.id == *rendition)?;
    if state.phase == Phase::Ended {
        return Some(Reach::Has);
    }
    let next = rendition.first_msn.saturating_add(rendition.segments.len() as u64);
    let tail = tail(rendition).len() as u64;
    if msn > next.saturating_sub(1).saturating_add(AHEAD_MAX) {
        return Some(Reach::TooFar);
    }
    let Some(part) = part else {
        return Some(if msn < next { Reach::Has } else { Reach::Soon });
    };
    // The Advance Part Limit.
    let ahead = if part_ms < 1000 { u64::from(3000_u32.div_ceil(part_ms)) } else { 3 };
    let of_last = rendition.segments.last().map_or(0, |last| parts_of(rendition, last.start).count() as u64);
    Some(if msn.saturating_add(1) < next {
        Reach::Has
    } else if msn < next {
        // A part behind its segment's last is the next segment's first. Where none of them is listed, the segment is it.
        if of_last == 0 || part < of_last || tail > 0 { Reach::Has } else { Reach::Soon }
    } else if msn == next && part < tail {
        Reach::Has
    } else if msn == next && part >= tail.saturating_add(ahead) {
        Reach::TooFar
    } else {
        Reach::Soon
    })
}

/// Whether the part of a rendition that starts at `start` is there, for a player that was hinted at it.
///
/// What starts before the next part and is not there never comes: then the answer is [`Reach::Has`], and [`part_url`] has
/// nothing. What starts more than a target duration after it is [`Reach::TooFar`]: a hint is never so far ahead, however old
/// the state is. `None` where the channel has no hints, or the state no such rendition.
pub fn reach_of_part(state: &ChannelState, rendition: &RenditionId, start: UtcMs) -> Option<Reach> {
    let rendition = hinted(state, rendition)?;
    let next = next_start(rendition)?;
    Some(if state.phase == Phase::Ended || start < next || part_at(rendition, start).is_some() {
        Reach::Has
    } else if start.ms_since(next) > u64::from(rendition.target_duration_s) * 1000 {
        Reach::TooFar
    } else {
        Reach::Soon
    })
}

/// Where the part that starts at `start` is: at the first node of `order` that has it, else at any other. `None` where it is
/// not there, no node has it, or the channel has no hints.
pub fn part_url(
    state: &ChannelState,
    rendition: &RenditionId,
    start: UtcMs,
    order: &[NodeId],
) -> Option<String> {
    let part = part_at(hinted(state, rendition)?, start)?;
    let base = Run::of(state, rendition, order)?.url_of(part.on)?;
    let mut url = String::from(base);
    url.push('/');
    // Writing to a String can't fail.
    let _ =
        object::write_part_name(&mut url, &state.channel, rendition, part.of, part.start, state.segment_ms);
    Some(url)
}

/// The rendition, where the channel's playlists hint at its parts.
fn hinted<'a>(state: &'a ChannelState, rendition: &RenditionId) -> Option<&'a Rendition> {
    let hints = state.preload_hints && state.part_ms.is_some();
    state.renditions.iter().find(|known| hints && known.id == *rendition)
}

fn part_at(rendition: &Rendition, start: UtcMs) -> Option<&Part> {
    rendition.parts.iter().rev().find(|part| part.start.utc() == start)
}

/// When the part starts that will be listed next, unless the programme breaks off.
fn next_start(rendition: &Rendition) -> Option<UtcMs> {
    let end_of = |part: &Part| part.start + part.duration;
    let end = tail(rendition).last().map(end_of).or(rendition.segments.last().map(Segment::end));
    end.map(MediaTime::utc)
}

/// The parts of a listed segment.
fn parts_of(rendition: &Rendition, start: MediaTime) -> impl Iterator<Item = &Part> {
    rendition.parts.iter().filter(move |part| part.of.utc() == start.utc())
}

/// The parts of the segment that follows the last listed one.
fn tail(rendition: &Rendition) -> &[Part] {
    let last = rendition.segments.last().map(|segment| segment.start.utc());
    let from = rendition.parts.partition_point(|part| last.is_some_and(|last| part.of.utc() <= last));
    let rest = rendition.parts.get(from..).unwrap_or_default();
    let len = rest.first().map_or(0, |first| rest.partition_point(|part| part.of == first.of));
    rest.get(..len).unwrap_or_default()
}

/// How much media the parts of the segment that follows the last listed one hold.
pub(super) fn tail_span(rendition: &Rendition) -> MediaSpan {
    MediaSpan(tail(rendition).iter().map(|part| part.duration.0).sum())
}

/// What the playlist says of itself and of its parts.
pub(super) fn write_control(text: &mut String, skip_until: impl fmt::Display, part_ms: u32) -> fmt::Result {
    let part = MediaSpan::from_ms(i64::from(part_ms));
    let hold_back = MediaSpan(part.0 * HOLD_BACK_PARTS);
    writeln!(
        text,
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until},PART-HOLD-BACK={}",
        hold_back.decimal_seconds(3)
    )?;
    writeln!(text, "#EXT-X-PART-INF:PART-TARGET={}", part.decimal_seconds(3))
}

impl<'a> Writer<'a> {
    /// The parts of a segment whose own lines follow, before those of `behind`. Where more than three target durations are behind
    /// it, it has none any more (RFC 8216bis, 6.2.2).
    pub(super) fn parts(&mut self, run: &Run<'a>, segment: &Segment, behind: &[Segment]) -> fmt::Result {
        if run.state.part_ms.is_none() || run.state.phase == Phase::Ended {
            return Ok(());
        }
        let most = MediaSpan::from_ms(i64::from(run.rendition.target_duration_s) * 3_000).0;
        let mut media = tail_span(run.rendition).0;
        // No further than it takes: a list may be long.
        let mut behind = behind.iter();
        while media <= most {
            match behind.next() {
                Some(segment) => media = media.saturating_add(segment.duration.0),
                None => break,
            }
        }
        if media > most {
            return Ok(());
        }
        for part in parts_of(run.rendition, segment.start) {
            self.part(run, part)?;
        }
        Ok(())
    }

    /// The parts of the segment that is being made, and what a player may want to know of the other renditions.
    pub(super) fn tail(&mut self, run: &Run<'a>) -> fmt::Result {
        if run.state.part_ms.is_none() || run.state.phase == Phase::Ended {
            return Ok(());
        }
        let parts = tail(run.rendition);
        if let Some(first) = parts.first() {
            let on = parts.iter().rev().map(|part| part.on).find(|on| *on != 0).unwrap_or_default();
            let Part { of: start, duration, init, discontinuity, .. } = *first;
            let segment = Segment { on, ..Segment::new(start, duration, init, discontinuity) };
            self.tags(run, &segment, discontinuity, || run.url_of(on))?;
        }
        for part in parts {
            self.part(run, part)?;
        }
        let hinted = self.hint(run)?;
        self.reports(run)?;
        if parts.is_empty() && !hinted { writeln!(self.text, "{NO_PART_YET}") } else { Ok(()) }
    }

    /// `EXT-X-PRELOAD-HINT`, where more is to be expected. Says whether it stands there.
    fn hint(&mut self, run: &Run<'_>) -> Result<bool, fmt::Error> {
        let live = self.hints && run.state.phase == Phase::Live;
        let Some(next) = next_start(run.rendition).filter(|_| live) else { return Ok(false) };
        self.text.push_str("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
        object::write_part_at_edge(&mut self.text, &run.rendition.id, next)?;
        self.text.push_str("\"\n");
        Ok(true)
    }

    fn part(&mut self, run: &Run<'_>, part: &Part) -> fmt::Result {
        let (state, rendition) = (run.state, run.rendition);
        let url = run.url_of(part.on);
        write!(self.text, "#EXT-X-PART:DURATION={},URI=\"", part.duration.decimal_seconds(5))?;
        if self.hints {
            object::write_part_at_edge(&mut self.text, &rendition.id, part.start.utc())?;
        } else {
            let base = url.or(state.nodes.first().map(|node| &*node.url)).unwrap_or_default();
            write!(self.text, "{base}/")?;
            let (channel, ms) = (&state.channel, state.segment_ms);
            object::write_part_name(&mut self.text, channel, &rendition.id, part.of, part.start, ms)?;
        }
        self.text.push('"');
        if part.independent {
            self.text.push_str(",INDEPENDENT=YES");
        }
        if url.is_none() {
            self.text.push_str(",GAP=YES");
        }
        self.text.push('\n');
        Ok(())
    }

    /// `EXT-X-RENDITION-REPORT` for the other renditions on the same pathway, which lie beside this one.
    fn reports(&mut self, run: &Run<'_>) -> fmt::Result {
        for other in run.state.renditions.iter().filter(|other| other.id != run.rendition.id) {
            let Some(last) = other.segments.last() else { continue };
            let next = other.first_msn.saturating_add(other.segments.len() as u64);
            let (msn, parts) = match tail(other).len() {
                0 => (next.saturating_sub(1), parts_of(other, last.start).count()),
                parts => (next, parts),
            };
            write!(self.text, "#EXT-X-RENDITION-REPORT:URI=\"{}.m3u8\",LAST-MSN={msn}", other.id)?;
            if let Some(last) = parts.checked_sub(1) {
                write!(self.text, ",LAST-PART={last}")?;
            }
            self.text.push('\n');
        }
        Ok(())
    }
}
