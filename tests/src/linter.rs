//! Who loads every playlist that an edge makes of what origins tell it, each time that they tell it something, and says where it is
//! not as RFC 8216bis wants it: by itself, beside the load before, and beside the other playlists of its moment.

use std::collections::{BTreeMap, BTreeSet};

use railbird_core::id::{ChannelId, NodeId};
use railbird_core::lint::bytes::{self, Said};
use railbird_core::lint::multivariant::{Kind, Variant};
use railbird_core::lint::presentation::{self, Member};
use railbird_core::lint::{
    self, Finding, Follower, Media, Multivariant, Nanos, Place, Playlist, Rule, delta, ours,
};
use railbird_core::playlist::{self, Wanted};
use railbird_core::state::merge::{Merged, Outcome, merge};
use railbird_core::state::{ChannelState, Phase};
use railbird_core::time::UtcMs;

/// Reads an object by its name, where it is to be had.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// Who loads.
#[derive(Default)]
pub struct Linter {
    channels: BTreeMap<ChannelId, Channel>,
    /// Rules that may be broken.
    expected: Vec<&'static Rule>,
    loads: usize,
}

#[derive(Default)]
struct Channel {
    /// What the edge keeps.
    merged: Option<Merged>,
    followers: BTreeMap<String, Follower>,
    /// Which rules were found broken in which playlist.
    told: BTreeSet<(String, &'static str)>,
}

impl Linter {
    /// One who says nothing of these rules, beside [`ours`].
    pub fn but(expected: &[&'static Rule]) -> Linter {
        Linter { expected: expected.to_vec(), ..Linter::default() }
    }

    /// How many playlists were loaded.
    pub fn loads(&self) -> usize {
        self.loads
    }

    /// Takes what an origin tells at this moment of the edge's clock, and says what is wrong with what viewers get then. Init
    /// segments that can be read are compared with what is said of them.
    pub fn take(&mut self, state: ChannelState, now: UtcMs, read: Read<'_>) -> Vec<String> {
        let channel = self.channels.entry(state.channel.clone()).or_default();
        let had_ended = channel.merged.as_ref().is_some_and(|merged| merged.state.phase == Phase::Ended);
        match merge(channel.merged.clone(), state, now) {
            Ok(Outcome::New(merged) | Outcome::Again(merged, _)) => channel.merged = Some(merged),
            // An edge keeps what it had.
            Ok(Outcome::Old(_)) | Err(_) => return Vec::new(),
        }
        let Some(shown) = channel.merged.clone().map(|merged| merged.shown(now)) else { return Vec::new() };
        if had_ended && shown.phase != Phase::Ended {
            // Another presentation at the same place: who has seen the end of the one before comes anew.
            channel.followers.clear();
        }
        let (loads, found) = channel.load(&shown, read);
        self.loads += loads;
        channel.complaints(&format!("{} revision {}", shown.channel, shown.revision), found, &self.expected)
    }
}

/// In which playlist, what, and its text.
type Found = (String, Finding, String);

impl Channel {
    /// What is said of findings: of each playlist, each rule once.
    fn complaints(&mut self, of: &str, found: Vec<Found>, expected: &[&'static Rule]) -> Vec<String> {
        let unexpected = |finding: &Finding| !expected.contains(&finding.rule) && !ours::is_known(finding);
        let mut out = Vec::new();
        for (uri, finding, text) in found.into_iter().filter(|(_, finding, _)| unexpected(finding)) {
            if self.told.insert((uri.clone(), finding.rule.id)) {
                out.push(format!("{of}: {uri}: {finding}\n{text}"));
            }
        }
        out
    }

    /// Loads what the multivariant playlist names.
    fn load(&mut self, state: &ChannelState, read: Read<'_>) -> (usize, Vec<Found>) {
        // Before that, an edge answers that the channel has not started.
        let begun = state.renditions.iter().any(|rendition| !rendition.segments.is_empty());
        if state.nodes.is_empty() || !begun {
            return (0, Vec::new());
        }
        let order: Vec<NodeId> = state.nodes.iter().map(|node| node.id.clone()).collect();
        let main = playlist::multivariant(state, &order);
        let reading = lint::read(main.as_bytes(), &Place::default());
        let mut found: Vec<Found> = reading
            .findings
            .into_iter()
            .map(|finding| ("main.m3u8".to_string(), finding, main.clone()))
            .collect();
        let Some(multivariant) = reading.playlist.and_then(Playlist::multivariant) else {
            return (1, found);
        };
        let mut loads = 1;
        let named = named(&multivariant);
        for Named { uri, .. } in &named {
            let Some(text) = text(state, uri, Wanted::default()) else { continue };
            loads += 1;
            let follower = self.followers.entry(uri.clone()).or_default();
            let before = follower.last().cloned();
            let findings = follower.load(text.as_bytes(), &Place::default());
            found.extend(findings.into_iter().map(|finding| (uri.clone(), finding, text.clone())));
            let whole = follower.last();
            if let Some((before, whole)) = before.zip(whole).filter(|(before, whole)| may_ask(before, whole))
            {
                let update =
                    self::text(state, uri, Wanted { delta: true, ..Wanted::default() }).unwrap_or_default();
                let findings = updated(&before, whole, &update);
                found.extend(findings.into_iter().map(|finding| (uri.clone(), finding, update.clone())));
            }
        }
        // Of those that do not follow hints.
        if state.preload_hints {
            let wanted = Wanted { parts_at_nodes: true, ..Wanted::default() };
            for Named { uri, .. } in named.iter().filter(|named| !named.is_frames && !named.is_subtitles) {
                let Some(text) = self::text(state, uri, wanted) else { continue };
                loads += 1;
                let uri = format!("{uri}?parts=nodes");
                let findings =
                    self.followers.entry(uri.clone()).or_default().load(text.as_bytes(), &Place::default());
                found.extend(findings.into_iter().map(|finding| (uri.clone(), finding, text.clone())));
            }
        }
        let members: Vec<Member<'_>> = named
            .iter()
            .filter_map(|Named { uri, pathway, is_subtitles, is_frames, .. }| {
                let media = self.followers.get(uri)?.last()?;
                let (is_subtitles, is_frames) = (*is_subtitles, *is_frames);
                Some(Member { uri, pathway, is_subtitles, is_frames, media })
            })
            .collect();
        let together = presentation::check(Some(&multivariant), &members, true);
        found.extend(together.into_iter().map(|finding| ("presentation".to_string(), finding, main.clone())));
        for (member, named) in
            members.iter().filter_map(|member| Some((member, named.iter().find(|n| n.uri == member.uri)?)))
        {
            let newest = member.media.segments.iter().rev().find(|segment| !segment.gap);
            let map = newest.and_then(|segment| segment.applied.map.as_ref());
            // Behind the node's base URL.
            let object = map.and_then(|map| {
                state.nodes.iter().find_map(|node| map.uri.strip_prefix(&*node.url)?.strip_prefix('/'))
            });
            let Some(init) = object.and_then(read) else { continue };
            let findings = match bytes::init(&init) {
                Ok(tracks) => bytes::described(&tracks, &named.said()),
                Err(finding) => vec![finding],
            };
            found.extend(findings.into_iter().map(|finding| (named.uri.clone(), finding, main.clone())));
        }
        (loads, found)
    }
}

/// A media playlist that a multivariant playlist names.
struct Named {
    uri: String,
    pathway: String,
    is_subtitles: bool,
    is_frames: bool,
    codecs: Option<String>,
    resolution: Option<(u64, u64)>,
    alone: bool,
}

impl Named {
    fn of(uri: &str, variant: &Variant, kind: Option<Kind>) -> Named {
        let own = kind.is_none();
        Named {
            uri: uri.to_string(),
            pathway: variant.pathway.clone(),
            is_subtitles: kind == Some(Kind::Subtitles),
            is_frames: own && variant.frames_only,
            codecs: variant.codecs.clone(),
            resolution: variant.resolution.filter(|_| own),
            alone: own && !variant.groups.iter().any(|(kind, _)| *kind == Kind::Audio),
        }
    }

