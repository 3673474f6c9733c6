//! One publish of a feed: its messages become objects on their way to the disk.

use std::time::Duration;

use bytes::Bytes;
use railbird_core::flv::{self, Demux, TagKind};
use railbird_core::id::RenditionId;
use railbird_core::keys::MasterSecret;
use railbird_core::media::{self, FeedEvent, Frame};
use railbird_core::package::{Kind, Note, Output as Packaged, Packager, Settings};
use railbird_core::state::Phase;
use railbird_core::time::UtcMs;
use tokio_util::sync::CancellationToken;

use super::Lease;
use crate::driver::{Made, Message, Sender};
use crate::spool::Spool;
use crate::telemetry::{FeedMetrics, Metrics};

/// Where the objects of all feeds go.
#[derive(Clone)]
pub struct Output {
    /// The disk.
    pub spool: Spool,
    /// The desk.
    pub desk: Sender,
    /// The rendition that every feed becomes: what the encoder sent, unchanged.
    pub rendition: RenditionId,
    /// Where content keys come from.
    pub secret: MasterSecret,
    /// Where figures are kept.
    pub metrics: Metrics,
}

/// One publish of a feed.
pub struct Feed {
    lease: Lease,
    peer: String,
    demux: Demux,
    packager: Packager,
    output: Output,
    metrics: FeedMetrics,
    skipped: u64,
    last_key_ms: Option<i64>,
    /// The spool refuses objects: said once, until it takes one again.
    behind: bool,
}

impl Feed {
    /// The publisher was let in.
    pub fn begin(lease: Lease, peer: &str, output: Output) -> Feed {
        let settings = Settings {
            channel: lease.channel.clone(),
            rendition: output.rendition.clone(),
            segment_ms: lease.segment_ms,
            key_period_s: lease.key_period_s,
            secret: output.secret.clone(),
        };
        let metrics = output.metrics.feed(&lease.channel, lease.role);
        metrics.connected(true);
        tracing::info!(channel = %lease.channel, feed = lease.role.as_str(), peer, "feed began");
        let packager = Packager::new(settings, lease.end());
        let feed = Feed {
            lease,
            peer: peer.to_string(),
            demux: Demux::new(),
            packager,
            output,
            metrics,
            skipped: 0,
            last_key_ms: None,
            behind: false,
        };
        feed.tell(Phase::Live);
        feed
    }

    /// Set when the feed must end.
    pub fn ended(&self) -> CancellationToken {
        self.lease.ended.clone()
    }

    /// Takes one message. An error is a reason to refuse the feed.
    pub fn media(
        &mut self,
        kind: TagKind,
        timestamp_ms: u32,
        payload: Bytes,
        now: UtcMs,
    ) -> Result<(), flv::Error> {
        match self.demux.handle(kind, timestamp_ms, payload) {
            Ok(()) => {}
            Err(error @ flv::Error::Skip(_)) => {
                self.skipped += 1;
                if self.skipped == 1 {
                    tracing::warn!(channel = %self.lease.channel, %error, "a message of the feed is no use; further ones are counted");
                }
            }
            Err(refusal) => {
                tracing::warn!(channel = %self.lease.channel, peer = self.peer, reason = %refusal, "feed refused");
                return Err(refusal);
            }
        }
        while let Some(event) = self.demux.poll() {
            self.event(event, now);
        }
        Ok(())
    }

    fn event(&mut self, event: FeedEvent, now: UtcMs) {
        let channel = &self.lease.channel;
        match &event {
            FeedEvent::Video(video) => {
                tracing::info!(%channel, codec = video.codec, "video {}x{}", video.width, video.height);
            }
            FeedEvent::Audio(audio) => {
                tracing::info!(%channel, codec = audio.codec, "audio {} Hz", audio.sample_rate);
            }
            FeedEvent::Frame(frame) => self.count(frame),
        }
        self.packager.handle(event, now);
        self.deliver();
    }

    fn count(&mut self, frame: &Frame) {
        self.metrics.frame(frame.kind, frame.data.len());
        if frame.kind == media::Kind::Video && frame.key {
            let since = self.last_key_ms.replace(frame.dts_ms).map(|last| frame.dts_ms.saturating_sub(last));
            if let Some(ms) = since.and_then(|ms| u64::try_from(ms).ok()) {
                self.metrics.key_interval(Duration::from_millis(ms));
            }
        }
    }

    /// Hands over what the packager made.
    fn deliver(&mut self) {
        while let Some(output) = self.packager.poll() {
            match output {
                Packaged::Object(object) => {
                    // A connection that was taken over must not write into its successor's time.
                    if !self.lease.advance(self.packager.end()) {
                        continue;
                    }
                    if matches!(object.kind, Kind::Segment { .. }) {
                        self.metrics.segment();
                    }
                    let made = Made { channel: self.lease.channel.clone(), object };
                    self.write(made);
                }
                Packaged::Note(note) => self.note(note),
            }
        }
    }

    fn write(&mut self, made: Made) {
        match self.output.spool.write(made) {
            Ok(()) => self.behind = false,
            Err(error) => {
                if !std::mem::replace(&mut self.behind, true) {
                    tracing::error!(channel = %self.lease.channel, %error, "segments are lost until the disk is faster");
                }
            }
        }
    }

    fn note(&self, note: Note) {
        let channel = &self.lease.channel;
        match note {
            Note::Anchored(anchor) => {
                tracing::info!(%channel, feed_ms = anchor.feed_ms, utc = %anchor.utc, "timeline anchored");
            }
            Note::Jumped(anchor) => {
                let (feed_ms, utc) = (anchor.feed_ms, anchor.utc);
                tracing::warn!(%channel, feed_ms, %utc, "the encoder's clock jumped: a discontinuity, and a new anchor");
            }
            Note::Forced(bound) => tracing::warn!(%channel, "{bound}"),
        }
    }

    fn tell(&self, phase: Phase) {
        let channel = self.lease.channel.clone();
        if self.lease.is_current() && self.output.desk.try_send(Message::Phase { channel, phase }).is_err() {
            tracing::error!(channel = %self.lease.channel, "the desk is overloaded: viewers see an old state");
        }
    }

    /// The publish has ended; its last segment is made.
    pub fn end(mut self, reason: &str) {
        while let Some(event) = self.demux.poll() {
            self.event(event, crate::clock::now());
        }
        self.packager.finish();
        self.deliver();
        if self.lease.is_current() {
            self.metrics.connected(false);
        }
        self.tell(Phase::Waiting);
        let counts = self.packager.counts();
        let left_out = counts.timeline.early
            + counts.timeline.stragglers
            + counts.segment.leading
            + counts.segment.unusable;
        tracing::info!(
            channel = %self.lease.channel,
            peer = self.peer,
            reason,
            left_out,
            skipped = self.skipped,
            jumps = counts.timeline.jumps,
            "feed ended"
        );
    }
}
