//! Where another scoring system's JSON has what we ask of it: JSON Pointers (RFC 6901), from the configuration.

use railbird_core::id::MatchId;
use railbird_core::score::{Discipline, PerSide, Player, Side, Start, TARGET_MAX};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The longest state, in bytes.
pub const LEN_MAX: usize = 64 << 10;

/// The most points of a side.
const POINTS_MAX: u64 = 10_000;

/// The longest slug of a match id of theirs, in bytes.
const SLUG_LEN_MAX: usize = 40;

/// A JSON Pointer, RFC 6901.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(String);

/// The text is no JSON Pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is a JSON Pointer (RFC 6901): \"\" for all, or \"/match/players/0/name\", with ~1 for / and ~0 for ~"
)]
pub struct NoPointer;

impl std::str::FromStr for Pointer {
    type Err = NoPointer;
    fn from_str(text: &str) -> Result<Pointer, NoPointer> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let is_pointer = (text.is_empty() || text.starts_with('/')) && text.len() <= 200 && escapes;
        if is_pointer { Ok(Pointer(text.into())) } else { Err(NoPointer) }
    }
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The game, which their state need not name.
    pub discipline: Discipline,
    /// Their name for the match: a text or a number.
    pub r#match: Pointer,
    /// Who plays.
    pub names: [Pointer; 2],
    /// Points of the match, not of the run.
    pub points: [Pointer; 2],
    /// The inning that is played, from 1.
    pub inning: Option<Pointer>,
    /// Who is at the table: one of `at_table_is`.
    pub at_table: Option<Pointer>,
    /// What stands there for each side, as text.
    pub at_table_is: [String; 2],
    /// The points to reach.
    pub target: Option<Pointer>,
    /// `true` once the match is over.
    pub finished: Option<Pointer>,
}

/// A state of theirs, in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The match.
    pub r#match: MatchId,
    /// Who plays.
    pub names: [String; 2],
    /// Points of the match.
    pub points: [i32; 2],
    /// The inning that is played.
    pub inning: Option<u32>,
    /// Who is at the table.
    pub at_table: Option<Side>,
    /// The points to reach.
    pub target: Option<u32>,
    /// The match is over.
    pub finished: bool,
}

/// A body is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Too long.
    #[error("a state has at most {LEN_MAX} bytes")]
    Length,
    /// No JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// Something is missing, or something else.
    #[error("{pointer:?} is not {what}: compare the mapping in [channel.system] with what is sent")]
    Missing {
        /// Where it should be.
        pointer: String,
        /// What should be there.
        what: &'static str,
    },
}

impl Mapping {
    /// Reads a state of theirs.
    pub fn read(&self, body: &[u8]) -> Result<Seen, Unread> {
        if body.len() > LEN_MAX {
            return Err(Unread::Length);
        }
        let state: Value = serde_json::from_slice(body).map_err(|error| Unread::Json(error.to_string()))?;
        let number = |pointer: &Pointer, max: u64| {
            let number = at(&state, pointer).and_then(whole).filter(|number| *number <= max);
            let number = number.and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| missing(pointer, "a whole number that a match can have"))
        };
        let name = |pointer: &Pointer| {
            let name =
                at(&state, pointer).and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty());
            name.map(String::from).ok_or_else(|| missing(pointer, "a name"))
        };
        let [first, second] = &self.points;
        let points =
            |pointer| number(pointer, POINTS_MAX).map(|points| i32::try_from(points).unwrap_or(i32::MAX));
        let [first_name, second_name] = &self.names;
        Ok(Seen {
            r#match: self.name(&state)?,
            names: [name(first_name)?, name(second_name)?],
            points: [points(first)?, points(second)?],
            inning: self.inning.as_ref().map(|pointer| number(pointer, POINTS_MAX)).transpose()?,
            at_table: self.at_table.as_ref().map(|pointer| self.side(&state, pointer)).transpose()?.flatten(),
            target: self.target.as_ref().map(|pointer| number(pointer, u64::from(TARGET_MAX))).transpose()?,
            finished: self
                .finished
                .as_ref()
                .map(|pointer| flag(&state, pointer))
                .transpose()?
                .unwrap_or(false),
        })
    }

    /// Their match in letters that our ids have; where they have others, with a hash that keeps two apart.
    fn name(&self, state: &Value) -> Result<MatchId, Unread> {
        let wrong = || missing(&self.r#match, "the match's name, a text or a number");
        let theirs =
            at(state, &self.r#match).and_then(text).filter(|text| !text.is_empty()).ok_or_else(wrong)?;
        if let Ok(id) = theirs.parse() {
            return Ok(id);
        }
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let slug: String = theirs.chars().map(letter).take(SLUG_LEN_MAX).collect();
        let hash: String =
            Sha256::digest(theirs.as_bytes()).iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("{slug}-{hash}").trim_start_matches('-').parse().map_err(|_| wrong())
    }

    /// Nobody, where there is `null`.
    fn side(&self, state: &Value, pointer: &Pointer) -> Result<Option<Side>, Unread> {
        let found = at(state, pointer).ok_or_else(|| missing(pointer, "who is at the table"))?;
        if found.is_null() {
            return Ok(None);
        }
        let found = text(found);
        let side = Side::BOTH.into_iter().find(|side| found.as_ref() == Some(side.of(&self.at_table_is)));
        side.map(Some).ok_or_else(|| missing(pointer, "one of at_table_is"))
    }

    /// How the match begins for us.
    pub fn start(&self, seen: &Seen) -> Start {
        let sides = seen.names.clone().map(|name| Player { name, country: None });
        let [first, second] = &seen.names;
        let title = format!("{first} - {second}").chars().take(100).collect();
        // In the first inning of both, whoever is there and has no opponent's points before him has begun.
        let is_first = seen.inning.is_none_or(|inning| inning <= 1);
        let breaks = seen.at_table.filter(|side| is_first && *side.other().of(&seen.points) == 0);
        let target = seen.target.map(PerSide::Both);
        Start { target, ..Start::new(title, self.discipline, sides, breaks.unwrap_or(Side::First)) }
    }
}

fn at<'a>(state: &'a Value, Pointer(pointer): &Pointer) -> Option<&'a Value> {
    state.pointer(pointer)
}

fn missing(Pointer(pointer): &Pointer, what: &'static str) -> Unread {
    Unread::Missing { pointer: pointer.clone(), what }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// `12` and `"12"`: many systems write numbers as texts.
fn whole(value: &Value) -> Option<u64> {
    text(value)?.parse().ok()
}

fn flag(state: &Value, pointer: &Pointer) -> Result<bool, Unread> {
    let found = at(state, pointer).and_then(Value::as_bool);
    found.ok_or_else(|| missing(pointer, "true or false"))
}
