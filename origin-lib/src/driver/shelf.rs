//! One channel at the desk: its book, the reel of its recording, and what of both the edges must be told.
//!
//! Pure bookkeeping with the time as an argument; public so that a simulation can drive it in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use railbird_core::hash::Hash;
use railbird_core::id::{OriginId, RecordingId, RenditionId, TargetId};
use railbird_core::object;
use railbird_core::package;
use railbird_core::publish::{Book, Channel};
use railbird_core::recording::{Head, Kind, Misfit, Record, Reel, Rung, View};
use railbird_core::state::{ChannelState, Node, Phase};
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};

use super::made::Made;
use super::promise::Promise;
use crate::delivery::{self, Has, ObjectRef};
use crate::journal::{Summary, Takers};
use crate::spool::{Cut, Stored};

/// What stays the same for a channel's life.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which origin this is.
    pub origin: OriginId,
    /// What people call the channel.
    pub title: String,
    /// The longest part in milliseconds, where the channel is one of low latency.
    pub part_ms: Option<u32>,
    /// Whether its playlists hint at parts.
    pub preload_hints: bool,
    /// How much live playlists list, in seconds.
    pub window_s: u32,
    /// How long the channel may have no feed before it ends by itself, in milliseconds; 0: for ever.
    pub end_after_ms: u64,
    /// The further renditions that are made, each cut where the source is, best first.
    pub rungs: Vec<RenditionId>,
    /// How many objects a recording gets before another one begins, while the channel goes on.
    pub rotate_at: u32,
    /// What its playlists promise, for those who cut its segments.
    pub promise: Promise,
}

/// A recording, and what was listed of it.
#[derive(Debug)]
pub struct Shelf {
    plan: Arc<Plan>,
    /// What the recording's journal says.
    pub reel: Reel,
    /// What may be listed.
    pub book: Book,
    /// Chapters that the edges don't have as they are now.
    pub changed: BTreeSet<usize>,
    chapters: usize,
    /// How many segments were listed when the newest chapter was last found to have grown.
    grown: usize,
    /// Up to where each rung was listed, by its place in the plan.
    rungs: Vec<MediaTime>,
}

/// How many further segments the newest chapter gets before it is pushed again: far fewer than a live window lists, since
/// who starts over reads from one to the other.
const GROWS_BY: usize = 4;

/// Which node stands over each target.
pub type Nodes = BTreeMap<TargetId, Node>;

impl Shelf {
    /// The recording of this journal, as an earlier run left it or just begun. Records that must follow are added to `notes`.
    pub fn new(plan: Arc<Plan>, mut reel: Reel, nodes: &Nodes, now: UtcMs, notes: &mut Vec<Record>) -> Shelf {
        let Head { channel, recording, rendition, segment_ms, key_period_s, msn_min } = reel.head().clone();
        let gone: Vec<TargetId> = (0..32)
            .filter_map(|bit| reel.target(bit))
            .filter(|id| !nodes.contains_key(*id))
            .cloned()
            .collect();
        for target in gone {
            let record = Record::Removed { target };
            // Removing always fits.
            let _ = reel.apply(record.clone());
            notes.push(record);
        }
        let channel = Channel {
            id: channel,
            origin: plan.origin.clone(),
            recording,
            title: plan.title.clone(),
            segment_ms,
            key_period_s,
            part_ms: plan.part_ms,
            preload_hints: plan.preload_hints,
            window_s: plan.window_s,
            msn_min,
            nodes: Vec::new(),
            rungs: plan.rungs.clone(),
        };
        let mut shelf = Shelf {
            plan,
            book: Book::new(channel, rendition),
            reel,
            changed: BTreeSet::new(),
            chapters: 0,
            grown: 0,
            rungs: Vec::new(),
        };
        for (target, node) in nodes {
            shelf.set_node(target, Some(node.clone()));
        }
        shelf.book.restore(&shelf.reel, now);
        if shelf.reel.ended().is_some() {
            shelf.book.set_phase(Phase::Ended);
        }
        shelf.promise();
        shelf
    }

