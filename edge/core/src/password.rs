//! Passwords against PHC strings of argon2id (RFC 9106), with bounds on what a string may ask for.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordVerifier};

/// The longest PHC string, in bytes.
pub const PHC_LEN_MAX: usize = 256;

/// The most memory that a hash may take, in KiB: an isolate has 128 MiB.
pub const MEMORY_KIB_MAX: u32 = 64 * 1024;

/// The most passes over that memory.
pub const PASSES_MAX: u32 = 10;

/// The most lanes.
pub const LANES_MAX: u32 = 4;

/// The default parameters with a hash that no password is known to have. Whoever is unknown is checked against this
/// one, so that the answer takes as long.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cmFpbGJpcmQgbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The text is not a hash that this edge checks passwords against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "password_hash must be a PHC string of argon2id, version 19, with m ≤ 65536, t ≤ 10, p ≤ 4, a salt and a hash"
)]
pub struct HashError;

/// Whether the text is a hash within the bounds.
pub fn check(phc: &str) -> Result<(), HashError> {
    parse(phc).map(|_| ())
}

fn parse(phc: &str) -> Result<PasswordHash, HashError> {
    if phc.len() > PHC_LEN_MAX {
        return Err(HashError);
    }
    let hash = PasswordHash::new(phc).map_err(|_| HashError)?;
    let params = Params::try_from(&hash).map_err(|_| HashError)?;
    let known = hash.algorithm.as_str() == "argon2id" && hash.version == Some(19);
    let complete = hash.salt.is_some() && hash.hash.is_some();
    let bounded = params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= PASSES_MAX
        && params.p_cost() <= LANES_MAX
        && params.m_cost() >= params.p_cost() * 8;
    if known && complete && bounded { Ok(hash) } else { Err(HashError) }
}

/// Whether the password has this hash. Without a hash, or with one that can't be used, it takes as long as with one
/// of the default parameters, and says no.
pub(crate) fn verify(password: &[u8], phc: Option<&str>) -> bool {
    let verify = |hash: &PasswordHash| Argon2::default().verify_password(password, hash).is_ok();
    match phc.map(parse) {
        Some(Ok(hash)) => verify(&hash),
        _ => {
            if let Ok(dummy) = parse(DUMMY) {
                // An optimiser that sees its result unused could drop the work.
                core::hint::black_box(verify(&dummy));
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::{String, ToString};

    fn hash(password: &[u8], memory_kib: u32) -> String {
        use argon2::{CustomizedPasswordHasher, Version};
        let params = Params::new(memory_kib, 1, 1, None).unwrap();
        let hash = Argon2::default().hash_password_customized(
            password,
            b"a salt of the test",
            Some("argon2id"),
            Some(Version::V0x13.into()),
            params,
        );
        hash.unwrap().to_string()
    }

    #[test]
    fn a_password_is_checked_with_its_own_parameters() {
        let phc = hash(b"kiss shot", 64);
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(check(&phc), Ok(()));
        assert!(verify(b"kiss shot", Some(&phc)));
        assert!(!verify(b"kiss shot ", Some(&phc)));
        assert!(!verify(b"", Some(&phc)));
    }

    #[test]
    fn nobody_and_the_unusable_say_no() {
        assert_eq!(check(DUMMY), Ok(()));
        for phc in [None, Some("garbage"), Some(DUMMY)] {
            assert!(!verify(b"", phc));
        }
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        let good = hash(b"x", 64);
        let salt_and_hash = good.split_once("p=1").unwrap().1.to_string();
        let with = |head: &str| format!("{head}{salt_and_hash}");
        assert_eq!(check(&with("$argon2id$v=19$m=65536,t=10,p=4")), Ok(()));
        for bad in [
            with("$argon2id$v=19$m=65537,t=1,p=1"),
            with("$argon2id$v=19$m=64,t=11,p=1"),
            with("$argon2id$v=19$m=64,t=1,p=5"),
            with("$argon2id$v=19$m=8,t=1,p=2"),
            with("$argon2id$v=19$m=64,t=0,p=1"),
            with("$argon2id$v=16$m=64,t=1,p=1"),
            with("$argon2id$m=64,t=1,p=1"),
            with("$argon2i$v=19$m=64,t=1,p=1"),
            "$argon2id$v=19$m=64,t=1,p=1".to_string(),
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ".to_string(),
            String::new(),
            "$".repeat(257),
        ] {
            assert_eq!(check(&bad), Err(HashError), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,120}", params in "[mtpvdk=,0-9$A-Za-z+/]{0,80}") {
            let _ = check(&text);
            let _ = check(&format!("$argon2id$v=19${params}"));
        }
    }
}
