//! What one origin of a pair cut short, and what waits behind it.
//!
//! The other origin may have the whole of such a segment, under the same name, and whoever writes a name first has it for
//! good. So it comes out late: with the first whole segment that follows it, by which the other one has cut and written its own,
//! or [`OPEN_MS_MAX`] after the loss. Order stays: what is made meanwhile waits behind it.

use alloc::collections::VecDeque;

use super::{Note, OPEN_MS_MAX, Output, Programme};
use crate::package::{self, Kind};
use crate::time::Moment;

/// Objects that wait.
#[derive(Debug)]
pub(super) struct Short {
    since: u64,
    waiting: VecDeque<Output>,
}

impl Programme {
    /// Takes over what the packager made.
    pub(super) fn collect(&mut self) {
        if core::mem::replace(&mut self.silent, self.packager.is_silent()) != self.silent {
            self.outputs.push_back(Output::Note(Note::Silent(self.silent)));
        }
        while let Some(output) = self.packager.poll() {
            match output {
                package::Output::Object(object) => {
                    let whole = matches!(object.kind, Kind::Segment { .. });
                    self.put(Output::Object(object));
                    if whole {
                        self.release();
                    }
                }
                package::Output::Cut(cut) => self.put(Output::Cut(cut)),
                package::Output::Lost(rung, start) => self.put(Output::Lost(rung, start)),
                package::Output::Forced(bound) => self.outputs.push_back(Output::Note(Note::Forced(bound))),
            }
        }
    }

    fn put(&mut self, output: Output) {
        match &mut self.short {
            Some(short) => short.waiting.push_back(output),
            None => self.outputs.push_back(output),
        }
    }

    /// What is open is cut where it stands, though another origin may go on with it.
    pub(super) fn cut_short(&mut self, now: Moment) {
        self.collect();
        let mut short =
            self.short.take().unwrap_or_else(|| Short { since: now.up_ms, waiting: VecDeque::new() });
        self.packager.finish();
        while let Some(output) = self.packager.poll() {
            match output {
                package::Output::Object(object) => short.waiting.push_back(Output::Object(object)),
                package::Output::Cut(cut) => short.waiting.push_back(Output::Cut(cut)),
                package::Output::Lost(rung, start) => short.waiting.push_back(Output::Lost(rung, start)),
                package::Output::Forced(_) => {}
            }
        }
        self.short = Some(short);
    }

    /// What waited comes out.
    pub(super) fn release(&mut self) {
        self.outputs.extend(self.short.take().into_iter().flat_map(|short| short.waiting));
    }

    /// Until when nothing need happen: then [`Programme::tick`] is due, on [`Moment::up_ms`].
    pub fn deadline(&self) -> Option<u64> {
        let short = self.short.as_ref().map(|short| short.since);
        let open = self.open.map(|open| open.since);
        Some(open.into_iter().chain(short).min()?.saturating_add(OPEN_MS_MAX))
    }

    /// Lets time pass: what waited long enough comes out.
    pub fn tick(&mut self, now: Moment) {
        self.decide(now);
        self.collect();
        if self.short.as_ref().is_some_and(|short| now.ms_since(short.since) >= OPEN_MS_MAX) {
            self.release();
        }
    }

    /// Nothing more is expected of feeds that were lost: what waited for them comes out now. What goes on is left alone.
    pub fn give_up_waiting(&mut self) {
        if self.used.is_none() && self.open.is_some() {
            self.close();
        }
        self.collect();
        self.release();
    }
}
