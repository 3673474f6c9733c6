//! From a channel's samples to objects: segments, boxes, encryption and names, in one walk.
//!
//! One packager lives as long as its channel, behind [`crate::programme`], which decides whose samples come here. It never
//! fails: bad input is counted and left out by the rooms it walks through.

mod views;
mod voices;
mod wrapper;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::captions::Captions;
use crate::fmp4;
use crate::id::{ChannelId, RenditionId};
use crate::keys::MasterSecret;
use crate::media::{self, AudioConfig, Cut, Tracks, VideoConfig};
use crate::publish::Init;
use crate::scte35::{self, Splice};
use crate::segment::{self, Bound, Input, Segmenter};
use crate::silence::Silence;
use crate::sound::{Language, Voice};
use crate::time::{MediaSpan, MediaTime};

use views::Views;
use voices::{Made, Voices};
pub use wrapper::Wrapper;

/// What a channel's packager needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The channel.
    pub channel: ChannelId,
    /// The rendition that the feed becomes.
    pub rendition: RenditionId,
    /// Segment duration in milliseconds.
    pub segment_ms: u32,
    /// The longest part in milliseconds, where the channel is one of low latency.
    pub part_ms: Option<u32>,
    /// Each segment's key frame is an object as well, for playlists of I-frames.
    pub frames: bool,
    /// Key period in seconds.
    pub key_period_s: u32,
    /// Where content keys come from.
    pub secret: MasterSecret,
}

/// A finished object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its bytes: encrypted where it is media.
    pub bytes: Bytes,
    /// What it is.
    pub kind: Kind,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An init segment; segments from here on need it.
    Init(Init),
    /// The init segment of the key frames of the segments that need the one of this name, which came before it.
    FramesInit(String),
    /// A segment.
    Segment {
        /// Where it starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// The timeline or the parameters do not go on from the segment before.
        discontinuity: bool,
        /// It begins with a picture that refers to some before it.
        dependent: bool,
        /// Which closed captions it has.
        captions: Captions,
        /// What was said during it of splices, for the first time.
        splices: Vec<Splice>,
    },
    /// The key frame with which the segment begins that starts here and came before it: a message of its own, encrypted with
    /// the segment's key and IV. It is the same where the segment was cut short.
    Frame(MediaTime),
    /// A part of a segment that follows; a message of its own, encrypted with the segment's key and IV.
    Part(Part),
    /// An object of a rung: of a further rendition, which is cut where the source is.
    Rung(RenditionId, Rung),
}

/// What an object of a rung is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rung {
    /// An init segment; the rung's segments from here on need it.
    Init(Init),
    /// What the rung has in the place of the source's segment that starts here.
    Segment {
        /// Where it starts.
        start: MediaTime,
        /// How long it is: as long as the source's.
        duration: MediaSpan,
        /// Which closed captions it has.
        captions: Captions,
    },
}

/// What is to be known of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where its segment starts.
    pub of: MediaTime,
    /// Where it starts itself.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// The timeline or the parameters do not go on from the segment before its own.
    pub discontinuity: bool,
    /// It begins with a random access point.
    pub independent: bool,
    /// The name of the init segment that it needs.
    pub init: String,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object.
    Object(Object),
    /// The encoder's key frames are too far apart, or its pictures have ended.
    Forced(Bound),
    /// The segment that came before, as it was cut; only where [`Packager::with_cuts`] asks for it.
    Cut(Box<Cut>),
    /// This rung will have nothing in the place of the source's segment that starts here.
    Lost(RenditionId, MediaTime),
}

/// Makes one channel's objects.
#[derive(Debug)]
pub struct Packager {
    wrapper: Wrapper,
    /// The rung that has the sound alone.
    sound: Option<Wrapper>,
    /// Sound tracks beside the pictures.
    voices: Voices,
    /// Further tracks of pictures.
    views: Views,
    cuts: bool,
    silence: Silence,
    segmenter: Segmenter,
    end: MediaTime,
    /// By their times.
    events: Vec<fmp4::Event>,
    /// What was said of splices lately, and whether a segment has it.
    splices: VecDeque<(Splice, bool)>,
    outputs: VecDeque<Output>,
}

/// The most events of a segment.
const EVENTS_MAX: usize = 8;

/// So much of what was said of splices lately is known again.
const SPLICES_MAX: usize = 64;

