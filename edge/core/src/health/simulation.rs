//! Eight hours of nodes that fail, stall and flap, in virtual time, with two thousand viewers in two regions.
//!
//! What is asserted is what a viewer feels: for how long it is sent to a node that does not serve its region while another
//! one does. Each viewer asks for a playlist every two seconds, fetches from the node that comes first, tells of failures
//! at once and of success now and then; a player's own second try is not counted in its favour. The edge's own look asks each
//! node that the origins believe in, from each region.

use std::collections::BTreeMap;
use std::format;
use std::println;
use std::string::String;
use std::vec::Vec;

use railbird_core::id::NodeId;
use railbird_core::state::{Node, OUTAGE_FORGIVEN_MS, Outage};
use railbird_core::time::UtcMs;

use super::probe::{AGAIN_MS, Found};
use super::region::{Place, Region, Standing, Vote};
use crate::passes::PassId;
use crate::routing::{Choice, Viewer};

const HOURS: u64 = 8;
const VIEWERS: usize = 2_000;
const NODES: [&str; 3] = ["a", "b", "c"];
/// Three in four viewers are in the first one.
const REGIONS: usize = 2;
const STEP_MS: u64 = 200;
const POLL_MS: u64 = 2_000;
/// A viewer that is served says so at every so many-th segment.
const TOLD_EVERY: u64 = 5;
/// How often the edge looks by itself.
const LOOK_MS: u64 = 10_000;
/// How often viewers' own lines fail, of a hundred thousand fetches.
const MISHAPS: u64 = 200;

/// No viewer is sent to a dead node for longer than this, in milliseconds: up to two windows in which it is found out, the
/// playlist that says so, and the same once more where the next node is found out to be dead as well; or, for the few who
/// try one that comes back, the time until they are enough to be believed.
const BOUND_MS: u64 = 12_000;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }
}

/// When a node does not serve a region, in milliseconds since the start: refused, black-holed or much too slow, which is
/// the same to a viewer.
#[derive(Clone, Copy)]
struct Fault {
    node: usize,
    region: Option<usize>,
    from: u64,
    to: u64,
    /// When the origins notice its beginning, and its end; `None` where they see nothing of it.
    noticed: Option<(u64, u64)>,
}

fn faults(rng: &mut Rng) -> Vec<Fault> {
    let mut faults = Vec::new();
    for node in 0..NODES.len() {
        let mut at = rng.range(60_000, 900_000);
        while at < HOURS * 3_600_000 {
            let region = [None, Some(0), Some(1)][rng.range(0, 3) as usize];
            let flaps = if rng.range(0, 4) == 0 { rng.range(5, 40) } else { 1 };
            for _ in 0..flaps {
                let to = at + if flaps > 1 { rng.range(3_000, 40_000) } else { rng.range(5_000, 900_000) };
                let seen = region.is_none() && rng.range(0, 3) > 0;
                let noticed = seen.then(|| (at + rng.range(1_000, 9_000), to + rng.range(1_000, 9_000)));
                faults.push(Fault { node, region, from: at, to, noticed });
                at = to + if flaps > 1 { rng.range(2_000, 60_000) } else { 0 };
            }
            at += rng.range(120_000, 2_400_000);
        }
    }
    faults
}

struct Person {
    id: Viewer,
    pass: PassId,
    region: usize,
    phase: u64,
    /// Of those who keep to one pathway; others ask for their order.
    pathway: Option<NodeId>,
    /// The place in `NODES` of the node that comes first, as of this change of the region.
    first: (u64, usize),
    fetches: u64,
    /// Since when it is sent to a dead node.
    lost: Option<u64>,
}

struct Area {
    region: Region,
    standings: Vec<Standing>,
    nodes: Vec<Node>,
    changes: u64,
    /// When the edge looks next, in milliseconds since the start.
    look: u64,
    /// Who was at a node that died: the time of death, and how long each took to be off it.
    deaths: BTreeMap<usize, (u64, Vec<u64>)>,
}

struct Figures {
    off: Vec<u64>,
    worst: u64,
    to_dead: u64,
    fetches: u64,
    opened: u64,
}

fn start() -> UtcMs {
    UtcMs(1_795_171_920_000)
}

fn people(rng: &mut Rng, nodes: &[Node]) -> Vec<Person> {
    let person = |n: usize| {
        let mut id = [0; 16];
        id.chunks_mut(8).for_each(|half| half.copy_from_slice(&rng.next().to_be_bytes()));
        let region = usize::from(n % 4 == 3);
        let order = Choice::new(nodes, &Region::default(), start()).order(&id);
        Person {
            id,
            pass: PassId::of_email(&format!("viewer{n}@railbird.test")).unwrap(),
            region,
            phase: rng.range(0, POLL_MS / STEP_MS),
            pathway: n.is_multiple_of(2).then(|| order[0].clone()),
            first: (u64::MAX, 0),
            fetches: rng.range(0, TOLD_EVERY),
            lost: None,
        }
    };
    (0..VIEWERS).map(person).collect()
}

/// What the origins say of the nodes, as a merge keeps it.
fn notice(node: &mut Node, up: bool, now: UtcMs) {
    match (node.up, up) {
        (true, false) => {
            let last = node
                .outage
                .filter(|outage| outage.ended.is_some_and(|ended| now.ms_since(ended) < OUTAGE_FORGIVEN_MS));
            node.outage = Some(Outage { ended: None, times: last.map_or(1, |last| last.times + 1) });
        }
        (false, true) => node.outage = node.outage.map(|outage| Outage { ended: Some(now), ..outage }),
        _ => {}
    }
    node.up = up;
}

