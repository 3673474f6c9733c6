//! `railbird score` on the command line.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use railbird_core::id::ChannelId;
use railbird_core::score::{Discipline, Log, PerSide, Phase, Player, Side, Start};
use tokio::sync::mpsc;

use super::desk::{Desk, Mode};
use super::import;
use super::origin::{Key, Origin, OriginError};
use super::outbox::Outbox;
use super::seat::Seat;
use super::{show, words};

/// The longest line that is read, in bytes.
const LINE_LEN_MAX: usize = 1_000;

/// The variable of the environment that has the key, unless another is named.
const KEY_VARIABLE: &str = "RAILBIRD_SCORE_KEY";

/// Where the score goes.
#[derive(Args, Clone, Debug)]
pub struct Table {
    /// The origin's API: http://127.0.0.1:8080
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", global = true)]
    pub origin: String,
    /// The environment variable that has the channel's score key.
    #[arg(long, value_name = "VARIABLE", default_value = KEY_VARIABLE, global = true)]
    pub key_env: String,
    /// A file that has the key, instead.
    #[arg(long, value_name = "FILE", global = true)]
    pub key_file: Option<PathBuf>,
}

/// What to score. Lines of plain input follow on standard input; `help` shows them.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Options {
    /// Where the score goes.
    #[command(flatten)]
    pub table: Table,
    /// The channel.
    #[arg(long, value_name = "CHANNEL", required = true)]
    pub channel: Option<ChannelId>,
    /// Begin another match, whatever is kept or played.
    #[arg(long)]
    pub new: bool,
    /// Take an unfinished match over from another scorer without asking.
    #[arg(long)]
    pub take_over: bool,
    /// What viewers call the match; otherwise the two names.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// The game: three-cushion, straight-rail, nine-ball … (infra/SCORE.md has them all).
    #[arg(long, value_name = "NAME")]
    pub discipline: Option<String>,
    /// Who plays, twice: `--player "Nelin:SE" --player "Cho:KR"`, a country behind the colon where there is one.
    #[arg(long, value_name = "NAME[:COUNTRY]")]
    pub player: Vec<String>,
    /// Points to reach: `40`, or `40,30` with a handicap; without it, as the discipline has it.
    #[arg(long, value_name = "POINTS")]
    pub target: Option<String>,
    /// Whether there is an equalising inning; without it, as the discipline has it.
    #[arg(long, value_name = "true|false")]
    pub equalising_inning: Option<bool>,
    /// Who breaks: a or b.
    #[arg(long, value_name = "SIDE")]
    pub breaks: Option<String>,
    /// Where what was entered is kept until the origin has it [default: $XDG_STATE_HOME/railbird, or ~/.local/state/railbird].
    #[arg(long, value_name = "DIR")]
    pub outbox: Option<PathBuf>,
    /// How long to go on sending once the input has ended, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub linger: u64,
    /// What else there is.
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What else there is.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Bring a match that was kept as CSV or JSON to the origin. The same file again changes nothing.
    Import(import::Options),
}

/// Scores from standard input to standard output.
pub async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(What::Import(import)) = &options.what {
        return import::run(import, &options.table.origin, key(&options.table)?).await;
    }
    let key = key(&options.table)?;
    // A thread of its own, which nobody waits for: a terminal can't be read until there is a line.
    let (send, mut lines) = mpsc::channel(1);
    std::thread::Builder::new().name("lines".into()).spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = line(&mut input) {
            if send.blocking_send(line).is_err() {
                break;
            }
        }
    })?;
    score(&options, key, &mut lines, std::io::stdout()).await
}

