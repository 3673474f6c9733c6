//! The match on the pad, and the questions.

use std::collections::{BTreeMap, BTreeSet};

use railbird_core::score::{Action, Claim, Discipline, Event, Log, Offer, Position};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::view;

/// A match as the pad has it: what the origin has acknowledged, and behind it what waits.
#[derive(Debug, Default)]
pub struct Pad {
    log: Log,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Question {
    Disciplines {},
    Load {
        events: Vec<Item>,
    },
    Add {
        events: Vec<Item>,
    },
    Enter {
        epoch: u64,
        occurred: UtcMs,
        action: Action,
    },
    Check {
        epoch: u64,
        occurred: UtcMs,
        /// Each is read by itself: one that is none is refused, and the others are not.
        actions: Vec<Value>,
    },
    Requeue {
        epoch: u64,
        events: Vec<Item>,
        #[serde(default)]
        without: Vec<Position>,
    },
}

/// An event where it stands.
#[derive(Clone, Deserialize, Serialize)]
struct Item {
    epoch: u64,
    seq: u64,
    event: Event,
}

impl Item {
    fn new(Position { epoch, seq }: Position, event: Event) -> Item {
        Item { epoch, seq, event }
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }
}

/// The answer, or why there is none, in a sentence.
type Answer = Result<Value, String>;

impl Pad {
    /// The answer to a question, both JSON.
    pub fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        let answer = serde_json::from_slice(question).map_err(|error| format!("not a question: {error}"));
        let answer = answer.and_then(|question| self.decide(question));
        answer.unwrap_or_else(|why| json!({ "refused": why })).to_string().into_bytes()
    }

    fn decide(&mut self, question: Question) -> Answer {
        match question {
            Question::Disciplines {} => Ok(json!({ "disciplines": Discipline::ALL.map(view::discipline) })),
            Question::Load { events } => self.add(Log::new(), events),
            Question::Add { events } => self.add(self.log.clone(), events),
            Question::Enter { epoch, occurred, action } => self.enter(epoch, fresh(occurred, action)),
            Question::Check { epoch, occurred, actions } => {
                let refusal = |action| self.refusal(epoch, occurred, action).err();
                Ok(json!({ "refusals": actions.into_iter().map(refusal).collect::<Vec<_>>() }))
            }
            Question::Requeue { epoch, events, without } => self.requeue(epoch, events, without),
        }
    }

    fn add(&mut self, mut log: Log, events: Vec<Item>) -> Answer {
        for item in events {
            let position = item.position();
            match log.offer(position, item.event, None) {
                Offer::Accept | Offer::Same => {}
                other => return Err(format!("event {position}: {}", words(&other))),
            }
        }
        self.log = log;
        Ok(json!({ "view": view::of(&self.log) }))
    }

    fn enter(&mut self, epoch: u64, event: Event) -> Answer {
        let (log, item) = entered(&self.log, epoch, event)?;
        self.log = log;
        Ok(json!({ "entered": [item], "view": view::of(&self.log) }))
    }

    fn refusal(&self, epoch: u64, occurred: UtcMs, action: Value) -> Result<(), String> {
        let action = serde_json::from_value(action).map_err(|error| error.to_string())?;
        take(&mut self.log.clone(), epoch, fresh(occurred, action)).map(drop)
    }

    /// Numbers events anew, as the log's next ones. What they name among themselves is numbered with them, and whatever names
    /// an event that is left out is left out as well.
    fn requeue(&mut self, epoch: u64, events: Vec<Item>, without: Vec<Position>) -> Answer {
        let mut gone = BTreeSet::from_iter(without);
        let mut moved = BTreeMap::new();
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        let mut log = self.log.clone();
        for item in events {
            let was = item.position();
            let named = named(was, &item.event.action);
            if gone.contains(&was) || named.is_some_and(|named| gone.contains(&named)) {
                gone.insert(was);
                continue;
            }
            let mut event = item.event.clone();
            if let Some(named) = named {
                rename(&mut event.action, *moved.get(&named).unwrap_or(&named));
            }
            match entered(&log, epoch, event) {
                Ok((next, item)) => {
                    moved.insert(was, item.position());
                    taken.push(item);
                    log = next;
                }
                Err(why) => {
                    gone.insert(was);
                    refused
                        .push(json!({ "epoch": was.epoch, "seq": was.seq, "event": item.event, "why": why }));
                }
            }
        }
        self.log = log;
        Ok(json!({ "entered": taken, "refused": refused, "view": view::of(&self.log) }))
    }
}

fn fresh(occurred: UtcMs, action: Action) -> Event {
    Event { occurred, entered: None, scorer: None, action, state: None }
}

/// Takes the event as the next one of the scorer of `epoch`; says where it stands, or why it can't.
fn take(log: &mut Log, epoch: u64, event: Event) -> Result<Position, String> {
    let seq = log.last().filter(|last| last.epoch == epoch).map_or(1, |last| last.seq + 1);
    let position = Position { epoch, seq };
    match log.offer(position, event, None) {
        Offer::Accept => Ok(position),
        other => Err(words(&other)),
    }
}

/// The log with the event as its next one, which claims the score that it leads to.
fn entered(log: &Log, epoch: u64, mut event: Event) -> Result<(Log, Item), String> {
    let mut after = log.clone();
    event.state = None;
    take(&mut after, epoch, event.clone())?;
    event.state = after.state().map(claim).transpose()?;
    let mut after = log.clone();
    let position = take(&mut after, epoch, event.clone())?;
    Ok((after, Item::new(position, event)))
}

/// A state as somebody states it: the same figures.
fn claim(state: impl Serialize) -> Result<Claim, String> {
    let figures = serde_json::to_value(state).and_then(serde_json::from_value);
    figures.map_err(|error| format!("the score can't be stated: {error}"))
}

fn words(offer: &Offer) -> String {
    match offer {
        Offer::Accept | Offer::Same => "it is there already".into(),
        Offer::Conflict => "there is another event with this number".into(),
        Offer::Gap { expected } => format!("event {expected} is next"),
        Offer::Invalid(invalid) => invalid.to_string(),
    }
}

/// The event that an undo or a correction at `at` names.
fn named(at: Position, action: &Action) -> Option<Position> {
    match action {
        Action::Undo { epoch, seq } | Action::Correct { epoch, seq, .. } => {
            Some(Position { epoch: epoch.unwrap_or(at.epoch), seq: *seq })
        }
        _ => None,
    }
}

fn rename(action: &mut Action, to: Position) {
    if let Action::Undo { epoch, seq } | Action::Correct { epoch, seq, .. } = action {
        (*epoch, *seq) = (Some(to.epoch), to.seq);
    }
}
