//! One publish of a feed: its frames become samples, and wait there while the other feed is used.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::beside::{Beside, Further};
use super::{AnchorFrom, HELD_LEN_MAX, HELD_SAMPLES_MAX, Publish, TICKS, WAITING_LEN_MAX};
use crate::media::{Captured, FeedEvent, FeedSplice, Kind, Sample, Tracks};
use crate::scte35::Section;
use crate::sound::Language;
use crate::time::{MediaSpan, MediaTime, Moment, UtcMs};
use crate::timeline::{self, Anchor, Anchors, LATE_MS_MAX, Timeline};

/// Audio from this long before a key frame is kept with it: muxers bring the two tracks skewed. 0.5 s.
const AUDIO_BEFORE: u64 = 45_000;

/// What a feed's events became.
#[derive(Debug)]
pub(super) enum Item {
    /// The feed's parameters are these from now on.
    Tracks(Tracks),
    /// A sample on the media timeline.
    Sample(Sample),
    /// The feed's clock jumped, or the feed stood still: what follows is on this anchor, which may be the one before.
    Jumped(Anchor),
    /// The encoder said that the programme is left, or goes on, at this time.
    Splice { at: MediaTime, section: Section },
    /// Something of a track that is not the first of its kind.
    Further(u8, Further),
    /// The stream says that a sound track is in this language.
    Language(u8, Language),
}

/// What a feed wants of its programme.
#[derive(Debug)]
pub(super) enum Want {
    /// The anchor for this first frame is not known: it may be asked for.
    Ask { feed_ms: i64, arrived: UtcMs },
    /// This anchor is in use.
    Anchored { anchor: Anchor, from: AnchorFrom },
}

/// Where a publish stands.
#[derive(Debug)]
enum Place {
    /// No frame has come.
    New,
    /// The next frame gets a new anchor, whatever is known.
    Again,
    /// Others are asked for the anchor of its first frame.
    Waiting { feed_ms: i64, arrived: UtcMs, since: u64, events: VecDeque<FeedEvent>, len: usize },
    /// It begins where the feed of this anchor began: another run of the encoder, or it sends again what it had kept. What
    /// comes tells.
    Doubted {
        anchor: Anchor,
        feed_ms: i64,
        newest_ms: i64,
        arrived: UtcMs,
        since: u64,
        events: VecDeque<FeedEvent>,
        len: usize,
    },
    /// Its timestamps have a place.
    On(Box<Timeline>),
}

/// Samples since the key frame at which the feed would be begun, that frame first.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) samples: VecDeque<Sample>,
    /// Key frames among them.
    starts: usize,
    /// Their parameters.
    pub(super) tracks: Tracks,
    len: usize,
    /// Its key frame stays the first, whatever comes: the switch to it is under way.
    pub(super) kept: bool,
}

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) publish: Publish,
    /// The parameters that the encoder told last.
    tracks: Tracks,
    /// The parameters of the items that were taken out.
    told: Tracks,
    pub(super) items: VecDeque<Item>,
    pub(super) wants: VecDeque<Want>,
    pub(super) held: Held,
    /// Its further tracks.
    pub(super) beside: Beside,
    /// When video last came, or the publish began.
    pub(super) heard: u64,
    /// Since when it has come without a stall.
    steady_since: u64,
    /// The last two key frames were this far apart, and where the last one was.
    pub(super) interval: Option<u64>,
    last_key: Option<MediaTime>,
    /// The newest decoding time.
    pub(super) newest: Option<MediaTime>,
    place: Place,
    /// What is known of when it is captured.
    captured: Option<Captured>,
    /// What timelines before the present one left out.
    counts: timeline::Counts,
}

/// What a feed needs to know of its programme.
pub(super) struct Around<'a> {
    pub(super) anchors: &'a Anchors,
    pub(super) not_before: MediaTime,
    /// What lies behind all that was used.
    pub(super) behind: MediaTime,
    /// From where on a feed may lie that goes on with nothing.
    pub(super) anew: MediaTime,
    pub(super) stall_ms: u64,
    /// Whether others may be asked for an anchor.
    pub(super) ask: bool,
    pub(super) wait_ms: u64,
}

