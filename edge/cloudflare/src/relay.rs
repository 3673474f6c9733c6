//! The Durable Object that relays one value to a region.
//!
//! It asks the value's own object ([`crate::cell`]) at most once in the value's age, and makes itself known to it by that:
//! the object then sends it what is written (`PUT`), before whoever wrote has an answer. So the one object answers a few
//! relays, and relays answer their region's data centres (`GET`). What it has is in memory: a relay that begins anew asks.
//!
//! Who has a version may wait for a newer one ([`NEWER`]): all who do are answered when it is heard of. So the many that wait
//! for a value that changes often cost its object nothing.
//!
//! While the value's object can't be reached, the last copy is good for [`STALE_MS_MAX`], and nobody waits for the object
//! longer than [`PULL_MS_MAX`], or again within [`FAILED_MS`] of a failure.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{self, Either};
use futures::lock::Mutex;
use railbird_core::time::UtcMs;
use worker::{Delay, DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::clock;
use crate::objects::{self, AGE, CELL, NEWER, RELAY, STALE_MS_MAX, VERSION, WITHIN};

/// How long the value's object is waited for.
const PULL_MS_MAX: u64 = 1_000;

/// How long it is not asked again after a failure.
const FAILED_MS: u64 = 1_000;

/// The longest that an answer waits for a newer version.
const WITHIN_MS_MAX: u64 = 10_000;

/// A region's copy of one value.
#[durable_object(fetch)]
pub struct Relay {
    env: Env,
    copy: RefCell<Option<Copy>>,
    /// Whoever holds it asks the value's object; the others wait for what comes.
    asking: Mutex<()>,
    /// When the value's object did not answer last.
    failed: Cell<Option<UtcMs>>,
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
        Relay {
            env,
            copy: RefCell::default(),
            asking: Mutex::default(),
            failed: Cell::default(),
            waiting: RefCell::default(),
        }
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
        let failed = self.failed.get().is_some_and(|at| clock::now().ms_since(at) < FAILED_MS);
        let pulled = if failed {
            Err("its object did not answer a moment ago".into())
        } else {
            let pulled = self.pull(cell, relay).await;
            self.failed.set(pulled.is_err().then(clock::now));
            pulled
        };
        match pulled {
            Err(error) if self.is_younger(STALE_MS_MAX) => {
                worker::console_error!("{cell} is given as it was: {error}");
                Ok(())
            }
            pulled => pulled,
        }
    }

    /// Asks the value's object, which has a bounded time to answer.
    async fn pull(&self, cell: &str, relay: &str) -> worker::Result<()> {
        let late = Delay::from(Duration::from_millis(PULL_MS_MAX));
        match future::select(pin!(objects::pull(&self.env, cell, relay)), late).await {
            Either::Left((pulled, _)) => {
                let (version, value) = pulled?;
                self.hear(version, value);
                Ok(())
            }
            Either::Right(_) => Err("its object does not answer in time".into()),
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
