//! From access units to frames.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::clock::{Clock, Place};
use super::{Codec, Error, Unit};
use crate::codec::byte_stream::{Coding, Reader};
use crate::codec::{ConfigError, av1, opus};
use crate::media::{AudioConfig, FeedEvent, Frame, Kind, VideoConfig};
use crate::time::{MEDIA_HZ, UtcMs};

/// The longest access unit that is taken: 8 MiB.
pub const UNIT_LEN_MAX: usize = 8 << 20;

/// Ticks of a millisecond.
const MS: i64 = MEDIA_HZ as i64 / 1000;

/// An encoder that sends so many key frames in a row without their parameters, none of which lost anything, sends them once.
const BARE_MIN: u8 = 2;

/// What an encoder of Opus for WebRTC puts before the first sample, in samples (RFC 7845, 4.2).
const PRE_SKIP: u16 = 312;

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Places where a picture is missing.
    pub gaps: u64,
    /// Pictures that nobody can decode: those behind a gap, up to the next key frame.
    pub undecodable: u64,
    /// Units that made no sense.
    pub damaged: u64,
    /// Times that a track's timestamps jumped.
    pub jumps: u64,
}

/// Turns the access units of two tracks into frames and parameters.
///
/// `handle` a unit, then `poll` until `None`. An [`Error::Skip`] says that something was no use, and nothing else is lost. A
/// stream that can't be used gives [`Error::Refuse`].
#[derive(Debug, Default)]
pub struct Demux {
    clock: Clock,
    /// The parameter sets of H.264 that were agreed on.
    agreed: Bytes,
    video: Option<Video>,
    audio: Option<AudioConfig>,
    /// No sound that begins earlier is used.
    audio_from: i64,
    /// Where the last picture was decoded, where the last packet of sound began and where it ends.
    video_last: Option<i64>,
    audio_last: Option<i64>,
    audio_end: i64,
    outputs: VecDeque<Result<FeedEvent, Error>>,
    counts: Counts,
}

/// A track of pictures of one codec.
#[derive(Debug)]
struct Video {
    codec: Codec,
    reader: Reader,
    av1: Option<VideoConfig>,
    /// Nothing is used before a key frame that is certainly whole.
    awaits: bool,
    /// Key frames bring their parameters with them.
    in_band: bool,
    /// So many whole ones in a row did not.
    bare: u8,
    /// They came in a unit of their own, right before this one.
    sets: bool,
    /// Parameters that no picture was told with yet.
    config: Option<VideoConfig>,
}

/// A picture that can be used.
struct Picture {
    config: Option<VideoConfig>,
    key: bool,
    data: Bytes,
}

impl Demux {
    /// A demultiplexer at the start of a feed.
    pub fn new() -> Demux {
        Demux::default()
    }

    /// The same, whose pictures in H.264 have these parameter sets, NAL units, until they bring others.
    pub fn with_parameter_sets(mut self, sets: &[Bytes]) -> Demux {
        let begin: &[u8] = &[0, 0, 0, 1];
        self.agreed = sets.iter().flat_map(|set| [begin, set]).collect::<Vec<_>>().concat().into();
        self
    }

    /// Takes the next unit, which arrived now.
    pub fn handle(&mut self, unit: Unit, arrived: UtcMs) {
        let kind = unit.codec.kind();
        if unit.data.len() > UNIT_LEN_MAX {
            self.skip("an access unit of more than 8 MiB");
            self.lost(kind);
            return;
        }
        let place = self.clock.place(kind, (unit.time, unit.codec.clock_hz()), unit.report, arrived);
        let begun = match kind {
            Kind::Video => self.video_last.is_some(),
            Kind::Audio => self.audio.is_some(),
        };
        if place.anew && begun {
            self.counts.jumps += 1;
        }
        match kind {
            Kind::Video => self.video(unit, place),
            Kind::Audio => self.audio(unit, place),
        }
    }

    /// The encoder begins this track anew: what comes next has other timestamps, and needs nothing of what came.
    pub fn begins_anew(&mut self, kind: Kind) {
        self.clock.break_off(kind);
        self.lost(kind);
    }

    /// The next event, or why there is none.
    pub fn poll(&mut self) -> Option<Result<FeedEvent, Error>> {
        self.outputs.pop_front()
    }

