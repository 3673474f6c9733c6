//! What was found, by playlist.

use std::collections::BTreeMap;
use std::fmt;

use railbird_core::lint::{Finding, Severity};
use serde::Serialize;

/// The most entries of a report.
const ENTRIES_MAX: usize = 2000;

/// What is wrong with a presentation.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many playlists were loaded, loads of the same one counted each.
    pub loads: u64,
    /// How many segments were fetched and looked into.
    pub segments: u64,
    /// Each rule that does not hold in a playlist, once.
    pub findings: Vec<Entry>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
}

/// A rule that does not hold.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Which playlist or object, as the presentation names it.
    pub playlist: String,
    /// The rule's id.
    pub rule: &'static str,
    /// `must` or `should`.
    pub severity: &'static str,
    /// The section of RFC 8216bis; empty for a bound of ours.
    pub section: &'static str,
    /// The line where it was first seen; 0 for the whole.
    pub line: u32,
    /// What was seen first.
    pub seen: String,
    /// What to do.
    pub remedy: &'static str,
    /// How often it was seen.
    pub times: u64,
    #[serde(skip)]
    finding: Finding,
}

impl Report {
    pub(super) fn add(&mut self, playlist: &str, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            let known = |entry: &&mut Entry| entry.playlist == playlist && entry.rule == finding.rule.id;
            if let Some(entry) = self.findings.iter_mut().find(known) {
                entry.times += 1;
            } else if self.findings.len() < ENTRIES_MAX {
                self.findings.push(Entry {
                    playlist: playlist.to_string(),
                    rule: finding.rule.id,
                    severity: match finding.rule.severity {
                        Severity::Must => "must",
                        Severity::Should => "should",
                    },
                    section: finding.section,
                    line: finding.line,
                    seen: finding.seen.clone(),
                    remedy: finding.rule.remedy,
                    times: 1,
                    finding,
                });
            }
        }
    }

    /// Says once why something was not looked at.
    pub(super) fn skip(&mut self, what: String) {
        if !self.skipped.contains(&what) && self.skipped.len() < ENTRIES_MAX {
            self.skipped.push(what);
        }
    }

    /// The findings, as the linter gave them.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|entry| &entry.finding)
    }

    /// Only what has to hold.
    pub(super) fn must_only(&mut self) {
        self.findings.retain(|entry| entry.finding.rule.severity == Severity::Must);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_playlist: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.findings {
            by_playlist.entry(&entry.playlist).or_default().push(entry);
        }
        for (playlist, entries) in by_playlist {
            writeln!(f, "{playlist}")?;
            for Entry { finding, times, .. } in entries {
                let again = if *times > 1 { format!(" ({times} times)") } else { String::new() };
                writeln!(f, "  {finding}{again}")?;
            }
        }
        for what in &self.skipped {
            writeln!(f, "not looked at: {what}")?;
        }
        write!(
            f,
            "{} loads of playlists, {} segments: {} rule(s) do not hold",
            self.loads,
            self.segments,
            self.findings.len()
        )
    }
}
