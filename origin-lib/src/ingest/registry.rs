//! Who may publish what: stream keys, and who publishes at the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use railbird_core::id::{ChannelId, RenditionId};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::config::{Channel, Role};

/// Which feed a stream key opens, and who publishes it.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// By the hash of the stream key, so that a look-up's time tells nothing of a key.
    keys: BTreeMap<[u8; 32], FeedId>,
    publishing: BTreeMap<FeedId, Publishing>,
    last_lease: u64,
}

#[derive(Debug)]
struct Publishing {
    lease: u64,
    ended: CancellationToken,
}

/// Which feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedId {
    /// Of which channel.
    pub channel: ChannelId,
    /// Of which of its renditions, where that has feeds of its own; else of its source.
    pub rendition: Option<RenditionId>,
    /// Which of those.
    pub role: Role,
}

impl FeedId {
    /// As logs and sentences name it: `primary`, or `primary of 360p`.
    pub fn label(&self) -> String {
        let role = self.role.as_str();
        self.rendition.as_ref().map_or(role.to_string(), |rendition| format!("{role} of {rendition}"))
    }
}

/// The right to publish a feed; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    registry: Registry,
    id: u64,
    /// Which one.
    pub feed: FeedId,
    /// Set when the same encoder came back on a new connection, or the origin stops: the holder must end.
    pub ended: CancellationToken,
}

/// Why a publisher is not let in; the text is shown to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No channel has this stream key.
    #[error("unknown stream key: compare it with stream_key of the channel in railbird.toml")]
    UnknownKey,
    /// The origin has as many feeds as it takes.
    #[error("the origin takes no more than {} feeds at once", super::FEEDS_MAX)]
    Full,
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Registry {
    /// From the configured channels.
    pub fn new(channels: &[Channel]) -> Registry {
        let keys = channels.iter().flat_map(|channel| {
            channel.all_feeds().map(|(rendition, feed)| {
                let (channel, rendition) = (channel.id.clone(), rendition.cloned());
                (hash(feed.stream_key.expose()), FeedId { channel, rendition, role: feed.role })
            })
        });
        Registry(Arc::new(Mutex::new(Inner {
            keys: keys.collect(),
            publishing: BTreeMap::new(),
            last_lease: 0,
        })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // Nothing panics while it holds the lock; if it did, the maps would still be whole.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a feed has this stream key.
    pub fn knows(&self, stream_key: &str) -> Result<(), Refusal> {
        self.feed_of(stream_key).map(drop)
    }

    /// Which feed has this stream key.
    pub fn feed_of(&self, stream_key: &str) -> Result<FeedId, Refusal> {
        self.with(|inner| inner.keys.get(&hash(stream_key)).cloned().ok_or(Refusal::UnknownKey))
    }

    /// Lets a publisher in. One that comes back with the key that is being published takes over from its old connection,
    /// which may be dead without knowing it. `begin` is called for one at a time, in the order in which they are let in.
    pub fn publish<T>(
        &self,
        stream_key: &str,
        begin: impl FnOnce(&FeedId) -> Option<T>,
    ) -> Result<(Lease, T), Refusal> {
        self.with(|inner| {
            let feed = inner.keys.get(&hash(stream_key)).cloned().ok_or(Refusal::UnknownKey)?;
            let begun = begin(&feed).ok_or(Refusal::UnknownKey)?;
            inner.last_lease += 1;
            let (lease, ended) = (inner.last_lease, CancellationToken::new());
            let publishing = Publishing { lease, ended: ended.clone() };
            if let Some(old) = inner.publishing.insert(feed.clone(), publishing) {
                old.ended.cancel();
            }
            Ok((Lease { registry: self.clone(), id: lease, feed, ended }, begun))
        })
    }
}

impl Lease {
    /// Whether this lease is the one in force.
    pub fn is_current(&self) -> bool {
        self.registry.with(|inner| inner.publishing.get(&self.feed).is_some_and(|p| p.lease == self.id))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.registry.with(|inner| {
            if inner.publishing.get(&self.feed).is_some_and(|publishing| publishing.lease == self.id) {
                inner.publishing.remove(&self.feed);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Feed, Secret};

    fn registry() -> Registry {
        let channel = |id: &str| Channel {
            id: id.parse().unwrap(),
            title: id.to_string(),
            segment_ms: 2000,
            target_s: None,
            part_ms: None,
            preload_hints: false,
            iframes: false,
            silence: true,
            source: "source".parse().unwrap(),
            audio_only: false,
            voices: Vec::new(),
            views: Vec::new(),
            companions: vec![config::Companion {
                name: "low".parse().unwrap(),
                feeds: vec![Feed {
                    stream_key: Secret::new(&format!("low key of {id}")),
                    role: Role::Primary,
                    call: None,
                }],
            }],
            ladder: Vec::new(),
            key_period_s: 60,
            dvr_s: 60,
            picture_delay_ms: 0,
            score_offset_ms: 0,
            score_key: None,
            score_emsg: false,
            system: None,
            feeds: Role::ALL
                .map(|role| Feed {
                    stream_key: Secret::new(&format!("{} key of {id}", role.as_str())),
                    role,
                    call: None,
                })
                .into(),
            stall_ms: 1000,
            steady_ms: 10_000,
        };
        Registry::new(&[channel("a"), channel("b")])
    }

    fn publish(registry: &Registry, key: &str) -> Result<Lease, Refusal> {
        registry.publish(key, |_| Some(())).map(|(lease, ())| lease)
    }

    #[test]
    fn a_key_opens_its_feed_only() {
        let registry = registry();
        for (key, channel, role) in [
            ("primary key of a", "a", Role::Primary),
            ("backup key of a", "a", Role::Backup),
            ("primary key of b", "b", Role::Primary),
        ] {
            let lease = publish(&registry, key).unwrap();
            assert_eq!((lease.feed.channel.as_str(), lease.feed.role), (channel, role));
        }
        // A rendition's feed is another one than the source's, whose publisher goes on.
        let source = publish(&registry, "primary key of a").unwrap();
        let low = publish(&registry, "low key of a").unwrap();
        assert_eq!((low.feed.rendition.as_ref().unwrap().as_str(), low.feed.role), ("low", Role::Primary));
        assert_eq!((&low.feed.label()[..], &source.feed.label()[..]), ("primary of low", "primary"));
        assert!(source.is_current() && low.is_current());
        assert_eq!(publish(&registry, "primary key of c").unwrap_err(), Refusal::UnknownKey);
        assert_eq!(registry.knows("primary key of c"), Err(Refusal::UnknownKey));
        assert_eq!(registry.knows("primary key of b"), Ok(()));
        let nothing = registry.publish("primary key of a", |_| None::<()>);
        assert_eq!(nothing.unwrap_err(), Refusal::UnknownKey);
    }

    #[test]
    fn an_encoder_that_comes_back_takes_over() {
        let registry = registry();
        let old = publish(&registry, "primary key of a").unwrap();
        let others = ["backup key of a", "primary key of b"].map(|key| publish(&registry, key).unwrap());
        let new = publish(&registry, "primary key of a").unwrap();
        assert!(old.ended.is_cancelled() && !new.ended.is_cancelled());
        assert!(others.iter().all(|other| !other.ended.is_cancelled() && other.is_current()));
        assert!(!old.is_current() && new.is_current());
        drop(old);
        assert!(new.is_current(), "the old connection's end does not end the new one");
    }
}
