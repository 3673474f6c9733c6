//! The targets that an origin begins with.

use std::path::{Path, PathBuf};

use railbird_core::id::TargetId;
use railbird_core::state::Node;

use super::kept::Kept;
use super::{Refusal, Standing};
use crate::config::{self, Bucket, Config, EntryPoint, Place, Target};
use crate::driver::Nodes;
use crate::journal::Takers;

/// The targets that an origin begins with: the configuration's, with what was changed at run time.
pub struct Begin {
    pub(super) kept: Kept,
    pub(super) dir: PathBuf,
    pub(super) targets: Vec<(Target, Standing, bool)>,
}

impl Begin {
    /// Reads what was kept. A target that was added and can't be read any more is left out and logged.
    ///
    /// Relative paths in a target that is added are relative to `dir`, as those of the configuration are.
    pub fn read(data_dir: &Path, dir: &Path, configured: &[Target]) -> std::io::Result<Begin> {
        let kept = Kept::read(data_dir)?;
        let mut targets: Vec<(Target, Standing, bool)> = Vec::new();
        let standing = |id: &TargetId| {
            if kept.draining.contains(id) { Standing::Draining } else { Standing::Active }
        };
        for target in configured.iter().filter(|target| !kept.removed.contains(&target.id)) {
            targets.push((target.clone(), standing(&target.id), false));
        }
        for (id, text) in &kept.added {
            match parse(text, dir) {
                Ok(target) if targets.iter().all(|(known, _, _)| !clash(known, &target)) => {
                    targets.push((target, standing(id), true));
                }
                Ok(_) => {
                    tracing::warn!(target_id = %id, "a target that was added is in the configuration now")
                }
                Err(error) => tracing::error!(target_id = %id, %error, "a target that was added is left out"),
            }
        }
        Ok(Begin { kept, dir: dir.into(), targets })
    }

    /// The same, for an origin with this configuration.
    pub fn of(config: &Config) -> std::io::Result<Begin> {
        let beside = config.path.parent().filter(|_| config.path.is_file()).unwrap_or(&config.data_dir);
        Begin::read(&config.data_dir, beside, &config.targets)
    }

    /// All of them.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().map(|(target, _, _)| target)
    }

    /// Those that are somewhere else than when they were last used: what was acknowledged is not there.
    pub fn moved(&self) -> Vec<TargetId> {
        let moved = self.targets().filter(|target| {
            self.kept.places.get(&target.id).is_some_and(|place| *place != place_of(target))
        });
        moved.map(|target| target.id.clone()).collect()
    }

    /// The node over each. None is up yet.
    pub fn nodes(&self) -> Nodes {
        let node =
            |(target, standing, _): &(Target, Standing, bool)| (target.id.clone(), node(target, *standing));
        self.targets.iter().map(node).collect()
    }

    /// Those that get what is made.
    pub fn takers(&self) -> Takers {
        let active = self.targets.iter().filter(|(_, standing, _)| *standing == Standing::Active);
        active.map(|(target, _, _)| (target.id.clone(), self.kept.since_of(&target.id))).collect()
    }
}

/// Reads one `[[target]]`. Relative paths are relative to `dir`.
pub fn parse(text: &str, dir: &Path) -> Result<Target, Refusal> {
    config::target_from_toml(text, dir, &|name| std::env::var(name).ok()).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::Invalid(lines.join("; "))
    })
}

pub(super) fn clash(one: &Target, other: &Target) -> bool {
    one.id == other.id || one.node.id == other.node.id
}

/// Whether nothing but how viewers choose the node is another.
pub(super) fn only_choice_differs(was: &Target, is: &Target) -> bool {
    let (weight, price_micros_per_gb) = (was.weight, was.price_micros_per_gb);
    was != is && *was == Target { weight, price_micros_per_gb, ..is.clone() }
}

pub(super) fn node(target: &Target, standing: Standing) -> Node {
    let mut node = Node::new(target.node.id.clone(), target.node.url.clone(), false);
    node.weight = if standing == Standing::Draining { 0 } else { target.weight };
    node.price_micros_per_gb = target.price_micros_per_gb;
    node
}

/// Where a target's objects lie, whatever else is configured of it.
pub(super) fn place_of(target: &Target) -> String {
    match &target.place {
        Place::S3(Bucket { endpoint, region, bucket, prefix, .. }) => {
            let endpoint = endpoint.as_deref().unwrap_or(region);
            format!("s3 {endpoint} {bucket}/{prefix}")
        }
        Place::Http(EntryPoint { url, .. }) => format!("http {url}"),
    }
}
