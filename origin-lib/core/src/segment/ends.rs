//! When a segment can get nothing more, and where it ends.

use alloc::boxed::Box;

use super::{AUDIO_WAIT_MS_MAX, AUDIO_WAIT_PARTS_MS_MAX, Event, NAME, Open, PRELUDE_MS_MAX, Segmenter};
use crate::media::{Cut, Sample};
use crate::time::{MEDIA_HZ, MediaTime};

impl Segmenter {
    /// Cuts the segments that can get nothing more.
    pub(super) fn settle(&mut self) {
        let wait_ms = self.part_limit.map_or(AUDIO_WAIT_MS_MAX, |_| AUDIO_WAIT_PARTS_MS_MAX);
        if self.is_prelude() {
            return;
        }
        loop {
            self.give_parts();
            let Some(next) = self.open.get(1) else { return };
            let wait = next.start.0.saturating_add(wait_ms * u64::from(MEDIA_HZ / 1000));
            let audio_passed = self.audio_last.is_some_and(|last| last >= next.start);
            let video_passed = self.video_last.is_some_and(|last| last.0 >= wait);
            if self.tracks.audio.is_some() && !audio_passed && !video_passed {
                return;
            }
            let Some(open) = self.open.pop_front() else { return };
            self.cut(open);
        }
    }

    /// Whether what has come so far is sound, which pictures may still follow.
    fn is_prelude(&self) -> bool {
        let is_first = self.tracks.video.is_none() && self.audio_cut.is_none() && self.part_limit.is_none();
        let until = self.run.0.saturating_add(PRELUDE_MS_MAX * u64::from(MEDIA_HZ / 1000));
        is_first && self.audio_last.is_some_and(|last| last.0 < until)
    }

    /// Writes a segment's ends, for which the segments after it are still in `open`, and gives it out.
    pub(super) fn cut(&mut self, mut open: Open) {
        let start = open.start;
        let step = self.last_step(&open);
        let last = || Some(open.video.iter().map(Sample::pts).max()?.0.saturating_add(step));
        let end = self.open.front().map(|next| next.start).or_else(|| last().map(MediaTime));
        if let Some(rest) = end.and_then(|end| self.take_rest(&mut open, end)) {
            self.open.push_front(rest);
        }
        let next_video = self.open.iter().find_map(|open| open.video.first()).map(|sample| sample.dts);
        let next_audio = self.open.iter().find_map(|open| open.audio.first()).map(|sample| sample.dts);
        let after = |last: Option<&Sample>, step| {
            last.map_or(start, |last| MediaTime(last.dts.0.saturating_add(step)))
        };
        let video_end = next_video.unwrap_or_else(|| after(open.video.last(), step));
        let audio_end = next_audio.unwrap_or_else(|| after(open.audio.last(), self.audio_frame()));
        let shown_end = self.open.front().map_or_else(
            || {
                let last = open.video.iter().map(Sample::pts).max();
                let end = last.map_or(audio_end, |last| MediaTime(last.0.saturating_add(step)));
                // It may begin behind its pictures, where parts of the one before were given out up to there: then it lasts as long as
                // its name tells.
                end.max(open.listed_end()).max(MediaTime(start.0.saturating_add(NAME)))
            },
            |next| next.start,
        );
        let leading_end = if open.video.is_empty() { audio_end } else { video_end };
        self.give_last_parts(&mut open, leading_end, shown_end);
        // Where its last picture lies in its bytes, decoding of what follows is behind it.
        let placed = open.leading().last().map(|last| open.line(last.dts));
        let placed = placed.map(|placed| placed.min(MediaTime(shown_end.0.saturating_sub(1))));
        let Open { discontinuity, video, audio, .. } = open;
        // The ends of this segment may be guesses, so what may follow is measured from its last frames.
        let ends = if video.is_empty() { &audio } else { &video };
        let after = |last: Option<MediaTime>| MediaTime(last.unwrap_or(start).0.saturating_add(1));
        let named = MediaTime(start.0.saturating_add(NAME));
        self.floor = named.max(after(ends.iter().map(Sample::pts).max())).max(after(placed));
        self.decoded = after(ends.last().map(|sample| sample.dts));
        self.audio_cut = audio.last().map(|last| last.dts).or(self.audio_cut);
        self.open_samples = self.open_samples.saturating_sub(video.len() + audio.len());
        for sample in video.iter().chain(&audio) {
            self.open_len = self.open_len.saturating_sub(sample.data.len());
        }
        let cut = Cut {
            start,
            duration: u32::try_from(shown_end.0.saturating_sub(start.0)).unwrap_or(u32::MAX),
            discontinuity,
            tracks: self.tracks.clone(),
            video,
            audio,
            video_end,
            audio_end,
        };
        self.cut_in_run = true;
        self.events.push_back(Event::Cut(Box::new(cut)));
    }

    /// How long an audio frame is, in 1/90000 s.
    pub(super) fn audio_frame(&self) -> u64 {
        self.tracks.audio.as_ref().map_or(0, |config| {
            u64::from(config.frame_len) * u64::from(MEDIA_HZ) / u64::from(config.sample_rate.max(1))
        })
    }
}
