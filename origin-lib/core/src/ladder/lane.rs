//! One encoder's pictures, which wait for the source's cuts.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{HELD_LEN_MAX, HOLE, NEAR};
use crate::media::{Sample, VideoConfig};
use crate::time::MediaTime;

/// What an encoder has of what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All of it: so many of its pictures.
    Whole(usize),
    /// It may still come.
    Comes,
    /// It lacks something, and nothing more comes of it.
    Never,
}

/// One encoder.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) video: Option<VideoConfig>,
    pub(super) samples: VecDeque<Sample>,
    pub(super) len: usize,
    /// Nothing more comes of it, up to its next start.
    pub(super) over: bool,
    /// The segment before the first one that is wanted was made of its pictures.
    pub(super) goes_on: bool,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane { video: None, samples: VecDeque::new(), len: 0, over: true, goes_on: false }
    }

    /// Takes a picture. A key frame takes the place of what was there from its time on: an encoder that began anew.
    pub(super) fn picture(&mut self, sample: Sample) {
        if sample.key {
            while let Some(last) = self.samples.pop_back_if(|last| last.dts >= sample.dts) {
                self.len -= last.data.len();
            }
        }
        self.len += sample.data.len();
        self.samples.push_back(sample);
        if self.len > HELD_LEN_MAX {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
        (self.len, self.goes_on) = (0, false);
    }

    /// What is shown before `start` is wanted no more.
    pub(super) fn let_go(&mut self, start: u64) {
        while let Some(first) = self.samples.pop_front_if(|first| first.pts().0 < start) {
            self.len -= first.data.len();
        }
    }

    /// What it has up to `end`, where the source shows pictures at these times, the first of which refers to others before it where
    /// they are `dependent`.
    pub(super) fn standing(&self, end: u64, shown: &[MediaTime], dependent: bool) -> Standing {
        // What refers to pictures before it is of use behind those.
        if dependent && !self.goes_on {
            return Standing::Never;
        }
        let len = self.samples.iter().position(|sample| sample.pts().0 >= end);
        // Its last picture is there once one behind it is: groups of pictures are closed. Where the source was cut within one,
        // those that are sent behind that one and shown before it come with the next segment.
        if len.is_none() && !self.over {
            return Standing::Comes;
        }
        let len = len.unwrap_or(self.samples.len());
        let behind = self.samples.get(len).is_none_or(|behind| behind.key);
        if is_whole(self.samples.iter().take(len), shown, dependent, behind.then_some(end)) {
            Standing::Whole(len)
        } else {
            Standing::Never
        }
    }

    /// Takes the first ones out. When the one behind them is decoded comes with them.
    pub(super) fn take(&mut self, len: usize) -> (Vec<Sample>, Option<MediaTime>) {
        let video: Vec<Sample> = self.samples.drain(..len.min(self.samples.len())).collect();
        self.len -= video.iter().map(|sample| sample.data.len()).sum::<usize>();
        (video, self.samples.front().map(|next| next.dts))
    }
}

/// Whether these pictures are all that is shown up to `end`, where there is one, from a key frame at the first one on, or, where
/// they are `dependent`, from wherever those before them ended.
fn is_whole<'a>(
    pictures: impl Iterator<Item = &'a Sample>,
    shown: &[MediaTime],
    dependent: bool,
    end: Option<u64>,
) -> bool {
    let mut pictures = pictures.peekable();
    let first = pictures.peek().zip(shown.first());
    if !first.is_some_and(|(first, at)| dependent || (first.key && first.pts().0.abs_diff(at.0) <= NEAR)) {
        return false;
    }
    let mut times: Vec<u64> = pictures.map(|picture| picture.pts().0).collect();
    times.sort_unstable();
    let hole = |times: &mut dyn Iterator<Item = u64>| {
        let (mut last, mut hole) = (None, 0);
        for time in times.chain(end) {
            hole = last.map_or(0, |last| time.saturating_sub(last)).max(hole);
            last = Some(time);
        }
        hole
    };
    hole(&mut times.into_iter()) <= hole(&mut shown.iter().map(|at| at.0)) + HOLE
}
