//! What must hold when all is over.

use bytes::Bytes;
use railbird_core::media::{FeedEvent, Frame, Kind as Track};

use super::encoder::FRAME_MS;
use super::origin::Origin;
use super::pair;
use super::world::World;

impl World {
    /// An error where something of it does not.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.origins.iter_mut().try_for_each(Origin::is_right)?;
        for origin in &self.origins {
            let reel = origin.reel().ok_or("no recording")?;
            for object in reel.objects() {
                let (name, Some(sha256)) = (reel.name(object), object.sha256) else { continue };
                self.shown.less += usize::from(object.less != 0);
                let other =
                    |hash| self.origins.iter().any(|o| o.made.get(&name).is_some_and(|m| m.hash == hash));
                for target in &self.targets {
                    match target.objects.get(&name) {
                        Some(hash) if *hash == sha256 || other(*hash) => {}
                        found => return Err(format!("{} has {found:?} of {name}", target.id)),
                    }
                }
            }
            self.shown.segments += reel.order().len();
        }
        for edge in &self.edges {
            if !edge.viewer.ended {
                return Err(format!("a viewer of {:?} does not see the end", edge.origins));
            }
            if !edge.viewer.findings.is_empty() {
                let found: Vec<&str> = edge.viewer.findings.values().map(String::as_str).collect();
                return Err(format!("a viewer of {:?}: {}", edge.origins, found.join("\n")));
            }
            self.shown.listed += edge.viewer.count();
            self.shown.gaps += edge.viewer.gaps.len();
            self.shown.parts += edge.viewer.parts;
            self.shown.torn += edge.viewer.torn();
        }
        if let [one, other] = &self.origins[..] {
            self.shown.same = pair::same(one, other)?;
        }
        if self.gentle {
            let (taken, recorded) = pair::union(&self.origins)?;
            (self.shown.taken, self.shown.owed) = (taken, self.owed.len());
            if let Some(lost) = self.owed.iter().find(|data| !recorded.contains(*data)) {
                let text = String::from_utf8_lossy(lost);
                return Err(format!("{text} was sent again in time, and nobody has it"));
            }
        }
        Ok(())
    }
}

/// The pictures of these events that can be decoded: from a key frame on, without a hole.
pub(super) fn decodable(events: &[FeedEvent]) -> Vec<Bytes> {
    let (mut last_ms, mut pictures) = (None, Vec::new());
    for event in events {
        let FeedEvent::Frame(Frame { kind: Track::Video, key, dts_ms, data, .. }) = event else { continue };
        let goes_on = last_ms.is_some_and(|last| dts_ms - last == FRAME_MS as i64);
        last_ms = (*key || goes_on).then_some(*dts_ms);
        pictures.extend(last_ms.map(|_| data.clone()));
    }
    pictures
}
