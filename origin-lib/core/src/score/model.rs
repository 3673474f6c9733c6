//! Score events as they travel: their JSON and their bounds.

mod side;
mod state;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::side::{PerSide, Side};
pub use self::state::{Ball, Claim, ClaimSide, Pause, Phase, ShotClock, SideState, State, UnitResult};
use super::rules::{Discipline, Overrides, Rules};
use crate::time::UtcMs;

/// The largest body of an event, in bytes of JSON.
pub const BODY_LEN_MAX: usize = 8 << 10;

/// The longest title or name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// The longest code, in bytes.
pub const CODE_LEN_MAX: usize = 32;

/// The highest target a match can be played to.
pub const TARGET_MAX: u32 = 1000;

/// The most points that one event can give or take.
pub const POINTS_MAX: u32 = 1000;

/// The most figures of a match of artistique.
pub const FIGURES_MAX: usize = 100;

/// How far an event's `occurred` may lie ahead of the origin's clock, in milliseconds. An event from the far future
/// would keep every later one from being shown.
pub const OCCURRED_AHEAD_MS_MAX: u64 = 60_000;

/// Who plays on a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Player {
    /// As shown to viewers; 1 to [`NAME_CHARS_MAX`] characters.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// The body of `PUT /v1/channels/{channel}/matches/{match}/events/{epoch}/{seq}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it happened at the table, by the scorer's clock.
    pub occurred: UtcMs,
    /// When the scorer entered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<UtcMs>,
    /// Who entered it, by the name under which the origin knows that scorer's offset; 1 to [`CODE_LEN_MAX`] printable ASCII
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// What happened.
    pub action: Action,
    /// What the scorer's own program shows after it, so that a divergence can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Claim>,
}

/// How a match begins. What it does not say is as the discipline has it ([`Discipline::rules`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What viewers call the match: `World Cup final`.
    pub title: String,
    /// The game.
    pub discipline: Discipline,
    /// Which form of the game, for viewers only: `47/2` of balkline; 1 to [`NAME_CHARS_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The points to reach in the match, or in each set; 1 to [`TARGET_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PerSide>,
    /// Whether the side that did not break gets a last inning after the other reached the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equalising_inning: Option<bool>,
    /// Who plays.
    pub sides: [Player; 2],
    /// Which side has the first inning.
    pub breaks: Side,
    /// Which side begins with the white ball; without it, no ball is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white: Option<Side>,
    /// The figures of a match of artistique, at most [`FIGURES_MAX`]: points then name one of them in `code`, and are its
    /// difficulty or 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// In what else the rules differ from the discipline's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<Overrides>>,
}

/// A figure of artistique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What the programme calls it: `B07`.
    pub code: String,
    /// Its difficulty: the points that it gives, 1 to [`POINTS_MAX`].
    pub points: u32,
}

