//! The figures of edges that are pushed to.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Labels, Number};

#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
    up: Family<Labels, Gauge>,
    pushes: Family<Labels, Counter>,
    lag: Family<Labels, Number>,
}

impl Edges {
    pub(super) fn register(&self, r: &mut Registry) {
        let f = self.clone();
        r.register("edge_up", "1 while an edge takes what is pushed", f.up);
        r.register("edge_pushes", "Pushes to an edge by result", f.pushes);
        r.register(
            "edge_lag_seconds",
            "Time from the last change of a document to its arrival at the edge",
            f.lag,
        );
    }

    pub(super) fn of(&self, host: &str) -> EdgeMetrics {
        let labels = vec![("edge", host.to_string())];
        let result = |result: PushResult| {
            let label = ("result", result.label().to_string());
            self.pushes.get_or_create_owned(&[labels.clone(), vec![label]].concat())
        };
        EdgeMetrics {
            up: self.up.get_or_create_owned(&labels),
            pushes: PushResult::ALL.map(result),
            lag: self.lag.get_or_create_owned(&labels),
        }
    }
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushResult {
    /// The edge took it.
    Taken,
    /// The edge had the same or a newer one.
    Kept,
    /// The edge refused it.
    Refused,
    /// No answer, or none that says anything.
    Failed,
}

impl PushResult {
    const ALL: [PushResult; 4] =
        [PushResult::Taken, PushResult::Kept, PushResult::Refused, PushResult::Failed];

    fn label(self) -> &'static str {
        match self {
            PushResult::Taken => "taken",
            PushResult::Kept => "kept",
            PushResult::Refused => "refused",
            PushResult::Failed => "failed",
        }
    }
}

/// The figures of one edge.
#[derive(Clone, Debug)]
pub struct EdgeMetrics {
    up: Gauge,
    pushes: [Counter; PushResult::ALL.len()],
    lag: Number,
}

impl EdgeMetrics {
    /// A push ended.
    pub fn push(&self, result: PushResult) {
        for (counter, which) in self.pushes.iter().zip(PushResult::ALL) {
            if which == result {
                counter.inc();
            }
        }
    }

    /// A document arrived this long after it changed.
    pub fn lag(&self, lag: Duration) {
        self.lag.set(lag.as_secs_f64());
    }

    /// The edge takes what is pushed, or not.
    pub fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}
