//! How often something may be tried: token buckets, each in a cell of its own that is gone when the bucket is full.

use alloc::string::{String, ToString};
use core::net::{IpAddr, SocketAddr};

use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::cells;
use crate::change::{Applied, Change, Keep, Kind, json};
use crate::edge::Call;
use crate::pace::{Allowance, Pace};
use crate::port::{Cell, Store, StoreError};

/// So many tries at once, and each of them is back after a share of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) tries: u32,
    pub(crate) window_ms: u64,
}

/// Whose tries are counted.
#[derive(Debug)]
pub(crate) struct Limit {
    cell: Cell,
    rule: Rule,
}

/// No more tries for so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u64);

impl Wait {
    /// In minutes, rounded up.
    pub(crate) fn minutes(self) -> u64 {
        self.0.div_ceil(60_000)
    }
}

impl Limit {
    /// `kind` names the rule, `whose` what it counts for.
    pub(crate) fn new(kind: &str, whose: &str, rule: Rule) -> Limit {
        Limit { cell: cells::limit_cell(kind, whose), rule }
    }

    /// Counts a try.
    pub(crate) async fn take<S: Store>(&self, call: &Call<'_, S>) -> Result<Result<(), Wait>, StoreError> {
        let wait_ms: u64 = self.say(call, false).await?;
        Ok(if wait_ms == 0 { Ok(()) } else { Err(Wait(wait_ms)) })
    }

    /// Takes a try back: it was a good one.
    pub(crate) async fn give_back<S: Store>(&self, call: &Call<'_, S>) -> Result<(), StoreError> {
        self.say(call, true).await.map(|_| ())
    }

    async fn say<S: Store>(&self, call: &Call<'_, S>, back: bool) -> Result<u64, StoreError> {
        let each_ms = (self.rule.window_ms / u64::from(self.rule.tries.max(1))).max(1);
        let said = json(&Said { tries: self.rule.tries, each_ms, back });
        let change = Change { kind: Kind::Limit, said };
        let answer = call.store.change(&self.cell, &change, call.moment.now).await?;
        // An answer that can't be read is another version's: it must not let anybody in.
        Ok(serde_json::from_slice(&answer).unwrap_or(each_ms))
    }
}

#[derive(Serialize, Deserialize)]
struct Said {
    tries: u32,
    /// How long until a try is back.
    each_ms: u64,
    /// It is given back, not taken.
    back: bool,
}

/// The answer is how long to wait, in milliseconds; 0: the try is counted.
pub(crate) fn change(kept: Option<Pace>, said: &[u8], now: UtcMs) -> Applied {
    let Ok(Said { tries, each_ms, back }) = serde_json::from_slice(said) else {
        return Applied::new(Keep::AsIs, &());
    };
    let allowance = Allowance { burst: tries, every_ms: each_ms };
    let mut pace = kept.unwrap_or_default();
    if back {
        pace.give_back(allowance);
    } else if let Err(wait_ms) = pace.take(allowance, now) {
        return Applied::new(Keep::AsIs, &wait_ms);
    }
    // A cell must expire in the future.
    let expires = pace.full_at().max(now.plus_ms(1));
    Applied::new(Keep::Value(json(&pace), Some(expires)), &0)
}

/// Who is counted where a client is: an IPv4 address, or the network of an IPv6 address, of which one client may have them
/// all. `None` where the address is not one of the Internet: it is a proxy's that stands before the edge, and whoever is
/// behind it must not be locked out for the others. A text that is no address counts as it is: no platform sends one.
pub(crate) fn client(text: &str) -> Option<String> {
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    let address: IpAddr = match address {
        Ok(address) => address,
        Err(_) => return Some(String::from("no address")),
    };
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            let inside = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified();
            (!inside && !shared).then(|| v4.to_string())
        }
        IpAddr::V6(v6) => {
            let inside =
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local();
            let [a, b, c, d, ..] = v6.segments();
            (!inside).then(|| alloc::format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    struct Kept(Option<(Vec<u8>, UtcMs)>);

    impl Kept {
        /// How long to wait.
        fn say(&mut self, back: bool, now: u64) -> u64 {
            let kept = self.0.as_ref().filter(|(_, expires)| *expires > UtcMs(now));
            let kept = kept.and_then(|(bytes, _)| serde_json::from_slice(bytes).ok());
            let said = json(&Said { tries: 3, each_ms: 100, back });
            let applied = change(kept, &said, UtcMs(now));
            if let Keep::Value(bytes, expires) = applied.keep {
                self.0 = Some((bytes, expires.unwrap()));
            }
            serde_json::from_slice(&applied.answer).unwrap()
        }
    }

    #[test]
    fn tries_come_back_one_by_one() {
        let mut kept = Kept(None);
        let waits: Vec<u64> = (0..5).map(|_| kept.say(false, 1000)).collect();
        assert_eq!(waits, [0, 0, 0, 100, 100], "a refused try costs nothing");
        assert_eq!([kept.say(false, 1099), kept.say(false, 1100), kept.say(false, 1101)], [1, 0, 99]);
        assert_eq!([kept.say(true, 1101), kept.say(false, 1101), kept.say(false, 1101)], [0, 0, 99]);
        // What is given back twice is no more than there was.
        for _ in 0..9 {
            kept.say(true, 2000);
        }
        let waits: Vec<u64> = (0..4).map(|_| kept.say(false, 2000)).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
        assert_eq!(kept.say(false, 10_000), 0);
    }

    #[test]
    fn clients_are_told_apart_as_far_as_they_can_choose_an_address() {
        let same = |a, b| assert_eq!(client(a), client(b), "{a}, {b}");
        same("203.0.113.7", "203.0.113.7:4711");
        same("203.0.113.7", "::ffff:203.0.113.7");
        same("2001:db8:1:2::1", "[2001:db8:1:2:ffff::9]:443");
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_ne!(client("203.0.113.7"), client("203.0.113.8"));
        for inside in [
            "127.0.0.1:80",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(client(inside), None, "{inside}");
        }
        for odd in ["", "x", "203.0.113.7, 203.0.113.8", "1.2.3.4.5"] {
            same(odd, "none at all");
        }
    }
}
