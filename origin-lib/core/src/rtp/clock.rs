//! Where the timestamps of two tracks lie on one clock.
//!
//! Timestamps begin anywhere, each track's elsewhere. A track begins when its first unit arrives. Once sender reports have come for
//! both, sound moves to where it belongs beside the picture; the picture never moves. Where a track's timestamps jump, it begins
//! anew.

use super::Report;
use super::reports::Reports;
use crate::media::Kind;
use crate::time::{MEDIA_HZ, UtcMs};

/// Timestamps that go on by so much more, or less, than time passed have jumped: 5 s.
pub const JUMP_MS_MAX: i64 = 5_000;

/// Timestamps that go back by more have jumped, too: 1 s. Pictures are sent in another order than they are shown in by less.
pub const BACK_MS_MAX: i64 = 1_000;

/// Reports that would move sound further than this say nothing: 2 s.
pub const SYNC_MS_MAX: i64 = 2_000;

/// Sound stays where it is while it is off by less: first, and from then on.
const OFF_MS: i64 = 5;
const OFF_AGAIN_MS: i64 = 20;

/// Ticks of a millisecond.
const MS: i64 = MEDIA_HZ as i64 / 1000;

/// The clock of a feed. Its times are in 1/90000 s, and the origin's where the first unit arrived.
#[derive(Debug, Default)]
pub(super) struct Clock {
    video: Option<Track>,
    audio: Option<Track>,
    of_video: Reports,
    of_audio: Reports,
    synced: bool,
}

#[derive(Clone, Copy, Debug)]
struct Track {
    hz: u32,
    /// This timestamp is at this time.
    from: u64,
    at: i64,
    /// The last unit's time, and when it arrived.
    last: i64,
    arrived: UtcMs,
    report: Option<Report>,
    /// Its timestamps go on elsewhere.
    broken: bool,
}

impl Track {
    fn at(&self, time: u64) -> i64 {
        let since = i128::from(time) - i128::from(self.from);
        let ticks = since * i128::from(MEDIA_HZ) / i128::from(self.hz.max(1));
        i64::try_from(i128::from(self.at) + ticks).unwrap_or(i64::MAX)
    }
}

/// Where a unit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In 1/90000 s.
    pub(super) at: i64,
    /// Its track begins here, for the first time or anew.
    pub(super) anew: bool,
    /// Its track moved, and goes on from here.
    pub(super) moved: bool,
}

impl Clock {
    /// Where a unit lies that arrived now.
    pub(super) fn place(
        &mut self,
        kind: Kind,
        (time, hz): (u64, u32),
        report: Option<Report>,
        arrived: UtcMs,
    ) -> Place {
        let arrival = i64::try_from(arrived.0).unwrap_or(i64::MAX / MS).saturating_mul(MS);
        let (slot, reports) = match kind {
            Kind::Video => (&mut self.video, &mut self.of_video),
            Kind::Audio => (&mut self.audio, &mut self.of_audio),
        };
        let jumped = |track: &Track| {
            let passed = arrived.0 as i64 - track.arrived.0 as i64;
            let step = track.at(time).saturating_sub(track.last) / MS;
            let is_off = step.saturating_sub(passed).saturating_abs() > JUMP_MS_MAX || step < -BACK_MS_MAX;
            track.broken || track.hz != hz || is_off
        };
        let anew = slot.as_ref().is_none_or(jumped);
        if anew {
            let at = slot.map_or(arrival, |before| arrival.max(before.last.saturating_add(MS)));
            *slot = Some(Track { hz, from: time, at, last: at, arrived, report: None, broken: false });
            self.synced = false;
        }
        if let Some(track) = slot.as_mut() {
            // A report of before a jump is of other timestamps.
            match report.filter(|_| !anew) {
                Some(report) => reports.take(report),
                None if anew => reports.clear(),
                None => {}
            }
            track.report = reports.best(hz);
        }
        let moved = kind == Kind::Audio && self.sync();
        let track = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        let Some(track) = track.as_mut() else { return Place { at: arrival, anew, moved } };
        let at = track.at(time);
        (track.last, track.arrived) = (at, arrived);
        Place { at, anew, moved }
    }

    /// What comes next of this track has timestamps of its own.
    pub(super) fn break_off(&mut self, kind: Kind) {
        let track = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        if let Some(track) = track {
            track.broken = true;
        }
    }

    /// Moves sound to where reports say that it belongs. Whether it moved.
    fn sync(&mut self) -> bool {
        let (Some(video), Some(audio)) = (&self.video, &mut self.audio) else { return false };
        let (Some(of_video), Some(of_audio)) = (video.report, audio.report) else { return false };
        let later = i128::from(of_audio.wall_us) - i128::from(of_video.wall_us);
        let later = later * i128::from(MEDIA_HZ) / 1_000_000;
        let belongs = i128::from(video.at(of_video.time)) + later;
        let off = i64::try_from(belongs - i128::from(audio.at(of_audio.time))).unwrap_or(i64::MAX);
        // By whole milliseconds, which is what a packet of sound has.
        let off_ms = off / MS;
        let enough = if self.synced { OFF_AGAIN_MS } else { OFF_MS };
        if off_ms.saturating_abs() > SYNC_MS_MAX {
            return false;
        }
        self.synced = true;
        if off_ms.abs() < enough {
            return false;
        }
        audio.at = audio.at.saturating_add(off_ms * MS);
        true
    }
}
