//! A match as a file: CSV with one event a line, or a JSON array of events as the feed takes them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use csv_core::{ReadRecordResult, Reader};
use serde_json::{Map, Value};

use super::log::{EVENTS_MAX, Log};
use super::model::Event;
use super::next::Item;
use crate::time::UtcMs;

/// The longest file, in bytes.
pub const LEN_MAX: usize = 16 << 20;

/// The columns that a CSV may have, in any order. `occurred`, `action` are needed.
pub const COLUMNS: [&str; 14] = [
    "occurred",
    "side",
    "action",
    "points",
    "code",
    "winner",
    "breaks",
    "seq",
    "do",
    "title",
    "discipline",
    "start",
    "entered",
    "scorer",
];

/// The longest row, in bytes: an event's JSON, with every quote in it doubled, and what stands around it.
const ROW_LEN_MAX: usize = 32 << 10;

/// Where in the file what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Wrong {
    /// `line 7`, or `event 3`.
    pub place: String,
    /// What, and what to do.
    pub why: String,
}

fn wrong(place: impl Into<String>, why: impl Into<String>) -> Wrong {
    Wrong { place: place.into(), why: why.into() }
}

/// Reads a file, and plays it: events that are no match are not given. Which of the two it is, its first character says.
pub fn read(text: &[u8]) -> Result<Vec<Item>, Wrong> {
    if text.len() > LEN_MAX {
        return Err(wrong("the file", format!("has more than {LEN_MAX} bytes: that is no match")));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_json = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let events = if is_json { json(text)? } else { csv(text)? };
    let mut log = Log::new();
    let mut items = Vec::with_capacity(events.len());
    for (place, event) in events {
        let kept = event.clone();
        let position = log.take(1, event).map_err(|why| wrong(place, why))?;
        items.push(Item::new(position, kept));
    }
    if items.is_empty() { Err(wrong("the file", "has no events")) } else { Ok(items) }
}

fn json(text: &[u8]) -> Result<Vec<(String, Event)>, Wrong> {
    let events: Vec<Value> = serde_json::from_slice(text)
        .map_err(|error| wrong(format!("line {}", error.line()), format!("not a JSON array: {error}")))?;
    bounded(events.len())?;
    let event = |(index, value): (usize, Value)| {
        let place = format!("event {}", index + 1);
        let event =
            Event::from_json(value.to_string().as_bytes()).map_err(|why| wrong(&place, why.to_string()))?;
        Ok((place, event))
    };
    events.into_iter().enumerate().map(event).collect()
}

fn bounded(events: usize) -> Result<(), Wrong> {
    if events > EVENTS_MAX {
        return Err(wrong("the file", format!("has more than {EVENTS_MAX} events: that is no match")));
    }
    Ok(())
}

/// The rows of a CSV (RFC 4180), each with the line that it begins in. Cells have no spaces around them.
struct Rows<'a> {
    reader: Reader,
    rest: &'a [u8],
    row: Vec<u8>,
    ends: [usize; COLUMNS.len() + 1],
}

