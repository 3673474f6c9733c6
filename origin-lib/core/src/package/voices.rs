//! Sound tracks that are renditions of their own: each is cut where the source is.
//!
//! The first one is in the source's cuts; of the others, samples wait here for these cuts. A segment is made of what was decoded
//! during the source's, once a sample behind its end has come, or not at all: one that is not whole is lost, and said to be, since
//! another origin may have had all of it. So what is made depends on nothing but the samples (DESIGN.md, invariant 3), and the
//! source waits for none of it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Settings, Wrapper};
use crate::id::RenditionId;
use crate::ladder::BEHIND_MAX;
use crate::media::{AudioConfig, Cut, Sample, Tracks};
use crate::sound::{Language, Voice};
use crate::time::{MEDIA_HZ, MediaTime};

/// The most bytes of a sound track that wait for the source's cut: 4 MiB.
const VOICE_LEN_MAX: usize = 4 << 20;

/// The most samples of a sound track that wait.
const VOICE_SAMPLES_MAX: usize = 16_384;

/// A feed's times are milliseconds: so much may two samples be nearer to each other than they last, in 1/90000 s.
const JITTER: u64 = 90;

/// How long a hole in a segment may be, in 1/90000 s: players stand still at no less.
const HOLE: u64 = 9_000;

/// By how much a track may end before the picture does where the feed ends, in 1/90000 s: muxers bring the two skewed.
const END: u64 = 45_000;

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// An object.
    Object(super::Object),
    /// This rendition will have nothing in the place of the source's segment that starts here.
    Lost(RenditionId, MediaTime),
}

/// One sound track.
#[derive(Debug)]
struct Lane {
    voice: Voice,
    wrapper: Wrapper,
    /// The source's cuts without their samples.
    wanted: VecDeque<Cut>,
    config: Option<AudioConfig>,
    /// The feed in use has such a track, as far as is known.
    is_there: bool,
    /// It brought nothing for so long that the segment that starts here was lost, and has brought nothing from there on since.
    silent_at: Option<MediaTime>,
    samples: VecDeque<Sample>,
    len: usize,
    /// The decoding time of the newest sample, and of the newest that was before all that is wanted.
    last: Option<MediaTime>,
    before: Option<MediaTime>,
    outputs: VecDeque<Made>,
}

/// A channel's sound tracks.
#[derive(Debug, Default)]
pub(super) struct Voices {
    lanes: Vec<Lane>,
}

impl Voices {
    pub(super) fn new(settings: &Settings, voices: Vec<Voice>) -> Voices {
        let lane = |voice: Voice| Lane {
            wrapper: Wrapper::of_voice(settings.clone(), voice.clone()),
            voice,
            wanted: VecDeque::new(),
            config: None,
            is_there: false,
            silent_at: None,
            samples: VecDeque::new(),
            len: 0,
            last: None,
            before: None,
            outputs: VecDeque::new(),
        };
        Voices { lanes: voices.into_iter().map(lane).collect() }
    }

    /// Whether sound is beside the pictures.
    pub(super) fn are_any(&self) -> bool {
        !self.lanes.is_empty()
    }

    fn lane(&mut self, track: u8) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.voice.track == track)
    }

    pub(super) fn language(&mut self, track: u8, language: Language) {
        if let Some(lane) = self.lane(track) {
            lane.wrapper.set_language(language);
        }
    }

    /// Tracks are another feed's from here on, which has these.
    pub(super) fn feed(&mut self, has: impl Fn(u8) -> bool) {
        self.lanes.iter_mut().for_each(|lane| lane.is_there = has(lane.voice.track));
    }

    /// The parameters of a further track from here on.
    pub(super) fn config(&mut self, track: u8, config: AudioConfig) {
        let Some(lane) = self.lane(track) else { return };
        lane.is_there = true;
        if lane.config.as_ref() != Some(&config) {
            // What waits has others.
            lane.drop_samples();
            lane.config = Some(config);
        }
    }

    /// A sample of a further track.
    pub(super) fn sample(&mut self, track: u8, sample: Sample) {
        let Some(lane) = self.lane(track).filter(|lane| lane.config.is_some()) else { return };
        if lane.last.is_some_and(|last| sample.dts <= last) {
            return;
        }
        lane.last = Some(sample.dts);
        if lane.silent_at.is_some_and(|from| sample.dts < from) {
            // It is further behind than is waited for.
            return lane.before = Some(sample.dts);
        }
        lane.silent_at = None;
        lane.len += sample.data.len();
        lane.samples.push_back(sample);
        while lane.len > VOICE_LEN_MAX || lane.samples.len() > VOICE_SAMPLES_MAX {
            lane.drop_first();
        }
        lane.settle(false);
    }

    /// The source was cut, in this way; `audio` are the samples of its first sound track.
    pub(super) fn cut(&mut self, cut: &Cut) {
        for lane in &mut self.lanes {
            if lane.voice.track == 0 {
                lane.first(cut);
                continue;
            }
            lane.wanted.push_back(Cut {
                start: cut.start,
                duration: cut.duration,
                discontinuity: cut.discontinuity,
                ..Cut::default()
            });
            lane.settle(false);
            // Players stand still at what may still come: nobody waits for a track that is not there, or not any more.
            if lane.wanted.len() > BEHIND_MAX || lane.silent_at.is_some() {
                lane.silent_at = lane.wanted.back().map(|newest| newest.start);
            }
            if !lane.is_there || lane.silent_at.is_some() {
                while !lane.wanted.is_empty() {
                    lane.lose();
                }
            }
        }
    }

    /// Media has ended, for now or for good.
    pub(super) fn finish(&mut self) {
        for lane in &mut self.lanes {
            lane.settle(true);
            lane.abandon();
        }
    }

    /// The same, but what waits becomes nothing.
    pub(super) fn abandon(&mut self) {
        self.lanes.iter_mut().for_each(Lane::abandon);
    }

    pub(super) fn poll(&mut self) -> Option<Made> {
        self.lanes.iter_mut().find_map(|lane| lane.outputs.pop_front())
    }
}

