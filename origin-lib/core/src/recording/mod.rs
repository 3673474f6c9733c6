//! A recording: the objects of a channel from its first feed to its end, which target has each, and what was a gap.
//!
//! The truth is a journal, a list of [`Record`]s that is only ever appended to. A [`Reel`] is what the records say so
//! far; an origin that restarts reads the journal and goes on where it was. Records are kept so that losing the newest
//! ones to a crash costs work and nothing else: an object without its acknowledgement is sent again.

mod chapter;
mod objects;
mod record;
mod rungs;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use chapter::{CHAPTER_SEGMENTS, Slots, View};
pub(crate) use chapter::{compact, rate, rounded_s};
pub use objects::{Kind, Object, Segment};
pub use record::{Foreign, Head, Record};
pub use rungs::Rung;

use crate::captions::Captions;
use crate::hash::Hash;
use crate::id::TargetId;
use crate::object;
use crate::publish::Init;
use crate::scte35::Splice;
use crate::state::{NODES_MAX, RENDITIONS_MAX};
use crate::time::{MediaTime, UtcMs};
use crate::timeline::Anchor;

/// The most objects of a recording: five days of 2 s segments, half of that with their key frames.
pub const OBJECTS_MAX: usize = 220_000;

/// The most splices of a recording, the first ones: one a minute for a week.
pub const SPLICES_MAX: usize = 10_000;

/// The most anchors that are kept of a recording, the newest ones.
pub const ANCHORS_MAX: usize = 64;

/// What a journal says so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reel {
    head: Head,
    objects: Vec<Object>,
    /// The segments' numbers by start.
    order: Vec<u32>,
    /// The newest init segment's number.
    init: Option<u32>,
    /// The key frames' numbers by start, and those of their init segments by the number of the segments' own.
    frames: BTreeMap<MediaTime, u32>,
    frames_inits: BTreeMap<u32, u32>,
    rungs: Vec<Rung>,
    targets: [Option<TargetId>; NODES_MAX],
    anchors: Vec<(String, Anchor)>,
    captions: Captions,
    dependent: bool,
    splices: Vec<Splice>,
    promise: Option<u32>,
    ended: Option<UtcMs>,
    next_msn: u64,
    evicted: bool,
}

/// A record does not follow from those before it; it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Objects must come by number.
    #[error("its object number is not the next one")]
    Number,
    /// The object does not exist.
    #[error("there is no such object")]
    Unknown,
    /// A second beginning.
    #[error("the recording has begun already")]
    Begun,
    /// The recording is as long as one can be.
    #[error("a recording has at most {OBJECTS_MAX} objects")]
    Full,
    /// As many renditions as a channel can have.
    #[error("a recording has at most {RENDITIONS_MAX} renditions")]
    Renditions,
    /// As many targets as one object can have.
    #[error("a recording has at most {NODES_MAX} targets at a time")]
    Targets,
}

impl Reel {
    /// An empty recording.
    pub fn new(head: Head) -> Reel {
        Reel {
            head,
            objects: Vec::new(),
            order: Vec::new(),
            init: None,
            frames: BTreeMap::new(),
            frames_inits: BTreeMap::new(),
            rungs: Vec::new(),
            targets: [const { None }; NODES_MAX],
            anchors: Vec::new(),
            captions: Captions::default(),
            dependent: false,
            splices: Vec::new(),
            promise: None,
            ended: None,
            next_msn: 0,
            evicted: false,
        }
    }