fn simulate(seed: u64) -> Figures {
    let mut rng = Rng(seed);
    let nodes: Vec<Node> =
        NODES.iter().map(|id| Node::new(id.parse().unwrap(), format!("https://{id}.test"), true)).collect();
    let places: Vec<Place> = nodes.iter().map(Place::of).collect();
    let faults = faults(&mut rng);
    let mut people = people(&mut rng, &nodes);
    let area = || Area {
        region: Region::default(),
        standings: Vec::new(),
        nodes: nodes.clone(),
        changes: 0,
        look: 0,
        deaths: BTreeMap::new(),
    };
    let mut areas: Vec<Area> = (0..REGIONS).map(|_| area()).collect();
    let mut dead = [[false; NODES.len()]; REGIONS];
    let mut figures = Figures { off: Vec::new(), worst: 0, to_dead: 0, fetches: 0, opened: 0 };
    for step in 0..HOURS * 3_600_000 / STEP_MS {
        let ms = step * STEP_MS;
        let now = start().plus_ms(ms);
        let mut dies = [[false; NODES.len()]; REGIONS];
        let mut doubted = [false; NODES.len()];
        for fault in &faults {
            for (region, dies) in dies.iter_mut().enumerate() {
                dies[fault.node] |=
                    (fault.from..fault.to).contains(&ms) && fault.region.is_none_or(|of| of == region);
            }
            doubted[fault.node] |= fault.noticed.is_some_and(|(from, to)| (from..to).contains(&ms));
        }
        for (at, area) in areas.iter_mut().enumerate() {
            for node in 0..NODES.len() {
                notice(&mut area.nodes[node], !doubted[node], now);
                if dies[at][node] && !dead[at][node] {
                    area.deaths.insert(node, (ms, Vec::new()));
                }
                if !dies[at][node] && dead[at][node] {
                    figures.off.extend(area.deaths.remove(&node).into_iter().flat_map(|(_, off)| off));
                }
            }
            if ms >= area.look {
                let asked = (0..NODES.len()).filter(|node| area.nodes[*node].up);
                let found: Vec<Found> = asked
                    .map(|node| Found { place: places[node].clone(), served: !dies[at][node] })
                    .collect();
                area.region.hear(&found, now);
                area.look = ms + if area.region.wonders(now) { AGAIN_MS } else { LOOK_MS };
            }
            let standings: Vec<Standing> =
                area.nodes.iter().map(|node| area.region.standing(node, now)).collect();
            let before = area.standings.iter().map(|standing| standing.share);
            figures.opened +=
                standings.iter().zip(before).filter(|(now, before)| now.share == 0 && *before > 0).count()
                    as u64;
            if standings != area.standings {
                area.standings = standings;
                area.changes += 1;
            }
        }
        dead = dies;
        for person in people.iter_mut().filter(|person| person.phase == step % (POLL_MS / STEP_MS)) {
            let area = &mut areas[person.region];
            if person.first.0 != area.changes {
                let choice = Choice::new(&area.nodes, &area.region, now);
                let order = match &person.pathway {
                    Some(own) => choice.pathway(own, &person.id).unwrap(),
                    None => choice.order(&person.id),
                };
                assert_eq!(order.len(), NODES.len(), "seed {seed}: no node is left out");
                let first = NODES.iter().position(|id| order[0].as_str() == *id).unwrap();
                person.first = (area.changes, first);
            }
            let (dead, first) = (dead[person.region], person.first.1);
            let all_dead = dead.iter().all(|dead| *dead);
            figures.fetches += 1;
            person.fetches += 1;
            if dead[first] && !all_dead {
                figures.to_dead += 1;
                person.lost.get_or_insert(ms);
            }
            if let Some(since) = person.lost.filter(|_| !dead[first] || all_dead) {
                person.lost = None;
                figures.worst = figures.worst.max(ms - since);
                assert!(
                    ms - since <= BOUND_MS,
                    "seed {seed}: at {ms} ms a viewer had been sent to a dead node for {} ms",
                    ms - since
                );
                for (died, off) in area.deaths.values_mut() {
                    if since >= *died && since < *died + POLL_MS {
                        off.push(ms - *died);
                    }
                }
            }
            let failed = dead[first] || rng.next() % 100_000 < MISHAPS;
            if failed || person.fetches.is_multiple_of(TOLD_EVERY) {
                let vote = |node: usize, failed| Vote {
                    place: places[node].clone(),
                    failed,
                    ttfb_ms: None,
                    doubted: doubted[node],
                };
                let mut votes = Vec::from([vote(first, failed)]);
                if failed {
                    // The second try of a player, at the next node that serves it.
                    votes.extend(
                        (0..NODES.len())
                            .find(|node| *node != first && !dead[*node])
                            .map(|node| vote(node, false)),
                    );
                }
                // Where nothing serves it, it takes its own line for bad.
                if votes.iter().any(|vote| !vote.failed) {
                    area.region.handle(&person.pass, &votes, now);
                }
            }
        }
    }
    figures
}

/// The share that is sorted below, in per mille.
fn quantile(sorted: &[u64], per_mille: usize) -> u64 {
    let at = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[test]
fn eight_hours_of_flapping_nodes() {
    let seed: u64 = std::env::var("RAILBIRD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut figures = simulate(seed);
    figures.off.sort_unstable();
    let report: String = [500, 990, 1000]
        .map(|share| format!("{} % after {} ms, ", share / 10, quantile(&figures.off, share)))
        .concat();
    println!(
        "seed {seed}: of the viewers of a node that died {report}in {} moves; longest at a dead node {} ms; \
         {} of {} fetches went to one; {} openings",
        figures.off.len(),
        figures.worst,
        figures.to_dead,
        figures.fetches,
        figures.opened,
    );
    assert!(figures.opened > 100 && figures.off.len() > 10_000, "seed {seed}: nothing was tried");
}
