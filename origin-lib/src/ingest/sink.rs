//! Where a publish goes: to its channel's programme, or to a rendition that has feeds of its own.

use std::sync::Arc;

use railbird_core::media::{FeedEvent, Kind, Role};
use railbird_core::programme::{End, Publish};
use railbird_core::time::{MediaSpan, MediaTime};
use railbird_core::timeline;

use super::Channel;
use super::companion::Companion;
use crate::clock;
use crate::telemetry::FeedMetrics;

/// Where one publish goes.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// Into the channel's source.
    Source(Arc<Channel>, Role, Publish),
    /// Into another rendition of it.
    Companion(Arc<Companion>, Role, Publish),
}

impl Sink {
    /// Takes an event of it.
    pub(super) fn handle(&self, event: FeedEvent) {
        match self {
            Sink::Source(channel, role, publish) => {
                channel.show_companions(*role, &event);
                channel.handle(*publish, event);
            }
            Sink::Companion(companion, _, publish) => companion.handle(*publish, event),
        }
    }

    /// It is over, in this way. What was left out of it.
    pub(super) fn end(&self, end: End) -> timeline::Counts {
        match self {
            Sink::Source(channel, _, publish) => channel.end(*publish, end),
            Sink::Companion(companion, _, publish) => companion.end(*publish, end),
        }
    }

    /// Its encoder sends what can't be used: the feed "is refused: ...".
    pub(super) fn complain(&self, text: String) {
        match self {
            Sink::Source(channel, role, _) => channel.complain(*role, text),
            Sink::Companion(companion, role, _) => companion.complain(*role, text),
        }
    }

    /// Its encoder sends what can be used.
    pub(super) fn accept(&self) {
        match self {
            Sink::Source(channel, role, _) => channel.accept(*role),
            Sink::Companion(companion, role, _) => companion.accept(*role),
        }
    }

    /// Where this timestamp lies on the channel's media time, once that is known.
    pub(super) fn media(&self, feed_ms: i64) -> Option<MediaTime> {
        match self {
            Sink::Source(channel, role, _) => channel.media(*role, feed_ms),
            Sink::Companion(companion, _, publish) => companion.media(*publish, feed_ms),
        }
    }

    /// How far behind its arrival now this timestamp lies.
    pub(super) fn behind(&self, feed_ms: i64) -> Option<MediaSpan> {
        Some(clock::now().media() - self.media(feed_ms)?)
    }

    /// Whether its tables named a picture that never came, when it was here last.
    pub(super) fn is_pictureless(&self) -> bool {
        match self {
            Sink::Source(channel, role, _) => channel.is_pictureless(*role),
            // Nobody wants its sound.
            Sink::Companion(..) => false,
        }
    }

    /// Notes that, for when it comes back.
    pub(super) fn set_pictureless(&self, lacked: bool) {
        if let Sink::Source(channel, role, _) = self {
            channel.set_pictureless(*role, lacked);
        }
    }

    /// Whether viewers wait for each part of what comes of it.
    pub(super) fn is_low_latency(&self) -> bool {
        match self {
            Sink::Source(channel, ..) => channel.is_low_latency(),
            // It is cut into whole segments.
            Sink::Companion(..) => false,
        }
    }

    /// Its figures.
    pub(super) fn metrics(&self) -> FeedMetrics {
        match self {
            Sink::Source(channel, role, _) => channel.metrics(*role),
            Sink::Companion(companion, role, _) => companion.metrics(*role),
        }
    }

    /// Segment duration, in milliseconds.
    pub(super) fn segment_ms(&self) -> u32 {
        match self {
            Sink::Source(channel, ..) => channel.segment_ms(),
            Sink::Companion(companion, ..) => companion.segment_ms(),
        }
    }

    /// The numbers of the further tracks of this kind that are wanted of it.
    pub(super) fn further(&self, kind: Kind) -> &[u8] {
        match (self, kind) {
            (Sink::Source(channel, ..), Kind::Audio) => channel.sounds(),
            (Sink::Source(channel, ..), Kind::Video) => channel.pictures(),
            (Sink::Companion(..), _) => &[],
        }
    }
}
