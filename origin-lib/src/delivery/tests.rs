use std::collections::BTreeSet;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};

use railbird_core::fmp4;
use railbird_core::hash::Hash;
use railbird_core::keys;
use railbird_core::time::UtcMs;

use super::queue::Entry;
use super::*;
use crate::export::tests::Recorded;
use crate::store::server::{Credentials, NodeServer};
use crate::store::{Answer, Created, Memory, Object, Pending, S3, Trace};
use crate::telemetry::Metrics;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(1) };

/// No share at all, so that the order is all that counts.
const SHARE: Share = Share { workers: usize::MAX, bytes_a_second: None };

fn object(start_ms: u64, kind: Kind) -> Arc<ObjectRef> {
    let name = match kind {
        Kind::Init => format!("t/s/init-{start_ms}.mp4"),
        Kind::Segment { .. } => format!("t/s/{start_ms}.m4s"),
        Kind::Frame { .. } => format!("t/s/{start_ms}-frame.m4s"),
        Kind::Rung { .. } => format!("t/low/{start_ms}.m4s"),
        Kind::Part { .. } => format!("_parts/t/s/{start_ms}.m4s"),
    };
    Arc::new(ObjectRef {
        channel: "t".parse().unwrap(),
        rendition: "s".parse().unwrap(),
        recording: "r".parse().unwrap(),
        n: u32::try_from(start_ms).unwrap() * 3
            + u32::from(kind != Kind::Init)
            + u32::from(matches!(kind, Kind::Frame { .. } | Kind::Rung { .. })),
        sha256: Hash::of(b"body"),
        path: name.clone().into(),
        name,
        len: 4,
        start: UtcMs(start_ms).media(),
        kind,
        segment_ms: 2000,
        key_period_s: 3600,
    })
}

fn segment(start_ms: u64) -> Arc<ObjectRef> {
    object(start_ms, Kind::Segment { init: "t/s/init-0.mp4".into() })
}

fn part(start_ms: u64) -> Arc<ObjectRef> {
    object(start_ms, Kind::Part { init: "t/s/init-0.mp4".into() })
}

fn init() -> Arc<ObjectRef> {
    object(0, Kind::Init)
}

/// A queue in virtual time: the shell of [`run`] without tasks.
struct Bench {
    queue: Queue,
    now: std::time::Instant,
}

impl Bench {
    /// A target that was tried and is up.
    fn up(workers: usize) -> Bench {
        let now = std::time::Instant::now();
        let mut bench = Bench { queue: Queue::new(workers, SHARE, BACKOFF, now), now };
        assert!(matches!(bench.queue.next(now), Next::Probe));
        bench.queue.probed(&Ok(()), now, 0);
        assert_eq!(bench.queue.down(), None);
        bench
    }

    fn push(&mut self, starts: impl IntoIterator<Item = u64>) {
        for start in starts {
            assert_eq!(self.queue.push(segment(start), None), None);
        }
    }

    fn put(&mut self) -> Entry {
        match self.queue.next(self.now) {
            Next::Put(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    fn probe(&mut self) {
        let next = self.queue.next(self.now);
        assert!(matches!(next, Next::Probe), "{next:?}");
    }

    fn done(&mut self, entry: Entry, outcome: Outcome) -> bool {
        self.queue.done(entry, &outcome, self.now, u16::MAX)
    }

    fn fail(&mut self, entry: Entry, error: PutError) {
        self.done(entry, Outcome::Failed(error));
    }

    /// Passes the time up to when the queue wants to be asked again; returns how long that was.
    fn wait(&mut self) -> Duration {
        match self.queue.next(self.now) {
            Next::Wait(Some(until)) => {
                let pause = until.duration_since(self.now);
                self.now = until;
                pause
            }
            other => panic!("{other:?}"),
        }
    }

    /// The names of all that can be put, one after another, each acknowledged.
    fn order(&mut self) -> Vec<u64> {
        let mut starts = Vec::new();
        while let Next::Put(entry) = self.queue.next(self.now) {
            starts.push(entry.object.start.utc().0);
            self.done(entry, Outcome::Acknowledged);
        }
        starts
    }
}

fn retry() -> PutError {
    PutError::Retry("it broke".into())
}

fn unreachable() -> PutError {
    PutError::Unreachable("nobody there".into())
}

#[test]
fn the_live_edge_goes_newest_first_then_the_backlog_oldest_first() {
    let mut bench = Bench::up(1);
    bench.push((0..100_000).step_by(2000));
    let live: Vec<u64> = (44..50).rev().map(|n| n * 2000).collect();
    let backlog: Vec<u64> = (0..88_000).step_by(2000).collect();
    assert_eq!(bench.order(), [live, backlog].concat());
    assert_eq!(bench.queue.pending(), 0);
}

#[test]
fn parts_go_before_segments_in_order_and_only_as_long_as_they_are_of_use() {
    let body = || Some(Bytes::from_static(b"body"));
    let mut bench = Bench::up(1);
    bench.push([0, 2000]);
    for start in [4000, 4334, 4668] {
        assert_eq!(bench.queue.push(part(start), body()), None);
    }
    assert_eq!(bench.order(), [4000, 4334, 4668, 2000, 0]);
    // Six seconds on, their segment is there.
    bench.queue.push(part(10_000), body());
    bench.queue.push(part(16_001), body());
    assert_eq!(bench.order(), [16_001]);
    // However many there are, no segment leaves the queue for them.
    bench.push([16_000]);
    (0..10_000).for_each(|n| assert_eq!(bench.queue.push(part(17_000 + n / 100), body()), None));
    assert_eq!(bench.queue.pending(), queue::PARTS_MAX + 1);
    assert_eq!(bench.order().len(), queue::PARTS_MAX + 1);
    assert_eq!(bench.queue.pending(), 0);
}

#[test]
fn a_part_waits_for_its_init_segment_and_for_no_target_that_fails() {
    let body = || Some(Bytes::from_static(b"body"));
    let mut bench = Bench::up(2);
    bench.queue.push(init(), None);
    bench.queue.push(part(0), body());
    let init = bench.put();
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)));
    bench.done(init, Outcome::Acknowledged);
    // It is nowhere but in memory, so that a second try has its bytes.
    let mut entry = bench.put();
    entry.body = body();
    bench.fail(entry, retry());
    bench.wait();
    let entry = bench.put();
    assert_eq!((&*entry.object.name, entry.body.clone()), ("_parts/t/s/0.m4s", body()));
    bench.queue.push(part(334), body());
    bench.fail(entry, unreachable());
    bench.queue.push(part(668), body());
    assert_eq!(bench.queue.pending(), 0, "viewers get its segment");
    bench.push([0]);
    bench.wait();
    bench.probe();
    bench.queue.probed(&Ok(()), bench.now, 0);
    assert_eq!(bench.order(), [0]);
}