impl Lane {
    fn drop_samples(&mut self) {
        self.samples.clear();
        (self.len, self.before) = (0, None);
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.samples.pop_front() {
            self.len -= first.data.len();
            self.before = Some(first.dts);
        }
    }

    fn abandon(&mut self) {
        self.wanted.clear();
        self.drop_samples();
        self.wrapper.forget_init();
    }

    fn lose(&mut self) {
        if let Some(cut) = self.wanted.pop_front() {
            self.outputs.push_back(Made::Lost(self.voice.rendition.clone(), cut.start));
        }
    }

    fn give(&mut self, cut: &Cut) {
        self.wrapper.rung(cut);
        while let Some(object) = self.wrapper.poll() {
            self.outputs.push_back(Made::Object(object));
        }
    }

    /// The track that the source was cut with.
    fn first(&mut self, cut: &Cut) {
        match super::only_audio(cut) {
            Some(alone) => self.give(&alone),
            None => self.outputs.push_back(Made::Lost(self.voice.rendition.clone(), cut.start)),
        }
    }

    /// Makes what can be made. `over`: no more samples come.
    fn settle(&mut self, over: bool) {
        while let Some(cut) = self.wanted.front() {
            let (start, end) = (cut.start, MediaTime(cut.start.0.saturating_add(u64::from(cut.duration))));
            while self.samples.front().is_some_and(|first| first.dts < start) {
                self.drop_first();
            }
            let len = self.samples.iter().position(|sample| sample.dts >= end);
            if len.is_none() && !over {
                return;
            }
            let len = len.unwrap_or(self.samples.len());
            let (Some(config), true) = (self.config.clone(), self.is_whole(len, start, end, over)) else {
                self.lose();
                continue;
            };
            let frame = frame(&config);
            let audio: Vec<Sample> = self.samples.drain(..len).collect();
            self.len -= audio.iter().map(|sample| sample.data.len()).sum::<usize>();
            self.before = audio.last().map(|last| last.dts).or(self.before);
            let after = audio.last().map_or(end, |last| MediaTime(last.dts.0.saturating_add(frame)));
            let joins = |next: &MediaTime| next.0.saturating_sub(after.0) <= HOLE;
            let audio_end = self.samples.front().map(|next| next.dts).filter(joins).unwrap_or(after);
            let tracks = Tracks { video: None, audio: Some(config) };
            if let Some(cut) = self.wanted.pop_front() {
                self.give(&Cut { tracks, audio, audio_end, ..cut });
            }
        }
    }

    /// Whether the first `len` samples are all that there is between these times.
    fn is_whole(&self, len: usize, start: MediaTime, end: MediaTime, over: bool) -> bool {
        let Some(config) = &self.config else { return false };
        let frame = frame(config);
        let mut times = self.samples.iter().take(len).map(|sample| sample.dts);
        let Some(first) = times.next() else { return false };
        // The one before it was seen and belongs to the segment before; or it must have belonged there.
        let is_near = |before: MediaTime| first.0.saturating_sub(before.0) <= frame + HOLE;
        let follows = self.before.is_some_and(|before| before < start && is_near(before));
        let is_first = first.0.saturating_add(JITTER) < start.0.saturating_add(frame);
        if !follows && !is_first {
            return false;
        }
        let mut last = first;
        for time in times {
            if time.0.saturating_sub(last.0) > frame + HOLE {
                return false;
            }
            last = time;
        }
        let lacks = if over { END } else { HOLE };
        end.0.saturating_sub(last.0) <= frame + lacks
    }
}

/// How long an access unit is, in 1/90000 s.
fn frame(config: &AudioConfig) -> u64 {
    u64::from(config.frame_len) * u64::from(MEDIA_HZ) / u64::from(config.sample_rate.max(1))
}
