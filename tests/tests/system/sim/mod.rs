//! A whole event in virtual time: encoders, one or two origins, their disks, targets, an edge and its viewers, with everything
//! that can go wrong, from a seed.
//!
//! What decides is the code that runs at a venue: the programme, the recording's journal and reel, the shelf with its book, the
//! targets' queues, the merge of two origins and the playlist. What waits, loses and dies is modelled around it. In every
//! instant holds what a viewer is promised, of segments and of parts (RFC 8216bis, 6.2.1; DESIGN.md, invariants 2 and 3), and
//! nothing is written over that its origin could have known of; the linter finds nothing in any playlist that a viewer gets, or in
//! the step to it; after the last fault, every target has everything that was recorded.
//!
//! `RAILBIRD_SIM_SEEDS=5000` runs more seeds, `RAILBIRD_SIM_FROM=200` others, `RAILBIRD_SIM_SEED=17` one alone,
//! `RAILBIRD_SIM_MINUTES=600` longer events.

mod check;
mod disk;
mod encoder;
mod faults;
mod origin;
mod pair;
mod rng;
mod target;
mod viewer;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use world::{Shown, World};

const SEEDS: u64 = 200;
const MINUTES: u64 = 30;

/// Says how to repeat a seed, should it end in a panic.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", again(self.0));
        }
    }
}

fn again(seed: u64) -> String {
    format!(
        "to repeat it: RAILBIRD_SIM_SEED={seed} cargo test -p railbird-tests --test system sim:: -- --nocapture"
    )
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

fn run(seed: u64, minutes: u64) -> Result<Shown, String> {
    let _repeat = Repeat(seed);
    World::new(seed, minutes).run().map_err(|error| format!("seed {seed}: {error}\n{}", again(seed)))
}

#[test]
fn whatever_goes_wrong_viewers_and_targets_get_what_was_recorded() {
    let minutes = number("RAILBIRD_SIM_MINUTES").unwrap_or(MINUTES);
    if let Some(seed) = number("RAILBIRD_SIM_SEED") {
        println!("{:?}", run(seed, minutes).unwrap_or_else(|error| panic!("{error}")));
        return;
    }
    let (seeds, from) =
        (number("RAILBIRD_SIM_SEEDS").unwrap_or(SEEDS), number("RAILBIRD_SIM_FROM").unwrap_or(0));
    let next = AtomicU64::new(from);
    let work = || {
        let (mut shown, mut failures) = (Vec::new(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return (shown, failures);
            }
            match run(seed, minutes) {
                Ok(one) => shown.push(one),
                Err(failure) => failures.push(failure),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a seed panicked: see above")).collect()
    });
    let failures: Vec<String> = done.iter().flat_map(|(_, failures)| failures.clone()).collect();
    let shown = done.iter().flat_map(|(shown, _)| shown);
    let sum = |of: fn(&Shown) -> usize| shown.clone().map(of).sum::<usize>();
    println!(
        "{seeds} seeds of {minutes} minutes: {} segments recorded, {} listed, {} gaps, {} crashes, {} stops, {} equal at two origins, {} written over at the same moment and {} unread, {} with less at a target; {} parts listed, and {} segments of which nothing else ever was; {} pictures looked for, {} of them sent again to an origin alone",
        sum(|shown| shown.segments),
        sum(|shown| shown.listed),
        sum(|shown| shown.gaps),
        sum(|shown| shown.crashes as usize),
        sum(|shown| shown.stops as usize),
        sum(|shown| shown.same),
        sum(|shown| shown.raced),
        sum(|shown| shown.unread),
        sum(|shown| shown.less),
        sum(|shown| shown.parts),
        sum(|shown| shown.torn),
        sum(|shown| shown.taken),
        sum(|shown| shown.owed),
    );
    let first: Vec<&str> = failures.iter().take(3).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} seeds failed: {}", failures.len(), first.join("\n\n"));
}

#[test]
fn a_seed_says_the_same_twice() {
    let shown = |_| format!("{:?}", run(7, 5).unwrap_or_else(|error| panic!("{error}")));
    assert_eq!(shown(0), shown(1));
}
