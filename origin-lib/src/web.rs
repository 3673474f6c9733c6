//! The HTTP client of pushes and read-backs.

use std::error::Error;
use std::time::Duration;

/// How long connecting may take, name resolution and TLS included.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// Connections to one host that are kept while nobody uses them.
const IDLE_MAX: usize = 4;

/// The client can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client can't start: {0}")]
pub struct ClientError(String);

/// A client that follows no redirect and uses no proxy.
pub fn client() -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_DEADLINE)
        .pool_max_idle_per_host(IDLE_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("railbird-origin/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ClientError(words(&error)))
}

/// The words of an error's first cause, without the URL.
pub(crate) fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    match causes(error).last() {
        Some(cause) if !cause.is::<reqwest::Error>() => cause.to_string(),
        _ => "the request failed".into(),
    }
}

/// An error and what caused it, down to the first cause.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}
