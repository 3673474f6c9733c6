//! The thread that writes: batches, one wait for the disk per match and batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Log, Offer};
use tokio::sync::{mpsc, oneshot};

use super::disk::{self, Disk};
use super::line::Record;
use super::{Channel, MATCHES_MAX, Put, PutError, ReadError, Request, Shared, Slot, Standing};

/// The most events of a batch.
const BATCH_MAX: usize = 256;

/// The most files that are written at the same time: the file system joins their flushes.
const PARALLEL_MAX: usize = 8;

pub(super) struct Writer<D> {
    shared: Arc<Shared>,
    disk: D,
    /// When the newest event of each channel was taken. Strictly up, so that it orders matches and makes revisions.
    newest: BTreeMap<ChannelId, u64>,
    /// The disk refused the last write: said once, not per event.
    failing: bool,
}

/// A match within a batch: a copy of its log that runs ahead of the disk.
struct Work {
    path: PathBuf,
    log: Arc<Log>,
    /// What is on the disk.
    len: u64,
    accepted: u64,
    /// What is not.
    lines: Vec<u8>,
    answers: Vec<Answer>,
}

struct Answer {
    reply: oneshot::Sender<Result<Put, PutError>>,
    put: Put,
}

type Batch = BTreeMap<(ChannelId, MatchId), Work>;

impl<D: Disk> Writer<D> {
    pub(super) fn new(shared: Arc<Shared>, disk: D) -> Writer<D> {
        let newest = |channel: &Channel| super::newest(&channel.slots());
        let newest = shared.channels.iter().map(|(id, channel)| (id.clone(), newest(channel))).collect();
        Writer { shared, disk, newest, failing: false }
    }

