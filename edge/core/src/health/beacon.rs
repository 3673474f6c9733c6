//! Beacons: what players say of their requests, in the event mode of CMCD version 2 (CTA-5004-B).
//!
//! A body is text, one report a line, each a list of `key=value` in the form of a dictionary (RFC 8941, 3.2). Of a report
//! these keys matter; others are passed over, and a line that can't be read costs that line:
//!
//! | key | meaning |
//! | --- | --- |
//! | `e` | the event: `rr` is a response that was received or did not come; `e` is an error |
//! | `url` | what was asked for, which names the node |
//! | `rc` | status of the response; 0 where there was none |
//! | `ttfb`, `ttlb` | time to the first and to the last byte, in milliseconds |
//! | `bs` | the buffer had run empty |
//! | `ts` | when, by the player's clock: told apart within a body only, since the edge's own clock decides |
//!
//! Nothing is believed further than as one vote: see [`super::region`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::id::ChannelId;
use railbird_core::state::{Node, TTFB_MS_MAX};

use super::region::{Place, Vote};

/// The content type of a body.
pub const CONTENT_TYPE: &str = "application/cmcd";

/// The longest body, in bytes.
pub const BODY_LEN_MAX: usize = 16 << 10;

/// The most lines of a body that are read.
pub const LINES_MAX: usize = 64;

/// The most keys of a line that are read.
const KEYS_MAX: usize = 64;

/// A report that is older than the newest of its body by more than this says nothing of now, in milliseconds.
pub const AGE_MS_MAX: u64 = 10_000;

/// One report, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub url: String,
    /// It says that something went wrong, whatever the status.
    pub error: bool,
    /// Status; 0 where there was no response.
    pub status: Option<u32>,
    /// Time to the first byte, in milliseconds.
    pub ttfb_ms: Option<u32>,
    /// Time to the last byte, in milliseconds.
    pub ttlb_ms: Option<u32>,
    /// The buffer had run empty.
    pub starved: bool,
    /// When, by the player's clock, in milliseconds.
    pub at_ms: Option<u64>,
}

/// The reports of a body about requests.
pub fn read(body: &[u8]) -> Vec<Report> {
    let lines = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.take(LINES_MAX).filter_map(|line| report(core::str::from_utf8(line).ok()?)).collect()
}

/// One line; `None` for what can't be read, and for events that are not about a request.
fn report(line: &str) -> Option<Report> {
    let mut report = Report::default();
    let (mut event, mut keys) = (None, 0);
    let mut rest = line;
    loop {
        let (key, after) = key(rest)?;
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let len = value_len(after)?;
                after.split_at_checked(len)?
            }
            None => ("?1", after),
        };
        match key {
            "e" => event = Some(value),
            "url" => report.url = string(value)?,
            "rc" => report.status = Some(value.parse().ok()?),
            "ttfb" => report.ttfb_ms = Some(value.parse().ok()?),
            "ttlb" => report.ttlb_ms = Some(value.parse().ok()?),
            "ts" => report.at_ms = Some(value.parse().ok()?),
            "bs" => report.starved = value != "?0",
            _ => {}
        }
        keys += 1;
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix(',')?.trim_start_matches([' ', '\t']);
        if keys >= KEYS_MAX {
            return None;
        }
    }
    report.error = event? == "e";
    ((event == Some("rr") && report.status.is_some()) || report.error).then_some(report)
}

/// A key (RFC 8941, 3.1.2) and what follows it.
fn key(text: &str) -> Option<(&str, &str)> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b);
    let len = text.bytes().position(|b| !inner(b)).unwrap_or(text.len());
    let (key, rest) = text.split_at_checked(len)?;
    (!key.is_empty()).then_some((key, rest))
}

/// How long the value is that a text begins with: up to a comma that stands in no string and in no list.
fn value_len(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    for (at, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    (!quoted && depth == 0).then_some(text.len())
}

/// A string (RFC 8941, 3.3.3) without its quotes.
fn string(value: &str) -> Option<String> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '\\' => chars.next()?,
            '"' => return None,
            char => char,
        });
    }
    Some(text)
}

/// What reports say of a channel's nodes: one vote for each node that they name. What is none of the channel's objects
/// says nothing.
///
/// Whoever failed at every node that it asked, and asked several, has a bad line of its own: such reports are no votes.
pub fn votes(reports: &[Report], channel: &ChannelId, nodes: &[Node], segment_ms: u32) -> Vec<Vote> {
    let newest = reports.iter().filter_map(|report| report.at_ms).max().unwrap_or_default();
    let is_old = |report: &&Report| report.at_ms.is_some_and(|at| newest - at > AGE_MS_MAX);
    let mut found: BTreeMap<usize, (bool, Vec<u32>)> = BTreeMap::new();
    for report in reports.iter().filter(|report| !is_old(report)) {
        let Some(at) = named(&report.url, channel, nodes) else { continue };
        let (failed, times) = found.entry(at).or_default();
        if report.is_failure(segment_ms) {
            *failed = true;
        } else {
            times.extend(report.ttfb_ms);
        }
    }
    if found.len() > 1 && found.values().all(|(failed, _)| *failed) {
        return Vec::new();
    }
    let vote = |(at, (failed, mut times)): (usize, (bool, Vec<u32>))| {
        let node = nodes.get(at)?;
        times.sort_unstable();
        let ttfb_ms = times.get(times.len() / 2).copied();
        Some(Vote { place: Place::of(node), failed, ttfb_ms, doubted: !node.is_well() })
    };
    found.into_iter().filter_map(vote).collect()
}

impl Report {
    /// Whether the node did not serve its viewer: no response, an error, or so late that a picture may stand still.
    fn is_failure(&self, segment_ms: u32) -> bool {
        let refused = self.status.is_some_and(|status| !(200..400).contains(&status));
        let patience_ms = if self.starved { segment_ms } else { segment_ms.saturating_mul(2) };
        let late = self.ttfb_ms.is_some_and(|ms| ms > TTFB_MS_MAX)
            || self.ttlb_ms.is_some_and(|ms| ms > patience_ms.max(TTFB_MS_MAX));
        self.error || refused || late
    }
}

/// The node that an object of the channel was asked of: the one with the longest URL, where one lies within another.
fn named(url: &str, channel: &ChannelId, nodes: &[Node]) -> Option<usize> {
    let is_object = |node: &Node| {
        let name = url.strip_prefix(node.url.as_str())?.strip_prefix('/')?;
        name.strip_prefix(channel.as_str())?.strip_prefix('/').map(|_| node.url.len())
    };
    let lengths = nodes.iter().enumerate().filter_map(|(at, node)| is_object(node).map(|len| (len, at)));
    lengths.max().map(|(_, at)| at)
}

#[cfg(test)]
mod tests;
