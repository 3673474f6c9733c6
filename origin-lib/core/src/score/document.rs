//! The score document: which score is shown from which media time on.
//!
//! It rides beside the media. A player looks for the last entry that is not after the program date-time it shows, so
//! that a viewer who is twenty seconds behind sees the score of then.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::log::Log;
use super::model::{Action, PerSide, Phase, Player, State, TARGET_MAX, UnitResult, is_name};
use super::offsets::Offsets;
use super::rules::{Discipline, Length, UNITS_MAX, Unit};
use super::sheet::{HIGHLIGHTS_MAX, Highlight, Sheet, TURNS_MAX, Turn};
use crate::id::{ChannelId, MatchId};
use crate::time::{MediaTime, UtcMs};

/// The most entries of a document about what is played: it travels with every event.
pub const ENTRIES_MAX: usize = 500;

/// The most entries of any document, such as that of a whole match.
pub const WHOLE_ENTRIES_MAX: usize = 5_000;

/// What viewers of a channel are shown of the score. `PUT /origin/v1/channels/{channel}/score`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The channel.
    pub channel: ChannelId,
    /// The match that is, or was last, played there.
    #[serde(rename = "match")]
    pub match_id: MatchId,
    /// Goes up with every event of the channel, restarts and further matches included.
    pub revision: u64,
    /// When the origin took the last event.
    pub updated: UtcMs,
    /// What viewers call the match.
    pub title: String,
    /// The game.
    pub discipline: Discipline,
    /// Which form of the game.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The points to reach, in each set where there are sets; none where the scorer says when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PerSide>,
    /// What the match is won in.
    #[serde(default, skip_serializing_if = "is_match")]
    pub unit: Unit,
    /// How many sets, racks or frames decide it; none in one match to points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// Whether averages are worth showing.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub average: bool,
    /// Who plays.
    pub sides: [Player; 2],
    /// The last event that changed scores before it: whoever has entries up to a lower number asks for all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rewritten: u64,
    /// Media time of the last undo or correction, in 1/90000 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<MediaTime>,
    /// Stands for the offsets that all times here follow ([`Offsets::number`]): what has another number does not go together
    /// with it. 0 where that is nobody's to know.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timing: u32,
    /// The scores, in the order of their times: the first, and the newest. None where the match's start was undone, and
    /// nothing was played before.
    pub entries: Vec<Entry>,
    /// The sets, racks and frames that are over, in order; at most [`UNITS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<PastUnit>,
    /// The turns, in order; at most [`TURNS_MAX`]. None in a game that does not count them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// What is worth seeing again, in the order in which it was complete; at most [`HIGHLIGHTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<Highlight>,
}

fn is_match(unit: &Unit) -> bool {
    *unit == Unit::Match
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// From `at` on, the score is `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The event's place in the match's log, all epochs counted through: the first is 1.
    pub seq: u64,
    /// Media time, in 1/90000 s.
    pub at: MediaTime,
    /// The same instant as `PROGRAM-DATE-TIME`.
    pub pdt: String,
    /// The score.
    pub state: State,
}

/// A set, rack or frame that is over. Nobody is to be shown it before `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastUnit {
    /// Media time at which it was over, in 1/90000 s.
    pub at: MediaTime,
    /// How it ended.
    #[serde(flatten)]
    pub result: UnitResult,
}

