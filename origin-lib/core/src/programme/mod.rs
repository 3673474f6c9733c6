//! Which of a channel's feeds is used: the switch between its primary and its backup, and the walk from their frames to
//! objects.
//!
//! A programme lives as long as its channel. Each feed's publishes have a timeline of their own; the samples of one feed go
//! on to the one [`Packager`], those of the other wait, from its first key frame that lies behind what was used on (or its
//! newest where none does), until they are needed:
//!
//! - The feed in use stalls (no video for `stall_ms`) or its publish ends: the other takes over at its first key frame
//!   that lies behind what was used, which may be one that waits already. That is within one of its key frame intervals.
//! - The primary has been steady for `steady_ms` again: it takes over at one of its key frames. The backup goes on up to
//!   there. Where the primary comes later than the backup, the backup's samples from the expected key frame on wait for
//!   it, [`LAG_MS_MAX`] at most, so that nothing is lost; a primary that lies further behind gets a new anchor.
//!
//! Media time never goes back. A switch is a discontinuity, except between feeds of the same parameters whose media time
//! goes on ([`GAP_MS_MAX`]). Time-outs count on [`Moment::up_ms`], so that nobody causes a switch by setting the clock.
//!
//! ```
//! # use railbird_core::{keys::MasterSecret, media::Role, package, programme::*, time::{Moment, UtcMs}};
//! let package = package::Settings {
//!     channel: "table-1".parse()?, rendition: "source".parse()?, segment_ms: 2000, part_ms: None, frames: false,
//!     key_period_s: 3600, secret: MasterSecret::new(b"sixteen bytes or more")?,
//! };
//! let mut programme = Programme::new(Settings::new(package), Resume::default());
//! let now = Moment { utc: UtcMs(1_795_171_920_000), up_ms: 0 };
//! let publish = programme.begin(Role::Primary, now);
//! // programme.handle(publish, event, now) for each of the demultiplexer's events, then:
//! while let Some(output) = programme.poll() {
//!     if let Output::Object(object) = output {
//!         println!("{}", object.name);
//!     }
//! }
//! programme.end(publish, End::InOrder, now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod beside;
mod feed;
mod output;
mod short;
mod switch;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use feed::{Around, Feed, Item, Want};
pub use output::{AnchorFrom, Note, Output, Passed, Reason};
use short::Short;
use switch::{Open, Tail};

use crate::id::RenditionId;
use crate::media::{AudioConfig, FeedEvent, Kind, Role, Tracks};
use crate::package::{self, Packager};
use crate::scte35::Splice;
use crate::segment::{self, Input};
use crate::sound::Voice;
use crate::time::{MediaTime, Moment};
use crate::timeline::{self, Anchor, Anchors};

/// Without video for this long, a feed has stalled, unless configured otherwise.
pub const STALL_MS: u64 = 1_000;

/// A primary that comes without a stall for this long is used again, unless configured otherwise.
pub const STEADY_MS: u64 = 10_000;

/// The most bytes of a feed that waits to be used; beyond, it waits for its next key frame.
pub const HELD_LEN_MAX: usize = 32 << 20;

/// The most samples of a feed that waits to be used.
pub const HELD_SAMPLES_MAX: usize = 8192;

/// How long a publish's first frames wait for the anchor that others may know.
pub const ANCHOR_MS_MAX: u64 = 2_000;

/// The most bytes that wait for an anchor.
pub const WAITING_LEN_MAX: usize = 16 << 20;

/// How far the feed that takes over may lie behind the one in use.
pub const LAG_MS_MAX: u64 = 3_000;

/// The largest hole between two feeds that is no discontinuity, beyond the duration of a frame.
pub const GAP_MS_MAX: u64 = 100;

/// How long what is open waits, after the end of the feed in use, for a key frame of the other, and after a loss for the
/// feed itself.
pub const OPEN_MS_MAX: u64 = 10_000;

/// What a frame is taken to last where nothing tells, in 1/90000 s.
const STEP: u64 = 3_000;

const TICKS: u64 = 90;

