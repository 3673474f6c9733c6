//! Clocks of origins that differ from the edge's own.
//!
//! An origin that refuses a question for its time says what its clock reads, signed for that very question
//! ([`sign::tell_clock`]). From then on it is asked by that clock, and its answers are checked by it; `/healthz` names it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::sign;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::edge::Call;
use crate::http::Response;
use crate::port::{Cell, Store};
use crate::{cells, change};

/// How long it is remembered, in milliseconds: it is told again then, if it is still so.
const KEPT_MS: u64 = 3_600_000;

/// How far an origin's clock is ahead of ours, in milliseconds; below 0 it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ahead {
    ms: i64,
}

impl Ahead {
    /// What is known of the origin at this address.
    pub(super) async fn of<S: Store>(call: &Call<'_, S>, base: &str) -> Ahead {
        let kept = call.store.get(&cell(base)).await.ok().flatten();
        change::read(kept.as_deref()).unwrap_or_default()
    }

    /// What its clock reads.
    pub(super) fn now<S>(self, call: &Call<'_, S>) -> UtcMs {
        UtcMs(call.moment.now.0.saturating_add_signed(self.ms))
    }

    /// What an answer tells to a question with this signature.
    pub(super) fn told<S>(call: &Call<'_, S>, signature: &str, answer: &[(String, String)]) -> Option<Ahead> {
        let (_, told) = answer.iter().find(|(name, _)| name == sign::CLOCK_HEADER)?;
        let theirs = sign::clock_told(call.settings.origin.bytes(), signature, told)?;
        Some(Ahead { ms: theirs.0.checked_signed_diff(call.moment.now.0)? })
    }

    /// Remembers it. Not kept, it is told again.
    pub(super) async fn keep<S: Store>(self, call: &Call<'_, S>, base: &str) {
        let expires = call.moment.now.plus_ms(KEPT_MS);
        let _ = call.store.put(&cell(base), change::json(&self), Some(expires)).await;
    }
}

fn cell(base: &str) -> Cell {
    cells::turn_cell("clock", base)
}

/// A sentence for each origin whose clock is so far off that its pushes, and its answers, would be refused by ours. Whoever
/// reads it may be a stranger, who is not told where origins are.
pub(crate) async fn warnings<S: Store>(call: &Call<'_, S>) -> Vec<String> {
    let urls = &call.settings.origin_urls;
    let known = future::join_all(urls.iter().map(|base| Ahead::of(call, base))).await;
    let off = |(n, Ahead { ms }): (usize, Ahead)| {
        let way = if ms < 0 { "behind" } else { "ahead of" };
        let seconds = ms.unsigned_abs() / 1000;
        (ms.unsigned_abs() > sign::SKEW_MS_MAX).then(|| {
            let n = n + 1;
            format!("the clock of number {n} in origin_urls is {seconds} s {way} this edge's: set the one that is wrong")
        })
    };
    known.into_iter().enumerate().filter_map(off).collect()
}

/// `GET /healthz`.
pub(crate) async fn health<S: Store>(call: &Call<'_, S>) -> Response {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    }
    let health = Health { status: "ok", warnings: warnings(call).await };
    crate::errors::json(200, &health).with("cache-control", "no-store")
}
