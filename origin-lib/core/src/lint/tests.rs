//! Each rule has a playlist that passes and one that fails by it alone.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::collections::BTreeSet;
use std::format;

use super::media::Media;
use super::*;

mod bytes;
mod docs;
mod media_cases;
mod multivariant_cases;
mod steps;
mod together;

/// What a mutation of a sound playlist is found by.
struct Case {
    rule: &'static Rule,
    from: &'static str,
    to: &'static str,
}

const fn case(rule: &'static Rule, from: &'static str, to: &'static str) -> Case {
    Case { rule, from, to }
}

fn ids(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

fn sound(text: &str) {
    assert_eq!(read(text.as_bytes(), &Place::default()).findings, [], "{text}");
}

/// Each case breaks a sound playlist in one rule.
fn each_breaks_one_rule(base: &str, cases: &[Case]) {
    sound(base);
    let mut wrong = Vec::new();
    for Case { rule, from, to } in cases {
        assert!(base.contains(from), "{} has nothing to replace: {from}", rule.id);
        let findings = read(base.replacen(from, to, 1).as_bytes(), &Place::default()).findings;
        if ids(&findings) != BTreeSet::from([rule.id]) {
            let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
            wrong.push(format!("{} by {to}: {found:#?}", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn media(text: &str) -> Media {
    read(text.as_bytes(), &Place::default()).playlist.and_then(Playlist::media).unwrap()
}

fn multivariant(text: &str) -> Multivariant {
    read(text.as_bytes(), &Place::default()).playlist.and_then(Playlist::multivariant).unwrap()
}

/// The rules that the tables of all modules break.
fn broken_rules() -> BTreeSet<&'static str> {
    let tables = media_cases::tables().into_iter().chain(multivariant_cases::tables());
    let cases = tables.flat_map(|(_, cases)| cases.iter().map(|case| case.rule.id));
    cases
        .chain(media_cases::OTHERS.iter().map(|rule| rule.id))
        .chain(steps::RULES.iter().map(|rule| rule.id))
        .chain(together::RULES.iter().map(|rule| rule.id))
        .collect()
}

#[test]
fn every_rule_is_broken_by_a_test() {
    // What is fetched is checked where it is fetched.
    let fetched = &rules::ALL[rules::ALL.iter().position(|rule| **rule == rules::UNAVAILABLE).unwrap()..];
    let fetched: BTreeSet<&str> = fetched.iter().map(|rule| rule.id).collect();
    let all: BTreeSet<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(all.len(), rules::ALL.len(), "a rule's name is its own");
    let broken = broken_rules();
    let left: Vec<&&str> = all.difference(&broken).filter(|id| !fetched.contains(**id)).collect();
    assert_eq!(left, Vec::<&&str>::new());
}
