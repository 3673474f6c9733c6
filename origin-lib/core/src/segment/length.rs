//! How long segments are: where a key frame begins one, and where one is cut that would last longer than playlists promise.

use alloc::vec::Vec;

use super::parts::Parts;
use super::{NAME, Open, Segmenter};
use crate::media::{Kind, Sample};
use crate::recording::rounded_s;
use crate::time::{MEDIA_HZ, MediaTime};

/// What is longer than this between two pictures is a hole, beyond what a picture lasts, in 1/90000 s: 0.5 s. Less may be filled by
/// pictures that are sent behind the second one and shown before it.
const HOLE: u64 = 45_000;

/// How much later than its segment a first picture may be shown, in 1/90000 s: 3 s. A segment can't tell of more between what its first
/// sample is decoded and shown (`CTS_MS_MAX` in [`crate::timeline`]), and would lie elsewhere than its playlist says.
const LATE_MAX: u64 = 270_000;

/// The longest segment, in seconds, as long as nothing was promised: where key frames are further apart, playlists would promise
/// little, and viewers would be far behind.
pub const UNPROMISED_S_MAX: u32 = 10;

impl Segmenter {
    /// Whether a key frame that is shown at `at` begins a segment behind this one.
    pub(super) fn begins(&self, back: &Open, at: MediaTime) -> bool {
        if self.index(at) > self.index(back.start) {
            return true;
        }
        if back.video.first().is_some_and(|first| !first.key) {
            return at.0 >= back.start.0.saturating_add(NAME);
        }
        let Some(before) = back.video.iter().rfind(|sample| sample.key).map(Sample::pts) else {
            return false;
        };
        let next = at.0.saturating_add(at.0.saturating_sub(before.0));
        self.part_limit.is_some() && at > before && self.is_long(back.start, MediaTime(next))
    }

    /// Whether a segment would last longer than playlists promise by the length that is configured, as that is rounded (RFC
    /// 8216bis, 4.4.3.1).
    pub(super) fn is_long(&self, start: MediaTime, end: MediaTime) -> bool {
        rounded_s(end - start) > self.configured_s()
    }

    /// Whether it would last longer than they do promise, or may.
    fn breaks_promise(&self, start: MediaTime, end: MediaTime) -> bool {
        rounded_s(end - start) > self.promised_s()
    }

    fn promised_s(&self) -> u32 {
        self.target_s.unwrap_or(UNPROMISED_S_MAX).max(self.configured_s())
    }

    fn configured_s(&self) -> u32 {
        self.segment_ms.div_ceil(1000).max(1)
    }

    /// Cuts the newest segment where it would be too long up to a key frame that is shown at `at` and begins another. Whether it ends with
    /// its pictures instead, and what begins there does not continue it: there is a hole between, and no cut among its pictures helps.
    pub(super) fn ends_before_a_hole(&mut self, at: MediaTime) -> bool {
        let Some(back) = self.open.back() else { return false };
        let Some(shown) = back.video.iter().map(Sample::pts).max() else { return false };
        if !self.breaks_promise(back.start, at) {
            return false;
        }
        let is_hole = at.0.saturating_sub(shown.0.saturating_add(self.usual_step)) > HOLE;
        if is_hole && (self.part_limit.is_some() || self.breaks_promise(shown, at)) {
            return true;
        }
        self.keep_short(at, true);
        is_hole && self.open.back().is_some_and(|back| self.breaks_promise(back.start, at))
    }

    /// Where a segment begins behind this one, with a key frame that is shown at `at`. A picture alone, or what may have been given out as
    /// parts, leaves no place for a cut: then what would be too long up to there ends with its pictures, and nothing is lost.
    pub(super) fn start_behind(&self, back: &Open, at: MediaTime) -> MediaTime {
        let shown = back.video.iter().map(Sample::pts).max();
        let shown = shown.filter(|_| self.breaks_promise(back.start, at));
        shown.map_or(at, |shown| self.next_to(back.start, shown).min(at)).max(back.listed_end())
    }

