//! Reads objects back through the node: what was written and can't be read is of no use to a viewer.

use std::collections::VecDeque;
use std::time::Duration;

use http::header::RANGE;
use railbird_core::hash::Hash;
use railbird_core::state::NodeProbe;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::{Limits, ObjectRef, SLOW, Written};
use crate::clock;
use crate::config::Node;
use crate::evidence::{Entry, Evidence, Subject, What};
use crate::other::{self, Other, Whose, whose};
use crate::redact::Redact;
use crate::store::Trace;
use crate::telemetry::TargetMetrics;

/// After so many failures in a row, a node that was up is down.
const FAILURES_TO_DOWN: u32 = 2;

/// After so many successes in a row, a node that was down is up.
const SUCCESSES_TO_UP: u32 = 2;

/// Judges a node by its last answers.
#[derive(Debug, Default)]
struct Judge {
    up: bool,
    judged: bool,
    in_row: u32,
    /// Good answers since one was kept.
    good: u32,
}

/// Of how many good answers in a row one goes into the evidence.
const GOOD_ONE_IN: u32 = 10;

impl Judge {
    /// Whether this good answer goes into the evidence.
    fn good_is_news(&mut self) -> bool {
        self.good = (self.good + 1) % GOOD_ONE_IN;
        self.good == 1
    }

    /// Takes one more answer; whether the node is up.
    fn up_after(&mut self, success: bool) -> bool {
        if !self.judged {
            // The first answer decides at once: there is nothing to be steady about.
            *self = Judge { up: success, judged: true, ..Judge::default() };
        } else if success == self.up {
            self.in_row = 0;
        } else {
            self.in_row += 1;
            let enough = if self.up { FAILURES_TO_DOWN } else { SUCCESSES_TO_UP };
            if self.in_row >= enough {
                *self = Judge { up: success, judged: true, ..Judge::default() };
            }
        }
        self.up
    }
}

/// How many of the last answers the median time to the first byte is taken of.
const TTFBS_KEPT: usize = 15;

/// Of how many objects one is read whole and compared with what was written.
const WHOLE_ONE_IN: u32 = 8;

/// How long reading a whole object may take.
const WHOLE_DEADLINE: Duration = Duration::from_secs(10);

/// Reads back what a target acknowledged.
pub(super) struct Reader {
    pub(super) node: Node,
    pub(super) client: reqwest::Client,
    /// Another origin writes the same objects.
    pub(super) other: Option<Other>,
    pub(super) metrics: TargetMetrics,
    pub(super) evidence: Option<Evidence>,
    pub(super) limits: Limits,
}

/// What one read-back came to.
struct Back {
    result: Result<(), Wrong>,
    trace: Trace,
    len: u64,
}

/// Why what was written can't be had.
struct Wrong {
    class: &'static str,
    text: String,
}

