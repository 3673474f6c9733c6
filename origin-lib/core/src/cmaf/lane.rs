//! One kind of a feed's media, out of the track that is used for it.

mod arrival;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::came::{Came, ROOM, Sample, What};
use super::gather::Request;
use super::header::Coding;
use super::order::Order;
use crate::codec::{self, Picture, opus};
use crate::flv::Error;
use crate::media::{AudioCoding, AudioConfig, FeedEvent, Frame, Kind};
use crate::time::Moment;
use crate::timeline::LATE_MS_MAX;

/// How long one kind waits for the other, in milliseconds since it came, where nothing tells that the other one comes later.
pub const WAIT_MS_MAX: u64 = 3_000;

/// How long it waits for one that does, in milliseconds: what is sent in whole segments of ten seconds comes so late.
pub const WAIT_LATE_MS_MAX: u64 = 12_000;

/// By so much more than it was late what came late is waited for, in milliseconds: the next piece may take longer.
const SPARE_MS: u64 = 1_000;

/// What came in time all through this, in milliseconds, is waited for as if it had never been late.
const IN_TIME_MS: u64 = 60_000;

/// How much of one kind waits for the other, in milliseconds of its own time.
pub const WAIT_SPAN_MS_MAX: i64 = 15_000;

/// How much of one kind waits for the other, in bytes.
pub const WAIT_LEN_MAX: usize = 32 << 20;

// What waited so long is still where its timeline takes it, and no more waits than may.
const _: () = assert!(WAIT_LATE_MS_MAX < LATE_MS_MAX && WAIT_LATE_MS_MAX < WAIT_SPAN_MS_MAX.unsigned_abs());

/// Times of two tracks that mean the same differ by so many milliseconds at the most: either is rounded.
pub(super) const ROUNDED_MS: i64 = 2;

/// Which track a kind comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The number of its header.
    pub(super) header: u64,
    /// `track_ID`.
    pub(super) track: u32,
}

/// What tells fragments of a track apart: the first decoding time, how many samples, how many bytes.
pub(super) type Mark = (u64, usize, u64);

/// What waits for the other kind.
#[derive(Debug)]
struct Waiting {
    dts_ms: i64,
    since: u64,
    event: FeedEvent,
}

/// How the other kind stands when a sample comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Where it was given out last, in milliseconds of its time.
    given_ms: Option<i64>,
    /// Since when what is first of it waits.
    since: Option<u64>,
}

/// A better track, which takes over where its next fragment begins.
#[derive(Clone, Copy, Debug)]
struct Rival {
    source: Source,
    /// Its own time from which it does, in milliseconds: nothing of the other one that is decoded later is used.
    from_ms: i64,
    /// It is forgotten then if nothing of it comes.
    until: u64,
}

/// What is still coming of a track that has been left.
#[derive(Debug)]
pub(super) struct Rest(Order<Came>);

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) source: Option<Source>,
    /// A better track comes, and takes over.
    rival: Option<Rival>,
    /// It goes on with a key frame.
    awaits_key: bool,
    /// Which version of the source's header was told.
    told: Option<u64>,
    /// What came and is not in its place yet.
    order: Order<Came>,
    /// The newest decoding time that was taken, of whichever track, in milliseconds.
    newest_ms: Option<i64>,
    /// Where the next fragment begins that does not say, and where the last one ends.
    next: u64,
    furthest: u64,
    known: VecDeque<(Mark, u64)>,
    /// How many fragments, one after another, came late; those of a request that brings no more than the one before it did are one.
    back: u8,
    /// What brought the last one, how much that has brought, and how much the one before it brought, in 1/90000 s.
    by: Option<Request>,
    brought: i64,
    brought_before: i64,
    waiting: VecDeque<Waiting>,
    len: usize,
    errors: Vec<Error>,
    /// It is not waited for.
    late: bool,
    /// How long it is waited for beyond [`WAIT_MS_MAX`], in milliseconds, and when that was of use last.
    patience_ms: u64,
    needed: u64,
    /// The decoding time of the frame that was given out last, in milliseconds.
    given_ms: Option<i64>,
    /// The encoder has ended it.
    pub(super) ended: bool,
    /// When a fragment of it came last.
    pub(super) heard: u64,
}

