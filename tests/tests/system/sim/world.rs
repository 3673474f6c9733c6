//! What happens when: one event after another, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use railbird_core::hash::Hash;
use railbird_core::id::NodeId;
use railbird_core::media::Role;
use railbird_core::playlist;
use railbird_core::programme::{End, Publish};
use railbird_core::state::ChannelState;
use railbird_core::state::merge::{Merged, Outcome as Said, merge};
use railbird_core::time::MediaTime;
use railbird_core::timeline::Anchor;
use railbird_origin::delivery::queue::{Entry, Outcome};
use railbird_origin::spool::Told;
use railbird_origin::store::PutError;

use super::check::decodable;
use super::encoder::{Encoder, FRAME_MS};
use super::faults::Fault;
use super::origin::{Around, Lengths, Origin, utc};
use super::rng::Rng;
use super::target::{Over, Target, Write};
use super::viewer::Viewer;

/// The event begins at this instant.
pub(super) const EPOCH: u64 = 1_795_171_920_000;

pub(super) const SEGMENT_MS: u32 = 2_000;

/// How long encoders go on after the last fault.
const CALM_MS: u64 = 120_000;

/// What is listed then is at most this old.
const FRESH_MS: u64 = 30_000;

/// How long it may take then until every target has everything.
const DRAIN_MS_MAX: u64 = 3_600_000;

const READ_MS: u64 = 2_000;

/// Something that happens.
pub(super) enum Event {
    Frames { encoder: usize },
    Connect { encoder: usize, origin: usize, number: u64 },
    Answer { origin: usize, life: u64, publish: Publish, role: Role, mine: Anchor, lost: bool },
    Commit { origin: usize, life: u64 },
    Told { origin: usize, life: u64, told: Vec<Told> },
    Wake { origin: usize, life: u64, target: usize },
    Lands { target: usize, name: String, hash: Hash, write: Write },
    Deleted { target: usize, name: String },
    Put { origin: usize, life: u64, target: usize, entry: Box<Entry>, outcome: Outcome },
    Tick { origin: usize, life: u64 },
    Die { origin: usize, life: u64 },
    Probed { origin: usize, life: u64, target: usize, result: Result<(), PutError> },
    Look { origin: usize, life: u64 },
    Round { origin: usize, life: u64 },
    Repeat { origin: usize, life: u64 },
    Push { edge: usize, state: Box<ChannelState> },
    Kept { origin: usize, revision: u64 },
    Read { edge: usize },
    Begin(Fault),
    Lift(Fault),
}

/// What happens later, in order.
#[derive(Default)]
pub(super) struct Soon {
    now: u64,
    number: u64,
    events: BTreeMap<(u64, u64), Event>,
    pub(super) pair_lost: bool,
}

impl Soon {
    pub(super) fn after(&mut self, ms: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now + ms, self.number), event);
    }

    /// The other origin's anchor is asked for.
    pub(super) fn ask(
        &mut self,
        origin: usize,
        life: u64,
        publish: Publish,
        role: Role,
        mine: Anchor,
        rng: &mut Rng,
    ) {
        let lost = self.pair_lost;
        let after = if lost { 1_900 } else { rng.range(10, 1_500) };
        self.after(after, Event::Answer { origin, life, publish, role, mine, lost });
    }
}

/// What the edge knows, and one of its viewers.
pub(super) struct Edge {
    pub(super) origins: Vec<usize>,
    kept: Option<Merged>,
    pub(super) viewer: Viewer,
    /// When the viewer last saw a new segment.
    news: u64,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The encoder says so. An origin of a pair takes it for a loss.
    Ended,
    /// It breaks off.
    Lost,
    /// It breaks off, and the origin does not know.
    Unnoticed,
}

