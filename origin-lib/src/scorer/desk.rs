//! What a scorer's program has of a channel, without disk and network: the match, what the origin has of it, and what waits.
//!
//! Everything that changes it gives the desk as it will be, and what has to be on the disk before that is shown. The rules
//! are those of the scorer's pad (`origin-lib/pad/page/scorer.js`): one event at a time, each as it is until the origin has
//! it; a higher epoch on the origin means that somebody else scores; whoever takes over begins a higher one.

use railbird_core::id::MatchId;
use railbird_core::score::{Action, Event, Item, Log, Position, Requeued, Start};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use super::origin::Held;

/// Whether the scorer scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Yes.
    #[default]
    Scoring,
    /// Another scorer has taken over: nothing is sent, and nothing is given up.
    Lost,
}

/// A line of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// Which match it is, and who scores.
    Kept {
        /// The match.
        r#match: MatchId,
        /// This scorer's epoch.
        epoch: u64,
        /// Whether it scores.
        mode: Mode,
    },
    /// An event of that match that the origin has.
    Had(Item),
    /// An event that was entered.
    Entered(Waiting),
    /// The first event that waits has reached the origin.
    Taken(Position),
}

/// An event that waits, of the present match or an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its match.
    pub r#match: MatchId,
    /// The event.
    pub item: Item,
    /// Whether it occurred by this machine's clock, before the origin's was known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
}

/// What has to be on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Behind what is there.
    Append(Vec<Record>),
    /// In the place of all that is there.
    Replace(Vec<Record>),
}

/// A desk as it will be, once the change is on the disk.
pub type Next = (Desk, Change);

/// The same, with what has no place any more, and why.
pub type Moved = (Desk, Change, Vec<(Item, String)>);

/// Why nothing is sent until the scorer decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The origin does not know the key.
    Key(String),
    /// Its log can't be played.
    Log(String),
    /// It refuses the first event that waits, or that event has no place any more.
    Invalid(Box<Waiting>, String),
}

/// What the origin's refusal of the first event that waits leads to.
#[derive(Debug)]
pub enum Denied {
    /// Nothing goes until the scorer decides.
    Stop(Problem),
    /// Another scorer has taken over.
    Lost(Box<Next>),
    /// The origin has less than it acknowledged: ask for its events, then [`Desk::resync`].
    Resync,
}

/// The origin's refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `gap`, `conflict`, `invalid`, `bad-key` …
    pub code: String,
    /// What to do.
    pub message: String,
    /// Which event is next, with `gap`.
    pub expected: Option<Position>,
}

/// The events that a scorer's program has of a channel.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    r#match: Option<MatchId>,
    epoch: u64,
    mode: Mode,
    acknowledged: Vec<Item>,
    waiting: Vec<Waiting>,
    log: Log,
    /// Who scores, where that is said.
    scorer: Option<String>,
    /// Whether what is entered occurred by the origin's clock.
    timed: bool,
}

