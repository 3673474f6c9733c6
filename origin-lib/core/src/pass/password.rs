//! Passwords against PHC strings of argon2id (RFC 9106), with bounds on what a string may ask for.

use alloc::string::{String, ToString};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// The longest password, in bytes.
pub const LEN_MAX: usize = 1024;

/// The shortest password that a pass holder may choose, in bytes (NIST SP 800-63B, 3.1.1.2).
pub const LEN_MIN: usize = 8;

/// The longest PHC string, in bytes.
pub const PHC_LEN_MAX: usize = 256;

/// The most memory that a hash may take, in KiB: an isolate has 128 MiB.
pub const MEMORY_KIB_MAX: u32 = 64 * 1024;

/// The most passes over that memory.
pub const PASSES_MAX: u32 = 10;

/// The most lanes.
pub const LANES_MAX: u32 = 4;

/// What we hash with: 19 MiB, two passes over it, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The default parameters with a hash that no password is known to have. Whoever is unknown is checked against this
/// one, so that the answer takes as long.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cmFpbGJpcmQgbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password can't be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has 1 to 1024 bytes")]
pub struct PasswordError;

/// The PHC string of a password, with a salt that no other has.
pub fn hash(password: &[u8], salt: [u8; 16]) -> Result<String, PasswordError> {
    if !(1..=LEN_MAX).contains(&password.len()) {
        return Err(PasswordError);
    }
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password, &salt).map_err(|_| PasswordError)?;
    Ok(hash.to_string())
}

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
pub fn verify(password: &[u8], phc: Option<&str>) -> bool {
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
    fn our_own_hash_is_one_that_the_edge_takes_and_costs_what_nobody_costs() {
        let phc = super::hash(b"kiss shot", [7; 16]).unwrap();
        let head = |phc: &str| phc.rsplitn(3, '$').last().map(ToString::to_string);
        assert_eq!((check(&phc), head(&phc)), (Ok(()), head(DUMMY)));
        assert!(verify(b"kiss shot", Some(&phc)) && !verify(b"kiss", Some(&phc)));
        assert_ne!(super::hash(b"kiss shot", [8; 16]).unwrap(), phc);
        for bad in [0, LEN_MAX + 1] {
            assert_eq!(super::hash(&std::vec![b'x'; bad], [7; 16]), Err(PasswordError));
        }
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
