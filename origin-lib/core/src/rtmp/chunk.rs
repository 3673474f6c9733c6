//! Chunk streams (RTMP 1.0, 5.3) and the two protocol control messages that steer them (5.4.1, 5.4.2).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{CHUNK_STREAMS_MAX, Error, MESSAGE_LEN_MAX, OPEN_LEN_MAX};

/// The chunk length of both directions until a side sets another (5.4.1).
const CHUNK_LEN_START: usize = 128;

/// The longest chunk header: basic header, message header, extended timestamp.
const HEAD_LEN_MAX: usize = 3 + 11 + 4;

/// The value of a 24-bit timestamp that says: the real one follows in 32 bits.
const EXTENDED: u32 = 0xff_ffff;

/// Message types (5.4, 7.1).
pub(super) mod kind {
    pub(crate) const SET_CHUNK_SIZE: u8 = 1;
    pub(crate) const ABORT: u8 = 2;
    pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
    pub(crate) const USER_CONTROL: u8 = 4;
    pub(crate) const WINDOW_SIZE: u8 = 5;
    pub(crate) const PEER_BANDWIDTH: u8 = 6;
    pub(crate) const AUDIO: u8 = 8;
    pub(crate) const VIDEO: u8 = 9;
    pub(crate) const DATA_AMF3: u8 = 15;
    pub(crate) const COMMAND_AMF3: u8 = 17;
    pub(crate) const DATA: u8 = 18;
    pub(crate) const COMMAND: u8 = 20;
    pub(crate) const AGGREGATE: u8 = 22;
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    /// Message stream id.
    pub(super) stream: u32,
    pub(super) timestamp: u32,
    pub(super) payload: Bytes,
}

/// Puts messages together from chunks.
///
/// A payload byte is copied once: from the input into its message's buffer.
#[derive(Debug)]
pub(super) struct Reader {
    chunk_len: usize,
    message_len_max: usize,
    streams: Vec<Stream>,
    /// The chunk whose payload comes next: its stream's index, and how much of the payload is missing.
    chunk: Option<(usize, usize)>,
    /// A header's bytes that came at the end of an input.
    carry: [u8; HEAD_LEN_MAX],
    carry_len: usize,
    /// What all unfinished messages will need together.
    open_len: usize,
}

/// A chunk stream: the last header, on which the next one builds, and the message that is being read.
#[derive(Debug)]
struct Stream {
    id: u32,
    kind: u8,
    message_stream: u32,
    message_len: usize,
    timestamp: u32,
    /// The last header's timestamp or difference, as sent.
    field: u32,
    extended: bool,
    open: bool,
    body: Vec<u8>,
}

/// A chunk's header.
struct Head {
    /// Length of the header itself.
    len: usize,
    format: u8,
    chunk_stream: u32,
    /// Index of the chunk stream where it is known already.
    index: Option<usize>,
    field: u32,
    extended: bool,
    message_len: usize,
    kind: u8,
    message_stream: u32,
}

enum Step {
    Message(Message),
    Progress,
    /// Nothing more to do with this input; what is left of it is the beginning of a header.
    Wait,
}

impl Reader {
    pub(super) fn new(message_len_max: usize) -> Reader {
        Reader {
            chunk_len: CHUNK_LEN_START,
            message_len_max,
            streams: Vec::new(),
            chunk: None,
            carry: [0; HEAD_LEN_MAX],
            carry_len: 0,
            open_len: 0,
        }
    }

    /// Sets the longest message that is taken; holds for messages that begin from now on.
    pub(super) fn set_message_len_max(&mut self, length: usize) {
        self.message_len_max = length;
    }

