//! `infra/SECURITY.md` names a test for each threat: those tests exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::demo::workspace;

/// Where the tests of each beginning of a name are: the file at its root, and the folder of its modules.
const AREAS: [(&str, &str, &str); 3] = [
    ("core", "edge/core/src/lib.rs", "edge/core/src"),
    ("media", "origin-lib/core/src/lib.rs", "origin-lib/core/src"),
    ("origin", "origin-lib/src/lib.rs", "origin-lib/src"),
];
const SYSTEM: (&str, &str) = ("tests/tests/system/main.rs", "tests/tests/system");

/// The cells of each row of the document's tables, without their headers.
fn rows(document: &str) -> Vec<Vec<&str>> {
    let lines = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- "));
    let cells = lines.map(|line| line.trim_matches(['|', ' ']).split(" | ").collect::<Vec<_>>());
    cells.filter(|cells| cells.last() != Some(&"shown by")).collect()
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The file of a path of modules; a module that stands within its parent's file is in that file.
fn file_of(root: PathBuf, mut folder: PathBuf, modules: &[&str]) -> Option<PathBuf> {
    let mut file = root;
    for module in modules {
        let beside = [folder.join(format!("{module}.rs")), folder.join(module).join("mod.rs")];
        match beside.into_iter().find(|path| path.exists()) {
            Some(found) => file = found,
            None if fs::read_to_string(&file).ok()?.contains(&format!("mod {module} {{")) => {}
            None => return None,
        }
        folder.push(module);
    }
    Some(file)
}

/// Why there is no such test.
fn missing(root: &Path, name: &str) -> Option<String> {
    if name.contains('/') {
        return (!root.join(name).exists()).then(|| "there is no such file".to_string());
    }
    if !name.contains("::") {
        let seeds = root.join("tests/fuzz-seeds").join(name);
        return (!seeds.exists()).then(|| "there is no such fuzz target".to_string());
    }
    let parts: Vec<&str> = name.split("::").collect();
    let (area, inner) = parts.split_first()?;
    let (test, modules) = inner.split_last()?;
    let file = match AREAS.iter().find(|(known, ..)| known == area) {
        Some((_, file, folder)) => file_of(root.join(file), root.join(folder), modules),
        None => file_of(root.join(SYSTEM.0), root.join(SYSTEM.1), &parts[..parts.len() - 1]),
    };
    let Some(file) = file else { return Some("there is no such module".to_string()) };
    let text = fs::read_to_string(&file).ok()?;
    let begins = [format!("fn {test}("), format!("fn {test}<")];
    if !begins.iter().any(|begin| text.contains(begin)) {
        return Some(format!("it is not in {}", file.display()));
    }
    // A case of the contract is none unless it is run.
    let run = fs::read_to_string(root.join(SYSTEM.1).join("contract/mod.rs")).ok()?;
    let is_run = run.contains(&format!(" {}(&edge", inner.join("::")));
    (*area == "contract" && !is_run).then(|| "contract::run does not run it".to_string())
}

#[test]
fn every_test_that_the_table_of_threats_names_exists() {
    let root = workspace();
    let document = fs::read_to_string(root.join("infra/SECURITY.md")).unwrap();
    let rows = rows(&document);
    assert!(rows.len() > 30, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let [who, _, shown] = row[..] else { panic!("a row has three cells: {row:?}") };
        if names(shown).next().is_none() {
            wrong.push(format!("{who}: no test"));
        }
        let missing = names(shown).filter_map(|name| Some(format!("{name}: {}", missing(&root, name)?)));
        wrong.extend(missing);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_blank_line_stands_between_the_rows_of_a_table() {
    let document = fs::read_to_string(workspace().join("infra/SECURITY.md")).unwrap();
    let lines: Vec<&str> = document.lines().collect();
    let is_row = |line: &str| line.starts_with('|');
    let torn = lines.windows(3).filter(|three| is_row(three[0]) && three[1].is_empty() && is_row(three[2]));
    assert_eq!(torn.collect::<Vec<_>>(), Vec::<&[&str]>::new());
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let root = workspace();
    for name in [
        "core::token::tests::any_changed_bit_is_taken",
        "core::tokens::tests::any_changed_bit_is_refused",
        "contract::sessions::refuse",
        "contract::ask::session",
        "hosts::own_pages",
        "edge-nothing",
        "edge/player/test/nothing.test.ts",
    ] {
        assert!(missing(&root, name).is_some(), "{name}");
    }
}
