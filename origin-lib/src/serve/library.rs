//! Recordings that have ended, for the edges: their chapters are made from their journals, one recording after another.
//!
//! A recording's chapters are pushed when it has ended, when a target has got the last of it, at every start, and when an
//! edge has lost them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, OriginId, TargetId};
use railbird_core::recording::{Slots, View};
use railbird_core::state::{ChannelState, NODES_MAX, Node};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::clock;
use crate::config::Config;
use crate::edge_push::EdgePush;
use crate::journal::{self, Summary};
use crate::targets::Targets;

/// The most recordings that wait.
const WAITING_MAX: usize = 4096;

/// How long to wait where an edge still has chapters to take.
const PAUSE: Duration = Duration::from_millis(200);

/// Hands over recordings that have ended.
#[derive(Clone)]
pub(super) struct Library {
    data_dir: Arc<Path>,
    wanted: mpsc::Sender<(ChannelId, Summary)>,
}

struct Shelves {
    data_dir: PathBuf,
    origin: OriginId,
    titles: BTreeMap<ChannelId, String>,
    targets: Targets,
    push: Arc<EdgePush>,
    ended: BTreeMap<(ChannelId, String), Summary>,
}

impl Library {
    /// Starts with what had ended before.
    pub(super) fn start(
        config: &Config,
        ended: Vec<(ChannelId, Summary)>,
        targets: Targets,
        push: Arc<EdgePush>,
        tasks: &mut JoinSet<()>,
    ) -> Library {
        let (wanted, receiver) = mpsc::channel(WAITING_MAX);
        let keyed =
            |(channel, summary): (ChannelId, Summary)| ((channel, summary.recording.to_string()), summary);
        let shelves = Shelves {
            data_dir: config.data_dir.clone(),
            origin: config.origin.clone(),
            titles: config
                .channels
                .iter()
                .map(|channel| (channel.id.clone(), channel.title.clone()))
                .collect(),
            targets,
            push,
            ended: ended.into_iter().map(keyed).collect(),
        };
        tasks.spawn(shelves.run(receiver));
        Library { data_dir: config.data_dir.as_path().into(), wanted }
    }

    /// Keeps a recording's summary and has its chapters pushed. Returns at once.
    pub(super) fn keep(&self, channel: &ChannelId, summary: Summary) {
        let (data_dir, id, kept) = (self.data_dir.clone(), channel.clone(), summary.clone());
        spawn_blocking(move || {
            if let Err(error) = kept.write(&data_dir, &id) {
                tracing::error!(channel = %id, %error, "a recording's summary can't be written: it is made again at the next start");
            }
        });
        if self.wanted.try_send((channel.clone(), summary)).is_err() {
            tracing::error!(%channel, "too many recordings end at once: some replays are whole after the next start only");
        }
    }
}

impl Shelves {
    async fn run(mut self, mut wanted: mpsc::Receiver<(ChannelId, Summary)>) {
        let mut forgot = self.push.forgot();
        loop {
            // Newest first: that is what people ask for.
            let all: Vec<_> =
                self.ended.iter().rev().map(|((id, _), one)| (id.clone(), one.clone())).collect();
            for (channel, summary) in all {
                self.offer(&channel, &summary).await;
            }
            loop {
                tokio::select! {
                    one = wanted.recv() => {
                        let Some((channel, summary)) = one else { return };
                        self.offer(&channel, &summary).await;
                        self.ended.insert((channel, summary.recording.to_string()), summary);
                    }
                    changed = forgot.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        break;
                    }
                }
            }
        }
    }

    async fn offer(&self, channel: &ChannelId, summary: &Summary) {
        let nodes = self.targets.nodes();
        let title = self.titles.get(channel).cloned().unwrap_or_default();
        let path = journal::path(&self.data_dir, channel, &summary.recording);
        let (origin, first_msn) = (self.origin.clone(), summary.first_msn);
        let chapters = spawn_blocking(move || chapters(&path, &nodes, &title, &origin, first_msn)).await;
        for (number, chapter) in chapters.unwrap_or_default().into_iter().enumerate() {
            while !self.push.publish_chapter(number, &chapter) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn chapters(
    path: &Path,
    nodes: &BTreeMap<TargetId, Node>,
    title: &str,
    origin: &OriginId,
    first_msn: u64,
) -> Vec<ChannelState> {
    // One that was deleted meanwhile has none.
    let Ok(journal::Journal { reel, .. }) = journal::read(path) else { return Vec::new() };
    let mut slots: Slots = [const { None }; NODES_MAX];
    for (bit, slot) in slots.iter_mut().enumerate() {
        *slot = reel.target(bit).and_then(|target| nodes.get(target)).cloned();
    }
    let listed = reel.order().len();
    let view = View { listed, first_msn, title, origin, slots: &slots, rungs: &[] };
    (0..reel.chapters(listed)).map(|chapter| reel.chapter(chapter, &view, clock::now())).collect()
}
