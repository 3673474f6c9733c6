//! A venue encoder: frames on a clock of its own, to each origin.

use bytes::Bytes;
use railbird_core::media::{
    AudioCoding, AudioConfig, FeedEvent, Frame, Kind, Role, VideoCoding, VideoConfig,
};
use railbird_core::programme::Publish;

use super::rng::Rng;

/// Five pictures a second are enough to see where a cut lies.
pub(super) const FRAME_MS: u64 = 200;

#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) role: Role,
    /// What its clock shows is the time plus this, in milliseconds.
    pub(super) clock_ms: i64,
    /// Frames from key frame to key frame, and which is the first.
    gop: u64,
    phase: u64,
    cts_ms: i32,
    pub(super) width: u16,
    /// It brings nothing before.
    pub(super) silent_until: u64,
    /// It sends later what it could not send.
    pub(super) keeps: bool,
    kept: Vec<FeedEvent>,
    /// What it sent since its newest key frame.
    recent: Vec<FeedEvent>,
    /// What it sends an origin again, once it can, since the connection to it is lost.
    again: [Option<Vec<FeedEvent>>; 2],
    /// Its connection to each origin.
    pub(super) links: [Option<Publish>; 2],
    /// How often each was begun.
    pub(super) tries: [u64; 2],
}

impl Encoder {
    /// Encoders of one channel are set alike; `like` draws the same for both.
    pub(super) fn new(role: Role, like: &mut Rng, own: &mut Rng) -> Encoder {
        let cts_ms = [0, 80][like.pick(2)];
        let gop = [5, 10, 10, 10, 20][like.pick(5)];
        let phase = own.range(0, gop);
        Encoder {
            role,
            clock_ms: -(own.range(0, 1 << 40) as i64),
            gop,
            phase,
            cts_ms,
            width: 1280,
            silent_until: 0,
            keeps: false,
            kept: Vec::new(),
            recent: Vec::new(),
            again: [None, None],
            links: [None; 2],
            tries: [0; 2],
        }
    }

    /// What it sends first.
    pub(super) fn parameters(&self) -> [FeedEvent; 2] {
        let video = VideoConfig {
            coding: VideoCoding::Avc,
            record: Bytes::copy_from_slice(&[1, 0x64, 0, 0x1f, 0xff, (self.width >> 4) as u8]),
            codec: "avc1.64001f".into(),
            width: self.width,
            height: 720,
            frame_rate_milli: Some(5_000),
            colour: None,
        };
        let audio = AudioConfig {
            coding: AudioCoding::Aac,
            record: Bytes::from_static(b"\x11\x90"),
            codec: "mp4a.40.2".into(),
            sample_rate: 48_000,
            channels: 2,
            frame_len: 9_600,
        };
        [FeedEvent::Video(video), FeedEvent::Audio(audio)]
    }

    /// What it sends at `now`.
    pub(super) fn frames(&mut self, now: u64) -> Vec<FeedEvent> {
        let number = now / FRAME_MS;
        let silent = now < self.silent_until;
        if silent && !self.keeps {
            return Vec::new();
        }
        let frame = |kind, key, cts_ms| {
            let mut data = format!("{} {kind:?} {number} {}", self.role.as_str(), self.width).into_bytes();
            // No two encodings of a picture are of one length for long.
            let mut length = Rng::new(number ^ u64::from(self.width) << 32 ^ (self.role as u64) << 48);
            data.resize(data.len() + length.pick(16), b'.');
            let dts_ms = (number * FRAME_MS) as i64 + self.clock_ms;
            FeedEvent::Frame(Frame { kind, dts_ms, cts: cts_ms * 90, key, leading: false, data: data.into() })
        };
        let key = number % self.gop == self.phase;
        let now = [frame(Kind::Video, key, self.cts_ms), frame(Kind::Audio, true, 0)];
        self.kept.extend(now);
        if silent { Vec::new() } else { std::mem::take(&mut self.kept) }
    }

    /// It has sent this, wherever it could.
    pub(super) fn sent(&mut self, events: Vec<FeedEvent>) {
        for event in events {
            let key = |event: &FeedEvent| {
                matches!(event, FeedEvent::Frame(Frame { kind: Kind::Video, key: true, .. }))
            };
            if key(&event) {
                self.recent.clear();
            }
            self.recent.push(event.clone());
            for (again, link) in self.again.iter_mut().zip(&self.links) {
                if link.is_none()
                    && let Some(again) = again
                {
                    again.push(event.clone());
                }
            }
        }
    }

    /// The connection to an origin is lost: it sends again what it has sent since its newest key frame, and what comes.
    pub(super) fn keep_for(&mut self, origin: usize) {
        self.again[origin] = Some(self.recent.clone());
    }

    /// What it sends an origin to which it is connected again.
    pub(super) fn again(&mut self, origin: usize) -> Vec<FeedEvent> {
        self.again[origin].take().unwrap_or_default()
    }

    /// Another run of it: its clock begins anew, and what it kept is gone.
    pub(super) fn restart(&mut self, now: u64, rng: &mut Rng) {
        self.clock_ms = rng.range(0, 1_000) as i64 - now as i64;
        self.kept.clear();
        self.recent.clear();
        self.again = [None, None];
        if rng.one_in(3) {
            self.width = if self.width == 1280 { 1920 } else { 1280 };
        }
    }
}
