//! What flows from the demultiplexers through the timeline and the segmenter to the boxes.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::scte35::Section;
use crate::sound::Language;
use crate::time::{MediaTime, UtcMs};

/// Which of a channel's feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The one that is used while it is well.
    Primary,
    /// The one that is used while the primary is not.
    Backup,
}

impl Role {
    /// Both, the preferred one first.
    pub const ALL: [Role; 2] = [Role::Primary, Role::Backup];

    /// As it is written in files, object names and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Backup => "backup",
        }
    }

    /// The channel's other feed.
    pub fn other(self) -> Role {
        match self {
            Role::Primary => Role::Backup,
            Role::Backup => Role::Primary,
        }
    }
}

/// Which of a channel's muxed tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The video track. Segments start at its random access points.
    Video,
    /// The audio track.
    Audio,
}

/// How a video track is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VideoCoding {
    /// H.264.
    Avc,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
}

/// How an audio track is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AudioCoding {
    /// AAC-LC, HE-AAC, HE-AAC v2.
    Aac,
    /// Opus.
    Opus,
}

/// What a picture's numbers mean, in the code points of ITU-T H.273. Where nothing is said, 2 (unspecified).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// `ColourPrimaries`.
    pub primaries: u8,
    /// `TransferCharacteristics`.
    pub transfer: u8,
    /// `MatrixCoefficients`.
    pub matrix: u8,
    /// `VideoFullRangeFlag`.
    pub full_range: bool,
}

impl Colour {
    /// What its transfer characteristics say of the range of light.
    pub fn range(&self) -> VideoRange {
        match self.transfer {
            16 => VideoRange::Pq,
            18 => VideoRange::Hlg,
            _ => VideoRange::Sdr,
        }
    }
}

/// The range of light of a picture: `VIDEO-RANGE` (RFC 8216bis, 4.4.6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoRange {
    /// Standard, or nothing is said.
    #[default]
    Sdr,
    /// Hybrid log-gamma.
    Hlg,
    /// Perceptual quantiser: HDR10 and what builds on it.
    Pq,
}

impl VideoRange {
    /// Whether it is the one that goes without saying.
    pub fn is_sdr(&self) -> bool {
        *self == VideoRange::Sdr
    }

    /// As playlists have it.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoRange::Sdr => "SDR",
            VideoRange::Hlg => "HLG",
            VideoRange::Pq => "PQ",
        }
    }
}

/// Parameters of a video track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoConfig {
    /// How it is coded.
    pub coding: VideoCoding,
    /// Its decoder configuration record, as sent: the content of `avcC` or `hvcC` (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1), or
    /// of `av1C` (AV1 in ISOBMFF, 2.3).
    pub record: Bytes,
    /// RFC 6381 codec string: `avc1.64001f`.
    pub codec: String,
    /// Width after cropping, in pixels.
    pub width: u16,
    /// Height after cropping, in pixels.
    pub height: u16,
    /// Frames a second × 1000 where the stream states it.
    pub frame_rate_milli: Option<u32>,
    /// What its numbers mean, where the stream states it.
    pub colour: Option<Colour>,
}

/// Parameters of an audio track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioConfig {
    /// How it is coded.
    pub coding: AudioCoding,
    /// `AudioSpecificConfig` as sent (ISO/IEC 14496-3, 1.6.2.1), or the content of `dOps` (Opus in ISOBMFF, 4.3.2).
    pub record: Bytes,
    /// RFC 6381 codec string: `mp4a.40.2`.
    pub codec: String,
    /// Samples a second, which is also the track's timescale.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
    /// Samples in one access unit: 1024 for AAC-LC; for Opus, what most encoders send: 960.
    pub frame_len: u32,
}

/// One access unit as a demultiplexer gives it: on the feed's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its track.
    pub kind: Kind,
    /// Decoding time in milliseconds of the feed's clock, wraps undone.
    pub dts_ms: i64,
    /// Presentation time minus decoding time, in 1/90000 s; may be negative.
    pub cts: i32,
    /// A random access point; true for every audio frame.
    pub key: bool,
    /// Nobody can decode it who begins with the key frame before it, behind which it is sent and before which it is shown: RASL
    /// pictures of H.265.
    pub leading: bool,
    /// Length-prefixed NAL units, the OBUs of a temporal unit, or a raw access unit of sound.
    pub data: Bytes,
}

