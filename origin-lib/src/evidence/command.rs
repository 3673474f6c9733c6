//! `railbird evidence`: a report and a table of what happened to one target, node, push or edge, or to all.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use railbird_core::id::{NodeId, PushId, TargetId};
use railbird_core::time::UtcMs;

use super::csv::{Csv, subject};
use super::html::{self, Head};
use super::summary::{Period, Summary};
use super::{Subject, read};
use crate::config::{Config, Target};
use crate::redact::Redact;
use crate::{store, targets, when};

/// The longest period of one report, in days.
const DAYS_MAX: u64 = 31;

/// What to report on.
#[derive(Args, Debug, Default)]
pub struct Options {
    /// This target only.
    #[arg(long, value_name = "TARGET", group = "about")]
    pub target: Option<TargetId>,
    /// This node only.
    #[arg(long, value_name = "NODE", group = "about")]
    pub node: Option<NodeId>,
    /// This push only.
    #[arg(long, value_name = "PUSH", group = "about")]
    pub push: Option<PushId>,
    /// This edge only, by its host.
    #[arg(long, value_name = "HOST", group = "about")]
    pub edge: Option<String>,
    /// From when: 2026-11-21T18:45:00Z (UTC where no zone is given), or how long ago: 2h, -30m, 3d.
    #[arg(long, value_name = "TIME", default_value = "24h", allow_hyphen_values = true)]
    pub from: String,
    /// Until when, written in the same ways.
    #[arg(long, value_name = "TIME", default_value = "0s", allow_hyphen_values = true)]
    pub to: String,
    /// Where to write the report, one HTML file. Without --out and --csv: evidence.html.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where to write a table of everything.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// Where an origin keeps its evidence.
pub fn dir(config: &Config) -> PathBuf {
    config.data_dir.join("evidence")
}

/// Writes what was asked for, and says on standard output what it wrote.
pub fn run(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<()> {
    let from = when::time(&options.from, now).context("--from")?;
    let to = when::time(&options.to, now).context("--to")?;
    anyhow::ensure!(from < to, "--from ({}) must lie before --to ({})", from.iso8601(), to.iso8601());
    anyhow::ensure!(
        to.ms_since(from) <= DAYS_MAX * 86_400_000,
        "a report spans at most {} days: choose a later --from",
        DAYS_MAX
    );
    let dir = dir(config);
    anyhow::ensure!(dir.is_dir(), "{}: there is no evidence yet: has this origin run?", dir.display());

    let redact = Redact::new(&config.known_secrets);
    let out = match (&options.out, &options.csv) {
        (None, None) => Some(Path::new("evidence.html")),
        (out, _) => out.as_deref(),
    };
    let mut table = match &options.csv {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("{}: can't be written", path.display()))?;
            Some(Csv::new(BufWriter::new(file), redact.clone())?)
        }
        None => None,
    };
    let wanted = wanted(options);
    let mut summary = Summary::new(Period::new(from, to));
    let found = read::entries(&dir, from, to, |entry| {
        if wanted.as_ref().is_some_and(|wanted| *wanted != entry.subject) {
            return Ok(());
        }
        if let Some(table) = table.as_mut().filter(|_| summary.period.has(entry.at)) {
            table.add(&entry)?;
        }
        summary.add(entry);
        Ok(())
    });
    let found = found.with_context(|| format!("{}: can't be read or written on", dir.display()))?;
    let summary = summary.finish();
    if let (Some(table), Some(path)) = (table, &options.csv) {
        table.finish().with_context(|| format!("{}: can't be written", path.display()))?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = out {
        let csv = options.csv.as_deref().and_then(Path::file_name);
        let head = Head {
            origin: config.origin.to_string(),
            event: config.event.title.clone(),
            made: now,
            unreadable: found.unreadable,
            csv: csv.map(|name| name.to_string_lossy().into_owned()),
        };
        let begin = targets::Begin::of(config).context("targets.json")?;
        let targets: Vec<Target> = begin.targets().cloned().collect();
        let page = html::page(&summary, &head, &redact, |subject| place(&targets, subject));
        std::fs::write(path, page).with_context(|| format!("{}: can't be written", path.display()))?;
        println!("wrote {}", path.display());
    }
    for (about, story) in &summary.stories {
        let (kind, name) = subject(about);
        println!(
            "{kind} {name}: {} requests, {} failed, {} outages",
            story.done + story.failed,
            story.failed,
            story.outages.len() as u64 + story.outages_more
        );
    }
    if summary.stories.is_empty() {
        println!("nothing was recorded from {} to {}", from.iso8601(), to.iso8601());
    }
    Ok(())
}

fn wanted(options: &Options) -> Option<Subject> {
    let Options { target, node, push, edge, .. } = options;
    let target = target.clone().map(Subject::Target);
    let node = || node.clone().map(Subject::Node);
    let push = || push.clone().map(Subject::Push);
    target.or_else(node).or_else(push).or_else(|| edge.clone().map(Subject::Edge))
}

/// Where a subject is, for people.
fn place(targets: &[Target], subject: &Subject) -> Option<String> {
    match subject {
        Subject::Target(id) => {
            let target = targets.iter().find(|target| target.id == *id)?;
            Some(store::open(target).ok()?.place())
        }
        Subject::Node(id) => {
            let mut nodes = targets.iter().map(|target| &target.node);
            nodes.find(|node| node.id == *id).map(|node| node.url.clone())
        }
        Subject::Push(_) | Subject::Edge(_) => None,
    }
}
