//! What goes wrong.

use super::disk;
use super::target;
use super::world::{Event, Gone, World};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// An encoder brings nothing; it may send later what it kept.
    Stall { encoder: usize },
    /// An encoder is restarted.
    Encoder { encoder: usize },
    /// An encoder's clock jumps.
    Jump { encoder: usize },
    /// The connection of an encoder to an origin is lost.
    Link { encoder: usize, origin: usize },
    /// An encoder ends what it sends to one origin.
    End { encoder: usize, origin: usize },
    /// The venue's uplink: every connection to an origin is lost, or to every origin.
    Uplink { origin: Option<usize> },
    /// A target fails.
    Target { target: usize },
    /// Origins can't read what a target has.
    Reads { target: usize },
    /// An origin is killed.
    Crash { origin: usize },
    /// An origin is stopped in order.
    Stop { origin: usize },
    /// An origin's disk fails.
    Disk { origin: usize },
    /// An origin's wall clock is set, and later set right.
    Clock { origin: usize },
    /// The store where two origins meet can't be reached.
    Pair,
    /// Pushes to the edge are lost.
    Pushes,
}

impl Fault {
    pub(super) fn any(world: &mut World) -> Fault {
        let (encoders, origins, targets) = (world.encoders.len(), world.origins.len(), world.targets.len());
        let rng = &mut world.rng;
        let (encoder, origin) = (rng.pick(encoders), rng.pick(origins));
        match rng.range(0, 23) {
            0 | 1 => Fault::Stall { encoder },
            2 => Fault::Encoder { encoder },
            3 if !world.gentle => Fault::Jump { encoder },
            4 | 5 => Fault::Link { encoder, origin },
            6..=8 => Fault::Target { target: rng.pick(targets) },
            9 | 10 if !world.gentle => Fault::Crash { origin },
            11 if !world.gentle => Fault::Disk { origin },
            12 => Fault::Pair,
            14..=16 => Fault::Uplink { origin: rng.one_in(2).then_some(origin) },
            17 => Fault::Stop { origin },
            20 => Fault::End { encoder, origin },
            21 | 22 => Fault::Reads { target: rng.pick(targets) },
            13 if world.clocks => Fault::Clock { origin },
            _ => Fault::Pushes,
        }
    }

    pub(super) fn begin(self, world: &mut World) {
        match self {
            Fault::Stall { encoder } => {
                let keeps = world.rng.one_in(2);
                let encoder = &mut world.encoders[encoder];
                (encoder.silent_until, encoder.keeps) = (u64::MAX, keeps);
            }
            Fault::Encoder { encoder } => {
                let noticed = !world.rng.one_in(4);
                let gone = if world.rng.one_in(2) { Gone::Ended } else { Gone::Lost };
                let gone = if noticed { gone } else { Gone::Unnoticed };
                (0..world.origins.len()).for_each(|origin| world.disconnect(encoder, origin, gone));
            }
            Fault::Jump { encoder } => {
                let by = world.rng.range(0, 7_200_000) as i64 - 3_600_000;
                let by = if world.rng.one_in(2) { by / 300 } else { by };
                world.encoders[encoder].clock_ms += by;
            }
            Fault::Link { encoder, origin } => {
                let keeps = world.rng.one_in(2);
                world.lose(encoder, origin, keeps);
            }
            Fault::End { encoder, origin } => world.disconnect(encoder, origin, Gone::Ended),
            Fault::Uplink { origin } => {
                let keeps = world.rng.one_in(3);
                for encoder in 0..world.encoders.len() {
                    for at in (0..world.origins.len()).filter(|at| origin.is_none_or(|origin| origin == *at))
                    {
                        world.lose(encoder, at, keeps);
                    }
                }
            }
            Fault::Stop { origin } => {
                if world.origins[origin].run.is_some() {
                    world.with(origin, |origin, around| origin.stop(around));
                    world.shown.stops += 1;
                }
                world.encoders.iter_mut().for_each(|encoder| encoder.links[origin] = None);
            }
            Fault::Target { target } => {
                let mood = target::Mood::BAD[world.rng.pick(target::Mood::BAD.len())];
                world.targets[target].mood = mood;
            }
            Fault::Reads { target } => world.targets[target].mute = true,
            Fault::Crash { origin } => {
                let World { rng, origins, .. } = world;
                origins[origin].crash(rng);
                world.shown.crashes += 1;
                world.encoders.iter_mut().for_each(|encoder| encoder.links[origin] = None);
            }
            Fault::Disk { origin } => {
                let mood = disk::Mood::BAD[world.rng.pick(disk::Mood::BAD.len())];
                world.origins[origin].disk.mood = mood;
            }
            Fault::Clock { origin } => {
                let by = world.rng.range(0, 7_200_000) as i64 - 3_600_000;
                world.origins[origin].wall_ms = by;
            }
            Fault::Pair => world.soon.pair_lost = true,
            Fault::Pushes => world.pushes_lost = true,
        }
    }

    pub(super) fn lift(self, world: &mut World) -> Result<(), String> {
        match self {
            Fault::Stall { encoder } => world.encoders[encoder].silent_until = 0,
            Fault::Encoder { encoder } => {
                // Another fault may have let it connect meanwhile.
                (0..world.origins.len()).for_each(|origin| world.disconnect(encoder, origin, Gone::Lost));
                let now = world.now();
                let World { rng, encoders, .. } = world;
                encoders[encoder].restart(now, rng);
                for origin in 0..world.origins.len() {
                    let after = world.rng.range(0, 500);
                    world.connect_after(encoder, origin, after);
                }
            }
            Fault::Jump { .. } => {}
            Fault::Link { encoder, origin } | Fault::End { encoder, origin } => {
                world.connect_after(encoder, origin, 0);
            }
            Fault::Uplink { origin } => {
                for encoder in 0..world.encoders.len() {
                    for at in (0..world.origins.len()).filter(|at| origin.is_none_or(|origin| origin == *at))
                    {
                        let after = world.rng.range(0, 500);
                        world.connect_after(encoder, at, after);
                    }
                }
            }
            Fault::Stop { origin } if world.origins[origin].stopping.is_some() => {
                world.soon.after(100, Event::Lift(self));
            }
            Fault::Target { target } => world.targets[target].mood = target::Mood::Well,
            Fault::Reads { target } => world.targets[target].mute = false,
            Fault::Crash { origin } | Fault::Stop { origin } => {
                // It may have been killed twice, and started once.
                if world.origins[origin].run.is_some() {
                    return Ok(());
                }
                world.with(origin, |origin, around| origin.start(around))?;
                for encoder in 0..world.encoders.len() {
                    let after = world.rng.range(50, 3_000);
                    world.connect_after(encoder, origin, after);
                }
            }
            Fault::Disk { origin } => world.origins[origin].disk.mood = disk::Mood::Well,
            Fault::Clock { origin } => world.origins[origin].wall_ms = 0,
            Fault::Pair => world.soon.pair_lost = false,
            Fault::Pushes => world.pushes_lost = false,
        }
        Ok(())
    }
}
