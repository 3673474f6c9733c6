//! From a feed's frames to objects: timeline, segments, boxes, encryption and names, in one walk.
//!
//! One packager lives as long as one publish of a feed. It says what must be known of the feed as it goes
//! ([`Output::Note`]) and never fails: bad input is counted and left out by the rooms it walks through.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{ChannelId, RenditionId};
use crate::keys::{self, MasterSecret};
use crate::media::{Cut, FeedEvent, Tracks};
use crate::publish::Init;
use crate::segment::{self, Bound, Input, Segmenter};
use crate::time::{MediaSpan, MediaTime, UtcMs};
use crate::timeline::{self, Anchor, Timeline};
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
    /// A segment.
    Segment {
        /// Where it starts.
        start: MediaTime,
        /// How long it is.
        duration: MediaSpan,
        /// The timeline or the parameters do not go on from the segment before.
        discontinuity: bool,
    },
}

/// Something that the crew should read in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The feed's clock is tied to the world's.
    Anchored(Anchor),
    /// The feed's clock jumped; the timeline begins again at this anchor.
    Jumped(Anchor),
    /// The encoder's key frames are too far apart.
    Forced(Bound),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object.
    Object(Object),
    /// A note.
    Note(Note),
}

/// What was left out or moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By the timeline.
    pub timeline: timeline::Counts,
    /// By the segmenter.
    pub segment: segment::Counts,
}

/// Makes one publish's objects.
#[derive(Debug)]
pub struct Packager {
    settings: Settings,
    not_before: MediaTime,
    timeline: Option<Timeline>,
    segmenter: Segmenter,
    /// The tracks of the init segment in force.
    tracks: Option<Tracks>,
    /// The key in force, and its period.
    key: Option<(u64, [u8; 16])>,
    end: MediaTime,
    outputs: VecDeque<Output>,
}

impl Packager {
    /// A packager for a publish whose media must not lie before `not_before`: the [`Packager::end`] of the one before,
    /// zero where there was none.
    pub fn new(settings: Settings, not_before: MediaTime) -> Packager {
        Packager {
            segmenter: Segmenter::new(settings.segment_ms),
            settings,
            not_before,
            timeline: None,
            tracks: None,
            key: None,
            end: not_before,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what a demultiplexer told, at the time when it arrived.
    pub fn handle(&mut self, event: FeedEvent, now: UtcMs) {
        match event {
            FeedEvent::Video(config) => self.segmenter.handle(Input::Video(config)),
            FeedEvent::Audio(config) => self.segmenter.handle(Input::Audio(config)),
            FeedEvent::Frame(frame) => {
                let timeline = self.timeline.get_or_insert_with(|| {
                    let timeline = Timeline::new(Anchor::from_arrival(&frame, now), self.not_before);
                    self.outputs.push_back(Output::Note(Note::Anchored(timeline.anchor())));
                    timeline
                });
                timeline.handle(frame, now);
                while let Some(event) = timeline.poll() {
                    match event {
                        timeline::Event::Sample(sample) => self.segmenter.handle(Input::Sample(sample)),
                        timeline::Event::Jumped(anchor) => {
                            self.segmenter.handle(Input::Discontinuity);
                            self.outputs.push_back(Output::Note(Note::Jumped(anchor)));
                        }
                    }
                }
            }
        }
        self.collect();
    }

    /// The publish has ended: what is open becomes a last segment.
    pub fn finish(&mut self) {
        self.segmenter.finish();
        self.collect();
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The end of what was cut so far: nothing later may lie before it.
    pub fn end(&self) -> MediaTime {
        self.end
    }

    /// What was left out so far.
    pub fn counts(&self) -> Counts {
        let timeline = self.timeline.as_ref().map(Timeline::counts).unwrap_or_default();
        Counts { timeline, segment: self.segmenter.counts() }
    }

    fn collect(&mut self) {
        while let Some(event) = self.segmenter.poll() {
            match event {
                segment::Event::Cut(cut) => self.package(&cut),
                segment::Event::Forced(bound) => self.outputs.push_back(Output::Note(Note::Forced(bound))),
            }
        }
    }

    fn package(&mut self, cut: &Cut) {
        let Settings { channel, rendition, segment_ms, key_period_s, secret } = &self.settings;
        self.end = self.end.max(cut.end());
        let changed = self.tracks.as_ref() != Some(&cut.tracks);
        if changed {
            let bytes = fmp4::init(&cut.tracks);
            let init = describe(&cut.tracks, object::init_name(channel, rendition, &bytes));
            let (name, bytes) = (init.name.clone(), bytes.into());
            self.outputs.push_back(Output::Object(Object { name, bytes, kind: Kind::Init(init) }));
            self.tracks = Some(cut.tracks.clone());
        }
        let mut bytes = Vec::with_capacity(room(cut));
        fmp4::segment(cut, fmp4::sequence(cut.start, *segment_ms), &mut bytes);
        let period = keys::period(cut.start, *key_period_s);
        let key = match self.key {
            Some((of, key)) if of == period => key,
            _ => secret.content_key(channel, period),
        };
        self.key = Some((period, key));
        keys::encrypt(&key, &keys::iv(channel, period), &mut bytes);
        let kind = Kind::Segment {
            start: cut.start,
            duration: MediaSpan(i64::from(cut.duration)),
            discontinuity: cut.discontinuity,
        };
        let name = object::segment_name(channel, rendition, cut.start, *segment_ms);
        self.outputs.push_back(Output::Object(Object { name, bytes: bytes.into(), kind }));
    }
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
    }
}
