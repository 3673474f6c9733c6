//! Turns: what the edge does now and then is done by one of many requests, and by no other for a while.
//!
//! Whose turn it is stands in one small cell, which is read as others are: from a copy near the reader where the host has
//! such. Only who finds there that it may be time asks for the turn itself, and at first few of those do: a copy may not have
//! heard yet that another one has had it. Where a host can't make changes one by one, two may have it at the same moment.

use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::change::{self, Applied, Keep, Kind, json};
use crate::edge::Call;
use crate::port::{Cell, Store, StoreError};
use crate::{cells, intake};

/// How long it is remembered that something failed, behind the next turn, in milliseconds.
const REMEMBERED_MS: u64 = 60_000;

/// Of so many who find that it is time, about one asks for the turn at once, and twice as many every so often…
const TRY_ONE_IN: u32 = 1 << TRY_STEPS;
const TRY_STEPS: u32 = 10;
/// …until all do, in milliseconds: longer than a copy is used.
pub(crate) const SPREAD_MS: u64 = 2_000;

/// Something that is done now and then.
#[derive(Debug)]
pub(crate) struct Turn {
    cell: Cell,
}

/// What is kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Nobody's turn before this.
    next: UtcMs,
    /// How often it failed, one time after another.
    failures: u8,
}

#[derive(Serialize, Deserialize)]
struct Said {
    /// It is asked for; else it was had, and this is what it came to.
    take: bool,
    next_ms: u64,
    failures: u8,
}

impl Turn {
    /// `kind` names what is done, `whose` what it is done for.
    pub(crate) fn new(kind: &str, whose: &str) -> Turn {
        Turn { cell: cells::turn_cell(kind, whose) }
    }

    /// Whether it is this request's turn; then nobody else has one for `every_ms`. Says how often it failed before, one time
    /// after another. `due` is since when there has been something to do, where all who ask find that at the same time.
    pub(crate) async fn take<S: Store>(
        &self,
        call: &Call<'_, S>,
        due: UtcMs,
        every_ms: u64,
    ) -> Result<Option<u8>, StoreError> {
        let near = call.store.get(&self.cell).await?;
        let near: Kept = change::read(near.as_deref()).unwrap_or_default();
        let now = call.moment.now;
        if now < near.next || !tries(now.ms_since(near.next.max(due)), call.moment.draw("railbird turn v1")) {
            return Ok(None);
        }
        let said = Said { take: true, next_ms: every_ms, failures: 0 };
        Ok(self.say(call, &said).await?.flatten())
    }

    /// Says that it failed so often, or did not fail, and when the next turn is: so many milliseconds after this one.
    pub(crate) async fn set<S: Store>(
        &self,
        call: &Call<'_, S>,
        failures: u8,
        next_ms: u64,
    ) -> Result<(), StoreError> {
        self.say(call, &Said { take: false, next_ms, failures }).await.map(drop)
    }

    async fn say<S: Store>(&self, call: &Call<'_, S>, said: &Said) -> Result<Option<Option<u8>>, StoreError> {
        intake::changed(call, &self.cell, Kind::Turn, &json(said)).await
    }
}

/// Whether one tries who drew this, so many milliseconds after it was time.
fn tries(late_ms: u64, [a, b, ..]: [u8; 32]) -> bool {
    let doublings = (late_ms.saturating_mul(TRY_STEPS.into()) / SPREAD_MS).min(TRY_STEPS.into());
    u32::from(u16::from_be_bytes([a, b])) % TRY_ONE_IN < 1 << doublings
}

/// The answer is how often it failed before, for whoever has the turn now.
pub(crate) fn change(kept: Option<Kept>, said: &[u8], now: UtcMs) -> Applied {
    let not_now: Option<u8> = None;
    let Ok(Said { take, next_ms, failures }) = serde_json::from_slice(said) else {
        return Applied::new(Keep::AsIs, &not_now);
    };
    let kept = kept.unwrap_or_default();
    if take && now < kept.next {
        return Applied::new(Keep::AsIs, &not_now);
    }
    let next = now.plus_ms(next_ms);
    let failures = if take { kept.failures } else { failures };
    let expires = next.plus_ms(REMEMBERED_MS);
    Applied::new(Keep::Value(json(&Kept { next, failures }), Some(expires)), &Some(failures))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(kept: &mut Option<Kept>, now: u64, take: bool, next_ms: u64, failures: u8) -> Option<u8> {
        let applied = change(*kept, &json(&Said { take, next_ms, failures }), UtcMs(now));
        if let Keep::Value(bytes, expires) = applied.keep {
            *kept = serde_json::from_slice(&bytes).unwrap();
            assert!(expires.unwrap() > UtcMs(now));
        }
        serde_json::from_slice(&applied.answer).unwrap()
    }

    #[test]
    fn of_many_who_find_that_it_is_time_few_try_at_first_and_all_later() {
        let share = |late_ms: u64| {
            let draw = |n: u32| {
                let [.., a, b] = n.to_be_bytes();
                core::array::from_fn(|at| [a, b].get(at).copied().unwrap_or_default())
            };
            (0..1 << 16).filter(|n| tries(late_ms, draw(*n))).count()
        };
        let shares: alloc::vec::Vec<usize> = (0..=SPREAD_MS).step_by(100).map(share).collect();
        assert_eq!((shares.first(), shares.last()), (Some(&(1 << 6)), Some(&(1 << 16))));
        assert!(shares.is_sorted());
        assert_eq!(share(SPREAD_MS / 2), 1 << 11, "one in 32 when every copy has heard");
        assert_eq!(share(u64::MAX), 1 << 16);
    }

    #[test]
    fn what_is_kept_goes_with_the_answer_so_that_who_is_refused_knows_when_to_ask_again() {
        let kept = json(&Kept { next: UtcMs(u64::MAX), failures: u8::MAX });
        assert!(change::brief(&kept).is_some());
        let refused =
            change(change::read(Some(&kept)), &json(&Said { take: true, next_ms: 1, failures: 0 }), UtcMs(1));
        assert_eq!(refused.keep, Keep::AsIs, "and it is as it was");
    }

    #[test]
    fn one_has_the_turn_and_others_wait_for_the_next() {
        let mut kept = None;
        assert_eq!(say(&mut kept, 10_000, true, 2_000, 0), Some(0));
        for now in [10_000, 11_999] {
            assert_eq!(say(&mut kept, now, true, 2_000, 0), None);
        }
        assert_eq!(say(&mut kept, 12_000, true, 2_000, 0), Some(0));
        // It failed: the next one knows, and comes later.
        say(&mut kept, 12_000, false, 4_000, 1);
        assert_eq!(say(&mut kept, 15_999, true, 2_000, 0), None);
        assert_eq!(say(&mut kept, 16_000, true, 2_000, 0), Some(1));
        say(&mut kept, 16_000, false, 2_000, 0);
        assert_eq!(say(&mut kept, 18_000, true, 2_000, 0), Some(0));
    }
}
