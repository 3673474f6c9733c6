//! What Enhanced RTMP adds to connections, AMF3, and messages of several.

use super::connections::{START, asked, command, commands, handshake, media, publish, serve_on, status};
use super::*;

/// A `connect` with this property.
fn connect(name: &str, value: Value) -> Vec<u8> {
    let properties = [("app".to_string(), "live".into()), (name.to_string(), value)];
    command("connect", 1.0, 0, &[Value::Object(properties.into())])
}

fn live(connect: &[u8]) -> (Server, Vec<u8>) {
    let mut server = Server::new([7; 32]);
    let input = [&handshake()[..], connect, &publish("key")].concat();
    let (sent, told) = serve_on(&mut server, &input, 1024, Ok(()));
    assert_eq!(told, [asked()]);
    (server, sent)
}

#[test]
fn a_publisher_that_knows_it_learns_what_we_can_do() {
    let codecs = Value::List(["hvc1", "Opus"].map(Value::from).into());
    for (name, value) in [
        ("capsEx", Value::Number(0.0)),
        ("fourCcList", codecs),
        ("videoFourCcInfoMap", Value::Object([("*".to_string(), Value::Number(4.0))].into())),
        ("audioFourCcInfoMap", Value::Object(Vec::new())),
    ] {
        let (_, sent) = live(&connect(name, value));
        let (_, name, _, values) = &commands(&sent)[0];
        assert_eq!(name, "_result");
        let told = &values[0];
        assert_eq!(told.get("capsEx"), Some(&Value::Number(15.0)));
        let list = ["avc1", "hvc1", "av01", "mp4a", "Opus"].map(Value::from);
        assert_eq!(told.get("fourCcList"), Some(&Value::List(list.into())));
        let video = told.get("videoFourCcInfoMap").unwrap();
        assert_eq!(["avc1", "hvc1", "av01"].map(|codec| video.get(codec)), [Some(&Value::Number(4.0)); 3]);
        let audio = told.get("audioFourCcInfoMap").unwrap();
        assert_eq!(["mp4a", "Opus"].map(|codec| audio.get(codec)), [Some(&Value::Number(4.0)); 2]);
    }
}

#[test]
fn a_command_that_nobody_can_read_ends_no_feed() {
    let (mut server, _) = live(&connect("capsEx", Value::Number(1.0)));
    let sound = bytes("04 000017 000003 08 01000000 af0121");
    for command in ["03 000017 000000 14 01000000", "03 000017 000001 11 01000000 00"] {
        let (_, told) = serve_on(&mut server, &[bytes(command), sound.clone()].concat(), 1024, Ok(()));
        assert_eq!(told, [media(TagKind::Audio, 23, "af0121")], "{command}");
    }
}

#[test]
fn only_who_knows_it_is_asked_to_reconnect() {
    for (value, reconnects) in [
        (Value::Number(1.0), true),
        (Value::Number(15.0), true),
        (Value::Number(14.0), false),
        (Value::Number(f64::NAN), false),
        (Value::Number(-1.0), false),
        ("1".into(), false),
    ] {
        let (mut server, mut sent) = live(&connect("capsEx", value.clone()));
        assert_eq!(server.ask_to_reconnect("the origin is updated"), reconnects, "{value:?}");
        // The feed goes on until the publisher leaves.
        let sound = bytes("04 000017 000003 08 01000000 af0121");
        let (more, told) = serve_on(&mut server, &sound, 1024, Ok(()));
        assert_eq!(told, [media(TagKind::Audio, 23, "af0121")]);
        sent.extend(more);
        let last = commands(&sent).pop().unwrap();
        let expected =
            ["onStatus", "status", "NetConnection.Connect.ReconnectRequest", "the origin is updated"];
        assert_eq!(status(&last) == expected, reconnects);
        assert!(!reconnects || last.0 == 0, "it is a word of the connection, not of the stream");
    }
    // Before a feed was taken there is nothing to move.
    let mut server = Server::new([7; 32]);
    let input = [&handshake()[..], &connect("capsEx", 1.0.into())].concat();
    serve_on(&mut server, &input, 1024, Ok(()));
    assert!(!server.ask_to_reconnect("the origin is updated"));
}

#[test]
fn a_message_of_several_messages_is_taken_apart() {
    let (mut server, _) = live(&connect("capsEx", 0.0.into()));
    // Its time is that of the first one: 4096 for 100, 4110 for 114.
    let parts = "08 000003 000064 00 000000 af0121 0000000e  09 000002 000072 00 000000 1702 0000000d";
    let aggregate = |parts: &str| {
        let body = bytes(parts);
        let mut message = bytes("06 001000");
        message.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
        message.extend(bytes("16 01000000"));
        message.extend(body);
        message
    };
    let expected = [media(TagKind::Audio, 4096, "af0121"), media(TagKind::Video, 4110, "1702")];
    assert_eq!(serve_on(&mut server, &aggregate(parts), 1, Ok(())).1, expected);
    // What is no tag ends it, and not the feed.
    for (behind, told) in [("63 000000", 2), ("08 ffffff 000000 00 000000", 2), ("", 2)] {
        let told_now = serve_on(&mut server, &aggregate(&format!("{parts}{behind}")), 7, Ok(())).1;
        assert_eq!(told_now, expected[..told], "{behind}");
    }
    assert_eq!(serve_on(&mut server, &aggregate("63"), 7, Ok(())).1, []);
}

