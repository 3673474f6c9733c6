//! A match as a file: CSV with one event a line, or a JSON array of events as the feed takes them.

use railbird_core::score::{EVENTS_MAX, Event, Item, Log};
use railbird_core::time::UtcMs;
use serde_json::{Map, Value};

/// The longest file, in bytes.
pub const LEN_MAX: usize = 16 << 20;

/// The columns that a CSV may have, in any order. `occurred`, `action` are needed.
pub const COLUMNS: [&str; 13] = [
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
];

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

fn csv(text: &[u8]) -> Result<Vec<(String, Event)>, Wrong> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(false).from_reader(text);
    let unread = |error: csv::Error| {
        let place = error.position().map_or_else(|| "the file".into(), |at| format!("line {}", at.line()));
        wrong(place, format!("not CSV: {error}"))
    };
    let headers = reader.headers().map_err(unread)?.clone();
    for (index, header) in headers.iter().enumerate() {
        if !COLUMNS.contains(&header) {
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
    for row in reader.records() {
        let row = row.map_err(unread)?;
        let place = format!("line {}", row.position().map_or(0, csv::Position::line));
        bounded(events.len() + 1)?;
        let cells = headers.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        let event = event(cells).map_err(|why| wrong(&place, why))?;
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

    const MATCH: &str = "\u{feff}occurred, side, action, points, code, title, discipline, start, breaks, winner, seq
1000,,start,,,Final,three-cushion,\"{\"\"target\"\":2,\"\"sides\"\":[{\"\"name\"\":\"\"A\"\"},{\"\"name\"\":\"\"B\"\"}]}\",0,,
1970-01-01T00:00:02Z,a,points,1,,,,,,,
3000,0,end_inning,,,,,,,,
4000,,undo,,,,,,,,3
5000,0,points,1,safe-7,,,,,,
";

    #[test]
    fn rows_are_events_and_make_a_match() {
        let items = read(MATCH.as_bytes()).unwrap();
        let log = Log::new().with(items.clone()).unwrap();
        let state = log.state().unwrap();
        assert_eq!((items.len(), state.sides[0].points, state.sides[1].points), (5, 2, 0));
        assert_eq!(items[1].event.occurred, UtcMs(2000));
        let json: Vec<_> = items.iter().map(|item| serde_json::to_value(&item.event).unwrap()).collect();
        assert_eq!(read(Value::from(json).to_string().as_bytes()), Ok(items), "the same match as JSON");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let row = |row: &str| format!("{MATCH}{row}\n");
        for (text, place, said) in [
            (row("6000,1,end_inning,,,,,,,"), "line 7", "not CSV"),
            (row("6000,0,points,1,,,,,,,"), "line 7", "not at the table"),
            (row("6000,2,points,1,,,,,,,"), "line 7", "a side is 0 or 1"),
            (row("2h,1,points,1,,,,,,,"), "line 7", "is no time"),
            (row("6000,1,points,many,,,,,,,"), "line 7", "no whole number"),
            (row("6000,1,jump,,,,,,,,"), "line 7", "unknown variant"),
            (row("6000,,undo,,,,,,,,99"), "line 7", "no such event"),
            ("occurred,who\n".into(), "line 1", "`who` is no column"),
            ("occurred,side\n".into(), "line 1", "`action` is missing"),
            ("occurred,action,action\n".into(), "line 1", "two columns"),
            ("occurred,action\n".into(), "the file", "no events"),
            ("[{\"occurred\":1}]".into(), "event 1", "missing field"),
            ("[\n{".into(), "line 2", "not a JSON array"),
        ] {
            let wrong = read(text.as_bytes()).unwrap_err();
            assert_eq!(wrong.place, place, "{wrong}");
            assert!(wrong.why.contains(said), "{wrong}");
        }
        assert!(read(&vec![b' '; LEN_MAX + 1]).unwrap_err().why.contains("no match"));
    }
}
