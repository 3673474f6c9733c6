//! Parts (RFC 8216bis, 4.4.3.7, 4.4.4.9 and B.1).

use alloc::format;

use super::super::attributes::Nanos;
use super::super::media::{Media, Part, Segment};
use super::super::rule::{Findings, quoted};
use super::super::rules;

/// By how much the parts of a segment may be longer than it: what rounding leaves.
const SUM_SLACK: Nanos = Nanos::ms(20);

/// What rounding leaves of a part's duration.
const ROUNDING: Nanos = Nanos::ms(1);

pub(super) fn check(media: &Media, found: &mut Findings) {
    let lates = media.segments.iter().map(|segment| segment.late).chain([media.tail_late]);
    for (line, name) in lates.flatten() {
        found.add(&rules::TAGS_BEHIND_PART, line, format!("{name} stands behind a part of its segment"));
    }
    if !media.has_parts() {
        return part_inf(media, found);
    }
    if media.part_target.is_none() {
        found.add(&rules::PART_INF_MISSING, 0, "there are parts and no EXT-X-PART-INF");
    }
    part_inf(media, found);
    profile(media, found);
    if media.frames_only {
        found.add(&rules::FRAMES_WITH_PARTS, 0, "a playlist of I-frames has parts");
    }
    for segment in &media.segments {
        of_segment(media, segment, found);
    }
    // The last part that is listed of a segment in the making may be its last: what was before it is not.
    durations(media, &media.tail, found);
    ranges(&media.tail, found);
    first(media, &media.tail, found);
    old(media, found);
}

fn part_inf(media: &Media, found: &mut Findings) {
    let back = media.control.as_ref().and_then(|control| control.part_hold_back);
    if media.part_target.is_some() && back.is_none() {
        found.add(&rules::PART_HOLD_BACK_MISSING, 0, "there is EXT-X-PART-INF and no PART-HOLD-BACK");
    }
}

/// The low-latency server configuration profile, as far as a playlist tells.
fn profile(media: &Media, found: &mut Findings) {
    if media.ended {
        return;
    }
    if !media.control.as_ref().is_some_and(|control| control.block_reload) {
        found.add(&rules::PARTS_UNBLOCKED, 0, "there are parts and no CAN-BLOCK-RELOAD=YES");
    }
    if !media.is_dated() && media.skip.is_none() {
        found.add(&rules::PARTS_UNDATED, 0, "there are parts and no date");
    }
    if !media.hints.iter().any(|hint| hint.is_part) {
        found.add(&rules::PARTS_UNHINTED, 0, "there are parts and no hint at the next one");
    }
}

fn of_segment(media: &Media, segment: &Segment, found: &mut Findings) {
    let parts = &segment.parts;
    durations(media, parts, found);
    ranges(parts, found);
    let sum = parts.iter().fold(Nanos(0), |sum, part| sum.plus(part.duration.unwrap_or_default()));
    let Some(duration) = segment.duration.filter(|_| !parts.is_empty()) else { return };
    if sum > duration.plus(SUM_SLACK) {
        let seen = format!("the parts of a segment of {duration} are {sum} long");
        found.add(&rules::PARTS_SUM, segment.line, seen);
    }
    // The first ones may have been removed.
    if sum.plus(SUM_SLACK) >= duration && !segment.gap {
        first(media, parts, found);
    }
}

fn durations(media: &Media, parts: &[Part], found: &mut Findings) {
    let Some(target) = media.part_target else { return };
    for (at, part) in parts.iter().enumerate() {
        let Some(duration) = part.duration else { continue };
        let next = parts.get(at + 1);
        let excepted = part.independent || part.gap || next.is_none_or(|next| next.gap);
        if duration > target.plus(ROUNDING) {
            let seen = format!("a part of {duration} is over the part target duration of {target}");
            found.add(&rules::PART_LONG, part.line, seen);
        } else if !excepted && duration.plus(ROUNDING) < Nanos(target.0 / 100 * 85) {
            let seen = format!("a part of {duration} is under 85 % of the part target duration of {target}");
            found.add(&rules::PART_SHORT, part.line, seen);
        }
    }
}

fn ranges(parts: &[Part], found: &mut Findings) {
    for (at, part) in parts.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| parts.get(at));
        let follows = before.is_some_and(|before| before.range.is_some() && before.uri == part.uri);
        if matches!(part.range, Some((_, None))) && !follows {
            let seen = format!("the range of {} has no start", quoted(&part.uri));
            found.add(&rules::PART_RANGE_BASE, part.line, seen);
        }
    }
}

fn first(media: &Media, parts: &[Part], found: &mut Findings) {
    if let Some(first) = parts.first().filter(|first| !first.independent && !first.gap && media.independent) {
        let seen = "the first part of a segment is not marked as independent";
        found.add(&rules::PART_DEPENDENT, first.line, seen);
    }
}

/// Parts of segments that lie wholly beyond three target durations from the end.
fn old(media: &Media, found: &mut Findings) {
    let mut from_end = media.tail_duration();
    for segment in media.segments.iter().rev() {
        if let Some(first) = segment.parts.first().filter(|_| from_end > media.target().times(3)) {
            let seen = format!("a part is more than {from_end} before the end");
            found.add(&rules::PART_OLD, first.line, seen);
            return;
        }
        from_end = from_end.plus(segment.duration.unwrap_or_default());
    }
}
