//! Copies near the reader: in the isolate's memory, and behind it in the data centre's cache.
//!
//! Both are of values that may be a little old ([`railbird_edge::Table::age_ms_max`]), and a copy's age counts from when an
//! object gave it, however many caches it went through. So what asks an object is a data centre once in that time, however
//! many viewers it has. A data centre that takes a push forgets its own copy. Which copy is good, [`railbird_edge::copies`] says.
//!
//! Of all the requests in an isolate that wait for a newer value, one has its turn to wait for it at the relay ([`Turn`]), and
//! the others look into memory now and then: the runtime lets no request wait for what another one receives.

use std::cell::RefCell;
use std::rc::Rc;

use railbird_core::time::UtcMs;
use railbird_edge::copies::{Copies, Copy, Look, Waits};
use worker::{Cache, Headers, ResponseBuilder};

use crate::objects::{self, VERSION};

/// The most bytes that an isolate keeps: it has 128 MiB for everything.
const MEMORY_LEN_MAX: usize = 24 << 20;

/// Names of the cache's entries. Nothing is ever asked there.
const ADDRESS: &str = "https://copies.railbird.invalid/";

/// When the object gave the copy, in Unix milliseconds.
const TAKEN: &str = "railbird-taken";

/// Says that the value is absent: an answer without one could not be cached.
const ABSENT: &str = "railbird-absent";

thread_local! {
    static MEMORY: RefCell<Copies> = const { RefCell::new(Copies::new(MEMORY_LEN_MAX)) };
    static WAITS: RefCell<Waits> = const { RefCell::new(Waits::new()) };
}

/// What to do for a reader.
pub(crate) fn look(name: &str, now: UtcMs, age_ms_max: u64) -> Look {
    MEMORY.with_borrow_mut(|memory| memory.look(name, now, age_ms_max))
}

/// The isolate's copy, however old.
pub(crate) fn near(name: &str) -> Option<Copy> {
    MEMORY.with_borrow(|memory| memory.copy(name).cloned())
}

/// The isolate's copy, where nothing better is to be had.
pub(crate) fn last(name: &str, now: UtcMs) -> Option<Copy> {
    MEMORY.with_borrow(|memory| memory.last(name, now).cloned())
}

/// Keeps a copy for this isolate's other requests only. Says whether it is news to them.
pub(crate) fn remember(name: &str, copy: Copy) -> bool {
    MEMORY.with_borrow_mut(|memory| memory.hear(name, copy))
}

/// Notes that there was no good answer.
pub(crate) fn fail(name: &str, now: UtcMs) {
    MEMORY.with_borrow_mut(|memory| memory.fail(name, now));
}

/// Whose turn it is to wait at a relay for the isolate.
pub(crate) struct Turn {
    name: String,
    until: UtcMs,
}

impl Turn {
    /// `None`: it is another request's turn.
    pub(crate) fn take(name: &str, now: UtcMs) -> Option<Turn> {
        let until = WAITS.with_borrow_mut(|waits| waits.take(name, now))?;
        Some(Turn { name: name.to_owned(), until })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITS.with_borrow_mut(|waits| waits.give_back(&self.name, self.until));
    }
}

/// The data centre's copy, where it is fresh enough.
pub(crate) async fn cached(name: &str, now: UtcMs, age_ms_max: u64) -> Option<Copy> {
    let copy = find(name).await.ok().flatten().filter(|copy| copy.is_fresh(now, age_ms_max))?;
    remember(name, copy.clone());
    Some(copy)
}

async fn find(name: &str) -> worker::Result<Option<Copy>> {
    let Some(mut found) = Cache::default().get(address(name), false).await? else { return Ok(None) };
    let (taken, version) =
        (objects::number(found.headers(), TAKEN)?, objects::number(found.headers(), VERSION)?);
    let absent = found.headers().has(ABSENT)?;
    let value = if absent { None } else { Some(Rc::new(found.bytes().await?)) };
    Ok(taken.zip(version).map(|(taken, version)| Copy { value, version, taken: UtcMs(taken) }))
}

/// Keeps a copy for other requests, unless there is a newer one; gives that one. What can't be kept is asked for again.
pub(crate) async fn keep(name: &str, copy: Copy, age_ms_max: u64) -> Copy {
    remember(name, copy.clone());
    let newest = near(name).unwrap_or(copy);
    if let Err(error) = cache(name, &newest, age_ms_max).await {
        worker::console_error!("cache: {error}");
    }
    newest
}

async fn cache(name: &str, copy: &Copy, age_ms_max: u64) -> worker::Result<()> {
    let headers = Headers::new();
    headers.set("cache-control", &format!("public, max-age={}", age_ms_max.div_ceil(1000)))?;
    headers.set(TAKEN, &copy.taken.0.to_string())?;
    headers.set(VERSION, &copy.version.to_string())?;
    let body = match &copy.value {
        Some(value) => value.to_vec(),
        None => {
            headers.set(ABSENT, "1")?;
            Vec::new()
        }
    };
    let response = ResponseBuilder::new().with_headers(headers).fixed(body);
    Cache::default().put(address(name), response).await
}

/// Forgets this data centre's copy, and this isolate's where it is older than this version.
pub(crate) async fn forget(name: &str, version: u64) {
    MEMORY.with_borrow_mut(|memory| memory.forget(name, version));
    if let Err(error) = Cache::default().delete(address(name), false).await {
        worker::console_error!("cache: {error}");
    }
}

fn address(name: &str) -> String {
    format!("{ADDRESS}{name}")
}
