//! The figures of feeds, and of renditions that have feeds of their own.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::media;
use railbird_core::time::MediaSpan;

use super::links::{LinkMetrics, Links};
use super::sessions::{SessionMetrics, Sessions};
use super::{Labels, Number};
use crate::config::Role;

#[derive(Clone, Debug, Default)]
pub(super) struct Feeds {
    bytes: Family<Labels, Counter>,
    frames: Family<Labels, Counter>,
    segments: Family<Labels, Counter>,
    connected: Family<Labels, Gauge>,
    used: Family<Labels, Gauge>,
    key_interval: Family<Labels, Number>,
    behind: Family<Labels, Number>,
    captured: Family<Labels, Number>,
    made: Family<Labels, Counter>,
    lost: Family<Labels, Counter>,
    links: Links,
    sessions: Sessions,
}

impl Feeds {
    pub(super) fn register(&self, r: &mut Registry) {
        let f = self.clone();
        r.register("feed_bytes", "Bytes of media received from a feed", f.bytes);
        r.register("feed_frames", "Access units received from a feed", f.frames);
        r.register("feed_segments", "Segments made from a feed", f.segments);
        r.register("feed_connected", "1 while an encoder publishes the feed", f.connected);
        r.register("feed_used", "1 while the channel is made of the feed", f.used);
        r.register(
            "feed_key_interval_seconds",
            "Time between the last two random access points of a feed",
            f.key_interval,
        );
        r.register(
            "feed_behind_seconds",
            "By how much a feed's last random access point lies behind its arrival on media time: where it is another than at a calibration, the picture's delay is another, too",
            f.behind,
        );
        r.register(
            "feed_captured_seconds",
            "How long before its arrival the encoder says that it captured what it sends (onFI), if both clocks are right",
            f.captured,
        );
        r.register("rendition_segments", "Segments made of a rendition that has feeds of its own", f.made);
        r.register("rendition_lost", "Segments of such a rendition that are gaps", f.lost);
        f.links.register(r);
        f.sessions.register(r);
    }

    pub(super) fn of(&self, channel: &ChannelId, rendition: Option<&RenditionId>, role: Role) -> FeedMetrics {
        let mut labels = vec![("channel", channel.to_string()), ("feed", role.as_str().to_string())];
        labels.extend(rendition.map(|rendition| ("rendition", rendition.to_string())));
        let kind = |kind: &str| [labels.clone(), vec![("kind", kind.to_string())]].concat();
        FeedMetrics {
            bytes: self.bytes.get_or_create_owned(&labels),
            video: self.frames.get_or_create_owned(&kind("video")),
            audio: self.frames.get_or_create_owned(&kind("audio")),
            segments: self.segments.get_or_create_owned(&labels),
            connected: self.connected.get_or_create_owned(&labels),
            used: self.used.get_or_create_owned(&labels),
            key_interval: self.key_interval.get_or_create_owned(&labels),
            behind: self.behind.get_or_create_owned(&labels),
            captured: (self.captured.clone(), labels),
            links: self.links.clone(),
            sessions: self.sessions.clone(),
        }
    }

    pub(super) fn rendition(&self, channel: &ChannelId, rendition: &RenditionId) -> RenditionMetrics {
        let labels = vec![("channel", channel.to_string()), ("rendition", rendition.to_string())];
        RenditionMetrics {
            made: self.made.get_or_create_owned(&labels),
            lost: self.lost.get_or_create_owned(&labels),
        }
    }
}

/// The figures of one feed.
#[derive(Clone, Debug)]
pub struct FeedMetrics {
    bytes: Counter,
    video: Counter,
    audio: Counter,
    segments: Counter,
    connected: Gauge,
    used: Gauge,
    key_interval: Number,
    behind: Number,
    /// Made when there is something to say: most encoders say nothing.
    captured: (Family<Labels, Number>, Labels),
    links: Links,
    sessions: Sessions,
}

impl FeedMetrics {
    /// The encoder says that it captured this long ago what has just arrived.
    pub fn captured(&self, ago: MediaSpan) {
        let (family, labels) = &self.captured;
        family.get_or_create_owned(labels).set(ago.ms() as f64 / 1000.0);
    }

    /// The figures of the link by which it comes, all there from now on.
    pub fn link(&self) -> LinkMetrics {
        let (_, labels) = &self.captured;
        self.links.of(labels)
    }

    /// The figures of the session by which it comes, all there from now on.
    pub fn session(&self) -> SessionMetrics {
        let (_, labels) = &self.captured;
        self.sessions.of(labels)
    }

    /// An access unit of this size came in.
    pub fn frame(&self, kind: media::Kind, len: usize) {
        self.bytes.inc_by(len as u64);
        match kind {
            media::Kind::Video => self.video.inc(),
            media::Kind::Audio => self.audio.inc(),
        };
    }

    /// A random access point came this long after the one before.
    pub fn key_interval(&self, interval: Duration) {
        self.key_interval.set(interval.as_secs_f64());
    }

    /// A random access point lies so much behind its arrival; ahead of it where that is negative.
    pub fn behind(&self, by: MediaSpan) {
        self.behind.set(by.ms() as f64 / 1000.0);
    }

    /// A segment was made.
    pub fn segment(&self) {
        self.segments.inc();
    }

    /// The channel is made of it, or no longer.
    pub fn used(&self, used: bool) {
        self.used.set(i64::from(used));
    }

    /// An encoder publishes it, or no longer.
    pub fn connected(&self, connected: bool) {
        self.connected.set(i64::from(connected));
    }
}

/// The figures of a rendition that has feeds of its own.
#[derive(Clone, Debug)]
pub struct RenditionMetrics {
    made: Counter,
    lost: Counter,
}

impl RenditionMetrics {
    /// A segment of it was made.
    pub fn made(&self) {
        self.made.inc();
    }

    /// It has a gap in the place of one.
    pub fn lost(&self) {
        self.lost.inc();
    }
}
