//! The edge's store over Durable Objects: one object for each cell, named `{table}/{key}`.
//!
//! So a read after a write sees it, wherever both happen, and changes of one value happen one after another, inside its
//! object ([`crate::cell`]). Values that may be a little old ([`Table::age_ms_max`]) are read from the nearest copy: the
//! isolate's or the data centre's ([`crate::front`]), then the region's ([`crate::relay`]), so that viewers never reach the
//! one object. The keys of a table that can be listed have an object of their own ([`crate::index`]), which hears of a key
//! before the value is written.

use railbird_core::time::UtcMs;
use railbird_edge::change::Change;
use railbird_edge::{Cell, Store, StoreError, Table, Wait, Waited, Watch};
use std::rc::Rc;
use std::time::Duration;
use worker::{Delay, Env, Method};

use crate::clock;
use crate::front::{self, Copy, Turn};
use crate::objects::{
    self, AFTER, AGE, CELL, CHANGE, EXPIRES, KEPT, MAX, NEWER, NOW, RELAY, STALE_MS_MAX, VERSION, WITHIN,
};

/// How often a request looks for what another one of its isolate waits for, in milliseconds.
const LOOK_MS: u64 = 50;

/// The store as one request sees it.
pub(crate) struct Cells {
    env: Env,
    now: UtcMs,
    /// Where the request came in.
    hint: Option<&'static str>,
}

impl Cells {
    pub(crate) fn new(env: Env, now: UtcMs, hint: Option<&'static str>) -> Cells {
        Cells { env, now, hint }
    }

    async fn read(&self, cell: &Cell) -> worker::Result<Option<Vec<u8>>> {
        let name = name(cell);
        let age_ms_max = cell.table.age_ms_max();
        if age_ms_max == 0 {
            let request = objects::ask(Method::Get, None, None)?;
            return objects::value(objects::cell(&self.env, &name)?.fetch_with_request(request).await?).await;
        }
        if let Some(copy) = front::find(&name, self.now, age_ms_max).await {
            return Ok(copy.value.map(Rc::unwrap_or_clone));
        }
        let copy = match self.relayed(&name, age_ms_max, None).await {
            Ok(copy) => {
                front::keep(&name, &copy, age_ms_max).await;
                copy
            }
            Err(error) => {
                let is_good = |copy: &Copy| self.now.ms_since(copy.taken) < STALE_MS_MAX;
                let Some(copy) = front::near(&name).filter(is_good) else { return Err(error) };
                worker::console_error!("{name} is given as it was: {error}");
                copy
            }
        };
        Ok(copy.value.map(Rc::unwrap_or_clone))
    }

    /// What the region's relay has; `newer` makes it wait for a newer version than this one, for so many milliseconds.
    async fn relayed(&self, name: &str, age_ms_max: u32, newer: Option<(u64, u64)>) -> worker::Result<Copy> {
        let relay = format!("{}/{name}", self.hint.unwrap_or("any"));
        let headers = [(CELL, name.to_owned()), (RELAY, relay.clone()), (AGE, age_ms_max.to_string())];
        let waits = newer
            .into_iter()
            .flat_map(|(version, within_ms)| [(NEWER, version.to_string()), (WITHIN, within_ms.to_string())]);
        let request = objects::ask(Method::Get, headers.into_iter().chain(waits), None)?;
        let asked = clock::now();
        let response = objects::relay(&self.env, &relay, self.hint)?.fetch_with_request(request).await?;
        let version = objects::number(response.headers(), VERSION)?.unwrap_or_default();
        // What was waited for came just now.
        let taken = if newer.is_some() { clock::now() } else { asked };
        Ok(Copy { value: objects::value(response).await?.map(Rc::new), version, taken })
    }

