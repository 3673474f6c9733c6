//! What a passphrase opens (draft-sharabayko-srt-01, 3.2.2 and 6).
//!
//! The packets' payloads are encrypted with AES in counter mode, by a key that the caller made up and sends wrapped by another one,
//! derived from the passphrase. Nothing authenticates a packet: a passphrase keeps strangers from reading and from being
//! let in, not from damaging what they can send packets into.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use aes::{Aes128, Aes192, Aes256};
use aes_kw::{KwAes128, KwAes192, KwAes256};
use ctr::CtrCore;
use ctr::cipher::consts::U16;
use ctr::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore};
use ctr::flavors::Ctr128BE;

use super::packet::Which;
use super::seq::Seq;

/// The lengths that a passphrase may have, in bytes.
pub const PASSPHRASE_LEN: core::ops::RangeInclusive<usize> = 10..=79;

const SALT_LEN: usize = 16;
const HEAD_LEN: usize = 16;
/// By so much a wrapped text is longer.
const WRAP_LEN: usize = 8;

/// How often a passphrase's hash is hashed again: what the protocol says.
const ROUNDS: u32 = 2048;

/// A secret that both ends have. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// How long keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyBits {
    /// AES-128.
    #[default]
    B128,
    /// AES-192.
    B192,
    /// AES-256.
    B256,
}

/// What is wrong with a message of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It makes no sense, or is of a kind that is not spoken here.
    Message,
    /// It was made with another passphrase.
    Passphrase,
}

impl Passphrase {
    /// `None` where its length is not within [`PASSPHRASE_LEN`].
    pub fn new(text: &str) -> Option<Passphrase> {
        PASSPHRASE_LEN.contains(&text.len()).then(|| Passphrase(text.into()))
    }

    /// What keys are wrapped with.
    fn derive(&self, salt: &[u8; SALT_LEN], bits: KeyBits) -> Vec<u8> {
        let mut key = vec![0; bits.len()];
        let (_, salt) = salt.split_at(SALT_LEN / 2);
        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(self.0.as_bytes(), salt, ROUNDS, &mut key);
        key
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl KeyBits {
    /// In bytes.
    pub(super) fn len(self) -> usize {
        match self {
            KeyBits::B128 => 16,
            KeyBits::B192 => 24,
            KeyBits::B256 => 32,
        }
    }

    fn of_len(len: usize) -> Option<KeyBits> {
        [KeyBits::B128, KeyBits::B192, KeyBits::B256].into_iter().find(|bits| bits.len() == len)
    }

    /// How a handshake has it.
    pub(super) fn field(self) -> u16 {
        self.len() as u16 / 8
    }
}

#[derive(Clone)]
enum Cipher {
    B128(Aes128),
    B192(Aes192),
    B256(Aes256),
}

impl Cipher {
    fn new(key: &[u8]) -> Option<Cipher> {
        Some(match KeyBits::of_len(key.len())? {
            KeyBits::B128 => Cipher::B128(Aes128::new_from_slice(key).ok()?),
            KeyBits::B192 => Cipher::B192(Aes192::new_from_slice(key).ok()?),
            KeyBits::B256 => Cipher::B256(Aes256::new_from_slice(key).ok()?),
        })
    }

    fn apply(&self, iv: &[u8; 16], data: &mut [u8]) {
        match self {
            Cipher::B128(aes) => counter_mode(aes.clone(), iv, data),
            Cipher::B192(aes) => counter_mode(aes.clone(), iv, data),
            Cipher::B256(aes) => counter_mode(aes.clone(), iv, data),
        }
    }
}

fn counter_mode<C>(aes: C, iv: &[u8; 16], data: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = U16>,
{
    let core: CtrCore<C, Ctr128BE> = CtrCore::inner_iv_init(aes, iv.into());
    core.apply_keystream_partial(data.into());
}

/// The keys of a connection.
#[derive(Clone)]
pub(super) struct Keys {
    passphrase: Passphrase,
    bits: KeyBits,
    salt: [u8; SALT_LEN],
    wrapping: Vec<u8>,
    even: Option<Cipher>,
    odd: Option<Cipher>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?}, …)", self.bits)
    }
}

