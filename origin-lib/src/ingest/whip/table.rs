//! The sessions that there are, by what requests and datagrams say of them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use railbird_core::hex;
use railbird_core::rtp::sdp::Credentials;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// So many datagrams wait for a session's task; what comes beyond is asked for again.
const INBOX_LEN: usize = 1024;

/// So many requests wait for a session's task.
const ORDERS_MAX: usize = 8;

/// So many addresses lead to a session; the oldest is forgotten.
const ADDRESSES_MAX: usize = 16;

/// So many sessions an address leads to, those that proved it last: who forges where a request comes from takes nothing away from
/// whoever is there. With one key there are fewer at a time.
const CLAIMS_MAX: usize = 4;

/// Of so many sessions that are over it is known why.
const OVER_MAX: usize = 256;

/// Length of a session's name, in bytes before it is written in hexadecimal digits.
const NAME_LEN: usize = 16;

/// A datagram and where it came from.
pub(super) type Datagram = (SocketAddr, Bytes);

/// What a request wants of a session.
#[derive(Debug)]
pub(super) enum Order {
    /// ICE begins anew, with these credentials of the encoder's.
    Restart(Credentials, oneshot::Sender<Result<Restarted, String>>),
    /// The encoder is done. Answered once the feed has ended.
    End(oneshot::Sender<()>),
}

/// ICE began anew.
#[derive(Debug)]
pub(super) struct Restarted {
    /// The fragment that the encoder must know.
    pub(super) fragment: String,
    /// The name of its state from now on.
    pub(super) tag: String,
}

/// The sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Table(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    max: usize,
    sessions: HashMap<String, Known>,
    /// How many were seated.
    seated: u64,
    /// Names by our user name fragments, and by the addresses that proved to know one.
    by_fragment: HashMap<String, String>,
    by_address: HashMap<SocketAddr, VecDeque<String>>,
    over: VecDeque<(String, Ended)>,
}

#[derive(Debug)]
struct Known {
    key: [u8; 32],
    /// The how manieth it was.
    nth: u64,
    /// Media has come.
    publishes: bool,
    tag: String,
    fragment: String,
    addresses: VecDeque<SocketAddr>,
    inbox: mpsc::Sender<Datagram>,
    dropped: Arc<AtomicU64>,
    orders: mpsc::Sender<Order>,
}

/// A session's own end of the table; it is forgotten when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    table: Table,
    pub(super) name: String,
    pub(super) inbox: mpsc::Receiver<Datagram>,
    /// How many datagrams found no room in it.
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// How it is over, once that is known.
    pub(super) ended: Ended,
}

/// How a session is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) reason: String,
    /// Another encoder has its place: it is not to come back by itself.
    pub(super) replaced: bool,
}

/// Why a session can't be asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There never was one of that name, or it is long over.
    Unknown,
    /// It is over, for this reason.
    Over(Ended),
    /// It was begun with another key.
    OtherKey,
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// With one key, so many may publish and end at a time: a feed, and the one that takes it over.
const OF_ONE_KEY_MAX: usize = 2;

/// An entity tag (RFC 9110, 8.8.3) of the ICE session that has this user name fragment.
pub(super) fn tag(fragment: &str) -> String {
    let digest = Sha256::digest(fragment.as_bytes());
    format!("\"{}\"", hex::encode(digest.get(..8).unwrap_or_default()))
}

