//! Where a feed's timestamps lie on epoch media time.
//!
//! A feed counts milliseconds on a clock of its own; everything behind this room counts 1/90000 s since 1970. One
//! [`Anchor`] ties the two together for both tracks. It is an explicit value: a caller makes it from the arrival of
//! the first frame, or adopts the one that another origin made for the same feed, and then both origins give every
//! sample the same time (DESIGN.md, invariant 3).
//!
//! Broken timestamps are normal at a venue. A small step back is nudged forward. A frame whose timestamp lies far from all
//! others waits for the next one: where that is on the clock as before, the one timestamp was wrong, and its frame goes
//! between its neighbours; where it lies near, the clock has jumped. A jump ends the use of the anchor and a new one is made
//! from arrival, never so that media time goes back. Nothing here fails.
//!
//! A track may go on from another place alone, or be on another clock from the start. It has an offset then, which puts it beside the
//! other track as they came, and keeps it until its timestamps are on the other's clock again, or the feed's clock jumps. Where the sound
//! leaves the picture, that is all; where the picture leaves, the clock jumps to the picture's, and the sound, which didn't follow, has the
//! offset. The offset comes from the feed's timestamps and their order, so that two origins that hear a feed from before have the same
//! one, whenever the frames arrive; behind ten seconds in which nothing at all came it is a jump. An origin that joins later finds its own, from the first frames that it hears: the track with the offset may lie apart from the other origin's by
//! as much as the feed's interleaving varies, and where it hears that track first, its anchor is that track's, and the other one has
//! the offset.
//!
//! ```
//! use railbird_core::media::{Frame, Kind};
//! use railbird_core::time::{MediaTime, UtcMs};
//! use railbird_core::timeline::{Anchor, Event, Timeline};
//!
//! let now = UtcMs(1_795_171_920_000);
//! let frame = Frame { kind: Kind::Audio, dts_ms: 5000, cts: 0, key: true, leading: false, data: Default::default() };
//! let mut timeline = Timeline::new(Anchor::from_arrival(&frame, now), MediaTime::default());
//! timeline.handle(frame, now);
//! while let Some(event) = timeline.poll() {
//!     if let Event::Sample(sample) = event {
//!         assert_eq!(sample.dts, now.media());
//!     }
//! }
//! ```

mod anchors;
mod apart;
mod beside;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

pub use anchors::{ANCHORS_MAX, Anchors};
use apart::Apart;
use beside::Beside;
pub use beside::{STRAYS_BESIDE_LEN_MAX, STRAYS_BESIDE_MAX};
use serde::{Deserialize, Serialize};

use crate::media::{Frame, Kind, Sample};
use crate::time::{MediaTime, UtcMs};

/// A track that goes further forward than this at once, and from the other track, has jumped: 10 s. Less is a gap, which
/// keeps its anchor.
pub const FORWARD_MS_MAX: i64 = 10_000;

/// A track that goes further back than this has jumped: 1 s. Less is nudged forward.
pub const BACK_MS_MAX: i64 = 1_000;

/// The most frames that may still come with timestamps from before a jump; they are dropped.
pub const STRAGGLERS_MAX: u32 = 64;

/// A frame that lies further than this from the last one of each track waits for the next one: 1 s. Its timestamp may be wrong.
pub const STRAY_MS: i64 = 1_000;

/// So many frames in a row may lie far from all others, and from each other, before one of them is taken for a jump.
pub const STRAYS_MAX: u32 = 16;

/// The largest distance of presentation from decoding, either way: 3 s. More makes no sense, and counts as none.
pub const CTS_MS_MAX: i32 = 3_000;

/// A known anchor is not used for a feed that would lie further behind its arrival than this: 15 s.
pub const LATE_MS_MAX: u64 = 15_000;

/// A known anchor is not used for a feed that would lie further ahead of its arrival than this: 3 s.
pub const EARLY_MS_MAX: u64 = 3_000;

/// Latest instant that a timeline gives: the year 5138, far from where 64 bits end.
const MEDIA_MS_MAX: i64 = 100_000_000_000_000;

/// How long a frame is taken to last where a new anchor must begin after it, in 1/90000 s.
const STEP: u64 = 3_000;

/// The tie between a feed's clock and the world's: this feed timestamp is decoded at that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Decoding time on the feed's clock, in milliseconds.
    pub feed_ms: i64,
    /// The same instant in UTC.
    pub utc: UtcMs,
}

