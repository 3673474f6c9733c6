//! One task that owns every channel's book and reel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::{Record, Reel};
use railbird_core::state::{ChannelState, Node, NodeProbe, Phase, REPLAYS_MAX, Replay, ReplayList};
use railbird_core::time::{MediaTime, UtcMs};
use railbird_core::timeline::Anchor;
use tokio::sync::{mpsc, oneshot};

use super::shelf::{self, Nodes, Plan, Shelf};
use crate::clock;
use crate::delivery::ObjectRef;
use crate::journal::Summary;
use crate::spool::{Spool, Stored, Told};

/// How many messages may wait for the desk. Senders that must not wait (ingests) send few and small ones.
const WAITING_MAX: usize = 4096;

/// How often the desk makes snapshots of what changed: many acknowledgements then cost one, and a viewer waits for it
/// no longer than this.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often it looks after what is not urgent: backlogs, chapters, ends.
const ROUND_EVERY: Duration = Duration::from_millis(500);

/// The most objects that are looked at for a target's backlog in one round.
const BACKLOG_LOOKS_MAX: usize = 4096;

/// Something that the desk must know.
#[derive(Debug)]
pub enum Message {
    /// What became of an object that was handed to the disk.
    Spool(Told),
    /// A target has acknowledged an object.
    Acked(TargetId, Arc<ObjectRef>),
    /// A target is there from now on, or its node is another one or has another weight.
    Target {
        /// The target.
        target: TargetId,
        /// The node over it. Whether it is up is told by [`Message::NodeUp`].
        node: Node,
        /// It gets no segment that starts before; zero for everything that is still on the disk.
        since: MediaTime,
    },
    /// A target gets no new objects any more; viewers are led away from its node.
    Drain(TargetId),
    /// A target is gone.
    Removed(TargetId),
    /// Whether the origin can write to, and read from, a target's node.
    NodeUp(TargetId, bool),
    /// What read-backs through a target's node found.
    NodeProbe(TargetId, NodeProbe),
    /// A channel's feed began or ended.
    Phase {
        /// The channel.
        channel: ChannelId,
        /// Where it stands now.
        phase: Phase,
    },
    /// A feed's clock was tied to the world's.
    Anchored {
        /// The channel.
        channel: ChannelId,
        /// Which feed: `primary` or `backup`.
        feed: String,
        /// The tie.
        anchor: Anchor,
    },
    /// The channel ends; answers with its recording.
    End(ChannelId, oneshot::Sender<Result<RecordingId, NoEnd>>),
    /// A recording was deleted.
    Forgotten(ChannelId, RecordingId),
    /// Answers once everything before it has been handled and published.
    Settled(oneshot::Sender<()>),
}

/// Why a channel can't be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEnd {
    /// There is nothing to end.
    #[error("the channel is unknown, or records nothing at the moment: GET /v1/channels lists the channels")]
    Nothing,
    /// What follows would begin another recording at once.
    #[error("an encoder still sends: stop it first, then end the channel")]
    Live,
}

/// Where messages for the desk go.
pub type Sender = mpsc::Sender<Message>;

/// What the desk does to the world. Nothing here may wait.
pub trait World: Send + 'static {
    /// Queues an object for a target; gives one that had to leave the queue for it.
    fn enqueue(
        &self,
        target: &TargetId,
        object: Arc<ObjectRef>,
        body: Option<Bytes>,
    ) -> Option<Arc<ObjectRef>>;
    /// How many more objects of its backlog a target's queue takes.
    fn room(&self, target: &TargetId) -> usize;
    /// Tells the edges a channel's new state.
    fn state(&self, state: ChannelState);
    /// Tells the edges which recordings there are.
    fn replays(&self, list: ReplayList);
    /// Hands a chapter to the edges; false where it must be offered again later.
    fn chapter(&self, number: usize, chapter: ChannelState) -> bool;
    /// How often an edge was found to have lost what it was told.
    fn forgot(&self) -> u64;
    /// The highest revision of a channel's state that an edge kept instead of what it was told; 0 where it never did.
    fn state_kept(&self, channel: &ChannelId) -> u64;
    /// The same for the list of its recordings.
    fn replays_kept(&self, channel: &ChannelId) -> u64;
    /// Keeps the summary of a recording that has ended.
    fn keep(&self, channel: &ChannelId, summary: Summary);
}

