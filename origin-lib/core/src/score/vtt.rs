//! The score as WebVTT, for a segment of a subtitles rendition (RFC 8216bis, 3.1.4).
//!
//! Cues bear the time of the day in UTC. `X-TIMESTAMP-MAP` says which media time that is: media counts 1/90000 s since 1970
//! in 64 bits, and the map has 33 of them, so that it is of the segment's own start. Players find the number of times that
//! 33 bits went over by where the segment is.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::document::{Document, Entry};
use super::model::{NAME_CHARS_MAX, Phase, Side, State};
use super::rules::Unit;
use super::words::Words;
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// The most cues of a segment: of more, the newest.
pub const CUES_MAX: usize = 64;

/// Bits of a time stamp in an MPEG-2 transport stream.
const MPEGTS_BITS: u32 = 33;

const DAY_MS: u64 = 86_400_000;

/// A text, and from when on it is shown.
struct Cue {
    at: UtcMs,
    text: String,
}

/// The segment of `span` from `start` on: one cue for each score that is shown in it, within its bounds, so that cues of
/// neighbours do not overlap. `matches` are those that may be shown there, oldest first; of what they have to say of later,
/// nothing is told.
pub fn cues<'a>(
    matches: impl IntoIterator<Item = &'a Document>,
    start: MediaTime,
    span: MediaSpan,
) -> String {
    let (from, to) = (start.utc(), (start + span).utc());
    let mut cues: Vec<Cue> = Vec::new();
    // Times tell milliseconds, and a cue has a length: what is shorter has none.
    for document in matches.into_iter().filter(|_| from < to) {
        for entry in document.shown(from, to) {
            add(&mut cues, document, entry, from);
        }
    }
    cues.drain(..cues.len().saturating_sub(CUES_MAX));
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write(&mut text, &cues, from, to);
    text
}

/// Adds what is shown from an entry on, where that looks otherwise.
fn add(cues: &mut Vec<Cue>, document: &Document, entry: &Entry, from: UtcMs) {
    let at = entry.at.utc().max(from);
    let mut text = String::new();
    let _ = write_score(&mut text, document, &entry.state);
    // A place that says nothing leaves no line: an empty one ends a cue.
    text.truncate(text.trim_end_matches('\n').len());
    while cues.last().is_some_and(|last| last.at >= at) {
        cues.pop();
    }
    if cues.last().is_none_or(|last| last.text != text) {
        cues.push(Cue { at, text });
    }
}

fn write(text: &mut String, cues: &[Cue], from: UtcMs, to: UtcMs) -> fmt::Result {
    let mpegts = from.media().0 % (1 << MPEGTS_BITS);
    let midnight = from.0 - from.0 % DAY_MS;
    write!(text, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:")?;
    write_time(text, from, midnight)?;
    writeln!(text, ",MPEGTS:{mpegts}")?;
    let ends = cues.iter().skip(1).map(|next| next.at).chain([to]);
    for (cue, end) in cues.iter().zip(ends) {
        text.push('\n');
        write_time(text, cue.at, midnight)?;
        text.push_str(" --> ");
        write_time(text, end, midnight)?;
        writeln!(text, "\n{}", cue.text)?;
    }
    Ok(())
}

/// The time since that midnight: beyond it, a day has more hours.
fn write_time(text: &mut String, at: UtcMs, midnight: u64) -> fmt::Result {
    let ms = at.0.saturating_sub(midnight);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    write!(text, "{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A line for each side, the one at the table marked, and one for where the match stands.
fn write_score(text: &mut String, document: &Document, state: &State) -> fmt::Result {
    let plays = matches!(state.phase, Phase::Playing | Phase::Extension | Phase::Shootout);
    for side in Side::BOTH {
        let figures = side.of(&state.sides);
        let at_table = plays && state.at_table == Some(side);
        if at_table {
            text.push_str("• ");
        }
        escape(text, &side.of(&document.sides).name);
        if let Some(won) = figures.won {
            write!(text, " [{won}]")?;
        }
        // Racks that count by themselves have no points.
        if document.unit != Unit::Rack || state.sides.iter().any(|side| side.points != 0) {
            write!(text, " {}", figures.points)?;
        }
        if let Some(points) = figures.extension {
            write!(text, " · extension {points}")?;
        }
        if let Some(points) = figures.shootout {
            write!(text, " · shootout {points}")?;
        }
        // That of the last inning is none of a shootout.
        if at_table && figures.run > 0 && state.phase != Phase::Shootout {
            write!(text, " (+{})", figures.run)?;
        }
        text.push('\n');
    }
    Words::ENGLISH.write_place(text, document, state)
}

/// As text of a cue: nothing in it is markup, ends the cue or is taken for its times.
fn escape(text: &mut String, value: &str) {
    for c in value.chars().take(NAME_CHARS_MAX).filter(|c| !c.is_control()) {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // Lines of their own, in some readers.
            '\u{2028}' | '\u{2029}' => text.push(' '),
            c => text.push(c),
        }
    }
}
