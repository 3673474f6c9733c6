//! Two origins: where they used the same samples, they made the same bytes; and what any of them took is not lost.

use std::collections::BTreeSet;

use bytes::Bytes;
use railbird_core::media::Kind as Track;
use railbird_core::package::Kind;
use railbird_core::programme::Passed;
use railbird_core::time::{MediaSpan, MediaTime};

use super::encoder::FRAME_MS;
use super::origin::Origin;

/// What lies around a segment decides where it begins and ends.
const AROUND: MediaSpan = MediaSpan::from_ms(900);

/// How many segments both made of the same samples; an error where their bytes differ.
pub(super) fn same(one: &Origin, other: &Origin) -> Result<usize, String> {
    let mut same = 0;
    for (name, made) in &one.made {
        let (Some(twin), Kind::Segment { start, duration, discontinuity, .. }) =
            (other.made.get(name), &made.kind)
        else {
            continue;
        };
        let end = *start + *duration;
        let (mine, its) = (around(&one.used, *start, end), around(&other.used, *start, end));
        // What comes behind tells both how long the last frames are, unless a connection ended in between.
        let goes_on =
            mine.iter().any(|passed| passed.sample.kind == Track::Video && passed.sample.pts() >= end);
        let joined = one.next(end) == other.next(end);
        if *discontinuity || twin.kind != made.kind || !goes_on || !joined || mine != its {
            continue;
        }
        if made.hash != twin.hash {
            return Err(format!("{name} is {made:?} at one origin and {twin:?} at the other"));
        }
        for (part, mine) in one.parts_of(*start) {
            if let Some(its) = other.parts.get(part).filter(|its| its.hash != mine.hash) {
                return Err(format!("{part} is {mine:?} at one origin and {its:?} at the other"));
            }
        }
        same += 1;
    }
    Ok(same)
}

fn around(used: &[Passed], start: MediaTime, end: MediaTime) -> &[Passed] {
    let (from, to) = (start + MediaSpan(-AROUND.0), end + AROUND);
    // Samples of two tracks are nearly in order: good enough for a bound.
    let first = used.partition_point(|passed| passed.sample.dts < from);
    let last = used.partition_point(|passed| passed.sample.dts < to);
    &used[first..last]
}

/// Every picture that one of the origins took is in what all recorded together, but for those that nobody can decode: an
/// encoder that was silent for long goes on between two key frames. How many there are, and what is recorded.
pub(super) fn union(origins: &[Origin]) -> Result<(usize, BTreeSet<Bytes>), String> {
    let (mut all, mut taken) = (BTreeSet::new(), 0);
    for origin in origins {
        all.extend(origin.recorded()?);
    }
    for origin in origins {
        let (mut last, mut decodable) = (MediaTime(0), false);
        for passed in origin.used.iter().filter(|passed| passed.sample.kind == Track::Video) {
            let (data, step) = (&passed.sample.data, passed.sample.dts - last);
            last = passed.sample.dts;
            decodable = passed.sample.key || (decodable && step == MediaSpan::from_ms(FRAME_MS as i64));
            if decodable && !all.contains(data) && !origin.left.contains(data) {
                let text = String::from_utf8_lossy(data);
                let at = passed.sample.dts;
                let near: Vec<String> = origins.iter().map(|origin| origin.near(at)).collect();
                let near = near.join("\n");
                return Err(format!("origin {} took {text} at {at:?}, and nobody has it\n{near}", origin.at));
            }
            taken += usize::from(decodable);
        }
    }
    Ok((taken, all))
}
