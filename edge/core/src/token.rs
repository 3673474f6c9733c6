//! The session token: a Common Access Token (CTA-5007), which is a CBOR Web Token (RFC 8392) under a COSE MAC.
//!
//! The bytes are `61(17([h'a10105', {}, payload, tag]))`: the CWT tag around a COSE_Mac0 (RFC 9052, 6.2) whose
//! protected header says HMAC-SHA-256 (alg 5) and nothing else, and whose unprotected header is empty. As text they
//! are base64url without padding. The payload is a map of these claims, all of them required:
//!
//! | key | claim | content |
//! | --- | --- | --- |
//! | 1 | `iss` | `railbird` |
//! | 2 | `sub` | the id of the pass: 64 hexadecimal digits, no e-mail address |
//! | 4 | `exp` | when it ends, in seconds since 1970 |
//! | 6 | `iat` | when it was made |
//! | 7 | `cti` | 16 random bytes, by which a session is ended |
//! | 310 | `catv` | 1 |
//! | -65537 | channels | array of channel ids, or `["*"]` |
//!
//! The channels are a private claim: RFC 8392, 9.1.1 leaves keys below -65536 to private use. `catu` does not fit.
//! It matches the URI of the very request with one condition per component, so that several channels at several
//! routes would need a regular expression, and a token would no longer open the pages and the list of channels.
//!
//! A token with any other claim is refused: a claim that is not understood may be a restriction.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use sha2::Sha256;

use crate::passes::{Coverage, PassId};

/// The longest token, in characters.
pub const TEXT_LEN_MAX: usize = 2048;

/// The claim that lists the channels.
pub const CHANNELS_CLAIM: i64 = -65_537;

const ISSUER: &str = "railbird";
const VERSION: u64 = 1;

/// Tag 61, tag 17, array of four, and the protected and the unprotected header.
const ENVELOPE: [u8; 9] = [0xd8, 0x3d, 0xd1, 0x84, 0x43, 0xa1, 0x01, 0x05, 0xa0];
/// The start of the text that is authenticated: array of four, "MAC0", the protected header, no external data.
const MAC_PREFIX: [u8; 11] = *b"\x84\x64MAC0\x43\xa1\x01\x05\x40";

/// The key under which tokens are authenticated: they are made under one, and read under another as well while one
/// replaces the other.
#[derive(Clone)]
pub struct Key {
    present: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key that belongs to a session secret: `HMAC-SHA-256(secret, "railbird session key v1")`.
    pub fn derive(session_secret: &[u8]) -> Key {
        Key { present: hmac(&Key::derived_bytes(session_secret)), previous: None }
    }

    /// One that reads tokens under another one, too, and makes none of them.
    #[must_use]
    pub fn accepting(self, previous: Key) -> Key {
        Key { previous: Some(previous.present), ..self }
    }

    /// The bytes of that key, for a test with another implementation.
    pub(crate) fn derived_bytes(session_secret: &[u8]) -> [u8; 32] {
        hmac(session_secret).chain_update(b"railbird session key v1").finalize().into_bytes().into()
    }

    /// Compares in constant time, and refuses a tag of another length.
    fn verifies(&self, payload: &[u8], tag: &[u8]) -> bool {
        let keys = core::iter::once(&self.present).chain(&self.previous);
        keys.map(|key| mac(key, payload)).any(|mac| mac.verify_slice(tag).is_ok())
    }
}

fn mac(key: &Hmac<Sha256>, payload: &[u8]) -> Hmac<Sha256> {
    let mut head = Vec::with_capacity(16);
    head.extend_from_slice(&MAC_PREFIX);
    bytes_head(&mut head, payload.len());
    key.clone().chain_update(&head).chain_update(payload)
}

pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key of any length, so that the other arm is never taken.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose session it is.
    pub pass: PassId,
    /// What it may watch.
    pub channels: Coverage,
    /// When it was made, in seconds since 1970.
    pub issued_s: u64,
    /// From this second on it is not valid.
    pub expires_s: u64,
    /// Its own id.
    pub id: [u8; 16],
}

/// The text is not a token of ours: malformed, or under another key. There is nothing to tell the caller apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this edge")]
pub struct TokenError;

