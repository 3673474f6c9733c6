//! From message bodies to frames.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::enhanced::{self, Packet};
use super::{Error, TagKind, TimeOfDay, capture, names};
use crate::codec::{self, Picture, aac, opus};
use crate::media::{AudioCoding, AudioConfig, Colour, FeedEvent, Frame, Kind, VideoCoding, VideoConfig};
use crate::rtmp::amf0;
use crate::time::wrap::Unwrap;

const SET_VIDEO: &str = "H.264, HEVC or AV1";
const SET_AUDIO: &str = "AAC-LC or Opus";

/// So far from the next frame's timestamp, in milliseconds, that of a data message may be.
const DATA_NEAR_MS: u64 = 1_000;

/// How many tracks beside the first ones are told of.
const OTHERS_MAX: usize = 16;

/// Turns the audio and video messages of one RTMP stream (or one FLV file) into frames and parameters.
///
/// `handle` each message, then `poll` until `None`. A malformed message gives [`Error::Skip`] and changes nothing; a
/// codec that can't be used gives [`Error::Refuse`], but only until its track has begun: after that a message that claims
/// another codec is malformed, because an encoder can't change to it without a new connection.
///
/// Of several tracks of a kind, the first one (number 0) is taken, and those that were asked for ([`Demux::with_sounds`],
/// [`Demux::with_pictures`]); [`Demux::poll_other`] tells of the others.
#[derive(Debug, Default)]
pub struct Demux {
    /// Of 32 bits, which wrap after 49.7 days.
    clock: Unwrap<32>,
    video: Option<VideoTrack>,
    audio: AudioTrack,
    /// Further sound tracks that are wanted.
    further: Vec<(u8, AudioTrack)>,
    /// Further tracks of pictures that are wanted.
    views: Vec<(u8, Option<VideoTrack>)>,
    /// What the encoder says beside the stream that its numbers mean.
    colour: Option<Colour>,
    events: VecDeque<FeedEvent>,
    others: Vec<(TagKind, u8)>,
    untold_others: VecDeque<String>,
    captured: Option<TimeOfDay>,
    /// The encoder's newest time of day: whether its timestamp is of any use shows the next frame.
    time_of_day: Option<TimeOfDay>,
}

#[derive(Debug)]
struct VideoTrack {
    /// As it was told.
    config: VideoConfig,
    /// What the stream itself says that its numbers mean.
    colour: Option<Colour>,
    /// How many bytes the length before a NAL unit has.
    length_size: usize,
}

#[derive(Debug, Default)]
struct AudioTrack {
    config: Option<AudioConfig>,
    /// Its parameters wait for the first of it, which says how long its frames are.
    untold: bool,
}

impl Demux {
    /// A demultiplexer at the start of a stream.
    pub fn new() -> Demux {
        Demux::default()
    }

    /// The same, which takes these sound tracks as well ([`FeedEvent::Further`]): numbers from 1 on.
    pub fn with_sounds(mut self, tracks: &[u8]) -> Demux {
        self.further = tracks.iter().map(|track| (*track, AudioTrack::default())).collect();
        self
    }

    /// The same, which takes these tracks of pictures as well ([`FeedEvent::Further`]): numbers from 1 on.
    pub fn with_pictures(mut self, tracks: &[u8]) -> Demux {
        self.views = tracks.iter().map(|track| (*track, None)).collect();
        self
    }

    /// Whether this further track is taken.
    fn takes(&self, kind: TagKind, track: u8) -> bool {
        match kind {
            TagKind::Audio => self.further.iter().any(|(of, _)| *of == track),
            _ => self.views.iter().any(|(of, _)| *of == track),
        }
    }

