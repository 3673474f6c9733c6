//! How long a target needs to catch up an outage of ten minutes.
//!
//! The ten minutes are media time: the encoders send them faster than they happened, and are back at real speed when the
//! target is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::encoder::{Clip, Encoder};
use super::latency::{Sample, Spread, Unit, ms, samples, segment};
use super::{encoders, pass, until};
use crate::origin::{Origin, Plan};
use crate::store::{Mode, Store};
use crate::{Place, figure, input};

/// Together at 8 Mb/s, as one channel in full.
const CHANNELS: usize = 4;

/// As long as a group of pictures of the clip.
const SEGMENT: Duration = Duration::from_secs(1);

/// The clip's length, in milliseconds.
const ROUND_MS: u64 = 20_000;

/// How long the target is away, in milliseconds of media time.
const OUTAGE_MS: u64 = 600_000;

/// How much faster than real time they are sent.
const SPEED: u32 = 15;

/// How long all is well, before.
const BEFORE: Duration = Duration::from_secs(30);

pub(super) fn run(place: &Place) -> Result<()> {
    let clip = Arc::new(Clip::read(&input::small(&place.work)?, ROUND_MS)?);
    println!(
        "outage: {CHANNELS} channels at 2 Mb/s, segments of {} s; one of two targets refuses connections for {} s of media",
        SEGMENT.as_secs(),
        OUTAGE_MS / 1000
    );
    // The default, and no bound.
    for mbps in [100, 0] {
        one(place, &clip, mbps)?;
    }
    Ok(())
}

fn one(place: &Place, clip: &Arc<Clip>, mbps: u32) -> Result<()> {
    let dir = place.work.join("outage");
    let stores = [Store::start()?, Store::start()?];
    let plan = Plan {
        origin_lines: &format!("segment_ms = {}", SEGMENT.as_millis()),
        target_lines: &format!("backfill_mbps = {mbps}"),
        ..Plan::new(CHANNELS, &stores)
    };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    let mut encoders = encoders(&origin, clip, CHANNELS, SEGMENT);
    pass(&mut encoders, BEFORE)?;

    let gone = stores[1].set(Mode::Refusing)?;
    let begun: Vec<u64> = encoders.iter().map(Encoder::sent_ms).collect();
    for encoder in &encoders {
        encoder.speed(SPEED);
    }
    for (n, begun) in begun.iter().enumerate() {
        until("ten minutes are sent", || {
            encoders.iter_mut().try_for_each(Encoder::check)?;
            let Some(encoder) = encoders.get(n) else { return Ok(None) };
            let over = encoder.sent_ms() >= begun + OUTAGE_MS;
            Ok(over.then(|| encoder.speed(1)))
        })?;
    }
    // What is on its way to the healthy one is not waited for: the backlog ends where the target comes back.
    let back = stores[1].set(Mode::Well)?;
    let lacks = lacking(&stores, None);
    let (backlog, backlog_len) = (lacks.len(), lacks.iter().map(|(_, len)| len).sum::<u64>());
    ensure!(backlog > 0, "nothing was missed");
    let ((), caught_up) = until("the target has everything", || {
        encoders.iter_mut().try_for_each(Encoder::check)?;
        Ok(lacking(&stores, Some(&lacks)).is_empty().then_some(()))
    })?;
    let first = stores[1].arrived().into_iter().map(|arrived| arrived.at).filter(|at| *at > back).min();
    pass(&mut encoders, SEGMENT * 5)?;
    let (at_a, at_b) =
        (samples(&encoders, &stores[0], Unit::Segment)?, samples(&encoders, &stores[1], Unit::Segment)?);
    let ends: usize = encoders.iter().map(|encoder| encoder.ends(Unit::Segment).len()).sum();
    drop((encoders, origin));
    let _ = std::fs::remove_dir_all(&dir);

    let bound = if mbps == 0 { "no bound".to_string() } else { format!("{mbps} Mb/s, the default") };
    println!("backfill_mbps: {bound}");
    println!(
        "    {backlog} objects, {:.0} MB, were missed; the first came {:.1} s after the target was back; \
         {} of {ends} segments made are at the healthy target",
        backlog_len as f64 / 1e6,
        first.map_or(f64::NAN, |first| (first - back).as_secs_f64()),
        at_a.len(),
    );
    let took = (caught_up - back).as_secs_f64();
    let rate = backlog_len as f64 * 8.0 / 1e6 / took;
    figure(
        "caught up after",
        &format!("{took:.1} s"),
        &format!("{rate:.0} Mb/s of backlog on average; no aim"),
    );
    let live = first.unwrap_or(back);
    // What was on its way when the target went is no longer live when it is back.
    let gone = gone.checked_sub(SEGMENT * 2).unwrap_or(gone);
    shown("at the healthy target, before", &at_a, None, gone);
    shown("at the healthy target, catching up", &at_a, Some(live), caught_up);
    shown("at the target itself, before", &at_b, None, gone);
    shown("at the target itself, catching up", &at_b, Some(live), caught_up);
    Ok(())
}

/// What was sent since `from` and before `to`.
fn shown(what: &str, samples: &[Sample], from: Option<Instant>, to: Instant) {
    let within = |sample: &&Sample| from.is_none_or(|from| from <= sample.sent) && sample.sent < to;
    let Spread { count, p50, p99, max } = Spread::of(samples.iter().filter(within).map(|sample| sample.took));
    let rest = format!("p99 {}, at most {}, of {count}", ms(p99), ms(max));
    figure(&format!("live segments {what}: latency, p50"), &ms(p50), &rest);
}

/// The segments that the second store lacks of those that the first has, or of these: names and lengths.
fn lacking(stores: &[Store; 2], of: Option<&[(String, u64)]>) -> Vec<(String, u64)> {
    let there = stores[1].arrived();
    let lacks = |name: &str| there.binary_search_by(|arrived| arrived.name.as_str().cmp(name)).is_err();
    match of {
        Some(of) => of.iter().filter(|(name, _)| lacks(name)).cloned().collect(),
        None => {
            let all = stores[0].arrived().into_iter().filter(|arrived| segment(&arrived.name).is_some());
            all.filter(|arrived| lacks(&arrived.name)).map(|arrived| (arrived.name, arrived.len)).collect()
        }
    }
}