/// What a demultiplexer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// Video parameters, at the start or changed.
    Video(VideoConfig),
    /// Audio parameters, at the start or changed.
    Audio(AudioConfig),
    /// An access unit.
    Frame(Frame),
    /// When something was captured, told before the frames that it matters to.
    Captured(Captured),
    /// Where the programme is left, or goes on.
    Splice(FeedSplice),
    /// What a track brings that is not the first of its kind: parameters, or an access unit.
    Further {
        /// Its number among those of its kind, as the encoder counts them: 1 or more.
        track: u8,
        /// [`FeedEvent::Video`], [`FeedEvent::Audio`] or [`FeedEvent::Frame`].
        event: Box<FeedEvent>,
    },
    /// The language that the stream says a sound track is in.
    Language {
        /// Its number among the sound tracks; 0: the first.
        track: u8,
        /// The language.
        language: Language,
    },
}

/// Splice information as a demultiplexer gives it ([`crate::scte35`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSplice {
    /// What it is about, on the feed's clock, in milliseconds.
    pub at_ms: i64,
    /// What was sent.
    pub section: Section,
}

/// An instant of a feed's clock, and what time it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// On the feed's clock, in milliseconds.
    pub feed_ms: i64,
    /// The same instant.
    pub utc: UtcMs,
    /// The encoder says so. Otherwise it is when it came here, where it waited a while for what comes beside it.
    pub by_encoder: bool,
}

/// One access unit on the media timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its track.
    pub kind: Kind,
    /// Decoding time.
    pub dts: MediaTime,
    /// Presentation time minus decoding time, in 1/90000 s.
    pub cts: i32,
    /// A random access point; true for every audio frame.
    pub key: bool,
    /// As in [`Frame::leading`].
    pub leading: bool,
    /// As in [`Frame::data`].
    pub data: Bytes,
}

impl Sample {
    /// Presentation time.
    pub fn pts(&self) -> MediaTime {
        MediaTime(self.dts.0.saturating_add_signed(i64::from(self.cts)))
    }
}

/// The parameters of a channel's tracks, from which its init segment is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracks {
    /// Video, where the feed has any.
    pub video: Option<VideoConfig>,
    /// Audio, where the feed has any.
    pub audio: Option<AudioConfig>,
}

/// A segment before it is written: which samples, and where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Presentation time of its first video frame (or audio frame, where there is no video).
    pub start: MediaTime,
    /// How long it is presented, in 1/90000 s: up to the next segment's start.
    pub duration: u32,
    /// The timeline, or the tracks, do not go on from the segment before.
    pub discontinuity: bool,
    /// The tracks as they were for these samples.
    pub tracks: Tracks,
    /// Video samples in decoding order.
    pub video: Vec<Sample>,
    /// Audio samples in decoding order.
    pub audio: Vec<Sample>,
    /// Decoding time at which the video after this segment goes on: the end of its last sample.
    pub video_end: MediaTime,
    /// The same for audio.
    pub audio_end: MediaTime,
}

/// A part of a segment before it is written (RFC 8216bis, 3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Where its segment starts.
    pub of: MediaTime,
    /// Where it is listed, behind the part before: its first picture may begin later, where the one before is still shown.
    pub start: MediaTime,
    /// For how long it is listed, in 1/90000 s; its last picture may be shown beyond.
    pub duration: u32,
    /// What it holds, as a segment of its own. That it is discontinuous says that its segment is.
    pub cut: Cut,
    /// It has pictures and begins with a random access point; without pictures in its segment, always.
    pub independent: bool,
}

impl Cut {
    /// Whether it begins with a picture that refers to some before it.
    pub fn is_dependent(&self) -> bool {
        self.video.first().is_some_and(|first| !first.key)
    }

    /// Where this segment ends in every respect: nothing that follows on its channel may start before this.
    pub fn end(&self) -> MediaTime {
        let shown = MediaTime(self.start.0.saturating_add(u64::from(self.duration)));
        shown.max(self.video_end).max(self.audio_end)
    }
}
