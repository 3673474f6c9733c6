//! Frames of tracks beside the first ones: they are on the same clock.
//!
//! Their timestamps are wrong as often as others are. One that lies far from what came of its own track, and from the first ones, waits:
//! taken at its word, it would leave no room for what comes behind it. Where the track goes on at the old place, what waits
//! goes between its neighbours; all frames of a PES packet have their times from one. Where it goes on at the new place for so
//! long as [`STRAY_MS`], or the first ones go on there, too, it is there.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{BACK_MS_MAX, FORWARD_MS_MAX, STRAY_MS, Timeline};
use crate::media::{Frame, Kind, Sample};

/// So many frames of a further track may wait to see whether their timestamps are right.
pub const STRAYS_BESIDE_MAX: usize = 128;

/// So many bytes of all further tracks may wait for that: 32 MiB. Where there are more, all that waits is lost.
pub const STRAYS_BESIDE_LEN_MAX: usize = 32 << 20;

/// The further tracks, by their kind and number: as many as a demultiplexer was told to take.
pub(super) type Beside = BTreeMap<(Kind, u8), Track>;

/// A further track.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Its newest timestamp.
    last_ms: Option<i64>,
    /// How far apart its frames may be, where they lie elsewhere and come less often than one in [`STRAY_MS`]; zero where not.
    apart_ms: i64,
    /// Frames far from all others, each behind the one before.
    strays: Vec<Frame>,
}

impl Timeline {
    /// Takes the next frame of a further track, and tells what has a place by that. A frame that lies far from the first tracks has
    /// none, and neither has one from before what may be used.
    pub fn beside(&mut self, track: u8, frame: Frame) -> Vec<Sample> {
        let frame = self.beside_firsts(frame);
        let since = |ms: i64| frame.dts_ms.saturating_sub(ms);
        let firsts = [self.video, self.audio];
        let off = firsts.iter().flatten().map(|tip| since(tip.feed_ms).saturating_abs()).min();
        let Some(off) = off.filter(|off| *off <= FORWARD_MS_MAX) else { return Vec::new() };
        let lane = self.beside.entry((frame.kind, track)).or_default();
        let reach_ms = lane.apart_ms.max(STRAY_MS);
        let is_away =
            off > STRAY_MS && lane.last_ms.is_none_or(|last| since(last).saturating_abs() > reach_ms);
        let (mut placed, last_ms) = (core::mem::take(&mut lane.strays), lane.last_ms);
        if is_away {
            if let Some(step_ms) = placed.last().map(|stray| since(stray.dts_ms)) {
                // Where nothing says otherwise, and where they were as far apart before, its frames may come that seldom.
                let reach_ms = if last_ms.is_none() { FORWARD_MS_MAX } else { reach_ms };
                if !(-BACK_MS_MAX..=reach_ms).contains(&step_ms) {
                    // Neither was right, or this one is not.
                    self.counts.stragglers += placed.len() as u64;
                    placed.clear();
                }
                let is_seldom = step_ms > STRAY_MS && step_ms <= FORWARD_MS_MAX;
                lane.apart_ms = if is_seldom { FORWARD_MS_MAX.min(2 * step_ms) } else { 0 };
            }
            let goes_on = placed.first().is_some_and(|first| since(first.dts_ms) >= STRAY_MS);
            placed.push(frame);
            if !goes_on && placed.len() < STRAYS_BESIDE_MAX {
                lane.strays = placed;
                self.bound_strays();
                return Vec::new();
            }
        } else {
            if last_ms.is_some_and(|last| since(last).saturating_abs() <= STRAY_MS) {
                lane.apart_ms = 0;
            }
            let is_behind_a_hole = last_ms.is_none_or(|last| since(last) > STRAY_MS);
            let goes_on = placed.last().is_some_and(|stray| (0..=STRAY_MS).contains(&since(stray.dts_ms)));
            match last_ms {
                // Behind a hole in all tracks, the first ones have come there meanwhile: it was right.
                _ if is_behind_a_hole && goes_on => {}
                Some(last_ms) => {
                    spread(&mut placed, last_ms, frame.dts_ms);
                    self.counts.nudged += placed.len() as u64;
                }
                None => placed.clear(),
            }
            placed.push(frame);
        }
        lane.last_ms = placed.last().map(|newest| newest.dts_ms);
        placed.into_iter().filter_map(|frame| self.sample(frame)).collect()
    }

    /// On the clock of the first of its kind, where that is one of its own and the frame lies nearer to the first ones by that.
    fn beside_firsts(&self, frame: Frame) -> Frame {
        let firsts = [self.video, self.audio];
        let off = |ms: i64| {
            firsts.iter().flatten().map(|tip| ms.saturating_sub(tip.feed_ms).saturating_abs()).min()
        };
        let dts_ms = frame.dts_ms.saturating_add(self.apart.of(frame.kind));
        if off(dts_ms) < off(frame.dts_ms) { Frame { dts_ms, ..frame } } else { frame }
    }

    /// Lets go of what waits, where it is too much.
    fn bound_strays(&mut self) {
        let waiting = self.beside.values().flat_map(|track| &track.strays);
        if waiting.map(|frame| frame.data.len()).sum::<usize>() <= STRAYS_BESIDE_LEN_MAX {
            return;
        }
        for track in self.beside.values_mut() {
            self.counts.stragglers += track.strays.len() as u64;
            track.strays.clear();
        }
    }

    fn sample(&self, frame: Frame) -> Option<Sample> {
        let Frame { kind, dts_ms, cts, key, leading, data } = frame;
        let dts = self.anchor.media(dts_ms).filter(|dts| *dts >= self.not_before)?;
        Some(Sample { kind, dts, cts, key, leading, data })
    }
}

/// Gives frames places that are evenly apart between two others.
fn spread(frames: &mut [Frame], from_ms: i64, to_ms: i64) {
    let (len, apart) = (frames.len() as i64, to_ms.saturating_sub(from_ms).max(0));
    for (n, frame) in (1..).zip(frames) {
        frame.dts_ms = from_ms.saturating_add(apart.saturating_mul(n) / (len + 1));
    }
}
