//! Passes as a table: CSV (RFC 4180) with a header row, columns by name.
//!
//! | column | content |
//! | --- | --- |
//! | `email` | the holder's address; with one of the next two |
//! | `password` | hashed here, and nowhere else seen |
//! | `password_hash` | a PHC string of argon2id, as `railbird pass export --hashes` writes it |
//! | `code` | a pass code, in place of address and password |
//! | `code_hash` | the same, as exported |
//! | `channels` | ids with spaces between, or `*`; empty: all |
//! | `valid_from`, `valid_until` | `2026-11-21T18:45:00Z`; empty: now, and `days` |
//! | `days` | from `valid_from` on |
//! | `screens`, `locale`, `note` | as in a pass; empty: as without |
//! | `revoked` | `yes` or empty |

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};

use csv::{ReaderBuilder, StringRecord, Trim, WriterBuilder};
use railbird_core::pass::code::Code;
use railbird_core::pass::{Coverage, Pass, PassId};
use railbird_core::time::UtcMs;

use super::order::{Key, Order};
use crate::config::Secret;
use crate::{spreadsheet, when};

/// The largest table, in bytes.
pub const LEN_MAX: u64 = 16 << 20;

/// The most passes of a table.
pub const ROWS_MAX: usize = 100_000;

/// The longest validity that `days` may say.
pub const DAYS_MAX: u32 = 3660;

/// How many days a pass is valid, unless its row says otherwise.
pub const DAYS_DEFAULT: u32 = 30;

/// The most problems that are listed before listing on says nothing new.
const PROBLEMS_MAX: usize = 100;

/// The columns that are read, and written where an export has them.
const COLUMNS: [&str; 13] = [
    "email",
    "password",
    "password_hash",
    "code",
    "code_hash",
    "channels",
    "valid_from",
    "valid_until",
    "days",
    "screens",
    "locale",
    "note",
    "revoked",
];

const WRITTEN: [&str; 10] = [
    "email",
    "password_hash",
    "code_hash",
    "channels",
    "valid_from",
    "valid_until",
    "screens",
    "locale",
    "note",
    "revoked",
];

/// An order and where it stood.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line of the file, from 1.
    pub line: u64,
    /// Its pass's id.
    pub id: PassId,
    /// What is asked for.
    pub order: Order,
}

/// What is wrong with a table; it quotes no secret.
#[derive(Debug)]
pub struct Problems(Vec<(u64, String)>);

impl Problems {
    fn of(line: u64, text: impl ToString) -> Problems {
        Problems(vec![(line, text.to_string())])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (line, text)) in self.0.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}line {line}: {text}")?;
        }
        if self.0.len() >= PROBLEMS_MAX { f.write_str("\nand maybe more") } else { Ok(()) }
    }
}

impl std::error::Error for Problems {}

/// Reads a table. `now` is when passes begin that don't say.
///
/// # Errors
/// Every row that can't be used, with its line and the reason.
pub fn read(from: impl Read, now: UtcMs) -> Result<Vec<Row>, Problems> {
    let mut bytes = Vec::new();
    from.take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(|error| Problems::of(1, error))?;
    if bytes.len() as u64 > LEN_MAX {
        return Err(Problems::of(1, "the file has more than 16 MiB: split it"));
    }
    // Spreadsheets like to begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    // And to end lines with two characters, of which the reader counts the second one to the next line.
    let bytes: Vec<u8> = (bytes.iter().enumerate())
        .filter(|&(at, byte)| *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n'))
        .map(|(_, byte)| *byte)
        .collect();
    let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(bytes.as_slice());
    let columns = columns(reader.headers().map_err(|error| Problems::of(1, wrong(&error)))?)?;
    let (mut rows, mut problems) = (Vec::<Row>::new(), Vec::new());
    let mut known = BTreeMap::new();
    for record in reader.records() {
        if rows.len() >= ROWS_MAX {
            problems.push((
                rows.last().map_or(1, |row| row.line),
                "the table has more than 100000 rows: split it".into(),
            ));
            break;
        }
        let line = match &record {
            Ok(record) => record.position(),
            Err(error) => error.position(),
        };
        let line = line.map_or(0, csv::Position::line);
        let row = record.map_err(|error| wrong(&error)).and_then(|record| {
            let order = Cells { columns: &columns, record: &record }.order(now)?;
            let id = order.check().map_err(|error| error.to_string())?;
            match known.insert(id.clone(), line) {
                None => Ok(Row { line, id, order }),
                Some(first) => Err(format!("it is for the same holder or code as line {first}")),
            }
        });
        match row {
            Ok(row) => rows.push(row),
            Err(text) => problems.push((line, text)),
        }
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
    }
    if rows.is_empty() && problems.is_empty() {
        return Err(Problems::of(1, "the table has no rows below its header"));
    }
    if problems.is_empty() { Ok(rows) } else { Err(Problems(problems)) }
}

/// Where each column stands.
fn columns(header: &StringRecord) -> Result<BTreeMap<&'static str, usize>, Problems> {
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        let Some(known) = COLUMNS.into_iter().find(|column| *column == name) else {
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Problems::of(1, format!("{name:?} is no column: they are {}", COLUMNS.join(", "))));
        };
        if columns.insert(known, at).is_some() {
            return Err(Problems::of(1, format!("there are two columns {known:?}")));
        }
    }
    if columns.contains_key("email") || columns.contains_key("code") || columns.contains_key("code_hash") {
        Ok(columns)
    } else {
        Err(Problems::of(1, "there must be a column email or code"))
    }
}

