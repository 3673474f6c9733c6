//! What may be listed: a channel's book of segments and acknowledgements, from which its snapshots are made.
//!
//! A segment is listed once a target has acknowledged it and its init segment (DESIGN.md, invariant 2), in order. One
//! that no target has taken while later ones arrived is given up after [`GAP_WAIT_SEGMENTS`] segment durations and
//! becomes a gap for good, since players may have seen it as one. One that has overtaken parts of its own, of which others
//! are listed, is held back for them by its own duration at most.

mod frames;
mod listing;
mod parts;
mod restore;
mod rungs;
mod snapshot;
mod waits;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use frames::Frames;
use listing::Waiting;
pub use listing::{GAP_WAIT_SEGMENTS, Listed};
use parts::Parts;
pub use rungs::RUNG_BEHIND_MAX;
use rungs::Rung;
use serde::{Deserialize, Serialize};
pub use waits::START_WAIT_SEGMENTS;
use waits::Waits;

use crate::captions::Captions;
use crate::id::{ChannelId, OriginId, RecordingId, RenditionId};
use crate::media::VideoRange;
use crate::package;
use crate::recording::{Slots, rate, rounded_s};
use crate::scte35::{self, Splice};
use crate::sound::Sound;
use crate::state::merge::REVISION_AHEAD_MS_MAX;
use crate::state::{ChannelState, NODES_MAX, Node, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// How many segments may wait for their first acknowledgement; the oldest become gaps above it.
pub const WAITING_MAX: usize = 5_000;

/// How far ahead of our clock a receiver's revision may be for us to go above it, in milliseconds. Half of what receivers take:
/// none of them can lead us to where the others take nothing from us.
pub const OUTBID_MS_MAX: u64 = REVISION_AHEAD_MS_MAX / 2;

/// How many init segments that left the window are kept before they are dropped.
const INITS_KEPT: usize = 64;

/// What stays the same for a channel's life.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The channel.
    pub id: ChannelId,
    /// Which origin this is.
    pub origin: OriginId,
    /// The recording that is being made.
    pub recording: RecordingId,
    /// What people call it.
    pub title: String,
    /// Segment duration in milliseconds.
    pub segment_ms: u32,
    /// Key period in seconds.
    pub key_period_s: u32,
    /// The longest part in milliseconds, where the channel is one of low latency.
    pub part_ms: Option<u32>,
    /// Whether its playlists hint at parts, and name them by where the edge leads to them.
    pub preload_hints: bool,
    /// How much is listed, in seconds.
    pub window_s: u32,
    /// No media sequence number is below this one: those of the recording before ended there.
    pub msn_min: u64,
    /// Where viewers read; at most [`NODES_MAX`], further ones are left out. Acknowledgements name them by position, their
    /// slot ([`Book::set_node`]).
    pub nodes: Vec<Node>,
    /// The further renditions that are made, each cut where the source is, best first.
    pub rungs: Vec<RenditionId>,
}

/// What an init segment begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    /// Its object name.
    pub name: String,
    /// RFC 6381 codec strings, comma-separated.
    pub codecs: String,
    /// Width in pixels; 0 for audio only.
    pub width: u16,
    /// Height in pixels; 0 for audio only.
    pub height: u16,
    /// Frames a second × 1000; 0 where unknown.
    pub frame_rate_milli: u32,
    /// The range of light of its pictures.
    #[serde(default, skip_serializing_if = "VideoRange::is_sdr")]
    pub range: VideoRange,
    /// What is to be said of it where it is the sound that goes with other renditions' pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
}

/// A channel's book: the rendition of the feed itself, the source, and its rungs.
#[derive(Debug)]
pub struct Book {
    channel: Channel,
    slots: Slots,
    rendition: RenditionId,
    waits: Waits,
    revision: u64,
    /// The highest revision that a receiver is said to keep.
    bid: u64,
    changed: bool,
    /// Each with which slots have it, and which have the one of key frames that goes with it.
    inits: Vec<(Init, u32, u32)>,
    listed: VecDeque<Segment>,
    /// Listed since the last [`Book::take_listed`].
    newly: Vec<Listed>,
    listed_count: usize,
    waiting: VecDeque<Waiting>,
    parts: Parts,
    /// When a part was listed last, as long as there is any.
    part_listed: Option<UtcMs>,
    first_msn: u64,
    /// Counts from 0: hls.js 1.7 never begins to play where it is in the hundreds of millions, as an epoch index is.
    discontinuity_sequence: u64,
    /// Made of the first segment, and fixed when that is listed: it must never change within a playlist's life (RFC 8216bis, 6.2.1).
    target_duration_s: Option<u32>,
    /// It was made, and fixed, before.
    promised: bool,
    captions: Captions,
    dependent: bool,
    splices: Vec<Splice>,
    frames: Frames,
    rungs: Vec<Rung>,
    /// What a rung has made, and was listed as a gap, since the last [`Book::take_rung_gaps`].
    rung_gaps: Vec<(RenditionId, MediaTime)>,
    bandwidth_max: u32,
    sum_bits: u64,
    sum_ticks: u64,
}

