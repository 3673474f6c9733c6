//! One edge, and how each push to it ended.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use railbird_core::publish::OUTBID_MS_MAX;
use railbird_core::sign;
use reqwest::Url;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Document, Limits, Status, random, said};
use crate::clock::{self, Theirs};
use crate::config::Secret;
use crate::telemetry::{EdgeMetrics, PushResult};
use crate::web;

/// An edge that is pushed to.
pub(super) struct Edge {
    pub(super) base: String,
    pub(super) host: String,
    pub(super) secret: Secret,
    pub(super) clock: Theirs,
    pub(super) client: reqwest::Client,
    pub(super) limits: Limits,
    pub(super) metrics: EdgeMetrics,
    /// What the last push of each document came to; `None` for well.
    pub(super) results: Mutex<BTreeMap<Document, Option<String>>>,
    pub(super) status: watch::Sender<Status>,
    /// The last chapter was tried more than once, and is not taken yet.
    pub(super) failing: AtomicBool,
    /// Chapters were left out for it.
    pub(super) missed: AtomicBool,
    /// The revision of a document that it kept when it was sent one that is no newer.
    pub(super) kept: Mutex<BTreeMap<Document, u64>>,
    /// When what the edge has of each document was published.
    pub(super) taken: watch::Sender<BTreeMap<Document, Instant>>,
}

impl Edge {
    /// One signed push. The error says how it counts, and why in a sentence.
    pub(super) async fn put(
        &self,
        document: &Document,
        body: Bytes,
    ) -> Result<PushResult, (PushResult, String)> {
        let failed = |text: String| (PushResult::Failed, text);
        let url = format!("{}{}", self.base, document.path());
        let url = Url::parse(&url).map_err(|error| failed(error.to_string()))?;
        let nonce = random().ok_or_else(|| failed("this machine gives no randomness".into()))?;
        let secret = self.secret.expose().as_bytes();
        let signed = self.clock.now();
        let signature = sign::sign(secret, "PUT", url.path(), &body, signed, nonce);
        let request = self
            .client
            .put(url)
            .header(sign::HEADER, &signature)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body);
        let mut response = request.send().await.map_err(|error| failed(web::words(&error)))?;
        let status = response.status().as_u16();
        let clock = said::clock(secret, &signature, response.headers());
        let said = said::answer(&mut response).await;
        match status {
            204 => Ok(PushResult::Taken),
            200 => match self.keeps(document, said.kept) {
                true => Ok(PushResult::Kept),
                false => Err((
                    PushResult::Refused,
                    "it claims to keep a revision that nobody made: is this the URL of a Railbird edge?"
                        .into(),
                )),
            },
            401 | 403 if let Some(words) = clock.and_then(|told| self.clock.learn(told, signed)) => {
                Err(failed(words))
            }
            401 | 403 => Err((
                PushResult::Refused,
                format!("it refuses our signature ({status}{said}): check that secrets.origin is the edge's"),
            )),
            404 | 405 => Err((
                PushResult::Refused,
                format!("it answers {status}{said}: is this the URL of a Railbird edge of our version?"),
            )),
            400..=499 => Err((PushResult::Refused, format!("it refuses {document} ({status}{said})"))),
            _ => Err(failed(format!("it answers {status}{said}"))),
        }
    }

    /// Notes the revision that the edge has instead of ours. False where no origin can have made it: one edge that answers
    /// nonsense must not lead us to revisions after which the others take nothing.
    fn keeps(&self, document: &Document, revision: Option<u64>) -> bool {
        if let (Document::State(_) | Document::Replays(_), Some(revision)) = (document, revision) {
            if revision > clock::steady().plus_ms(OUTBID_MS_MAX).0 {
                return false;
            }
            let mut kept = self.kept();
            let known = kept.entry(document.clone()).or_default();
            *known = revision.max(*known);
        }
        true
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, BTreeMap<Document, u64>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a push came to; logs each change once.
    pub(super) fn tell(&self, document: &Document, error: Option<String>) {
        let host = &self.host;
        let mut results = self.results();
        let before = results.insert(document.clone(), error.clone());
        match (&before, &error) {
            (None | Some(None), Some(error)) => warn!("edge {host} does not take {document}: {error}"),
            (Some(Some(old)), Some(new)) if old != new => {
                warn!("edge {host} does not take {document}: {new}");
            }
            (Some(Some(_)), None) => info!("edge {host} takes {document} again"),
            _ => {}
        }
        let error = results.values().flatten().next().cloned();
        self.metrics.up(error.is_none());
        let status = Status { up: error.is_none(), error };
        self.status.send_if_modified(|value| {
            let changed = *value != status;
            *value = status;
            changed
        });
    }

    fn results(&self) -> MutexGuard<'_, BTreeMap<Document, Option<String>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
