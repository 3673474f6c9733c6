//! Where objects are written: one request, and the class of its error. Whoever calls owns retry (`delivery` does).
//!
//! [`S3`] speaks the S3 API (AWS, R2, Garage, MinIO, …), [`Http`] plain `PUT`, `GET` and `DELETE` (a CDN's entry point);
//! [`Memory`] keeps objects for tests. All pass one conformance suite. [`probe`] finds out what a store honours.
//! [`server`] is an S3 server on a directory, for the demo and for tests.

mod http;
mod memory;
mod probe;
mod s3;
pub mod server;
#[cfg(test)]
mod tests;
mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::http::Http;
pub use memory::Memory;
pub use probe::{Findings, Tried, probe};
pub use s3::S3;
pub use wire::OpenError;
pub(crate) use wire::request_id;

use crate::config::{Place, Target};

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

/// A bucket, or what stands for one. Every name is below the target's own prefix. Each request is bounded in time by the
/// target's deadlines.
pub trait Store: Send + Sync {
    /// Writes the object, over one of the same name.
    fn put(&self, object: Object) -> Pending<'_, ()>;

    /// Writes the object unless there is one of this name.
    fn create(&self, object: Object) -> Pending<'_, Created>;

    /// The bytes of the object of this name; `None` where there is none. More than `len_max` bytes are
    /// [`PutError::TooLong`].
    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>>;

    /// The names that begin with `prefix`, in order: the first `max` of them. A store without a list (a CDN's entry point)
    /// answers [`PutError::GiveUp`]; [`Findings::list`] tells it beforehand.
    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>>;

    /// Removes the object of this name, if there is one.
    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()>;

    /// Whether what it gives may come from a cache before it. To ask there for what is not written yet may leave its absence in
    /// the cache, for viewers to meet.
    fn is_cached(&self) -> bool {
        false
    }

    /// Where this is, for people: `bucket "x" at https://…`.
    fn place(&self) -> String;
}

/// Opens a target's store. Nothing is sent yet: the first request connects.
pub fn open(target: &Target) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match &target.place {
        Place::S3(bucket) => Arc::new(S3::new(bucket, &target.connection)?),
        Place::Http(entry) => Arc::new(Http::new(entry, &target.connection)?),
    })
}

/// Why a request failed, by what the caller can do. The texts are sentences for a person and hold no secret.
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
    /// This object is refused, and nothing says that it ever will be taken.
    #[error("{0}")]
    GiveUp(String),
    /// What is there is longer than whoever asked takes.
    #[error("{0}")]
    TooLong(String),
}

impl<T> Answer<T> {
    /// The same request, with what it means.
    pub fn map<U>(self, mean: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { result: self.result.map(mean), trace: self.trace }
    }
}