/// The reader's words, without the content of the row.
fn wrong(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells, the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8: save the table as UTF-8".to_string(),
        _ => "it is not CSV".to_string(),
    }
}

/// A row by its columns.
struct Cells<'a> {
    columns: &'a BTreeMap<&'static str, usize>,
    record: &'a StringRecord,
}

impl Cells<'_> {
    /// What a cell says; `None` where it is empty, or there is none.
    fn get(&self, column: &str) -> Option<&str> {
        let cell = self.columns.get(column).and_then(|at| self.record.get(*at))?;
        // Spaces may be a part of a password.
        let cell = if column == "password" { cell } else { cell.trim() };
        Some(cell).filter(|cell| !cell.is_empty())
    }

    /// The same, of a cell that may have been made safe for spreadsheets.
    fn text(&self, column: &str) -> Option<String> {
        self.get(column).map(|cell| spreadsheet::original(cell).to_string())
    }

    fn order(&self, now: UtcMs) -> Result<Order, String> {
        let time = |column: &str| match self.get(column) {
            Some(text) => when::time(text, now).map(Some).map_err(|error| format!("{column}: {error}")),
            None => Ok(None),
        };
        let valid_from = time("valid_from")?.unwrap_or(now);
        let until = time("valid_until")?;
        let days = match self.get("days").map(str::parse::<u32>) {
            None => None,
            Some(Ok(days)) if (1..=DAYS_MAX).contains(&days) => Some(days),
            Some(_) => return Err(format!("days must be from 1 to {DAYS_MAX}")),
        };
        if until.is_some() && days.is_some() {
            return Err("give valid_until or days, not both".to_string());
        }
        let mut order = Order::new(self.key()?, valid_from, days.unwrap_or(DAYS_DEFAULT));
        if let Some(until) = until {
            order.valid_until = until;
        }
        if let Some(channels) = self.get("channels") {
            let names: Vec<String> = channels.split_whitespace().map(str::to_string).collect();
            order.channels = Coverage::try_from(names)
                .map_err(|_| "channels must be * or 1 to 16 channel ids with spaces between".to_string())?;
        }
        if let Some(screens) = self.get("screens") {
            order.screens = screens.parse().map_err(|_| "screens must be from 1 to 16".to_string())?;
        }
        order.locale = self.text("locale");
        order.note = self.text("note");
        order.revoked = match self.get("revoked") {
            None | Some("no") => false,
            Some("yes") => true,
            Some(_) => return Err("revoked must be yes or no".to_string()),
        };
        Ok(order)
    }

    fn key(&self) -> Result<Key, String> {
        let given =
            ["email", "password", "password_hash", "code", "code_hash"].map(|column| self.get(column));
        match given {
            // A password is taken as it stands: only its holder knows whether a quote before it is a part of it.
            [Some(_), Some(password), None, None, None] => {
                Ok(Key::Password(self.text("email").unwrap_or_default(), Secret::new(password)))
            }
            [Some(_), None, Some(hash), None, None] => {
                Ok(Key::Hash(self.text("email").unwrap_or_default(), hash.to_string()))
            }
            [None, None, None, Some(code), None] => {
                Ok(Key::Code(code.parse::<Code>().map_err(|error| error.to_string())?.pass_id()))
            }
            [None, None, None, None, Some(hash)] => Ok(Key::Code(
                hash.parse().map_err(|_| "code_hash must be 64 hexadecimal digits".to_string())?,
            )),
            _ => Err("give email and password, email and password_hash, code, or code_hash".to_string()),
        }
    }
}

/// Writes passes as a table.
pub struct Writer<W: Write> {
    csv: csv::Writer<W>,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn new(to: W) -> csv::Result<Writer<W>> {
        let mut csv = WriterBuilder::new().from_writer(to);
        csv.write_record(WRITTEN)?;
        Ok(Writer { csv })
    }

    /// Writes a row. Its hashes are written where they were asked for.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn add(&mut self, pass: &Pass, hashes: bool) -> csv::Result<()> {
        let text =
            |text: &Option<String>| spreadsheet::inert(text.as_deref().unwrap_or_default()).into_owned();
        let hash = pass.password_hash.clone().filter(|_| hashes);
        let code_hash = pass.code_hash.clone().filter(|_| hashes);
        self.csv.write_record([
            text(&pass.email),
            hash.unwrap_or_default(),
            code_hash.map(String::from).unwrap_or_default(),
            pass.channels.names().join(" "),
            pass.valid_from.iso8601(),
            pass.valid_until.iso8601(),
            pass.screens.to_string(),
            text(&pass.locale),
            text(&pass.note),
            if pass.revoked { "yes" } else { "" }.to_string(),
        ])
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.csv.flush()
    }
}

#[cfg(test)]
mod tests;
