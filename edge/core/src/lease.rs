//! Leases of screens: a short-lived cookie that says which screen a player is, and until when it may be.
//!
//! Not a token of the sessions' kind: it opens nothing by itself, and only the edge that made it reads it. As text it is
//! base64url without padding of these bytes:
//!
//! | bytes | content |
//! | --- | --- |
//! | 16 | the screen's id |
//! | 16 | the id of the session that claimed it |
//! | 8 | the second since 1970 from which on it no longer holds, big-endian |
//! | 32 | HMAC-SHA-256 over the pass's id and what stands before |
//!
//! The key is derived from the master secret, so that a change of the sessions' key stops no screen: whoever has that secret
//! has the keys that leases guard.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::edge::Call;
use crate::passes::PassId;
use crate::{http, session};

/// The cookie that carries a lease. The prefix makes browsers keep it to this very host (RFC 6265bis, 4.1.3.2).
pub(crate) const COOKIE: &str = "__Host-railbird-screen";

const PAYLOAD_LEN: usize = 40;
const TAG_LEN: usize = 32;

/// The key under which leases are authenticated.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key that belongs to a master secret: `HMAC-SHA-256(secret, "railbird lease key v1")`.
    pub(crate) fn derive(master_secret: &[u8]) -> Key {
        let key = hmac(master_secret).chain_update(b"railbird lease key v1").finalize().into_bytes();
        Key(hmac(&key))
    }

    fn mac(&self, pass: &PassId, payload: &[u8]) -> Hmac<Sha256> {
        // A pass's id has one length.
        self.0.clone().chain_update(pass.as_str()).chain_update(payload)
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key of any length, so that the other arm is never taken.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// What a lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) screen: [u8; 16],
    pub(crate) session: [u8; 16],
    pub(crate) until_s: u64,
}

/// Makes a lease of a pass.
pub(crate) fn seal(key: &Key, pass: &PassId, lease: &Lease) -> String {
    let mut bytes = Vec::with_capacity(PAYLOAD_LEN + TAG_LEN);
    bytes.extend_from_slice(&lease.screen);
    bytes.extend_from_slice(&lease.session);
    bytes.extend_from_slice(&lease.until_s.to_be_bytes());
    let tag = key.mac(pass, &bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Opens a lease of this pass; `None` where it is not one of ours. Whether it still holds is the caller's to check.
pub(crate) fn open(key: &Key, pass: &PassId, text: &str) -> Option<Lease> {
    if text.len() != (PAYLOAD_LEN + TAG_LEN) * 4 / 3 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (payload, tag) = bytes.split_at_checked(PAYLOAD_LEN)?;
    key.mac(pass, payload).verify_slice(tag).ok()?;
    let (screen, rest) = payload.split_first_chunk()?;
    let (session, rest) = rest.split_first_chunk()?;
    let (until, _) = rest.split_first_chunk()?;
    Some(Lease { screen: *screen, session: *session, until_s: u64::from_be_bytes(*until) })
}

/// The lease of a request's cookies that has not ended, for this pass.
pub(crate) fn of<S>(call: &Call<'_, S>, pass: &PassId) -> Option<Lease> {
    let lease = open(&call.settings.lease, pass, session::cookie(call.request, COOKIE)?)?;
    (lease.until_s > call.moment.now.seconds()).then_some(lease)
}

/// The `set-cookie` that gives a browser the lease.
pub(crate) fn set_cookie(lease: &str, ttl_s: u64) -> String {
    http::set_cookie(COOKIE, lease, ttl_s)
}

/// The `set-cookie` that takes it away.
pub(crate) fn clear_cookie() -> String {
    set_cookie("", 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    fn pass(email: &str) -> PassId {
        PassId::of_email(email).unwrap()
    }

    fn lease() -> Lease {
        let session = core::array::from_fn(|n| 100 + n as u8);
        Lease { screen: core::array::from_fn(|n| n as u8), session, until_s: 1_795_171_995 }
    }

    #[test]
    fn a_lease_holds_for_its_pass_and_key_only() {
        let key = Key::derive(b"a master secret");
        let text = seal(&key, &pass("a@railbird.test"), &lease());
        assert_eq!(open(&key, &pass("a@railbird.test"), &text), Some(lease()));
        assert_eq!(open(&key, &pass("b@railbird.test"), &text), None);
        assert_eq!(open(&Key::derive(b"another secret"), &pass("a@railbird.test"), &text), None);
    }

    #[test]
    fn any_changed_character_is_refused() {
        let (key, pass) = (Key::derive(b"a master secret"), pass("a@railbird.test"));
        let text = seal(&key, &pass, &lease());
        for at in 0..text.len() {
            for c in ["A", "z", "_", "=", "é"] {
                if !text[at..].starts_with(c) {
                    let changed = format!("{}{c}{}", &text[..at], &text[at + 1..]);
                    assert_eq!(open(&key, &pass, &changed), None, "{c} at {at}");
                }
            }
            assert_eq!(open(&key, &pass, &text[..at]), None, "cut to {at}");
        }
        assert_eq!(open(&key, &pass, &(text.clone() + "A")), None);
        assert_eq!(open(&key, &pass, &"A".repeat(text.len())), None);
    }

    #[test]
    fn its_key_stays_out_of_debug_texts() {
        assert_eq!(format!("{:?}", Key::derive(b"a master secret")).to_string(), "Key(…)");
    }
}
