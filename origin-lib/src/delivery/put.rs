//! One put: the object's bytes, from memory or from the spool, and what came of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use railbird_core::hash::Hash;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::queue::{Entry, Outcome};
use super::{Ack, Has, Job, Kind, ObjectRef, Shared, Written};
use crate::other::{self, Other, Stands, Whose, whose};
use crate::store::{Answer, Created, Object, Pending, PutError, Trace};

/// Puts an object, from memory or from the spool.
pub(super) async fn put(shared: Arc<Shared>, mut entry: Entry) -> Job {
    let object = entry.object.clone();
    let body = match entry.body.take() {
        Some(body) => {
            // It is nowhere else.
            entry.body = object.is_part().then(|| body.clone());
            body
        }
        None => match read(&object).await {
            Ok(body) => {
                shared.unread.store(false, Ordering::Relaxed);
                body
            }
            Err(error) => {
                let outcome = shared.no_body(&entry, &error);
                return Job::Put(entry, outcome, None);
            }
        },
    };
    let began = Instant::now();
    let Answer { result, trace } = shared.write(&mut entry, body).await;
    match result {
        Err(error) => Job::Put(entry, Outcome::Failed(error), Some(trace)),
        Ok(outcome @ Outcome::Raced) => Job::Put(entry, outcome, Some(trace)),
        Ok(outcome @ Outcome::Unplayable) => {
            let (target, has) = (shared.target.clone(), Has::Others);
            let _ = shared.acks.send(Ack { target, object, has }).await;
            Job::Put(entry, outcome, Some(trace))
        }
        Ok(outcome) => {
            let took = began.elapsed();
            shared.metrics.acknowledged(object.len, took);
            shared.newest.send_if_modified(|newest| {
                // A node is judged by what all viewers read.
                let newer = matches!(object.kind, Kind::Segment { .. } | Kind::Init)
                    && newest.as_ref().is_none_or(|newest| newest.object.start <= object.start);
                if newer {
                    *newest = Some(Written { object: object.clone(), at: Instant::now() });
                }
                newer
            });
            let target = shared.target.clone();
            // Without a consumer there is nobody to tell; the object is where it should be all the same.
            let has = if matches!(outcome, Outcome::Others { less: true }) { Has::Less } else { Has::All };
            let _ = shared.acks.send(Ack { target, object, has }).await;
            Job::Put(entry, outcome, Some(trace))
        }
    }
}

/// After so many rounds in which somebody else is said to write an object, and it is never there, it is written.
const RACES_MAX: u32 = 5;

/// After so many reads of an object that failed, it is written to a store that honours no condition: it takes objects.
const UNREAD_MAX: u32 = 2;

