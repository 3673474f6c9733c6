//! What the score log counts.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use railbird_core::id::ChannelId;
use railbird_core::score::Event;
use railbird_core::time::UtcMs;

use super::Measured;

/// Figures of the score logs. A clone counts into the same figures.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<Labels, Counter>,
    diverged: Family<Channel, Counter>,
    writes: Family<Written, Counter>,
    write_seconds: Histogram,
    heard: Family<Channel, Gauge>,
    pending: Family<Channel, Gauge>,
    late: Family<Late, Histogram, fn() -> Histogram>,
    delay: Seconds,
    skew: Seconds,
    spread: Seconds,
    measured: Family<Channel, Gauge>,
}

type Seconds = Family<Channel, Gauge<f64, AtomicU64>>;

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
struct Late {
    channel: String,
    step: &'static str,
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
            // 50 ms to two minutes: a network, a person, an outage.
            late: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.05, 2.0, 12))),
            delay: Family::default(),
            skew: Family::default(),
            spread: Family::default(),
            measured: Family::default(),
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
        registry.register(
            "score_late_seconds",
            "How late accepted score events are, by step: enter, from when they occurred to when they were entered, where the scorer states both; arrive, from then to when the origin takes them, by both clocks",
            self.late.clone(),
        );
        registry.register(
            "score_picture_delay_seconds",
            "By how much a channel's picture is taken to be later on media time than what it shows",
            self.delay.clone(),
        );
        registry.register(
            "score_skew_seconds",
            "By how much a channel's picture was later than its score when that was measured last, with the delay that is used",
            self.skew.clone(),
        );
        registry.register(
            "score_skew_spread_seconds",
            "How far apart single pictures were when the skew was measured last",
            self.spread.clone(),
        );
        registry.register(
            "score_skew_measured_timestamp_seconds",
            "When a channel's skew was measured last, as seconds since 1970",
            self.measured.clone(),
        );
    }

    /// An event that was taken at `now`.
    pub(super) fn accepted(&self, channel: &ChannelId, event: &Event, now: UtcMs) {
        let entered = event.entered.unwrap_or(event.occurred);
        let enter = event.entered.map(|entered| ("enter", entered.ms_since(event.occurred)));
        for (step, ms) in enter.into_iter().chain([("arrive", now.ms_since(entered))]) {
            let of = Late { channel: channel.to_string(), step };
            self.late.get_or_create(&of).observe(Duration::from_millis(ms).as_secs_f64());
        }
    }

    /// The delay in use, what was measured last, and what that leaves, in milliseconds.
    pub(super) fn delay(
        &self,
        channel: &ChannelId,
        delay_ms: i64,
        measured: Option<Measured>,
        skew_ms: Option<i64>,
    ) {
        let of = Channel { channel: channel.to_string() };
        self.delay.get_or_create(&of).set(seconds(delay_ms));
        if let (Some(measured), Some(skew_ms)) = (measured, skew_ms) {
            self.skew.get_or_create(&of).set(seconds(skew_ms));
            self.spread.get_or_create(&of).set(Duration::from_millis(measured.spread_ms).as_secs_f64());
            self.measured.get_or_create(&of).set(i64::try_from(measured.at.seconds()).unwrap_or(i64::MAX));
        }
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

/// A delay has at most a minute: nothing is lost.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
