//! The edge's store over Durable Objects: one object for each cell, named `{table}/{key}`.
//!
//! So a read after a write sees it, wherever both happen, and changes of one value happen one after another, inside its
//! object. See [`crate::cell`] for the object's side. The keys of a table that can be listed have an object of their own,
//! [`crate::index`], which hears of a key before the value is written.

use std::time::Duration;

use railbird_core::time::UtcMs;
use railbird_edge::change::Change;
use railbird_edge::{Cell, Pause, Store, StoreError, Table};
use worker::js_sys::Uint8Array;
use worker::{Delay, Env, Headers, Method, RequestInit, Stub};

/// The binding of the objects that hold values.
const CELLS: &str = "CELLS";

/// The binding of the objects that list keys.
const INDEXES: &str = "INDEXES";

/// Where a request to an object goes: only its path could matter, and does not.
const ADDRESS: &str = "https://object/";

/// The header with a value's expiry, in Unix milliseconds.
pub(crate) const EXPIRES: &str = "railbird-expires";

/// The headers of a change: its kind, and the request's time in Unix milliseconds.
pub(crate) const CHANGE: &str = "railbird-change";
pub(crate) const NOW: &str = "railbird-now";

/// The headers of a question to an index: the key to go on behind, and how many to give.
pub(crate) const AFTER: &str = "railbird-after";
pub(crate) const MAX: &str = "railbird-max";

/// The store as one request sees it.
pub(crate) struct Cells {
    env: Env,
}

impl Cells {
    pub(crate) fn new(env: Env) -> Cells {
        Cells { env }
    }

    fn object(&self, cell: &Cell) -> worker::Result<Stub> {
        self.env.durable_object(CELLS)?.get_by_name(&format!("{}/{}", cell.table.name(), cell.key))
    }

    fn index(&self, table: Table) -> worker::Result<Stub> {
        self.env.durable_object(INDEXES)?.get_by_name(table.name())
    }

    async fn read(&self, cell: &Cell) -> worker::Result<Option<Vec<u8>>> {
        let mut response = self.object(cell)?.fetch_with_str(ADDRESS).await?;
        match response.status_code() {
            200 => response.bytes().await.map(Some),
            404 => Ok(None),
            status => Err(refused(status)),
        }
    }

    async fn write(&self, cell: &Cell, value: &[u8], expires: Option<UtcMs>) -> worker::Result<()> {
        self.note(cell).await?;
        let expires = expires.map(|at| (EXPIRES, at.0.to_string()));
        done(self.object(cell)?.fetch_with_request(ask(Method::Put, expires, Some(value))?).await?)
    }

    async fn apply(&self, cell: &Cell, change: &Change, now: UtcMs) -> worker::Result<Vec<u8>> {
        self.note(cell).await?;
        let headers = [(CHANGE, change.kind.name().to_owned()), (NOW, now.0.to_string())];
        let request = ask(Method::Post, headers, Some(&change.said))?;
        let mut response = self.object(cell)?.fetch_with_request(request).await?;
        match response.status_code() {
            200 => response.bytes().await,
            status => Err(refused(status)),
        }
    }

    /// Has the table's index know the key.
    async fn note(&self, cell: &Cell) -> worker::Result<()> {
        if !cell.table.is_listed() {
            return Ok(());
        }
        let request = ask(Method::Put, None, Some(cell.key.as_bytes()))?;
        done(self.index(cell.table)?.fetch_with_request(request).await?)
    }

    async fn keys(&self, table: Table, after: &str, max: usize) -> worker::Result<Vec<String>> {
        let headers = [(AFTER, after.to_owned()), (MAX, max.to_string())];
        let request = ask(Method::Get, headers, None)?;
        let mut response = self.index(table)?.fetch_with_request(request).await?;
        match response.status_code() {
            // Keys have characters of identifiers only: one a line.
            200 => Ok(response.text().await?.lines().map(str::to_owned).collect()),
            status => Err(refused(status)),
        }
    }
}

/// A request to an object.
fn ask(
    method: Method,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: Option<&[u8]>,
) -> worker::Result<worker::Request> {
    let sent = Headers::new();
    for (name, value) in headers {
        sent.set(name, &value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(sent);
    init.with_body(body.map(|bytes| Uint8Array::from(bytes).into()));
    worker::Request::new_with_init(ADDRESS, &init)
}

fn done(response: worker::Response) -> worker::Result<()> {
    match response.status_code() {
        204 => Ok(()),
        status => Err(refused(status)),
    }
}

fn refused(status: u16) -> worker::Error {
    format!("the object answered {status}").into()
}

impl Pause for Cells {
    async fn pause(&self, ms: u32) {
        Delay::from(Duration::from_millis(ms.into())).await;
    }
}

impl Store for Cells {
    async fn get(&self, cell: &Cell) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(cell).await.map_err(failed)
    }

    async fn put(&self, cell: &Cell, value: Vec<u8>, expires: Option<UtcMs>) -> Result<(), StoreError> {
        self.write(cell, &value, expires).await.map_err(failed)
    }

    async fn change(&self, cell: &Cell, change: &Change, now: UtcMs) -> Result<Vec<u8>, StoreError> {
        self.apply(cell, change, now).await.map_err(failed)
    }

    async fn list(&self, table: Table, after: &str, max: usize) -> Result<Vec<String>, StoreError> {
        self.keys(table, after, max).await.map_err(failed)
    }
}

fn failed(error: worker::Error) -> StoreError {
    worker::console_error!("store: {error}");
    StoreError(error.to_string())
}
