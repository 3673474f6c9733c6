//! When which feed is used.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::feed::Feed;
use super::{
    End, GAP_MS_MAX, HELD_LEN_MAX, HELD_SAMPLES_MAX, LAG_MS_MAX, Note, OPEN_MS_MAX, Output, Passed,
    Programme, Reason, TICKS, slot, track,
};
use crate::media::{Kind, Role, Sample, Tracks};
use crate::segment::Input;
use crate::time::{MediaTime, Moment};

/// After so many times `steady_ms`, the primary's key frames are taken to be irregular.
const IRREGULAR: u64 = 3;

/// What is open while no feed is in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) since: u64,
    /// The feed that was in use may come back and go on with it, not only the other one.
    again: bool,
}

/// The backup's samples that wait for the primary's expected key frame.
#[derive(Debug)]
pub(super) struct Tail {
    at: Point,
    since: u64,
    samples: VecDeque<Sample>,
    len: usize,
    /// There is a picture among them.
    video: bool,
}

impl Tail {
    /// Whether a sample goes to those that wait: it reaches the point, or it is a picture behind one that does, which it may
    /// need.
    fn takes(at: Point, waits: bool, sample: &Sample) -> bool {
        at.is_reached_by(sample) || (waits && sample.kind == Kind::Video)
    }
}

/// Where one feed ends and the other begins.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// Decoding time of the key frame.
    dts: MediaTime,
    /// What is shown before it ends before this.
    shown: MediaTime,
}

impl Point {
    fn is_reached_by(self, sample: &Sample) -> bool {
        sample.dts >= self.dts || (sample.kind == Kind::Video && sample.pts() >= self.shown)
    }
}

impl Programme {
    /// The decoding time up to which the track that segments begin with was used.
    pub(super) fn tip(&self) -> Option<MediaTime> {
        let [video, audio] = self.tips;
        if self.tracks.video.is_some() { video } else { audio }
    }

    fn is_well(&self, role: Role, now: Moment) -> bool {
        self.feed(role).is_some_and(|feed| feed.silent_ms(now) < self.settings.stall_ms)
    }

    /// Whether a feed that begins with this key frame goes on with what is open: no discontinuity.
    fn is_seamless(&self, tracks: &Tracks, start: &Sample) -> bool {
        let behind = self.tip().map(|tip| start.dts.0.saturating_sub(tip.0));
        self.run
            && self.packager.is_of(tracks)
            && behind.is_some_and(|behind| behind <= self.step + GAP_MS_MAX * TICKS)
    }

    /// Where the feed that is not in use would begin.
    fn point(&self, feed: &Feed) -> Option<Point> {
        Some(self.point_at(&feed.held.tracks, feed.start()?))
    }

    /// Where a feed of these parameters would begin with this key frame.
    fn point_at(&self, tracks: &Tracks, start: &Sample) -> Point {
        // A new run must begin behind all that was shown; within one, the decoder orders pictures.
        let seamless = self.is_seamless(tracks, start);
        let shown = if seamless { start.pts() } else { start.dts.min(start.pts()) };
        Point { dts: start.dts, shown }
    }

    /// Whether nothing that was used lies behind this point.
    fn is_ahead(&self, point: Point) -> bool {
        self.tip().is_none_or(|tip| point.dts > tip) && self.shown.is_none_or(|shown| point.shown > shown)
    }

    /// Where the feed can be begun, if it can.
    fn start_of(&self, role: Role) -> Option<Point> {
        self.point(self.feed(role)?).filter(|point| self.is_ahead(*point))
    }

    /// Whether the feed can be begun with what is held of it.
    pub(super) fn is_startable(&self, role: Role) -> bool {
        self.start_of(role).is_some()
    }

