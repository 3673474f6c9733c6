//! `railbird score import`: a file's events, brought to the origin.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::table;

use super::desk::Waiting;
use super::origin::{Key, Origin};

/// What to import, and where to.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The file: CSV with a first line of column names, or a JSON array of events (infra/SCORING-SYSTEMS.md).
    pub file: PathBuf,
    /// The channel.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: ChannelId,
    /// The match's id.
    #[arg(long, value_name = "MATCH")]
    pub r#match: MatchId,
}

/// Checks the whole file, and sends what the origin does not have of it.
pub async fn run(options: &Options, url: &str, key: Key) -> anyhow::Result<()> {
    let Options { file, channel, r#match } = options;
    let opened = std::fs::File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
    let mut text = Vec::new();
    opened
        .take(table::LEN_MAX as u64 + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("{} can't be read", file.display()))?;
    let items = table::read(&text).with_context(|| format!("{}", file.display()))?;
    let origin = Origin::new(url, channel, key)?;
    let there = origin.events(r#match).await?;
    if let Some(other) = there.iter().enumerate().find(|(index, item)| items.get(*index) != Some(item)) {
        anyhow::bail!(
            "{match} has another event {} at the origin than the file: import it under another match id",
            other.1.position()
        );
    }
    let missing = items.get(there.len()..).unwrap_or_default();
    for item in missing {
        let waiting = Waiting { r#match: r#match.clone(), item: item.clone(), untimed: false };
        let sent = origin.put(&waiting).await;
        sent.with_context(|| format!("event {}: run the same command again to go on", item.position()))?;
    }
    println!("{match}: {} events, {} of them new", items.len(), missing.len());
    Ok(())
}
