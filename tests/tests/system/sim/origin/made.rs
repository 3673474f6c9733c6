//! What it made.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use railbird_core::hash::Hash;
use railbird_core::media::{Kind as Track, Sample};
use railbird_core::package::{self, Kind};
use railbird_core::recording::{self, Reel};
use railbird_core::time::{MediaSpan, MediaTime};
use railbird_core::{fmp4, keys};

use super::Origin;

/// A segment that was stored, or a part that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Made {
    pub(in crate::sim) kind: Kind,
    pub(in crate::sim) hash: Hash,
    pub(in crate::sim) bytes: Bytes,
}

impl Origin {
    /// Whether it made nothing that it should not have made.
    pub(in crate::sim) fn is_right(&mut self) -> Result<(), String> {
        self.wrong.take().map_or(Ok(()), |wrong| Err(format!("origin {}: {wrong}", self.at)))
    }

    /// Whether the parts of a segment are all of its media, in order.
    pub(in crate::sim) fn is_made_up(
        &self,
        start: MediaTime,
        segment: &Bytes,
        parts: &[Bytes],
    ) -> Result<(), String> {
        let mut together: BTreeMap<u32, Vec<Bytes>> = BTreeMap::new();
        for part in parts {
            for (track, frames) in self.frames(start, part)? {
                together.entry(track).or_default().extend(frames);
            }
        }
        match self.frames(start, segment)? == together {
            true => Ok(()),
            false => Err(format!("{} parts are not the segment that starts at {start:?}", parts.len())),
        }
    }

    /// The parts that it made of the segment that starts there.
    pub(in crate::sim) fn parts_of(&self, start: MediaTime) -> impl Iterator<Item = (&String, &Made)> {
        self.parts.iter().filter(move |(_, made)| matches!(&made.kind, Kind::Part(part) if part.of == start))
    }

    /// The frames of each track in a segment that starts there, or in a part of it.
    fn frames(&self, of: MediaTime, bytes: &Bytes) -> Result<BTreeMap<u32, Vec<Bytes>>, String> {
        let package::Settings { channel, key_period_s, secret, .. } = &self.settings.package;
        let period = keys::period(of, *key_period_s);
        let (key, mut clear) = (secret.content_key(channel, period), bytes.to_vec());
        keys::decrypt(&key, &keys::iv(channel, period), &mut clear).map_err(|error| error.to_string())?;
        let outline = fmp4::read::outline(&clear).map_err(|error| error.to_string())?;
        let mut tracks: BTreeMap<u32, Vec<Bytes>> = BTreeMap::new();
        for fragment in &outline.fragments {
            let frames =
                fragment.samples.iter().map(|sample| Bytes::copy_from_slice(&clear[sample.data.clone()]));
            tracks.entry(fragment.id).or_default().extend(frames);
        }
        Ok(tracks)
    }

    /// What it made around a time, for people.
    pub(in crate::sim) fn near(&self, time: MediaTime) -> String {
        let near = time + MediaSpan::from_ms(-8_000)..time + MediaSpan::from_ms(8_000);
        let made = self.starts.range(near.clone()).map(|(_, kind)| format!("{kind:?}"));
        let used = self.used.iter().filter(|passed| near.contains(&passed.sample.dts));
        let used = used.filter(|passed| passed.sample.kind == Track::Video).map(|passed| {
            let Sample { dts, key, ref data, .. } = passed.sample;
            format!("{}{}{}", dts.0, if key { " key " } else { " " }, String::from_utf8_lossy(data))
        });
        let lines: Vec<String> = made.chain(used).collect();
        let counts = self.run.as_ref().map(|run| run.programme.segment_counts());
        format!("origin {}: {counts:?}\n{}", self.at, lines.join("\n"))
    }

    /// The segment that it made from this time on.
    pub(in crate::sim) fn next(&self, from: MediaTime) -> Option<&Kind> {
        self.starts.get(&from)
    }

    /// The pictures of all that is on its disk.
    pub(in crate::sim) fn recorded(&self) -> Result<BTreeSet<Bytes>, String> {
        let reel = self.reel().ok_or("no recording")?;
        let mut frames = BTreeSet::new();
        for object in reel.objects().iter().filter(|object| object.sha256.is_some()) {
            let (name, recording::Kind::Segment(segment)) = (reel.name(object), &object.kind) else {
                continue;
            };
            let made = self.made.get(&name).ok_or_else(|| format!("{name} was never made"))?;
            let tracks =
                self.frames(segment.start, &made.bytes).map_err(|error| format!("{name}: {error}"))?;
            frames.extend(tracks.into_values().flatten());
        }
        Ok(frames)
    }

    pub(in crate::sim) fn reel(&self) -> Option<&Reel> {
        self.run.as_ref()?.shelf.as_ref().map(|shelf| &shelf.reel)
    }
}