    /// Tells who cuts segments what playlists promise of them. One that is over binds nobody any more.
    fn promise(&self) {
        let target_s = self.book.target_s().filter(|_| self.reel.ended().is_none());
        self.plan.promise.set(target_s);
    }

    /// It goes on where another recording was long enough, in the same live playlists.
    pub fn goes_on(&mut self, target_s: Option<u32>) {
        if let Some(target_s) = target_s {
            self.book.promised(target_s);
        }
        self.promise();
    }

    /// The recording.
    pub fn recording(&self) -> &RecordingId {
        &self.reel.head().recording
    }

    /// An object is on the disk.
    pub fn stored(&mut self, stored: &Stored, now: UtcMs) -> Result<Arc<ObjectRef>, Misfit> {
        let Stored { made, n, len, sha256, .. } = stored;
        let (n, len, sha256) = (*n, *len, *sha256);
        match &made.object.kind {
            package::Kind::Init(init) => {
                self.reel.apply(Record::Init { n, init: init.clone(), len, sha256 })?;
                self.book.init(init.clone());
            }
            package::Kind::Segment { start, duration, discontinuity, dependent, captions, splices } => {
                let (start, duration, discontinuity) = (*start, *duration, *discontinuity);
                let (captions, known) = (*captions, self.reel.captions());
                self.reel.apply(Record::Segment {
                    n,
                    start,
                    duration,
                    discontinuity,
                    dependent: *dependent,
                    captions,
                    len,
                    sha256,
                })?;
                for splice in splices {
                    self.reel.apply(Record::Splice(splice.clone()))?;
                }
                self.book.captions(captions);
                self.book.splices(splices);
                // What a replay has is read in its first chapter.
                if self.reel.captions() != known && self.chapters > 0 {
                    self.changed.insert(0);
                }
                self.warn_if_long(duration);
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.book.segment(start, duration, discontinuity, len, now);
                self.promise();
                if *dependent && self.book.depends(start) {
                    if self.chapters > 0 {
                        self.changed.insert(0);
                    }
                    let (channel, target_s) = (&self.reel.head().channel, self.book.target_s());
                    tracing::warn!(%channel, target_s, "key frames come later than playlists promise: segments are cut between them, and who comes, or seeks, waits for the next one: set the encoder's key frame interval as it was");
                }
            }
            package::Kind::FramesInit(_) => self.reel.apply(Record::FramesInit { n, len, sha256 })?,
            package::Kind::Frame(start) => {
                self.reel.apply(Record::Frame { n, start: *start, len, sha256 })?;
                self.book.frame(*start, usize::try_from(len).unwrap_or(usize::MAX), now);
            }
            package::Kind::Rung(rendition, package::Rung::Init(init)) => {
                let (rendition, init) = (rendition.clone(), init.clone());
                self.book.rung_init(&rendition, init.clone());
                let known = self.reel.rungs().len();
                self.reel.apply(Record::RungInit { n, rendition, init, len, sha256 })?;
                // What a replay has is read in its first chapter, and every chapter lists all that it has.
                if self.reel.rungs().len() != known {
                    self.changed.extend(0..self.chapters);
                }
            }
            package::Kind::Rung(rendition, package::Rung::Segment { start, duration, captions }) => {
                let (rendition, start, duration, captions) =
                    (rendition.clone(), *start, *duration, *captions);
                let size = usize::try_from(len).unwrap_or(usize::MAX);
                self.book.rung_segment(&rendition, start, (duration, captions), size, now);
                let (peak, of) = (self.rung_peak(&rendition), rendition.clone());
                self.reel.apply(Record::RungSegment {
                    n,
                    rendition,
                    start,
                    duration,
                    captions,
                    len,
                    sha256,
                })?;
                // That is told there, too.
                if self.rung_peak(&of) != peak && self.chapters > 0 {
                    self.changed.insert(0);
                }
            }
            // Parts don't come from the disk.
            package::Kind::Part(_) => return Err(Misfit::Unknown),
        }
        self.object(n, stored.path.clone()).ok_or(Misfit::Unknown)
    }

