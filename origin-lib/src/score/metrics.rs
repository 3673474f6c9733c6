//! What the score log counts.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;

/// Figures of the score logs. A clone counts into the same figures.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<Labels, Counter>,
    diverged: Family<Channel, Counter>,
    writes: Family<Written, Counter>,
    write_seconds: Histogram,
    heard: Family<Channel, Gauge>,
    pending: Family<Channel, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    channel: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Channel {
    channel: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Written {
    result: &'static str,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        Metrics {
            events: Family::default(),
            diverged: Family::default(),
            writes: Family::default(),
            // 0.5 ms to 2 s: a disk's flush.
            write_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 13)),
            heard: Family::default(),
            pending: Family::default(),
        }
    }

    /// Adds the figures to the registry of `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "score_events",
            "Score events by answer: accepted, same, conflict, gap, invalid, busy, not-stored",
            self.events.clone(),
        );
        registry.register(
            "score_diverged",
            "Accepted score events whose scorer states another score than ours",
            self.diverged.clone(),
        );
        registry.register(
            "score_writes",
            "Batches of score events written to the disk, by result: ok, failed",
            self.writes.clone(),
        );
        registry.register(
            "score_write_seconds",
            "Time to write a batch of score events and have it on the disk",
            self.write_seconds.clone(),
        );
        registry.register(
            "score_scorer_heard_timestamp_seconds",
            "When a channel's scorer last said that it is there, as seconds since 1970",
            self.heard.clone(),
        );
        registry.register(
            "score_scorer_pending",
            "Events that a channel's scorer holds and has no acknowledgement for",
            self.pending.clone(),
        );
    }

    pub(super) fn event(&self, channel: &ChannelId, outcome: &'static str) {
        self.events.get_or_create(&Labels { channel: channel.to_string(), outcome }).inc();
    }

    pub(super) fn diverged(&self, channel: &ChannelId) {
        self.diverged.get_or_create(&Channel { channel: channel.to_string() }).inc();
    }

    pub(super) fn heard(&self, channel: &ChannelId, pending: u32, at: UtcMs) {
        let of = Channel { channel: channel.to_string() };
        self.heard.get_or_create(&of).set(i64::try_from(at.0 / 1000).unwrap_or(i64::MAX));
        self.pending.get_or_create(&of).set(i64::from(pending));
    }

    pub(super) fn written(&self, ok: bool, took: Duration) {
        self.writes.get_or_create(&Written { result: if ok { "ok" } else { "failed" } }).inc();
        self.write_seconds.observe(took.as_secs_f64());
    }
}
