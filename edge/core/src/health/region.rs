//! The nodes of one region together, as its viewers find them.
//!
//! The origins' own view of a node travels with the channel's state and counts before anything here: see
//! [`Region::standing`]. What is kept here is what only viewers know.

use alloc::collections::BTreeMap;
use alloc::string::String;

use railbird_core::hex;
use railbird_core::state::Node;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::breaker::{self, Breaker, Verdict, WHOLE};
use super::probe::{FAILURES_MIN, Found, KEPT_WINDOWS};
use super::voters::Voters;
use crate::passes::PassId;

/// The regions: continents, and one for all viewers of a host that does not know where they are.
pub const NAMES: [&str; 7] = ["all", "af", "as", "eu", "na", "oc", "sa"];

/// A window is bad when at least so many passes report failures…
pub const FAILED_MIN: u64 = 3;
/// …or so many, where the node is on trial…
pub const FAILED_ON_TRIAL_MIN: u64 = 2;
/// …or one, where its origins doubt it, or the edge itself finds that it fails; and when that is at least this share of all who report, in percent.
pub const FAILED_SHARE_MIN: u64 = 25;

/// How many voters of a window are kept of those who failed, and of those who were served: of these, fewer do.
const FAILED_KEPT_MAX: usize = 16;
const SERVED_KEPT_MAX: usize = 8;

/// The most nodes that a region keeps; above it, the one that was not heard of for longest is forgotten.
pub const NODES_KEPT_MAX: usize = 64;

/// A node is worse than the best when its first byte takes so much longer, in percent and milliseconds…
pub const WORSE_ABOVE: (u32, u32) = (200, 100);
/// …and as good again when it takes no more than this: what lies between changes nothing.
pub const WORSE_BELOW: (u32, u32) = (150, 50);

/// The time to the first byte that is taken for a node's until viewers have told, in milliseconds.
const TTFB_MS_FIRST: u32 = 100;
/// The most that a viewer can say.
const TTFB_MS_LAST: u32 = 10_000;
/// So many measurements say how fast a node is.
const MEASURED_MIN: u8 = 32;

/// What a viewer found of one node, of all that it tells at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which node.
    pub place: Place,
    /// Whether it failed at least once.
    pub failed: bool,
    /// Time to the first byte of what was served, in milliseconds; the median, where it was measured.
    pub ttfb_ms: Option<u32>,
    /// Whether the origins doubt the node at the moment.
    pub doubted: bool,
}

/// Where a node is: the first 16 hexadecimal digits of its URL's SHA-256. A node that moved is another one, and one that
/// several channels share is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(String);

impl Place {
    /// The place of a node.
    pub fn of(node: &Node) -> Place {
        let digest = Sha256::digest(node.url.as_bytes());
        Place(hex::encode(digest.first_chunk::<8>().unwrap_or(&[0; 8])))
    }
}

/// Where a node stands with the viewers of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The share of its viewers that it gets, in percent.
    pub share: u8,
    /// Changes with each trial, so that each has other viewers.
    pub salt: u64,
    /// Of nodes that get none, the least is the least bad.
    pub blamed: u64,
    /// Another one serves this region better.
    pub worse: bool,
}

impl Standing {
    /// Of a node of which nothing bad is known.
    pub const GOOD: Standing = Standing { share: WHOLE, salt: 0, blamed: 0, worse: false };
}

/// What is kept of a region. Nothing kept means that all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    nodes: BTreeMap<Place, Heard>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    breaker: Breaker,
    /// The window in which these voted.
    window: u64,
    failed: Voters,
    served: Voters,
    /// Whether the origins doubted the node in that window.
    doubted: bool,
    /// Median time to the first byte, as far as it was found, and how often it was looked for.
    ttfb_ms: u32,
    measured: u8,
    worse: bool,
    #[serde(default)]
    probed: Probed,
    /// The last window in which somebody was served; 0: none is known.
    #[serde(default)]
    served_last: u64,
}

/// What the edge's own looks at a node came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Probed {
    /// So many failures, one after another.
    failures: u8,
    /// They are forgotten from this window on.
    until: u64,
}

impl Probed {
    /// Whether the edge finds that the node fails.
    fn fails(self, window: u64) -> bool {
        self.failures >= FAILURES_MIN && window < self.until
    }
}

/// The region's name out of [`NAMES`] for what an adapter says of a request's origin: the two letters of a continent, as
/// ISO and Cloudflare have them. Antarctica watches from nowhere in particular.
pub fn name(said: Option<&str>) -> &'static str {
    let named = |name: &&&str| said.is_some_and(|said| said.eq_ignore_ascii_case(name));
    NAMES.iter().find(named).copied().unwrap_or(NAMES[0])
}

