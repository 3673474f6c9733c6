//! Rungs of several origins: each makes them for itself, and the one's gap may be what the other has.
//!
//! As in an origin's own book ([`crate::publish`]), a rung has the source's segments, those that are listed of the source by now,
//! with their times and discontinuities and under their numbers (RFC 8216bis, 6.2.4): of each of them what any origin has of the rung, or
//! a gap. An origin may say nothing of one of them, because it was down, or came later, or cut the source elsewhere.
//!
//! A gap that is listed stays one, so it is listed once no other origin that makes the rung may still have something in its
//! place: once each of them has said what it has there, or is too far behind to be waited for.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::line::{forget_figures, key, position, take_figures, take_masks};
use super::voices::bits_of;
use crate::id::RenditionId;
use crate::ladder::BEHIND_MAX;
use crate::state::{Rendition, SEGMENTS_MAX, Segment};
use crate::time::UtcMs;

/// So many of the newest segments of a rung are remembered of each origin: more than any is waited for.
const TOLD_MAX: usize = 4 * GAP_HELD_MAX;

/// So many segments behind a gap may be listed by the one origin before the gap is, whatever the other one has: an encoder that is
/// further behind loses them.
const GAP_HELD_MAX: usize = BEHIND_MAX;

/// What an origin said last of a rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) id: RenditionId,
    /// Where the newest segment starts, gap or not.
    up_to: UtcMs,
    /// Where those start that it has, of the newest ones.
    made: Vec<UtcMs>,
}

impl Told {
    pub(super) fn of(rendition: &Rendition) -> Told {
        let segments = &rendition.segments;
        let newest = segments.get(segments.len().saturating_sub(TOLD_MAX)..).unwrap_or_default();
        Told {
            id: rendition.id.clone(),
            up_to: newest.last().map(key).unwrap_or_default(),
            made: newest.iter().filter(|segment| !segment.gap).map(key).collect(),
        }
    }

    /// Whether this origin has something in the place of a gap that starts here, or may have it soon.
    fn may_have(&self, start: UtcMs) -> bool {
        self.up_to < start || self.made.contains(&start)
    }
}

/// Takes over what an origin says of a rung: who has what of the listed segments, and what it has of the source's segments behind
/// them, up to the first one that must wait for what others, who said this, may have. `first`: nothing was known of the rung. `closed`:
/// nothing leaves the front of the list any more.
pub(super) fn extend(
    kept: &mut Rendition,
    said: &Rendition,
    source: &Rendition,
    (bits, mut others): (&[u32], &[&Told]),
    first: bool,
    closed: bool,
) {
    take_masks(kept, said, bits);
    if kept.segments.is_empty() && !first {
        forget_figures(kept);
    }
    if is_left_behind(kept, said, source) {
        // Its playlist must not be empty.
        others = &[];
        let broken = kept.segments.iter().skip(1).filter(|segment| segment.discontinuity).count() as u64;
        kept.discontinuity_sequence = kept.discontinuity_sequence.saturating_add(broken);
        kept.first_msn = kept.first_msn.saturating_add(kept.segments.len() as u64);
        kept.segments.clear();
    }
    let begins = kept.segments.is_empty();
    let from = match kept.segments.last().map(key) {
        Some(last) => source.segments.partition_point(|of| key(of) <= last),
        None => {
            let Some(begin) = said.segments.first().map(key) else { return };
            source.segments.partition_point(|of| key(of) < begin)
        }
    };
    kept.captions.add(said.captions);
    for of in source.segments.get(from..).unwrap_or_default() {
        if closed && kept.segments.len() >= SEGMENTS_MAX {
            break;
        }
        let Some(next) = step(kept, said, of, bits, others) else { break };
        kept.segments.push(next);
    }
    if begins && !kept.segments.is_empty() {
        number(kept, source, from, first);
    }
    take_figures(kept, said);
}

/// Whether so much is missing behind what is listed of a rung that the source's segments don't follow it any more.
fn is_left_behind(kept: &Rendition, said: &Rendition, source: &Rendition) -> bool {
    let Some((last, front)) = kept.segments.last().zip(source.segments.first()) else { return false };
    let next_msn = kept.first_msn.saturating_add(kept.segments.len() as u64);
    let has_more = said.segments.last().is_some_and(|newest| key(newest) >= key(front));
    has_more && key(last) < key(front) && next_msn != source.first_msn
}

/// What is listed of a rung in the place of this segment of the source; `None` where that is to come.
fn step(
    kept: &mut Rendition,
    said: &Rendition,
    of: &Segment,
    bits: &[u32],
    others: &[&Told],
) -> Option<Segment> {
    let start = key(of);
    let place = said.segments.partition_point(|segment| key(segment) < start);
    let own = said.segments.get(place).filter(|segment| key(segment) == start);
    let init_of = |segment: &Segment| said.inits.get(usize::from(segment.init));
    if let Some(own) = own.filter(|own| !own.gap) {
        let init = position(&mut kept.inits, init_of(own)?)?;
        return Some(Segment { init, on: bits_of(own.on, bits), gap: false, frame: None, ..*of });
    }
    let newer = said.segments.len() - place - usize::from(own.is_some());
    let is_told = own.is_some() || newer > 0;
    let waits = newer < GAP_HELD_MAX && others.iter().any(|told| told.may_have(start));
    if !is_told || waits {
        return None;
    }
    let init = match kept.segments.last() {
        Some(last) => last.init,
        None => position(&mut kept.inits, own.and_then(init_of).or(said.inits.first())?)?,
    };
    Some(Segment { init, gap: true, on: 0, frame: None, ..*of })
}

/// A rung that begins with the source's segment at this place has its numbers; where it was known before, never lower ones than it had.
fn number(begun: &mut Rendition, source: &Rendition, at: usize, first: bool) {
    let before = source.segments.iter().skip(1).take(at);
    let broken = before.filter(|segment| segment.discontinuity).count() as u64;
    let least = if first { (0, 0) } else { (begun.first_msn, begun.discontinuity_sequence) };
    begun.first_msn = source.first_msn.saturating_add(at as u64).max(least.0);
    begun.discontinuity_sequence = source.discontinuity_sequence.saturating_add(broken).max(least.1);
    begun.target_duration_s = source.target_duration_s;
}
