use std::format;
use std::vec;

use serde_json::{Value, json};

use super::*;

const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$YSBzYWx0IGZvciBmdXp6aW5n$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn an_address_has_one_id_however_it_is_typed() {
    let id = PassId::of_email("demo@railbird.test").unwrap();
    assert_eq!(id.as_str(), "f38e3f962fec0fe8710fe2eca065da2244bcab5e4b3ab81dbb52c74c0eb53106");
    assert_eq!(PassId::of_email(" Demo@Railbird.TEST\t").unwrap(), id);
    assert_eq!(id.as_str().parse(), Ok(id));
    for bad in ["", "@", "a@", "@b", "a b@c", "a@b\0c", "a@b\r\nbcc: c@d", &format!("{}@b", "a".repeat(253))]
    {
        assert_eq!(PassId::of_email(bad), None, "{bad:?}");
    }
    for bad in ["", "0", &"g".repeat(64), &"A".repeat(64)] {
        assert_eq!(bad.parse::<PassId>(), Err(PassIdError));
    }
}

#[test]
fn coverage_is_all_or_a_bounded_list() {
    let table_1: ChannelId = "table-1".parse().unwrap();
    let read = |value| serde_json::from_value::<Coverage>(value);
    assert_eq!(read(json!(["*"])).unwrap(), Coverage::All);
    let only = read(json!(["table-1"])).unwrap();
    assert_eq!(only, Coverage::Only(vec![table_1.clone()]));
    assert!(only.covers(&table_1) && !only.covers(&"table-2".parse().unwrap()));
    assert!(Coverage::All.covers(&table_1));
    assert_eq!(serde_json::to_value(&only).unwrap(), json!(["table-1"]));
    for bad in [json!([]), json!(["*", "a"]), json!(["A"])] {
        assert!(read(bad).is_err());
    }
    assert!(read(json!(vec!["a"; 17])).is_err());
}

fn said() -> Value {
    json!({"email": " A@B.test", "password_hash": HASH, "channels": ["*"], "valid_from": 1, "valid_until": 2})
}

#[test]
fn a_pass_as_earlier_versions_sent_it_is_whole() {
    let pass: Pass = serde_json::from_value(said()).unwrap();
    let (id, pass) = pass.check().unwrap();
    assert_eq!((Some(id), pass.email.as_deref()), (PassId::of_email("a@b.test"), Some("a@b.test")));
    assert_eq!((pass.screens, &pass.locale, &pass.note, pass.revoked), (2, &None, &None, false));
    assert!(!format!("{pass:?}").contains("b.test"));
}

#[test]
fn a_pass_of_a_code_has_the_codes_id() {
    let id = code::Code::new([3; 12]).pass_id();
    let said = json!({"code_hash": id, "channels": ["a"], "valid_from": 1, "valid_until": 2});
    let pass: Pass = serde_json::from_value(said.clone()).unwrap();
    let (found, pass) = pass.check().unwrap();
    assert_eq!(found, id);
    let mut again = serde_json::to_value(&pass).unwrap();
    again.as_object_mut().unwrap().remove("screens");
    assert_eq!(again, said);
}

#[test]
fn what_is_wrong_with_a_pass_is_named() {
    let with = |key: &str, value: Value| {
        let mut said = said();
        said[key] = value;
        serde_json::from_value::<Pass>(said).unwrap().check().map(|(id, _)| id)
    };
    let tag = "en-a-bbb-ccc-ddd-eee-fff-ggg-hhh-iiii";
    for (key, value, wrong) in [
        ("email", json!("nobody"), PassError::Email),
        ("email", Value::Null, PassError::Holder),
        ("password_hash", Value::Null, PassError::Holder),
        ("code_hash", json!("0".repeat(64)), PassError::Holder),
        ("password_hash", json!("kiss shot"), PassError::Hash(password::HashError)),
        ("valid_until", json!(1), PassError::Validity),
        ("screens", json!(0), PassError::Screens),
        ("screens", json!(17), PassError::Screens),
        ("locale", json!(""), PassError::Locale),
        ("locale", json!("n"), PassError::Locale),
        ("locale", json!("nl_BE"), PassError::Locale),
        ("locale", json!("nl-"), PassError::Locale),
        ("locale", json!("nl\r\nx: y"), PassError::Locale),
        ("locale", json!(tag), PassError::Locale),
        ("note", json!("x".repeat(201)), PassError::Note),
        ("note", json!("two\nlines"), PassError::Note),
    ] {
        assert_eq!(with(key, value.clone()), Err(wrong), "{key}: {value}");
    }
    for (key, value) in [
        ("screens", json!(16)),
        ("locale", json!("ko")),
        ("locale", json!("zh-Hant-TW")),
        ("note", json!("order 4711, \"box 3\"; =1+1")),
        ("revoked", json!(true)),
    ] {
        assert!(with(key, value).is_ok(), "{key}");
    }
    for (key, value) in [("password", json!("in clear")), ("code_hash", json!("x")), ("screens", json!(-1))] {
        let mut said = said();
        said[key] = value;
        assert!(serde_json::from_value::<Pass>(said).is_err(), "{key}");
    }
}
