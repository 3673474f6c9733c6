//! A segment stays what it is for as long as it is listed.

use alloc::format;
use alloc::vec::Vec;

use super::super::attributes::Nanos;
use super::super::media::{Applied, Media, Segment};
use super::super::rule::{Findings, quoted};
use super::super::rules;
use super::name;
use crate::time::UtcMs;

/// By how much a date that is counted from another segment's may be off.
const DRIFT_MAX_MS: u64 = 100;

/// What rounding leaves of a duration.
const ROUNDING: Nanos = Nanos::ms(1);

/// Says whether numbers are of the same segments as before.
pub(super) fn check(before: &Media, after: &Media, found: &mut Findings) -> bool {
    let (dates_before, dates_after) = (dated(before), dated(after));
    let of = |dates: &[Option<UtcMs>], media: &Media, msn: u64| {
        let at = usize::try_from(msn.checked_sub(media.listed_msn())?).ok()?;
        dates.get(at).copied().flatten()
    };
    let discontinuities = numbers(before);
    for (msn, discontinuity, segment) in after.numbered() {
        let Some(known) = before.segment(msn) else { continue };
        if name(&known.uri) != name(&segment.uri) {
            let seen = format!("{msn} was {} and is {}", quoted(&known.uri), quoted(&segment.uri));
            found.add(&rules::NUMBER_OF_OTHER, segment.line, seen);
            // What follows would say the same of every segment.
            return false;
        }
        same(msn, known, segment, found);
        let at = usize::try_from(msn.saturating_sub(before.listed_msn())).unwrap_or(usize::MAX);
        let counted = discontinuities.get(at).copied();
        if counted.is_some_and(|counted| counted != discontinuity) {
            let seen = format!("the discontinuity sequence number of {msn} is not what it was");
            found.add(&rules::DISCONTINUITY_COUNT, segment.line, seen);
            return true;
        }
        let dates = of(&dates_before, before, msn).zip(of(&dates_after, after, msn));
        if let Some((was, is)) =
            dates.filter(|(was, is)| was.ms_since(*is).max(is.ms_since(*was)) > DRIFT_MAX_MS)
        {
            let seen = format!("the date of {msn} was {} and is {}", was.iso8601(), is.iso8601());
            found.add(&rules::SEGMENT_DATE, segment.line, seen);
            return true;
        }
    }
    true
}

fn numbers(media: &Media) -> Vec<u64> {
    media.numbered().map(|(_, discontinuity, _)| discontinuity).collect()
}

fn same(msn: u64, known: &Segment, segment: &Segment, found: &mut Findings) {
    let line = segment.line;
    if known.uri != segment.uri {
        let seen = format!("{msn} was at {} and is at {}", quoted(&known.uri), quoted(&segment.uri));
        found.add(&rules::SEGMENT_MOVED, line, seen);
    }
    let durations = known.duration.zip(segment.duration);
    if let Some((was, is)) = durations.filter(|(was, is)| was.0.abs_diff(is.0) > ROUNDING.0) {
        found.add(&rules::SEGMENT_DURATION, line, format!("{msn} was {was} long and is {is}"));
    }
    if known.gap != segment.gap {
        let seen = format!("{msn} {} a gap", if segment.gap { "has become" } else { "is no longer" });
        found.add(&rules::SEGMENT_GAP, line, seen);
    }
    if known.applied.keys() != segment.applied.keys() {
        found.add(&rules::SEGMENT_KEY, line, format!("the key of {msn} is not what it was"));
    }
    map(msn, line, &known.applied, &segment.applied, found);
}

fn map(msn: u64, line: u32, known: &Applied, now: &Applied, found: &mut Findings) {
    let called = |applied: &Applied| {
        applied.map.as_ref().map(|map| (alloc::string::String::from(name(&map.uri)), map.range))
    };
    if called(known) != called(now) {
        found.add(&rules::SEGMENT_MAP, line, format!("the EXT-X-MAP of {msn} is not what it was"));
    } else if known.map != now.map {
        found.add(&rules::SEGMENT_MOVED, line, format!("the EXT-X-MAP of {msn} is elsewhere"));
    }
}

/// The date of each listed segment, its own or counted from the last one before it.
pub(in crate::lint) fn dated(media: &Media) -> Vec<Option<UtcMs>> {
    let mut next: Option<(UtcMs, Nanos)> = None;
    let of = |segment: &Segment| {
        let own = segment.applied.date.map(|date| (date, Nanos(0)));
        // Behind a discontinuity, nothing tells.
        let start = own.or(next.filter(|_| !segment.applied.discontinuity));
        next = start.zip(segment.duration).map(|((from, sum), duration)| (from, sum.plus(duration)));
        start.map(|(from, sum)| from.plus_ms(sum.0 / 1_000_000))
    };
    media.segments.iter().map(of).collect()
}