impl Packager {
    /// A packager for a channel whose media was cut up to `not_before` already: the [`Packager::end`] of before a restart,
    /// zero where there is none.
    pub fn new(settings: Settings, not_before: MediaTime) -> Packager {
        let segmenter = Segmenter::after(settings.segment_ms, not_before);
        let mut silence = Silence::default();
        if settings.part_ms.is_some() {
            silence.in_parts();
        }
        Packager {
            segmenter: match settings.part_ms {
                Some(part_ms) => segmenter.with_parts(part_ms),
                None => segmenter,
            },
            wrapper: Wrapper::new(settings),
            sound: None,
            voices: Voices::default(),
            views: Views::default(),
            cuts: false,
            silence,
            end: not_before,
            events: Vec::new(),
            splices: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The same, which makes a rung of this name as well: the sound alone, for poor connections.
    pub fn with_sound(mut self, rendition: RenditionId) -> Packager {
        let settings = Settings { rendition, part_ms: None, frames: false, ..self.wrapper.settings.clone() };
        self.sound = Some(Wrapper::new(settings));
        self
    }

    /// The same, which makes a rung of each of these sound tracks, and leaves sound out of the source where that has pictures.
    pub fn with_voices(mut self, voices: Vec<Voice>) -> Packager {
        self.voices = Voices::new(&self.wrapper.settings, voices);
        self
    }

    /// The same, which makes a rung of each of these tracks of pictures: its number, and the rung's name.
    pub fn with_views(mut self, views: Vec<(u8, RenditionId)>) -> Packager {
        self.views = Views::new(&self.wrapper.settings, views);
        self
    }

    /// The same, which gives out each cut as well, for who makes further rungs of it.
    pub fn with_cuts(mut self) -> Packager {
        self.cuts = true;
        self
    }

    /// The same, whose pictures have a silent track beside them as long as there was no sound.
    pub fn with_silence(mut self) -> Packager {
        self.silence.from_the_start();
        self
    }

    /// Before a restart, the channel had this sound: where its feed has none now, silence of that kind goes on.
    pub fn had_sound(&mut self, config: &AudioConfig) {
        self.silence.had(config);
    }

    /// Takes what goes into a segmenter.
    pub fn handle(&mut self, input: Input) {
        if self.silence.was_premature(&input) && self.segmenter.take_back_sound() {
            self.silence.take_back();
        }
        if let Some(from) = self.silence.in_place_of(&input) {
            self.silence.taken_back(self.segmenter.take_back_sound_from(from));
        }
        self.silence.handle(input);
        self.segment();
        self.collect();
    }

    fn segment(&mut self) {
        while let Some(input) = self.silence.poll() {
            self.segmenter.handle(input);
        }
    }

    /// Further tracks are another feed's from here on, which has those of sound that `has` says, as far as is known. `again`: it
    /// is the same feed, which sends again what it had sent.
    pub fn further_feed(&mut self, again: bool, has: impl Fn(u8) -> bool) {
        self.voices.feed(has);
        if !again {
            self.views.feed();
        }
    }

    /// The parameters of a sound track that is not the first, from here on.
    pub fn further_audio(&mut self, track: u8, config: AudioConfig) {
        self.voices.config(track, config);
    }

    /// The parameters of a track of pictures that is not the first, from here on.
    pub fn further_video(&mut self, track: u8, config: VideoConfig) {
        self.views.config(track, config);
        self.give();
    }

    /// A sample of a track that is not the first of its kind, on the same timeline. One that lies before what came is left out.
    pub fn further_sample(&mut self, track: u8, sample: media::Sample) {
        match sample.kind {
            media::Kind::Video => self.views.sample(track, sample),
            media::Kind::Audio => self.voices.sample(track, sample),
        }
        self.give();
    }

    /// The stream says that a sound track is in this language.
    pub fn language(&mut self, track: u8, language: Language) {
        self.voices.language(track, language);
    }

    /// Media has ended, for now or for good: what is open becomes a last segment. What comes later begins with its init
    /// segment, so that a recording that begins there has it.
    pub fn finish(&mut self) {
        self.silence.finish();
        self.segment();
        self.segmenter.finish();
        self.collect();
        self.voices.finish();
        self.views.finish();
        self.give();
        self.forget_inits();
    }

    /// The same, but what is open becomes nothing.
    pub fn abandon(&mut self) {
        self.silence.abandon();
        self.segmenter.abandon();
        self.voices.abandon();
        self.views.abandon();
        self.forget_inits();
    }

    fn forget_inits(&mut self) {
        [Some(&mut self.wrapper), self.sound.as_mut()].into_iter().flatten().for_each(Wrapper::forget_init);
    }

    /// What goes into segments beside the media from now on, by its times: at a segment's start what is in force there, and
    /// whatever comes in it, at most eight. The bytes of a segment depend then on when this was called: only for a
    /// channel of one origin.
    pub fn set_events(&mut self, mut events: Vec<fmp4::Event>) {
        events.sort_by_key(|event| event.at);
        self.events = events;
    }

    /// Something is said of a splice: what has not been said before goes with the segment that is cut behind it.
    pub fn splice(&mut self, splice: Splice) {
        if !splice.is_near() || !scte35::is_new(self.splices.iter().map(|(known, _)| known), &splice) {
            return;
        }
        if self.splices.len() >= SPLICES_MAX {
            self.splices.pop_front();
        }
        self.splices.push_back((splice, false));
    }

    /// What goes with a cut.
    fn splices(&mut self, cut: &Cut) -> Vec<Splice> {
        let end = cut.end();
        let new = self.splices.iter_mut().filter(|(splice, told)| !told && splice.said < end);
        let told = new.map(|(splice, told)| {
            *told = true;
            splice.clone()
        });
        told.collect()
    }

    /// The events of a cut.
    fn events(&self, cut: &Cut) -> Vec<fmp4::Event> {
        let next = self.events.partition_point(|event| event.at <= cut.start);
        let in_force = next.checked_sub(1).and_then(|at| self.events.get(at));
        let in_force = in_force.map(|event| fmp4::Event { at: cut.start, ..event.clone() });
        let coming = self.events.iter().skip(next).take_while(|event| event.at < cut.end());
        in_force.into_iter().chain(coming.cloned()).take(EVENTS_MAX).collect()
    }

    /// What playlists promise from now on of how long segments are ([`Segmenter::set_target`]).
    pub fn set_target(&mut self, target_s: Option<u32>) {
        self.segmenter.set_target(target_s);
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The end of what was cut so far: nothing later may lie before it.
    pub fn end(&self) -> MediaTime {
        self.end
    }

    /// Whether samples of a feed of these parameters go on with those that came: a track of sound that it lacks is silent.
    pub fn is_of(&self, tracks: &Tracks) -> bool {
        !self.silence.is_changing() && self.silence.filled(tracks) == *self.segmenter.tracks()
    }

    /// Whether the channel had sound, and there is silence now in its place.
    pub fn is_silent(&self) -> bool {
        self.silence.is_silent()
    }

    /// From where on samples may be of use: those that wait for a cut may come again.
    pub fn from(&self) -> MediaTime {
        self.segmenter.open_from().map_or(self.end, |from| from.min(self.end))
    }

    /// Whether this very sample waits for a cut.
    pub fn is_open(&self, sample: &media::Sample) -> bool {
        self.segmenter.is_open(sample)
    }

    /// What was left out so far.
    pub fn counts(&self) -> segment::Counts {
        let counts = self.segmenter.counts();
        segment::Counts { unusable: counts.unusable + self.silence.late(), ..counts }
    }

    fn collect(&mut self) {
        while let Some(event) = self.segmenter.poll() {
            match event {
                segment::Event::Part(part) => {
                    let events = self.events(&part.cut);
                    self.wrapper.part(&part, &events);
                    self.give();
                }
                segment::Event::Cut(cut) => self.package(cut),
                segment::Event::Forced(bound) => self.outputs.push_back(Output::Forced(bound)),
            }
        }
    }

    fn package(&mut self, mut cut: Box<Cut>) {
        self.end = self.end.max(cut.end());
        let (events, splices) = (self.events(&cut), self.splices(&cut));
        if self.voices.are_any() && cut.tracks.video.is_some() {
            let of = cut.clone();
            (cut.tracks.audio, cut.audio) = (None, Vec::new());
            self.wrapper.segment(&cut, &events, splices);
            self.give();
            self.voices.cut(&of);
        } else {
            self.wrapper.segment(&cut, &events, splices);
        }
        if let Some(sound) = &mut self.sound {
            match only_audio(&cut) {
                Some(alone) => sound.rung(&alone),
                // What is shorter than a frame of sound may have none, and nobody should wait for it.
                None if cut.tracks.video.is_some() && cut.tracks.audio.is_some() => {
                    let rendition = sound.settings.rendition.clone();
                    self.outputs.push_back(Output::Lost(rendition, cut.start));
                }
                None => {}
            }
        }
        self.views.cut(&cut);
        self.give();
        if self.cuts {
            self.outputs.push_back(Output::Cut(cut));
        }
    }

    fn give(&mut self) {
        for wrapper in [Some(&mut self.wrapper), self.sound.as_mut()].into_iter().flatten() {
            while let Some(object) = wrapper.poll() {
                self.outputs.push_back(Output::Object(object));
            }
        }
        while let Some(made) = self.voices.poll().or_else(|| self.views.poll()) {
            self.outputs.push_back(match made {
                Made::Object(object) => Output::Object(object),
                Made::Lost(rendition, start) => Output::Lost(rendition, start),
            });
        }
    }
}

/// The sound of a cut that has a picture as well; `None` where there is nothing to leave out, or nothing left.
fn only_audio(cut: &Cut) -> Option<Cut> {
    let tracks = Tracks { video: None, audio: Some(cut.tracks.audio.clone()?) };
    let some = cut.tracks.video.is_some() && !cut.audio.is_empty();
    some.then(|| Cut {
        tracks,
        start: cut.start,
        duration: cut.duration,
        discontinuity: cut.discontinuity,
        audio: cut.audio.clone(),
        audio_end: cut.audio_end,
        ..Cut::default()
    })
}

#[cfg(test)]
mod tests;
