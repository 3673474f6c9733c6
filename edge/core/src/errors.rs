//! What goes wrong for a caller: a status, a code that programs read, a text that says what to do.
//!
//! Each module keeps the problems that it finds; here is their shape, and those that several share.
//!
//! | status | codes |
//! | --- | --- |
//! | 400 | `bad-request`, `bad-code`, `bad-password` |
//! | 401 | `bad-login`, `no-session`, `session-expired`, `session-ended`, `bad-signature`, `bad-link` |
//! | 403 | `not-covered`, `no-such-period`, `pass-not-valid`, `wrong-password`, `cross-site`, `too-many-screens`, `screen-stopped` |
//! | 404 | `not-found`, `no-such-channel`, `no-such-replay`, `no-such-stretch`, `no-such-playlist`, `no-such-part`, `no-score`, `no-such-pass`, `no-reset`; with `retry-after`: `not-started`, `no-event` |
//! | 405 | `wrong-method` |
//! | 409 | `origins-differ`, `too-many-screens`, `screen-stopped` |
//! | 413, 415 | `too-large`, `wrong-content-type` |
//! | 429 | with `retry-after`: `too-many-tries`, `too-many-claims`, `too-many-keys` |
//! | 503 | `misconfigured`; with `retry-after`: `store` |

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use railbird_core::sign::CLOCK_HEADER;
use serde::Serialize;

use crate::http::Response;
use crate::port::StoreError;

/// The longest text that quotes what was sent, in characters.
const MESSAGE_LEN_MAX: usize = 300;

/// Why a request is not answered as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    /// One more header: `allow` or `retry-after`.
    header: Option<(&'static str, &'static str)>,
    /// How long to wait, in seconds.
    retry_after_s: Option<u64>,
    /// What this edge's clock reads, signed.
    clock: Option<String>,
}

/// No route, or none with this method's meaning, has the path.
pub(crate) const NOT_FOUND: Problem = Problem::new(404, "not-found", "there is nothing at this address");

/// The store did not answer.
const STORE: Problem = Problem::new(503, "store", "the edge can't reach its store: try again in a moment")
    .with("retry-after", "1");

impl Problem {
    pub(crate) const fn new(status: u16, code: &'static str, message: &'static str) -> Problem {
        Problem {
            status,
            code,
            message: Cow::Borrowed(message),
            header: None,
            retry_after_s: None,
            clock: None,
        }
    }

    /// With one more header, in place of an earlier one.
    pub(crate) const fn with(self, name: &'static str, value: &'static str) -> Problem {
        // Field by field: `..self` would have to drop the old one, which a const fn can't.
        let mut problem = self;
        problem.header = Some((name, value));
        problem
    }

    /// With a text that is known only now.
    pub(crate) fn saying(status: u16, code: &'static str, message: impl ToString) -> Problem {
        Problem { message: Cow::Owned(message.to_string()), ..Problem::new(status, code, "") }
    }

    /// With the time after which it is worth asking again, as a `retry-after` in whole seconds.
    pub(crate) fn after_ms(mut self, wait_ms: u64) -> Problem {
        self.retry_after_s = Some(wait_ms.div_ceil(1000));
        self
    }

    /// With what this edge's clock reads, signed, for whoever signed with another one.
    pub(crate) fn clock(mut self, told: String) -> Problem {
        self.clock = Some(told);
        self
    }

    /// The request's content is not what this route takes. The text may quote what was sent.
    pub(crate) fn bad_request(message: impl ToString) -> Problem {
        Problem::saying(400, "bad-request", message)
    }

    /// As JSON.
    pub(crate) fn response(&self) -> Response {
        self.response_with(None::<&()>)
    }

    /// The same, with more members beside the error.
    pub(crate) fn response_with(&self, more: Option<&impl Serialize>) -> Response {
        #[derive(Serialize)]
        struct Body<'a, M> {
            error: Detail<'a>,
            #[serde(flatten)]
            more: Option<M>,
        }
        #[derive(Serialize)]
        struct Detail<'a> {
            code: &'a str,
            message: &'a str,
        }
        let error = Detail { code: self.code, message: &self.message };
        self.head(json(self.status, &Body { error, more })).with("cache-control", "no-store")
    }

    /// Adds the problem's own headers.
    pub(crate) fn head(&self, mut response: Response) -> Response {
        if let Some((name, value)) = self.header {
            response = response.with(name, value);
        }
        if let Some(told) = &self.clock {
            response = response.with(CLOCK_HEADER, told);
        }
        match self.retry_after_s {
            Some(seconds) => response.with("retry-after", &seconds.to_string()),
            None => response,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(_: StoreError) -> Problem {
        // The text is for the operator: the adapter that made it has logged it.
        STORE
    }
}

/// A response of JSON.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    // Our own types have text keys only, so that this can't fail.
    let text: String = serde_json::to_string(body).unwrap_or_default();
    Response::new(status).body("application/json", text)
}

/// JSON that does not have the form of what a signed push carries. Only who signs sees the text.
pub(crate) fn bad_json(wrong: serde_json::Error) -> Problem {
    Problem::bad_request(wrong.to_string().chars().take(MESSAGE_LEN_MAX).collect::<String>())
}
