//! A viewer who reloads a media playlist, and never sees what a player must not see (RFC 8216bis, 6.2.1 and 6.2.2).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use railbird_core::lint::{Finding, Follower, Place, ours, rules};
use railbird_core::object::PARTS;

use super::target::Target;

/// How far the lengths of a segment's parts, taken together, may differ from its own: they are rounded one by one.
const PART_TOLERANCE_MS: f64 = 10.0;

/// What stood at a media sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    name: String,
    gap: bool,
    /// Its discontinuity sequence number.
    sequence: u64,
    init: String,
    duration: String,
}

#[derive(Debug, Default)]
pub(super) struct Viewer {
    /// Segments may be longer than its playlists promise.
    long: bool,
    /// The last playlist as it came, and who looks at each step by the rules of RFC 8216bis.
    text: String,
    follower: Follower,
    /// What was found first by each rule that does not hold.
    pub(super) findings: BTreeMap<&'static str, String>,
    /// The last playlist.
    window: BTreeMap<u64, Seen>,
    first_msn: u64,
    target_duration: Option<String>,
    /// Names that were listed, and where.
    names: HashMap<String, u64>,
    pub(super) gaps: BTreeSet<u64>,
    /// The parts that the last playlist listed, by their segment's number and their own.
    listed: BTreeMap<(u64, usize), String>,
    /// Segments of which it saw parts, and nothing more: their origin is gone with what was open, and another segment has
    /// their place.
    torn: BTreeSet<String>,
    /// How many parts it has seen.
    pub(super) parts: usize,
    pub(super) ended: bool,
}

impl Viewer {
    pub(super) fn new(long: bool) -> Viewer {
        Viewer { long, ..Viewer::default() }
    }

    /// Looks at what it got; what is wrong with it is an error.
    pub(super) fn read(&mut self, text: &str, targets: &[Target]) -> Result<(), String> {
        let (mut msn, mut sequence, mut window) = (0, 0, BTreeMap::new());
        let (mut init, mut duration, mut gap, mut ended) = (String::new(), String::new(), false, false);
        let (mut parts, mut together) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                let known = self.target_duration.get_or_insert_with(|| value.to_string());
                if known != value {
                    return Err(format!("target duration went from {known} to {value}"));
                }
            } else if let Some(value) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                msn = value.parse().map_err(|_| line.to_string())?;
                if msn < self.first_msn {
                    return Err(format!("media sequence went back from {} to {msn}", self.first_msn));
                }
                self.first_msn = msn;
            } else if let Some(value) = line.strip_prefix("#EXT-X-DISCONTINUITY-SEQUENCE:") {
                sequence = value.parse().map_err(|_| line.to_string())?;
            } else if line == "#EXT-X-DISCONTINUITY" {
                sequence += 1;
            } else if let Some(value) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                init = value.trim_end_matches('"').to_string();
            } else if let Some(value) = line.strip_prefix("#EXTINF:") {
                duration = value.to_string();
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                let part = Part::read(attributes).ok_or_else(|| line.to_string())?;
                let (node, name) = at_node(part.url)?;
                let (init_node, init_name) = at_node(&init)?;
                if !part.gap {
                    has(targets, node, name)?;
                    has(targets, init_node, init_name)?;
                }
                parts.insert((msn, together.len()), name.to_string());
                together.push(part.ms);
            } else if line == "#EXT-X-GAP" {
                gap = true;
            } else if line == "#EXT-X-ENDLIST" {
                ended = true;
            } else if !line.starts_with('#') {
                let (node, name) = at_node(line)?;
                // A player that takes the parts has what who takes the segment has.
                let (sum, whole) =
                    (together.iter().sum::<f64>(), milliseconds(&duration).unwrap_or_default());
                if !std::mem::take(&mut together).is_empty() && (sum - whole).abs() > PART_TOLERANCE_MS {
                    return Err(format!("the parts of {name} are {sum} ms, and it is {whole} ms"));
                }
                let (init_node, init_name) = at_node(&init)?;
                if !gap {
                    has(targets, node, name)?;
                    has(targets, init_node, init_name)?;
                }
                let seen = Seen {
                    name: name.to_string(),
                    gap: std::mem::take(&mut gap),
                    sequence,
                    init: init_name.to_string(),
                    duration: duration.clone(),
                };
                window.insert(msn, seen);
                msn += 1;
            }
        }
        self.follows(&window)?;
        for (at, name) in &parts {
            match self.listed.get(at) {
                Some(before) if before != name => {
                    self.torn.insert(whole(before));
                }
                Some(_) => {}
                None => self.parts += 1,
            }
        }
        if let Some(torn) = self.torn.iter().find(|name| self.names.contains_key(*name)) {
            return Err(format!("parts of {torn} stood elsewhere"));
        }
        self.listed = parts;
        if self.ended && !ended {
            return Err("the end was taken back".into());
        }
        self.lint(text);
        self.gaps.extend(window.iter().filter(|(_, seen)| seen.gap).map(|(msn, _)| *msn));
        (self.window, self.ended) = (window, ended);
        Ok(())
    }

    /// Looks at it by the rules of RFC 8216bis, one after the other.
    fn lint(&mut self, text: &str) {
        if self.text == text {
            return;
        }
        let is_excused = |finding: &Finding| self.long && *finding.rule == rules::SEGMENT_OVER_TARGET;
        let findings = ours::unexpected(self.follower.load(text.as_bytes(), &Place::default()));
        for finding in findings.into_iter().filter(|finding| !is_excused(finding)) {
            let seen = || format!("{finding} in\n{text}\nbehind\n{}", self.text);
            self.findings.entry(finding.rule.id).or_insert_with(seen);
        }
        self.text = text.into();
    }

    /// Whether a playlist may follow the last one: segments left at the front and came at the end.
    fn follows(&mut self, window: &BTreeMap<u64, Seen>) -> Result<(), String> {
        for (msn, seen) in window {
            match self.window.get(msn) {
                Some(before) if before != seen => {
                    return Err(format!("at {msn}: {before:?} became {seen:?}"));
                }
                _ => {}
            }
            let Some(first) = self.names.get(&seen.name).copied() else {
                self.names.insert(seen.name.clone(), *msn);
                continue;
            };
            if first != *msn {
                return Err(format!("{} is listed at {first} and at {msn}", seen.name));
            }
        }
        let last = |of: &BTreeMap<u64, Seen>| of.last_key_value().map(|(msn, _)| *msn);
        if last(window) < last(&self.window) {
            return Err(format!("the end went back from {:?} to {:?}", last(&self.window), last(window)));
        }
        if self.ended && last(window) != last(&self.window) {
            return Err("something came behind the end".into());
        }
        let starts: Vec<(u64, u64)> = window.values().map(|seen| start(&seen.name)).collect();
        match starts.windows(2).find(|pair| pair[1] <= pair[0]) {
            Some(pair) => Err(format!("media time went back: {pair:?}")),
            None => Ok(()),
        }
    }

    /// How many segments it has seen parts of, and never the whole.
    pub(super) fn torn(&self) -> usize {
        self.torn.len()
    }

    /// How many segments it has seen.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }
}

