//! What a period's entries say about each subject. Memory is bounded by the period and by the caps below, not by how many
//! entries there are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use railbird_core::time::UtcMs;

use super::{Entry, Subject, What};

/// The most subjects of one report.
pub(super) const SUBJECTS_MAX: usize = 128;

/// The most failures that are listed; a table of all is the CSV.
pub(super) const FAILURES_MAX: usize = 500;

/// The most outages, changes, classes and addresses that are kept of one subject.
const OUTAGES_MAX: usize = 2000;
const CHANGES_MAX: usize = 200;
const CLASSES_MAX: usize = 64;
const ADDRESSES_MAX: usize = 64;

/// The most addresses that are named with an outage.
const OUTAGE_ADDRESSES_MAX: usize = 8;

/// The most columns of a plot.
const COLUMNS_MAX: u64 = 240;

/// How wide a column may be, in milliseconds.
const COLUMN_MS: [u64; 12] = [
    1000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
    21_600_000,
];

/// Bins of a column's times: sixteen to a power of ten, from a millisecond on.
const BINS_A_DECADE: f64 = 16.0;
const BINS: usize = 96;

/// The period of a report and its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: UtcMs,
    pub(super) to: UtcMs,
    /// Width of a column of the plots.
    pub(super) column_ms: u64,
}

impl Period {
    pub(super) fn new(from: UtcMs, to: UtcMs) -> Period {
        let span = to.ms_since(from);
        let fits = |ms: &u64| span / ms < COLUMNS_MAX;
        Period { from, to, column_ms: COLUMN_MS.into_iter().find(fits).unwrap_or(21_600_000) }
    }

    pub(super) fn has(&self, at: UtcMs) -> bool {
        self.from <= at && at < self.to
    }

    pub(super) fn columns(&self) -> usize {
        self.to.ms_since(self.from).div_ceil(self.column_ms) as usize
    }
}

/// How long requests took in one column, and how many failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    bins: Vec<u32>,
    pub(super) done: u32,
    pub(super) failed: u32,
    pub(super) max: Duration,
}

impl Column {
    fn add(&mut self, took: Duration) {
        self.bins.resize(BINS, 0);
        let bin = ((took.as_secs_f64() * 1000.0).max(1.0).log10() * BINS_A_DECADE) as usize;
        if let Some(count) = self.bins.get_mut(bin.min(BINS - 1)) {
            *count += 1;
        }
        self.done += 1;
        self.max = self.max.max(took);
    }

    /// The time within which so many of a hundred requests were done, as exactly as a bin is wide (15 %).
    pub(super) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (u64::from(self.done) * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (n, count) in self.bins.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                let ms = 10_f64.powf((n as f64 + 1.0) / BINS_A_DECADE);
                return Some(Duration::from_secs_f64(ms / 1000.0).min(self.max));
            }
        }
        None
    }
}

/// A time during which a subject counted as failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) begin: UtcMs,
    /// `None`: not over at the period's end.
    pub(super) end: Option<UtcMs>,
    pub(super) reason: String,
    /// The addresses at which requests failed, from the last good one on.
    pub(super) addresses: Vec<IpAddr>,
}

impl Outage {
    /// How long it lasted within the period.
    pub(super) fn ms_in(&self, period: &Period) -> u64 {
        self.end.unwrap_or(period.to).min(period.to).ms_since(self.begin.max(period.from))
    }
}

/// Failures of one kind.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) count: u64,
    pub(super) first: UtcMs,
    pub(super) last: UtcMs,
    /// The text of the last one.
    pub(super) text: String,
}

/// What was seen at one address.
#[derive(Clone, Debug, Default)]
pub(super) struct Address {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) last_failed: Option<UtcMs>,
}

/// One minute's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Minute {
    pub(super) done: u32,
    pub(super) failed: u32,
}

/// Everything about one subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) columns: Vec<Column>,
    pub(super) done: u64,
    pub(super) slow: u64,
    pub(super) failed: u64,
    /// Failures without an HTTP status: refused, cut off or not answered in time.
    pub(super) unanswered: u64,
    pub(super) bytes: u64,
    pub(super) outages: Vec<Outage>,
    pub(super) outages_more: u64,
    pub(super) downtime_ms: u64,
    pub(super) changes: Vec<(UtcMs, String)>,
    /// By class and HTTP status.
    pub(super) classes: BTreeMap<(String, Option<u16>), Class>,
    pub(super) addresses: BTreeMap<IpAddr, Address>,
    pub(super) failures: Vec<Entry>,
    pub(super) first: Option<UtcMs>,
    pub(super) last: Option<UtcMs>,
    minutes: BTreeMap<u64, Minute>,
    down: Option<Outage>,
    /// Addresses of the failures since the last good request.
    failing: Vec<IpAddr>,
}

impl Story {
    /// The minute in which most requests failed, and when it began.
    pub(super) fn worst_minute(&self) -> Option<(UtcMs, Minute)> {
        let (minute, worst) = self.minutes.iter().rev().max_by_key(|(_, minute)| minute.failed)?;
        (worst.failed > 0).then_some((UtcMs(minute * 60_000), *worst))
    }

    /// The outages, longest first.
    pub(super) fn longest(&self, period: &Period) -> Vec<&Outage> {
        let mut outages: Vec<&Outage> = self.outages.iter().collect();
        outages.sort_by_key(|outage| (std::cmp::Reverse(outage.ms_in(period)), outage.begin));
        outages
    }

