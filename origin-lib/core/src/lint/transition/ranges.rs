//! A date range keeps what it says, and stays while there is media of it.

use alloc::collections::BTreeMap;
use alloc::format;

use super::super::media::Media;
use super::super::rule::{Findings, quoted};
use super::super::rules;
use super::dated;
use crate::time::UtcMs;

type Attributes<'a> = BTreeMap<&'a str, &'a str>;

/// What the tags of each ID say together.
pub(in crate::lint) fn consolidated(media: &Media) -> BTreeMap<&str, Attributes<'_>> {
    let mut out: BTreeMap<&str, Attributes<'_>> = BTreeMap::new();
    for range in &media.ranges {
        let attributes = range.attributes.iter().map(|(name, value)| (&**name, &**value));
        out.entry(&range.id).or_default().extend(attributes);
    }
    out
}

pub(super) fn check(before: &Media, after: &Media, found: &mut Findings) {
    let now = consolidated(after);
    for (id, known) in consolidated(before) {
        let Some(attributes) = now.get(id) else {
            if is_near(before, id, after) {
                found.add(&rules::RANGE_REMOVED, 0, format!("{} is gone", quoted(id)));
            }
            continue;
        };
        let changed = known.iter().find(|(name, value)| attributes.get(*name) != Some(value));
        if let Some((name, value)) = changed {
            let is = attributes.get(name).map_or_else(|| "gone".into(), |value| quoted(value));
            let line = after.ranges.iter().find(|range| range.id == id).map_or(0, |range| range.line);
            let seen = format!("{name} of {} was {} and is {is}", quoted(id), quoted(value));
            found.add(&rules::RANGE_CHANGED, line, seen);
        }
    }
}

/// Whether any date of the range is one of a listed segment.
fn is_near(before: &Media, id: &str, after: &Media) -> bool {
    let tags = || before.ranges.iter().filter(|range| range.id == id);
    let Some(start) = tags().find_map(|range| range.date("START-DATE")) else { return false };
    // One that ends with the next of its class has gone on to that.
    if tags().any(|range| range.get("END-ON-NEXT").is_some()) {
        return false;
    }
    let end = tags().find_map(super::super::media::DateRange::end).unwrap_or(start);
    let dates = dated(after);
    let first = dates.first().copied().flatten();
    let last = dates.last().copied().flatten().zip(after.segments.last());
    let until = last.map(|(date, segment)| date.plus_ms(segment.duration.unwrap_or_default().0 / 1_000_000));
    let within = |first: UtcMs, until: UtcMs| start < until && (end > first || start >= first);
    first.zip(until).is_some_and(|(first, until)| within(first, until))
}
