//! A channel as its feeds see it: the programme that they go through, and where what it makes goes.

mod all;
mod scored;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use all::Channels;
use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::keys::MasterSecret;
use railbird_core::media::{AudioConfig, FeedEvent, Kind as Track, Role};
use railbird_core::package::{self, Kind, Object};
use railbird_core::programme::{
    AnchorFrom, End, Note, Output as Made, Passed, Programme, Publish, Resume, Settings,
};
use railbird_core::state::Phase;
use railbird_core::time::MediaTime;
use railbird_core::timeline::{self, Anchor};
use scored::Scored;
use tokio::sync::mpsc::error::TrySendError;

use super::anchor::Pair;
use super::companion::Companion;
use super::refused::Refused;
use super::registry::FeedId;
use super::sink::Sink;
use crate::clock;
use crate::config::{self, SOUND};
use crate::driver::{self, Message, Promise, Sender};
use crate::ladder::{Ladder, Ladders};
use crate::spool::Spool;
use crate::telemetry::{FeedMetrics, Metrics};

/// Where what all feeds become goes.
#[derive(Clone)]
pub struct Output {
    /// The disk.
    pub spool: Spool,
    /// The desk.
    pub desk: Sender,
    /// Where content keys come from.
    pub secret: MasterSecret,
    /// Where figures are kept.
    pub metrics: Metrics,
    /// The channels' ladders.
    pub ladders: Ladders,
    /// The other origin, where there is one.
    pub pair: Option<Arc<Pair>>,
    /// What playlists promise of each channel's segments.
    pub promises: BTreeMap<ChannelId, Promise>,
    /// Which sound each channel had before a restart.
    pub sounds: BTreeMap<ChannelId, AudioConfig>,
    /// Takes each anchor that comes into use, to be given back after a restart. It must not wait.
    pub anchored: Anchored,
}

/// Takes an anchor that comes into use.
pub type Anchored = Arc<dyn Fn(&ChannelId, Role, Anchor) + Send + Sync>;

/// Takes each sample of a channel that is used. It must not wait.
pub type Tap = Arc<dyn Fn(&Passed) + Send + Sync>;

/// What is said where there is a picture and no sound any more.
const SILENT: &str = "its feed has no sound any more: silence in its place";

/// What is said where an origin of a pair made an anchor that the other one may not have.
const APART: &str = "timeline anchored without the other origin: until the encoder reconnects, the two may name their segments differently";

/// One channel.
pub struct Channel {
    id: ChannelId,
    output: Output,
    segment_ms: u32,
    target_s: Option<u32>,
    promise: Promise,
    low_latency: bool,
    /// The numbers of its further sound tracks.
    sounds: Vec<u8>,
    /// The numbers of its further tracks of pictures.
    pictures: Vec<u8>,
    /// The rungs whose newest segment is a gap.
    lacking: Mutex<BTreeSet<RenditionId>>,
    metrics: BTreeMap<Role, FeedMetrics>,
    taps: Vec<Tap>,
    ladder: Option<Arc<Ladder>>,
    /// The renditions that have feeds of their own.
    companions: Vec<Arc<Companion>>,
    refused: Refused,
    /// The feed in use has no sound any more.
    silent: AtomicBool,
    /// The feeds whose tables name a picture that never came.
    pictureless: Mutex<BTreeSet<Role>>,
    /// The anchor that each feed is on.
    anchors: Mutex<BTreeMap<Role, Anchor>>,
    inner: Mutex<Inner>,
}

