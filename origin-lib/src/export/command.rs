//! `railbird export` on the command line.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::keys::MasterSecret;
use railbird_core::time::{MediaTime, UtcMs};

use super::{Exported, Reader};
use crate::config::Config;
use crate::journal::{self, Journal};
use crate::when;

/// A stretch of a recording.
#[derive(Args, Debug)]
pub struct Stretch {
    /// The channel.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: ChannelId,
    /// The recording; without it, the channel's newest one.
    #[arg(long, value_name = "RECORDING")]
    pub recording: Option<RecordingId>,
    /// From the segment in which this lies: 2026-11-21T18:45:00Z (UTC where no zone is given), or how long ago: 2h, -30m.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Up to the segment in which this lies, written in the same ways.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
}

/// What to export, and where to.
#[derive(Args, Debug)]
pub struct Options {
    /// What.
    #[command(flatten)]
    pub stretch: Stretch,
    /// Where the channel has several sounds, the one of this name or language; without it, the one that is played by default.
    #[arg(long, value_name = "SOUND")]
    pub sound: Option<String>,
    /// The MP4 to write; it must not exist yet.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes the file, says on standard output what is in it, and on standard error what is missing in it.
pub fn run(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<()> {
    let (from, to) = between(&options.stretch.from, &options.stretch.to, now)?;
    let (recording, journal) = options.stretch.open(config)?;
    let part = Part { from, to, sound: options.sound.as_deref() };
    save(config, &journal, &recording, part, &options.out)?;
    Ok(())
}

impl Stretch {
    /// The recording's name and journal.
    pub(crate) fn open(&self, config: &Config) -> anyhow::Result<(RecordingId, Journal)> {
        let channel = &self.channel;
        let recording = match &self.recording {
            Some(recording) => recording.clone(),
            None => journal::recordings(&config.data_dir, channel)?
                .pop()
                .with_context(|| format!("{channel}: there is no recording of this channel"))?,
        };
        let journal = journal::read(&journal::path(&config.data_dir, channel, &recording))?;
        Ok((recording, journal))
    }
}

/// Reads `--from` and `--to`.
pub(crate) fn between(
    from: &Option<String>,
    to: &Option<String>,
    now: UtcMs,
) -> anyhow::Result<(Option<MediaTime>, Option<MediaTime>)> {
    let time = |text: &Option<String>| text.as_deref().map(|text| when::time(text, now)).transpose();
    let from = time(from).context("--from")?.map(UtcMs::media);
    let to = time(to).context("--to")?.map(UtcMs::media);
    if let (Some(from), Some(to)) = (from, to) {
        anyhow::ensure!(from < to, "--from ({}) must lie before --to ({})", from.iso8601(), to.iso8601());
    }
    Ok((from, to))
}

/// What of a recording goes into a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// From the segment in which this lies.
    pub(crate) from: Option<MediaTime>,
    /// Up to the segment in which this lies.
    pub(crate) to: Option<MediaTime>,
    /// With the sound of this name or language; without, with the one that is played by default.
    pub(crate) sound: Option<&'a str>,
}

/// Writes it, and says what is in the file and what is missing in it.
pub(crate) fn save(
    config: &Config,
    journal: &Journal,
    recording: &RecordingId,
    Part { from, to, sound }: Part<'_>,
    path: &Path,
) -> anyhow::Result<Exported> {
    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let objects = journal::objects_dir(&config.data_dir);
    let reader = Reader::new(&journal.reel, &objects, &secret).with_sound(sound).context("--sound")?;
    let exported = write(path, |out| super::export(reader, from, to, out))?;
    report(&exported, path);
    if journal.damaged {
        eprintln!(
            "the journal of {recording} is damaged: what was recorded after the damage is not in the file"
        );
    }
    Ok(exported)
}

/// Writes a file under another name first, so that what has the right name is whole.
fn write(
    path: &Path,
    export: impl FnOnce(&mut BufWriter<File>) -> Result<Exported, super::ExportError>,
) -> anyhow::Result<Exported> {
    anyhow::ensure!(!path.exists(), "{} exists: remove it, or choose another name", path.display());
    let mut part = OsString::from(path);
    part.push(".part");
    let written = File::create(&part).map_err(super::ExportError::Io).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let exported = export(&mut out)?;
        let file = out.into_inner().map_err(io::Error::from)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        Ok(exported)
    });
    if written.is_err() {
        // It is of no use; and where it can't be removed, the error below says more.
        let _ = fs::remove_file(&part);
    }
    written.with_context(|| format!("{}", path.display()))
}

pub(crate) fn report(exported: &Exported, path: &Path) {
    for gap in &exported.gaps {
        let seconds = (gap.to - gap.from).decimal_seconds(3);
        let (from, to) = (gap.from.iso8601(), gap.to.iso8601());
        eprintln!("gap of {seconds} s from {from} to {to}: {}", gap.why);
    }
    println!(
        "wrote {}: {} segments, {:.1} MB, from {} to {}",
        path.display(),
        exported.segments,
        exported.len as f64 / 1e6,
        exported.from.iso8601(),
        exported.to.iso8601()
    );
}
