//! Chunk streams.

use std::collections::BTreeMap;

use super::*;

/// What a reader makes of `input`, handed over in pieces of these lengths again and again.
fn read(input: &[u8], pieces: &[usize]) -> (Vec<Message>, Option<Error>) {
    let mut reader = Reader::new(MESSAGE_LEN_MAX);
    let (mut messages, mut rest) = (Vec::new(), input);
    for piece in pieces.iter().cycle() {
        let (mut now, after) = rest.split_at((*piece).clamp(1, rest.len().max(1)).min(rest.len()));
        rest = after;
        loop {
            match reader.read(&mut now) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(now.is_empty());
        if rest.is_empty() {
            break;
        }
    }
    (messages, None)
}

fn message(kind: u8, stream: u32, timestamp: u32, payload: &str) -> Message {
    Message { kind, stream, timestamp, payload: bytes(payload).into() }
}

#[test]
fn messages_from_known_chunks() {
    let video = |timestamp, payload| message(9, 1, timestamp, payload);
    let full = "06 000010 000002 09 01000000 aabb";
    for (name, input, expected) in [
        ("nothing", "", Vec::new()),
        ("a full header", full, Vec::from([video(16, "aabb")])),
        ("an empty message", "06 000010 000000 09 01000000", Vec::from([video(16, "")])),
        (
            "all formats",
            "06 000010 000002 09 01000000 aabb  46 000005 000001 08 cc  86 000003 dd  c6 ee",
            Vec::from([video(16, "aabb"), message(8, 1, 21, "cc"), message(8, 1, 24, "dd"), message(8, 1, 27, "ee")]),
        ),
        (
            "format 3 after format 0 adds its timestamp",
            "06 000010 000001 09 01000000 aa  c6 bb",
            Vec::from([video(16, "aa"), video(32, "bb")]),
        ),
        (
            "format 1 without one before",
            "42 000005 000006 04 000300000bb8",
            Vec::from([message(4, 0, 5, "000300000bb8")]),
        ),
        (
            "chunk stream ids of two and three bytes",
            "00 ff 000010 000001 09 01000000 aa  01 ffff 000011 000001 09 01000000 bb  c1 ffff cc",
            Vec::from([video(16, "aa"), video(17, "bb"), video(34, "cc")]),
        ),
        (
            "a smaller chunk length, interleaved",
            "02 000000 000004 01 00000000 00000002
             06 000010 000005 09 01000000 0102  04 000011 000003 08 01000000 a1a2  c6 0304  c4 a3  c6 05",
            Vec::from([message(8, 1, 17, "a1a2a3"), video(16, "0102030405")]),
        ),
        (
            "a chunk length that changes in the middle of a message",
            "02 000000 000004 01 00000000 00000002
             06 000010 000005 09 01000000 0102  02 000000 000004 01 00000000 0000 c2 0003  c6 030405",
            Vec::from([video(16, "0102030405")]),
        ),
        (
            "an extended timestamp, repeated",
            "02 000000 000004 01 00000000 00000002
             06 ffffff 000005 09 01000000 01000000 0102  c6 01000000 0304  c6 01000000 05  06 000001 000000 09 01000000",
            Vec::from([video(0x100_0000, "0102030405"), video(1, "")]),
        ),
        (
            "an extended timestamp, not repeated",
            "02 000000 000004 01 00000000 00000002
             06 ffffff 000005 09 01000000 01000000 0102  c6 0304  c6 05  06 000001 000000 09 01000000",
            Vec::from([video(0x100_0000, "0102030405"), video(1, "")]),
        ),
        (
            "an extended difference, and a message that takes it over",
            "06 000001 000001 09 01000000 aa  86 ffffff 01000000 bb  c6 01000000 cc  06 000001 000000 09 01000000",
            Vec::from([video(1, "aa"), video(0x100_0001, "bb"), video(0x200_0001, "cc"), video(1, "")]),
        ),
        (
            "an extended timestamp that needs none",
            "06 ffffff 000001 09 01000000 00ffffff aa",
            Vec::from([video(0xff_ffff, "aa")]),
        ),
        (
            "time wraps around",
            "06 ffffff 000001 09 01000000 ffffffff aa  46 000002 000001 09 bb",
            Vec::from([video(u32::MAX, "aa"), video(1, "bb")]),
        ),
        (
            "an aborted message",
            "02 000000 000004 01 00000000 00000002
             06 000010 000005 09 01000000 0102  02 000000 000004 02 00000000 0000 c2 0006  06 000011 000001 09 01000000 aa",
            Vec::from([video(17, "aa")]),
        ),
        (
            "an abort of nothing",
            "02 000000 000004 02 00000000 00000009  02 000000 000001 02 00000000 00  06 000010 000002 09 01000000 aabb",
            Vec::from([video(16, "aabb")]),
        ),
    ] {
        let input = bytes(input);
        for pieces in [&[input.len()][..], &[1], &[2], &[3], &[5], &[7, 1], &[17], &[18], &[19]] {
            assert_eq!(read(&input, pieces), (expected.clone(), None), "{name}, {pieces:?}");
        }
    }
}

#[test]
fn broken_chunks_are_refused() {
    let many: String = (0..65).map(|id| format!("00 {id:02x} 000000 000000 09 01000000")).collect();
    // Two unfinished messages just under 8 MiB each, and one too many.
    let open = "06 000000 7fffff 09 01000000".to_string()
        + &"00".repeat(128)
        + "07 000000 7fffff 09 01000000"
        + &"00".repeat(128)
        + "08 000000 000003 09 01000000";
    for (input, text) in [
        ("c6", "begins without a message header"),
        ("86 000001", "begins without a message header"),
        ("02 000000 000004 01 00000000 00000000", "chunk size"),
        ("02 000000 000004 01 00000000 80000000", "chunk size"),
        ("02 000000 000002 01 00000000 0001", "chunk size"),
        ("06 000000 800001 09 01000000", "over 8 MiB"),
        ("02 000000 000004 01 00000000 00000001 06 000000 000002 09 01000000 00 06", "begins before"),
        (&many, "64 chunk streams"),
        (&open, "16 MiB of unfinished"),
    ] {
        let mut input = bytes(input);
        if text == "begins before" {
            input.extend_from_slice(&bytes("000000 000002 09 01000000"));
        }
        for pieces in [&[input.len()][..], &[1]] {
            let (_, error) = read(&input, pieces);
            assert!(
                error.as_ref().is_some_and(|error| error.to_string().contains(text)),
                "{text}: {error:?}"
            );
        }
    }
}

#[test]
fn a_huge_chunk_length_is_as_good_as_none() {
    let mut input = bytes("02 000000 000004 01 00000000 7fffffff  06 000000 01fbd0 09 01000000");
    let payload: Vec<u8> = (0..130_000_u32).map(|n| n as u8).collect();
    input.extend_from_slice(&payload);
    for pieces in [&[input.len()][..], &[4096], &[1]] {
        let (messages, error) = read(&input, pieces);
        assert_eq!((messages.len(), error), (1, None));
        assert_eq!(messages[0].payload, payload);
    }
}

#[test]
fn finished_and_aborted_messages_no_longer_count() {
    let mut input = bytes("02 000000 000004 01 00000000 00ffffff");
    let payload = std::vec![7; MESSAGE_LEN_MAX / 2];
    for _ in 0..=OPEN_LEN_MAX / payload.len() {
        // One that is begun and aborted, and one that is whole.
        input.extend_from_slice(&bytes("02 000000 000004 01 00000000 00000001"));
        input.extend_from_slice(&bytes("07 000000 400000 09 01000000 aa"));
        input.extend_from_slice(&bytes("02 000000 000004 02 00000000 00 c2 00 c2 00 c2 07"));
        input.extend_from_slice(&bytes("02 000000 000004 01 00000000 00 c2 ff c2 ff c2 ff"));
        input.extend_from_slice(&bytes("06 000000 400000 09 01000000"));
        input.extend_from_slice(&payload);
    }
    let (messages, error) = read(&input, &[65_536]);
    assert_eq!((messages.len(), error), (OPEN_LEN_MAX / payload.len() + 1, None));
    assert!(messages.iter().all(|message| message.payload == payload));
}

#[test]
fn a_writers_golden_bytes() {
    let mut writer = Writer::new();
    let mut out = Vec::new();
    writer.set_chunk_len(&mut out, 4);
    writer.write(&mut out, 6, 9, 1, 0x100_0000, b"abcdefghi");
    writer.write(&mut out, 5, 8, 1, 0xff_fffe, b"");
    let golden = "02 000000 000004 01 00000000 00000004
        06 ffffff 000009 09 01000000 01000000 61626364 c6 01000000 65666768 c6 01000000 69
        05 fffffe 000000 08 01000000";
    assert_eq!(out, bytes(golden));
}

/// Writes chunks in the shortest format that says what is meant, as encoders do.
struct ShortWriter {
    chunk_len: usize,
    /// The last header of each chunk stream.
    last: BTreeMap<u8, Last>,
}

struct Last {
    kind: u8,
    stream: u32,
    length: usize,
    timestamp: u32,
    field: u32,
}

impl ShortWriter {
    /// The chunks of a message, the first with a header of at least `format`'s fields.
    fn chunks(&mut self, id: u8, message: &Message, format: u8) -> Vec<Vec<u8>> {
        let length = message.payload.len();
        let last = self.last.get(&id);
        let difference = last.map_or(0, |last| message.timestamp.wrapping_sub(last.timestamp));
        // A step back can't be said as a difference by all writers.
        let possible = match last {
            Some(last) if last.stream != message.stream || difference > 0x7fff_ffff => 0,
            None => 0,
            Some(last) if last.kind != message.kind || last.length != length => 1,
            Some(last) if last.field != difference => 2,
            Some(_) => 3,
        };
        let format = format.min(possible);
        let field = if format == 0 { message.timestamp } else { difference };
        let extended = if field >= 0xff_ffff { field.to_be_bytes().to_vec() } else { Vec::new() };
        let mut head = Vec::from([format << 6 | id]);
        if format < 3 {
            head.extend_from_slice(&field.min(0xff_ffff).to_be_bytes()[1..]);
        }
        if format < 2 {
            head.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
            head.push(message.kind);
        }
        if format == 0 {
            head.extend_from_slice(&message.stream.to_le_bytes());
        }
        head.extend_from_slice(&extended);
        let Message { kind, stream, timestamp, .. } = *message;
        self.last.insert(id, Last { kind, stream, length, timestamp, field });
        let mut chunks = Vec::from([head]);
        for (number, part) in message.payload.chunks(self.chunk_len).enumerate() {
            if number > 0 {
                chunks.push([&[3 << 6 | id][..], &extended].concat());
            }
            chunks[number].extend_from_slice(part);
        }
        chunks
    }
}

/// A chunk stream's chunks; the last of a message has the message beside it.
type Queue = std::collections::VecDeque<(Vec<u8>, Option<Message>)>;

/// Chunk stream, wished format, and message.
fn planned() -> impl Strategy<Value = (u8, u8, Message)> {
    let time = prop::sample::select(Vec::from([0, 40, 80, 0xff_fffe, 0xff_ffff, 0x100_0000, 0xffff_fff0]));
    (4_u8..7, 0_u8..4, 8_u8..10, 1_u32..3, time, prop_oneof![Just(3_usize), 0_usize..700]).prop_map(
        |(id, format, kind, stream, timestamp, length)| {
            let payload: Vec<u8> = (0..length).map(|at| (at * 7) as u8 | 1).collect();
            (id, format, Message { kind, stream, timestamp, payload: payload.into() })
        },
    )
}

proptest! {
    #[test]
    fn any_chunks_in_any_pieces(
        plans in prop::collection::vec(planned(), 0..12),
        chunk_len in prop_oneof![Just(128_usize), 1_usize..300],
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..64),
        pieces in prop::collection::vec(1_usize..200, 1..12),
    ) {
        let mut input = bytes("02 000000 000004 01 00000000");
        input.extend_from_slice(&(chunk_len as u32).to_be_bytes());
        let mut writer = ShortWriter { chunk_len, last: BTreeMap::new() };
        // Each chunk stream keeps its order; between them chunks interleave.
        let mut queues: BTreeMap<u8, Queue> = BTreeMap::new();
        for (id, format, message) in plans {
            let chunks = writer.chunks(id, &message, format);
            let last = chunks.len() - 1;
            let whole = |at| (at == last).then(|| message.clone());
            queues.entry(id).or_default().extend(chunks.into_iter().enumerate().map(|(at, chunk)| (chunk, whole(at))));
        }
        let mut expected = Vec::new();
        for choice in order.iter().cycle() {
            queues.retain(|_, queue| !queue.is_empty());
            if queues.is_empty() {
                break;
            }
            let which = choice.index(queues.len());
            let queue = queues.values_mut().nth(which).unwrap();
            let (chunk, message) = queue.pop_front().unwrap();
            input.extend_from_slice(&chunk);
            expected.extend(message);
        }
        // So that nobody waits for what might be a repeated timestamp.
        input.extend_from_slice(&bytes("07 000000 000000 09 00000000"));
        expected.push(message(9, 0, 0, ""));
        prop_assert_eq!(read(&input, &pieces), (expected.clone(), None));
        prop_assert_eq!(read(&input, &[1]), (expected, None));
    }

    #[test]
    fn no_chunks_can_trip_the_reader(
        input in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..10, any::<u8>()], 0..600),
        pieces in prop::collection::vec(1_usize..30, 1..6),
    ) {
        let whole = read(&input, &[input.len().max(1)]);
        prop_assert_eq!(read(&input, &pieces), whole);
    }
}
