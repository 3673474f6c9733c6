//! Where a cut's samples lie on their tracks' timescales, and how compactly that can be said.

use alloc::vec::Vec;

use crate::media::{AudioConfig, Sample};
use crate::time::MediaTime;

/// How far the exact frame grid may run from the arrival grid of milliseconds, in milliseconds, before it gives way.
///
/// RTMP rounds an AAC frame's 21.33 ms to a millisecond; the true times are the evenly spaced ones.
pub(super) const GRID_MS_MAX: u64 = 3;

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
    /// Video: in 1/90000 s, each sample up to the next one, the last to `end`. `None` without samples.
    pub(super) fn video(samples: &[Sample], end: MediaTime) -> Option<Run> {
        let nexts = samples.iter().skip(1).map(|next| next.dts).chain([end]);
        let entries = samples.iter().zip(nexts).map(|(sample, next)| Entry {
            duration: span(sample.dts.0, next.0),
            size: size(sample),
            flags: match sample {
                Sample { key: true, .. } => KEY,
                Sample { leading: true, .. } => LEADING,
                _ => NOT_KEY,
            },
            cts: sample.cts,
        });
        Some(Run { start: samples.first()?.dts.0, entries: entries.collect() })
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

fn size(sample: &Sample) -> u32 {
    u32::try_from(sample.data.len()).unwrap_or(u32::MAX)
}
