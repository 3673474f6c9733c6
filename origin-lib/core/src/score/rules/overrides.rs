//! A match's own rules, and which rules can be played.

use serde::{Deserialize, Serialize};

use super::{
    Begins, FoulPoints, Length, Level, Per, Rules, ShotClockRules, SwapBalls, Tie, TimeOutRules, Turns, Unit,
};
use crate::score::model::{PerSide, Side, TARGET_MAX};

/// In what the rules of a match differ from its discipline's. What is absent is as the discipline has it; target and
/// equalising inning are fields of the start itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// See [`Rules::unit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// See [`Rules::length`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// See [`Rules::begins`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins: Option<Begins>,
    /// See [`Rules::level`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// See [`Rules::points`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<bool>,
    /// See [`Rules::last_target`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_target: Option<u32>,
    /// See [`Rules::overshoot`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overshoot: Option<bool>,
    /// See [`Rules::innings_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innings_max: Option<u32>,
    /// See [`Rules::turns`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
    /// See [`Rules::tie`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie: Option<Tie>,
    /// See [`Rules::head_start`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_start: Option<[i32; 2]>,
    /// See [`Rules::below_zero`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below_zero: Option<bool>,
    /// See [`Rules::foul`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foul: Option<FoulPoints>,
    /// See [`Rules::foul_ends_turn`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foul_ends_turn: Option<bool>,
    /// See [`Rules::rack_balls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack_balls: Option<u32>,
    /// See [`Rules::average`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average: Option<bool>,
    /// See [`Rules::swap_balls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_balls: Option<SwapBalls>,
    /// See [`Rules::break_at_half`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_at_half: Option<bool>,
    /// See [`Rules::shot_clock`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shot_clock: Option<ShotClockRules>,
    /// See [`Rules::time_outs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_outs: Option<TimeOutRules>,
}

impl Overrides {
    /// `rules` with these in the place of theirs.
    pub(crate) fn over(&self, rules: Rules) -> Rules {
        Rules {
            unit: self.unit.unwrap_or(rules.unit),
            length: self.length.unwrap_or(rules.length),
            begins: self.begins.unwrap_or(rules.begins),
            level: self.level.unwrap_or(rules.level),
            points: self.points.unwrap_or(rules.points),
            target: rules.target,
            last_target: self.last_target.or(rules.last_target),
            overshoot: self.overshoot.unwrap_or(rules.overshoot),
            innings_max: self.innings_max.or(rules.innings_max),
            turns: self.turns.unwrap_or(rules.turns),
            equalising_inning: rules.equalising_inning,
            tie: self.tie.unwrap_or(rules.tie),
            head_start: self.head_start.unwrap_or(rules.head_start),
            below_zero: self.below_zero.unwrap_or(rules.below_zero),
            foul: self.foul.unwrap_or(rules.foul),
            foul_ends_turn: self.foul_ends_turn.unwrap_or(rules.foul_ends_turn),
            rack_balls: self.rack_balls.or(rules.rack_balls),
            average: self.average.unwrap_or(rules.average),
            swap_balls: self.swap_balls.unwrap_or(rules.swap_balls),
            break_at_half: self.break_at_half.unwrap_or(rules.break_at_half),
            shot_clock: self.shot_clock.or(rules.shot_clock),
            time_outs: self.time_outs.or(rules.time_outs),
        }
    }
}

impl Rules {
    /// Whether a match can be played by these rules; else what to change.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.check_bounds()?;
        let is_extension = matches!(self.tie, Tie::Extension { .. });
        let impossible = [
            (
                self.unit == Unit::Match && self.length != Length::RaceTo(PerSide::Both(1)),
                "a length needs rules.unit: set, rack or frame",
            ),
            (
                self.unit == Unit::Match && self.last_target.is_some(),
                "last_target needs rules.unit: set, rack or frame",
            ),
            (
                !self.points
                    && (self.target.is_some() || self.head_start != [0, 0] || self.innings_max.is_some()),
                "target, head_start and innings_max need rules.points: true",
            ),
            (
                !self.points && self.unit == Unit::Match,
                "without points, rules.unit has to be set, rack or frame",
            ),
            (!self.points && self.foul != FoulPoints::None, "without points, rules.foul has to be none"),
            (
                self.equalising_inning && !(self.is_strict() && self.target.is_some()),
                "equalising_inning needs a target, and turns: miss or shot",
            ),
            (self.innings_max.is_some() && !self.is_strict(), "innings_max needs turns: miss or shot"),
            (is_extension && !self.is_strict(), "an extension needs turns: miss or shot"),
            (
                self.target.is_none() && (self.last_target.is_some() || self.break_at_half),
                "last_target and break_at_half need a target",
            ),
            (
                self.target.is_none() && self.swap_balls == SwapBalls::Half,
                "swap_balls: half needs a target; set it to never or unit",
            ),
            (
                self.time_outs.is_some_and(|rules| rules.per == Per::Unit) && self.unit == Unit::Match,
                "time_outs per unit need rules.unit: set, rack or frame",
            ),
            (
                self.shot_clock.is_some_and(|rules| rules.per == Per::Unit) && self.unit == Unit::Match,
                "extensions per unit need rules.unit: set, rack or frame",
            ),
        ];
        impossible.into_iter().find(|(is, _)| *is).map_or(Ok(()), |(_, what)| Err(what))
    }

    fn check_bounds(&self) -> Result<(), &'static str> {
        let number =
            |number: Option<u32>, most: u32| number.is_none_or(|number| (1..=most).contains(&number));
        let innings = if let Tie::Extension { innings } = self.tie { Some(innings) } else { None };
        let clock = self.shot_clock.is_none_or(|clock| {
            (1..=600).contains(&clock.seconds) && clock.extensions <= 100 && clock.extension_seconds <= 600
        });
        let time_outs =
            self.time_outs.is_none_or(|rules| rules.count <= 100 && (1..=3600).contains(&rules.seconds));
        let head_starts = Side::BOTH.into_iter().all(|side| {
            // A unit that is won before it begins would be won for ever.
            let points = *side.of(&self.head_start);
            let target = self.target.map(|target| target.of(side)).into_iter().chain(self.last_target).min();
            let below = |target| i32::try_from(target).is_ok_and(|target| points < target);
            points.unsigned_abs() <= TARGET_MAX
                && target.is_none_or(below)
                && (points >= 0 || self.below_zero)
        });
        let bounds = [
            (self.length.is_within_bounds(), "race_to and best_of are 1 to 99"),
            (number(self.last_target, TARGET_MAX), "last_target is 1 to 1000 points"),
            (number(self.innings_max, 1000), "innings_max is 1 to 1000"),
            (number(innings, 100), "an extension has 1 to 100 innings"),
            (number(self.rack_balls, 100), "rack_balls is 1 to 100"),
            (
                clock,
                "the shot clock has 1 to 600 seconds, at most 100 extensions, at most 600 extension_seconds",
            ),
            (time_outs, "time-outs are at most 100 a side, of 1 to 3600 seconds"),
            (
                head_starts,
                "a head start is at most 1000 points, below the target; below zero where below_zero is true",
            ),
        ];
        bounds.into_iter().find(|(good, _)| !*good).map_or(Ok(()), |(_, what)| Err(what))
    }
}
