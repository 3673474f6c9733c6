//! What happened to each target, node and push, kept so that it can be shown to a provider's support afterwards.
//!
//! Whoever sees something records an [`Entry`] and goes on at once. One thread writes them, a line of JSON each, to
//! `{date}.jsonl` below its directory. Entries are evidence, not truth: where the disk refuses them, or more than
//! [`WAITING_MAX`] wait, they are counted and dropped, and nothing else notices.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use railbird_core::id::{NodeId, PushId, TargetId};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::store::Trace;

/// How many entries may wait for the disk.
pub const WAITING_MAX: usize = 4096;

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
    #[serde(default)]
    pub len: u64,
    /// How the request went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// Takes entries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Evidence {
    sender: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Evidence {
    /// Starts the writer below `dir`.
    pub fn start(dir: &Path) -> io::Result<Evidence> {
        fs::create_dir_all(dir)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let (dir, dropped) = (dir.to_path_buf(), Arc::new(AtomicU64::new(0)));
        let lost = dropped.clone();
        std::thread::Builder::new()
            .name("evidence".to_string())
            .spawn(move || write_all(&dir, &receiver, &lost))?;
        Ok(Evidence { sender, dropped })
    }

    /// Takes an entry; never waits.
    pub fn record(&self, entry: Entry) {
        if self.sender.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many entries were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The file of the day of an instant.
pub fn file_of(dir: &Path, at: UtcMs) -> PathBuf {
    let day: String = at.iso8601().chars().take(10).collect();
    dir.join(day + ".jsonl")
}

fn write_all(dir: &Path, receiver: &Receiver<Entry>, dropped: &AtomicU64) {
    while let Ok(entry) = receiver.recv() {
        // What has come together is written together.
        let mut lines: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for entry in std::iter::once(entry).chain(receiver.try_iter().take(WAITING_MAX)) {
            let (path, Ok(mut line)) = (file_of(dir, entry.at), serde_json::to_vec(&entry)) else { continue };
            line.push(b'\n');
            match lines.last_mut() {
                Some((last, bytes)) if *last == path => bytes.extend_from_slice(&line),
                _ => lines.push((path, line)),
            }
        }
        for (path, bytes) in lines {
            let file = OpenOptions::new().append(true).create(true).open(&path);
            if file.and_then(|mut file| file.write_all(&bytes)).is_err() {
                let count = bytes.iter().filter(|byte| **byte == b'\n').count();
                dropped.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_that_can_be_read_back() {
        let entry = Entry {
            at: UtcMs(1_795_171_920_040),
            subject: Subject::Target("a".parse().unwrap()),
            what: What::Failed { class: "retry".into(), text: "it broke".into() },
            object: Some("t/s/1-0.m4s".into()),
            len: 5,
            trace: Some(Trace { status: Some(503), ..Trace::default() }),
        };
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
    }
}
