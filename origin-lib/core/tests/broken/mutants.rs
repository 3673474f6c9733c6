//! Good streams, broken by seeds. Whatever is done to a stream in its second quarter, nothing panics, every check of the way
//! holds, no segment is longer than promised, what comes out is bounded by what came in, and the stream goes on from the next key
//! frame; in low latency as well.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cases::said;
use super::seed::Seed;
use super::way::{Seen, Segment, Way};
use super::{cmaf, flv, ts};

const SEGMENT_MS: u32 = 1_000;

/// The longest parts in low latency.
const PART_MS: u32 = 334;

/// How many mutants there are of each stream. `RAILBIRD_SEED=71 cargo test -p railbird-core --test broken` runs one.
const MUTANTS: u64 = 1_000;

/// What is said where not all of the end is there.
const MISSING: &str = " of the end are missing";

/// What came out of a stream: all samples of all segments, as they are.
fn samples(way: &Way) -> BTreeSet<&[u8]> {
    let all = way.segments.iter().flat_map(|segment| segment.video.iter().chain(&segment.audio));
    all.map(|sample| &sample.data[..]).collect()
}

/// What has to be there of a good stream, whatever was done to its second quarter: the pictures and the sound of its last eighth.
/// Where timestamps ran ahead and jumped back, media time stands still until they are there again; then comes the next key
/// frame.
fn expected(good: &Way) -> BTreeSet<&[u8]> {
    let ends = good.segments.last().map_or(0, |last| last.start_ms + last.duration_ms) * 90;
    let all = good.segments.iter().flat_map(|segment| segment.video.iter().chain(&segment.audio));
    let last = all.filter(|sample| sample.dts >= ends - ends / 8);
    last.map(|sample| &sample.data[..]).collect()
}

/// A good stream as it comes out, in segments and in parts.
struct Good([Way; 2]);

impl Good {
    fn new(send: impl Fn(&mut Way)) -> Good {
        let mut ways = [Way::new(SEGMENT_MS), Way::in_parts(SEGMENT_MS, PART_MS)];
        ways.iter_mut().for_each(send);
        Good(ways)
    }

    /// What is wrong with a mutant, if anything is; of what it is made, there are `len` bytes.
    fn fault(&self, len: usize, send: impl Fn(&mut Way)) -> Option<String> {
        let [whole, parts] = &self.0;
        fault(whole, Way::new(SEGMENT_MS), len, &send).or_else(|| {
            let fault = fault(parts, Way::in_parts(SEGMENT_MS, PART_MS), len, &send)?;
            Some(format!("in parts, {fault}"))
        })
    }
}

/// What is wrong with a mutant, if anything is.
fn fault(good: &Way, mut way: Way, len: usize, send: impl FnOnce(&mut Way)) -> Option<String> {
    let sent = catch_unwind(AssertUnwindSafe(|| send(&mut way)));
    if let Err(panic) = sent {
        return Some(said(&*panic).into());
    }
    if way.too_long {
        return Some("a segment is longer than promised".into());
    }
    let out: usize = way.segments.iter().map(|segment| segment.object.bytes.len()).sum();
    // Boxes and padding: a few dozen bytes a sample, and a kilobyte a segment.
    let all = way.segments.iter().map(|segment| segment.video.len() + segment.audio.len());
    let bound = 2 * len + 64 * all.sum::<usize>() + 1024 * way.segments.len();
    if out > bound {
        return Some(format!("{out} bytes came of {len}"));
    }
    let missing = expected(good).difference(&samples(&way)).count();
    (missing > 0).then(|| format!("{missing} of {} samples{MISSING}", expected(good).len()))
}

