//! What the Durable Objects ask of their SQLite.

use worker::{SqlStorageValue, State};

/// The rows that a statement gives.
pub(crate) fn run(
    state: &State,
    query: &str,
    values: Vec<SqlStorageValue>,
) -> worker::Result<Vec<Vec<SqlStorageValue>>> {
    state.storage().sql().exec(query, values)?.raw().collect()
}

/// Whether there is such a table. A read must not make one: an object that stores nothing costs nothing.
pub(crate) fn has_table(state: &State, name: &str) -> worker::Result<bool> {
    let found = run(
        state,
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
        vec![SqlStorageValue::String(name.to_owned())],
    )?;
    Ok(!found.is_empty())
}
