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
    /// Origins can't read what is there; viewers can.
    pub(super) mute: bool,
    /// What can be read through its node.
    pub(super) objects: HashMap<String, Hash>,
    /// When each was written last.
    landed: HashMap<String, u64>,
}

/// How an origin writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// Whatever is there: nobody else writes this.
    Over,
    /// Where nothing is there.
    Create,
    /// It asked at this time, and nothing was there.
    Asked(u64),
    /// It could not find out whether anything is there.
    Unread,
}

/// What a write did to another object of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// There was none, or the same.
    Nothing,
    /// It was written at the same moment.
    Raced,
    /// It could not be read.
    Unread,
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
        Target {
            id: id.parse().unwrap(),
            mood: Mood::Well,
            conditional,
            mute: false,
            objects: HashMap::new(),
            landed: HashMap::new(),
        }
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

    /// Writes. That another object was written over is an error where its origin could have known of it.
    pub(super) fn write(&mut self, now: u64, name: String, hash: Hash, how: Write) -> Result<Over, String> {
        let before = self.objects.get(&name).copied();
        if how == Write::Create && before.is_some() {
            return Ok(Over::Nothing);
        }
        let landed = self.landed.insert(name.clone(), now);
        self.objects.insert(name.clone(), hash);
        match (before.filter(|before| *before != hash), how) {
            (None, _) => Ok(Over::Nothing),
            (Some(_), Write::Unread) => Ok(Over::Unread),
            (Some(_), Write::Asked(at)) if landed.is_some_and(|landed| landed >= at) => Ok(Over::Raced),
            (Some(before), _) => {
                Err(format!("at {}, {name} was {before}, and {hash} was written over it: {how:?}", self.id))
            }
        }
    }
}
