//! Where an open segment is cut into parts (RFC 8216bis, 3.2: partial segments).
//!
//! Parts are counted from their segment's first sample, in decoding order, or from its start where that is before, behind a hole. So
//! where they lie follows from the media timeline as the segment does. A part is as long as whole frames of the leading track allow: at
//! most the limit, and at least [`FULL_PERCENT`] of it, except for a segment's last one. Where no frame begins in between, since they
//! come unevenly or few of them fit, it is as long as the limit, and its last frame is shown beyond it. So a part may have sound only,
//! where a picture stands or is missing; where it would have nothing at all, the one before lasts longer instead, and the first one begins
//! with the segment.
//!
//! Where a segment's first picture is shown later after its decoding than those that follow, it is shown for less long than it is
//! decoded: no part is given out that ends behind what is shown so far. What follows begins behind the parts that were given out,
//! though its own first picture be shown earlier.
//!
//! A part's audio is what is decoded before the video of the next part. It waits for audio as a segment does, one part
//! at most; audio that is later still goes into a later part of the same segment.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Event, Open, Segmenter};
use crate::media::{Cut, Part, Sample};
use crate::time::MediaTime;

/// How much of the limit a part has at least (RFC 8216bis, 4.4.4.9).
const FULL_PERCENT: u64 = 85;

/// A place between two parts.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// How many samples of the leading track lie before.
    count: usize,
    /// When the part behind it begins, in decoding time.
    at: MediaTime,
}

/// Where a segment ends: its leading track, and what is shown of it.
#[derive(Clone, Copy, Debug)]
struct Close {
    end: MediaTime,
    shown_end: MediaTime,
}

/// The parts of one open segment.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Where parts end that were not given out yet.
    ends: VecDeque<Place>,
    /// Where the part begins that is still open, and the one that is given out next; none: with the segment.
    open: Option<Place>,
    next: Option<Place>,
    /// Nothing more will come.
    closed: Option<Close>,
    /// How many samples were given out, of video and of audio.
    pub(super) given_video: usize,
    pub(super) given_audio: usize,
}

impl Parts {
    /// How many samples of the leading track are in parts that are over.
    pub(super) fn ended(&self) -> usize {
        self.open.map_or(0, |open| open.count)
    }

    /// Looks whether the newest sample of the leading track begins a part.
    fn note(&mut self, leading: &[Sample], begin: MediaTime, limit: u64) {
        let Some((newest, before)) = leading.split_last() else { return };
        let open = self.split(before, begin, newest.dts, limit);
        let len = since(open.at, newest.dts);
        let step = before.last().map_or(0, |last| since(last.dts, newest.dts));
        if is_full(len, limit) && len + step > limit {
            self.end(Place { count: before.len(), at: newest.dts });
        }
    }

    /// The segment, which is as long as this, ends: its last part does, too.
    fn close(&mut self, leading: &[Sample], begin: MediaTime, close: Close, len: u64, limit: u64) {
        // A part that would begin where nothing more is shown belongs to the one before.
        let end = MediaTime(begin.0.saturating_add(len));
        while self.ends.pop_back_if(|place| place.at >= end).is_some() {
            self.open = self.ends.back().copied().or(self.next);
        }
        let open = self.split(leading, begin, close.end.min(end), limit);
        if open.count < leading.len() || open.at < close.end {
            self.end(Place { count: leading.len(), at: close.end });
        }
        self.closed = Some(close);
    }

    /// Ends the parts that are over where what follows these samples begins at `at`; gives where the open one begins.
    fn split(&mut self, before: &[Sample], begin: MediaTime, at: MediaTime, limit: u64) -> Place {
        let mut open = self.open.unwrap_or(Place { count: 0, at: begin });
        while since(open.at, at) > limit {
            // What was before the last one may be enough.
            let last =
                before.last().map(|last| last.dts).filter(|last| is_full(since(open.at, *last), limit));
            open = match last {
                Some(last) => Place { count: before.len().saturating_sub(1), at: last },
                None => Place { count: before.len(), at: MediaTime(open.at.0.saturating_add(limit)) },
            };
            self.end(open);
        }
        open
    }

