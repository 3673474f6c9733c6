//! Renditions and their groups (RFC 8216bis, 4.4.6.1 and 4.4.6.2.1).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use super::super::attributes;
use super::super::rule::{Findings, quoted};
use super::super::rules;
use super::{Kind, Multivariant, Rendition};

/// What corresponding members of groups may differ in.
const OF_ITS_ENCODING: &[&str] =
    &["URI", "CHANNELS", "BIT-DEPTH", "STABLE-RENDITION-ID", "INSTREAM-ID", "SAMPLE-RATE"];

/// What tells members that are selected by themselves apart.
const OF_SELECTION: &[&str] = &["LANGUAGE", "ASSOC-LANGUAGE", "FORCED", "CHARACTERISTICS"];

type Groups<'a> = BTreeMap<(Kind, &'a str), Vec<&'a Rendition>>;

pub(super) fn check(playlist: &Multivariant, found: &mut Findings) {
    let mut groups: Groups<'_> = BTreeMap::new();
    for rendition in &playlist.renditions {
        of_rendition(rendition, found);
        groups.entry((rendition.kind, &rendition.group)).or_default().push(rendition);
    }
    for members in groups.values() {
        of_group(members, found);
    }
    alike(&groups, found);
    named(playlist, &groups, found);
    captions(playlist, found);
}

fn of_rendition(rendition: &Rendition, found: &mut Findings) {
    let (line, kind, name) = (rendition.line, rendition.kind, quoted(&rendition.name));
    match (kind, rendition.uri.is_some()) {
        (Kind::Subtitles, false) => found.add(&rules::MEDIA_URI, line, format!("{name} has no URI")),
        (Kind::Captions, true) => found.add(&rules::MEDIA_URI, line, format!("{name} has a URI")),
        _ => {}
    }
    if kind == Kind::Captions && !rendition.get("INSTREAM-ID").is_some_and(is_instream) {
        found.add(&rules::INSTREAM_ID, line, format!("{name} has no such INSTREAM-ID"));
    }
    let of_audio = ["CHANNELS", "BIT-DEPTH", "SAMPLE-RATE"];
    let foreign = of_audio.iter().filter(|_| kind != Kind::Audio).copied();
    for attribute in foreign.chain(["FORCED"].into_iter().filter(|_| kind != Kind::Subtitles)) {
        if rendition.get(attribute).is_some() {
            let seen = format!("{name} of {} has {attribute}", kind.name());
            found.add(&rules::MEDIA_OF_OTHER_TYPE, line, seen);
        }
    }
    if rendition.get("DEFAULT") == Some("YES") && rendition.get("AUTOSELECT") == Some("NO") {
        found.add(&rules::DEFAULT_UNSELECTED, line, format!("{name} has AUTOSELECT=NO"));
    }
    match rendition.get("CHANNELS") {
        None if kind == Kind::Audio => {
            found.add(&rules::CHANNELS_MISSING, line, format!("{name} has no CHANNELS"));
        }
        Some(channels) if kind == Kind::Audio && !is_channels(channels) => {
            let seen = format!("CHANNELS of {name} is {}", quoted(channels));
            found.add_of(&rules::ATTRIBUTE_VALUE, "4.4.6.1", line, seen);
        }
        _ => {}
    }
}

fn is_instream(id: &str) -> bool {
    let service = id.strip_prefix("SERVICE").and_then(attributes::integer);
    matches!(id, "CC1" | "CC2" | "CC3" | "CC4") || service.is_some_and(|service| (1..=63).contains(&service))
}

/// A count, and lists of identifiers behind slashes.
fn is_channels(channels: &str) -> bool {
    let mut parameters = channels.split('/');
    let count = parameters.next().and_then(attributes::integer);
    let sound = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-' || byte == b',';
    count.is_some_and(|count| count > 0)
        && parameters.all(|parameter| !parameter.is_empty() && parameter.bytes().all(sound))
}

fn of_group(members: &[&Rendition], found: &mut Findings) {
    let (mut names, mut selected) = (BTreeSet::new(), BTreeSet::new());
    let mut has_default = false;
    for member in members {
        let name = quoted(&member.name);
        if !names.insert(&*member.name) {
            found.add(&rules::NAME_REPEATED, member.line, format!("{name} comes again in its group"));
        }
        if member.get("DEFAULT") == Some("YES") {
            if has_default {
                let seen = format!("{name} is another default of its group");
                found.add(&rules::DEFAULT_REPEATED, member.line, seen);
            }
            has_default = true;
        }
        if member.get("AUTOSELECT") == Some("YES") {
            let told: Vec<Option<&str>> =
                OF_SELECTION.iter().map(|attribute| member.get(attribute)).collect();
            if !selected.insert(told) {
                let seen = format!("{name} can't be told from another of its group");
                found.add(&rules::AUTOSELECT_ALIKE, member.line, seen);
            }
        }
    }
}

/// Groups of one type have corresponding members.
fn alike(groups: &Groups<'_>, found: &mut Findings) {
    let members = |renditions: &[&Rendition]| {
        let of = |rendition: &Rendition| {
            let kept = rendition.attributes.iter().filter(|(name, _)| !OF_ITS_ENCODING.contains(&&**name));
            let mut kept: Vec<_> = kept.cloned().collect();
            kept.sort_unstable();
            kept
        };
        let mut members: Vec<_> = renditions.iter().map(|rendition| of(rendition)).collect();
        members.sort_unstable();
        members
    };
    let mut first: BTreeMap<Kind, _> = BTreeMap::new();
    for ((kind, group), renditions) in groups {
        let these = members(renditions);
        if *first.entry(*kind).or_insert_with(|| these.clone()) != these {
            let line = renditions.first().map_or(0, |rendition| rendition.line);
            let seen = format!("the group {} of {} has other members", quoted(group), kind.name());
            found.add(&rules::GROUPS_DIFFER, line, seen);
        }
    }
}

/// Variants name groups that there are, and groups are named.
fn named(playlist: &Multivariant, groups: &Groups<'_>, found: &mut Findings) {
    let mut used = BTreeSet::new();
    for variant in &playlist.variants {
        for (kind, group) in &variant.groups {
            used.insert((*kind, &**group));
            if !groups.contains_key(&(*kind, &**group)) {
                let seen = format!("{}={} has no EXT-X-MEDIA", kind.name(), quoted(group));
                found.add(&rules::GROUP_UNKNOWN, variant.line, seen);
            }
        }
    }
    for ((kind, group), members) in groups.iter().filter(|(group, _)| !used.contains(*group)) {
        let line = members.first().map_or(0, |member| member.line);
        let seen = format!("no variant names the group {} of {}", quoted(group), kind.name());
        found.add(&rules::GROUP_UNUSED, line, seen);
    }
}

fn captions(playlist: &Multivariant, found: &mut Findings) {
    let streams = || playlist.variants.iter().filter(|variant| !variant.frames_only);
    if streams().any(|variant| variant.no_captions) {
        for variant in streams().filter(|variant| !variant.no_captions) {
            found.add(&rules::CAPTIONS_NONE, variant.line, "a variant has no CLOSED-CAPTIONS=NONE");
        }
    }
}