impl Feed {
    pub(super) fn new(publish: Publish, now: Moment) -> Feed {
        Feed {
            publish,
            tracks: Tracks::default(),
            told: Tracks::default(),
            items: VecDeque::new(),
            wants: VecDeque::new(),
            held: Held::default(),
            beside: Beside::default(),
            heard: now.up_ms,
            steady_since: now.up_ms,
            interval: None,
            last_key: None,
            newest: None,
            place: Place::New,
            captured: None,
            counts: timeline::Counts::default(),
        }
    }

    /// For how long it has had no video.
    pub(super) fn silent_ms(&self, now: Moment) -> u64 {
        now.ms_since(self.heard)
    }

    /// For how long it has come without a stall, up to its newest video.
    pub(super) fn steady_ms(&self) -> u64 {
        self.heard.saturating_sub(self.steady_since)
    }

    pub(super) fn counts(&self) -> timeline::Counts {
        match &self.place {
            Place::On(timeline) => self.counts.plus(timeline.counts()),
            _ => self.counts,
        }
    }

    /// Takes the next event. What follows is in `items` and `wants`.
    pub(super) fn handle(&mut self, event: FeedEvent, now: Moment, around: &Around<'_>) {
        if let FeedEvent::Captured(captured) = event {
            if captured.by_encoder || self.captured.is_none() {
                self.captured = Some(captured);
            }
            return;
        }
        if let FeedEvent::Frame(frame) = &event
            && frame.data.is_empty()
        {
            // It shows nothing, and decoders stop at it.
            self.counts.empty += 1;
            return;
        }
        if let FeedEvent::Frame(frame) = &event {
            // Where there is video, sound alone is a stall.
            if frame.kind == Kind::Video || self.tracks.video.is_none() {
                if self.silent_ms(now) >= around.stall_ms {
                    self.steady_since = now.up_ms;
                }
                self.heard = now.up_ms;
            }
            match self.place {
                Place::New => self.first(frame.dts_ms, now, around),
                Place::Again => {
                    let anchor = Anchor { feed_ms: frame.dts_ms, utc: now.utc };
                    self.begin(Timeline::new(anchor, around.behind), AnchorFrom::Behind, now.utc);
                }
                _ => {}
            }
        }
        if let FeedEvent::Video(_) = event
            && self.tracks.video.is_none()
        {
            // What came before was sound only: its steadiness says nothing.
            (self.heard, self.steady_since) = (now.up_ms, now.up_ms);
        }
        match &mut self.place {
            Place::Doubted { since, events, len, newest_ms, .. } => {
                if let FeedEvent::Frame(frame) = &event {
                    *newest_ms = frame.dts_ms.max(*newest_ms);
                }
                *len += event_len(&event);
                events.push_back(event);
                let over = *len > WAITING_LEN_MAX || now.ms_since(*since) >= DOUBT_MS;
                self.decide(over, now, around);
            }
            Place::Waiting { since, events, len, .. } => {
                *len += event_len(&event);
                events.push_back(event);
                if *len > WAITING_LEN_MAX || now.ms_since(*since) >= around.wait_ms {
                    self.give_up_waiting(now, around);
                }
            }
            _ => self.place_event(event, now.utc),
        }
    }

    /// The answer to [`Want::Ask`]: one to adopt, or the word that there is none.
    pub(super) fn answer(&mut self, anchor: Option<(Anchor, AnchorFrom)>, now: Moment, around: &Around<'_>) {
        let Place::Waiting { feed_ms, arrived, .. } = self.place else { return };
        match anchor {
            Some((anchor, _)) if !reaches(anchor, feed_ms, around.not_before) => {
                let anchor = Anchor { feed_ms, utc: arrived };
                self.begin(Timeline::new(anchor, around.anew), AnchorFrom::Behind, now.utc);
            }
            Some((anchor, from)) => self.begin(Timeline::on(anchor, around.not_before), from, now.utc),
            None => self.give_up_waiting(now, around),
        }
    }

