//! The scorer's side of the log: what is entered becomes the log's next event, and what has lost its place gets another.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, format};

use serde::{Deserialize, Serialize};

use super::log::{Log, Offer, Position};
use super::model::{Action, Claim, Event, State};

/// An event where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its epoch.
    pub epoch: u64,
    /// Its number in the epoch.
    pub seq: u64,
    /// What it says.
    pub event: Event,
}

impl Item {
    /// An event at a place.
    pub fn new(Position { epoch, seq }: Position, event: Event) -> Item {
        Item { epoch, seq, event }
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }
}

/// What became of events that were numbered anew.
#[derive(Clone, Debug, Default)]
pub struct Requeued {
    /// The log with those that have a place.
    pub log: Log,
    /// Those, where they stand now.
    pub entered: Vec<Item>,
    /// Those that have none, as they were, and why.
    pub refused: Vec<(Item, String)>,
}

impl Log {
    /// The log with these events, in order, in which each has its place already. The text names the first that has none.
    pub fn with(mut self, items: impl IntoIterator<Item = Item>) -> Result<Log, String> {
        for item in items {
            let position = item.position();
            match self.offer(position, item.event, None) {
                Offer::Accept | Offer::Same => {}
                other => return Err(format!("event {position}: {}", words(&other))),
            }
        }
        Ok(self)
    }

    /// The log with the event as the next one of the scorer of `epoch`, claiming the score that it leads to; or why it can't.
    pub fn entered(&self, epoch: u64, mut event: Event) -> Result<(Log, Item), String> {
        let mut after = self.clone();
        event.state = None;
        after.take(epoch, event.clone())?;
        event.state = after.state().as_ref().map(claim).transpose()?;
        let mut after = self.clone();
        let position = after.take(epoch, event.clone())?;
        Ok((after, Item::new(position, event)))
    }

    /// Takes the event as the next one of the scorer of `epoch`; says where it stands, or why it can't.
    pub fn take(&mut self, epoch: u64, event: Event) -> Result<Position, String> {
        let seq = self.last().filter(|last| last.epoch == epoch).map_or(1, |last| last.seq + 1);
        let position = Position { epoch, seq };
        match self.offer(position, event, None) {
            Offer::Accept => Ok(position),
            other => Err(words(&other)),
        }
    }

    /// Numbers events anew, as the log's next ones, without some of them. What they name among themselves is numbered with
    /// them, and whatever names an event that is left out is left out as well.
    pub fn requeue(
        &self,
        epoch: u64,
        events: impl IntoIterator<Item = Item>,
        without: &[Position],
    ) -> Requeued {
        let mut gone: BTreeSet<Position> = without.iter().copied().collect();
        let mut moved = BTreeMap::new();
        let mut queue = Requeued { log: self.clone(), ..Requeued::default() };
        for item in events {
            let was = item.position();
            let named = item.event.action.named(was);
            if gone.contains(&was) || named.is_some_and(|named| gone.contains(&named)) {
                gone.insert(was);
                continue;
            }
            let mut event = item.event.clone();
            if let Some(named) = named {
                rename(&mut event.action, *moved.get(&named).unwrap_or(&named));
            }
            match queue.log.entered(epoch, event) {
                Ok((next, entered)) => {
                    moved.insert(was, entered.position());
                    queue.entered.push(entered);
                    queue.log = next;
                }
                Err(why) => {
                    gone.insert(was);
                    queue.refused.push((item, why));
                }
            }
        }
        queue
    }

    /// What an undo takes back next: the newest event that stands, but not an undo itself.
    pub fn undoable(&self) -> Option<(Position, &Action)> {
        let standing = self.standing();
        let newest = self.events().iter().zip(standing).rev();
        newest
            .filter(|(_, stands)| stands.is_some_and(|action| !matches!(action, Action::Undo { .. })))
            .map(|((at, event), _)| (*at, &event.action))
            .next()
    }
}

impl Action {
    /// The event that an undo or a correction at `at` names.
    pub fn named(&self, at: Position) -> Option<Position> {
        match self {
            Action::Undo { epoch, seq } | Action::Correct { epoch, seq, .. } => {
                Some(Position { epoch: epoch.unwrap_or(at.epoch), seq: *seq })
            }
            _ => None,
        }
    }
}

fn rename(action: &mut Action, to: Position) {
    if let Action::Undo { epoch, seq } | Action::Correct { epoch, seq, .. } = action {
        (*epoch, *seq) = (Some(to.epoch), to.seq);
    }
}

/// A state as somebody states it: the same figures.
fn claim(state: &State) -> Result<Claim, String> {
    let figures = serde_json::to_value(state).and_then(serde_json::from_value);
    figures.map_err(|error| format!("the score can't be stated: {error}"))
}

fn words(offer: &Offer) -> String {
    match offer {
        Offer::Accept | Offer::Same => "it is there already".to_owned(),
        Offer::Conflict => "there is another event with this number".to_owned(),
        Offer::Gap { expected } => format!("event {expected} is next"),
        Offer::Invalid(invalid) => invalid.to_string(),
    }
}
