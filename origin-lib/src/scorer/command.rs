//! `railbird score` on the command line.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use railbird_core::id::ChannelId;
use railbird_core::score::{Action, Discipline, Event, Log, PerSide, Phase, Player, Side, Start, is_code};
use railbird_core::time::UtcMs;
use tokio::sync::mpsc;

use super::desk::{Desk, Mode};
use super::import;
use super::origin::{Key, Origin, OriginError};
use super::outbox::Outbox;
use super::seat::Seat;
use super::show;
use super::terms::{self, Terms};
use crate::clock;

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
    /// The game: three-cushion, three-cushion-sets, straight-rail, balkline, one-cushion, artistique, five-pins, straight-pool,
    /// eight-ball, nine-ball, ten-ball, snooker, points.
    #[arg(long, value_name = "NAME", value_parser = terms::discipline)]
    pub discipline: Option<Discipline>,
    /// Who plays, twice: `--player "Nelin:SE" --player "Cho:KR"`, a country behind the colon where there is one.
    #[arg(long, value_name = "NAME[:COUNTRY]")]
    pub player: Vec<String>,
    /// Who breaks: a or b.
    #[arg(long, value_name = "SIDE", value_parser = terms::side)]
    pub breaks: Option<Side>,
    /// Who scores, by the name that `[score] offsets_ms` of the origin has: every event is signed with it.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub scorer: Option<String>,
    /// Where what was entered is kept until the origin has it [default: $XDG_STATE_HOME/railbird, or ~/.local/state/railbird].
    #[arg(long, value_name = "DIR")]
    pub outbox: Option<PathBuf>,
    /// How long to go on sending once the input has ended, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub linger: u64,
    /// The rules of the match.
    #[command(flatten)]
    pub terms: Terms,
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
    let desk = desk.signed(options.scorer.clone());
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
    let before = clock::now();
    let found = match seat.origin.newest().await {
        Ok((newest, now)) => {
            seat.time(before, now)?;
            let Some(newest) = newest else { return Ok(false) };
            seat.origin.held(&newest).await.map(|held| (newest, held))
        }
        Err(error) => Err(error),
    };
    let (newest, held) = match found {
        Ok(found) => found,
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
    let discipline = told.discipline.or(options.discipline).unwrap_or(Discipline::ThreeCushion);
    let breaks = told.breaks.or(options.breaks).unwrap_or(Side::First);
    let title = match &options.title {
        Some(title) => title.clone(),
        None => sides.each_ref().map(|player| player.name.chars().take(45).collect::<String>()).join(" - "),
    };
    let terms = Terms { target: told.target.or(options.terms.target), ..options.terms.clone() };
    let start = terms.of(Start::new(title, discipline, sides, breaks));
    let event = Event {
        occurred: UtcMs(0),
        entered: None,
        scorer: None,
        action: Action::Start(start.clone()),
        state: None,
    };
    event.check().context("the match can't begin")?;
    Ok(start)
}

/// What was asked for.
#[derive(Default)]
struct Told {
    discipline: Option<Discipline>,
    target: Option<PerSide>,
    breaks: Option<Side>,
}

async fn ask(
    seat: &mut Seat<impl Write>,
    options: &Options,
    lines: &mut mpsc::Receiver<String>,
) -> anyhow::Result<Start> {
    let mut told = Told::default();
    if options.discipline.is_none() {
        told.discipline = read(&asked(seat, "discipline? [three-cushion]", lines).await?, terms::discipline)?;
    }
    let mut sides = Vec::new();
    for side in Side::BOTH {
        let name = if side == Side::First { "a" } else { "b" };
        sides.push(player(&asked(seat, &format!("who is {name}? NAME or NAME:COUNTRY"), lines).await?));
    }
    if options.terms.target.is_none() {
        told.target =
            read(&asked(seat, "target? [as the discipline has it]", lines).await?, terms::per_side)?;
    }
    if options.breaks.is_none() {
        told.breaks = read(&asked(seat, "who breaks? [a]", lines).await?, terms::side)?;
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

/// What was typed; nothing where it was an empty line.
fn read<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
    let parsed = || parse(text).map_err(|why| anyhow::anyhow!("`{text}`: {why}"));
    if text.is_empty() { Ok(None) } else { parsed().map(Some) }
}

fn name(text: &str) -> Result<String, String> {
    if is_code(text) { Ok(text.into()) } else { Err("1 to 32 printable ASCII characters, no space".into()) }
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
