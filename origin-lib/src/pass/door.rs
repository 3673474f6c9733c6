//! An edge's admin API, with the secret of whoever may ask it.

use std::time::Duration;

use anyhow::{Context, bail};
use railbird_core::pass::{Page, Pass, PassId};
use railbird_core::sign;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::clock;
use crate::config::{Config, Secret};

/// How long an edge may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes: a page of a hundred passes is far below.
const ANSWER_LEN_MAX: usize = 4 << 20;

/// How many passes are asked for at once.
const PAGE: usize = 100;

const PATH: &str = "/admin/v1/passes";

/// One edge.
#[derive(Clone, Debug)]
pub struct Door {
    edge: String,
    admin: Secret,
    client: reqwest::Client,
}

/// What an edge did with what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// As it was told.
    Done,
    /// Nothing: what it has is newer.
    Kept,
    /// Nothing: it has no such pass.
    Unknown,
}

impl Door {
    /// The edge at this base URL, without a trailing slash.
    ///
    /// # Errors
    /// There is no TLS on this machine.
    pub fn new(edge: &str, admin: &Secret) -> anyhow::Result<Door> {
        let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
        Ok(Door { edge: edge.to_string(), admin: admin.clone(), client })
    }

    /// Every edge of a configuration.
    ///
    /// # Errors
    /// There is no admin secret.
    pub fn all(config: &Config) -> anyhow::Result<Vec<Door>> {
        let admin = config.secrets.admin.as_ref();
        let admin =
            admin.context("secrets.admin is missing in the configuration: edges know the operator by it")?;
        let embedded = config.embedded_edge.as_ref().map(|edge| format!("http://{}", edge.listen));
        config.edges.iter().cloned().chain(embedded).map(|edge| Door::new(&edge, admin)).collect()
    }

    /// Its base URL.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// Gives it a pass.
    ///
    /// # Errors
    /// It does not answer, or refuses; the text says why.
    pub async fn put(&self, pass: &Pass) -> anyhow::Result<Told> {
        let (status, body) = self.ask(Method::PUT, PATH, serde_json::to_vec(pass)?).await?;
        self.told(status, &body)
    }

    /// Takes a pass back.
    ///
    /// # Errors
    /// It does not answer, or refuses; the text says why.
    pub async fn revoke(&self, id: &PassId) -> anyhow::Result<Told> {
        let said = serde_json::to_vec(&serde_json::json!({ "id": id }))?;
        let (status, body) = self.ask(Method::POST, &format!("{PATH}/revoke"), said).await?;
        self.told(status, &body)
    }

    /// The passes behind `after`, in the order of their ids.
    ///
    /// # Errors
    /// It does not answer, or refuses; the text says why.
    pub async fn page(&self, after: Option<&PassId>, hashes: bool) -> anyhow::Result<Page> {
        let after = after.map(|id| format!("&after={}", id.as_str())).unwrap_or_default();
        self.read(&format!("{PATH}?max={PAGE}&hashes={}{after}", u8::from(hashes))).await
    }

    /// One pass; an empty page where there is none.
    ///
    /// # Errors
    /// It does not answer, or refuses; the text says why.
    pub async fn one(&self, id: &PassId) -> anyhow::Result<Page> {
        self.read(&format!("{PATH}?id={}", id.as_str())).await
    }

    async fn read(&self, target: &str) -> anyhow::Result<Page> {
        let (status, body) = self.ask(Method::GET, target, Vec::new()).await?;
        match status {
            StatusCode::OK => parse(&body).with_context(|| format!("the edge {} answers oddly", self.edge)),
            StatusCode::NOT_FOUND => Ok(Page { passes: Vec::new(), next: None }),
            _ => bail!("the edge {} refused: {}", self.edge, why(status, &body)),
        }
    }

    fn told(&self, status: StatusCode, body: &[u8]) -> anyhow::Result<Told> {
        match status {
            StatusCode::NO_CONTENT => Ok(Told::Done),
            StatusCode::OK => Ok(Told::Kept),
            StatusCode::NOT_FOUND => Ok(Told::Unknown),
            _ => bail!("the edge {} refused: {}", self.edge, why(status, body)),
        }
    }

    /// Asks; `target` is a path with its query, all of which is signed.
    async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).context("no randomness")?;
        let admin = self.admin.expose().as_bytes();
        let signature = sign::sign(admin, method.as_str(), target, &body, clock::now(), nonce);
        let request = self
            .client
            .request(method, format!("{}{target}", self.edge))
            .header(sign::HEADER, signature)
            .header("content-type", "application/json")
            .body(body);
        let silent = || format!("the edge {} does not answer", self.edge);
        let mut answer = request.send().await.with_context(silent)?;
        let status = answer.status();
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(silent)? {
            anyhow::ensure!(
                read.len() + chunk.len() <= ANSWER_LEN_MAX,
                "the edge {} answers without end",
                self.edge
            );
            read.extend_from_slice(&chunk);
        }
        Ok((status, read))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

/// An edge's own words where there are some.
fn why(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        message: String,
    }
    match parse::<Problem>(body) {
        Ok(problem) => {
            let words = problem.error.message.chars().filter(|c| !c.is_control()).take(500);
            format!("{} ({status})", words.collect::<String>())
        }
        Err(_) => status.to_string(),
    }
}
