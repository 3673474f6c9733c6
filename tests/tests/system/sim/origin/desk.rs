//! What it lists, and what it has its targets get.

use railbird_core::hash::Hash;
use railbird_core::package::{Kind, Object};
use railbird_core::recording::Reel;
use railbird_core::state::ChannelState;
use railbird_core::time::MediaTime;
use railbird_origin::delivery::ROOM;
use railbird_origin::driver;
use railbird_origin::driver::shelf::Shelf;
use railbird_origin::spool::Told;

use super::made::Made;
use super::{Around, Event, Origin, Target};

/// How long after a change a snapshot is made.
const LOOK_MS: u64 = 50;

impl Origin {
    /// The disk tells what became of what it was given.
    pub(in crate::sim) fn told(&mut self, told: Vec<Told>, around: &mut Around<'_>) -> Result<(), String> {
        self.is_right()?;
        let Some(run) = &mut self.run else { return Ok(()) };
        let now = run.now(around.now);
        for one in told {
            let head = match &one {
                Told::Stored(stored) => &stored.head,
                Told::Lost { head, .. } => head,
            };
            if run.shelf.is_none() {
                let reel = Reel::new((**head).clone());
                run.shelf = Some(Shelf::new(self.plan.clone(), reel, &run.nodes, now, &mut Vec::new()));
            }
            let Some(shelf) = &mut run.shelf else { continue };
            let stored = match one {
                Told::Lost { n, cut, .. } => {
                    shelf.lost(n, cut, now).map_err(|error| format!("a gap: {error}"))?;
                    continue;
                }
                Told::Stored(stored) => stored,
            };
            let object = shelf.stored(&stored, now).map_err(|error| format!("an object: {error}"))?;
            let made = Made {
                kind: stored.made.object.kind.clone(),
                hash: stored.sha256,
                bytes: stored.made.object.bytes.clone(),
            };
            if let Kind::Segment { start, .. } = made.kind {
                self.starts.insert(start, made.kind.clone());
            }
            if let Some(before) = self.made.insert(object.name.clone(), made.clone())
                && before.hash != made.hash
            {
                return Err(format!("origin {} made {} twice: {before:?}, {made:?}", self.at, object.name));
            }
            for (target, queue) in run.queues.iter_mut().enumerate() {
                let n = object.n as usize;
                if run.cursors[target] == n {
                    run.cursors[target] += 1;
                }
                if let Some(dropped) = queue.push(object.clone(), Some(stored.made.object.bytes.clone())) {
                    run.cursors[target] = run.cursors[target].min(dropped.n as usize);
                }
            }
        }
        (0..around.targets.len()).for_each(|target| self.wake(target, around));
        self.look_soon(around);
        Ok(())
    }

    /// A part was made: it goes to the targets at once.
    pub(in crate::sim) fn part(&mut self, object: Object, around: &mut Around<'_>) {
        let made =
            Made { kind: object.kind.clone(), hash: Hash::of(&object.bytes), bytes: object.bytes.clone() };
        self.parts.insert(object.name.clone(), made.clone());
        let Some(run) = &mut self.run else { return };
        // What was open when it was killed is in memory only: of a key frame that is sent again, sound from before it may be gone.
        if run.parts.insert(object.name.clone(), made.hash).is_some() {
            self.wrong = Some(format!("part {} was made twice", object.name));
        }
        let now = run.now(around.now);
        let Some(shelf) = &mut run.shelf else { return };
        let channel = self.settings.package.channel.clone();
        let Some(part) = shelf.part(&driver::Made { channel, object }, now) else { return };
        for queue in &mut run.queues {
            queue.push(part.clone(), Some(made.bytes.clone()));
        }
        (0..around.targets.len()).for_each(|target| self.wake(target, around));
        self.look_soon(around);
    }

    pub(in crate::sim) fn look_soon(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        if !std::mem::replace(&mut run.looking, true) {
            around.soon.after(LOOK_MS, Event::Look { origin: self.at, life: self.life });
        }
    }

    /// Lists what may be listed; a new snapshot where anything changed.
    pub(in crate::sim) fn look(&mut self, around: &mut Around<'_>) -> Option<ChannelState> {
        let run = self.run.as_mut()?;
        run.looking = false;
        let now = run.now(around.now);
        let (state, gaps) = run.shelf.as_mut()?.look(now);
        gaps.into_iter().for_each(|record| self.disk.note(record, self.at, self.life, around));
        if let Some(state) = &state {
            self.run.as_mut()?.state = Some(state.clone());
        }
        state
    }

    /// The edge keeps what it takes to be newer.
    pub(in crate::sim) fn outbid(&mut self, revision: u64, around: &mut Around<'_>) {
        if let Some(shelf) = self.run.as_mut().and_then(|run| run.shelf.as_mut()) {
            shelf.book.outbid(revision);
            self.look_soon(around);
        }
    }

    /// What is not urgent: backlogs, and whether targets answer.
    pub(in crate::sim) fn round(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        for (at, target) in around.targets.iter().enumerate() {
            let Some(shelf) = &mut run.shelf else { continue };
            let up = run.queues[at].down().is_none();
            if let Some(node) = run.nodes.get_mut(&target.id).filter(|node| node.up != up) {
                node.up = up;
                shelf.set_node(&target.id, Some(node.clone()));
            }
            let bit = shelf.reel.known_bit(&target.id);
            while run.queues[at].pending() < ROOM {
                let Some(object) = shelf.reel.objects().get(run.cursors[at]) else { break };
                let n = run.cursors[at];
                run.cursors[at] += 1;
                if bit.is_some_and(|bit| (object.on >> bit) & 1 == 1) {
                    continue;
                }
                if let Some(object) = shelf.object(n as u32, "".into()) {
                    run.queues[at].push(object, None);
                }
            }
        }
        (0..around.targets.len()).for_each(|target| self.wake(target, around));
        self.delete_parts(around);
        self.look_soon(around);
        around.soon.after(500, Event::Round { origin: self.at, life: self.life });
    }

    /// Whether every target has everything.
    pub(in crate::sim) fn is_complete(&self, targets: &[Target]) -> bool {
        let shelf = self.run.as_ref().and_then(|run| run.shelf.as_ref());
        let complete = |reel: &Reel| targets.iter().all(|target| reel.complete_at(&target.id, MediaTime(0)));
        shelf.is_some_and(|shelf| complete(&shelf.reel))
    }

    /// The channel ends.
    pub(in crate::sim) fn finish(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        let now = run.now(around.now);
        if let Some(shelf) = &mut run.shelf {
            shelf.end(now);
        }
        self.look_soon(around);
    }
}