/// What a programme needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its objects are made with.
    pub package: package::Settings,
    /// Without video for this long, in milliseconds, a feed has stalled.
    pub stall_ms: u64,
    /// For how long the primary must have been well to be used again, in milliseconds.
    pub steady_ms: u64,
    /// Another origin takes the same feeds: ask for an anchor that is not known here ([`Output::Ask`]), and let what an end
    /// or a stall cuts short come out after the whole that the other one may have.
    pub ask: bool,
    /// Give out the samples as they are used ([`Output::Passed`]).
    pub tap: bool,
    /// Make a rung of the sound alone as well, of this name.
    pub sound: Option<RenditionId>,
    /// Make a rung of each of these sound tracks, and leave sound out of the source; none: the first one is muxed.
    pub voices: Vec<Voice>,
    /// Make a rung of each of these tracks of pictures as well: its number among the feed's, and the rung's name.
    pub views: Vec<(u8, RenditionId)>,
    /// Pictures of a channel that never had sound have a silent track beside them. One that had sound keeps its track in any case.
    pub silence: bool,
    /// Give out each segment as it was cut as well ([`Output::Cut`]), for who makes further rungs of it.
    pub cuts: bool,
}

impl Settings {
    /// The defaults: an origin alone, nobody who taps.
    pub fn new(package: package::Settings) -> Settings {
        Settings {
            package,
            stall_ms: STALL_MS,
            steady_ms: STEADY_MS,
            ask: false,
            tap: false,
            sound: None,
            voices: Vec::new(),
            views: Vec::new(),
            silence: false,
            cuts: false,
        }
    }
}

/// What is known from before a restart.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// Up to where the channel's media was cut.
    pub not_before: MediaTime,
    /// The feeds' anchors, the newest last.
    pub anchors: Vec<(Role, Anchor)>,
}

/// One publish of a feed: which connection an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publish(pub(crate) u64);

/// How a publish goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its encoder said so.
    InOrder,
    /// It broke off: its encoder may come back and send again what it kept.
    Lost,
}

/// One channel's feeds, and what is made of them. See the [module](self).
#[derive(Debug)]
pub struct Programme {
    settings: Settings,
    packager: Packager,
    feeds: [Option<Feed>; 2],
    anchors: [Anchors; 2],
    publishes: u64,
    /// The feed in use, and the one that was before nothing was.
    used: Option<Role>,
    last: Option<Role>,
    /// The parameters of the feed in use.
    tracks: Arc<Tracks>,
    /// No feed is in use, and what is open waits for one.
    open: Option<Open>,
    /// What is open can be gone on with.
    run: bool,
    /// The newest decoding times that were used, of video and audio.
    tips: [Option<MediaTime>; 2],
    /// The newest decoding times that were given out as [`Output::Passed`]. What was dropped may come again; not to them.
    passed: [Option<MediaTime>; 2],
    /// The latest presentation time that was used.
    shown: Option<MediaTime>,
    /// The newest key frame is the one at which the feed in use was begun in the place of another.
    begun: bool,
    /// What the newest frame is taken to last.
    step: u64,
    tail: Option<Tail>,
    /// It was told that there is silence in the place of sound.
    silent: bool,
    /// What was cut short beside another origin, and what waits behind it.
    short: Option<Short>,
    /// Since when the backup goes on to a key frame of the primary that is there already.
    returning: Option<u64>,
    /// No return to the primary is tried before.
    return_after: u64,
    /// Nothing more is made.
    stopped: bool,
    outputs: VecDeque<Output>,
}

fn slot(role: Role) -> usize {
    match role {
        Role::Primary => 0,
        Role::Backup => 1,
    }
}

fn track(kind: Kind) -> usize {
    match kind {
        Kind::Video => 0,
        Kind::Audio => 1,
    }
}

impl Programme {
    /// A programme that goes on behind what is known from before.
    pub fn new(settings: Settings, resume: Resume) -> Programme {
        let mut anchors = [Anchors::default(), Anchors::default()];
        for (role, anchor) in resume.anchors {
            if let Some(anchors) = anchors.get_mut(slot(role)) {
                anchors.note(anchor);
            }
        }
        let mut packager = Packager::new(settings.package.clone(), resume.not_before);
        if let Some(sound) = &settings.sound {
            packager = packager.with_sound(sound.clone());
        }
        if !settings.voices.is_empty() {
            packager = packager.with_voices(settings.voices.clone());
        }
        if !settings.views.is_empty() {
            packager = packager.with_views(settings.views.clone());
        }
        if settings.silence {
            packager = packager.with_silence();
        }
        if settings.cuts {
            packager = packager.with_cuts();
        }
        Programme {
            packager,
            settings,
            feeds: [None, None],
            anchors,
            publishes: 0,
            used: None,
            last: None,
            tracks: Arc::default(),
            open: None,
            run: false,
            tips: [None; 2],
            passed: [None; 2],
            shown: None,
            begun: false,
            step: STEP,
            tail: None,
            silent: false,
            short: None,
            returning: None,
            return_after: 0,
            stopped: false,
            outputs: VecDeque::new(),
        }
    }

