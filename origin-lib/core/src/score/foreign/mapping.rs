//! Where another scoring system's JSON has what we ask of it: JSON Pointers (RFC 6901), from the configuration.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::hex;
use crate::id::MatchId;
use crate::score::model::{NAME_CHARS_MAX, PerSide, Player, Side, Start, TARGET_MAX, is_name};
use crate::score::rules::{Discipline, Length, Overrides, UNITS_MAX};

/// The longest state, in bytes.
pub const LEN_MAX: usize = 64 << 10;

/// The longest pointer, in bytes.
pub const POINTER_LEN_MAX: usize = 200;

/// The most points of a side.
const POINTS_MAX: u32 = 10_000;

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

impl core::str::FromStr for Pointer {
    type Err = NoPointer;
    fn from_str(text: &str) -> Result<Pointer, NoPointer> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let is_pointer =
            (text.is_empty() || text.starts_with('/')) && text.len() <= POINTER_LEN_MAX && escapes;
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
    /// Where they come from: two letters, or nothing.
    pub countries: Option<[Pointer; 2]>,
    /// Points of the match, or of the present set or frame; not of the run. Needed where the game has points.
    pub points: Option<[Pointer; 2]>,
    /// Sets, racks or frames won. Needed where the game has some.
    pub units: Option<[Pointer; 2]>,
    /// How many of them are played at most.
    pub best_of: Option<Pointer>,
    /// How many of them win the match.
    pub race_to: Option<Pointer>,
    /// Points in the shootout: a number, or nothing before a side has played in it.
    pub shootout: Option<[Pointer; 2]>,
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
    pub players: [Player; 2],
    /// Points of the match, or of the present set or frame.
    pub points: [i32; 2],
    /// Sets, racks or frames won.
    pub units: Option<[u32; 2]>,
    /// How many of them decide the match.
    pub length: Option<Length>,
    /// Points in the shootout, of who has played in it.
    pub shootout: [Option<u32>; 2],
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
        let state = State(&state);
        let points = |pointer: &Pointer| {
            state.number(pointer, POINTS_MAX).map(|points| i32::try_from(points).unwrap_or(i32::MAX))
        };
        let [first, second] = &self.names;
        let mut players = [state.player(first)?, state.player(second)?];
        if let Some(countries) = &self.countries {
            for side in Side::BOTH {
                side.of_mut(&mut players).country = state.country(side.of(countries))?;
            }
        }
        let best_of = self.best_of.as_ref().map(|pointer| state.number(pointer, UNITS_MAX)).transpose()?;
        let race_to = self.race_to.as_ref().map(|pointer| state.number(pointer, UNITS_MAX)).transpose()?;
        Ok(Seen {
            r#match: self.name(&state)?,
            players,
            points: both(self.points.as_ref(), points)?.unwrap_or_default(),
            units: both(self.units.as_ref(), |pointer| state.number(pointer, UNITS_MAX))?,
            length: best_of.map(Length::BestOf).or(race_to.map(|units| Length::RaceTo(PerSide::Both(units)))),
            shootout: both(self.shootout.as_ref(), |pointer| state.perhaps(pointer))?.unwrap_or_default(),
            inning: self.inning.as_ref().map(|pointer| state.number(pointer, POINTS_MAX)).transpose()?,
            at_table: self.at_table.as_ref().map(|pointer| self.side(&state, pointer)).transpose()?.flatten(),
            target: self.target.as_ref().map(|pointer| state.number(pointer, TARGET_MAX)).transpose()?,
            finished: self.finished.as_ref().map(|pointer| state.flag(pointer)).transpose()?.unwrap_or(false),
        })
    }

    /// Their match in letters that our ids have; where they have others, with a hash that keeps two apart.
    fn name(&self, state: &State<'_>) -> Result<MatchId, Unread> {
        let wrong = || missing(&self.r#match, "the match's name, a text or a number");
        let theirs =
            state.at(&self.r#match).and_then(text).filter(|text| !text.is_empty()).ok_or_else(wrong)?;
        if let Ok(id) = theirs.parse() {
            return Ok(id);
        }
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let slug: String = theirs.chars().map(letter).take(SLUG_LEN_MAX).collect();
        let hash = Sha256::digest(theirs.as_bytes());
        let hash = hex::encode(hash.get(..4).unwrap_or_default());
        format!("{slug}-{hash}").trim_start_matches('-').parse().map_err(|_| wrong())
    }

    /// Nobody, where there is `null`.
    fn side(&self, state: &State<'_>, pointer: &Pointer) -> Result<Option<Side>, Unread> {
        let found = state.at(pointer).ok_or_else(|| missing(pointer, "who is at the table"))?;
        if found.is_null() {
            return Ok(None);
        }
        let found = text(found);
        let side = Side::BOTH.into_iter().find(|side| found.as_ref() == Some(side.of(&self.at_table_is)));
        side.map(Some).ok_or_else(|| missing(pointer, "one of at_table_is"))
    }

    /// How the match begins for us.
    pub fn start(&self, seen: &Seen) -> Start {
        let sides = seen.players.clone();
        let [first, second] = &sides;
        let title = format!("{} - {}", first.name, second.name).chars().take(NAME_CHARS_MAX).collect();
        // In the first inning of both, whoever is there and has no opponent's points before him has begun.
        let is_first =
            seen.inning.is_none_or(|inning| inning <= 1) && seen.units.unwrap_or_default() == [0, 0];
        let breaks = seen.at_table.filter(|side| is_first && *side.other().of(&seen.points) == 0);
        let target = seen.target.map(PerSide::Both);
        let length = seen.length.filter(|length| *length != self.discipline.rules().length);
        let rules = length.map(|length| Overrides { length: Some(length), ..Overrides::default() }.into());
        Start { target, rules, ..Start::new(title, self.discipline, sides, breaks.unwrap_or(Side::First)) }
    }
}

/// Their JSON.
struct State<'a>(&'a Value);