    /// Lets a feed that is not in use be begun at the first of its key frames that lies ahead of what was used: the ones
    /// before would be late by now, the ones behind would lose what is between.
    fn trim(&mut self, role: Role) {
        if self.used == Some(role) || self.is_startable(role) {
            return;
        }
        let Some(feed) = self.feed(role).filter(|feed| !feed.held.kept) else { return };
        let ahead = |sample: &Sample| self.is_ahead(self.point_at(&feed.held.tracks, sample));
        let Some((at, _)) = feed.starts().skip(1).find(|(_, sample)| ahead(sample)) else { return };
        if let Some(feed) = &mut self.feeds[slot(role)] {
            feed.begin_at(at);
        }
    }

    /// A publish ends, if there is one.
    pub(super) fn leave(&mut self, role: Role, end: End, now: Moment) {
        if self.feeds[slot(role)].take().is_none() {
            return;
        }
        if self.used == Some(role) {
            self.flush_tail();
            self.used = None;
            let again = end == End::Lost || self.settings.ask;
            if again || self.is_well(role.other(), now) {
                self.open = Some(Open { since: now.up_ms, again });
            } else {
                self.close();
            }
        } else if self.open.is_some_and(|open| !open.again) && !self.is_live() {
            // Nobody is there any more who could go on with what is open.
            self.close();
        }
    }

    /// Nothing goes on: what is open becomes a last segment.
    pub(super) fn close(&mut self) {
        self.packager.finish();
        (self.run, self.open) = (false, None);
    }

    /// Whether the feed in use before was lost and sends again what it had sent: its first key frame is still open.
    fn resumes(&self, role: Role) -> bool {
        let feed = self.feed(role).filter(|_| self.open.is_some() && self.last == Some(role));
        feed.filter(|feed| self.packager.is_of(&feed.held.tracks))
            .and_then(Feed::start)
            .is_some_and(|start| self.packager.is_open(start))
    }

    /// Whether the feed in use before has come back and brings something else: nothing of what is open comes again.
    fn begins_anew(&self) -> bool {
        let feed = self.last.and_then(|role| self.feed(role));
        feed.and_then(Feed::start).is_some_and(|start| !self.packager.is_open(start))
    }

    /// Looks at the feeds after something happened.
    pub(super) fn decide(&mut self, now: Moment) {
        Role::ALL.into_iter().for_each(|role| self.trim(role));
        match self.used {
            None => self.take_up(now),
            Some(used) => {
                let silent = self.feed(used).map_or(0, |feed| feed.silent_ms(now));
                if silent >= self.settings.stall_ms {
                    self.replace(used, Reason::Stalled(silent), now);
                } else if used == Role::Backup {
                    self.consider_return(now);
                }
            }
        }
    }

    /// No feed is in use: the first that can be begun is, the primary if both can.
    fn take_up(&mut self, now: Moment) {
        if self.open.is_some_and(|open| now.ms_since(open.since) >= OPEN_MS_MAX) {
            self.close();
        }
        for role in Role::ALL {
            if self.is_startable(role) || self.resumes(role) {
                return self.switch(role, Reason::Ended, now);
            }
            self.bring_up(role);
        }
        if self.open.is_some() && !self.settings.ask && self.begins_anew() {
            self.close();
        }
    }

    /// The feed in use has stalled.
    fn replace(&mut self, used: Role, reason: Reason, now: Moment) {
        let other = used.other();
        if !self.is_well(other, now) {
            return;
        }
        if self.is_startable(other) {
            self.switch(other, reason, now);
        } else {
            self.bring_up(other);
        }
    }

    /// A feed that is well and yet lies far behind what was used can't be begun for as long: it gets a new anchor.
    fn bring_up(&mut self, role: Role) {
        let Some(tip) = self.tip() else { return };
        let Some(feed) = &mut self.feeds[slot(role)] else { return };
        // One that has just begun may be sending what it kept during an outage, faster than time goes.
        let Some(newest) = feed.newest.filter(|_| feed.steady_ms() >= LAG_MS_MAX) else { return };
        let ms = tip.0.saturating_sub(newest.0) / TICKS;
        if ms > LAG_MS_MAX {
            feed.anchor_again();
            self.outputs.push_back(Output::Note(Note::Behind { role, ms }));
        }
    }