/// A channel as the desk begins with it.
#[derive(Debug)]
pub struct Begin {
    /// What stays the same.
    pub plan: Plan,
    /// The recording that an earlier run left open.
    pub open: Option<Reel>,
    /// Recordings that have ended and that some target lacks something of.
    pub owed: Vec<(Reel, Summary)>,
    /// All that have ended.
    pub summaries: Vec<Summary>,
}

/// The targets as the desk begins with them.
#[derive(Debug, Default)]
pub struct BeginTargets {
    /// The node over each.
    pub nodes: BTreeMap<TargetId, Node>,
    /// Those that get what is made.
    pub active: BTreeSet<TargetId>,
    /// Those that get no segment that starts before.
    pub since: BTreeMap<TargetId, MediaTime>,
}

/// The channels, and where what follows from them goes.
pub struct Desk<W> {
    channels: BTreeMap<ChannelId, Channel>,
    nodes: Nodes,
    /// Targets that get what is made.
    active: BTreeSet<TargetId>,
    /// Targets that don't get what is older.
    since: BTreeMap<TargetId, MediaTime>,
    cursors: BTreeMap<(TargetId, ChannelId, RecordingId), u32>,
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
    /// When the last object came, or the desk began.
    active_at: UtcMs,
    owed: Vec<(Reel, Summary)>,
    summaries: BTreeMap<RecordingId, Summary>,
    /// The edges don't know the list of recordings as it is.
    list_changed: bool,
    /// How each feed's clock is tied to the world's: a recording begins with it.
    anchors: BTreeMap<String, Anchor>,
}

/// The two ends of the way to the desk.
pub fn channel() -> (Sender, mpsc::Receiver<Message>) {
    mpsc::channel(WAITING_MAX)
}

impl<W: World> Desk<W> {
    /// A desk for these channels and targets.
    pub fn new(
        channels: BTreeMap<ChannelId, Begin>,
        targets: BeginTargets,
        receiver: mpsc::Receiver<Message>,
        spool: Spool,
        world: W,
    ) -> Desk<W> {
        let now = clock::steady();
        let BeginTargets { nodes, active, since } = targets;
        let mut desk = Desk {
            channels: BTreeMap::new(),
            nodes,
            active,
            since,
            cursors: BTreeMap::new(),
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
            let summaries = begin.summaries.into_iter().map(|summary| (summary.recording.clone(), summary));
            let (phase, summaries) = (Phase::Waiting, summaries.collect());
            let (owed, list_changed) = (begin.owed, true);
            desk.channels.insert(
                id,
                Channel {
                    plan,
                    phase,
                    current,
                    active_at: now,
                    owed,
                    summaries,
                    list_changed,
                    anchors: BTreeMap::new(),
                },
            );
        }
        desk
    }

