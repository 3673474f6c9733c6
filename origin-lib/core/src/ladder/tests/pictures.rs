//! The source beside which renditions are made, as their tests have it: segments of so many pictures, each with a key frame
//! first.

use std::vec::Vec;

use bytes::Bytes;

use crate::keys::MasterSecret;
use crate::media::{Cut, Kind, Sample, Tracks, VideoCoding, VideoConfig};
use crate::package::Settings;
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// When the source's first picture is shown.
pub(crate) const BEGIN: UtcMs = UtcMs(1_795_171_920_000);

/// How many pictures each of its segments has.
pub(crate) const FRAMES: u64 = 60;

/// What the rendition beside it is made with.
pub(crate) fn settings() -> Settings {
    Settings {
        channel: "t".parse().unwrap(),
        rendition: "low".parse().unwrap(),
        segment_ms: 2000,
        part_ms: None,
        frames: false,
        key_period_s: 3600,
        secret: MasterSecret::new(b"a secret of some length").unwrap(),
    }
}

/// Pictures as wide as this.
pub(crate) fn video(width: u16) -> VideoConfig {
    VideoConfig {
        coding: VideoCoding::Avc,
        record: Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]),
        codec: "avc1.64001f".into(),
        width,
        height: 360,
        frame_rate_milli: None,
        colour: None,
    }
}

/// The source's pictures, by how long each of them is shown, in 1/90000 s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pictures(pub(crate) u64);

impl Pictures {
    /// When the `n`th one is shown.
    pub(crate) fn at(self, n: u64) -> MediaTime {
        MediaTime(BEGIN.media().0 + n * self.0)
    }

    /// Which segment begins here.
    pub(crate) fn place(self, start: MediaTime) -> u64 {
        (start.0 - BEGIN.media().0) / self.0 / FRAMES
    }

    /// How long a segment is.
    pub(crate) fn duration(self) -> MediaSpan {
        MediaSpan((FRAMES * self.0) as i64)
    }

    /// What the source cut as the `of`th segment: its pictures.
    pub(crate) fn cut(self, of: u64) -> Cut {
        let sample = |n: u64| Sample {
            kind: Kind::Video,
            dts: self.at(n),
            cts: 0,
            key: n.is_multiple_of(FRAMES),
            leading: false,
            data: Bytes::from_static(b"source"),
        };
        let (begin, end) = (of * FRAMES, (of + 1) * FRAMES);
        Cut {
            start: self.at(begin),
            duration: u32::try_from(FRAMES * self.0).unwrap(),
            discontinuity: of == 0,
            tracks: Tracks { video: Some(video(1280)), audio: None },
            video: (begin..end).map(sample).collect::<Vec<_>>(),
            video_end: self.at(end),
            ..Cut::default()
        }
    }
}
