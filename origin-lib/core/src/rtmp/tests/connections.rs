//! Both sides of a connection.

use super::*;

pub(super) const START: UtcMs = UtcMs(1_000_000);

/// C0 and C1 of the plain form, then C2.
pub(super) fn handshake() -> Vec<u8> {
    let mut sent = Vec::from([3]);
    sent.extend_from_slice(&[0; 8]);
    sent.extend((8..1536).map(|n| n as u8));
    sent.resize(1 + 1536 * 2, 0x5a);
    sent
}

/// What ffmpeg 5.1 sends to publish: connect, a window report, releaseStream, FCPublish, createStream, publish.
const FFMPEG: &str = "
    03 000000 00008c 14 00000000 020007636f6e6e656374 003ff0000000000000 03
    0003617070 0200046c697665 000474797065 02000a6e6f6e70726976617465
    0008666c617368566572 020024464d4c452f332e302028636f6d70617469626c653b204c61766635392e32372e31303029
    00057463 55726c 02001b72746d703a2f2f3132372e302e302e313a31 c3 393335302f6c697665 000009
    02 000000 000004 01 00000000 0000ea60
    43 000000 000020 14 02000d72656c6561736553747265616d 004000000000000000 05 0200036b6579
    43 000000 00001c 14 020009464350 75626c697368 004008000000000000 05 0200036b6579
    43 000000 000019 14 02000c637265617465 53747265616d 004010000000000000 05
    08 000000 000021 14 01000000 0200077075626c697368 004014000000000000 05 0200036b6579 0200046c697665";

/// ffmpeg's metadata, a sequence header and a sound; then what it says at the end.
const FFMPEG_MEDIA: &str = "
    04 000000 00001f 12 01000000 02000d40736574446174614672616d65 02000a6f6e4d65746144617461 0000
    06 000000 000005 09 01000000 1702000000
    44 000017 000003 08 af0121";
const FFMPEG_END: &str = "
    43 000000 00001e 14 02000b4643556e7075626c697368 004018000000000000 05 0200036b6579
    43 000000 000022 14 02000c64656c65746553747265616d 00401c000000000000 05 003ff0000000000000";

pub(super) fn command(name: &str, transaction: f64, stream: u32, values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    [name.into(), transaction.into()].iter().chain(values).for_each(|value: &Value| value.encode(&mut body));
    let mut out = Vec::new();
    let mut writer = Writer::new();
    writer.set_chunk_len(&mut out, 60_000);
    writer.write(&mut out, 3, 20, stream, 0, &body);
    out
}

fn connect() -> Vec<u8> {
    command("connect", 1.0, 0, &[Value::Object([("app".to_string(), "live".into())].into())])
}

pub(super) fn publish(key: &str) -> Vec<u8> {
    command("publish", 0.0, 1, &[Value::Null, key.into()])
}

/// Feeds a server pieces of this length and answers each feed with what `answer` says; returns what it sent and the rest
/// of what it told.
fn serve(input: &[u8], piece: usize, answer: Result<(), &str>) -> (Vec<u8>, Vec<Output>) {
    let mut server = Server::new([7; 32]);
    serve_on(&mut server, input, piece, answer)
}

pub(super) fn serve_on(
    server: &mut Server,
    input: &[u8],
    piece: usize,
    answer: Result<(), &str>,
) -> (Vec<u8>, Vec<Output>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    for bytes in input.chunks(piece.max(1)) {
        server.handle(bytes, START);
        while let Some(output) = server.poll() {
            match output {
                Output::Send(bytes) => sent.extend_from_slice(&bytes),
                output => {
                    let asked = matches!(output, Output::Publish { .. });
                    told.push(output);
                    match answer {
                        Ok(()) if asked => server.accept(),
                        Err(reason) if asked => server.refuse(reason),
                        _ => {}
                    }
                }
            }
        }
    }
    (sent, told)
}

/// The messages in what a side sent after its handshake.
fn messages(sent: &[u8]) -> Vec<Message> {
    let mut reader = Reader::new(MESSAGE_LEN_MAX);
    let mut rest = &sent[1 + 1536 * 2..];
    core::iter::from_fn(|| reader.read(&mut rest).unwrap()).collect()
}

