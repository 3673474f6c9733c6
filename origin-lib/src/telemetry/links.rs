//! The figures of links that lose packets and ask for them again: one link by feed.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use railbird_core::srt::Statistics;

use super::{Labels, Number};

#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    packets: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
    lost: Family<Labels, Counter>,
    again: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    useless: Family<Labels, Counter>,
    unreadable: Family<Labels, Counter>,
    rtt: Family<Labels, Number>,
    latency: Family<Labels, Number>,
    capacity: Family<Labels, Gauge>,
}

impl Links {
    pub(super) fn register(&self, r: &mut Registry) {
        let f = self.clone();
        r.register("srt_packets", "Data packets that came by SRT, those sent again included", f.packets);
        r.register("srt_bytes", "Bytes in the data packets that came by SRT, without headers", f.bytes);
        r.register("srt_lost", "Packets that were missing when one behind them came", f.lost);
        r.register("srt_retransmitted", "Packets that the encoder sent again", f.again);
        r.register(
            "srt_dropped",
            "Packets that were not there at their time and are missing in the stream: a longer latency_ms gives them more of it",
            f.dropped,
        );
        r.register("srt_useless", "Packets that were there already, or came after their time", f.useless);
        r.register("srt_unreadable", "Packets and keys that the passphrase does not open", f.unreadable);
        r.register("srt_rtt_seconds", "How long there and back takes on the link", f.rtt);
        r.register("srt_latency_seconds", "How long packets are held for those that are missing", f.latency);
        r.register(
            "srt_capacity_bits_per_second",
            "What the link could carry, as pairs of packets show; 0 as long as it is not known",
            f.capacity,
        );
    }

    pub(super) fn of(&self, labels: &Labels) -> LinkMetrics {
        LinkMetrics {
            packets: self.packets.get_or_create_owned(labels),
            bytes: self.bytes.get_or_create_owned(labels),
            lost: self.lost.get_or_create_owned(labels),
            again: self.again.get_or_create_owned(labels),
            dropped: self.dropped.get_or_create_owned(labels),
            useless: self.useless.get_or_create_owned(labels),
            unreadable: self.unreadable.get_or_create_owned(labels),
            rtt: self.rtt.get_or_create_owned(labels),
            latency: self.latency.get_or_create_owned(labels),
            capacity: self.capacity.get_or_create_owned(labels),
        }
    }
}

/// The figures of the link by which a feed comes.
#[derive(Clone, Debug)]
pub struct LinkMetrics {
    packets: Counter,
    bytes: Counter,
    lost: Counter,
    again: Counter,
    dropped: Counter,
    useless: Counter,
    unreadable: Counter,
    rtt: Number,
    latency: Number,
    capacity: Gauge,
}

impl LinkMetrics {
    /// How the link is now. `told` is what was told of this connection before.
    pub fn link(&self, now: &Statistics, told: &mut Statistics) {
        for (counter, now, told) in [
            (&self.packets, now.packets, told.packets),
            (&self.bytes, now.bytes, told.bytes),
            (&self.lost, now.lost, told.lost),
            (&self.again, now.again, told.again),
            (&self.dropped, now.dropped, told.dropped),
            (&self.useless, now.useless, told.useless),
            (&self.unreadable, now.unreadable, told.unreadable),
        ] {
            counter.inc_by(now.saturating_sub(told));
        }
        self.rtt.set(now.rtt_us as f64 / 1e6);
        self.latency.set(now.latency_ms as f64 / 1e3);
        self.capacity.set(i64::try_from(now.capacity_bits_per_s).unwrap_or(i64::MAX));
        *told = *now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_comes_back_counts_on() {
        let links = Links::default();
        let metrics = links.of(&vec![("channel", "table-1".to_string())]);
        for connection in 1..=2 {
            let mut told = Statistics::default();
            for packets in [7, 10, 10] {
                metrics.link(&Statistics { packets, rtt_us: 20_000, ..Statistics::default() }, &mut told);
            }
            assert_eq!(metrics.packets.get(), connection * 10);
        }
        assert_eq!(metrics.rtt.get(), 0.02);
    }
}
