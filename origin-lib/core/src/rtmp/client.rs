//! The side that sends a feed: what `railbird publish` drives.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::amf0::Value;
use super::chunk::{Message, Reader, Writer, kind};
use super::command::{self, Command, Window};
use super::enhanced;
use super::handshake::Handshake;
use super::{COMMAND_LEN_MAX, Error, HANDSHAKE_MS_MAX, MESSAGE_LEN_MAX, SETUP_MS_MAX, Url, shown};
use crate::flv::TagKind;
use crate::time::UtcMs;

/// What a client wants of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Write these bytes.
    Send(Vec<u8>),
    /// The server takes the feed: [`Client::send`] works from now on.
    Ready,
    /// The server said no, or ended a feed that it had taken: this is the last output.
    Refused {
        /// The server's own text, on one line.
        reason: String,
    },
    /// Write what was to be sent and close: this is the last output.
    Closed {
        /// Why.
        reason: Error,
    },
}

/// The feed is not being taken: not yet, or no longer; or the payload is longer than
/// [`MESSAGE_LEN_MAX`](super::MESSAGE_LEN_MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this message can't be sent: the feed is not open, or the message is over 8 MiB")]
pub struct SendError;

/// One connection to a server, from the side that sends a feed.
#[derive(Debug)]
pub struct Client {
    url: Url,
    phase: Phase,
    handshake: Handshake,
    reader: Reader,
    writer: Writer,
    window: Window,
    outputs: VecDeque<ClientOutput>,
    stream: u32,
    since: Option<UtcMs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Connect,
    CreateStream,
    Publish,
    Ready,
    Closed,
}

/// Transaction numbers: each command's answer is told by its own.
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const UNPUBLISH: f64 = 6.0;

impl Client {
    /// A connection that is open. `entropy` is 32 random bytes. The first `poll` gives what to send first.
    pub fn new(url: Url, entropy: [u8; 32]) -> Client {
        let mut hello = Vec::new();
        let handshake = Handshake::client(entropy, &mut hello);
        Client {
            url,
            phase: Phase::Handshake,
            handshake,
            reader: Reader::new(COMMAND_LEN_MAX),
            writer: Writer::new(),
            window: Window::default(),
            outputs: [ClientOutput::Send(hello)].into(),
            stream: 0,
            since: None,
        }
    }

