//! How the origin and the operator prove to the edge who they are: a signed request.
//!
//! `Railbird-Signature: t=<unix ms>,n=<nonce>,s=<hex of HMAC-SHA-256>` over method, path, time, nonce and the body's
//! SHA-256. Time and nonce are bounded; whoever checks refuses a time further off than [`SKEW_MS_MAX`].

use alloc::format;
use alloc::string::String;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::hex;
use crate::time::UtcMs;

/// The header that carries a signature.
pub const HEADER: &str = "railbird-signature";

/// The header by which whoever refuses a request as [`SignatureError::Stale`] says what its clock reads, signed for that
/// request ([`tell_clock`]). Only who has the secret gets that far.
pub const CLOCK_HEADER: &str = "railbird-clock";

/// How far the clocks of the two sides may differ, in milliseconds.
pub const SKEW_MS_MAX: u64 = 60_000;

const NONCE_LEN: usize = 16;
const TEXT_LEN_MAX: usize = 160;

/// Why a signature was refused. The texts help an operator and say nothing about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature, or its form is wrong.
    #[error("the request needs a Railbird-Signature header of the form t=…,n=…,s=…")]
    Malformed,
    /// The time is too far from ours.
    #[error("the request was signed at a time more than 60 s from the edge's clock: check both clocks")]
    Stale,
    /// The secret, or the signed request, is another one.
    #[error("the signature does not match: both sides must have the same secret")]
    Mismatch,
}

fn mac(secret: &[u8], method: &str, path: &str, time: &str, nonce: &str, body: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return [0; 32] };
    for part in ["railbird request v1", method, path, time, nonce] {
        mac.update(part.as_bytes());
        mac.update(b"\n");
    }
    mac.update(&Sha256::digest(body));
    mac.finalize().into_bytes().into()
}

/// The value of [`HEADER`] for a request. `nonce` is 16 random bytes; `path` is what the edge sees, without a query.
pub fn sign(
    secret: &[u8],
    method: &str,
    path: &str,
    body: &[u8],
    now: UtcMs,
    nonce: [u8; NONCE_LEN],
) -> String {
    let (time, nonce) = (format!("{}", now.0), hex::encode(&nonce));
    let mac = mac(secret, method, path, &time, &nonce, body);
    format!("t={time},n={nonce},s={}", hex::encode(&mac))
}

/// Checks the value of [`HEADER`]; returns the request's time and nonce, for whoever keeps nonces.
pub fn verify<'a>(
    secret: &[u8],
    method: &str,
    path: &str,
    body: &[u8],
    now: UtcMs,
    header: &'a str,
) -> Result<(UtcMs, &'a str), SignatureError> {
    if header.len() > TEXT_LEN_MAX {
        return Err(SignatureError::Malformed);
    }
    let mut fields = header.split(',');
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let (Some(time), Some(nonce), Some(signature)) = (field("t"), field("n"), field("s")) else {
        return Err(SignatureError::Malformed);
    };
    let at = time.parse().map(UtcMs).map_err(|_| SignatureError::Malformed)?;
    let signature = hex::decode(signature).ok_or(SignatureError::Malformed)?;
    if fields.next().is_some() || nonce.len() != NONCE_LEN * 2 {
        return Err(SignatureError::Malformed);
    }
    // The signature first: a stranger learns nothing about our clock.
    if !bool::from(mac(secret, method, path, time, nonce, body).ct_eq(&signature[..])) {
        return Err(SignatureError::Mismatch);
    }
    if at.0.abs_diff(now.0) > SKEW_MS_MAX {
        return Err(SignatureError::Stale);
    }
    Ok((at, nonce))
}

/// The nonce of a value of [`HEADER`].
fn nonce(header: &str) -> Option<&str> {
    header.split(',').nth(1)?.strip_prefix("n=")
}

fn clock_mac(secret: &[u8], time: &str, nonce: &str) -> [u8; 32] {
    mac(secret, "CLOCK", "", time, nonce, b"")
}

/// The value of [`CLOCK_HEADER`] in answer to a request with this value of [`HEADER`]: what our clock reads, and a signature
/// that nobody on the way can make, or keep for another request.
pub fn tell_clock(secret: &[u8], header: &str, now: UtcMs) -> String {
    let time = format!("{}", now.0);
    let mac = clock_mac(secret, &time, nonce(header).unwrap_or_default());
    format!("t={time},s={}", hex::encode(&mac))
}

/// What the other side's clock reads, out of a value of [`CLOCK_HEADER`] in answer to a request with this value of [`HEADER`].
pub fn clock_told(secret: &[u8], header: &str, told: &str) -> Option<UtcMs> {
    let (time, signature) = told.strip_prefix("t=")?.split_once(",s=")?;
    let signed = clock_mac(secret, time, nonce(header)?);
    let told = hex::decode(signature)?;
    bool::from(signed.ct_eq(&told[..])).then_some(())?;
    time.parse().ok().map(UtcMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_to_one_request_by_who_has_the_secret() {
        let (now, then) = (UtcMs(1_795_171_920_040), UtcMs(1_795_171_000_000));
        let header = |nonce| sign(b"secret", "PUT", "/", b"", then, [nonce; 16]);
        let told = tell_clock(b"secret", &header(1), now);
        assert_eq!(clock_told(b"secret", &header(1), &told), Some(now));
        assert_eq!(clock_told(b"secret", &header(2), &told), None, "an answer to another request");
        assert_eq!(clock_told(b"other", &header(1), &told), None);
        let forged = told.replace("t=1795", "t=4095");
        for wrong in ["", "1795171920040", "t=1795171920040", "t=1,s=zz", "t=1,s=", &forged] {
            assert_eq!(clock_told(b"secret", &header(1), wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_signature_holds_for_its_request_only() {
        let now = UtcMs(1_795_171_920_040);
        let header = sign(b"secret", "PUT", "/origin/v1/event", b"{}", now, [1; 16]);
        let check = |secret: &[u8], method, path, body: &[u8], now| {
            verify(secret, method, path, body, now, &header).map(|(at, _)| at)
        };
        assert_eq!(check(b"secret", "PUT", "/origin/v1/event", b"{}", now), Ok(now));
        assert_eq!(check(b"secret", "PUT", "/origin/v1/event", b"{}", now.plus_ms(60_000)), Ok(now));
        for (secret, method, path, body) in [
            (&b"other"[..], "PUT", "/origin/v1/event", &b"{}"[..]),
            (b"secret", "POST", "/origin/v1/event", b"{}"),
            (b"secret", "PUT", "/origin/v1/other", b"{}"),
            (b"secret", "PUT", "/origin/v1/event", b"{ }"),
        ] {
            assert_eq!(check(secret, method, path, body, now), Err(SignatureError::Mismatch));
        }
        let late = now.plus_ms(60_001);
        assert_eq!(check(b"secret", "PUT", "/origin/v1/event", b"{}", late), Err(SignatureError::Stale));
    }

    #[test]
    fn malformed_headers_are_refused() {
        let long = "t=1,".repeat(80);
        for header in ["", "t=1", "t=1,n=2,s=zz", "n=1,t=2,s=00", "t=x,n=00,s=00", "t=1,n=2,s=00,x=1", &long]
        {
            let refused = verify(b"secret", "PUT", "/", b"", UtcMs(1), header);
            assert_eq!(refused, Err(SignatureError::Malformed), "{header}");
        }
    }
}