impl Region {
    /// Takes what a viewer found. Says whether that changed anything that is worth keeping: a voter who was counted, or is
    /// not in the sample, does not.
    ///
    /// A pass has one vote for each node and window, however many sessions it has and whatever they send; a failure counts
    /// before a success. The window is that of `now`, by the edge's clock.
    pub fn handle(&mut self, voter: &PassId, votes: &[Vote], now: UtcMs) -> bool {
        let window = breaker::window(now);
        let mut changed = false;
        for vote in votes {
            let voter = number(&[voter.as_str().as_bytes(), vote.place.0.as_bytes(), &window.to_be_bytes()]);
            let heard = self.nodes.entry(vote.place.clone()).or_insert_with(|| Heard::new(window));
            heard.turn_to(window, &vote.place);
            changed |= heard.take(vote, voter);
        }
        if changed {
            self.compare();
            self.forget();
        }
        changed
    }

    /// Takes what the edge found itself, all of one look. Says whether that changed anything that is worth keeping.
    pub fn hear(&mut self, found: &[Found], now: UtcMs) -> bool {
        if found.iter().all(|found| !found.served) {
            return false;
        }
        let window = breaker::window(now);
        let mut changed = false;
        for Found { place, served } in found {
            let known = self.nodes.get(place).is_some_and(|heard| heard.probed.failures > 0);
            if *served && !known {
                continue;
            }
            let heard = self.nodes.entry(place.clone()).or_insert_with(|| Heard::new(window));
            heard.turn_to(window, place);
            heard.probe(*served, window);
            changed = true;
        }
        self.forget();
        changed
    }

    /// Whether the edge found a node to fail, and not often enough for a finding.
    pub fn wonders(&self, now: UtcMs) -> bool {
        let window = breaker::window(now);
        let wonders = |probed: Probed| probed.failures > 0 && window < probed.until && !probed.fails(window);
        self.nodes.values().any(|heard| wonders(heard.probed))
    }

    /// Forgets those that were not heard of for longest, where there are too many.
    fn forget(&mut self) {
        while self.nodes.len() > NODES_KEPT_MAX {
            let oldest = self.nodes.iter().min_by_key(|(_, heard)| heard.window);
            let Some(oldest) = oldest.map(|(place, _)| place.clone()) else { break };
            self.nodes.remove(&oldest);
        }
    }

    /// Where a node stands at this moment: with its viewers or with its origins, whoever thinks less of it.
    pub fn standing(&self, node: &Node, now: UtcMs) -> Standing {
        let by_origins = node.outage.map(|outage| Breaker::after(outage, now)).filter(|b| !b.is_closed());
        let place = Place::of(node);
        let heard = self.nodes.get(&place);
        let by_viewers = heard.map(|heard| heard.at(breaker::window(now), &place));
        let worse = heard.is_some_and(|heard| heard.worse);
        let breakers = by_origins.into_iter().chain(by_viewers);
        let least = breakers.min_by_key(|breaker| (breaker.share(), core::cmp::Reverse(breaker.blamed())));
        least.map_or(Standing { worse, ..Standing::GOOD }, |breaker| Standing {
            share: breaker.share(),
            salt: breaker.salt(),
            blamed: breaker.blamed(),
            worse,
        })
    }

    /// Marks those nodes that are worse than the best.
    fn compare(&mut self) {
        let usable = |heard: &&Heard| heard.measured >= MEASURED_MIN && heard.breaker.is_closed();
        let Some(best) = self.nodes.values().filter(usable).map(|heard| heard.ttfb_ms).min() else { return };
        for heard in self.nodes.values_mut() {
            let (percent, more_ms) = if heard.worse { WORSE_BELOW } else { WORSE_ABOVE };
            let bound = best.saturating_mul(percent) / 100 + more_ms;
            heard.worse = heard.measured >= MEASURED_MIN && heard.ttfb_ms > bound;
        }
    }
}

impl Heard {
    fn new(window: u64) -> Heard {
        Heard {
            breaker: Breaker::new(window),
            window,
            failed: Voters::default(),
            served: Voters::default(),
            doubted: false,
            ttfb_ms: TTFB_MS_FIRST,
            measured: 0,
            worse: false,
            probed: Probed::default(),
            served_last: 0,
        }
    }

    /// The breaker at a window, votes of earlier ones judged.
    fn at(&self, window: u64, place: &Place) -> Breaker {
        let mut heard = self.clone();
        heard.turn_to(window, place);
        heard.breaker
    }