impl Desk {
    /// What an outbox has. An error says why it can't be.
    pub fn restore(records: impl IntoIterator<Item = Record>) -> Result<Desk, String> {
        let mut desk = Desk::default();
        for record in records {
            match record {
                Record::Kept { r#match, epoch, mode } => {
                    (desk.r#match, desk.epoch, desk.mode) = (Some(r#match), epoch, mode);
                }
                Record::Had(item) => desk.acknowledged.push(item),
                Record::Entered(waiting) => desk.waiting.push(waiting),
                Record::Taken(position) => {
                    if desk.waiting.first().is_none_or(|first| first.item.position() != position) {
                        return Err(format!("event {position} was sent and not entered"));
                    }
                    desk.shift();
                }
            }
        }
        desk.log = desk.logged()?;
        Ok(desk)
    }

    /// The same, whose events say who entered them.
    pub fn signed(self, scorer: Option<String>) -> Desk {
        Desk { scorer, ..self }
    }

    /// The match, once there is one.
    pub fn current(&self) -> Option<&MatchId> {
        self.r#match.as_ref()
    }

    /// This scorer's epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether it scores.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many events the origin does not have.
    pub fn pending(&self) -> usize {
        self.waiting.len()
    }

    /// How many of these are of the match itself.
    pub fn held(&self) -> usize {
        self.own().count()
    }

    /// The first event that waits.
    pub fn first(&self) -> Option<&Waiting> {
        self.waiting.first()
    }

    /// The event that is sent next. Of a match that another scorer has taken over, nothing is; those of others wait before it.
    pub fn due(&self) -> Option<&Waiting> {
        self.first().filter(|first| self.mode == Mode::Scoring || Some(&first.r#match) != self.current())
    }

    /// The match with what waits.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Begins another match. What waits of one that another scorer has taken over is given up.
    pub fn begin(&self, r#match: MatchId, start: Start, now: UtcMs) -> Result<Next, String> {
        let (log, item) = Log::new().entered(1, self.fresh(now, Action::Start(start)))?;
        let mut waiting = self.waiting.clone();
        if self.mode == Mode::Lost {
            waiting.retain(|waiting| Some(&waiting.r#match) != self.current());
        }
        waiting.push(Waiting { r#match: r#match.clone(), item, untimed: !self.timed });
        let desk = Desk {
            r#match: Some(r#match),
            epoch: 1,
            mode: Mode::Scoring,
            log,
            waiting,
            scorer: self.scorer.clone(),
            timed: self.timed,
            ..Desk::default()
        };
        Ok(desk.replacing())
    }

    /// Enters an action, or says why it can't be.
    pub fn enter(&self, action: Action, now: UtcMs) -> Result<Next, String> {
        let r#match = self.scoring()?.clone();
        let (log, item) = self.log.entered(self.epoch, self.fresh(now, action))?;
        let entered = Waiting { r#match, item, untimed: !self.timed };
        let mut desk = Desk { log, ..self.clone() };
        desk.waiting.push(entered.clone());
        Ok((desk, Change::Append(vec![Record::Entered(entered)])))
    }

    /// Whether the origin's clock is known.
    pub fn is_timed(&self) -> bool {
        self.timed
    }

    /// The origin's clock is known: it is ahead of this machine's by so many milliseconds. What was entered before, and so not
    /// sent, is put right.
    pub fn timed(&self, ahead_ms: i64) -> Result<Next, String> {
        let mut desk = Desk { timed: true, ..self.clone() };
        if !desk.waiting.iter().any(|waiting| waiting.untimed) {
            return Ok((desk, Change::Append(Vec::new())));
        }
        for waiting in desk.waiting.iter_mut().filter(|waiting| waiting.untimed) {
            waiting.untimed = false;
            let event = &mut waiting.item.event;
            event.occurred = UtcMs(event.occurred.0.saturating_add_signed(ahead_ms));
            // What it claimed had a shot clock by the other time.
            event.state = None;
        }
        if desk.current().is_none() {
            return Ok(desk.replacing());
        }
        let own = desk.own().cloned().collect();
        let (desk, change, refused) = desk.behind(desk.epoch, desk.acknowledged.clone(), own, &[])?;
        match refused.into_iter().next() {
            Some((item, why)) => Err(format!("event {}: {why}", item.position())),
            None => Ok((desk, change)),
        }
    }

    fn fresh(&self, now: UtcMs, action: Action) -> Event {
        Event { occurred: now, entered: None, scorer: self.scorer.clone(), action, state: None }
    }

    fn scoring(&self) -> Result<&MatchId, String> {
        if self.mode == Mode::Lost {
            return Err(
                "another scorer has taken over: `take` takes the match back, `new` begins another".into()
            );
        }
        self.r#match.as_ref().ok_or_else(|| "no match has begun: `new` begins one".into())
    }

    /// The origin has the first event that waits.
    pub fn accepted(&self) -> Option<Next> {
        let position = self.first()?.item.position();
        let mut desk = self.clone();
        desk.shift();
        Some((desk, Change::Append(vec![Record::Taken(position)])))
    }

    /// The origin refuses the first event that waits.
    pub fn denied(&self, refusal: &Refusal) -> Option<Denied> {
        let first = self.first()?;
        let own = Some(&first.r#match) == self.current();
        Some(match (refusal.status, refusal.expected) {
            (401, _) => Denied::Stop(Problem::Key(refusal.message.clone())),
            (409, Some(expected)) if own && expected.epoch <= first.item.epoch => Denied::Resync,
            (409, _) if own => Denied::Lost(Box::new(self.lost())),
            _ => Denied::Stop(Problem::Invalid(Box::new(first.clone()), refusal.message.clone())),
        })
    }

    /// Another scorer has taken over.
    pub fn lost(&self) -> Next {
        let desk = Desk { mode: Mode::Lost, ..self.clone() };
        let kept = desk.kept();
        (desk, Change::Append(kept.into_iter().collect()))
    }

    /// Makes the origin's log ours, with what it does not have behind it.
    pub fn resync(&self, events: Vec<Item>) -> Result<Next, Problem> {
        if events.last().is_some_and(|last| last.epoch > self.epoch) {
            return Ok(self.lost());
        }
        let ours = self.acknowledged.iter().filter(|item| item.epoch == self.epoch);
        let missing: Vec<_> = ours.chain(self.own()).filter(|item| !events.contains(item)).cloned().collect();
        let (desk, change, refused) = self.behind(self.epoch, events, missing, &[]).map_err(Problem::Log)?;
        match (refused.into_iter().next(), self.current()) {
            (Some((item, why)), Some(r#match)) => {
                let waiting = Waiting { r#match: r#match.clone(), item, untimed: false };
                Err(Problem::Invalid(Box::new(waiting), why))
            }
            _ => Ok((desk, change)),
        }
    }

    /// Becomes the scorer of a match, of which the origin has these events and which is scored with this epoch, with what waits
    /// of it here. Gives what of that has no place any more, and why.
    pub fn take_over(&self, r#match: MatchId, Held { events, epoch }: Held) -> Result<Moved, String> {
        let known = self.current() == Some(&r#match);
        let own: Vec<_> = self.own().filter(|item| known && !events.contains(item)).cloned().collect();
        let before = if known { self.epoch } else { 0 };
        let epoch = before.max(epoch) + 1;
        let desk = Desk { r#match: Some(r#match), mode: Mode::Scoring, ..self.clone() };
        desk.behind(epoch, events, own, &[])
    }

    /// Gives up the event that the origin refuses, and what names it. Gives what else has no place then.
    pub fn without(&self, refused: &Waiting) -> Result<Moved, String> {
        if Some(&refused.r#match) != self.current() {
            // Of an earlier match: what follows it there can't be sent either.
            let mut desk = self.clone();
            let gone = desk.waiting.extract_if(.., |waiting| waiting.r#match == refused.r#match);
            let rest = gone.map(|waiting| waiting.item).filter(|item| *item != refused.item);
            let why = format!("it follows {} of its match", refused.item.position());
            let lost = rest.map(|item| (item, why.clone())).collect();
            let (desk, change) = desk.replacing();
            return Ok((desk, change, lost));
        }
        let own = self.own().cloned().collect();
        self.behind(self.epoch, self.acknowledged.clone(), own, &[refused.item.position()])
    }

    /// With these events from the origin, and those of ours behind them.
    fn behind(
        &self,
        epoch: u64,
        events: Vec<Item>,
        ours: Vec<Item>,
        without: &[Position],
    ) -> Result<Moved, String> {
        let r#match = self.current().ok_or("no match has begun")?;
        let log = Log::new().with(events.iter().cloned())?;
        let Requeued { log, entered, refused } = log.requeue(epoch, ours, without);
        let others = self.waiting.iter().filter(|waiting| waiting.r#match != *r#match).cloned();
        let timed = |item| Waiting { r#match: r#match.clone(), item, untimed: false };
        let own = entered.into_iter().map(timed);
        let waiting = others.chain(own).collect();
        let desk = Desk { epoch, acknowledged: events, waiting, log, ..self.clone() };
        let (desk, change) = desk.replacing();
        Ok((desk, change, refused))
    }

    fn own(&self) -> impl Iterator<Item = &Item> {
        let own = self.waiting.iter().filter(|waiting| Some(&waiting.r#match) == self.current());
        own.map(|waiting| &waiting.item)
    }

    fn shift(&mut self) {
        let Waiting { r#match, item, .. } = self.waiting.remove(0);
        if Some(&r#match) == self.current() {
            self.acknowledged.push(item);
        }
    }

    fn logged(&self) -> Result<Log, String> {
        let items = self.acknowledged.iter().chain(self.own());
        let events = items.map(|item| (item.position(), item.event.clone()));
        Log::restore(events).map_err(|misfit| format!("its event {} does not fit", misfit.index + 1))
    }

    fn kept(&self) -> Option<Record> {
        let r#match = self.r#match.clone()?;
        Some(Record::Kept { r#match, epoch: self.epoch, mode: self.mode })
    }

    fn replacing(self) -> Next {
        let had = self.acknowledged.iter().cloned().map(Record::Had);
        let entered = self.waiting.iter().cloned().map(Record::Entered);
        let records = self.kept().into_iter().chain(had).chain(entered).collect();
        (self, Change::Replace(records))
    }
}

#[cfg(test)]
mod tests;
