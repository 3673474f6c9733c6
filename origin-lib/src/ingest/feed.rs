//! One publish of a feed: its messages become events of its channel's programme.

use std::time::Duration;

use bytes::Bytes;
use railbird_core::flv::{self, Demux, TagKind};
use railbird_core::media::{self, FeedEvent, Frame};
use railbird_core::programme::End;
use railbird_core::time::MediaTime;
use railbird_core::ts;
use tokio_util::sync::CancellationToken;

use super::Lease;
use super::sink::Sink;
use crate::clock;
use crate::telemetry::{FeedMetrics, LinkMetrics, SessionMetrics};

/// One publish of a feed.
pub struct Feed {
    lease: Lease,
    peer: String,
    /// What its messages go through, where it comes by RTMP.
    demux: Demux,
    /// What its bytes go through, where it comes as an MPEG transport stream.
    stream: ts::Demux,
    sink: Sink,
    /// How logs name it among its channel's.
    label: String,
    metrics: FeedMetrics,
    skipped: u64,
    /// Whether its picture never came, as it was noted last.
    lacked_picture: Option<bool>,
    /// A frame of it was of use.
    taken: bool,
    /// How many frames it had, up to [`FRAMES_AT_ONCE`].
    frames: u32,
    last_key_ms: Option<i64>,
    /// How far the last two key frames are apart, in milliseconds.
    key_interval_ms: Option<u64>,
    /// When the last key frame is shown, on the feed's clock: what came before ends there.
    key_shown_ms: i64,
    /// The newest picture's timestamp, and that of the newest sound.
    newest_ms: (i64, i64),
    /// So many key frames in a row came too late for the channel's segments.
    late_keys: u32,
    /// Since when there are pictures and no key frame was among them, or it was said again, on the feed's clock.
    keyless_ms: Option<i64>,
    /// It was said that there is no key frame.
    is_keyless: bool,
}

/// The log says it where so many key frames in a row came too late: one may, where the encoder was held up.
const LATE_KEYS: u32 = 2;

/// It is said, and said again, where there is no key frame among the pictures for so long, in milliseconds of the feed's clock. Nothing can be
/// made of them. H.264 in open groups, or refreshed bit by bit, has one at the encoder's beginning only: who comes back, or comes
/// in by a relay, begins without one.
const KEYLESS_MS: i64 = 10_000;

/// What that says.
const KEYLESS: &str = "is no use so far: no key frame (IDR) is among its pictures: set the encoder to closed groups of pictures, without \
                       intra refresh, and its key frame interval to 2 s";

/// So many frames of a publish are taken as they come: by when they come, its timestamps get their place.
const FRAMES_AT_ONCE: u32 = 100;

/// So close to where a segment is expected to end, in milliseconds of the feed's clock, nothing waits: twice as long as what may wait does.
const END_DUE_MS: u64 = 80;

impl Feed {
    /// The publisher was let in, and where it goes knows it.
    pub(super) fn begin(lease: Lease, peer: &str, sink: Sink) -> Feed {
        let (metrics, label) = (sink.metrics(), lease.feed.label());
        metrics.connected(true);
        tracing::info!(channel = %lease.feed.channel, feed = label, peer, "feed began");
        let (sounds, pictures) = (sink.further(media::Kind::Audio), sink.further(media::Kind::Video));
        Feed {
            lease,
            peer: peer.to_string(),
            demux: Demux::new().with_sounds(sounds).with_pictures(pictures),
            stream: ts::Demux::new()
                .with_sounds(sounds)
                .with_pictures(pictures)
                .without_waiting(sink.is_pictureless()),
            sink,
            label,
            metrics,
            skipped: 0,
            lacked_picture: None,
            taken: false,
            frames: 0,
            last_key_ms: None,
            key_interval_ms: None,
            key_shown_ms: 0,
            newest_ms: (0, 0),
            late_keys: 0,
            keyless_ms: None,
            is_keyless: false,
        }
    }

