//! Parts of several origins, merged: told apart, like segments, by the names that their starts give them.

use super::line::{JOINT, is_same, key, position};
use super::voices::bits_of;
use crate::state::{PARTS_MAX, PARTS_SPAN_MS_MAX, Part, Rendition, Segment, part_segments};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// How far from its segment's end the last part of it may end: less than any frame lasts, more than clocks that stamp in
/// milliseconds differ. Of a segment that another origin cut short, or made whole, parts are not its media.
const END_TOLERANCE: MediaSpan = MediaSpan::from_ms(5);

const SPAN_MAX: MediaSpan = MediaSpan::from_ms(PARTS_SPAN_MS_MAX as i64);

/// Takes over what an origin says of a rendition's parts: who has what of those that are known, and those behind them. Parts
/// of segments that left the list go, and those of a listed segment that are not all of it. `bits` are those of the
/// origin's nodes. Segments up to `listed` were listed before, with the parts that they have: others under the same names, of an
/// origin that was cut off sooner, would change what players know.
pub(super) fn extend(kept: &mut Rendition, said: &Rendition, bits: &[u32], listed: Option<UtcMs>) {
    for part in &said.parts {
        let known = kept.parts.iter_mut().rev().find(|known| name(known) == name(part));
        let init = said.inits.get(usize::from(part.init));
        if let Some(known) = known {
            if kept.inits.get(usize::from(known.init)) == init {
                known.on |= bits_of(part.on, bits);
            }
            continue;
        }
        let is_new = listed.is_none_or(|listed| part.of.utc() > listed);
        let Some(init) = init.filter(|_| is_new && follows(kept, part)) else { continue };
        let discontinuity = discontinuity(kept, said, part);
        let Some(init) = position(&mut kept.inits, init) else { continue };
        kept.parts.push(Part { init, discontinuity, on: bits_of(part.on, bits), ..*part });
    }
    let count = part_segments(kept.segments.iter(), kept.target_duration_s);
    let newest = kept.segments.get(kept.segments.len().saturating_sub(count)..).unwrap_or_default();
    let last = newest.last().map(key);
    let is_kept =
        |of: UtcMs| last.is_none_or(|last| of > last) || newest.iter().any(|segment| key(segment) == of);
    kept.parts.retain(|part| is_kept(part.of.utc()));
    for segment in newest {
        let of = key(segment);
        let last = kept.parts.iter().rev().find(|part| part.of.utc() == of);
        // Who takes it takes it whole.
        let apart = |last: &Part| (last.start + last.duration - segment.end()).0.unsigned_abs();
        if last.is_some_and(|last| apart(last) > END_TOLERANCE.0.unsigned_abs()) {
            kept.parts.retain(|part| part.of.utc() != of);
        }
    }
    if let Some(oldest) = kept.parts.first().map(|part| part.of).filter(|_| kept.parts.len() > PARTS_MAX) {
        kept.parts.retain(|part| part.of != oldest);
    }
    // Origins that begin anew know nothing of what they told before.
    while let Some((first, last)) = kept.parts.first().zip(kept.parts.last()) {
        let (oldest, span) = (first.of, last.start - first.start);
        if span <= SPAN_MAX {
            break;
        }
        kept.parts.retain(|part| part.of != oldest);
    }
}

fn name(part: &Part) -> (UtcMs, UtcMs) {
    (part.of.utc(), part.start.utc())
}

/// Whether a part that is not known may stand behind those that are.
fn follows(kept: &Rendition, part: &Part) -> bool {
    let of = part.of.utc();
    let behind = |end: MediaTime| part.of + JOINT >= end;
    let last = kept.segments.last();
    let count = part_segments(kept.segments.iter(), kept.target_duration_s);
    let in_line = last.is_none_or(|last| behind(last.end()))
        || kept.segments.iter().rev().take(count).any(|segment| key(segment) == of);
    let next = kept.parts.last().is_none_or(|last| {
        part.start.utc() > last.start.utc() && (last.of.utc() == of || behind(last.start + last.duration))
    });
    // Players count a segment's parts from its first.
    let counted = part.start.utc() == of || kept.parts.last().is_some_and(|last| last.of.utc() == of);
    in_line && next && counted
}

/// Whether the part's segment does not go on from what is listed: as it will be said of the segment itself.
fn discontinuity(kept: &Rendition, said: &Rendition, part: &Part) -> bool {
    let of = part.of.utc();
    if let Some(known) = kept.parts.last().filter(|last| last.of.utc() == of) {
        return known.discontinuity;
    }
    if let Some(segment) = kept.segments.iter().rev().find(|segment| key(segment) == of) {
        return segment.discontinuity;
    }
    let Some(last) = kept.segments.last() else { return part.discontinuity };
    let init = kept.inits.get(usize::from(last.init));
    let is_last = |own: &Segment| is_same((own, said.inits.get(usize::from(own.init))), (last, init));
    if said.segments.last().is_some_and(is_last) {
        return part.discontinuity;
    }
    let apart = (part.of - last.end()).0.unsigned_abs();
    apart > JOINT.0.unsigned_abs() || said.inits.get(usize::from(part.init)) != init
}
