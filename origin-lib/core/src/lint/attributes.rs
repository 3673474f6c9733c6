//! Attribute lists (RFC 8216bis, 4.2): split strictly, checked against the grammar, and read by type.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::grammar::{Attribute, Tag, Type};
use super::rule::{Findings, quoted};
use super::rules;
use crate::time::UtcMs;

/// A span of time in nanoseconds: decimal seconds without a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

impl Nanos {
    /// So many whole seconds.
    pub const fn seconds(seconds: u64) -> Nanos {
        Nanos(seconds.saturating_mul(SECOND))
    }

    /// So many milliseconds.
    pub const fn ms(ms: u64) -> Nanos {
        Nanos(ms.saturating_mul(1_000_000))
    }

    /// So many times as long.
    pub const fn times(self, count: u64) -> Nanos {
        Nanos(self.0.saturating_mul(count))
    }

    /// The two together.
    pub const fn plus(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }

    /// Rounded to whole seconds, half of one up.
    pub const fn rounded(self) -> u64 {
        self.0.saturating_add(SECOND / 2) / SECOND
    }
}

impl core::fmt::Display for Nanos {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03} s", self.0 / SECOND, self.0 % SECOND / 1_000_000)
    }
}

/// Reads a decimal-floating-point; digits behind the ninth decimal are cut off.
pub(super) fn decimal(text: &str) -> Option<Nanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos =
        fraction.bytes().chain([b'0'; 9]).take(9).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    whole.parse::<u64>().ok()?.checked_mul(SECOND)?.checked_add(nanos).map(Nanos)
}

/// A signed-decimal-floating-point: whether it is negative, and how far from 0.
pub(super) fn signed(text: &str) -> Option<(bool, Nanos)> {
    match text.strip_prefix('-') {
        Some(rest) => Some((true, decimal(rest)?)),
        None => Some((false, decimal(text)?)),
    }
}

/// A decimal-integer.
pub(super) fn integer(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// `n[@o]`: a length, and where it starts.
pub(super) fn range(text: &str) -> Option<(u64, Option<u64>)> {
    match text.split_once('@') {
        Some((len, start)) => Some((integer(len)?, Some(integer(start)?))),
        None => Some((integer(text)?, None)),
    }
}

/// A decimal-resolution: width and height.
pub(super) fn resolution(text: &str) -> Option<(u64, u64)> {
    let (width, height) = text.split_once('x')?;
    Some((integer(width)?, integer(height)?))
}

/// The digits of a hexadecimal-sequence.
pub(super) fn hex(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let sound = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    (!digits.is_empty() && digits.bytes().all(sound)).then_some(digits)
}

/// The most attributes of one list that are read.
const ATTRIBUTES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

/// The list behind one tag.
#[derive(Clone, Debug, Default)]
pub(super) struct List<'a> {
    pub(super) pairs: Vec<(&'a str, Raw<'a>)>,
}

impl<'a> List<'a> {
    /// Splits a list, as far as it is one. An attribute that comes again is left out.
    pub(super) fn split(text: &'a str, tag: &Tag, line: u32, found: &mut Findings) -> List<'a> {
        let mut list = List::default();
        let mut rest = text;
        loop {
            let room = list.pairs.len() < ATTRIBUTES_MAX;
            let Some((name, raw, behind)) = next(rest).filter(|_| room) else {
                let seen = format!("{} has a list that is none at {}", tag.name, quoted(rest));
                found.add(&rules::ATTRIBUTE_SYNTAX, line, seen);
                return list;
            };
            if list.raw(name).is_some() {
                found.add(&rules::ATTRIBUTE_REPEATED, line, format!("{} has {name} again", tag.name));
            } else {
                list.pairs.push((name, raw));
            }
            match behind {
                Some(behind) => rest = behind,
                None => return list,
            }
        }
    }

    pub(super) fn raw(&self, name: &str) -> Option<Raw<'a>> {
        self.pairs.iter().find(|(known, _)| *known == name).map(|(_, raw)| *raw)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub(super) fn quoted(&self, name: &str) -> Option<&'a str> {
        match self.raw(name)? {
            Raw::Quoted(text) => Some(text),
            Raw::Bare(_) => None,
        }
    }

    pub(super) fn bare(&self, name: &str) -> Option<&'a str> {
        match self.raw(name)? {
            Raw::Bare(text) => Some(text),
            Raw::Quoted(_) => None,
        }
    }

    pub(super) fn yes(&self, name: &str) -> bool {
        self.bare(name) == Some("YES")
    }

    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        integer(self.bare(name)?)
    }

    pub(super) fn decimal(&self, name: &str) -> Option<Nanos> {
        decimal(self.bare(name)?)
    }

    /// Whether each attribute is known, there, and of its type.
    pub(super) fn check(&self, tag: &Tag, known: &[Attribute], line: u32, found: &mut Findings) {
        for attribute in known.iter().filter(|attribute| attribute.required && !self.has(attribute.name)) {
            let seen = format!("{} has no {}", tag.name, attribute.name);
            found.add_of(&rules::ATTRIBUTE_MISSING, tag.section, line, seen);
        }
        for (name, raw) in &self.pairs {
            let wrong = match known.iter().find(|attribute| attribute.name == *name) {
                Some(attribute) => judge(attribute.of, *raw),
                None if tag.name == "EXT-X-DATERANGE" && name.starts_with("X-") => extension(*raw),
                None => {
                    let seen = format!("{} has {}, which is not known", tag.name, quoted(name));
                    found.add_of(&rules::ATTRIBUTE_UNKNOWN, rules::ATTRIBUTE_UNKNOWN.section, line, seen);
                    continue;
                }
            };
            let (Raw::Bare(text) | Raw::Quoted(text)) = *raw;
            let text = quoted(text);
            match wrong {
                None => {}
                Some(Wrong::Type(expected)) => {
                    let seen = format!("{} has {name} {text}, which is not {expected}", tag.name);
                    found.add_of(&rules::ATTRIBUTE_TYPE, tag.section, line, seen);
                }
                Some(Wrong::Value(allowed)) => {
                    let seen = format!("{} has {name} {text}, which is none of {allowed}", tag.name);
                    found.add_of(&rules::ATTRIBUTE_VALUE, tag.section, line, seen);
                }
            }
        }
    }
}

