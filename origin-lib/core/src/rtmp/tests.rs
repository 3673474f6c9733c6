use alloc::vec::Vec;
use std::format;
use std::string::{String, ToString};

use bytes::Bytes;
use proptest::prelude::*;

use super::amf0::{AmfError, Value};
use super::chunk::{Message, Reader, Writer};
use super::*;
use crate::flv::TagKind;
use crate::hex;
use crate::time::UtcMs;

macro_rules! assert_matches {
    ($value:expr, $pattern:pat) => {
        let value = $value;
        assert!(matches!(value, $pattern), "{value:?}");
    };
}

mod chunks;
mod connections;
mod enhanced;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(&text.replace([' ', '\n'], "")).unwrap()
}

#[test]
fn urls() {
    for (text, host, port, app, key, without_key, address) in [
        ("rtmp://h/live/k", "h", 1935, "live", "k", "rtmp://h:1935/live", "h:1935"),
        (
            "RTMP://10.0.0.1:19/a/b/c?d=e/f",
            "10.0.0.1",
            19,
            "a",
            "b/c?d=e/f",
            "rtmp://10.0.0.1:19/a",
            "10.0.0.1:19",
        ),
        ("rtmp://[::1]/a/k", "::1", 1935, "a", "k", "rtmp://[::1]:1935/a", "[::1]:1935"),
        (
            "rtmp://[fe80::1.2.3.4]:65535/a/%2f",
            "fe80::1.2.3.4",
            65_535,
            "a",
            "%2f",
            "rtmp://[fe80::1.2.3.4]:65535/a",
            "[fe80::1.2.3.4]:65535",
        ),
    ] {
        let url = Url::parse(text).unwrap();
        assert_eq!((url.host.as_str(), url.port, url.app.as_str(), url.key.reveal()), (host, port, app, key));
        assert_eq!((url.without_key().as_str(), url.address().as_str()), (without_key, address));
        assert!(!format!("{url:?}").contains(&format!("{key:?}")), "{url:?}");
    }
    let long = |length| format!("rtmp://h/{}/k", "a".repeat(length));
    for (text, error) in [
        ("", UrlError::Scheme),
        ("rtmp:/", UrlError::Scheme),
        ("rtmpt://h/a/k", UrlError::Scheme),
        ("http://h/a/k", UrlError::Scheme),
        ("rtmp:/\u{2044}h/a/k", UrlError::Scheme),
        ("rtmp:///a/k", UrlError::Host),
        ("rtmp://:1935/a/k", UrlError::Host),
        ("rtmp://h:0/a/k", UrlError::Host),
        ("rtmp://h:/a/k", UrlError::Host),
        ("rtmp://h:+1/a/k", UrlError::Host),
        ("rtmp://h:65536/a/k", UrlError::Host),
        ("rtmp://user:secret@h/a/k", UrlError::Host),
        ("rtmp://::1/a/k", UrlError::Host),
        ("rtmp://[::1/a/k", UrlError::Host),
        ("rtmp://[h]/a/k", UrlError::Host),
        ("rtmp://[::1]x/a/k", UrlError::Host),
        ("rtmp://h", UrlError::Path),
        ("rtmp://h/a", UrlError::Path),
        ("rtmp://h/a/", UrlError::Path),
        ("rtmp://h//k", UrlError::Path),
        ("rtmp://h/a/k k", UrlError::Path),
        ("rtmp://h/a/k\n", UrlError::Path),
        (&long(513), UrlError::Path),
        (&long(2048), UrlError::TooLong),
    ] {
        assert_eq!(Url::parse(text), Err(error), "{text}");
    }
    assert!(Url::parse(&long(512)).is_ok());
}

#[test]
fn urls_over_tls_and_urls_whose_key_stands_apart() {
    let url = Url::parse("RTMPS://live.example.org/app/key").unwrap();
    assert_eq!((url.tls, url.port, url.address().as_str()), (true, 443, "live.example.org:443"));
    assert_eq!(url.without_key(), "rtmps://live.example.org:443/app");
    for (text, app) in [("rtmps://h/live2", "live2"), ("rtmps://h/live2/", "live2"), ("rtmps://h/a/b", "a/b")]
    {
        let url = Url::with_key(text, "key".into()).unwrap();
        assert_eq!((url.app.as_str(), url.key.reveal()), (app, "key"));
    }
    for text in ["rtmps://h", "rtmps://h/", "http://h/a", "rtmp://user@h/a"] {
        assert!(Url::with_key(text, "key".into()).is_err(), "{text}");
    }
    assert_eq!(Url::with_key("rtmp://h/a", "".into()), Err(UrlError::Path));
}

