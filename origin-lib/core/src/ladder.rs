//! A rung whose pictures come from an encoder beside the source: cut where the source is, with the source's sound.
//!
//! The encoder gets the source's pictures, and gives a key frame wherever the source has one. Each segment that the source cut
//! becomes one of the rung, of the same start and the same length: the encoder's pictures of that time, on the very times of
//! the source's, and the source's sound as it is. What the encoder does not have whole, or not in time, is lost, and said to be.
//! Pure bookkeeping: nothing here waits, and there is a bound to what is held.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::media::{Cut, Sample, Tracks, VideoConfig};
use crate::package::{Object, Settings, Wrapper};
use crate::time::{MediaSpan, MediaTime};

/// By how many segments, of the length that is configured, an encoder may lag: what is further behind is lost.
pub const BEHIND_MAX: usize = 4;

/// So many of the source's segments wait, however short they are.
const WANTED_MAX: usize = 4 * BEHIND_MAX;

/// So many segments in a row that are lost though the encoder runs, and it is of no more use: one that is too far behind, and no
/// faster than the source, would stay behind for ever ([`Assembler::is_left_behind`]).
pub const LATE_MAX: usize = 3;

/// The most bytes of an encoder's pictures that wait for the source's cut.
pub const HELD_LEN_MAX: usize = 32 << 20;

/// An encoder's times are milliseconds: so far from the source's they are the same, in 1/90000 s.
const NEAR: u64 = 90;

/// By how much a picture may be missing more than the source has a hole there, in 1/90000 s.
const HOLE: u64 = 9_000;

/// What a picture is taken to last where nothing tells, in 1/90000 s.
const STEP: u64 = 3_000;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object.
    Object(Object),
    /// There will be nothing in the place of the source's segment that starts here.
    Lost(MediaTime),
}

/// The source's cut, as far as a rung needs it.
#[derive(Debug)]
struct Wanted {
    /// Without its pictures.
    cut: Cut,
    /// When these are shown, in order.
    shown: Vec<MediaTime>,
    /// They refer to some before them.
    dependent: bool,
}

/// One rung.
#[derive(Debug)]
pub struct Assembler {
    wrapper: Wrapper,
    segment: MediaSpan,
    wanted: VecDeque<Wanted>,
    video: Option<VideoConfig>,
    samples: VecDeque<Sample>,
    samples_len: usize,
    /// Nothing more comes of the encoder, up to its next start.
    over: bool,
    /// The segment before the first one that is wanted was made.
    goes_on: bool,
    /// How many in a row were lost though the encoder runs.
    late: usize,
    outputs: VecDeque<Output>,
}

