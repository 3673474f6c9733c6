//! Silence where a channel has a picture and its feed no sound.
//!
//! Browsers' media sources have as many buffers as tracks at their beginning: a programme whose sound ends, or begins, in
//! mid-stream is the end of it for hls.js and Shaka Player, and both jump over pictures beside which the sound has a hole. So a
//! channel that has had sound keeps that track, whatever its feed brings, and one that has none may have a silent track from the
//! start ([`Silence::from_the_start`]).
//!
//! This room stands before the segmenter and passes on what it takes. Where the picture goes on and no sound comes, it adds
//! frames of silence ([`crate::codec::silence`]) with the parameters of the sound before. When, follows from the feed's samples
//! and their order alone; where, from the media timeline: frames of silence lie on a grid that begins in 1970, so that two origins
//! write the same ones, also where one of them joined later (DESIGN.md, invariant 3). Sound that comes after silence was given in
//! its place takes that place as long as no segment was cut ([`Silence::in_place_of`]); later it is left out, so that sound never
//! goes back.
//!
//! - Sound that has stopped, or does not come, is waited for while the picture goes on by [`GONE_MS`], or [`GONE_PARTS_MS`];
//!   then silence goes as far as pictures are decoded.
//! - A hole between two frames of sound that is longer than [`HOLE_MS`] is filled when the second one comes.
//! - Where a run begins or ends with a picture alone, no whole frame stays empty: there, players would show a hole.
//! - Other parameters of sound are another init segment, behind which decoding begins with a key frame. So that no picture is lost up to
//!   that, they wait for it, and there is silence meanwhile.

mod kept;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

use self::kept::{Kept, Together};
use crate::codec::silence;
use crate::media::{AudioConfig, Kind, Sample, Tracks};
use crate::segment::{AUDIO_WAIT_MS_MAX, AUDIO_WAIT_PARTS_MS_MAX, Input};
use crate::time::MediaTime;

/// Sound is taken to have stopped, or not to come, when the picture has gone on for so long without a frame of it, in milliseconds: less
/// than a segment waits for it, and more than a PES packet holds, since sound comes in such pieces (700 ms: ISO/IEC 13818-1, 2.7.4), or
/// than Opus leaves out at a time where nobody speaks (400 ms).
pub const GONE_MS: u64 = 1_000;

/// The same where segments are given out in parts: no part is given while a segment waits for its sound, and players of parts are hardly
/// more than a second behind. Encoders of such channels send sound in short pieces.
pub const GONE_PARTS_MS: u64 = 450;

/// The longest hole between two frames of sound that is none, in milliseconds: players stand still at no less.
pub const HOLE_MS: u64 = 100;

/// The longest silence that is made at once, in milliseconds: more is no hole, but another clock.
pub const FILL_MS_MAX: u64 = 15_000;

/// Sound of other parameters waits for a key frame until it is so far ahead of the pictures, in milliseconds: then they have ended.
pub const LATER_MS_MAX: u64 = 2_000;

/// The most frames of it that wait: more than that time has.
const LATER_MAX: usize = 1_024;

// A segment does not wait longer for its sound.
const _: () = assert!(GONE_MS < AUDIO_WAIT_MS_MAX && GONE_PARTS_MS < AUDIO_WAIT_PARTS_MS_MAX);

/// What is no hole, and no overlap either: a feed counts milliseconds.
const JITTER: u64 = 90;

/// What a picture is taken to last where nothing tells, in 1/90000 s.
const STEP: u64 = 3_000;

/// The longest that the last picture of a run is taken to last, as a segmenter does.
const STEP_MAX: u64 = 90_000;

const TICKS: u64 = 90;

/// The pictures since the last break, and what is beside them.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where the first one is shown.
    start: MediaTime,
    /// When the newest one is decoded, and what the one before it lasted.
    newest: MediaTime,
    step: u64,
    /// The latest presentation.
    shown: MediaTime,
    /// The first picture behind the frame of sound that came last: from there on, no sound has come. Pictures that are far apart, or
    /// missing, say nothing of sound that comes meanwhile.
    unheard: Option<MediaTime>,
    /// A frame of sound has come.
    sounded: bool,
    /// Those that came last.
    together: Option<Together>,
    /// Sound was given up to here: in the run before, at its beginning.
    until: Option<MediaTime>,
    before: Option<End>,
    /// Silence was given last, from here on.
    silent: bool,
    since: MediaTime,
    /// No sound is waited for any more.
    gone: bool,
}

