//! An origin without sockets, files and threads: a programme, a disk, a desk with a queue for each target.

mod delivery;
mod desk;
mod ingest;
mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use railbird_core::hash::Hash;
use railbird_core::id::{OriginId, TargetId};
use railbird_core::keys::MasterSecret;
use railbird_core::media::Role;
use railbird_core::object::PARTS;
use railbird_core::package::{self, Kind};
use railbird_core::programme::{End, Passed, Programme, Publish, Resume, Settings};
use railbird_core::recording::Reel;
use railbird_core::state::{ChannelState, Node};
use railbird_core::time::{MediaTime, Moment, UtcMs};
use railbird_origin::delivery::queue::Queue;
use railbird_origin::delivery::{Backoff, Share};
use railbird_origin::driver::shelf::Shelf;
use railbird_origin::driver::{Plan, Promise};

use super::disk::Disk;
use super::rng::Rng;
use super::target::Target;
use super::world::{EPOCH, Event, Soon};
use made::Made;

const SHARE: Share = Share { workers: 2, bytes_a_second: Some(20_000) };
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(15) };
const WORKERS: usize = 4;

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
    /// The parts that it made in all its lives.
    pub(super) parts: BTreeMap<String, Made>,
    /// What it should never have made, and did.
    wrong: Option<String>,
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

/// How long what it makes is, as configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) segment_ms: u32,
    pub(super) part_ms: Option<u32>,
    pub(super) target_s: Option<u32>,
    pub(super) window_s: u32,
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
    /// The publishes that it let in.
    publishes: Vec<Publish>,
    /// The parts that it made.
    parts: BTreeMap<String, Hash>,
    /// The parts of segments that are open.
    pieces: BTreeMap<MediaTime, Vec<Bytes>>,
    /// The parts that targets have, to be deleted in time.
    passing: Vec<(usize, String, u64)>,
    /// How often what stands under an object's name at a target could not be read.
    unread: BTreeMap<(usize, String), u32>,
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
    pub(super) fn new(at: usize, origins: usize, lengths: Lengths, base: Instant) -> Origin {
        let Lengths { segment_ms, part_ms, target_s, window_s } = lengths;
        let package = package::Settings {
            channel: "table-1".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms,
            part_ms,
            frames: false,
            key_period_s: 600,
            secret: MasterSecret::new(b"a secret of some length").unwrap(),
        };
        let plan = Plan {
            origin: format!("origin-{at}").parse().unwrap(),
            title: "Table 1".into(),
            part_ms,
            target_s,
            preload_hints: part_ms.is_some(),
            window_s,
            end_after_ms: 0,
            rungs: Vec::new(),
            rotate_at: railbird_origin::driver::ROTATE_AT,
            promise: Promise::default(),
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
            parts: BTreeMap::new(),
            wrong: None,
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
        // The parts that an earlier life left behind.
        let mut passing = Vec::new();
        for (at, target) in around.targets.iter().enumerate() {
            let mut left: Vec<&String> =
                target.objects.keys().filter(|name| name.starts_with(PARTS)).collect();
            left.sort();
            passing.extend(left.into_iter().map(|name| (at, name.clone(), around.now)));
        }
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
            publishes: Vec::new(),
            parts: BTreeMap::new(),
            pieces: BTreeMap::new(),
            passing,
            unread: BTreeMap::new(),
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
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        if !self.settings.ask {
            run.publishes.iter().for_each(|publish| run.programme.end(*publish, End::Lost, moment));
            run.programme.give_up_waiting();
        } else if run.programme.used().is_some() {
            // More than what is open, and so more than what may be missing: what comes behind the last cut.
            let cut = self.starts.last_key_value().map_or(MediaTime(0), |(start, _)| *start);
            let open = self.used.iter().rev().take_while(|passed| passed.sample.dts >= cut);
            self.left.extend(open.map(|passed| passed.sample.data.clone()));
        }
        if self.settings.ask {
            run.programme.stop();
        }
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

    pub(super) fn id(&self) -> &OriginId {
        &self.plan.origin
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