impl Log {
    /// The score document, once the match has started.
    ///
    /// An undone event has no entry, a corrected one the score that the correction makes, and the entries after it are as
    /// if it had been so: viewers are behind the table, so that many of them never see the mistake. The undo or the
    /// correction has an entry of its own, for whoever asks for what is new.
    ///
    /// There are at most `entries_max` of them, the first and the newest: [`ENTRIES_MAX`] of what is played,
    /// [`WHOLE_ENTRIES_MAX`] of a match for who looks back.
    pub fn document(
        &self,
        channel: ChannelId,
        match_id: MatchId,
        revision: u64,
        updated: UtcMs,
        entries_max: usize,
        offsets: &Offsets,
    ) -> Option<Document> {
        let (start, rules) = (self.start()?, self.rules()?);
        let (mut entries, mut units) = (Vec::new(), Vec::new());
        let mut sheet = Sheet::new(start.discipline, rules);
        let (mut now, mut at, mut rewritten, mut corrected) = (UtcMs(0), MediaTime(0), 0, None);
        let played = self.replay(None, |index, occurred, action, game| {
            let seq = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
            let is_change = matches!(action, Action::Undo { .. } | Action::Correct { .. });
            if is_change {
                rewritten = seq;
            }
            let Some(game) = game else { return };
            // A scorer's clock may step back; what is shown never does.
            now = now.max(occurred);
            at = at.max(offsets.media(occurred, self.scorer(index)));
            let state = game.state_at(now);
            if is_change {
                corrected = Some(at);
            } else {
                units.extend(game.over().map(|result| PastUnit { at, result }));
                sheet.event(seq, at, &state);
            }
            entries.push((seq, at, state));
        });
        // Only what plays is ever taken.
        played.ok()?;
        let entries_max = entries_max.clamp(1, WHOLE_ENTRIES_MAX);
        if entries.len() > entries_max {
            entries.drain(1..entries.len() - (entries_max - 1));
        }
        let (turns, highlights) = sheet.done();
        let entry = |(seq, at, state): (u64, MediaTime, State)| Entry { seq, at, pdt: at.iso8601(), state };
        Some(Document {
            channel,
            match_id,
            revision,
            updated,
            title: start.title.clone(),
            discipline: start.discipline,
            variant: start.variant.clone(),
            target: rules.target,
            unit: rules.unit,
            length: (rules.unit != Unit::Match).then_some(rules.length),
            average: rules.average,
            sides: start.sides.clone(),
            rewritten,
            corrected,
            timing: offsets.number(),
            entries: entries.into_iter().map(entry).collect(),
            units,
            turns,
            highlights,
        })
    }

    /// What takes a match away from whoever was shown it, where its start was undone: a document without entries. `None`
    /// where nobody has ever started it.
    pub fn withdrawn(
        &self,
        channel: ChannelId,
        match_id: MatchId,
        revision: u64,
        updated: UtcMs,
        offsets: &Offsets,
    ) -> Option<Document> {
        let start = self.events().iter().find_map(|(_, event)| match &event.action {
            Action::Start(start) => Some(start),
            _ => None,
        })?;
        Some(Document {
            channel,
            match_id,
            revision,
            updated,
            title: start.title.clone(),
            discipline: start.discipline,
            variant: start.variant.clone(),
            target: None,
            unit: Unit::Match,
            length: None,
            average: true,
            sides: start.sides.clone(),
            rewritten: u64::try_from(self.events().len()).unwrap_or(u64::MAX),
            corrected: None,
            timing: offsets.number(),
            entries: Vec::new(),
            units: Vec::new(),
            turns: Vec::new(),
            highlights: Vec::new(),
        })
    }
}

impl Document {
    /// Media time at which the match begins, in 1/90000 s; `None` of one whose start was undone.
    pub fn begins(&self) -> Option<MediaTime> {
        self.entries.first().map(|entry| entry.at)
    }

