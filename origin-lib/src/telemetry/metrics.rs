//! The figures, by feed, target and edge. Names begin with `railbird_`; labels are identifiers and hosts, never secrets.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use railbird_core::id::{ChannelId, NodeId, RenditionId, TargetId};

use super::edges::{EdgeMetrics, Edges};
use super::feeds::{FeedMetrics, Feeds, RenditionMetrics};
use super::targets::{TargetMetrics, Targets};
use crate::config::Role;
use crate::edge_host;

/// All figures of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    feeds: Feeds,
    targets: Targets,
    edges: Edges,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Metrics {
        let mut r = Registry::with_prefix("railbird");
        let (feeds, targets, edges) = (Feeds::default(), Targets::default(), Edges::default());
        feeds.register(&mut r);
        targets.register(&mut r);
        edges.register(&mut r);
        r.register(
            "log_lost",
            "Lines of the log that were lost because nobody read it",
            super::lines::lost(),
        );
        Metrics { registry: Arc::new(Mutex::new(r)), feeds, targets, edges }
    }

    /// Lets another part add figures of its own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All figures as OpenMetrics text, which Prometheus reads.
    pub fn text(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// The figures of the edge inside this process.
    pub fn embedded_edge(&self) -> edge_host::EdgeMetrics {
        let figures = edge_host::EdgeMetrics::default();
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        figures.register(registry.sub_registry_with_prefix("embedded_edge"));
        figures
    }

    /// The figures of one feed, all there from now on.
    pub fn feed(&self, channel: &ChannelId, role: Role) -> FeedMetrics {
        self.feed_of(channel, None, role)
    }

    /// The figures of one feed of a rendition that has feeds of its own, or of the source.
    pub fn feed_of(&self, channel: &ChannelId, rendition: Option<&RenditionId>, role: Role) -> FeedMetrics {
        self.feeds.of(channel, rendition, role)
    }

    /// The figures of a rendition that has feeds of its own, all there from now on.
    pub fn rendition(&self, channel: &ChannelId, rendition: &RenditionId) -> RenditionMetrics {
        self.feeds.rendition(channel, rendition)
    }

    /// The figures of one target and its node.
    pub fn target(&self, target: &TargetId, node: &NodeId) -> TargetMetrics {
        self.targets.of(target, node)
    }

    /// The figures of one edge, by its host.
    pub fn edge(&self, host: &str) -> EdgeMetrics {
        self.edges.of(host)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use railbird_core::media;
    use railbird_core::score::{Event, Position};

    use super::*;
    use crate::score::{Measured, Scores, Told};
    use crate::telemetry::{PushResult, PutResult};

    #[test]
    fn every_figure_has_its_name_and_labels() {
        let metrics = Metrics::new();
        let feed = metrics.feed(&"table-1".parse().unwrap(), Role::Primary);
        feed.connected(true);
        feed.used(true);
        feed.frame(media::Kind::Video, 1000);
        feed.frame(media::Kind::Audio, 24);
        feed.key_interval(Duration::from_millis(500));
        feed.segment();
        let target = metrics.target(&"a".parse().unwrap(), &"node-a".parse().unwrap());
        target.put(PutResult::SlowDown);
        target.put(PutResult::Ok);
        target.acknowledged(1024, Duration::from_millis(30));
        target.queue(7, 2);
        target.dropped();
        target.up(true);
        target.node_up(true);
        let edge = metrics.edge("live.example.org");
        edge.push(PushResult::Taken);
        edge.lag(Duration::from_millis(250));
        edge.up(true);
        let text = metrics.text();
        for line in [
            "railbird_feed_connected{channel=\"table-1\",feed=\"primary\"} 1",
            "railbird_feed_used{channel=\"table-1\",feed=\"primary\"} 1",
            "railbird_feed_bytes_total{channel=\"table-1\",feed=\"primary\"} 1024",
            "railbird_feed_frames_total{channel=\"table-1\",feed=\"primary\",kind=\"audio\"} 1",
            "railbird_feed_segments_total{channel=\"table-1\",feed=\"primary\"} 1",
            "railbird_feed_key_interval_seconds{channel=\"table-1\",feed=\"primary\"} 0.5",
            "railbird_target_puts_total{target=\"a\",result=\"slow-down\"} 1",
            "railbird_target_puts_total{target=\"a\",result=\"gone\"} 0",
            "railbird_target_put_seconds_bucket{le=\"0.05\",target=\"a\"} 1",
            "railbird_target_put_seconds_count{target=\"a\"} 1",
            "railbird_target_bytes_total{target=\"a\"} 1024",
            "railbird_target_queue{target=\"a\"} 7",
            "railbird_target_refused{target=\"a\"} 2",
            "railbird_target_dropped_total{target=\"a\"} 1",
            "railbird_target_up{target=\"a\"} 1",
            "railbird_node_up{node=\"node-a\"} 1",
            "railbird_edge_up{edge=\"live.example.org\"} 1",
            "railbird_edge_pushes_total{edge=\"live.example.org\",result=\"taken\"} 1",
            "railbird_edge_lag_seconds{edge=\"live.example.org\"} 0.25",
            "railbird_log_lost_total 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn the_dashboard_asks_only_for_figures_that_there_are() {
        let metrics = Metrics::new();
        let (dir, now) = (tempfile::tempdir().unwrap(), crate::clock::now());
        let scores = Scores::open(dir.path(), [("table-1".parse().unwrap(), 0)]).unwrap();
        metrics.register(|registry| scores.metrics().register(registry));
        let start = format!(
            r#"{{"occurred":{now},"entered":{now},"action":{{"type":"start","title":"T","discipline":"points",
                "breaks":0,"sides":[{{"name":"A"}},{{"name":"B"}}]}}}}"#,
            now = now.0
        );
        let (channel, at) = ("table-1".parse().unwrap(), Position { epoch: 1, seq: 1 });
        let event = Event::from_json(start.as_bytes()).unwrap();
        scores.put(&channel, &"final".parse().unwrap(), at, event, now).await.unwrap();
        let measured = Measured { delay_ms: 640, spread_ms: 20, pictures: 250, at: now };
        scores.tell_delay(&channel, Told { measured: Some(measured), set: None }, now).await.unwrap();
        metrics.feed(&"table-1".parse().unwrap(), Role::Primary);
        metrics.target(&"a".parse().unwrap(), &"a".parse().unwrap());
        metrics.edge("live.example.org");
        let text = metrics.text();
        let dashboard = include_str!("../../../infra/grafana/origin.json");
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let mut asked = 0;
        for name in dashboard.split(|c| !is_name(c)).filter(|word| word.starts_with("railbird_")) {
            assert!(text.contains(&format!("\n{name}{{")), "{name}\n{text}");
            asked += 1;
        }
        assert!(asked >= 12);
    }
}