impl State<'_> {
    fn at(&self, Pointer(pointer): &Pointer) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    fn number(&self, pointer: &Pointer, max: u32) -> Result<u32, Unread> {
        let number = self.at(pointer).and_then(whole).filter(|number| *number <= max);
        number.ok_or_else(|| missing(pointer, "a whole number that a match can have"))
    }

    /// A number of points, where there is one.
    fn perhaps(&self, pointer: &Pointer) -> Result<Option<u32>, Unread> {
        match self.at(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.number(pointer, POINTS_MAX).map(Some),
        }
    }

    fn player(&self, pointer: &Pointer) -> Result<Player, Unread> {
        let name = self.at(pointer).and_then(Value::as_str).map(str::trim).filter(|name| is_name(name));
        let name = name.ok_or_else(|| missing(pointer, "a name of at most 100 characters"))?;
        Ok(Player { name: name.into(), country: None })
    }

    /// Nowhere, where there is nothing, or an empty text.
    fn country(&self, pointer: &Pointer) -> Result<Option<String>, Unread> {
        let wrong = || missing(pointer, "a country's two letters (ISO 3166-1), or null");
        let found = match self.at(pointer) {
            None | Some(Value::Null) => return Ok(None),
            Some(found) => found.as_str().ok_or_else(wrong)?.trim(),
        };
        match (found.len(), found.bytes().all(|byte| byte.is_ascii_alphabetic())) {
            (0, _) => Ok(None),
            (2, true) => Ok(Some(found.to_ascii_uppercase())),
            _ => Err(wrong()),
        }
    }

    fn flag(&self, pointer: &Pointer) -> Result<bool, Unread> {
        let found = self.at(pointer).and_then(Value::as_bool);
        found.ok_or_else(|| missing(pointer, "true or false"))
    }
}

