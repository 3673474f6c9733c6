//! Which picture gets which board: holds a channel's samples until what was scored by then is known, and says what the
//! encoder is to be given, in order. No clock, no process.
//!
//! A board bears the media time from which it is shown, never that of its making: where a score comes in time, it shows with
//! the frame at which it was made. It is in time where it comes within the delay; what comes later shows as soon as it is
//! there.

use std::collections::VecDeque;
use std::sync::Arc;

use railbird_core::media::Kind;
use railbird_core::programme::Passed;
use railbird_core::score::{Document, Words};
use railbird_core::time::MediaTime;

use super::board::View;

/// The most bytes of media that are held. Beyond, the oldest goes on before its time.
const HELD_LEN_MAX: usize = 96 << 20;

/// The most samples that are held.
const HELD_MAX: usize = 16_384;

/// The most matches of which something may be shown.
const MATCHES_MAX: usize = 4;

/// What the encoder is given next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// From then on, this is what the board says; `None`: there is none.
    Board(MediaTime, Option<Arc<View>>),
    /// A sample of the channel.
    Sample(Passed),
}

/// Samples on their way.
pub(super) struct Line {
    delay_ms: u64,
    words: Words,
    held: VecDeque<(u64, Passed)>,
    held_len: usize,
    /// The match that is played, and before it the one that viewers see until it begins; the newest first.
    matches: Vec<Arc<Document>>,
    /// Up to where boards were given out.
    told: Option<MediaTime>,
    view: Option<Arc<View>>,
    steps: VecDeque<Step>,
    early: u64,
}

impl Line {
    pub(super) fn new(delay_ms: u64, words: Words) -> Line {
        Line {
            delay_ms,
            words,
            held: VecDeque::new(),
            held_len: 0,
            matches: Vec::new(),
            told: None,
            view: None,
            steps: VecDeque::new(),
            early: 0,
        }
    }

    /// Takes the score of the match that was played last, as it stands. What is known of a later one was taken back: its start was
    /// undone.
    pub(super) fn score(&mut self, document: Arc<Document>) {
        let begins = document.begins();
        self.matches.retain(|known| known.match_id != document.match_id && known.begins() <= begins);
        self.matches.insert(0, document);
        self.matches.truncate(MATCHES_MAX);
    }

    /// Takes a sample that came at `up_ms` of a clock that only goes forward.
    pub(super) fn sample(&mut self, passed: Passed, up_ms: u64) {
        self.held_len += passed.sample.data.len();
        self.held.push_back((up_ms, passed));
        while self.held.len() > HELD_MAX || self.held_len > HELD_LEN_MAX {
            self.early += 1;
            self.let_go();
        }
    }

    /// When the next sample goes on, by the same clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.held.front().map(|(came_ms, _)| came_ms.saturating_add(self.delay_ms))
    }

    /// Lets go what is due at `up_ms`.
    pub(super) fn run(&mut self, up_ms: u64) {
        while self.due_ms().is_some_and(|due_ms| due_ms <= up_ms) {
            self.let_go();
        }
    }

    /// Lets go everything: nothing more comes.
    pub(super) fn end(&mut self) {
        while !self.held.is_empty() {
            self.let_go();
        }
    }

    /// What the encoder is given next.
    pub(super) fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// What the last board says.
    pub(super) fn view(&self) -> Option<Arc<View>> {
        self.view.clone()
    }

    /// How many samples went on before their time, since the start.
    pub(super) fn early(&self) -> u64 {
        self.early
    }

    fn let_go(&mut self) {
        let Some((_, passed)) = self.held.pop_front() else { return };
        self.held_len = self.held_len.saturating_sub(passed.sample.data.len());
        if passed.sample.kind == Kind::Video {
            self.boards_up_to(passed.sample.dts);
        }
        self.steps.push_back(Step::Sample(passed));
    }

    /// A board for each change up to `to`, and one at it: the encoder looks for one that is not older than its picture.
    fn boards_up_to(&mut self, to: MediaTime) {
        if self.told.is_some_and(|told| told >= to) {
            return;
        }
        let mut changes: Vec<MediaTime> = Vec::new();
        if let Some(told) = self.told {
            let entries = self.matches.iter().flat_map(|document| &document.entries);
            changes.extend(entries.map(|entry| entry.at).filter(|at| *at > told && *at < to));
            changes.sort_unstable();
            changes.dedup();
        }
        changes.push(to);
        for at in changes {
            let view = self.matches.iter().find_map(|document| View::of(document, at, &self.words));
            if self.view.as_deref() != view.as_ref() {
                self.view = view.map(Arc::new);
            }
            self.steps.push_back(Step::Board(at, self.view.clone()));
        }
        self.told = Some(to);
    }
}
