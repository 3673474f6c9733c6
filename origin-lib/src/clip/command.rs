//! `railbird clip` on the command line.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::time::{MediaSpan, UtcMs};

use super::{Part, Span};
use crate::burn::Theme;
use crate::config::{self, Config};
use crate::export::{self, Exported};

/// What to cut, and where to.
#[derive(Args, Debug)]
pub struct Options {
    /// The channel.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: ChannelId,
    /// The recording; without it, the newest one in which this lies.
    #[arg(long, value_name = "RECORDING")]
    pub recording: Option<RecordingId>,
    /// From the segment in which this lies: 2026-11-21T18:45:00Z (UTC where no zone is given), or how long ago: 2h, -30m.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "to")]
    #[arg(required_unless_present = "match_id", conflicts_with = "match_id")]
    pub from: Option<String>,
    /// Up to the segment in which this lies, written in the same ways.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "from")]
    pub to: Option<String>,
    /// Cut by the score of this match: with two events, or an inning.
    #[arg(long = "match", value_name = "MATCH")]
    pub match_id: Option<MatchId>,
    /// From this event on, by its place in the match's log.
    #[arg(long, value_name = "SEQ", requires_all = ["match_id", "to_event"], conflicts_with = "from")]
    pub from_event: Option<u64>,
    /// Up to this event.
    #[arg(long, value_name = "SEQ", requires_all = ["match_id", "from_event"], conflicts_with = "from")]
    pub to_event: Option<u64>,
    /// The inning with this number.
    #[arg(long, value_name = "N", requires = "match_id", conflicts_with_all = ["from", "from_event"])]
    pub inning: Option<u32>,
    /// The inning's set, rack or frame.
    #[arg(long, value_name = "N", requires = "inning")]
    pub unit: Option<u32>,
    /// Seconds before what is cut by the score.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=600))]
    pub lead_in: u16,
    /// Seconds after it.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(..=600))]
    pub lead_out: u16,
    /// The edge of the link that is printed; without it, each of the configuration.
    #[arg(long, value_name = "URL", value_parser = config::base_url)]
    pub edge: Option<String>,
    /// Cut at frames, not at segments: the picture is encoded again, by ffmpeg.
    #[arg(long)]
    pub exact: bool,
    /// Burn the score into the picture, which is encoded again: light, dark, or a theme's file.
    #[arg(long, value_name = "THEME")]
    pub burn_in: Option<String>,
    /// Where the channel has several sounds, the one of this name or language; without it, the one that is played by default.
    #[arg(long, value_name = "SOUND")]
    pub sound: Option<String>,
    /// The MP4 to write; it must not exist yet.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes the file, says on standard output what is in it and where viewers find the same, and on standard error what is
/// missing in it.
pub async fn run(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<()> {
    let span = span(config, options, now)?;
    let (recording, journal) =
        super::recording(&config.data_dir, &options.channel, options.recording.as_ref(), span)?;
    super::is_recorded(&journal, &recording, span)?;
    let exported = match theme(options)? {
        theme if options.exact || theme.is_some() => {
            let (channel, out, sound) = (&options.channel, &options.out, options.sound.as_deref());
            let like = super::encode::Like { theme: theme.as_ref(), sound };
            let exported = super::encode::encode(config, channel, &journal, span, like, out).await?;
            export::command::report(&exported, &options.out);
            exported
        }
        _ => {
            let part =
                export::command::Part { from: Some(span.from), to: span.to, sound: options.sound.as_deref() };
            export::command::save(config, &journal, &recording, part, &options.out)?
        }
    };
    for edge in edges(config, options) {
        println!("{}", link(edge, &options.channel, &recording, span, &exported));
    }
    Ok(())
}

fn theme(options: &Options) -> anyhow::Result<Option<Theme>> {
    let theme = options.burn_in.as_deref().map(|name| Theme::load(name, Path::new("")));
    theme.transpose().context("--burn-in")
}

/// A channel of the configuration.
pub(super) fn channel<'a>(config: &'a Config, id: &ChannelId) -> anyhow::Result<&'a config::Channel> {
    let channel = config.channels.iter().find(|channel| channel.id == *id);
    channel
        .with_context(|| format!("{id}: no channel of the configuration, which says when its score is shown"))
}

/// What to cut.
fn span(config: &Config, options: &Options, now: UtcMs) -> anyhow::Result<Span> {
    let Some(match_id) = &options.match_id else {
        let (from, to) = export::command::between(&options.from, &options.to, now)?;
        return Ok(Span { from: from.context("--from is missing")?, to });
    };
    let part = match (options.from_event, options.to_event, options.inning) {
        (Some(from), Some(to), _) => Part::Events { from, to },
        (_, _, Some(number)) => Part::Inning { number, unit: options.unit },
        _ => anyhow::bail!("--match needs --from-event and --to-event, or --inning"),
    };
    let channel = channel(config, &options.channel)?;
    let dir = config.data_dir.join("score");
    let span = super::of_match(&dir, &channel.id, match_id, config.score_offsets(channel), part)?;
    let seconds = |seconds: u16| MediaSpan::from_ms(i64::from(seconds) * 1000);
    Ok(span.widened(seconds(options.lead_in), seconds(options.lead_out)))
}

fn edges<'a>(config: &'a Config, options: &'a Options) -> Vec<&'a str> {
    match &options.edge {
        Some(edge) => vec![edge],
        None => {
            let embedded = config.embedded_edge.as_ref().map(|edge| &edge.public_url);
            config.edges.iter().chain(embedded).map(String::as_str).collect()
        }
    }
}

/// The page that plays what was cut, as far as it was there.
pub(super) fn link(
    edge: &str,
    channel: &ChannelId,
    recording: &RecordingId,
    span: Span,
    exported: &Exported,
) -> String {
    let from = span.from.max(exported.from).utc().0;
    let to = span.to.map_or(exported.to, |to| to.min(exported.to)).utc().0;
    format!("{edge}/watch/{channel}/{recording}?from={from}&to={to}")
}
