//! One task that owns every channel's book and reel.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, RecordingId, RenditionId, TargetId};
use railbird_core::recording::{OBJECTS_MAX, Record, Reel};
use railbird_core::state::{Node, Phase, ReplayList};
use railbird_core::time::{MediaTime, UtcMs};
use railbird_core::timeline::Anchor;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::backlog::Backlog;
use super::ended::Ended;
use super::made::Made;
use super::port::{Begin, Message, NoEnd, Sender, World};
use super::replays;
use super::shelf::{Nodes, Plan, Shelf};
use crate::clock;
use crate::delivery::{Ack, ObjectRef};
use crate::journal::Takers;
use crate::spool::{self, Spool, Stored, Told};

/// How many messages may wait for the desk. Senders that must not wait (ingests) send few and small ones.
const WAITING_MAX: usize = 4096;

/// How long after a message the desk makes snapshots of what changed: many acknowledgements then cost one, and a viewer waits
/// for it no longer than this. As often it looks while segments wait: for some of them, time alone decides.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often it looks after what is not urgent: backlogs, chapters, ends.
const ROUND_EVERY: Duration = Duration::from_millis(500);

/// How many objects a recording gets before another one begins, well below [`OBJECTS_MAX`]: four days of 2 s segments, or
/// two with their key frames.
pub const ROTATE_AT: u32 = 175_000;

/// How many numbers a new recording leaves out for what may still come to the one before it.
const ROTATE_SLACK: u64 = 2 * spool::OBJECTS_MAX as u64;

/// How many of a channel's gaps in rungs are kept for a recording that begins behind them.
const LOST_MAX: usize = 64;

const _: () = assert!((ROTATE_AT as usize) + 16 * spool::OBJECTS_MAX < OBJECTS_MAX);

/// The channels, and where what follows from them goes.
pub struct Desk<W> {
    channels: BTreeMap<ChannelId, Channel>,
    nodes: Nodes,
    takers: Takers,
    backlog: Backlog,
    forgot: u64,
    receiver: mpsc::Receiver<Message>,
    spool: Spool,
    world: W,
    replays_revision: u64,
}

struct Channel {
    plan: Arc<Plan>,
    phase: Phase,
    current: Option<Shelf>,
    /// The current one is long enough, and the disk was told to begin another.
    rotating: bool,
    /// When the last object came, or the desk began.
    active_at: UtcMs,
    ended: Ended,
    /// The edges don't know the list of recordings as it is.
    list_changed: bool,
    /// How each feed's clock is tied to the world's: a recording begins with it.
    anchors: BTreeMap<String, Anchor>,
    /// What rungs will have nothing in the place of, the newest last. It is told at once, and a recording begins with what is on the
    /// disk: later.
    lost: VecDeque<(RenditionId, MediaTime)>,
}

/// The two ends of the way to the desk.
pub fn channel() -> (Sender, mpsc::Receiver<Message>) {
    mpsc::channel(WAITING_MAX)
}

impl<W: World> Desk<W> {
    /// A desk for these channels, for targets with these nodes over them, and for those of them that get what is made.
    pub fn new(
        channels: BTreeMap<ChannelId, Begin>,
        nodes: Nodes,
        takers: Takers,
        receiver: mpsc::Receiver<Message>,
        spool: Spool,
        world: W,
    ) -> Desk<W> {
        let now = clock::steady();
        let mut desk = Desk {
            channels: BTreeMap::new(),
            nodes,
            takers,
            backlog: Backlog::default(),
            forgot: 0,
            receiver,
            spool,
            world,
            replays_revision: 0,
        };
        for (id, begin) in channels {
            let plan = Arc::new(begin.plan);
            let mut notes = Vec::new();
            let shelf = |reel| Shelf::new(plan.clone(), reel, &desk.nodes, now, &mut notes);
            let current = begin.open.map(shelf);
            desk.note_all(&id, current.as_ref().map(|shelf| shelf.recording().clone()), notes);
            let ended = Ended::new(begin.ended);
            let (phase, anchors, list_changed) = (Phase::Waiting, BTreeMap::new(), true);
            let channel = Channel {
                plan,
                phase,
                current,
                rotating: false,
                active_at: now,
                ended,
                list_changed,
                anchors,
                lost: VecDeque::new(),
            };
            desk.channels.insert(id, channel);
        }
        desk
    }

