//! Feeds that are pushed as fragmented MP4: requests of the same stream key that come beside and after one another are one feed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use railbird_core::cmaf::{Gather, Headers, IDLE_MS_MAX, ORDER_MS, Refusal, Request};
use railbird_core::media::Kind;
use railbird_core::programme::End;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Said, broken_off, refused, silent, stopping, taken_over};
use crate::clock;
use crate::ingest::door::{Door, Slot};
use crate::ingest::feed::Feed;
use crate::ingest::registry::FeedId;

/// How long a request may bring nothing: packagers send a segment at a time.
const SILENT_MAX: Duration = Duration::from_millis(IDLE_MS_MAX);

/// How long a feed's first segment waits for the header that it needs.
const HEADER_DEADLINE: Duration = Duration::from_secs(2);

/// The feeds that are pushed at the moment. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pushes {
    door: Door,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Of as many feeds as there are stream keys. It is held to find one and never longer: what a request brings, and one that
    /// waits for that, holds up its own feed.
    places: Arc<Mutex<BTreeMap<FeedId, Arc<Mutex<Place>>>>>,
}

/// Where the requests of a feed meet. Whoever joins them or ends them holds it.
#[derive(Default)]
struct Place {
    open: Option<Arc<Push>>,
    /// The headers of what has ended.
    kept: Headers,
}

/// A feed that is pushed.
struct Push {
    gathered: Mutex<Gathered>,
    /// The feed was taken over.
    ended: CancellationToken,
    /// Its deadline is another one.
    changed: Notify,
    /// It has a header.
    headed: Notify,
}

struct Gathered {
    gather: Gather,
    /// None once it has ended.
    feed: Option<Feed>,
    /// When a playlist said that it is over.
    over_ms: Option<u64>,
    _slot: Slot,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pushes {
    pub(super) fn new(door: Door, stop: CancellationToken, tasks: TaskTracker) -> Pushes {
        Pushes { door, stop, tasks, places: Arc::default() }
    }

    fn place(&self, of: &FeedId) -> Arc<Mutex<Place>> {
        lock(&self.places).entry(of.clone()).or_default().clone()
    }

    /// An encoder put a playlist of what it pushes.
    pub(super) fn listed(&self, stream_key: &str, over: bool) {
        let Ok(feed) = self.door.feed_of(stream_key) else { return };
        let push = lock(&self.place(&feed)).open.clone();
        if let Some(push) = push {
            let (mut gathered, now) = (lock(&push.gathered), clock::moment());
            if over {
                gathered.over_ms = Some(now.up_ms);
            } else if gathered.over_ms.is_some_and(|at| now.ms_since(at) < ORDER_MS) {
                // ffmpeg waits for no answer before it puts the next one: this one is from before the end.
                return;
            }
            gathered.gather.listed(over, now);
            push.changed.notify_one();
        }
    }

    /// Takes a request, whose first bytes have come, to its end. The error is a refusal that nothing else has noted.
    pub(super) async fn take(
        &self,
        stream_key: &str,
        name: &str,
        peer: &str,
        first: Bytes,
        body: &mut Incoming,
    ) -> Result<Said, Said> {
        let (push, request) = self.join(stream_key, name, peer)?;
        if !matches!(first.get(4..8), Some(b"ftyp" | b"moov")) {
            push.await_header().await;
        }
        let mut next = Some(first);
        let result = loop {
            if let Some(bytes) = next.take()
                && let Err(refusal) = push.bytes(request, &bytes)
            {
                break Err(told(refusal));
            }
            let frame = tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ok(Some(stopping())),
                () = push.ended.cancelled() => break Ok(Some(taken_over())),
                frame = tokio::time::timeout(SILENT_MAX, body.frame()) => frame,
            };
            match frame {
                Ok(Some(Ok(frame))) => next = frame.into_data().ok(),
                Ok(Some(Err(error))) => break Ok(Some(broken_off(&error))),
                Ok(None) => break Ok(None),
                Err(_) => break Ok(Some(silent(SILENT_MAX))),
            }
        };
        let closed = push.close(request, matches!(result, Ok(None)));
        // What was not refused, and did not come to its end, was lost.
        if let Some(lost) = result? {
            tracing::info!(peer, reason = lost.1, "a request of a feed broke off");
            return Ok(lost);
        }
        closed.map_err(told)?;
        Ok((StatusCode::OK, "taken".to_string()))
    }

    /// Begins a request of the feed of this stream key that is pushed, or of a new one.
    fn join(&self, stream_key: &str, name: &str, peer: &str) -> Result<(Arc<Push>, Request), Said> {
        let of = self.door.feed_of(stream_key).map_err(refused)?;
        let place = self.place(&of);
        // What ends a feed holds this, too.
        let mut at = lock(&place);
        let begin = |push: Arc<Push>| {
            let request = lock(&push.gathered).gather.open(name, clock::moment()).map_err(told)?;
            Ok((push, request))
        };
        if let Some(push) = &at.open
            && !push.ended.is_cancelled()
        {
            return begin(push.clone());
        }
        let mut slot = Slot::default();
        let feed = self.door.let_in(&mut slot, stream_key, peer).map_err(refused)?;
        // One that was taken over may not have been seen to its end yet.
        if let Some(before) = &at.open {
            let kept = lock(&before.gathered).gather.headers();
            at.kept = kept;
        }
        let gather = Gather::new(&at.kept, clock::moment())
            .with_sounds(feed.further(Kind::Audio))
            .with_pictures(feed.further(Kind::Video));
        let ended = feed.ended();
        let gathered = Mutex::new(Gathered { gather, feed: Some(feed), over_ms: None, _slot: slot });
        let push = Arc::new(Push { gathered, ended, changed: Notify::new(), headed: Notify::new() });
        at.open = Some(push.clone());
        drop(at);
        self.tasks.spawn(self.clone().keep(place, push.clone()));
        begin(push)
    }