    fn end(&mut self, place: Place) {
        self.ends.push_back(place);
        self.open = Some(place);
    }
}

fn is_full(len: u64, limit: u64) -> bool {
    len * 100 >= limit * FULL_PERCENT
}

impl Open {
    /// The decoding time at which its first part begins.
    fn begin(&self) -> MediaTime {
        self.leading().first().map_or(self.start, |first| first.dts.min(self.start))
    }

    /// A decoding time of its leading track on its own line, which begins where the segment does.
    pub(super) fn line(&self, at: MediaTime) -> MediaTime {
        MediaTime(self.start.0.saturating_add(since(self.begin(), at)))
    }

    /// The newest sample of its leading track may begin a part.
    pub(super) fn note(&mut self, limit: u64) {
        let begin = self.begin();
        let leading = if self.video.is_empty() { &self.audio } else { &self.video };
        self.parts.note(leading, begin, limit);
    }

    /// Its pictures came from another segment: any of them may begin a part.
    pub(super) fn note_all(&mut self, limit: Option<u64>) {
        let (Some(limit), begin) = (limit, self.begin()) else { return };
        for count in 1..=self.video.len() {
            self.parts.note(self.video.get(..count).unwrap_or_default(), begin, limit);
        }
    }

    /// Up to where parts of it were given out: what follows it begins there at the earliest.
    pub(super) fn listed_end(&self) -> MediaTime {
        self.parts.next.map_or(self.start, |next| self.line(next.at))
    }

