//! How many connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections by address. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    max: usize,
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    address: IpAddr,
}

impl Shares {
    /// Nobody has more than `max` connections; our own machine, where a proxy may stand, has as many as it likes.
    pub(super) fn new(max: usize) -> Shares {
        Shares { max, of: Arc::default() }
    }

    /// One more connection from there; `None` where there are enough.
    pub(super) fn take(&self, from: IpAddr) -> Option<Share> {
        let address = network(from);
        let mut of = self.lock();
        let taken = of.entry(address).or_default();
        if *taken >= self.max && !address.is_loopback() {
            return None;
        }
        *taken += 1;
        Some(Share { shares: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while it holds the lock; if it did, the counts would still be there.
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut of = self.shares.lock();
        match of.get_mut(&self.address) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => _ = of.remove(&self.address),
        }
    }
}

/// Whose an address is: of IPv6, whoever has one has all that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_others_have_theirs() {
        let shares = Shares::new(2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let held = [shares.take(ip("192.0.2.1")).unwrap(), shares.take(ip("::ffff:192.0.2.1")).unwrap()];
        assert!(shares.take(ip("192.0.2.1")).is_none());
        assert!(shares.take(ip("192.0.2.2")).is_some());
        let _six = [shares.take(ip("2001:db8::1")).unwrap(), shares.take(ip("2001:db8::2")).unwrap()];
        assert!(shares.take(ip("2001:db8::3")).is_none(), "one network");
        assert!(shares.take(ip("2001:db8:0:1::3")).is_some());
        for own in ["127.0.0.1", "::1"] {
            let ours: Vec<_> = (0..3).map(|_| shares.take(ip(own))).collect();
            assert!(ours.iter().all(Option::is_some));
        }
        drop(held);
        assert!(shares.take(ip("192.0.2.1")).is_some());
        assert_eq!(shares.lock().len(), 1, "who is gone is forgotten");
    }
}