/// What happened at the table. In JSON `type` says which: `{"type":"points","side":0,"points":3}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The match begins.
    Start(Start),
    /// Points of the side at the table, in its present inning: one event a point or one a run. Reaching the target
    /// ends the inning. Where every shot is a turn of its own ([`Turns::Shot`](super::Turns)), so does the event.
    Points {
        /// Who gets them.
        side: Side,
        /// How many, at most [`POINTS_MAX`] either way; negative to take back from the present run.
        points: i32,
        /// The scorer's own code for what it was; of a figure, its code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// The side at the table missed, or played safe.
    EndInning {
        /// Whose inning ends: the side at the table. Stated, so that a doubled button can't end the opponent's.
        side: Side,
    },
    /// A foul. The rules say what its points do, and whether it ends the turn.
    Foul {
        /// Who fouled.
        side: Side,
        /// What it costs, at most [`POINTS_MAX`]; 0 where fouls give no points.
        #[serde(default)]
        points: u32,
        /// The scorer's own code for what it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// A side comes to the table out of turn: the one that fouled is made to play again (snooker), or turns are not
    /// counted and the scorer says who plays.
    Turn {
        /// Who plays.
        side: Side,
    },
    /// The next set, rack or frame begins. Needed only where the rules don't say who begins; otherwise it begins with
    /// what is played first in it.
    BeginUnit {
        /// Who has its first inning, or breaks.
        breaks: Side,
    },
    /// The set, rack or frame is over, where it does not end by itself.
    EndUnit {
        /// Who won it; absent where its points say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winner: Option<Side>,
        /// Why, in the scorer's own code: `conceded`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// All balls are racked anew before their time, as after three fouls at 14.1.
    Rerack {},
    /// One turn of a shootout.
    Shootout {
        /// Who played it.
        side: Side,
        /// The points of this turn.
        points: u32,
    },
    /// Play rests: the break at half, an injury. What is played next ends it, too.
    Pause {
        /// Why, in the scorer's own code: `half`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Play goes on.
    Resume {},
    /// A side takes one of its time-outs.
    TimeOut {
        /// Whose it is.
        side: Side,
    },
    /// The shot clock. `occurred` says when: there are no ticks.
    ShotClock {
        /// What is done to it.
        #[serde(rename = "do")]
        order: ClockOrder,
        /// Whose extension it is; absent for the side at the table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        side: Option<Side>,
    },
    /// The match is over: confirms the result at the target, or decides a match that did not get there.
    End {
        /// Who won; `null` where nobody did.
        winner: Option<Side>,
        /// Why, in the scorer's own code: `forfeit`, `time`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Takes an earlier event back. An undo can be taken back too, and so can a correction.
    Undo {
        /// The epoch of the event; this event's own where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
        /// The event's number.
        seq: u64,
    },
    /// Puts another action in an earlier event's place, as if it had been sent then. It names the event itself: of two
    /// corrections of one event the later counts.
    Correct {
        /// The epoch of the event; this event's own where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
        /// The event's number.
        seq: u64,
        /// What should have been sent; neither an undo nor a correction.
        action: Box<Action>,
    },
}

/// What is done to a shot clock. It stands, full, after every shot and whenever the other side comes to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockOrder {
    /// It runs, from its full time.
    Start,
    /// It stands, and keeps what is left.
    Stop,
    /// It runs on from what is left.
    Resume,
    /// One of the side's extensions is added to what is left.
    Extend,
}

/// The body is not an event. The text tells the scorer's programmer what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Too many bytes.
    #[error("an event has at most {BODY_LEN_MAX} bytes")]
    Length,
    /// Not JSON, or not of an event's shape.
    #[error("not a score event: {0}")]
    Shape(String),
    /// A title or a name that can't be shown.
    #[error("title, names and variant need 1 to {NAME_CHARS_MAX} characters, no control characters")]
    Name,
    /// A country that is none.
    #[error("country is an ISO 3166-1 code of two upper-case letters")]
    Country,
    /// A code that is none.
    #[error("code needs 1 to {CODE_LEN_MAX} printable ASCII characters")]
    Code,
    /// A scorer's name that is none.
    #[error("scorer needs 1 to {CODE_LEN_MAX} printable ASCII characters")]
    Scorer,
    /// A target out of bounds.
    #[error("target is 1 to {TARGET_MAX} points")]
    Target,
    /// Points out of bounds.
    #[error("one event gives or takes at most {POINTS_MAX} points")]
    Points,
    /// Figures out of bounds.
    #[error("figures are at most {FIGURES_MAX}, each with its own code and 1 to {POINTS_MAX} points")]
    Figures,
    /// Rules out of bounds, or rules that contradict each other.
    #[error("these rules can't be played: {0}")]
    Rules(&'static str),
    /// A correction of what can't be corrected.
    #[error("a correction carries what should have been sent: send an undo to take an event back")]
    Correction,
}

/// The most characters of a parser's message that an error repeats: it may quote the body.
const SHAPE_CHARS_MAX: usize = 200;

impl Event {
    /// Reads and checks a body.
    pub fn from_json(body: &[u8]) -> Result<Event, EventError> {
        if body.len() > BODY_LEN_MAX {
            return Err(EventError::Length);
        }
        let event: Event = serde_json::from_slice(body)
            .map_err(|e| EventError::Shape(e.to_string().chars().take(SHAPE_CHARS_MAX).collect()))?;
        event.check()?;
        Ok(event)
    }

    /// Checks the bounds that the types can't express.
    pub fn check(&self) -> Result<(), EventError> {
        let code = self.state.as_ref().and_then(|claim| claim.paused.as_ref()?.as_ref()?.code.as_ref());
        check_code(code)?;
        if !self.scorer.as_deref().is_none_or(is_code) {
            return Err(EventError::Scorer);
        }
        self.action.check()
    }
}

impl Action {
    fn check(&self) -> Result<(), EventError> {
        match self {
            Action::Start(start) => start.check(),
            Action::Points { points, .. } if points.unsigned_abs() > POINTS_MAX => Err(EventError::Points),
            Action::Foul { points, .. } | Action::Shootout { points, .. } if *points > POINTS_MAX => {
                Err(EventError::Points)
            }
            Action::Points { code, .. }
            | Action::Foul { code, .. }
            | Action::EndUnit { code, .. }
            | Action::Pause { code }
            | Action::End { code, .. } => check_code(code.as_ref()),
            Action::Correct { action, .. } => match **action {
                Action::Undo { .. } | Action::Correct { .. } => Err(EventError::Correction),
                _ => action.check(),
            },
            Action::EndInning { .. }
            | Action::Turn { .. }
            | Action::BeginUnit { .. }
            | Action::Rerack {}
            | Action::Shootout { .. }
            | Action::Resume {}
            | Action::TimeOut { .. }
            | Action::ShotClock { .. }
            | Action::Undo { .. } => Ok(()),
        }
    }
}

impl Start {
    /// A match of which everything is as the discipline has it.
    pub fn new(title: String, discipline: Discipline, sides: [Player; 2], breaks: Side) -> Start {
        Start {
            title,
            discipline,
            variant: None,
            target: None,
            equalising_inning: None,
            sides,
            breaks,
            white: None,
            figures: Vec::new(),
            rules: None,
        }
    }

    /// The rules of the match: the discipline's, with what this start has of its own.
    pub fn rules(&self) -> Rules {
        let rules = self.discipline.rules();
        let mut rules = self.rules.as_ref().map_or(rules, |own| own.over(rules));
        rules.target = self.target.or(rules.target);
        rules.equalising_inning = self.equalising_inning.unwrap_or(rules.equalising_inning);
        rules
    }

    fn check(&self) -> Result<(), EventError> {
        let names = [&self.title].into_iter().chain(self.sides.iter().map(|player| &player.name));
        if !names.chain(&self.variant).all(|name| is_name(name)) {
            return Err(EventError::Name);
        }
        if !self.sides.iter().all(Player::has_good_country) {
            return Err(EventError::Country);
        }
        if self.target.is_some_and(|target| !target.is_within(1, TARGET_MAX)) {
            return Err(EventError::Target);
        }
        self.check_figures()?;
        self.rules().check().map_err(EventError::Rules)
    }

    fn check_figures(&self) -> Result<(), EventError> {
        let named_once = |(index, figure): (usize, &Figure)| {
            is_code(&figure.code) && self.figures.iter().take(index).all(|other| other.code != figure.code)
        };
        let points = |figure: &Figure| (1..=POINTS_MAX).contains(&figure.points);
        let good = self.figures.len() <= FIGURES_MAX
            && self.figures.iter().all(points)
            && self.figures.iter().enumerate().all(named_once);
        if good { Ok(()) } else { Err(EventError::Figures) }
    }
}

impl Player {
    pub(super) fn has_good_country(&self) -> bool {
        let code = |text: &String| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        self.country.as_ref().is_none_or(code)
    }
}

fn check_code(code: Option<&String>) -> Result<(), EventError> {
    if code.is_none_or(|code| is_code(code)) { Ok(()) } else { Err(EventError::Code) }
}

/// Whether a text is a code, or a scorer's name.
pub fn is_code(code: &str) -> bool {
    (1..=CODE_LEN_MAX).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic())
}

/// A text to show on one line. Bidirectional overrides are control characters too: they would turn the score around.
pub(super) fn is_name(text: &str) -> bool {
    let control = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (1..=NAME_CHARS_MAX).contains(&text.chars().take(NAME_CHARS_MAX + 1).count()) && !text.contains(control)
}