    /// Takes bytes from the server; none where only time has passed. The first call begins the handshake's time.
    pub fn handle(&mut self, bytes: &[u8], now: UtcMs) {
        if self.phase == Phase::Closed {
            return;
        }
        self.since = self.since.or(Some(now));
        if let Err(reason) = self.take(bytes, now) {
            self.end(ClientOutput::Closed { reason });
        } else if self.deadline().is_some_and(|deadline| now >= deadline) {
            let reason = Error::Late("the server did not answer in time");
            self.end(ClientOutput::Closed { reason });
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When `handle` must be called even if nothing arrives.
    pub fn deadline(&self) -> Option<UtcMs> {
        match self.phase {
            Phase::Handshake => Some(self.since?.plus_ms(HANDSHAKE_MS_MAX)),
            Phase::Connect | Phase::CreateStream | Phase::Publish => Some(self.since?.plus_ms(SETUP_MS_MAX)),
            Phase::Ready | Phase::Closed => None,
        }
    }

    /// Sends a message of the feed, after [`ClientOutput::Ready`]: an FLV tag's body and its time in milliseconds.
    ///
    /// Nothing is bounded here but the message: the driver writes what `poll` gives before it sends more.
    pub fn send(&mut self, kind: TagKind, timestamp_ms: u32, payload: &[u8]) -> Result<(), SendError> {
        if self.phase != Phase::Ready || payload.len() > MESSAGE_LEN_MAX {
            return Err(SendError);
        }
        let stream = self.stream;
        let (number, chunks) = (kind as u8, command::MEDIA_CHUNKS);
        match kind {
            TagKind::Data => {
                let body = command::data_message(payload);
                self.write(|writer, out| writer.write(out, chunks, number, stream, timestamp_ms, &body));
            }
            TagKind::Audio | TagKind::Video => {
                self.write(|writer, out| writer.write(out, chunks, number, stream, timestamp_ms, payload));
            }
        }
        Ok(())
    }

    /// Ends the feed in order: the outputs that follow say so to the server, then close.
    pub fn close(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        if matches!(self.phase, Phase::Publish | Phase::Ready) {
            let (key, stream) = (Value::from(self.url.key.reveal()), Value::from(f64::from(self.stream)));
            self.command(0, "FCUnpublish", UNPUBLISH, &[Value::Null, key]);
            self.command(0, "deleteStream", 0.0, &[Value::Null, stream]);
        }
        self.end(ClientOutput::Closed { reason: Error::Ended });
    }

    fn end(&mut self, output: ClientOutput) {
        self.phase = Phase::Closed;
        self.outputs.push_back(output);
    }

    fn write(&mut self, write: impl FnOnce(&Writer, &mut Vec<u8>)) {
        if let Some(ClientOutput::Send(out)) = self.outputs.back_mut() {
            return write(&self.writer, out);
        }
        let mut out = Vec::new();
        write(&self.writer, &mut out);
        if !out.is_empty() {
            self.outputs.push_back(ClientOutput::Send(out));
        }
    }

    fn command(&mut self, stream: u32, name: &str, transaction: f64, values: &[Value]) {
        self.write(|writer, out| command::write(writer, out, stream, name, transaction, values));
    }

    fn enter(&mut self, phase: Phase, now: UtcMs) {
        (self.phase, self.since) = (phase, Some(now));
    }

    fn take(&mut self, bytes: &[u8], now: UtcMs) -> Result<(), Error> {
        let mut input = bytes;
        if self.phase == Phase::Handshake {
            let mut out = Vec::new();
            let done = self.handshake.handle(&mut input, &mut out)?;
            self.write(|_, sent| sent.extend_from_slice(&out));
            if !done {
                return Ok(());
            }
            self.connect();
            self.enter(Phase::Connect, now);
        }
        while let Some(message) = self.reader.read(&mut input)? {
            self.message(&message, now)?;
            if self.phase == Phase::Closed {
                return Ok(());
            }
        }
        let mut out = Vec::new();
        self.window.count(bytes.len(), &self.writer, &mut out);
        self.write(|_, sent| sent.extend_from_slice(&out));
        Ok(())
    }

    fn connect(&mut self) {
        let object = [
            ("app".into(), Value::from(self.url.app.as_str())),
            ("type".into(), "nonprivate".into()),
            ("flashVer".into(), "FMLE/3.0 (compatible; railbird)".into()),
            ("tcUrl".into(), self.url.without_key().as_str().into()),
            ("fourCcList".into(), enhanced::four_cc_list()),
        ];
        self.command(0, "connect", CONNECT, &[Value::Object(object.into())]);
    }

    fn message(&mut self, message: &Message, now: UtcMs) -> Result<(), Error> {
        match message.kind {
            kind::USER_CONTROL => self.write(|writer, out| command::answer_ping(writer, out, message)),
            kind::WINDOW_SIZE => self.window.resize(message),
            kind::PEER_BANDWIDTH => {
                self.write(|writer, out| writer.control(out, kind::WINDOW_SIZE, command::WINDOW_SIZE));
            }
            kind::COMMAND | kind::COMMAND_AMF3 => match Command::parse(message) {
                Some(command) => return self.answer(&command, now),
                None => return Err(Error::Broken("a command that is not AMF0")),
            },
            _ => {}
        }
        Ok(())
    }

    /// What the server says, without the stream key: servers name the stream that they refuse, and the key is its name.
    fn reason(&self, command: &Command) -> String {
        let text = command.property("description").or(command.property("code"));
        // Before it is cut, so that no part of the key is left.
        shown(&self.url.key.taken_out_of(text.unwrap_or("the server gave no reason")))
    }

    fn answer(&mut self, command: &Command, now: UtcMs) -> Result<(), Error> {
        match (command.name.as_str(), self.phase) {
            ("_result", Phase::Connect) if command.transaction == CONNECT => {
                let mut out = Vec::new();
                self.writer.set_chunk_len(&mut out, command::CHUNK_LEN);
                self.write(|_, sent| sent.extend_from_slice(&out));
                let key = [Value::Null, self.url.key.reveal().into()];
                self.command(0, "releaseStream", RELEASE_STREAM, &key);
                self.command(0, "FCPublish", FC_PUBLISH, &key);
                self.command(0, "createStream", CREATE_STREAM, &[Value::Null]);
                self.enter(Phase::CreateStream, now);
            }
            ("_result", Phase::CreateStream) if command.transaction == CREATE_STREAM => {
                let number = command.values.get(1).and_then(Value::as_number);
                let valid = |number: &f64| *number >= 0.0 && *number <= f64::from(u32::MAX);
                let Some(number) = number.filter(valid) else {
                    return Err(Error::Broken("createStream was answered without a stream id"));
                };
                self.stream = number as u32;
                let values = [Value::Null, self.url.key.reveal().into(), "live".into()];
                self.command(self.stream, "publish", PUBLISH, &values);
                self.enter(Phase::Publish, now);
            }
            // Servers say no to releaseStream and FCPublish and take the feed all the same.
            ("_error", _) if ![RELEASE_STREAM, FC_PUBLISH, UNPUBLISH].contains(&command.transaction) => {
                let reason = self.reason(command);
                self.end(ClientOutput::Refused { reason });
            }
            ("onStatus", _) if command.property("level") == Some("error") => {
                let reason = self.reason(command);
                self.end(ClientOutput::Refused { reason });
            }
            ("onStatus", Phase::Publish) if command.property("code") == Some("NetStream.Publish.Start") => {
                self.enter(Phase::Ready, now);
                self.outputs.push_back(ClientOutput::Ready);
            }
            ("close", _) => return Err(Error::Refused(self.reason(command))),
            _ => {}
        }
        Ok(())
    }
}

impl Url {
    /// The address to connect to: `host:port`, an IPv6 address in brackets.
    pub fn address(&self) -> String {
        let rest = self.without_key();
        rest.split('/').nth(2).unwrap_or_default().to_string()
    }
}
