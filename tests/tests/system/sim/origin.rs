//! An origin without sockets, files and threads: a programme, a disk, a desk with a queue for each target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use railbird_core::fmp4;
use railbird_core::hash::Hash;
use railbird_core::id::{OriginId, TargetId};
use railbird_core::keys::{self, MasterSecret};
use railbird_core::media::{FeedEvent, Kind as Track, Role, Sample};
use railbird_core::package::{self, Kind};
use railbird_core::programme::{Output, Passed, Programme, Publish, Resume, Settings};
use railbird_core::recording::{self, Record, Reel};
use railbird_core::state::{ChannelState, Node, Phase};
use railbird_core::time::{MediaSpan, MediaTime, Moment, UtcMs};
use railbird_core::timeline::Anchor;
use railbird_origin::delivery::queue::{Entry, Next, Outcome, Queue};
use railbird_origin::delivery::{Backoff, ObjectRef, ROOM, Share};
use railbird_origin::driver::Plan;
use railbird_origin::driver::shelf::Shelf;
use railbird_origin::other::{self, Other, Slot, Whose};
use railbird_origin::spool::Told;

use super::disk::Disk;
use super::rng::Rng;
use super::target::Target;
use super::world::{EPOCH, Event, Soon};

const SHARE: Share = Share { workers: 2, bytes_a_second: Some(20_000) };
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(15) };
const WORKERS: usize = 4;

/// How long after a change a snapshot is made.
const LOOK_MS: u64 = 50;

#[derive(Debug)]
pub(super) struct Origin {
    pub(super) at: usize,
    plan: Arc<Plan>,
    settings: Settings,
    base: Instant,
    /// Goes up with every crash: what an earlier life began is nobody's any more.
    pub(super) life: u64,
    pub(super) disk: Disk,
    /// How far its wall clock is ahead of the time, in milliseconds.
    pub(super) wall_ms: i64,
    /// While it lives.
    pub(super) run: Option<Run>,
    /// What it stored in all its lives.
    pub(super) made: BTreeMap<String, Made>,
    /// Its segments by where they start.
    starts: BTreeMap<MediaTime, Kind>,
    /// The samples that it used in all its lives.
    pub(super) used: Vec<Passed>,
    /// When it was told to stop, until it has.
    pub(super) stopping: Option<u64>,
    /// The disk has all that it was given before the stop.
    settled: bool,
    /// What was open when it was stopped, of feeds that came: it is left to the other origin.
    pub(super) left: BTreeSet<Bytes>,
    /// What a target has told it to have.
    acked: Vec<(usize, String, Hash)>,
}

/// A segment that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) hash: Hash,
    pub(super) bytes: Bytes,
}

/// What a crash takes away.
#[derive(Debug)]
pub(super) struct Run {
    /// What its steady clock read when it began, and when that was.
    steady: (UtcMs, u64),
    programme: Programme,
    shelf: Option<Shelf>,
    nodes: BTreeMap<TargetId, Node>,
    queues: Vec<Queue>,
    /// When each queue wants to be asked again.
    wakes: Vec<Option<u64>>,
    cursors: Vec<usize>,
    looking: bool,
    /// It is told when the programme's deadline has come.
    ticks: bool,
    pub(super) state: Option<ChannelState>,
}

/// What happens, for an origin.
pub(super) struct Around<'a> {
    pub(super) now: u64,
    pub(super) rng: &'a mut Rng,
    pub(super) targets: &'a [Target],
    pub(super) soon: &'a mut Soon,
}

impl Origin {
    pub(super) fn new(at: usize, origins: usize, segment_ms: u32, window_s: u32, base: Instant) -> Origin {
        let package = package::Settings {
            channel: "table-1".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms,
            part_ms: None,
            key_period_s: 600,
            secret: MasterSecret::new(b"a secret of some length").unwrap(),
        };
        let plan = Plan {
            origin: format!("origin-{at}").parse().unwrap(),
            title: "Table 1".into(),
            part_ms: None,
            preload_hints: false,
            window_s,
            end_after_ms: 0,
            rotate_at: railbird_origin::driver::ROTATE_AT,
        };
        Origin {
            at,
            plan: Arc::new(plan),
            settings: Settings { ask: origins > 1, tap: true, ..Settings::new(package) },
            base,
            life: 0,
            disk: Disk::default(),
            wall_ms: 0,
            run: None,
            made: BTreeMap::new(),
            starts: BTreeMap::new(),
            used: Vec::new(),
            stopping: None,
            settled: false,
            left: BTreeSet::new(),
            acked: Vec::new(),
        }
    }