    /// The number of its last event, as far as viewers are told of it.
    pub fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq).max(self.rewritten)
    }

    /// Leaves out what whoever has everything up to the event `seq` has already, unless that has changed since.
    pub fn keep_after(&mut self, seq: u64) {
        if seq >= self.rewritten {
            self.entries.retain(|entry| entry.seq > seq);
            self.turns.retain(|turn| turn.last > seq);
            self.highlights.retain(|highlight| highlight.seq > seq);
        }
    }

    /// The score that is shown at a moment; `None` where the match has not begun.
    pub fn at(&self, at: MediaTime) -> Option<&Entry> {
        self.entries.partition_point(|entry| entry.at <= at).checked_sub(1).and_then(|n| self.entries.get(n))
    }

    /// The entries that are shown between two moments: the last one from before, and those that come up.
    pub(super) fn shown(&self, from: UtcMs, to: UtcMs) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.at.utc() <= from).saturating_sub(1);
        let shown = self.entries.get(first..).unwrap_or_default().iter();
        shown.take_while(move |entry| entry.at.utc() < to)
    }

    /// What of it is shown between two moments: the scores, and the turns and highlights of which something lies there. `None`
    /// where that is nothing.
    pub fn within(&self, from: MediaTime, to: MediaTime) -> Option<Document> {
        let entries: Vec<Entry> = self.shown(from.utc(), to.utc()).cloned().collect();
        entries.first()?;
        let mut within = Document { entries, ..self.clone() };
        within.units.retain(|unit| unit.at >= from && unit.at < to);
        within.turns.retain(|turn| turn.at < to && turn.end.is_none_or(|end| end > from));
        within.highlights.retain(|highlight| highlight.at < to && highlight.end > from);
        Some(within)
    }

    /// What was known at `until`: nothing in it tells of anything later. `None` where the match had not begun.
    ///
    /// Of the turn that was played then, there is what it had brought.
    pub fn before(&self, until: MediaTime) -> Option<Document> {
        let mut known = self.clone();
        known.entries.retain(|entry| entry.at <= until);
        let now = known.entries.last()?.clone();
        known.units.retain(|unit| unit.at <= until);
        known.highlights.retain(|highlight| highlight.end <= until);
        // A shootout's turn is told by one event, when it is over.
        let is_over = |turn: &Turn| turn.end.is_some_and(|end| end <= until);
        known.turns.retain(|turn| turn.at <= until && (turn.phase != Phase::Shootout || is_over(turn)));
        if let Some(turn) = known.turns.last_mut().filter(|turn| !is_over(turn)) {
            turn.bring_back(&known.entries);
        }
        // Numbers and times of what follows say how much there is of it.
        known.revision = now.seq;
        known.updated = now.at.utc();
        known.rewritten = 0;
        known.corrected = known.corrected.filter(|corrected| *corrected <= until);
        known.timing = 0;
        Some(known)
    }
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A title, name, variant or country that can't be shown.
    #[error(
        "title, names and variant need 1 to 100 characters, no control characters; a country two upper-case letters"
    )]
    Text,
    /// A target out of bounds.
    #[error("target is 1 to {TARGET_MAX} points")]
    Target,
    /// A length out of bounds, or too many sets, racks and frames.
    #[error("a match has 1 to {UNITS_MAX} sets, racks or frames")]
    Units,
    /// Too many entries, or none without a word that they were taken back.
    #[error(
        "a score document has 1 to {WHOLE_ENTRIES_MAX} entries, or nothing at all where `rewritten` says that its start was undone"
    )]
    Entries,
    /// Too many turns or highlights.
    #[error("a score document has at most {TURNS_MAX} turns and {HIGHLIGHTS_MAX} highlights")]
    Sheet,
    /// Entries out of order, or a time that is stated in two ways.
    #[error(
        "entries must go up in seq, units, turns and entries not go back in at, what ends must not end before it begins, and pdt must be the instant of at"
    )]
    Order,
}

impl Document {
    /// Checks the bounds that the types can't express, so that a receiver may keep and serve it.
    pub fn check(&self) -> Result<(), DocumentError> {
        let names = self.sides.iter().all(|player| is_name(&player.name) && player.has_good_country());
        if !names || !is_name(&self.title) || !self.variant.as_deref().is_none_or(is_name) {
            return Err(DocumentError::Text);
        }
        if !self.target.is_none_or(|target| target.is_within(1, TARGET_MAX)) {
            return Err(DocumentError::Target);
        }
        let is_long = |length: Length| !length.is_within_bounds();
        if self.length.is_some_and(is_long) || self.units.len() > UNITS_MAX as usize {
            return Err(DocumentError::Units);
        }
        let is_empty = self.units.is_empty() && self.turns.is_empty() && self.highlights.is_empty();
        let is_withdrawn = self.entries.is_empty() && is_empty && self.rewritten > 0;
        if !is_withdrawn && !(1..=WHOLE_ENTRIES_MAX).contains(&self.entries.len()) {
            return Err(DocumentError::Entries);
        }
        if self.turns.len() > TURNS_MAX || self.highlights.len() > HIGHLIGHTS_MAX {
            return Err(DocumentError::Sheet);
        }
        let forward = self.entries.is_sorted_by(|a, b| a.seq < b.seq && a.at <= b.at);
        let forward = forward && self.units.is_sorted_by_key(|unit| unit.at);
        let forward = forward && self.turns.is_sorted_by(|a, b| a.seq < b.seq && a.at <= b.at);
        let forward = forward && self.turns.iter().all(|turn| turn.end.is_none_or(|end| turn.at <= end));
        let forward = forward && self.highlights.iter().all(|highlight| highlight.at <= highlight.end);
        let stated_once = self.entries.iter().all(|entry| entry.pdt == entry.at.iso8601());
        if forward && stated_once { Ok(()) } else { Err(DocumentError::Order) }
    }
}
