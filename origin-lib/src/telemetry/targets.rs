//! The figures of targets and their nodes.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use railbird_core::id::{NodeId, TargetId};

use super::Labels;

/// Upper bounds of put times, in seconds.
const PUT_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

#[derive(Clone, Debug)]
pub(super) struct Targets {
    up: Family<Labels, Gauge>,
    queue: Family<Labels, Gauge>,
    refused: Family<Labels, Gauge>,
    puts: Family<Labels, Counter>,
    put_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    bytes: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    node_up: Family<Labels, Gauge>,
}

impl Default for Targets {
    fn default() -> Targets {
        let histogram: fn() -> Histogram = || Histogram::new(PUT_SECONDS);
        Targets {
            up: Family::default(),
            queue: Family::default(),
            refused: Family::default(),
            puts: Family::default(),
            put_seconds: Family::new_with_constructor(histogram),
            bytes: Family::default(),
            dropped: Family::default(),
            node_up: Family::default(),
        }
    }
}

impl Targets {
    pub(super) fn register(&self, r: &mut Registry) {
        let f = self.clone();
        r.register("target_up", "1 while the target takes objects", f.up);
        r.register("target_queue", "Objects that wait for a target", f.queue);
        r.register("target_refused", "Objects among them that the target has refused", f.refused);
        r.register("target_puts", "Puts to a target by result", f.puts);
        r.register("target_put_seconds", "How long acknowledged puts took", f.put_seconds);
        r.register("target_bytes", "Bytes that a target acknowledged", f.bytes);
        r.register(
            "target_dropped",
            "Objects that left a full queue, to come again from the disk",
            f.dropped,
        );
        r.register("node_up", "1 while what was written can be read through the node", f.node_up);
    }

    pub(super) fn of(&self, target: &TargetId, node: &NodeId) -> TargetMetrics {
        let labels = vec![("target", target.to_string())];
        let result = |result: PutResult| {
            let label = ("result", result.label().to_string());
            self.puts.get_or_create_owned(&[labels.clone(), vec![label]].concat())
        };
        TargetMetrics {
            up: self.up.get_or_create_owned(&labels),
            queue: self.queue.get_or_create_owned(&labels),
            refused: self.refused.get_or_create_owned(&labels),
            puts: PutResult::ALL.map(result),
            put_seconds: self.put_seconds.get_or_create_owned(&labels),
            bytes: self.bytes.get_or_create_owned(&labels),
            dropped: self.dropped.get_or_create_owned(&labels),
            node_up: self.node_up.get_or_create_owned(&vec![("node", node.to_string())]),
        }
    }
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutResult {
    /// Acknowledged.
    Ok,
    /// Acknowledged: the other origin of the pair had written it already, with other bytes.
    Others,
    /// Nobody answered.
    Unreachable,
    /// Failed; tried again.
    Retry,
    /// The store asked for fewer.
    SlowDown,
    /// A person has to change something.
    Misconfigured,
    /// The store refuses this object; tried again in a while.
    GiveUp,
    /// Somebody else wrote it at the same moment; tried again.
    Raced,
    /// The spool could not be read; tried again.
    Unread,
    /// The spool no longer has the object, or not as it was made.
    Gone,
}

impl PutResult {
    const ALL: [PutResult; 10] = [
        PutResult::Ok,
        PutResult::Others,
        PutResult::Unreachable,
        PutResult::Retry,
        PutResult::SlowDown,
        PutResult::Misconfigured,
        PutResult::GiveUp,
        PutResult::Raced,
        PutResult::Unread,
        PutResult::Gone,
    ];

    fn label(self) -> &'static str {
        match self {
            PutResult::Ok => "ok",
            PutResult::Others => "others",
            PutResult::Unreachable => "unreachable",
            PutResult::Retry => "retry",
            PutResult::SlowDown => "slow-down",
            PutResult::Misconfigured => "misconfigured",
            PutResult::GiveUp => "give-up",
            PutResult::Raced => "raced",
            PutResult::Unread => "unread",
            PutResult::Gone => "gone",
        }
    }
}

/// The figures of one target and its node.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    up: Gauge,
    queue: Gauge,
    refused: Gauge,
    puts: [Counter; PutResult::ALL.len()],
    put_seconds: Histogram,
    bytes: Counter,
    dropped: Counter,
    node_up: Gauge,
}

impl TargetMetrics {
    /// A put ended.
    pub fn put(&self, result: PutResult) {
        for (counter, which) in self.puts.iter().zip(PutResult::ALL) {
            if which == result {
                counter.inc();
            }
        }
    }

    /// An object of `len` bytes was acknowledged after `took`.
    pub fn acknowledged(&self, len: u64, took: Duration) {
        self.bytes.inc_by(len);
        self.put_seconds.observe(took.as_secs_f64());
    }

    /// So many objects wait, and the target has refused so many of them.
    pub fn queue(&self, len: usize, refused: usize) {
        self.queue.set(i64::try_from(len).unwrap_or(i64::MAX));
        self.refused.set(i64::try_from(refused).unwrap_or(i64::MAX));
    }

    /// An object was dropped from the full queue.
    pub fn dropped(&self) {
        self.dropped.inc();
    }

    /// The target takes objects, or not.
    pub fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// The node gives objects, or not.
    pub fn node_up(&self, up: bool) {
        self.node_up.set(i64::from(up));
    }
}
