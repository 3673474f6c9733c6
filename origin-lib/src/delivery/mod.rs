//! Brings objects from the spool to the targets: each target by itself, so that a dead one delays nobody.
//!
//! A target has its own bounded queue, its own workers, retry and breaker. [`Delivery::enqueue`] never waits. What a
//! target acknowledged goes out as an [`Ack`]; whether the target takes objects and its node gives them, as a `watch`.

mod node;
mod object;
mod put;
pub mod queue;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::TargetId;
use railbird_core::recording::Record;
use railbird_core::state::NodeProbe;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

pub use object::{Kind, ObjectRef};
pub use queue::{BODIES_LEN_MAX, Backoff, ROOM, Share, WAITING_MAX};

use crate::clock;
use crate::config::Node;
use crate::evidence::{Entry, Evidence, Subject, What};
use crate::other::Other;
use crate::store::{self, Answer, Findings, PutError, Store, Trace, Tried};
use crate::telemetry::{PutResult, TargetMetrics};
use queue::{Entry as QueueEntry, Next, Outcome, Queue};

/// A put that takes longer is slow: the evidence says so.
const SLOW: Duration = Duration::from_secs(1);

/// The most acknowledgements that wait for their consumer; above it, workers wait with them.
pub const ACKS_MAX: usize = 1024;

/// A target has an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The target.
    pub target: TargetId,
    /// The object.
    pub object: Arc<ObjectRef>,
    /// What it has under its name.
    pub has: Has,
}

/// What a target has under an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// Ours, or the other origin's of a pair that is as good.
    All,
    /// The other origin's, which lacks frames of ours.
    Less,
    /// What the other origin's encoder made in a rung's place, which does not play as ours would.
    Others,
}

impl Has {
    /// The record of it: of object `n`, at this target.
    pub fn record(self, n: u32, target: TargetId) -> Record {
        match self {
            Has::All => Record::Ack { n, target, less: false },
            Has::Less => Record::Ack { n, target, less: true },
            Has::Others => Record::Others { n, target },
        }
    }
}

/// How a target is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// It takes objects.
    pub up: bool,
    /// Why it is down: a sentence for a person.
    pub error: Option<String>,
}

/// The bounds of one target's work.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Puts at a time.
    pub workers: usize,
    /// How many of them, and how much bandwidth, the backlog may take.
    pub backlog: Share,
    /// How long one put may take.
    pub put_deadline: Duration,
    /// How long to wait after failures.
    pub backoff: Backoff,
    /// How often the node is read back.
    pub check_every: Duration,
    /// How long a read-back may take.
    pub check_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            workers: 4,
            backlog: Share { workers: 2, bytes_a_second: None },
            put_deadline: Duration::from_secs(10),
            backoff: Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(3) },
            check_every: Duration::from_secs(1),
            check_deadline: Duration::from_secs(1),
        }
    }
}

/// One target's delivery. Dropping it stops it; what waits stays in the spool.
pub struct Delivery {
    shared: Arc<Shared>,
    status: watch::Receiver<Status>,
    node_up: watch::Receiver<bool>,
    probed: watch::Receiver<Option<NodeProbe>>,
    up: watch::Receiver<bool>,
    // Dropped, they abort their tasks.
    _tasks: JoinSet<()>,
}

struct Shared {
    target: TargetId,
    store: Arc<dyn Store>,
    acks: mpsc::Sender<Ack>,
    evidence: Option<Evidence>,
    metrics: TargetMetrics,
    limits: Limits,
    /// This origin is one of a pair.
    other: Option<Other>,
    /// The store gives back what stands there.
    readable: AtomicBool,
    /// It lets us read nothing, or gives something else: not only at the moment.
    unreadable: AtomicBool,
    /// It honours conditional create.
    conditional: AtomicBool,
    /// What the other origin wrote differs from what is made here: said once, until it does not.
    differs: AtomicBool,
    queue: Mutex<Queue>,
    changed: Notify,
    /// How many objects are pending, and how many of them the target has refused.
    pending: watch::Sender<(usize, usize)>,
    overflowed: AtomicBool,
    /// The spool can't be read: said once, until it can.
    unread: AtomicBool,
    status: watch::Sender<Status>,
    newest: watch::Sender<Option<Written>>,
}

