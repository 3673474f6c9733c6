//! What reaches targets and viewers while other targets fail, and what each target costs: the real origin as a process,
//! with encoders, stores and viewers in this one.

mod blackhole;
mod costs;
mod death;
mod encoder;
mod latency;
mod outage;
mod peers;
mod viewer;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::encoder::{Clip, Encoder};
use crate::Place;
use crate::origin::Origin;

/// Between two looks at what takes its time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long anything may take before a figure is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Measures and prints.
type Part = fn(&Place) -> Result<()>;

/// The figures, by name.
const PARTS: [(&str, Part); 6] = [
    ("black-hole", blackhole::run),
    ("outage", outage::run),
    ("death", death::run),
    ("costs", costs::run),
    ("peers", peers::run),
    (ALONE, peers::alone),
];

/// A part of another one.
const ALONE: &str = "alone";

/// All of them, or one.
pub(crate) fn run(place: &Place, part: Option<&str>) -> Result<()> {
    let is_wanted = |name| part.map_or(name != ALONE, |part| part == name);
    let wanted: Vec<_> = PARTS.iter().filter(|(name, _)| is_wanted(*name)).collect();
    ensure!(!wanted.is_empty(), "there is no such part");
    for (n, (_, run)) in wanted.into_iter().enumerate() {
        if n > 0 {
            println!();
        }
        run(place)?;
    }
    Ok(())
}

/// An encoder for each channel, the starts spread over `over`, so that segments don't end together.
fn encoders(origin: &Origin, clip: &Arc<Clip>, channels: usize, over: Duration) -> Vec<Encoder> {
    (0..channels).map(|n| Encoder::start(clip, origin.rtmp, n, after(n, channels, over))).collect()
}

/// When the n-th of so many starts, where the starts are spread over `over`.
fn after(n: usize, count: usize, over: Duration) -> Duration {
    over * u32::try_from(n).unwrap_or(0) / u32::try_from(count).unwrap_or(1).max(1)
}

/// Lets time pass while every encoder runs.
fn pass(encoders: &mut [Encoder], time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        encoders.iter_mut().try_for_each(Encoder::check)?;
        thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

/// Waits until there is something; gives when, too.
fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<(T, Instant)> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().with_context(|| what.to_owned())? {
            return Ok((found, Instant::now()));
        }
        ensure!(began.elapsed() < PATIENCE, "in {} s, never: {what}", PATIENCE.as_secs());
        thread::sleep(LOOK_EVERY);
    }
}
