//! A sender, and a way to it on which packets are late, lost and overtaken, in virtual time.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use std::format;

use bytes::Bytes;

use super::super::connection::Agreed;
use super::super::*;
use super::{Seq, from};
use crate::srt::key::Keys;
use crate::srt::packet::Which;

const DELAY_US: u64 = 20_000;
/// Between two packets.
const PACE_US: u64 = 1000;

/// What is wrong with the way.
pub(super) struct Path {
    pub(super) seed: u64,
    /// So many of a hundred are lost, both ways.
    pub(super) percent: u8,
    pub(super) jitter_us: u64,
    /// What never comes, however often it is sent.
    pub(super) lost: fn(u32) -> bool,
    pub(super) first: Seq,
    /// What the sender's clock says at first.
    pub(super) clock: u32,
    /// From this packet on, numbers are higher by so much.
    pub(super) jump: Option<(u32, u32)>,
    pub(super) passphrase: Option<Passphrase>,
    pub(super) latency_ms: u16,
}

impl Default for Path {
    fn default() -> Path {
        Path {
            seed: 1,
            percent: 0,
            jitter_us: 0,
            lost: |_| false,
            first: Seq::new(0),
            clock: 0,
            jump: None,
            passphrase: None,
            latency_ms: 250,
        }
    }
}

/// What the packet of this number brings.
pub(super) fn payload(n: u32) -> Bytes {
    format!("packet {n}").into()
}

