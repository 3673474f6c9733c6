//! `railbird pass …`: at every edge of the configuration, with a result for each.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use railbird_core::pass::{Coverage, Listed, Pass, PassId, SCREENS_DEFAULT, password};
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};

use super::door::Told;
use super::order::{self, Key};
use super::table::{self, Row};
use super::{Door, Order};
use crate::clock;
use crate::config::{Config, Secret};

/// How many passes are on their way to an edge at a time.
const TOGETHER: usize = 8;

/// The most codes that are made at once.
const CODES_MAX: u32 = 10_000;

/// The most pages that are asked of an edge: a million passes.
const PAGES_MAX: usize = 10_000;

/// What to do with passes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Issue a pass, or replace the one of the same address. The password is read from the environment variable
    /// RAILBIRD_PASSWORD, from a file, or from standard input. With --code, tickets: their codes are printed once and kept
    /// nowhere.
    Issue(Issue),
    /// Take a pass back: all its sessions end.
    Revoke(Which),
    /// List passes.
    List(List),
    /// Issue the passes of a CSV file with a header row. Columns: email; password, password_hash or code; channels,
    /// valid_from, valid_until or days, screens, locale, note. Nothing is sent before every row is good.
    Import(Import),
    /// Write all passes as CSV.
    Export(Export),
}

/// `railbird pass issue`.
#[derive(Args, Debug)]
pub struct Issue {
    /// E-mail address of the pass holder.
    #[arg(long, required_unless_present = "code", conflicts_with = "code")]
    email: Option<String>,
    /// A file with the password; a newline at its end is ignored.
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    password_file: Option<PathBuf>,
    /// A pass that a code opens, in place of address and password.
    #[arg(long)]
    code: bool,
    /// How many codes.
    #[arg(long, default_value_t = 1, requires = "code", value_parser = clap::value_parser!(u32).range(1..=i64::from(CODES_MAX)))]
    count: u32,
    /// A channel that the pass covers; may be repeated. Without it: all.
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// How long the pass is valid from now, in days.
    #[arg(long, default_value_t = table::DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(table::DAYS_MAX)))]
    days: u32,
    /// On how many screens it plays at a time.
    #[arg(long, default_value_t = SCREENS_DEFAULT)]
    screens: u8,
    /// The holder's language: nl-BE.
    #[arg(long)]
    locale: Option<String>,
    /// For you: an order number, say. Viewers never see it.
    #[arg(long)]
    note: Option<String>,
    /// Say what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// Which pass.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The one of this e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// The one of this id, as `list` shows it.
    #[arg(long)]
    id: Option<PassId>,
}

/// `railbird pass list`.
#[derive(Args, Debug)]
pub struct List {
    /// Only the pass of this e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// `railbird pass import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The table.
    file: PathBuf,
    /// Check it, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Say what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// `railbird pass export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The edge whose passes are written, as the configuration names it. Without it: the first one.
    #[arg(long, value_name = "URL")]
    edge: Option<String>,
    /// With the hashes of passwords and codes, so that another edge can import the table. Keep it like the passwords.
    #[arg(long)]
    hashes: bool,
    /// The file to write; it must not exist yet. Without it: standard output.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does what the command line says.
///
/// # Errors
/// Something could not be done at some edge; what could be has been.
pub async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let doors = Door::all(config)?;
    match command {
        Command::Issue(issue) => self::issue(&doors, issue).await,
        Command::Revoke(which) => revoke(&doors, which).await,
        Command::List(list) => self::list(&doors, list).await,
        Command::Import(import) => self::import(&doors, import).await,
        Command::Export(export) => self::export(&doors, export).await,
    }
}

async fn issue(doors: &[Door], issue: Issue) -> anyhow::Result<()> {
    let now = clock::now();
    let of = |key| -> anyhow::Result<Order> {
        let mut order = Order::new(key, now, issue.days);
        if !issue.channels.is_empty() {
            order.channels = Coverage::try_from(issue.channels.clone()).context("--channel")?;
        }
        (order.screens, order.locale, order.note) = (issue.screens, issue.locale.clone(), issue.note.clone());
        order.check()?;
        Ok(order)
    };
    let mut codes = Vec::new();
    let orders = match &issue.email {
        Some(email) => {
            let password = password(issue.password_file.as_deref())?;
            vec![of(Key::Password(email.clone(), password))?]
        }
        None => {
            codes = (0..issue.count).map(|_| order::fresh_code()).collect::<Result<Vec<_>, _>>()?;
            codes.iter().map(|code| of(Key::Code(code.pass_id()))).collect::<anyhow::Result<_>>()?
        }
    };
    let rows = orders.into_iter().map(|order| Ok(Row { line: 0, id: order.check()?, order }));
    let sent = send(doors, rows.collect::<anyhow::Result<Vec<_>>>()?).await?;
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    if issue.json {
        println!("{}", json!({ "codes": codes, "edges": sent.iter().map(Sent::json).collect::<Vec<_>>() }));
    } else {
        sent.iter().for_each(|sent| eprintln!("{sent}"));
        // A code that some edge took is good there: it is printed whatever the others said.
        codes.iter().for_each(|code| println!("{code}"));
    }
    all_done(&sent)
}

