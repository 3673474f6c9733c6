//! Why an event is refused. Every text tells the scorer what to do.

use crate::score::model::{EventError, Side};
use crate::score::rules::UNITS_MAX;

/// Why an event has no place in the match as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// `epoch` or `seq` out of bounds.
    #[error("epoch and seq start at 1 and stay below 2^53")]
    Position,
    /// The body's own bounds.
    #[error(transparent)]
    Event(#[from] EventError),
    /// `occurred` lies ahead of the origin's clock.
    #[error("occurred lies more than a minute ahead of the origin's clock: check the scorer's clock")]
    Clock,
    /// The log is full.
    #[error("a match has at most {max} events: go on as a new match", max = crate::score::EVENTS_MAX)]
    Full,
    /// No start yet.
    #[error("the match has not started: send start first")]
    NotStarted,
    /// A second start.
    #[error("the match has started: undo that start first, or use a new match id")]
    Started,
    /// The other side is at the table.
    #[error("side {0} is not at the table; an inning ends with end_inning, or by itself at the target")]
    NotAtTable(Side),
    /// The side is there already.
    #[error("side {0} is at the table already: send what it plays")]
    AtTable(Side),
    /// Turns follow from the score.
    #[error("here the sides take turns: end an inning with end_inning, and undo one that was ended wrongly")]
    Strict,
    /// Turns are not counted.
    #[error("turns are not counted here: send points or end_unit, and turn to show who plays")]
    Uncounted,
    /// Points are not counted.
    #[error("points are not counted here: send end_unit with the winner of each rack, set or frame")]
    Unpointed,
    /// The run would be negative.
    #[error("the present run is {run}: only that many points can be taken back; undo earlier events instead")]
    BelowZero {
        /// Points of the present run.
        run: u32,
    },
    /// The total would be negative.
    #[error("side {0} would have less than no points: send fewer, or undo what is wrong")]
    BelowNothing(Side),
    /// The points would pass the target.
    #[error("only {left} points are left to the target: send no more than that")]
    BeyondTarget {
        /// Points that the side still needs.
        left: u32,
    },
    /// A foul with points, where there are none.
    #[error("a foul gives no points here: send it with points 0")]
    FoulPoints,
    /// Not a figure of the match.
    #[error("code has to be that of a figure in the match's start: send one of those")]
    NoFigure,
    /// Points that the figure does not give.
    #[error("this figure gives {points} points: send those, or 0 where it failed")]
    FigurePoints {
        /// Its difficulty.
        points: u32,
    },
    /// Balls are not racked anew within this game.
    #[error("there are no racks within this match: send end_unit where one is over")]
    NoRack,
    /// A shootout is being played.
    #[error("the sides are level, and a shootout is on: send shootout for each turn of it")]
    Shootout,
    /// No shootout is being played.
    #[error("there is no tie for a shootout to decide: send what is played, or start with tie: shootout")]
    NoShootout,
    /// The side had its turn.
    #[error("side {0} had its turn of the shootout: the other side is next")]
    ShootoutTurn(Side),
    /// A set, rack or frame does not begin or end here.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// Clock, pause and time-outs are otherwise.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// It is over.
    #[error("the match is finished: undo what finished it to go on")]
    Finished,
    /// The result is another one.
    #[error("by the score the winner is another: undo what is wrong first")]
    Winner,
    /// The undo or the correction names no event that stands.
    #[error("there is no such event that stands: give epoch and seq of one that was not undone")]
    NoSuchEvent,
    /// The correction names an undo or another correction.
    #[error("this is an undo or a correction: undo it, or correct the event that it names")]
    CorrectionOfChange,
    /// Later events rest on the one to undo or correct.
    #[error("event {epoch}/{seq} has no place after that: undo or correct it first")]
    Breaks {
        /// Its epoch.
        epoch: u64,
        /// Its number.
        seq: u64,
    },
}

/// Why a set, rack or frame does not begin or end here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The match is one to points.
    #[error("this match has no sets, racks or frames: send end to finish it")]
    None,
    /// The last one is over, and the next has not begun.
    #[error("it is over already: send what is played in the next one")]
    Over,
    /// One is being played.
    #[error("the set, rack or frame is still played: it ends at its target, or with end_unit")]
    Playing,
    /// The scorer has to say who begins.
    #[error("say who begins the next set, rack or frame: send begin_unit")]
    WhoBegins,
    /// The points don't say who won.
    #[error("the points don't say who won: play on, or send end_unit with the winner")]
    NoWinner,
    /// There are too many.
    #[error("a match has at most {UNITS_MAX} sets, racks or frames: send end, and go on as a new match")]
    Full,
}

/// Why the clock, a pause or a time-out is not as the event would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The match has no shot clock.
    #[error("this match has no shot clock: state rules.shot_clock in its start")]
    NoShotClock,
    /// It runs.
    #[error("the shot clock runs: send start for a new shot, or stop")]
    Runs,
    /// It stands.
    #[error("the shot clock stands: send start or resume")]
    Stands,
    /// Nobody is at the table whose extension it could be.
    #[error("say whose extension it is: send side")]
    WhoseExtension,
    /// The side has none left.
    #[error("side {0} has no extension left: let the clock run, or undo one that was not taken")]
    NoExtension(Side),
    /// The side has none left.
    #[error("side {0} has no time-out left: undo one that was not taken, or send pause")]
    NoTimeOut(Side),
    /// Play rests.
    #[error("play rests already: send resume first, or what is played")]
    Paused,
    /// Play does not rest.
    #[error("play does not rest: send pause or time_out first")]
    NotPaused,
}