    /// Whether a picture that is shown at `at`, and begins no segment, lies behind a hole that no segment can end or begin in so that both
    /// are short enough. What is open is cut among its pictures where that helps.
    pub(super) fn is_behind_a_hole(&mut self, at: MediaTime) -> bool {
        let Some(shown) = self.shown_before(at) else { return false };
        if self.open.back().is_some_and(|back| self.reaches(back.start, shown, at)) {
            return false;
        }
        // With its last picture alone, a segment reaches furthest.
        if self.part_limit.is_none() && self.reaches(shown, shown, at) {
            self.keep_short(at, true);
        }
        !self.open.back().is_some_and(|back| self.reaches(back.start, shown, at))
    }

    /// Up to where pictures of the newest segment are shown, where it would be too long with one that is shown at `at`.
    fn shown_before(&self, at: MediaTime) -> Option<MediaTime> {
        let end = MediaTime(at.0.saturating_add(self.usual_step));
        let back = self.open.back().filter(|back| self.breaks_promise(back.start, end))?;
        back.video.iter().map(Sample::pts).max()
    }

    /// Whether a segment that begins at `start`, and whose pictures are shown up to `shown`, may have a picture behind it that is shown at
    /// `at`, in itself or in one that begins between them. Where there is no hole, it may.
    fn reaches(&self, start: MediaTime, shown: MediaTime, at: MediaTime) -> bool {
        let end = MediaTime(at.0.saturating_add(self.usual_step));
        let is_hole = end.0.saturating_sub(shown.0) > 2 * self.usual_step + HOLE;
        if !is_hole || !self.breaks_promise(start, end) {
            return true;
        }
        // What was given out as a part ends with its pictures.
        let next = self.next_to(start, shown);
        let promised = MediaTime(start.0.saturating_add(u64::from(self.promised_s()) * u64::from(MEDIA_HZ)));
        let latest = if self.part_limit.is_some() { next } else { next.max(promised) };
        !self.breaks_promise(latest, end) && at.0.saturating_sub(latest.0) <= LATE_MAX
    }

    /// Until when the last picture of a segment is shown where nothing else tells: as long as those before it, as far as the promise goes.
    fn next_to(&self, start: MediaTime, shown: MediaTime) -> MediaTime {
        MediaTime(
            shown.0.saturating_add(self.usual_step).min(self.longest(start).0).max(shown.0.saturating_add(1)),
        )
    }

    /// The latest that a segment may end which begins at `start`.
    fn longest(&self, start: MediaTime) -> MediaTime {
        let promise = u64::from(self.promised_s()) * u64::from(MEDIA_HZ);
        MediaTime(start.0.saturating_add(promise).saturating_add(u64::from(MEDIA_HZ) / 2 - 1))
    }

    /// How long the last picture of a segment is taken to last that nothing follows: as long as the one before it, unless a hole lay between
    /// them and the segment would be too long by that.
    pub(super) fn last_step(&self, open: &Open) -> u64 {
        let shown = open.video.iter().map(Sample::pts).max().unwrap_or(open.start);
        let end = MediaTime(shown.0.saturating_add(self.video_step));
        match self.breaks_promise(open.start, end) {
            true => self.next_to(open.start, shown).0.saturating_sub(shown.0),
            false => self.video_step,
        }
    }

    /// Cuts what is open, which this sample does not go on with: the sound of the run that begins with it, where it is a key frame, which came
    /// ahead of it and is in no part yet. Ahead of another picture, sound belongs nowhere else.
    pub(super) fn finish_before(&mut self, sample: &Sample) -> Vec<Sample> {
        let begins = sample.kind == Kind::Video && sample.key;
        let back = self.open.back_mut().filter(|_| begins);
        let ahead = back.map(|back| back.take_sound_from(sample.pts())).unwrap_or_default();
        self.finish();
        ahead
    }

    /// Begins a run with the sound that came ahead of its picture.
    pub(super) fn begin_run_with(&mut self, start: MediaTime, ahead: Vec<Sample>) {
        self.begin_run(start);
        self.audio_last = ahead.last().map(|last| last.dts).or(self.audio_last);
        if let Some(back) = self.open.back_mut() {
            back.audio = ahead;
        }
    }

