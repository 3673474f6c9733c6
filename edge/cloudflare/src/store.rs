//! The edge's store over Durable Objects: one object for each cell, named `{table}/{key}`.
//!
//! So a read after a write sees it, wherever both happen. See [`crate::cell`] for the object's side.

use railbird_core::time::UtcMs;
use railbird_edge::{Cell, Store, StoreError};
use worker::js_sys::Uint8Array;
use worker::{Env, Headers, Method, RequestInit, Stub};

/// The binding of the objects' namespace.
const BINDING: &str = "CELLS";

/// Where a request to an object goes: only its path could matter, and does not.
const ADDRESS: &str = "https://cell/";

/// The header with a value's expiry, in Unix milliseconds.
pub(crate) const EXPIRES: &str = "railbird-expires";

/// The store as one request sees it.
pub(crate) struct Cells {
    env: Env,
}

impl Cells {
    pub(crate) fn new(env: Env) -> Cells {
        Cells { env }
    }

    fn object(&self, cell: &Cell) -> worker::Result<Stub> {
        self.env.durable_object(BINDING)?.get_by_name(&format!("{}/{}", cell.table.name(), cell.key))
    }

    async fn read(&self, cell: &Cell) -> worker::Result<Option<Vec<u8>>> {
        let mut response = self.object(cell)?.fetch_with_str(ADDRESS).await?;
        match response.status_code() {
            200 => response.bytes().await.map(Some),
            404 => Ok(None),
            status => Err(format!("the object answered {status}").into()),
        }
    }

    async fn write(&self, cell: &Cell, value: &[u8], expires: Option<UtcMs>) -> worker::Result<()> {
        let headers = Headers::new();
        if let Some(expires) = expires {
            headers.set(EXPIRES, &expires.0.to_string())?;
        }
        let mut init = RequestInit::new();
        init.with_method(Method::Put).with_headers(headers);
        init.with_body(Some(Uint8Array::from(value).into()));
        let request = worker::Request::new_with_init(ADDRESS, &init)?;
        match self.object(cell)?.fetch_with_request(request).await?.status_code() {
            204 => Ok(()),
            status => Err(format!("the object answered {status}").into()),
        }
    }
}

impl Store for Cells {
    async fn get(&self, cell: &Cell) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(cell).await.map_err(failed)
    }

    async fn put(&self, cell: &Cell, value: Vec<u8>, expires: Option<UtcMs>) -> Result<(), StoreError> {
        self.write(cell, &value, expires).await.map_err(failed)
    }
}

fn failed(error: worker::Error) -> StoreError {
    worker::console_error!("store: {error}");
    StoreError(error.to_string())
}
