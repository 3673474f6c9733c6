//! The playlists of one presentation beside each other (RFC 8216bis, 6.2.4 and B.1).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::media::{Key, Media, Mutability, Report};
use super::multivariant::{Kind, Multivariant};
use super::rule::{Finding, Findings, quoted};
use super::rules;
use super::transition::{consolidated, dated, same_control};
use crate::time::UtcMs;

/// A media playlist of a presentation.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its URI as the multivariant playlist has it.
    pub uri: &'a str,
    /// The pathway it is on.
    pub pathway: &'a str,
    /// It has subtitles.
    pub is_subtitles: bool,
    /// It is listed as one of I-frames.
    pub is_frames: bool,
    /// What it lists.
    pub media: &'a Media,
}

/// By how much the dates of the same content may differ, in milliseconds.
const ALIKE_MS: u64 = 100;

/// What is wrong between a presentation's playlists.
///
/// `at_once` says that all of them are of one moment, so that they also have to end alike.
pub fn check(multivariant: Option<&Multivariant>, members: &[Member<'_>], at_once: bool) -> Vec<Finding> {
    let mut found = Findings::default();
    for member in members {
        if let Some(multivariant) = multivariant {
            with_multivariant(multivariant, member, &mut found);
        }
        if member.is_frames != member.media.frames_only {
            let seen = format!("{} is or is not of I-frames, unlike its tag", quoted(member.uri));
            found.add(&rules::RENDITION_KIND, 0, seen);
        }
        if at_once {
            reports(member, members, &mut found);
        }
    }
    let Some((first, others)) = members.split_first() else { return found.0 };
    for other in others {
        pair(first, other, at_once, &mut found);
    }
    found.0
}

/// Where a variant's own peak and the highest one of its sound are together more than its BANDWIDTH. `peak` is the highest bit rate
/// that was seen in the media playlist of a URI, in bits a second.
pub fn peaks(multivariant: &Multivariant, peak: impl Fn(&str) -> Option<u64>) -> Vec<Finding> {
    let mut found = Findings::default();
    for variant in &multivariant.variants {
        let named = |(kind, group): &&(Kind, String)| *kind == Kind::Audio && !group.is_empty();
        let Some((_, group)) = variant.groups.iter().find(named) else { continue };
        let members =
            multivariant.renditions.iter().filter(|of| of.kind == Kind::Audio && of.group == *group);
        let sounds: Vec<&str> = members.filter_map(|of| of.uri.as_deref()).collect();
        // A variant that is one of them is played alone.
        if sounds.contains(&&*variant.uri) {
            continue;
        }
        let sound = sounds.iter().filter_map(|uri| peak(uri)).max();
        let Some((own, sound)) = peak(&variant.uri).zip(sound) else { continue };
        let rate = own.saturating_add(sound);
        if let Some(bandwidth) = variant.bandwidth.filter(|bandwidth| rate > *bandwidth) {
            let uri = quoted(&variant.uri);
            let seen = format!("{uri} and its sound have {rate} bits a second, and BANDWIDTH is {bandwidth}");
            found.add(&rules::OVER_BANDWIDTH, 0, seen);
        }
    }
    found.0
}

fn with_multivariant(multivariant: &Multivariant, member: &Member<'_>, found: &mut Findings) {
    let media = member.media;
    let uri = quoted(member.uri);
    let twice = [
        (multivariant.independent && media.independent, "EXT-X-INDEPENDENT-SEGMENTS"),
        (multivariant.has_start && media.start.is_some(), "EXT-X-START"),
    ];
    for (_, name) in twice.into_iter().filter(|(both, _)| *both) {
        found.add(&rules::TAG_IN_BOTH, 0, format!("{name} is also in {uri}"));
    }
    let what = |key: &Key| (key.method.clone(), key.format.clone(), key.versions.clone());
    let known: BTreeMap<&str, _> = multivariant.keys.iter().map(|key| (&*key.uri, what(key))).collect();
    let mut keys = media.segments.iter().flat_map(|segment| segment.applied.keys());
    let differs = |key: &&Key| known.get(&*key.uri).is_some_and(|known| *known != what(key));
    if let Some(key) = keys.find(differs) {
        found.add(&rules::SESSION_KEY_DIFFERS, 0, format!("{} of {uri}", quoted(&key.uri)));
    }
}

fn pair(one: &Member<'_>, other: &Member<'_>, at_once: bool, found: &mut Findings) {
    let (a, b) = (one.media, other.media);
    let both = format!("{} and {}", quoted(one.uri), quoted(other.uri));
    // Subtitles and I-frames may have another one where they are VOD.
    let may_differ = |member: &Member<'_>| {
        (member.is_subtitles || member.media.frames_only) && member.media.mutability == Some(Mutability::Vod)
    };
    if a.target_s != b.target_s && !may_differ(one) && !may_differ(other) {
        found.add(&rules::RENDITION_TARGET, 0, format!("{both} have {} and {}", a.target(), b.target()));
    }
    let same_age = at_once || (!a.ended && !b.ended);
    if a.mutability != b.mutability && same_age {
        found.add(&rules::RENDITION_TYPE, 0, format!("{both} differ"));
    }
    if same_age && !same_control(a.control.as_ref(), b.control.as_ref()) {
        found.add(&rules::RENDITION_CONTROL, 0, format!("{both} differ"));
    }
    if a.is_dated() != b.is_dated() {
        found.add(&rules::RENDITION_DATES, 0, format!("one of {both} has none"));
    }
    alike(a, b, &both, found);
    ranges(a, b, at_once, &both, found);
}

