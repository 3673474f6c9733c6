//! The rules of a game, as data: which there are to choose from, and what each discipline begins with.
//!
//! Rules vary by year and event. So a discipline is only a name for a set of defaults (the table in
//! [`Discipline::rules`]), and a match's start may put others in their place ([`Overrides`]). The reducer knows these
//! rules and no game.
//!
//! A log that was kept is played by the defaults of today. So once logs of a discipline exist, its row stays as it is: other
//! defaults are a discipline of another name.

mod overrides;

use serde::{Deserialize, Serialize};

pub use self::overrides::Overrides;
use super::model::PerSide;

/// The most sets, racks or frames of a match.
pub const UNITS_MAX: u32 = 99;

/// The game that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discipline {
    /// Three-cushion carom, one match to points.
    ThreeCushion,
    /// Three-cushion carom in sets, as the professional tours play it.
    ThreeCushionSets,
    /// Straight rail, or libre.
    StraightRail,
    /// Balkline, or cadre; which one is the start's `variant`.
    Balkline,
    /// One-cushion carom.
    OneCushion,
    /// Artistique: figures, each with its difficulty.
    Artistique,
    /// Five-pins.
    FivePins,
    /// Pool 14.1, or straight pool.
    StraightPool,
    /// Eight-ball.
    EightBall,
    /// Nine-ball.
    NineBall,
    /// Ten-ball.
    TenBall,
    /// Snooker.
    Snooker,
    /// Two sides, and points whenever somebody makes some.
    Points,
}

/// What a match is won in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// It is one match to points.
    #[default]
    Match,
    /// Sets.
    Set,
    /// Racks.
    Rack,
    /// Frames.
    Frame,
}

/// How many sets, racks or frames decide a match. In JSON `{"race_to":7}`, `{"race_to":[7,5]}`, `{"best_of":5}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Who first has that many wins it; 1 to [`UNITS_MAX`].
    RaceTo(PerSide),
    /// At most that many are played, and no more than it takes to decide; 1 to [`UNITS_MAX`].
    BestOf(u32),
}

impl Length {
    pub(crate) fn is_within_bounds(self) -> bool {
        match self {
            Length::RaceTo(units) => units.is_within(1, UNITS_MAX),
            Length::BestOf(units) => (1..=UNITS_MAX).contains(&units),
        }
    }
}

/// What a turn is, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turns {
    /// Sides alternate; a side plays until it misses, or is at its target.
    Miss,
    /// Sides alternate with every shot.
    Shot,
    /// A side plays until it misses; who comes next may be the referee's or the opponent's to say (snooker, pool).
    Open,
    /// They are not counted: no innings, no runs.
    Free,
}

/// Who begins the next set, rack or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begins {
    /// Whoever did not begin the last one.
    Alternate,
    /// Who won the last one; after a draw, whoever did not begin it.
    Winner,
    /// Who lost the last one; after a draw, whoever did not begin it.
    Loser,
    /// A lag or the draw decides: the scorer says it (`begin_unit`).
    Called,
}

/// What follows where both sides are level at the end of a match, set or frame. In JSON a word, or
/// `{"extension":{"innings":3}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tie {
    /// A shootout.
    Shootout,
    /// So many innings more of each side, and again as many, until one leads. They count for no average.
    Extension {
        /// 1 to 100.
        innings: u32,
    },
    /// It is drawn.
    Draw,
    /// It goes on, beyond any target, until one leads after an inning of both, or the scorer says who won.
    PlayOn,
}

/// What follows where the sides have won equally many of all the sets, racks or frames of a `best_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The match is drawn.
    Draw,
    /// Another one is played, until one side leads.
    ExtraUnit,
}

/// What the points of a foul do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoulPoints {
    /// There are none.
    None,
    /// The opponent gets them.
    Opponent,
    /// Whoever fouled loses them.
    Deduct,
}

/// When the sides change balls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwapBalls {
    /// Never.
    Never,
    /// With the first inning that ends after half of a target.
    Half,
    /// With every set.
    Unit,
}

/// What a number of extensions or time-outs is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// The whole match.
    Match,
    /// Each set, rack or frame.
    Unit,
}

/// The shot clock of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShotClockRules {
    /// The time for a shot, in seconds; 1 to 600.
    pub seconds: u32,
    /// Extensions of each side; at most 100.
    pub extensions: u32,
    /// What one adds, in seconds; at most 600.
    pub extension_seconds: u32,
    /// What they are for.
    pub per: Per,
}

/// The time-outs of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeOutRules {
    /// How many each side has; at most 100.
    pub count: u32,
    /// How long one is, in seconds; 1 to 3600.
    pub seconds: u32,
    /// What they are for.
    pub per: Per,
}

/// The rules that a match is played by. Everything that the reducer asks of a game is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What the match is won in.
    pub unit: Unit,
    /// How many of them decide it.
    pub length: Length,
    /// Who begins the next one.
    pub begins: Begins,
    /// What follows where both have won equally many.
    pub level: Level,
    /// Whether points are counted.
    pub points: bool,
    /// The points that win a unit; `None` where the scorer says when it is over.
    pub target: Option<PerSide>,
    /// The points that win the deciding set, where they are others: the one whose winner wins the match, whoever it is.
    pub last_target: Option<u32>,
    /// Whether a shot may bring more points than the target needs.
    pub overshoot: bool,
    /// After so many innings of both sides, whoever leads wins the unit; with a handicap, who is nearer to its target.
    pub innings_max: Option<u32>,
    /// What a turn is.
    pub turns: Turns,
    /// Whether the side that did not break gets a last inning after the other reached its target.
    pub equalising_inning: bool,
    /// What follows where both sides are level.
    pub tie: Tie,
    /// Points with which each side begins a unit.
    pub head_start: [i32; 2],
    /// Whether totals may go below zero.
    pub below_zero: bool,
    /// What the points of a foul do.
    pub foul: FoulPoints,
    /// Whether a foul ends the turn.
    pub foul_ends_turn: bool,
    /// Balls that are racked anew when so many have been made, at a point each (14.1).
    pub rack_balls: Option<u32>,
    /// Whether averages mean something: for those who show them.
    pub average: bool,
    /// When the sides change balls.
    pub swap_balls: SwapBalls,
    /// Whether there is a break when a side has passed half of its target.
    pub break_at_half: bool,
    /// The shot clock, if there is one.
    pub shot_clock: Option<ShotClockRules>,
    /// The time-outs, if there are any.
    pub time_outs: Option<TimeOutRules>,
}

