//! Where an open segment is cut into parts (RFC 8216bis, 3.2: partial segments).
//!
//! Parts are counted from their segment's first sample, in decoding order, so that where they lie follows from the media
//! timeline as the segment does. A part is as long as whole frames of the leading track allow: at most the limit, and at
//! least [`FULL_PERCENT`] of it where frames come evenly and several fit, except for a segment's last one. A single frame that
//! lasts longer is a part of its own.
//!
//! A part's audio is what is decoded before the video of the next part. It waits for audio as a segment does, one part
//! at most; audio that is later still goes into a later part of the same segment.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Event, NAME, Open, Segmenter};
use crate::media::{Cut, Part, Sample};
use crate::time::MediaTime;

/// How much of the limit a part has at least (RFC 8216bis, 4.4.4.9).
const FULL_PERCENT: u64 = 85;

/// The parts of one open segment.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Where parts end that were not given out yet: how many samples of the leading track lie before.
    pub(super) ends: VecDeque<usize>,
    /// The first sample of the part that is still open.
    first: usize,
    /// How many samples were given out, of video and of audio.
    pub(super) given_video: usize,
    pub(super) given_audio: usize,
}

impl Parts {
    /// Looks whether the newest sample of the leading track begins a part.
    pub(super) fn note(&mut self, leading: &[Sample], limit: u64) {
        let Some(newest) = leading.len().checked_sub(1) else { return };
        let Some(at) = leading.get(newest).map(|sample| sample.dts) else { return };
        self.split_before_last(leading, newest, at, limit);
        let time = |n: usize| leading.get(n).map_or(at, |sample| sample.dts);
        let len = since(time(self.first), at);
        let step = since(time(newest.saturating_sub(1)), at);
        let full = len * 100 >= limit * FULL_PERCENT;
        if newest > self.first && (len > limit || (full && len + step > limit)) {
            self.ends.push_back(newest);
            self.first = newest;
        }
    }

    /// The segment ends at `end`: its last part does, too.
    pub(super) fn close(&mut self, leading: &[Sample], end: MediaTime, limit: u64) {
        self.split_before_last(leading, leading.len(), end, limit);
        if leading.len() > self.first {
            self.ends.push_back(leading.len());
            self.first = leading.len();
        }
    }

    /// Where the sample before `next` lasted longer than was expected, and so too long for its part, it begins one.
    fn split_before_last(&mut self, leading: &[Sample], next: usize, at: MediaTime, limit: u64) {
        let Some(last) = next.checked_sub(1) else { return };
        let (Some(first), Some(sample)) = (leading.get(self.first), leading.get(last)) else { return };
        if since(first.dts, at) > limit && since(first.dts, sample.dts) >= NAME {
            self.ends.push_back(last);
            self.first = last;
        }
    }
}

impl Segmenter {
    /// Gives out the parts of the oldest segment that are over and have their audio.
    pub(super) fn give_parts(&mut self) {
        let Some(limit) = self.part_limit else { return };
        let told = self.tracks.video.is_some() && self.tracks.audio.is_some() && !self.guessed;
        if !self.cut_in_run && !told {
            return;
        }
        let Some(mut open) = self.open.pop_front() else { return };
        while let Some(end) = open.parts.ends.front().and_then(|end| open.leading().get(*end)) {
            let end = end.dts;
            let audio_passed = self.audio_last.is_some_and(|last| last >= end);
            let video_passed = self.video_last.is_some_and(|last| since(end, last) >= limit);
            if !open.video.is_empty() && self.tracks.audio.is_some() && !audio_passed && !video_passed {
                break;
            }
            self.give_part(&mut open, end, None);
        }
        self.open.push_front(open);
    }

    /// Gives out what is left of a segment that is cut: its leading track ends at `end`, and it is shown until `shown_end`.
    pub(super) fn give_last_parts(&mut self, open: &mut Open, end: MediaTime, shown_end: MediaTime) {
        let Some(limit) = self.part_limit else { return };
        let mut parts = core::mem::take(&mut open.parts);
        parts.close(open.leading(), end, limit);
        open.parts = parts;
        while let Some(next) = open.parts.ends.front() {
            match open.leading().get(*next).map(|sample| sample.dts) {
                Some(end) => self.give_part(open, end, None),
                None => self.give_part(open, end, Some(shown_end)),
            }
        }
    }

    /// Gives out the oldest part of a segment, whose leading track ends at `end`: with its audio before there, or all that
    /// is left where it is the last, which is shown until `shown_end`. What follows the segment is still in `self.open`.
    fn give_part(&mut self, open: &mut Open, end: MediaTime, shown_end: Option<MediaTime>) {
        let (Some(to), Some(first)) = (open.parts.ends.pop_front(), open.leading().first()) else { return };
        let first = first.dts;
        let (to_video, to_audio) = match (open.video.is_empty(), shown_end) {
            (true, _) => (0, to),
            (false, Some(_)) => (to, open.audio.len()),
            (false, None) => (to, open.audio.partition_point(|sample| sample.dts < end)),
        };
        let video = taken(&open.video, &mut open.parts.given_video, to_video);
        let audio = taken(&open.audio, &mut open.parts.given_audio, to_audio);
        let Some(lead) = video.first().or(audio.first()) else { return };
        let next_audio = open.audio.get(open.parts.given_audio);
        let next_audio = next_audio.or(self.open.iter().find_map(|open| open.audio.first()));
        let audio_end = match (next_audio, audio.last()) {
            (Some(next), _) => next.dts,
            (None, Some(last)) => MediaTime(last.dts.0.saturating_add(self.audio_frame())),
            (None, None) => end,
        };
        // On the segment's own line, which begins where its first frame is shown.
        let start = MediaTime(open.start.0.saturating_add(since(first, lead.dts)));
        let duration = shown_end.map_or(since(lead.dts, end), |shown_end| since(start, shown_end));
        let independent = lead.key;
        let cut = Cut {
            start,
            duration: u32::try_from(duration).unwrap_or(u32::MAX).max(1),
            discontinuity: open.discontinuity,
            tracks: self.tracks.clone(),
            video,
            audio,
            video_end: end,
            audio_end,
        };
        self.events.push_back(Event::Part(Box::new(Part { of: open.start, cut, independent })));
    }
}

/// The samples from what was given so far up to `to`, which is given from now on.
fn taken(samples: &[Sample], given: &mut usize, to: usize) -> Vec<Sample> {
    let from = core::mem::replace(given, to.max(*given));
    samples.get(from..*given).unwrap_or_default().to_vec()
}

fn since(earlier: MediaTime, later: MediaTime) -> u64 {
    later.0.saturating_sub(earlier.0)
}