#[test]
fn the_backlog_takes_no_more_than_its_share() {
    let now = std::time::Instant::now();
    // Objects have 4 bytes: two of the backlog a second, one at a time.
    let share = Share { workers: 1, bytes_a_second: Some(8) };
    let mut bench = Bench { queue: Queue::new(4, share, BACKOFF, now), now };
    assert!(matches!(bench.queue.next(now), Next::Probe));
    bench.queue.probed(&Ok(()), now, 0);
    bench.push([100_000]);
    bench.push((0..20_000).step_by(2000));
    let live = bench.put();
    assert_eq!(live.object.start.utc().0, 100_000);
    let backlog = bench.put();
    assert_eq!(backlog.object.start.utc().0, 0);
    assert!(matches!(bench.queue.next(now), Next::Wait(None)), "one of the backlog is on its way");
    bench.done(backlog, Outcome::Acknowledged);
    let second = bench.put();
    bench.done(second, Outcome::Acknowledged);
    assert_eq!(
        bench.wait(),
        Duration::from_micros(125_001),
        "what is left is spent: until one byte is left again"
    );
    bench.push([102_000]);
    let live = [bench.put(), bench.put()];
    assert!(
        live.iter().any(|entry| entry.object.start.utc().0 == 102_000),
        "the live edge does not wait for it"
    );
}

#[test]
fn two_recordings_may_need_an_init_segment_of_the_same_name() {
    let mut bench = Bench::up(1);
    let other = Arc::new(ObjectRef { recording: "r2".parse().unwrap(), ..(*init()).clone() });
    bench.queue.push(init(), None);
    bench.queue.push(init(), None);
    bench.queue.push(other.clone(), None);
    bench.push([2000]);
    assert_eq!(bench.queue.pending(), 3, "one of them twice is once");
    let first = bench.put();
    bench.done(first, Outcome::Acknowledged);
    let second = bench.put();
    assert_eq!(second.object, other);
    bench.done(second, Outcome::Acknowledged);
    assert_eq!(bench.order(), [2000]);
}

#[test]
fn what_is_new_overtakes_the_backlog() {
    let mut bench = Bench::up(1);
    bench.push([10_000, 50_000, 0]);
    let first = bench.put();
    assert_eq!(first.object.start.utc().0, 50_000);
    bench.push([52_000]);
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)), "one worker is busy");
    bench.done(first, Outcome::Acknowledged);
    assert_eq!(bench.order(), [52_000, 0, 10_000]);
}

#[test]
fn a_segment_waits_for_its_init_segment() {
    let mut bench = Bench::up(4);
    bench.push([2000]);
    bench.queue.push(init(), None);
    bench.queue.push(object(4000, Kind::Segment { init: "other".into() }), None);
    let init = bench.put();
    assert_eq!(init.object.kind, Kind::Init);
    let other = bench.put();
    assert_eq!(other.object.start.utc().0, 4000);
    // The init segment is on its way, fails, waits, goes again: the segment stays behind it.
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)));
    bench.done(other, Outcome::Acknowledged);
    bench.fail(init, PutError::GiveUp("refused".into()));
    assert_eq!(bench.wait(), BACKOFF.first);
    let init = bench.put();
    assert_eq!(init.object.kind, Kind::Init);
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)));
    bench.done(init, Outcome::Acknowledged);
    assert_eq!(bench.order(), [2000]);
}

#[test]
fn a_key_frame_goes_behind_its_segment_and_waits_for_its_init_segment() {
    let mut bench = Bench::up(4);
    let frame = |init: &str| object(2000, Kind::Frame { init: init.into() });
    for object in [segment(2000), frame("t/s/init-0.mp4"), init()] {
        bench.queue.push(object, None);
    }
    let init = bench.put();
    assert_eq!(init.object.kind, Kind::Init);
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)));
    bench.done(init, Outcome::Acknowledged);
    let segment = bench.put();
    assert!(matches!(segment.object.kind, Kind::Segment { .. }), "{:?}", segment.object.kind);
    assert!(matches!(bench.put().object.kind, Kind::Frame { .. }));
}

#[test]
fn one_object_that_fails_holds_up_no_other() {
    let mut bench = Bench::up(1);
    bench.push([0, 2000]);
    let newest = bench.put();
    bench.fail(newest, retry());
    assert_eq!(bench.queue.down(), None);
    assert_eq!(bench.order(), [0]);
    assert_eq!(bench.wait(), BACKOFF.first);
    // Alone in the queue, it fails again and again; each success of another in between keeps the target up.
    for failures in 2..=5_u32 {
        let bad = bench.put();
        bench.fail(bad, retry());
        bench.push([u64::from(failures) * 100_000]);
        assert_eq!(bench.order(), [u64::from(failures) * 100_000]);
        assert_eq!(bench.wait(), (BACKOFF.first * 2_u32.pow(failures - 1)).min(BACKOFF.cap));
    }
}

#[test]
fn a_target_that_nobody_answers_for_gets_one_probe_at_a_time() {
    let mut bench = Bench::up(4);
    bench.push((0..20_000).step_by(2000));
    let (a, b) = (bench.put(), bench.put());
    bench.fail(a, unreachable());
    assert_eq!(bench.queue.down(), Some("nobody there"));
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)), "b is still on its way");
    bench.fail(b, unreachable());
    let mut pauses = Vec::new();
    for _ in 0..6 {
        pauses.push(bench.wait().as_millis());
        bench.probe();
        assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)), "one at a time");
        bench.queue.probed(&Err(unreachable()), bench.now, u16::MAX);
    }
    assert_eq!(pauses, [200, 400, 800, 1000, 1000, 1000]);
    bench.wait();
    bench.probe();
    bench.queue.probed(&Ok(()), bench.now, 0);
    assert_eq!(bench.queue.down(), None);
    assert_eq!((bench.put(), bench.put(), bench.put(), bench.put()).0.object.start.utc().0, 18_000);
}

