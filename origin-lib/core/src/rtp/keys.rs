//! When to ask for a key frame: so that one begins each segment, and where a picture is missing.
//!
//! A segment begins with the first key frame in its interval ([`crate::segment`]). One that comes before is wasted, one that
//! comes much later makes the segment before it long. How long an encoder takes to answer is measured, and it is asked as much
//! ahead.

use crate::time::{MEDIA_HZ, MediaTime};

/// An encoder is taken to answer no later than this; then it is asked again, in 1/90000 s: half a second.
const AGAIN: u64 = MEDIA_HZ as u64 / 2;

/// So many answers are remembered.
const ANSWERS: usize = 8;

/// Says when to ask. All times are on the channel's media time, by which segments are numbered.
#[derive(Debug)]
pub struct Keys {
    segment: u64,
    /// The newest key frame.
    key: Option<MediaTime>,
    /// When a key frame was asked for that has not come.
    asked: Option<MediaTime>,
    /// How long the last answers took.
    answers: [u64; ANSWERS],
    answered: usize,
    lost: bool,
}

impl Keys {
    /// For segments of `segment_ms` milliseconds.
    pub fn new(segment_ms: u32) -> Keys {
        let segment = u64::from(segment_ms.max(1)) * u64::from(MEDIA_HZ / 1000);
        Keys { segment, key: None, asked: None, answers: [0; ANSWERS], answered: 0, lost: false }
    }

    /// A key frame came, captured then.
    pub fn key(&mut self, at: MediaTime) {
        if let Some(asked) = self.asked.take()
            && let Some(slot) = self.answers.get_mut(self.answered % ANSWERS)
        {
            *slot = at.0.saturating_sub(asked.0).min(AGAIN);
            self.answered += 1;
        }
        self.key = self.key.max(Some(at));
        self.lost = false;
    }

    /// A picture is missing: nothing can be used until a key frame comes.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// Whether to ask for a key frame at this moment. It counts as asked for.
    pub fn ask(&mut self, now: MediaTime) -> bool {
        let waits = self.asked.is_some_and(|asked| now.0.saturating_sub(asked.0) < AGAIN && now >= asked);
        if waits || !(self.lost || self.due(now)) {
            return false;
        }
        self.asked = Some(now);
        true
    }

    /// A key frame that is captured when an answer to a question of now would be begins the segment that it falls in.
    fn due(&self, now: MediaTime) -> bool {
        let Some(key) = self.key else { return true };
        (now.0.saturating_add(self.ahead())) / self.segment > key.0 / self.segment
    }

    /// How much ahead of time to ask: no more than the quickest of the last answers took.
    fn ahead(&self) -> u64 {
        let known = self.answers.get(..self.answered.min(ANSWERS)).unwrap_or_default();
        known.iter().copied().min().unwrap_or(0)
    }
}