    /// A feed is published from now on. A publish of the same feed that still goes on has ended: its connection may be
    /// dead without knowing it, and what it brings from now on is not used.
    pub fn begin(&mut self, role: Role, now: Moment) -> Publish {
        self.leave(role, End::Lost, now);
        self.publishes += 1;
        let publish = Publish(self.publishes);
        if self.stopped {
            return publish;
        }
        self.feeds[slot(role)] = Some(Feed::new(publish, now));
        self.decide(now);
        self.collect();
        publish
    }

    /// Takes what a demultiplexer told of a publish, at the time when it arrived.
    pub fn handle(&mut self, publish: Publish, event: FeedEvent, now: Moment) {
        self.with(publish, now, |feed, around| feed.handle(event, now, around));
    }

    /// Answers [`Output::Ask`]: the anchor to use, or that nobody told one in time.
    pub fn answer(&mut self, publish: Publish, anchor: Option<(Anchor, AnchorFrom)>, now: Moment) {
        self.with(publish, now, |feed, around| feed.answer(anchor, now, around));
    }

    /// A publish is over. Where its encoder ended it, what is open becomes a last segment, unless the channel's other feed may
    /// go on with it. Where it was lost, what is open waits ([`OPEN_MS_MAX`]): if the encoder comes back and sends again what
    /// it kept, it goes on as if nothing had been. An origin alone makes a last segment of it as soon as the encoder comes
    /// back with something else. Beside another origin, which the encoder may still send to (an encoder may end one of its
    /// outputs, a relay may be stopped for one), what is open always waits, and becomes a last segment late, so that the whole
    /// that the other one may have got comes first.
    pub fn end(&mut self, publish: Publish, end: End, now: Moment) {
        if let Some(role) = self.role_of(publish) {
            self.with(publish, now, |feed, around| {
                feed.give_up_waiting(now, around);
                if end == End::InOrder {
                    feed.finish();
                }
            });
            self.leave(role, end, now);
            self.decide(now);
            self.collect();
        }
    }

    /// This origin stops while another one goes on with the same feeds: every publish has ended, and what is open of a feed
    /// that still comes becomes nothing. Cut here, it would be another object of the name that the other one gives to the
    /// whole segment (DESIGN.md, invariant 3). What waits while no feed comes, comes out: the other one may have none
    /// either. Nothing is made any more, whatever comes.
    pub fn stop(&mut self) {
        self.stopped = true;
        if self.used.is_some() || self.is_live() {
            self.packager.abandon();
            self.open = None;
        }
        (self.feeds, self.used, self.tail) = ([None, None], None, None);
        self.give_up_waiting();
        self.run = false;
    }

    /// Before a restart, the channel had this sound ([`Packager::had_sound`]).
    pub fn had_sound(&mut self, config: &AudioConfig) {
        self.packager.had_sound(config);
    }