impl Lane {
    /// It comes from this track, as if there had been no other. What there was of another one goes with that.
    pub(super) fn follow(&mut self, source: Source, now: Moment) -> Lane {
        // The clock is the feed's, whichever track tells where it stands; and so are splices.
        let waiting = core::mem::take(&mut self.waiting);
        let (of_track, of_feed): (VecDeque<Waiting>, VecDeque<Waiting>) =
            waiting.into_iter().partition(|waiting| {
                matches!(waiting.event, FeedEvent::Frame(_) | FeedEvent::Video(_) | FeedEvent::Audio(_))
            });
        let len = |waiting: &VecDeque<Waiting>| waiting.iter().map(|waiting| len(&waiting.event)).sum();
        let Lane { newest_ms, awaits_key, given_ms, patience_ms, needed, .. } = *self;
        let new = Lane {
            len: len(&of_feed),
            waiting: of_feed,
            newest_ms,
            awaits_key,
            given_ms,
            patience_ms,
            needed,
            ..Lane::default()
        };
        let mut before = core::mem::replace(self, new);
        (before.len, before.waiting, before.rival) = (len(&of_track), of_track, None);
        for came in before.order.take(|came| matches!(came.what, What::Event(..))) {
            self.place(came);
        }
        self.turn_to(source, now);
        before
    }

