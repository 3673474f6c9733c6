//! Changes of one value: from what is kept and what is said to what is kept from then on, and an answer.
//!
//! They are pure, so that a host may run one wherever the value lives: on Cloudflare inside the object that holds it, one
//! after another, so that of two at the same moment none is lost. A host that has nothing of the kind reads, applies and
//! writes.

use alloc::vec::Vec;
use core::str::FromStr;

use railbird_core::time::UtcMs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{channels, health, holder, intake, limits, passes, turn};

/// What kind of change it is. What is said is JSON, made and read by the module that the kind belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An origin's word about the event.
    Event,
    /// An origin has spoken of a channel.
    Told,
    /// An origin's word about a channel.
    State,
    /// An origin's list of recordings.
    Replays,
    /// Something with a `revision` that replaces what has a lower one.
    Snapshot,
    /// A pass that the operator signed.
    Pass,
    /// The operator takes a pass back.
    PassRevoked,
    /// A pass's holder has another password.
    PassPassword,
    /// A try, counted against a limit.
    Limit,
    /// What a pass's holder does: sessions end, screens begin and stop.
    Holder,
    /// What a viewer found of nodes.
    Votes,
    /// What the edge itself found of nodes.
    Probes,
    /// Something is done now, or again later.
    Turn,
}

/// Every kind with its name.
const KINDS: [(Kind, &str); 13] = [
    (Kind::Event, "event"),
    (Kind::Told, "told"),
    (Kind::State, "state"),
    (Kind::Replays, "replays"),
    (Kind::Snapshot, "snapshot"),
    (Kind::Pass, "pass"),
    (Kind::PassRevoked, "pass-revoked"),
    (Kind::PassPassword, "pass-password"),
    (Kind::Limit, "limit"),
    (Kind::Holder, "holder"),
    (Kind::Votes, "votes"),
    (Kind::Probes, "probes"),
    (Kind::Turn, "turn"),
];

/// The text names no kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of change has this name")]
pub struct KindError;

impl Kind {
    /// The kind's name, for a host that sends a change to where the value lives.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Kind {
    type Err = KindError;
    fn from_str(text: &str) -> Result<Kind, KindError> {
        KINDS.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind).ok_or(KindError)
    }
}

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// What is said, as JSON.
    pub said: Vec<u8>,
}

/// What is kept from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What was kept before; nothing needs to be written.
    AsIs,
    /// This value, until it expires where it does.
    Value(Vec<u8>, Option<UtcMs>),
}

/// What becomes of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is kept.
    pub keep: Keep,
    /// The answer for whoever asked for the change.
    pub answer: Vec<u8>,
}

impl Applied {
    /// With an answer of a type of ours.
    pub(crate) fn new(keep: Keep, answer: &impl Serialize) -> Applied {
        Applied { keep, answer: json(answer) }
    }
}

/// Applies a change to what is kept: `None` where there is nothing or it has expired. `now` is the host's clock.
pub fn apply(change: &Change, kept: Option<&[u8]>, now: UtcMs) -> Applied {
    let said = &change.said;
    match change.kind {
        Kind::Event => intake::change_event(read(kept), said),
        Kind::Told => channels::change_told(read(kept), said),
        Kind::State => intake::change_state(read(kept), said, now),
        Kind::Replays => intake::change_replays(read(kept), said, now),
        Kind::Snapshot => intake::change_snapshot(read(kept), said),
        Kind::Pass => passes::change(read(kept), said),
        Kind::PassRevoked => passes::change_revoked(read(kept), said),
        Kind::PassPassword => passes::change_password(read(kept), said),
        Kind::Limit => limits::change(read(kept), said, now),
        Kind::Holder => holder::change(read(kept), said, now),
        Kind::Votes => health::change_votes(read(kept), said, now),
        Kind::Probes => health::probe::change(read(kept), said, now),
        Kind::Turn => turn::change(read(kept), said, now),
    }
}

/// The longest value that [`brief`] gives, in bytes.
pub const BRIEF_LEN_MAX: usize = 256;

/// What is kept after a change, where a host can send it along with the answer, in a header: a short text. Whoever made the change
/// knows then without a read what came of it, also where it was refused, and does not ask again for what is taken.
pub fn brief(kept: &[u8]) -> Option<&str> {
    let is_text = kept.len() <= BRIEF_LEN_MAX && kept.iter().all(u8::is_ascii_graphic);
    core::str::from_utf8(kept).ok().filter(|_| is_text)
}

/// A kept value as its type. One that can't be read was written by another version: it counts as absent.
pub(crate) fn read<T: DeserializeOwned>(kept: Option<&[u8]>) -> Option<T> {
    kept.and_then(|bytes| serde_json::from_slice(bytes).ok())
}

/// Our own types have text keys only, so that this can't fail.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name() {
        for (kind, name) in KINDS {
            assert_eq!((kind.name(), name.parse()), (name, Ok(kind)));
        }
        assert_eq!("".parse::<Kind>(), Err(KindError));
    }

    #[test]
    fn what_goes_with_an_answer_is_short_text() {
        let longest = [b'x'; BRIEF_LEN_MAX];
        assert_eq!(brief(br#"{"next":1}"#), Some(r#"{"next":1}"#));
        assert_eq!(brief(&longest).map(str::len), Some(BRIEF_LEN_MAX));
        for other in [&[b'x'; BRIEF_LEN_MAX + 1][..], b"two words", b"line\n", "\u{e9}".as_bytes(), &[0xff]] {
            assert_eq!(brief(other), None, "{other:?}");
        }
    }

    proptest::proptest! {
        /// Whatever is said of whatever is kept: nothing panics, and what was not understood changes nothing.
        #[test]
        fn garbage_changes_nothing(kept: Option<Vec<u8>>, said: Vec<u8>, kind in 0..KINDS.len()) {
            let change = Change { kind: KINDS[kind].0, said };
            proptest::prop_assert_eq!(apply(&change, kept.as_deref(), UtcMs(1)).keep, Keep::AsIs);
        }
    }
}