/// What a run has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) segments: usize,
    pub(super) listed: usize,
    pub(super) gaps: usize,
    pub(super) crashes: u64,
    pub(super) stops: u64,
    /// Pictures that some origin took and that are looked for in what all recorded.
    pub(super) taken: usize,
    /// Pictures that an origin alone was sent again in time.
    pub(super) owed: usize,
    /// Parts that were listed, and segments of which nothing else ever was.
    pub(super) parts: usize,
    pub(super) torn: usize,
    /// Segments of which a target has less than one of the origins made, since the other one came first.
    pub(super) less: usize,
    /// Segments that both origins made of the same samples, and so of the same bytes.
    pub(super) same: usize,
    /// Objects that one origin wrote over the other's with other bytes: at the same moment, and where nothing could be read.
    pub(super) raced: usize,
    pub(super) unread: usize,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) soon: Soon,
    pub(super) encoders: Vec<Encoder>,
    pub(super) origins: Vec<Origin>,
    pub(super) targets: Vec<Target>,
    pub(super) edges: Vec<Edge>,
    /// The anchors that two origins share, the newest last.
    anchors: BTreeMap<Role, Vec<Anchor>>,
    pub(super) pushes_lost: bool,
    /// Wall clocks are set.
    pub(super) clocks: bool,
    /// Nothing happens that may take from an origin what it took: no crash, no failing disk, no clock that is set or jumps
    /// between two key frames.
    pub(super) gentle: bool,
    /// Pictures that were sent again in time, and must be recorded.
    pub(super) owed: BTreeSet<Bytes>,
    /// No fault begins any more, and then no frame comes.
    calm: u64,
    quiet: u64,
    pub(super) shown: Shown,
}

impl World {
    pub(super) fn new(seed: u64, minutes: u64) -> World {
        let mut rng = Rng::new(seed);
        let origins = if rng.one_in(3) { 1 } else { 2 };
        let (window_s, base) = (rng.range(6, 90) as u32, Instant::now());
        let mut like = Rng::new(rng.next());
        let primary = Encoder::new(Role::Primary, &mut like.clone(), &mut rng);
        let mut encoders = vec![primary];
        if !rng.one_in(4) {
            encoders.push(Encoder::new(Role::Backup, &mut like, &mut rng));
        }
        // What two origins cut must not depend on what either has promised: only what is configured is kept for sure.
        let mut of_pair = Rng::new(!seed);
        let target_s = (origins == 2 && of_pair.one_in(2)).then(|| of_pair.range(2, 6) as u32);
        let edge = |at: &[usize]| Edge {
            origins: at.into(),
            kept: None,
            viewer: Viewer::new(origins == 2 && target_s.is_none()),
            news: 0,
        };
        let edges = if origins == 1 { vec![edge(&[0])] } else { vec![edge(&[0]), edge(&[0, 1])] };
        let targets = ["alpha", "beta", "gamma"].into_iter().take(rng.range(1, 4) as usize);
        let targets = targets.map(|id| Target::new(id, rng.one_in(2))).collect();
        let gentle = rng.one_in(2);
        let part_ms = rng.one_in(3).then(|| [400, 600, 1_000][rng.pick(3)]);
        let (calm, clocks) = (minutes * 60_000, !gentle && rng.one_in(4));
        let lengths = Lengths { segment_ms: SEGMENT_MS, part_ms, target_s, window_s };
        let mut origins: Vec<_> = (0..origins).map(|at| Origin::new(at, origins, lengths, base)).collect();
        origins.iter_mut().for_each(|origin| origin.disk.roomy = gentle);
        World {
            rng,
            soon: Soon::default(),
            encoders,
            origins,
            targets,
            edges,
            anchors: BTreeMap::new(),
            pushes_lost: false,
            clocks,
            gentle,
            owed: BTreeSet::new(),
            calm,
            quiet: calm + CALM_MS,
            shown: Shown::default(),
        }
    }

