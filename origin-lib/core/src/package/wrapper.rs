//! One rendition's cuts, made into objects: boxes, encryption and names.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Kind, Object, Part, Rung, Settings};
use crate::captions::Captions;
use crate::keys;
use crate::media::{self, Cut, Tracks};
use crate::publish::Init;
use crate::scte35::Splice;
use crate::sound::{Language, Voice};
use crate::time::{MediaSpan, MediaTime};
use crate::{fmp4, object};

/// Makes one rendition's objects.
#[derive(Debug)]
pub struct Wrapper {
    pub(super) settings: Settings,
    /// The sound track that it makes objects of, where it is one of several.
    voice: Option<Voice>,
    /// The language that the stream says this is in.
    language: Option<Language>,
    /// The tracks of the init segment in force, and its name.
    init: Option<(Tracks, String)>,
    /// The key in force, and its period.
    key: Option<(u64, [u8; 16])>,
    objects: VecDeque<Object>,
}

impl Wrapper {
    /// One that has given nothing out yet.
    pub fn new(settings: Settings) -> Wrapper {
        Wrapper { settings, voice: None, language: None, init: None, key: None, objects: VecDeque::new() }
    }

    /// One for a sound track that is one of several.
    pub(super) fn of_voice(settings: Settings, voice: Voice) -> Wrapper {
        let settings =
            Settings { rendition: voice.rendition.clone(), part_ms: None, frames: false, ..settings };
        Wrapper { voice: Some(voice), ..Wrapper::new(settings) }
    }

    /// The stream says that its sound is in this language.
    pub(super) fn set_language(&mut self, language: Language) {
        if self.language.replace(language) != self.language {
            self.forget_init();
        }
    }

    /// A segment of a rung, which the source cut; behind its init segment where that is another one than before. It says which
    /// one it needs: no two encoders make the same of a picture, and of two origins' segments of one name any plays, if only its
    /// init segment is the same.
    pub fn rung(&mut self, cut: &Cut) {
        let rendition = self.settings.rendition.clone();
        let from = self.objects.len();
        let needs = self.begin(&cut.tracks);
        for init in self.objects.iter_mut().skip(from) {
            if let Kind::Init(of) = &init.kind {
                init.kind = Kind::Rung(rendition.clone(), Rung::Init(of.clone()));
            }
        }
        let Settings { channel, rendition: of, segment_ms, .. } = &self.settings;
        let name = object::segment_name(channel, of, cut.start, *segment_ms);
        let mut bytes = Vec::with_capacity(room(cut) + fmp4::INIT_NAMED_LEN_MAX);
        fmp4::segment(cut, fmp4::sequence(cut.start), &mut bytes);
        fmp4::name_init(&needs, &mut bytes);
        let bytes = self.sealed(bytes, cut.start);
        let (duration, captions) = (MediaSpan(i64::from(cut.duration)), Captions::of(cut));
        let kind = Kind::Rung(rendition, Rung::Segment { start: cut.start, duration, captions });
        self.objects.push_back(Object { name, bytes, kind });
    }

    /// The next object.
    pub fn poll(&mut self) -> Option<Object> {
        self.objects.pop_front()
    }

    /// What comes next begins with its init segment.
    pub fn forget_init(&mut self) {
        self.init = None;
    }

    /// A segment, behind its init segment where that is another one than before.
    pub(super) fn segment(&mut self, cut: &Cut, events: &[fmp4::Event], splices: Vec<Splice>) {
        self.begin(&cut.tracks);
        let (name, bytes) = self.sealed_segment(cut, events);
        let kind = Kind::Segment {
            start: cut.start,
            duration: MediaSpan(i64::from(cut.duration)),
            discontinuity: cut.discontinuity,
            dependent: cut.is_dependent(),
            captions: Captions::of(cut),
            splices,
        };
        self.objects.push_back(Object { name, bytes, kind });
        self.frame(cut);
    }

    /// The name and the bytes of a segment.
    fn sealed_segment(&mut self, cut: &Cut, events: &[fmp4::Event]) -> (String, Bytes) {
        let Settings { channel, rendition, segment_ms, .. } = &self.settings;
        let name = object::segment_name(channel, rendition, cut.start, *segment_ms);
        let sequence = fmp4::sequence(cut.start);
        (name, self.encrypted(cut, sequence, cut.start, events))
    }

    /// A segment's key frame, shown for as long as segments are meant to be: how long this one is, its playlist says.
    fn frame(&mut self, cut: &Cut) {
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
        fmp4::segment(&frame, fmp4::sequence(cut.start), &mut bytes);
        let bytes = self.sealed(bytes, cut.start);
        let kind = Kind::Frame(cut.start);
        self.objects.push_back(Object { name, bytes, kind });
    }

    /// A part, behind its init segment where that is another one than before.
    pub(super) fn part(&mut self, part: &media::Part, events: &[fmp4::Event]) {
        let media::Part { of, start, duration, cut, independent } = part;
        let init = self.begin(&cut.tracks);
        let Settings { channel, rendition, segment_ms, .. } = &self.settings;
        let name = object::part_name(channel, rendition, *of, *start, *segment_ms);
        let bytes = self.encrypted(cut, fmp4::sequence(*start), *of, events);
        let kind = Kind::Part(Part {
            of: *of,
            start: *start,
            duration: MediaSpan(i64::from(*duration)),
            discontinuity: cut.discontinuity,
            independent: *independent,
            init,
        });
        self.objects.push_back(Object { name, bytes, kind });
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
        let mut init = describe(tracks, object::init_name(channel, rendition, &bytes));
        let channels = tracks.audio.as_ref().map_or(0, |audio| audio.channels);
        init.sound = self.voice.as_ref().map(|voice| voice.told(self.language.as_ref(), channels));
        let name = init.name.clone();
        self.init = Some((tracks.clone(), name.clone()));
        let object = Object { name: name.clone(), bytes: bytes.into(), kind: Kind::Init(init) };
        self.objects.push_back(object);
        if self.settings.frames && tracks.video.is_some() {
            let bytes = fmp4::init(&only_video(tracks)).into();
            let (of, kind) = (object::frames_init_name(&name), Kind::FramesInit(name.clone()));
            self.objects.push_back(Object { name: of, bytes, kind });
        }
        name
    }

    /// The boxes of a cut, encrypted as one message with what belongs to the segment that starts at `of`.
    fn encrypted(&mut self, cut: &Cut, sequence: u32, of: MediaTime, events: &[fmp4::Event]) -> Bytes {
        let extra: usize = events.iter().map(|event| event.message.len() + 100).sum();
        let mut bytes = Vec::with_capacity(room(cut) + extra);
        fmp4::segment_with(cut, sequence, events, &mut bytes);
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
        sound: None,
    }
}
