//! The targets there are at the moment: from the configuration, and added, drained or removed while feeds run.
//!
//! What a person changed at run time is kept in `targets.json` below `data_dir`, so that a restart does not undo it.

mod begin;
mod kept;
pub mod passing;
mod reload;
pub mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use railbird_core::id::TargetId;
use railbird_core::state::{NODES_MAX, Node};
use railbird_core::time::MediaTime;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock;
use crate::config::Target;
use crate::delivery::{self, Ack, Delivery, ObjectRef, Outlets};
use crate::driver::{Message, Sender};
use crate::evidence::{Entry, Evidence, Subject, What};
use crate::journal::Takers;
use crate::other::Other;
use crate::store::{self, Store};
use crate::telemetry::Metrics;
use begin::{clash, node, place_of};
use kept::Kept;

pub use begin::{Begin, parse};

/// Why a target can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is none of this name.
    #[error("there is no target {0}: `railbird target list` names them")]
    Unknown(TargetId),
    /// There is another one of this name, or one with a node of this name.
    #[error("there is a target or node of this name already ({0}): remove it first, or choose another name")]
    Taken(String),
    /// As many as there can be.
    #[error("an origin has at most {NODES_MAX} targets: remove one first")]
    Full,
    /// The last one is needed.
    #[error("{0} is the only target that takes objects: add another one first")]
    Last(TargetId),
    /// What is sent is no target.
    #[error("{0}")]
    Invalid(String),
    /// The change can't be kept over a restart.
    #[error("the change can't be kept in {}: {error}", path.display())]
    NotKept {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The origin is stopping, or has too much to do.
    #[error("the origin is stopping")]
    Stopping,
}

/// Where a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It gets what is made.
    Active,
    /// It gets nothing new, and viewers are led away from its node.
    Draining,
}

/// A target as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The target.
    pub id: TargetId,
    /// Where it is, for people.
    pub place: String,
    /// Its node's name.
    pub node: String,
    /// Its node's address.
    pub url: String,
    /// Its node's weight.
    pub weight: u16,
    /// Where it stands.
    pub standing: Standing,
    /// It takes objects.
    pub up: bool,
    /// Why not.
    pub error: Option<String>,
    /// What was written can be read through its node.
    pub node_up: bool,
    /// How many objects wait in its queue.
    pub waiting: usize,
    /// How many of them it has refused. They are tried again, now and then.
    pub refused: usize,
    /// It was added at run time, and is not in the configuration.
    pub added: bool,
}

/// What starting a target takes.
pub struct Tools {
    /// Reads back through nodes.
    pub client: reqwest::Client,
    /// Figures.
    pub metrics: Metrics,
    /// What happens to targets and nodes.
    pub evidence: Evidence,
    /// The desk.
    pub desk: Sender,
    /// Another origin writes the same objects.
    pub other: Option<Other>,
}

/// The targets there are. Cheap to clone.
#[derive(Clone)]
pub struct Targets(Arc<Inner>);

struct Inner {
    data_dir: PathBuf,
    /// What relative paths in an added target are relative to.
    dir: PathBuf,
    tools: Tools,
    running: Mutex<BTreeMap<TargetId, Running>>,
    kept: Mutex<Kept>,
}

struct Running {
    config: Target,
    place: String,
    store: Arc<dyn Store>,
    standing: Standing,
    added: bool,
    delivery: Delivery,
    // Dropped, they abort their tasks.
    forward: JoinSet<()>,
}

