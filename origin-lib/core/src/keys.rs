//! Content keys and AES-128 encryption of segments (RFC 8216bis, 4.4.4.4: `METHOD=AES-128`).
//!
//! A content key is derived from the master secret, the channel and the key period, and stored nowhere. The
//! initialization vector of a period is derived from public data, so that a playlist states it once a period; every
//! CMAF segment differs from its siblings in its first blocks (the number in `mfhd`), and from its own parts and key frame in the size
//! of its `moof`, so that a shared IV shows nothing.

use alloc::vec::Vec;

use aes::Aes128;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::id::ChannelId;
use crate::time::{MEDIA_HZ, MediaTime};

/// The fewest bytes a secret may have.
pub const SECRET_LEN_MIN: usize = 16;

/// The secret from which content keys are derived. Origin and edge have it; nobody else.
#[derive(Clone)]
pub struct MasterSecret(Vec<u8>);

/// A secret shorter than [`SECRET_LEN_MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret needs at least 16 bytes")]
pub struct SecretTooShort;

impl core::fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterSecret(…)")
    }
}

impl MasterSecret {
    /// Takes the bytes of the secret.
    pub fn new(bytes: &[u8]) -> Result<MasterSecret, SecretTooShort> {
        if bytes.len() < SECRET_LEN_MIN { Err(SecretTooShort) } else { Ok(MasterSecret(bytes.into())) }
    }

    /// The content key of a channel's key period: HKDF-SHA-256 (RFC 5869), 16 bytes.
    pub fn content_key(&self, channel: &ChannelId, period: u64) -> [u8; 16] {
        let mut key = [0; 16];
        let hkdf = Hkdf::<Sha256>::new(None, &self.0);
        let period = period.to_be_bytes();
        let info: [&[u8]; 4] = [b"railbird content key v1\0", channel.as_str().as_bytes(), b"\0", &period];
        // 16 bytes are always within HKDF's bound of 255 hashes.
        let _ = hkdf.expand_multi_info(&info, &mut key);
        key
    }
}

/// The key period of a segment that starts at `start`, for periods of `key_period_s` seconds (0 counts as 1).
pub fn period(start: MediaTime, key_period_s: u32) -> u64 {
    start.0 / (u64::from(key_period_s.max(1)) * u64::from(MEDIA_HZ))
}

/// The initialization vector of a channel's key period: public, and the same for all its segments.
pub fn iv(channel: &ChannelId, period: u64) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"railbird iv v1\0");
    hash.update(channel.as_str().as_bytes());
    hash.update(b"\0");
    hash.update(period.to_be_bytes());
    let digest = hash.finalize();
    let mut iv = [0; 16];
    iv.copy_from_slice(&digest[..16]);
    iv
}

/// Encrypts a segment in place with AES-128-CBC and PKCS#7 padding: it grows by 1 to 16 bytes.
pub fn encrypt(key: &[u8; 16], iv: &[u8; 16], segment: &mut Vec<u8>) {
    let len = segment.len();
    segment.resize(len + 16 - len % 16, 0);
    // The buffer has room for the padding, which is the only way in which this can fail.
    let _ = cbc::Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded::<Pkcs7>(segment, len);
}

/// The bytes were not encrypted with this key, or were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the segment does not decrypt with this key: wrong key, or cut short")]
pub struct DecryptError;

/// Undoes [`encrypt`].
pub fn decrypt(key: &[u8; 16], iv: &[u8; 16], segment: &mut Vec<u8>) -> Result<(), DecryptError> {
    let len = cbc::Decryptor::<Aes128>::new(key.into(), iv.into())
        .decrypt_padded::<Pkcs7>(segment)
        .map_err(|_| DecryptError)?
        .len();
    segment.truncate(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec;

    #[test]
    fn encrypt_and_decrypt_every_length() {
        let (key, iv) = ([7; 16], [9; 16]);
        for len in 0..70 {
            let clear: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut bytes = clear.clone();
            encrypt(&key, &iv, &mut bytes);
            assert_eq!(bytes.len(), len + 16 - len % 16);
            assert!(len == 0 || !bytes.starts_with(&clear));
            decrypt(&key, &iv, &mut bytes).unwrap();
            assert_eq!(bytes, clear);
        }
        assert_eq!(decrypt(&key, &iv, &mut vec![0; 15]), Err(DecryptError));
    }

    #[test]
    fn keys_differ_by_channel_and_period_and_are_stable() {
        let secret = MasterSecret::new(b"0123456789abcdef").unwrap();
        let (a, b): (ChannelId, ChannelId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let key = secret.content_key(&a, 1);
        assert_ne!(key, secret.content_key(&a, 2));
        assert_ne!(key, secret.content_key(&b, 1));
        assert_ne!(key, iv(&a, 1));
        // Two origins of different versions must agree. Computed once by an independent HKDF and SHA-256.
        assert_eq!(crate::hex::encode(&key), "b8e0f363bb308668b67dedfa126fc416");
        assert_eq!(crate::hex::encode(&iv(&a, 1)), "a477c2a260efee4e74b337c5af815f05");
        assert_eq!(format!("{secret:?}"), "MasterSecret(…)");
        assert!(MasterSecret::new(b"short").is_err());
    }
}
