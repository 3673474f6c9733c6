//! `railbird calibrate` on the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use railbird_core::calibration::code;
use railbird_core::id::ChannelId;
use railbird_core::keys::MasterSecret;
use railbird_core::time::UtcMs;
use serde_json::Value;

use super::{Found, SEGMENTS_MAX, measure};
use crate::config::Config;
use crate::journal::{self, Journal};
use crate::score::{Measured, Setting, Told};
use crate::{crew, when};

/// What to measure, and what to do with it.
#[derive(Args, Debug)]
pub struct Options {
    /// The channel whose camera films the code of http://ORIGIN:8080/calibrate.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: ChannelId,
    /// How many of the newest segments are looked at.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = segments)]
    pub segments: usize,
    /// Have the origin use what was measured.
    #[arg(long)]
    pub apply: bool,
    /// Measure nothing, and have the origin use so many milliseconds: at the other origin of a pair, or to take a calibration
    /// back.
    #[arg(long, value_name = "MS", allow_hyphen_values = true, conflicts_with = "apply")]
    pub set: Option<i64>,
    /// Use it for what happened from then on, written as 2026-11-21T18:45:00Z (UTC where no zone is given), or how long ago:
    /// 2h, -30m. Without it, from the begin of the recording.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// The ffmpeg to decode with.
    #[arg(long, value_name = "FILE", default_value_os_t = super::ffmpeg())]
    pub ffmpeg: PathBuf,
}

fn segments(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=SEGMENTS_MAX).contains(count));
    count.ok_or_else(|| format!("1 to {SEGMENTS_MAX} segments can be looked at"))
}

/// Measures, tells the origin, and says on standard output what it uses.
pub async fn run(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<()> {
    let from = options.from.as_deref().map(|text| when::time(text, now)).transpose().context("--from")?;
    let journal = journal(config, options)?;
    let begin = journal.as_ref().and_then(|journal| journal.reel.start()).map_or(now, |start| start.utc());
    let from = from.unwrap_or(begin);
    let told = match options.set {
        Some(delay_ms) => Told { measured: None, set: Some(Setting { from, delay_ms }) },
        None => {
            let journal = journal
                .with_context(|| format!("{}: there is no recording of this channel", options.channel))?;
            let found = look(config, options, &journal).await?;
            let Found { delay, pictures, last } = found;
            println!(
                "the picture is {} ms late: {} of {pictures} pictures say so, and differ by {} ms",
                delay.ms, delay.read, delay.spread_ms
            );
            let at = UtcMs(last.utc().0.saturating_add_signed(-delay.ms));
            let measured =
                Measured { delay_ms: delay.ms, spread_ms: delay.spread_ms, pictures: delay.read, at };
            let set = options.apply.then_some(Setting { from, delay_ms: delay.ms });
            Told { measured: Some(measured), set }
        }
    };
    let path = format!("/v1/channels/{}/delay", options.channel);
    let standing = crew::send(config, "PUT", &path, serde_json::to_vec(&told)?).await;
    let standing = standing.context("the origin was not told")?;
    report(&standing, told.set.is_some());
    Ok(())
}

/// The journal of the newest recording, which may be the one that is being made; `None` where the channel has none.
fn journal(config: &Config, options: &Options) -> anyhow::Result<Option<Journal>> {
    let recording = journal::recordings(&config.data_dir, &options.channel)?.pop();
    let read = |recording| journal::read(&journal::path(&config.data_dir, &options.channel, &recording));
    Ok(recording.map(read).transpose()?)
}

async fn look(config: &Config, options: &Options, journal: &Journal) -> anyhow::Result<Found> {
    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let objects = journal::objects_dir(&config.data_dir);
    Ok(measure(&journal.reel, &objects, &secret, options.segments, &options.ffmpeg).await?)
}

fn report(standing: &Value, set: bool) {
    let number = |key: &str| standing[key].as_i64();
    let (used, skew) = (number("delay_ms").unwrap_or_default(), number("skew_ms"));
    match (set, skew) {
        (true, _) => {
            println!("the score is shown {used} ms after it happened from now on, and in the replay")
        }
        (false, Some(skew)) if skew.unsigned_abs() <= code::TICK_MS => {
            println!("{used} ms are in use: nothing needs to be done");
        }
        (false, Some(skew)) => {
            println!(
                "{used} ms are in use, so that the picture is {skew} ms later than its score: --apply mends that"
            );
        }
        (false, None) => println!("{used} ms are in use"),
    }
}
