//! The Durable Object that relays one value to a region.
//!
//! It asks the value's own object ([`crate::cell`]) at most once in the value's age, and makes itself known to it by that:
//! the object then sends it what is written (`PUT`), before whoever wrote has an answer. So the one object answers a few
//! relays, and relays answer their region's data centres (`GET`). What it has is in memory: a relay that begins anew asks.
//!
//! Who has a version may wait for a newer one ([`NEWER`]): all who do are answered when it is heard of. So the many that wait
//! for a value that changes often cost its object nothing.
//!
//! While the value's object can't be reached, the last copy is good for [`STALE_MS_MAX`].

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::cell::RefCell;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future;
use futures::lock::Mutex;
use railbird_core::time::UtcMs;
use worker::{Delay, DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::clock;
use crate::objects::{self, AGE, CELL, NEWER, RELAY, VERSION, WITHIN};

/// How long a copy is given out while its object does not answer.
const STALE_MS_MAX: u64 = 60_000;

/// The longest that an answer waits for a newer version.
const WITHIN_MS_MAX: u64 = 10_000;

/// A region's copy of one value.
#[durable_object(fetch)]
pub struct Relay {
    env: Env,
    copy: RefCell<Option<Copy>>,
    /// Whoever holds it asks the value's object; the others wait for what comes.
    asking: Mutex<()>,
    /// Who waits for a newer version.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

#[derive(Clone)]
struct Copy {
    version: u64,
    /// `None`: the value is absent.
    value: Option<Vec<u8>>,
    heard: UtcMs,
}

impl DurableObject for Relay {
    fn new(_state: State, env: Env) -> Relay {
        Relay { env, copy: RefCell::default(), asking: Mutex::default(), waiting: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match request.method() {
            Method::Get => {
                let headers = request.headers();
                let (Some(cell), Some(relay)) = (headers.get(CELL)?, headers.get(RELAY)?) else {
                    return Response::error("which value, and by which relay?", 400);
                };
                let age_ms_max = objects::number(headers, AGE)?.unwrap_or_default();
                self.read(&cell, &relay, age_ms_max).await?;
                if let Some(version) = objects::number(headers, NEWER)? {
                    let within_ms = objects::number(headers, WITHIN)?.unwrap_or_default().min(WITHIN_MS_MAX);
                    self.wait(&cell, &relay, age_ms_max, version, clock::now().plus_ms(within_ms)).await?;
                }
                let copy = self.copy.borrow().clone();
                let response = match copy.as_ref().and_then(|copy| copy.value.clone()) {
                    Some(value) => Response::from_bytes(value),
                    None => Response::error("no value", 404),
                }?;
                response.headers().set(VERSION, &copy.map_or(0, |copy| copy.version).to_string())?;
                Ok(response)
            }
            Method::Put => {
                let version = objects::number(request.headers(), VERSION)?.unwrap_or_default();
                let value = request.bytes().await?;
                self.hear(version, Some(value));
                Ok(Response::empty()?.with_status(204))
            }
            _ => Response::error("only GET and PUT", 405),
        }
    }
}

impl Relay {
    /// Sees to it that there is a copy that is young enough.
    async fn read(&self, cell: &str, relay: &str, age_ms_max: u64) -> worker::Result<()> {
        if self.is_younger(age_ms_max) {
            return Ok(());
        }
        let _turn = self.asking.lock().await;
        if self.is_younger(age_ms_max) {
            return Ok(());
        }
        match objects::pull(&self.env, cell, relay).await {
            Ok((version, value)) => {
                self.hear(version, value);
                Ok(())
            }
            Err(error) if self.is_younger(STALE_MS_MAX) => {
                worker::console_error!("{cell} is given as it was: {error}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for a newer version than this one. What is sent may get lost, so that the value's object is asked, too, as often
    /// as a copy gets too old: once for all who wait.
    async fn wait(
        &self,
        cell: &str,
        relay: &str,
        age_ms_max: u64,
        version: u64,
        until: UtcMs,
    ) -> worker::Result<()> {
        loop {
            let rest_ms = until.ms_since(clock::now());
            let newer = self.copy.borrow().as_ref().is_some_and(|copy| copy.version > version);
            if newer || rest_ms == 0 {
                return Ok(());
            }
            let (sender, heard) = oneshot::channel();
            self.waiting.borrow_mut().push(sender);
            let late = Delay::from(Duration::from_millis(rest_ms.min(age_ms_max.max(1))));
            future::select(heard, late).await;
            self.waiting.borrow_mut().retain(|waiting| !waiting.is_canceled());
            self.read(cell, relay, age_ms_max).await?;
        }
    }

    fn is_younger(&self, age_ms_max: u64) -> bool {
        let now = clock::now();
        self.copy.borrow().as_ref().is_some_and(|copy| now.ms_since(copy.heard) < age_ms_max)
    }

    /// Takes what the value's object says, unless it has said something newer already.
    fn hear(&self, version: u64, value: Option<Vec<u8>>) {
        let mut copy = self.copy.borrow_mut();
        let known = copy.as_ref().map(|copy| copy.version);
        if known.is_none_or(|known| known <= version) {
            *copy = Some(Copy { version, value, heard: clock::now() });
        }
        if known.is_none_or(|known| known < version) {
            for waiting in self.waiting.take() {
                // One that waits no longer is not there to hear of it.
                let _ = waiting.send(());
            }
        }
    }
}