#[test]
fn a_value_may_be_in_amf3() {
    let text = |text: &str| Value::String(text.to_string());
    let object = |properties: &[(&str, Value)]| {
        Value::Object(properties.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    };
    for (body, value) in [
        ("11 00", Value::Undefined),
        ("11 01", Value::Null),
        ("11 02", Value::Boolean(false)),
        ("11 03", Value::Boolean(true)),
        ("11 04 7f", Value::Number(127.0)),
        ("11 04 8100", Value::Number(128.0)),
        ("11 04 ffffffff", Value::Number(-1.0)),
        ("11 04 bfffffff", Value::Number(268_435_455.0)),
        ("11 05 3ff8000000000000", Value::Number(1.5)),
        ("11 06 0561c3", Value::String("a\u{fffd}".to_string())),
        ("11 08 01 4059000000000000", Value::Date(100.0)),
        ("11 0c 05aabb", Value::Undefined),
        ("11 0d 0500 0000000100000002", Value::Undefined),
        ("11 0f 0300 3ff8000000000000", Value::Undefined),
        ("11 10 0301 01 0401", Value::Undefined),
        ("11 11 0300 0401 0402", Value::Undefined),
        // Two elements; one by its name.
        ("11 09 05 01 0401 0402", Value::List([Value::Number(1.0), Value::Number(2.0)].into())),
        ("11 09 01 0361 0401 01", Value::Array([("a".to_string(), Value::Number(1.0))].into())),
        // A class of one member that takes others; its name and its member are referred to.
        ("11 0a 1b 0363 0361 0401 0362 0600 01", object(&[("a", Value::Number(1.0)), ("b", text("c"))])),
        // A list of two objects of one class.
        (
            "11 09 05 01 0a13 01 0361 0401 0a01 0402",
            Value::List([object(&[("a", Value::Number(1.0))]), object(&[("a", Value::Number(2.0))])].into()),
        ),
        ("11 0a 00", Value::Undefined),
    ] {
        // What follows is in AMF0 again.
        let body = format!("{body} 05");
        assert_eq!(amf0::decode(&bytes(&body)), Ok([value, Value::Null].into()), "{body}");
        for length in 0..bytes(&body).len() - 1 {
            let cut = amf0::decode(&bytes(&body)[..length]);
            assert!(length == 0 || cut.is_err(), "{body}: {length}");
        }
    }
    for (body, error) in [
        ("11 12", AmfError::Type(0x12)),
        ("11 0a 07 0363", AmfError::Type(10)),
        ("11 0a 05", AmfError::CutOff),
        ("11 06 02", AmfError::CutOff),
        ("11 09 ffffffff 01", AmfError::CutOff),
        ("11 0c ffffffff", AmfError::CutOff),
    ] {
        assert_eq!(amf0::decode(&bytes(body)), Err(error), "{body}");
    }
    // A few bytes do not become many: neither by depth, nor by references.
    let deep = [&[0x11][..], &[9, 3, 1].repeat(1000)].concat();
    assert_eq!(amf0::decode(&deep), Err(AmfError::TooMuch));
    let members = [&bytes("11 0a 8880 43 01 0361")[..], &[0; 70_000]].concat();
    assert_eq!(amf0::decode(&members), Err(AmfError::TooMuch));
    let long = [&bytes("11 09 8201 01 06 8701")[..], &[b'a'; 513 - 128], &[6, 0]].concat();
    assert!(amf0::decode(&long).is_err());
}

#[test]
fn commands_may_be_in_amf3s_messages() {
    let mut message = Vec::new();
    let (mut writer, mut body) = (Writer::new(), bytes("00"));
    writer.set_chunk_len(&mut message, 60_000);
    [Value::from("connect"), 1.0.into()].iter().for_each(|value| value.encode(&mut body));
    // The command object goes over to AMF3.
    body.extend(bytes("11 0a 0b 01 07617070 06096c697665 01"));
    writer.write(&mut message, 3, 17, 0, 0, &body);
    let mut server = Server::new([7; 32]);
    let input = [&handshake()[..], &message, &publish("key")].concat();
    assert_eq!(serve_on(&mut server, &input, 1024, Ok(())).1, [asked()]);
    assert_eq!(server.deadline(), Some(START.plus_ms(IDLE_MS_MAX)));
}

proptest! {
    #[test]
    fn no_bytes_can_trip_amf3(body in prop::collection::vec(prop_oneof![0_u8..20, any::<u8>()], 0..200)) {
        let _ = amf0::decode(&[&[0x11][..], &body].concat());
    }
}
