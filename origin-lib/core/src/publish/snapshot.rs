//! Snapshots: what the book lists, as the edge is told it.

use alloc::vec::Vec;

use super::{Book, Init};
use crate::recording::{compact, rate};
use crate::scte35::{self, Splice};
use crate::state::{ChannelState, Part, Rendition, Segment};
use crate::time::{MediaTime, UtcMs};

impl Book {
    /// What was said of splices of what is listed, or of what comes.
    pub(super) fn splices_now(&self) -> Vec<Splice> {
        let mut splices = self.splices.clone();
        if !splices.is_empty() {
            scte35::keep_from(&mut splices, self.listed.front().map_or(MediaTime(0), |first| first.start));
        }
        splices
    }

    pub(super) fn snapshot(&self, now: UtcMs) -> ChannelState {
        let channel = &self.channel;
        let (nodes, mask) = compact(&self.slots);
        let renditions = match self.init_told() {
            Some(init) if !self.listed.is_empty() => {
                let source = self.rendition_state(init, &mask);
                let rungs = self.rung_states(&source, &mask);
                [source].into_iter().chain(rungs).collect()
            }
            _ => Vec::new(),
        };
        ChannelState {
            channel: channel.id.clone(),
            origin: channel.origin.clone(),
            recording: channel.recording.clone(),
            title: channel.title.clone(),
            revision: self.revision,
            updated: now,
            phase: self.phase_told(),
            segment_ms: channel.segment_ms,
            key_period_s: channel.key_period_s,
            part_ms: channel.part_ms,
            preload_hints: channel.preload_hints,
            score: None,
            splices: self.splices_now(),
            nodes,
            renditions,
        }
    }

    /// The init segment that says what it is: that of the newest segment that is listed and there. A track that has changed since is
    /// told with its first segment.
    fn init_told(&self) -> Option<&Init> {
        let newest = self.listed.iter().rfind(|segment| !segment.gap);
        let listed = newest.and_then(|segment| self.inits.get(usize::from(segment.init)));
        listed.or_else(|| self.inits.last()).map(|(init, ..)| init)
    }

    fn rendition_state(&self, init: &Init, mask: &impl Fn(u32) -> u32) -> Rendition {
        // Only the init segments that the window needs.
        let first_init = self.listed.front().map_or(0, |segment| segment.init);
        let inits = self.inits.iter().skip(usize::from(first_init));
        let at = |init: u16| self.inits.get(usize::from(init));
        let on = |init: u16| at(init).map_or(0, |(_, on, _)| *on);
        let frames_on = |init: u16| at(init).map_or(0, |(.., frames_on)| *frames_on);
        let segments = self.listed.iter().map(|segment| Segment {
            init: segment.init - first_init,
            on: mask(segment.on & on(segment.init)),
            frame: segment.frame.map(|frame_on| mask(frame_on & frames_on(segment.init))),
            ..*segment
        });
        let place = |name: &str| {
            let known = self.inits.iter().rposition(|(init, ..)| init.name == name);
            known
                .and_then(|at| u16::try_from(at).ok())
                .and_then(|at| at.checked_sub(first_init).map(|to| (at, to)))
        };
        let mut of = self.listed.back().map(|last| PartsOf::listed(last, self.init_name(last.init)));
        let parts = self.parts.listed().filter_map(|(part, name)| {
            let (at, init) = place(name)?;
            let is_older = of.is_some_and(|of| part.of < of.start);
            let known = if is_older { None } else { Some(&*of.insert(PartsOf::next(of, part, name))) };
            let discontinuity = known.map_or(part.discontinuity, |of| of.discontinuity);
            Some(Part { init, discontinuity, on: mask(part.on & on(at)), ..*part })
        });
        let average = rate(self.sum_bits, self.sum_ticks);
        Rendition {
            id: self.rendition.clone(),
            codecs: init.codecs.clone(),
            // As long as there are short segments only, none of them is a peak by itself.
            bandwidth: self.bandwidth_max.max(average),
            average_bandwidth: average,
            width: init.width,
            height: init.height,
            frame_rate_milli: init.frame_rate_milli,
            range: init.range,
            sound: init.sound.clone(),
            captions: self.captions,
            dependent: self.dependent,
            frames_bandwidth: self.frames.bandwidth_max,
            target_duration_s: self.target_duration_s.unwrap_or(1),
            first_msn: self.first_msn,
            discontinuity_sequence: self.discontinuity_sequence,
            inits: inits.map(|(init, ..)| init.name.clone()).collect(),
            segments: segments.collect(),
            parts: parts.collect(),
        }
    }
}

/// Parts of one segment, as they follow those of the one before, or the last segment that is listed. Of a segment that is not listed
/// yet, they say what it will say itself.
#[derive(Clone, Copy)]
struct PartsOf<'a> {
    start: MediaTime,
    init: &'a str,
    discontinuity: bool,
}

impl<'a> PartsOf<'a> {
    fn listed(segment: &Segment, init: Option<&'a str>) -> PartsOf<'a> {
        let Segment { start, discontinuity, .. } = *segment;
        PartsOf { start, init: init.unwrap_or_default(), discontinuity }
    }

    fn next(before: Option<PartsOf<'a>>, part: &Part, init: &'a str) -> PartsOf<'a> {
        if let Some(before) = before.filter(|before| before.start == part.of) {
            return before;
        }
        let discontinuity = part.discontinuity || before.is_some_and(|before| before.init != init);
        PartsOf { start: part.of, init, discontinuity }
    }
}