impl Targets {
    /// Starts them all.
    pub fn start(data_dir: &Path, begin: Begin, tools: Tools) -> anyhow::Result<Targets> {
        let inner = Inner {
            data_dir: data_dir.into(),
            dir: begin.dir,
            tools,
            running: Mutex::default(),
            kept: Mutex::new(begin.kept),
        };
        inner.change(|kept| {
            let places = begin.targets.iter().map(|(target, _, _)| (target.id.clone(), place_of(target)));
            kept.places.extend(places);
        })?;
        for (target, standing, added) in begin.targets {
            let id = target.id.clone();
            match inner.run(target, standing, added) {
                Ok(running) => drop(inner.running().insert(id, running)),
                Err(error) if added => {
                    tracing::error!(target_id = %id, "a target that was added can't be used, mend or remove it: {error:#}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Targets(Arc::new(inner)))
    }

    /// Adds a target, given as the text of one `[[target]]`; `backfill`: with everything that is still on the disk.
    pub async fn add(&self, text: &str, backfill: bool) -> Result<TargetId, Refusal> {
        let target = parse(text, &self.0.dir)?;
        let id = target.id.clone();
        self.check(&target, None)?;
        let since = if backfill { MediaTime::default() } else { clock::now().media() };
        self.0.change(|kept| {
            kept.since.insert(id.clone(), since);
            kept.added.insert(id.clone(), text.to_string());
            kept.removed.remove(&id);
            kept.draining.remove(&id);
        })?;
        self.begin(target, true, since).await?;
        self.0.tell(&id, "it was added");
        Ok(id)
    }

    /// Whether a target can be started beside those there are, but for one in whose place it comes. Before anything is changed.
    fn check(&self, target: &Target, but: Option<&TargetId>) -> Result<(), Refusal> {
        {
            let running = self.0.running();
            let others = running.iter().filter(|(id, _)| Some(*id) != but);
            if let Some((id, _)) = others.clone().find(|(_, known)| clash(&known.config, target)) {
                return Err(Refusal::Taken(id.to_string()));
            }
            if others.count() >= NODES_MAX {
                return Err(Refusal::Full);
            }
        }
        // It is opened again to be used: now only to see that it can be.
        store::open(target).map(drop).map_err(|error| Refusal::Invalid(error.to_string()))
    }

    async fn begin(&self, target: Target, added: bool, since: MediaTime) -> Result<(), Refusal> {
        let (id, node) = (target.id.clone(), node(&target, Standing::Active));
        // The desk first: it must know whose acknowledgements come.
        self.0.change(|kept| drop(kept.places.insert(id.clone(), place_of(&target))))?;
        let message = Message::Target { target: id.clone(), node, since };
        self.0.tools.desk.send(message).await.map_err(|_| Refusal::Stopping)?;
        let running = self.0.run(target, Standing::Active, added);
        let running = running.map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        self.0.running().insert(id, running);
        Ok(())
    }

    /// A target gets nothing new from now on, and viewers are led away from its node. What waits still goes out.
    pub async fn drain(&self, id: &TargetId) -> Result<(), Refusal> {
        {
            let running = self.0.running();
            if !running.contains_key(id) {
                return Err(Refusal::Unknown(id.clone()));
            }
            if !running.iter().any(|(other, known)| other != id && known.standing == Standing::Active) {
                return Err(Refusal::Last(id.clone()));
            }
        }
        self.0.change(|kept| {
            kept.draining.insert(id.clone());
        })?;
        if let Some(running) = self.0.running().get_mut(id) {
            running.standing = Standing::Draining;
        }
        self.0.tools.desk.send(Message::Drain(id.clone())).await.map_err(|_| Refusal::Stopping)?;
        self.0.tell(id, "it is being drained");
        Ok(())
    }

    /// A target is gone: what waits for it is not sent, and playlists no longer name its node.
    pub async fn remove(&self, id: &TargetId) -> Result<(), Refusal> {
        {
            let running = self.0.running();
            let known = running.get(id).ok_or_else(|| Refusal::Unknown(id.clone()))?;
            let others = || running.iter().any(|(other, of)| other != id && of.standing == Standing::Active);
            if known.standing == Standing::Active && !others() {
                return Err(Refusal::Last(id.clone()));
            }
        }
        self.0.change(|kept| {
            kept.added.remove(id);
            kept.since.remove(id);
            kept.draining.remove(id);
            kept.removed.insert(id.clone());
        })?;
        self.end(id).await?;
        self.0.tell(id, "it was removed");
        Ok(())
    }

    async fn end(&self, id: &TargetId) -> Result<(), Refusal> {
        // First: an acknowledgement that came after the removal would count for another target of this name.
        self.halt(id).await;
        self.0.tools.desk.send(Message::Removed(id.clone())).await.map_err(|_| Refusal::Stopping)
    }

    async fn halt(&self, id: &TargetId) {
        let running = self.0.running().remove(id);
        if let Some(mut running) = running {
            running.forward.shutdown().await;
        }
    }

    /// Starts a target anew where it is, with another way to get there. What it has, it keeps.
    async fn restart(&self, target: Target, standing: Standing) -> Result<(), Refusal> {
        self.halt(&target.id).await;
        let (id, node, since) =
            (target.id.clone(), node(&target, standing), self.0.kept().since_of(&target.id));
        let running = self.0.run(target, standing, false);
        let running = running.map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        self.0.running().insert(id.clone(), running);
        let again =
            Message::Again { target: id, node, since: (standing == Standing::Active).then_some(since) };
        self.0.tools.desk.send(again).await.map_err(|_| Refusal::Stopping)
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Listed> {
        let running = self.0.running();
        let listed = |(id, of): (&TargetId, &Running)| {
            let status = of.delivery.status().borrow().clone();
            Listed {
                id: id.clone(),
                place: of.place.clone(),
                node: of.config.node.id.to_string(),
                url: of.config.node.url.clone(),
                weight: node(&of.config, of.standing).weight,
                standing: of.standing,
                up: status.up,
                error: status.error,
                node_up: *of.delivery.node_up().borrow(),
                waiting: of.delivery.pending(),
                refused: of.delivery.refused(),
                added: of.added,
            }
        };
        running.iter().map(listed).collect()
    }

    /// The nodes over the targets, whether each can be used included.
    pub fn nodes(&self) -> BTreeMap<TargetId, Node> {
        let running = self.0.running();
        let node = |(id, of): (&TargetId, &Running)| {
            let mut node = node(&of.config, of.standing);
            node.up = *of.delivery.up().borrow();
            (id.clone(), node)
        };
        running.iter().map(node).collect()
    }

    /// What is wrong with targets and nodes: what each is, its name, a sentence.
    pub fn unwell(&self) -> Vec<(&'static str, String, String)> {
        let running = self.0.running();
        let mut unwell = Vec::new();
        for (id, of) in running.iter() {
            let status = of.delivery.status().borrow().clone();
            if let Some(error) = status.error {
                unwell.push(("target", id.to_string(), error));
            } else if of.delivery.refused() > 0 {
                let refused = of.delivery.refused();
                let text = format!(
                    "it has refused {refused} objects, which are tried again every few minutes: the log says why"
                );
                unwell.push(("target", id.to_string(), text));
            }
            let written = status.up && of.delivery.newest().borrow().is_some();
            if written && !*of.delivery.node_up().borrow() {
                let node = &of.config.node;
                unwell.push(("node", node.id.to_string(), format!("nothing can be read at {}", node.url)));
            }
        }
        unwell
    }

    /// Those that get what is made.
    pub fn takers(&self) -> Takers {
        let active: Vec<TargetId> = {
            let running = self.0.running();
            let active = running.iter().filter(|(_, of)| of.standing == Standing::Active);
            active.map(|(id, _)| id.clone()).collect()
        };
        let kept = self.0.kept();
        active.into_iter().map(|id| (id.clone(), kept.since_of(&id))).collect()
    }

    /// The store of each.
    pub fn stores(&self) -> sweep::Stores {
        self.0.running().iter().map(|(id, of)| (id.clone(), of.store.clone())).collect()
    }

    /// Queues an object; gives one that had to leave the queue for it.
    pub fn enqueue(
        &self,
        target: &TargetId,
        object: Arc<ObjectRef>,
        body: Option<Bytes>,
    ) -> Option<Arc<ObjectRef>> {
        match self.0.running().get(target) {
            Some(running) => running.delivery.enqueue(object, body),
            // It comes with the backlog, once the target has started.
            None => Some(object),
        }
    }

    /// How many more objects of its backlog a target's queue takes.
    pub fn room(&self, target: &TargetId) -> usize {
        self.0.running().get(target).map_or(0, |running| running.delivery.room())
    }

    /// Objects that wait or are on their way.
    pub fn pending(&self) -> usize {
        self.0.running().values().map(|running| running.delivery.pending()).sum()
    }

    /// Waits until nothing is pending anywhere, at most `deadline`.
    pub async fn drained(&self, deadline: Duration) {
        let waits: Vec<_> = self.0.running().values().map(|running| running.delivery.drained()).collect();
        let all = async {
            for wait in waits {
                wait.await;
            }
        };
        // What is left over is counted by whoever asks.
        let _ = tokio::time::timeout(deadline, all).await;
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, BTreeMap<TargetId, Running>> {
        // No code panics while it holds the lock, and a map is whole after each of its methods.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a change; nothing is changed where it can't be kept.
    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Refusal> {
        let mut kept = self.kept();
        let mut next = kept.clone();
        change(&mut next);
        let written = next.write(&self.data_dir);
        written.map_err(|error| Refusal::NotKept { path: Kept::path(&self.data_dir), error })?;
        *kept = next;
        Ok(())
    }

    fn tell(&self, id: &TargetId, text: &str) {
        tracing::info!("target {id}: {text}");
        let (subject, what) = (Subject::Target(id.clone()), What::Changed { text: text.into() });
        let entry = Entry { at: clock::now(), subject, what, object: None, len: 0, trace: None };
        self.tools.evidence.record(entry);
    }

    fn run(&self, target: Target, standing: Standing, added: bool) -> anyhow::Result<Running> {
        let Tools { client, metrics, evidence, desk, other } = &self.tools;
        let store = store::open(&target)?;
        let place = store.place();
        // The store keeps the target's deadlines and says which one was missed; this one is for a store that doesn't.
        let put_deadline = target.connection.deadlines.total + Duration::from_secs(1);
        let mut limits = delivery::Limits { put_deadline, ..delivery::Limits::default() };
        let bytes_a_second = u64::from(target.backfill_mbps) * 125_000;
        limits.backlog.bytes_a_second = Some(bytes_a_second).filter(|rate| *rate > 0);
        let figures = metrics.target(&target.id, &target.node.id);
        let (acks, acked) = mpsc::channel(delivery::ACKS_MAX);
        let evidence = Some(evidence.without(&target.secrets()));
        let outlets = Outlets { acks, evidence, metrics: figures };
        let (id, node) = (target.id.clone(), target.node.clone());
        let (client, other) = (client.clone(), other.clone());
        let delivery = Delivery::start(id.clone(), node, store.clone(), client, other, outlets, limits);
        let mut forward = JoinSet::new();
        forward.spawn(forward_acks(acked, desk.clone()));
        forward.spawn(forward_up(id.clone(), delivery.up(), desk.clone()));
        forward.spawn(forward_probe(id, delivery.probed(), desk.clone()));
        Ok(Running { config: target, place, store, standing, added, delivery, forward })
    }
}

async fn forward_acks(mut acked: mpsc::Receiver<Ack>, desk: Sender) {
    while let Some(ack) = acked.recv().await {
        if desk.send(Message::Acked(ack)).await.is_err() {
            return;
        }
    }
}

async fn forward_up(target: TargetId, mut up: tokio::sync::watch::Receiver<bool>, desk: Sender) {
    loop {
        let now = *up.borrow_and_update();
        if desk.send(Message::NodeUp(target.clone(), now)).await.is_err() || up.changed().await.is_err() {
            return;
        }
    }
}

async fn forward_probe(
    target: TargetId,
    mut probed: tokio::sync::watch::Receiver<Option<railbird_core::state::NodeProbe>>,
    desk: Sender,
) {
    while probed.changed().await.is_ok() {
        let probe = *probed.borrow_and_update();
        if let Some(probe) = probe
            && desk.send(Message::NodeProbe(target.clone(), probe)).await.is_err()
        {
            return;
        }
    }
}