    /// Begins a segment where the newest one would be too long with a picture that is shown at `at`, and with those that are sent
    /// behind it and shown before it; or up to there, where that is a key frame which begins one by itself.
    pub(super) fn keep_short(&mut self, at: MediaTime, begins: bool) {
        let end = if begins { at } else { MediaTime(at.0.saturating_add(self.usual_step)) };
        while self.open.back().is_some_and(|back| self.breaks_promise(back.start, end))
            && let Some(mut back) = self.open.pop_back()
        {
            let rest = self.take_rest(&mut back, end);
            let place = if rest.is_none() { self.place_to_cut(&back, at, begins) } else { None };
            self.open.push_back(back);
            if let Some(rest) = rest {
                self.open.push_back(rest);
                continue;
            }
            let Some((place, start)) = place else { return };
            let video = self.open.back_mut().map(|back| back.video.split_off(place));
            self.begin(start);
            if let Some(next) = self.open.back_mut() {
                next.video = video.unwrap_or_default();
                next.note_all(self.part_limit);
            }
        }
    }

    /// Where a segment is cut between key frames, with a picture behind it that is shown at `at`: how many of its pictures stay, and
    /// when the next one is shown. That is what is nearest to the promise; with parts, the end, since what was given out stays. The
    /// picture at `at` is no place where it begins a segment by itself: then, with parts, it is the last place that is in no part yet.
    fn place_to_cut(&self, back: &Open, at: MediaTime, begins: bool) -> Option<(usize, MediaTime)> {
        let promise = u64::from(self.promised_s()) * u64::from(MEDIA_HZ);
        let promised = back.start.0.saturating_add(promise);
        let times = back.video.iter().map(Sample::pts).chain((!begins).then_some(at)).enumerate();
        let (mut shown, mut found) = (back.start, None);
        for (place, time) in times {
            // Behind a picture that is shown later than all before it, there may be others that belong before that one, and none
            // that belongs before those.
            // One stays for the last part, which has what sound is left. What of the others was given out already depends on more than
            // the media.
            if place > back.parts.ended() && time > shown {
                let next = self.next_to(back.start, shown).0;
                let fits = match self.part_limit {
                    None => next <= promised.saturating_add(self.usual_step / 2),
                    Some(_) => begins,
                };
                let is_end = place == back.video.len();
                // It is the next to be shown itself where no other has room before it.
                let is_next = time.0 <= next.saturating_add(self.usual_step / 2);
                let start = if is_next && !self.breaks_promise(back.start, time) {
                    time
                } else if self.part_limit.is_some() {
                    MediaTime(next)
                } else {
                    // A hole that is longer than the promise is in both.
                    let earliest = time.0.saturating_add(self.usual_step).saturating_sub(promise);
                    let earliest = earliest.max(time.0.saturating_sub(LATE_MAX));
                    MediaTime(next.max(earliest.min(promised)))
                };
                let start = start.max(back.listed_end());
                let is_apart = start.0 >= back.start.0.saturating_add(NAME)
                    && (!begins || start.0.saturating_add(NAME) <= at.0);
                if is_apart && (fits || ((is_end || begins) && found.is_none())) {
                    found = Some((place, start));
                }
            }
            shown = shown.max(time);
        }
        found
    }

    /// Where a segment that is shown until `end` is too long: what of it belongs into one of its own, from a key frame on.
    pub(super) fn take_rest(&self, open: &mut Open, end: MediaTime) -> Option<Open> {
        if self.part_limit.is_some() || !self.is_long(open.start, end) {
            return None;
        }
        let later = open.video.iter().enumerate().skip(1);
        let within = MediaTime(open.start.0.saturating_add(NAME))..MediaTime(end.0.saturating_sub(NAME));
        let mut keys = later.filter(|(_, sample)| sample.key && within.contains(&sample.pts()));
        let first = keys.next()?;
        let fits = |(_, sample): &(usize, &Sample)| !self.is_long(open.start, sample.pts());
        let (at, start) = keys.take_while(fits).last().map_or(first, |last| last);
        let start = start.pts();
        let video = open.video.split_off(at);
        let audio = open.audio.split_off(open.audio.partition_point(|sample| sample.dts < start));
        Some(Open { start, discontinuity: false, video, audio, parts: Parts::default() })
    }
}
