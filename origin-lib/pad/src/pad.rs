//! The match on the pad, and the questions.

use railbird_core::score::{Action, Discipline, Event, Item, Log, Position, Requeued};
use railbird_core::time::UtcMs;
use serde::Deserialize;
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
            Question::Requeue { epoch, events, without } => self.requeue(epoch, events, &without),
        }
    }

    fn add(&mut self, log: Log, events: Vec<Item>) -> Answer {
        self.log = log.with(events)?;
        Ok(json!({ "view": view::of(&self.log) }))
    }

    fn enter(&mut self, epoch: u64, event: Event) -> Answer {
        let (log, item) = self.log.entered(epoch, event)?;
        self.log = log;
        Ok(json!({ "entered": [item], "view": view::of(&self.log) }))
    }

    fn refusal(&self, epoch: u64, occurred: UtcMs, action: Value) -> Result<(), String> {
        let action = serde_json::from_value(action).map_err(|error| error.to_string())?;
        self.log.clone().take(epoch, fresh(occurred, action)).map(drop)
    }

    fn requeue(&mut self, epoch: u64, events: Vec<Item>, without: &[Position]) -> Answer {
        let Requeued { log, entered, refused } = self.log.requeue(epoch, events, without);
        self.log = log;
        let refused = refused.into_iter().map(|(Item { epoch, seq, event }, why)| {
            json!({ "epoch": epoch, "seq": seq, "event": event, "why": why })
        });
        let refused: Vec<_> = refused.collect();
        Ok(json!({ "entered": entered, "refused": refused, "view": view::of(&self.log) }))
    }
}

fn fresh(occurred: UtcMs, action: Action) -> Event {
    Event { occurred, entered: None, scorer: None, action, state: None }
}