/// An object that a target has acknowledged, for reading it back.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// When it was acknowledged.
    pub at: Instant,
}

/// Where a delivery tells what it does.
#[derive(Clone)]
pub struct Outlets {
    /// What was acknowledged.
    pub acks: mpsc::Sender<Ack>,
    /// What happened to target and node, where it is kept.
    pub evidence: Option<Evidence>,
    /// Figures.
    pub metrics: TargetMetrics,
}

impl Delivery {
    /// Starts a target's tasks on the current runtime. The first thing they do is to try the store ([`store::probe`]).
    /// `client` reads back through the node. `other`: another origin writes the same objects.
    pub fn start(
        target: TargetId,
        node: Node,
        store: Arc<dyn Store>,
        client: reqwest::Client,
        other: Option<Other>,
        outlets: Outlets,
        limits: Limits,
    ) -> Delivery {
        let Outlets { acks, evidence, metrics } = outlets;
        let queue = Queue::new(limits.workers, limits.backlog, limits.backoff, std::time::Instant::now());
        let error = queue.down().map(String::from);
        let status = watch::Sender::new(Status { up: false, error });
        let shared = Arc::new(Shared {
            target,
            store,
            acks,
            evidence: evidence.clone(),
            metrics: metrics.clone(),
            limits: limits.clone(),
            other: other.clone(),
            readable: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            conditional: AtomicBool::new(false),
            differs: AtomicBool::new(false),
            queue: Mutex::new(queue),
            changed: Notify::new(),
            pending: watch::Sender::new((0, 0)),
            overflowed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            status,
            newest: watch::Sender::new(None),
        });
        let (node_sender, node_up) = watch::channel(false);
        let (up_sender, up) = watch::channel(false);
        let probe = watch::Sender::new(None);
        let probed = probe.subscribe();
        let reader = node::Reader { node, client, other, metrics, evidence, limits };
        let mut tasks = JoinSet::new();
        tasks.spawn(reader.run(shared.newest.subscribe(), node_sender, probe));
        tasks.spawn(join(shared.status.subscribe(), node_up.clone(), up_sender));
        tasks.spawn(run(shared.clone()));
        Delivery { status: shared.status.subscribe(), shared, node_up, probed, up, _tasks: tasks }
    }

    /// The target.
    pub fn target(&self) -> &TargetId {
        &self.shared.target
    }

    /// Queues an object and returns at once. `body` is its bytes, where they are at hand: they are kept only as long as
    /// the object goes out soon. Where the queue is full, the oldest segment leaves it and is returned. A part never takes
    /// another object's place: it goes out soon, or not at all.
    pub fn enqueue(&self, object: Arc<ObjectRef>, body: Option<Bytes>) -> Option<Arc<ObjectRef>> {
        let shared = &self.shared;
        let (dropped, pending) = {
            let mut queue = shared.queue();
            let dropped = queue.push(object, body);
            (dropped, (queue.pending(), queue.refused()))
        };
        shared.told_pending(pending);
        if dropped.is_some() {
            shared.metrics.dropped();
        }
        if let Some(object) = &dropped
            && !shared.overflowed.swap(true, Ordering::Relaxed)
        {
            let (target, name) = (&shared.target, &object.name);
            warn!(
                "target {target}: more than {WAITING_MAX} objects wait: the older ones, from {name} on, wait on the disk"
            );
        }
        shared.changed.notify_one();
        dropped
    }

    /// How many more objects of its backlog the queue takes.
    pub fn room(&self) -> usize {
        ROOM.saturating_sub(self.pending())
    }

    /// How the target is doing, and each change of it.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whether what was written can be read through the node. False before the first object was.
    pub fn node_up(&self) -> watch::Receiver<bool> {
        self.node_up.clone()
    }

    /// Whether the node may be used: its target takes objects, and it gives them.
    pub fn up(&self) -> watch::Receiver<bool> {
        self.up.clone()
    }

    /// What read-backs through the node found, once there was one.
    pub fn probed(&self) -> watch::Receiver<Option<NodeProbe>> {
        self.probed.clone()
    }

