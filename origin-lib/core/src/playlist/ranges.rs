//! What the score says of stretches of time: `EXT-X-DATERANGE` (RFC 8216bis, 4.4.5.1).
//!
//! Who watches is never told what its playlist does not reach yet. So what has begun is listed without its end until that
//! is in the playlist, and what tells how it ended, such as an inning with its points, is not listed before.

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::score::{Class, NAME_CHARS_MAX, Range, Unit};
use crate::time::MediaTime;

/// What each `CLASS` begins with.
const CLASS: &str = "org.railbird.score";

/// What each attribute of ours begins with (RFC 8216bis, 4.4.5.1: `X-` and a name in reverse).
const OWN: &str = "X-ORG-RAILBIRD";

/// The longest ID, in characters: a state's check lets no longer one in.
const ID_CHARS_MAX: usize = 40;

/// Those of the ranges that have something to say of the media between `from` and `to`. Nothing that happened after
/// `until`, or after `to`, is told.
pub(super) fn write<'a>(
    text: &mut String,
    ranges: impl IntoIterator<Item = &'a Range>,
    from: MediaTime,
    to: MediaTime,
    until: Option<MediaTime>,
) -> fmt::Result {
    let horizon = until.map_or(to, |until| until.min(to));
    let is_near = |range: &&Range| range.start < to && range.end.is_none_or(|end| end > from);
    for range in ranges.into_iter().filter(is_near).filter_map(|range| range.before(horizon)) {
        write_one(text, &range)?;
    }
    Ok(())
}

fn write_one(text: &mut String, range: &Range) -> fmt::Result {
    let class = match range.class {
        Class::Match => "match",
        Class::Unit => "unit",
        Class::Inning => "inning",
        Class::Run => "run",
    };
    begin(text, &range.id, Some(class), range.start)?;
    if let Some(end) = range.end {
        write!(text, ",END-DATE=\"{end}\"")?;
    }
    write!(text, ",{OWN}-TITLE=\"")?;
    quote(text, &range.title, NAME_CHARS_MAX);
    text.push('"');
    if let Some(unit) = range.unit {
        let unit = match unit {
            Unit::Match => "match",
            Unit::Set => "set",
            Unit::Rack => "rack",
            Unit::Frame => "frame",
        };
        write!(text, ",{OWN}-UNIT=\"{unit}\"")?;
    }
    if let Some(number) = range.number {
        write!(text, ",{OWN}-NUMBER={number}")?;
    }
    if let Some(side) = range.side {
        write!(text, ",{OWN}-SIDE={side}")?;
    }
    // A number of ours has no sign there, so that this is a text.
    if let Some(points) = range.points {
        write!(text, ",{OWN}-POINTS=\"{points}\"")?;
    }
    text.push('\n');
    Ok(())
}

/// Begins a tag: its name, what of ours it is, and where the range begins.
pub(super) fn begin(text: &mut String, id: &str, class: Option<&str>, start: MediaTime) -> fmt::Result {
    text.push_str("#EXT-X-DATERANGE:ID=\"");
    quote(text, id, ID_CHARS_MAX);
    text.push('"');
    if let Some(class) = class {
        write!(text, ",CLASS=\"{CLASS}.{class}\"")?;
    }
    write!(text, ",START-DATE=\"{start}\"")
}

/// What may stand in a quoted string (RFC 8216bis, 4.2), of at most so many characters.
fn quote(text: &mut String, value: &str, chars_max: usize) {
    let safe = value.chars().take(chars_max).filter(|c| !c.is_control());
    text.extend(safe.map(|c| if c == '"' { '\'' } else { c }));
}
