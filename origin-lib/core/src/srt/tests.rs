use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::net::SocketAddr;
use std::vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::handshake::{CONCLUSION, Handshake, Hello, INDUCTION};
use super::key::Keys;
use super::packet::{Header, Which};
use super::seq::Seq;
use super::*;

mod guard;
mod net;

use net::{Net, Path, Sender};

const SECRET: [u8; 32] = [9; 32];

fn from() -> SocketAddr {
    "192.0.2.7:9000".parse().unwrap()
}

fn passphrase() -> Option<Passphrase> {
    Passphrase::new("a long secret")
}

/// A caller's second handshake, after it was answered once.
fn conclusion(listener: &Listener, now: Micros, change: impl FnOnce(&mut Handshake)) -> Bytes {
    let first = Handshake { version: 4, field: 2, ..Handshake::new(INDUCTION, 77, Seq::new(5), from()) };
    let asks = Header { timestamp: 0, to: 0 }.handshake(&first.write());
    let Answer::Send(answer) = listener.answer(&asks, from(), now) else { panic!("no answer") };
    assert_eq!(answer.len(), asks.len(), "nobody is hit harder through us");
    let answer = Handshake::read(&answer[16..]).unwrap();
    let mut second = Handshake::new(CONCLUSION, 77, Seq::new(5), from());
    second.cookie = answer.cookie;
    second.extensions.hello = Some(Hello::new(false, 0, 300));
    second.extensions.stream_id = Some(b"#!::r=table-1,m=publish,u=secret".to_vec());
    change(&mut second);
    Header { timestamp: 40, to: 0 }.handshake(&second.write())
}