/// The next line. What is too long is cut, and then no line that there is.
fn line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let part = input.fill_buf().ok().filter(|part| !part.is_empty() || !bytes.is_empty())?;
        let end = part.iter().position(|byte| *byte == b'\n');
        let len = end.unwrap_or(part.len());
        let room = LINE_LEN_MAX.saturating_sub(bytes.len());
        bytes.extend_from_slice(part.get(..len.min(room)).unwrap_or_default());
        let is_over = end.is_some() || len == 0;
        input.consume(len + usize::from(end.is_some()));
        if is_over {
            return Some(String::from_utf8_lossy(&bytes).trim().to_owned());
        }
    }
}

fn key(table: &Table) -> anyhow::Result<Key> {
    let text = match &table.key_file {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("--key-file {}", file.display()))?
        }
        None => std::env::var(&table.key_env).map_err(|_| {
            let name = &table.key_env;
            anyhow::anyhow!("no score key: set {name} to the channel's score_key, or give --key-file")
        })?,
    };
    let key = text.trim();
    anyhow::ensure!(!key.is_empty(), "the score key is empty");
    Ok(Key(key.to_owned()))
}

/// Scores a match: `lines` come in, what a person reads goes out.
pub async fn score(
    options: &Options,
    key: Key,
    lines: &mut mpsc::Receiver<String>,
    out: impl Write,
) -> anyhow::Result<()> {
    let channel = options.channel.as_ref().context("--channel says which table")?;
    let dir = match &options.outbox {
        Some(dir) => dir.clone(),
        None => state_dir()?,
    };
    let origin = Origin::new(&options.table.origin, channel, key)?;
    let at = options.table.origin.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let (outbox, records) = Outbox::open(&dir, &format!("{channel}-{}", at.collect::<String>()))?;
    let desk = Desk::restore(records).map_err(|why| anyhow::anyhow!("the outbox can't be used: {why}"))?;
    let mut seat = Seat::new(desk, outbox, origin, out, start(options)?);
    if seat.start.is_none() && options.new {
        seat.start = Some(ask(&mut seat, options, lines).await?);
    }
    let goes_on =
        seat.desk.current().is_some() && seat.desk.log().state().is_none_or(|s| s.phase != Phase::Finished);
    if options.new {
        seat.begin()?;
    } else if goes_on {
        let lost = if seat.desk.mode() == Mode::Lost {
            "; another scorer has taken over: `take` takes it back"
        } else {
            ""
        };
        seat.say(&format!("{}, {} wait{lost}", show::score(seat.desk.log()), seat.desk.pending()))?;
    } else if !adopt(&mut seat, options.take_over, lines).await? {
        if seat.start.is_none() {
            seat.start = Some(ask(&mut seat, options, lines).await?);
        }
        seat.begin()?;
    }
    seat.work(lines, Duration::from_secs(options.linger)).await
}

/// Takes over the channel's match where one is played and the scorer wants it.
async fn adopt(
    seat: &mut Seat<impl Write>,
    without_asking: bool,
    lines: &mut mpsc::Receiver<String>,
) -> anyhow::Result<bool> {
    let found = async {
        let Some(newest) = seat.origin.newest().await? else { return Ok(None) };
        let held = seat.origin.held(&newest).await?;
        Ok::<_, OriginError>(Some((newest, held)))
    };
    let (newest, held) = match found.await {
        Ok(None) => return Ok(false),
        Ok(Some(found)) => found,
        Err(OriginError::Denied(refusal)) => return Err(refusal.into()),
        Err(error) => {
            seat.say(&format!("{error}; whether a match is played there is not known"))?;
            return Ok(false);
        }
    };
    let log =
        Log::new().with(held.events.iter().cloned()).map_err(|why| anyhow::anyhow!("{newest}: {why}"))?;
    if log.state().is_none_or(|state| state.phase == Phase::Finished) {
        return Ok(false);
    }
    if !without_asking {
        seat.say(&format!("{newest} is played: {}", show::score(&log)))?;
        let answer = asked(seat, "take it over? [y/n]", lines).await?;
        if !["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()) {
            return Ok(false);
        }
    }
    seat.take_over(newest, held)?;
    Ok(true)
}

