//! What an edge says in its answer to a push.

use std::fmt;

use http::HeaderMap;
use railbird_core::sign;
use railbird_core::time::UtcMs;

/// The most bytes of an edge's answer that are read.
const ANSWER_LEN_MAX: usize = 1024;

/// The most characters of an edge's own words that are repeated in an error.
const WORDS_LEN_MAX: usize = 200;

/// What the edge says of an error, cut: `: message`, or nothing.
pub(super) async fn answer(response: &mut reqwest::Response) -> Said {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LEN_MAX {
            return Said::default();
        }
    }
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = json.pointer("/error/message").and_then(serde_json::Value::as_str).unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect();
    let words = if message.is_empty() { message } else { format!(": {message}") };
    Said { words, kept: json.get("kept").and_then(serde_json::Value::as_u64) }
}

/// What the edge's clock reads, where it refused the request of this signature for its time. Believed only with a signature of
/// its own: what is signed for another time than now could be kept and sent then.
pub(super) fn clock(secret: &[u8], signature: &str, headers: &HeaderMap) -> Option<UtcMs> {
    sign::clock_told(secret, signature, headers.get(sign::CLOCK_HEADER)?.to_str().ok()?)
}

/// What an edge says in its answer.
#[derive(Default)]
pub(super) struct Said {
    /// What went wrong, behind a colon.
    words: String,
    /// The revision that it has.
    pub(super) kept: Option<u64>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
