//! One publish of a companion's feed: its pictures wait, on a time of their own, until it is known where they belong.

use alloc::collections::VecDeque;

use super::lag::Lag;
use super::source::{self, Source};
use super::{By, HELD_LEN_MAX, HELD_MS_MAX, HELD_SAMPLES_MAX, NEAR_MS, UNMATCHED_MAX};
use crate::media::{Captured, FeedEvent, Frame, Kind, Role, Sample, VideoConfig};
use crate::programme::Publish;
use crate::time::{MediaTime, Moment};
use crate::timeline::{self, Anchor, Timeline};

/// Key frames that lie no further from the source's cuts than this are on them, in milliseconds: less than a picture of 50 a
/// second lasts.
const SAME_MS: u64 = 20;

/// So far a feed's place may move by being put onto cut after cut, in milliseconds: two clocks differ a little. One that moves on
/// has groups of pictures of another length than the source's segments, and would be elsewhere before long.
const CREEP_MS_MAX: u64 = 100;

/// A clock that says what time it is, as far as its bits go, is no further from it than this, in milliseconds: TAI, and what a
/// feed may be late. One that says anything else does so once in a thousand times.
const TELLS_MS: u64 = 45_000;

/// Where two clocks that tell the time say the same, their feeds may arrive so far apart, in milliseconds.
const APART_MS_MAX: u64 = 2_000;

/// Where two encoders say when they captured what they send, their feeds may arrive so far apart, in milliseconds.
const CAPTURED_MS_MAX: u64 = 10_000;

const TICKS: u64 = 90;

/// After so long the times of a transport stream begin anew, in 1/90000 s (ISO/IEC 13818-1, 2.4.3.7).
const TS_WRAP: i64 = 1 << 33;

/// After so long those of FLV do, in 1/90000 s.
const FLV_WRAP: i64 = 90 << 32;

/// What comes of a feed, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// What follows has these parameters.
    Video(VideoConfig),
    /// A picture on media time.
    Picture(Sample),
    /// Its key frames are on the source's cuts from here on.
    Aligned(By),
    /// Where it is, is not known any more.
    Loose,
    /// Its key frames are elsewhere.
    Apart,
}

#[derive(Debug)]
enum Waiting {
    Video(VideoConfig),
    Picture(Sample),
}

/// Where a feed's time lies on media time.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// What must be added.
    shift: i64,
    /// What had to be added at first.
    told: i64,
    by: By,
    /// The cut on which a key frame was last.
    matched: MediaTime,
    /// Behind this cut, the source may be cut elsewhere than before.
    doubted: Option<MediaTime>,
}

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) publish: Publish,
    timeline: Option<Timeline>,
    captured: Option<Captured>,
    lag: Lag,
    /// When a picture came last, or the publish began.
    heard: u64,
    last_key: Option<MediaTime>,
    /// How far apart the last two key frames were, in 1/90000 s.
    interval: Option<u64>,
    /// How long a picture between these lasts, in 1/90000 s.
    step: Option<u64>,
    /// How many came since the last key frame, with it.
    since_key: u64,
    waiting: VecDeque<Waiting>,
    /// The parameters of the first picture that waits, until one is given out that has them.
    config: Option<VideoConfig>,
    len: usize,
    place: Option<Place>,
    /// The pictures up to the next key frame are of use.
    open: bool,
    /// Without a place: where the first key frame seemed to be that is on no cut.
    unmatched: Option<MediaTime>,
    /// It was said that its key frames are elsewhere.
    pub(super) is_apart: bool,
    /// The newest decoding time that was given out.
    given: Option<MediaTime>,
    pub(super) items: VecDeque<Item>,
}

/// Where a feed's time may lie.
struct Guess {
    shift: i64,
    /// Its key frames lie so near to the cuts, then, in 1/90000 s.
    near: u64,
    by: By,
}

/// What is known of a key frame.
enum Found {
    /// The source has not come there yet.
    Waits,
    /// It is on a cut.
    On(Place),
    /// It is on none, and seems to be there.
    Nowhere(MediaTime),
}

impl Feed {
    pub(super) fn new(publish: Publish, now: Moment) -> Feed {
        Feed {
            publish,
            timeline: None,
            captured: None,
            lag: Lag::default(),
            heard: now.up_ms,
            last_key: None,
            interval: None,
            step: None,
            since_key: 0,
            waiting: VecDeque::new(),
            config: None,
            len: 0,
            place: None,
            open: false,
            unmatched: None,
            is_apart: false,
            given: None,
            items: VecDeque::new(),
        }
    }

    pub(super) fn silent_ms(&self, now: Moment) -> u64 {
        now.ms_since(self.heard)
    }