async fn asked(
    seat: &mut Seat<impl Write>,
    question: &str,
    lines: &mut mpsc::Receiver<String>,
) -> anyhow::Result<String> {
    seat.say(question)?;
    lines.recv().await.with_context(|| format!("the input has ended; asked was: {question}"))
}

/// The start that the options describe; `None` where they do not say who plays.
fn start(options: &Options) -> anyhow::Result<Option<Start>> {
    let [first, second] = options.player.as_slice() else {
        anyhow::ensure!(options.player.is_empty(), "--player is given twice, once for each side");
        return Ok(None);
    };
    described(options, [first, second].map(|name| player(name)), None).map(Some)
}

fn described(options: &Options, sides: [Player; 2], told: Option<Told>) -> anyhow::Result<Start> {
    let told = told.unwrap_or_default();
    let word =
        told.discipline.or_else(|| options.discipline.clone()).unwrap_or_else(|| "three-cushion".into());
    let discipline: Discipline = serde_json::from_value(serde_json::Value::String(word.clone()))
        .map_err(|_| anyhow::anyhow!("`{word}` is no discipline: infra/SCORE.md has them all"))?;
    let breaks = told.breaks.or_else(|| options.breaks.clone()).unwrap_or_else(|| "a".into());
    let breaks = words::side(&breaks).with_context(|| format!("`{breaks}` is no side: a or b breaks"))?;
    let title = match &options.title {
        Some(title) => title.clone(),
        None => sides.each_ref().map(|player| player.name.chars().take(45).collect::<String>()).join(" - "),
    };
    let target = told.target.or_else(|| options.target.clone());
    let target = target.map(|text| per_side(&text)).transpose()?;
    let equalising_inning = options.equalising_inning;
    Ok(Start { target, equalising_inning, ..Start::new(title, discipline, sides, breaks) })
}

/// What was asked for.
#[derive(Default)]
struct Told {
    discipline: Option<String>,
    target: Option<String>,
    breaks: Option<String>,
}

async fn ask(
    seat: &mut Seat<impl Write>,
    options: &Options,
    lines: &mut mpsc::Receiver<String>,
) -> anyhow::Result<Start> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let mut told = Told::default();
    if options.discipline.is_none() {
        told.discipline = some(asked(seat, "discipline? [three-cushion]", lines).await?);
    }
    let mut sides = Vec::new();
    for side in Side::BOTH {
        let name = if side == Side::First { "a" } else { "b" };
        sides.push(player(&asked(seat, &format!("who is {name}? NAME or NAME:COUNTRY"), lines).await?));
    }
    if options.target.is_none() {
        told.target = some(asked(seat, "target? [as the discipline has it]", lines).await?);
    }
    if options.breaks.is_none() {
        told.breaks = some(asked(seat, "who breaks? [a]", lines).await?);
    }
    let sides = <[Player; 2]>::try_from(sides).map_err(|_| anyhow::anyhow!("two sides play"))?;
    described(options, sides, Some(told))
}

fn player(text: &str) -> Player {
    let (name, country) = match text.rsplit_once(':') {
        Some((name, country)) => (name, Some(country.trim().to_ascii_uppercase())),
        None => (text, None),
    };
    Player { name: name.trim().to_owned(), country }
}

fn per_side(text: &str) -> anyhow::Result<PerSide> {
    let number =
        |text: &str| text.trim().parse().with_context(|| format!("`{text}` is no target: 40, or 40,30"));
    Ok(match text.split_once(',') {
        None => PerSide::Both(number(text)?),
        Some((first, second)) => PerSide::Each([number(first)?, number(second)?]),
    })
}

fn state_dir() -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = variable("XDG_STATE_HOME") {
        return Ok(Path::new(&dir).join("railbird"));
    }
    let home = variable("HOME")
        .context("there is no home directory: say with --outbox where to keep what is entered")?;
    Ok(Path::new(&home).join(".local/state/railbird"))
}
