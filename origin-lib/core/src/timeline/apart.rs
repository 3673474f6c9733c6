//! A track whose timestamps are on another clock than the other track's.

use super::{BACK_MS_MAX, FORWARD_MS_MAX, STRAY_MS, Stray, Timeline, Tip};
use crate::media::{Frame, Kind};

/// While a track goes on by so much, in milliseconds, the other one has not stood still: it may come in pieces as long (PES: 700 ms).
const STILL_MS: i64 = 700;

/// Which track is on a clock of its own. There is one at most: the other one's clock is the common one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Apart {
    /// The track, and what is added to its timestamps, in milliseconds.
    offset: Option<(Kind, i64)>,
    /// Where video and audio were before the last jump, as they were sent, in milliseconds.
    before: (Option<i64>, Option<i64>),
}

impl Apart {
    pub(super) fn of(self, kind: Kind) -> i64 {
        self.offset.filter(|of| of.0 == kind).map_or(0, |of| of.1)
    }

    /// The track's timestamps are to be later by so much than they are so far.
    pub(super) fn move_on(&mut self, kind: Kind, by_ms: i64) {
        self.offset = Some((kind, self.of(kind).saturating_add(by_ms)));
    }

    /// Behind a jump both tracks are taken at their word again.
    pub(super) fn behind_jump(self, video: Option<Tip>, audio: Option<Tip>) -> Apart {
        let sent = |kind, tip: Option<Tip>| tip.map(|tip| tip.feed_ms.saturating_sub(self.of(kind)));
        Apart { offset: None, before: (sent(Kind::Video, video), sent(Kind::Audio, audio)) }
    }
}

impl Tip {
    /// How far the other track, which has come to `other_ms`, went on since this one's last frame, in milliseconds of the feed's time.
    fn stands_still_ms(self, other_ms: Option<i64>) -> i64 {
        other_ms.zip(self.beside_ms).map_or(0, |(other, beside)| other.saturating_sub(beside))
    }
}

impl Timeline {
    /// The frame's timestamp as it was sent.
    pub(super) fn as_sent(&self, frame: &Frame) -> i64 {
        frame.dts_ms.saturating_sub(self.apart.of(frame.kind))
    }

    /// The frame as it came, on the clock of both tracks. An offset ends where the timestamp is beside the other track without it, and not with it.
    pub(super) fn on_common_clock(&mut self, frame: Frame) -> Frame {
        let by_ms = self.apart.of(frame.kind);
        if by_ms == 0 {
            return frame;
        }
        let moved_ms = frame.dts_ms.saturating_add(by_ms);
        let own_ms = self.tip(frame.kind).map(|own| own.feed_ms);
        let is_over = self.other(frame.kind).is_some_and(|other| {
            // Past one that stands still, a clock that is behind comes by itself.
            let goes_on = other.stands_still_ms(own_ms) <= STILL_MS;
            let off = |ms: i64| ms.saturating_sub(other.feed_ms).saturating_abs();
            let (came, moved) = (off(frame.dts_ms), off(moved_ms));
            // Beside its own last frame it may lie by chance.
            goes_on && came <= STRAY_MS && moved > STRAY_MS && came < moved / 2
        });
        if !is_over {
            return Frame { dts_ms: moved_ms, ..frame };
        }
        self.apart.offset = None;
        frame
    }

    /// How much later the timestamps of a track must be that went elsewhere with these two frames, where it alone did; `None` where
    /// the feed's clock has jumped.
    ///
    /// A picture that leaves sound behind takes the clock with it. Where the other track stood still, nobody knows whether it will
    /// follow.
    pub(super) fn parts(&mut self, stray: &Stray, next: &Frame) -> Option<i64> {
        let first = &stray.frame;
        let kind = next.kind;
        let other = self.other(kind)?;
        let is_first = self.tip(kind).is_none();
        // Of one frame of sound alone, nobody knows whether its timestamp is right.
        if is_first && kind == Kind::Video && other.frames < 2 {
            return None;
        }
        let is_free = self.apart.offset.is_none_or(|of| of.0 == kind);
        let own_ms = self.tip(kind).map(|own| own.feed_ms);
        // Behind a pause of the whole feed, its last frames say nothing of what time it is.
        let goes_on = other.stands_still_ms(own_ms) <= FORWARD_MS_MAX && !stray.behind_pause;
        // Where the track is far ahead of the other one, its frames would lie before those that came: only a jump makes room.
        let has_room = self.tip(kind).is_none_or(|own| own.feed_ms.saturating_sub(other.feed_ms) <= STRAY_MS);
        if first.kind != kind || !(is_first || kind == Kind::Audio) || !is_free || !goes_on || !has_room {
            return None;
        }
        let before = match kind {
            Kind::Video => self.apart.before.0,
            Kind::Audio => self.apart.before.1,
        };
        // It goes on where it was before the other one's jump.
        let stayed = is_first
            && before.is_some_and(|before| {
                (-BACK_MS_MAX..=FORWARD_MS_MAX).contains(&first.dts_ms.saturating_sub(before))
            });
        let by_ms = other.feed_ms.saturating_sub(next.dts_ms);
        (stayed || self.is_away(first, FORWARD_MS_MAX)).then_some(by_ms)
    }

    pub(super) fn other(&self, kind: Kind) -> Option<Tip> {
        match kind {
            Kind::Video => self.audio,
            Kind::Audio => self.video,
        }
    }
}