impl Anchor {
    /// The anchor that says: what arrives now happens now. The rule where a feed carries no capture time.
    pub fn from_arrival(first: &Frame, now: UtcMs) -> Anchor {
        Anchor { feed_ms: first.dts_ms, utc: now }
    }

    /// Whether this may be the anchor of a feed whose timestamp `feed_ms` arrived at `now`: it puts the timestamp where a
    /// frame may well come from. A feed comes late where its encoder sends what it kept during an outage, and early
    /// where two machines' clocks differ.
    pub fn fits(self, feed_ms: i64, now: UtcMs) -> bool {
        self.media(feed_ms).is_some_and(|media| {
            let utc = media.utc();
            now.ms_since(utc) <= LATE_MS_MAX && utc.ms_since(now) <= EARLY_MS_MAX
        })
    }

    /// Where a feed timestamp lies on epoch media time; `None` before 1970 or absurdly late.
    pub fn media(self, feed_ms: i64) -> Option<MediaTime> {
        let ms = i64::try_from(self.utc.0).ok()?.checked_add(feed_ms.checked_sub(self.feed_ms)?)?;
        (0..=MEDIA_MS_MAX).contains(&ms).then(|| UtcMs(ms.unsigned_abs()).media())
    }
}

/// What a timeline tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A frame with its place on media time. Within a track, decoding times strictly increase.
    Sample(Sample),
    /// The feed's clock jumped, or the feed stood still for longer than [`FORWARD_MS_MAX`]: what follows is on this anchor, which is
    /// a new one or, where the clock went on, the one before, and does not continue what came before.
    Jumped(Anchor),
}

/// Frames that were not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames from before `not_before`.
    pub early: u64,
    /// Frames from before a jump that came after it, and those whose timestamps belong to no clock.
    pub stragglers: u64,
    /// Frames whose decoding time was moved forward so that it increases.
    pub nudged: u64,
    /// Jumps of the feed's clock, and of the feed where it stood still.
    pub jumps: u64,
    /// Frames without a byte.
    pub empty: u64,
}

impl Counts {
    /// These and others.
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            early: self.early + other.early,
            stragglers: self.stragglers + other.stragglers,
            nudged: self.nudged + other.nudged,
            jumps: self.jumps + other.jumps,
            empty: self.empty + other.empty,
        }
    }
}

/// The end of a track so far.
#[derive(Clone, Copy, Debug)]
struct Tip {
    feed_ms: i64,
    dts: MediaTime,
    /// How far the other track was.
    beside_ms: Option<i64>,
    /// How many frames there were, as far as that matters.
    frames: u8,
}

/// A frame far from all others: what comes next tells whether the clock has jumped.
#[derive(Debug)]
struct Stray {
    frame: Frame,
    arrived: UtcMs,
    /// Nothing at all had come for long before it.
    behind_pause: bool,
    /// How many there were in a row.
    nth: u32,
}

impl Stray {
    /// Whether this timestamp goes on with it.
    fn is_followed_by(&self, feed_ms: i64) -> bool {
        (-BACK_MS_MAX..=FORWARD_MS_MAX).contains(&feed_ms.saturating_sub(self.frame.dts_ms))
    }
}

/// Maps one feed's frames to samples on epoch media time. See the [module](self).
#[derive(Debug)]
pub struct Timeline {
    anchor: Anchor,
    not_before: MediaTime,
    video: Option<Tip>,
    audio: Option<Tip>,
    /// The feed timestamp that was current before the last jump, and how many stragglers may still come.
    before_jump: Option<(i64, u32)>,
    stray: Option<Stray>,
    apart: Apart,
    /// When the last frame arrived, and when the last one did behind a long pause.
    arrived: Option<UtcMs>,
    resumed: Option<UtcMs>,
    beside: Beside,
    counts: Counts,
    events: VecDeque<Event>,
}

impl Timeline {
    /// A timeline for one publish of a feed.
    ///
    /// `not_before` is the end of what was already cut for the channel ([`crate::media::Cut::end`]), zero where there
    /// is nothing: no sample lies before it. An anchor that says otherwise is moved to it, so a publisher that
    /// reconnects, or a wall clock that was set back, never writes over the past.
    pub fn new(anchor: Anchor, not_before: MediaTime) -> Timeline {
        Timeline::on(not_earlier(anchor, not_before), not_before)
    }