    /// Takes the next record of the journal.
    pub fn apply(&mut self, record: Record) -> Result<(), Misfit> {
        match record {
            Record::Begin(_) => return Err(Misfit::Begun),
            Record::Init { n, init, len, sha256 } => {
                self.push(n, Object::new(Kind::Init(init), len, Some(sha256)))?;
                self.init = Some(n);
            }
            Record::Segment { n, start, duration, discontinuity, dependent, captions, len, sha256 } => {
                let segment =
                    Segment { start, duration, discontinuity, dependent, init: self.init, gap: false };
                self.push_segment(n, segment, Some((len, sha256)))?;
                self.captions.add(captions);
                self.dependent |= dependent;
            }
            Record::FramesInit { n, len, sha256 } => {
                let of = self.init.ok_or(Misfit::Unknown)?;
                self.push(n, Object::new(Kind::FramesInit(of), len, Some(sha256)))?;
                self.frames_inits.insert(of, n);
            }
            Record::Frame { n, start, len, sha256 } => {
                self.push(n, Object::new(Kind::Frame(start), len, Some(sha256)))?;
                self.frames.insert(start, n);
            }
            Record::RungInit { n, rendition, init, len, sha256 } => {
                self.push_rung_init(n, rendition, init, (len, sha256))?;
            }
            Record::RungSegment { n, rendition, start, duration, captions, len, sha256 } => {
                self.push_rung_segment(n, &rendition, (start, duration), (len, sha256))?;
                self.add_rung_captions(&rendition, captions);
            }
            Record::Lost { n, start, duration, discontinuity } => {
                let init = self.init;
                let segment = Segment { start, duration, discontinuity, dependent: false, init, gap: false };
                self.push_segment(n, segment, None)?;
            }
            Record::Ack { n, target, less } => {
                let (object, bit) = self.object_at(n, &target)?;
                object.on |= bit;
                object.less = (object.less & !bit) | if less { bit } else { 0 };
                object.others &= !bit;
            }
            Record::Others { n, target } => {
                let (object, bit) = self.object_at(n, &target)?;
                object.others |= bit;
                object.on &= !bit;
                object.less &= !bit;
            }
            Record::Gap { n } => match self.objects.get_mut(n as usize) {
                Some(Object { kind: Kind::Segment(segment), .. }) => segment.gap = true,
                _ => return Err(Misfit::Unknown),
            },
            Record::RungGap { n } => match self.objects.get_mut(n as usize) {
                Some(Object { kind: Kind::RungSegment { rung, start, .. }, .. }) => {
                    let (rung, start) = (*rung, *start);
                    self.push_rung_gap(rung, start);
                }
                _ => return Err(Misfit::Unknown),
            },
            Record::Removed { target } => {
                if let Some(bit) = self.targets.iter().position(|known| known.as_ref() == Some(&target)) {
                    self.targets[bit] = None;
                    for object in &mut self.objects {
                        object.on &= !(1 << bit);
                        object.less &= !(1 << bit);
                        object.others &= !(1 << bit);
                    }
                }
            }
            Record::Anchor { feed, feed_ms, utc } => {
                if self.anchors.len() >= ANCHORS_MAX {
                    self.anchors.remove(0);
                }
                self.anchors.push((feed, Anchor { feed_ms, utc }));
            }
            Record::Splice(splice) if self.splices.len() < SPLICES_MAX => self.splices.push(splice),
            Record::Splice(_) => {}
            Record::Promise { target_s } => self.promise = Some(target_s),
            Record::Evicted => self.evicted = true,
            Record::End { at, next_msn } => {
                (self.ended, self.next_msn) = (Some(at), next_msn);
            }
        }
        Ok(())
    }

    /// Takes the next record of the journal, which another version wrote. All that is known of it is whether it brings an object:
    /// then its number is taken, so that what follows fits.
    pub fn pass_over(&mut self, record: &Foreign) -> Result<(), Misfit> {
        match record.n.filter(|n| *n as usize >= self.objects.len()) {
            Some(n) => self.push(n, Object::new(Kind::Foreign, 0, None)),
            None => Ok(()),
        }
    }

    /// The object of this number, and the mask of this target.
    fn object_at(&mut self, n: u32, target: &TargetId) -> Result<(&mut Object, u32), Misfit> {
        if n as usize >= self.objects.len() {
            return Err(Misfit::Unknown);
        }
        let bit = self.bit(target)?;
        let object = self.objects.get_mut(n as usize).ok_or(Misfit::Unknown)?;
        Ok((object, 1 << bit))
    }

    fn push(&mut self, n: u32, object: Object) -> Result<(), Misfit> {
        if self.objects.len() >= OBJECTS_MAX {
            return Err(Misfit::Full);
        }
        if n as usize != self.objects.len() {
            return Err(Misfit::Number);
        }
        self.objects.push(object);
        Ok(())
    }

    fn push_segment(&mut self, n: u32, segment: Segment, stored: Option<(u64, Hash)>) -> Result<(), Misfit> {
        let start = segment.start;
        let (len, sha256) = stored.map_or((0, None), |(len, hash)| (len, Some(hash)));
        self.push(n, Object::new(Kind::Segment(segment), len, sha256))?;
        // What the disk lost is told at once, and so before those that still waited for the disk.
        let later = self.order.iter().rev().take_while(|of| self.start_of(**of) > start).count();
        self.order.insert(self.order.len() - later, n);
        Ok(())
    }

    fn start_of(&self, n: u32) -> MediaTime {
        self.segment(n).map_or(MediaTime(0), |segment| segment.start)
    }

    /// The bit of a target in [`Object::on`]: the one it has, or a free one that is its own from now on.
    pub fn bit(&mut self, target: &TargetId) -> Result<usize, Misfit> {
        if let Some(bit) = self.known_bit(target) {
            return Ok(bit);
        }
        let bit = self.targets.iter().position(Option::is_none).ok_or(Misfit::Targets)?;
        self.targets[bit] = Some(target.clone());
        Ok(bit)
    }

    /// The bit of a target that has one.
    pub fn known_bit(&self, target: &TargetId) -> Option<usize> {
        self.targets.iter().position(|known| known.as_ref() == Some(target))
    }