    /// The same for all who work out what the window came to.
    fn jitter(&self, place: &Place) -> u32 {
        jitter(self.window, place)
    }

    /// Votes are those of this window from now on; those of an earlier one are judged.
    fn turn_to(&mut self, window: u64, place: &Place) {
        if window <= self.window {
            return;
        }
        self.breaker.handle(self.window, self.verdict(), self.jitter(place));
        if self.served.count() > 0 {
            self.served_last = self.window;
        }
        // In those between nobody voted.
        for quiet in self.window.saturating_add(1)..window.min(self.probed.until) {
            if self.fails_alone(quiet) {
                self.breaker.handle(quiet, Verdict::Bad, jitter(quiet, place));
            }
        }
        self.breaker.rest(window);
        // Nobody need try it to know.
        if !self.breaker.is_closed() && self.fails_alone(window) {
            self.breaker.alarm(window, jitter(window, place));
        }
        (self.failed, self.served) = (self.failed.next(), self.served.next());
        (self.window, self.doubted) = (window, false);
    }

    /// Whether the edge finds that the node fails, and no viewer was served there of late who knows better.
    fn fails_alone(&self, window: u64) -> bool {
        let served = self.served_last > 0 && window.saturating_sub(self.served_last) < KEPT_WINDOWS;
        self.probed.fails(window) && !served
    }

    /// Takes what the edge found in the running window.
    fn probe(&mut self, served: bool, window: u64) {
        let failures = match (served, window < self.probed.until) {
            (true, _) => 0,
            (false, true) => self.probed.failures.saturating_add(1),
            (false, false) => 1,
        };
        self.probed = Probed { failures, until: window.saturating_add(KEPT_WINDOWS) };
    }

    /// Takes a vote of the running window. Says whether that changed anything that is worth keeping.
    fn take(&mut self, vote: &Vote, voter: u32) -> bool {
        // One whose running window was judged before its end: all that it still tells is that somebody is served.
        if self.breaker.has_judged(self.window) {
            let news = !vote.failed && !self.failed.has(voter) && self.served_last < self.window;
            if news {
                self.served_last = self.window;
            }
            return news;
        }
        let counted = if vote.failed {
            let takes = self.failed.takes(voter);
            self.failed.add(voter, FAILED_KEPT_MAX);
            self.served.remove(voter);
            takes
        } else {
            let takes = self.served.takes(voter) && !self.failed.has(voter);
            if takes {
                self.served.add(voter, SERVED_KEPT_MAX);
            }
            takes
        };
        if !counted {
            return false;
        }
        self.doubted |= vote.doubted;
        if let Some(ttfb_ms) = vote.ttfb_ms.filter(|_| !vote.failed) {
            self.measure(ttfb_ms.min(TTFB_MS_LAST));
        }
        if self.verdict() == Verdict::Bad {
            self.breaker.alarm(self.window, self.jitter(&vote.place));
        }
        true
    }

    /// A median that each measurement moves by one step, however far off it is.
    fn measure(&mut self, ttfb_ms: u32) {
        let step = (self.ttfb_ms / 16).max(1);
        self.ttfb_ms = match ttfb_ms.cmp(&self.ttfb_ms) {
            core::cmp::Ordering::Less => self.ttfb_ms - step.min(self.ttfb_ms),
            core::cmp::Ordering::Equal => self.ttfb_ms,
            core::cmp::Ordering::Greater => (self.ttfb_ms + step).min(TTFB_MS_LAST),
        };
        self.measured = self.measured.saturating_add(1);
    }

    fn verdict(&self) -> Verdict {
        let (failed, served) = (self.failed.count(), self.served.count());
        let fails = self.probed.fails(self.window);
        let least = match (self.doubted || fails, self.breaker.is_closed()) {
            (true, _) => 1,
            (false, true) => FAILED_MIN,
            (false, false) => FAILED_ON_TRIAL_MIN,
        };
        if failed >= least && failed * 100 >= (failed + served) * FAILED_SHARE_MIN {
            Verdict::Bad
        } else if served > 0 {
            Verdict::Good
        } else if self.fails_alone(self.window) {
            Verdict::Bad
        } else {
            Verdict::Quiet
        }
    }
}

fn jitter(window: u64, place: &Place) -> u32 {
    number(&[b"jitter", &window.to_be_bytes(), place.0.as_bytes()])
}

/// A number for parts of fixed length, evenly spread.
fn number(parts: &[&[u8]]) -> u32 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
