//! Reads the newest object back through the node: what was written and can't be read is of no use to a viewer.

use std::time::Duration;

use http::header::RANGE;
use railbird_core::id::NodeId;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::Limits;
use crate::config::Node;
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
}

impl Judge {
    /// Takes one more answer; whether the node is up.
    fn up_after(&mut self, success: bool) -> bool {
        if !self.judged {
            // The first answer decides at once: there is nothing to be steady about.
            *self = Judge { up: success, judged: true, in_row: 0 };
        } else if success == self.up {
            self.in_row = 0;
        } else {
            self.in_row += 1;
            let enough = if self.up { FAILURES_TO_DOWN } else { SUCCESSES_TO_UP };
            if self.in_row >= enough {
                *self = Judge { up: success, judged: true, in_row: 0 };
            }
        }
        self.up
    }
}

/// Checks the node every [`Limits::check_every`] as soon as there is something to read, until `newest` has no sender.
pub(super) async fn check(
    node: Node,
    mut newest: watch::Receiver<Option<String>>,
    up: watch::Sender<bool>,
    client: reqwest::Client,
    metrics: TargetMetrics,
    limits: Limits,
) {
    if newest.wait_for(Option::is_some).await.is_err() {
        return;
    }
    let mut judge = Judge::default();
    let mut ticks = interval(limits.check_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if newest.has_changed().is_err() {
            return;
        }
        let Some(name) = newest.borrow().clone() else { continue };
        let answer = read(&client, &format!("{}/{name}", node.url), limits.check_deadline).await;
        let first = !judge.judged;
        let is_up = judge.up_after(answer.is_ok());
        metrics.node_up(is_up);
        if up.send_replace(is_up) != is_up || first {
            tell(&node.id, is_up, &name, answer.err());
        }
    }
}

fn tell(node: &NodeId, up: bool, name: &str, error: Option<String>) {
    match (up, error) {
        (true, _) => info!("node {node} is up: what was written can be read"),
        (false, error) => {
            let error = error.unwrap_or_default();
            warn!("node {node} is down: {name} can't be read through it: {error}");
        }
    }
}

/// Asks for the first byte; a node that ignores the range is not made to send the rest.
async fn read(client: &reqwest::Client, url: &str, deadline: Duration) -> Result<(), String> {
    let request = client.get(url).header(RANGE, "bytes=0-0").send();
    let response = match timeout(deadline, request).await {
        Err(_) => return Err(format!("no answer within {} ms", deadline.as_millis())),
        // The error's text would repeat the URL.
        Ok(Err(error)) => return Err(crate::web::words(&error)),
        Ok(Ok(response)) => response,
    };
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
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
