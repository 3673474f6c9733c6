//! The side that takes a feed.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::amf0::Value;
use super::chunk::{Message, Reader, Writer, kind};
use super::command::{self, Command, Window};
use super::enhanced;
use super::handshake::Handshake;
use super::{
    COMMAND_LEN_MAX, Error, HANDSHAKE_MS_MAX, HELD_LEN_MAX, IDLE_MS_MAX, MESSAGE_LEN_MAX, NAME_LEN_MAX,
    SETUP_MS_MAX, StreamKey, shown,
};
use crate::flv::{self, TagKind};
use crate::time::UtcMs;

/// What a server wants of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes.
    Send(Vec<u8>),
    /// A publisher asks to send a feed: answer with [`Server::accept`] or [`Server::refuse`], at once or later. Until
    /// then whatever else it sends is kept unread.
    Publish {
        /// The app that it connected to, without slashes at the ends and without a query.
        app: String,
        /// The stream key.
        key: StreamKey,
    },
    /// A message of the feed. Data comes without `@setDataFrame`.
    Media {
        /// What it carries.
        kind: TagKind,
        /// Its time in milliseconds; wraps around at 32 bits.
        timestamp_ms: u32,
        /// Its body.
        payload: Bytes,
    },
    /// The feed ended; another may begin on this connection.
    Unpublish,
    /// Write what was to be sent, shut down writing, and close once the peer did or a second has passed: an earlier
    /// close may lose a refusal's text. This is the last output.
    Close {
        /// Why.
        reason: Error,
    },
}

/// One publisher's connection, seen from the side that takes the feed.
#[derive(Debug)]
pub struct Server {
    phase: Phase,
    handshake: Handshake,
    reader: Reader,
    writer: Writer,
    window: Window,
    outputs: VecDeque<Output>,
    app: Option<String>,
    /// The publisher said that it may be asked to reconnect.
    reconnects: bool,
    /// How many message streams were created: their ids are 1 to this.
    streams: u32,
    /// The message stream that publishes, or asks to.
    publishing: u32,
    /// What came after a publish that the driver has not answered: not read yet.
    held: Vec<u8>,
    /// When the phase began.
    since: Option<UtcMs>,
    /// When bytes last came.
    heard: UtcMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// Between handshake and publish, and between two feeds.
    Setup,
    /// The driver was asked about a feed.
    Asked,
    Live,
    Closed,
}

impl Server {
    /// A connection that has just been accepted. `entropy` is 32 random bytes.
    pub fn new(entropy: [u8; 32]) -> Server {
        Server {
            phase: Phase::Handshake,
            handshake: Handshake::server(entropy),
            reader: Reader::new(COMMAND_LEN_MAX),
            writer: Writer::new(),
            window: Window::default(),
            outputs: VecDeque::new(),
            app: None,
            reconnects: false,
            streams: 0,
            publishing: 0,
            held: Vec::new(),
            since: None,
            heard: UtcMs(0),
        }
    }

