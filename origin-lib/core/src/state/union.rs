//! Lists of several origins, united: the event's channels, and a channel's recordings.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{EventState, Replay, ReplayList};
use crate::id::{ChannelId, OriginId, RecordingId};
use crate::time::{MediaTime, UtcMs};

/// The most origins whose lists are kept.
pub const VOICES_MAX: usize = 8;

/// The most channels that are remembered beyond those that an origin lists now.
pub const TOLD_MAX: usize = 1024;

/// An origin whose list was not heard for this long makes no recording any more, in milliseconds.
pub const FRESH_MS: u64 = 60_000;

/// That an origin repeats its list is noted at most this often, in milliseconds.
const HEARD_AGAIN_MS: u64 = 20_000;

/// What became of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It says something new: keep the union.
    New,
    /// Its origin repeats itself, which shows that it lives: keep the union. The number is the revision that was known.
    Again(u64),
    /// What is kept of this origin is as new. The number is its revision.
    Old(u64),
}

/// What each origin said last of the event, and of which channels any of them ever spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    voices: Vec<EventState>,
    /// Those that no origin lists now, in the order in which they were told.
    #[serde(default)]
    told: Vec<ChannelId>,
}

impl Events {
    /// Takes an origin's word; its own earlier one goes.
    pub fn take(&mut self, said: EventState) -> Taken {
        if let Some(voice) = self.voices.iter().find(|voice| voice.origin == said.origin)
            && voice.revision >= said.revision
        {
            return Taken::Old(voice.revision);
        }
        let before: Vec<ChannelId> = self.listed().cloned().collect();
        self.voices.retain(|voice| voice.origin != said.origin);
        self.voices.push(said);
        // One order for all, whoever spoke last.
        self.voices.sort_by(|a, b| a.origin.cmp(&b.origin));
        if self.voices.len() > VOICES_MAX {
            let oldest = (0..self.voices.len()).min_by_key(|at| self.voices.get(*at).map(|v| v.revision));
            oldest.map(|at| self.voices.remove(at));
        }
        // What is no longer listed may still have recordings.
        for channel in before {
            self.tell(channel);
        }
        Taken::New
    }

    /// Remembers that an origin spoke of a channel; says whether that was news. Of too many, the one that was told first goes.
    pub fn tell(&mut self, channel: ChannelId) -> bool {
        if self.knows(&channel) {
            return false;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.remove(0);
        }
        self.told.push(channel);
        true
    }

    /// Whether an origin ever spoke of a channel.
    pub fn knows(&self, channel: &ChannelId) -> bool {
        self.known().any(|known| known == channel)
    }

    /// The channels of which an origin ever spoke; one may come more than once.
    pub fn known(&self) -> impl Iterator<Item = &ChannelId> {
        self.listed().chain(&self.told)
    }

    fn listed(&self) -> impl Iterator<Item = &ChannelId> {
        self.voices.iter().flat_map(|voice| &voice.channels).map(|brief| &brief.id)
    }

    /// The event that was spoken of last, with the channels of every origin that speaks of the same one.
    pub fn event(&self) -> Option<EventState> {
        let newest = self.voices.iter().max_by_key(|voice| voice.revision)?;
        let mut event = EventState { channels: Vec::new(), ..newest.clone() };
        let same = self.voices.iter().filter(|voice| voice.event == newest.event);
        for brief in same.flat_map(|voice| &voice.channels) {
            if event.channels.iter().all(|known| known.id != brief.id) {
                event.channels.push(brief.clone());
            }
        }
        // Titles are the newest word, too.
        for brief in &newest.channels {
            let known = event.channels.iter_mut().find(|known| known.id == brief.id);
            known.into_iter().for_each(|known| known.title.clone_from(&brief.title));
        }
        Some(event)
    }
}

/// What each origin said last of a channel's recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replays {
    voices: Vec<Voice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Voice {
    heard: UtcMs,
    list: ReplayList,
}

