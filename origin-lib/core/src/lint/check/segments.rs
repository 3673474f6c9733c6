//! Segments and the tags that are of them (RFC 8216bis, 4.4.4).

use alloc::format;

use super::super::attributes::Nanos;
use super::super::media::{Applied, Media, Segment};
use super::super::rule::{Findings, quoted};
use super::super::rules;
use crate::time::UtcMs;

/// By how much a date may be off what the durations before it make: a frame, and what rounding leaves.
const DRIFT_MAX_MS: u64 = 100;

/// Dates may overlap by less than this, for clocks that drift.
const OVERLAP_MAX_MS: u64 = 1000;

pub(super) fn check(media: &Media, found: &mut Findings) {
    if let Some(line) = media.dangling {
        found.add(&rules::SEGMENT_WITHOUT_URI, line, "EXTINF is the last of its segment");
    }
    for segment in &media.segments {
        duration(media, segment, found);
        if segment.applied.map.is_none() && is_fmp4(&segment.uri) {
            found.add(
                &rules::MAP_MISSING,
                segment.line,
                format!("{} has no EXT-X-MAP", quoted(&segment.uri)),
            );
        }
    }
    for pair in media.segments.windows(2) {
        if let [before, segment] = pair {
            map(before, segment, found);
        }
    }
    byte_ranges(media, found);
    dates(media, found);
}

fn duration(media: &Media, segment: &Segment, found: &mut Findings) {
    let (Some(duration), Some(target)) = (segment.duration, media.target_s) else { return };
    if target > 0 && duration.rounded() > target {
        let seen = format!("a segment of {duration} is over the target duration of {target} s");
        found.add(&rules::SEGMENT_OVER_TARGET, segment.line, seen);
    }
}

/// Whether a URI's path is that of an fMP4 segment, by its name.
fn is_fmp4(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    [".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa"].iter().any(|end| path.ends_with(end))
}

fn map(before: &Segment, segment: &Segment, found: &mut Findings) {
    let differs = |a: &Applied, b: &Applied| a.map.is_some() && b.map.is_some() && a.map != b.map;
    if differs(&before.applied, &segment.applied) && !segment.applied.discontinuity {
        found.add(&rules::MAP_CHANGE, segment.line, "another EXT-X-MAP begins");
    }
}

fn byte_ranges(media: &Media, found: &mut Findings) {
    let mut before: Option<&Segment> = None;
    for segment in &media.segments {
        let follows = before.is_some_and(|before| before.range.is_some() && before.uri == segment.uri);
        // What a delta update leaves out may be what the first one follows.
        let unknown = before.is_none() && media.skip.is_some();
        if matches!(segment.range, Some((_, None))) && !follows && !unknown {
            let seen = format!("the range of {} has no start", quoted(&segment.uri));
            found.add(&rules::BYTERANGE_BASE, segment.line, seen);
        }
        // What is encrypted is the range and not the resource, but for I-frames (RFC 8216bis, 4.4.4.4 and 6.3.6).
        let of_blocks =
            !media.frames_only && segment.applied.keys().iter().any(|key| key.method == "AES-128");
        if let Some((len, _)) = segment.range.filter(|(len, _)| of_blocks && !len.is_multiple_of(16)) {
            let seen = format!("the range of {} has {len} bytes", quoted(&segment.uri));
            found.add(&rules::RANGE_OF_BLOCKS, segment.line, seen);
        }
        before = Some(segment);
    }
}

fn dates(media: &Media, found: &mut Findings) {
    if let Some(line) = media.undated_zone {
        found.add(&rules::DATE_ZONE, line, "EXT-X-PROGRAM-DATE-TIME has no zone or no milliseconds");
    }
    if !media.is_dated() {
        return;
    }
    let mut expected: Option<(UtcMs, Nanos)> = None;
    for segment in &media.segments {
        if segment.applied.discontinuity && segment.applied.date.is_none() {
            found.add(&rules::DATE_MISSING, segment.line, "a discontinuity has no date");
            expected = None;
        }
        if let Some(date) = segment.applied.date {
            if let Some((from, sum)) = expected {
                compare(from.plus_ms(sum.0 / 1_000_000), date, segment, found);
            }
            expected = Some((date, Nanos(0)));
        }
        expected = expected.zip(segment.duration).map(|((from, sum), duration)| (from, sum.plus(duration)));
    }
}

fn compare(expected: UtcMs, date: UtcMs, segment: &Segment, found: &mut Findings) {
    let (early, late) = (expected.ms_since(date), date.ms_since(expected));
    if early >= OVERLAP_MAX_MS {
        let seen = format!("a segment is dated {early} ms before the end of the one before it");
        found.add(&rules::DATE_OVERLAP, segment.line, seen);
    } else if early.max(late) > DRIFT_MAX_MS && !segment.applied.discontinuity {
        let seen = format!("a date is {} ms off what the durations make", early.max(late));
        found.add(&rules::DATE_DRIFT, segment.line, seen);
    }
}
