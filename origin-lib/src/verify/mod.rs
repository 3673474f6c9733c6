//! `railbird verify`: is every object of a recording what was recorded, on the disk and at every target that
//! acknowledged it?

pub mod command;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use railbird_core::hash::Hash;
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::recording::{Head, Kind, Reel};
use railbird_core::time::MediaTime;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::other::{self, Made, Other, Slot, Whose, whose};
use crate::recorded::{self, ObjectError};

/// How many objects are read at a time from one place.
const AT_A_TIME: usize = 8;

/// The most names that a report lists of one kind.
const NAMES_MAX: usize = 20;

/// What a place answers, later: the object's bytes, at most so many; `None` where it is not there; or why it can't tell.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Option<Bytes>, String>> + Send + 'a>>;

/// Where objects are read for verification.
pub trait Place: Send + Sync + 'static {
    /// Reads an object of at most `len_max` bytes.
    fn read<'a>(&'a self, name: &'a str, len_max: usize) -> Answer<'a>;
}

/// What was found at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// `disk`, or the target's name.
    pub place: String,
    /// Objects that are there and right.
    pub good: u64,
    /// Objects that a target has not acknowledged yet: they are on their way.
    pub pending: u64,
    /// Objects that should be there and are not.
    pub missing: Names,
    /// Objects whose bytes are not those that were recorded.
    pub wrong: Names,
    /// Of a pair: segments that the other origin wrote, with other bytes, since it got other frames. They decrypt, are whole, and
    /// play in place of ours.
    pub other: Names,
    /// Objects of which the place could not tell, with the error.
    pub unknown: Names,
}

impl Tally {
    /// Whether everything that should be there is.
    pub fn sound(&self) -> bool {
        [&self.missing, &self.wrong, &self.unknown].iter().all(|names| names.count == 0)
    }
}

/// Some objects: how many, and the first of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl Names {
    fn add(&mut self, name: String) {
        self.count += 1;
        if self.first.len() < NAMES_MAX {
            self.first.push(name);
        }
    }
}

/// A part of the time without media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its begin, in ISO 8601.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Why.
    pub why: String,
}

/// What was found of one recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The channel.
    pub channel: ChannelId,
    /// The recording.
    pub recording: RecordingId,
    /// It is still being recorded: what comes after the begin of the check is not in the report.
    pub live: bool,
    /// Its files were deleted from the disk to make room; only targets have them.
    pub evicted: bool,
    /// A line of its journal can't be read: what comes after it is not in the report.
    pub damaged: bool,
    /// Objects that the disk took.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is missing in it, and since when it is known: not an error of this check.
    pub gaps: Vec<Gap>,
    /// The disk first, then the targets.
    pub places: Vec<Tally>,
}

impl Report {
    /// Whether everything that was recorded or acknowledged is where it should be.
    pub fn sound(&self) -> bool {
        !self.damaged && self.places.iter().all(Tally::sound)
    }
}

/// One object that should be at a place.
struct Wanted {
    name: String,
    len: u64,
    sha256: Hash,
    /// Where it starts, of a segment.
    start: Option<MediaTime>,
}

enum Found {
    Good,
    Missing,
    Wrong,
    Other,
    Unknown(String),
}

/// Checks a recording on the disk (`objects`: the directory of all objects; unless its files were deleted to make room) and at
/// these targets. `other`: this origin is one of a pair.
pub async fn verify(
    reel: &Reel,
    damaged: bool,
    objects: Option<PathBuf>,
    targets: &[(TargetId, Arc<dyn Place>)],
    other: Option<&Other>,
) -> Report {
    let mut places = Vec::new();
    let objects = objects.filter(|_| !reel.evicted());
    if let Some(dir) = objects.clone() {
        let wanted = reel.objects().iter().filter_map(|object| wanted(reel, object)).collect();
        places.push(check("disk".into(), wanted, 0, move |wanted| on_disk(dir.clone(), wanted)).await);
    }
    for (target, place) in targets {
        let bit = reel.known_bit(target);
        let (mut acknowledged, mut pending) = (Vec::new(), 0);
        for object in reel.objects() {
            match wanted(reel, object) {
                Some(wanted) if bit.is_some_and(|bit| object.on >> bit & 1 == 1) => acknowledged.push(wanted),
                // The other origin's, for good.
                Some(_) if bit.is_some_and(|bit| object.is_settled_at(bit)) => {}
                Some(_) => pending += 1,
                None => {}
            }
        }
        let beside = other.map(|other| Arc::new(Beside { other: other.clone(), dir: objects.clone() }));
        let (place, head) = (place.clone(), Arc::new(reel.head().clone()));
        let read = move |wanted| at_target(place.clone(), wanted, head.clone(), beside.clone());
        places.push(check(target.to_string(), acknowledged, pending, read).await);
    }
    let stored = || reel.objects().iter().filter(|object| object.sha256.is_some());
    let gap = |gap: recorded::Gap| Gap { from: gap.from.iso8601(), to: gap.to.iso8601(), why: gap.why };
    Report {
        channel: reel.head().channel.clone(),
        recording: reel.head().recording.clone(),
        live: reel.ended().is_none(),
        evicted: reel.evicted(),
        damaged,
        objects: stored().count() as u64,
        bytes: stored().map(|object| object.len).sum(),
        gaps: recorded::gaps(reel).into_iter().map(gap).collect(),
        places,
    }
}

fn wanted(reel: &Reel, object: &railbird_core::recording::Object) -> Option<Wanted> {
    // What is read otherwise where another origin cut it.
    let start = match &object.kind {
        Kind::Segment(segment) => Some(segment.start),
        // No two encoders make the same of a picture.
        Kind::RungSegment { start, .. } => Some(*start),
        _ => None,
    };
    Some(Wanted { name: reel.name(object), len: object.len, sha256: object.sha256?, start })
}