    /// The backup is in use: does the primary come back?
    fn consider_return(&mut self, now: Moment) {
        let Some(steady) = self.primary_is_steady(now) else {
            self.flush_tail();
            self.returning = None;
            if let Some(feed) = &mut self.feeds[slot(Role::Primary)] {
                feed.held.kept = false;
            }
            return;
        };
        if self.is_startable(Role::Primary) {
            if let Some(feed) = &mut self.feeds[slot(Role::Primary)] {
                feed.held.kept = true;
            }
            let since = *self.returning.get_or_insert(now.up_ms);
            // The backup goes on up to there, unless it is late or has come there already.
            if self.tail.is_some() || now.ms_since(since) >= LAG_MS_MAX {
                self.switch(Role::Primary, Reason::Steady(steady), now);
            }
            return;
        }
        self.returning = None;
        if self.tail.as_ref().is_some_and(|tail| now.ms_since(tail.since) >= LAG_MS_MAX) {
            self.flush_tail();
            self.return_after = now.up_ms.saturating_add(self.settings.steady_ms);
        }
        self.bring_up(Role::Primary);
    }

    /// For how long the primary has been steady, if long enough to be used again.
    fn primary_is_steady(&self, now: Moment) -> Option<u64> {
        let feed = self.feed(Role::Primary).filter(|_| self.is_well(Role::Primary, now))?;
        let steady = feed.steady_ms();
        (steady >= self.settings.steady_ms && now.up_ms >= self.return_after).then_some(steady)
    }

    /// Where the primary's next key frame is expected, if it comes behind what the backup brings. Where it was not to be
    /// foreseen for long: anywhere from now on.
    fn expected(&self, steady: u64) -> Option<Point> {
        let feed = self.feed(Role::Primary)?;
        if steady >= self.settings.steady_ms.saturating_mul(IRREGULAR) {
            let behind = |time: MediaTime| MediaTime(time.0.saturating_add(1));
            return Some(Point { dts: behind(self.tip()?), shown: behind(self.shown?) });
        }
        let (point, interval, tip) = (self.point(feed)?, feed.interval.filter(|n| *n > 0)?, self.tip()?);
        let lag = tip.0.saturating_sub(feed.newest?.0);
        // The first of the key frames to come that is ahead.
        let behind = |time: MediaTime, used: MediaTime| {
            used.0.checked_sub(time.0).map_or(0, |behind| behind / interval + 1)
        };
        let shown = self.shown.map_or(0, |shown| behind(point.shown, shown));
        let shift = interval.checked_mul(behind(point.dts, tip).max(shown))?;
        let at = |time: MediaTime| MediaTime(time.0.saturating_add(shift));
        (lag <= LAG_MS_MAX * TICKS).then(|| Point { dts: at(point.dts), shown: at(point.shown) })
    }

    /// A sample of the feed in use.
    pub(super) fn pass(&mut self, sample: Sample, now: Moment) {
        if self.used == Some(Role::Backup)
            && let Some(steady) = self.primary_is_steady(now)
        {
            if let Some(point) = self.start_of(Role::Primary) {
                if point.is_reached_by(&sample) {
                    // Sound may be muxed ahead of the picture: the switch waits for the picture.
                    if sample.kind == Kind::Video || self.tracks.video.is_none() {
                        self.switch(Role::Primary, Reason::Steady(steady), now);
                    }
                    return;
                }
            } else {
                let (at, waits) = match &self.tail {
                    Some(tail) => (Some(tail.at), tail.video),
                    None => (self.expected(steady), false),
                };
                if let Some(at) = at.filter(|at| Tail::takes(*at, waits, &sample)) {
                    return self.delay(sample, at, now);
                }
            }
        }
        self.emit(sample);
    }

    /// Lets a sample of the backup wait for the primary.
    fn delay(&mut self, sample: Sample, at: Point, now: Moment) {
        let new = || Tail { at, since: now.up_ms, samples: VecDeque::new(), len: 0, video: false };
        let tail = self.tail.get_or_insert_with(new);
        tail.len += sample.data.len();
        tail.video |= sample.kind == Kind::Video;
        tail.samples.push_back(sample);
        if tail.len > HELD_LEN_MAX || tail.samples.len() > HELD_SAMPLES_MAX {
            self.flush_tail();
            self.return_after = now.up_ms.saturating_add(self.settings.steady_ms);
        }
    }