impl Shared {
    /// Writes an object; [`Outcome::Acknowledged`], [`Outcome::Others`] or [`Outcome::Raced`]. An origin of a pair writes over nothing that the
    /// other one wrote, where the store honours that: what viewers and caches may have got already stays (DESIGN.md,
    /// invariant 3). Whose a segment is that is there is told by reading it: it is ours, or plays in its place, or is
    /// written over. A part that is there stays: nothing tells whose it is, and it is of use for a moment. What a rung has of a
    /// segment stays, if it plays; ours counts as there where it plays with the same init segment. Where the store
    /// honours no condition, it is asked for a segment or part first: only of two that write at the same moment the last one
    /// wins, and what comes late on purpose ([`railbird_core::programme`]) never writes over the whole. Only an entry point
    /// before which a cache may lie is not asked ([`crate::store::Store::is_cached`]): there the last one wins.
    async fn write(&self, entry: &mut Entry, body: Bytes) -> Answer<Outcome> {
        let object = entry.object.clone();
        let until = Instant::now() + self.limits.put_deadline;
        let media = || Object::media(object.name.clone(), body.clone());
        let put = async || {
            let written = self.within(until, self.store.put(media()), "take").await;
            written.map(|()| Outcome::Acknowledged)
        };
        let Some(other) = &self.other else { return put().await };
        let conditional = self.conditional.load(Ordering::Relaxed);
        if conditional {
            let created = self.within(until, self.store.create(media()), "take").await;
            let unreadable = self.unreadable.load(Ordering::Relaxed);
            match &created.result {
                // What can't be read can't be told apart.
                Ok(Created::Exists) if object.is_part() || (unreadable && object.rung_init().is_some()) => {
                    return created.map(|_| Outcome::Acknowledged);
                }
                Ok(Created::Exists) if unreadable => {
                    self.told_others(&object.name);
                    return created.map(|_| Outcome::Others { less: true });
                }
                Ok(Created::Exists) => {}
                Ok(Created::NotOffered) => return put().await,
                Ok(Created::Written) | Err(_) => return created.map(|_| Outcome::Acknowledged),
            }
        } else if object.kind == Kind::Init
            || self.store.is_cached()
            || !self.readable.load(Ordering::Relaxed)
            || entry.unread >= UNREAD_MAX
        {
            // Both origins' init segments are the same.
            return put().await;
        }
        let given = self.within(until, self.store.get(&object.name, other::LEN_MAX), "give back").await;
        let Answer { result, trace } = given;
        let found = match result {
            Ok(Some(_)) if object.is_part() => return Answer { result: Ok(Outcome::Acknowledged), trace },
            Ok(Some(found)) => found,
            Ok(None) if !conditional || entry.races >= RACES_MAX => return put().await,
            Ok(None) => return Answer { result: Ok(Outcome::Raced), trace },
            Err(PutError::TooLong(_)) if object.kind == Kind::Init => Bytes::new(),
            // Longer than any segment that is made: whatever it is, it was not made here.
            Err(PutError::TooLong(_)) => {
                let (target, name) = (&self.target, &object.name);
                warn!("target {target}: what stands there as {name} is too long to be read: it stays");
                return Answer { result: Ok(Outcome::Others { less: true }), trace };
            }
            // What is there is not known: it may well be the other origin's.
            Err(error) => {
                entry.unread = entry.unread.saturating_add(1);
                let error = match error {
                    PutError::GiveUp(text) => PutError::Retry(text),
                    error => error,
                };
                return Answer { result: Err(error), trace };
            }
        };
        if object.rung_init().is_some() {
            return match self.stands(&object, other, found).await {
                Ok(Stands::Plays) => Answer { result: Ok(Outcome::Acknowledged), trace },
                Ok(Stands::Other) => {
                    self.told_unplayable(&object.name);
                    Answer { result: Ok(Outcome::Unplayable), trace }
                }
                Ok(Stands::Nobodys) => {
                    self.told_nobodys(&object.name);
                    put().await
                }
                Err(error) => Answer { result: Err(error), trace },
            };
        }
        let (of, other, ours) = (object.clone(), other.clone(), body.clone());
        let judge = move || whose(of.made(), Some(&other), || Some(ours), &found);
        let name = &object.name;
        match tokio::task::spawn_blocking(judge).await {
            Ok(Whose::Ours) => {
                self.differs.store(false, Ordering::Relaxed);
                Answer { result: Ok(Outcome::Acknowledged), trace }
            }
            Ok(Whose::Others { less }) => {
                self.told_others(name);
                Answer { result: Ok(Outcome::Others { less }), trace }
            }
            Ok(Whose::Nobodys) => {
                self.told_nobodys(name);
                put().await
            }
            // The origin is stopping.
            Err(error) => Answer { result: Err(PutError::Retry(error.to_string())), trace },
        }
    }

    /// What stands in the place of what a rung has of a segment.
    async fn stands(&self, object: &Arc<ObjectRef>, other: &Other, found: Bytes) -> Result<Stands, PutError> {
        let (object, other) = (object.clone(), other.clone());
        let judge = move || {
            let init = object.rung_init().unwrap_or_default();
            other.stands(&object.sha256, object.slot(), init, &found)
        };
        // The origin is stopping.
        tokio::task::spawn_blocking(judge).await.map_err(|error| PutError::Retry(error.to_string()))
    }

