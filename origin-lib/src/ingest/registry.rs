//! Who may publish what: stream keys, and who publishes at the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use railbird_core::id::ChannelId;
use railbird_core::time::MediaTime;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::config::{Channel, Role};

/// Which channel a stream key opens, and who publishes there.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// By the hash of the stream key, so that a look-up's time tells nothing of a key.
    keys: BTreeMap<[u8; 32], Opens>,
    publishing: BTreeMap<ChannelId, Publishing>,
    /// Up to where each channel's media has been cut.
    ends: BTreeMap<ChannelId, MediaTime>,
    last_lease: u64,
}

/// What a stream key opens.
#[derive(Clone, Debug)]
struct Opens {
    channel: ChannelId,
    role: Role,
    segment_ms: u32,
    key_period_s: u32,
}

#[derive(Debug)]
struct Publishing {
    lease: u64,
    role: Role,
    peer: String,
    ended: CancellationToken,
}

/// The right to publish a channel; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    registry: Registry,
    id: u64,
    /// The channel.
    pub channel: ChannelId,
    /// Which of its feeds.
    pub role: Role,
    /// The channel's segment duration, in milliseconds.
    pub segment_ms: u32,
    /// The channel's key period, in seconds.
    pub key_period_s: u32,
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
    /// Another feed of the channel is being published.
    #[error("channel {channel} is already fed by {peer} with its {role} key: stop that encoder first")]
    Busy {
        /// The channel.
        channel: ChannelId,
        /// Who feeds it.
        peer: String,
        /// With which key.
        role: &'static str,
    },
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Registry {
    /// From the configured channels.
    pub fn new(channels: &[Channel]) -> Registry {
        let keys = channels.iter().flat_map(|channel| {
            let entry = |feed: &crate::config::Feed| {
                let Channel { segment_ms, key_period_s, .. } = *channel;
                let opens = Opens { channel: channel.id.clone(), role: feed.role, segment_ms, key_period_s };
                (hash(feed.stream_key.expose()), opens)
            };
            channel.feeds.iter().map(entry)
        });
        let (publishing, ends) = (BTreeMap::new(), BTreeMap::new());
        Registry(Arc::new(Mutex::new(Inner { keys: keys.collect(), publishing, ends, last_lease: 0 })))
    }

    /// A channel's media was cut up to here by an earlier run.
    pub fn restore(&self, channel: &ChannelId, end: MediaTime) {
        self.with(|inner| {
            inner.ends.insert(channel.clone(), end);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // Nothing panics while it holds the lock; if it did, the maps would still be whole.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a publisher in. One that comes back with the key that is being published takes over from its old connection,
    /// which may be dead without knowing it.
    pub fn publish(&self, stream_key: &str, peer: &str) -> Result<Lease, Refusal> {
        self.with(|inner| {
            let opens = inner.keys.get(&hash(stream_key)).cloned().ok_or(Refusal::UnknownKey)?;
            let Opens { channel, role, segment_ms, key_period_s } = opens;
            if let Some(current) = inner.publishing.get(&channel) {
                if current.role != role {
                    let (peer, role) = (current.peer.clone(), current.role.as_str());
                    return Err(Refusal::Busy { channel, peer, role });
                }
                current.ended.cancel();
            }
            inner.last_lease += 1;
            let (lease, ended) = (inner.last_lease, CancellationToken::new());
            let publishing = Publishing { lease, role, peer: peer.to_string(), ended: ended.clone() };
            inner.publishing.insert(channel.clone(), publishing);
            Ok(Lease { registry: self.clone(), id: lease, channel, role, segment_ms, key_period_s, ended })
        })
    }
}

impl Lease {
    /// Up to where the channel's media has been cut, by whichever connection.
    pub fn end(&self) -> MediaTime {
        self.registry.with(|inner| inner.ends.get(&self.channel).copied().unwrap_or_default())
    }

    /// The channel's media has been cut up to `end`. False where the lease has been taken over: what was cut must not be
    /// used then.
    pub fn advance(&self, end: MediaTime) -> bool {
        self.registry.with(|inner| {
            let current = inner.publishing.get(&self.channel).is_some_and(|p| p.lease == self.id);
            if current {
                let last = inner.ends.entry(self.channel.clone()).or_default();
                *last = end.max(*last);
            }
            current
        })
    }

    /// Whether this lease is the one in force.
    pub fn is_current(&self) -> bool {
        self.registry.with(|inner| inner.publishing.get(&self.channel).is_some_and(|p| p.lease == self.id))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.registry.with(|inner| {
            if inner.publishing.get(&self.channel).is_some_and(|publishing| publishing.lease == self.id) {
                inner.publishing.remove(&self.channel);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Feed, Secret};

    fn registry() -> Registry {
        let channel = |id: &str| Channel {
            id: id.parse().unwrap(),
            title: id.to_string(),
            segment_ms: 2000,
            key_period_s: 60,
            dvr_s: 60,
            score_offset_ms: 0,
            score_key: None,
            feeds: vec![Feed { stream_key: Secret::new(&format!("key of {id}")), role: Role::Primary }],
        };
        Registry::new(&[channel("a"), channel("b")])
    }

    #[test]
    fn a_key_opens_its_channel_only() {
        let registry = registry();
        assert_eq!(registry.publish("key of a", "x").unwrap().channel.as_str(), "a");
        assert_eq!(registry.publish("key of b", "x").unwrap().channel.as_str(), "b");
        assert_eq!(registry.publish("key of c", "x").unwrap_err(), Refusal::UnknownKey);
    }

    #[test]
    fn an_encoder_that_comes_back_takes_over() {
        let registry = registry();
        let old = registry.publish("key of a", "old").unwrap();
        let other = registry.publish("key of b", "other").unwrap();
        assert!(old.advance(MediaTime(5)));
        let new = registry.publish("key of a", "new").unwrap();
        assert!(old.ended.is_cancelled() && !new.ended.is_cancelled() && !other.ended.is_cancelled());
        assert!(!old.advance(MediaTime(9)) && !old.is_current() && new.is_current());
        assert_eq!(new.end(), MediaTime(5));
        drop(old);
        assert!(new.is_current(), "the old connection's end does not end the new one");
    }
}