#[test]
fn a_target_that_breaks_puts_is_tried_with_the_newest_object() {
    let mut bench = Bench::up(1);
    bench.push([0, 2000, 4000]);
    for error in [retry(), retry()] {
        let entry = bench.put();
        bench.fail(entry, error);
    }
    assert_eq!(bench.queue.down(), Some("it broke"));
    bench.wait();
    let newest = bench.put();
    assert_eq!(newest.object.start.utc().0, 4000, "although it had failed itself just now");
    bench.done(newest, Outcome::Acknowledged);
    assert_eq!(bench.queue.down(), None);
    bench.now += BACKOFF.cap;
    assert_eq!(bench.order(), [2000, 0]);
    assert_eq!(bench.queue.pending(), 0);
}

#[test]
fn slowing_down_is_obeyed_within_bounds_and_is_no_outage_at_first() {
    let slow = |after| PutError::SlowDown { after, text: "503".into() };
    for (after, pause) in [(None, 100), (Some(5), 5000), (Some(86_400), 30_000)] {
        let mut bench = Bench::up(4);
        bench.push([0, 2000]);
        let entry = bench.put();
        bench.fail(entry, slow(after.map(Duration::from_secs)));
        assert_eq!(bench.queue.down(), None);
        assert_eq!(bench.wait().as_millis(), pause);
        let entry = bench.put();
        bench.fail(entry, slow(None));
        assert_eq!(bench.queue.down(), Some("503"));
    }
}

#[test]
fn a_misconfigured_target_is_down_at_once_and_recovers_when_it_is_put_right() {
    let mut bench = Bench::up(4);
    bench.push([0]);
    let entry = bench.put();
    bench.fail(entry, PutError::Misconfigured("no such bucket".into()));
    assert_eq!(bench.queue.down(), Some("no such bucket"));
    bench.wait();
    bench.probe();
    bench.queue.probed(&Ok(()), bench.now, 0);
    bench.now += BACKOFF.cap;
    assert_eq!(bench.order(), [0]);
}

#[test]
fn what_is_gone_is_not_tried_again() {
    let mut bench = Bench::up(1);
    bench.push([0]);
    let entry = bench.put();
    assert!(bench.done(entry, Outcome::Gone));
    assert_eq!((bench.queue.pending(), bench.queue.down()), (0, None));
}

#[test]
fn what_is_refused_is_tried_again_now_and_then_and_holds_up_no_other() {
    let refused = || PutError::GiveUp("odd".into());
    let mut bench = Bench::up(1);
    bench.push([0, 2000]);
    for seconds in [30, 60, 120, 240, 480, 600, 600] {
        let entry = bench.put();
        assert_eq!(entry.object.start.utc().0, 2000);
        bench.fail(entry, refused());
        assert_eq!(bench.queue.down(), None);
        assert_eq!((bench.queue.refused(), bench.queue.pending() - bench.order().len()), (1, 1));
        assert_eq!(bench.wait(), Duration::from_secs(seconds));
        bench.push([0]);
    }
    // A target that fails is not tried with it, although it is the newest: with another one, or a probe.
    let entry = bench.put();
    bench.fail(entry, refused());
    for _ in 0..2 {
        let entry = bench.put();
        assert_eq!(entry.object.start.utc().0, 0);
        bench.fail(entry, retry());
        bench.now += BACKOFF.cap;
    }
    assert_eq!(bench.queue.down(), Some("it broke"));
    assert_eq!(bench.order(), [0]);
    for start in [4000, 6000] {
        bench.push([start]);
        let entry = bench.put();
        bench.fail(entry, refused());
    }
    bench.wait();
    bench.probe();
    bench.queue.probed(&Ok(()), bench.now, 0);
    assert_eq!((bench.queue.refused(), bench.queue.down()), (3, None));
    bench.now += queue::REFUSED.cap;
    assert_eq!(bench.order(), [6000, 4000, 2000]);
    assert_eq!((bench.queue.refused(), bench.queue.pending()), (0, 0));
}

#[test]
fn an_object_that_another_writes_at_the_same_moment_is_tried_again_and_is_no_failure() {
    let mut bench = Bench::up(1);
    bench.push([0]);
    for race in 0..6 {
        let entry = bench.put();
        assert_eq!(entry.races, race);
        assert!(!bench.done(entry, Outcome::Raced));
        assert_eq!(bench.queue.down(), None);
        bench.wait();
    }
    assert_eq!(bench.order(), [0]);
}

#[test]
fn a_target_that_is_well_is_probed_again_where_a_probe_left_something_open() {
    let mut bench = Bench::up(1);
    let at = bench.now + Duration::from_secs(1);
    bench.queue.probe_again(at);
    bench.push([0]);
    assert_eq!(bench.order(), [0], "nothing waits for it");
    assert_eq!(bench.wait(), Duration::from_secs(1));
    bench.probe();
    bench.queue.probed(&Ok(()), bench.now, 0);
    assert!(matches!(bench.queue.next(bench.now), Next::Wait(None)));
}

#[test]
fn a_spool_that_cannot_be_read_is_tried_again_and_is_no_failure_of_the_target() {
    let mut bench = Bench::up(1);
    bench.push([0]);
    for pause in [1, 2, 4] {
        let entry = bench.put();
        assert!(!bench.done(entry, Outcome::Unread));
        assert_eq!((bench.queue.down(), bench.queue.pending()), (None, 1));
        assert_eq!(bench.wait(), BACKOFF.first * pause);
    }
    assert_eq!(bench.order(), [0]);
    // A target that is down is tried with it, and no sooner again than any other.
    bench.push([2000, 4000]);
    for _ in 0..2 {
        let entry = bench.put();
        bench.fail(entry, retry());
    }
    bench.wait();
    let entry = bench.put();
    bench.done(entry, Outcome::Unread);
    assert_eq!(bench.queue.down(), Some("it broke"));
    assert!(bench.wait() >= BACKOFF.first);
    bench.now += BACKOFF.cap;
    assert_eq!(bench.order(), [4000, 2000]);
}