    /// Takes a message: its kind, its 32-bit timestamp in milliseconds (which may wrap around) and its body.
    pub fn handle(&mut self, kind: TagKind, timestamp_ms: u32, payload: Bytes) -> Result<(), Error> {
        match (kind, payload.first()) {
            // An empty message tells of silence.
            (_, None) => Ok(()),
            (TagKind::Data, _) => {
                if let Some(of_day_ms) = capture::time_of_day_ms(&payload) {
                    self.time_of_day =
                        Some(TimeOfDay { feed_ms: self.clock.read(timestamp_ms.into()), of_day_ms });
                }
                Ok(())
            }
            (TagKind::Video, Some(first)) if first & 0x80 == 0 => self.video(timestamp_ms, *first, &payload),
            (TagKind::Audio, Some(first)) if first >> 4 != 9 => self.audio(timestamp_ms, *first, &payload),
            (_, Some(first)) => self.enhanced(kind, timestamp_ms, *first, &payload),
        }
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<FeedEvent> {
        self.events.pop_front()
    }

    /// The next track that the encoder sends and that is left out, by name, each once: "audio track 1 (Opus)".
    pub fn poll_other(&mut self) -> Option<String> {
        self.untold_others.pop_front()
    }

    /// The time of a frame. It tells whether data messages are on its clock: some encoders give them all the same timestamp.
    fn time(&mut self, timestamp_ms: u32) -> i64 {
        let time = self.clock.unwrap(timestamp_ms.into());
        let near = self.time_of_day.take().filter(|said| said.feed_ms.abs_diff(time) <= DATA_NEAR_MS);
        self.captured = near.or(self.captured);
        time
    }

    /// When what has the timestamp of a data message was captured, where the encoder says so (`onFI`, `onTextData`). The newest one
    /// is given, once.
    pub fn take_captured(&mut self) -> Option<TimeOfDay> {
        self.captured.take()
    }

    /// `VideoTagHeader` (E.4.3.1).
    fn video(&mut self, timestamp_ms: u32, first: u8, payload: &Bytes) -> Result<(), Error> {
        const H264: u8 = 7;
        // Hardware encoders sent H.265 so before there was Enhanced RTMP.
        const H265: u8 = 12;
        const SEQUENCE_HEADER: u8 = 0;
        const NAL_UNITS: u8 = 1;
        const END_OF_SEQUENCE: u8 = 2;

        if first >> 4 == COMMAND {
            return Ok(());
        }
        let coding = match first & 0x0f {
            H264 => VideoCoding::Avc,
            H265 => VideoCoding::Hevc,
            _ => return Err(self.refuse(TagKind::Video, Some(names::legacy(TagKind::Video, first)))),
        };
        let Some((&[_, packet, c2, c1, c0], _)) = payload.split_first_chunk::<5>() else {
            return Err(Error::Skip("a video message that is cut off"));
        };
        let data = payload.slice(5..);
        match packet {
            SEQUENCE_HEADER => self.video_config(0, coding, &data),
            NAL_UNITS => self.picture(0, timestamp_ms, coding, composition([c2, c1, c0]), data),
            END_OF_SEQUENCE => Ok(()),
            _ => Err(Error::Skip("a video message of an unknown packet type")),
        }
    }

    /// `AudioTagHeader` (E.4.2.1).
    fn audio(&mut self, timestamp_ms: u32, first: u8, payload: &Bytes) -> Result<(), Error> {
        const AAC: u8 = 10;
        const SEQUENCE_HEADER: u8 = 0;
        const RAW: u8 = 1;

        if first >> 4 != AAC {
            return Err(self.refuse(TagKind::Audio, Some(names::legacy(TagKind::Audio, first))));
        }
        let Some(&packet) = payload.get(1) else {
            return Err(Error::Skip("an audio message that is cut off"));
        };
        let data = payload.slice(2..);
        match packet {
            SEQUENCE_HEADER => self.audio_config(0, AudioCoding::Aac, &data),
            RAW => self.sound(0, timestamp_ms, AudioCoding::Aac, data),
            _ => Err(Error::Skip("an audio message of an unknown packet type")),
        }
    }

    /// `ExVideoTagHeader` and `ExAudioTagHeader`. All tracks are looked at, also where one of them is no use.
    fn enhanced(
        &mut self,
        kind: TagKind,
        timestamp_ms: u32,
        first: u8,
        payload: &Bytes,
    ) -> Result<(), Error> {
        if kind == TagKind::Video && first >> 4 & 7 == COMMAND && first & 0x0f != enhanced::METADATA {
            return Ok(());
        }
        let mut result = Ok(());
        for packet in enhanced::packets(kind, payload)? {
            let done = match (packet.track, kind) {
                (1.., kind) if self.takes(kind, packet.track) => {
                    let done = match kind {
                        TagKind::Audio => self.enhanced_audio(timestamp_ms, packet),
                        _ => self.enhanced_video(timestamp_ms, packet),
                    };
                    // One that is no use is no reason to refuse the feed.
                    done.map_err(|error| match error {
                        Error::Refuse { .. } => Error::Skip("a further track that viewers can't play"),
                        error => error,
                    })
                }
                (1.., _) => {
                    self.other(kind, &packet);
                    continue;
                }
                (0, TagKind::Audio) => self.enhanced_audio(timestamp_ms, packet),
                (0, _) => self.enhanced_video(timestamp_ms, packet),
            };
            result = result.and(done);
        }
        result
    }

    fn enhanced_video(&mut self, timestamp_ms: u32, packet: Packet) -> Result<(), Error> {
        let Packet { kind, four_cc, track, nano, mut body } = packet;
        if kind == enhanced::METADATA {
            // What is said of a further track, its stream says, too.
            return if track == 0 { self.metadata(&body) } else { Ok(()) };
        }
        let coding = match &four_cc {
            b"avc1" => VideoCoding::Avc,
            b"hvc1" => VideoCoding::Hevc,
            b"av01" => VideoCoding::Av1,
            _ => return Err(self.refuse(TagKind::Video, names::four_cc(four_cc))),
        };
        let later = i64::from(nano) * 90 / 1_000_000;
        match kind {
            enhanced::SEQUENCE_START => self.video_config(track, coding, &body),
            enhanced::CODED_FRAMES if body.is_empty() => Ok(()),
            enhanced::CODED_FRAMES if coding != VideoCoding::Av1 => {
                let Some((cts, _)) = body.split_first_chunk::<3>() else {
                    return Err(Error::Skip("a video message that is cut off"));
                };
                let cts = composition(*cts);
                self.picture(track, timestamp_ms, coding, cts + later as i32, body.split_off(3))
            }
            enhanced::CODED_FRAMES | enhanced::CODED_FRAMES_X => {
                self.picture(track, timestamp_ms, coding, later as i32, body)
            }
            enhanced::MPEG2TS_SEQUENCE_START if self.video.is_none() => {
                let sent = format!(
                    "{} with a header for MPEG-2 TS (MPEG2TSSequenceStart)",
                    names::four_cc(four_cc).unwrap_or_default()
                );
                Err(Error::Refuse { sent, set: "an encoder that sends SequenceStart" })
            }
            // SequenceEnd; and what a later version may bring.
            _ => Ok(()),
        }
    }

    fn enhanced_audio(&mut self, timestamp_ms: u32, packet: Packet) -> Result<(), Error> {
        let Packet { kind, four_cc, track, body, .. } = packet;
        let coding = match &four_cc {
            b"mp4a" => AudioCoding::Aac,
            b"Opus" => AudioCoding::Opus,
            _ => return Err(self.refuse(TagKind::Audio, names::four_cc(four_cc))),
        };
        match kind {
            enhanced::SEQUENCE_START => self.audio_config(track, coding, &body),
            enhanced::CODED_FRAMES => self.sound(track, timestamp_ms, coding, body),
            // SequenceEnd; MultichannelConfig, which says nothing that the parameters do not say.
            _ => Ok(()),
        }
    }

    /// What to answer to a codec that can't be used; `None` where the bytes mean nothing.
    fn refuse(&self, kind: TagKind, sent: Option<String>) -> Error {
        match (kind, sent) {
            (TagKind::Audio, Some(sent)) if self.audio.config.is_none() => {
                Error::Refuse { sent, set: SET_AUDIO }
            }
            (TagKind::Audio, _) => Error::Skip("an audio message of an unknown codec"),
            (_, Some(sent)) if self.video.is_none() => Error::Refuse { sent, set: SET_VIDEO },
            _ => Error::Skip("a video message of an unknown codec"),
        }
    }

    /// Notes that there is a track that is left out.
    fn other(&mut self, kind: TagKind, packet: &Packet) {
        let track = (kind, packet.track);
        if self.others.len() < OTHERS_MAX && !self.others.contains(&track) {
            self.others.push(track);
            let of = if kind == TagKind::Audio { "audio" } else { "video" };
            let codec = names::four_cc(packet.four_cc).unwrap_or_default();
            self.untold_others.push_back(format!("{of} track {} ({codec})", packet.track));
        }
    }

    fn picture(
        &mut self,
        track: u8,
        timestamp_ms: u32,
        coding: VideoCoding,
        cts: i32,
        data: Bytes,
    ) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let state = self.video_track(track).and_then(|state| state.as_ref());
        let Some(state) = state.filter(|state| state.config.coding == coding) else {
            return Err(Error::Skip("a picture before its codec's sequence header"));
        };
        let picture = codec::picture(coding, state.length_size, data);
        let (data, Picture { key, leading }) = picture.map_err(Error::Skip)?;
        let dts_ms = self.time(timestamp_ms);
        let frame = Frame { kind: Kind::Video, dts_ms, cts, key, leading, data };
        self.events.push_back(of_track(track, FeedEvent::Frame(frame)));
        Ok(())
    }

