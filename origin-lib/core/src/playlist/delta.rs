//! Delta updates (RFC 8216bis, 6.2.5.1): who has read a playlist of late is told what has come since.
//!
//! What is left out lies before the skip boundary, which is counted in media from the playlist's end: a hole in the
//! programme, after which the clock is further on, takes no part in it.

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::state::Segment;
use crate::time::MediaSpan;

/// `EXT-X-VERSION` of a playlist with `EXT-X-SKIP` (RFC 8216bis, 8). Only who knows it asks for one.
pub(super) const VERSION: u32 = 9;

/// `CAN-SKIP-UNTIL` in target durations: the least that RFC 8216bis, 4.4.3.8 allows.
const SKIP_UNTIL_TARGETS: i64 = 6;

/// How far from the end of the playlist the skip boundary is.
pub(super) fn boundary(target_duration_s: u32) -> MediaSpan {
    MediaSpan::from_ms(i64::from(target_duration_s) * 1000 * SKIP_UNTIL_TARGETS)
}

/// How many of the newest segments lie behind the boundary, at least in part. `newest_first` are a playlist's segments from
/// its end, and `parts` is the media of the parts behind the last of them.
pub(super) fn kept<'a>(
    newest_first: impl Iterator<Item = &'a Segment>,
    parts: MediaSpan,
    boundary: MediaSpan,
) -> usize {
    let mut from_end = parts;
    let mut is_near = |segment: &&Segment| {
        let near = from_end < boundary;
        from_end = MediaSpan(from_end.0.saturating_add(segment.duration.0));
        near
    };
    newest_first.take_while(|segment| is_near(segment)).count()
}

/// `EXT-X-SKIP`, where something is left out.
pub(super) fn write(text: &mut String, skipped: usize) -> fmt::Result {
    match skipped {
        0 => Ok(()),
        skipped => writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"),
    }
}