#[test]
fn a_full_queue_drops_the_oldest_segment_and_keeps_init_segments() {
    let mut bench = Bench::up(1);
    bench.queue.push(init(), None);
    bench.push((1..WAITING_MAX as u64).map(|n| n * 2000));
    let newer = WAITING_MAX as u64 * 2000;
    assert_eq!(bench.queue.push(segment(newer), None), Some(segment(2000)));
    // One that is older than all is the oldest itself.
    assert_eq!(bench.queue.push(segment(0), None), Some(segment(0)));
    assert_eq!(bench.queue.pending(), WAITING_MAX);
    assert_eq!(bench.put().object.kind, Kind::Init);
}

#[test]
fn bodies_stay_in_memory_only_within_a_bound_and_only_while_the_target_is_up() {
    let body = Bytes::from(vec![0; BODIES_LEN_MAX / 2]);
    let mut bench = Bench::up(4);
    for start in [0, 2000, 4000] {
        bench.queue.push(segment(start), Some(body.clone()));
    }
    // The third did not fit; it is the newest and the first to go.
    let (third, second) = (bench.put(), bench.put());
    assert!(third.body.is_none() && second.body.is_some());
    bench.queue.push(segment(6000), Some(body.clone()));
    assert!(bench.put().body.is_some(), "the second has left room");
    bench.fail(second, unreachable());
    bench.fail(third, unreachable());
    bench.queue.push(segment(8000), Some(body.clone()));
    bench.queue.probed(&Ok(()), bench.now, 0);
    bench.now += BACKOFF.cap;
    for _ in 0..4 {
        assert!(bench.put().body.is_none());
    }
}

#[test]
fn pauses_are_jittered_between_half_and_all() {
    for (failures, low, high) in
        [(0, 50, 100), (1, 50, 100), (2, 100, 200), (5, 500, 1000), (u32::MAX, 500, 1000)]
    {
        assert_eq!(BACKOFF.pause(failures, 0).as_millis(), low);
        assert_eq!(BACKOFF.pause(failures, u16::MAX).as_millis(), high);
    }
}

/// Any order of pushes, answers and waiting: nothing is lost, nothing doubled, and once the target is well, all arrives.
#[test]
fn every_object_arrives_once_whatever_happens() {
    for seed in 1..=200_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut bench = Bench::up(1 + random(4) as usize);
        let (mut flying, mut arrived, mut pushed) = (Vec::new(), BTreeSet::new(), 0);
        let mut probing = false;
        for step in 0..400 {
            let well = step >= 300;
            if random(3) == 0 && !well {
                bench.push([pushed * 2000]);
                pushed += 1;
            }
            match bench.queue.next(bench.now) {
                Next::Put(entry) => flying.push(entry),
                Next::Probe => probing = true,
                Next::Wait(Some(until)) if flying.is_empty() && !probing => bench.now = until,
                Next::Wait(_) => {}
            }
            let error = match random(4) {
                _ if well => None,
                0 => None,
                1 => Some(retry()),
                2 => Some(unreachable()),
                _ => Some(PutError::SlowDown { after: None, text: "slow".into() }),
            };
            if std::mem::take(&mut probing) {
                bench.queue.probed(&error.map_or(Ok(()), Err), bench.now, random(65_536) as u16);
            } else if !flying.is_empty() && random(2) == 0 {
                let entry = flying.swap_remove(random(flying.len() as u64) as usize);
                let name = entry.object.name.clone();
                match error {
                    Some(error) => bench.fail(entry, error),
                    None => {
                        bench.done(entry, Outcome::Acknowledged);
                        assert!(arrived.insert(name), "seed {seed}: doubled");
                    }
                }
            }
        }
        for entry in flying {
            arrived.insert(entry.object.name.clone());
            bench.done(entry, Outcome::Acknowledged);
        }
        for _ in 0..pushed + 10 {
            match bench.queue.next(bench.now) {
                Next::Put(entry) => {
                    arrived.insert(entry.object.name.clone());
                    bench.done(entry, Outcome::Acknowledged);
                }
                Next::Probe => bench.queue.probed(&Ok(()), bench.now, 0),
                Next::Wait(Some(until)) => bench.now = until,
                Next::Wait(None) => break,
            }
        }
        assert_eq!((arrived.len() as u64, bench.queue.pending()), (pushed, 0), "seed {seed}");
    }
}

// The tasks around the queue. Nothing below waits for a time to pass: each wait is for what must happen.

/// What a [`Moody`] store does with a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    Refuses,
    Hangs,
    Breaks,
}

/// A memory store that can be told how to behave.
struct Moody {
    memory: Memory,
    mood: watch::Sender<Mood>,
}

impl Moody {
    fn new(mood: Mood) -> Arc<Moody> {
        Arc::new(Moody { memory: Memory::default(), mood: watch::Sender::new(mood) })
    }
}

impl Store for Moody {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        let mood = *self.mood.borrow();
        Box::pin(async move {
            let result = match mood {
                Mood::Well => self.memory.put(object).await.result,
                Mood::Refuses => Err(unreachable()),
                Mood::Breaks => Err(retry()),
                Mood::Hangs => pending().await,
            };
            Answer { result, trace: Trace::default() }
        })
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        Box::pin(async move { self.put(object).await.map(|()| Created::Written) })
    }

    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        self.memory.get(name, len_max)
    }

    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        self.memory.list(prefix, max)
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        self.memory.delete(name)
    }

    fn place(&self) -> String {
        "a moody store".into()
    }
}

fn fast() -> Limits {
    Limits {
        workers: 4,
        backlog: SHARE,
        put_deadline: Duration::from_millis(20),
        backoff: Backoff { first: Duration::from_millis(1), cap: Duration::from_millis(5) },
        check_every: Duration::from_millis(5),
        check_deadline: Duration::from_secs(5),
    }
}

fn start(
    id: &str,
    store: Arc<dyn Store>,
    url: &str,
    limits: Limits,
) -> (Delivery, mpsc::Receiver<Ack>, Metrics) {
    start_beside(None, id, store, url, limits)
}

fn start_beside(
    other: Option<Other>,
    id: &str,
    store: Arc<dyn Store>,
    url: &str,
    limits: Limits,
) -> (Delivery, mpsc::Receiver<Ack>, Metrics) {
    let (acks, received) = mpsc::channel(ACKS_MAX);
    let metrics = Metrics::new();
    let node = Node { id: id.parse().unwrap(), url: url.into() };
    let figures = metrics.target(&id.parse().unwrap(), &node.id);
    let client = crate::web::client().unwrap();
    let delivery = Delivery::start(
        id.parse().unwrap(),
        node,
        store,
        client,
        other,
        Outlets { acks, evidence: None, metrics: figures },
        limits,
    );
    (delivery, received, metrics)
}