struct Inner {
    programme: Programme,
    /// What the desk was told last.
    live: bool,
    /// The desk's queue was full: a task waits for room to tell it.
    telling: bool,
    /// The spool refuses objects: said once, until it takes one again.
    behind: bool,
    /// A task waits for the programme's deadline.
    waiting: bool,
    scored: Option<Scored>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Channel {
    fn new(
        channel: &config::Channel,
        output: Output,
        resume: Resume,
        mut taps: Vec<Tap>,
        mut scored: Option<Scored>,
    ) -> Channel {
        let ladder = output.ladders.get(&channel.id);
        taps.extend(ladder.iter().map(|ladder| ladder.tap()));
        // What there is already counts, too.
        scored.iter_mut().for_each(Scored::mark_changed);
        let package = package::Settings {
            channel: channel.id.clone(),
            rendition: channel.source.clone(),
            segment_ms: channel.segment_ms,
            part_ms: channel.part_ms,
            frames: channel.iframes,
            key_period_s: channel.key_period_s,
            secret: output.secret.clone(),
        };
        let settings = Settings {
            package,
            stall_ms: u64::from(channel.stall_ms),
            steady_ms: u64::from(channel.steady_ms),
            ask: output.pair.is_some(),
            tap: !taps.is_empty(),
            // With several sound tracks, the first one is a rendition by itself.
            sound: (channel.audio_only && channel.voices.is_empty()).then(|| SOUND.parse().ok()).flatten(),
            voices: channel.voices.clone(),
            views: channel.views.clone(),
            silence: channel.silence,
            cuts: ladder.is_some() || !channel.companions.is_empty(),
        };
        let companions = channel.companions.iter().map(|companion| {
            let way = (output.spool.clone(), output.desk.clone());
            Arc::new(Companion::new(channel, companion, &settings.package, &output.metrics, way))
        });
        let companions = companions.collect();
        let roles = channel.feeds.iter().map(|feed| feed.role);
        let metrics = roles.map(|role| (role, output.metrics.feed(&channel.id, role))).collect();
        let mut programme = Programme::new(settings, resume);
        if let Some(sound) = output.sounds.get(&channel.id) {
            programme.had_sound(sound);
        }
        let inner = Mutex::new(Inner {
            programme,
            live: false,
            telling: false,
            behind: false,
            waiting: false,
            scored,
        });
        let promise = output.promises.get(&channel.id).cloned().unwrap_or_default();
        Channel {
            id: channel.id.clone(),
            output,
            promise,
            segment_ms: channel.segment_ms,
            target_s: channel.target_s,
            low_latency: channel.part_ms.is_some(),
            sounds: channel.voices.iter().map(|voice| voice.track).filter(|track| *track > 0).collect(),
            pictures: channel.views.iter().map(|(track, _)| *track).collect(),
            lacking: Mutex::default(),
            metrics,
            taps,
            ladder,
            companions,
            refused: Refused::default(),
            silent: AtomicBool::default(),
            pictureless: Mutex::default(),
            anchors: Mutex::default(),
            inner,
        }
    }

    /// The figures of one of its feeds.
    pub fn metrics(&self, role: Role) -> FeedMetrics {
        let new = || self.output.metrics.feed(&self.id, role);
        self.metrics.get(&role).cloned().unwrap_or_else(new)
    }

    /// A feed's encoder sends what can't be used: the feed "is refused: ...".
    pub fn complain(&self, role: Role, text: String) {
        self.refused.note(role, text);
    }

    /// A feed's encoder sends what can be used.
    pub fn accept(&self, role: Role) {
        self.refused.forget(role);
    }

    /// Whether this feed's tables named a picture that never came, when it was here last.
    pub fn is_pictureless(&self, role: Role) -> bool {
        self.pictureless.lock().unwrap_or_else(PoisonError::into_inner).contains(&role)
    }

    /// Notes that, for when the feed comes back.
    pub fn set_pictureless(&self, role: Role, lacked: bool) {
        let mut pictureless = self.pictureless.lock().unwrap_or_else(PoisonError::into_inner);
        if lacked {
            pictureless.insert(role);
        } else {
            pictureless.remove(&role);
        }
    }

    /// A feed of it is published from now on; `None` where it has no such feed.
    pub(super) fn begin_feed(self: &Arc<Self>, feed: &FeedId) -> Option<Sink> {
        let role = feed.role;
        let Some(rendition) = &feed.rendition else {
            return Some(Sink::Source(self.clone(), role, self.begin(role)));
        };
        let companion = self.companions.iter().find(|companion| companion.rendition() == rendition)?;
        Some(Sink::Companion(companion.clone(), role, companion.begin(role)))
    }

    /// Lets the renditions that have feeds of their own see what comes of the source's: by that they know where theirs belong.
    pub(super) fn show_companions(&self, role: Role, event: &FeedEvent) {
        for companion in &self.companions {
            match event {
                FeedEvent::Frame(frame) if frame.kind == Track::Video => {
                    companion.source_arrived(role, frame.dts_ms.saturating_add(i64::from(frame.cts) / 90));
                }
                FeedEvent::Captured(captured) => companion.source_captured(role, *captured),
                _ => {}
            }
        }
    }

    /// A feed is published from now on.
    pub fn begin(self: &Arc<Self>, role: Role) -> Publish {
        self.with(|programme| programme.begin(role, clock::moment()))
    }

    /// Takes an event of a publish.
    pub fn handle(self: &Arc<Self>, publish: Publish, event: FeedEvent) {
        self.with(|programme| programme.handle(publish, event, clock::moment()));
    }

    /// Where this timestamp of a feed lies; `None` before the feed has an anchor.
    pub fn media(&self, role: Role, feed_ms: i64) -> Option<MediaTime> {
        let anchor = self.anchors.lock().unwrap_or_else(PoisonError::into_inner).get(&role).copied();
        anchor?.media(feed_ms)
    }

    /// Segment duration, in milliseconds.
    pub fn segment_ms(&self) -> u32 {
        self.segment_ms
    }

    /// Whether its segments are cut into parts, for viewers who wait for each.
    pub fn is_low_latency(&self) -> bool {
        self.low_latency
    }

    /// The numbers of the further sound tracks that it wants of its feeds.
    pub fn sounds(&self) -> &[u8] {
        &self.sounds
    }

    /// The numbers of the further tracks of pictures that it wants of its feeds.
    pub fn pictures(&self) -> &[u8] {
        &self.pictures
    }

    /// A publish is over, in this way. What was left out of it.
    pub fn end(self: &Arc<Self>, publish: Publish, end: End) -> timeline::Counts {
        self.with(|programme| {
            let counts = programme.counts(publish);
            programme.end(publish, end, clock::moment());
            // Where what is open waits for the feed, ffmpeg waits with it: then it goes on as if nothing had been.
            let over = end == End::InOrder && !programme.is_live() && programme.deadline().is_none();
            if let Some(ladder) = self.ladder.as_ref().filter(|_| over) {
                ladder.hurry();
            }
            counts
        })
    }

    /// Lets the programme act, and hands over what follows. Objects stay in order, because the lock is held: nothing here
    /// waits.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut Programme) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.score();
        // The other origin of a pair may have promised something else, and must cut the same.
        let promised = self.promise.target_s().filter(|_| self.output.pair.is_none());
        inner.programme.set_target(promised.or(self.target_s));
        let answer = act(&mut inner.programme);
        while let Some(made) = inner.programme.poll() {
            match made {
                Made::Object(object) => self.write(&mut inner, object),
                Made::Passed(passed) => self.taps.iter().for_each(|tap| tap(&passed)),
                Made::Cut(cut) => {
                    self.ladder.iter().for_each(|ladder| ladder.cut(&cut));
                    let used = inner.programme.used();
                    self.companions.iter().for_each(|companion| companion.source_cut(&cut, used));
                }
                Made::Lost(rung, start) => self.lost(rung, start),
                Made::Note(note) => self.note(note),
                Made::Anchored { role, anchor, from } => self.anchored(role, anchor, from),
                Made::Ask { publish, role, feed_ms, arrived } => {
                    self.ask(publish, role, Anchor { feed_ms, utc: arrived });
                }
            }
        }
        for (role, metrics) in &self.metrics {
            metrics.used(inner.programme.used() == Some(*role));
        }
        self.silent.store(inner.programme.is_silent(), Ordering::Relaxed);
        self.tell(&mut inner);
        self.wait(&mut inner);
        answer
    }

