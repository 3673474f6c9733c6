//! What a target that takes connections and never answers adds to the way of a segment, and of a part of a low-latency
//! channel, to another target.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::encoder::{Clip, Encoder};
use super::latency::{Sample, Spread, Unit, ms, samples, segment};
use super::{encoders, pass, until};
use crate::origin::{Origin, Plan};
use crate::process::median;
use crate::store::{Mode, Store};
use crate::{Place, figure, input};

const CHANNELS: usize = 8;

/// As long as a group of pictures of the clip.
const SEGMENT: Duration = Duration::from_secs(1);

/// A part, in pictures of the clip and in milliseconds, rounded up.
const PART: (usize, u32) = (10, 334);

/// The clip's length, in milliseconds.
const ROUND_MS: u64 = 20_000;

/// How often both stages are gone through.
const TURNS: usize = 8;

/// How long each stage is.
const STAGE: Duration = Duration::from_secs(16);

/// What belongs to no stage: after each change, until all has settled.
const SETTLE: Duration = Duration::from_secs(3);

/// A stretch of time in which one thing was so.
struct Stage {
    what: What,
    from: Instant,
    to: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Well,
    /// The other target is a black hole.
    Silent,
    /// The other target gets what it lacks.
    Back,
}

/// The same origin with channels of either kind: segments, and segments with parts.
pub(super) fn run(place: &Place) -> Result<()> {
    measure(place, Unit::Segment)?;
    println!();
    measure(place, Unit::Part { pictures: PART.0 })
}

fn measure(place: &Place, unit: Unit) -> Result<()> {
    let clip = Arc::new(Clip::read(&input::small(&place.work)?, ROUND_MS)?);
    let dir = place.work.join("black-hole");
    let stores = [Store::start()?, Store::start()?];
    let origin_lines = format!("segment_ms = {}", SEGMENT.as_millis());
    let channel_lines = match unit {
        Unit::Segment => String::new(),
        Unit::Part { .. } => format!("low_latency = true\npart_ms = {}", PART.1),
    };
    let plan =
        Plan { origin_lines: &origin_lines, channel_lines: &channel_lines, ..Plan::new(CHANNELS, &stores) };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    let mut encoders = encoders(&origin, &clip, CHANNELS, SEGMENT);
    pass(&mut encoders, SEGMENT * 5)?;
    let mut stages = Vec::new();
    for _ in 0..TURNS {
        stages.push(stage(&mut encoders, What::Well)?);
        stores[1].set(Mode::Silent)?;
        // From its first moment on: that is when puts hang that nobody knows to be lost.
        stages.push(stage(&mut encoders, What::Silent)?);
        stores[1].set(Mode::Well)?;
        stages.push(recovery(&mut encoders, &stores)?);
        pass(&mut encoders, SETTLE)?;
    }
    let of = samples(&encoders, &stores[0], unit)?;
    drop((encoders, origin));
    let _ = std::fs::remove_dir_all(&dir);
    print(&stages, &of, unit);
    Ok(())
}

fn stage(encoders: &mut [Encoder], what: What) -> Result<Stage> {
    let from = Instant::now();
    pass(encoders, STAGE)?;
    Ok(Stage { what, from, to: Instant::now() })
}

/// Until the second store has all segments that the first had when this began. Parts are gone before they could be missed.
fn recovery(encoders: &mut [Encoder], stores: &[Store; 2]) -> Result<Stage> {
    let from = Instant::now();
    let names = stores[0].arrived().into_iter().map(|arrived| arrived.name);
    let wanted: Vec<String> = names.filter(|name| segment(name).is_some()).collect();
    let ((), to) = until("the black hole gives way", || {
        encoders.iter_mut().try_for_each(Encoder::check)?;
        let there = stores[1].arrived();
        let has = |name: &String| there.binary_search_by(|arrived| arrived.name.cmp(name)).is_ok();
        Ok(wanted.iter().all(has).then_some(()))
    })?;
    ensure!(to > from, "time stands still");
    Ok(Stage { what: What::Back, from, to })
}

fn print(stages: &[Stage], samples: &[Sample], unit: Unit) {
    let (objects, object) = match unit {
        Unit::Segment => (format!("segments of {} s", SEGMENT.as_secs()), "a segment"),
        Unit::Part { .. } => {
            (format!("segments of {} s in parts of {} ms", SEGMENT.as_secs(), PART.1), "a part")
        }
    };
    println!(
        "black hole: {CHANNELS} channels at 2 Mb/s, {objects}, two targets; from {object}'s last picture sent to its put \
         answered at the target that is well"
    );
    let within = |stage: &Stage, sample: &Sample| stage.from <= sample.sent && sample.sent < stage.to;
    let of = |what: What| -> Vec<Vec<f64>> {
        let took = |stage: &Stage| {
            samples.iter().filter(|sample| within(stage, sample)).map(|sample| sample.took).collect()
        };
        stages.iter().filter(|stage| stage.what == what).map(took).collect()
    };
    let (well, silent, back) = (of(What::Well), of(What::Silent), of(What::Back));
    let own = samples
        .iter()
        .filter(|sample| stages.iter().any(|stage| stage.what == What::Well && within(stage, sample)));
    let Spread { p50, p99, max, .. } = Spread::of(own.map(|sample| sample.own));
    let text = format!("p99 {}, at most {}", ms(p99), ms(max));
    figure("both well: from the picture and the sound that end it on", &ms(p50), &text);
    for (what, stages) in
        [("both well", &well), ("the other a black hole", &silent), ("the other catching up", &back)]
    {
        let Spread { count, p50, p99, max } = Spread::of(stages.iter().flatten().copied());
        figure(
            &format!("{what}: latency, p50"),
            &ms(p50),
            &format!("p99 {}, at most {}, of {count}", ms(p99), ms(max)),
        );
        let each = stages.iter().map(|stage| Spread::of(stage.iter().copied()));
        let each: Vec<String> =
            each.map(|spread| format!("{:.0}/{:.0}", spread.p50 * 1e3, spread.p99 * 1e3)).collect();
        println!("    p50/p99 of each stage, in ms: {}", each.join(", "));
    }
    // A moment in which the machine does something else makes the slowest hundredth of a stage, and of all stages together:
    // the median stage knows little of it.
    let median_of = |stages: &[Vec<f64>], part: fn(&Spread) -> f64| {
        median(stages.iter().map(|stage| part(&Spread::of(stage.iter().copied()))).collect())
    };
    for (what, part) in [("p50", (|spread| spread.p50) as fn(&Spread) -> f64), ("p99", |spread| spread.p99)] {
        let (before, with) = (median_of(&well, part), median_of(&silent, part));
        let all = |stages: &[Vec<f64>]| part(&Spread::of(stages.iter().flatten().copied()));
        figure(
            &format!("a black hole adds, {what}"),
            &ms(with - before),
            &format!(
                "aim: none; {} and {}, medians of the stages; all together {} and {}",
                ms(before),
                ms(with),
                ms(all(&well)),
                ms(all(&silent))
            ),
        );
    }
}
