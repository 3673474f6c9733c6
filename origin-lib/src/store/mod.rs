//! Where objects are written: one put, and the class of its error. Whoever calls owns retry (`delivery` does).
//!
//! [`S3`] speaks the S3 API (AWS, R2, Garage, MinIO, …); [`Memory`] keeps objects for tests. Both pass one conformance
//! suite. [`server`] is an S3 server on a directory, for the demo and for tests.

mod memory;
mod s3;
pub mod server;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

pub use memory::Memory;
pub use s3::{Place, S3};

/// What a [`Store`] answers with, later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>;

/// What came of a request, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What came of it.
    pub result: Result<T, PutError>,
    /// How it went.
    pub trace: Trace,
}

/// How a request went, as far as it got: what a provider's support asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Trace {
    /// The address that was connected to.
    pub peer: Option<SocketAddr>,
    /// How long the name took to resolve. `None`: a connection was reused, or it did not get there; so with the next two.
    pub dns: Option<Duration>,
    /// How long TCP took to connect.
    pub connect: Option<Duration>,
    /// How long the TLS handshake took.
    pub tls: Option<Duration>,
    /// From the request's begin to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// From the request's begin to its end, good or bad.
    pub total: Duration,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What the provider calls the request (`x-amz-request-id`, `cf-ray`, `x-request-id`…).
    pub request_id: Option<String>,
}

/// How media objects may be cached: they never change (DESIGN.md, invariant 3).
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, from [`railbird_core::object`].
    pub name: String,
    /// Its bytes; shared, not copied, where several targets get the same object.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache_control: &'static str,
}

impl Object {
    /// A media object. Nodes see ciphertext, so that its type says nothing more than the container.
    pub fn media(name: String, body: Bytes) -> Object {
        Object { name, body, content_type: "video/mp4", cache_control: IMMUTABLE }
    }
}

/// What became of a conditional create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object was written. A store that ignores the condition says so for an existing object as well.
    Written,
    /// There was an object of this name already; it was not touched.
    Exists,
    /// The store refuses the condition as such; nothing was written.
    NotOffered,
}

/// A bucket, or what stands for one.
pub trait Store: Send + Sync {
    /// Writes the object, over one of the same name.
    fn put(&self, object: Object) -> Pending<'_, ()>;

    /// Writes the object unless there is one of this name.
    fn create(&self, object: Object) -> Pending<'_, Created>;

    /// Where this is, for people: `bucket "x" at https://…`.
    fn place(&self) -> String;
}

/// Why a put failed, by what the caller can do. The texts are sentences for a person and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// Nobody answers there: try again later; it counts for every object.
    #[error("{0}")]
    Unreachable(String),
    /// It failed, and may work the next time.
    #[error("{0}")]
    Retry(String),
    /// The store asks for fewer requests.
    #[error("{text}")]
    SlowDown {
        /// How long it wants us to wait, where it says so.
        after: Option<Duration>,
        /// What it said.
        text: String,
    },
    /// It will fail until a person changes something.
    #[error("{0}")]
    Misconfigured(String),
    /// This object is refused for good.
    #[error("{0}")]
    GiveUp(String),
}

/// What a store was found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Findings {
    /// A second create of the same name was refused.
    pub conditional_create: bool,
}

/// The object by which a store is tried: always the same bytes, so that any number of origins may write it.
const PROBE: &str = "railbird-probe.txt";

/// Tries a store as delivery will use it: does the bucket exist, do the credentials let us write, is a conditional
/// create honoured?
pub async fn probe(store: &dyn Store) -> Answer<Findings> {
    let object = Object {
        name: PROBE.into(),
        body: Bytes::from_static(b"Written by a Railbird origin at start, to see whether it can.\n"),
        content_type: "text/plain",
        cache_control: "no-store",
    };
    let found = |conditional_create| Findings { conditional_create };
    let first = store.create(object.clone()).await;
    match first.result {
        Ok(Created::Exists) => Answer { result: Ok(found(true)), trace: first.trace },
        Ok(Created::Written) => store.create(object).await.map(|second| found(second == Created::Exists)),
        Ok(Created::NotOffered) => store.put(object).await.map(|()| found(false)),
        Err(error) => Answer { result: Err(error), trace: first.trace },
    }
}

impl<T> Answer<T> {
    /// The same request, with what it means.
    pub fn map<U>(self, mean: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { result: self.result.map(mean), trace: self.trace }
    }
}

/// What a provider calls a request, by the header that has it.
pub(crate) fn request_id(headers: &http::HeaderMap) -> Option<String> {
    const NAMES: [&str; 5] = ["x-amz-request-id", "cf-ray", "x-request-id", "x-amz-cf-id", "x-cache-id"];
    let value = NAMES.iter().find_map(|name| headers.get(*name))?.to_str().ok()?;
    Some(value.chars().take(128).collect())
}