impl Book {
    /// An empty book.
    pub fn new(mut channel: Channel, rendition: RenditionId) -> Book {
        let mut slots = [const { None }; NODES_MAX];
        for (slot, node) in slots.iter_mut().zip(channel.nodes.drain(..)) {
            *slot = Some(node);
        }
        let rungs = channel.rungs.drain(..).map(Rung::new).collect();
        Book {
            first_msn: channel.msn_min,
            channel,
            slots,
            rendition,
            waits: Waits::new(),
            revision: 0,
            bid: 0,
            changed: false,
            inits: Vec::new(),
            listed: VecDeque::new(),
            newly: Vec::new(),
            listed_count: 0,
            waiting: VecDeque::new(),
            parts: Parts::default(),
            part_listed: None,
            discontinuity_sequence: 0,
            target_duration_s: None,
            promised: false,
            captions: Captions::default(),
            dependent: false,
            splices: Vec::new(),
            frames: Frames::default(),
            rungs,
            rung_gaps: Vec::new(),
            bandwidth_max: 0,
            sum_bits: 0,
            sum_ticks: 0,
        }
    }

    /// Segments from here on need this init segment.
    pub fn init(&mut self, init: Init) {
        if self.inits.last().is_none_or(|(last, ..)| *last != init) {
            // An encoder that goes back to earlier parameters makes the same one again: who has it has it still.
            let known = self.inits.iter().rev().find(|(known, ..)| known.name == init.name);
            let (on, frames_on) = known.map_or((0, 0), |(_, on, frames_on)| (*on, *frames_on));
            self.inits.push((init, on, frames_on));
            self.changed = true;
        }
    }

    /// A segment was made; it waits for its acknowledgement. `len` is its size in bytes.
    ///
    /// Ignored before the first [`Book::init`].
    pub fn segment(
        &mut self,
        start: MediaTime,
        duration: MediaSpan,
        discontinuity: bool,
        len: usize,
        now: UtcMs,
    ) {
        let Some(init) = self.inits.len().checked_sub(1).and_then(|at| u16::try_from(at).ok()) else {
            return;
        };
        let ticks = u64::try_from(duration.0).unwrap_or(0).max(1);
        let bits = len as u64 * 8;
        self.sum_bits += bits;
        self.sum_ticks += ticks;
        // RFC 8216bis, 4.4.6.2: the peak is that of half a target duration or more.
        if ticks * 2 >= u64::from(self.channel.segment_ms) * 90 {
            self.bandwidth_max = self.bandwidth_max.max(rate(bits, ticks));
        }
        let configured_s = self.channel.segment_ms.div_ceil(1000).max(1);
        self.target_duration_s.get_or_insert(configured_s.max(rounded_s(duration)));
        let segment = Segment::new(start, duration, init, discontinuity);
        // One that the disk lost is told at once, and so before those that still wait for the disk.
        let at =
            self.waiting.iter().rposition(|waiting| waiting.segment.start <= start).map_or(0, |at| at + 1);
        self.waiting.insert(at, Waiting { segment, overtaken: None, acked: None });
        if self.waiting.len() > WAITING_MAX {
            self.list_first(true);
        }
        self.advance(now);
    }

    /// The segment that starts here begins with a picture that refers to some before it: it has no key frame to give out. Whether
    /// it is the first one.
    pub fn depends(&mut self, start: MediaTime) -> bool {
        let first = !core::mem::replace(&mut self.dependent, true);
        self.changed |= first;
        if let Some(segment) = self.segment_at(start) {
            (segment.dependent, segment.frame) = (true, Some(0));
        }
        first
    }

    /// `EXT-X-TARGETDURATION`, in seconds, once a segment was made: no later one may be longer. Only what was made before it was
    /// heard of may raise it, up to the first listing.
    pub fn target_s(&self) -> Option<u32> {
        self.target_duration_s
    }

    /// The same, once nothing may raise it any more.
    pub fn promise(&self) -> Option<u32> {
        self.target_duration_s.filter(|_| self.promised || self.listed_count > 0)
    }

    /// The recording goes on with playlists that have made this promise.
    pub fn promised(&mut self, target_s: u32) {
        (self.target_duration_s, self.promised) = (Some(target_s), true);
    }

    /// These closed captions were seen in a segment's pictures.
    pub fn captions(&mut self, seen: Captions) {
        self.changed |= self.captions.add(seen);
    }

    /// This was said of splices during a segment.
    pub fn splices(&mut self, said: &[Splice]) {
        for splice in said {
            self.changed |= scte35::add(&mut self.splices, splice.clone());
        }
        self.splices = self.splices_now();
    }

    /// A part was made, before its segment; it waits for its acknowledgement. Says whether it is of use: one that comes long after its
    /// time is not, and its segment is to be waited for.
    pub fn part(&mut self, part: &package::Part, now: UtcMs) -> bool {
        let late = self.parts.is_late(part, now);
        if late {
            self.changed |= self.parts.listed().next().is_some();
            self.parts.give_up();
            self.parts.hold(Some(part.of));
        } else {
            self.parts.made(part);
        }
        self.advance(now);
        !late
    }