    /// A track of pictures that is taken.
    fn video_track(&mut self, track: u8) -> Option<&mut Option<VideoTrack>> {
        match track {
            0 => Some(&mut self.video),
            _ => self.views.iter_mut().find(|(of, _)| *of == track).map(|(_, state)| state),
        }
    }

    fn video_config(&mut self, track: u8, coding: VideoCoding, record: &Bytes) -> Result<(), Error> {
        let said = self.colour.filter(|_| track == 0);
        let Some(state) = self.video_track(track) else { return Ok(()) };
        let known = |known: &VideoTrack| known.config.coding == coding && known.config.record == *record;
        if record.is_empty() || state.as_ref().is_some_and(known) {
            return Ok(());
        }
        // A copy: the record outlives by hours the message that it came in.
        let record = Bytes::copy_from_slice(record);
        let parsed = codec::video(coding, &record).map_err(Error::from);
        let (mut config, length_size) = parsed.map_err(|error| match error {
            Error::Refuse { .. } if state.is_some() => {
                Error::Skip("a sequence header of pictures that viewers can't play")
            }
            error => error,
        })?;
        let colour = config.colour;
        config.colour = colour.or(said);
        *state = Some(VideoTrack { config: config.clone(), colour, length_size });
        self.events.push_back(of_track(track, FeedEvent::Video(config)));
        Ok(())
    }