    /// The publish ends: what waits for an anchor gets the one of its arrival.
    pub(super) fn give_up_waiting(&mut self, now: Moment, around: &Around<'_>) {
        self.decide(true, now, around);
        if let Place::Waiting { feed_ms, arrived, .. } = self.place {
            let anchor = Anchor { feed_ms, utc: arrived };
            self.begin(Timeline::new(anchor, around.anew), AnchorFrom::ArrivalAlone, now.utc);
        }
    }

    /// The feed lies too far behind the channel's media to be used: a new anchor at its next frame, from arrival.
    pub(super) fn anchor_again(&mut self) {
        if let Place::On(timeline) = &self.place {
            self.counts = self.counts.plus(timeline.counts());
        }
        self.place = Place::Again;
        self.drop_held();
        (self.interval, self.last_key, self.newest) = (None, None, None);
    }

    /// When this timestamp, which comes now, was captured, or at least when it came; and whether the encoder says so.
    fn captured(&self, feed_ms: i64, now: UtcMs) -> (UtcMs, bool) {
        let captured = self.captured.and_then(|Captured { feed_ms: at, utc, by_encoder }| {
            let anchor = Anchor { feed_ms: at, utc };
            let media = anchor.media(feed_ms).filter(|_| anchor.fits(feed_ms, now))?;
            Some((media.utc(), by_encoder))
        });
        captured.unwrap_or((now, false))
    }

    fn first(&mut self, feed_ms: i64, now: Moment, around: &Around<'_>) {
        let (arrived, _) = self.captured(feed_ms, now.utc);
        match around.anchors.fitting(feed_ms, now.utc) {
            Some(anchor) if reaches(anchor, feed_ms, around.not_before) => {
                self.begin(Timeline::on(anchor, around.not_before), AnchorFrom::Known, now.utc);
            }
            Some(anchor) if may_reach(anchor, feed_ms, around.not_before) => {
                let (newest_ms, since, events) = (feed_ms, now.up_ms, VecDeque::new());
                self.place = Place::Doubted { anchor, feed_ms, newest_ms, arrived, since, events, len: 0 };
            }
            _ => self.unknown(feed_ms, arrived, VecDeque::new(), now, around),
        }
    }

    /// Tells another run of an encoder from one that sends again what it had kept: that comes faster than time passes. `over`:
    /// there is no time left to see it.
    fn decide(&mut self, over: bool, now: Moment, around: &Around<'_>) {
        let Place::Doubted { anchor, feed_ms, newest_ms, since, .. } = self.place else { return };
        let passed = i64::try_from(now.ms_since(since)).unwrap_or(i64::MAX);
        let again = newest_ms.saturating_sub(feed_ms) >= passed.saturating_add(BEGIN_MS as i64);
        if !again && !over {
            return;
        }
        let Place::Doubted { arrived, events, .. } = core::mem::replace(&mut self.place, Place::New) else {
            return;
        };
        if again {
            self.place = Place::Waiting { feed_ms, arrived, since, events, len: 0 };
            self.begin(Timeline::on(anchor, around.not_before), AnchorFrom::Known, now.utc);
        } else {
            self.unknown(feed_ms, arrived, events, now, around);
        }
    }

    /// No anchor is known for a feed that begins at `feed_ms`.
    fn unknown(
        &mut self,
        feed_ms: i64,
        arrived: UtcMs,
        events: VecDeque<FeedEvent>,
        now: Moment,
        around: &Around<'_>,
    ) {
        let len = events.iter().map(event_len).sum();
        self.place = Place::Waiting { feed_ms, arrived, since: now.up_ms, events, len };
        if around.ask {
            self.wants.push_back(Want::Ask { feed_ms, arrived });
        } else {
            let anchor = Anchor { feed_ms, utc: arrived };
            let by_encoder = self.captured(feed_ms, now.utc).1;
            let from = if by_encoder { AnchorFrom::Captured } else { AnchorFrom::Arrival };
            self.begin(Timeline::new(anchor, around.anew), from, now.utc);
        }
    }

