//! `railbird thumbnails` on the command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use railbird_core::keys::MasterSecret;
use railbird_core::time::{MediaSpan, UtcMs};

use super::{Layout, ThumbnailsError};
use crate::config::Config;
use crate::export::command::Stretch;
use crate::{export, journal};

/// What to show, and where to.
#[derive(Args, Debug)]
pub struct Options {
    /// Of what.
    #[command(flatten)]
    pub stretch: Stretch,
    /// Seconds between two pictures.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub every: u32,
    /// Pictures beside each other on a sheet.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub columns: u32,
    /// Pictures below each other on a sheet.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rows: u32,
    /// Width of a picture, in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 160, value_parser = clap::value_parser!(u32).range(32..=640))]
    pub width: u32,
    /// The WebVTT index to write; it must not exist yet. Sheets come beside it: match.vtt has match-001.jpg, match-002.jpg, …
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes the files, says on standard output what they are, and on standard error what has no picture.
pub async fn run(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<()> {
    let span = export::command::between(&options.stretch.from, &options.stretch.to, now)?;
    let out = &options.out;
    anyhow::ensure!(!out.exists(), "{} exists: remove it, or choose another name", out.display());
    let stem = out.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.with_context(|| format!("{}: a file's name is wanted, in UTF-8", out.display()))?;
    let (_, journal) = options.stretch.open(config)?;
    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let objects = journal::objects_dir(&config.data_dir);
    let &Options { every, columns, rows, width, .. } = options;
    let layout = Layout { every: MediaSpan::from_ms(i64::from(every) * 1000), columns, rows, width };
    let (reel, dir) = ((&journal.reel, &*objects, &secret), out.parent().unwrap_or(Path::new("")));
    let made = super::make(&config.ffmpeg, reel, span, layout, (dir, stem)).await?;
    // Last: who finds it finds the sheets that it names.
    write(out, made.index.as_bytes())?;
    for gap in &made.unusable {
        eprintln!("no picture from {} to {}: {}", gap.from.iso8601(), gap.to.iso8601(), gap.why);
    }
    println!("wrote {}: {} pictures on {} sheets beside it", out.display(), made.pictures, made.sheets.len());
    Ok(())
}

/// Writes a file that must not exist, under another name first, so that what has the right name is whole.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ThumbnailsError> {
    let failed = |error| ThumbnailsError::Io(path.display().to_string(), error);
    if path.exists() {
        return Err(failed(std::io::Error::other("it exists: remove it, or choose another name")));
    }
    let mut part = OsString::from(path);
    part.push(".part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // It is of no use; and where it can't be removed, the error below says more.
        let _ = fs::remove_file(&part);
    }
    written.map_err(failed)
}