#[test]
fn a_stream_key_is_compared_and_not_shown() {
    let key = StreamKey::from("secret");
    assert!(key.is("secret") && !key.is("secreT") && !key.is("secret2") && !key.is(""));
    assert_eq!((format!("{key:?}").as_str(), key.reveal()), ("StreamKey(…)", "secret"));
}

#[test]
fn amf0_values_of_known_bytes() {
    let properties = || Vec::from([("a".to_string(), Value::Number(1.0)), (String::new(), Value::Null)]);
    let inner = "0001 61 00 3ff0000000000000  0000 05  0000 09";
    for (text, value) in [
        ("00 3ff8000000000000", Value::Number(1.5)),
        ("01 01", Value::Boolean(true)),
        ("02 0003 c3a961", "éa".into()),
        (&format!("03 {inner}"), Value::Object(properties())),
        (&format!("08 00000002 {inner}"), Value::Array(properties())),
        ("0a 00000002 05 06", Value::List([Value::Null, Value::Undefined].into())),
        ("0b 4059000000000000 0000", Value::Date(100.0)),
    ] {
        let mut encoded = Vec::new();
        value.encode(&mut encoded);
        assert_eq!(encoded, bytes(text), "{value:?}");
        assert_eq!(amf0::decode(&encoded), Ok([value].into()), "{text}");
    }
    // What is only read.
    for (text, value) in [
        ("01 02", Value::Boolean(true)),
        ("02 0002 ff61", "\u{fffd}a".into()),
        ("0c 00000001 61", "a".into()),
        ("0f 00000001 61", "a".into()),
        (&format!("10 0003 466f6f {inner}"), Value::Object(properties())),
        (&format!("08 ffffffff {inner}"), Value::Array(properties())),
        ("03 0001 61 05", Value::Object([("a".to_string(), Value::Null)].into())), // without its end
        ("03", Value::Object(Vec::new())),
        ("03 0000", Value::Object(Vec::new())),
        ("07 0001", Value::Undefined),
        ("0d", Value::Undefined),
    ] {
        assert_eq!(amf0::decode(&bytes(text)), Ok([value].into()), "{text}");
    }
    let deep = |depth: usize| [[3, 0, 1, b'a'].repeat(depth), [5].into()].concat();
    let many = |count: usize| [5].repeat(count);
    assert!(amf0::decode(&deep(amf0::DEPTH_MAX)).is_ok() && amf0::decode(&many(amf0::VALUES_MAX)).is_ok());
    for (body, error) in [
        (bytes("00 3ff8"), AmfError::CutOff),
        (bytes("02 0003 6161"), AmfError::CutOff),
        (bytes("0a ffffffff 05"), AmfError::CutOff),
        (bytes("12 00"), AmfError::Type(0x12)),
        (deep(amf0::DEPTH_MAX + 1), AmfError::TooMuch),
        (deep(100_000), AmfError::TooMuch),
        (many(amf0::VALUES_MAX + 1), AmfError::TooMuch),
    ] {
        assert_eq!(amf0::decode(&body), Err(error));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| Value::Number(f64::from(number) / 16.0)),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,12}".prop_map(Value::String),
        Just(Value::String("x".repeat(70_000))),
        any::<u32>().prop_map(|ms| Value::Date(f64::from(ms))),
        Just(Value::Null),
        Just(Value::Undefined),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let properties = prop::collection::vec((".{0,6}", inner.clone()), 0..6);
        prop_oneof![
            properties.clone().prop_map(Value::Object),
            properties.prop_map(Value::Array),
            prop::collection::vec(inner, 0..6).prop_map(Value::List),
        ]
    })
}

proptest! {
    #[test]
    fn amf0_there_and_back(values in prop::collection::vec(value(), 0..6)) {
        let mut body = Vec::new();
        values.iter().for_each(|value| value.encode(&mut body));
        prop_assert_eq!(amf0::decode(&body), Ok(values));
        for length in 0..body.len().min(64) {
            let _ = amf0::decode(&body[..length]);
        }
    }

    #[test]
    fn no_bytes_can_trip_amf0(body in prop::collection::vec(prop_oneof![0_u8..20, any::<u8>()], 0..200)) {
        let _ = amf0::decode(&body);
    }

    #[test]
    fn no_text_can_trip_the_url(text in "(rtmp://)?[\\[\\]:/a-z0-9.@é]{0,30}") {
        if let Ok(url) = Url::parse(&text) {
            prop_assert_eq!(Url::parse(&format!("{}/{}", url.without_key(), url.key.reveal())), Ok(url));
        }
    }
}