    fn rung_peak(&self, id: &RenditionId) -> Option<u32> {
        self.reel.rungs().iter().find(|rung| rung.id() == id).map(Rung::peak)
    }

    /// A part was made. `None` for what is no part, or of no use any more.
    pub fn part(&mut self, made: &Made, now: UtcMs) -> Option<Arc<ObjectRef>> {
        let package::Kind::Part(part) = &made.object.kind else { return None };
        if !self.book.part(part, now) {
            return None;
        }
        let head = self.reel.head();
        Some(Arc::new(ObjectRef {
            channel: head.channel.clone(),
            rendition: head.rendition.clone(),
            recording: head.recording.clone(),
            n: 0,
            name: made.object.name.clone(),
            path: PathBuf::new(),
            len: made.object.bytes.len() as u64,
            sha256: Hash::of(&made.object.bytes),
            start: part.start,
            kind: delivery::Kind::Part { init: part.init.clone() },
            segment_ms: head.segment_ms,
            key_period_s: head.key_period_s,
        }))
    }

    /// A target has the part that starts here.
    pub fn part_acked(&mut self, target: &TargetId, start: MediaTime, now: UtcMs) {
        // One that has gone meanwhile has no bit.
        if let Ok(slot) = self.reel.bit(target) {
            self.book.ack_part(slot, start, now);
        }
    }

    /// A segment is not on the disk.
    pub fn lost(&mut self, n: u32, cut: Cut, now: UtcMs) -> Result<(), Misfit> {
        let Cut { start, duration, discontinuity } = cut;
        self.reel.apply(Record::Lost { n, start, duration, discontinuity })?;
        self.book.segment(start, duration, discontinuity, 0, now);
        Ok(())
    }

    fn warn_if_long(&self, duration: MediaSpan) {
        if self.book.is_too_long(duration) {
            let (channel, ms) = (&self.reel.head().channel, duration.ms());
            tracing::warn!(%channel, ms, "a segment is longer than EXT-X-TARGETDURATION promises, and some players stop at that: set the encoder's key frame interval as it was");
        }
    }

    /// A target has something under an object's name. Gives the record of it.
    pub fn acked(&mut self, target: &TargetId, n: u32, has: Has, now: UtcMs) -> Result<Record, Misfit> {
        let record = has.record(n, target.clone());
        self.reel.apply(record.clone())?;
        // That is not ours to list.
        if has == Has::Others {
            return Ok(record);
        }
        let slot = self.reel.bit(target)?;
        match self.reel.objects().get(n as usize).map(|object| &object.kind) {
            Some(Kind::Segment(segment)) => self.book.ack(slot, segment.start, now),
            Some(Kind::Init(init)) => self.book.ack_init(slot, &init.name.clone(), now),
            Some(Kind::Frame(start)) => self.book.ack_frame(slot, *start, now),
            Some(Kind::FramesInit(of)) => {
                if let Some(init) = self.reel.init(*of) {
                    self.book.ack_frames_init(slot, &init.name, now);
                }
            }
            Some(Kind::RungInit(..) | Kind::RungSegment { .. }) => self.rung_acked(slot, n, now),
            Some(Kind::Foreign) | None => {}
        }
        if let Some(chapter) = self.reel.chapter_of(n).filter(|chapter| *chapter < self.chapters) {
            self.changed.insert(chapter);
        }
        Ok(record)
    }