/// Never from the command line, which everybody on the machine can see.
fn password(file: Option<&Path>) -> anyhow::Result<Secret> {
    let len_max = password::LEN_MAX as u64 + 2;
    let mut text = String::new();
    if let Some(file) = file {
        let opened = File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
        let read = opened.take(len_max).read_to_string(&mut text);
        read.with_context(|| format!("{} can't be read", file.display()))?;
    } else if let Ok(password) = std::env::var("RAILBIRD_PASSWORD") {
        text = password;
    } else {
        eprintln!("password for the pass (end with Enter):");
        std::io::stdin().lock().take(len_max).read_line(&mut text)?;
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

async fn revoke(doors: &[Door], which: Which) -> anyhow::Result<()> {
    let id = match (which.email, which.id) {
        (Some(email), _) => {
            PassId::of_email(&email).with_context(|| format!("{email:?} is not an e-mail address"))?
        }
        (None, Some(id)) => id,
        (None, None) => bail!("give --email or --id"),
    };
    let (mut failed, mut known) = (0, false);
    for door in doors {
        let edge = door.edge();
        match door.revoke(&id).await {
            Ok(Told::Done) => println!("{edge}: the pass is taken back, and its sessions have ended"),
            Ok(Told::Kept) => {
                failed += 1;
                println!("{edge}: nothing was done: the pass was changed at this very moment; try again");
            }
            Ok(Told::Unknown) => {
                println!("{edge}: there is no such pass");
                continue;
            }
            Err(error) => {
                failed += 1;
                println!("{error:#}");
            }
        }
        known = true;
    }
    anyhow::ensure!(failed == 0, "{failed} of {} edges did not do it: run this again", doors.len());
    anyhow::ensure!(known, "no edge has such a pass");
    Ok(())
}

/// All passes of an edge.
async fn all(door: &Door, hashes: bool) -> anyhow::Result<Vec<Listed>> {
    let (mut passes, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = door.page(after.as_ref(), hashes).await?;
        passes.extend(page.passes);
        match page.next {
            Some(next) if after.as_ref().is_none_or(|after| *after < next) => after = Some(next),
            Some(_) => bail!("the edge {} lists in circles", door.edge()),
            None => return Ok(passes),
        }
    }
    bail!("the edge {} lists without end", door.edge())
}

async fn list(doors: &[Door], list: List) -> anyhow::Result<()> {
    let id = list
        .email
        .as_deref()
        .map(|email| PassId::of_email(email).with_context(|| format!("{email:?} is not an e-mail address")));
    let id = id.transpose()?;
    let (mut failed, mut json) = (0, BTreeMap::new());
    for door in doors {
        let found = match &id {
            Some(id) => door.one(id).await.map(|page| page.passes),
            None => all(door, false).await,
        };
        match found {
            Ok(passes) if list.json => _ = json.insert(door.edge(), passes),
            Ok(passes) => {
                println!("{}: {}", door.edge(), counted(passes.len(), "pass", "passes"));
                passes.iter().for_each(|listed| println!("{}", line(listed)));
            }
            Err(error) => {
                failed += 1;
                eprintln!("{error:#}");
            }
        }
    }
    if list.json {
        println!("{}", serde_json::to_string(&json)?);
    }
    anyhow::ensure!(failed == 0, "{failed} of {} edges could not be asked", doors.len());
    Ok(())
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// A pass in a line. What it says was checked by the edge, but is shown without control characters all the same.
fn line(Listed { id, pass }: &Listed) -> String {
    let who = match (&pass.email, &pass.code_hash) {
        (Some(email), _) => email.clone(),
        (None, Some(_)) => format!("code {}", id.as_str()),
        (None, None) => format!("address unknown {}", id.as_str()),
    };
    let text = format!(
        "  {who}  {}  {} to {}  {}{}{}{}",
        pass.channels.names().join(" "),
        pass.valid_from.iso8601(),
        pass.valid_until.iso8601(),
        counted(usize::from(pass.screens), "screen", "screens"),
        pass.locale.as_deref().map(|locale| format!("  {locale}")).unwrap_or_default(),
        if pass.revoked { "  taken back" } else { "" },
        pass.note.as_deref().map(|note| format!("  ({note})")).unwrap_or_default(),
    );
    text.chars().filter(|c| !c.is_control()).collect()
}

async fn import(doors: &[Door], import: Import) -> anyhow::Result<()> {
    let shown = import.file.display();
    let file = File::open(&import.file).with_context(|| format!("{shown} can't be read"))?;
    let rows = table::read(file, clock::now())
        .map_err(|problems| anyhow::anyhow!("{shown}: nothing was sent:\n{problems}"))?;
    if import.dry_run {
        println!("{shown}: {}, all good; nothing was sent", counted(rows.len(), "pass", "passes"));
        return Ok(());
    }
    let sent = send(doors, rows).await?;
    if import.json {
        println!("{}", json!({ "edges": sent.iter().map(Sent::json).collect::<Vec<_>>() }));
    } else {
        sent.iter().for_each(|sent| println!("{sent}"));
    }
    all_done(&sent)
}

/// What became of passes at an edge.
#[derive(Debug)]
struct Sent {
    edge: String,
    done: usize,
    /// The edge has newer ones: the lines of the table.
    kept: Vec<u64>,
    /// The lines and why not.
    failed: Vec<(u64, String)>,
}

impl Sent {
    fn json(&self) -> Value {
        let failed = self.failed.iter().map(|(line, why)| json!({"line": line, "reason": why}));
        json!({"edge": self.edge, "done": self.done, "kept": self.kept, "failed": failed.collect::<Vec<_>>()})
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} issued", self.edge, self.done)?;
        if !self.kept.is_empty() {
            write!(f, ", {} left as they are, since they were changed at this very moment", self.kept.len())?;
        }
        for (line, why) in &self.failed {
            // A pass that stood in no table has no line.
            let at = if *line == 0 { String::new() } else { format!("line {line}: ") };
            write!(f, "\n  {at}{why}")?;
        }
        Ok(())
    }
}

fn all_done(sent: &[Sent]) -> anyhow::Result<()> {
    let failed = sent.iter().filter(|sent| !sent.failed.is_empty() || !sent.kept.is_empty()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} edges did not take everything: run this again", sent.len());
    Ok(())
}

/// Makes all passes, then gives them to every edge.
async fn send(doors: &[Door], rows: Vec<Row>) -> anyhow::Result<Vec<Sent>> {
    let lines: Vec<u64> = rows.iter().map(|row| row.line).collect();
    let orders: Vec<Order> = rows.into_iter().map(|row| row.order).collect();
    let made = spawn_blocking(move || order::make_all(&orders)).await??;
    let passes: Arc<[(u64, Pass)]> =
        lines.into_iter().zip(made).map(|(line, (_, pass))| (line, pass)).collect();
    let mut sent = Vec::new();
    for door in doors {
        sent.push(send_to(door, &passes).await);
    }
    Ok(sent)
}

/// Gives passes to an edge, a few at a time. What can't be sent once is not tried again: to give a pass twice does no harm,
/// so that the whole command can be run again.
async fn send_to(door: &Door, passes: &Arc<[(u64, Pass)]>) -> Sent {
    let mut sent = Sent { edge: door.edge().to_string(), done: 0, kept: Vec::new(), failed: Vec::new() };
    let mut under_way = JoinSet::new();
    let mut next = 0..passes.len();
    loop {
        // An edge that failed so often in a row is not there: the rest would only take long.
        let gone = sent.done == 0 && sent.kept.is_empty() && sent.failed.len() >= TOGETHER;
        while under_way.len() < TOGETHER && !gone {
            let Some(n) = next.next() else { break };
            let (door, passes) = (door.clone(), Arc::clone(passes));
            under_way.spawn(async move {
                let told = match passes.get(n) {
                    Some((_, pass)) => door.put(pass).await,
                    None => Ok(Told::Unknown),
                };
                (n, told)
            });
        }
        let Some(joined) = under_way.join_next().await else { break };
        let Ok((n, told)) = joined else { continue };
        let line = passes.get(n).map_or(0, |(line, _)| *line);
        match told {
            Ok(Told::Done) => sent.done += 1,
            Ok(Told::Kept) => sent.kept.push(line),
            Ok(Told::Unknown) => sent.failed.push((line, "the edge does not know this address".to_string())),
            Err(error) => sent.failed.push((line, format!("{error:#}"))),
        }
    }
    let left = next.len();
    sent.kept.sort_unstable();
    sent.failed.sort();
    if left > 0 {
        sent.failed.push((0, format!("{left} more were not sent")));
    }
    sent
}

async fn export(doors: &[Door], export: Export) -> anyhow::Result<()> {
    let door = match &export.edge {
        Some(url) => doors.iter().find(|door| door.edge() == url.trim_end_matches('/')),
        None => doors.first(),
    };
    let known = || doors.iter().map(Door::edge).collect::<Vec<_>>().join(", ");
    let door = door.with_context(|| format!("--edge must be one of {}", known()))?;
    let passes = all(door, export.hashes).await?;
    let (whole, nameless): (Vec<&Listed>, Vec<&Listed>) =
        passes.iter().partition(|listed| listed.pass.email.is_some() || listed.pass.code_hash.is_some());
    match &export.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let mut file = file.with_context(|| format!("{} can't be made", path.display()))?;
            write(&mut file, &whole, export.hashes)?;
            file.sync_all()?;
            eprintln!("{}: {} of {}", path.display(), counted(whole.len(), "pass", "passes"), door.edge());
        }
        None => write(std::io::stdout().lock(), &whole, export.hashes)?,
    }
    if !nameless.is_empty() {
        eprintln!(
            "left out: {} that an earlier version kept without the address; issue them again to have them",
            counted(nameless.len(), "pass", "passes")
        );
    }
    Ok(())
}

fn write(to: impl Write, passes: &[&Listed], hashes: bool) -> anyhow::Result<()> {
    let mut writer = table::Writer::new(to)?;
    for listed in passes {
        writer.add(&listed.pass, hashes)?;
    }
    Ok(writer.finish()?)
}
