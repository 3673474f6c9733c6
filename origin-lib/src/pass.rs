//! Passes, as the operator's command line sees them: made here, kept at the edges.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, bail};
use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use railbird_core::id::ChannelId;
use railbird_core::sign;
use serde::Serialize;

use crate::clock;
use crate::config::{Config, Secret};

/// How long an edge may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest password.
const PASSWORD_LEN_MAX: usize = 1024;

const PATH: &str = "/admin/v1/passes";

/// What the edge keeps: `PUT /admin/v1/passes`.
#[derive(Debug, Serialize)]
pub struct Pass {
    /// E-mail address of the pass holder.
    pub email: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// The channels that it covers; `*` for all.
    pub channels: Vec<String>,
    /// Unix time in milliseconds.
    pub valid_from: u64,
    /// Unix time in milliseconds.
    pub valid_until: u64,
}

impl Pass {
    /// A pass that is valid for `days` from now. Hashes the password: argon2id, 19 MiB, 2 passes, 1 lane.
    pub fn new(email: &str, password: &str, channels: &[String], days: u32) -> anyhow::Result<Pass> {
        anyhow::ensure!(email.contains('@'), "{email:?} is not an e-mail address");
        anyhow::ensure!(!password.is_empty(), "the password is empty");
        anyhow::ensure!(
            password.len() <= PASSWORD_LEN_MAX,
            "the password is longer than {PASSWORD_LEN_MAX} bytes"
        );
        for channel in channels.iter().filter(|channel| *channel != "*") {
            channel.parse::<ChannelId>()?;
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).context("no randomness")?;
        let params = Params::new(19 * 1024, 2, 1, None).context("argon2id parameters")?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt).context("argon2id")?;
        let now = clock::now();
        Ok(Pass {
            email: email.trim().to_lowercase(),
            password_hash: hash.to_string(),
            channels: if channels.is_empty() { vec!["*".to_string()] } else { channels.to_vec() },
            valid_from: now.0,
            valid_until: now.plus_ms(u64::from(days) * 86_400_000).0,
        })
    }
}

/// Gives a pass to one edge.
pub async fn put(edge: &str, admin: &Secret, pass: &Pass) -> anyhow::Result<()> {
    let body = serde_json::to_vec(pass)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).context("no randomness")?;
    let signature = sign::sign(admin.expose().as_bytes(), "PUT", PATH, &body, clock::now(), nonce);
    let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
    let request = client
        .put(format!("{edge}{PATH}"))
        .header(sign::HEADER, signature)
        .header("content-type", "application/json")
        .body(body);
    let answer = request.send().await.with_context(|| format!("the edge {edge} does not answer"))?;
    let status = answer.status();
    if !status.is_success() {
        let text: String = answer.text().await.unwrap_or_default().chars().take(500).collect();
        bail!("the edge {edge} refused the pass: {status} {text}");
    }
    Ok(())
}

/// `railbird pass issue`.
pub async fn issue(config: &Config, email: &str, channels: &[String], days: u32) -> anyhow::Result<()> {
    let admin = config.secrets.admin.as_ref().context("secrets.admin is missing in the configuration")?;
    let embedded = config.embedded_edge.as_ref().map(|edge| format!("http://{}", edge.listen));
    let edges: Vec<String> = config.edges.iter().cloned().chain(embedded).collect();
    let pass = Pass::new(email, &password()?, channels, days)?;
    for edge in &edges {
        put(edge, admin, &pass).await?;
        println!("{edge}: pass for {} is valid for {days} days", pass.email);
    }
    Ok(())
}

fn password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var("RAILBIRD_PASSWORD") {
        return Ok(password);
    }
    eprintln!("password for the pass (end with Enter):");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::stdin().lock().take(PASSWORD_LEN_MAX as u64 + 2), &mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}