    /// The newest object that the target acknowledged, if any.
    pub fn newest(&self) -> watch::Receiver<Option<Written>> {
        self.shared.newest.subscribe()
    }

    /// Objects that wait or are on their way.
    pub fn pending(&self) -> usize {
        self.shared.pending.borrow().0
    }

    /// How many of them the target has refused: each is tried again, at most every ten minutes.
    pub fn refused(&self) -> usize {
        self.shared.pending.borrow().1
    }

    /// Resolves once nothing is pending but what the target has refused. It may never: bound it.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut pending = self.shared.pending.subscribe();
        // Without a sender nothing is delivered any more.
        async move { drop(pending.wait_for(|(pending, refused)| pending == refused).await.map(drop)) }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every method of the queue leaves it whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told_pending(&self, pending: (usize, usize)) {
        self.metrics.queue(pending.0, pending.1);
        self.pending.send_if_modified(|value| std::mem::replace(value, pending) != pending);
        if pending.0 < WAITING_MAX / 2 {
            self.overflowed.store(false, Ordering::Relaxed);
        }
    }

    /// Takes over what the queue says of the target, and logs each change once.
    fn tell(&self) {
        let (error, pending) = {
            let queue = self.queue();
            (queue.down().map(String::from), (queue.pending(), queue.refused()))
        };
        self.told_pending(pending);
        self.metrics.up(error.is_none());
        let target = &self.target;
        self.status.send_if_modified(|status| {
            let before = std::mem::replace(status, Status { up: error.is_none(), error });
            match &status.error {
                Some(error) if before.error.as_ref() != Some(error) => {
                    warn!("target {target} is down: {error}");
                    self.record(What::Down { reason: error.clone() }, None, 0, None);
                }
                None if !before.up => {
                    info!("target {target} is up, {} objects wait", pending.0);
                    self.record(What::Up, None, 0, None);
                }
                _ => {}
            }
            before != *status
        });
    }
}

impl Shared {
    fn record(&self, what: What, object: Option<&ObjectRef>, len: u64, trace: Option<Trace>) {
        if let Some(evidence) = &self.evidence {
            let subject = Subject::Target(self.target.clone());
            let object = object.map(|object| object.name.clone());
            evidence.record(Entry { at: clock::now(), subject, what, object, len, trace });
        }
    }
}

/// Two that must both hold.
async fn join(mut target: watch::Receiver<Status>, mut node: watch::Receiver<bool>, up: watch::Sender<bool>) {
    loop {
        let now = target.borrow_and_update().up && *node.borrow_and_update();
        up.send_if_modified(|value| std::mem::replace(value, now) != now);
        let alive = tokio::select! {
            changed = target.changed() => changed.is_ok(),
            changed = node.changed() => changed.is_ok(),
        };
        if !alive {
            return;
        }
    }
}

/// What a finished job hands back.
enum Job {
    Put(QueueEntry, Outcome, Option<Trace>),
    Probe(Answer<Findings>),
}

