use alloc::collections::BTreeMap;
use std::format;
use std::string::ToString;
use std::vec;

use common_access_token as cat;
use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"a session secret";

fn key() -> Key {
    Key::derive(SECRET)
}

fn claims() -> Claims {
    Claims {
        pass: PassId::of_email("demo@railbird.test").unwrap(),
        channels: Coverage::try_from(vec!["table-1".to_string(), "table-2".to_string()]).unwrap(),
        issued_s: 1_795_171_920,
        expires_s: 1_795_175_520,
        id: core::array::from_fn(|n| n as u8),
    }
}

/// Written down by an independent encoder and HMAC: edges of two versions must agree.
const GOLDEN: &str = "2D3RhEOhAQWgWIanAWhyYWlsYmlyZAJ4QGYzOGUzZjk2MmZlYzBmZTg3MTBmZTJlY2EwNjVkYTIyNDRiY2FiNWU0YjNh\
    YjgxZGJiNTJjNzRjMGViNTMxMDYEGmsANGAGGmsAJlAHUAABAgMEBQYHCAkKCwwNDg8ZATYBOgABAACCZ3RhYmxlLTFndGFibGUtMlggB-qikZlm9\
    3BGpofMhmNZk4S10E51dAn3b5cKBgMx4eo";

#[test]
fn a_token_is_these_very_bytes() {
    assert_eq!(mint(&key(), &claims()), GOLDEN);
    assert_eq!(open(&key(), GOLDEN), Ok(claims()));
}

#[test]
fn another_implementation_reads_ours() {
    let bytes = URL_SAFE_NO_PAD.decode(mint(&key(), &claims())).unwrap();
    let token = cat::Token::from_bytes(&bytes).unwrap();
    token.verify(&Key::derived_bytes(SECRET)).unwrap();
    assert!(token.verify(SECRET).is_err());
    assert_eq!(token.header.algorithm(), Some(cat::Algorithm::HmacSha256));
    assert_eq!(token.issuer(), Some("railbird"));
    assert_eq!(token.subject(), Some(claims().pass.as_str()));
    assert_eq!((token.issued_at(), token.expiration()), (Some(claims().issued_s), Some(claims().expires_s)));
    assert_eq!(token.claims.registered.cti.as_deref(), Some(&claims().id[..]));
    assert_eq!(token.get_custom_int(310), Some(1));
    let channels = ["table-1", "table-2"].map(|channel| cat::CborValue::Text(channel.to_string()));
    assert_eq!(token.get_custom_claim(-65_537), Some(&cat::CborValue::Array(channels.to_vec())));
    assert_eq!(token.to_bytes().unwrap().len(), bytes.len());
}

#[test]
fn we_read_what_another_implementation_writes() {
    let claims = claims();
    let registered = cat::RegisteredClaims::new()
        .with_issuer("railbird")
        .with_subject(claims.pass.as_str())
        .with_expiration(claims.expires_s)
        .with_issued_at(claims.issued_s)
        .with_cti(claims.id);
    let builder = || {
        cat::TokenBuilder::new()
            .algorithm(cat::Algorithm::HmacSha256)
            .registered_claims(registered.clone())
            .custom_int(310, 1)
    };
    let channels = || claims.channels.names().into_iter().map(cat::CborValue::Text).collect();
    let text = |builder: cat::TokenBuilder| {
        URL_SAFE_NO_PAD.encode(builder.sign(&Key::derived_bytes(SECRET)).unwrap().to_bytes().unwrap())
    };
    assert_eq!(open(&key(), &text(builder().custom_array(-65_537, channels()))), Ok(claims.clone()));
    // A restriction that we don't know must not be ignored.
    let restricted = builder().custom_array(-65_537, channels()).custom_map(312, BTreeMap::new());
    assert_eq!(open(&key(), &text(restricted)), Err(TokenError));
    // Nor may a key id be, which would choose another key.
    let chosen = builder().custom_array(-65_537, channels()).protected_key_id(cat::KeyId::string("k"));
    assert_eq!(open(&key(), &text(chosen)), Err(TokenError));
    assert_eq!(open(&key(), &text(builder())), Err(TokenError));
}

#[test]
fn the_largest_token_fits() {
    let names =
        (0..crate::passes::CHANNELS_MAX).map(|n| format!("{}-{n:02}", "x".repeat(61))).collect::<Vec<_>>();
    let channels = Coverage::try_from(names).unwrap();
    let claims = Claims { channels, expires_s: u64::MAX, issued_s: u64::MAX, ..claims() };
    let token = mint(&key(), &claims);
    assert!(token.len() <= TEXT_LEN_MAX, "{}", token.len());
    assert_eq!(open(&key(), &token), Ok(claims));
    assert_eq!(open(&key(), &"A".repeat(TEXT_LEN_MAX + 1)), Err(TokenError));
}

