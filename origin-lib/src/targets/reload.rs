//! A configuration that was read again.

use std::collections::BTreeMap;

use railbird_core::id::TargetId;
use railbird_core::time::MediaTime;

use super::begin::{node, only_choice_differs, place_of};
use super::{Refusal, Standing, Targets};
use crate::config::Target;
use crate::driver::Message;

impl Targets {
    /// Takes over a configuration that was read again: its targets that are gone from it are removed, new ones added (with
    /// their backlog), those that are somewhere else now replaced. What a person did at run time stays. Gives what was done,
    /// and what could not be.
    pub async fn reload(&self, configured: &[Target]) -> Result<Vec<String>, Refusal> {
        let mut done = Vec::new();
        let known: BTreeMap<TargetId, (Target, bool, Standing)> = {
            let running = self.0.running();
            let known =
                running.iter().map(|(id, of)| (id.clone(), (of.config.clone(), of.added, of.standing)));
            known.collect()
        };
        for (id, _) in known.iter().filter(|(_, (_, added, _))| !added) {
            if !configured.iter().any(|target| target.id == *id) {
                self.end(id).await?;
                done.push(format!("target {id} removed"));
            }
        }
        for target in configured {
            if let Some(line) = self.take_over(target, known.get(&target.id)).await? {
                done.push(format!("target {}: {line}", target.id));
            }
        }
        for line in &done {
            tracing::info!("configuration read again: {line}");
        }
        Ok(done)
    }

    /// Takes over one target. Gives what became of it, where that is not nothing.
    async fn take_over(
        &self,
        target: &Target,
        known: Option<&(Target, bool, Standing)>,
    ) -> Result<Option<String>, Refusal> {
        let removed = self.0.kept().removed.contains(&target.id);
        let line = match known {
            None if removed => "stays removed".into(),
            Some((_, true, _)) => {
                "left out, since one of this name was added at run time: remove that one".into()
            }
            Some((was, false, _)) if was == target => return Ok(None),
            _ if let Err(refusal) = self.check(target, Some(&target.id)) => {
                format!("left as it was: {refusal}")
            }
            None => {
                self.begin(target.clone(), false, MediaTime::default()).await?;
                "added".into()
            }
            Some((was, false, standing)) if only_choice_differs(was, target) => {
                if let Some(running) = self.0.running().get_mut(&target.id) {
                    running.config = target.clone();
                }
                if *standing == Standing::Active {
                    let since = self.0.kept().since_of(&target.id);
                    let (target, node) = (target.id.clone(), node(target, *standing));
                    let message = Message::Target { target, node, since };
                    self.0.tools.desk.send(message).await.map_err(|_| Refusal::Stopping)?;
                }
                match was.weight == target.weight {
                    true => format!("price {} millionths a gigabyte", target.price_micros_per_gb),
                    false => format!("weight {}", target.weight),
                }
            }
            Some((was, false, standing)) if place_of(was) == place_of(target) => {
                self.restart(target.clone(), *standing).await?;
                "changed".into()
            }
            Some((_, false, standing)) => {
                // Another bucket has none of what the old one had.
                self.end(&target.id).await?;
                self.begin(target.clone(), false, MediaTime::default()).await?;
                if *standing == Standing::Draining {
                    self.drain(&target.id).await?;
                }
                "replaced".into()
            }
        };
        Ok(Some(line))
    }
}
