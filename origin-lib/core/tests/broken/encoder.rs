//! An encoder's events, good as long as nobody changes them.

use bytes::Bytes;
use railbird_core::flv::{Demux, File};
use railbird_core::media::{AudioConfig, FeedEvent, Frame, Kind, VideoConfig};

/// Six seconds of x264 and AAC in ffmpeg's hands: 96x64, 25 frames a second, a key frame a second, two B-frames.
pub(crate) const AVC_FLV: &[u8] = include_bytes!("streams/avc.flv");

/// An event, and when it arrives in milliseconds after the publish began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) ms: u64,
    pub(crate) event: FeedEvent,
}

impl At {
    pub(crate) fn frame(&self) -> Option<&Frame> {
        match &self.event {
            FeedEvent::Frame(frame) => Some(frame),
            _ => None,
        }
    }

    pub(crate) fn frame_mut(&mut self) -> Option<&mut Frame> {
        match &mut self.event {
            FeedEvent::Frame(frame) => Some(frame),
            _ => None,
        }
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.frame().is_some_and(|frame| frame.kind == kind)
    }
}

/// What an encoder is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoder {
    pub(crate) frames_a_second: u64,
    pub(crate) gop_ms: u64,
    /// Pictures are sent in another order than they are shown.
    pub(crate) reorders: bool,
    pub(crate) sound: bool,
    /// What its clock shows when the publish begins.
    pub(crate) clock_ms: i64,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { frames_a_second: 25, gop_ms: 1000, reorders: false, sound: true, clock_ms: 0 }
    }
}

/// The parameters of a real encoder.
pub(crate) fn configs() -> (VideoConfig, AudioConfig) {
    let mut demux = Demux::new();
    let (mut video, mut audio) = (None, None);
    for tag in File::new(Bytes::from_static(AVC_FLV)).unwrap() {
        let tag = tag.unwrap();
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
        while let Some(event) = demux.poll() {
            match event {
                FeedEvent::Video(config) => video = Some(config),
                FeedEvent::Audio(config) => audio = Some(config),
                FeedEvent::Frame(_)
                | FeedEvent::Captured(_)
                | FeedEvent::Splice(_)
                | FeedEvent::Further { .. }
                | FeedEvent::Language { .. } => {}
            }
        }
    }
    (video.unwrap(), audio.unwrap())
}

/// The same with other parameters: twice as large.
pub(crate) fn other(config: &VideoConfig) -> VideoConfig {
    // Another level; that is enough to tell the records apart.
    let mut record = config.record.to_vec();
    record[3] += 1;
    VideoConfig {
        record: record.into(),
        width: config.width * 2,
        height: config.height * 2,
        ..config.clone()
    }
}

impl Encoder {
    /// What it sends in so many milliseconds, from its clock's `from_ms` on: first its parameters. What a frame holds is its
    /// track and the millisecond of its clock.
    pub(crate) fn sends(&self, from_ms: u64, len_ms: u64) -> Vec<At> {
        let (video, audio) = configs();
        let mut all = vec![At { ms: 0, event: FeedEvent::Video(video) }];
        if self.sound {
            all.push(At { ms: 0, event: FeedEvent::Audio(audio) });
        }
        let mut frames = Vec::new();
        let picture_ms = |n: u64| n * 1000 / self.frames_a_second;
        for n in
            (0..).take_while(|n| picture_ms(*n) < from_ms + len_ms).skip_while(|n| picture_ms(*n) < from_ms)
        {
            let ms = picture_ms(n);
            let of_gop = n % (self.gop_ms * self.frames_a_second / 1000).max(1);
            frames.push(self.frame(Kind::Video, ms, from_ms, of_gop));
        }
        if self.sound {
            // A frame of 1024 samples at 48 kHz.
            let sound_ms = |n: u64| n * 64 / 3;
            for n in
                (0..).take_while(|n| sound_ms(*n) < from_ms + len_ms).skip_while(|n| sound_ms(*n) < from_ms)
            {
                frames.push(self.frame(Kind::Audio, sound_ms(n), from_ms, 0));
            }
        }
        frames.sort_by_key(|at| at.ms);
        all.extend(frames);
        all
    }

    fn frame(&self, kind: Kind, ms: u64, from_ms: u64, of_gop: u64) -> At {
        let text = format!("{kind:?} {ms}");
        let len = u32::try_from(text.len()).unwrap();
        let data = match kind {
            // A NAL unit of a slice.
            Kind::Video => [&(len + 1).to_be_bytes()[..], b"\x41", text.as_bytes()].concat(),
            Kind::Audio => text.into_bytes(),
        };
        let frame_ms = (1000 / self.frames_a_second) as i32;
        let cts_ms = match (kind, self.reorders) {
            (Kind::Video, true) if of_gop == 0 => frame_ms * 2,
            // P, B, B, P, B, B: shown as B, B, P.
            (Kind::Video, true) if of_gop % 3 == 1 => frame_ms * 4,
            (Kind::Video, true) => frame_ms,
            _ => 0,
        };
        let frame = Frame {
            kind,
            dts_ms: self.clock_ms + ms as i64,
            cts: cts_ms * 90,
            key: kind == Kind::Audio || of_gop == 0,
            leading: false,
            data: data.into(),
        };
        At { ms: ms - from_ms, event: FeedEvent::Frame(frame) }
    }
}
