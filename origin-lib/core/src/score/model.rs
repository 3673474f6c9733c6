//! Score events as they travel, and the state that they lead to.

use alloc::string::{String, ToString};

use serde::{Deserialize, Deserializer, Serialize};

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

/// How far an event's `occurred` may lie ahead of the origin's clock, in milliseconds. An event from the far future
/// would keep every later one from being shown.
pub const OCCURRED_AHEAD_MS_MAX: u64 = 60_000;

/// One of the two sides of a match: `0` or `1` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Side {
    /// Side 0.
    First,
    /// Side 1.
    Second,
}

impl Side {
    /// The opponent.
    pub fn other(self) -> Side {
        match self {
            Side::First => Side::Second,
            Side::Second => Side::First,
        }
    }

    /// This side's item of a pair.
    pub fn of<T>(self, pair: &[T; 2]) -> &T {
        let [first, second] = pair;
        if self == Side::First { first } else { second }
    }

    /// This side's item of a pair, to change it.
    pub fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [first, second] = pair;
        if self == Side::First { first } else { second }
    }
}

impl TryFrom<u8> for Side {
    type Error = &'static str;
    fn try_from(number: u8) -> Result<Side, &'static str> {
        match number {
            0 => Ok(Side::First),
            1 => Ok(Side::Second),
            _ => Err("a side is 0 or 1"),
        }
    }
}

impl From<Side> for u8 {
    fn from(side: Side) -> u8 {
        match side {
            Side::First => 0,
            Side::Second => 1,
        }
    }
}

impl core::fmt::Display for Side {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        u8::from(*self).fmt(f)
    }
}

/// The game that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discipline {
    /// Three-cushion carom.
    ThreeCushion,
}

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
    /// What happened.
    pub action: Action,
    /// What the scorer's own program shows after it, so that a divergence can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Claim>,
}

/// How a match begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What viewers call the match: `World Cup final`.
    pub title: String,
    /// The game.
    pub discipline: Discipline,
    /// The points to reach; 1 to [`TARGET_MAX`].
    pub target: u32,
    /// Whether the side that did not break gets a last inning after the other reached the target.
    pub equalising_inning: bool,
    /// Who plays.
    pub sides: [Player; 2],
    /// Which side has the first inning.
    pub breaks: Side,
}

/// What happened at the table. In JSON `type` says which: `{"type":"points","side":0,"points":3}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The match begins.
    Start(Start),
    /// Points of the side at the table, in its present inning: one event a point or one a run. Reaching the target
    /// ends the inning.
    Points {
        /// Who gets them.
        side: Side,
        /// How many, at most [`POINTS_MAX`] either way; negative to take back from the present run.
        points: i32,
        /// The scorer's own code for what it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// The side at the table missed.
    EndInning {
        /// Whose inning ends: the side at the table. Stated, so that a doubled button can't end the opponent's.
        side: Side,
    },
    /// One turn of a shootout.
    Shootout {
        /// Who played it.
        side: Side,
        /// The points of this turn.
        points: u32,
    },
    /// The match is over: confirms the result at the target, or decides a match that did not get there.
    End {
        /// Who won; `null` where nobody did.
        winner: Option<Side>,
        /// Why, in the scorer's own code: `forfeit`, `time`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Takes an earlier event back. An undo can be taken back too.
    Undo {
        /// The epoch of the event; this event's own where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
        /// The event's number.
        seq: u64,
    },
}

/// Where a match stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Innings are played.
    Playing,
    /// Both reached the target in the same inning: a shootout decides.
    Shootout,
    /// It is over.
    Finished,
}

/// The score after an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Where the match stands.
    pub phase: Phase,
    /// The inning that is played, or was played last; the first is 1.
    pub inning: u32,
    /// Who plays now; in a shootout only where it follows from the turns.
    pub at_table: Option<Side>,
    /// Who won, once the match is finished.
    pub winner: Option<Side>,
    /// Each side's figures.
    pub sides: [SideState; 2],
}

/// One side's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideState {
    /// Points.
    pub points: u32,
    /// Points of the present inning, or of the last one where the other side is at the table.
    pub run: u32,
    /// The best run, the present one included.
    pub high_run: u32,
    /// Innings begun, the present one included.
    pub innings: u32,
    /// Points per inning × 1000, cut as result lists do: 2 points in 3 innings are 666.
    pub average_milli: u32,
    /// Points of the shootout, once this side had a turn.
    pub shootout: Option<u32>,
}