    /// The timestamps have a place; what waited for it goes there.
    fn begin(&mut self, timeline: Timeline, from: AnchorFrom, now: UtcMs) {
        self.wants.push_back(Want::Anchored { anchor: timeline.anchor(), from });
        if let Place::Waiting { events, .. } =
            core::mem::replace(&mut self.place, Place::On(Box::new(timeline)))
        {
            for event in events {
                self.place_event(event, now);
            }
        }
    }

    /// The encoder has ended the publish: nothing more comes that would tell where its last frame belongs.
    pub(super) fn finish(&mut self) {
        if let Place::On(timeline) = &mut self.place {
            timeline.finish();
            self.take_placed();
        }
    }

    fn take_placed(&mut self) {
        let Place::On(timeline) = &mut self.place else { return };
        while let Some(event) = timeline.poll() {
            self.items.push_back(match event {
                timeline::Event::Sample(sample) => Item::Sample(sample),
                timeline::Event::Jumped(anchor) => Item::Jumped(anchor),
            });
        }
    }

    fn place_event(&mut self, event: FeedEvent, now: UtcMs) {
        match event {
            FeedEvent::Video(config) => {
                self.tracks.video = Some(config);
                self.items.push_back(Item::Tracks(self.tracks.clone()));
            }
            FeedEvent::Audio(config) => {
                self.tracks.audio = Some(config);
                self.items.push_back(Item::Tracks(self.tracks.clone()));
            }
            FeedEvent::Frame(frame) => {
                // Where its clock jumps, this is what it gets its new anchor from.
                let (now, _) = self.captured(frame.dts_ms, now);
                let Place::On(timeline) = &mut self.place else { return };
                timeline.handle(frame, now);
                self.take_placed();
            }
            FeedEvent::Splice(FeedSplice { at_ms, section }) => {
                if let Place::On(timeline) = &self.place
                    && let Some(at) = timeline.media(Kind::Video, at_ms)
                {
                    self.items.push_back(Item::Splice { at, section });
                }
            }
            FeedEvent::Further { track, event } => self.place_further(track, *event),
            FeedEvent::Language { track, language } => self.items.push_back(Item::Language(track, language)),
            FeedEvent::Captured(_) => {}
        }
    }

    fn place_further(&mut self, track: u8, event: FeedEvent) {
        let further = match event {
            FeedEvent::Audio(config) => Further::Audio(config),
            FeedEvent::Video(config) => Further::Video(config),
            FeedEvent::Frame(frame) => {
                let Place::On(timeline) = &mut self.place else { return };
                let samples = timeline.beside(track, frame).into_iter().map(Further::Sample);
                return self.items.extend(samples.map(|sample| Item::Further(track, sample)));
            }
            _ => return,
        };
        self.items.push_back(Item::Further(track, further));
    }

    /// The parameters of what comes next.
    pub(super) fn told(&mut self, tracks: Tracks) {
        let held = &mut self.held;
        // Sound that is announced a moment after the first picture changes nothing of what is held.
        let other = held.tracks.video != tracks.video
            || (held.tracks.audio.is_some() && held.tracks.audio != tracks.audio);
        if other {
            self.drop_held();
        } else {
            held.tracks = tracks.clone();
        }
        self.told = tracks;
    }

    pub(super) fn drop_held(&mut self) {
        self.held = Held::default();
    }

    /// Notes where a sample lies, whether the feed is in use or not.
    pub(super) fn note(&mut self, sample: &Sample) {
        self.newest = self.newest.max(Some(sample.dts));
        if self.begins(sample) {
            self.interval = self.last_key.map(|last| sample.dts.0.saturating_sub(last.0));
            self.last_key = Some(sample.dts);
        }
    }

    /// Whether decoding can begin at this sample.
    pub(super) fn begins(&self, sample: &Sample) -> bool {
        sample.key && (sample.kind == Kind::Video || self.told.video.is_none())
    }

