//! What is not of segments: date ranges, skips, hints and reports (RFC 8216bis, 4.4.5).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::super::attributes::{self, Nanos};
use super::super::media::{DateRange, Media, has_zone};
use super::super::rule::{Findings, quoted};
use super::super::rules;
use crate::time::UtcMs;

/// The class whose attributes Appendix D names.
const INTERSTITIAL: &str = "\"com.apple.hls.interstitial\"";

/// By how much END-DATE may be off START-DATE and DURATION: what rounding leaves.
const ROUNDING_MS: u64 = 1;

/// How many hints are looked at: there should be two.
const HINTS_MAX: usize = 8;

pub(super) fn check(media: &Media, found: &mut Findings) {
    ranges(media, found);
    skip(media, found);
    hints(media, found);
    for report in &media.reports {
        let absolute = report.uri.contains("://") || report.uri.starts_with('/');
        if absolute {
            found.add(&rules::REPORT_ABSOLUTE, report.line, format!("{} is absolute", quoted(&report.uri)));
        }
    }
}

fn skip(media: &Media, found: &mut Findings) {
    let Some(skip) = &media.skip else { return };
    let until = media.control.as_ref().and_then(|control| control.skip_until);
    if until.is_none() {
        found.add(&rules::SKIP_UNOFFERED, skip.line, "EXT-X-SKIP is there and CAN-SKIP-UNTIL is not");
    }
    if media.ended {
        found.add(&rules::SKIP_ENDED, skip.line, "EXT-X-SKIP is in a playlist that has ended");
    }
    if skip.late {
        found.add(&rules::SKIP_LATE, skip.line, "EXT-X-SKIP stands behind a segment");
    }
    let kept = media.duration().plus(media.tail_duration());
    if until.is_some_and(|until| skip.segments > 0 && kept.plus(Nanos::ms(ROUNDING_MS)) < until) {
        let seen = format!("a segment that ends {kept} before the end is skipped");
        found.add(&rules::SKIP_NEAR, skip.line, seen);
    }
}

fn hints(media: &Media, found: &mut Findings) {
    for (at, hint) in media.hints.iter().enumerate().take(HINTS_MAX) {
        if media.ended {
            found.add(&rules::HINT_ENDED, hint.line, "EXT-X-PRELOAD-HINT is in a playlist that has ended");
        }
        if media.hints.iter().take(at).any(|before| before.is_part == hint.is_part) {
            found.add(&rules::HINT_TWICE, hint.line, "there is another EXT-X-PRELOAD-HINT of this type");
        }
        let parts = media.segments.iter().flat_map(|segment| &segment.parts).chain(&media.tail);
        let mut whole = parts.filter(|part| part.range.is_none() && hint.is_part);
        if whole.any(|part| part.uri == hint.uri) {
            found.add(&rules::HINT_LISTED, hint.line, format!("{} is listed as a part", quoted(&hint.uri)));
        }
    }
}

impl DateRange {
    /// An attribute as it stands there.
    pub(in crate::lint) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(in crate::lint) fn date(&self, name: &str) -> Option<UtcMs> {
        UtcMs::from_iso8601(self.get(name)?.trim_matches('"'))
    }

    /// When it ends, where that is said.
    pub(in crate::lint) fn end(&self) -> Option<UtcMs> {
        let length = self.get("DURATION").and_then(attributes::decimal);
        let from = |length: Nanos| Some(self.date("START-DATE")?.plus_ms(length.0 / 1_000_000));
        self.date("END-DATE").or_else(|| length.and_then(from))
    }
}

fn ranges(media: &Media, found: &mut Findings) {
    let Some(one) = media.ranges.first() else { return };
    // The dates of a delta update may be with what it leaves out.
    if !media.is_dated() && media.skip.is_none() {
        found.add(&rules::RANGES_UNDATED, one.line, "there is a date range and no date of a segment");
    }
    let mut known: BTreeMap<&str, &DateRange> = BTreeMap::new();
    for range in &media.ranges {
        of_one(range, found);
        match known.get(&*range.id) {
            Some(first) => agree(first, range, found),
            None if range.get("START-DATE").is_none() => {
                let seen = format!("{} has no START-DATE", quoted(&range.id));
                found.add(&rules::RANGE_START, range.line, seen);
            }
            None => {}
        }
        known.entry(&range.id).or_insert(range);
    }
    overlaps(known.values().copied(), found);
}

fn of_one(range: &DateRange, found: &mut Findings) {
    let id = quoted(&range.id);
    if let (Some(start), Some(end)) = (range.date("START-DATE"), range.date("END-DATE")) {
        let length = range.get("DURATION").and_then(attributes::decimal);
        if end < start {
            found.add(&rules::RANGE_BACKWARDS, range.line, format!("{id} ends before it starts"));
        } else if let Some(length) = length {
            let sum = start.plus_ms(length.0 / 1_000_000);
            if sum.ms_since(end).max(end.ms_since(sum)) > ROUNDING_MS {
                found.add(&rules::RANGE_LENGTH, range.line, format!("{id} has another end by its DURATION"));
            }
        }
    }
    if range.get("END-ON-NEXT").is_some() {
        let ends = ["DURATION", "END-DATE"].iter().any(|name| range.get(name).is_some());
        if range.get("CLASS").is_none() || ends {
            let seen = format!("{id} has END-ON-NEXT without CLASS, or with an end");
            found.add(&rules::RANGE_NEXT, range.line, seen);
        }
    }
    let cue = range.get("CUE").unwrap_or_default();
    if cue.contains("PRE") && cue.contains("POST") {
        found.add(&rules::RANGE_CUE, range.line, format!("{id} has both"));
    }
    for (name, value) in &range.attributes {
        let own = name.strip_prefix("X-");
        if own.is_some_and(|own| !own.contains('-')) && range.get("CLASS") != Some(INTERSTITIAL) {
            found.add(&rules::RANGE_NAME, range.line, format!("{id} has {}", quoted(name)));
        }
        if name.ends_with("-DATE") && own.is_none() && !has_zone(value.trim_matches('"')) {
            let seen = format!("{name} of {id} has no zone or no milliseconds");
            found.add_of(&rules::DATE_ZONE, "4.4.5.1", range.line, seen);
        }
    }
}

fn agree(first: &DateRange, range: &DateRange, found: &mut Findings) {
    for (name, value) in &range.attributes {
        if first.get(name).is_some_and(|known| known != value) {
            let seen = format!("{} has another {name} than before", quoted(&range.id));
            found.add(&rules::RANGE_CONFLICT, range.line, seen);
        }
    }
}

/// Of each class that has an END-ON-NEXT, no range begins within another whose end is known.
fn overlaps<'a>(ranges: impl Iterator<Item = &'a DateRange>, found: &mut Findings) {
    let mut classes: BTreeMap<&str, Vec<&DateRange>> = BTreeMap::new();
    for range in ranges {
        if let Some(class) = range.get("CLASS") {
            classes.entry(class).or_default().push(range);
        }
    }
    for mut ranges in classes.into_values().filter(|all| all.iter().any(|r| r.get("END-ON-NEXT").is_some())) {
        ranges.sort_by_key(|range| range.date("START-DATE"));
        for pair in ranges.windows(2) {
            let [before, range] = pair else { continue };
            if before.end().zip(range.date("START-DATE")).is_some_and(|(end, start)| start < end) {
                let seen = format!("{} begins within {}", quoted(&range.id), quoted(&before.id));
                found.add(&rules::RANGE_OVERLAP, range.line, seen);
            }
        }
    }
}
