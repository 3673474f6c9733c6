//! The desk with a real spool, and a world that only listens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use railbird_core::id::{ChannelId, RecordingId, RenditionId, TargetId};
use railbird_core::package::{Kind, Object, Rung};
use railbird_core::publish::Init;
use railbird_core::recording::{Head, Reel};
use railbird_core::state::{ChannelState, Node, Phase, ReplayList};
use railbird_core::time::{MediaSpan, MediaTime};
use tokio::sync::oneshot;

use super::*;
use crate::delivery::{Ack, Has, ObjectRef};
use crate::journal::{self, Summary, Takers};
use crate::spool::{Line, Spool};

/// What the desk did to the world. Queues have endless room.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) queued: Mutex<Vec<(TargetId, Arc<ObjectRef>)>>,
    states: Mutex<Vec<ChannelState>>,
    kept: Mutex<BTreeMap<RecordingId, Summary>>,
    replays: Mutex<Vec<ReplayList>>,
    desk: Option<(PathBuf, Sender)>,
}

impl World for Arc<Heard> {
    fn enqueue(&self, target: &TargetId, object: Arc<ObjectRef>, _: Option<Bytes>) -> Option<Arc<ObjectRef>> {
        self.queued.lock().unwrap().push((target.clone(), object));
        None
    }
    fn passing(&self, _target: &TargetId, _part: &ObjectRef) {}

    fn room(&self, _: &TargetId) -> usize {
        usize::MAX
    }
    fn state(&self, state: ChannelState) {
        self.states.lock().unwrap().push(state);
    }
    fn replays(&self, list: ReplayList) {
        self.replays.lock().unwrap().push(list);
    }
    fn chapter(&self, _: usize, _: ChannelState) -> bool {
        true
    }
    fn forgot(&self) -> u64 {
        0
    }
    fn state_kept(&self, _: &ChannelId) -> u64 {
        0
    }
    fn replays_kept(&self, _: &ChannelId) -> u64 {
        0
    }
    fn keep(&self, _: &ChannelId, summary: Summary) {
        self.kept.lock().unwrap().insert(summary.recording.clone(), summary);
    }
    fn reopen(&self, channel: &ChannelId, recording: RecordingId) {
        let (dir, desk) = self.desk.as_ref().unwrap();
        let journal = journal::read(&journal::path(dir, channel, &recording)).unwrap();
        desk.try_send(Message::Reopened(Box::new(journal.reel))).unwrap();
    }
}

struct House {
    dir: tempfile::TempDir,
    desk: Sender,
    spool: Spool,
    heard: Arc<Heard>,
}

fn table() -> ChannelId {
    "table-1".parse().unwrap()
}

fn target(id: &str) -> TargetId {
    id.parse().unwrap()
}

impl House {
    /// A desk with one channel and the target `a`.
    fn new(rotate_at: u32) -> House {
        House::with_rungs(rotate_at, Vec::new())
    }

    /// The same, whose channel has these rungs.
    fn with_rungs(rotate_at: u32, rungs: Vec<RenditionId>) -> House {
        let dir = tempfile::tempdir().unwrap();
        let head = Head {
            channel: table(),
            recording: "later".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms: 1000,
            key_period_s: 3600,
            msn_min: 0,
        };
        let (desk, messages) = channel();
        let teller = desk.clone();
        let tell = move |told| drop(teller.blocking_send(Message::Spool(told)));
        let lines = BTreeMap::from([(table(), Line { head, found: None })]);
        let spool = Spool::start(dir.path(), lines, tell).unwrap();
        let heard = Heard { desk: Some((dir.path().into(), desk.clone())), ..Heard::default() };
        let heard = Arc::new(heard);
        let origin = "o1".parse().unwrap();
        let plan = Plan {
            origin,
            title: "Table 1".into(),
            part_ms: None,
            target_s: None,
            preload_hints: false,
            window_s: 3600,
            end_after_ms: 0,
            rungs,
            rotate_at,
            promise: Promise::default(),
        };
        let begins = BTreeMap::from([(table(), Begin { plan, open: None, ended: Vec::new() })]);
        let nodes = BTreeMap::from([(target("a"), node("a"))]);
        let takers = Takers::from([(target("a"), MediaTime(0))]);
        tokio::spawn(Desk::new(begins, nodes, takers, messages, spool.clone(), heard.clone()).run());
        House { dir, desk, spool, heard }
    }