    /// From the first frame to the last acknowledgement.
    pub(super) fn run(mut self) -> Result<Shown, String> {
        for origin in 0..self.origins.len() {
            self.with(origin, |origin, around| origin.start(around))?;
            for encoder in 0..self.encoders.len() {
                let after = self.rng.range(0, 3_000);
                self.connect_after(encoder, origin, after);
            }
        }
        for encoder in 0..self.encoders.len() {
            self.soon.after(0, Event::Frames { encoder });
        }
        for edge in 0..self.edges.len() {
            self.soon.after(READ_MS, Event::Read { edge });
        }
        let fault = Fault::any(&mut self);
        self.soon.after(5_000, Event::Begin(fault));
        let mut finished = None;
        while let Some(((now, _), event)) = self.soon.events.pop_first() {
            self.soon.now = now;
            self.happen(event).map_err(|error| format!("at {} ms: {error}", self.soon.now))?;
            if finished.is_none()
                && now > self.quiet + 2 * FRAME_MS
                && self.origins.iter().all(|origin| origin.is_complete(&self.targets) && !origin.waits())
            {
                (0..self.origins.len())
                    .for_each(|origin| self.with(origin, |origin, around| origin.finish(around)));
                finished = Some(now);
            }
            if finished.is_some_and(|at| now > at + 3 * READ_MS) {
                self.check()?;
                return Ok(self.shown);
            }
            if now > self.quiet + DRAIN_MS_MAX {
                return Err("targets lack something an hour after the last fault".into());
            }
        }
        Err("nothing happens any more".into())
    }

    pub(super) fn now(&self) -> u64 {
        self.soon.now
    }

