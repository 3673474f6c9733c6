//! What goes to its targets, and what comes of it.

use bytes::Bytes;
use railbird_origin::delivery::queue::{Entry, Next, Outcome};
use railbird_origin::delivery::{self, ObjectRef};
use railbird_origin::other::{self, Other, Slot, Whose};
use railbird_origin::store::PutError;
use railbird_origin::targets::passing::KEEP_MS;

use super::{Around, Event, Origin};
use crate::sim::target::Write;

/// After so many reads that failed, an object is written to a target that honours no condition.
const UNREAD_MAX: u32 = 2;

fn unreadable() -> PutError {
    PutError::Retry("what is there can't be read".into())
}

impl Origin {
    /// Asks a target's queue what to do, until it waits.
    pub(in crate::sim) fn wake(&mut self, target: usize, around: &mut Around<'_>) {
        let (origin, life, instant, base) = (self.at, self.life, self.instant(around.now), self.base);
        let targets = around.targets;
        let Some(run) = &mut self.run else { return };
        run.wakes[target] = run.wakes[target].filter(|at| *at > around.now);
        loop {
            match run.queues[target].next(instant) {
                Next::Put(entry) => {
                    let place = &targets[target];
                    let fate = place.fate(around.rng);
                    let (name, hash) = (entry.object.name.clone(), entry.object.sha256);
                    let key = (target, name.clone());
                    let there = place.objects.contains_key(&name);
                    let unread = run.unread.get(&key).copied().unwrap_or_default();
                    let write = match (self.settings.ask, place.conditional) {
                        (false, _) => Write::Over,
                        (true, true) => Write::Create,
                        (true, false) if entry.object.kind == delivery::Kind::Init => Write::Over,
                        (true, false) if unread >= UNREAD_MAX => Write::Unread,
                        // One of a pair asks first where it can't ask in one with the write.
                        (true, false) => Write::Asked(around.now),
                    };
                    let asks = matches!(write, Write::Asked(_)) || (write == Write::Create && there);
                    let reads = !place.mute || entry.object.is_part() && write == Write::Create;
                    let stays = there && matches!(write, Write::Asked(_) | Write::Create);
                    let outcome = match fate.result {
                        Ok(()) if asks && !reads => Outcome::Failed(unreadable()),
                        Ok(()) => Outcome::Acknowledged,
                        Err(error) => Outcome::Failed(error),
                    };
                    if asks && !reads {
                        *run.unread.entry(key).or_default() += 1;
                    } else if fate.written && !stays {
                        let before = around.rng.range(0, fate.after_ms + 1);
                        around.soon.after(before, Event::Lands { target, name, hash, write });
                    }
                    let entry = Box::new(entry);
                    around.soon.after(fate.after_ms + 1, Event::Put { origin, life, target, entry, outcome });
                }
                Next::Probe => {
                    let fate = around.targets[target].fate(around.rng);
                    let result = fate.result;
                    around.soon.after(fate.after_ms, Event::Probed { origin, life, target, result });
                }
                Next::Wait(until) => {
                    let Some(until) = until else { return };
                    let at = until.duration_since(base).as_micros().div_ceil(1_000) as u64;
                    let at = at.max(around.now + 1);
                    if run.wakes[target].is_none_or(|known| at < known) {
                        run.wakes[target] = Some(at);
                        around.soon.after(at - around.now, Event::Wake { origin, life, target });
                    }
                    return;
                }
            }
        }
    }

    /// A put ended.
    pub(in crate::sim) fn put(
        &mut self,
        target: usize,
        entry: Entry,
        mut outcome: Outcome,
        others: Option<&Bytes>,
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        let (instant, object) = (self.instant(around.now), entry.object.clone());
        let targets = around.targets;
        let place = &targets[target];
        let blind = self.run.as_ref().and_then(|run| run.unread.get(&(target, object.name.clone())));
        if let Outcome::Acknowledged = outcome
            && let Some(others) = others
            && (place.conditional || blind.is_none_or(|unread| *unread < UNREAD_MAX))
        {
            outcome = if place.mute { Outcome::Failed(unreadable()) } else { self.whose(&object, others)? };
        }
        let Some(run) = &mut self.run else { return Ok(()) };
        let now = run.now(around.now);
        run.queues[target].done(entry, &outcome, instant, around.rng.next() as u16);
        if object.is_part() {
            if let Outcome::Acknowledged = outcome {
                run.passing.retain(|(at, name, _)| *at != target || *name != object.name);
                run.passing.push((target, object.name.clone(), around.now));
                if let Some(shelf) = &mut run.shelf {
                    shelf.part_acked(&place.id, object.start, now);
                }
                self.look_soon(around);
            }
        } else if let Outcome::Acknowledged | Outcome::Others { .. } = outcome {
            let has = match outcome {
                Outcome::Others { less: true } => delivery::Has::Less,
                _ => delivery::Has::All,
            };
            self.acked.push((target, object.name.clone(), object.sha256));
            let shelf = run.shelf.as_mut().ok_or("an acknowledgement without a recording")?;
            let acked = shelf.acked(&place.id, object.n, has, now);
            let record = acked.map_err(|error| format!("an acknowledgement: {error}"))?;
            self.disk.note(record, self.at, self.life, around);
            self.look_soon(around);
        }
        self.wake(target, around);
        Ok(())
    }

    /// Whose the bytes are that stand under an object's name, as an origin finds out that reads them back.
    fn whose(&self, object: &ObjectRef, found: &Bytes) -> Result<Outcome, String> {
        let other = Other { secret: self.settings.package.secret.clone() };
        let slot = Slot {
            channel: &object.channel,
            start: object.start,
            segment_ms: object.segment_ms,
            key_period_s: object.key_period_s,
        };
        let made = other::Made { sha256: &object.sha256, len: object.len, slot: Some(slot) };
        let ours = || self.made.get(&object.name).map(|made| made.bytes.clone());
        match other::whose(made, Some(&other), ours, found) {
            Whose::Ours => Ok(Outcome::Acknowledged),
            Whose::Others { less } => Ok(Outcome::Others { less }),
            Whose::Nobodys => Err(format!("{} is taken for damage: the other origin made it", object.name)),
        }
    }

    pub(in crate::sim) fn probed(
        &mut self,
        target: usize,
        result: &Result<(), PutError>,
        around: &mut Around<'_>,
    ) {
        let instant = self.instant(around.now);
        let Some(run) = &mut self.run else { return };
        run.queues[target].probed(result, instant, around.rng.next() as u16);
        self.wake(target, around);
    }

    /// Parts that targets have had for long are deleted there.
    pub(in crate::sim) fn delete_parts(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        let due = run.passing.extract_if(.., |(.., at)| around.now >= *at + KEEP_MS);
        for (target, name, _) in due {
            around.soon.after(0, Event::Deleted { target, name });
        }
    }
}
