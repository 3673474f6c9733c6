//! The book's page of parts: which were made, which target has them, which may be listed.

use alloc::collections::VecDeque;
use alloc::string::String;

use crate::package;
use crate::state::{PARTS_IDLE_MS, PARTS_MAX, PARTS_SPAN_MS_MAX, Part};
use crate::time::{MediaSpan, MediaTime, UtcMs};

const SPAN_MAX: MediaSpan = MediaSpan::from_ms(PARTS_SPAN_MS_MAX as i64);

/// Parts in the order of their starts, of the newest segments and of what follows them.
#[derive(Debug, Default)]
pub(super) struct Parts {
    rows: VecDeque<Row>,
    /// How many of them are listed, from the front.
    listed: usize,
    /// None is listed before a segment is that starts here, or later: until then, parts would seem to be of another segment than the
    /// one that they are of, since players count from the last one that is listed.
    held: Option<MediaTime>,
    /// How long after its end the newest one was made, in milliseconds; less than nothing where media time is ahead of the clock.
    lag_ms: Option<i64>,
}

#[derive(Debug)]
struct Row {
    part: Part,
    /// The name of the init segment that it needs.
    init: String,
}

impl Parts {
    /// A part was made. One that lies before the newest is ignored: time does not go back on a channel. So is one whose
    /// segment began unseen: players count a segment's parts from its first.
    pub(super) fn made(&mut self, made: &package::Part) {
        let last = self.rows.back().map(|row| row.part);
        let goes_on = last.is_some_and(|last| last.of == made.of);
        if last.is_some_and(|last| last.start >= made.start) || !(goes_on || made.start == made.of) {
            return;
        }
        let package::Part { of, start, duration, discontinuity, independent, ref init } = *made;
        let part = Part { of, start, duration, init: 0, discontinuity, independent, on: 0 };
        self.rows.push_back(Row { part, init: init.clone() });
    }

    /// Whether a part comes longer after its end than the one before it did, by [`PARTS_IDLE_MS`]: its feed stood still, or nobody knew
    /// whether it would go on. The other origin of a pair may have made it in time, and deletes it at the targets before long.
    pub(super) fn is_late(&mut self, made: &package::Part, now: UtcMs) -> bool {
        let ms = |time: UtcMs| i64::try_from(time.0).unwrap_or(i64::MAX);
        let lag_ms = ms(now) - ms((made.start + made.duration).utc());
        let before_ms = self.lag_ms.replace(lag_ms).unwrap_or(lag_ms);
        lag_ms.saturating_sub(before_ms) > ms(UtcMs(PARTS_IDLE_MS))
    }

    /// A target has acknowledged the part that starts here; `bit` stands for it. Gives whether something that is listed
    /// has changed.
    pub(super) fn acked(&mut self, bit: u32, start: MediaTime) -> bool {
        let Ok(at) = self.rows.binary_search_by_key(&start, |row| row.part.start) else { return false };
        self.rows[at].part.on |= bit;
        at < self.listed
    }

    /// A target has gone with all that it had.
    pub(super) fn forget(&mut self, bit: u32) {
        self.rows.iter_mut().for_each(|row| row.part.on &= !bit);
    }

    /// Lists what may be listed, in order: what a target has with its init segment. A part that no target has yet holds back
    /// those behind it until it or its segment is there. No part of a segment that overtook one of them is listed from then
    /// on: who has not played the segment takes it whole, so that nothing is left out. Gives whether anything has changed.
    pub(super) fn advance(&mut self, newest: Option<MediaTime>, init_on: impl Fn(&str) -> u32) -> bool {
        let mut changed = false;
        self.held = self.held.filter(|held| newest.is_none_or(|newest| newest < *held));
        while let Some(Row { part, init }) = self.rows.get(self.listed).filter(|_| self.held.is_none()) {
            if part.on & init_on(init) != 0 {
                self.listed += 1;
            } else if newest.is_some_and(|newest| newest >= part.of) {
                let overtaken = part.of;
                self.keep(|of| of != overtaken);
            } else {
                break;
            }
            changed = true;
        }
        changed
    }

    /// Drops what is too much, or too old to be at the targets for sure: the parts of the oldest segment, where that is listed as
    /// a whole. Where it is not, players wait for it, and all go. Gives whether something that was listed has gone.
    pub(super) fn bound(&mut self, newest: Option<MediaTime>) -> bool {
        let listed = self.listed;
        while let Some((first, last)) = self.rows.front().zip(self.rows.back()) {
            let (oldest, span) = (first.part.of, last.part.start - first.part.start);
            if self.rows.len() <= PARTS_MAX && span <= SPAN_MAX {
                break;
            }
            if newest.is_some_and(|newest| newest >= oldest) {
                self.keep(|of| of != oldest);
            } else {
                self.give_up();
            }
        }
        self.listed < listed
    }

    /// Drops all of them. Those that come are listed once the segments are whose parts were dropped, or later ones.
    pub(super) fn give_up(&mut self) {
        self.hold(self.rows.back().map(|row| row.part.of));
        self.rows.clear();
        self.listed = 0;
    }

    /// Lists none before the segment is listed that starts here, or a later one.
    pub(super) fn hold(&mut self, before: Option<MediaTime>) {
        self.held = self.held.max(before);
    }

    /// Whether some parts of the segment that starts here are listed and others are not, or not yet.
    pub(super) fn is_half_listed(&self, of: MediaTime) -> bool {
        let is_of = |row: &Row| row.part.of == of;
        self.rows.iter().take(self.listed).any(is_of) && self.rows.iter().skip(self.listed).any(is_of)
    }

    /// Keeps the parts of the segments that the condition names by their start.
    pub(super) fn keep(&mut self, condition: impl Fn(MediaTime) -> bool) {
        let listed = self.rows.iter().take(self.listed);
        self.listed = listed.filter(|row| condition(row.part.of)).count();
        self.rows.retain(|row| condition(row.part.of));
    }

    /// What is listed, with the name of its init segment.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&Part, &str)> {
        self.rows.iter().take(self.listed).map(|row| (&row.part, row.init.as_str()))
    }
}
