use super::*;

/// The table of rules in the document about the linter.
fn table() -> String {
    let mut out = String::from("| rule | asks | section | says |\n| --- | --- | --- | --- |\n");
    for Rule { id, severity, section, says, .. } in rules::ALL.iter().copied() {
        let section = if section.is_empty() { "a bound of ours" } else { section };
        out.push_str(&format!("| `{id}` | {severity} | {section} | {says} |\n"));
    }
    out
}

/// The table of what ours do otherwise.
fn ours() -> String {
    let rows = ours::OURS.iter().map(|(rule, why)| format!("| `{}` | {why} |\n", rule.id));
    rows.fold(String::from("| rule | why |\n| --- | --- |\n"), |table, row| table + &row)
}

#[test]
fn the_tables_of_the_document_are_the_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/LINT.md");
    let text = std::fs::read_to_string(path).unwrap();
    for table in [table(), ours()] {
        assert!(text.contains(&table), "infra/LINT.md wants this table:\n{table}");
    }
}
