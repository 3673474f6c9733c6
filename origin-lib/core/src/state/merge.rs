//! What several origins say of one channel, merged into the one document that viewers see.
//!
//! Origins number segments by their own count, list nodes in their own order and begin at their own moment; what they
//! agree on is each segment's name and bytes (DESIGN.md, invariant 3). So segments are told apart by the name that their
//! start gives them, and the merged document keeps its own numbers: what a viewer has seen at a media sequence number
//! stays there until it leaves the window, whichever origin speaks next (RFC 8216bis, 6.2.1).
//!
//! Nothing here depends on the order in which pushes arrive, or on all of them arriving: a push that is lost, or is
//! overwritten by another one at the same moment, is made good by the origin's next.

mod parts;
mod rungs;

use alloc::string::String;
use alloc::vec::Vec;

use rungs::Told;
use serde::{Deserialize, Serialize};

use super::{
    ChannelState, NODES_MAX, Node, OUTAGE_FORGIVEN_MS, Outage, PARTS_HEARD_MS, Phase, Rendition,
    SEGMENTS_MAX, Segment, Shown, frames,
};
use crate::captions::Captions;
use crate::id::{OriginId, RecordingId, RenditionId};
use crate::scte35;
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// An origin that was not heard for this long has no say, in milliseconds: origins repeat themselves every ten seconds.
pub const FRESH_MS: u64 = 15_000;

/// The most origins of a channel; above it, the one that was silent for longest is forgotten.
pub const VOICES_MAX: usize = 8;

/// How far ahead of a receiver's clock a revision may be, in milliseconds: four years. An origin counts by milliseconds of UTC
/// and never back, so that one whose clock was once ahead stays ahead. What is further off is no revision, and whoever kept
/// it would take none that follows.
pub const REVISION_AHEAD_MS_MAX: u64 = 4 * 366 * 86_400_000;

/// How many recordings that are over are remembered, so that a late push of one is not taken for news.
const PAST_MAX: usize = 16;

/// That an origin repeats itself is noted at most this often, in milliseconds.
const HEARD_AGAIN_MS: u64 = 5_000;

/// Segments that are further apart than this, in either direction, don't follow one another without a discontinuity.
const JOINT: MediaSpan = MediaSpan::from_ms(50);

/// The merged document of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// What viewers see. Its `origin` is the one that spoke last, its `recording` what the first origin called it.
    pub state: ChannelState,
    /// What each origin said last.
    pub voices: Vec<Voice>,
    /// Recordings that are over.
    past: Vec<RecordingId>,
    /// The longest window that an origin listed of this recording: a young origin's short one must not cut it.
    widest: MediaSpan,
    /// When a part came that was not known, by the receiver's clock.
    #[serde(default)]
    grown: UtcMs,
}

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
    phase: Phase,
    nodes: Vec<Node>,
    renditions: Vec<RenditionId>,
    /// What it said of each rendition beside the first.
    #[serde(default)]
    rungs: Vec<Told>,
    /// Whether it cuts parts; `None` where an earlier version kept this.
    #[serde(default)]
    low_latency: Option<bool>,
    /// Where its newest segment starts.
    newest: MediaTime,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It says something new: keep this.
    New(Merged),
    /// Its origin repeats itself, which shows that it lives: keep this. The number is the revision that was known.
    Again(Merged, u64),
    /// It is older than what is kept, or of a recording that is over: nothing to do. The number is the revision that is
    /// kept.
    Old(u64),
}

/// Two origins of a channel that can't be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another origin sends this channel with another segment_ms or key_period_s, or one with parts and one without: give both origins the same settings"
)]
pub struct Conflict;

