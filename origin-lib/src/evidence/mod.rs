//! What happened to each target, node and push, kept so that it can be shown to a provider's support afterwards.
//!
//! Whoever sees something records an [`Entry`] and goes on at once. One thread writes them, a line of JSON each, to
//! `{date}.jsonl` below its directory. Entries are evidence, not truth: where the disk refuses them, or more than
//! [`WAITING_MAX`] wait, they are counted and dropped, and nothing else notices.
//!
//! `railbird evidence` ([`command`]) reads them back and makes a report and a table of them.

pub mod command;
mod csv;
mod html;
mod line;
mod plot;
mod read;
mod redact;
mod summary;
#[cfg(test)]
mod tests;
mod write;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use railbird_core::id::{NodeId, PushId, TargetId};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::store::Trace;
use redact::Redact;

pub use write::{DAY_FILES_MAX, FILE_LEN_MAX};

/// How many entries may wait for the disk.
pub const WAITING_MAX: usize = 4096;

/// For how many days evidence is kept where nothing else is said.
pub const KEEP_DAYS: u32 = 30;

/// Whom an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A target.
    Target(TargetId),
    /// A node.
    Node(NodeId),
    /// A pushed stream's destination.
    Push(PushId),
    /// An edge, by its host.
    Edge(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// It works, after it did not (or for the first time).
    Up,
    /// It counts as failing from now on.
    Down {
        /// Why, in a sentence.
        reason: String,
    },
    /// A request did what it should.
    Done,
    /// A request did what it should, later than it should.
    Slow,
    /// A put found what the other origin of the pair had written: another whole segment of this name, since it got other
    /// frames.
    Others,
    /// A request failed.
    Failed {
        /// The class of the error: `unreachable`, `retry`, `slow-down`, `misconfigured`, `give-up`, `wrong-bytes`.
        class: String,
        /// The error, in a sentence without secrets.
        text: String,
    },
    /// A person or the configuration changed something.
    Changed {
        /// What, in a sentence.
        text: String,
    },
}

/// One line of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was over.
    pub at: UtcMs,
    /// Whom it is about.
    pub subject: Subject,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// The object that it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How many bytes went over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub len: u64,
    /// How the request went.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "line")]
    pub trace: Option<Trace>,
}

fn is_zero(len: &u64) -> bool {
    *len == 0
}

/// Takes entries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Evidence {
    sender: SyncSender<Entry>,
    dropped: Counter,
    redact: Arc<Redact>,
}

impl Evidence {
    /// Starts the writer below `dir`, which keeps [`KEEP_DAYS`].
    pub fn start(dir: &Path) -> io::Result<Evidence> {
        Evidence::keeping(dir, KEEP_DAYS)
    }

    /// Starts the writer below `dir`. Days that are over for more than `keep_days` are removed.
    pub fn keeping(dir: &Path, keep_days: u32) -> io::Result<Evidence> {
        fs::create_dir_all(dir)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let (dir, dropped) = (dir.to_path_buf(), Counter::default());
        let lost = dropped.clone();
        std::thread::Builder::new()
            .name("evidence".to_string())
            .spawn(move || write::write_all(&dir, keep_days, &receiver, &lost))?;
        Ok(Evidence { sender, dropped, redact: Arc::default() })
    }

    /// The same evidence for whoever may hear these secrets said: what is recorded through it is without them, too.
    pub fn without(&self, secrets: &[Secret]) -> Evidence {
        Evidence { redact: Arc::new(self.redact.and(secrets)), ..self.clone() }
    }

    /// Takes an entry; never waits. Nothing that is kept of it has a user, password or query of a URL in it, or another
    /// credential of a request.
    pub fn record(&self, mut entry: Entry) {
        self.redact.entry(&mut entry);
        if self.sender.try_send(entry).is_err() {
            self.dropped.inc();
        }
    }

    /// How many entries were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Shows in the metrics how many entries were dropped.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Entries of evidence that were dropped because the disk was full or behind";
        registry.register("evidence_dropped", help, self.dropped.clone());
    }
}