    /// A timeline on an anchor that others use as well, so that it is not moved: frames from before `not_before` are left
    /// out and counted.
    pub fn on(anchor: Anchor, not_before: MediaTime) -> Timeline {
        Timeline {
            anchor,
            not_before,
            video: None,
            audio: None,
            before_jump: None,
            stray: None,
            apart: Apart::default(),
            arrived: None,
            resumed: None,
            beside: Beside::default(),
            counts: Counts::default(),
            events: VecDeque::new(),
        }
    }

    /// Where a time of this track's clock lies.
    pub fn media(&self, kind: Kind, feed_ms: i64) -> Option<MediaTime> {
        self.anchor.media(feed_ms.saturating_add(self.apart.of(kind)))
    }

    /// The anchor in use: for another origin to adopt.
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// What was not used so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes the feed's next frame, which arrived at `now`. `now` matters only where the feed's clock jumps, or behind a long pause.
    pub fn handle(&mut self, frame: Frame, now: UtcMs) {
        let paused_ms = self.arrived.replace(now).map_or(0, |before| now.ms_since(before));
        if paused_ms > FORWARD_MS_MAX.unsigned_abs() {
            self.resumed = Some(now);
        }
        let frame = self.on_common_clock(frame);
        let Some(stray) = self.stray.take() else { return self.next(frame, now) };
        if self.is_away(&frame, STRAY_MS) {
            let is_followed = stray.is_followed_by(frame.dts_ms)
                || self.as_sent(&stray.frame).abs_diff(self.as_sent(&frame)) <= BACK_MS_MAX.unsigned_abs();
            if !is_followed {
                return self.strays(frame, now, stray.nth + 1);
            }
            if let Some(by_ms) = self.parts(&stray, &frame) {
                self.apart.move_on(frame.kind, by_ms);
                for mut frame in [stray.frame, frame] {
                    frame.dts_ms = frame.dts_ms.saturating_add(by_ms);
                    self.place(frame);
                }
                return;
            }
            let (mut first, mut frame) = (stray.frame, frame);
            if self.is_away(&first, FORWARD_MS_MAX) {
                (first.dts_ms, frame.dts_ms) = (self.as_sent(&first), self.as_sent(&frame));
                self.jump(&first, stray.arrived);
            }
            self.place(first);
            return match self.is_away(&frame, FORWARD_MS_MAX) {
                true => self.next(frame, now),
                false => self.place(frame),
            };
        }
        if stray.frame.kind != frame.kind {
            // It says nothing of the other track.
            self.stray = Some(stray);
        } else if let Some(tip) = *self.tip(frame.kind) {
            let dts_ms = tip.feed_ms.midpoint(frame.dts_ms.max(tip.feed_ms));
            self.counts.nudged += 1;
            self.place(Frame { dts_ms, ..stray.frame });
        } else {
            self.counts.stragglers += 1;
        }
        self.place(frame);
    }

    fn next(&mut self, frame: Frame, now: UtcMs) {
        if !self.is_away(&frame, STRAY_MS) {
            self.place(frame);
        } else if self.is_straggler(&frame) {
            self.counts.stragglers += 1;
        } else {
            self.strays(frame, now, 1);
        }
    }

    /// A frame lies far from all others, as so many before it did.
    fn strays(&mut self, frame: Frame, now: UtcMs, nth: u32) {
        self.counts.stragglers += u64::from(nth > 1);
        if nth < STRAYS_MAX {
            // A few frames from before it may come behind it.
            let resumed_ms = self.resumed.map(|resumed| now.ms_since(resumed));
            let behind_pause = resumed_ms.is_some_and(|ms| ms <= STRAY_MS.unsigned_abs());
            self.stray = Some(Stray { frame, arrived: now, behind_pause, nth });
        } else {
            let frame = Frame { dts_ms: self.as_sent(&frame), ..frame };
            self.jump(&frame, now);
            self.place(frame);
        }
    }

    /// Gives a frame its place.
    fn place(&mut self, frame: Frame) {
        // Only a wall clock beyond all reason makes this fail.
        let Some(dts) = self.anchor.media(frame.dts_ms) else {
            self.counts.early += 1;
            return;
        };
        if dts < self.not_before {
            self.counts.early += 1;
            return;
        }
        let makes_sense = frame.cts.unsigned_abs() <= CTS_MS_MAX.unsigned_abs() * 90;
        let (dts, cts) = self.nudge(frame.kind, dts, if makes_sense { frame.cts } else { 0 });
        let beside_ms = self.other(frame.kind).map(|other| other.feed_ms);
        let tip = self.tip(frame.kind);
        let frames = tip.map_or(0, |tip| tip.frames).saturating_add(1);
        *tip = Some(Tip { feed_ms: frame.dts_ms, dts, beside_ms, frames });
        self.events.push_back(Event::Sample(Sample {
            kind: frame.kind,
            dts,
            cts,
            key: frame.key,
            leading: frame.leading,
            data: frame.data,
        }));
    }

