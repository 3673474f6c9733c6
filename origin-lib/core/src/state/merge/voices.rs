//! The origins of a channel: what each said last of itself, and where the channel and its nodes stand by all of them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::rungs::Told;
use super::{Merged, newest};
use crate::id::{OriginId, RecordingId, RenditionId};
use crate::state::{ChannelState, NODES_MAX, Node, OUTAGE_FORGIVEN_MS, Outage, Phase};
use crate::time::{MediaTime, UtcMs};

/// An origin that was not heard for this long has no say, in milliseconds: origins repeat themselves every ten seconds.
pub const FRESH_MS: u64 = 15_000;

/// The most origins of a channel; above it, the one that was silent for longest is forgotten.
pub const VOICES_MAX: usize = 8;

/// What an origin said last, apart from its segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    /// Which one.
    pub origin: OriginId,
    /// What it calls the recording.
    pub recording: RecordingId,
    /// The revision of its snapshot.
    pub revision: u64,
    /// When it was heard last, by the receiver's clock.
    pub heard: UtcMs,
    pub(super) phase: Phase,
    nodes: Vec<Node>,
    pub(super) renditions: Vec<RenditionId>,
    /// What it said of each rendition beside the first.
    #[serde(default)]
    pub(super) rungs: Vec<Told>,
    /// Whether it cuts parts; `None` where an earlier version kept this.
    #[serde(default)]
    pub(super) low_latency: Option<bool>,
    /// Where its newest segment starts.
    pub(super) newest: MediaTime,
}

impl Merged {
    /// The origins that were heard of late.
    pub(super) fn fresh(&self, now: UtcMs) -> impl Iterator<Item = &Voice> {
        self.voices.iter().filter(move |voice| now.ms_since(voice.heard) <= FRESH_MS)
    }

    /// Notes what an origin says of itself.
    pub(super) fn hear(&mut self, said: &ChannelState, now: UtcMs) {
        self.voices.retain(|voice| voice.origin != said.origin);
        if self.voices.len() >= VOICES_MAX
            && let Some(silent) =
                (0..self.voices.len()).min_by_key(|at| self.voices.get(*at).map(|v| v.heard))
        {
            self.voices.remove(silent);
        }
        self.voices.push(Voice {
            origin: said.origin.clone(),
            recording: said.recording.clone(),
            revision: said.revision,
            heard: now,
            phase: said.phase,
            nodes: said.nodes.clone(),
            renditions: said.renditions.iter().map(|rendition| rendition.id.clone()).collect(),
            rungs: said.renditions.iter().skip(1).map(Told::of).collect(),
            low_latency: Some(said.part_ms.is_some()),
            newest: newest(said),
        });
        // One order for all, whoever spoke last.
        self.voices.sort_by(|a, b| a.origin.cmp(&b.origin));
    }

    /// Phase and nodes, from what the origins that were heard of late say.
    pub(super) fn settle(&mut self, now: UtcMs) {
        // An origin that ended the channel may leave: only it can take that back.
        let ended = self.voices.iter().any(|voice| voice.phase == Phase::Ended);
        let live = self.fresh(now).any(|voice| voice.phase == Phase::Live);
        let mut nodes: Vec<Node> = Vec::new();
        for said in self.fresh(now).flat_map(|voice| &voice.nodes) {
            if let Some(node) = nodes.iter_mut().find(|node| node.id == said.id) {
                node.up |= said.up;
                node.weight = node.weight.min(said.weight);
                let best = node.probe.into_iter().chain(said.probe);
                node.probe = best.min_by_key(|probe| (probe.staleness_ms, probe.ttfb_ms));
                node.price_micros_per_gb = node.price_micros_per_gb.max(said.price_micros_per_gb);
            } else if nodes.len() < NODES_MAX {
                nodes.push(said.clone());
            }
        }
        for node in &mut nodes {
            let known = self.state.nodes.iter().find(|known| known.id == node.id && known.url == node.url);
            node.outage = known.and_then(|known| outage(known, node, now));
        }
        let bits = bits(&self.state.nodes, &nodes);
        if bits.iter().enumerate().any(|(at, bit)| *bit != 1_u32.checked_shl(at as u32).unwrap_or(0)) {
            for rendition in &mut self.state.renditions {
                let segments = rendition.segments.iter_mut();
                let segments =
                    segments.flat_map(|segment| [&mut segment.on].into_iter().chain(&mut segment.frame));
                let parts = rendition.parts.iter_mut().map(|part| &mut part.on);
                segments.chain(parts).for_each(|on| *on = bits_of(*on, &bits));
            }
        }
        self.state.nodes = nodes;
        self.state.phase = match (ended, live) {
            (true, _) => Phase::Ended,
            (false, true) => Phase::Live,
            (false, false) => Phase::Waiting,
        };
    }
}

/// A node's last outage, with what is said of it now. One that was never well yet has none, and an origin that has just
/// started, and has read nothing back yet, does not know of one.
fn outage(known: &Node, said: &Node, now: UtcMs) -> Option<Outage> {
    let last = known.outage;
    match (known.is_well(), said.is_well()) {
        (true, false) if said.probe.is_some() => {
            let ended = last.and_then(|outage| outage.ended);
            let again = ended.is_some_and(|ended| now.ms_since(ended) < OUTAGE_FORGIVEN_MS);
            let times = last.filter(|_| again).map_or(0, |outage| outage.times);
            Some(Outage { ended: None, times: times.saturating_add(1) })
        }
        (false, true) => last.map(|outage| Outage { ended: outage.ended.or(Some(now)), ..outage }),
        _ => last,
    }
}

/// For each node of `from`, the bit that stands for it in masks over `to`; 0 where it is not there. A node whose URL is
/// another one is another place, which has nothing of what the former had.
pub(super) fn bits(from: &[Node], to: &[Node]) -> Vec<u32> {
    let same = |a: &Node, b: &Node| a.id == b.id && a.url == b.url;
    let bit = |node: &Node| to.iter().position(|other| same(other, node)).map_or(0, |at| 1_u32 << at);
    from.iter().map(bit).collect()
}

pub(super) fn bits_of(on: u32, bits: &[u32]) -> u32 {
    let set = bits.iter().enumerate().filter(|(at, _)| on.checked_shr(*at as u32).unwrap_or(0) & 1 == 1);
    set.fold(0, |mask, (_, bit)| mask | bit)
}
