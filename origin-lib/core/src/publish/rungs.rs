//! Rungs in the book: further renditions, which have the source's segments, under the same numbers.
//!
//! A rung is listed behind the source, never ahead of it: of each of the source's segments it has the same, or a gap. So
//! numbers, discontinuities and times are the same in all of a channel's playlists, however late a rung is. It has a gap where
//! it is said that it will have nothing ([`Book::rung_lost`]), where the source is [`RUNG_BEHIND_MAX`] segments ahead of it and
//! it has made nothing, and where what it has made was overtaken for [`GAP_WAIT_SEGMENTS`] segment durations, or
//! is not at any target for far longer than that. Once the channel has ended, what is missing of a rung is waited for as long, and no
//! longer: then the rung is listed as far as the source, and the end is told.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::{Book, GAP_WAIT_SEGMENTS, INITS_KEPT, Init, WAITING_MAX, bit};
use crate::captions::Captions;
use crate::id::RenditionId;
use crate::recording::rate;
use crate::state::{Rendition, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// By how many segments the source may be ahead of what a rung has made.
pub const RUNG_BEHIND_MAX: usize = 6;

/// By how many it may be ahead of what targets have of a rung.
const UNACKED_MAX: usize = 30;

/// One rung of the book.
#[derive(Debug)]
pub(super) struct Rung {
    id: RenditionId,
    /// Each with which slots have it.
    inits: Vec<(Init, u32)>,
    /// What is not listed yet, by where the source's segments start.
    made: BTreeMap<MediaTime, Made>,
    /// What it has in the place of each listed segment of the source, from the first one on.
    listed: VecDeque<Step>,
    /// Something that is no gap was listed.
    is_shown: bool,
    captions: Captions,
    bandwidth_max: u32,
    sum_bits: u64,
    sum_ticks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    init: u16,
    gap: bool,
    on: u32,
}

/// There will be nothing.
const GAP: Step = Step { init: 0, gap: true, on: 0 };

#[derive(Debug)]
pub(super) struct Made {
    init: u16,
    on: u32,
    /// It will never be.
    pub(super) lost: bool,
    /// When a later one was first acknowledged.
    overtaken: Option<UtcMs>,
}

impl Made {
    pub(super) const LOST: Made = Made { init: 0, on: 0, lost: true, overtaken: None };
}

impl Rung {
    pub(super) fn new(id: RenditionId) -> Rung {
        Rung {
            id,
            inits: Vec::new(),
            made: BTreeMap::new(),
            listed: VecDeque::new(),
            is_shown: false,
            captions: Captions::default(),
            bandwidth_max: 0,
            sum_bits: 0,
            sum_ticks: 0,
        }
    }

    pub(super) fn id(&self) -> &RenditionId {
        &self.id
    }

    /// Whether something that is no gap was listed.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// The init segment that says what it is: that of the newest step that is there.
    fn init_told(&self) -> Option<&Init> {
        let newest = self.listed.iter().rfind(|step| !step.gap);
        let listed = newest.and_then(|step| self.inits.get(usize::from(step.init)));
        listed.or_else(|| self.inits.last()).map(|(init, _)| init)
    }

    /// How many of the source's listed segments it has something for, or a gap.
    pub(super) fn listed_len(&self) -> usize {
        self.listed.len()
    }

    /// Whether it is the sound that is played by default.
    pub(super) fn is_default_sound(&self) -> bool {
        let newest = self.inits.last().and_then(|(init, _)| init.sound.as_ref());
        newest.is_some_and(|sound| sound.default)
    }

    /// What it has made in the place of the segment that starts here, and is not listed.
    pub(super) fn made_at(&mut self, start: MediaTime) -> Option<&mut Made> {
        self.made.get_mut(&start)
    }

    fn init_on(&self, init: u16) -> u32 {
        self.inits.get(usize::from(init)).map_or(0, |(_, on)| *on)
    }

    pub(super) fn put(&mut self, start: MediaTime, made: Made) {
        self.made.insert(start, made);
        if self.made.len() > WAITING_MAX {
            self.made.pop_first();
        }
    }

    /// What it has in the place of the source's segment that starts here, where `ahead` more are listed already; `None`
    /// where that may still come.
    fn step(&self, start: MediaTime, ahead: usize, wait_ms: u64, now: UtcMs) -> Option<Step> {
        let Some(made) = self.made.get(&start) else { return (ahead >= RUNG_BEHIND_MAX).then_some(GAP) };
        if made.lost {
            Some(GAP)
        } else if made.on & self.init_on(made.init) != 0 {
            Some(Step { init: made.init, gap: false, on: made.on })
        } else {
            let late = made.overtaken.is_some_and(|since| now.ms_since(since) >= wait_ms);
            (late || ahead >= UNACKED_MAX).then_some(GAP)
        }
    }

    /// Whether what it has in the place of this segment was listed already.
    fn has_passed(&self, start: MediaTime, source: &VecDeque<Segment>) -> bool {
        self.listed
            .len()
            .checked_sub(1)
            .and_then(|last| source.get(last))
            .is_some_and(|last| start <= last.start)
    }

    /// The first segment of the source's window left it.
    pub(super) fn leave_first(&mut self) {
        self.listed.pop_front();
        let first = self.listed.iter().find(|step| !step.gap).map_or(0, |step| step.init);
        if usize::from(first) < INITS_KEPT {
            return;
        }
        self.inits.drain(..usize::from(first));
        self.made.values_mut().for_each(|made| made.init = made.init.saturating_sub(first));
        self.listed.iter_mut().for_each(|step| step.init = step.init.saturating_sub(first));
    }

    /// What this slot has is of no use any more.
    pub(super) fn forget(&mut self, bit: u32) {
        self.inits.iter_mut().for_each(|(_, on)| *on &= !bit);
        self.made.values_mut().for_each(|made| made.on &= !bit);
        self.listed.iter_mut().for_each(|step| step.on &= !bit);
    }
}

/// How many segments are listed behind the one at `at`, of the configured length: where key frames make them shorter, no rung is
/// given up any sooner.
fn ahead_of(listed: &VecDeque<Segment>, at: usize, segment: MediaSpan) -> usize {
    let Some((of, newest)) = listed.get(at).zip(listed.back()) else { return 0 };
    let lag = ((newest.start - of.start).0 + segment.0 / 2) / segment.0.max(1);
    usize::try_from(lag).unwrap_or(0).min(listed.len() - at - 1)
}

impl Book {
    pub(super) fn rung(&mut self, id: &RenditionId) -> Option<&mut Rung> {
        self.rungs.iter_mut().find(|rung| rung.id == *id)
    }

    /// Segments of a rung from here on need this init segment. Rungs that are not the channel's are ignored, here and below.
    pub fn rung_init(&mut self, id: &RenditionId, init: Init) {
        let Some(rung) = self.rung(id) else { return };
        if rung.inits.last().is_none_or(|(last, _)| *last != init) && rung.inits.len() < usize::from(u16::MAX)
        {
            rung.inits.push((init, 0));
        }
    }

    /// A rung has made what it has in the place of the source's segment that starts here; it waits for its acknowledgement.
    /// `len` is its size in bytes.
    pub fn rung_segment(
        &mut self,
        id: &RenditionId,
        start: MediaTime,
        (duration, captions): (MediaSpan, Captions),
        len: usize,
        now: UtcMs,
    ) {
        let usual = u64::from(self.channel.segment_ms) * 90;
        let Some(rung) = self.rungs.iter_mut().find(|rung| rung.id == *id) else { return };
        let Some(init) = rung.inits.len().checked_sub(1).and_then(|at| u16::try_from(at).ok()) else {
            return;
        };
        let (bits, ticks) = (len as u64 * 8, u64::try_from(duration.0).unwrap_or(0).max(1));
        (rung.sum_bits, rung.sum_ticks) = (rung.sum_bits + bits, rung.sum_ticks + ticks);
        if ticks * 2 >= usual {
            rung.bandwidth_max = rung.bandwidth_max.max(rate(bits, ticks));
        }
        rung.captions.add(captions);
        rung.put(start, Made { init, on: 0, lost: false, overtaken: None });
        if rung.has_passed(start, &self.listed) {
            self.rung_gaps.push((id.clone(), start));
        }
        self.advance(now);
    }

    /// What rungs have made and was listed as a gap since the last call: it stays one.
    pub fn take_rung_gaps(&mut self) -> Vec<(RenditionId, MediaTime)> {
        core::mem::take(&mut self.rung_gaps)
    }

    /// A rung will have nothing in the place of the source's segment that starts here: a gap.
    pub fn rung_lost(&mut self, id: &RenditionId, start: MediaTime, now: UtcMs) {
        let Some(rung) = self.rung(id) else { return };
        if !rung.made.contains_key(&start) {
            rung.put(start, Made::LOST);
        }
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged an init segment of a rung.
    pub fn ack_rung_init(&mut self, slot: usize, id: &RenditionId, name: &str, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        let Some(rung) = self.rung(id) else { return };
        for (_, on) in rung.inits.iter_mut().filter(|(init, _)| init.name == name) {
            *on |= bit;
        }
        self.changed = true;
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged what a rung has in the place of the segment that starts here.
    pub fn ack_rung(&mut self, slot: usize, id: &RenditionId, start: MediaTime, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        let at = self.listed.binary_search_by_key(&start, |segment| segment.start);
        let Some(rung) = self.rung(id) else { return };
        if let Some(made) = rung.made.get_mut(&start) {
            made.on |= bit;
            for (_, earlier) in rung.made.range_mut(..start) {
                earlier.overtaken.get_or_insert(now);
            }
        } else if let Some(step) = at.ok().and_then(|at| rung.listed.get_mut(at)) {
            step.on |= bit;
            self.changed = true;
        }
        self.advance(now);
    }

    /// Whether a rung's playlist needs the first segment of the source's window, to be no shorter than `least`.
    pub(super) fn rung_needs_first(&self, least: i64) -> bool {
        self.rungs.iter().filter(|rung| rung.is_shown).any(|rung| {
            let newest_first = self.listed.range(1..rung.listed.len().max(1)).rev();
            let sums = newest_first.scan(0, |sum: &mut i64, segment| {
                *sum += segment.duration.0;
                Some(*sum)
            });
            !sums.into_iter().any(|sum| sum >= least)
        })
    }

    /// Lists of each rung what may be.
    pub(super) fn advance_rungs(&mut self, now: UtcMs) {
        let wait_ms = GAP_WAIT_SEGMENTS * u64::from(self.channel.segment_ms);
        let over = self.waits.is_over(u64::from(self.channel.segment_ms), now);
        let segment = MediaSpan::from_ms(i64::from(self.channel.segment_ms));
        for rung in &mut self.rungs {
            while let Some(of) = self.listed.get(rung.listed.len()) {
                let ahead = ahead_of(&self.listed, rung.listed.len(), segment);
                let step = rung.step(of.start, ahead, wait_ms, now);
                let Some(mut step) = step.or(over.then_some(GAP)) else { break };
                if step.gap {
                    step.init = rung.listed.back().map_or(0, |last| last.init);
                    if rung.made.get(&of.start).is_some_and(|made| !made.lost) {
                        self.rung_gaps.push((rung.id.clone(), of.start));
                    }
                }
                rung.listed.push_back(step);
                rung.is_shown |= !step.gap;
                // What lies before is of no use any more.
                rung.made = rung.made.split_off(&MediaTime(of.start.0.saturating_add(1)));
                self.changed = true;
            }
        }
    }

    /// Up to where each rung is listed, and which it is.
    pub fn rungs_listed(&self) -> impl Iterator<Item = (&RenditionId, MediaTime)> {
        let next = |rung: &Rung| self.listed.get(rung.listed.len()).map(|segment| segment.start);
        let end = self.listed.back().map_or(MediaTime(0), |last| MediaTime(last.start.0.saturating_add(1)));
        self.rungs.iter().map(move |rung| (&rung.id, next(rung).unwrap_or(end)))
    }

    /// The rungs of which there is anything to see, beside the source.
    pub(super) fn rung_states(&self, source: &Rendition, mask: &impl Fn(u32) -> u32) -> Vec<Rendition> {
        let shown = self.rungs.iter().filter(|rung| rung.is_shown);
        shown.filter_map(|rung| self.rung_state(rung, source, mask)).collect()
    }

    fn rung_state(&self, rung: &Rung, source: &Rendition, mask: &impl Fn(u32) -> u32) -> Option<Rendition> {
        let init = rung.init_told()?;
        let segments = self.listed.iter().zip(&rung.listed).map(|(of, step)| Segment {
            start: of.start,
            duration: of.duration,
            discontinuity: of.discontinuity,
            dependent: of.dependent,
            init: step.init,
            gap: step.gap,
            on: mask(step.on & rung.init_on(step.init)),
            frame: None,
        });
        let average = rate(rung.sum_bits, rung.sum_ticks.max(1));
        Some(Rendition {
            id: rung.id.clone(),
            codecs: init.codecs.clone(),
            bandwidth: rung.bandwidth_max.max(average).max(1),
            average_bandwidth: average,
            width: init.width,
            height: init.height,
            frame_rate_milli: init.frame_rate_milli,
            range: init.range,
            sound: init.sound.clone(),
            captions: rung.captions,
            frames_bandwidth: 0,
            dependent: source.dependent,
            target_duration_s: source.target_duration_s,
            first_msn: source.first_msn,
            discontinuity_sequence: source.discontinuity_sequence,
            inits: rung.inits.iter().map(|(init, _)| init.name.clone()).collect(),
            segments: segments.collect(),
            parts: Vec::new(),
        })
    }
}
