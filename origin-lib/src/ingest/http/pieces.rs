//! Encoders that send each piece of a transport stream as a request of its own, as some do that were made for files: each would
//! be a feed that begins and ends, with a discontinuity in what viewers see and what is recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many requests in a row without a picture, and no more are taken.
const PIECES_MAX: u32 = 8;

/// For so long after the last of them.
const CLOSED: Duration = Duration::from_secs(10);

/// What such an encoder is told.
pub(super) const TOLD: &str = "each piece of the stream comes as a request of its own: set an encoder that sends one long request \
                               (GStreamer: curlhttpsink, not souphttpclientsink), or fragmented MP4";

/// What came of the requests of each stream key. There are no more of them than the configuration has.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    by_key: Arc<Mutex<HashMap<String, (u32, Instant)>>>,
}

impl Pieces {
    /// Whether a request of this stream key is taken.
    pub(super) fn may_begin(&self, key: &str, now: Instant) -> bool {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        by_key.get(key).is_none_or(|(count, last)| *count < PIECES_MAX || now - *last >= CLOSED)
    }

    /// A request that was taken is over. `whole`: it had a picture to begin with, or went on for a while.
    pub(super) fn ended(&self, key: &str, whole: bool, now: Instant) {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if whole {
            by_key.remove(key);
            return;
        }
        let (count, last) = by_key.entry(key.to_string()).or_insert((0, now));
        *count = if now - *last >= CLOSED { 1 } else { count.saturating_add(1) };
        *last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_sends_pieces_is_refused_for_a_while_and_who_sends_pictures_never_is() {
        let pieces = Pieces::default();
        let is_open = || pieces.may_begin("key", Instant::now());
        for _ in 0..PIECES_MAX {
            assert!(is_open());
            pieces.ended("key", false, Instant::now());
        }
        assert!(!is_open());
        assert!(pieces.may_begin("other", Instant::now()));
        tokio::time::advance(CLOSED).await;
        assert!(is_open());
        pieces.ended("key", false, Instant::now());
        assert!(is_open(), "it is counted anew");
        for n in 0..PIECES_MAX * 3 {
            pieces.ended("key", n % 4 == 0, Instant::now());
            assert!(is_open());
        }
    }
}