    /// Takes bytes from the peer; none where only time has passed. The first call begins the handshake's time.
    ///
    /// Outputs are kept until they are polled, so poll until `None` before the next call.
    pub fn handle(&mut self, bytes: &[u8], now: UtcMs) {
        if self.phase == Phase::Closed {
            return;
        }
        // A publisher that waits for an answer is not silent.
        if !bytes.is_empty() || self.since.is_none() || self.phase == Phase::Asked {
            self.heard = now;
        }
        self.since = self.since.or(Some(now));
        if let Err(reason) = self.take(bytes, now) {
            self.close(reason);
        } else if let Some(reason) = self.late(now) {
            self.close(reason);
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle` must be called even if nothing arrives.
    pub fn deadline(&self) -> Option<UtcMs> {
        match self.phase {
            Phase::Handshake => Some(self.since?.plus_ms(HANDSHAKE_MS_MAX)),
            Phase::Setup => Some(self.since?.plus_ms(SETUP_MS_MAX)),
            Phase::Live => Some(self.heard.plus_ms(IDLE_MS_MAX)),
            Phase::Asked | Phase::Closed => None,
        }
    }

    /// Takes the feed that [`Output::Publish`] asked about. Without such a question, nothing.
    pub fn accept(&mut self) {
        if self.phase != Phase::Asked {
            return;
        }
        self.phase = Phase::Live;
        self.reader.set_message_len_max(MESSAGE_LEN_MAX);
        let stream = self.publishing;
        self.send(|writer, out| {
            command::write_user_control(writer, out, command::STREAM_BEGIN, stream);
            let code = "NetStream.Publish.Start";
            command::write_status(writer, out, stream, "status", code, "The feed is taken.");
        });
        let held = core::mem::take(&mut self.held);
        if let Err(reason) = self.messages(&held, self.heard) {
            self.close(reason);
        }
    }

    /// Refuses the feed that [`Output::Publish`] asked about, or ends one that was taken (unsupported codec), and closes.
    /// The publisher is shown the reason: say what to do.
    pub fn refuse(&mut self, reason: &str) {
        let code = match self.phase {
            Phase::Closed => return,
            Phase::Live => "NetStream.Publish.Rejected",
            _ => "NetStream.Publish.BadName",
        };
        self.outputs.retain(|output| !matches!(output, Output::Media { .. }));
        if matches!(self.phase, Phase::Asked | Phase::Live) {
            self.send_error(self.publishing, code, reason);
        }
        self.close(Error::Refused(reason.to_string()));
    }

    /// Asks a publisher whose feed was taken to reconnect, where it said that it knows what that is: it goes on up to its next key
    /// frame and then comes again by itself, so keep listening to it. Says whether it was asked.
    pub fn ask_to_reconnect(&mut self, description: &str) -> bool {
        let asks = self.reconnects && self.phase == Phase::Live;
        if asks {
            self.send(|writer, out| enhanced::write_reconnect_request(writer, out, description));
        }
        asks
    }

    fn close(&mut self, reason: Error) {
        self.phase = Phase::Closed;
        self.held = Vec::new();
        self.outputs.push_back(Output::Close { reason });
    }

    fn late(&self, now: UtcMs) -> Option<Error> {
        let late = self.deadline().is_some_and(|deadline| now >= deadline);
        late.then_some(Error::Late(match self.phase {
            Phase::Handshake => "no RTMP handshake within 10 s",
            Phase::Setup => "no feed was published within 15 s",
            _ => "the feed sent nothing for 30 s",
        }))
    }

    /// Lets `write` append to what is to be sent.
    fn send(&mut self, write: impl FnOnce(&Writer, &mut Vec<u8>)) {
        if let Some(Output::Send(out)) = self.outputs.back_mut() {
            return write(&self.writer, out);
        }
        let mut out = Vec::new();
        write(&self.writer, &mut out);
        if !out.is_empty() {
            self.outputs.push_back(Output::Send(out));
        }
    }

    fn send_error(&mut self, stream: u32, code: &str, description: &str) {
        let description = shown(description);
        self.send(|writer, out| command::write_status(writer, out, stream, "error", code, &description));
    }

    fn take(&mut self, bytes: &[u8], now: UtcMs) -> Result<(), Error> {
        let mut input = bytes;
        if self.phase == Phase::Handshake {
            let mut out = Vec::new();
            let done = self.handshake.handle(&mut input, &mut out)?;
            self.send(|_, sent| sent.extend_from_slice(&out));
            if !done {
                return Ok(());
            }
            (self.phase, self.since) = (Phase::Setup, Some(now));
        }
        self.messages(input, now)?;
        let mut out = Vec::new();
        self.window.count(bytes.len(), &self.writer, &mut out);
        self.send(|_, sent| sent.extend_from_slice(&out));
        Ok(())
    }

    fn messages(&mut self, mut input: &[u8], now: UtcMs) -> Result<(), Error> {
        while self.phase != Phase::Asked {
            let Some(message) = self.reader.read(&mut input)? else { return Ok(()) };
            self.message(message, now)?;
        }
        if self.held.len() + input.len() > HELD_LEN_MAX {
            return Err(Error::TooMuch("over 1 MiB before the answer to publish"));
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    fn message(&mut self, message: Message, now: UtcMs) -> Result<(), Error> {
        match message.kind {
            kind::AUDIO => self.media(TagKind::Audio, message.timestamp, message.payload),
            kind::VIDEO => self.media(TagKind::Video, message.timestamp, message.payload),
            kind::DATA | kind::DATA_AMF3 => {
                self.media(TagKind::Data, message.timestamp, command::data_body(&message))
            }
            kind::AGGREGATE => self.aggregate(&message),
            kind::COMMAND | kind::COMMAND_AMF3 => match Command::parse(&message) {
                Some(command) => self.command(&command, message.stream, now),
                // Its media is no worse for it.
                None if self.phase == Phase::Live => Ok(()),
                None => Err(Error::Broken("a command that is not AMF0")),
            },
            kind::USER_CONTROL => {
                self.send(|writer, out| command::answer_ping(writer, out, &message));
                Ok(())
            }
            kind::WINDOW_SIZE => {
                self.window.resize(&message);
                Ok(())
            }
            // The peer's acknowledgements and limits: we send too little for them to matter. Shared objects: no use.
            _ => Ok(()),
        }
    }

    fn media(&mut self, kind: TagKind, timestamp_ms: u32, payload: Bytes) -> Result<(), Error> {
        // Some encoders send their last sounds after they ended the feed.
        if self.phase != Phase::Live {
            return Ok(());
        }
        self.outputs.push_back(Output::Media { kind, timestamp_ms, payload });
        Ok(())
    }

    /// Several messages in one, in the form of a file's tags (7.1.6): the message has the time of the first one. What is no tag,
    /// and all behind it, is left out.
    fn aggregate(&mut self, message: &Message) -> Result<(), Error> {
        let mut first = None;
        for tag in flv::File::of_tags(message.payload.clone()).map_while(Result::ok) {
            let first = *first.get_or_insert(tag.timestamp_ms);
            let later = tag.timestamp_ms.wrapping_sub(first);
            self.media(tag.kind, message.timestamp.wrapping_add(later), tag.payload)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command, stream: u32, now: UtcMs) -> Result<(), Error> {
        if self.app.is_none() && command.name != "connect" {
            return Err(Error::Broken("a command before connect"));
        }
        match command.name.as_str() {
            "connect" => self.connect(command),
            "createStream" => {
                self.streams = self.streams.saturating_add(1);
                let stream = f64::from(self.streams);
                self.result(command, &[Value::Null, stream.into()]);
                Ok(())
            }
            // Encoders ask for these out of habit; some wait for the answers.
            "releaseStream" | "FCPublish" | "_checkbw" => {
                self.result(command, &[Value::Null, Value::Undefined]);
                Ok(())
            }
            "publish" => self.publish(command, stream),
            "FCUnpublish" => {
                self.unpublish(now);
                Ok(())
            }
            "closeStream" if stream != self.publishing => Ok(()),
            "closeStream" => {
                self.unpublish(now);
                Ok(())
            }
            "deleteStream" => {
                let deleted = command.values.get(1).and_then(Value::as_number);
                if deleted.is_none_or(|number| number == f64::from(self.publishing)) {
                    self.unpublish(now);
                }
                Ok(())
            }
            "play" | "play2" => {
                let text = "this server takes feeds and plays none: watch at the event's web page";
                self.send_error(stream, "NetStream.Play.Failed", text);
                Err(Error::Refused(text.to_string()))
            }
            // Unknown commands ask for nothing that we have.
            _ => Ok(()),
        }
    }

    fn result(&mut self, command: &Command, values: &[Value]) {
        let transaction = command.transaction;
        self.send(|writer, out| command::write(writer, out, 0, "_result", transaction, values));
    }

    /// 7.2.1.1.
    fn connect(&mut self, command: &Command) -> Result<(), Error> {
        let app = command.property("app").unwrap_or_default();
        // Some encoders put a query, or a slash too many, into the app.
        let app = app.split('?').next().unwrap_or_default().trim_matches('/');
        if app.len() > NAME_LEN_MAX {
            return Err(Error::TooMuch("an app name over 512 bytes"));
        }
        self.app = Some(app.to_string());
        let mut out = Vec::new();
        self.writer.control(&mut out, kind::WINDOW_SIZE, command::WINDOW_SIZE);
        // Limit type 2, dynamic (5.4.5).
        let mut bandwidth = Vec::from(command::WINDOW_SIZE.to_be_bytes());
        bandwidth.push(2);
        self.writer.write(&mut out, 2, kind::PEER_BANDWIDTH, 0, 0, &bandwidth);
        self.writer.set_chunk_len(&mut out, command::CHUNK_LEN);
        self.send(|_, sent| sent.extend_from_slice(&out));
        let mut server =
            Vec::from([("fmsVer".into(), "FMS/3,0,1,123".into()), ("capabilities".into(), 31.0.into())]);
        self.reconnects = enhanced::reconnects(command);
        if enhanced::is_known(command) {
            server.extend(enhanced::capabilities());
        }
        let server = Value::Object(server);
        let information = Value::Object(
            [
                ("level".into(), "status".into()),
                ("code".into(), "NetConnection.Connect.Success".into()),
                ("description".into(), "Connection succeeded.".into()),
                ("objectEncoding".into(), 0.0.into()),
            ]
            .into(),
        );
        self.result(command, &[server, information]);
        Ok(())
    }

    /// 7.2.2.6.
    fn publish(&mut self, command: &Command, stream: u32) -> Result<(), Error> {
        if self.phase == Phase::Live {
            self.send_error(stream, "NetStream.Publish.BadName", "this connection publishes a feed already");
            return Ok(());
        }
        let key = key_of(command.text(0).unwrap_or_default());
        let wrong = match key.len() {
            0 => Some("the stream key is missing: set it in the encoder"),
            1..=NAME_LEN_MAX => None,
            _ => Some("the stream key is longer than 512 bytes: set the right one in the encoder"),
        };
        if let Some(wrong) = wrong {
            self.send_error(stream, "NetStream.Publish.BadName", wrong);
            return Err(Error::Refused(wrong.to_string()));
        }
        self.publishing = stream;
        self.phase = Phase::Asked;
        let app = self.app.clone().unwrap_or_default();
        self.outputs.push_back(Output::Publish { app, key: key.into() });
        Ok(())
    }

    fn unpublish(&mut self, now: UtcMs) {
        if self.phase != Phase::Live {
            return;
        }
        let stream = self.publishing;
        self.outputs.push_back(Output::Unpublish);
        self.send(|writer, out| {
            let code = "NetStream.Unpublish.Success";
            command::write_status(writer, out, stream, "status", code, "The feed ended.");
        });
        (self.phase, self.since) = (Phase::Setup, Some(now));
        self.reader.set_message_len_max(COMMAND_LEN_MAX);
    }
}

/// The stream key in the name that is published. Behind it, some encoders put parameters for services that they know, as in a URL: OBS'
/// multitrack video says `KEY?clientConfigId=…`. No key has a question mark.
fn key_of(name: &str) -> &str {
    name.split_once('?').map_or(name, |(key, _)| key)
}
