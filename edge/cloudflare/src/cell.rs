//! The Durable Object that holds one value, in SQLite.
//!
//! `GET` gives the value (404 where there is none), `PUT` sets it, with its expiry in a header, `POST` applies a change
//! and gives its answer. A row of SQLite holds at most 2 MB there, so that a value is kept in pieces. An expired value is
//! not given any more; an alarm deletes it.
//!
//! Relays ([`crate::relay`]) that asked of late are sent what is written before the writer has an answer, unless one of
//! them takes longer than [`RELAY_MS_MAX`]. They are known in memory only: an object that begins anew hears of them when
//! they ask again.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::cell::{Cell as Counter, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{self, FutureExt};
use railbird_core::time::UtcMs;
use railbird_edge::change::{self, Change, Keep};
use worker::{
    Date, DateInit, Delay, DurableObject, Env, Method, Request, Response, ScheduledTime, SqlStorageValue,
    State, durable_object,
};

use crate::objects::{self, CHANGE, EXPIRES, KEPT, NOW, RELAY, VERSION};
use crate::{clock, sql};

/// Bytes of a value in one row.
const PIECE_LEN: usize = 1 << 20;

/// The most relays that are known: more than there are regions.
const RELAYS_MAX: usize = 32;

/// A relay that has not asked for so long is sent nothing any more.
const RELAY_QUIET_MS_MAX: u64 = 60_000;

/// How long a writer waits for the relays.
const RELAY_MS_MAX: u64 = 300;

/// The longest value that an object has in memory, too, in bytes: it may share an isolate's 128 MiB with many others.
const KNOWN_LEN_MAX: usize = 256 << 10;

/// One cell of the edge's store.
#[durable_object(alarm)]
pub struct Cell {
    state: State,
    env: Env,
    /// When each relay asked last, by name.
    relays: RefCell<BTreeMap<String, UtcMs>>,
    /// What is stored, once it was read: nobody else writes it, and a request in vain costs no read of the database.
    known: RefCell<Option<Stored>>,
    /// Of what was written last. It follows the clock, so that it goes up over lives of the object, too.
    version: Counter<u64>,
}

#[derive(Clone, Default)]
struct Stored {
    value: Option<Rc<Vec<u8>>>,
    expires: Option<UtcMs>,
}

impl DurableObject for Cell {
    fn new(state: State, env: Env) -> Cell {
        let version = Counter::new(clock::now().0);
        Cell { state, env, relays: RefCell::default(), known: RefCell::default(), version }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match request.method() {
            Method::Get => {
                if let Some(relay) = request.headers().get(RELAY)? {
                    self.know(relay);
                }
                let response = match self.read()? {
                    Some(value) => Response::from_bytes(Rc::unwrap_or_clone(value)),
                    None => Response::error("no value", 404),
                }?;
                self.versioned(response)
            }
            Method::Put => {
                let expires = objects::number(request.headers(), EXPIRES)?.map(UtcMs);
                let value = request.bytes().await?;
                self.write(&value, expires).await?;
                self.versioned(Response::empty()?.with_status(204))
            }
            Method::Post => {
                let kind = request.headers().get(CHANGE)?.and_then(|name| name.parse().ok());
                let (Some(kind), Some(now)) = (kind, objects::number(request.headers(), NOW)?) else {
                    return Response::error("no such change", 400);
                };
                let (change, now) = (Change { kind, said: request.bytes().await? }, UtcMs(now));
                let kept = self.read()?;
                let applied = change::apply(&change, kept.as_ref().map(|value| value.as_slice()), now);
                let kept = match applied.keep {
                    Keep::Value(value, expires) => {
                        self.write(&value, expires).await?;
                        Some(Rc::new(value))
                    }
                    Keep::AsIs => kept,
                };
                let response = self.versioned(Response::from_bytes(applied.answer)?)?;
                if let Some(text) = kept.as_ref().and_then(|kept| change::brief(kept)) {
                    response.headers().set(KEPT, text)?;
                }
                Ok(response)
            }
            _ => Response::error("only GET, PUT and POST", 405),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // A write may have moved or lifted the expiry since the alarm was set.
        if self.is_written()?
            && let Some(at) = self.expiry()?
        {
            if at > clock::now() {
                self.wake_at(at).await?;
            } else {
                self.known.take();
                self.state.storage().delete_all().await?;
            }
        }
        Response::empty()
    }
}

impl Cell {
    fn run(&self, query: &str, values: Vec<SqlStorageValue>) -> worker::Result<Vec<Vec<SqlStorageValue>>> {
        sql::run(&self.state, query, values)
    }

    /// An answer that says which version of the value there is now.
    fn versioned(&self, response: Response) -> worker::Result<Response> {
        response.headers().set(VERSION, &self.version.get().to_string())?;
        Ok(response)
    }

