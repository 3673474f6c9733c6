//! What comes from a venue encoder, or from a server that we publish to: RTMP, AMF0, FLV.

use std::str;

use bytes::Bytes;
use railbird_core::flv::{Demux, File, TagKind};
use railbird_core::media::{FeedEvent, Kind};
use railbird_core::rtmp::{Client, ClientOutput, Error, Output, Server, Url, amf0};
use railbird_core::time::UtcMs;

const NOW: UtcMs = UtcMs(1_795_171_920_040);

/// What a peer sends up to the end of the handshake: the version, and two blocks that nobody looks into.
const HANDSHAKE: [u8; 1 + 2 * 1536] = {
    let mut bytes = [0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
};

/// A connection from its first byte.
pub(super) fn server(input: &[u8]) {
    server_after(&[], input);
}

/// A connection after its handshake, so that inputs are short. What is published goes through the demultiplexer.
pub(super) fn server_session(input: &[u8]) {
    server_after(&HANDSHAKE, input);
}

/// The driver must learn the same however the bytes are cut, as long as it accepts a feed before more of it is read: what
/// follows an unanswered question may be held back or refused.
fn server_after(head: &[u8], input: &[u8]) {
    serve([head, input]);
    let (learned, published_after) = serve([head].into_iter().chain(input.chunks(1)));
    let mut pieces = vec![head];
    let mut from = 0;
    for at in published_after {
        // Step 0 was the head.
        pieces.push(&input[from..at]);
        from = at;
    }
    pieces.push(&input[from..]);
    assert_eq!(serve(pieces).0, learned);
}

/// What a driver learns of a connection. What is to be sent back may be cut in other places, and is left out.
#[derive(Debug, PartialEq)]
enum Learned {
    Publish(String, String),
    Media(TagKind, u32, Bytes),
    Unpublish,
    Close(Error),
}

/// Runs a connection whose bytes come in these steps. Returns what was learned, and after how many steps beyond the first
/// one a feed was accepted.
fn serve<'a>(steps: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Learned>, Vec<usize>) {
    let (mut server, mut demux) = (Server::new([7; 32]), Demux::new());
    let (mut learned, mut published_after) = (Vec::new(), Vec::new());
    server.handle(&[], NOW);
    for (at, step) in steps.into_iter().enumerate() {
        server.handle(step, NOW);
        while let Some(output) = server.poll() {
            assert!(!matches!(learned.last(), Some(Learned::Close(_))), "an output after the last one");
            learned.push(match output {
                Output::Send(_) => continue,
                Output::Publish { app, key } => {
                    server.accept();
                    published_after.push(at);
                    Learned::Publish(app, key.reveal().to_owned())
                }
                Output::Media { kind, timestamp_ms, payload } => {
                    demux_one(&mut demux, kind, timestamp_ms, payload.clone(), &mut drop);
                    Learned::Media(kind, timestamp_ms, payload)
                }
                Output::Unpublish => {
                    demux = Demux::new();
                    Learned::Unpublish
                }
                Output::Close { reason } => Learned::Close(reason),
            });
        }
    }
    (learned, published_after)
}

/// A server's side of a connection that publishes to it, after the handshake.
pub(super) fn client_session(input: &[u8]) {
    let Ok(url) = Url::parse("rtmp://127.0.0.1/live/key") else { return };
    let mut client = Client::new(url, [7; 32]);
    let mut ended = false;
    for step in [&HANDSHAKE, input] {
        client.handle(step, NOW);
        while let Some(output) = client.poll() {
            assert!(!ended, "{output:?} after the last output");
            match output {
                ClientOutput::Send(_) => {}
                // The same bytes may have ended the feed again, so that this is no longer possible.
                ClientOutput::Ready => drop(client.send(TagKind::Audio, 0, &[0xaf, 0, 0x12, 0x10])),
                ClientOutput::Refused { .. } | ClientOutput::Closed { .. } => ended = true,
            }
        }
    }
}

/// An accepted URL never shows its key.
pub(super) fn url(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match Url::parse(text) {
        Ok(url) => {
            assert!(!url.address().is_empty());
            let shown = [url.without_key(), format!("{url:?}")];
            // Short keys occur by chance: in the host, or in the words around them.
            let secret = url.key.reveal();
            if secret.len() > 16 && text.matches(secret).count() == 1 {
                assert!(shown.iter().all(|shown| !shown.contains(secret)), "{shown:?}");
            }
        }
        Err(error) => assert!(error.to_string().len() < 1024),
    }
}

/// What decodes encodes to something that decodes to the same.
pub(super) fn amf0(input: &[u8]) {
    let Ok(values) = amf0::decode(input) else { return };
    let encode = |values: &[amf0::Value]| {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.encode(&mut bytes));
        bytes
    };
    let bytes = encode(&values);
    let again = amf0::decode(&bytes);
    // As bytes: no number that is none equals itself.
    assert_eq!(again.ok().map(|values| encode(&values)), Some(bytes));
}

/// Messages one after another: a byte for the kind, three for the time, two for the length, the body.
pub(super) fn demux(input: &[u8]) {
    messages(input, drop);
}

/// The events of such messages.
pub(super) fn messages(input: &[u8], mut each: impl FnMut(FeedEvent)) {
    const KINDS: [TagKind; 3] = [TagKind::Audio, TagKind::Video, TagKind::Data];
    let (mut demux, mut rest) = (Demux::new(), input);
    while let Some((&[kind, t2, t1, t0, l1, l0], body)) = rest.split_first_chunk::<6>() {
        let (body, after) = body.split_at(body.len().min(usize::from(u16::from_be_bytes([l1, l0]))));
        // The time is spread over 32 bits, so that it can wrap.
        let timestamp_ms = u32::from_be_bytes([t2, t1, t0, t2]);
        let kind = KINDS[usize::from(kind) % KINDS.len()];
        demux_one(&mut demux, kind, timestamp_ms, Bytes::copy_from_slice(body), &mut each);
        rest = after;
    }
}

fn demux_one(
    demux: &mut Demux,
    kind: TagKind,
    timestamp_ms: u32,
    payload: Bytes,
    each: &mut impl FnMut(FeedEvent),
) {
    let len = payload.len();
    let _ = demux.handle(kind, timestamp_ms, payload);
    while let Some(event) = demux.poll() {
        match &event {
            FeedEvent::Frame(frame) => {
                assert!(frame.key || frame.kind == Kind::Video, "audio is always a random access point");
                assert!(frame.data.len() <= len);
            }
            FeedEvent::Video(config) => assert!(config.width > 0 && config.height > 0),
            FeedEvent::Audio(config) => assert!(config.sample_rate > 0 && config.channels > 0),
            _ => {}
        }
        each(event);
    }
}

/// A file, its tags through the demultiplexer.
pub(super) fn file(input: &[u8]) {
    let Ok(file) = File::new(Bytes::copy_from_slice(input)) else { return };
    let (mut demux, mut failed) = (Demux::new(), false);
    for tag in file {
        assert!(!failed, "a tag after an error");
        match tag {
            Ok(tag) => demux_one(&mut demux, tag.kind, tag.timestamp_ms, tag.payload, &mut drop),
            Err(_) => failed = true,
        }
    }
}