    /// What waits is let go.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.order = Order::default();
        (self.len, self.told) = (0, None);
    }

    /// It comes from this track from now on, in the place of another one, of which this is still coming.
    pub(super) fn follow_anew(&mut self, source: Source, now: Moment) -> Rest {
        for came in self.order.take_all(now) {
            self.pass(came, Standing::default(), now);
        }
        let rest = Rest(core::mem::take(&mut self.order));
        self.turn_to(source, now);
        self.awaits_key = self.told.is_some();
        rest
    }

    /// It comes from this track again, of which this is still coming.
    pub(super) fn go_on(&mut self, source: Source, rest: Rest, now: Moment) {
        self.follow_anew(source, now);
        self.order = rest.0;
    }

    fn turn_to(&mut self, source: Source, now: Moment) {
        (self.source, self.heard, self.ended, self.late) = (Some(source), now.up_ms, false, false);
        (self.next, self.furthest, self.back, self.rival) = (0, 0, 0, None);
        self.order = Order::default();
        self.known.clear();
    }

    /// The better track that is about to take over.
    pub(super) fn rival(&self, now: Moment) -> Option<Source> {
        self.rival.filter(|rival| now.up_ms < rival.until).map(|rival| rival.source)
    }

    /// A fragment of a better track comes, from `start` to `end`: what follows that is taken from there. Nothing is taken twice,
    /// whichever of both is ahead. Where it takes over, what is still coming of the other one.
    pub(super) fn lead_to(
        &mut self,
        source: Source,
        (start, end): (i64, i64),
        wait_ms: u64,
        now: Moment,
    ) -> Option<Rest> {
        match self.rival.filter(|rival| self.rival(now) == Some(rival.source) && rival.source == source) {
            Some(rival) if start.saturating_add(ROUNDED_MS) >= rival.from_ms => {
                return Some(self.follow_anew(source, now));
            }
            Some(_) => {}
            None => {
                let from_ms = self.newest_ms.map_or(end, |newest| end.max(newest.saturating_add(1)));
                let until = now.up_ms.saturating_add(wait_ms);
                self.rival = Some(Rival { source, from_ms, until });
            }
        }
        None
    }

    /// Whether anything of its track has come.
    pub(super) fn has_begun(&self) -> bool {
        self.order.has_begun()
    }

    /// How it stands, for the other kind.
    pub(super) fn standing(&self) -> Standing {
        Standing { given_ms: self.given_ms, since: self.waiting.front().map(|waiting| waiting.since) }
    }

    /// A sample comes. One that was given up before it did is waited for longer from now on, up to a bound, as long as it comes so late.
    fn note_late(&mut self, dts_ms: i64, other: Standing, now: Moment) {
        let behind = other.given_ms.map_or(0, |given| given.saturating_sub(dts_ms));
        let waited = other.since.map_or(0, |since| now.ms_since(since));
        if self.late && (1..=WAIT_SPAN_MS_MAX).contains(&behind) {
            let wait_ms = behind.unsigned_abs().saturating_add(SPARE_MS).min(WAIT_LATE_MS_MAX);
            self.patience_ms = self.patience_ms.max(wait_ms.saturating_sub(WAIT_MS_MAX));
            self.needed = now.up_ms;
        } else if waited > WAIT_MS_MAX {
            self.needed = now.up_ms;
        } else if now.ms_since(self.needed) >= IN_TIME_MS {
            self.patience_ms = 0;
        }
        self.late = false;
    }

    /// A sample is in its place. `other`: how the other kind stands.
    fn sample(&mut self, sample: Sample, since: u64, other: Standing, now: Moment) -> Result<(), Error> {
        let Sample { coming, data, header, version } = sample;
        let Some(track) = self.source.and_then(|source| header.track(source.track)) else { return Ok(()) };
        let dts_ms = super::ms(coming.dts, track.timescale);
        if self.rival(now).is_some()
            && self.rival.is_some_and(|rival| dts_ms.saturating_add(ROUNDED_MS) >= rival.from_ms)
        {
            return Ok(());
        }
        let shown = super::ticks(coming.dts + i128::from(coming.cts), track.timescale);
        let is_new = self.told != Some(version);
        let (event, frame) = match &track.coding {
            Coding::Video { config, length_size } => {
                let picture = codec::picture(config.coding, *length_size, data);
                let (data, Picture { key, leading }) = picture.map_err(Error::Skip)?;
                if self.awaits_key && !key {
                    return Ok(());
                }
                let cts = shown.saturating_sub(dts_ms.saturating_mul(90));
                let cts = i32::try_from(cts).unwrap_or(if cts < 0 { i32::MIN } else { i32::MAX });
                let frame = Frame { kind: Kind::Video, dts_ms, cts, key, leading, data };
                (is_new.then(|| FeedEvent::Video(config.clone())), frame)
            }
            Coding::Audio(config) => {
                let mut frame_len = config.frame_len;
                if config.coding == AudioCoding::Opus {
                    const NONE: Error = Error::Skip("sound that is no packet of Opus");
                    frame_len = opus::packet_len(&data).ok_or(NONE)?;
                }
                let frame = Frame { kind: Kind::Audio, dts_ms, cts: 0, key: true, leading: false, data };
                let config = || AudioConfig { frame_len, ..config.clone() };
                (is_new.then(|| FeedEvent::Audio(config())), frame)
            }
            Coding::Unusable(_, error) => return Err(error.clone()),
        };
        (self.told, self.awaits_key, self.newest_ms) = (Some(version), false, Some(dts_ms));
        if let Some(event) = event {
            self.push(dts_ms, event, since);
        }
        self.note_late(dts_ms, other, now);
        self.push(dts_ms, FeedEvent::Frame(frame), since);
        Ok(())
    }

    fn push(&mut self, dts_ms: i64, event: FeedEvent, since: u64) {
        self.len += len(&event);
        self.waiting.push_back(Waiting { dts_ms, since, event });
    }

    /// The decoding time of its first frame that waits, once nothing else is before it.
    pub(super) fn front_ms(&self) -> Option<i64> {
        self.waiting.front().map(|waiting| waiting.dts_ms)
    }

    /// Takes what waits first; with `but_frames`, only what is no frame.
    pub(super) fn pop(&mut self, but_frames: bool) -> Option<FeedEvent> {
        let first = self.waiting.front()?;
        if but_frames && matches!(first.event, FeedEvent::Frame(_)) {
            return None;
        }
        let Waiting { event, .. } = self.waiting.pop_front()?;
        self.len -= len(&event);
        if let FeedEvent::Frame(frame) = &event {
            self.given_ms = Some(frame.dts_ms);
        }
        Some(event)
    }

    /// Whether as much waits as may.
    pub(super) fn is_full(&self) -> bool {
        self.len.saturating_add(self.order.len()) > WAIT_LEN_MAX || self.order.is_full()
    }

    /// When what waits first of the `other` kind is let go for want of this one.
    pub(super) fn due(&self, other: &Lane) -> Option<u64> {
        other.waiting.front().map(|waiting| waiting.since.saturating_add(WAIT_MS_MAX + self.patience_ms))
    }

    /// Whether the other kind, which waits, has to wait for this one, of which nothing is there.
    pub(super) fn holds_up(&mut self, other: &Lane, now: Moment) -> bool {
        let (first, last) = (other.waiting.front(), other.waiting.back());
        let span = first.zip(last).map_or(0, |(first, last)| last.dts_ms.saturating_sub(first.dts_ms));
        let over = self.due(other).is_some_and(|due| due <= now.up_ms);
        self.late |= over || span > WAIT_SPAN_MS_MAX || other.is_full();
        !self.late && (!self.ended || self.is_waiting())
    }

    /// It is waited for no longer.
    pub(super) fn give_up(&mut self) {
        self.late = true;
    }
}

fn len(event: &FeedEvent) -> usize {
    match event {
        FeedEvent::Frame(frame) => frame.data.len() + ROOM,
        _ => ROOM,
    }
}