    /// The target of a bit.
    pub fn target(&self, bit: usize) -> Option<&TargetId> {
        self.targets.get(bit)?.as_ref()
    }

    /// What stays the same.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The objects, by number.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object of this number, where it is a segment.
    pub fn segment(&self, n: u32) -> Option<&Segment> {
        match &self.objects.get(n as usize)?.kind {
            Kind::Segment(segment) => Some(segment),
            _ => None,
        }
    }

    /// The object of this number, where it is an init segment.
    pub fn init(&self, n: u32) -> Option<&Init> {
        match &self.objects.get(n as usize)?.kind {
            Kind::Init(init) | Kind::RungInit(_, init) => Some(init),
            _ => None,
        }
    }

    /// The key frame of the segment that starts here.
    pub fn frame(&self, start: MediaTime) -> Option<&Object> {
        self.objects.get(*self.frames.get(&start)? as usize)
    }

    /// The init segment of the key frames of segments that need the init segment of this number.
    pub fn frames_init(&self, init: u32) -> Option<&Object> {
        self.objects.get(*self.frames_inits.get(&init)? as usize)
    }

    /// Whether any key frame is an object.
    pub fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// The segments' numbers, by where they start.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The number of the segment that starts here; the newest are found fastest.
    pub fn at(&self, start: MediaTime) -> Option<u32> {
        let place = self.order.partition_point(|n| self.start_of(*n) < start);
        self.order.get(place).copied().filter(|n| self.start_of(*n) == start)
    }

    /// The name of an object on every target.
    pub fn name(&self, object: &Object) -> String {
        match &object.kind {
            Kind::Init(init) | Kind::RungInit(_, init) => init.name.clone(),
            Kind::Segment(segment) => self.segment_name(segment.start),
            Kind::RungSegment { rung, start, .. } => self.rung_segment_name(*rung, *start),
            Kind::Frame(start) => object::frame_name(&self.segment_name(*start)),
            // There is one: it was known when this was made.
            Kind::FramesInit(of) => object::frames_init_name(self.init(*of).map_or("", |init| &init.name)),
            // Nobody asks: there is nothing of it.
            Kind::Foreign => String::new(),
        }
    }

    fn segment_name(&self, start: MediaTime) -> String {
        let Head { channel, rendition, segment_ms, .. } = &self.head;
        object::segment_name(channel, rendition, start, *segment_ms)
    }

    /// Where the first segment starts.
    pub fn start(&self) -> Option<MediaTime> {
        self.order.first().map(|n| self.start_of(*n))
    }

    /// Where the last segment ends: what is made next must not lie before it.
    pub fn end(&self) -> Option<MediaTime> {
        let end = |segment: &Segment| segment.start + segment.duration;
        self.order.iter().rev().take(8).filter_map(|n| self.segment(*n)).map(end).max()
    }

    /// The anchors of the feeds, oldest first.
    pub fn anchors(&self) -> &[(String, Anchor)] {
        &self.anchors
    }

    /// What was said of splices so far, in the order in which it was said.
    pub fn splices(&self) -> &[Splice] {
        &self.splices
    }

    /// The closed captions of all segments so far.
    pub fn captions(&self) -> Captions {
        self.captions
    }

    /// Whether any segment so far begins with a picture that refers to some before it.
    pub fn is_dependent(&self) -> bool {
        self.dependent
    }

    /// `EXT-X-TARGETDURATION` of its live playlists, in seconds, once one was told.
    pub fn promise(&self) -> Option<u32> {
        self.promise
    }

    /// When the channel ended; `None` as long as the recording is being made.
    pub fn ended(&self) -> Option<UtcMs> {
        self.ended
    }

    /// Where the next recording begins to count; 0 before the end.
    pub fn next_msn(&self) -> u64 {
        self.next_msn
    }

    /// Whether the objects' files were deleted from the local disk.
    pub fn evicted(&self) -> bool {
        self.evicted
    }

    /// Whether there are frames of ours that this target lacks, though it acknowledged everything: what it has of a segment
    /// is the other origin's.
    pub fn lacks_frames(&self, target: &TargetId) -> bool {
        let mask = self.known_bit(target).map_or(0, |bit| 1_u32 << bit);
        self.objects.iter().any(|object| object.less & mask != 0)
    }

    /// Whether a target has everything that was recorded and that it shall have: every init segment, and the segments that
    /// start at `since` or later. Where it has the other origin's of a rung, and nothing more is done about it, that counts.
    pub fn complete_at(&self, target: &TargetId, since: MediaTime) -> bool {
        let mask = self.known_bit(target).map_or(0, |bit| 1_u32 << bit);
        let older = |object: &Object| object.start().is_some_and(|start| start < since);
        let is_there = |object: &Object| object.sha256.is_none() || (object.on | object.others) & mask != 0;
        self.objects.iter().all(|object| is_there(object) || older(object))
    }
}
