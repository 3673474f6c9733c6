//! Walks a TOML document, keeps where everything stood, and collects every problem instead of the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Secret;

/// The most problems that are collected before reading on says nothing new.
const PROBLEMS_MAX: usize = 50;

/// The largest file from which a secret is read, in bytes.
const SECRET_LEN_MAX: u64 = 4096;

/// One thing that is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key: `channel[1].segment_ms`. Empty for the document itself.
    pub key: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}:{}: {}{colon}{}", self.line, self.column, self.key, self.text)
    }
}

/// How environment variables are looked up: the process's own, or a test's.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where problems are collected and secrets looked up.
pub(super) struct Reader<'a> {
    text: &'a str,
    dir: &'a Path,
    env: Lookup<'a>,
    problems: RefCell<Vec<Problem>>,
    secrets: RefCell<Vec<Secret>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, dir: &'a Path, env: Lookup<'a>) -> Reader<'a> {
        Reader { text, dir, env, problems: RefCell::default(), secrets: RefCell::default() }
    }

    /// Notes a problem of `key` that stands at `span`.
    pub(super) fn problem(&self, key: &str, span: Range<usize>, text: impl Into<String>) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let mut problems = self.problems.borrow_mut();
        if problems.len() < PROBLEMS_MAX {
            problems.push(Problem { key: key.into(), line, column, text: text.into() });
        }
    }

    /// All problems, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }

    /// Every secret that was resolved so far.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.secrets.borrow().clone()
    }

    /// A path in the file is relative to the file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.dir.join(text)
    }
}

/// A value and where it stood.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), key: self.key, span: self.span }
    }
}

/// One table. Every getter notes what is wrong and then returns `None`, or the default where one is given; the caller
/// reads on. [`Table::end`] notes the keys that no getter asked for.
pub(super) struct Table<'d, 'r> {
    reader: &'r Reader<'r>,
    key: String,
    span: Range<usize>,
    table: Option<&'d DeTable<'d>>,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'d, 'r> Table<'d, 'r> {
    pub(super) fn root(reader: &'r Reader<'r>, table: &'d DeTable<'d>) -> Table<'d, 'r> {
        Table { reader, key: String::new(), span: 0..0, table: Some(table), known: RefCell::default() }
    }

    /// Notes a problem of this table itself.
    pub(super) fn problem(&self, text: impl Into<String>) {
        self.reader.problem(&self.key, self.span.clone(), text);
    }

    fn path(&self, name: &str) -> String {
        if self.key.is_empty() { name.into() } else { format!("{}.{name}", self.key) }
    }

    fn value(&self, name: &'static str) -> Option<At<&'d DeValue<'d>>> {
        self.known.borrow_mut().insert(name);
        let value: &'d Spanned<DeValue<'d>> = self.table?.get(name)?;
        Some(At { value: value.get_ref(), key: self.path(name), span: value.span() })
    }

    fn missing<T>(&self, name: &'static str, hint: &str) -> Option<T> {
        self.reader.problem(&self.path(name), self.span.clone(), format!("is missing: {hint}"));
        None
    }

    fn wrong<T>(&self, at: &At<&DeValue<'_>>, wanted: &str) -> Option<T> {
        let text = format!("must be {wanted}, not {}", kind(at.value));
        self.reader.problem(&at.key, at.span.clone(), text);
        None
    }

    /// A value that stands for what this table leaves out.
    pub(super) fn here<T>(&self, value: T) -> At<T> {
        At { value, key: self.key.clone(), span: self.span.clone() }
    }

    /// Whether the file has this table at all.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// A text that may be absent.
    pub(super) fn text(&self, name: &'static str) -> Option<At<String>> {
        let at = self.value(name)?;
        match at.value {
            DeValue::String(text) => Some(at.map(|_| text.to_string())),
            _ => self.wrong(&at, "a text in quotes"),
        }
    }

    /// A text that must be there; `hint` says what to write.
    pub(super) fn text_needed(&self, name: &'static str, hint: &str) -> Option<At<String>> {
        match self.value(name) {
            Some(_) => self.text(name),
            None => self.missing(name, hint),
        }
    }

    /// A list of at most `max` texts.
    pub(super) fn texts(&self, name: &'static str, max: usize) -> Vec<At<String>> {
        let Some(at) = self.value(name) else { return Vec::new() };
        let DeValue::Array(items) = at.value else {
            return self.wrong(&at, "a list of texts: [\"…\", \"…\"]").unwrap_or_default();
        };
        if items.len() > max {
            self.reader.problem(&at.key, at.span, format!("has too many: at most {max}"));
            return Vec::new();
        }
        let text = |(n, item): (usize, &'d Spanned<DeValue<'d>>)| {
            let at = At { value: item.get_ref(), key: format!("{}[{n}]", at.key), span: item.span() };
            match at.value {
                DeValue::String(text) => Some(at.map(|_| text.to_string())),
                _ => self.wrong(&at, "a text in quotes"),
            }
        };
        items.iter().enumerate().filter_map(text).collect()
    }

    /// A text that `parse` must take; its error is what the problem says.
    pub(super) fn parsed<T, E: fmt::Display>(
        &self,
        text: At<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        match parse(&text.value) {
            Ok(value) => Some(text.map(|_| value)),
            Err(error) => {
                self.reader.problem(&text.key, text.span, error.to_string());
                None
            }
        }
    }

    /// A whole number within `range`, or `default` where the key is absent or wrong.
    pub(super) fn number(
        &self,
        name: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
        unit: &str,
    ) -> At<i64> {
        let absent = || At { value: default, key: self.path(name), span: self.span.clone() };
        let Some(at) = self.value(name) else { return absent() };
        self.number_at(at, range, unit, &format!(" (default {default})")).unwrap_or_else(absent)
    }

    fn number_at(
        &self,
        at: At<&'d DeValue<'d>>,
        range: RangeInclusive<i64>,
        unit: &str,
        more: &str,
    ) -> Option<At<i64>> {
        let DeValue::Integer(number) = at.value else {
            return self.wrong(&at, &format!("a whole number of {unit}"));
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) if range.contains(&value) => Some(at.map(|_| value)),
            _ => {
                let (low, high) = (range.start(), range.end());
                let text = format!("{number} {unit} is out of range: use {low} to {high}{more}");
                self.reader.problem(&at.key, at.span, text);
                None
            }
        }
    }