impl<'a> Rows<'a> {
    fn of(text: &'a [u8]) -> Rows<'a> {
        Rows { reader: Reader::new(), rest: text, row: vec![0; ROW_LEN_MAX], ends: [0; COLUMNS.len() + 1] }
    }

    fn next(&mut self) -> Result<Option<(String, Vec<String>)>, Wrong> {
        let (mut written, mut ended) = (0, 0);
        // Where the reader is: behind the line ends that were passed to get to a row.
        let blank = self.rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let lines = self.rest.iter().take(blank).filter(|byte| **byte == b'\n').count();
        let place = format!("line {}", self.reader.line().saturating_add(lines as u64));
        loop {
            let row = self.row.get_mut(written..).unwrap_or_default();
            let ends = self.ends.get_mut(ended..).unwrap_or_default();
            let (result, read, more, cells) = self.reader.read_record(self.rest, row, ends);
            self.rest = self.rest.get(read..).unwrap_or_default();
            (written, ended) = (written + more, ended + cells);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    return Err(wrong(place, format!("a row has at most {ROW_LEN_MAX} bytes")));
                }
                ReadRecordResult::OutputEndsFull => {
                    return Err(wrong(place, format!("there are at most {} columns", COLUMNS.len())));
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        let mut from = 0;
        let mut cells = Vec::with_capacity(ended);
        for end in self.ends.iter().take(ended) {
            let cell = self.row.get(from..*end).unwrap_or_default();
            let cell = core::str::from_utf8(cell).map_err(|_| wrong(&place, "not CSV: it is not UTF-8"))?;
            cells.push(cell.trim().to_owned());
            from = *end;
        }
        Ok(Some((place, cells)))
    }
}

fn csv(text: &[u8]) -> Result<Vec<(String, Event)>, Wrong> {
    let mut rows = Rows::of(text);
    let (_, headers) = rows.next()?.unwrap_or_default();
    for (index, header) in headers.iter().enumerate() {
        if !COLUMNS.contains(&header.as_str()) {
            return Err(wrong(
                "line 1",
                format!("`{header}` is no column: there are {}", COLUMNS.join(", ")),
            ));
        }
        if headers.iter().take(index).any(|other| other == header) {
            return Err(wrong("line 1", format!("there are two columns `{header}`")));
        }
    }
    for needed in ["occurred", "action"] {
        if !headers.iter().any(|header| header == needed) {
            return Err(wrong(
                "line 1",
                format!("the column `{needed}` is missing: the first line names the columns"),
            ));
        }
    }
    let mut events = Vec::new();
    while let Some((place, row)) = rows.next()? {
        bounded(events.len() + 1)?;
        if row.len() != headers.len() {
            let why = format!("not CSV: it has {} cells, and the first line {}", row.len(), headers.len());
            return Err(wrong(place, why));
        }
        let cells = headers.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        let event = event(cells.map(|(column, cell)| (&**column, &**cell)));
        let event = event.map_err(|why| wrong(&place, why))?;
        events.push((place, event));
    }
    Ok(events)
}

/// An event from a row: `action` is its type, `start` JSON of the rest of a match's start, and the other columns are fields.
fn event<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Event, String> {
    let (mut event, mut action) = (Map::new(), Map::new());
    for (column, cell) in cells {
        let number = || {
            let number: i64 = cell.parse().map_err(|_| format!("{column}: `{cell}` is no whole number"))?;
            Ok::<_, String>(Value::from(number))
        };
        match column {
            "occurred" | "entered" => {
                let time = match cell.parse() {
                    Ok(ms) => UtcMs(ms),
                    Err(_) => UtcMs::from_iso8601(cell).ok_or_else(|| {
                        format!(
                            "{column}: `{cell}` is no time: UTC milliseconds, or 2026-11-21T18:45:00.250Z"
                        )
                    })?,
                };
                event.insert(column.into(), time.0.into());
            }
            "scorer" => drop(event.insert(column.into(), cell.into())),
            "action" => drop(action.insert("type".into(), cell.into())),
            "side" | "breaks" | "winner" => drop(action.insert(column.into(), side(column, cell)?)),
            "points" | "seq" => drop(action.insert(column.into(), number()?)),
            "start" => {
                let more: Map<String, Value> =
                    serde_json::from_str(cell).map_err(|error| format!("start is a JSON object: {error}"))?;
                action.extend(more);
            }
            _ => drop(action.insert(column.into(), cell.into())),
        }
    }
    if action.get("type").is_some_and(|of| of == "end") {
        action.entry("winner").or_insert(Value::Null);
    }
    event.insert("action".into(), Value::Object(action));
    Event::from_json(Value::Object(event).to_string().as_bytes()).map_err(|error| error.to_string())
}

fn side(column: &str, cell: &str) -> Result<Value, String> {
    match cell {
        "0" | "a" | "A" => Ok(0.into()),
        "1" | "b" | "B" => Ok(1.into()),
        _ => Err(format!("{column}: a side is 0 or 1, not `{cell}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATCH: &str = "\u{feff}occurred, side, action, points, code, title, discipline, start, breaks, winner, seq, scorer
1000,,start,,,Final,three-cushion,\"{\"\"target\"\":2,\"\"sides\"\":[{\"\"name\"\":\"\"A\"\"},{\"\"name\"\":\"\"B\"\"}]}\",0,,,
1970-01-01T00:00:02Z,a,points,1,,,,,,,,ann
3000,0,end_inning,,,,,,,,,
4000,,undo,,,,,,,,3,
5000,0,points,1,safe-7,,,,,,,
";

    #[test]
    fn rows_are_events_and_make_a_match() {
        let items = read(MATCH.as_bytes()).unwrap();
        let log = Log::new().with(items.clone()).unwrap();
        let state = log.state().unwrap();
        assert_eq!((items.len(), state.sides[0].points, state.sides[1].points), (5, 2, 0));
        assert_eq!(items[1].event.occurred, UtcMs(2000));
        let scorers: Vec<_> = items.iter().map(|item| item.event.scorer.as_deref()).collect();
        assert_eq!(scorers, [None, Some("ann"), None, None, None]);
        let json: Vec<_> = items.iter().map(|item| serde_json::to_value(&item.event).unwrap()).collect();
        assert_eq!(read(Value::from(json).to_string().as_bytes()), Ok(items), "the same match as JSON");
    }

    #[test]
    fn line_ends_empty_lines_and_the_last_one_may_be_any() {
        let items = read(MATCH.as_bytes()).unwrap();
        let with = |ends: &str| MATCH.trim_end().replace('\n', ends);
        for text in [with("\n"), with("\r\n"), with("\n\n"), format!("{}\r\n\r\n", with("\r\n\r\n"))] {
            assert_eq!(read(text.as_bytes()), Ok(items.clone()), "{text:?}");
        }
        let wrong =
            |ends: &str| read(format!("{}{ends}6000,2,points,1,,,,,,,,", with(ends)).as_bytes()).unwrap_err();
        assert_eq!(["\n", "\r\n", "\r\n\r\n"].map(|ends| wrong(ends).place), ["line 7", "line 7", "line 13"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let row = |row: &str| format!("{MATCH}{row}\n");
        let long = format!("6000,0,points,1,{},,,,,,,", "x".repeat(ROW_LEN_MAX));
        let many = format!("occurred{}\n", ",".repeat(COLUMNS.len() + 1));
        for (text, place, said) in [
            (row("6000,1,end_inning,,,,,,,"), "line 7", "not CSV: it has 10 cells, and the first line 12"),
            (row("6000,0,points,1,,,,,,,,"), "line 7", "not at the table"),
            (row("6000,2,points,1,,,,,,,,"), "line 7", "a side is 0 or 1"),
            (row("2h,1,points,1,,,,,,,,"), "line 7", "is no time"),
            (row("6000,1,points,many,,,,,,,,"), "line 7", "no whole number"),
            (row("6000,1,points,1,,,,,,,,an n"), "line 7", "scorer needs 1 to 32"),
            (row("6000,1,jump,,,,,,,,,"), "line 7", "unknown variant"),
            (row("6000,,undo,,,,,,,,99,"), "line 7", "no such event"),
            (row(&long), "line 7", "a row has at most"),
            (many, "line 1", "at most 14 columns"),
            ("occurred,who\n".into(), "line 1", "`who` is no column"),
            ("occurred,side\n".into(), "line 1", "`action` is missing"),
            ("occurred,action,action\n".into(), "line 1", "two columns"),
            ("occurred,action\n".into(), "the file", "no events"),
            ("".into(), "line 1", "`occurred` is missing"),
            ("[{\"occurred\":1}]".into(), "event 1", "missing field"),
            ("[\n{".into(), "line 2", "not a JSON array"),
        ] {
            let wrong = read(text.as_bytes()).unwrap_err();
            assert_eq!(wrong.place, place, "{wrong}");
            assert!(wrong.why.contains(said), "{wrong}");
        }
        assert!(read(&vec![b' '; LEN_MAX + 1]).unwrap_err().why.contains("no match"));
        assert!(read(b"occurred,action\n1,\xff\n").unwrap_err().why.contains("not UTF-8"));
    }
}