fn called(listener: &Listener, datagram: &[u8], now: Micros) -> Result<Call, Refusal> {
    match listener.answer(datagram, from(), now) {
        Answer::Call(call) => Ok(*call),
        Answer::Refused(_, refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_caller_is_known_by_its_stream_id_and_gets_the_longer_latency() {
    let listener = Listener::new(120, None, SECRET);
    let now = Micros(5_000_000);
    let call = called(&listener, &conclusion(&listener, now, |_| {}), now).unwrap();
    assert_eq!(stream_key(call.stream_id()), Ok("secret"));
    assert_eq!(call.socket(), 77);
    let unlocked = call.unlock().unwrap();
    let mut connection = call.accept(unlocked, 4, now);
    assert_eq!(connection.statistics().latency_ms, 300);
    let Some(Output::Send(response)) = connection.poll() else { panic!("no response") };
    assert_eq!(addressee(&response), Some(77));
    let answer = Handshake::read(&response[16..]).unwrap();
    assert_eq!((answer.socket, answer.kind, answer.first), (4, CONCLUSION, 5));
    assert_eq!(answer.extensions.hello, Some(Hello::new(true, 300, 300)));
    // A caller that did not get it asks again.
    connection.handle(&conclusion(&listener, now, |_| {}), now);
    assert_eq!(connection.poll(), Some(Output::Send(response)));
    assert_eq!(connection.poll(), None);
}

#[test]
fn whoever_claims_an_address_that_is_not_its_own_gets_nothing() {
    let listener = Listener::new(120, None, SECRET);
    let minute = |minutes: u64| Micros(minutes * 60_000_000 + 1);
    let sent = conclusion(&listener, minute(3), |_| {});
    assert!(matches!(listener.answer(&sent, from(), minute(4)), Answer::Call(_)));
    assert!(matches!(listener.answer(&sent, from(), minute(5)), Answer::Nothing), "it is too old");
    let other = "192.0.2.8:9000".parse().unwrap();
    assert!(matches!(listener.answer(&sent, other, minute(3)), Answer::Nothing));
    let guessed = conclusion(&listener, minute(3), |handshake| handshake.cookie ^= 1);
    assert!(matches!(listener.answer(&guessed, from(), minute(3)), Answer::Nothing));
    let restarted = Listener::new(120, None, [1; 32]);
    assert!(matches!(restarted.answer(&sent, from(), minute(3)), Answer::Nothing));
}

#[test]
fn what_is_not_taken_is_refused_with_a_code_and_a_reason() {
    let (open, closed) = (Listener::new(120, None, SECRET), Listener::new(120, passphrase(), SECRET));
    let now = Micros(1);
    let with = |passphrase: &str| {
        let (_, message) =
            Keys::made_up(Passphrase::new(passphrase).unwrap(), KeyBits::B192, &[3; 48]).unwrap();
        Some(message)
    };
    type Change<'a> = dyn Fn(&mut Handshake) + 'a;
    let cases: [(&Listener, u32, &Change<'_>); 9] = [
        (&open, 1008, &|handshake| handshake.version = 4),
        (&open, 1004, &|handshake| handshake.extensions.hello = None),
        (&open, 1011, &|handshake| handshake.extensions.key = with("a long secret")),
        (&closed, 1011, &|_| {}),
        (&closed, 1010, &|handshake| handshake.extensions.key = with("another secret")),
        (&closed, 1017, &|handshake| handshake.extensions.key = Some(vec![0; 56])),
        (&open, 2400, &|handshake| handshake.extensions.stream_id = None),
        (&open, 2405, &|handshake| handshake.extensions.stream_id = Some(b"#!::u=a,m=request".to_vec())),
        (&open, 2415, &|handshake| handshake.extensions.stream_id = Some(b"#!::u=a,t=file".to_vec())),
    ];
    for (listener, code, change) in cases {
        let sent = conclusion(listener, now, change);
        let (refused, refusal) = match listener.answer(&sent, from(), now) {
            Answer::Refused(bytes, refusal) => (bytes, refusal),
            Answer::Call(call) => {
                let key = stream_key(call.stream_id()).map_err(Refusal::from);
                let refusal = key.and_then(|_| call.unlock()).unwrap_err();
                (call.refuse(&refusal), refusal)
            }
            other => panic!("{other:?}"),
        };
        let answer = Handshake::read(&refused[16..]).unwrap();
        assert_eq!((answer.kind, addressee(&refused)), (code, Some(77)), "{refusal}");
        assert!(refused.len() <= sent.len());
    }
}

#[test]
fn packet_filters_bonding_and_files_are_named() {
    let listener = Listener::new(120, None, SECRET);
    for (kind, content, refusal) in [
        (6_u16, *b"elif", Refusal::FileMode),
        (7, *b"\0cef", Refusal::Filter),
        (8, [0, 0, 0, 1], Refusal::Group),
    ] {
        let mut sent = conclusion(&listener, Micros(1), |_| {}).to_vec();
        sent.extend_from_slice(&[kind.to_be_bytes(), [0, 1]].concat());
        sent.extend_from_slice(&content);
        assert_eq!(called(&listener, &sent, Micros(1)).unwrap_err(), refusal);
    }
    let mut live = conclusion(&listener, Micros(1), |_| {}).to_vec();
    live.extend_from_slice(b"\0\x06\0\x01evil");
    assert!(called(&listener, &live, Micros(1)).is_ok());
}

#[test]
fn a_caller_and_a_listener_agree_on_keys_of_each_length() {
    for bits in [KeyBits::B128, KeyBits::B192, KeyBits::B256] {
        let mut net = Net::calling(bits, "a long secret", Listener::new(250, passphrase(), SECRET));
        let media = net.run(500);
        assert_eq!(media, (0..500).map(net::payload).collect::<Vec<_>>());
        assert_eq!(net.statistics().latency_ms, 250, "what the sender wants");
    }
}

#[test]
fn a_caller_is_told_what_is_wrong_with_its_passphrase_or_that_nobody_is_there() {
    let ended = |bits, secret: &str, listener| {
        let mut net = Net::calling(bits, secret, listener);
        net.run(0);
        net.ended().unwrap()
    };
    let end = ended(KeyBits::B128, "another secret", Listener::new(120, passphrase(), SECRET));
    assert_eq!(end, End::Refused(1010));
    assert!(end.to_string().contains("set the same on both sides"), "{end}");
    assert_eq!(ended(KeyBits::B128, "a long secret", Listener::new(120, None, SECRET)), End::Refused(1011));
    let plan = Plan {
        to: from(),
        stream_id: String::new(),
        passphrase: None,
        key_bits: KeyBits::B128,
        latency_ms: 9,
    };
    let mut caller = Caller::new(plan, &[5; ENTROPY_LEN], Micros(0));
    let mut asked = 0;
    let end = loop {
        match caller.poll() {
            Some(Output::Send(_)) => asked += 1,
            Some(Output::Ended(end)) => break end,
            Some(Output::Media(_)) => panic!("from nobody"),
            None => caller.handle(&[], caller.deadline()),
        }
    };
    assert_eq!((asked, end), (12, End::NoAnswer));
}

#[test]
fn what_does_not_come_again_is_left_out_at_its_time_and_nothing_is_held_longer() {
    let mut net =
        Net::new(Path { seed: 1, lost: |seq| (30..40).contains(&seq) || seq == 77, ..Path::default() });
    let media = net.run(200);
    let expected = (0..200).filter(|n| !(30..40).contains(n) && *n != 77).map(net::payload);
    assert_eq!(media, expected.collect::<Vec<_>>());
    let statistics = net.statistics();
    assert_eq!((statistics.lost, statistics.dropped), (11, 11));
    assert!(net.held_us_max <= 250_000 + 1, "{}", net.held_us_max);
}

#[test]
fn numbers_and_times_that_begin_again_from_zero_are_no_gap() {
    let first = Seq::new(u32::MAX - 99);
    let mut net = Net::new(Path { first, clock: u32::MAX - 50_000, ..Path::default() });
    assert_eq!(net.run(300), (0..300).map(net::payload).collect::<Vec<_>>());
    let statistics = net.statistics();
    assert_eq!((statistics.packets, statistics.lost), (300, 0));
}

#[test]
fn a_jump_further_than_the_window_is_a_loss_and_no_end() {
    let mut net = Net::new(Path { jump: Some((50, WINDOW as u32 * 3)), ..Path::default() });
    assert_eq!(net.run(100), (0..100).map(net::payload).collect::<Vec<_>>());
    assert_eq!(net.statistics().dropped, WINDOW as u64 * 3);
}

#[test]
fn an_encoder_of_which_nothing_is_heard_and_one_without_media_are_let_go() {
    let quiet = |heard: bool| {
        let mut connection = Sender::accepted(None, Seq::new(0), Micros(0)).0;
        let mut now = Micros(0);
        loop {
            while let Some(output) = connection.poll() {
                if let Output::Ended(end) = output {
                    return (end, now);
                }
            }
            now = now.plus_ms(100);
            let alive = Header { timestamp: 0, to: 4 }.keep_alive();
            connection.handle(if heard { &alive } else { &[] }, now);
        }
    };
    assert_eq!(quiet(false), (End::Silent, Micros(5_000_000)));
    assert_eq!(quiet(true), (End::WithoutMedia, Micros(10_000_000)));
}

#[test]
fn packets_without_encryption_or_with_an_unknown_key_are_not_taken_where_there_is_a_passphrase() {
    let (mut connection, keys) = Sender::accepted(passphrase(), Seq::new(0), Micros(0));
    let now = Micros(1000);
    for (seq, key) in [(0, 0), (1, 2)] {
        let packet = net::packet(Seq::new(seq), key, false, 0, 4, b"in clear");
        connection.handle(&packet, now);
    }
    let mut payload = *b"secretly";
    assert!(keys.unwrap().apply(Which::Even, Seq::new(0), &mut payload));
    connection.handle(&net::packet(Seq::new(0), 1, false, 0, 4, &payload), now);
    connection.close(now);
    let media = std::iter::from_fn(|| connection.poll()).filter_map(|output| match output {
        Output::Media(media) => Some(media),
        _ => None,
    });
    assert_eq!(media.collect::<Vec<_>>(), [&b"secretly"[..]]);
    assert_eq!(connection.statistics().unreadable, 2);
}

#[test]
fn whatever_is_sent_no_more_than_a_window_is_held_and_not_more_is_answered_than_comes() {
    let (mut seq, never) = (Seq::new(0), Micros(u64::MAX));
    let mut buffer = buffer::Buffer::new(seq);
    let mut given = 0;
    for n in 0..3 * WINDOW {
        seq = seq.plus(n as u32 % 3 + 1);
        buffer.put(seq, never, Bytes::from_static(b"x"), never);
        given += std::iter::from_fn(|| buffer.poll()).count();
        assert!(n + 1 - given <= WINDOW, "{given} of {n}");
    }

    let mut connection = Sender::accepted(None, Seq::new(0), Micros(0)).0;
    let mut answers = 0;
    for n in 0..2000_u32 {
        seq = seq.plus(n % 700 + 1);
        connection.handle(&net::packet(seq, 0, n % 3 == 0, u32::MAX - n, 4, b"x"), Micros(u64::from(n)));
        while let Some(output) = connection.poll() {
            if let Output::Send(bytes) = output {
                assert!(bytes.len() <= DATAGRAM_LEN_MAX, "a report of {} bytes", bytes.len());
                answers += 1;
            }
        }
    }
    assert!(answers <= 2100, "{answers} datagrams for 2000");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_lost_comes_again_as_long_as_there_is_time(seed in any::<u64>(), percent in 0..=12_u8, encrypted in any::<bool>()) {
        let passphrase = encrypted.then(passphrase).flatten();
        let path = Path { seed, percent, jitter_us: 4000, passphrase, latency_ms: 1500, ..Path::default() };
        let mut net = Net::new(path);
        prop_assert_eq!(net.run(1500), (0..1500).map(net::payload).collect::<Vec<_>>());
        let statistics = net.statistics();
        prop_assert_eq!((statistics.dropped, statistics.unreadable), (0, 0));
        prop_assert!((20_000..60_000).contains(&statistics.rtt_us), "{}", statistics.rtt_us);
    }

    #[test]
    fn no_datagrams_trip_a_connection(datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..40)) {
        let mut connection = Sender::accepted(None, Seq::new(0), Micros(0)).0;
        let listener = Listener::new(120, None, SECRET);
        for (n, datagram) in datagrams.iter().enumerate() {
            let now = Micros(n as u64 * 10_000);
            listener.answer(datagram, from(), now);
            connection.handle(datagram, now);
            prop_assert!(std::iter::from_fn(|| connection.poll()).count() < WINDOW);
        }
    }
}
