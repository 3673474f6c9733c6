//! A recording as it lies on the local disk: its objects, checked, and what is missing in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use railbird_core::hash::Hash;
use railbird_core::recording::Reel;
use railbird_core::time::{MediaSpan, MediaTime};

/// Segments that lie further apart than this have a gap between them. An encoder's clock may leave less.
const GAP_MIN: MediaSpan = MediaSpan::from_ms(100);

/// An object can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not there.
    #[error("it is missing on the disk")]
    Missing,
    /// It is not what was recorded.
    #[error("its bytes are not those that were recorded")]
    Wrong,
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Io(io::Error),
}

/// A part of a recording's time without media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its begin.
    pub from: MediaTime,
    /// Its end.
    pub to: MediaTime,
    /// Why, in a sentence.
    pub why: String,
}

/// Reads an object below `dir` and checks it. No more is read than it should have.
pub fn object(dir: &Path, name: &str, len: u64, sha256: &Hash) -> Result<Vec<u8>, ObjectError> {
    let file = File::open(dir.join(name)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ObjectError::Missing,
        _ => ObjectError::Io(error),
    })?;
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0).min(1 << 26) + 1);
    file.take(len.saturating_add(1)).read_to_end(&mut bytes).map_err(ObjectError::Io)?;
    if bytes.len() as u64 != len || Hash::of(&bytes) != *sha256 {
        return Err(ObjectError::Wrong);
    }
    Ok(bytes)
}

/// What is missing between the first segment and the last one, in order: what the disk did not take, and when no feed came.
pub fn gaps(reel: &Reel) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut end: Option<MediaTime> = None;
    for n in reel.order() {
        let (Some(segment), Some(object)) = (reel.segment(*n), reel.objects().get(*n as usize)) else {
            continue;
        };
        if let Some(from) = end.filter(|end| *end + GAP_MIN < segment.start) {
            add(&mut gaps, Gap { from, to: segment.start, why: "no feed came".into() });
        }
        let to = segment.start + segment.duration;
        if object.sha256.is_none() {
            add(&mut gaps, Gap { from: segment.start, to, why: "the disk did not take it".into() });
        }
        end = end.max(Some(to));
    }
    gaps
}

/// Adds a gap, to the one before where they meet and are of one kind.
pub fn add(gaps: &mut Vec<Gap>, gap: Gap) {
    match gaps.last_mut() {
        Some(last) if last.why == gap.why && gap.from <= last.to + GAP_MIN => last.to = last.to.max(gap.to),
        _ => gaps.push(gap),
    }
}
