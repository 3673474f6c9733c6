//! The score sheet: a match by its turns, and what of it is worth seeing again, each with its media times.
//!
//! It is made from the states that the log leads to, in their order, and asks no rule of a game but what a run is worth. So
//! it is right for every discipline, and after an undo or a correction as if nothing had been wrong.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::document::Entry;
use super::model::{Phase, Side, State};
use super::rules::{Discipline, Rules, Turns};
use crate::time::MediaTime;

/// The most turns of a sheet: the first ones, since innings that a playlist listed stay in one that grows.
pub const TURNS_MAX: usize = 2_000;

/// The most highlights: the newest ones.
pub const HIGHLIGHTS_MAX: usize = 500;

/// One visit of a side to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The event after which it begins, by its place in the log: its name, which stays the same while it is played.
    pub seq: u64,
    /// The last event that changed it.
    pub last: u64,
    /// Media time at which it begins, in 1/90000 s: the side before has missed.
    pub at: MediaTime,
    /// Where it is over; none while it is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<MediaTime>,
    /// The number of its set, rack or frame, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u32>,
    /// The number of its inning in the match, set, frame or extension; 0 in a shootout.
    pub inning: u32,
    /// Who plays.
    pub side: Side,
    /// What it brought the side so far; below zero where points were lost.
    pub points: i32,
    /// What it brought the opponent, by fouls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub given: i32,
    /// The side's points after it, in the match, set or frame, an extension's counted in; in a shootout those of the shootout.
    pub total: i32,
    /// Play, an extension or a shootout.
    #[serde(default = "playing", skip_serializing_if = "is_playing")]
    pub phase: Phase,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

fn playing() -> Phase {
    Phase::Playing
}

fn is_playing(phase: &Phase) -> bool {
    *phase == Phase::Playing
}

/// Something that is worth seeing again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Highlight {
    /// The event with which it was complete, by its place in the log.
    pub seq: u64,
    /// What happened.
    pub kind: Kind,
    /// Media time from which on to see it, in 1/90000 s; where turns are not counted, the moment at which it was complete.
    pub at: MediaTime,
    /// Where it is over.
    pub end: MediaTime,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The points of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<i32>,
}

/// What happened in a highlight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A run that is long for the discipline ([`Discipline::notable_run`]).
    Run,
    /// A side that was behind leads.
    Lead,
    /// A side that was behind is level.
    Level,
    /// A shootout, all of its turns.
    Shootout,
    /// A set, rack or frame was won.
    Set,
    /// The match was won.
    Win,
}

/// A sheet as far as it has been written.
#[derive(Debug)]
pub(super) struct Sheet {
    has_turns: bool,
    notable_run: Option<u32>,
    head_start: [i32; 2],
    turns: Vec<Turn>,
    highlights: Vec<Highlight>,
    /// Whether the last turn of the list is being played.
    is_open: bool,
    before: Option<Before>,
    /// Who was ahead last in the present match, set or frame.
    leader: Option<Side>,
    /// It is level now, or nobody was ever ahead.
    is_level: bool,
}

/// What the last event left.
#[derive(Debug)]
struct Before {
    seq: u64,
    at: MediaTime,
    state: State,
}

/// Which turn a state is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    unit: Option<u32>,
    phase: Phase,
    inning: u32,
    side: Side,
}

impl Turn {
    /// Takes it back to what it was with the last of these entries, which are those up to a moment while it was played.
    pub(super) fn bring_back(&mut self, entries: &[Entry]) {
        let Some(now) = entries.last() else { return };
        let brought = self.total.saturating_sub(self.points);
        (self.end, self.last) = (None, now.seq.max(self.seq));
        self.total = total(&now.state, self.side);
        self.points = self.total.saturating_sub(brought);
        let opponent = |entry: &Entry| total(&entry.state, self.side.other());
        let is_first = |entry: &&Entry| entry.seq >= self.seq && entry.state.unit == self.unit;
        let first = entries.iter().find(is_first).map_or(0, opponent);
        self.given = opponent(now).saturating_sub(first);
    }
}

