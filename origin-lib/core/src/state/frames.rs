//! Who has the key frames of a window's segments ([`Segment::frame`]).

use super::Segment;
use crate::time::MediaSpan;

/// Who has a segment's key frame, by what is known and what is said. What was a gap stays one: players may have seen it.
pub(super) fn merged(known: Option<u32>, said: Option<u32>) -> Option<u32> {
    match (known, said) {
        (None, said) => said,
        (Some(0), _) | (_, None) => known,
        (Some(known), Some(said)) => Some(known | said),
    }
}

/// Gives up what is still awaited at the front of a window that segments have left. A playlist of key frames ends before the
/// first one that is awaited, and has to have three target durations then (RFC 8216bis, 6.2.2).
pub(crate) fn give_up_front<'a>(window: impl Iterator<Item = &'a mut Segment>, target_s: u32) {
    let mut left = MediaSpan::from_ms(i64::from(target_s) * 3000);
    for segment in window.take_while(|segment| {
        let is_needed = left.0 > 0;
        left.0 -= segment.duration.0;
        is_needed
    }) {
        segment.frame.get_or_insert(0);
    }
}
