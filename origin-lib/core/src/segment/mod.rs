//! Where to cut a channel's samples into segments. Knows no codec syntax.
//!
//! A segment begins at the first random access point in its epoch-aligned interval of `segment_ms`
//! ([`crate::object::index`]). Where key frames are not as far apart as that, or come when the picture changes, the next
//! interval's may come so late that the segment would last longer than playlists promise (`EXT-X-TARGETDURATION`): then
//! it is cut at key frames within its interval, too. Whether a key frame begins a segment depends on nothing but the key
//! frames from the first one of its interval up to the first one behind it.
//!
//! Where no key frame comes in time, segments are as long as the recording's first one was, by which playlists made their promise
//! ([`Segmenter::set_target`]). What would be longer is cut between key frames, as long as pictures come evenly: what follows
//! begins with a picture that refers to some before it ([`Cut::is_dependent`]), and another segment begins at the next key frame.
//! Before a hole that is longer than the promise, a segment ends with its pictures, and what follows is a discontinuity, which begins
//! at the next key frame. What the first segment was depends on more than the media, so origins of a pair go by a promise only where
//! it is configured for both. Sound alone can be cut anywhere: before a hole in it that would make a segment longer than is
//! configured, a segment ends with its sound, in a pair, too.
//! So an origin that joins a feed later cuts, from its first whole segment on, exactly what the others cut
//! (DESIGN.md, invariant 3). The first segment after a start or a break is not whole in that sense: where it starts
//! depends on what was seen. So may the next one, where key frames are closer together than audio is muxed ahead of
//! video: audio from before the first key frame is left out. And where a promise would be broken up to a key frame, and there is no
//! place for a cut, what that begins starts earlier than for an origin that joins there: they may differ up to the next key frame that
//! comes in time.
//!
//! Audio belongs to the segment during which it is decoded. Muxers deliver the two tracks skewed, so behind a video
//! cut the older segment stays open until audio has passed the cut too, at most [`AUDIO_WAIT_MS_MAX`] of media time, or
//! [`AUDIO_WAIT_PARTS_MS_MAX`].
//! Audio that is later still goes into the oldest open segment rather than being lost.
//!
//! ```
//! use railbird_core::media::{AudioCoding, AudioConfig, Kind, Sample};
//! use railbird_core::segment::{Event, Input, Segmenter};
//! use railbird_core::time::MediaTime;
//!
//! let aac = AudioConfig {
//!     coding: AudioCoding::Aac,
//!     record: b"\x11\x90"[..].into(),
//!     codec: "mp4a.40.2".into(),
//!     sample_rate: 48_000,
//!     channels: 2,
//!     frame_len: 1024,
//! };
//! let mut segmenter = Segmenter::new(2000);
//! segmenter.handle(Input::Audio(aac));
//! for n in 0..100 {
//!     let dts = MediaTime(180_000_000 + n * 1920);
//!     let data = Default::default();
//!     let sample = Sample { kind: Kind::Audio, dts, cts: 0, key: true, leading: false, data };
//!     segmenter.handle(Input::Sample(sample));
//!     while let Some(event) = segmenter.poll() {
//!         if let Event::Cut(cut) = event {
//!             assert_eq!((cut.start.0, cut.audio.len()), (180_000_000, 94));
//!         }
//!     }
//! }
//! ```

mod bounds;
mod ends;
mod length;
mod parts;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

pub use bounds::{Bound, OPEN_LEN_MAX, OPEN_MS_MAX, OPEN_SAMPLES_MAX};
pub use length::UNPROMISED_S_MAX;
use parts::Parts;

use crate::media::{AudioConfig, Cut, Kind, Part, Sample, Tracks, VideoConfig};
use crate::object;
use crate::time::{MEDIA_HZ, MediaTime};

/// How far video may run past a cut while the segment before it waits for audio, in milliseconds of media time: longer than
/// [`crate::silence::GONE_MS`], so that silence in the place of sound that has stopped is in the segment that it belongs to.
pub const AUDIO_WAIT_MS_MAX: u64 = 1_100;