    /// The target of slot `slot` has acknowledged the part that starts here. One that left the list is ignored.
    pub fn ack_part(&mut self, slot: usize, start: MediaTime, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        self.changed |= self.parts.acked(bit, start);
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged an init segment. Unknown names are ignored: they left the window.
    pub fn ack_init(&mut self, slot: usize, name: &str, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        // An encoder that goes back to earlier parameters makes the same init segment again.
        for (_, on, _) in self.inits.iter_mut().filter(|(init, ..)| init.name == name) {
            *on |= bit;
            self.changed = true;
        }
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged the segment that starts here. One that left the window is ignored.
    pub fn ack(&mut self, slot: usize, start: MediaTime, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        if let Ok(at) = self.waiting.binary_search_by_key(&start, |waiting| waiting.segment.start) {
            self.waiting[at].segment.on |= bit;
            self.waiting[at].acked.get_or_insert(now);
            for earlier in self.waiting.iter_mut().take(at) {
                earlier.overtaken.get_or_insert(now);
            }
        } else if let Ok(at) = self.listed.binary_search_by_key(&start, |segment| segment.start) {
            self.listed[at].on |= bit;
            self.changed = true;
        }
        self.advance(now);
    }

    /// Puts a node into a slot, or takes it away with all that its target has acknowledged.
    pub fn set_node(&mut self, slot: usize, node: Option<Node>) {
        let (Some(place), Some(bit)) = (self.slots.get_mut(slot), bit(slot)) else { return };
        if *place == node {
            return;
        }
        if node.is_none() {
            let waiting = self.waiting.iter_mut().map(|waiting| &mut waiting.segment);
            for segment in self.listed.iter_mut().chain(waiting) {
                segment.on &= !bit;
                segment.frame = segment.frame.map(|on| on & !bit);
            }
            self.inits
                .iter_mut()
                .for_each(|(_, on, frames_on)| (*on, *frames_on) = (*on & !bit, *frames_on & !bit));
            self.parts.forget(bit);
            self.rungs.iter_mut().for_each(|rung| rung.forget(bit));
        }
        *place = node;
        self.changed = true;
    }

    /// The nodes, by slot.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// What was listed since the last call, in order.
    pub fn take_listed(&mut self) -> Vec<Listed> {
        core::mem::take(&mut self.newly)
    }

    /// How many segments were listed in all.
    pub fn listed_count(&self) -> usize {
        self.listed_count
    }

    /// The number of the first segment that was ever listed; `None` before that.
    pub fn first_msn(&self) -> Option<u64> {
        let popped = self.listed_count - self.listed.len();
        (self.listed_count > 0).then(|| self.first_msn - popped as u64)
    }

    /// The number that the first segment has, or will have once it is listed; `None` where there is none.
    pub fn begins_at(&self) -> Option<u64> {
        let first = self.waiting.front().map(|first| self.number_of_first(first.segment.start));
        self.first_msn().or(first)
    }

    /// The number behind the last segment, whether that is listed already or waits: where the next recording begins to count.
    pub fn next_msn(&self) -> u64 {
        let first = match self.waiting.front() {
            Some(first) if self.listed.is_empty() => self.number_of_first(first.segment.start),
            _ => self.first_msn,
        };
        first + (self.listed.len() + self.waiting.len()) as u64
    }

    /// Whether a segment of this duration breaks the promise of `EXT-X-TARGETDURATION`: the encoder's key frames are
    /// further apart than they were.
    pub fn is_too_long(&self, duration: MediaSpan) -> bool {
        self.target_duration_s.is_some_and(|target_s| rounded_s(duration) > target_s)
    }

    /// A receiver keeps a snapshot of this revision that it takes to be newer: an earlier run's, made on a clock that was
    /// set back since. Snapshots are above it from now on, unless it is further ahead than [`OUTBID_MS_MAX`].
    pub fn outbid(&mut self, revision: u64) {
        if revision > self.revision.max(self.bid) {
            self.bid = revision;
            self.changed = true;
        }
    }

    /// A new snapshot, where anything changed since the last. None before the first segment is listed: an origin that has just
    /// started must not wipe what the edge knows. The first one waits for rungs, for [`START_WAIT_SEGMENTS`] or so.
    pub fn poll(&mut self, now: UtcMs) -> Option<ChannelState> {
        self.advance(now);
        if self.listed.is_empty() || self.waits_to_begin(now) {
            return None;
        }
        self.waits.told = true;
        core::mem::take(&mut self.changed).then(|| {
            let bid = if self.bid <= now.plus_ms(OUTBID_MS_MAX).0 { self.bid } else { 0 };
            self.revision = now.0.max(self.revision.max(bid).saturating_add(1));
            self.snapshot(now)
        })
    }
}

/// The bit of a slot; `None` where there is no such slot.
fn bit(slot: usize) -> Option<u32> {
    u32::try_from(slot).ok().and_then(|slot| 1_u32.checked_shl(slot))
}

#[cfg(test)]
mod tests;
