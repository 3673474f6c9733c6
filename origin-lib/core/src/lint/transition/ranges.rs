//! A date range keeps what it says, and stays while there is media of it.

use alloc::collections::BTreeMap;
use alloc::format;

use super::super::attributes::decimal;
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
    let listed = listed(after);
    for (id, known) in consolidated(before) {
        let Some(attributes) = now.get(id) else {
            if listed.is_some_and(|listed| is_near(&known, listed)) {
                found.add(&rules::RANGE_REMOVED, 0, format!("{} is gone", quoted(id)));
            }
            continue;
        };
        let changed = known.iter().find(|(name, value)| attributes.get(*name) != Some(value));
        if let Some((name, value)) = changed {
            let is = attributes.get(name).map_or_else(|| "gone".into(), |value| quoted(value));
            let seen = format!("{name} of {} was {} and is {is}", quoted(id), quoted(value));
            found.add(&rules::RANGE_CHANGED, 0, seen);
        }
    }
}

/// When the first listed segment begins, and when the last one ends.
fn listed(media: &Media) -> Option<(UtcMs, UtcMs)> {
    let dates = dated(media);
    let last = media.segments.last()?.duration.unwrap_or_default();
    Some(((*dates.first()?)?, (*dates.last()?)?.plus_ms(last.0 / 1_000_000)))
}

/// Whether any date of the range is one of a listed segment.
fn is_near(range: &Attributes<'_>, (first, until): (UtcMs, UtcMs)) -> bool {
    let date = |name: &str| UtcMs::from_iso8601(range.get(name)?.trim_matches('"'));
    let Some(start) = date("START-DATE") else { return false };
    // One that ends with the next of its class has gone on to that.
    if range.contains_key("END-ON-NEXT") {
        return false;
    }
    let length = range.get("DURATION").and_then(|length| decimal(length));
    let by_length = || length.map(|length| start.plus_ms(length.0 / 1_000_000));
    let end = date("END-DATE").or_else(by_length).unwrap_or(start);
    start < until && (end > first || start >= first)
}
