//! Datagrams that anybody can send to the socket for SRT.

use std::net::{Ipv4Addr, SocketAddr};

use railbird_core::srt::{
    Answer, Caller, ENTROPY_LEN, KeyBits, Listener, Micros, Output, Passphrase, Plan, WINDOW,
};
use railbird_core::srt::{DATAGRAM_LEN_MAX, addressee, stream_key};

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

/// Datagrams, each with its length before it (the highest bit of the first one: whether there is a passphrase), at a listener,
/// at the connection that a caller made there, and at a caller that waits for an answer. All that they make us say fits into a
/// datagram, and no more than a window is held.
pub(super) fn packet(input: &[u8]) {
    // A passphrase costs as much as a hundred connections without one.
    let encrypted = input.first().is_some_and(|byte| byte & 0x80 != 0);
    let passphrase = encrypted.then(|| Passphrase::new("a long secret")).flatten();
    let listener = Listener::new(120, passphrase.clone(), [7; 32]);
    let plan =
        Plan { to: FROM, stream_id: "key".to_string(), passphrase, key_bits: KeyBits::B128, latency_ms: 120 };
    let mut now = Micros(1_000_000);
    let mut waiting = Caller::new(plan.clone(), &[3; ENTROPY_LEN], now);
    let mut caller = Caller::new(plan, &[5; ENTROPY_LEN], now);
    let mut connection = None;
    while let Some(output) = caller.poll() {
        let Output::Send(bytes) = output else { continue };
        match listener.answer(&bytes, FROM, now) {
            Answer::Send(bytes) => caller.handle(&bytes, now),
            Answer::Call(call) => {
                assert_eq!(stream_key(call.stream_id()), Ok("key"));
                connection = call.unlock().ok().map(|unlocked| call.accept(unlocked, 1, now));
            }
            Answer::Nothing | Answer::Refused(..) => {}
        }
    }
    assert!(connection.is_some(), "a caller and a listener of ours do not find together");
    let Some(mut connection) = connection else { return };
    let mut rest = input;
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes([high & 0x07, low]));
        let (datagram, after) = after.split_at(len.min(after.len()));
        rest = after;
        now = now.plus_ms(u64::from(low));
        let _ = addressee(datagram);
        match listener.answer(datagram, FROM, now) {
            Answer::Send(bytes) | Answer::Refused(bytes, _) => assert!(bytes.len() <= datagram.len()),
            Answer::Call(call) => assert!(call.stream_id().len() <= 512),
            Answer::Nothing => {}
        }
        connection.handle(datagram, now);
        waiting.handle(datagram, now);
        let outputs = std::iter::from_fn(|| connection.poll()).chain(std::iter::from_fn(|| waiting.poll()));
        let mut media = 0;
        for output in outputs {
            match output {
                Output::Send(bytes) => assert!(bytes.len() <= DATAGRAM_LEN_MAX),
                Output::Media(_) => media += 1,
                Output::Ended(_) => {}
            }
        }
        assert!(media <= WINDOW);
    }
}
