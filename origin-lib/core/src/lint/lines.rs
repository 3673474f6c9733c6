//! The lines of a playlist (RFC 8216bis, 4.1): what is text, what is a tag, and what is a URI.

use alloc::format;
use alloc::vec::Vec;

use super::attributes::{self, List};
use super::grammar::{Kind, TAGS, Tag, Value};
use super::rule::{Findings, quoted};
use super::rules;
use crate::time::UtcMs;

/// The longest playlist that is read, in bytes.
pub const LEN_MAX: usize = 8 << 20;

#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u32,
    pub(super) item: Item<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// A known tag; `value` is empty where it has none.
    Tag {
        tag: &'static Tag,
        value: &'a str,
        list: List<'a>,
    },
    Uri(&'a str),
}

/// The tags and URIs of a playlist, each tag checked against the grammar. `None` where it is no text that can be read.
pub(super) fn read<'a>(bytes: &'a [u8], found: &mut Findings) -> Option<Vec<Line<'a>>> {
    if bytes.len() > LEN_MAX {
        found.add(&rules::TOO_LARGE, 0, format!("it has {} bytes", bytes.len()));
        return None;
    }
    let Ok(mut text) = core::str::from_utf8(bytes) else {
        found.add(&rules::NOT_UTF8, 0, "it is not UTF-8");
        return None;
    };
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        found.add(&rules::BYTE_ORDER_MARK, 1, "it begins with a byte order mark");
        text = rest;
    }
    let mut lines = Vec::new();
    for (line, number) in text.split('\n').zip(1..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if number == 1 && line != "#EXTM3U" {
            found.add(&rules::EXTM3U_FIRST, 1, format!("the first line is {}", quoted(line)));
        }
        if line.contains(|c: char| c.is_control() && !(c == '\t' && line.starts_with("#EXT-X-SKIP:"))) {
            found.add(&rules::CONTROL_CHARACTER, number, format!("{} has a control character", quoted(line)));
        }
        if let Some(item) = item(line, number, found) {
            lines.push(Line { number, item });
        }
    }
    once(&lines, found);
    Some(lines)
}

fn item<'a>(line: &'a str, number: u32, found: &mut Findings) -> Option<Item<'a>> {
    if line.is_empty() {
        return None;
    }
    let Some(tag) = line.strip_prefix("#EXT") else {
        let is_comment = line.starts_with('#');
        let spaced = if is_comment { false } else { line.contains(char::is_whitespace) };
        if spaced {
            found.add(&rules::WHITESPACE, number, format!("{} has white space", quoted(line)));
        }
        let line = line.trim();
        return (!is_comment && !line.is_empty()).then_some(Item::Uri(line));
    };
    let (name, value) = match tag.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (tag, None),
    };
    let Some(tag) = TAGS.iter().find(|tag| tag.name.strip_prefix("EXT") == Some(name)) else {
        found.add(&rules::UNKNOWN_TAG, number, format!("{} is not known", quoted(line)));
        return None;
    };
    if value.is_some_and(|value| value.starts_with([' ', '\t']) || value.ends_with([' ', '\t'])) {
        found.add(&rules::WHITESPACE, number, format!("{} has white space", quoted(line)));
    }
    let value_of = value.unwrap_or_default().trim();
    let (sound, expected) = match tag.value {
        Value::Nothing => (value.is_none(), "nothing"),
        Value::Text => (value.is_some(), "a value"),
        Value::Integer => (attributes::integer(value_of).is_some(), "a decimal integer"),
        Value::OneOf(words) => (words.contains(&value_of), "one of the words of its section"),
        Value::Date => (UtcMs::from_iso8601(value_of).is_some(), "a date as 2026-11-20T10:52:00.040Z"),
        Value::List(known) => {
            let list = List::split(value_of, tag, number, found);
            list.check(tag, known, number, found);
            return Some(Item::Tag { tag, value: value_of, list });
        }
    };
    if !sound {
        let seen = format!("{} has {} where {expected} is expected", tag.name, quoted(value_of));
        found.add_of(&rules::TAG_VALUE, tag.section, number, seen);
    }
    Some(Item::Tag { tag, value: value_of, list: List::default() })
}

/// What may come once comes once.
fn once(lines: &[Line<'_>], found: &mut Findings) {
    let mut seen = Vec::new();
    for line in lines {
        let Item::Tag { tag, .. } = &line.item else { continue };
        if !tag.once {
            continue;
        }
        if seen.contains(&tag.name) {
            let again = format!("{} comes again", tag.name);
            found.add_of(&rules::TAG_REPEATED, tag.section, line.number, again);
        }
        seen.push(tag.name);
    }
}

/// Of which kind a playlist is by its tags; `None` where nothing tells, or tags of both kinds are there.
pub(super) fn kind(lines: &[Line<'_>], found: &mut Findings) -> Option<Kind> {
    let of_a_kind = lines.iter().filter_map(|line| match &line.item {
        Item::Tag { tag, .. } if tag.kind != Kind::Any => Some((line.number, *tag)),
        _ => None,
    });
    let mut of_a_kind = of_a_kind.peekable();
    let Some((_, first)) = of_a_kind.peek().copied() else {
        found.add(&rules::NO_PLAYLIST_TAGS, 0, "it has no tag of a media or multivariant playlist");
        return None;
    };
    if let Some((line, other)) = of_a_kind.find(|(_, tag)| tag.kind != first.kind) {
        found.add(&rules::MIXED_PLAYLIST, line, format!("it has {} and {}", first.name, other.name));
        return None;
    }
    Some(first.kind)
}
