//! `[channel.system]`: another scoring system that knows the score.

use super::System;
use super::read::{Reader, Table};
use crate::systems::{Mapping, Pointer};

/// The sides of a list of two.
const TWO: usize = 2;

/// Reads the table, where there is one.
pub(super) fn read(reader: &Reader<'_>, table: &Table<'_, '_>) -> Option<System> {
    if !table.is_there() {
        return None;
    }
    let discipline = table.text_needed("discipline", "the game, for example \"three-cushion\"");
    let discipline = discipline.and_then(|at| {
        table.parsed(at, |text| {
            serde_json::from_value(serde_json::Value::String(text.into()))
                .map_err(|_| "is no discipline: infra/SCORE.md has them all")
        })
    });
    let one = |name| table.text(name).and_then(|at| table.parsed(at, str::parse::<Pointer>));
    let needed = |name| {
        let at = table.text_needed(name, "a JSON Pointer into their state, for example \"/match/id\"");
        at.and_then(|at| table.parsed(at, str::parse::<Pointer>))
    };
    let two = |name| {
        let texts = table.texts(name, TWO);
        let pointers: Vec<_> =
            texts.into_iter().filter_map(|at| table.parsed(at, str::parse::<Pointer>)).collect();
        let pointers = <[_; TWO]>::try_from(pointers.into_iter().map(|at| at.value).collect::<Vec<_>>());
        if pointers.is_err() {
            table.problem(format!("needs {name}: two JSON Pointers, side 0's and side 1's"));
        }
        pointers.ok()
    };
    let (r#match, names, points) = (needed("match"), two("names"), two("points"));
    let value = |at: Option<super::read::At<Pointer>>| at.map(|at| at.value);
    let (inning, at_table) = (value(one("inning")), value(one("at_table")));
    let (target, finished) = (value(one("target")), value(one("finished")));
    let texts: Vec<_> = table.texts("at_table_is", TWO).into_iter().map(|at| at.value).collect();
    let at_table_is = match <[String; TWO]>::try_from(texts) {
        Ok(texts) => texts,
        Err(texts) if texts.is_empty() => ["0", "1"].map(String::from),
        Err(_) => {
            table.problem("needs two texts in at_table_is, side 0's and side 1's");
            return None;
        }
    };
    let url = table.text("url");
    let is_url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    if let Some(at) = url.as_ref().filter(|at| !is_url(&at.value)) {
        reader.problem(&at.key, at.span.clone(), "is no address: http:// or https://");
    }
    let every_ms = table.number("every_ms", 2_000, 500..=60_000, "milliseconds").value;
    Some(System {
        mapping: Mapping {
            discipline: discipline?.value,
            r#match: r#match?.value,
            names: names?,
            points: points?,
            inning,
            at_table,
            at_table_is,
            target,
            finished,
        },
        url: url.map(|at| at.value),
        every_ms: u32::try_from(every_ms).ok()?,
    })
}
