//! `railbird verify` on the command line.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use railbird_core::id::{ChannelId, RecordingId, TargetId};
use railbird_core::keys::MasterSecret;

use super::{Answer, Place};
use crate::config::Config;
use crate::journal;
use crate::other::Other;
use crate::store::{self, PutError, Store};
use crate::targets;

/// How often an object is asked for before a target counts as unable to tell.
const TRIES: u32 = 3;

/// How long is waited between them, where the target does not say how long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest wait that a target may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What to check.
#[derive(Args, Debug, Default)]
pub struct Options {
    /// This channel only.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<ChannelId>,
    /// This recording only.
    #[arg(long, value_name = "RECORDING")]
    pub recording: Option<RecordingId>,
    /// The local disk only, no target.
    #[arg(long, conflicts_with = "targets")]
    pub disk_only: bool,
    /// Of the targets this one only; may be repeated.
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<TargetId>,
    /// Print JSON: a list with an entry for each recording.
    #[arg(long)]
    pub json: bool,
}

/// A target's store.
struct Shelf(Arc<dyn Store>);

impl Place for Shelf {
    fn read<'a>(&'a self, name: &'a str, len_max: usize) -> Answer<'a> {
        Box::pin(async move {
            let mut tries = 1;
            loop {
                let pause = match self.0.get(name, len_max).await.result {
                    Ok(found) => return Ok(found),
                    Err(PutError::SlowDown { after, .. }) if tries < TRIES => after.unwrap_or(PAUSE),
                    Err(PutError::Retry(_) | PutError::Unreachable(_)) if tries < TRIES => PAUSE,
                    Err(error) => return Err(error.to_string()),
                };
                tries += 1;
                tokio::time::sleep(pause.min(PAUSE_MAX)).await;
            }
        })
    }
}

/// Checks, prints a report, and fails where something that was recorded or acknowledged is not where it should be.
pub async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let targets = targets(config, options)?;
    let secret = || MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master");
    let pair = config.anchors_at.as_ref().map(|_| secret()).transpose()?;
    let other = pair.map(|secret| Other { secret });
    let (mut reports, mut unsound) = (Vec::new(), 0);
    for (channel, recording) in recordings(config, options)? {
        let path = journal::path(&config.data_dir, &channel, &recording);
        let journal = tokio::task::spawn_blocking(move || journal::read(&path)).await??;
        let objects = Some(journal::objects_dir(&config.data_dir));
        let report = super::verify(&journal.reel, journal.damaged, objects, &targets, other.as_ref()).await;
        unsound += u64::from(!report.sound());
        if options.json {
            reports.push(report);
        } else {
            println!("{report}\n");
        }
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    }
    anyhow::ensure!(
        unsound == 0,
        "{unsound} recording(s) with objects missing, wrong or not to be read: see above"
    );
    Ok(())
}

fn targets(config: &Config, options: &Options) -> anyhow::Result<Vec<(TargetId, Arc<dyn Place>)>> {
    let begin = targets::Begin::of(config).context("targets.json")?;
    for wanted in &options.targets {
        let known = begin.targets().any(|target| target.id == *wanted);
        anyhow::ensure!(known, "--target {wanted}: there is no target of this name");
    }
    let wanted =
        |id: &TargetId| !options.disk_only && (options.targets.is_empty() || options.targets.contains(id));
    let mut targets: Vec<(TargetId, Arc<dyn Place>)> = Vec::new();
    for target in begin.targets().filter(|target| wanted(&target.id)) {
        let store = store::open(target).with_context(|| format!("target {}", target.id))?;
        targets.push((target.id.clone(), Arc::new(Shelf(store))));
    }
    Ok(targets)
}

/// The recordings that are wanted, by channel, oldest first.
fn recordings(config: &Config, options: &Options) -> anyhow::Result<Vec<(ChannelId, RecordingId)>> {
    let mut found = Vec::new();
    for channel in &config.channels {
        if options.channel.as_ref().is_some_and(|wanted| *wanted != channel.id) {
            continue;
        }
        for recording in journal::recordings(&config.data_dir, &channel.id)? {
            if options.recording.as_ref().is_none_or(|wanted| *wanted == recording) {
                found.push((channel.id.clone(), recording));
            }
        }
    }
    anyhow::ensure!(!found.is_empty(), "there is no such recording below {}", config.data_dir.display());
    Ok(found)
}