    /// Sees to it that nothing waits too long, and that the feed ends.
    async fn keep(self, place: Arc<Mutex<Place>>, push: Arc<Push>) {
        loop {
            let due = lock(&push.gathered).gather.deadline();
            let after = due.map(|due| Duration::from_millis(due.saturating_sub(clock::moment().up_ms)));
            let forced = tokio::select! {
                biased;
                () = self.stop.cancelled() => Some(stopping().1),
                () = push.ended.cancelled() => Some(taken_over().1),
                () = push.changed.notified() => None,
                () = tokio::time::sleep(after.unwrap_or(SILENT_MAX)) => None,
            };
            // Whoever joins holds this: nobody does while it ends.
            let mut at = lock(&place);
            let mut gathered = lock(&push.gathered);
            gathered.gather.tick(clock::moment());
            gathered.tell();
            let (end, text) = match (forced, gathered.gather.ended(clock::moment())) {
                (Some(text), _) => (End::Lost, text),
                (None, Some(End::InOrder)) => (End::InOrder, "the encoder ended the feed".to_string()),
                (None, Some(End::Lost)) => (End::Lost, "the encoder sends no more requests".to_string()),
                (None, None) => continue,
            };
            gathered.gather.finish(clock::moment());
            gathered.tell();
            if let Some(feed) = gathered.feed.take() {
                feed.end(end, &text);
            }
            if at.open.as_ref().is_some_and(|other| Arc::ptr_eq(other, &push)) {
                (at.open, at.kept) = (None, gathered.gather.headers());
            }
            return;
        }
    }
}

impl Push {
    fn bytes(&self, request: Request, bytes: &Bytes) -> Result<(), Refusal> {
        let mut gathered = lock(&self.gathered);
        let before = gathered.gather.deadline();
        let result = gathered.gather.handle(request, bytes, clock::moment());
        gathered.tell();
        if gathered.gather.deadline() < before || before.is_none() {
            self.changed.notify_one();
        }
        if gathered.gather.has_headers() {
            self.headed.notify_waiters();
        }
        result
    }

    /// Waits a while for the feed's first header: packagers send it beside the first segment.
    async fn await_header(&self) {
        let headed = async {
            loop {
                let notified = self.headed.notified();
                if lock(&self.gathered).gather.has_headers() {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(HEADER_DEADLINE, headed).await;
    }

    fn close(&self, request: Request, whole: bool) -> Result<(), Refusal> {
        let mut gathered = lock(&self.gathered);
        let result = gathered.gather.close(request, whole, clock::moment());
        gathered.tell();
        self.changed.notify_one();
        result
    }
}

impl Gathered {
    fn tell(&mut self) {
        while let Some(told) = self.gather.poll() {
            if let Some(feed) = &mut self.feed {
                // Such a reader refuses by other ways.
                let _ = feed.take(told);
            }
        }
        while let Some(track) = self.gather.poll_other() {
            if let Some(feed) = &self.feed {
                feed.leave_out(&track);
            }
        }
    }
}

/// What the ingest protocol has a refusal answered with.
fn told(refusal: Refusal) -> Said {
    let status = match &refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::NoHeader => StatusCode::PRECONDITION_FAILED,
        Refusal::Codec { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::TooMany => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, refusal.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::ingest::channel::tests::{PATIENCE, door};

    /// One sender's bytes may be much to read; no other channel waits for that.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_feed_whose_bytes_are_being_read_holds_up_no_other_feed() {
        let dir = tempfile::tempdir().unwrap();
        let pushes =
            Pushes::new(door(dir.path(), &["slow", "other"]), CancellationToken::new(), TaskTracker::new());
        let (push, _) = pushes.join("slow", "v", "peer").unwrap();
        let reading = lock(&push.gathered);
        let joined = |key: &'static str| {
            let (pushes, (done, joined), on) =
                (pushes.clone(), mpsc::channel(), tokio::runtime::Handle::current());
            std::thread::spawn(move || {
                let _on = on.enter();
                let joined = pushes.join(key, "a", "peer").map(|(_, request)| request);
                let _ = done.send(joined.is_ok());
            });
            joined
        };
        let slow = joined("slow");
        // That one holds its place now, and waits for what is read.
        let of = pushes.door.feed_of("slow").unwrap();
        let place = pushes.place(&of);
        while place.try_lock().is_ok() {
            std::thread::yield_now();
        }
        let other = joined("other");
        assert_eq!(other.recv_timeout(PATIENCE), Ok(true));
        assert!(slow.try_recv().is_err(), "its own requests wait");
        drop(reading);
        assert_eq!(slow.recv_timeout(PATIENCE), Ok(true));
        pushes.stop.cancel();
    }

    #[tokio::test]
    async fn a_playlist_that_was_overtaken_by_the_last_one_does_not_keep_a_feed_open() {
        let dir = tempfile::tempdir().unwrap();
        let pushes = Pushes::new(door(dir.path(), &["key"]), CancellationToken::new(), TaskTracker::new());
        let (push, request) = pushes.join("key", "v", "peer").unwrap();
        pushes.listed("key", true);
        pushes.listed("key", false);
        let now = clock::moment();
        let mut gathered = lock(&push.gathered);
        let _ = gathered.gather.close(request, true, now);
        assert_eq!(gathered.gather.ended(now.plus_ms(ORDER_MS)), Some(End::InOrder));
        drop(gathered);
        pushes.stop.cancel();
    }
}