    /// The disk and the desk have seen to everything.
    async fn settle(&self) {
        for _ in 0..3 {
            self.spool.settled().await;
            let (answer, settled) = oneshot::channel();
            self.desk.send(Message::Settled(answer)).await.unwrap();
            settled.await.unwrap();
        }
    }

    async fn make(&self, kind: Kind, name: String) {
        let object = Object { name, bytes: Bytes::from_static(b"ciphertext"), kind };
        self.spool.write(Made { channel: table(), object }).unwrap();
        self.settle().await;
    }

    async fn init(&self) {
        let init = init("source");
        let name = init.name.clone();
        self.make(Kind::Init(init), name).await;
    }

    async fn rung_init(&self, rung: &RenditionId) {
        let init = init(rung.as_str());
        let name = init.name.clone();
        self.make(Kind::Rung(rung.clone(), Rung::Init(init)), name).await;
    }

    async fn rung_segment(&self, rung: &RenditionId, n: u64) {
        let start = start(n);
        let (duration, captions) = (MediaSpan::from_ms(1000), Default::default());
        let name = railbird_core::object::segment_name(&table(), rung, start, 1000);
        self.make(Kind::Rung(rung.clone(), Rung::Segment { start, duration, captions }), name).await;
    }

    async fn segment(&self, n: u64) {
        let start = start(n);
        let (duration, captions) = (MediaSpan::from_ms(1000), Default::default());
        let kind = Kind::Segment {
            start,
            duration,
            discontinuity: false,
            dependent: false,
            captions,
            splices: Vec::new(),
        };
        self.make(
            kind,
            railbird_core::object::segment_name(&table(), &"source".parse().unwrap(), start, 1000),
        )
        .await;
    }

    /// Every target that is named acknowledges what was queued for it; the others forget it.
    async fn acknowledge(&self, acks: &[&str]) -> usize {
        let queued = std::mem::take(&mut *self.heard.queued.lock().unwrap());
        for (target, object) in &queued {
            if acks.contains(&target.as_str()) {
                let ack = Ack { target: target.clone(), object: object.clone(), has: Has::All };
                self.desk.send(Message::Acked(ack)).await.unwrap();
            }
        }
        self.settle().await;
        queued.len()
    }

    async fn end(&self) -> RecordingId {
        let (answer, ended) = oneshot::channel();
        self.desk.send(Message::End(table(), answer)).await.unwrap();
        let ended = ended.await.unwrap().unwrap();
        self.settle().await;
        ended
    }

    async fn add(&self, id: &str) {
        let message = Message::Target { target: target(id), node: node(id), since: MediaTime(0) };
        self.desk.send(message).await.unwrap();
        self.settle().await;
    }

    fn reels(&self) -> Vec<Reel> {
        reels(self.dir.path())
    }

    fn complete_at(&self, recording: &RecordingId) -> Vec<TargetId> {
        self.heard.kept.lock().unwrap()[recording].complete_at.clone()
    }
}

/// Where the segment of this number starts.
fn start(n: u64) -> MediaTime {
    MediaTime((1_795_171_920 + n) * 90_000)
}

fn init(rendition: &str) -> Init {
    Init {
        name: format!("table-1/{rendition}/init-0.mp4"),
        codecs: "avc1.64001f".into(),
        width: 16,
        height: 16,
        frame_rate_milli: 0,
        range: Default::default(),
        sound: None,
    }
}

fn node(id: &str) -> Node {
    Node::new(id.parse().unwrap(), format!("https://{id}.test"), true)
}

