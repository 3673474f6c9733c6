//! The book's page of parts: which were made, which target has them, which may be listed.

use alloc::collections::VecDeque;
use alloc::string::String;

use crate::package;
use crate::state::{PARTS_MAX, Part};
use crate::time::{MediaTime, UtcMs};

/// How many part durations a part may be overtaken by later ones before it becomes a gap.
pub const GAP_WAIT_PARTS: u64 = 2;

/// Parts in the order of their starts, of the newest segments and of what follows them.
#[derive(Debug, Default)]
pub(super) struct Parts {
    rows: VecDeque<Row>,
    /// How many of them are listed, from the front.
    listed: usize,
}

#[derive(Debug)]
struct Row {
    part: Part,
    /// The name of the init segment that it needs.
    init: String,
    /// When a later part was first acknowledged.
    overtaken: Option<UtcMs>,
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
        let part = Part { of, start, duration, init: 0, discontinuity, independent, gap: false, on: 0 };
        self.rows.push_back(Row { part, init: init.clone(), overtaken: None });
        if let Some(oldest) = self.rows.front().map(|row| row.part.of).filter(|_| self.rows.len() > PARTS_MAX)
        {
            self.keep(|of| of != oldest);
        }
    }

    /// A target has acknowledged the part that starts here; `bit` stands for it. Gives whether something that is listed
    /// has changed.
    pub(super) fn acked(&mut self, bit: u32, start: MediaTime, now: UtcMs) -> bool {
        let Ok(at) = self.rows.binary_search_by_key(&start, |row| row.part.start) else { return false };
        self.rows[at].part.on |= bit;
        for earlier in self.rows.iter_mut().take(at).skip(self.listed) {
            earlier.overtaken.get_or_insert(now);
        }
        at < self.listed
    }

    /// A target has gone with all that it had.
    pub(super) fn forget(&mut self, bit: u32) {
        self.rows.iter_mut().for_each(|row| row.part.on &= !bit);
    }

    /// Lists what may be listed at `now`, in order: what a target has with its init segment, and as a gap what was
    /// overtaken for `wait_ms`, or whose segment is listed already. Gives whether there was any.
    pub(super) fn advance(
        &mut self,
        newest: Option<MediaTime>,
        init_on: impl Fn(&str) -> u32,
        wait_ms: u64,
        now: UtcMs,
    ) -> bool {
        let before = self.listed;
        while let Some(row) = self.rows.get_mut(self.listed) {
            if row.part.on & init_on(&row.init) == 0 {
                let late = row.overtaken.is_some_and(|since| now.ms_since(since) >= wait_ms);
                if !late && newest.is_none_or(|newest| newest < row.part.of) {
                    break;
                }
                row.part.gap = true;
            }
            self.listed += 1;
        }
        self.listed > before
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
