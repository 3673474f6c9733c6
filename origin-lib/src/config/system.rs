//! `[channel.system]`: another scoring system that knows the score.

use super::System;
use super::read::{Reader, Table};
use railbird_core::score::foreign::{Mapping, Pointer};
use railbird_core::score::{Discipline, Unit};

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
            serde_json::from_value::<Discipline>(serde_json::Value::String(text.into()))
                .map_err(|_| "is no discipline: infra/SCORE.md has them all")
        })
    });
    let one = |name| table.text(name).and_then(|at| table.parsed(at, str::parse::<Pointer>));
    let needed = |name| {
        let at = table.text_needed(name, "a JSON Pointer into their state, for example \"/match/id\"");
        at.and_then(|at| table.parsed(at, str::parse::<Pointer>))
    };
    let pair = |name, is_needed: bool| {
        let texts = table.texts(name, TWO);
        if texts.is_empty() && !is_needed {
            return None;
        }
        let pointers: Vec<_> =
            texts.into_iter().filter_map(|at| table.parsed(at, str::parse::<Pointer>)).collect();
        let pointers = <[_; TWO]>::try_from(pointers.into_iter().map(|at| at.value).collect::<Vec<_>>());
        if pointers.is_err() {
            table.problem(format!("needs {name}: two JSON Pointers, side 0's and side 1's"));
        }
        pointers.ok()
    };
    let rules = discipline.as_ref().map(|at| at.value.rules());
    let has_points = rules.is_none_or(|rules| rules.points);
    let has_units = rules.is_some_and(|rules| rules.unit != Unit::Match);
    let (r#match, names, countries) = (needed("match"), pair("names", true), pair("countries", false));
    let (points, units) = (pair("points", has_points), pair("units", has_units));
    let shootout = pair("shootout", false);
    let value = |at: Option<super::read::At<Pointer>>| at.map(|at| at.value);
    let (inning, at_table) = (value(one("inning")), value(one("at_table")));
    let (target, finished) = (value(one("target")), value(one("finished")));
    let (best_of, race_to) = (value(one("best_of")), value(one("race_to")));
    if rules.is_some() && !has_units && (units.is_some() || best_of.is_some() || race_to.is_some()) {
        table.problem(
            "has units, best_of or race_to, and the discipline is one match: three-cushion-sets has sets",
        );
    }
    if best_of.is_some() && race_to.is_some() {
        table.problem("has best_of and race_to: one of them says how long the match is");
    }
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
            countries,
            points: if has_points { Some(points?) } else { points },
            units: if has_units { Some(units?) } else { None },
            best_of,
            race_to,
            shootout,
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