    /// Works until every sender is gone.
    pub async fn run(mut self) {
        let mut round = tokio::time::interval(ROUND_EVERY);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut look = pin!(sleep_until(Instant::now()));
        let mut looks = true;
        loop {
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Some(message) => {
                        self.handle(message);
                        if !std::mem::replace(&mut looks, true) {
                            look.as_mut().reset(Instant::now() + LOOK_EVERY);
                        }
                    }
                    None => return,
                },
                () = &mut look, if looks => {
                    looks = self.look();
                    look.as_mut().reset(Instant::now() + LOOK_EVERY);
                }
                _ = round.tick() => {
                    self.look();
                    self.round();
                }
            }
        }
    }

    /// Tells what has changed. Whether time alone may change more, and soon.
    fn look(&mut self) -> bool {
        let (now, mut waits) = (clock::steady(), false);
        for (id, channel) in &mut self.channels {
            let Some(shelf) = &mut channel.current else { continue };
            shelf.book.outbid(self.world.state_kept(id));
            let (state, gaps) = shelf.look(now);
            for gap in gaps {
                note(&self.spool, id, shelf.recording(), gap);
            }
            if let Some(state) = state {
                self.world.state(state);
            }
            waits |= shelf.waits();
        }
        waits
    }

    fn round(&mut self) {
        let now = clock::steady();
        let ids: Vec<ChannelId> = self.channels.keys().cloned().collect();
        for id in &ids {
            let Some(channel) = self.channels.get(id) else { continue };
            let limit_ms = channel.plan.end_after_ms;
            let idle = channel.phase == Phase::Waiting && now.ms_since(channel.active_at) > limit_ms;
            if idle && limit_ms > 0 && channel.is_open() {
                tracing::info!(channel = %id, after_s = limit_ms / 1000, "the channel has ended: no feed for that long");
                self.end(id);
            }
        }
        for (target, since) in &self.takers {
            let reels = self.channels.values().flat_map(Channel::reels);
            self.backlog.refill(target, *since, reels, &self.spool, &self.world);
        }
        for (id, channel) in &mut self.channels {
            channel.settle(id, &self.takers, &self.backlog, &self.world);
        }
        self.tell_replays(now);
    }

    fn handle(&mut self, message: Message) {
        let now = clock::steady();
        match message {
            Message::Spool(Told::Stored(stored)) => self.stored(*stored, now),
            Message::Spool(Told::Lost { head, n, cut }) => {
                let id = head.channel.clone();
                self.open(&head, now);
                if let Some(shelf) = self.channels.get_mut(&id).and_then(|channel| channel.current.as_mut())
                    && let Err(error) = shelf.lost(n, cut, now)
                {
                    tracing::error!(channel = %id, %error, "a gap can't be entered");
                }
            }
            Message::RungLost { channel, rung, start } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.rung_lost(rung, start, now);
                }
            }
            Message::Part(made) => self.part(*made, now),
            Message::Acked(Ack { target, object, .. }) if object.is_part() => {
                self.part_acked(&target, &object, now)
            }
            Message::Acked(ack) => self.acked(&ack, now),
            Message::Target { target, node, since } => self.target(target, node, Some(since)),
            Message::Again { target, node, since } => {
                self.backlog.forget_target(&target);
                self.target(target, node, since);
            }
            Message::Drain(target) => {
                self.takers.remove(&target);
                self.set_node(&target, |node| node.weight = 0);
                self.channels.values_mut().for_each(|channel| channel.ended.targets_changed());
            }
            Message::Removed(target) => self.removed(&target),
            Message::NodeUp(target, up) => self.set_node(&target, |node| node.up = up),
            Message::NodeProbe(target, probe) => self.set_node(&target, |node| node.probe = Some(probe)),
            Message::Phase { channel, phase } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    (channel.phase, channel.active_at) = (phase, now);
                    if let Some(shelf) = channel.current.as_mut().filter(|shelf| shelf.reel.ended().is_none())
                    {
                        shelf.book.set_phase(phase);
                    }
                }
            }
            Message::Anchored { channel: id, feed, anchor } => {
                let Some(channel) = self.channels.get_mut(&id) else { return };
                if let Some(shelf) = channel.current.as_ref().filter(|shelf| shelf.reel.ended().is_none()) {
                    note(&self.spool, &id, shelf.recording(), anchored(&feed, anchor));
                }
                channel.anchors.insert(feed, anchor);
            }
            Message::End(channel, answer) => {
                let live = self.channels.get(&channel).is_some_and(|channel| channel.phase == Phase::Live);
                let ended = if live { Err(NoEnd::Live) } else { self.end(&channel).ok_or(NoEnd::Nothing) };
                // Whoever asked may have given up.
                let _ = answer.send(ended);
            }
            Message::Stopping => {
                let shelves = self.channels.values_mut().filter_map(|channel| channel.current.as_mut());
                shelves.for_each(|shelf| shelf.book.stop(now));
            }
            Message::Forgotten(channel, recording) => {
                self.backlog.forget_recording(&channel, &recording);
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.ended.forget(&recording);
                    channel.list_changed = true;
                }
            }
            Message::Evicted(channel, recording) => {
                let Some(channel) = self.channels.get_mut(&channel) else { return };
                channel.ended.evicted(&recording);
                let current = channel.current.as_mut().filter(|shelf| *shelf.recording() == recording);
                // It always fits.
                let _ = current.map(|shelf| shelf.reel.apply(Record::Evicted));
            }
            Message::Reopened(reel) => {
                if let Some(channel) = self.channels.get_mut(&reel.head().channel) {
                    channel.ended.take(*reel);
                }
            }
            Message::Settled(answer) => {
                self.look();
                self.round();
                // Whoever asked may have given up.
                let _ = answer.send(());
            }
        }
    }

    /// Makes the recording of this head the channel's current one.
    fn open(&mut self, head: &railbird_core::recording::Head, now: UtcMs) {
        let Some(channel) = self.channels.get_mut(&head.channel) else { return };
        if channel.current.as_ref().is_some_and(|shelf| *shelf.recording() == head.recording) {
            return;
        }
        let mut promised = None;
        if let Some(mut shelf) = channel.current.take() {
            if shelf.reel.ended().is_none() {
                // It was long enough.
                promised = shelf.book.target_s();
                shelf.end(clock::now());
            }
            if let Some(summary) = shelf.summary(&self.takers) {
                self.world.keep(&head.channel, summary.clone());
                channel.ended.learn(summary);
            }
            channel.ended.take(shelf.reel);
        }
        let mut shelf =
            Shelf::new(channel.plan.clone(), Reel::new(head.clone()), &self.nodes, now, &mut Vec::new());
        shelf.book.set_phase(channel.phase);
        shelf.goes_on(promised);
        for (rung, start) in &channel.lost {
            shelf.rung_lost(rung, *start, now);
        }
        channel.current = Some(shelf);
        (channel.list_changed, channel.rotating) = (true, false);
        // They came before its first object.
        for (feed, anchor) in &channel.anchors {
            note(&self.spool, &head.channel, &head.recording, anchored(feed, *anchor));
        }
        tracing::info!(channel = %head.channel, recording = %head.recording, "a recording begins");
    }

    fn stored(&mut self, stored: Stored, now: UtcMs) {
        self.open(&stored.head, now);
        let id = stored.head.channel.clone();
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.active_at = now;
        let Some(shelf) = &mut channel.current else { return };
        // First the book, so that an acknowledgement finds its object there.
        let object = match shelf.stored(&stored, now) {
            Ok(object) => object,
            Err(error) => {
                tracing::error!(object = stored.made.object.name, %error, "an object can't be entered: no target gets it");
                return;
            }
        };
        if object.n >= channel.plan.rotate_at && !std::mem::replace(&mut channel.rotating, true) {
            let next_msn = shelf.book.next_msn() + ROTATE_SLACK;
            if let Err(error) = self.spool.end(&id, clock::now(), next_msn) {
                tracing::error!(channel = %id, %error, "the recording goes on, though it is long enough");
                channel.rotating = false;
            }
        }
        let bytes = Some(stored.made.object.bytes).filter(|bytes| !bytes.is_empty());
        for target in self.takers.keys() {
            self.backlog.offered(target, &object);
            if let Some(dropped) = self.world.enqueue(target, object.clone(), bytes.clone()) {
                self.backlog.step_back(target, &dropped);
            }
        }
    }

    fn acked(&mut self, Ack { target, object, has }: &Ack, now: UtcMs) {
        let has = *has;
        let Some(channel) = self.channels.get_mut(&object.channel) else { return };
        let record = match &mut channel.current {
            Some(shelf) if *shelf.recording() == object.recording => {
                if shelf.reel.ended().is_some() {
                    channel.ended.targets_changed();
                }
                shelf.acked(target, object.n, has, now)
            }
            _ => match channel.ended.acked(&object.recording, object.n, target, has) {
                Some(record) => record,
                // It is sent again when its journal is read the next time.
                None => return,
            },
        };
        match record {
            // Before anybody is told that the object is there.
            Ok(record) => note(&self.spool, &object.channel, &object.recording, record),
            Err(error) => {
                tracing::error!(%target, object = object.name, %error, "an acknowledgement can't be entered")
            }
        }
    }

    /// A part goes to the targets at once: the sooner they have it, the sooner it is listed.
    fn part(&mut self, made: Made, now: UtcMs) {
        let shelf = self.channels.get_mut(&made.channel).and_then(|channel| channel.current.as_mut());
        // The recording begins with the first segment that is on the disk.
        let Some(shelf) = shelf.filter(|shelf| shelf.reel.ended().is_none()) else { return };
        let Some(object) = shelf.part(&made, now) else { return };
        for target in self.takers.keys() {
            self.world.enqueue(target, object.clone(), Some(made.object.bytes.clone()));
        }
    }

    fn part_acked(&mut self, target: &TargetId, object: &ObjectRef, now: UtcMs) {
        self.world.passing(target, object);
        let shelf = self.channels.get_mut(&object.channel).and_then(|channel| channel.current.as_mut());
        if let Some(shelf) = shelf.filter(|shelf| *shelf.recording() == object.recording) {
            shelf.part_acked(target, object.start, now);
        }
    }

    fn target(&mut self, target: TargetId, mut node: Node, since: Option<MediaTime>) {
        if let Some(known) = self.nodes.get(&target) {
            (node.up, node.probe) = (known.up, known.probe);
        }
        self.nodes.insert(target.clone(), node.clone());
        for shelf in self.channels.values_mut().filter_map(|channel| channel.current.as_mut()) {
            shelf.set_node(&target, Some(node.clone()));
        }
        if let Some(since) = since
            && self.takers.insert(target.clone(), since) != Some(since)
        {
            self.backlog.forget_target(&target);
        }
        self.channels.values_mut().for_each(|channel| channel.ended.targets_changed());
    }

    fn removed(&mut self, target: &TargetId) {
        self.takers.remove(target);
        self.nodes.remove(target);
        self.backlog.forget_target(target);
        for (id, channel) in &mut self.channels {
            if let Some(shelf) = &mut channel.current {
                let record = shelf.removed(target);
                note(&self.spool, id, shelf.recording(), record);
            }
            let current = channel.current.as_ref().map(Shelf::recording);
            for (recording, changed) in channel.ended.removed(target) {
                if Some(&recording) != current {
                    note(&self.spool, id, &recording, Record::Removed { target: target.clone() });
                }
                if let Some(summary) = changed {
                    self.world.keep(id, summary);
                }
            }
            channel.list_changed = true;
        }
    }

    fn set_node(&mut self, target: &TargetId, change: impl Fn(&mut Node)) {
        let Some(node) = self.nodes.get_mut(target) else { return };
        change(node);
        let node = node.clone();
        for shelf in self.channels.values_mut().filter_map(|channel| channel.current.as_mut()) {
            shelf.set_node(target, Some(node.clone()));
        }
    }

    fn end(&mut self, id: &ChannelId) -> Option<RecordingId> {
        let channel = self.channels.get_mut(id).filter(|channel| channel.is_open())?;
        let shelf = channel.current.as_mut()?;
        let now = clock::now();
        let next_msn = shelf.end(now);
        if let Err(error) = self.spool.end(id, now, next_msn) {
            tracing::error!(channel = %id, %error, "the recording's end can't be written: it ends at the next start");
        }
        let recording = shelf.recording().clone();
        if let Some(summary) = shelf.summary(&self.takers) {
            self.world.keep(id, summary.clone());
            channel.ended.learn(summary);
        }
        channel.list_changed = true;
        tracing::info!(channel = %id, %recording, "the recording has ended");
        Some(recording)
    }

    fn tell_replays(&mut self, now: UtcMs) {
        let forgot = self.world.forgot();
        if std::mem::replace(&mut self.forgot, forgot) != forgot {
            for shelf in self.channels.values_mut().filter_map(|channel| channel.current.as_mut()) {
                shelf.changed.extend(0..shelf.chapters());
            }
        }
        for (id, channel) in &mut self.channels {
            if let Some(shelf) = &mut channel.current {
                while let Some(number) = shelf.changed.first().copied() {
                    let Some(chapter) = shelf.chapter(number, now) else { break };
                    if !self.world.chapter(number, chapter) {
                        break;
                    }
                    shelf.changed.pop_first();
                    channel.list_changed = true;
                }
            }
            let kept = self.world.replays_kept(id);
            let old = kept > self.replays_revision;
            self.replays_revision = self.replays_revision.max(kept);
            if !std::mem::take(&mut channel.list_changed) && !old {
                continue;
            }
            let replays = replays::list(&channel.plan, channel.ended.summaries(), channel.current.as_ref());
            self.replays_revision = clock::steady().0.max(self.replays_revision.saturating_add(1));
            let (origin, revision) = (channel.plan.origin.clone(), self.replays_revision);
            self.world.replays(ReplayList { channel: id.clone(), origin, revision, replays });
        }
    }

    fn note_all(&self, id: &ChannelId, recording: Option<RecordingId>, records: Vec<Record>) {
        if let Some(recording) = recording {
            records.into_iter().for_each(|record| note(&self.spool, id, &recording, record));
        }
    }
}