impl Run {
    /// Whether any sound of this run was given, or silence in its place.
    fn has_given(&self) -> bool {
        self.until != self.before.map(|end| end.at)
    }

    /// Whether silence was given where this sound belongs.
    fn is_given(&self, dts: MediaTime) -> bool {
        self.silent && self.until.is_some_and(|until| dts.0.saturating_add(JITTER) < until.0)
    }
}

/// Where sound ended with a run. The next run may begin before: how long the last picture lasted was a guess, and sound may have come
/// ahead of the pictures that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at: MediaTime,
    /// It was silence that was given last.
    silent: bool,
}

/// Sound of other parameters, which waits for the next key frame.
#[derive(Debug)]
struct Later {
    config: AudioConfig,
    /// What is ahead of the pictures.
    sounds: VecDeque<Sample>,
}

/// Adds silence to what goes into a segmenter. See the [module](self).
#[derive(Debug, Default)]
pub struct Silence {
    /// A channel that never had sound has silence, too.
    from_the_start: bool,
    in_parts: bool,
    kept: Option<Kept>,
    /// The parameters that the feed told.
    tracks: Tracks,
    run: Option<Run>,
    /// How sound ended with a run.
    end: Option<End>,
    later: Option<Later>,
    silent: bool,
    /// Sound has come.
    had_sound: bool,
    late: u64,
    inputs: VecDeque<Input>,
}

impl Silence {
    /// A channel whose feed has a picture and no sound has a silent track from the start.
    pub fn from_the_start(&mut self) {
        self.from_the_start = true;
    }

    /// Segments are given out in parts.
    pub fn in_parts(&mut self) {
        self.in_parts = true;
    }

    fn gone_ms(&self) -> u64 {
        if self.in_parts { GONE_PARTS_MS } else { GONE_MS }
    }

    /// Before a restart, the channel had this sound. Of the parameters of a silent track ([`silence::usual`]) nobody knows whether they were
    /// its feed's, where it may have one from the start: then it is not said to have lost any.
    pub fn had(&mut self, config: &AudioConfig) {
        self.kept = Kept::new(config);
        self.had_sound = !self.from_the_start || *config != silence::usual();
    }

    /// Whether all that was given in this run so far is silence, where this brings sound that belongs there.
    pub fn was_premature(&self, input: &Input) -> bool {
        let Some(run @ Run { sounded: false, until: Some(until), .. }) = self.run else { return false };
        if !run.has_given() || self.later.is_some() {
            return false;
        }
        match input {
            Input::Audio(config) => self.kept.as_ref().is_none_or(|kept| kept.config != *config),
            Input::Sample(sample) => sample.kind == Kind::Audio && sample.dts < until,
            _ => false,
        }
    }

    /// What was given in this run is taken back.
    pub fn take_back(&mut self) {
        if let Some(run) = &mut self.run {
            (run.until, run.silent) = (run.before.map(|end| end.at), run.before.is_none_or(|end| end.silent));
        }
    }

    /// Where silence was given in the place of this sound: from where on it should be taken back. Sound that its encoder held up for
    /// a while is not lost by that. Whether the run has had sound before does not matter: an origin that joined since does not know.
    pub fn in_place_of(&self, input: &Input) -> Option<MediaTime> {
        let (Input::Sample(sample), Some(run), Some(kept)) = (input, &self.run, &self.kept) else {
            return None;
        };
        let is_late = sample.kind == Kind::Audio && self.later.is_none() && run.is_given(sample.dts);
        let behind = MediaTime(sample.dts.0.saturating_add(JITTER + 1).saturating_sub(kept.len));
        is_late.then(|| behind.max(MediaTime(run.since.0.saturating_sub(JITTER))))
    }

    /// Of the silence that was given last, as much was taken back as could be: the last frame of sound that stays is decoded here.
    pub fn taken_back(&mut self, last: Option<MediaTime>) {
        let (Some(run), Some(kept)) = (&mut self.run, &self.kept) else { return };
        let end = last.map_or(run.since, |last| MediaTime(last.0.saturating_add(kept.len)));
        let until = end.max(run.since);
        (run.silent, run.until) = (until.0 > run.since.0.saturating_add(JITTER), Some(until));
    }

