//! A rung whose pictures come from an encoder beside the source: cut where the source is, with the source's sound.
//!
//! The encoder gets the source's pictures, and gives a key frame wherever the source has one. Each segment that the source cut
//! becomes one of the rung, of the same start and the same length: the encoder's pictures of that time, on the very times of
//! the source's, and the source's sound as it is. What the encoder does not have whole, or not in time, is lost, and said to be.
//! A rung may have several encoders: each segment is of one of them, the one that is preferred where it has it whole. Pure bookkeeping: nothing here waits, and there is a bound to what is held.

mod lane;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use lane::{Lane, Standing};

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

/// The most of an encoder's pictures that wait for the source's cut.
pub const HELD_SAMPLES_MAX: usize = 8192;

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
    /// Whose pictures are preferred.
    prefers: usize,
    /// The source's refer to some before them.
    dependent: bool,
}

/// Whose pictures the first segment that is wanted is made of.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// So many of this encoder's.
    Of(usize, usize),
    /// They may still come.
    Waits,
    /// Nobody has them.
    Lost,
}

/// One rung.
#[derive(Debug)]
pub struct Assembler {
    wrapper: Wrapper,
    segment: MediaSpan,
    wanted: VecDeque<Wanted>,
    /// One for each encoder.
    lanes: Vec<Lane>,
    /// Whose pictures are preferred from here on.
    prefers: usize,
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
            lanes: Vec::from([Lane::new()]),
            prefers: 0,
            late: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The same with so many encoders, at least one.
    pub fn with_encoders(mut self, count: usize) -> Assembler {
        self.lanes.resize_with(count.max(1), Lane::new);
        self
    }

    /// Of what is cut from here on, this encoder's pictures are preferred.
    pub fn prefer(&mut self, encoder: usize) {
        self.prefers = encoder;
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
        self.wanted.push_back(Wanted { cut, shown, prefers: self.prefers, dependent });
        self.settle();
        while self.is_too_far_behind() {
            self.first(false);
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
        self.begin_of(0);
    }

    /// This encoder begins.
    pub fn begin_of(&mut self, encoder: usize) {
        self.late = 0;
        if let Some(lane) = self.lanes.get_mut(encoder) {
            (lane.over, lane.goes_on) = (false, false);
        }
    }

    /// The encoder runs, and [`LATE_MAX`] segments in a row were lost all the same: whoever runs it begins anew with what is newest.
    pub fn is_left_behind(&self) -> bool {
        self.runs() && self.late >= LATE_MAX
    }

    /// Whether something may come of any encoder.
    fn runs(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.over)
    }

    /// Whether something may come of this encoder.
    pub fn runs_of(&self, encoder: usize) -> bool {
        self.lanes.get(encoder).is_some_and(|lane| !lane.over)
    }

    /// The parameters of the pictures that come.
    pub fn video(&mut self, video: VideoConfig) {
        self.video_of(0, video);
    }

    /// The parameters of the pictures that come of this encoder from here on.
    pub fn video_of(&mut self, encoder: usize, video: VideoConfig) {
        if let Some(lane) = self.lanes.get_mut(encoder) {
            lane.video = Some(video);
        }
    }

    /// The encoder gave a picture.
    pub fn picture(&mut self, sample: Sample) {
        self.picture_of(0, sample);
    }

    /// This encoder gave a picture.
    pub fn picture_of(&mut self, encoder: usize, sample: Sample) {
        if let Some(lane) = self.lanes.get_mut(encoder)
            && !lane.picture(sample)
        {
            // What it had of what is wanted is gone, and does not come again.
            let before = core::mem::replace(&mut lane.over, true);
            self.settle();
            if let Some(lane) = self.lanes.get_mut(encoder) {
                lane.over = before;
            }
        }
        self.settle();
    }

    /// The encoder has ended: all that it will give has come. What is whole of it is used, also for what the source is still to cut:
    /// what is open when a feed ends or is lost may wait longer than an encoder runs without pictures. Of what another one gives, which
    /// begins later, nothing goes into the same segment.
    pub fn end(&mut self) {
        self.pause_of(0);
        self.lanes.iter_mut().take(1).for_each(Lane::end);
    }

