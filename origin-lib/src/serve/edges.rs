//! Keeps in the evidence when an edge takes what is pushed to it, and since when it does not.

use tokio::sync::watch;

use crate::clock;
use crate::edge_push::Status;
use crate::evidence::{Entry, Evidence, Subject, What};

/// Watches an edge, by its host, until nothing is pushed any more.
pub(super) async fn watch(host: String, mut status: watch::Receiver<Status>, evidence: Evidence) {
    let mut known = None;
    while status.changed().await.is_ok() {
        if let Some(what) = news(&mut known, &status.borrow_and_update()) {
            let subject = Subject::Edge(host.clone());
            evidence.record(Entry { at: clock::now(), subject, what, object: None, len: 0, trace: None });
        }
    }
}

/// What is new about an edge of which it was known whether it is up.
fn news(known: &mut Option<bool>, status: &Status) -> Option<What> {
    if known.replace(status.up) == Some(status.up) {
        return None;
    }
    Some(status.error.clone().map_or(What::Up, |reason| What::Down { reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_an_edge_is_kept_once_with_its_first_reason() {
        let status = |error: Option<&str>| Status { up: error.is_none(), error: error.map(String::from) };
        let mut known = None;
        let kept: Vec<_> = [None, None, Some("it is gone"), Some("it answers 500"), None, Some("it is gone")]
            .into_iter()
            .map(|error| news(&mut known, &status(error)))
            .collect();
        let down = || Some(What::Down { reason: "it is gone".into() });
        assert_eq!(kept, [Some(What::Up), None, down(), None, Some(What::Up), down()]);
    }
}