/// The name of the segment that a part belongs to.
fn whole(part: &str) -> String {
    let stem = part.strip_prefix(PARTS).and_then(|name| name.rsplit_once('-')).map_or(part, |(stem, _)| stem);
    format!("{stem}.m4s")
}

/// What is said of a part.
struct Part<'a> {
    url: &'a str,
    ms: f64,
    gap: bool,
}

impl Part<'_> {
    fn read(attributes: &str) -> Option<Part<'_>> {
        let value = |key: &str| attributes.split(',').find_map(|attribute| attribute.strip_prefix(key));
        let url = value("URI=\"")?.strip_suffix('"')?;
        Some(Part { url, ms: milliseconds(value("DURATION=")?)?, gap: value("GAP=YES").is_some() })
    }
}

/// Of seconds, as they are written.
fn milliseconds(text: &str) -> Option<f64> {
    Some(text.trim_end_matches(',').parse::<f64>().ok()? * 1_000.0)
}

/// `https://{node}.test/{name}`.
fn at_node(url: &str) -> Result<(&str, &str), String> {
    let rest = url.strip_prefix("https://").ok_or_else(|| format!("not a URL: {url}"))?;
    rest.split_once(".test/").ok_or_else(|| format!("not of a node: {url}"))
}

fn has(targets: &[Target], node: &str, name: &str) -> Result<(), String> {
    let target = targets.iter().find(|target| target.id.as_str() == node);
    match target.is_some_and(|target| target.objects.contains_key(name)) {
        true => Ok(()),
        false => Err(format!("{name} is listed at {node}, which does not have it")),
    }
}

/// The index and the offset in a segment's name.
fn start(name: &str) -> (u64, u64) {
    let stem = name.rsplit('/').next().and_then(|file| file.strip_suffix(".m4s")).unwrap_or_default();
    let (index, offset) = stem.split_once('-').unwrap_or_default();
    (index.parse().unwrap_or(0), offset.parse().unwrap_or(0))
}
