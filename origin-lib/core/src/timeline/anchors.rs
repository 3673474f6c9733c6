//! The anchors that are known of a feed.

use alloc::collections::VecDeque;

use super::Anchor;
use crate::time::UtcMs;

/// How many anchors are kept of a feed: those of as many publishes or jumps.
pub const ANCHORS_MAX: usize = 16;

/// The anchors of one feed of a channel, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors(VecDeque<Anchor>);

impl Anchors {
    /// Notes an anchor as the newest; the oldest makes room.
    pub fn note(&mut self, anchor: Anchor) {
        self.0.retain(|known| *known != anchor);
        if self.0.len() >= ANCHORS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(anchor);
    }

    /// The newest anchor: the one in use.
    pub fn newest(&self) -> Option<Anchor> {
        self.0.back().copied()
    }

    /// The newest anchor that [fits](Anchor::fits) a feed whose first timestamp `feed_ms` arrived at `now`.
    pub fn fitting(&self, feed_ms: i64, now: UtcMs) -> Option<Anchor> {
        self.0.iter().rev().copied().find(|anchor| anchor.fits(feed_ms, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_795_171_920_000);

    #[test]
    fn an_anchor_fits_where_a_frame_may_come_from() {
        let mut anchors = Anchors::default();
        anchors.note(Anchor { feed_ms: 1000, utc: NOW });
        for (feed_ms, after_ms, fits) in [
            (1000, 0, true),
            (1000, 15_000, true),
            (1000, 15_001, false),
            (4000, 0, true),
            (4001, 0, false),
            (3_601_000, 3_600_000, true),
            (0, 3_600_000, false),
            (i64::MAX, 0, false),
            (i64::MIN, 0, false),
        ] {
            let found = anchors.fitting(feed_ms, NOW.plus_ms(after_ms));
            assert_eq!(found.is_some(), fits, "{feed_ms} after {after_ms} ms");
        }
    }

    #[test]
    fn the_newest_fitting_one_of_a_bounded_number() {
        let mut anchors = Anchors::default();
        let anchor = |n: u64| Anchor { feed_ms: 0, utc: NOW.plus_ms(n) };
        for n in 0..100 {
            anchors.note(anchor(n));
        }
        assert_eq!(anchors.0.len(), ANCHORS_MAX);
        assert_eq!(anchors.fitting(0, NOW), Some(anchor(99)));
        anchors.note(anchor(90));
        assert_eq!((anchors.0.len(), anchors.fitting(0, NOW)), (ANCHORS_MAX, Some(anchor(90))));
    }
}
