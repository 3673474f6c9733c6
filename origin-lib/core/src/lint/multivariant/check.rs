//! What has to hold within one multivariant playlist.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use super::super::attributes::Nanos;
use super::super::check::version;
use super::super::rule::{Findings, quoted};
use super::super::rules;
use super::{Multivariant, Variant, groups};

/// The codecs of video (RFC 6381 and the registry of MP4).
const VIDEO: &[&str] =
    &["avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "dav1", "av01", "vp09", "vvc1", "mp4v"];

pub(in crate::lint) fn check(playlist: &Multivariant, found: &mut Findings) {
    version(playlist.version, playlist.needs, found);
    for variant in &playlist.variants {
        of_variant(variant, found);
    }
    scores(playlist, found);
    groups::check(playlist, found);
    session(playlist, found);
    steering(playlist, found);
}

fn of_variant(variant: &Variant, found: &mut Findings) {
    let line = variant.line;
    let rates = variant.average_bandwidth.zip(variant.bandwidth);
    if let Some((average, peak)) = rates.filter(|(average, peak)| average > peak) {
        found.add(&rules::AVERAGE_OVER_PEAK, line, format!("the average is {average} and the peak {peak}"));
    }
    let Some(codecs) = &variant.codecs else {
        // Those of I-frames should have it as well, being variants (4.4.6.3).
        found.add(&rules::CODECS_MISSING, line, "a variant has no CODECS");
        return;
    };
    if !codecs.split(',').all(is_codec) {
        found.add(&rules::CODECS_FORM, line, format!("CODECS is {}", quoted(codecs)));
    }
    let of_video = |codec: &str| VIDEO.iter().any(|video| codec.starts_with(video));
    if !codecs.split(',').any(of_video) {
        return;
    }
    if !variant.has_resolution {
        found.add(&rules::RESOLUTION_MISSING, line, "a variant with video has no RESOLUTION");
    }
    if variant.frame_rate.is_none() && !variant.frames_only {
        found.add(&rules::FRAME_RATE_MISSING, line, "a variant with video has no FRAME-RATE");
    }
}

/// A sample entry's four characters, and what its codec says behind dots.
fn is_codec(codec: &str) -> bool {
    let mut elements = codec.split('.');
    let entry = elements.next().is_some_and(|entry| {
        entry.len() == 4 && entry.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
    entry && elements.all(|element| !element.is_empty() && element.bytes().all(sound))
}

fn scores(playlist: &Multivariant, found: &mut Findings) {
    let without = || playlist.variants.iter().filter(|variant| variant.score.is_none());
    if without().count() < playlist.variants.len() {
        for variant in without() {
            found.add(&rules::SCORE_PARTIAL, variant.line, "a variant has no SCORE, and another has");
        }
    }
    for variant in playlist.variants.iter().filter(|variant| variant.score == Some(Nanos(0))) {
        found.add_of(&rules::ATTRIBUTE_VALUE, "4.4.6.2", variant.line, "SCORE is 0, and not positive");
    }
}

fn session(playlist: &Multivariant, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for data in &playlist.data {
        if data.has_value == data.has_uri {
            let seen = format!("{} has both or neither", quoted(&data.id));
            found.add(&rules::SESSION_DATA_FORM, data.line, seen);
        }
        if !seen.insert((&data.id, &data.language)) {
            found.add(&rules::SESSION_DATA_REPEATED, data.line, format!("{} comes again", quoted(&data.id)));
        }
    }
    let mut seen = BTreeSet::new();
    for (key, line) in playlist.keys.iter().zip(&playlist.key_lines) {
        if !seen.insert(key) {
            found.add(&rules::SESSION_KEY_REPEATED, *line, format!("{} comes again", quoted(&key.uri)));
        }
    }
}

fn steering(playlist: &Multivariant, found: &mut Findings) {
    let sound = |id: &str| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    let mut pathways: BTreeMap<&str, Vec<&Variant>> = BTreeMap::new();
    for variant in &playlist.variants {
        if !sound(&variant.pathway) {
            let seen = format!("PATHWAY-ID is {}", quoted(&variant.pathway));
            found.add(&rules::PATHWAY_FORM, variant.line, seen);
        }
        pathways.entry(&variant.pathway).or_default().push(variant);
    }
    let first =
        playlist.steering.as_ref().and_then(|steering| Some((steering.line, steering.pathway.as_deref()?)));
    if let Some((line, pathway)) = first.filter(|(_, pathway)| !pathways.contains_key(pathway)) {
        found.add(&rules::PATHWAY_UNKNOWN, line, format!("no variant is on {}", quoted(pathway)));
    }
    let mut all = pathways.values().map(|variants| {
        let mut offers: Vec<_> = variants
            .iter()
            .map(|v| (v.frames_only, v.bandwidth, v.codecs.as_deref(), v.stable_id.as_deref()))
            .collect();
        offers.sort_unstable();
        (variants, offers)
    });
    let Some((_, first)) = all.next() else { return };
    for (variants, _) in all.filter(|(_, offers)| *offers != first) {
        if let Some(variant) = variants.first() {
            let seen = format!("the pathway {} has other variants", quoted(&variant.pathway));
            found.add(&rules::PATHWAYS_DIFFER, variant.line, seen);
        }
    }
}
