//! What `railbird verify` says.

use anyhow::{Context, ensure};
use railbird_core::time::UtcMs;
use serde_json::Value;

use super::{PATIENCE, Plan, until};

/// One recording's report.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its channel.
    pub channel: String,
    /// Its name.
    pub recording: String,
    /// How many objects it has.
    pub objects: u64,
    /// Its gaps.
    pub gaps: Vec<Gap>,
    /// The disk and each target.
    pub places: Vec<Place>,
}

/// A part of a recording that is not there.
#[derive(Clone, Debug)]
pub struct Gap {
    /// When it begins.
    pub from: UtcMs,
    /// When it ends.
    pub to: UtcMs,
    /// Why.
    pub why: String,
}

/// What is at one place.
#[derive(Clone, Debug)]
pub struct Place {
    /// `disk`, or a target.
    pub name: String,
    /// There, and right.
    pub good: u64,
    /// Not acknowledged yet.
    pub pending: u64,
    /// Missing, wrong, or not to be told.
    pub bad: u64,
}

impl Recording {
    /// How many objects no target lacks.
    pub fn is_everywhere(&self) -> bool {
        self.places.iter().all(|place| place.pending == 0 && place.bad == 0 && place.good == self.objects)
    }
}

impl Plan {
    /// Runs `railbird verify`; that it finds anything wrong is an error.
    pub async fn verify(&self) -> anyhow::Result<Vec<Recording>> {
        self.run_verify(&[]).await
    }

    async fn run_verify(&self, options: &[&str]) -> anyhow::Result<Vec<Recording>> {
        let mut command = self.tool("verify");
        let output = tokio::time::timeout(PATIENCE, command.arg("--json").args(options).output()).await;
        let output = output.context("verify does not end")??;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "verify: {}\n{said}\n{text}", output.status);
        let reports: Vec<Value> = serde_json::from_str(&text)?;
        reports.iter().map(recording).collect()
    }

    /// Runs `railbird verify` on the disk alone; gives how many objects are good.
    pub async fn verify_disk(&self) -> anyhow::Result<u64> {
        Ok(self
            .run_verify(&["--disk-only"])
            .await?
            .iter()
            .flat_map(|one| &one.places)
            .map(|place| place.good)
            .sum())
    }

    /// Waits until every target has everything.
    pub async fn verify_complete(&self) -> anyhow::Result<Vec<Recording>> {
        until("every target has everything", async || {
            let recordings = self.verify().await?;
            Ok(recordings.iter().all(Recording::is_everywhere).then_some(recordings))
        })
        .await
    }
}

fn recording(report: &Value) -> anyhow::Result<Recording> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let place = |place: &Value| {
        let bad = ["missing", "wrong", "unknown"].iter().filter_map(|kind| place[*kind]["count"].as_u64());
        let count = |name: &str| place[name].as_u64().unwrap_or_default();
        Place { name: text(&place["place"]), good: count("good"), pending: count("pending"), bad: bad.sum() }
    };
    let time = |value: &Value| time(value.as_str().unwrap_or_default()).with_context(|| format!("{value}"));
    let gap = |gap: &Value| -> anyhow::Result<Gap> {
        Ok(Gap { from: time(&gap["from"])?, to: time(&gap["to"])?, why: text(&gap["why"]) })
    };
    Ok(Recording {
        channel: text(&report["channel"]),
        recording: text(&report["recording"]),
        objects: report["objects"].as_u64().unwrap_or_default(),
        gaps: list(&report["gaps"]).iter().map(gap).collect::<Result<_, _>>()?,
        places: list(&report["places"]).iter().map(place).collect(),
    })
}

/// The instant that is written so. ISO 8601 sorts as time does.
fn time(text: &str) -> Option<UtcMs> {
    let (mut low, mut high) = (0_u64, 1 << 43);
    while low < high {
        let middle = low.midpoint(high);
        if UtcMs(middle).iso8601().as_str() < text {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(UtcMs(low)).filter(|found| found.iso8601() == text)
}
