//! A rendition whose pictures come by feeds of their own: what its feeds bring, put onto the source's cuts by
//! [`railbird_core::companion`].
//!
//! It has a lock of its own, under which nothing waits: the source only shows it where it was cut.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use railbird_core::companion::{self, By, NEAR_MS, Output, Standing};
use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::media::{Captured, Cut, FeedEvent, Role};
use railbird_core::package;
use railbird_core::programme::{End, Publish};
use railbird_core::time::MediaTime;
use railbird_core::timeline::{self, Anchor};

use super::refused::Refused;
use crate::clock;
use crate::config;
use crate::driver::{Made, Message, Sender};
use crate::spool::Spool;
use crate::telemetry::{FeedMetrics, Metrics, RenditionMetrics};

/// After a loss, `/healthz` names it for so long, in milliseconds.
const LOSS_SHOWN_MS: u64 = 30_000;

/// One such rendition.
pub(super) struct Companion {
    channel: ChannelId,
    rendition: RenditionId,
    segment_ms: u32,
    spool: Spool,
    desk: Sender,
    metrics: BTreeMap<Role, FeedMetrics>,
    all: Metrics,
    figures: RenditionMetrics,
    refused: Refused,
    /// When something of it was lost last, on the clock of [`railbird_core::time::Moment::up_ms`]; 0: never.
    lost_at: AtomicU64,
    /// Its newest segment is a gap.
    lacks: AtomicBool,
    inner: Mutex<companion::Companion>,
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companion").field("rendition", &self.rendition).finish_non_exhaustive()
    }
}

impl Companion {
    /// `package` is what the channel's source is made with.
    pub(super) fn new(
        channel: &config::Channel,
        companion: &config::Companion,
        package: &package::Settings,
        metrics: &Metrics,
        (spool, desk): (Spool, Sender),
    ) -> Companion {
        let rendition = companion.name.clone();
        let settings = package::Settings { rendition: rendition.clone(), ..package.clone() };
        let roles = companion.feeds.iter().map(|feed| feed.role);
        let of = |role| (role, metrics.feed_of(&channel.id, Some(&rendition), role));
        Companion {
            channel: channel.id.clone(),
            segment_ms: channel.segment_ms,
            spool,
            desk,
            metrics: roles.map(of).collect(),
            all: metrics.clone(),
            figures: metrics.rendition(&channel.id, &rendition),
            refused: Refused::default(),
            lost_at: AtomicU64::new(0),
            lacks: AtomicBool::new(false),
            inner: Mutex::new(companion::Companion::new(settings, u64::from(channel.stall_ms))),
            rendition,
        }
    }

    /// The rendition's name.
    pub(super) fn rendition(&self) -> &RenditionId {
        &self.rendition
    }

    pub(super) fn segment_ms(&self) -> u32 {
        self.segment_ms
    }

    pub(super) fn metrics(&self, role: Role) -> FeedMetrics {
        let new = || self.all.feed_of(&self.channel, Some(&self.rendition), role);
        self.metrics.get(&role).cloned().unwrap_or_else(new)
    }

    pub(super) fn complain(&self, role: Role, text: String) {
        self.refused.note(role, text);
    }

    pub(super) fn accept(&self, role: Role) {
        self.refused.forget(role);
    }

    /// A feed is published from now on.
    pub(super) fn begin(&self, role: Role) -> Publish {
        self.with(|companion| companion.begin(role, clock::moment()))
    }

    /// Takes an event of a publish.
    pub(super) fn handle(&self, publish: Publish, event: FeedEvent) {
        self.with(|companion| companion.handle(publish, event, clock::moment()));
    }

    /// A publish is over, in this way. What was left out of it.
    pub(super) fn end(&self, publish: Publish, end: End) -> timeline::Counts {
        self.with(|companion| {
            let counts = companion.counts(publish);
            companion.end(publish, end, clock::moment());
            counts
        })
    }

    /// Where this timestamp of a publish lies, as far as is known.
    pub(super) fn media(&self, publish: Publish, feed_ms: i64) -> Option<MediaTime> {
        self.with(|companion| companion.media(publish, feed_ms, clock::moment()))
    }

    /// A feed of the source is on this anchor from now on.
    pub(super) fn source_anchored(&self, role: Role, anchor: Anchor) {
        self.with(|companion| companion.source_anchored(role, anchor));
    }

    /// The source's feed of this role is in use from now on, in the place of another one.
    pub(super) fn source_switched(&self, to: Role) {
        self.with(|companion| companion.source_switched(to));
    }