    /// A table of at most `max` whole numbers within `range` by names of the writer's choice.
    pub(super) fn numbers(
        &self,
        name: &'static str,
        max: usize,
        range: RangeInclusive<i64>,
        unit: &str,
    ) -> Vec<(At<String>, i64)> {
        let number = |at| self.number_at(at, range.clone(), unit, "").map(|at| at.value);
        self.named(name, max, number)
    }

    /// A yes or no.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> bool {
        match self.value(name) {
            None => default,
            Some(At { value: DeValue::Boolean(value), .. }) => *value,
            Some(at) => self.wrong(&at, "true or false").unwrap_or(default),
        }
    }

    /// A table in this one. Where it is absent, one without any key.
    pub(super) fn table(&self, name: &'static str) -> Table<'d, 'r> {
        match self.value(name) {
            Some(at) => self.table_at(&at),
            None => Table {
                reader: self.reader,
                key: self.path(name),
                span: self.span.clone(),
                table: None,
                known: RefCell::default(),
            },
        }
    }

    fn table_at(&self, at: &At<&'d DeValue<'d>>) -> Table<'d, 'r> {
        let table = match at.value {
            DeValue::Table(found) => Some(found),
            _ => self.wrong(at, "a table"),
        };
        Table {
            reader: self.reader,
            key: at.key.clone(),
            span: at.span.clone(),
            table,
            known: RefCell::default(),
        }
    }

    /// An array of at most `max` tables (`[[name]]`).
    pub(super) fn tables(&self, name: &'static str, max: usize) -> Vec<Table<'d, 'r>> {
        let Some(at) = self.value(name) else { return Vec::new() };
        let DeValue::Array(items) = at.value else {
            self.wrong::<()>(&at, &format!("a list of tables, each beginning with [[{}]]", at.key));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let key = format!("{}[{n}]", at.key);
            match item.get_ref() {
                DeValue::Table(table) if n < max => tables.push(Table {
                    reader: self.reader,
                    key,
                    span: item.span(),
                    table: Some(table),
                    known: RefCell::default(),
                }),
                DeValue::Table(_) => {
                    self.reader.problem(&key, item.span(), format!("is too many: at most {max}"));
                    break;
                }
                other => {
                    self.reader.problem(&key, item.span(), format!("must be a table, not {}", kind(other)))
                }
            }
        }
        tables
    }

    /// A secret that may be absent: `{ env = "NAME" }` or `{ file = "path" }`, of at least `len_min` bytes.
    pub(super) fn secret(&self, name: &'static str, len_min: usize) -> Option<At<Secret>> {
        let at = self.value(name)?;
        self.secret_at(at, len_min)
    }

    /// A table of at most `max` secrets by names of the writer's choice.
    pub(super) fn secrets(&self, name: &'static str, max: usize) -> Vec<(At<String>, Secret)> {
        self.named(name, max, |at| self.secret_at(at, 1).map(|secret| secret.value))
    }

    /// A table of at most `max` values, each as `read` gives it, by names of the writer's choice.
    fn named<T>(
        &self,
        name: &'static str,
        max: usize,
        read: impl Fn(At<&'d DeValue<'d>>) -> Option<T>,
    ) -> Vec<(At<String>, T)> {
        let table = self.table(name);
        let mut found = Vec::new();
        for (n, (name, value)) in table.table.into_iter().flatten().enumerate() {
            let (text, key) = (name.get_ref().to_string(), table.path(name.get_ref()));
            if n == max {
                self.reader.problem(&key, name.span(), format!("is too many: at most {max}"));
                break;
            }
            let at = At { value: value.get_ref(), key: key.clone(), span: value.span() };
            if let Some(value) = read(at) {
                found.push((At { value: text, key, span: name.span() }, value));
            }
        }
        found
    }

    fn secret_at(&self, at: At<&'d DeValue<'d>>, len_min: usize) -> Option<At<Secret>> {
        if matches!(at.value, DeValue::String(_)) {
            let text = "a secret must not stand in this file: put it into an environment variable and write \
                        { env = \"NAME\" }, or into a file and write { file = \"path\" }";
            self.reader.problem(&at.key, at.span, text);
            return None;
        }
        if !matches!(at.value, DeValue::Table(_)) {
            return self.wrong(&at, "{ env = \"NAME\" } or { file = \"path\" }");
        }
        let table = self.table_at(&at);
        let (env, file) = (table.text("env"), table.text("file"));
        table.end();
        let found = match (env, file) {
            (Some(env), None) => self.env_secret(&env),
            (None, Some(file)) => self.file_secret(&file),
            _ => Err("needs exactly one of { env = \"NAME\" } and { file = \"path\" }".into()),
        };
        let long_enough = found.and_then(|text| {
            if text.len() < len_min {
                Err(format!("its secret has {} bytes and needs at least {len_min}", text.len()))
            } else {
                Ok(Secret::new(&text))
            }
        });
        match long_enough {
            Ok(secret) => {
                self.reader.secrets.borrow_mut().push(secret.clone());
                Some(at.map(|_| secret))
            }
            Err(text) => {
                self.reader.problem(&at.key, at.span, text);
                None
            }
        }
    }

    /// A secret that must be there.
    pub(super) fn secret_needed(&self, name: &'static str, len_min: usize) -> Option<At<Secret>> {
        match self.value(name) {
            Some(_) => self.secret(name, len_min),
            None => self.missing(name, "write { env = \"NAME\" } or { file = \"path\" }"),
        }
    }

    fn env_secret(&self, name: &At<String>) -> Result<String, String> {
        let name = &name.value;
        match (self.reader.env)(name) {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(format!("the environment variable {name} is empty: set it to the secret")),
            None => Err(format!("the environment variable {name} is not set: set it to the secret")),
        }
    }

    fn file_secret(&self, file: &At<String>) -> Result<String, String> {
        let path = self.reader.path(&file.value);
        let text = read_file(&path, SECRET_LEN_MAX, "is it a secret?")?;
        let shown = path.display();
        // Editors and `echo` end a file with a newline that belongs to nobody's secret.
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(format!("the file {shown} is empty")) } else { Ok(text.into()) }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn end(self) {
        let known = self.known.borrow();
        for (name, value) in self.table.into_iter().flatten() {
            if !known.contains(name.get_ref().as_ref()) {
                let key = if self.key.is_empty() {
                    name.get_ref().to_string()
                } else {
                    format!("{}.{}", self.key, name.get_ref())
                };
                let list = known.iter().copied().collect::<Vec<_>>().join(", ");
                // A header of a table has its own span; the name's is the better place to look.
                let span = if name.span().is_empty() { value.span() } else { name.span() };
                self.reader.problem(
                    &key,
                    span,
                    format!("is not a key here: remove it, or use one of {list}"),
                );
            }
        }
    }
}

/// A file's text. `doubt` is what to ask of one that is longer than `len_max` bytes.
pub(super) fn read_file(path: &Path, len_max: u64, doubt: &str) -> Result<String, String> {
    let (shown, mut text) = (path.display(), String::new());
    // The length that a file claims is no bound: a device has none.
    let read = std::fs::File::open(path).and_then(|file| file.take(len_max + 1).read_to_string(&mut text));
    let len = read.map_err(|error| format!("the file {shown} can't be read: {error}"))?;
    if len as u64 > len_max {
        return Err(format!("the file {shown} has more than {len_max} bytes: {doubt}"));
    }
    Ok(text)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
