//! Frames of sound: how long they are, and where those of silence lie.

use bytes::Bytes;

use super::{JITTER, TICKS};
use crate::codec::{opus, silence};
use crate::media::{AudioCoding, AudioConfig};
use crate::time::{MEDIA_HZ, MediaTime};

/// What frames of one time are taken to last all together at the most, in milliseconds: as much as a PES packet holds, whose one time an
/// encoder may give to all that is in it.
const TOGETHER_MS_MAX: u64 = 700;

/// Sound whose silence is known.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) config: AudioConfig,
    pub(super) frame: Bytes,
    /// How long a frame is, in 1/90000 s.
    pub(super) len: u64,
}

impl Kept {
    pub(super) fn new(config: &AudioConfig) -> Option<Kept> {
        let frame = silence::frame(config)?;
        let len =
            (u64::from(config.frame_len) * u64::from(MEDIA_HZ)).checked_div(config.sample_rate.into())?;
        (len > 0).then(|| Kept { config: config.clone(), frame, len })
    }

    /// How long what a feed brings is, in 1/90000 s: a packet of Opus says so itself, and need not be as long as one of silence.
    pub(super) fn len_of(&self, data: &[u8]) -> u64 {
        let samples = match self.config.coding {
            AudioCoding::Opus => opus::packet_len(data),
            AudioCoding::Aac => None,
        };
        let ticks = |samples: u32| u64::from(samples) * u64::from(MEDIA_HZ) / u64::from(opus::SAMPLE_RATE);
        samples.map_or(self.len, ticks)
    }

    /// Where the frame of this number lies on the grid, to the nearest tick.
    pub(super) fn place(&self, n: u64) -> MediaTime {
        let rate = u128::from(self.config.sample_rate);
        let samples = u128::from(n) * u128::from(self.config.frame_len) * u128::from(MEDIA_HZ);
        MediaTime(u64::try_from((samples + rate / 2) / rate).unwrap_or(u64::MAX))
    }

    /// The first frame of the grid that does not lie before this time.
    pub(super) fn first(&self, from: MediaTime) -> u64 {
        let samples = u128::from(from.0.saturating_sub(JITTER)) * u128::from(self.config.sample_rate);
        let frame = u128::from(self.config.frame_len) * u128::from(MEDIA_HZ);
        u64::try_from(samples.div_ceil(frame)).unwrap_or(u64::MAX)
    }
}

/// Frames of sound that a feed gives one time, one after another: behind a [`crate::timeline::Timeline`] they lie ticks apart. Each lasts as
/// long as others do. Nothing before them counts, so that an origin that joined later takes them the same way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Together {
    first: MediaTime,
    last: MediaTime,
    /// How long they are, in 1/90000 s.
    len: u64,
}

impl Together {
    /// With a frame that comes behind them; `before` is none where it is the first.
    pub(super) fn with(before: Option<Together>, dts: MediaTime, len: u64) -> Together {
        match before.filter(|before| dts.0.abs_diff(before.last.0) <= JITTER) {
            Some(before) => Together { last: dts, len: before.len.saturating_add(len), ..before },
            None => Together { first: dts, last: dts, len },
        }
    }

    pub(super) fn end(&self) -> MediaTime {
        MediaTime(self.first.0.saturating_add(self.len.min(TOGETHER_MS_MAX * TICKS)))
    }
}