/// The same where segments are given out in parts, which wait as well.
pub const AUDIO_WAIT_PARTS_MS_MAX: u64 = 500;

/// For so long, in milliseconds of media time, sound that comes first may be followed by pictures, as from a relay, which has sound at once and
/// pictures from the next key frame on. Players take up no track in mid-stream, so until then no segment of sound alone is cut.
pub const PRELUDE_MS_MAX: u64 = 6_000;

/// Names tell milliseconds apart: how far apart segments start at least, in 1/90000 s.
const NAME: u64 = MEDIA_HZ as u64 / 1000;

/// What a video frame is taken to last where nothing tells, in 1/90000 s.
const VIDEO_STEP: u64 = 3_000;

/// The longest that a video frame is taken to last where only the one before it tells: 1 s. More is a hole.
const VIDEO_STEP_MAX: u64 = 90_000;

/// What goes into a segmenter, in the order in which the feed brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Video parameters; the same again changes nothing.
    Video(VideoConfig),
    /// Audio parameters; the same again changes nothing.
    Audio(AudioConfig),
    /// Audio parameters that nobody told: others may take their place without a cut, as long as no segment and no sample of sound
    /// has come since the last break.
    Guessed(AudioConfig),
    /// All parameters of the feed that samples come from now on; the same again changes nothing.
    Tracks(Tracks),
    /// A sample on the media timeline.
    Sample(Sample),
    /// What follows does not continue what came before: a new publish, or a jump of the feed's clock.
    Discontinuity,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part of a segment that follows, where parts are cut ([`Segmenter::with_parts`]).
    Part(Box<Part>),
    /// A segment.
    Cut(Box<Cut>),
    /// No random access point came within a bound, so what there was has been cut, and samples are left out until
    /// the next one. The encoder's key frame interval is too long, or its video has stopped.
    Forced(Bound),
}

/// Samples that did not go where they should, since the segmenter was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Left out: they came before the first random access point of a run, or belong to a time before it.
    pub leading: u64,
    /// Left out: their decoding time did not increase, or their track has no parameters.
    pub unusable: u64,
    /// Kept, but in a later segment than they belong to.
    pub late_audio: u64,
    /// Cuts that a bound forced.
    pub forced: u64,
}

/// A segment that may still grow.
#[derive(Debug)]
struct Open {
    start: MediaTime,
    discontinuity: bool,
    video: Vec<Sample>,
    audio: Vec<Sample>,
    parts: Parts,
}

impl Open {
    /// The samples by which it is cut.
    fn leading(&self) -> &[Sample] {
        if self.video.is_empty() { &self.audio } else { &self.video }
    }

    /// Its sound from a time on. What a part has been given stays.
    fn take_sound_from(&mut self, from: MediaTime) -> Vec<Sample> {
        let keep = self.audio.partition_point(|sample| sample.dts < from);
        self.audio.split_off(keep.max(self.parts.given_audio).min(self.audio.len()))
    }
}

/// Cuts one channel's samples into segments. See the [module](self).
///
/// One for each publish, or one for a channel's life with an [`Input::Discontinuity`] between two publishes. The first
/// segment of all says that it is a discontinuity.
#[derive(Debug)]
pub struct Segmenter {
    segment_ms: u32,
    /// How long a part may be, in 1/90000 s, where parts are cut.
    part_limit: Option<u64>,
    /// What playlists promise.
    target_s: Option<u32>,
    tracks: Tracks,
    /// Those of audio are a guess.
    guessed: bool,
    /// Oldest first. More than one only while audio is awaited.
    open: VecDeque<Open>,
    open_len: usize,
    open_samples: usize,
    /// The next run starts here or later, so that no two segments share a name.
    floor: MediaTime,
    /// The next run is decoded from here on or later.
    decoded: MediaTime,
    /// Where the present run starts.
    run: MediaTime,
    /// The newest key frame is the one that the run began with.
    leads_run: bool,
    /// The next segment does not continue the one before.
    broken: bool,
    /// Whether a segment of the present run has come out.
    cut_in_run: bool,
    video_last: Option<MediaTime>,
    audio_last: Option<MediaTime>,
    /// Of the audio that was cut, also in runs before.
    audio_cut: Option<MediaTime>,
    video_step: u64,
    /// The shorter one of the last two: after a hole, pictures come as before.
    usual_step: u64,
    counts: Counts,
    events: VecDeque<Event>,
}

