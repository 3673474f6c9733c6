//! The Durable Object that relays one value to a region.
//!
//! It asks the value's own object ([`crate::cell`]) at most once in the value's age, and makes itself known to it by that:
//! the object then sends it what is written (`PUT`), before whoever wrote has an answer. So the one object answers a few
//! relays, and relays answer their region's data centres (`GET`). What it has is in memory: a relay that begins anew asks.
//!
//! Who has a version may wait for a newer one ([`NEWER`]): all who do are answered when it is heard of. So the many that wait
//! for a value that changes often cost its object nothing.
//!
//! What is given while the value's object can't be reached, and when it is asked again, [`railbird_edge::copies`] says.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future;
use futures::lock::Mutex;
use railbird_core::time::UtcMs;
use railbird_edge::copies::{Copy, Look, Source};
use worker::{Delay, DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::clock;
use crate::objects::{self, AGE, CELL, LAST, NEWER, RELAY, VERSION, WITHIN};

/// The longest that an answer waits for a newer version.
const WITHIN_MS_MAX: u64 = 10_000;

/// A region's copy of one value.
#[durable_object(fetch)]
pub struct Relay {
    env: Env,
    source: RefCell<Source>,
    /// Whoever holds it asks the value's object; the others wait for what comes.
    asking: Mutex<()>,
    /// Who waits for a newer version.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

/// Which value is relayed, by which relay, and how old it may be.
struct Asked {
    cell: String,
    relay: String,
    age_ms_max: u64,
}

impl DurableObject for Relay {
    fn new(_state: State, env: Env) -> Relay {
        Relay { env, source: RefCell::default(), asking: Mutex::default(), waiting: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match request.method() {
            Method::Get => {
                let headers = request.headers();
                let (Some(cell), Some(relay)) = (headers.get(CELL)?, headers.get(RELAY)?) else {
                    return Response::error("which value, and by which relay?", 400);
                };
                let age_ms_max = objects::number(headers, AGE)?.unwrap_or_default();
                let newer = objects::number(headers, NEWER)?;
                let within_ms = objects::number(headers, WITHIN)?.unwrap_or_default().min(WITHIN_MS_MAX);
                let asked = Asked { cell, relay, age_ms_max };
                let read = match newer {
                    Some(version) => {
                        self.wait(&asked, version, clock::now().plus_ms(within_ms)).await;
                        self.last()
                    }
                    None => self.read(&asked).await,
                };
                let Some(copy) = read else { return Response::error("its object does not answer", 503) };
                let response = match copy.value {
                    Some(value) => Response::from_bytes(Rc::unwrap_or_clone(value)),
                    None => Response::error("no value", 404),
                }?;
                response.headers().set(VERSION, &copy.version.to_string())?;
                response.headers().set(AGE, &clock::now().ms_since(copy.taken).to_string())?;
                if self.source.borrow().has_failed() {
                    response.headers().set(LAST, "1")?;
                }
                Ok(response)
            }
            Method::Put => {
                let version = objects::number(request.headers(), VERSION)?.unwrap_or_default();
                let value = Some(Rc::new(request.bytes().await?));
                self.hear(Copy { value, version, taken: clock::now() });
                Ok(Response::empty()?.with_status(204))
            }
            _ => Response::error("only GET and PUT", 405),
        }
    }
}

impl Relay {
    /// A copy that is young enough, or the last one while there is none.
    async fn read(&self, asked: &Asked) -> Option<Copy> {
        match self.look(asked) {
            Look::Copy(copy) => return Some(copy),
            Look::Rest => return self.last(),
            Look::Ask => {}
        }
        let _turn = match self.asking.try_lock() {
            Some(turn) => turn,
            None => {
                let turn = self.asking.lock().await;
                match self.look(asked) {
                    Look::Copy(copy) => return Some(copy),
                    Look::Rest => return self.last(),
                    Look::Ask => turn,
                }
            }
        };
        match objects::pull(&self.env, &asked.cell, Some(&asked.relay)).await {
            Ok(copy) => self.hear(copy),
            Err(error) => {
                worker::console_error!("{} is given as it was: {error}", asked.cell);
                self.source.borrow_mut().fail(clock::now());
            }
        }
        self.last()
    }

    /// Waits for a newer version than this one. What is sent may get lost, so that the value's object is asked, too, as often
    /// as a copy gets too old: once for all who wait.
    async fn wait(&self, asked: &Asked, version: u64, until: UtcMs) {
        loop {
            self.read(asked).await;
            let rest_ms = until.ms_since(clock::now());
            let newer = self.source.borrow().copy().is_some_and(|copy| copy.version > version);
            if newer || rest_ms == 0 {
                return;
            }
            let (sender, heard) = oneshot::channel();
            self.waiting.borrow_mut().push(sender);
            let late = Delay::from(Duration::from_millis(rest_ms.min(asked.age_ms_max.max(1))));
            future::select(heard, late).await;
            self.waiting.borrow_mut().retain(|waiting| !waiting.is_canceled());
        }
    }

    fn look(&self, asked: &Asked) -> Look {
        self.source.borrow_mut().look(clock::now(), asked.age_ms_max)
    }

    fn last(&self) -> Option<Copy> {
        self.source.borrow().last(clock::now()).cloned()
    }

    /// Takes what the value's object says, and tells those who wait for it.
    fn hear(&self, copy: Copy) {
        if self.source.borrow_mut().hear(copy) {
            for waiting in self.waiting.take() {
                // One that waits no longer is not there to hear of it.
                let _ = waiting.send(());
            }
        }
    }
}
