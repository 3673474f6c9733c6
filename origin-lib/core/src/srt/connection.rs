//! One sender's connection after its handshake: what it sent comes out in order, each packet at its time.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::buffer::Buffer;
use super::key::Keys;
use super::measure::{Capacity, Rate, Rtt};
use super::packet::{Control, DATAGRAM_LEN_MAX, Data, Header, Kind, Packet, Report};
use super::seq::{SenderClock, Seq};
use super::{End, Micros, Output, SILENCE_MS_MAX, Statistics, WITHOUT_MEDIA_MS_MAX};

const MS: u64 = 1000;
/// How often all is acknowledged, and by how many packets at the latest.
const ACK_US: u64 = 10 * MS;
const ACK_PACKETS: u32 = 64;
/// So many acknowledgements wait for their own one.
const ACKS_MAX: usize = 1024;
/// Less is never told to be free: a sender without a window stops, and only what comes is acknowledged. The buffer makes room.
const FREE_MIN: usize = 1024;
/// A peer that hears nothing for so long gets a sign of life.
const KEEP_ALIVE_US: u64 = 1000 * MS;
/// What its time is, a packet is not held longer than for the latency and this.
const HOLD_US_MAX: u64 = 1000 * MS;
/// A new key is looked at so often at most: it costs more than a packet.
const KEY_US: u64 = 100 * MS;

/// Takes what a sender sends. Give datagrams and the time to `handle`, then `poll` until `None`.
#[derive(Debug)]
pub struct Connection {
    /// The peer's socket.
    to: u32,
    begun: Micros,
    latency_us: u64,
    clock: SenderClock,
    keys: Option<Keys>,
    key_after: Micros,
    buffer: Buffer,
    outputs: VecDeque<Output>,
    ended: bool,
    /// Our part of the handshake, for a caller that did not get it.
    response: Option<Bytes>,
    ack_at: Option<Micros>,
    acked_at: Micros,
    ack_number: u32,
    since_ack: u32,
    unanswered: VecDeque<(u32, Micros)>,
    heard: Micros,
    sent: Micros,
    media: Micros,
    rtt: Rtt,
    rate: Rate,
    capacity: Capacity,
    statistics: Statistics,
}

/// What a handshake agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) to: u32,
    pub(super) first: Seq,
    /// The clock in the peer's last packet of the handshake.
    pub(super) timestamp: u32,
    pub(super) latency_ms: u16,
    pub(super) keys: Option<Keys>,
}

impl Connection {
    pub(super) fn new(agreed: Agreed, response: Option<Bytes>, now: Micros) -> Connection {
        let latency_ms = u64::from(agreed.latency_ms);
        Connection {
            to: agreed.to,
            begun: now,
            latency_us: latency_ms * MS,
            clock: SenderClock::new(agreed.timestamp, now),
            keys: agreed.keys,
            key_after: now,
            buffer: Buffer::new(agreed.first),
            outputs: response.clone().map(Output::Send).into_iter().collect(),
            ended: false,
            response,
            ack_at: None,
            acked_at: now,
            ack_number: 0,
            since_ack: 0,
            unanswered: VecDeque::new(),
            heard: now,
            sent: now,
            media: now,
            rtt: Rtt::default(),
            rate: Rate::new(now),
            capacity: Capacity::default(),
            statistics: Statistics { latency_ms, ..Statistics::default() },
        }
    }