impl Segmenter {
    /// A segmenter for segments of `segment_ms` milliseconds: the channel's, by which its objects are named.
    pub fn new(segment_ms: u32) -> Segmenter {
        Segmenter::after(segment_ms, MediaTime::default())
    }

    /// One that goes on behind what was cut before a restart: no segment starts before `floor`.
    pub fn after(segment_ms: u32, floor: MediaTime) -> Segmenter {
        Segmenter {
            segment_ms,
            part_limit: None,
            target_s: None,
            tracks: Tracks::default(),
            guessed: false,
            open: VecDeque::new(),
            open_len: 0,
            open_samples: 0,
            floor,
            decoded: floor,
            run: MediaTime::default(),
            leads_run: false,
            broken: true,
            cut_in_run: false,
            video_last: None,
            audio_last: None,
            audio_cut: None,
            video_step: VIDEO_STEP,
            usual_step: VIDEO_STEP,
            counts: Counts::default(),
            events: VecDeque::new(),
        }
    }

    /// The same, which gives out parts of at most `part_ms` milliseconds before each segment. The segments are the same, but
    /// within an interval: what was given out as a part of a segment stays there, so that a key frame begins another one only
    /// where the next key frame would come too late if it were as far away as the one before.
    ///
    /// Those of the first segment of a run come with it as long as a track may still join (audio parameters often come a
    /// moment after the first video).
    pub fn with_parts(mut self, part_ms: u32) -> Segmenter {
        self.part_limit = Some(u64::from(part_ms.max(1)) * u64::from(MEDIA_HZ / 1000));
        self
    }

    /// What playlists promise from now on of how long segments are: `EXT-X-TARGETDURATION`, in seconds. `None` where no segment
    /// is in a playlist yet; what is longer than [`UNPROMISED_S_MAX`] is cut then.
    pub fn set_target(&mut self, target_s: Option<u32>) {
        self.target_s = target_s;
    }

    /// What did not go where it should, so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The parameters in force.
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// The decoding time of the first sample that waits for a cut. It may lie before the end of what was cut, which is told in
    /// the order of presentation.
    pub fn open_from(&self) -> Option<MediaTime> {
        self.open.front()?.leading().first().map(|sample| sample.dts)
    }