/// The first pair of a list, and what is behind its comma.
fn next(text: &str) -> Option<(&str, Raw<'_>, Option<&str>)> {
    let (name, value) = text.split_once('=')?;
    let named = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(named) {
        return None;
    }
    if let Some(value) = value.strip_prefix('"') {
        let (inner, behind) = value.split_once('"')?;
        let behind = match behind {
            "" => None,
            behind => Some(behind.strip_prefix(',')?),
        };
        return Some((name, Raw::Quoted(inner), behind));
    }
    let (value, behind) = match value.split_once(',') {
        Some((value, behind)) => (value, Some(behind)),
        None => (value, None),
    };
    let sound = !value.is_empty() && !value.contains(['"', ' ', '\t']);
    sound.then_some((name, Raw::Bare(value), behind))
}

enum Wrong {
    Type(&'static str),
    Value(String),
}

/// What is wrong with a value of this type; a reference to a variable may stand for anything in quotes or in digits.
fn judge(of: Type, raw: Raw<'_>) -> Option<Wrong> {
    let refers = |text: &str| text.contains("{$");
    let unless = |sound: bool, expected| (!sound).then_some(Wrong::Type(expected));
    match (of, raw) {
        (Type::Integer, Raw::Bare(text)) => unless(integer(text).is_some(), "a decimal integer"),
        (Type::Integer, _) => Some(Wrong::Type("a decimal integer")),
        (Type::Hex, Raw::Bare(text)) => {
            unless(refers(text) || hex(text).is_some(), "0x and digits of 0-9 and A-F")
        }
        (Type::Hex, _) => Some(Wrong::Type("0x and digits of 0-9 and A-F, without quotes")),
        (Type::Decimal, Raw::Bare(text)) => unless(decimal(text).is_some(), "a decimal number"),
        (Type::Signed, Raw::Bare(text)) => unless(signed(text).is_some(), "a signed decimal number"),
        (Type::Decimal | Type::Signed, _) => Some(Wrong::Type("a decimal number without quotes")),
        (Type::Quoted, Raw::Quoted(text)) => unless(!text.is_empty(), "a text that is not empty"),
        (Type::QuotedOrEmpty | Type::QuotedOrNone, Raw::Quoted(_)) => None,
        (Type::QuotedOrNone, Raw::Bare("NONE")) => None,
        (Type::QuotedOrNone, Raw::Bare(_)) => Some(Wrong::Value("\"…\", NONE".into())),
        (Type::Name(more), Raw::Quoted(text)) => {
            let sound = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            let named = refers(text) || (!text.is_empty() && text.chars().all(sound));
            unless(named, "a name of letters, digits and the marks of its section")
        }
        (Type::Date, Raw::Quoted(text)) => {
            unless(refers(text) || UtcMs::from_iso8601(text).is_some(), "a date as 2026-11-20T10:52:00.040Z")
        }
        (Type::Range, Raw::Quoted(text)) => {
            unless(refers(text) || range(text).is_some(), "a byte range as n@o")
        }
        (Type::SomeOf(words), Raw::Quoted(text)) => {
            let sound = refers(text) || text.split(',').all(|word| words.contains(&word));
            (!sound).then(|| Wrong::Value(words.join(", ")))
        }
        (
            Type::Quoted | Type::QuotedOrEmpty | Type::Name(_) | Type::Date | Type::Range | Type::SomeOf(_),
            Raw::Bare(_),
        ) => Some(Wrong::Type("in quotes")),
        (Type::OneOf(words), Raw::Bare(text)) => {
            (!words.contains(&text)).then(|| Wrong::Value(words.join(", ")))
        }
        (Type::OneOf(_), Raw::Quoted(_)) => Some(Wrong::Type("a word without quotes")),
        (Type::Resolution, Raw::Bare(text)) => unless(resolution(text).is_some(), "a resolution as 1280x720"),
        (Type::Resolution, Raw::Quoted(_)) => Some(Wrong::Type("a resolution without quotes")),
    }
}

/// An attribute of one's own is a quoted string, a hexadecimal sequence or a signed decimal (RFC 8216bis, 4.4.5.1).
fn extension(raw: Raw<'_>) -> Option<Wrong> {
    match raw {
        Raw::Quoted("") => Some(Wrong::Type("a text that is not empty")),
        Raw::Quoted(_) => None,
        Raw::Bare(text) if hex(text).is_some() || signed(text).is_some() => None,
        Raw::Bare(_) => Some(Wrong::Type("a quoted text, a hexadecimal sequence or a number")),
    }
}
