//! One node as the viewers of one region find it: open or closed, and how it comes back.
//!
//! Time goes in windows of [`WINDOW_MS`], counted from 1970. Each has one [`Verdict`], given in order by
//! [`Breaker::handle`]; windows of which nothing was heard need not be given. [`Breaker::rest`] says where the node stands
//! at a later window, whoever works that out and however often: with nothing heard, the way back is a matter of time
//! alone, so that every edge sees it alike and nobody has to write it down.
//!
//! ```text
//! closed ── 2 of 3 windows bad ──> open ── cool-down ──> trial 1 % ──> 5 % ──> 25 % ──> closed
//!                                   ^                       │  good windows, or quiet ones
//!                                   └─── one bad window ────┘
//! ```

use railbird_core::state::Outage;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

/// How long votes are collected before they are judged, in milliseconds.
pub const WINDOW_MS: u64 = 2_000;

/// So many windows are looked back at, and so many bad ones among them open a breaker.
pub const RECENT_WINDOWS: u32 = 3;
/// See [`RECENT_WINDOWS`].
pub const BAD_WINDOWS: u32 = 2;

/// How long a breaker stays open the first time, in windows: ten seconds. It doubles each time that follows, up to
/// [`COOL_DOWN_MAX`], and is longer by up to a quarter, so that what broke together does not come back together.
pub const COOL_DOWN: u64 = 5;
/// Ten minutes.
pub const COOL_DOWN_MAX: u64 = 300;

/// A breaker that was closed for so many windows opens as if for the first time: ten minutes.
pub const FORGIVEN: u64 = 300;

/// The shares of its viewers that a node gets on its way back, in percent.
pub const STEPS: [u8; 3] = [1, 5, 25];
/// The share of a node in good standing.
pub const WHOLE: u8 = 100;

/// So many good windows lead to the next step.
pub const GOOD_WINDOWS: u8 = 2;
/// And so many windows, of which none is bad: few viewers may mean no votes at all.
pub const QUIET_WINDOWS: u64 = 3;

/// The window of a moment.
pub fn window(now: UtcMs) -> u64 {
    now.0 / WINDOW_MS
}

/// What the votes of a window come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was heard, or too little.
    Quiet,
    /// Viewers were served.
    Good,
    /// Too many of them were not.
    Bad,
}

/// The state of one node in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    phase: Phase,
    /// The first window that has no verdict yet.
    next: u64,
    /// How often it opened without having been closed for [`FORGIVEN`] windows between.
    openings: u8,
    /// The window in which it opened last.
    opened: u64,
    /// The last window that was bad while it was open: some may be sent to it all the same, where all nodes are.
    blamed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// `bad` has a bit for each of the last [`RECENT_WINDOWS`] windows.
    Closed { since: u64, bad: u8 },
    /// Up to this window, not included.
    Open { until: u64 },
    /// On the step of [`STEPS`] since this window, of which so many were good.
    Trial { step: u8, since: u64, good: u8 },
}

impl Breaker {
    /// One in good standing. Verdicts begin with this window.
    pub fn new(window: u64) -> Breaker {
        Breaker { phase: Phase::Closed { since: 0, bad: 0 }, next: window, openings: 0, opened: 0, blamed: 0 }
    }

    /// Where a node stands after an outage that its origins saw: open as long as it lasts, and then on the same way back as
    /// if viewers had seen it, by time alone.
    pub fn after(outage: Outage, now: UtcMs) -> Breaker {
        let ended = outage.ended.map_or(u64::MAX, window);
        let until = ended.saturating_add(cool_down(outage.times, 0));
        let phase = Phase::Open { until };
        let (openings, opened) = (outage.times, ended);
        let mut breaker = Breaker { phase, next: ended, openings, opened, blamed: ended };
        breaker.rest(window(now));
        breaker
    }

