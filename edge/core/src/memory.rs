//! A store in memory, for tests of the edge and of its hosts.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

use railbird_core::time::UtcMs;

use crate::port::{Cell, Store, StoreError};

/// Cells in memory. It has no clock: what has expired goes when [`MemoryStore::expire`] is called.
#[derive(Debug, Default)]
pub struct MemoryStore {
    cells: RefCell<BTreeMap<Cell, Kept>>,
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
}