    pub(super) fn with<T>(&mut self, at: usize, act: impl FnOnce(&mut Origin, &mut Around<'_>) -> T) -> T {
        let now = self.soon.now;
        let World { rng, soon, origins, targets, .. } = self;
        act(&mut origins[at], &mut Around { now, rng, targets, soon })
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Frames { encoder } => self.frames(encoder),
            Event::Connect { encoder, origin, number } => {
                if self.encoders[encoder].tries[origin] == number && self.now() < self.quiet {
                    self.connect(encoder, origin);
                }
            }
            Event::Answer { origin, life, publish, role, mine, lost } => {
                let anchor = (!lost).then(|| self.agree(role, mine));
                self.live(origin, life, |origin, around| origin.answer(publish, anchor, around));
            }
            Event::Commit { origin, life } => {
                self.live(origin, life, |origin, around| origin.disk.commit(origin.at, life, around));
            }
            Event::Told { origin, life, told } => {
                self.live(origin, life, |origin, around| origin.told(told, around)).unwrap_or(Ok(()))?;
            }
            Event::Wake { origin, life, target } => {
                self.live(origin, life, |origin, around| origin.wake(target, around));
            }
            Event::Tick { origin, life } => {
                self.live(origin, life, |origin, around| origin.tick(around));
            }
            Event::Die { origin, life } => {
                self.live(origin, life, |origin, around| origin.die(around));
                if self.origins[origin].run.is_none() {
                    self.encoders.iter_mut().for_each(|encoder| encoder.links[origin] = None);
                }
            }
            Event::Lands { target, name, hash, write } => {
                match self.targets[target].write(self.soon.now, name, hash, write)? {
                    Over::Nothing => {}
                    Over::Raced => self.shown.raced += 1,
                    Over::Unread => self.shown.unread += 1,
                }
            }
            Event::Deleted { target, name } => {
                self.targets[target].objects.remove(&name);
            }
            Event::Put { origin, life, target, entry, outcome } => {
                let others = self.others(origin, target, &entry);
                let put = |origin: &mut Origin, around: &mut Around<'_>| {
                    origin.put(target, *entry, outcome, others.as_ref(), around)
                };
                self.live(origin, life, put).unwrap_or(Ok(()))?;
            }
            Event::Probed { origin, life, target, result } => {
                self.live(origin, life, |origin, around| origin.probed(target, &result, around));
            }
            Event::Look { origin, life } => {
                if let Some(state) = self.live(origin, life, |origin, around| origin.look(around)).flatten() {
                    self.push(origin, &state);
                }
            }
            Event::Round { origin, life } => {
                self.live(origin, life, |origin, around| origin.round(around));
            }
            Event::Repeat { origin, life } => {
                let again = |origin: &mut Origin, around: &mut Around<'_>| {
                    around.soon.after(10_000, Event::Repeat { origin: origin.at, life });
                    origin.run.as_ref().and_then(|run| run.state.clone())
                };
                if let Some(state) = self.live(origin, life, again).flatten() {
                    self.push(origin, &state);
                }
            }
            Event::Push { edge, state } => self.said(edge, *state)?,
            Event::Kept { origin, revision } => {
                self.with(origin, |origin, around| origin.outbid(revision, around));
            }
            Event::Read { edge } => self.read(edge)?,
            Event::Begin(fault) => {
                if self.now() < self.calm {
                    fault.begin(self);
                    let lasts = self.rng.fault_ms().min(self.calm - self.now());
                    self.soon.after(lasts, Event::Lift(fault));
                    let (next, after) = (Fault::any(self), self.rng.range(500, 45_000));
                    self.soon.after(after, Event::Begin(next));
                }
            }
            Event::Lift(fault) => fault.lift(self)?,
        }
        Ok(())
    }

    /// For an origin, where it still is in this life.
    fn live<T>(
        &mut self,
        at: usize,
        life: u64,
        act: impl FnOnce(&mut Origin, &mut Around<'_>) -> T,
    ) -> Option<T> {
        let lives = self.origins[at].life == life && self.origins[at].run.is_some();
        lives.then(|| self.with(at, act))
    }

    /// What a target has under an object's name, where that is not what this origin made.
    fn others(&self, at: usize, target: usize, entry: &Entry) -> Option<Bytes> {
        let found = self.targets[target].objects.get(&entry.object.name)?;
        let mut others =
            self.origins.iter().filter(|origin| origin.at != at && *found != entry.object.sha256);
        let made = others.find_map(|origin| origin.made.get(&entry.object.name))?;
        (made.hash == *found).then(|| made.bytes.clone())
    }

    fn frames(&mut self, encoder: usize) {
        let now = self.now();
        if now >= self.quiet {
            (0..self.origins.len()).for_each(|origin| self.disconnect(encoder, origin, Gone::Ended));
            return;
        }
        let events = self.encoders[encoder].frames(now);
        self.encoders[encoder].sent(events.clone());
        for event in events {
            for origin in 0..self.origins.len() {
                if let Some(publish) = self.encoders[encoder].links[origin] {
                    self.with(origin, |origin, around| origin.feed(publish, event.clone(), around));
                }
            }
        }
        self.soon.after(FRAME_MS, Event::Frames { encoder });
    }

    fn connect(&mut self, encoder: usize, origin: usize) {
        let (role, parameters) = (self.encoders[encoder].role, self.encoders[encoder].parameters());
        // Nobody else could go on with what is open.
        let alone = self.gentle && self.origins.len() == 1 && self.encoders.len() == 1;
        let goes_on = alone && self.origins[origin].may_go_on(self.now());
        let publish = self.with(origin, |origin, around| origin.begin(role, parameters, around));
        self.encoders[encoder].links[origin] = publish;
        let again = self.encoders[encoder].again(origin);
        if let Some(publish) = publish {
            if goes_on {
                self.owed.extend(decodable(&again));
            }
            for event in again {
                self.with(origin, |origin, around| origin.feed(publish, event, around));
            }
        }
    }

    pub(super) fn connect_after(&mut self, encoder: usize, origin: usize, ms: u64) {
        self.encoders[encoder].tries[origin] += 1;
        let number = self.encoders[encoder].tries[origin];
        self.soon.after(ms, Event::Connect { encoder, origin, number });
    }

    /// A connection is over.
    pub(super) fn disconnect(&mut self, encoder: usize, origin: usize, gone: Gone) {
        self.encoders[encoder].tries[origin] += 1;
        let publish = self.encoders[encoder].links[origin].take();
        let end = match gone {
            Gone::Ended => End::InOrder,
            Gone::Lost => End::Lost,
            Gone::Unnoticed => return,
        };
        if let Some(publish) = publish {
            self.with(origin, |origin, around| origin.end(publish, end, around));
        }
    }

    /// A connection breaks off. The encoder may send again what the origin has perhaps not got.
    pub(super) fn lose(&mut self, encoder: usize, origin: usize, keeps: bool) {
        if keeps && self.encoders[encoder].links[origin].is_some() {
            self.encoders[encoder].keep_for(origin);
        }
        let gone = if self.rng.one_in(4) { Gone::Unnoticed } else { Gone::Lost };
        self.disconnect(encoder, origin, gone);
    }

    /// The anchor that both origins use: the newest that fits, else this one.
    fn agree(&mut self, role: Role, mine: Anchor) -> Anchor {
        let known = self.anchors.entry(role).or_default();
        let fits = |anchor: &&Anchor| anchor.fits(mine.feed_ms, mine.utc);
        if let Some(anchor) = known.iter().rev().take(4).find(fits) {
            return *anchor;
        }
        known.push(mine);
        mine
    }

    fn push(&mut self, origin: usize, state: &ChannelState) {
        for edge in 0..self.edges.len() {
            let lost = self.pushes_lost && !self.rng.one_in(4);
            if self.edges[edge].origins.contains(&origin) && !lost {
                let after =
                    if self.rng.one_in(20) { self.rng.range(500, 5_000) } else { self.rng.range(2, 100) };
                self.soon.after(after, Event::Push { edge, state: Box::new(state.clone()) });
            }
        }
    }

    fn said(&mut self, edge: usize, state: ChannelState) -> Result<(), String> {
        state.check().map_err(|error| format!("a snapshot: {error}"))?;
        let now = utc(self.now());
        let origin = self.origins.iter().position(|origin| *origin.id() == state.origin).ok_or("who?")?;
        let edge = &mut self.edges[edge];
        match merge(edge.kept.clone(), state, now).map_err(|error| error.to_string())? {
            Said::New(merged) | Said::Again(merged, _) => edge.kept = Some(merged),
            Said::Old(revision) => {
                let after = self.rng.range(2, 100);
                self.soon.after(after, Event::Kept { origin, revision });
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<(), String> {
        let (now, first) = (self.now(), self.rng.next() as usize);
        let edge = &mut self.edges[at];
        if let Some(kept) = &edge.kept {
            let state = kept.clone().shown(utc(now));
            let nodes = &state.nodes;
            let order: Vec<NodeId> =
                (0..nodes.len()).map(|at| nodes[(first + at) % nodes.len()].id.clone()).collect();
            state.check().map_err(|error| format!("merged: {error}"))?;
            let rendition = "source".parse().unwrap();
            let wanted = playlist::Wanted { parts_at_nodes: true, ..playlist::Wanted::default() };
            if let Some(text) = playlist::media(&state, &rendition, &order, wanted) {
                let known = edge.viewer.count();
                let read = edge.viewer.read(&text, &self.targets);
                if edge.viewer.count() > known {
                    edge.news = now;
                }
                read.map_err(|error| format!("a viewer of {:?}: {error}\n{text}", edge.origins))?;
            }
        }
        // Its last look before the encoders stop.
        if (self.quiet - READ_MS..self.quiet).contains(&now) && edge.news + FRESH_MS < now {
            let said = edge.kept.as_ref().map(|kept| (kept.state.revision, newest(&kept.state)));
            let own = edge.origins.iter().map(|at| self.origins[*at].run.as_ref()?.state.as_ref());
            let own: Vec<_> = own.map(|state| state.map(|s| (s.revision, newest(s)))).collect();
            return Err(format!(
                "a viewer of {:?} has seen nothing new since {} ms: merged {said:?}, of {own:?}; {:?}",
                edge.origins,
                edge.news,
                self.origins[edge.origins[0]].reel().map(|reel| reel.end()),
            ));
        }
        self.soon.after(READ_MS, Event::Read { edge: at });
        Ok(())
    }
}

/// Where the newest segment starts that is listed.
fn newest(state: &ChannelState) -> Option<MediaTime> {
    Some(state.renditions.first()?.segments.last()?.start)
}
