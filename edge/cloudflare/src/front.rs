//! Copies near the reader: in the isolate's memory, and behind it in the data centre's cache.
//!
//! Both are of values that may be a little old ([`railbird_edge::Table::age_ms_max`]), and a copy's age counts from when an
//! object gave it, however many caches it went through. So what asks an object is a data centre once in that time, however
//! many viewers it has. A data centre that takes a push forgets its own copy.
//!
//! Of all the requests in an isolate that wait for a newer value, one has its turn to wait for it at the relay ([`Turn`]), and
//! the others look into memory now and then: the runtime lets no request wait for what another one receives.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use railbird_core::time::UtcMs;
use worker::{Cache, Headers, ResponseBuilder};

use crate::objects::{self, VERSION};

/// The most bytes that an isolate keeps: it has 128 MiB for everything.
const MEMORY_LEN_MAX: usize = 24 << 20;

/// Names of the cache's entries. Nothing is ever asked there.
const ADDRESS: &str = "https://copies.railbird.invalid/";

/// How long one request of an isolate waits at a relay for all that wait for the same, in milliseconds.
pub(crate) const HOLD_MS: u64 = 1_000;

/// For how long nobody else asks, in milliseconds: a request may end without a word, when its viewer goes away.
const TURN_MS: u64 = HOLD_MS + 500;

/// When the object gave the copy, in Unix milliseconds.
const TAKEN: &str = "railbird-taken";

/// Says that the value is absent: an answer without one could not be cached.
const ABSENT: &str = "railbird-absent";

/// A value as it was at some moment.
#[derive(Clone)]
pub(crate) struct Copy {
    /// `None` where there was none.
    pub(crate) value: Option<Rc<Vec<u8>>>,
    pub(crate) version: u64,
    pub(crate) taken: UtcMs,
}

impl Copy {
    fn is_fresh(&self, now: UtcMs, age_ms_max: u32) -> bool {
        now.ms_since(self.taken) < u64::from(age_ms_max)
    }

    fn len(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
    /// Until when it is the turn of whoever waits at a relay for a newer value, by the value's name.
    static TURNS: RefCell<BTreeMap<String, UtcMs>> = RefCell::default();
}

#[derive(Default)]
struct Memory {
    copies: BTreeMap<String, Copy>,
    len: usize,
}

impl Memory {
    fn keep(&mut self, name: &str, copy: Copy) {
        if self.copies.get(name).is_some_and(|kept| kept.version > copy.version) {
            return;
        }
        let len = copy.len() + name.len();
        if self.len + len > MEMORY_LEN_MAX {
            // Whatever is asked for often is back in a moment.
            *self = Memory::default();
        }
        self.len += len;
        if let Some(old) = self.copies.insert(name.to_owned(), copy) {
            self.len = self.len.saturating_sub(old.len() + name.len());
        }
    }

    fn forget(&mut self, name: &str, version: u64) {
        if self.copies.get(name).is_some_and(|copy| copy.version >= version) {
            return;
        }
        if let Some(old) = self.copies.remove(name) {
            self.len = self.len.saturating_sub(old.len() + name.len());
        }
    }
}

/// The isolate's copy, however old.
pub(crate) fn near(name: &str) -> Option<Copy> {
    MEMORY.with_borrow(|memory| memory.copies.get(name).cloned())
}

/// Keeps a copy for this isolate's other requests only.
pub(crate) fn remember(name: &str, copy: Copy) {
    MEMORY.with_borrow_mut(|memory| memory.keep(name, copy));
}

/// Whose turn it is to wait at a relay for the isolate.
pub(crate) struct Turn {
    name: String,
    until: UtcMs,
}

impl Turn {
    /// `None`: it is another request's turn.
    pub(crate) fn take(name: &str, now: UtcMs) -> Option<Turn> {
        TURNS.with_borrow_mut(|turns| {
            turns.retain(|_, until| *until > now);
            let until = now.plus_ms(TURN_MS);
            let free = !turns.contains_key(name);
            free.then(|| {
                turns.insert(name.to_owned(), until);
                Turn { name: name.to_owned(), until }
            })
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURNS.with_borrow_mut(|turns| {
            if turns.get(&self.name) == Some(&self.until) {
                turns.remove(&self.name);
            }
        });
    }
}

/// A copy that is fresh enough, where there is one near.
pub(crate) async fn find(name: &str, now: UtcMs, age_ms_max: u32) -> Option<Copy> {
    if let Some(copy) = near(name).filter(|copy| copy.is_fresh(now, age_ms_max)) {
        return Some(copy);
    }
    let copy = cached(name).await.ok().flatten().filter(|copy| copy.is_fresh(now, age_ms_max))?;
    remember(name, copy.clone());
    Some(copy)
}

async fn cached(name: &str) -> worker::Result<Option<Copy>> {
    let Some(mut found) = Cache::default().get(address(name), false).await? else { return Ok(None) };
    let (taken, version) =
        (objects::number(found.headers(), TAKEN)?, objects::number(found.headers(), VERSION)?);
    let absent = found.headers().has(ABSENT)?;
    let value = if absent { None } else { Some(Rc::new(found.bytes().await?)) };
    Ok(taken.zip(version).map(|(taken, version)| Copy { value, version, taken: UtcMs(taken) }))
}

/// Keeps a copy for other requests. What can't be kept is asked for again.
pub(crate) async fn keep(name: &str, copy: &Copy, age_ms_max: u32) {
    remember(name, copy.clone());
    if let Err(error) = cache(name, copy, age_ms_max).await {
        worker::console_error!("cache: {error}");
    }
}

async fn cache(name: &str, copy: &Copy, age_ms_max: u32) -> worker::Result<()> {
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