    /// Takes a datagram of the peer; an empty one only says what time it is.
    pub fn handle(&mut self, datagram: &[u8], now: Micros) {
        if self.ended {
            return;
        }
        match Packet::read(datagram) {
            Some(Packet::Data(data)) => self.data(&data, now),
            Some(Packet::Control(control)) => self.control(&control, now),
            None => {}
        }
        self.time(now);
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to `handle(&[], now)` at the latest.
    pub fn deadline(&self) -> Micros {
        let silent = self.heard.plus_ms(SILENCE_MS_MAX).min(self.media.plus_ms(WITHOUT_MEDIA_MS_MAX));
        let keep_alive = self.sent.plus(KEEP_ALIVE_US);
        let others = self.ack_at.into_iter().chain(self.buffer.deadline());
        others.fold(silent.min(keep_alive), Micros::min)
    }

    /// How the link was so far.
    pub fn statistics(&self) -> Statistics {
        let counts = self.buffer.counts();
        Statistics {
            lost: counts.lost,
            dropped: counts.dropped,
            useless: counts.useless,
            rtt_us: self.rtt.us(),
            capacity_bits_per_s: self.capacity.packets_per_s().saturating_mul(DATAGRAM_LEN_MAX as u64 * 8),
            ..self.statistics
        }
    }

    /// Ends the connection from this side. What came until now is given at once.
    pub fn close(&mut self, now: Micros) {
        if !self.ended {
            self.send(now, Header::shutdown);
            self.end(End::Ours);
        }
    }

    fn end(&mut self, end: End) {
        self.buffer.flush();
        self.give();
        self.outputs.push_back(Output::Ended(end));
        self.ended = true;
    }

    fn send(&mut self, now: Micros, packet: impl FnOnce(Header) -> Bytes) {
        let header = Header { timestamp: now.since(self.begun) as u32, to: self.to };
        self.outputs.push_back(Output::Send(packet(header)));
        self.sent = now;
    }

    fn give(&mut self) {
        while let Some(payload) = self.buffer.poll() {
            self.outputs.push_back(Output::Media(payload));
        }
    }

    fn data(&mut self, data: &Data<'_>, now: Micros) {
        self.heard = now;
        self.statistics.packets += 1;
        self.statistics.bytes += data.payload.len() as u64;
        self.statistics.again += u64::from(data.again);
        self.since_ack += 1;
        self.ack_at = self.ack_at.or(Some(self.acked_at.plus(ACK_US)));
        if !self.buffer.wants(data.seq) {
            return;
        }
        let mut payload = data.payload.to_vec();
        let readable = match (&self.keys, data.key) {
            (None, None) => true,
            (Some(keys), Some(which)) => keys.apply(which, data.seq, &mut payload),
            _ => false,
        };
        if !readable {
            self.statistics.unreadable += 1;
            return;
        }
        self.media = now;
        let sent = self.clock.sent(data.timestamp);
        if !data.again {
            self.clock.arrived(sent, now);
            self.rate.packet(data.payload.len(), now);
            self.capacity.packet(data.seq, now);
        }
        let due = Micros::from_signed(sent.saturating_add_unsigned(self.latency_us));
        let due = due.min(now.plus(self.latency_us + HOLD_US_MAX));
        let ask_at = now.plus(self.rtt.ask_again_us());
        if let Some(gap) = self.buffer.put(data.seq, due, payload.into(), ask_at) {
            self.send(now, |header| header.nak(&[gap]));
        }
    }

    fn control(&mut self, control: &Control<'_>, now: Micros) {
        self.heard = now;
        match control.kind {
            Kind::Handshake(_) => {
                // The caller did not get our part.
                self.outputs.extend(self.response.clone().map(Output::Send));
            }
            Kind::AckAck(number) => {
                if let Some(at) = self.unanswered.iter().position(|(sent, _)| *sent == number) {
                    let sent = self.unanswered.drain(..=at).next_back();
                    sent.into_iter().for_each(|(_, sent)| self.rtt.sample(now.since(sent)));
                }
            }
            Kind::Shutdown => self.end(End::Peer),
            Kind::DropRequest { first, last } => self.buffer.gone(first, last),
            Kind::Key(message) => self.key(message, now),
            Kind::Other => {}
        }
    }

    fn key(&mut self, message: &[u8], now: Micros) {
        if now < self.key_after {
            return;
        }
        self.key_after = now.plus(KEY_US);
        match self.keys.as_ref().map(|keys| keys.renewed(message)) {
            Some(Ok(keys)) => {
                self.keys = Some(keys);
                self.send(now, |header| header.key_response(message));
            }
            Some(Err(_)) | None => self.statistics.unreadable += 1,
        }
    }

    /// Does what it is time for.
    fn time(&mut self, now: Micros) {
        if self.ended {
            return;
        }
        self.buffer.release(now);
        self.give();
        if now >= self.heard.plus_ms(SILENCE_MS_MAX) {
            return self.give_up(End::Silent, now);
        }
        if now >= self.media.plus_ms(WITHOUT_MEDIA_MS_MAX) {
            return self.give_up(End::WithoutMedia, now);
        }
        let again_at = now.plus(self.rtt.ask_again_us());
        let runs = self.buffer.asks(now, again_at);
        if !runs.is_empty() {
            self.send(now, |header| header.nak(&runs));
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack(now);
        } else if self.since_ack >= ACK_PACKETS {
            self.since_ack = 0;
            let next = self.buffer.next();
            self.send(now, |header| header.light_ack(next));
        }
        if now >= self.sent.plus(KEEP_ALIVE_US) {
            self.send(now, Header::keep_alive);
        }
    }

    fn give_up(&mut self, end: End, now: Micros) {
        self.send(now, Header::shutdown);
        self.end(end);
    }

    fn ack(&mut self, now: Micros) {
        (self.ack_at, self.acked_at, self.since_ack) = (None, now, 0);
        self.ack_number = self.ack_number.wrapping_add(1).max(1);
        if self.unanswered.len() == ACKS_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((self.ack_number, now));
        let clamped = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let report = Report {
            rtt_us: clamped(self.rtt.us()),
            rtt_variance_us: clamped(self.rtt.variance_us()),
            free_packets: clamped(self.buffer.free().max(FREE_MIN) as u64),
            packets_per_s: clamped(self.rate.packets_per_s()),
            capacity_packets_per_s: clamped(self.capacity.packets_per_s()),
            bytes_per_s: clamped(self.rate.bytes_per_s()),
        };
        let (number, next) = (self.ack_number, self.buffer.next());
        self.send(now, |header| header.ack(number, next, &report));
    }
}
