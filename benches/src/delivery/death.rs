//! From a node's death to the last request for it, by viewers that go where the edge's playlists say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::encoder::{Clip, Encoder};
use super::latency::Spread;
use super::viewer::{Asked, Viewer};
use super::{encoders, pass, until};
use crate::client::Client;
use crate::origin::{Origin, Plan, channel};
use crate::store::{Mode, Store};
use crate::{Place, figure, input, session};

const VIEWERS: usize = 80;

/// The clip's length, in milliseconds.
const ROUND_MS: u64 = 20_000;

/// How often each node dies each way.
const TURNS: u32 = 2;

/// How long a node is dead.
const DEAD: Duration = Duration::from_secs(12);

/// Deaths come at different moments of a segment.
const SHIFT: Duration = Duration::from_millis(530);

/// The ways to die.
const WAYS: [(&str, Mode, bool); 4] = [
    ("the node refuses, its target is well", Mode::Refusing, false),
    ("the node is a black hole, its target is well", Mode::Silent, false),
    ("node and target refuse", Mode::Refusing, true),
    ("node and target are a black hole", Mode::Silent, true),
];

/// A death, and when each of the node's viewers asked it last: zero for who never asked it again.
struct Death {
    last: Vec<Duration>,
    /// How many those are.
    never: usize,
    /// Requests of them that failed.
    failed: usize,
}

pub(super) fn run(place: &Place) -> Result<()> {
    let clip = Arc::new(Clip::read(&input::small(&place.work)?, ROUND_MS)?);
    let dir = place.work.join("death");
    let stores = [Store::start()?, Store::start()?];
    let nodes = [stores[0].door()?, stores[1].door()?];
    let plan = Plan { component: Some(&place.component), nodes: &nodes, ..Plan::new(1, &stores) };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    let mut encoders = encoders(&origin, &clip, 1, Duration::ZERO);
    // Long enough that players have something to begin with.
    pass(&mut encoders, Duration::from_secs(12))?;
    let edge = origin.edge.to_string();
    let mut client = Client::connect(&edge)?;
    session::issue(&mut client)?;
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        viewers.push(Viewer::start(&edge, session::login(&mut client)?, &channel(0)));
    }
    let mut deaths = WAYS.map(|_| Vec::new());
    for turn in 0..TURNS * 2 {
        let at = usize::from(turn % 2 == 1);
        for ((_, mode, target_too), deaths) in WAYS.iter().zip(&mut deaths) {
            home(&mut encoders, &mut viewers, &nodes)?;
            pass(&mut encoders, SHIFT * turn)?;
            let target = target_too.then_some(&stores[at]);
            deaths.push(die(&mut encoders, &mut viewers, &nodes[at], target, *mode)?);
        }
    }
    drop((viewers, encoders, origin));
    let _ = std::fs::remove_dir_all(&dir);
    println!(
        "death of a node: {VIEWERS} viewers on two nodes, segments of 2 s, {} deaths of each kind; from the death to the last \
         request for it, over the node's viewers",
        TURNS * 2
    );
    for ((what, _, _), deaths) in WAYS.iter().zip(&deaths) {
        print(what, deaths);
    }
    Ok(())
}

fn check(viewers: &mut [Viewer]) -> Result<()> {
    viewers.iter_mut().try_for_each(Viewer::check)
}

/// Waits until viewers are spread over both nodes again, as they are when all is well.
fn home(encoders: &mut [Encoder], viewers: &mut [Viewer], nodes: &[Store; 2]) -> Result<()> {
    let begun = Instant::now();
    until("viewers are back at both nodes", || {
        encoders.iter_mut().try_for_each(Encoder::check)?;
        check(viewers)?;
        let newest: Vec<Asked> = viewers.iter().filter_map(|viewer| viewer.asked().last().copied()).collect();
        let at = |node: &Store| {
            let there = |asked: &&Asked| asked.port == node.addr().port() && asked.good && asked.at > begun;
            newest.iter().filter(there).count()
        };
        let counts = nodes.each_ref().map(at);
        Ok((counts.iter().sum::<usize>() == VIEWERS && counts.iter().all(|count| *count >= VIEWERS / 4))
            .then_some(()))
    })?;
    Ok(())
}

/// Lets a node die, and its target where one is given; and live again.
fn die(
    encoders: &mut [Encoder],
    viewers: &mut [Viewer],
    node: &Store,
    target: Option<&Store>,
    mode: Mode,
) -> Result<Death> {
    target.map(|target| target.set(mode)).transpose()?;
    let died = node.set(mode)?;
    pass(encoders, DEAD)?;
    check(viewers)?;
    node.set(Mode::Well)?;
    target.map(|target| target.set(Mode::Well)).transpose()?;
    let mut death = Death { last: Vec::new(), never: 0, failed: 0 };
    for viewer in viewers {
        let asked = viewer.asked();
        let here = |asked: &&Asked| asked.port == node.addr().port();
        if !asked.iter().rfind(|asked| asked.at < died).is_some_and(|asked| here(&asked)) {
            continue;
        }
        let since = || asked.iter().filter(|asked| asked.at >= died && asked.at < died + DEAD);
        death.failed += since().filter(|asked| !asked.good).count();
        match since().rfind(here) {
            Some(last) => death.last.push(last.at - died),
            None => {
                death.last.push(Duration::ZERO);
                death.never += 1;
            }
        }
    }
    ensure!(death.last.len() >= VIEWERS / 5, "the node had only {} viewers", death.last.len());
    let latest = death.last.iter().max().context("the node had no viewers")?;
    ensure!(*latest < DEAD * 3 / 4, "viewers still ask the dead node after {} s", latest.as_secs());
    Ok(death)
}

fn print(what: &str, deaths: &[Death]) {
    let seconds = || deaths.iter().flat_map(|death| death.last.iter().map(Duration::as_secs_f64));
    let Spread { count, p50, p99, max } = Spread::of(seconds());
    let (never, failed) = deaths.iter().fold((0, 0), |(n, f), death| (n + death.never, f + death.failed));
    let s = |seconds: f64| format!("{seconds:.2} s");
    figure(
        &format!("{what}: last request, p50"),
        &s(p50),
        &format!("p99 {}, all {}; no aim; of {count}, {never} of whom asked it no more", s(p99), s(max)),
    );
    let each: Vec<String> = deaths
        .iter()
        .map(|death| death.last.iter().max().map_or(f64::NAN, Duration::as_secs_f64))
        .map(|last| format!("{last:.2}"))
        .collect();
    let a_viewer = failed as f64 / count.max(1) as f64;
    println!(
        "    last of all after each death, in s: {}; {a_viewer:.1} failed requests a viewer of the node",
        each.join(", ")
    );
}
