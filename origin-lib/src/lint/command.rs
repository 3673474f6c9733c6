//! `railbird lint` on the command line.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Settings, Unable};

/// What to look at.
#[derive(Args, Debug)]
pub struct Options {
    /// A multivariant playlist or a media playlist, over http or https.
    #[arg(value_name = "URL")]
    pub url: Url,
    /// How long to follow what is live, in seconds; at most an hour.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub duration: u64,
    /// What to say to the playlist's own host, as `name: value`; may be repeated.
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Leave out what is only recommended.
    #[arg(long)]
    pub must: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    let name = name.trim().parse().map_err(|_| "a header's name has letters, digits and dashes")?;
    let mut value: HeaderValue = value.trim().parse().map_err(|_| "a header's value is one line of text")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Rules that do not hold were printed.
#[derive(Debug, thiserror::Error)]
#[error("{0} rule(s) do not hold: see above")]
pub struct Found(pub usize);

/// Follows the presentation and prints what is wrong with it.
///
/// # Errors
///
/// [`Found`] where a rule does not hold, and [`Unable`] where nothing could be looked at.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let Options { url, duration, headers, must, json } = options;
    let settings = Settings {
        url: url.clone(),
        duration: Duration::from_secs(*duration),
        headers: HeaderMap::from_iter(headers.iter().cloned()),
    };
    let mut report = super::run(&settings).await?;
    if *must {
        report.must_only();
    }
    if *json {
        println!("{}", serde_json::to_string_pretty(&report).context("the report")?);
    } else {
        println!("{report}");
    }
    match report.findings.len() {
        0 => Ok(()),
        found => Err(Found(found).into()),
    }
}

/// What the process ends with: 1 where a rule does not hold, 2 where nothing could be looked at.
pub fn exit_code(error: &anyhow::Error) -> Option<u8> {
    error.downcast_ref::<Unable>().map(|_| 2)
}