    /// Begins, or goes on where the journal ends.
    pub(super) fn start(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        let mut now = self.wall(around.now);
        let node = |target: &Target| {
            let id = target.id.as_str();
            (target.id.clone(), Node::new(id.parse().unwrap(), format!("https://{id}.test"), false))
        };
        let nodes: BTreeMap<_, _> = around.targets.iter().map(node).collect();
        let reel = self.disk.open()?;
        let mut resume = Resume::default();
        if let Some(reel) = &reel {
            self.check_kept(reel, around.targets)?;
            let role = |feed: &str| Role::ALL.into_iter().find(|role| role.as_str() == feed);
            let anchors = reel.anchors().iter().filter_map(|(feed, anchor)| Some((role(feed)?, *anchor)));
            resume = Resume { not_before: reel.end().unwrap_or_default(), anchors: anchors.collect() };
        }
        // A clock that was set back must not make what it says look old.
        now = now.max(resume.not_before.utc());
        let mut notes = Vec::new();
        let shelf = reel.map(|reel| Shelf::new(self.plan.clone(), reel, &nodes, now, &mut notes));
        let instant = self.instant(around.now);
        let queues = around.targets.iter().map(|_| Queue::new(WORKERS, SHARE, BACKOFF, instant));
        self.run = Some(Run {
            steady: (now, around.now),
            programme: Programme::new(self.settings.clone(), resume),
            shelf,
            nodes,
            queues: queues.collect(),
            wakes: vec![None; around.targets.len()],
            cursors: vec![0; around.targets.len()],
            looking: false,
            ticks: false,
            state: None,
        });
        notes.into_iter().for_each(|record| self.disk.note(record, self.at, self.life, around));
        around.soon.after(0, Event::Round { origin: self.at, life: self.life });
        around.soon.after(10_000, Event::Repeat { origin: self.at, life: self.life });
        self.look_soon(around);
        Ok(())
    }