/// Randomness for a caller's keys.
pub(super) type Seed = [u8; SALT_LEN + 32];

impl Keys {
    /// What a caller makes up, and the message that tells the listener.
    pub(super) fn made_up(passphrase: Passphrase, bits: KeyBits, seed: &Seed) -> Option<(Keys, Vec<u8>)> {
        let (salt, key) = seed.split_first_chunk::<SALT_LEN>()?;
        let key = key.get(..bits.len())?;
        let wrapping = passphrase.derive(salt, bits);
        let mut message = head(bits, 1).to_vec();
        message.extend_from_slice(salt);
        message.extend_from_slice(&wrap(&wrapping, key)?);
        let even = Cipher::new(key);
        Some((Keys { passphrase, bits, salt: *salt, wrapping, even, odd: None }, message))
    }

    /// Opens what a caller made up.
    pub(super) fn open(passphrase: Passphrase, message: &[u8]) -> Result<Keys, Wrong> {
        let read = Message::read(message).ok_or(Wrong::Message)?;
        let wrapping = passphrase.derive(read.salt, read.bits);
        let keys = Keys { passphrase, bits: read.bits, salt: *read.salt, wrapping, even: None, odd: None };
        keys.with(&read)
    }

    /// The keys after another message.
    pub(super) fn renewed(&self, message: &[u8]) -> Result<Keys, Wrong> {
        let read = Message::read(message).ok_or(Wrong::Message)?;
        if (*read.salt, read.bits) == (self.salt, self.bits) {
            return self.clone().with(&read);
        }
        let opened = Keys::open(self.passphrase.clone(), message)?;
        // What is still under way was encrypted with the salt from before, which is gone: it is lost, as in libsrt.
        Ok(opened)
    }

    fn with(mut self, message: &Message<'_>) -> Result<Keys, Wrong> {
        let unwrapped = unwrap(&self.wrapping, message.wrapped).ok_or(Wrong::Passphrase)?;
        let mut keys = unwrapped.chunks_exact(self.bits.len());
        if message.which & 1 != 0 {
            self.even = keys.next().and_then(Cipher::new);
        }
        if message.which & 2 != 0 {
            self.odd = keys.next().and_then(Cipher::new);
        }
        Ok(self)
    }

    /// Decrypts, or encrypts, a packet's payload. Whether there is the key for it.
    pub(super) fn apply(&self, which: Which, seq: Seq, payload: &mut [u8]) -> bool {
        let cipher = match which {
            Which::Even => &self.even,
            Which::Odd => &self.odd,
        };
        let Some(cipher) = cipher else { return false };
        let mut iv = [0; 16];
        iv.iter_mut().zip(self.salt).take(14).for_each(|(to, from)| *to = from);
        iv.iter_mut().skip(10).zip(seq.get().to_be_bytes()).for_each(|(to, from)| *to ^= from);
        cipher.apply(&iv, payload);
        true
    }
}

/// What a message of keys begins with: version 1, its signature, which keys, and that they are for AES in counter mode.
fn head(bits: KeyBits, which: u8) -> [u8; HEAD_LEN] {
    [0x12, 0x20, 0x29, which, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, SALT_LEN as u8 / 4, bits.len() as u8 / 4]
}

struct Message<'a> {
    which: u8,
    bits: KeyBits,
    salt: &'a [u8; SALT_LEN],
    wrapped: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(message: &'a [u8]) -> Option<Message<'a>> {
        let (given, rest) = message.split_first_chunk::<HEAD_LEN>()?;
        let (salt, wrapped) = rest.split_first_chunk::<SALT_LEN>()?;
        let which = given[3] & 3;
        let bits = KeyBits::of_len(usize::from(given[15]) * 4)?;
        let keys = which.count_ones() as usize;
        let fits = keys > 0 && *given == head(bits, which) && wrapped.len() == WRAP_LEN + keys * bits.len();
        fits.then_some(Message { which, bits, salt, wrapped })
    }
}

