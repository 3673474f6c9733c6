//! Command messages (RTMP 1.0, 7.2): read and made.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::amf0::{Value, Values};
use super::chunk::{Message, Writer, kind};

/// Chunk streams that we send on: commands of the connection, commands of a stream, media.
pub(super) const CONNECTION_CHUNKS: u8 = 3;
pub(super) const STREAM_CHUNKS: u8 = 5;
pub(super) const MEDIA_CHUNKS: u8 = 6;

/// The data message's first value that tells a server to keep the metadata; not part of the metadata.
const SET_DATA_FRAME: &str = "@setDataFrame";

/// A command that was received.
pub(super) struct Command {
    pub(super) name: String,
    pub(super) transaction: f64,
    /// The command object, then its arguments, as far as they can be decoded.
    pub(super) values: Vec<Value>,
}

impl Command {
    /// `None` where the body does not begin with a name. A missing transaction number counts as 0, which asks for no
    /// answer: ffmpeg as a server leaves it out of `onFCPublish`.
    pub(super) fn parse(message: &Message) -> Option<Command> {
        let body = amf0_body(message.kind == kind::COMMAND_AMF3, &message.payload);
        let mut values = Values::new(body);
        let Value::String(name) = values.next()?.ok()? else { return None };
        let transaction = values.next().and_then(|value| value.ok()?.as_number()).unwrap_or(0.0);
        Some(Command { name, transaction, values: values.map_while(Result::ok).collect() })
    }

    /// The text at this place after the command object.
    pub(super) fn text(&self, place: usize) -> Option<&str> {
        self.values.get(1 + place)?.as_str()
    }

    /// What the first object that has a property of this name has there.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find_map(|value| value.get(name))
    }

    /// A text of the first object that has a property of this name.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }
}

/// AMF3 messages hold AMF0 after a zero byte.
fn amf0_body(amf3: bool, payload: &[u8]) -> &[u8] {
    match payload {
        [0, rest @ ..] if amf3 => rest,
        _ => payload,
    }
}

/// A data message's values, as an FLV script tag has them.
pub(super) fn data_body(message: &Message) -> Bytes {
    let body = amf0_body(message.kind == kind::DATA_AMF3, &message.payload);
    let mut values = Values::new(body);
    let rest = match values.next() {
        Some(Ok(Value::String(name))) if name == SET_DATA_FRAME => values.rest(),
        _ => body,
    };
    message.payload.slice(message.payload.len() - rest.len()..)
}

/// A script tag's values, as a server wants them.
pub(super) fn data_message(payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(SET_DATA_FRAME.len() + 3 + payload.len());
    Value::from(SET_DATA_FRAME).encode(&mut body);
    body.extend_from_slice(payload);
    body
}

/// An object of texts.
pub(super) fn object(properties: &[(&str, &str)]) -> Value {
    Value::Object(properties.iter().map(|(name, text)| ((*name).into(), Value::from(*text))).collect())
}

/// Appends a command on a message stream (0: the connection's own).
pub(super) fn write(
    writer: &Writer,
    out: &mut Vec<u8>,
    stream: u32,
    name: &str,
    transaction: f64,
    values: &[Value],
) {
    let mut body = Vec::new();
    Value::from(name).encode(&mut body);
    Value::from(transaction).encode(&mut body);
    values.iter().for_each(|value| value.encode(&mut body));
    let chunk_stream = if stream == 0 { CONNECTION_CHUNKS } else { STREAM_CHUNKS };
    writer.write(out, chunk_stream, kind::COMMAND, stream, 0, &body);
}

/// Appends `onStatus` (7.2.2): `level` is "status" or "error".
pub(super) fn write_status(
    writer: &Writer,
    out: &mut Vec<u8>,
    stream: u32,
    level: &str,
    code: &str,
    description: &str,
) {
    let info = object(&[("level", level), ("code", code), ("description", description)]);
    write(writer, out, stream, "onStatus", 0.0, &[Value::Null, info]);
}

/// Appends a user control message of an event and a number (7.1.7).
pub(super) fn write_user_control(writer: &Writer, out: &mut Vec<u8>, event: u16, number: u32) {
    let mut body = Vec::from(event.to_be_bytes());
    body.extend_from_slice(&number.to_be_bytes());
    writer.write(out, 2, kind::USER_CONTROL, 0, 0, &body);
}

/// User control events (7.1.7).
pub(super) const STREAM_BEGIN: u16 = 0;
const PING: u16 = 6;
const PONG: u16 = 7;

/// Appends the answer, where the message is a ping.
pub(super) fn answer_ping(writer: &Writer, out: &mut Vec<u8>, message: &Message) {
    if let Some((&[e1, e0, n3, n2, n1, n0], _)) = message.payload.split_first_chunk()
        && u16::from_be_bytes([e1, e0]) == PING
    {
        write_user_control(writer, out, PONG, u32::from_be_bytes([n3, n2, n1, n0]));
    }
}

/// Acknowledges what the peer's window asks for (5.4.3, 5.4.4), and nothing to a peer that has set no window.
///
/// Publishers set none. An acknowledgement that reaches one after it closed would make its kernel reset the connection,
/// and with that throw away the end of the feed that is still on its way.
#[derive(Debug, Default)]
pub(super) struct Window {
    received: u64,
    acknowledged: u64,
    size: Option<u64>,
}

impl Window {
    /// An acknowledgement for less is not sent: a tiny window would have us answer every byte.
    const SIZE_MIN: u64 = 16 * 1024;

    /// The peer's window acknowledgement size.
    pub(super) fn resize(&mut self, message: &Message) {
        if let Some(size) = message.payload.first_chunk() {
            self.size = Some(u64::from(u32::from_be_bytes(*size)).max(Window::SIZE_MIN));
        }
    }

    /// Counts received bytes; appends an acknowledgement where one is due.
    pub(super) fn count(&mut self, length: usize, writer: &Writer, out: &mut Vec<u8>) {
        self.received += length as u64;
        if self.size.is_some_and(|size| self.received - self.acknowledged >= size) {
            self.acknowledged = self.received;
            // The sequence number wraps around at 32 bits.
            writer.control(out, kind::ACKNOWLEDGEMENT, self.received as u32);
        }
    }
}

/// The window that we ask for, in bytes.
pub(super) const WINDOW_SIZE: u32 = 2_500_000;

/// The chunk length that we send with, in bytes. ffmpeg takes the server's over.
pub(super) const CHUNK_LEN: u16 = 60_000;
