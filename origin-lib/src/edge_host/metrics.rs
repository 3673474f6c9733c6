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
    waiting: Gauge,
    without_place: Family<Why, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    taken_by: &'static str,
}

/// Why a request does not wait for a playlist, although it asks for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Its session has all the places that it may have.
    Session,
    /// There is no place left.
    All,
}

impl Default for EdgeMetrics {
    fn default() -> EdgeMetrics {
        EdgeMetrics {
            requests: Family::default(),
            in_flight: Gauge::default(),
            seconds: Histogram::new([1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0, 30.0]),
            instantiation_seconds: Histogram::new([1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 0.1]),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            without_place: Family::default(),
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
        registry.register("waiting", "Requests that wait for a playlist", self.waiting.clone());
        registry.register(
            "answered_without_waiting",
            "Requests that asked to wait for a playlist and found all places taken, by whom",
            self.without_place.clone(),
        );
    }

    /// Requests answered so far with a status of this class (`2` for 2xx).
    pub fn answered(&self, class: u16) -> u64 {
        self.requests.get_or_create(&Status { class: class_name(class * 100) }).get()
    }

    /// Requests that are being answered.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub(super) fn connected(&self) -> InFlight {
        self.connections.inc();
        InFlight(self.connections.clone())
    }

    pub(super) fn waiting(&self) -> InFlight {
        self.waiting.inc();
        InFlight(self.waiting.clone())
    }

    pub(super) fn no_place(&self, why: NoPlace) {
        self.why(why).inc();
    }

    /// How often that happened.
    #[cfg(test)]
    pub(super) fn without_place(&self, why: NoPlace) -> u64 {
        self.why(why).get()
    }

    fn why(&self, why: NoPlace) -> Counter {
        let taken_by = match why {
            NoPlace::Session => "session",
            NoPlace::All => "all",
        };
        self.without_place.get_or_create(&Why { taken_by }).clone()
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