    /// Says once that the other origin's renditions need other init segments, until an object is written that is ours.
    fn told_unplayable(&self, name: &str) {
        if !self.differs.swap(true, Ordering::Relaxed) {
            let target = &self.target;
            warn!(
                "target {target}: the other origin's encoder had written {name}, which needs another init segment than ours: it stays, and is listed as the other one says. Give both origins the same [[channel.ladder]] and the same ffmpeg"
            );
        }
    }

    fn told_nobodys(&self, name: &str) {
        let target = &self.target;
        warn!("target {target}: what stood there as {name} is no segment of ours: it is written over");
    }

    /// Says once that the two origins' bytes differ, until they don't.
    fn told_others(&self, name: &str) {
        if !self.differs.swap(true, Ordering::Relaxed) {
            let target = &self.target;
            warn!(
                "target {target}: the other origin had written {name}, with other bytes: the two did not get the same frames. What it wrote stays"
            );
        }
    }

    /// What a request to the store comes to in time: all of an object's requests together have one deadline. `verb`: what
    /// the store was to do with the object.
    async fn within<T>(&self, until: Instant, request: Pending<'_, T>, verb: &str) -> Answer<T> {
        let answer = timeout_at(until, request).await;
        answer.unwrap_or_else(|_| missed(self, verb))
    }

    /// What becomes of an object whose bytes are not to be had here. Each of these is this machine's fault: a person hears of
    /// it, and neither the breaker nor the evidence does.
    fn no_body(&self, entry: &Entry, error: &Error) -> Outcome {
        let (target, name) = (&self.target, &entry.object.name);
        match error {
            Error::Unreadable(_) => {
                if entry.failures == 0 && !self.unread.swap(true, Ordering::Relaxed) {
                    error!("target {target}: {name} {error}: it is tried again, and so is what follows");
                }
                Outcome::Unread
            }
            Error::Lost | Error::Spoilt(_) => {
                error!("target {target}: {name} {error}: not sent");
                Outcome::Gone
            }
        }
    }
}

/// What a store that does not keep its own deadline is answered for: it did not take or give back an object, as the `verb` says.
pub(super) fn missed<T>(shared: &Shared, verb: &str) -> Answer<T> {
    let trace = Trace { total: shared.limits.put_deadline, ..Trace::default() };
    let ms = shared.limits.put_deadline.as_millis();
    let text = format!("{} did not {verb} an object within {ms} ms", shared.store.place());
    Answer { result: Err(PutError::Retry(text)), trace }
}

/// Why an object's bytes can't be sent from the spool. Each is a sentence that goes on after the object's name.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// It is not there any more.
    #[error("is no longer in the spool")]
    Lost,
    /// It is there, with other bytes than were written: what a target would be blamed for, had it got them.
    #[error("lies in the spool with other bytes than were written ({0}): check the disk")]
    Spoilt(String),
    /// It can't be read now: too many open files, a disk that is away. It may be read later.
    #[error("can't be read from the spool ({0})")]
    Unreadable(io::Error),
}

/// Reads an object, and sees that it is what was made. Both off the runtime's threads.
async fn read(object: &ObjectRef) -> Result<Bytes, Error> {
    let (path, len, hash) = (object.path.clone(), object.len, object.sha256);
    let read = tokio::task::spawn_blocking(move || {
        let body = std::fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Lost,
            _ => Error::Unreadable(error),
        })?;
        if body.len() as u64 != len {
            return Err(Error::Spoilt(format!("{} bytes instead of {len}", body.len())));
        }
        if Hash::of(&body) != hash {
            return Err(Error::Spoilt("another hash".to_string()));
        }
        Ok(Bytes::from(body))
    });
    // The task does not panic; at the runtime's end it may not begin.
    read.await.unwrap_or_else(|error| Err(Error::Unreadable(io::Error::other(error))))
}
