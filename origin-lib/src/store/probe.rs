//! Finds out what a store honours, before anybody counts on it.

use std::fmt;

use bytes::Bytes;

use super::{Answer, Created, Object, PutError, Store};

/// The object by which a store is tried: always the same bytes, so that any number of origins may write it.
const NAME: &str = "railbird-probe.txt";

/// What it says.
const BODY: &[u8] = b"Written by a Railbird origin at start, to see whether it can.\n";

/// The most that is read of it, in bytes: whatever else stands there is wrong all the same.
const READ_LEN_MAX: usize = 64 << 10;

/// What is never written, so that any number of origins may try to delete it.
const ABSENT: &str = "railbird-probe-absent.txt";

/// What a store was found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Findings {
    /// A second create of the same name was refused.
    pub conditional_create: bool,
    /// What was written can be read, the same bytes.
    pub read_back: Tried,
    /// Names can be listed, and what was written is among them.
    pub list: Tried,
    /// Objects may be deleted.
    pub delete: Tried,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It works.
    Works,
    /// It was answered well, but not with what was written.
    Wrong,
    /// It is refused, or not offered.
    Refused,
    /// It failed for a reason that may pass, or was not tried because something before it did.
    Unknown,
}

impl Tried {
    fn of<T>(result: &Result<T, PutError>, right: impl FnOnce(&T) -> bool) -> Tried {
        match result {
            Ok(answer) if right(answer) => Tried::Works,
            Ok(_) => Tried::Wrong,
            Err(PutError::TooLong(_)) => Tried::Wrong,
            Err(PutError::Misconfigured(_) | PutError::GiveUp(_)) => Tried::Refused,
            Err(PutError::Unreachable(_) | PutError::Retry(_) | PutError::SlowDown { .. }) => Tried::Unknown,
        }
    }
}

impl fmt::Display for Findings {
    /// One line for the log: each finding in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let create = if self.conditional_create { "honours" } else { "ignores" };
        let read_back = match self.read_back {
            Tried::Works => "gives back what was written",
            Tried::Wrong => "does NOT give back what was written",
            Tried::Refused => "lets us read nothing",
            Tried::Unknown => "could not be read at the moment",
        };
        let list = match self.list {
            Tried::Works => "lists names",
            Tried::Wrong => "lists names, but not yet what was written",
            Tried::Refused => "lists no names",
            Tried::Unknown => "could not be listed at the moment",
        };
        let delete = match self.delete {
            Tried::Works | Tried::Wrong => "allows deleting",
            Tried::Refused => "allows no deleting, so that nothing old is ever removed there",
            Tried::Unknown => "could not be tried for deleting at the moment",
        };
        write!(f, "takes objects, {create} conditional create, {read_back}, {list}, {delete}")
    }
}

/// Tries a store as Railbird will use it. An error: it does not take objects (the bucket is missing, the credentials do
/// not let us write…). What else it does or doesn't is in the findings. The trace is that of the write.
pub async fn probe(store: &dyn Store) -> Answer<Findings> {
    let object = Object {
        name: NAME.into(),
        body: Bytes::from_static(BODY),
        content_type: "text/plain",
        cache_control: "no-store",
    };
    let written = write(store, object).await;
    let conditional_create = match written.result {
        Ok(honoured) => honoured,
        Err(error) => return Answer { result: Err(error), trace: written.trace },
    };
    let mut findings = Findings {
        conditional_create,
        read_back: Tried::Unknown,
        list: Tried::Unknown,
        delete: Tried::Unknown,
    };
    // Where one try meets an outage, the next would only wait for it as well.
    findings.read_back =
        Tried::of(&store.get(NAME, READ_LEN_MAX).await.result, |found| found.as_deref() == Some(BODY));
    if findings.read_back != Tried::Unknown {
        findings.list =
            Tried::of(&store.list(NAME, 1).await.result, |names| names.iter().any(|name| name == NAME));
    }
    if findings.list != Tried::Unknown {
        findings.delete = Tried::of(&store.delete(ABSENT).await.result, |()| true);
    }
    Answer { result: Ok(findings), trace: written.trace }
}

/// Writes the object; whether a second create was refused.
async fn write(store: &dyn Store, object: Object) -> Answer<bool> {
    let first = store.create(object.clone()).await;
    match first.result {
        Ok(Created::Exists) => first.map(|_| true),
        Ok(Created::Written) => store.create(object).await.map(|second| second == Created::Exists),
        Ok(Created::NotOffered) => store.put(object).await.map(|()| false),
        Err(_) => first.map(|_| false),
    }
}