    /// Whether the channel had sound, and what is given now is silence in its place.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether sound of other parameters waits for a key frame: what a segmenter was told last is over.
    pub fn is_changing(&self) -> bool {
        self.later.is_some()
    }

    /// Frames of sound that were left out, because there was silence in their place already.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// The tracks that a segmenter is told of in the place of these.
    pub fn filled(&self, tracks: &Tracks) -> Tracks {
        let mut filled = tracks.clone();
        if filled.video.is_some() && filled.audio.is_none() {
            let kept = self.kept.as_ref().map(|kept| kept.config.clone());
            filled.audio = kept.or_else(|| self.from_the_start.then(silence::usual));
        }
        filled
    }

    /// Takes the next input; what comes of it, [`Silence::poll`] says.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Video(config) => {
                let other = self.tracks.video.as_ref() != Some(&config);
                if other {
                    self.finish();
                    self.tracks.video = Some(config.clone());
                }
                self.inputs.push_back(Input::Video(config));
                if other {
                    self.guess();
                }
            }
            Input::Audio(config) => {
                let same = self.kept.as_ref().is_some_and(|kept| kept.config == config);
                self.tracks.audio = Some(config.clone());
                // One frame may say something else by mistake.
                self.later = None;
                match &mut self.run {
                    Some(run) if !same && run.has_given() && self.kept.is_some() => {
                        run.gone = true;
                        self.later = Some(Later { config, sounds: VecDeque::new() });
                    }
                    _ => self.sounds_are(config),
                }
            }
            Input::Tracks(tracks) => {
                if self.later.is_some() || self.filled(&tracks) != self.filled(&self.tracks) {
                    self.finish();
                }
                if let Some(audio) = &tracks.audio {
                    self.kept = Kept::new(audio);
                }
                self.inputs.push_back(Input::Tracks(self.filled(&tracks)));
                self.tracks = tracks;
                self.guess();
            }
            Input::Guessed(config) => self.inputs.push_back(Input::Guessed(config)),
            Input::Discontinuity => {
                self.finish();
                self.inputs.push_back(Input::Discontinuity);
                self.guess();
            }
            Input::Sample(sample) => match sample.kind {
                Kind::Video if sample.key && self.later.is_some() => self.key_picture(sample),
                Kind::Video => self.picture(sample),
                Kind::Audio if self.later.is_some() => self.later_sound(sample),
                Kind::Audio => self.sound(sample),
            },
        }
    }

    /// Sound has these parameters from here on.
    fn sounds_are(&mut self, config: AudioConfig) {
        if self.kept.as_ref().is_none_or(|kept| kept.config != config) {
            self.kept = Kept::new(&config);
        }
        self.inputs.push_back(Input::Audio(config));
    }

    /// The key frame that sound of other parameters has waited for.
    fn key_picture(&mut self, sample: Sample) {
        let from = sample.pts();
        let sounds = self.later.as_mut().map(|later| core::mem::take(&mut later.sounds)).unwrap_or_default();
        self.finish();
        self.picture(sample);
        for sample in sounds.into_iter().filter(|sample| sample.dts >= from) {
            self.sound(sample);
        }
    }

    /// Sound of other parameters than those of the run.
    fn later_sound(&mut self, sample: Sample) {
        let (Some(later), Some(run)) = (&mut self.later, &self.run) else { return };
        // No key frame that is to come is shown before the newest picture.
        while later.sounds.pop_front_if(|sample| sample.dts < run.newest).is_some() {
            self.late += 1;
        }
        let pictures_end = run.newest.0.saturating_add(LATER_MS_MAX * TICKS);
        if sample.dts.0 > pictures_end || later.sounds.len() >= LATER_MAX {
            self.late += later.sounds.len() as u64;
            self.finish();
            return self.sound(sample);
        }
        later.sounds.push_back(sample);
    }

    /// What goes into the segmenter, until `None`.
    pub fn poll(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// The run is over: beside its last pictures, there is silence where there was no sound.
    pub fn finish(&mut self) {
        if let Some(mut run) = self.run.take() {
            let end = MediaTime(run.shown.0.saturating_add(run.step));
            self.fill(&mut run, end);
            self.end = run.until.map(|at| End { at, silent: run.silent }).max(self.end);
        }
        self.end_later();
    }

    /// What is open becomes nothing.
    pub fn abandon(&mut self) {
        self.run = None;
        self.inputs.clear();
        self.end_later();
    }

    /// Other sound that waits for a key frame is what comes next.
    fn end_later(&mut self) {
        if let Some(Later { config, .. }) = self.later.take() {
            self.sounds_are(config);
        }
    }

    /// The feed has told no parameters of sound so far: others may take the place of those that are there.
    fn guess(&mut self) {
        if self.tracks.audio.is_some() {
            return;
        }
        if let Some(config) = self.filled(&self.tracks).audio {
            if self.kept.is_none() {
                self.kept = Kept::new(&config);
            }
            self.inputs.push_back(Input::Guessed(config));
        }
    }

    fn picture(&mut self, sample: Sample) {
        let (dts, pts, key) = (sample.dts, sample.pts(), sample.key);
        let end = self.end.filter(|end| end.at > pts);
        let mut run = match self.run.take() {
            Some(run) => run,
            None if !key => return self.inputs.push_back(Input::Sample(sample)),
            None => Run {
                start: pts,
                newest: dts,
                step: STEP,
                shown: pts,
                unheard: None,
                sounded: false,
                together: None,
                until: end.map(|end| end.at),
                before: end,
                silent: end.is_none_or(|end| end.silent),
                since: pts,
                gone: false,
            },
        };
        let step = dts.0.saturating_sub(run.newest.0).min(STEP_MAX);
        run.step = Some(step).filter(|step| *step > 0).unwrap_or(run.step);
        (run.newest, run.shown) = (dts.max(run.newest), pts.max(run.shown));
        let unheard = *run.unheard.get_or_insert(dts);
        // Sound that reaches further than the pictures is not missed before they are there.
        let from = run.until.filter(|_| !run.silent).map_or(unheard, |until| until.max(unheard));
        run.gone |= run.newest.0.saturating_sub(from.0) >= self.gone_ms() * TICKS;
        if run.gone && self.kept.is_some() {
            let before = run.until;
            self.fill(&mut run, dts);
            if run.until != before {
                self.silent = self.had_sound;
            }
        }
        // Behind the silence before it: where it begins a segment, nobody waits for sound of the one before.
        self.inputs.push_back(Input::Sample(sample));
        self.run = Some(run);
    }

    fn sound(&mut self, sample: Sample) {
        let (Some(mut run), Some(kept)) = (self.run, &self.kept) else {
            return self.inputs.push_back(Input::Sample(sample));
        };
        // Where silence would go, its own frames have to fit.
        let (len, own) = (kept.len, kept.len_of(&sample.data));
        (run.unheard, run.sounded, run.gone) = (None, true, false);
        let behind = |time: MediaTime, by: u64| sample.dts.0 >= time.0.saturating_add(by);
        if run.is_given(sample.dts) {
            self.late += 1;
        } else {
            let hole = match run.until {
                Some(until) if run.silent => behind(until, len),
                Some(until) => behind(until, HOLE_MS * TICKS),
                // The one before it, which belongs before the run, may reach as far into it.
                None => behind(run.start, len.max(own) + JITTER),
            };
            if hole {
                self.fill(&mut run, sample.dts);
            }
            (self.silent, self.had_sound) = (false, true);
            if sample.dts >= run.start {
                let together = Together::with(run.together, sample.dts, own);
                (run.until, run.silent) = (run.until.max(Some(together.end())), false);
                run.together = Some(together);
            }
            self.inputs.push_back(Input::Sample(sample));
        }
        self.run = Some(run);
    }

    /// Gives silence from where sound ends up to this time.
    fn fill(&mut self, run: &mut Run, to: MediaTime) {
        let Some(kept) = &self.kept else { return };
        let from = run.until.unwrap_or(run.start);
        if to.0.saturating_sub(from.0) > FILL_MS_MAX * TICKS {
            run.until = Some(to);
            return;
        }
        for n in kept.first(from).. {
            let dts = kept.place(n);
            let end = MediaTime(dts.0.saturating_add(kept.len));
            if end.0 > to.0.saturating_add(JITTER) {
                return;
            }
            let data = kept.frame.clone();
            let sample = Sample { kind: Kind::Audio, dts, cts: 0, key: true, leading: false, data };
            self.inputs.push_back(Input::Sample(sample));
            if !run.silent {
                run.since = from;
            }
            (run.until, run.silent) = (Some(end), true);
        }
    }
}