    /// Whether this very sample waits for a cut.
    pub fn is_open(&self, sample: &Sample) -> bool {
        let of = |open: &'_ Open| match sample.kind {
            Kind::Video => open.video.contains(sample),
            Kind::Audio => open.audio.contains(sample),
        };
        self.open.iter().any(of)
    }

    /// Bytes of media that wait for a cut; at most [`OPEN_LEN_MAX`].
    pub fn open_len(&self) -> usize {
        self.open_len
    }

    /// Takes the next input of the feed.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Video(config) => {
                // Where audio came first, what was taken for a channel without video was only its prelude.
                if self.tracks.video.is_none() && !self.cut_in_run {
                    self.counts.leading += self.open_samples as u64;
                    self.open.clear();
                    (self.open_len, self.open_samples) = (0, 0);
                }
                if self.tracks.video.as_ref() != Some(&config) {
                    self.finish();
                    self.tracks.video = Some(config);
                }
            }
            Input::Audio(config) => {
                // Audio parameters often come a moment after the first video: that is not worth a cut.
                let first = self.tracks.audio.is_none() && self.open.len() == 1;
                let joins = (first || self.guessed) && !self.cut_in_run;
                if self.tracks.audio.as_ref() != Some(&config) {
                    if !joins {
                        self.finish();
                    }
                    self.tracks.audio = Some(config);
                }
                self.guessed = false;
            }
            Input::Guessed(config) => {
                self.handle(Input::Audio(config));
                self.guessed = true;
            }
            Input::Tracks(tracks) => {
                if self.tracks != tracks {
                    self.finish();
                    self.tracks = tracks;
                }
            }
            Input::Discontinuity => self.finish(),
            Input::Sample(sample) => self.sample(sample),
        }
    }

    /// What follows from the input so far, until `None`.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Cuts what is open: the feed has ended, for now or for good. What comes later starts with a discontinuity.
    pub fn finish(&mut self) {
        while let Some(open) = self.open.pop_front() {
            self.cut(open);
        }
        (self.broken, self.cut_in_run, self.guessed) = (true, false, false);
        (self.video_last, self.audio_last) = (None, None);
    }

    /// Takes sound back that was given since the last break, as if none had come: where nothing of it went into a segment or a part
    /// yet. Whether it did.
    pub fn take_back_sound(&mut self) -> bool {
        let [Some(open), None] = [self.open.front(), self.open.get(1)] else { return false };
        if self.cut_in_run
            || open.video.is_empty()
            || open.parts.given_video > 0
            || open.parts.given_audio > 0
        {
            return false;
        }
        for sample in self.open.front_mut().map(|open| core::mem::take(&mut open.audio)).unwrap_or_default() {
            self.open_len = self.open_len.saturating_sub(sample.data.len());
            self.open_samples = self.open_samples.saturating_sub(1);
        }
        (self.audio_last, self.guessed) = (None, true);
        true
    }

    /// Takes sound back from this decoding time on, as if none had come: what waits for a cut and is in no part. The decoding time
    /// of the last that stays.
    pub fn take_back_sound_from(&mut self, from: MediaTime) -> Option<MediaTime> {
        for open in &mut self.open {
            for sample in open.take_sound_from(from) {
                self.open_len = self.open_len.saturating_sub(sample.data.len());
                self.open_samples = self.open_samples.saturating_sub(1);
            }
        }
        let open = self.open.iter().rev().find_map(|open| open.audio.last()).map(|last| last.dts);
        self.audio_last = open.or(self.audio_cut);
        self.audio_last
    }

    /// Drops what is open: it becomes no segment. What comes later starts with a discontinuity.
    pub fn abandon(&mut self) {
        self.open.clear();
        (self.open_len, self.open_samples) = (0, 0);
        self.finish();
    }

    fn sample(&mut self, sample: Sample) {
        let (configured, last) = match sample.kind {
            Kind::Video => (self.tracks.video.is_some(), self.video_last),
            // What was cut in the run before may reach into this one.
            Kind::Audio => (self.tracks.audio.is_some(), self.audio_last.max(self.audio_cut)),
        };
        if !configured || last.is_some_and(|last| sample.dts <= last) {
            self.counts.unusable += 1;
            return;
        }
        let mut ahead = Vec::new();
        if let Some(bound) = self.bound_reached(&sample) {
            ahead = self.finish_before(&sample);
            self.counts.forced += 1;
            self.events.push_back(Event::Forced(bound));
        }
        match sample.kind {
            Kind::Video => self.video(sample, ahead),
            Kind::Audio if self.tracks.video.is_some() => self.audio_beside_video(sample),
            Kind::Audio => self.audio_alone(sample),
        }
        self.settle();
    }

    /// Takes a picture, and the sound of the run that begins with it, where a bound made it begin one.
    fn video(&mut self, sample: Sample, ahead: Vec<Sample>) {
        let start = sample.pts();
        let begins = sample.key && self.open.back().is_some_and(|back| self.begins(back, start));
        let ends = if begins { self.ends_before_a_hole(start) } else { self.is_behind_a_hole(start) };
        let ahead = if ends { self.finish_before(&sample) } else { ahead };
        match self.open.back() {
            None if !sample.key || !self.may_start(&sample) => {
                self.counts.leading += 1;
                self.leave_out(ahead);
                return;
            }
            None => self.begin_run_with(start, ahead),
            Some(back) if begins => self.begin(self.start_behind(back, start)),
            Some(_) => self.keep_short(start, false),
        }
        // What leads a key frame refers to what was before it: where a run begins with that, nobody has it.
        if sample.leading && self.leads_run {
            self.counts.leading += 1;
            return;
        }
        self.leads_run &= !sample.key || self.video_last.is_none();
        if let Some(last) = self.video_last {
            let step = (sample.dts.0 - last.0).min(VIDEO_STEP_MAX);
            self.usual_step = step.min(self.video_step);
            self.video_step = step;
        }
        self.video_last = Some(sample.dts);
        self.count_in(&sample);
        if let Some(back) = self.open.back_mut() {
            back.video.push(sample);
            if let Some(limit) = self.part_limit {
                back.note(limit);
            }
        }
    }

    fn audio_beside_video(&mut self, sample: Sample) {
        if self.open.is_empty() || sample.dts < self.run {
            self.counts.leading += 1;
            return;
        }
        (self.audio_last, self.guessed) = (Some(sample.dts), false);
        self.count_in(&sample);
        let at = self.open.iter().rposition(|open| open.start <= sample.dts);
        if at.is_none() {
            self.counts.late_audio += 1;
        }
        if let Some(open) = self.open.get_mut(at.unwrap_or(0)) {
            open.audio.push(sample);
        }
    }

    fn audio_alone(&mut self, sample: Sample) {
        // Only where some is missing: then the segment ends with its sound. It is no longer in any case, so that origins of a pair
        // that promise different lengths cut the same.
        if self.open.back().is_some_and(|back| self.is_long(back.start, sample.dts)) {
            self.finish();
        }
        match self.open.back() {
            None if !self.may_start(&sample) => {
                self.counts.leading += 1;
                return;
            }
            None => self.begin_run(sample.dts),
            Some(back) if self.index(sample.dts) > self.index(back.start) => self.begin(sample.dts),
            Some(_) => {}
        }
        self.audio_last = Some(sample.dts);
        self.count_in(&sample);
        if let Some(back) = self.open.back_mut() {
            back.audio.push(sample);
            if let Some(limit) = self.part_limit {
                back.note(limit);
            }
        }
    }

    fn index(&self, time: MediaTime) -> u64 {
        object::index(time, self.segment_ms).0
    }

    /// Whether a run that starts with this sample stays clear of what was cut.
    fn may_start(&self, sample: &Sample) -> bool {
        sample.dts >= self.decoded && sample.pts() >= self.floor
    }

    fn count_in(&mut self, sample: &Sample) {
        self.open_len = self.open_len.saturating_add(sample.data.len());
        self.open_samples += 1;
    }

    /// Samples that were counted in go into no segment.
    fn leave_out(&mut self, samples: Vec<Sample>) {
        self.counts.leading += samples.len() as u64;
        self.open_samples = self.open_samples.saturating_sub(samples.len());
        let len: usize = samples.iter().map(|sample| sample.data.len()).sum();
        self.open_len = self.open_len.saturating_sub(len);
    }

    fn begin_run(&mut self, start: MediaTime) {
        (self.run, self.leads_run) = (start, true);
        self.begin(start);
    }

    /// Opens a segment; audio that came ahead of the video moves over to it.
    fn begin(&mut self, start: MediaTime) {
        let audio = self.open.back_mut().map(|back| back.take_sound_from(start)).unwrap_or_default();
        let discontinuity = core::mem::take(&mut self.broken);
        self.open.push_back(Open { start, discontinuity, video: Vec::new(), audio, parts: Parts::default() });
    }
}
