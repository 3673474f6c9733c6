//! What a channel's playlists promise, from the desk, which makes the promise, to the feeds, which must keep it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// `EXT-X-TARGETDURATION` of a channel's playlists, once a segment of the recording was made. Cheap to clone: all clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Promise(Arc<AtomicU32>);

impl Promise {
    /// The promise, in seconds; `None` where there is none.
    pub fn target_s(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|target_s| *target_s > 0)
    }

    /// This is promised from now on.
    pub fn set(&self, target_s: Option<u32>) {
        self.0.store(target_s.unwrap_or(0), Ordering::Relaxed);
    }
}