    /// Whether nothing of the picture can be used until a key frame comes.
    pub fn awaits_key(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.awaits)
    }

    /// What was left out so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn skip(&mut self, what: &'static str) {
        self.counts.damaged += 1;
        self.outputs.push_back(Err(Error::Skip(what)));
    }

    fn lost(&mut self, kind: Kind) {
        if let Some(video) = self.video.as_mut().filter(|_| kind == Kind::Video) {
            video.awaits = true;
        }
    }

    fn video(&mut self, unit: Unit, place: Place) {
        if self.video.as_ref().is_none_or(|video| video.codec != unit.codec) {
            self.video = Some(Video::new(unit.codec, &self.agreed));
        }
        let Some(video) = self.video.as_mut() else { return };
        if !unit.follows && !video.awaits {
            video.awaits = true;
            self.counts.gaps += 1;
        }
        match video.read(&unit.data, unit.follows) {
            Ok(Some(picture)) => {
                if let Some(config) = picture.config {
                    self.outputs.push_back(Ok(FeedEvent::Video(config)));
                }
                let frame = self.picture(picture.key, picture.data, place.at);
                self.outputs.push_back(Ok(FeedEvent::Frame(frame)));
            }
            Ok(None) => self.counts.undecodable += 1,
            Err(error) => {
                self.lost(Kind::Video);
                match error {
                    ConfigError::Malformed(what) => self.skip(what),
                    refused => {
                        let begun = self.video_last.is_some();
                        let error =
                            if begun { Error::Skip("pictures that nobody can play") } else { refused.into() };
                        self.counts.damaged += u64::from(begun);
                        self.outputs.push_back(Err(error));
                    }
                }
            }
        }
    }

    /// A frame that is shown exactly then, and decoded at a whole millisecond, behind the one before.
    fn picture(&mut self, key: bool, data: Bytes, at: i64) -> Frame {
        let after = self.video_last.map_or(i64::MIN, |last| last.saturating_add(MS));
        let dts_ms = at.max(after).div_euclid(MS);
        self.video_last = Some(dts_ms.saturating_mul(MS));
        let cts = at.saturating_sub(dts_ms.saturating_mul(MS));
        let cts = i32::try_from(cts).unwrap_or(if cts < 0 { i32::MIN } else { i32::MAX });
        Frame { kind: Kind::Video, dts_ms, cts, key, leading: false, data }
    }

    fn audio(&mut self, unit: Unit, place: Place) {
        let Some(len) = opus::packet_len(&unit.data) else {
            self.skip("sound that is no packet of Opus");
            return;
        };
        if place.moved || place.anew {
            self.audio_from = self.audio_end;
        }
        if place.at < self.audio_from {
            // It moved back, over what is there already.
            return;
        }
        let dts_ms = place.at.div_euclid(MS);
        if self.audio_last.is_some_and(|last| dts_ms <= last) {
            self.skip("sound whose time goes back");
            return;
        }
        self.audio_last = Some(dts_ms);
        if self.audio.is_none() {
            match opus::config(&stereo()) {
                Ok(config) => {
                    self.audio = Some(config.clone());
                    self.outputs.push_back(Ok(FeedEvent::Audio(config)));
                }
                Err(error) => {
                    self.outputs.push_back(Err(error.into()));
                    return;
                }
            }
        }
        let ticks = i64::from(len) * i64::from(MEDIA_HZ) / i64::from(opus::SAMPLE_RATE);
        self.audio_end = place.at.saturating_add(ticks);
        let frame = Frame { kind: Kind::Audio, dts_ms, cts: 0, key: true, leading: false, data: unit.data };
        self.outputs.push_back(Ok(FeedEvent::Frame(frame)));
    }
}

impl Video {
    fn new(codec: Codec, agreed: &[u8]) -> Video {
        let mut reader = Reader::new(Coding::Avc);
        // What makes no sense in what was agreed on may be said by the pictures.
        let config = reader.read(agreed).ok().and_then(|read| read.config);
        Video { codec, reader, av1: None, awaits: true, in_band: false, bare: 0, sets: false, config }
    }

    /// What a unit is; `None` where nobody can decode it.
    fn read(&mut self, unit: &Bytes, follows: bool) -> Result<Option<Picture>, ConfigError> {
        match self.codec {
            Codec::Av1 => self.read_av1(unit),
            Codec::H264 | Codec::Opus => self.read_avc(unit, follows),
        }
    }

    fn read_avc(&mut self, unit: &Bytes, follows: bool) -> Result<Option<Picture>, ConfigError> {
        // Two pictures are the two fields of a frame.
        const PICTURES_MAX: usize = 2;
        let sets = core::mem::take(&mut self.sets) && follows;
        let read = self.reader.read(unit)?;
        self.config = read.config.or(self.config.take());
        let has_sequence = read.has_sequence || sets;
        // An encoder may send them in a unit of their own, though they belong to the key frame's (RFC 6184, 5.1).
        self.sets = has_sequence && read.pictures == 0;
        // Where they come with one key frame and not with the next, that one lost its begin; unless none has lost anything, as
        // from an encoder that sends them once.
        if has_sequence {
            (self.in_band, self.bare) = (true, 0);
        } else if read.picture.key && follows {
            self.bare = self.bare.saturating_add(1);
            self.in_band &= self.bare < BARE_MIN;
        }
        if read.pictures > PICTURES_MAX {
            return Err(ConfigError::Malformed("several pictures of one time"));
        }
        let whole = has_sequence || (!self.in_band && follows);
        let begins = read.picture.key && whole && self.reader.is_configured() && read.pictures > 0;
        if !self.is_usable(begins) || read.pictures == 0 {
            return Ok(None);
        }
        Ok(Some(Picture { config: self.config.take(), key: read.picture.key, data: read.data }))
    }

    fn read_av1(&mut self, unit: &Bytes) -> Result<Option<Picture>, ConfigError> {
        const CUT: ConfigError = ConfigError::Malformed("OBUs whose lengths do not add up");
        let (data, picture) = av1::picture(unit).ok_or(CUT)?;
        let record = av1::record(&data);
        let begins = picture.key && record.is_some();
        if !self.is_usable(begins) || data.is_empty() {
            return Ok(None);
        }
        let config = match record.filter(|_| picture.key) {
            Some(record) if self.av1.as_ref().is_none_or(|known| known.record != record) => {
                let config = av1::config(&record)?;
                self.av1 = Some(config.clone());
                Some(config)
            }
            _ => None,
        };
        Ok(Some(Picture { config, key: picture.key, data }))
    }

    /// Whether a unit can be decoded. `begins`: it is a key frame that is certainly whole.
    fn is_usable(&mut self, begins: bool) -> bool {
        self.awaits &= !begins;
        !self.awaits
    }
}

/// The identification header that says what WebRTC agrees on (RFC 7587, 7): what is mono is decoded as stereo, too.
fn stereo() -> [u8; 11] {
    let ([s0, s1], [r0, r1, r2, r3]) = (PRE_SKIP.to_le_bytes(), opus::SAMPLE_RATE.to_le_bytes());
    [1, 2, s0, s1, r0, r1, r2, r3, 0, 0, 0]
}
