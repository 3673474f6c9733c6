//! Numbers of packets and times in them, which begin again from zero.

use super::Micros;

const BITS: u32 = 31;

/// The number of a data packet, modulo 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seq(u32);

impl Seq {
    /// The lower 31 bits.
    pub(super) fn new(number: u32) -> Seq {
        Seq(number & (u32::MAX >> (u32::BITS - BITS)))
    }

    pub(super) fn get(self) -> u32 {
        self.0
    }

    pub(super) fn plus(self, packets: u32) -> Seq {
        Seq::new(self.0.wrapping_add(packets))
    }

    pub(super) fn minus_one(self) -> Seq {
        Seq::new(self.0.wrapping_sub(1))
    }

    /// How far `other` is behind this one in the stream; negative where it comes before: the shorter way.
    pub(super) fn distance_to(self, other: Seq) -> i32 {
        let unused = u32::BITS - BITS;
        (other.0.wrapping_sub(self.0) << unused).cast_signed() >> unused
    }
}

/// The sender's clock, which its packets carry modulo 2^32 microseconds, as our own one.
///
/// A packet's delivery counts from its timestamp. Clocks of two machines run apart by some tens of microseconds a second, so that
/// the packets that took the shortest way, of each second, move what is taken for the sender's zero.
#[derive(Debug)]
pub(super) struct SenderClock {
    /// When the sender's clock was at zero, by ours; it may be before ours was.
    zero: i64,
    last: i64,
    /// The shortest way of this second, and when the second began.
    shortest: Option<i64>,
    since: Micros,
}

const SECOND: u64 = 1_000_000;

/// By how much a second's packets may move the clock at least, in microseconds: a thousand times what a bad clock is off.
const STEP_MAX: i64 = 1000;

impl SenderClock {
    /// A packet with this timestamp is there `now`.
    pub(super) fn new(timestamp: u32, now: Micros) -> SenderClock {
        let last = i64::from(timestamp);
        SenderClock { zero: now.signed().saturating_sub(last), last, shortest: None, since: now }
    }

    /// When a packet was sent, by our own clock and as if its way took no time.
    pub(super) fn sent(&mut self, timestamp: u32) -> i64 {
        // What the last one had, modulo 2^32, is where the shorter way to this one begins.
        let ahead = timestamp.wrapping_sub(self.last as u32).cast_signed();
        self.last = self.last.saturating_add(i64::from(ahead));
        self.zero.saturating_add(self.last)
    }

    /// A packet that was `sent` then came for the first time.
    pub(super) fn arrived(&mut self, sent: i64, now: Micros) {
        let way = now.signed().saturating_sub(sent);
        self.shortest = Some(self.shortest.map_or(way, |shortest| shortest.min(way)));
        if now.since(self.since) >= SECOND {
            let shortest = self.shortest.take().unwrap_or(0);
            // A way that became much longer, or a clock that was set, is caught up with in half a minute.
            let most = STEP_MAX.max(shortest.saturating_abs() / 8);
            self.zero = self.zero.saturating_add(shortest.clamp(-most, most));
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn numbers_go_on_after_the_last_one() {
        let last = Seq::new(u32::MAX);
        assert_eq!((last.get(), last.plus(1).get()), (0x7fff_ffff, 0));
        assert_eq!(Seq::new(0).minus_one(), last);
        for (from, to, distance) in
            [(0x7fff_ffff, 1, 2), (1, 0x7fff_ffff, -2), (5, 5, 0), (0, 0x3fff_ffff, 0x3fff_ffff)]
        {
            assert_eq!(Seq::new(from).distance_to(Seq::new(to)), distance, "{from} {to}");
        }
    }

    #[test]
    fn a_senders_clock_goes_on_after_seventy_one_minutes() {
        let mut clock = SenderClock::new(u32::MAX - 9, Micros(1_000));
        assert_eq!(clock.sent(u32::MAX), 1_009);
        assert_eq!(clock.sent(20), 1_030);
        assert_eq!(clock.sent(u32::MAX), 1_009, "one that was late");
    }

    #[test]
    fn a_way_that_becomes_longer_is_soon_the_usual_one() {
        let mut clock = SenderClock::new(0, Micros(1_000_000));
        let mut late = Vec::new();
        for second in 1..=40_u64 {
            let now = Micros((second + 1) * SECOND + 150_000);
            let sent = clock.sent((second * SECOND) as u32);
            late.push(now.signed() - sent);
            clock.arrived(sent, now);
        }
        assert!(late[0] == 150_000 && late[20] < 15_000 && late[39] < 2_000, "{late:?}");
    }

    #[test]
    fn a_senders_clock_that_is_fast_or_slow_is_followed() {
        for fast in [100, -100_i64] {
            let mut clock = SenderClock::new(0, Micros(1_000_000));
            let mut off = 0;
            for second in 1..=3600_u64 {
                let theirs = (second * SECOND).checked_add_signed(second as i64 * fast).unwrap();
                let now = Micros((second + 1) * SECOND);
                let sent = clock.sent(theirs as u32);
                off = now.signed() - sent;
                clock.arrived(sent, now);
            }
            assert!(off.abs() <= 200, "{off} microseconds after an hour");
        }
    }
}