impl Channel {
    fn is_open(&self) -> bool {
        self.current.as_ref().is_some_and(|shelf| shelf.reel.ended().is_none())
    }

    /// A rung will have nothing in the place of the segment that starts here, which may be one of the next recording.
    fn rung_lost(&mut self, rung: RenditionId, start: MediaTime, now: UtcMs) {
        if let Some(shelf) = &mut self.current {
            shelf.rung_lost(&rung, start, now);
        }
        if self.lost.len() >= LOST_MAX {
            self.lost.pop_front();
        }
        self.lost.push_back((rung, start));
    }

    /// The journals at hand, oldest first.
    fn reels(&self) -> impl Iterator<Item = &Reel> {
        self.ended.reels().chain(self.current.as_ref().map(|shelf| &shelf.reel))
    }

    /// Looks what has come to targets of recordings that have ended, and asks for those that are to be sent.
    fn settle(&mut self, id: &ChannelId, takers: &Takers, backlog: &Backlog, world: &impl World) {
        let current = self.current.as_ref().map(|shelf| &shelf.reel);
        let ended = current.filter(|reel| reel.ended().is_some());
        for summary in self.ended.settle(ended, takers) {
            world.keep(id, summary);
        }
        let current = current.map(|reel| &reel.head().recording);
        for recording in self.ended.wanted(id, current, takers, backlog) {
            world.reopen(id, recording);
        }
    }
}

fn anchored(feed: &str, anchor: Anchor) -> Record {
    Record::Anchor { feed: feed.into(), feed_ms: anchor.feed_ms, utc: anchor.utc }
}

fn note(spool: &Spool, channel: &ChannelId, recording: &RecordingId, record: Record) {
    if let Err(error) = spool.note(channel, recording, record) {
        tracing::warn!(%channel, %error, "a line of the journal is lost: after a restart, work may be done twice");
    }
}
