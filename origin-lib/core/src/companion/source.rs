//! What is to be known of the source: where it was cut, and what its feeds' clocks mean.

use alloc::collections::VecDeque;

use super::lag::Lag;
use super::slot;
use crate::media::{Captured, Role};
use crate::time::{MediaTime, Moment};
use crate::timeline::Anchor;

/// So many of the newest places where a segment begins or ends are known.
const CUTS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Source {
    anchors: [Option<Anchor>; 2],
    lags: [Lag; 2],
    /// What must be added to the time at which the encoder says that it captured a picture, to get where that is on media time.
    captured: [Option<i64>; 2],
    /// In order.
    cuts: VecDeque<MediaTime>,
}

impl Source {
    /// A feed of the source has this anchor. Whether its timestamps mean something else than before.
    pub(super) fn anchored(&mut self, role: Role, anchor: Anchor) -> bool {
        let Some(known) = self.anchors.get_mut(slot(role)) else { return false };
        let is_same = known.is_some_and(|known| known.media(anchor.feed_ms) == Some(anchor.utc.media()));
        let before = known.replace(anchor);
        if !is_same {
            self.lags[slot(role)] = Lag::default();
            self.captured[slot(role)] = None;
        }
        before.is_some() && !is_same
    }

    /// A picture of a feed of the source came, which is shown at this timestamp of the feed.
    pub(super) fn arrived(&mut self, role: Role, feed_ms: i64, now: Moment) {
        let Some(at) = self.anchors[slot(role)].and_then(|anchor| anchor.media(feed_ms)) else { return };
        self.lags[slot(role)].note(at.0, now.up_ms);
    }

    /// A feed of the source says when it captured something.
    pub(super) fn captured(&mut self, role: Role, captured: Captured) {
        let Some(at) = self.anchors[slot(role)].and_then(|anchor| anchor.media(captured.feed_ms)) else {
            return;
        };
        self.captured[slot(role)] = Some(between(captured.utc.media(), at));
    }

    /// The source was cut from `start` to `end`.
    pub(super) fn cut(&mut self, start: MediaTime, end: MediaTime) {
        for at in [start, end] {
            if self.reached().is_none_or(|reached| reached < at) {
                self.cuts.push_back(at);
            }
        }
        while self.cuts.len() > CUTS_MAX {
            self.cuts.pop_front();
        }
    }

    /// Up to where it was cut.
    pub(super) fn reached(&self) -> Option<MediaTime> {
        self.cuts.back().copied()
    }

    /// The cut that lies next to `at`, no further away than `near`.
    pub(super) fn near(&self, at: MediaTime, near: u64) -> Option<MediaTime> {
        let next = self.cuts.iter().min_by_key(|cut| cut.0.abs_diff(at.0));
        next.copied().filter(|cut| cut.0.abs_diff(at.0) <= near)
    }

    /// How many cuts lie between two times.
    pub(super) fn between(&self, from: MediaTime, to: MediaTime) -> usize {
        self.cuts.iter().filter(|cut| (from..to).contains(*cut)).count()
    }

    pub(super) fn anchor(&self, role: Role) -> Option<Anchor> {
        self.anchors[slot(role)]
    }

    /// The lag of its feed of this role, or of the other one.
    pub(super) fn lag(&self, role: Role, now: Moment) -> Option<i64> {
        [role, role.other()].into_iter().find_map(|role| self.lags[slot(role)].known(now.up_ms))
    }

    /// What the encoder's capture times lack of media time: of its feed of this role, or of the other one.
    pub(super) fn since_capture(&self, role: Role) -> Option<i64> {
        [role, role.other()].into_iter().find_map(|role| self.captured[slot(role)])
    }
}

/// How far it is from one time to another.
pub(super) fn between(from: MediaTime, to: MediaTime) -> i64 {
    let ticks = |at: MediaTime| i64::try_from(at.0).unwrap_or(i64::MAX);
    ticks(to).saturating_sub(ticks(from))
}