fn reels(dir: &Path) -> Vec<Reel> {
    let names = journal::recordings(dir, &table()).unwrap();
    let journals = names.iter().map(|name| journal::read(&journal::path(dir, &table(), name)).unwrap());
    journals.map(|journal| journal.reel).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_never_ends_goes_on_in_another_recording() {
    let house = House::new(4);
    house.desk.send(Message::Phase { channel: table(), phase: Phase::Live }).await.unwrap();
    house.init().await;
    for n in 0..12 {
        house.segment(n).await;
        house.acknowledge(&["a"]).await;
    }
    let reels = house.reels();
    assert_eq!(reels.iter().map(|reel| reel.order().len()).collect::<Vec<_>>(), [4, 4, 4]);
    assert!(reels.iter().rev().skip(1).all(|reel| reel.ended().is_some()));
    for reel in &reels[..2] {
        assert_eq!(house.complete_at(&reel.head().recording), [target("a")]);
    }
    let states = house.heard.states.lock().unwrap();
    assert!(states.iter().all(|state| state.phase != Phase::Ended), "viewers notice no end");
    let first = |state: &ChannelState| state.renditions.first().map(|rendition| rendition.first_msn);
    let numbers: Vec<u64> = states.iter().filter_map(first).collect();
    assert!(numbers.is_sorted() && numbers.first() < numbers.last(), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_added_gets_what_has_ended_too_and_one_that_was_replaced_gets_it_again() {
    let house = House::new(ROTATE_AT);
    house.init().await;
    for n in 0..3 {
        house.segment(n).await;
    }
    house.acknowledge(&["a"]).await;
    let first = house.end().await;
    house.segment(3).await;
    assert_eq!(house.acknowledge(&["a"]).await, 2, "an init segment and a segment");
    assert_eq!(house.complete_at(&first), [target("a")]);

    house.add("b").await;
    assert_eq!(house.acknowledge(&["b"]).await, 6, "both recordings");
    assert_eq!(house.complete_at(&first), [target("a"), target("b")]);

    // Another bucket of the same name.
    house.desk.send(Message::Removed(target("b"))).await.unwrap();
    house.settle().await;
    assert_eq!(house.complete_at(&first), [target("a")]);
    house.add("b").await;
    assert_eq!(house.acknowledge(&["b"]).await, 6);
    assert_eq!(house.complete_at(&first), [target("a"), target("b")]);
    house.settle().await;
    // What is written agrees with it.
    let last = &house.reels()[0];
    assert!(last.complete_at(&target("b"), MediaTime(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_ends_before_a_target_has_anything_of_it_is_a_replay_all_the_same() {
    let house = House::new(ROTATE_AT);
    house.init().await;
    for n in 0..3 {
        house.segment(n).await;
    }
    let ended = house.end().await;
    assert_eq!(house.acknowledge(&["a"]).await, 4);
    assert_eq!(house.complete_at(&ended), [target("a")]);
    let summary = house.heard.kept.lock().unwrap()[&ended].clone();
    assert_eq!((summary.segments, summary.first_msn, summary.next_msn), (3, 1_795_171_920, 1_795_171_923));
    let listed = house.heard.replays.lock().unwrap().last().cloned().unwrap().replays;
    assert_eq!(
        listed.iter().map(|replay| (&replay.recording, replay.ended)).collect::<Vec<_>>(),
        [(&ended, true)]
    );
    assert_eq!(house.reels()[0].next_msn(), summary.next_msn);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_of_a_rung_that_is_told_before_its_recording_begins_is_in_it() {
    let low: RenditionId = "low".parse().unwrap();
    let house = House::with_rungs(ROTATE_AT, vec![low.clone()]);
    // The first recording, and one behind one that has ended.
    for first in [0, 2] {
        let lost = Message::RungLost { channel: table(), rung: low.clone(), start: start(first) };
        house.desk.send(lost).await.unwrap();
        house.init().await;
        house.segment(first).await;
        house.segment(first + 1).await;
        house.rung_init(&low).await;
        house.rung_segment(&low, first + 1).await;
        house.acknowledge(&["a"]).await;
        let state = house.heard.states.lock().unwrap().last().cloned().expect("nothing is waited for");
        let rung = state.renditions.iter().find(|rendition| rendition.id == low).expect("the rung is listed");
        let segments: Vec<_> = rung.segments.iter().map(|segment| (segment.start, segment.gap)).collect();
        assert_eq!(segments, [(start(first), true), (start(first + 1), false)]);
        house.end().await;
    }
}
