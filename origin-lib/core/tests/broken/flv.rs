//! The tags of FLV, which are the messages of RTMP: through the demultiplexer, and what can be done to them.

use std::ops::Range;

use bytes::Bytes;
use railbird_core::flv::{Demux, Error, File, Part, Tag, TagKind, part};
use railbird_core::programme::End;

use super::encoder::AVC_FLV;
use super::seed::{Seed, harm_bytes};
use super::way::Way;

/// The tags of six seconds.
pub(crate) fn tags() -> Vec<Tag> {
    File::new(Bytes::from_static(AVC_FLV)).unwrap().map(Result::unwrap).collect()
}

/// Those of them with which an encoder begins: metadata and parameters.
pub(crate) fn heads(tags: &[Tag]) -> Vec<Tag> {
    let heads = tags.iter().filter(|tag| part(tag.kind, &tag.payload) == Part::Other);
    heads.take(3).cloned().collect()
}

/// Where the parameters of H.264 say how long the lengths before NAL units are. Nothing can tell such parameters from good ones,
/// and no picture can be read until others come.
const LENGTHS_AT: usize = 9;

/// Tags that come as fast as they were made, `len` of them in `ms`. An encoder that is refused connects again and begins with
/// its parameters.
pub(crate) fn send(way: &mut Way, tags: &[Tag], len: usize, ms: u64) {
    publish(way, tags, 0, len, ms);
    way.finish();
}

/// The same from an instant on, so that it may go on, or break off.
pub(crate) fn publish(way: &mut Way, tags: &[Tag], from_ms: u64, len: usize, ms: u64) {
    publish_at(way, tags, from_ms, |n| n as u64 * ms / len as u64);
}

/// The same of tags of which each comes when `at` says by its number, in milliseconds from then on.
pub(crate) fn publish_at(way: &mut Way, tags: &[Tag], from_ms: u64, at: impl Fn(usize) -> u64) {
    let mut demux = Demux::new();
    way.at(from_ms);
    way.begin();
    for (n, tag) in tags.iter().enumerate() {
        way.at(from_ms + at(n));
        if let Err(Error::Refuse { .. }) = take(&mut demux, tag, way) {
            way.end(End::Lost);
            demux = Demux::new();
            way.begin();
            for head in heads(tags) {
                take(&mut demux, &head, way).unwrap();
            }
        }
    }
}

fn take(demux: &mut Demux, tag: &Tag, way: &mut Way) -> Result<(), Error> {
    let taken = demux.handle(tag.kind, tag.timestamp_ms, tag.payload.clone());
    while let Some(event) = demux.poll() {
        way.take(event);
    }
    while demux.poll_other().is_some() {}
    taken
}

/// Breaks a few tags within a range.
pub(crate) fn harm(tags: &mut Vec<Tag>, within: Range<usize>, seed: &mut Seed) {
    for _ in 0..seed.within(1..6) {
        let piece = seed.piece(within.clone(), 40);
        match seed.within(0..10) {
            0 => drop(tags.drain(piece)),
            1 => {
                let again = tags[piece.clone()].to_vec();
                tags.splice(piece.end..piece.end, again);
            }
            2 => tags[piece].reverse(),
            3 => {
                let by = seed.one_of(&[1, 40, 900, 3_000, 8_000, 100_000, 1 << 31, u32::MAX - 40]);
                let step = seed.one_of(&[1, 3, 40]);
                for tag in tags[piece].iter_mut().step_by(step) {
                    tag.timestamp_ms = tag.timestamp_ms.wrapping_add(by);
                }
            }
            4 => tags[piece].iter_mut().for_each(|tag| tag.timestamp_ms = 0),
            5 => tags[piece].iter_mut().for_each(|tag| tag.timestamp_ms = seed.next() as u32),
            6 => tags[piece.start].kind = seed.one_of(&[TagKind::Audio, TagKind::Video, TagKind::Data]),
            7 => {
                // Parameters again, harmed.
                let mut head = heads(tags).swap_remove(seed.within(0..3));
                head.timestamp_ms = tags[piece.start].timestamp_ms;
                let lengths = head.payload.get(LENGTHS_AT).copied();
                harm_payload(&mut head, seed);
                if head.payload.get(LENGTHS_AT).copied() == lengths {
                    tags.insert(piece.start, head);
                }
            }
            _ => tags[piece].iter_mut().step_by(7).for_each(|tag| harm_payload(tag, seed)),
        }
    }
}

fn harm_payload(tag: &mut Tag, seed: &mut Seed) {
    let mut payload = tag.payload.to_vec();
    match seed.within(0..4) {
        // What comes first says what follows.
        0 => harm_bytes(&mut payload, 0..12, seed),
        1 => payload.truncate(seed.within(0..payload.len() + 1)),
        _ => {
            let len = payload.len();
            harm_bytes(&mut payload, 0..len, seed);
        }
    }
    tag.payload = payload.into();
}
