//! A store in memory, for tests of the edge and of its hosts. Its time is virtual: a pause lets others have a turn.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future;
use core::task::Poll;

use railbird_core::time::UtcMs;

use crate::change::{self, Change, Keep};
use crate::port::{Cell, Courier, Errand, FetchError, Fetched, Store, StoreError, Table, Watch};

/// Cells in memory. It has no clock: what has expired goes when [`MemoryStore::expire`] is called.
#[derive(Debug, Default)]
pub struct MemoryStore {
    cells: RefCell<BTreeMap<Cell, Kept>>,
    letters: RefCell<Vec<Letter>>,
    pages: RefCell<BTreeMap<String, Result<Fetched, FetchError>>>,
    asked: RefCell<Vec<Asked>>,
}

/// What the edge asked for: a URL, and with which headers.
pub type Asked = (String, Vec<(&'static str, String)>);

/// A message that was to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// What it says.
    pub body: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    value: Vec<u8>,
    expires: Option<UtcMs>,
}

impl MemoryStore {
    /// Drops every value whose expiry is not after `now`.
    pub fn expire(&self, now: UtcMs) {
        self.cells.borrow_mut().retain(|_, kept| kept.expires.is_none_or(|expires| expires > now));
    }

    /// The messages that were sent since this was asked before.
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.take()
    }

    /// What a URL answers from now on. Where nothing was said, nobody answers.
    pub fn answer(&self, url: &str, with: Result<Fetched, FetchError>) {
        self.pages.borrow_mut().insert(String::from(url), with);
    }

    /// What was asked for since this was asked before.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.take()
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.cells.borrow().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store for MemoryStore {
    async fn get(&self, cell: &Cell) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.cells.borrow().get(cell).map(|kept| kept.value.clone()))
    }

    async fn put(&self, cell: &Cell, value: Vec<u8>, expires: Option<UtcMs>) -> Result<(), StoreError> {
        self.cells.borrow_mut().insert(cell.clone(), Kept { value, expires });
        Ok(())
    }

    async fn change(&self, cell: &Cell, change: &Change, now: UtcMs) -> Result<Vec<u8>, StoreError> {
        let kept = self.get(cell).await?;
        let applied = change::apply(change, kept.as_deref(), now);
        if let Keep::Value(value, expires) = applied.keep {
            self.put(cell, value, expires).await?;
        }
        Ok(applied.answer)
    }

    async fn list(&self, table: Table, after: &str, max: usize) -> Result<Vec<String>, StoreError> {
        let cells = self.cells.borrow();
        let keys = cells.keys().filter(|cell| cell.table == table && cell.key.as_str() > after);
        Ok(keys.take(max).map(|cell| cell.key.clone()).collect())
    }
}

/// Messages are kept for whoever asks for them, and no time goes by: a pause lets others have a turn.
impl Courier for MemoryStore {
    async fn send(&self, Errand { url, headers, body, len_max }: Errand<'_>) -> Result<Fetched, FetchError> {
        let (url, headers) = (String::from(url), headers.to_vec());
        if let Some(body) = body {
            self.letters.borrow_mut().push(Letter { url, headers, body: body.to_vec() });
            return Ok(Fetched { status: 204, ..Fetched::default() });
        }
        let answer = self.pages.borrow().get(&url).cloned();
        self.asked.borrow_mut().push((url, headers));
        let fetched = answer.unwrap_or_else(|| Err(FetchError::NoAnswer(String::from("nobody"))))?;
        let mut read = Fetched { body: Vec::new(), ..fetched };
        let more = read.take(&fetched.body, len_max);
        read.is_cut = fetched.is_cut || !more;
        Ok(read)
    }

    fn log(&self, _text: &str) {}

    async fn pause(&self, _ms: u64) {
        let mut waited = false;
        future::poll_fn(|context| {
            if core::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Watch for MemoryStore {}