    /// Has the programme woken at its deadline, where there is one: it waits for a feed, and none may come.
    fn wait(self: &Arc<Self>, inner: &mut Inner) {
        let Some(due) = inner.programme.deadline().filter(|_| !inner.waiting) else { return };
        inner.waiting = true;
        let channel = self.clone();
        let after = Duration::from_millis(due.saturating_sub(clock::moment().up_ms));
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            channel.inner.lock().unwrap_or_else(PoisonError::into_inner).waiting = false;
            channel.with(|programme| programme.tick(clock::moment()));
        });
    }

    /// Asks the other origin for an anchor, and answers the programme when there is one, or none in time.
    fn ask(self: &Arc<Self>, publish: Publish, role: Role, mine: Anchor) {
        let Some(pair) = self.output.pair.clone() else { return };
        let channel = self.clone();
        tokio::spawn(async move {
            let found = pair.anchor(&channel.id, role, mine).await;
            channel.answer(publish, found.map(|anchor| (anchor, AnchorFrom::Others)));
        });
    }

    fn answer(self: &Arc<Self>, publish: Publish, anchor: Option<(Anchor, AnchorFrom)>) {
        self.with(|programme| programme.answer(publish, anchor, clock::moment()));
    }

    fn write(&self, inner: &mut Inner, object: Object) {
        let metrics = inner.programme.used().and_then(|role| self.metrics.get(&role));
        if let (Kind::Segment { .. }, Some(metrics)) =
            (&object.kind, metrics.or(self.metrics.values().next()))
        {
            metrics.segment();
        }
        if let Kind::Rung(rung, package::Rung::Segment { .. }) = &object.kind {
            self.lacking.lock().unwrap_or_else(PoisonError::into_inner).remove(rung);
        }
        let made = driver::Made { channel: self.id.clone(), object };
        if let Kind::Part(_) = made.object.kind {
            // A desk that has no room for it has more important things to do: viewers get the segment.
            drop(self.output.desk.try_send(Message::Part(Box::new(made))));
            return;
        }
        match self.output.spool.write(made) {
            Ok(()) => inner.behind = false,
            Err(error) => {
                if !std::mem::replace(&mut inner.behind, true) {
                    tracing::error!(channel = %self.id, %error, "segments are lost until the disk is faster");
                }
            }
        }
    }

    /// A further track has nothing in the place of a segment. Said once, until it has something again.
    fn lost(&self, rung: RenditionId, start: MediaTime) {
        let channel = &self.id;
        if self.lacking.lock().unwrap_or_else(PoisonError::into_inner).insert(rung.clone()) {
            let rendition = rung.as_str();
            tracing::warn!(%channel, rendition, "a further track has a gap: it lacks something, or its key frames are not where those of the first one are");
        }
        // Where there is no room, the gap is listed somewhat later.
        let _ = self.output.desk.try_send(Message::RungLost { channel: channel.clone(), rung, start });
    }

    fn note(&self, note: Note) {
        let channel = &self.id;
        match note {
            Note::Switched { from, to, reason, seamless } => {
                self.companions.iter().for_each(|companion| companion.source_switched(to));
                let (from, to) = (from.as_str(), to.as_str());
                tracing::warn!(%channel, from, to, %reason, seamless, "the other feed is used");
            }
            Note::Behind { role, ms } => {
                let feed = role.as_str();
                tracing::warn!(%channel, feed, ms, "the feed lies too far behind to be used: it gets a new anchor");
            }
            Note::Paused(role) => {
                let feed = role.as_str();
                tracing::warn!(%channel, feed, "the feed brought nothing for more than ten seconds: a discontinuity");
            }
            Note::Forced(bound) => tracing::warn!(%channel, "{bound}"),
            Note::Silent(true) => tracing::warn!(%channel, "{SILENT}"),
            Note::Silent(false) => tracing::info!(%channel, "its feed has sound again"),
        }
    }

    fn anchored(&self, role: Role, anchor: Anchor, from: AnchorFrom) {
        let (channel, feed, feed_ms, utc) = (&self.id, role.as_str(), anchor.feed_ms, anchor.utc);
        let is_new = matches!(from, AnchorFrom::Jump | AnchorFrom::Behind);
        if is_new && self.output.pair.is_some() {
            tracing::warn!(%channel, feed, "{APART}");
        }
        match from {
            AnchorFrom::Arrival | AnchorFrom::Behind => {
                tracing::info!(%channel, feed, feed_ms, %utc, "timeline anchored");
            }
            AnchorFrom::Captured => {
                tracing::info!(%channel, feed, feed_ms, %utc, "timeline anchored at the capture time that the encoder tells");
            }
            AnchorFrom::Known => {
                tracing::info!(%channel, feed, feed_ms, %utc, "the encoder's clock goes on: its anchor, too");
            }
            AnchorFrom::Others => {
                tracing::info!(%channel, feed, feed_ms, %utc, "timeline anchored, as at the other origin");
            }
            AnchorFrom::ArrivalAlone => {
                tracing::warn!(%channel, feed, feed_ms, %utc, "{APART}");
            }
            AnchorFrom::Jump => {
                tracing::warn!(%channel, feed, feed_ms, %utc, "the encoder's clock jumped: a discontinuity, and a new anchor");
            }
        }
        self.anchors.lock().unwrap_or_else(PoisonError::into_inner).insert(role, anchor);
        self.companions.iter().for_each(|companion| companion.source_anchored(role, anchor));
        (self.output.anchored)(channel, role, anchor);
    }

    /// Tells the desk where the channel stands, where it was told otherwise last.
    fn tell(self: &Arc<Self>, inner: &mut Inner) {
        if inner.telling || inner.programme.is_live() == inner.live {
            return;
        }
        let live = inner.programme.is_live();
        match self.output.desk.try_send(self.phase(live)) {
            Ok(()) => inner.live = live,
            Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::error!(channel = %self.id, "the desk is overloaded: viewers see an old state");
                inner.telling = true;
                tokio::spawn(self.clone().tell_later());
            }
        }
    }

    /// Waits for room, and tells what is so by then: after a feed's end, nothing else would.
    async fn tell_later(self: Arc<Self>) {
        let room = self.output.desk.reserve().await;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.telling = false;
        let live = inner.programme.is_live();
        // A desk that is gone needs to know nothing.
        if let Ok(room) = room
            && live != inner.live
        {
            room.send(self.phase(live));
            inner.live = live;
        }
    }

    fn phase(&self, live: bool) -> Message {
        Message::Phase { channel: self.id.clone(), phase: if live { Phase::Live } else { Phase::Waiting } }
    }
}