/// Claims as a list of key and encoded value.
fn payload(claims: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes).map(claims.len() as u64).unwrap();
    for (key, value) in claims {
        Encoder::new(&mut bytes).i64(*key).unwrap();
        bytes.extend_from_slice(value);
    }
    bytes
}

fn cbor<T: minicbor::Encode<()>>(value: T) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes).encode(value).unwrap();
    bytes
}

#[test]
fn claims_are_all_there_once_and_of_their_kind() {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes).bytes(&claims().id).unwrap();
    let good = vec![
        (1, cbor("railbird")),
        (2, cbor(claims().pass.as_str())),
        (4, cbor(claims().expires_s)),
        (6, cbor(claims().issued_s)),
        (7, bytes),
        (310, cbor(1)),
        (CHANNELS_CLAIM, cbor(["table-1", "table-2"])),
    ];
    let open_claims = |claims: &[(i64, Vec<u8>)]| open(&key(), &seal(&key(), &payload(claims)));
    assert_eq!(open_claims(&good), Ok(claims()));
    for n in 0..good.len() {
        let mut missing = good.clone();
        missing.remove(n);
        assert_eq!(open_claims(&missing), Err(TokenError), "without {}", good[n].0);
        let mut doubled = good.clone();
        doubled[n] = doubled[(n + 1) % good.len()].clone();
        assert_eq!(open_claims(&doubled), Err(TokenError), "{} twice", doubled[n].0);
        for wrong in
            [cbor("x"), cbor(u64::MAX), cbor(-1), cbor(["*", "a"]), cbor([1]), vec![], vec![0xff], vec![0x9f]]
        {
            let mut other = good.clone();
            other[n].1 = wrong.clone();
            // The greatest number is a time like any other.
            let fits = [4, 6].contains(&good[n].0) && wrong == cbor(u64::MAX);
            assert_eq!(open_claims(&other).is_ok(), fits, "{}: {wrong:?}", good[n].0);
        }
    }
    let mut more = good.clone();
    more.push((313, cbor(["GET"])));
    assert_eq!(open_claims(&more), Err(TokenError));
    let mut longer = payload(&good);
    longer.push(0);
    assert_eq!(open(&key(), &seal(&key(), &longer)), Err(TokenError));
}

#[test]
fn any_changed_bit_is_refused() {
    let bytes = URL_SAFE_NO_PAD.decode(GOLDEN).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&key(), &URL_SAFE_NO_PAD.encode(changed)), Err(TokenError), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert_eq!(open(&key(), &URL_SAFE_NO_PAD.encode(&bytes[..len])), Err(TokenError), "cut to {len}");
    }
    for end in ["A", "=", "AAAA", " ", "\n", "/"] {
        assert_eq!(open(&key(), &format!("{GOLDEN}{end}")), Err(TokenError), "with {end:?}");
    }
    assert_eq!(open(&Key::derive(b"another session secret"), GOLDEN), Err(TokenError));
}

#[test]
fn any_changed_character_is_refused() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.~%";
    for at in 0..GOLDEN.len() {
        for c in ALPHABET.chars().filter(|c| !GOLDEN[at..].starts_with(*c)) {
            let changed = format!("{}{c}{}", &GOLDEN[..at], &GOLDEN[at + 1..]);
            assert_eq!(open(&key(), &changed), Err(TokenError), "{c} at {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,300}") {
        prop_assert_eq!(open(&key(), &text), Err(TokenError));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut enveloped = ENVELOPE.to_vec();
        enveloped.extend_from_slice(&bytes);
        prop_assert_eq!(open(&key(), &URL_SAFE_NO_PAD.encode(&bytes)), Err(TokenError));
        prop_assert_eq!(open(&key(), &URL_SAFE_NO_PAD.encode(&enveloped)), Err(TokenError));
        // Even whoever has the key can't.
        let mut map = vec![0xa7];
        map.extend_from_slice(&bytes);
        prop_assert!(open(&key(), &seal(&key(), &bytes)).is_err());
        prop_assert!(open(&key(), &seal(&key(), &map)).is_err());
    }

    #[test]
    fn what_is_minted_opens(
        email in "[a-z]{1,20}@[a-z]{1,20}",
        names in proptest::collection::vec("[a-z0-9]{1,64}", 1..=16),
        times in any::<(u64, u64)>(),
        id in any::<[u8; 16]>(),
    ) {
        let claims = Claims {
            pass: PassId::of_email(&email).unwrap(),
            channels: Coverage::try_from(names).unwrap(),
            issued_s: times.0,
            expires_s: times.1,
            id,
        };
        let token = mint(&key(), &claims);
        prop_assert!(token.len() <= TEXT_LEN_MAX);
        prop_assert_eq!(open(&key(), &token), Ok(claims));
    }
}