    /// Serves requests until every sender has gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Batch::new();
            let mut next = Some(first);
            for _ in 0..BATCH_MAX {
                let Some(request) = next.or_else(|| requests.try_recv().ok()) else { break };
                self.take(&mut batch, request);
                next = None;
            }
            self.write(batch);
        }
    }

    /// Asks the match's log; the answer waits for the disk.
    fn take(&mut self, batch: &mut Batch, request: Request) {
        let key = (request.channel.clone(), request.match_id.clone());
        let Request { channel, match_id, position, event, now, reply } = request;
        // Whoever asks has a channel that exists.
        let Some(served) = self.shared.channels.get(&channel) else { return };
        let work = match batch.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                match self.begin(served, &channel, &match_id) {
                    Ok(work) => entry.insert(work),
                    Err(error) => {
                        self.shared.metrics.event(&channel, "not-stored");
                        // Whoever gave up waiting needs no answer.
                        let _ = reply.send(Err(error));
                        return;
                    }
                }
            }
        };
        let put = match Arc::make_mut(&mut work.log).offer(position, event, Some(now)) {
            Offer::Same => Put::Same(standing(&work.log, false)),
            Offer::Conflict => Put::Conflict,
            Offer::Gap { expected } => Put::Gap { expected },
            Offer::Invalid(invalid) => Put::Invalid(invalid),
            Offer::Accept => {
                let Some((_, event)) = work.log.events().last() else { return };
                let claim = event.state.as_ref();
                let diverged =
                    claim.zip(work.log.state()).is_some_and(|(claim, state)| !claim.agrees(&state));
                self.shared.metrics.accepted(&channel, event, now);
                let newest = self.newest.entry(channel).or_default();
                // No document is older than the one before, which may be newer for another reason.
                let newest_of_all = (*newest).max(served.timing().changed());
                let accepted = now.0.max(newest_of_all.saturating_add(1));
                let (epoch, seq, event) = (position.epoch, position.seq, event.clone());
                let record = Record { durable: work.len, accepted, epoch, seq, event };
                // Integers and strings always serialise.
                if record.write(&mut work.lines).is_err() {
                    return;
                }
                (*newest, work.accepted) = (accepted, accepted);
                Put::Accepted(standing(&work.log, diverged))
            }
        };
        work.answers.push(Answer { reply, put });
    }

    fn begin(&self, served: &Channel, channel: &ChannelId, match_id: &MatchId) -> Result<Work, PutError> {
        let path = disk::path(&self.shared.dir, channel, match_id);
        let (slot, matches) = {
            let slots = served.slots();
            (slots.get(match_id).cloned(), slots.len())
        };
        let (log, len, accepted) = match slot {
            None if matches >= MATCHES_MAX => return Err(PutError::Matches),
            None => (Arc::new(Log::new()), 0, 0),
            Some(Slot { log: Some(log), len, accepted, .. }) => (log, len, accepted),
            Some(Slot { log: None, len, accepted, .. }) => {
                let kept = super::read_log(&path, Some(len));
                (kept.map_err(|error| PutError::NotStored(error.to_string()))?.log, len, accepted)
            }
        };
        Ok(Work { path, log, len, accepted, lines: Vec::new(), answers: Vec::new() })
    }

    /// Writes a batch's lines, makes known what the disk took, and answers.
    fn write(&mut self, batch: Batch) {
        let began = Instant::now();
        // A write that can't be begun has failed.
        let pending = |(key, work): ((ChannelId, MatchId), Work)| {
            let failed = io::Error::other("no thread for the write");
            let result = if work.lines.is_empty() { Ok(()) } else { Err(failed) };
            (key, work, result)
        };
        let mut works: Vec<_> = batch.into_iter().map(pending).collect();
        let mut written: Vec<_> = works.iter_mut().filter(|(_, work, _)| !work.lines.is_empty()).collect();
        let append = |work: &Work| self.disk.append(&work.path, work.len, &work.lines);
        for together in written.chunks_mut(PARALLEL_MAX) {
            if let [(_, work, result)] = together {
                *result = append(work);
                continue;
            }
            std::thread::scope(|scope| {
                for (_, work, result) in together {
                    let append = &append;
                    let write = move || *result = append(work);
                    let _ = std::thread::Builder::new().spawn_scoped(scope, write);
                }
            });
        }
        let any = !written.is_empty();
        let failed = works.iter().find_map(|(_, _, result)| result.as_ref().err().map(ToString::to_string));
        if any {
            self.note(failed.as_deref(), began.elapsed());
        }
        // In the order in which they were taken.
        works.sort_by_key(|(_, work, _)| work.accepted);
        let shared = Arc::clone(&self.shared);
        for ((channel, match_id), work, result) in works {
            let Some(served) = shared.channels.get(&channel) else { continue };
            let answers = match result {
                Ok(()) => self.publish(served, &channel, match_id, work),
                Err(error) => work
                    .answers
                    .into_iter()
                    .map(|answer| (answer.reply, Err(PutError::NotStored(error.to_string()))))
                    .collect(),
            };
            for (reply, put) in answers {
                self.count(&channel, &put);
                // Whoever gave up waiting needs no answer.
                let _ = reply.send(put);
            }
        }
    }

    /// The disk has it: let the copy take the log's place.
    fn publish(
        &mut self,
        served: &Channel,
        channel: &ChannelId,
        match_id: MatchId,
        work: Work,
    ) -> Vec<Reply> {
        if !work.lines.is_empty() {
            let len = work.len + work.lines.len() as u64;
            let mut timing = served.timing();
            let newest = self.newest.entry(channel.clone()).or_default();
            // A delay that was told since it was taken has made documents that lack it: this one is newer.
            let is_newer = work.accepted > timing.changed();
            let after_all = (*newest).max(timing.changed()).saturating_add(1);
            let accepted = if is_newer { work.accepted } else { after_all };
            *newest = (*newest).max(accepted);
            timing.go_on_from(accepted);
            let mut slots = served.slots();
            slots.insert(match_id.clone(), Slot::new(work.log, len, accepted));
            super::unload(&mut slots);
            drop((slots, timing));
            self.show(served, channel, &match_id);
            served.changed.send_replace(());
        }
        work.answers.into_iter().map(|answer| (answer.reply, Ok(answer.put))).collect()
    }

    /// Gives out what viewers are shown, where that is the match that has changed, or another one than before.
    fn show(&self, served: &Channel, channel: &ChannelId, changed: &MatchId) {
        let Some(of) = super::shown(&served.slots()).map(|(match_id, _)| match_id.clone()) else { return };
        let before = served.document.borrow().as_ref().map(|document| document.match_id.clone());
        if of != *changed && before.as_ref() == Some(&of) {
            return;
        }
        // The one before a start that was undone may have rested.
        if let Err(error) = self.load(served, channel, &of) {
            tracing::error!(%channel, %error, "viewers go on with the score that they have");
            return;
        }
        let mut timing = served.timing();
        let Some(slot) = served.slots().get(&of).cloned() else { return };
        let document = timing.document(channel, &of, &slot);
        served.document.send_replace(document);
    }

    /// Has a match's log in memory. Nobody else takes one out meanwhile, or puts one in.
    fn load(&self, served: &Channel, channel: &ChannelId, match_id: &MatchId) -> Result<(), ReadError> {
        let rests = served.slots().get(match_id).filter(|slot| slot.log.is_none()).map(|slot| slot.len);
        let Some(len) = rests else { return Ok(()) };
        let kept = super::read_log(&disk::path(&self.shared.dir, channel, match_id), Some(len))?;
        let mut slots = served.slots();
        if let Some(slot) = slots.get_mut(match_id) {
            slot.log = Some(kept.log);
        }
        super::unload(&mut slots);
        Ok(())
    }

    fn note(&mut self, failed: Option<&str>, took: Duration) {
        self.shared.metrics.written(failed.is_none(), took);
        match failed {
            Some(error) if !self.failing => tracing::error!(
                error,
                dir = %self.shared.dir.display(),
                "score events can't be stored, scorers are told to send them again: free space or mend the disk"
            ),
            None if self.failing => tracing::info!("score events are stored again"),
            _ => {}
        }
        self.failing = failed.is_some();
    }

    fn count(&self, channel: &ChannelId, put: &Result<Put, PutError>) {
        let outcome = match put {
            Ok(Put::Accepted(standing)) => {
                if standing.diverged {
                    self.shared.metrics.diverged(channel);
                    tracing::debug!(%channel, "the scorer states another score than ours");
                }
                "accepted"
            }
            Ok(Put::Same(_)) => "same",
            Ok(Put::Conflict) => "conflict",
            Ok(Put::Gap { .. }) => "gap",
            Ok(Put::Invalid(_)) => "invalid",
            Err(_) => "not-stored",
        };
        self.shared.metrics.event(channel, outcome);
    }
}

type Reply = (oneshot::Sender<Result<Put, PutError>>, Result<Put, PutError>);

fn standing(log: &Log, diverged: bool) -> Standing {
    Standing { last: log.last(), state: log.state(), diverged }
}