    /// The numbers of the further tracks of this kind that are wanted of it.
    pub fn further(&self, kind: media::Kind) -> &[u8] {
        self.sink.further(kind)
    }

    /// Set when the feed must end.
    pub fn ended(&self) -> CancellationToken {
        self.lease.ended.clone()
    }

    /// Takes one message. An error is a reason to refuse the feed.
    pub fn media(&mut self, kind: TagKind, timestamp_ms: u32, payload: Bytes) -> Result<(), flv::Error> {
        if let Err(error) = self.demux.handle(kind, timestamp_ms, payload) {
            self.no_use(error)?;
        }
        if let Some(time) = self.demux.take_captured() {
            self.event(FeedEvent::Captured(time.captured(clock::now())));
        }
        while let Some(event) = self.demux.poll() {
            self.event(event);
        }
        while let Some(track) = self.demux.poll_other() {
            self.leave_out(&track);
        }
        Ok(())
    }

    /// Says that a track of the encoder is not used.
    pub fn leave_out(&self, track: &str) {
        let (channel, feed) = (&self.lease.feed.channel, &self.label);
        tracing::warn!(%channel, feed, track, "a further track of the feed is left out: one of each kind is taken, and those that [[channel.audio]] and [[channel.video]] name");
    }

    /// Takes the next bytes of an MPEG transport stream. An error is a reason to refuse the feed.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ts::Error> {
        self.stream.handle(bytes);
        self.told()
    }

    /// Takes what a demultiplexer told that its caller drives. An error is a reason to refuse the feed.
    pub fn take(&mut self, told: Result<FeedEvent, flv::Error>) -> Result<(), flv::Error> {
        match told {
            Ok(event) => self.event(event),
            Err(error) => self.no_use(error)?,
        }
        Ok(())
    }

    /// Where this timestamp lies on the channel's media time, once that is known.
    pub fn place(&self, feed_ms: i64) -> Option<MediaTime> {
        self.sink.media(feed_ms)
    }

    /// The channel's segment duration, in milliseconds.
    pub fn segment_ms(&self) -> u32 {
        self.sink.segment_ms()
    }

    /// The figures of a session by which it comes.
    pub fn session_metrics(&self) -> SessionMetrics {
        self.metrics.session()
    }

    /// Where the figures of the link by which it comes go.
    pub fn link_metrics(&self) -> LinkMetrics {
        self.metrics.link()
    }

    /// The encoder ended its transport stream: what is open of it is whole.
    pub fn whole(&mut self) -> Result<(), ts::Error> {
        self.stream.end();
        self.told()
    }

    /// Whether the bytes were a transport stream so far.
    pub fn is_transport_stream(&self) -> bool {
        self.stream.has_packets()
    }

    fn told(&mut self) -> Result<(), ts::Error> {
        while let Some(told) = self.stream.poll() {
            self.take(told)?;
        }
        if let Some(lacked) = self.stream.lacked_picture()
            && self.lacked_picture.replace(lacked) != Some(lacked)
        {
            self.sink.set_pictureless(lacked);
        }
        Ok(())
    }

    /// What is no use is counted; what makes the whole feed useless is an error.
    fn no_use(&mut self, error: flv::Error) -> Result<(), flv::Error> {
        match error {
            flv::Error::Skip(_) => {
                self.skipped += 1;
                if self.skipped == 1 {
                    tracing::warn!(channel = %self.lease.feed.channel, %error, "a piece of the feed is no use; further ones are counted");
                }
                Ok(())
            }
            refusal => {
                tracing::warn!(channel = %self.lease.feed.channel, peer = self.peer, reason = %refusal, "feed refused");
                self.sink.complain(format!("is refused: {refusal}"));
                Err(refusal)
            }
        }
    }

    fn event(&mut self, event: FeedEvent) {
        let (channel, feed) = (&self.lease.feed.channel, &self.label);
        let mut key_ms = None;
        match &event {
            FeedEvent::Video(video) => {
                tracing::info!(%channel, feed, codec = video.codec, "video {}x{}", video.width, video.height);
            }
            FeedEvent::Audio(audio) => {
                tracing::info!(%channel, feed, codec = audio.codec, "audio {} Hz", audio.sample_rate);
            }
            FeedEvent::Frame(frame) => {
                key_ms = (frame.kind == media::Kind::Video && frame.key).then_some(frame.dts_ms);
                self.count(frame);
                if !std::mem::replace(&mut self.taken, true) {
                    self.sink.accept();
                }
            }
            FeedEvent::Captured(captured) if captured.by_encoder => {
                self.metrics.captured(clock::now().media() - captured.utc.media());
            }
            FeedEvent::Captured(_) => {}
            FeedEvent::Splice(splice) => {
                let section = splice.section.hexadecimal();
                tracing::debug!(%channel, feed, section, "splice information");
            }
            FeedEvent::Further { track, event } => {
                if let FeedEvent::Audio(audio) = &**event {
                    let codec = &audio.codec;
                    tracing::info!(%channel, feed, track, codec, "further audio {} Hz", audio.sample_rate);
                }
            }
            FeedEvent::Language { track, language } => {
                tracing::info!(%channel, feed, track, %language, "language of the sound");
            }
        }
        self.sink.handle(event);
        if let Some(behind) = key_ms.and_then(|feed_ms| self.sink.behind(feed_ms)) {
            self.metrics.behind(behind);
        }
    }

    /// Whether what comes of it may wait for a moment: it goes on, nobody waits for less than a segment, and what comes next ends none.
    /// When the first segment ends, nothing tells before its second key frame.
    pub(super) fn may_wait(&self) -> bool {
        self.frames >= FRAMES_AT_ONCE && !self.sink.is_low_latency() && !self.is_end_due()
    }

    /// Whether a segment is about to end, or should have a moment ago: at the next key frame, if it is as far from the last one as that
    /// from the one before, and once there is sound up to it.
    fn is_end_due(&self) -> bool {
        let (Some(last), (picture, sound)) = (self.last_key_ms, self.newest_ms) else { return false };
        let near = |due: i64| due.abs_diff(picture) <= END_DUE_MS;
        let Some(interval) = self.key_interval_ms else { return true };
        near(last.saturating_add_unsigned(interval)) || (near(last) && sound < self.key_shown_ms)
    }

    fn count(&mut self, frame: &Frame) {
        self.frames = self.frames.saturating_add(1).min(FRAMES_AT_ONCE);
        self.metrics.frame(frame.kind, frame.data.len());
        self.look_for_key(frame);
        match frame.kind {
            media::Kind::Video => self.newest_ms.0 = frame.dts_ms,
            media::Kind::Audio => self.newest_ms.1 = frame.dts_ms,
        }
        if frame.kind == media::Kind::Video && frame.key {
            let since = self.last_key_ms.replace(frame.dts_ms).map(|last| frame.dts_ms.saturating_sub(last));
            self.key_shown_ms = frame.dts_ms.saturating_add(i64::from(frame.cts) / 90);
            self.key_interval_ms = since.and_then(|ms| u64::try_from(ms).ok());
            if let Some(ms) = self.key_interval_ms {
                self.metrics.key_interval(Duration::from_millis(ms));
                self.warn_if_late(ms);
            }
        }
    }

    /// Says that nothing can be made of its pictures, as long as that is so.
    fn look_for_key(&mut self, frame: &Frame) {
        if frame.kind != media::Kind::Video || self.last_key_ms.is_some() {
            return;
        }
        if frame.key {
            if std::mem::take(&mut self.is_keyless) {
                self.sink.accept();
            }
            return;
        }
        // The clock may jump.
        let goes_on = frame.dts_ms.abs_diff(self.newest_ms.0) < KEYLESS_MS.unsigned_abs();
        let since = self.keyless_ms.filter(|_| goes_on).unwrap_or(frame.dts_ms);
        let is_due = frame.dts_ms.saturating_sub(since) >= KEYLESS_MS;
        self.keyless_ms = Some(if is_due { frame.dts_ms } else { since });
        if is_due {
            if !std::mem::replace(&mut self.is_keyless, true) {
                tracing::warn!(channel = %self.lease.feed.channel, feed = self.label, "the feed {KEYLESS}");
            }
            self.sink.complain(KEYLESS.to_string());
        }
    }

    /// Says that segments are much longer than they should be: once a publish.
    fn warn_if_late(&mut self, interval_ms: u64) {
        let segment_ms = u64::from(self.segment_ms());
        if self.late_keys >= LATE_KEYS {
            return;
        }
        self.late_keys = if interval_ms > 2 * segment_ms { self.late_keys + 1 } else { 0 };
        if self.late_keys == LATE_KEYS {
            let (channel, feed) = (&self.lease.feed.channel, &self.label);
            tracing::warn!(%channel, feed, interval_ms, segment_ms, "key frames are so far apart that segments are as long, and viewers so much later: set the encoder's key frame interval to the segment's length");
        }
    }

    /// Whether a key frame has come.
    pub fn has_key_frame(&self) -> bool {
        self.last_key_ms.is_some()
    }

    /// The publish is over, in this way and for this reason.
    pub fn end(mut self, end: End, reason: &str) {
        while let Some(event) = self.demux.poll() {
            self.event(event);
        }
        let counts = self.sink.end(end);
        if self.lease.is_current() {
            self.metrics.connected(false);
        }
        tracing::info!(
            channel = %self.lease.feed.channel,
            feed = self.label,
            peer = self.peer,
            reason,
            left_out = counts.early + counts.stragglers + counts.empty,
            skipped = self.skipped,
            jumps = counts.jumps,
            "feed ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use railbird_core::hex;
    use railbird_core::rtmp::amf0::Value;
    use railbird_core::time::UtcMs;

    use super::*;
    use crate::ingest::channel::tests::door;
    use crate::ingest::door::Slot;

    #[tokio::test]
    async fn why_an_encoder_was_refused_is_said_until_it_sends_what_can_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let door = door(dir.path(), &["key"]);
        let mut feed = door.let_in(&mut Slot::default(), "key", "peer").unwrap();
        let said = || door.channels().unwell();
        assert_eq!(said(), []);
        // Sorenson's H.263.
        assert!(feed.media(TagKind::Video, 0, Bytes::from_static(&[0x12, 0, 0, 0])).is_err());
        feed.end(End::Lost, "refused");
        let [(part, channel, reason)] = &said()[..] else { panic!("{:?}", said()) };
        assert!(
            (*part, &channel[..]) == ("feed", "key") && reason.starts_with("its primary feed is refused: "),
            "{reason}"
        );
        let mut feed = door.let_in(&mut Slot::default(), "key", "peer").unwrap();
        assert_eq!(said().len(), 1, "it may be the same again");
        let data = Bytes::from_static(b"x");
        let frame = Frame { kind: media::Kind::Audio, dts_ms: 0, cts: 0, key: true, leading: false, data };
        feed.take(Ok(FeedEvent::Frame(frame))).unwrap();
        assert_eq!(said(), []);
    }

    #[tokio::test]
    async fn a_feed_without_a_key_frame_is_told_of_until_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let door = door(dir.path(), &["key"]);
        let mut feed = door.let_in(&mut Slot::default(), "key", "peer").unwrap();
        let mut picture = |dts_ms: i64, key| {
            let data = Bytes::from_static(b"x");
            let frame = Frame { kind: media::Kind::Video, dts_ms, cts: 0, key, leading: false, data };
            feed.take(Ok(FeedEvent::Frame(frame))).unwrap();
            door.channels().unwell().into_iter().map(|(_, _, text)| text).collect::<Vec<_>>()
        };
        let told = format!("its primary feed {KEYLESS}");
        // The clock jumps once.
        for n in 0..249 {
            assert!(picture(3_600_000 + n * 40, false).is_empty());
        }
        for n in 0..250 {
            assert!(picture(n * 40, false).is_empty(), "{n}");
        }
        assert_eq!(picture(10_000, false), [told]);
        assert!(picture(10_040, true).is_empty());
        for n in 0..500 {
            assert!(
                picture(10_080 + n * 40, false).is_empty(),
                "there was one: that it comes late is told otherwise"
            );
        }
    }

    #[tokio::test]
    async fn nothing_waits_where_a_segment_is_about_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let door = door(dir.path(), &["key"]);
        let mut feed = door.let_in(&mut Slot::default(), "key", "peer").unwrap();
        // 25 pictures a second, shown 80 ms after they are decoded; with sound, or without.
        let mut may_wait = |dts_ms: i64, key: bool, sound: bool| {
            let frame = |kind, cts, key| {
                let data = Bytes::from_static(b"x");
                Ok(FeedEvent::Frame(Frame { kind, dts_ms, cts, key, leading: false, data }))
            };
            feed.take(frame(media::Kind::Video, 80 * 90, key)).unwrap();
            if sound {
                feed.take(frame(media::Kind::Audio, 0, true)).unwrap();
            }
            feed.may_wait()
        };
        // A key frame every two seconds.
        let waits: Vec<bool> = (0..200).map(|nth| may_wait(nth * 40, nth % 50 == 0, true)).collect();
        let at_once: Vec<usize> = (60..200).filter(|nth| !waits[*nth]).collect();
        assert_eq!(at_once, [98, 99, 100, 101, 148, 149, 150, 151, 198, 199]);
        assert!(
            !waits[..52].contains(&true),
            "a feed begins as it comes, up to the end of its first segment"
        );
        assert!(waits[52..98].iter().all(|waits| *waits));
        // The key frame does not come: soon nobody waits for it any more.
        let waits: Vec<bool> = (200..250).map(|nth| may_wait(nth * 40, false, true)).collect();
        assert_eq!(waits.iter().position(|waits| *waits), Some(3));
        assert!(!waits[3..].contains(&false));
        // Nor for sound that does not come.
        let waits: Vec<bool> = (250..300).map(|nth| may_wait(nth * 40, nth == 250, false)).collect();
        assert_eq!(waits.iter().position(|waits| *waits), Some(3));
    }

    #[tokio::test]
    async fn by_rtmp_pictures_lie_where_the_encoder_says_that_it_captured_them() {
        let header = "17000000000164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800";
        let picture = "1701000000000000026588";
        let begun = |ago_ms: u64| {
            let dir = tempfile::tempdir().unwrap();
            let door = door(dir.path(), &["key"]);
            let mut feed = door.let_in(&mut Slot::default(), "key", "peer").unwrap();
            let utc = UtcMs(clock::now().0 - ago_ms);
            let (ms, s) = (utc.0 % 1000, utc.0 / 1000 % 86_400);
            let time = format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60);
            let mut body = Vec::new();
            Value::from("onFI").encode(&mut body);
            Value::Object([("st".to_owned(), Value::from(&time[..]))].into()).encode(&mut body);
            feed.media(TagKind::Data, 7_000, body.into()).unwrap();
            for message in [header, picture] {
                feed.media(TagKind::Video, 7_000, hex::decode(message).unwrap().into()).unwrap();
            }
            (feed.place(7_000).unwrap(), utc.media())
        };
        let (place, captured) = begun(4_000);
        assert_eq!(place, captured);
        // A clock that is wrong is not gone by.
        let (place, captured) = begun(60_000);
        assert!(place > captured, "{place:?} {captured:?}");
    }
}