    /// `VideoPacketType.Metadata`: `colorInfo` says what the numbers mean. Where the stream says it itself, that counts.
    fn metadata(&mut self, body: &[u8]) -> Result<(), Error> {
        let values = amf0::decode(body).map_err(|_| Error::Skip("metadata of the video that is no AMF0"))?;
        let [name, info, ..] = &values[..] else { return Ok(()) };
        if name.as_str() != Some("colorInfo") {
            return Ok(());
        }
        let code = |name: &str| {
            let number = info.get("colorConfig")?.get(name)?.as_number()?;
            (0.0..=255.0).contains(&number).then_some(number as u8)
        };
        const UNSPECIFIED: u8 = 2;
        let codes = ["colorPrimaries", "transferCharacteristics", "matrixCoefficients"].map(code);
        let [primaries, transfer, matrix] = codes.map(|code| code.unwrap_or(UNSPECIFIED));
        let said = codes.iter().flatten().any(|code| *code != UNSPECIFIED);
        self.colour = said.then_some(Colour { primaries, transfer, matrix, full_range: false });
        if let Some(track) = &mut self.video
            && track.colour.is_none()
            && track.config.colour != self.colour
        {
            track.config.colour = self.colour;
            self.events.push_back(FeedEvent::Video(track.config.clone()));
        }
        Ok(())
    }

    /// A sound track that is taken.
    fn audio_track(&mut self, track: u8) -> Option<&mut AudioTrack> {
        match track {
            0 => Some(&mut self.audio),
            _ => self.further.iter_mut().find(|(of, _)| *of == track).map(|(_, state)| state),
        }
    }

    fn audio_config(&mut self, track: u8, coding: AudioCoding, header: &Bytes) -> Result<(), Error> {
        let Some(state) = self.audio_track(track).filter(|_| !header.is_empty()) else { return Ok(()) };
        let parsed = match coding {
            AudioCoding::Aac => aac::config(&Bytes::copy_from_slice(header)),
            AudioCoding::Opus => opus::config(header),
        };
        let config = parsed.map_err(|error| match Error::from(error) {
            Error::Refuse { .. } if state.config.is_some() => {
                Error::Skip("a header of sound that viewers can't play")
            }
            error => error,
        })?;
        let known = |known: &AudioConfig| known.coding == coding && known.record == config.record;
        if state.config.as_ref().is_some_and(known) {
            return Ok(());
        }
        state.config = Some(config.clone());
        state.untold = coding == AudioCoding::Opus;
        if !state.untold {
            self.events.push_back(of_track(track, FeedEvent::Audio(config)));
        }
        Ok(())
    }

    fn sound(&mut self, track: u8, timestamp_ms: u32, coding: AudioCoding, data: Bytes) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let state = self.audio_track(track);
        let Some((config, untold)) = state
            .and_then(|state| Some((state.config.as_mut()?, &mut state.untold)))
            .filter(|(config, _)| config.coding == coding)
        else {
            return Err(Error::Skip("sound before its codec's header"));
        };
        if coding == AudioCoding::Opus {
            let len = opus::packet_len(&data).ok_or(Error::Skip("sound that is no packet of Opus"))?;
            if core::mem::take(untold) {
                config.frame_len = len;
                let event = of_track(track, FeedEvent::Audio(config.clone()));
                self.events.push_back(event);
            }
        }
        let dts_ms = self.time(timestamp_ms);
        let frame = Frame { kind: Kind::Audio, dts_ms, cts: 0, key: true, leading: false, data };
        self.events.push_back(of_track(track, FeedEvent::Frame(frame)));
        Ok(())
    }
}

/// What a track brings, the first one's as it is.
fn of_track(track: u8, event: FeedEvent) -> FeedEvent {
    match track {
        0 => event,
        _ => FeedEvent::Further { track, event: Box::new(event) },
    }
}

/// `FrameType` of a command to a player: no picture.
const COMMAND: u8 = 5;

/// A composition time: signed 24 bits of milliseconds, in 1/90000 s.
fn composition([high, middle, low]: [u8; 3]) -> i32 {
    // Sign-extended by way of the upper bytes of 32.
    (i32::from_be_bytes([high, middle, low, 0]) >> 8) * 90
}
