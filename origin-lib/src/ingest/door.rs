//! How a publisher is let in, whichever way its feed comes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::feed::Feed;
use super::registry::FeedId;
use super::{Channels, FEEDS_MAX, Refusal, Registry};

/// Lets publishers in, no more than [`FEEDS_MAX`] at once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Door {
    registry: Registry,
    channels: Channels,
    slots: Arc<Semaphore>,
}

/// A connection's place among those that publish; given back when dropped.
#[derive(Debug, Default)]
pub struct Slot(Option<OwnedSemaphorePermit>);

impl Door {
    /// For the feeds of these channels.
    pub fn new(registry: Registry, channels: Channels) -> Door {
        Door { registry, channels, slots: Arc::new(Semaphore::new(FEEDS_MAX)) }
    }

    /// The channels that it lets in to.
    #[cfg(test)]
    pub(super) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Whether this stream key opens anything; nothing happens yet.
    pub fn knows(&self, stream_key: &str) -> Result<(), Refusal> {
        self.registry.knows(stream_key)
    }

    /// Which feed this stream key opens; nothing happens yet.
    pub fn feed_of(&self, stream_key: &str) -> Result<FeedId, Refusal> {
        self.registry.feed_of(stream_key)
    }

    /// Begins the feed that this stream key opens. A connection that publishes already keeps its slot.
    pub fn let_in(&self, slot: &mut Slot, stream_key: &str, peer: &str) -> Result<Feed, Refusal> {
        if slot.0.is_none() {
            slot.0 = self.slots.clone().try_acquire_owned().ok();
        }
        if slot.0.is_none() {
            return Err(Refusal::Full);
        }
        let begin = |feed: &FeedId| self.channels.get(&feed.channel)?.begin_feed(feed);
        let (lease, sink) = self.registry.publish(stream_key, begin)?;
        Ok(Feed::begin(lease, peer, sink))
    }
}
