//! A store in memory, for tests.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::{Answer, Created, Object, Pending, PutError, Store, Trace};

/// Keeps every object. Honours conditional create.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Object>>);

impl Memory {
    /// The object of this name.
    pub fn object(&self, name: &str) -> Option<Object> {
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
        answer(Ok(()))
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        let mut objects = self.objects();
        let created = if objects.contains_key(&object.name) {
            Created::Exists
        } else {
            objects.insert(object.name.clone(), object);
            Created::Written
        };
        answer(Ok(created))
    }

    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        let body = self.object(name).map(|object| object.body);
        answer(match body {
            Some(body) if body.len() > len_max => {
                Err(PutError::TooLong(format!("memory answered with more than {len_max} bytes")))
            }
            body => Ok(body),
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        let objects = self.objects();
        let names = objects.range(prefix.to_string()..).map(|(name, _)| name);
        answer(Ok(names.take_while(|name| name.starts_with(prefix)).take(max).cloned().collect()))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        self.objects().remove(name);
        answer(Ok(()))
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

fn answer<'a, T: Send + 'a>(result: Result<T, PutError>) -> Pending<'a, T> {
    Box::pin(ready(Answer { result, trace: Trace::default() }))
}