impl Table {
    pub(super) fn new(max: usize) -> Table {
        Table(Arc::new(Mutex::new(Inner {
            max,
            sessions: HashMap::new(),
            seated: 0,
            by_fragment: HashMap::new(),
            by_address: HashMap::new(),
            over: VecDeque::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; if it did, the maps would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for a session with this key. Those with the same key make room: whoever asks anew has given up one that
    /// publishes nothing yet, and may have lost one that does.
    pub(super) fn has_room(&self, key: &str) -> bool {
        self.lock().has_room(&hash(key))
    }

    /// Seats a session, in the place of one with the same key that publishes nothing yet, and of the eldest that do where they are
    /// many. `None` where there is no room.
    pub(super) fn seat(&self, key: &str, fragment: &str) -> Option<(Seat, String)> {
        let mut name = [0; NAME_LEN];
        getrandom::fill(&mut name).ok()?;
        let (name, key) = (hex::encode(&name), hash(key));
        let mut inner = self.lock();
        if !inner.has_room(&key) {
            return None;
        }
        let own = inner.sessions.iter().filter(|(_, known)| known.key == key);
        let mut given_up: Vec<_> =
            own.map(|(name, known)| (known.publishes, known.nth, name.clone())).collect();
        given_up.sort_unstable();
        let idle = given_up.partition_point(|(publishes, ..)| !publishes);
        let publishing = given_up.len() - idle;
        given_up.truncate(idle + (publishing + 1).saturating_sub(OF_ONE_KEY_MAX));
        for (_, _, old) in given_up {
            // Its task sees that nothing comes any more.
            let reason = "the encoder began another session".to_string();
            inner.forget(&old, Ended { reason, replaced: true });
        }
        inner.seated += 1;
        let (inbox, datagrams) = mpsc::channel(INBOX_LEN);
        let (orders, wanted) = mpsc::channel(ORDERS_MAX);
        let tag = tag(fragment);
        inner.by_fragment.insert(fragment.to_string(), name.clone());
        let dropped = Arc::<AtomicU64>::default();
        let known = Known {
            key,
            nth: inner.seated,
            publishes: false,
            tag: tag.clone(),
            fragment: fragment.to_string(),
            addresses: VecDeque::new(),
            inbox,
            dropped: dropped.clone(),
            orders,
        };
        inner.sessions.insert(name.clone(), known);
        let (table, inbox, orders, ended) = (self.clone(), datagrams, wanted, Ended::default());
        let seat = Seat { table, name, inbox, dropped, orders, ended };
        Some((seat, tag))
    }

    /// Where orders for a session go, and its tag. `key` is the one that a request shows, if it does.
    pub(super) fn find(
        &self,
        name: &str,
        key: Option<&str>,
    ) -> Result<(mpsc::Sender<Order>, String), Missing> {
        let inner = self.lock();
        let Some(known) = inner.sessions.get(name) else {
            let over = inner.over.iter().find(|(over, _)| over == name);
            return Err(over.map_or(Missing::Unknown, |(_, ended)| Missing::Over(ended.clone())));
        };
        if key.is_some_and(|key| hash(key) != known.key) {
            return Err(Missing::OtherKey);
        }
        Ok((known.orders.clone(), known.tag.clone()))
    }

    /// Hands over a datagram that is for the session with this user name fragment, or from an address that leads to some: it makes
    /// sense to the one whose it is, and to no other.
    pub(super) fn deliver(&self, fragment: Option<&str>, from: SocketAddr, datagram: &[u8]) {
        let inboxes: Vec<_> = {
            let inner = self.lock();
            let named = fragment.and_then(|fragment| inner.by_fragment.get(fragment));
            let claimed = inner.by_address.get(&from).filter(|_| fragment.is_none());
            let names = named.into_iter().chain(claimed.into_iter().flatten());
            let known = names.filter_map(|name| inner.sessions.get(name));
            known.map(|known| (known.inbox.clone(), known.dropped.clone())).collect()
        };
        if inboxes.is_empty() {
            return;
        }
        let datagram = Bytes::copy_from_slice(datagram);
        for (inbox, dropped) in inboxes {
            if let Err(TrySendError::Full(_)) = inbox.try_send((from, datagram.clone())) {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Seat {
    /// This address proved to know the session's password.
    pub(super) fn claim(&self, address: SocketAddr) {
        let mut inner = self.table.lock();
        let inner = &mut *inner;
        let Some(known) = inner.sessions.get_mut(&self.name) else { return };
        let names = inner.by_address.entry(address).or_default();
        if names.back() == Some(&self.name) && known.addresses.back() == Some(&address) {
            return;
        }
        names.retain(|other| *other != self.name);
        if names.len() >= CLAIMS_MAX {
            names.pop_front();
        }
        names.push_back(self.name.clone());
        known.addresses.retain(|other| *other != address);
        if known.addresses.len() >= ADDRESSES_MAX
            && let Some(oldest) = known.addresses.pop_front()
        {
            leave(&mut inner.by_address, &oldest, &self.name);
        }
        known.addresses.push_back(address);
    }

    /// Media has come.
    pub(super) fn publishes(&self) {
        if let Some(known) = self.table.lock().sessions.get_mut(&self.name) {
            known.publishes = true;
        }
    }

    /// The session's user name fragment is this from now on. Its tag.
    pub(super) fn restart(&self, fragment: &str) -> String {
        let mut inner = self.table.lock();
        let inner = &mut *inner;
        let tag = tag(fragment);
        if let Some(known) = inner.sessions.get_mut(&self.name) {
            inner.by_fragment.remove(&known.fragment);
            inner.by_fragment.insert(fragment.to_string(), self.name.clone());
            (known.fragment, known.tag) = (fragment.to_string(), tag.clone());
        }
        tag
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        self.table.lock().forget(&self.name, ended);
    }
}

impl Inner {
    /// Whether one more of this key may come, beside those that publish.
    fn has_room(&self, key: &[u8; 32]) -> bool {
        let own = self.sessions.values().filter(|known| known.key == *key).count();
        self.sessions.len() - own < self.max
    }

    fn forget(&mut self, name: &str, ended: Ended) {
        let Some(known) = self.sessions.remove(name) else { return };
        self.by_fragment.remove(&known.fragment);
        for address in &known.addresses {
            leave(&mut self.by_address, address, name);
        }
        self.over.truncate(OVER_MAX - 1);
        self.over.push_front((name.to_string(), ended));
    }
}

/// An address leads to this session no longer.
fn leave(by_address: &mut HashMap<SocketAddr, VecDeque<String>>, address: &SocketAddr, name: &str) {
    let Some(names) = by_address.get_mut(address) else { return };
    names.retain(|other| other != name);
    if names.is_empty() {
        by_address.remove(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[tokio::test]
    async fn datagrams_go_to_whom_they_name_and_then_by_where_they_come_from() {
        let table = Table::new(8);
        let (mut a, _) = table.seat("key of a", "aaaa").unwrap();
        let (mut b, _) = table.seat("key of b", "bbbb").unwrap();
        table.deliver(Some("aaaa"), address(1), b"one");
        table.deliver(None, address(1), b"from somewhere");
        a.claim(address(1));
        table.deliver(None, address(1), b"two");
        table.deliver(Some("bbbb"), address(1), b"three");
        // A claim proves that the session's own encoder is there, or somebody who forges where it is; not that another one is not.
        b.claim(address(1));
        table.deliver(None, address(1), b"four");
        drop(table.seat("key of c", "cccc"));
        assert_eq!(took(&mut a), ["one", "two", "four"]);
        assert_eq!(took(&mut b), ["three", "four"]);
        drop(a);
        table.deliver(None, address(1), b"five");
        assert_eq!(took(&mut b), ["five"]);
        drop(b);
        assert!(table.lock().by_address.is_empty());
    }

    fn took(seat: &mut Seat) -> Vec<Bytes> {
        std::iter::from_fn(|| seat.inbox.try_recv().ok()).map(|(_, bytes)| bytes).collect()
    }

    #[tokio::test]
    async fn an_address_leads_to_the_sessions_that_proved_it_last_and_to_no_more_than_some() {
        let table = Table::new(8);
        let seat = |n: usize| table.seat(&format!("key {n}"), &format!("fragment {n}")).unwrap().0;
        let mut seats: Vec<Seat> = (0..=CLAIMS_MAX).map(seat).collect();
        seats.iter().for_each(|seat| seat.claim(address(1)));
        table.deliver(None, address(1), b"one");
        let count = |seats: &mut [Seat]| seats.iter_mut().map(|seat| took(seat).len()).collect::<Vec<_>>();
        assert_eq!(count(&mut seats), [0, 1, 1, 1, 1]);
        // Who is there asks again and again.
        seats[0].claim(address(1));
        table.deliver(None, address(1), b"two");
        assert_eq!(count(&mut seats), [1, 0, 1, 1, 1]);
        drop(seats);
        assert!(table.lock().by_address.is_empty());
    }

    #[tokio::test]
    async fn addresses_are_bounded_and_a_restart_changes_the_fragment_and_the_tag() {
        let table = Table::new(8);
        let (mut seat, tag) = table.seat("key", "before").unwrap();
        for port in 0..=ADDRESSES_MAX as u16 {
            seat.claim(address(port));
        }
        assert_eq!(table.lock().by_address.len(), ADDRESSES_MAX);
        let new = seat.restart("behind");
        assert_ne!(new, tag);
        assert_eq!(table.find(&seat.name, Some("key")).unwrap().1, new);
        table.deliver(Some("before"), address(1), b"old");
        table.deliver(Some("behind"), address(1), b"new");
        assert_eq!(seat.inbox.try_recv().unwrap().1, "new");
        let name = seat.name.clone();
        let done = Ended { reason: "done".into(), replaced: false };
        seat.ended = done.clone();
        drop(seat);
        assert_eq!(table.find(&name, None).unwrap_err(), Missing::Over(done));
        let inner = table.lock();
        assert!(inner.by_address.is_empty() && inner.by_fragment.is_empty() && inner.sessions.is_empty());
    }

    #[tokio::test]
    async fn whoever_asks_anew_before_publishing_takes_no_second_place() {
        let table = Table::new(2);
        let (first, _) = table.seat("key", "aaaa").unwrap();
        let (second, _) = table.seat("key", "bbbb").unwrap();
        assert!(matches!(table.find(&first.name, None), Err(Missing::Over(_))));
        second.publishes();
        let (third, _) = table.seat("key", "cccc").unwrap();
        assert!(table.has_room("key") && !table.has_room("another"));
        assert!(table.seat("another", "dddd").is_none());
        assert_eq!(table.find(&third.name, Some("another")).unwrap_err(), Missing::OtherKey);
        assert_eq!(table.find("nobody", None).unwrap_err(), Missing::Unknown);
    }

    #[tokio::test]
    async fn where_all_places_are_taken_an_encoder_that_was_cut_off_gets_in_again() {
        let table = Table::new(1);
        let (before, _) = table.seat("key", "aaaa").unwrap();
        before.publishes();
        assert!(table.has_room("key") && !table.has_room("another"));
        let (again, _) = table.seat("key", "bbbb").unwrap();
        again.publishes();
        // Both may be dead without knowing it. The eldest gives way, and its task hears of it.
        let (third, _) = table.seat("key", "cccc").unwrap();
        let (mut before, mut again) = (before, again);
        assert_eq!(before.orders.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        assert_eq!(again.orders.try_recv().unwrap_err(), mpsc::error::TryRecvError::Empty);
        third.publishes();
        drop(table.seat("key", "dddd").unwrap());
        assert_eq!(again.orders.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        assert!(!table.has_room("another") && table.seat("another", "eeee").is_none());
    }

    #[tokio::test]
    async fn datagrams_that_find_no_room_are_counted() {
        let table = Table::new(1);
        let (mut seat, _) = table.seat("key", "aaaa").unwrap();
        for _ in 0..INBOX_LEN + 3 {
            table.deliver(Some("aaaa"), address(1), b"one");
        }
        assert_eq!(seat.dropped.load(Ordering::Relaxed), 3);
        seat.inbox.close();
        table.deliver(Some("aaaa"), address(1), b"one");
        assert_eq!(seat.dropped.load(Ordering::Relaxed), 3, "nobody waits for that one");
    }
}