/// Content of one time is counted alike.
fn alike(a: &Media, b: &Media, both: &str, found: &mut Findings) {
    let of = |media: &Media| {
        let dates = dated(media);
        let numbers = media.numbered().map(|(msn, discontinuity, _)| (msn, discontinuity));
        let dated = dates.into_iter().zip(numbers);
        dated.filter_map(|(date, numbers)| Some((date?, numbers))).collect::<Vec<(UtcMs, (u64, u64))>>()
    };
    let theirs = of(b);
    let mut differ = (None, None);
    for (date, (msn, discontinuity)) in of(a) {
        let at = theirs.partition_point(|(other, _)| other.plus_ms(ALIKE_MS) < date);
        let Some((_, (their_msn, their_discontinuity))) =
            theirs.get(at).filter(|(other, _)| other.ms_since(date) <= ALIKE_MS)
        else {
            continue;
        };
        if discontinuity != *their_discontinuity {
            differ.0.get_or_insert((date, discontinuity, *their_discontinuity));
        }
        if msn != *their_msn {
            differ.1.get_or_insert((date, msn, *their_msn));
        }
    }
    if let Some((date, one, other)) = differ.0 {
        let seen = format!("{both} have {one} and {other} at {}", date.iso8601());
        found.add(&rules::RENDITION_DISCONTINUITY, 0, seen);
    }
    let low_latency = a.has_parts() || b.has_parts();
    if let Some((date, one, other)) = differ.1.filter(|_| low_latency) {
        let seen = format!("{both} have {one} and {other} at {}", date.iso8601());
        found.add(&rules::RENDITION_SEQUENCE, 0, seen);
    }
}

fn ranges(a: &Media, b: &Media, at_once: bool, both: &str, found: &mut Findings) {
    if a.ranges.is_empty() || b.ranges.is_empty() {
        return;
    }
    let (ours, theirs) = (consolidated(a), consolidated(b));
    let common = ours.iter().filter_map(|(id, attributes)| Some((*id, attributes, theirs.get(id)?)));
    let changed = common.filter(|(_, one, other)| {
        let shared = one.iter().filter_map(|(name, value)| Some((value, other.get(name)?)));
        shared.into_iter().any(|(value, other)| value != other) || (at_once && one != other)
    });
    let id = changed.map(|(id, ..)| id).next();
    let missing = || {
        ours.keys().find(|id| !theirs.contains_key(*id)).or(theirs.keys().find(|id| !ours.contains_key(*id)))
    };
    if let Some(id) = id.or_else(|| missing().copied().filter(|_| at_once)) {
        found.add(&rules::RENDITION_RANGES, 0, format!("{both} differ in {}", quoted(id)));
    }
}

/// The number of the last segment or of the one that the last part is of, and the index of that part.
pub fn last_of(media: &Media) -> (u64, Option<u64>) {
    let index = |parts: usize| (parts as u64).checked_sub(1);
    match index(media.tail.len()) {
        Some(part) => (media.next_msn(), Some(part)),
        None => {
            let parts = media.segments.last().map_or(0, |last| last.parts.len());
            (media.next_msn().saturating_sub(1), index(parts))
        }
    }
}

fn reports(member: &Member<'_>, members: &[Member<'_>], found: &mut Findings) {
    if !member.media.has_parts() || member.media.ended {
        return;
    }
    let own = last_of(member.media);
    let others = members.iter().filter(|other| other.uri != member.uri && other.pathway == member.pathway);
    for other in others.filter(|other| !other.is_frames) {
        let is_its = |report: &&Report| is_same(member.uri, &report.uri, other.uri);
        let Some(report) = member.media.reports.iter().find(is_its) else {
            let seen = format!("{} has no report of {}", quoted(member.uri), quoted(other.uri));
            found.add(&rules::RENDITION_UNREPORTED, 0, seen);
            continue;
        };
        let (msn, part) = last_of(other.media);
        let said = (report.msn.unwrap_or(own.0), report.part.or(own.1));
        if said.0 != msn || (part.is_some() && said.1 != part) {
            let seen = format!(
                "{} of {} says {said:?} and not {:?}",
                quoted(&report.uri),
                quoted(member.uri),
                (msn, part)
            );
            found.add(&rules::RENDITION_REPORT, report.line, seen);
        }
    }
}

/// Whether a URI relative to one playlist is that of another; both as one multivariant playlist has them.
fn is_same(from: &str, relative: &str, other: &str) -> bool {
    let path = |uri: &str| String::from(uri.split(['?', '#']).next().unwrap_or_default());
    let (from, other) = (path(from), path(other));
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    let relative = path(relative);
    for piece in relative.split('/') {
        match piece {
            "." => {}
            ".." => {
                folders.pop();
            }
            piece => folders.push(piece),
        }
    }
    folders.join("/") == other
}
