//! Deletes parts at the targets once nobody plays them any more: their segments are there.
//!
//! What is to be deleted is known in memory only. What an earlier run left behind is found at the start where a store lists
//! names; another store, and one that lets us delete nothing, needs a rule of its own for [`PARTS`].

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use railbird_core::id::TargetId;
use railbird_core::object::PARTS;
use railbird_core::state::{PARTS_HEARD_MS, PARTS_IDLE_MS, PARTS_SPAN_MS_MAX};
use railbird_core::time::UtcMs;
use tokio::task::JoinSet;

use super::sweep::Stores;
use crate::clock;
use crate::store::{PutError, Store};

/// How long a part stays, in milliseconds: longer than any playlist lists it, whatever becomes of its feed, its origin and what
/// edges hear.
pub const KEEP_MS: u64 = 180_000;

const _: () = assert!(KEEP_MS >= 2 * (PARTS_IDLE_MS + PARTS_HEARD_MS));

/// How long what an origin tells may be on its way to an edge, in milliseconds.
const ON_ITS_WAY_MS: u64 = 5_000;

// An origin tells of a part up to the span after it, and then until it has heard of no other for long; an edge may hear of it in
// the last moment.
const _: () = assert!(KEEP_MS >= PARTS_SPAN_MS_MAX + PARTS_IDLE_MS + ON_ITS_WAY_MS + PARTS_HEARD_MS);

/// The most parts that are remembered: an hour of a table's at two targets, were none of them deleted. The oldest are
/// forgotten, and stay until the next start.
pub const REMEMBERED_MAX: usize = 20_000;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How many are deleted at a time: what is live has precedence.
const AT_A_TIME: usize = 8;

/// The parts at the targets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Passing(Arc<Mutex<VecDeque<Part>>>);

#[derive(Debug)]
struct Part {
    target: TargetId,
    name: String,
    at: UtcMs,
    /// It lay there at the start.
    found: bool,
}

impl Passing {
    /// A target has this part. One that lay there from an earlier run, and was made again of what an encoder sent again, stays
    /// from now on.
    pub fn add(&self, target: &TargetId, name: &str, at: UtcMs) {
        self.remember(Part { target: target.clone(), name: name.into(), at, found: false });
    }

    fn remember(&self, part: Part) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were found are gone in a few minutes; then nothing is looked for.
        if parts.iter().any(|known| known.found) {
            parts.retain(|known| known.name != part.name || known.target != part.target);
        }
        parts.push_back(part);
        if parts.len() > REMEMBERED_MAX {
            parts.pop_front();
        }
    }

    /// Deletes until it is dropped, what an earlier run left behind as well.
    pub async fn run(self, stores: impl Fn() -> Stores) {
        self.find(clock::now(), &stores()).await;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(clock::now(), &stores()).await;
        }
    }

    /// Adds the parts that lie at the targets.
    pub async fn find(&self, now: UtcMs, stores: &Stores) {
        for (target, store) in stores {
            // A store without a list, or one that is away, tells nothing.
            let names = store.list(PARTS, REMEMBERED_MAX).await.result.unwrap_or_default();
            if !names.is_empty() {
                tracing::info!(%target, parts = names.len(), "parts of an earlier run are deleted soon");
            }
            let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What came since the start is known already, and later.
            let known = parts.iter().filter(|part| part.target == *target).map(|part| part.name.clone());
            let known: HashSet<String> = known.collect();
            let new = names.into_iter().filter(|name| name.starts_with(PARTS) && !known.contains(name));
            let found = new.map(|name| Part { target: target.clone(), name, at: now, found: true });
            parts.extend(found);
            let over = parts.len().saturating_sub(REMEMBERED_MAX);
            parts.drain(..over);
        }
    }

    /// Deletes what came long enough ago. What a target does not delete at the moment is tried again at the next look.
    pub async fn look(&self, now: UtcMs, stores: &Stores) {
        loop {
            let due = self.take(now);
            if due.is_empty() {
                return;
            }
            let mut deletes = JoinSet::new();
            for part in due {
                // A target that has gone took its parts with it.
                let Some((_, store)) = stores.iter().find(|(target, _)| *target == part.target) else {
                    continue;
                };
                deletes.spawn(delete(store.clone(), part));
            }
            // Nothing in them panics, and nobody aborts one.
            let failed: Vec<Part> = deletes.join_all().await.into_iter().flatten().collect();
            if !failed.is_empty() {
                let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                failed.into_iter().for_each(|part| parts.push_front(part));
                return;
            }
        }
    }

    fn take(&self, now: UtcMs) -> Vec<Part> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = parts.iter().take(AT_A_TIME).take_while(|part| now.ms_since(part.at) >= KEEP_MS).count();
        parts.drain(..due).collect()
    }
}

/// Deletes a part; gives it back where it is to be tried again.
async fn delete(store: Arc<dyn Store>, part: Part) -> Option<Part> {
    match store.delete(&part.name).await.result {
        Ok(()) => None,
        Err(error @ (PutError::Misconfigured(_) | PutError::GiveUp(_))) => {
            tracing::debug!(target_id = %part.target, name = part.name, %error, "a part stays at this target");
            None
        }
        Err(_) => Some(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Memory, Object};
    use bytes::Bytes;

    async fn names(store: &Arc<dyn Store>) -> Vec<String> {
        store.list("", 100).await.result.unwrap()
    }

    #[tokio::test]
    async fn parts_go_after_their_time_and_nothing_else_does() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let (target, now): (TargetId, _) = ("a".parse().unwrap(), UtcMs(1_795_171_920_000));
        let stores = vec![(target.clone(), store.clone())];
        for name in ["_parts/t/source/1-0-0.m4s", "_parts/t/source/1-0-334.m4s", "t/source/1-0.m4s"] {
            store.put(Object::media(name.into(), Bytes::from_static(b"x"))).await.result.unwrap();
        }
        let passing = Passing::default();
        passing.add(&target, "_parts/t/source/1-0-0.m4s", now);
        passing.look(now.plus_ms(KEEP_MS - 1), &stores).await;
        assert_eq!(names(&store).await.len(), 3);
        passing.look(now.plus_ms(KEEP_MS), &stores).await;
        assert_eq!(names(&store).await, ["_parts/t/source/1-0-334.m4s", "t/source/1-0.m4s"]);
        // Another run finds what is left.
        let passing = Passing::default();
        passing.find(now, &stores).await;
        // One that is made again in this run stays from then on.
        let again = now.plus_ms(KEEP_MS - 1);
        passing.add(&target, "_parts/t/source/1-0-334.m4s", again);
        passing.look(now.plus_ms(KEEP_MS), &stores).await;
        assert_eq!(names(&store).await.len(), 2);
        passing.look(again.plus_ms(KEEP_MS), &stores).await;
        assert_eq!(names(&store).await, ["t/source/1-0.m4s"]);
    }
}