    /// The feed was ended in order: a last frame that lies far from all others is shown behind its track's others.
    pub fn finish(&mut self) {
        let Some(Stray { frame, .. }) = self.stray.take() else { return };
        match *self.tip(frame.kind) {
            Some(tip) => {
                let dts_ms = tip.feed_ms.saturating_add((STEP / 90).cast_signed());
                self.counts.nudged += 1;
                self.place(Frame { dts_ms, ..frame });
            }
            None => self.counts.stragglers += 1,
        }
    }

    /// What follows from the input so far, until `None`.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn tip(&mut self, kind: Kind) -> &mut Option<Tip> {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    /// Whether the frame's timestamp lies further than this from where the feed's clock was. At [`FORWARD_MS_MAX`], it has
    /// jumped.
    ///
    /// A track must not go back, and must not leave both its own tip and the other track's behind. Where it stood still
    /// while the other went on, it comes back to the same clock.
    fn is_away(&mut self, frame: &Frame, ms: i64) -> bool {
        let step = |tip: Tip| frame.dts_ms.saturating_sub(tip.feed_ms);
        let own = self.tip(frame.kind).map(step);
        let other = match frame.kind {
            Kind::Video => self.audio.map(step),
            Kind::Audio => self.video.map(step),
        };
        let back = own.is_some_and(|step| step < -BACK_MS_MAX);
        let near = |step: i64| step.saturating_abs() <= ms;
        let known = own.is_some() || other.is_some();
        let away = known && !own.is_some_and(near) && !other.is_some_and(near);
        back || away || self.anchor.media(frame.dts_ms).is_none()
    }

    /// Muxers interleave: after one track jumped, the other may still bring a few frames from before.
    fn is_straggler(&mut self, frame: &Frame) -> bool {
        if self.tip(frame.kind).is_some() {
            return false;
        }
        let Some((feed_ms, left)) = &mut self.before_jump else { return false };
        let near = frame.dts_ms.saturating_sub(*feed_ms).saturating_abs() <= BACK_MS_MAX;
        if !near || *left == 0 {
            return false;
        }
        *left -= 1;
        true
    }

    /// What comes is on another clock, or behind a long pause, and this frame, which arrived at `now`, is its first.
    fn jump(&mut self, frame: &Frame, now: UtcMs) {
        let tips = [self.video, self.audio];
        let before = tips.iter().flatten().max_by_key(|tip| tip.dts).map(|tip| (tip.feed_ms, tip.dts));
        if let Some((feed_ms, dts)) = before {
            self.before_jump = Some((feed_ms, STRAGGLERS_MAX));
            self.not_before = self.not_before.max(MediaTime(dts.0.saturating_add(STEP)));
        }
        let goes_on = self.anchor.fits(frame.dts_ms, now)
            && self.anchor.media(frame.dts_ms).is_some_and(|media| media >= self.not_before);
        if !goes_on {
            self.anchor = not_earlier(Anchor::from_arrival(frame, now), self.not_before);
        }
        self.apart = self.apart.behind_jump(self.video, self.audio);
        (self.video, self.audio) = (None, None);
        self.beside.clear();
        self.counts.jumps += 1;
        self.events.push_back(Event::Jumped(self.anchor));
    }

    /// Moves a decoding time that does not increase just behind the one before; presentation stays where it was.
    fn nudge(&mut self, kind: Kind, dts: MediaTime, cts: i32) -> (MediaTime, i32) {
        let Some(Tip { dts: last, .. }) = *self.tip(kind) else { return (dts, cts) };
        if dts > last {
            return (dts, cts);
        }
        self.counts.nudged += 1;
        let moved = MediaTime(last.0.saturating_add(1));
        let by = i32::try_from(moved.0.saturating_sub(dts.0)).unwrap_or(i32::MAX);
        match kind {
            Kind::Video => (moved, cts.saturating_sub(by)),
            Kind::Audio => (moved, cts),
        }
    }
}

/// The anchor, moved so that its instant is not before `floor`.
fn not_earlier(anchor: Anchor, floor: MediaTime) -> Anchor {
    Anchor { utc: anchor.utc.max(UtcMs(floor.0.div_ceil(90))), ..anchor }
}
