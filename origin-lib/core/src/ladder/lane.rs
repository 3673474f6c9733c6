//! One encoder's pictures, which wait for the source's cuts.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{HELD_LEN_MAX, HELD_SAMPLES_MAX, HOLE, NEAR};
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
    /// The parameters of what comes.
    pub(super) video: Option<VideoConfig>,
    /// From which decoding time on which parameters count, in order; the first ones count for what is there first.
    turns: VecDeque<(MediaTime, VideoConfig)>,
    /// The next picture is another encoder's: there is a turn, whatever its parameters are.
    ended: bool,
    pub(super) samples: VecDeque<Sample>,
    /// So many of the first ones are known to be shown before `sought`.
    pub(super) before: usize,
    sought: u64,
    /// What is shown before `sought` is not whole, and nothing that comes changes that.
    lacks: bool,
    pub(super) len: usize,
    /// Nothing more comes of it, up to its next start.
    pub(super) over: bool,
    /// The segment before the first one that is wanted was made of its pictures.
    pub(super) goes_on: bool,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane {
            video: None,
            turns: VecDeque::new(),
            ended: false,
            samples: VecDeque::new(),
            before: 0,
            sought: 0,
            lacks: false,
            len: 0,
            over: true,
            goes_on: false,
        }
    }

    /// Takes a picture. A key frame takes the place of what was there from its time on: an encoder that began anew. Whether there
    /// was room: otherwise nothing is there any more.
    pub(super) fn picture(&mut self, sample: Sample) -> bool {
        if sample.key {
            while let Some(last) = self.samples.pop_back_if(|last| last.dts >= sample.dts) {
                self.len -= last.data.len();
            }
            while let Some((_, config)) = self.turns.pop_back_if(|(from, _)| *from >= sample.dts) {
                self.len -= config.record.len();
            }
            (self.before, self.lacks) = (self.before.min(self.samples.len()), false);
        }
        let turns = self.turns.back().map(|(_, config)| config) != self.video.as_ref();
        if (core::mem::take(&mut self.ended) || turns)
            && let Some(config) = &self.video
        {
            self.len += config.record.len();
            self.turns.push_back((sample.dts, config.clone()));
        }
        self.len += sample.data.len();
        self.samples.push_back(sample);
        let has_room = self.len <= HELD_LEN_MAX && self.samples.len() <= HELD_SAMPLES_MAX;
        if !has_room {
            self.clear();
        }
        has_room
    }

    /// What comes from here on is another encoder's.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.turns.clear();
        (self.len, self.before, self.lacks, self.goes_on) = (0, 0, false, false);
    }

    /// What is shown before `start` is wanted no more.
    pub(super) fn let_go(&mut self, start: u64) {
        while let Some(first) = self.samples.pop_front_if(|first| first.pts().0 < start) {
            self.len -= first.data.len();
            (self.before, self.lacks) = (self.before.saturating_sub(1), false);
        }
        self.let_go_turns();
    }

    /// Parameters of nothing that is there are wanted no more.
    fn let_go_turns(&mut self) {
        let Some(first) = self.samples.front().map(|first| first.dts) else { return };
        while self.turns.get(1).is_some_and(|(from, _)| *from <= first)
            && let Some((_, config)) = self.turns.pop_front()
        {
            self.len -= config.record.len();
        }
    }

    /// What it has up to `end`, where the source shows pictures at these times, the first of which refers to others before it where
    /// they are `dependent`.
    pub(super) fn standing(&mut self, end: u64, shown: &[MediaTime], dependent: bool) -> Standing {
        // What refers to pictures before it is of use behind those.
        if dependent && !self.goes_on {
            return Standing::Never;
        }
        if self.sought != end {
            (self.sought, self.before, self.lacks) = (end, 0, false);
        }
        if self.lacks {
            return Standing::Never;
        }
        // Each picture is looked at once, however many come.
        let unknown = self.samples.iter().skip(self.before);
        let len = unknown.take_while(|sample| sample.pts().0 < end).count() + self.before;
        self.before = len;
        let len = Some(len).filter(|len| *len < self.samples.len());
        // Its last picture is there once one behind it is: groups of pictures are closed. Where the source was cut within one,
        // those that are sent behind that one and shown before it come with the next segment.
        if len.is_none() && !self.over {
            return Standing::Comes;
        }
        let is_all = len.is_some();
        let len = len.unwrap_or(self.samples.len());
        let behind = self.samples.get(len).is_none_or(|behind| behind.key);
        let shown = is_whole(self.samples.iter().take(len), shown, dependent, behind.then_some(end));
        if shown && self.is_of_one_kind(len) {
            Standing::Whole(len)
        } else {
            self.lacks = is_all;
            Standing::Never
        }
    }

    /// Whether the first ones are of one encoder, and of the same parameters.
    fn is_of_one_kind(&self, len: usize) -> bool {
        let first = self.samples.front().map(|first| first.dts);
        let last = len.checked_sub(1).and_then(|last| self.samples.get(last)).map(|last| last.dts);
        !self.turns.iter().any(|(from, _)| Some(*from) > first && Some(*from) <= last)
    }

    /// Takes the first ones out, with their parameters. When the one behind them is decoded comes with them.
    pub(super) fn take(&mut self, len: usize) -> (Vec<Sample>, Option<VideoConfig>, Option<MediaTime>) {
        self.let_go_turns();
        let first = self.samples.front().map(|first| first.dts);
        let config = self.turns.front().filter(|(from, _)| Some(*from) <= first);
        let config = config.map(|(_, config)| config.clone());
        (self.before, self.lacks) = (0, false);
        let video: Vec<Sample> = self.samples.drain(..len.min(self.samples.len())).collect();
        self.len -= video.iter().map(|sample| sample.data.len()).sum::<usize>();
        (video, config, self.samples.front().map(|next| next.dts))
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