/// Writes the object's four bytes to a spool directory.
fn spooled(dir: &std::path::Path, object: Arc<ObjectRef>) -> Arc<ObjectRef> {
    let mut object = Arc::unwrap_or_clone(object);
    object.path = dir.join(object.name.replace('/', "_"));
    std::fs::write(&object.path, "body").unwrap();
    Arc::new(object)
}

async fn names(acks: &mut mpsc::Receiver<Ack>, count: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let ack = acks.recv().await.unwrap();
        assert!(names.insert(ack.object.name.clone()), "acknowledged twice");
    }
    names
}

async fn until(status: &mut watch::Receiver<Status>, up: bool) -> Status {
    status
        .wait_for(|status| status.up == up && (up || status.error.as_deref() != Some("it was not tried yet")))
        .await
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_dead_target_neither_delays_another_nor_the_caller_and_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    for mood in [Mood::Refuses, Mood::Hangs, Mood::Breaks] {
        let (good, bad) = (Moody::new(Mood::Well), Moody::new(mood));
        let (a, mut a_acks, _) = start("a", good.clone(), "http://127.0.0.1:1", fast());
        let (b, mut b_acks, _) = start("b", bad.clone(), "http://127.0.0.1:1", fast());
        let objects: Vec<_> = (0..20).map(|n| spooled(dir.path(), segment(n * 2000))).collect();
        for object in &objects {
            a.enqueue(object.clone(), Some(Bytes::from_static(b"body")));
            b.enqueue(object.clone(), None);
        }
        let all: BTreeSet<_> = objects.iter().map(|object| object.name.clone()).collect();
        assert_eq!(names(&mut a_acks, 20).await, all, "{mood:?}");
        timeout(Duration::from_secs(60), a.drained()).await.unwrap();
        let mut status = b.status();
        assert!(until(&mut status, false).await.error.is_some());
        assert!(b_acks.try_recv().is_err());
        assert_eq!(b.pending(), 20);

        bad.mood.send_replace(Mood::Well);
        assert_eq!(names(&mut b_acks, 20).await, all, "{mood:?}");
        until(&mut status, true).await;
        timeout(Duration::from_secs(60), b.drained()).await.unwrap();
        assert_eq!(bad.memory.object(&objects[7].name).unwrap().body, &b"body"[..]);
    }
}

#[tokio::test]
async fn a_target_that_dies_and_returns_while_idle_is_noticed() {
    let store = Moody::new(Mood::Refuses);
    let (delivery, _acks, metrics) = start("a", store.clone(), "http://127.0.0.1:1", fast());
    let mut status = delivery.status();
    assert_eq!(until(&mut status, false).await.error.as_deref(), Some("nobody there"));
    store.mood.send_replace(Mood::Well);
    assert_eq!(until(&mut status, true).await.error, None);
    assert!(metrics.text().contains("railbird_target_up{target=\"a\"} 1"));
}

#[tokio::test]
async fn an_object_that_the_spool_lost_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (delivery, mut acks, metrics) = start("a", Moody::new(Mood::Well), "http://127.0.0.1:1", fast());
    let short = spooled(dir.path(), segment(2000));
    std::fs::write(&short.path, "bo").unwrap();
    for object in [segment(0), short, spooled(dir.path(), segment(4000))] {
        delivery.enqueue(object, None);
    }
    assert_eq!(names(&mut acks, 1).await.pop_first().as_deref(), Some("t/s/4000.m4s"));
    timeout(Duration::from_secs(60), delivery.drained()).await.unwrap();
    assert!(metrics.text().contains("railbird_target_puts_total{target=\"a\",result=\"gone\"} 2"));
}

/// A symbolic link that leads to itself can't be opened, and yet it is there: as with too many open files.
#[tokio::test]
async fn an_object_that_cannot_be_read_for_a_while_is_sent_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let (delivery, mut acks, metrics) = start("a", Moody::new(Mood::Well), "http://127.0.0.1:1", fast());
    let mut status = delivery.status();
    until(&mut status, true).await;
    let object = spooled(dir.path(), segment(0));
    std::fs::remove_file(&object.path).unwrap();
    std::os::unix::fs::symlink(&object.path, &object.path).unwrap();
    delivery.enqueue(object.clone(), None);
    let unread = |line: &str| {
        let count = line.strip_prefix("railbird_target_puts_total{target=\"a\",result=\"unread\"} ");
        count.is_some_and(|count| count.parse::<u64>().unwrap() >= 3)
    };
    while !metrics.text().lines().any(unread) {
        tokio::task::yield_now().await;
    }
    assert!(status.borrow().up, "the target did nothing wrong");
    assert_eq!(delivery.pending(), 1);
    std::fs::remove_file(&object.path).unwrap();
    spooled(dir.path(), segment(0));
    assert_eq!(acks.recv().await.unwrap().object, object);
}

/// Invariant 3: what was acknowledged once is what was made. What the disk spoilt never leaves the house.
#[tokio::test]
async fn invariant_3_an_object_that_the_disk_spoilt_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Moody::new(Mood::Well);
    let (delivery, mut acks, metrics) = start("a", store.clone(), "http://127.0.0.1:1", fast());
    let spoilt = spooled(dir.path(), segment(2000));
    std::fs::write(&spoilt.path, "bodi").unwrap();
    delivery.enqueue(spoilt.clone(), None);
    delivery.enqueue(spooled(dir.path(), segment(4000)), None);
    assert_eq!(names(&mut acks, 1).await.pop_first().as_deref(), Some("t/s/4000.m4s"));
    timeout(Duration::from_secs(60), delivery.drained()).await.unwrap();
    assert!(store.memory.object(&spoilt.name).is_none());
    assert!(delivery.status().borrow().up);
    assert!(metrics.text().contains("railbird_target_puts_total{target=\"a\",result=\"gone\"} 1"));
}

/// What a read of a [`Picky`] store comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Well,
    Nothing,
    Fails,
    Refused,
}

