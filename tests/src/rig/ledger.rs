//! What an origin told of its channels over all its lives, and whether it ever took something back.

use std::collections::BTreeMap;

use railbird_core::id::{ChannelId, RecordingId};
use railbird_core::lint::Rule;
use railbird_core::object;
use railbird_core::state::merge::{Merged, Outcome, merge};
use railbird_core::state::{ChannelState, Phase, Rendition, Segment};
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};

use crate::linter::Linter;

/// Segments that are further apart than this don't follow one another.
const JOINT: MediaSpan = MediaSpan::from_ms(50);

/// The most complaints that are kept.
const COMPLAINTS_MAX: usize = 20;

/// A segment as it was listed at its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its object.
    pub name: String,
    /// The object of its init segment.
    pub init: String,
    /// Where it starts.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaSpan,
    /// It does not continue the one before.
    pub discontinuity: bool,
    /// No node has it.
    pub gap: bool,
}

#[derive(Default)]
struct Line {
    recording: Option<RecordingId>,
    revision: u64,
    first_msn: u64,
    end_msn: u64,
    discontinuities: u64,
    listed: BTreeMap<u64, Listed>,
    phase: Option<Phase>,
    merged: Option<Merged>,
    viewer: Viewer,
}

/// What a viewer saw. An edge counts by itself where an origin's window left behind all that it had listed before.
#[derive(Default)]
struct Viewer {
    names: BTreeMap<u64, String>,
    numbers: BTreeMap<String, u64>,
}

impl Viewer {
    /// Takes a listed name in; says what is wrong where another one was at its number, or it was at another number.
    fn sees(&mut self, msn: u64, name: &str) -> Result<(), String> {
        let known = self.names.entry(msn).or_insert_with(|| name.to_string());
        let number = *self.numbers.entry(name.to_string()).or_insert(msn);
        match known == name && number == msn {
            true => Ok(()),
            false => Err(format!("viewers see {name} at {msn}, saw it at {number} and {known} here")),
        }
    }
}

/// Everything that was told, in the order in which it came.
#[derive(Default)]
pub struct Ledger {
    lines: BTreeMap<ChannelId, Line>,
    linter: Linter,
    complaints: Vec<String>,
    states: u64,
}

impl Ledger {
    /// What was wrong so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// These rules may be broken from now on.
    pub fn expect(&mut self, rules: &[&'static Rule]) {
        self.linter = Linter::but(rules);
    }

    /// How many states came.
    pub fn states(&self) -> u64 {
        self.states
    }

    /// What was listed of a channel, by media sequence number.
    pub fn listed(&self, channel: &ChannelId) -> BTreeMap<u64, Listed> {
        self.lines.get(channel).map(|line| line.listed.clone()).unwrap_or_default()
    }

    /// Where a channel stood last.
    pub fn phase(&self, channel: &ChannelId) -> Option<Phase> {
        self.lines.get(channel).and_then(|line| line.phase)
    }

    /// A channel's recording.
    pub fn recording(&self, channel: &ChannelId) -> Option<RecordingId> {
        self.lines.get(channel).and_then(|line| line.recording.clone())
    }

    pub(super) fn complain(&mut self, complaint: String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(complaint);
        }
    }

    pub(super) fn take(&mut self, state: ChannelState) {
        self.states += 1;
        let line = self.lines.entry(state.channel.clone()).or_default();
        let mut wrong = Vec::new();
        if let Err(error) = state.check() {
            wrong.push(error.to_string());
        }
        if state.revision <= line.revision {
            wrong.push(format!("revision {} after {}", state.revision, line.revision));
        }
        line.revision = line.revision.max(state.revision);
        let another = line.recording.as_ref().is_some_and(|recording| *recording != state.recording);
        if another && line.phase != Some(Phase::Ended) {
            wrong.push(format!("recording {} instead of {:?}", state.recording, line.recording));
        }
        line.recording = Some(state.recording.clone());
        line.phase = Some(state.phase);
        for rendition in &state.renditions {
            line.rendition(&state, rendition, &mut wrong);
        }
        line.merge(&state, &mut wrong);
        for what in wrong {
            self.complain(format!("{} revision {}: {what}", state.channel, state.revision));
        }
        // What viewers get of it.
        let now = UtcMs(state.updated.0);
        for what in self.linter.take(state, now, &|_| None) {
            self.complain(what);
        }
    }
}

impl Line {
    fn rendition(&mut self, state: &ChannelState, rendition: &Rendition, wrong: &mut Vec<String>) {
        for (msn, segment) in (rendition.first_msn..).zip(&rendition.segments) {
            let listed = listed(state, rendition, segment);
            match self.listed.get(&msn) {
                Some(known) if *known != listed => {
                    wrong.push(format!("at {msn}: {listed:?}, where {known:?} was"));
                }
                Some(_) => {}
                None => {
                    if let Some((last, before)) = self.listed.range(..msn).next_back() {
                        if listed.start + JOINT < before.start + before.duration {
                            wrong.push(format!("{msn} begins before {last} ends: {listed:?}, {before:?}"));
                        }
                        if before.name == listed.name {
                            wrong.push(format!("{} is listed twice", listed.name));
                        }
                    }
                    self.listed.insert(msn, listed);
                }
            }
        }
    }

    /// What viewers of an edge would see: all that the origin lists, at numbers that stay; and nothing that the origin says is
    /// too old.
    fn merge(&mut self, state: &ChannelState, wrong: &mut Vec<String>) {
        let now = UtcMs(state.updated.0);
        match merge(self.merged.take(), state.clone(), now) {
            Ok(Outcome::New(merged) | Outcome::Again(merged, _)) => {
                let numbered = merged.state.renditions.iter().flat_map(|rendition| {
                    (rendition.first_msn..).zip(&rendition.segments).map(move |pair| (rendition, pair))
                });
                // The origin itself may list less after a restart, until a target has acknowledged again what it lists.
                for rendition in &merged.state.renditions {
                    let end = rendition.first_msn + rendition.segments.len() as u64;
                    for (what, before, now) in [
                        ("EXT-X-MEDIA-SEQUENCE", &mut self.first_msn, rendition.first_msn),
                        ("the last number", &mut self.end_msn, end),
                        (
                            "EXT-X-DISCONTINUITY-SEQUENCE",
                            &mut self.discontinuities,
                            rendition.discontinuity_sequence,
                        ),
                    ] {
                        if now < *before {
                            wrong.push(format!("{what} went back from {before} to {now}"));
                        }
                        *before = now.max(*before);
                    }
                }
                for (rendition, (msn, segment)) in numbered {
                    let name = listed(&merged.state, rendition, segment).name;
                    wrong.extend(self.viewer.sees(msn, &name).err());
                }
                for rendition in &state.renditions {
                    let names =
                        rendition.segments.iter().map(|segment| listed(state, rendition, segment).name);
                    let unseen = names.filter(|name| !self.viewer.numbers.contains_key(name));
                    wrong.extend(
                        unseen.map(|name| format!("viewers don't see {name}, which the origin lists")),
                    );
                }
                self.merged = Some(merged);
            }
            Ok(Outcome::Old(revision)) => {
                wrong.push(format!("an edge leaves it out for revision {revision}"))
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
}

fn listed(state: &ChannelState, rendition: &Rendition, segment: &Segment) -> Listed {
    let name = object::segment_name(&state.channel, &rendition.id, segment.start, state.segment_ms);
    let init = rendition.inits.get(usize::from(segment.init)).cloned().unwrap_or_default();
    let Segment { start, duration, discontinuity, gap, .. } = *segment;
    Listed { name, init, start, duration, discontinuity, gap }
}