    fn is_written(&self) -> worker::Result<bool> {
        sql::has_table(&self.state, "expiry")
    }

    /// Makes the tables; `delete_all` drops them.
    fn create(&self) -> worker::Result<()> {
        self.run("CREATE TABLE IF NOT EXISTS pieces (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL)", vec![])?;
        self.run("CREATE TABLE IF NOT EXISTS expiry (n INTEGER PRIMARY KEY, at_ms INTEGER)", vec![])?;
        Ok(())
    }

    /// When the value expires; `None` where it doesn't.
    fn expiry(&self) -> worker::Result<Option<UtcMs>> {
        let rows = self.run("SELECT at_ms FROM expiry WHERE n = 0", vec![])?;
        let at = rows.first().and_then(|row| row.first());
        Ok(match at {
            Some(&SqlStorageValue::Integer(at)) => u64::try_from(at).ok().map(UtcMs),
            _ => None,
        })
    }

    /// The value, unless it has expired.
    fn read(&self) -> worker::Result<Option<Rc<Vec<u8>>>> {
        let known = self.known.borrow().clone();
        let Stored { value, expires } = match known {
            Some(stored) => stored,
            None => {
                let stored = self.stored()?;
                self.remember(&stored);
                stored
            }
        };
        Ok(value.filter(|_| expires.is_none_or(|at| at > clock::now())))
    }

    fn stored(&self) -> worker::Result<Stored> {
        if !self.is_written()? {
            return Ok(Stored::default());
        }
        let mut value = None;
        for row in self.run("SELECT bytes FROM pieces ORDER BY n", vec![])? {
            let Some(SqlStorageValue::Blob(piece)) = row.into_iter().next() else {
                return Err("a piece of the value is not bytes".into());
            };
            value.get_or_insert_with(Vec::new).extend(piece);
        }
        Ok(Stored { value: value.map(Rc::new), expires: self.expiry()? })
    }

    fn remember(&self, stored: &Stored) {
        let fits = stored.value.as_ref().is_none_or(|value| value.len() <= KNOWN_LEN_MAX);
        *self.known.borrow_mut() = fits.then(|| stored.clone());
    }

    /// Replaces the value. The runtime commits what happens between two awaits as one.
    async fn write(&self, value: &[u8], expires: Option<UtcMs>) -> worker::Result<()> {
        let version = clock::now().0.max(self.version.get() + 1);
        self.version.set(version);
        self.known.take();
        self.create()?;
        self.run("DELETE FROM pieces", vec![])?;
        let empty = value.is_empty().then_some(value);
        for (n, piece) in value.chunks(PIECE_LEN).chain(empty).enumerate() {
            let values = vec![SqlStorageValue::Integer(n as i64), SqlStorageValue::Blob(piece.to_vec())];
            self.run("INSERT INTO pieces (n, bytes) VALUES (?, ?)", values)?;
        }
        let at = expires.and_then(|at| i64::try_from(at.0).ok());
        let at = at.map_or(Ok(SqlStorageValue::Null), SqlStorageValue::try_from_i64)?;
        self.run("INSERT OR REPLACE INTO expiry (n, at_ms) VALUES (0, ?)", vec![at])?;
        self.remember(&Stored { value: Some(Rc::new(value.to_vec())), expires });
        match expires {
            // Relays find out by themselves.
            Some(at) => self.wake_at(at).await,
            None => {
                self.state.storage().delete_alarm().await?;
                self.relay(value, version).await;
                Ok(())
            }
        }
    }

    /// Notes that a relay asks.
    fn know(&self, relay: String) {
        let now = clock::now();
        let mut relays = self.relays.borrow_mut();
        relays.retain(|_, asked| now.ms_since(*asked) < RELAY_QUIET_MS_MAX);
        if relays.len() < RELAYS_MAX {
            relays.insert(relay, now);
        }
    }

    /// Sends the value to the relays. One that does not take it asks when its copy is too old.
    async fn relay(&self, value: &[u8], version: u64) {
        let relays: Vec<String> = self.relays.borrow().keys().cloned().collect();
        let pushes = relays.iter().map(|relay| async move {
            if let Err(error) = objects::push(&self.env, relay, version, value).await {
                worker::console_error!("the relay {relay} did not take a value: {error}");
            }
        });
        let all = future::join_all(pushes).map(drop);
        let late = Delay::from(Duration::from_millis(RELAY_MS_MAX));
        if !relays.is_empty() {
            future::select(Box::pin(all), Box::pin(late)).await;
        }
    }

    async fn wake_at(&self, at: UtcMs) -> worker::Result<()> {
        let at = Date::new(DateInit::Millis(at.0));
        self.state.storage().set_alarm(ScheduledTime::new(at.into())).await
    }
}
