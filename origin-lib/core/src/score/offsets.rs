//! When viewers see what occurred: where a channel's score events lie on its media time.
//!
//! Two things stand between an event's time and its picture's. The table's picture has a delay: what camera, encoder and
//! network take, as far as the timeline's anchor does not know of it. And who scores has an offset: a person enters a point
//! half a second to two seconds after it was made. Both are known beside the log, so that each origin that is told the same
//! gives the same media times, for live and for replays.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::time::{MediaSpan, MediaTime, UtcMs};

/// The most delays of a channel that are kept: those of the last hundred calibrations.
pub const DELAYS_MAX: usize = 100;

/// The delay of a table's picture, and the offsets of its scorers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// What is known of the table's delay from which instant on, in order; before the first, it is the first.
    delays: Vec<(UtcMs, i64)>,
    others_ms: i64,
    scorers: BTreeMap<String, i64>,
}

impl Offsets {
    /// A picture that is `delay_ms` later than what it shows. Scorers enter what happened so much late, as a negative number
    /// of milliseconds: each of `scorers` by name, and any other `others_ms`.
    pub fn new(delay_ms: i64, others_ms: i64, scorers: BTreeMap<String, i64>) -> Offsets {
        Offsets { delays: Vec::from([(UtcMs(0), delay_ms)]), others_ms, scorers }
    }

    /// Stands for all that is known here: offsets with another number may give other times.
    pub fn number(&self) -> u32 {
        let mut hash = Sha256::new();
        for (from, delay_ms) in &self.delays {
            hash.update(from.0.to_be_bytes());
            hash.update(delay_ms.to_be_bytes());
        }
        hash.update(self.others_ms.to_be_bytes());
        for (name, ms) in &self.scorers {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update(ms.to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let first = digest.first_chunk().copied().unwrap_or_default();
        // 0 stands for none.
        u32::from_be_bytes(first).max(1)
    }

    /// From this instant on, the picture is so much later. What was known of the time from there on is forgotten.
    pub fn delay_from(&mut self, from: UtcMs, delay_ms: i64) {
        self.delays.retain(|(known, _)| *known < from);
        if self.delays.len() >= DELAYS_MAX {
            self.delays.remove(0);
        }
        self.delays.push((from, delay_ms));
    }

    /// By how much the picture of this instant is later, in milliseconds.
    pub fn delay_ms(&self, at: UtcMs) -> i64 {
        let known = self.delays.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        self.delays.get(known).map_or(0, |(_, delay_ms)| *delay_ms)
    }

    /// By how much what a scorer enters is moved, in milliseconds: `None` is one who does not say who it is.
    pub fn scorer_ms(&self, scorer: Option<&str>) -> i64 {
        scorer.and_then(|name| self.scorers.get(name)).copied().unwrap_or(self.others_ms)
    }

    /// When viewers see what this scorer says `occurred`.
    pub fn media(&self, occurred: UtcMs, scorer: Option<&str>) -> MediaTime {
        let scorer_ms = self.scorer_ms(scorer);
        let happened = UtcMs(occurred.0.saturating_add_signed(scorer_ms));
        // In one step: what is before 1970 must not be cut off twice.
        occurred.media() + MediaSpan::from_ms(scorer_ms.saturating_add(self.delay_ms(happened)))
    }
}

/// A channel of which only that is known of its scorers.
impl From<i64> for Offsets {
    fn from(others_ms: i64) -> Offsets {
        Offsets::new(0, others_ms, BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UtcMs = UtcMs(1_795_171_920_000);

    fn at(ms: i64) -> UtcMs {
        UtcMs(T.0.saturating_add_signed(ms))
    }

    #[test]
    fn an_event_is_shown_as_late_as_its_picture_and_as_early_as_its_scorer_was_late() {
        let scorers = BTreeMap::from([("ann".into(), -1200), ("bob".into(), -600)]);
        let offsets = Offsets::new(800, -900, scorers);
        for (scorer, ms) in [(Some("ann"), -400), (Some("bob"), 200), (Some("eve"), -100), (None, -100)] {
            assert_eq!(offsets.media(T, scorer), at(ms).media(), "{scorer:?}");
        }
        assert_eq!(Offsets::from(-1000).media(T, Some("ann")), at(-1000).media());
        assert_eq!(Offsets::default().media(T, None), T.media());
    }

    #[test]
    fn a_new_delay_leaves_what_was_filmed_before_it_as_it_was() {
        let mut offsets = Offsets::new(500, -1000, BTreeMap::new());
        offsets.delay_from(at(0), 800);
        offsets.delay_from(at(10_000), 700);
        let shown = |ms: i64| offsets.media(at(ms), None);
        // What was entered after the calibration had happened before it.
        assert_eq!(shown(999), at(499).media());
        assert_eq!(shown(1000), at(800).media());
        assert_eq!(shown(20_000), at(19_700).media());
        assert_eq!([0, 9_999, 10_000].map(|ms| offsets.delay_ms(at(ms))), [800, 800, 700]);
        // A calibration of the same recording takes the place of the one before.
        offsets.delay_from(at(0), 900);
        assert_eq!([-1, 0, 10_000].map(|ms| offsets.delay_ms(at(ms))), [500, 900, 900]);
    }

    #[test]
    fn offsets_with_one_number_give_the_same_times() {
        let of = |delays: &[(u64, i64)], others_ms, scorers: &[(&str, i64)]| {
            let scorers = scorers.iter().map(|(name, ms)| ((*name).into(), *ms)).collect();
            let mut offsets = Offsets::new(0, others_ms, scorers);
            delays.iter().for_each(|(from, delay_ms)| offsets.delay_from(UtcMs(*from), *delay_ms));
            offsets
        };
        let different = [
            of(&[], 0, &[]),
            of(&[(0, 1)], 0, &[]),
            of(&[(1, 1)], 0, &[]),
            of(&[(1, 1), (2, 1)], 0, &[]),
            of(&[], 1, &[]),
            of(&[], 0, &[("ann", 1)]),
            of(&[], 0, &[("ann", 2)]),
            of(&[], 0, &[("ann", 1), ("bob", 1)]),
        ];
        for (n, offsets) in different.iter().enumerate() {
            let same = different.iter().position(|other| other.number() == offsets.number());
            assert_eq!((same, offsets.clone().number()), (Some(n), offsets.number()));
        }
    }

    #[test]
    fn no_offset_leads_out_of_time_and_delays_are_bounded() {
        assert_eq!(Offsets::from(i64::MIN).media(UtcMs(1), None), MediaTime(0));
        assert_eq!(Offsets::from(i64::MAX).media(UtcMs(u64::MAX), None), MediaTime(u64::MAX));
        let mut offsets = Offsets::from(0);
        for n in 1..1000 {
            offsets.delay_from(UtcMs(n), n as i64);
        }
        assert_eq!(offsets.delays.len(), DELAYS_MAX);
        assert_eq!([1, 950, 2000].map(|n| offsets.delay_ms(UtcMs(n))), [900, 950, 999]);
    }
}
