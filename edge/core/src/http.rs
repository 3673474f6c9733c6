//! Requests and responses, free of any host's types.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The largest request body that an adapter reads, in bytes; above it, it answers 413 without asking the core.
pub const BODY_LEN_MAX: usize = railbird_core::state::STATE_LEN_MAX;

/// A request as an adapter hands it over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Upper-case method: `GET`.
    pub method: String,
    /// Path as sent, percent-encoding kept, without the query: `/live/table-1/main.m3u8`.
    pub path: String,
    /// Query without the `?`; empty where there is none.
    pub query: String,
    /// Header names in lower case, with their values; a name may come more than once.
    pub headers: Vec<(String, String)>,
    /// Where it comes from, where the host knows: the two letters of a continent, in either case. What is none counts as
    /// unknown.
    pub region: Option<String>,
    /// The whole body, at most [`BODY_LEN_MAX`] bytes.
    pub body: Vec<u8>,
    /// Who sent it: an IP address, with or without a port, as the platform tells it. Never out of a header that a client
    /// can set. `None` where the platform doesn't tell.
    pub client: Option<String>,
}

impl Request {
    /// The value of a header by its lower-case name; `None` where it is absent or ambiguous (sent twice).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

/// The `set-cookie` of a cookie that no script and no other host sees.
pub(crate) fn set_cookie(name: &str, value: &str, ttl_s: u64) -> String {
    format!("{name}={value}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age={ttl_s}")
}

/// What an adapter sends back. `HEAD` is answered as `GET`; the adapter drops the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, with their values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An empty response.
    pub fn new(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// With a body of this content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self.with("content-type", content_type)
    }
}