    /// Keeps a sample of a feed that is not in use. `wanted`: the key frame that is held is one to begin at, as far as can
    /// be told now, so that the samples of a later one do not take its place. But no more than `span_ms` are kept for it.
    pub(super) fn hold(&mut self, sample: Sample, wanted: bool, span_ms: u64) {
        let begins = self.begins(&sample);
        let held = &mut self.held;
        held.len += sample.data.len();
        let (kept, dts) = (held.kept, sample.dts);
        held.samples.push_back(sample);
        if begins {
            held.starts += 1;
            if !kept && !wanted {
                self.begin_at(self.held.samples.len() - 1);
            } else if !kept {
                self.shorten(dts, span_ms);
            }
        }
        if self.held.len > HELD_LEN_MAX || self.held.samples.len() > HELD_SAMPLES_MAX {
            self.drop_held();
        }
    }

    /// Gives up key frames that lie too long before this time.
    fn shorten(&mut self, dts: MediaTime, span_ms: u64) {
        let from = dts.0.saturating_sub(span_ms.saturating_mul(TICKS));
        let near = self.starts().find(|(_, sample)| sample.dts.0 >= from);
        if let Some((at, _)) = near.filter(|(at, _)| *at > 0) {
            self.begin_at(at);
        }
    }

    /// The key frames that are held, and their places.
    pub(super) fn starts(&self) -> impl Iterator<Item = (usize, &Sample)> {
        let starts = self.held.samples.iter().enumerate().filter(|(_, sample)| self.begins(sample));
        starts.take(self.held.starts)
    }

    /// What is held begins with the key frame at this place; of what came before, only sound that may belong to it stays.
    pub(super) fn begin_at(&mut self, at: usize) {
        let held = &mut self.held;
        let rest = held.samples.split_off(at.min(held.samples.len()));
        let mut before = core::mem::replace(&mut held.samples, rest);
        let Some(start) = held.samples.pop_front() else { return };
        let from = start.dts.0.saturating_sub(AUDIO_BEFORE);
        before.retain(|old| old.kind == Kind::Audio && start.kind == Kind::Video && old.dts.0 >= from);
        for sample in before.into_iter().rev() {
            held.samples.push_front(sample);
        }
        held.samples.push_front(start);
        held.len = held.samples.iter().map(|sample| sample.data.len()).sum();
        held.tracks = self.told.clone();
        let starts = self.held.samples.iter().filter(|sample| self.begins(sample)).count();
        self.held.starts = starts;
    }

    /// The key frame at which this feed could be begun.
    pub(super) fn start(&self) -> Option<&Sample> {
        self.held.samples.front().filter(|sample| self.begins(sample))
    }
}

/// How near to where an anchor's feed began another publish must begin to be, perhaps, a new run of its encoder, in milliseconds.
const BEGIN_MS: u64 = 1_000;

/// For how long what such a publish brings is looked at, in milliseconds.
const DOUBT_MS: u64 = 500;

/// Whether a feed on this anchor gets past what was cut already, soon. It does not where a wall clock was ahead for a while, nor
/// where the encoder was started again and its timestamps with it: all that the feed brings would be left out for as long as
/// that was. One that goes on and sends again what it had kept does.
pub(super) fn reaches(anchor: Anchor, feed_ms: i64, not_before: MediaTime) -> bool {
    let begins = feed_ms.abs_diff(anchor.feed_ms) < BEGIN_MS;
    reaches_within(anchor, feed_ms, not_before, if begins { BEGIN_MS as i64 } else { LATE_MS_MAX as i64 })
}

/// Whether it does where it sends again what it had kept from its very beginning.
fn may_reach(anchor: Anchor, feed_ms: i64, not_before: MediaTime) -> bool {
    reaches_within(anchor, feed_ms, not_before, LATE_MS_MAX as i64)
}

fn reaches_within(anchor: Anchor, feed_ms: i64, not_before: MediaTime, late_ms: i64) -> bool {
    anchor.media(feed_ms).is_some_and(|media| media + MediaSpan::from_ms(late_ms) >= not_before)
}

fn event_len(event: &FeedEvent) -> usize {
    // A frame without data takes room, too.
    const ROOM: usize = 128;
    match event {
        FeedEvent::Frame(frame) => frame.data.len() + ROOM,
        FeedEvent::Further { event, .. } => event_len(event),
        _ => ROOM,
    }
}
