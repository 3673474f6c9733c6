//! The score that a channel carries inside of its segments.

use std::sync::Arc;

use railbird_core::fmp4;
use railbird_core::score::Document;
use railbird_core::time::MediaSpan;
use tokio::sync::watch;

use super::Inner;
use crate::clock;

/// So many scores are at hand for segments, from the one on that was in force when the oldest open segment began.
const SCORES_MAX: usize = 256;

/// A segment that is open began at most so long ago, in milliseconds.
const AGE_MS_MAX: i64 = 60_000;

/// The score of a channel that carries it inside of its segments.
pub(super) type Scored = watch::Receiver<Option<Arc<Document>>>;

impl Inner {
    /// Has segments carry the score as it is now.
    pub(super) fn score(&mut self) {
        let Some(scored) = self.scored.as_mut().filter(|scored| scored.has_changed().unwrap_or(false)) else {
            return;
        };
        let document = scored.borrow_and_update().clone();
        // A segment that is still open may have begun a while ago.
        let since = clock::now().media() + MediaSpan::from_ms(-AGE_MS_MAX);
        let events = document.iter().flat_map(|document| {
            let from = document.entries.partition_point(|entry| entry.at <= since).saturating_sub(1);
            let about = document.entries.iter().skip(from).take(SCORES_MAX);
            about.filter_map(|entry| {
                let message = document.tag(entry)?.into();
                Some(fmp4::Event { at: entry.at, id: u32::try_from(entry.seq).unwrap_or(u32::MAX), message })
            })
        });
        self.programme.set_events(events.collect());
    }
}