    fn rung_acked(&mut self, slot: usize, n: u32, now: UtcMs) {
        let Some(object) = self.reel.objects().get(n as usize) else { return };
        let id = self.reel.rendition(object);
        match &object.kind {
            Kind::RungInit(_, init) => self.book.ack_rung_init(slot, id, &init.name, now),
            Kind::RungSegment { start, .. } => self.book.ack_rung(slot, id, *start, now),
            _ => {}
        }
    }

    /// A rung will have nothing in the place of the segment that starts here.
    pub fn rung_lost(&mut self, rung: &RenditionId, start: MediaTime, now: UtcMs) {
        self.book.rung_lost(rung, start, now);
    }

    /// A node came, changed or went.
    pub fn set_node(&mut self, target: &TargetId, node: Option<Node>) {
        let slot = match &node {
            Some(_) => self.reel.bit(target),
            None => self.reel.known_bit(target).ok_or(Misfit::Unknown),
        };
        match slot {
            Ok(slot) => self.book.set_node(slot, node),
            Err(Misfit::Unknown) => {}
            Err(error) => tracing::error!(%target, %error, "viewers can't be sent to this target's node"),
        }
    }

    /// A target is gone for good. Gives the record of it.
    pub fn removed(&mut self, target: &TargetId) -> Record {
        self.set_node(target, None);
        let record = Record::Removed { target: target.clone() };
        // Removing always fits.
        let _ = self.reel.apply(record.clone());
        self.changed.extend(0..self.chapters);
        record
    }

    /// The channel ends. Gives the number at which the next recording begins to count.
    pub fn end(&mut self, now: UtcMs) -> u64 {
        let next_msn = self.book.next_msn();
        // An end always fits.
        let _ = self.reel.apply(Record::End { at: now, next_msn });
        self.book.set_phase(Phase::Ended);
        self.changed.extend(self.chapters.checked_sub(1));
        next_msn
    }

    /// Lists what may be listed: a new state where anything changed, and records of what it promises, and of the gaps in it, which
    /// must be noted before anybody is told.
    pub fn look(&mut self, now: UtcMs) -> (Option<ChannelState>, Vec<Record>) {
        let state = self.book.poll(now);
        self.promise();
        let gaps = self.book.take_listed().into_iter().filter(|listed| listed.gap);
        let numbers: Vec<u32> = gaps.filter_map(|listed| self.reel.at(listed.start)).collect();
        let mut records = Vec::new();
        let promise = self.book.promise().filter(|_| self.reel.ended().is_none());
        if let Some(target_s) = promise.filter(|_| promise != self.reel.promise()) {
            let record = Record::Promise { target_s };
            let _ = self.reel.apply(record.clone());
            records.push(record);
        }
        for n in numbers {
            if self.reel.segment(n).is_some_and(|segment| !segment.gap) {
                let record = Record::Gap { n };
                let _ = self.reel.apply(record.clone());
                records.push(record);
            }
        }
        for (rung, start) in self.book.take_rung_gaps() {
            let known = self.reel.rungs().iter().find(|known| *known.id() == rung);
            let Some(n) = known.filter(|known| !known.was_gap(start)).and_then(|known| known.at(start))
            else {
                continue;
            };
            let record = Record::RungGap { n };
            let _ = self.reel.apply(record.clone());
            records.push(record);
        }
        self.rungs_grew();
        let listed = self.book.listed_count();
        let chapters = self.reel.chapters(listed);
        if chapters > self.chapters || listed >= self.grown + GROWS_BY {
            // The one that was the newest may have grown, too.
            self.changed.extend(self.chapters.saturating_sub(1)..chapters);
            (self.chapters, self.grown) = (chapters, listed);
        }
        (state, records)
    }

