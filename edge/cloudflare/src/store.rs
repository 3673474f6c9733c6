//! The edge's store over Durable Objects: one object for each cell, named `{table}/{key}`.
//!
//! So a read after a write sees it, wherever both happen, and changes of one value happen one after another, inside its
//! object ([`crate::cell`]). Values that may be a little old ([`Table::age_ms_max`]) are read from the nearest copy: the
//! isolate's or the data centre's ([`crate::front`]), then the region's ([`crate::relay`]), so that viewers never reach the
//! one object. The keys of a table that can be listed have an object of their own ([`crate::index`]), which hears of a key
//! before the value is written.

use railbird_core::time::UtcMs;
use railbird_edge::change::Change;
use railbird_edge::copies::{Copy, HOLD_MS, Look, RELAY_MS_MAX, ask_age_ms};
use railbird_edge::{Cell, Store, StoreError, Table, Wait, Waited, Watch};
use std::rc::Rc;
use std::time::Duration;
use worker::{Delay, Env, Method};

use crate::clock;
use crate::front::{self, Turn};
use crate::objects::{
    self, AFTER, AGE, CELL, CHANGE, EXPIRES, KEPT, LAST, MAX, NEWER, NOW, RELAY, VERSION, WITHIN,
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

/// What a relay gave.
struct Relayed {
    copy: Copy,
    /// It could not get a better one.
    is_last: bool,
}

impl Cells {
    pub(crate) fn new(env: Env, now: UtcMs, hint: Option<&'static str>) -> Cells {
        Cells { env, now, hint }
    }

    async fn read(&self, cell: &Cell) -> worker::Result<Option<Vec<u8>>> {
        let (name, age_ms_max) = (name(cell), u64::from(cell.table.age_ms_max()));
        if age_ms_max == 0 {
            let request = objects::ask(Method::Get, None, None)?;
            return objects::value(objects::cell(&self.env, &name)?.fetch_with_request(request).await?).await;
        }
        let copy = match front::look(&name, self.now, age_ms_max) {
            Look::Copy(copy) => copy,
            Look::Ask => self.fetch(&name, age_ms_max).await?,
            Look::Rest => front::last(&name, self.now).ok_or("there was no answer a moment ago")?,
        };
        Ok(copy.value.map(Rc::unwrap_or_clone))
    }

    /// A copy from the data centre's cache or the region's relay; where the relay is not to be had, from the value's own object,
    /// which one of the isolate asks then once in a while.
    async fn fetch(&self, name: &str, age_ms_max: u64) -> worker::Result<Copy> {
        if let Some(copy) = front::cached(name, self.now, age_ms_max).await {
            return Ok(copy);
        }
        match self.relayed(name, ask_age_ms(age_ms_max), None).await {
            Ok(Relayed { copy, is_last: false }) => Ok(front::keep(name, copy, age_ms_max).await),
            Ok(Relayed { copy, is_last: true }) => {
                front::remember(name, copy.clone());
                front::fail(name, clock::now());
                Ok(front::near(name).unwrap_or(copy))
            }
            Err(error) => {
                worker::console_error!("{name} comes past its relay: {error}");
                front::fail(name, clock::now());
                let direct = objects::pull(&self.env, name, None).await;
                let now = clock::now();
                if let Ok(copy) = &direct {
                    front::remember(name, copy.clone());
                    front::fail(name, now);
                }
                direct.or_else(|error| front::last(name, now).ok_or(error))
            }
        }
    }

    /// What the region's relay has; `newer` makes it wait for a newer version than this one, for so many milliseconds.
    async fn relayed(
        &self,
        name: &str,
        age_ms_max: u64,
        newer: Option<(u64, u64)>,
    ) -> worker::Result<Relayed> {
        let relay = format!("{}/{name}", self.hint.unwrap_or("any"));
        let headers = [(CELL, name.to_owned()), (RELAY, relay.clone()), (AGE, age_ms_max.to_string())];
        let waits = newer
            .into_iter()
            .flat_map(|(version, within_ms)| [(NEWER, version.to_string()), (WITHIN, within_ms.to_string())]);
        let request = objects::ask(Method::Get, headers.into_iter().chain(waits), None)?;
        let within_ms = newer.map_or(0, |(_, within_ms)| within_ms) + RELAY_MS_MAX;
        objects::within(within_ms, async {
            let response = objects::relay(&self.env, &relay, self.hint)?.fetch_with_request(request).await?;
            let version = objects::number(response.headers(), VERSION)?.unwrap_or_default();
            let aged_ms = objects::number(response.headers(), AGE)?.unwrap_or_default();
            let is_last = response.headers().has(LAST)?;
            let taken = UtcMs(clock::now().0.saturating_sub(aged_ms));
            let value = objects::value(response).await?.map(Rc::new);
            Ok(Relayed { copy: Copy { value, version, taken }, is_last })
        })
        .await
    }

    /// Waits for another value than the one that was seen. See [`crate::front`] for who asks the relay.
    async fn wait(&self, cell: &Cell, seen: Option<&[u8]>, within_ms: u64) -> Waited {
        let (name, age_ms_max, began) = (name(cell), u64::from(cell.table.age_ms_max()), clock::now());
        loop {
            let (near, now) = (front::near(&name), clock::now());
            let (ms, version) = (now.ms_since(began), near.as_ref().map_or(0, |copy| copy.version));
            let another = near.filter(|copy| copy.value.as_ref().map(|value| value.as_slice()) != seen);
            if let Some(copy) = another {
                return Waited { value: copy.value.map(Rc::unwrap_or_clone), ms };
            }
            if ms >= within_ms {
                return Waited { value: seen.map(<[u8]>::to_vec), ms };
            }
            let rest_ms = within_ms - ms;
            if let Some(_turn) = Turn::take(&name, now)
                && front::look(&name, now, 0) == Look::Ask
            {
                match self.relayed(&name, age_ms_max, Some((version, rest_ms.min(HOLD_MS)))).await {
                    Ok(Relayed { copy, is_last }) => {
                        if front::remember(&name, copy) {
                            continue;
                        }
                        if is_last {
                            front::fail(&name, clock::now());
                        }
                    }
                    Err(error) => {
                        worker::console_error!("{name} is waited for in vain: {error}");
                        front::fail(&name, clock::now());
                    }
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
        let (name, age_ms_max, taken) = (name(cell), u64::from(cell.table.age_ms_max()), clock::now());
        let response = objects::cell(&self.env, &name)?.fetch_with_request(request).await?;
        if age_ms_max > 0 {
            let version = objects::number(response.headers(), VERSION)?;
            match version.zip(response.headers().get(KEPT)?) {
                Some((version, kept)) => {
                    let value = Some(Rc::new(kept.into_bytes()));
                    front::keep(&name, Copy { value, version, taken }, age_ms_max).await;
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
        Ok(self.wait(cell, seen, within_ms).await)
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
