//! Where a cut's samples lie on their tracks' timescales, and how compactly that can be said.

use alloc::vec::Vec;

use crate::media::{AudioConfig, Cut, Sample};
use crate::time::MediaTime;

/// How far the exact frame grid may run from the arrival grid of milliseconds, in milliseconds, before it gives way.
///
/// RTMP rounds an AAC frame's 21.33 ms to a millisecond; the true times are the evenly spaced ones.
pub(super) const GRID_MS_MAX: u64 = 3;

/// The furthest that a cut's first picture may be shown from when it is decoded, in 1/90000 s: 3 s, as a timeline has it.
const SHIFT_MAX: u64 = 270_000;

/// Sample flags (ISO/IEC 14496-12, 8.8.3.1): depends on no other sample.
pub(super) const KEY: u32 = 0x0200_0000;

/// Sample flags: depends on others, and is not a sync sample.
pub(super) const NOT_KEY: u32 = 0x0101_0000;

/// Sample flags: depends on others that are before the key frame that it leads.
pub(super) const LEADING: u32 = NOT_KEY | 0x0400_0000;

/// One sample of a track run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) cts: i32,
}

/// One track of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Decoding time of the first sample, in the track's timescale since 1970.
    pub(super) start: u64,
    pub(super) entries: Vec<Entry>,
}

impl Run {
    /// Video: in 1/90000 s, each sample up to the next one, the last to where decoding goes on. `None` without samples.
    ///
    /// Decoding is told as if it began when the first picture is shown: players take a decoding time for where a segment lies
    /// in its playlist, which is told in the order of presentation, and where pictures are reordered they would show a hole
    /// wherever a run begins. So composition offsets may be negative (ISO/IEC 23000-19, 7.3.2.2, brand `cmf2`). A cut's end is
    /// the next one's start, so that neighbours meet.
    pub(super) fn video(cut: &Cut) -> Option<Run> {
        let samples = &cut.video;
        let first = samples.first()?.dts.0;
        let (start, shown_end) = match cut.start.0.abs_diff(first) <= SHIFT_MAX {
            true => (cut.start.0, cut.start.0.saturating_add(u64::from(cut.duration))),
            false => (first, u64::MAX),
        };
        // Where a run breaks off, its last picture may be shown after some that never came, and lasts no longer for it.
        let end = shown_end.min(start.saturating_add(cut.video_end.0.saturating_sub(first)));
        // What comes may be nearer to its presentation than what this begins with: then the last pictures make room.
        let place = |n: usize, dts: MediaTime| {
            let left = u64::try_from(samples.len().saturating_sub(n)).unwrap_or(u64::MAX);
            let shifted = start.saturating_add(dts.0.saturating_sub(first));
            shifted.min(end.saturating_sub(left).max(start))
        };
        let places: Vec<u64> = samples.iter().enumerate().map(|(n, sample)| place(n, sample.dts)).collect();
        let nexts = places.iter().skip(1).copied().chain([end]);
        let entries = samples.iter().zip(&places).zip(nexts).map(|((sample, at), next)| Entry {
            duration: span(*at, next),
            size: size(sample),
            flags: match sample {
                Sample { key: true, .. } => KEY,
                Sample { leading: true, .. } => LEADING,
                _ => NOT_KEY,
            },
            cts: offset(*at, sample.pts().0),
        });
        Some(Run { start, entries: entries.collect() })
    }

    /// Audio: in samples a second, on the exact grid of frames as long as that agrees with the times given, the last
    /// one up to where `end` lies. `None` without samples.
    ///
    /// The first sample's place follows from its own time alone and the last one's end from `end` alone, so that
    /// neighbouring segments meet without knowing of each other.
    pub(super) fn audio(samples: &[Sample], end: MediaTime, config: &AudioConfig) -> Option<Run> {
        let start = samples.first()?.dts.rescale(config.sample_rate);
        let end = end.rescale(config.sample_rate);
        let tolerance = GRID_MS_MAX * u64::from(config.sample_rate) / 1000;
        let mut entries = Vec::with_capacity(samples.len());
        let mut at = start;
        for (i, sample) in samples.iter().enumerate() {
            let next = match samples.get(i + 1) {
                Some(next) => {
                    let grid = at.saturating_add(u64::from(config.frame_len));
                    let given = next.dts.rescale(config.sample_rate);
                    if grid.abs_diff(given) <= tolerance && grid < end { grid } else { given }
                }
                None => end,
            };
            let duration = span(at, next).max(1);
            entries.push(Entry { duration, size: size(sample), flags: KEY, cts: 0 });
            at = at.saturating_add(u64::from(duration));
        }
        Some(Run { start, entries })
    }

    /// Bytes of media.
    pub(super) fn media_len(&self) -> usize {
        self.entries.iter().map(|entry| entry.size as usize).sum()
    }

    /// The one value that `field` has in all samples, if it has one.
    pub(super) fn same(&self, field: impl Fn(&Entry) -> u32) -> Option<u32> {
        let first = field(self.entries.first()?);
        self.entries.iter().all(|entry| field(entry) == first).then_some(first)
    }
}

fn span(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

fn offset(from: u64, to: u64) -> i32 {
    i32::try_from(i128::from(to) - i128::from(from)).unwrap_or(0)
}

fn size(sample: &Sample) -> u32 {
    u32::try_from(sample.data.len()).unwrap_or(u32::MAX)
}
