//! The book of an origin that has restarted: what the journal of the channel's open recording knows.

use alloc::vec::Vec;

use super::Book;
use super::rungs::Made;
use crate::id::RenditionId;
use crate::recording::{self, Reel};
use crate::scte35;
use crate::state::NODES_MAX;
use crate::time::{MediaTime, UtcMs};

impl Book {
    /// Goes on where the journal of the channel's open recording ends: everything that was listed before is listed again, with
    /// the same numbers, however the origin came to its end. For an empty book whose slots are the reel's bits.
    pub fn restore(&mut self, reel: &Reel, now: UtcMs) {
        if let Some(target_s) = reel.promise() {
            self.promised(target_s);
        }
        self.captions(reel.captions());
        let said = reel.splices();
        self.splices(said.get(said.len().saturating_sub(scte35::SPLICES_MAX)..).unwrap_or_default());
        for object in reel.objects() {
            let slots = (0..NODES_MAX).filter(|slot| (object.on >> slot) & 1 == 1);
            match &object.kind {
                recording::Kind::Init(init) => {
                    self.init(init.clone());
                    slots.for_each(|slot| self.ack_init(slot, &init.name, now));
                }
                recording::Kind::Segment(segment) => {
                    let recording::Segment { start, duration, discontinuity, gap, .. } = *segment;
                    let len = usize::try_from(object.len).unwrap_or(usize::MAX);
                    self.segment(start, duration, discontinuity, len, now);
                    if segment.dependent {
                        self.depends(start);
                    }
                    if gap {
                        self.was_gap(start, now);
                    }
                    slots.for_each(|slot| self.ack(slot, start, now));
                }
                recording::Kind::RungInit(_, init) => {
                    let id = reel.rendition(object);
                    self.rung_init(id, init.clone());
                    slots.for_each(|slot| self.ack_rung_init(slot, id, &init.name, now));
                }
                recording::Kind::RungSegment { start, duration, .. } => {
                    let id = reel.rendition(object);
                    let len = usize::try_from(object.len).unwrap_or(usize::MAX);
                    let captions = reel.rungs().iter().find(|rung| rung.id() == id);
                    let captions = captions.map(recording::Rung::captions).unwrap_or_default();
                    self.rung_segment(id, *start, (*duration, captions), len, now);
                    if reel.rungs().iter().any(|rung| rung.id() == id && rung.was_gap(*start)) {
                        self.rung_was_gap(id, *start);
                    }
                    slots.for_each(|slot| self.ack_rung(slot, id, *start, now));
                }
                recording::Kind::FramesInit(of) => {
                    let Some(name) = reel.init(*of).map(|init| init.name.clone()) else { continue };
                    slots.for_each(|slot| self.ack_frames_init(slot, &name, now));
                }
                recording::Kind::Frame(start) => {
                    self.frame(*start, usize::try_from(object.len).unwrap_or(usize::MAX), now);
                    slots.for_each(|slot| self.ack_frame(slot, *start, now));
                }
                recording::Kind::Foreign => {}
            }
        }
        // They have the numbers that parts which are made now would seem to have.
        self.parts.hold(self.waiting.back().map(|last| last.segment.start));
        self.restore_rungs(reel, now);
        // The edge knows it.
        self.waits.told = !self.listed.is_empty();
    }

    /// The segment that starts here was listed as a gap before the origin restarted: it is one again.
    pub fn was_gap(&mut self, start: MediaTime, now: UtcMs) {
        if let Ok(at) = self.waiting.binary_search_by_key(&start, |waiting| waiting.segment.start) {
            self.waiting[at].segment.gap = true;
        }
        self.advance(now);
    }

    /// What a rung has in the place of the segment that starts here was listed as a gap before the origin restarted: it is one
    /// again.
    fn rung_was_gap(&mut self, id: &RenditionId, start: MediaTime) {
        let made = self.rung(id).and_then(|rung| rung.made_at(start));
        made.into_iter().for_each(|made| made.lost = true);
    }

    /// What an earlier run left of a rung is all that there will be of it: what is missing was being made when it ended.
    fn restore_rungs(&mut self, reel: &Reel, now: UtcMs) {
        let starts = self.listed.iter().chain(self.waiting.iter().map(|waiting| &waiting.segment));
        let starts: Vec<MediaTime> = starts.map(|segment| segment.start).collect();
        for rung in &mut self.rungs {
            let known = reel.rungs().iter().find(|known| known.id() == rung.id());
            let listed = rung.listed_len();
            let missing =
                starts.iter().skip(listed).filter(|at| known.is_none_or(|known| known.at(**at).is_none()));
            missing.for_each(|start| rung.put(*start, Made::LOST));
        }
        self.advance(now);
    }
}