/// One match to points with innings: what the carom games have in common, and the other games differ from.
const CAROM: Rules = Rules {
    unit: Unit::Match,
    length: Length::RaceTo(PerSide::Both(1)),
    begins: Begins::Alternate,
    level: Level::ExtraUnit,
    points: true,
    target: None,
    last_target: None,
    overshoot: false,
    innings_max: None,
    turns: Turns::Miss,
    equalising_inning: true,
    tie: Tie::Draw,
    head_start: [0, 0],
    below_zero: false,
    foul: FoulPoints::None,
    foul_ends_turn: true,
    rack_balls: None,
    average: true,
    swap_balls: SwapBalls::Never,
    break_at_half: false,
    shot_clock: None,
    time_outs: None,
};

/// Racks that the scorer says are won: what the rack games of pool have in common.
const RACKS: Rules = Rules {
    unit: Unit::Rack,
    length: Length::RaceTo(PerSide::Both(9)),
    points: false,
    turns: Turns::Free,
    equalising_inning: false,
    average: false,
    ..CAROM
};

const fn to(points: u32) -> Option<PerSide> {
    Some(PerSide::Both(points))
}

const fn race_to(units: u32) -> Length {
    Length::RaceTo(PerSide::Both(units))
}

impl Discipline {
    /// Every discipline, in the order of the table.
    pub const ALL: [Discipline; 13] = [
        Discipline::ThreeCushion,
        Discipline::ThreeCushionSets,
        Discipline::StraightRail,
        Discipline::Balkline,
        Discipline::OneCushion,
        Discipline::Artistique,
        Discipline::FivePins,
        Discipline::StraightPool,
        Discipline::EightBall,
        Discipline::NineBall,
        Discipline::TenBall,
        Discipline::Snooker,
        Discipline::Points,
    ];

    /// What a match of this discipline is played by, where its start says nothing else.
    pub const fn rules(self) -> Rules {
        match self {
            Discipline::ThreeCushion => Rules { target: to(40), tie: Tie::Shootout, ..CAROM },
            Discipline::ThreeCushionSets => Rules {
                unit: Unit::Set,
                length: Length::BestOf(7),
                target: to(15),
                last_target: Some(11),
                equalising_inning: false,
                ..CAROM
            },
            Discipline::StraightRail => Rules { target: to(400), ..CAROM },
            Discipline::Balkline => Rules { target: to(250), ..CAROM },
            Discipline::OneCushion => Rules { target: to(125), ..CAROM },
            Discipline::Artistique => Rules {
                unit: Unit::Set,
                length: Length::BestOf(5),
                turns: Turns::Shot,
                equalising_inning: false,
                average: false,
                ..CAROM
            },
            Discipline::FivePins => Rules {
                unit: Unit::Set,
                length: Length::BestOf(5),
                target: to(60),
                overshoot: true,
                turns: Turns::Shot,
                equalising_inning: false,
                foul: FoulPoints::Opponent,
                average: false,
                ..CAROM
            },
            Discipline::StraightPool => Rules {
                target: to(100),
                turns: Turns::Open,
                equalising_inning: false,
                below_zero: true,
                foul: FoulPoints::Deduct,
                rack_balls: Some(14),
                ..CAROM
            },
            Discipline::EightBall => Rules { length: race_to(7), ..RACKS },
            Discipline::NineBall => Rules { begins: Begins::Winner, ..RACKS },
            Discipline::TenBall => RACKS,
            Discipline::Snooker => Rules {
                unit: Unit::Frame,
                length: Length::BestOf(7),
                turns: Turns::Open,
                equalising_inning: false,
                tie: Tie::PlayOn,
                foul: FoulPoints::Opponent,
                average: false,
                ..CAROM
            },
            Discipline::Points => Rules {
                turns: Turns::Free,
                equalising_inning: false,
                overshoot: true,
                foul: FoulPoints::Opponent,
                average: false,
                ..CAROM
            },
        }
    }
}

impl Discipline {
    /// From how many points on a run is worth seeing again; `None` where runs are none of the game.
    pub const fn notable_run(self) -> Option<u32> {
        match self {
            Discipline::ThreeCushion | Discipline::ThreeCushionSets => Some(5),
            Discipline::OneCushion => Some(10),
            Discipline::StraightPool => Some(20),
            Discipline::Balkline => Some(40),
            Discipline::StraightRail | Discipline::Snooker => Some(50),
            Discipline::Artistique
            | Discipline::FivePins
            | Discipline::EightBall
            | Discipline::NineBall
            | Discipline::TenBall
            | Discipline::Points => None,
        }
    }
}

impl Rules {
    /// Whether the sides' turns follow from the score alone.
    pub fn is_strict(&self) -> bool {
        matches!(self.turns, Turns::Miss | Turns::Shot)
    }
}