    /// Up to where it is shown, as far as is known, where nothing follows it yet. `step` is how long a picture lasts.
    fn shown_so_far(&self, step: u64) -> MediaTime {
        let shown = self.leading().iter().map(Sample::pts).max().unwrap_or(self.start);
        // Those that lead its key frame take none of its time.
        let ahead = self.leading().iter().filter(|sample| sample.leading).count();
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX).saturating_add(1);
        MediaTime(shown.0.saturating_add(step.saturating_mul(ahead)))
    }

    /// Where the part ends that is given out next, and how many of the ends that are: behind those that would hold nothing, as far
    /// as is known. None as long as there is nothing that it would hold.
    fn next_end(&self) -> Option<(usize, Place)> {
        let mut found: Option<(usize, Place)> = None;
        for (nth, next) in self.parts.ends.iter().enumerate() {
            if found.is_some_and(|(_, end)| self.holds(end) && self.adds(end, *next)) {
                break;
            }
            found = Some((nth + 1, *next));
        }
        found.filter(|(_, end)| self.holds(*end) || self.parts.closed.is_some())
    }

    /// Whether a part up to here would hold anything.
    fn holds(&self, end: Place) -> bool {
        let (given, audio) = match self.video.is_empty() {
            true => (self.parts.given_audio, None),
            false => (self.parts.given_video, self.audio.get(self.parts.given_audio)),
        };
        end.count > given || audio.is_some_and(|next| next.dts < end.at)
    }

    /// Whether there is anything between these two ends.
    fn adds(&self, end: Place, next: Place) -> bool {
        let later = self.audio.iter().skip(self.parts.given_audio).rev().find(|sample| sample.dts < next.at);
        next.count > end.count || later.is_some_and(|sample| sample.dts >= end.at)
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
        while let Some((count, end)) = open.next_end() {
            let audio_passed = self.audio_last.is_some_and(|last| last >= end.at);
            let video_passed = self.video_last.is_some_and(|last| since(end.at, last) >= limit);
            if !open.video.is_empty() && self.tracks.audio.is_some() && !audio_passed && !video_passed {
                break;
            }
            // The segment may end before this part does.
            let until = self.open.front().map(|next| next.start);
            if open.line(end.at) > until.unwrap_or_else(|| open.shown_so_far(self.usual_step)) {
                break;
            }
            self.give_part(&mut open, count, end, limit);
        }
        self.open.push_front(open);
    }

    /// Gives out what is left of a segment that is cut: its leading track ends at `end`, and it is shown until `shown_end`.
    pub(super) fn give_last_parts(&mut self, open: &mut Open, end: MediaTime, shown_end: MediaTime) {
        let Some(limit) = self.part_limit else { return };
        let mut parts = core::mem::take(&mut open.parts);
        let (close, len) = (Close { end, shown_end }, since(open.start, shown_end));
        parts.close(open.leading(), open.begin(), close, len, limit);
        open.parts = parts;
        while let Some((count, end)) = open.next_end() {
            self.give_part(open, count, end, limit);
        }
    }

    /// Gives out the oldest part of a segment, which ends at `end`, behind `count` of the ends that are: with its audio before there,
    /// or all that is left where it is the last. What follows the segment is still in `self.open`.
    fn give_part(&mut self, open: &mut Open, count: usize, end: Place, limit: u64) {
        let mut ends = open.parts.ends.drain(..count.min(open.parts.ends.len())).rev().skip(1);
        let before = ends.next();
        drop(ends);
        let first = open.begin();
        let last = open.parts.closed.filter(|_| open.parts.ends.is_empty());
        // A short rest that would hold nothing is not worth a part that is too long.
        let is_empty = |before: &Place| !is_full(since(before.at, end.at), limit) && !open.adds(*before, end);
        let rest = before.filter(|before| last.is_some() && is_empty(before));
        let to_audio = match (open.video.is_empty(), last) {
            (true, _) => end.count,
            (false, Some(_)) => open.audio.len(),
            (false, None) => open.audio.partition_point(|sample| sample.dts < end.at),
        };
        let to_video = if open.video.is_empty() { 0 } else { end.count };
        let video = taken(&open.video, &mut open.parts.given_video, to_video);
        let audio = taken(&open.audio, &mut open.parts.given_audio, to_audio);
        let Some(lead) = video.first().or(audio.first()) else { return };
        let next_audio = open.audio.get(open.parts.given_audio);
        let next_audio = next_audio.or(self.open.iter().find_map(|open| open.audio.first()));
        let audio_end = match (next_audio, audio.last()) {
            (Some(next), _) => next.dts,
            (None, Some(last)) => MediaTime(last.dts.0.saturating_add(self.audio_frame())),
            (None, None) => end.at,
        };
        let of = open.start;
        let line = |at: MediaTime| MediaTime(of.0.saturating_add(since(first, at)));
        let from = open.parts.next.replace(end).map_or(first, |next| next.at);
        let start = line(from);
        let len = since(from, rest.map_or(end.at, |before| before.at));
        // How long the last one is shown may differ by the offsets of its frames: as far as a part may be so long.
        let listed = last.map_or(len, |close| {
            let shown = since(start, close.shown_end);
            if len > limit { shown } else { shown.min(limit) }
        });
        let independent = match open.video.is_empty() {
            true => lead.key,
            false => video.first().is_some_and(|first| first.key),
        };
        // Its last picture lasts up to the next one, wherever that is listed.
        let next = open.leading().get(end.count).map(|next| next.dts);
        let video_end = next.or(open.parts.closed.map(|close| close.end)).unwrap_or(end.at);
        let shown_end = match (next, open.parts.closed) {
            (None, Some(close)) => close.shown_end,
            _ => line(video_end),
        };
        // Where what follows is shown before the last pictures are decoded, they make room.
        let room = u64::try_from(video.len()).unwrap_or(u64::MAX);
        let latest =
            if next.is_none() { MediaTime(shown_end.0.saturating_sub(room)).max(of) } else { shown_end };
        let (begin, shown) = match video.first().map(|first| line(first.dts).min(latest)) {
            Some(begin) => (begin, since(begin, shown_end)),
            None => (start, listed),
        };
        let ticks = |span: u64| u32::try_from(span).unwrap_or(u32::MAX).max(1);
        let cut = Cut {
            start: begin,
            duration: ticks(shown),
            discontinuity: open.discontinuity,
            tracks: self.tracks.clone(),
            video,
            audio,
            video_end,
            audio_end,
        };
        let part = Part { of, start, duration: ticks(listed), cut, independent };
        self.events.push_back(Event::Part(Box::new(part)));
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
