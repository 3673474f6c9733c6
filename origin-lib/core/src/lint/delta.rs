//! Delta updates (RFC 8216bis, 6.2.5.1): put in place as a client does, and compared with the whole.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::media::{Applied, DateRange, Media, Segment};
use super::rule::{Finding, Findings};
use super::{rules, transition};

/// The whole playlist that a delta update makes of an earlier load. A playlist without EXT-X-SKIP is whole itself.
///
/// # Errors
///
/// It skips what the earlier load did not have.
pub fn apply(before: &Media, update: &Media) -> Result<Media, Finding> {
    let Some(skip) = &update.skip else { return Ok(update.clone()) };
    let skipped = update.msn()..update.listed_msn();
    let mut segments = Vec::new();
    for msn in skipped {
        let Some(segment) = before.segment(msn) else {
            let rule = &rules::DELTA_BEYOND;
            let seen = format!("{msn} is skipped, and the earlier playlist does not have it");
            return Err(Finding { rule, section: rule.section, line: skip.line, seen });
        };
        segments.push(segment.clone());
    }
    // A discontinuity before what is now the first may have gone into the sequence.
    if let Some(first) = segments.first_mut() {
        let counted = before.numbered().find(|(msn, ..)| *msn == update.msn()).map(|(_, counted, _)| counted);
        first.applied.discontinuity &= counted > Some(update.first_discontinuity.unwrap_or(0));
    }
    let last = segments.last().map(|segment| segment.applied.clone()).unwrap_or_default();
    segments.extend(
        update
            .segments
            .iter()
            .map(|segment| Segment { applied: carried(&last, &segment.applied), ..segment.clone() }),
    );
    let ranges = match &skip.removed {
        None => update.ranges.clone(),
        Some(removed) => {
            let removed: BTreeSet<_> = removed.iter().collect();
            let told: BTreeSet<_> = update.ranges.iter().map(|range| &range.attributes).collect();
            let kept = |range: &&DateRange| !removed.contains(&range.id) && !told.contains(&range.attributes);
            before.ranges.iter().filter(kept).chain(&update.ranges).cloned().collect()
        }
    };
    Ok(Media {
        version: before.version,
        skip: None,
        segments,
        ranges,
        tail_applied: carried(&last, &update.tail_applied),
        ..update.clone()
    })
}

/// What holds for a segment where the tags before it were skipped.
fn carried(last: &Applied, own: &Applied) -> Applied {
    Applied {
        keys: own.keys.clone().or_else(|| last.keys.clone()),
        map: own.map.clone().or_else(|| last.map.clone()),
        ..own.clone()
    }
}

/// What is wrong where a load with a delta update in place is not the whole playlist of the same moment.
pub fn compare(applied: &Media, whole: &Media) -> Option<Finding> {
    let shape = |media: &Media| (media.msn(), media.segments.len(), media.tail.len(), media.ended);
    let ranges =
        |media: &Media| media.ranges.iter().map(|range| range.attributes.clone()).collect::<Vec<_>>();
    let mut found = Findings::default();
    if shape(applied) != shape(whole) {
        found.add(&rules::DELTA_DIFFERS, 0, "they do not list the same segments and parts");
    } else if ranges(applied) != ranges(whole) {
        found.add(&rules::DELTA_DIFFERS, 0, "they do not list the same date ranges");
    } else {
        // The same objects at another place are the same media.
        let mut others = transition::check(applied, whole);
        match others.iter().position(|other| *other.rule != rules::SEGMENT_MOVED) {
            Some(at) => {
                let other = others.swap_remove(at);
                found.add(&rules::DELTA_DIFFERS, other.line, other.seen);
            }
            None => return others.pop(),
        }
    }
    found.0.pop()
}