/// A recording, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The origin whose chapters it has.
    pub origin: &'a OriginId,
    /// What that origin says of it.
    pub replay: &'a Replay,
    /// It is being made: its origin was heard of late.
    pub live: bool,
}

impl Replays {
    /// Takes an origin's list; its own earlier one goes. Returns with it the recordings that the origin no longer has.
    pub fn take(&mut self, said: ReplayList, now: UtcMs) -> (Taken, Vec<Replay>) {
        let mut gone = Vec::new();
        if let Some(voice) = self.voices.iter_mut().find(|voice| voice.list.origin == said.origin) {
            let revision = voice.list.revision;
            if revision == said.revision && now.ms_since(voice.heard) >= HEARD_AGAIN_MS {
                voice.heard = now;
                return (Taken::Again(revision), gone);
            }
            if revision >= said.revision {
                return (Taken::Old(revision), gone);
            }
            let has = |recording: &RecordingId| said.replays.iter().any(|r| r.recording == *recording);
            gone.extend(voice.list.replays.drain(..).filter(|replay| !has(&replay.recording)));
        }
        self.voices.retain(|voice| voice.list.origin != said.origin);
        if self.voices.len() >= VOICES_MAX {
            let silent = (0..self.voices.len()).min_by_key(|at| self.voices.get(*at).map(|v| v.heard));
            silent.map(|at| self.voices.remove(at));
        }
        self.voices.push(Voice { heard: now, list: said });
        (Taken::New, gone)
    }

    /// What can be watched, oldest first. Of recordings that overlap for more than half of the shorter one, as those of
    /// two origins do, the longer is shown.
    pub fn shown(&self, now: UtcMs) -> Vec<Found<'_>> {
        let mut shown: Vec<Found<'_>> = Vec::new();
        for found in self.ranked(now) {
            if shown.iter().all(|other| !is_same(other, &found)) {
                shown.push(found);
            }
        }
        shown.sort_by_key(|found| found.replay.start);
        shown
    }

    /// A recording by its name, shown or not.
    pub fn find(&self, recording: &RecordingId, now: UtcMs) -> Option<Found<'_>> {
        self.ranked(now).into_iter().find(|found| found.replay.recording == *recording)
    }

    /// Every origin's recordings, shown or not.
    pub fn all(&self) -> impl Iterator<Item = (&OriginId, &Replay)> {
        let lists = self.voices.iter().map(|voice| &voice.list);
        lists.flat_map(|list| list.replays.iter().map(|replay| (&list.origin, replay)))
    }

    /// All recordings, the better one of two that overlap first. One that is being made has no length yet: the one
    /// that began first will be the longer, and asking again must not find another.
    fn ranked(&self, now: UtcMs) -> Vec<Found<'_>> {
        let of = |voice: &'_ Voice| now.ms_since(voice.heard) <= FRESH_MS;
        let mut all: Vec<Found<'_>> = Vec::new();
        for voice in &self.voices {
            let found =
                |replay| Found { origin: &voice.list.origin, replay, live: of(voice) && !replay.ended };
            all.extend(voice.list.replays.iter().map(found));
        }
        all.sort_by(|a, b| {
            let length = |found: &Found<'_>| if found.live { i64::MAX } else { found.replay.duration.0 };
            let by_length = length(b).cmp(&length(a));
            by_length.then(a.replay.start.cmp(&b.replay.start)).then(a.origin.cmp(b.origin))
        });
        all
    }
}

fn is_same(a: &Found<'_>, b: &Found<'_>) -> bool {
    let ends = |found: &Found<'_>| -> (MediaTime, MediaTime) {
        let replay = found.replay;
        (replay.start, if found.live { MediaTime(u64::MAX) } else { replay.start + replay.duration })
    };
    let ((a_start, a_end), (b_start, b_end)) = (ends(a), ends(b));
    let shared = a_end.min(b_end).0.saturating_sub(a_start.max(b_start).0);
    let shorter = a_end.0.saturating_sub(a_start.0).min(b_end.0.saturating_sub(b_start.0));
    shared > shorter / 2
}

#[cfg(test)]
mod tests;
