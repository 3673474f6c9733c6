//! One rendition's line of segments: what several origins say of it, under the numbers that viewers know.

use alloc::string::String;
use alloc::vec::Vec;

use super::voices::bits_of;
use crate::captions::Captions;
use crate::state::{Rendition, SEGMENTS_MAX, Segment, frames};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// Segments that are further apart than this, in either direction, don't follow one another without a discontinuity.
pub(super) const JOINT: MediaSpan = MediaSpan::from_ms(50);

/// A segment's date must not be a second before the end of the one before it (RFC 8216bis, 6.2.1).
const OVERLAP_MAX: MediaSpan = MediaSpan::from_ms(999);

/// So many target durations stay in a playlist whose segments are removed (RFC 8216bis, 6.2.2).
const TARGETS_LEFT: i64 = 3;

impl Segment {
    /// Where it ends.
    pub fn end(&self) -> MediaTime {
        self.start + self.duration
    }
}

/// Segments are the same where their names are: names count milliseconds.
pub(super) fn key(segment: &Segment) -> UtcMs {
    segment.start.utc()
}

/// Whether two origins have the same segment, each with the name of its init segment: where one of them used another feed, or lost an
/// init segment, what it says of what follows does not hold for the other.
pub(super) fn is_same(one: (&Segment, Option<&String>), other: (&Segment, Option<&String>)) -> bool {
    let of = |(segment, init): (&Segment, _)| (key(segment), segment.duration, init);
    of(one) == of(other)
}

/// Whether `next` begins where `last` ends.
pub(crate) fn joins(last: &Segment, next: &Segment) -> bool {
    let apart = (next.start - last.end()).0.unsigned_abs();
    apart <= JOINT.0.unsigned_abs()
}

pub(super) fn span(segments: &[Segment]) -> MediaSpan {
    let ends = segments.first().zip(segments.last());
    ends.map_or(MediaSpan::default(), |(first, last)| last.end() - first.start)
}

/// An origin's own list goes back in time where its clock did, or where a segment was lost and found: what stands before
/// is left out. Says whether it does.
pub(super) fn keep_newest_line(rendition: &mut Rendition) -> bool {
    let back = rendition.segments.windows(2).rposition(|pair| key(&pair[1]) <= key(&pair[0]));
    if let Some(at) = back {
        rendition.first_msn += at as u64 + 1;
        rendition.segments.drain(..=at);
    }
    back.is_some()
}

/// Takes over what an origin says of a rendition: who has what of the listed segments, and the segments behind them.
/// Target duration and numbers stay what they are.
pub(super) fn extend(kept: &mut Rendition, said: &Rendition, bits: &[u32], closed: bool, widest: MediaSpan) {
    take_masks(kept, said, bits);
    if closed {
        return;
    }
    kept.captions.add(said.captions);
    kept.frames_bandwidth = kept.frames_bandwidth.max(said.frames_bandwidth);
    append(kept, &said.segments, &said.inits, bits);
    trim(kept, said, widest);
    take_figures(kept, said);
}

/// Who has what of the segments that are listed.
pub(super) fn take_masks(kept: &mut Rendition, said: &Rendition, bits: &[u32]) {
    for segment in &said.segments {
        let at = kept.segments.binary_search_by_key(&key(segment), key);
        let Some(known) = at.ok().and_then(|at| kept.segments.get_mut(at)) else { continue };
        // A mask speaks of the init segment, too.
        if kept.inits.get(usize::from(known.init)) == said.inits.get(usize::from(segment.init)) {
            known.on |= bits_of(segment.on, bits);
            known.frame = frames::merged(known.frame, segment.frame.map(|on| bits_of(on, bits)));
        }
    }
}

/// How large a rendition is, and what its newest segments are.
pub(super) fn take_figures(kept: &mut Rendition, said: &Rendition) {
    kept.dependent |= said.dependent;
    kept.bandwidth = kept.bandwidth.max(said.bandwidth);
    kept.average_bandwidth = kept.average_bandwidth.max(said.average_bandwidth);
    let newest = |of: &Rendition| of.segments.last().map(key);
    if newest(said) >= newest(kept) {
        kept.codecs.clone_from(&said.codecs);
        kept.sound.clone_from(&said.sound);
        (kept.width, kept.height) = (said.width, said.height);
        (kept.frame_rate_milli, kept.range) = (said.frame_rate_milli, said.range);
    }
}

/// What is said of a rendition, without its segments.
pub(super) fn empty(said: &Rendition) -> Rendition {
    Rendition { inits: Vec::new(), segments: Vec::new(), parts: Vec::new(), ..said.clone() }
}