/// A data packet; `key` is 0 for none, 1 for the even one.
pub(super) fn packet(seq: Seq, key: u32, again: bool, timestamp: u32, to: u32, payload: &[u8]) -> Vec<u8> {
    let second = 3 << 30 | key << 27 | u32::from(again) << 26 | 1;
    let mut bytes = [seq.get(), second, timestamp, to].map(u32::to_be_bytes).as_flattened().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// Sends and sends again what it is asked for.
pub(super) struct Sender {
    to: u32,
    clock: u32,
    keys: Option<Keys>,
    sent: Vec<(Seq, u32, Vec<u8>)>,
    out: VecDeque<(Option<u32>, Vec<u8>)>,
}

impl Sender {
    /// A connection that a sender called, and its keys.
    pub(super) fn accepted(
        passphrase: Option<Passphrase>,
        first: Seq,
        now: Micros,
    ) -> (Connection, Option<Keys>) {
        let keys = passphrase.and_then(|one| Some(Keys::made_up(one, KeyBits::B128, &[3; 48])?.0));
        let agreed = Agreed { to: 1, first, timestamp: 0, latency_ms: 250, keys: keys.clone() };
        (Connection::new(agreed, None, now), keys)
    }

    fn send(&mut self, n: u32, seq: Seq, now: Micros) {
        let timestamp = self.clock.wrapping_add(now.0 as u32);
        let mut payload = payload(n).to_vec();
        if let Some(keys) = &self.keys {
            assert!(keys.apply(Which::Even, seq, &mut payload));
        }
        self.out.push_back((Some(n), packet(seq, self.key(), false, timestamp, self.to, &payload)));
        self.sent.push((seq, timestamp, payload));
    }

    fn key(&self) -> u32 {
        u32::from(self.keys.is_some())
    }

    fn handle(&mut self, datagram: &[u8]) {
        let words: Vec<u32> =
            datagram.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect();
        match words[0] >> 16 {
            0x8002 if words[1] > 0 => {
                let answer = [0x8006_0000, words[1], 0, self.to];
                self.out.push_back((None, answer.map(u32::to_be_bytes).as_flattened().to_vec()));
            }
            0x8003 => {
                let mut losses = words[4..].iter();
                while let Some(loss) = losses.next() {
                    let last = if loss >> 31 == 1 { *losses.next().unwrap() } else { *loss };
                    self.again(Seq::new(*loss), Seq::new(last));
                }
            }
            _ => {}
        }
    }

    fn again(&mut self, first: Seq, last: Seq) {
        for (n, (seq, timestamp, payload)) in self.sent.iter().enumerate() {
            if first.distance_to(*seq) >= 0 && seq.distance_to(last) >= 0 {
                let sent = packet(*seq, self.key(), true, *timestamp, self.to, payload);
                self.out.push_back((Some(n as u32), sent));
            }
        }
    }
}

enum Receiver {
    Called(Box<Connection>),
    Calls(Box<Caller>, Listener),
}

/// What is under way.
enum Flight {
    There(Vec<u8>),
    Back(Bytes),
}

pub(super) struct Net {
    path: Path,
    receiver: Receiver,
    sender: Sender,
    now: Micros,
    under_way: BTreeMap<(Micros, u64), Flight>,
    flights: u64,
    ended: Option<End>,
    media: Vec<Bytes>,
    pub(super) held_us_max: u64,
}

impl Net {
    pub(super) fn new(path: Path) -> Net {
        let (_, keys) = Sender::accepted(path.passphrase.clone(), path.first, Micros(0));
        let (latency_ms, timestamp) = (path.latency_ms, path.clock);
        let agreed = Agreed { to: 1, first: path.first, timestamp, latency_ms, keys: keys.clone() };
        let receiver = Receiver::Called(Box::new(Connection::new(agreed, None, Micros(0))));
        Net::between(path, receiver, keys)
    }

    /// A caller of a listener that sends once it was called.
    pub(super) fn calling(key_bits: KeyBits, secret: &str, listener: Listener) -> Net {
        let plan = Plan {
            to: from(),
            stream_id: "camera 1".into(),
            passphrase: Passphrase::new(secret),
            key_bits,
            latency_ms: 120,
        };
        let caller = Caller::new(plan, &[5; ENTROPY_LEN], Micros(0));
        Net::between(Path::default(), Receiver::Calls(Box::new(caller), listener), None)
    }

    fn between(path: Path, receiver: Receiver, keys: Option<Keys>) -> Net {
        let sender = Sender { to: 4, clock: path.clock, keys, sent: Vec::new(), out: VecDeque::new() };
        let (under_way, media) = Default::default();
        let now = Micros(0);
        Net { path, receiver, sender, now, under_way, flights: 0, ended: None, media, held_us_max: 0 }
    }

    pub(super) fn statistics(&self) -> Statistics {
        match &self.receiver {
            Receiver::Called(connection) => connection.statistics(),
            Receiver::Calls(caller, _) => caller.statistics(),
        }
    }

    pub(super) fn ended(&self) -> Option<End> {
        self.ended
    }

    /// Sends so many packets, and gives what came of them.
    pub(super) fn run(&mut self, packets: u32) -> Vec<Bytes> {
        // The handshake, where there is one.
        self.until(Micros(200_000));
        let begun = self.now;
        for n in 0..packets {
            self.until(begun.plus(u64::from(n) * PACE_US));
            let (at, by) = self.path.jump.unwrap_or((packets, 0));
            let seq = self.first().plus(n).plus(if n >= at { by } else { 0 });
            self.sender.send(n, seq, self.now);
            self.depart(n + 1 == packets);
        }
        self.until(self.now.plus_ms(u64::from(self.path.latency_ms) + 300));
        core::mem::take(&mut self.media)
    }

    fn first(&self) -> Seq {
        match &self.receiver {
            Receiver::Called(_) => self.path.first,
            // What its entropy says.
            Receiver::Calls(..) => Seq::new(0x0505_0505),
        }
    }

    fn random(&mut self) -> u64 {
        self.path.seed =
            self.path.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.path.seed >> 33
    }

    fn fly(&mut self, flight: Flight, surely: bool) {
        let lost = self.random() % 100 < u64::from(self.path.percent);
        let jitter = self.random() % (self.path.jitter_us + 1);
        if !lost || surely {
            self.flights += 1;
            self.under_way.insert((self.now.plus(DELAY_US + jitter), self.flights), flight);
        }
    }

    fn depart(&mut self, surely: bool) {
        while let Some((n, bytes)) = self.sender.out.pop_front() {
            if !n.is_some_and(self.path.lost) {
                self.fly(Flight::There(bytes), surely);
            }
        }
    }

    fn until(&mut self, end: Micros) {
        loop {
            self.outputs();
            let first = self.under_way.first_key_value().map(|(at, _)| at.0);
            let deadline = match &self.receiver {
                Receiver::Called(connection) => connection.deadline(),
                Receiver::Calls(caller, _) => caller.deadline(),
            };
            let next = first.unwrap_or(deadline).min(deadline).max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            let flight = match first {
                Some(at) if at <= next => self.under_way.pop_first().map(|(_, flight)| flight),
                _ => None,
            };
            match flight {
                Some(Flight::Back(bytes)) => self.back(&bytes),
                Some(Flight::There(bytes)) => self.there(&bytes),
                None => self.there(&[]),
            }
        }
    }

    fn there(&mut self, datagram: &[u8]) {
        match &mut self.receiver {
            Receiver::Called(connection) => connection.handle(datagram, self.now),
            Receiver::Calls(caller, _) => caller.handle(datagram, self.now),
        }
    }

    fn back(&mut self, datagram: &[u8]) {
        if let Receiver::Calls(_, listener) = &self.receiver
            && addressee(datagram) == Some(0)
        {
            match listener.answer(datagram, from(), self.now) {
                Answer::Nothing => {}
                Answer::Send(bytes) | Answer::Refused(bytes, _) => {
                    self.fly(Flight::There(bytes.to_vec()), true)
                }
                Answer::Call(call) => match call.unlock() {
                    Err(refusal) => {
                        let bytes = call.refuse(&refusal).to_vec();
                        self.fly(Flight::There(bytes), true);
                    }
                    Ok(unlocked) => {
                        (self.sender.to, self.sender.keys) = (call.socket(), unlocked.0.clone());
                        let response = call.accept(unlocked, 4, self.now).poll();
                        let Some(Output::Send(bytes)) = response else { panic!("{response:?}") };
                        self.sender.clock = 0_u32.wrapping_sub(self.now.0 as u32);
                        self.fly(Flight::There(bytes.to_vec()), true);
                    }
                },
            }
        } else {
            self.sender.handle(datagram);
            self.depart(false);
        }
    }

    fn outputs(&mut self) {
        loop {
            let output = match &mut self.receiver {
                Receiver::Called(connection) => connection.poll(),
                Receiver::Calls(caller, _) => caller.poll(),
            };
            match output {
                None => return,
                Some(Output::Send(bytes)) => self.fly(Flight::Back(bytes), false),
                Some(Output::Ended(end)) => self.ended = Some(end),
                Some(Output::Media(media)) => self.came(media),
            }
        }
    }

    fn came(&mut self, media: Bytes) {
        let text = core::str::from_utf8(&media).unwrap();
        let n: usize = text.strip_prefix("packet ").unwrap().parse().unwrap();
        let (_, timestamp, _) = self.sender.sent[n];
        let sent = u64::from(timestamp.wrapping_sub(self.sender.clock));
        self.held_us_max = self.held_us_max.max(self.now.0 - sent);
        self.media.push(media);
    }
}
