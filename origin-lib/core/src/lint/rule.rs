//! What a rule is, and what is found by it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How much a rule asks for (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Players may do without it.
    Should,
    /// Players may fail without it.
    Must,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Should => "should",
            Severity::Must => "must",
        })
    }
}

/// One rule. All of them are in [`super::rules::ALL`].
#[derive(Debug)]
pub struct Rule {
    /// What it is called: `segment-over-target`.
    pub id: &'static str,
    /// How much it asks for.
    pub severity: Severity,
    /// The section of RFC 8216bis that it is of; empty for a bound of our own.
    pub section: &'static str,
    /// What has to hold.
    pub says: &'static str,
    /// What to do where it does not.
    pub remedy: &'static str,
}

/// Rules have names of their own.
impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

/// Where a rule does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: &'static Rule,
    /// The section, more exact than the rule's where the rule is for many tags.
    pub section: &'static str,
    /// The line of the playlist, from 1; 0 where it is the playlist as a whole.
    pub line: u32,
    /// What was seen, in a clause.
    pub seen: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { id, severity, remedy, .. } = self.rule;
        write!(f, "{severity} {id}")?;
        if !self.section.is_empty() {
            write!(f, " (RFC 8216bis, {})", self.section)?;
        }
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        write!(f, ": {}; {remedy}", self.seen)
    }
}

/// The most findings that are kept of one check: a playlist with more is broken as a whole.
pub const FINDINGS_MAX: usize = 500;

/// The longest piece of a playlist that a finding quotes, in characters.
const QUOTE_CHARS_MAX: usize = 80;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, rule: &'static Rule, line: u32, seen: impl Into<String>) {
        self.add_of(rule, rule.section, line, seen);
    }

    /// With the section of the tag that it is about.
    pub(super) fn add_of(
        &mut self,
        rule: &'static Rule,
        section: &'static str,
        line: u32,
        seen: impl Into<String>,
    ) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(Finding { rule, section, line, seen: seen.into() });
        }
    }
}

/// A piece of a playlist as a finding quotes it: bounded, and in one line.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    alloc::format!("{short:?}{dots}")
}