    /// Dies at once. What the disk has not synced is gone, but for as much as it happened to have written.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        self.life += 1;
        (self.run, self.stopping) = (None, None);
        self.disk.crash(rng);
    }

    /// It is told to stop: what it was given goes to the disk, and out as far as there is time.
    pub(super) fn stop(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        if run.programme.used().is_some() {
            // More than what is open, and so more than what may be missing: what comes behind the last cut.
            let cut = self.starts.last_key_value().map_or(MediaTime(0), |(start, _)| *start);
            let open = self.used.iter().rev().take_while(|passed| passed.sample.dts >= cut);
            self.left.extend(open.map(|passed| passed.sample.data.clone()));
        }
        run.programme.stop();
        (self.stopping, self.settled) = (Some(around.now), false);
        self.collect(around);
        around.soon.after(around.rng.range(0, 3_000), Event::Die { origin: self.at, life: self.life });
    }

    /// It has stopped, once the disk has what it was given, or does not take it for long.
    pub(super) fn die(&mut self, around: &mut Around<'_>) {
        let late = self.stopping.is_none_or(|since| around.now >= since + 10_000);
        if (self.disk.is_busy() || !self.settled) && !late {
            // Then the desk hears of it.
            self.settled = !self.disk.is_busy();
            around.soon.after(50, Event::Die { origin: self.at, life: self.life });
        } else {
            self.crash(around.rng);
        }
    }

    /// Whether something waits for a feed that was lost.
    pub(super) fn waits(&self) -> bool {
        self.disk.is_busy() || self.run.as_ref().is_some_and(|run| run.programme.deadline().is_some())
    }

    /// Time passes.
    pub(super) fn tick(&mut self, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        run.ticks = false;
        run.programme.tick(moment);
        self.collect(around);
    }

    /// Nothing that a target was asked to take, and had taken, is unknown after a restart.
    fn check_kept(&self, reel: &Reel, targets: &[Target]) -> Result<(), String> {
        let known: BTreeMap<String, Option<Hash>> =
            reel.objects().iter().map(|object| (reel.name(object), object.sha256)).collect();
        for (target, name, hash) in &self.acked {
            if known.get(name) != Some(&Some(*hash)) {
                return Err(format!(
                    "{name} was acknowledged by {} and is lost: {:?}",
                    targets[*target].id,
                    known.get(name)
                ));
            }
        }
        Ok(())
    }

    fn instant(&self, now: u64) -> Instant {
        self.base + Duration::from_millis(now)
    }

    fn moment(&self, now: u64) -> Moment {
        Moment { utc: self.wall(now), up_ms: now }
    }

    fn wall(&self, now: u64) -> UtcMs {
        UtcMs((EPOCH + now).saturating_add_signed(self.wall_ms))
    }

    pub(super) fn begin(
        &mut self,
        role: Role,
        events: [FeedEvent; 2],
        around: &mut Around<'_>,
    ) -> Option<Publish> {
        let moment = self.moment(around.now);
        let run = self.run.as_mut()?;
        let publish = run.programme.begin(role, moment);
        for event in events {
            run.programme.handle(publish, event, moment);
        }
        self.collect(around);
        Some(publish)
    }

    pub(super) fn feed(&mut self, publish: Publish, event: FeedEvent, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        run.programme.handle(publish, event, moment);
        self.collect(around);
    }

    pub(super) fn end(&mut self, publish: Publish, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        run.programme.end(publish, moment);
        self.collect(around);
    }

    pub(super) fn answer(&mut self, publish: Publish, anchor: Option<Anchor>, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        let anchor = anchor.map(|anchor| (anchor, railbird_core::programme::AnchorFrom::Others));
        run.programme.answer(publish, anchor, moment);
        self.collect(around);
    }

    /// Takes over what the programme made.
    fn collect(&mut self, around: &mut Around<'_>) {
        let (at, life) = (self.at, self.life);
        let Some(run) = &mut self.run else { return };
        while let Some(output) = run.programme.poll() {
            match output {
                Output::Object(object) => self.disk.write(object, at, life, around),
                Output::Passed(passed) => self.used.push(passed),
                Output::Anchored { role, anchor, .. } => {
                    if run.shelf.is_some() {
                        let (feed, Anchor { feed_ms, utc }) = (role.as_str().to_string(), anchor);
                        self.disk.note(Record::Anchor { feed, feed_ms, utc }, at, life, around);
                    }
                }
                Output::Ask { publish, role, feed_ms, arrived } => {
                    let mine = Anchor { feed_ms, utc: arrived };
                    around.soon.ask(at, life, publish, role, mine, around.rng);
                }
                Output::Note(_) => {}
            }
        }
        if let Some(due) = run.programme.deadline().filter(|_| !run.ticks) {
            run.ticks = true;
            around.soon.after(due.saturating_sub(around.now), Event::Tick { origin: at, life });
        }
        let phase = if run.programme.is_live() { Phase::Live } else { Phase::Waiting };
        if let Some(shelf) = &mut run.shelf {
            shelf.book.set_phase(phase);
        }
    }

    /// The disk tells what became of what it was given.
    pub(super) fn told(&mut self, told: Vec<Told>, around: &mut Around<'_>) -> Result<(), String> {
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

    /// Asks a target's queue what to do, until it waits.
    pub(super) fn wake(&mut self, target: usize, around: &mut Around<'_>) {
        let (origin, life, instant, base) = (self.at, self.life, self.instant(around.now), self.base);
        let Some(run) = &mut self.run else { return };
        run.wakes[target] = run.wakes[target].filter(|at| *at > around.now);
        loop {
            match run.queues[target].next(instant) {
                Next::Put(entry) => {
                    let fate = around.targets[target].fate(around.rng);
                    let (name, hash) = (entry.object.name.clone(), entry.object.sha256);
                    // One of a pair asks first where it can't ask in one with the write.
                    let there = around.targets[target].objects.contains_key(&name);
                    if fate.written && !(self.settings.ask && there) {
                        let before = around.rng.range(0, fate.after_ms + 1);
                        let create = self.settings.ask;
                        around.soon.after(before, Event::Lands { target, name, hash, create });
                    }
                    let outcome = match fate.result {
                        Ok(()) => Outcome::Acknowledged,
                        Err(error) => Outcome::Failed(error),
                    };
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
    pub(super) fn put(
        &mut self,
        target: usize,
        entry: Entry,
        mut outcome: Outcome,
        others: Option<&Bytes>,
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        let (instant, object) = (self.instant(around.now), entry.object.clone());
        if let Outcome::Acknowledged = outcome
            && let Some(others) = others
        {
            outcome = self.whose(&object, others)?;
        }
        let Some(run) = &mut self.run else { return Ok(()) };
        let now = run.now(around.now);
        run.queues[target].done(entry, &outcome, instant, around.rng.next() as u16);
        if let Outcome::Acknowledged | Outcome::Others { .. } = outcome {
            let less = matches!(outcome, Outcome::Others { less: true });
            self.acked.push((target, object.name.clone(), object.sha256));
            let shelf = run.shelf.as_mut().ok_or("an acknowledgement without a recording")?;
            let acked = shelf.acked(&around.targets[target].id, object.n, less, now);
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

    pub(super) fn probed(
        &mut self,
        target: usize,
        result: &Result<(), railbird_origin::store::PutError>,
        around: &mut Around<'_>,
    ) {
        let instant = self.instant(around.now);
        let Some(run) = &mut self.run else { return };
        run.queues[target].probed(result, instant, around.rng.next() as u16);
        self.wake(target, around);
    }

    fn look_soon(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        if !std::mem::replace(&mut run.looking, true) {
            around.soon.after(LOOK_MS, Event::Look { origin: self.at, life: self.life });
        }
    }

    /// Lists what may be listed; a new snapshot where anything changed.
    pub(super) fn look(&mut self, around: &mut Around<'_>) -> Option<ChannelState> {
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
    pub(super) fn outbid(&mut self, revision: u64, around: &mut Around<'_>) {
        if let Some(shelf) = self.run.as_mut().and_then(|run| run.shelf.as_mut()) {
            shelf.book.outbid(revision);
            self.look_soon(around);
        }
    }

    pub(super) fn id(&self) -> &OriginId {
        &self.plan.origin
    }

    /// What is not urgent: backlogs, and whether targets answer.
    pub(super) fn round(&mut self, around: &mut Around<'_>) {
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
        self.look_soon(around);
        around.soon.after(500, Event::Round { origin: self.at, life: self.life });
    }

    /// Whether every target has everything.
    pub(super) fn is_complete(&self, targets: &[Target]) -> bool {
        let shelf = self.run.as_ref().and_then(|run| run.shelf.as_ref());
        let complete = |reel: &Reel| targets.iter().all(|target| reel.complete_at(&target.id, MediaTime(0)));
        shelf.is_some_and(|shelf| complete(&shelf.reel))
    }

    /// The channel ends.
    pub(super) fn finish(&mut self, around: &mut Around<'_>) {
        let Some(run) = &mut self.run else { return };
        let now = run.now(around.now);
        if let Some(shelf) = &mut run.shelf {
            shelf.end(now);
        }
        self.look_soon(around);
    }

    /// What it made around a time, for people.
    pub(super) fn near(&self, time: MediaTime) -> String {
        let near = time + MediaSpan::from_ms(-8_000)..time + MediaSpan::from_ms(8_000);
        let made = self.starts.range(near.clone()).map(|(_, kind)| format!("{kind:?}"));
        let used = self.used.iter().filter(|passed| near.contains(&passed.sample.dts));
        let used = used.filter(|passed| passed.sample.kind == Track::Video).map(|passed| {
            let Sample { dts, key, ref data, .. } = passed.sample;
            format!("{}{}{}", dts.0, if key { " key " } else { " " }, String::from_utf8_lossy(data))
        });
        let lines: Vec<String> = made.chain(used).collect();
        let counts = self.run.as_ref().map(|run| run.programme.segment_counts());
        format!("origin {}: {counts:?}\n{}", self.at, lines.join("\n"))
    }

    /// The segment that it made from this time on.
    pub(super) fn next(&self, from: MediaTime) -> Option<&Kind> {
        self.starts.get(&from)
    }

    /// The pictures of all that is on its disk.
    pub(super) fn recorded(&self) -> Result<BTreeSet<Bytes>, String> {
        let reel = self.reel().ok_or("no recording")?;
        let mut frames = BTreeSet::new();
        for object in reel.objects().iter().filter(|object| object.sha256.is_some()) {
            let (name, recording::Kind::Segment(segment)) = (reel.name(object), &object.kind) else {
                continue;
            };
            let made = self.made.get(&name).ok_or_else(|| format!("{name} was never made"))?;
            let package::Settings { channel, key_period_s, secret, .. } = &self.settings.package;
            let period = keys::period(segment.start, *key_period_s);
            let (key, mut clear) = (secret.content_key(channel, period), made.bytes.to_vec());
            keys::decrypt(&key, &keys::iv(channel, period), &mut clear)
                .map_err(|error| format!("{name}: {error}"))?;
            let outline = fmp4::read::outline(&clear).map_err(|error| format!("{name}: {error}"))?;
            let samples = outline.fragments.iter().flat_map(|fragment| &fragment.samples);
            frames.extend(samples.map(|sample| Bytes::copy_from_slice(&clear[sample.data.clone()])));
        }
        Ok(frames)
    }

    pub(super) fn reel(&self) -> Option<&Reel> {
        self.run.as_ref()?.shelf.as_ref().map(|shelf| &shelf.reel)
    }
}

impl Run {
    /// The steady clock: nobody sets it.
    fn now(&self, now: u64) -> UtcMs {
        let (read, at) = self.steady;
        read.plus_ms(now - at)
    }
}

pub(super) fn utc(now: u64) -> UtcMs {
    UtcMs(EPOCH + now)
}
