//! Small texts that the edge gives away and knows again: nobody else can make one, everybody who has it can read it.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::token;

/// The longest text that is looked at, in characters.
const TEXT_LEN_MAX: usize = 512;

const TAG_LEN: usize = 32;

/// The key under which texts are sealed. While one secret replaces another, texts under the old one are opened, too.
#[derive(Clone)]
pub(crate) struct Key {
    present: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key that belongs to a session secret: `HMAC-SHA-256(secret, "railbird sealing key v1")`.
    pub(crate) fn derive(session_secret: &[u8]) -> Key {
        let key = token::hmac(session_secret).chain_update(b"railbird sealing key v1").finalize();
        Key { present: token::hmac(&key.into_bytes()), previous: None }
    }

    /// One that opens what another one sealed, too.
    pub(crate) fn accepting(self, previous: Key) -> Key {
        Key { previous: Some(previous.present), ..self }
    }

    /// The payload and its seal as text (base64url). What was sealed for one purpose opens for no other.
    pub(crate) fn seal(&self, purpose: &str, payload: &[u8]) -> String {
        let mut bytes = payload.to_vec();
        bytes.extend_from_slice(&mac(&self.present, purpose, payload).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The payload of a text that was sealed for this purpose.
    pub(crate) fn open(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let mut payload = URL_SAFE_NO_PAD.decode(text).ok()?;
        let tag = payload.split_off(payload.len().checked_sub(TAG_LEN)?);
        let mut keys = core::iter::once(&self.present).chain(&self.previous);
        let ours = keys.any(|key| mac(key, purpose, &payload).verify_slice(&tag).is_ok());
        ours.then_some(payload)
    }
}

fn mac(key: &Hmac<Sha256>, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
    key.clone().chain_update(purpose).chain_update(b"\n").chain_update(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn only_what_was_sealed_for_the_purpose_opens() {
        let (old, new) = (Key::derive(b"the secret before"), Key::derive(b"the secret after"));
        let text = old.seal("door", b"payload");
        assert_eq!(old.open("door", &text).as_deref(), Some(&b"payload"[..]));
        assert_eq!(old.open("window", &text), None);
        assert_eq!(new.open("door", &text), None);
        let both = new.clone().accepting(old.clone());
        assert!(both.open("door", &text).is_some() && both.open("window", &text).is_none());
        assert!(old.open("door", &both.seal("door", b"payload")).is_none(), "sealed under the new one");
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            // The last character carries bits that are not part of the text: other ones are refused as well.
            assert_eq!(old.open("door", &other), None, "{at}");
        }
        for bad in ["", "x", "====", &text[1..], &format!("{text}A"), &"A".repeat(513)] {
            assert_eq!(old.open("door", bad), None, "{bad}");
        }
        assert_eq!(format!("{old:?}"), "Key(…)".to_string());
    }
}