fn wrap(wrapping: &[u8], keys: &[u8]) -> Option<Vec<u8>> {
    let mut wrapped = vec![0; keys.len() + WRAP_LEN];
    match KeyBits::of_len(wrapping.len())? {
        KeyBits::B128 => KwAes128::new_from_slice(wrapping).ok()?.wrap_key(keys, &mut wrapped).ok()?,
        KeyBits::B192 => KwAes192::new_from_slice(wrapping).ok()?.wrap_key(keys, &mut wrapped).ok()?,
        KeyBits::B256 => KwAes256::new_from_slice(wrapping).ok()?.wrap_key(keys, &mut wrapped).ok()?,
    };
    Some(wrapped)
}

fn unwrap(wrapping: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    let mut keys = vec![0; wrapped.len().checked_sub(WRAP_LEN)?];
    match KeyBits::of_len(wrapping.len())? {
        KeyBits::B128 => KwAes128::new_from_slice(wrapping).ok()?.unwrap_key(wrapped, &mut keys).ok()?,
        KeyBits::B192 => KwAes192::new_from_slice(wrapping).ok()?.unwrap_key(wrapped, &mut keys).ok()?,
        KeyBits::B256 => KwAes256::new_from_slice(wrapping).ok()?.unwrap_key(wrapped, &mut keys).ok()?,
    };
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_each_length_come_through_with_the_passphrase_only() {
        let passphrase = Passphrase::new("a long secret").unwrap();
        for bits in [KeyBits::B128, KeyBits::B192, KeyBits::B256] {
            let (keys, message) = Keys::made_up(passphrase.clone(), bits, &[7; 48]).unwrap();
            let opened = Keys::open(passphrase.clone(), &message).unwrap();
            let mut payload = *b"a packet of a stream";
            let seq = Seq::new(77);
            assert!(keys.apply(Which::Even, seq, &mut payload));
            assert_ne!(&payload, b"a packet of a stream");
            assert!(!opened.apply(Which::Odd, seq, &mut payload), "there is no such key");
            assert!(opened.apply(Which::Even, seq, &mut payload));
            assert_eq!(&payload, b"a packet of a stream");
            let other = Passphrase::new("another secret").unwrap();
            assert_eq!(Keys::open(other, &message).unwrap_err(), Wrong::Passphrase);
            for cut in 0..message.len() {
                assert_eq!(Keys::open(passphrase.clone(), &message[..cut]).unwrap_err(), Wrong::Message);
            }
        }
        assert_eq!(std::format!("{passphrase:?}"), "Passphrase(…)");
        assert!(Passphrase::new("too short").is_none());
    }

    #[test]
    fn the_next_key_comes_beside_the_one_in_use() {
        let passphrase = Passphrase::new("a long secret").unwrap();
        let (keys, message) = Keys::made_up(passphrase.clone(), KeyBits::B128, &[7; 48]).unwrap();
        let opened = Keys::open(passphrase, &message).unwrap();
        let mut next = head(KeyBits::B128, 3).to_vec();
        next.extend_from_slice(&keys.salt);
        next.extend_from_slice(&wrap(&keys.wrapping, &[[7; 16], [8; 16]].concat()).unwrap());
        let renewed = opened.renewed(&next).unwrap();
        let mut payload = *b"a packet of a stream";
        assert!(renewed.apply(Which::Odd, Seq::new(1), &mut payload));
        assert!(renewed.apply(Which::Even, Seq::new(1), &mut payload));
        assert_eq!(opened.renewed(b"nonsense").unwrap_err(), Wrong::Message);
    }
}