/// Looks at every wanted object, a few at a time.
async fn check<F>(place: String, wanted: Vec<Wanted>, pending: u64, read: impl Fn(Wanted) -> F) -> Tally
where
    F: Future<Output = (String, Found)> + Send + 'static,
{
    let mut tally = Tally { place, pending, ..Tally::default() };
    let (mut wanted, mut reading) = (wanted.into_iter(), JoinSet::new());
    loop {
        while reading.len() < AT_A_TIME
            && let Some(wanted) = wanted.next()
        {
            reading.spawn(read(wanted));
        }
        match reading.join_next().await {
            None => break,
            Some(Ok((_, Found::Good))) => tally.good += 1,
            Some(Ok((name, Found::Missing))) => tally.missing.add(name),
            Some(Ok((name, Found::Wrong))) => tally.wrong.add(name),
            Some(Ok((name, Found::Other))) => tally.other.add(name),
            Some(Ok((name, Found::Unknown(why)))) => tally.unknown.add(format!("{name}: {why}")),
            Some(Err(error)) => tally.unknown.add(error.to_string()),
        }
    }
    for names in [&mut tally.missing, &mut tally.wrong, &mut tally.other, &mut tally.unknown] {
        names.first.sort();
    }
    tally
}

async fn on_disk(dir: PathBuf, wanted: Wanted) -> (String, Found) {
    let Wanted { name, len, sha256, .. } = wanted;
    let of = name.clone();
    let read = tokio::task::spawn_blocking(move || recorded::object(&dir, &of, len, &sha256));
    let found = match read.await {
        Ok(Ok(_)) => Found::Good,
        Ok(Err(ObjectError::Missing)) => Found::Missing,
        Ok(Err(ObjectError::Wrong)) => Found::Wrong,
        Ok(Err(error @ ObjectError::Io(_))) => Found::Unknown(error.to_string()),
        Err(error) => Found::Unknown(error.to_string()),
    };
    (name, found)
}

/// The other origin of a pair, and where our own objects are, if they are on the disk.
struct Beside {
    other: Other,
    dir: Option<PathBuf>,
}

async fn at_target(
    place: Arc<dyn Place>,
    wanted: Wanted,
    head: Arc<Head>,
    beside: Option<Arc<Beside>>,
) -> (String, Found) {
    // One byte more than it should have: a longer object is wrong, and not an error of the place.
    let len_max = usize::try_from(wanted.len).unwrap_or(usize::MAX).saturating_add(1);
    let len_max = if beside.is_some() { other::LEN_MAX.max(len_max) } else { len_max };
    let Wanted { name, len, sha256, start } = wanted;
    let bytes = match place.read(&name, len_max).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return (name, Found::Missing),
        Err(why) => return (name, Found::Unknown(why)),
    };
    let of = name.clone();
    let judge = move || {
        let Head { channel, segment_ms, key_period_s, .. } = &*head;
        let slot =
            start.map(|start| Slot { channel, start, segment_ms: *segment_ms, key_period_s: *key_period_s });
        let dir = beside.as_ref().and_then(|beside| beside.dir.as_ref());
        let ours = || Some(recorded::object(dir?, &of, len, &sha256).ok()?.into());
        whose(Made { sha256: &sha256, len, slot }, beside.as_ref().map(|beside| &beside.other), ours, &bytes)
    };
    let found = match tokio::task::spawn_blocking(judge).await {
        Ok(Whose::Ours) => Found::Good,
        Ok(Whose::Others { .. }) => Found::Other,
        Ok(Whose::Nobodys) => Found::Wrong,
        Err(error) => Found::Unknown(error.to_string()),
    };
    (name, found)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { channel, recording, objects, bytes, .. } = self;
        write!(f, "{channel} {recording}: {objects} objects, {:.1} MB", *bytes as f64 / 1e6)?;
        for (is, text) in [
            (self.live, ", still recording"),
            (self.evicted, ", deleted from the disk to make room"),
            (self.damaged, ", ITS JOURNAL IS DAMAGED: what comes after the damage is not checked"),
        ] {
            if is {
                f.write_str(text)?;
            }
        }
        let names = self.places.iter().map(|tally| tally.place.len());
        let width = names.max().unwrap_or(0).max("place".len());
        let row = |f: &mut fmt::Formatter<'_>, place: &str, cells: [&str; 6]| {
            write!(f, "\n  {place:width$}")?;
            cells.iter().try_for_each(|cell| write!(f, " {cell:>9}"))
        };
        row(f, "place", ["good", "missing", "wrong", "other", "unknown", "pending"])?;
        for tally in &self.places {
            let Tally { good, missing, wrong, other, unknown, pending, .. } = tally;
            let counts = [*good, missing.count, wrong.count, other.count, unknown.count, *pending];
            let counts = counts.map(|count| count.to_string());
            row(f, &tally.place, counts.each_ref().map(String::as_str))?;
        }
        for tally in &self.places {
            for (what, names) in [
                ("missing", &tally.missing),
                ("wrong", &tally.wrong),
                ("the other origin's", &tally.other),
                ("unknown", &tally.unknown),
            ] {
                for name in &names.first {
                    write!(f, "\n  {what} at {}: {name}", tally.place)?;
                }
                let more = names.count - names.first.len() as u64;
                if more > 0 {
                    write!(f, "\n  {what} at {}: and {more} more", tally.place)?;
                }
            }
        }
        for gap in &self.gaps {
            write!(f, "\n  gap from {} to {}: {}", gap.from, gap.to, gap.why)?;
        }
        Ok(())
    }
}
