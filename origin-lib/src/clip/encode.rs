//! A clip that is encoded anew: exact to the frame, and with the score in its picture where that is wanted.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use railbird_core::fmp4;
use railbird_core::id::ChannelId;
use railbird_core::keys::MasterSecret;
use railbird_core::recording::Segment;
use railbird_core::time::MediaTime;

use super::Span;
use crate::burn::{self, Theme};
use crate::config::Config;
use crate::export::{self, Clear, Exported, Reader};
use crate::journal::{self, Journal};
use crate::recorded::{self, Gap};
use crate::score;

/// What the clip is to be like.
#[derive(Clone, Copy)]
pub(super) struct Like<'a> {
    /// What boards look like; without, the picture stays as it was.
    pub(super) theme: Option<&'a Theme>,
    /// The name or the language of the sound, where there are several; without, the one that is played by default.
    pub(super) sound: Option<&'a str>,
}

/// Writes what lies in `span`, or as much of it as was recorded, to a file that must not exist yet.
pub(super) async fn encode(
    config: &Config,
    channel: &ChannelId,
    journal: &Journal,
    span: Span,
    Like { theme, sound }: Like<'_>,
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
    let mut reader = Reader::new(reel, &objects, &secret).with_sound(sound).context("--sound")?;
    let unusable = RefCell::new(Vec::new());
    let lacks = |segment: &Segment, why| {
        let gap = Gap { from: segment.start, to: segment.start + segment.duration, why };
        recorded::add(&mut unusable.borrow_mut(), gap);
    };
    let voice = voice(&mut reader, (from, to));
    let segments = export::touching(reel, Some(from), Some(to)).filter_map(|(n, segment)| {
        let clear = reader.clear(n).map_err(|why| lacks(segment, why)).ok()?;
        let clear = match &voice {
            // What has no sound of its own is silent for as long.
            Some(voice) => match with_voice(&mut reader, n, clear, voice) {
                (clear, Ok(())) => clear,
                (clear, Err(why)) => {
                    lacks(segment, why);
                    clear
                }
            },
            None => {
                // Nothing is to be heard: why, is said all the same.
                let _ = reader.beside(n).map_err(|why| lacks(segment, why));
                clear
            }
        };
        Some((segment.start, clear))
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

/// The init segment of the sound that is beside the pictures in that time, if any of it can be used.
fn voice(reader: &mut Reader<'_>, (from, to): (MediaTime, MediaTime)) -> Option<Vec<u8>> {
    let reel = reader.reel();
    export::touching(reel, Some(from), Some(to)).find_map(|(n, _)| {
        // Where its pictures can't be used, nobody needs its sound.
        reader.clear(n).ok()?;
        Some(reader.beside(n).ok()??.init)
    })
}

/// A segment with the sound that is beside it, in one stream, whose init segment has both; why it has no sound, where it has none.
fn with_voice(
    reader: &mut Reader<'_>,
    n: u32,
    mut clear: Clear,
    voice: &[u8],
) -> (Clear, Result<(), String>) {
    if clear.has_audio {
        return (clear, Ok(()));
    }
    let beside = reader.beside(n);
    let init = beside.as_ref().ok().and_then(Option::as_ref).map_or(voice, |beside| &beside.init);
    match fmp4::join(&clear.init, init) {
        Ok(joined) => (clear.init, clear.has_audio) = (joined, true),
        Err(error) => return (clear, Err(format!("its sound: {error}"))),
    }
    let heard =
        beside.map(|beside| clear.segment.extend(beside.into_iter().flat_map(|beside| beside.segment)));
    (clear, heard)
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