/// The commands among them: message stream, name, transaction, the rest.
pub(super) fn commands(sent: &[u8]) -> Vec<(u32, String, f64, Vec<Value>)> {
    let commands = messages(sent).into_iter().filter(|message| message.kind == 20);
    commands
        .map(|message| {
            let mut values = amf0::decode(&message.payload).unwrap();
            let rest = values.split_off(2);
            let (name, transaction) =
                (values[0].as_str().unwrap().to_string(), values[1].as_number().unwrap());
            (message.stream, name, transaction, rest)
        })
        .collect()
}

pub(super) fn status(command: &(u32, String, f64, Vec<Value>)) -> [&str; 4] {
    let text = |name| command.3[1].get(name).and_then(Value::as_str).unwrap();
    [&command.1, text("level"), text("code"), text("description")]
}

pub(super) fn asked() -> Output {
    Output::Publish { app: "live".into(), key: "key".into() }
}

pub(super) fn media(kind: TagKind, timestamp_ms: u32, payload: &str) -> Output {
    Output::Media { kind, timestamp_ms, payload: super::bytes(payload).into() }
}

#[test]
fn a_handshake_gives_the_peers_block_back() {
    let plain = handshake();
    // The form with digests: a version where the plain form has zeros.
    let mut digest = plain.clone();
    digest[5..9].copy_from_slice(&[0x80, 0, 7, 2]);
    for hello in [plain, digest] {
        for piece in [hello.len(), 1, 1536, 1537] {
            let (sent, told) = serve(&hello, piece, Ok(()));
            assert!(told.is_empty());
            assert_eq!(sent.len(), 1 + 1536 * 2);
            assert_eq!(sent[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
            // Golden: SHA-256 of 32 bytes of 7 and the block's number.
            assert_eq!(hex::encode(&sent[9..17]), "7c87c3b8f2da19fe");
            assert_eq!(sent[1 + 1536..], hello[1..1 + 1536]);
        }
    }
}

#[test]
fn other_protocols_are_named() {
    for (hello, name) in [
        (&b"GET / HTTP/1.1\r\n"[..], "HTTP"),
        (b"\x16\x03\x01\x02\x00", "TLS"),
        (b"\x06\0\0\0", "encrypted RTMP"),
        (b"\0\0\0\0", "an unknown protocol"),
        (b"\x80", "an unknown protocol"),
    ] {
        for piece in [hello.len(), 1] {
            let (sent, told) = serve(hello, piece, Ok(()));
            let [Output::Close { reason: reason @ Error::NotRtmp(_) }] = &told[..] else {
                panic!("{told:?}")
            };
            let text = reason.to_string();
            assert!(text.contains(name) && text.contains("rtmp://HOST"), "{text}");
            assert!(sent.is_empty());
        }
    }
}

#[test]
fn ffmpegs_feed_is_taken() {
    let input = [&handshake()[..], &bytes(FFMPEG), &bytes(FFMPEG_MEDIA), &bytes(FFMPEG_END)].concat();
    for piece in [input.len(), 1, 2, 3, 100, 1537, 3073] {
        let (sent, told) = serve(&input, piece, Ok(()));
        let expected = [
            asked(),
            media(TagKind::Data, 0, "02000a6f6e4d65746144617461 0000"),
            media(TagKind::Video, 0, "1702000000"),
            media(TagKind::Audio, 23, "af0121"),
            Output::Unpublish,
        ];
        assert_eq!(told, expected, "{piece}");
        let commands = commands(&sent);
        let names: Vec<_> =
            commands.iter().map(|command| (command.0, command.1.as_str(), command.2)).collect();
        assert_eq!(
            names,
            [
                (0, "_result", 1.0),
                (0, "_result", 2.0),
                (0, "_result", 3.0),
                (0, "_result", 4.0),
                (1, "onStatus", 0.0),
                (1, "onStatus", 0.0)
            ]
        );
        assert_eq!(commands[3].3, [Value::Null, Value::Number(1.0)]);
        assert_eq!(status(&commands[4])[..3], ["onStatus", "status", "NetStream.Publish.Start"]);
        assert_eq!(status(&commands[5])[..3], ["onStatus", "status", "NetStream.Unpublish.Success"]);
        // Window, bandwidth, stream begin; the chunk length is obeyed by the reader.
        let others: Vec<_> = messages(&sent)
            .into_iter()
            .filter(|message| message.kind != 20)
            .map(|message| (message.kind, hex::encode(&message.payload)))
            .collect();
        let expected = [(5, "002625a0"), (6, "002625a002"), (4, "000000000001")];
        assert_eq!(others, expected.map(|(kind, body)| (kind, body.to_string())));
    }
}

#[test]
fn connect_is_answered_with_golden_bytes() {
    let (sent, _) = serve(&[handshake(), connect()].concat(), 3073, Ok(()));
    let golden = "
        02 000000 000004 05 00000000 002625a0
        02 000000 000005 06 00000000 002625a002
        02 000000 000004 01 00000000 0000ea60
        03 000000 0000be 14 00000000 0200075f726573756c74 003ff0000000000000
        03 0006666d73566572 02000d464d532f332c302c312c313233 000c6361706162696c6974696573 00403f000000000000 000009
        03 00056c6576656c 020006737461747573
        0004636f6465 02001d4e6574436f6e6e656374696f6e2e436f6e6e6563742e53756363657373
        000b6465736372697074696f6e 020015436f6e6e656374696f6e207375636365656465642e
        000e6f626a656374456e636f64696e67 000000000000000000 000009";
    assert_eq!(hex::encode(&sent[3073..]), hex::encode(&bytes(golden)));
}

#[test]
fn a_refused_publisher_is_told_why() {
    let input = [&handshake()[..], &bytes(FFMPEG), &bytes(FFMPEG_MEDIA)].concat();
    let reason = "wrong stream key: ask the operator";
    for piece in [input.len(), 1] {
        let (sent, told) = serve(&input, piece, Err(reason));
        assert_eq!(told, [asked(), Output::Close { reason: Error::Refused(reason.into()) }]);
        let commands = commands(&sent);
        let told = status(commands.last().unwrap());
        assert_eq!(told, ["onStatus", "error", "NetStream.Publish.BadName", reason]);
    }
    // In the middle of a feed: what was told and not polled does not reach the driver after the refusal.
    let mut server = Server::new([7; 32]);
    let (mut sent, _) = serve_on(&mut server, &[&handshake()[..], &bytes(FFMPEG)].concat(), 4096, Ok(()));
    server.handle(&bytes(FFMPEG_MEDIA), START);
    server.refuse("the encoder sends\nHEVC: set H.264");
    server.refuse("twice");
    server.accept();
    server.handle(&bytes(FFMPEG_MEDIA), START);
    let Some(Output::Send(last)) = server.poll() else { panic!("no status") };
    sent.extend_from_slice(&last);
    let commands = commands(&sent);
    let expected = ["onStatus", "error", "NetStream.Publish.Rejected", "the encoder sends HEVC: set H.264"];
    assert_eq!(status(commands.last().unwrap()), expected);
    assert_matches!(server.poll(), Some(Output::Close { reason: Error::Refused(_) }));
    assert_eq!((server.poll(), server.deadline()), (None, None));
}

#[test]
fn what_an_encoder_puts_behind_its_stream_key_is_none_of_it() {
    for name in ["key", "key?", "key?clientConfigId=c0ffee", "key?bandwidthtest=true&clientConfigId=c0ffee?"]
    {
        let input = [handshake(), connect(), publish(name), bytes(FFMPEG_MEDIA)].concat();
        let (_, told) = serve(&input, 4096, Ok(()));
        assert_eq!(told.first(), Some(&asked()), "{name}");
    }
}

#[test]
fn what_a_server_does_not_do() {
    let play = command("play", 0.0, 1, &[Value::Null, "key".into()]);
    let long = "k".repeat(NAME_LEN_MAX + 1);
    for (input, code, text) in [
        (play, "NetStream.Play.Failed", "watch at the event's web page"),
        (publish(""), "NetStream.Publish.BadName", "the stream key is missing"),
        (
            command("publish", 0.0, 1, &[Value::Null]),
            "NetStream.Publish.BadName",
            "the stream key is missing",
        ),
        (publish(&long), "NetStream.Publish.BadName", "longer than 512 bytes"),
        (publish("?clientConfigId=c0ffee"), "NetStream.Publish.BadName", "the stream key is missing"),
    ] {
        let (sent, told) = serve(&[handshake(), connect(), input].concat(), 4096, Ok(()));
        let [Output::Close { reason: Error::Refused(reason) }] = &told[..] else { panic!("{told:?}") };
        assert!(reason.contains(text), "{reason}");
        let commands = commands(&sent);
        assert_eq!(status(commands.last().unwrap()), ["onStatus", "error", code, reason]);
    }
    // A second feed on a connection is refused, and the first goes on.
    let second = command("publish", 0.0, 2, &[Value::Null, "other".into()]);
    let input = [handshake(), connect(), publish("key"), second, bytes(FFMPEG_MEDIA)].concat();
    let (sent, told) = serve(&input, 4096, Ok(()));
    assert_eq!((told.len(), &told[0]), (4, &asked()));
    let commands = commands(&sent);
    assert_eq!(commands.last().unwrap().0, 2);
    assert_eq!(status(commands.last().unwrap())[2], "NetStream.Publish.BadName");
}

#[test]
fn broken_connections_are_closed_with_a_reason() {
    let early = |count: usize| {
        let mut input = publish("key");
        for _ in 0..count {
            Writer::new().write(&mut input, 6, 9, 1, 0, &[0; 120]);
        }
        [connect(), input].concat()
    };
    let app = Value::Object([("app".to_string(), "a".repeat(NAME_LEN_MAX + 1).as_str().into())].into());
    for (input, text) in [
        (publish("key"), "a command before connect"),
        (bytes("03 000000 000001 14 00000000 05"), "not AMF0"),
        (bytes("03 000000 000000 14 00000000"), "not AMF0"),
        (command("connect", 1.0, 0, &[app]), "an app name over 512 bytes"),
        (bytes("06 000000 010001 09 01000000"), "over 64 KiB before the feed"),
        (early(HELD_LEN_MAX / 120 + 1), "over 1 MiB before the answer"),
    ] {
        let input = [handshake(), input].concat();
        let mut server = Server::new([7; 32]);
        server.handle(&input, START);
        let outputs: Vec<_> = core::iter::from_fn(|| server.poll()).collect();
        let Some(Output::Close { reason }) = outputs.last() else { panic!("{text}: {outputs:?}") };
        assert!(reason.to_string().contains(text), "{reason}");
    }
}

#[test]
fn media_waits_for_the_answer() {
    let mut server = Server::new([7; 32]);
    let input = [handshake(), connect(), publish("key"), bytes(FFMPEG_MEDIA)].concat();
    server.handle(&input, START);
    let outputs: Vec<_> = core::iter::from_fn(|| server.poll()).collect();
    assert_eq!(outputs.last(), Some(&asked()));
    // However long the driver takes.
    assert_eq!(server.deadline(), None);
    server.handle(&[], START.plus_ms(3_600_000));
    assert_eq!(server.poll(), None);
    server.accept();
    let outputs: Vec<_> = core::iter::from_fn(|| server.poll()).collect();
    assert_matches!(
        &outputs[..],
        [Output::Send(_), Output::Media { .. }, Output::Media { .. }, Output::Media { .. }]
    );
}

#[test]
fn another_feed_may_follow_on_the_connection() {
    let feed = [publish("key"), bytes(FFMPEG_MEDIA), bytes(FFMPEG_END)].concat();
    let (_, told) =
        serve(&[&handshake()[..], &connect(), &feed, &bytes(FFMPEG_MEDIA), &feed].concat(), 4096, Ok(()));
    let one = [&asked(), &told[1], &told[2], &told[3], &Output::Unpublish];
    assert_eq!(told.iter().collect::<Vec<_>>(), [one, one].concat());
}

#[test]
fn messages_may_be_long_only_within_a_feed() {
    let long = bytes("06 000000 010001 09 01000000");
    let input = [&handshake()[..], &connect(), &publish("key"), &long].concat();
    assert_eq!(serve(&input, 4096, Ok(())).1, [asked()]);
    let input = [&handshake()[..], &connect(), &publish("key"), &bytes(FFMPEG_END), &long].concat();
    let (_, told) = serve(&input, 4096, Ok(()));
    assert_matches!(&told[..], [_, Output::Unpublish, Output::Close { reason: Error::TooMuch(_) }]);
}

#[test]
fn apps_are_named_without_slashes_and_queries() {
    for (app, name) in
        [("live", "live"), ("/live/", "live"), ("live?a=b/c", "live"), ("a/b", "a/b"), ("", "")]
    {
        let connect = command("connect", 1.0, 0, &[Value::Object([("app".to_string(), app.into())].into())]);
        let (_, told) = serve(&[handshake(), connect, publish("key")].concat(), 4096, Ok(()));
        assert_eq!(told, [Output::Publish { app: name.into(), key: "key".into() }]);
    }
}

#[test]
fn pings_are_answered_and_windows_acknowledged() {
    let mut input = [handshake(), connect(), publish("key")].concat();
    input.extend_from_slice(&bytes(
        "02 000000 000006 04 00000000 0006 12345678  02 000000 000004 05 00000000 00008000",
    ));
    for number in 0..9 {
        Writer::new().write(&mut input, 6, 9, 1, number, &[0x17; 8000]);
    }
    // The writer above used chunks of 128 bytes, the publisher here says 60000.
    let at = input.len() - 9 * (12 + 8000 + 62);
    input.splice(at..at, bytes("02 000000 000004 01 00000000 00000080"));
    let (sent, told) = serve(&input, 4096, Ok(()));
    assert_eq!(told.len(), 10);
    let answers = messages(&sent).into_iter().filter(|message| matches!(message.kind, 3 | 4));
    let answers: Vec<_> = answers.map(|message| (message.kind, hex::encode(&message.payload))).collect();
    let expected = [(4, "000000000001"), (4, "000712345678"), (3, "00008000"), (3, "00010000")];
    assert_eq!(answers, expected.map(|(kind, body)| (kind, body.to_string())));
}

#[test]
fn each_phase_has_its_time() {
    let publishing = [handshake(), connect(), publish("key")].concat();
    let half = handshake().len() / 2;
    for (name, input, limit_ms) in [
        ("no RTMP handshake within 10 s", &publishing[..0], HANDSHAKE_MS_MAX),
        ("no RTMP handshake within 10 s", &publishing[..half], HANDSHAKE_MS_MAX),
        ("no feed was published within 15 s", &publishing[..half * 2 + 100], SETUP_MS_MAX),
        ("the feed sent nothing for 30 s", &publishing[..], IDLE_MS_MAX),
    ] {
        let mut server = Server::new([7; 32]);
        assert_eq!(server.deadline(), None);
        server.handle(&[], START);
        serve_on(&mut server, input, 4096, Ok(()));
        assert_eq!(server.deadline(), Some(START.plus_ms(limit_ms)), "{name}");
        server.handle(&[], START.plus_ms(limit_ms - 1));
        assert_eq!(server.poll(), None, "{name}");
        server.handle(&[], START.plus_ms(limit_ms));
        let Some(Output::Close { reason }) = server.poll() else { panic!("{name}") };
        assert!(reason.to_string().contains(name), "{reason}");
        assert_eq!((server.poll(), server.deadline()), (None, None));
    }
    // Media moves a feed's deadline.
    let mut server = Server::new([7; 32]);
    serve_on(&mut server, &publishing, 4096, Ok(()));
    server.handle(&bytes(FFMPEG_MEDIA), START.plus_ms(IDLE_MS_MAX + 5));
    assert_eq!(server.deadline(), Some(START.plus_ms(IDLE_MS_MAX * 2 + 5)));
}

// --- The client ---

fn url() -> Url {
    Url::parse("rtmp://127.0.0.1/live/key").unwrap()
}

/// Client and server in one place. Bytes travel in pieces of these lengths. Returns what both told.
struct Pair {
    client: Client,
    server: Server,
    to_server: Vec<u8>,
    told: Vec<Output>,
    told_client: Vec<ClientOutput>,
}

impl Pair {
    fn new() -> Pair {
        let (client, server) = (Client::new(url(), [1; 32]), Server::new([2; 32]));
        Pair { client, server, to_server: Vec::new(), told: Vec::new(), told_client: Vec::new() }
    }

    /// Until nobody has anything more to say.
    fn run(&mut self, pieces: &[usize], answer: Result<(), &str>) {
        let mut pieces = pieces.iter().cycle();
        loop {
            while let Some(output) = self.client.poll() {
                match output {
                    ClientOutput::Send(bytes) => self.to_server.extend_from_slice(&bytes),
                    output => self.told_client.push(output),
                }
            }
            let piece = pieces.next().copied().unwrap_or(1).clamp(1, self.to_server.len().max(1));
            let bytes: Vec<u8> = self.to_server.drain(..piece.min(self.to_server.len())).collect();
            let (to_client, told) = serve_on(&mut self.server, &bytes, bytes.len(), answer);
            self.told.extend(told);
            if bytes.is_empty() && to_client.is_empty() {
                return;
            }
            for bytes in to_client.chunks(piece) {
                self.client.handle(bytes, START);
            }
        }
    }
}

/// Servers name the stream that they refuse, and its name is the key.
#[test]
fn invariant_8_a_servers_words_are_passed_on_without_the_stream_key() {
    let object = |text: &str| {
        let properties = [("level", "error"), ("description", text)];
        let properties = properties.map(|(name, text)| (name.to_string(), Value::from(text)));
        Value::Object(properties.into_iter().collect())
    };
    let long = format!("{}abcd-efgh", "x".repeat(395));
    for (said, passed) in [
        ("Stream live/abcd-efgh is already publishing", "Stream live/[removed] is already publishing"),
        ("live/abcd-efgh?token=s3cret: denied", "live/[removed]: denied"),
        ("token s3cret of abcd-efgh has expired", "token [removed] of [removed] has expired"),
        (&*long, &*format!("{}[remo", "x".repeat(395))),
    ] {
        for (name, transaction) in [("_error", 1.0), ("onStatus", 0.0), ("close", 0.0)] {
            let url = Url::parse("rtmp://host/live/abcd-efgh?token=s3cret").unwrap();
            let mut client = Client::new(url, [1; 32]);
            client.handle(&handshake(), START);
            client.handle(&command(name, transaction, 0, &[Value::Null, object(said)]), START);
            let told = core::iter::from_fn(|| client.poll()).last();
            let Some(
                ClientOutput::Refused { reason } | ClientOutput::Closed { reason: Error::Refused(reason) },
            ) = told
            else {
                panic!("{name}: {told:?}")
            };
            assert_eq!(reason, passed, "{name}");
        }
    }
}

#[test]
fn a_client_learns_why_it_is_refused() {
    let mut pair = Pair::new();
    pair.run(&[1000], Err("no such key\r\nhere"));
    assert_eq!(pair.told_client, [ClientOutput::Refused { reason: "no such key  here".into() }]);
    assert_eq!(pair.client.send(TagKind::Audio, 0, b""), Err(client::SendError));
    assert_eq!(pair.client.deadline(), None);
}

#[test]
fn a_client_waits_for_its_turn_and_not_for_ever() {
    let mut client = Client::new(url(), [1; 32]);
    assert_eq!(client.send(TagKind::Audio, 0, b""), Err(client::SendError));
    client.handle(&[], START);
    assert_eq!(client.deadline(), Some(START.plus_ms(HANDSHAKE_MS_MAX)));
    client.handle(&handshake(), START.plus_ms(5));
    assert_eq!(client.deadline(), Some(START.plus_ms(5 + SETUP_MS_MAX)));
    client.handle(&[], START.plus_ms(5 + SETUP_MS_MAX));
    let outputs: Vec<_> = core::iter::from_fn(|| client.poll()).collect();
    assert_matches!(&outputs[..], [ClientOutput::Send(_), ClientOutput::Closed { reason: Error::Late(_) }]);

    let mut pair = Pair::new();
    pair.run(&[1000], Ok(()));
    assert_eq!(pair.told_client, [ClientOutput::Ready]);
    assert_eq!(pair.client.deadline(), None);
    let long = std::vec![0; MESSAGE_LEN_MAX + 1];
    assert_eq!(pair.client.send(TagKind::Video, 0, &long), Err(client::SendError));
}

#[test]
fn a_client_takes_other_servers_answers() {
    let answer = |name: &str, transaction: f64, values: &[Value]| command(name, transaction, 0, values);
    let object = |properties: &[(&str, &str)]| {
        Value::Object(properties.iter().map(|(name, text)| (name.to_string(), Value::from(*text))).collect())
    };
    let error = object(&[("level", "error"), ("code", "NetConnection.Connect.Rejected")]);
    let connected = answer("_result", 1.0, &[Value::Null]);
    // ffmpeg as a server sends this command without a transaction number.
    let nameless = bytes("03 000000 00000e 14 00000000 02000b6f6e46435075626c697368");
    let created = answer("_result", 4.0, &[Value::Null, Value::Number(3.0)]);
    let refused = answer("_error", 2.0, &[Value::Null, error.clone()]);
    let start = answer(
        "onStatus",
        0.0,
        &[Value::Null, object(&[("level", "status"), ("code", "NetStream.Publish.Start")])],
    );
    for (input, told) in [
        ([&connected[..], &nameless, &refused, &created, &start].concat(), Some(ClientOutput::Ready)),
        ([&connected[..], &nameless, &created].concat(), None),
        (
            answer("_error", 1.0, &[Value::Null, error]),
            Some(ClientOutput::Refused { reason: "NetConnection.Connect.Rejected".into() }),
        ),
        (
            [connected.clone(), answer("_result", 4.0, &[])].concat(),
            Some(ClientOutput::Closed {
                reason: Error::Broken("createStream was answered without a stream id"),
            }),
        ),
    ] {
        for piece in [1, 5000] {
            let mut client = Client::new(url(), [1; 32]);
            for bytes in [&handshake()[..], &input].concat().chunks(piece) {
                client.handle(bytes, START);
            }
            let outputs = core::iter::from_fn(|| client.poll());
            let outputs: Vec<_> = outputs.filter(|output| !matches!(output, ClientOutput::Send(_))).collect();
            assert_eq!(outputs, Vec::from_iter(told.clone()));
        }
    }
}

proptest! {
    #[test]
    fn a_feed_travels_whole_in_any_pieces(
        feed in prop::collection::vec((0..3_usize, any::<u32>(), 0..200_000_usize), 0..6),
        pieces in prop::collection::vec(1..70_000_usize, 1..8),
    ) {
        let mut pair = Pair::new();
        pair.run(&pieces, Ok(()));
        prop_assert_eq!(&pair.told_client, &[ClientOutput::Ready]);
        let mut expected = Vec::from([asked()]);
        for (kind, timestamp_ms, length) in feed {
            let kind = [TagKind::Audio, TagKind::Video, TagKind::Data][kind];
            let payload: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
            pair.client.send(kind, timestamp_ms, &payload).unwrap();
            expected.push(Output::Media { kind, timestamp_ms, payload });
        }
        pair.client.close();
        pair.run(&pieces, Ok(()));
        expected.push(Output::Unpublish);
        prop_assert_eq!(&pair.told, &expected);
        prop_assert_eq!(&pair.told_client[1..], &[ClientOutput::Closed { reason: Error::Ended }]);
    }

    /// Garbage at any point ends in a reason, or is overlooked; it never trips anybody and never tells of media that was
    /// not asked for.
    #[test]
    fn garbage_ends_in_a_reason(
        garbage in prop::collection::vec(any::<u8>(), 1..4000),
        good in 0..5000_usize,
        piece in 1..5000_usize,
    ) {
        let good_bytes = [&handshake()[..], &bytes(FFMPEG), &bytes(FFMPEG_MEDIA)].concat();
        let good = good.min(good_bytes.len());
        let input = [&good_bytes[..good], &garbage].concat();
        for answer in [Ok(()), Err("no")] {
            let mut server = Server::new([7; 32]);
            let (_, told) = serve_on(&mut server, &input, piece, answer);
            let closed = told.iter().position(|output| matches!(output, Output::Close { .. }));
            prop_assert!(closed.is_none_or(|at| at + 1 == told.len()));
            let asked = told.iter().position(|output| matches!(output, Output::Publish { .. }));
            let media = told.iter().position(|output| matches!(output, Output::Media { .. }));
            prop_assert!(media.is_none() || asked < media && asked.is_some());
            // If nothing ended it, time does.
            server.handle(&[], START.plus_ms(IDLE_MS_MAX));
            let late = matches!(server.poll(), Some(Output::Close { .. }));
            prop_assert!(late != closed.is_some());
        }
        let mut client = Client::new(url(), [1; 32]);
        client.handle(&input, START);
        while client.poll().is_some() {}
    }
}
