//! Packets that wait for their time, and for those before them (draft-sharabayko-srt-01, 4.4 to 4.8).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::packet::RUNS_MAX;
use super::seq::Seq;
use super::{Micros, WINDOW};

#[derive(Debug)]
enum Slot {
    /// It did not come; asked for again at this time, if at all.
    Missing {
        ask_at: Option<Micros>,
    },
    Held {
        due: Micros,
        payload: Bytes,
    },
}

/// What happened to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Missing when one behind them came.
    pub(super) lost: u64,
    /// Not there when it was their time, and left out.
    pub(super) dropped: u64,
    /// There already, or left out already, when they came.
    pub(super) useless: u64,
}

/// The packets between what was given and the last one that came, [`WINDOW`] of them at most.
#[derive(Debug)]
pub(super) struct Buffer {
    /// The first one that was not given yet.
    head: Seq,
    slots: VecDeque<Slot>,
    missing: usize,
    /// Nothing is to be asked for again before.
    ask_at: Option<Micros>,
    given: VecDeque<Bytes>,
    counts: Counts,
}

impl Buffer {
    pub(super) fn new(first: Seq) -> Buffer {
        Buffer {
            head: first,
            slots: VecDeque::new(),
            missing: 0,
            ask_at: None,
            given: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// What is given next: in order, at its time.
    pub(super) fn poll(&mut self) -> Option<Bytes> {
        self.given.pop_front()
    }

    /// How many more packets fit.
    pub(super) fn free(&self) -> usize {
        WINDOW.saturating_sub(self.slots.len())
    }

    /// Whether this packet is of use. One that is not is counted.
    pub(super) fn wants(&mut self, seq: Seq) -> bool {
        let useful = match usize::try_from(self.head.distance_to(seq)) {
            Ok(at) => !matches!(self.slots.get(at), Some(Slot::Held { .. })),
            Err(_) => false,
        };
        self.counts.useless += u64::from(!useful);
        useful
    }

    /// Takes a packet that is wanted. Which ones before it are missing, as is seen by this.
    pub(super) fn put(
        &mut self,
        seq: Seq,
        due: Micros,
        payload: Bytes,
        ask_at: Micros,
    ) -> Option<(Seq, Seq)> {
        let mut at = usize::try_from(self.head.distance_to(seq)).ok()?;
        if at >= WINDOW {
            // So much is missing that waiting for it would hold everything up.
            self.make_room(seq, at);
            at = usize::try_from(self.head.distance_to(seq)).ok()?;
        }
        let held = Slot::Held { due, payload };
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = held;
            self.missing -= 1;
            return None;
        }
        let absent = at - self.slots.len();
        let gap = (absent > 0).then(|| (self.end(), seq.minus_one()));
        self.slots.extend((0..absent).map(|_| Slot::Missing { ask_at: Some(ask_at) }));
        self.slots.push_back(held);
        self.missing += absent;
        self.counts.lost += absent as u64;
        if gap.is_some() {
            self.ask_at = Some(self.ask_at.map_or(ask_at, |earliest| earliest.min(ask_at)));
        }
        gap
    }

    fn make_room(&mut self, seq: Seq, at: usize) {
        for _ in 0..(at + 1 - WINDOW).min(self.slots.len()) {
            self.give_first();
        }
        if self.slots.is_empty() {
            let skipped = self.head.distance_to(seq).unsigned_abs();
            (self.counts.lost, self.counts.dropped) =
                (self.counts.lost + u64::from(skipped), self.counts.dropped + u64::from(skipped));
            self.head = seq;
        }
    }

    /// Gives what is due. What is missing before it is left out.
    pub(super) fn release(&mut self, now: Micros) {
        while let Some((at, due)) = self.first_held()
            && due <= now
        {
            for _ in 0..=at {
                self.give_first();
            }
        }
    }

    /// Gives all there is.
    pub(super) fn flush(&mut self) {
        while !self.slots.is_empty() {
            self.give_first();
        }
    }

    fn give_first(&mut self) {
        match self.slots.pop_front() {
            Some(Slot::Held { payload, .. }) => self.given.push_back(payload),
            Some(Slot::Missing { .. }) => {
                self.missing -= 1;
                self.counts.dropped += 1;
            }
            None => return,
        }
        self.head = self.head.plus(1);
    }

    /// Where the first packet is that is there, and when it is due.
    fn first_held(&self) -> Option<(usize, Micros)> {
        self.slots.iter().enumerate().find_map(|(at, slot)| match slot {
            Slot::Held { due, .. } => Some((at, *due)),
            Slot::Missing { .. } => None,
        })
    }

    /// When something is due, or is to be asked for again.
    pub(super) fn deadline(&self) -> Option<Micros> {
        let due = self.first_held().map(|(_, due)| due);
        let ask_at = self.ask_at.filter(|_| self.missing > 0);
        due.into_iter().chain(ask_at).min()
    }

    /// What follows the last packet.
    fn end(&self) -> Seq {
        self.head.plus(self.slots.len() as u32)
    }

    /// All packets before this one are there, or left out.
    pub(super) fn next(&self) -> Seq {
        if self.missing == 0 {
            return self.end();
        }
        let at = self.slots.iter().position(|slot| matches!(slot, Slot::Missing { .. }));
        at.map_or(self.end(), |at| self.head.plus(at as u32))
    }

    /// What is to be asked for `now`, in runs, no more than fit into one report. They are asked for again at `ask_at`.
    pub(super) fn asks(&mut self, now: Micros, again_at: Micros) -> Vec<(Seq, Seq)> {
        let mut runs: Vec<(Seq, Seq)> = Vec::new();
        if self.missing == 0 || self.ask_at.is_none_or(|at| at > now) {
            return runs;
        }
        let mut earliest: Option<Micros> = None;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Slot::Missing { ask_at: Some(ask_at) } = slot else { continue };
            let seq = self.head.plus(at as u32);
            if *ask_at <= now {
                let full = runs.len() == RUNS_MAX;
                match runs.last_mut() {
                    Some((_, last)) if last.plus(1) == seq => *last = seq,
                    _ if full => {
                        earliest = Some(now);
                        break;
                    }
                    _ => runs.push((seq, seq)),
                }
                *ask_at = again_at;
            }
            earliest = Some(earliest.map_or(*ask_at, |earliest| earliest.min(*ask_at)));
        }
        self.ask_at = earliest;
        runs
    }

    /// The sender does not have these any more: no use to ask.
    pub(super) fn gone(&mut self, first: Seq, last: Seq) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let seq = self.head.plus(at as u32);
            let within = first.distance_to(seq) >= 0 && seq.distance_to(last) >= 0;
            if within && let Slot::Missing { ask_at } = slot {
                *ask_at = None;
            }
        }
    }
}
