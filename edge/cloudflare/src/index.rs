//! The Durable Object that knows the keys of a table, in SQLite.
//!
//! `PUT` adds the key in the body, `GET` gives keys, one a line, from the one behind a header on. A key stays when its value
//! goes: whoever lists looks for the value.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use worker::{DurableObject, Env, Method, Request, Response, SqlStorageValue, State, durable_object};

use crate::objects::{self, AFTER, MAX};
use crate::sql;

/// The keys of one table of the edge's store.
#[durable_object(fetch)]
pub struct Index {
    state: State,
}

impl DurableObject for Index {
    fn new(state: State, _env: Env) -> Index {
        Index { state }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match request.method() {
            Method::Get => {
                let after = request.headers().get(AFTER)?.unwrap_or_default();
                let max = objects::number(request.headers(), MAX)?.unwrap_or_default();
                Response::ok(self.keys(after, max)?.join("\n"))
            }
            Method::Put => {
                let key = request.text().await?;
                self.add(key)?;
                Ok(Response::empty()?.with_status(204))
            }
            _ => Response::error("only GET and PUT", 405),
        }
    }
}

impl Index {
    fn keys(&self, after: String, max: u64) -> worker::Result<Vec<String>> {
        if !sql::has_table(&self.state, "keys")? {
            return Ok(Vec::new());
        }
        let values = vec![
            SqlStorageValue::String(after),
            SqlStorageValue::Integer(i64::try_from(max).unwrap_or(i64::MAX)),
        ];
        let rows = sql::run(&self.state, "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT ?", values)?;
        let key = |row: Vec<SqlStorageValue>| match row.into_iter().next() {
            Some(SqlStorageValue::String(key)) => Ok(key),
            _ => Err(worker::Error::from("a key is not text")),
        };
        rows.into_iter().map(key).collect()
    }

    fn add(&self, key: String) -> worker::Result<()> {
        let create = "CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY) WITHOUT ROWID";
        sql::run(&self.state, create, vec![])?;
        let add = "INSERT OR IGNORE INTO keys (key) VALUES (?)";
        sql::run(&self.state, add, vec![SqlStorageValue::String(key)])?;
        Ok(())
    }
}