/// A memory store that honours conditional create, and can be told how it reads, and whether it is there.
struct Picky {
    memory: Memory,
    read: watch::Sender<Read>,
    gone: watch::Sender<bool>,
    /// How long it takes to create or give an object.
    pause: watch::Sender<Duration>,
    /// The most bytes of an object that it was asked for last.
    asked: watch::Sender<usize>,
    conditional: bool,
    cached: bool,
}

impl Picky {
    fn new(read: Read) -> Arc<Picky> {
        let (read, gone) = (watch::Sender::new(read), watch::Sender::new(false));
        let (pause, asked) = (watch::Sender::new(Duration::ZERO), watch::Sender::new(0));
        let (memory, conditional, cached) = (Memory::default(), true, false);
        Arc::new(Picky { memory, read, gone, pause, asked, conditional, cached })
    }

    /// One that reads well, honours no condition, and may lie behind a cache.
    fn without_conditions(cached: bool) -> Arc<Picky> {
        let picky = Arc::into_inner(Picky::new(Read::Well)).unwrap();
        Arc::new(Picky { conditional: false, cached, ..picky })
    }

    fn if_there<'a, T: Send + 'static>(&self, ask: impl FnOnce() -> Pending<'a, T>) -> Pending<'a, T> {
        if !*self.gone.borrow() {
            return ask();
        }
        let none = Answer { result: Err(unreachable()), trace: Trace::default() };
        Box::pin(std::future::ready(none))
    }

    fn slowly<'a, T: Send + 'a>(&self, answer: Pending<'a, T>) -> Pending<'a, T> {
        let pause = *self.pause.borrow();
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            answer.await
        })
    }
}

impl Store for Picky {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        self.if_there(|| self.memory.put(object))
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        if !self.conditional {
            return Box::pin(async move { self.put(object).await.map(|()| Created::Written) });
        }
        self.slowly(self.if_there(|| self.memory.create(object)))
    }

    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        let error = match *self.read.borrow() {
            Read::Well => {
                self.asked.send_replace(len_max);
                return self.slowly(self.memory.get(name, len_max));
            }
            Read::Nothing => Ok(None),
            Read::Fails => Err(retry()),
            Read::Refused => Err(PutError::GiveUp("odd".into())),
        };
        Box::pin(std::future::ready(Answer { result: error, trace: Trace::default() }))
    }

    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        self.memory.list(prefix, max)
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        self.memory.delete(name)
    }

    fn is_cached(&self) -> bool {
        self.cached
    }

    fn place(&self) -> String {
        "a picky store".into()
    }
}

const DEADLINE: Duration = Duration::from_secs(60);

/// One of a pair, beside what the other one wrote as the recording's object 2.
struct Beside {
    recorded: Recorded,
    store: Arc<Picky>,
    object: Arc<ObjectRef>,
    others: Bytes,
    delivery: Delivery,
    acks: mpsc::Receiver<Ack>,
    metrics: Metrics,
}

impl Beside {
    async fn new(read: Read) -> Beside {
        Beside::of(Picky::new(read)).await
    }

    async fn of(store: Arc<Picky>) -> Beside {
        let recorded = Recorded::new(1);
        let (object, others) = (recorded_object(&recorded, 2), recorded.retold(2));
        store.put(Object::media(object.name.clone(), others.clone())).await.result.unwrap();
        let other = Some(Other { secret: recorded.secret.clone() });
        let limits = Limits { put_deadline: DEADLINE, ..fast() };
        let (delivery, acks, metrics) = start_beside(other, "a", store.clone(), "http://127.0.0.1:1", limits);
        until(&mut delivery.status(), true).await;
        Beside { recorded, store, object, others, delivery, acks, metrics }
    }

    fn is_conditional(&self) -> bool {
        self.delivery.shared.conditional.load(Ordering::Relaxed)
    }

