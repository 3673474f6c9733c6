//! Two origins that take the same feed over a protocol whose timestamps are the encoder's own (DESIGN.md, invariant 3).

use std::collections::BTreeMap;

use super::ts;
use super::way::Way;

const SEGMENT_MS: u32 = 1_000;

/// How much later the other origin's network brings everything.
const LATE_MS: u64 = 700;

/// The segments that both made whole are the same objects: the other one joined later, so that its first one may lack what came
/// before; and where a feed ends for either, nothing tells how long the last frames are.
fn are_the_same(what: &str, one: &Way, other: &Way, at_least: usize) {
    let made: BTreeMap<&str, _> =
        one.segments.iter().map(|made| (&*made.object.name, &made.object)).collect();
    // Sound may have come before the first parameters of video.
    let seen: Vec<_> = other.segments.iter().filter(|segment| !segment.video.is_empty()).collect();
    let [_, whole @ .., _] = &seen[..] else { panic!("{what}: {} segments", seen.len()) };
    assert!(whole.len() >= at_least, "{what}: only {} segments", whole.len());
    for segment in whole {
        assert_eq!(made.get(&*segment.object.name), Some(&&segment.object), "{what}");
    }
    assert_eq!(one.inits.last(), other.inits.last(), "{what}");
}

#[test]
fn invariant_3_two_origins_make_the_same_objects_of_a_transport_stream() {
    for (codec, stream, ms) in [("H.264", ts::AVC, 6_000), ("H.265", ts::HEVC, 5_000)] {
        let at = |at: usize| at as u64 * ms / stream.len() as u64;
        let mut one = Way::new(SEGMENT_MS);
        ts::send_pieces(&mut one, stream, ts::DATAGRAM_LEN, at);
        // By SRT, in datagrams; by HTTP, in whatever pieces the network makes of it, from the middle of a packet on.
        for (protocol, piece_len, from) in [("SRT", ts::DATAGRAM_LEN, 188 * 60), ("HTTP", 777, 9_999)] {
            let mut other = Way::knowing(SEGMENT_MS, one.anchor);
            ts::send_pieces(&mut other, &stream[from..], piece_len, |to| at(from + to) + LATE_MS);
            are_the_same(&format!("{codec} by {protocol}"), &one, &other, 1);
        }
    }
}
