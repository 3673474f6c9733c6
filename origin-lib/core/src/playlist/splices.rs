//! What the feed says of splices: `EXT-X-DATERANGE` with `SCTE35-OUT`, `SCTE35-IN` and `SCTE35-CMD` (RFC 8216bis, 4.4.5.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::ranges::begin;
use crate::scte35::{self, Splice};
use crate::time::MediaTime;

/// Those of the splices that have something to say of the media between `from` and `to`, or of what follows it. Nothing that was
/// said after `to` is told, nor a way back before the media has `reached` it: it may still be put off, and what was told of a
/// range stays.
pub(super) fn write<'a>(
    text: &mut String,
    splices: impl IntoIterator<Item = &'a Splice>,
    (from, to): (MediaTime, MediaTime),
    reached: MediaTime,
) -> fmt::Result {
    let mut splices: Vec<&Splice> = splices.into_iter().filter(|splice| splice.said < to).collect();
    splices.sort_by_key(|splice| splice.at);
    // A chapter and what is live may tell the same.
    splices.dedup_by(|later, earlier| later.at == earlier.at && later.is_again(earlier));
    for range in scte35::ranges(splices).into_iter().filter(|range| range.end() >= from) {
        begin(text, &range.id, None, range.start)?;
        let back = range.back.filter(|(back, _)| *back <= reached);
        if let Some((back, _)) = back {
            write!(text, ",DURATION={}", (back - range.start).decimal_seconds(3))?;
        }
        if let Some(planned) = range.planned {
            write!(text, ",PLANNED-DURATION={}", planned.decimal_seconds(3))?;
        }
        let back = back.map(|(_, section)| section);
        for (way, section) in [("OUT", range.out), ("IN", back), ("CMD", range.other)] {
            if let Some(section) = section {
                write!(text, ",SCTE35-{way}={}", section.hexadecimal())?;
            }
        }
        text.push('\n');
    }
    Ok(())
}
