//! From a channel's samples to objects: segments, boxes, encryption and names, in one walk.
//!
//! One packager lives as long as its channel, behind [`crate::programme`], which decides whose samples come here. It never
//! fails: bad input is counted and left out by the rooms it walks through.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::captions::Captions;
use crate::id::{ChannelId, RenditionId};
use crate::keys::{self, MasterSecret};
use crate::media::{self, Cut, Tracks};
use crate::publish::Init;
use crate::scte35::Splice;
use crate::segment::{self, Bound, Input, Segmenter};
use crate::time::{MediaSpan, MediaTime};
use crate::{fmp4, object};

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
    /// The encoder's key frames are too far apart.
    Forced(Bound),
}

/// Makes one channel's objects.
#[derive(Debug)]
pub struct Packager {
    settings: Settings,
    segmenter: Segmenter,
    /// The tracks of the init segment in force, and its name.
    init: Option<(Tracks, String)>,
    /// The key in force, and its period.
    key: Option<(u64, [u8; 16])>,
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
        Packager {
            segmenter: match settings.part_ms {
                Some(part_ms) => segmenter.with_parts(part_ms),
                None => segmenter,
            },
            settings,
            init: None,
            key: None,
            end: not_before,
            events: Vec::new(),
            splices: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes what goes into a segmenter.
    pub fn handle(&mut self, input: Input) {
        self.segmenter.handle(input);
        self.collect();
    }

    /// Media has ended, for now or for good: what is open becomes a last segment. What comes later begins with its init
    /// segment, so that a recording that begins there has it.
    pub fn finish(&mut self) {
        self.segmenter.finish();
        self.collect();
        self.init = None;
    }

    /// The same, but what is open becomes nothing.
    pub fn abandon(&mut self) {
        self.segmenter.abandon();
        self.init = None;
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
        if self.splices.iter().any(|(known, _)| known.is_same(&splice)) {
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

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The end of what was cut so far: nothing later may lie before it.
    pub fn end(&self) -> MediaTime {
        self.end
    }

    /// The parameters of the samples that come.
    pub fn tracks(&self) -> &Tracks {
        self.segmenter.tracks()
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
        self.segmenter.counts()
    }

    fn collect(&mut self) {
        while let Some(event) = self.segmenter.poll() {
            match event {
                segment::Event::Part(part) => self.package_part(&part),
                segment::Event::Cut(cut) => self.package(&cut),
                segment::Event::Forced(bound) => self.outputs.push_back(Output::Forced(bound)),
            }
        }
    }

    fn package(&mut self, cut: &Cut) {
        self.end = self.end.max(cut.end());
        self.begin(&cut.tracks);
        let Settings { channel, rendition, segment_ms, .. } = &self.settings;
        let name = object::segment_name(channel, rendition, cut.start, *segment_ms);
        let bytes = self.encrypted(cut, fmp4::sequence(cut.start, self.settings.segment_ms), cut.start);
        let kind = Kind::Segment {
            start: cut.start,
            duration: MediaSpan(i64::from(cut.duration)),
            discontinuity: cut.discontinuity,
            captions: Captions::of(cut),
            splices: self.splices(cut),
        };
        self.outputs.push_back(Output::Object(Object { name, bytes, kind }));
        self.package_frame(cut);
    }

    /// A segment's key frame, shown for as long as segments are meant to be: how long this one is, its playlist says.
    fn package_frame(&mut self, cut: &Cut) {
        let Some(key) = cut.video.first().filter(|sample| self.settings.frames && sample.key) else { return };
        let Settings { channel, rendition, segment_ms, .. } = &self.settings;
        let segment = object::segment_name(channel, rendition, cut.start, *segment_ms);
        let name = object::frame_name(&segment);
        let usual = MediaSpan::from_ms(i64::from(*segment_ms));
        let frame = Cut {
            start: cut.start,
            duration: u32::try_from(usual.0).unwrap_or(u32::MAX),
            tracks: only_video(&cut.tracks),
            video: Vec::from([key.clone()]),
            video_end: key.dts + usual,
            ..Cut::default()
        };
        let mut bytes = Vec::with_capacity(room(&frame));
        fmp4::segment(&frame, fmp4::sequence(cut.start, *segment_ms), &mut bytes);
        let bytes = self.sealed(bytes, cut.start);
        let kind = Kind::Frame(cut.start);
        self.outputs.push_back(Output::Object(Object { name, bytes, kind }));
    }

    fn package_part(&mut self, part: &media::Part) {
        let media::Part { of, cut, independent } = part;
        let init = self.begin(&cut.tracks);
        let Settings { channel, rendition, segment_ms, .. } = &self.settings;
        let name = object::part_name(channel, rendition, *of, cut.start, *segment_ms);
        let bytes = self.encrypted(cut, fmp4::part_sequence(cut.start), *of);
        let kind = Kind::Part(Part {
            of: *of,
            start: cut.start,
            duration: MediaSpan(i64::from(cut.duration)),
            discontinuity: cut.discontinuity,
            independent: *independent,
            init,
        });
        self.outputs.push_back(Output::Object(Object { name, bytes, kind }));
    }

    /// Gives out the init segment of these tracks where another one, or none, is in force; returns its name.
    fn begin(&mut self, tracks: &Tracks) -> String {
        if let Some((of, name)) = &self.init
            && of == tracks
        {
            return name.clone();
        }
        let bytes = fmp4::init(tracks);
        let Settings { channel, rendition, .. } = &self.settings;
        let init = describe(tracks, object::init_name(channel, rendition, &bytes));
        let name = init.name.clone();
        self.init = Some((tracks.clone(), name.clone()));
        let object = Object { name: name.clone(), bytes: bytes.into(), kind: Kind::Init(init) };
        self.outputs.push_back(Output::Object(object));
        if self.settings.frames && tracks.video.is_some() {
            let bytes = fmp4::init(&only_video(tracks)).into();
            let (of, kind) = (object::frames_init_name(&name), Kind::FramesInit(name.clone()));
            self.outputs.push_back(Output::Object(Object { name: of, bytes, kind }));
        }
        name
    }

    /// The boxes of a cut, encrypted as one message with what belongs to the segment that starts at `of`.
    fn encrypted(&mut self, cut: &Cut, sequence: u32, of: MediaTime) -> Bytes {
        let events = self.events(cut);
        let extra: usize = events.iter().map(|event| event.message.len() + 100).sum();
        let mut bytes = Vec::with_capacity(room(cut) + extra);
        fmp4::segment_with(cut, sequence, &events, &mut bytes);
        self.sealed(bytes, of)
    }

    /// One message with what belongs to the segment that starts at `of`.
    fn sealed(&mut self, mut bytes: Vec<u8>, of: MediaTime) -> Bytes {
        let Settings { channel, key_period_s, secret, .. } = &self.settings;
        let period = keys::period(of, *key_period_s);
        let key = match self.key {
            Some((of, key)) if of == period => key,
            _ => secret.content_key(channel, period),
        };
        self.key = Some((period, key));
        keys::encrypt(&key, &keys::iv(channel, period), &mut bytes);
        bytes.into()
    }
}

fn only_video(tracks: &Tracks) -> Tracks {
    Tracks { video: tracks.video.clone(), audio: None }
}

/// At least as many bytes as the encrypted segment takes: its media, 16 bytes a sample in the boxes, and what there is
/// once. One allocation then serves boxes and padding.
fn room(cut: &Cut) -> usize {
    let samples = || cut.video.iter().chain(&cut.audio);
    512 + samples().map(|sample| sample.data.len() + 16).sum::<usize>()
}

fn describe(tracks: &Tracks, name: String) -> Init {
    let video = tracks.video.as_ref();
    let codecs = match (video, &tracks.audio) {
        (Some(video), Some(audio)) => format!("{},{}", video.codec, audio.codec),
        (Some(video), None) => video.codec.clone(),
        (None, Some(audio)) => audio.codec.clone(),
        (None, None) => String::new(),
    };
    Init {
        name,
        codecs,
        width: video.map_or(0, |video| video.width),
        height: video.map_or(0, |video| video.height),
        frame_rate_milli: video.and_then(|video| video.frame_rate_milli).unwrap_or(0),
        range: video.and_then(|video| Some(video.colour?.range())).unwrap_or_default(),
    }
}
