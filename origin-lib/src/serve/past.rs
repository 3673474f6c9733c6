//! What an earlier run left: for each channel, where the spool, the desk and the feeds go on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use railbird_core::cmaf;
use railbird_core::id::{ChannelId, RecordingId, RenditionId};
use railbird_core::media::{AudioConfig, Role};
use railbird_core::programme::{OPEN_MS_MAX, Resume};
use railbird_core::recording::{Head, Kind, Reel};

use crate::config::{Channel, Config, SOUND};
use crate::driver::{self, Begin, Plan, Promise};
use crate::journal::{self, GoesOn, History, Summary};
use crate::{clock, recorded, spool};

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Past {
    /// For the spool.
    pub(super) lines: BTreeMap<ChannelId, spool::Line>,
    /// For the desk.
    pub(super) begins: BTreeMap<ChannelId, Begin>,
    /// Recordings that have ended.
    pub(super) ended: Vec<(ChannelId, Summary)>,
    /// For the feeds: up to where media was cut, and how their clocks were tied to the world's.
    pub(super) resumes: BTreeMap<ChannelId, Resume>,
    /// And which sound each channel had.
    pub(super) sounds: BTreeMap<ChannelId, AudioConfig>,
    /// For the feeds, too: what the desk promises of each channel.
    pub(super) promises: BTreeMap<ChannelId, Promise>,
}

impl Past {
    /// Reads it.
    pub(super) fn read(config: &Config) -> Past {
        let mut past = Past::default();
        for channel in &config.channels {
            past.channel(config, channel);
        }
        past
    }

    fn channel(&mut self, config: &Config, channel: &Channel) {
        let id = &channel.id;
        let end_after = config.recording.end_after.unwrap_or_default();
        let end_after_ms = end_after_ms(end_after);
        let goes_on = GoesOn { rendition: &channel.source, end_after_ms };
        let found = History::read(&config.data_dir, &config.origin, id, &goes_on, clock::now());
        let History { open, ended, msn_min } = found;
        let last = open.as_ref().and_then(|(reel, _)| reel.end());
        if let Some(end) = last.into_iter().chain(ended.iter().map(|summary| summary.end)).max() {
            // A clock that was set back must not make what we say look old.
            clock::not_before(end.utc());
            let role = |feed: &str| Role::ALL.into_iter().find(|role| role.as_str() == feed);
            let anchors = open.iter().flat_map(|(reel, _)| reel.anchors());
            let anchors = anchors.filter_map(|(feed, anchor)| Some((role(feed)?, *anchor))).collect();
            self.resumes.insert(id.clone(), Resume { not_before: end, anchors });
            let sound = open.as_ref().and_then(|(reel, _)| sound(reel, &config.data_dir));
            self.sounds.extend(sound.map(|sound| (id.clone(), sound)));
        }
        let head = Head {
            channel: id.clone(),
            recording: RecordingId::beginning(clock::now()),
            rendition: channel.source.clone(),
            segment_ms: channel.segment_ms,
            key_period_s: channel.key_period_s,
            msn_min,
        };
        let found = open.as_ref().map(|(reel, len)| spool::Found {
            head: Arc::new(reel.head().clone()),
            next_n: u32::try_from(reel.objects().len()).unwrap_or(u32::MAX),
            len: *len,
        });
        self.lines.insert(id.clone(), spool::Line { head, found });

        self.ended.extend(ended.iter().map(|summary| (id.clone(), summary.clone())));
        let plan = Plan {
            origin: config.origin.clone(),
            title: channel.title.clone(),
            part_ms: channel.part_ms,
            target_s: channel.target_s,
            preload_hints: channel.preload_hints,
            window_s: channel.dvr_s,
            end_after_ms,
            rungs: rungs(channel),
            rotate_at: driver::ROTATE_AT,
            promise: Promise::default(),
        };
        self.promises.insert(id.clone(), plan.promise.clone());
        let open = open.map(|(reel, _)| reel);
        self.begins.insert(id.clone(), Begin { plan, open, ended });
    }
}

/// The sound that a recording had last, by its newest init segment.
fn sound(reel: &Reel, data_dir: &Path) -> Option<AudioConfig> {
    let object = reel.objects().iter().rev().find(|object| matches!(object.kind, Kind::Init(_)))?;
    let (name, sha256) = (reel.name(object), object.sha256.as_ref()?);
    let init = recorded::object(&journal::objects_dir(data_dir), &name, object.len, sha256).ok()?;
    cmaf::sound(&init)
}

/// The further renditions of a channel, best first.
fn rungs(channel: &Channel) -> Vec<RenditionId> {
    let muxed = channel.voices.is_empty();
    let sound = (channel.audio_only && muxed).then(|| SOUND.parse().ok()).flatten();
    let voices = channel.voices.iter().map(|voice| voice.rendition.clone());
    let views = channel.views.iter().map(|(_, name)| name.clone());
    let companions = channel.companions.iter().map(|companion| companion.name.clone());
    let made = channel.ladder.iter().map(|rung| rung.name.clone());
    views.chain(companions).chain(made).chain(voices).chain(sound).collect()
}

/// How long a channel goes on without a feed at least: what is open waits for [`OPEN_MS_MAX`], and would become a recording
/// of its own.
const END_AFTER_MS_MIN: u64 = OPEN_MS_MAX + 5_000;

/// How long a channel may have no feed before its recording ends, in milliseconds; 0: for ever.
fn end_after_ms(configured: Duration) -> u64 {
    let ms = u64::try_from(configured.as_millis()).unwrap_or(u64::MAX);
    if ms > 0 { ms.max(END_AFTER_MS_MIN) } else { ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_does_not_end_while_a_part_of_it_waits() {
        let of = |s| end_after_ms(Duration::from_secs(s));
        assert_eq!([of(1), of(0), of(7_200)], [15_000, 0, 7_200_000], "late enough, or never");
        assert!(of(1) > OPEN_MS_MAX);
    }
}
