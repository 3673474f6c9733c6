//! Pass codes: tickets that are sold at the door and typed once.
//!
//! A code is 19 random symbols of Crockford's Base32, which has no `I`, `L`, `O` and `U`, and one more by which a slip is
//! seen before anybody is asked: `7K2M-9QXT-…`, five groups of four. The check symbol is the value of the code as a
//! polynomial over GF(32): a single wrong symbol and two that changed places are always seen.
//!
//! With 95 bits nobody guesses a code, so that it needs no slow hash, and its SHA-256 may be kept and carried around.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

use super::PassId;

/// Bytes of randomness that a code is made of.
pub const ENTROPY_LEN: usize = 12;

/// Symbols of a code, the check symbol included.
const SYMBOLS: usize = 20;

/// Symbols of a group.
const GROUP: usize = 4;

/// The longest text that is looked at, in bytes: room for separators as people type them.
const TEXT_LEN_MAX: usize = 64;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Comes before a code where it is hashed, so that the hash is that of nothing else.
const DOMAIN: &[u8] = b"railbird pass code v1\n";

/// A code whose check symbol is right. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; SYMBOLS]);

/// The text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Some symbols are missing, or there are more.
    #[error("a pass code has five groups of four letters and digits")]
    Length,
    /// There is a character that no code has.
    #[error("a pass code has digits and letters only, and never the letter U")]
    Symbol,
    /// The check symbol does not belong to the others.
    #[error("there is a slip in the pass code: compare it with the ticket")]
    Slip,
}

impl Code {
    /// A code of fresh randomness.
    pub fn new(entropy: [u8; ENTROPY_LEN]) -> Code {
        let mut bits = entropy.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut symbols = [0; SYMBOLS];
        for symbol in symbols.iter_mut().take(SYMBOLS - 1) {
            *symbol = (bits & 31) as u8;
            bits >>= 5;
        }
        symbols[SYMBOLS - 1] = check(&symbols);
        Code(symbols)
    }

    /// The id of the pass that the code opens.
    pub fn pass_id(&self) -> PassId {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.0.map(letter));
        PassId::of_digest(&hash.finalize().into())
    }
}

/// What the last symbol must be for the first ones.
fn check(symbols: &[u8; SYMBOLS]) -> u8 {
    // Horner's rule with a generator of GF(32), x^5 + x^2 + 1: each place has another factor, and none is 0.
    let times_x = |value: u8| (value << 1) ^ (if value & 16 == 0 { 0 } else { 0b10_0101 });
    symbols.iter().take(SYMBOLS - 1).fold(0, |sum, symbol| times_x(sum ^ symbol))
}

fn letter(symbol: u8) -> u8 {
    ALPHABET[usize::from(symbol & 31)]
}

/// The symbol of a character as people type it: `o` is 0, `i` and `l` are 1.
fn symbol(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    ALPHABET.iter().position(|letter| char::from(*letter) == c).and_then(|at| u8::try_from(at).ok())
}

impl FromStr for Code {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Code, CodeError> {
        if text.len() > TEXT_LEN_MAX {
            return Err(CodeError::Length);
        }
        let mut symbols = [0; SYMBOLS];
        let mut places = symbols.iter_mut();
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let symbol = symbol(c).ok_or(CodeError::Symbol)?;
            *places.next().ok_or(CodeError::Length)? = symbol;
        }
        if places.next().is_some() {
            return Err(CodeError::Length);
        }
        if symbols[SYMBOLS - 1] == check(&symbols) { Ok(Code(symbols)) } else { Err(CodeError::Slip) }
    }
}

/// As it is printed on a ticket.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(SYMBOLS + SYMBOLS / GROUP);
        for (n, symbol) in self.0.iter().enumerate() {
            if n > 0 && n % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(letter(*symbol)));
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        let text = code.to_string();
        assert_eq!(text, "BG2J-04W0-6818-G180-1001");
        for typed in [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!("  {}\n", text.replace('0', "o").replace('1', "l")),
            text.replace('0', "O").replace('1', "I"),
        ] {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed:?}");
        }
        let id = "b5f3ff12744ca45992552e9ff159e3c2a3569fa845ef4749c30e04b828a2c660";
        assert_eq!(code.pass_id().as_str(), id);
        assert_eq!(format!("{code:?}"), "Code(…)");
    }

    #[test]
    fn what_is_no_code_says_why() {
        let text = Code::new([9; ENTROPY_LEN]).to_string();
        for (bad, why) in [
            ("", CodeError::Length),
            (&text[..text.len() - 1], CodeError::Length),
            (&format!("{text}0"), CodeError::Length),
            (&format!("{text}{}", " ".repeat(64)), CodeError::Length),
            (&text.replace(&text[..1], "U"), CodeError::Symbol),
            (&text.replace(&text[..1], "é"), CodeError::Symbol),
            (&text.replace('-', "_"), CodeError::Symbol),
        ] {
            assert_eq!(bad.parse::<Code>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn every_slip_of_one_symbol_or_of_two_places_is_seen() {
        for seed in 0..8_u8 {
            let Code(good) = Code::new([seed.wrapping_mul(37) ^ 0xa5; ENTROPY_LEN]);
            let refused = |symbols: [u8; SYMBOLS]| symbols[SYMBOLS - 1] != check(&symbols);
            for at in 0..SYMBOLS {
                for other in (0..32).filter(|other| *other != good[at]) {
                    let mut slip = good;
                    slip[at] = other;
                    assert!(refused(slip), "{at}: {other}");
                }
                for other in (0..SYMBOLS).filter(|other| good[*other] != good[at]) {
                    let mut slip = good;
                    slip.swap(at, other);
                    assert!(refused(slip), "{at} and {other}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_every_code_comes_back(text in "\\PC{0,70}", entropy: [u8; ENTROPY_LEN]) {
            let _ = text.parse::<Code>();
            let code = Code::new(entropy);
            proptest::prop_assert_eq!(code.to_string().parse(), Ok(code));
        }
    }
}