    /// What its place comes from; `None` where it has none.
    pub(super) fn by(&self) -> Option<By> {
        self.place.map(|place| place.by)
    }

    /// Whether something of it may still be used, though it has ended. Without a place, and without news of when its pictures come,
    /// nothing will tell where they belong.
    pub(super) fn is_of_use(&self, now: Moment) -> bool {
        let may_be_placed = self.place.is_some() || self.lag.known(now.up_ms).is_some();
        may_be_placed && !self.waiting.is_empty()
    }

    /// How much waits: pictures and parameters, and bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.waiting.len(), self.len)
    }

    pub(super) fn counts(&self) -> timeline::Counts {
        self.timeline.as_ref().map(Timeline::counts).unwrap_or_default()
    }

    /// Takes what a demultiplexer told. Only pictures count.
    pub(super) fn handle(&mut self, event: FeedEvent, now: Moment) {
        match event {
            FeedEvent::Captured(captured) if captured.by_encoder => self.captured = Some(captured),
            FeedEvent::Video(config) => self.parameters(config),
            FeedEvent::Frame(frame) if frame.kind == Kind::Video && !frame.data.is_empty() => {
                self.picture(frame, now);
            }
            FeedEvent::Captured(_)
            | FeedEvent::Audio(_)
            | FeedEvent::Frame(_)
            | FeedEvent::Splice(_)
            | FeedEvent::Further { .. }
            | FeedEvent::Language { .. } => {}
        }
        self.let_go();
    }

    /// What comes has these parameters. Those right before them are of nothing.
    fn parameters(&mut self, config: VideoConfig) {
        if let Some(Waiting::Video(before)) =
            self.waiting.pop_back_if(|last| matches!(last, Waiting::Video(_)))
        {
            self.len -= before.record.len();
        }
        self.len += config.record.len();
        self.waiting.push_back(Waiting::Video(config));
    }

    fn picture(&mut self, frame: Frame, now: Moment) {
        self.heard = now.up_ms;
        let first = Anchor::from_arrival(&frame, now.utc);
        let timeline = self.timeline.get_or_insert_with(|| Timeline::on(first, MediaTime::default()));
        timeline.handle(frame, now.utc);
        self.take_placed(now);
    }

    /// The encoder ended it: nothing more comes that would tell where its last picture belongs.
    pub(super) fn finish(&mut self, now: Moment) {
        if let Some(timeline) = &mut self.timeline {
            timeline.finish();
        }
        self.take_placed(now);
    }

    fn take_placed(&mut self, now: Moment) {
        while let Some(event) = self.timeline.as_mut().and_then(Timeline::poll) {
            match event {
                timeline::Event::Sample(sample) => {
                    self.lag.note(sample.pts().0, now.up_ms);
                    if sample.key {
                        let before = self.last_key.replace(sample.dts);
                        self.interval = before.map(|before| sample.dts.0.saturating_sub(before.0));
                        let count = core::mem::take(&mut self.since_key);
                        self.step = self.interval.and_then(|interval| interval.checked_div(count));
                    }
                    self.since_key += 1;
                    self.len += sample.data.len();
                    self.waiting.push_back(Waiting::Picture(sample));
                }
                timeline::Event::Jumped(_) => self.begin_anew(),
            }
        }
    }

    /// Its clock is another one: nothing is known of where it is, and what waits is on no clock.
    fn begin_anew(&mut self) {
        for waiting in core::mem::take(&mut self.waiting) {
            if let Waiting::Video(config) = waiting {
                self.config = Some(config);
            }
        }
        (self.len, self.lag, self.captured) = (0, Lag::default(), None);
        (self.last_key, self.interval, self.step, self.since_key) = (None, None, None, 0);
        self.lose_place();
    }

    /// Behind this cut, the source may be cut elsewhere than before: at the first key frame that is not on the next one, the place
    /// is looked for anew.
    pub(super) fn doubt(&mut self, reached: MediaTime) {
        if let Some(place) = &mut self.place {
            place.doubted = Some(reached);
        }
    }

    /// What was known of where it is counts no longer.
    fn lose_place(&mut self) {
        (self.open, self.unmatched) = (false, None);
        if self.place.take().is_some() {
            self.items.push_back(Item::Loose);
        }
    }

    /// No more waits than may: the oldest are let go, up to a key frame.
    fn let_go(&mut self) {
        let newest = self.waiting.iter().rev().find_map(|waiting| match waiting {
            Waiting::Picture(sample) => Some(sample.dts),
            Waiting::Video(_) => None,
        });
        let oldest = newest.map_or(0, |newest| newest.0.saturating_sub(HELD_MS_MAX * TICKS));
        while let Some(first) = self.waiting.front() {
            let is_old = matches!(first, Waiting::Picture(sample) if sample.dts.0 < oldest);
            if !is_old && self.len <= HELD_LEN_MAX && self.waiting.len() <= HELD_SAMPLES_MAX {
                break;
            }
            match self.waiting.pop_front() {
                Some(Waiting::Picture(sample)) => {
                    self.len -= sample.data.len();
                    self.open = false;
                }
                Some(Waiting::Video(config)) => self.turn_to(config),
                None => {}
            }
        }
    }

    /// Gives out what is known to belong somewhere, as far as the source has come.
    pub(super) fn settle(&mut self, source: &Source, role: Role, now: Moment) {
        while let Some(first) = self.waiting.front() {
            if let Waiting::Picture(first) = first
                && first.key
            {
                match self.find(first.pts(), source, role, now) {
                    Found::Waits => return,
                    Found::On(place) => {
                        let is_new = self.place.is_none();
                        (self.place, self.open) = (Some(place), true);
                        (self.unmatched, self.is_apart) = (None, false);
                        if is_new {
                            self.items.push_back(Item::Aligned(place.by));
                        }
                    }
                    Found::Nowhere(seems) => {
                        self.open = self.place.is_some();
                        if !self.open {
                            self.note_unmatched(seems, source);
                        }
                    }
                }
            }
            match self.waiting.pop_front() {
                Some(Waiting::Video(config)) => self.turn_to(config),
                Some(Waiting::Picture(sample)) => self.give(sample),
                None => return,
            }
        }
    }

    /// What waits first has these parameters.
    fn turn_to(&mut self, config: VideoConfig) {
        self.len -= config.record.len();
        self.config = Some(config);
    }

    /// A key frame is on no cut, though it seems to be where the source is cut. One may: groups of pictures may be shorter than
    /// segments.
    fn note_unmatched(&mut self, seems: MediaTime, source: &Source) {
        let first = *self.unmatched.get_or_insert(seems);
        if source.between(first, seems) >= UNMATCHED_MAX && !core::mem::replace(&mut self.is_apart, true) {
            self.items.push_back(Item::Apart);
        }
    }

    fn give(&mut self, sample: Sample) {
        self.len -= sample.data.len();
        let Some(place) = self.place.filter(|_| self.open) else { return };
        let dts = moved(sample.dts, place.shift);
        // Where its place has changed, what was given out stays.
        if self.given.is_some_and(|given| dts <= given) {
            return;
        }
        self.given = Some(dts);
        self.items.extend(self.config.take().map(Item::Video));
        self.items.push_back(Item::Picture(Sample { dts, ..sample }));
    }

    /// On which cut of the source a key frame is that is shown at `at` of this feed's time.
    fn find(&mut self, at: MediaTime, source: &Source, role: Role, now: Moment) -> Found {
        let Some(reached) = source.reached() else { return Found::Waits };
        if let Some(place) = self.place {
            let near = self.same();
            let lies = moved(at, place.shift);
            if reached.0.saturating_add(near) < lies.0 {
                return Found::Waits;
            }
            if let Some(cut) = source.near(lies, near) {
                let shift = place.shift.saturating_add(source::between(lies, cut));
                if shift.abs_diff(place.told) <= CREEP_MS_MAX * TICKS {
                    let doubted = place.doubted.filter(|reached| cut <= *reached);
                    return Found::On(Place { shift, matched: cut, doubted, ..place });
                }
            } else {
                let behind = MediaTime(place.matched.0.saturating_add(1));
                let most = if place.doubted.is_some() { 1 } else { UNMATCHED_MAX };
                if source.between(behind, MediaTime(lies.0.saturating_sub(near))) < most {
                    return Found::Nowhere(lies);
                }
            }
            self.lose_place();
        }
        let mut seems = None;
        for Guess { shift, near, by } in self.guesses(source, role, now).into_iter().flatten() {
            let lies = moved(at, shift);
            if reached.0.saturating_add(near) < lies.0 {
                return Found::Waits;
            }
            if let Some(cut) = source.near(lies, near) {
                let shift = shift.saturating_add(source::between(lies, cut));
                return Found::On(Place { shift, told: shift, by, matched: cut, doubted: None });
            }
            seems = seems.or(Some(lies));
        }
        // Nothing tells where it is before it has come for a while, and the source has.
        seems.map_or(Found::Waits, Found::Nowhere)
    }

    /// So near to a cut a key frame of a feed that has its place is on it, in 1/90000 s: nearer than any other picture.
    fn same(&self) -> u64 {
        let half = self.step.map_or(u64::MAX, |step| step.saturating_sub(1) / 2);
        half.clamp(TICKS, SAME_MS * TICKS)
    }

    /// Where its time may lie: as the encoders say when they captured it; as on the clock of the source; as it arrives.
    fn guesses(&self, source: &Source, role: Role, now: Moment) -> [Option<Guess>; 3] {
        let arrival = self.by_arrival(source, role, now);
        let is_likely = |shift: i64, within_ms: u64| {
            arrival.is_some_and(|arrival| arrival.abs_diff(shift) <= within_ms * TICKS)
        };
        let same = SAME_MS * TICKS;
        let captured = self.by_capture(source, role);
        let captured = captured.filter(|shift| arrival.is_none() || is_likely(*shift, CAPTURED_MS_MAX));
        let near = arrival.or(captured);
        let clock =
            near.and_then(|near| self.by_clock(source, role, near)).and_then(|(shift, tells_time)| {
                // Clocks that begin with their encoders say the same whenever these began.
                let is_captured = captured.is_some_and(|of| of.abs_diff(shift) <= NEAR_MS * TICKS);
                let within_ms = if tells_time { APART_MS_MAX } else { NEAR_MS };
                (is_captured || is_likely(shift, within_ms)).then_some(shift)
            });
        // Of key frames that are close together, the one that is meant is the nearest.
        let near = self.interval.map_or(u64::MAX, |interval| interval / 2).min(NEAR_MS * TICKS);
        [
            captured.map(|shift| Guess { shift, near: same, by: By::Capture }),
            clock.map(|shift| Guess { shift, near: same, by: By::Clock }),
            arrival.map(|shift| Guess { shift, near, by: By::Arrival }),
        ]
    }

    fn by_arrival(&self, source: &Source, role: Role, now: Moment) -> Option<i64> {
        Some(self.lag.known(now.up_ms)?.saturating_sub(source.lag(role, now)?))
    }

    fn by_capture(&self, source: &Source, role: Role) -> Option<i64> {
        let (captured, since) = (self.captured?, source.since_capture(role)?);
        let at = self.own()?.media(captured.feed_ms)?;
        Some(source::between(at, captured.utc.media()).saturating_add(since))
    }

    /// And whether both clocks tell what time it is. Either may have begun anew since: it is where that is nearest to `near`.
    fn by_clock(&self, source: &Source, role: Role, near: i64) -> Option<(i64, bool)> {
        let (own, of) = (self.own()?, source.anchor(role)?);
        let since = ticks(own.feed_ms.saturating_sub(of.feed_ms));
        let shift = since.saturating_add(source::between(own.utc.media(), of.utc.media()));
        let wrapped = [TS_WRAP, FLV_WRAP].map(|wrap| nearest(shift, wrap, near));
        let shift = wrapped
            .into_iter()
            .fold(shift, |best, shift| if shift.abs_diff(near) < best.abs_diff(near) { shift } else { best });
        Some((shift, tells_time(own) && tells_time(of)))
    }

    /// What ties its timestamps to its time.
    fn own(&self) -> Option<Anchor> {
        self.timeline.as_ref().map(Timeline::anchor)
    }

    /// Where this timestamp of it lies on media time, as far as is known.
    pub(super) fn media(&self, feed_ms: i64, source: &Source, role: Role, now: Moment) -> Option<MediaTime> {
        let place = self.place.map(|place| place.shift);
        let shift = place.or_else(|| self.by_arrival(source, role, now))?;
        Some(moved(self.own()?.media(feed_ms)?, shift))
    }
}

/// Whether a clock counts from 1970: in whole, or in the 33 bits of 1/90000 s or the 32 bits of milliseconds that a feed has.
fn tells_time(anchor: Anchor) -> bool {
    let off = ticks(anchor.feed_ms).saturating_sub_unsigned(anchor.utc.media().0);
    let off_by = [i64::MAX, TS_WRAP, FLV_WRAP].map(|wrap| nearest(off, wrap, 0).unsigned_abs());
    off_by.into_iter().any(|off| off <= TELLS_MS * TICKS)
}

/// Of the times that differ from `at` by whole `wrap`s, the nearest one to `to`.
fn nearest(at: i64, wrap: i64, to: i64) -> i64 {
    let since = at.saturating_sub(to).rem_euclid(wrap);
    to.saturating_add(if since > wrap / 2 { since - wrap } else { since })
}

fn ticks(ms: i64) -> i64 {
    ms.saturating_mul(TICKS.cast_signed())
}

fn moved(at: MediaTime, by: i64) -> MediaTime {
    MediaTime(at.0.saturating_add_signed(by))
}
