//! A system that is asked for its state, again and again.

use std::time::Duration;

use railbird_core::id::ChannelId;
use railbird_core::score::foreign::LEN_MAX;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{Client, StatusCode};

use super::Systems;
use crate::{clock, web};

/// How long an answer may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// The longest wait between two tries where there is no good answer.
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// Where to ask, and what was heard last.
pub struct Pull {
    client: Client,
    systems: Systems,
    channel: ChannelId,
    url: String,
    /// Of the last state that was taken: nothing else may be left out.
    etag: Option<HeaderValue>,
}

impl Pull {
    /// Asks `url` for the state of the channel's match.
    pub fn new(systems: Systems, channel: ChannelId, url: String) -> Result<Pull, web::ClientError> {
        Ok(Pull { client: web::client()?, systems, channel, url, etag: None })
    }

    /// Asks on, every so often; what goes wrong is logged once, and asked for less and less often.
    pub async fn run(mut self, every: Duration) {
        let (mut wait, mut said) = (every, String::new());
        loop {
            match self.ask().await {
                Ok(_) => {
                    if !said.is_empty() {
                        tracing::info!(channel = %self.channel, "the scoring system's state is taken again");
                        said.clear();
                    }
                    wait = every;
                }
                Err(problem) => {
                    wait = (wait * 2).min(AGAIN_MAX);
                    if said != problem {
                        tracing::warn!(channel = %self.channel, problem, "the scoring system's state is not taken");
                        said = problem;
                    }
                }
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks once. Gives how many events it was, or what is wrong, without the address: it may hold a secret.
    pub async fn ask(&mut self) -> Result<usize, String> {
        let mut request = self.client.get(&self.url).timeout(ANSWER_WAIT_MAX);
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut answer = request.send().await.map_err(|error| web::words(&error))?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(0),
            StatusCode::OK => {}
            status => return Err(format!("status {status}")),
        }
        let etag = answer.headers().get(ETAG).cloned();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| web::words(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LEN_MAX {
                return Err(format!("a state has at most {LEN_MAX} bytes"));
            }
        }
        let taken = self.systems.take(&self.channel, &body, clock::now()).await;
        let taken = taken.map_err(|error| error.to_string())?;
        self.etag = etag;
        Ok(taken.events)
    }
}