/// What both sides have, where it is mapped.
fn both<T>(
    pointers: Option<&[Pointer; 2]>,
    read: impl Fn(&Pointer) -> Result<T, Unread>,
) -> Result<Option<[T; 2]>, Unread> {
    let Some([first, second]) = pointers else { return Ok(None) };
    Ok(Some([read(first)?, read(second)?]))
}

fn missing(Pointer(pointer): &Pointer, what: &'static str) -> Unread {
    Unread::Missing { pointer: pointer.clone(), what }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().into()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// `12` and `"12"`: many systems write numbers as texts.
fn whole(value: &Value) -> Option<u32> {
    text(value)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use serde_json::json;

    use super::*;

    fn mapping() -> Mapping {
        let pointer = |text: &str| text.parse().unwrap();
        Mapping {
            discipline: Discipline::ThreeCushionSets,
            r#match: pointer("/id"),
            names: ["/a/name", "/b/name"].map(pointer),
            countries: Some(["/a/from", "/b/from"].map(pointer)),
            points: Some(["/a/points", "/b/points"].map(pointer)),
            units: Some(["/a/sets", "/b/sets"].map(pointer)),
            best_of: Some(pointer("/best_of")),
            race_to: None,
            shootout: Some(["/a/extra", "/b/extra"].map(pointer)),
            inning: None,
            at_table: Some(pointer("/plays")),
            at_table_is: ["a", "b"].map(String::from),
            target: Some(pointer("/target")),
            finished: None,
        }
    }

    fn state() -> Value {
        json!({"id":7,"best_of":"5","target":15,"plays":"a",
            "a":{"name":" Nelin ","from":"se","points":"3","sets":1,"extra":null},
            "b":{"name":"Cho","from":"","points":0,"sets":0,"extra":2}})
    }

    #[test]
    fn sets_shootouts_and_countries_are_read_where_they_stand() {
        let seen = mapping().read(state().to_string().as_bytes()).unwrap();
        let [first, second] = &seen.players;
        assert_eq!((first.name.as_str(), first.country.as_deref()), ("Nelin", Some("SE")));
        assert_eq!((second.name.as_str(), second.country.as_deref()), ("Cho", None));
        assert_eq!((seen.points, seen.units, seen.shootout), ([3, 0], Some([1, 0]), [None, Some(2)]));
        assert_eq!(seen.length, Some(Length::BestOf(5)));
        let start = mapping().start(&seen);
        assert_eq!((start.rules().length, start.target), (Length::BestOf(5), Some(PerSide::Both(15))));
        assert_eq!(start.breaks, Side::First, "who began is not known in the second set");
        // What is as the discipline has it is not said.
        let mut as_always = state();
        as_always["best_of"] = 7.into();
        let seen = mapping().read(as_always.to_string().as_bytes()).unwrap();
        assert_eq!(mapping().start(&seen).rules, None);
    }

    #[test]
    fn what_is_something_else_is_named_by_its_pointer() {
        for (pointer, value, said) in [
            ("/a/from", json!("SWE"), "\"/a/from\" is not a country's two letters"),
            ("/a/from", json!(5), "\"/a/from\" is not a country's two letters"),
            ("/b/sets", json!(100), "\"/b/sets\" is not a whole number"),
            ("/b/sets", json!(null), "\"/b/sets\" is not a whole number"),
            ("/b/extra", json!("two"), "\"/b/extra\" is not a whole number"),
            ("/best_of", json!(-1), "\"/best_of\" is not a whole number"),
            ("/b/name", json!("x".repeat(101)), "\"/b/name\" is not a name"),
            ("/b/name", json!("\u{202e}Cho"), "\"/b/name\" is not a name"),
            ("/plays", json!("c"), "\"/plays\" is not one of at_table_is"),
        ] {
            let mut state = state();
            *state.pointer_mut(pointer).unwrap() = value;
            let error = mapping().read(state.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
