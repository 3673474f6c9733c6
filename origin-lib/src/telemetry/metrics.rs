//! The figures, by feed, target and edge. Names begin with `railbird_`; labels are identifiers and hosts, never secrets.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use railbird_core::id::{ChannelId, NodeId, RenditionId, TargetId};
use railbird_core::media;
use railbird_core::time::MediaSpan;

use super::links::{LinkMetrics, Links};
use super::sessions::{SessionMetrics, Sessions};
use crate::config::Role;
use crate::edge_host;

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge>;
type Seconds = Family<Labels, Gauge<f64, AtomicU64>>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Upper bounds of put times, in seconds.
const PUT_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// All figures of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    families: Families,
}

#[derive(Clone)]
struct Families {
    feed_bytes: Counters,
    feed_frames: Counters,
    feed_segments: Counters,
    feed_connected: Gauges,
    feed_used: Gauges,
    feed_key_interval: Seconds,
    feed_behind: Seconds,
    feed_captured: Seconds,
    rendition_segments: Counters,
    rendition_lost: Counters,
    links: Links,
    sessions: Sessions,
    target_up: Gauges,
    target_queue: Gauges,
    target_refused: Gauges,
    target_puts: Counters,
    target_put_seconds: Histograms,
    target_bytes: Counters,
    target_dropped: Counters,
    node_up: Gauges,
    edge_up: Gauges,
    edge_pushes: Counters,
    edge_lag: Seconds,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Metrics {
        let histogram: fn() -> Histogram = || Histogram::new(PUT_SECONDS);
        let families = Families {
            feed_bytes: Family::default(),
            feed_frames: Family::default(),
            feed_segments: Family::default(),
            feed_connected: Family::default(),
            feed_used: Family::default(),
            feed_key_interval: Family::default(),
            feed_behind: Family::default(),
            feed_captured: Family::default(),
            rendition_segments: Family::default(),
            rendition_lost: Family::default(),
            links: Links::default(),
            sessions: Sessions::default(),
            target_up: Family::default(),
            target_queue: Family::default(),
            target_refused: Family::default(),
            target_puts: Family::default(),
            target_put_seconds: Family::new_with_constructor(histogram),
            target_bytes: Family::default(),
            target_dropped: Family::default(),
            node_up: Family::default(),
            edge_up: Family::default(),
            edge_pushes: Family::default(),
            edge_lag: Family::default(),
        };
        let mut r = Registry::with_prefix("railbird");
        let f = families.clone();
        r.register("feed_bytes", "Bytes of media received from a feed", f.feed_bytes);
        r.register("feed_frames", "Access units received from a feed", f.feed_frames);
        r.register("feed_segments", "Segments made from a feed", f.feed_segments);
        r.register("feed_connected", "1 while an encoder publishes the feed", f.feed_connected);
        r.register("feed_used", "1 while the channel is made of the feed", f.feed_used);
        r.register(
            "feed_key_interval_seconds",
            "Time between the last two random access points of a feed",
            f.feed_key_interval,
        );
        r.register(
            "feed_behind_seconds",
            "By how much a feed's last random access point lies behind its arrival on media time: where it is another than at a calibration, the picture's delay is another, too",
            f.feed_behind,
        );
        r.register(
            "feed_captured_seconds",
            "How long before its arrival the encoder says that it captured what it sends (onFI), if both clocks are right",
            f.feed_captured,
        );
        r.register(
            "rendition_segments",
            "Segments made of a rendition that has feeds of its own",
            f.rendition_segments,
        );
        r.register("rendition_lost", "Segments of such a rendition that are gaps", f.rendition_lost);
        f.links.register(&mut r);
        f.sessions.register(&mut r);
        r.register("target_up", "1 while the target takes objects", f.target_up);
        r.register("target_queue", "Objects that wait for a target", f.target_queue);
        r.register("target_refused", "Objects among them that the target has refused", f.target_refused);
        r.register("target_puts", "Puts to a target by result", f.target_puts);
        r.register("target_put_seconds", "How long acknowledged puts took", f.target_put_seconds);
        r.register("target_bytes", "Bytes that a target acknowledged", f.target_bytes);
        r.register(
            "target_dropped",
            "Objects that left a full queue, to come again from the disk",
            f.target_dropped,
        );
        r.register("node_up", "1 while what was written can be read through the node", f.node_up);
        r.register("edge_up", "1 while an edge takes what is pushed", f.edge_up);
        r.register("edge_pushes", "Pushes to an edge by result", f.edge_pushes);
        r.register(
            "edge_lag_seconds",
            "Time from the last change of a document to its arrival at the edge",
            f.edge_lag,
        );
        r.register(
            "log_lost",
            "Lines of the log that were lost because nobody read it",
            super::lines::lost(),
        );
        Metrics { registry: Arc::new(Mutex::new(r)), families }
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
        let f = &self.families;
        let mut labels = vec![("channel", channel.to_string()), ("feed", role.as_str().to_string())];
        labels.extend(rendition.map(|rendition| ("rendition", rendition.to_string())));
        let kind = |kind: &str| [labels.clone(), vec![("kind", kind.to_string())]].concat();
        FeedMetrics {
            bytes: f.feed_bytes.get_or_create_owned(&labels),
            video: f.feed_frames.get_or_create_owned(&kind("video")),
            audio: f.feed_frames.get_or_create_owned(&kind("audio")),
            segments: f.feed_segments.get_or_create_owned(&labels),
            connected: f.feed_connected.get_or_create_owned(&labels),
            used: f.feed_used.get_or_create_owned(&labels),
            key_interval: f.feed_key_interval.get_or_create_owned(&labels),
            behind: f.feed_behind.get_or_create_owned(&labels),
            captured: (f.feed_captured.clone(), labels),
            links: f.links.clone(),
            sessions: f.sessions.clone(),
        }
    }