/// Makes a token.
pub fn mint(key: &Key, claims: &Claims) -> String {
    let mut payload = Vec::with_capacity(256);
    // Writing to a vector can't fail.
    let _ = encode(&mut payload, claims);
    seal(key, &payload)
}

fn seal(key: &Key, payload: &[u8]) -> String {
    let tag = mac(&key.present, payload).finalize().into_bytes();
    let mut bytes = ENVELOPE.to_vec();
    bytes_head(&mut bytes, payload.len());
    bytes.extend_from_slice(payload);
    bytes_head(&mut bytes, tag.len());
    bytes.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Opens a token: checks that it is ours. Whether it has expired or was ended is the caller's to check.
pub fn open(key: &Key, text: &str) -> Result<Claims, TokenError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(TokenError);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
    let mut parts = Decoder::new(bytes.strip_prefix(&ENVELOPE).ok_or(TokenError)?);
    let payload = parts.bytes().map_err(|_| TokenError)?;
    let tag = parts.bytes().map_err(|_| TokenError)?;
    if parts.position() != parts.input().len() {
        return Err(TokenError);
    }
    if key.verifies(payload, tag) { decode(payload) } else { Err(TokenError) }
}

/// The head of a byte string of this length, in CBOR's shortest form.
fn bytes_head(out: &mut Vec<u8>, len: usize) {
    let _ = Encoder::new(out).bytes_len(len as u64);
}

fn encode(out: &mut Vec<u8>, claims: &Claims) -> Result<(), EncodeError> {
    let mut cbor = Encoder::new(out);
    cbor.map(7)?.u8(1)?.str(ISSUER)?.u8(2)?.str(claims.pass.as_str())?;
    cbor.u8(4)?.u64(claims.expires_s)?.u8(6)?.u64(claims.issued_s)?.u8(7)?.bytes(&claims.id)?;
    cbor.u16(310)?.u64(VERSION)?;
    let channels = claims.channels.names();
    cbor.i64(CHANNELS_CLAIM)?.array(channels.len() as u64)?;
    for channel in &channels {
        cbor.str(channel)?;
    }
    Ok(())
}

type EncodeError = minicbor::encode::Error<<Vec<u8> as Write>::Error>;

impl From<minicbor::decode::Error> for TokenError {
    fn from(_: minicbor::decode::Error) -> TokenError {
        TokenError
    }
}

fn decode(payload: &[u8]) -> Result<Claims, TokenError> {
    let mut cbor = Decoder::new(payload);
    // Seven claims, each of them once: so none is missing and none is unknown.
    if cbor.map()? != Some(7) {
        return Err(TokenError);
    }
    let (mut issuer, mut pass, mut expires, mut issued, mut id, mut version, mut channels) =
        (None, None, None, None, None, None, None);
    for _ in 0..7 {
        match cbor.i64()? {
            1 => issuer = Some(cbor.str()?),
            2 => pass = Some(cbor.str()?.parse::<PassId>().map_err(|_| TokenError)?),
            4 => expires = Some(cbor.u64()?),
            6 => issued = Some(cbor.u64()?),
            7 => id = Some(<[u8; 16]>::try_from(cbor.bytes()?).map_err(|_| TokenError)?),
            310 => version = Some(cbor.u64()?),
            CHANNELS_CLAIM => channels = Some(coverage(&mut cbor)?),
            _ => return Err(TokenError),
        }
    }
    if cbor.position() != payload.len() || issuer != Some(ISSUER) || version != Some(VERSION) {
        return Err(TokenError);
    }
    let claims = (|| {
        Some(Claims { pass: pass?, channels: channels?, issued_s: issued?, expires_s: expires?, id: id? })
    })();
    claims.ok_or(TokenError)
}

fn coverage(cbor: &mut Decoder<'_>) -> Result<Coverage, TokenError> {
    let names = cbor.array_iter::<&str>()?.take(crate::passes::CHANNELS_MAX + 1);
    let names = names.map(|name| name.map(ToString::to_string)).collect::<Result<Vec<String>, _>>()?;
    Coverage::try_from(names).map_err(|_| TokenError)
}

#[cfg(test)]
mod tests;
