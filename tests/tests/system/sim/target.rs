//! A target with its bad moments, and what it has.

use std::collections::HashMap;
use std::time::Duration;

use railbird_core::hash::Hash;
use railbird_core::id::TargetId;
use railbird_origin::store::PutError;

use super::rng::Rng;

/// How a target behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Nobody answers.
    Dead,
    /// It takes the connection and says nothing, up to our deadline.
    Hangs,
    /// Each answer takes seconds.
    Slow,
    /// Most requests fail, some after the object was written.
    Breaks,
    /// It asks for fewer requests.
    Busy,
    /// It refuses everything until a person mends it.
    Refuses,
}

impl Mood {
    pub(super) const BAD: [Mood; 6] =
        [Mood::Dead, Mood::Hangs, Mood::Slow, Mood::Breaks, Mood::Busy, Mood::Refuses];
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: TargetId,
    pub(super) mood: Mood,
    /// It honours conditional create.
    pub(super) conditional: bool,
    /// What can be read through its node.
    pub(super) objects: HashMap<String, Hash>,
}

/// What becomes of a request: how long it takes, whether the object is there then, and what is said.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) after_ms: u64,
    pub(super) written: bool,
    pub(super) result: Result<(), PutError>,
}

impl Target {
    pub(super) fn new(id: &str, conditional: bool) -> Target {
        Target { id: id.parse().unwrap(), mood: Mood::Well, conditional, objects: HashMap::new() }
    }

    pub(super) fn fate(&self, rng: &mut Rng) -> Fate {
        let fate = |after_ms, written, result| Fate { after_ms, written, result };
        let retry = || Err(PutError::Retry("it broke".into()));
        match self.mood {
            Mood::Well => fate(rng.range(5, 200), true, Ok(())),
            Mood::Dead => fate(rng.range(1, 3_000), false, Err(PutError::Unreachable("dead".into()))),
            Mood::Hangs => fate(10_000, rng.one_in(4), retry()),
            Mood::Slow => fate(rng.range(1_000, 9_000), true, Ok(())),
            Mood::Breaks if rng.one_in(3) => fate(rng.range(5, 500), true, Ok(())),
            Mood::Breaks => fate(rng.range(5, 2_000), rng.one_in(3), retry()),
            Mood::Busy => {
                let after = rng.one_in(2).then(|| Duration::from_millis(rng.range(0, 60_000)));
                let slow_down = PutError::SlowDown { after, text: "busy".into() };
                if rng.one_in(3) { fate(20, true, Ok(())) } else { fate(20, false, Err(slow_down)) }
            }
            Mood::Refuses => fate(20, false, Err(PutError::Misconfigured("no".into()))),
        }
    }

    /// Writes. An object of the same name is written over, unless that was asked for and the target honours it; gives its hash
    /// where it was.
    pub(super) fn write(&mut self, name: String, hash: Hash, create: bool) -> Option<Hash> {
        if create && self.conditional && self.objects.contains_key(&name) {
            return None;
        }
        self.objects.insert(name, hash)
    }
}