    /// A picture of a feed of the source came, which is shown at this timestamp of it.
    pub(super) fn source_arrived(&self, role: Role, feed_ms: i64) {
        self.with(|companion| companion.source_arrived(role, feed_ms, clock::moment()));
    }

    /// A feed of the source says when it captured something.
    pub(super) fn source_captured(&self, role: Role, captured: Captured) {
        self.with(|companion| companion.source_captured(role, captured));
    }

    /// The source was cut, while its feed of this role was in use.
    pub(super) fn source_cut(&self, cut: &Cut, used: Option<Role>) {
        self.with(|companion| {
            let now = clock::moment();
            companion.source_cut(cut, used, now);
            for (role, metrics) in &self.metrics {
                metrics.used(matches!(companion.standing(*role, now), Standing::Aligned(_)));
            }
        });
    }

    /// What was cut is waited for no longer.
    pub(super) fn give_up(&self) {
        self.with(companion::Companion::give_up);
    }

    fn with<T>(&self, act: impl FnOnce(&mut companion::Companion) -> T) -> T {
        // Nothing panics while it holds the lock.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = act(&mut inner);
        // In order, because the lock is held.
        while let Some(output) = inner.poll() {
            self.give(output);
        }
        answer
    }

    fn give(&self, output: Output) {
        let (channel, rendition) = (&self.channel, self.rendition.as_str());
        match output {
            Output::Object(object) => {
                if matches!(object.kind, package::Kind::Rung(_, package::Rung::Segment { .. })) {
                    self.figures.made();
                    self.lacks.store(false, Ordering::Relaxed);
                }
                // A disk that is behind is told of with the source's.
                let _ = self.spool.write(Made { channel: channel.clone(), object });
            }
            Output::Lost(start) => {
                self.figures.lost();
                self.lost_at.store(clock::moment().up_ms.max(1), Ordering::Relaxed);
                if !self.lacks.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%channel, rendition, "the rendition has a gap: its feeds lack something of a segment");
                }
                let rung = self.rendition.clone();
                // Where there is no room, the gap is listed somewhat later.
                let _ = self.desk.try_send(Message::RungLost { channel: channel.clone(), rung, start });
            }
            Output::Stands(role, Standing::Aligned(by)) => {
                let (feed, by) = (role.as_str(), named(by));
                tracing::info!(%channel, rendition, feed, by, "the feed's key frames are where the source's are");
            }
            Output::Stands(role, _) => {
                let feed = role.as_str();
                tracing::warn!(%channel, rendition, feed, "{APART}");
            }
        }
    }

    /// What is wrong with it, in a sentence.
    pub(super) fn complaints(&self) -> Vec<String> {
        let name = &self.rendition;
        let refused = self.refused.lately().into_iter();
        let mut told: Vec<String> =
            refused.map(|(role, text)| format!("its {} feed of {name} {text}", role.as_str())).collect();
        let lost_at = self.lost_at.load(Ordering::Relaxed);
        if lost_at > 0 && clock::moment().ms_since(lost_at) < LOSS_SHOWN_MS {
            told.push(format!("its rendition {name} has gaps: {}", self.why()));
        }
        told
    }

    /// Why it has gaps.
    fn why(&self) -> String {
        let now = clock::moment();
        let standings = self.with(|companion| Role::ALL.map(|role| companion.standing(role, now)));
        let is = |wanted: fn(&Standing) -> bool| standings.iter().any(wanted);
        if is(|standing| matches!(standing, Standing::Aligned(_))) {
            "its feed lacks pictures, or key frames where the source has them, or comes too late".to_string()
        } else if is(|standing| *standing == Standing::Apart) {
            APART.to_string()
        } else if is(|standing| *standing == Standing::Silent) {
            "its feed brings no picture".to_string()
        } else if is(|standing| *standing == Standing::New) {
            "its feed has just begun".to_string()
        } else {
            "no encoder sends it".to_string()
        }
    }
}

/// What to do about key frames that are elsewhere.
const APART: &str = "the feed's key frames are not where the source's are: have all encoders begin together, with the same key \
                     frame interval and no key frames at changes of scene";

fn named(by: By) -> &'static str {
    const { assert!(NEAR_MS == 200, "infra/ENCODERS.md says it") };
    match by {
        By::Capture => "capture time",
        By::Clock => "the encoder's clock",
        By::Arrival => "arrival",
    }
}
