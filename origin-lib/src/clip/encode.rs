//! A clip that is encoded anew: exact to the frame, and with the score in its picture where that is wanted.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use railbird_core::id::ChannelId;
use railbird_core::keys::MasterSecret;
use railbird_core::time::MediaTime;

use super::Span;
use crate::burn::{self, Theme};
use crate::config::Config;
use crate::export::{self, Exported, Reader};
use crate::journal::{self, Journal};
use crate::recorded::{self, Gap};
use crate::score;

/// Writes what lies in `span`, or as much of it as was recorded, to a file that must not exist yet.
pub(super) async fn encode(
    config: &Config,
    channel: &ChannelId,
    journal: &Journal,
    span: Span,
    theme: Option<&Theme>,
    out: &Path,
) -> anyhow::Result<Exported> {
    ensure!(!out.exists(), "{} exists: remove it, or choose another name", out.display());
    let reel = &journal.reel;
    let last =
        export::touching(reel, Some(span.from), span.to).map(|(_, segment)| segment.start + segment.duration);
    let recorded_to = last.max().context("nothing was recorded there")?;
    let first = export::touching(reel, Some(span.from), span.to).map(|(_, segment)| segment.start).min();
    let from = span.from.max(first.unwrap_or(span.from));
    let to = span.to.map_or(recorded_to, |to| to.min(recorded_to));
    let matches = match theme {
        Some(_) => matches(config, channel, (from, to))?,
        None => Vec::new(),
    };

    let secret = MasterSecret::new(config.secrets.master.expose().as_bytes()).context("secrets.master")?;
    let objects = journal::objects_dir(&config.data_dir);
    let mut reader = Reader::new(reel, &objects, &secret);
    let unusable = RefCell::new(Vec::new());
    let segments =
        export::touching(reel, Some(from), Some(to)).filter_map(|(n, segment)| match reader.clear(n) {
            Ok(clear) => Some((segment.start, clear)),
            Err(why) => {
                let gap = Gap { from: segment.start, to: segment.start + segment.duration, why };
                recorded::add(&mut unusable.borrow_mut(), gap);
                None
            }
        });
    let mut part = OsString::from(out);
    part.push(".part");
    let part = Path::new(&part);
    let score = theme.map(|theme| (theme, &matches[..]));
    let made = burn::cut(burn::Cut { ffmpeg: &config.ffmpeg, from, to, score, out: part }, segments).await;
    let made = made.map_err(anyhow::Error::from).and_then(|segments| {
        let len = fs::metadata(part)?.len();
        fs::rename(part, out)?;
        Ok((segments, len))
    });
    if made.is_err() {
        // It is of no use; and where it can't be removed, the error below says more.
        let _ = fs::remove_file(part);
    }
    let (segments, len) = made.with_context(|| format!("{}", out.display()))?;
    let mut gaps: Vec<Gap> = recorded::gaps(reel).into_iter().chain(unusable.into_inner()).collect();
    gaps.retain(|gap| gap.to > from && gap.from < to);
    gaps.sort_by_key(|gap| gap.from);
    Ok(Exported { segments, len, from, to, gaps })
}

/// What is shown of the score in that time, the newest match first.
fn matches(
    config: &Config,
    channel: &ChannelId,
    span: (MediaTime, MediaTime),
) -> anyhow::Result<Vec<railbird_core::score::Document>> {
    let channel = super::command::channel(config, channel)?;
    let dir = config.data_dir.join("score");
    let shown = score::shown_on_disk(&dir, &channel.id, &config.score_offsets(channel), span)?;
    ensure!(
        !shown.is_empty(),
        "{}: no match was played then, so that there is no score to burn in",
        channel.id
    );
    Ok(shown)
}
