//! One anchor for two origins: whichever sees a feed first writes its anchor into a store, and the other adopts it. Then both
//! give every segment the same name and bytes (DESIGN.md, invariant 3).
//!
//! A feed's anchors are objects `{channel}/anchors/{role}/{number}.json`. Numbers count down, so that a list begins with the
//! newest. An origin lists, reads the newest few, and adopts the first that [fits](Anchor::fits) its feed. Where none does:
//!
//! - On a store that honours conditional create, it creates the next number with its own anchor. If the other was faster,
//!   it reads the other's.
//! - On a store that does not, it writes a candidate, `{number}-{utc}-{origin}.json`, waits [`SETTLE`], and lists again: the
//!   first fitting name counts, for both alike.
//!
//! The race of the second way: A lists a last time before B's candidate is there, and adopts its own; B's sorts before it, and
//! B adopts that. It is closed by [`WINDOW`]: an origin that needs longer from the begin of its first list to the end of its
//! write gives up, and says so. For if A's last list missed B's candidate, B's write ended later than [`SETTLE`] after A's
//! had ended; as [`SETTLE`] is no shorter than [`WINDOW`], B's first list then began when A's candidate was there already,
//! and B adopted that instead of writing one. This holds for two origins on a store whose lists tell what was written.
//!
//! Whoever gives up uses the anchor of arrival, which is what it wrote, if it did.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::{ChannelId, OriginId};
use railbird_core::media::Role;
use railbird_core::programme::ANCHOR_MS_MAX;
use railbird_core::timeline::Anchor;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{Created, Object, PutError, Store, probe};

/// How long it may take in all: a little less than frames wait.
const DEADLINE: Duration = Duration::from_millis(ANCHOR_MS_MAX - 100);

/// How long it may take from the begin of the first list to the end of the write of a candidate.
pub const WINDOW: Duration = Duration::from_millis(700);

/// How long a candidate waits for others.
pub const SETTLE: Duration = WINDOW;

/// How often a number that the other origin took is followed by another look.
const LOOKS_MAX: usize = 4;

/// How many of the newest names are looked at.
const NAMES_MAX: usize = 4;

/// The longest anchor, in bytes.
const ANCHOR_LEN_MAX: usize = 1024;

/// The first number. Ten digits.
const FIRST: u64 = 9_999_999_999;

/// What two origins that take the same feeds share.
pub struct Pair {
    store: Arc<dyn Store>,
    origin: OriginId,
    conditional: OnceCell<bool>,
}

/// Why no anchor was agreed on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// The store did not do what was asked.
    #[error(transparent)]
    Store(#[from] PutError),
    /// It took too long.
    #[error("the store was too slow")]
    Slow,
    /// The other origin was always faster, and yet what it wrote fits nothing.
    #[error("the anchors in the store fit nothing: are there other feeds under the same channel name?")]
    Strange,
}

impl Pair {
    /// Two origins with different names meet at one store.
    pub fn new(store: Arc<dyn Store>, origin: OriginId) -> Pair {
        Pair { store, origin, conditional: OnceCell::new() }
    }

    /// Finds out whether the store honours conditional create, before a feed waits for it.
    pub async fn prepare(&self) {
        if let Err(error) = self.conditional().await {
            tracing::warn!(store = self.store.place(), %error, "pair.anchors_at: the store can't be tried yet; the first feed tries again");
        }
    }

    /// The anchor that both origins use for a feed; `mine` is the one from its arrival here. `None`: there was no agreement,
    /// which the log explains.
    pub async fn anchor(&self, channel: &ChannelId, role: Role, mine: Anchor) -> Option<Anchor> {
        let agreed = timeout(DEADLINE, self.agree(channel, role, mine)).await;
        match agreed.unwrap_or(Err(Failure::Slow)) {
            Ok(anchor) => Some(anchor),
            Err(error) => {
                let (store, feed) = (self.store.place(), role.as_str());
                tracing::warn!(%channel, feed, store, %error, "no anchor could be shared with the other origin");
                None
            }
        }
    }

    async fn agree(&self, channel: &ChannelId, role: Role, mine: Anchor) -> Result<Anchor, Failure> {
        let conditional = self.conditional().await?;
        let prefix = format!("{channel}/anchors/{}/", role.as_str());
        for _ in 0..LOOKS_MAX {
            let began = Instant::now();
            let names = self.list(&prefix).await?;
            if let Some(found) = self.fitting(&names, mine).await? {
                return Ok(found);
            }
            let number = next(&prefix, &names);
            if !conditional {
                return self.candidate(&prefix, number, began, mine).await;
            }
            match self.store.create(object(format!("{prefix}{number:010}.json"), mine)).await.result? {
                Created::Written => return Ok(mine),
                Created::Exists => {}
                Created::NotOffered => return self.candidate(&prefix, number, began, mine).await,
            }
        }
        Err(Failure::Strange)
    }

    async fn candidate(
        &self,
        prefix: &str,
        number: u64,
        began: Instant,
        mine: Anchor,
    ) -> Result<Anchor, Failure> {
        let name = format!("{prefix}{number:010}-{:014}-{}.json", mine.utc.0, self.origin);
        let left = WINDOW.saturating_sub(began.elapsed());
        // Its name is this origin's alone: a put writes over nothing.
        let write = timeout(left, self.store.put(object(name, mine))).await;
        write.map_err(|_| Failure::Slow)?.result?;
        sleep(SETTLE).await;
        let names = self.list(prefix).await?;
        Ok(self.fitting(&names, mine).await?.unwrap_or(mine))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        Ok(self.store.list(prefix, NAMES_MAX).await.result?)
    }

    /// The first of these that fits.
    async fn fitting(&self, names: &[String], mine: Anchor) -> Result<Option<Anchor>, Failure> {
        for name in names.iter().take(NAMES_MAX) {
            let found: Option<Bytes> = self.store.get(name, ANCHOR_LEN_MAX).await.result?;
            // What is no anchor is not ours.
            let anchor = found.and_then(|bytes| serde_json::from_slice::<Anchor>(&bytes).ok());
            if let Some(anchor) = anchor.filter(|anchor| anchor.fits(mine.feed_ms, mine.utc)) {
                return Ok(Some(anchor));
            }
        }
        Ok(None)
    }

    async fn conditional(&self) -> Result<bool, Failure> {
        let try_it =
            async || -> Result<bool, Failure> { Ok(probe(&*self.store).await.result?.conditional_create) };
        self.conditional.get_or_try_init(try_it).await.copied()
    }
}

/// The number before the newest that is listed.
fn next(prefix: &str, names: &[String]) -> u64 {
    let number = |name: &String| name.strip_prefix(prefix)?.get(..10)?.parse::<u64>().ok();
    names.iter().find_map(number).map_or(FIRST, |newest| newest.saturating_sub(1))
}

fn object(name: String, anchor: Anchor) -> Object {
    // Two numbers: this can't fail.
    let body = serde_json::to_vec(&anchor).unwrap_or_default().into();
    Object { name, body, content_type: "application/json", cache_control: "no-store" }
}