/// Merges a snapshot, which must have passed [`ChannelState::check`], into what is kept. `now` is the receiver's clock.
pub fn merge(kept: Option<Merged>, mut said: ChannelState, now: UtcMs) -> Result<Outcome, Conflict> {
    let turned = said.renditions.iter_mut().map(keep_newest_line).fold(false, |any, turned| any | turned);
    let Some(mut kept) = kept else { return Ok(Outcome::New(Merged::first(said, now))) };
    if let Some(voice) = kept.voices.iter_mut().find(|voice| voice.origin == said.origin) {
        let revision = voice.revision;
        if revision > said.revision
            || (revision == said.revision && now.ms_since(voice.heard) < HEARD_AGAIN_MS)
        {
            return Ok(Outcome::Old(revision));
        }
        if revision == said.revision {
            voice.heard = now;
            kept.settle(now);
            return Ok(Outcome::Again(kept, revision));
        }
    }
    let empty = said.renditions.iter().all(|rendition| rendition.segments.is_empty());
    if kept.past.contains(&said.recording) || (empty && kept.is_over_for(&said)) {
        return Ok(Outcome::Old(kept.state.revision));
    }
    let alone = kept.fresh(now).all(|voice| voice.origin == said.origin);
    let own = kept.voices.iter().find(|voice| voice.origin == said.origin);
    // One that has restarted lists less of its recording until it is acknowledged again: that is no way back.
    let back = own.is_some_and(|own| {
        own.newest > newest(&said)
            && (turned || own.recording != said.recording)
            && went_back(&kept.state, &said)
    });
    let state = &kept.state;
    let same_names = state.segment_ms == said.segment_ms && state.key_period_s == said.key_period_s;
    // With parts, other segments are cut under the same names where key frames are uneven.
    let same_cuts = kept
        .fresh(now)
        .filter(|voice| voice.origin != said.origin)
        .all(|voice| voice.low_latency.is_none_or(|parts| parts == said.part_ms.is_some()));
    if kept.is_over_for(&said) || (alone && (!same_names || back)) {
        kept.begin(&said);
    } else if !same_names || !same_cuts {
        return Err(Conflict);
    }
    kept.take(said, now);
    Ok(Outcome::New(kept))
}

impl Merged {
    fn first(said: ChannelState, now: UtcMs) -> Merged {
        let mut state = said.clone();
        (state.revision, state.phase) = (0, Phase::Waiting);
        state.nodes.clear();
        state.renditions.clear();
        let (voices, past, widest, grown) = Default::default();
        let mut merged = Merged { state, voices, past, widest, grown };
        merged.take(said, now);
        merged
    }

    /// What viewers see at this moment of the receiver's clock: no parts that may be gone at the targets
    /// ([`PARTS_HEARD_MS`]).
    pub fn shown(mut self, now: UtcMs) -> ChannelState {
        self.forget_old_parts(now);
        self.state
    }

    fn forget_old_parts(&mut self, now: UtcMs) {
        if now.ms_since(self.grown) >= PARTS_HEARD_MS {
            self.state.renditions.iter_mut().for_each(|rendition| rendition.parts.clear());
        }
    }

    /// Where the newest part starts.
    fn newest_part(&self) -> Option<MediaTime> {
        let newest = self.state.renditions.iter().filter_map(|rendition| rendition.parts.last());
        newest.map(|part| part.start).max()
    }

    /// The origins that were heard of late.
    fn fresh(&self, now: UtcMs) -> impl Iterator<Item = &Voice> {
        self.voices.iter().filter(move |voice| now.ms_since(voice.heard) <= FRESH_MS)
    }

    /// Whether the channel has ended, and what is said belongs to another, later recording.
    fn is_over_for(&self, said: &ChannelState) -> bool {
        let later = |rendition: &Rendition| {
            let kept = self.state.renditions.iter().find(|kept| kept.id == rendition.id);
            let last = kept.and_then(|kept| kept.segments.last());
            let first = rendition.segments.first();
            last.zip(first).is_none_or(|(last, first)| first.start >= last.end() || joins(last, first))
        };
        self.state.phase == Phase::Ended
            && self.voices.iter().all(|voice| voice.recording != said.recording)
            && said.renditions.iter().all(later)
    }

    /// Leaves what was listed behind. Numbers go on, and the first segment that follows is discontinuous.
    fn begin(&mut self, said: &ChannelState) {
        let over = self.voices.drain(..).map(|voice| voice.recording);
        self.past.extend(over.filter(|recording| *recording != said.recording));
        self.past.drain(..self.past.len().saturating_sub(PAST_MAX));
        self.widest = MediaSpan::default();
        for rendition in &mut self.state.renditions {
            let later = rendition.segments.get(1..).unwrap_or_default();
            let popped = later.iter().filter(|segment| segment.discontinuity).count() as u64;
            rendition.discontinuity_sequence += popped;
            rendition.first_msn += rendition.segments.len() as u64;
            rendition.segments.clear();
            rendition.parts.clear();
            rendition.inits.clear();
        }
        self.state.phase = Phase::Waiting;
        self.state.recording = said.recording.clone();
        self.state.segment_ms = said.segment_ms;
        self.state.key_period_s = said.key_period_s;
        self.state.part_ms = said.part_ms;
        self.state.preload_hints = said.preload_hints;
    }