    /// Chapters in which a rung was listed further have changed: a gap has no acknowledgement that would say so.
    fn rungs_grew(&mut self) {
        let listed: Vec<MediaTime> = self.book.rungs_listed().map(|(_, up_to)| up_to).collect();
        for (place, up_to) in listed.iter().enumerate() {
            let before = self.rungs.get(place).copied().unwrap_or(*up_to);
            if before < *up_to {
                let (from, to) = (self.reel.chapter_at(before), self.reel.chapter_at(*up_to));
                self.changed.extend((from..=to).filter(|chapter| *chapter < self.chapters));
            }
        }
        self.rungs = listed;
    }

    /// Whether something waits to be listed, for which time alone may decide.
    pub fn waits(&self) -> bool {
        let listed = self.book.first_msn().map(|first| first + self.book.listed_count() as u64);
        let segments = listed.map_or(self.book.begins_at().is_some(), |listed| listed < self.book.next_msn());
        segments || !self.plan.rungs.is_empty()
    }

    /// How many chapters there are.
    pub fn chapters(&self) -> usize {
        self.chapters
    }

    /// A chapter as the edges get it.
    pub fn chapter(&self, chapter: usize, now: UtcMs) -> Option<ChannelState> {
        let first_msn = self.book.first_msn()?;
        let (listed, slots) = (self.book.listed_count(), self.book.slots());
        // What is over gets nothing more.
        let open = self.reel.ended().is_none();
        let up_to = |rung: &Rung| {
            let listed = self.book.rungs_listed().find(|(id, _)| *id == rung.id());
            listed.filter(|_| open).map_or(MediaTime(u64::MAX), |(_, up_to)| up_to)
        };
        let rungs: Vec<MediaTime> = self.reel.rungs().iter().map(up_to).collect();
        let (title, origin) = (&*self.plan.title, &self.plan.origin);
        let view = View { listed, first_msn, title, origin, slots, rungs: &rungs };
        Some(self.reel.chapter(chapter, &view, now))
    }

    /// The recording in short, once it has ended.
    pub fn summary(&self, takers: &Takers) -> Option<Summary> {
        Summary::of(&self.reel, self.book.begins_at()?, takers)
    }

    /// What stays the same for the channel's life.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// An object as delivery takes it; `None` where the disk does not have it.
    pub fn object(&self, n: u32, path: PathBuf) -> Option<Arc<ObjectRef>> {
        object(&self.reel, n, path)
    }
}

/// An object of a reel as delivery takes it; `None` where the disk does not have it.
pub fn object(reel: &Reel, n: u32, path: PathBuf) -> Option<Arc<ObjectRef>> {
    let object = reel.objects().get(n as usize)?;
    let (start, kind) = match &object.kind {
        Kind::Init(_) | Kind::FramesInit(_) | Kind::RungInit(..) => {
            // It goes with the segment that needs it.
            let next = reel.objects().iter().skip(n as usize).find_map(|object| match &object.kind {
                Kind::Segment(segment) => Some(segment.start),
                _ => None,
            });
            (next.or(reel.end()).unwrap_or_default(), delivery::Kind::Init)
        }
        Kind::Segment(segment) => {
            let init = reel.init(segment.init?)?.name.clone();
            (segment.start, delivery::Kind::Segment { init })
        }
        Kind::RungSegment { start, init, .. } => {
            (*start, delivery::Kind::Rung { init: reel.init(*init)?.name.clone() })
        }
        Kind::Frame(start) => {
            let segment = reel.at(*start).and_then(|n| reel.segment(n))?;
            let init = object::frames_init_name(&reel.init(segment.init?)?.name);
            (*start, delivery::Kind::Frame { init })
        }
        Kind::Foreign => return None,
    };
    let head = reel.head();
    Some(Arc::new(ObjectRef {
        channel: head.channel.clone(),
        rendition: reel.rendition(object).clone(),
        recording: head.recording.clone(),
        n,
        name: reel.name(object),
        path,
        len: object.len,
        sha256: object.sha256?,
        start,
        kind,
        segment_ms: head.segment_ms,
        key_period_s: head.key_period_s,
    }))
}

#[cfg(test)]
mod tests;