    /// The verdict on a window. One that has a verdict keeps it. `jitter` lengthens a cool-down: 0 not at all, the
    /// largest number by a quarter.
    pub fn handle(&mut self, window: u64, verdict: Verdict, jitter: u32) {
        if window < self.next {
            return;
        }
        self.rest(window);
        let after = window.saturating_add(1);
        match (self.phase, verdict) {
            (Phase::Closed { since, bad }, Verdict::Bad) => {
                let bad = recent(u64::from(bad), 1) | 1;
                self.phase = Phase::Closed { since, bad };
                self.next = after;
                if bad.count_ones() >= BAD_WINDOWS {
                    self.open(after, jitter);
                }
            }
            (Phase::Trial { .. }, Verdict::Bad) => self.open(after, jitter),
            (Phase::Open { .. }, Verdict::Bad) => {
                self.blamed = after;
                self.rest(after);
            }
            (Phase::Trial { step, since, good }, Verdict::Good) if good + 1 < GOOD_WINDOWS => {
                self.phase = Phase::Trial { step, since, good: good + 1 };
                self.rest(after);
            }
            (Phase::Trial { step, .. }, Verdict::Good) => {
                self.climb(step, after);
                self.rest(after);
            }
            _ => self.rest(after),
        }
    }

    /// The verdict on a window that is bad already and has not ended, if it opens the breaker or finds it open; else the
    /// window's end is waited for. Says whether it was given.
    pub fn alarm(&mut self, window: u64, jitter: u32) -> bool {
        let mut told = self.clone();
        told.handle(window, Verdict::Bad, jitter);
        let matters = told.is_open() && told != *self;
        if matters {
            *self = told;
        }
        matters
    }

    /// Windows before this one that have no verdict yet were quiet.
    pub fn rest(&mut self, window: u64) {
        // Each round but the last leads a step further, and none leads back.
        while self.next < window {
            match self.phase {
                Phase::Closed { since, bad } => {
                    self.phase = Phase::Closed { since, bad: recent(u64::from(bad), window - self.next) };
                    self.next = window;
                }
                Phase::Open { until } if until <= window => {
                    self.phase = Phase::Trial { step: 0, since: until, good: 0 };
                    self.next = self.next.max(until);
                }
                Phase::Trial { step, since, .. } if since + QUIET_WINDOWS <= window => {
                    self.climb(step, since + QUIET_WINDOWS);
                }
                Phase::Open { .. } | Phase::Trial { .. } => self.next = window,
            }
        }
    }

    /// The share of its viewers that the node gets, in percent: 0, one of [`STEPS`], or [`WHOLE`].
    pub fn share(&self) -> u8 {
        match self.phase {
            Phase::Closed { .. } => WHOLE,
            Phase::Open { .. } => 0,
            Phase::Trial { step, .. } => STEPS.get(usize::from(step)).copied().unwrap_or(WHOLE),
        }
    }

    /// Whether a window has its verdict.
    pub fn has_judged(&self, window: u64) -> bool {
        window < self.next
    }

    /// Whether no viewer shall use the node.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether all may use it.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    /// Of nodes that are all open, the one with the least is the least bad: it is the one that was not found bad for
    /// longest. 0 where it isn't open.
    pub fn blamed(&self) -> u64 {
        if self.is_open() { self.blamed } else { 0 }
    }

    /// A number that changes with each opening, so that each trial has other viewers.
    pub fn salt(&self) -> u64 {
        self.opened
    }

    fn climb(&mut self, step: u8, at: u64) {
        self.next = self.next.max(at);
        self.phase = if usize::from(step) + 1 < STEPS.len() {
            Phase::Trial { step: step + 1, since: at, good: 0 }
        } else {
            Phase::Closed { since: at, bad: 0 }
        };
    }

    fn open(&mut self, at: u64, jitter: u32) {
        let forgiven =
            matches!(self.phase, Phase::Closed { since, .. } if at.saturating_sub(since) >= FORGIVEN);
        self.openings = if forgiven { 1 } else { self.openings.saturating_add(1) };
        (self.opened, self.blamed) = (at, at);
        self.next = at;
        self.phase = Phase::Open { until: at.saturating_add(cool_down(self.openings, jitter)) };
    }
}

/// The bits of recent windows, so many quiet windows later.
fn recent(bad: u64, windows: u64) -> u8 {
    let shifted = if windows >= u64::from(RECENT_WINDOWS) { 0 } else { bad << windows };
    (shifted & ((1 << RECENT_WINDOWS) - 1)) as u8
}

fn cool_down(openings: u8, jitter: u32) -> u64 {
    let doublings = u32::from(openings.saturating_sub(1)).min(16);
    let windows = (COOL_DOWN << doublings).min(COOL_DOWN_MAX);
    windows + ((windows * u64::from(jitter)) >> 34)
}

#[cfg(test)]
mod tests;