    fn said(&self) -> Said<'_> {
        Said { codecs: self.codecs.as_deref(), resolution: self.resolution, alone: self.alone }
    }
}

/// Each once.
fn named(multivariant: &Multivariant) -> Vec<Named> {
    let variants = multivariant.variants.iter().map(|variant| Named::of(&variant.uri, variant, None));
    let renditions = multivariant.renditions.iter().filter_map(|rendition| {
        let group = |(kind, group): &(Kind, String)| *kind == rendition.kind && *group == rendition.group;
        let variant = multivariant.variants.iter().find(|variant| variant.groups.iter().any(group))?;
        Some(Named::of(rendition.uri.as_deref()?, variant, Some(rendition.kind)))
    });
    let mut seen = BTreeSet::new();
    variants.chain(renditions).filter(|named| seen.insert(named.uri.clone())).collect()
}

/// A media playlist as an edge gives it whose nodes are all well: `score.m3u8`, `{node}/{rendition}.m3u8`, or
/// `{node}/{rendition}.frames.m3u8`.
fn text(state: &ChannelState, uri: &str, wanted: Wanted) -> Option<String> {
    let Some((node, file)) = uri.split_once('/') else { return playlist::subtitles(state, wanted.delta) };
    let (order, name): ([NodeId; 1], _) = ([node.parse().ok()?], file.strip_suffix(".m3u8")?);
    match name.strip_suffix(".frames") {
        Some(name) => playlist::frames(state, &name.parse().ok()?, &order, wanted.delta),
        None => playlist::media(state, &name.parse().ok()?, &order, wanted),
    }
}

/// Whether a player may ask for a delta update over what it had: that is not older than half of the skip boundary (RFC 8216bis,
/// 6.3.7).
fn may_ask(before: &Media, now: &Media) -> bool {
    let until = before.control.as_ref().and_then(|control| control.skip_until);
    let new = now.numbered().filter(|(msn, ..)| *msn >= before.next_msn());
    let lacks = new.fold(Nanos(0), |sum, (.., segment)| sum.plus(segment.duration.unwrap_or_default()));
    until.is_some_and(|until| !before.ended && lacks.times(2) <= until)
}

/// What is wrong with a delta update, or with what was before together with it.
fn updated(before: &Media, whole: &Media, update: &str) -> Vec<Finding> {
    let reading = lint::read(update.as_bytes(), &Place::default());
    let mut findings = reading.findings;
    let Some(update) = reading.playlist.and_then(Playlist::media) else { return findings };
    match delta::apply(before, &update) {
        Ok(together) => findings.extend(delta::compare(&together, whole)),
        Err(finding) => findings.push(finding),
    }
    findings
}

#[cfg(test)]
mod tests;
