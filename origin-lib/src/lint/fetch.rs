//! Fetching for the linter: bounded in time and size, redirects one by one.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RANGE};
use reqwest::{Client, StatusCode, Url};

use crate::web;

/// The longest an answer may take, where the server does not hold the request by its own rules.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;

/// What was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Where it was in the end.
    pub(super) url: Url,
    /// `Content-Type`, without parameters.
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
}

/// Why nothing was fetched, in a clause.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// It is not there, for who we are.
    #[error("it is answered {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Other(String),
}

/// Fetches with what the user wants to have said to the presentation's own host.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    headers: HeaderMap,
    home: Url,
}

impl Fetcher {
    /// `headers` go to the origin of `home` only.
    pub(super) fn new(home: &Url, headers: HeaderMap) -> Result<Fetcher, web::ClientError> {
        Ok(Fetcher { client: web::client()?, headers, home: home.clone() })
    }

    /// At most `len_max` bytes, within a deadline that `held` is added to. `range` is where it starts, and how long it is.
    pub(super) async fn get(
        &self,
        url: &Url,
        len_max: usize,
        range: Option<(u64, u64)>,
        held: Duration,
    ) -> Result<Fetched, FetchError> {
        let deadline = DEADLINE + held;
        let late = || FetchError::Other(format!("there is no answer within {} s", deadline.as_secs()));
        tokio::time::timeout(deadline, self.follow(url, len_max, range)).await.map_err(|_| late())?
    }

    async fn follow(
        &self,
        url: &Url,
        len_max: usize,
        range: Option<(u64, u64)>,
    ) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            if !matches!(url.scheme(), "http" | "https") {
                return Err(FetchError::Other(format!("{} is no scheme to fetch by", url.scheme())));
            }
            let mut request = self.client.get(url.clone());
            if url.origin() == self.home.origin() {
                request = request.headers(self.headers.clone());
            }
            if let Some((start, len)) = range {
                request = request.header(RANGE, format!("bytes={start}-{}", start + len.max(1) - 1));
            }
            let answer = request.send().await.map_err(|error| FetchError::Other(web::words(&error)))?;
            if !answer.status().is_redirection() {
                return read(answer, url, len_max).await;
            }
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| FetchError::Other("it leads nowhere".into()))?;
        }
        Err(FetchError::Other(format!("it leads on more than {REDIRECTS_MAX} times")))
    }
}

async fn read(mut answer: reqwest::Response, url: Url, len_max: usize) -> Result<Fetched, FetchError> {
    if !answer.status().is_success() {
        return Err(FetchError::Status(answer.status()));
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| FetchError::Other(web::words(&error)))? {
        if body.len() + chunk.len() > len_max {
            return Err(FetchError::Other(format!("it has more than {} MiB", len_max >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { url, kind, body })
}
