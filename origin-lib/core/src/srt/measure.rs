//! How a link is: round trips, rates, and what it could carry (draft-sharabayko-srt-01, 4.10 and 4.8.1).

use alloc::collections::VecDeque;

use super::Micros;
use super::seq::Seq;

/// Before anything is known, in microseconds: what the protocol says.
const RTT_US: u64 = 100_000;

/// What is lost is not asked for again sooner, in microseconds.
const ASK_AGAIN_US_MIN: u64 = 20_000;

/// A longer round trip is none: somebody plays with us.
const RTT_US_MAX: u64 = 10_000_000;

/// How long there and back takes.
#[derive(Debug)]
pub(super) struct Rtt {
    us: u64,
    variance_us: u64,
    known: bool,
}

impl Default for Rtt {
    fn default() -> Rtt {
        Rtt { us: RTT_US, variance_us: RTT_US / 2, known: false }
    }
}

impl Rtt {
    pub(super) fn sample(&mut self, us: u64) {
        let us = us.min(RTT_US_MAX);
        if self.known {
            self.variance_us = (self.variance_us * 3 + self.us.abs_diff(us)) / 4;
            self.us = (self.us * 7 + us) / 8;
        } else {
            *self = Rtt { us, variance_us: us / 2, known: true };
        }
    }

    pub(super) fn us(&self) -> u64 {
        self.us
    }

    pub(super) fn variance_us(&self) -> u64 {
        self.variance_us
    }

    /// How long what was asked for may take before it is asked for again.
    pub(super) fn ask_again_us(&self) -> u64 {
        (self.us + 2 * self.variance_us).max(ASK_AGAIN_US_MIN)
    }
}

/// What came within the last whole second.
#[derive(Debug)]
pub(super) struct Rate {
    since: Micros,
    packets: u64,
    bytes: u64,
    per_s: (u64, u64),
}

impl Rate {
    pub(super) fn new(now: Micros) -> Rate {
        Rate { since: now, packets: 0, bytes: 0, per_s: (0, 0) }
    }

    pub(super) fn packet(&mut self, len: usize, now: Micros) {
        const SECOND: u64 = 1_000_000;
        let us = now.since(self.since);
        if us >= SECOND {
            self.per_s = (self.packets * SECOND / us, self.bytes * SECOND / us);
            (self.since, self.packets, self.bytes) = (now, 0, 0);
        }
        self.packets += 1;
        self.bytes += len as u64;
    }

    pub(super) fn packets_per_s(&self) -> u64 {
        self.per_s.0
    }

    pub(super) fn bytes_per_s(&self) -> u64 {
        self.per_s.1
    }
}

/// What the link could carry: of 16 packets, a sender sends two without a pause between them.
#[derive(Debug, Default)]
pub(super) struct Capacity {
    first: Option<(Seq, Micros)>,
    /// The last pauses, in microseconds.
    pauses: VecDeque<u64>,
}

impl Capacity {
    const PAIR_EVERY: u32 = 16;
    const PAUSES: usize = 16;

    pub(super) fn packet(&mut self, seq: Seq, now: Micros) {
        let first = self.first.take();
        if seq.get().is_multiple_of(Self::PAIR_EVERY) {
            self.first = Some((seq, now));
        } else if let Some((first, at)) = first
            && first.plus(1) == seq
        {
            if self.pauses.len() == Self::PAUSES {
                self.pauses.pop_front();
            }
            self.pauses.push_back(now.since(at).max(1));
        }
    }

    /// 0 as long as nothing is known.
    pub(super) fn packets_per_s(&self) -> u64 {
        let mut pauses: alloc::vec::Vec<u64> = self.pauses.iter().copied().collect();
        pauses.sort_unstable();
        pauses.get(pauses.len() / 2).map_or(0, |median| 1_000_000 / median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_smoothed_and_never_zero_wait() {
        let mut rtt = Rtt::default();
        assert_eq!((rtt.us(), rtt.ask_again_us()), (100_000, 200_000));
        rtt.sample(40_000);
        assert_eq!((rtt.us(), rtt.variance_us()), (40_000, 20_000));
        rtt.sample(48_000);
        assert_eq!((rtt.us(), rtt.variance_us()), (41_000, 17_000));
        (0..100).for_each(|_| rtt.sample(100));
        assert_eq!(rtt.ask_again_us(), ASK_AGAIN_US_MIN);
    }

    #[test]
    fn capacity_is_what_pairs_without_a_pause_show() {
        let mut capacity = Capacity::default();
        assert_eq!(capacity.packets_per_s(), 0);
        for number in 0..160 {
            let second = number % 16 == 1;
            let at = if second { u64::from(number - 1) * 1000 + 100 } else { u64::from(number) * 1000 };
            capacity.packet(Seq::new(number), Micros(at));
        }
        assert_eq!(capacity.packets_per_s(), 1_000_000 / 100);
    }
}
