//! What an origin finds when it starts: for each channel its open recording, and those that have ended.

use std::path::Path;

use railbird_core::id::{ChannelId, OriginId, RenditionId};
use railbird_core::publish::{Book, Channel};
use railbird_core::recording::{Head, Record, Reel};
use railbird_core::state::NODES_MAX;
use railbird_core::time::{MediaTime, UtcMs};

use super::{Journal, Open, Summary, path, read, recordings};

/// A channel's recordings, as they were found.
#[derive(Debug, Default)]
pub struct History {
    /// The one that goes on, and the length of its journal's whole lines.
    pub open: Option<(Reel, u64)>,
    /// Those that have ended, oldest first.
    pub ended: Vec<Summary>,
    /// Where the next recording begins to count.
    pub msn_min: u64,
}

/// What an open recording must be to be gone on with.
#[derive(Clone, Copy, Debug)]
pub struct GoesOn<'a> {
    /// It records this rendition: where sound came to be beside the pictures, or in them again, another recording begins.
    pub rendition: &'a RenditionId,
    /// How long its channel may have no media, in milliseconds; 0: for ever.
    pub end_after_ms: u64,
}

impl GoesOn<'_> {
    fn may(&self, reel: &Reel, last: UtcMs, now: UtcMs) -> bool {
        let is_late = self.end_after_ms > 0 && now.ms_since(last) > self.end_after_ms;
        !is_late && reel.head().rendition == *self.rendition
    }
}

impl History {
    /// Reads what there is of a channel. A recording that a crash or a long pause left open is ended here; what can't be
    /// read is logged and left where it is.
    pub fn read(
        data_dir: &Path,
        origin: &OriginId,
        channel: &ChannelId,
        goes_on: &GoesOn<'_>,
        now: UtcMs,
    ) -> History {
        let mut history = History::default();
        let names = match recordings(data_dir, channel) {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(%channel, %error, "the recordings can't be listed: a new one begins");
                return history;
            }
        };
        let newest = names.last().cloned();
        for name in names {
            if let Some(summary) = Summary::read(data_dir, channel, &name) {
                history.msn_min = history.msn_min.max(summary.next_msn);
                history.ended.push(summary);
                continue;
            }
            let journal = match read(&path(data_dir, channel, &name)) {
                Ok(journal) => journal,
                Err(error) => {
                    tracing::error!(%channel, %error, "a recording is left out");
                    continue;
                }
            };
            if journal.foreign > 0 {
                tracing::warn!(%channel, recording = %name, lines = journal.foreign, "a journal has lines of another version of this program: they are passed over, and stay");
            }
            let last = journal.reel.end().map_or(now, |end| end.utc());
            let is_open = journal.reel.ended().is_none() && !journal.damaged;
            if is_open && goes_on.may(&journal.reel, last, now) && newest.as_ref() == Some(&name) {
                history.msn_min = history.msn_min.max(journal.reel.head().msn_min);
                history.open = Some((journal.reel, journal.len));
                continue;
            }
            if journal.damaged {
                tracing::error!(%channel, recording = %name, "a journal is damaged: the recording ends before the damage");
            }
            if let Some(summary) = end(data_dir, origin, channel, journal, last) {
                history.msn_min = history.msn_min.max(summary.next_msn);
                history.ended.push(summary);
            }
        }
        history
    }
}

/// Ends a recording that was left open, and keeps its summary. `None` where it has no segment.
fn end(
    data_dir: &Path,
    origin: &OriginId,
    channel: &ChannelId,
    journal: Journal,
    at: UtcMs,
) -> Option<Summary> {
    let Journal { mut reel, len, damaged, .. } = journal;
    let book = counted(origin, &reel);
    if reel.ended().is_none() {
        let record = Record::End { at, next_msn: book.next_msn() };
        // An end always fits.
        let _ = reel.apply(record.clone());
        if !damaged {
            let name = &reel.head().recording;
            let written = Open::resume(path(data_dir, channel, name), len)
                .and_then(|mut open| open.append(&[record]).and_then(|()| open.sync()));
            if let Err(error) = written {
                tracing::error!(%channel, recording = %name, %error, "the end of a recording can't be written");
            }
        }
    }
    let targets = (0..NODES_MAX).filter_map(|bit| reel.target(bit));
    let takers = targets.map(|target| (target.clone(), MediaTime(0))).collect();
    let summary = Summary::of(&reel, book.first_msn()?, &takers)?;
    if let Err(error) = summary.write(data_dir, channel) {
        tracing::error!(%channel, %error, "a recording's summary can't be written");
    }
    Some(summary)
}

/// A book that has listed what the recording lists: it knows the numbers.
fn counted(origin: &OriginId, reel: &Reel) -> Book {
    let Head { channel, recording, rendition, segment_ms, key_period_s, msn_min } = reel.head().clone();
    let channel = Channel {
        id: channel,
        origin: origin.clone(),
        recording,
        title: String::new(),
        segment_ms,
        key_period_s,
        part_ms: None,
        preload_hints: false,
        window_s: 0,
        msn_min,
        nodes: Vec::new(),
        rungs: Vec::new(),
    };
    let mut book = Book::new(channel, rendition);
    book.restore(reel, UtcMs(0));
    book
}
