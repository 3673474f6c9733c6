//! What playlists say of a match: from when to when it was played, its sets, its innings and its long runs.
//!
//! Players keep a date range by its ID, and an ID must keep what it says (RFC 8216bis, 4.4.5.1); only its end may become
//! known later. So an ID is made of everything else that the range says, and a correction gives it another one, as do other
//! offsets between the score and its picture. What the next match's beginning ended is another one, too: its own end may come
//! later, and that beginning be taken back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::document::{Document, Entry};
use super::model::{Phase, Side};
use super::rules::Unit;
use super::sheet::Turn;
use crate::hex;
use crate::id::MatchId;
use crate::time::MediaTime;

/// Something that lasted a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its name: the same for as long as everything but its end is the same. Lower-case hexadecimal digits.
    pub id: String,
    /// What it is.
    pub class: Class,
    /// Media time at which it begins, in 1/90000 s.
    pub start: MediaTime,
    /// From when on it is known to have begun, where that is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<MediaTime>,
    /// Where it ends; none as long as it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<MediaTime>,
    /// When the match was corrected last: what had ended may have gone on, so that from then on it has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<MediaTime>,
    /// Which match took the table over before this had ended. Where that is its end, it has another name once the end is told:
    /// the match may yet end by itself, or the next one's start be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_for: Option<MatchId>,
    /// What viewers call it: the match's title, or the player's name.
    pub title: String,
    /// Which set, rack, frame or inning; the first is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// What the match is won in, of one of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// What it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<i32>,
}

/// What a range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A match.
    Match,
    /// A set, rack or frame.
    Unit,
    /// A side's inning. It is told when it is over, since what it brought is a part of it.
    Inning,
    /// A run that is long for the discipline.
    Run,
}

impl Range {
    fn new(document: &Document, class: Class, start: MediaTime, end: Option<MediaTime>) -> Range {
        let title = document.title.clone();
        Range {
            id: String::new(),
            class,
            start,
            known: None,
            end,
            again: None,
            left_for: None,
            title,
            number: None,
            unit: None,
            side: None,
            points: None,
        }
    }

    /// With its name, of what it says and of `beside`.
    fn named(mut self, beside: &[&[u8]]) -> Range {
        let (known, end, again) = (self.known.take(), self.end.take(), self.again.take());
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&self).unwrap_or_default());
        beside.iter().for_each(|part| hash.update(part));
        let digest: [u8; 32] = hash.finalize().into();
        self.id = hex::encode(digest.get(..10).unwrap_or_default());
        Range { known, end, again, ..self }
    }

    /// The same, of a match that is left where `next` begins, finished or not.
    pub fn left(self, next: &MatchId, begins: MediaTime) -> Range {
        let end = begins.max(self.start);
        let is_open = matches!(self.class, Class::Match | Class::Unit);
        if !is_open || self.end.is_some_and(|own| own <= end) {
            return self;
        }
        Range { end: Some(end), left_for: Some(next.clone()), ..self }
    }

    /// What is to be told of it to who has come as far as `horizon`: its end only where that lies before it, and nothing of what
    /// is told with its end, as an inning is with its points. `None` where that is nothing.
    pub fn before(&self, horizon: MediaTime) -> Option<Range> {
        let end = self.end.filter(|end| *end <= horizon);
        let is_told = end.is_some() || matches!(self.class, Class::Match | Class::Unit);
        let is_known = self.start.max(self.known.unwrap_or_default()) <= horizon;
        if !is_told || !is_known {
            return None;
        }
        let again = self.again.filter(|again| *again <= horizon);
        let mut id = again.map_or_else(|| self.id.clone(), |again| format!("{}{:x}", self.id, again.0));
        if let Some((next, end)) = self.left_for.as_ref().zip(end) {
            let digest = Sha256::digest([next.as_str().as_bytes(), &end.0.to_be_bytes()].concat());
            id.push_str(&hex::encode(digest.get(..4).unwrap_or_default()));
        }
        Some(Range { id, known: None, end, again: None, left_for: None, ..self.clone() })
    }

    /// Whether any of it lies in this stretch.
    pub fn overlaps(&self, from: MediaTime, to: MediaTime) -> bool {
        self.start < to && self.end.is_none_or(|end| end > from)
    }
}

impl Document {
    /// What is to be said of the match, by where it begins.
    pub fn ranges(&self) -> Vec<Range> {
        let Some(first) = self.entries.first() else { return Vec::new() };
        let is_over = |entry: &&Entry| entry.state.phase == Phase::Finished;
        let over = self.entries.iter().find(is_over).map(|entry| entry.at);
        // What is open may end, and go on after all where the end is taken back.
        let timing = self.timing.to_be_bytes();
        let open = |range: Range| {
            Range { again: self.corrected, ..range }.named(&[self.match_id.as_str().as_bytes(), &timing])
        };
        let mut ranges = Vec::new();
        ranges.push(open(Range::new(self, Class::Match, first.at, over)));
        if self.unit != Unit::Match {
            ranges.extend(self.unit_ranges(first.at, over).map(open));
        }
        let closed = self.turns.iter().filter_map(|turn| Some((turn, turn.end?)));
        let named = |range: Range, turn: &Turn| {
            let [seq, end] = [turn.seq, range.end.unwrap_or_default().0].map(u64::to_be_bytes);
            range.named(&[self.match_id.as_str().as_bytes(), &seq, &end])
        };
        for (turn, end) in closed {
            let of_side = |class, number| Range {
                title: turn.side.of(&self.sides).name.clone(),
                number,
                side: Some(turn.side),
                points: Some(turn.points),
                ..Range::new(self, class, turn.at, Some(end))
            };
            if turn.phase == Phase::Playing {
                ranges.push(named(of_side(Class::Inning, Some(turn.inning)), turn));
            }
            let is_long = |run: u32| i64::from(turn.points) >= i64::from(run);
            if turn.phase != Phase::Shootout && self.discipline.notable_run().is_some_and(is_long) {
                ranges.push(named(of_side(Class::Run, None), turn));
            }
        }
        ranges.sort_by_key(|range| range.start);
        ranges
    }

    /// The sets, racks or frames: those that are over, and the one that is, or with the match was last, played.
    fn unit_ranges(&self, begin: MediaTime, over: Option<MediaTime>) -> impl Iterator<Item = Range> {
        let ended = self.units.iter().map(|unit| unit.at);
        let has_begun = |entry: &Entry| entry.state.unit.is_some_and(|unit| unit as usize > self.units.len());
        let last = self.entries.last().is_some_and(has_begun).then_some(over);
        let ends: Vec<Option<MediaTime>> = ended.map(Some).chain(last).collect();
        (1..).zip(ends).scan(begin, |before, (number, end)| {
            // A shootout is at its end: where that alone has turns, they don't tell when it began.
            let is_of_it = |turn: &&Turn| turn.unit == Some(number) && turn.phase != Phase::Shootout;
            let first = self.turns.iter().find(is_of_it).map(|turn| turn.at);
            // Without turns, it began when the last one was over, as far as anybody knows.
            let start = first.unwrap_or(*before).min(end.unwrap_or(MediaTime(u64::MAX)));
            *before = end.unwrap_or(*before);
            let is_of_it = |entry: &&Entry| entry.state.unit.is_some_and(|unit| unit >= number);
            let known = self.entries.iter().find(is_of_it).map(|entry| entry.at).filter(|at| *at > start);
            let unit = Some(self.unit);
            Some(Range { number: Some(number), unit, known, ..Range::new(self, Class::Unit, start, end) })
        })
    }
}
