//! How sets, racks, frames and the match begin and end.

use core::cmp::Ordering;

use super::invalid::{Invalid, UnitError};
use super::tally::Tally;
use super::{Match, points_of};
use crate::score::model::{Phase, Side, UnitResult};
use crate::score::rules::{Begins, Length, Level, SwapBalls, Tie, Turns, UNITS_MAX, Unit};

impl Match {
    /// A set, rack or frame begins, or the match to points.
    pub(super) fn begin(&mut self, breaks: Side) -> Result<(), Invalid> {
        if self.units >= UNITS_MAX {
            return Err(UnitError::Full.into());
        }
        for side in Side::BOTH {
            side.of_mut(&mut self.sums).add(side.of(&self.tallies));
            let head_start = *side.of(&self.rules.head_start);
            *side.of_mut(&mut self.tallies) = Tally { head_start, ..Tally::default() };
        }
        if self.units > 0 && self.rules.swap_balls == SwapBalls::Unit {
            self.swap_balls();
        }
        self.units += 1;
        self.breaks = breaks;
        self.phase = Phase::Playing;
        (self.is_past_half, self.is_prolonged) = (false, false);
        (self.racks, self.racked) = (1, 0);
        self.at_table = None;
        self.renew_allowances();
        self.reset_clock();
        let wins_all = |side| self.wins_with(side, self.units);
        self.is_last = Side::BOTH.into_iter().all(wins_all);
        if self.rules.turns != Turns::Free {
            self.begin_inning(breaks);
        }
        Ok(())
    }

    pub(super) fn begin_unit(&mut self, breaks: Side) -> Result<(), Invalid> {
        match self.phase {
            _ if self.rules.unit == Unit::Match => Err(UnitError::None.into()),
            Phase::Finished => Err(Invalid::Finished),
            Phase::Between => {
                self.go_on();
                self.begin(breaks)
            }
            _ => Err(UnitError::Playing.into()),
        }
    }

    pub(super) fn end_unit(&mut self, winner: Option<Side>) -> Result<(), Invalid> {
        if self.rules.unit == Unit::Match {
            return Err(UnitError::None.into());
        }
        // Where points are counted, nothing can be over before something was played.
        if self.phase == Phase::Between && self.rules.points {
            return Err(UnitError::Over.into());
        }
        self.play()?;
        match (winner, self.leader(), self.rules.tie) {
            (Some(winner), _, _) => self.unit_over(Some(winner)),
            (None, _, _) if !self.rules.points || self.phase == Phase::Extension => {
                return Err(UnitError::NoWinner.into());
            }
            (None, Some(leader), _) => self.unit_over(Some(leader)),
            (None, None, Tie::PlayOn) => return Err(UnitError::NoWinner.into()),
            (None, None, _) => self.tie(),
        }
        Ok(())
    }

    /// The points are made: who has won, or what follows where both are level?
    pub(super) fn settle(&mut self) {
        let [first, second] = Side::BOTH.map(|side| self.has_reached(side));
        let winner = match (first, second) {
            (true, false) => Some(Side::First),
            (false, true) => Some(Side::Second),
            _ => self.leader(),
        };
        match winner {
            Some(winner) => self.unit_over(Some(winner)),
            None => self.tie(),
        }
    }

    /// Who has more points; with a handicap, who is nearer to its target.
    fn leader(&self) -> Option<Side> {
        let weight = |side: Side| self.target(side.other()).map_or(1, i64::from);
        let share = |side: Side| i64::from(side.of(&self.tallies).points()) * weight(side);
        match share(Side::First).cmp(&share(Side::Second)) {
            Ordering::Greater => Some(Side::First),
            Ordering::Less => Some(Side::Second),
            Ordering::Equal => None,
        }
    }

    fn tie(&mut self) {
        match self.rules.tie {
            Tie::Shootout => {
                self.phase = Phase::Shootout;
                self.at_table = None;
                self.reset_clock();
            }
            Tie::Extension { .. } => {
                self.phase = Phase::Extension;
                self.at_table = Some(self.breaks);
                self.reset_clock();
            }
            Tie::Draw => self.unit_over(None),
            Tie::PlayOn => {
                self.is_prolonged = true;
                self.begin_inning(self.breaks);
            }
        }
    }

    /// An inning of the extension is over.
    pub(super) fn end_extension_inning(&mut self, side: Side, innings: u32) {
        side.of_mut(&mut self.tallies).extension_innings += 1;
        let [first, second] = self.tallies;
        let is_whole = first.extension_innings == second.extension_innings
            && first.extension_innings.is_multiple_of(innings.max(1));
        match first.extension.cmp(&second.extension) {
            Ordering::Greater if is_whole => self.unit_over(Some(Side::First)),
            Ordering::Less if is_whole => self.unit_over(Some(Side::Second)),
            _ => self.at_table = Some(side.other()),
        }
    }

    /// The set, rack, frame or match to points is over.
    pub(super) fn unit_over(&mut self, winner: Option<Side>) {
        if self.rules.unit == Unit::Match {
            self.finish(winner);
            return;
        }
        self.over = Some(UnitResult {
            winner,
            points: self.tallies.map(|tally| tally.points()),
            innings: self.tallies.map(|tally| tally.innings),
        });
        if let Some(winner) = winner {
            winner.of_mut(&mut self.sums).won += 1;
        }
        let decided = Side::BOTH.into_iter().find(|side| self.has_won(*side, self.units));
        let is_level =
            matches!(self.rules.length, Length::BestOf(most) if self.units >= most) && decided.is_none();
        if decided.is_some() || (is_level && self.rules.level == Level::Draw) {
            self.finish(decided);
            return;
        }
        self.phase = Phase::Between;
        self.reset_clock();
        self.at_table = match (self.rules.begins, winner) {
            (Begins::Called, _) => None,
            (Begins::Winner, Some(winner)) => Some(winner),
            (Begins::Loser, Some(winner)) => Some(winner.other()),
            (Begins::Alternate | Begins::Winner | Begins::Loser, _) => Some(self.breaks.other()),
        };
    }

    /// Whether `side` has won the match, after so many sets, racks or frames.
    fn has_won(&self, side: Side, played: u32) -> bool {
        self.decides(side.of(&self.sums).won, side, played)
    }

    /// Whether `side` wins the match if it wins the set, rack or frame with this number.
    fn wins_with(&self, side: Side, unit: u32) -> bool {
        self.decides(side.of(&self.sums).won + 1, side, unit)
    }

    fn decides(&self, won: u32, side: Side, played: u32) -> bool {
        match self.rules.length {
            Length::RaceTo(units) => won >= units.of(side),
            Length::BestOf(most) => {
                won > side.other().of(&self.sums).won.saturating_add(most.saturating_sub(played))
            }
        }
    }

    pub(super) fn finish(&mut self, winner: Option<Side>) {
        self.phase = Phase::Finished;
        self.at_table = None;
        self.winner = winner;
        self.go_on();
        self.reset_clock();
    }

    /// With the first inning that ends after half of a target, a break is due, and balls may change sides.
    pub(super) fn pass_half(&mut self) {
        let passed = |side: Side| {
            let half = self.target(side).map(|target| target.div_ceil(2));
            half.is_some_and(|half| points_of(half) <= side.of(&self.tallies).points())
        };
        if self.is_past_half || !Side::BOTH.into_iter().any(passed) {
            return;
        }
        self.is_past_half = true;
        self.break_due = self.rules.break_at_half;
        if self.rules.swap_balls == SwapBalls::Half {
            self.swap_balls();
        }
    }

    fn swap_balls(&mut self) {
        self.white = self.white.map(Side::other);
    }
}