    /// Reads up to the end of the next message; `None` when the input is used up.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        while self.carry_len > 0 {
            // The header goes on in this input: it is read from a copy that holds both parts.
            let mut both = self.carry;
            let (old, space) = both.split_at_mut(self.carry_len);
            let (old, new) = (old.len(), space.len().min(input.len()));
            space[..new].copy_from_slice(&input[..new]);
            let all = &both[..old + new];
            let mut rest = all;
            let step = self.step(&mut rest)?;
            let used = all.len() - rest.len();
            if let Step::Wait = step {
                self.carry_len = all.len();
                self.carry = both;
                *input = &input[new..];
                return Ok(None);
            }
            // What is not used of the older part stays; the newer part is still in the input.
            self.carry_len = old.saturating_sub(used);
            *input = &input[used.saturating_sub(old)..];
            both.copy_within(used.min(old)..old, 0);
            self.carry = both;
            if let Step::Message(message) = step {
                return Ok(Some(message));
            }
        }
        loop {
            match self.step(input)? {
                Step::Message(message) => return Ok(Some(message)),
                Step::Progress => {}
                Step::Wait => {
                    // Not longer than a header, or it would be one.
                    let length = input.len().min(HEAD_LEN_MAX);
                    self.carry[..length].copy_from_slice(&input[..length]);
                    self.carry_len = length;
                    *input = &[];
                    return Ok(None);
                }
            }
        }
    }

    /// Reads a header, or what the input has of a chunk's payload.
    fn step(&mut self, input: &mut &[u8]) -> Result<Step, Error> {
        let Some((index, missing)) = self.chunk else {
            let Some(head) = self.head(input)? else { return Ok(Step::Wait) };
            *input = input.get(head.len..).unwrap_or_default();
            self.begin(&head)?;
            return Ok(Step::Progress);
        };
        let Some(stream) = self.streams.get_mut(index) else { return Ok(Step::Wait) };
        let (payload, rest) = input.split_at(missing.min(input.len()));
        stream.body.extend_from_slice(payload);
        *input = rest;
        if payload.len() < missing {
            self.chunk = Some((index, missing - payload.len()));
            return Ok(if payload.is_empty() { Step::Wait } else { Step::Progress });
        }
        self.chunk = None;
        if stream.body.len() < stream.message_len {
            return Ok(Step::Progress);
        }
        stream.open = false;
        self.open_len -= stream.message_len;
        let message = Message {
            kind: stream.kind,
            stream: stream.message_stream,
            timestamp: stream.timestamp,
            payload: core::mem::take(&mut stream.body).into(),
        };
        if self.control(&message)? { Ok(Step::Progress) } else { Ok(Step::Message(message)) }
    }

    /// The header at the input's start; `None` where it is not there whole.
    fn head(&self, input: &[u8]) -> Result<Option<Head>, Error> {
        let Some(first) = input.first() else { return Ok(None) };
        let (chunk_stream, basic_len) = match (first & 0x3f, input) {
            (0, [_, low, ..]) => (64 + u32::from(*low), 2),
            (1, [_, low, high, ..]) => (64 + u32::from(*low) + 256 * u32::from(*high), 3),
            (0 | 1, _) => return Ok(None),
            (id, _) => (u32::from(id), 1),
        };
        let index = self.streams.iter().position(|stream| stream.id == chunk_stream);
        let rest = input.get(basic_len..).unwrap_or_default();
        let format = first >> 6;
        let mut head = Head {
            len: basic_len,
            format,
            chunk_stream,
            index,
            field: 0,
            extended: false,
            message_len: 0,
            kind: 0,
            message_stream: 0,
        };
        if format == 3 {
            let Some(stream) = index.and_then(|index| self.streams.get(index)) else {
                return Err(Error::Broken("a chunk stream begins without a message header"));
            };
            if stream.extended {
                // The specification repeats the extended timestamp here; some encoders don't. It is one where it has
                // the value that it must have.
                let Some((repeated, _)) = rest.split_first_chunk() else { return Ok(None) };
                let repeated = u32::from_be_bytes(*repeated);
                if repeated == stream.field || repeated == stream.timestamp {
                    head.len += 4;
                }
            }
            return Ok(Some(head));
        }
        let Some((&[t2, t1, t0], rest)) = rest.split_first_chunk() else { return Ok(None) };
        head.field = u32::from_be_bytes([0, t2, t1, t0]);
        let mut rest = rest;
        if format < 2 {
            let Some((&[l2, l1, l0, kind], after)) = rest.split_first_chunk() else { return Ok(None) };
            head.message_len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
            head.kind = kind;
            rest = after;
        }
        if format == 0 {
            let Some((stream, after)) = rest.split_first_chunk() else { return Ok(None) };
            head.message_stream = u32::from_le_bytes(*stream);
            rest = after;
        }
        if head.field == EXTENDED {
            let Some((field, after)) = rest.split_first_chunk() else { return Ok(None) };
            head.field = u32::from_be_bytes(*field);
            head.extended = true;
            rest = after;
        }
        head.len = input.len() - rest.len();
        Ok(Some(head))
    }

    /// Begins a chunk: the first of a message, or the next.
    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        let index = match head.index {
            Some(index) => index,
            None if head.format == 2 => {
                return Err(Error::Broken("a chunk stream begins without a message header"));
            }
            None if self.streams.len() >= CHUNK_STREAMS_MAX => {
                return Err(Error::TooMuch("more than 64 chunk streams"));
            }
            None => {
                self.streams.push(Stream::new(head.chunk_stream));
                self.streams.len() - 1
            }
        };
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        if !stream.open {
            stream.header(head);
            if stream.message_len > self.message_len_max {
                return Err(Error::TooMuch(if self.message_len_max < MESSAGE_LEN_MAX {
                    "a message over 64 KiB before the feed began"
                } else {
                    "a message over 8 MiB: lower the bit rate"
                }));
            }
            if self.open_len + stream.message_len > OPEN_LEN_MAX {
                return Err(Error::TooMuch("over 16 MiB of unfinished messages"));
            }
            self.open_len += stream.message_len;
            stream.body = Vec::with_capacity(stream.message_len);
            stream.open = true;
        } else if head.format != 3 {
            return Err(Error::Broken("a message begins before the one before it on its chunk stream ended"));
        }
        let missing = stream.message_len - stream.body.len();
        self.chunk = Some((index, missing.min(self.chunk_len)));
        Ok(())
    }

    /// Obeys what concerns the chunk layer itself; says whether it did.
    fn control(&mut self, message: &Message) -> Result<bool, Error> {
        let number = message.payload.first_chunk().map(|number| u32::from_be_bytes(*number));
        match (message.kind, number) {
            (kind::SET_CHUNK_SIZE, Some(1..=0x7fff_ffff)) => {
                // No message is longer than its 24-bit length can say.
                self.chunk_len = number.map_or(CHUNK_LEN_START, |length| length.min(EXTENDED) as usize);
            }
            (kind::SET_CHUNK_SIZE, _) => {
                return Err(Error::Broken("a chunk size that is not 1 to 2147483647"));
            }
            (kind::ABORT, Some(id)) => {
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id && stream.open) {
                    stream.open = false;
                    self.open_len -= stream.message_len;
                    stream.body = Vec::new();
                }
            }
            (kind::ABORT, None) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Stream {
    fn new(id: u32) -> Stream {
        Stream {
            id,
            kind: 0,
            message_stream: 0,
            message_len: 0,
            timestamp: 0,
            field: 0,
            extended: false,
            open: false,
            body: Vec::new(),
        }
    }

    /// Takes over what a message's first header says (5.3.1.2).
    fn header(&mut self, head: &Head) {
        if head.format < 3 {
            self.field = head.field;
            self.extended = head.extended;
        }
        if head.format < 2 {
            self.message_len = head.message_len;
            self.kind = head.kind;
        }
        if head.format == 0 {
            self.message_stream = head.message_stream;
            self.timestamp = 0;
        }
        // Format 3 repeats the difference; after a format 0 that is its timestamp (5.3.1.2.4).
        self.timestamp = self.timestamp.wrapping_add(self.field);
    }
}

/// Cuts messages into chunks.
#[derive(Debug)]
pub(super) struct Writer {
    chunk_len: usize,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer { chunk_len: CHUNK_LEN_START }
    }

    /// Appends a message. Its header is always a full one, so that a lost connection loses nothing else.
    ///
    /// `chunk_stream` is 2 to 63. A payload has at most 2²⁴-1 bytes: the rest is not sent.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        chunk_stream: u8,
        kind: u8,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
    ) {
        let payload = payload.get(..EXTENDED as usize).unwrap_or(payload);
        let chunks = payload.len().div_ceil(self.chunk_len);
        out.reserve(HEAD_LEN_MAX + payload.len() + 5 * chunks);
        let extended = (timestamp >= EXTENDED).then(|| timestamp.to_be_bytes());
        out.push(chunk_stream);
        out.extend_from_slice(&timestamp.min(EXTENDED).to_be_bytes()[1..]);
        out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        out.push(kind);
        out.extend_from_slice(&stream.to_le_bytes());
        out.extend_from_slice(extended.as_ref().map_or(&[], |bytes| &bytes[..]));
        for (number, chunk) in payload.chunks(self.chunk_len).enumerate() {
            if number > 0 {
                out.push(3 << 6 | chunk_stream);
                out.extend_from_slice(extended.as_ref().map_or(&[], |bytes| &bytes[..]));
            }
            out.extend_from_slice(chunk);
        }
    }

    /// Appends a protocol control message of one number.
    pub(super) fn control(&self, out: &mut Vec<u8>, kind: u8, number: u32) {
        self.write(out, 2, kind, 0, 0, &number.to_be_bytes());
    }

    /// Tells the peer a new chunk length, and uses it.
    pub(super) fn set_chunk_len(&mut self, out: &mut Vec<u8>, length: u16) {
        self.control(out, kind::SET_CHUNK_SIZE, u32::from(length.max(1)));
        self.chunk_len = usize::from(length.max(1));
    }
}
