//! What several origins say of one channel, merged into the one document that viewers see.
//!
//! Origins number segments by their own count, list nodes in their own order and begin at their own moment; what they
//! agree on is each segment's name and bytes (DESIGN.md, invariant 3). So segments are told apart by the name that their
//! start gives them, and the merged document keeps its own numbers: what a viewer has seen at a media sequence number
//! stays there until it leaves the window, whichever origin speaks next (RFC 8216bis, 6.2.1).
//!
//! Nothing here depends on the order in which pushes arrive, or on all of them arriving: a push that is lost, or is
//! overwritten by another one at the same moment, is made good by the origin's next.

mod line;
mod parts;
mod rungs;
mod voices;

use alloc::vec::Vec;

pub(crate) use line::joins;
use line::{compact, empty, extend, go_on, keep_newest_line, key, span, trim};
use rungs::Told;
use serde::{Deserialize, Serialize};
use voices::bits;
pub use voices::{FRESH_MS, VOICES_MAX, Voice};

use super::{ChannelState, PARTS_HEARD_MS, Phase, Rendition, Shown};
use crate::id::{OriginId, RecordingId, RenditionId};
use crate::scte35;
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// How far ahead of a receiver's clock a revision may be, in milliseconds: four years. An origin counts by milliseconds of UTC
/// and never back, so that one whose clock was once ahead stays ahead. What is further off is no revision, and whoever kept
/// it would take none that follows.
pub const REVISION_AHEAD_MS_MAX: u64 = 4 * 366 * 86_400_000;

/// How many recordings that are over are remembered, so that a late push of one is not taken for news.
const PAST_MAX: usize = 16;

/// That an origin repeats itself is noted at most this often, in milliseconds.
const HEARD_AGAIN_MS: u64 = 5_000;

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
        self.forget_old_parts(now);
        let newest_part = self.newest_part();
        let bits = bits(&said.nodes, &self.state.nodes);
        // RFC 8216bis, 6.2.1: PART-TARGET does not change in a playlist's life. Other parts would be too long for it.
        let parts = self.state.part_ms.is_some() && self.state.part_ms == said.part_ms;
        let spans = said.renditions.iter().map(|rendition| span(&rendition.segments));
        self.widest = spans.fold(self.widest, MediaSpan::max);
        if let Some((source, rungs)) = said.renditions.split_first() {
            self.take_source(source, &bits, closed, parts);
            for rung in rungs {
                self.take_rung(rung, &source.id, &said.origin, &bits, closed, now);
            }
        }
        // Best first, as the origin has them.
        let place = |id: &RenditionId| said.renditions.iter().position(|of| of.id == *id);
        self.state.renditions.sort_by_key(|kept| place(&kept.id).unwrap_or(usize::MAX));
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

    /// Takes over what an origin says of its first rendition.
    fn take_source(&mut self, said: &Rendition, bits: &[u32], closed: bool, parts: bool) {
        let renditions = &mut self.state.renditions;
        let known = renditions.iter().position(|kept| kept.id == said.id);
        if known.is_none() && closed {
            return;
        }
        if known.is_none() {
            renditions.push(empty(said));
        }
        let at = known.unwrap_or(renditions.len() - 1);
        let Some(kept) = renditions.get_mut(at) else { return };
        if known.is_some() && kept.segments.is_empty() {
            go_on(kept, said);
        }
        let listed = kept.segments.last().map(key);
        extend(kept, said, bits, closed, self.widest);
        if parts && !closed {
            parts::extend(kept, said, bits, listed);
        }
        compact(kept);
    }

    /// Takes over what an origin says of a rung, whose segments are those of the rendition `of`.
    fn take_rung(
        &mut self,
        said: &Rendition,
        of: &RenditionId,
        origin: &OriginId,
        bits: &[u32],
        closed: bool,
        now: UtcMs,
    ) {
        let renditions = &mut self.state.renditions;
        let known = renditions.iter().position(|kept| kept.id == said.id);
        if known.is_none() && closed {
            return;
        }
        let mut kept = known.map_or_else(|| empty(said), |at| renditions.remove(at));
        if let Some(source) = renditions.iter().find(|source| source.id == *of) {
            // Where the channel has ended, nothing more comes of any.
            let waits = self.state.phase != Phase::Ended;
            let others = self.voices.iter().filter(|voice| {
                let fresh = now.ms_since(voice.heard) <= FRESH_MS;
                waits && fresh && voice.phase == Phase::Live && voice.origin != *origin
            });
            let told: Vec<&Told> =
                others.flat_map(|voice| &voice.rungs).filter(|told| told.id == said.id).collect();
            rungs::extend(&mut kept, said, source, (bits, &told), known.is_none(), closed);
            if !closed {
                trim(&mut kept, said, self.widest);
            }
        }
        compact(&mut kept);
        // One of which nothing can be listed yet would be a variant without a playlist.
        if known.is_some() || !kept.segments.is_empty() {
            renditions.push(kept);
        }
    }
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

#[cfg(test)]
mod tests;