    /// Waits for another value than the one that was seen. See [`crate::front`] for who asks the relay.
    async fn wait(&self, cell: &Cell, seen: Option<&[u8]>, within_ms: u64) -> worker::Result<Waited> {
        let (name, age_ms_max, began) = (name(cell), cell.table.age_ms_max(), clock::now());
        loop {
            let (near, now) = (front::near(&name), clock::now());
            let (ms, version) = (now.ms_since(began), near.as_ref().map_or(0, |copy| copy.version));
            let another = near.filter(|copy| copy.value.as_ref().map(|value| value.as_slice()) != seen);
            if let Some(copy) = another {
                return Ok(Waited { value: copy.value.map(Rc::unwrap_or_clone), ms });
            }
            if ms >= within_ms {
                return Ok(Waited { value: seen.map(<[u8]>::to_vec), ms });
            }
            let rest_ms = within_ms - ms;
            if let Some(_turn) = Turn::take(&name, now) {
                let copy =
                    self.relayed(&name, age_ms_max, Some((version, rest_ms.min(front::HOLD_MS)))).await?;
                let news = copy.version > version;
                front::remember(&name, copy);
                if news {
                    continue;
                }
            }
            Delay::from(Duration::from_millis(rest_ms.min(LOOK_MS))).await;
        }
    }

    async fn write(&self, cell: &Cell, value: &[u8], expires: Option<UtcMs>) -> worker::Result<()> {
        let expires = expires.map(|at| (EXPIRES, at.0.to_string()));
        let request = objects::ask(Method::Put, expires, Some(value))?;
        objects::done(&self.tell(cell, request).await?)
    }

    async fn apply(&self, cell: &Cell, change: &Change, now: UtcMs) -> worker::Result<Vec<u8>> {
        let headers = [(CHANGE, change.kind.name().to_owned()), (NOW, now.0.to_string())];
        let request = objects::ask(Method::Post, headers, Some(&change.said))?;
        let mut response = self.tell(cell, request).await?;
        match response.status_code() {
            200 => response.bytes().await,
            status => Err(objects::refused(status)),
        }
    }

    /// Has the value's object write. The copies here are what it says then, or are forgotten.
    async fn tell(&self, cell: &Cell, request: worker::Request) -> worker::Result<worker::Response> {
        if cell.table.is_listed() {
            let note = objects::ask(Method::Put, None, Some(cell.key.as_bytes()))?;
            objects::done(&objects::index(&self.env, cell.table.name())?.fetch_with_request(note).await?)?;
        }
        let (name, age_ms_max, taken) = (name(cell), cell.table.age_ms_max(), clock::now());
        let response = objects::cell(&self.env, &name)?.fetch_with_request(request).await?;
        if age_ms_max > 0 {
            let version = objects::number(response.headers(), VERSION)?;
            match version.zip(response.headers().get(KEPT)?) {
                Some((version, kept)) => {
                    let value = Some(Rc::new(kept.into_bytes()));
                    front::keep(&name, &Copy { value, version, taken }, age_ms_max).await;
                }
                None => front::forget(&name, version.unwrap_or(u64::MAX)).await,
            }
        }
        Ok(response)
    }

    async fn keys(&self, table: Table, after: &str, max: usize) -> worker::Result<Vec<String>> {
        let request = objects::ask(Method::Get, [(AFTER, after.to_owned()), (MAX, max.to_string())], None)?;
        let mut response = objects::index(&self.env, table.name())?.fetch_with_request(request).await?;
        match response.status_code() {
            // Keys have characters of identifiers only: one a line.
            200 => Ok(response.text().await?.lines().map(str::to_owned).collect()),
            status => Err(objects::refused(status)),
        }
    }
}

impl Watch for Cells {
    async fn changed(
        &self,
        cell: &Cell,
        seen: Option<&[u8]>,
        Wait { within_ms, .. }: Wait,
    ) -> Result<Waited, StoreError> {
        self.wait(cell, seen, within_ms).await.map_err(failed)
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

fn name(cell: &Cell) -> String {
    format!("{}/{}", cell.table.name(), cell.key)
}

fn failed(error: worker::Error) -> StoreError {
    worker::console_error!("store: {error}");
    StoreError(error.to_string())
}