/// Drives one target's queue for ever.
async fn run(shared: Arc<Shared>) {
    let mut jobs = JoinSet::new();
    let mut found = None;
    loop {
        let next = shared.queue().next(Instant::now().into_std());
        match next {
            Next::Put(entry) => {
                jobs.spawn(put::put(shared.clone(), entry));
            }
            Next::Probe => {
                jobs.spawn(probe(shared.clone()));
            }
            Next::Wait(until) => {
                let pause = async {
                    match until {
                        Some(until) => sleep_until(until.into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = shared.changed.notified() => {}
                    () = pause => {}
                    Some(job) = jobs.join_next() => match job {
                        Ok(job) => finish(&shared, job, &mut found),
                        // Nothing in a job panics, and nobody aborts one.
                        Err(error) => warn!("target {}: a put was lost: {error}", shared.target),
                    }
                }
            }
        }
    }
}

fn finish(shared: &Shared, job: Job, found: &mut Option<Findings>) {
    let (now, jitter) = (Instant::now().into_std(), jitter());
    match job {
        Job::Put(entry, outcome, trace) => {
            shared.metrics.put(result_of(&outcome));
            let what = what_of(&outcome, trace.as_ref());
            // Parts come several a second: only what went wrong with them is worth keeping.
            if let Some(what) = what.filter(|what| !(entry.object.is_part() && matches!(what, What::Done))) {
                shared.record(what, Some(&entry.object), entry.object.len, trace);
            }
            if let Outcome::Failed(error) = &outcome {
                debug!("target {}: {} failed: {error}", shared.target, entry.object.name);
            }
            if let Outcome::Failed(error @ (PutError::GiveUp(_) | PutError::TooLong(_))) = &outcome {
                warn!("target {} refuses {}: {error}: it is tried again", shared.target, entry.object.name);
            }
            shared.queue().done(entry, &outcome, now, jitter);
        }
        Job::Probe(Answer { result, trace }) => {
            if let Err(error) = &result {
                shared.record(failed(error), None, 0, Some(trace));
            }
            // A read that failed says nothing of what the store gives: what was found before holds until one comes through.
            let open = result.as_ref().is_ok_and(|findings| findings.read_back == Tried::Unknown);
            if let Ok(findings) = &result {
                shared.conditional.store(findings.conditional_create, Ordering::Relaxed);
                if !open {
                    let readable = findings.read_back == Tried::Works;
                    shared.readable.store(readable, Ordering::Relaxed);
                    shared.unreadable.store(!readable, Ordering::Relaxed);
                }
            }
            if let Ok(findings) = result
                && found.replace(findings) != Some(findings)
            {
                info!("target {}: {} {findings}", shared.target, shared.store.place());
            }
            let mut queue = shared.queue();
            queue.probed(&result.map(drop), now, jitter);
            if open && shared.other.is_some() {
                queue.probe_again(now + shared.limits.backoff.cap);
            }
        }
    }
    shared.tell();
}

/// What goes into the evidence: everything but what is our own disk's fault, or nobody's.
fn what_of(outcome: &Outcome, trace: Option<&Trace>) -> Option<What> {
    match outcome {
        Outcome::Acknowledged if trace.is_some_and(|trace| trace.total >= SLOW) => Some(What::Slow),
        Outcome::Acknowledged => Some(What::Done),
        Outcome::Others { .. } | Outcome::Unplayable => Some(What::Others),
        Outcome::Failed(error) => Some(failed(error)),
        Outcome::Raced | Outcome::Unread | Outcome::Gone => None,
    }
}

fn failed(error: &PutError) -> What {
    let class = match error {
        PutError::Unreachable(_) => "unreachable",
        PutError::Retry(_) => "retry",
        PutError::SlowDown { .. } => "slow-down",
        PutError::Misconfigured(_) => "misconfigured",
        PutError::GiveUp(_) | PutError::TooLong(_) => "give-up",
    };
    What::Failed { class: class.into(), text: error.to_string() }
}

fn result_of(outcome: &Outcome) -> PutResult {
    match outcome {
        Outcome::Acknowledged => PutResult::Ok,
        Outcome::Others { .. } | Outcome::Unplayable => PutResult::Others,
        Outcome::Raced => PutResult::Raced,
        Outcome::Unread => PutResult::Unread,
        Outcome::Gone => PutResult::Gone,
        Outcome::Failed(PutError::Unreachable(_)) => PutResult::Unreachable,
        Outcome::Failed(PutError::Retry(_)) => PutResult::Retry,
        Outcome::Failed(PutError::SlowDown { .. }) => PutResult::SlowDown,
        Outcome::Failed(PutError::Misconfigured(_)) => PutResult::Misconfigured,
        Outcome::Failed(PutError::GiveUp(_) | PutError::TooLong(_)) => PutResult::GiveUp,
    }
}

fn jitter() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness, pauses are at their shortest: origins may then retry in step, and that is all.
    let _ = getrandom::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

async fn probe(shared: Arc<Shared>) -> Job {
    let answer = timeout(shared.limits.put_deadline, store::probe(&*shared.store)).await;
    Job::Probe(answer.unwrap_or_else(|_| put::missed(&shared, "take")))
}
