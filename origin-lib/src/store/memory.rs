//! A store in memory, for tests.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use super::{Answer, Created, Object, Pending, Store, Trace};

/// Keeps every object. Honours conditional create.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Object>>);

impl Memory {
    /// The object of this name.
    pub fn get(&self, name: &str) -> Option<Object> {
        self.objects().get(name).cloned()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Object>> {
        // No code panics while it holds the lock, and a map is whole after each of its methods.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        self.objects().insert(object.name.clone(), object);
        Box::pin(ready(answer(())))
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        let mut objects = self.objects();
        let created = if objects.contains_key(&object.name) {
            Created::Exists
        } else {
            objects.insert(object.name.clone(), object);
            Created::Written
        };
        Box::pin(ready(answer(created)))
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

fn answer<T>(of: T) -> Answer<T> {
    Answer { result: Ok(of), trace: Trace::default() }
}