impl Assembler {
    /// One for the rung that `settings` name.
    pub fn new(settings: Settings) -> Assembler {
        Assembler {
            segment: MediaSpan::from_ms(i64::from(settings.segment_ms)),
            wrapper: Wrapper::new(Settings { part_ms: None, frames: false, ..settings }),
            wanted: VecDeque::new(),
            video: None,
            samples: VecDeque::new(),
            samples_len: 0,
            over: true,
            goes_on: false,
            late: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The source was cut. A cut without pictures is lost.
    pub fn cut(&mut self, cut: &Cut) {
        // What leads the first key frame is shown before the segment starts: the encoder has it in the segment before.
        let shown = cut.video.iter().map(Sample::pts).filter(|at| *at >= cut.start);
        let mut shown: Vec<MediaTime> = shown.collect();
        shown.sort_unstable();
        let dependent = cut.is_dependent();
        let cut = Cut {
            start: cut.start,
            duration: cut.duration,
            discontinuity: cut.discontinuity,
            tracks: Tracks { video: None, audio: cut.tracks.audio.clone() },
            video: Vec::new(),
            audio: cut.audio.clone(),
            video_end: cut.video_end,
            audio_end: cut.audio_end,
        };
        self.wanted.push_back(Wanted { cut, shown, dependent });
        self.settle();
        while self.is_too_far_behind() {
            self.lose_first();
        }
    }

    /// Segments may be shorter than configured, where key frames are.
    fn is_too_far_behind(&self) -> bool {
        let ends = self.wanted.front().zip(self.wanted.back());
        let lag = ends.map_or(MediaSpan::default(), |(first, last)| last.cut.start - first.cut.start);
        let far = (lag.0 + self.segment.0 / 2) / self.segment.0.max(1) >= BEHIND_MAX as i64;
        (far && self.wanted.len() > BEHIND_MAX) || self.wanted.len() > WANTED_MAX
    }

    /// The encoder begins: something may come of it.
    pub fn begin(&mut self) {
        (self.over, self.late, self.goes_on) = (false, 0, false);
    }

    /// The encoder runs, and [`LATE_MAX`] segments in a row were lost all the same: whoever runs it begins anew with what is newest.
    pub fn is_left_behind(&self) -> bool {
        !self.over && self.late >= LATE_MAX
    }

    /// The parameters of the pictures that come.
    pub fn video(&mut self, video: VideoConfig) {
        self.video = Some(video);
    }

    /// The encoder gave a picture.
    pub fn picture(&mut self, sample: Sample) {
        self.samples_len += sample.data.len();
        self.samples.push_back(sample);
        if self.samples_len > HELD_LEN_MAX {
            self.drop_samples();
        }
        self.settle();
    }

    /// The encoder has ended: all that it will give has come. What is whole of it is used.
    pub fn end(&mut self) {
        self.over = true;
        self.settle();
        self.drop_samples();
    }

    /// What waits for the encoder is waited for no longer, though it may run: it is lost.
    pub fn give_up(&mut self) {
        let late = self.late;
        while !self.wanted.is_empty() {
            self.lose_first();
        }
        // That says nothing of how fast it is.
        self.late = late;
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many of the source's segments wait for the encoder.
    pub fn waiting(&self) -> usize {
        self.wanted.len()
    }

    fn drop_samples(&mut self) {
        self.samples.clear();
        self.goes_on = false;
        self.samples_len = 0;
    }

    fn lose_first(&mut self) {
        if let Some(Wanted { cut, .. }) = self.wanted.pop_front() {
            self.late += usize::from(!self.over);
            self.goes_on = false;
            self.outputs.push_back(Output::Lost(cut.start));
        }
    }

    fn settle(&mut self) {
        while let Some(Wanted { cut, shown, dependent }) = self.wanted.front() {
            let start = cut.start.0.saturating_sub(NEAR);
            let end = cut.start.0.saturating_add(u64::from(cut.duration)).saturating_sub(NEAR);
            // What refers to pictures before it is of use behind those.
            if *dependent && !self.goes_on {
                // That says nothing of how fast the encoder is.
                let late = self.late;
                self.lose_first();
                self.late = late;
                continue;
            }
            while !dependent && let Some(first) = self.samples.pop_front_if(|first| first.pts().0 < start) {
                self.samples_len -= first.data.len();
            }
            let len = self.samples.iter().position(|sample| sample.pts().0 >= end);
            // Its last picture is there once one behind it is: groups of pictures are closed. Where the source was cut within one,
            // those that are sent behind that one and shown before it come with the next segment.
            if len.is_none() && !self.over {
                return;
            }
            let len = len.unwrap_or(self.samples.len());
            let behind = self.samples.get(len).is_none_or(|behind| behind.key);
            let whole = is_whole(self.samples.iter().take(len), shown, *dependent, behind.then_some(end));
            if !whole {
                self.lose_first();
                continue;
            }
            let video: Vec<Sample> = self.samples.drain(..len).collect();
            self.samples_len -= video.iter().map(|sample| sample.data.len()).sum::<usize>();
            let next = self.samples.front().map(|next| next.dts);
            self.goes_on = true;
            if let Some(Wanted { cut, shown, .. }) = self.wanted.pop_front() {
                self.make(cut, &shown, video, next);
            }
        }
    }

    fn make(&mut self, cut: Cut, shown: &[MediaTime], mut video: Vec<Sample>, next: Option<MediaTime>) {
        let mut last: Option<MediaTime> = None;
        for sample in &mut video {
            let (pts, dts) = (nearest(shown, sample.pts()), nearest(shown, sample.dts));
            let dts = last.map_or(dts, |last| dts.max(MediaTime(last.0 + 1)));
            let cts = i64::try_from(pts.0).unwrap_or(0) - i64::try_from(dts.0).unwrap_or(0);
            (sample.dts, sample.cts) = (dts, i32::try_from(cts).unwrap_or(0));
            last = Some(dts);
        }
        let step = match &video[..] {
            [.., before, last] => last.dts.0.saturating_sub(before.dts.0),
            _ => STEP,
        };
        let after = last.map_or(cut.video_end, |last| MediaTime(last.0.saturating_add(step)));
        let joins = |next: &MediaTime| next.0.abs_diff(after.0) < step + NEAR && Some(*next) > last;
        let tracks = Tracks { video: self.video.clone(), audio: cut.tracks.audio.clone() };
        let video_end = next.filter(joins).unwrap_or(after);
        self.late = 0;
        self.wrapper.rung(&Cut { tracks, video, video_end, ..cut });
        while let Some(object) = self.wrapper.poll() {
            self.outputs.push_back(Output::Object(object));
        }
    }
}

/// Whether these pictures are all that is shown up to `end`, where there is one, from a key frame at the first one on, or,
/// where they are `dependent`, from wherever those before them ended.
fn is_whole<'a>(
    pictures: impl Iterator<Item = &'a Sample>,
    shown: &[MediaTime],
    dependent: bool,
    end: Option<u64>,
) -> bool {
    let mut pictures = pictures.peekable();
    let first = pictures.peek().zip(shown.first());
    if !first.is_some_and(|(first, at)| dependent || (first.key && first.pts().0.abs_diff(at.0) <= NEAR)) {
        return false;
    }
    let mut times: Vec<u64> = pictures.map(|picture| picture.pts().0).collect();
    times.sort_unstable();
    let hole = |times: &mut dyn Iterator<Item = u64>| {
        let (mut last, mut hole) = (None, 0);
        for time in times.chain(end) {
            hole = last.map_or(0, |last| time.saturating_sub(last)).max(hole);
            last = Some(time);
        }
        hole
    };
    hole(&mut times.into_iter()) <= hole(&mut shown.iter().map(|at| at.0)) + HOLE
}

/// The time of the source's that this one is, or itself where it is none.
fn nearest(shown: &[MediaTime], at: MediaTime) -> MediaTime {
    let next = shown.partition_point(|of| *of < at);
    let around = [next.checked_sub(1), Some(next)].into_iter().flatten().filter_map(|place| shown.get(place));
    let near = around.min_by_key(|of| of.0.abs_diff(at.0));
    near.copied().filter(|of| of.0.abs_diff(at.0) <= NEAR).unwrap_or(at)
}

#[cfg(test)]
mod tests;