    /// What playlists promise from now on of how long segments are, in seconds; `None` as long as there are none.
    pub fn set_target(&mut self, target_s: Option<u32>) {
        self.packager.set_target(target_s);
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether this publish goes on: it has not ended, and none of the same feed has begun since.
    pub fn is_current(&self, publish: Publish) -> bool {
        self.role_of(publish).is_some()
    }

    /// Whether any feed is published.
    pub fn is_live(&self) -> bool {
        self.feeds.iter().any(Option::is_some)
    }

    /// The feed in use.
    pub fn used(&self) -> Option<Role> {
        self.used
    }

    /// Whether the channel had sound, and the feed in use has none now.
    pub fn is_silent(&self) -> bool {
        self.silent && self.used.is_some()
    }

    /// What a publish that goes on left out so far.
    pub fn counts(&self, publish: Publish) -> timeline::Counts {
        let feed = self.feeds.iter().flatten().find(|feed| feed.publish == publish);
        feed.map(Feed::counts).unwrap_or_default()
    }

    /// What the segmenter left out so far, of all publishes.
    pub fn segment_counts(&self) -> segment::Counts {
        self.packager.counts()
    }

    /// What goes into segments beside the media from now on ([`Packager::set_events`]).
    pub fn set_events(&mut self, events: Vec<crate::fmp4::Event>) {
        self.packager.set_events(events);
    }

    fn role_of(&self, publish: Publish) -> Option<Role> {
        Role::ALL.into_iter().find(|role| self.feed(*role).is_some_and(|feed| feed.publish == publish))
    }

    fn feed(&self, role: Role) -> Option<&Feed> {
        self.feeds[slot(role)].as_ref()
    }

    /// Lets a feed act, then does what follows.
    fn with(&mut self, publish: Publish, now: Moment, act: impl FnOnce(&mut Feed, &Around<'_>)) {
        let Some(role) = self.role_of(publish) else { return };
        let behind = self.tip().map_or(MediaTime::default(), |tip| MediaTime(tip.0.saturating_add(1)));
        let (from, behind) = (self.packager.from(), self.packager.end().max(behind));
        let around = Around {
            anchors: &self.anchors[slot(role)],
            not_before: from,
            behind,
            anew: if self.used.is_none() { behind } else { from },
            stall_ms: self.settings.stall_ms,
            ask: self.settings.ask,
            wait_ms: ANCHOR_MS_MAX,
        };
        let Some(feed) = &mut self.feeds[slot(role)] else { return };
        act(feed, &around);
        while let Some(want) = self.feeds[slot(role)].as_mut().and_then(|feed| feed.wants.pop_front()) {
            self.want(publish, role, want);
        }
        while let Some(item) = self.feeds[slot(role)].as_mut().and_then(|feed| feed.items.pop_front()) {
            self.item(role, item, now);
            // Before the next key frame takes the place of one that is waited for.
            self.decide(now);
        }
        self.decide(now);
        self.collect();
    }

    fn want(&mut self, publish: Publish, role: Role, want: Want) {
        match want {
            Want::Ask { feed_ms, arrived } => {
                self.outputs.push_back(Output::Ask { publish, role, feed_ms, arrived });
            }
            Want::Anchored { anchor, from } => self.anchored(role, anchor, from),
        }
    }

    fn anchored(&mut self, role: Role, anchor: Anchor, from: AnchorFrom) {
        self.anchors[slot(role)].note(anchor);
        self.outputs.push_back(Output::Anchored { role, anchor, from });
    }

    fn item(&mut self, role: Role, item: Item, now: Moment) {
        let used = self.used == Some(role);
        match item {
            Item::Tracks(tracks) => {
                if let Some(feed) = &mut self.feeds[slot(role)] {
                    feed.told(tracks.clone());
                }
                if used {
                    self.set_tracks(tracks);
                }
            }
            Item::Jumped(anchor) => {
                if self.anchors[slot(role)].newest() == Some(anchor) {
                    self.outputs.push_back(Output::Note(Note::Paused(role)));
                } else {
                    self.anchored(role, anchor, AnchorFrom::Jump);
                }
                if used {
                    self.flush_tail();
                    self.packager.handle(Input::Discontinuity);
                } else if let Some(feed) = &mut self.feeds[slot(role)] {
                    feed.drop_held();
                }
            }
            // Encoders say it again, so that the other feed's is not kept.
            Item::Splice { at, section } if used => {
                let said = self.tip().unwrap_or(at);
                self.packager.splice(Splice { said, at, section });
            }
            Item::Splice { .. } => {}
            Item::Further(track, further) => {
                let Some(feed) = &mut self.feeds[slot(role)] else { return };
                feed.beside.take(track, further, used.then_some(&mut self.packager));
            }
            Item::Language(track, language) => {
                if let Some(feed) = &mut self.feeds[slot(role)] {
                    feed.beside.language(track, language.clone());
                }
                if used {
                    self.packager.language(track, language);
                }
            }
            Item::Sample(sample) => {
                let wanted = !used && self.is_startable(role);
                if let Some(feed) = &mut self.feeds[slot(role)] {
                    feed.note(&sample);
                    if !used {
                        return feed.hold(sample, wanted, self.settings.stall_ms.saturating_add(LAG_MS_MAX));
                    }
                }
                self.pass(sample, now);
            }
        }
    }
}
