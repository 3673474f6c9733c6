//! Text from outside in a table that somebody opens in a spreadsheet, where a cell that begins like a formula is one.

use std::borrow::Cow;

/// How a formula begins.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The text as one that is no formula: a single quote comes before it.
pub(crate) fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA) { format!("'{text}").into() } else { text.into() }
}

/// What [`inert`] was given.
pub(crate) fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(FORMULA)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text_and_comes_back() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            ("", ""),
            ("'quoted'", "'quoted'"),
        ] {
            assert_eq!((&*inert(text), original(cell)), (cell, text));
        }
    }
}
