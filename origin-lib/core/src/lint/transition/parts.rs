//! Parts are added at the end and removed from the front; hints come true.

use alloc::format;

use super::super::attributes::Nanos;
use super::super::media::{Media, Part};
use super::super::rule::{Findings, quoted};
use super::super::rules;
use super::name;

pub(super) fn check(before: &Media, after: &Media, found: &mut Findings) {
    let last = before.next_msn();
    let from = after.listed_msn().max(before.listed_msn());
    for msn in from..=last {
        let (Some(was), Some(is)) = (parts(before, msn), parts(after, msn)) else { continue };
        if !of_segment(msn, was, is, after, found) {
            return;
        }
    }
    hint(before, after, found);
}

/// The parts of the segment of a number; `None` where neither it nor a part of it is to be expected.
fn parts(media: &Media, msn: u64) -> Option<&[Part]> {
    if msn == media.next_msn() {
        return Some(&media.tail);
    }
    media.segment(msn).map(|segment| &*segment.parts)
}

/// Says whether nothing is wrong.
fn of_segment(msn: u64, was: &[Part], is: &[Part], after: &Media, found: &mut Findings) -> bool {
    // Those from the front may be gone.
    let gone = match is.first() {
        Some(first) => was.iter().position(|part| name(&part.uri) == name(&first.uri)).unwrap_or(was.len()),
        None => was.len(),
    };
    let gone = if was.first().is_some_and(|part| part.range.is_some()) {
        was.len().saturating_sub(is.len())
    } else {
        gone
    };
    if gone > 0 && !after.ended && !is_old(after, msn) {
        let line = is.first().map_or(0, |part| part.line);
        found.add(&rules::PART_REMOVED, line, format!("{gone} parts of {msn} are not listed any more"));
        return false;
    }
    let kept = was.get(gone..).unwrap_or_default();
    for (known, part) in kept.iter().zip(is) {
        let what = |part: &Part| (part.duration, part.range, part.independent, part.gap);
        if name(&known.uri) != name(&part.uri) || what(known) != what(part) {
            found.add(&rules::PART_CHANGED, part.line, format!("a part of {msn} is not what it was"));
            return false;
        }
        if known.uri != part.uri {
            let seen =
                format!("a part of {msn} was at {} and is at {}", quoted(&known.uri), quoted(&part.uri));
            found.add(&rules::SEGMENT_MOVED, part.line, seen);
        }
    }
    if is.len() < kept.len() && !after.ended {
        found.add(&rules::PART_REMOVED, 0, format!("the last parts of {msn} are not listed any more"));
        return false;
    }
    true
}

/// Whether a segment ends, or would end, three target durations before the end.
fn is_old(after: &Media, msn: u64) -> bool {
    let behind = after.numbered().filter(|(number, ..)| *number > msn);
    let media = behind
        .fold(after.tail_duration(), |sum, (.., segment)| sum.plus(segment.duration.unwrap_or_default()));
    media.plus(Nanos::ms(1)) >= after.target().times(3)
}

/// What comes first behind what was listed is what was hinted at.
fn hint(before: &Media, after: &Media, found: &mut Findings) {
    let Some(hint) = before.hints.iter().find(|hint| hint.is_part) else { return };
    let last = before.next_msn();
    let of_last = parts(after, last).and_then(|parts| parts.get(before.tail.len()));
    let next = of_last.or_else(|| {
        let closed = after.next_msn() > last;
        parts(after, last + 1).filter(|_| closed).and_then(|parts| parts.first())
    });
    if let Some(next) = next.filter(|next| next.uri != hint.uri) {
        let seen = format!("the hint was at {} and {} came", quoted(&hint.uri), quoted(&next.uri));
        found.add(&rules::HINT_BROKEN, next.line, seen);
    }
}