    /// What waited is used after all.
    pub(super) fn flush_tail(&mut self) {
        for sample in self.tail.take().into_iter().flat_map(|tail| tail.samples) {
            self.emit(sample);
        }
    }

    fn switch(&mut self, to: Role, reason: Reason, now: Moment) {
        let resumes = self.resumes(to);
        let point = self.feed(to).and_then(|feed| self.point(feed));
        let mut waits = false;
        for sample in self.tail.take().into_iter().flat_map(|tail| tail.samples) {
            if point.is_some_and(|point| !Tail::takes(point, waits, &sample)) {
                self.emit(sample);
            } else {
                waits |= sample.kind == Kind::Video;
            }
        }
        let Some(feed) = &mut self.feeds[slot(to)] else { return };
        let held = core::mem::take(&mut feed.held);
        let Some(start) = held.samples.front() else { return };
        let mut beside = core::mem::take(&mut feed.beside);
        let seamless = resumes || self.is_seamless(&held.tracks, start);
        if !seamless {
            if self.settings.ask && self.run {
                self.cut_short(now);
            }
            self.packager.handle(Input::Discontinuity);
            self.packager.handle(Input::Tracks(held.tracks.clone()));
        }
        beside.pass(&mut self.packager, resumes);
        if let Some(feed) = &mut self.feeds[slot(to)] {
            feed.beside = beside;
        }
        self.tracks = Arc::new(held.tracks);
        let from = self.last.replace(to);
        (self.used, self.open, self.returning) = (Some(to), None, None);
        if let Some(from) = from.filter(|from| *from != to) {
            self.collect();
            self.outputs.push_back(Output::Note(Note::Switched { from, to, reason, seamless }));
        }
        let mut samples = held.samples.into_iter();
        for sample in samples.by_ref() {
            let key = sample.key && sample.kind == Kind::Video;
            self.emit(sample);
            if key {
                break;
            }
        }
        self.begun = !resumes;
        samples.for_each(|sample| self.emit(sample));
    }

    /// The feed in use has these parameters from now on.
    pub(super) fn set_tracks(&mut self, tracks: Tracks) {
        if let Some(video) = tracks.video.clone().filter(|_| tracks.video != self.tracks.video) {
            self.packager.handle(Input::Video(video));
        }
        if let Some(audio) = tracks.audio.clone().filter(|_| tracks.audio != self.tracks.audio) {
            self.packager.handle(Input::Audio(audio));
        }
        self.tracks = Arc::new(tracks);
    }

    /// A sample is used, unless media time would go back.
    fn emit(&mut self, sample: Sample) {
        let tip = &mut self.tips[track(sample.kind)];
        if tip.is_some_and(|tip| sample.dts <= tip) {
            return;
        }
        if sample.kind == Kind::Video {
            // It was made of pictures of its own feed, and those of another one were used.
            if sample.leading && self.begun {
                return;
            }
            self.begun &= !sample.key;
        }
        let last = tip.replace(sample.dts);
        if sample.kind == Kind::Video || self.tracks.video.is_none() {
            let step = last.map(|last| sample.dts.0 - last.0).filter(|step| *step <= TICKS * GAP_MS_MAX);
            self.step = step.unwrap_or(self.step);
            self.shown = self.shown.max(Some(sample.dts.max(sample.pts())));
        }
        self.run = true;
        let passed = &mut self.passed[track(sample.kind)];
        if self.settings.tap && passed.is_none_or(|passed| sample.dts > passed) {
            *passed = Some(sample.dts);
            let passed = Passed { tracks: self.tracks.clone(), sample: sample.clone() };
            self.outputs.push_back(Output::Passed(passed));
        }
        self.packager.handle(Input::Sample(sample));
    }
}