impl Place {
    fn of(state: &State) -> Option<Place> {
        let is_played = matches!(state.phase, Phase::Playing | Phase::Extension);
        let side = state.at_table.filter(|_| is_played)?;
        // The side that does not begin may owe the inning before.
        let inning = side.of(&state.sides).innings.max(1);
        Some(Place { unit: state.unit, phase: state.phase, inning, side })
    }

    /// Whether it is this turn that goes on. Those of an extension are counted here only.
    fn is_of(self, turn: &Turn) -> bool {
        let is_counted = self.phase != Phase::Extension;
        (self.unit, self.phase, self.side) == (turn.unit, turn.phase, turn.side)
            && !(is_counted && self.inning != turn.inning)
    }
}

/// A side's points where it stands, those of an extension counted in.
fn total(state: &State, side: Side) -> i32 {
    let side = side.of(&state.sides);
    let extension = side.extension.and_then(|points| i32::try_from(points).ok()).unwrap_or(0);
    side.points.saturating_add(extension)
}

impl Sheet {
    pub(super) fn new(discipline: Discipline, rules: &Rules) -> Sheet {
        Sheet {
            has_turns: rules.turns != Turns::Free,
            notable_run: discipline.notable_run(),
            head_start: rules.head_start,
            turns: Vec::new(),
            highlights: Vec::new(),
            is_open: false,
            before: None,
            leader: None,
            is_level: true,
        }
    }

    /// The event `seq`, which stands and is no undo or correction, led to `state`, which is shown from `at` on.
    pub(super) fn event(&mut self, seq: u64, at: MediaTime, state: &State) {
        let before = self.before.take();
        if let Some(before) = &before {
            self.played(before, seq, at, state);
        }
        let place = Place::of(state).filter(|_| self.has_turns);
        let goes_on = |turn: &Turn| place.is_some_and(|place| place.is_of(turn));
        if self.is_open && !self.turns.last().is_some_and(goes_on) {
            self.close(seq, at, state);
        }
        if let Some(place) = place.filter(|_| !self.is_open) {
            self.open(seq, at, place, total(state, place.side));
        }
        if let Some(before) = &before {
            self.ended(before, seq, at, state);
        }
        self.before = Some(Before { seq, at, state: state.clone() });
    }

    /// What the event brought, to the turn in which it happened.
    fn played(&mut self, before: &Before, seq: u64, at: MediaTime, state: &State) {
        let is_new_unit = before.state.unit != state.unit;
        if is_new_unit {
            (self.leader, self.is_level) = (None, true);
            // It may begin with a shot that ends its first turn.
            let side = before.state.at_table.or(state.breaks);
            if let Some(side) = side.filter(|_| self.has_turns && !self.is_open) {
                let place = Place { unit: state.unit, phase: Phase::Playing, inning: 1, side };
                self.open(before.seq, at, place, *side.of(&self.head_start));
            }
        }
        let since = |side: Side| {
            let old = if is_new_unit { *side.of(&self.head_start) } else { total(&before.state, side) };
            total(state, side).saturating_sub(old)
        };
        let made = Side::BOTH.map(since);
        if let Some(turn) = self.turns.last_mut().filter(|_| self.is_open)
            && made != [0, 0]
        {
            turn.points = turn.points.saturating_add(*turn.side.of(&made));
            turn.given = turn.given.saturating_add(*turn.side.other().of(&made));
            turn.total = total(state, turn.side);
            turn.last = seq;
        } else if made != [0, 0] {
            // Turns are not counted: each shot is looked at by itself.
            self.compare(seq, at, at, state);
        }
        for side in Side::BOTH {
            self.shot_out(before, seq, at, state, side);
        }
    }

