//! The crew's command line against a running origin: `railbird target …`, `railbird channel end`, `railbird reload`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use railbird_core::sign;
use serde_json::Value;

use crate::api::crew::{self, Add};
use crate::clock;
use crate::config::Config;

/// How long the origin may take to answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the crew asks of a running origin.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Which targets are there?
    Targets,
    /// Add this target.
    Add(NewTarget),
    /// Give a target nothing new.
    Drain(String),
    /// Remove a target.
    Remove(String),
    /// End a channel.
    End(String),
    /// Read the configuration again.
    Reload,
}

/// A target to add.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// The inside of a `[[target]]`, as TOML.
    pub text: String,
    /// With everything that is still on the disk.
    pub backfill: bool,
}

/// Asks the origin of this configuration and prints what it says.
pub async fn ask(config: &Config, ask: Ask) -> anyhow::Result<()> {
    let (method, path, body) = match &ask {
        Ask::Targets => ("GET", "/v1/targets".to_string(), Vec::new()),
        Ask::Add(NewTarget { text, backfill }) => {
            let add = Add { target: text.clone(), backfill: *backfill };
            ("POST", "/v1/targets".to_string(), serde_json::to_vec(&add)?)
        }
        Ask::Drain(id) => ("POST", format!("/v1/targets/{id}/drain"), Vec::new()),
        Ask::Remove(id) => ("DELETE", format!("/v1/targets/{id}"), Vec::new()),
        Ask::End(channel) => ("POST", format!("/v1/channels/{channel}/end"), Vec::new()),
        Ask::Reload => ("POST", "/v1/reload".to_string(), Vec::new()),
    };
    let answer = send(config, method, &path, body).await?;
    match ask {
        Ask::Targets => print_targets(&answer),
        Ask::Add(_) => println!("added: `railbird target list` shows how it is doing"),
        Ask::Drain(id) => {
            println!("{id} gets nothing new; once viewers have left, `railbird target remove {id}`")
        }
        Ask::Remove(id) => println!("{id} is removed"),
        Ask::End(channel) => {
            let recording = answer["recording"].as_str().unwrap_or_default();
            println!("{channel} has ended; its replay is {recording}");
        }
        Ask::Reload => {
            let done: Vec<&str> =
                answer["done"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            println!("{}", if done.is_empty() { "nothing has changed".to_string() } else { done.join("\n") });
        }
    }
    Ok(())
}

/// Sends a signed request to the running origin of this configuration, and gives its answer.
pub(crate) async fn send(config: &Config, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
    let secret = crew::secret(config).expose().as_bytes();
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).context("no randomness")?;
    let signature = sign::sign(secret, method, path, &body, clock::now(), nonce);
    let address = reachable(config.api);
    let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
    let request = client
        .request(method.parse()?, format!("http://{address}{path}"))
        .header(sign::HEADER, signature)
        .header("content-type", "application/json")
        .body(body);
    let answer = request.send().await;
    let answer = answer.with_context(|| format!("the origin at {address} (api.listen) does not answer"))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    if !status.is_success() {
        let message = json.pointer("/error/message").and_then(Value::as_str).unwrap_or("it does not say why");
        bail!("{message} ({status})");
    }
    Ok(json)
}

/// Where a listener on all addresses is reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn print_targets(answer: &Value) {
    println!("{:<16} {:<9} {:>6} {:>8}  {:<16} place", "target", "standing", "weight", "waiting", "node");
    for target in answer["targets"].as_array().into_iter().flatten() {
        let text = |key: &str| target[key].as_str().unwrap_or_default().to_string();
        let number = |key: &str| target[key].as_u64().unwrap_or_default();
        let node = format!("{} {}", text("node"), if target["node_up"] == true { "up" } else { "down" });
        println!(
            "{:<16} {:<9} {:>6} {:>8}  {:<16} {}",
            text("id"),
            text("standing"),
            number("weight"),
            number("waiting"),
            node,
            text("place")
        );
        if let Some(error) = target["error"].as_str() {
            println!("                 {error}");
        }
        if number("refused") > 0 {
            println!("                 it has refused {} of those that wait", number("refused"));
        }
    }
}