    /// The figures of a rendition that has feeds of its own, all there from now on.
    pub fn rendition(&self, channel: &ChannelId, rendition: &RenditionId) -> RenditionMetrics {
        let f = &self.families;
        let labels = vec![("channel", channel.to_string()), ("rendition", rendition.to_string())];
        RenditionMetrics {
            made: f.rendition_segments.get_or_create_owned(&labels),
            lost: f.rendition_lost.get_or_create_owned(&labels),
        }
    }

    /// The figures of one target and its node.
    pub fn target(&self, target: &TargetId, node: &NodeId) -> TargetMetrics {
        let f = &self.families;
        let labels = vec![("target", target.to_string())];
        let result = |result: PutResult| {
            let label = ("result", result.label().to_string());
            f.target_puts.get_or_create_owned(&[labels.clone(), vec![label]].concat())
        };
        TargetMetrics {
            up: f.target_up.get_or_create_owned(&labels),
            queue: f.target_queue.get_or_create_owned(&labels),
            refused: f.target_refused.get_or_create_owned(&labels),
            puts: PutResult::ALL.map(result),
            put_seconds: f.target_put_seconds.get_or_create_owned(&labels),
            bytes: f.target_bytes.get_or_create_owned(&labels),
            dropped: f.target_dropped.get_or_create_owned(&labels),
            node_up: f.node_up.get_or_create_owned(&vec![("node", node.to_string())]),
        }
    }

    /// The figures of one edge, by its host.
    pub fn edge(&self, host: &str) -> EdgeMetrics {
        let f = &self.families;
        let labels = vec![("edge", host.to_string())];
        let result = |result: PushResult| {
            let label = ("result", result.label().to_string());
            f.edge_pushes.get_or_create_owned(&[labels.clone(), vec![label]].concat())
        };
        EdgeMetrics {
            up: f.edge_up.get_or_create_owned(&labels),
            pushes: PushResult::ALL.map(result),
            lag: f.edge_lag.get_or_create_owned(&labels),
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
    key_interval: Gauge<f64, AtomicU64>,
    behind: Gauge<f64, AtomicU64>,
    /// Made when there is something to say: most encoders say nothing.
    captured: (Seconds, Labels),
    links: Links,
    sessions: Sessions,
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
    lag: Gauge<f64, AtomicU64>,
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

#[cfg(test)]
mod tests {
    use railbird_core::score::{Event, Position};

    use super::*;
    use crate::score::{Measured, Scores, Told};

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