    /// A turn of a shootout.
    fn shot_out(&mut self, before: &Before, seq: u64, at: MediaTime, state: &State, side: Side) {
        let [old, new] = [&before.state, state].map(|state| side.of(&state.sides).shootout);
        let Some(new) = new.filter(|_| old != new) else { return };
        let made = |points: u32| i32::try_from(points).unwrap_or(i32::MAX);
        let (total, points) = (made(new), made(new.saturating_sub(old.unwrap_or(0))));
        self.turns.push(Turn {
            seq: before.seq,
            last: seq,
            at: before.at,
            end: Some(at),
            unit: state.unit,
            inning: 0,
            side,
            points,
            given: 0,
            total,
            phase: Phase::Shootout,
        });
        let (seq, end) = (seq, at);
        match self.highlights.last_mut().filter(|last| last.kind == Kind::Shootout) {
            Some(last) => (last.seq, last.end) = (seq, end),
            None => {
                let at = before.at;
                self.highlights.push(Highlight {
                    seq,
                    kind: Kind::Shootout,
                    at,
                    end,
                    side: None,
                    points: None,
                });
            }
        }
    }

    fn open(&mut self, seq: u64, at: MediaTime, place: Place, total: i32) {
        let Place { unit, phase, mut inning, side } = place;
        if phase == Phase::Extension {
            let is_before = |turn: &&Turn| (turn.unit, turn.phase, turn.side) == (unit, phase, side);
            let before =
                self.turns.iter().rev().take_while(|turn| turn.phase == phase).filter(is_before).count();
            inning = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        }
        self.turns.push(Turn {
            seq,
            last: seq,
            at,
            end: None,
            unit,
            inning,
            side,
            points: 0,
            given: 0,
            total,
            phase,
        });
        self.is_open = true;
    }

    fn close(&mut self, seq: u64, at: MediaTime, state: &State) {
        self.is_open = false;
        let Some(turn) = self.turns.last_mut() else { return };
        (turn.end, turn.last) = (Some(at), seq);
        let turn = *turn;
        let is_notable = |run: u32| i64::from(turn.points) >= i64::from(run);
        if self.notable_run.is_some_and(is_notable) {
            let (side, points) = (Some(turn.side), Some(turn.points));
            self.highlights.push(Highlight { seq, kind: Kind::Run, at: turn.at, end: at, side, points });
        }
        if turn.points != 0 || turn.given != 0 {
            self.compare(seq, turn.at, at, state);
        }
    }

    /// Whether whoever was behind leads now, or is level.
    fn compare(&mut self, seq: u64, at: MediaTime, end: MediaTime, state: &State) {
        let [first, second] = Side::BOTH.map(|side| total(state, side));
        let leads = match first.cmp(&second) {
            core::cmp::Ordering::Greater => Some(Side::First),
            core::cmp::Ordering::Less => Some(Side::Second),
            core::cmp::Ordering::Equal => None,
        };
        let mut tell = |kind, side| {
            self.highlights.push(Highlight { seq, kind, at, end, side: Some(side), points: None });
        };
        match (self.leader, leads) {
            (Some(leader), Some(leads)) if leader != leads => tell(Kind::Lead, leads),
            (Some(leader), None) if !self.is_level => tell(Kind::Level, leader.other()),
            _ => {}
        }
        self.is_level = leads.is_none();
        // Who was caught up with and falls behind is overtaken then.
        self.leader = leads.or(self.leader);
    }

    /// A set or the match that the event ended.
    fn ended(&mut self, before: &Before, seq: u64, end: MediaTime, state: &State) {
        let at = self.turns.last().filter(|turn| turn.end == Some(end)).map_or(end, |turn| turn.at);
        let won = |state: &State| Side::BOTH.map(|side| side.of(&state.sides).won.unwrap_or(0));
        let (old, new) = (won(&before.state), won(state));
        let winner = Side::BOTH.into_iter().find(|side| side.of(&new) > side.of(&old));
        let mut tell =
            |kind, side| self.highlights.push(Highlight { seq, kind, at, end, side, points: None });
        if winner.is_some() {
            tell(Kind::Set, winner);
        }
        if state.phase == Phase::Finished && before.state.phase != Phase::Finished && state.winner.is_some() {
            tell(Kind::Win, state.winner);
        }
    }

    /// What has been written.
    pub(super) fn done(mut self) -> (Vec<Turn>, Vec<Highlight>) {
        self.turns.truncate(TURNS_MAX);
        self.highlights.drain(..self.highlights.len().saturating_sub(HIGHLIGHTS_MAX));
        (self.turns, self.highlights)
    }
}
