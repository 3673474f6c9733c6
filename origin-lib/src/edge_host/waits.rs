//! Places for requests that may wait: for what a playlist does not have yet (RFC 8216bis, 6.2.5.2), or for news of the score.
//!
//! Each who waits holds an instance. So a session has a few places only, and all of them together leave instances for other
//! requests. Who gets none is answered at once, with the newest there is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, header};
use railbird_core::session;

use super::metrics::{EdgeMetrics, InFlight, NoPlace};

/// One in so many instances may be held by those who wait for a playlist…
const ONE_IN: usize = 2;
/// …and one in so many by those who wait for the score: others are answered meanwhile.
const FOLLOWS_ONE_IN: usize = 4;

/// How often it is said that all places are taken.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The places.
pub(super) struct Waits {
    places_max: usize,
    own_max: usize,
    what: &'static str,
    held: Mutex<Held>,
    metrics: EdgeMetrics,
}

#[derive(Default)]
struct Held {
    by_token: BTreeMap<String, usize>,
    said: Option<Instant>,
}

/// A place, until it is dropped.
pub(super) struct Place<'a> {
    waits: &'a Waits,
    token: String,
    _counted: InFlight,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut held = self.waits.held();
        match held.by_token.get_mut(&self.token) {
            Some(own) if *own > 1 => *own -= 1,
            _ => _ = held.by_token.remove(&self.token),
        }
    }
}

impl Waits {
    /// Those for a playlist, with so many instances.
    pub(super) fn new(instances_max: usize, metrics: EdgeMetrics) -> Waits {
        let (places_max, own_max) = (instances_max / ONE_IN, session::WAITS_MAX);
        Waits { places_max, own_max, what: "a playlist", held: Mutex::default(), metrics }
    }

    /// Those for news of the score.
    pub(super) fn follows(instances_max: usize, metrics: EdgeMetrics) -> Waits {
        let (places_max, own_max) = (instances_max / FOLLOWS_ONE_IN, session::FOLLOWS_MAX);
        Waits { places_max, own_max, what: "the score", held: Mutex::default(), metrics }
    }

    /// A place for a request. One without a token needs none: it is refused.
    pub(super) fn take(&self, path: &str, headers: &HeaderMap, now: Instant) -> Option<Place<'_>> {
        let cookies: Vec<_> = headers
            .get_all(header::COOKIE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let token = session::token(path, cookies.iter().map(|cookies| &**cookies))?.to_owned();
        let mut held = self.held();
        if held.by_token.get(&token).is_some_and(|own| *own >= self.own_max) {
            self.metrics.no_place(NoPlace::Session);
            return None;
        }
        if held.by_token.values().sum::<usize>() >= self.places_max {
            self.metrics.no_place(NoPlace::All);
            if held.said.is_none_or(|said| now.duration_since(said) >= SAID_EVERY) {
                held.said = Some(now);
                tracing::warn!(
                    places = self.places_max,
                    sessions = held.by_token.len(),
                    "all places for requests that wait for {} are taken: more are answered at once",
                    self.what
                );
            }
            return None;
        }
        *held.by_token.entry(token.clone()).or_default() += 1;
        Some(Place { waits: self, token, _counted: self.metrics.waiting() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(token: &str) -> HeaderMap {
        let value = format!("a=b; {}={token}", session::COOKIE).parse().unwrap();
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn a_session_has_a_few_places_and_leaves_the_others_to_others() {
        let metrics = EdgeMetrics::default();
        let waits = Waits::new(20, metrics.clone());
        let now = Instant::now();
        let take = |token: &str| waits.take("/live/t/a/s.m3u8", &cookie(token), now);
        let own: Vec<_> = (0..1_200).filter_map(|_| take("one")).collect();
        assert_eq!((own.len(), metrics.without_place(NoPlace::Session)), (session::WAITS_MAX, 1_196));
        // The same session by its path.
        assert!(waits.take("/t/one/live/t/a/s.m3u8", &HeaderMap::new(), now).is_none());
        let others: Vec<_> =
            ["two", "three"].into_iter().flat_map(|token| (0..3).map(move |_| token)).collect();
        let others: Vec<_> = others.into_iter().map(|token| take(token).expect("there is room")).collect();
        assert!(take("four").is_none());
        assert_eq!(metrics.without_place(NoPlace::All), 1);
        drop(others);
        assert!(take("four").is_some());
        assert!(take("one").is_none());
        drop(own);
        assert!(take("one").is_some());
        assert!(waits.held().by_token.is_empty(), "nothing is left of them");
        assert!(
            waits.take("/live/t/a/s.m3u8", &HeaderMap::new(), now).is_none(),
            "a stranger waits for nothing"
        );
    }

    #[test]
    fn who_follows_the_score_leaves_more_to_others() {
        let metrics = EdgeMetrics::default();
        let follows = Waits::follows(20, metrics.clone());
        let take = |token: &str| follows.take("/live/t/score.events", &cookie(token), Instant::now());
        let tokens = (0..4).map(|n| n.to_string());
        let held: Vec<_> =
            tokens.flat_map(|token| (0..3).filter_map(|_| take(&token)).collect::<Vec<_>>()).collect();
        assert_eq!((held.len(), metrics.without_place(NoPlace::Session)), (5, 2));
    }
}