/// What a scorer's own program shows: a [`State`], or any part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Claim {
    /// See [`State::phase`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// See [`State::inning`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inning: Option<u32>,
    /// See [`State::at_table`].
    #[serde(deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub at_table: Option<Option<Side>>,
    /// See [`State::winner`].
    #[serde(deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub winner: Option<Option<Side>>,
    /// See [`State::sides`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sides: Option<[ClaimSide; 2]>,
}

/// A [`SideState`], or any part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimSide {
    /// See [`SideState::points`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// See [`SideState::run`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// See [`SideState::high_run`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_run: Option<u32>,
    /// See [`SideState::innings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innings: Option<u32>,
    /// See [`SideState::average_milli`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_milli: Option<u32>,
    /// See [`SideState::shootout`].
    #[serde(deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub shootout: Option<Option<u32>>,
}

/// A stated `null` claims that there is none; an absent field claims nothing.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(json).map(Some)
}

impl Claim {
    /// Whether everything that is claimed is so.
    pub fn agrees(&self, state: &State) -> bool {
        let sides = self.sides.iter().flatten().zip(&state.sides).all(|(claim, side)| claim.agrees(side));
        sides
            && same(self.phase, state.phase)
            && same(self.inning, state.inning)
            && same(self.at_table, state.at_table)
            && same(self.winner, state.winner)
    }
}

impl ClaimSide {
    fn agrees(&self, side: &SideState) -> bool {
        same(self.points, side.points)
            && same(self.run, side.run)
            && same(self.high_run, side.high_run)
            && same(self.innings, side.innings)
            && same(self.average_milli, side.average_milli)
            && same(self.shootout, side.shootout)
    }
}

fn same<T: PartialEq>(claimed: Option<T>, is: T) -> bool {
    claimed.is_none_or(|claimed| claimed == is)
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
    #[error("title and names need 1 to {NAME_CHARS_MAX} characters, no control characters")]
    Name,
    /// A country that is none.
    #[error("country is an ISO 3166-1 code of two upper-case letters")]
    Country,
    /// A code that is none.
    #[error("code needs 1 to {CODE_LEN_MAX} printable ASCII characters")]
    Code,
    /// A target out of bounds.
    #[error("target is 1 to {TARGET_MAX} points")]
    Target,
    /// Points out of bounds.
    #[error("one event gives or takes at most {POINTS_MAX} points")]
    Points,
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
        let code = match &self.action {
            Action::Start(start) => return start.check(),
            Action::Points { points, code, .. } => {
                if points.unsigned_abs() > POINTS_MAX {
                    return Err(EventError::Points);
                }
                code
            }
            Action::Shootout { points, .. } if *points > POINTS_MAX => return Err(EventError::Points),
            Action::End { code, .. } => code,
            Action::Shootout { .. } | Action::EndInning { .. } | Action::Undo { .. } => &None,
        };
        let plain = |code: &String| {
            (1..=CODE_LEN_MAX).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic())
        };
        if code.as_ref().is_none_or(plain) { Ok(()) } else { Err(EventError::Code) }
    }
}

impl Start {
    fn check(&self) -> Result<(), EventError> {
        if !is_name(&self.title) || !self.sides.iter().all(|player| is_name(&player.name)) {
            return Err(EventError::Name);
        }
        if !self.sides.iter().all(Player::has_good_country) {
            return Err(EventError::Country);
        }
        if (1..=TARGET_MAX).contains(&self.target) { Ok(()) } else { Err(EventError::Target) }
    }
}

impl Player {
    pub(super) fn has_good_country(&self) -> bool {
        let code = |text: &String| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        self.country.as_ref().is_none_or(code)
    }
}

/// A text to show on one line. Bidirectional overrides are control characters too: they would turn the score around.
pub(super) fn is_name(text: &str) -> bool {
    let control = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (1..=NAME_CHARS_MAX).contains(&text.chars().take(NAME_CHARS_MAX + 1).count()) && !text.contains(control)
}
