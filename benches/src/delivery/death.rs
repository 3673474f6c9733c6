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
const TURNS: u32 = 3;

/// How long a node is dead.
const DEAD: Duration = Duration::from_secs(20);

/// Who asked a node so shortly before its death is one of its viewers.
const LATELY: Duration = Duration::from_secs(4);

/// Deaths come at different moments of a segment.
const SHIFT: Duration = Duration::from_millis(370);

/// A death, and when each of the node's viewers asked it last.
struct Death {
    last: Vec<Duration>,
    /// How many of those viewers never asked it again.
    never: usize,
    /// Requests that failed, of all viewers.
    failed: usize,
}

pub(super) fn run(place: &Place) -> Result<()> {
    let clip = Arc::new(Clip::read(&input::small(&place.work)?, ROUND_MS)?);
    let dir = place.work.join("death");
    let stores = [Store::start()?, Store::start()?];
    let component = Some(place.component.as_path());
    let plan = Plan { channels: 1, component, stores: &stores, origin_lines: "", target_lines: "" };
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
    let (mut refused, mut silent) = (Vec::new(), Vec::new());
    for turn in 0..TURNS * 2 {
        let store = &stores[usize::from(turn % 2 == 1)];
        for (n, (mode, deaths)) in
            [(Mode::Refusing, &mut refused), (Mode::Silent, &mut silent)].into_iter().enumerate()
        {
            home(&mut encoders, &mut viewers, &stores)?;
            pass(&mut encoders, SHIFT * (turn * 2 + n as u32))?;
            deaths.push(die(&mut encoders, &mut viewers, store, mode)?);
        }
    }
    drop((viewers, encoders, origin));
    let _ = std::fs::remove_dir_all(&dir);
    println!(
        "death of a node and its target: {VIEWERS} viewers on two nodes, segments of 2 s, {} deaths of each kind; from the \
         death to the last request for it, over the node's viewers",
        TURNS * 2
    );
    print("nobody listens", &refused);
    print("a black hole", &silent);
    Ok(())
}

fn check(viewers: &mut [Viewer]) -> Result<()> {
    viewers.iter_mut().try_for_each(Viewer::check)
}

/// Waits until viewers are spread over both nodes again, as they are when all is well.
fn home(encoders: &mut [Encoder], viewers: &mut [Viewer], stores: &[Store; 2]) -> Result<()> {
    let begun = Instant::now();
    until("viewers are back at both nodes", || {
        encoders.iter_mut().try_for_each(Encoder::check)?;
        check(viewers)?;
        let newest: Vec<Asked> = viewers.iter().filter_map(|viewer| viewer.asked().last().copied()).collect();
        let at = |store: &Store| {
            let there = |asked: &&Asked| asked.port == store.addr().port() && asked.good && asked.at > begun;
            newest.iter().filter(there).count()
        };
        let counts = stores.each_ref().map(at);
        Ok((counts.iter().sum::<usize>() == VIEWERS && counts.iter().all(|count| *count >= VIEWERS / 4))
            .then_some(()))
    })?;
    Ok(())
}

fn die(encoders: &mut [Encoder], viewers: &mut [Viewer], store: &Store, mode: Mode) -> Result<Death> {
    let died = store.set(mode)?;
    pass(encoders, DEAD)?;
    check(viewers)?;
    store.set(Mode::Well)?;
    let mut death = Death { last: Vec::new(), never: 0, failed: 0 };
    for viewer in viewers {
        let asked = viewer.asked();
        let here = || asked.iter().filter(|asked| asked.port == store.addr().port());
        death.failed +=
            asked.iter().filter(|asked| asked.at >= died && asked.at < died + DEAD && !asked.good).count();
        let before = here().rfind(|asked| asked.at < died);
        if before.is_none_or(|before| died - before.at > LATELY) {
            continue;
        }
        match here().rfind(|asked| asked.at >= died && asked.at < died + DEAD) {
            Some(last) => death.last.push(last.at - died),
            None => death.never += 1,
        }
    }
    let latest = death.last.iter().max().context("the node had no viewers that noticed")?;
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
        &format!("p99 {}, all {}; no aim; of {count}, {never} more never asked it", s(p99), s(max)),
    );
    let each: Vec<String> = deaths
        .iter()
        .map(|death| death.last.iter().max().map_or(f64::NAN, Duration::as_secs_f64))
        .map(|last| format!("{last:.2}"))
        .collect();
    let a_viewer = failed as f64 / (count + never).max(1) as f64;
    println!(
        "    last of all after each death, in s: {}; {a_viewer:.1} failed requests a viewer of the node",
        each.join(", ")
    );
}