    fn take(&mut self, said: ChannelState, now: UtcMs) {
        // The scorer may have reached one origin only.
        let revision = |score: &Option<Shown>| score.as_ref().map(|score| score.revision);
        if revision(&said.score) >= revision(&self.state.score) {
            self.state.score.clone_from(&said.score);
        }
        let was_ended = self.state.phase == Phase::Ended;
        self.hear(&said, now);
        self.settle(now);
        // RFC 8216bis, 4.4.3.4: nothing is added behind EXT-X-ENDLIST.
        let closed = was_ended && self.state.phase == Phase::Ended;
        // But a rung may still be behind: the origin that said so has nothing of it. It goes on up to the source's end.
        let source = self.state.renditions.first().filter(|_| closed);
        let ended_at = source.and_then(|source| source.segments.last()).map(key);
        self.forget_old_parts(now);
        let newest_part = self.newest_part();
        let bits = bits(&said.nodes, &self.state.nodes);
        // RFC 8216bis, 6.2.1: PART-TARGET does not change in a playlist's life. Other parts would be too long for it.
        let parts = self.state.part_ms.is_some() && self.state.part_ms == said.part_ms;
        let mut begun: Vec<RenditionId> = Vec::new();
        for (nth, rendition) in said.renditions.iter().enumerate() {
            // Where the channel has ended, nothing more comes of any.
            let waits = nth > 0 && self.state.phase != Phase::Ended;
            let told = self.voices.iter().filter(|voice| {
                let fresh = now.ms_since(voice.heard) <= FRESH_MS;
                waits && fresh && voice.phase == Phase::Live && voice.origin != said.origin
            });
            let told: Vec<Told> =
                told.flat_map(|voice| &voice.rungs).filter(|told| told.id == rendition.id).cloned().collect();
            self.widest = self.widest.max(span(&rendition.segments));
            let known = self.state.renditions.iter_mut().find(|kept| kept.id == rendition.id);
            let listed = known.as_ref().and_then(|kept| kept.segments.last()).map(key);
            let rendition = &*rungs::without_gaps(rendition, listed, &told);
            match known {
                Some(kept) => {
                    if kept.segments.is_empty() {
                        go_on(kept, rendition);
                        begun.push(rendition.id.clone());
                    }
                    match ended_at.filter(|_| nth > 0) {
                        Some(last) => rungs::close(kept, rendition, &bits, last),
                        None => extend(kept, rendition, &bits, closed, self.widest),
                    }
                    if parts && !closed {
                        parts::extend(kept, rendition, &bits);
                    }
                    compact(kept);
                }
                None if closed => {}
                None => {
                    let mut fresh = rendition.clone();
                    fresh.inits.clear();
                    fresh.segments.clear();
                    fresh.parts.clear();
                    extend(&mut fresh, rendition, &bits, false, self.widest);
                    if parts {
                        parts::extend(&mut fresh, rendition, &bits);
                    }
                    compact(&mut fresh);
                    self.state.renditions.push(fresh);
                    begun.push(rendition.id.clone());
                }
            }
        }
        // Best first, as the origin has them.
        let place = |id: &RenditionId| said.renditions.iter().position(|of| of.id == *id);
        self.state.renditions.sort_by_key(|kept| place(&kept.id).unwrap_or(usize::MAX));
        if let [source, others @ ..] = &mut *self.state.renditions {
            others
                .iter_mut()
                .filter(|other| begun.contains(&other.id))
                .for_each(|other| align(source, other));
        }
        if !closed {
            for splice in &said.splices {
                scte35::add(&mut self.state.splices, splice.clone());
            }
        }
        if !self.state.splices.is_empty() {
            let fronts = self.state.renditions.iter().filter_map(|kept| kept.segments.first());
            let from = fronts.map(|first| first.start).min().unwrap_or_default();
            scte35::keep_from(&mut self.state.splices, from);
        }
        if self.newest_part() > newest_part {
            self.grown = now;
        }
        // A ladder that was changed; an origin that has no feed yet says nothing of renditions.
        if !said.renditions.is_empty() && !closed {
            let (voices, renditions) = (&self.voices, &mut self.state.renditions);
            let fresh = || voices.iter().filter(|voice| now.ms_since(voice.heard) <= FRESH_MS);
            renditions.retain(|kept| fresh().any(|voice| voice.renditions.contains(&kept.id)));
        }
        let state = &mut self.state;
        state.origin = said.origin;
        state.title = said.title;
        state.updated = state.updated.max(said.updated);
        state.revision = said.revision.max(state.revision.saturating_add(1));
    }

