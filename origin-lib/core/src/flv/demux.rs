//! From message bodies to frames.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};

use bytes::Bytes;

use super::{Error, TagKind};
use crate::codec::{aac, avc};
use crate::media::{AudioConfig, FeedEvent, Frame, Kind, VideoConfig};

const SET_H264: &str = "H.264";
const SET_AAC: &str = "AAC-LC";

/// Turns the audio and video messages of one RTMP stream (or one FLV file) into frames and parameters.
///
/// `handle` each message, then `poll` until `None`. A malformed message gives [`Error::Skip`] and changes nothing; a
/// codec that can't be used gives [`Error::Refuse`], but only until its track has begun: after that a message that claims
/// another codec is malformed, because an encoder can't change it without a new connection.
#[derive(Debug, Default)]
pub struct Demux {
    clock: Clock,
    video: Option<VideoTrack>,
    audio: Option<AudioConfig>,
    events: VecDeque<FeedEvent>,
}

#[derive(Debug)]
struct VideoTrack {
    config: VideoConfig,
    length_size: usize,
}

impl Demux {
    /// A demultiplexer at the start of a stream.
    pub fn new() -> Demux {
        Demux::default()
    }

    /// Takes a message: its kind, its 32-bit timestamp in milliseconds (which may wrap around) and its body.
    pub fn handle(&mut self, kind: TagKind, timestamp_ms: u32, payload: Bytes) -> Result<(), Error> {
        let event = match kind {
            TagKind::Video => self.video(timestamp_ms, &payload)?,
            TagKind::Audio => self.audio(timestamp_ms, &payload)?,
            TagKind::Data => None,
        };
        self.events.extend(event);
        Ok(())
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<FeedEvent> {
        self.events.pop_front()
    }

    /// `VideoTagHeader` (E.4.3.1).
    fn video(&mut self, timestamp_ms: u32, payload: &Bytes) -> Result<Option<FeedEvent>, Error> {
        const INFO: u8 = 5; // a command to a player: no picture
        const H264: u8 = 7;
        const SEQUENCE_HEADER: u8 = 0;
        const NAL_UNITS: u8 = 1;
        const END_OF_SEQUENCE: u8 = 2;

        let Some(&first) = payload.first() else { return Ok(None) };
        if first & 0x80 != 0 || first & 0x0f != H264 {
            if first & 0x80 == 0 && first >> 4 == INFO {
                return Ok(None);
            }
            return Err(match video_codec(first, payload) {
                Some(sent) if self.video.is_none() => Error::Refuse { sent, set: SET_H264 },
                _ => Error::Skip("a video message of an unknown codec"),
            });
        }
        if first >> 4 == INFO {
            return Ok(None);
        }
        let Some((&[_, packet, high, middle, low], _)) = payload.split_first_chunk::<5>() else {
            return Err(Error::Skip("a video message that is cut off"));
        };
        let data = payload.slice(5..);
        match packet {
            SEQUENCE_HEADER => self.video_config(&data),
            NAL_UNITS if data.is_empty() => Ok(None),
            NAL_UNITS => {
                let Some(track) = &self.video else {
                    return Err(Error::Skip("a picture before the H.264 sequence header"));
                };
                let key = avc::is_idr(&data, track.length_size).ok_or(Error::Skip(
                    "a picture whose NAL unit lengths do not add up: the encoder must send avcC format, not Annex B",
                ))?;
                // A signed 24-bit number: sign-extended by way of the upper bytes of 32.
                let cts_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
                let dts_ms = self.clock.unwrap(timestamp_ms);
                Ok(Some(FeedEvent::Frame(Frame { kind: Kind::Video, dts_ms, cts_ms, key, data })))
            }
            END_OF_SEQUENCE => Ok(None),
            _ => Err(Error::Skip("a video message of an unknown packet type")),
        }
    }

    fn video_config(&mut self, avcc: &Bytes) -> Result<Option<FeedEvent>, Error> {
        if avcc.is_empty() || self.video.as_ref().is_some_and(|track| track.config.avcc == *avcc) {
            return Ok(None);
        }
        // A copy: the record outlives by hours the message that it came in.
        let avcc = Bytes::copy_from_slice(avcc);
        let config = avc::config(&avcc)?;
        let Some(length_size) = avc::length_size(&avcc) else {
            return Err(Error::Skip("the H.264 sequence header is cut off"));
        };
        if let Some(error) = avc::unplayable(&avcc) {
            return Err(error.into());
        }
        self.video = Some(VideoTrack { config: config.clone(), length_size });
        Ok(Some(FeedEvent::Video(config)))
    }

    /// `AudioTagHeader` (E.4.2.1).
    fn audio(&mut self, timestamp_ms: u32, payload: &Bytes) -> Result<Option<FeedEvent>, Error> {
        const AAC: u8 = 10;
        const SEQUENCE_HEADER: u8 = 0;
        const RAW: u8 = 1;

        let Some(&first) = payload.first() else { return Ok(None) };
        if first >> 4 != AAC {
            return Err(match audio_codec(first, payload) {
                Some(sent) if self.audio.is_none() => Error::Refuse { sent, set: SET_AAC },
                _ => Error::Skip("an audio message of an unknown codec"),
            });
        }
        let Some(&packet) = payload.get(1) else {
            return Err(Error::Skip("an audio message that is cut off"));
        };
        let data = payload.slice(2..);
        match packet {
            _ if data.is_empty() => Ok(None),
            SEQUENCE_HEADER => self.audio_config(&data),
            RAW if self.audio.is_none() => Err(Error::Skip("sound before the AAC sequence header")),
            RAW => {
                let dts_ms = self.clock.unwrap(timestamp_ms);
                Ok(Some(FeedEvent::Frame(Frame { kind: Kind::Audio, dts_ms, cts_ms: 0, key: true, data })))
            }
            _ => Err(Error::Skip("an audio message of an unknown packet type")),
        }
    }

    fn audio_config(&mut self, asc: &Bytes) -> Result<Option<FeedEvent>, Error> {
        if self.audio.as_ref().is_some_and(|config| config.asc == *asc) {
            return Ok(None);
        }
        let config = aac::config(&Bytes::copy_from_slice(asc)).map_err(|error| match Error::from(error) {
            Error::Refuse { .. } if self.audio.is_some() => {
                Error::Skip("an AAC sequence header of an object type that viewers can't play")
            }
            error => error,
        })?;
        self.audio = Some(config.clone());
        Ok(Some(FeedEvent::Audio(config)))
    }
}

/// Undoes the wrap of 32-bit milliseconds after 49.7 days: each time is the one nearest to the time before.
#[derive(Debug, Default)]
struct Clock {
    last: Option<i64>,
}

impl Clock {
    fn unwrap(&mut self, timestamp_ms: u32) -> i64 {
        let time = match self.last {
            None => i64::from(timestamp_ms),
            Some(last) => {
                let step = timestamp_ms.wrapping_sub(last as u32).cast_signed();
                last.saturating_add(i64::from(step))
            }
        };
        self.last = Some(time);
        time
    }
}

/// What a video message that is not legacy H.264 carries; `None` where the bytes mean nothing.
fn video_codec(first: u8, payload: &[u8]) -> Option<String> {
    if first & 0x80 != 0 {
        // Enhanced RTMP: a FourCC follows the first byte.
        let name = match payload.get(1..5)? {
            b"hvc1" | b"hev1" => "HEVC",
            b"av01" => "AV1",
            b"vp09" => "VP9",
            b"vp08" => "VP8",
            b"vvc1" => "VVC",
            b"avc1" => return Some("H.264 in Enhanced RTMP's form".to_string()),
            _ => return None,
        };
        return Some(name.to_string());
    }
    let name = match first & 0x0f {
        1 => "JPEG",
        2 => "Sorenson H.263",
        3 | 6 => "Screen Video",
        4 | 5 => "VP6",
        8 => "H.263",
        9 => "MPEG-4 Part 2",
        12 => "HEVC",
        13 => "AV1",
        number => return Some(format!("video of FLV codec number {number}")),
    };
    Some(name.to_string())
}

/// What an audio message that is not AAC carries; `None` where the bytes mean nothing.
fn audio_codec(first: u8, payload: &[u8]) -> Option<String> {
    let name = match first >> 4 {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 | 8 => "G.711",
        // Enhanced RTMP: a FourCC follows the first byte.
        9 => match payload.get(1..5)? {
            b"Opus" => "Opus",
            b"ac-3" => "AC-3",
            b"ec-3" => "E-AC-3",
            b".mp3" => "MP3",
            b"fLaC" => "FLAC",
            b"mp4a" => "AAC in Enhanced RTMP's form",
            _ => return None,
        },
        11 => "Speex",
        number => return Some(format!("audio of FLV codec number {number}")),
    };
    Some(name.to_string())
}