    /// Works until every sender is gone.
    pub async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut round = tokio::time::interval(ROUND_EVERY);
        for interval in [&mut look, &mut round] {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Some(message) => self.handle(message),
                    None => return,
                },
                _ = look.tick() => self.look(),
                _ = round.tick() => self.round(),
            }
        }
    }

    fn look(&mut self) {
        let now = clock::steady();
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
        }
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
        for target in self.active.clone() {
            self.refill(&target);
        }
        self.finish_owed();
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
            Message::Acked(target, object) => self.acked(&target, &object, now),
            Message::Target { target, node, since } => self.target(target, node, since),
            Message::Drain(target) => {
                self.active.remove(&target);
                self.set_node(&target, |node| node.weight = 0);
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
            Message::Forgotten(channel, recording) => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.summaries.remove(&recording);
                    channel.owed.retain(|(reel, _)| reel.head().recording != recording);
                    channel.list_changed = true;
                }
                self.cursors.retain(|(_, _, of), _| *of != recording);
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
        if let Some(shelf) = channel.current.take() {
            let targets: Vec<TargetId> = self.active.iter().cloned().collect();
            if let Some(summary) = shelf.summary(&targets)
                && !shelf.reel.complete_at(&targets)
            {
                channel.owed.push((shelf.reel, summary));
            }
        }
        let mut shelf =
            Shelf::new(channel.plan.clone(), Reel::new(head.clone()), &self.nodes, now, &mut Vec::new());
        shelf.book.set_phase(channel.phase);
        channel.current = Some(shelf);
        channel.list_changed = true;
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
        let bytes = Some(stored.made.object.bytes).filter(|bytes| !bytes.is_empty());
        for target in &self.active {
            let key = (target.clone(), id.clone(), object.recording.clone());
            // From the recording's begin on: a target that was just added may lack all that came before this object.
            let cursor = self.cursors.entry(key).or_insert(0);
            if *cursor == object.n {
                *cursor += 1;
            }
            if let Some(dropped) = self.world.enqueue(target, object.clone(), bytes.clone()) {
                step_back(&mut self.cursors, target, &dropped);
            }
        }
    }

    fn acked(&mut self, target: &TargetId, object: &ObjectRef, now: UtcMs) {
        let Some(channel) = self.channels.get_mut(&object.channel) else { return };
        let record = match &mut channel.current {
            Some(shelf) if *shelf.recording() == object.recording => shelf.acked(target, object.n, now),
            _ => {
                let owed =
                    channel.owed.iter_mut().find(|(reel, _)| reel.head().recording == object.recording);
                let Some((reel, _)) = owed else { return };
                let record = Record::Ack { n: object.n, target: target.clone() };
                reel.apply(record.clone()).map(|()| record)
            }
        };
        match record {
            // Before anybody is told that the object is there.
            Ok(record) => note(&self.spool, &object.channel, &object.recording, record),
            Err(error) => {
                tracing::error!(%target, object = object.name, %error, "an acknowledgement can't be entered")
            }
        }
    }

    fn target(&mut self, target: TargetId, mut node: Node, since: MediaTime) {
        if let Some(known) = self.nodes.get(&target) {
            (node.up, node.probe) = (known.up, known.probe);
        }
        self.nodes.insert(target.clone(), node.clone());
        for shelf in self.channels.values_mut().filter_map(|channel| channel.current.as_mut()) {
            shelf.set_node(&target, Some(node.clone()));
        }
        self.since.insert(target.clone(), since);
        self.active.insert(target);
    }

    fn removed(&mut self, target: &TargetId) {
        self.active.remove(target);
        self.nodes.remove(target);
        self.since.remove(target);
        self.cursors.retain(|(of, _, _), _| of != target);
        for (id, channel) in &mut self.channels {
            if let Some(shelf) = &mut channel.current {
                let record = shelf.removed(target);
                note(&self.spool, id, shelf.recording(), record);
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
        let targets: Vec<TargetId> = self.active.iter().cloned().collect();
        let channel = self.channels.get_mut(id).filter(|channel| channel.is_open())?;
        let shelf = channel.current.as_mut()?;
        let now = clock::now();
        let next_msn = shelf.end(now);
        if let Err(error) = self.spool.end(id, now, next_msn) {
            tracing::error!(channel = %id, %error, "the recording's end can't be written: it ends at the next start");
        }
        let recording = shelf.recording().clone();
        if let Some(summary) = shelf.summary(&targets) {
            self.world.keep(id, summary.clone());
            channel.summaries.insert(recording.clone(), summary);
        }
        channel.list_changed = true;
        tracing::info!(channel = %id, %recording, "the recording has ended");
        Some(recording)
    }

    /// Gives a target's queue more of what the target lacks, oldest first.
    fn refill(&mut self, target: &TargetId) {
        let (mut room, mut looks) = (self.world.room(target), BACKLOG_LOOKS_MAX);
        let since = self.since.get(target).copied().unwrap_or_default();
        for (id, channel) in &self.channels {
            let owed = channel.owed.iter().map(|(reel, _)| reel);
            let current = channel.current.as_ref().map(|shelf| &shelf.reel);
            for reel in owed.chain(current).filter(|reel| !reel.evicted()) {
                let key = (target.clone(), id.clone(), reel.head().recording.clone());
                let cursor = self.cursors.entry(key).or_insert(0);
                let bit = reel.known_bit(target);
                while room > 0 && looks > 0 {
                    let Some(object) = reel.objects().get(*cursor as usize) else { break };
                    let n = *cursor;
                    *cursor += 1;
                    looks -= 1;
                    let old = reel.segment(n).is_some_and(|segment| segment.start < since);
                    if old || bit.is_some_and(|bit| (object.on >> bit) & 1 == 1) {
                        continue;
                    }
                    let Some(object) = shelf::object(reel, n, self.spool.path(&reel.name(object))) else {
                        continue;
                    };
                    room -= 1;
                    // A full queue would have had no room.
                    self.world.enqueue(target, object, None);
                }
            }
        }
    }

    /// Lets go of recordings that have ended and that every target has.
    fn finish_owed(&mut self) {
        let targets: Vec<TargetId> = self.active.iter().cloned().collect();
        for (id, channel) in &mut self.channels {
            let done = |reel: &Reel| reel.complete_at(&targets);
            let current =
                channel.current.as_ref().filter(|shelf| shelf.reel.ended().is_some() && done(&shelf.reel));
            let finished = current.and_then(|shelf| shelf.summary(&targets));
            let owed = channel.owed.iter().filter(|(reel, _)| done(reel));
            let owed = owed.filter_map(|(reel, old)| Summary::of(reel, old.first_msn, &targets));
            for summary in owed.chain(finished).collect::<Vec<_>>() {
                if channel.summaries.get(&summary.recording) != Some(&summary) {
                    self.world.keep(id, summary.clone());
                    channel.summaries.insert(summary.recording.clone(), summary);
                }
            }
            channel.owed.retain(|(reel, _)| !done(reel));
        }
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
            let mut replays: Vec<Replay> =
                channel.summaries.values().map(|one| replay(&channel.plan, one)).collect();
            let open = channel.current.as_ref().filter(|shelf| shelf.reel.ended().is_none());
            replays.extend(open.and_then(open_replay));
            replays.drain(..replays.len().saturating_sub(REPLAYS_MAX));
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
}

fn anchored(feed: &str, anchor: Anchor) -> Record {
    Record::Anchor { feed: feed.into(), feed_ms: anchor.feed_ms, utc: anchor.utc }
}

/// What left a queue is looked for again from there on.
fn step_back(
    cursors: &mut BTreeMap<(TargetId, ChannelId, RecordingId), u32>,
    target: &TargetId,
    object: &ObjectRef,
) {
    let key = (target.clone(), object.channel.clone(), object.recording.clone());
    if let Some(cursor) = cursors.get_mut(&key) {
        *cursor = (*cursor).min(object.n);
    }
}

fn note(spool: &Spool, channel: &ChannelId, recording: &RecordingId, record: Record) {
    if let Err(error) = spool.note(channel, recording, record) {
        tracing::warn!(%channel, %error, "a line of the journal is lost: after a restart, work may be done twice");
    }
}

fn replay(plan: &Plan, summary: &Summary) -> Replay {
    let segments = summary.segments as usize;
    Replay {
        recording: summary.recording.clone(),
        title: plan.title.clone(),
        start: summary.start,
        duration: summary.end - summary.start,
        chapters: u32::try_from(segments.div_ceil(railbird_core::recording::CHAPTER_SEGMENTS))
            .unwrap_or(u32::MAX),
        ended: true,
    }
}

fn open_replay(shelf: &Shelf) -> Option<Replay> {
    let (start, end) = (shelf.reel.start()?, shelf.reel.end()?);
    Some(Replay {
        recording: shelf.recording().clone(),
        title: shelf.plan().title.clone(),
        start,
        duration: end - start,
        chapters: u32::try_from(shelf.chapters()).unwrap_or(u32::MAX),
        ended: false,
    })
}
