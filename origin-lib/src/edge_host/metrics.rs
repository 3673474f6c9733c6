//! Figures of the embedded edge.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counters and histograms of one embedded edge; clones share them.
#[derive(Clone, Debug)]
pub struct EdgeMetrics {
    requests: Family<Status, Counter>,
    in_flight: Gauge,
    seconds: Histogram,
    instantiation_seconds: Histogram,
    connections: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    class: &'static str,
}

impl Default for EdgeMetrics {
    fn default() -> EdgeMetrics {
        EdgeMetrics {
            requests: Family::default(),
            in_flight: Gauge::default(),
            seconds: Histogram::new([1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0, 30.0]),
            instantiation_seconds: Histogram::new([1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 0.1]),
            connections: Gauge::default(),
        }
    }
}

impl EdgeMetrics {
    /// Makes the figures part of `/metrics`. Give a registry whose prefix says that this is the edge.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered, by class of status", self.requests.clone());
        registry.register("requests_in_flight", "Requests being answered", self.in_flight.clone());
        registry.register("request_seconds", "From a request's head to its answer", self.seconds.clone());
        registry.register(
            "instantiation_seconds",
            "Making a fresh instance of the component",
            self.instantiation_seconds.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
    }

    /// Requests answered so far with a status of this class (`2` for 2xx).
    pub fn answered(&self, class: u16) -> u64 {
        self.requests.get_or_create(&Status { class: class_name(class * 100) }).get()
    }

    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub(super) fn connected(&self) -> InFlight {
        self.connections.inc();
        InFlight(self.connections.clone())
    }

    pub(super) fn answer(&self, status: u16, took: Duration) {
        self.requests.get_or_create(&Status { class: class_name(status) }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn instantiated(&self, took: Duration) {
        self.instantiation_seconds.observe(took.as_secs_f64());
    }
}

fn class_name(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Counts while it lives.
pub(super) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
