//! Encoders that listen: they are called, again and again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use railbird_core::srt::{Caller, ENTROPY_LEN, Passphrase, Plan};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::{Inbox, Link, Next, Side};
use super::{Door, Slot, bind};
use crate::clock;
use crate::config::{Secret, SrtCall};

/// How long looking up an encoder's address may take.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait before an encoder is called again: the first time, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Calls encoders until told to stop.
#[derive(Debug, Default)]
pub struct Calls {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Calls {
    /// Calls an encoder, which publishes the feed with this stream key.
    pub fn start(&self, call: SrtCall, stream_key: Secret, door: Door) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let calling = Calling { call, stream_key, door, stop: stop.clone() };
            // A feed that runs sees to its own end.
            calling.run().await;
        });
    }

    /// Ends every feed, and calls nobody any more.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Calling {
    call: SrtCall,
    stream_key: Secret,
    door: Door,
    stop: CancellationToken,
}

/// How a call went.
struct Went {
    published: bool,
    reason: String,
}

impl Calling {
    async fn run(self) {
        let (mut pause, mut said) = (PAUSE, String::new());
        for nth in 0.. {
            let Some(went) = self.once(nth).await else { return };
            if went.published {
                pause = PAUSE;
            }
            // Said when it is news, not each time.
            if went.published || went.reason != said {
                tracing::warn!(
                    encoder = self.call.address,
                    reason = went.reason,
                    "the encoder is called again"
                );
            }
            said = went.reason;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One call, to its end. `None` where the origin stops.
    async fn once(&self, nth: usize) -> Option<Went> {
        let failed = |reason: String| Some(Went { published: false, reason });
        let mut link = match self.dial(nth).await {
            Ok(link) => link,
            Err(reason) => return failed(reason),
        };
        // The feed begins with its first bytes: an encoder that has nothing to send takes nothing over.
        let first = tokio::select! {
            () = self.stop.cancelled() => {
                link.close();
                return None;
            }
            next = link.next() => next,
        };
        let media = match first {
            Next::Media(media) => media,
            Next::Ended(end) => return failed(end.to_string()),
        };
        let mut slot = Slot::default();
        let feed = match self.door.let_in(&mut slot, self.stream_key.expose(), &self.call.address) {
            Ok(feed) => feed,
            Err(refusal) => {
                link.close();
                return failed(refusal.to_string());
            }
        };
        link.put_back(media);
        let reason = link.publish(feed, &self.stop).await;
        (!self.stop.is_cancelled()).then_some(Went { published: true, reason })
    }

    /// Calls one of the addresses that its name has, in turn.
    async fn dial(&self, nth: usize) -> Result<Link, String> {
        let address = &self.call.address;
        let lookup = tokio::time::timeout(LOOKUP_DEADLINE, tokio::net::lookup_host(address.as_str())).await;
        let found = match lookup {
            Ok(Ok(found)) => found.collect::<Vec<_>>(),
            Ok(Err(error)) => return Err(format!("its address can't be looked up: {error}")),
            Err(_) => {
                return Err("its address can't be looked up: the name servers do not answer".to_string());
            }
        };
        let to = nth.checked_rem(found.len()).and_then(|nth| found.get(nth).copied());
        let to = to.ok_or_else(|| "its name has no address".to_string())?;
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = bind(SocketAddr::new(any, 0)).await.map_err(|error| format!("no socket: {error}"))?;
        let mut entropy = [0; ENTROPY_LEN];
        getrandom::fill(&mut entropy).map_err(|error| format!("no randomness: {error}"))?;
        let plan = Plan {
            to,
            stream_id: self.call.stream_id.clone(),
            passphrase: self.call.passphrase.as_ref().and_then(|secret| Passphrase::new(secret.expose())),
            key_bits: self.call.key_bits,
            latency_ms: self.call.latency_ms,
        };
        let caller = Caller::new(plan, &entropy, clock::micros());
        Ok(Link::new(Side::Calls(Box::new(caller)), Arc::new(socket), to, Inbox::own()))
    }
}