impl Reader {
    /// Reads the newest object when it changes, and every [`Limits::check_every`], until `newest` has no sender: its first
    /// byte, and of one in [`WHOLE_ONE_IN`] every byte. One that had wrong bytes is read whole until it is right.
    pub(super) async fn run(
        self,
        mut newest: watch::Receiver<Option<Written>>,
        up: watch::Sender<bool>,
        probe: watch::Sender<Option<NodeProbe>>,
    ) {
        if newest.wait_for(Option::is_some).await.is_err() {
            return;
        }
        let (mut judge, mut ttfbs, mut suspect) = (Judge::default(), VecDeque::new(), None::<Written>);
        let (mut seen, mut fresh, mut whole_in) = (None::<Written>, false, 0_u32);
        let mut ticks = interval(self.limits.check_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = newest.changed() => if changed.is_err() { return },
            }
            if newest.has_changed().is_err() {
                return;
            }
            let Some(written) = newest.borrow_and_update().clone() else { continue };
            let new = seen.as_ref().is_none_or(|seen| seen.object.name != written.object.name);
            // The very first one is among them: a node that spoils everything is found at once.
            let whole = suspect.is_some() || (new && whole_in == 0);
            if new {
                whole_in = whole_in.checked_sub(1).unwrap_or(WHOLE_ONE_IN - 1);
                (seen, fresh) = (Some(written.clone()), false);
            }
            let wanted = suspect.clone().unwrap_or_else(|| written.clone());
            let back = self.read(&wanted.object, whole).await;
            if whole {
                suspect = back
                    .result
                    .as_ref()
                    .is_err_and(|wrong| wrong.class == WRONG_BYTES)
                    .then(|| wanted.clone());
            }
            if let (Ok(()), Some(ttfb)) = (&back.result, back.trace.first_byte) {
                if ttfbs.len() >= TTFBS_KEPT {
                    ttfbs.pop_front();
                }
                ttfbs.push_back(millis(ttfb));
            }
            // How old the newest object was when it could be read first; as long as it can't, how old it is.
            let readable = back.result.is_ok() && suspect.is_none();
            let staleness_ms = millis(written.at.elapsed());
            if let Some(ttfb_ms) = median(&ttfbs)
                && !fresh
            {
                probe.send_replace(Some(NodeProbe { ttfb_ms, staleness_ms }));
            }
            fresh = readable;
            self.judge(&mut judge, back, &wanted.object, &up);
        }
    }

    fn judge(&self, judge: &mut Judge, back: Back, object: &ObjectRef, up: &watch::Sender<bool>) {
        let first = !judge.judged;
        let is_up = judge.up_after(back.result.is_ok());
        self.metrics.node_up(is_up);
        let error = back.result.err();
        let what = match &error {
            None if back.trace.total >= SLOW => Some(What::Slow),
            // Good news is kept now and then: it is asked for every second.
            None if !judge.good_is_news() => None,
            None => Some(What::Done),
            Some(Wrong { class, text }) => Some(What::Failed { class: (*class).into(), text: text.clone() }),
        };
        self.record(what, Some(object), back.len, Some(back.trace));
        if up.send_replace(is_up) == is_up && !first {
            return;
        }
        let id = &self.node.id;
        if is_up {
            info!("node {id} is up: what was written can be read");
            self.record(Some(What::Up), None, 0, None);
        } else {
            let text = error.map(|wrong| wrong.text).unwrap_or_default();
            let reason = format!("{} can't be read through it: {text}", object.name);
            warn!("node {id} is down: {reason}");
            self.record(Some(What::Down { reason }), None, 0, None);
        }
    }

    fn record(&self, what: Option<What>, object: Option<&ObjectRef>, len: u64, trace: Option<Trace>) {
        if let (Some(evidence), Some(what)) = (&self.evidence, what) {
            let (subject, object) =
                (Subject::Node(self.node.id.clone()), object.map(|object| object.name.clone()));
            evidence.record(Entry { at: clock::now(), subject, what, object, len, trace });
        }
    }

    async fn read(&self, object: &ObjectRef, whole: bool) -> Back {
        let began = Instant::now();
        let (mut trace, mut len) = (Trace::default(), 0);
        let result = self.fetch(object, whole, began, &mut trace, &mut len).await;
        trace.total = began.elapsed();
        Back { result, trace, len }
    }

    /// Asks for the first byte, or for all. A node that ignores the range is not made to send the rest.
    async fn fetch(
        &self,
        object: &ObjectRef,
        whole: bool,
        began: Instant,
        trace: &mut Trace,
        len: &mut u64,
    ) -> Result<(), Wrong> {
        let deadline = self.limits.check_deadline;
        let silent =
            || Wrong { class: "unreachable", text: format!("no answer within {} ms", deadline.as_millis()) };
        // The error's text would repeat the URL.
        let broken = |error: reqwest::Error| Wrong { class: "unreachable", text: crate::web::words(&error) };
        let request = self.client.get(format!("{}/{}", self.node.url, object.name));
        let request = if whole { request } else { request.header(RANGE, "bytes=0-0") };
        let mut response = timeout(deadline, request.send()).await.map_err(|_| silent())?.map_err(broken)?;
        trace.first_byte = Some(began.elapsed());
        trace.peer = response.remote_addr();
        trace.request_id = crate::store::request_id(response.headers(), &Redact::default());
        let status = response.status();
        trace.status = Some(status.as_u16());
        if !status.is_success() {
            return Err(Wrong { class: "retry", text: format!("it answers {status}") });
        }
        if !whole {
            return Ok(());
        }
        // What the other origin wrote may be longer.
        let other = self.other.as_ref();
        let len_max = if other.is_some() { (other::LEN_MAX as u64).max(object.len) } else { object.len };
        let (mut hash, mut kept) = (Sha256::new(), Vec::new());
        let body = async {
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                *len += chunk.len() as u64;
                hash.update(&chunk);
                if other.is_some() {
                    kept.extend_from_slice(&chunk);
                }
                if *len > len_max {
                    break;
                }
            }
            Ok(())
        };
        timeout(WHOLE_DEADLINE, body).await.map_err(|_| Wrong {
            class: "unreachable",
            text: format!("the object did not come within {} s", WHOLE_DEADLINE.as_secs()),
        })??;
        if Hash(hash.finalize().into()) == object.sha256 {
            return Ok(());
        }
        if let Some(other) = other.cloned() {
            let of = object.clone();
            let ours = {
                let path = of.path.clone();
                move || Some(std::fs::read(path).ok()?.into())
            };
            let judge = move || whose(of.made(), Some(&other), ours, &kept);
            // At the runtime's end it may not begin.
            if tokio::task::spawn_blocking(judge)
                .await
                .is_ok_and(|whose| matches!(whose, Whose::Others { .. }))
            {
                return Ok(());
            }
        }
        let text = format!("it gives other bytes than were written ({} of {} bytes)", *len, object.len);
        Err(Wrong { class: WRONG_BYTES, text })
    }
}

const WRONG_BYTES: &str = "wrong-bytes";

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn median(values: &VecDeque<u32>) -> Option<u32> {
    let mut sorted: Vec<u32> = values.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_goes_down_and_up_after_two_of_a_kind() {
        for (answers, states) in [
            ("+", "+"),
            ("-", "-"),
            ("+-+-+", "+++++"),
            ("+--", "++-"),
            ("+---+-++", "++-----+"),
            ("-++", "--+"),
            ("-+-+", "----"),
        ] {
            let mut judge = Judge::default();
            let seen: String =
                answers.chars().map(|answer| if judge.up_after(answer == '+') { '+' } else { '-' }).collect();
            assert_eq!(seen, states, "{answers}");
        }
    }
}
