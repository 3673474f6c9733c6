//! Sound that comes before the first picture of a programme with video, as where the connection was made in the middle of a group of
//! pictures.
//!
//! Told at once, it would be taken for the whole of the feed: players that came in then would have sound alone until they are
//! loaded again. Once sound was told it never waits again: a feed that sounds goes on, whatever its tables say.

use alloc::collections::VecDeque;

use super::Unit;
use super::pes;
use crate::media::AudioConfig;

/// For so long sound waits for the first picture, by its own times, in 1/90000 s: 10 s, the usual encoder's longest group of pictures.
/// Where none has come by then, it is told alone.
const WAIT_MAX: i64 = 900_000;

/// So many frames of sound wait, the newest ones: about two seconds and a half. A muxer brings no more of it ahead of its picture.
const FRAMES_MAX: usize = 128;

/// A frame of sound, with its parameters where they changed.
type Sound = (Option<AudioConfig>, Unit);

/// Frames of sound that are not told yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    frames: VecDeque<Sound>,
    /// The time of the first one that waited.
    since: Option<u64>,
    /// Nothing waits any more: a frame was told, or the wait was too long, or it is known to be for nothing.
    over: bool,
    /// The wait was too long.
    vain: bool,
}

impl Ahead {
    /// Takes the next frame.
    pub(super) fn push(&mut self, frame: Sound) {
        self.frames.push_back(frame);
    }

    /// There is no picture yet: says whether to go on waiting for one. Of frames that are too many, the oldest go.
    pub(super) fn waits(&mut self) -> bool {
        let Some((_, newest)) = self.frames.back() else { return !self.over };
        let since = *self.since.get_or_insert(newest.times.dts);
        if !self.over && !(0..WAIT_MAX).contains(&pes::distance(since, newest.times.dts)) {
            (self.over, self.vain) = (true, true);
        }
        while !self.over && self.frames.len() > FRAMES_MAX {
            let gone = self.frames.pop_front().and_then(|(config, _)| config);
            if let Some((config @ None, _)) = self.frames.front_mut() {
                *config = gone;
            }
        }
        !self.over
    }

    /// The frames that wait, to be told.
    pub(super) fn take(&mut self) -> VecDeque<Sound> {
        self.over |= !self.frames.is_empty();
        core::mem::take(&mut self.frames)
    }

    /// There is nothing to wait for.
    pub(super) fn give_up(&mut self) {
        self.over = true;
    }

    /// Whether nothing waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether it waited for a picture as long as it may, and none came.
    pub(super) fn was_in_vain(&self) -> bool {
        self.vain
    }
}