    /// Waits until so many puts had this result.
    async fn puts(&self, result: &str, many: u64) {
        let line = format!("railbird_target_puts_total{{target=\"a\",result=\"{result}\"}} ");
        let count = |text: String| {
            let mut counts = text.lines().filter_map(|text| text.strip_prefix(&line)?.parse::<u64>().ok());
            counts.next().unwrap()
        };
        let counted = async {
            while count(self.metrics.text()) < many {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, counted).await.unwrap();
    }

    fn there(&self) -> Bytes {
        self.store.memory.object(&self.object.name).unwrap().body
    }
}

#[tokio::test]
async fn a_read_that_fails_while_a_store_is_tried_says_nothing_of_conditional_create() {
    let beside = Beside::new(Read::Fails).await;
    assert!(beside.is_conditional(), "the read says nothing of that");
    // Away, and back while it reads badly: what was found holds.
    let mut status = beside.delivery.status();
    beside.store.gone.send_replace(true);
    beside.delivery.enqueue(recorded_object(&beside.recorded, 1), None);
    until(&mut status, false).await;
    beside.store.read.send_replace(Read::Fails);
    beside.store.gone.send_replace(false);
    until(&mut status, true).await;
    assert!(beside.is_conditional());
}

#[tokio::test]
async fn invariant_3_what_stands_there_and_cannot_be_read_is_not_written_over() {
    let mut beside = Beside::new(Read::Well).await;
    for read in [Read::Refused, Read::Fails] {
        beside.store.read.send_replace(read);
        beside.delivery.enqueue(beside.object.clone(), None);
        beside.puts("retry", 3).await;
        assert!(beside.there() == beside.others, "{read:?}");
    }
    beside.store.read.send_replace(Read::Well);
    assert_eq!(beside.acks.recv().await.unwrap().object, beside.object);
    timeout(Duration::from_secs(60), beside.delivery.drained()).await.unwrap();
    assert!(beside.there() == beside.others);
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_an_object_together_have_one_deadline() {
    let mut beside = Beside::new(Read::Well).await;
    assert!(beside.is_conditional());
    // To create it and to read what is there: longer together than an object may take.
    let pause = DEADLINE * 3 / 5;
    beside.store.pause.send_replace(pause);
    beside.delivery.enqueue(beside.object.clone(), None);
    let both = pause * 2 + DEADLINE / 10;
    assert!(timeout(both, beside.acks.recv()).await.is_err(), "it was late, and is tried again");
    beside.store.pause.send_replace(Duration::ZERO);
    assert_eq!(beside.acks.recv().await.unwrap().object, beside.object);
}

#[tokio::test]
async fn invariant_3_what_stands_there_is_read_up_to_the_longest_segment_and_stays_beyond() {
    let mut beside = Beside::new(Read::Well).await;
    let bound = railbird_core::segment::OPEN_LEN_MAX + (16 << 20);
    let longer = Object::media(beside.object.name.clone(), vec![0; bound + 1].into());
    beside.store.memory.put(longer).await.result.unwrap();
    beside.delivery.enqueue(beside.object.clone(), None);
    let ack = beside.acks.recv().await.unwrap();
    assert_eq!((&ack.object, ack.has), (&beside.object, Has::Less));
    assert_eq!(*beside.store.asked.borrow(), bound);
    assert_eq!(beside.there().len(), bound + 1);
}

#[tokio::test]
async fn what_the_other_origins_encoder_made_in_a_rungs_place_stays_and_is_told_as_the_others() {
    let mut beside = Beside::new(Read::Well).await;
    let kind = Kind::Rung { init: "t/low/init-1.mp4".into() };
    let object = Arc::new(ObjectRef { kind, ..(*beside.object).clone() });
    for (needs, has) in [("t/low/init-2.mp4", Has::Others), ("t/low/init-1.mp4", Has::All)] {
        let (secret, channel) = (&beside.recorded.secret, &object.channel);
        let period = keys::period(object.start, object.key_period_s);
        let (key, iv) = (secret.content_key(channel, period), keys::iv(channel, period));
        let mut theirs = beside.others.to_vec();
        keys::decrypt(&key, &iv, &mut theirs).unwrap();
        fmp4::name_init(needs, &mut theirs);
        keys::encrypt(&key, &iv, &mut theirs);
        let theirs = Bytes::from(theirs);
        beside.store.memory.put(Object::media(object.name.clone(), theirs.clone())).await.result.unwrap();
        beside.delivery.enqueue(object.clone(), None);
        let ack = beside.acks.recv().await.unwrap();
        assert_eq!((&ack.object, ack.has), (&object, has), "{needs}");
        assert!(beside.there() == theirs);
    }
}

#[tokio::test]
async fn invariant_3_what_stands_there_while_reads_fail_from_the_start_is_not_written_over() {
    let mut beside = Beside::new(Read::Fails).await;
    beside.delivery.enqueue(beside.object.clone(), None);
    beside.puts("retry", 4).await;
    assert!(beside.there() == beside.others);
    beside.store.read.send_replace(Read::Well);
    assert_eq!(beside.acks.recv().await.unwrap().object, beside.object);
    assert!(beside.there() == beside.others);
    // A store that lets nobody read is not asked for ever, and nothing there is written over either.
    let mut beside = Beside::new(Read::Refused).await;
    beside.delivery.enqueue(beside.object.clone(), None);
    let ack = beside.acks.recv().await.unwrap();
    assert_eq!((&ack.object, ack.has), (&beside.object, Has::Less));
    assert!(beside.there() == beside.others);
}

#[tokio::test]
async fn invariant_3_a_part_of_the_other_origin_stays_and_one_that_is_not_there_is_written() {
    let recorded = Recorded::new(1);
    let moody = Moody::new(Mood::Well);
    let stores: [Arc<dyn Store>; 2] = [Arc::new(Memory::default()), moody];
    for store in stores {
        let (there, new) = (part(1_000), part(1_334));
        store.put(Object::media(there.name.clone(), Bytes::from_static(b"else"))).await.result.unwrap();
        let other = Some(Other { secret: recorded.secret.clone() });
        let limits = Limits { put_deadline: DEADLINE, ..fast() };
        let (delivery, mut acks, _) = start_beside(other, "a", store.clone(), "http://127.0.0.1:1", limits);
        until(&mut delivery.status(), true).await;
        for part in [&there, &new] {
            delivery.enqueue(part.clone(), Some(Bytes::from_static(b"body")));
        }
        names(&mut acks, 2).await;
        for (part, body) in [(there, "else"), (new, "body")] {
            let found = store.get(&part.name, 16).await.result.unwrap().unwrap();
            assert_eq!(found, body, "{}", store.place());
        }
    }
}

#[tokio::test]
async fn a_store_without_conditions_whose_reads_fail_gets_writes_after_two_and_one_behind_a_cache_is_not_asked()
 {
    for (cached, failed) in [(false, 2_u64), (true, 0)] {
        let mut beside = Beside::of(Picky::without_conditions(cached)).await;
        beside.store.read.send_replace(Read::Fails);
        beside.delivery.enqueue(beside.object.clone(), None);
        assert_eq!(beside.acks.recv().await.unwrap().object, beside.object);
        timeout(DEADLINE, beside.delivery.drained()).await.unwrap();
        assert!(beside.there() == ours(&beside.recorded, 2));
        let line = format!("railbird_target_puts_total{{target=\"a\",result=\"retry\"}} {failed}\n");
        assert!(beside.metrics.text().contains(&line), "{}", beside.metrics.text());
    }
}

#[tokio::test]
async fn an_object_that_is_said_to_be_there_and_never_is_gets_written_and_the_target_stays_up() {
    let mut beside = Beside::new(Read::Well).await;
    let mut status = beside.delivery.status();
    status.mark_unchanged();
    beside.store.read.send_replace(Read::Nothing);
    beside.delivery.enqueue(beside.object.clone(), None);
    assert_eq!(beside.acks.recv().await.unwrap().object, beside.object);
    timeout(Duration::from_secs(60), beside.delivery.drained()).await.unwrap();
    beside.puts("raced", 5).await;
    assert!(!status.has_changed().unwrap(), "{:?}", status.borrow());
    assert!(beside.there() == ours(&beside.recorded, 2));
}

/// An object of a recording, in its spool.
fn recorded_object(recorded: &Recorded, n: u32) -> Arc<ObjectRef> {
    crate::driver::shelf::object(&recorded.reel, n, recorded.path(n)).unwrap()
}

fn ours(recorded: &Recorded, n: u32) -> Bytes {
    std::fs::read(recorded.path(n)).unwrap().into()
}

/// Of five objects, a target has what the other origin wrote: another init segment of this name, which can't be; the same
/// segment; another whole one; ours with damaged media; and nothing. All five are acknowledged once they are enqueued here.
async fn beside(
    recorded: &Recorded,
    other: Option<Other>,
    store: Arc<dyn Store>,
) -> (Vec<Option<Bytes>>, String) {
    let there = [Bytes::from_static(b"init"), ours(recorded, 1), recorded.retold(2), recorded.damaged(3)];
    for (n, bytes) in (0..).zip(there) {
        let name = recorded_object(recorded, n).name.clone();
        store.put(Object::media(name, bytes)).await.result.unwrap();
    }
    let limits = Limits { put_deadline: Duration::from_secs(60), ..fast() };
    let (delivery, mut acks, metrics) = start_beside(other, "a", store.clone(), "http://127.0.0.1:1", limits);
    (0..5).for_each(|n| drop(delivery.enqueue(recorded_object(recorded, n), None)));
    names(&mut acks, 5).await;
    timeout(Duration::from_secs(60), delivery.drained()).await.unwrap();
    let mut now = Vec::new();
    for n in 0..5 {
        now.push(store.get(&recorded_object(recorded, n).name, 1 << 24).await.result.unwrap());
    }
    (now, metrics.text())
}

#[tokio::test]
async fn invariant_3_what_the_other_origin_of_a_pair_wrote_stays_where_the_store_lets_it() {
    let recorded = Recorded::new(1);
    let other = || Some(Other { secret: recorded.secret.clone() });
    let made: Vec<_> = (0..5).map(|n| Some(ours(&recorded, n))).collect();

    let (now, figures) = beside(&recorded, other(), Arc::new(Memory::default())).await;
    let mut kept = made.clone();
    kept[2] = Some(recorded.retold(2));
    assert!(now == kept, "another whole segment stays, damage does not");
    for count in ["\"ok\"} 4", "\"others\"} 1"] {
        assert!(figures.contains(&format!("railbird_target_puts_total{{target=\"a\",result={count}")));
    }
    // Where the store honours no condition, it is asked first; where nobody else writes, what is there is wrong.
    let (now, figures) = beside(&recorded, other(), Moody::new(Mood::Well)).await;
    assert!(now == kept, "another whole segment stays, damage does not");
    assert!(figures.contains("railbird_target_puts_total{target=\"a\",result=\"others\"} 1"), "{figures}");
    let (now, _) = beside(&recorded, None, Arc::new(Memory::default())).await;
    assert!(now == made);
}

#[tokio::test]
async fn a_node_that_gives_what_the_other_origin_of_a_pair_wrote_is_well_and_one_that_spoils_it_is_not() {
    let recorded = Recorded::new(1);
    let other = || Some(Other { secret: recorded.secret.clone() });
    let (object, whole) = (recorded_object(&recorded, 1), recorded.retold(1));
    let mut damaged = whole.to_vec();
    damaged[40] ^= 1;
    let cases = [
        (other(), ours(&recorded, 1), true),
        (other(), whole.clone(), true),
        (None, whole.clone(), false),
        (other(), damaged.into(), false),
        (other(), recorded.damaged(1), false),
        (other(), whole.slice(..whole.len() - 16), false),
        (other(), ours(&recorded, 2), false),
        (other(), Bytes::from_static(b"<html>sold out</html>"), false),
    ];
    for (number, (other, given, up)) in cases.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let (access_key, secret_key) =
            (crate::config::Secret::new("key"), crate::config::Secret::new("secret"));
        let credentials = Credentials { access_key, secret_key };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = NodeServer::start(listen, dir.path(), &["live"], &credentials).await.unwrap();
        let path = dir.path().join("live").join(&object.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, given).unwrap();
        let url = format!("http://{}/live", server.addr());
        let limits = Limits { put_deadline: Duration::from_secs(60), ..fast() };
        let (delivery, _acks, _) = start_beside(other, "a", Arc::new(Memory::default()), &url, limits);
        let mut node_up = delivery.node_up();
        delivery.enqueue(object.clone(), None);
        // The first answer decides at once, and every byte of it is read.
        timeout(Duration::from_secs(60), node_up.changed()).await.unwrap().unwrap();
        assert_eq!(*node_up.borrow(), up, "case {number}");
    }
}

#[tokio::test]
async fn a_real_node_is_up_when_it_is_written_and_read_and_down_when_it_dies() {
    let dir = tempfile::tempdir().unwrap();
    let (access_key, secret_key) = (crate::config::Secret::new("key"), crate::config::Secret::new("secret"));
    let credentials = Credentials { access_key: access_key.clone(), secret_key: secret_key.clone() };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = NodeServer::start(listen, dir.path(), &["live"], &credentials).await.unwrap();
    let limits = Limits { put_deadline: Duration::from_secs(20), ..fast() };
    let bucket = crate::config::Bucket {
        endpoint: Some(format!("http://{}", server.addr())),
        region: "us-east-1".into(),
        bucket: "live".into(),
        prefix: String::new(),
        path_style: true,
        access_key,
        secret_key,
    };
    let wait = limits.put_deadline;
    let deadlines =
        crate::config::Deadlines { dns: wait, connect: wait, tls: wait, first_byte: wait, total: wait };
    let store = S3::new(&bucket, &crate::config::Connection { deadlines, authority: None }).unwrap();
    let url = format!("http://{}/live", server.addr());
    let (delivery, mut acks, _) = start("a", Arc::new(store), &url, limits);
    let (mut status, mut up) = (delivery.status(), delivery.up());
    until(&mut status, true).await;
    assert!(!*up.borrow(), "nothing was read yet");
    delivery.enqueue(segment(0), Some(Bytes::from_static(b"body")));
    names(&mut acks, 1).await;
    up.wait_for(|up| *up).await.unwrap();
    for _ in 0..2 {
        server.set_up(false).await.unwrap();
        // The read-back alone notices: nothing is put at the moment.
        up.wait_for(|up| !*up).await.unwrap();
        server.set_up(true).await.unwrap();
        up.wait_for(|up| *up).await.unwrap();
    }
    // A refused put counts at once.
    server.set_up(false).await.unwrap();
    delivery.enqueue(spooled(dir.path(), segment(2000)), None);
    let error = until(&mut status, false).await.error.unwrap();
    assert!(error.contains("refuses connections"), "{error}");
    server.set_up(true).await.unwrap();
    names(&mut acks, 1).await;
    up.wait_for(|up| *up).await.unwrap();
}