/// Numbers for the first segment after all that was listed has left: it is discontinuous, and never below.
pub(super) fn go_on(kept: &mut Rendition, said: &Rendition) {
    if said.segments.is_empty() {
        return;
    }
    kept.first_msn = kept.first_msn.max(said.first_msn);
    kept.discontinuity_sequence = (kept.discontinuity_sequence + 1).max(said.discontinuity_sequence);
    kept.target_duration_s = said.target_duration_s;
    forget_figures(kept);
}

/// How large it was, and what it had, counts no longer.
pub(super) fn forget_figures(kept: &mut Rendition) {
    kept.captions = Captions::default();
    kept.dependent = false;
    kept.bandwidth = 0;
    kept.frames_bandwidth = 0;
    kept.average_bandwidth = 0;
}

fn append(kept: &mut Rendition, said: &[Segment], inits: &[String], bits: &[u32]) {
    let mut before: Option<&Segment> = None;
    for segment in said {
        let before = before.replace(segment);
        let Some(name) = inits.get(usize::from(segment.init)) else { continue };
        let mut discontinuity = segment.discontinuity;
        if let Some(last) = kept.segments.last().copied() {
            if key(segment) <= key(&last) {
                continue;
            }
            let known = kept.inits.get(usize::from(last.init));
            let is_last =
                |before: &Segment| is_same((before, inits.get(usize::from(before.init))), (&last, known));
            if !before.is_some_and(is_last) {
                // Another origin's cut: what it has of the media that is listed already is left out.
                let overlap = MediaSpan(segment.duration.0 / 2).min(OVERLAP_MAX);
                if segment.start + overlap < last.end() {
                    continue;
                }
                discontinuity = !(joins(&last, segment) && known == Some(name));
            }
        }
        let Some(init) = position(&mut kept.inits, name) else { return };
        let frame = segment.frame.map(|on| bits_of(on, bits));
        kept.segments.push(Segment { init, discontinuity, on: bits_of(segment.on, bits), frame, ..*segment });
    }
}

/// The index of an init segment, new ones last; `None` where there are too many for any playlist.
pub(super) fn position(inits: &mut Vec<String>, name: &String) -> Option<u16> {
    let at = inits.iter().position(|known| known == name).unwrap_or(inits.len());
    if at == inits.len() {
        inits.push(name.clone());
    }
    u16::try_from(at).ok()
}

/// Removes from the front what the origin no longer lists, if its window is no younger than the merged one; and in any
/// case what is further behind than the longest window.
pub(super) fn trim(kept: &mut Rendition, said: &Rendition, widest: MediaSpan) {
    let (Some(last), Some(front)) = (kept.segments.last().copied(), said.segments.first()) else { return };
    let target = MediaSpan::from_ms(i64::from(kept.target_duration_s) * 1000);
    let grown = span(&said.segments) + target >= widest;
    let leaves = |pair: &[Segment]| {
        (grown && key(&pair[0]) < key(front)) || last.end() - pair[1].start >= widest + target
    };
    let outgrown = kept.segments.len().saturating_sub(SEGMENTS_MAX);
    // An origin that has just begun lists less.
    let mut left = MediaSpan(kept.segments.iter().map(|segment| segment.duration.0).sum());
    let stays = MediaSpan(target.0.saturating_mul(TARGETS_LEFT));
    let popped = kept.segments.windows(2).take_while(|pair| {
        left = MediaSpan(left.0 - pair[0].duration.0);
        leaves(pair) && left >= stays
    });
    let popped = popped.count().max(outgrown);
    let fronts = kept.segments.iter().skip(1).take(popped);
    kept.discontinuity_sequence += fronts.filter(|segment| segment.discontinuity).count() as u64;
    kept.first_msn += popped as u64;
    kept.segments.drain(..popped);
    if popped > 0 && kept.frames_bandwidth > 0 {
        frames::give_up_front(kept.segments.iter_mut(), kept.target_duration_s);
    }
}

/// Drops init segments that nothing listed needs.
pub(super) fn compact(kept: &mut Rendition) {
    let mut inits = Vec::new();
    let segments = kept.segments.iter_mut().map(|segment| &mut segment.init);
    for init in segments.chain(kept.parts.iter_mut().map(|part| &mut part.init)) {
        let name = kept.inits.get(usize::from(*init));
        *init = name.and_then(|name| position(&mut inits, name)).unwrap_or_default();
    }
    kept.inits = inits;
}
