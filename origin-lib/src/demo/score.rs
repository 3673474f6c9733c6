//! Replays a real match through the score feed, over and over.

use std::time::Duration;

use railbird_core::id::ChannelId;
use railbird_core::score::{Action, Discipline, Event, PerSide, Player, Side, Start};
use reqwest::StatusCode;

use crate::clock;

/// How long the origin may take for an answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(15);

/// How long to wait before an event is sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the result stays before the match begins again, in steps.
const REST_STEPS: u32 = 5;

/// Runs by inning of Nelin and Cho, 2019: 40–40 in 11 innings. Published are 6–9 after five innings and the runs from
/// the sixth on; how the first five divide is made up.
const RUNS: [(u32, u32); 11] =
    [(1, 2), (0, 3), (2, 0), (3, 1), (0, 3), (16, 2), (3, 14), (3, 3), (7, 1), (0, 6), (5, 5)];

/// The shootout that followed.
const SHOOTOUT: (u32, u32) = (5, 2);

const TARGET: u32 = 40;

/// What to replay where.
#[derive(Clone)]
pub struct Replay {
    /// The origin's API, without a trailing slash: `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The channel whose score it is.
    pub channel: ChannelId,
    /// The channel's score key.
    pub key: String,
    /// Time between two events. Each point is one; at 2 s the match takes under four minutes.
    pub step: Duration,
}

/// The replay can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The client could not be made.
    #[error("no HTTP client: {0}")]
    Client(reqwest::Error),
    /// The origin refuses what will not get better.
    #[error("the origin refuses the score of {channel} with {status}: {body}")]
    Refused {
        /// The channel.
        channel: ChannelId,
        /// The answer's status.
        status: StatusCode,
        /// What it says.
        body: String,
    },
}

/// Replays the match as `nelin-cho-1`, then `nelin-cho-2`, and so on until `shutdown`. Match ids that the origin has
/// from an earlier run are passed over; when somebody takes one over, they have the channel to themselves from then on. While the origin does not answer, the same event is sent again; that is logged
/// once.
pub async fn replay(replay: Replay, shutdown: impl Future<Output = ()>) -> Result<(), ReplayError> {
    tokio::select! {
        () = shutdown => Ok(()),
        error = replay_on(replay) => Err(error),
    }
}

async fn replay_on(replay: Replay) -> ReplayError {
    let client = match reqwest::Client::builder().timeout(ANSWER_WAIT_MAX).no_proxy().build() {
        Ok(client) => client,
        Err(error) => return ReplayError::Client(error),
    };
    let mut sender = Sender { client, replay, silent: false };
    for number in 1_u64.. {
        if let Err(error) = sender.play(&format!("nelin-cho-{number}")).await {
            return error;
        }
    }
    // Nobody sees the end of the numbers.
    std::future::pending().await
}

/// The events of the match, from the first to the last.
fn actions() -> Vec<Action> {
    let player = |name: &str, country: &str| Player { name: name.into(), country: Some(country.into()) };
    let sides = [player("Nelin", "SE"), player("Cho", "KR")];
    let mut actions = vec![Action::Start(Start {
        target: Some(PerSide::Both(TARGET)),
        equalising_inning: Some(true),
        ..Start::new("Nelin – Cho, 2019".into(), Discipline::ThreeCushion, sides, Side::First)
    })];
    let mut totals = [0, 0];
    for (first, second) in RUNS {
        for (side, run) in [(Side::First, first), (Side::Second, second)] {
            actions.extend((0..run).map(|_| Action::Points { side, points: 1, code: None }));
            *side.of_mut(&mut totals) += run;
            // The target ends the inning by itself.
            if *side.of(&totals) < TARGET {
                actions.push(Action::EndInning { side });
            }
        }
    }
    actions.push(Action::Shootout { side: Side::First, points: SHOOTOUT.0 });
    actions.push(Action::Shootout { side: Side::Second, points: SHOOTOUT.1 });
    actions.push(Action::End { winner: Some(Side::First), code: None });
    actions
}

struct Sender {
    client: reqwest::Client,
    replay: Replay,
    /// The origin does not take events at the moment: said once.
    silent: bool,
}

enum Sent {
    Taken,
    /// The origin has another match of this name.
    Elsewhere,
}

impl Sender {
    async fn play(&mut self, name: &str) -> Result<(), ReplayError> {
        for (seq, action) in (1_u64..).zip(actions()) {
            let now = clock::now();
            let event = Event { occurred: now, entered: Some(now), scorer: None, action, state: None };
            if let Sent::Elsewhere = self.send(name, seq, &event).await? {
                if seq > 1 {
                    let channel = &self.replay.channel;
                    tracing::info!(%channel, "somebody else scores here now: the demo's match ends");
                    std::future::pending().await
                }
                return Ok(());
            }
            tokio::time::sleep(self.replay.step).await;
        }
        tokio::time::sleep(self.replay.step * REST_STEPS).await;
        Ok(())
    }

    async fn send(&mut self, name: &str, seq: u64, event: &Event) -> Result<Sent, ReplayError> {
        let Replay { base_url, channel, key, .. } = &self.replay;
        let url = format!("{base_url}/v1/channels/{channel}/matches/{name}/events/1/{seq}");
        loop {
            let problem = match self.client.put(&url).bearer_auth(key).json(event).send().await {
                Ok(answer) if answer.status().is_success() => {
                    if self.silent {
                        tracing::info!(%channel, "the origin takes the demo's score again");
                    }
                    self.silent = false;
                    return Ok(Sent::Taken);
                }
                Ok(answer) if answer.status() == StatusCode::CONFLICT => return Ok(Sent::Elsewhere),
                Ok(answer) if answer.status().is_client_error() => {
                    let (status, channel) = (answer.status(), channel.clone());
                    let body = answer.text().await.unwrap_or_default();
                    return Err(ReplayError::Refused { channel, status, body });
                }
                Ok(answer) => format!("status {}", answer.status()),
                Err(error) => error.without_url().to_string(),
            };
            if !self.silent {
                tracing::warn!(%channel, problem, "the origin does not take the demo's score: trying on");
            }
            self.silent = true;
            tokio::time::sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests;
