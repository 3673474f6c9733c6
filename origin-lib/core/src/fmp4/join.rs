//! One init segment of two: pictures and the sound beside them, for whoever takes both from one stream.
//!
//! Segments of either need no change: offsets in them count from their own `moof`, and tracks have the same numbers everywhere.

use alloc::vec::Vec;

use super::boxes::Boxes;
use super::read::{self, ReadError, boxes, child};

/// An init segment with the tracks of both. Segments of the one and of the other, one behind another, play with it.
pub fn join(pictures: &[u8], sound: &[u8]) -> Result<Vec<u8>, ReadError> {
    const SAME: ReadError = ReadError("the pictures and the sound have the same track number");
    let (own, other) = (read::init(pictures)?, read::init(sound)?);
    if own.iter().any(|track| other.iter().any(|another| another.id == track.id)) {
        return Err(SAME);
    }
    let (from, to) = (moov(sound)?, moov(pictures)?);
    let (tracks, defaults) = (all(from, b"trak")?, all(child(from, b"mvex")?.unwrap_or_default(), b"trex")?);
    let mut out = Vec::with_capacity(pictures.len() + sound.len());
    let mut b = Boxes::new(&mut out);
    for found in boxes(pictures) {
        let (name, _, whole) = found?;
        if name != b"moov" {
            b.bytes(whole);
        }
    }
    // Players want `mvex` and what is behind it after the tracks.
    let parts: Vec<_> = boxes(to).collect::<Result<_, _>>()?;
    b.boxed(b"moov", |b| {
        let is_head = |(name, ..): &&read::Found<'_>| matches!(*name, b"mvhd" | b"trak");
        parts.iter().filter(is_head).for_each(|(_, _, whole)| b.bytes(whole));
        tracks.iter().for_each(|whole| b.bytes(whole));
        for (name, content, whole) in parts.iter().filter(|part| !is_head(part)) {
            if *name != b"mvex" {
                b.bytes(whole);
                continue;
            }
            b.boxed(b"mvex", |b| {
                b.bytes(content);
                defaults.iter().for_each(|whole| b.bytes(whole));
            });
        }
    });
    Ok(out)
}

fn moov(init: &[u8]) -> Result<&[u8], ReadError> {
    child(init, b"moov")?.ok_or(ReadError("there is no moov box"))
}

/// The boxes of this name, whole.
fn all<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Result<Vec<&'a [u8]>, ReadError> {
    let found = boxes(bytes).filter(|found| !matches!(found, Ok((name, ..)) if *name != wanted));
    found.map(|found| found.map(|(_, _, whole)| whole)).collect()
}