    fn add(&mut self, entry: Entry, period: &Period) {
        let inside = period.has(entry.at);
        let peer = entry.trace.as_ref().and_then(|trace| trace.peer).map(|peer| peer.ip());
        match &entry.what {
            What::Up => self.up(entry.at, period),
            What::Down { reason } => {
                let addresses = self.failing.clone();
                let outage = Outage { begin: entry.at, end: None, reason: reason.clone(), addresses };
                // Said twice without an end between: the first one began it.
                self.down.get_or_insert(outage);
            }
            What::Done | What::Slow | What::Others => self.failing.clear(),
            What::Failed { .. } => {
                let down = self.down.iter_mut().map(|outage| &mut outage.addresses);
                for known in down.chain([&mut self.failing]) {
                    if let Some(peer) = peer.filter(|peer| !known.contains(peer))
                        && known.len() < OUTAGE_ADDRESSES_MAX
                    {
                        known.push(peer);
                    }
                }
            }
            What::Changed { .. } => {}
        }
        if !inside {
            return;
        }
        self.first = self.first.or(Some(entry.at));
        self.last = self.last.max(Some(entry.at));
        self.count(&entry, peer, period);
        match &entry.what {
            What::Changed { text } if self.changes.len() < CHANGES_MAX => {
                self.changes.push((entry.at, text.clone()));
            }
            What::Failed { .. } if self.failures.len() < FAILURES_MAX => self.failures.push(entry),
            _ => {}
        }
    }

    fn count(&mut self, entry: &Entry, peer: Option<IpAddr>, period: &Period) {
        let failed = match &entry.what {
            What::Done | What::Slow | What::Others => false,
            What::Failed { .. } => true,
            What::Up | What::Down { .. } | What::Changed { .. } => return,
        };
        let minute = self.minutes.entry(entry.at.0 / 60_000).or_default();
        let column = (entry.at.ms_since(period.from) / period.column_ms) as usize;
        let mut spare = Column::default();
        let column = self.columns.get_mut(column).unwrap_or(&mut spare);
        let known = self.addresses.len() < ADDRESSES_MAX;
        let address = peer.filter(|peer| known || self.addresses.contains_key(peer));
        let mut nowhere = Address::default();
        let address = address.map_or(&mut nowhere, |peer| self.addresses.entry(peer).or_default());
        if !failed {
            minute.done += 1;
            address.done += 1;
            self.done += 1;
            self.bytes += entry.len;
            self.slow += u64::from(entry.what == What::Slow);
            column.add(entry.trace.as_ref().map(|trace| trace.total).unwrap_or_default());
            return;
        }
        minute.failed += 1;
        column.failed += 1;
        address.failed += 1;
        address.last_failed = Some(entry.at);
        self.failed += 1;
        let status = entry.trace.as_ref().and_then(|trace| trace.status);
        self.unanswered += u64::from(status.is_none());
        if let What::Failed { class, text } = &entry.what {
            let room = self.classes.len() < CLASSES_MAX;
            let key = if room { (class.clone(), status) } else { ("others".to_string(), None) };
            let new = || Class { count: 0, first: entry.at, last: entry.at, text: String::new() };
            let class = self.classes.entry(key).or_insert_with(new);
            (class.count, class.last) = (class.count + 1, class.last.max(entry.at));
            class.text.clone_from(text);
        }
    }

    fn up(&mut self, at: UtcMs, period: &Period) {
        let Some(mut outage) = self.down.take() else { return };
        self.failing.clear();
        outage.end = Some(at);
        self.keep(outage, period);
    }

    fn keep(&mut self, outage: Outage, period: &Period) {
        let touches = outage.begin < period.to && outage.end.is_none_or(|end| end > period.from);
        if !touches {
            return;
        }
        self.downtime_ms += outage.ms_in(period);
        if self.outages.len() < OUTAGES_MAX {
            self.outages.push(outage);
        } else {
            self.outages_more += 1;
        }
    }
}

/// Collects entries.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) period: Period,
    pub(super) stories: BTreeMap<Subject, Story>,
    /// Entries of subjects beyond [`SUBJECTS_MAX`].
    pub(super) left_out: u64,
}

impl Summary {
    pub(super) fn new(period: Period) -> Summary {
        Summary { period, stories: BTreeMap::new(), left_out: 0 }
    }

    /// Takes an entry; one from before the period tells only what was up and what was down.
    pub(super) fn add(&mut self, entry: Entry) {
        if entry.at >= self.period.to {
            return;
        }
        if !self.stories.contains_key(&entry.subject) && self.stories.len() >= SUBJECTS_MAX {
            self.left_out += 1;
            return;
        }
        let columns = self.period.columns();
        let story = self
            .stories
            .entry(entry.subject.clone())
            .or_insert_with(|| Story { columns: vec![Column::default(); columns], ..Story::default() });
        story.add(entry, &self.period);
    }

    /// There are no more: outages that are not over go on to the period's end, and subjects without anything in the period
    /// go.
    pub(super) fn finish(mut self) -> Summary {
        for story in self.stories.values_mut() {
            if let Some(outage) = story.down.take() {
                story.keep(outage, &self.period);
            }
            story.outages.sort_by_key(|outage| outage.begin);
            story.failures.sort_by_key(|entry| entry.at);
        }
        self.stories.retain(|_, story| story.first.is_some() || !story.outages.is_empty());
        self
    }
}