    /// Nothing more comes of this encoder for now. What it gave stays, for what the source is still to cut.
    pub fn pause_of(&mut self, encoder: usize) {
        if let Some(lane) = self.lanes.get_mut(encoder) {
            lane.over = true;
        }
        self.settle();
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

    fn lose_first(&mut self) {
        if let Some(Wanted { cut, .. }) = self.wanted.pop_front() {
            self.late += usize::from(self.runs());
            self.lanes.iter_mut().for_each(|lane| lane.goes_on = false);
            self.outputs.push_back(Output::Lost(cut.start));
        }
    }

    fn settle(&mut self) {
        while self.first(true) {}
    }

    /// Makes the first segment that is wanted, or loses it; with `waits`, only if nothing more may come of it. Whether there
    /// may be more to do.
    fn first(&mut self, waits: bool) -> bool {
        match self.choose(waits) {
            Choice::Waits => return false,
            Choice::Lost => {
                // Of what depends on something that is not there, none can have it, however fast it is.
                let late = self.late;
                if self.is_void() {
                    self.lose_first();
                    self.late = late;
                } else {
                    self.lose_first();
                }
            }
            Choice::Of(encoder, len) => {
                self.lanes.iter_mut().enumerate().for_each(|(n, lane)| lane.goes_on = n == encoder);
                let lane = self.lanes.get_mut(encoder);
                let Some((lane, wanted)) = lane.zip(self.wanted.pop_front()) else { return false };
                let (video, config, next) = lane.take(len);
                self.make(wanted, config, video, next);
            }
        }
        true
    }

    /// Whether the first segment that is wanted refers to one that nobody's pictures were made into.
    fn is_void(&self) -> bool {
        self.wanted.front().is_some_and(|first| first.dependent)
            && !self.lanes.iter().any(|lane| lane.goes_on)
    }

    fn choose(&mut self, waits: bool) -> Choice {
        if self.is_void() {
            return Choice::Lost;
        }
        let Some(Wanted { cut, shown, prefers, dependent }) = self.wanted.front() else {
            return Choice::Waits;
        };
        let dependent = *dependent;
        let start = cut.start.0.saturating_sub(NEAR);
        let end = cut.start.0.saturating_add(u64::from(cut.duration)).saturating_sub(NEAR);
        let goes_on = |lane: &Lane| dependent && lane.goes_on;
        self.lanes.iter_mut().filter(|lane| !goes_on(lane)).for_each(|lane| lane.let_go(start));
        let others = (0..self.lanes.len()).filter(|encoder| encoder != prefers);
        for encoder in core::iter::once(*prefers).chain(others) {
            match self.lanes.get_mut(encoder).map(|lane| lane.standing(end, shown, dependent)) {
                Some(Standing::Whole(len)) => return Choice::Of(encoder, len),
                Some(Standing::Comes) if waits => return Choice::Waits,
                Some(Standing::Comes | Standing::Never) | None => {}
            }
        }
        Choice::Lost
    }

    fn make(
        &mut self,
        wanted: Wanted,
        config: Option<VideoConfig>,
        mut video: Vec<Sample>,
        next: Option<MediaTime>,
    ) {
        let Wanted { cut, shown, .. } = wanted;
        let mut last: Option<MediaTime> = None;
        for sample in &mut video {
            let (pts, dts) = (nearest(&shown, sample.pts()), nearest(&shown, sample.dts));
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
        let tracks = Tracks { video: config, audio: cut.tracks.audio.clone() };
        let video_end = next.filter(joins).unwrap_or(after);
        self.late = 0;
        self.wrapper.rung(&Cut { tracks, video, video_end, ..cut });
        while let Some(object) = self.wrapper.poll() {
            self.outputs.push_back(Output::Object(object));
        }
    }
}

/// The time of the source's that this one is, or itself where it is none.
fn nearest(shown: &[MediaTime], at: MediaTime) -> MediaTime {
    let next = shown.partition_point(|of| *of < at);
    let around = [next.checked_sub(1), Some(next)].into_iter().flatten().filter_map(|place| shown.get(place));
    let near = around.min_by_key(|of| of.0.abs_diff(at.0));
    near.copied().filter(|of| of.0.abs_diff(at.0) <= NEAR).unwrap_or(at)
}

#[cfg(test)]
pub(crate) mod tests;