    /// Notes what an origin says of itself.
    fn hear(&mut self, said: &ChannelState, now: UtcMs) {
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
    fn settle(&mut self, now: UtcMs) {
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

impl Segment {
    /// Where it ends.
    pub fn end(&self) -> MediaTime {
        self.start + self.duration
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

/// Segments are the same where their names are: names count milliseconds.
fn key(segment: &Segment) -> UtcMs {
    segment.start.utc()
}

/// Whether `next` begins where `last` ends.
pub(crate) fn joins(last: &Segment, next: &Segment) -> bool {
    let apart = (next.start - last.end()).0.unsigned_abs();
    apart <= JOINT.0.unsigned_abs()
}

fn span(segments: &[Segment]) -> MediaSpan {
    let ends = segments.first().zip(segments.last());
    ends.map_or(MediaSpan::default(), |(first, last)| last.end() - first.start)
}

/// An origin's own list goes back in time where its clock did, or where a segment was lost and found: what stands before
/// is left out. Says whether it does.
fn keep_newest_line(rendition: &mut Rendition) -> bool {
    let back = rendition.segments.windows(2).rposition(|pair| key(&pair[1]) <= key(&pair[0]));
    if let Some(at) = back {
        rendition.first_msn += at as u64 + 1;
        rendition.segments.drain(..=at);
    }
    back.is_some()
}

fn newest(said: &ChannelState) -> MediaTime {
    let last = said.renditions.iter().filter_map(|rendition| rendition.segments.last());
    last.map(|segment| segment.start).max().unwrap_or_default()
}

/// Whether all that is said lies before what is listed: where the origin itself was further, its clock was set back.
fn went_back(kept: &ChannelState, said: &ChannelState) -> bool {
    let before = |rendition: &Rendition| {
        let kept = kept.renditions.iter().find(|kept| kept.id == rendition.id);
        let first = kept.and_then(|kept| kept.segments.first());
        first.zip(rendition.segments.last()).is_some_and(|(first, last)| key(last) < key(first))
    };
    said.renditions.iter().any(before)
}

/// For each node of `from`, the bit that stands for it in masks over `to`; 0 where it is not there. A node whose URL is
/// another one is another place, which has nothing of what the former had.
fn bits(from: &[Node], to: &[Node]) -> Vec<u32> {
    let same = |a: &Node, b: &Node| a.id == b.id && a.url == b.url;
    let bit = |node: &Node| to.iter().position(|other| same(other, node)).map_or(0, |at| 1_u32 << at);
    from.iter().map(bit).collect()
}

fn bits_of(on: u32, bits: &[u32]) -> u32 {
    let set = bits.iter().enumerate().filter(|(at, _)| on.checked_shr(*at as u32).unwrap_or(0) & 1 == 1);
    set.fold(0, |mask, (_, bit)| mask | bit)
}

/// Takes over what an origin says of a rendition: who has what of the listed segments, and the segments behind them.
/// Target duration and numbers stay what they are.
fn extend(kept: &mut Rendition, said: &Rendition, bits: &[u32], closed: bool, widest: MediaSpan) {
    take_masks(kept, said, bits);
    if closed {
        return;
    }
    kept.captions.add(said.captions);
    kept.frames_bandwidth = kept.frames_bandwidth.max(said.frames_bandwidth);
    append(kept, &said.segments, &said.inits, bits);
    trim(kept, said, widest);
    take_figures(kept, said);
}

/// Who has what of the segments that are listed.
fn take_masks(kept: &mut Rendition, said: &Rendition, bits: &[u32]) {
    for segment in &said.segments {
        let at = kept.segments.binary_search_by_key(&key(segment), key);
        let Some(known) = at.ok().and_then(|at| kept.segments.get_mut(at)) else { continue };
        // A mask speaks of the init segment, too.
        if kept.inits.get(usize::from(known.init)) == said.inits.get(usize::from(segment.init)) {
            known.on |= bits_of(segment.on, bits);
            known.frame = frames::merged(known.frame, segment.frame.map(|on| bits_of(on, bits)));
        }
    }
}

/// How large a rendition is, and what its newest segments are.
fn take_figures(kept: &mut Rendition, said: &Rendition) {
    kept.dependent |= said.dependent;
    kept.bandwidth = kept.bandwidth.max(said.bandwidth);
    kept.average_bandwidth = kept.average_bandwidth.max(said.average_bandwidth);
    let newest = |of: &Rendition| of.segments.last().map(key);
    if newest(said) >= newest(kept) {
        kept.codecs.clone_from(&said.codecs);
        kept.sound.clone_from(&said.sound);
        (kept.width, kept.height) = (said.width, said.height);
        (kept.frame_rate_milli, kept.range) = (said.frame_rate_milli, said.range);
    }
}

/// Numbers for the first segment after all that was listed has left: it is discontinuous, and never below.
fn go_on(kept: &mut Rendition, said: &Rendition) {
    if said.segments.is_empty() {
        return;
    }
    kept.first_msn = kept.first_msn.max(said.first_msn);
    kept.discontinuity_sequence = (kept.discontinuity_sequence + 1).max(said.discontinuity_sequence);
    kept.target_duration_s = said.target_duration_s;
    kept.captions = Captions::default();
    kept.dependent = false;
    kept.bandwidth = 0;
    kept.frames_bandwidth = 0;
    kept.average_bandwidth = 0;
}

/// Numbers of a rendition that begins beside another one: those that the other one has for the same segments.
fn align(source: &Rendition, begun: &mut Rendition) {
    let same =
        begun.segments.iter().enumerate().find_map(|(at, segment)| {
            Some((source.segments.binary_search_by_key(&key(segment), key).ok()?, at))
        });
    let Some((of, at)) = same else { return };
    let broken = |rendition: &Rendition, to: usize| {
        rendition.segments.iter().skip(1).take(to).filter(|segment| segment.discontinuity).count() as u64
    };
    let msn = (source.first_msn + of as u64).saturating_sub(at as u64);
    let sequence = (source.discontinuity_sequence + broken(source, of)).saturating_sub(broken(begun, at));
    begun.first_msn = begun.first_msn.max(msn);
    begun.discontinuity_sequence = begun.discontinuity_sequence.max(sequence);
}

fn append(kept: &mut Rendition, said: &[Segment], inits: &[String], bits: &[u32]) {
    let mut before: Option<&Segment> = None;
    for segment in said {
        let before = before.replace(segment);
        let Some(name) = inits.get(usize::from(segment.init)) else { continue };
        let mut discontinuity = segment.discontinuity;
        if let Some(last) = kept.segments.last().copied() {
            if key(segment) <= key(&last) {
                continue;
            }
            let follows =
                before.is_some_and(|before| key(before) == key(&last) && before.duration == last.duration);
            if !follows {
                // Another origin's cut: what it has of the media that is listed already is left out.
                if segment.start + MediaSpan(segment.duration.0 / 2) < last.end() {
                    continue;
                }
                let same_init = kept.inits.get(usize::from(last.init)) == Some(name);
                discontinuity = !(joins(&last, segment) && same_init);
            }
        }
        let Some(init) = position(&mut kept.inits, name) else { return };
        let frame = segment.frame.map(|on| bits_of(on, bits));
        kept.segments.push(Segment { init, discontinuity, on: bits_of(segment.on, bits), frame, ..*segment });
    }
}

/// The index of an init segment, new ones last; `None` where there are too many for any playlist.
fn position(inits: &mut Vec<String>, name: &String) -> Option<u16> {
    let at = inits.iter().position(|known| known == name).unwrap_or(inits.len());
    if at == inits.len() {
        inits.push(name.clone());
    }
    u16::try_from(at).ok()
}

/// Removes from the front what the origin no longer lists, if its window is no younger than the merged one; and in any
/// case what is further behind than the longest window.
fn trim(kept: &mut Rendition, said: &Rendition, widest: MediaSpan) {
    let (Some(last), Some(front)) = (kept.segments.last().copied(), said.segments.first()) else { return };
    let target = MediaSpan::from_ms(i64::from(kept.target_duration_s) * 1000);
    let grown = span(&said.segments) + target >= widest;
    let leaves = |pair: &[Segment]| {
        (grown && key(&pair[0]) < key(front)) || last.end() - pair[1].start >= widest + target
    };
    let outgrown = kept.segments.len().saturating_sub(SEGMENTS_MAX);
    let popped = kept.segments.windows(2).take_while(|pair| leaves(pair)).count().max(outgrown);
    let fronts = kept.segments.iter().skip(1).take(popped);
    kept.discontinuity_sequence += fronts.filter(|segment| segment.discontinuity).count() as u64;
    kept.first_msn += popped as u64;
    kept.segments.drain(..popped);
    if popped > 0 && kept.frames_bandwidth > 0 {
        frames::give_up_front(kept.segments.iter_mut(), kept.target_duration_s);
    }
}

/// Drops init segments that nothing listed needs.
fn compact(kept: &mut Rendition) {
    let mut inits = Vec::new();
    let segments = kept.segments.iter_mut().map(|segment| &mut segment.init);
    for init in segments.chain(kept.parts.iter_mut().map(|part| &mut part.init)) {
        let name = kept.inits.get(usize::from(*init));
        *init = name.and_then(|name| position(&mut inits, name)).unwrap_or_default();
    }
    kept.inits = inits;
}

#[cfg(test)]
mod tests;