/// Runs seeds, and names those whose mutants show a fault.
fn run(what: &str, fault: impl Fn(u64) -> Option<String>) {
    let seeds = match std::env::var("RAILBIRD_SEED") {
        Ok(seed) => seed.parse().map_or(0..1, |seed| seed..seed + 1),
        Err(_) => 0..MUTANTS,
    };
    let faults: Vec<String> =
        seeds.filter_map(|seed| Some(format!("{what}, RAILBIRD_SEED={seed}: {}", fault(seed)?))).collect();
    assert!(faults.is_empty(), "{} of {MUTANTS}: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
}

fn transport_streams(what: &str, stream: &[u8], ms: u64) {
    let good = Good::new(|way| ts::send(way, stream, stream.len(), ms));
    let packets = stream.len() / 188;
    run(what, |seed| {
        let mut broken = stream.to_vec();
        ts::harm(&mut broken, packets / 4..packets / 2, &mut Seed(seed));
        good.fault(broken.len(), |way| ts::send(way, &broken, stream.len(), ms))
    });
}

#[test]
fn transport_streams_of_h264_go_on_whatever_is_done_to_them() {
    transport_streams("H.264", ts::AVC, 6_000);
}

#[test]
fn transport_streams_of_h265_go_on_whatever_is_done_to_them() {
    transport_streams("H.265", ts::HEVC, 5_000);
}

#[test]
fn messages_of_rtmp_go_on_whatever_is_done_to_them() {
    let tags = flv::tags();
    let len: usize = tags.iter().map(|tag| tag.payload.len()).sum();
    let good = Good::new(|way| flv::send(way, &tags, tags.len(), 6_000));
    run("RTMP", |seed| {
        let mut broken = tags.clone();
        flv::harm(&mut broken, tags.len() / 4..tags.len() / 2, &mut Seed(seed));
        // What comes twice counts twice.
        good.fault(2 * len, |way| flv::send(way, &broken, tags.len(), 6_000))
    });
}

/// Where a harmed fragment or header leads away from, this short stream may not be back by its end: nothing is asked of that.
#[test]
fn fragments_that_are_put_break_nothing_whatever_is_done_to_them() {
    let puts = cmaf::puts();
    let len: usize = puts.iter().map(|put| put.body.len()).sum();
    let good = Good::new(|way| cmaf::send(way, &puts, puts.len(), 6_000));
    run("CMAF", |seed| {
        let mut broken = puts.clone();
        cmaf::harm(&mut broken, puts.len() / 4..puts.len() / 2, &mut Seed(seed));
        let fault = good.fault(2 * len, |way| cmaf::send(way, &broken, puts.len(), 6_000));
        fault.filter(|fault| !fault.ends_with(MISSING))
    });
}

/// The 33 bits of a transport stream's clock end after 26.5 hours.
#[test]
fn a_clock_that_wraps_changes_nothing() {
    let (mut plain, mut wrapped) = (Way::new(SEGMENT_MS), Way::new(SEGMENT_MS));
    ts::send(&mut plain, ts::AVC, ts::AVC.len(), 6_000);
    ts::send(&mut wrapped, &ts::moved(ts::AVC, (1 << 33) - 270_000), ts::AVC.len(), 6_000);
    assert_eq!((plain.segments.len(), wrapped.segments.len()), (6, 6));
    for (plain, wrapped) in plain.segments.iter().zip(&wrapped.segments) {
        assert_eq!(wrapped.discontinuity, plain.discontinuity);
        // Where 2^33 lies between two milliseconds, times do.
        assert!(
            wrapped.start_ms.abs_diff(plain.start_ms) <= 1
                && wrapped.duration_ms.abs_diff(plain.duration_ms) <= 1
        );
    }
    // A frame of sound at a seam may lie on either side of it.
    let all = |way: &Way, of: fn(&Segment) -> &Vec<Seen>| -> Vec<Vec<u8>> {
        way.segments.iter().flat_map(of).map(|sample| sample.data.clone()).collect()
    };
    assert_eq!(all(&plain, |of| &of.video), all(&wrapped, |of| &of.video));
    // So may the first one: before the first picture, or beside it.
    let (plain, wrapped) = (all(&plain, |of| &of.audio), all(&wrapped, |of| &of.audio));
    assert!(plain.ends_with(&wrapped[1..]) && wrapped.ends_with(&plain[1..]));
}
